"""One session of the suite: what was asked for, the open target, and what each collected scenario is.

Shared by the plugin, which makes it, and the fixtures that a collected feature sees.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from pytest_bdd.exceptions import StepDefinitionNotFoundError

from gherkube import paths
from gherkube.drivers import open_target
from gherkube.drivers.base import Driver, NotOffered
from gherkube.outcome import Outcome
from gherkube.spec import LEVELS, PROFILES, BrokenFeature, Case, Clause, load_clauses


@dataclass
class Selection:
    """What of the specification is wanted; empty is everything."""

    profiles: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    tags: str = ""

    def __post_init__(self) -> None:
        for profile in self.profiles:
            if profile not in PROFILES:
                raise ValueError(f"no profile {profile!r}; profiles: {', '.join(PROFILES)}")
        for level in self.levels:
            if level not in LEVELS:
                raise ValueError(f"no level {level!r}; levels: {', '.join(LEVELS)}")
        self._expression = _tag_expression(self.tags)

    @property
    def partial(self) -> bool:
        """Whether a profile that is selected is not selected as a whole."""
        return bool(self.tags or self.levels)

    def __contains__(self, case: Case) -> bool:
        scenario = case.scenario
        if self.profiles and scenario.profile not in self.profiles:
            return False
        if self.levels and scenario.level not in self.levels:
            return False
        return self._expression is None or bool(self._expression.evaluate([f"@{tag.name}" for tag in scenario.tags]))


def _tag_expression(text: str) -> Any:
    """A Cucumber tag expression such as "@core and not @needs:time.skip". Raises ValueError."""
    if not text.strip():
        return None
    try:
        from cucumber_tag_expressions import TagExpressionError, parse  # type: ignore[import-untyped]
    except ImportError:
        raise ValueError("tag expressions need the package cucumber-tag-expressions: pip install it") from None
    try:
        return parse(text)
    except TagExpressionError as error:
        raise ValueError(f"no tag expression: {' '.join(str(error).split())}") from None


@dataclass
class Suite:
    """The suite within one pytest process. The target is opened when the first feature is collected."""

    root: Path
    target: str = "reference"
    selection: Selection = field(default_factory=Selection)
    retries: int = 0
    miniatures: bool = False
    record: bool = False
    _driver: Driver | None = None

    @property
    def driver(self) -> Driver:
        """Raises gherkube.drivers.base.TargetError."""
        if self._driver is None:
            self._driver = open_target(self.target)
        return self._driver

    @property
    def opened(self) -> bool:
        return self._driver is not None

    @cached_property
    def clauses(self) -> dict[str, Clause]:
        try:
            return load_clauses(self.root)
        except BrokenFeature as error:
            raise pytest.UsageError(str(error)) from None

    def holds(self, path: Path) -> bool:
        """Whether a file is a feature of this suite: below its own folder, and nobody else's."""
        return path.suffix == ".feature" and path.is_relative_to(self.root)

    def unsupported(self, case: Case) -> str:
        """Why the target cannot run the case, "" if it can."""
        return unsupported(case, self.driver.capabilities)

    def close(self) -> None:
        if self._driver is not None:
            driver, self._driver = self._driver, None
            driver.close()


def unsupported(case: Case, capabilities: frozenset[str]) -> str:
    profile = PROFILES.get(case.scenario.profile)
    if profile is not None and (lacking := profile.requires - capabilities):
        return f"the profile {case.scenario.profile} requires {', '.join(sorted(lacking))}"
    lacking = frozenset(case.scenario.needs) - capabilities
    return f"the target lacks {', '.join(sorted(lacking))}" if lacking else ""


def default_root() -> Path:
    return paths.features_dir().resolve()


SUITE: pytest.StashKey[Suite] = pytest.StashKey()
CASE: pytest.StashKey[Case] = pytest.StashKey()
WORLD: pytest.StashKey[Any] = pytest.StashKey()


class UnsupportedHere(pytest.skip.Exception):  # type: ignore[name-defined]
    """Skips a scenario whose needs the target lacks."""


def classify(error: BaseException) -> Outcome:
    """What an exception that ended a phase of a scenario means."""
    if isinstance(error, StepDefinitionNotFoundError):
        return Outcome.UNDEFINED
    if isinstance(error, UnsupportedHere | NotOffered):
        return Outcome.UNSUPPORTED
    if isinstance(error, pytest.skip.Exception):
        return Outcome.SKIPPED
    if isinstance(error, AssertionError | pytest.fail.Exception):
        return Outcome.FAILED
    return Outcome.ERRORED
