"""Judges the specification itself: metadata, form and vocabulary of the features, steps unused or ambiguous, coverage.

`check_feature` is called for every feature that is collected, where a finding is a collection error; `gherkube lint`
calls `check` for the whole. One line a finding: what is wrong, where, and where it helps how to put it right.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from gherkube.kinds import UnknownKind, named
from gherkube.phrases import Collection, ObjectRef, duration
from gherkube.spec import CAPABILITIES, LEVELS, PROFILES, Clause, Feature, Finding, Scenario, Spec, Step
from gherkube.steps import Definition

BACKGROUND_LINES = 3
PATIENCE = 120.0  # seconds that a scenario may wait without @needs:time.skip

# What the text of a step, a title or a Rule must not speak of: it names facts of the cluster, not how they are asked.
FOREIGN_WORDS = (
    *(
        "HTTP",
        "HTTPS",
        "URL",
        "REST",
        "GET",
        "PUT",
        "POST",
        "PATCH",
        "DELETE",
        "HEAD",
        "curl",
        "kubectl",
        "endpoint URL",
    ),
    *("Python", "pytest", "lightkube", "refkube", "gherkube", "driver", "fixture", "xdist"),
    *("sleep", "sleeps", "poll", "polls", "polling", "mock", "stub"),
)
_FOREIGN = re.compile(rf"(?<![\w.-])(?:{'|'.join(map(re.escape, FOREIGN_WORDS))})(?![\w-])")
_CODE = re.compile(r"\b(?:status|code|answers?) [1-5]\d\d\b", re.IGNORECASE)
_DURATION = re.compile(r"\b\d+ (?:second|minute|hour)s?\b")


def check(spec: Spec, definitions: Sequence[Definition]) -> list[Finding]:
    """Every finding of the whole specification."""
    findings = list(spec.broken)
    for feature in spec.features:
        findings += check_feature(feature, spec.clauses)
    findings += check_names(spec)
    findings += check_steps(spec.features, definitions)
    findings += check_coverage(spec)
    return findings


def check_feature(feature: Feature, clauses: Mapping[str, Clause]) -> list[Finding]:
    """What one feature file shows by itself to be wrong."""
    found = [*_check_frame(feature)]
    for scenario in feature.scenarios:
        for line, message in _check_scenario(scenario, clauses):
            found.append((line, message))
    return [Finding(feature.uri, line, message) for line, message in sorted(found)]


Found = tuple[int, str]


def _check_frame(feature: Feature) -> Iterator[Found]:
    """The feature apart from its scenarios' own content."""
    if not feature.title:
        yield feature.line, "the Feature has no title"
    if feature.profile not in PROFILES:
        yield 1, f"{feature.profile or 'the top folder'!r} is no profile; profiles: {', '.join(PROFILES)}"
    if not feature.scenarios:
        yield feature.line, "the Feature has no scenario"
    yield from _background_too_long(feature.line, feature.background)
    for rule in feature.rules:
        if not rule.title:
            yield rule.line, "the Rule has no title; it states its clause in one sentence"
        yield from _foreign(rule.line, rule.title)
        yield from _background_too_long(rule.line, rule.background)
        if not any(scenario.rule is rule for scenario in feature.scenarios):
            yield rule.line, "the Rule has no scenario"
    for tag in feature.example_tags:
        yield tag.line, f"@{tag.name}: Examples carry no tags; tag the outline"
    for kind, values in (
        ("title", [(scenario.title, scenario.line) for scenario in feature.scenarios]),
        ("id", [(scenario.id, scenario.line) for scenario in feature.scenarios]),
    ):
        first: dict[str, int] = {}
        for value, line in values:
            if value and value in first:
                yield line, f"the {kind} {value!r} is used in line {first[value]} already"
            first.setdefault(value, line)


def _check_scenario(scenario: Scenario, clauses: Mapping[str, Clause]) -> Iterator[Found]:
    line = scenario.line
    if not scenario.title:
        yield line, "the scenario has no title; it says the outcome"
    if scenario.rule is None:
        yield line, "the scenario stands under no Rule"
    yield from _foreign(line, scenario.title)
    yield from _check_tags(scenario, clauses)
    yield from _check_examples(scenario)
    yield from _check_form(scenario)
    for step in scenario.own_steps:
        yield from _foreign(step.line, step.text)
    waits = sum(duration(match[0]) for step in scenario.steps for match in _DURATION.finditer(step.text))
    if waits > PATIENCE and "time.skip" not in scenario.needs:
        yield line, f"the scenario may wait {waits:.0f} s; beyond {PATIENCE:.0f} s it is @needs:time.skip"


def _check_tags(scenario: Scenario, clauses: Mapping[str, Clause]) -> Iterator[Found]:
    line = scenario.line
    name = scenario.feature.name
    ids = [tag.name.removeprefix("id:") for tag in scenario.own_tags if tag.name.startswith("id:")]
    if len(ids) != 1:
        yield line, f"exactly one tag @id:{name}.<nn> is needed, found {len(ids)}"
    elif not re.fullmatch(rf"{re.escape(name)}\.\d\d+", ids[0]):
        yield line, f"the id {ids[0]!r} is not of the form {name}.<nn>"
    levels = [tag.name for tag in scenario.tags if tag.name in LEVELS]
    if len(levels) != 1:
        yield line, f"exactly one of @{', @'.join(LEVELS)} is needed, found {len(levels)}"
    if not scenario.requirements:
        yield line, "at least one @req:<CLAUSE> is needed"
    for clause in scenario.requirements:
        if clause not in clauses:
            yield line, f"@req:{clause}: requirements.yaml has no such clause"
        elif clauses[clause].profile != scenario.profile and scenario.profile in PROFILES:
            yield line, f"@req:{clause} belongs to the profile {clauses[clause].profile}, not {scenario.profile}"
    for capability in scenario.needs:
        if capability not in CAPABILITIES:
            yield line, f"@needs:{capability} is no capability; capabilities: {', '.join(CAPABILITIES)}"
    for tag in scenario.tags:
        if tag.name not in LEVELS and tag.name.partition(":")[0] not in ("id", "req", "needs"):
            yield tag.line, f"@{tag.name} is no tag of the suite; tags: @id, @{', @'.join(LEVELS)}, @req, @needs"
        if tag.name.startswith("id:") and tag not in scenario.own_tags:
            yield tag.line, f"@{tag.name} belongs to a scenario"


