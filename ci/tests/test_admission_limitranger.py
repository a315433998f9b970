"""LimitRanger: defaults and bounds, as tables, and one of each on a whole cluster."""

from __future__ import annotations

from typing import Any

import pytest
from refkube.admission.chain import CREATE, UPDATE, Attributes
from refkube.admission.plugins.limitranger import ANNOTATION, LimitRanger
from refkube.api.kinds import preferred
from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object
from refkube.cluster import Cluster


def container(requests: Object | None = None, limits: Object | None = None, **rest: Any) -> Object:
    return {"name": "c", "resources": {"requests": requests or {}, "limits": limits or {}}, **rest}


def limited(limit: Object, *containers: Object, init: tuple[Object, ...] = (), **spec: Any) -> str:
    """Why a Pod is refused; empty if it is not."""
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [*containers], "initContainers": [*init], **spec}}
    return refusal("pods", pod, limit)


def refusal(resource: str, obj: Object, *limits: Object) -> str:
    plugin = LimitRanger(lambda namespace: [{"metadata": {"name": "l"}, "spec": {"limits": [*limits]}}])
    try:
        plugin.validate(Attributes(CREATE, preferred(resource), "default", "p", "", obj, None))
    except StatusError as refused:
        return refused.message.removeprefix(f'{resource} "p" is forbidden: ')
    return ""


MIN = {"type": "Container", "min": {"cpu": "100m"}}
MAX = {"type": "Container", "max": {"cpu": "1"}}
RATIO = {"type": "Container", "maxLimitRequestRatio": {"cpu": "1500m"}}


@pytest.mark.parametrize(
    ("limit", "requests", "limits", "why"),
    [
        (MIN, {"cpu": "100m"}, {}, ""),
        (MIN, {}, {}, "minimum cpu usage per Container is 100m.  No request is specified"),
        (MIN, {"cpu": "99m"}, {}, "minimum cpu usage per Container is 100m, but request is 99m"),
        (MIN, {"cpu": "100m"}, {"cpu": "50m"}, "minimum cpu usage per Container is 100m, but limit is 50m"),
        (MAX, {}, {"cpu": "1000m"}, ""),
        (MAX, {"cpu": "1"}, {}, "maximum cpu usage per Container is 1.  No limit is specified"),
        (MAX, {}, {"cpu": "2"}, "maximum cpu usage per Container is 1, but limit is 2"),
        (MAX, {"cpu": "2"}, {"cpu": "1"}, "maximum cpu usage per Container is 1, but request is 2"),
        (RATIO, {"cpu": "2"}, {"cpu": "3"}, ""),
        (
            RATIO,
            {"cpu": "1"},
            {"cpu": "2"},
            "cpu max limit to request ratio per Container is 1500m, but provided ratio is 2.000000",
        ),
        (
            RATIO,
            {"cpu": "0"},
            {"cpu": "2"},
            "cpu max limit to request ratio per Container is 1500m, but no request is specified or request is 0",
        ),
        (
            RATIO,
            {"cpu": "1"},
            {},
            "cpu max limit to request ratio per Container is 1500m, but no limit is specified or limit is 0",
        ),
    ],
)
def test_the_bounds_of_containers(limit: Object, requests: Object, limits: Object, why: str) -> None:
    assert limited(limit, container(requests, limits)) == why
    assert limited(limit, container({"cpu": "1"}, {"cpu": "1"}), init=(container(requests, limits),)) == why


def test_all_that_is_wrong_is_told_once() -> None:
    bounds = {"type": "Container", "min": {"cpu": "1"}, "max": {"memory": "1Gi"}}
    small = "minimum cpu usage per Container is 1.  No request is specified"
    large = "maximum memory usage per Container is 1Gi.  No limit is specified"
    assert limited(bounds, container(), container()) == f"[{small}, {large}]"


POD = {"type": "Pod", "max": {"cpu": "2"}}


