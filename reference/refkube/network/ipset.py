"""Sets of addresses, ports and networks, as ipset's hash and bitmap types (net/netfilter/ipset)."""

from __future__ import annotations

from collections.abc import Iterable

from refkube.hostnet import NetError
from refkube.network.packet import NAMES, NUMBERS, Packet, network, number, text

TYPES = ("hash:ip", "hash:net", "hash:ip,port", "hash:ip,port,ip", "hash:ip,port,net", "bitmap:port")
Element = tuple[object, ...]


class IpSet:
    """`entries` are kept as ipset prints them, and as what a packet is looked up by."""

    def __init__(self, name: str, type: str, options: str = ""):
        if type not in TYPES:
            raise NetError(f"ipset v7.17: Syntax error: unknown settype {type}")
        self.name, self.type, self.options = name, type, options
        self._parts = type.partition(":")[2].split(",")
        self._kept: dict[Element, str] = {}
        self._lengths: dict[int, int] = {}  # of networks: how many entries have each prefix length
        self.references = 0

    def entries(self) -> set[str]:
        return set(self._kept.values())

    def change(self, add: Iterable[str], remove: Iterable[str]) -> None:
        """All or nothing."""
        added, removed = [self._parsed(entry) for entry in add], [self._parsed(entry) for entry in remove]
        for element, _ in removed:
            if element not in self._kept:
                raise NetError("ipset v7.17: Element cannot be deleted from the set: it's not added")
        for element, printed in added:
            if element not in self._kept:
                self._kept[element] = printed
                self._count(element, 1)
        for element, _ in removed:
            if self._kept.pop(element, None) is not None:
                self._count(element, -1)

    def matches(self, packet: Packet, directions: list[bool]) -> bool:
        """`directions` tell for each dimension whether it is the source's."""
        key: list[object] = []
        for part, source in zip(self._parts, directions, strict=False):
            address, port = (packet.src, packet.sport) if source else (packet.dst, packet.dport)
            if part == "port":
                key.append((packet.protocol, port) if len(self._parts) > 1 else port)
            elif part == "net":
                break
            else:
                key.append(address)
        if "net" not in self._parts:
            return tuple(key) in self._kept
        return any((*key, *_masked(address, size)) in self._kept for size in self._lengths)

    def _count(self, element: Element, by: int) -> None:
        if "net" in self._parts:
            size = element[-1]
            assert isinstance(size, int)
            self._lengths[size] = self._lengths.get(size, 0) + by
            if not self._lengths[size]:
                del self._lengths[size]

    def _parsed(self, entry: str) -> tuple[Element, str]:
        key: list[object] = []
        printed = []
        values = entry.split(",")
        if len(values) != len(self._parts):
            raise NetError(f"ipset v7.17: Syntax error: {entry} is no element of a {self.type}")
        for part, value in zip(self._parts, values, strict=True):
            if part == "ip":
                key.append(number(value))
                printed.append(value)
            elif part == "net":
                prefix, _, size = network(value)
                key += [prefix, size]
                printed.append(text(prefix) + (f"/{size}" if size < 32 else ""))
            elif len(self._parts) == 1:
                key.append(int(value))
                printed.append(value)
            else:
                protocol, _, port = value.rpartition(":")
                known = NUMBERS[protocol.lower() or "tcp"]
                key.append((known, int(port)))
                printed.append(f"{NAMES[known]}:{port}")
        return tuple(key), ",".join(printed)


def _masked(address: int, size: int) -> tuple[int, int]:
    return address & ((0xFFFFFFFF << (32 - size)) & 0xFFFFFFFF), size
