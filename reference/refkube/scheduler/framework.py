"""How plugins decide together, once for all Pods that ask for the same.

Pods of one class (the plugins look at nothing in which they differ) share a list of the nodes, best first. Binding one
of them changes one node, so the next costs one look at that node and not one at every node.
"""

from __future__ import annotations

import heapq
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from refkube.apimachinery.meta import Object
from refkube.scheduler.snapshot import Demand, NodeInfo, Snapshot, demand_of

CLASSES = 128  # remembered

Filter = Callable[[NodeInfo], Sequence[str]]
Score = Callable[[NodeInfo], float]


class Plugin:
    """A filter or a score or both. It may look at the parts of a Pod that are in its `signature`, and at NodeInfos."""

    name = ""
    wakes: frozenset[str] = frozenset()  # what happens to nodes that may make a Pod fit which it has rejected
    weight = 1
    relative = 0  # 1: scores count relative to the highest of all nodes, -1: so do they and the highest is the worst

    def signature(self, pod: Object) -> Any:
        """What it looks at, as JSON; None if nothing."""
        return None

    def filter(self, pod: Object, demand: Demand) -> Filter | None:
        """Tells why such a Pod cannot run on a node, if it cannot; None if it can anywhere."""
        return None

    def score(self, pod: Object, demand: Demand) -> Score | None:
        """0 to 100, unless it is relative; None if nodes do not differ."""
        return None


class Candidates:
    """The nodes for one class of Pods."""

    def __init__(self, plugins: Sequence[Plugin], pod: Object, snapshot: Snapshot, chance: Callable[[], float]):
        self.demand = demand_of(pod["spec"])
        self._snapshot = snapshot
        self._chance = chance
        self._filters = [(p, test) for p in plugins if (test := p.filter(pod, self.demand)) is not None]
        self._scores = [(p, score) for p in plugins if (score := p.score(pod, self.demand)) is not None]
        self._rejected: dict[str, tuple[Plugin, Sequence[str]]] = {}
        self._highest: dict[Plugin, float] = {}
        self._heap: list[tuple[float, float, int, str]] = []
        self._entries: dict[str, int] = {}  # the one that counts of each node
        self._count = 0
        self._seen = -1

    def best(self) -> str | None:
        """The name of the node that such a Pod is to run on, None if there is none. Chance decides among equals."""
        self._catch_up()
        heap = self._heap
        while heap:
            entry = heap[0]
            if self._entries.get(entry[3]) == entry[2]:
                return entry[3]
            heapq.heappop(heap)
        return None

    @property
    def rejecters(self) -> frozenset[Plugin]:
        return frozenset(plugin for plugin, _ in self._rejected.values())

    def explain(self) -> str:
        """Why there is none, as upstream's FitError."""
        total = len(self._snapshot.nodes)
        if not total:
            return "no nodes available to schedule pods"
        counts = Counter(reason for _, reasons in self._rejected.values() for reason in reasons)
        reasons = ", ".join(sorted(f"{count} {reason}" for reason, count in counts.items()))
        return f"0/{total} nodes are available: {reasons}."

    def _catch_up(self) -> None:
        changed = self._snapshot.changed_since(self._seen) if self._seen >= 0 else None
        if changed is None or len(self._heap) > 3 * len(self._snapshot.nodes) + 16:
            self._rebuild()
        else:
            self._seen = self._snapshot.version
            for name in changed:
                self._look_at(name)

    def _rebuild(self) -> None:
        self._seen = self._snapshot.version
        self._heap.clear()
        self._entries.clear()
        self._rejected.clear()
        nodes = self._snapshot.nodes
        fitting = [name for name, info in nodes.items() if not self._rejects(info)]
        for plugin, score in self._scores:
            if plugin.relative:
                self._highest[plugin] = max((score(nodes[name]) for name in fitting), default=0.0)
        for name in fitting:
            self._enter(nodes[name])

    def _look_at(self, name: str) -> None:
        info = self._snapshot.nodes.get(name)
        self._entries.pop(name, None)
        self._rejected.pop(name, None)
        if info is not None and not self._rejects(info):
            self._enter(info)

    def _rejects(self, info: NodeInfo) -> bool:
        for plugin, test in self._filters:
            reasons = test(info)
            if reasons:
                self._rejected[info.name] = (plugin, reasons)
                return True
        return False

    def _enter(self, info: NodeInfo) -> None:
        total = 0.0
        for plugin, score in self._scores:
            value = score(info)
            if plugin.relative:
                highest = self._highest.get(plugin, 0.0)
                if value > highest:
                    highest = self._highest[plugin] = value
                    self._seen = -1  # the others' scores were relative to less
                value = 100.0 * value / highest if highest else 0.0
                value = value if plugin.relative > 0 else 100.0 - value
            total += plugin.weight * value
        self._count += 1
        self._entries[info.name] = self._count
        heapq.heappush(self._heap, (-total, self._chance(), self._count, info.name))


class Framework:
    """The plugins, and the classes of Pods seen lately."""

    def __init__(self, plugins: Sequence[Plugin], snapshot: Snapshot, chance: Callable[[], float]):
        self.plugins = plugins
        self._snapshot = snapshot
        self._chance = chance
        self._classes: OrderedDict[bytes, Candidates] = OrderedDict()

    def candidates(self, pod: Object) -> Candidates:
        key = orjson.dumps([plugin.signature(pod) for plugin in self.plugins])
        found = self._classes.get(key)
        if found is None:
            found = self._classes[key] = Candidates(self.plugins, pod, self._snapshot, self._chance)
            if len(self._classes) > CLASSES:
                self._classes.popitem(last=False)
        else:
            self._classes.move_to_end(key)
        return found
