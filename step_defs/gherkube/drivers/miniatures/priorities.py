"""Faults in priorities and default tolerations: features/admission/{priorities,tolerations}.feature."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from refkube.admission.chain import Attributes
from refkube.admission.plugins import defaulttolerationseconds as tolerations
from refkube.admission.plugins import priority as room
from refkube.admission.plugins.defaulttolerationseconds import DefaultTolerationSeconds
from refkube.admission.plugins.priority import Priority
from refkube.api import validation
from refkube.apimachinery import errors
from refkube.apimachinery.meta import Object

from gherkube.drivers.miniatures import miniature
from gherkube.drivers.miniatures.validation import unjudged

Original = Callable[..., Any]


@miniature("Pods have no priority.", caught_by=("priorities.01", "priorities.03"), instead_of=Priority.admit)
def gives_no_priority(original: Original, self: Priority, asked: Attributes) -> None:
    return None


@miniature("The class's policy is forgotten.", caught_by="priorities.01", instead_of=room._ranked)
def forgets_policies(original: Original, spec: Object, name: str, value: int, policy: str | None) -> Object:
    made: Object = original(spec, name, value, None)
    return made


@miniature("No priority is below nought.", caught_by="priorities.02", instead_of=room._ranked)
def raises_priorities(original: Original, spec: Object, name: str, value: int, policy: str | None) -> Object:
    made: Object = original(spec, name, max(0, value), policy)
    return made


@miniature("A class that is not there is none.", caught_by="priorities.04", instead_of=Priority.admit)
def takes_unknown_classes(original: Original, self: Priority, asked: Attributes) -> Object | None:
    try:
        return original(self, asked)
    except errors.StatusError as refusal:
        if "was found" in refusal.message:
            return None
        raise


@miniature("A Pod's own number counts.", caught_by="priorities.05", instead_of=Priority.admit)
def takes_given_numbers(original: Original, self: Priority, asked: Attributes) -> Object | None:
    try:
        return original(self, asked)
    except errors.StatusError as refusal:
        if "must not be provided" in refusal.message:
            return None
        raise


@miniature("The system's classes are like any other.", caught_by="priorities.06", instead_of=room._ranked)
def levels_the_system(original: Original, spec: Object, name: str, value: int, policy: str | None) -> Object:
    made: Object = original(spec, name, min(value, 1_000_000_000), policy)
    return made


@miniature("An update decides the priority anew.", caught_by="priorities.07", instead_of=room._kept)
def decides_anew(original: Original, new: Object, old: Object) -> Object:
    return {**new, "spec": {**new["spec"], "priority": 0}}


unjudged(
    "lets_classes_change",
    "A class's number can be changed.",
    "priorities.08",
    ("PriorityClass",),
    judge=validation.validate_update,
)
unjudged("does_not_judge_classes", "Any class can be made.", ("priorities.09#2", "priorities.10"), ("PriorityClass",))

# Tolerations


@miniature(
    "Nobody tolerates anything unasked.",
    caught_by=("tolerations.01", "tolerations.04"),
    instead_of=DefaultTolerationSeconds.admit,
)
def adds_no_toleration(original: Original, self: DefaultTolerationSeconds, asked: Attributes) -> None:
    return None


@miniature(
    "Everybody tolerates it for five minutes.",
    caught_by=("tolerations.02", "tolerations.03"),
    instead_of=tolerations._tolerating,
)
def adds_to_what_is_tolerated(original: Original, spec: Object) -> Object:
    own = spec.get("tolerations") or []
    made = original({key: value for key, value in spec.items() if key != "tolerations"})
    return {**made, "tolerations": [*own, *made["tolerations"]]}


@miniature("Any effect will do.", caught_by="tolerations.04", instead_of=tolerations._tolerating)
def ignores_effects(original: Original, spec: Object) -> Object:
    own = [{**one, "effect": ""} for one in spec.get("tolerations") or ()]
    made = original({**spec, "tolerations": own})
    return {**made, "tolerations": [*(spec.get("tolerations") or ()), *made["tolerations"][len(own) :]]}
