"""The official Python client against a served cluster: typed, dynamic, watching."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("kubernetes")
from kubernetes import client, config, dynamic, utils, watch
from kubernetes.client import V1ConfigMap, V1Deployment, V1ObjectMeta

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from ci.server import refkube_server


@pytest.fixture(scope="module")
def api() -> Iterator[client.ApiClient]:
    with (
        refkube_server("--memory", "--controllers", "serviceaccount-controller") as server,
        config.new_client_from_config(str(server.kubeconfig)) as api,
    ):
        yield api


@pytest.fixture
def core(api) -> client.CoreV1Api:
    return client.CoreV1Api(api)


@pytest.fixture
def namespace(core, request) -> str:
    """A namespace for one test."""
    name = request.node.name.replace("_", "-")[:63].strip("-")
    core.create_namespace(client.V1Namespace(metadata=V1ObjectMeta(name=name)))
    return name


def config_map(name: str, **data: str) -> V1ConfigMap:
    return V1ConfigMap(metadata=V1ObjectMeta(name=name, labels={"app": "web"}), data=data)


def pod_spec(image: str) -> client.V1PodSpec:
    limited = client.V1ResourceRequirements(limits={"cpu": "1500m"})
    return client.V1PodSpec(containers=[client.V1Container(name="web", image=image, resources=limited)])


def deployment(name: str, replicas: int) -> V1Deployment:
    labels = {"app": name}
    template = client.V1PodTemplateSpec(metadata=V1ObjectMeta(labels=labels), spec=pod_spec("nginx:1.25"))
    selector = client.V1LabelSelector(match_labels=labels)
    spec = client.V1DeploymentSpec(replicas=replicas, selector=selector, template=template)
    return V1Deployment(metadata=V1ObjectMeta(name=name), spec=spec)


def test_an_object_is_made_read_changed_and_deleted(core, namespace):
    made = core.create_namespaced_config_map(namespace, config_map("settings", color="blue"))
    assert (made.metadata.namespace, made.data) == (namespace, {"color": "blue"})
    assert made.metadata.creation_timestamp.tzinfo is not None
    made.data = {"color": "red"}
    changed = core.replace_namespaced_config_map("settings", namespace, made)
    assert changed.metadata.uid == made.metadata.uid
    with pytest.raises(client.ApiException) as refused:  # it was read before the change
        core.replace_namespaced_config_map("settings", namespace, made)
    assert (refused.value.status, refused.value.reason) == (409, "Conflict")
    assert core.read_namespaced_config_map("settings", namespace).data == {"color": "red"}
    core.delete_namespaced_config_map("settings", namespace)
    with pytest.raises(client.ApiException, match="NotFound"):
        core.read_namespaced_config_map("settings", namespace)


def test_lists_by_selector_and_by_page(core, namespace):
    for name in ("a", "b", "c"):
        core.create_namespaced_config_map(namespace, config_map(name))
    listed = core.list_namespaced_config_map(namespace, label_selector="app=web", field_selector="metadata.name!=b")
    assert [item.metadata.name for item in listed.items] == ["a", "c"]
    page = core.list_namespaced_config_map(namespace, limit=2)
    rest = core.list_namespaced_config_map(namespace, limit=2, _continue=page.metadata._continue)
    assert [item.metadata.name for item in page.items + rest.items] == ["a", "b", "c"]
    core.delete_collection_namespaced_config_map(namespace, label_selector="app=web")
    assert core.list_namespaced_config_map(namespace).items == []


def test_a_watch_goes_on_from_a_list(core, namespace):
    core.create_namespaced_config_map(namespace, config_map("before"))
    version = core.list_namespaced_config_map(namespace).metadata.resource_version
    core.create_namespaced_config_map(namespace, config_map("settings"))
    core.patch_namespaced_config_map("settings", namespace, {"data": {"color": "blue"}})
    core.delete_namespaced_config_map("settings", namespace)
    watching = watch.Watch()
    seen = []
    for event in watching.stream(
        core.list_namespaced_config_map, namespace, resource_version=version, timeout_seconds=20
    ):
        seen.append((event["type"], event["object"].metadata.name))
        if event["type"] == "DELETED":
            watching.stop()
    assert seen == [("ADDED", "settings"), ("MODIFIED", "settings"), ("DELETED", "settings")]


def test_patches(core, namespace):
    core.create_namespaced_config_map(namespace, config_map("settings", color="blue", size="big"))
    merged = core.patch_namespaced_config_map("settings", namespace, {"data": {"size": None, "shape": "round"}})
    assert merged.data == {"color": "blue", "shape": "round"}
    operations = [{"op": "replace", "path": "/data/color", "value": "red"}]
    assert core.patch_namespaced_config_map("settings", namespace, operations).data["color"] == "red"


def test_workloads_and_their_scale(api, namespace):
    apps = client.AppsV1Api(api)
    made = apps.create_namespaced_deployment(namespace, deployment("web", 0))
    assert made.spec.replicas == 0
    assert made.spec.strategy.rolling_update.max_surge == "25%"
    assert made.spec.template.spec.containers[0].resources.limits == {"cpu": "1500m"}
    assert apps.patch_namespaced_deployment_scale("web", namespace, {"spec": {"replicas": 3}}).spec.replicas == 3
    assert apps.read_namespaced_deployment("web", namespace).spec.replicas == 3
    status = {"status": {"replicas": 3, "updatedReplicas": 1}}
    assert apps.patch_namespaced_deployment_status("web", namespace, status).status.updated_replicas == 1
    wrong = deployment("wrong", -1)
    wrong.spec.template.metadata.labels = {"app": "other"}
    with pytest.raises(client.ApiException) as refused:
        apps.create_namespaced_deployment(namespace, wrong)
    assert refused.value.status == 422
    for field in ("spec.replicas", "spec.template.metadata.labels"):
        assert field in refused.value.body


def test_a_pod_is_bound_and_evicted(core, namespace):
    core.create_namespaced_pod(namespace, client.V1Pod(metadata=V1ObjectMeta(name="web"), spec=pod_spec("nginx")))
    target = client.V1ObjectReference(api_version="v1", kind="Node", name="n1")
    binding = client.V1Binding(metadata=V1ObjectMeta(name="web"), target=target)
    core.create_namespaced_pod_binding("web", namespace, binding, _preload_content=False)
    assert core.read_namespaced_pod("web", namespace).spec.node_name == "n1"
    options = client.V1DeleteOptions(grace_period_seconds=0)
    eviction = client.V1Eviction(metadata=V1ObjectMeta(name="web"), delete_options=options)
    core.create_namespaced_pod_eviction("web", namespace, eviction)
    assert core.list_namespaced_pod(namespace).items == []


def test_tokens_and_reviews(api, core, namespace):
    core.create_namespaced_service_account(namespace, client.V1ServiceAccount(metadata=V1ObjectMeta(name="robot")))
    asked = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[], expiration_seconds=600))
    token = core.create_namespaced_service_account_token("robot", namespace, asked).status.token
    review = client.V1TokenReview(spec=client.V1TokenReviewSpec(token=token))
    told = client.AuthenticationV1Api(api).create_token_review(review).status
    assert told.authenticated
    assert told.user.username == f"system:serviceaccount:{namespace}:robot"
    myself = client.AuthenticationV1Api(api).create_self_subject_review(client.V1SelfSubjectReview())
    assert "system:masters" in myself.status.user_info.groups


def test_the_dynamic_client(api, namespace, tmp_path):
    cluster = dynamic.DynamicClient(api, cache_file=str(tmp_path / "discovery.json"))
    maps = cluster.resources.get(api_version="v1", kind="ConfigMap")
    applied = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"color": "blue"}}
    made = cluster.server_side_apply(maps, body=applied, namespace=namespace, field_manager="mine")
    assert made.metadata.managedFields[0].manager == "mine"
    other = {**applied, "data": {"color": "red"}}
    with pytest.raises(dynamic.exceptions.ConflictError):
        cluster.server_side_apply(maps, body=other, namespace=namespace, field_manager="theirs")
    assert maps.get(name="settings", namespace=namespace).data.color == "blue"
    seen = next(maps.watch(namespace=namespace, timeout=20))
    assert (seen["type"], seen["object"].metadata.name) == ("ADDED", "settings")
    maps.delete(name="settings", namespace=namespace)
    assert maps.get(namespace=namespace).items == []


def test_a_manifest_is_created(api, core, namespace):
    manifest = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}
    (made,) = utils.create_from_dict(api, manifest, namespace=namespace)
    assert (made.spec.type, made.spec.ports[0].protocol, made.spec.ports[0].target_port) == ("ClusterIP", "TCP", 80)


def test_discovery(api):
    versions = {group.name: group.preferred_version.version for group in client.ApisApi(api).get_api_versions().groups}
    assert (versions["apps"], versions["autoscaling"]) == ("v1", "v2")
    resources = {resource.name: resource for resource in client.AppsV1Api(api).get_api_resources().resources}
    assert resources["deployments"].short_names == ["deploy"]
    assert client.VersionApi(api).get_code().minor == "36"
