"""A queue of keys to reconcile: each at most once in it, never two reconciles of one key at a time.

client-go/util/workqueue on the loop. An item is `dirty` from `add` until it is taken, `processing` from `get` until
`done`; one that gets dirty while it is processed is queued again when it is done.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from refkube.engine.loop import Loop, Timer

Item = TypeVar("Item", bound=Hashable)


class RateLimiter(Generic[Item]):
    """How long to wait before an item is tried again: exponential in its own failures, and never more than `qps` a
    second of all items together after a burst (workqueue.DefaultTypedControllerRateLimiter)."""

    def __init__(self, loop: Loop, base: float = 0.005, cap: float = 1000.0, qps: float = 10.0, burst: int = 100):
        self._now = loop.now
        self._base = base
        self._cap = cap
        self._qps = qps
        self._burst = burst
        self._tokens = float(burst)
        self._since = loop.now()
        self._failures: dict[Item, int] = {}

    def when(self, item: Item) -> float:
        """Seconds to wait; counts as a failure of the item."""
        failures = self._failures.get(item, 0)
        self._failures[item] = failures + 1
        own = self._cap if failures > 60 else min(self._cap, self._base * 2.0**failures)
        return max(own, self._reserve())

    def forget(self, item: Item) -> None:
        self._failures.pop(item, None)

    def num_requeues(self, item: Item) -> int:
        return self._failures.get(item, 0)

    def _reserve(self) -> float:
        now = self._now()
        self._tokens = min(float(self._burst), self._tokens + (now - self._since) * self._qps) - 1.0
        self._since = now
        return max(0.0, -self._tokens / self._qps)


class WorkQueue(Generic[Item]):
    """`ready` is called once for every item that can be taken with `get`."""

    def __init__(self, loop: Loop, ready: Callable[[], object], limiter: RateLimiter[Item] | None = None):
        self.limiter: RateLimiter[Item] = limiter or RateLimiter(loop)
        self._loop = loop
        self._ready = ready
        self._queue: deque[Item] = deque()
        self._dirty: set[Item] = set()
        self._processing: set[Item] = set()
        self._waiting: dict[Item, Timer] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, item: Item) -> None:
        if item in self._dirty or self._closed:
            return
        self._dirty.add(item)
        if item not in self._processing:
            self._queue.append(item)
            self._ready()

    def get(self) -> Item:
        """The next item, now being processed; the caller owes a `done`. IndexError if there is none."""
        item = self._queue.popleft()
        self._processing.add(item)
        self._dirty.discard(item)
        return item

    def done(self, item: Item) -> None:
        self._processing.discard(item)
        if item in self._dirty and not self._closed:
            self._queue.append(item)
            self._ready()

    def add_after(self, item: Item, seconds: float) -> None:
        """Add it then, unless it is to be added earlier anyway."""
        if self._closed:
            return
        if seconds <= 0:
            self.add(item)
            return
        when = self._loop.now() + seconds
        waiting = self._waiting.get(item)
        if waiting is not None:
            if waiting.when <= when:
                return
            waiting.cancel()
        self._waiting[item] = self._loop.call_at(when, self._add_waiting, item)

    def add_rate_limited(self, item: Item) -> float:
        """Try it again later; the seconds until then."""
        seconds = self.limiter.when(item)
        self.add_after(item, seconds)
        return seconds

    def forget(self, item: Item) -> None:
        self.limiter.forget(item)

    def num_requeues(self, item: Item) -> int:
        return self.limiter.num_requeues(item)

    def close(self) -> None:
        """Nothing is added any more and what waits is dropped."""
        self._closed = True
        self._queue.clear()
        self._dirty.clear()
        for timer in self._waiting.values():
            timer.cancel()
        self._waiting.clear()

    def _add_waiting(self, item: Item) -> None:
        del self._waiting[item]
        self.add(item)
