"""Faults that the features of garbage collection and of lost Pods must catch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from refkube.api.kinds import Kind
from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object, name_of, namespace_of, uid_of
from refkube.apimachinery.owners import owners_of
from refkube.controllers import garbagecollector
from refkube.controllers.garbagecollector import FOREGROUND, ORPHAN, GarbageCollector, Known, Owners
from refkube.controllers.podgc import PodGCController

from gherkube.drivers.miniatures import exchanged, miniature

Original = Callable[..., Any]

GONE = ("garbage.01", "garbage.02", "garbage.03", "garbage.13", "garbage.14")


@miniature("Nothing is collected.", caught_by=GONE, instead_of=GarbageCollector._collect)
def collects_nothing(original: Original, self: GarbageCollector, known: Known) -> None:
    return None


@miniature("What was owned by what was collected stays.",
           caught_by="garbage.02", instead_of=GarbageCollector._gone)  # fmt: skip
def collects_one_generation(original: Original, self: GarbageCollector, kind: Kind, obj: Object) -> None:
    if owners_of(obj):
        self._known.pop(uid_of(obj), None)
        return
    original(self, kind, obj)


@miniature(
    "An owner waits for nothing.",
    caught_by=("garbage.05", "garbage.08"),
    instead_of=GarbageCollector._await_dependents,
)
def waits_for_no_dependents(original: Original, self: GarbageCollector, known: Known) -> None:
    for dependent in self._dependents_of(uid_of(known.obj)):
        self._controller.add(uid_of(dependent.obj))
    self._remove_finalizer(known, FOREGROUND)


@miniature("An owner that waits is never told.",
           caught_by=("garbage.06", "garbage.09"), instead_of=GarbageCollector._gone)  # fmt: skip
def waits_without_end(original: Original, self: GarbageCollector, kind: Kind, obj: Object) -> None:
    self._known.pop(uid_of(obj), None)
    for dependent in self._dependents.get(uid_of(obj), ()):
        self._controller.add(dependent)


@miniature("All that is owned blocks the owner's end.", caught_by="garbage.07", instead_of=garbagecollector._blocks)
def blocks_unasked(original: Original, obj: Object, owner: str) -> bool:
    return any(reference["uid"] == owner for reference in owners_of(obj))


@miniature("An owner waits for what it owns, not for what that owns.",
           caught_by="garbage.08", instead_of=GarbageCollector._classified)  # fmt: skip
def waits_for_one_generation(original: Original, self: GarbageCollector, obj: Object, kind: Kind) -> Owners | None:
    owners = original(self, obj, kind)
    return owners and Owners(owners.solid, owners.dangling + owners.waiting, [])


@miniature(
    "Orphans are not let go.",
    caught_by=("garbage.04", "garbage.10", "garbage.11", "adoption.06"),
    instead_of=GarbageCollector._orphan_dependents,
)
def keeps_orphans_bound(original: Original, self: GarbageCollector, known: Known) -> None:
    self._remove_finalizer(known, ORPHAN)


@miniature("One owner that is gone is enough.",
           caught_by="garbage.12", instead_of=GarbageCollector._classified)  # fmt: skip
def goes_with_any_owner(original: Original, self: GarbageCollector, obj: Object, kind: Kind) -> Owners | None:
    owners = original(self, obj, kind)
    return owners and (Owners([], owners.dangling, owners.waiting) if owners.dangling else owners)


@miniature("Those that are gone are named on.",
           caught_by=("garbage.10", "garbage.12"), instead_of=GarbageCollector._remove_owners)  # fmt: skip
def names_the_gone(original: Original, self: GarbageCollector, known: Known, owners: list[str]) -> None:
    return None


@miniature("Nobody looks for an owner that was never seen.",
           caught_by="garbage.14", instead_of=GarbageCollector._check_reference)  # fmt: skip
def trusts_every_reference(original: Original, self: GarbageCollector, uid: str, owner: str) -> None:
    if owner in self._known:
        original(self, uid, owner)


@miniature("An owner is known by its name.", caught_by="garbage.15", instead_of=GarbageCollector._owner)
def knows_owners_by_name(
    original: Original, self: GarbageCollector, reference: Object, kind: Kind, namespace: str
) -> Object | None:
    return self._get(kind, reference["name"], namespace)


@miniature("An owner may be in any namespace.", caught_by="garbage.16", instead_of=garbagecollector._matches)
def finds_owners_anywhere(original: Original, reference: Object, obj: Object, owner: Known) -> bool:
    return bool(original(reference, owner.obj, owner))


@miniature("What is in no namespace is never gone.", caught_by="garbage.17", instead_of=GarbageCollector._owner)
def believes_in_the_cluster(
    original: Original, self: GarbageCollector, reference: Object, kind: Kind, namespace: str
) -> Object | None:
    return original(self, reference, kind, namespace) if kind.namespaced else {"metadata": {}}


@miniature("What an object owned once goes with it.", caught_by="garbage.18")
def remembers_every_owner() -> Iterator[None]:
    ever: dict[str, list[Known]] = {}

    def link(original: Original, self: GarbageCollector, obj: Object, references: list[Object]) -> None:
        for reference in references:
            ever.setdefault(reference["uid"], []).append(self._known[uid_of(obj)])
        original(self, obj, references)

    def gone(original: Original, self: GarbageCollector, kind: Kind, obj: Object) -> None:
        original(self, kind, obj)
        for known in ever.get(uid_of(obj), ()):
            try:
                self._client.delete(known.kind, name_of(known.obj), namespace_of(known.obj))
            except StatusError:
                pass

    with exchanged(GarbageCollector._link, link), exchanged(GarbageCollector._gone, gone):
        yield


@miniature("What is unknown does not exist.", caught_by="garbage.19", instead_of=GarbageCollector._classified)
def knows_everything(original: Original, self: GarbageCollector, obj: Object, kind: Kind) -> Owners | None:
    try:
        return original(self, obj, kind)
    except StatusError:
        return Owners([], list(owners_of(obj)), [])


# Lost Pods


@miniature("No node is ever missed.",
           caught_by=("lost-pods.01", "lost-pods.02"), instead_of=PodGCController._gone_nodes)  # fmt: skip
def misses_no_node(original: Original, self: PodGCController) -> list[str]:
    return []


@miniature("A lost Pod goes as it is.", caught_by=("lost-pods.01", "lost-pods.03"), instead_of=PodGCController._remove)
def fails_no_pods(original: Original, self: PodGCController, pod: Object, condition: Object | None = None) -> None:
    self._client.delete("pods", name_of(pod), namespace_of(pod), grace_period=0)


@miniature("Where one node is gone all are.", caught_by="lost-pods.02", instead_of=PodGCController._gone_nodes)
def misses_every_node(original: Original, self: PodGCController) -> list[str]:
    return [node for node in self._used if node] if original(self) else []


@miniature("Pods without a node are nobody's.", caught_by="lost-pods.03", instead_of=PodGCController._remove)
def leaves_pods_without_node(original: Original, self: PodGCController, pod: Object, *rest: Any) -> None:
    if pod["spec"].get("nodeName"):
        original(self, pod, *rest)


@miniature("A node that is there is in service.",
           caught_by="lost-pods.04", instead_of=PodGCController._is_out_of_service)  # fmt: skip
def trusts_every_node(original: Original, self: PodGCController, name: str) -> bool:
    return False
