"""The specification as data: every feature parsed into scenarios with their metadata, and the manifest's digest.

Read by the plugin, the linter, the runner and the reports. Parsed with gherkin-official alone: what a run is held
against never comes from the runner that is to be checked. Judging the metadata is `gherkube.lint`'s part.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from gherkin.errors import CompositeParserException, ParserError
from gherkin.parser import Parser

LEVELS = ("core", "extended", "provisional")

CAPABILITIES = {
    "pods.run": "bound Pods become Running, and Ready unless a readiness gate holds them back",
    "pods.real": "programs really run: exits, logs, exec, probes, pulls, volumes, IPs of their own",
    "pods.fault": "a container can be killed, made to hang, made to fail its probe",
    "nodes.fault": "a node can fall silent, be cut off, lose its power or disk, come back, join; its kubelet restarts",
    "time.skip": "waiting costs nothing",
    "net.connect": "a connection from Pod or node, and who answered",
    "net.outside": "machines outside of the cluster, which connect to it and are connected to",
    "net.capture": "the devices that a connection's packets crossed",
    "net.state": "addresses, routes, neighbours, fdb and virtual servers, as data",
    "net.fault": "one rule removed; kube-proxy or flanneld restarted",
    "dns": "cluster names resolve in Pods",
    "storage.provision": "the default class provisions volumes",
    "lb.provision": "LoadBalancers get addresses",
    "metrics.read": "metrics.k8s.io is served",
    "audit.read": "requests by user, verb and resource",
    "store.read": "the store's raw keys and its clients",
}


class Profile(NamedTuple):
    """A claim that somebody can make alone; a target without what it requires gets "not applicable"."""

    title: str
    requires: frozenset[str]


def _profile(title: str, *requires: str) -> Profile:
    return Profile(title, frozenset(requires))


PROFILES = {
    "api": _profile("An API server and its store"),
    "selection": _profile("Label selection"),
    "workloads": _profile("Workload controllers", "pods.run"),
    "admission": _profile("Quotas and limits"),
    "cluster": _profile("Nodes, namespaces, service accounts and tokens"),
    "discovery": _profile("Services and their endpoints", "pods.run"),
    "scheduling": _profile("The scheduler"),
    "kubelet": _profile("The kubelet", "pods.real"),
    "pod-network": _profile("The Pod network", "pods.real", "net.connect"),
    "flannel": _profile("Pods across nodes, with flannel", "pods.real", "net.connect", "net.state"),
    "service-network": _profile("The Service network", "pods.real", "net.connect"),
    "ipvs": _profile("kube-proxy in IPVS mode", "pods.real", "net.connect", "net.state"),
}


class Finding(NamedTuple):
    """One thing wrong with the specification; `uri` is relative to the features folder."""

    uri: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.uri}:{self.line}: {self.message}"


class BrokenFeature(Exception):
    """A feature file that cannot be read; `findings` has at least one entry."""

    def __init__(self, findings: list[Finding]):
        super().__init__("\n".join(map(str, findings)))
        self.findings = findings


@dataclass(frozen=True)
class Step:
    """One step as written. `type` is given, when or then; And and But take the type before them."""

    keyword: str
    type: str
    text: str
    line: int
    docstring: str | None = None
    table: tuple[tuple[str, ...], ...] | None = None

    def filled(self, values: dict[str, str]) -> Step:
        """The step with an outline's values in its text, docstring and table."""
        return Step(
            self.keyword,
            self.type,
            fill(self.text, values),
            self.line,
            None if self.docstring is None else fill(self.docstring, values),
            None if self.table is None else tuple(tuple(fill(cell, values) for cell in row) for row in self.table),
        )

    def as_data(self) -> dict[str, Any]:
        data: dict[str, Any] = {"type": self.type, "text": self.text}
        if self.docstring is not None:
            data["docstring"] = self.docstring
        if self.table is not None:
            data["table"] = self.table
        return data


@dataclass(frozen=True)
class Example:
    """One row of an outline's Examples; `number` counts from 1 through the whole outline."""

    number: int
    line: int
    values: dict[str, str]


@dataclass(frozen=True)
class Tag:
    name: str
    line: int


@dataclass(frozen=True)
class Rule:
    title: str
    line: int
    tags: tuple[Tag, ...] = ()
    background: tuple[Step, ...] = ()


