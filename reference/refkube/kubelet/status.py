"""A Pod's status as its kubelet tells it: phase, conditions and container statuses, from what the runtime has.

`pod_worker` calls `status_of` after each step; everything here is a pure function. Source: pkg/kubelet/kubelet_pods.go
(getPhase, generateAPIPodStatus), pkg/kubelet/status/generate.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from refkube.api.resources import is_sidecar
from refkube.apimachinery.meta import Object, condition_of
from refkube.engine.clock import rfc3339
from refkube.kubelet.runtime.container import Container, Sandbox
from refkube.kubelet.runtime.images import normalized

Waiting = Mapping[str, tuple[str, str]]
EPOCH = "1970-01-01T00:00:00Z"
UNKNOWN = 137  # what counts as the exit code of one that nobody saw end
LOG_LINES, LOG_BYTES = 80, 2048  # of a log that stand for a termination message


@dataclass
class View:
    """What a status is made of besides the Pod: the sandbox, and what the worker knows of each container by name."""

    now: float
    host: str
    sandbox: Sandbox | None = None
    waiting: Waiting = field(default_factory=dict)  # why one that is not running is not
    ready: Mapping[str, bool] = field(default_factory=dict)
    started: Mapping[str, bool] = field(default_factory=dict)
    initial: frozenset[str] = frozenset()  # the init containers that are no sidecars
    hidden: frozenset[str] = frozenset()  # started, but its postStart hook is not over
    restarts: Mapping[str, int] = field(default_factory=dict)
    resources: Mapping[str, Object] = field(default_factory=dict)
    ended: bool = False  # nothing runs any more, nor will
    failed: tuple[str, str] | None = None  # the reason and message of a Pod that was ended
    extra: Sequence[Object] = ()  # conditions of resizing


def status_of(pod: Object, view: View) -> Object:
    spec, old = pod["spec"], pod.get("status") or {}
    status: Object = {**old, "hostIP": view.host, "hostIPs": [{"ip": view.host}]}
    status["startTime"] = old.get("startTime") or rfc3339(view.now)
    if view.sandbox is not None and view.sandbox.address:
        status |= {"podIP": view.sandbox.address, "podIPs": [{"ip": view.sandbox.address}]}
    for key, containers in (
        ("initContainerStatuses", spec.get("initContainers")),
        ("containerStatuses", spec["containers"]),
        ("ephemeralContainerStatuses", spec.get("ephemeralContainers")),
    ):
        if containers:
            known = {one["name"]: one for one in old.get(key) or ()}
            creating = "PodInitializing" if spec.get("initContainers") else "ContainerCreating"
            status[key] = [_container(one, known.get(one["name"]), view, creating) for one in containers]
    phase = phase_of(spec, status, view.ended)
    if view.failed is not None and view.ended:
        phase = "Failed"
        status["reason"], message = view.failed
        if message:
            status["message"] = message
    if phase in ("Succeeded", "Failed") and not view.ended:
        phase = old.get("phase", "Pending")
    status["phase"] = phase
    status["observedGeneration"] = pod["metadata"].get("generation", 1)
    return _with_conditions(pod, status, view)


def _container(spec: Object, old: Object | None, view: View, creating: str) -> Object:
    name, image = spec["name"], spec.get("image", "")
    sandbox = view.sandbox
    container = sandbox.latest(name) if sandbox is not None else None
    status: Object = {"name": name, "image": image, "imageID": "", "ready": False, "started": False}
    status |= {"restartCount": view.restarts.get(name, (old or {}).get("restartCount", 0)), "lastState": {}}
    if container is None or sandbox is None:
        gone = {"exitCode": UNKNOWN, "reason": "ContainerStatusUnknown", "startedAt": EPOCH, "finishedAt": EPOCH}
        if old is not None and view.ended and "waiting" not in old["state"]:
            if "running" not in old["state"]:
                return old
            gone["message"] = "The container could not be located when the pod was terminated"
            return {**status, "image": old["image"], "imageID": old["imageID"], "state": {"terminated": gone}}
        if old is not None:
            status["lastState"] = old.get("lastState") or {}
        if old is not None and "running" in old["state"] and not status["lastState"]:
            gone["message"] = "The container could not be located when the pod was deleted"
            status |= {"lastState": {"terminated": gone}, "restartCount": status["restartCount"] + 1}
        reason, message = view.waiting.get(name, (creating, ""))
        return {**status, "state": {"waiting": _told(reason, message)}}
    status["imageID"] = f"{normalized(container.config.image_name)}@refkube"
    status["image"] = normalized(container.config.image_name)
    status["containerID"] = container.id
    previous = sandbox.previous(name)
    if name in view.resources:
        status["resources"] = view.resources[name]
        if view.resources[name].get("requests"):
            status["allocatedResources"] = view.resources[name]["requests"]
    if container.running and name not in view.hidden:
        status["state"] = {"running": {"startedAt": rfc3339(container.started_at)}}
        status["ready"], status["started"] = view.ready.get(name, True), view.started.get(name, True)
    elif container.state == "exited" and name not in view.waiting:
        status["state"] = {"terminated": _terminated(container)}
        status["ready"] = container.exit_code == 0 and name in view.initial
    else:
        waiting = view.waiting.get(name, (creating, ""))
        status["state"] = {"waiting": _told(*waiting)}
        previous = container if container.state == "exited" else previous
    if previous is not None:
        status["lastState"] = {"terminated": _terminated(previous)}
    return status


def _told(reason: str, message: str) -> Object:
    return {"reason": reason, "message": message} if message else {"reason": reason}


def _terminated(container: Container) -> Object:
    ended: Object = {
        "exitCode": container.exit_code,
        "reason": container.reason,
        "startedAt": rfc3339(container.started_at) if container.started_at else EPOCH,
        "finishedAt": rfc3339(container.finished_at),
        "containerID": container.id,
    }
    message = container.message or container.termination_message()
    if not message and container.exit_code and container.config.log_on_error:
        lines = [line for _, _, line in container.log.lines[-LOG_LINES:]]
        message = b"".join(lines)[-LOG_BYTES:].decode(errors="replace")
    if message:
        ended["message"] = message
    return ended


# Phase


def phase_of(spec: Object, status: Object, ended: bool) -> str:
    policy = spec.get("restartPolicy", "Always")
    pending = failed = 0
    for container, told in zip(
        spec.get("initContainers") or (), status.get("initContainerStatuses") or (), strict=True
    ):
        state, last = told["state"], told.get("lastState") or {}
        if is_sidecar(container):
            pending += ("running" in state and not told["started"]) or ("waiting" in state and not last)
        elif "terminated" in state:
            failed += state["terminated"]["exitCode"] != 0 and not _restarts(container, policy, 1)
            pending += state["terminated"]["exitCode"] != 0
        else:
            pending += 1
    running = waiting = stopped = succeeded = again = 0
    for container, told in zip(spec["containers"], status["containerStatuses"], strict=True):
        state, last = told["state"], (told.get("lastState") or {}).get("terminated")
        ending = state.get("terminated") or last
        if "running" in state:
            running += 1
        elif ending is not None:
            stopped += 1
            succeeded += ending["exitCode"] == 0
            again += "waiting" in state or _restarts(container, policy, ending["exitCode"])
        else:
            waiting += 1
    if failed and not running:
        return "Failed"
    if (pending and not (running or stopped)) or waiting:
        return "Failed" if ended and not pending and stopped else "Pending"
    if running:
        return "Running"
    if again and not ended:
        return "Running"
    return "Succeeded" if stopped == succeeded else "Failed"


def _restarts(container: Object, policy: str, code: int) -> bool:
    """Is it started again after an exit with this code? Its own rules go first, then its policy, then the Pod's."""
    for rule in container.get("restartPolicyRules") or ():
        codes = rule.get("exitCodes") or {}
        values = codes.get("values") or ()
        if (code in values) == (codes.get("operator", "In") == "In"):
            return bool(rule.get("action", "Restart") == "Restart")
    policy = container.get("restartPolicy") or policy
    return policy == "Always" or (policy == "OnFailure" and code != 0)


