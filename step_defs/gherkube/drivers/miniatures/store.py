"""Faults that features/api/store.feature must catch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from refkube.api.kinds import Kind
from refkube.apimachinery.meta import Object
from refkube.apimachinery.rest import Request, Response
from refkube.apiserver.pipeline import Pipeline
from refkube.registry.storage import Storage, Transform, Write
from refkube.store.kv import KeyValue, Put

from gherkube.drivers.miniatures import miniature

Original = Callable[..., Any]


@miniature("A creation is acknowledged and forgotten.", caught_by="store.01", instead_of=Storage.create)
def forgets_creations(original: Original, self: Storage, obj: Object, namespace: str, write: Write) -> KeyValue:
    return original(self, obj, namespace, replace(write, dry_run=self.kind.kind == "ConfigMap"))


@miniature("A change is acknowledged and forgotten.", caught_by="store.02", instead_of=Storage.update)
def forgets_changes(
    original: Original, self: Storage, namespace: str, name: str, transform: Transform, write: Write, **more: Any
) -> Any:
    return original(self, namespace, name, transform, replace(write, dry_run=True), **more)


@miniature("A deletion is acknowledged and forgotten.", caught_by="store.03", instead_of=Storage.delete)
def forgets_deletions(
    original: Original, self: Storage, namespace: str, name: str, options: Object, write: Write
) -> Any:
    return original(self, namespace, name, options, replace(write, dry_run=True))


@miniature("What is sent is stored before it is judged.", caught_by="store.04", instead_of=Pipeline._create)
def stores_what_is_sent(original: Original, self: Pipeline, request: Request, kind: Kind, storage: Storage) -> Response:
    if kind.kind == "ConfigMap":
        sent = storage._named(request.body, request.namespace)
        self.registry.store.txn([], [Put(storage._key(request.namespace, sent["metadata"]["name"]), sent)])
    return original(self, request, kind, storage)


@miniature("Somebody cleans up in the store itself.", caught_by="store.05", instead_of=Storage.delete)
def cleans_up_in_the_store(original: Original, self: Storage, *given: Any) -> Any:
    deleted = original(self, *given)
    self._store.range(self.prefix, self.prefix)
    return deleted
