"""The sqlite store's promises: what was acknowledged survives, one server at a time, errors in one line."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys

import pytest
from refkube.engine.clock import VirtualClock
from refkube.engine.loop import Loop
from refkube.store.kv import Compare, Delete, Put, StoreUnavailable
from refkube.store.sqlite import FILE, SqliteStore

ALL = ("/", "0")

# Writes until it is killed; a line "revision key number" says that the write was acknowledged, "revision c" that
# everything before the revision was compacted.
WRITER = """
import random, sys
from refkube.store.kv import Put, Delete
from refkube.store.sqlite import SqliteStore
store, chance = SqliteStore(sys.argv[1]), random.Random(sys.argv[2])
number = 0
while True:
    number += 1
    key = f"/a/{chance.randrange(20)}"
    txn = store.txn((), [Put(key, {"n": number}), Put("/b", {"n": number}), Delete(f"/a/{chance.randrange(20, 40)}")])
    print(txn.revision, key, number, flush=True)
    if chance.random() < 0.01:
        store.compact(txn.revision - 20)
        print(txn.revision - 20, "c", flush=True)
"""


def test_acknowledged_writes_survive_kill_9(tmp_path):
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    expected = 1
    for round in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(chance.random())], stdout=subprocess.PIPE, text=True
        )
        lines = [writer.stdout.readline() for _ in range(chance.randrange(50, 300))]
        writer.send_signal(signal.SIGKILL)
        lines += writer.stdout.read().splitlines(keepends=True)  # acknowledged in the meantime
        writer.wait()
        writer.stdout.close()
        told = [line.split() for line in lines if line.endswith("\n")]
        acknowledged = {int(revision): (key, int(*number)) for revision, key, *number in told if number}
        assert acknowledged, "the writer failed"
        last = max(acknowledged)
        assert list(acknowledged) == list(range(expected + 1, last + 1))

        store = SqliteStore(tmp_path)
        # one write, or compaction, may have become durable without having been acknowledged
        assert last <= store.revision <= last + 1, f"round {round}"
        assert store.compacted >= max((int(revision) for revision, kind, *n in told if kind == "c"), default=0)
        kept = max(store.compacted, expected)
        events = store.events(*ALL, kept + 1, store.revision)
        assert sorted({event.kv.mod_revision for event in events}) == list(range(kept + 1, store.revision + 1))
        history = {(event.kv.mod_revision, event.kv.key, event.kv.value["n"]) for event in events}
        now = {kv.key: kv.value["n"] for kv in store.range(*ALL).kvs}
        newest = {}
        for revision, (key, number) in acknowledged.items():
            newest[key] = newest["/b"] = (revision, number)
            if revision > kept:
                assert {(revision, key, number), (revision, "/b", number)} <= history
        for key, (revision, number) in newest.items():
            assert store.get(key).mod_revision in (revision, store.revision)
            assert now[key] == number or store.get(key).mod_revision > last
        expected = store.revision
        store.close()


def test_everything_is_there_after_a_restart(tmp_path):
    store = SqliteStore(tmp_path)
    lease = store.grant(60)
    store.txn((), [Put("/a", {"n": 1}, lease), Put("/b", {"n": 1})])
    store.txn((), [Put("/b", {"n": 2})])
    store.txn((), [Put("/c", {"n": 3})])
    store.txn((), [Delete("/c")])
    store.compact(3)
    wanted = (ranged(store), told(store, 4), store.time_to_live(lease).keys)
    store.close()

    store = SqliteStore(tmp_path)
    assert (store.revision, store.compacted, store.delivered) == (5, 3, 5)
    assert (ranged(store), told(store, 4), store.time_to_live(lease).keys) == wanted
    assert store.txn([Compare("/b", 3)], [Put("/b", {"n": 4})]).revision == 6
    assert store.grant(60) > lease
    store.revoke(lease)
    assert store.get("/a") is None
    store.close()


def test_revision_is_remembered_when_nothing_is_left(tmp_path):
    store = SqliteStore(tmp_path)
    store.txn((), [Put("/a", {})])
    store.txn((), [Delete("/a")])
    store.compact(3)
    store.close()
    store = SqliteStore(tmp_path)
    assert (store.revision, store.compacted) == (3, 3)
    store.close()
    with sqlite3.connect(tmp_path / FILE) as db:
        assert db.execute("SELECT count(*) FROM event").fetchone() == (0,)
    db.close()


def test_lease_has_its_full_time_again_after_a_restart(tmp_path):
    loop = Loop(VirtualClock())
    store = SqliteStore(tmp_path, timers=loop)
    store.txn((), [Put("/a", {}, store.grant(10))])
    loop.run_for(8)
    store.close()
    store = SqliteStore(tmp_path, timers=loop)
    loop.run_for(8)
    assert store.get("/a")
    loop.run_for(3)
    assert store.get("/a") is None
    store.close()
    store = SqliteStore(tmp_path, timers=loop)
    assert (store.get("/a"), store.revision) == (None, 3)
    store.close()


def test_revoked_lease_stays_revoked(tmp_path):
    store = SqliteStore(tmp_path)
    empty, used = store.grant(60), store.grant(60)
    store.txn((), [Put("/a", {}, used)])
    store.revoke(empty)
    store.revoke(used)
    store.close()
    store = SqliteStore(tmp_path)
    assert (store._leases, store.get("/a")) == ({}, None)
    store.close()


def test_second_server_gets_one_clear_line(tmp_path):
    store = SqliteStore(tmp_path)
    in_use = f"{tmp_path / FILE} is in use by another server"
    with pytest.raises(StoreUnavailable) as here:
        SqliteStore(tmp_path)
    assert str(here.value) == in_use
    elsewhere = subprocess.run(
        [sys.executable, "-c", f"from refkube.store.sqlite import SqliteStore; SqliteStore({str(tmp_path)!r})"],
        capture_output=True,
        text=True,
    )
    assert elsewhere.stderr.splitlines()[-1] == f"refkube.store.kv.StoreUnavailable: {in_use}"
    store.txn((), [Put("/a", {})])
    store.close()
    store = SqliteStore(tmp_path)
    assert store.get("/a")
    store.close()


def test_what_is_no_store_is_told(tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / FILE).write_bytes(b"not a database, whatever its name says" * 100)
    with pytest.raises(StoreUnavailable, match="not a database"):
        SqliteStore(broken)

    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="file"):
        SqliteStore(tmp_path / "file")

    SqliteStore(tmp_path / "newer").close()
    change(tmp_path / "newer", "PRAGMA user_version = 99")
    with pytest.raises(StoreUnavailable, match="format 99"):
        SqliteStore(tmp_path / "newer")

    store = SqliteStore(tmp_path / "gap")
    for n in range(5):
        store.txn((), [Put("/a", {"n": n})])
    store.close()
    change(tmp_path / "gap", "DELETE FROM event WHERE id / (1 << 20) = 4")
    with pytest.raises(StoreUnavailable, match="damaged: nothing is recorded for revision 4"):
        SqliteStore(tmp_path / "gap")


def test_a_write_that_cannot_be_kept_has_not_happened(tmp_path):
    store = SqliteStore(tmp_path)
    store.txn((), [Put("/a", {"n": 1})])
    seen = []
    store.watch(*ALL, 0, seen.extend)
    (pages,) = store._db.execute("PRAGMA page_count").fetchone()
    store._db.execute(f"PRAGMA max_page_count = {pages}")  # the disk is full
    for ops in ([Put("/a", {"big": "x" * 100_000})], [Put("/a", {}), Put("/b", {"big": "x" * 100_000})]):
        with pytest.raises(StoreUnavailable, match="full"):
            store.txn((), ops)
    assert (store.revision, store.get("/a").value, store.get("/b"), seen) == (2, {"n": 1}, None, [])
    store._db.execute(f"PRAGMA max_page_count = {pages + 1000}")
    assert store.txn((), ops).revision == 3
    assert len(seen) == 2
    store.close()
    store = SqliteStore(tmp_path)
    assert store.revision == 3
    store.close()


def test_durability_is_a_choice(tmp_path):
    for chosen, number in (("NORMAL", 1), ("FULL", 2)):
        store = SqliteStore(tmp_path / chosen, synchronous=chosen)
        assert store._db.execute("PRAGMA synchronous").fetchone() == (number,)
        assert store._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        store.close()


def ranged(store):
    return [
        (kv.key, kv.value, kv.create_revision, kv.mod_revision, kv.version, kv.lease) for kv in store.range(*ALL).kvs
    ]


def told(store, first):
    events = store.events(*ALL, first, store.revision)
    return [(event.type, event.kv.key, event.kv.value, event.kv.mod_revision, repr(event.prev)) for event in events]


def change(directory, statement):
    with sqlite3.connect(directory / FILE) as db:
        db.execute(statement)
    db.close()
