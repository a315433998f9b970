"""Faults in load balancers: features/cluster/loadbalancers.feature."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from refkube.apimachinery.meta import Object
from refkube.cloudprovider import LoadBalancers, SimulatedCloud
from refkube.controllers import service as room
from refkube.controllers.service import ServiceController

from gherkube.drivers.miniatures import miniature

Original = Callable[..., Any]


@miniature(
    "No Service gets a load balancer.",
    caught_by=("loadbalancers.01", "loadbalancers.02"),
    instead_of=ServiceController._ensure,
)
def makes_no_load_balancer(
    original: Original, self: ServiceController, key: str, service: Object, cloud: LoadBalancers
) -> None:
    return None


@miniature("Every Service wants a load balancer.", caught_by="loadbalancers.03", instead_of=room._wants)
def makes_load_balancers_for_all(original: Original, service: Object) -> bool:
    return True


@miniature("A load balancer of another class is made, too.", caught_by="loadbalancers.04", instead_of=room._wants)
def makes_any_class(original: Original, service: Object) -> bool:
    return bool(service["spec"].get("type") == "LoadBalancer")


@miniature("All Services have one address.", caught_by="loadbalancers.05", instead_of=SimulatedCloud._address)
def has_one_address(original: Original, self: SimulatedCloud, asked: str) -> str:
    return "198.51.100.1"


@miniature("What a Service asks for it gets.", caught_by="loadbalancers.06", instead_of=SimulatedCloud._address)
def gives_any_address(original: Original, self: SimulatedCloud, asked: str) -> str:
    return asked or str(original(self, asked))


@miniature(
    "A load balancer keeps the nodes that it began with.",
    caught_by="loadbalancers.07",
    instead_of=ServiceController._nodes_changed,
)
def keeps_its_nodes(original: Original, self: ServiceController, node: Object) -> None:
    return None


@miniature(
    "What was made for a Service is never released.",
    caught_by=("loadbalancers.08", "loadbalancers.09"),
    instead_of=ServiceController._release,
)
def releases_nothing(
    original: Original, self: ServiceController, key: str, service: Object, cloud: LoadBalancers
) -> None:
    return None


@miniature("A released address is lost.", caught_by="loadbalancers.10", instead_of=SimulatedCloud.delete)
def loses_addresses(original: Original, self: SimulatedCloud, service: Object) -> None:
    return None
