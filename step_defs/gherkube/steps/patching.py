"""Partial changes: patches, server-side apply and its ownership of fields, binding, eviction and tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from gherkube import kinds
from gherkube.phrases import ObjectRef
from gherkube.steps import given, then, when
from gherkube.steps.common import Table
from gherkube.values import from_yaml, get, merge, rows, show
from gherkube.world import Misused, World, require, set_fields

_APPLY = "application/apply-patch+yaml"
_FORMATS = {
    "JSON patch": "application/json-patch+json",
    "merge patch": "application/merge-patch+json",
    "strategic merge patch": "application/strategic-merge-patch+json",
}


@when("the {ref:Object} is changed by the {format:PatchFormat}:")
def patch(world: World, ref: ObjectRef, format: str, docstring: str) -> None:
    """
    When the ConfigMap "settings" is changed by the merge patch:
      data: {color: null}
    When the Pod "web" is changed by the JSON patch:
      - {op: replace, path: /metadata/labels/app, value: db}
    """
    body = world.outgoing(from_yaml(docstring))
    world.ask("PATCH", world.path(ref), body=body, content_type=_FORMATS[format])


@when('the {ref:Object} is changed from version "{called:Text}" by the {format:PatchFormat}:')
def patch_from(world: World, ref: ObjectRef, called: str, format: str, docstring: str) -> None:
    """
    When the ConfigMap "settings" is changed from version "old" by the merge patch:
      data: {color: green}
    """
    body = merge(from_yaml(docstring), {"metadata": {"resourceVersion": world.version(called)}})
    world.ask("PATCH", world.path(ref), body=world.outgoing(body), content_type=_FORMATS[format])


@when('the {ref:Object} is changed by this text of the type "{media_type:Text}":')
def patch_typed(world: World, ref: ObjectRef, media_type: str, docstring: str) -> None:
    """
    When the ConfigMap "settings" is changed by this text of the type "text/plain":
      data: {color: green}
    """
    world.ask("PATCH", world.path(ref), body=docstring.encode(), content_type=media_type)


@given('"{manager:Text}" has applied:')
def has_applied(world: World, manager: str, docstring: str) -> None:
    """
    Given "alice" has applied:
      {apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {color: blue}}
    """
    path, body = _applied(world, docstring)
    what = f'the apply by "{manager}"'
    world.do("PATCH", path, what, options={"fieldManager": manager}, body=body, content_type=_APPLY)


@when('"{manager:Text}" applies:')
def applies(world: World, manager: str, docstring: str) -> None:
    """
    When "bob" applies:
      {apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {color: green}}
    """
    path, body = _applied(world, docstring)
    world.ask("PATCH", path, options={"fieldManager": manager}, body=body, content_type=_APPLY)


@when('"{manager:Text}" applies with force:')
def applies_with_force(world: World, manager: str, docstring: str) -> None:
    """
    When "bob" applies with force:
      {apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {color: green}}
    """
    path, body = _applied(world, docstring)
    options = {"fieldManager": manager, "force": "true"}
    world.ask("PATCH", path, options=options, body=body, content_type=_APPLY)


@when('"{manager:Text}" applies to the status:')
def applies_to_status(world: World, manager: str, docstring: str) -> None:
    """
    When "prober" applies to the status:
      {apiVersion: v1, kind: Pod, metadata: {name: web}, status: {conditions: [{type: warm, status: "True"}]}}
    """
    path, body = _applied(world, docstring)
    world.ask("PATCH", f"{path}/status", options={"fieldManager": manager}, body=body, content_type=_APPLY)


@when("somebody applies without a manager's name:")
def applies_anonymously(world: World, docstring: str) -> None:
    """
    When somebody applies without a manager's name:
      {apiVersion: v1, kind: ConfigMap, metadata: {name: settings}}
    """
    path, body = _applied(world, docstring)
    world.ask("PATCH", path, body=body, content_type=_APPLY)


@when('the {ref:Object} is bound to the node "{node:Text}"')
def bind(world: World, ref: ObjectRef, node: str) -> None:
    """
    When the Pod "web" is bound to the node "n1"
    """
    target = {"apiVersion": "v1", "kind": "Node", "name": world.names.cluster(node)}
    body = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": ref.name}, "target": target}
    world.ask("POST", world.path(ref, "binding"), body=body)


@when("the {ref:Object} is evicted")
def evict(world: World, ref: ObjectRef) -> None:
    """
    When the Pod "web" is evicted
    """
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": ref.name}}
    world.ask("POST", world.path(ref, "eviction"), body=body)


@when("a token of the {ref:Object} is requested with:")
def request_token(world: World, ref: ObjectRef, datatable: Table) -> None:
    """
    When a token of the ServiceAccount "robot" is requested with:
      | field                  | value   |
      | spec.audiences         | [vault] |
      | spec.expirationSeconds | 600     |
    """
    body = set_fields({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}, datatable)
    world.ask("POST", world.path(ref, "token"), body=body)


@then('"{manager:Text}" owns these fields of the {ref:Object}:')
def owns(world: World, manager: str, ref: ObjectRef, datatable: Table) -> None:
    """
    Then "alice" owns these fields of the ConfigMap "settings":
      | field                            |
      | data.color                       |
      | spec.containers[name=main].image |
    """
    owned = owned_fields(world.read(ref), manager)
    missing = [row["field"] for row in rows(datatable, "field") if row["field"] not in owned]
    require(not missing, f'"{manager}" does not own {show(missing)} but {show(sorted(owned))}')


@then('"{manager:Text}" owns none of these fields of the {ref:Object}:')
def owns_none(world: World, manager: str, ref: ObjectRef, datatable: Table) -> None:
    """
    Then "alice" owns none of these fields of the ConfigMap "settings":
      | field      |
      | data.color |
    """
    owned = owned_fields(world.read(ref), manager)
    surplus = [row["field"] for row in rows(datatable, "field") if row["field"] in owned]
    require(not surplus, f'"{manager}" owns {show(surplus)}')


@then("the conflict names:")
def conflict_names(world: World, datatable: Table) -> None:
    """
    Then the conflict names:
      | manager | field       |
      | alice   | .data.color |
    """
    causes = world.plain(world.answer.causes)
    told = [cause for cause in causes if cause.get("reason") == "FieldManagerConflict"]
    wanted = rows(datatable, "manager", "field")
    for row in wanted:
        named = any(
            cause.get("field") == row["field"] and f'"{row["manager"]}"' in str(cause.get("message")) for cause in told
        )
        require(named, f"no conflict with {row['manager']} about {row['field']}; causes: {show(causes)}")
    require(len(told) == len(wanted), f"the conflict names {len(told)} fields: {show(told)}")


def owned_fields(obj: Any, manager: str) -> set[str]:
    """The paths of metadata.managedFields that the manager owns, over all its entries.

    Map keys and list entries by key are written as in `gherkube.values`; an entry of a set as [="value"].
    """
    entries = get(obj, "metadata.managedFields") or []
    mine = [entry for entry in entries if entry.get("manager") == manager]
    return {path for entry in mine for path in _paths(entry.get("fieldsV1") or {}, "")}


def _paths(fields: dict[str, Any], prefix: str) -> Iterator[str]:
    """Paths of a FieldsV1 tree (structured-merge-diff's serialized path elements f:, k:, v:, i: and the dot)."""
    for key, below in fields.items():
        if key == ".":
            yield prefix
            continue
        form, _, text = key.partition(":")
        if form == "f":
            simple = text.replace("-", "").replace("_", "").isalnum()
            path = f"{prefix}.{text}".lstrip(".") if simple else f'{prefix}["{text}"]'
        elif form == "k":
            path = prefix + "".join(f"[{name}={value}]" for name, value in json.loads(text).items())
        elif form == "v":
            path = f"{prefix}[={text}]"
        else:
            path = f"{prefix}[{text}]"
        if below:
            yield from _paths(below, path)
        else:
            yield path


def _applied(world: World, docstring: str) -> tuple[str, Any]:
    """The path and the body of an apply, from its manifest."""
    manifest = from_yaml(docstring)
    if not isinstance(manifest, dict) or not get(manifest, "metadata.name"):
        raise Misused("what is applied needs a kind and a name")
    kind = kinds.named(str(manifest.get("kind")), str(manifest.get("apiVersion", "")))
    ref = ObjectRef(kind.kind, manifest["metadata"]["name"], manifest["metadata"].get("namespace", ""))
    return world.path(ref, api_version=kind.api_version), world.outgoing(manifest)
