"""The multi-version core of the embedded stores: what is there now, and what happened since the last compaction.

`memory` is this and nothing more; `sqlite` makes each step durable first, through the hooks at the end of
`MvccStore`. What is there now lies in a dict and a sorted list of its keys; the past is a log with one batch of
events per revision. An old revision is read by undoing the log's events after it, so keeping history costs nothing
but the log, and compaction is cutting the log's head off.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import islice
from math import ceil

from sortedcontainers import SortedList

from refkube.store.kv import (
    DELETE,
    PUT,
    Compacted,
    Compare,
    Deliver,
    Event,
    Failed,
    FutureRevision,
    KeyValue,
    LeaseInfo,
    LeaseNotFound,
    Op,
    Put,
    Range,
    Stamp,
    Store,
    Timer,
    Timers,
    Txn,
    Watch,
    as_given,
    check_distinct,
)
from refkube.store.watchers import Watchers

_MOST_PASTS = 4  # readers page through few old revisions at a time
_INCLUSIVE = (True, False)


class Mvcc:
    """The data: live keys, and the log of the revisions compacted + 1 ... revision."""

    def __init__(self, live: Iterable[KeyValue] = (), revision: int = 1, compacted: int = 0) -> None:
        self.live: dict[str, KeyValue] = {kv.key: kv for kv in live}
        self.revision = revision
        self.compacted = compacted
        self._keys = SortedList(self.live)
        self._log: list[list[Event]] = []
        self._base = revision  # the log's first batch is that of revision _base + 1
        self._pasts: dict[int, _Past] = {}  # least recently used first

    def apply(self, batch: list[Event]) -> None:
        """Make these events the next revision."""
        for event in batch:
            kv = event.kv
            if event.type is PUT:
                self.live[kv.key] = kv
                if event.prev is None:
                    self._keys.add(kv.key)
            else:
                del self.live[kv.key]
                self._keys.remove(kv.key)
        self._log.append(batch)
        self.revision += 1

    def get(self, key: str, revision: int) -> KeyValue | None:
        kv = self.live.get(key)
        if not revision:
            return kv
        past = self._past(revision)
        return past.changed.get(key, kv)

    def range(self, start: str, end: str, revision: int, limit: int) -> Range:
        past = self._past(revision) if revision else None
        now = self._keys.irange(start, end, _INCLUSIVE)
        if past is None or not past.touches(start, end):
            keys = list(islice(now, limit + 1) if limit else now)
            kvs = list(map(self.live.__getitem__, keys))
        else:
            then = past.between(start, end, now, self.live)
            kvs = list(islice(then, limit + 1) if limit else then)
        count, more = len(kvs), 0 < limit < len(kvs)
        if more:
            kvs.pop()
            count = self.count(start, end) + (past.difference(start, end, self.live) if past else 0)
        return Range(kvs, revision or self.revision, more, count)

    def count(self, start: str, end: str) -> int:
        return max(0, self._keys.bisect_left(end) - self._keys.bisect_left(start))

    def history(self, start: str, end: str, first: int, last: int) -> Iterator[list[Event]]:
        """The non-empty batches of a range. Raises Compacted, at the first step."""
        first = max(first, 2)  # nothing happens at revision 1
        if first <= self.compacted:
            raise Compacted(self.compacted)
        for batch in self._log[first - self._base - 1 : last - self._base]:
            events = [event for event in batch if start <= event.kv.key < end]
            if events:
                yield events

    def compact(self, revision: int) -> None:
        del self._log[: max(0, revision - self._base)]
        self._base = max(self._base, revision)
        self.compacted = revision
        self._pasts = {then: past for then, past in self._pasts.items() if then >= revision}

    def upto(self, revision: int) -> list[list[Event]]:
        """The log's batches up to a revision."""
        return self._log[: max(0, revision - self._base)]

    def check(self, revision: int) -> None:
        if revision > self.revision:
            raise FutureRevision(revision, self.revision)

    def _past(self, revision: int) -> _Past:
        self.check(revision)
        if revision < self.compacted:
            raise Compacted(self.compacted)
        past = self._pasts.pop(revision, None) or _Past(revision)
        past.learn(self._log[max(0, past.known - self._base) :], self.revision)
        self._pasts[revision] = past
        if len(self._pasts) > _MOST_PASTS:
            del self._pasts[next(iter(self._pasts))]
        return past


