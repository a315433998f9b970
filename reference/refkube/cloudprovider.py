"""What a cluster asks of the cloud it runs in, and a cloud that is only simulated.

The controller of Services of type LoadBalancer calls it. Source: k8s.io/cloud-provider (cloud.go). Left out: zones,
instances, routes.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Protocol

from refkube.apimachinery.meta import Object


class CloudError(OSError):
    """The cloud refuses or cannot be reached: to be tried again."""


class LoadBalancers(Protocol):
    """Statuses are a Service's status.loadBalancer; nodes are names. All raise CloudError."""

    def status(self, service: Object) -> Object | None:
        """None where the Service has no load balancer."""
        ...

    def ensure(self, service: Object, nodes: Collection[str]) -> Object:
        """Make it, or bring it in line with the Service."""
        ...

    def update(self, service: Object, nodes: Collection[str]) -> None:
        """Send traffic to these nodes from now on."""
        ...

    def delete(self, service: Object) -> None:
        """Also where there is none."""
        ...


@dataclass
class LoadBalancer:
    """`ports` are (protocol, port, node port); node port 0 means the Service's own address."""

    ip: str
    nodes: frozenset[str]
    ports: tuple[tuple[str, int, int], ...]


class SimulatedCloud:
    """Load balancers at once, with addresses from a pool. `balancers` is theirs by name, as upstream names them."""

    def __init__(self, pool: str = "198.51.100.0/24"):
        self.balancers: dict[str, LoadBalancer] = {}
        self._free = deque(str(address) for address in ip_network(pool).hosts())
        self._failures: defaultdict[str, deque[str]] = defaultdict(deque)

    def fail(self, operation: str, why: str, times: int = 1) -> None:
        """Let the next calls of "status", "ensure", "update" or "delete" fail."""
        self._failures[operation].extend([why] * times)

    def status(self, service: Object) -> Object | None:
        self._enter("status")
        balancer = self.balancers.get(balancer_name(service))
        return _status(balancer) if balancer else None

    def ensure(self, service: Object, nodes: Collection[str]) -> Object:
        self._enter("ensure")
        name, spec = balancer_name(service), service["spec"]
        old = self.balancers.get(name)
        ports = tuple((port["protocol"], port["port"], port.get("nodePort", 0)) for port in spec.get("ports") or ())
        ip = old.ip if old else self._address(spec.get("loadBalancerIP", ""))
        balancer = self.balancers[name] = LoadBalancer(ip, frozenset(nodes), ports)
        return _status(balancer)

    def update(self, service: Object, nodes: Collection[str]) -> None:
        self._enter("update")
        balancer = self.balancers.get(balancer_name(service))
        if balancer is None:
            raise CloudError(f"there is no load balancer {balancer_name(service)}")
        balancer.nodes = frozenset(nodes)

    def delete(self, service: Object) -> None:
        self._enter("delete")
        balancer = self.balancers.pop(balancer_name(service), None)
        if balancer is not None:
            self._free.append(balancer.ip)

    def _enter(self, operation: str) -> None:
        if self._failures[operation]:
            raise CloudError(self._failures[operation].popleft())

    def _address(self, asked: str) -> str:
        """Freed addresses come last, so that one is not soon somebody else's."""
        if asked and asked not in self._free:
            raise CloudError(f"the address {asked} is not free")
        if not self._free:
            raise CloudError("no address is left")
        ip = asked or self._free[0]
        self._free.remove(ip)
        return ip


def balancer_name(service: Object) -> str:
    """DefaultLoadBalancerName."""
    return ("a" + service["metadata"]["uid"].replace("-", ""))[:32]


def _status(balancer: LoadBalancer) -> Object:
    return {"ingress": [{"ip": balancer.ip, "ipMode": "VIP"}]}
