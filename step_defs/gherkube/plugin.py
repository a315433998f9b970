"""The pytest plugin of the suite: `pytest features/` collects and runs the specification, with honest outcomes.

Loaded by pytest through its entry point, in everybody's sessions; so it touches nothing but `.feature` files below
the suite's own folder, and opens no target before one of them is collected. What it defends against:

- scenarios that would vanish or pass unseen (one name twice, no steps, no examples, no module that binds them):
  features are collected directly, judged by `gherkube.lint` first, and what ran is counted against what was parsed;
- outcomes that plain pytest merges: each scenario's own outcome travels in its report's user_properties, which
  survive pytest-xdist;
- tags that are no registered markers: they are registered as they are met.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:
    from gherkube.drivers.miniatures import Miniature
    from gherkube.drivers.testcluster import TestCluster
    from gherkube.session import Suite
    from gherkube.spec import Case, Feature

PROPERTY = "gherkube"
_THRESHOLD = (50_000, 20, 20)  # a cluster's objects come in great numbers, and go together

# Short options that another well-known plugin claims; with that one installed only --gherkube-... is there.
_RIVALS = {"--profile": "pytest_profiling", "--retries": "pytest_retry"}

_MARKERS = (
    "core: every implementation must do this",
    "extended: an implementation that claims the feature must do this",
    "provisional: reported, never gating",
    "profile(name): the conformance profile of a scenario",
    "req(clause): a clause that a scenario covers",
    "needs(capability): a capability that a scenario needs",
)


# Options and configuration


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("gherkube", "conformance features of Kubernetes")
    _option(group, "--target", metavar="TARGET", help="the system under test: reference (default), kubeconfig:PATH")
    _option(group, "--profile", metavar="NAME", action="append", default=[], help="run this profile only; repeatable")
    _option(group, "--level", metavar="LEVEL", action="append", default=[], help="core, extended or provisional")
    _option(
        group, "--tags", metavar="EXPRESSION", default="", help='a tag expression: --tags="@core and not @needs:dns"'
    )
    _option(
        group, "--retries", metavar="N", type=int, default=0, help="tries of a failed scenario; passing then is flaky"
    )
    _option(
        group, "--miniatures", action="store_true", help="run the scenarios on faulty references that they must catch"
    )
    group.addoption("--gherkube-record", action="store_true", help="record what components say to each other")
    group.addoption("--gherkube-features", metavar="DIR", default=None, help="another folder of features")


def _option(group: Any, name: str, **attributes: Any) -> None:
    """`--gherkube-NAME`, and the short name unless another plugin has it."""
    long = f"--gherkube-{name.removeprefix('--')}"
    destination = long.removeprefix("--").replace("-", "_")
    rival = _RIVALS.get(name)
    if rival is None or importlib.util.find_spec(rival) is None:
        try:
            group.addoption(long, name, dest=destination, **attributes)
            return
        except ValueError:
            pass
    group.addoption(long, dest=destination, **attributes)


def pytest_configure(config: pytest.Config) -> None:
    """Wrong options are told before anything is collected, and by the process that the user started."""
    if config.getoption("gherkube_target") is not None and not hasattr(config, "workerinput"):
        suite = suite_of(config)
        _open(suite)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """The target `kernel` may want another kernel than this machine's: then all is done there."""
    target = str(config.getoption("--target", None) or "")
    if target.partition("?")[0] != "kernel":
        return None
    from gherkube.drivers.base import TargetError
    from gherkube.drivers.kernel import in_guest

    try:
        return in_guest(["-m", "pytest", *config.invocation_params.args])
    except TargetError as error:
        raise pytest.UsageError(str(error)) from None


def suite_of(config: pytest.Config) -> Suite:
    """The suite of this session, made when it is first needed."""
    from gherkube import session

    if session.SUITE not in config.stash:
        option = config.getoption
        try:
            selection = session.Selection(
                tuple(option("gherkube_profile")), tuple(option("gherkube_level")), option("gherkube_tags")
            )
        except ValueError as error:
            raise pytest.UsageError(str(error)) from None
        features = option("gherkube_features")
        root = Path(features).resolve() if features else session.default_root()
        target = option("gherkube_target") or "reference"
        flags = (option("gherkube_miniatures"), option("gherkube_record"))
        suite = session.Suite(root, target, selection, option("gherkube_retries"), *flags)
        config.stash[session.SUITE] = suite
        config.add_cleanup(suite.close)
        for line in _MARKERS:
            config.addinivalue_line("markers", line)
    return config.stash[session.SUITE]


def _open(suite: Suite) -> None:
    from gherkube.drivers.base import TargetError

    try:
        _ = suite.driver
    except TargetError as error:
        raise pytest.UsageError(str(error)) from None


