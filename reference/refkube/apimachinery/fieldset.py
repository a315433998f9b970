"""Sets of field paths, as metadata.managedFields tells who owns what, and the comparison of objects by them.

A set has FieldsV1's own form, so it is stored as it is: {"f:metadata": {"f:labels": {".": {}, "f:app": {}}}}. A key is
a field (f:), an item of a list by its keys (k:) or by its value (v:); an entry that is empty or has "." is a member.
Sets are immutable and shared: equal ones made here are mostly one object. `registry.managedfields` calls this on every
write. Left out: list indices (upstream never writes them), and sets whose type changed from granular to atomic.
Facts: sigs.k8s.io/structured-merge-diff (fieldpath/, typed/) and Kubernetes' documentation, "Server-Side Apply".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import orjson

from refkube.apimachinery import typeschema
from refkube.apimachinery.meta import Object
from refkube.apimachinery.typeschema import Node

FieldSet = dict[str, Any]
EMPTY: Final[FieldSet] = {}
LEAF: Final[FieldSet] = EMPTY  # below the root, an empty entry is a member without children
MEMBER: Final[FieldSet] = {".": LEAF}  # the same, spelled out

_SHARED = 1 << 15  # nodes kept for sharing; then sharing starts anew
_REMEMBERED = 1 << 12  # values whose sets are kept

# Struct fields that are Go values, not pointers: upstream's objects always have them, so they are not added or removed
# with their first or last member. The published definitions do not say which they are.
_STANDING = {
    "metadata", "spec", "status", "template", "strategy", "updateStrategy", "loadBalancer", "state", "lastState",
    "source", "deprecatedSource", "daemonEndpoints", "kubeletEndpoint", "nodeInfo", "conditions", "devices",
    "limitResponse", "resources",
}  # fmt: skip
_POINTERS = {
    ("PodSpec", "resources"), ("PodStatus", "resources"), ("ContainerStatus", "resources"),
    ("ReplicationControllerSpec", "template"),
}  # fmt: skip
_SCALARS = {typeschema.STRING, typeschema.INTEGER, typeschema.NUMBER, typeschema.BOOLEAN}
_KEY_DEFAULTS = {"protocol": "TCP"}  # of list keys that an item may leave out: ports of containers and services

# What the API server itself writes, and nobody owns (apimachinery/pkg/util/managedfields/internal/stripmeta.go).
_UNOWNED = {"apiVersion", "kind"}
_UNOWNED_METADATA = {
    "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "selfLink", "clusterName",
    "managedFields",
}  # fmt: skip


# Path elements: of list items


@lru_cache(maxsize=1 << 15)
def _map_key(pairs: tuple[tuple[str, Any], ...]) -> str:
    return "k:" + _json(dict(pairs))


@lru_cache(maxsize=1 << 12, typed=True)
def _set_key(value: Any) -> str:
    return "v:" + _json(value)


def _json(value: Any) -> str:
    """As Go encodes it: compact, and safe inside HTML."""
    text = orjson.dumps(value).decode()
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


# Types


class Shape:
    """How a value is owned: `is_list` by its items (of `keys`; a set has none), else by its fields.

    `fields` has (path element, shape, standing) by name; its shape is None for what is owned as a whole, scalars and
    atomic values, and UNOWNED for what is not owned. `rest` is that of other names: a map's values. `open` is True
    where other names are allowed.
    """

    __slots__ = (
        "_fields",
        "elements",
        "is_list",
        "item",
        "key",
        "keys",
        "node",
        "open",
        "plans",
        "rest",
        "root",
        "type",
    )

    def __init__(self, node: Node, root: frozenset[str] | set[str] = frozenset()):
        self.node, self.root = node, root
        self.is_list = node.kind == typeschema.LIST
        self.type: type[Any] = list if self.is_list else dict  # a value that is no such thing is owned as a whole
        self.keys = node.list_map_keys if self.is_list and node.list_type == "map" else ()
        self.key: Callable[[Any], str] = self._key if self.keys else _set_key
        self.elements: dict[str, str] = {}  # of items with one key that is a string, for speed
        self.open = not (self.is_list or (node.kind == typeschema.OBJECT and node.fields))
        self.rest: Shape | None = None
        self.item: Shape | None = None
        self._fields: dict[str, tuple[str, Shape | None, bool]] | None = None
        self.plans: dict[tuple[str, ...], tuple[FieldSet, list[tuple[str, str, Shape]]]] = {}
        if self.is_list:
            self.item = shape_of(node.items) if self.keys else None
        elif self.open:  # no schema: maps are granular all the way down, lists are atomic
            self.rest = self if node.items is node and not root else shape_of(node.items)

    @property
    def fields(self) -> dict[str, tuple[str, Shape | None, bool]]:
        if self._fields is None:
            self._fields = {name: self._field(name, child) for name, child in self.node.fields.items()}
            for name in self.root:
                self._fields[name] = (f"f:{name}", UNOWNED, False)
        return self._fields

    def _field(self, name: str, child: Node) -> tuple[str, Shape | None, bool]:
        required = name in self.node.required
        if name == "metadata" and self.root:
            return "f:metadata", Shape(child, _UNOWNED_METADATA), True
        shape = shape_of(child)
        if shape is None:
            return f"f:{name}", None, required and child.kind in _SCALARS
        is_struct = not shape.is_list and not shape.open
        standing = is_struct and name in _STANDING and (self.node.name, name) not in _POINTERS
        return f"f:{name}", shape, required or standing

    def field(self, name: str) -> tuple[str, Shape | None, bool]:
        return self.fields.get(name) or (f"f:{name}", self.rest, False)

    def _key(self, item: Any) -> str:
        """The path element of a list's item: its keys, sorted; those that are absent without a default stay out."""
        if not isinstance(item, dict):
            return "k:{}"
        values = ((name, item.get(name, _KEY_DEFAULTS.get(name))) for name in self.keys)
        element = _map_key(tuple(sorted((name, value) for name, value in values if value is not None)))
        if len(self.keys) == 1 and isinstance(value := item.get(self.keys[0]), str):
            if len(self.elements) >= _REMEMBERED:
                self.elements.clear()
            self.elements[value] = element
        return element


