"""Faults that features/api/watches.feature must catch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from refkube.apimachinery import errors
from refkube.apimachinery.meta import with_metadata
from refkube.apimachinery.rest import WatchEvent
from refkube.apiserver import options
from refkube.registry.storage import Storage
from refkube.registry.watching import Change, Feed, Selection, Watcher
from refkube.store.kv import Event, prefix_end

from gherkube.drivers.miniatures import miniature

Original = Callable[..., Any]


@miniature("Every change is told as modified.", caught_by="watches.01", instead_of=Change._made)
def tells_all_as_modified(original: Original, self: Change, type: str) -> WatchEvent:
    return WatchEvent("MODIFIED", original(self, type).object)


@miniature(
    "A deletion carries the version before it.", caught_by=("watches.01", "watches.07"), instead_of=Watcher.offer
)
def deletes_at_the_old_version(original: Original, self: Watcher, change: Change) -> None:
    change._stamp = lambda obj, revision: obj
    original(self, change)


@miniature("A watch leaves out the change right after its version.", caught_by="watches.02", instead_of=Feed.open)
def begins_one_change_late(original: Original, self: Feed, selection: Selection, **how: Any) -> Watcher:
    if how["revision"] < self._store.revision:
        how["revision"] += 1
    return original(self, selection, **how)


@miniature("Every tenth event comes twice.", caught_by="watches.03", instead_of=Feed._on_events)
def repeats_an_event(original: Original, self: Feed, events: Sequence[Event]) -> None:
    original(self, events)
    if events[0].kv.mod_revision % 10 == 0:
        original(self, events)


@miniature("An event overtakes the one before.", caught_by=("watches.03", "watches.04"), instead_of=Feed._on_events)
def lets_an_event_overtake(original: Original, self: Feed, events: Sequence[Event]) -> None:
    revision = events[0].kv.mod_revision
    if revision % 10 == 0:
        vars(self)["late"] = events
        return
    original(self, events)
    if "late" in vars(self):
        original(self, vars(self).pop("late"))


@miniature("Only the latest watch is served.", caught_by="watches.04", instead_of=Feed._concerned)
def serves_the_latest_watch(original: Original, self: Feed, change: Change) -> list[Watcher]:
    return original(self, change)[-1:]


@miniature("An update that changes nothing is an event.", caught_by="watches.05", instead_of=Storage.update)
def tells_what_is_unchanged(original: Original, self: Storage, *args: Any, **how: Any) -> Any:
    kv, created = original(self, *args, **how)
    for bucket in self.feed._buckets.values():
        for watcher in bucket.values():
            watcher.deliver(WatchEvent("MODIFIED", kv.value))
    return kv, created


@miniature("A change of the status alone is no event.", caught_by="watches.06", instead_of=Watcher.offer)
def overlooks_the_status(original: Original, self: Watcher, change: Change) -> None:
    old, new = change.old, change.new
    if old is None or new is None or any(old.get(part) != new.get(part) for part in ("spec", "data", "type")):
        original(self, change)


@miniature("An object marked for deletion is told as deleted.", caught_by="watches.07", instead_of=Watcher.offer)
def tells_the_mark_as_deletion(original: Original, self: Watcher, change: Change) -> None:
    if change.new is not None and "deletionTimestamp" in change.new["metadata"]:
        change._events["MODIFIED"] = WatchEvent("DELETED", change.new)
    original(self, change)


@miniature("A watch ignores its namespace.", caught_by="watches.08", instead_of=Storage.watch)
def watches_all_namespaces(original: Original, self: Storage, selection: Selection, **how: Any) -> Watcher:
    return original(self, Selection("", selection.labels, selection.fields, selection._fields_of), **how)


@miniature("A watch over all namespaces tells of one.", caught_by="watches.09", instead_of=Storage.watch)
def watches_one_namespace(original: Original, self: Storage, selection: Selection, **how: Any) -> Watcher:
    namespace = selection.namespace or "home"
    return original(self, Selection(namespace, selection.labels, selection.fields, selection._fields_of), **how)


@miniature("A watch of one object tells of all.", caught_by="watches.10", instead_of=Storage.watch)
def watches_all_names(original: Original, self: Storage, selection: Selection, **how: Any) -> Watcher:
    return original(self, Selection(selection.namespace, selection.labels, None, selection._fields_of), **how)


@miniature(
    "A watch from no version begins with what comes next.",
    caught_by=("watches.11", "watches.12", "watches.13"),
    instead_of=Storage.watch,
)
def begins_with_what_comes_next(original: Original, self: Storage, selection: Selection, **how: Any) -> Watcher:
    if how.get("resource_version") in ("", "0"):
        how = {**how, "resource_version": str(self._store.revision)}
    return original(self, selection, **how)


@miniature("A watch ends after what was there.", caught_by="watches.12", instead_of=Storage.watch)
def ends_after_what_was_there(original: Original, self: Storage, selection: Selection, **how: Any) -> Watcher:
    watcher: Watcher = original(self, selection, **how)
    if how.get("resource_version") in ("", "0"):
        self.feed.remove(watcher)
    return watcher


@miniature(
    "The end of what was there is not marked.",
    caught_by=("watches.14", "watches.15"),
    instead_of=Feed._bookmark,
)
def does_not_mark_the_end(
    original: Original, self: Feed, revision: int, annotations: Mapping[str, str] | None = None
) -> WatchEvent:
    return original(self, revision)


@miniature("What was there is told, asked for or not.", caught_by="watches.16", instead_of=Storage.watch)
def tells_what_was_there_unasked(original: Original, self: Storage, selection: Selection, **how: Any) -> Watcher:
    return original(self, selection, **{**how, "send_initial": how.get("send_initial") or None})


@miniature("A version yet to come is the latest.", caught_by="watches.17", instead_of=Storage._refuse_future)
def takes_the_future_for_now(original: Original, self: Storage, wanted: int) -> None:
    pass


@miniature("A watch's options may contradict each other.", caught_by="watches.18", instead_of=options._watch_problems)
def allows_any_watch(original: Original, *args: Any) -> list[errors.FieldError]:
    return []


@miniature(
    "A resumed watch tells only what comes next.", caught_by=("watches.19", "watches.21"), instead_of=Storage.watch
)
def forgets_the_interruption(original: Original, self: Storage, selection: Selection, **how: Any) -> Watcher:
    return original(self, selection, **{**how, "resource_version": str(self._store.revision)})


@miniature(
    "A resumed watch repeats the event it goes on from.",
    caught_by=("watches.19", "watches.21", "watches.22"),
    instead_of=Storage.watch,
)
def repeats_the_last_event(original: Original, self: Storage, selection: Selection, **how: Any) -> Watcher:
    if how.get("resource_version"):
        how = {**how, "resource_version": str(int(how["resource_version"]) - 1)}
    return original(self, selection, **how)


@miniature("A deletion has the version of what it deletes.", caught_by="watches.20", instead_of=Watcher.offer)
def stamps_deletions_with_the_last_change(original: Original, self: Watcher, change: Change) -> None:
    if change.new is None and change.old is not None:
        version = change.old["metadata"]["resourceVersion"]
        change._events["DELETED"] = WatchEvent("DELETED", with_metadata(change.old, resourceVersion=version))
    original(self, change)


@miniature("A bookmark tells the version that the watch began with.", caught_by="watches.22", instead_of=Feed.bookmark)
def bookmarks_the_beginning(original: Original, self: Feed) -> WatchEvent:
    return self._bookmark(1)


@miniature("A bookmark is the last object again.", caught_by="watches.27", instead_of=Feed.bookmark)
def bookmarks_with_an_object(original: Original, self: Feed) -> WatchEvent:
    return WatchEvent("BOOKMARK", self._store.range(self._prefix, prefix_end(self._prefix)).kvs[-1].value)


@miniature("Bookmarks come unasked.", caught_by="watches.23", instead_of=Feed.open)
def sends_bookmarks_unasked(original: Original, self: Feed, selection: Selection, **how: Any) -> Watcher:
    return original(self, selection, **{**how, "bookmarks": True})


@miniature("A watch never ends.", caught_by=("watches.23", "watches.24"), instead_of=Storage.watch)
def never_ends(original: Original, self: Storage, selection: Selection, **how: Any) -> Watcher:
    return original(self, selection, **{**how, "timeout": 0})


@miniature("A watch ends with an error.", caught_by="watches.24", instead_of=Watcher.expire)
def ends_with_an_error(original: Original, self: Watcher) -> None:
    self.deliver(WatchEvent("ERROR", errors.expired("the time is over").status))
    original(self)


@miniature(
    "A watch from a forgotten version begins with what is still known.",
    caught_by="watches.25",
    instead_of=Storage.watch,
)
def begins_with_what_is_known(original: Original, self: Storage, selection: Selection, **how: Any) -> Watcher:
    version = max(int(how.get("resource_version") or 0), self._store.compacted)
    return original(self, selection, **{**how, "resource_version": str(version)})


@miniature("A version yet to come is taken for now.", caught_by="watches.26", instead_of=Feed.open)
def tells_what_comes_before(original: Original, self: Feed, selection: Selection, **how: Any) -> Watcher:
    return original(self, selection, **{**how, "revision": min(how["revision"], self._store.revision)})
