"""The client against the real API server in process: informers, controllers, events and leader election together."""

from __future__ import annotations

import pytest
from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object
from refkube.client.client import retry_on_conflict
from refkube.client.controller import Controller
from refkube.client.events import NORMAL, EventRecorder
from refkube.client.informer import Informers, by_namespace
from refkube.client.leaderelection import LeaderElector
from refkube.cluster import Cluster


def config_map(name: str, **data: str) -> Object:
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_controller_copies_what_it_sees_and_an_informer_ends_equal_to_the_server(seed: int) -> None:
    cluster = Cluster(seed=seed, controllers=False)
    client = cluster.client("copier", "system:masters")
    informers = Informers(client, cluster.loop)
    maps = informers.of("configmaps")
    maps.add_index("namespace", by_namespace)
    recorder = EventRecorder(client, cluster.loop, "copier")

    def reconcile(key: str) -> None:
        source = maps.get(key)
        if source is None or key.endswith("-copy"):
            return
        name = source["metadata"]["name"] + "-copy"
        copy = maps.get(f"default/{name}")
        if copy is None:
            client.create("configmaps", config_map(name, **source.get("data", {})))
            recorder.event(source, NORMAL, "Copied", f"to {name}")
        elif copy.get("data") != source.get("data"):
            client.update("configmaps", {**copy, "data": source.get("data", {})})
            recorder.event(source, NORMAL, "Copied", f"to {name}")

    controller = Controller(cluster.loop, "copier", reconcile, [maps])
    maps.add_handler(controller.add_object, lambda old, new: controller.add_object(new), controller.add_object)
    controller.start()
    informers.start()
    user = cluster.client("user", "system:masters")
    for i in range(5):
        user.create("configmaps", config_map(f"m{i}", a="0"))
    cluster.loop.run_for(1)

    def change() -> Object:
        return user.update("configmaps", {**user.get("configmaps", "m3", "default"), "data": {"a": "1"}})

    retry_on_conflict(change)
    user.delete("configmaps", "m4", "default")
    assert cluster.loop.run_until(lambda: maps.items["default/m3-copy"].get("data") == {"a": "1"}, 10)
    cluster.loop.run_for(1)
    listed = user.list("configmaps", "default")
    assert set(maps.indexed("namespace", "default")) == {f"default/{o['metadata']['name']}" for o in listed.items}
    assert {o["metadata"]["name"]: o for o in listed.items}.items() >= {
        obj["metadata"]["name"]: obj for obj in maps.indexed("namespace", "default").values()
    }.items()
    events = {e["involvedObject"]["name"]: e for e in user.list("events", "default").items}
    assert set(events) == {"m0", "m1", "m2", "m3", "m4"}
    assert events["m3"]["count"] == 2
    assert controller.errors == {}
    cluster.close()


def test_informers_stay_in_step_through_timeouts_and_compaction() -> None:
    cluster = Cluster(controllers=False)
    client = cluster.client("watcher", "system:masters")
    informers = Informers(client, cluster.loop)
    maps = informers.of("configmaps", "default")
    informers.start()
    for i in range(5):
        client.create("configmaps", config_map(f"m{i}"))
        cluster.loop.run_for(400)  # watches end after five to ten minutes, the store is compacted every five
    assert set(maps.items) == {
        o["metadata"]["namespace"] + "/" + o["metadata"]["name"] for o in client.list("configmaps", "default").items
    }
    assert len([key for key in maps.items if key.startswith("default/m")]) == 5
    cluster.close()


def test_a_stale_write_is_a_conflict() -> None:
    cluster = Cluster(controllers=False)
    client = cluster.client("writer", "system:masters")
    first = client.create("configmaps", config_map("m"))
    client.update("configmaps", {**first, "data": {"a": "1"}})
    with pytest.raises(StatusError, match="the object has been modified") as conflict:
        client.update("configmaps", {**first, "data": {"a": "2"}})
    assert conflict.value.reason == "Conflict"
    client.patch("configmaps", "m", {"data": {"b": "2"}}, namespace="default")
    assert client.get("configmaps", "m", "default")["data"] == {"a": "1", "b": "2"}
    uid = first["metadata"]["uid"]
    with pytest.raises(StatusError, match="UID"):
        client.delete("configmaps", "m", "default", uid="00000000-0000-4000-8000-000000000000")
    client.delete("configmaps", "m", "default", uid=uid)
    client.create("configmaps", config_map("m"), dry_run=True)
    client.create("configmaps", config_map("n"))
    client.delete_collection("configmaps", "default", field_selector="metadata.name=n")
    names = {obj["metadata"]["name"] for obj in client.list("configmaps", "default").items}
    assert not {"m", "n"} & names
    cluster.close()


def test_leaders_are_elected_over_a_real_lease() -> None:
    cluster, log = Cluster(controllers=False), []
    client = cluster.client("elector", "system:masters")
    electors = [
        LeaderElector(
            client,
            cluster.loop,
            "thing",
            f"c{i}",
            started=lambda i=i: log.append(f"c{i} leads"),
            stopped=lambda i=i: log.append(f"c{i} stops"),
            recorder=EventRecorder(client, cluster.loop, f"c{i}"),
        )
        for i in range(2)
    ]
    for elector in electors:
        elector.start()
    cluster.loop.run_for(30)
    electors[0].stop()
    cluster.loop.run_for(10)
    assert log == ["c0 leads", "c0 stops", "c1 leads"]
    lease = client.get("leases.coordination.k8s.io", "thing", "kube-system")
    assert lease["spec"]["holderIdentity"] == "c1"
    messages = [event["message"] for event in client.list("events", "kube-system").items]
    assert sorted(messages) == ["c0 became leader", "c0 stopped leading", "c1 became leader"]
    cluster.close()
