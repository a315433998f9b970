"""A tun device: a process has the packets that are routed there, as bytes, and gives others (drivers/net/tun.c)."""

from __future__ import annotations

from collections.abc import Callable

from refkube.network.link import Device, Frame, essence
from refkube.network.packet import NO_MAC, Packet, decode, encode


class TunDevice(Device):
    kind = "tun"
    arp = False
    raw = True
    received: Callable[[bytes], object] | None = None

    def push(self, frame: Frame) -> None:
        packet = frame.payload
        if self.received is None or not isinstance(packet, Packet):
            return
        data = encode(packet)
        if packet.label is not None:
            self.owner.wire.labels[essence(data)] = packet.label
        self.received(data)

    def write(self, data: bytes) -> None:
        """From the process; what is no packet is refused (ValueError)."""
        packet = decode(data)
        packet.label = self.owner.wire.labels.get(essence(data))
        self.owner.wire.send(self, Frame(NO_MAC, NO_MAC, packet))


class Process:
    """The process's end; the device goes with it, unless it was there before."""

    def __init__(self, device: TunDevice, remove: Callable[[], object]):
        self.name = device.name
        self._device, self._remove = device, remove
        self._open = True

    def write(self, packet: bytes) -> None:
        if self._open:
            self._device.write(packet)

    def close(self) -> None:
        if self._open:
            self._open = False
            self._device.received = None
            self._remove()
