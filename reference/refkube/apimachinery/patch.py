"""The three kinds of patch: JSON patch (RFC 6902), merge patch (RFC 7386) and Kubernetes' strategic merge patch.

Called by the API server, and by whoever computes what a patch would do. Inputs are never changed and results share
what a patch does not touch. Facts: evanphx/json-patch v4 as upstream uses it (`replace` of a missing key adds it,
indices may count from the end), apiserver's handlers/patch.go, apimachinery/pkg/util/strategicpatch.

The library jsonpatch is not used: it copies the whole document and follows the RFC where upstream does not.
Two deviations: a strategic merge patch whose shape upstream answers with 500 is 422 here, and objects inside fields
without a type (RawExtension) merge, where upstream fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import orjson

from refkube.apimachinery import errors
from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object
from refkube.apimachinery.typeschema import Node, json_type

MAX_OPERATIONS = 10_000
MAX_COPIED_BYTES = 3 * 1024 * 1024

_DIRECTIVE, _RETAIN = "$patch", "$retainKeys"
_ORDER, _DELETE = "$setElementOrder/", "$deleteFromPrimitiveList/"
_Container = TypeVar("_Container", Object, list[Any])


class Refused(StatusError):
    """422 as upstream tells it, which keeps the reason to itself; here `why` has it."""

    def __init__(self, why: str):
        message = "the server rejected our request due to an error in our request"
        super().__init__(errors.status_error(422, "Invalid", message).status)
        self.why = why


def json_patch(obj: Object, operations: Any) -> Any:
    """The object after a list of operations (parsed JSON). 400 for what is no list of operations, 413 for too many,
    422 for an operation that does not apply or a test that fails."""
    if not isinstance(operations, list):
        raise _unmarshal(operations, "jsonpatch.Patch")
    if len(operations) > MAX_OPERATIONS:
        told = f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}"
        raise errors.too_large_entity(told)
    for operation in operations:
        if not isinstance(operation, dict):
            raise _unmarshal(operation, "jsonpatch.Operation")
    copied = 0
    for operation in operations:
        obj, size = _operate(obj, operation)
        copied += size
        if copied > MAX_COPIED_BYTES:
            raise Refused(f"Unable to complete the copy, {copied} bytes exceed the limit of {MAX_COPIED_BYTES}")
    return obj


def strict_json_patch_errors(operations: list[Object]) -> list[str]:
    """What fieldValidation reports of the patch itself."""
    known = ("op", "path", "from", "value")
    unknown = [f"[{i}].{key}" for i, operation in enumerate(operations) for key in operation if key not in known]
    return [f'json patch unknown field "{path}"' for path in unknown]


def merge_patch(obj: Object, patch: Any) -> Object:
    """RFC 7386. 400 if the patch is not an object."""
    if patch is None:
        raise errors.bad_request("Invalid JSON Patch")
    if not isinstance(patch, dict):
        raise _unmarshal(patch, "map[string]interface {}")
    try:
        return _merged(obj, patch)
    except RecursionError:
        raise errors.bad_request("error decoding patch: json: exceeded max depth") from None


def strategic_merge_patch(obj: Object, patch: Any, node: Node) -> Object:
    """A patch that knows how lists merge, from the type of what it patches. 400 or 422 for one that is malformed.

    https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/
    """
    if patch is not None and not isinstance(patch, dict):
        raise _unmarshal(patch, "map[string]interface {}")
    try:
        return _merge_map(obj, patch or {}, node)
    except RecursionError:
        raise errors.bad_request("error decoding patch: json: exceeded max depth") from None


def _unmarshal(value: Any, wanted: str) -> StatusError:
    told = f"json: cannot unmarshal {json_type(value)} into Go value of type {wanted}"
    return errors.bad_request(f"error decoding patch: {told}")


# JSON patch. A pointer is a list of keys; the edit of a container gives a new container.


def _operate(obj: Any, operation: Object) -> tuple[Any, int]:
    """The document after one operation, and how many bytes that copied."""
    kind = operation.get("op")
    if kind not in ("add", "remove", "replace", "move", "copy", "test"):
        raise Refused(f"Unexpected kind: {kind if isinstance(kind, str) else 'unknown'}")
    path, value, copied = _pointer(operation, "path"), operation.get("value"), 0
    if not path and kind in ("replace", "test"):
        return _whole(obj, kind, value), 0
    if kind == "test":
        _test(obj, path, operation)
        return obj, 0
    if kind == "remove":
        return _edit(obj, path, kind, _remove), 0
    if kind == "replace":
        return _edit(obj, path, kind, lambda container, key: _replace(container, key, value)), 0
    if kind in ("move", "copy"):
        source = _pointer(operation, "from")
        value = _look(obj, source, kind)
        if kind == "move":
            obj = _edit(obj, source, kind, _remove)
        else:
            copied = len(_encoded(value))
    return _edit(obj, path, kind, lambda container, key: _add(container, key, value)), copied


def _pointer(operation: Object, field: str) -> list[str]:
    text = operation.get(field)
    if not isinstance(text, str):
        raise Refused(f"{operation['op']} operation failed to decode {field}: missing value")
    return [step.replace("~1", "/").replace("~0", "~") for step in text.split("/")[1:]]


def _whole(obj: Any, kind: str, value: Any) -> Any:
    if kind == "test":
        if not _same(obj, value):
            raise Refused("testing value  failed: test failed")
        return obj
    if not isinstance(value, dict | list):
        raise Refused("replace operation value must be object or array")
    return value


def _edit(doc: Any, path: list[str], kind: str, change: Callable[[Any, str], Any]) -> Any:
    """The document with the container at the end of the path changed; what is beside the path is shared."""
    above: list[Any] = []
    for step in path[:-1]:
        above.append(doc)
        doc = _child(doc, step, path, kind)
    if not path or not isinstance(doc, dict | list):
        raise _missing(path, kind)
    doc = change(doc, path[-1])
    for container, step in zip(reversed(above), reversed(path[:-1]), strict=True):
        doc = _put(container, step if isinstance(container, dict) else _index(container, step), doc)
    return doc


def _look(doc: Any, path: list[str], kind: str) -> Any:
    """The value at a path; null for a missing key, as upstream has it."""
    for step in path[:-1]:
        doc = _child(doc, step, path, kind)
    if not path or not isinstance(doc, dict | list):
        raise _missing(path, kind)
    return doc.get(path[-1]) if isinstance(doc, dict) else doc[_index(doc, path[-1])]


def _child(doc: Any, step: str, path: list[str], kind: str) -> Any:
    if isinstance(doc, dict) and doc.get(step) is not None:
        return doc[step]
    if not isinstance(doc, list):
        raise _missing(path, kind)
    return doc[_index(doc, step)]


def _missing(path: list[str], kind: str) -> Refused:
    told = "".join(f"/{step}" for step in path)
    return Refused(f'{kind} operation does not apply: doc is missing path: "{told}": missing value')


def _index(items: list[Any], step: str, more: int = 0) -> int:
    digits = step[1:] if step[:1] in ("+", "-") else step
    if not (digits.isascii() and digits.isdigit() and len(digits) < 19):
        raise Refused(f'strconv.Atoi: parsing "{step}": invalid syntax')
    at, size = int(step), len(items) + more
    if not -size <= at < size:
        raise Refused(f"Unable to access invalid index: {at}: invalid index referenced")
    return at % size


def _put(container: _Container, key: Any, value: Any) -> _Container:
    changed = container.copy()
    changed[key] = value
    return changed


def _add(container: Any, key: str, value: Any) -> Any:
    if isinstance(container, dict):
        return _put(container, key, value)
    at = len(container) if key == "-" else _index(container, key, more=1)
    return [*container[:at], value, *container[at:]]


def _replace(container: Any, key: str, value: Any) -> Any:
    return _put(container, key if isinstance(container, dict) else _index(container, key), value)


def _remove(container: Any, key: str) -> Any:
    if isinstance(container, dict) and key not in container:
        raise Refused(f"Unable to remove nonexistent key: {key}: missing value")
    changed = container.copy()
    del changed[key if isinstance(container, dict) else _index(container, key)]
    return changed


def _test(obj: Any, path: list[str], operation: Object) -> None:
    found = _look(obj, path, "test")
    if not _same(found, operation.get("value")) or (found is not None and "value" not in operation):
        raise Refused(f"testing value {operation['path']} failed: test failed")


def _same(left: Any, right: Any) -> bool:
    """Equality of JSON: 1, 1.0 and true are three values."""
    return _encoded(left) == _encoded(right)


def _encoded(value: Any) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        raise Refused("json: exceeded max depth") from None


# Merge patch.


def _merged(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return result


# Strategic merge patch.


def _merge_map(original: Object, patch: Object, node: Node) -> Object:
    if _DIRECTIVE in patch:
        return _directed(patch)
    result, patch = dict(original), dict(patch)
    _retain_keys(result, patch)
    _order_lists(result, patch, node)
    for key, value in patch.items():
        deletes = key.startswith(_DELETE)
        key = key.removeprefix(_DELETE)
        here = result.get(key)
        if value is None:
            result.pop(key, None)
        elif key in result and isinstance(here, dict) and isinstance(value, dict):
            child = _child_of(node, key)
            result[key] = value if "replace" in child.patch_strategies else _merge_map(here, value, child)
        elif key in result and isinstance(here, list) and isinstance(value, list):
            result[key] = _merge_field(here, value, _child_of(node, key), deletes)
        elif not deletes:
            if isinstance(value, dict) and _DIRECTIVE in value:
                result.pop(key, None)
            else:
                result[key] = _plain(value)
    return result


def _directed(patch: Object) -> Object:
    if patch[_DIRECTIVE] == "replace":
        return {key: value for key, value in patch.items() if key != _DIRECTIVE}
    if patch[_DIRECTIVE] == "delete":
        return {}
    raise Refused(f"unknown patch type: {patch[_DIRECTIVE]} in map: {patch}")


def _retain_keys(result: Object, patch: Object) -> None:
    """$retainKeys lists all the fields that may remain: the way to change a union from one member to another."""
    if _RETAIN not in patch:
        return
    kept = patch.pop(_RETAIN)
    named = [k for k, v in patch.items() if v is not None and not k.startswith((_DELETE, _ORDER))]
    if not isinstance(kept, list) or any(key not in kept for key in named):
        raise errors.bad_request("invalid patch format of retainKeys")
    for key in [key for key in result if key not in kept]:
        del result[key]


def _order_lists(result: Object, patch: Object, node: Node) -> None:
    """$setElementOrder/x tells the order of list x after the patch; what it does not name keeps its place around."""
    for directive in [key for key in patch if key.startswith(_ORDER)]:
        key, order = directive.removeprefix(_ORDER), patch.pop(directive)
        here, change = result.get(key, []), patch.get(key, [])
        for items in (order, here, change):
            if not isinstance(items, list):
                raise Refused(f"expected a []interface {{}}, but received a {json_type(items)}")
        child = _child_of(node, key)
        _check_order(change, order, child.merge_key)
        if key not in result and key not in patch:
            continue
        if key in patch and key in result:
            result[key] = _merge_field(here, change, child, False, order)
        else:
            result[key] = _ordered(_plain(change) or here, order, here, child.merge_key)
        patch.pop(key, None)


def _check_order(change: list[Any], order: list[Any], merge_key: str) -> None:
    """What the patch changes must appear in the order list, in that order."""
    if not order:
        return
    remaining = iter(_identities(order, merge_key))
    for identity in _identities([i for i in change if not _has_directive(i)], merge_key):
        if not any(identity == other for other in remaining):
            raise Refused(f"The order in patch list:\n{change}\n doesn't match {_ORDER[:-1]} list:\n{order}\n")


def _merge_field(
    here: list[Any], change: list[Any], child: Node, deletes: bool, order: list[Any] | None = None
) -> list[Any]:
    """Two lists of one field merged; `order` is what $setElementOrder asks for, else the patch's own order counts."""
    if deletes:
        return [item for item in here if item not in change]
    if "merge" not in child.patch_strategies:
        return change
    types = {
        dict if isinstance(item, dict) else list if isinstance(item, list) else type(item) for item in [*here, *change]
    }
    if len(types) > 1 or types & {list, type(None)}:
        raise Refused("list element types are not identical")
    if dict not in types:
        merged = list(dict.fromkeys([*here, *change]))
        return _ordered(merged, change if order is None else order, here, "")
    if not child.merge_key:
        raise Refused(f"cannot merge lists without merge key for {child.items.go_type}")
    here, change = _special_elements(here, change, child.merge_key)
    merged, places = list(here), _places(here, child.merge_key)
    for item, identity in zip(change, _identities(change, child.merge_key), strict=True):
        if identity in places:
            merged[places[identity]] = _merge_map(merged[places[identity]], item, child.items)
        else:
            places[identity] = len(merged)
            merged.append(item)
    return _ordered(merged, change if order is None else order, here, child.merge_key)


