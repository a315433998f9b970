"""What a run leaves behind: the JSON report (schemas/report.schema.json) and JUnit XML.

Made from the specification and the recorder's results, never from what pytest printed. The report is validated
before it is written, and carries a digest by which a reader notices damage.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
from jsonschema.exceptions import best_match

from gherkube import __version__, paths
from gherkube.outcome import (
    ExitCode,
    LevelVerdict,
    Outcome,
    Result,
    Verdict,
    core_verdict,
    counts,
    exit_code,
    extended_verdict,
)
from gherkube.session import Selection
from gherkube.spec import PROFILES, Case, Spec

SCHEMA_VERSION = "1"
RELEASE = "1.36"
PACKAGES = ("pytest", "pytest-bdd", "pytest-xdist", "gherkin-official", "lightkube")
IMPLEMENTATION = ("organization", "project", "version", "url", "language")


class ReportError(Exception):
    """A report that cannot be written or read; one line."""


@dataclass
class Run:
    """One run: what was asked for and what came of it. `results` are by case id."""

    spec: Spec
    selection: Selection
    selected: list[Case]
    results: dict[str, Result]
    target: dict[str, Any]
    implementation: dict[str, str]
    command: str
    started: float
    finished: float
    interrupted: bool = False
    faults: list[str] = field(default_factory=list)

    @property
    def profiles(self) -> list[str]:
        """The selected profiles, in the specification's order."""
        chosen = {case.scenario.profile for case in self.selected} | set(self.selection.profiles)
        return [name for name in PROFILES if name in chosen]

    @property
    def capabilities(self) -> frozenset[str]:
        told = self.target["capabilities"]
        return frozenset(told["declared"]) | frozenset(told["probed"])

    def cases_of(self, profile: str, level: str) -> list[Case]:
        """Every such case of the specification, selected or not."""
        return [case for case in self.spec.cases if (case.scenario.profile, case.scenario.level) == (profile, level)]

    def core(self, profile: str) -> LevelVerdict:
        return core_verdict(profile, self.cases_of(profile, "core"), self.results, self.capabilities)

    def extended(self, profile: str) -> LevelVerdict:
        return extended_verdict(self.cases_of(profile, "extended"), self.results)

    @property
    def partial(self) -> bool:
        return self.selection.partial or self.interrupted

    @property
    def exit_code(self) -> ExitCode:
        return exit_code(
            self.results.values(),
            [self.core(profile).result for profile in self.profiles],
            partial=self.partial,
            named=bool(self.selection.profiles),
            fault=bool(self.faults),
        )


def as_report(run: Run) -> dict[str, Any]:
    """The report as data. Raises jsonschema.ValidationError where it breaks its own schema."""
    code = run.exit_code
    features = run.spec.features
    report: dict[str, Any] = {
        "schemaVersion": SCHEMA_VERSION,
        "suite": {
            "name": "gherkube",
            "version": __version__,
            "manifest": {
                "digest": run.spec.digest,
                "features": len(features),
                "scenarios": sum(len(feature.scenarios) for feature in features),
                "cases": sum(1 for _ in run.spec.cases),
            },
            "counts": counts(run.results.values()),
        },
        "spec": {"name": "kubernetes-principles", "release": RELEASE, "clauses": len(run.spec.clauses)},
        "implementation": {key: run.implementation.get(key) for key in IMPLEMENTATION},
        "target": run.target,
        "environment": {
            "platform": platform.platform(),
            "python": platform.python_version(),
            "packages": {name: found for name in PACKAGES if (found := _version(name))},
        },
        "command": run.command,
        "times": {
            "started": _time(run.started),
            "finished": _time(run.finished),
            "duration": round(max(0.0, run.finished - run.started), 3),
        },
        "selection": {
            "profiles": run.profiles,
            "levels": list(run.selection.levels),
            "tags": run.selection.tags,
            "partial": run.partial,
        },
        "verdict": {"exitCode": int(code), "conformant": code is ExitCode.CONFORMANT, "faults": run.faults},
        "profiles": [_profile(run, name) for name in run.profiles],
        "scenarios": [_scenario(case, run.results[case.id]) for case in run.selected if case.id in run.results],
    }
    report["digest"] = digest(report)
    jsonschema.Draft202012Validator(schema()).validate(report)
    return report


