"""A routing table: the longest prefix wins, among equal ones the lowest metric (net/ipv4/fib_trie.c)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from refkube.hostnet import NetError, Route
from refkube.network.link import Device
from refkube.network.packet import network, number, text

EXISTS = "RTNETLINK answers: File exists"
NO_ROUTE = "RTNETLINK answers: No such process"


@dataclass(frozen=True)
class Entry:
    prefix: int
    length: int
    device: Device | None
    gateway: int = 0
    source: int = 0
    metric: int = 0
    onlink: bool = False
    kind: str = "unicast"
    scope: str = "global"
    protocol: str = "boot"

    @property
    def destination(self) -> str:
        return "default" if not self.length else text(self.prefix) + (f"/{self.length}" if self.length < 32 else "")


class Table:
    """`find` costs one look-up per prefix length in use, however many routes there are."""

    def __init__(self, name: str):
        self.name = name
        self._by_length: dict[int, dict[int, list[Entry]]] = {}
        self._lengths: list[tuple[int, int, dict[int, list[Entry]]]] = []

    def find(self, address: int) -> Entry | None:
        for mask, _, routes in self._lengths:
            if found := routes.get(address & mask):
                return found[0]
        return None

    def __iter__(self) -> Iterator[Entry]:
        """As `ip route` lists them."""
        for key in sorted((prefix, length) for length, at in self._by_length.items() for prefix in at):
            yield from self._by_length[key[1]][key[0]]

    def add(self, entry: Entry, replace: bool = True) -> None:
        """Replaces the one of the same destination and metric."""
        at = self._by_length.setdefault(entry.length, {}).setdefault(entry.prefix, [])
        same = [known for known in at if known.metric == entry.metric]
        if same and not replace:
            raise NetError(EXISTS)
        at[:] = sorted([*(known for known in at if known not in same), entry], key=lambda known: known.metric)
        self._index()

    def remove(self, entry: Entry) -> None:
        at = self._by_length.get(entry.length, {})
        if entry not in at.get(entry.prefix, ()):
            raise NetError(NO_ROUTE)
        at[entry.prefix].remove(entry)
        if not at[entry.prefix]:
            del at[entry.prefix]
        if not at:
            del self._by_length[entry.length]
        self._index()

    def matching(self, route: Route) -> Entry:
        """The one that `ip route del` means."""
        prefix, _, length = network(route.destination)
        for entry in self._by_length.get(length, {}).get(prefix, ()):
            if (
                (not route.device or (entry.device is not None and entry.device.name == route.device))
                and (not route.gateway or entry.gateway == number(route.gateway))
                and (not route.metric or entry.metric == route.metric)
            ):
                return entry
        raise NetError(NO_ROUTE)

    def forget(self, device: Device) -> None:
        for entry in [entry for entry in self if entry.device is device]:
            self.remove(entry)

    def _index(self) -> None:
        if len(self._lengths) != len(self._by_length):
            lengths = sorted(self._by_length, reverse=True)
            self._lengths = [(network(f"0.0.0.0/{size}")[1], size, self._by_length[size]) for size in lengths]