def _special_elements(here: list[Any], change: list[Any], merge_key: str) -> tuple[list[Any], list[Any]]:
    """Elements that carry $patch: `delete` takes away its like, `replace` makes the patch the whole list."""
    plain = [item for item in change if not _has_directive(item)]
    replaces = False
    for item in change:
        directive = item.get(_DIRECTIVE) if _has_directive(item) else None
        if directive == "delete":
            gone = _identities([item], merge_key)[0]
            here = [other for other in here if _identity(other.get(merge_key)) != gone]
        elif directive == "replace":
            replaces = True
        elif directive == "merge":
            raise Refused("merging lists cannot yet be specified in the patch")
        elif _has_directive(item):
            raise Refused(f"unknown patch type: {directive} in map: {item}")
    return (plain, []) if replaces else (here, plain)


def _ordered(merged: list[Any], order: list[Any], served: list[Any], merge_key: str) -> list[Any]:
    """What `order` names, in that order; the others go before the first that followed them in the live list."""
    wanted, live = _places(order, merge_key), _places(served, merge_key)
    identified = list(zip(_identities(merged, merge_key), merged, strict=True))
    named = sorted((pair for pair in identified if pair[0] in wanted), key=lambda pair: wanted[pair[0]])
    others = [pair for pair in identified if pair[0] not in wanted]
    others.sort(key=lambda pair: live.get(pair[0], len(live)))
    result: list[Any] = []
    for identity, item in named:
        while others and live.get(others[0][0], len(live)) < live.get(identity, -1):
            result.append(others.pop(0)[1])
        result.append(item)
    return result + [item for _, item in others]


