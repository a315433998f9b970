"""What the embedded stores promise beyond the contract: to forget, and work in proportion to the change."""

from __future__ import annotations

import gc

from refkube.store.kv import Delete, KeyValue, Put
from refkube.store.memory import MemoryStore


def test_compaction_frees_what_nobody_can_read_any_more():
    store = MemoryStore()
    for turn in range(50):
        store.txn((), [Put(f"/freed/{n}", {"turn": turn}) for n in range(20)])
    for page in range(10):  # pages of old revisions remember differences
        store.range("/freed/", "/freed0", revision=2 + page, limit=3)
    store.txn((), [Delete(f"/freed/{n}") for n in range(10)])
    ours = lambda: [kv for kv in gc.get_objects() if isinstance(kv, KeyValue) and kv.key.startswith("/freed/")]  # noqa: E731
    assert len(ours()) > 1000
    store.compact(store.revision)
    assert sorted(kv.key for kv in ours()) == sorted(f"/freed/{n}" for n in range(10, 20))


def test_readers_share_one_object_and_one_value():
    store = MemoryStore()
    value = {"big": "x" * 1000}
    seen = []
    store.watch("/", "0", 0, seen.extend)
    made = store.txn((), [Put("/a", value)]).kvs[0]
    assert made is store.get("/a") is store.range("/", "0").kvs[0] is seen[0].kv
    assert made.value is value


def test_a_write_asks_only_the_watches_of_its_directory():
    """With a watch for each of many resources, a write must not look at them all."""

    class Prefix(str):
        asked = 0

        def __le__(self, other):
            Prefix.asked += 1
            return str.__le__(self, other)

    store = MemoryStore()
    for n in range(500):
        store.watch(Prefix(f"/r{n:03}/"), f"/r{n:03}0", 0, lambda events: None)
    store.txn((), [Put("/r007/x/first", {})])
    Prefix.asked = 0
    for n in range(100):
        store.txn((), [Put(f"/r007/x/{n}", {})])
    assert 100 <= Prefix.asked <= 200
