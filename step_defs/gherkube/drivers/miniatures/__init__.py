"""Miniatures: the reference, wrong on purpose, one fault each. The suite must fail every one of them.

A miniature is defined in the module of its profile:

    @miniature("An update that carries a stale version is stored.", caught_by="objects.05", instead_of=check_version)
    def lets_a_stale_update_through(original, *args, **kwargs):
        return None

`original` is the right function. While a fault is planted, the function object itself is wrong, whoever holds it and
under whatever name: its `__code__` is exchanged. Where the fault is no function, decorate a generator function
without `instead_of`: it plants, yields, and restores. Used by the plugin (`--miniatures`) and `gherkube miniatures`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from types import FunctionType
from typing import Any

from gherkube.spec import Finding, Spec


@dataclass(frozen=True)
class Miniature:
    """One fault. `caught_by` are ids of scenarios that must fail; `#n` names one example of an outline."""

    name: str
    fault: str
    caught_by: tuple[str, ...]
    plant: Callable[[], AbstractContextManager[object]]


_defined: dict[str, Miniature] = {}
_places: dict[str, tuple[str, int]] = {}
_clashes: list[Finding] = []


def miniature(
    fault: str, *, caught_by: str | Iterable[str], instead_of: Any = None
) -> Callable[[Callable[..., Any]], Miniature]:
    """Defines a miniature; its name is the function's, its fault is told in one sentence.

    Of two with one name the first counts; the other is a finding of `clashes`.
    """

    def define(wrong: Callable[..., Any]) -> Miniature:
        name = wrong.__name__.strip("_").replace("_", "-")
        plant = (lambda: exchanged(instead_of, wrong)) if instead_of is not None else contextmanager(wrong)
        ids = (caught_by,) if isinstance(caught_by, str) else tuple(caught_by)
        made = Miniature(name, fault, ids, plant)
        place = wrong.__module__.replace(".", "/") + ".py", wrong.__code__.co_firstlineno
        if name in _defined:
            first = "{}:{}".format(*_places[name])
            _clashes.append(Finding(*place, f"there is a miniature {name} already, at {first}"))
        else:
            _defined[name], _places[name] = made, place
        return made

    return define


@cache
def all_miniatures() -> tuple[Miniature, ...]:
    """Every miniature, imported on first use."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return tuple(_defined.values())


def clashes() -> list[Finding]:
    """Miniatures whose name another one has: they would never be run."""
    all_miniatures()
    return list(_clashes)


def catching(*ids: str) -> list[Miniature]:
    """The miniatures that a scenario, known by any of these ids, is meant to catch."""
    return [one for one in all_miniatures() if not set(ids).isdisjoint(one.caught_by)]


def check(spec: Spec, miniatures: Iterable[Miniature] | None = None) -> list[Finding]:
    """Scenarios that no miniature needs, and miniatures that name a scenario which is not there."""
    miniatures = all_miniatures() if miniatures is None else list(miniatures)
    claimed = {id.partition("#")[0] for one in miniatures for id in one.caught_by}
    known = {case.id for case in spec.cases} | {case.scenario.id for case in spec.cases}
    findings = [
        Finding(feature.uri, scenario.line, f"no miniature is caught by {scenario.id}")
        for feature in spec.features
        for scenario in feature.scenarios
        if scenario.id not in claimed
    ]
    for one in miniatures:
        where = f"{getattr(one.plant, '__module__', __name__).replace('.', '/')}.py"
        if not one.caught_by:
            findings.append(Finding(where, 1, f"the miniature {one.name} names no scenario that catches it"))
        for id in one.caught_by:
            if id not in known:
                findings.append(Finding(where, 1, f"the miniature {one.name} names {id}, which is no scenario"))
    return findings


# Planting

_faults: dict[int, Callable[..., Any]] = {}
_BLUNDERS = (TypeError, AttributeError, NameError, LookupError)
blunders: list[str] = []  # of the fault planted last: a miniature that itself breaks proves nothing when it is caught


@contextmanager
def exchanged(function: Any, wrong: Callable[..., Any]) -> Iterator[None]:
    """While it lasts, `function` does what `wrong(original, *args, **kwargs)` does; `original` is the right one.

    Works for functions, methods and what holds them already, in tables, closures or under imported names.
    """
    target: Any = getattr(function, "__func__", function)
    if not isinstance(target, FunctionType):
        raise TypeError(f"{function!r} is not a Python function")
    code, defaults, kwdefaults = target.__code__, target.__defaults__, target.__kwdefaults__
    original = FunctionType(code, target.__globals__, target.__name__, defaults, target.__closure__)
    original.__kwdefaults__ = kwdefaults

    def fault(*args: Any, **kwargs: Any) -> Any:
        try:
            return wrong(original, *args, **kwargs)
        except _BLUNDERS as error:
            blunders.append(f"{type(error).__name__}: {error}")
            raise

    blunders.clear()
    _faults[id(target)] = fault
    constants = tuple(id(target) if one == _KEY else one for one in _trampoline.__code__.co_consts)
    try:
        target.__defaults__, target.__kwdefaults__ = None, None
        target.__code__ = _trampoline.__code__.replace(co_consts=constants, co_freevars=code.co_freevars)
        yield
    finally:
        target.__code__, target.__defaults__, target.__kwdefaults__ = code, defaults, kwdefaults
        del _faults[id(target)]


_KEY = "the key of the fault"


def _trampoline(*args: Any, **kwargs: Any) -> Any:
    """Runs with the globals of the exchanged function, so it may use nothing of this module by name."""
    from gherkube.drivers.miniatures import _faults

    return _faults["the key of the fault"](*args, **kwargs)  # type: ignore[index]
