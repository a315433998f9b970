"""The features and a run as Markdown, for reading on a forge, which draws Mermaid. Called by `gherkube docs`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from gherkube.docs import diagrams
from gherkube.docs.site import Book, make_room, slug
from gherkube.report import ReportError
from gherkube.spec import PROFILES, Feature, Rule, Scenario, Step
from gherkube.traceability import written

MARKS = {"passed": "✅", "failed": "❌", "errored": "💥", "undefined": "❓", "flaky": "⚠️"}


def write_markdown(book: Book, out: Path) -> int:
    """Writes README.md, clauses.md and a page a feature; returns their number. Raises ReportError."""
    pages = {"README.md": "\n".join(_index(book)), "clauses.md": written(book.clauses, "markdown")}
    for feature in book.spec.features:
        pages[f"{feature.profile}/{feature.name}.md"] = "\n".join(_feature(book, feature))
    make_room(out)
    try:
        for name, text in pages.items():
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text.rstrip()}\n", encoding="utf-8")
    except OSError as error:
        raise ReportError(f"cannot write {error.filename or out}: {error.strerror}") from None
    return len(pages)


def _index(book: Book) -> Iterator[str]:
    yield "# Kubernetes, specified by example\n"
    if book.report:
        told = book.report["implementation"]
        yield f"Run against {told['project'] or book.report['target']['target']} {told['version'] or ''}\n"
    yield "[All clauses](clauses.md)\n"
    for profile in book.profiles:
        features = book.features_of(profile)
        if not features:
            continue
        verdict = book.verdict_of(profile)
        yield f"## {profile}: {PROFILES[profile].title}{f' ({verdict})' if verdict else ''}\n"
        for feature in features:
            counts = ", ".join(f"{number} {outcome}" for outcome, number in book.counts(feature).items())
            yield f"- [{feature.title}]({profile}/{feature.name}.md): {counts}"
        yield ""


def _feature(book: Book, feature: Feature) -> Iterator[str]:
    yield f"# {feature.title}\n"
    if feature.description:
        yield "\n".join(line.strip() for line in feature.description.splitlines()) + "\n"
    if feature.background:
        yield "Before each scenario:\n"
        yield from _gherkin(feature.background)
    for rule in feature.rules:
        yield from _rule(book, feature, rule)


def _rule(book: Book, feature: Feature, rule: Rule) -> Iterator[str]:
    yield f"## {rule.title}\n"
    within = [scenario for scenario in feature.scenarios if scenario.rule is rule]
    for id in dict.fromkeys(id for scenario in within for id in scenario.requirements):
        if id in book.clause:
            section = f" ({book.clause[id].section})" if book.clause[id].section else ""
            yield f"> **{id}** {book.clause[id].text}{section}\n"
    if rule.background:
        yield "Before each scenario of this rule:\n"
        yield from _gherkin(rule.background)
    for scenario in within:
        yield from _scenario(book, scenario)


def _scenario(book: Book, scenario: Scenario) -> Iterator[str]:
    outcome = book.outcome(scenario)
    yield f'### <a id="{slug(scenario.id)}"></a>{scenario.title}\n'
    took = f" in {book.seconds(scenario) * 1000:.0f} ms" if outcome else ""
    yield f"{MARKS.get(outcome, '➖')} {outcome or 'not run'}{took} · {scenario.id} · {scenario.level}\n"
    yield from _gherkin(scenario.own_steps, scenario)
    case = book.pictured(scenario)
    if case is None:
        return
    for journey in book.journeys(case):
        yield f"From {journey['origin']} to {journey['target']}, {journey['outcome']}: `{diagrams.in_words(journey)}`\n"
    drawn = diagrams.mermaid(book.conversation(case), case.steps)
    if drawn:
        yield f"<details><summary>Who said what in {case.id}</summary>\n\n```mermaid\n{drawn}\n```\n\n</details>\n"


def _gherkin(steps: Sequence[Step], scenario: Scenario | None = None) -> Iterator[str]:
    yield "```gherkin"
    for step in steps:
        yield f"{step.keyword} {step.text}"
        if step.docstring is not None:
            yield from (f"  {line}".rstrip() for line in ('"""', *step.docstring.splitlines(), '"""'))
        if step.table is not None:
            yield from _table(step.table)
    if scenario is not None and scenario.examples:
        yield "\nExamples:"
        rows = [tuple(scenario.examples[0].values), *(tuple(one.values.values()) for one in scenario.examples)]
        yield from _table(rows)
    yield "```\n"


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  | " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
