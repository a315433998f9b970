"""Filter: no Pods for cordoned nodes, but those that tolerate that."""

from __future__ import annotations

from typing import Any

from refkube.api.taints import NO_SCHEDULE, tolerates
from refkube.apimachinery.meta import Object
from refkube.scheduler.framework import Filter, Plugin, Rejection
from refkube.scheduler.snapshot import NODE_ADDED, NODE_TAINTS, Demand, NodeInfo

TAINT = {"key": "node.kubernetes.io/unschedulable", "effect": NO_SCHEDULE}
CORDONED = Rejection(("node(s) were unschedulable",))


class NodeUnschedulable(Plugin):
    name = "NodeUnschedulable"
    wakes = frozenset((NODE_ADDED, NODE_TAINTS))

    def signature(self, pod: Object) -> Any:
        return pod["spec"].get("tolerations")

    def filter(self, pod: Object, demand: Demand) -> Filter | None:
        if any(tolerates(toleration, TAINT) for toleration in pod["spec"].get("tolerations") or ()):
            return None

        def test(info: NodeInfo) -> Rejection | None:
            assert info.node is not None
            return CORDONED if (info.node.get("spec") or {}).get("unschedulable") else None

        return test
