"""Binds each Pod that has no node to one that suits it, one Pod at a time, the most important first.

It knows nodes and Pods from its caches and what it has decided itself; it writes bindings, Events, and the condition
that says why a Pod fits nowhere. Source: pkg/scheduler.
"""

from __future__ import annotations

import logging

from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import (
    Object,
    condition_of,
    is_terminating,
    key_of,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
)
from refkube.client.client import Client
from refkube.client.events import NORMAL, WARNING, EventRecorder
from refkube.client.informer import Informers
from refkube.engine.clock import rfc3339
from refkube.engine.loop import Loop
from refkube.scheduler.framework import Candidates, Framework, Plugin
from refkube.scheduler.plugins.nodeaffinity import NodeAffinity
from refkube.scheduler.plugins.nodeports import NodePorts
from refkube.scheduler.plugins.noderesources import NodeResourcesBalancedAllocation, NodeResourcesFit
from refkube.scheduler.plugins.taints import TaintToleration
from refkube.scheduler.plugins.unschedulable import NodeUnschedulable
from refkube.scheduler.queue import SchedulingQueue
from refkube.scheduler.snapshot import NODE_ADDED, POD_REMOVED, Snapshot

_log = logging.getLogger(__name__)

NAME = "default-scheduler"
BATCH = 100
PLUGINS: tuple[Plugin, ...] = (
    NodeUnschedulable(),
    TaintToleration(),
    NodeAffinity(),
    NodePorts(),
    NodeResourcesFit(),
    NodeResourcesBalancedAllocation(),
)


class Scheduler:
    """Serves the Pods whose spec.schedulerName is `name`."""

    def __init__(self, client: Client, loop: Loop, name: str = NAME):
        self.name = name
        self._client = client
        self._loop = loop
        self._events = EventRecorder(client, loop, name)
        self._informers = Informers(client, loop)
        self._nodes = self._informers.of("nodes")
        self._pods = self._informers.of("pods")
        self._snapshot = Snapshot()
        self._framework = Framework(PLUGINS, self._snapshot, loop.random.random)
        self._queue = SchedulingQueue(loop, self._ready)
        self._awaited = False
        self._running = False
        self._nodes.add_handler(self._node, lambda old, new: self._node(new), self._node_deleted)
        self._pods.add_handler(self._pod, self._pod_updated, self._pod_deleted)

    def start(self) -> None:
        self._running = True
        self._nodes.when_synced(self._ready)
        self._pods.when_synced(self._ready)
        self._informers.start()

    def stop(self) -> None:
        self._running = False
        self._informers.stop()
        self._queue.close()

    def _ready(self) -> None:
        if self._running and not self._awaited and self._informers.have_synced:
            self._awaited = True
            self._loop.call_idle(self._cycle)

    def _cycle(self) -> None:
        """Some Pods, so that who counts them has many to count at once."""
        self._awaited = False
        for _ in range(BATCH):
            key = self._queue.pop() if self._running else None
            if key is None:
                return
            pod = self._pods.get(key)
            if pod is None or not self._is_waiting(pod):
                self._queue.remove(key)
                continue
            try:
                self._schedule(key, pod)
            except Exception as exc:
                _log.debug("%s: %s is tried again: %s", self.name, key, exc)
                self._queue.retry(key)
                if not isinstance(exc, StatusError | OSError):  # a mistake in the program, which must not stop it
                    self._ready()
                    self._loop.failed(exc, f"{self.name} {key}")
        self._ready()

    def _schedule(self, key: str, pod: Object) -> None:
        candidates = self._framework.candidates(pod)
        node = candidates.best()
        if node is None:
            self._fits_nowhere(key, pod, candidates)
            return
        try:
            self._client.bind(pod, node)
        except StatusError as refusal:
            if refusal.reason == "NotFound":
                self._queue.remove(key)
                return
            self._events.event(pod, WARNING, "FailedScheduling", f"binding rejected: {refusal}")
            raise
        self._queue.remove(key)
        self._snapshot.place(pod, node, candidates.demand)
        where = f"{namespace_of(pod)}/{name_of(pod)} to {node}"
        self._events.event(pod, NORMAL, "Scheduled", f"Successfully assigned {where}")

    def _fits_nowhere(self, key: str, pod: Object, candidates: Candidates) -> None:
        why = candidates.explain()
        wakes = {event for plugin in candidates.rejecters for event in plugin.wakes}
        self._events.event(pod, WARNING, "FailedScheduling", why)
        self._explain(pod, why)
        self._queue.set_aside(key, wakes | {NODE_ADDED})

    def _explain(self, pod: Object, why: str) -> None:
        """The condition PodScheduled, if it says something else so far."""
        before = condition_of(pod, "PodScheduled") or {}
        told = {"status": "False", "reason": "Unschedulable", "message": why}
        if told.items() <= before.items():
            return
        condition = {"type": "PodScheduled", **told, "observedGeneration": pod["metadata"].get("generation", 0)}
        since = before.get("lastTransitionTime") if before.get("status") == "False" else None
        condition["lastTransitionTime"] = since or rfc3339(self._loop.now())
        patch = {"metadata": {"uid": uid_of(pod)}, "status": {"conditions": [condition]}}
        try:
            self._client.patch("pods", name_of(pod), patch, "strategic", namespace_of(pod), "status")
        except StatusError as refusal:
            if refusal.reason not in ("NotFound", "Conflict"):
                raise

    # What happens to nodes and Pods

    def _node(self, node: Object) -> None:
        for event in self._snapshot.put_node(node):
            self._queue.wake(event)

    def _node_deleted(self, node: Object) -> None:
        self._snapshot.drop_node(name_of(node))

    def _pod(self, pod: Object) -> None:
        key, node = key_of(pod), pod["spec"].get("nodeName")
        if node:
            self._queue.remove(key)
            if _has_finished(pod):
                self._left(pod)
            else:
                self._snapshot.place(pod, node)
        elif self._is_waiting(pod):
            self._queue.add(key, pod["spec"].get("priority", 0))
        else:
            self._queue.remove(key)

    def _pod_updated(self, old: Object, new: Object) -> None:
        """Of a Pod without a node its status is no news: the scheduler writes it."""
        same = old["spec"] == new["spec"] and labels_of(old) == labels_of(new)
        if new["spec"].get("nodeName") or not same or is_terminating(new):
            self._pod(new)

    def _pod_deleted(self, pod: Object) -> None:
        self._queue.remove(key_of(pod))
        self._left(pod)

    def _left(self, pod: Object) -> None:
        if self._snapshot.remove(uid_of(pod)):
            self._queue.wake(POD_REMOVED)

    def _is_waiting(self, pod: Object) -> bool:
        """Without a node, ours, and held back by no gate."""
        spec = pod["spec"]
        ours = spec.get("schedulerName", NAME) == self.name and not spec.get("schedulingGates")
        return ours and not spec.get("nodeName") and not is_terminating(pod) and not _has_finished(pod)


def _has_finished(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
