"""The store in a real etcd (3.4 or later), over its JSON gateway: the distributed backend.

etcd3gw finds the gateway and carries the TLS settings; calls and watches go through its session's connection pool:
- requests costs 0.6 to 0.9 ms of CPU a call, the pool below it 0.3 ms, and every call blocks the loop;
- etcd3gw's Watcher takes each piece the socket yields for one message, knows neither cancellation nor compaction,
  and does not come back after a disconnection.

Watches share one stream, read by one thread, which hands what it reads to the loop through `post`. The stream has
the whole key space, not only ours: every revision has an event in it, so whoever reads it knows how far it has come,
and that a range of revisions is complete. (etcd's progress notifications come every ten minutes, and cannot be
asked for through the gateway.) Under etcd's RBAC the user therefore has to be allowed to read all keys.

Left out: several endpoints; starting an etcd. A watch's history from before this process costs etcd's own 100 ms
(its loop for watchers that lag); what the stream has brought lately is kept and costs nothing.
"""

from __future__ import annotations

import socket
import threading
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import groupby, islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

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
    RequestTooLarge,
    Stamp,
    Store,
    StoreError,
    StoreUnavailable,
    Txn,
    Watch,
    as_given,
    check_distinct,
)
from refkube.store.watchers import Watchers

Message = dict[str, Any]
# post(fn, *args): call it soon, in order, in the loop's thread (`engine.loop.Loop.post`)
Post = Callable[..., object]

_PAGE = 5_000  # keys a response: a range of any size, but no response of any size
_WINDOW = 5_000  # revisions of the stream that are kept
_ALL = b64encode(b"\0").decode()  # as key and as range_end: every key
_RETRY_FIRST, _RETRY_MOST = 0.05, 2.0  # seconds

_HEADERS = {"Content-Type": "application/json"}

# gRPC status codes (google.golang.org/grpc/codes), as the gateway tells them
_INVALID_ARGUMENT, _NOT_FOUND, _OUT_OF_RANGE, _UNAUTHENTICATED = 3, 5, 11, 16


