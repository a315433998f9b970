"""Kubernetes' types as the published definitions tell them, and the decoding of JSON by them.

`Schema` turns a table of definitions into `Node`s: what a field is, how lists and maps merge. Patches, server-side
apply and `explain` read nodes; the API server decodes every body with `decode`. A missing field is no error here:
that is validation's. Left out: the shape inside fields whose type is a union written in Go (JSONSchemaPropsOrBool ...).
Facts: sigs.k8s.io/json (decode.go), encoding/json, apimachinery's Time, MicroTime, Quantity and IntOrString.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, NamedTuple

import orjson

from refkube.apimachinery import errors, quantity
from refkube.apimachinery.meta import Object

OBJECT, MAP, LIST, ANY = "object", "map", "list", "any"
STRING, INTEGER, NUMBER, BOOLEAN, BYTES = "string", "integer", "number", "boolean", "byte"
QUANTITY, TIME, MICRO_TIME, INT_OR_STRING = "Quantity", "Time", "MicroTime", "IntOrString"

_GO_SCALARS = {STRING: "string", NUMBER: "float64", BOOLEAN: "bool", BYTES: "[]uint8"}
_ANY_TYPES = {"RawExtension", "FieldsV1", "JSON", "JSONSchemaPropsOrArray", "JSONSchemaPropsOrBool", "Patch"}
_ANY_TYPES.add("JSONSchemaPropsOrStringArray")
_ZERO: dict[str, Any] = {OBJECT: {}, MAP: {}, LIST: [], STRING: "", INTEGER: 0, NUMBER: 0, BOOLEAN: False, BYTES: ""}
_ZERO |= {QUANTITY: "0", INT_OR_STRING: 0}
_PLAIN: dict[str, type] = {STRING: str, BOOLEAN: bool}
_OMITTABLE = {LIST, MAP, STRING, INTEGER, NUMBER, BOOLEAN, BYTES}  # to Go a struct is never empty


class Node:
    """The type of a value, seen from the field that holds it. Children are made when first asked for."""

    __slots__ = (
        "_fields", "_items", "_raw", "_schema", "definition", "description", "format", "go_type", "gvks", "kind",
        "list_map_keys", "list_type", "map_type", "merge_key", "name", "omitted", "patch_strategies", "plain",
        "required", "walk",
    )  # fmt: skip

    def __init__(self, schema: Schema, raw: Mapping[str, Any], definition: str = "", use: Mapping[str, Any] = {}):
        """`raw` is the type's own definition, `use` the field that refers to it (its extensions win)."""
        self._schema, self._raw = schema, raw
        self._fields: dict[str, Node] | None = None
        self._items: Node | None = None
        told = {**raw, **use}
        self.definition = definition  # its full name, or "" for what has none
        self.name = definition.rpartition(".")[2]  # the Go type: "PodSpec", or "" for what has no name
        self.kind = _kind_of(self.name, raw)
        self.format = raw.get("format", "")
        self.description = told.get("description", "")
        self.required = tuple(raw.get("required", ()))
        self.omitted = schema.omitted(definition, raw)
        self.list_type = told.get("x-kubernetes-list-type", "")
        self.list_map_keys = tuple(told.get("x-kubernetes-list-map-keys", ()))
        self.map_type = told.get("x-kubernetes-map-type", "")
        self.patch_strategies = tuple(filter(None, told.get("x-kubernetes-patch-strategy", "").split(",")))
        self.merge_key = told.get("x-kubernetes-patch-merge-key", "")
        self.gvks = tuple((g["group"], g["version"], g["kind"]) for g in raw.get("x-kubernetes-group-version-kind", ()))
        self.go_type = _go_type(self, definition)
        self.walk = _WALKERS[self.kind]
        self.plain = _PLAIN.get(self.kind)  # a Python type all of whose values are right

    @property
    def fields(self) -> dict[str, Node]:
        """The fields of a struct by name."""
        if self._fields is None:
            node = self._schema.resolve
            self._fields = {name: node(raw) for name, raw in self._raw.get("properties", {}).items()}
        return self._fields

    @property
    def items(self) -> Node:
        """Of a list: its elements' type; of a map: its values'. Of ANY: ANY."""
        if self._items is None:
            raw = self._raw.get("items" if self.kind == LIST else "additionalProperties")
            self._items = self._schema.resolve(raw) if raw else self
        return self._items

    values = items

    def field(self, name: str) -> Node | None:
        """The type at a key of a struct or map; None where a struct has no such field or this is a scalar."""
        if self.kind == OBJECT:
            return self.fields.get(name)
        return self.items if self.kind in (MAP, ANY) else None

    def __repr__(self) -> str:
        return f"Node({self.go_type})"