# Collection


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.suffix != ".feature":
        return None
    suite = suite_of(parent.config)
    if not suite.holds(file_path.resolve()):
        return None
    _open(suite)
    return FeatureFile.from_parent(parent, path=file_path)


class FeatureFile(pytest.Module):
    """A feature, collected without a module that binds it: its namespace holds the steps and the suite's fixtures."""

    def _getobj(self) -> ModuleType:
        from gherkube import fixtures, steps

        module = ModuleType(f"gherkube_feature_{self.path.stem}")
        module.__file__ = str(self.path)
        vars(module).update(steps.fixtures())
        vars(module).update(fixtures.ALL)
        return module

    def funcnamefilter(self, name: str) -> bool:
        return False  # the namespace has no tests; the scenarios are made below

    def collect(self) -> Iterator[pytest.Item]:
        list(super().collect())  # registers the fixtures
        suite = suite_of(self.config)
        feature = self._feature(suite)
        functions = {scenario.id: _bind(feature, scenario.title) for scenario in feature.scenarios}
        for case in feature.cases:
            for miniature in _miniatures_of(case) if suite.miniatures else (None,):
                yield ScenarioItem.of(self, case, functions[case.scenario.id], miniature)

    def _feature(self, suite: Suite) -> Feature:
        """The feature, judged. Raises CollectError with one line a finding."""
        from gherkube import lint, spec

        try:
            feature = spec.parse_feature(self.path.resolve(), suite.root)
            findings = lint.check_feature(feature, suite.clauses)
        except spec.BrokenFeature as error:
            findings = error.findings
        if findings:
            raise self.CollectError("\n".join(str(finding) for finding in findings))
        return feature


@pytest.fixture
def cluster() -> Iterator[TestCluster]:
    """A Kubernetes in this process, with three nodes, on virtual time (gherkube.drivers.testcluster)."""
    from gherkube.drivers.testcluster import TestCluster

    made = TestCluster()
    yield made
    made.close()


_binding = False  # while pytest-bdd binds a scenario of the suite; its tags are ours to turn into markers


def _bind(feature: Feature, title: str) -> Any:
    """The function that runs a scenario, as pytest-bdd makes it."""
    import pytest_bdd

    global _binding
    _binding = True
    _quicken()
    try:
        decorate = pytest_bdd.scenario(feature.path.name, title, features_base_dir=str(feature.path.parent))
        return decorate(lambda: None)
    finally:
        _binding = False


@cache
def _quicken() -> None:
    """For every step pytest-bdd asks all fixtures of the session, twice; ours are known by what they match."""
    from gherkube import steps

    scenario: Any = importlib.import_module("pytest_bdd.scenario")
    usual = scenario.find_fixturedefs_for_step

    def found(step: Any, fixturemanager: Any, node: pytest.Item) -> Iterable[Any]:
        names = steps.fixtures_of(step.type, step.name) if isinstance(node, ScenarioItem) else ()
        ours = [made for name in names for made in fixturemanager.getfixturedefs(name, node) or ()]
        return ours or usual(step=step, fixturemanager=fixturemanager, node=node)

    scenario.find_fixturedefs_for_step = found


@pytest.hookimpl(tryfirst=True)
def pytest_bdd_apply_tag(tag: str, function: Any) -> bool | None:
    return True if _binding else None


def _miniatures_of(case: Case) -> list[Miniature]:
    from gherkube.drivers import miniatures

    return miniatures.catching(case.id, case.scenario.id)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    ours = [item for item in items if isinstance(item, ScenarioItem)]
    if not ours:
        return
    selection = suite_of(config).selection
    left_out = {item for item in ours if item.case not in selection}
    if left_out:
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]
    _leave_alone(config)


def _leave_alone(config: pytest.Config) -> None:
    """What is there now stays to the end: looking through it for garbage takes a fifth of a run in process."""
    gc.collect()
    gc.freeze()
    config.add_cleanup(partial(gc.set_threshold, *gc.get_threshold()))
    config.add_cleanup(gc.unfreeze)
    gc.set_threshold(*_THRESHOLD)


# Scenarios


