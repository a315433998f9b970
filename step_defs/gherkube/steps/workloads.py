"""Workloads: what controllers make of a template, how they replace it, and who owns whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gherkube.drivers.base import Object
from gherkube.phrases import TYPES, Collection, ObjectRef, Timing
from gherkube.steps import given, then
from gherkube.steps.common import Table
from gherkube.steps.pods import GATE, RUNNING_WITHIN, gate_closes, gate_opens
from gherkube.values import ABSENT, get, put, rows, show
from gherkube.world import Misused, Watch, World, require

_HAPPENINGS = ("added", "ready", "terminating", "deleted")


# What runs


@given("a running {ref:Object}")
@given("a running {ref:Object} with:")
def there_is_running(
    world: World, ref: ObjectRef, docstring: str | None = None, datatable: Table | None = None
) -> None:
    """
    Given a running Deployment "web" with:                  (its Pods are ready; readiness gates have been opened)
      | field         | value |
      | spec.replicas | 3     |
    """
    world.create(ref, world.build(ref, docstring, datatable))
    has_rolled_out(world, ref)


@given("the {ref:Object} has rolled out")
def has_rolled_out(world: World, ref: ObjectRef) -> None:
    """
    Given the Deployment "web" has rolled out               (its Pods are of its template, and ready, as by now asked)
    """

    def check() -> None:
        obj = world.read_raw(ref)
        _open_gates(world, ref, obj)
        differing = _not_rolled_out(obj)
        require(not differing, lambda: f"{ref} has not rolled out: {', '.join(differing)}")

    world.driver.eventually(check, RUNNING_WITHIN)


@given("the readiness gate of the {ref:Object} has closed")
def gate_has_closed(world: World, ref: ObjectRef) -> None:
    """
    Given the readiness gate of the Pod "web-0" has closed
    """
    gate_closes(world, ref)


@given("the {all:Collection} are called {names:Names}")
def are_called(world: World, all: Collection, names: list[str]) -> None:
    """
    Given the Pods labelled "app=web" are called "a", "b" and "c"     (these only; from now on, in this scenario)
    """

    def check() -> list[str]:
        found = [item for item in world.listing(all)["items"] if _is(item, "active")]
        made = sorted(found, key=lambda item: (item["metadata"]["creationTimestamp"], item["metadata"]["name"]))
        real = [item["metadata"]["name"] for item in made]
        require(len(real) == len(names), lambda: f"there are {len(real)} {all.kind}, not {len(names)}: {show(real)}")
        return real

    found = world.driver.eventually(check, RUNNING_WITHIN)
    world.names.called.update(zip(names, found, strict=True))


@then("{timing:Timing}there are {n:Number} {state:State} {all:Collection}")
@then("{timing:Timing}there is {n:Number} {state:State} {all:Collection}")
def there_are_in_state(world: World, timing: Timing, n: int, state: str, all: Collection) -> None:
    """
    Then within 30 seconds there are 3 ready Pods labelled "app=web"  (active: neither terminating nor finished)
    Then for 5 seconds there are 3 active Pods labelled "app=web"
    """

    def check() -> None:
        found = world.plain(world.listing(all)["items"])
        names = [item["metadata"]["name"] for item in found if _is(item, state)]
        require(len(names) == n, lambda: f"there are {len(names)} {state} {all.kind}, not {n}: {show(names)}")

    world.holds(timing, check)


def _open_gates(world: World, ref: ObjectRef, obj: Object) -> None:
    gates = get(obj, "spec.template.spec.readinessGates")
    if gates is ABSENT or GATE not in [gate["conditionType"] for gate in gates]:
        return
    labels = ",".join(f"{name}={value}" for name, value in get(obj, "spec.template.metadata.labels").items())
    for pod in world.listing(Collection("Pod", ref.namespace, labels))["items"]:
        closed = get(pod, f"status.conditions[type={GATE}].status") != "True"
        if closed and _is(pod, "active") and get(pod, "status.phase") == "Running":
            gate_opens(world, ObjectRef("Pod", pod["metadata"]["name"], ref.namespace))


def _not_rolled_out(obj: Object) -> list[str]:
    """What of the status is not yet as it is in the end."""
    number = get(obj, "spec.replicas")
    wanted = {
        "status.observedGeneration": get(obj, "metadata.generation"),
        "status.replicas": number,
        "status.readyReplicas": number,
    }
    if obj["kind"] == "Deployment":
        wanted["status.updatedReplicas"] = number
    if obj["kind"] == "StatefulSet":
        wanted["status.currentRevision"] = get(obj, "status.updateRevision")
    return [f"{path} is {get(obj, path)}" for path, value in wanted.items() if (get(obj, path) or 0) != value]


def _is(obj: Object, state: str) -> bool:
    """Whether a Pod, or what has no phase, is in the state."""
    terminating = get(obj, "metadata.deletionTimestamp") is not ABSENT
    unfinished = get(obj, "status.phase") not in ("Succeeded", "Failed")
    ready = get(obj, "status.conditions[type=Ready].status") == "True"
    active = unfinished and not terminating
    return {
        "active": active,
        "ready": active and ready,
        "unready": active and not ready,
        "terminating": terminating,
        "unfinished": unfinished,
    }[state]


# What a watch saw


@then("throughout the watch the {kind:Kind} ask for at most {n:Number} Pods")
def ask_for_at_most(world: World, kind: str, n: int) -> None:
    """
    Then throughout the watch the ReplicaSets ask for at most 5 Pods  (all together, at every moment)
    """
    for objects in _moments(world):
        asked = {name: get(obj, "spec.replicas") for name, obj in objects.items()}
        require(sum(asked.values()) <= n, lambda asked=asked: f"at one time the {kind} asked for {asked}")  # type: ignore[misc]


@then("throughout the watch there are at least {n:Number} {state:State} {kind:Kind}")
def at_least(world: World, n: int, state: str, kind: str) -> None:
    """
    Then throughout the watch there are at least 3 ready Pods
    """
    for objects in _moments(world):
        names = [name for name, obj in objects.items() if _is(obj, state)]
        require(len(names) >= n, lambda names=names: f"at one time only these were {state}: {show(names)}")  # type: ignore[misc]


@then(
    'throughout the watch no {state:State} {kind:Kind} labelled "{one:Text}" is there with one labelled "{other:Text}"'
)
def never_together(world: World, state: str, kind: str, one: str, other: str) -> None:
    """
    Then throughout the watch no unfinished Pod labelled "version=1" is there with one labelled "version=2"
    """
    seen = set()
    for objects in _moments(world):
        names = [
            {name for name, obj in objects.items() if _is(obj, state) and _has_label(obj, label)}
            for label in (one, other)
        ]
        seen |= names[0] | names[1]
        require(not all(names), lambda names=names: f"together: {show([sorted(each) for each in names])}")  # type: ignore[misc]
    require(seen, f"the watch saw no {kind} labelled {one} or {other}")


@then("within {time:Duration} the watch shows in this order:")
def shows_in_order(world: World, time: float, datatable: Table) -> None:
    """
    Then within 30 seconds the watch shows in this order:   (each of these kinds of event; others may come between)
      | event | name  |
      | added | web-0 |
      | ready | web-0 |
      | added | web-1 |
    """
    wanted = [(row["event"], row["name"]) for row in rows(datatable, "event", "name")]
    if unknown := [event for event, _ in wanted if event not in _HAPPENINGS]:
        raise Misused(f"no event {unknown[0]!r}; events: {', '.join(_HAPPENINGS)}")
    kinds = {event for event, _ in wanted}

    def found() -> list[tuple[str, str]]:
        return [(event, name) for event, name in _happenings(world) if event in kinds]

    def told(events: list[tuple[str, str]]) -> str:
        return ", ".join(f"{event} {name}" for event, name in events) or "nothing"

    world.driver.eventually(lambda: require(len(found()) >= len(wanted), lambda: f"seen: {told(found())}"), time)
    world.driver.settle()
    require(found() == wanted, lambda: f"seen: {told(found())}; not: {told(wanted)}")


def _moments(world: World) -> Iterator[dict[str, Object]]:
    """What there is, by name, from the beginning of the watch and after each of its events."""
    world.driver.settle()
    watch = _watch(world)
    objects = {obj["metadata"]["name"]: obj for obj in world.plain(watch.before)}
    yield objects
    events = watch.events
    require(events, "the watch has delivered nothing")
    for event, obj in events:
        require(event != "ERROR", lambda obj=obj: f"the watch ended with {show(obj)}")  # type: ignore[misc]
        objects.pop(obj["metadata"]["name"], None)
        if event != "DELETED":
            objects[obj["metadata"]["name"]] = obj
        yield objects


def _happenings(world: World) -> Iterator[tuple[str, str]]:
    """What became of whom, in order, since the watch began."""
    watch = _watch(world)
    before = {obj["metadata"]["name"]: obj for obj in world.plain(watch.before)}
    for event, obj in watch.events:
        name = get(obj, "metadata.name")
        if event == "DELETED":
            before.pop(name, None)
            yield "deleted", name
            continue
        if event == "ADDED":
            yield "added", name
        for state in ("ready", "terminating"):
            if _is(obj, state) and (name not in before or not _is(before[name], state)):
                yield state, name
        before[name] = obj


def _watch(world: World) -> Watch:
    if world.watch is None:
        raise Misused("no watch has been started")
    return world.watch


def _has_label(obj: Object, label: str) -> bool:
    name, _, value = label.partition("=")
    return bool((get(obj, "metadata.labels") or {}).get(name) == value)


# Owners


@given("{a:Article} {ref:Object} owned by:")
def there_is_owned(world: World, ref: ObjectRef, datatable: Table) -> None:
    """
    Given a ConfigMap "part" owned by:                      (a uid says whom else than the present bearer of the name)
      | owner             | blocks its deletion | uid   |
      | ConfigMap "whole" | yes                 | first |
    """
    world.create(ref, _owned(world, ref, datatable))


def _owned(world: World, ref: ObjectRef, table: Table) -> Any:
    return put(world.build(ref), "metadata.ownerReferences", [_reference(world, row) for row in rows(table, "owner")])


def _reference(world: World, row: dict[str, str]) -> Object:
    owner: ObjectRef = TYPES["Object"](row["owner"])
    uid = world.version(row["uid"]) if row.get("uid") else world.read_raw(owner)["metadata"]["uid"]
    kind = world.kind(owner.kind)
    name = owner.name if kind.namespaced else world.names.cluster(owner.name)
    reference = {"apiVersion": kind.api_version, "kind": kind.kind, "name": name, "uid": uid}
    return {**reference, "blockOwnerDeletion": True} if row.get("blocks its deletion") == "yes" else reference
