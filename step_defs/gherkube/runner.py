"""One run of the suite: checks what it is given, lets pytest run the features, and draws the verdict.

`gherkube run` is this. pytest runs in this process (and its xdist workers), with a configuration of the suite's own;
the `Recorder` reads the outcomes that the plugin attached to pytest's reports.
"""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from gherkube import paths
from gherkube.component import KERNEL, Component, beside
from gherkube.drivers import open_target
from gherkube.drivers.base import Driver, TargetError, Unreachable
from gherkube.lint import check_feature, check_names
from gherkube.messages import write_messages
from gherkube.outcome import ExitCode, Outcome, Result, worst
from gherkube.plugin import PROPERTY
from gherkube.progress import Display, summary
from gherkube.report import IMPLEMENTATION, ReportError, Run, check_writable, write, write_junit, write_report
from gherkube.session import Selection
from gherkube.spec import Case, Spec, load
from gherkube.traceability import results_of


class Unusable(Exception):
    """The command cannot be carried out as it was given; every line is one thing wrong."""


@dataclass
class Options:
    """What `gherkube run` was asked to do."""

    target: str = "reference"
    profiles: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    tags: str = ""
    processes: str = ""
    retries: int = 0
    report: Path | None = None
    junit: Path | None = None
    messages: Path | None = None
    record: bool = False
    implementation: dict[str, str] = field(default_factory=dict)
    component: Component | None = None
    features: Path | None = None

    @property
    def command(self) -> str:
        words = ["gherkube", "run"]
        words += ["--component", self.component.name] if self.component else ["--target", self.target]
        words += ["--target", KERNEL] if self.component and self.component.target == KERNEL else []
        words += ["--start", self.component.start] if self.component and self.component.start else []
        for name, values in (("--profile", self.profiles), ("--level", self.levels)):
            words += [word for value in values for word in (name, value)]
        words += ["--tags", self.tags] if self.tags else []
        words += ["-n", self.processes] if self.processes else []
        words += ["--retries", str(self.retries)] if self.retries else []
        words += ["--record"] if self.record else []
        return shlex.join(words)


def run(options: Options, display: Display, console: Any) -> ExitCode:
    """A whole run with all it prints and writes. Raises Unusable before anything is run."""
    selection, spec, selected = select(options)
    for path in filter(None, (options.report, options.junit, options.messages)):
        try:
            check_writable(path)
        except ReportError as error:
            raise Unusable(str(error)) from None
    if options.component is None:
        return _run(options, display, console, selection, spec, selected)
    try:
        with beside(options.component, console.print) as target:
            return _run(replace(options, target=target), display, console, selection, spec, selected)
    except TargetError as error:
        raise Unusable(str(error)) from None


def _run(
    options: Options, display: Display, console: Any, selection: Selection, spec: Spec, selected: list[Case]
) -> ExitCode:
    target, implementation = _describe(options)
    recorder = Recorder(spec, display)
    started = time.time()
    display.start(len(selected), f"a {options.component.name} among refkube" if options.component else options.target)
    try:
        code = _pytest(options, spec, selected, recorder)
    finally:
        display.stop()
    outcome = Run(
        spec,
        selection,
        selected,
        recorder.results,
        target,
        implementation,
        options.command,
        started,
        time.time(),
        recorder.interrupted,
        recorder.faults,
    )
    _check_complete(outcome, code)
    return _conclude(outcome, options, console)


def select(options: Options) -> tuple[Selection, Spec, list[Case]]:
    """The specification, judged, and what of it was asked for. Raises Unusable."""
    try:
        selection = Selection(options.profiles, options.levels, options.tags)
    except ValueError as error:
        raise Unusable(str(error)) from None
    root = (options.features or paths.features_dir()).resolve()
    if not root.is_dir():
        raise Unusable(f"there is no folder {root}")
    spec = load(root)
    findings = list(spec.broken)
    for feature in spec.features:
        findings += check_feature(feature, spec.clauses)
    findings += check_names(spec)
    if findings:
        raise Unusable("\n".join(str(finding) for finding in findings))
    selected = [case for case in spec.cases if case in selection]
    if not selected:
        raise Unusable("the selection holds no scenario")
    return selection, spec, selected


