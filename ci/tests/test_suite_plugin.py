"""The pytest plugin: what it collects, the outcomes it tells, and the traps of pytest-bdd that it defends against."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest
from gherkube import fixtures, kinds, steps
from gherkube.drivers import reference
from gherkube.outcome import Outcome, Result
from gherkube.runner import Recorder
from gherkube.spec import load

pytest_plugins = ["pytester"]

# pytester forgets after each run what was imported in it; what is imported here stays, which makes runs quick.
PRELOADED = (fixtures, reference, steps.modules(), kinds.named("Pod"))

# Without the plugins that cost each of these small runs a second.
LEAN = [
    word for plugin in ("cacheprovider", "hypothesispytest", "anyio", "typeguard") for word in ("-p", f"no:{plugin}")
]

STEPS = """
    import pytest
    from pytest_bdd import given, when, then

    tries = []

    @given("a beginning")
    @when("all is well")
    @then("all is well")
    def well(): pass

    @when("the system is wrong")
    @then("the system is wrong")
    def wrong(): raise AssertionError("2 is not 1")

    @when("the harness breaks")
    def breaks(): raise RuntimeError("no way to the system")

    @when("a step skips")
    def skips(): pytest.skip("not today")

    @when("it works from the second time on")
    def second():
        tries.append(1)
        if len(tries) < 2:
            raise AssertionError("first time")

    @then("it must not be reached")
    def unreached(): raise RuntimeError("a step after a failure was run")
"""
CLAUSES = """
    clauses:
      - {id: API-3, profile: api, text: "Reading gives the latest version."}
      - {id: API-4, profile: api, text: "A stale update changes nothing."}
      - {id: POD-1, profile: kubelet, text: "Containers run."}