UNOWNED: Final = Shape(Node(typeschema.Schema({}), {"type": "string"}))
_shapes: dict[int, tuple[Node, Shape | None]] = {}
_roots: dict[int, tuple[Node, Shape]] = {}


def shape_of(node: Node) -> Shape | None:
    """None where a value is owned as a whole."""
    found = _shapes.get(id(node))
    if found is None:
        found = _shapes[id(node)] = (node, Shape(node) if _is_granular(node) else None)
    return found[1]


def root_shape(node: Node) -> Shape:
    """That of a whole object."""
    found = _roots.get(id(node))
    if found is None:
        shape = Shape(node, _UNOWNED)
        if shape.open:  # a custom resource without a schema
            shape.fields["metadata"] = ("f:metadata", Shape(node, _UNOWNED_METADATA), True)
        found = _roots[id(node)] = (node, shape)
    return found[1]


def _is_granular(node: Node) -> bool:
    if node.kind == typeschema.LIST:
        return node.list_type in ("map", "set")
    if node.kind == typeschema.ANY:
        return not node.name  # a type of unknown fields; RawExtension and its like are atomic
    return node.kind in (typeschema.OBJECT, typeschema.MAP) and node.map_type != "atomic"


# The algebra

_nodes: dict[tuple[Any, ...], FieldSet] = {}
_results: dict[tuple[int, int, bool], tuple[FieldSet, FieldSet, FieldSet]] = {}  # of unions (True) and differences


def _shared(made: FieldSet) -> FieldSet:
    """The one set with these entries, sorted as upstream sorts them. The entries must be shared already."""
    if not made:
        return EMPTY
    found = _nodes.get((*made, *map(id, made.values())))
    if found is None:
        names = sorted(made)
        if names[-1] > "g" and len(names) > 1 + (names[0] == "."):  # items of lists: numbers are compared as numbers
            names.sort(key=_order)
        signature = (*names, *[id(made[name]) for name in names])
        if len(_nodes) >= _SHARED:
            _nodes.clear()  # ids in signatures are of entries that their set keeps alive: they go together
        found = _nodes.setdefault(signature, {name: made[name] for name in names})
        _nodes[(*made, *map(id, made.values()))] = found  # however it was put together
    return found


def _entry(made: FieldSet) -> FieldSet:
    return LEAF if len(made) == 1 and "." in made else _shared(made)


@lru_cache(maxsize=1 << 14)
def _order(element: str) -> tuple[Any, ...]:
    rank = ".fkvi".find(element[0])
    if element[0] == "k":
        return rank, tuple((name, *_comparable(value)) for name, value in sorted(orjson.loads(element[2:]).items()))
    if element[0] in "vi":
        return rank, *_comparable(orjson.loads(element[2:]))
    return rank, element


