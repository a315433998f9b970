"""Taint eviction: Pods leave a node with NoExecute taints that they do not tolerate, or no longer.

Source: kubernetes/pkg/controller/tainteviction.
"""

from __future__ import annotations

from math import inf
from typing import NamedTuple

from refkube.api.taints import NO_EXECUTE, tolerates
from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object, condition_of, key_of, name_of
from refkube.client.controller import Controller
from refkube.client.events import NORMAL
from refkube.client.informer import by_node_name
from refkube.controllers.common.context import Context
from refkube.controllers.common.nodes import taints_of
from refkube.engine.clock import rfc3339
from refkube.engine.loop import Timer


class Scheduled(NamedTuple):
    """An eviction to come, and when that was decided."""

    began: float
    timer: Timer


class TaintEvictionController:
    account = "node-controller"

    def __init__(self, context: Context):
        self._client, self._loop, self._events = context.client, context.loop, context.events
        self._nodes = context.informers.of("nodes")
        self._pods = context.informers.of("pods")
        self._pods.add_index("nodeName", by_node_name)
        self._scheduled: dict[str, Scheduled] = {}
        informers = (self._nodes, self._pods)
        self._looks = Controller(context.loop, "taint-eviction", self._look, informers)
        self._evictions = Controller(context.loop, "taint-eviction/pods", self._evict, informers)
        self._nodes.add_handler(self._node_added, self._node_changed)
        self._pods.add_handler(self._pod_added, self._pod_changed, lambda pod: self._cancel(key_of(pod)))

    def start(self) -> None:
        self._looks.start()
        self._evictions.start()

    def stop(self) -> None:
        self._looks.stop()
        self._evictions.stop()
        for scheduled in self._scheduled.values():
            scheduled.timer.cancel()

    def _node_added(self, node: Object) -> None:
        if taints_of(node, NO_EXECUTE):
            self._add_pods(node)

    def _node_changed(self, old: Object, new: Object) -> None:
        if taints_of(old, NO_EXECUTE) != taints_of(new, NO_EXECUTE):
            self._add_pods(new)

    def _add_pods(self, node: Object) -> None:
        for key in self._pods.indexed("nodeName", name_of(node)):
            self._looks.add(key)

    def _pod_added(self, pod: Object) -> None:
        node = pod["spec"].get("nodeName")
        if node:
            known = self._nodes.get(node)
            if known is not None and taints_of(known, NO_EXECUTE):
                self._looks.add(key_of(pod))

    def _pod_changed(self, old: Object, new: Object) -> None:
        before, after = old["spec"], new["spec"]
        if before is not after and (
            before.get("nodeName") != after.get("nodeName") or before.get("tolerations") != after.get("tolerations")
        ):
            self._pod_added(new)

    def _look(self, key: str) -> None:
        """Decide when a Pod is to leave, if ever."""
        pod = self._pods.get(key)
        node = self._nodes.get(pod["spec"].get("nodeName", "")) if pod is not None else None
        if pod is None or node is None:
            return
        seconds = stay(taints_of(node, NO_EXECUTE), pod["spec"].get("tolerations") or [])
        scheduled, now = self._scheduled.get(key), self._loop.now()
        if 0 < seconds < inf and scheduled is not None and scheduled.began < now:
            return  # it goes when it was to go: a further taint gives no more time
        self._cancel(key)
        if not seconds:
            self._evictions.add(key)
        elif seconds < inf:
            self._scheduled[key] = Scheduled(now, self._loop.call_at(now + seconds, self._due, key))

    def _due(self, key: str) -> None:
        del self._scheduled[key]
        self._evictions.add(key)

    def _cancel(self, key: str) -> None:
        scheduled = self._scheduled.pop(key, None)
        if scheduled is not None:
            scheduled.timer.cancel()
            self._tell(key, f"Cancelling deletion of Pod {key}")

    def _evict(self, key: str) -> None:
        if not self._evictions.queue.num_requeues(key):
            self._tell(key, f"Marking for deletion Pod {key}")
        namespace, _, name = key.partition("/")
        try:
            pod = self._client.get("pods", name, namespace)
            present = condition_of(pod, "DisruptionTarget") or {}
            condition = {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager"}
            condition["message"] = "Taint manager: deleting due to NoExecute taint"
            if any(present.get(field) != value for field, value in condition.items()):
                condition["lastTransitionTime"] = rfc3339(self._loop.now())
                status = {"status": {"conditions": [condition]}}
                self._client.patch("pods", name, status, "strategic", namespace, "status")
            self._client.delete("pods", name, namespace, uid=pod["metadata"]["uid"])
        except StatusError as refusal:
            if refusal.reason != "NotFound":
                raise

    def _tell(self, key: str, message: str) -> None:
        namespace, _, name = key.partition("/")
        about = {"apiVersion": "v1", "kind": "Pod", "namespace": namespace, "name": name}
        self._events.event(about, NORMAL, "TaintManagerEviction", message)


def stay(taints: list[Object], tolerations: list[Object]) -> float:
    """Seconds that a Pod may stay with these taints; the first toleration of each counts."""
    seconds = inf
    for taint in taints:
        used = next((one for one in tolerations if tolerates(one, taint)), None)
        if used is None:
            return 0.0
        seconds = min(seconds, max(0.0, used.get("tolerationSeconds", inf)))
    return seconds