class ScenarioItem(pytest.Function):
    """One scenario, or one example of an outline; in miniature mode on a reference with one fault."""

    case: Case
    miniature: Miniature | None
    steps_run: list[Any]
    step_began: list[float]
    attempt: int = 1
    first_failure: str = ""
    tries: list[list[dict[str, Any]]]  # what the phases of the attempts before told

    @classmethod
    def of(cls, parent: FeatureFile, case: Case, function: Any, miniature: Miniature | None) -> ScenarioItem:
        from gherkube.session import CASE

        name = case.id if miniature is None else f"{case.id}[{miniature.name}]"
        item = cls.from_parent(parent, name=name, callobj=function)
        item.case, item.miniature = case, miniature
        item.stash[CASE] = case
        item.steps_run, item.step_began, item.tries = [], [], []
        scenario = case.scenario
        item.add_marker(scenario.level)
        item.add_marker(pytest.mark.profile(name=scenario.profile))
        for clause in scenario.requirements:
            item.add_marker(pytest.mark.req(clause=clause))
        for capability in scenario.needs:
            item.add_marker(pytest.mark.needs(capability=capability))
        return item

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self.case.line - 1, self.name

    def planted(self) -> AbstractContextManager[object]:
        """The miniature's fault, for as long as the scenario runs."""
        return nullcontext() if self.miniature is None else self.miniature.plant()

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Where and what in the feature's words; Python's traceback only where the harness itself broke."""
        from gherkube.outcome import Outcome
        from gherkube.session import classify

        if classify(excinfo.value) is Outcome.ERRORED or self.config.getoption("fulltrace", False):
            return f"{self.where()}\n{excinfo.getrepr(style='short')}"
        return f"{self.where()}\nE   {excinfo.value}"

    def where(self) -> str:
        lines = [f"{self.case.scenario.uri}:{self.case.line}: {self.case.id} {self.case.title}"]
        if self.steps_run:
            step = self.steps_run[-1]
            lines.append(f"  {self.case.scenario.uri}:{step.line_number}: {step.keyword} {step.name}")
        return "\n".join(lines)

    def told(self, call: pytest.CallInfo[Any]) -> tuple[str, str]:
        """The outcome and the reason of one phase."""
        from gherkube.outcome import Outcome
        from gherkube.session import classify

        if call.excinfo is None:
            expected = len(self.case.steps)
            if call.when == "call" and len(self.steps_run) != expected:
                return Outcome.ERRORED, f"{len(self.steps_run)} steps ran of {expected} that were parsed"
            return Outcome.PASSED, ""
        error = call.excinfo.value
        outcome = classify(error)
        text = " ".join(str(error).split()) or type(error).__name__
        if outcome is Outcome.ERRORED:
            text = f"{type(error).__name__}: {text}"
        if self.steps_run and call.when == "call" and outcome is not Outcome.UNDEFINED:
            step = self.steps_run[-1]
            text = f"{step.keyword} {step.name} (line {step.line_number}): {text}"
        return outcome, text


@pytest.hookimpl(tryfirst=True)
def pytest_bdd_before_step(request: pytest.FixtureRequest, step: Any) -> None:
    item = request.node
    if isinstance(item, ScenarioItem):
        item.steps_run.append(step)
        item.step_began.append(perf_counter())


@pytest.hookimpl(tryfirst=True)
def pytest_bdd_before_step_call(request: pytest.FixtureRequest) -> None:
    """The step's arguments are there by now, its world among them."""
    item = request.node
    if isinstance(item, ScenarioItem) and suite_of(item.config).record:
        from gherkube.session import WORLD

        world, step = item.stash[WORLD], len(item.steps_run) - 1
        world.begin_recording(step, telling=item.case.steps[step].type == "when")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if isinstance(item, ScenarioItem):
        from gherkube.session import UnsupportedHere

        lacking = suite_of(item.config).unsupported(item.case)
        if lacking:
            raise UnsupportedHere(lacking)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Iterator[None]:
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if isinstance(item, ScenarioItem):
        if item.miniature is None:
            _tell_outcome(item, call, report)
        elif call.when == "call" or call.excinfo is not None:
            _judge_miniature(item, call, report)
    return report  # type: ignore[return-value]


def _tell_outcome(item: ScenarioItem, call: pytest.CallInfo[Any], report: pytest.TestReport) -> None:
    """Attach the scenario's own outcome to the report, and what pytest itself must not call passed."""
    from gherkube.outcome import Outcome

    outcome, reason = item.told(call)
    evidence = _gathered(item, "evidence") if outcome in (Outcome.FAILED, Outcome.ERRORED) else {}
    if outcome is Outcome.ERRORED and report.outcome == "passed":
        report.outcome, report.longrepr = "failed", f"{item.where()}\nE   {reason}"
    if outcome is Outcome.PASSED and call.when == "call" and item.attempt > 1:
        outcome, reason = Outcome.FLAKY, f"passed in attempt {item.attempt}; before: {item.first_failure}"
        report.outcome, report.longrepr = "failed", f"{item.where()}\nE   flaky: {reason}"
    if outcome in (Outcome.FAILED, Outcome.ERRORED) and not item.first_failure:
        item.first_failure = reason
    told = {
        "id": item.case.id,
        "outcome": outcome,
        "reason": reason,
        "attempts": item.attempt,
        "evidence": evidence,
    }
    if call.when == "setup":
        told["tries"] = item.tries
    if call.when == "call":
        told["steps"] = [after - before for before, after in pairwise([*item.step_began, perf_counter()])]
        told["started"] = call.start
        if suite_of(item.config).record:
            told["record"] = _gathered(item, "record")
    report.user_properties = [*report.user_properties, (PROPERTY, json.dumps(told, default=str))]