class Schema:
    """A view over a table of definitions, {full name: JSON schema}.

    `omitted` are, by definition, the fields that Go's JSON leaves out where they are empty (omitempty).
    """

    def __init__(
        self, definitions: Mapping[str, Mapping[str, Any]], omitted: Mapping[str, Collection[str]] | None = None
    ):
        self.definitions = definitions
        self._omitted = omitted or {}
        self._nodes: dict[str, Node] = {}

    def node(self, definition: str) -> Node:
        """By full name, "io.k8s.api.core.v1.Pod". KeyError if there is none."""
        node = self._nodes.get(definition)
        if node is None:
            node = self._nodes[definition] = Node(self, self.definitions[definition], definition)
        return node

    def resolve(self, raw: Mapping[str, Any]) -> Node:
        """The node of a field, list element or map value."""
        reference = raw.get("$ref")
        if not reference:
            return Node(self, raw)
        definition = reference.rpartition("/")[2]
        if any(key.startswith("x-kubernetes-") for key in raw):
            return Node(self, self.definitions[definition], definition, raw)
        return self.node(definition)

    def omitted(self, definition: str, raw: Mapping[str, Any]) -> frozenset[str]:
        """The fields of a struct that are left out where they are empty: lists, maps and scalars."""
        names, fields = self._omitted.get(definition, ()), raw.get("properties", {})
        return frozenset(
            name for name in names if "$ref" not in fields[name] and _kind_of("", fields[name]) in _OMITTABLE
        )

    def exact(self, definition: str) -> dict[str, Any]:
        """A JSON Schema (draft 4) for objects that `decode` would return as they are: no null, no unknown field,
        nothing empty that Go leaves out, every number in range, every quantity and time surely canonical already."""
        reached: dict[str, Any] = {}
        todo = [definition]
        while todo:
            name = todo.pop()
            if name not in reached:
                raw = self.definitions[name]
                reached[name] = _exact(raw, name.rpartition(".")[2], todo, self.omitted(name, raw))
        return {"$ref": f"#/definitions/{definition}", "definitions": reached}


class Decoded(NamedTuple):
    """`unknown` are upstream's strict errors without the words before them: `unknown field "spec.foo"`."""

    object: Object
    unknown: list[str]


class DecodeError(errors.StatusError):
    """400 for a body that does not fit its type; `detail` is the decoder's own message."""

    def __init__(self, node: Node, detail: str):
        prefix = ""
        if node.gvks:
            _, version, kind = node.gvks[0]
            prefix = f'{kind} in version "{version}" cannot be handled as a {kind}: '
        super().__init__(errors.bad_request(prefix + detail).status)
        self.detail = detail


def decode(obj: Any, node: Node, is_exact: Callable[[Any], bool] | None = None) -> Decoded:
    """What Kubernetes' decoder makes of parsed JSON: nulls, unknown fields and what Go omits are gone, quantities and
    times are in their canonical form. The very same object if nothing had to change. Raises DecodeError on a wrong
    type.

    `is_exact` is a compiled `Schema.exact`; it decides nearly all bodies alone.
    """
    if is_exact is not None:
        try:
            if is_exact(obj):
                return Decoded(obj, [])
        except ValueError:  # not JSON, or nested deeper than the validator follows: the walker tells
            pass
    unknown: list[str] = []
    try:
        decoded = node.walk(obj, unknown, node)
    except _Undecodable as why:
        raise DecodeError(node, str(why)) from None
    except RecursionError:
        raise DecodeError(node, "json: exceeded max depth") from None
    return Decoded(decoded, [f'unknown field "{path}"' for path in dict.fromkeys(unknown)][:100])


def find_duplicate_fields(raw: bytes, obj: Any) -> list[str]:
    """Upstream's strict errors `duplicate field "spec.foo"` for raw JSON that was parsed as `obj`.

    Go clients send compact JSON, which equals its own re-encoding (2 us for a Pod) and so has none; anything else is
    parsed once more with an eye on the keys (some 70 us for a Pod).
    """
    if raw.strip() == orjson.dumps(obj):
        return []
    seen: list[bool] = []
    try:
        tree = json.loads(raw, object_pairs_hook=lambda pairs: _keep_pairs(pairs, seen))
        return [f'duplicate field "{path}"' for path in dict.fromkeys(_duplicates(tree, ""))][:100] if seen else []
    except (ValueError, RecursionError):
        return []  # what is not JSON, or too deep to be an object of ours, fails elsewhere


