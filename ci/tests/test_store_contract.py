"""What every store must do, whatever keeps its data: the contract of refkube.store.kv."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from refkube.store import etcd
from refkube.store.kv import (
    Compacted,
    Compare,
    Delete,
    Event,
    FutureRevision,
    KeyValue,
    LeaseNotFound,
    Put,
    Store,
    prefix_end,
)
from store_backends import BACKENDS, Opened

ALL = ("/", "0")


def stamp(value, revision):
    return {**value, "rv": str(revision)}


@pytest.fixture(params=BACKENDS)
def opened(request, tmp_path):
    opened = Opened(request.param, tmp_path, stamp)
    yield opened
    opened.store.close()


@pytest.fixture
def store(opened) -> Store:
    return opened.store


class Log:
    """Records what a watch delivers, one entry per call."""

    def __init__(self) -> None:
        self.calls: list[list[tuple]] = []

    def __call__(self, events) -> None:
        self.calls.append([brief(event) for event in events])

    @property
    def flat(self) -> list[tuple]:
        return [event for call in self.calls for event in call]


def brief(event: Event) -> tuple:
    return (event.type, event.kv.key, event.kv.mod_revision)


def put(store: Store, key: str, **value) -> int:
    return store.txn((), (Put(key, value),)).revision


def delete(store: Store, *keys: str) -> int:
    return store.txn((), [Delete(key) for key in keys]).revision


def keys(kvs) -> list[str]:
    return [kv.key for kv in kvs]


def parts(kv: KeyValue | None) -> tuple | None:
    return kv and (kv.key, kv.value, kv.create_revision, kv.mod_revision, kv.version, kv.lease)


# --- transactions


def test_new_store_is_at_revision_one(opened, store):
    assert store.get("/a") is None
    assert store.range(*ALL).kvs == []
    if opened.kind != "etcd":  # which the tests share
        assert (store.revision, store.compacted, store.delivered) == (1, 0, 1)


def test_create_succeeds_once(store):
    before = store.revision
    made = store.txn([Compare("/a", 0)], [Put("/a", {"n": 1})])
    assert (made.succeeded, made.revision, store.revision) == (True, before + 1, before + 1)
    assert parts(made.kvs[0]) == ("/a", {"n": 1, "rv": str(before + 1)}, before + 1, before + 1, 1, 0)
    again = store.txn([Compare("/a", 0)], [Put("/a", {"n": 2})])
    assert (again.succeeded, again.revision, again.kvs) == (False, before + 1, [])
    assert parts(again.current[0]) == parts(store.get("/a")) == parts(made.kvs[0])


def test_update_needs_the_revision_that_was_read(store):
    first = put(store, "/a", n=1)
    second = store.txn([Compare("/a", first)], [Put("/a", {"n": 2})])
    assert parts(second.kvs[0]) == ("/a", {"n": 2, "rv": str(first + 1)}, first, first + 1, 2, 0)
    assert not store.txn([Compare("/a", first)], [Put("/a", {"n": 3})]).succeeded
    assert not store.txn([Compare("/a", first)], [Delete("/a")]).succeeded
    assert store.get("/a").value["n"] == 2


def test_transaction_is_all_or_nothing_at_one_revision(store):
    first = put(store, "/a")
    put(store, "/b")
    failed = store.txn([Compare("/a", first), Compare("/b", first)], [Put("/a", {"n": 2}), Delete("/b"), Put("/c", {})])
    assert not failed.succeeded
    assert [kv.mod_revision for kv in failed.current] == [first, first + 1]
    assert store.revision == first + 1
    done = store.txn([Compare("/a", first), Compare("/c", 0)], [Put("/a", {"n": 2}), Delete("/b"), Put("/c", {})])
    assert [(kv.key, kv.mod_revision, kv.version) for kv in done.kvs] == [
        ("/a", first + 2, 2),
        ("/b", first + 1, 1),
        ("/c", first + 2, 1),
    ]
    assert keys(store.range(*ALL).kvs) == ["/a", "/c"]
    assert {event.kv.mod_revision for event in store.events(*ALL, first + 2, first + 2)} == {first + 2}


def test_failed_comparison_tells_what_is_missing(store):
    put(store, "/a")
    txn = store.txn([Compare("/b", 7), Compare("/a", 0)], [Put("/c", {})])
    assert txn.current[0] is None
    assert txn.current[1].key == "/a"


def test_deleting_nothing_leaves_the_revision(store):
    before = put(store, "/a")
    gone = store.txn((), [Delete("/b"), Delete("/c")])
    assert (gone.succeeded, gone.revision, gone.kvs) == (True, before, [None, None])
    assert store.txn([Compare("/a", before)], []).revision == before
    mixed = store.txn((), [Delete("/b"), Put("/a", {})])
    assert (mixed.revision, mixed.kvs[0]) == (before + 1, None)
    assert store.revision == before + 1


def test_recreated_key_starts_anew(store):
    put(store, "/a")
    last = put(store, "/a")
    deleted = store.txn([Compare("/a", last)], [Delete("/a")])
    assert (deleted.kvs[0].mod_revision, deleted.kvs[0].version) == (last, 2)
    assert store.get("/a") is None
    made = store.txn([Compare("/a", 0)], [Put("/a", {})]).kvs[0]
    assert (made.create_revision, made.mod_revision, made.version) == (last + 2, last + 2, 1)


def test_transaction_names_a_key_once(store):
    before = store.revision
    for second in (Put("/a", {}), Delete("/a")):
        with pytest.raises(ValueError, match="duplicate key"):
            store.txn((), [Put("/a", {}), second])
    assert store.revision == before


def test_values_come_back_stamped_and_otherwise_as_given(opened, store):
    given = {"text": "ä€𝄞\u0000", "numbers": [0, -1, 1.5, 2**53], "nothing": None, "yes": True, "deep": {"er": {}}}
    revision = store.txn((), [Put("/a", given)]).revision
    assert "rv" not in given
    assert store.get("/a").value == {**given, "rv": str(revision)}
    put(store, "/a")
    assert store.get("/a", revision).value == {**given, "rv": str(revision)}
    assert [event.prev and event.prev.value["rv"] for event in store.events(*ALL, revision, revision + 1)] == [
        None,
        str(revision),
    ]


# --- ranges


def test_range_is_ordered_and_half_open(store):
    for key in ("/b/2", "/b/10", "/c", "/a", "/b/ä", "/b/𝄞", "/b/\uffff", "/b"):
        put(store, key)
    found = store.range("/b/", prefix_end("/b/"))
    assert keys(found.kvs) == ["/b/10", "/b/2", "/b/ä", "/b/\uffff", "/b/𝄞"]
    assert (found.count, found.more, found.revision) == (5, False, store.revision)
    assert keys(store.range("/b", "/c").kvs) == ["/b", *keys(found.kvs)]
    assert keys(store.range("/c", "/c\0").kvs) == ["/c"]
    assert store.range("/d", "/e").kvs == []
    assert store.range("/c", "/b").kvs == []
    assert store.count("/c", "/b") == 0
    assert store.count("/b/", prefix_end("/b/")) == 5


def test_limit_cuts_and_tells_how_many_there_are(store):
    for n in range(5):
        put(store, f"/a/{n}")
    for limit, more in ((1, True), (4, True), (5, False), (6, False)):
        found = store.range("/a/", "/a0", limit=limit)
        assert keys(found.kvs) == [f"/a/{n}" for n in range(min(limit, 5))]
        assert (found.more, found.count) == (more, 5)


def test_range_longer_than_what_etcd_is_asked_for_at_once(store, monkeypatch):
    monkeypatch.setattr(etcd, "_PAGE", 3)
    for n in range(8):
        put(store, f"/a/{n}")
    assert keys(store.range("/a/", "/a0").kvs) == [f"/a/{n}" for n in range(8)]
    for limit in range(1, 10):
        found = store.range("/a/", "/a0", limit=limit)
        assert keys(found.kvs) == [f"/a/{n}" for n in range(min(limit, 8))]
        assert (found.more, found.count) == (limit < 8, 8)


def test_old_revision_reads_as_it_was(store):
    put(store, "/a/1", n=1)
    put(store, "/a/2", n=1)
    then = put(store, "/a/3", n=1)
    put(store, "/a/1", n=2)  # changed
    delete(store, "/a/2")  # gone
    delete(store, "/a/3")  # gone
    put(store, "/a/3", n=3)  # and back
    put(store, "/a/0", n=4)  # new
    assert [(kv.key, kv.value["n"]) for kv in store.range("/a/", "/a0", revision=then).kvs] == [
        ("/a/1", 1),
        ("/a/2", 1),
        ("/a/3", 1),
    ]
    assert store.range("/a/", "/a0", revision=then).revision == then
    assert [(kv.key, kv.value["n"]) for kv in store.range("/a/", "/a0").kvs] == [("/a/0", 4), ("/a/1", 2), ("/a/3", 3)]
    assert keys(store.range("/a/", "/a0", revision=then + 3).kvs) == ["/a/1"]
    assert store.get("/a/0", then) is None
    assert store.get("/a/2", then).value["n"] == 1
    assert store.get("/a/3", then + 3) is None


def test_pages_of_one_revision_are_consistent_while_others_write(store):
    for n in range(10):
        put(store, f"/a/{n}")
    first = store.range("/a/", "/a0", limit=3)
    seen, start, revision, remaining = keys(first.kvs), first.kvs[-1].key + "\0", first.revision, [first.count]
    for turn in range(3):
        delete(store, f"/a/{9 - turn}", f"/a/{turn}")
        put(store, f"/a/9-{turn}")
        put(store, f"/a/9-{turn}-")
        page = store.range(start, "/a0", revision=revision, limit=3)
        seen += keys(page.kvs)
        remaining.append(page.count)
        start = page.kvs[-1].key + "\0"
    assert seen == [f"/a/{n}" for n in range(10)]
    assert remaining == [10, 7, 4, 1]


def test_revisions_outside_what_is_kept(store):
    first = put(store, "/a", n=1)
    second = put(store, "/a", n=2)
    for call in (
        lambda: store.range(*ALL, revision=second + 1),
        lambda: store.get("/a", second + 1),
        lambda: store.events(*ALL, second, second + 1),
        lambda: store.compact(second + 1),
    ):
        with pytest.raises(FutureRevision) as future:
            call()
        assert (future.value.revision, future.value.current) == (second + 1, second)
    assert store.compacted < first
    store.compact(second)
    assert store.compacted == second
    for call in (
        lambda: store.range(*ALL, revision=first),
        lambda: store.get("/a", first),
        lambda: store.events(*ALL, second, second),
        lambda: store.events(*ALL, first, second),
        lambda: store.watch(*ALL, second, print),
        lambda: store.compact(first),
        lambda: store.compact(second),
    ):
        with pytest.raises(Compacted) as compacted:
            call()
        assert compacted.value.compact_revision == second
    assert store.get("/a", second).value["n"] == 2
    assert store.events(*ALL, second + 1, second) == []


def test_compaction_keeps_what_is_there(store):
    kept = put(store, "/kept")
    put(store, "/gone")
    delete(store, "/gone")
    put(store, "/changed", n=1)
    last = put(store, "/changed", n=2)
    store.compact(last)
    assert [(kv.key, kv.mod_revision, kv.version) for kv in store.range(*ALL).kvs] == [
        ("/changed", last, 2),
        ("/kept", kept, 1),
    ]
    assert keys(store.range(*ALL, revision=last).kvs) == ["/changed", "/kept"]
    delete(store, "/kept")
    assert keys(store.range(*ALL, revision=last).kvs) == ["/changed", "/kept"]
    assert store.events(*ALL, last + 1, last + 1)[0].prev.mod_revision == kept


# --- watches


def test_watch_from_now_sees_only_what_follows(opened, store):
    put(store, "/a/1")
    log = Log()
    store.watch("/a/", "/a0", 0, log)
    opened.settle()
    assert log.calls == []
    put(store, "/b/1")
    last = put(store, "/a/2")
    opened.settle()
    assert log.calls == [[("PUT", "/a/2", last)]]
    assert store.delivered == last


def test_watch_from_the_past_goes_on_with_the_present(opened, store):
    first = put(store, "/a/1")
    put(store, "/b/1")
    put(store, "/a/1")
    log = Log()
    store.watch("/a/", "/a0", first, log)
    assert log.calls == [[("PUT", "/a/1", first)], [("PUT", "/a/1", first + 2)]]  # at once
    delete(store, "/a/1")
    opened.settle()
    assert log.calls[2:] == [[("DELETE", "/a/1", first + 3)]]


def test_watch_from_a_list_loses_and_repeats_nothing(opened, store):
    store.watch(*ALL, 0, Log())
    for n in range(20):
        put(store, f"/a/{n}")
        listed = store.range("/a/", "/a0").revision
        put(store, f"/b/{n}")
        if n % 3 == 0:
            opened.settle()
        put(store, f"/a/{n}")
        log = Log()
        watch = store.watch("/a/", "/a0", listed + 1, log)
        put(store, f"/a/{n}")
        opened.settle()
        assert [revision for _, _, revision in log.flat] == [listed + 2, listed + 3]
        watch.cancel()


def test_watch_from_the_future_waits_for_it(opened, store):
    log = Log()
    now = store.revision
    store.watch(*ALL, now + 3, log)
    for n in range(4):
        put(store, f"/a/{n}")
    opened.settle()
    assert [revision for _, _, revision in log.flat] == [now + 3, now + 4]


def test_events_carry_what_was_there_before(opened, store):
    events: list[Event] = []
    store.watch(*ALL, 0, events.extend)
    first = put(store, "/a", n=1)
    put(store, "/a", n=2)
    delete(store, "/a")
    put(store, "/a", n=3)
    opened.settle()
    history = store.events(*ALL, first, first + 3)
    for seen in (events, history):
        assert [(event.type, parts(event.kv), parts(event.prev)) for event in seen] == [
            ("PUT", one := ("/a", {"n": 1, "rv": str(first)}, first, first, 1, 0), None),
            ("PUT", two := ("/a", {"n": 2, "rv": str(first + 1)}, first, first + 1, 2, 0), one),
            ("DELETE", ("/a", None, 0, first + 2, 0, 0), two),
            ("PUT", ("/a", {"n": 3, "rv": str(first + 3)}, first + 3, first + 3, 1, 0), None),
        ]


def test_one_call_has_a_whole_revision(opened, store):
    logs = [Log(), Log(), Log()]
    for log, (start, end) in zip(logs, (("/a/", "/b0"), ("/a/", "/a0"), ("/b/2", "/b/3")), strict=True):
        store.watch(start, end, 0, log)
    put(store, "/b/1")
    last = store.txn((), [Put("/b/2", {}), Put("/a/1", {}), Delete("/b/1"), Put("/c", {})]).revision
    opened.settle()
    assert sorted(logs[0].calls[1]) == [("DELETE", "/b/1", last), ("PUT", "/a/1", last), ("PUT", "/b/2", last)]
    assert logs[1].calls == [[("PUT", "/a/1", last)]]
    assert logs[2].calls == [[("PUT", "/b/2", last)]]
    log = Log()
    store.watch("/a/", "/b0", last, log)
    assert [sorted(call) for call in log.calls] == [sorted(logs[0].calls[1])]


def test_watch_ranges_are_exact(opened, store):
    wide, one, odd, every = Log(), Log(), Log(), Log()
    store.watch("/a", "/b", 0, wide)
    store.watch("/a/x", "/a/x\0", 0, one)
    store.watch("/a/w", "/a/x/5", 0, odd)
    store.watch("", "\U0010ffff", 0, every)
    names = ["/a", "/a/x", "/a/x/4", "/a/x/5", "/a0", "/b", "x"]
    for key in names:
        put(store, key)
    opened.settle()
    assert [key for _, key, _ in wide.flat] == names[:5]
    assert [key for _, key, _ in one.flat] == ["/a/x"]
    assert [key for _, key, _ in odd.flat] == ["/a/x", "/a/x/4"]
    assert [key for _, key, _ in every.flat] == names


def test_cancelled_watch_is_silent(opened, store):
    log, other = Log(), Log()
    watch = store.watch(*ALL, 0, log)
    store.watch(*ALL, 0, other)
    first = put(store, "/a")
    opened.settle()
    watch.cancel()
    watch.cancel()
    put(store, "/a")
    opened.settle()
    assert [revision for _, _, revision in log.flat] == [first]
    assert [revision for _, _, revision in other.flat] == [first, first + 1]


def test_watch_cancelled_by_another_delivery_is_silent_at_once(opened, store):
    log = Log()
    doomed = SimpleNamespace(cancel=None)
    store.watch(*ALL, 0, lambda events: doomed.watch.cancel())
    doomed.watch = store.watch(*ALL, 0, log)
    put(store, "/a")
    opened.settle()
    assert log.calls == []


def test_what_a_delivery_writes_comes_after_what_it_was_given(opened, store):
    """All watches see one order, even when the first of them writes in between."""
    seen: list[tuple[str, int]] = []
    first = store.revision + 1

    def react(events) -> None:
        seen.extend(("first", event.kv.mod_revision) for event in events)
        if events[0].kv.mod_revision < first + 3:
            put(store, "/a")

    store.watch(*ALL, 0, react)
    store.watch(*ALL, 0, lambda events: seen.extend(("second", event.kv.mod_revision) for event in events))
    put(store, "/a")
    for _ in range(4):
        opened.settle()
    assert seen == [(who, first + n) for n in range(4) for who in ("first", "second")]


def test_watch_made_by_a_delivery_gets_everything_once(opened, store):
    first = store.revision + 1
    log = Log()

    def react(events) -> None:
        if events[0].kv.mod_revision == first:
            put(store, "/b")
            store.watch(*ALL, first, log)
            put(store, "/c")

    store.watch(*ALL, 0, react)
    put(store, "/a")
    opened.settle()
    opened.settle()
    assert log.calls == [[("PUT", "/a", first)], [("PUT", "/b", first + 1)], [("PUT", "/c", first + 2)]]


def test_history_that_writes_keeps_its_order(opened, store):
    first = put(store, "/a")
    put(store, "/b")
    log = Log()

    def react(events) -> None:
        log(events)
        if events[0].kv.mod_revision == first:
            put(store, "/c")

    store.watch(*ALL, first, react)
    opened.settle()
    assert [revision for _, _, revision in log.flat] == [first, first + 1, first + 2]


def test_error_of_one_watch_is_told_but_does_not_starve_the_others(opened, store):
    def broken(events) -> None:
        raise ZeroDivisionError

    log = Log()
    store.watch(*ALL, 0, broken)
    store.watch(*ALL, 0, log)

    def write_and_settle() -> None:
        put(store, "/a")
        opened.settle()

    with pytest.raises(ZeroDivisionError):
        write_and_settle()
    assert len(log.calls) == 1
    assert store.get("/a").version == 1


def test_events_of_a_range_of_revisions(store):
    first = put(store, "/a/1")
    put(store, "/b/1")
    delete(store, "/a/1")
    last = put(store, "/a/2")
    assert [brief(event) for event in store.events("/a/", "/a0", first, last)] == [
        ("PUT", "/a/1", first),
        ("DELETE", "/a/1", first + 2),
        ("PUT", "/a/2", last),
    ]
    assert [brief(event) for event in store.events("/a/", "/a0", first + 1, first + 2)] == [
        ("DELETE", "/a/1", first + 2)
    ]
    assert store.events("/a/", "/a0", first + 1, first + 1) == []
    assert store.events("/c/", "/c0", first, last) == []


def test_closed_store_is_silent(opened, store):
    log = Log()
    store.watch(*ALL, 0, log)
    store.close()
    store.close()
    assert log.calls == []


# --- leases


def test_revoked_lease_takes_its_keys_at_one_revision(opened, store):
    log = Log()
    lease = store.grant(60)
    store.txn((), [Put("/a", {}, lease), Put("/b", {}, lease), Put("/c", {})])
    store.watch(*ALL, 0, log)
    assert store.get("/a").lease == lease
    info = store.time_to_live(lease)
    assert (info.lease, info.granted, info.keys) == (lease, 60, ("/a", "/b"))
    assert 55 <= info.remaining <= 60
    before = store.revision
    store.revoke(lease)
    assert keys(store.range(*ALL).kvs) == ["/c"]
    opened.settle()
    assert [sorted(call) for call in log.calls] == [[("DELETE", "/a", before + 1), ("DELETE", "/b", before + 1)]]
    for call in (store.revoke, store.keep_alive, store.time_to_live):
        with pytest.raises(LeaseNotFound) as missing:
            call(lease)
        assert missing.value.lease == lease


def test_key_belongs_to_the_lease_it_was_last_put_with(store):
    one, two = store.grant(60), store.grant(60)
    assert one != two
    for key in ("/a", "/b", "/c", "/d"):
        store.txn((), [Put(key, {}, one)])
    store.txn((), [Put("/a", {}), Put("/b", {}, two), Delete("/c")])
    assert (store.time_to_live(one).keys, store.time_to_live(two).keys) == (("/d",), ("/b",))
    put(store, "/c")
    store.revoke(one)
    assert keys(store.range(*ALL).kvs) == ["/a", "/b", "/c"]
    assert store.get("/b").lease == two
    store.revoke(two)
    assert keys(store.range(*ALL).kvs) == ["/a", "/c"]


def test_unknown_lease_refuses_the_whole_transaction(store):
    before = put(store, "/a")
    with pytest.raises(LeaseNotFound) as missing:
        store.txn((), [Put("/a", {"n": 2}), Put("/b", {}, 4711)])
    assert missing.value.lease == 4711
    assert store.revision == before
    assert keys(store.range(*ALL).kvs) == ["/a"]


def test_lease_without_keys_ends_quietly(store):
    before = store.revision
    store.revoke(store.grant(60))
    assert store.revision == before
    with pytest.raises(ValueError):
        store.grant(0)


@pytest.mark.parametrize("opened", ["memory", "sqlite"], indirect=True)  # etcd keeps its own time
def test_lease_expires_unless_kept_alive(opened, store):
    lease, other = store.grant(10), store.grant(10)
    store.txn((), [Put("/a", {}, lease), Put("/b", {}, other)])
    opened.loop.run_for(7)
    store.keep_alive(lease)
    assert store.time_to_live(other).remaining == 3
    opened.loop.run_for(4)
    assert keys(store.range(*ALL).kvs) == ["/a"]
    opened.loop.run_for(7)
    assert keys(store.range(*ALL).kvs) == []
    with pytest.raises(LeaseNotFound):
        store.keep_alive(lease)


# --- helpers


def test_prefix_end_is_the_first_string_behind_the_prefix():
    assert prefix_end("/registry/pods/") == "/registry/pods0"
    assert prefix_end("a\U0010ffff") == "b"
    assert prefix_end("a\ud7ff") == "a\ue000"
    for prefix in ("", "\U0010ffff"):
        with pytest.raises(ValueError):
            prefix_end(prefix)
