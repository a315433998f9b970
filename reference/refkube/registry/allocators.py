"""Service addresses and node ports: what a Service says of them is brought in line here.

Source: kubernetes/pkg/registry/core/service (strategy.go, storage).
"""

from __future__ import annotations

from typing import Any

from refkube.api.validation.services import needs_health_check
from refkube.apimachinery.meta import Object

_CLUSTER_FIELDS = (("clusterIP", "clusterIPs"), ("ipFamilies",), ("ipFamilyPolicy",))


def bring_in_line(new: Object, old: Object | None) -> Object:
    """A Service with what its writer left out because the server had allotted it, and without what its type has no use
    for any more; `clusterIPs` follows `clusterIP` (patchAllocatedValues, normalizeClusterIPs,
    dropTypeDependentFields)."""
    spec, before = new.get("spec") or {}, (old or {}).get("spec") or {}
    first, ips = spec.get("clusterIP") or "", spec.get("clusterIPs") or []
    if old is None:
        return {**new, "spec": {**spec, "clusterIPs": [first]}} if first and not ips else new
    changes: dict[str, Any] = {}
    first_before, ips_before = before.get("clusterIP") or "", before.get("clusterIPs") or []
    if _has_address(spec) and _has_address(before):
        first, ips = first or first_before, ips or ips_before
    elif not ips and first == first_before:
        ips = ips_before
    if first != first_before and ips == ips_before:
        ips = [first] if first else []
    changes.update(clusterIP=first, clusterIPs=ips)
    changes.update(_ports_in_line(spec, before))
    if needs_health_check(before) and not spec.get("healthCheckNodePort") and needs_health_check(spec):
        changes["healthCheckNodePort"] = before.get("healthCheckNodePort")
    elif (
        needs_health_check(before)
        and not needs_health_check(spec)
        and spec.get("healthCheckNodePort") == before.get("healthCheckNodePort")
    ):
        changes["healthCheckNodePort"] = None
    spec = _changed(spec, changes)
    if _has_address(before) and not _has_address(spec):
        for group in _CLUSTER_FIELDS:
            if all(spec.get(key) == before.get(key) for key in group):
                spec = _changed(spec, dict.fromkeys(group))
    return new if spec is new.get("spec") else {**new, "spec": spec}


def _ports_in_line(spec: Object, before: Object) -> dict[str, Any]:
    """The ports with the node ports that they had by name, or without any where the type has none."""
    ports, ports_before = spec.get("ports") or [], before.get("ports") or []
    used, used_before = node_ports(spec), node_ports(before)
    if not _has_node_ports(before) or not ports:
        return {}
    if not _has_node_ports(spec):
        if not used or not used <= used_before:
            return {}
        return {"ports": [_changed(port, {"nodePort": None}) for port in ports]}
    had = {port.get("name", ""): port.get("nodePort") for port in ports_before}
    patched = []
    for port in ports:
        mine = had.get(port.get("name", ""))
        patched.append({**port, "nodePort": mine} if mine and not port.get("nodePort") and mine not in used else port)
    return {"ports": patched}


def node_ports(spec: Object) -> set[int]:
    return {port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")}


def _has_address(spec: Object) -> bool:
    return spec.get("type") != "ExternalName"


def _has_node_ports(spec: Object) -> bool:
    return spec.get("type") in ("NodePort", "LoadBalancer")


def _changed(part: Object, changes: dict[str, Any]) -> Object:
    """With these values, without the keys whose value is empty; the very same where nothing changes."""
    changes = {key: value for key, value in changes.items() if (value or None) != part.get(key)}
    if not changes:
        return part
    return {key: value for key, value in {**part, **changes}.items() if key not in changes or value}
