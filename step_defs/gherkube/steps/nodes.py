"""Nodes: machines that join, fall silent and come back; Node objects that the scenario speaks for; taints; subnets.

A node without a kubelet is one whose reports the scenario makes itself, so that its silence needs no fault of a
machine. It carries a taint that keeps the Pods of others away.
"""

from __future__ import annotations

from datetime import datetime
from ipaddress import ip_network
from itertools import combinations, pairwise

from gherkube.drivers.base import Object
from gherkube.phrases import Collection, ObjectRef, Timing
from gherkube.steps import given, then, when
from gherkube.steps.common import Table
from gherkube.values import get, rows, show
from gherkube.world import ABSENT, Misused, World, require

JOINS_WITHIN = 60.0  # seconds
GIVEN_UP_WITHIN = 100.0  # seconds until a node that is not heard of is unreachable: 60 of grace, and what follows
POD_RANGE = "pod-range"  # the parameter of a target that tells the range of Pods' addresses
ZONE = "topology.kubernetes.io/zone"
OF_CONDITIONS = "node.kubernetes.io/"
KEEP_OFF = {"key": "gherkube.dev/keep-off", "effect": "NoSchedule"}
NO_EXECUTE = "NoExecute"
_UNREACHABLE = f"{OF_CONDITIONS}unreachable"
_STRATEGIC = "application/strategic-merge-patch+json"
_READY = {"yes": "True", "no": "False", "": ""}


# Machines


@given('a ready node, called "{called:Text}"')
def a_ready_node(world: World, called: str) -> None:
    """
    Given a ready node, called "worker"                     (one of those that the cluster has)
    """

    def find() -> str:
        for node in world.listing(Collection("Node"))["items"]:
            if get(node, "status.conditions[type=Ready].status") == "True" and KEEP_OFF not in _taints(node):
                return str(node["metadata"]["name"])
        raise AssertionError("no node is ready")

    name = world.driver.eventually(find, JOINS_WITHIN)
    world.names.call(name, called)
    world.names.called[called] = name


@given("the nodes {names:Names} have joined")
@given('the nodes {names:Names} have joined the zone "{zone:Text}"')
def have_joined(world: World, names: list[str], zone: str = "") -> None:
    """
    Given the nodes "a" and "b" have joined
    Given the nodes "a" and "b" have joined the zone "east"
    """
    for name in names:
        world.driver.join(world.names.cluster(name))
    for name in names:
        world.driver.eventually(lambda name=name: _must_be_well(world, name), JOINS_WITHIN)  # type: ignore[misc]
        if zone:
            body = {"metadata": {"labels": {ZONE: world.names.cluster(zone)}}}
            world.do("PATCH", _path(world, name), f"moving node {name}", body=body, content_type=_STRATEGIC)


@when('the node "{name:Text}" joins')
def joins(world: World, name: str) -> None:
    """
    When the node "new" joins
    """
    world.driver.join(world.names.cluster(name))


@given("the nodes {names:Names} have fallen silent")
@when("the nodes {names:Names} fall silent")
@when("the node {names:Names} falls silent")
def fall_silent(world: World, names: list[str]) -> None:
    """
    Given the nodes "a" and "b" have fallen silent
    When the nodes "a" and "b" fall silent
    When the node "a" falls silent
    """
    for name in names:
        world.driver.silence(world.names.cluster(name))


@when('the node "{name:Text}" comes back')
def comes_back(world: World, name: str) -> None:
    """
    When the node "a" comes back
    """
    world.driver.resume(world.names.cluster(name))


@given('the node "{name:Text}" has been cut off')
@when('the node "{name:Text}" is cut off')
def is_cut_off(world: World, name: str) -> None:
    """
    When the node "a" is cut off                            (from all machines and the API server; all on it runs on)
    Given the node "a" has been cut off
    """
    world.driver.cut_off(world.names.cluster(name))


@when('the node "{name:Text}" is connected again')
def is_connected_again(world: World, name: str) -> None:
    """
    When the node "a" is connected again
    """
    world.driver.mend(world.names.cluster(name))


@given('the Node "{name:Text}" has come to be unreachable')
def has_become_unreachable(world: World, name: str) -> None:
    """
    Given the Node "a" has come to be unreachable
    """
    world.driver.eventually(lambda: _must_be_unreachable(world, name), GIVEN_UP_WITHIN)


