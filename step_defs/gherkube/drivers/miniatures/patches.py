"""Faults that features/api/patches.feature must catch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from refkube.apimachinery import errors, patch
from refkube.apimachinery.meta import Object
from refkube.apimachinery.rest import HttpRequest
from refkube.apimachinery.typeschema import Node
from refkube.apiserver.http import Front
from refkube.registry.storage import Storage, Write
from refkube.store.kv import Put

from gherkube.drivers.miniatures import miniature

Original = Callable[..., Any]


@miniature("A copy takes its source away.", caught_by="patches.01", instead_of=patch._operate)
def copies_by_moving(original: Original, obj: Any, operation: Object) -> Any:
    return original(obj, {**operation, "op": "move"} if operation["op"] == "copy" else operation)


@miniature("A test that fails is passed over.", caught_by="patches.02", instead_of=patch._test)
def ignores_failing_tests(original: Original, obj: Any, path: list[str], operation: Object) -> None:
    return None


@miniature("An operation that does not fit is left out.", caught_by="patches.03", instead_of=patch._operate)
def leaves_out_what_does_not_fit(original: Original, obj: Any, operation: Object) -> Any:
    try:
        return original(obj, operation)
    except patch.Refused:
        return obj, 0


@miniature("Adding to a list overwrites its entry.", caught_by="patches.04", instead_of=patch._add)
def overwrites_entries(original: Original, container: Any, key: str, value: Any) -> Any:
    at = int(key) if isinstance(container, list) and key.isdigit() else -1
    return original(container, key, value) if at < 0 else [*container[:at], value, *container[at + 1 :]]


@miniature("A tilde in a path is taken literally.", caught_by="patches.05", instead_of=patch._pointer)
def takes_tildes_literally(original: Original, operation: Object, field: str) -> Any:
    return operation[field].split("/")[1:]


@miniature("A null in a merge patch removes nothing.", caught_by="patches.06", instead_of=patch._merged)
def merges_without_removing(original: Original, target: Any, change: Any) -> Any:
    told = {key: value for key, value in change.items() if value is not None} if isinstance(change, dict) else change
    return original(target, told)


@miniature("A merge patch merges lists by name.", caught_by="patches.07", instead_of=patch._merged)
def merges_lists_by_name(original: Original, target: Any, change: Any) -> Any:
    if not (isinstance(target, list) and isinstance(change, list) and isinstance(change[0], dict)):
        return original(target, change)
    named = {item["name"] for item in change}
    return [*(item for item in target if item["name"] not in named), *change]


@miniature("A merge patch replaces maps.", caught_by="patches.23", instead_of=patch._merged)
def replaces_maps(original: Original, target: Any, change: Any) -> Any:
    return {**target, **change}


@miniature(
    "A strategic merge patch replaces every list.",
    caught_by=("patches.08", "patches.09", "patches.13"),
    instead_of=patch._merge_field,
)
def replaces_every_list(original: Original, here: list[Any], change: list[Any], *rest: Any) -> Any:
    return change


@miniature(
    "Marks on list entries are not looked at.",
    caught_by=("patches.10", "patches.11"),
    instead_of=patch._special_elements,
)
def ignores_marks_on_entries(original: Original, here: list[Any], change: list[Any], merge_key: str) -> Any:
    return here, [item for item in change if "$patch" not in item]


@miniature("The order told for a list is not kept.", caught_by="patches.12", instead_of=patch._order_lists)
def keeps_no_order(original: Original, result: Object, change: Object, node: Node) -> None:
    for key in [key for key in change if key.startswith("$setElementOrder/")]:
        del change[key]


@miniature("Values are never taken out of a set.", caught_by="patches.13", instead_of=patch._merge_field)
def keeps_every_value(
    original: Original, here: list[Any], change: list[Any], child: Node, deletes: bool, *rest: Any
) -> Any:
    return here if deletes else original(here, change, child, deletes, *rest)


@miniature("Lists without a key are joined.", caught_by="patches.14", instead_of=patch._merge_field)
def joins_lists_without_key(original: Original, here: list[Any], change: list[Any], child: Node, *rest: Any) -> Any:
    return original(here, change, child, *rest) if "merge" in child.patch_strategies else [*here, *change]


@miniature("A null in a strategic patch removes nothing.", caught_by="patches.15", instead_of=patch._merge_map)
def merges_strategically_without_removing(original: Original, obj: Object, change: Object, node: Node) -> Any:
    return original(obj, {key: value for key, value in change.items() if value is not None}, node)


@miniature("The keys that may remain are not looked at.", caught_by="patches.16", instead_of=patch._retain_keys)
def retains_all_keys(original: Original, result: Object, change: Object) -> None:
    change.pop("$retainKeys", None)


@miniature("A write that changes nothing is stored.", caught_by=("patches.17", "apply.02"), instead_of=Storage.update)
def stores_patches_without_effect(
    original: Original, self: Storage, namespace: str, name: str, *rest: Any, **more: Any
) -> Any:
    before = self._store.get(self._key(namespace, name))
    kv, created = original(self, namespace, name, *rest, **more)
    if before is not None and kv.mod_revision == before.mod_revision:
        kv = self._store.txn([], [Put(kv.key, kv.value)]).kvs[0]
    return kv, created


@miniature(
    "Only new objects are held to the rules of their kind.",
    caught_by=("patches.18", "apply.24"),
    instead_of=Storage._refuse_invalid,
)
def judges_new_objects_only(original: Original, self: Storage, obj: Object, problems: list[errors.FieldError]) -> None:
    if not obj["metadata"].get("resourceVersion"):
        original(self, obj, problems)


@miniature("A patch of a missing object makes an empty one.", caught_by="patches.19", instead_of=Storage.update)
def makes_what_is_patched(
    original: Original, self: Storage, namespace: str, name: str, transform: Any, write: Write, **more: Any
) -> Any:
    try:
        return original(self, namespace, name, transform, write, **more)
    except errors.StatusError as refusal:
        if refusal.reason != "NotFound":
            raise
        empty = {"apiVersion": self.kind.api_version, "kind": self.kind.kind, "metadata": {"name": name}}
        return self.create(empty, namespace, write), True


@miniature("A malformed patch is called invalid.", caught_by="patches.20", instead_of=patch._unmarshal)
def calls_malformed_invalid(original: Original, value: Any, wanted: str) -> Any:
    return patch.Refused(f"not a {wanted}")


@miniature("Any other format is taken for a merge patch.", caught_by="patches.21", instead_of=Front._body)
def takes_every_format_for_a_merge_patch(original: Original, self: Front, http: HttpRequest, verb: str) -> Any:
    headers = {**http.headers, "content-type": "application/merge-patch+json"} if verb == "patch" else http.headers
    return original(self, replace(http, headers=headers), verb)


@miniature("A patch loses the version that it names.", caught_by="patches.22", instead_of=patch.merge_patch)
def loses_the_version_of_a_patch(original: Original, obj: Object, change: Any) -> Any:
    metadata = {key: value for key, value in change.get("metadata", {}).items() if key != "resourceVersion"}
    return original(obj, {**change, "metadata": metadata})
