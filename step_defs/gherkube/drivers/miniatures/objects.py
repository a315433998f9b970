"""Faults that features/api/objects.feature must catch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from refkube.apimachinery import errors, names
from refkube.apimachinery.meta import Object, with_metadata
from refkube.registry.storage import Page, Storage, Write
from refkube.registry.strategy import Strategy
from refkube.registry.watching import Selection
from refkube.store.kv import Delete, KeyValue, Put, prefix_end

from gherkube.drivers.miniatures import miniature

Original = Callable[..., Any]
Transform = Callable[[Object | None], Object]


def others(storage: Storage, namespace: str, name: str) -> list[KeyValue]:
    """The namespace's objects of the kind without the named one."""
    prefix = storage._key(namespace, "")
    found = storage._store.range(prefix, prefix_end(prefix)).kvs
    return [kv for kv in found if kv.value["metadata"]["name"] != name]


@miniature("A read gives the version that was read first.", caught_by="objects.01", instead_of=Storage.get)
def remembers_the_first_read(original: Original, self: Storage, namespace: str, name: str, *rest: str) -> KeyValue:
    kv: KeyValue = original(self, namespace, name, *rest)
    return next(event.kv for event in self._store.events(kv.key, kv.key + "\0", kv.create_revision, kv.mod_revision))


@miniature("A read that finds nothing looks in other namespaces.", caught_by="objects.02", instead_of=Storage.get)
def looks_in_other_namespaces(original: Original, self: Storage, namespace: str, name: str, *rest: str) -> KeyValue:
    try:
        return original(self, namespace, name, *rest)
    except errors.StatusError:
        return original(self, "home", name, *rest)


@miniature("Namespaces share their names.", caught_by="objects.03", instead_of=Storage._key)
def shares_names_between_namespaces(original: Original, self: Storage, namespace: str, name: str) -> str:
    return original(self, "all" if name else namespace, name)


@miniature("A created object gets an empty uid.", caught_by="objects.04", instead_of=Storage._named)
def gives_an_empty_uid(original: Original, self: Storage, obj: Object, namespace: str) -> Object:
    made = original(self, obj, namespace)
    return with_metadata(made, uid="") if made["kind"] == "ConfigMap" else made


@miniature("Creating a name that is taken overwrites it.", caught_by="objects.05", instead_of=Storage.create)
def overwrites_a_taken_name(original: Original, self: Storage, obj: Object, namespace: str, write: Write) -> KeyValue:
    try:
        return original(self, obj, namespace, write)
    except errors.StatusError as refusal:
        if refusal.reason != "AlreadyExists":
            raise
        self._store.txn([], [Delete(self._key(namespace, obj["metadata"]["name"]))])
        return original(self, obj, namespace, write)


@miniature("A name prefix is taken for the name.", caught_by="objects.06", instead_of=Storage._named)
def takes_the_prefix_for_the_name(original: Original, self: Storage, obj: Object, namespace: str) -> Object:
    prefix = obj["metadata"].get("generateName", "").rstrip("-")
    named = with_metadata(obj, name=prefix) if prefix else obj
    return original(self, named, namespace)


@miniature("An update touches the namespace's other objects.", caught_by="objects.07", instead_of=Storage.update)
def touches_other_objects(original: Original, self: Storage, namespace: str, name: str, *rest: Any, **more: Any) -> Any:
    done = original(self, namespace, name, *rest, **more)
    for kv in others(self, namespace, name):
        self._store.txn([], [Put(kv.key, kv.value)])
    return done


@miniature("An update keeps what the new object leaves out.", caught_by="objects.08", instead_of=Storage.update)
def keeps_what_an_update_leaves_out(
    original: Original, self: Storage, namespace: str, name: str, transform: Transform, *rest: Any, **more: Any
) -> Any:
    def merged(old: Object | None) -> Object:
        new = transform(old)
        return new if old is None else {**new, "data": {**old.get("data", {}), **new.get("data", {})}}

    return original(self, namespace, name, merged, *rest, **more)


@miniature("An update of a missing object creates it.", caught_by="objects.09", instead_of=Storage.update)
def creates_what_is_missing(
    original: Original, self: Storage, namespace: str, name: str, transform: Transform, write: Write, **more: Any
) -> Any:
    return original(self, namespace, name, transform, write, may_create=True)


