"""A run as Cucumber Messages (NDJSON), which the Cucumber project's own formatters and services read.

Called by the runner for `gherkube run --messages FILE`. Features and pickles are gherkin-official's; outcomes are the
recorder's. Each attempt is told; of a flaky scenario the last has PASSED, and the run is no success. Cucumber knows
fewer outcomes than the suite: errored becomes FAILED, unsupported becomes SKIPPED, each with its name in the message.
Step definitions are left out: they are functions of Python, `gherkube list --steps` tells them.
Source: github.com/cucumber/messages, jsonschema/.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gherkin.ast_builder import AstBuilder
from gherkin.parser import Parser
from gherkin.pickles.compiler import Compiler
from gherkin.stream.id_generator import IdGenerator

from gherkube import __version__
from gherkube.outcome import ExitCode, Outcome, Result
from gherkube.report import Run, write
from gherkube.spec import Feature

PROTOCOL = "27.0.0"  # the oldest release of cucumber/messages that has all that is written here
STATUS = {
    Outcome.PASSED: "PASSED",
    Outcome.FAILED: "FAILED",
    Outcome.ERRORED: "FAILED",
    Outcome.FLAKY: "PASSED",
    Outcome.UNDEFINED: "UNDEFINED",
    Outcome.UNSUPPORTED: "SKIPPED",
    Outcome.SKIPPED: "SKIPPED",
}
RUN = "run"
Envelope = dict[str, Any]


def write_messages(run: Run, path: Path) -> None:
    """Raises ReportError."""
    lines = (json.dumps(envelope, ensure_ascii=False) for envelope in envelopes(run))
    write(path, "".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))


def envelopes(run: Run) -> Iterator[Envelope]:
    """Every message of the run, in the order that consumers expect."""
    yield {"meta": _meta()}
    ids = IdGenerator()
    pickles: dict[str, Any] = {}  # by the id of their case
    for feature in run.spec.features:
        if any(case.id in run.results for case in feature.cases):
            yield from _source(feature, ids, pickles)
    yield {"testRunStarted": {"id": RUN, "timestamp": _time(run.started)}}
    for case in run.selected:
        if case.id in run.results:
            yield from _test_case(pickles[case.id], run.results[case.id], run.started)
    success = run.exit_code is ExitCode.CONFORMANT
    yield {"testRunFinished": {"testRunStartedId": RUN, "success": success, "timestamp": _time(run.finished)}}


def _meta() -> Envelope:
    return {
        "protocolVersion": PROTOCOL,
        "implementation": {"name": "gherkube", "version": __version__},
        "runtime": {"name": platform.python_implementation(), "version": platform.python_version()},
        "os": {"name": platform.system(), "version": platform.release()},
        "cpu": {"name": platform.machine()},
    }


def _source(feature: Feature, ids: IdGenerator, pickles: dict[str, Any]) -> Iterator[Envelope]:
    text = feature.path.read_text(encoding="utf-8")
    yield {"source": {"uri": feature.uri, "data": text, "mediaType": "text/x.cucumber.gherkin+plain"}}
    document: Any = {**Parser(AstBuilder(ids)).parse(text), "uri": feature.uri}
    yield {"gherkinDocument": document}
    lines = dict(_lines(document))
    cases = {case.line: case.id for case in feature.cases}
    for pickle in Compiler(ids).compile(document):
        pickles[cases[lines[pickle["astNodeIds"][-1]]]] = pickle
        yield {"pickle": pickle}


def _lines(node: Any) -> Iterator[tuple[str, int]]:
    """(id, line) of every node of a document."""
    if isinstance(node, dict):
        if "id" in node and "location" in node:
            yield node["id"], node["location"]["line"]
        for value in node.values():
            yield from _lines(value)
    elif isinstance(node, list):
        for value in node:
            yield from _lines(value)


def _test_case(pickle: Any, result: Result, began: float) -> Iterator[Envelope]:
    test = f"case {result.case.id}"
    steps = [f"{test} step {number}" for number in range(len(pickle["steps"]))]
    parts = [{"id": id, "pickleStepId": step["id"]} for id, step in zip(steps, pickle["steps"], strict=True)]
    yield {"testCase": {"id": test, "pickleId": pickle["id"], "testSteps": parts, "testRunStartedId": RUN}}
    for one in (*result.tries, result):
        yield from _attempt(test, steps, one, one.started or began, one is not result)


def _attempt(test: str, steps: Sequence[str], result: Result, now: float, again: bool) -> Iterator[Envelope]:
    number = result.attempts - 1
    attempt = f"attempt {number} of {test}"
    started = {"id": attempt, "testCaseId": test, "attempt": number, "timestamp": _time(now)}
    yield {"testCaseStarted": started}
    for step, (seconds, status) in zip(steps, _step_results(len(steps), result), strict=True):
        about = {"testCaseStartedId": attempt, "testStepId": step}
        yield {"testStepStarted": {**about, "timestamp": _time(now)}}
        now += seconds
        told: dict[str, Any] = {"status": status, "duration": _time(seconds)}
        if status != "PASSED" and step == steps[_telling(len(steps), result)]:
            told["message"] = f"{result.outcome}: {result.reason}"
            yield from _attachments(result.evidence, about)
        yield {"testStepFinished": {**about, "testStepResult": told, "timestamp": _time(now)}}
    yield {"testCaseFinished": {"testCaseStartedId": attempt, "willBeRetried": again, "timestamp": _time(now)}}


def _step_results(count: int, result: Result) -> Iterator[tuple[float, str]]:
    """(seconds, status) of each step: those before the one that tells passed, those after it were not run."""
    telling = _telling(count, result)
    for number in range(count):
        seconds = result.steps[number] if number < len(result.steps) else 0.0
        if STATUS[result.outcome] == "PASSED" or number < telling:
            yield seconds, "PASSED"
        else:
            yield seconds, STATUS[result.outcome] if number == telling else "SKIPPED"


def _telling(count: int, result: Result) -> int:
    """The step that carries the outcome: the last that ran; an undefined one never began."""
    ran = len(result.steps)
    if result.outcome is Outcome.UNDEFINED:
        return min(ran, count - 1)
    return min(max(ran - 1, 0), count - 1)


def _attachments(evidence: Mapping[str, Any], about: Mapping[str, str]) -> Iterator[Envelope]:
    for name, content in evidence.items():
        lines = _is_lines(content)
        body = "\n".join(content) if lines else json.dumps(content, indent=2, ensure_ascii=False)
        attachment = {"body": body, "contentEncoding": "IDENTITY", "fileName": name}
        yield {"attachment": {**attachment, "mediaType": "text/plain" if lines else "application/json", **about}}


def _is_lines(content: Any) -> bool:
    return isinstance(content, Sequence) and all(isinstance(line, str) for line in content)


def _time(seconds: float) -> dict[str, int]:
    whole = int(seconds)
    return {"seconds": whole, "nanos": int((seconds - whole) * 1_000_000_000)}
