"""Faults in what kubelets tell, and in what the control plane makes of it: features/cluster/{nodes,silence}.feature."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from math import inf
from typing import Any

from refkube.admission.chain import Attributes
from refkube.admission.plugins.taintnodesbycondition import TaintNodesByCondition
from refkube.api import validation
from refkube.api.kinds import Kind
from refkube.apimachinery.meta import Object
from refkube.apimachinery.rest import Request
from refkube.apiserver.reviews import Reviews
from refkube.client.client import Client
from refkube.controllers import nodelifecycle, tainteviction
from refkube.controllers.common import nodes
from refkube.controllers.common.nodes import Taint, taints_of
from refkube.controllers.nodeipam import CIDRSet
from refkube.controllers.nodelifecycle import NodeLifecycleController, Zone
from refkube.controllers.podgc import PodGCController
from refkube.controllers.tainteviction import TaintEvictionController
from refkube.kubelet.node_status import NodeStatus

from gherkube.drivers.miniatures import miniature
from gherkube.drivers.miniatures.validation import unjudged

Original = Callable[..., Any]

# Kubelets


@miniature(
    "A kubelet waits for somebody else to register its Node.", caught_by="nodes.01", instead_of=NodeStatus._register
)
def registers_no_node(original: Original, self: NodeStatus) -> None:
    return None


@miniature("A kubelet that starts again makes its Node anew.", caught_by="nodes.02", instead_of=NodeStatus._register)
def makes_its_node_anew(original: Original, self: NodeStatus) -> None:
    name = self._machine.name
    if self._node_uid:
        self._client.delete("nodes", name)
    original(self)


@miniature("A node does not tell where it is.", caught_by="nodes.03", instead_of=NodeStatus._status)
def tells_no_addresses(original: Original, self: NodeStatus, known: Object) -> Object:
    return {**original(self, known), "addresses": []}


@miniature("A Lease is made, and never renewed.", caught_by="nodes.04", instead_of=NodeStatus._renewed)
def renews_no_lease(original: Original, self: NodeStatus, lease: Object | None) -> Object:
    made: Object = lease if lease is not None else original(self, lease)
    return made


# Component statuses


@miniature("The scheduler has no status.", caught_by="nodes.05", instead_of=Reviews._all_components)
def forgets_the_scheduler(original: Original, self: Reviews, request: Request, kind: Kind) -> Object:
    listed: Object = original(self, request, kind)
    return {**listed, "items": [one for one in listed["items"] if one["metadata"]["name"] != "scheduler"]}


@miniature("No component is ever well.", caught_by="nodes.06", instead_of=Reviews._status_of)
def calls_all_unhealthy(original: Original, self: Reviews, name: str) -> Object:
    status: Object = original(self, name)
    return {**status, "conditions": [{**status["conditions"][0], "status": "False"}]}


# Subnets


@miniature("All nodes get the same subnet.", caught_by=("nodes.07", "nodes.08"), instead_of=CIDRSet.allocate)
def allots_one_subnet(original: Original, self: CIDRSet) -> str:
    return "10.244.7.0/24"


@miniature("Subnets come from anywhere.", caught_by="nodes.07", instead_of=CIDRSet.allocate)
def allots_subnets_from_elsewhere(original: Original, self: CIDRSet) -> str:
    return str(original(self)).replace("10.244.", "10.99.")


unjudged(
    "lets_nodes_change_their_subnet",
    "A node's subnet can be exchanged.",
    "nodes.09",
    ("Node",),
    judge=validation.validate_update,
)

# Taints by conditions


@miniature("A new node takes Pods before it is ready.", caught_by="nodes.10", instead_of=TaintNodesByCondition.admit)
def trusts_new_nodes(original: Original, self: TaintNodesByCondition, asked: Attributes) -> None:
    return None


@miniature(
    "A taint that a node got once it keeps.",
    caught_by=("nodes.11", "nodes.13", "silence.18", "silence.19", "silence.21"),
    instead_of=nodes.swap_taints,
)
def never_takes_taints_away(
    original: Original, client: Client, name: str, add: Collection[Taint], remove: Collection[Taint], now: float
) -> None:
    original(client, name, add, (), now)


@miniature(
    "Nodes under pressure take Pods as others do.",
    caught_by=("nodes.12", "nodes.13"),
    instead_of=nodelifecycle.wanted_taints,
)
def ignores_pressure(original: Original, node: Object) -> set[Taint]:
    keys = ("not-ready", "unreachable", "unschedulable")
    return {taint for taint in original(node) if taint[0].partition("/")[2] in keys}


@miniature("A cordoned node is not tainted.", caught_by="nodes.14", instead_of=nodelifecycle.wanted_taints)
def ignores_cordons(original: Original, node: Object) -> set[Taint]:
    return {taint for taint in original(node) if not taint[0].endswith("unschedulable")}


@miniature(
    "Nodes that are not ready keep their Pods.",
    caught_by=("nodes.15", "silence.06", "silence.07", "silence.20"),
    instead_of=NodeLifecycleController._taint_one,
)
def gives_no_executing_taint(original: Original, self: NodeLifecycleController, zone: Zone, name: str) -> None:
    return None


# Silence


@miniature(
    "A node is waited for without end.",
    caught_by=("silence.01", "silence.03", "silence.04", "silence.06", "silence.07", "silence.20"),
    instead_of=NodeLifecycleController._silent,
)
def waits_for_ever(original: Original, self: NodeLifecycleController, node: Object) -> Object:
    return node


@miniature(
    "A node is given up after twelve seconds.", caught_by="silence.02", instead_of=NodeLifecycleController._check
)
def gives_nodes_up_early(original: Original, self: NodeLifecycleController, node: Object) -> bool:
    options = self._options
    self._options = replace(options, node_monitor_grace_period=12.0)
    try:
        return bool(original(self, node))
    finally:
        self._options = options


@miniature(
    "The Pods of a silent node stay ready.",
    caught_by=("silence.05", "silence.20", "endpoints.35"),
    instead_of=NodeLifecycleController._mark,
)
def leaves_pods_ready(original: Original, self: NodeLifecycleController, key: str) -> None:
    return None


@miniature(
    "A node keeps the first taint that it got.", caught_by="silence.07", instead_of=NodeLifecycleController._ask_taint
)
def keeps_the_first_taint(original: Original, self: NodeLifecycleController, node: Object, ready: str) -> None:
    other = nodelifecycle.executed(ready)[1]
    if other not in nodelifecycle.keys_of(taints_of(node, "NoExecute")):
        original(self, node, ready)


@miniature("All nodes of a zone are tainted at once.", caught_by="silence.08", instead_of=Zone.take)
def taints_all_at_once(original: Original, self: Zone) -> str | None:
    self._next = self._loop.now()
    name: str | None = original(self)
    return name


@miniature("However many nodes are silent, no zone is.", caught_by="silence.09", instead_of=nodelifecycle.zone_state)
def sees_no_disruption(original: Original, ready: Collection[bool], threshold: float) -> str:
    return nodelifecycle.NORMAL_STATE


@miniature(
    "No Pod is given time.",
    caught_by=("silence.10", "silence.12", "silence.14", "silence.15"),
    instead_of=tainteviction.stay,
)
def gives_no_time(original: Original, taints: list[Object], tolerations: list[Object]) -> float:
    return 0.0 if taints else inf


@miniature(
    "No Pod leaves.",
    caught_by=("silence.10", "silence.11", "silence.12", "silence.13", "silence.16"),
    instead_of=tainteviction.stay,
)
def lets_all_stay(original: Original, taints: list[Object], tolerations: list[Object]) -> float:
    return inf


@miniature("The longest toleration counts.", caught_by="silence.16", instead_of=tainteviction.stay)
def counts_the_longest_toleration(original: Original, taints: list[Object], tolerations: list[Object]) -> float:
    return max((float(original([taint], tolerations)) for taint in taints), default=inf)


@miniature(
    "A Pod that is to leave is removed.",
    caught_by=("silence.11", "statefulsets.23"),
    instead_of=TaintEvictionController._evict,
)
def removes_at_once(original: Original, self: TaintEvictionController, key: str) -> None:
    namespace, _, name = key.partition("/")
    self._client.delete("pods", name, namespace, grace_period=0)


@miniature("Who was to leave leaves.", caught_by="silence.15", instead_of=TaintEvictionController._cancel)
def cancels_nothing(original: Original, self: TaintEvictionController, key: str) -> None:
    return None


@miniature("The Pods of a node outlive it.", caught_by="silence.17", instead_of=PodGCController._gone_nodes)
def keeps_pods_of_gone_nodes(original: Original, self: PodGCController) -> list[str]:
    return []
