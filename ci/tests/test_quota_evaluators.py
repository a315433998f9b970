"""What objects use of a quota, as tables."""

from __future__ import annotations

from typing import Any

import pytest
from refkube.apimachinery.meta import Object
from refkube.engine.clock import rfc3339
from refkube.quota.evaluators import EVALUATORS, evaluators_of
from refkube.quota.pods import effective
from refkube.quota.usage import used

NOW = 1_800_000_000.0


def container(name: str = "c", *, always: bool = False, limits: Object | None = None, **requests: str) -> Object:
    made: Object = {"name": name, "resources": {"requests": requests, "limits": limits or {}}}
    return {**made, "restartPolicy": "Always"} if always else made


def pod(*containers: Object, init: tuple[Object, ...] = (), meta: Object | None = None, **rest: Any) -> Object:
    status = rest.pop("status", {})
    spec = {"containers": list(containers), "initContainers": list(init), **rest}
    return {"metadata": {"name": "p", "uid": "u", **(meta or {})}, "spec": spec, "status": status}


def usage(resource: str, obj: Object) -> dict[str, str]:
    return {name: str(amount) for name, amount in EVALUATORS[resource].usage(obj, NOW).items()}


ended_at = {"deletionTimestamp": rfc3339(NOW - 31), "deletionGracePeriodSeconds": 30}
ends_at = {"deletionTimestamp": rfc3339(NOW - 30), "deletionGracePeriodSeconds": 30}


@pytest.mark.parametrize(
    ("given", "cpu"),
    [
        (pod(container(cpu="1"), container(cpu="500m")), "1500m"),
        (pod(container(cpu="1"), init=(container(cpu="3"), container(cpu="2"))), "3"),
        (pod(container(cpu="1"), init=(container(cpu="2", always=True), container(cpu="2"))), "4"),
        (pod(container(cpu="3"), init=(container(cpu="2"), container(cpu="2", always=True))), "5"),
        (pod(container(cpu="1"), overhead={"cpu": "250m"}), "1250m"),
        (pod(container(cpu="1"), resources={"requests": {"cpu": "2"}}, overhead={"cpu": "1"}), "3"),
        (pod(container(cpu="1"), meta=ends_at), "1"),
        (pod(container(cpu="1"), meta=ended_at), None),
        (pod(container(cpu="1"), status={"phase": "Failed"}), None),
        (pod(container(cpu="1"), status={"phase": "Succeeded"}), None),
        (
            pod(
                container(cpu="1"),
                status={"containerStatuses": [{"name": "c", "resources": {"requests": {"cpu": "2"}}}]},
            ),
            "2",
        ),
        (pod(container(memory="1Gi")), None),
    ],
)
def test_the_cpu_of_a_pod(given: Object, cpu: str | None) -> None:
    seen = usage("pods", given)
    assert seen.get("requests.cpu") == seen.get("cpu") == cpu
    assert seen["count/pods"] == "1"
    gone = given["status"].get("phase") in ("Failed", "Succeeded") or given["metadata"].items() >= ended_at.items()
    assert seen.get("pods") == (None if gone else "1")