def _comparable(value: Any) -> tuple[int, Any]:
    if isinstance(value, bool):
        return 2, value
    return (0, value) if isinstance(value, int | float) else (1, value if isinstance(value, str) else _json(value))


def is_member(entry: FieldSet) -> bool:
    return not entry or "." in entry


def union(a: FieldSet, b: FieldSet) -> FieldSet:
    """Every path of either."""
    if a is b or not b:
        return a
    if not a:
        return b
    found = _results.get((id(a), id(b), True))
    return found[2] if found else _result(a, b, True, _union(a, b))


def _union(a: FieldSet, b: FieldSet) -> FieldSet:
    made: FieldSet | None = None
    for key, theirs in b.items():
        ours = a.get(key)
        if ours is theirs:
            continue
        joined = theirs if ours is None else union(ours or MEMBER, theirs or MEMBER)
        if joined is not (ours or MEMBER):
            made = made or {**a}
            made[key] = joined
    return a if made is None else _shared(made)


def difference(a: FieldSet, b: FieldSet) -> FieldSet:
    """The paths of `a` that `b` has not; a path does not stand for those below it."""
    if a is b:
        return EMPTY
    if a.keys().isdisjoint(b):
        return a
    found = _results.get((id(a), id(b), False))
    return found[2] if found else _result(a, b, False, _difference(a, b))


def _difference(a: FieldSet, b: FieldSet) -> FieldSet:
    made: FieldSet | None = None
    for key in a.keys() & b.keys():
        ours, theirs = a[key], b[key]
        left = EMPTY if ours is theirs or key == "." else difference(ours or MEMBER, theirs or MEMBER)
        if left is (ours or MEMBER):
            continue
        made = made or {**a}
        if left:
            made[key] = _entry(left)
        else:
            del made[key]
    return a if made is None else _shared(made)


def _result(a: FieldSet, b: FieldSet, joined: bool, found: FieldSet) -> FieldSet:
    """Remembered, as sets are shared: what one Pod's update gives is what a thousand others' give."""
    if len(_results) >= _REMEMBERED:
        _results.clear()
    _results[id(a), id(b), joined] = (a, b, found)
    return found


def intersection(a: FieldSet, b: FieldSet) -> FieldSet:
    """The paths of both."""
    if a is b:
        return a
    made = {}
    for key, ours in a.items():
        theirs = b.get(key)
        if theirs is None:
            continue
        if ours is theirs:
            made[key] = ours
        else:
            both = intersection(ours or MEMBER, theirs or MEMBER)
            if both:
                made[key] = _entry(both)
    return _shared(made)


def strip(a: FieldSet, reset: FieldSet) -> FieldSet:
    """`a` without the paths of `reset` and everything below them."""
    made: FieldSet | None = None
    for key, theirs in reset.items():
        ours = a.get(key)
        if ours is None:
            continue
        left = EMPTY if is_member(theirs) else strip(ours or MEMBER, theirs)
        made = made or {**a}
        if left:
            made[key] = _entry(left)
        else:
            del made[key]
    return a if made is None else _shared(made)


def from_paths(*paths: Iterable[str]) -> FieldSet:
    """The set of these paths, each given by its elements: ("f:spec", "f:replicas")."""
    found = EMPTY
    for path in paths:
        entry: FieldSet = LEAF
        for element in reversed(list(path)):
            entry = _shared({element: entry})
        found = union(found, entry)
    return found


def parse(fields: Any) -> FieldSet:
    """A set that a client sent. ValueError where it is none; elements of a kind unknown here are dropped."""
    if not isinstance(fields, dict):
        raise ValueError(f"expected an object, found {_json(fields)}")
    made: FieldSet = {}
    for key, below in fields.items():
        if key == ".":
            made[key] = LEAF
            continue
        if len(key) < 2:
            raise ValueError("parsing key as path element: key must be 2 characters long:")
        if key[1] != ":":
            raise ValueError(f"parsing key as path element: missing colon: {key}")
        if key[0] in "fkvi":
            made[_element(key)] = _entry(parse(below))
    return _shared(made)


