"""A kubelet without containers: Pods bound to its node run and are ready at once, and stop as soon as they are told.

Like kubemark's hollow nodes it lets a control plane be exercised without a runtime. A readiness gate keeps a Pod
unready, activeDeadlineSeconds ends it. No probe runs, nothing exits, and no image is pulled.
"""

from __future__ import annotations

from ipaddress import ip_network

from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object, condition_of, get_path, is_terminating, key_of, name_of, namespace_of
from refkube.client.client import Client
from refkube.client.controller import Controller
from refkube.client.informer import Informer
from refkube.engine.clock import parse_rfc3339, rfc3339
from refkube.engine.loop import Loop
from refkube.kubelet.node_status import Machine, NodeStatus

RESYNC = 10.0  # seconds: how often a status that somebody else overwrites is written again
TERMINAL = ("Succeeded", "Failed")


class HollowKubelet:
    """The kubelet of one machine. `fallback_cidr` gives Pods addresses until the node has a podCIDR."""

    def __init__(self, client: Client, loop: Loop, machine: Machine, fallback_cidr: str):
        self.machine = machine
        self._client = client
        self._loop = loop
        self._status = NodeStatus(client, loop, machine)
        self._fallback = fallback_cidr
        self._addresses: dict[str, str] = {}  # Pod's uid -> its address
        self._free: list[str] = []
        self._told: dict[str, tuple[Object, int]] = {}  # Pod's uid -> the status last written, and when
        self._next = 2
        self._pods = Informer(client, loop, "pods", field_selector=f"spec.nodeName={machine.name}")
        self._controller = self._new_controller()
        self._pods.add_handler(
            lambda pod: self._controller.add_object(pod),
            lambda old, new: self._controller.add_object(new),
            self._forget,
        )

    def _new_controller(self) -> Controller:
        return Controller(self._loop, f"kubelet/{self.machine.name}", self._sync, (self._pods,))

    def start(self) -> None:
        """Also again, after it has been silent: then every Pod is looked at anew."""
        for key in self._pods.items:
            self._controller.add(key)
        self._status.start()
        self._pods.start()
        self._controller.start()

    def stop(self) -> None:
        """Fall silent, as a node that lost its power."""
        self._status.stop()
        self._pods.stop()
        self._controller.stop()
        self._controller = self._new_controller()

    def _forget(self, pod: Object) -> None:
        self._told.pop(pod["metadata"]["uid"], None)
        address = self._addresses.pop(pod["metadata"]["uid"], None)
        if address is not None:
            self._free.append(address)

    def _sync(self, key: str) -> None:
        pod = self._pods.get(key)
        if pod is None:
            return
        if is_terminating(pod):
            self._remove(pod)
            return
        status = pod.get("status") or {}
        if status.get("phase") in TERMINAL:
            return
        wanted = self._ended(pod) or self._running(pod)
        uid = pod["metadata"]["uid"]
        if wanted == status:
            self._told.pop(uid, None)
        elif self._told.get(uid) == (wanted, int(self._loop.now() / RESYNC)):
            self._controller.add_after(key, RESYNC)  # somebody insists on another status: no hot dispute about it
        else:
            self._client.update_status("pods", {**pod, "status": wanted})
            self._told[uid] = wanted, int(self._loop.now() / RESYNC)

    def _remove(self, pod: Object) -> None:
        try:
            uid = pod["metadata"]["uid"]
            self._client.delete("pods", name_of(pod), namespace_of(pod), grace_period=0, uid=uid)
        except StatusError as refusal:
            if refusal.reason not in ("NotFound", "Conflict"):
                raise

    def _ended(self, pod: Object) -> Object | None:
        """The status of a Pod whose deadline has passed."""
        deadline, began = pod["spec"].get("activeDeadlineSeconds"), get_path(pod, "status", "startTime")
        if deadline is None or began is None:
            return None
        left = parse_rfc3339(began) + deadline - self._loop.now()
        if left > 0:
            self._controller.add_after(key_of(pod), left)
            return None
        why = "Pod was active on the node longer than the specified deadline"
        status = {**pod["status"], "phase": "Failed", "reason": "DeadlineExceeded", "message": why}
        now = rfc3339(self._loop.now())
        for type in ("Ready", "ContainersReady"):
            status = _with_condition(status, type, False, now, "PodFailed")
        return status

    def _running(self, pod: Object) -> Object:
        spec, status = pod["spec"], pod.get("status") or {}
        now = rfc3339(self._loop.now())
        address = self.machine.address if spec.get("hostNetwork") else self._address_of(pod)
        began = status.get("startTime", now)
        status = {
            **status,
            "phase": "Running",
            "hostIP": self.machine.address,
            "hostIPs": [{"ip": self.machine.address}],
            "podIP": address,
            "podIPs": [{"ip": address}],
            "startTime": began,
            "observedGeneration": pod["metadata"].get("generation", 1),
            "containerStatuses": [_container_status(container, began) for container in spec["containers"]],
        }
        if spec.get("initContainers"):
            status["initContainerStatuses"] = [_initialized(container, began) for container in spec["initContainers"]]
        waiting = [
            gate["conditionType"]
            for gate in spec.get("readinessGates") or ()
            if (condition_of(pod, gate["conditionType"]) or {}).get("status") != "True"
        ]
        for type in ("PodReadyToStartContainers", "Initialized", "ContainersReady", "PodScheduled"):
            status = _with_condition(status, type, True, now)
        why = "; ".join(f'corresponding condition of pod readiness gate "{gate}" does not exist.' for gate in waiting)
        return _with_condition(status, "Ready", not waiting, now, "ReadinessGatesNotReady" if waiting else "", why)

    def _address_of(self, pod: Object) -> str:
        uid = pod["metadata"]["uid"]
        known = self._addresses.get(uid) or get_path(pod, "status", "podIP")
        if not known:
            known = self._free.pop() if self._free else self._new_address()
        self._addresses[uid] = known
        return known

    def _new_address(self) -> str:
        if self._next == 2:
            node = self._client.get("nodes", self.machine.name)
            self._fallback = get_path(node, "spec", "podCIDR", default=self._fallback)
        address = str(ip_network(self._fallback)[self._next])
        self._next += 1
        return address


