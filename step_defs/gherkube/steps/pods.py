"""Pods that run: on some node, ready or held back by a readiness gate, quick to stop or slow."""

from __future__ import annotations

from typing import Any

from gherkube.drivers.base import AGNHOST
from gherkube.phrases import Collection, ObjectRef
from gherkube.steps import given, when
from gherkube.steps.common import Table
from gherkube.values import get, put
from gherkube.world import Misused, World, objects_of_table, require

GATE, HOLD = "gherkube.dev/open", "gherkube.dev/hold"
RUNNING_WITHIN = 60.0  # seconds

_POD = "Pod"
_OWN = ("gate", "stops", "serves")  # columns that say how a Pod behaves, not what its fields are


@given("these running Pods:")
@when("these Pods come to run:")
def there_are_running(world: World, datatable: Table) -> None:
    """
    Given these running Pods:
      | name | labels  | gate   | stops  |                  (without a gate it is ready, and it stops at once)
      | a    | app=web | open   |        |
      | b    | app=web | closed | slowly |                  (with `serves`, a port, it says there who it is)
    When these Pods come to run:
    """
    header, *body = datatable
    behaviour = [dict(zip(header, row, strict=True)) for row in body]
    fields = [[cell for column, cell in zip(header, row, strict=True) if column not in _OWN] for row in datatable]
    gates: dict[ObjectRef, str] = {}
    for told, (name, namespace, obj) in zip(behaviour, objects_of_table(world.kind(_POD), fields), strict=True):
        gate, stops = told.get("gate", ""), told.get("stops", "")
        if gate not in ("", "open", "closed") or stops not in ("", "slowly"):
            raise Misused(f"a gate is open or closed, and a Pod stops slowly; not {gate!r} and {stops!r}")
        obj = put(obj, "spec.readinessGates", [{"conditionType": GATE}]) if gate else obj
        if told.get("serves"):
            obj = _serving(obj, int(told["serves"]), bool(stops))
        elif stops:
            obj = _slow(obj)
        ref = ObjectRef(_POD, name, namespace)
        world.create(ref, world.outgoing(obj))
        gates[ref] = gate
    for namespace in {ref.namespace for ref in gates}:
        _await_running(world, namespace, {ref.name for ref in gates if ref.namespace == namespace})
    for ref, gate in gates.items():
        if gate == "open":
            _turn(world, ref, True)


@given('{n:Number} running Pods labelled "{labels:Text}"')
def there_are_many_running(world: World, n: int, labels: str) -> None:
    """
    Given 101 running Pods labelled "app=web"
    """
    names = [f"pod-{number:04}" for number in range(1, n + 1)]
    for name, _, obj in objects_of_table(world.kind(_POD), [["name", "labels"], *([name, labels] for name in names)]):
        world.create(ObjectRef(_POD, name), world.outgoing(obj))
    _await_running(world, "", set(names))


@given("the {ref:Object} has gone")
def has_gone(world: World, ref: ObjectRef) -> None:
    """
    Given the Pod "a" has gone
    """
    world.driver.eventually(lambda: require(not world.exists(ref), f"there is a {ref}"), RUNNING_WITHIN)


@given("the readiness gate of the {ref:Object} has opened")
@when("the readiness gate of the {ref:Object} opens")
def gate_opens(world: World, ref: ObjectRef) -> None:
    """
    When the readiness gate of the Pod "a" opens
    Given the readiness gate of the Pod "a" has opened
    """
    _turn(world, ref, True)


@when("the readiness gate of the {ref:Object} closes")
def gate_closes(world: World, ref: ObjectRef) -> None:
    """
    When the readiness gate of the Pod "a" closes
    """
    _turn(world, ref, False)


def _serving(pod: Any, port: int, slowly: bool) -> Any:
    """Says its name and whom it sees, by streams and by datagrams, at one port; `slowly` on for a minute after it has
    been told to end."""
    args = ["netexec", f"--http-port={port}", f"--udp-port={port}"]
    if slowly:
        args.append("--delay-shutdown=60")
        pod = put(pod, "spec.terminationGracePeriodSeconds", 60)
    container = {"name": "main", "image": AGNHOST, "args": args}
    return put(pod, "spec.containers[0]", {**get(pod, "spec.containers[0]"), **container})


def _slow(pod: Any) -> Any:
    """Takes a minute to stop where programs run, as one that ignores the signal; and is held where none does."""
    pod = put(pod, "metadata.finalizers", [HOLD])
    pod = put(pod, "spec.terminationGracePeriodSeconds", 60)
    container = {
        "name": "main",
        "image": "registry.k8s.io/e2e-test-images/busybox:1.36.1-1",
        "command": ["sleep", "3600"],
    }
    return put(pod, "spec.containers[0]", {**get(pod, "spec.containers[0]"), **container})


def _await_running(world: World, namespace: str, names: set[str]) -> None:
    """Running, and ready as far as it depends on their node."""

    def check() -> None:
        found = world.listing(Collection(_POD, namespace))["items"]
        states = {get(pod, "metadata.name"): _state(pod) for pod in found}
        wrong = {name: states.get(name, "gone") for name in sorted(names) if states.get(name) != "running"}
        require(not wrong, lambda: f"Pods do not run: {wrong}")

    world.driver.eventually(check, RUNNING_WITHIN)


def _state(pod: Any) -> str:
    phase, ready = get(pod, "status.phase"), get(pod, "status.conditions[type=ContainersReady].status")
    if phase == "Running" and ready == "True" and get(pod, "status.podIP"):
        return "running"
    why = get(pod, "status.conditions[type=PodScheduled].message")
    return f"{phase}{f': {why}' if why else ''}"


def _turn(world: World, ref: ObjectRef, opens: bool) -> None:
    """Sets the gate's condition; the kubelet makes the Pod ready, or unready, by it."""
    status = "True" if opens else "False"
    body = {"status": {"conditions": [{"type": GATE, "status": status}]}}
    kind = "application/strategic-merge-patch+json"
    world.do("PATCH", world.path(ref, "status"), f"turning the gate of {ref}", body=body, content_type=kind)

    def follows() -> None:
        ready = get(world.read(ref), "status.conditions[type=Ready].status")
        require(ready == status, f"{ref} has Ready {ready}, not {status}")

    world.driver.eventually(follows, RUNNING_WITHIN)