def _describe(options: Options) -> tuple[dict[str, Any], dict[str, str]]:
    """What the target is and who made it, asked before the run. Raises Unusable."""
    try:
        driver = open_target(options.target)
        try:
            if driver.alone and options.processes not in ("", "0"):
                raise Unusable(f"target {options.target!r} is begun anew by every scenario: leave out -n")
            return _target(driver), {**driver.implementation(), **options.implementation}
        finally:
            driver.close()
    except (TargetError, Unreachable) as error:
        raise Unusable(str(error)) from None


def _target(driver: Driver) -> dict[str, Any]:
    return {
        "target": driver.target,
        "driver": driver.name,
        "capabilities": {
            "declared": sorted(driver.declared),
            "probed": sorted(driver.capabilities - driver.declared),
        },
        "parameters": dict(driver.parameters),
    }


def _pytest(options: Options, spec: Spec, selected: list[Case], recorder: Recorder) -> int:
    """Lets pytest run the features that hold something of the selection."""
    files = dict.fromkeys(str(case.scenario.feature.path) for case in selected)
    arguments = ["-c", str(paths.PACKAGE / "pytest.ini"), "--rootdir", str(spec.root)]
    arguments += ["-p", "no:cacheprovider", "-p", "no:terminal", "--gherkube-features", str(spec.root)]
    arguments += ["--gherkube-target", options.target, "--gherkube-retries", str(options.retries)]
    for name, values in (("profile", options.profiles), ("level", options.levels)):
        arguments += [word for value in values for word in (f"--gherkube-{name}", value)]
    arguments += [f"--gherkube-tags={options.tags}"] if options.tags else []  # a bare @word would name a file
    arguments += ["-n", options.processes] if options.processes else []
    arguments += ["--gherkube-record"] if options.record else []
    with own_configuration():
        return int(pytest.main([*arguments, *files], plugins=[recorder]))


@contextmanager
def own_configuration() -> Iterator[None]:
    """Without what the environment tells pytest about somebody else's tests."""
    names = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    kept = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)


def _check_complete(run: Run, code: int) -> None:
    """What ran is what was selected, or the run is at fault."""
    missing = [case.id for case in run.selected if case.id not in run.results]
    surplus = set(run.results) - {case.id for case in run.selected}
    if missing and not run.interrupted and not run.faults:
        run.faults.append(f"selected, but never run: {', '.join(missing)}")
    if surplus:
        run.faults.append(f"run, but not selected: {', '.join(sorted(surplus))}")
    if code in (pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR) and not run.faults:
        run.faults.append(f"pytest ended with code {code}")


def _conclude(run: Run, options: Options, console: Any) -> ExitCode:
    try:
        if options.report is not None:
            write_report(run, options.report)
        if options.junit is not None:
            write_junit(run, options.junit)
        if options.messages is not None:
            write_messages(run, options.messages)
    except ReportError as error:
        run.faults.append(str(error))
    summary(console, run)
    return run.exit_code


