"""What all containers of a Pod ask for together. Pure helpers of defaults, validation and whoever counts resources.

Facts: component-helpers/resource/helpers.go (AggregateContainerRequests, AggregateContainerLimits),
kubernetes/pkg/apis/core/v1/helper/qos.
"""

from __future__ import annotations

from refkube.apimachinery.meta import Object
from refkube.apimachinery.quantity import Quantity, parse


def is_sidecar(init_container: Object) -> bool:
    return init_container.get("restartPolicy") == "Always"


def supported_for_pods(name: str) -> bool:
    """May a Pod's own `spec.resources` have it?"""
    return name in ("cpu", "memory") or name.startswith("hugepages-")


def aggregate(spec: Object, side: str) -> dict[str, Quantity]:
    """The "requests" or "limits" of all containers of a Pod spec: those that run at once added up, and at least what
    any init container needs beside the sidecars started before it."""
    sidecars: dict[str, Quantity] = {}
    peaks = []
    for container in spec.get("initContainers", ()):
        peak = _add(sidecars, _listed(container, side))
        sidecars = peak if is_sidecar(container) else sidecars
        peaks.append(peak)
    total = _add(sidecars, *(_listed(container, side) for container in spec.get("containers", ())))
    for peak in peaks:
        for name, amount in peak.items():
            total[name] = max(total.get(name, amount), amount)
    return total


def quality_of_service(spec: Object) -> str:
    """Guaranteed (limits of cpu and memory everywhere, requests equal to them), Burstable or BestEffort."""
    own = spec.get("resources")
    parts = [spec] if own else [c for key in ("containers", "initContainers") for c in spec.get(key, ())]
    requests, limits = ([_compute(_listed(part, side)) for part in parts] for side in ("requests", "limits"))
    if not any(requests) and not any(limits):
        return "BestEffort"
    everywhere = all(len(listed) == 2 for listed in limits)
    return "Guaranteed" if everywhere and _add(*requests) == _add(*limits) else "Burstable"


def _compute(listed: dict[str, Quantity]) -> dict[str, Quantity]:
    return {name: listed[name] for name in ("cpu", "memory") if listed.get(name)}


def _listed(container: Object, side: str) -> dict[str, Quantity]:
    listed = (container.get("resources") or {}).get(side) or {}
    return {name: parse(amount) for name, amount in listed.items()}


def _add(*parts: dict[str, Quantity]) -> dict[str, Quantity]:
    total: dict[str, Quantity] = {}
    for part in parts:
        for name, amount in part.items():
            total[name] = total[name] + amount if name in total else amount
    return total
