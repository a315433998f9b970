"""What runs where: the nodes with what is taken of them, as the scheduler knows it and as it has just decided.

It counts bound Pods that have not finished, once each, whether it hears of them or has bound them itself. Source:
pkg/scheduler/backend/cache.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from refkube.api.fit import ASSUMED, Amounts, amounts_of, requests_of
from refkube.apimachinery.meta import Object, name_of, uid_of

HostPort = tuple[str, str, int]  # address, protocol, number

# Why a Pod that fitted nowhere may fit now.
NODE_ADDED, NODE_ALLOCATABLE, NODE_LABELS, NODE_TAINTS = "node added", "allocatable", "labels", "taints"
POD_REMOVED = "pod removed"


class Demand(NamedTuple):
    """What a Pod takes of a node."""

    requests: Amounts
    assumed: Amounts  # with an allowance for what asks for nothing
    ports: tuple[HostPort, ...]


def demand_of(spec: Object) -> Demand:
    return Demand(requests_of(spec), requests_of(spec, ASSUMED), host_ports(spec))


def host_ports(spec: Object) -> tuple[HostPort, ...]:
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    return tuple(
        (port.get("hostIP") or "0.0.0.0", port.get("protocol", "TCP"), port["hostPort"])
        for container in containers
        for port in container.get("ports") or ()
        if port.get("hostPort")
    )


class NodeInfo:
    """A node, what it has, and what is taken of it. `node` is None while only its Pods are known."""

    __slots__ = ("allocatable", "assumed", "name", "node", "pods", "ports", "requested")

    def __init__(self, name: str):
        self.name = name
        self.node: Object | None = None
        self.allocatable: Amounts = {}
        self.requested: Counter[str] = Counter()
        self.assumed: Counter[str] = Counter()
        self.ports: Counter[HostPort] = Counter()
        self.pods = 0

    def add(self, demand: Demand, sign: int) -> None:
        for counter, amounts in ((self.requested, demand.requests), (self.assumed, demand.assumed)):
            for name, amount in amounts.items():
                counter[name] += sign * amount
        for port in demand.ports:
            self.ports[port] += sign
        self.pods += sign


class Snapshot:
    def __init__(self) -> None:
        self.nodes: dict[str, NodeInfo] = {}  # those that exist
        self._all: dict[str, NodeInfo] = {}
        self._placed: dict[str, tuple[str, Demand, Object]] = {}  # by the Pod's uid: where, what, the spec it is of
        self._log: list[str] = []  # names of the nodes that changed
        self._before_log = 0

    @property
    def version(self) -> int:
        return self._before_log + len(self._log)

    def changed_since(self, version: int) -> set[str] | None:
        """Names of nodes; None if that is too long ago to tell, or so much that all may be looked at."""
        behind = self.version - version
        if behind > len(self._log) or behind > 2 * len(self.nodes) + 16:
            return None
        return set(self._log[-behind:]) if behind else set()

    def put_node(self, node: Object) -> list[str]:
        """Returns what of it changed so that more Pods may fit."""
        info = self._info(name_of(node))
        allocatable = amounts_of((node.get("status") or {}).get("allocatable"))
        news = _news(info.node, node, info.allocatable != allocatable)
        info.node, info.allocatable = node, allocatable
        self.nodes[info.name] = info
        if news:
            self._changed(info.name)
        return news

    def drop_node(self, name: str) -> None:
        self.nodes.pop(name, None)
        info = self._all[name]
        info.node = None
        if not info.pods:
            del self._all[name]
        self._changed(name)

    def place(self, pod: Object, node: str, demand: Demand | None = None) -> None:
        """A Pod is on a node; its demand is computed unless given. Again, it changes only what changed."""
        uid, spec = uid_of(pod), pod["spec"]
        placed = self._placed.get(uid)
        if placed is not None:
            if placed[0] == node and (placed[2] is spec or placed[2].get("containers") == spec.get("containers")):
                return
            self.remove(uid)
        demand = demand or demand_of(spec)
        self._placed[uid] = (node, demand, spec)
        self._info(node).add(demand, 1)
        self._changed(node)

    def remove(self, uid: str) -> bool:
        """True if it was there."""
        placed = self._placed.pop(uid, None)
        if placed is None:
            return False
        info = self._all[placed[0]]
        info.add(placed[1], -1)
        if info.node is None and not info.pods:
            del self._all[placed[0]]
        self._changed(placed[0])
        return True

    def _info(self, name: str) -> NodeInfo:
        info = self._all.get(name)
        if info is None:
            info = self._all[name] = NodeInfo(name)
        return info

    def _changed(self, name: str) -> None:
        self._log.append(name)
        if len(self._log) > 8 * len(self.nodes) + 1024:
            half = len(self._log) // 2
            self._before_log += half
            del self._log[:half]


def _news(old: Object | None, new: Object, allocatable: bool) -> list[str]:
    if old is None:
        return [NODE_ADDED]
    before, after = old.get("spec") or {}, new.get("spec") or {}
    taints = any(before.get(field) != after.get(field) for field in ("taints", "unschedulable"))
    labels = old["metadata"].get("labels") != new["metadata"].get("labels")
    told = ((allocatable, NODE_ALLOCATABLE), (labels, NODE_LABELS), (taints, NODE_TAINTS))
    return [event for holds, event in told if holds]
