"""The machines of a cluster and what is around them: a LAN with a client outside the cluster, a router to an internet.

Made by the cluster, which joins a host for every node. Everything is on 192.168.0.0/16; the router masquerades
nothing, as the "internet" knows the way back to the LAN, but not to the Pods.
"""

from __future__ import annotations

from collections.abc import Callable

from refkube.engine.loop import Loop
from refkube.hostnet import CLIENT, INTERNET, INTERNET_ROUTER, LAN_PREFIX, ROUTER, Address, Route
from refkube.network.host import Host
from refkube.network.link import Lan, Nic, Wire


class Fabric:
    """`outside` is a client on the nodes' LAN that is no node, `internet` a server behind the router. `vendor` tells
    this fabric's devices from those of others."""

    def __init__(self, loop: Loop, vendor: int = 0x42):
        self.loop = loop
        self.wire = Wire(loop, vendor)
        self.lan, self._far_lan = Lan(self.wire), Lan(self.wire)
        self.hosts: dict[str, Host] = {}
        self.router = self._plugged("router", f"{ROUTER}/{LAN_PREFIX}")
        self.router.plug("eth1", self._far_lan)
        self.router.namespace.add_address(Address("eth1", f"{INTERNET_ROUTER}/24"))
        self.router.namespace.set_sysctl("net.ipv4.ip_forward", "1")
        self.outside = self.join("outside", CLIENT)
        self.internet = Host(self.wire, "internet")
        self.internet.plug("eth0", self._far_lan)
        self.internet.namespace.add_address(Address("eth0", f"{INTERNET}/24"))
        self.internet.namespace.replace_route(Route("default", "eth0", INTERNET_ROUTER))
        self.hosts["internet"] = self.internet

    def join(self, name: str, address: str) -> Host:
        """One more machine on the LAN, with a default route to the router."""
        host = self._plugged(name, f"{address}/{LAN_PREFIX}")
        host.namespace.replace_route(Route("default", "eth0", ROUTER))
        return host

    def go_on(self, name: str, send: Callable[[bytes], object]) -> None:
        """Let a machine's LAN go on elsewhere."""
        self.lan.go_on(self._card(name), send)

    def cut_off(self, name: str) -> None:
        self.lan.detach(self._card(name))

    def mend(self, name: str) -> None:
        self.lan.attach(self._card(name))

    def leave(self, name: str) -> None:
        self.hosts.pop(name).close()

    def _card(self, name: str) -> Nic:
        card = self.hosts[name].namespace.stack.devices["eth0"]
        assert isinstance(card, Nic)
        return card

    def _plugged(self, name: str, cidr: str) -> Host:
        if name in self.hosts:
            raise ValueError(f"there is a host {name} already")
        host = self.hosts[name] = Host(self.wire, name)
        host.plug("eth0", self.lan)
        host.namespace.add_address(Address("eth0", cidr))
        return host
