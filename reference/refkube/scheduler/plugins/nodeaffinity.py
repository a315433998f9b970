"""Filter and score: the nodes that a Pod selects by nodeSelector and node affinity, and those it prefers."""

from __future__ import annotations

from typing import Any

from refkube.api.affinity import required_test, term_test
from refkube.apimachinery.meta import Object
from refkube.scheduler.framework import Filter, Plugin, Score
from refkube.scheduler.snapshot import NODE_ADDED, NODE_LABELS, Demand, NodeInfo


class NodeAffinity(Plugin):
    name = "NodeAffinity"
    wakes = frozenset((NODE_ADDED, NODE_LABELS))
    weight = 2
    relative = 1

    def signature(self, pod: Object) -> Any:
        spec = pod["spec"]
        return spec.get("nodeSelector"), (spec.get("affinity") or {}).get("nodeAffinity")

    def filter(self, pod: Object, demand: Demand) -> Filter | None:
        wanted = required_test(pod["spec"])
        if wanted is None:
            return None

        def test(info: NodeInfo) -> tuple[str, ...]:
            assert info.node is not None
            return () if wanted(info.node) else ("node(s) didn't match Pod's node affinity/selector",)

        return test

    def score(self, pod: Object, demand: Demand) -> Score | None:
        affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
        preferred = affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        terms = [(one["weight"], term_test(one["preference"])) for one in preferred if one.get("weight")]
        if not terms:
            return None

        def score(info: NodeInfo) -> float:
            assert info.node is not None
            return float(sum(weight for weight, holds in terms if holds(info.node)))

        return score