def _container_status(container: Object, began: str) -> Object:
    return {
        "name": container["name"],
        "image": container.get("image", ""),
        "imageID": f"hollow://{container.get('image', '')}",
        "containerID": f"hollow://{container['name']}",
        "ready": True,
        "started": True,
        "restartCount": 0,
        "state": {"running": {"startedAt": began}},
    }


def _initialized(container: Object, began: str) -> Object:
    """An init container has run; a sidecar runs on."""
    status = _container_status(container, began)
    if container.get("restartPolicy") == "Always":
        return status
    ended = {"exitCode": 0, "reason": "Completed", "startedAt": began, "finishedAt": began}
    return {**status, "started": False, "state": {"terminated": {**ended, "containerID": status["containerID"]}}}


def _with_condition(status: Object, type: str, holds: bool, now: str, reason: str = "", message: str = "") -> Object:
    """A status with one condition; its time moves only with its truth."""
    wanted: Object = {"type": type, "status": "True" if holds else "False", "lastTransitionTime": now}
    if reason:
        wanted["reason"] = reason
    if message:
        wanted["message"] = message
    conditions = list(status.get("conditions") or ())
    for index, present in enumerate(conditions):
        if present.get("type") == type:
            if present["status"] == wanted["status"]:
                wanted["lastTransitionTime"] = present.get("lastTransitionTime", now)
            if present == wanted:
                return status
            conditions[index] = wanted
            break
    else:
        conditions.append(wanted)
    return {**status, "conditions": conditions}