def digest(report: Mapping[str, Any]) -> str:
    """Over the report without its own digest, as canonical JSON."""
    content = {key: value for key, value in report.items() if key != "digest"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((paths.schemas_dir() / "report.schema.json").read_text(encoding="utf-8"))
    return loaded


def read_report(path: Path) -> dict[str, Any]:
    """A report that is whole and of this version of the format. Raises ReportError."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReportError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise ReportError(f"{path} is no report: not JSON: {error}; gherkube run --report FILE writes one") from None
    if not isinstance(read, dict) or "schemaVersion" not in read:
        raise ReportError(f"{path} is no report of gherkube; gherkube run --report FILE writes one")
    if read["schemaVersion"] != SCHEMA_VERSION:
        told = f"{path} has version {read['schemaVersion']} of the report's format, this is {SCHEMA_VERSION}"
        raise ReportError(f"{told}; run again with this gherkube, or read it with the one that wrote it")
    broken = best_match(jsonschema.Draft202012Validator(schema()).iter_errors(read))
    if broken is not None:
        where = "/".join(str(part) for part in broken.absolute_path) or "the whole"
        raise ReportError(f"{path} is damaged: {where}: {' '.join(broken.message.split())[:200]}")
    if digest(read) != read["digest"]:
        raise ReportError(f"{path} is damaged: its content is not what its digest was made of")
    return read


def check_writable(path: Path) -> None:
    """Before a long run, not after it. Raises ReportError."""
    try:
        existed = path.exists()
        with path.open("ab"):
            pass
        if not existed:
            path.unlink()
    except OSError as error:
        raise ReportError(f"cannot write {path}: {error.strerror}") from None


def write_report(run: Run, path: Path) -> None:
    text = json.dumps(as_report(run), indent=2, ensure_ascii=False) + "\n"
    write(path, text.encode())


def write_junit(run: Run, path: Path) -> None:
    """JUnit XML, one testsuite a feature; an error is a fault of the harness, a failure one of the system."""
    root = ElementTree.Element("testsuites", name="gherkube")
    for feature in run.spec.features:
        results = [run.results[case.id] for case in feature.cases if case.id in run.results]
        if results:
            root.append(_testsuite(feature.uri, results))
    ElementTree.indent(root)
    write(path, ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def _testsuite(uri: str, results: Sequence[Result]) -> ElementTree.Element:
    tally = counts(results)
    suite = ElementTree.Element(
        "testsuite",
        name=uri,
        tests=str(len(results)),
        failures=str(tally["failed"] + tally["flaky"]),
        errors=str(tally["errored"] + tally["undefined"]),
        skipped=str(tally["skipped"] + tally["unsupported"]),
        time=f"{sum(result.duration for result in results):.3f}",
    )
    kinds = {
        Outcome.FAILED: "failure",
        Outcome.FLAKY: "failure",
        Outcome.ERRORED: "error",
        Outcome.UNDEFINED: "error",
        Outcome.SKIPPED: "skipped",
        Outcome.UNSUPPORTED: "skipped",
    }
    for result in results:
        scenario = result.case.scenario
        test = ElementTree.SubElement(
            suite,
            "testcase",
            classname=f"{scenario.profile}.{scenario.feature.name}",
            name=f"{result.case.id} {_xml(result.case.title)}",
            time=f"{result.duration:.3f}",
            file=uri,
            line=str(result.case.line),
        )
        if kind := kinds.get(result.outcome):
            ElementTree.SubElement(test, kind, type=result.outcome.value, message=_xml(result.reason))
    return suite


def _profile(run: Run, name: str) -> dict[str, Any]:
    core, extended = run.core(name), run.extended(name)
    by_feature: dict[str, list[Outcome]] = {}
    for case in run.cases_of(name, "extended"):
        if case.id in run.results:
            by_feature.setdefault(case.scenario.feature.name, []).append(run.results[case.id].outcome)
    supported = [feature for feature, outcomes in by_feature.items() if set(outcomes) == {Outcome.PASSED}]
    unsupported = [feature for feature, outcomes in by_feature.items() if Outcome.UNSUPPORTED in outcomes]
    return {
        "name": name,
        "title": PROFILES[name].title,
        "requires": sorted(PROFILES[name].requires),
        "core": {"result": core.result.value, "counts": core.counts},
        "extended": {
            "result": extended.result.value,
            "counts": extended.counts,
            "supported": supported,
            "unsupported": unsupported,
        },
    }


def _scenario(case: Case, result: Result) -> dict[str, Any]:
    scenario = case.scenario
    return {
        "id": case.id,
        "uri": scenario.uri,
        "line": case.line,
        "title": case.title,
        "feature": scenario.feature.title,
        "rule": scenario.rule.title if scenario.rule else "",
        "level": scenario.level,
        "profile": scenario.profile,
        "requirements": list(scenario.requirements),
        "needs": list(scenario.needs),
        "outcome": result.outcome.value,
        "reason": result.reason,
        "attempts": result.attempts,
        "duration": round(result.duration, 6),
        "evidence": result.evidence,
        **({} if result.record is None else {"record": result.record}),
    }


def write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ReportError(f"cannot write {path}: {error.strerror}") from None


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _xml(text: str) -> str:
    """Without the characters that XML cannot carry at all."""
    return re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "�", text)


__all__ = [
    "ReportError",
    "Run",
    "Verdict",
    "as_report",
    "check_writable",
    "digest",
    "read_report",
    "write",
    "write_junit",
    "write_report",
]