def _check_examples(scenario: Scenario) -> Iterator[Found]:
    if not scenario.outline:
        return
    if not scenario.examples:
        yield scenario.line, "the outline has no Examples, so nothing of it would run"
        return
    for example in scenario.examples:
        if any(other.values == example.values and other.number < example.number for other in scenario.examples):
            yield example.line, "the example repeats an earlier one"
    used = {name for text in _texts(scenario) for name in re.findall(r"<(.+?)>", text)}
    for column in scenario.examples[0].values:
        if column not in used:
            yield scenario.examples[0].line - 1, f"no step uses <{column}>"


def _check_form(scenario: Scenario) -> Iterator[Found]:
    steps = scenario.own_steps
    if not steps:
        yield scenario.line, "the scenario has no steps, so it would always pass"
        return
    for step in scenario.steps:
        if step.type == "":
            yield step.line, f"a step starts with Given, When, Then, And or But, not {step.keyword!r}"
    order = {"given": 0, "when": 1, "then": 2}
    types = [step.type for step in steps if step.type]
    if types.count("when") != 1:
        yield scenario.line, f"exactly one When step is needed, found {types.count('when')}"
    if "then" not in types:
        yield scenario.line, "the scenario expects nothing: it has no Then"
    for before, after in pairwise(types):
        if order[after] < order[before]:
            yield scenario.line, f"a {after.capitalize()} step follows a {before.capitalize()} step"
            break


def _background_too_long(line: int, background: Sequence[Step]) -> Iterator[Found]:
    if len(background) > BACKGROUND_LINES:
        yield line, f"the Background has {len(background)} steps, at most {BACKGROUND_LINES} are allowed"
    for step in background:
        if step.type != "given":
            yield step.line, "a Background has Given steps only"
        yield from _foreign(step.line, step.text)


def _foreign(line: int, text: str) -> Iterator[Found]:
    outside_quotes = re.sub(r'"[^"]*"', '""', text)
    for match in (*_FOREIGN.finditer(outside_quotes), *_CODE.finditer(outside_quotes)):
        yield line, f"{match[0]!r} does not belong in the text: name the fact of the cluster"


def _texts(scenario: Scenario) -> Iterator[str]:
    yield scenario.title
    for step in scenario.steps:
        yield step.text
        yield step.docstring or ""
        for row in step.table or ():
            yield from row


def check_names(spec: Spec) -> Iterator[Finding]:
    """The names of features are unique over all profiles, as ids begin with them."""
    first: dict[str, str] = {}
    for feature in spec.features:
        if feature.name in first:
            other = first[feature.name]
            yield Finding(feature.uri, 1, f"the name {feature.name!r} is taken by {other}; ids need it to be unique")
        first.setdefault(feature.name, feature.uri)


def check_steps(features: Iterable[Feature], definitions: Sequence[Definition]) -> list[Finding]:
    """Steps without a definition or with more than one, unknown kinds, and definitions that no feature uses."""
    findings = []
    uses: Counter[Definition] = Counter()
    matched: dict[tuple[str, str], list[Definition]] = {}
    for feature in features:
        reported = set()
        for case in feature.cases:
            for step in case.steps:
                key = (step.type, step.text)
                if key not in matched:
                    matched[key] = [one for one in definitions if one.matches(*key)]
                uses.update(matched[key])
                message = _step_message(step, matched[key])
                if message and (step.line, message) not in reported:
                    reported.add((step.line, message))
                    findings.append(Finding(feature.uri, step.line, message))
    for definition in definitions:
        if not uses[definition]:
            source = definition.function.__code__
            uri = "/".join(definition.function.__module__.split(".")) + ".py"
            message = f"no feature uses the step {definition.type.capitalize()} {definition.text}"
            findings.append(Finding(uri, source.co_firstlineno, message))
    return findings


def _step_message(step: Step, definitions: Sequence[Definition]) -> str:
    if not definitions:
        return f"no step is defined for: {step.type.capitalize()} {step.text}"
    if len(definitions) > 1:
        texts = " | ".join(definition.text for definition in definitions)
        return f"more than one step is defined for: {step.type.capitalize()} {step.text} ({texts})"
    try:
        for value in (definitions[0].parser.parse_arguments(step.text) or {}).values():
            if isinstance(value, ObjectRef | Collection):
                named(value.kind)
    except UnknownKind as error:
        return str(error)
    return ""


def check_coverage(spec: Spec) -> list[Finding]:
    """Every clause of a profile that has features needs a core scenario, unless the catalogue excludes it."""
    covered = {
        clause
        for feature in spec.features
        for scenario in feature.scenarios
        if scenario.level == "core"
        for clause in scenario.requirements
    }
    present = {feature.profile for feature in spec.features}
    return [
        Finding("requirements.yaml", clause.line, f"no core scenario covers {clause.id}: {clause.text}")
        for clause in spec.clauses.values()
        if clause.profile in present and clause.id not in covered and not clause.excluded
    ]
