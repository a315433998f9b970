"""Paths into objects, and what a table's cell expects of the value there.

A path is written as people read it: `spec.containers[0].image`, `status.conditions[type=Ready].status`,
`metadata.labels["example.com/tier"]`. Used by the world, which builds objects, and by steps, which look at them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

ABSENT: Any = type("Absent", (), {"__repr__": lambda self: "(absent)", "__bool__": lambda self: False})()

Part = str | int | tuple[str, str]

_PART = re.compile(r'\.?(?:([^.\[\]]+)|\[(\d+)\]|\["([^"]*)"\]|\[([^=\]"]+)=([^\]]*)\])')


class Misused(Exception):
    """A feature uses a step in a way that makes no sense: the scenario's mistake, not the system's."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML as the API reads it: a time is a string, as in JSON."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}


def from_yaml(text: str) -> Any:
    """The value of a YAML text. Raises Misused."""
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise Misused(f"not YAML: {' '.join(str(error).split())}") from None


def all_from_yaml(text: str) -> list[Any]:
    return [document for document in yaml.load_all(text, Loader=_Loader) if document is not None]


def parse_path(path: str) -> list[Part]:
    parts: list[Part] = []
    position = 0
    while position < len(path):
        match = _PART.match(path, position)
        if match is None:
            raise Misused(f"{path!r} is no path: stuck at {path[position:]!r}")
        key, index, quoted, by, value = match.groups()
        parts.append(
            (by, value) if by is not None else int(index) if index is not None else key if key is not None else quoted
        )
        position = match.end()
    if not parts:
        raise Misused("an empty path")
    return parts


def get(value: Any, path: str) -> Any:
    """The value at the path, ABSENT where there is none. `items[name=a]` is the first entry that has it."""
    for part in parse_path(path):
        if isinstance(part, str):
            value = value.get(part, ABSENT) if isinstance(value, Mapping) else ABSENT
        elif not isinstance(value, list):
            return ABSENT
        elif isinstance(part, int):
            value = value[part] if part < len(value) else ABSENT
        else:
            key, wanted = part
            value = next((item for item in value if str(get(item, key)) == wanted), ABSENT)
        if value is ABSENT:
            return ABSENT
    return value


def put(value: Any, path: str, new: Any) -> Any:
    """A copy of `value` with `new` at the path; what is missing on the way is made. ABSENT removes."""
    return _put(value, parse_path(path), new)


def _put(value: Any, parts: list[Part], new: Any) -> Any:
    part, rest = parts[0], parts[1:]
    if isinstance(part, str):
        made = dict(value) if isinstance(value, Mapping) else {}
        if rest:
            made[part] = _put(made.get(part), rest, new)
        elif new is ABSENT:
            made.pop(part, None)
        else:
            made[part] = new
        return made
    entries = list(value) if isinstance(value, list) else []
    if isinstance(part, int):
        index, empty = part, None
    else:
        key, wanted = part
        index = next((at for at, item in enumerate(entries) if str(get(item, key)) == wanted), len(entries))
        empty = {key: wanted}
    if index > len(entries):
        raise Misused(f"there is no entry {index - 1} to put entry {index} after")
    if index == len(entries):
        entries.append(empty)
    if not rest and new is ABSENT:
        del entries[index]
    else:
        entries[index] = _put(entries[index], rest, new) if rest else new
    return entries


def merge(base: Any, over: Any) -> Any:
    """`over` laid over `base`: objects key by key, everything else replaced, a null removes."""
    if not isinstance(base, Mapping) or not isinstance(over, Mapping):
        return over
    merged = dict(base)
    for key, value in over.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def cell_value(cell: str) -> Any:
    """What a cell writes: YAML, so that `3` is a number, `"3"` and `blue` are strings; `(absent)` is ABSENT."""
    return ABSENT if cell == "(absent)" else from_yaml(cell) if cell else ""


def mismatch(actual: Any, cell: str) -> str:
    """Why the value is not what the cell expects, "" if it is.

    A cell is a YAML value, or one of `(absent)`, `(present)`, `/regular expression/` for the whole of a string.
    """
    if cell == "(present)":
        return "" if actual is not ABSENT else "is absent"
    if len(cell) > 1 and cell.startswith("/") and cell.endswith("/"):
        if isinstance(actual, str) and re.fullmatch(cell[1:-1], actual):
            return ""
        return f"is {show(actual)}, which does not match {cell}"
    wanted = cell_value(cell)
    if actual == wanted and type(actual) is type(wanted):
        return ""
    return f"is {show(actual)}, not {show(wanted)}"


def show(value: Any) -> str:
    text = repr(value) if value is ABSENT else yaml.safe_dump(value, default_flow_style=True, width=10**6).strip()
    return text.removesuffix("\n...").strip()


def rows(table: list[list[str]], *columns: str) -> list[dict[str, str]]:
    """A table's rows by its header, which must begin with `columns`. Raises Misused."""
    header, *body = table
    if tuple(header[: len(columns)]) != columns:
        raise Misused(f"the table's header must begin with | {' | '.join(columns)} |")
    if not body:
        raise Misused("the table has no row")
    return [dict(zip(header, row, strict=True)) for row in body]
