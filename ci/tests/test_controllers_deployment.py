"""Deployments: rollouts within their limits, revisions, pauses, deadlines, proportional scaling."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refkube.apimachinery.meta import Object, annotations_of, condition_is_true, condition_of, is_terminating, key_of
from refkube.apimachinery.rest import WatchEvent
from refkube.controllers.deployment.rollout import MOST, proportions, same_template
from workload_objects import DEPLOYMENTS, SETS, Bench, template, workload

HELD = {"readinessGates": [{"conditionType": "example.com/good"}]}


def revision(bench: Bench, name: str = "web") -> str:
    return annotations_of(bench.get(DEPLOYMENTS, name))["deployment.kubernetes.io/revision"]


def progress(bench: Bench, name: str = "web") -> tuple[str, str]:
    condition = condition_of(bench.get(DEPLOYMENTS, name), "Progressing") or {}
    return condition["status"], condition["reason"]


@pytest.mark.parametrize(("surge", "unavailable", "most", "least"), [(1, 0, 6, 5), (0, 2, 5, 3), ("50%", "20%", 8, 4)])
def test_a_rollout_stays_within_its_limits(surge: Any, unavailable: Any, most: int, least: int) -> None:
    bench = Bench()
    strategy = {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    bench.user.create(DEPLOYMENTS, workload(DEPLOYMENTS, "web", 5, strategy=strategy, minReadySeconds=2))
    assert bench.settled(DEPLOYMENTS, "web")
    pods = {key_of(pod): pod for pod in bench.pods("web")}
    present, available = [], []

    def watch(event: WatchEvent) -> None:
        pods[key_of(event.object)] = event.object
        living = [pod for pod in pods.values() if not is_terminating(pod)]
        present.append(len(living))
        available.append(sum(condition_is_true(pod, "Ready") for pod in living))

    bench.user.watch("pods", watch, lambda: None, "default")
    bench.image(DEPLOYMENTS, "web", "web:2")
    assert bench.settled(DEPLOYMENTS, "web", 120)
    assert max(present) <= most
    assert min(available) >= least
    assert set(bench.images("web")) == {"web:2"}
    bench.cluster.close()


def test_recreate_lets_the_old_go_first() -> None:
    bench = Bench()
    bench.user.create(DEPLOYMENTS, workload(DEPLOYMENTS, "web", 3, strategy={"type": "Recreate"}))
    assert bench.settled(DEPLOYMENTS, "web")
    together: list[set[str]] = []
    there: dict[str, str] = {pod["metadata"]["name"]: "web:1" for pod in bench.pods("web")}

    def watch(event: WatchEvent) -> None:
        there.pop(event.object["metadata"]["name"], None)
        if event.type != "DELETED":
            there[event.object["metadata"]["name"]] = event.object["spec"]["containers"][0]["image"]
        together.append(set(there.values()))

    bench.user.watch("pods", watch, lambda: None, "default")
    bench.image(DEPLOYMENTS, "web", "web:2")
    assert bench.settled(DEPLOYMENTS, "web")
    assert {"web:1", "web:2"} not in together
    assert together[-1] == {"web:2"}
    bench.cluster.close()


def test_revisions_are_kept_reused_and_forgotten() -> None:
    bench = Bench()
    bench.user.create(DEPLOYMENTS, workload(DEPLOYMENTS, "web", 1, revisionHistoryLimit=2))
    for image in ("web:1", "web:2", "web:3"):
        bench.image(DEPLOYMENTS, "web", image)
        assert bench.settled(DEPLOYMENTS, "web")
    assert revision(bench) == "3"
    first = {one["metadata"]["uid"] for one in bench.user.list(SETS, "default").items}
    bench.image(DEPLOYMENTS, "web", "web:1")
    assert bench.settled(DEPLOYMENTS, "web")
    assert revision(bench) == "4"
    assert {one["metadata"]["uid"] for one in bench.user.list(SETS, "default").items} == first
    bench.image(DEPLOYMENTS, "web", "web:4")
    assert bench.settled(DEPLOYMENTS, "web")
    bench.loop.run_for(5)
    assert bench.old_and_new("web") == {"web:1": 0, "web:3": 0, "web:4": 1}  # of revisions 4, 3 and 5
    bench.cluster.close()


def test_a_pause_holds_the_template_back_but_not_the_scale() -> None:
    bench = Bench()
    bench.user.create(DEPLOYMENTS, workload(DEPLOYMENTS, "web", 2))
    assert bench.settled(DEPLOYMENTS, "web")
    bench.patch(DEPLOYMENTS, "web", paused=True)
    bench.image(DEPLOYMENTS, "web", "web:2")
    bench.patch(DEPLOYMENTS, "web", replicas=4)
    bench.loop.run_for(5)
    assert progress(bench) == ("Unknown", "DeploymentPaused")
    assert bench.old_and_new("web") == {"web:1": 4}
    bench.patch(DEPLOYMENTS, "web", paused=False)
    assert bench.settled(DEPLOYMENTS, "web")
    assert bench.old_and_new("web") == {"web:1": 0, "web:2": 4}
    assert progress(bench) == ("True", "NewReplicaSetAvailable")
    bench.cluster.close()


def test_no_progress_within_the_deadline_is_told() -> None:
    bench = Bench()
    bench.user.create(DEPLOYMENTS, workload(DEPLOYMENTS, "web", 3, progressDeadlineSeconds=60))
    assert bench.settled(DEPLOYMENTS, "web")
    bench.patch(DEPLOYMENTS, "web", template={"spec": HELD})
    bench.loop.run_for(50)
    assert progress(bench) == ("True", "ReplicaSetUpdated")
    bench.loop.run_for(20)
    assert progress(bench) == ("False", "ProgressDeadlineExceeded")
    assert condition_is_true(bench.get(DEPLOYMENTS, "web"), "Available")
    bench.patch(DEPLOYMENTS, "web", template={"spec": {"readinessGates": None}})
    assert bench.settled(DEPLOYMENTS, "web")
    assert progress(bench) == ("True", "NewReplicaSetAvailable")
    bench.cluster.close()


def test_a_stuck_rollout_scales_in_proportion() -> None:
    bench = Bench()
    strategy = {"rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}}
    bench.user.create(DEPLOYMENTS, workload(DEPLOYMENTS, "web", 10, strategy=strategy))
    assert bench.settled(DEPLOYMENTS, "web")
    bench.patch(DEPLOYMENTS, "web", template={"spec": {**HELD, "containers": [{"name": "c", "image": "web:2"}]}})
    bench.loop.run_for(5)
    assert bench.old_and_new("web") == {"web:1": 8, "web:2": 5}
    bench.patch(DEPLOYMENTS, "web", replicas=15)
    bench.loop.run_for(5)
    assert bench.old_and_new("web") == {"web:1": 11, "web:2": 7}  # as the documentation of Deployments has it
    bench.cluster.close()


def test_another_objects_name_is_a_collision() -> None:
    bench = Bench(controllers=["deployment-controller"])
    bench.user.create(DEPLOYMENTS, workload(DEPLOYMENTS, "web", 1))
    bench.loop.run_for(1)
    taken = bench.user.list(SETS, "default").items[0]["metadata"]["name"]
    bench.user.delete(DEPLOYMENTS, "web", "default")
    bench.user.delete(SETS, taken, "default")
    bench.user.create(SETS, {**workload(SETS, "other", 0), "metadata": {"name": taken, "namespace": "default"}})
    bench.user.create(DEPLOYMENTS, workload(DEPLOYMENTS, "web", 1))
    bench.loop.run_for(1)
    assert bench.get(DEPLOYMENTS, "web")["status"]["collisionCount"] == 1
    assert len(bench.user.list(SETS, "default").items) == 2
    bench.cluster.close()


def test_the_longest_name_leaves_room_for_the_hash() -> None:
    bench = Bench()
    made = workload(DEPLOYMENTS, "web", 1)
    bench.user.create(DEPLOYMENTS, {**made, "metadata": {**made["metadata"], "name": "w" * 253}})
    assert bench.settled(DEPLOYMENTS, "w" * 253)
    bench.cluster.close()


def test_an_orphaned_replica_set_is_adopted() -> None:
    bench = Bench()
    orphan = workload(SETS, "web", 2)
    bench.user.create(SETS, {**orphan, "metadata": {**orphan["metadata"], "labels": {"app": "web"}}})
    assert bench.settled(SETS, "web")
    names = bench.names("web")
    bench.user.create(DEPLOYMENTS, workload(DEPLOYMENTS, "web", 2))
    assert bench.settled(DEPLOYMENTS, "web")
    assert bench.names("web") == names
    bench.cluster.close()


def test_templates_are_equal_but_for_their_hash() -> None:
    plain, hashed = template("web"), template("web")
    hashed["metadata"]["labels"]["pod-template-hash"] = "abc"
    assert same_template(plain, hashed)
    assert not same_template(plain, template("web", "web:2"))
    assert not same_template(plain, {**plain, "metadata": {**plain["metadata"], "annotations": {"a": "b"}}})


@given(st.lists(st.integers(1, 50), min_size=2, max_size=5), st.integers(0, 200), st.integers(0, 20))
def test_proportions_add_up(sizes: list[int], target: int, surge: int) -> None:
    most, total = (target + surge if target else 0), sum(sizes)
    active: list[Object] = [
        {"metadata": {"name": f"s{i}", "annotations": {MOST: str(total)}}, "spec": {"replicas": size}}
        for i, size in enumerate(sizes)
    ]
    resized = proportions(active, target, most, total)
    together = sum(size for _, size in resized)
    # What rounding leaves over is the largest one's to bear, but it cannot have fewer than none.
    assert together == most or (together > most and resized[0][1] == 0)
    assert all(size >= 0 for _, size in resized)
    for one, size in resized:
        assert (size - one["spec"]["replicas"]) * (most - total) >= 0
