"""In-place resize: a running container's limits follow its Pod's spec, if the node can give that much.

`pod_worker` calls `resize` at the end of each step. Source: pkg/kubelet/allocation, kuberuntime (doPodResizeAction),
KEP 1287.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from refkube.api.fit import amounts_of
from refkube.apimachinery.meta import Object
from refkube.kubelet.runtime.container import Container, Sandbox

Refusal = tuple[str, str] | None


@dataclass(frozen=True)
class State:
    conditions: tuple[Object, ...] = ()


NONE = State()


def resources_of(sandbox: Sandbox) -> Mapping[str, Object]:
    """What each container has now, where it has anything."""
    latest = ((name, instances[-1].config.resources) for name, instances in sandbox.containers.items())
    return {name: dict(resources) for name, resources in latest if resources}


def resize(
    pod: Object,
    sandbox: Sandbox,
    may_grow: Callable[[Object], Refusal],
    restart: Callable[[Container], object],
) -> State:
    changed = []
    for container in pod["spec"]["containers"]:
        instance = sandbox.latest(container["name"])
        wanted = container.get("resources") or {}
        if instance is not None and instance.running and _compute(instance.config.resources) != _compute(wanted):
            changed.append((container, instance, wanted))
    if not changed:
        return NONE
    refusal = may_grow(pod)
    if refusal is not None:
        reason, message = refusal
        return State(({"type": "PodResizePending", "status": "True", "reason": reason, "message": message},))
    for container, instance, wanted in changed:
        before, after = _compute(instance.config.resources), _compute(wanted)
        different = {
            name
            for side in ("requests", "limits")
            for name in ("cpu", "memory")
            if before[side].get(name) != after[side].get(name)
        }
        policies = {one["resourceName"]: one["restartPolicy"] for one in container.get("resizePolicy") or ()}
        if any(policies.get(name) == "RestartContainer" for name in different):
            restart(instance)
            continue
        instance.account()
        instance.config.resources = wanted
        limits = amounts_of(wanted.get("limits"))
        instance.cpu_limit = limits["cpu"] / 1000 if "cpu" in limits else None
        instance.memory_limit = limits.get("memory")
        instance.check_memory()
    return NONE


def _compute(resources: Mapping[str, object]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for side in ("requests", "limits"):
        listed = resources.get(side)
        amounts = amounts_of(listed) if isinstance(listed, dict) else {}
        found[side] = {name: amounts[name] for name in ("cpu", "memory") if name in amounts}
    return found
