"""Filter and score: near or away from other Pods, as this Pod asks for it and as those that run ask for it of this one.

Nodes are near each other if they share the value of the label that a term names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Mapping
from typing import Any

from refkube.api.affinity import NO_TERMS, PodTerm, pod_terms
from refkube.apimachinery.meta import Object, labels_of, namespace_of
from refkube.scheduler.framework import Beyond, Plugin, Rejection
from refkube.scheduler.snapshot import NAMESPACE, NODE_ADDED, NODE_LABELS, POD_ADDED, POD_REMOVED, Placed, Snapshot

Labels = Callable[[str], Mapping[str, str]]  # of a namespace

APART = Rejection(("node(s) didn't match pod affinity rules",))
TOO_NEAR = Rejection(("node(s) didn't match pod anti-affinity rules",), final=False)
UNWELCOME = Rejection(("node(s) didn't satisfy existing pods anti-affinity rules",), final=False)
REQUIRED = 1  # what it counts for this Pod's score that one which runs requires it near (hardPodAffinityWeight)


class InterPodAffinity(Plugin):
    name = "InterPodAffinity"
    wakes = frozenset((NODE_ADDED, NODE_LABELS, POD_ADDED, POD_REMOVED, NAMESPACE))
    weight = 2

    def __init__(self, snapshot: Snapshot, labels_of_namespace: Labels):
        self._snapshot = snapshot
        self._labels = labels_of_namespace

    @staticmethod
    def scale(low: float, high: float) -> float:
        return 100.0 / (high - low) if high > low else 0.0

    def signature(self, pod: Object) -> Any:
        if pod_terms(pod) is NO_TERMS and not self._snapshot.with_terms:
            return None
        namespace = namespace_of(pod)
        return namespace, labels_of(pod), pod["spec"].get("affinity"), self._labels(namespace)

    def helped_by(self, pod: Object, other: Object) -> bool:
        return any(term.means(other, self._labels) for term in pod_terms(pod).required)

    def beyond(self, pod: Object) -> Beyond | None:
        terms = pod_terms(pod)
        return (
            None if terms is NO_TERMS and not self._snapshot.with_terms else _Company(pod, self._snapshot, self._labels)
        )


class _Company(Beyond):
    scores = True

    def __init__(self, pod: Object, snapshot: Snapshot, labels: Labels):
        self._pod = pod
        self._terms = pod_terms(pod)
        self._snapshot = snapshot
        self._labels = labels
        self._alone_is_fine = _alone(pod, self._terms.required, labels)
        self.begin()

    def begin(self) -> None:
        self._wanted: Counter[tuple[str, str]] = Counter()
        self._avoided: Counter[tuple[str, str]] = Counter()
        self._avoiding: Counter[tuple[str, str]] = Counter()
        self._liked: Counter[tuple[str, str]] = Counter()
        self._uses = Counter(term.key for part in self._terms for term in part)
        self.keys = frozenset(self._uses)
        known = self._snapshot.with_terms if self._terms is NO_TERMS else self._snapshot.placed
        for placed in known.values():
            info = self._snapshot.nodes.get(placed.node)
            if info is not None and info.node is not None:
                self.count(placed, info.node, 1)

    def count(self, placed: Placed, node: Object, sign: int) -> None:
        labels, mine, other = labels_of(node), self._terms, placed.pod
        if mine.required and all(term.means(other, self._labels) for term in mine.required):
            _note(self._wanted, mine.required, labels, sign)
        _note(self._avoided, [t for t in mine.required_anti if t.means(other, self._labels)], labels, sign)
        for term in mine.preferred:
            if term.means(other, self._labels):
                _note(self._liked, (term,), labels, sign * term.weight)
        if placed.terms is not NO_TERMS:
            self._count_theirs(placed, labels, sign)

    def _count_theirs(self, placed: Placed, labels: Mapping[str, str], sign: int) -> None:
        theirs = placed.terms
        meant = [[term for term in part if term.means(self._pod, self._labels)] for part in theirs]
        for term in meant[0]:
            _note(self._liked, (term,), labels, sign * REQUIRED)
        _note(self._avoiding, meant[1], labels, sign)
        for term in meant[2]:
            _note(self._liked, (term,), labels, sign * term.weight)
        for term in (term for part in meant for term in part):
            self._uses[term.key] += sign
            if self._uses[term.key] == (sign > 0):
                self.keys = frozenset(key for key, count in self._uses.items() if count)

    def stamp(self, keys: Collection[str]) -> Hashable:
        return not self._wanted if any(term.key in keys for term in self._terms.required) else None

    def rejects(self, labels: Mapping[str, str], keys: Collection[str]) -> Rejection | None:
        for term in self._terms.required:
            if term.key in keys:
                value = labels.get(term.key)
                if value is None:
                    return APART
                if self._wanted[term.key, value] <= 0 and not (self._alone_is_fine and not self._wanted):
                    return APART
        anti = {term.key for term in self._terms.required_anti if term.key in keys and term.key in labels}
        if any(self._avoided[key, labels[key]] > 0 for key in anti):
            return TOO_NEAR
        if self._avoiding and any(self._avoiding[key, labels[key]] > 0 for key in keys if key in labels):
            return UNWELCOME
        return None

    def score(self, labels: Mapping[str, str], keys: Collection[str]) -> float:
        return float(sum(self._liked[key, labels[key]] for key in keys if key in labels)) if self._liked else 0.0


def _alone(pod: Object, required: Collection[PodTerm], labels: Labels) -> bool:
    """May it be the first of its kind, whose company others seek?"""
    return bool(required) and all(term.means(pod, labels) for term in required)


def _note(counts: Counter[tuple[str, str]], terms: Collection[PodTerm], labels: Mapping[str, str], amount: int) -> None:
    for term in terms:
        if term.key in labels:
            pair = term.key, labels[term.key]
            counts[pair] += amount
            if not counts[pair]:
                del counts[pair]
