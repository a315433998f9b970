"""The other encoding of objects, protobuf, read by the published definitions and a table of field numbers.

kubectl and every typed Go client send their bodies so; `api.protobuf` calls this. `Numbers.decode` gives what JSON
would have carried, without the zeros that Go's JSON omits; `typeschema.decode` goes over it afterwards as over any
body, so quantities and ranges are judged there. Left out: writing (all these clients accept JSON too).
Facts: protobuf.dev/programming-guides/encoding, apimachinery/pkg/runtime/generated.proto and serializer/protobuf, the
marshalers beside the types (Time, MicroTime, Quantity, IntOrString).
"""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import orjson

from refkube.apimachinery import errors
from refkube.apimachinery import typeschema as ts
from refkube.apimachinery.meta import Object
from refkube.apimachinery.typeschema import DecodeError, Node, Schema

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\x00"
MAX_DEPTH = 100  # messages within messages, as in most protobuf libraries; only CustomResourceDefinitions nest at will

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types
_WIRE = {ts.INTEGER: _VARINT, ts.BOOLEAN: _VARINT, ts.NUMBER: _FIXED64}  # of the rest: _BYTES
_NOTHING, _ZERO = memoryview(b""), memoryview(b"0")


class Field(NamedTuple):
    """`name` is "" for a struct that JSON shows flattened into the one that holds it: `node` is the holder's then."""

    name: str
    node: Node
    keeps_zero: bool = True
    embedded: str = ""


class Numbers:
    """A table of field numbers, over the definitions that tell the fields' types.

    The table's form: "[package]" lines, and below each a line per struct, its name and its fields in order of
    number: "name", "name=7" after a gap. "*name" keeps a zero or an empty list though it is not required, "-name"
    loses it though it is; "@Struct" is embedded. "|Type" lists the members of a union that JSON shows as the member
    alone; of several that are set the last counts. An indented line continues the one before; "#" begins a comment.
    """

    def __init__(self, table: str, schema: Schema):
        self._schema = schema
        self.lines = read(table)
        self._fields: dict[tuple[str, str], dict[int, Field]] = {}

    def decode(self, data: bytes | memoryview, definition: str) -> Object:
        """The object that JSON would have shown. Raises DecodeError (400) on bytes that are not of this type."""
        try:
            return self._message(memoryview(data), self._of(definition, definition), {}, 0)
        except _Malformed as why:
            raise DecodeError(self._schema.node(definition), f"proto: {why}") from None

    def _message(self, data: memoryview, fields: Mapping[int, Field], into: Object, depth: int) -> Object:
        """Add to `into` what a message holds; a field written twice is merged or overwritten, as protobuf has it."""
        if depth > MAX_DEPTH:
            raise _Malformed("nested too deeply")
        for number, wire, value in _records(data):
            field = fields.get(number)
            if field is None:
                continue
            name, node = field.name, field.node
            if field.embedded:
                _expect(wire, _BYTES, number)
                self._message(value, self._of(field.embedded, node.definition), into, depth + 1)
            elif node.kind == ts.LIST:
                self._append(into.setdefault(name, []), node.items, number, wire, value, depth)
            elif node.kind == ts.MAP:
                _expect(wire, _BYTES, number)
                self._enter(into.setdefault(name, {}), node.items, value, depth)
            else:
                _expect(wire, _WIRE.get(node.kind, _BYTES), number)
                new = self._value(value, node, depth, into.get(name))
                if new is None or not (new or field.keeps_zero):
                    into.pop(name, None)
                else:
                    into[name] = new
        return into

    def _append(self, items: list[Any], node: Node, number: int, wire: int, value: Any, depth: int) -> None:
        expected = _WIRE.get(node.kind, _BYTES)
        if expected == _VARINT and wire == _BYTES:  # packed
            at = 0
            while at < len(value):
                item, at = _varint(value, at)
                items.append(self._value(item, node, depth))
        else:
            _expect(wire, expected, number)
            items.append(self._value(value, node, depth))

    def _enter(self, entries: Object, node: Node, data: memoryview, depth: int) -> None:
        """One entry of a map: a message of key and value. (A list as value is a message around it.)"""
        told = _told(data)
        key, written = _text(told.get(1, _NOTHING)), told.get(2, _NOTHING)
        if node.kind == ts.LIST:
            entries[key] = self._message(written, {1: Field("items", node)}, {}, depth + 1).get("items", [])
        else:
            entries[key] = self._value(written, node, depth)

    def _of(self, struct: str, shown: str) -> dict[int, Field]:
        """The fields of a struct by number; `shown` is the definition whose fields they are in JSON."""
        fields = self._fields.get((struct, shown))
        if fields is None:
            package, node = struct.rpartition(".")[0], self._schema.node(shown)
            fields = self._fields[struct, shown] = {
                number: _field(number, written, node, package, self._schema) for number, written in self.lines[struct]
            }
        return fields

    def _value(self, value: Any, node: Node, depth: int, old: Any = None) -> Any:
        """One value of a field, element or entry; `old` is what the same field held before."""
        if node.kind == ts.OBJECT:
            return self._message(value, self._of(node.definition, node.definition), old or {}, depth + 1)
        if node.definition in self.lines:  # a union
            found = self._message(value, self._of(node.definition, node.definition), {}, depth + 1)
            return found[max(found)] if found else None
        return _READERS[node.kind](value, node)


