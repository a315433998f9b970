"""The node lifecycle controller: who is silent for too long is Unknown, tainted, and its Pods are no longer ready.

Every five seconds each node's Lease and status are compared with what was last seen. NoSchedule taints follow the
conditions at once; NoExecute taints, by which Pods are evicted, are rationed in every zone, and not given at all while
no node is ready: then it is rather the control plane that is cut off. Source: kubernetes/pkg/controller/nodelifecycle.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from math import inf

from refkube.api.taints import NO_EXECUTE, NO_SCHEDULE
from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object, condition_is_true, condition_of, get_path, key_of, labels_of, name_of
from refkube.client.controller import Controller
from refkube.client.events import NORMAL, WARNING
from refkube.client.informer import by_node_name
from refkube.controllers.common.context import Context, Options
from refkube.controllers.common.nodes import Taint, reference, swap_taints, taints_of
from refkube.engine.clock import parse_rfc3339, rfc3339
from refkube.engine.loop import Loop, Timer

_log = logging.getLogger(__name__)

LEASES, LEASE_NAMESPACE = "leases.coordination.k8s.io", "kube-node-lease"
TAINT_PERIOD = 0.1
EXCLUDED = "node.kubernetes.io/exclude-disruption"
WATCHED = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
NEVER_POSTED = ("NodeStatusNeverUpdated", "Kubelet never posted node status.")
STOPPED_POSTING = ("NodeStatusUnknown", "Kubelet stopped posting node status.")
NOT_READY, UNREACHABLE = "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
BY_CONDITION = {
    ("Ready", "False"): NOT_READY,
    ("Ready", "Unknown"): UNREACHABLE,
    ("MemoryPressure", "True"): "node.kubernetes.io/memory-pressure",
    ("DiskPressure", "True"): "node.kubernetes.io/disk-pressure",
    ("PIDPressure", "True"): "node.kubernetes.io/pid-pressure",
    ("NetworkUnavailable", "True"): "node.kubernetes.io/network-unavailable",
}
OURS = frozenset((key, NO_SCHEDULE) for key in (*BY_CONDITION.values(), UNSCHEDULABLE))
INITIAL, NORMAL_STATE, PARTIAL, FULL = "Initial", "Normal", "PartialDisruption", "FullDisruption"


@dataclass(slots=True)
class Health:
    """What was last heard of a node, and when."""

    about: Object
    heard: float
    heartbeat: str | None  # of its Ready condition; None if it has none
    renewed: str = ""  # by its Lease
    status: str = "Unknown"  # of its Ready condition


class Zone:
    """Nodes of one zone that are to get a NoExecute taint, so many a second and one at a time."""

    def __init__(self, loop: Loop, qps: float):
        self.state = INITIAL
        self.queue: dict[str, None] = {}
        self.done: set[str] = set()
        self._loop, self._qps = loop, qps
        self._next = loop.now()  # when one more may be

    def add(self, name: str) -> None:
        if name not in self.done:
            self.queue.setdefault(name)

    def forget(self, name: str) -> None:
        self.queue.pop(name, None)
        self.done.discard(name)

    def limit(self, qps: float) -> None:
        """A limit that was reached leaves nothing to spend under the new one."""
        now = self._loop.now()
        spent = not self._qps or self._next > now
        self._qps = qps
        self._next = now + 1.0 / qps if spent and qps else now

    def ready_at(self) -> float:
        """When the next one may be taken."""
        return max(self._next, self._loop.now()) if self.queue and self._qps else inf

    def take(self) -> str | None:
        """The node whose turn it is."""
        if self.ready_at() > self._loop.now():
            return None
        name = next(iter(self.queue))
        self._next = self._loop.now() + 1.0 / self._qps
        del self.queue[name]
        self.done.add(name)
        return name


class NodeLifecycleController:
    account = component = "node-controller"

    def __init__(self, context: Context):
        self._client, self._loop, self._events = context.client, context.loop, context.events
        self._options = context.options
        self._nodes = context.informers.of("nodes")
        self._pods = context.informers.of("pods")
        self._leases = context.informers.of(LEASES, LEASE_NAMESPACE)
        self._pods.add_index("nodeName", by_node_name)
        self._health: dict[str, Health] = {}
        self._zones: dict[str, Zone] = {}
        self._taint_timer: Timer | None = None
        informers = (self._nodes, self._pods, self._leases)
        self._taints = Controller(context.loop, "node-lifecycle", self._taint_by_condition, (self._nodes,))
        self._marks = Controller(context.loop, "node-lifecycle/pods", self._mark, informers)
        self._rounds = Controller(context.loop, "node-lifecycle/monitor", self._monitor, informers)
        self._rounds.add("")
        self._nodes.add_handler(self._taints.add_object, self._node_changed)
        self._pods.add_handler(self._bound, self._pod_changed)

    def start(self) -> None:
        for controller in (self._rounds, self._taints, self._marks):
            controller.start()

    def stop(self) -> None:
        for controller in (self._taints, self._marks, self._rounds):
            controller.stop()
        self._taint_at(inf)

    # NoSchedule, by condition

    def _node_changed(self, old: Object, new: Object) -> None:
        if wanted_taints(old) != wanted_taints(new) or taints_of(old) != taints_of(new):
            self._taints.add_object(new)

    def _taint_by_condition(self, name: str) -> None:
        node = self._nodes.get(name)
        if node is None:
            return
        wanted = wanted_taints(node)
        present = keys_of(taints_of(node)) & OURS
        if wanted != present:
            swap_taints(self._client, name, sorted(wanted - present), present - wanted, self._loop.now())

    # Health

    def _monitor(self, key: str) -> None:
        self._rounds.add_after(key, self._options.node_monitor_period)
        self._note_nodes()
        zones: dict[str, list[bool]] = {}
        for node in list(self._nodes.items.values()):
            try:
                ready = self._check(node)
            except (StatusError, OSError) as exc:
                _log.warning("node %s is looked at again later: %s", name_of(node), exc)
                continue
            if EXCLUDED not in labels_of(node):
                zones.setdefault(zone_of(node), []).append(ready)
        self._handle_disruption(zones)
        self._taint_at(self._loop.now() + TAINT_PERIOD)

    def _note_nodes(self) -> None:
        """Tell of nodes that have come or gone."""
        for name, node in list(self._nodes.items.items()):
            if name not in self._health:
                beat = heartbeat_of(node)
                heard = parse_rfc3339(node["metadata"]["creationTimestamp"]) if beat is None else self._loop.now()
                self._health[name] = Health(reference(node), heard, beat)
                self._tell(name, "RegisteredNode", f"Node {name} event: Registered Node {name} in Controller")
                self._reachable(node)
        for name in [name for name in self._health if name not in self._nodes.items]:
            self._tell(name, "RemovingNode", f"Node {name} event: Removing Node {name} from Controller")
            del self._health[name]
            for zone in self._zones.values():
                zone.forget(name)

    def _tell(self, name: str, reason: str, message: str = "") -> None:
        self._events.event(self._health[name].about, NORMAL, reason, message or f"Node {name} status is now: {reason}")

    def _zone(self, node: Object) -> Zone:
        name = zone_of(node)
        if name not in self._zones:
            self._zones[name] = Zone(self._loop, self._options.node_eviction_rate)
        return self._zones[name]

    def _check(self, node: Object) -> bool:
        """Whether the node is ready, after all that follows if it is not."""
        name, before = name_of(node), condition_of(node, "Ready")
        health = self._health[name]
        self._listen(node, health)
        grace = self._options.node_monitor_grace_period if before else self._options.node_startup_grace_period
        if self._loop.now() > health.heard + grace:
            node = self._silent(node)
        after = condition_of(node, "Ready")
        if after is None:
            return False
        observed, current = (before or {}).get("status", "Unknown"), after["status"]
        health.status = current
        self._ask_taint(node, current)
        if current == "Unknown" and observed != "Unknown":
            self._tell(name, "NodeUnreachable")
        elif current == "False" and observed == "True":
            self._tell(name, "NodeNotReady")
        if current != observed and (observed == "True" or current == "Unknown"):
            for key in self._pods.indexed("nodeName", name):
                self._marks.add(key)
        return current == "True"

    def _listen(self, node: Object, health: Health) -> None:
        """A status that was posted, or a Lease renewed, since the last time is a sign of life."""
        beat = heartbeat_of(node)
        if beat != health.heartbeat:
            health.heard, health.heartbeat = self._loop.now(), beat
        lease = self._leases.get(f"{LEASE_NAMESPACE}/{name_of(node)}")
        renewed = get_path(lease, "spec", "renewTime", default="")
        if renewed > health.renewed:
            health.heard, health.renewed = self._loop.now(), renewed

    def _silent(self, node: Object) -> Object:
        """With every condition that a kubelet posts Unknown."""
        conditions = silenced(node, rfc3339(self._loop.now()))
        if conditions is None:
            return node
        status = {**(node.get("status") or {}), "conditions": conditions}
        try:
            return self._client.update_status("nodes", {**node, "status": status})
        except StatusError as refusal:
            if refusal.reason != "Conflict":
                raise
            return node  # it has changed: perhaps it lives

    # Pods of nodes that are not ready

    def _bound(self, pod: Object) -> None:
        node = pod["spec"].get("nodeName")
        if node and (node not in self._health or self._health[node].status != "True"):
            self._marks.add(key_of(pod))

    def _pod_changed(self, old: Object, new: Object) -> None:
        if old["spec"].get("nodeName") != new["spec"].get("nodeName"):
            self._bound(new)

    def _mark(self, key: str) -> None:
        """Not ready: nobody knows what it does."""
        pod = self._pods.get(key)
        health = self._health.get(pod["spec"].get("nodeName", "")) if pod is not None else None
        if pod is None or health is None or health.heartbeat is None or health.status == "True":
            return
        if not condition_is_true(pod, "Ready"):
            return
        change = {"type": "Ready", "status": "False", "lastTransitionTime": rfc3339(self._loop.now())}
        conditions = [{**one, **change} if one.get("type") == "Ready" else one for one in pod["status"]["conditions"]]
        try:
            self._client.update_status("pods", {**pod, "status": {**pod["status"], "conditions": conditions}})
        except StatusError as refusal:
            if refusal.reason == "NotFound":
                return
            raise
        self._events.event(pod, WARNING, "NodeNotReady", "Node is not ready")

    # NoExecute, rationed

    def _ask_taint(self, node: Object, ready: str) -> None:
        name, zone = name_of(node), self._zone(node)
        if ready == "True":
            self._reachable(node)
            return
        (wanted, other), present = executed(ready), keys_of(taints_of(node, NO_EXECUTE))
        if other in present:
            swap_taints(self._client, name, (wanted,), (other,), self._loop.now())
            return
        if wanted not in present:
            zone.done.discard(name)
        zone.add(name)

    def _reachable(self, node: Object) -> None:
        """Without the taints by which Pods are evicted."""
        remove = keys_of(taints_of(node, NO_EXECUTE)) & set(executed("False"))
        if remove:
            swap_taints(self._client, name_of(node), (), remove, self._loop.now())
        self._zone(node).forget(name_of(node))

    def _taint_executing(self) -> None:
        """Taint those whose turn it is, and be there when it is the next one's."""
        for zone in self._zones.values():
            name = zone.take()
            if name is not None:
                self._taint_one(zone, name)
        self._taint_at(min((zone.ready_at() for zone in self._zones.values()), default=inf))

    def _taint_at(self, when: float) -> None:
        if self._taint_timer is not None:
            self._taint_timer.cancel()
        self._taint_timer = self._loop.call_at(when, self._taint_executing) if when < inf else None

    def _taint_one(self, zone: Zone, name: str) -> None:
        node = self._nodes.get(name)
        status = (condition_of(node, "Ready") or {}).get("status") if node is not None else None
        if status not in ("False", "Unknown"):
            return
        wanted, other = executed(status)
        try:
            swap_taints(self._client, name, (wanted,), (other,), self._loop.now())
        except (StatusError, OSError):
            zone.forget(name)
            zone.add(name)

    # Zones

    def _handle_disruption(self, zones: Mapping[str, Collection[bool]]) -> None:
        """Set each zone's rate by how many of its nodes are ready."""
        states = {name: zone_state(ready, self._options.unhealthy_zone_threshold) for name, ready in zones.items()}
        known = {name: zone for name, zone in self._zones.items() if name in zones}
        all_are = all(state == FULL for state in states.values())
        all_were = all(zone.state == FULL for zone in known.values())
        if all_are and all_were:
            return
        if all_are:
            for node in list(self._nodes.items.values()):
                self._reachable(node)
            for zone in known.values():
                zone.limit(0.0)
                zone.state = FULL
            return
        if all_were:
            for health in self._health.values():
                health.heard = self._loop.now()
        for name, zone in known.items():
            if all_were or zone.state != states[name]:
                zone.limit(rate(states[name], len(zones[name]), self._options))
                zone.state = states[name]


