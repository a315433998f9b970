"""From the store's changes to the watches of API clients: one feed a resource, fanned out by what each watcher selects.

Called by `registry.storage`. A watcher names its namespace, object name or node where it can; the feed keeps
watchers in buckets by these, so that a change costs work only for those whom it may concern.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from refkube.apimachinery.errors import StatusError, expired
from refkube.apimachinery.fields import FieldSelector
from refkube.apimachinery.meta import Object, labels_of, namespace_of
from refkube.apimachinery.rest import WatchEvent
from refkube.apimachinery.selectors import Selector
from refkube.engine.loop import Loop, Timer
from refkube.store.kv import Compacted, Event, KeyValue, Store, StoreError, prefix_end

BOOKMARK_PERIOD = 60.0  # seconds: apiserver/pkg/storage/cacher defaultBookmarkFrequency
LAST_BOOKMARK = 2.0  # seconds before a watch's time is over: cacher cache_watcher.go, nextBookmarkTime

_ALL = ("", "")  # the bucket of those who watch everything

Fields = Callable[[Object], Mapping[str, str]]


def encoded(kv: KeyValue) -> bytes:
    """The JSON of a stored object, made once and kept beside it for all readers."""
    if kv.memo is None:
        kv.memo = orjson.dumps(kv.value)
    return kv.memo


class Selection:
    """What a list or watch selects: a namespace (all if empty), labels and fields."""

    __slots__ = ("_fields_of", "bucket", "fields", "labels", "namespace")

    def __init__(self, namespace: str, labels: Selector | None, fields: FieldSelector | None, fields_of: Fields):
        self.namespace = namespace
        self.labels = None if labels is None or labels.empty else labels
        self.fields = None if fields is None or fields.empty else fields
        self._fields_of = fields_of
        self.bucket = self._bucket()

    def _bucket(self) -> tuple[str, str]:
        for field in ("spec.nodeName", "metadata.name"):
            value = self.fields.exact_match(field) if self.fields else None
            if value:
                return field, value
        return ("metadata.namespace", self.namespace) if self.namespace else _ALL

    @property
    def everything(self) -> bool:
        """True if no object of the namespace is left out."""
        return self.labels is None and self.fields is None

    def matches(self, obj: Object) -> bool:
        if self.namespace and namespace_of(obj) != self.namespace:
            return False
        if self.labels is not None and not self.labels.matches(labels_of(obj)):
            return False
        return self.fields is None or self.fields.matches(self._fields_of(obj))


class Watcher:
    """One client's watch (`apimachinery.rest.Watch`).

    Events that happen before `start` are kept for it.
    """

    def __init__(
        self,
        feed: Feed,
        selection: Selection,
        backlog: list[WatchEvent],
        bookmarks: bool,
        timeout: float,
        after: int,
    ):
        self._feed = feed
        self.selection = selection
        self._backlog = backlog
        self._deliver: Callable[[WatchEvent], None] = backlog.append
        self._closed: Callable[[], None] = lambda: None
        self.bookmarks = bookmarks
        self._timeout = timeout
        self._after = after
        self._timers: list[Timer] = []

    def start(self, deliver: Callable[[WatchEvent], None], closed: Callable[[], None]) -> None:
        """Begin delivery, on the loop's thread; `closed` is called when the server ends the watch."""
        backlog, self._backlog = self._backlog, []
        self._deliver, self._closed = deliver, closed
        if self._timeout:
            self._timers.append(self._feed.loop.call_later(self._timeout, self.expire))
        if self.bookmarks and self._timeout > LAST_BOOKMARK:
            self._timers.append(self._feed.loop.call_later(self._timeout - LAST_BOOKMARK, self._send_bookmark))
        for event in backlog:
            deliver(event)
            if event.type == "ERROR":
                self.expire()
                return

    def stop(self) -> None:
        self._feed.remove(self)
        for timer in self._timers:
            timer.cancel()

    def expire(self) -> None:
        """End the watch from the server's side."""
        self.stop()
        self._closed()

    def fail(self, error: StatusError) -> None:
        self.deliver(WatchEvent("ERROR", error.status))
        self.expire()

    def deliver(self, event: WatchEvent) -> None:
        self._deliver(event)

    def _send_bookmark(self) -> None:
        self._deliver(self._feed.bookmark())

    def offer(self, change: Change) -> None:
        """Deliver a change as this watcher sees it: objects that come to match are added, others leave as deleted."""
        if change.revision <= self._after:
            return  # the feed of a distant store can lag behind the list that the client began with
        selection = self.selection
        if selection.everything and (not selection.namespace or selection.bucket[0] == "metadata.namespace"):
            self._deliver(change.plain)
            return
        old = change.old is not None and selection.matches(change.old)
        new = change.new is not None and selection.matches(change.new)
        if new:
            self._deliver(change.modified if old else change.added)
        elif old:
            self._deliver(change.deleted)


