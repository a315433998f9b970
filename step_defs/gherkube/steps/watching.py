"""Watches: what is delivered, in which order, and from which version on."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import Any

from gherkube.phrases import TYPES, Collection, ObjectRef
from gherkube.steps import given, then, when
from gherkube.steps.common import Table, check_names
from gherkube.values import cell_value, get, mismatch, put, rows
from gherkube.world import CODES, SOON, Misused, Object, Watch, World, require

_OPTIONS = {
    "version": "resourceVersion",
    "version match": "resourceVersionMatch",
    "bookmarks": "allowWatchBookmarks",
    "initial events": "sendInitialEvents",
    "timeout": "timeoutSeconds",
}


@given("a watch of the {all:Collection}")
@given("a watch of the {all:Collection} with:")
def watch_from_now(world: World, all: Collection, datatable: Table | None = None) -> None:
    """
    Given a watch of the ConfigMaps labelled "app=web"      (from their present version on)
    Given a watch of the ConfigMaps with:
      | option  | value  |
      | version | (none) |
    """
    told = {row[0] for row in datatable or ()}
    before = None if "version" in told else world.listing(all)
    _start(world, all, before["metadata"]["resourceVersion"] if before else None, datatable)
    _must_have_begun(world)
    _watch(world).before = before["items"] if before else []


@given("{n:Number} watches of the {all:Collection}")
def several_watches(world: World, n: int, all: Collection) -> None:
    """
    Given 3 watches of the ConfigMaps                       (from their present version on)
    """
    _start(world, all, world.listing(all)["metadata"]["resourceVersion"], None, n)
    _must_have_begun(world)


@when("the {all:Collection} are watched")
@when("the {all:Collection} are watched with:")
def watched(world: World, all: Collection, datatable: Table | None = None) -> None:
    """
    When the ConfigMaps are watched with:                   (from no version, unless the options tell one)
      | option         | value        |
      | version match  | NotOlderThan |
      | initial events | true         |
      | bookmarks      | true         |
    """
    _start(world, all, None, datatable)


@when('the {all:Collection} are watched from version "{called:Text}"')
def watched_from(world: World, all: Collection, called: str) -> None:
    """
    When the ConfigMaps are watched from version "start"
    """
    _start(world, all, world.version(called), None)


@given("these changes have been made:")
@when("these changes are made:")
def changes_are_made(world: World, datatable: Table) -> None:
    """
    When these changes are made:
      | change | object        | data.color |
      | create | ConfigMap "a" | blue       |
      | update | ConfigMap "a" | green      |
      | delete | ConfigMap "a" |            |
    Given these changes have been made:
    """
    for row in rows(datatable, "change", "object"):
        ref: ObjectRef = TYPES["Object"](row["object"])
        fields = {name: cell for name, cell in row.items() if name not in ("change", "object") and cell}
        _make_change(world, row["change"], ref, fields, {})


@given("{n:Number} changes have been made to {m:Number} {kind:Kind} by several writers")
@when("{n:Number} changes are made to {m:Number} {kind:Kind} by several writers")
def many_changes_are_made(world: World, n: int, m: int, kind: str) -> None:
    """
    When 40 changes are made to 5 ConfigMaps by several writers
    Given 20 changes have been made to 5 ConfigMaps by several writers
    """
    _make_many_changes(world, n, m, kind)


@given("the watch has broken off")
def broken_off(world: World) -> None:
    """
    Given the watch has broken off
    """
    world.driver.settle()
    _watch(world).stop()


@when("the watch is resumed after the last event")
def resumed(world: World) -> None:
    """
    When the watch is resumed after the last event
    """
    _watch(world).resume()


@then("the watch delivers:")
def delivers(world: World, datatable: Table) -> None:
    """
    Then the watch delivers:            (in this order and nothing else; a server may add bookmarks of its own)
      | event    | name | data.color |
      | added    | a    | blue       |
      | modified | a    | green      |
      | deleted  | a    | green      |
    """
    wanted = rows(datatable, "event", "name")
    bookmarks = any(row["event"] == "bookmark" for row in wanted)
    events = _without_surplus_bookmarks(_delivered(world, _begun(world), len(wanted), bookmarks), wanted)
    for number, (row, (kind, obj)) in enumerate(zip(wanted, events, strict=False), 1):
        require(kind == row["event"].upper(), lambda: f"the watch delivered {_told(events)}")
        for column, cell in row.items():
            if column == "event" or cell == "":
                continue
            difference = mismatch(get(obj, "metadata.name" if column == "name" else column), cell)
            require(not difference, f"event {number}: {column} {difference}; delivered: {_told(events)}")
    require(len(events) == len(wanted), lambda: f"the watch delivered {_told(events)}")


@then("the watch adds exactly {names:Names}")
def adds_exactly(world: World, names: list[str]) -> None:
    """
    Then the watch adds exactly "a" and "b"                 (in any order, and delivers nothing else)
    """
    events = _delivered(world, _begun(world), len(names))
    require({kind for kind, _ in events} <= {"ADDED"}, lambda: f"the watch delivered {_told(events)}")
    check_names("added by the watch", [get(obj, "metadata.name") for _, obj in events], names)


@then("every watch delivers these changes, each once and in order")
def every_watch_delivers_all(world: World) -> None:
    """
    Then every watch delivers these changes, each once and in order
    """
    _must_have_begun(world)
    wanted = world.changes
    for watch in world.watches:
        events = _delivered(world, watch, len(wanted))
        told = [(kind, get(obj, "metadata.name"), get(obj, "metadata.resourceVersion")) for kind, obj in events]
        for number, (change, event) in enumerate(zip(wanted, told, strict=False), 1):
            same = change == event or (change[:2] == event[:2] and event[0] == "DELETED")
            require(same, lambda n=number, c=change, e=event: f"event {n} is {e}, not {c}")  # type: ignore[misc]
        require(len(told) == len(wanted), f"a watch delivered {len(told)} events, not {len(wanted)}")
        _must_rise(events)


@then("each event has a newer version than the one before")
def versions_rise(world: World) -> None:
    """
    Then each event has a newer version than the one before
    """
    _must_rise(_begun(world).events)


@then("the watch delivers nothing")
def delivers_nothing(world: World) -> None:
    """
    Then the watch delivers nothing
    """
    watch = _begun(world)
    world.driver.settle()
    require(not watch.events, lambda: f"the watch delivered {_told(watch.events)}")


@given("the watch has delivered a bookmark")
@then("the watch delivers a bookmark with:")
def delivers_bookmark(world: World, datatable: Table | None = None) -> None:
    """
    Given the watch has delivered a bookmark
    Then the watch delivers a bookmark with:
      | field                    | value     |
      | metadata.resourceVersion | (present) |
    """
    watch = _begun(world)

    def arrived() -> None:
        require(watch.bookmarks, lambda: f"no bookmark, but {_told(watch.events)}")

    world.driver.eventually(arrived, SOON)
    for row in rows(datatable, "field", "value") if datatable else ():
        difference = mismatch(get(watch.bookmarks[-1], row["field"]), row["value"])
        require(not difference, f"the bookmark's {row['field']} {difference}")


@then("no bookmark has been delivered")
def no_bookmark(world: World) -> None:
    """
    Then no bookmark has been delivered
    """
    require(not _begun(world).bookmarks, "the watch delivered a bookmark that nobody asked for")


@then("the watch is refused as {reason:Kind}")
def watch_refused(world: World, reason: str) -> None:
    """
    Then the watch is refused as Expired                   (at once, or by its first event)
    """
    watch = _watch(world)

    def refused() -> Any:
        if watch.refusal is not None:
            return watch.refusal.status
        errors = [obj for kind, obj in watch.events if kind == "ERROR"]
        require(errors, lambda: f"the watch is not refused; it delivered {_told(watch.events)}")
        return errors[0]

    status = world.driver.eventually(refused, SOON)
    if reason not in CODES:
        raise Misused(f"no reason {reason!r}; reasons: {', '.join(CODES)}")
    require(
        (status.get("reason"), status.get("code")) == (reason, CODES[reason]),
        f"the watch is refused as {status.get('reason')} ({status.get('code')}): {status.get('message')}",
    )


@then("the watch ends by itself")
def ends(world: World) -> None:
    """
    Then the watch ends by itself
    """
    watch = _begun(world)
    world.driver.eventually(lambda: require(watch.ended, "the watch goes on"), SOON)
    require(all(kind != "ERROR" for kind, _ in watch.events), "the watch ended with an error")


def _start(world: World, all: Collection, version: str | None, table: Table | None, number: int = 1) -> None:
    options = world.selectors(all)
    for row in rows(table, "option", "value") if table else ():
        if row["option"] not in _OPTIONS:
            raise Misused(f"no option {row['option']!r}; options: {', '.join(_OPTIONS)}")
        if row["value"] != "(none)":
            options[_OPTIONS[row["option"]]] = world.version(row["value"])
    for watch in world.watches:
        watch.stop()
    path = world.collection_path(world.kind(all.kind), all.namespace)
    world.watches = [Watch(world, path, options) for _ in range(number)]
    for watch in world.watches:
        watch.start(version)


def _delivered(world: World, watch: Watch, number: int, bookmarks: bool = False) -> list[tuple[str, Object]]:
    """What a watch has delivered, once it is this many events and no more are under way."""

    def events() -> list[tuple[str, Object]]:
        return watch.all_events if bookmarks else watch.events

    def arrived() -> None:
        require(len(events()) >= number, lambda: f"the watch delivered {_told(events())}, not {number} events")

    world.driver.eventually(arrived, SOON)
    world.driver.settle()
    return events()


def _must_rise(events: list[tuple[str, Object]]) -> None:
    versions = [int(get(obj, "metadata.resourceVersion")) for _, obj in events]
    rising = all(before < after for before, after in pairwise(versions))
    require(rising, f"the versions of the events are {', '.join(map(str, versions))}")


def _watch(world: World) -> Watch:
    if world.watch is None:
        raise Misused("no watch has been started")
    return world.watch


def _begun(world: World) -> Watch:
    _must_have_begun(world)
    return _watch(world)


def _must_have_begun(world: World) -> None:
    refusal = _watch(world).refusal
    require(refusal is None, lambda: f"the watch was {world.plain(str(refusal))}")


def _without_surplus_bookmarks(events: list[tuple[str, Any]], wanted: list[dict[str, str]]) -> list[tuple[str, Any]]:
    """The events without bookmarks where none is wanted: they come when the server likes."""
    kept: list[tuple[str, Any]] = []
    for event in events:
        expected = wanted[len(kept)]["event"] if len(kept) < len(wanted) else ""
        if event[0] != "BOOKMARK" or expected == "bookmark":
            kept.append(event)
    return kept


def _told(events: list[tuple[str, Any]]) -> str:
    return ", ".join(f"{kind.lower()} {get(obj, 'metadata.name')}" for kind, obj in events) or "nothing"


def _make_change(world: World, change: str, ref: ObjectRef, fields: dict[str, str], options: dict[str, str]) -> Object:
    if change == "delete":
        return world.do("DELETE", world.path(ref), f"deleting {ref}")
    if change not in ("create", "update"):
        raise Misused(f"no change {change!r}; changes: create, update, delete")
    obj = world.build(ref) if change == "create" else world.read_raw(ref)
    for path, cell in fields.items():
        obj = put(obj, path, cell_value(cell))
    obj = world.outgoing(obj)
    if change == "update":
        return world.do("PUT", world.path(ref), f"updating {ref}", body=obj, options=options)
    collection = world.collection_path(world.kind(ref.kind), ref.namespace)
    return world.do("POST", collection, f"creating {ref}", body=obj, options=options)


def _make_many_changes(world: World, number: int, objects: int, kind: str) -> None:
    """A history that looks like chance and is the same every time; what it did is kept in `world.changes`."""
    chance = Random(len(world.changes))
    for turn in range(len(world.changes), len(world.changes) + number):
        name = f"object-{chance.randint(1, objects)}"
        before = next((event for event, changed, _ in reversed(world.changes) if changed == name), "DELETED")
        change, event = ("create", "ADDED") if before == "DELETED" else ("update", "MODIFIED")
        if change == "update" and chance.random() < 0.3:
            change, event = "delete", "DELETED"
        fields = {"metadata.annotations.turn": f'"{turn}"'}
        options = {"fieldManager": chance.choice(("alice", "bob", "carol"))}
        made = _make_change(world, change, ObjectRef(kind, name), fields, options)
        world.changes.append((event, name, str(get(made, "metadata.resourceVersion"))))