class EtcdStore(Store):
    def __init__(
        self,
        endpoint: str,
        post: Post,
        stamp: Stamp = as_given,
        *,
        prefix: str = "",
        user: str = "",
        password: str = "",
        ca_cert: str | None = None,
        cert: str | None = None,
        key: str | None = None,
        timeout: float = 30.0,
    ) -> None:
        """Use the etcd at `http[s]://host:port`; raises StoreUnavailable if it does not answer.

        `prefix` is put before every key and taken off again: several stores in one etcd, none seeing another.
        `ca_cert`, `cert` and `key` are files; `user` and `password` are etcd's own. `timeout` (seconds) is a call's.
        """
        login = {"name": user, "password": password} if user else None
        self._gateway = _Gateway(endpoint, login, ca_cert, cert, key, timeout)
        self._post = post
        self._stamp = stamp
        self._prefix = prefix
        self._tail: _Tail | None = None
        self._window: deque[tuple[int, list[Message]]] = deque(maxlen=_WINDOW)  # contiguous, up to _seen
        self._seen = self.revision  # the last revision that the stream brought
        self._watchers = Watchers(self._seen)

    @property
    def revision(self) -> int:
        return _revision(self._gateway.call("kv/range", {"key": _ALL, "count_only": True}))

    @property
    def compacted(self) -> int:
        """As in `Store`; a compaction at revision 1, which drops nothing, is not noticed."""
        try:
            self._gateway.call("kv/range", {"key": _ALL, "count_only": True, "revision": 1})
        except Compacted as error:
            return error.compact_revision
        return 0

    @property
    def delivered(self) -> int:
        return self._watchers.delivered

    def get(self, key: str, revision: int = 0) -> KeyValue | None:
        return self._first(self._gateway.call("kv/range", {"key": self._encode(key), "revision": revision}))

    def range(self, start: str, end: str, *, revision: int = 0, limit: int = 0) -> Range:
        key, range_end = self._encode(start), self._encode(end)
        result = Range([], revision, True, 0)
        while result.more:
            page = min(_PAGE, limit - len(result.kvs)) if limit else _PAGE
            query = {"key": key, "range_end": range_end, "revision": result.revision, "limit": page}
            answer = self._gateway.call("kv/range", query)
            result.revision = result.revision or _revision(answer)
            result.count = result.count or int(answer.get("count", 0))
            result.more = answer.get("more", False)
            result.kvs += map(self._key_value, answer.get("kvs", ()))
            if len(result.kvs) == limit:
                break
            if result.more:
                key = self._encode(result.kvs[-1].key + "\0")
        return result

    def count(self, start: str, end: str) -> int:
        query = {"key": self._encode(start), "range_end": self._encode(end), "count_only": True}
        return int(self._gateway.call("kv/range", query).get("count", 0))

    def txn(self, compares: Sequence[Compare], success: Sequence[Op]) -> Txn:
        check_distinct(success)
        missing = {compare.key for compare in compares if not compare.mod_revision}
        body = {
            "compare": [
                {"key": self._encode(key), "target": "MOD", "result": "EQUAL", "mod_revision": revision}
                for key, revision in compares
            ],
            "success": [request for op in success for request in self._requests(op, op.key in missing)],
            "failure": [{"request_range": {"key": self._encode(compare.key)}} for compare in compares],
        }
        try:
            answer = self._gateway.call("kv/txn", body)
        except LeaseNotFound:
            raise LeaseNotFound(next(op.lease for op in success if isinstance(op, Put) and op.lease)) from None
        revision, responses = _revision(answer), iter(answer.get("responses", ()))
        if not answer.get("succeeded", False):
            return Txn(False, revision, [], [self._first(response["response_range"]) for response in responses])
        return Txn(True, revision, [self._done(op, responses, revision, op.key in missing) for op in success], [])

    def watch(self, start: str, end: str, start_revision: int, deliver: Deliver, failed: Failed | None = None) -> Watch:
        if self._tail is None:
            self._seen = self._watchers.delivered = self.revision
            self._tail = _Tail(self._gateway, self._seen + 1, self._post, self._receive, self._lose)
            self._tail.start()
        seen = self._seen
        first = start_revision or self.revision + 1
        if first > seen:
            return self._watchers.add(start, end, first, (), deliver, failed)
        events = self.events(start, end, first, seen)
        history = [list(batch) for _, batch in groupby(events, lambda event: event.kv.mod_revision)]
        return self._watchers.add(start, end, seen + 1, history, deliver, failed)

    def events(self, start: str, end: str, first_revision: int, last_revision: int) -> list[Event]:
        first = max(first_revision, 2)
        if self._window and self._window[0][0] <= first and last_revision <= self._seen:
            offset = self._window[0][0]
            batches = islice(self._window, first - offset, max(0, last_revision + 1 - offset))
            return self._ours((raw for _, batch in batches for raw in batch), start, end)
        # tells whether the history is whole, and the current revision
        before = self._gateway.call("kv/range", {"key": _ALL, "count_only": True, "revision": first - 1})
        if last_revision > _revision(before):
            raise FutureRevision(last_revision, _revision(before))
        raws: list[Message] = []
        if first <= last_revision:
            with self._gateway.changes(first) as messages:
                while not raws or int(raws[-1]["kv"]["mod_revision"]) < last_revision:
                    raws += next(messages)
        return self._ours((raw for raw in raws if int(raw["kv"]["mod_revision"]) <= last_revision), start, end)

    def compact(self, revision: int) -> None:
        self._gateway.call("kv/compaction", {"revision": revision})
        while self._window and self._window[0][0] <= revision:
            self._window.popleft()

    def grant(self, ttl_seconds: int) -> int:
        if ttl_seconds <= 0:
            raise ValueError("a lease needs a positive time to live")
        return int(self._gateway.call("lease/grant", {"TTL": ttl_seconds})["ID"])

    def keep_alive(self, lease: int) -> None:
        if "TTL" not in self._gateway.call("lease/keepalive", {"ID": lease})["result"]:
            raise LeaseNotFound(lease)

    def revoke(self, lease: int) -> None:
        try:
            self._gateway.call("lease/revoke", {"ID": lease})
        except LeaseNotFound:
            raise LeaseNotFound(lease) from None

    def time_to_live(self, lease: int) -> LeaseInfo:
        answer = self._gateway.call("lease/timetolive", {"ID": lease, "keys": True})
        remaining = int(answer.get("TTL", 0))
        if remaining < 0:
            raise LeaseNotFound(lease)
        keys = sorted(b64decode(key).decode()[len(self._prefix) :] for key in answer.get("keys", ()))
        return LeaseInfo(lease, int(answer.get("grantedTTL", 0)), remaining, tuple(keys))

    def close(self) -> None:
        self._watchers.close()
        if self._tail is not None:
            self._tail.stop()
            self._tail = None
        self._gateway.close()

    def _receive(self, tail: _Tail, raws: list[Message]) -> None:
        """What the stream brought: whole revisions."""
        if tail is not self._tail:
            return
        for number, group in groupby(raws, lambda raw: raw["kv"]["mod_revision"]):
            revision, batch = int(number), list(group)
            self._window.append((revision, batch))
            self._seen = revision
            try:
                wanted = [raw for raw in batch if (key := self._key(raw)) is not None and self._watchers.wants(key)]
                self._watchers.publish(revision, [self._event(raw) for raw in wanted])
            except Compacted as error:
                self._lose(tail, error)

    def _lose(self, tail: _Tail, error: Compacted) -> None:
        """The stream was away for so long that etcd has forgotten what it missed."""
        if tail is self._tail:
            self._window.clear()
            self._seen = self._watchers.delivered = max(self._seen, error.compact_revision)
            self._watchers.fail(error)

    def _ours(self, raws: Iterator[Message], start: str, end: str) -> list[Event]:
        return [self._event(raw) for raw in raws if (key := self._key(raw)) is not None and start <= key < end]

    def _event(self, raw: Message) -> Event:
        kv, prev = raw["kv"], raw.get("prev_kv")
        deletion = raw.get("type") == DELETE
        if prev is None and (deletion or kv["version"] != "1"):
            raise Compacted(int(kv["mod_revision"]))  # the event is there, what was before it is not
        return Event(DELETE if deletion else PUT, self._key_value(kv), self._key_value(prev) if prev else None)

    def _key(self, raw: Message) -> str | None:
        key = b64decode(raw["kv"]["key"])
        return key.decode()[len(self._prefix) :] if key.startswith(self._prefix.encode()) else None

    def _key_value(self, raw: Message) -> KeyValue:
        revision, value = int(raw["mod_revision"]), raw.get("value")
        return KeyValue(
            b64decode(raw["key"]).decode()[len(self._prefix) :],
            None if value is None else self._stamp(orjson.loads(b64decode(value)), revision),
            int(raw.get("create_revision", 0)),
            revision,
            int(raw.get("version", 0)),
            int(raw.get("lease", 0)),
        )

    def _encode(self, key: str) -> str:
        return b64encode((self._prefix + key).encode()).decode()

    def _requests(self, op: Op, created: bool) -> Iterator[Message]:
        key = self._encode(op.key)
        if isinstance(op, Put):
            value = b64encode(orjson.dumps(op.value)).decode()
            yield {"request_put": {"key": key, "value": value, "lease": op.lease}}
            if not created:  # to learn its version; etcd would only give the whole previous value
                yield {"request_range": {"key": key, "keys_only": True}}
        else:
            yield {"request_delete_range": {"key": key, "prev_kv": True}}

    def _done(self, op: Op, responses: Iterator[Message], revision: int, created: bool) -> KeyValue | None:
        response = next(responses)
        if not isinstance(op, Put):
            previous = response["response_delete_range"].get("prev_kvs")
            return self._key_value(previous[0]) if previous else None
        create_revision, version = revision, 1
        if not created:
            kv = next(responses)["response_range"]["kvs"][0]
            create_revision, version = int(kv["create_revision"]), int(kv["version"])
        return KeyValue(op.key, self._stamp(op.value, revision), create_revision, revision, version, op.lease)

    def _first(self, answer: Message) -> KeyValue | None:
        kvs = answer.get("kvs")
        return self._key_value(kvs[0]) if kvs else None


