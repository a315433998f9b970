"""Reads the headers of a captured packet, down to the TCP segment in it, through what flannel wraps around it.

Called by `datapath`. What is no TCP over IPv4 is nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

VXLAN, FLANNEL = 8472, 8285  # UDP ports
_IPV4, _TCP, _UDP = b"\x08\x00", 6, 17
_SYN, _ACK = 0x02, 0x10


@dataclass(frozen=True)
class Seen:
    """A TCP segment: its own addresses, the port it is for, and the headers around it, outermost first."""

    source: str
    destination: str
    port: int
    sequence: int
    acknowledged: int
    flags: int
    outer: tuple[str, ...]

    @property
    def opens(self) -> bool:
        return self.flags & (_SYN | _ACK) == _SYN

    @property
    def answers(self) -> bool:
        return self.flags & (_SYN | _ACK) == _SYN | _ACK


def seen(data: bytes, raw: bool = False, outer: tuple[str, ...] = ()) -> Seen | None:
    """From a frame, or `raw` from an IP packet."""
    if not raw:
        if data[12:14] != _IPV4:
            return None
        data = data[14:]
    length = (data[0] & 15) * 4
    source, destination = str(IPv4Address(data[12:16])), str(IPv4Address(data[16:20]))
    within = data[length:]
    port = int.from_bytes(within[2:4], "big")
    if data[9] == _TCP:
        sequence, acknowledged = int.from_bytes(within[4:8], "big"), int.from_bytes(within[8:12], "big")
        return Seen(source, destination, port, sequence, acknowledged, within[13], outer)
    if data[9] == _UDP and port in (VXLAN, FLANNEL):
        around = (*outer, f"udp {source} > {destination}:{port}")
        if port == FLANNEL:
            return seen(within[8:], True, around)
        return seen(within[16:], False, (*around, f"vxlan {int.from_bytes(within[12:15], 'big')}"))
    return None
