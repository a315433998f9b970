"""Claims and volumes: who suits whom, as a table; binding, provisioning, reclaiming and protection on a cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refkube.api.storage import best_match, capacity, mismatch, requested
from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object, get_path
from refkube.client.client import Client
from refkube.cluster import Cluster

CONTROLLERS = tuple(
    f"{name}-controller"
    for name in (
        "persistentvolume-binder",
        "persistentvolume-expander",
        "persistentvolume-protection",
        "persistentvolumeclaim-protection",
        "serviceaccount",
    )
)
RWO, RWX = "ReadWriteOnce", "ReadWriteMany"


def claim(name: str = "c", size: str = "1Gi", *, modes: tuple[str, ...] = (RWO,), **spec: Any) -> Object:
    meta = {"name": name, "namespace": "default", "uid": f"uid-{name}"}
    return {"metadata": meta, "spec": {"accessModes": [*modes], "resources": {"requests": {"storage": size}}, **spec}}


def volume(
    name: str = "v", size: str = "1Gi", *, modes: tuple[str, ...] = (RWO,), phase: str = "Available", **spec: Any
) -> Object:
    meta = {"name": name, "labels": spec.pop("labels", {})}
    spec = {"accessModes": [*modes], "capacity": {"storage": size}, "hostPath": {"path": "/tmp/v"}, **spec}
    return {"metadata": meta, "spec": spec, "status": {"phase": phase}}


def kept_for(name: str, uid: str = "") -> Object:
    return {"claimRef": {"namespace": "default", "name": name, **({"uid": uid} if uid else {})}}


@pytest.mark.parametrize(
    ("wanted", "there", "chosen"),
    [
        (claim(), [volume("a", "2Gi"), volume("b", "1Gi"), volume("c", "3Gi")], "b"),
        (claim(size="4Gi"), [volume("a", "2Gi")], None),
        (claim(), [volume("a", "1Gi", modes=(RWO, RWX)), volume("b", "9Gi")], "b"),
        (claim(modes=(RWX,)), [volume("a", modes=(RWO, RWX)), volume("b")], "a"),
        (claim(), [volume("a", phase="Released"), volume("b", phase="Pending")], None),
        (claim(), [volume("a", storageClassName="gold")], None),
        (claim(storageClassName="gold"), [volume("a"), volume("b", storageClassName="gold")], "b"),
        (claim(volumeMode="Block"), [volume("a"), volume("b", volumeMode="Block")], "b"),
        (claim(selector={"matchLabels": {"x": "1"}}), [volume("a"), volume("b", labels={"x": "1"})], "b"),
        (claim(), [volume("a"), volume("b", "5Gi", **kept_for("c"))], "b"),
        (claim(), [volume("b", "500Mi", **kept_for("c")), volume("a")], "a"),
        (claim(), [volume("a", **kept_for("other"))], None),
        (claim(), [volume("a", **kept_for("c", "uid-of-another"))], None),
        (claim(), [volume("a", phase="Bound", **kept_for("c", "uid-c"))], "a"),
        (claim(), [volume("a", volumeAttributesClassName="fast")], None),
    ],
)
def test_the_volume_for_a_claim(wanted: Object, there: list[Object], chosen: str | None) -> None:
    found = best_match(wanted, there, delayed=False)
    assert (found and found["metadata"]["name"]) == chosen


def test_the_scheduler_chooses_for_a_claim_that_waits_except_what_is_kept_for_it() -> None:
    assert best_match(claim(), [volume()], delayed=True) is None
    assert best_match(claim(), [volume(**kept_for("c"))], delayed=True) is not None


class World:
    """A cluster with the controllers of storage; names are in the namespace default."""

    def __init__(self, nodes: int = 0, controllers: tuple[str, ...] | bool = CONTROLLERS):
        self.cluster = Cluster(nodes=nodes, controllers=controllers)
        self.user: Client = self.cluster.client("user", "system:masters")
        self.wait(1)

    def wait(self, seconds: float) -> None:
        self.cluster.loop.run_for(seconds)

    def make(self, resource: str, kind: str, name: str, spec: Object | None = None, **rest: Any) -> Object:
        version = "storage.k8s.io/v1" if kind == "StorageClass" else "v1"
        meta = {"name": name, **rest.pop("metadata", {})}
        if kind not in ("StorageClass", "PersistentVolume"):
            meta["namespace"] = "default"
        obj = {"apiVersion": version, "kind": kind, "metadata": meta, **rest}
        return self.user.create(resource, {**obj, "spec": spec} if spec else obj)

    def storage_class(self, name: str, provisioner: str = "refkube.io/hostpath", **rest: Any) -> None:
        self.make("storageclasses.storage.k8s.io", "StorageClass", name, provisioner=provisioner, **rest)

    def claim(self, name: str, size: str = "1Gi", **spec: Any) -> None:
        self.make("persistentvolumeclaims", "PersistentVolumeClaim", name, claim(name, size, **spec)["spec"])

    def volume(self, name: str, size: str = "1Gi", **spec: Any) -> None:
        self.make("persistentvolumes", "PersistentVolume", name, volume(name, size, **spec)["spec"])

    def pod(self, name: str, of: str, node: str = "") -> None:
        volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": of}}]
        spec = {"containers": [{"name": "c", "image": "x"}], "volumes": volumes, "nodeName": node}
        self.make("pods", "Pod", name, spec)

    def seen(self, what: str, name: str) -> Object | None:
        resource = {"claim": "persistentvolumeclaims", "volume": "persistentvolumes"}[what]
        try:
            return self.user.get(resource, name, "default" if what == "claim" else "")
        except StatusError:
            return None

    def phase(self, what: str, name: str) -> str | None:
        return get_path(self.seen(what, name), "status", "phase")

    def bound_to(self, name: str) -> str | None:
        seen = self.seen("claim", name)
        return get_path(seen, "spec", "volumeName") if get_path(seen, "status", "phase") == "Bound" else None

    def events(self, about: str) -> list[str]:
        told = self.user.list("events").items
        return [event["reason"] for event in told if event["involvedObject"]["name"] == about]

    def delete(self, what: str, name: str) -> None:
        resource = {"claim": "persistentvolumeclaims", "volume": "persistentvolumes", "pod": "pods"}[what]
        self.user.delete(resource, name, "" if what == "volume" else "default")


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(StatusError) as caught:
        call()
    assert caught.value.code == 403
    return caught.value.message


def test_a_claim_without_a_class_waits_for_a_volume() -> None:
    world = World()
    world.claim("c")
    world.wait(1)
    assert (world.phase("claim", "c"), world.events("c")) == ("Pending", ["FailedBinding"])
    world.volume("v", "3Gi")
    world.wait(1)
    assert world.phase("volume", "v") == "Available"
    world.wait(15)
    assert world.bound_to("c") == "v"
    seen, bound = world.seen("claim", "c"), world.seen("volume", "v")
    assert seen is not None
    assert bound is not None
    assert seen["status"]["capacity"] == {"storage": "3Gi"}
    assert bound["spec"]["claimRef"]["uid"] == seen["metadata"]["uid"]
    assert bound["status"]["phase"] == "Bound"


def test_a_claim_gets_the_volume_it_asks_for_or_none() -> None:
    world = World()
    for name, size in (("a", "1Gi"), ("small", "500Mi"), ("b", "1Gi")):
        world.volume(name, size)
    world.wait(1)
    world.claim("first", volumeName="b")
    world.wait(1)
    world.claim("second", volumeName="b")
    world.claim("third", volumeName="small")
    world.wait(1)
    assert [world.bound_to(name) for name in ("first", "second", "third")] == ["b", None, None]
    assert world.events("second") == ["FailedBinding"]
    assert world.events("third") == ["VolumeMismatch"]
    assert mismatch(claim(), volume(size="500Mi")) == "requested PV is too small"


@pytest.mark.parametrize(
    ("policy", "path", "left", "told"),
    [
        ("Retain", "/tmp/v", "Released", []),
        ("Delete", "/tmp/v", None, []),
        ("Delete", "/data", "Failed", ["VolumeFailedDelete"]),
        ("Recycle", "/tmp/v", "Failed", ["VolumeFailedRecycle"]),
    ],
)
def test_what_becomes_of_a_volume_that_is_let_go(policy: str, path: str, left: str | None, told: list[str]) -> None:
    world = World()
    world.volume("v", persistentVolumeReclaimPolicy=policy, hostPath={"path": path})
    world.wait(1)
    world.claim("c")
    world.wait(1)
    assert world.bound_to("c") == "v"
    world.delete("claim", "c")
    world.wait(1)
    assert (world.seen("claim", "c"), world.phase("volume", "v"), world.events("v")) == (None, left, told)
    world.claim("c")
    world.wait(16)
    assert world.bound_to("c") is None


def test_a_claim_whose_volume_vanished_is_lost() -> None:
    world = World(controllers=("persistentvolume-binder-controller",))
    world.volume("v")
    world.wait(1)
    world.claim("c")
    world.wait(1)
    world.user.patch("persistentvolumes", "v", {"metadata": {"finalizers": None}})
    world.delete("volume", "v")
    world.wait(1)
    assert (world.phase("claim", "c"), world.events("c")) == ("Lost", ["ClaimLost"])


def test_a_class_with_a_provisioner_makes_a_volume_and_has_it_deleted() -> None:
    world = World(nodes=1, controllers=True)
    world.claim("c", "3Gi")
    world.wait(1)
    name = world.bound_to("c")
    assert name is not None
    made = world.seen("volume", name)
    assert made is not None
    assert made["spec"]["storageClassName"] == "standard"
    assert (made["spec"]["capacity"], str(world.cluster.storage.sizes[name])) == ({"storage": "3Gi"}, "3Gi")
    assert world.events("c") == ["ProvisioningSucceeded"]
    world.delete("claim", "c")
    world.wait(1)
    assert (world.seen("volume", name), world.cluster.storage.sizes) == (None, {})


def test_storage_that_fails_is_asked_again() -> None:
    world = World(nodes=1, controllers=True)
    world.cluster.storage.fail("provision", "no space", 2)
    world.cluster.storage.fail("delete", "busy", 2)
    world.claim("c")
    world.wait(20)
    name = world.bound_to("c")
    assert name is not None
    assert world.events("c") == ["ProvisioningFailed", "ProvisioningSucceeded"]
    world.delete("claim", "c")
    world.cluster.loop.settle()
    assert world.phase("volume", name) == "Failed"
    world.wait(20)
    assert (world.seen("volume", name), world.cluster.storage.sizes) == (None, {})


def test_a_claim_that_waits_for_its_first_consumer_goes_on_when_a_node_is_selected() -> None:
    world = World()
    world.storage_class("late", volumeBindingMode="WaitForFirstConsumer")
    world.volume("v", storageClassName="late")
    world.claim("c", storageClassName="late")
    world.wait(1)
    assert (world.phase("claim", "c"), world.events("c")) == ("Pending", ["WaitForFirstConsumer"])
    world.pod("p", "c")
    world.wait(15)
    assert world.events("c")[-1] == "WaitForPodScheduled"
    annotations = {"volume.kubernetes.io/selected-node": "n1"}
    world.user.patch("persistentvolumeclaims", "c", {"metadata": {"annotations": annotations}}, namespace="default")
    world.wait(1)
    assert str(world.bound_to("c")).startswith("pvc-")
    assert world.phase("volume", "v") == "Available"


def test_who_is_waited_for_is_told() -> None:
    world = World()
    world.storage_class("theirs", "example.com/disks")
    for name, of in (("a", "theirs"), ("b", "missing")):
        world.claim(name, storageClassName=of)
    world.wait(1)
    assert (world.events("a"), world.events("b")) == (["ExternalProvisioning"], ["ProvisioningFailed"])
    seen = world.seen("claim", "a")
    assert get_path(seen, "metadata", "annotations", "volume.kubernetes.io/storage-provisioner") == "example.com/disks"


def test_a_claim_from_before_there_was_a_default_class_gets_it() -> None:
    world = World()
    world.claim("c")
    world.claim("none", storageClassName="")
    world.wait(1)
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    world.storage_class("first", metadata={"annotations": default})
    world.wait(16)
    world.storage_class("second", metadata={"annotations": default})
    assert (world.phase("claim", "c"), world.phase("claim", "none")) == ("Bound", "Pending")
    world.claim("d")
    assert get_path(world.seen("claim", "d"), "spec", "storageClassName") == "second"


def test_what_is_in_use_stays_until_it_is_not() -> None:
    world = World(nodes=1, controllers=True)
    world.claim("c")
    world.wait(1)
    world.pod("p", "c", "n1")
    world.wait(1)
    name = world.bound_to("c")
    assert name is not None
    world.delete("claim", "c")
    world.delete("volume", name)
    world.wait(60)
    assert (world.phase("claim", "c"), world.phase("volume", name)) == ("Bound", "Bound")
    world.delete("pod", "p")
    world.wait(60)
    assert (world.seen("claim", "c"), world.seen("volume", name)) == (None, None)


def test_a_bound_volume_stays_until_its_claim_has_gone() -> None:
    world = World()
    world.volume("v")
    world.wait(1)
    world.claim("c")
    world.wait(1)
    world.delete("volume", "v")
    world.wait(60)
    assert (world.bound_to("c"), world.phase("volume", "v")) == ("v", "Bound")
    world.delete("claim", "c")
    world.wait(1)
    assert world.seen("volume", "v") is None


def test_a_claim_grows_where_its_class_lets_it() -> None:
    world = World(nodes=1, controllers=True)
    world.storage_class("fixed")
    world.claim("c")
    world.claim("f", storageClassName="fixed")

    def grow(name: str) -> Object:
        more = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
        return world.user.patch("persistentvolumeclaims", name, more, namespace="default")

    world.wait(1)
    grow("c")
    world.wait(1)
    name = str(world.bound_to("c"))
    seen, grown = world.seen("claim", "c"), world.seen("volume", name)
    assert get_path(seen, "status", "capacity") == get_path(grown, "spec", "capacity") == {"storage": "2Gi"}
    assert (get_path(seen, "status", "conditions", default=[]), str(world.cluster.storage.sizes[name])) == ([], "2Gi")
    assert "only dynamically provisioned pvc can be resized" in refused(lambda: grow("f"))


SIZES = st.sampled_from(["1Gi", "2Gi", "3Gi"])
MODES = st.sampled_from([(RWO,), (RWX,), (RWO, RWX)])
STEPS = st.one_of(
    st.tuples(st.just("claim"), SIZES, MODES),
    st.tuples(st.just("volume"), SIZES, MODES),
    st.tuples(st.just("drop"), st.integers(0, 9), st.none()),
    st.tuples(st.just("wait"), st.sampled_from([0.0, 1.0, 16.0]), st.none()),
)


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(STEPS, max_size=20))
def test_no_two_claims_get_one_volume_and_every_claim_gets_what_it_asks_for(steps: list[tuple[str, Any, Any]]) -> None:
    world = World()
    for number, (what, how, modes) in enumerate(steps):
        if what == "claim":
            world.claim(f"c{number}", how, modes=modes)
        elif what == "volume":
            world.volume(f"v{number}", how, modes=modes, persistentVolumeReclaimPolicy="Delete")
        elif what == "wait":
            world.wait(how)
        elif world.seen("claim", f"c{how}"):
            world.delete("claim", f"c{how}")
    world.wait(31)
    claims = {one["metadata"]["name"]: one for one in world.user.list("persistentvolumeclaims").items}
    volumes = {one["metadata"]["name"]: one for one in world.user.list("persistentvolumes").items}
    bound = {name: one["spec"]["volumeName"] for name, one in claims.items() if one["status"]["phase"] == "Bound"}
    assert len(set(bound.values())) == len(bound)
    for name, of in bound.items():
        assert volumes[of]["spec"]["claimRef"]["name"] == name
        assert capacity(volumes[of]) >= requested(claims[name])
        assert set(claims[name]["spec"]["accessModes"]) <= set(volumes[of]["spec"]["accessModes"])
    for one in volumes.values():
        assert (one["status"]["phase"] == "Bound") == (one["metadata"]["name"] in bound.values())
    for name in claims.keys() - bound.keys():
        assert best_match(claims[name], volumes.values(), delayed=False) is None, "a volume that would do is free"
    world.cluster.close()
