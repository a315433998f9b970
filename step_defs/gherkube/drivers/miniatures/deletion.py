"""Faults that features/api/deletion.feature must catch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from refkube.api.kinds import Kind
from refkube.apimachinery import errors
from refkube.apimachinery.meta import Object, is_terminating, metadata_of, with_metadata
from refkube.apimachinery.rest import Request
from refkube.apiserver import options as parse
from refkube.apiserver.pipeline import Pipeline
from refkube.registry.storage import FOREGROUND, Storage, Write
from refkube.registry.strategy import PodStrategy, Strategy
from refkube.store.kv import Delete, Put

from gherkube.drivers.miniatures import miniature

Original = Callable[..., Any]


@miniature("Preconditions are not looked at.", caught_by="deletion.01", instead_of=Storage._check_preconditions)
def ignores_preconditions(original: Original, self: Storage, obj: Object, wanted: Mapping[str, str]) -> None:
    return None


@miniature("Preconditions never hold.", caught_by="deletion.02", instead_of=Storage._check_preconditions)
def meets_no_precondition(original: Original, self: Storage, obj: Object, wanted: Mapping[str, str]) -> None:
    original(self, obj, {field: f"{value}." for field, value in wanted.items()})


@miniature("Deleting what is not there succeeds.", caught_by=("deletion.03", "dryruns.14"), instead_of=Storage.delete)
def deletes_what_is_gone(original: Original, self: Storage, namespace: str, name: str, *rest: Any) -> Any:
    try:
        return original(self, namespace, name, *rest)
    except errors.StatusError as refusal:
        if refusal.reason != "NotFound":
            raise
        return {"metadata": {"name": name, "uid": ""}}, True


@miniature(
    "The last finalizer is not waited for.",
    caught_by=("deletion.04", "deletion.06", "deletion.17", "deletion.23"),
    instead_of=Storage._is_deletable,
)
def waits_for_all_but_one(original: Original, self: Storage, obj: Object) -> Any:
    return original(self, with_metadata(obj, finalizers=metadata_of(obj).get("finalizers", [])[1:]))


@miniature(
    "An object outlives its last finalizer.",
    caught_by=("deletion.05", "deletion.12"),
    instead_of=Strategy.deletable_during_update,
)
def outlives_its_finalizers(original: Original, self: Strategy, obj: Object) -> bool:
    return False


@miniature("Whoever removes the last finalizer deletes.", caught_by="deletion.07", instead_of=Storage._is_deletable)
def deletes_without_being_asked(original: Original, self: Storage, obj: Object) -> bool:
    return not metadata_of(obj).get("finalizers")


@miniature("Finalizers can be added at any time.", caught_by="deletion.08", instead_of=Strategy.validate_update)
def adds_finalizers_late(original: Original, self: Strategy, new: Object, old: Object, subresource: str) -> Any:
    return [one for one in original(self, new, old, subresource) if one.field != "metadata.finalizers"]


@miniature("What is going cannot be changed.", caught_by="deletion.09", instead_of=Strategy.validate_update)
def freezes_what_is_going(original: Original, self: Strategy, new: Object, old: Object, subresource: str) -> Any:
    frozen = [errors.field_forbidden("metadata.deletionTimestamp", "is being deleted")] if is_terminating(old) else []
    return [*original(self, new, old, subresource), *frozen]


@miniature("A deletion can be taken back.", caught_by="deletion.10", instead_of=Storage.update)
def takes_deletions_back(
    original: Original, self: Storage, namespace: str, name: str, transform: Any, *rest: Any, **more: Any
) -> Any:
    kv, created = original(self, namespace, name, transform, *rest, **more)
    if not is_terminating(transform(kv.value)):
        self._store.txn([], [Put(kv.key, with_metadata(kv.value, deletionTimestamp=None))])
    return kv, created


@miniature("What is going is overwritten.", caught_by="deletion.11", instead_of=Storage.create)
def overwrites_what_is_going(original: Original, self: Storage, obj: Object, namespace: str, write: Write) -> Any:
    key = self._key(namespace, obj["metadata"]["name"])
    present = self._store.get(key)
    if present is not None and is_terminating(present.value):
        self._store.txn([], [Delete(key)])
    return original(self, obj, namespace, write)


@miniature("Every Pod is given 30 seconds.", caught_by="deletion.13", instead_of=PodStrategy.grace_period)
def gives_thirty_seconds(original: Original, self: PodStrategy, obj: Object, asked: int | None) -> Any:
    return original(self, obj, 30 if asked is None else asked)


@miniature("A Pod without a node is given grace, too.", caught_by="deletion.14", instead_of=PodStrategy.grace_period)
def gives_unbound_pods_grace(original: Original, self: PodStrategy, obj: Object, asked: int | None) -> Any:
    return obj["spec"]["terminationGracePeriodSeconds"] if asked is None else asked


@miniature("The first grace is final.", caught_by="deletion.15#1", instead_of=Storage._marked)
def never_shortens_grace(original: Original, self: Storage, old: Object, options: Object) -> Any:
    return old if is_terminating(old) else original(self, old, options)


@miniature("Grace can be prolonged.", caught_by="deletion.15#2", instead_of=Storage._marked)
def prolongs_grace(original: Original, self: Storage, old: Object, options: Object) -> Any:
    if not is_terminating(old):
        return original(self, old, options)
    return with_metadata(old, deletionGracePeriodSeconds=options["gracePeriodSeconds"])


@miniature("No grace means the usual grace.", caught_by="deletion.16", instead_of=PodStrategy.grace_period)
def takes_nought_for_nothing(original: Original, self: PodStrategy, obj: Object, asked: int | None) -> Any:
    return original(self, obj, asked or None)


@miniature(
    "How a deletion is to propagate is forgotten.",
    caught_by=("deletion.18#1", "deletion.18#2", "deletion.19#1"),
    instead_of=Storage._finalizers_for,
)
def forgets_the_propagation(original: Original, self: Storage, present: list[str], options: Object) -> Any:
    return present


@miniature(
    "Every deletion is in the foreground.",
    caught_by=("deletion.18#3", "deletion.19#2"),
    instead_of=Storage._finalizers_for,
)
def propagates_in_the_foreground(original: Original, self: Storage, present: list[str], options: Object) -> Any:
    return [*present, FOREGROUND]


@miniature("An unknown policy is passed over.", caught_by="deletion.20", instead_of=parse.delete_options)
def passes_over_policies(original: Original, body: Any, *rest: Any) -> Any:
    return original({key: value for key, value in body.items() if key != "propagationPolicy"}, *rest)


@miniature("Of two ways to propagate the newer is taken.", caught_by="deletion.21", instead_of=parse.delete_options)
def prefers_the_newer_way(original: Original, body: Any, *rest: Any) -> Any:
    return original({key: value for key, value in body.items() if key != "orphanDependents"}, *rest)


@miniature("A collection is deleted whole.", caught_by="deletion.22", instead_of=Pipeline._delete_collection)
def deletes_whole_collections(
    original: Original, self: Pipeline, request: Request, kind: Kind, storage: Storage
) -> Any:
    return original(self, replace(request, options={}), kind, storage)


@miniature("Collections are deleted everywhere.", caught_by="deletion.24", instead_of=Pipeline._delete_collection)
def deletes_in_all_namespaces(
    original: Original, self: Pipeline, request: Request, kind: Kind, storage: Storage
) -> Any:
    return original(self, replace(request, namespace=""), kind, storage)
