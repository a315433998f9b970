"""Machines, as both kernels have them: a host's namespaces by name, and what is around the hosts of a cluster.

`network` and `linux` derive from it and say what a namespace, a LAN and a card are. Everything is on 192.168.0.0/16;
the router masquerades nothing, as the "internet" knows the way back to the LAN, but not to the Pods.
"""

from __future__ import annotations

import errno
from typing import Any, Generic, TypeVar

from refkube.hostnet import CLIENT, INTERNET, INTERNET_ROUTER, LAN_PREFIX, ROUTER, Host, NetError, Route

OWN = "/"  # what a Pod's namespace calls that of its host
N = TypeVar("N", bound=Any)
H = TypeVar("H", bound=Host)
L = TypeVar("L")


class Machine(Generic[N]):
    """A host. `_made` makes a namespace; `namespace` is the host's own."""

    namespace: N

    def __init__(self, name: str):
        self.name = name
        self._namespaces: dict[str, N] = {}

    def _made(self, name: str) -> N:
        raise NotImplementedError

    def add_namespace(self, name: str) -> N:
        if not name or name in self._namespaces:
            raise NetError(errno.EEXIST, f'Cannot create namespace file "/var/run/netns/{name}": File exists')
        made = self._namespaces[name] = self._made(name)
        return made

    def delete_namespace(self, name: str) -> None:
        if name not in self._namespaces:
            told = f'Cannot remove namespace file "/var/run/netns/{name}": No such file or directory'
            raise NetError(errno.ENOENT, told)
        self._namespaces.pop(name).close()

    def find_namespace(self, name: str) -> N | None:
        return self._namespaces.get(name)

    def namespaces(self) -> list[str]:
        return list(self._namespaces)

    def named(self, name: str) -> N:
        """Where a veth's other end is: in a Pod's namespace, or in the host's."""
        found = self.namespace if name == OWN else self._namespaces.get(name)
        if found is None:
            raise NetError(errno.EINVAL, f'Invalid "netns" value "{name}"')
        return found

    def close(self) -> None:
        for name in list(self._namespaces):
            self.delete_namespace(name)
        self.namespace.close()


class Surroundings(Generic[H, L]):
    """`outside` is a client on the nodes' LAN that is no node, `internet` a server behind the router."""

    def __init__(self, lan: L, far_lan: L):
        self.lan = lan
        self.hosts: dict[str, H] = {}
        self.router = self._plugged("router", lan, f"{ROUTER}/{LAN_PREFIX}")
        self._plug(self.router, "eth1", far_lan, f"{INTERNET_ROUTER}/24")
        self.router.namespace.set_sysctl("net.ipv4.ip_forward", "1")
        self.outside = self.join("outside", CLIENT)
        self.internet = self._plugged("internet", far_lan, f"{INTERNET}/24")
        self.internet.namespace.replace_route(Route("default", "eth0", INTERNET_ROUTER))

    def _machine(self, name: str) -> H:
        """A new one, without a card."""
        raise NotImplementedError

    def _plug(self, machine: H, card: str, lan: L, cidr: str) -> None:
        """A card with an address."""
        raise NotImplementedError

    def join(self, name: str, address: str) -> H:
        """One more machine on the LAN, with a default route to the router."""
        host = self._plugged(name, self.lan, f"{address}/{LAN_PREFIX}")
        host.namespace.replace_route(Route("default", "eth0", ROUTER))
        return host

    def leave(self, name: str) -> None:
        self.hosts.pop(name).close()  # type: ignore[attr-defined]

    def _plugged(self, name: str, lan: L, cidr: str) -> H:
        if name in self.hosts:
            raise ValueError(f"there is a host {name} already")
        host = self.hosts[name] = self._machine(name)
        self._plug(host, "eth0", lan, cidr)
        return host
