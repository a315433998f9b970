"""The store's interface: an ordered key-value map with the revisions, transactions, watches and leases of etcd v3.

`registry` programs against `Store`; `memory`, `sqlite` and `etcd` implement it, and one test set holds them to it.

Keys are strings, `/registry/[group/]resource/[namespace/]name`; values are JSON-shaped dicts, frozen by
convention. Revisions are integers, 1 in a store that has never been written, and grow by one with every
transaction that changes something (etcd's documentation, "data model" and "API guarantees").

Reads and transactions are linearizable in every backend. Watches differ in one way: memory and sqlite deliver
inside `txn()`, before it returns; over etcd a watch arrives through the loop a little later, so after a
transaction a reader of a watch may still see the past. `Store.delivered` tells how far watches have come.

Left out: nested transactions, comparisons other than of the modification revision, ranges in descending order.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

Value = dict[str, Any]

# stamp(value, revision) -> value: what a reader gets for what was written at this revision. Pure; never changes its
# argument; stamping what is stamped already gives the same.
Stamp = Callable[[Value, int], Value]

PUT: Literal["PUT"] = "PUT"
DELETE: Literal["DELETE"] = "DELETE"


class KeyValue:
    """One key at one revision, shared by all readers: they may assign `memo` (what they derive, say encoded JSON)."""

    __slots__ = ("create_revision", "key", "lease", "memo", "mod_revision", "value", "version")

    def __init__(
        self, key: str, value: Value | None, create_revision: int, mod_revision: int, version: int, lease: int = 0
    ) -> None:
        self.key = key
        self.value: Any = value  # a Value, stamped; None only in the `kv` of a DELETE event
        self.create_revision = create_revision
        self.mod_revision = mod_revision
        self.version = version  # 1 when created, one more with each put
        self.lease = lease  # 0: none
        self.memo: Any = None

    def __repr__(self) -> str:
        return f"KeyValue({self.key!r}, created {self.create_revision}, modified {self.mod_revision}, v{self.version})"


class Event:
    """One key's change. For a DELETE `kv` has the key and, as mod_revision, the revision of the deletion; no value."""

    __slots__ = ("kv", "prev", "type")

    def __init__(self, type: Literal["PUT", "DELETE"], kv: KeyValue, prev: KeyValue | None) -> None:
        self.type = type
        self.kv = kv
        self.prev = prev  # what was there before, None where nothing was

    def __repr__(self) -> str:
        return f"Event({self.type}, {self.kv!r})"


class Compare(NamedTuple):
    """True if the key was last modified at this revision; 0: if the key does not exist."""

    key: str
    mod_revision: int


class Put(NamedTuple):
    key: str
    value: Value
    lease: int = 0


class Delete(NamedTuple):
    key: str


class Txn(NamedTuple):
    """Outcome of a transaction.

    `kvs` has one entry per operation: for a Put what is now there, for a Delete what was there (None if nothing
    was). When a comparison failed `kvs` is empty and `current` has, per comparison, what is there.
    """

    succeeded: bool
    revision: int
    kvs: list[KeyValue | None]
    current: list[KeyValue | None]


@dataclass(slots=True)
class Range:
    """Keys in ascending order. `revision` is the one that was read; `count` counts what the limit cut off, too."""

    kvs: list[KeyValue]
    revision: int
    more: bool
    count: int


class LeaseInfo(NamedTuple):
    lease: int
    granted: int  # seconds
    remaining: int  # seconds, rounded up
    keys: tuple[str, ...]  # ascending


class StoreError(Exception):
    """Base of all that a store raises on purpose; one line."""


class Compacted(StoreError):
    """The revision asked for is no longer kept; everything from `compact_revision` on is."""

    def __init__(self, compact_revision: int) -> None:
        super().__init__(f"required revision has been compacted (compacted up to {compact_revision})")
        self.compact_revision = compact_revision


class FutureRevision(StoreError):
    """The revision asked for does not exist yet."""

    def __init__(self, revision: int, current: int) -> None:
        super().__init__(f"required revision {revision} is a future revision (current is {current})")
        self.revision = revision
        self.current = current


class LeaseNotFound(StoreError):
    def __init__(self, lease: int) -> None:
        super().__init__(f"lease {lease} not found")
        self.lease = lease


class RequestTooLarge(StoreError):
    """etcd refuses a request above its limit (--max-request-bytes, 1.5 MiB by default); the others have none."""


class StoreUnavailable(StoreError):
    """The engine behind the store cannot be used now. A transaction that raised this may have been applied or not."""


class Timer(Protocol):
    def cancel(self) -> None: ...


class Timers(Protocol):
    """What lease expiry needs of a loop (`engine.loop.Loop` fits): the time, and a call after a delay, in seconds."""

    def now(self) -> float: ...

    def call_later(self, delay: float, fn: Callable[..., object], /) -> Timer: ...


