"""Faults in the node ports of Services."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from refkube.apimachinery.meta import Object
from refkube.registry import allocators, servicefields
from refkube.registry.allocators import _Ports

from gherkube.drivers.miniatures import miniature

Original = Callable[..., Any]


@miniature(
    "No Service gets a node port.",
    caught_by=("nodeports.01", "nodeports.03", "nodeports.06", "nodeports.18"),
    instead_of=servicefields.has_node_ports,
)
def allots_no_node_ports(original: Original, spec: Object) -> bool:
    return False


@miniature(
    "A Service that is reached from inside only gets a node port.",
    caught_by="nodeports.05",
    instead_of=servicefields.has_node_ports,
)
def allots_node_ports_to_all(original: Original, spec: Object) -> bool:
    return True


@miniature(
    "Node ports are allotted where none are wanted.", caught_by="nodeports.07", instead_of=allocators._with_node_ports
)
def allots_what_is_not_wanted(original: Original, name: str, spec: Object, before: Object, ports: _Ports) -> Object:
    made: Object = original(name, {**spec, "allocateLoadBalancerNodePorts": True}, before, ports)
    return made


@miniature(
    "Each protocol of a port gets a node port of its own.",
    caught_by="nodeports.04",
    instead_of=allocators._with_node_ports,
)
def parts_protocols(original: Original, name: str, spec: Object, before: Object, ports: _Ports) -> Object:
    made = original(name, spec, before, ports)
    seen: set[int] = set()
    parts = []
    for part in made.get("ports") or ():
        again = part["port"] in seen and part.get("nodePort")
        parts.append({**part, "nodePort": ports.next()} if again else part)
        seen.add(part["port"])
    return {**made, "ports": parts}


@miniature("Nobody can ask which nodes have Pods.", caught_by="nodeports.08", instead_of=allocators._with_node_ports)
def forgets_the_port_of_health(original: Original, name: str, spec: Object, before: Object, ports: _Ports) -> Object:
    made = original(name, spec, before, ports)
    return {key: value for key, value in made.items() if key != "healthCheckNodePort"}


@miniature(
    "A Service that asks for a node port gets another one.",
    caught_by="nodeports.09",
    instead_of=allocators._with_node_ports,
)
def gives_another_node_port(original: Original, name: str, spec: Object, before: Object, ports: _Ports) -> Object:
    asking = [{**part, "nodePort": 0} for part in spec.get("ports") or ()]
    made: Object = original(name, spec if before else {**spec, "ports": asking}, before, ports)
    return made


@miniature(
    "Every node port can be had.",
    caught_by=("nodeports.10", "nodeports.11", "nodeports.12", "nodeports.16"),
    instead_of=_Ports.take,
)
def lets_any_port_be_had(original: Original, self: _Ports, port: int) -> str:
    return ""


@miniature(
    "A node port is never given back.",
    caught_by=("nodeports.17", "nodeports.19", "nodeports.20"),
    instead_of=_Ports.free,
)
def keeps_node_ports(original: Original, self: _Ports, ports: Iterable[int]) -> None:
    return None


@miniature(
    "An update that leaves the node port out gets another one.",
    caught_by="nodeports.14",
    instead_of=servicefields._ports_in_line,
)
def forgets_node_ports(original: Original, spec: Object, before: Object) -> dict[str, Any]:
    return {}


@miniature(
    "A Service keeps the node port that it had.", caught_by="nodeports.15", instead_of=allocators._with_node_ports
)
def exchanges_no_node_ports(original: Original, name: str, spec: Object, before: Object, ports: _Ports) -> Object:
    made = original(name, spec, before, ports)
    return {**made, "ports": before["ports"]} if before.get("ports") else made


@miniature("All Services get the same node port.", caught_by="nodeports.02", instead_of=_Ports.next)
def allots_one_node_port(original: Original, self: _Ports) -> int:
    return 31000