@dataclass(frozen=True, eq=False)
class Scenario:
    """One scenario or outline. `tags` are its own and those it inherits from its Rule and its Feature."""

    feature: Feature = field(repr=False)
    rule: Rule | None
    title: str
    line: int
    tags: tuple[Tag, ...]
    own_tags: tuple[Tag, ...]
    own_steps: tuple[Step, ...]
    outline: bool
    examples: tuple[Example, ...]

    @cached_property
    def id(self) -> str:
        return next(iter(self.tagged("id")), "")

    @cached_property
    def level(self) -> str:
        return next((tag.name for tag in self.tags if tag.name in LEVELS), "")

    @cached_property
    def requirements(self) -> tuple[str, ...]:
        return self.tagged("req")

    @cached_property
    def needs(self) -> tuple[str, ...]:
        return self.tagged("needs")

    @property
    def profile(self) -> str:
        return self.feature.profile

    @property
    def uri(self) -> str:
        return self.feature.uri

    @cached_property
    def background(self) -> tuple[Step, ...]:
        return self.feature.background + (self.rule.background if self.rule else ())

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        return self.background + self.own_steps

    def tagged(self, key: str) -> tuple[str, ...]:
        """The values of the tags `@key:value`, each once, in order."""
        prefix = f"{key}:"
        found = (tag.name.removeprefix(prefix) for tag in self.tags if tag.name.startswith(prefix))
        return tuple(dict.fromkeys(found))

    @cached_property
    def cases(self) -> tuple[Case, ...]:
        """What is run and reported: the scenario itself, or each example of an outline."""
        if not self.outline:
            return (Case(self, None),)
        return tuple(Case(self, example) for example in self.examples)


@dataclass(frozen=True, eq=False)
class Case:
    scenario: Scenario
    example: Example | None

    @cached_property
    def id(self) -> str:
        return self.scenario.id if self.example is None else f"{self.scenario.id}#{self.example.number}"

    @property
    def line(self) -> int:
        return self.scenario.line if self.example is None else self.example.line

    @cached_property
    def title(self) -> str:
        return self.scenario.title if self.example is None else fill(self.scenario.title, self.example.values)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        if self.example is None:
            return self.scenario.steps
        return tuple(step.filled(self.example.values) for step in self.scenario.steps)


@dataclass(eq=False)
class Feature:
    """One feature file. `name` is the file's stem, `profile` its folder, `uri` its path below the features folder."""

    path: Path
    uri: str
    profile: str
    name: str
    title: str
    description: str
    line: int
    tags: tuple[Tag, ...]
    background: tuple[Step, ...] = ()
    rules: list[Rule] = field(default_factory=list)
    scenarios: list[Scenario] = field(default_factory=list)
    example_tags: list[Tag] = field(default_factory=list)

    @property
    def cases(self) -> Iterator[Case]:
        for scenario in self.scenarios:
            yield from scenario.cases


@dataclass(frozen=True)
class Clause:
    """A clause of features/requirements.yaml; `excluded` says why no scenario can cover it, where that is so."""

    id: str
    profile: str
    text: str
    line: int
    section: str = ""
    origin: str = ""
    excluded: str = ""


@dataclass
class Spec:
    """Everything below one features folder. Files that cannot be read are in `broken`."""

    root: Path
    features: list[Feature]
    clauses: dict[str, Clause]
    broken: list[Finding]

    @property
    def cases(self) -> Iterator[Case]:
        for feature in self.features:
            yield from feature.cases

    @property
    def profiles(self) -> list[str]:
        """The profiles that have features, in the order of the table."""
        present = {feature.profile for feature in self.features}
        return [name for name in PROFILES if name in present] + sorted(present - set(PROFILES))

    @cached_property
    def digest(self) -> str:
        return manifest_digest(self.cases)


def load(root: Path) -> Spec:
    """Parses every feature below `root`, in the order of their paths."""
    features, broken = [], []
    for path in sorted(root.rglob("*.feature")):
        try:
            features.append(parse_feature(path, root))
        except BrokenFeature as error:
            broken.extend(error.findings)
    try:
        clauses = load_clauses(root)
    except BrokenFeature as error:
        clauses = {}
        broken.extend(error.findings)
    order = {name: index for index, name in enumerate(PROFILES)}
    features.sort(key=lambda feature: (order.get(feature.profile, len(order)), feature.uri))
    return Spec(root, features, clauses, broken)


def load_clauses(root: Path) -> dict[str, Clause]:
    """The clause catalogue, features/requirements.yaml, by id."""
    path = root / "requirements.yaml"
    try:
        text = path.read_text(encoding="utf-8")
        entries = (yaml.load(text, Loader=_YAML) or {}).get("clauses") or []
        lines = {found[1]: text.count("\n", 0, found.start()) + 1 for found in re.finditer(r"\bid: *([\w-]+)", text)}
        return {
            entry["id"]: Clause(
                entry["id"],
                entry["profile"],
                entry["text"],
                lines.get(entry["id"], 1),
                entry.get("section", ""),
                entry.get("origin", ""),
                entry.get("excluded", ""),
            )
            for entry in entries
        }
    except FileNotFoundError:
        raise BrokenFeature([Finding(path.name, 1, "the clause catalogue is missing")]) from None
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, UnicodeDecodeError) as error:
        detail = " ".join(str(error).split())
        raise BrokenFeature([Finding(path.name, 1, f"the clause catalogue cannot be read: {detail}")]) from None


