"""Frames and packets: as objects for the simulation, as bytes for captures and for processes behind a tun device.

Addresses are numbers here and text at the interface. Sources: RFC 791, 792, 768, 9293, 826, 7348.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Any, Protocol

ICMP, TCP, UDP, SCTP = 1, 6, 17, 132
NUMBERS = {"icmp": ICMP, "tcp": TCP, "udp": UDP, "sctp": SCTP}
NAMES = {number: name for name, number in NUMBERS.items()}
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
ECHO_REPLY, UNREACHABLE, ECHO, EXCEEDED = 0, 3, 8, 11
NET, HOST, PROTOCOL, PORT, TOO_BIG, PROHIBITED = 0, 1, 2, 3, 4, 13
BROADCAST = "ff:ff:ff:ff:ff:ff"
NO_MAC = "00:00:00:00:00:00"
LIMITED = 0xFFFFFFFF  # the limited broadcast address

Tuple = tuple[int, int, int, int, int]
"""Protocol, source, its port, destination, its port; of an echo both ports are its identifier."""


@lru_cache(65536)
def number(text: str) -> int:
    try:
        a, b, c, d = map(int, text.split("."))
        return int.from_bytes(bytes((a, b, c, d)), "big")
    except ValueError:
        raise ValueError(f"an IPv4 address was expected, not {text!r}") from None


@lru_cache(65536)
def text(address: int) -> str:
    return f"{address >> 24}.{address >> 16 & 255}.{address >> 8 & 255}.{address & 255}"


@lru_cache(4096)
def network(cidr: str) -> tuple[int, int, int]:
    """Network, mask and prefix length of "10.244.1.0/24", "10.0.0.1" or "default"."""
    if cidr in ("default", "any"):
        return 0, 0, 0
    address, _, length = cidr.partition("/")
    size = int(length or 32)
    mask = (LIMITED << (32 - size)) & LIMITED
    return number(address) & mask, mask, size


class Body(Protocol):
    """What a datagram carries: bytes, or an encapsulated frame that becomes bytes when somebody looks."""

    def __len__(self) -> int: ...

    def __bytes__(self) -> bytes: ...


class Packet:
    """An IPv4 packet with its TCP, UDP or ICMP header, and what the kernel keeps with it on its way.

    Of ICMP, `flags` is the type, `ack` the code, `sport` and `dport` an echo's identifier, `seq` its sequence number or
    the MTU of "too big"; `quoted` is the packet that an error is about. `state` and `reply` are what connection
    tracking says of it.
    """

    __slots__ = ("ack", "bridged", "df", "dport", "dst", "flags", "flow", "fragment", "id", "label", "mark", "mss",
                 "payload", "protocol", "quoted", "reply", "seq", "sport", "src", "state", "ttl", "untracked",
                 "virtual", "window")  # fmt: skip

    def __init__(self, protocol: int, src: int, sport: int, dst: int, dport: int, payload: Body = b"", flags: int = 0):
        self.protocol, self.src, self.sport, self.dst, self.dport = protocol, src, sport, dst, dport
        self.payload, self.flags = payload, flags
        self.ttl, self.df, self.id = 64, True, 0
        self.seq = self.ack = self.mss = self.mark = 0
        self.window = 65535
        self.fragment: tuple[int, bool] | None = None  # offset in bytes, more to come; the payload is raw then
        self.quoted: Packet | None = None
        self.flow: Any = None
        self.state, self.reply, self.untracked = "", False, False
        self.virtual = False  # IPVS has done with it
        self.bridged = False  # a bridge has called PREROUTING for it
        self.label: Tuple | None = None  # whose journey it is, when traced

    @property
    def tuple(self) -> Tuple:
        return self.protocol, self.src, self.sport, self.dst, self.dport

    @property
    def length(self) -> int:
        return 20 + _header(self) + (28 if self.quoted is not None else len(self.payload))

    def copy(self) -> Packet:
        made = Packet.__new__(Packet)
        for slot in Packet.__slots__:
            setattr(made, slot, getattr(self, slot))
        return made

    def scrub(self, foreign: bool = True) -> None:
        """Forget what a namespace knew, as a packet that leaves one, or is unwrapped, does."""
        self.flow, self.state, self.reply = None, "", False
        self.untracked = self.virtual = self.bridged = False
        if foreign:
            self.mark = 0

    def __str__(self) -> str:
        ends = f"{text(self.src)}:{self.sport} > {text(self.dst)}:{self.dport}"
        if self.protocol == TCP:
            flags = "".join(
                letter for bit, letter in ((SYN, "S"), (FIN, "F"), (RST, "R"), (PSH, "P")) if self.flags & bit
            )
            return f"tcp {ends} [{flags}{'.' if self.flags & ACK else ''}] length {len(self.payload)}"
        if self.protocol == ICMP:
            about = f" about {self.quoted}" if self.quoted else ""
            return f"icmp {text(self.src)} > {text(self.dst)} type {self.flags} code {self.ack}{about}"
        return f"{NAMES.get(self.protocol, self.protocol)} {ends} length {len(self.payload)}"


class Arp:
    """A question ("who has") or an answer."""

    __slots__ = ("mac", "reply", "source", "target", "target_mac")

    def __init__(self, reply: bool, mac: str, source: int, target_mac: str, target: int):
        self.reply, self.mac, self.source, self.target_mac, self.target = reply, mac, source, target_mac, target


class Frame:
    __slots__ = ("dst", "payload", "src")

    def __init__(self, dst: str, src: str, payload: Packet | Arp):
        self.dst, self.src, self.payload = dst, src, payload

    def copy(self) -> Frame:
        return Frame(self.dst, self.src, self.payload.copy() if isinstance(self.payload, Packet) else self.payload)


class Vxlan:
    """A frame within a datagram (RFC 7348)."""

    __slots__ = ("frame", "vni")

    def __init__(self, vni: int, frame: Frame):
        self.vni, self.frame = vni, frame

    def __len__(self) -> int:
        payload = self.frame.payload
        return 8 + 14 + (payload.length if isinstance(payload, Packet) else 28)

    def __bytes__(self) -> bytes:
        return struct.pack("!II", 0x08000000, self.vni << 8) + encode_frame(self.frame)


def inverse(tuple: Tuple) -> Tuple:
    """What an answer has."""
    return tuple[0], tuple[3], tuple[4], tuple[1], tuple[2]


def error(about: Packet, source: int, kind: int, code: int, mtu: int = 0) -> Packet | None:
    """The ICMP error about a packet; None where RFC 1122 forbids one."""
    if about.protocol == ICMP and about.flags not in (ECHO, ECHO_REPLY):
        return None
    if about.dst == LIMITED or (about.fragment is not None and about.fragment[0]):
        return None
    made = Packet(ICMP, source, 0, about.src, 0, flags=kind)
    made.ack, made.seq, made.df, made.quoted = code, mtu, False, about.copy()
    made.label = inverse(about.label) if about.label is not None else None
    return made


def reset(about: Packet) -> Packet:
    """The answer to a segment that nobody expects (RFC 9293, 3.10.7.1)."""
    flags = RST if about.flags & ACK else RST | ACK
    made = Packet(TCP, about.dst, about.dport, about.src, about.sport, flags=flags)
    made.seq = about.ack if about.flags & ACK else 0
    made.ack = about.seq + len(about.payload) + bool(about.flags & (SYN | FIN))
    return made


# Bytes


def encode_frame(frame: Frame) -> bytes:
    payload = frame.payload
    head = _mac(frame.dst) + _mac(frame.src)
    if isinstance(payload, Packet):
        return head + b"\x08\x00" + encode(payload)
    kind = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2 if payload.reply else 1)
    ends = struct.pack("!6sI6sI", _mac(payload.mac), payload.source, _mac(payload.target_mac), payload.target)
    return head + b"\x08\x06" + kind + ends


def decode_frame(data: bytes) -> Frame:
    """ValueError for what is neither IPv4 nor ARP, or damaged."""
    dst, src, kind = data[:6].hex(":"), data[6:12].hex(":"), data[12:14]
    if kind == b"\x08\x00":
        return Frame(dst, src, decode(data[14:]))
    if kind != b"\x08\x06" or len(data) < 42:
        raise ValueError("neither IPv4 nor ARP")
    operation, mac, source, target_mac, target = struct.unpack("!6xH6sI6sI", data[14:42])
    return Frame(dst, src, Arp(operation == 2, mac.hex(":"), source, target_mac.hex(":"), target))


def encode(packet: Packet) -> bytes:
    body = transport(packet)
    offset, more = packet.fragment or (0, False)
    flags = (0x4000 if packet.df else 0) | (0x2000 if more else 0) | offset >> 3
    fields = (0x45, 0, 20 + len(body), packet.id & 0xFFFF, flags, packet.ttl, packet.protocol)
    head = struct.pack("!BBHHHBBHII", *fields, 0, packet.src, packet.dst)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def transport(packet: Packet) -> bytes:
    """Everything after the IP header."""
    payload = bytes(packet.payload)
    if packet.fragment is not None:
        return payload
    if packet.protocol == TCP:
        options = struct.pack("!BBH", 2, 4, packet.mss) if packet.mss else b""
        offset = (5 + len(options) // 4) << 12 | packet.flags
        numbers = (packet.sport, packet.dport, packet.seq & LIMITED, packet.ack & LIMITED, offset, packet.window)
        return _summed(packet, struct.pack("!HHIIHHHH", *numbers, 0, 0) + options + payload, 16)
    if packet.protocol == UDP:
        return _summed(packet, struct.pack("!HHHH", packet.sport, packet.dport, 8 + len(payload), 0) + payload, 6)
    if packet.protocol == ICMP:
        if packet.quoted is not None:
            payload = encode(packet.quoted)[:28]
        rest = (packet.sport << 16 | packet.seq & 0xFFFF) if packet.flags in (ECHO, ECHO_REPLY) else packet.seq
        body = struct.pack("!BBHI", packet.flags, packet.ack, 0, rest) + payload
        return body[:2] + struct.pack("!H", checksum(body)) + body[4:]
    return payload


def decode(data: bytes) -> Packet:
    """The packet that these bytes are; ValueError if they are none, or damaged."""
    try:
        return _decoded(data)
    except (struct.error, IndexError) as short:
        raise ValueError(f"not a whole IPv4 packet: {short}") from None


def checksum(data: bytes) -> int:
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _decoded(data: bytes, whole: bool = True) -> Packet:
    first, _, length, ident, flags, ttl, protocol, _, src, dst = struct.unpack("!BBHHHBBHII", data[:20])
    size = (first & 15) * 4
    if first >> 4 != 4 or size < 20 or (whole and (length > len(data) or checksum(data[:size]))):
        raise ValueError("not an IPv4 packet, or its checksum is wrong")
    body = data[size:length] if whole else data[size:]
    packet = Packet(protocol, src, 0, dst, 0, body)
    packet.ttl, packet.id, packet.df = ttl, ident, bool(flags & 0x4000)
    if flags & 0x3FFF:
        packet.fragment = (flags & 0x1FFF) << 3, bool(flags & 0x2000)
    elif protocol in (TCP, UDP):
        packet.sport, packet.dport = struct.unpack("!HH", body[:4])
        if not whole:
            packet.payload = b""
        elif protocol == UDP:
            packet.payload = body[8 : struct.unpack("!H", body[4:6])[0]]
        else:
            packet.seq, packet.ack, offset, packet.window = struct.unpack("!IIHH", body[4:16])
            packet.flags, start = offset & 0x3F, (offset >> 12) * 4
            packet.mss, packet.payload = _mss(body[20:start]), body[start:]
    elif protocol == ICMP:
        _icmp(packet, body)
    return packet


def _icmp(packet: Packet, body: bytes) -> None:
    packet.flags, packet.ack, _, rest = struct.unpack("!BBHI", body[:8])
    packet.payload = body[8:]
    if packet.flags in (ECHO, ECHO_REPLY):
        packet.sport = packet.dport = rest >> 16
        packet.seq = rest & 0xFFFF
    else:
        packet.seq, packet.payload = rest, b""
        packet.quoted = _decoded(body[8:], whole=False)


def _mss(options: bytes) -> int:
    at = 0
    while at < len(options) and options[at] != 0:
        if options[at] == 1:
            at += 1
        elif options[at] == 2:
            return int(struct.unpack("!H", options[at + 2 : at + 4])[0])
        else:
            at += max(2, options[at + 1])
    return 0


def _header(packet: Packet) -> int:
    """The transport header's length."""
    if packet.fragment is not None:
        return 0
    if packet.protocol == TCP:
        return 24 if packet.mss else 20
    return 8 if packet.protocol in (UDP, ICMP) else 0


def _summed(packet: Packet, body: bytes, at: int) -> bytes:
    pseudo = struct.pack("!IIHH", packet.src, packet.dst, packet.protocol, len(body))
    return body[:at] + struct.pack("!H", checksum(pseudo + body) or 0xFFFF) + body[at + 2 :]


@lru_cache(4096)
def _mac(mac: str) -> bytes:
    return bytes.fromhex((mac or NO_MAC).replace(":", ""))
