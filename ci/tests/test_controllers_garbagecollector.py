"""The garbage collector and the Pod garbage collector on a whole cluster, in virtual time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object
from refkube.client.client import Client
from refkube.cluster import Cluster, ControllerManager
from refkube.controllers.common.context import Options
from refkube.controllers.podgc import surplus

MAPS = "configmaps"


class World:
    """A cluster whose ConfigMaps own one another."""

    def __init__(self, **options: Any):
        self.cluster = Cluster(**options)
        self.client: Client = self.cluster.client("admin", "system:masters")

    def make(
        self, name: str, *owners: Object, blocking: bool = True, namespace: str = "default", **meta: Any
    ) -> Object:
        references = [owned_by(owner, blocking) for owner in owners]
        meta = {"name": name, "namespace": namespace, "ownerReferences": references, **meta}
        return self.client.create(MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})

    def delete(self, name: str, policy: str) -> None:
        self.cluster.loop.settle()
        self.client.delete(MAPS, name, "default", propagation=policy)
        self.cluster.loop.settle()

    def names(self, namespace: str = "default") -> set[str]:
        self.cluster.loop.settle()
        found = {obj["metadata"]["name"] for obj in self.client.list(MAPS, namespace).items}
        return found - {"kube-root-ca.crt"}

    def owners(self, name: str) -> list[str]:
        obj = self.client.get(MAPS, name, "default")
        return [reference["name"] for reference in obj["metadata"].get("ownerReferences") or ()]


def owned_by(owner: Object, blocking: bool = True) -> Object:
    meta = owner["metadata"]
    told = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": meta["name"], "uid": meta["uid"]}
    return {**told, "blockOwnerDeletion": blocking}


def test_what_an_object_owned_goes_after_it_in_the_background() -> None:
    world = World()
    a = world.make("a")
    b = world.make("b", a)
    world.make("c", b)
    world.make("other")
    world.delete("a", "Background")
    assert world.names() == {"other"}


def test_a_deletion_in_the_foreground_waits_for_those_that_block_it() -> None:
    world = World()
    a = world.make("a")
    b = world.make("b", a)
    world.make("held", b, finalizers=["example.com/hold"])
    world.make("loose", a, blocking=False, finalizers=["example.com/hold"])
    world.delete("a", "Foreground")
    assert world.names() == {"a", "b", "held", "loose"}
    assert world.client.get(MAPS, "b", "default")["metadata"]["finalizers"] == ["foregroundDeletion"]
    world.client.patch(MAPS, "held", {"metadata": {"finalizers": None}}, "merge", "default")
    assert world.names() == {"loose"}


def test_orphans_are_let_go_of() -> None:
    world = World()
    a, other = world.make("a"), world.make("other")
    world.make("b", a, other)
    world.delete("a", "Orphan")
    assert world.names() == {"b", "other"}
    assert world.owners("b") == ["other"]


def test_one_owner_that_stays_holds_an_object_and_the_others_are_removed_from_it() -> None:
    world = World()
    a, other = world.make("a"), world.make("other")
    world.make("b", a, other)
    world.delete("a", "Foreground")
    assert world.names() == {"b", "other"}
    assert world.owners("b") == ["other"]


def test_a_circle_of_owners_does_not_wait_for_itself() -> None:
    world = World()
    a = world.make("a")
    b = world.make("b", a)
    world.client.patch(MAPS, "a", {"metadata": {"ownerReferences": [owned_by(b)]}}, "merge", "default")
    world.delete("a", "Foreground")
    assert world.names() == set()


@pytest.mark.parametrize("change", [{"uid": "00000000-0000-4000-8000-000000000000"}, {"name": "b"}])
def test_an_owner_that_never_was_is_as_one_that_is_gone(change: Object) -> None:
    world = World()
    owner = world.make("a")
    world.make("c", {**owner, "metadata": {**owner["metadata"], **change}})
    assert world.names() == {"a"}


def test_an_owner_of_an_unknown_kind_may_exist() -> None:
    world = World()
    owner = world.make("a")
    world.make("c", {**owner, "apiVersion": "example.com/v1"})
    world.make("d", owner)
    world.delete("a", "Background")
    world.cluster.loop.run_for(60)
    assert world.names() == {"c"}


def test_an_owner_in_another_namespace_does_not_count_and_an_event_says_so() -> None:
    world = World()
    world.client.create("namespaces", {"metadata": {"name": "far"}})
    world.cluster.loop.settle()
    owner = world.make("a")
    world.make("b", owner, namespace="far")
    classes = "priorityclasses.scheduling.k8s.io"
    world.client.create(classes, {"metadata": {"name": "high", "ownerReferences": [owned_by(owner)]}, "value": 1})
    assert world.names("far") == set()
    world.cluster.loop.run_for(60)
    assert world.client.get(classes, "high")["metadata"]["name"] == "high"
    told = {event["involvedObject"]["kind"]: event["message"] for event in world.client.list("events").items}
    uid = owner["metadata"]["uid"]
    assert (
        told["ConfigMap"]
        == f'ownerRef [v1/ConfigMap, namespace: far, name: a, uid: {uid}] does not exist in namespace "far"'
    )
    assert 'does not exist in namespace ""' in told["PriorityClass"]


def test_a_collector_that_begins_late_collects_what_was_left() -> None:
    world = World(controllers=False)
    owner = world.make("a")
    for number in range(3):
        world.make(f"d{number}", owner)
    world.client.delete(MAPS, "a", "default")
    late = Cluster(store=lambda loop: world.cluster.store)
    late.loop.run_for(1)
    assert {obj["metadata"]["name"] for obj in late.client("x", "system:masters").list(MAPS, "default").items} == {
        "kube-root-ca.crt"
    }


EDGES = st.sets(st.tuples(st.integers(1, 7), st.integers(0, 6)).filter(lambda edge: edge[1] < edge[0]), max_size=14)


@settings(max_examples=25, deadline=None)
@given(EDGES, st.integers(0, 7), st.sampled_from(["Background", "Foreground"]))
def test_what_remains_is_what_has_an_owner_that_remains(edges: set[tuple[int, int]], root: int, policy: str) -> None:
    world = World(controllers=["garbage-collector-controller"])
    made: list[Object] = []
    for number in range(8):
        made.append(world.make(f"o{number}", *[made[owner] for dependent, owner in edges if dependent == number]))
    world.delete(f"o{root}", policy)
    gone = {root}
    for number in range(8):
        owners = {owner for dependent, owner in edges if dependent == number}
        if owners and owners <= gone:
            gone.add(number)
    assert world.names() == {f"o{number}" for number in range(8)} - {f"o{number}" for number in gone}


def pod(name: str, **spec: Any) -> Object:
    meta = {"name": name, "namespace": "default"}
    spec = {"containers": [{"name": "main", "image": "example.com/app"}], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def phases(client: Client) -> dict[str, str]:
    return {obj["metadata"]["name"]: obj["status"]["phase"] for obj in client.list("pods", "default").items}


def test_pods_of_a_node_that_is_gone_fail_and_go_after_forty_seconds() -> None:
    cluster = Cluster(nodes=1, hollow=True)
    client = cluster.client("admin", "system:masters")
    client.create(
        "pods", pod("held", nodeName="n1") | {"metadata": {**pod("held")["metadata"], "finalizers": ["a.b/c"]}}
    )
    client.create("pods", pod("loose", nodeName="n1"))
    cluster.loop.run_for(5)
    cluster.kubelets[0].stop()
    client.delete("nodes", "n1")
    cluster.loop.run_for(40)
    assert phases(client) == {"held": "Running", "loose": "Running"}
    cluster.loop.run_for(40)
    assert phases(client) == {"held": "Failed"}
    held = client.get("pods", "held", "default")
    conditions = {one["type"]: one for one in held["status"]["conditions"]}
    assert conditions["DisruptionTarget"]["reason"] == "DeletionByPodGC"


def test_unscheduled_pods_that_are_to_go_and_those_of_nodes_out_of_service_are_removed() -> None:
    cluster = Cluster(nodes=2, hollow=True)
    client = cluster.client("admin", "system:masters")
    client.create("pods", pod("stuck", nodeName="n1"))
    cluster.loop.run_for(5)
    cluster.kubelets[0].stop()
    client.delete("pods", "stuck", "default")
    cluster.loop.run_for(120)
    assert "stuck" in phases(client)
    taint = {"key": "node.kubernetes.io/out-of-service", "effect": "NoExecute"}
    client.patch("nodes", "n1", {"spec": {"taints": [taint]}}, "strategic")
    cluster.loop.run_for(25)
    assert phases(client) == {}


def test_of_too_many_that_have_ended_the_oldest_go() -> None:
    cluster = Cluster(options=Options(terminated_pod_gc_threshold=2))
    client = cluster.client("admin", "system:masters")
    for name in ("a", "b", "c", "d"):
        made = client.create("pods", pod(name, nodeName="nowhere"))
        client.update_status("pods", {**made, "status": {**made["status"], "phase": "Succeeded"}})
        cluster.loop.run_for(1)
    cluster.loop.run_for(20)
    assert set(phases(client)) == {"c", "d"}


def test_evicted_pods_go_before_older_ones() -> None:
    def ended(name: str, created: str, reason: str = "") -> Object:
        return {"metadata": {"name": name, "creationTimestamp": created}, "status": {"reason": reason}}

    pods = [ended("new", "3"), ended("b", "1"), ended("a", "1"), ended("thrown", "4", "Evicted")]
    assert [obj["metadata"]["name"] for obj in surplus(pods, 1)] == ["thrown", "a", "b"]
    assert surplus(pods, 4) == []


def test_a_request_that_fails_is_made_again() -> None:
    world = World(controllers=False)
    failures = iter([True, True])

    def flaky(request: Any) -> Any:
        if request.verb == "delete" and next(failures, False):
            raise StatusError({"code": 500, "reason": "InternalError", "message": "out of order"})
        return handle(request)

    handle = world.cluster.handle
    names = ["garbage-collector-controller"]
    manager = ControllerManager(lambda user, agent: Client(flaky, user, agent), world.cluster.loop, names, Options())
    manager.start()
    owner = world.make("a")
    world.make("b", owner)
    world.delete("a", "Background")
    world.cluster.loop.run_for(5)
    assert world.names() == set()