class _Gateway:
    """Calls and watches of one etcd. Thread-safe, as the pool is."""

    def __init__(
        self,
        endpoint: str,
        login: Message | None,
        ca_cert: str | None,
        cert: str | None,
        key: str | None,
        timeout: float,
    ) -> None:
        url = urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}")
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError(f"not an etcd URL: {endpoint!r} (http[s]://host:port)")
        try:
            import etcd3gw
            from requests import Request
            from urllib3 import Timeout
            from urllib3.exceptions import HTTPError
        except ImportError as error:
            raise StoreUnavailable("the etcd store needs its extra: pip install 'gherkube[etcd]'") from error
        for file in (ca_cert, cert, key):
            if file and not Path(file).is_file():
                raise StoreUnavailable(f"there is no file {file}, which is to secure the connection to etcd")
        self.endpoint = endpoint
        self._broken = (HTTPError, OSError)
        self._timeout = Timeout(connect=min(timeout, 5.0), read=timeout)
        self._patient = Timeout(connect=min(timeout, 5.0), read=None)
        # the gateway's path since 3.4, said here to save etcd3gw asking for it
        client = etcd3gw.client(url.hostname, url.port or 2379, ca_cert, key, cert, timeout, url.scheme, "/v3/")
        adapter = _adapter()
        client.session.mount(client.base_url, adapter)
        base = client.get_url("")
        self._path = urlsplit(base).path
        request = Request("POST", base).prepare()
        self._pool = adapter.get_connection_with_tls_context(request, client.session.verify, cert=client.session.cert)
        self._headers = _HEADERS
        self._login = login
        self.log_in()

    def call(self, path: str, body: Message) -> Message:
        code, answer = self._send(path, body)
        if code == _UNAUTHENTICATED and self._login and body is not self._login:  # tokens expire
            self.log_in()
            code, answer = self._send(path, body)
        if code:
            raise self._error(code, answer.get("message", ""), body)
        return answer

    def changes(self, first: int, patient: bool = False) -> _Changes:
        """All changes of all keys from a revision on: a context manager of an iterator of lists of whole revisions.

        Patient: silence is no reason to give up.
        """
        query = {"key": _ALL, "range_end": _ALL, "start_revision": first, "prev_kv": True}
        return _Changes(self, orjson.dumps({"create_request": query}), patient)

    def log_in(self) -> None:
        if self._login:
            self._headers = _HEADERS  # even a login is refused with a token that is no good
            self._headers = {**_HEADERS, "Authorization": self.call("auth/authenticate", self._login)["token"]}

    def close(self) -> None:
        self._pool.close()

    def open(self, path: str, body: bytes, stream: bool = False, patient: bool = False) -> Any:
        """The urllib3 response, unread if it is a stream. Raises StoreUnavailable."""
        try:
            return self._pool.urlopen(
                "POST",
                self._path + path,
                body,
                self._headers,
                retries=False,
                timeout=self._patient if patient else self._timeout,
                preload_content=not stream,
            )
        except self._broken as error:
            raise self._unavailable(error) from error

    def lines(self, response: Any) -> Iterator[Message]:
        """A stream's messages, one a line; a line may come in pieces. Ends with StoreUnavailable only."""
        rest = b""
        try:
            for piece in response.stream(None):
                *lines, rest = (rest + piece).split(b"\n")
                yield from map(orjson.loads, filter(None, lines))
        except (*self._broken, orjson.JSONDecodeError) as error:
            raise self._unavailable(error) from error
        raise StoreUnavailable(f"etcd at {self.endpoint} ended a watch")

    def _send(self, path: str, body: Message) -> tuple[int, Message]:
        response = self.open(path, orjson.dumps(body))
        try:
            answer = orjson.loads(response.data)
        except orjson.JSONDecodeError as error:
            raise StoreUnavailable(f"etcd at {self.endpoint} answers {response.status} without JSON") from error
        if response.status == 200:
            return 0, answer
        return answer.get("code", response.status), answer

    def _error(self, code: int, message: str, body: Message) -> StoreError:
        if code == _OUT_OF_RANGE and "compacted" in message:
            return Compacted(self._compact_revision())
        if code == _OUT_OF_RANGE and "future" in message:
            current = self.call("kv/range", {"key": _ALL, "count_only": True})
            return FutureRevision(body.get("revision", 0), _revision(current))
        if code == _NOT_FOUND and "lease" in message:
            return LeaseNotFound(body.get("ID", 0))
        if code == _INVALID_ARGUMENT and "too large" in message:
            return RequestTooLarge(message)
        return StoreUnavailable(f"etcd at {self.endpoint} refuses: {message or f'status {code}'}")

    def _compact_revision(self) -> int:
        """etcd tells it only to a watch that asks for what is gone."""
        try:
            with self.changes(1) as messages:
                for _ in messages:
                    pass
        except Compacted as error:
            return error.compact_revision
        raise AssertionError("changes end with an error only")

    def _unavailable(self, error: Exception) -> StoreUnavailable:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return StoreUnavailable(f"etcd at {self.endpoint} is not available: {reason}")


