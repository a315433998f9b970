"""Binds each Pod that has no node to one that suits it, one Pod at a time, the most important first.

It knows nodes and Pods from its caches and what it has decided itself; it writes bindings, Events, the condition that
says why a Pod fits nowhere, and makes room for those that matter more. Source: pkg/scheduler.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from refkube.api.affinity import pod_terms
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
from refkube.engine.loop import Loop, Timer
from refkube.scheduler.framework import Candidates, Framework, Plugin, Rejection, explain
from refkube.scheduler.preemption import BY_SCHEDULER, Nominations, Outcome, Plan, Preemption, Trial, priority_of
from refkube.scheduler.profile import Surroundings, default_plugins
from refkube.scheduler.queue import SchedulingQueue
from refkube.scheduler.snapshot import (
    NAMESPACE,
    NODE_ADDED,
    NODE_LABELS,
    POD_ADDED,
    POD_REMOVED,
    STORAGE,
    Placed,
    Snapshot,
    demand_of,
)

_log = logging.getLogger(__name__)

NAME = "default-scheduler"
BATCH = 100
NO_NODES = "no nodes available to schedule pods"
PREPARED_WITHIN = 600.0  # seconds for a Pod's volumes to be bound (bindTimeoutSeconds)


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
        self._around = Surroundings(self._informers)
        self._snapshot = Snapshot()
        plugins = default_plugins(client, self._snapshot, self._around)
        self._framework = Framework(plugins, self._snapshot, loop.random.random)
        self._nominations = Nominations()
        budgets = self._around.budgets.items
        self._preemption = Preemption(self._snapshot, self._nominations, budgets, loop.random.random, loop.now)
        self._queue = SchedulingQueue(loop, self._ready)
        self._preparing: dict[str, tuple[Object, str, Timer]] = {}  # Pods with a node whose volumes are not ready
        self._awaited = False
        self._running = False
        self._nodes.add_handler(self._node, lambda old, new: self._node(new), self._node_deleted)
        self._pods.add_handler(self._pod, self._pod_updated, self._pod_deleted)
        for informer in self._around.storage:
            informer.add_handler(self._storage, lambda old, new: self._storage(new), self._storage)
        self._around.namespaces.add_handler(lambda new: self._namespace(None, new), self._namespace)

    def start(self) -> None:
        self._running = True
        self._informers.start()
        self._informers.when_synced(self._ready)

    def stop(self) -> None:
        self._running = False
        self._informers.stop()
        self._queue.close()
        for _, _, timer in self._preparing.values():
            timer.cancel()

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
            self._attempt(key, pod)
        self._ready()

    def _attempt(self, key: str, pod: Object) -> None:
        try:
            self._schedule(key, pod)
        except Exception as exc:
            _log.debug("%s: %s is tried again: %s", self.name, key, exc)
            self._give_up(key, pod)
            if key in self._queue:
                self._queue.retry(key)
            if not isinstance(exc, StatusError | OSError):  # a mistake in the program, which must not stop it
                self._ready()
                self._loop.failed(exc, f"{self.name} {key}")

    def _schedule(self, key: str, pod: Object) -> None:
        refusal = self._framework.refusal(pod)
        if refusal is not None:
            self._refused(key, pod, *refusal)
            return
        candidates = self._framework.candidates(pod)
        node = self._choose(pod, candidates)
        if node is None:
            self._fits_nowhere(key, pod, candidates)
            return
        self._snapshot.place(pod, node, candidates.demand)
        self._nominations.drop(uid_of(pod))
        self._bind(key, pod, node)

    def _choose(self, pod: Object, candidates: Candidates) -> str | None:
        """The node that was made free for it, if it is; else the best."""

        def accept(name: str) -> tuple[Plugin, Rejection] | None:
            nominated = self._nominations.before(pod, name)
            if not nominated:
                return None
            with Trial(candidates, self._snapshot.nodes[name]) as trial:
                return trial.rejection(nominated)

        best = candidates.best(accept)
        hoped = self._nominations.node_of(uid_of(pod)) or (pod.get("status") or {}).get("nominatedNodeName")
        info = self._snapshot.nodes.get(hoped) if hoped and hoped != best else None
        if info is not None and candidates.rejection(info) is None and accept(info.name) is None:
            return info.name
        return best

    def _bind(self, key: str, pod: Object, node: str) -> None:
        """Now, or when what the Pod needs there is ready."""
        info = self._snapshot.nodes.get(node)
        target = (info.node if info else None) or {"metadata": {"name": node}}
        if not all(plugin.prepare(pod, target) for plugin in self._framework.plugins):
            if key not in self._preparing:
                late = self._loop.call_later(PREPARED_WITHIN, self._too_late, key)
                self._preparing[key] = pod, node, late
            return
        try:
            self._client.bind(pod, node)
        except StatusError as refusal:
            if refusal.reason == "NotFound":
                self._give_up(key, pod)
                self._queue.remove(key)
                return
            self._events.event(pod, WARNING, "FailedScheduling", f"binding rejected: {refusal}")
            raise
        self._done_preparing(key)
        self._queue.remove(key)
        where = f"{namespace_of(pod)}/{name_of(pod)} to {node}"
        self._events.event(pod, NORMAL, "Scheduled", f"Successfully assigned {where}")
        self._queue.wake(POD_ADDED, pod=pod)

    def _too_late(self, key: str) -> None:
        pod, _, _ = self._preparing[key]
        self._give_up(key, pod)
        self._events.event(pod, WARNING, "FailedScheduling", "binding volumes: context deadline exceeded")
        if key in self._queue:
            self._queue.retry(key)

    def _give_up(self, key: str, pod: Object) -> None:
        """It does not come to the node after all."""
        self._done_preparing(key)
        if self._snapshot.remove(uid_of(pod)) is not None:
            self._queue.wake(POD_REMOVED)

    def _done_preparing(self, key: str) -> None:
        preparing = self._preparing.pop(key, None)
        if preparing is not None:
            preparing[2].cancel()

    # Pods that fit nowhere

    def _refused(self, key: str, pod: Object, plugin: Plugin, why: str) -> None:
        total = len(self._snapshot.nodes)
        outcome = self._preemption.find(pod, self._framework.candidates(pod), {})
        told = f"0/{total} nodes are available: {why}. preemption: {outcome.why}"
        self._tell(pod, told if total else NO_NODES, outcome)
        self._queue.set_aside(key, {*plugin.wakes, NODE_ADDED})

    def _fits_nowhere(self, key: str, pod: Object, candidates: Candidates) -> None:
        rejected = candidates.rejections()
        rejecters = {plugin for plugin, _ in rejected.values()}
        rejections = {name: rejection for name, (_, rejection) in rejected.items()}
        told, outcome = NO_NODES, Outcome(None)
        if rejections:
            outcome = self._preemption.find(pod, candidates, rejections)
            told = explain(rejections.values(), len(self._snapshot.nodes))
            told += f" preemption: {outcome.why}" if outcome.why else ""

        def hint(event: str, node: str, other: Object | None) -> bool:
            concerned = [plugin for plugin in rejecters if event in plugin.wakes]
            if other is not None:
                return any(plugin.helped_by(pod, other) for plugin in concerned)
            return event == NODE_ADDED or candidates.may_fit(concerned, node)

        if outcome.plan is not None:
            self._nominations.put(Placed(pod, outcome.plan.node, candidates.demand, pod_terms(pod)))
        self._tell(pod, told, outcome)
        self._queue.set_aside(key, {event for plugin in rejecters for event in plugin.wakes} | {NODE_ADDED}, hint)
        if outcome.plan is not None:
            self._preempt(pod, outcome.plan)

    def _tell(self, pod: Object, why: str, outcome: Outcome) -> None:
        """Tell why, and of the node that it is to have or has no longer to hope for."""
        node = outcome.plan.node if outcome.plan else "" if outcome.hopeless else None
        if node == "":
            self._nominations.drop(uid_of(pod))
        self._events.event(pod, WARNING, "FailedScheduling", why)
        self._explain(pod, why, node)

    def _explain(self, pod: Object, why: str, node: str | None) -> None:
        """The condition PodScheduled, if it says something else so far; and the nominated node, unless that stays."""
        before = condition_of(pod, "PodScheduled") or {}
        told = {"status": "False", "reason": "Unschedulable", "message": why}
        status: Object = {}
        if not told.items() <= before.items():
            condition = {"type": "PodScheduled", **told, "observedGeneration": pod["metadata"].get("generation", 0)}
            since = before.get("lastTransitionTime") if before.get("status") == "False" else None
            status["conditions"] = [{**condition, "lastTransitionTime": since or rfc3339(self._loop.now())}]
        if node is not None and (pod.get("status") or {}).get("nominatedNodeName", "") != node:
            status["nominatedNodeName"] = node or None
        if status:
            self._patch_status(pod, status)

    def _patch_status(self, pod: Object, status: Mapping[str, object]) -> None:
        patch = {"metadata": {"uid": uid_of(pod)}, "status": status}
        try:
            self._client.patch("pods", name_of(pod), patch, "strategic", namespace_of(pod), "status")
        except StatusError as refusal:
            if refusal.reason not in ("NotFound", "Conflict"):
                raise

    def _preempt(self, pod: Object, plan: Plan) -> None:
        for placed in plan.victims:
            if not is_terminating(placed.pod):
                self._evict(placed.pod, f"Preempted by pod {uid_of(pod)} on node {plan.node}")
        for other in self._nominations.after(pod, plan.node):
            self._nominations.drop(uid_of(other))
            self._patch_status(other, {"nominatedNodeName": None})

    def _evict(self, victim: Object, why: str) -> None:
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": BY_SCHEDULER,
            "message": f"{self.name}: preempting to accommodate a higher priority pod",
            "observedGeneration": victim["metadata"].get("generation", 0),
            "lastTransitionTime": rfc3339(self._loop.now()),
        }
        self._patch_status(victim, {"conditions": [condition]})
        try:
            self._client.delete("pods", name_of(victim), namespace_of(victim), uid=uid_of(victim))
        except StatusError as refusal:
            if refusal.reason not in ("NotFound", "Conflict"):
                raise
            return
        self._events.event(victim, NORMAL, "Preempted", why)

    # What happens in the cluster

    def _node(self, node: Object) -> None:
        for event in self._snapshot.put_node(node):
            self._queue.wake(event, name_of(node))

    def _node_deleted(self, node: Object) -> None:
        self._snapshot.drop_node(name_of(node))
        self._queue.wake(NODE_LABELS)  # a place less to be spread over

    def _storage(self, obj: Object) -> None:
        self._queue.wake(STORAGE)
        for key, (pod, node, _) in list(self._preparing.items()):
            self._loop.call_idle(self._resume, key, pod, node)

    def _resume(self, key: str, pod: Object, node: str) -> None:
        if key not in self._preparing or self._preparing[key][0] is not pod:
            return
        try:
            self._bind(key, pod, node)
        except (StatusError, OSError) as exc:
            _log.debug("%s: %s is tried again: %s", self.name, key, exc)
            self._give_up(key, pod)
            if key in self._queue:
                self._queue.retry(key)

    def _namespace(self, old: Object | None, new: Object) -> None:
        """Its Pods have been counted as those of one without these labels."""
        if labels_of(old) != labels_of(new) if old else self._snapshot.in_namespace(name_of(new)):
            self._snapshot.epoch += 1
            self._queue.wake(NAMESPACE)

    def _pod(self, pod: Object) -> None:
        key, node = key_of(pod), pod["spec"].get("nodeName")
        if node:
            self._queue.remove(key)
            self._nominations.drop(uid_of(pod))
            self._done_preparing(key)
            if _has_finished(pod):
                self._left(pod)
            elif self._snapshot.place(pod, node):
                self._queue.wake(POD_ADDED, pod=pod)
        elif self._is_waiting(pod):
            self._nominate(pod)
            self._queue.add(key, priority_of(pod))
        else:
            self._pod_deleted(pod)

    def _nominate(self, pod: Object) -> None:
        """What is written of the node that it is to have; after a restart nothing else is known of it."""
        node = (pod.get("status") or {}).get("nominatedNodeName")
        if node and not self._nominations.node_of(uid_of(pod)):
            self._nominations.put(Placed(pod, node, demand_of(pod["spec"]), pod_terms(pod)))

    def _pod_updated(self, old: Object, new: Object) -> None:
        """Of a Pod without a node its status is no news: the scheduler writes it."""
        same = old["spec"] == new["spec"] and labels_of(old) == labels_of(new)
        if new["spec"].get("nodeName") or not same or is_terminating(new) or _has_finished(new):
            self._pod(new)

    def _pod_deleted(self, pod: Object) -> None:
        key, hoped = key_of(pod), self._nominations.node_of(uid_of(pod))
        self._queue.remove(key)
        self._nominations.drop(uid_of(pod))
        self._done_preparing(key)
        self._left(pod)
        if hoped:
            self._queue.wake(POD_REMOVED, hoped)

    def _left(self, pod: Object) -> None:
        placed = self._snapshot.remove(uid_of(pod))
        if placed is not None:
            self._queue.wake(POD_REMOVED, placed.node)

    def _is_waiting(self, pod: Object) -> bool:
        """Without a node, ours, and held back by no gate."""
        spec = pod["spec"]
        ours = spec.get("schedulerName", NAME) == self.name and not spec.get("schedulingGates")
        return ours and not spec.get("nodeName") and not is_terminating(pod) and not _has_finished(pod)


def _has_finished(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
