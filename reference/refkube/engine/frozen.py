"""Proof that nobody changes an object which was given away: for tests and debugging, too slow for every day.

`freeze` makes whoever changes an object fail on the spot. `fingerprint` finds out afterwards, for objects that cannot
be exchanged for frozen ones. Frozen objects are dicts and lists to isinstance, orjson and jsonschema_rs,
not to `type(x) is dict`; `{**frozen}`, `frozen | other` and `[*frozen]` are ordinary again.
"""

from __future__ import annotations

import hashlib
import sys
from typing import Any, NoReturn

import orjson


class FrozenDict(dict):
    """A dict that refuses change; `path` says what it is part of."""

    __slots__ = ("path",)
    path: str

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        _blame(self.path)

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __deepcopy__(self, memo: dict) -> dict:
        return thaw(self)


class FrozenList(list):
    """A list that refuses change."""

    __slots__ = ("path",)
    path: str

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        _blame(self.path)

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = clear = extend = insert = pop = remove = reverse = sort = _refuse

    def __deepcopy__(self, memo: dict) -> list:
        return thaw(self)


def freeze(obj: Any, path: str = "") -> Any:
    """An equal object of which every dict and list refuses change with a TypeError that names the part and the
    caller. What is frozen already is shared, not copied."""
    if isinstance(obj, FrozenDict | FrozenList):
        return obj
    path = path or _describe(obj)
    if isinstance(obj, dict):
        made = FrozenDict((key, freeze(value, f"{path}.{key}")) for key, value in obj.items())
        made.path = path
        return made
    if isinstance(obj, list):
        items = FrozenList(freeze(value, f"{path}[{i}]") for i, value in enumerate(obj))
        items.path = path
        return items
    return obj


def thaw(obj: Any) -> Any:
    """An ordinary deep copy."""
    if isinstance(obj, dict):
        return {key: thaw(value) for key, value in obj.items()}
    if isinstance(obj, list):
        return [thaw(value) for value in obj]
    return obj


def fingerprint(obj: Any) -> bytes:
    """Equal for equal JSON, whatever the order of keys."""
    text = orjson.dumps(obj, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    return hashlib.blake2b(text, digest_size=16).digest()


def _blame(path: str) -> NoReturn:
    caller = sys._getframe(2)
    raise TypeError(f"{path} is frozen, but {caller.f_code.co_filename}:{caller.f_lineno} changes it")


def _describe(obj: Any) -> str:
    if not isinstance(obj, dict):
        return "object"
    meta = obj.get("metadata") or {}
    key = "/".join(filter(None, (meta.get("namespace"), meta.get("name"))))
    return " ".join(filter(None, (obj.get("kind", "object"), key)))
