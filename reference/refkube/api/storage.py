"""Storage classes, and which volume suits which claim. Pure helpers of admission, quota, the binder and the scheduler.

Facts: component-helpers/storage/volume, kubernetes/pkg/controller/volume/persistentvolume/index.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from refkube.apimachinery.meta import (
    Object,
    annotations_of,
    get_path,
    is_terminating,
    labels_of,
    metadata_of,
    name_of,
    namespace_of,
)
from refkube.apimachinery.quantity import Quantity, parse
from refkube.apimachinery.selectors import from_label_selector

BETA_CLASS = "volume.beta.kubernetes.io/storage-class"
IS_DEFAULT = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")


def class_of(obj: Object) -> str:
    """The storage class of a claim or a volume; empty where it has none."""
    named = annotations_of(obj).get(BETA_CLASS)
    return named if named is not None else obj["spec"].get("storageClassName") or ""


def has_class(claim: Object) -> bool:
    """Does it say one? The empty name says that there is to be none."""
    return BETA_CLASS in annotations_of(claim) or claim["spec"].get("storageClassName") is not None


def default_class(classes: Iterable[Object]) -> Object | None:
    """Of several the newest."""
    found = [one for one in classes if any(annotations_of(one).get(mark) == "true" for mark in IS_DEFAULT)]
    found.sort(key=name_of)
    return max(found, key=lambda one: metadata_of(one).get("creationTimestamp", ""), default=None)


def requested(claim: Object) -> Quantity:
    return parse(get_path(claim, "spec", "resources", "requests", "storage", default="0"))


def capacity(volume: Object) -> Quantity:
    return parse(get_path(volume, "spec", "capacity", "storage", default="0"))


def is_bound_to(volume: Object, claim: Object) -> bool:
    """Is the volume this claim's, or kept for a claim of its name?"""
    ref = volume["spec"].get("claimRef")
    if ref is None or (ref.get("namespace"), ref.get("name")) != (namespace_of(claim), name_of(claim)):
        return False
    return ref.get("uid") in (None, "", metadata_of(claim).get("uid"))


def mismatch(claim: Object, volume: Object) -> str:
    """Why the volume that a claim asks for by name is not for it; empty if it is."""
    if capacity(volume) < requested(claim):
        return "requested PV is too small"
    if class_of(volume) != class_of(claim):
        return "storageClassName does not match"
    if not _of_one_mode(claim, volume):
        return "incompatible volumeMode"
    if not _of_one_kind(claim, volume):
        return "volumeAttributesClassName does not match"
    return "" if _can_be_accessed(claim, volume) else "incompatible accessMode"


def best_match(claim: Object, volumes: Iterable[Object], delayed: bool) -> Object | None:
    """The volume kept for the claim, else the smallest that will do, of those with the fewest access modes.

    A claim that waits for its first consumer (`delayed`) gets from the scheduler what is not kept for it.
    """
    best: tuple[tuple[int, bool, Quantity, str], Object] | None = None
    for volume in volumes:
        mine = is_bound_to(volume, claim)
        if (mine or not delayed) and _suits(claim, volume, mine):
            rank = len(volume["spec"].get("accessModes") or ()), not mine, capacity(volume), name_of(volume)
            if best is None or rank < best[0]:
                best = rank, volume
    return best[1] if best else None


def _suits(claim: Object, volume: Object, mine: bool) -> bool:
    if is_terminating(volume) or capacity(volume) < requested(claim):
        return False
    if not (_can_be_accessed(claim, volume) and _of_one_mode(claim, volume) and _of_one_kind(claim, volume)):
        return False
    if mine:
        return True
    spec = volume["spec"]
    if spec.get("claimRef") is not None or get_path(volume, "status", "phase") != "Available":
        return False
    selector: Mapping[str, object] | None = claim["spec"].get("selector")
    chosen = selector is None or from_label_selector(dict(selector)).matches(labels_of(volume))
    return chosen and class_of(volume) == class_of(claim)


def _can_be_accessed(claim: Object, volume: Object) -> bool:
    return set(claim["spec"].get("accessModes") or ()) <= set(volume["spec"].get("accessModes") or ())


def _of_one_mode(claim: Object, volume: Object) -> bool:
    return (claim["spec"].get("volumeMode") or "Filesystem") == (volume["spec"].get("volumeMode") or "Filesystem")


def _of_one_kind(claim: Object, volume: Object) -> bool:
    attributes = "volumeAttributesClassName"
    return (claim["spec"].get(attributes) or "") == (volume["spec"].get(attributes) or "")
