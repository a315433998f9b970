"""Faults in claims and volumes: features/cluster/{volumes,provisioning}.feature."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from refkube.admission.chain import Attributes
from refkube.admission.plugins.persistentvolumeclaimresize import PersistentVolumeClaimResize
from refkube.api import storage, validation
from refkube.apimachinery.meta import Object, name_of, namespace_of
from refkube.apimachinery.quantity import Quantity
from refkube.controllers.persistentvolume import binder
from refkube.controllers.persistentvolume.binder import PersistentVolumeController
from refkube.controllers.persistentvolume.expand import ExpandController
from refkube.controllers.persistentvolume.protection import ClaimProtection, VolumeProtection
from refkube.volumes import HostPath

from gherkube.drivers.miniatures import exchanged, miniature
from gherkube.drivers.miniatures.validation import unjudged

Original = Callable[..., Any]
Binder = PersistentVolumeController

# Binding


@miniature(
    "No claim is ever bound.",
    caught_by=("volumes.01", "volumes.06", "volumes.07", "volumes.12", "provisioning.03"),
    instead_of=Binder._bind,
)
def binds_nothing(original: Original, self: Binder, volume: Object, claim: Object) -> None:
    return None


@miniature("A claim is looked at once.", caught_by="volumes.02", instead_of=Binder._resync)
def looks_at_claims_once(original: Original, self: Binder) -> None:
    self._timer = self._loop.call_later(self._period, self._resync)


@miniature("The largest volume is bound.", caught_by=("volumes.03#1", "volumes.03#4"), instead_of=storage.best_match)
def binds_the_largest(original: Original, claim: Object, volumes: Iterable[Object], delayed: bool) -> Object | None:
    ranked = sorted(volumes, key=storage.capacity, reverse=True)
    found: Object | None = original(claim, ranked[:1], delayed)
    return found


@miniature("Any volume is large enough.", caught_by="volumes.04#1", instead_of=storage.capacity)
def takes_any_size(original: Original, volume: Object) -> Quantity:
    return Quantity(10**18)


@miniature(
    "How a volume is accessed does not count.",
    caught_by=("volumes.04#2", "volumes.04#3"),
    instead_of=storage._can_be_accessed,
)
def ignores_access(original: Original, claim: Object, volume: Object) -> bool:
    return True


@miniature("Disks are taken for file systems.", caught_by="volumes.04#4", instead_of=storage._of_one_mode)
def ignores_modes(original: Original, claim: Object, volume: Object) -> bool:
    return True


@miniature(
    "Labels of volumes do not count.",
    caught_by=("volumes.04#5", "volumes.04#6", "volumes.06"),
    instead_of=storage._suits,
)
def ignores_labels(original: Original, claim: Object, volume: Object, mine: bool) -> bool:
    spec = {key: value for key, value in claim["spec"].items() if key != "selector"}
    return bool(original({**claim, "spec": spec}, volume, mine))


@miniature("There are no classes.", caught_by=("volumes.05", "volumes.14"), instead_of=storage.class_of)
def knows_no_classes(original: Original, obj: Object) -> str:
    return ""


@miniature("A claim that names a volume gets any.", caught_by="volumes.07", instead_of=Binder._bind_named)
def binds_another_than_named(original: Original, self: Binder, claim: Object, name: str) -> None:
    self._find(claim)


@miniature("Who names a volume gets it, whoever has it.", caught_by="volumes.08", instead_of=Binder._bind_named)
def takes_volumes_away(original: Original, self: Binder, claim: Object, name: str) -> None:
    volume = self._volumes.get(name)
    if volume is not None:
        self._bind(_unclaimed(volume), claim)


@miniature("For whom a volume is kept does not count.", caught_by="volumes.09", instead_of=storage.is_bound_to)
def keeps_for_nobody(original: Original, volume: Object, claim: Object) -> bool:
    return False


@miniature("A volume that is kept is given to the next.", caught_by="volumes.10")
def gives_what_is_kept() -> Iterator[None]:
    def wanted_by(original: Original, volume: Object) -> tuple[str, ...]:
        return tuple(original(_unclaimed(volume)))

    def suits(original: Original, claim: Object, volume: Object, mine: bool) -> bool:
        return bool(original(claim, _unclaimed(volume), mine))

    with exchanged(binder._wanted_by, wanted_by), exchanged(storage._suits, suits):
        yield


@miniature("A volume that is bound is still free.", caught_by=("volumes.11", "volumes.12"))
def binds_twice() -> Iterator[None]:
    def wanted_by(original: Original, volume: Object) -> tuple[str, ...]:
        return tuple(original(_unclaimed(volume)))

    def suits(original: Original, claim: Object, volume: Object, mine: bool) -> bool:
        return bool(original(claim, {**_unclaimed(volume), "status": {"phase": "Available"}}, mine))

    def bind(original: Original, self: Binder, volume: Object, claim: Object) -> None:
        original(self, _unclaimed(volume), claim)

    with exchanged(binder._wanted_by, wanted_by), exchanged(storage._suits, suits), exchanged(Binder._bind, bind):
        yield


@miniature("No class waits.", caught_by="volumes.13", instead_of=storage.best_match)
def waits_for_no_consumer(original: Original, claim: Object, volumes: Iterable[Object], delayed: bool) -> Object | None:
    found: Object | None = original(claim, volumes, False)
    return found


@miniature("A claim that waits is silent.", caught_by=("volumes.13", "volumes.15"), instead_of=Binder._find)
def waits_in_silence(original: Original, self: Binder, claim: Object) -> None:
    return None


# Reclaiming


@miniature(
    "Every volume is deleted with its claim.",
    caught_by=("volumes.16", "provisioning.06"),
    instead_of=Binder._release,
)
def retains_nothing(original: Original, self: Binder, volume: Object) -> None:
    original(self, {**volume, "spec": {**volume["spec"], "persistentVolumeReclaimPolicy": "Delete"}})


@miniature("A claim gets the volume of its namesake.", caught_by="volumes.17", instead_of=storage.is_bound_to)
def mistakes_claims(original: Original, volume: Object, claim: Object) -> bool:
    ref = volume["spec"].get("claimRef") or {}
    return (ref.get("namespace"), ref.get("name")) == (namespace_of(claim), name_of(claim))


@miniature("A volume that was let go stays so.", caught_by="volumes.18", instead_of=Binder._volume_phase)
def keeps_volumes_released(original: Original, self: Binder, volume: Object, phase: str, message: str = "") -> Object:
    if phase == "Available" and (volume.get("status") or {}).get("phase") == "Released":
        return volume
    told: Object = original(self, volume, phase, message)
    return told


@miniature("A claim is never lost.", caught_by="volumes.19", instead_of=Binder._keep_bound)
def never_loses(original: Original, self: Binder, claim: Object, volume: Object | None) -> None:
    if volume is not None:
        original(self, claim, volume)


@miniature("The volume of a claim outlives it.", caught_by="provisioning.05", instead_of=Binder._release)
def deletes_no_volume(original: Original, self: Binder, volume: Object) -> None:
    self._volume_phase(volume, "Released")


# Protection


@miniature("No claim is in use.", caught_by="volumes.20", instead_of=ClaimProtection._is_used)
def takes_claims_in_use(original: Original, self: ClaimProtection, key: str, claim: Object) -> bool:
    return False


@miniature("Nobody notices that a claim is used no more.", caught_by="volumes.21", instead_of=ClaimProtection._let_go)
def holds_claims_for_ever(original: Original, self: ClaimProtection, pod: Object) -> None:
    return None


@miniature(
    "What is protected never goes.",
    caught_by=("volumes.21", "volumes.22", "volumes.24", "volumes.27"),
    instead_of=VolumeProtection.reconcile,
)
def protects_for_ever(original: Original, self: VolumeProtection, key: str) -> None:
    return None


@miniature("No volume is in use.", caught_by="volumes.23", instead_of=VolumeProtection._is_used)
def takes_volumes_in_use(original: Original, self: VolumeProtection, key: str, volume: Object) -> bool:
    return False


# Growth


@miniature("Every claim may grow.", caught_by="volumes.25", instead_of=PersistentVolumeClaimResize.validate)
def lets_all_grow(original: Original, self: PersistentVolumeClaimResize, asked: Attributes) -> None:
    return None


unjudged(
    "lets_claims_shrink",
    "What a claim asks for can be anything.",
    ("volumes.26", "volumes.28"),
    ("PersistentVolumeClaim",),
    judge=validation.validate_update,
)


@miniature(
    "A claim that asks for more does not get it.", caught_by="provisioning.07", instead_of=ExpandController.reconcile
)
def expands_nothing(original: Original, self: ExpandController, key: str) -> None:
    return None


# Provisioning


@miniature("There is no default class.", caught_by="provisioning.01", instead_of=storage.default_class)
def has_no_default_class(original: Original, classes: Iterable[Object]) -> None:
    return None


@miniature("Who wants no class gets the default one.", caught_by="provisioning.02", instead_of=storage.has_class)
def takes_none_for_unsaid(original: Original, claim: Object) -> bool:
    return bool(claim["spec"].get("storageClassName"))


@miniature("A volume that is made is kept for ever.", caught_by="provisioning.01", instead_of=Binder._provision_here)
def provisions_for_ever(
    original: Original, self: Binder, claim: Object, storage_class: Object, provisioner: HostPath
) -> None:
    original(self, claim, {**storage_class, "reclaimPolicy": "Retain"}, provisioner)


@miniature("Another's class is served, too.", caught_by="provisioning.04", instead_of=Binder._provision)
def provisions_for_others(original: Original, self: Binder, claim: Object, storage_class: Object | None) -> None:
    made = storage_class and {**storage_class, "provisioner": HostPath.name}
    original(self, claim, made)


def _unclaimed(volume: Object) -> Object:
    return {**volume, "spec": {key: value for key, value in volume["spec"].items() if key != "claimRef"}}
