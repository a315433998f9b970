"""The garbage collector: what its owners have left behind is deleted; deletions wait for dependents, or orphan them.

Kept are every object as it was last seen, by uid, and who names whom as an owner. What that leaves open is looked up at
the API server before anything is done: an object goes when none of its owners exists there, under the name, kind and
namespace that it states. Source: kubernetes/pkg/controller/garbagecollector. Events are not collected.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

from refkube.api.kinds import KINDS, Kind, by_api_version
from refkube.apimachinery.errors import StatusError, internal_error
from refkube.apimachinery.meta import Object, is_terminating, metadata_of, name_of, namespace_of, uid_of
from refkube.apimachinery.owners import owners_of
from refkube.client.client import retry_on_conflict
from refkube.client.controller import Controller
from refkube.client.events import WARNING
from refkube.controllers.common.context import Context

ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
REMEMBERED = 500  # owners that are known not to exist
COLLECTED = tuple(kind for kind in KINDS if "watch" in kind.verbs and not kind.storage and kind.kind != "Event")

Owner = tuple[str, str, str, str, str]  # apiVersion, kind, namespace, name, uid


class Known(NamedTuple):
    kind: Kind
    obj: Object


class Owners(NamedTuple):
    """An object's references: `solid` hold it, `dangling` name what does not exist, `waiting` its end."""

    solid: list[Object]
    dangling: list[Object]
    waiting: list[Object]