@miniature("A deletion takes the namespace's other objects along.", caught_by="objects.10", instead_of=Storage.delete)
def deletes_other_objects(original: Original, self: Storage, namespace: str, name: str, *rest: Any) -> Any:
    for kv in others(self, namespace, name):
        self._store.txn([], [Delete(kv.key)])
    return original(self, namespace, name, *rest)


@miniature("A uid is made of the name.", caught_by="objects.11", instead_of=Storage._named)
def makes_the_uid_of_the_name(original: Original, self: Storage, obj: Object, namespace: str) -> Object:
    named = original(self, obj, namespace)
    return with_metadata(named, uid=f"{hash(named['metadata']['name']) & 0xFFFFFFFF:08x}-0000-4000-8000-000000000000")


@miniature("A stale update goes through.", caught_by="objects.12", instead_of=Storage._on_version)
def lets_a_stale_update_through(original: Original, self: Storage, new: Object, old: Object, name: str) -> Any:
    return original(self, with_metadata(new, resourceVersion=old["metadata"]["resourceVersion"]), old, name)


@miniature("An update is acknowledged and not stored.", caught_by="objects.13", instead_of=Storage.update)
def does_not_store_updates(
    original: Original, self: Storage, namespace: str, name: str, transform: Transform, write: Write, **more: Any
) -> Any:
    return original(self, namespace, name, transform, replace(write, dry_run=True), **more)


@miniature("An update must name a version.", caught_by="objects.14", instead_of=Storage._on_version)
def insists_on_a_version(original: Original, self: Storage, new: Object, old: Object, name: str) -> Any:
    if not new["metadata"].get("resourceVersion"):
        raise errors.conflict(self.kind.resource, name, errors.MODIFIED)
    return original(self, new, old, name)


@miniature("An update that changes nothing is stored.", caught_by="objects.15", instead_of=Storage.update)
def stores_what_is_unchanged(
    original: Original, self: Storage, namespace: str, name: str, *rest: Any, **more: Any
) -> Any:
    before = self._store.get(self._key(namespace, name))
    kv, created = original(self, namespace, name, *rest, **more)
    if before is not None and kv.mod_revision == before.mod_revision:
        kv = self._store.txn([], [Put(kv.key, kv.value)]).kvs[0]
    return kv, created


@miniature("Only the first broken rule is told.", caught_by="objects.16", instead_of=Storage._refuse_invalid)
def tells_one_broken_rule(original: Original, self: Storage, obj: Object, problems: list[errors.FieldError]) -> None:
    original(self, obj, problems[:1])


@miniature("Every name is accepted.", caught_by="objects.17", instead_of=names.is_dns1123_subdomain)
def accepts_every_name(original: Original, value: str) -> list[str]:
    return []


@miniature("An immutable Secret can be changed.", caught_by="objects.18", instead_of=Strategy.validate_update)
def changes_what_is_immutable(
    original: Original, self: Strategy, new: Object, old: Object, subresource: str
) -> list[errors.FieldError]:
    problems = original(self, new, old, subresource)
    return [problem for problem in problems if problem.field != "data"]


@miniature("A list ignores its namespace.", caught_by="objects.19", instead_of=Storage.list)
def lists_all_namespaces(original: Original, self: Storage, selection: Selection, **options: Any) -> Page:
    everywhere = Selection("", selection.labels, selection.fields, selection._fields_of)
    return original(self, everywhere, **options)


@miniature("A list over all namespaces ends with the first.", caught_by="objects.20", instead_of=Storage.list)
def lists_one_namespace(original: Original, self: Storage, selection: Selection, **options: Any) -> Page:
    page: Page = original(self, selection, **options)
    namespaces = [kv.value["metadata"].get("namespace") for kv in page.items]
    return replace(page, items=[kv for kv, one in zip(page.items, namespaces, strict=True) if one == namespaces[0]])


@miniature("A list of nothing is refused.", caught_by="objects.21", instead_of=Storage.list)
def refuses_an_empty_list(original: Original, self: Storage, selection: Selection, **options: Any) -> Page:
    page: Page = original(self, selection, **options)
    if not page.items and self.kind.kind == "Secret":
        raise errors.not_found(self.kind.resource, "")
    return page
