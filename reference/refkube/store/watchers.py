"""The watches of one store: who gets which event, in which order.

Used by every backend. Each revision's events are published once; a watch gets those in its range, one call per
revision. What is published while something is being delivered waits until every watch has the current revision, so
that all watches see one order, also when a delivery writes.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from refkube.store.kv import Deliver, Event, Failed, StoreError, Watch, prefix_end

_MOST_ROUTES = 20_000

Batch = Sequence[Event]  # of one revision


class RangeWatch(Watch):
    __slots__ = ("_watchers", "deliver", "end", "failed", "next", "start")

    def __init__(
        self, watchers: Watchers, start: str, end: str, first: int, deliver: Deliver, failed: Failed | None
    ) -> None:
        self._watchers = watchers
        self.start = start
        self.end = end
        self.next: float = first  # the first revision it has not been given; infinite when cancelled
        self.deliver = deliver
        self.failed = failed

    def cancel(self) -> None:
        self.next = math.inf
        self._watchers.remove(self)


class Watchers:
    """`delivered` is the last revision that all watches have been given."""

    def __init__(self, delivered: int) -> None:
        self.delivered = delivered
        self._watches: dict[RangeWatch, None] = {}  # in order of registration
        self._routes: dict[str, tuple[RangeWatch, ...]] = {}  # by a key's directory
        self._waiting: deque[tuple[int, Batch]] = deque()
        self._delivering = False

    def add(
        self, start: str, end: str, first: int, history: Iterable[Batch], deliver: Deliver, failed: Failed | None
    ) -> RangeWatch:
        """Deliver the history, then go on with what is published at revision `first` or later."""
        watch = RangeWatch(self, start, end, first, deliver, failed)
        self._watches[watch] = None
        self._routes.clear()
        nested, self._delivering = self._delivering, True
        try:
            for events in history:
                deliver(events)
        except BaseException:
            watch.cancel()
            raise
        finally:
            self._delivering = nested
            if not nested:
                self._drain()
        return watch

    def remove(self, watch: RangeWatch) -> None:
        if self._watches.pop(watch, watch) is None:
            self._routes.clear()

    def publish(self, revision: int, batch: Batch) -> None:
        """Give this revision's events to the watches, now or after what is being delivered.

        A delivery that raises does not keep the others from theirs; the first such error is raised at the end.
        """
        self._waiting.append((revision, batch))
        if not self._delivering:
            self._drain()

    def wants(self, key: str) -> bool:
        return any(watch.start <= key < watch.end for watch in self._route(key))

    def fail(self, error: StoreError) -> None:
        """End all watches with an error."""
        ended, self._watches = self._watches, {}
        self._routes.clear()
        for watch in ended:
            watch.next = math.inf
        for watch in ended:
            if watch.failed is not None:
                watch.failed(error)

    def close(self) -> None:
        for watch in list(self._watches):
            watch.cancel()
        self._waiting.clear()

    def _drain(self) -> None:
        error: Exception | None = None
        self._delivering = True
        try:
            while self._waiting:
                revision, batch = self._waiting.popleft()
                for watch, events in self._receivers(batch):
                    if watch.next <= revision:
                        watch.next = revision + 1
                        try:
                            watch.deliver(events)
                        except Exception as raised:
                            error = error or raised
                self.delivered = revision
        finally:
            self._delivering = False
        if error is not None:
            raise error

    def _receivers(self, batch: Batch) -> Iterator[tuple[RangeWatch, Batch]]:
        if len(batch) == 1:
            key = batch[0].kv.key
            for watch in self._route(key):
                if watch.start <= key < watch.end:
                    yield watch, batch
        else:
            for watch in tuple(self._watches):
                events = [event for event in batch if watch.start <= event.kv.key < watch.end]
                if events:
                    yield watch, events

    def _route(self, key: str) -> tuple[RangeWatch, ...]:
        """The watches that may want a key. Remembered by directory: one write must not look at every watch there is."""
        directory = key[: key.rfind("/") + 1]
        route = self._routes.get(directory)
        if route is None:
            route = tuple(self._watches)
            if directory:
                after = prefix_end(directory)
                route = tuple(watch for watch in route if watch.start < after and watch.end > directory)
            if len(self._routes) >= _MOST_ROUTES:
                self._routes.clear()
            self._routes[directory] = route
        return route
