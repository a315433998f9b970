"""Filter and score: Pods that a constraint selects, spread over the values of a label of nodes.

A Pod without constraints of its own is spread over nodes and zones along with its Service's and its owner's Pods.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from math import inf, log
from typing import Any, NamedTuple

from refkube.api.affinity import required_test
from refkube.api.taints import NO_EXECUTE, NO_SCHEDULE, untolerated
from refkube.apimachinery.meta import Object, is_terminating, labels_of, namespace_of
from refkube.apimachinery.selectors import Selector, from_label_selector
from refkube.scheduler.framework import Beyond, Plugin, Rejection
from refkube.scheduler.snapshot import (
    NODE_ADDED,
    NODE_LABELS,
    NODE_TAINTS,
    POD_ADDED,
    POD_REMOVED,
    Placed,
    Snapshot,
)

HOSTNAME, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
DEFAULTS = ((HOSTNAME, 3), (ZONE, 5))  # key, maxSkew
CROWDED = Rejection(("node(s) didn't match pod topology spread constraints",), final=False)
UNLABELLED = Rejection(("node(s) didn't match pod topology spread constraints (missing required label)",))


class Constraint(NamedTuple):
    key: str
    skew: int
    selector: Selector
    domains: int = 1
    by_affinity: bool = True  # nodes that the Pod does not select do not count
    by_taints: bool = False


class PodTopologySpread(Plugin):
    """`company(pod)` selects the Pods of the same Services and the same owner; None if there are none."""

    name = "PodTopologySpread"
    wakes = frozenset((NODE_ADDED, NODE_LABELS, NODE_TAINTS, POD_ADDED, POD_REMOVED))
    weight = 2

    def __init__(self, snapshot: Snapshot, company: Callable[[Object], Selector | None]):
        self._snapshot = snapshot
        self._company = company

    @staticmethod
    def scale(low: float, high: float) -> float:
        return -100.0 / high if high > 0 else 0.0

    def signature(self, pod: Object) -> Any:
        constraints = pod["spec"].get("topologySpreadConstraints")
        if constraints:
            return namespace_of(pod), labels_of(pod), constraints
        company = self._company(pod)
        return (namespace_of(pod), str(company)) if company else None

    def helped_by(self, pod: Object, other: Object) -> bool:
        told = pod["spec"].get("topologySpreadConstraints") or ()
        selectors = (_constraint(one).selector for one in told)
        return namespace_of(pod) == namespace_of(other) and any(one.matches(labels_of(other)) for one in selectors)

    def beyond(self, pod: Object) -> Beyond | None:
        told = pod["spec"].get("topologySpreadConstraints") or ()
        hard = [_constraint(one) for one in told if one["whenUnsatisfiable"] == "DoNotSchedule"]
        soft = [_constraint(one) for one in told if one["whenUnsatisfiable"] == "ScheduleAnyway"]
        company = None if told else self._company(pod)
        if company:
            soft = [Constraint(key, skew, company) for key, skew in DEFAULTS]
        return _Spread(pod, hard, soft, bool(told), self._snapshot) if hard or soft else None


class _Spread(Beyond):
    def __init__(
        self, pod: Object, hard: Sequence[Constraint], soft: Sequence[Constraint], strict: bool, snapshot: Snapshot
    ):
        self._pod = pod
        self._hard = [(constraint, constraint.selector.matches(labels_of(pod))) for constraint in hard]
        self._soft = soft
        self._strict = strict  # nodes without one of the labels do not count
        self._snapshot = snapshot
        self._selects = required_test(pod["spec"])
        self.scores = bool(soft)
        self.keys = frozenset(constraint.key for constraint in (*hard, *soft))
        self._weights = [1.0] * len(soft)

    def begin(self) -> None:
        self._counts: list[dict[str, int]] = [{} for _ in self._hard]
        self._levels: list[Counter[int]] = [Counter() for _ in self._hard]  # how many places have so many Pods
        self._soft_counts: list[Counter[str]] = [Counter() for _ in self._soft]
        for info in self._snapshot.nodes.values():
            assert info.node is not None
            for index, value in self._places(info.node):
                if value not in self._counts[index]:
                    self._counts[index][value] = 0
                    self._levels[index][0] += 1
        for placed in self._snapshot.in_namespace(namespace_of(self._pod)).values():
            there = self._snapshot.nodes.get(placed.node)
            if there is not None and there.node is not None:
                self.count(placed, there.node, 1)

    def count(self, placed: Placed, node: Object, sign: int) -> None:
        other = placed.pod
        if namespace_of(other) != namespace_of(self._pod) or is_terminating(other):
            return
        labels = labels_of(other)
        chosen = [constraint.selector.matches(labels) for constraint, _ in self._hard]
        if any(chosen):
            for index, value in self._places(node):
                if chosen[index]:
                    self._move(index, value, sign)
        wanted = [constraint.selector.matches(labels) for constraint in self._soft]
        if any(wanted):
            self._count_soft(wanted, node, sign)

    def _move(self, index: int, value: str, sign: int) -> None:
        counts, levels = self._counts[index], self._levels[index]
        before = counts.get(value)
        if before is not None:
            levels[before] -= 1
            if not levels[before]:
                del levels[before]
        counts[value] = (before or 0) + sign
        levels[counts[value]] += 1

    def _count_soft(self, wanted: Sequence[bool], node: Object, sign: int) -> None:
        labels = labels_of(node)
        if self._strict and not all(constraint.key in labels for constraint in self._soft):
            return
        for counts, constraint, mine in zip(self._soft_counts, self._soft, wanted, strict=True):
            if mine and constraint.key in labels and (constraint.key == HOSTNAME or self._counts_in(constraint, node)):
                counts[labels[constraint.key]] += sign

    def _places(self, node: Object) -> list[tuple[int, str]]:
        """Where a node counts for the constraints that must hold."""
        labels = labels_of(node)
        if not self._hard or not all(constraint.key in labels for constraint, _ in self._hard):
            return []
        return [(i, labels[c.key]) for i, (c, _) in enumerate(self._hard) if self._counts_in(c, node)]

    def _counts_in(self, constraint: Constraint, node: Object) -> bool:
        if constraint.by_affinity and self._selects is not None and not self._selects(node):
            return False
        taints = (node.get("spec") or {}).get("taints") or () if constraint.by_taints else ()
        return not untolerated(taints, self._pod["spec"].get("tolerations") or (), NO_SCHEDULE, NO_EXECUTE)

    def stamp(self, keys: Collection[str]) -> Hashable:
        return tuple(self._least(index) for index, (one, _) in enumerate(self._hard) if one.key in keys)

    def _least(self, index: int) -> int:
        few = len(self._counts[index]) < self._hard[index][0].domains
        return 0 if few else min(self._levels[index], default=2**31)

    def rejects(self, labels: Mapping[str, str], keys: Collection[str]) -> Rejection | None:
        for index, (constraint, mine) in enumerate(self._hard):
            if constraint.key not in keys:
                continue
            if constraint.key not in labels:
                return UNLABELLED
            there = self._counts[index].get(labels[constraint.key], 0)
            if there + mine - self._least(index) > constraint.skew:
                return CROWDED
        return None

    def score(self, labels: Mapping[str, str], keys: Collection[str]) -> float:
        total = 0.0
        for counts, constraint, weight in zip(self._soft_counts, self._soft, self._weights, strict=True):
            if constraint.key in keys:
                if constraint.key in labels:
                    total += counts[labels[constraint.key]] * weight + constraint.skew - 1
                elif self._strict:
                    return inf
        return total

    def fitted(self, nodes: Sequence[Mapping[str, str]]) -> bool:
        """A Pod weighs the more the more places there are."""
        before = self._weights
        places = [{labels.get(constraint.key) for labels in nodes} for constraint in self._soft]
        self._weights = [log(len(values) + 2) for values in places]
        return self._weights != before


def _constraint(told: Object) -> Constraint:
    return Constraint(
        told["topologyKey"],
        told["maxSkew"],
        from_label_selector(told.get("labelSelector")),
        told.get("minDomains") or 1,
        told.get("nodeAffinityPolicy", "Honor") == "Honor",
        told.get("nodeTaintsPolicy", "Ignore") == "Honor",
    )
