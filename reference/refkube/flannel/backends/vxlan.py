"""vxlan: the kernel wraps Pods' packets for another node in UDP; flannel tells it each peer's MAC and address.

For each peer a neighbour (the subnet's first address has the peer's MAC), an fdb entry (that MAC is behind the peer's
address) and a route. Nothing is learnt and nothing is asked on the wire. Source: flannel pkg/backend/vxlan.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from refkube.flannel.backends import Interface, Lease, ensure_address
from refkube.hostnet import FdbEntry, Link, Namespace, Neighbor, NetError, Route

VNI, PORT, OVERHEAD = 1, 8472, 50
DEVICE = f"flannel.{VNI}"


class Vxlan:
    def __init__(self, net: Namespace, interface: Interface, chance: Callable[[int], bytes]):
        self.mtu = interface.mtu - OVERHEAD
        self._net = net
        wanted = Link(
            DEVICE,
            "vxlan",
            mtu=self.mtu,
            details={
                "id": VNI,
                "local": interface.address,
                "dev": interface.device,
                "dstport": PORT,
                "learning": False,
            },
        )
        there = net.link(DEVICE)
        if there is not None and (there.kind != "vxlan" or not wanted.details.items() <= dict(there.details).items()):
            net.delete_link(DEVICE)
            there = None
        if there is None:
            net.add_link(Link(DEVICE, "vxlan", _new_mac(chance), self.mtu, details=wanted.details))
        made = net.link(DEVICE)
        assert made is not None
        self._mac = made.address

    def data(self) -> str:
        return json.dumps({"VNI": VNI, "VtepMAC": self._mac}, separators=(",", ":"))

    def open(self, network: str, lease: Lease) -> None:
        ensure_address(self._net, DEVICE, f"{lease.first}/32")
        self._net.set_link(DEVICE, up=True, mtu=self.mtu)

    def add(self, peer: Lease) -> None:
        mac = json.loads(peer.data)["VtepMAC"]
        self._net.replace_neighbor(Neighbor(peer.first, DEVICE, mac))
        self._net.replace_fdb(FdbEntry(mac, DEVICE, peer.public_ip))
        self._net.replace_route(_route(peer))  # last: with it packets come

    def remove(self, peer: Lease) -> None:
        mac = json.loads(peer.data)["VtepMAC"]
        _try(self._net.delete_neighbor, Neighbor(peer.first, DEVICE, mac))
        _try(self._net.delete_fdb, FdbEntry(mac, DEVICE, peer.public_ip))
        _try(self._net.delete_route, _route(peer))

    def check(self) -> None:
        """The device keeps what it was told."""

    def close(self) -> None:
        """All that was made is the kernel's."""


def _route(peer: Lease) -> Route:
    return Route(peer.subnet, DEVICE, peer.first, onlink=True)


def _try(delete: Callable[..., None], what: object) -> None:
    try:
        delete(what)
    except NetError:
        pass  # somebody was faster; the others are still to go


def _new_mac(chance: Callable[[int], bytes]) -> str:
    """A locally administered unicast address."""
    first, *others = chance(6)
    return ":".join(f"{byte:02x}" for byte in ((first & 0xFC) | 2, *others))
