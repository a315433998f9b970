"""Nodes of the scenario's own, which no kubelet serves, and which of them the scheduler gives a Pod.

A node is enough for the scheduler if it says that it is ready. The scenario's Pods, and no others, go to the scenario's
nodes: each of its Pods selects them by a label and tolerates the taint that keeps everybody else's off.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

from gherkube.phrases import Collection, ObjectRef
from gherkube.steps import given, then, when
from gherkube.steps.common import Table
from gherkube.values import get, merge, put, rows
from gherkube.world import ABSENT, World, objects_of_table, require

HOST, FENCE = "kubernetes.io/hostname", "gherkube.dev/nodes-of"
PATIENCE = 30.0  # seconds until the scheduler has looked at a Pod

_NODE, _POD = "Node", "Pod"
_AMOUNTS = {"cpu": "4", "memory": "8Gi", "pods": "110", "ephemeral-storage": "100Gi"}
_OWN = ("node", "cpu", "memory")  # columns that are not a Pod's fields
_TEMPLATES = ("Deployment", "ReplicaSet", "ReplicationController", "StatefulSet", "DaemonSet", "Job")


@given("these nodes:")
def there_are_these_nodes(world: World, datatable: Table) -> None:
    """
    Given these nodes:                            (4 CPUs, 8Gi of memory and room for 110 Pods if nothing else is said)
      | name | labels       | taints            | cpu | example.com/slot | unschedulable |
      | a    | disk=ssd     | gpu=yes:NoExecute | 2   | 3                |               |
      | b    |              |                   |     |                  | true          |
    """
    _fence(world)
    for row in rows(datatable, "name"):
        _make_node(world, row)


@given("these Pods on nodes:")
def there_are_these_pods(world: World, datatable: Table) -> None:
    """
    Given these Pods on nodes:                                  (what they ask for, and further fields)
      | name | node | labels  | cpu | memory |
      | x    | a    | app=web | 2   |        |
    """
    for row in datatable[1:]:  # in a new namespace Pods are refused until it has its service account
        world.driver.eventually(partial(_make_pods, world, datatable[0], [row]), PATIENCE)


@when("these Pods are created:")
def pods_are_created(world: World, datatable: Table) -> None:
    """
    When these Pods are created:                                (one right after another, in this order)
      | name | labels  | cpu |
      | x    | app=web | 2   |
    """
    header, *body = datatable
    _make_pods(world, header, body)


@given("the {ref:Object} has fitted nowhere")
def has_fitted_nowhere(world: World, ref: ObjectRef) -> None:
    """
    Given the Pod "web" has fitted nowhere
    """
    world.driver.eventually(lambda: _check_fits_nowhere(world, ref), PATIENCE)


@when("these nodes join:")
def nodes_join(world: World, datatable: Table) -> None:
    """
    When these nodes join:                                      (as "these nodes")
      | name | labels   |
      | c    | disk=ssd |
    """
    there_are_these_nodes(world, datatable)


@then('within {time:Duration} the {ref:Object} is on the node "{node:Text}"')
def is_on(world: World, time: float, ref: ObjectRef, node: str) -> None:
    """
    Then within 30 seconds the Pod "web" is on the node "a"
    """
    world.driver.eventually(lambda: _check_on(world, ref, node), time)


@then("within {time:Duration} the {ref:Object} fits nowhere")
@then('within {time:Duration} the {ref:Object} fits nowhere because of "{why:Text}"')
def fits_nowhere(world: World, time: float, ref: ObjectRef, why: str = "") -> None:
    """
    Then within 30 seconds the Pod "web" fits nowhere           (and its condition PodScheduled says so, and why)
    Then within 30 seconds the Pod "web" fits nowhere because of "Insufficient cpu"
    """
    world.driver.eventually(lambda: _check_fits_nowhere(world, ref, why), time)


@then("within {time:Duration} the {all:Collection} are on nodes like this:")
def are_on_nodes(world: World, time: float, all: Collection, datatable: Table) -> None:
    """
    Then within 30 seconds the Pods labelled "app=web" are on nodes like this:
      | node       | Pods |
      | a          | 2    |
      | b          | 1    |
      | (none)     | 1    |                                     (the only row for those that have no node)
      | (any of 3) | 1    |                                     (or: on each of so many nodes so many)
    """
    world.driver.eventually(lambda: _check_spread(world, all, datatable), time)


# Nodes and Pods


def _fence(world: World) -> None:
    """From now on the scenario's Pods are for its nodes, which are for nobody else's."""
    mark = _mark(world)
    toleration = {"key": FENCE, "operator": "Equal", "value": mark, "effect": "NoSchedule"}

    def dressed(obj: Any) -> Any:
        if obj.get("kind") in _TEMPLATES and get(obj, "spec.template.spec") is not ABSENT:
            return put(obj, "spec.template.spec", fenced(get(obj, "spec.template.spec")))
        return {**obj, "spec": fenced(obj["spec"])} if obj.get("kind") == _POD and "spec" in obj else obj

    def fenced(spec: Any) -> Any:
        others = [one for one in spec.get("tolerations") or () if one.get("key") != FENCE]
        selected = merge(spec, {"nodeSelector": {FENCE: mark}})
        return {**selected, "tolerations": [*others, toleration]}

    world.dress = dressed


def _mark(world: World) -> str:
    return world.names.marker or "here"


def _make_node(world: World, row: dict[str, str]) -> None:
    name, mark = row["name"], _mark(world)
    labels = dict(pair.strip().split("=", 1) for pair in (row.get("labels") or "").split(",") if pair.strip())
    images = [{"names": [text.strip()], "sizeBytes": 20_000_000_000} for text in (row.get("images") or "").split()]
    told = {column: cell for column, cell in row.items() if cell and (column in _AMOUNTS or "/" in column)}
    amounts = {**_AMOUNTS, **told}
    # From its beginning, lest others' Pods come to a node that will not be there for long.
    taints = [_taint(text) for text in [f"{FENCE}={mark}:NoSchedule", *(row.get("taints") or "").split()]]
    node = {
        "apiVersion": "v1",
        "kind": _NODE,
        "metadata": {"name": name, "labels": {FENCE: mark, **labels}},
        "spec": {"taints": taints, **({"unschedulable": True} if row.get("unschedulable") else {})},
        "status": {
            "capacity": amounts,
            "allocatable": amounts,
            "images": images,
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "is ready"}],
        },
    }
    node = world.outgoing(node)
    node["metadata"]["labels"].setdefault(HOST, node["metadata"]["name"])
    ref = ObjectRef(_NODE, name)
    world.do("POST", world.collection_path(world.kind(_NODE)), f"creating {ref}", body=node)
    world.driver.eventually(lambda: _taint_node(world, ref, taints), PATIENCE)


def _taint(text: str) -> dict[str, str]:
    told, _, effect = text.rpartition(":")
    key, _, value = told.partition("=")
    return {"key": key, "effect": effect, **({"value": value} if value else {})}


def _taint_node(world: World, ref: ObjectRef, taints: list[dict[str, str]]) -> None:
    """A new node is tainted as not ready until somebody has seen that it is."""
    node = world.read_raw(ref)
    cordoned = [one for one in get(node, "spec.taints") or () if one["key"] == "node.kubernetes.io/unschedulable"]
    body = {"spec": {"taints": [*taints, *cordoned]}}
    kind = "application/merge-patch+json"
    after = world.do("PATCH", world.path(ref), f"tainting {ref}", body=body, content_type=kind)
    world.driver.settle()
    found = {(one["key"], one["effect"]) for one in get(world.read_raw(ref), "spec.taints") or ()}
    wanted = {(one["key"], one["effect"]) for one in get(after, "spec.taints")}
    require(found == wanted, f"{ref} has the taints {sorted(found)}, not {sorted(wanted)}")


def _make_pods(world: World, header: list[str], body: list[list[str]]) -> None:
    kept = [column not in _OWN for column in header]
    fields = [[cell for cell, keep in zip(row, kept, strict=True) if keep] for row in [header, *body]]
    for told, (name, namespace, obj) in zip(body, objects_of_table(world.kind(_POD), fields), strict=True):
        own = dict(zip(header, told, strict=True))
        for resource in ("cpu", "memory"):
            if own.get(resource):
                obj = put(obj, f"spec.containers[0].resources.requests.{resource}", own[resource])
        if own.get("node"):
            obj = put(obj, "spec.nodeName", own["node"])
        world.create(ObjectRef(_POD, name, namespace), world.outgoing(obj))


# Expectations


def _check_on(world: World, ref: ObjectRef, node: str) -> None:
    pod = world.read(ref)
    found, why = get(pod, "spec.nodeName"), get(pod, "status.conditions[type=PodScheduled].message")
    require(found is not ABSENT, lambda: f"{ref} has no node: {why}")
    require(node == found, lambda: f'{ref} is on the node "{found}", not on "{node}"')


def _check_fits_nowhere(world: World, ref: ObjectRef, why: str = "") -> None:
    pod = world.read(ref)
    require(get(pod, "spec.nodeName") is ABSENT, lambda: f'{ref} is on the node "{get(pod, "spec.nodeName")}"')
    condition = get(pod, "status.conditions[type=PodScheduled]")
    told = condition if condition is not ABSENT else {}
    says = (told.get("status"), told.get("reason"))
    require(says == ("False", "Unschedulable"), lambda: f"{ref} has the condition PodScheduled {told}")
    message = told.get("message") or ""
    require(message and why in message, lambda: f'{ref} fits nowhere because of "{message}", not of "{why}"')


def _check_spread(world: World, all: Collection, table: Table) -> None:
    pods = world.plain(world.listing(all))["items"]
    found = Counter(str(get(pod, "spec.nodeName")) if get(pod, "spec.nodeName") is not ABSENT else "" for pod in pods)
    homeless = found.pop("", 0)
    wanted: Counter[str] = Counter()
    anywhere: list[int] = []
    for row in rows(table, "node", "Pods"):
        node, count = row["node"], int(row["Pods"])
        if node == "(none)":
            require(homeless == count, lambda: f"{homeless} of the {all.kind} have no node: {dict(found)}")
        elif node.startswith("(any of "):
            anywhere += [count] * int(node.removeprefix("(any of ").rstrip(")"))
        else:
            wanted[node] = count
    if "(none)" not in {row[0] for row in table}:
        require(not homeless, lambda: f"{homeless} of the {all.kind} have no node")
    rest = Counter({node: count for node, count in found.items() if node not in wanted})
    named = {node: found[node] for node in wanted}
    require(named == dict(wanted), lambda: f"the {all.kind} are on nodes like this: {dict(found)}")
    require(sorted(rest.values()) == sorted(anywhere), lambda: f"the {all.kind} are on nodes like this: {dict(found)}")
