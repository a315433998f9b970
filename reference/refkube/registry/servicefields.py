"""What a Service says of its addresses and ports, brought in line before it is judged and given what it lacks.

`registry.strategy` calls `bring_in_line`; the allocators and their repair share the rest. Source:
kubernetes/pkg/registry/core/service (strategy.go, storage/storage.go).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from refkube.api.validation.services import is_externally_accessible, needs_health_check
from refkube.apimachinery.meta import Object, get_path


def bring_in_line(new: Object, old: Object | None) -> Object:
    """A Service with what its writer left out because the server had allotted it, and without what its type has no use
    for any more; `clusterIPs` follows `clusterIP` (patchAllocatedValues, normalizeClusterIPs,
    dropTypeDependentFields)."""
    spec, before = new.get("spec") or {}, (old or {}).get("spec") or {}
    first, ips = spec.get("clusterIP") or "", spec.get("clusterIPs") or []
    if old is None:
        return {**new, "spec": {**spec, "clusterIPs": [first]}} if first and not ips else new
    first_before, ips_before = before.get("clusterIP") or "", before.get("clusterIPs") or []
    if has_address(spec) and has_address(before):
        first, ips = first or first_before, ips or ips_before
    elif not ips and first == first_before:
        ips = ips_before
    if first != first_before and ips == ips_before:
        ips = [first] if first else []
    changes = {"clusterIP": first, "clusterIPs": ips, **_ports_in_line(spec, before)}
    if needs_health_check(spec) and needs_health_check(before) and not spec.get("healthCheckNodePort"):
        changes["healthCheckNodePort"] = before.get("healthCheckNodePort")
    spec = changed(spec, changes)
    for uses, keys in _TYPE_DEPENDENT:
        if uses(before) and not uses(spec) and all(spec.get(key) == before.get(key) for key in keys):
            spec = changed(spec, dict.fromkeys(keys))
    if not _is_balanced(spec) and get_path(new, "status", "loadBalancer"):
        new = {**new, "status": {**new["status"], "loadBalancer": {}}}
    return new if spec is new.get("spec") else {**new, "spec": spec}


def _ports_in_line(spec: Object, before: Object) -> dict[str, Any]:
    """The ports with the node ports that they had by name, or without any where the type has none."""
    ports, ports_before = spec.get("ports") or [], before.get("ports") or []
    used, used_before = node_ports(spec), node_ports(before)
    if not has_node_ports(before) or not ports:
        return {}
    if not has_node_ports(spec):
        if not used or not used <= used_before:
            return {}
        return {"ports": [changed(port, {"nodePort": None}) for port in ports]}
    had = {port.get("name", ""): port.get("nodePort") for port in ports_before}
    patched = []
    for port in ports:
        mine = had.get(port.get("name", ""))
        patched.append({**port, "nodePort": mine} if mine and not port.get("nodePort") and mine not in used else port)
    return {"ports": patched}


def all_node_ports(spec: Object) -> set[int]:
    return node_ports(spec) | ({spec.get("healthCheckNodePort") or 0} if needs_health_check(spec) else set())


def node_ports(spec: Object) -> set[int]:
    return {port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")}


def has_address(spec: Object) -> bool:
    return spec.get("type") != "ExternalName"


def has_node_ports(spec: Object) -> bool:
    return spec.get("type") in ("NodePort", "LoadBalancer")


def _is_balanced(spec: Object) -> bool:
    return spec.get("type") == "LoadBalancer"


# What goes, if it is as it was, when a Service changes to a type that does not use it.
_TYPE_DEPENDENT: tuple[tuple[Callable[[Object], bool], tuple[str, ...]], ...] = (
    (has_address, ("clusterIP", "clusterIPs")),
    (has_address, ("ipFamilies",)),
    (has_address, ("ipFamilyPolicy",)),
    (needs_health_check, ("healthCheckNodePort",)),
    (_is_balanced, ("allocateLoadBalancerNodePorts",)),
    (_is_balanced, ("loadBalancerClass",)),
    (is_externally_accessible, ("externalTrafficPolicy",)),
)


def changed(part: Object, changes: dict[str, Any]) -> Object:
    """With these values, without the keys whose value is empty; the very same where nothing changes."""
    changes = {key: value for key, value in changes.items() if (value or None) != part.get(key)}
    if not changes:
        return part
    return {key: value for key, value in {**part, **changes}.items() if key not in changes or value}


def addresses(spec: Object) -> list[str]:
    """The ClusterIPs that a Service holds."""
    ips = spec.get("clusterIPs") or []
    return [] if not has_address(spec) or ips == ["None"] else ips