class GarbageCollector:
    account = "generic-garbage-collector"

    def __init__(self, context: Context):
        self._client = context.client
        self._warn = partial(context.events.event, type=WARNING, reason="OwnerRefInvalidNamespace")
        self._known: dict[str, Known] = {}
        self._dependents: dict[str, dict[str, None]] = {}  # an owner's uid -> those that name it
        self._absent: dict[Owner, None] = {}
        informers = [(kind, context.informers.of(kind.resource)) for kind in COLLECTED]
        self._controller = Controller(
            context.loop, "garbagecollector", self._reconcile, [informer for _, informer in informers]
        )
        for kind, informer in informers:
            informer.add_handler(partial(self._added, kind), partial(self._updated, kind), partial(self._gone, kind))
        self.start, self.stop = self._controller.start, self._controller.stop

    # The graph

    def _added(self, kind: Kind, obj: Object) -> None:
        meta = obj["metadata"]
        uid = meta["uid"]
        self._known[uid] = Known(kind, obj)
        if "ownerReferences" in meta:
            self._link(obj, meta["ownerReferences"])
        if uid in self._dependents:  # they were seen first, and may be wrong about it
            for dependent in list(self._dependents[uid]):
                self._check_reference(dependent, uid)
        self._transition(obj, None)

    def _updated(self, kind: Kind, old: Object, new: Object) -> None:
        meta = new["metadata"]
        self._known[meta["uid"]] = Known(kind, new)
        had, has = owners_of(old), owners_of(new)
        if had is not has and had != has:
            self._relink(new, had, has)
        if "deletionTimestamp" in meta:
            self._transition(new, old)

    def _gone(self, kind: Kind, obj: Object) -> None:
        uid = uid_of(obj)
        known = self._known.pop(uid, None)
        self._remember_absent(_identity(kind, obj))
        for reference in owners_of(known.obj if known else obj):
            self._unlink(uid, reference["uid"])
            if self._deletes_dependents(reference["uid"]):
                self._controller.add(reference["uid"])
        for dependent in self._dependents.get(uid, ()):
            self._controller.add(dependent)

    def _link(self, obj: Object, references: list[Object]) -> None:
        uid = uid_of(obj)
        for reference in references:
            self._dependents.setdefault(reference["uid"], {})[uid] = None
            self._check_reference(uid, reference["uid"])

    def _relink(self, obj: Object, had: Sequence[Object], has: Sequence[Object]) -> None:
        uid, before = uid_of(obj), {reference["uid"]: reference for reference in had}
        after = {reference["uid"]: reference for reference in has}
        for owner, reference in before.items():
            if owner not in after:
                self._unlink(uid, owner)
            if reference.get("blockOwnerDeletion") and not after.get(owner, {}).get("blockOwnerDeletion"):
                self._controller.add(owner)
        self._link(obj, [reference for owner, reference in after.items() if before.get(owner) != reference])

    def _unlink(self, uid: str, owner: str) -> None:
        dependents = self._dependents.get(owner)
        if dependents is not None:
            dependents.pop(uid, None)
            if not dependents:
                del self._dependents[owner]

    def _check_reference(self, uid: str, owner: str) -> None:
        """Look closer at an object that names an owner which was not seen, or not like this."""
        known, found = self._known.get(uid), self._known.get(owner)
        if known is None:
            return
        if found is None:
            self._controller.add(uid)
            return
        reference = next((one for one in owners_of(known.obj) if one["uid"] == owner), None)
        if reference is not None and not _matches(reference, known.obj, found):
            self._controller.add(uid)
            namespace = namespace_of(known.obj)
            if found.kind.namespaced and namespace_of(found.obj) != namespace:
                told = f"[{reference['apiVersion']}/{reference['kind']}, namespace: {namespace}, "
                told += f"name: {reference['name']}, uid: {owner}]"
                self._warn(_with_type(known), message=f'ownerRef {told} does not exist in namespace "{namespace}"')

    def _transition(self, obj: Object, old: Object | None) -> None:
        """A deletion begins that is to wait for the dependents."""
        if not is_terminating(obj):
            return
        began = old is None or not is_terminating(old)
        for finalizer in (ORPHAN, FOREGROUND):
            if _has(obj, finalizer) and (began or (old is not None and not _has(old, finalizer))):
                uid = uid_of(obj)
                if finalizer == FOREGROUND:
                    for dependent in self._dependents.get(uid, ()):
                        self._controller.add(dependent)
                self._controller.add(uid)

    def _deletes_dependents(self, uid: str) -> bool:
        known = self._known.get(uid)
        return known is not None and is_terminating(known.obj) and _has(known.obj, FOREGROUND)

    def _dependents_of(self, uid: str) -> Iterator[Known]:
        for dependent in list(self._dependents.get(uid, ())):
            known = self._known.get(dependent)
            if known is not None:
                yield known

    # What to do about one object

    def _reconcile(self, uid: str) -> None:
        known = self._known.get(uid)
        if known is None:
            return
        if not is_terminating(known.obj):
            self._collect(known)
        elif _has(known.obj, ORPHAN):
            self._orphan_dependents(known)
        elif _has(known.obj, FOREGROUND):
            self._await_dependents(known)

    def _collect(self, known: Known) -> None:
        """Delete the object if nobody owns it any more (attemptToDeleteItem)."""
        if all(self._holds(reference, known.obj) for reference in owners_of(known.obj)):
            return
        latest = self._latest(known)
        if latest is None or not owners_of(latest):
            return
        owners = self._classified(latest, known.kind)
        if owners is None:
            return
        if owners.solid:
            if owners.dangling or owners.waiting:
                self._remove_owners(known, [reference["uid"] for reference in owners.dangling + owners.waiting])
            return
        policy = "Background"
        dependents = list(self._dependents_of(uid_of(latest))) if owners.waiting else []
        if dependents:
            if any(self._deletes_dependents(uid_of(dependent.obj)) for dependent in dependents):
                self._unblock(known, latest)  # it may be a circle
                latest = self._latest(known) or latest
            policy = "Foreground"
        elif _has(latest, ORPHAN) or _has(latest, FOREGROUND):
            policy = "Orphan" if _has(latest, ORPHAN) else "Foreground"
        meta = latest["metadata"]
        try:
            self._client.delete(
                known.kind,
                meta["name"],
                meta.get("namespace", ""),
                propagation=policy,
                uid=meta["uid"],
                resource_version=meta["resourceVersion"],
            )
        except StatusError as refusal:
            if refusal.reason != "NotFound":
                raise

    def _holds(self, reference: Object, obj: Object) -> bool:
        """The owner is there, as far as is known, and stays: no reason to ask."""
        owner = self._known.get(reference["uid"])
        return owner is not None and _matches(reference, obj, owner) and not self._deletes_dependents(reference["uid"])

    def _classified(self, obj: Object, kind: Kind) -> Owners | None:
        """As the API server has the owners; None where a reference can never be resolved."""
        owners = Owners([], [], [])
        for reference in owners_of(obj):
            owner_kind = by_api_version(reference["apiVersion"], reference["kind"])
            if owner_kind is None:
                what = f"{reference['apiVersion']}/{reference['kind']}"
                raise internal_error(f"unable to get REST mapping for {what} of {kind.kind} {name_of(obj)}")
            if owner_kind.namespaced and not kind.namespaced:
                return None
            owner = self._owner(reference, owner_kind, namespace_of(obj) if owner_kind.namespaced else "")
            if owner is None:
                owners.dangling.append(reference)
            elif is_terminating(owner) and _has(owner, FOREGROUND):
                owners.waiting.append(reference)
            else:
                owners.solid.append(reference)
        return owners

    def _owner(self, reference: Object, kind: Kind, namespace: str) -> Object | None:
        """None if there is none of that uid under that name."""
        named = (reference["apiVersion"], reference["kind"], namespace, reference["name"], reference["uid"])
        if named in self._absent:
            return None
        owner = self._get(kind, reference["name"], namespace)
        if owner is None or uid_of(owner) != reference["uid"]:
            self._remember_absent(named)
            return None
        return owner

    def _remember_absent(self, owner: Owner) -> None:
        self._absent[owner] = None
        if len(self._absent) > REMEMBERED:
            del self._absent[next(iter(self._absent))]

    def _await_dependents(self, known: Known) -> None:
        """Let the object go once nothing that blocks its deletion is left (processDeletingDependentsItem)."""
        uid = uid_of(known.obj)
        blocking = [one for one in self._dependents_of(uid) if _blocks(one.obj, uid)]
        for dependent in blocking:
            if not self._deletes_dependents(uid_of(dependent.obj)):
                self._controller.add(uid_of(dependent.obj))
        if not blocking:
            self._remove_finalizer(known, FOREGROUND)

    def _orphan_dependents(self, known: Known) -> None:
        uid = uid_of(known.obj)
        for dependent in self._dependents_of(uid):
            self._remove_owners(dependent, [uid])
        self._remove_finalizer(known, ORPHAN)

    # Requests

    def _get(self, kind: Kind, name: str, namespace: str) -> Object | None:
        try:
            return self._client.get(kind, name, namespace)
        except StatusError as refusal:
            if refusal.code != 404:
                raise
            return None

    def _latest(self, known: Known) -> Object | None:
        """None if another object has its name by now, or none has."""
        latest = self._get(known.kind, name_of(known.obj), namespace_of(known.obj))
        return latest if latest is not None and uid_of(latest) == uid_of(known.obj) else None

    def _remove_owners(self, known: Known, owners: list[str]) -> None:
        self._patch(known, [{"$patch": "delete", "uid": uid} for uid in owners])

    def _unblock(self, known: Known, latest: Object) -> None:
        blocking = [reference for reference in owners_of(latest) if reference.get("blockOwnerDeletion")]
        self._patch(known, [{"uid": reference["uid"], "blockOwnerDeletion": False} for reference in blocking])

    def _patch(self, known: Known, references: list[Object]) -> None:
        meta = known.obj["metadata"]
        patch = {"metadata": {"uid": meta["uid"], "ownerReferences": references}}
        try:
            self._client.patch(known.kind, meta["name"], patch, "strategic", meta.get("namespace", ""))
        except StatusError as refusal:
            if refusal.reason != "NotFound":
                raise

    def _remove_finalizer(self, known: Known, finalizer: str) -> None:
        def attempt() -> None:
            latest = self._latest(known)
            if latest is None or not _has(latest, finalizer):
                return
            meta = latest["metadata"]
            left = [name for name in meta["finalizers"] if name != finalizer]
            patch = {"metadata": {"resourceVersion": meta["resourceVersion"], "finalizers": left}}
            self._client.patch(known.kind, meta["name"], patch, "merge", meta.get("namespace", ""))

        retry_on_conflict(attempt)


def _has(obj: Object, finalizer: str) -> bool:
    return finalizer in (metadata_of(obj).get("finalizers") or ())


def _blocks(obj: Object, owner: str) -> bool:
    return any(reference["uid"] == owner and reference.get("blockOwnerDeletion") for reference in owners_of(obj))


def _identity(kind: Kind, obj: Object) -> Owner:
    return kind.api_version, kind.kind, namespace_of(obj), name_of(obj), uid_of(obj)


def _matches(reference: Object, obj: Object, owner: Known) -> bool:
    """The owner is what the reference says, where it can be the object's owner."""
    stated = (reference["apiVersion"], reference["kind"], reference["name"])
    if stated != (owner.kind.api_version, owner.kind.kind, name_of(owner.obj)):
        return False
    return not owner.kind.namespaced or namespace_of(owner.obj) == namespace_of(obj)


def _with_type(known: Known) -> Object:
    return {**known.obj, "apiVersion": known.kind.api_version, "kind": known.kind.kind}
