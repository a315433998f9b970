"""A machine's network on a real kernel, and what is around machines: a LAN, a router, an internet.

Made by the cluster, like the simulated fabric, which has the same machines at the same addresses.
"""

from __future__ import annotations

import errno
from functools import cache

from refkube.engine.clock import WallClock
from refkube.engine.loop import Loop
from refkube.hostnet import (
    CLIENT,
    INTERNET,
    INTERNET_ROUTER,
    LAN_PREFIX,
    ROUTER,
    Address,
    Link,
    NetError,
    Route,
    VirtualServer,
)
from refkube.linux.namespace import HOST, LinuxNamespace
from refkube.linux.poller import SocketPoller


@cache
def lacking() -> str:
    """What keeps this machine's kernel from carrying a data path, found out by trying; "" if nothing does."""
    poller = SocketPoller()
    loop = Loop(WallClock(), poller=poller)
    poller.post = loop.post
    try:
        probe = LinuxHost("probe", loop, poller)
    except NetError as why:
        return str(why.strerror)
    try:
        net = probe.namespace
        net.add_link(Link("kube-ipvs0", "dummy"))
        net.set_virtual_server(VirtualServer("TCP", "192.0.2.1", 80))
        net.create_ipset("probe", "hash:ip,port")
        net.iptables_save("nat")
    except OSError as why:
        return str(why.strerror or why)
    except Exception as why:  # netlink's own, where nobody serves a family
        return f"no virtual servers ({why})"
    finally:
        probe.close()
    return ""


class LinuxHost:
    """A machine, or the one that this process is on (`own`)."""

    def __init__(self, name: str, loop: Loop, poller: SocketPoller, own: bool = False):
        self.name = name
        self._loop, self._poller = loop, poller
        self._namespaces: dict[str, LinuxNamespace] = {}
        self.namespace = LinuxNamespace("", loop, poller, self._named, own)
        if own:
            return
        self.namespace.set_link("lo", up=True)
        # Linux tells whom it refuses once a second; a cluster's seconds are shorter.
        self.namespace.set_sysctl("net.ipv4.icmp_ratelimit", "0")

    def add_namespace(self, name: str) -> LinuxNamespace:
        if not name or name in self._namespaces:
            raise NetError(errno.EEXIST, f'Cannot create namespace file "/var/run/netns/{name}": File exists')
        made = self._namespaces[name] = LinuxNamespace(name, self._loop, self._poller, self._named)
        return made

    def delete_namespace(self, name: str) -> None:
        if name not in self._namespaces:
            told = f'Cannot remove namespace file "/var/run/netns/{name}": No such file or directory'
            raise NetError(errno.ENOENT, told)
        self._namespaces.pop(name).close()

    def find_namespace(self, name: str) -> LinuxNamespace | None:
        return self._namespaces.get(name)

    def namespaces(self) -> list[str]:
        return list(self._namespaces)

    def _named(self, name: str) -> LinuxNamespace:
        found = self.namespace if name == HOST else self._namespaces.get(name)
        if found is None:
            raise NetError(errno.EINVAL, f'Invalid "netns" value "{name}"')
        return found

    def close(self) -> None:
        for name in list(self._namespaces):
            self.delete_namespace(name)
        self.namespace.close()


def this_machine(name: str, loop: Loop, poller: SocketPoller) -> LinuxHost:
    """The one that this process is on. NetError where it has no virtual servers, or one may not have them."""
    try:
        host = LinuxHost(name, loop, poller, own=True)
        host.namespace.virtual_servers()
    except OSError as why:
        raise NetError(why.errno, str(why.strerror or why)) from None
    except Exception as why:  # netlink's own, where nobody serves a family
        raise NetError(errno.EOPNOTSUPP, f"no virtual servers ({why})") from None
    return host


class Switch:
    """A bridge in a namespace of its own, where machines plug their cards in."""

    def __init__(self, loop: Loop, poller: SocketPoller):
        self._machines: dict[str, LinuxHost] = {}
        self._namespace = LinuxNamespace("switch", loop, poller, lambda port: self._machines[port].namespace)
        self._namespace.add_link(Link("lan", "bridge", up=True))

    def plug(self, machine: LinuxHost, card: str, cidr: str) -> None:
        port = f"p-{machine.name}"[:15]
        self._machines[port] = machine
        self._namespace.add_link(Link(port, "veth", peer=card, peer_namespace=port, master="lan", up=True))
        machine.namespace.cards.add(card)
        machine.namespace.set_link(card, up=True)
        machine.namespace.add_address(Address(card, cidr))

    def connect(self, machine: str, connected: bool) -> None:
        self._namespace.set_link(f"p-{machine}"[:15], master="lan" if connected else "")

    def close(self) -> None:
        self._namespace.close()


class LinuxFabric:
    """`outside` is a client on the nodes' LAN that is no node, `internet` a server behind the router."""

    def __init__(self, loop: Loop, poller: SocketPoller):
        self._loop, self._poller = loop, poller
        self._lan, self._far_lan = Switch(loop, poller), Switch(loop, poller)
        self.hosts: dict[str, LinuxHost] = {}
        self.router = self._plugged("router", self._lan, f"{ROUTER}/{LAN_PREFIX}")
        self._far_lan.plug(self.router, "eth1", f"{INTERNET_ROUTER}/24")
        self.router.namespace.set_sysctl("net.ipv4.ip_forward", "1")
        self.outside = self.join("outside", CLIENT)
        self.internet = self._plugged("internet", self._far_lan, f"{INTERNET}/24")
        self.internet.namespace.replace_route(Route("default", "eth0", INTERNET_ROUTER))

    def join(self, name: str, address: str) -> LinuxHost:
        """One more machine on the LAN, with a default route to the router."""
        host = self._plugged(name, self._lan, f"{address}/{LAN_PREFIX}")
        host.namespace.replace_route(Route("default", "eth0", ROUTER))
        return host

    def cut_off(self, name: str) -> None:
        self._lan.connect(name, False)

    def mend(self, name: str) -> None:
        self._lan.connect(name, True)

    def leave(self, name: str) -> None:
        self.hosts.pop(name).close()

    def close(self) -> None:
        for name in list(self.hosts):
            self.leave(name)
        self._lan.close()
        self._far_lan.close()

    def _plugged(self, name: str, switch: Switch, cidr: str) -> LinuxHost:
        if name in self.hosts:
            raise ValueError(f"there is a host {name} already")
        host = self.hosts[name] = LinuxHost(name, self._loop, self._poller)
        switch.plug(host, "eth0", cidr)
        return host
