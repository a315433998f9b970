"""Devices: what hands frames over the wire to another device, and frames that arrive to a bridge or to the stack.

A frame on a wire is delivered later in the same instant, in order, so that a long way does not nest calls. Everything
that leaves or reaches a device is captured and traced here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any, Protocol

from refkube.engine.loop import Loop
from refkube.network.packet import (
    NO_MAC,
    UDP,
    Frame,
    Packet,
    Tuple,
    Vxlan,
    decode,
    decode_frame,
    encode,
    encode_frame,
    text,
)

_TURN = 256  # frames delivered before others have their turn


class Wire:
    """What all devices of a fabric share: the loop, what is under way, names for what is traced. `vendor` tells its
    devices from those of other fabrics."""

    def __init__(self, loop: Loop, vendor: int = 0x42):
        self.loop = loop
        self.now = loop.now
        self.trace = loop.trace
        self.labels: dict[bytes, Tuple] = {}  # of packets that a process has as bytes, when traced
        self._under_way: deque[tuple[Device, Frame]] = deque()
        self._scheduled = False
        self._macs = count(1)
        self._vendor = f"02:{vendor:02x}:"

    def send(self, to: Device, frame: Frame) -> None:
        self._under_way.append((to, frame))
        if not self._scheduled:
            self._scheduled = True
            self.loop.call_soon(self._deliver)

    def new_mac(self) -> str:
        """Locally administered, and never twice."""
        return self._vendor + next(self._macs).to_bytes(4, "big").hex(":")

    def _deliver(self) -> None:
        self._scheduled = False
        for _ in range(_TURN):
            if not self._under_way:
                return
            device, frame = self._under_way.popleft()
            device.arrived(frame)
        self._scheduled = True
        self.loop.call_soon(self._deliver)


class Owner(Protocol):
    """The stack that a device belongs to."""

    host: str
    name: str
    wire: Wire

    def frame_in(self, device: Device, frame: Frame) -> None: ...


class Master(Protocol):
    """A bridge that a device is a port of."""

    name: str

    def port_in(self, port: Device, frame: Frame) -> None: ...


class Device:
    """One network device. Kinds differ in what `push` does with a frame that leaves."""

    kind = ""
    arp = True  # whether neighbours are asked for
    raw = False  # whether it carries packets without frames

    def __init__(self, owner: Owner, name: str, index: int, mac: str = "", mtu: int = 1500):
        self.owner, self.name, self.index, self.mac, self.mtu = owner, name, index, mac, mtu
        self.up = self.hairpin = False
        self.master: Master | None = None
        self.captures: list[Callable[[float, bytes], object]] = []

    def details(self) -> dict[str, object]:
        return {}

    def transmit(self, frame: Frame) -> None:
        if not self.up:
            note(self.owner, self, frame.payload, "out", "drop", "the device is down")
            return
        self._seen(frame, "out")
        self.push(frame)

    def push(self, frame: Frame) -> None:
        """A dummy's: nowhere."""
        note(self.owner, self, frame.payload, "out", "drop", "a dummy device leads nowhere")

    def arrived(self, frame: Frame) -> None:
        if not self.up:
            note(self.owner, self, frame.payload, "in", "drop", "the device is down")
            return
        self._seen(frame, "in")
        if self.master is not None:
            self.master.port_in(self, frame)
        else:
            self.owner.frame_in(self, frame)

    def closed(self) -> None:
        """It is deleted."""

    def _seen(self, frame: Frame, way: str) -> None:
        if self.owner.wire.trace.hops:
            note(self.owner, self, frame.payload, way)
        if self.captures:
            data = encode(frame.payload) if self.raw and isinstance(frame.payload, Packet) else encode_frame(frame)
            for seen in list(self.captures):
                seen(self.owner.wire.now(), data)


class Dummy(Device):
    kind = "dummy"


class Loopback(Device):
    kind = "loopback"
    arp = False

    def push(self, frame: Frame) -> None:
        frame.src = frame.dst = NO_MAC
        self.owner.wire.send(self, frame)


