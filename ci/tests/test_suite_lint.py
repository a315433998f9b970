"""The linter: each rule with a feature that breaks it, and a feature that breaks none."""

from __future__ import annotations

from pathlib import Path

import pytest
from gherkube import lint, paths, steps
from gherkube.spec import Finding, load

CLAUSES = """clauses:
  - {id: API-3, profile: api, text: "Reading gives the latest version."}
  - {id: SEL-4, profile: selection, text: "Selectors select."}
"""
GOOD = """\
Feature: Things
  @req:API-3
  Rule: They can be read

    Background:
      Given a ConfigMap "a"

    @id:things.01 @core
    Scenario: A thing is read
      When the ConfigMap "a" is read
      Then the request is accepted

    @id:things.02 @extended @needs:time.skip
    Scenario Outline: The thing <name> is read later
      Given 5 minutes have passed
      When the ConfigMap "<name>" is read
      Then the request is accepted

      Examples:
        | name |
        | a    |
        | b    |
"""


def findings(tmp_path: Path, text: str, name: str = "api/things.feature") -> list[str]:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    (tmp_path / "requirements.yaml").write_text(CLAUSES)
    spec = load(tmp_path)
    found = list(spec.broken)
    for feature in spec.features:
        found += lint.check_feature(feature, spec.clauses)
    return [str(finding) for finding in found]


def test_a_good_feature_has_no_findings(tmp_path: Path) -> None:
    assert findings(tmp_path, GOOD) == []


RULES = [
    ("@id:things.01 ", "", "exactly one tag @id:things.<nn> is needed, found 0"),
    ("things.01", "other.01", "the id 'other.01' is not of the form things.<nn>"),
    ("things.01", "things.1", "the id 'things.1' is not of the form"),
    ("things.02", "things.01", "the id 'things.01' is used in line 9 already"),
    ("@core", "", "exactly one of @core, @extended, @provisional is needed, found 0"),
    ("@core", "@core @extended", "exactly one of @core, @extended, @provisional is needed, found 2"),
    ("@req:API-3", "", "at least one @req:<CLAUSE> is needed"),
    ("@req:API-3", "@req:API-99", "@req:API-99: requirements.yaml has no such clause"),
    ("@req:API-3", "@req:SEL-4", "@req:SEL-4 belongs to the profile selection, not api"),
    ("@needs:time.skip", "@needs:magic", "@needs:magic is no capability"),
    ("@core", "@core @slow", "@slow is no tag of the suite"),
    ("@req:API-3", "@req:API-3 @id:things.07", "@id:things.07 belongs to a scenario"),
    ("Feature: Things", "Feature:", "the Feature has no title"),
    ("Rule: They can be read", "Rule:", "the Rule has no title"),
    ("  @req:API-3\n  Rule: They can be read\n", "", "the scenario stands under no Rule"),
    ("Scenario: A thing is read", "Scenario:", "the scenario has no title"),
    ("Scenario: A thing is read", "Scenario: A GET of a thing", "'GET' does not belong in the text"),
    ('When the ConfigMap "a" is read', "When kubectl reads it", "'kubectl' does not belong in the text"),
    ("Then the request is accepted", "Then it answers 200", "'answers 200' does not belong in the text"),
    (
        "      When the ConfigMap",
        "      When nothing\n      And the ConfigMap",
        "exactly one When step is needed, found 2",
    ),
    ('      When the ConfigMap "a" is read\n', "", "exactly one When step is needed, found 0"),
    ("      Then the request is accepted\n", "", "the scenario expects nothing: it has no Then"),
    (
        "is read\n      Then the request is accepted",
        "is read\n      Then a\n      And b\n      Given c",
        "a Given step follows",
    ),
    ('Given a ConfigMap "a"', "Given a\n      And b\n      And c\n      And d", "the Background has 4 steps"),
    ('Given a ConfigMap "a"', "When a", "a Background has Given steps only"),
    ("@extended @needs:time.skip", "@extended", "the scenario may wait 300 s; beyond 120 s it is @needs:time.skip"),
    ("        | b    |", "        | a    |", "the example repeats an earlier one"),
    ("        | a    |\n        | b    |\n", "", "the outline has no Examples"),
    ("| name |\n        | a    |\n        | b    |", "| name | x |\n        | a | 1 |", "no step uses <x>"),
    ("      Examples:", "      @core\n      Examples:", "@core: Examples carry no tags"),
    ("The thing <name> is read later", "A thing is read", "the title 'A thing is read' is used in line 9 already"),
]


