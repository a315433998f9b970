"""Watches: what is delivered, in which order, and from which version on."""

from __future__ import annotations

from typing import Any

from gherkube.phrases import TYPES, Collection, ObjectRef
from gherkube.steps import given, then, when
from gherkube.steps.common import Table
from gherkube.values import cell_value, get, mismatch, put, rows
from gherkube.world import CODES, SOON, Misused, Watch, World, require

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
    """
    _start(world, all, world.listing(all)["metadata"]["resourceVersion"], datatable)
    _must_have_begun(world)


@given('a watch of the {all:Collection} from version "{called:Text}"')
def watch_from(world: World, all: Collection, called: str) -> None:
    """
    Given a watch of the ConfigMaps from version "start"
    """
    _start(world, all, world.version(called), None)
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


@when("these changes are made:")
def changes_are_made(world: World, datatable: Table) -> None:
    """
    When these changes are made:
      | change | object        | data.color |
      | create | ConfigMap "a" | blue       |
      | update | ConfigMap "a" | green      |
      | delete | ConfigMap "a" |            |
    """
    _make_changes(world, datatable)


@given("these changes have been made:")
def changes_have_been_made(world: World, datatable: Table) -> None:
    """
    Given these changes have been made:
      | change | object        | data.color |
      | create | ConfigMap "a" | blue       |
    """
    _make_changes(world, datatable)


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
    Then the watch delivers, in this order and nothing else:
      | event    | name | data.color |
      | added    | a    | blue       |
      | modified | a    | green      |
      | deleted  | a    | green      |
    """
    watch = _begun(world)
    wanted = rows(datatable, "event", "name")

    def arrived() -> None:
        events = watch.events[watch.told :]
        require(len(events) >= len(wanted), lambda: f"the watch delivered {_told(events)}, not {len(wanted)} events")

    world.driver.eventually(arrived, SOON)
    world.driver.settle()
    events = watch.events[watch.told :]
    for number, (row, (kind, obj)) in enumerate(zip(wanted, events, strict=False), 1):
        require(kind == row["event"].upper(), lambda: f"the watch delivered {_told(events)}")
        for column, cell in row.items():
            if column == "event" or (cell == "" and column != "name"):
                continue
            difference = mismatch(get(obj, "metadata.name" if column == "name" else column), cell)
            require(not difference, f"event {number}: {column} {difference}; delivered: {_told(events)}")
    require(len(events) == len(wanted), lambda: f"the watch delivered {_told(events)}")
    watch.told += len(events)


@then("the watch delivers nothing")
def delivers_nothing(world: World) -> None:
    """
    Then the watch delivers nothing
    """
    watch = _begun(world)
    world.driver.settle()
    events = watch.events[watch.told :]
    require(not events, lambda: f"the watch delivered {_told(events)}")


@then("the watch delivers a bookmark")
@then("the watch delivers a bookmark with:")
def delivers_bookmark(world: World, datatable: Table | None = None) -> None:
    """
    Then the watch delivers a bookmark
    Then the watch delivers a bookmark with:
      | field                                             | value  |
      | metadata.annotations["k8s.io/initial-events-end"] | "true" |
    """
    watch = _begun(world)

    def arrived() -> None:
        require(watch.bookmarks, lambda: f"no bookmark, but {_told(watch.events)}")

    world.driver.eventually(arrived, SOON)
    for row in rows(datatable, "field", "value") if datatable else ():
        difference = mismatch(get(watch.bookmarks[-1], row["field"]), row["value"])
        require(not difference, f"the bookmark's {row['field']} {difference}")


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


def _start(world: World, all: Collection, version: str | None, table: Table | None) -> None:
    options = world.selectors(all)
    for row in rows(table, "option", "value") if table else ():
        if row["option"] not in _OPTIONS:
            raise Misused(f"no option {row['option']!r}; options: {', '.join(_OPTIONS)}")
        options[_OPTIONS[row["option"]]] = world.version(row["value"])
    if world.watch is not None:
        world.watch.stop()
    world.watch = Watch(world, world.collection_path(world.kind(all.kind), all.namespace), options)
    world.watch.start(version)


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


def _told(events: list[tuple[str, Any]]) -> str:
    return ", ".join(f"{kind.lower()} {get(obj, 'metadata.name')}" for kind, obj in events) or "nothing"


def _make_changes(world: World, table: Table) -> None:
    for row in rows(table, "change", "object"):
        ref: ObjectRef = TYPES["Object"](row["object"])
        fields = {name: cell for name, cell in row.items() if name not in ("change", "object") and cell}
        if row["change"] == "create":
            obj = world.build(ref)
        elif row["change"] in ("update", "delete"):
            obj = world.read_raw(ref)
        else:
            raise Misused(f"no change {row['change']!r}; changes: create, update, delete")
        for path, cell in fields.items():
            obj = put(obj, path, cell_value(cell))
        if row["change"] == "create":
            world.create(ref, world.outgoing(obj))
        elif row["change"] == "update":
            world.do("PUT", world.path(ref), f"updating {ref}", body=world.outgoing(obj))
        else:
            world.do("DELETE", world.path(ref), f"deleting {ref}")