restarts = _restarts


# Conditions


def _with_conditions(pod: Object, status: Object, view: View) -> Object:
    now = rfc3339(view.now)
    generation = pod["metadata"].get("generation", 1)
    for type, holds, reason, message in _conditions(pod, status, view):
        wanted: Object = {"type": type, "status": "True" if holds else "False", "observedGeneration": generation}
        status = with_condition(
            status, wanted | ({"reason": reason} if reason else {}) | ({"message": message} if message else {}), now
        )
    kept = [one for one in status.get("conditions") or () if not one["type"].startswith("PodResize")]
    if view.extra or len(kept) != len(status.get("conditions") or ()):
        status = {**status, "conditions": kept}
        for condition in view.extra:
            before = condition_of(pod, condition["type"])
            since = before["lastTransitionTime"] if before else now
            status["conditions"] = [*status["conditions"], {**condition, "lastTransitionTime": since}]
    return status


def _conditions(pod: Object, status: Object, view: View) -> list[tuple[str, bool, str, str]]:
    spec, phase = pod["spec"], status["phase"]
    told = {one["name"]: one for one in status.get("initContainerStatuses") or ()}
    told |= {one["name"]: one for one in status["containerStatuses"]}
    sandbox = view.sandbox is not None and bool(view.sandbox.address) and not view.ended
    incomplete = [one["name"] for one in spec.get("initContainers") or () if not _is_through(one, told[one["name"]])]
    begun = any(
        "waiting" not in told[one["name"]]["state"] or told[one["name"]].get("lastState") for one in spec["containers"]
    )
    initialized = begun or not incomplete
    watched = [*spec["containers"], *(one for one in spec.get("initContainers") or () if is_sidecar(one))]
    unready = [one["name"] for one in watched if not told[one["name"]]["ready"]]
    why = ("ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]")
    ready, reason, message = not unready, *(why if unready else ("", ""))
    first = "ContainersNotInitialized", f"containers with incomplete status: [{' '.join(incomplete)}]"
    if phase in ("Succeeded", "Failed"):
        ready, reason, message = False, "PodCompleted" if phase == "Succeeded" else "PodFailed", ""
    waits = [
        gate["conditionType"]
        for gate in spec.get("readinessGates") or ()
        if (condition_of(pod, gate["conditionType"]) or {}).get("status") != "True"
    ]
    gates = "; ".join(
        f'the status of pod readiness gate "{gate}" is not "True", but False'
        if condition_of(pod, gate)
        else f'corresponding condition of pod readiness gate "{gate}" does not exist.'
        for gate in waits
    )
    whole = (
        (True, "", "")
        if ready and not waits
        else (False, "ReadinessGatesNotReady", gates)
        if ready
        else (False, reason, message)
    )
    done = phase == "Succeeded"
    return [
        ("PodReadyToStartContainers", sandbox, "", ""),
        ("Initialized", initialized, *(("PodCompleted", "") if done else ("", "") if initialized else first)),
        ("Ready", *whole),
        ("ContainersReady", ready, reason, message),
        ("PodScheduled", True, "", ""),
    ]


def _is_through(container: Object, told: Object) -> bool:
    """Has an init container done what the next one waits for?"""
    if is_sidecar(container):
        return bool(told["started"])
    return bool((told["state"].get("terminated") or {}).get("exitCode", 1) == 0)


def with_condition(status: Object, wanted: Object, now: str) -> Object:
    """A status with one condition; its time moves only with its truth."""
    conditions = list(status.get("conditions") or ())
    wanted = {**wanted, "lastTransitionTime": now}
    for index, present in enumerate(conditions):
        if present["type"] == wanted["type"]:
            if present["status"] == wanted["status"]:
                wanted["lastTransitionTime"] = present.get("lastTransitionTime", now)
            if "lastProbeTime" in present:
                wanted["lastProbeTime"] = present["lastProbeTime"]
            if present == wanted:
                return status
            conditions[index] = wanted
            break
    else:
        conditions.append(wanted)
    return {**status, "conditions": conditions}
