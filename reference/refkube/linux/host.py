"""A machine's network on a real kernel, and switches between machines.

Made by the cluster, like the simulated fabric, which has the same machines at the same addresses.
"""

from __future__ import annotations

import errno
from functools import cache

from refkube.engine.clock import WallClock
from refkube.engine.loop import Loop
from refkube.hostnet import Address, Link, NetError, VirtualServer
from refkube.hostnet.machines import Machine, Surroundings
from refkube.linux.namespace import LinuxNamespace
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


class LinuxHost(Machine[LinuxNamespace]):
    """A machine, or the one that this process is on (`own`)."""

    def __init__(self, name: str, loop: Loop, poller: SocketPoller, own: bool = False):
        super().__init__(name)
        self._loop, self._poller = loop, poller
        self.namespace = LinuxNamespace("", loop, poller, self.named, own)
        if own:
            return
        self.namespace.set_link("lo", up=True)
        # Linux tells whom it refuses once a second; a cluster's seconds are shorter.
        self.namespace.set_sysctl("net.ipv4.icmp_ratelimit", "0")

    def _made(self, name: str) -> LinuxNamespace:
        return LinuxNamespace(name, self._loop, self._poller, self.named)


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


class LinuxFabric(Surroundings[LinuxHost, Switch]):
    def __init__(self, loop: Loop, poller: SocketPoller):
        self._loop, self._poller = loop, poller
        self._switches = [Switch(loop, poller) for _ in range(2)]
        super().__init__(*self._switches)

    def cut_off(self, name: str) -> None:
        self.lan.connect(name, False)

    def mend(self, name: str) -> None:
        self.lan.connect(name, True)

    def close(self) -> None:
        for name in list(self.hosts):
            self.leave(name)
        for switch in self._switches:
            switch.close()

    def _machine(self, name: str) -> LinuxHost:
        return LinuxHost(name, self._loop, self._poller)

    def _plug(self, machine: LinuxHost, card: str, lan: Switch, cidr: str) -> None:
        lan.plug(machine, card, cidr)
