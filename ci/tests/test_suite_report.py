"""Outcomes, verdicts, exit codes, and what a run writes."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from gherkube import report
from gherkube.outcome import ExitCode, Outcome, Verdict, core_verdict, exit_code, extended_verdict, worst
from gherkube.session import Selection
from gherkube.spec import Case, load
from suite_runs import results, run_of, spec_of


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        (["passed", "passed"], Verdict.SUCCESS),
        (["passed", "failed"], Verdict.FAILURE),
        (["passed", "undefined"], Verdict.FAILURE),
        (["passed", "flaky"], Verdict.FAILURE),
        (["passed", "errored"], Verdict.FAILURE),
        (["passed", "skipped"], Verdict.INCOMPLETE),
        (["passed", "unsupported"], Verdict.INCOMPLETE),
        (["passed"], Verdict.INCOMPLETE),
        ([], Verdict.INCOMPLETE),
    ],
)
def test_core_succeeds_only_if_everything_ran_and_passed(tmp_path: Path, outcomes: list[str], verdict: Verdict) -> None:
    spec = spec_of(tmp_path, ("core", ""), ("core", ""))
    assert core_verdict("api", list(spec.cases), results(spec, *outcomes), frozenset()).result is verdict


def test_what_a_profile_does_not_require_is_not_owed(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, ("core", ""), ("core", "@needs:net.capture"))
    ran = results(spec, "passed", "unsupported")
    assert core_verdict("api", list(spec.cases), ran, frozenset()).result is Verdict.SUCCESS
    assert core_verdict("pod-network", list(spec.cases), ran, frozenset()).result is Verdict.NOT_APPLICABLE


def test_nothing_is_never_success() -> None:
    assert core_verdict("api", [], {}, frozenset()).result is Verdict.INCOMPLETE
    assert exit_code([], [], partial=False, named=False) is ExitCode.PARTIAL
    assert exit_code([], [Verdict.NOT_APPLICABLE], partial=False, named=False) is ExitCode.PARTIAL


def test_extended_scenarios_may_be_unsupported(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, ("extended", ""), ("extended", "@needs:dns"))
    cases = list(spec.cases)
    assert extended_verdict(cases, results(spec, "passed", "unsupported")).result is Verdict.SUCCESS
    assert extended_verdict(cases, results(spec, "unsupported", "unsupported")).result is Verdict.NOT_APPLICABLE
    assert extended_verdict(cases, results(spec, "failed", "unsupported")).result is Verdict.FAILURE
    assert extended_verdict(cases, results(spec, "passed")).result is Verdict.INCOMPLETE


SUCCESS, INCOMPLETE, FAILURE = Verdict.SUCCESS, Verdict.INCOMPLETE, Verdict.FAILURE


@pytest.mark.parametrize(
    ("outcomes", "level", "core", "options", "code"),
    [
        (["passed"], "core", [SUCCESS], {}, ExitCode.CONFORMANT),
        (["failed"], "core", [FAILURE], {}, ExitCode.FAILED),
        (["undefined"], "core", [FAILURE], {}, ExitCode.FAILED),
        (["flaky"], "core", [FAILURE], {}, ExitCode.FAILED),
        (["failed"], "extended", [SUCCESS], {}, ExitCode.CONFORMANT),
        (["failed"], "provisional", [SUCCESS], {}, ExitCode.CONFORMANT),
        (["skipped"], "core", [INCOMPLETE], {}, ExitCode.PARTIAL),
        (["passed"], "core", [SUCCESS], {"partial": True}, ExitCode.PARTIAL),
        (["failed"], "core", [FAILURE], {"partial": True}, ExitCode.FAILED),
        (["errored"], "extended", [SUCCESS], {}, ExitCode.FAULT),
        (["errored", "failed"], "core", [FAILURE], {"partial": True}, ExitCode.FAULT),
        (["failed"], "core", [FAILURE], {"fault": True}, ExitCode.FAULT),
        (["passed"], "core", [SUCCESS, Verdict.NOT_APPLICABLE], {}, ExitCode.CONFORMANT),
        (["passed"], "core", [SUCCESS, Verdict.NOT_APPLICABLE], {"named": True}, ExitCode.PARTIAL),
        (["passed"], "core", [SUCCESS, INCOMPLETE], {}, ExitCode.PARTIAL),
    ],
)
def test_exit_codes(
    tmp_path: Path, outcomes: list[str], level: str, core: list[Verdict], options: dict[str, bool], code: ExitCode
) -> None:
    spec = spec_of(tmp_path, (level, ""), (level, ""))
    asked = {"partial": False, "named": False, **options}
    assert exit_code(results(spec, *outcomes).values(), core, **asked) is code


def test_the_worst_phase_speaks_for_a_scenario() -> None:
    assert worst([Outcome.PASSED, Outcome.PASSED]) is Outcome.PASSED
    assert worst([Outcome.FAILED, Outcome.ERRORED]) is Outcome.ERRORED
    assert worst([Outcome.PASSED, Outcome.UNSUPPORTED, Outcome.PASSED]) is Outcome.UNSUPPORTED


def test_a_report_is_valid_and_whole(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, ("core", ""), ("extended", "@needs:dns"), ("extended", ""))
    made = report.as_report(run_of(spec, "passed", "unsupported", "passed"))
    assert made["verdict"] == {"exitCode": 0, "conformant": True, "faults": []}
    assert made["suite"]["manifest"]["digest"] == spec.digest
    assert made["suite"]["counts"]["unsupported"] == 1
    assert made["implementation"] == {
        "organization": None,
        "project": "refkube",
        "version": "v1.36.0",
        "url": None,
        "language": None,
    }
    [profile] = made["profiles"]
    assert profile["core"]["result"] == "success"
    assert profile["extended"]["unsupported"] == ["things"]
    assert [scenario["id"] for scenario in made["scenarios"]] == ["things.01", "things.02", "things.03"]
    assert made["times"] == {
        "started": "2027-01-15T08:00:00Z",
        "finished": "2027-01-15T08:00:01Z",
        "duration": 1.5,
    }
    assert made["digest"] == report.digest(made)


def test_a_damaged_report_shows(tmp_path: Path) -> None:
    made = report.as_report(run_of(spec_of(tmp_path, ("core", "")), "failed"))
    forged = copy.deepcopy(made)
    forged["scenarios"][0]["outcome"] = "passed"
    assert report.digest(forged) != made["digest"]


def broken(made: dict[str, Any], *path: Any, value: Any) -> dict[str, Any]:
    damaged = copy.deepcopy(made)
    at: Any = damaged
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return damaged


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schemaVersion",), "2"),
        (("digest",), "sha256:0"),
        (("scenarios", 0, "outcome"), "green"),
        (("scenarios", 0, "reason"), ""),
        (("scenarios", 0, "requirements"), []),
        (("scenarios", 0, "id"), "things"),
        (("scenarios", 0, "duration"), -1),
        (("verdict", "exitCode"), 4),
        (("verdict", "conformant"), True),
        (("suite", "counts", "green"), 1),
        (("profiles", 0, "core", "result"), "fine"),
        (("times", "started"), "yesterday"),
        (("surplus",), 1),
    ],
)
def test_the_schema_refuses_what_is_no_report(tmp_path: Path, path: tuple[Any, ...], value: Any) -> None:
    jsonschema.Draft202012Validator.check_schema(report.schema())
    made = report.as_report(run_of(spec_of(tmp_path, ("core", "")), "failed"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(report.schema()).validate(broken(made, *path, value=value))


def test_the_manifest_digest_is_of_what_is_asked_not_of_the_file(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, ("core", ""))
    path = spec.features[0].path
    text = path.read_text()
    path.write_text("# a comment\n\n" + text)
    assert load(tmp_path).digest == spec.digest
    path.write_text(text.replace('ConfigMap "a" is read', 'ConfigMap "b" is read'))
    assert load(tmp_path).digest != spec.digest


def test_junit_tells_failures_from_errors(tmp_path: Path) -> None:
    outcomes = ("passed", "failed", "errored", "unsupported", "skipped", "undefined", "flaky")
    run = run_of(spec_of(tmp_path, *[("core", "")] * 7), *outcomes)
    run.results["things.02"].reason = "a \x00 and <b> & \ud800"
    report.write_junit(run, tmp_path / "junit.xml")
    suite = ElementTree.parse(tmp_path / "junit.xml").getroot()[0]
    tally = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert tally == {"tests": "7", "failures": "2", "errors": "2", "skipped": "2"}
    assert [test[0].tag if len(test) else "" for test in suite] == [
        *("", "failure", "error", "skipped", "skipped", "error", "failure")
    ]
    assert suite[0].get("name") == "things.01 Thing 1"
    assert suite[0].get("classname") == "api.things"


def test_a_report_that_cannot_be_written_is_told_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(report.ReportError, match=r"cannot write .*missing/report.json: No such file or directory"):
        report.check_writable(tmp_path / "missing" / "report.json")
    report.check_writable(tmp_path / "report.json")
    assert not (tmp_path / "report.json").exists()


def test_a_written_report_reads_back(tmp_path: Path) -> None:
    run = run_of(spec_of(tmp_path, ("core", "")), "failed")
    run.results["things.01"].evidence = {"exchanges": ["GET /: ü"], "objects": [{"kind": "ConfigMap"}]}
    report.write_report(run, tmp_path / "report.json")
    read = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert read["digest"] == report.digest(read)
    assert read["scenarios"][0]["evidence"]["exchanges"] == ["GET /: ü"]


def test_a_selection_by_profile_is_whole_by_tags_is_not() -> None:
    assert not Selection(("api",)).partial
    assert Selection(tags="@core").partial
    assert Selection(levels=("core",)).partial


def test_tag_expressions(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, ("core", ""), ("core", "@needs:dns"), ("extended", ""))

    def chosen(tags: str) -> list[str]:
        selection = Selection(tags=tags)
        return [case.id for case in spec.cases if case in selection]

    assert chosen("@core and not @needs:dns") == ["things.01"]
    assert chosen("@extended or @needs:dns") == ["things.02", "things.03"]
    assert chosen("@id:things.02") == ["things.02"]
    with pytest.raises(ValueError, match="no tag expression"):
        Selection(tags="@core and (")


def test_cases_are_told_apart(tmp_path: Path) -> None:
    cases: list[Case] = list(spec_of(tmp_path, ("core", ""), ("core", "")).cases)
    assert cases[0] != cases[1]
    assert {cases[0]: 1}[cases[0]] == 1
