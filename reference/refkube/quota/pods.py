"""What a Pod uses of a quota. Pure.

Source: kubernetes/pkg/quota/v1/evaluator/core/pods.go, component-helpers/resource/helpers.go (PodRequests, PodLimits).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from refkube.api.resources import aggregate, quality_of_service, supported_for_pods
from refkube.apimachinery.meta import Object, get_path
from refkube.apimachinery.quantity import Quantity, parse
from refkube.engine.clock import parse_rfc3339
from refkube.quota.usage import CREATE, ONE, UPDATE, Evaluator, Usage, chosen

_COMPUTE = ("cpu", "memory", "ephemeral-storage")
_MUST_STATE = frozenset(("cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"))
_PREFIXES = ("hugepages-", "requests.hugepages-")
_COUNT: Usage = {"count/pods": ONE}


class PodEvaluator(Evaluator):
    """Count, requests and limits; once a Pod has ended, or should have, it is counted as an object only."""

    def __init__(self) -> None:
        sides = ("", "requests.", "limits.")
        super().__init__("pods", "pods", *(side + name for side in sides for name in _COMPUTE))

    def handles(self, operation: str, subresource: str) -> bool:
        return (operation, subresource) in ((CREATE, ""), (UPDATE, "resize"))

    def matching(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if name in self.names or name.startswith(_PREFIXES) or _is_extended(name)]

    def missing(self, names: Iterable[str], obj: Object) -> str:
        """Quotas of cpu and memory want every container to state them, unless the Pod does so for all."""
        spec, lacking = obj["spec"], {}
        if any(supported_for_pods(name) for side in (spec.get("resources") or {}).values() for name in side):
            return ""
        stated = [
            (container["name"], _compute(_listed(container, "requests"), _listed(container, "limits")))
            for part in ("containers", "initContainers")
            for container in spec.get(part) or ()
        ]
        for name in sorted(_MUST_STATE.intersection(names)):
            lacking[name] = sorted({container for container, usage in stated if name not in usage})
        told = [f"{name} for: {','.join(containers)}" for name, containers in lacking.items() if containers]
        return f"must specify {'; '.join(told)}" if told else ""

    def usage(self, obj: Object, now: float) -> Usage:
        if not is_charged(obj, now):
            return _COUNT
        return {**_COUNT, "pods": ONE, **_compute(_actual(obj, "requests"), _actual(obj, "limits"))}

    def matches(self, scope: str, operator: str, values: Collection[str], obj: Object) -> bool:
        spec = obj["spec"]
        if scope in ("Terminating", "NotTerminating"):
            return (spec.get("activeDeadlineSeconds") is not None) == (scope == "Terminating")
        if scope in ("BestEffort", "NotBestEffort"):
            return (quality_of_service(spec) == "BestEffort") == (scope == "BestEffort")
        if scope == "PriorityClass":
            return chosen(operator, values, spec.get("priorityClassName"))
        return scope == "CrossNamespacePodAffinity" and _reaches_across(spec.get("affinity") or {})


def is_charged(pod: Object, now: float) -> bool:
    """Not if it has ended, nor if its grace is over and it is still there (its node may be lost)."""
    meta = pod["metadata"]
    if get_path(pod, "status", "phase") in ("Succeeded", "Failed"):
        return False
    grace, deleted = meta.get("deletionGracePeriodSeconds"), meta.get("deletionTimestamp")
    return grace is None or deleted is None or now <= parse_rfc3339(deleted) + grace


def effective(spec: Object, side: str, overhead: bool = True) -> Usage:
    """The "requests" or "limits" of a whole Pod: of its containers together unless it states its own, and what
    running it costs besides."""
    total = aggregate(spec, side)
    for name, amount in ((spec.get("resources") or {}).get(side) or {}).items():
        if supported_for_pods(name):
            total[name] = parse(amount)
    for name, amount in ((overhead and spec.get("overhead")) or {}).items():
        if side == "requests" or total.get(name):
            total[name] = total[name] + parse(amount) if name in total else parse(amount)
    return total


def _actual(pod: Object, side: str) -> Usage:
    """What it asks for, or still has while a change of that is under way, whichever is more."""
    spec, status = pod["spec"], pod.get("status") or {}
    for part in ("containers", "initContainers"):
        states = {state["name"]: state for state in status.get(part[:-1] + "Statuses") or () if "resources" in state}
        if states:
            spec = {**spec, part: [_raised(container, states.get(container["name"]), side) for container in spec[part]]}
    return effective(spec, side)


def _raised(container: Object, state: Object | None, side: str) -> Object:
    if state is None:
        return container
    listed = dict((container.get("resources") or {}).get(side) or {})
    given = [(state["resources"] or {}).get(side), state.get("allocatedResources") if side == "requests" else None]
    for name, amount in (pair for amounts in given for pair in (amounts or {}).items()):
        if name not in listed or parse(listed[name]) < parse(amount):
            listed[name] = amount
    return {**container, "resources": {**(container.get("resources") or {}), side: listed}}


def _compute(requests: Mapping[str, Quantity], limits: Mapping[str, Quantity]) -> Usage:
    usage: Usage = {}
    for name, amount in requests.items():
        if name in _COMPUTE or name.startswith("hugepages-"):
            usage[name] = usage[f"requests.{name}"] = amount
        elif "/" in name and "kubernetes.io/" not in name:
            usage[f"requests.{name}"] = amount  # an extended resource cannot be overcommitted
    usage.update({f"limits.{name}": amount for name, amount in limits.items() if name in _COMPUTE})
    return usage


def _listed(container: Object, side: str) -> Usage:
    return {name: parse(amount) for name, amount in ((container.get("resources") or {}).get(side) or {}).items()}


def _is_extended(name: str) -> bool:
    return name.startswith("requests.") and "/" in name and "kubernetes.io/" not in name


def _reaches_across(affinity: Object) -> bool:
    """Does it look at Pods of other namespaces?"""
    terms: list[Object] = []
    for kind in ("podAffinity", "podAntiAffinity"):
        stated = affinity.get(kind) or {}
        terms += stated.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
        weighted = stated.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        terms += [term["podAffinityTerm"] for term in weighted]
    return any(term.get("namespaces") or term.get("namespaceSelector") is not None for term in terms)