@pytest.mark.parametrize(
    ("containers", "init", "spec", "observed"),
    [
        ("1 1", (), {}, None),
        ("1 1500m", (), {}, "2500m"),
        ("1", ("3",), {}, "3"),
        ("1", ("2", "2"), {}, None),
        ("1", ("s2", "1"), {}, "3"),
        ("1 1", (), {"overhead": {"cpu": "1"}}, None),
        ("1", (), {"resources": {"requests": {"cpu": "3"}, "limits": {"cpu": "3"}}}, "3"),
    ],
)
def test_the_bounds_of_whole_pods(containers: str, init: tuple[str, ...], spec: Object, observed: str | None) -> None:
    def of(amount: str) -> Object:
        always = {"restartPolicy": "Always"} if amount[0] == "s" else {}
        amounts = {"cpu": amount.removeprefix("s")}
        return container(amounts, amounts, **always)

    seen = limited(POD, *map(of, containers.split()), init=tuple(map(of, init)), **spec)
    assert seen == (f"maximum cpu usage per Pod is 2, but limit is {observed}" if observed else "")


@pytest.mark.parametrize(
    ("size", "why"),
    [
        ("1Gi", ""),
        ("3Gi", "maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi"),
        ("500Mi", "minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 500Mi"),
    ],
)
def test_the_bounds_of_claims(size: str, why: str) -> None:
    limit = {"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}, "max": {"storage": "2Gi"}}
    claim = {"metadata": {"name": "p"}, "spec": {"resources": {"requests": {"storage": size}}}}
    assert refusal("persistentvolumeclaims", claim, limit, POD, MAX) == why


@pytest.mark.parametrize(
    ("operation", "resource", "subresource", "handled"),
    [
        (CREATE, "pods", "", True),
        (UPDATE, "pods", "", False),
        (UPDATE, "pods", "status", False),
        (UPDATE, "pods", "resize", True),
        (CREATE, "persistentvolumeclaims", "", True),
        (UPDATE, "persistentvolumeclaims", "", True),
        (UPDATE, "persistentvolumeclaims", "status", False),
        (CREATE, "services", "", False),
    ],
)
def test_whom_it_asks(operation: str, resource: str, subresource: str, handled: bool) -> None:
    assert LimitRanger(lambda namespace: []).handles(operation, preferred(resource), subresource) is handled


def test_a_container_gets_what_it_does_not_say() -> None:
    cluster = Cluster(controllers=["serviceaccount-controller"])
    user = cluster.client("user", "system:masters")
    cluster.loop.run_for(1)
    defaults = {"default": {"cpu": "2", "memory": "1Gi"}, "defaultRequest": {"cpu": "500m"}}
    limits = [{"type": "Container", **defaults}]
    meta = {"namespace": "default", "name": "l"}
    user.create("limitranges", {"apiVersion": "v1", "kind": "LimitRange", "metadata": meta, "spec": {"limits": limits}})
    spec = {
        "containers": [
            {"name": "bare", "image": "x"},
            {
                "name": "own",
                "image": "x",
                "resources": {"requests": {"cpu": "1", "memory": "1"}, "limits": {"cpu": "1"}},
            },
        ],
        "initContainers": [{"name": "first", "image": "x", "resources": {"limits": {"memory": "5Mi"}}}],
    }
    pod: Object = {"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "default", "name": "p"}, "spec": spec}
    made = user.create("pods", pod)
    bare, own = (part["resources"] for part in made["spec"]["containers"])
    assert bare == {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "1Gi"}}
    assert own == {"requests": {"cpu": "1", "memory": "1"}, "limits": {"cpu": "1", "memory": "1Gi"}}
    assert made["metadata"]["annotations"][ANNOTATION] == (
        "LimitRanger plugin set: cpu, memory request for container bare; cpu, memory limit for container bare; "
        "memory limit for container own; cpu request for init container first; cpu limit for init container first"
    )
    cluster.close()
