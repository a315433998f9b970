"""StatefulSets: order, identity, claims, updates and the history of their templates."""

from __future__ import annotations

from typing import Any

import pytest
from refkube.apimachinery.meta import is_terminating, labels_of
from refkube.apimachinery.rest import WatchEvent
from workload_objects import STATEFUL, Bench, workload

CLAIM = {
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


def story(bench: Bench) -> list[str]:
    """What happens to Pods from now on: +name made, *name ready, -name told to go."""
    told: list[str] = []

    def watch(event: WatchEvent) -> None:
        name = event.object["metadata"]["name"]
        if event.type == "DELETED" or is_terminating(event.object):
            sign = "-"
        else:
            sign = "*" if event.object["status"]["phase"] == "Running" else "+"
        if f"{sign}{name}" not in told[-1:]:
            told.append(f"{sign}{name}")

    now = bench.user.list("pods", "default").resource_version
    bench.user.watch("pods", watch, lambda: None, "default", resource_version=now)
    return told


def started(replicas: int = 3, **spec: Any) -> Bench:
    bench = Bench()
    bench.user.create(STATEFUL, workload(STATEFUL, "db", replicas, serviceName="db", **spec))
    assert bench.settled(STATEFUL, "db")
    return bench


def claims(bench: Bench) -> dict[str, list[str]]:
    found = bench.user.list("persistentvolumeclaims", "default").items
    return {
        claim["metadata"]["name"]: [owner["kind"] for owner in claim["metadata"].get("ownerReferences", ())]
        for claim in found
    }


def test_members_come_and_go_in_order() -> None:
    bench = Bench()
    told = story(bench)
    bench.user.create(STATEFUL, workload(STATEFUL, "db", 3, serviceName="db", ordinals={"start": 5}))
    assert bench.settled(STATEFUL, "db")
    assert told == ["+db-5", "*db-5", "+db-6", "*db-6", "+db-7", "*db-7"]
    del told[:]
    bench.patch(STATEFUL, "db", replicas=1)
    assert bench.settled(STATEFUL, "db")
    assert told == ["-db-7", "-db-6"]
    member = bench.get("pods", "db-5")
    assert (member["spec"]["hostname"], member["spec"]["subdomain"]) == ("db-5", "db")
    assert labels_of(member)["statefulset.kubernetes.io/pod-name"] == "db-5"
    assert labels_of(member)["apps.kubernetes.io/pod-index"] == "5"
    bench.cluster.close()


def test_parallel_members_do_not_wait_for_one_another() -> None:
    gate = {"readinessGates": [{"conditionType": "never"}]}
    bench = Bench()
    body = workload(STATEFUL, "db", 3, serviceName="db", podManagementPolicy="Parallel")
    body["spec"]["template"]["spec"].update(gate)
    bench.user.create(STATEFUL, body)
    bench.loop.run_for(5)
    assert bench.names("db") == ["db-0", "db-1", "db-2"]
    bench.patch(STATEFUL, "db", replicas=0)
    bench.loop.run_for(5)
    assert bench.names("db") == []
    bench.cluster.close()


def test_an_update_goes_from_the_last_to_the_first() -> None:
    bench = started()
    told = story(bench)
    bench.image(STATEFUL, "db", "web:2")
    assert bench.settled(STATEFUL, "db")
    made = [line for line in told if line[0] in "-+"]
    assert made == ["-db-2", "+db-2", "-db-1", "+db-1", "-db-0", "+db-0"]
    assert set(bench.images("db")) == {"web:2"}
    status = bench.get(STATEFUL, "db")["status"]
    assert status["currentRevision"] == status["updateRevision"]
    bench.cluster.close()


def test_a_partition_holds_lower_ordinals_back_even_when_they_are_replaced() -> None:
    bench = started(4, updateStrategy={"rollingUpdate": {"partition": 2}})
    bench.image(STATEFUL, "db", "web:2")
    bench.loop.run_for(10)
    assert bench.images("db") == ["web:1", "web:1", "web:2", "web:2"]
    bench.user.delete("pods", "db-0", "default")
    bench.loop.run_for(10)
    assert bench.images("db") == ["web:1", "web:1", "web:2", "web:2"]
    status = bench.get(STATEFUL, "db")["status"]
    assert (status["currentReplicas"], status["updatedReplicas"]) == (2, 2)
    bench.cluster.close()


def test_on_delete_updates_whom_the_user_deletes() -> None:
    bench = started(updateStrategy={"type": "OnDelete"})
    bench.image(STATEFUL, "db", "web:2")
    bench.loop.run_for(10)
    assert set(bench.images("db")) == {"web:1"}
    bench.user.delete("pods", "db-1", "default")
    bench.loop.run_for(10)
    assert bench.images("db") == ["web:1", "web:2", "web:1"]
    bench.cluster.close()


def test_a_broken_update_is_stuck_until_its_pod_is_deleted() -> None:
    bench = started()
    bench.patch(STATEFUL, "db", template={"spec": {"readinessGates": [{"conditionType": "never"}]}})
    bench.loop.run_for(10)
    bench.patch(STATEFUL, "db", template={"spec": {"readinessGates": None}})
    bench.loop.run_for(60)
    assert not bench.settled(STATEFUL, "db", 60)
    bench.user.delete("pods", "db-2", "default")
    assert bench.settled(STATEFUL, "db")
    bench.cluster.close()


def test_a_failed_member_is_made_again() -> None:
    bench = started(2)
    uid = bench.get("pods", "db-1")["metadata"]["uid"]
    bench.patch("pods", "db-1", activeDeadlineSeconds=1)
    bench.loop.run_for(10)
    assert bench.settled(STATEFUL, "db")
    assert bench.get("pods", "db-1")["metadata"]["uid"] != uid
    bench.cluster.close()


@pytest.mark.parametrize(
    ("policy", "kept", "after"),
    [
        ({}, ["data-db-0", "data-db-1"], ["data-db-0", "data-db-1"]),
        ({"whenScaled": "Delete"}, ["data-db-0"], ["data-db-0"]),
        ({"whenDeleted": "Delete"}, ["data-db-0", "data-db-1"], []),
    ],
)
def test_claims_stay_or_go_as_their_policy_says(policy: dict[str, str], kept: list[str], after: list[str]) -> None:
    bench = started(2, volumeClaimTemplates=[CLAIM], persistentVolumeClaimRetentionPolicy=policy)
    assert sorted(claims(bench)) == ["data-db-0", "data-db-1"]
    volumes = bench.get("pods", "db-1")["spec"]["volumes"]
    assert {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-1"}} in volumes
    bench.patch(STATEFUL, "db", replicas=1)
    bench.loop.run_for(10)
    assert sorted(claims(bench)) == kept
    bench.user.delete(STATEFUL, "db", "default")
    bench.loop.run_for(10)
    assert sorted(claims(bench)) == after
    bench.cluster.close()


def test_the_history_of_templates_is_limited_and_reused() -> None:
    bench = started(1, revisionHistoryLimit=1)
    for image in ("web:2", "web:3", "web:2"):
        bench.image(STATEFUL, "db", image)
        assert bench.settled(STATEFUL, "db")
    bench.loop.run_for(5)
    found = bench.user.list("controllerrevisions.apps", "default").items
    images = {one["revision"]: one["data"]["spec"]["template"]["spec"]["containers"][0]["image"] for one in found}
    assert images == {3: "web:3", 4: "web:2"}
    bench.cluster.close()
