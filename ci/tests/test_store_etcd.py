"""What is particular to the etcd store: an etcd that goes and comes back, that is shared, secured, or not there."""

from __future__ import annotations

import queue
import random
import threading
import time

import pytest
from refkube.store.etcd import EtcdStore
from refkube.store.kv import Compacted, Compare, Delete, Put, RequestTooLarge, StoreUnavailable
from store_backends import NEED_ETCD, WATCH_DEADLINE, etcd_tool, shared_etcd

pytestmark = NEED_ETCD

ALL = ("/", "0")


class Client:
    """A store whose posted calls are run by `until`."""

    def __init__(self, url: str, **options) -> None:
        self._posted: queue.SimpleQueue[tuple] = queue.SimpleQueue()
        self.store = EtcdStore(url, lambda *call: self._posted.put(call), **options)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()

    def until(self, predicate) -> None:
        deadline = time.monotonic() + WATCH_DEADLINE
        while not predicate():
            call, *args = self._posted.get(timeout=max(0.0, deadline - time.monotonic()))
            call(*args)

    def settle(self) -> None:
        now = self.store.revision
        self.until(lambda: self.store.delivered >= now)


@pytest.fixture
def client(request):
    with Client(shared_etcd(), prefix=f"/{request.node.name}") as client:
        yield client


def put(store, key, **value) -> int:
    return store.txn((), [Put(key, value)]).revision


def numbered(events) -> list[int]:
    return [event.kv.mod_revision for event in events]


def test_no_etcd_is_one_clear_line():
    (port,) = etcd_tool._free_ports(1)
    with pytest.raises(StoreUnavailable) as error:
        EtcdStore(f"http://127.0.0.1:{port}", print)
    assert str(error.value).startswith(f"etcd at http://127.0.0.1:{port} is not available: ")
    assert "refused" in str(error.value)
    assert "\n" not in str(error.value)
    for url in ("ftp://127.0.0.1:1", "http://", ""):
        with pytest.raises(ValueError, match="not an etcd URL"):
            EtcdStore(url, print)


def test_killed_etcd_loses_nothing_and_watches_resume():
    """Kill -9 while writes go on: acknowledged is kept, watches have neither gap nor repetition."""
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    with etcd_tool.etcd_server() as server, Client(server.url) as client:
        store, seen, acknowledged = client.store, [], {}
        store.watch("/a/", "/a0", 0, seen.extend)
        for _ in range(3):
            for n in range(chance.randrange(5, 60)):
                acknowledged[put(store, f"/a/{n % 10}", n=n)] = n
            server.kill()
            for call in (lambda: put(store, "/b"), lambda: store.get("/a/1"), lambda: store.events(*ALL, 2, 3)):
                with pytest.raises(StoreUnavailable) as error:
                    call()
                assert "\n" not in str(error.value)
            server.start()
            acknowledged[put(store, "/a/0", n=-1)] = -1
        client.settle()
        assert {event.kv.mod_revision: event.kv.value["n"] for event in seen} == acknowledged
        assert numbered(seen) == sorted(acknowledged)


def test_watch_that_was_away_for_too_long_is_told(client, monkeypatch):
    """Its etcd was compacted while it was disconnected."""
    store, seen, failures = client.store, [], []
    watch = store.watch(*ALL, 0, seen.extend, failures.append)
    silent = store.watch(*ALL, 0, seen.extend)
    first = put(store, "/a")
    client.until(lambda: len(seen) == 2)

    tried = threading.Event()

    def away(*_, **__):
        tried.set()
        raise StoreUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(store._gateway, "changes", away)
        store._tail._changes.stop()
        assert tried.wait(WATCH_DEADLINE)
        put(store, "/a")
        last = put(store, "/a")
        put(store, "/b")
        with Client(shared_etcd()) as other:
            other.store.compact(last)
    client.until(lambda: failures)
    assert [type(error) for error in failures] == [Compacted]
    assert failures[0].compact_revision == last
    watch.cancel()
    silent.cancel()
    again = []
    store.watch(*ALL, last + 1, again.extend)
    put(store, "/c")
    client.settle()
    assert (numbered(seen), numbered(again)) == ([first, first], [last + 1, last + 2])
    with pytest.raises(Compacted):
        store.watch(*ALL, last, again.extend)


def test_what_arrives_after_a_cancel_or_close_is_dropped(client):
    store, seen = client.store, []
    cancelled = store.watch(*ALL, 0, lambda events: seen.append("cancelled"))
    store.watch(*ALL, 0, lambda events: seen.append("live"))
    put(store, "/a")
    cancelled.cancel()
    client.settle()
    assert seen == ["live"]
    put(store, "/a")
    client.until(lambda: not client._posted.empty() or client._posted.put((lambda: None,)) is None)
    tail = store._tail
    store.close()
    assert not tail.is_alive()
    store._receive(tail, [{"kv": {"key": "AA==", "mod_revision": "1"}}])
    assert seen == ["live"]