def _kind_of(name: str, raw: Mapping[str, Any]) -> str:
    if name in (QUANTITY, TIME, MICRO_TIME, INT_OR_STRING):
        return name
    if name in _ANY_TYPES or not raw.get("type"):
        return ANY
    types = raw["type"]
    kind = types if isinstance(types, str) else types[0]
    if kind == "array":
        return LIST
    if kind == "object":
        return MAP if isinstance(raw.get("additionalProperties"), dict) else OBJECT
    return BYTES if raw.get("format") == "byte" else kind


def _go_type(node: Node, definition: str) -> str:
    if definition:
        return ".".join(definition.split(".")[-2:])
    if node.kind == LIST:
        return "[]" + node.items.go_type
    if node.kind == MAP:
        return "v1.ResourceList" if node.items.kind == QUANTITY else "map[string]" + node.items.go_type
    if node.kind == INTEGER:
        return node.format or "int64"
    return _GO_SCALARS.get(node.kind, "interface {}")


# The walker. Each takes a value and its node and returns what becomes of it: the same value where nothing changes, None
# where the field is to be dropped. Paths of unknown fields are collected bottom-up, so that a clean object builds none.


class _Undecodable(Exception):
    """A value does not fit; the structs it is in add where."""

    def __init__(self, detail: str = "", found: str = "", wanted: str = ""):
        self.detail, self.found, self.wanted = detail, found, wanted
        self.struct, self.path = "", ""

    def __str__(self) -> str:
        where = f"Go struct field {self.struct}.{self.path} of type" if self.struct else "Go value of type"
        return self.detail or f"json: cannot unmarshal {self.found} into {where} {self.wanted}"


def _mismatch(value: Any, wanted: str) -> _Undecodable:
    return _Undecodable(found=json_type(value), wanted=wanted)


def _standalone(value: Any, wanted: str) -> _Undecodable:
    """For the types that decode themselves: they do not know the field they are in."""
    return _Undecodable(detail=str(_mismatch(value, wanted)))


def json_type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return {str: "string", dict: "object", list: "array", type(None): "null"}.get(type(value), type(value).__name__)


def _walk_object(value: Any, unknown: list[str], node: Node) -> Any:
    if not isinstance(value, dict):
        raise _mismatch(value, node.go_type)
    fields, omitted, made = node.fields, node.omitted, None
    for key, item in value.items():
        child, new = fields.get(key), None
        if child is None:
            unknown.append(key)
        elif type(item) is child.plain:
            if item or key not in omitted:
                continue
        elif item is not None:
            known = len(unknown)
            try:
                new = child.walk(item, unknown, child)
            except _Undecodable as why:
                why.struct, why.path = why.struct or node.name, f"{key}.{why.path}" if why.path else key
                raise
            if len(unknown) > known:
                _prefix(unknown, known, key)
            if not new and key in omitted:
                new = None
        if new is not item or new is None:
            made = _replaced(value if made is None else made, made, key, new)
    return value if made is None else made


def _walk_map(value: Any, unknown: list[str], node: Node) -> Any:
    if not isinstance(value, dict):
        raise _mismatch(value, node.go_type)
    child, made = node.items, None
    for key, item in value.items():
        if type(item) is child.plain:
            continue
        known = len(unknown)
        new = _ZERO.get(child.kind) if item is None else child.walk(item, unknown, child)
        _prefix(unknown, known, key)
        if new is not item:
            made = _replaced(value if made is None else made, made, key, new)
    return value if made is None else made


def _walk_list(value: Any, unknown: list[str], node: Node) -> Any:
    if not isinstance(value, list):
        raise _mismatch(value, node.go_type)
    child, made = node.items, None
    for i, item in enumerate(value):
        if type(item) is child.plain:
            continue
        known = len(unknown)
        new = _ZERO.get(child.kind) if item is None else child.walk(item, unknown, child)
        if len(unknown) > known:
            _prefix(unknown, known, f"[{i}]")
        if new is not item:
            made = list(value) if made is None else made
            made[i] = new
    return value if made is None else made


def _replaced(source: Object, made: Object | None, key: str, new: Any) -> Object:
    made = dict(source) if made is None else made
    if new is None:
        del made[key]
    else:
        made[key] = new
    return made


def _prefix(unknown: list[str], since: int, step: str) -> None:
    for i in range(since, len(unknown)):
        unknown[i] = step + unknown[i] if unknown[i].startswith("[") else f"{step}.{unknown[i]}"


