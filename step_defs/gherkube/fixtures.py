"""The fixtures that a collected feature sees, and nobody else: its world, and an outline's example."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gherkube.session import CASE, SUITE, WORLD
from gherkube.spec import PROFILES
from gherkube.world import World


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """The scenario's world, on a target prepared for it; afterwards nothing of it is left there."""
    driver = request.config.stash[SUITE].driver
    try:
        case = request.node.stash[CASE]
        made = World(driver, driver.begin(case.id, {*case.scenario.needs, *PROFILES[case.scenario.profile].requires}))
        request.node.stash[WORLD] = made
        try:
            yield made
        finally:
            made.close()
    finally:
        driver.end()


@pytest.fixture
def _pytest_bdd_example(request: pytest.FixtureRequest) -> dict[str, str]:
    """The values that pytest-bdd puts into an outline's steps."""
    example = request.node.stash[CASE].example
    return dict(example.values) if example is not None else {}


ALL = {"world": world, "_pytest_bdd_example": _pytest_bdd_example}
