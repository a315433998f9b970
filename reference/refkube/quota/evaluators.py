"""The evaluator of every kind that a quota can count: how much of the quota an object uses.

Admission charges what `Evaluator.usage` says at creation and update, the controller adds it up. Source:
kubernetes/pkg/quota/v1/{install,evaluator/core}. Left out: the devices of resource claims, which are counted as
objects only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from refkube.api.kinds import KINDS
from refkube.api.storage import class_of
from refkube.apimachinery.meta import Object, get_path
from refkube.apimachinery.quantity import ZERO, Quantity, parse
from refkube.quota.pods import PodEvaluator
from refkube.quota.usage import CREATE, ONE, UPDATE, Evaluator, Usage, chosen

_ALIASES = ("configmaps", "resourcequotas", "replicationcontrollers", "secrets")
_CLAIM_NAMES = ("persistentvolumeclaims", "requests.storage")
_CLASS = ".storageclass.storage.k8s.io/"
_PORTS, _BALANCERS = "services.nodeports", "services.loadbalancers"


class ClaimEvaluator(Evaluator):
    """PersistentVolumeClaims: count and size, of all and by storage class; scopes by volume attributes class."""

    def __init__(self) -> None:
        super().__init__("persistentvolumeclaims", *_CLAIM_NAMES)

    def handles(self, operation: str, subresource: str) -> bool:
        return (operation == CREATE and not subresource) or (operation == UPDATE and subresource in ("", "status"))

    def matching(self, names: Iterable[str]) -> list[str]:
        of_class = tuple(_CLASS + name for name in _CLAIM_NAMES)
        return [name for name in names if name in self.names or name.endswith(of_class)]

    def usage(self, obj: Object, now: float) -> Usage:
        usage: Usage = {"count/persistentvolumeclaims": ONE, "persistentvolumeclaims": ONE}
        asked = get_path(obj, "spec", "resources", "requests", "storage")
        if asked is not None:
            allocated = get_path(obj, "status", "allocatedResources", "storage", default=asked)
            size = max(parse(asked), parse(allocated))
            is_whole = size.scale >= 0 or size.unscaled % 10**-size.scale == 0
            usage["requests.storage"] = size if is_whole else Quantity(size.value())
        name = class_of(obj)
        if name:
            usage.update({name + _CLASS + key: usage[key] for key in _CLAIM_NAMES if key in usage})
        return usage

    def matches(self, scope: str, operator: str, values: Collection[str], obj: Object) -> bool:
        """A claim is of the classes it asks for, has, and is on its way to."""
        status = obj.get("status") or {}
        target = get_path(status, "modifyVolumeStatus", "targetVolumeAttributesClassName")
        named = {obj["spec"].get("volumeAttributesClassName"), status.get("currentVolumeAttributesClassName"), target}
        classes = {name for name in named if name} or {None}
        return scope == "VolumeAttributesClass" and any(chosen(operator, values, name) for name in classes)


class ServiceEvaluator(Evaluator):
    """Services: count, node ports (as they are meant to be: none is allotted yet) and load balancers."""

    def __init__(self) -> None:
        super().__init__("services", "services", _PORTS, _BALANCERS)

    def handles(self, operation: str, subresource: str) -> bool:
        return operation in (CREATE, UPDATE) and not subresource

    def usage(self, obj: Object, now: float) -> Usage:
        spec = obj["spec"]
        kind, ports = spec.get("type"), spec.get("ports") or ()
        if kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is False:
            ports = [port for port in ports if port.get("nodePort")]
        node_ports = Quantity(len(ports)) if kind in ("NodePort", "LoadBalancer") else ZERO
        balancers = ONE if kind == "LoadBalancer" else ZERO
        return {"count/services": ONE, "services": ONE, _PORTS: node_ports, _BALANCERS: balancers}


def _countable() -> dict[str, Evaluator]:
    """Every kind in namespaces that is stored; Events alone are never counted."""
    special: tuple[Evaluator, ...] = (PodEvaluator(), ClaimEvaluator(), ServiceEvaluator())
    made = {evaluator.resource: evaluator for evaluator in special}
    for kind in KINDS:
        if kind.namespaced and {"create", "delete", "list", "watch"} <= set(kind.verbs) and kind.kind != "Event":
            alias = (kind.resource,) if kind.resource in _ALIASES else ()
            made.setdefault(kind.resource, Evaluator(kind.resource, *alias))
    return made


EVALUATORS = _countable()
"""By resource ("pods", "deployments.apps")."""


def evaluators_of(names: Collection[str]) -> list[Evaluator]:
    """Of the kinds that use any of a quota's resources."""
    return [evaluator for evaluator in EVALUATORS.values() if evaluator.matching(names)]
