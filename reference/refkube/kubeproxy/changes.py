"""Services and EndpointSlices as a proxy sees them: ports to serve, endpoints, and which of these a node uses.

Pure functions, called by `proxier`. Source: pkg/proxy serviceport.go, endpointslicecache.go, topology.go. IPv4 only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from refkube.apimachinery.meta import Object, name_of, namespace_of
from refkube.hostnet import Protocol4

PROXY_NAME = "service.kubernetes.io/service-proxy-name"
HEADLESS = "service.kubernetes.io/headless"
SERVICE_NAME = "kubernetes.io/service-name"
ZONE = "topology.kubernetes.io/zone"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`ready` is true of all endpoints where the Service publishes the unready ones."""

    address: str
    port: int
    local: bool
    ready: bool
    serving: bool
    terminating: bool
    zones: frozenset[str] = frozenset()
    nodes: frozenset[str] = frozenset()

    @property
    def at(self) -> tuple[str, int]:
        return self.address, self.port

    @property
    def last_resort(self) -> bool:
        """Serves still, though its Pod is about to go: for when nobody is ready."""
        return self.serving and self.terminating


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port of one Service. `affinity` is the timeout of session affinity in seconds, 0 without."""

    name: str
    protocol: Protocol4
    cluster_ip: str
    port: int
    node_port: int = 0
    external_ips: tuple[str, ...] = ()
    load_balancer_ips: tuple[str, ...] = ()
    source_ranges: tuple[str, ...] = ()
    affinity: int = 0
    health_port: int = 0
    external_local: bool = False
    internal_local: bool = False

    @property
    def external(self) -> bool:
        return bool(self.node_port or self.load_balancer_ips or self.external_ips)

    @property
    def frontends(self) -> list[tuple[str, int]]:
        """Where it is reached, node ports apart."""
        return [(ip, self.port) for ip in (self.cluster_ip, *self.external_ips, *self.load_balancer_ips)]


Endpoints = Mapping[tuple[str, str], tuple[Endpoint, ...]]
"""By name and protocol of the Service's port."""


def service_ports(service: Object | None) -> list[ServicePort]:
    """None of a Service that has no address of its own: headless, ExternalName, or not there."""
    spec = (service or {}).get("spec") or {}
    if service is None or spec.get("clusterIP") in (None, "", "None") or spec.get("type") == "ExternalName":
        return []
    external_ips = tuple(ip for ip in spec.get("externalIPs") or () if ":" not in ip)
    reachable = spec.get("type") in ("NodePort", "LoadBalancer") or bool(external_ips)
    external_local = reachable and spec.get("externalTrafficPolicy") == "Local"
    ranges = tuple(one.strip() for one in spec.get("loadBalancerSourceRanges") or () if ":" not in one)
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    sticky = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
    health = spec.get("healthCheckNodePort", 0) if spec.get("type") == "LoadBalancer" and external_local else 0
    return [
        ServicePort(
            port.get("name", ""),
            port.get("protocol", "TCP"),
            spec["clusterIP"],
            port["port"],
            port.get("nodePort", 0),
            external_ips,
            tuple(one["ip"] for one in ingress if one.get("ip") and one.get("ipMode", "VIP") == "VIP"),
            () if any(one.endswith("/0") for one in ranges) else ranges,  # whoever allows all, limits nobody
            sticky.get("timeoutSeconds", 10800) if spec.get("sessionAffinity") == "ClientIP" else 0,
            health,
            external_local,
            spec.get("internalTrafficPolicy") == "Local",
        )
        for port in spec.get("ports") or ()
    ]


def service_of(endpoint_slice: Object) -> str:
    """ "namespace/name" of the Service whose endpoints these are, "" of none"""
    name = (endpoint_slice["metadata"].get("labels") or {}).get(SERVICE_NAME, "")
    return f"{namespace_of(endpoint_slice)}/{name}" if name else ""


def endpoints_of(slices: Iterable[Object], node: str) -> Endpoints:
    """Everything the slices of one Service list. Of two with one address, the one that is not terminating counts."""
    found: dict[tuple[str, str], dict[tuple[str, int], Endpoint]] = {}
    for one in sorted((one for one in slices if one.get("addressType", "IPv4") == "IPv4"), key=name_of):
        for port in one.get("ports") or ():
            if not port.get("port"):
                continue
            known = found.setdefault((port.get("name") or "", port.get("protocol", "TCP")), {})
            for listed in one.get("endpoints") or ():
                endpoint = _endpoint(listed, port["port"], node)
                if endpoint.at not in known or not endpoint.terminating:
                    known[endpoint.at] = endpoint
    return {key: tuple(known.values()) for key, known in found.items()}


def _endpoint(listed: Object, port: int, node: str) -> Endpoint:
    conditions, hints = listed.get("conditions") or {}, listed.get("hints") or {}
    return Endpoint(
        listed["addresses"][0],
        port,
        listed.get("nodeName") == node,
        conditions.get("ready", True),
        conditions.get("serving", True),
        conditions.get("terminating", False),
        frozenset(one["name"] for one in hints.get("forZones") or ()),
        frozenset(one["name"] for one in hints.get("forNodes") or ()),
    )


def usable(port: ServicePort, endpoints: Iterable[Endpoint], local: bool, node: str, zone: str) -> list[Endpoint]:
    """The endpoints that a virtual server gets: of this node only where its policy is `local` and there are any, else
    those that the hints prefer; ready ones, or where there are none those that still serve as they go.

    A Service that is reached from outside falls back on all where none is here: what comes from outside is answered
    under another address then, and lost; what comes from this node's Pods arrives (kubernetes/kubernetes#97081).
    """
    endpoints = list(endpoints)
    here = [one for one in endpoints if one.local] if local else []
    chosen = [one for one in here if one.ready] or [one for one in here if one.last_resort]
    if chosen or (port.internal_local and not port.external):
        return chosen
    ready = [one for one in endpoints if one.ready]
    return _preferred(ready, node, zone) or [one for one in endpoints if one.last_resort]


def _preferred(ready: list[Endpoint], node: str, zone: str) -> list[Endpoint]:
    """By hints, where every endpoint has one and some are for this node, or its zone."""
    for here, hints in ((node, "nodes"), (zone, "zones")):
        hinted = [one for one in ready if here in getattr(one, hints)]
        if hinted and all(getattr(one, hints) for one in ready):
            return hinted
    return ready