def _element(key: str) -> str:
    if key[0] == "f":
        return key
    value = orjson.loads(key[2:])  # its error is a ValueError
    if key[0] == "k":
        if not isinstance(value, dict):
            raise ValueError(f"parsing key as path element: expected an object: {key}")
        value = dict(sorted(value.items()))
    return f"{key[0]}:{_json(value)}"


def paths(fields: FieldSet, prefix: str = "") -> Iterator[str]:
    """Every member as upstream prints it, '.spec.containers[name="a"].image': members before what is below them."""
    for key, entry in fields.items():
        if key != "." and is_member(entry):
            yield prefix + _told(key)
    for key, entry in fields.items():
        if entry:
            yield from paths(entry, prefix + _told(key))


@lru_cache(maxsize=1 << 12)
def _told(element: str) -> str:
    kind, text = element[0], element[2:]
    if kind == "f":
        return f".{text}"
    if kind == "k":
        return "[" + ",".join(f"{name}={_quoted(value)}" for name, value in sorted(orjson.loads(text).items())) + "]"
    return f"[={_quoted(orjson.loads(text))}]" if kind == "v" else f"[{text}]"


def _quoted(value: Any) -> str:
    return orjson.dumps(value).decode()


# The fields of an object


def of(obj: Object, node: Node) -> FieldSet:
    """Every leaf of an object, and the items of its maps and lists: what one who applies it owns."""
    return _of(obj, root_shape(node))


def _of(value: Any, shape: Shape) -> FieldSet:
    made: FieldSet = {}
    if shape.is_list:
        for element, item in index(value, shape).items():
            made[element] = LEAF if shape.item is None or isinstance(item, Several) else _item(item, shape.item)
        return _shared(made)
    for name, item in value.items() if isinstance(value, dict) else ():
        element, child, _ = shape.field(name)
        if child is UNOWNED:
            continue
        if child is None or item is None or item == {} or not isinstance(item, child.type):
            made[element] = LEAF
        elif name not in shape.fields:
            made[element] = _item(item, child)
        elif below := _of(item, child):
            made[element] = below
    return _shared(made)


def _item(value: Any, shape: Shape) -> FieldSet:
    return _entry({**MEMBER, **_of(value, shape)})


def with_structs(fields: FieldSet, shape: Shape | None) -> FieldSet:
    """The set and, of the fields that a struct names, those that have members below them."""
    if shape is None:
        return fields
    made = {}
    for key, entry in fields.items():
        if entry:
            named = key[0] == "f" and not shape.is_list and key[2:] in shape.fields
            child = shape.item if shape.is_list else shape.field(key[2:])[1]
            entry = _entry({**(MEMBER if named else EMPTY), **with_structs(entry, child)})
        made[key] = entry
    return _shared(made)


class Several(list[Any]):
    """Items of a list that share their keys: owned together, as a whole."""


def index(items: Any, shape: Shape) -> dict[str, Any]:
    """A list's items by their path elements."""
    if not isinstance(items, list):
        return {}
    found: dict[str, Any]
    elements = shape.elements
    try:
        name = shape.keys[0]
        found = {elements[item[name]]: item for item in items}
        if len(found) == len(items):
            return found
    except (LookupError, TypeError):  # not seen yet, or not the only key
        pass
    found, key = {}, shape.key
    for item in items:
        element = key(item)
        before = found.get(element, _NOTHING)
        if before is _NOTHING:
            found[element] = item
        elif isinstance(before, Several):
            before.append(item)
        else:
            found[element] = Several([before, item])
    return found


# The comparison


def compare(old: Mapping[str, Any], new: Mapping[str, Any], node: Node) -> tuple[FieldSet, FieldSet]:
    """The fields that `new` added or changed, and those that it removed. `old` is {} at creation.

    Both in upstream's sense: a map or list is added with its first item, unless Go's types always have it.
    Identical parts cost nothing.
    """
    return _diff(old, new, root_shape(node))


