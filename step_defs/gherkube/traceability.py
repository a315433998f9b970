"""From clause to scenario to outcome to the faults that were caught, and what is missing on the way.

Called by `gherkube trace` and by the documentation. Outcomes come from a report, catches from the results of
`gherkube miniatures`; without them the table says what is meant to be.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
from jsonschema.exceptions import best_match

from gherkube import paths
from gherkube.drivers.miniatures import Miniature, check
from gherkube.lint import check_coverage
from gherkube.outcome import Outcome, worst
from gherkube.report import ReportError
from gherkube.spec import PROFILES, Clause, Finding, Scenario, Spec

COLUMNS = (
    *("clause", "profile", "section", "origin", "state", "text"),
    *("scenario", "level", "outcome", "title"),
    *("miniature", "fault", "caught"),
)
FORMATS = ("json", "csv", "markdown", "text")
RESULTS_VERSION = "1"


@dataclass
class Caught:
    """A miniature, and whether the scenario caught it: None where nobody has tried."""

    name: str
    fault: str
    caught: bool | None


@dataclass
class TracedScenario:
    id: str
    title: str
    level: str
    uri: str
    line: int
    outcome: str  # "" where no report tells
    miniatures: list[Caught] = field(default_factory=list)


@dataclass
class TracedClause:
    id: str
    profile: str
    section: str
    origin: str
    text: str
    state: str  # covered, uncovered, excluded, not specified yet
    excluded: str
    scenarios: list[TracedScenario] = field(default_factory=list)


def trace(
    spec: Spec,
    miniatures: Sequence[Miniature],
    report: Mapping[str, Any] | None = None,
    results: Mapping[str, Any] | None = None,
) -> list[TracedClause]:
    """Every clause of the catalogue, in its order."""
    outcomes = _outcomes(report) if report else {}
    catches = _catches(results) if results else {}
    by_scenario: dict[str, list[Miniature]] = {}
    for miniature in miniatures:
        for id in dict.fromkeys(id.partition("#")[0] for id in miniature.caught_by):
            by_scenario.setdefault(id, []).append(miniature)
    scenarios: dict[str, list[TracedScenario]] = {}
    for feature in spec.features:
        for scenario in feature.scenarios:
            faults = [
                Caught(one.name, one.fault, catches.get((one.name, scenario.id)))
                for one in by_scenario.get(scenario.id, ())
            ]
            traced = _scenario(scenario, outcomes.get(scenario.id, ""), faults)
            for clause in scenario.requirements:
                scenarios.setdefault(clause, []).append(traced)
    return [_clause(spec, clause, scenarios.get(clause.id, [])) for clause in spec.clauses.values()]


def missing(spec: Spec, miniatures: Sequence[Miniature], results: Mapping[str, Any] | None = None) -> list[Finding]:
    """Clauses without a core scenario, scenarios without a clause or a miniature, miniatures that nobody caught."""
    findings = check_coverage(spec)
    for feature in spec.features:
        for scenario in feature.scenarios:
            if not any(clause in spec.clauses for clause in scenario.requirements):
                findings.append(Finding(feature.uri, scenario.line, f"{scenario.id} is about no clause"))
    findings += check(spec, miniatures)
    if results is not None:
        findings += _uncaught(spec, miniatures, results)
    return findings


def read_results(path: Path) -> dict[str, Any]:
    """What `gherkube miniatures --results` wrote. Raises ReportError."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReportError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise ReportError(f"{path} holds no results of miniatures: not JSON: {error}") from None
    schema = json.loads((paths.schemas_dir() / "miniatures.schema.json").read_text(encoding="utf-8"))
    broken = best_match(jsonschema.Draft202012Validator(schema).iter_errors(read))
    if broken is not None:
        hint = "gherkube miniatures --results FILE writes them"
        raise ReportError(f"{path} holds no results of miniatures: {broken.message[:200]}; {hint}")
    return dict(read)


