"""Tables of validation: what happens to a valid object when one place of it changes."""

from __future__ import annotations

import re
from typing import Any

import yaml
from refkube.api.defaults import default
from refkube.api.kinds import by_api_version
from refkube.api.validation import validate, validate_status_update, validate_update
from refkube.apimachinery.errors import FieldError

GONE = object()
"""In a row: the place is removed."""

REQUIRED, INVALID, DUPLICATE = "FieldValueRequired", "FieldValueInvalid", "FieldValueDuplicate"
NOT_SUPPORTED, FORBIDDEN, TOO_LONG, TOO_MANY = (
    "FieldValueNotSupported", "FieldValueForbidden", "FieldValueTooLong", "FieldValueTooMany",
)  # fmt: skip


def manifest(text: str) -> dict[str, Any]:
    """A manifest as the server knows it: named, in a namespace where its kind has one, defaulted."""
    obj = yaml.safe_load(text)
    kind = by_api_version(obj["apiVersion"], obj["kind"])
    assert kind, obj["kind"]
    scope = {"namespace": "default"} if kind.namespaced else {}
    obj["metadata"] = {"name": "example", "resourceVersion": "1", **scope, **obj.get("metadata", {})}
    return default(kind.group, kind.kind, obj)


def changed(obj: Any, place: str, value: Any) -> Any:
    """A copy with another value at a place such as "spec.ports[0].name" or "data[a.b]"; missing steps are made."""
    steps = [step.strip("[]") for step in re.findall(r"\[[^]]*\]|[^.\[]+", place)]
    return _changed(obj, steps, value)


def _changed(obj: Any, steps: list[str], value: Any) -> Any:
    if not steps:
        return value
    if isinstance(obj, list):
        index = int(steps[0])
        copy: Any = [*obj, *([None] * (index + 1 - len(obj)))]
        key: Any = index
    else:
        copy, key = dict(obj or {}), steps[0]
    if value is GONE and len(steps) == 1:
        copy = {name: kept for name, kept in copy.items() if name != key}
    else:
        inner = copy[key] if isinstance(copy, list) else copy.get(key)
        if inner is None and len(steps) > 1 and steps[1] == "0":
            inner = []
        copy[key] = _changed(inner, steps[1:], value)
    return copy


def merged(obj: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    for place, value in changes.items():
        obj = changed(obj, place, value)
    return obj


def _key(obj: dict[str, Any]) -> tuple[str, str]:
    return obj["apiVersion"].rpartition("/")[0], obj["kind"]


def on_create(obj: dict[str, Any], changes: dict[str, Any] | None = None) -> list[FieldError]:
    return validate(*_key(obj), merged(obj, changes or {}))


def on_update(old: dict[str, Any], changes: dict[str, Any]) -> list[FieldError]:
    return validate_update(*_key(old), merged(old, changes), old)


def on_status(old: dict[str, Any], changes: dict[str, Any]) -> list[FieldError]:
    return validate_status_update(*_key(old), merged(old, changes), old)


def told(errors: list[FieldError]) -> set[tuple[str, str]]:
    """What a client reads of errors, but for the messages."""
    return {(error.field, error.type) for error in errors}
