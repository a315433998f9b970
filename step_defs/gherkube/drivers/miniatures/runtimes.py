"""Faults that features/admission/runtimes.feature must catch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from refkube.admission.chain import Attributes
from refkube.admission.plugins import runtimeclass as room
from refkube.admission.plugins.runtimeclass import RuntimeClass
from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object

from gherkube.drivers.miniatures import miniature

Original = Callable[..., Any]


@miniature("A class costs nothing.", caught_by="runtimes.01", instead_of=room._overhead)
def costs_nothing(original: Original, runtime_class: Object | None) -> Object:
    return {}


@miniature("A Pod may bargain.", caught_by="runtimes.05", instead_of=room._equal)
def lets_pods_bargain(original: Original, one: Object, other: Object) -> bool:
    return True


@miniature("Every node has every class.", caught_by=("runtimes.02", "runtimes.07"), instead_of=room._selector)
def places_nobody(original: Original, attributes: Attributes, given: Object, scheduling: Object) -> Object:
    return given


@miniature("Every class costs something.", caught_by="runtimes.03", instead_of=room._overhead)
def costs_something(original: Original, runtime_class: Object | None) -> Object:
    return original(runtime_class) or ({"cpu": "1m"} if runtime_class else {})


@miniature("A class need not exist.", caught_by="runtimes.04", instead_of=RuntimeClass._class)
def knows_every_class(original: Original, self: RuntimeClass, attributes: Attributes) -> Object | None:
    try:
        return original(self, attributes)
    except StatusError:
        return {}


@miniature("Whoever likes has an overhead.", caught_by="runtimes.06", instead_of=RuntimeClass.validate)
def lets_anybody_cost(original: Original, self: RuntimeClass, attributes: Attributes) -> None:
    return None
