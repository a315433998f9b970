"""Pods that wait for a node: by priority and age those to try; set aside those that fitted nowhere, until something
happens that may change that. Source: pkg/scheduler/backend/queue.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection

from refkube.apimachinery.meta import Object
from refkube.engine.loop import Loop, Timer

# May it fit now, after this event on that node, or of that Pod?
Hint = Callable[[str, str, Object | None], bool]

INITIAL_BACKOFF, MAX_BACKOFF = 1.0, 10.0
FLUSH_PERIOD, MAX_UNSCHEDULABLE = 30.0, 300.0


class Entry:
    __slots__ = ("attempts", "hint", "key", "priority", "since", "ticket", "timer", "tried", "wakes")

    def __init__(self, key: str, priority: int, since: float):
        self.key = key
        self.priority = priority
        self.since = since
        self.attempts = 0
        self.tried = 0.0
        self.ticket = 0  # its place among those to try, 0 if it is set aside
        self.wakes: frozenset[str] = frozenset()
        self.hint: Hint = _always
        self.timer: Timer | None = None

    @property
    def rested(self) -> float:
        """When its back-off ends."""
        delay = INITIAL_BACKOFF * 2.0 ** min(self.attempts - 1, 10) if self.attempts else 0.0
        return self.tried + min(MAX_BACKOFF, delay)


class SchedulingQueue:
    """`ready` is called whenever there is something to try. A Pod that is still backing off after it fitted nowhere is
    tried when nobody else is left, as upstream does since 1.33; one that met an error waits its time out."""

    def __init__(self, loop: Loop, ready: Callable[[], object]):
        self._loop = loop
        self._ready = ready
        self._entries: dict[str, Entry] = {}
        self._heap: list[tuple[int, float, float, int, str]] = []
        self._aside: dict[frozenset[str], dict[str, Entry]] = {}
        self._tickets = 0
        self._flush: Timer | None = None

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def add(self, key: str, priority: int) -> None:
        """A new Pod, or one that has changed itself."""
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = Entry(key, priority, self._loop.now())
        entry.priority = priority
        self._activate(entry)

    def remove(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._stand_down(entry)

    def pop(self) -> str | None:
        """Who is to be tried next. It is owed `remove`, `set_aside` or `retry`."""
        while self._heap:
            _, _, _, ticket, key = heapq.heappop(self._heap)
            entry = self._entries.get(key)
            if entry is not None and entry.ticket == ticket:
                entry.ticket = 0
                entry.attempts += 1
                entry.tried = self._loop.now()
                return key
        return None

    def set_aside(self, key: str, wakes: Collection[str], hint: Hint | None = None) -> None:
        """It fits nowhere until one of these events, where `hint` does not say that it is of no use."""
        entry = self._entries[key]
        entry.wakes, entry.hint = frozenset(wakes), hint or _always
        self._aside.setdefault(entry.wakes, {})[key] = entry
        if self._flush is None:
            self._flush = self._loop.call_later(FLUSH_PERIOD, self._flush_old)

    def retry(self, key: str) -> None:
        """It met an error: again after its back-off."""
        entry = self._entries[key]
        entry.timer = self._loop.call_at(entry.rested, self._activate, entry)

    def wake(self, event: str, node: str = "", pod: Object | None = None) -> None:
        for wakes in [wakes for wakes in self._aside if event in wakes]:
            for entry in list(self._aside[wakes].values()):
                if not (node or pod) or entry.hint(event, node, pod):
                    self._activate(entry)

    def _activate(self, entry: Entry) -> None:
        self._stand_down(entry)
        self._tickets += 1
        entry.ticket = self._tickets
        resting = entry.rested > self._loop.now()
        rank = (1, entry.rested) if resting else (0, -float(entry.priority))
        heapq.heappush(self._heap, (*rank, entry.since, entry.ticket, entry.key))
        self._ready()

    def _stand_down(self, entry: Entry) -> None:
        """It is nowhere: what is left of it in the heap no longer counts."""
        entry.ticket = 0
        if entry.timer is not None:
            entry.timer.cancel()
            entry.timer = None
        aside = self._aside.get(entry.wakes)
        if aside is not None:
            aside.pop(entry.key, None)
            if not aside:
                del self._aside[entry.wakes]

    def _flush_old(self) -> None:
        """Nobody waits for an event for ever."""
        self._flush = self._loop.call_later(FLUSH_PERIOD, self._flush_old) if self._aside else None
        old = self._loop.now() - MAX_UNSCHEDULABLE
        for entry in [entry for aside in self._aside.values() for entry in aside.values() if entry.tried < old]:
            self._activate(entry)

    def close(self) -> None:
        for entry in self._entries.values():
            self._stand_down(entry)
        self._entries.clear()
        if self._flush is not None:
            self._flush.cancel()


def _always(event: str, node: str, pod: Object | None) -> bool:
    return True