def test_prefixes_keep_stores_apart():
    with Client(shared_etcd(), prefix="/one") as one, Client(shared_etcd(), prefix="/one/two") as two:
        seen: list = []
        one.store.watch("/x", "/y", 0, seen.extend)
        first = put(two.store, "/x", n=2)
        put(one.store, "/x", n=1)
        lease = one.store.grant(60)
        one.store.txn((), [Put("/x/1", {}, lease)])
        one.settle()
        assert [event.kv.key for event in seen] == ["/x", "/x/1"]
        assert one.store.delivered >= first + 2  # what others write does not hide how far a watch has come
        assert [kv.key for kv in one.store.range("/x", "/y").kvs] == ["/x", "/x/1"]
        assert (one.store.get("/x").value, two.store.get("/x").value) == ({"n": 1}, {"n": 2})
        assert one.store.get("/two/x").value == {"n": 2}
        assert one.store.time_to_live(lease).keys == ("/x/1",)
        assert [event.kv.key for event in one.store.events("/x", "/y", first, first + 2)] == ["/x", "/x/1"]


def test_history_from_etcd_and_from_memory_agree(client):
    store = client.store
    first = put(store, "/a", n=1)
    before = [repr(event) for event in store.events(*ALL, first, first)]
    store.watch(*ALL, 0, len)
    put(store, "/a", n=2)
    last = store.txn((), [Delete("/a"), Put("/b", {"n": 3}), Put("/c", {"n": 3})]).revision
    put(store, "/d")
    client.settle()
    for start in (first, first + 1, last):
        for end in range(start - 1, last + 1):
            kept = store.events(*ALL, start, end)
            window, store._window = store._window, type(store._window)()
            asked = store.events(*ALL, start, end)
            store._window = window
            assert list(map(repr, kept)) == list(map(repr, asked))
            assert [event.prev and event.prev.value for event in kept] == [
                event.prev and event.prev.value for event in asked
            ]
    assert [repr(event) for event in store.events(*ALL, first, first)] == before


def test_request_above_etcds_limit(client):
    with pytest.raises(RequestTooLarge, match="too large"):
        put(client.store, "/a", big="x" * 2_000_000)
    assert client.store.get("/a") is None
    put(client.store, "/a", big="x" * 700_000)


def test_large_events_arrive_whole(client):
    """In many pieces, that is."""
    seen: list = []
    client.store.watch(*ALL, 0, seen.extend)
    for n in range(5):
        put(client.store, "/a", big=str(n) * 900_000)
    client.settle()
    assert [set(event.kv.value["big"]) for event in seen] == [{str(n)} for n in range(5)]


def test_lease_expires_by_etcds_time(client):
    seen: list = []
    client.store.txn((), [Put("/a", {}, client.store.grant(1))])
    client.store.watch(*ALL, 0, seen.extend)
    client.until(lambda: seen)
    assert [(event.type, event.kv.key) for event in seen] == [("DELETE", "/a")]


def test_tls(tmp_path):
    with etcd_tool.etcd_server(tls=True) as server:
        with Client(server.url, ca_cert=str(server.certificate)) as client:
            seen: list = []
            client.store.watch(*ALL, 0, seen.extend)
            put(client.store, "/a", n=1)
            client.until(lambda: seen)
            assert client.store.get("/a").value == {"n": 1}
        with pytest.raises(StoreUnavailable, match="certificate verify failed"):
            EtcdStore(server.url, print)
        with pytest.raises(StoreUnavailable, match=r"no file .*missing\.pem"):
            EtcdStore(server.url, print, ca_cert=str(tmp_path / "missing.pem"))


def test_user_and_password_and_a_token_that_expires():
    with etcd_tool.etcd_server() as server:
        with Client(server.url) as admin:
            call = admin.store._gateway.call
            call("auth/user/add", {"name": "root", "password": "secret"})
            call("auth/user/grant", {"user": "root", "role": "root"})
            call("auth/enable", {})
            with pytest.raises(StoreUnavailable, match="user name is empty"):
                admin.store.get("/a")
        with pytest.raises(StoreUnavailable, match="authentication failed"):
            EtcdStore(server.url, print, user="root", password="wrong")
        with Client(server.url, user="root", password="secret") as client:
            seen: list = []
            client.store.watch(*ALL, 0, seen.extend)
            made = client.store.txn([Compare("/a", 0)], [Put("/a", {})])
            client.until(lambda: seen)
            client.store._gateway._headers["Authorization"] = "expired.1"
            assert client.store.get("/a").mod_revision == made.revision
            server.kill()
            server.start()  # tokens do not survive it
            with Client(server.url, user="root", password="secret") as other:
                last = put(other.store, "/a")
            client.until(lambda: len(seen) > 1)  # the watch has logged in again by itself
            assert numbered(seen) == [made.revision, last]
