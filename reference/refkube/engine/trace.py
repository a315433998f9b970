"""A recorder of who did what, when and why: from it the diagrams of the documentation are drawn.

Every loop carries one. Off by default; whoever may record asks `if trace.on:` first, so that nothing is paid for
what nobody reads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple


class Entry(NamedTuple):
    """`who` is a component ("kubelet/n1"), `what` an act ("requeue default/web"), `why` its reason in words."""

    when: float
    who: str
    what: str
    why: str
    detail: dict[str, Any]


class Trace:
    """`now` tells the time of an entry."""

    def __init__(self, now: Callable[[], float]):
        self.on = False
        self.hops = False  # packets' hops, too, which are many
        self._now = now
        self._entries: deque[Entry] = deque()
        self._listeners: list[Callable[[Entry], None]] = []

    def start(self, limit: int | None = None, hops: bool = True) -> None:
        """Begin to record, keeping the last `limit` entries, or all."""
        self._entries = deque(self._entries, maxlen=limit)
        self.on, self.hops = True, hops

    def stop(self) -> None:
        self.on = self.hops = False

    def clear(self) -> None:
        self._entries.clear()

    def listen(self, listener: Callable[[Entry], None]) -> None:
        """Have every further entry told, for instance to a log."""
        self._listeners.append(listener)

    def record(self, who: str, what: str, why: str = "", **detail: Any) -> None:
        entry = Entry(self._now(), who, what, why, detail)
        self._entries.append(entry)
        for listener in self._listeners:
            listener(entry)

    def entries(self, who: str = "") -> list[Entry]:
        """What was recorded, oldest first; `who` selects a component or, ending with "/", all of one kind."""
        if who.endswith("/"):
            return [entry for entry in self._entries if entry.who.startswith(who)]
        return [entry for entry in self._entries if not who or entry.who == who]