def test_every_resource_of_a_pod() -> None:
    limits = {"cpu": "2", "memory": "2Gi", "ephemeral-storage": "2G", "hugepages-2Mi": "4Mi", "example.com/gpu": "1"}
    asked = {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1G", "hugepages-2Mi": "4Mi", "example.com/gpu": "1"}
    assert usage("pods", pod(container(limits=limits, **asked))) == {
        "count/pods": "1",
        "pods": "1",
        **{name: asked[name] for name in ("cpu", "memory", "ephemeral-storage", "hugepages-2Mi")},
        **{f"requests.{name}": amount for name, amount in asked.items()},
        **{f"limits.{name}": limits[name] for name in ("cpu", "memory", "ephemeral-storage")},
    }
    hard = [*usage("pods", pod(container(limits=limits, **asked))), "services", "example.com/gpu", "limits.a.b/c"]
    assert EVALUATORS["pods"].matching(hard) == hard[:-3]


def test_overhead_counts_towards_limits_only_where_there_is_one() -> None:
    spec = pod(container(limits={"cpu": "1"}), overhead={"cpu": "1", "memory": "1Gi"})["spec"]
    assert {name: str(amount) for name, amount in effective(spec, "limits").items()} == {"cpu": "2"}
    assert {name: str(amount) for name, amount in effective(spec, "limits", overhead=False).items()} == {"cpu": "1"}


@pytest.mark.parametrize(
    ("given", "names", "why"),
    [
        (pod(container(cpu="1")), ["pods", "requests.ephemeral-storage"], ""),
        (pod(container(cpu="1")), ["cpu", "requests.cpu"], ""),
        (pod(container(cpu="1")), ["limits.cpu"], "must specify limits.cpu for: c"),
        (
            pod(container("b"), container("a", memory="1"), init=(container("i"),)),
            ["requests.memory", "cpu"],
            "must specify cpu for: a,b,i; requests.memory for: b,i",
        ),
        (pod(container(), resources={"requests": {"cpu": "1"}}), ["requests.cpu", "limits.memory"], ""),
    ],
)
def test_what_a_pod_must_state(given: Object, names: list[str], why: str) -> None:
    assert EVALUATORS["pods"].missing(names, given) == why


def scope(name: str, operator: str = "Exists", *values: str) -> Object:
    return {"scopeSelector": {"matchExpressions": [{"scopeName": name, "operator": operator, "values": [*values]}]}}


across = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"namespaceSelector": {}}]}}
within = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "zone"}]}}


@pytest.mark.parametrize(
    ("spec", "given", "counted"),
    [
        ({}, pod(container()), True),
        ({"scopes": ["BestEffort"]}, pod(container()), True),
        ({"scopes": ["BestEffort"]}, pod(container(cpu="1")), False),
        ({"scopes": ["NotBestEffort"]}, pod(container(cpu="1")), True),
        ({"scopes": ["Terminating"]}, pod(container(), activeDeadlineSeconds=0), True),
        ({"scopes": ["Terminating"]}, pod(container()), False),
        ({"scopes": ["NotTerminating"]}, pod(container()), True),
        ({"scopes": ["NotTerminating", "BestEffort"]}, pod(container(), activeDeadlineSeconds=5), False),
        (scope("PriorityClass", "In", "high"), pod(container(), priorityClassName="high"), True),
        (scope("PriorityClass", "In", "high"), pod(container(), priorityClassName="low"), False),
        (scope("PriorityClass", "In", "high"), pod(container()), False),
        (scope("PriorityClass", "NotIn", "high"), pod(container()), True),
        (scope("PriorityClass", "NotIn", "high"), pod(container(), priorityClassName="high"), False),
        (scope("PriorityClass"), pod(container(), priorityClassName="low"), True),
        (scope("PriorityClass"), pod(container()), False),
        (scope("PriorityClass", "DoesNotExist"), pod(container()), True),
        (scope("CrossNamespacePodAffinity"), pod(container(), affinity=across), True),
        (scope("CrossNamespacePodAffinity"), pod(container(), affinity=within), False),
        (scope("VolumeAttributesClass"), pod(container()), False),
    ],
)
def test_the_pods_of_a_scope(spec: Object, given: Object, counted: bool) -> None:
    assert EVALUATORS["pods"].in_scope(spec, given) is counted


def claim(size: str, *, name: str | None = None, beta: str = "", status: Object | None = None, **rest: Any) -> Object:
    spec = {"resources": {"requests": {"storage": size}}, **({"storageClassName": name} if name else {}), **rest}
    annotations = {"volume.beta.kubernetes.io/storage-class": beta} if beta else {}
    return {"metadata": {"name": "p", "annotations": annotations}, "spec": spec, "status": status or {}}