def results_of(spec: Spec, judged: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The results of miniatures as data; `judged` are what the plugin told of each."""
    keys = ("miniature", "id", "caught", "outcome", "reason")
    rows = [{key: one[key] for key in keys} for one in judged]
    return {"schemaVersion": RESULTS_VERSION, "manifest": spec.digest, "results": rows}


# Printed


def written(clauses: Sequence[TracedClause], form: str) -> str:
    return {"json": _json, "csv": _csv, "markdown": _markdown, "text": _text}[form](clauses)


def _json(clauses: Sequence[TracedClause]) -> str:
    return json.dumps({"clauses": [asdict(clause) for clause in clauses]}, indent=2, ensure_ascii=False) + "\n"


def _csv(clauses: Sequence[TracedClause]) -> str:
    """A line for every miniature of every scenario of every clause; fewer where there is none."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for clause in clauses:
        about = [clause.id, clause.profile, clause.section, clause.origin, clause.state, clause.text]
        if not clause.scenarios:
            writer.writerow([*about, *[""] * 7])
        for scenario in clause.scenarios:
            told = [scenario.id, scenario.level, scenario.outcome, scenario.title]
            for one in scenario.miniatures or [Caught("", "", None)]:
                writer.writerow([*about, *told, one.name, one.fault, _caught(one) if one.name else ""])
    return out.getvalue()


def _markdown(clauses: Sequence[TracedClause]) -> str:
    lines = ["# Traceability", ""]
    for profile in PROFILES:
        of_profile = [clause for clause in clauses if clause.profile == profile]
        if not of_profile:
            continue
        lines += [f"## {profile}: {PROFILES[profile].title}", ""]
        lines += ["| clause | says | scenarios | outcome | faults caught |", "| --- | --- | --- | --- | --- |"]
        for clause in of_profile:
            ids = ", ".join(scenario.id for scenario in clause.scenarios) or clause.excluded or clause.state
            cells = (clause.id, clause.text, ids, _summed(clause), _tally(clause))
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines)


def _text(clauses: Sequence[TracedClause]) -> str:
    lines = []
    for clause in clauses:
        why = f": {clause.excluded}" if clause.excluded else ""
        lines.append(f"{clause.id:<8} {clause.profile:<16} {clause.state}{why}: {clause.text}")
        for scenario in clause.scenarios:
            faults = ", ".join(f"{one.name} ({_caught(one)})" for one in scenario.miniatures)
            lines.append(f"         {scenario.id:<20} {scenario.level:<11} {scenario.outcome or '-':<11} {faults}")
    return "\n".join(lines) + "\n"


def _caught(one: Caught) -> str:
    return "planned" if one.caught is None else "caught" if one.caught else "missed"


def _summed(clause: TracedClause) -> str:
    outcomes = [Outcome(scenario.outcome) for scenario in clause.scenarios if scenario.outcome]
    return worst(outcomes).value if outcomes else ""


def _tally(clause: TracedClause) -> str:
    faults = {one.name: one.caught for scenario in clause.scenarios for one in scenario.miniatures}
    tried = [caught for caught in faults.values() if caught is not None]
    return f"{sum(tried)} of {len(tried)}" if tried else str(len(faults)) if faults else ""


# Found


def _outcomes(report: Mapping[str, Any]) -> dict[str, str]:
    """By scenario; an outline's is the worst of its examples'."""
    found: dict[str, list[Outcome]] = {}
    for case in report["scenarios"]:
        found.setdefault(case["id"].partition("#")[0], []).append(Outcome(case["outcome"]))
    return {id: worst(outcomes).value for id, outcomes in found.items()}


def _catches(results: Mapping[str, Any]) -> dict[tuple[str, str], bool]:
    """By miniature and scenario: an outline catches it with every example that was tried."""
    found: dict[tuple[str, str], bool] = {}
    for one in results["results"]:
        key = (one["miniature"], one["id"].partition("#")[0])
        found[key] = found.get(key, True) and one["caught"]
    return found


def _scenario(scenario: Scenario, outcome: str, faults: list[Caught]) -> TracedScenario:
    told = (scenario.id, scenario.title, scenario.level, scenario.uri, scenario.line)
    return TracedScenario(*told, outcome, faults)


def _clause(spec: Spec, clause: Clause, scenarios: list[TracedScenario]) -> TracedClause:
    if any(scenario.level == "core" for scenario in scenarios):
        state = "covered"
    elif clause.excluded:
        state = "excluded"
    else:
        state = "uncovered" if clause.profile in spec.profiles else "not specified yet"
    told = (clause.id, clause.profile, clause.section, clause.origin, clause.text)
    return TracedClause(*told, state, clause.excluded, scenarios)


def _uncaught(spec: Spec, miniatures: Sequence[Miniature], results: Mapping[str, Any]) -> list[Finding]:
    if results["manifest"] != spec.digest:
        return [Finding("requirements.yaml", 1, "the results of the miniatures are of other features: run them again")]
    caught = _catches(results)
    where = {scenario.id: scenario for feature in spec.features for scenario in feature.scenarios}
    return [
        Finding(where[id].uri, where[id].line, f"{id} did not catch the miniature {one.name}: {one.fault}")
        for one in miniatures
        for id in dict.fromkeys(id.partition("#")[0] for id in one.caught_by)
        if id in where and not caught.get((one.name, id))
    ]
