"""The fixture `cluster` of anybody's tests: three ways to one Kubernetes, whose time is the test's."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import httpx2
import pytest
from gherkube.drivers.testcluster import TestCluster
from lightkube.models.apps_v1 import DeploymentSpec
from lightkube.models.core_v1 import Container, PodSpec, PodTemplateSpec
from lightkube.models.meta_v1 import LabelSelector, ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Node, Pod

pytest_plugins = ["pytester"]


def deployment(name: str, replicas: int) -> Deployment:
    labels = {"app": name}
    template = PodTemplateSpec(
        metadata=ObjectMeta(labels=labels), spec=PodSpec(containers=[Container(name="web", image="nginx")])
    )
    spec = DeploymentSpec(replicas=replicas, selector=LabelSelector(matchLabels=labels), template=template)
    return Deployment(metadata=ObjectMeta(name=name), spec=spec)


def test_lightkube_asks_in_process_and_time_is_the_tests(cluster: TestCluster) -> None:
    client = cluster.client()
    client.create(deployment("web", 3))
    began = cluster.now

    def runs() -> None:
        assert [pod.status.phase for pod in client.list(Pod)] == ["Running"] * 3

    cluster.eventually(runs)
    assert cluster.now - began < 60
    cluster.pass_time(3600.0)
    assert cluster.now - began >= 3600
    assert not any(thread.name == "gherkube loopback" for thread in threading.enumerate())


def test_what_never_holds_fails_after_the_time_that_it_is_given(cluster: TestCluster) -> None:
    began = cluster.now
    with pytest.raises(AssertionError, match="never"):
        cluster.eventually(_never, within=90.0)
    assert cluster.now - began == pytest.approx(90.0)


def _never() -> None:
    raise AssertionError("never")


def test_nodes_fall_silent_and_join(cluster: TestCluster) -> None:
    client = cluster.client()
    cluster.join("n4")
    cluster.silence("n1")

    def unknown() -> None:
        conditions = {one.type: one.status for one in client.get(Node, "n1").status.conditions}
        assert conditions["Ready"] == "Unknown"

    cluster.eventually(unknown, within=120.0)
    assert sorted(node.metadata.name for node in client.list(Node)) == ["n1", "n2", "n3", "n4"]
    with pytest.raises(ValueError, match="no node 'moon'; nodes: n1, n2, n3, n4"):
        cluster.silence("moon")


def test_a_node_is_cut_off_and_mended(cluster: TestCluster) -> None:
    client = cluster.client()

    def told(ready: str) -> None:
        conditions = {one.type: one.status for one in client.get(Node, "n1").status.conditions}
        assert conditions["Ready"] == ready

    cluster.cut_off("n1")
    cluster.eventually(lambda: told("Unknown"), within=120.0)
    cluster.mend("n1")
    cluster.eventually(lambda: told("True"), within=60.0)
    with pytest.raises(ValueError, match="no node 'moon'"):
        cluster.cut_off("moon")


def test_one_cluster_is_reached_in_process_by_the_official_client_and_by_kubeconfig(cluster: TestCluster) -> None:
    kubernetes = pytest.importorskip("kubernetes")
    before = cluster.client()
    before.create(ConfigMap(metadata=ObjectMeta(name="early")))
    with kubernetes.config.new_client_from_config(str(cluster.kubeconfig)) as api:
        core, apps = kubernetes.client.CoreV1Api(api), kubernetes.client.AppsV1Api(api)
        assert core.read_namespaced_config_map("early", "default").metadata.name == "early"
        apps.create_namespaced_deployment(
            "default",
            {
                "metadata": {"name": "web"},
                "spec": {
                    "replicas": 2,
                    "selector": {"matchLabels": {"app": "web"}},
                    "template": {
                        "metadata": {"labels": {"app": "web"}},
                        "spec": {"containers": [{"name": "web", "image": "nginx"}]},
                    },
                },
            },
        )

        def ready() -> None:
            assert apps.read_namespaced_deployment("web", "default").status.ready_replicas == 2

        cluster.eventually(ready)
        assert len(list(before.list(Pod))) == 2
    assert cluster.kubeconfig.read_text().count(cluster.url) == 1


def test_whoever_connects_from_outside_is_given_real_time(cluster: TestCluster) -> None:
    headers = {"authorization": f"Bearer {cluster.token}"}
    url = f"{cluster.url}/api/v1/namespaces/default/configmaps"
    start = threading.Event()

    def outside() -> None:
        start.wait(10)
        httpx2.post(url, json={"metadata": {"name": "made"}}, headers=headers, trust_env=False)

    thread = threading.Thread(target=outside)
    thread.start()
    client = cluster.client()

    def made() -> None:
        start.set()
        assert "made" in [one.metadata.name for one in client.list(ConfigMap)]

    cluster.eventually(made, within=1.0)
    thread.join()


def test_a_watch_in_process_moves_time_until_something_comes(cluster: TestCluster) -> None:
    client = cluster.client()
    client.create(deployment("web", 1))
    seen: Iterator[tuple[str, Pod]] = client.watch(Pod)
    phases = (pod.status.phase for _, pod in seen if pod.status)
    assert "Running" in phases


def test_anybodys_tests_have_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        from lightkube.resources.core_v1 import Node

        def test_nodes(cluster):
            assert len(list(cluster.client().list(Node))) == 3
    """)
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
