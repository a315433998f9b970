"""What runs where: the nodes with what is taken of them, as the scheduler knows it and as it has just decided.

It counts bound Pods that have not finished, once each, whether it hears of them or has bound them itself. Source:
pkg/scheduler/backend/cache.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from refkube.api.affinity import NO_TERMS, PodTerms, pod_terms
from refkube.api.fit import ASSUMED, Amounts, amounts_of, requests_of
from refkube.apimachinery.meta import Object, is_terminating, labels_of, name_of, namespace_of, uid_of

HostPort = tuple[str, str, int]  # address, protocol, number

# Why a Pod that fitted nowhere may fit now.
NODE_ADDED, NODE_ALLOCATABLE, NODE_LABELS, NODE_TAINTS = "node added", "allocatable", "labels", "taints"
POD_ADDED, POD_REMOVED, STORAGE, NAMESPACE = "pod added", "pod removed", "storage", "namespace"


class Demand(NamedTuple):
    """What a Pod takes of a node."""

    requests: Amounts
    assumed: Amounts  # with an allowance for what asks for nothing
    ports: tuple[HostPort, ...]


class Placed(NamedTuple):
    """A Pod on a node."""

    pod: Object
    node: str
    demand: Demand
    terms: PodTerms


class Change(NamedTuple):
    """A node that changed, by a Pod (sign 1: came, -1: left) or in itself."""

    node: str
    placed: Placed | None = None
    sign: int = 0


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


def claims_of(pod: Object) -> Iterator[str]:
    """Names of the claims that a Pod mounts, its own ephemeral ones too."""
    for volume in pod["spec"].get("volumes") or ():
        if "persistentVolumeClaim" in volume:
            yield volume["persistentVolumeClaim"]["claimName"]
        elif "ephemeral" in volume:
            yield f"{name_of(pod)}-{volume['name']}"


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
        self.pods: dict[str, Placed] = {}  # by uid

    @property
    def labels(self) -> Mapping[str, str]:
        assert self.node is not None
        return labels_of(self.node)

    def add(self, placed: Placed, sign: int) -> None:
        demand = placed.demand
        for counter, amounts in ((self.requested, demand.requests), (self.assumed, demand.assumed)):
            for name, amount in amounts.items():
                counter[name] += sign * amount
        for port in demand.ports:
            self.ports[port] += sign
        if sign > 0:
            self.pods[uid_of(placed.pod)] = placed
        else:
            del self.pods[uid_of(placed.pod)]

    def copy(self) -> NodeInfo:
        """To try things out with."""
        made = NodeInfo(self.name)
        made.node, made.allocatable = self.node, self.allocatable
        made.requested, made.assumed, made.ports = self.requested.copy(), self.assumed.copy(), self.ports.copy()
        made.pods = dict(self.pods)
        return made


class Snapshot:
    def __init__(self) -> None:
        self.nodes: dict[str, NodeInfo] = {}  # those that exist
        self.placed: dict[str, Placed] = {}  # by the Pod's uid
        self.with_terms: dict[str, Placed] = {}  # those that say something of other Pods
        self.epoch = 0  # changes with the nodes, their labels and taints
        self.images: Counter[str] = Counter()  # on how many nodes each is
        self._by_namespace: dict[str, dict[str, Placed]] = {}
        self._all: dict[str, NodeInfo] = {}
        self._log: list[Change] = []
        self._before_log = 0

    @property
    def version(self) -> int:
        return self._before_log + len(self._log)

    def changes_since(self, version: int) -> list[Change] | None:
        """None if that is too long ago to tell, or so much that all may be looked at."""
        behind = self.version - version
        if behind > len(self._log) or behind > 2 * len(self.nodes) + 16:
            return None
        return self._log[-behind:] if behind else []

    def in_namespace(self, name: str) -> Mapping[str, Placed]:
        return self._by_namespace.get(name, {})

    def put_node(self, node: Object) -> list[str]:
        """Returns what of it changed so that more Pods may fit."""
        info = self._info(name_of(node))
        allocatable = amounts_of((node.get("status") or {}).get("allocatable"))
        news = _news(info.node, node, info.allocatable != allocatable)
        self._count_images(info.node, node)
        info.node, info.allocatable = node, allocatable
        self.nodes[info.name] = info
        if news and news != [NODE_ALLOCATABLE]:
            self.epoch += 1
        if news:
            self._changed(Change(info.name))
        return news

    def drop_node(self, name: str) -> None:
        self.nodes.pop(name, None)
        info = self._all[name]
        self._count_images(info.node, None)
        info.node = None
        if not info.pods:
            del self._all[name]
        self.epoch += 1
        self._changed(Change(name))

    def place(self, pod: Object, node: str, demand: Demand | None = None) -> bool:
        """A Pod is on a node; its demand is computed unless given. Again, it changes only what changed. True if others
        may see a difference."""
        uid, spec = uid_of(pod), pod["spec"]
        before = self.placed.get(uid)
        if before is not None and before.node == node:
            old = before.pod["spec"]
            if demand is None and (old is spec or old.get("containers") == spec.get("containers")):
                demand = before.demand
            alike = labels_of(before.pod) == labels_of(pod) and is_terminating(before.pod) == is_terminating(pod)
            if demand is before.demand and alike:
                self._keep(uid, before._replace(pod=pod))
                return False
        if before is not None:
            self.remove(uid)
        placed = Placed(pod, node, demand or demand_of(spec), pod_terms(pod))
        self._info(node).add(placed, 1)
        self._keep(uid, placed)
        self._changed(Change(node, placed, 1))
        return True

    def remove(self, uid: str) -> Placed | None:
        """What was there."""
        placed = self.placed.pop(uid, None)
        if placed is None:
            return None
        self.with_terms.pop(uid, None)
        namespace = self._by_namespace[namespace_of(placed.pod)]
        del namespace[uid]
        if not namespace:
            del self._by_namespace[namespace_of(placed.pod)]
        info = self._all[placed.node]
        info.add(placed, -1)
        if info.node is None and not info.pods:
            del self._all[placed.node]
        self._changed(Change(placed.node, placed, -1))
        return placed

    def _keep(self, uid: str, placed: Placed) -> None:
        self.placed[uid] = self._all[placed.node].pods[uid] = placed
        self._by_namespace.setdefault(namespace_of(placed.pod), {})[uid] = placed
        if placed.terms is not NO_TERMS:
            self.with_terms[uid] = placed

    def _info(self, name: str) -> NodeInfo:
        info = self._all.get(name)
        if info is None:
            info = self._all[name] = NodeInfo(name)
        return info

    def _count_images(self, old: Object | None, new: Object | None) -> None:
        if old is not None and new is not None and _images(old) == _images(new):
            return
        before, after = images_of(old), images_of(new)
        if before.keys() != after.keys():
            self.images.subtract(before.keys() - after.keys())
            self.images.update(after.keys() - before.keys())

    def _changed(self, change: Change) -> None:
        self._log.append(change)
        if len(self._log) > 8 * len(self.nodes) + 1024:
            half = len(self._log) // 2
            self._before_log += half
            del self._log[:half]


def images_of(node: Object | None) -> dict[str, int]:
    """The images on a node, by every name, and their sizes."""
    listed = _images(node) if node else []
    return {name: image.get("sizeBytes", 0) for image in listed for name in image.get("names") or ()}


def _images(node: Object) -> list[Object]:
    return (node.get("status") or {}).get("images") or []


def _news(old: Object | None, new: Object, allocatable: bool) -> list[str]:
    if old is None:
        return [NODE_ADDED]
    before, after = old.get("spec") or {}, new.get("spec") or {}
    taints = any(before.get(field) != after.get(field) for field in ("taints", "unschedulable"))
    labels = old["metadata"].get("labels") != new["metadata"].get("labels")
    told = ((allocatable, NODE_ALLOCATABLE), (labels, NODE_LABELS), (taints, NODE_TAINTS))
    return [event for holds, event in told if holds]
