"""Load balancers over the simulated cloud: made, kept in step with the nodes, released, and tried again."""

from __future__ import annotations

import pytest
from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object
from refkube.client.client import Client
from refkube.cloudprovider import CloudError, SimulatedCloud
from refkube.cluster import Cluster
from refkube.controllers.service import EXCLUDED, FINALIZER


class Setting:
    def __init__(self) -> None:
        self.cloud = SimulatedCloud()
        self.cluster = Cluster(controllers=("service-lb-controller",), cloud=self.cloud)
        self.client: Client = self.cluster.client("admin", "system:masters")

    def create(self, type: str = "LoadBalancer", **spec: str) -> None:
        meta = {"name": "web", "namespace": "default"}
        spec_: Object = {"type": type, "ports": [{"port": 80}], **spec}
        self.client.create("services", {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec_})
        self.cluster.loop.settle()

    def node(self, name: str, **meta: Object) -> None:
        self.client.create("nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, **meta}})
        self.cluster.loop.settle()

    def service(self) -> Object:
        return self.client.get("services", "web", "default")

    def ingress(self) -> list[str]:
        return [point["ip"] for point in self.service()["status"]["loadBalancer"].get("ingress") or ()]

    def reasons(self) -> list[str]:
        self.cluster.loop.settle()
        return [event["reason"] for event in self.client.list("events", "default").items]


def test_a_load_balancer_has_the_nodes_that_take_part() -> None:
    setting = Setting()
    setting.create()
    assert setting.ingress() == ["198.51.100.1"]
    assert setting.service()["metadata"]["finalizers"] == [FINALIZER]
    setting.node("a")
    setting.node("b", labels={EXCLUDED: ""})
    (balancer,) = setting.cloud.balancers.values()
    assert balancer.nodes == {"a"}
    setting.client.patch("nodes", "b", {"metadata": {"labels": {EXCLUDED: None}}})
    setting.cluster.loop.settle()
    assert balancer.nodes == {"a", "b"}
    assert {"EnsuringLoadBalancer", "EnsuredLoadBalancer", "UpdatedLoadBalancer"} <= set(setting.reasons())


def test_it_is_released_when_the_service_changes_its_type_or_goes() -> None:
    setting = Setting()
    setting.create()
    setting.client.patch("services", "web", {"spec": {"type": "ClusterIP"}}, "merge", "default")
    setting.cluster.loop.settle()
    assert (setting.cloud.balancers, setting.ingress()) == ({}, [])
    assert not setting.service()["metadata"].get("finalizers")
    setting.client.patch("services", "web", {"spec": {"type": "LoadBalancer"}}, "merge", "default")
    setting.cluster.loop.settle()
    assert setting.ingress() == ["198.51.100.2"]
    setting.client.delete("services", "web", "default")
    setting.cluster.loop.settle()
    assert setting.cloud.balancers == {}
    with pytest.raises(StatusError, match="not found"):
        setting.service()


def test_what_the_cloud_refuses_is_told_and_tried_again() -> None:
    setting = Setting()
    setting.cloud.fail("ensure", "quota exceeded")
    setting.create()
    assert setting.ingress() == []
    assert "SyncLoadBalancerFailed" in setting.reasons()
    setting.cluster.loop.run_for(6)
    assert setting.ingress() == ["198.51.100.1"]
    setting.cloud.fail("delete", "busy")
    setting.client.delete("services", "web", "default")
    setting.cluster.loop.settle()
    assert setting.service()["metadata"]["finalizers"] == [FINALIZER], "it stays as long as its load balancer"
    setting.cluster.loop.run_for(20)
    assert setting.cloud.balancers == {}


def test_another_class_is_anothers_to_make() -> None:
    setting = Setting()
    setting.create(loadBalancerClass="example.com/other")
    assert setting.cloud.balancers == {}
    assert "finalizers" not in setting.service()["metadata"]


def test_a_service_that_lost_its_finalizer_leaves_no_load_balancer() -> None:
    setting = Setting()
    setting.create()
    setting.client.patch("services", "web", {"metadata": {"finalizers": None}}, "merge", "default")
    setting.client.delete("services", "web", "default")
    setting.cluster.loop.settle()
    assert setting.cloud.balancers == {}


def test_the_pool_has_an_end() -> None:
    cloud = SimulatedCloud("198.51.100.0/30")
    made = [{"metadata": {"uid": str(number)}, "spec": {}} for number in range(3)]
    assert [cloud.ensure(service, ())["ingress"][0]["ip"] for service in made[:2]] == ["198.51.100.1", "198.51.100.2"]
    with pytest.raises(CloudError, match="no address is left"):
        cloud.ensure(made[2], ())
    cloud.delete(made[0])
    assert cloud.ensure(made[2], ())["ingress"] == [{"ip": "198.51.100.1", "ipMode": "VIP"}]