def parse_feature(path: Path, root: Path) -> Feature:
    """One feature file as data. Raises BrokenFeature where it is not Gherkin, or holds no feature."""
    uri = path.relative_to(root).as_posix()
    try:
        document: Any = Parser().parse(path.read_text(encoding="utf-8"))
    except CompositeParserException as error:
        raise BrokenFeature([_finding(uri, one) for one in error.errors]) from None
    except ParserError as error:
        raise BrokenFeature([_finding(uri, error)]) from None
    except UnicodeDecodeError:
        raise BrokenFeature([Finding(uri, 1, "the file is not UTF-8 text")]) from None
    raw = document.get("feature")
    if raw is None:
        raise BrokenFeature([Finding(uri, 1, "the file holds no Feature")])
    return _feature(raw, path, uri)


def manifest_digest(cases: Iterable[Case]) -> str:
    """A digest of what is asked of an implementation: ids, levels, requirements, needs and steps, not file layout."""
    manifest = [
        {
            "id": case.id,
            "level": case.scenario.level,
            "profile": case.scenario.profile,
            "requirements": sorted(case.scenario.requirements),
            "needs": sorted(case.scenario.needs),
            "steps": [step.as_data() for step in case.steps],
        }
        for case in sorted(cases, key=lambda case: case.id)
    ]
    return "sha256:" + hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def fill(text: str, values: dict[str, str]) -> str:
    """`<name>` replaced by the outline's value; unknown names stay."""
    return re.sub(r"<(.+?)>", lambda match: values.get(match[1], match[0]), text)


_YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TYPES = {"Context": "given", "Action": "when", "Outcome": "then"}


def _finding(uri: str, error: ParserError) -> Finding:
    location = getattr(error, "location", None) or {}
    message = re.sub(r"^\(\d+:\d+\): ", "", str(error).splitlines()[0])
    return Finding(uri, location.get("line", 1), f"not Gherkin: {message}")


def _feature(raw: Any, path: Path, uri: str) -> Feature:
    tags = _tags(raw)
    profile = uri.split("/")[0] if "/" in uri else ""
    feature = Feature(
        path, uri, profile, path.stem, raw["name"], raw["description"].strip(), raw["location"]["line"], tags
    )
    for child in raw["children"]:
        if "background" in child:
            feature.background += _steps(child["background"]["steps"])
        elif "rule" in child:
            _rule(child["rule"], feature)
        else:
            feature.scenarios.append(_scenario(child["scenario"], feature, None))
    return feature


def _rule(raw: Any, feature: Feature) -> None:
    backgrounds = [child["background"] for child in raw["children"] if "background" in child]
    background = tuple(step for one in backgrounds for step in _steps(one["steps"]))
    rule = Rule(raw["name"], raw["location"]["line"], _tags(raw), background)
    feature.rules.append(rule)
    for child in raw["children"]:
        if "scenario" in child:
            feature.scenarios.append(_scenario(child["scenario"], feature, rule))


def _scenario(raw: Any, feature: Feature, rule: Rule | None) -> Scenario:
    own_tags = _tags(raw)
    inherited = feature.tags + (rule.tags if rule else ())
    examples: list[Example] = []
    for table in raw["examples"]:
        feature.example_tags.extend(_tags(table))
        header = table.get("tableHeader")
        names = [cell["value"] for cell in header["cells"]] if header else []
        for row in table.get("tableBody") or ():
            values = dict(zip(names, (cell["value"] for cell in row["cells"]), strict=True))
            examples.append(Example(len(examples) + 1, row["location"]["line"], values))
    return Scenario(
        feature,
        rule,
        raw["name"],
        raw["location"]["line"],
        inherited + own_tags,
        own_tags,
        _steps(raw["steps"]),
        bool(raw["examples"]) or raw["keyword"] in ("Scenario Outline", "Scenario Template"),
        tuple(examples),
    )


def _steps(raw_steps: list[Any]) -> tuple[Step, ...]:
    steps = []
    current = ""
    for raw in raw_steps:
        current = _TYPES.get(raw["keywordType"], current)
        table = raw.get("dataTable")
        steps.append(
            Step(
                raw["keyword"].strip(),
                current,
                raw["text"],
                raw["location"]["line"],
                raw["docString"]["content"] if raw.get("docString") else None,
                tuple(tuple(cell["value"] for cell in row["cells"]) for row in table["rows"]) if table else None,
            )
        )
    return tuple(steps)


def _tags(raw: Any) -> tuple[Tag, ...]:
    return tuple(Tag(tag["name"].removeprefix("@"), tag["location"]["line"]) for tag in raw["tags"])
