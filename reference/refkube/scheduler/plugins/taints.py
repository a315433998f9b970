"""Filter and score: taints that a Pod does not tolerate keep it off a node, or make others preferable."""

from __future__ import annotations

from typing import Any

from refkube.api.taints import NO_EXECUTE, NO_SCHEDULE, PREFER_NO_SCHEDULE, untolerated
from refkube.apimachinery.meta import Object
from refkube.scheduler.framework import Filter, Plugin, Rejection, Score
from refkube.scheduler.snapshot import NODE_ADDED, NODE_TAINTS, Demand, NodeInfo

KEPT_OFF = Rejection(("node(s) had untolerated taint(s)",))


class TaintToleration(Plugin):
    name = "TaintToleration"
    wakes = frozenset((NODE_ADDED, NODE_TAINTS))
    weight = 3

    @staticmethod
    def scale(low: float, high: float) -> float:
        return -100.0 / high if high else 0.0

    def signature(self, pod: Object) -> Any:
        return pod["spec"].get("tolerations")

    def filter(self, pod: Object, demand: Demand) -> Filter:
        tolerations = pod["spec"].get("tolerations") or ()

        def test(info: NodeInfo) -> Rejection | None:
            taints = _taints(info)
            return KEPT_OFF if taints and untolerated(taints, tolerations, NO_SCHEDULE, NO_EXECUTE) else None

        return test

    def score(self, pod: Object, demand: Demand) -> Score:
        given = pod["spec"].get("tolerations") or ()
        tolerations = [one for one in given if one.get("effect", "") in ("", PREFER_NO_SCHEDULE)]
        return lambda info: float(len(untolerated(_taints(info), tolerations, PREFER_NO_SCHEDULE)))


def _taints(info: NodeInfo) -> list[Object]:
    assert info.node is not None
    return (info.node.get("spec") or {}).get("taints") or []