"""


class Quiet:
    """A display that shows nothing."""

    def start(self, total: int, target: str) -> None: ...

    def result(self, result: Result) -> None: ...

    def stop(self) -> None: ...


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeconftest(dedent(STEPS))
    (pytester.path / "features/api").mkdir(parents=True)
    (pytester.path / "features/requirements.yaml").write_text(dedent(CLAUSES))
    return pytester


def feature(suite: pytest.Pytester, text: str, name: str = "things", profile: str = "api") -> Path:
    """A feature of one Rule around these scenarios; the file as it stands where it says Feature itself."""
    path = suite.path / "features" / profile / f"{name}.feature"
    path.parent.mkdir(exist_ok=True)
    whole = text if "Feature:" in text else "Feature: Things\n  Rule: They work\n" + indent(dedent(text), "    ")
    path.write_text(dedent(whole))
    return path


def scenario(number: int, when: str = "all is well", then: str = "all is well", tags: str = "@core @req:API-3") -> str:
    return (
        f"\n@id:things.{number:02} {tags}\nScenario: It is number {number}\n"
        f"  Given a beginning\n  When {when}\n  Then {then}\n"
    )


def run(suite: pytest.Pytester, *arguments: str) -> tuple[Any, dict[str, Result]]:
    """What a run told: pytest's own result and every scenario's outcome."""
    root = suite.path / "features"
    recorder = Recorder(load(root), Quiet())
    options = ["--gherkube-features", str(root), *LEAN, "--strict-markers", *arguments]
    done = suite.inline_run(*options, str(root), plugins=[recorder])
    return done, recorder.results


def outcomes(suite: pytest.Pytester, *arguments: str) -> dict[str, str]:
    return {id: result.outcome.value for id, result in run(suite, *arguments)[1].items()}


def collection_error(suite: pytest.Pytester) -> str:
    root = suite.path / "features"
    done = suite.runpytest_inprocess("--gherkube-features", str(root), *LEAN, str(root))
    assert done.ret == pytest.ExitCode.INTERRUPTED
    return str(done.stdout)


EACH = [
    ("all is well", "all is well", Outcome.PASSED, ""),
    ("the system is wrong", "it must not be reached", Outcome.FAILED, "When the system is wrong (line 7): 2 is not 1"),
    ("all is well", "the system is wrong", Outcome.FAILED, "Then the system is wrong (line 8): 2 is not 1"),
    ("the harness breaks", "it must not be reached", Outcome.ERRORED, "RuntimeError: no way to the system"),
    ("a step skips", "it must not be reached", Outcome.SKIPPED, "not today"),
    ("nobody defined this", "it must not be reached", Outcome.UNDEFINED, "nobody defined this"),
]


@pytest.mark.parametrize(("when", "then", "outcome", "reason"), EACH)
def test_every_outcome_is_told_as_it_is(
    suite: pytest.Pytester, when: str, then: str, outcome: Outcome, reason: str
) -> None:
    feature(suite, scenario(1, when, then))
    _, results = run(suite)
    assert results["things.01"].outcome is outcome
    assert reason in results["things.01"].reason


def test_outcomes_survive_xdist(suite: pytest.Pytester) -> None:
    feature(suite, "".join(scenario(number, when, then) for number, (when, then, *_) in enumerate(EACH, 1)))
    told = outcomes(suite, "-n", "2")
    assert told == {f"things.{number:02}": outcome.value for number, (_, _, outcome, _) in enumerate(EACH, 1)}


def test_features_of_other_suites_are_left_alone(suite: pytest.Pytester) -> None:
    (suite.path / "features/api/mine.feature").write_text(
        "Feature: Mine\n  Scenario: Untagged\n    Given a beginning\n"
    )
    done = suite.runpytest_inprocess(str(suite.path), *LEAN)
    assert done.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert "error" not in str(done.stdout)


def test_pytest_itself_sees_what_did_not_pass(suite: pytest.Pytester) -> None:
    feature(suite, "".join(scenario(number, when, then) for number, (when, then, *_) in enumerate(EACH, 1)))
    done, _ = run(suite)
    passed, skipped, failed = done.listoutcomes()
    assert (len(passed), len(skipped), len(failed)) == (1, 1, 4)


def test_a_failure_is_shown_in_the_words_of_the_feature(suite: pytest.Pytester) -> None:
    feature(suite, scenario(1, "all is well", "the system is wrong"))
    root = str(suite.path / "features")
    shown = str(suite.runpytest_inprocess("--gherkube-features", root, *LEAN, root).stdout)
    assert "api/things.feature:5: things.01 It is number 1" in shown
    assert "api/things.feature:8: Then the system is wrong" in shown
    assert "E   2 is not 1" in shown
    assert "Traceback" not in shown
    assert "conftest.py" not in shown


def lacks(monkeypatch: pytest.MonkeyPatch, capability: str) -> None:
    """Let the target be one that cannot do this."""
    monkeypatch.setattr(
        reference.ReferenceDriver, "capabilities", reference.ReferenceDriver.capabilities - {capability}
    )


def test_a_lacking_capability_is_unsupported(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    lacks(monkeypatch, "net.capture")
    feature(suite, scenario(1, tags="@core @req:API-3 @needs:net.capture") + scenario(2))
    _, results = run(suite)
    assert results["things.01"].outcome is Outcome.UNSUPPORTED
    assert results["things.01"].reason == "the target lacks net.capture"
    assert results["things.02"].outcome is Outcome.PASSED


def test_a_profile_whose_requirements_the_target_lacks_is_not_run(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacks(monkeypatch, "pods.real")
    feature(suite, scenario(1, tags="@core @req:POD-1").replace("things.", "pods."), "pods", "kubelet")
    _, results = run(suite)
    assert results["pods.01"].outcome is Outcome.UNSUPPORTED
    assert "the profile kubelet requires pods.real" in results["pods.01"].reason


def test_a_broken_clean_up_is_an_error_not_a_pass(suite: pytest.Pytester) -> None:
    breaks = "@pytest.fixture(autouse=True)\ndef _broken():\n    yield\n    raise OSError('left behind')\n"
    suite.makeconftest(dedent(STEPS) + breaks)
    feature(suite, scenario(1) + scenario(2, "the system is wrong"))
    _, results = run(suite)
    assert results["things.01"].outcome is Outcome.ERRORED
    assert "left behind" in results["things.01"].reason
    assert results["things.02"].outcome is Outcome.ERRORED


def test_a_flake_is_told_as_one(suite: pytest.Pytester) -> None:
    feature(suite, scenario(1, "it works from the second time on") + scenario(2, "the system is wrong") + scenario(3))
    done, results = run(suite, "--retries", "1")
    assert [results[f"things.0{number}"].outcome for number in (1, 2, 3)] == [
        Outcome.FLAKY,
        Outcome.FAILED,
        Outcome.PASSED,
    ]
    assert results["things.01"].attempts == 2
    assert "first time" in results["things.01"].reason
    assert results["things.03"].attempts == 1
    tries = {id: [(one.attempts, one.outcome) for one in result.tries] for id, result in results.items()}
    failed = [(1, Outcome.FAILED)]
    assert tries == {"things.01": failed, "things.02": failed, "things.03": []}
    assert "first time" in results["things.01"].tries[0].reason
    assert len(done.listoutcomes()[2]) == 2


def test_an_outline_is_one_case_an_example(suite: pytest.Pytester) -> None:
    text = """
        @id:things.01 @core @req:API-3
        Scenario Outline: With <what>
          Given a beginning
          When <what>
          Then all is well

          Examples:
            | what                |
            | all is well         |
            | the system is wrong |
    """
    feature(suite, text)
    assert outcomes(suite) == {"things.01#1": "passed", "things.01#2": "failed"}


def test_tags_are_markers(suite: pytest.Pytester) -> None:
    feature(suite, scenario(1) + scenario(2, tags="@extended @req:API-4 @needs:time.skip"))
    assert list(outcomes(suite, "-m", "core")) == ["things.01"]
    assert list(outcomes(suite, "-m", "req(clause='API-4')")) == ["things.02"]
    assert list(outcomes(suite, "-m", "needs(capability='time.skip')")) == ["things.02"]
    assert list(outcomes(suite, "-m", "profile(name='api')")) == ["things.01", "things.02"]


def test_the_selection_narrows_what_runs(suite: pytest.Pytester) -> None:
    feature(suite, scenario(1) + scenario(2, tags="@extended @req:API-4 @needs:time.skip"))
    assert list(outcomes(suite, "--level", "extended")) == ["things.02"]
    assert list(outcomes(suite, "--tags=@core and not @needs:time.skip")) == ["things.01"]
    assert list(outcomes(suite, "--profile", "selection")) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "nowhere"], "no such target: 'nowhere'"),
        (["--target", "kubeconfig:/missing"], "target 'kubeconfig:/missing': there is no such file"),
        (["--profile", "nope"], "no profile 'nope'"),
        (["--level", "nope"], "no level 'nope'"),
        (["--tags=@core and"], "no tag expression"),
    ],
)
def test_a_wrong_option_is_one_line(suite: pytest.Pytester, arguments: list[str], message: str) -> None:
    feature(suite, scenario(1))
    root = str(suite.path / "features")
    done = suite.runpytest_inprocess("--gherkube-features", root, *LEAN, root, *arguments)
    assert done.ret in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERRUPTED)
    assert message in str(done.stderr) + str(done.stdout)
    assert "Traceback" not in str(done.stderr) + str(done.stdout)


TRAPS = {
    "one name twice, even under two Rules": (
        "Feature: Things\n  Rule: One\n"
        + indent(scenario(1), "    ")
        + "  Rule: Two\n"
        + indent(scenario(2).replace("number 2", "number 1"), "    "),
        "the title 'It is number 1' is used in line 5 already",
    ),
    "no steps": ("@id:things.01 @core @req:API-3\nScenario: Empty\n", "the scenario has no steps"),
    "no examples": (
        "@id:things.01 @core @req:API-3\nScenario Outline: <a>\n  When all is well\n  Then all is well\n",
        "the outline has no Examples",
    ),
    "a first step *": (
        "@id:things.01 @core @req:API-3\nScenario: Star\n  * all is well\n  When all is well\n  Then all is well\n",
        "api/things.feature:5: a step starts with Given, When, Then, And or But, not '*'",
    ),
    "no Gherkin": (
        "Feature: Things\n  Scenario: Odd\n    Given a beginning\n      | a |\n      | a | b |\n",
        "not Gherkin",
    ),
    "an empty feature": ("Feature: Things\n", "the Feature has no scenario"),
    "a comment only": ("# Feature: no\n", "the file holds no Feature"),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_what_would_vanish_or_pass_unseen_is_a_collection_error(suite: pytest.Pytester, trap: str) -> None:
    text, message = TRAPS[trap]
    feature(suite, text)
    shown = collection_error(suite)
    assert message in shown
    assert "Traceback" not in shown


def test_a_step_that_pytest_bdd_lost_is_noticed(suite: pytest.Pytester) -> None:
    loses = "def pytest_bdd_after_scenario(request):\n    request.node.steps_run.pop()\n"
    suite.makeconftest(dedent(STEPS) + loses)
    feature(suite, scenario(1))
    _, results = run(suite)
    assert results["things.01"].outcome is Outcome.ERRORED
    assert results["things.01"].reason == "2 steps ran of 3 that were parsed"


def test_a_scenario_that_was_collected_and_never_run_is_noticed(suite: pytest.Pytester) -> None:
    swallows = "@pytest.hookimpl(tryfirst=True)\ndef pytest_runtest_protocol(item):\n"
    swallows += "    return 'things.02' in item.nodeid or None\n"
    suite.makeconftest(dedent(STEPS) + swallows)
    feature(suite, scenario(1) + scenario(2))
    root = str(suite.path / "features")
    done = suite.runpytest_inprocess("--gherkube-features", root, *LEAN, root)
    assert done.ret == pytest.ExitCode.INTERNAL_ERROR
    assert "collected, but never run: features/api/things.feature::things.02" in str(done.stdout)


def test_an_unusual_naming_of_tests_hides_no_scenario(suite: pytest.Pytester) -> None:
    feature(suite, scenario(1))
    assert outcomes(suite, "-o", "python_functions=check_*") == {"things.01": "passed"}


def test_a_miniature_is_caught_by_a_failure_and_by_nothing_else(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    from contextlib import nullcontext

    from gherkube.drivers import miniatures

    fault = miniatures.Miniature("is-wrong", "It is wrong.", ("things.01",), nullcontext)
    monkeypatch.setattr(miniatures, "catching", lambda *ids: [fault])
    feature(suite, "".join(scenario(number, when, then) for number, (when, then, *_) in enumerate(EACH, 1)))
    root = str(suite.path / "features")
    done = suite.inline_run("--gherkube-features", root, *LEAN, "--miniatures", root)
    passed, _, failed = done.listoutcomes()
    assert [report.nodeid.rpartition("::")[2] for report in passed] == ["things.02[is-wrong]", "things.03[is-wrong]"]
    assert len(failed) == 4
    assert "was not caught: the scenario passed" in str(failed[0].longrepr)
