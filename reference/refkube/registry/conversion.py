"""Kinds that two versions serve from one store: Events (core and events.k8s.io) and HorizontalPodAutoscaler.

Called by the API server's pipeline where `Kind.storage` names another version than the client speaks.
Sources: pkg/apis/events/v1/conversion.go, pkg/apis/autoscaling/v1/conversion.go.
"""

from __future__ import annotations

from typing import Any

import orjson

from refkube.api import schema
from refkube.api.kinds import Kind, by_resource
from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object, get_path

_EVENT_NAMES = {
    "regarding": "involvedObject",
    "note": "message",
    "reportingController": "reportingComponent",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
}
_AUTOSCALER = "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler"
METRICS, CURRENT_METRICS = "autoscaling.alpha.kubernetes.io/metrics", "autoscaling.alpha.kubernetes.io/current-metrics"
BEHAVIOR, CONDITIONS = "autoscaling.alpha.kubernetes.io/behavior", "autoscaling.alpha.kubernetes.io/conditions"
_KEEPERS = {
    METRICS: ("spec", "metrics"),
    BEHAVIOR: ("spec", "behavior"),
    CURRENT_METRICS: ("status", "currentMetrics"),
    CONDITIONS: ("status", "conditions"),
}
_EVENT_NAMES_BACK = {stored: served for served, stored in _EVENT_NAMES.items()}


def storage_kind(kind: Kind) -> Kind:
    """The kind under which objects of this kind are stored: itself, for all but two."""
    if not kind.storage:
        return kind
    group = "" if kind.kind == "Event" else kind.group
    stored = by_resource(group, kind.storage, kind.plural)
    assert stored is not None
    return stored


def to_storage(obj: Object, kind: Kind) -> Object:
    """An object of the served version as the stored version says it."""
    stored = storage_kind(kind)
    if stored is kind:
        return obj
    convert = _renamed(obj, _EVENT_NAMES) if kind.kind == "Event" else _autoscaler_to_v2(obj)
    return {**convert, "apiVersion": stored.api_version}


def from_storage(obj: Object, kind: Kind) -> Object:
    """A stored object as the served version says it."""
    if storage_kind(kind) is kind:
        return obj
    converted = _renamed(obj, _EVENT_NAMES_BACK) if kind.kind == "Event" else _autoscaler_to_v1(obj)
    return {**converted, "apiVersion": kind.api_version}


def stored_field(field: str, kind: Kind) -> str:
    """A field that a selector names, as the stored version calls it; "" where only that version has the name."""
    if kind.group != "events.k8s.io":
        return field
    first, dot, rest = field.partition(".")
    if first in _EVENT_NAMES_BACK or field == "source":
        return ""
    return f"{_EVENT_NAMES.get(first, first)}{dot}{rest}"


def _renamed(obj: Object, names: dict[str, str]) -> Object:
    return {names.get(key, key): value for key, value in obj.items()}


def _autoscaler_to_v2(obj: Object) -> Object:
    spec, status = {**(obj.get("spec") or {})}, {**(obj.get("status") or {})}
    kept, obj = _unpacked(obj)
    metrics = kept.get(METRICS, [])
    target = spec.pop("targetCPUUtilizationPercentage", None)
    if target is not None:
        metrics = [_cpu({"target": {"type": "Utilization", "averageUtilization": target}}), *metrics]
    current = status.pop("currentCPUUtilizationPercentage", None)
    measured = kept.get(CURRENT_METRICS, [])
    if current is not None:
        measured = [_cpu({"current": {"averageUtilization": current}}), *measured]
    spec |= {key: part for key, part in (("metrics", metrics), ("behavior", kept.get(BEHAVIOR))) if part}
    status |= {key: part for key, part in (("currentMetrics", measured), ("conditions", kept.get(CONDITIONS))) if part}
    return {**obj, "spec": spec, **({"status": status} if status or "status" in obj else {})}


def _autoscaler_to_v1(obj: Object) -> Object:
    """What autoscaling/v1 cannot say goes to annotations, under upstream's names but in the words of v2."""
    spec, status = {**(obj.get("spec") or {})}, {**(obj.get("status") or {})}
    kept: Object = {}
    target, kept[METRICS] = _cpu_share(spec.pop("metrics", None) or [], "target")
    current, kept[CURRENT_METRICS] = _cpu_share(status.pop("currentMetrics", None) or [], "current")
    kept[BEHAVIOR], kept[CONDITIONS] = spec.pop("behavior", None), status.pop("conditions", None)
    if target is not None:
        spec["targetCPUUtilizationPercentage"] = target
    if current is not None:
        status["currentCPUUtilizationPercentage"] = current
    told = {name: orjson.dumps(part).decode() for name, part in kept.items() if part}
    meta = obj["metadata"]
    if told:
        meta = {**meta, "annotations": {**(meta.get("annotations") or {}), **told}}
    return {**obj, "metadata": meta, "spec": spec, **({"status": status} if "status" in obj else {})}


def _cpu(what: Object) -> Object:
    return {"type": "Resource", "resource": {"name": "cpu", **what}}


def _cpu_share(metrics: list[Object], what: str) -> tuple[int | None, list[Object]]:
    """The first metric that v1 can say, and all others."""
    for i, metric in enumerate(metrics):
        share = get_path(metric, "resource", what, "averageUtilization")
        told = (
            {"type": "Utilization", "averageUtilization": share} if what == "target" else {"averageUtilization": share}
        )
        if share is not None and metric == _cpu({what: told}):
            return share, metrics[:i] + metrics[i + 1 :]
    return None, metrics


def _unpacked(obj: Object) -> tuple[Object, Object]:
    """What annotations keep for v2, as far as it can be read, and the object without them."""
    annotations = get_path(obj, "metadata", "annotations", default={})
    kept = {
        name: part for name in _KEEPERS if name in annotations and (part := _read(name, annotations[name])) is not None
    }
    if not any(name in annotations for name in _KEEPERS):
        return kept, obj
    rest = {name: text for name, text in annotations.items() if name not in _KEEPERS}
    meta = {key: value for key, value in obj["metadata"].items() if key != "annotations"}
    return kept, {**obj, "metadata": {**meta, "annotations": rest} if rest else meta}


def _read(name: str, text: str) -> Any:
    """None for what does not fit, which upstream passes over as well."""
    part, field = _KEEPERS[name]
    try:
        decoded = schema.decode_as({part: {field: orjson.loads(text)}}, _AUTOSCALER)
    except (orjson.JSONDecodeError, StatusError):
        return None
    return None if decoded.unknown else decoded.object[part].get(field)