class _Changes(AbstractContextManager[Iterator[list[Message]]]):
    """An open watch stream. `stop` may be called by another thread, and ends the iteration."""

    def __init__(self, gateway: _Gateway, query: bytes, patient: bool) -> None:
        self._gateway = gateway
        self._response = gateway.open("watch", query, stream=True, patient=patient)

    def __enter__(self) -> Iterator[list[Message]]:
        return self._messages()

    def __exit__(self, *_: object) -> None:
        self._response.close()  # never back to the pool: it is not read to its end

    def stop(self) -> None:
        try:
            self._response.shutdown()
        except (OSError, ValueError, RuntimeError):
            pass  # it has ended by itself

    def _messages(self) -> Iterator[list[Message]]:
        for message in self._gateway.lines(self._response):
            result = message.get("result", {})
            if "compact_revision" in result:
                raise Compacted(int(result["compact_revision"]))
            if "error" in message or result.get("canceled"):
                self._gateway.log_in()  # for the next attempt, if this one's token had expired
                reason = message.get("error") or result.get("cancel_reason", "")
                raise StoreUnavailable(f"etcd at {self._gateway.endpoint} cancelled a watch: {reason}")
            if "events" in result:
                yield result["events"]


class _Tail(threading.Thread):
    """Reads the stream of changes, comes back after disconnections at the revision it missed, posts what it reads."""

    def __init__(
        self,
        gateway: _Gateway,
        first: int,
        post: Post,
        receive: Callable[[_Tail, list[Message]], None],
        lose: Callable[[_Tail, Compacted], None],
    ) -> None:
        super().__init__(name="etcd-watch", daemon=True)
        self._gateway = gateway
        self._next = first
        self._post = post
        self._receive = receive
        self._lose = lose
        self._stopped = threading.Event()
        self._changes: _Changes | None = None

    def run(self) -> None:
        delay = _RETRY_FIRST
        while not self._stopped.is_set():
            try:
                self._changes = self._gateway.changes(self._next, patient=True)
                if self._stopped.is_set():  # stop() may have come too early to see the stream
                    self._changes.stop()
                with self._changes as messages:
                    for raws in messages:
                        delay = _RETRY_FIRST
                        self._next = int(raws[-1]["kv"]["mod_revision"]) + 1
                        self._post(self._receive, self, raws)
            except Compacted as error:
                self._next = error.compact_revision + 1
                self._post(self._lose, self, error)
            except StoreUnavailable:
                self._stopped.wait(delay)
                delay = min(2 * delay, _RETRY_MOST)

    def stop(self) -> None:
        self._stopped.set()
        if self._changes is not None:
            self._changes.stop()
        self.join(_RETRY_MOST)


def _revision(answer: Message) -> int:
    return int(answer["header"]["revision"])


def _adapter() -> Any:
    """A transport that finds out when the other side is gone without a word: a watch may be silent for hours."""
    from requests.adapters import HTTPAdapter
    from urllib3.connection import HTTPConnection

    options = [*HTTPConnection.default_socket_options, (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    for name, seconds in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):  # not on every system
            options.append((socket.IPPROTO_TCP, getattr(socket, name), seconds))

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, socket_options=options, **kwargs)

    return Adapter()