def read(table: str) -> dict[str, list[tuple[int, str]]]:
    """The table's lines: by full name of the struct, (number, field as it is written there)."""
    lines, package = {}, ""
    for line in table.replace("\n ", " ").splitlines():
        if line.startswith("["):
            package = line.strip("[]")
        if not line or line[0] in "[#":
            continue
        name, *fields = line.split()
        number, numbered = 0, []
        for field in fields:
            written, _, told = field.partition("=")
            number = int(told) if told else number + 1
            numbered.append((number, written))
        lines[f"{package}.{name}"] = numbered
    return lines


def omitted(table: str, definitions: Mapping[str, Mapping[str, Any]]) -> dict[str, set[str]]:
    """By definition, the fields that are lost where they are empty: see the marks in the table."""
    lines = read(table)

    def marked(struct: str, mark: str) -> set[str]:
        own = {written[1:] for _, written in lines.get(struct, ()) if written[0] == mark}
        package = struct.rpartition(".")[0]
        embedded = (f"{package}.{written[1:]}" for _, written in lines.get(struct, ()) if written[0] == "@")
        return own.union(*(marked(other, mark) for other in embedded))

    return {
        name: set(raw.get("properties", ())) - set(raw.get("required", ())) - marked(name, "*") | marked(name, "-")
        for name, raw in definitions.items()
    }


def _field(number: int, written: str, node: Node, package: str, schema: Schema) -> Field:
    mark, name = (written[0], written[1:]) if written[0] in "*-@|" else ("", written)
    if mark == "@":
        return Field("", node, embedded=f"{package}.{name}")
    if mark == "|":
        element = name.removeprefix("[]")
        scalar = {"bool": ts.BOOLEAN, "string": ts.STRING}.get(element)
        raw: Object = {"type": scalar} if scalar else {"$ref": f"#/$defs/{package}.{element}"}
        return Field(str(number), schema.resolve({"type": "array", "items": raw} if name != element else raw))
    return Field(name, node.fields[name], name not in node.omitted)


def open_envelope(body: bytes) -> tuple[str, str, memoryview]:
    """apiVersion, kind and the bytes of the object in a body (runtime.Unknown). Raises 400."""
    if not body.startswith(MAGIC):
        what = f"expected prefix [{' '.join(str(byte) for byte in MAGIC)}]"
        raise errors.bad_request(f"provided data does not appear to be a protobuf message, {what}")
    try:
        told = _told(memoryview(body)[len(MAGIC) :])
        names = _told(told.get(1, _NOTHING))
    except _Malformed as why:
        raise errors.bad_request(f"proto: {why}") from None
    return _text(names.get(1, _NOTHING)), _text(names.get(2, _NOTHING)), told.get(2, _NOTHING)


