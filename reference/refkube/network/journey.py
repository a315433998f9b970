"""A packet's journey, read from the trace: every device, hook and verdict on its way, and on the way of its answer.

Used by `refkube trace`, by drivers that can follow a connection, and by tests. The trace has to be on before the
connection is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from refkube.engine.trace import Entry
from refkube.network.packet import Tuple, inverse


class Hop(NamedTuple):
    """`event` is "out" or "in" at a device, "bridge", a hook of netfilter, "IPVS", "routing", "neighbour" or "socket";
    `verdict` is "", "accept", "nat" or "drop". `outer` are the headers around it, outermost first."""

    when: float
    host: str
    namespace: str
    device: str
    event: str
    verdict: str
    reason: str
    packet: str
    source: str
    destination: str
    outer: tuple[str, ...]
    label: Tuple | None

    def __str__(self) -> str:
        where = f"{self.host}{'/' if self.namespace else ''}{self.namespace}"
        told = " ".join(word for word in (self.verdict, self.reason and f"({self.reason})") if word)
        around = "".join(f"{header} | " for header in self.outer)
        return f"{where:<16} {self.device:<12} {self.event:<12} {around}{self.packet} {told}".rstrip()


def hops(entries: Iterable[Entry]) -> Iterator[Hop]:
    for entry in entries:
        if entry.who.startswith("net/"):
            yield Hop(entry.when, entry.who[4:], event=entry.what, reason=entry.why, **entry.detail)


def follow(entries: Iterable[Entry], host: str, namespace: str, destination: str) -> tuple[list[Hop], list[Hop]]:
    """The first packet from a namespace to "10.96.0.1:80", until it arrives or is dropped; and the first answer."""
    all_hops = list(hops(entries))
    first = next(
        (
            at
            for at, hop in enumerate(all_hops)
            if (hop.host, hop.namespace, hop.destination) == (host, namespace, destination)
        ),
        len(all_hops),
    )
    if first == len(all_hops):
        return [], []
    label = all_hops[first].label
    there = _one_way(all_hops[first:], {label})
    if label is None or not there:
        return there, []
    answers: set[Tuple | None] = {inverse(label)}
    if there[-1].event == "socket" and there[-1].verdict == "accept":
        protocol, (source, sport), (target, port) = label[0], _end(there[-1].source), _end(there[-1].destination)
        answers.add((protocol, target, port, source, sport))
    begin = all_hops.index(there[-1]) + 1
    return there, _one_way(all_hops[begin:], answers)


def crossings(way: Iterable[Hop]) -> list[Hop]:
    """Where it was seen at a device, once for each."""
    seen: list[Hop] = []
    for hop in way:
        if hop.device and hop.event in ("in", "out", "bridge") and (not seen or seen[-1][1:4] != hop[1:4]):
            seen.append(hop)
    return seen


def _one_way(candidates: Iterable[Hop], labels: set[Tuple | None]) -> list[Hop]:
    way = []
    for hop in candidates:
        if hop.label in labels:
            way.append(hop)
            if (hop.event == "socket" and not hop.outer) or hop.verdict == "drop":
                break
    return way


def _end(text: str) -> tuple[int, int]:
    address, _, port = text.partition(":")
    return int.from_bytes(bytes(map(int, address.split("."))), "big"), int(port)