def _walk_string(value: Any, unknown: list[str], node: Node) -> Any:
    if not isinstance(value, str):
        raise _mismatch(value, node.go_type)
    return value


def _walk_boolean(value: Any, unknown: list[str], node: Node) -> Any:
    if not isinstance(value, bool):
        raise _mismatch(value, node.go_type)
    return value


def _walk_integer(value: Any, unknown: list[str], node: Node) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _mismatch(value, node.go_type)
    limit = 2**31 if node.format == "int32" else 2**63
    if isinstance(value, float) or not -limit <= value < limit:
        raise _Undecodable(found=f"number {value}", wanted=node.go_type)
    return value


def _walk_number(value: Any, unknown: list[str], node: Node) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _mismatch(value, node.go_type)
    return value


def _walk_bytes(value: Any, unknown: list[str], node: Node) -> Any:
    if not isinstance(value, str):
        raise _mismatch(value, node.go_type)
    text = value.replace("\r", "").replace("\n", "")
    if len(text) % 4 or text.endswith("==="):
        raise _Undecodable(f"illegal base64 data at input byte {_base64_ends(value)}")
    try:
        encoded = base64.b64encode(binascii.a2b_base64(text, strict_mode=True)).decode()
    except (binascii.Error, ValueError):
        raise _Undecodable(f"illegal base64 data at input byte {_base64_ends(value)}") from None
    return value if encoded == value else encoded


def _base64_ends(text: str) -> int:
    """Where Go's decoder gives up: at the first foreign byte, else where the incomplete group begins."""
    data = text.encode()
    foreign = re.search(rb"[^A-Za-z0-9+/\r\n]", data)
    return foreign.start() if foreign else len(data) // 4 * 4


def _walk_any(value: Any, unknown: list[str], node: Node) -> Any:
    return value


def _walk_quantity(value: Any, unknown: list[str], node: Node) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _Undecodable(quantity.FORMAT_WRONG)
    try:
        text = str(quantity.parse(value.strip() if isinstance(value, str) else value))
    except ValueError as why:
        raise _Undecodable(str(why)) from None
    return value if text == value else text


def _walk_int_or_string(value: Any, unknown: list[str], node: Node) -> Any:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _standalone(value, "int32")
    if isinstance(value, float) or not -(2**31) <= value < 2**31:
        raise _Undecodable(f"json: cannot unmarshal number {value} into Go value of type int32")
    return value


_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)([.,]\d+)?(?:Z|([+-]\d\d):(\d\d))", re.ASCII)
_LAYOUT = re.split("(?<=[-T:])|(?=[-T:])", "2006-01-02T15:04:05")  # as Go writes a time's parts
_RANGES = (("month", 1, 12), ("day", 1, 31), ("hour", 0, 23), ("minute", 0, 59), ("second", 0, 59))


def _walk_time(value: Any, unknown: list[str], node: Node) -> Any:
    """RFC 3339, given back in UTC: whole seconds, or six digits of a second for MicroTime. The zero time is no time."""
    if not isinstance(value, str):
        raise _standalone(value, "string")
    micro = node.kind == MICRO_TIME
    found = _TIME.fullmatch(value)
    if not found or (micro and len(found[7] or "") != 7):
        raise _Undecodable(f'parsing time "{value}" as {_where_time_breaks(value, micro)}')
    parts = [int(part) for part in found.groups()[:6]]
    for part, (name, low, high) in zip(parts[1:], _RANGES, strict=True):
        if not low <= part <= high:
            raise _Undecodable(f'parsing time "{value}": {name} out of range')
    away = timedelta(hours=int(found[8] or 0), minutes=int(f"{(found[8] or '+')[0]}{found[9] or 0}"))
    try:
        moment = datetime(*parts, tzinfo=timezone(away)).astimezone(UTC)  # type: ignore[misc, arg-type]
    except (ValueError, OverflowError):
        raise _Undecodable(f'parsing time "{value}": day out of range') from None
    text = moment.isoformat()[:19] + (f".{found[7][1:]}Z" if micro else "Z")
    if moment.year == 1 and moment.timetuple().tm_yday == 1 and text[11:19] == "00:00:00":
        return None
    return value if text == value else text


