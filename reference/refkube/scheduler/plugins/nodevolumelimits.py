"""Filter: no more volumes on a node than its CSI drivers can attach there, as its CSINode says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from refkube.apimachinery.meta import Object
from refkube.client.informer import Informer
from refkube.scheduler.framework import Filter, Plugin, Rejection
from refkube.scheduler.snapshot import NODE_ADDED, POD_REMOVED, STORAGE, Demand, NodeInfo

FULL = Rejection(("node(s) exceed max volume count",), final=False)
Attached = Iterable[tuple[str, str]]  # driver, what is the same volume


class NodeVolumeLimits(Plugin):
    """`attached(pod)` gives what has to be attached for a Pod."""

    name = "NodeVolumeLimits"
    wakes = frozenset((NODE_ADDED, POD_REMOVED, STORAGE))

    def __init__(self, csi_nodes: Informer, attached: Callable[[Object], Attached]):
        self._csi_nodes = csi_nodes
        self._attached = attached

    def filter(self, pod: Object, demand: Demand) -> Filter | None:
        wanted = set(self._attached(pod))
        if not wanted:
            return None

        def test(info: NodeInfo) -> Rejection | None:
            limits = self._limits(info.name)
            if not limits:
                return None
            there = {volume for placed in info.pods.values() for volume in self._attached(placed.pod)}
            had, more = Counter(driver for driver, _ in there), Counter(driver for driver, _ in wanted - there)
            full = any(driver in limits and had[driver] + count > limits[driver] for driver, count in more.items())
            return FULL if full else None

        return test

    def _limits(self, node: str) -> dict[str, int]:
        drivers = ((self._csi_nodes.get(node) or {}).get("spec") or {}).get("drivers") or ()
        counts = ((driver["name"], (driver.get("allocatable") or {}).get("count")) for driver in drivers)
        return {name: count for name, count in counts if count is not None}
