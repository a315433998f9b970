"""Access to the parts that every API object has. Objects are JSON-shaped dicts, frozen by convention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]

_NOTHING: Mapping[str, Any] = {}


def metadata_of(obj: Object) -> Mapping[str, Any]:
    return obj.get("metadata") or _NOTHING


def name_of(obj: Object) -> str:
    return metadata_of(obj).get("name", "")


def namespace_of(obj: Object) -> str:
    return metadata_of(obj).get("namespace", "")


def uid_of(obj: Object) -> str:
    return metadata_of(obj).get("uid", "")


def labels_of(obj: Object) -> Mapping[str, str]:
    return metadata_of(obj).get("labels") or _NOTHING


def annotations_of(obj: Object) -> Mapping[str, str]:
    return metadata_of(obj).get("annotations") or _NOTHING


def resource_version_of(obj: Object) -> str:
    return metadata_of(obj).get("resourceVersion", "")


def key_of(obj: Object) -> str:
    """The key of caches and work queues: "namespace/name", or "name" for a cluster-scoped object."""
    meta = metadata_of(obj)
    namespace = meta.get("namespace")
    return f"{namespace}/{meta['name']}" if namespace else meta["name"]


def is_terminating(obj: Object) -> bool:
    return "deletionTimestamp" in metadata_of(obj)


def with_metadata(obj: Object, **changes: Any) -> Object:
    """A new object with these metadata fields set, or removed where the value is None; the rest is shared."""
    meta = {**metadata_of(obj), **changes}
    return {**obj, "metadata": {key: value for key, value in meta.items() if value is not None}}


def condition_of(obj: Object, condition_type: str) -> Object | None:
    for condition in (obj.get("status") or _NOTHING).get("conditions") or ():
        if condition.get("type") == condition_type:
            return condition
    return None


def condition_is_true(obj: Object, condition_type: str) -> bool:
    condition = condition_of(obj, condition_type)
    return condition is not None and condition.get("status") == "True"


def get_path(obj: Any, *path: str, default: Any = None) -> Any:
    """The value at a path of keys, or the default where any step is missing or null."""
    for step in path:
        if not isinstance(obj, dict):
            return default
        obj = obj.get(step)
        if obj is None:
            return default
    return obj
