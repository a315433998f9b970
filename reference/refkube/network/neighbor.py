"""Neighbours: which MAC an address has, asked for by ARP (net/core/neighbour.c, net/ipv4/arp.c).

An entry is trusted for 30 seconds; when it is older and used, it is used on and asked about anew, and
given up if nobody answers. Three questions, one a second, then whatever waits is told that there is nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from refkube.engine.loop import Timer
from refkube.network.link import Device
from refkube.network.packet import BROADCAST, NO_MAC, Arp, Frame, Packet

REACHABLE = 30.0
PROBES = 3
WAITING = 101  # packets that may wait for one answer


@dataclass
class Entry:
    mac: str = ""
    state: str = "incomplete"
    confirmed: float = 0.0
    asked: int = 0
    timer: Timer | None = None
    waiting: list[Packet] = field(default_factory=list)


class Neighbors:
    """Of one stack. `source_for` chooses the address that asks; `unreachable` is told of packets given up."""

    def __init__(
        self,
        source_for: Callable[[Device, int], int],
        unreachable: Callable[[Device, Packet], object],
    ):
        self._source_for, self._unreachable = source_for, unreachable
        self.entries: dict[tuple[Device, int], Entry] = {}

    def send(self, device: Device, address: int, packet: Packet) -> None:
        """To the neighbour that has this address, once it is known."""
        entry = self.entries.get((device, address))
        if entry is None:
            entry = self.entries[device, address] = Entry()
        if entry.mac and entry.state != "failed":
            if entry.state != "permanent" and entry.timer is None and self._age(device, entry) > REACHABLE:
                entry.state, entry.asked = "probe", 0
                self._ask(device, address, entry)
            device.transmit(Frame(entry.mac, device.mac, packet))
            return
        if len(entry.waiting) < WAITING:
            entry.waiting.append(packet)
        if entry.timer is None:
            entry.state, entry.asked = "incomplete", 0
            self._ask(device, address, entry)

    def heard(self, device: Device, address: int, mac: str, create: bool) -> None:
        """Somebody said by ARP who has an address."""
        entry = self.entries.get((device, address))
        if entry is None and create:
            entry = self.entries[device, address] = Entry()
        if entry is None or entry.state == "permanent":
            return
        entry.mac, entry.state, entry.confirmed = mac, "reachable", device.owner.wire.now()
        self._calm(entry)
        waiting, entry.waiting = entry.waiting, []
        for packet in waiting:
            device.transmit(Frame(mac, device.mac, packet))

    def set(self, device: Device, address: int, mac: str, state: str) -> None:
        self.heard(device, address, mac, create=True)
        self.entries[device, address].state = state

    def remove(self, device: Device, address: int) -> bool:
        entry = self.entries.pop((device, address), None)
        if entry is not None:
            self._calm(entry)
        return entry is not None

    def forget(self, device: Device, permanent: bool = True) -> None:
        """A device that goes forgets all, one that is only down all but what was set."""
        for key in [key for key, entry in self.entries.items() if key[0] is device]:
            if permanent or self.entries[key].state != "permanent":
                self.remove(*key)

    def state(self, device: Device, entry: Entry) -> str:
        stale = entry.state == "reachable" and self._age(device, entry) > REACHABLE
        return "stale" if stale else entry.state

    def __iter__(self) -> Iterator[tuple[Device, int, Entry]]:
        for (device, address), entry in self.entries.items():
            yield device, address, entry

    def _age(self, device: Device, entry: Entry) -> float:
        return device.owner.wire.now() - entry.confirmed

    def _ask(self, device: Device, address: int, entry: Entry) -> None:
        entry.timer = None
        if self.entries.get((device, address)) is not entry:
            return
        if entry.asked == PROBES:
            entry.state, entry.mac = "failed", ""
            waiting, entry.waiting = entry.waiting, []
            for packet in waiting:
                self._unreachable(device, packet)
            return
        entry.asked += 1
        entry.timer = device.owner.wire.loop.call_later(1.0, self._ask, device, address, entry)
        question = Arp(False, device.mac, self._source_for(device, address), NO_MAC, address)
        device.transmit(Frame(entry.mac or BROADCAST, device.mac, question))

    def _calm(self, entry: Entry) -> None:
        if entry.timer is not None:
            entry.timer.cancel()
            entry.timer = None