def _where_time_breaks(text: str, micro: bool) -> str:
    """Go's layout, and the first part of it that the text does not follow."""
    fraction, rest = (".000000" if micro else ""), text
    for element in _LAYOUT:
        if not re.match(r"\d" * len(element) if element.isdigit() else element, rest, re.ASCII):
            break
        rest = rest[len(element) :]
    else:
        past = re.match(r"[.,]\d{6}(?!\d)" if micro else r"([.,]\d+)?", rest, re.ASCII)
        element, rest = ("Z07:00", rest[past.end() :]) if past else (fraction, rest)
    return f'"2006-01-02T15:04:05{fraction}Z07:00": cannot parse "{rest}" as "{element}"'


_WALKERS: dict[str, Callable[..., Any]] = {
    OBJECT: _walk_object, MAP: _walk_map, LIST: _walk_list, ANY: _walk_any, STRING: _walk_string,
    INTEGER: _walk_integer, NUMBER: _walk_number, BOOLEAN: _walk_boolean, BYTES: _walk_bytes,
    QUANTITY: _walk_quantity, TIME: _walk_time, MICRO_TIME: _walk_time, INT_OR_STRING: _walk_int_or_string,
}  # fmt: skip


# The exact schema: only forms that need no look at their meaning.

_DAYS = "((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
_SECOND = f"^[1-9][0-9]{{3}}-{_DAYS}T([01][0-9]|2[0-3])(:[0-5][0-9]){{2}}"
_EXACT: dict[str, Any] = {
    ANY: {},
    STRING: {"type": "string"},
    NUMBER: {"type": "number"},
    BOOLEAN: {"type": "boolean"},
    BYTES: {"type": "string", "pattern": "^([A-Za-z0-9+/]{4})*$"},
    TIME: {"type": "string", "pattern": f"{_SECOND}Z$"},
    MICRO_TIME: {"type": "string", "pattern": f"{_SECOND}[.][0-9]{{6}}Z$"},
    QUANTITY: {"type": "string", "pattern": "^(0|[1-9][0-9]{0,2}([numkMGTP]|[KMGTP]i)?|[1-9][0-9]{0,9}[1-9]0{0,2}m?)$"},
    INT_OR_STRING: {"anyOf": [{"type": "string"}, {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1}]},
}


# What makes one of these more than empty.
_FILLED: dict[str, dict[str, Any]] = {
    LIST: {"minItems": 1}, MAP: {"minProperties": 1}, STRING: {"minLength": 1}, BYTES: {"minLength": 1},
    INTEGER: {"not": {"enum": [0]}}, NUMBER: {"not": {"enum": [0]}}, BOOLEAN: {"enum": [True]},
}  # fmt: skip


def _exact(
    raw: Mapping[str, Any], name: str, todo: list[str], omitted: Collection[str] = frozenset()
) -> dict[str, Any]:
    reference = raw.get("$ref")
    if reference:
        definition = reference.rpartition("/")[2]
        todo.append(definition)
        return {"$ref": f"#/definitions/{definition}"}
    kind = _kind_of(name, raw)
    if kind == OBJECT:
        fields = {field: _exact(child, "", todo) for field, child in raw.get("properties", {}).items()}
        for field in omitted:
            fields[field] = {**fields[field], **_FILLED[_kind_of("", raw["properties"][field])]}
        return {"type": "object", "properties": fields, "additionalProperties": False}
    if kind == MAP:
        return {"type": "object", "additionalProperties": _exact(raw["additionalProperties"], "", todo)}
    if kind == LIST:
        return {"type": "array", "items": _exact(raw["items"], "", todo)}
    if kind == INTEGER:
        limit = 2**31 if raw.get("format") == "int32" else 2**63
        return {"type": "integer", "minimum": -limit, "maximum": limit - 1}
    return _EXACT[kind]


def _keep_pairs(pairs: list[tuple[str, Any]], seen: list[bool]) -> list[tuple[str, Any]] | Object:
    kept = dict(pairs)
    if len(kept) == len(pairs):
        return kept
    seen.append(True)
    return _Pairs(pairs)


class _Pairs(dict[str, Any]):
    """An object some of whose keys came twice; `every` are its pairs as they were written."""

    def __init__(self, pairs: list[tuple[str, Any]]):
        super().__init__(pairs)
        self.every = pairs


def _duplicates(value: Any, path: str) -> list[str]:
    found: list[str] = []
    if isinstance(value, dict):
        met: set[str] = set()
        for key, item in value.every if isinstance(value, _Pairs) else value.items():
            here = f"{path}.{key}" if path else key
            if key in met:
                found.append(here)
            met.add(key)
            found += _duplicates(item, here)
    elif isinstance(value, list):
        for i, item in enumerate(value):
            found += _duplicates(item, f"{path}[{i}]")
    return found
