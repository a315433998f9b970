"""host-gw: no encapsulation; each node's subnet is routed to that node, which must be on the same wire.

Source: flannel pkg/backend/hostgw, route_network.go.
"""

from __future__ import annotations

from refkube.flannel.backends import Interface, Lease, has_route
from refkube.hostnet import Namespace, NetError, Route


class HostGw:
    def __init__(self, net: Namespace, interface: Interface):
        self.mtu = interface.mtu
        self._net = net
        self._device = interface.device
        self._routes: dict[str, Route] = {}

    def data(self) -> str:
        return "null"

    def open(self, network: str, lease: Lease) -> None:
        """Nothing to make."""

    def add(self, peer: Lease) -> None:
        route = self._routes[peer.subnet] = Route(peer.subnet, self._device, peer.public_ip)
        for other in self._net.routes():
            if other.destination == route.destination and (other.gateway, other.device) != (
                route.gateway,
                route.device,
            ):
                self._net.delete_route(other)
        if not has_route(self._net, route):
            self._net.replace_route(route)

    def remove(self, peer: Lease) -> None:
        route = self._routes.pop(peer.subnet, Route(peer.subnet, self._device, peer.public_ip))
        try:
            self._net.delete_route(route)
        except NetError:
            pass  # somebody was faster

    def check(self) -> None:
        for route in self._routes.values():
            if not has_route(self._net, route):
                self._net.replace_route(route)

    def close(self) -> None:
        """All that was made is the kernel's."""