def heartbeat_of(node: Object) -> str | None:
    ready = condition_of(node, "Ready")
    return None if ready is None else ready.get("lastHeartbeatTime", "")


def keys_of(taints: Iterable[Object]) -> set[Taint]:
    return {(taint["key"], taint["effect"]) for taint in taints}


def executed(ready: str) -> tuple[Taint, Taint]:
    """The NoExecute taint for a Ready condition that is False or Unknown, and that for the other."""
    taints = (NOT_READY, NO_EXECUTE), (UNREACHABLE, NO_EXECUTE)
    return taints if ready == "False" else (taints[1], taints[0])


def wanted_taints(node: Object) -> set[Taint]:
    """The NoSchedule taints that follow from a node's conditions."""
    conditions = get_path(node, "status", "conditions") or ()
    keys = {BY_CONDITION.get((one.get("type", ""), one.get("status", ""))) for one in conditions} - {None}
    if get_path(node, "spec", "unschedulable"):
        keys.add(UNSCHEDULABLE)
    return {(key, NO_SCHEDULE) for key in keys if key}


def silenced(node: Object, now: str) -> list[Object] | None:
    """The conditions of a node whose kubelet is silent; None if they say so already."""
    conditions = {one.get("type", ""): one for one in get_path(node, "status", "conditions") or ()}
    changed = False
    for type in WATCHED:
        present = conditions.get(type)
        if present is None:
            since = node["metadata"]["creationTimestamp"]
            present, (reason, message) = {"type": type, "lastHeartbeatTime": since}, NEVER_POSTED
        elif present.get("status") == "Unknown":
            continue
        else:
            reason, message = STOPPED_POSTING
        unknown = {"status": "Unknown", "reason": reason, "message": message, "lastTransitionTime": now}
        conditions[type] = {**present, **unknown}
        changed = True
    return list(conditions.values()) if changed else None


def zone_of(node: Object) -> str:
    """Region and zone (component-helpers/node/topology)."""
    labels = labels_of(node)
    region, zone = (labels.get(f"topology.kubernetes.io/{part}", "") for part in ("region", "zone"))
    return f"{region}:\x00:{zone}" if region or zone else ""


def zone_state(ready: Collection[bool], threshold: float) -> str:
    """`ready` tells of each node of the zone."""
    down = len(ready) - sum(ready)
    if down and down == len(ready):
        return FULL
    return PARTIAL if down > 2 and down / len(ready) >= threshold else NORMAL_STATE


def rate(state: str, size: int, options: Options) -> float:
    """Nodes a second that may be tainted in a zone of this state and size."""
    if state != PARTIAL:
        return options.node_eviction_rate
    return options.secondary_node_eviction_rate if size > options.large_cluster_size_threshold else 0.0
