"""ReplicaSets and ReplicationControllers, and what they share with the other workloads' controllers."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refkube.apimachinery import errors
from refkube.apimachinery.meta import Object, condition_of, labels_of
from refkube.controllers.common.hashing import content_hash
from refkube.controllers.common.pod_control import slow_start
from refkube.controllers.common.pods import DELETION_COST, Tallies, Tally
from refkube.controllers.common.rollout import fenceposts
from refkube.engine.clock import NEW_YEAR_2026, rfc3339
from workload_objects import SETS, Bench, pod, template, workload

NOW = NEW_YEAR_2026 + 10_000


def ranked(
    uid: str = "u",
    node: str = "n1",
    phase: str = "Running",
    ready: float | None = 5000,
    cost: str = "0",
    restarts: int = 0,
    age: float = 6000,
) -> Object:
    made = pod("p", {}, **({"nodeName": node} if node else {}))
    conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": rfc3339(NOW - ready)}] if ready else []
    meta: Object = {
        "name": uid,
        "uid": uid,
        "annotations": {DELETION_COST: cost},
        "creationTimestamp": rfc3339(NOW - age),
    }
    meta["ownerReferences"] = [{"kind": "ReplicaSet", "uid": "owner", "controller": True}]
    told = [{"name": "c", "restartCount": restarts}]
    return {**made, "metadata": meta, "status": {"phase": phase, "conditions": conditions, "containerStatuses": told}}


class Told:
    """An informer that tells of given Pods."""

    def __init__(self, pods: list[Object]):
        self.pods = pods

    def add_handler(self, added: Any, updated: Any, deleted: Any) -> None:
        for one in self.pods:
            added({**one, "status": {}})
            updated(one, one)
            added({**one, "metadata": {**one["metadata"], "uid": "gone"}})
            deleted({**one, "metadata": {**one["metadata"], "uid": "gone"}})


def tally_of(pods: list[Object]) -> Tally:
    return Tallies(Told(pods), "ReplicaSet").of("owner")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (ranked(node=""), ranked(phase="Pending", ready=None)),
        (ranked(phase="Pending", ready=None), ranked(phase="Unknown", ready=None)),
        (ranked(phase="Unknown", ready=None), ranked(ready=None)),
        (ranked(ready=None), ranked(cost="-5")),
        (ranked(cost="-5", ready=9000), ranked(ready=10)),
        (ranked(cost="1", ready=9000), ranked(cost="2", ready=10)),
        (ranked(cost="no number", ready=10), ranked(cost="0", ready=1000)),
        (ranked(node="crowded", ready=9000), ranked(ready=10)),
        (ranked(ready=100), ranked(ready=1000)),
        (ranked("a", ready=1000), ranked("b", ready=600)),  # ages of one power of two: chance, which is the uid
        (ranked(restarts=3, age=9000), ranked(age=100)),
        (ranked(age=100), ranked(age=9000)),
    ],
)
def test_the_least_useful_pod_goes_first(first: Object, second: Object) -> None:
    crowd = tally_of([ranked(str(number), node="crowded") for number in range(3)]).on_nodes()
    for pods in ([first, second], [second, first]):
        pods = [{**one, "metadata": {**one["metadata"], "uid": one["metadata"]["uid"] + str(id(one))}} for one in pods]
        tally = tally_of(pods)
        (chosen,) = tally.first_to_go(1, tally.on_nodes() + crowd, NOW)
        assert chosen["metadata"]["name"] == first["metadata"]["name"]
        assert {**chosen, "metadata": first["metadata"]} == first
        assert len(tally.first_to_go(2, tally.on_nodes() + crowd, NOW)) == 2


@pytest.mark.parametrize(
    ("surge", "unavailable", "desired", "expected"),
    [
        ("25%", "25%", 10, (3, 2)),
        ("25%", "25%", 1, (1, 0)),
        (0, 0, 5, (0, 1)),
        ("0%", "10%", 5, (0, 1)),
        (2, "100%", 3, (2, 3)),
        (None, None, 3, (0, 1)),
        ("50%", 0, 0, (0, 1)),
    ],
)
def test_percentages_round_so_that_a_rollout_can_move(surge, unavailable, desired, expected) -> None:
    assert fenceposts(surge, unavailable, desired) == expected


@given(st.integers(0, 200), st.integers(0, 200))
def test_few_calls_are_made_where_all_are_going_to_fail(count: int, good: int) -> None:
    calls = itertools.count(1)

    def call() -> None:
        if next(calls) > good:
            raise errors.forbidden("pods", "", "exceeded quota")

    succeeded, failure = slow_start(count, call)
    made = next(calls) - 1
    assert succeeded == min(count, good)
    assert (failure is None) == (count <= good)
    assert made <= count
    assert made <= max(1, 2 * good + 1)


def test_a_hash_may_stand_in_a_name_and_changes_with_collisions() -> None:
    hashes = {content_hash(template("web"), collisions) for collisions in range(20)}
    assert len(hashes) == 20
    assert set("".join(hashes)) <= set("bcdfghjklmnpqrstvwxz2456789")
    assert content_hash({"a": 1, "b": 2}) == content_hash({"b": 2, "a": 1})


def test_it_scales_replaces_adopts_and_releases() -> None:
    bench = Bench()
    orphan = bench.user.create("pods", pod("orphan", {"app": "web"}))
    bench.user.create(SETS, workload(SETS, "web", 3))
    assert bench.settled(SETS, "web")
    assert "orphan" in bench.names("web")
    assert len(bench.names("web")) == 3
    owner = bench.get("pods", "orphan")["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["controller"], owner["blockOwnerDeletion"]) == ("ReplicaSet", True, True)
    assert orphan["metadata"]["uid"] == bench.get("pods", "orphan")["metadata"]["uid"]
    bench.user.patch("pods", "orphan", {"metadata": {"labels": {"app": "free"}}}, namespace="default")
    bench.loop.run_for(5)
    assert "ownerReferences" not in bench.get("pods", "orphan")["metadata"]
    assert len(bench.names("web")) == 3
    bench.user.delete("pods", bench.names("web")[0], "default")
    bench.loop.run_for(5)
    assert len(bench.names("web")) == 3
    bench.patch(SETS, "web", replicas=0)
    assert bench.settled(SETS, "web")
    assert bench.names() == ["orphan"]
    bench.cluster.close()


def test_deletion_cost_decides_who_goes() -> None:
    bench = Bench()
    bench.user.create(SETS, workload(SETS, "web", 4))
    assert bench.settled(SETS, "web")
    dear = bench.names("web")[1]
    for name in bench.names("web"):
        cost = {"metadata": {"annotations": {DELETION_COST: "10" if name == dear else "1"}}}
        bench.user.patch("pods", name, cost, namespace="default")
    bench.patch(SETS, "web", replicas=1)
    assert bench.settled(SETS, "web")
    assert bench.names("web") == [dear]
    bench.cluster.close()


def test_availability_waits_for_min_ready_seconds() -> None:
    bench = Bench()
    began = bench.loop.now()
    bench.user.create(SETS, workload(SETS, "web", 2, minReadySeconds=30))
    bench.loop.run_for(20)
    status = bench.get(SETS, "web")["status"]
    assert (status["readyReplicas"], status.get("availableReplicas", 0)) == (2, 0)
    assert bench.settled(SETS, "web")
    assert 30 <= bench.loop.now() - began < 33
    bench.cluster.close()


def test_pods_that_the_server_refuses_are_told_of_until_it_takes_them() -> None:
    bench = Bench()
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few", "namespace": "default"}}
    bench.user.create("resourcequotas", {**quota, "spec": {"hard": {"pods": "2"}}})
    bench.loop.run_for(1)
    bench.user.create(SETS, workload(SETS, "web", 5))
    bench.loop.run_for(5)
    replica_set = bench.get(SETS, "web")
    failure = condition_of(replica_set, "ReplicaFailure")
    assert failure is not None
    assert failure["reason"] == "FailedCreate"
    assert "exceeded quota" in failure["message"]
    assert replica_set["status"]["replicas"] == 2
    assert any(reason == "FailedCreate" for reason, _ in bench.events("ReplicaSet"))
    bench.user.patch("resourcequotas", "few", {"spec": {"hard": {"pods": "9"}}}, namespace="default")
    assert bench.settled(SETS, "web", 600)
    assert condition_of(bench.get(SETS, "web"), "ReplicaFailure") is None
    bench.cluster.close()


def test_a_replication_controller_does_the_same() -> None:
    bench = Bench()
    body = {"replicas": 2, "template": template("old")}
    meta = {"name": "old", "namespace": "default"}
    bench.user.create(
        "replicationcontrollers", {"apiVersion": "v1", "kind": "ReplicationController", "metadata": meta, "spec": body}
    )
    bench.loop.run_for(5)
    status = bench.get("replicationcontrollers", "old")["status"]
    assert status == {
        "replicas": 2,
        "fullyLabeledReplicas": 2,
        "readyReplicas": 2,
        "availableReplicas": 2,
        "observedGeneration": 1,
    }
    assert {labels_of(one)["app"] for one in bench.pods()} == {"old"}
    bench.cluster.close()
