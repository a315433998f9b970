"""What is there before, what is there afterwards, and time: the steps of every domain."""

from __future__ import annotations

from typing import Any

from gherkube.phrases import Collection, ObjectRef
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
def time_has_passed(world: World, time: float) -> None:
    """
    Given 10 minutes have passed
    """
    world.driver.pass_time(time)


@when("{time:Duration} pass")
def time_passes(world: World, time: float) -> None:
    """
    When 40 seconds pass
    """
    world.driver.pass_time(time)


@then("the {ref:Object} has:")
def object_has(world: World, ref: ObjectRef, datatable: Table) -> None:
    """
    Then the ConfigMap "settings" has:
      | field                     | value     |
      | data.color                | blue      |
      | metadata.uid              | (present) |
      | metadata.finalizers       | (absent)  |
      | metadata.resourceVersion  | /[0-9]+/  |
    """
    check_fields(str(ref), world.read(ref), datatable)


@then("within {time:Duration} the {ref:Object} has:")
def object_has_within(world: World, time: float, ref: ObjectRef, datatable: Table) -> None:
    """
    Then within 40 seconds the Pod "web" has:
      | field        | value   |
      | status.phase | Running |
    """
    world.driver.eventually(lambda: check_fields(str(ref), world.read(ref), datatable), time)


@then("for {time:Duration} the {ref:Object} still has:")
def object_has_for(world: World, time: float, ref: ObjectRef, datatable: Table) -> None:
    """
    Then for 1 minute the Pod "web" still has:
      | field        | value   |
      | status.phase | Running |
    """
    world.driver.always(lambda: check_fields(str(ref), world.read(ref), datatable), time)


@then("there is {a:Article} {ref:Object}")
def there_is_then(world: World, ref: ObjectRef) -> None:
    """
    Then there is a ConfigMap "settings"
    """
    require(world.exists(ref), f"there is no {ref}")


@then("there is no {ref:Object}")
def there_is_none(world: World, ref: ObjectRef) -> None:
    """
    Then there is no ConfigMap "settings"
    """
    require(not world.exists(ref), f"there is a {ref}")


@then("within {time:Duration} there is no {ref:Object}")
def there_is_none_within(world: World, time: float, ref: ObjectRef) -> None:
    """
    Then within 30 seconds there is no Pod "web"
    """
    world.driver.eventually(lambda: require(not world.exists(ref), f"there is a {ref}"), time)


@then("for {time:Duration} there is no {ref:Object}")
def there_is_none_for(world: World, time: float, ref: ObjectRef) -> None:
    """
    Then for 10 seconds there is no Endpoints "web"
    """
    world.driver.always(lambda: require(not world.exists(ref), f"there is a {ref}"), time)


@then("within {time:Duration} there is {a:Article} {ref:Object}")
def there_is_within(world: World, time: float, ref: ObjectRef) -> None:
    """
    Then within 30 seconds there is a ServiceAccount "default"
    """
    world.driver.eventually(lambda: there_is_then(world, ref), time)


@then("for {time:Duration} there is still {a:Article} {ref:Object}")
def there_is_for(world: World, time: float, ref: ObjectRef) -> None:
    """
    Then for 30 seconds there is still a Pod "web"
    """
    world.driver.always(lambda: there_is_then(world, ref), time)


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


@then("within {time:Duration} there are no {all:Collection}")
def there_are_none_within(world: World, time: float, all: Collection) -> None:
    """
    Then within 30 seconds there are no EndpointSlices
    """
    world.driver.eventually(lambda: there_are_none(world, all), time)


@then("for {time:Duration} there are no {all:Collection}")
def there_are_none_for(world: World, time: float, all: Collection) -> None:
    """
    Then for 10 seconds there are no EndpointSlices
    """
    world.driver.always(lambda: there_are_none(world, all), time)


@then("within {time:Duration} there are {n:Number} {all:Collection}")
def there_are_number_within(world: World, time: float, n: int, all: Collection) -> None:
    """
    Then within 30 seconds there are 3 Pods labelled "app=web"
    """
    world.driver.eventually(lambda: there_are_number(world, n, all), time)


@then("the only {all:Collection} are {names:Names}")
def the_only_are(world: World, all: Collection, names: list[str]) -> None:
    """
    Then the only ConfigMaps labelled "app=web" are "a" and "b"
    """
    check_names(all.kind, [item["metadata"]["name"] for item in world.plain(world.listing(all))["items"]], names)


@then("within {time:Duration} the only {all:Collection} are {names:Names}")
def the_only_are_within(world: World, time: float, all: Collection, names: list[str]) -> None:
    """
    Then within 30 seconds the only Pods labelled "app=web" are "a" and "b"
    """
    world.driver.eventually(lambda: the_only_are(world, all, names), time)


@then("there are no {all:Collection}")
def there_are_none(world: World, all: Collection) -> None:
    """
    Then there are no ConfigMaps labelled "app=web"
    """
    check_names(all.kind, [item["metadata"]["name"] for item in world.plain(world.listing(all))["items"]], [])


@then("there are {n:Number} {all:Collection}")
def there_are_number(world: World, n: int, all: Collection) -> None:
    """
    Then there are 5 Pods labelled "app=web"
    """
    names = [item["metadata"]["name"] for item in world.plain(world.listing(all))["items"]]
    require(len(names) == n, f"there are {len(names)} {all.kind}, not {n}: {show(names)}")


@then('the {ref:Object} is still at version "{called:Text}"')
def is_still_at(world: World, ref: ObjectRef, called: str) -> None:
    """
    Then the ConfigMap "settings" is still at version "old"
    """
    version = world.read_raw(ref)["metadata"]["resourceVersion"]
    wanted = world.version(called)
    require(version == wanted, f'{ref} is at version {version}, no longer at "{called}" ({wanted})')


@then('the {ref:Object} is no longer at version "{called:Text}"')
def is_no_longer_at(world: World, ref: ObjectRef, called: str) -> None:
    """
    Then the ConfigMap "settings" is no longer at version "old"
    """
    version = world.read_raw(ref)["metadata"]["resourceVersion"]
    require(version != world.version(called), f'{ref} is still at version "{called}" ({version})')


@then('the {ref:Object} still has the uid "{called:Text}"')
def has_the_same_uid(world: World, ref: ObjectRef, called: str) -> None:
    """
    Then the ConfigMap "settings" still has the uid "first"
    """
    require(world.read_raw(ref)["metadata"]["uid"] == world.version(called), f'{ref} has another uid than "{called}"')


@then('the {ref:Object} no longer has the uid "{called:Text}"')
def has_another_uid(world: World, ref: ObjectRef, called: str) -> None:
    """
    Then the ConfigMap "settings" no longer has the uid "first"
    """
    require(world.read_raw(ref)["metadata"]["uid"] != world.version(called), f'{ref} still has the uid "{called}"')


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
