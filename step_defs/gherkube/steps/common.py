"""What is there before, what is there afterwards, and time: the steps of every domain."""

from __future__ import annotations

from typing import Any

from gherkube.phrases import Collection, ObjectRef, Timing
from gherkube.steps import given, then, when
from gherkube.values import ABSENT, from_yaml, get, merge, mismatch, rows, show
from gherkube.world import SOON, Misused, World, objects_of_table, require, set_fields

Table = list[list[str]]

PATIENCE = 30.0  # seconds that what a scenario presumes may take


@given("{a:Article} {ref:Object}")
@given("{a:Article} {ref:Object} with:")
def there_is(world: World, ref: ObjectRef, docstring: str | None = None, datatable: Table | None = None) -> None:
    """
    Given a ConfigMap "settings"
    Given a Pod "web" with:                                 (or with a docstring; laid over the smallest Pod)
      | field               | value |
      | metadata.labels.app | web   |
    """
    world.create(ref, world.build(ref, docstring, datatable))


@given("these {kind:Kind}:")
def there_are_these(world: World, kind: str, datatable: Table) -> None:
    """
    Given these ConfigMaps:
      | name | labels             | data.color |
      | a    | app=web            | blue       |
      | b    | app=web,tier=front |            |
    """
    for name, namespace, obj in objects_of_table(world.kind(kind), datatable):
        world.create(ObjectRef(kind, name, namespace), world.outgoing(obj))


@given('{n:Number} {kind:Kind} named "{first:Text}" to "{last:Text}"')
def there_are_many(world: World, n: int, kind: str, first: str, last: str) -> None:
    """
    Given 25 ConfigMaps named "item-01" to "item-25"
    """
    for name in numbered(n, first, last):
        ref = ObjectRef(kind, name)
        world.create(ref, world.build(ref))


@given("somebody has changed the {ref:Object}:")
def somebody_has_changed(world: World, ref: ObjectRef, datatable: Table) -> None:
    """
    Given somebody has changed the ConfigMap "settings":
      | field      | value |
      | data.color | green |
    """

    def change() -> None:  # once more where a controller was faster
        body = set_fields(world.read_raw(ref), datatable)
        world.do("PUT", world.path(ref), f"changing {ref}", body=world.outgoing(body))

    world.driver.eventually(change, SOON)
    world.await_force(ref)


@given("somebody has deleted the {ref:Object}")
@given('somebody has deleted the {ref:Object} with the propagation "{policy:Text}"')
def somebody_has_deleted(world: World, ref: ObjectRef, policy: str = "") -> None:
    """
    Given somebody has deleted the ConfigMap "settings"
    Given somebody has deleted the ReplicaSet "web" with the propagation "Orphan"
    """
    options = {"propagationPolicy": policy} if policy else {}
    world.do("DELETE", world.path(ref), f"deleting {ref}", options=options)


@given('the version of the {ref:Object} is called "{called:Text}"')
def remember_version(world: World, ref: ObjectRef, called: str) -> None:
    """
    Given the version of the ConfigMap "settings" is called "old"
    """
    world.versions[called] = world.read_raw(ref)["metadata"]["resourceVersion"]


@given('the uid of the {ref:Object} is called "{called:Text}"')
def remember_uid(world: World, ref: ObjectRef, called: str) -> None:
    """
    Given the uid of the ConfigMap "settings" is called "first"
    """
    world.versions[called] = world.read_raw(ref)["metadata"]["uid"]


@given('"{path:Text}" of the {ref:Object} is called "{called:Text}"')
def remember_field(world: World, path: str, ref: ObjectRef, called: str) -> None:
    """
    Given "spec.podCIDR" of the Node "old" is called "its subnet"
    """

    def check() -> str:
        found = get(world.read_raw(ref), path)
        require(found is not ABSENT, f"{ref} has no {path}")
        return str(found)

    world.versions[called] = world.driver.eventually(check, PATIENCE)


@given('the version of all {all:Collection} is called "{called:Text}"')
def remember_collection_version(world: World, all: Collection, called: str) -> None:
    """
    Given the version of all ConfigMaps is called "start"
    """
    world.versions[called] = world.listing(all)["metadata"]["resourceVersion"]


@given("the {ref:Object} has come to have:")
def has_come_to_have(world: World, ref: ObjectRef, datatable: Table) -> None:
    """
    Given the PersistentVolumeClaim "data" has come to have:
      | field        | value |
      | status.phase | Bound |
    """
    world.driver.eventually(lambda: check_fields(str(ref), world.read(ref), datatable), PATIENCE)
    world.await_force(ref)


@given("{time:Duration} have passed")
@when("{time:Duration} pass")
def time_passes(world: World, time: float) -> None:
    """
    Given 10 minutes have passed
    When 40 seconds pass
    """
    world.driver.pass_time(time)


@then("{timing:Timing}the {ref:Object} {still:Still}has:")
def object_has(world: World, timing: Timing, ref: ObjectRef, datatable: Table) -> None:
    """
    Then the ConfigMap "settings" has:                      (or "within 40 seconds the ..." or "for 1 minute ... still")
      | field                     | value     |
      | data.color                | blue      |
      | metadata.uid              | (present) |
      | metadata.finalizers       | (absent)  |
      | metadata.resourceVersion  | /[0-9]+/  |
    """
    world.holds(timing, lambda: check_fields(str(ref), world.read(ref), datatable))