class Change:
    """One object's change, with its watch events made once for all watchers."""

    __slots__ = ("_event", "_events", "_stamp", "new", "old")

    def __init__(self, event: Event, stamp: Callable[[Object, int], Object]):
        self._event = event
        self._stamp = stamp
        self.new: Object | None = event.kv.value if event.type == "PUT" else None
        self.old: Object | None = event.prev.value if event.prev is not None else None
        self._events: dict[str, WatchEvent] = {}

    @property
    def revision(self) -> int:
        return self._event.kv.mod_revision

    @property
    def plain(self) -> WatchEvent:
        """The event for a watcher that selects everything."""
        if self.new is None:
            return self.deleted
        return self.added if self.old is None else self.modified

    @property
    def added(self) -> WatchEvent:
        return self._made("ADDED")

    @property
    def modified(self) -> WatchEvent:
        return self._made("MODIFIED")

    @property
    def deleted(self) -> WatchEvent:
        """The last state that matched, at the revision of the change that took it away."""
        made = self._events.get("DELETED")
        if made is None:
            assert self.old is not None
            made = self._events["DELETED"] = WatchEvent("DELETED", self._stamp(self.old, self.revision))
        return made

    def _made(self, type: str) -> WatchEvent:
        made = self._events.get(type)
        if made is None:
            kv = self._event.kv
            made = self._events[type] = WatchEvent(type, kv.value, lambda: encoded(kv))
        return made


