"""A bridge: learns where MACs are, forwards, floods; lets netfilter see what it bridges (net/bridge, br_netfilter)."""

from __future__ import annotations

from typing import Protocol

from refkube.network.fdb import Fdb
from refkube.network.link import Device, Frame, note
from refkube.network.packet import Packet


class BridgeNetfilter(Protocol):
    """The stack's hooks for bridged packets. Each tells whether the packet goes on."""

    def bridge_calls_iptables(self) -> bool: ...

    def bridge_prerouting(self, packet: Packet, bridge: Bridge) -> bool: ...

    def bridge_forward(self, packet: Packet, bridge: Bridge) -> bool: ...

    def bridge_destination(self, packet: Packet, bridge: Bridge) -> str:
        """The MAC of whom the packet was redirected to, the bridge's own if it is to be routed."""
        ...


class Bridge(Device):
    kind = "bridge"
    hooks: BridgeNetfilter

    def opened(self, hooks: BridgeNetfilter) -> None:
        self.hooks = hooks
        self.ports: list[Device] = []
        self.fdb = Fdb(self.owner.wire.now)

    def attach(self, port: Device) -> None:
        self.ports.append(port)
        port.master = self

    def detach(self, port: Device) -> None:
        self.ports.remove(port)
        port.master, port.hairpin = None, False
        self.fdb.forget(port.name)

    def push(self, frame: Frame) -> None:
        """From the host's own stack."""
        self._forward(None, frame)

    def port_in(self, port: Device, frame: Frame) -> None:
        if not self.up:
            note(self.owner, port, frame.payload, "bridge", "drop", f"{self.name} is down")
            return
        packet = frame.payload
        if isinstance(packet, Packet) and self.hooks.bridge_calls_iptables():
            before = packet.dst
            if not self.hooks.bridge_prerouting(packet, self):
                return
            packet.bridged = True
            if packet.dst != before:
                self.fdb.learn(frame.src, port.name)
                frame = Frame(self.hooks.bridge_destination(packet, self), self.mac, packet)
                self._forward(port, frame)
                return
        self.fdb.learn(frame.src, port.name)
        self._forward(port, frame)

    def _forward(self, entered: Device | None, frame: Frame) -> None:
        dst = frame.dst
        if int(dst[:2], 16) & 1:
            self._flood(entered, frame)
            if entered is not None:
                self.arrived(frame)
        elif dst == self.mac or any(port.mac == dst for port in self.ports):
            frame.dst = self.mac
            self.arrived(frame)
        else:
            place = self.fdb.find(dst)
            port = next((port for port in self.ports if port.name == place), None) if place else None
            if port is None:
                self._flood(entered, frame)
            elif port is entered and not port.hairpin:
                note(self.owner, port, frame.payload, "bridge", "drop", "it came from this port, which has no hairpin")
            else:
                self._leave(port, entered, frame)

    def _flood(self, entered: Device | None, frame: Frame) -> None:
        for port in self.ports:
            if port.up and (port is not entered or port.hairpin):
                self._leave(port, entered, frame.copy())

    def _leave(self, port: Device, entered: Device | None, frame: Frame) -> None:
        packet = frame.payload
        if entered is not None and isinstance(packet, Packet):
            note(self.owner, self, packet, "bridge")
            if self.hooks.bridge_calls_iptables() and not self.hooks.bridge_forward(packet, self):
                return
        port.transmit(frame)
