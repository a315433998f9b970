"""The stores under test, opened alike. Used by test_store_*.py."""

from __future__ import annotations

import atexit
import itertools
import queue
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest
from refkube.engine.clock import VirtualClock
from refkube.engine.loop import Loop
from refkube.store.etcd import EtcdStore
from refkube.store.kv import Store, Value
from refkube.store.memory import MemoryStore
from refkube.store.sqlite import SqliteStore

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import etcd as etcd_tool

NEED_ETCD = pytest.mark.skipif(bool(etcd_tool.missing()), reason=etcd_tool.missing())
BACKENDS = ["memory", "sqlite", pytest.param("etcd", marks=NEED_ETCD)]
WATCH_DEADLINE = 10.0  # seconds for etcd to bring an event that has happened

_prefixes = itertools.count()


@cache
def shared_etcd() -> str:
    """The URL of one etcd for the whole run."""
    exits = ExitStack()
    atexit.register(exits.close)
    return exits.enter_context(etcd_tool.etcd_server()).url


class Opened:
    """A store and the loop it lives on."""

    def __init__(self, kind: str, directory: Path, stamp: Callable[[Value, int], Value] | None = None) -> None:
        self.kind = kind
        self.loop = Loop(VirtualClock())
        self.posted: queue.SimpleQueue[tuple] = queue.SimpleQueue()
        self._directory = directory
        self._prefix = f"/test-{next(_prefixes)}"
        self._stamp = {} if stamp is None else {"stamp": stamp}
        self.store = self._open()

    def reopen(self) -> Store:
        self.store.close()
        self.store = self._open()
        return self.store

    def settle(self) -> None:
        """Let every watch have what has happened."""
        if self.kind == "etcd" and self.store._tail is not None:
            now = self.store.revision
            while self.store.delivered < now:
                call, *args = self.posted.get(timeout=WATCH_DEADLINE)
                call(*args)

    def _open(self) -> Store:
        if self.kind == "memory":
            return MemoryStore(timers=self.loop, **self._stamp)
        if self.kind == "sqlite":
            # what FULL adds is an fsync, whose effect no test here could see
            return SqliteStore(self._directory, timers=self.loop, synchronous="NORMAL", **self._stamp)
        post = lambda *call: self.posted.put(call)  # noqa: E731
        return EtcdStore(shared_etcd(), post, prefix=self._prefix, **self._stamp)
