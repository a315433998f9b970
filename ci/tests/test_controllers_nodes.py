"""The controllers of nodes: health and zones, taints and evictions, Pods' addresses; pure, and in virtual time."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import condition_of
from refkube.client.client import Client
from refkube.cluster import Cluster, ControllerManager
from refkube.controllers.common.context import Options
from refkube.controllers.nodeipam import CIDRSet
from refkube.controllers.nodelifecycle import FULL, NORMAL_STATE, PARTIAL, Zone, rate, zone_state
from refkube.controllers.tainteviction import stay
from refkube.engine.clock import VirtualClock, rfc3339_micro
from refkube.engine.loop import Loop

UNREACHABLE, NOT_READY = "node.kubernetes.io/unreachable", "node.kubernetes.io/not-ready"


def cluster_of(nodes: int, **options: Any) -> tuple[Cluster, Client]:
    cluster = Cluster(nodes=nodes, hollow=True, options=Options(**options))
    client = cluster.client("admin", "system:masters")
    cluster.loop.run_for(1)
    return cluster, client


def place(client: Client, name: str, node: str, **spec: Any) -> None:
    spec = {"nodeName": node, "containers": [{"name": "main", "image": "example.com/app"}], **spec}
    client.create("pods", {"metadata": {"name": name, "namespace": "default"}, "spec": spec})


def taints(client: Client, node: str) -> set[tuple[str, str]]:
    found = client.get("nodes", node)["spec"].get("taints") or []
    return {(taint["key"], taint["effect"]) for taint in found}


def ready(client: Client, resource: str, name: str, namespace: str = "") -> str:
    return (condition_of(client.get(resource, name, namespace), "Ready") or {})["status"]


def events(client: Client, reason: str) -> list[tuple[str, str]]:
    found = client.list("events", field_selector=f"reason={reason}").items
    return sorted((event["involvedObject"]["name"], event["message"]) for event in found)


# Health


def test_a_new_node_is_tainted_until_it_was_seen_ready() -> None:
    _, client = cluster_of(0)
    client.create("nodes", {"metadata": {"name": "bare"}})
    assert taints(client, "bare") == {(NOT_READY, "NoSchedule")}
    _, client = cluster_of(1)
    assert taints(client, "n1") == set()


def test_a_silent_node_is_unknown_after_the_grace_period_and_its_pods_are_not_ready() -> None:
    cluster, client = cluster_of(3)
    place(client, "p", "n1")
    cluster.loop.run_for(9)
    assert ready(client, "pods", "p", "default") == "True"
    cluster.kubelets[0].stop()
    cluster.loop.run_for(50)
    assert ready(client, "nodes", "n1") == "True"
    cluster.loop.run_for(11)
    node = client.get("nodes", "n1")
    for type in ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure"):
        condition = condition_of(node, type)
        assert condition is not None
        assert (condition["status"], condition["reason"]) == ("Unknown", "NodeStatusUnknown")
    assert taints(client, "n1") == {(UNREACHABLE, "NoSchedule"), (UNREACHABLE, "NoExecute")}
    assert ready(client, "pods", "p", "default") == "False"
    assert events(client, "NodeUnreachable") == [("n1", "Node n1 status is now: NodeUnreachable")]
    assert events(client, "NodeNotReady") == [("p", "Node is not ready")]
    assert taints(client, "n2") == set()
    cluster.kubelets[0].start()
    cluster.loop.run_for(11)
    assert ready(client, "nodes", "n1") == "True"
    assert taints(client, "n1") == set()
    assert ready(client, "pods", "p", "default") == "True"


def test_a_lease_alone_keeps_a_node_alive() -> None:
    cluster, client = cluster_of(1)
    cluster.kubelets[0].stop()
    leases = "leases.coordination.k8s.io"
    for _ in range(20):
        cluster.loop.run_for(10)
        lease = client.get(leases, "n1", "kube-node-lease")
        renewed = rfc3339_micro(cluster.loop.now())
        client.update(leases, {**lease, "spec": {**lease["spec"], "renewTime": renewed}})
    assert ready(client, "nodes", "n1") == "True"


def test_a_node_that_never_posted_gets_a_minute() -> None:
    cluster, client = cluster_of(1)
    client.create("nodes", {"metadata": {"name": "mute"}})
    cluster.loop.run_for(55)
    assert condition_of(client.get("nodes", "mute"), "Ready") is None
    cluster.loop.run_for(15)
    condition = condition_of(client.get("nodes", "mute"), "Ready")
    assert condition is not None
    assert condition["reason"] == "NodeStatusNeverUpdated"


def test_conditions_taint_at_once_and_an_unschedulable_node_too() -> None:
    cluster, client = cluster_of(1)
    cluster.kubelets[0].stop()
    node = client.get("nodes", "n1")
    pressed = [
        {**one, "status": "True"} if one["type"] == "DiskPressure" else one for one in node["status"]["conditions"]
    ]
    client.update_status("nodes", {**node, "status": {**node["status"], "conditions": pressed}})
    client.patch("nodes", "n1", {"spec": {"unschedulable": True}}, "merge")
    cluster.loop.settle()
    assert {key for key, _ in taints(client, "n1")} == {
        "node.kubernetes.io/disk-pressure",
        "node.kubernetes.io/unschedulable",
    }
    client.patch("nodes", "n1", {"spec": {"unschedulable": False}}, "merge")
    cluster.loop.settle()
    assert {key for key, _ in taints(client, "n1")} == {"node.kubernetes.io/disk-pressure"}


# Evictions


def test_pods_leave_when_their_toleration_ends() -> None:
    cluster, client = cluster_of(2)
    short = {"key": UNREACHABLE, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 30}
    place(client, "usual", "n1")
    place(client, "short", "n1", tolerations=[short])
    place(client, "stays", "n1", tolerations=[{"operator": "Exists"}])
    cluster.loop.run_for(9)
    cluster.kubelets[0].stop()
    assert cluster.loop.run_until(lambda: (UNREACHABLE, "NoExecute") in taints(client, "n1"), 70)

    def leaving() -> set[str]:
        return {
            pod["metadata"]["name"]
            for pod in client.list("pods", "default").items
            if "deletionTimestamp" in pod["metadata"]
        }

    cluster.loop.run_for(29)
    assert leaving() == set()
    cluster.loop.run_for(2)
    assert leaving() == {"short"}
    cluster.loop.run_for(272)
    assert leaving() == {"short", "usual"}
    assert events(client, "TaintManagerEviction") == [
        (name, f"Marking for deletion Pod default/{name}") for name in ("short", "usual")
    ]
    condition = condition_of(client.get("pods", "short", "default"), "DisruptionTarget")
    assert condition is not None
    assert condition["reason"] == "DeletionByTaintManager"


def test_a_node_that_returns_keeps_its_pods() -> None:
    cluster, client = cluster_of(2)
    place(client, "usual", "n1")
    cluster.loop.run_for(9)
    cluster.kubelets[0].stop()
    cluster.loop.run_for(200)
    cluster.kubelets[0].start()
    cluster.loop.run_for(600)
    assert "deletionTimestamp" not in client.get("pods", "usual", "default")["metadata"]
    assert events(client, "TaintManagerEviction") == [("usual", "Cancelling deletion of Pod default/usual")]


def test_a_taint_of_a_user_evicts_at_once_who_does_not_tolerate_it() -> None:
    cluster, client = cluster_of(1)
    place(client, "p", "n1")
    place(client, "q", "n1", tolerations=[{"key": "drain", "operator": "Exists"}])
    cluster.loop.run_for(1)
    client.patch("nodes", "n1", {"spec": {"taints": [{"key": "drain", "effect": "NoExecute"}]}}, "strategic")
    cluster.loop.run_for(1)
    assert [pod["metadata"]["name"] for pod in client.list("pods", "default").items] == ["q"]


def test_how_long_a_pod_may_stay() -> None:
    taint = [{"key": "a", "effect": "NoExecute"}, {"key": "b", "effect": "NoExecute"}]
    a = {"key": "a", "operator": "Exists", "tolerationSeconds": 9}
    assert stay(taint, [a]) == 0
    assert stay(taint, [a, {"key": "b", "operator": "Exists", "tolerationSeconds": 4}]) == 4
    assert stay(taint, [a, {"key": "b", "operator": "Exists", "tolerationSeconds": -4}]) == 0
    assert stay(taint[:1], [{"key": "a", "operator": "Exists"}, a]) == float("inf")


# Zones


def test_while_no_node_is_ready_none_is_tainted_for_eviction() -> None:
    cluster, client = cluster_of(3)
    for kubelet in cluster.kubelets:
        kubelet.stop()
    cluster.loop.run_for(300)
    assert {effect for number in (1, 2, 3) for _, effect in taints(client, f"n{number}")} == {"NoSchedule"}
    cluster.kubelets[1].start()
    cluster.loop.run_for(60)
    assert taints(client, "n2") == set()
    assert (UNREACHABLE, "NoExecute") in taints(client, "n1")
    assert (UNREACHABLE, "NoExecute") in taints(client, "n3")


def test_one_node_in_ten_seconds_is_tainted() -> None:
    cluster, client = cluster_of(9)
    for kubelet in cluster.kubelets[:4]:
        kubelet.stop()

    def tainted() -> int:
        return sum((UNREACHABLE, "NoExecute") in taints(client, f"n{number}") for number in range(1, 5))

    assert cluster.loop.run_until(lambda: tainted() == 1, 70)
    began = cluster.loop.now()
    for count in (2, 3, 4):
        cluster.loop.run_until(lambda count=count: tainted() == count, 20)  # type: ignore[misc]
        assert cluster.loop.now() - began == pytest.approx(10 * (count - 1), abs=1)


def test_the_state_of_a_zone_and_its_rate() -> None:
    assert zone_state([False], 0.55) == FULL
    assert zone_state([True, False, False], 0.55) == NORMAL_STATE
    assert zone_state([True, True, False, False, False], 0.55) == PARTIAL
    assert zone_state([], 0.55) == NORMAL_STATE
    options = Options()
    assert [rate(NORMAL_STATE, 9, options), rate(PARTIAL, 50, options), rate(PARTIAL, 51, options)] == [0.1, 0, 0.01]
    assert rate(FULL, 9, options) == 0.1


def test_a_zone_gives_one_at_a_time() -> None:
    clock = VirtualClock(0.0)
    zone = Zone(Loop(clock), 0.1)
    for name in ("a", "b", "a"):
        zone.add(name)
    assert (zone.take(), zone.take()) == ("a", None)
    zone.add("a")  # it had its turn
    zone.limit(0.0)
    clock.skip_to(100.0)
    assert zone.take() is None
    zone.limit(0.5)
    assert zone.ready_at() == 102.0
    clock.skip_to(102.0)
    assert (zone.take(), zone.ready_at()) == ("b", float("inf"))


# Addresses


def test_every_node_gets_addresses_of_its_own_and_a_late_one_those_that_are_free_again() -> None:
    cluster, client = cluster_of(0, cluster_cidr="10.1.0.0/23")
    for name in ("a", "b", "c"):
        client.create("nodes", {"metadata": {"name": name}})
        cluster.loop.settle()

    def cidr(name: str) -> str:
        return client.get("nodes", name)["spec"].get("podCIDR", "")

    assert [cidr(name) for name in ("a", "b", "c")] == ["10.1.0.0/24", "10.1.1.0/24", ""]
    assert events(client, "CIDRNotAvailable")[0] == ("c", "Node c status is now: CIDRNotAvailable")
    client.delete("nodes", "a")
    cluster.loop.settle()
    assert cidr("c") == "10.1.0.0/24"
    assert client.get("nodes", "c")["spec"]["podCIDRs"] == ["10.1.0.0/24"]


def test_what_a_node_brings_and_what_services_have_is_not_given_to_another() -> None:
    cluster, client = cluster_of(0, cluster_cidr="10.64.0.0/10,fd00::/56", service_cluster_ip_range="10.64.0.0/16")
    taken = ["10.65.0.0/24", "fd00::/64"]
    client.create("nodes", {"metadata": {"name": "a"}, "spec": {"podCIDR": taken[0], "podCIDRs": taken}})
    client.create("nodes", {"metadata": {"name": "b"}})
    cluster.loop.settle()
    assert client.get("nodes", "b")["spec"]["podCIDRs"] == ["10.65.1.0/24", "fd00:0:0:1::/64"]


def test_a_write_that_fails_is_made_again_with_the_same_addresses() -> None:
    cluster = Cluster(controllers=False)
    handle, left = cluster.handle, [3]

    def failing(request: Any) -> Any:
        if request.verb == "patch" and left[0]:
            left[0] -= 1
            raise StatusError({"code": 500, "reason": "InternalError", "message": "out of order"})
        return handle(request)

    manager = ControllerManager(
        lambda user, agent: Client(failing, user, agent), cluster.loop, ["node-ipam-controller"], Options()
    )
    manager.start()
    client = cluster.client("admin", "system:masters")
    client.create("nodes", {"metadata": {"name": "a"}})
    cluster.loop.run_for(5)
    assert client.get("nodes", "a")["spec"]["podCIDR"] == "10.244.0.0/24"
    assert events(client, "CIDRAssignmentFailed") != []


@given(st.lists(st.one_of(st.none(), st.integers(0, 15)), max_size=60))
def test_no_subnet_is_given_twice_and_none_is_lost(steps: list[int | None]) -> None:
    """A step gives one (None), or takes one of those given back."""
    cidrs, given_out = CIDRSet(ip_network("10.0.0.0/20"), 24), []
    for step in steps:
        if step is None:
            cidr = cidrs.allocate()
            assert (cidr is None) == (len(given_out) == 16)
            if cidr is not None:
                assert cidr not in given_out
                given_out.append(cidr)
        elif given_out:
            cidrs.release(given_out.pop(step % len(given_out)))


def test_a_subnet_outside_of_the_range_is_nobodys() -> None:
    cidrs = CIDRSet(ip_network("10.0.0.0/23"), 24)
    assert not cidrs.occupy("10.9.0.0/24")
    assert not cidrs.occupy("fd00::/64")
    assert cidrs.occupy("10.0.0.0/22")
    assert cidrs.allocate() is None
