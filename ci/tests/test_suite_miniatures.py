"""Planting faults: the exchange of functions reaches every holder and leaves no trace; what is no catch is no catch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gherkube import cli
from gherkube.drivers import miniatures
from gherkube.drivers.miniatures import Miniature, blunders, exchanged
from gherkube.spec import load


def plain(a: int, b: int = 2, *, c: int = 3) -> int:
    return a + b + c


def closure(step: int) -> Callable[[int], int]:
    def add(a: int) -> int:
        return a + step

    return add


class Base:
    def told(self) -> str:
        return "base"


class Derived(Base):
    def told(self) -> str:
        return f"derived from {super().told()}"


TABLE = {"plain": plain}


def test_every_holder_of_a_function_gets_the_fault() -> None:
    held = plain
    with exchanged(plain, lambda original, *args, **kwargs: original(*args, **kwargs) * 10):
        assert plain(1) == held(1) == TABLE["plain"](1) == 60
        assert plain(1, b=1, c=1) == 30
    assert plain(1) == held(1) == 6
    assert plain.__defaults__ == (2,)
    assert plain.__kwdefaults__ == {"c": 3}


def test_closures_and_methods_can_be_exchanged() -> None:
    add = closure(5)
    with exchanged(add, lambda original, a: original(a) + 100):
        assert add(1) == 106
    assert add(1) == 6
    with exchanged(Derived.told, lambda original, self: original(self).upper()):
        assert Derived().told() == "DERIVED FROM BASE"
    assert Derived().told() == "derived from base"


def test_a_fault_is_removed_whatever_happens() -> None:
    with pytest.raises(KeyError), exchanged(plain, lambda original, *args: 1 / 0):
        raise KeyError("a scenario's own")
    assert plain(1) == 6


def test_what_breaks_in_the_fault_itself_is_noted() -> None:
    with exchanged(plain, lambda original: 0), pytest.raises(TypeError):
        plain(1)
    assert len(blunders) == 1
    assert blunders[0].startswith("TypeError")
    with exchanged(plain, lambda original, *args: 0):
        assert blunders == []


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(TypeError, match="is not a Python function"), exchanged(len, lambda original, a: 0):
        pass


def test_definitions_get_their_name_and_their_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(miniatures, "_defined", {})
    monkeypatch.setattr(miniatures, "_places", {})

    @miniatures.miniature("It forgets.", caught_by=("a.01", "a.02#3"), instead_of=plain)
    def forgets_all(original: Any, *args: Any) -> int:
        return 0

    assert isinstance(forgets_all, Miniature)
    assert (forgets_all.name, forgets_all.fault) == ("forgets-all", "It forgets.")
    with forgets_all.plant():
        assert plain(1) == 0
    assert plain(1) == 6
    monkeypatch.setattr(miniatures, "all_miniatures", lambda: (forgets_all,))
    assert miniatures.catching("a.02#3", "a.02") == [forgets_all]
    assert miniatures.catching("a.02#1", "a.02") == []


def test_two_miniatures_of_one_name_are_told_by_lint_with_both_places(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    miniatures.all_miniatures()
    for name in ("_defined", "_places"):
        monkeypatch.setattr(miniatures, name, dict(getattr(miniatures, name)))
    monkeypatch.setattr(miniatures, "_clashes", [])
    assert cli.call(["lint"]) == 0
    capsys.readouterr()
    define = miniatures.miniature("It is wrong.", caught_by="objects.01", instead_of=plain)
    first, second = (define(made()) for made in (forgets_all_first, forgets_all_second))
    assert first.name == second.name
    assert miniatures._defined["forgets-all"] is first
    assert cli.call(["lint"]) == 3
    here = __name__.replace(".", "/") + ".py"
    places = [f"{here}:{made.__code__.co_firstlineno + 1}" for made in (forgets_all_first, forgets_all_second)]
    told = capsys.readouterr().out.splitlines()
    assert told == [f"{places[1]}: there is a miniature forgets-all already, at {places[0]}"]


def forgets_all_first() -> Callable[..., int]:
    def forgets_all(original: Any) -> int:
        return 0

    return forgets_all


def forgets_all_second() -> Callable[..., int]:
    def forgets_all(original: Any) -> int:
        return 1

    return forgets_all


def test_scenarios_without_a_miniature_and_miniatures_without_a_scenario_are_named(tmp_path: Path) -> None:
    (tmp_path / "api").mkdir()
    (tmp_path / "requirements.yaml").write_text("clauses: []")
    (tmp_path / "api/a.feature").write_text(
        "Feature: A\n  @core @req:X\n  Rule: R\n"
        "    @id:a.01\n    Scenario: One\n      When a\n      Then b\n"
        "    @id:a.02\n    Scenario: Two\n      When a\n      Then b\n"
    )

    def made(*ids: str) -> Miniature:
        return Miniature("m", "It is wrong.", ids, lambda: exchanged(plain, lambda original: 0))

    found = [finding.message for finding in miniatures.check(load(tmp_path), [made("a.01"), made("a.09"), made()])]
    assert found == [
        "no miniature is caught by a.02",
        "the miniature m names a.09, which is no scenario",
        "the miniature m names no scenario that catches it",
    ]


def test_wrong_tags_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.call(["miniatures", "--tags", "@core and"]) == 3
    assert capsys.readouterr().err.startswith("gherkube: no tag expression")