# Node objects that the scenario speaks for


@given("these nodes without a kubelet:")
def nodes_without_kubelet(world: World, datatable: Table) -> None:
    """
    Given these nodes without a kubelet:
      | name | zone | ready |                              (yes and no have been reported; nothing else has)
      | a    | east | yes   |
      | b    | east |       |
    """
    for row in rows(datatable, "name"):
        if row["ready"] not in _READY:
            raise Misused(f"a node is ready: yes or no, or has not told; not {row['ready']!r}")
        zone = world.names.cluster(row.get("zone") or f"zone-of-{row['name']}")
        metadata = {"name": row["name"], "labels": {ZONE: zone}}
        node = {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": {"taints": [KEEP_OFF]}}
        world.create(ObjectRef("Node", row["name"]), world.outgoing(node))
    for row in rows(datatable, "name"):
        if row["ready"]:
            reports(world, row["name"], "Ready", _READY[row["ready"]])
        if row["ready"] == "yes":
            world.driver.eventually(lambda name=row["name"]: _must_be_well(world, name), JOINS_WITHIN)  # type: ignore[misc]


@given('the Node "{name:Text}" has reported {condition:Kind} as "{status:Text}"')
@when('the Node "{name:Text}" reports {condition:Kind} as "{status:Text}"')
def reports(world: World, name: str, condition: str, status: str) -> None:
    """
    Given the Node "a" has reported MemoryPressure as "True"
    When the Node "a" reports Ready as "True"               (in place of its kubelet)
    """
    beats = world.versions.get(f"heartbeats of {name}", "")
    world.versions[f"heartbeats of {name}"] = f"{beats}."
    told = {"type": condition, "status": status, "reason": "Told", "message": "by the scenario"}
    told["lastHeartbeatTime"] = f"2026-01-01T00:00:{len(beats):02}Z"  # that it changes is what counts
    what = f"the report of node {name}"
    world.do(
        "PATCH", _path(world, name, "status"), what, body={"status": {"conditions": [told]}}, content_type=_STRATEGIC
    )


# Taints


@given('the Node "{name:Text}" has been given the taint {keys:Names} with the effect {effect:Kind}')
@when('the Node "{name:Text}" is given the taint {keys:Names} with the effect {effect:Kind}')
@when('the Node "{name:Text}" is given the taints {keys:Names} with the effect {effect:Kind}')
def is_given_taints(world: World, name: str, keys: list[str], effect: str) -> None:
    """
    Given the Node "a" has been given the taint "example.com/fire" with the effect NoExecute
    When the Node "a" is given the taint "example.com/fire" with the effect NoExecute
    """
    _change_taints(world, name, dict.fromkeys(keys, effect))


@when('the Node "{name:Text}" is rid of the taint "{key:Text}"')
def is_rid_of_taint(world: World, name: str, key: str) -> None:
    """
    When the Node "a" is rid of the taint "example.com/fire"
    """
    _change_taints(world, name, {key: ""})


@then('{timing:Timing}the Node "{name:Text}" is {still:Still}tainted:')
def is_tainted(world: World, timing: Timing, name: str, datatable: Table) -> None:
    """
    Then within 30 seconds the Node "a" is tainted:         (by its conditions: so, and not otherwise)
      | key                            | effect     |
      | node.kubernetes.io/unreachable | NoSchedule |
    Then for 30 seconds the Node "a" is still tainted:
    """
    world.holds(timing, lambda: _must_be_tainted(world, name, datatable))


@then('{timing:Timing}the Node "{name:Text}" is not tainted')
def is_not_tainted(world: World, timing: Timing, name: str) -> None:
    """
    Then within 30 seconds the Node "a" is not tainted      (by its conditions)
    """
    world.holds(timing, lambda: _must_be_tainted(world, name, None))


@then("within {time:Duration} the nodes {names:Names} have come to be unreachable, each {apart:Duration} after another")
def in_turn(world: World, time: float, names: list[str], apart: float) -> None:
    """
    Then within 1 minute the nodes "a" and "b" have come to be unreachable, each 9 seconds after another
    """
    world.driver.eventually(lambda: [_must_be_unreachable(world, name) for name in names], time)
    times = sorted(_must_be_unreachable(world, name) for name in names)
    gaps = [(after - before).total_seconds() for before, after in pairwise(times)]
    require(min(gaps) >= apart, f"the nodes were tainted {gaps} seconds after another")


# Subnets


@then("within {time:Duration} every node has a Pod subnet")
def every_node_has_subnet(world: World, time: float) -> None:
    """
    Then within 30 seconds every node has a Pod subnet
    """

    def check() -> None:
        nodes = world.plain(world.listing(Collection("Node")))["items"]
        without = [get(node, "metadata.name") for node in nodes if get(node, "spec.podCIDR") is ABSENT]
        require(not without, f"without a subnet are {show(without)}")

    world.driver.eventually(check, time)


@then("the Pod subnets of all nodes lie in the cluster's range, and none overlaps another")
def subnets_do_not_overlap(world: World) -> None:
    """
    Then the Pod subnets of all nodes lie in the cluster's range, and none overlaps another
    """
    nodes = world.listing(Collection("Node"))["items"]
    subnets = [(ip_network(cidr), name_) for node in nodes for cidr in _cidrs(node) for name_ in [_name(node)]]
    require(subnets, "no node has a subnet")
    for (one, name), (other, another) in combinations(subnets, 2):
        overlap = one.version == other.version and one.overlaps(other)
        require(not overlap, f"{name} has {one} and {another} has {other}")
    services = [ip_network(cidr) for one in world.listing(Collection("ServiceCIDR"))["items"] for cidr in _of(one)]
    told = world.driver.parameters.get(POD_RANGE)
    for subnet, name in subnets:
        taken = any(subnet.version == one.version and subnet.overlaps(one) for one in services)
        require(not taken, f"{name} has {subnet}, which is the Services'")
        if told is not None:
            ranges = [ip_network(part) for part in told.split(",")]
            fits = any(subnet.version == one.version and subnet.subnet_of(one) for one in ranges)  # type: ignore[arg-type]
            require(fits, f"{name} has {subnet}, outside of {told}")


def _path(world: World, name: str, subresource: str = "") -> str:
    return world.path(ObjectRef("Node", name), subresource)


def _name(node: Object) -> str:
    return str(node["metadata"]["name"])


def _cidrs(node: Object) -> list[str]:
    return list(node.get("spec", {}).get("podCIDRs") or ())


def _of(service_cidr: Object) -> list[str]:
    return list(service_cidr["spec"]["cidrs"])


def _taints(node: Object) -> list[Object]:
    return list((node.get("spec") or {}).get("taints") or ())


def _must_be_well(world: World, name: str) -> None:
    node = world.read(ObjectRef("Node", name))
    ready, taints = get(node, "status.conditions[type=Ready].status"), _by_conditions(node)
    require(ready == "True" and not taints, lambda: f"node {name} has Ready {ready} and the taints {show(taints)}")


def _by_conditions(node: Object) -> list[tuple[str, str]]:
    return sorted((one["key"], one["effect"]) for one in _taints(node) if one["key"].startswith(OF_CONDITIONS))


def _must_be_tainted(world: World, name: str, table: Table | None) -> None:
    wanted = sorted((row["key"], row["effect"]) for row in rows(table, "key", "effect")) if table else []
    found = _by_conditions(world.read(ObjectRef("Node", name)))
    require(found == wanted, lambda: f"node {name} is tainted {show(found)}, not {show(wanted)}")


def _must_be_unreachable(world: World, name: str) -> datetime:
    """Since when it is left by its Pods."""
    for taint in _taints(world.read(ObjectRef("Node", name))):
        if (taint["key"], taint["effect"]) == (_UNREACHABLE, NO_EXECUTE):
            return datetime.fromisoformat(taint["timeAdded"])
    raise AssertionError(f"node {name} is not unreachable yet")


def _change_taints(world: World, name: str, wanted: dict[str, str]) -> None:
    """Set the taints of these keys, or remove them where the effect is empty; once more where another was faster."""

    def change() -> None:
        node = world.read_raw(ObjectRef("Node", name))
        kept = [one for one in _taints(node) if one["key"] not in wanted]
        made = [{"key": key, "effect": effect} for key, effect in wanted.items() if effect]
        body = {**node, "spec": {**node["spec"], "taints": [*kept, *made]}}
        world.do("PUT", _path(world, name), f"tainting node {name}", body=body)

    world.driver.eventually(change, JOINS_WITHIN)
