"""Reports held against each other and traced to clauses, and a run told in Cucumber's own words."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from gherkube import badge, cli, comparison, messages, report, traceability
from gherkube.drivers.miniatures import Miniature
from gherkube.outcome import ExitCode, Outcome, Result
from gherkube.report import ReportError, Run
from suite_runs import run_of, spec_of

NPM = Path(__file__).parents[1] / "npm"
ALL = ("passed", "failed", "errored", "unsupported", "skipped", "undefined", "flaky")


def written(tmp_path: Path, name: str, *outcomes: str) -> Path:
    folder = tmp_path / name
    folder.mkdir()
    path = folder / "report.json"
    report.write_report(run_of(spec_of(folder, *[("core", "")] * len(outcomes)), *outcomes), path)
    return path


# Two reports


@pytest.mark.parametrize(
    ("before", "after", "group", "code"),
    [
        ("passed", "passed", "", ExitCode.CONFORMANT),
        ("failed", "failed", "", ExitCode.CONFORMANT),
        ("failed", "passed", "fixes", ExitCode.CONFORMANT),
        ("unsupported", "passed", "fixes", ExitCode.CONFORMANT),
        ("failed", "errored", "changed", ExitCode.CONFORMANT),
        ("passed", "failed", "regressions", ExitCode.FAILED),
        ("passed", "errored", "regressions", ExitCode.FAILED),
        ("passed", "undefined", "regressions", ExitCode.FAILED),
        ("passed", "flaky", "regressions", ExitCode.FAILED),
        ("passed", "unsupported", "unjudged", ExitCode.PARTIAL),
        ("passed", "skipped", "unjudged", ExitCode.PARTIAL),
    ],
)
def test_a_change_is_put_in_its_group(tmp_path: Path, before: str, after: str, group: str, code: ExitCode) -> None:
    spec = spec_of(tmp_path, ("core", ""), ("core", ""))
    old, new = (report.as_report(run_of(spec, outcome, "passed")) for outcome in (before, after))
    found = comparison.compare(old, new)
    groups = {name: [case[0] for case in getattr(found, name)] for name in comparison.GROUPS}
    assert groups == {name: ["things.01"] if name == group else [] for name in comparison.GROUPS}
    assert found.exit_code == code


def test_what_is_new_is_no_regression_and_what_is_gone_is_less(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = written(tmp_path, "one", "passed"), written(tmp_path, "two", "passed", "failed")
    assert cli.call(["diff", str(one), str(two)]) == 0
    told = capsys.readouterr().out
    assert "new (was not there before): 1\n  things.02" in told
    assert "different versions of the features" in told
    assert cli.call(["diff", str(two), str(one)]) == 2
    assert "gone (was there before): 1" in capsys.readouterr().out


def test_a_regression_is_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [str(written(tmp_path, name, name)) for name in ("passed", "failed")]
    assert cli.call(["diff", *paths]) == 1
    assert "things.01                passed -> failed" in capsys.readouterr().out


# Reports that are none


def damage(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schemaVersion": "0"}, "has version 0 of the report's format, this is 1; run again with this gherkube"),
        ({"schemaVersion": "2"}, "has version 2 of the report's format, this is 1"),
        ({"command": "gherkube run --moon"}, "is damaged: its content is not what its digest was made of"),
        ({"profiles": "all"}, "is damaged: profiles: 'all' is not of type 'array'"),
        ({"surplus": 1}, "is damaged: the whole: Additional properties are not allowed"),
    ],
)
def test_a_report_that_is_damaged_or_of_another_version_is_told(
    tmp_path: Path, changes: dict[str, Any], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, "one", "passed")
    damage(path, **changes)
    with pytest.raises(ReportError, match=r"one/report\.json"):
        report.read_report(path)
    for command in (["diff", str(path), str(path)], ["badge", str(path), "x.svg"], ["trace", "--report", str(path)]):
        assert cli.call(command) == 3
        told = capsys.readouterr().err
        assert message in told
        assert len(told.splitlines()) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "PK\u0003", "null"])
def test_what_is_no_report_is_told_as_that(tmp_path: Path, text: str) -> None:
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(ReportError, match=r"is no report.*gherkube run --report FILE writes one"):
        report.read_report(tmp_path / "report.json")


# Clauses

GOOD = Miniature("breaks-one", "Thing 1 breaks.", ("things.01",), lambda: None)  # type: ignore[arg-type, return-value]
OTHER = Miniature("breaks-two", "Thing 2 breaks.", ("things.02",), lambda: None)  # type: ignore[arg-type, return-value]


def caught(spec: Any, **catches: bool) -> dict[str, Any]:
    """The results of miniatures, breaks_one=True for the scenario things.01."""
    told = {"breaks_one": "things.01", "breaks_two": "things.02"}
    rows = [
        {"miniature": name.replace("_", "-"), "id": told[name], "caught": it, "outcome": "failed", "reason": "r"}
        for name, it in catches.items()
    ]
    return traceability.results_of(spec, rows)


def test_a_clause_is_traced_to_outcomes_and_faults(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, ("core", ""), ("extended", ""))
    made = report.as_report(run_of(spec, "passed", "failed"))
    (clause,) = traceability.trace(spec, [GOOD, OTHER], made, caught(spec, breaks_one=True, breaks_two=False))
    assert clause.state == "covered"
    assert [(one.id, one.outcome, one.miniatures[0].caught) for one in clause.scenarios] == [
        ("things.01", "passed", True),
        ("things.02", "failed", False),
    ]
    rows = list(csv.DictReader(io.StringIO(traceability.written([clause], "csv"))))
    assert [(row["clause"], row["scenario"], row["miniature"], row["caught"]) for row in rows] == [
        ("API-3", "things.01", "breaks-one", "caught"),
        ("API-3", "things.02", "breaks-two", "missed"),
    ]
    assert json.loads(traceability.written([clause], "json"))["clauses"][0]["scenarios"][1]["outcome"] == "failed"
    assert "| API-3 | Reading reads. | things.01, things.02 | failed | 1 of 2 |" in traceability.written(
        [clause], "markdown"
    )


def test_what_is_missing_on_the_way_is_found(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, ("extended", ""), ("extended", ""))
    told = [finding.message for finding in traceability.missing(spec, [GOOD])]
    assert told == ["no core scenario covers API-3: Reading reads.", "no miniature is caught by things.02"]
    told = [str(finding) for finding in traceability.missing(spec, [GOOD, OTHER], caught(spec, breaks_one=False))]
    assert told[1:] == [
        "api/things.feature:6: things.01 did not catch the miniature breaks-one: Thing 1 breaks.",
        "api/things.feature:12: things.02 did not catch the miniature breaks-two: Thing 2 breaks.",
    ]


def test_results_of_other_features_prove_nothing(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, ("core", ""))
    results = {**caught(spec, breaks_one=True), "manifest": "sha256:" + "0" * 64}
    assert "other features" in traceability.missing(spec, [GOOD], results)[0].message
    (tmp_path / "results.json").write_text(json.dumps(results))
    assert traceability.read_results(tmp_path / "results.json") == results
    (tmp_path / "results.json").write_text('{"results": []}')
    with pytest.raises(ReportError, match="holds no results of miniatures"):
        traceability.read_results(tmp_path / "results.json")


def test_the_suite_itself_traces_without_findings(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.call(["trace", "--format", "csv"]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert "API-4" in told.out
    assert cli.call(["trace", "--format", "poem"]) == 3


# The badge


@pytest.mark.parametrize(
    ("outcome", "text"), [("passed", "conformant: api"), ("failed", "not conformant"), ("errored", "no verdict")]
)
def test_the_badge_tells_the_verdict(tmp_path: Path, outcome: str, text: str) -> None:
    drawn = badge.badge(report.read_report(written(tmp_path, "one", outcome)))
    assert f">{text}</text>" in drawn
    assert drawn.startswith("<svg")


# Cucumber Messages


def test_messages_tell_every_outcome_in_cucumbers_words(tmp_path: Path) -> None:
    run = run_of(spec_of(tmp_path, *[("core", "")] * 7), *ALL)
    for result in run.results.values():
        result.steps = [0.25] if result.outcome is Outcome.UNDEFINED else [0.25, 0.5]
        result.evidence = {"exchanges": ["GET /"], "objects": [{}]} if result.outcome is Outcome.FAILED else {}
    told = list(messages.envelopes(run))
    cases = [one["testCaseStarted"]["id"] for one in told if "testCaseStarted" in one]
    finished = [one["testStepFinished"] for one in told if "testStepFinished" in one]
    steps = {case: [one for one in finished if one["testCaseStartedId"] == case] for case in cases}
    statuses = {case.split()[-1]: [one["testStepResult"]["status"] for one in steps[case]] for case in cases}
    assert statuses == {
        "things.01": ["PASSED", "PASSED", "PASSED"],
        "things.02": ["PASSED", "FAILED", "SKIPPED"],
        "things.03": ["PASSED", "FAILED", "SKIPPED"],
        "things.04": ["PASSED", "SKIPPED", "SKIPPED"],
        "things.05": ["PASSED", "SKIPPED", "SKIPPED"],
        "things.06": ["PASSED", "UNDEFINED", "SKIPPED"],
        "things.07": ["PASSED", "PASSED", "PASSED"],
    }
    assert steps["attempt 0 of case things.02"][1]["testStepResult"]["message"] == "failed: because"
    assert [one["attachment"]["mediaType"] for one in told if "attachment" in one] == ["text/plain", "application/json"]
    assert told[-1]["testRunFinished"]["success"] is False


def flaky_run(tmp_path: Path) -> Run:
    """Of a scenario that failed twice, and then passed, and one that failed three times."""
    run = run_of(spec_of(tmp_path, *[("core", "")] * 2), "flaky", "failed")
    for result in run.results.values():
        result.attempts = 3
        result.tries = [Result(result.case, Outcome.FAILED, f"no {n}", attempts=n, steps=[0.1, 0.2]) for n in (1, 2)]
        result.steps = [0.1] * (3 if result.outcome is Outcome.FLAKY else 2)
    return run


def test_messages_tell_each_attempt_and_that_there_will_be_another(tmp_path: Path) -> None:
    told = list(messages.envelopes(flaky_run(tmp_path)))
    assert len([one for one in told if "testCase" in one]) == 2
    started = {one["testCaseStarted"]["id"]: one["testCaseStarted"] for one in told if "testCaseStarted" in one}
    assert [one["attempt"] for one in started.values()] == [0, 1, 2] * 2
    finished = [one["testCaseFinished"] for one in told if "testCaseFinished" in one]
    assert [one["testCaseStartedId"] for one in finished] == list(started)
    assert [one["willBeRetried"] for one in finished] == [True, True, False] * 2
    steps = [one["testStepFinished"] for one in told if "testStepFinished" in one]
    last = [[one for one in steps if one["testCaseStartedId"] == id][-2:] for id in started]
    statuses = [[one["testStepResult"]["status"] for one in pair] for pair in last]
    failed = ["FAILED", "SKIPPED"]
    assert statuses == [failed, failed, ["PASSED", "PASSED"], failed, failed, failed]
    assert told[-1]["testRunFinished"]["success"] is False


@pytest.mark.parametrize("made", ["every outcome", "attempts"])
def test_messages_are_what_cucumber_defines_and_its_formatter_renders(tmp_path: Path, made: str) -> None:
    schema = NPM / "node_modules/@cucumber/messages/messages.schema.json"
    if shutil.which("node") is None or not schema.is_file():
        pytest.skip("node or the packages of ci/npm are not installed: ci/npm-packages")
    run = run_of(spec_of(tmp_path, *[("core", "")] * 7), *ALL) if made == "every outcome" else flaky_run(tmp_path)
    messages.write_messages(run, tmp_path / "messages.ndjson")
    lines = (tmp_path / "messages.ndjson").read_text().splitlines()
    validator = jsonschema.Draft202012Validator(json.loads(schema.read_text()))
    for line in lines:
        validator.validate(json.loads(line))
    with (tmp_path / "messages.ndjson").open() as told:
        done = subprocess.run(["node", "render-messages.mjs"], cwd=NPM, stdin=told, capture_output=True, check=True)
    html = done.stdout.decode()
    assert html.lstrip().startswith("<!DOCTYPE html>")
    assert f"Thing {len(run.results)}" in html