@then("{timing:Timing}there is {still:Still}{a:Article} {ref:Object}")
def there_is_then(world: World, timing: Timing, ref: ObjectRef) -> None:
    """
    Then there is a ConfigMap "settings"
    Then for 30 seconds there is still a Pod "web"
    """
    world.holds(timing, lambda: require(world.exists(ref), f"there is no {ref}"))


@then("{timing:Timing}there is no {ref:Object}")
def there_is_none(world: World, timing: Timing, ref: ObjectRef) -> None:
    """
    Then within 30 seconds there is no Pod "web"
    """
    world.holds(timing, lambda: require(not world.exists(ref), f"there is a {ref}"))


@then('within {time:Duration} an Event "{reason:Text}" tells of the {ref:Object}')
def event_tells(world: World, time: float, reason: str, ref: ObjectRef) -> None:
    """
    Then within 30 seconds an Event "EnsuredLoadBalancer" tells of the Service "web"
    """

    def told() -> None:
        listed = world.plain(world.listing(Collection("Event", ref.namespace)))["items"]
        about = [one for one in listed if (get(one, "involvedObject.kind"), get(one, "involvedObject.name")) == ref[:2]]
        reasons = sorted({str(get(one, "reason")) for one in about})
        require(reason in reasons, lambda: f"the Events about {ref} are {show(reasons)}")

    world.driver.eventually(told, time)


@then("{timing:Timing}the only {all:Collection} are {names:Names}")
def the_only_are(world: World, timing: Timing, all: Collection, names: list[str]) -> None:
    """
    Then the only ConfigMaps labelled "app=web" are "a" and "b"
    """
    world.holds(timing, lambda: check_names(all.kind, names_of(world, all), names))


@then("{timing:Timing}there are no {all:Collection}")
def there_are_none(world: World, timing: Timing, all: Collection) -> None:
    """
    Then within 30 seconds there are no ConfigMaps labelled "app=web"
    """
    the_only_are(world, timing, all, [])


@then("{timing:Timing}there are {n:Number} {all:Collection}")
def there_are_number(world: World, timing: Timing, n: int, all: Collection) -> None:
    """
    Then there are 5 Pods labelled "app=web"
    """

    def check() -> None:
        names = names_of(world, all)
        require(len(names) == n, f"there are {len(names)} {all.kind}, not {n}: {show(names)}")

    world.holds(timing, check)


@then('the {ref:Object} is {kept:Kept} at version "{called:Text}"')
def is_at_version(world: World, ref: ObjectRef, kept: bool, called: str) -> None:
    """
    Then the ConfigMap "settings" is still at version "old"            (or: is no longer)
    """
    version, wanted = world.read_raw(ref)["metadata"]["resourceVersion"], world.version(called)
    require((version == wanted) is kept, f'{ref} is at version {version}; "{called}" is {wanted}')


@then('the {ref:Object} {kept:Kept} has the uid "{called:Text}"')
def has_the_uid(world: World, ref: ObjectRef, kept: bool, called: str) -> None:
    """
    Then the ConfigMap "settings" still has the uid "first"               (or: no longer has)
    """
    uid, wanted = world.read_raw(ref)["metadata"]["uid"], world.version(called)
    require((uid == wanted) is kept, f'{ref} has the uid {uid}; "{called}" is {wanted}')


def names_of(world: World, all: Collection) -> list[str]:
    return [item["metadata"]["name"] for item in world.plain(world.listing(all))["items"]]


def check_fields(what: str, obj: Any, table: Table) -> None:
    """Each row | field | value | against the object; tells of every field that differs."""
    wrong = []
    for row in rows(table, "field", "value"):
        difference = mismatch(get(obj, row["field"]), row["value"])
        if difference:
            wrong.append(f"{row['field']} {difference}")
    require(not wrong, lambda: f"{what}: " + "; ".join(wrong))


def numbered(n: int, first: str, last: str) -> list[str]:
    """The names from "item-01" to "item-25"."""
    stem, digits = first.rstrip("0123456789"), len(first) - len(first.rstrip("0123456789"))
    start = int(first[len(stem) :] or "0")
    names = [f"{stem}{number:0{digits}}" for number in range(start, start + n)]
    if names[-1] != last:
        raise Misused(f'{n} names from "{first}" end at "{names[-1]}", not at "{last}"')
    return names


def check_names(what: str, actual: list[str], wanted: list[str]) -> None:
    """The names in any order, each once."""
    if sorted(actual) != sorted(wanted):
        missing = [name for name in wanted if name not in actual]
        surplus = list(actual)
        for name in wanted:
            if name in surplus:
                surplus.remove(name)
        detail = [f"missing {show(missing)}" if missing else "", f"too many {show(surplus)}" if surplus else ""]
        raise AssertionError(f"{what}: {', '.join(filter(None, detail))}")


def body_of(base: Any, docstring: str | None, table: Table | None) -> Any:
    """An object with a docstring's fields laid over it, and a table's fields set."""
    if docstring is not None:
        base = merge(base, from_yaml(docstring))
    return set_fields(base, table)
