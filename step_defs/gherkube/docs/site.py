"""The static site: features and a run as pages that open from disk, without a network.

Called by `gherkube docs`. What a page shows is gathered in `Book`; templates/ has the pages, static/ their style and
their search, whose index is a script, as a page from disk may not fetch.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from gherkube import __version__
from gherkube.docs import diagrams
from gherkube.docs.components import COMPONENTS, component_of
from gherkube.outcome import Outcome, worst
from gherkube.report import ReportError
from gherkube.spec import PROFILES, Case, Feature, Scenario, Spec, Step
from gherkube.traceability import TracedClause

HERE = Path(__file__).parent
MARK = ".gherkube-docs"  # in a folder that may be written anew


@dataclass
class Book:
    """Everything that the pages tell; `report` may be of a part of the features, or none at all."""

    spec: Spec
    report: Mapping[str, Any] | None
    clauses: list[TracedClause]
    told: dict[str, Mapping[str, Any]] = field(default_factory=dict)  # what the report says of a case, by its id

    def __post_init__(self) -> None:
        self.told = {case["id"]: case for case in self.report["scenarios"]} if self.report else {}

    @property
    def other_features(self) -> bool:
        return bool(self.report) and self.report["suite"]["manifest"]["digest"] != self.spec.digest  # type: ignore[index]

    @property
    def profiles(self) -> list[str]:
        return [name for name in PROFILES if name in {clause.profile for clause in self.clauses}]

    def features_of(self, profile: str) -> list[Feature]:
        return [feature for feature in self.spec.features if feature.profile == profile]

    def clauses_of(self, profile: str) -> list[TracedClause]:
        return [clause for clause in self.clauses if clause.profile == profile]

    @cached_property
    def clause(self) -> dict[str, TracedClause]:
        return {clause.id: clause for clause in self.clauses}

    def verdict_of(self, profile: str) -> str:
        found = (one for one in (self.report or {}).get("profiles", ()) if one["name"] == profile)
        return next((str(one["core"]["result"]) for one in found), "")

    def outcome(self, scenario: Scenario) -> str:
        """The worst of its cases; "" where nothing is told."""
        outcomes = [Outcome(self.told[case.id]["outcome"]) for case in scenario.cases if case.id in self.told]
        return worst(outcomes).value if outcomes else ""

    def counts(self, feature: Feature) -> Counter[str]:
        return Counter(self.outcome(scenario) or "not run" for scenario in feature.scenarios)

    def seconds(self, scenario: Scenario) -> float:
        return sum(self.told[case.id]["duration"] for case in scenario.cases if case.id in self.told)

    def conversation(self, case: Case) -> list[Mapping[str, Any]]:
        return list(((self.told.get(case.id) or {}).get("record") or {}).get("conversation") or ())

    def journeys(self, case: Case) -> list[Mapping[str, Any]]:
        return list(((self.told.get(case.id) or {}).get("record") or {}).get("journeys") or ())

    def pictured(self, scenario: Scenario) -> Case | None:
        """The case whose conversation is shown: of an outline, the first that did not pass, or the first."""
        cases = [case for case in scenario.cases if self.conversation(case) or self.journeys(case)]
        failed = (case for case in cases if self.told[case.id]["outcome"] != "passed")
        return next(failed, cases[0] if cases else None)

    @cached_property
    def components(self) -> dict[str, dict[str, Any]]:
        """What each component did in the run: {acts: Counter, scenarios: {id: Scenario}}. One that a profile is about
        has a place even if it said nothing: kube-proxy only listens, and the API server answers all."""
        found: dict[str, dict[str, Any]] = {
            name: {"acts": Counter(), "scenarios": {}}
            for name, component in COMPONENTS.items()
            if set(component.profiles) & set(self.profiles)
        }
        for case in self.spec.cases:
            for line in self.conversation(case):
                name = component_of(line["who"])
                if name:
                    of = found.setdefault(name, {"acts": Counter(), "scenarios": {}})
                    of["acts"][f"{line['verb']} {line['what']}"] += line["times"]
                    of["scenarios"][case.scenario.id] = case.scenario
        return {name: found[name] for name in COMPONENTS if name in found}


def write_site(book: Book, out: Path) -> int:
    """Writes every page; returns their number. Raises ReportError where it may not write there."""
    make_room(out)
    env = _environment(book)
    pages = dict(_pages(book, env))
    try:
        for name, html in pages.items():
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(html, encoding="utf-8")
        for static in sorted((HERE / "static").iterdir()):
            shutil.copyfile(static, out / static.name)
        (out / "search-index.js").write_text(_index(book), encoding="utf-8")
    except OSError as error:
        raise ReportError(f"cannot write {error.filename or out}: {error.strerror}") from None
    return len(pages)


def make_room(out: Path) -> None:
    """An empty or new folder, or one that was written before: nobody else's files are touched. Raises ReportError."""
    try:
        if out.is_dir() and any(out.iterdir()):
            if not (out / MARK).is_file():
                raise ReportError(f"{out} is not empty, and not by gherkube docs: name another folder")
            for old in [*out.rglob("*.html"), *out.rglob("*.md")]:
                old.unlink()
        out.mkdir(parents=True, exist_ok=True)
        (out / MARK).write_text("This folder is written by gherkube docs.\n", encoding="utf-8")
    except OSError as error:
        raise ReportError(f"cannot write {out}: {error.strerror}") from None


