"""The embedded durable store: one sqlite database in a data directory, the whole of it in memory while open.

Every revision is one sqlite transaction, committed before anybody sees it. Rows are events; those that compaction
left are loaded at the start, so revisions, the history for resuming watches, and leases (with their full time
again, as in etcd) survive a restart.

Durability: write-ahead log with synchronous=FULL, one fsync per transaction. NORMAL would survive kill -9 too, but
not a power cut: acknowledged has to mean on disk, as it does in etcd. Whoever can lose the last seconds may say
synchronous="NORMAL".

The database stays locked (locking_mode=EXCLUSIVE) until it is closed or its process dies, so a second server on
the same directory gets an error, and no stale lock file can keep a restarted one out.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Literal

import orjson

from refkube.store.kv import DELETE, PUT, Event, KeyValue, Stamp, StoreUnavailable, Timers, as_given
from refkube.store.mvcc import LeaseState, Mvcc, MvccStore

FILE = "store.sqlite"

_FORMAT = 1  # PRAGMA user_version
# A row's id is its revision and its place among that revision's rows: appended in order, found by revision
# without another index. A row without value is a deletion.
_PLACES = 1 << 20
_SCHEMA = """
CREATE TABLE event (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL,
    create_revision INTEGER NOT NULL, version INTEGER NOT NULL, lease INTEGER NOT NULL, value BLOB
);
CREATE TABLE compaction (revision INTEGER NOT NULL);
CREATE TABLE lease (id INTEGER PRIMARY KEY AUTOINCREMENT, ttl INTEGER NOT NULL);
INSERT INTO compaction VALUES (0);
"""
_INSERT = "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?)"

_Row = tuple[int, str, int, int, int, bytes | None]


class SqliteStore(MvccStore):
    def __init__(
        self,
        data_dir: str | Path,
        stamp: Stamp = as_given,
        timers: Timers | None = None,
        synchronous: Literal["FULL", "NORMAL"] = "FULL",
    ) -> None:
        """Open or create the store in a directory. Raises StoreUnavailable: in use, not a store, not writable."""
        self._path = Path(data_dir) / FILE
        self._db = self._open(synchronous)
        try:
            with self._told():
                super().__init__(stamp, timers, self._load(stamp))
                for lease, ttl in self._db.execute("SELECT id, ttl FROM lease").fetchall():
                    self._leases[lease] = LeaseState(ttl)
        except BaseException:
            self._db.close()
            raise
        for kv in self._data.live.values():
            if kv.lease:
                self._leases[kv.lease].keys.add(kv.key)
        for lease in self._leases:
            self.keep_alive(lease)

    def close(self) -> None:
        super().close()
        self._db.close()

    def _open(self, synchronous: str) -> sqlite3.Connection:
        with self._told():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # no timeout: whoever holds the lock holds it for long. Autocommit: transactions are opened by hand.
            db = sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            with self._told():
                db.execute("PRAGMA locking_mode = EXCLUSIVE")
                db.execute("PRAGMA journal_mode = WAL")
                db.execute(f"PRAGMA synchronous = {synchronous}")
                db.execute("BEGIN EXCLUSIVE")
                (version,) = db.execute("PRAGMA user_version").fetchone()
                if version == 0:
                    for statement in _SCHEMA.split(";"):
                        db.execute(statement)
                    db.execute(f"PRAGMA user_version = {_FORMAT}")
                elif version != _FORMAT:
                    raise StoreUnavailable(f"{self._path} has format {version}, this release knows {_FORMAT}")
                db.execute("COMMIT")
        except BaseException:
            db.close()
            raise
        return db

    def _load(self, stamp: Stamp) -> Mvcc:
        (compacted,) = self._db.execute("SELECT revision FROM compaction").fetchone()
        upto = (compacted + 1) * _PLACES
        rows = self._db.execute("SELECT * FROM event WHERE id < ? ORDER BY id", (upto,))
        data = Mvcc((_key_value(row, stamp) for row in rows), max(1, compacted), compacted)
        later: Iterator[_Row] = self._db.execute("SELECT * FROM event WHERE id >= ? ORDER BY id", (upto,))
        for revision, batch in groupby(later, lambda row: row[0] // _PLACES):
            if revision != data.revision + 1:
                raise StoreUnavailable(f"{self._path} is damaged: nothing is recorded for revision {data.revision + 1}")
            data.apply([_event(row, stamp, data.live.get(row[1])) for row in batch])
        return data

    def _keep(self, revision: int, batch: list[Event], ended_lease: int = 0) -> None:
        first = revision * _PLACES
        rows = [_row(first + place, event) for place, event in enumerate(batch)]
        with self._told():
            if len(rows) == 1 and not ended_lease:
                self._db.execute(_INSERT, rows[0])
            else:
                with self._together():
                    self._db.executemany(_INSERT, rows)
                    self._db.execute("DELETE FROM lease WHERE id = ?", (ended_lease,))

    def _forget(self, revision: int, batches: list[list[Event]]) -> None:
        dead: list[tuple[int, int, str]] = []
        for event in (event for batch in batches for event in batch):
            for kv in (event.prev, event.kv if event.type is DELETE else None):
                if kv is not None:
                    dead.append((kv.mod_revision * _PLACES, (kv.mod_revision + 1) * _PLACES, kv.key))
        with self._told(), self._together():
            self._db.executemany("DELETE FROM event WHERE id >= ? AND id < ? AND key = ?", dead)
            self._db.execute("UPDATE compaction SET revision = ?", (revision,))

    def _keep_lease(self, ttl_seconds: int) -> int:
        with self._told():
            lease = self._db.execute("INSERT INTO lease (ttl) VALUES (?)", (ttl_seconds,)).lastrowid
        assert lease is not None
        return lease

    @contextmanager
    def _together(self) -> Iterator[None]:
        self._db.execute("BEGIN")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def _told(self) -> Iterator[None]:
        """sqlite's errors in one line that names the file."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise StoreUnavailable(f"{self._path} is in use by another server") from error
            raise StoreUnavailable(f"{self._path}: {error}") from error
        except (sqlite3.DatabaseError, sqlite3.ProgrammingError, OSError) as error:
            raise StoreUnavailable(f"{self._path}: {error}") from error


def _row(id: int, event: Event) -> _Row:
    kv = event.kv
    value = orjson.dumps(kv.value) if event.type is PUT else None
    return (id, kv.key, kv.create_revision, kv.version, kv.lease, value)


def _key_value(row: _Row, stamp: Stamp) -> KeyValue:
    id, key, create_revision, version, lease, value = row
    revision = id // _PLACES
    decoded = None if value is None else stamp(orjson.loads(value), revision)
    return KeyValue(key, decoded, create_revision, revision, version, lease)


def _event(row: _Row, stamp: Stamp, prev: KeyValue | None) -> Event:
    return Event(DELETE if row[-1] is None else PUT, _key_value(row, stamp), prev)
