"""Specifications and runs for the tests of what is made of them."""

from __future__ import annotations

from pathlib import Path

from gherkube.outcome import Outcome, Result
from gherkube.report import Run
from gherkube.session import Selection
from gherkube.spec import Spec, load

CORE = """
    @id:things.{n:02} @{level} {needs}
    Scenario: Thing {n}
      Given a ConfigMap "a"
      When the ConfigMap "a" is read
      Then the request is accepted
"""


def spec_of(tmp_path: Path, *scenarios: tuple[str, str]) -> Spec:
    """A specification of one feature with these (level, needs)."""
    path = tmp_path / "api" / "things.feature"
    path.parent.mkdir()
    written = "".join(CORE.format(n=n, level=level, needs=needs) for n, (level, needs) in enumerate(scenarios, 1))
    path.write_text(f"Feature: Things\n  @req:API-3\n  Rule: They work\n{written}")
    (tmp_path / "requirements.yaml").write_text("clauses: [{id: API-3, profile: api, text: Reading reads.}]")
    return load(tmp_path)


def results(spec: Spec, *outcomes: str) -> dict[str, Result]:
    return {
        case.id: Result(case, Outcome(outcome), "" if outcome == "passed" else "because", 0.25)
        for case, outcome in zip(spec.cases, outcomes, strict=False)
    }


def run_of(spec: Spec, *outcomes: str, selection: Selection | None = None, faults: tuple[str, ...] = ()) -> Run:
    target = {
        "target": "reference",
        "driver": "reference",
        "capabilities": {"declared": ["time.skip"], "probed": []},
        "parameters": {},
    }
    told = {"project": "refkube", "version": "v1.36.0"}
    selection = selection or Selection()
    return Run(
        spec,
        selection,
        [case for case in spec.cases if case in selection],
        results(spec, *outcomes),
        target,
        told,
        "gherkube run",
        1_800_000_000.0,
        1_800_000_001.5,
        faults=list(faults),
    )