class _Past:
    """How an old revision differs from now: for every key changed since, what was there then (None: nothing).

    Kept while a reader pages through the revision, and brought up to date with what happened between its pages.
    """

    def __init__(self, revision: int) -> None:
        self.known = revision
        self.changed: dict[str, KeyValue | None] = {}
        self._keys = SortedList()

    def learn(self, batches: list[list[Event]], now: int) -> None:
        changed = self.changed
        fresh = []
        for batch in batches:
            for event in batch:
                key = event.kv.key
                if key not in changed:
                    changed[key] = event.prev
                    fresh.append(key)
        self._keys.update(fresh)
        self.known = now

    def touches(self, start: str, end: str) -> bool:
        return next(self._keys.irange(start, end, _INCLUSIVE), None) is not None

    def between(self, start: str, end: str, now: Iterator[str], live: dict[str, KeyValue]) -> Iterator[KeyValue]:
        """The range as it was, in order, from the keys that are there now."""
        changed = self.changed
        last = None
        for key in merge(now, self._keys.irange(start, end, _INCLUSIVE)):
            if key != last:
                last = key
                kv = changed[key] if key in changed else live[key]
                if kv is not None:
                    yield kv

    def difference(self, start: str, end: str, live: dict[str, KeyValue]) -> int:
        """How many keys more than now there were in the range."""
        keys = self._keys.irange(start, end, _INCLUSIVE)
        return sum((self.changed[key] is not None) - (key in live) for key in keys)


class LeaseState:
    __slots__ = ("granted", "keys", "renewed", "timer")

    def __init__(self, granted: int) -> None:
        self.granted = granted
        self.renewed = 0.0
        self.keys: set[str] = set()
        self.timer: Timer | None = None