def _json(value: memoryview, node: Node) -> Any:
    """JSON as bytes in field 1: RawExtension, FieldsV1, JSON."""
    raw = _told(value).get(1)
    try:
        return orjson.loads(raw) if raw else None
    except orjson.JSONDecodeError as why:
        raise _Malformed(f"a field that holds JSON does not: {why}") from None


def _number(value: memoryview, node: Node) -> float:
    (number,) = struct.unpack("<d", value)
    if not math.isfinite(number):
        raise _Malformed(f"unsupported value: {number}")
    return number


def _int_or_string(value: memoryview, node: Node) -> int | str:
    """Of type 0 a number, of type 1 a text."""
    numbers = _told(value, _VARINT)
    if numbers.get(1, 0) > 1:
        raise _Malformed("impossible IntOrString.Type")
    return _text(_told(value).get(3, _NOTHING)) if numbers.get(1) else _signed(numbers.get(2, 0), 32)


def _time(value: memoryview, node: Node) -> str | None:
    """Seconds and nanoseconds since 1970; nothing at all is no time."""
    if not value:
        return None
    told, micro = _told(value, _VARINT), node.kind == ts.MICRO_TIME
    seconds, nanoseconds = (_signed(told.get(number, 0), 64) for number in (1, 2))
    try:
        moment = datetime(1970, 1, 1) + timedelta(seconds=seconds, microseconds=nanoseconds // 1000 * micro)
    except OverflowError:
        raise _Malformed("year outside of range [0,9999]") from None
    return moment.isoformat(timespec="microseconds" if micro else "seconds") + "Z"


def _text(value: memoryview, node: Node | None = None) -> str:
    """What is not UTF-8 becomes U+FFFD, as in Go's JSON."""
    return str(value, "utf-8", "replace")


_READERS: dict[str, Callable[[Any, Node], Any]] = {
    ts.STRING: _text,
    ts.BYTES: lambda value, node: base64.b64encode(value).decode(),
    ts.INTEGER: lambda value, node: _signed(value, 32 if node.format == "int32" else 64),
    ts.BOOLEAN: lambda value, node: value != 0,
    ts.NUMBER: _number,
    ts.QUANTITY: lambda value, node: _text(_told(value).get(1, _ZERO)),
    ts.INT_OR_STRING: _int_or_string,
    ts.TIME: _time,
    ts.MICRO_TIME: _time,
    ts.ANY: _json,
}


class _Malformed(Exception):
    """The bytes are not what they should be."""


def _records(data: memoryview) -> Iterator[tuple[int, int, Any]]:
    """A message's fields as they come: number, wire type, and an integer (varints) or bytes."""
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield number, wire, value
            continue
        if wire not in (_FIXED64, _BYTES, _FIXED32):  # groups: nobody has written them for two decades
            raise _Malformed(f"illegal wireType {wire}")
        size = 8 if wire == _FIXED64 else 4
        if wire == _BYTES:
            size, at = _varint(data, at)
        if size > end - at:
            raise _Malformed("unexpected EOF")
        yield number, wire, data[at : at + size]
        at += size


def _told(data: memoryview, of: int = _BYTES) -> dict[int, Any]:
    """A small message's fields of one wire type, by number."""
    return {number: value for number, wire, value in _records(data) if wire == of}


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """An unsigned integer of 64 bits, and where it ends."""
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        value, at = value | (byte & 0x7F) << shift, at + 1
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
        shift += 7
    raise _Malformed("unexpected EOF" if shift < 70 else "integer overflow")


def _expect(wire: int, expected: int, number: int) -> None:
    if wire != expected:
        raise _Malformed(f"wrong wireType = {wire} for field {number}")


def _signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value
