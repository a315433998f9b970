"""Outcomes, and what follows from them: never two merged, never a success of nothing.

Used by the plugin, which tells a scenario's outcome, and by the runner and the report, which draw the verdict.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any

from gherkube.spec import PROFILES, Case


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"  # the system broke an expectation
    ERRORED = "errored"  # the harness broke, or the way to the system did
    UNSUPPORTED = "unsupported"  # the target lacks a capability that the scenario needs
    SKIPPED = "skipped"
    UNDEFINED = "undefined"  # a step has no definition
    FLAKY = "flaky"  # failed, and passed when tried again


class ExitCode(IntEnum):
    CONFORMANT = 0
    FAILED = 1
    PARTIAL = 2
    FAULT = 3


# What the attempts of a scenario's phases add up to: the worst wins.
_WORST = (
    Outcome.ERRORED,
    Outcome.UNDEFINED,
    Outcome.FAILED,
    Outcome.FLAKY,
    Outcome.UNSUPPORTED,
    Outcome.SKIPPED,
    Outcome.PASSED,
)


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The outcome that speaks for several phases of one attempt."""
    return min(outcomes, key=_WORST.index)


@dataclass
class Result:
    """What came of one case. `attempts` counts from 1; `evidence` maps a title to text or data.

    `started` is when its last attempt began, `steps` are the seconds of each step that ran in it, and `record` is what
    was said and sent meanwhile, where the run was asked to record. `tries` are the attempts before the last.
    """

    case: Case
    outcome: Outcome
    reason: str = ""
    duration: float = 0.0
    attempts: int = 1
    evidence: dict[str, Any] = field(default_factory=dict)
    started: float = 0.0
    steps: Sequence[float] = ()
    record: dict[str, Any] | None = None
    tries: Sequence[Result] = ()


class Verdict(StrEnum):
    SUCCESS = "success"
    FAILURE = "failure"
    INCOMPLETE = "incomplete"
    NOT_APPLICABLE = "not applicable"


@dataclass
class LevelVerdict:
    result: Verdict
    counts: dict[str, int]


def counts(results: Iterable[Result]) -> dict[str, int]:
    """How often each outcome came, every outcome named."""
    counted = Counter(result.outcome for result in results)
    return {outcome.value: counted[outcome] for outcome in Outcome}


def core_verdict(
    profile: str, expected: Sequence[Case], results: Mapping[str, Result], capabilities: frozenset[str]
) -> LevelVerdict:
    """The profile's core result. `expected` is every core case that the manifest has for the profile.

    Success needs every one whose needs the profile requires to have run and passed, and that to be at least one.
    """
    ran = [results[case.id] for case in expected if case.id in results]
    required = PROFILES[profile].requires if profile in PROFILES else frozenset()
    if not required <= capabilities:
        return LevelVerdict(Verdict.NOT_APPLICABLE, counts(ran))
    owed = [case for case in expected if required.issuperset(case.scenario.needs)]
    outcomes = {result.outcome for result in ran}
    if outcomes & {Outcome.FAILED, Outcome.UNDEFINED, Outcome.FLAKY, Outcome.ERRORED}:
        verdict = Verdict.FAILURE
    elif owed and all(case.id in results and results[case.id].outcome is Outcome.PASSED for case in owed):
        verdict = Verdict.SUCCESS
    else:
        verdict = Verdict.INCOMPLETE
    return LevelVerdict(verdict, counts(ran))


def extended_verdict(expected: Sequence[Case], results: Mapping[str, Result]) -> LevelVerdict:
    """The extended result: what the target supports must pass; what it does not support is no failure."""
    ran = [results[case.id] for case in expected if case.id in results]
    outcomes = {result.outcome for result in ran}
    if outcomes & {Outcome.FAILED, Outcome.UNDEFINED, Outcome.FLAKY, Outcome.ERRORED}:
        verdict = Verdict.FAILURE
    elif not expected or outcomes == {Outcome.UNSUPPORTED}:
        verdict = Verdict.NOT_APPLICABLE
    elif len(ran) < len(expected) or Outcome.SKIPPED in outcomes:
        verdict = Verdict.INCOMPLETE
    else:
        verdict = Verdict.SUCCESS
    return LevelVerdict(verdict, counts(ran))


def exit_code(
    results: Iterable[Result], core: Iterable[Verdict], *, partial: bool, named: bool, fault: bool = False
) -> ExitCode:
    """The exit code of a run; precedence 3, 1, 2, 0.

    `core` are the core verdicts of the selected profiles, `named` whether the user named them, `partial` whether
    tags or levels narrowed the selection, `fault` whether something went wrong beyond the scenarios.
    """
    results = list(results)
    verdicts = list(core)
    if fault or any(result.outcome is Outcome.ERRORED for result in results):
        return ExitCode.FAULT
    gating = {Outcome.FAILED, Outcome.UNDEFINED, Outcome.FLAKY}
    if any(result.outcome in gating and result.case.scenario.level == "core" for result in results):
        return ExitCode.FAILED
    applicable = [verdict for verdict in verdicts if verdict is not Verdict.NOT_APPLICABLE]
    complete = applicable and all(verdict is Verdict.SUCCESS for verdict in applicable)
    skipped = any(result.outcome is Outcome.SKIPPED for result in results)
    if partial or skipped or not complete or (named and len(applicable) < len(verdicts)):
        return ExitCode.PARTIAL
    return ExitCode.CONFORMANT