def _diff(old: Any, new: Any, shape: Shape) -> tuple[FieldSet, FieldSet]:
    if shape.is_list:
        return _diff_items(old, new, shape)
    changed: FieldSet = {}
    removed: FieldSet = {}
    fields, kept = shape._fields or shape.fields, 0
    for name, value in new.items():
        before = old.get(name)
        if before is not None:
            kept += 1
        if value is before or value == before:
            continue
        element, child, standing = fields.get(name) or ("f:" + name, shape.rest, False)
        if child is None:
            if before is not None or not standing or (value != 0 and value != ""):
                changed[element] = LEAF
        elif child is UNOWNED:
            continue
        elif before is None:
            if not standing:
                changed[element] = _whole(value, child)
            elif below := _below(value, child):
                changed[element] = below
        elif value is None:
            removed[element] = _below(before, child)
        elif isinstance(value, child.type) and isinstance(before, child.type):
            more, less = _diff(before, value, child)
            if more:
                changed[element] = more
            if less:
                removed[element] = less
        else:  # a field without a schema changed its type
            changed[element] = _whole(value, child)
            if less := difference(_whole(before, child) or MEMBER, MEMBER):
                removed[element] = less
    if kept < len(old):
        for name, before in old.items():
            if name in new or before is None:
                continue
            element, child, standing = shape.field(name)
            if child is UNOWNED:
                continue
            if child is None:
                removed[element] = LEAF
            elif not standing:
                removed[element] = _whole(before, child)
            elif below := _below(before, child):
                removed[element] = below
    return (_shared(changed) if changed else EMPTY), (_shared(removed) if removed else EMPTY)


def _diff_items(old: Any, new: Any, shape: Shape) -> tuple[FieldSet, FieldSet]:
    changed: FieldSet = {}
    removed: FieldSet = {}
    before, after, child = index(old, shape), index(new, shape), shape.item
    for element, item in after.items():
        was = before.get(element, _NOTHING)
        if was is item or was == item:
            continue
        if was is _NOTHING:
            changed[element] = _whole(item, child)
        elif isinstance(was, Several) and isinstance(item, Several):
            changed[element] = LEAF
        elif child is None or isinstance(was, Several) or isinstance(item, Several):
            changed[element], removed[element] = _whole(item, child), _whole(was, child)
        else:
            more, less = _diff(was, item, child)
            if more:
                changed[element] = more
            if less:
                removed[element] = less
    for element, was in before.items():
        if element not in after:
            removed[element] = _whole(was, child)
    return (_shared(changed) if changed else EMPTY), (_shared(removed) if removed else EMPTY)


_NOTHING = object()
_wholes: dict[int, tuple[Any, Shape, FieldSet]] = {}
_belows: dict[int, tuple[Any, Shape, FieldSet]] = {}


def _whole(value: Any, shape: Shape | None) -> FieldSet:
    """A value that came, or went, with everything in it."""
    if shape is None or not value or isinstance(value, Several) or not isinstance(value, shape.type):
        return LEAF
    made: FieldSet = LEAF
    nested: list[tuple[str, str, Shape]] = []
    if not shape.is_list:
        names = tuple(value)
        made, nested = shape.plans.get(names) or _plan(names, shape)
        if not nested:
            return made
    found = _wholes.get(id(value))
    if found is not None and found[0] is value and found[1] is shape:
        return found[2]
    if shape.is_list:
        made = {element: _whole(item, shape.item) for element, item in index(value, shape).items()}
    else:
        made = {**made, **{element: _whole(value[name], child) for name, element, child in nested}}
    return _remember(_wholes, value, shape, _shared({**MEMBER, **made}))


def _plan(names: tuple[str, ...], shape: Shape) -> tuple[FieldSet, list[tuple[str, str, Shape]]]:
    """For all dicts with these keys: what they own whatever their values, and which values are to be looked into."""
    told = [(name, *shape.field(name)[:2]) for name in names]
    made = _entry({**MEMBER, **{element: LEAF for _, element, child in told if child is not UNOWNED}})
    nested = [(name, element, child) for name, element, child in told if child is not None and child is not UNOWNED]
    if len(shape.plans) >= 1 << 10:
        shape.plans.clear()
    plan = shape.plans[names] = (made, nested)
    return plan


def _below(value: Any, shape: Shape) -> FieldSet:
    """The members of a value that came, or went, while the field which holds it stays."""
    if not value or not isinstance(value, shape.type):
        return EMPTY
    found = _belows.get(id(value))
    if found is not None and found[0] is value and found[1] is shape:
        return found[2]
    return _remember(_belows, value, shape, _diff(shape.type(), value, shape)[0])


def _remember(memory: dict[int, tuple[Any, Shape, FieldSet]], value: Any, shape: Shape, found: FieldSet) -> FieldSet:
    """Values are never changed, and often shared: a template's parts by all its Pods. Kept alive, so that ids stay."""
    if len(memory) >= _REMEMBERED:
        memory.clear()
    memory[id(value)] = (value, shape, found)
    return found
