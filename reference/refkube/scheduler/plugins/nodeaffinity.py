"""Filter and score: the nodes that a Pod selects by nodeSelector and node affinity, and those it prefers."""

from __future__ import annotations

from typing import Any

from refkube.api.affinity import named_nodes, required_test, term_test
from refkube.apimachinery.meta import Object
from refkube.scheduler.framework import Filter, Plugin, Rejection, Score
from refkube.scheduler.snapshot import NODE_ADDED, NODE_LABELS, Demand, NodeInfo

UNWANTED = Rejection(("node(s) didn't match Pod's node affinity/selector",))
NOT_NAMED = Rejection(("node(s) didn't satisfy plugin(s) [NodeAffinity]",))


class NodeAffinity(Plugin):
    name = "NodeAffinity"
    wakes = frozenset((NODE_ADDED, NODE_LABELS))
    weight = 2

    @staticmethod
    def scale(low: float, high: float) -> float:
        return 100.0 / high if high else 0.0

    def signature(self, pod: Object) -> Any:
        spec = pod["spec"]
        return spec.get("nodeSelector"), (spec.get("affinity") or {}).get("nodeAffinity")

    def filter(self, pod: Object, demand: Demand) -> Filter | None:
        wanted = required_test(pod["spec"])
        if wanted is None:
            return None

        named = named_nodes(pod["spec"])

        def test(info: NodeInfo) -> Rejection | None:
            assert info.node is not None
            if named is not None and info.name not in named:
                return NOT_NAMED
            return None if wanted(info.node) else UNWANTED

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