def _judge_miniature(item: ScenarioItem, call: pytest.CallInfo[Any], report: pytest.TestReport) -> None:
    """The test passes if the scenario failed by an expectation; whatever else happened is not a catch.

    A miniature that breaks down is none: everything would catch it.
    """
    from gherkube.drivers.miniatures import blunders
    from gherkube.outcome import Outcome
    from gherkube.session import WORLD

    assert item.miniature is not None
    outcome, reason = item.told(call)
    world = item.stash.get(WORLD, None)
    broken = [line for line in world.driver.exchanges if "(500)" in line] if world is not None else []
    if blunders or broken:
        outcome, reason = Outcome.ERRORED, f"the miniature itself broke: {(blunders or broken)[0]}"
    caught = outcome is Outcome.FAILED and call.when != "teardown"
    if caught:
        report.outcome, report.longrepr = "passed", None
    else:
        report.outcome = "failed"
        report.longrepr = (
            f"{item.where()}\nE   the miniature {item.miniature.name} ({item.miniature.fault}) was not caught: "
            f"the scenario {outcome}" + (f": {reason}" if reason else "")
        )
    told = {
        "id": item.case.id,
        "miniature": item.miniature.name,
        "caught": caught,
        "outcome": outcome,
        "reason": reason,
    }
    report.user_properties = [*report.user_properties, (PROPERTY, json.dumps(told))]


def _gathered(item: ScenarioItem, what: Literal["evidence", "record"]) -> dict[str, Any]:
    """Before the scenario's objects are removed; what goes wrong meanwhile is told in it, too."""
    from gherkube.session import WORLD

    world = item.stash.get(WORLD, None)
    if world is None:
        return {}
    try:
        return dict(getattr(world, what)())
    except Exception as error:
        return {"incomplete": f"{type(error).__name__}: {error}"}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    if not isinstance(item, ScenarioItem):
        return (yield)
    with item.planted():
        return (yield)


@pytest.hookimpl(tryfirst=True, specname="pytest_runtest_protocol")
def pytest_runtest_protocol_with_retries(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """With --retries: a scenario that did not pass is tried again; its last attempt is reported."""
    retries = suite_of(item.config).retries if isinstance(item, ScenarioItem) else 0
    if not retries or not isinstance(item, ScenarioItem):
        return None
    from _pytest.runner import runtestprotocol

    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for attempt in range(1, retries + 2):
        item.attempt = attempt
        item.steps_run.clear()
        item.step_began.clear()
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        told = [json.loads(str(value)) for one in reports for name, value in one.user_properties if name == PROPERTY]
        if not any(report.failed for report in reports) or item.config.getoption("usepdb", False):
            break
        if any(report.longrepr and "flaky" in str(report.longrepr) for report in reports):
            break
        item.tries.append(told)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


# The end of a session


_ran: set[str] = set()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if any(name == PROPERTY for name, _ in report.user_properties):
        _ran.add(report.nodeid)


def pytest_sessionstart(session: pytest.Session) -> None:
    _ran.clear()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Every scenario that was collected has run, or the session says why not; and the target is swept."""
    config = session.config
    if hasattr(config, "workerinput"):
        return
    from gherkube.session import SUITE

    if SUITE not in config.stash:
        return
    items = getattr(session, "items", [])
    missing = [item.nodeid for item in items if isinstance(item, ScenarioItem) and item.nodeid not in _ran]
    stopped = session.shouldstop or session.shouldfail or session.exitstatus == pytest.ExitCode.INTERRUPTED
    only_collected = config.getoption("collectonly", False)
    if missing and not stopped and not only_collected and not config.getoption("numprocesses", None):
        session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
        reporter = config.pluginmanager.getplugin("terminalreporter")
        if reporter is not None:
            reporter.write_line(f"gherkube: collected, but never run: {', '.join(missing)}", red=True)
    suite = config.stash[SUITE]
    if suite.opened or config.getoption("numprocesses", None):
        _sweep(suite)


def _sweep(suite: Suite) -> None:
    """A target that is gone by now is told by the scenarios that met it."""
    from gherkube.drivers.base import TargetError, Unreachable

    try:
        suite.driver.sweep()
    except (TargetError, Unreachable) as error:
        print(f"gherkube: the target could not be swept: {error}", file=sys.stderr)
