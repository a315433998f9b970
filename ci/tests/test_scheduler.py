"""The scheduler: what keeps a Pod off a node, who goes first, what wakes a Pod that waits."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from refkube.api.affinity import term_test
from refkube.api.fit import requests_of
from refkube.api.taints import tolerates
from refkube.apimachinery.meta import Object, condition_of
from refkube.client.client import Client
from refkube.client.informer import Informers
from refkube.engine.clock import VirtualClock
from refkube.engine.loop import Loop
from refkube.scheduler.framework import Candidates, Framework, Plugin
from refkube.scheduler.profile import Surroundings, default_plugins
from refkube.scheduler.queue import SchedulingQueue
from refkube.scheduler.snapshot import Snapshot
from workload_objects import Bench, pod

HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"


def asking(cpu: str = "", memory: str = "", **more: str) -> dict[str, Any]:
    requests = {name: value for name, value in {"cpu": cpu, "memory": memory, **more}.items() if value}
    return {"containers": [{"name": "c", "image": "web:1", "resources": {"requests": requests, "limits": more}}]}


def node_of(bench: Bench, name: str) -> str:
    return bench.get("pods", name)["spec"].get("nodeName", "")


def why(bench: Bench, name: str) -> str:
    condition = condition_of(bench.get("pods", name), "PodScheduled") or {}
    assert (condition["status"], condition["reason"]) == ("False", "Unschedulable")
    return condition["message"]


def placed(bench: Bench, name: str, **spec: Any) -> str:
    bench.user.create("pods", pod(name, **spec))
    bench.loop.run_for(1)
    return node_of(bench, name)


def node(name: str, **spec: Any) -> Object:
    allocatable = {"cpu": "4", "memory": "16Gi", "pods": "110"}
    return {"metadata": {"name": name, "labels": {}}, "spec": spec, "status": {"allocatable": allocatable}}


def plugins(snapshot: Snapshot) -> tuple[Plugin, ...]:
    """Those of the default profile, in a cluster that has nothing but what the snapshot has."""

    def handle(request: Any) -> Any:
        raise AssertionError(f"nothing is to be asked: {request}")

    client = Client(handle)
    return default_plugins(client, snapshot, Surroundings(Informers(client, Loop(VirtualClock()))))


def test_equal_pods_are_spread_and_the_binding_is_told_of() -> None:
    bench = Bench()
    nodes = Counter(placed(bench, f"p{i}", **asking("100m")) for i in range(9))
    assert nodes == {"n1": 3, "n2": 3, "n3": 3}
    assert condition_of(bench.get("pods", "p0"), "PodScheduled")["status"] == "True"  # type: ignore[index]
    assert ("Scheduled", f"Successfully assigned default/p0 to {node_of(bench, 'p0')}") in bench.events("Pod")
    bench.cluster.close()


def test_every_reason_is_counted() -> None:
    bench = Bench()
    bench.user.patch("nodes", "n1", {"spec": {"unschedulable": True}})
    bench.user.patch("nodes", "n2", {"spec": {"taints": [{"key": "gpu", "effect": "NoSchedule"}]}})
    bench.loop.run_for(1)
    assert placed(bench, "big", **asking("5", "17Gi", **{"example.com/device": "1"})) == ""
    assert why(bench, "big") == (
        "0/3 nodes are available: 1 Insufficient cpu, 1 Insufficient example.com/device, 1 Insufficient memory, "
        "1 node(s) had untolerated taint(s), 1 node(s) were unschedulable. "
        "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
    )
    assert any(reason == "FailedScheduling" for reason, _ in bench.events("Pod"))
    tolerations = [{"key": "gpu", "operator": "Exists"}, {"key": "node.kubernetes.io/unschedulable"}]
    assert placed(bench, "bold", nodeSelector={"kubernetes.io/hostname": "n2"}, tolerations=tolerations) == "n2"
    assert placed(bench, "modest") == "n3"
    bench.cluster.close()


def test_a_cluster_without_nodes_says_so() -> None:
    bench = Bench(nodes=0, scheduler=True)
    assert placed(bench, "alone") == ""
    assert why(bench, "alone") == "no nodes available to schedule pods"
    bench.cluster.close()


def test_nodes_are_chosen_by_selector_and_affinity() -> None:
    bench = Bench()
    bench.user.patch("nodes", "n2", {"metadata": {"labels": {"disk": "ssd", "size": "20"}}})
    bench.user.patch("nodes", "n3", {"metadata": {"labels": {"disk": "ssd", "size": "5"}}})
    bench.loop.run_for(1)
    terms = [{"matchExpressions": [{"key": "size", "operator": "Gt", "values": ["10"]}]}]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    assert placed(bench, "large", affinity={"nodeAffinity": required}) == "n2"
    liking = {"weight": 50, "preference": {"matchExpressions": [{"key": "size", "operator": "Lt", "values": ["10"]}]}}
    preferred = {"preferredDuringSchedulingIgnoredDuringExecution": [liking]}
    assert placed(bench, "small", affinity={"nodeAffinity": preferred}) == "n3"
    assert placed(bench, "none", nodeSelector={"disk": "tape"}) == ""
    assert why(bench, "none").startswith(
        "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector. preemption: "
    )
    bench.user.patch("nodes", "n1", {"metadata": {"labels": {"disk": "tape"}}})
    bench.loop.run_for(1)
    assert node_of(bench, "none") == "n1"
    bench.cluster.close()


def test_a_port_of_the_host_is_given_once() -> None:
    bench = Bench(nodes=1)
    ports = [{"containerPort": 80, "hostPort": 8080, "protocol": "TCP"}]
    port = {"containers": [{"name": "c", "image": "web:1", "ports": ports}]}
    assert placed(bench, "first", **port) == "n1"
    assert placed(bench, "second", **port) == ""
    assert "1 node(s) didn't have free ports for the requested pod ports." in why(bench, "second")
    bench.user.delete("pods", "first", "default")
    bench.loop.run_for(5)
    assert node_of(bench, "second") == "n1"
    bench.cluster.close()


def test_the_more_important_pod_goes_first_and_the_other_when_there_is_room() -> None:
    bench = Bench(nodes=1)
    meta = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "high"}, "value": 1000}
    bench.user.create("priorityclasses.scheduling.k8s.io", meta)
    bench.loop.run_for(1)
    bench.user.create("pods", pod("low", **asking("3")))
    bench.user.create("pods", pod("high", priorityClassName="high", **asking("3")))
    bench.loop.run_for(1)
    assert (node_of(bench, "low"), node_of(bench, "high")) == ("", "n1")
    bench.user.patch("pods", "high", {"spec": {"activeDeadlineSeconds": 1}}, namespace="default")
    bench.loop.run_for(5)
    assert node_of(bench, "low") == "n1"
    bench.cluster.close()


def test_gates_and_other_schedulers_pods_are_left_alone() -> None:
    bench = Bench()
    assert placed(bench, "gated", schedulingGates=[{"name": "example.com/hold"}]) == ""
    assert placed(bench, "theirs", schedulerName="another") == ""
    assert condition_of(bench.get("pods", "gated"), "PodScheduled")["reason"] == "SchedulingGated"  # type: ignore[index]
    bench.user.patch("pods", "gated", {"spec": {"schedulingGates": None}}, namespace="default")
    bench.loop.run_for(1)
    assert node_of(bench, "gated") != ""
    bench.cluster.close()


def test_a_new_node_is_used_at_once() -> None:
    bench = Bench(nodes=1)
    assert placed(bench, "waiting", nodeSelector={"kubernetes.io/hostname": "n9"}) == ""
    tainted = node("n9", taints=[{"key": "new", "effect": "NoSchedule"}])
    tainted["metadata"]["labels"] = {"kubernetes.io/hostname": "n9"}
    bench.user.create("nodes", {"apiVersion": "v1", "kind": "Node", **tainted})
    bench.loop.run_for(1)
    assert "1 node(s) had untolerated taint(s)" in why(bench, "waiting")
    bench.user.patch("nodes", "n9", {"spec": {"taints": None}})
    bench.loop.run_for(1)
    assert node_of(bench, "waiting") == "n9"
    bench.cluster.close()


def total(candidates: Candidates) -> float:
    group = candidates._leading()
    assert group is not None
    return -group.heap[0][0] + candidates._total(group.far)


def near(key: str, app: str, side: str = "podAffinity", required: bool = True) -> Object:
    term = {"topologyKey": key, "labelSelector": {"matchLabels": {"app": app}}}
    if required:
        return {side: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    return {side: {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 9, "podAffinityTerm": term}]}}


def spread(key: str, app: str, unless: str = "DoNotSchedule", **more: Any) -> Object:
    selector = {"matchLabels": {"app": app}}
    return {"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": unless, "labelSelector": selector, **more}


KINDS: list[dict[str, Any]] = [
    asking("100m", "1Gi"),
    asking("1"),
    asking(memory="3Gi"),
    {
        **asking(),
        "affinity": {
            "nodeAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {"weight": 7, "preference": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}
                ]
            }
        },
    },
    {**asking("100m"), "affinity": near(HOST, "k4", "podAntiAffinity")},
    {**asking("100m"), "affinity": near(ZONE, "k5", "podAntiAffinity", required=False)},
    {**asking("100m"), "affinity": {**near(ZONE, "k6"), **near(HOST, "k1", "podAntiAffinity", required=False)}},
    {**asking("100m"), "topologySpreadConstraints": [spread(ZONE, "k7"), spread(HOST, "k7", "ScheduleAnyway")]},
    {**asking("100m"), "topologySpreadConstraints": [spread(HOST, "k8", minDomains=3)]},
    {**asking("100m"), "topologySpreadConstraints": [spread(ZONE, "k0", "ScheduleAnyway")]},
]


@pytest.mark.parametrize("seed", range(20))
def test_a_class_that_keeps_up_ends_where_one_that_begins_anew_does(seed: int) -> None:
    """The shared list of nodes, brought up to date change by change, has the best node of all."""
    chance = random.Random(seed)
    snapshot = Snapshot()
    profile = plugins(snapshot)
    made_pods = [pod("p", labels={"app": f"k{number}"}, **kind) for number, kind in enumerate(KINDS)]
    framework = Framework(profile, snapshot, lambda: 0.0)
    present: list[str] = []
    for number in range(200):
        name = f"n{chance.randrange(6)}"
        act = chance.random()
        if act < 0.15:
            made = node(name, **({"unschedulable": True} if chance.random() < 0.2 else {}))
            made["metadata"]["labels"] = {"a": "b"} if chance.random() < 0.5 else {}
            made["metadata"]["labels"] |= {HOST: name} if chance.random() < 0.9 else {}
            made["metadata"]["labels"] |= {ZONE: chance.choice("xyz")} if chance.random() < 0.9 else {}
            made["spec"]["taints"] = [{"key": "k", "effect": "PreferNoSchedule"}] if chance.random() < 0.4 else []
            snapshot.put_node(made)
        elif act < 0.2 and name in snapshot.nodes:
            snapshot.drop_node(name)
        elif act < 0.35 and present:
            assert snapshot.remove(present.pop(chance.randrange(len(present))))
        else:
            which = made_pods[chance.randrange(len(KINDS))]
            kept = framework.candidates(which)
            best = kept.best()
            fresh = Candidates(profile, which, snapshot, lambda: 0.0)
            assert (best is None) == (fresh.best() is None)
            if best is None:
                reasons = [{n: why for n, (_, why) in each.rejections().items()} for each in (kept, fresh)]
                assert reasons[0] == reasons[1]
                continue
            assert total(kept) == pytest.approx(total(fresh))
            uid = f"u{number}"
            snapshot.place({**which, "metadata": {**which["metadata"], "uid": uid}}, best)
            present.append(uid)


def test_at_scale_a_class_looks_at_some_nodes_first_and_at_all_in_the_end() -> None:
    snapshot = Snapshot()
    for number in range(300):
        snapshot.put_node(node(f"n{number}", **({"unschedulable": True} if number < 290 else {})))
    profile = plugins(snapshot)
    few = Candidates(profile, pod("p"), snapshot, lambda: 0.0)
    assert few.best() in {f"n{number}" for number in range(290, 300)}
    for number in range(290):
        snapshot.put_node(node(f"n{number}"))
    many = Candidates(profile, pod("p"), snapshot, lambda: 0.0)
    assert many.best() is not None
    assert len(many._fitting) < 200
    for _ in range(20):
        many.best()
    assert len(many._fitting) == 300


def test_a_pod_that_has_no_node_to_hope_for_any_more_says_so() -> None:
    bench = Bench(nodes=0, scheduler=True, controllers=("serviceaccount-controller",))
    for name, value in (("high", 1000), ("low", 10)):
        meta = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}}
        bench.user.create("priorityclasses.scheduling.k8s.io", {**meta, "value": value})
    bench.user.create("nodes", {"apiVersion": "v1", "kind": "Node", **node("n1")})
    bench.user.patch("nodes", "n1", {"spec": {"taints": None}})
    slow = {"priorityClassName": "low", "terminationGracePeriodSeconds": 600}
    assert placed(bench, "small", **asking("3"), **slow) == "n1"
    assert placed(bench, "big", **asking("2"), priorityClassName="high") == ""
    assert bench.get("pods", "big")["status"]["nominatedNodeName"] == "n1"
    assert placed(bench, "late", **asking("3"), priorityClassName="low") == ""
    bench.user.patch("nodes", "n1", {"spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]}})
    bench.loop.run_for(400)
    assert "nominatedNodeName" not in bench.get("pods", "big")["status"]
    bench.user.patch("nodes", "n1", {"spec": {"taints": None}})
    bench.user.delete("pods", "small", "default", grace_period=0)
    bench.loop.run_for(20)
    assert [node_of(bench, name) for name in ("big", "late")] == ["n1", ""]
    bench.user.delete("pods", "big", "default", grace_period=0)
    bench.loop.run_for(20)
    assert node_of(bench, "late") == "n1"
    bench.cluster.close()


def test_room_that_is_no_longer_kept_wakes_who_waits_for_it() -> None:
    bench = Bench(nodes=0, scheduler=True, controllers=("serviceaccount-controller",))
    meta = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "high"}, "value": 9}
    bench.user.create("priorityclasses.scheduling.k8s.io", meta)
    bench.user.create("nodes", {"apiVersion": "v1", "kind": "Node", **node("n1")})
    bench.user.patch("nodes", "n1", {"spec": {"taints": None}})
    assert placed(bench, "small", **asking("3"), terminationGracePeriodSeconds=600) == "n1"
    assert placed(bench, "big", **asking("4"), priorityClassName="high") == ""
    assert placed(bench, "late", **asking("1")) == ""
    bench.user.delete("pods", "big", "default")
    bench.loop.run_for(20)
    assert node_of(bench, "late") == "n1"
    bench.cluster.close()


def test_who_fits_nowhere_waits_for_what_may_change_that() -> None:
    loop = Loop(VirtualClock())
    queue = SchedulingQueue(loop, lambda: None)
    queue.add("a", 0)
    queue.add("b", 10)
    assert [queue.pop(), queue.pop(), queue.pop()] == ["b", "a", None]
    queue.set_aside("a", {"pod removed"})
    queue.set_aside("b", {"taints"})
    queue.wake("labels")
    assert queue.pop() is None
    queue.wake("taints")
    queue.add("c", -5)
    assert [queue.pop(), queue.pop()] == ["c", "b"]  # b is backing off
    queue.remove("c")
    queue.retry("b")
    assert queue.pop() is None
    loop.run_for(2.5)
    assert queue.pop() == "b"
    queue.remove("b")
    loop.run_for(400)
    assert queue.pop() == "a"  # nobody is forgotten
    queue.close()


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        ({"operator": "Exists"}, True),
        ({"key": "k", "operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "k", "value": "v"}, True),
        ({"key": "k", "operator": "Equal", "value": "w"}, False),
        ({"key": "other", "operator": "Exists"}, False),
    ],
)
def test_tolerations(toleration: Object, tolerated: bool) -> None:
    assert tolerates(toleration, {"key": "k", "value": "v", "effect": "NoSchedule"}) is tolerated


def test_requests_are_those_of_the_busiest_moment() -> None:
    def container(cpu: str, **more: Any) -> Object:
        return {"name": "c", "resources": {"requests": {"cpu": cpu}}, **more}

    spec: Object = {"containers": [container("100m"), container("200m")]}
    assert requests_of(spec) == {"cpu": 300}
    spec["initContainers"] = [container("50m", restartPolicy="Always"), container("400m")]
    assert requests_of(spec) == {"cpu": 450}
    spec["overhead"] = {"cpu": "10m", "memory": "1Ki"}
    assert requests_of(spec) == {"cpu": 460, "memory": 1024}
    spec["resources"] = {"requests": {"cpu": "1"}}
    assert requests_of(spec) == {"cpu": 1010, "memory": 1024}


def test_a_term_that_says_nothing_selects_nothing() -> None:
    assert not term_test({})(node("n1"))
    named = term_test({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]})
    assert named(node("n1"))
    assert not named(node("n2"))