@pytest.mark.parametrize(("old", "new", "message"), RULES, ids=[rule[2][:40] for rule in RULES])
def test_each_rule(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    found = findings(tmp_path, GOOD.replace(old, new, 1))
    assert any(message in finding for finding in found), found
    assert all(finding.startswith("api/things.feature:") and "\n" not in finding for finding in found)


def test_an_unknown_profile_is_named(tmp_path: Path) -> None:
    assert "'apis' is no profile" in findings(tmp_path, GOOD, "apis/things.feature")[0]


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "api").mkdir()
    (tmp_path / "api/binary.feature").write_bytes(b"\xff\xfe\x00")
    assert "api/binary.feature:1: the file is not UTF-8 text" in findings(tmp_path, GOOD)


def test_names_of_features_are_unique_over_profiles(tmp_path: Path) -> None:
    findings(tmp_path, GOOD)
    findings(tmp_path, GOOD.replace("API-3", "SEL-4"), "selection/things.feature")
    assert any(
        "the name 'things' is taken by api/things.feature" in str(one) for one in lint.check_names(load(tmp_path))
    )


@pytest.mark.parametrize("text", ["", "clauses: 3", "clauses: [{id: API-3}]", "a: [", "- x"])
def test_a_broken_catalogue_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "requirements.yaml").write_text(text)
    spec = load(tmp_path)
    assert spec.clauses == {}
    assert all("\n" not in str(finding) for finding in spec.broken)
    assert text == "" or spec.broken


def test_every_clause_of_a_present_profile_needs_a_core_scenario(tmp_path: Path) -> None:
    findings(tmp_path, GOOD.replace("@core", "@extended"))
    assert [finding.message for finding in lint.check_coverage(load(tmp_path))] == [
        "no core scenario covers API-3: Reading gives the latest version."
    ]
    findings(tmp_path, GOOD)
    assert lint.check_coverage(load(tmp_path)) == []


def step_findings(tmp_path: Path, text: str) -> list[str]:
    findings(tmp_path, text)
    found: list[Finding] = lint.check_steps(load(tmp_path).features, steps.catalogue())
    return [str(finding) for finding in found if "no feature uses" not in finding.message]


def test_steps_without_a_definition_and_unknown_kinds_are_named(tmp_path: Path) -> None:
    assert step_findings(tmp_path, GOOD) == []
    missing = step_findings(tmp_path, GOOD.replace("Then the request is accepted", "Then it is fine"))
    assert "api/things.feature:11: no step is defined for: Then it is fine" in missing
    unknown = step_findings(tmp_path, GOOD.replace('When the ConfigMap "a"', 'When the Gadget "a"'))
    assert unknown == ["api/things.feature:10: there is no kind 'Gadget'"]


def test_unused_and_overlapping_steps_are_named(tmp_path: Path) -> None:
    findings(tmp_path, GOOD)
    definitions = steps.catalogue()
    read = next(one for one in definitions if one.text == "the {ref:Object} is read")
    found = [str(finding) for finding in lint.check_steps(load(tmp_path).features, [*definitions, read])]
    assert any('more than one step is defined for: When the ConfigMap "a" is read' in finding for finding in found)
    assert any("no feature uses the step When the API groups are discovered" in finding for finding in found)


def test_the_specification_itself_is_clean() -> None:
    spec = load(paths.features_dir())
    found = list(spec.broken)
    for feature in spec.features:
        found += lint.check_feature(feature, spec.clauses)
    found += lint.check_names(spec)
    definitions = steps.catalogue()
    found += [one for one in lint.check_steps(spec.features, definitions) if one.uri.endswith(".feature")]
    assert found == []
    assert all(definition.example for definition in definitions)
