"""Where a MAC is: behind a port of a bridge, or behind a remote address of a vxlan device (net/bridge/br_fdb.c)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from refkube.hostnet import NetError

AGEING = 300.0  # seconds after which a bridge forgets what it learned


class Fdb:
    """`place` is a port's name or a remote address. What is learned ages, what is set stays."""

    def __init__(self, now: Callable[[], float]):
        self._now = now
        self._places: dict[str, tuple[str, float]] = {}  # MAC -> where, and when seen (inf: permanent)

    def find(self, mac: str) -> str | None:
        place, seen = self._places.get(mac, ("", 0.0))
        return place if place and self._now() - seen < AGEING else None

    def learn(self, mac: str, place: str) -> None:
        if self._places.get(mac, ("", 0.0))[1] != float("inf"):
            self._places[mac] = place, self._now()

    def set(self, mac: str, place: str) -> None:
        self._places[mac] = place, float("inf")

    def remove(self, mac: str, place: str) -> None:
        if self._places.get(mac, ("", 0.0))[0] != place:
            raise NetError("RTNETLINK answers: No such file or directory")
        del self._places[mac]

    def forget(self, place: str) -> None:
        self._places = {mac: at for mac, at in self._places.items() if at[0] != place}

    def __iter__(self) -> Iterator[tuple[str, str, str]]:
        """MAC, place, and "permanent" or ""."""
        for mac, (place, seen) in self._places.items():
            if self._now() - seen < AGEING:
                yield mac, place, "permanent" if seen == float("inf") else ""