def _places(items: Iterable[Any], merge_key: str) -> dict[Any, int]:
    places: dict[Any, int] = {}
    for i, identity in enumerate(_identities(items, merge_key)):
        places.setdefault(identity, i)
    return places


def _identities(items: Iterable[Any], merge_key: str) -> list[Any]:
    """What tells list elements apart: their merge key, or themselves where they are scalars."""
    try:
        values = [item[merge_key] for item in items] if merge_key else items
    except (KeyError, TypeError):
        wrong = next(item for item in items if not isinstance(item, dict) or merge_key not in item)
        if isinstance(wrong, dict):
            raise Refused(f"map: {wrong} does not contain declared merge key: {merge_key}") from None
        raise Refused(f"expected a map[string]interface {{}}, but received a {json_type(wrong)}") from None
    return [value if type(value) is str else _identity(value) for value in values]


def _identity(value: Any) -> Any:
    """Hashable, and different for 1, 1.0 and true."""
    if isinstance(value, dict | list):
        return _encoded(value)
    return value if isinstance(value, str) else (type(value), value)


def _has_directive(item: Any) -> bool:
    return isinstance(item, dict) and _DIRECTIVE in item


def _child_of(node: Node, key: str) -> Node:
    child = node.field(key)
    if child is None:
        raise Refused(f'unable to find api field in struct {node.name} for the json field "{key}"')
    return child


def _plain(value: Any) -> Any:
    """A value new to the object: without directives, and without the nulls that delete nothing."""
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if item is not None and not _has_directive(item)}
        return {key: _plain(item) for key, item in kept.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value if not _has_directive(item)]
    return value
