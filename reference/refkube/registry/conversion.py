"""Kinds that two versions serve from one store: Events (core and events.k8s.io) and HorizontalPodAutoscaler.

Called by the API server's pipeline where `Kind.storage` names another version than the client speaks.
Sources: pkg/apis/events/v1/conversion.go, pkg/apis/autoscaling/v1/conversion.go.
"""

from __future__ import annotations

from refkube.api.kinds import Kind, by_resource
from refkube.apimachinery.meta import Object

_EVENT_NAMES = {
    "regarding": "involvedObject",
    "note": "message",
    "reportingController": "reportingComponent",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
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


def _renamed(obj: Object, names: dict[str, str]) -> Object:
    return {names.get(key, key): value for key, value in obj.items()}


def _autoscaler_to_v2(obj: Object) -> Object:
    spec = {**(obj.get("spec") or {})}
    target = spec.pop("targetCPUUtilizationPercentage", None)
    if target is not None:
        spec["metrics"] = [_cpu({"target": {"type": "Utilization", "averageUtilization": target}})]
    status = {**(obj.get("status") or {})}
    current = status.pop("currentCPUUtilizationPercentage", None)
    if current is not None:
        status["currentMetrics"] = [_cpu({"current": {"averageUtilization": current}})]
    return {**obj, "spec": spec, **({"status": status} if "status" in obj else {})}


def _autoscaler_to_v1(obj: Object) -> Object:
    """What autoscaling/v1 cannot say is left out; upstream keeps it in annotations, which no client reads."""
    spec = {**(obj.get("spec") or {})}
    for metric in spec.pop("metrics", ()):
        resource = metric.get("resource") or {}
        if resource.get("name") == "cpu" and "averageUtilization" in resource.get("target", {}):
            spec["targetCPUUtilizationPercentage"] = resource["target"]["averageUtilization"]
    spec.pop("behavior", None)
    status = {key: value for key, value in (obj.get("status") or {}).items() if key != "conditions"}
    for metric in status.pop("currentMetrics", None) or ():
        resource = metric.get("resource") or {}
        if resource.get("name") == "cpu" and "averageUtilization" in resource.get("current", {}):
            status["currentCPUUtilizationPercentage"] = resource["current"]["averageUtilization"]
    return {**obj, "spec": spec, **({"status": status} if "status" in obj else {})}


def _cpu(what: Object) -> Object:
    return {"type": "Resource", "resource": {"name": "cpu", **what}}