class Recorder:
    """A pytest plugin that collects what came of every scenario, in the process that the user started."""

    def __init__(self, spec: Spec, display: Display):
        self.results: dict[str, Result] = {}
        self.faults: list[str] = []
        self.interrupted = False
        self._cases = {case.id: case for case in spec.cases}
        self._display = display
        self._phases: dict[str, list[Mapping[str, Any]]] = {}
        self._durations: dict[str, float] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        id = report.nodeid.rpartition("::")[2]
        if id not in self._cases:
            return
        told = next((json.loads(str(value)) for name, value in report.user_properties if name == PROPERTY), None)
        if told is None:
            reason = " ".join(str(report.longrepr or "the process that ran it ended").split())
            told = {"outcome": Outcome.ERRORED, "reason": reason, "attempts": 1, "evidence": {}}
        self._phases.setdefault(id, []).append(told)
        self._durations[id] = self._durations.get(id, 0.0) + report.duration
        if report.when not in ("setup", "call"):
            self._finish(id)

    def _finish(self, id: str) -> None:
        phases = self._phases.pop(id)
        result = self.results[id] = self._result(id, phases)
        result.duration = self._durations.pop(id)
        result.tries = [self._result(id, told) for told in phases[0].get("tries") or ()]
        self._display.result(result)

    def _result(self, id: str, phases: Sequence[Mapping[str, Any]]) -> Result:
        outcome = worst(Outcome(phase["outcome"]) for phase in phases)
        telling = next(phase for phase in phases if phase["outcome"] == outcome)
        attempts = max(phase["attempts"] for phase in phases)
        evidence = {key: value for phase in phases for key, value in phase["evidence"].items()}
        reason = "" if outcome is Outcome.PASSED else telling["reason"] or outcome.value
        result = Result(self._cases[id], outcome, reason, attempts=attempts, evidence=evidence)
        for phase in phases:
            result.started = phase.get("started", result.started)
            result.steps = phase.get("steps", result.steps)
            result.record = phase.get("record", result.record)
        return result

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            text = getattr(report.longrepr, "longrepr", None) or str(report.longrepr)
            self.faults += [line for line in str(text).splitlines() if line.strip()][-3:]

    def pytest_internalerror(self, excrepr: Any) -> None:
        self.faults.append(str(excrepr).strip().splitlines()[-1])

    def pytest_keyboard_interrupt(self, excinfo: Any) -> None:
        if isinstance(excinfo.value, KeyboardInterrupt):
            self.interrupted = True


def run_miniatures(spec: Spec, processes: str = "", tags: str = "", results: Path | None = None) -> ExitCode:
    """Runs every miniature's scenarios in one pytest session, prints what came of each, and writes it to `results`."""
    arguments = ["-c", str(paths.PACKAGE / "pytest.ini"), "--rootdir", str(spec.root), "-p", "no:cacheprovider"]
    arguments += ["-p", "no:terminal", "--gherkube-features", str(spec.root), "--gherkube-miniatures"]
    arguments += ["-n", processes] if processes else []
    arguments += [f"--gherkube-tags={tags}"] if tags else []
    judge = MiniatureJudge()
    with own_configuration():
        code = int(pytest.main([*arguments, str(spec.root)], plugins=[judge]))
    if results is not None:
        write(results, (json.dumps(results_of(spec, judge.told), indent=1, ensure_ascii=False) + "\n").encode())
    for fault in judge.faults:
        print(f"fault: {fault}")
    if not judge.caught and not judge.missed:
        judge.faults.append("no miniature was run")
    print(f"{judge.caught} faults caught, {judge.missed} missed")
    if judge.faults or code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        return ExitCode.FAULT
    return ExitCode.FAILED if judge.missed else ExitCode.CONFORMANT


class MiniatureJudge:
    """A pytest plugin that tells which scenario caught which miniature, and how."""

    def __init__(self) -> None:
        self.caught = self.missed = 0
        self.faults: list[str] = []
        self.told: list[dict[str, Any]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told = next((json.loads(str(value)) for name, value in report.user_properties if name == PROPERTY), None)
        if told is None:
            if report.failed:
                self.faults.append(f"{report.nodeid}: {report.longrepr}")
            return
        self.told.append(told)
        if told["caught"]:
            self.caught += 1
            print(f"caught  {told['miniature']} by {told['id']}: {told['reason']}")
        else:
            self.missed += 1
            print(f"MISSED  {told['miniature']} by {told['id']}, which {told['outcome']} {told['reason']}".rstrip())

    pytest_collectreport = Recorder.pytest_collectreport
    pytest_internalerror = Recorder.pytest_internalerror


__all__ = ["IMPLEMENTATION", "Options", "Recorder", "Unusable", "own_configuration", "run", "run_miniatures", "select"]