@pytest.mark.parametrize(
    ("given", "size", "named"),
    [
        (claim("1Gi"), "1Gi", ""),
        (claim("1Gi", name="gold"), "1Gi", "gold"),
        (claim("1Gi", name="gold", beta="old"), "1Gi", "old"),
        (claim("1500m"), "2", ""),
        (claim("1Gi", status={"allocatedResources": {"storage": "2Gi"}}), "2Gi", ""),
        (claim("3Gi", status={"allocatedResources": {"storage": "2Gi"}}), "3Gi", ""),
    ],
)
def test_the_storage_of_a_claim(given: Object, size: str, named: str) -> None:
    expected = {"count/persistentvolumeclaims": "1", "persistentvolumeclaims": "1", "requests.storage": size}
    if named:
        of_class = {"persistentvolumeclaims": "1", "requests.storage": size}
        expected |= {f"{named}.storageclass.storage.k8s.io/{key}": value for key, value in of_class.items()}
    assert usage("persistentvolumeclaims", given) == expected
    assert EVALUATORS["persistentvolumeclaims"].matching(expected) == list(expected)


def test_a_claim_is_of_every_attributes_class_it_has_to_do_with() -> None:
    moving = claim(
        "1Gi",
        volumeAttributesClassName="new",
        status={"currentVolumeAttributesClassName": "old", "modifyVolumeStatus": {"status": "InProgress"}},
    )
    evaluator = EVALUATORS["persistentvolumeclaims"]
    for name in ("new", "old"):
        assert evaluator.in_scope(scope("VolumeAttributesClass", "In", name), moving)
    assert not evaluator.in_scope(scope("VolumeAttributesClass", "In", "other"), moving)
    assert not evaluator.in_scope(scope("VolumeAttributesClass"), claim("1Gi"))
    assert not evaluator.in_scope({"scopes": ["BestEffort"]}, claim("1Gi"))


@pytest.mark.parametrize(
    ("spec", "node_ports", "balancers"),
    [
        ({"type": "ClusterIP", "ports": [{}]}, "0", "0"),
        ({"type": "NodePort", "ports": [{}, {}]}, "2", "0"),
        ({"type": "LoadBalancer", "ports": [{}, {}]}, "2", "1"),
        (
            {"type": "LoadBalancer", "allocateLoadBalancerNodePorts": False, "ports": [{}, {"nodePort": 30001}]},
            "1",
            "1",
        ),
        ({"type": "ExternalName"}, "0", "0"),
    ],
)
def test_what_a_service_uses(spec: Object, node_ports: str, balancers: str) -> None:
    seen = usage("services", {"metadata": {"name": "s"}, "spec": spec})
    assert seen["services"] == seen["count/services"] == "1"
    assert (seen["services.nodeports"], seen["services.loadbalancers"]) == (node_ports, balancers)


@pytest.mark.parametrize(
    ("name", "resources"),
    [
        ("configmaps", ["configmaps"]),
        ("count/configmaps", ["configmaps"]),
        ("count/deployments.apps", ["deployments.apps"]),
        ("count/pods", ["pods"]),
        ("count/events", []),
        ("count/nodes", []),
        ("deployments.apps", []),
        ("resourcequotas", ["resourcequotas"]),
        ("gold.storageclass.storage.k8s.io/requests.storage", ["persistentvolumeclaims"]),
    ],
)
def test_the_kinds_that_use_a_resource(name: str, resources: list[str]) -> None:
    assert [evaluator.resource for evaluator in evaluators_of([name])] == resources


def test_usage_is_added_up_over_the_objects_in_scope_and_the_resources_named() -> None:
    pods = [pod(container(cpu="1")), pod(container(cpu="250m")), pod(container())]
    spec = {"hard": {"requests.cpu": "9", "pods": "9", "services": "1"}, "scopes": ["NotBestEffort"]}
    total = used(spec, EVALUATORS["pods"], pods, lambda obj: EVALUATORS["pods"].usage(obj, NOW))
    assert {name: str(amount) for name, amount in total.items()} == {"requests.cpu": "1250m", "pods": "2"}