def _environment(book: Book) -> Environment:
    env = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    env.globals.update(book=book, PROFILES=PROFILES, COMPONENTS=COMPONENTS, version=__version__)
    env.globals.update(sequence=_sequence, journey=lambda told: Markup(diagrams.journey(told)), slug=slug)
    env.filters.update(step=_step, took=_took, prose=_prose, stem=lambda uri: Path(uri).stem)
    env.globals.update(in_words=diagrams.in_words)
    return env


def _pages(book: Book, env: Environment) -> Iterator[tuple[str, str]]:
    def page(where: str, template: str, **values: Any) -> tuple[str, str]:
        return where, env.get_template(template).render(root="../" * where.count("/"), here=where, **values)

    yield page("index.html", "index.html")
    yield page("clauses.html", "clauses.html")
    yield page("components.html", "components.html")
    for profile in book.profiles:
        yield page(f"profiles/{profile}.html", "profile.html", profile=profile)
    for feature in book.spec.features:
        yield page(f"features/{feature.name}.html", "feature.html", feature=feature)
    for clause in book.clauses:
        yield page(f"clauses/{clause.id}.html", "clause.html", clause=clause)
    for name in book.components:
        yield page(f"components/{name}.html", "component.html", name=name, of=book.components[name])


def _sequence(book: Book, case: Case) -> Markup:
    title = f"Who said what in {case.id}: {case.title}"
    return Markup(diagrams.sequence(book.conversation(case), case.steps, title))


def slug(id: str) -> str:
    """An id as the name of a place in a page."""
    return re.sub(r"[^\w.-]", "-", id)


def _index(book: Book) -> str:
    """The search's index: [kind, title, where it is, what else is said], most telling first."""
    rows: list[list[str]] = []
    for profile in book.profiles:
        rows.append(["profile", f"{profile}: {PROFILES[profile].title}", f"profiles/{profile}.html", ""])
    for clause in book.clauses:
        rows.append(["clause", clause.id, f"clauses/{clause.id}.html", f"{clause.text} {clause.section}"])
    for name in book.components:
        rows.append(["component", COMPONENTS[name].title, f"components/{name}.html", COMPONENTS[name].does])
    for feature in book.spec.features:
        page = f"features/{feature.name}.html"
        rows.append(["feature", feature.title, page, " ".join(feature.description.split())])
        for scenario in feature.scenarios:
            said = " ".join([scenario.id, *scenario.requirements, *(_words(step) for step in scenario.steps)])
            rule = scenario.rule.title if scenario.rule else ""
            rows.append(["scenario", scenario.title, f"{page}#{slug(scenario.id)}", f"{rule} {said}"])
    return f"window.GHERKUBE_INDEX={json.dumps(rows, ensure_ascii=False, separators=(',', ':'))};\n"


def _words(step: Step) -> str:
    cells = [cell for row in step.table or () for cell in row]
    return " ".join(" ".join([step.text, step.docstring or "", *cells]).split())


def _step(text: str) -> Markup:
    """A step's text with what it names marked."""
    marked = re.sub(r"&#34;.*?&#34;|&lt;.+?&gt;", lambda found: f"<b>{found[0]}</b>", str(Markup.escape(text)))
    return Markup(marked)


def _prose(text: str) -> Markup:
    """A feature's description: paragraphs."""
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", text.strip())]
    return Markup("".join(f"<p>{escape(part)}</p>" for part in paragraphs if part))


def _took(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
