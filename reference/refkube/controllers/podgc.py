"""The Pod garbage collector: removes Pods that no kubelet will, and the oldest of too many that have ended.

Every 20 seconds it looks at Pods of nodes that are gone or out of service, at unscheduled ones that are to go, and at
how many have ended. Source: kubernetes/pkg/controller/podgc.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable

from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object, condition_is_true, is_terminating, name_of, namespace_of
from refkube.client.informer import by_node_name
from refkube.controllers.common.context import Context
from refkube.engine.clock import rfc3339
from refkube.engine.loop import Timer

_log = logging.getLogger(__name__)

PERIOD = 20.0
QUARANTINE = 40.0  # seconds for which a node must be missing
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
ENDED = ("Succeeded", "Failed")


class PodGCController:
    account = "pod-garbage-collector"

    def __init__(self, context: Context):
        self._client, self._loop = context.client, context.loop
        self._threshold = context.options.terminated_pod_gc_threshold
        self._nodes = context.informers.of("nodes")
        self._pods = context.informers.of("pods")
        self._pods.add_index("nodeName", by_node_name)
        self._pods.add_index("podgc", _states)
        self._used: Counter[str] = Counter()  # nodes by the Pods that are bound to them
        self._missing: dict[str, float] = {}
        self._timer: Timer | None = None
        self._pods.add_handler(lambda pod: self._count(pod, 1), self._moved, lambda pod: self._count(pod, -1))

    def start(self) -> None:
        self._timer = self._loop.call_later(PERIOD, self._collect)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _count(self, pod: Object, by: int) -> None:
        node = pod["spec"].get("nodeName", "")
        self._used[node] += by
        if not self._used[node]:
            del self._used[node]

    def _moved(self, old: Object, new: Object) -> None:
        if old["spec"].get("nodeName") != new["spec"].get("nodeName"):
            self._count(old, -1)
            self._count(new, 1)

    def _collect(self) -> None:
        self._timer = self._loop.call_later(PERIOD, self._collect)
        if not (self._pods.has_synced and self._nodes.has_synced):
            return
        for pod in surplus(self._pods.indexed("podgc", "ended").values(), self._threshold):
            self._remove(pod)
        for pod in list(self._pods.indexed("podgc", "terminating").values()):
            node = pod["spec"].get("nodeName", "")
            if not node or self._is_out_of_service(node):
                self._remove(pod)
        for node in self._gone_nodes():
            for pod in list(self._pods.indexed("nodeName", node).values()):
                self._remove(pod, self._orphaned())

    def _is_out_of_service(self, name: str) -> bool:
        node = self._nodes.get(name)
        if node is None or condition_is_true(node, "Ready"):
            return False
        return any(taint["key"] == OUT_OF_SERVICE for taint in node.get("spec", {}).get("taints") or ())

    def _gone_nodes(self) -> list[str]:
        """Nodes that Pods are bound to and that have been missing long enough."""
        now = self._loop.now()
        missing = [node for node in self._used if node and self._nodes.get(node) is None]
        self._missing = {node: self._missing.get(node, now) for node in missing}
        return [node for node, since in self._missing.items() if now - since >= QUARANTINE and self._is_gone(node)]

    def _is_gone(self, node: str) -> bool:
        try:
            self._client.get("nodes", node)
        except (StatusError, OSError) as exc:
            return isinstance(exc, StatusError) and exc.code == 404
        return False

    def _orphaned(self) -> Object:
        why = {"reason": "DeletionByPodGC", "message": "PodGC: node no longer exists"}
        return {"type": "DisruptionTarget", "status": "True", "lastTransitionTime": rfc3339(self._loop.now()), **why}

    def _remove(self, pod: Object, condition: Object | None = None) -> None:
        """Failed if it had not ended: no kubelet will say so; and at once. What fails is tried in the next round."""
        name, namespace = name_of(pod), namespace_of(pod)
        try:
            if (pod.get("status") or {}).get("phase") not in ENDED:
                status = {"phase": "Failed", **({"conditions": [condition]} if condition else {})}
                self._client.patch("pods", name, {"status": status}, "strategic", namespace, "status")
            self._client.delete("pods", name, namespace, grace_period=0)
        except (StatusError, OSError) as exc:
            _log.info("Pod %s/%s: %s", namespace, name, exc)


def _states(pod: Object) -> tuple[str, ...]:
    ended = (pod.get("status") or {}).get("phase") in ENDED
    return (("ended",) if ended else ()) + (("terminating",) if is_terminating(pod) else ())


def surplus(pods: Iterable[Object], threshold: int) -> list[Object]:
    """The Pods above a threshold, if there is one: evicted ones first, then the oldest."""

    def order(pod: Object) -> tuple[bool, str, str]:
        return pod["status"].get("reason") != "Evicted", pod["metadata"]["creationTimestamp"], name_of(pod)

    pods = list(pods)
    return sorted(pods, key=order)[: len(pods) - threshold] if len(pods) > threshold > 0 else []
