"""What a Pod takes of a node, in plain integers: thousandths of CPU, and whole bytes, Pods or devices of the rest.

The scheduler counts with it. Facts: component-helpers/resource/helpers.go (PodRequests).
"""

from __future__ import annotations

from collections.abc import Mapping

from refkube.api.resources import is_sidecar, supported_for_pods
from refkube.apimachinery.meta import Object
from refkube.apimachinery.quantity import bytes_of, cpu_milli

Amounts = dict[str, int]

# What a container is taken to use, where it does not say, when nodes are compared (not when they are filled).
ASSUMED: Mapping[str, int] = {"cpu": 100, "memory": 200 * 1024 * 1024}
_NONE: Mapping[str, int] = {}


def amounts_of(listed: Mapping[str, str | int | float] | None) -> Amounts:
    """A v1.ResourceList."""
    listed = listed or {}
    return {name: cpu_milli(text) if name == "cpu" else bytes_of(text) for name, text in listed.items()}


def requests_of(spec: Object, assumed: Mapping[str, int] = _NONE) -> Amounts:
    """Of a Pod's spec: containers and sidecars together, or an init container's peak where that is more; what the Pod
    itself asks for goes before that; and its overhead. `assumed` is for containers that say nothing."""
    total: Amounts = {}
    for container in spec.get("containers") or ():
        _add(total, _of_container(container, assumed))
    if spec.get("initContainers"):
        _initial(total, spec["initContainers"], assumed)
    own = amounts_of((spec.get("resources") or {}).get("requests"))
    total.update((name, amount) for name, amount in own.items() if supported_for_pods(name))
    _add(total, amounts_of(spec.get("overhead")))
    return total


def _initial(total: Amounts, containers: list[Object], assumed: Mapping[str, int]) -> None:
    sidecars: Amounts = {}
    peaks = []
    for container in containers:
        peak = _add(dict(sidecars), _of_container(container, assumed))
        sidecars = peak if is_sidecar(container) else sidecars
        peaks.append(peak)
    _add(total, sidecars)
    for peak in peaks:
        for name, amount in peak.items():
            total[name] = max(total.get(name, 0), amount)


def _of_container(container: Object, assumed: Mapping[str, int]) -> Amounts:
    amounts = amounts_of((container.get("resources") or {}).get("requests"))
    return {**assumed, **amounts} if assumed else amounts


def _add(total: Amounts, more: Mapping[str, int]) -> Amounts:
    for name, amount in more.items():
        total[name] = total.get(name, 0) + amount
    return total
