"""Step definitions, split by domain. They know drivers by their interface only.

`given`, `when` and `then` define a step for pytest-bdd and enter it in the catalogue, which `gherkube list --steps`
prints and the linter reads. A step's docstring is an example of its use. The types that a step's text may use are
those of `gherkube.phrases`.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any, TypeVar

import pytest_bdd
from pytest_bdd import parsers

from gherkube.phrases import TYPES

DOMAINS = (
    *("common", "api", "errors", "patching", "watching", "discovery", "identity", "records"),
    *("pods", "workloads", "services", "nodes", "volumes", "scheduling", "network", "kubelet"),
)

F = TypeVar("F", bound=Callable[..., Any])


_SHOWN = {
    "Article": "a",
    "Object": "<object>",
    "Collection": "<objects>",
    "Kind": "<Kind>",
    "Names": '"<name>", ...',
    "PatchFormat": "<patch format>",
    "Number": "<number>",
    "Duration": "<time>",
    "Timing": "[within|for <time>] ",
    "Still": "[still] ",
    "Kept": "<still or no longer>",
    "Log": "<log>",
    "TokenLimit": " [<limit>]",
    "Allotted": "<address or port>",
    "Backends": "<endpoints>",
    "State": "<state>",
    "NetTable": "<table>",
    "Outcome": "<outcome>",
    "Target": "<target>",
    "Place": "<place>",
}


@dataclass(frozen=True, eq=False)
class Definition:
    """One step definition of the catalogue."""

    type: str
    text: str
    domain: str
    function: Callable[..., Any]
    parser: parsers.StepParser
    fixture: str  # as pytest-bdd named it

    @property
    def example(self) -> str:
        return inspect.cleandoc(self.function.__doc__ or "")

    @property
    def shown(self) -> str:
        """The text as a reader sees it: "the {ref:Object} is read" as "the <object> is read"."""
        return re.sub(r"\{(\w+)(?::(\w+))?\}", lambda match: _SHOWN.get(match[2], f"<{match[1]}>"), self.text)

    @property
    def description(self) -> str:
        """What the steps of this domain are about, from its module."""
        return (sys.modules[self.function.__module__].__doc__ or "").strip().splitlines()[0]

    def matches(self, type_: str, text: str) -> bool:
        return type_ == self.type and self.parser.is_matching(text)


_catalogue: list[Definition] = []


def given(text: str) -> Callable[[F], F]:
    """Defines a step of preparation; it must succeed."""
    return _define("given", text)


def when(text: str) -> Callable[[F], F]:
    """Defines the step that a scenario is about."""
    return _define("when", text)


def then(text: str) -> Callable[[F], F]:
    """Defines an expectation."""
    return _define("then", text)


def _define(type_: Any, text: str) -> Callable[[F], F]:
    parser = parsers.parse(text, extra_types=TYPES, case_sensitive=True)

    def register(function: F) -> F:
        domain = function.__module__.rpartition(".")[2]
        pytest_bdd.step(parser, type_, stacklevel=2)(function)
        fixture = next(reversed(vars(sys.modules[function.__module__])))  # the name that came last
        _catalogue.append(Definition(type_, text, domain, function, parser, fixture))
        return function

    return register


@cache
def modules() -> tuple[ModuleType, ...]:
    """The modules of step definitions, imported on first use."""
    return tuple(importlib.import_module(f"{__name__}.{domain}") for domain in DOMAINS)


def catalogue() -> list[Definition]:
    """Every step definition of the suite, by domain."""
    modules()
    return [definition for definition in _catalogue if definition.function.__module__.startswith(__name__)]


@cache
def fixtures_of(type_: str, text: str) -> tuple[str, ...]:
    """The fixtures of the definitions that a step matches."""
    return tuple(definition.fixture for definition in catalogue() if definition.matches(type_, text))


def fixtures() -> dict[str, Any]:
    """What a collected feature needs in its namespace: the steps, as the fixtures that pytest-bdd made of them."""
    return {
        name: value
        for module in modules()
        for name, value in vars(sys.modules[module.__name__]).items()
        if name.startswith("pytestbdd_stepdef")
    }