class Veth(Device):
    kind = "veth"
    peer: Veth

    def push(self, frame: Frame) -> None:
        if self.peer.owner is not self.owner and isinstance(frame.payload, Packet):
            frame.payload.scrub()
        self.owner.wire.send(self.peer, frame)


class Nic(Device):
    """A host's network card, at a LAN."""

    lan: Lan

    def push(self, frame: Frame) -> None:
        if isinstance(frame.payload, Packet):
            frame.payload.scrub()
        self.lan.carry(self, frame)


class Lan:
    """One Ethernet segment. `spoils` may drop a frame (True), to try what a bad network does. It may go on in other
    processes, for one of its cards."""

    def __init__(self, wire: Wire):
        self.wire = wire
        self.spoils: Callable[[Frame], bool] | None = None
        self._nics: dict[str, Nic] = {}
        self._uplink: tuple[Nic, Callable[[bytes], object]] | None = None

    def go_on(self, nic: Nic, send: Callable[[bytes], object]) -> None:
        """What this card sends to others than are here goes elsewhere, too; for what comes from there is `arrived`."""
        self._uplink = nic, send

    def arrived(self, data: bytes) -> None:
        if self._uplink is not None:
            with suppress(ValueError):
                frame, nic = decode_frame(data), self._uplink[0]
                if frame.dst == nic.mac or int(frame.dst[:2], 16) & 1:
                    self.wire.send(nic, frame)

    def attach(self, nic: Nic) -> None:
        nic.lan = self
        self._nics[nic.mac] = nic

    def detach(self, nic: Nic) -> None:
        self._nics.pop(nic.mac, None)

    def carry(self, sender: Nic, frame: Frame) -> None:
        elsewhere = self._uplink[1] if self._uplink is not None and self._uplink[0] is sender else None
        if self._nics.get(sender.mac) is not sender:
            note(sender.owner, sender, frame.payload, "wire", "drop", "the cable is out")
        elif self.spoils is not None and self.spoils(frame):
            note(sender.owner, sender, frame.payload, "wire", "drop", "lost on the LAN")
        elif (receiver := self._nics.get(frame.dst)) is not None:
            self.wire.send(receiver, frame)
        elif int(frame.dst[:2], 16) & 1:
            for nic in self._nics.values():
                if nic is not sender:
                    self.wire.send(nic, frame.copy())
            if elsewhere is not None:
                elsewhere(encode_frame(frame))
        elif elsewhere is not None:
            elsewhere(encode_frame(frame))
        else:
            note(sender.owner, sender, frame.payload, "wire", "drop", f"nobody on the LAN is {frame.dst}")


def note(owner: Owner, device: Device | None, payload: Any, event: str, verdict: str = "", reason: str = "") -> None:
    """One hop of a packet's journey, told where somebody listens."""
    trace = owner.wire.trace
    if not trace.hops or not isinstance(payload, Packet):
        return
    inner: Packet = payload
    outer: tuple[str, ...] = ()
    if isinstance(payload.payload, Vxlan) and isinstance(payload.payload.frame.payload, Packet):
        inner, outer = payload.payload.frame.payload, (_around(payload), f"vxlan {payload.payload.vni}")
    label = inner.label
    if payload is inner and payload.protocol == UDP and type(payload.payload) is bytes:
        carried = owner.wire.labels.get(essence(payload.payload))
        if carried is not None:
            label, outer = carried, (_around(payload),)
            inner = decode(bytes(payload.payload))
    trace.record(
        f"net/{owner.host}",
        event,
        reason,
        namespace=owner.name,
        device=device.name if device is not None else "",
        verdict=verdict,
        label=label,
        packet=str(inner),
        source=f"{text(inner.src)}:{inner.sport}",
        destination=f"{text(inner.dst)}:{inner.dport}",
        outer=outer,
    )


def _around(packet: Packet) -> str:
    return f"udp {text(packet.src)} > {text(packet.dst)}:{packet.dport}"


def essence(data: bytes) -> bytes:
    """What stays of a packet's bytes when it is forwarded: not its TTL and its checksum."""
    return data[:8] + data[9:10] + data[12:60]