class MvccStore(Store):
    """A store over `Mvcc`: transactions, watches, leases. Without timers leases do not expire."""

    def __init__(self, stamp: Stamp = as_given, timers: Timers | None = None, data: Mvcc | None = None) -> None:
        self._stamp = stamp
        self._timers = timers
        self._data = data or Mvcc()
        self._watchers = Watchers(self._data.revision)
        self._leases: dict[int, LeaseState] = {}

    @property
    def revision(self) -> int:
        return self._data.revision

    @property
    def compacted(self) -> int:
        return self._data.compacted

    @property
    def delivered(self) -> int:
        return self._watchers.delivered

    def get(self, key: str, revision: int = 0) -> KeyValue | None:
        return self._data.get(key, revision)

    def range(self, start: str, end: str, *, revision: int = 0, limit: int = 0) -> Range:
        return self._data.range(start, end, revision, limit)

    def count(self, start: str, end: str) -> int:
        return self._data.count(start, end)

    def txn(self, compares: Sequence[Compare], success: Sequence[Op]) -> Txn:
        live = self._data.live
        for compare in compares:
            there = live.get(compare.key)
            if (0 if there is None else there.mod_revision) != compare.mod_revision:
                return Txn(False, self._data.revision, [], [live.get(compare.key) for compare in compares])
        check_distinct(success)
        revision = self._data.revision + 1
        batch: list[Event] = []
        kvs: list[KeyValue | None] = []
        for op in success:
            prev = live.get(op.key)
            if isinstance(op, Put):
                kv = self._put(op, prev, revision)
                batch.append(Event(PUT, kv, prev))
                kvs.append(kv)
            else:
                kvs.append(prev)
                if prev is not None:
                    batch.append(_deletion(prev, revision))
        if not batch:
            return Txn(True, revision - 1, kvs, [])
        self._keep(revision, batch)
        self._data.apply(batch)
        if self._leases:
            self._attach(batch)
        self._watchers.publish(revision, batch)
        return Txn(True, revision, kvs, [])

    def watch(self, start: str, end: str, start_revision: int, deliver: Deliver, failed: Failed | None = None) -> Watch:
        now = self._data.revision
        if not start_revision or start_revision > now:
            return self._watchers.add(start, end, start_revision or now + 1, (), deliver, failed)
        history = list(self._data.history(start, end, start_revision, now))
        return self._watchers.add(start, end, now + 1, history, deliver, failed)

    def events(self, start: str, end: str, first_revision: int, last_revision: int) -> list[Event]:
        self._data.check(last_revision)
        batches = self._data.history(start, end, first_revision, last_revision)
        return [event for batch in batches for event in batch]

    def compact(self, revision: int) -> None:
        self._data.check(revision)
        if revision <= self._data.compacted:
            raise Compacted(self._data.compacted)
        self._forget(revision, self._data.upto(revision))
        self._data.compact(revision)

    def grant(self, ttl_seconds: int) -> int:
        if ttl_seconds <= 0:
            raise ValueError("a lease needs a positive time to live")
        lease = self._keep_lease(ttl_seconds)
        self._leases[lease] = LeaseState(ttl_seconds)
        self.keep_alive(lease)
        return lease

    def keep_alive(self, lease: int) -> None:
        state = self._lease(lease)
        if self._timers is not None:
            if state.timer is not None:
                state.timer.cancel()
            state.renewed = self._timers.now()
            state.timer = self._timers.call_later(state.granted, lambda: self.revoke(lease))

    def revoke(self, lease: int) -> None:
        state = self._lease(lease)
        revision = self._data.revision + 1
        batch = [_deletion(self._data.live[key], revision) for key in sorted(state.keys)]
        self._keep(revision, batch, lease)
        del self._leases[lease]
        if state.timer is not None:
            state.timer.cancel()
        if batch:
            self._data.apply(batch)
            self._watchers.publish(revision, batch)

    def time_to_live(self, lease: int) -> LeaseInfo:
        state = self._lease(lease)
        passed = self._timers.now() - state.renewed if self._timers is not None else 0
        return LeaseInfo(lease, state.granted, ceil(state.granted - passed), tuple(sorted(state.keys)))

    def close(self) -> None:
        self._watchers.close()
        for state in self._leases.values():
            if state.timer is not None:
                state.timer.cancel()
                state.timer = None

    def _put(self, op: Put, prev: KeyValue | None, revision: int) -> KeyValue:
        if op.lease and op.lease not in self._leases:
            raise LeaseNotFound(op.lease)
        value = self._stamp(op.value, revision)
        if prev is None:
            return KeyValue(op.key, value, revision, revision, 1, op.lease)
        return KeyValue(op.key, value, prev.create_revision, revision, prev.version + 1, op.lease)

    def _lease(self, lease: int) -> LeaseState:
        state = self._leases.get(lease)
        if state is None:
            raise LeaseNotFound(lease)
        return state

    def _attach(self, batch: Iterable[Event]) -> None:
        """A key belongs to the lease it was last put with."""
        for event in batch:
            prev, kv = event.prev, event.kv
            if prev is not None and prev.lease in self._leases:
                self._leases[prev.lease].keys.discard(kv.key)
            if kv.lease:
                self._leases[kv.lease].keys.add(kv.key)

    @abstractmethod
    def _keep(self, revision: int, batch: list[Event], ended_lease: int = 0) -> None:
        """Make a revision durable before anybody sees it, with the end of a lease if one ended. All, or raises."""

    @abstractmethod
    def _forget(self, revision: int, batches: list[list[Event]]) -> None:
        """Make a compaction durable; the batches are those it drops."""

    @abstractmethod
    def _keep_lease(self, ttl_seconds: int) -> int:
        """Make a new lease durable; its id, never given before."""


def _deletion(prev: KeyValue, revision: int) -> Event:
    return Event(DELETE, KeyValue(prev.key, None, 0, revision, 0), prev)
