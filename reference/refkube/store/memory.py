"""The store in memory: the default of a cluster in one process. Nothing survives it."""

from __future__ import annotations

from itertools import count

from refkube.store.kv import Event, Stamp, Timers, as_given
from refkube.store.mvcc import MvccStore


class MemoryStore(MvccStore):
    def __init__(self, stamp: Stamp = as_given, timers: Timers | None = None) -> None:
        super().__init__(stamp, timers)
        self._lease_ids = count(1)

    def _keep(self, revision: int, batch: list[Event], ended_lease: int = 0) -> None:
        pass

    def _forget(self, revision: int, batches: list[list[Event]]) -> None:
        pass

    def _keep_lease(self, ttl_seconds: int) -> int:
        return next(self._lease_ids)