class Feed:
    """All watches of one resource. `bucket_fields` are the fields, beside the namespace, that watchers are kept by."""

    def __init__(self, store: Store, prefix: str, loop: Loop, stamp: Callable[[Object, int], Object], kind: Object):
        self._store = store
        self._prefix = prefix
        self.loop = loop
        self._stamp = stamp
        self._kind = kind  # apiVersion and kind, for bookmarks
        self._buckets: dict[tuple[str, str], dict[int, Watcher]] = defaultdict(dict)
        self._count = 0
        self._watch: Any = None
        self._timer: Timer | None = None
        self._seen = 0  # the revision up to which watchers have been served

    def open(
        self,
        selection: Selection,
        *,
        revision: int | None,
        initial: list[KeyValue] | None = None,
        initial_end: bool = False,
        bookmarks: bool = False,
        timeout: float = 0,
    ) -> Watcher:
        """A watch of all changes after `revision`, preceded by `initial` as ADDED where given.

        `initial_end` marks the end of the initial objects with a bookmark. A revision that is no longer
        kept gives a watch whose only event is an ERROR with 410.
        """
        backlog: list[WatchEvent] = []
        watcher = Watcher(self, selection, backlog, bookmarks, timeout, revision or 0)
        for kv in initial or ():
            backlog.append(WatchEvent("ADDED", kv.value, lambda kv=kv: encoded(kv)))  # type: ignore[misc]
        self._run()
        if initial_end:
            backlog.append(self._bookmark(revision or 0, {"k8s.io/initial-events-end": "true"}))
        if revision is not None and revision < self._seen:
            try:
                missed = self._store.events(self._prefix, prefix_end(self._prefix), revision + 1, self._seen)
            except Compacted as too_old:
                why = f"too old resource version: {revision} ({too_old.compact_revision})"
                backlog.append(WatchEvent("ERROR", expired(why).status))
                return watcher
            for event in missed:
                change = Change(event, self._stamp)
                if selection.bucket in self._keys_of(change):
                    watcher.offer(change)
        self._buckets[selection.bucket][id(watcher)] = watcher
        self._count += 1
        if bookmarks and self._timer is None:
            self._timer = self.loop.call_later(BOOKMARK_PERIOD, self._send_bookmarks)
        return watcher

    def remove(self, watcher: Watcher) -> None:
        bucket = self._buckets.get(watcher.selection.bucket)
        if bucket is not None and bucket.pop(id(watcher), None) is not None:
            self._count -= 1
            if not bucket:
                del self._buckets[watcher.selection.bucket]

    def close(self) -> None:
        """End every watch: the server is going down."""
        if self._timer:
            self._timer.cancel()
        if self._watch is not None:
            self._watch.cancel()
        for bucket in list(self._buckets.values()):
            for watcher in list(bucket.values()):
                watcher.expire()

    def _run(self) -> None:
        if self._watch is None:
            self._seen = self._store.revision
            end = prefix_end(self._prefix)
            self._watch = self._store.watch(self._prefix, end, self._seen + 1, self._on_events, self._on_failure)

    def _on_events(self, events: Sequence[Event]) -> None:
        for event in events:
            self._seen = event.kv.mod_revision
            if not self._count:
                continue
            change = Change(event, self._stamp)
            for watcher in self._concerned(change):
                watcher.offer(change)

    def _on_failure(self, why: StoreError) -> None:
        """The store cannot tell what was missed: every client has to list anew."""
        self._watch = None
        for bucket in list(self._buckets.values()):
            for watcher in list(bucket.values()):
                watcher.fail(expired(str(why)))

    def _concerned(self, change: Change) -> list[Watcher]:
        """The watchers of every bucket that the object was in or is in, each once."""
        buckets = self._buckets
        if len(buckets) == 1 and _ALL in buckets:
            return list(buckets[_ALL].values())
        return [watcher for key in self._keys_of(change) if key in buckets for watcher in buckets[key].values()]

    def _keys_of(self, change: Change) -> dict[tuple[str, str], None]:
        keys: dict[tuple[str, str], None] = {_ALL: None}
        for obj in (change.new, change.old):
            if obj is not None:
                meta = obj["metadata"]
                keys["metadata.namespace", meta.get("namespace", "")] = None
                keys["metadata.name", meta["name"]] = None
                spec = obj.get("spec")
                if spec and spec.get("nodeName"):
                    keys["spec.nodeName", spec["nodeName"]] = None
        return keys

    def bookmark(self) -> WatchEvent:
        """Tells the version up to which every watch has been served."""
        return self._bookmark(max(self._seen, self._store.delivered))

    def _bookmark(self, revision: int, annotations: Mapping[str, str] | None = None) -> WatchEvent:
        meta: Object = {"resourceVersion": str(revision), "creationTimestamp": None}
        if annotations:
            meta["annotations"] = dict(annotations)
        return WatchEvent("BOOKMARK", {**self._kind, "metadata": meta})

    def _send_bookmarks(self) -> None:
        self._timer = None
        asking = [w for bucket in self._buckets.values() for w in bucket.values() if w.bookmarks]
        if asking:
            event = self.bookmark()
            self._timer = self.loop.call_later(BOOKMARK_PERIOD, self._send_bookmarks)
            for watcher in asking:
                watcher.deliver(event)
