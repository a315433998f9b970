"""udp: the daemon itself carries Pods' packets: out of the tun device flannel0 into a datagram to the peer, and back.

Each daemon takes one off a packet's TTL. Source: flannel pkg/backend/udp, proxy_amd64.c.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from refkube.flannel.backends import Interface, Lease, ensure_address
from refkube.hostnet import Datagrams, Endpoint, Namespace, Route, Tun

PORT, OVERHEAD = 8285, 28
DEVICE = "flannel0"
_HEAD, _TTL, _SOURCE, _DESTINATION, _SUM = 20, 8, slice(12, 16), slice(16, 20), slice(10, 12)  # of an IPv4 header


class Udp:
    def __init__(self, net: Namespace, interface: Interface):
        self.mtu = interface.mtu - OVERHEAD
        self._net = net
        self._address = interface.address
        self._peers: dict[tuple[int, int], Endpoint] = {}  # network and mask -> where to
        self._tun: Tun | None = None
        self._socket: Datagrams | None = None
        self._own = b""

    def data(self) -> str:
        return "null"

    def open(self, network: str, lease: Lease) -> None:
        """The device has an address for what the node itself sends, and the route of the whole network."""
        self._own = ip_address(lease.first).packed
        self._tun = self._net.open_tun(DEVICE, self._leave)
        ensure_address(self._net, DEVICE, f"{lease.first}/32")
        self._net.set_link(DEVICE, up=True, mtu=self.mtu)
        self._net.replace_route(Route(network, DEVICE))
        self._socket = self._net.bind((self._address, PORT), self._enter)

    def add(self, peer: Lease) -> None:
        self._peers[_net(peer.subnet)] = peer.public_ip, PORT

    def remove(self, peer: Lease) -> None:
        self._peers.pop(_net(peer.subnet), None)

    def check(self) -> None:
        """The peers are in this process; nobody else changes them."""

    def close(self) -> None:
        """The device goes with the process, and its routes with it."""
        for one in (self._tun, self._socket):
            if one is not None:
                one.close()
        self._tun = self._socket = None

    def _leave(self, packet: bytes) -> None:
        """From a Pod of this node to another node."""
        if len(packet) < _HEAD or self._socket is None:
            return
        peer = self._peer_of(packet[_DESTINATION])
        if peer is None:
            self._unreachable(packet)
        elif older := _aged(packet):
            self._socket.send(older, peer)

    def _enter(self, packet: bytes, sender: Endpoint) -> None:
        if len(packet) >= _HEAD and self._tun is not None and (older := _aged(packet)):
            self._tun.write(older)

    def _peer_of(self, destination: bytes) -> Endpoint | None:
        number = int.from_bytes(destination, "big")
        for (network, mask), peer in self._peers.items():
            if number & mask == network:
                return peer
        return None

    def _unreachable(self, packet: bytes) -> None:
        """ICMP: the network is unreachable, with the header and eight bytes of what did not get there."""
        quoted = packet[: (packet[0] & 15) * 4 + 8]
        icmp = bytearray(b"\x03\x00" + bytes(6) + quoted)
        icmp[2:4] = _checksum(icmp)
        head = bytearray(b"\x45\x00" + (_HEAD + len(icmp)).to_bytes(2, "big") + bytes(4) + b"\x08\x01" + bytes(2))
        head += self._own + packet[_SOURCE]
        head[_SUM] = _checksum(head)
        assert self._tun is not None
        self._tun.write(bytes(head + icmp))


def _net(cidr: str) -> tuple[int, int]:
    network = ip_network(cidr)
    return int(network.network_address), int(network.netmask)


def _aged(packet: bytes) -> bytes:
    """The packet with one less to live; nothing where that was its last."""
    if packet[_TTL] <= 1:
        return b""
    older = bytearray(packet)
    older[_TTL] -= 1
    length = (packet[0] & 15) * 4
    older[_SUM] = b"\0\0"
    older[_SUM] = _checksum(older[:length])
    return bytes(older)


def _checksum(data: bytes | bytearray) -> bytes:
    """RFC 1071."""
    padded = bytes(data) + b"\0" * (len(data) % 2)
    total = sum(int.from_bytes(padded[at : at + 2], "big") for at in range(0, len(padded), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return (~total & 0xFFFF).to_bytes(2, "big")
