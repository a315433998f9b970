"""A component's copy of the objects it works with, kept up to date by list and watch, and shared by its parts.

client-go/tools/cache: a reflector lists once, then watches from the list's resourceVersion; resumes where a broken
stream ended; lists again, after a back-off, when the server no longer knows that version. The cache holds objects by
reference: never change one. Left out: watch-lists (a list costs less here), resync periods, transformers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping

from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object, key_of
from refkube.apimachinery.rest import Watch, WatchEvent
from refkube.client.client import Client, Resource
from refkube.engine.loop import Loop, Timer

_log = logging.getLogger(__name__)

Index = Callable[[Object], Iterable[str]]
Handler = Callable[[Object], object]

_SHORT = 1.0  # a watch that ends sooner, without an event, is answered with a back-off (VeryShortWatchError)
_MIN_WATCH, _MAX_WATCH = 300.0, 600.0  # seconds for which a watch is asked
_EMPTY: Mapping[str, Object] = {}


def by_namespace(obj: Object) -> Iterable[str]:
    return (obj["metadata"].get("namespace", ""),)


def by_owner_uid(obj: Object) -> Iterable[str]:
    return [owner["uid"] for owner in obj["metadata"].get("ownerReferences") or ()]


def by_controller_uid(obj: Object) -> Iterable[str]:
    """Of its one controlling owner; orphans have none."""
    for owner in obj["metadata"].get("ownerReferences", ()):
        if owner.get("controller"):
            return (owner["uid"],)
    return ()


def by_node_name(obj: Object) -> Iterable[str]:
    return (obj["spec"].get("nodeName", ""),)


class Backoff:
    """Delays of 0.8, 1.6 ... 30 s, each up to doubled by chance; from the start again after two quiet minutes."""

    def __init__(self, loop: Loop):
        self._loop = loop
        self._next = 0.8
        self._last = loop.now()

    def delay(self) -> float:
        now = self._loop.now()
        if now - self._last > 120.0:
            self._next = 0.8
        self._last = now
        base, self._next = self._next, min(self._next * 2.0, 30.0)
        return base * (1.0 + self._loop.random.random())


class Informer:
    """The objects of one resource, or those that the selectors choose, by key "namespace/name" in `items`.

    Handlers are called on the loop after the cache has changed: added(new), updated(old, new), deleted(last known).
    While a relist tells of what went unseen `final_state_unknown` is True: the object may have changed before it went.
    An object that was replaced by another of its name is told as deleted and added. What did not change is not told.
    """

    def __init__(
        self,
        client: Client,
        loop: Loop,
        resource: Resource,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
    ):
        self.items: dict[str, Object] = {}
        self.has_synced = False
        self.final_state_unknown = False
        self.resource_version = ""
        self.resource = resource
        self._client = client
        self._loop = loop
        self._selection = {"namespace": namespace, "label_selector": label_selector, "field_selector": field_selector}
        self._indexes: list[tuple[Index, dict[str, dict[str, Object]]]] = []
        self._by_name: dict[str, dict[str, dict[str, Object]]] = {}
        self._added: list[Handler] = []
        self._updated: list[Callable[[Object, Object], object]] = []
        self._deleted: list[Handler] = []
        self._synced: list[Callable[[], object]] = []
        self._backoff = Backoff(loop)
        self._version_unavailable = False
        self._running = False
        self._stream: _Stream | None = None
        self._timer: Timer | None = None

    # Reading

    def get(self, key: str) -> Object | None:
        return self.items.get(key)

    def indexed(self, index: str, value: str) -> Mapping[str, Object]:
        """The objects by key for which the index function gave `value`. A live view: copy it to keep it."""
        return self._by_name[index].get(value, _EMPTY)

    def add_index(self, name: str, index: Index) -> None:
        """`index(obj)` gives the values to find it by. Once more under the same name changes nothing."""
        if name in self._by_name:
            return
        buckets: dict[str, dict[str, Object]] = {}
        self._by_name[name] = buckets
        self._indexes.append((index, buckets))
        for key, obj in self.items.items():
            for value in index(obj):
                buckets.setdefault(value, {})[key] = obj

    def add_handler(
        self,
        added: Handler | None = None,
        updated: Callable[[Object, Object], object] | None = None,
        deleted: Handler | None = None,
    ) -> None:
        """A late handler is told of what is there already."""
        if added:
            self._added.append(added)
            for obj in list(self.items.values()):
                self._tell((added,), obj)
        if updated:
            self._updated.append(updated)
        if deleted:
            self._deleted.append(deleted)

    def when_synced(self, call: Callable[[], object]) -> None:
        """Once the first list is in the cache and its handlers have been called."""
        if self.has_synced:
            call()
        else:
            self._synced.append(call)

    # Running

    def start(self) -> None:
        if not self._running:
            self._running = True
            self._loop.call_soon(self._sync)

    def stop(self) -> None:
        """The cache keeps what it has. It may be started again."""
        self._running = False
        self._end_stream()
        if self._timer is not None:
            self._timer.cancel()

    def _sync(self) -> None:
        """List, and watch from there (Reflector.ListAndWatch)."""
        if not self._running:
            return
        try:
            items, version = self._list()
        except (StatusError, OSError) as exc:
            self._retry(self._sync, exc)
            return
        self._replace(items, version)
        self._watch()

    def _list(self) -> tuple[list[Object], str]:
        """Never older than what was seen, unless the server cannot serve that: then the newest there is."""
        version = "" if self._version_unavailable else self.resource_version or "0"
        try:
            found = self._client.list(self.resource, resource_version=version, **self._selection)
        except StatusError as exc:
            if not (_expired(exc) or _too_large(exc)):
                raise
            self._version_unavailable = True
            found = self._client.list(self.resource, **self._selection)
        return found.items, found.resource_version

    def _watch(self) -> None:
        if not self._running:
            return
        self._end_stream()
        stream = self._stream = _Stream(self)
        try:
            stream.watch = self._client.watch(
                self.resource,
                stream.deliver,
                stream.closed,
                resource_version=self.resource_version,
                allow_bookmarks=True,
                timeout_seconds=int(_MIN_WATCH + self._loop.random.random() * (_MAX_WATCH - _MIN_WATCH)),
                **self._selection,
            )
        except (StatusError, OSError) as exc:
            self._stream = None
            refused = isinstance(exc, ConnectionRefusedError) or (isinstance(exc, StatusError) and exc.code == 429)
            self._retry(self._watch if refused else self._sync, exc)

    def _ended(self, stream: _Stream, error: StatusError | None) -> None:
        """The server has closed the stream, or broken it off with an ERROR event."""
        self._end_stream()
        if error is not None and error.code == 429:
            self._retry(self._watch, error)
        elif error is not None:
            self._retry(self._sync, error)
        elif stream.events == 0 and self._loop.now() - stream.since < _SHORT:
            self._retry(self._sync, None)
        else:
            self._loop.call_soon(self._watch)

    def _retry(self, call: Callable[[], None], exc: Exception | None) -> None:
        seconds, why = self._backoff.delay(), str(exc or "a watch that ended at once")
        _log.debug("%s: again in %.3f s: %s", self.resource, seconds, why)
        if self._loop.trace.on:
            self._loop.trace.record(self._client.user_agent, f"relist {self.resource}", why, seconds=seconds)
        self._timer = self._loop.call_later(seconds, call)

    def _end_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None and stream.watch is not None:
            stream.watch.stop()

    # The cache

    def _put(self, key: str, obj: Object) -> None:
        old = self.items.get(key)
        if old is not None and old["metadata"]["uid"] != obj["metadata"]["uid"]:
            self._remove(key, unknown=True)
            old = None
        self.items[key] = obj
        for index, buckets in self._indexes:
            values = index(obj)
            if old is not None:
                before = index(old)
                if before != values:
                    _drop(buckets, before, key)
            for value in values:
                if value in buckets:
                    buckets[value][key] = obj
                else:
                    buckets[value] = {key: obj}
        if old is None:
            self._tell(self._added, obj)
        elif old["metadata"]["resourceVersion"] != obj["metadata"]["resourceVersion"]:
            self._tell(self._updated, old, obj)

    def _remove(self, key: str, last: Object | None = None, unknown: bool = False) -> None:
        old = self.items.pop(key, None)
        if old is None:
            return
        for index, buckets in self._indexes:
            _drop(buckets, index(old), key)
        self.final_state_unknown = unknown
        try:
            self._tell(self._deleted, last or old)
        finally:
            self.final_state_unknown = False

    def _replace(self, items: Iterable[Object], version: str) -> None:
        """Make the cache what a list says, telling the differences."""
        listed = {key_of(obj): obj for obj in items}
        for key, obj in listed.items():
            self._put(key, obj)
        for key in [key for key in self.items if key not in listed]:
            self._remove(key, unknown=True)
        self.resource_version = version
        self._version_unavailable = False
        if not self.has_synced:
            self.has_synced = True
            for call in self._synced:
                call()
            self._synced.clear()

    def _tell(self, handlers: Iterable[Callable[..., object]], *objects: Object) -> None:
        for handler in handlers:
            try:
                handler(*objects)
            except Exception as exc:
                self._loop.failed(exc, f"handler {handler!r}")


class _Stream:
    """One watch of an informer, so that what arrives late from an old one is ignored.

    The server may deliver in the midst of a write; what it delivers is taken up afterwards, so that nobody sees the
    cache change under a reconcile.
    """

    def __init__(self, informer: Informer):
        self.informer = informer
        self.watch: Watch | None = None
        self.events = 0
        self.since = informer._loop.now()
        self._call_soon = informer._loop.call_soon

    def deliver(self, event: WatchEvent) -> None:
        self._call_soon(self._take, event)

    def closed(self) -> None:
        self._call_soon(self._take, None)

    def _take(self, event: WatchEvent | None) -> None:
        informer = self.informer
        if informer._stream is not self:
            return
        if event is None:
            informer._ended(self, None)
            return
        self.events += 1
        kind, obj = event.type, event.object
        if kind == "ERROR":
            informer._ended(self, StatusError(obj))
            return
        meta = obj["metadata"]
        informer.resource_version = meta["resourceVersion"]
        if kind != "BOOKMARK":
            key = f"{meta['namespace']}/{meta['name']}" if "namespace" in meta else meta["name"]
            if kind == "DELETED":
                informer._remove(key, obj)
            else:
                informer._put(key, obj)


class Informers:
    """Informers of one component: one for each resource and selection, however many ask."""

    def __init__(self, client: Client, loop: Loop):
        self._client = client
        self._loop = loop
        self._informers: dict[tuple[Resource, str, str, str], Informer] = {}
        self._started = False

    def of(
        self, resource: Resource, namespace: str = "", label_selector: str = "", field_selector: str = ""
    ) -> Informer:
        chosen = (resource, namespace, label_selector, field_selector)
        informer = self._informers.get(chosen)
        if informer is None:
            informer = self._informers[chosen] = Informer(self._client, self._loop, *chosen)
            if self._started:
                informer.start()
        return informer

    @property
    def have_synced(self) -> bool:
        return all(informer.has_synced for informer in self._informers.values())

    def when_synced(self, call: Callable[[], object]) -> None:
        """Of those that there are: called for each."""
        for informer in self._informers.values():
            informer.when_synced(call)

    def start(self) -> None:
        """Also starts those that are asked for later."""
        self._started = True
        for informer in self._informers.values():
            informer.start()

    def stop(self) -> None:
        self._started = False
        for informer in self._informers.values():
            informer.stop()


def _drop(buckets: dict[str, dict[str, Object]], values: Iterable[str], key: str) -> None:
    for value in values:
        bucket = buckets.get(value)  # gone already where an index gives a value twice
        if bucket is not None:
            bucket.pop(key, None)
            if not bucket:
                del buckets[value]


def _expired(exc: StatusError) -> bool:
    return exc.reason in ("Expired", "Gone")


def _too_large(exc: StatusError) -> bool:
    causes = (exc.status.get("details") or {}).get("causes") or ()
    return any(cause.get("reason") == "ResourceVersionTooLarge" for cause in causes)
