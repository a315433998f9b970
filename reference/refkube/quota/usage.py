"""What all kinds' usage of a quota has in common: counting, scopes and arithmetic. Pure.

Source: apiserver/pkg/quota/v1 (resources.go, generic/evaluator.go).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from refkube.apimachinery.meta import Object, get_path
from refkube.apimachinery.quantity import ZERO, Quantity

Usage = dict[str, Quantity]

ONE = Quantity(1)
CREATE, UPDATE = "CREATE", "UPDATE"


class Evaluator:
    """Of a kind whose objects are counted: as count/<resource>.<group>, and under other names from older times."""

    def __init__(self, resource: str, *names: str):
        self.resource = resource
        self.names = frozenset({f"count/{resource}", *names})

    def handles(self, operation: str, subresource: str) -> bool:
        """Can such a request make the usage grow?"""
        return operation == CREATE and not subresource

    def matching(self, names: Iterable[str]) -> list[str]:
        """Those of a quota's resources that this kind uses."""
        return [name for name in names if name in self.names]

    def missing(self, names: Iterable[str], obj: Object) -> str:
        """Why an object may not go without saying what it needs of these resources; empty if it may."""
        return ""

    def usage(self, obj: Object, now: float) -> Usage:
        """At a time, in seconds since 1970."""
        return dict.fromkeys(self.names, ONE)

    def in_scope(self, spec: Object, obj: Object) -> bool:
        """Does the quota of this spec count the object? One without scopes counts all."""
        return all(self.matches(*scope, obj) for scope in scopes_of(spec))

    def matches(self, scope: str, operator: str, values: Collection[str], obj: Object) -> bool:
        return False


def scopes_of(spec: Object) -> list[tuple[str, str, Collection[str]]]:
    """A quota's scopes and the terms of its selector, as (scope, operator, values)."""
    terms = get_path(spec, "scopeSelector", "matchExpressions", default=())
    plain: list[tuple[str, str, Collection[str]]] = [(scope, "Exists", ()) for scope in spec.get("scopes") or ()]
    return plain + [(term["scopeName"], term["operator"], term.get("values") or ()) for term in terms]


def chosen(operator: str, values: Collection[str], name: str | None) -> bool:
    """Does a term of a scope selector choose a class of this name? None: the object names none."""
    if operator in ("Exists", "DoesNotExist"):
        return bool(name) == (operator == "Exists")
    return (name in values) == (operator == "In")


def increase(new: Mapping[str, Quantity], old: Mapping[str, Quantity]) -> Usage:
    """By how much the usage grows, where it does."""
    grown = {name: amount - old.get(name, ZERO) for name, amount in new.items()}
    return {name: amount for name, amount in grown.items() if amount.sign > 0}


def used(
    spec: Object, evaluator: Evaluator, objects: Iterable[Object], usage: Callable[[Object], Mapping[str, Quantity]]
) -> Usage:
    """What the objects of one kind use of the hard limits in a quota's spec, each as `usage` says."""
    total = dict.fromkeys(evaluator.matching(spec.get("hard") or ()), ZERO)
    scoped = bool(scopes_of(spec))
    for obj in objects:
        if not scoped or evaluator.in_scope(spec, obj):
            own = usage(obj)
            for name in total:
                if name in own:
                    total[name] = total[name] + own[name]
    return total
