"""Faults in flannel: what nodes publish, and how packets get to the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from refkube.flannel import daemon
from refkube.flannel.backends import Interface
from refkube.flannel.backends import vxlan as backend
from refkube.flannel.backends.host_gw import HostGw
from refkube.flannel.backends.udp import Udp
from refkube.flannel.backends.vxlan import Vxlan
from refkube.flannel.daemon import Flanneld
from refkube.network.packet import Packet
from refkube.network.stack import Stack

from gherkube.drivers.miniatures import miniature

Original = Callable[..., Any]


@miniature(
    "A node does not publish its subnet.",
    caught_by=("leases.01", "leases.03", "leases.04"),
    instead_of=Flanneld._publish,
)
def publishes_nothing(original: Original, *args: Any) -> None:
    return None


@miniature(
    "Nobody is told that the node has a network.", caught_by="leases.02", instead_of=Flanneld._tell_network_is_up
)
def tells_of_no_network(original: Original, *args: Any) -> None:
    return None


@miniature("A node that is gone is still routed to.", caught_by="leases.05", instead_of=Flanneld._node_gone)
def keeps_routes_of_the_gone(original: Original, *args: Any) -> None:
    return None


@miniature(
    "Packets cross the wire as they are, whatever was asked for.",
    caught_by=("backends.01", "backends.04", "backends.05", "backends.06", "mtu.01", "mtu.03"),
    instead_of=Flanneld._made,
)
def wraps_nothing(original: Original, self: Flanneld, interface: Interface) -> HostGw:
    return HostGw(self._net, interface)


@miniature(
    "Packets are wrapped by the kernel, whatever was asked for.",
    caught_by=("backends.01", "backends.04", "backends.09", "backends.10", "backends.11"),
    instead_of=Flanneld._made,
)
def wraps_everything(original: Original, self: Flanneld, interface: Interface) -> Vxlan:
    return Vxlan(self._net, interface, self._loop.random.randbytes)


@miniature("A daemon that has ended carries packets on.", caught_by="backends.02", instead_of=Udp.close)
def carries_on_when_ended(original: Original, self: Udp) -> None:
    return None


@miniature(
    "The daemon does not know where other nodes' Pods are.",
    caught_by=("backends.01", "backends.03", "backends.04", "backends.12#1", "mtu.02#1"),
    instead_of=Udp.add,
)
def knows_no_peers(original: Original, *args: Any) -> None:
    return None


@miniature(
    "The kernel is not told where other nodes' Pods are.",
    caught_by=("backends.05", "backends.06", "backends.08", "backends.12#2", "mtu.02#2"),
    instead_of=Vxlan.add,
)
def tells_the_kernel_nothing(original: Original, *args: Any) -> None:
    return None


@miniature(
    "Other nodes' subnets are not routed to them.",
    caught_by=("backends.09", "backends.10", "backends.12#3", "mtu.02#3"),
    instead_of=HostGw.add,
)
def routes_nothing(original: Original, *args: Any) -> None:
    return None


@miniature("VXLAN goes by the port that others use for it.", caught_by=("backends.05", "backends.06"))
def uses_another_port() -> Iterator[None]:
    port, backend.PORT = backend.PORT, 4789
    try:
        yield
    finally:
        backend.PORT = port


@miniature("A daemon that ends takes its device with it.", caught_by="backends.07", instead_of=Vxlan.close)
def removes_its_device(original: Original, self: Vxlan) -> None:
    self._net.delete_link(backend.DEVICE)


@miniature("A route that somebody removes stays away.", caught_by="backends.11", instead_of=HostGw.check)
def looks_after_nothing(original: Original, self: HostGw) -> None:
    return None


@miniature("Pods are masqueraded on their way to other nodes.", caught_by="backends.12", instead_of=daemon.rules)
def masquerades_between_nodes(original: Original, *args: Any) -> list[tuple[str, str, str]]:
    return [rule for rule in original(*args) if not rule[2].endswith("RETURN")]


@miniature("What does not fit is dropped, and nobody is told.", caught_by="mtu.04", instead_of=Stack._fits)
def drops_what_does_not_fit(original: Original, self: Stack, device: Any, packet: Packet, entry: Any) -> bool:
    return packet.length <= self._leaves_at(entry).mtu or not packet.df


@miniature(
    "flannel's device takes packets as long as the NIC's.", caught_by=("mtu.01", "mtu.03"), instead_of=Flanneld._made
)
def leaves_no_room(original: Original, self: Flanneld, interface: Interface) -> Any:
    made = original(self, interface)
    made.mtu = interface.mtu
    return made