class Watch(ABC):
    __slots__ = ()

    @abstractmethod
    def cancel(self) -> None:
        """Nothing is delivered after this returns. May be called from within a delivery, and twice."""


Deliver = Callable[[Sequence[Event]], object]
Failed = Callable[[StoreError], object]
Op = Put | Delete


class Store(ABC):
    """One store. All calls come from the loop's thread."""

    @property
    @abstractmethod
    def revision(self) -> int:
        """The current revision. Over etcd a round trip: prefer the revision that a range or a transaction returned."""

    @property
    @abstractmethod
    def compacted(self) -> int:
        """The revision of the last compaction, 0 if there was none. Over etcd up to two round trips."""

    @property
    @abstractmethod
    def delivered(self) -> int:
        """Every running watch has been given its events up to this revision (so a bookmark may name it)."""

    @abstractmethod
    def get(self, key: str, revision: int = 0) -> KeyValue | None:
        """The key now, or at an earlier revision. Raises Compacted, FutureRevision."""

    @abstractmethod
    def range(self, start: str, end: str, *, revision: int = 0, limit: int = 0) -> Range:
        """Keys with start <= key < end, now or at an earlier revision, at most `limit` of them (0: all).

        Raises Compacted if revision < compacted (the compacted revision itself can be read), FutureRevision.
        """

    @abstractmethod
    def count(self, start: str, end: str) -> int:
        """How many keys there are now with start <= key < end."""

    @abstractmethod
    def txn(self, compares: Sequence[Compare], success: Sequence[Op]) -> Txn:
        """If all comparisons hold, do the operations, all at one revision; else change nothing.

        Deleting what is not there changes nothing; a transaction that changes nothing leaves the revision. A key
        may appear in one operation only (ValueError). At most 60 operations (etcd's --max-txn-ops is 128).
        Raises LeaseNotFound, and then nothing has changed.
        """

    @abstractmethod
    def watch(self, start: str, end: str, start_revision: int, deliver: Deliver, failed: Failed | None = None) -> Watch:
        """Give the changes of the keys start <= key < end to `deliver`, from start_revision on (0: from now).

        One call per revision, revisions in order, each once; a call has all of a revision's events in the range,
        as a sequence that must not be changed. What already happened is delivered before this returns. What a
        delivery itself writes is delivered after the current event has reached every watch, in registration order.
        Raises Compacted if start_revision <= compacted: exactly when start_revision - 1 can no longer be read.
        `failed` is called at most once, when the watch ends by itself; only over etcd: Compacted, after a
        disconnection that outlasted a compaction. Nothing is delivered after it.
        """

    @abstractmethod
    def events(self, start: str, end: str, first_revision: int, last_revision: int) -> list[Event]:
        """What happened in the range, both revisions included. Raises Compacted as `watch` does, FutureRevision."""

    @abstractmethod
    def compact(self, revision: int) -> None:
        """Forget everything before this revision. Raises Compacted if that is done already, FutureRevision."""

    @abstractmethod
    def grant(self, ttl_seconds: int) -> int:
        """A new lease: its keys are deleted when it is not kept alive. etcd may grant a longer one (at least 2 s)."""

    @abstractmethod
    def keep_alive(self, lease: int) -> None:
        """Start the lease's time anew. Raises LeaseNotFound."""

    @abstractmethod
    def revoke(self, lease: int) -> None:
        """End the lease, deleting its keys at one revision. Raises LeaseNotFound."""

    @abstractmethod
    def time_to_live(self, lease: int) -> LeaseInfo:
        """Raises LeaseNotFound."""

    @abstractmethod
    def close(self) -> None:
        """Cancel all watches, free what is held; the store cannot be used after it. May be called twice."""


def prefix_end(prefix: str) -> str:
    """The end of the range of all keys with this prefix: the first string behind them. ValueError if there is none.

    Example: prefix_end("/registry/pods/") == "/registry/pods0".
    """
    for index in range(len(prefix) - 1, -1, -1):
        point = ord(prefix[index]) + 1
        if point <= 0x10FFFF:
            # surrogates have no UTF-8 form, and so no place in any backend's order
            return prefix[:index] + chr(0xE000 if 0xD800 <= point <= 0xDFFF else point)
    raise ValueError(f"no key follows all those with the prefix {prefix!r}")


def as_given(value: Value, revision: int) -> Value:
    """The default stamp: none."""
    return value


def check_distinct(success: Sequence[Op]) -> None:
    """A transaction touches a key once, as in etcd ("duplicate key given in txn request"). Raises ValueError."""
    if len(success) > 1 and len({op.key for op in success}) < len(success):
        raise ValueError("duplicate key given in txn request")
