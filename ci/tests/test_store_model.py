"""Random histories: every store against a naive model that keeps a full copy of each revision."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from refkube.store.kv import Compacted, Compare, Delete, FutureRevision, KeyValue, Put
from store_backends import NEED_ETCD, Opened

KEYS = ["/a", "/a/1", "/a/2", "/a/x/1", "/a0", "/b/1", "/b/2", "/c"]
RANGES = [("/", "0"), ("/a/", "/a0"), ("/a", "/b/2"), ("/b/", "/b0"), ("/a/2", "/a/2\0"), ("/x", "/y"), ("/b", "/a")]

keys, ranges = st.sampled_from(KEYS), st.sampled_from(RANGES)
back = st.integers(-1, 12)  # how many revisions ago; -1 is one that does not exist yet
puts = st.sampled_from([True, True, False])
ops = st.lists(st.tuples(keys, puts), max_size=5, unique_by=lambda op: op[0])
hows = st.sampled_from([0, 1, 1, 1, 2, 2, 3])
compares = st.just([]) | st.lists(st.tuples(keys, hows), max_size=2, unique_by=lambda compare: compare[0])


class Entry(NamedTuple):
    value: int
    created: int
    modified: int
    version: int


def entry(kv: KeyValue | None) -> Entry | None:
    return kv and Entry(kv.value["n"], kv.create_revision, kv.mod_revision, kv.version)


class Follower:
    """A watch, and what it should have been given: one list of (type, key, entry, previous entry) per revision."""

    def __init__(self, start: str, end: str, first: int) -> None:
        self.start, self.end, self.first = start, end, first
        self.got: list[list[tuple]] = []

    def deliver(self, events) -> None:
        self.got.append(sorted(map(told, events), key=str))


def told(event) -> tuple:
    now = entry(event.kv) if event.type == "PUT" else event.kv.mod_revision
    return (event.type, event.kv.key, now, entry(event.prev))


class StoreMachine(RuleBasedStateMachine):
    kind = ""

    @initialize()
    def begin(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="store-"))
        self.opened = Opened(self.kind, self.directory)
        self.store = self.opened.store
        self.base = self.store.revision
        self.compacted = self.store.compacted
        self.states: dict[int, dict[str, Entry]] = {self.base: {}}  # by revision; never forgets
        self.followers: list[tuple[Follower, object]] = []
        self.counter = 0

    def teardown(self) -> None:
        if hasattr(self, "opened"):
            self.check_watches()
            self.store.close()
            shutil.rmtree(self.directory)

    @property
    def now(self) -> int:
        return self.base + len(self.states) - 1

    @rule(ops=ops, compares=compares)
    def txn(self, ops, compares) -> None:
        """A comparison's number says how: 0 as a new key, 1 and 2 rightly, 3 wrongly."""
        state = self.states[self.now]
        actual = {key: state[key].modified if key in state else 0 for key, _ in compares}
        wanted = {key: {0: 0, 3: actual[key] + 1}.get(how, actual[key]) for key, how in compares}
        self.counter += 1
        done = self.store.txn(
            [Compare(key, revision) for key, revision in wanted.items()],
            [Put(key, {"n": self.counter}) if is_put else Delete(key) for key, is_put in ops],
        )
        assert done.succeeded == (wanted == actual)
        if not done.succeeded:
            assert [entry(kv) for kv in done.current] == [state.get(key) for key in wanted]
        else:
            after, revision = dict(state), self.now + 1
            for key, is_put in ops:
                old = after.pop(key, None)
                if is_put and old:
                    after[key] = Entry(self.counter, old.created, revision, old.version + 1)
                elif is_put:
                    after[key] = Entry(self.counter, revision, revision, 1)
            expected = [after[key] if is_put else state.get(key) for key, is_put in ops]
            assert [entry(kv) for kv in done.kvs] == expected
            if after != state:
                self.states[revision] = after
        assert done.revision == self.now

    @rule(range=ranges, back=back, limit=st.integers(0, 4), now=st.booleans())
    def read_range(self, range, back, limit, now) -> None:
        start, end = range
        revision = 0 if now else max(self.base, self.now - back)
        if not self.allowed(revision, lambda: self.store.range(start, end, revision=revision, limit=limit)):
            return
        state = self.states[revision or self.now]
        expected = [(key, state[key]) for key in sorted(state) if start <= key < end]
        found = self.store.range(start, end, revision=revision, limit=limit)
        assert [(kv.key, entry(kv)) for kv in found.kvs] == expected[: limit or None]
        assert found.count == len(expected)
        assert found.more == (0 < limit < len(expected))
        assert found.revision == (revision or self.now)

    @rule(key=keys, back=back)
    def read_one(self, key, back) -> None:
        revision = max(self.base, self.now - back)
        if self.allowed(revision, lambda: self.store.get(key, revision)):
            assert entry(self.store.get(key, revision)) == self.states[revision].get(key)

    @rule(range=ranges)
    def count(self, range) -> None:
        start, end = range
        assert self.store.count(start, end) == sum(start <= key < end for key in self.states[self.now])

    @rule(range=ranges, back=back, length=st.integers(0, 8))
    def read_events(self, range, back, length) -> None:
        first = max(self.base + 1, self.now - back)
        last = first + length
        wrong = (FutureRevision,) * (last > self.now) + (Compacted,) * (first <= self.compacted)
        if wrong:
            with pytest.raises(wrong):  # either, where both are
                self.store.events(*range, first, last)
        else:
            expected = [event for batch in self.batches(*range, first, last) for event in batch]
            assert sorted(map(told, self.store.events(*range, first, last)), key=str) == sorted(expected, key=str)

    @rule(range=ranges, back=back, now=st.booleans())
    def watch(self, range, back, now) -> None:
        first = 0 if now else max(self.base + 1, self.now - back)
        follower = Follower(*range, first or self.now + 1)
        if first and first <= self.compacted:
            with pytest.raises(Compacted):
                self.store.watch(*range, first, follower.deliver)
        else:
            self.followers.append((follower, self.store.watch(*range, first, follower.deliver)))

    @precondition(lambda self: getattr(self, "followers", None))
    @rule(which=st.integers(0, 1000))
    def cancel(self, which) -> None:
        self.check_watches()
        _, watch = self.followers.pop(which % len(self.followers))
        watch.cancel()

    @rule(back=back)
    def compact(self, back) -> None:
        self.check_watches()  # they may lag behind, and lose, only over etcd
        revision = max(self.base, self.now - back)
        if revision > self.now:
            with pytest.raises(FutureRevision):
                self.store.compact(revision)
        elif revision <= self.compacted:
            with pytest.raises(Compacted):
                self.store.compact(revision)
        elif revision > 1:
            self.store.compact(revision)
            self.compacted = revision

    @precondition(lambda self: self.kind != "memory")
    @rule()
    def restart(self) -> None:
        """Watches end; each is resumed from the oldest revision that is kept."""
        self.check_watches()
        self.store = self.opened.reopen()
        followers = [follower for follower, _ in self.followers]
        self.followers = []
        for old in followers:
            follower = Follower(old.start, old.end, max(old.first, self.compacted + 1))
            watch = self.store.watch(follower.start, follower.end, follower.first, follower.deliver)
            self.followers.append((follower, watch))

    @invariant()
    def revisions(self) -> None:
        if self.kind != "etcd" and hasattr(self, "store"):  # there it is a round trip
            assert (self.store.revision, self.store.compacted) == (self.now, self.compacted)
            assert self.store.delivered == self.now

    def check_watches(self) -> None:
        self.opened.settle()
        for follower, _ in self.followers:
            expected = self.batches(follower.start, follower.end, follower.first, self.now)
            assert follower.got == [sorted(batch, key=str) for batch in expected if batch]

    def batches(self, start: str, end: str, first: int, last: int) -> list[list[tuple]]:
        """The changes of each revision, from comparing it with the one before."""
        found = []
        for revision in range(first, last + 1):
            before, after = self.states[revision - 1], self.states[revision]
            batch = []
            for key in sorted({*before, *after}):
                if start <= key < end and before.get(key) != after.get(key):
                    if key in after:
                        batch.append(("PUT", key, after[key], before.get(key)))
                    else:
                        batch.append(("DELETE", key, revision, before[key]))
            found.append(batch)
        return found

    def allowed(self, revision: int, call) -> bool:
        if revision > self.now:
            with pytest.raises(FutureRevision):
                call()
            return False
        if revision and revision < self.compacted:
            with pytest.raises(Compacted) as compacted:
                call()
            assert compacted.value.compact_revision == self.compacted
            return False
        return True


@pytest.mark.parametrize(
    ("kind", "examples", "steps"),
    [("memory", 150, 40), ("sqlite", 40, 30), pytest.param("etcd", 8, 25, marks=NEED_ETCD)],
)
def test_store_behaves_as_its_model(kind, examples, steps):
    machine = type(f"{kind.title()}Machine", (StoreMachine,), {"kind": kind})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
