"""A vxlan device: frames within datagrams between hosts, to where the fdb says (drivers/net/vxlan; RFC 7348)."""

from __future__ import annotations

from typing import Protocol

from refkube.hostnet import NetError
from refkube.network.fdb import Fdb
from refkube.network.link import Device, Frame, note
from refkube.network.packet import NO_MAC, UDP, Packet, Vxlan, decode_frame, number


class Kernel(Protocol):
    def output(self, packet: Packet) -> str: ...

    def source_for(self, address: int) -> int: ...


class VxlanDevice(Device):
    """`tunnels` is the stack's table of UDP ports that devices receive at; one port is shared by all of its VNIs."""

    kind = "vxlan"

    def opened(self, kernel: Kernel, tunnels: dict[int, object], details: dict[str, object]) -> None:
        self._details = {"id": 1, "local": "", "dev": "", "dstport": 8472, "learning": False, **details}
        self.vni, self.port = int(str(self._details["id"])), int(str(self._details["dstport"]))
        self.fdb = Fdb(self.owner.wire.now)
        self._kernel, self._tunnels = kernel, tunnels
        shared = tunnels.setdefault(self.port, Receiver())
        assert isinstance(shared, Receiver)
        if self.vni in shared.devices:
            raise NetError("RTNETLINK answers: File exists")
        shared.devices[self.vni] = self

    def details(self) -> dict[str, object]:
        return self._details

    def push(self, frame: Frame) -> None:
        remotes = self.fdb.find(frame.dst) or self.fdb.find(NO_MAC)
        if remotes is None:
            note(self.owner, self, frame.payload, "vxlan", "drop", f"no remote is known for {frame.dst}")
            return
        remote = number(remotes)
        source = number(str(self._details["local"])) if self._details["local"] else self._kernel.source_for(remote)
        inner = frame.payload
        spread = hash(inner.tuple) if isinstance(inner, Packet) else 0
        outer = Packet(UDP, source, 32768 + spread % 28232, remote, self.port, Vxlan(self.vni, frame))
        outer.df = False
        if isinstance(inner, Packet):
            outer.mark, outer.label = inner.mark, inner.label
            inner.scrub(foreign=False)
        why = self._kernel.output(outer)
        if why:
            note(self.owner, self, inner, "vxlan", "drop", f"{remotes} is {why}")

    def unwrapped(self, packet: Packet, frame: Frame) -> None:
        inner = frame.payload
        if isinstance(inner, Packet):
            inner.scrub()
        if self._details["learning"]:
            self.fdb.learn(frame.src, _text(packet.src))
        if frame.src == self.mac:
            note(self.owner, self, inner, "vxlan", "drop", "the frame is our own")
            return
        self.arrived(frame)

    def closed(self) -> None:
        shared = self._tunnels.get(self.port)
        if isinstance(shared, Receiver):
            del shared.devices[self.vni]
            if not shared.devices:
                del self._tunnels[self.port]


class Receiver:
    """Who receives at a UDP port."""

    def __init__(self) -> None:
        self.devices: dict[int, VxlanDevice] = {}

    def __call__(self, packet: Packet) -> None:
        wrapped = packet.payload
        if isinstance(wrapped, bytes):  # it comes from another process
            wrapped = _unwrapped(wrapped)
        if isinstance(wrapped, Vxlan) and wrapped.vni in self.devices:
            self.devices[wrapped.vni].unwrapped(packet, wrapped.frame)


def _unwrapped(data: bytes) -> Vxlan | bytes:
    try:
        return Vxlan(int.from_bytes(data[4:7], "big"), decode_frame(data[8:]))
    except ValueError:
        return data


def _text(address: int) -> str:
    return ".".join(map(str, address.to_bytes(4, "big")))
