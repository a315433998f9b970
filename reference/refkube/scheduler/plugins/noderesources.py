"""Filter: what is requested must be there. Scores: the emptier node first, and the one used evenly."""

from __future__ import annotations

from typing import Any

from refkube.api.fit import Amounts
from refkube.apimachinery.meta import Object
from refkube.scheduler.framework import Filter, Plugin, Rejection, Score
from refkube.scheduler.snapshot import NODE_ADDED, NODE_ALLOCATABLE, POD_REMOVED, Demand, NodeInfo

SCORED = ("cpu", "memory")


def _signature(pod: Object) -> Any:
    spec = pod["spec"]
    parts = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    asked = [((part.get("resources") or {}).get("requests"), part.get("restartPolicy")) for part in parts]
    own = (spec.get("resources") or {}).get("requests")
    return len(spec.get("initContainers") or ()), asked, own, spec.get("overhead")


class NodeResourcesFit(Plugin):
    name = "NodeResourcesFit"
    wakes = frozenset((NODE_ADDED, NODE_ALLOCATABLE, POD_REMOVED))

    def signature(self, pod: Object) -> Any:
        return _signature(pod)

    def filter(self, pod: Object, demand: Demand) -> Filter:
        wanted = [(name, amount) for name, amount in demand.requests.items() if amount]

        def test(info: NodeInfo) -> Rejection | None:
            has, taken = info.allocatable, info.requested
            short = ["Too many pods"] if len(info.pods) + 1 > has.get("pods", 0) else []
            final = False
            for name, amount in wanted:
                if amount > has.get(name, 0) - taken[name]:
                    short.append(f"Insufficient {name}")
                    final |= amount > has.get(name, 0)
            return Rejection(tuple(short), final) if short else None

        return test

    def score(self, pod: Object, demand: Demand) -> Score:
        """LeastAllocated: the share that stays free, on average."""

        def score(info: NodeInfo) -> float:
            shares = _shares(info, info.assumed, demand.assumed)
            return 100.0 * sum(max(0.0, 1.0 - share) for share in shares) / len(shares) if shares else 0.0

        return score


class NodeResourcesBalancedAllocation(Plugin):
    name = "NodeResourcesBalancedAllocation"

    def signature(self, pod: Object) -> Any:
        return None  # the filter's

    def score(self, pod: Object, demand: Demand) -> Score | None:
        """Whether CPU and memory are used more alike with the Pod than they are without."""
        if not any(demand.requests.get(name) for name in SCORED):
            return None

        def score(info: NodeInfo) -> float:
            return 75.0 + (_evenness(info, demand.requests) - _evenness(info, {})) / 2.0

        return score


def _evenness(info: NodeInfo, wanted: Amounts) -> float:
    """100 if CPU and memory are used alike: half the distance of two shares is their standard deviation."""
    shares = [min(1.0, share) for share in _shares(info, info.requested, wanted)]
    return 100.0 * (1.0 - abs(shares[0] - shares[1]) / 2.0) if len(shares) == 2 else 100.0


def _shares(info: NodeInfo, taken: Amounts, wanted: Amounts) -> list[float]:
    """Of CPU and memory, how much would be used with the Pod."""
    has = info.allocatable
    return [(taken.get(name, 0) + wanted.get(name, 0)) / has[name] for name in SCORED if has.get(name)]
