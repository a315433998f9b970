"""How plugins decide together, once for all Pods that ask for the same.

Pods of one class (the plugins look at nothing in which they differ) share a list of the nodes, best first. Binding one
of them changes one node, so the next costs one look at that node and not one at every node. What depends on the Pods of
several nodes is counted (`Beyond`): by a label that each node has for itself it concerns one node, else the nodes that
have one value of it are a group, looked at once. Source: pkg/scheduler/framework, schedule_one.go.
"""

from __future__ import annotations

import heapq
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from math import inf
from typing import Any, NamedTuple

import orjson

from refkube.apimachinery.meta import Object
from refkube.scheduler.snapshot import Change, Demand, NodeInfo, Placed, Snapshot, demand_of

CLASSES = 128  # remembered
SMALL = 100  # nodes up to which all are looked at, and what is relative to the others is always exact
TOLERATED = 0.12  # of a scale, before the nodes of a larger cluster are put in order anew
MORE = 16  # nodes that a class has not seen yet, looked at with every Pod
ONCE = object()  # a signature: the Pod is a class of its own


class Rejection(NamedTuple):
    reasons: tuple[str, ...]
    final: bool = True  # also if Pods leave the node (UnschedulableAndUnresolvable)


Filter = Callable[[NodeInfo], Rejection | None]
Score = Callable[[NodeInfo], float]
Scale = Callable[[float, float], float]  # of the lowest and the highest score: what one point is worth


class Beyond:
    """What a class makes of the Pods on all nodes. `keys` are the labels of nodes by which it counts them."""

    keys: frozenset[str] = frozenset()
    scores = False

    def begin(self) -> None:
        """Count what is there."""

    def count(self, placed: Placed, node: Object, sign: int) -> None:
        """A Pod has come to a node (1) or left it (-1)."""

    def stamp(self, keys: Collection[str]) -> Hashable:
        """What it tells of all nodes as far as `keys` matter; they are looked at anew when that changes."""
        return None

    def rejects(self, labels: Mapping[str, str], keys: Collection[str]) -> Rejection | None:
        """Nodes of these labels, as far as it depends on `keys`."""
        return None

    def score(self, labels: Mapping[str, str], keys: Collection[str]) -> float:
        """Infinite for nodes that come after all others."""
        return 0.0

    def fitted(self, nodes: Sequence[Mapping[str, str]]) -> bool:
        """Told the labels of the nodes that fit; True if scores are others now."""
        return False


class Plugin:
    """A filter or a score or both. It may look at the parts of a Pod that are in its `signature`, and at NodeInfos."""

    name = ""
    wakes: frozenset[str] = frozenset()  # what happens that may make a Pod fit which it has rejected
    weight = 1
    scale: Scale | None = None  # None: scores are 0 to 100

    def signature(self, pod: Object) -> Any:
        """What it looks at, as JSON; None if nothing; or ONCE."""
        return None

    def refuse(self, pod: Object) -> str:
        """Why such a Pod can run nowhere, whatever the nodes; empty if it may."""
        return ""

    def filter(self, pod: Object, demand: Demand) -> Filter | None:
        """Tells why such a Pod cannot run on a node, if it cannot; None if it can anywhere."""
        return None

    def score(self, pod: Object, demand: Demand) -> Score | None:
        """None if nodes do not differ."""
        return None

    def beyond(self, pod: Object) -> Beyond | None:
        return None

    def helped_by(self, pod: Object, other: Object) -> bool:
        """May a Pod that it has rejected fit now that another one runs?"""
        return True

    def prepare(self, pod: Object, node: Object) -> bool:
        """Called until it is True for a Pod that is to be bound to the node; raises a StatusError to try elsewhere."""
        return True


class Candidate:
    """A node that fits."""

    __slots__ = ("base", "chance", "group", "near", "number")

    def __init__(self, base: float, near: list[float], chance: float, group: Group):
        self.base = base  # of what needs no comparison
        self.near = near
        self.chance = chance
        self.group = group
        self.number = 0  # of the entry that counts


class Group:
    """Nodes that are one place as far as the Pods of other nodes matter."""

    __slots__ = ("far", "heap", "high", "labels", "low", "rejection")

    def __init__(self, labels: Mapping[str, str], scores: int):
        self.labels = labels
        self.heap: list[tuple[float, float, int, str]] = []
        self.far = [0.0] * scores
        self.low, self.high = [inf] * scores, [-inf] * scores
        self.rejection: tuple[Plugin, Rejection] | None = None


class Candidates:
    """The nodes for one class of Pods."""

    def __init__(self, plugins: Sequence[Plugin], pod: Object, snapshot: Snapshot, chance: Callable[[], float]):
        self.demand = demand_of(pod["spec"])
        self._snapshot = snapshot
        self._chance = chance
        self._filters = [(p, test) for p in plugins if (test := p.filter(pod, self.demand)) is not None]
        scores = [(p, score) for p in plugins if (score := p.score(pod, self.demand)) is not None]
        self._absolute = [(p.weight, score) for p, score in scores if p.scale is None]
        self._beyond = [(p, beyond) for p in plugins if (beyond := p.beyond(pod)) is not None]
        self._relative: list[tuple[Plugin, Score | Beyond]] = [one for one in scores if one[0].scale is not None]
        self._relative += [(p, beyond) for p, beyond in self._beyond if beyond.scores]
        self._scales = [0.0] * len(self._relative)
        self._rejected: dict[str, tuple[Plugin, Rejection]] = {}
        self._fitting: dict[str, Candidate] = {}
        self._groups: dict[tuple[str | None, ...], Group] = {}
        self._unseen: list[str] = []
        self._near: frozenset[str] = frozenset()
        self._far: tuple[str, ...] = ()
        self._stamps: list[Hashable] = []
        self._refused: dict[str, tuple[Plugin, Rejection]] = {}
        self._count = self._start = 0
        self._epoch = self._seen = -1

    # Choosing

    def best(self, accept: Callable[[str], tuple[Plugin, Rejection] | None] | None = None) -> str | None:
        """The name of the node that such a Pod is to run on, None if there is none that `accept` does not reject.
        Chance decides among equals."""
        self._catch_up()
        held: list[tuple[Group, tuple[float, float, int, str]]] = []
        refused: dict[str, tuple[Plugin, Rejection]] = {}
        try:
            while True:
                group = self._leading()
                if group is None:
                    if not self._see(MORE * MORE):
                        return None
                    continue
                name = group.heap[0][3]
                rejection = accept(name) if accept else None
                if rejection is None:
                    self._see(MORE)
                    return name
                refused[name] = rejection
                held.append((group, heapq.heappop(group.heap)))
        finally:
            self._refused = refused
            for group, entry in held:
                heapq.heappush(group.heap, entry)

    def rejection(self, info: NodeInfo) -> tuple[Plugin, Rejection] | None:
        """Why such a Pod cannot run on a node, as that is now."""
        labels = info.labels
        tests = ((p, test(info)) for p, test in self._filters)
        others = ((p, beyond.rejects(labels, beyond.keys)) for p, beyond in self._beyond)
        return next(((p, why) for each in (tests, others) for p, why in each if why is not None), None)

    def count(self, placed: Placed, node: Object, sign: int) -> None:
        """Suppose that a Pod came or left; whoever calls it takes it back."""
        for _, beyond in self._beyond:
            beyond.count(placed, node, sign)

    def rejections(self) -> dict[str, tuple[Plugin, Rejection]]:
        """Why each node was not chosen, after `best` has found none."""
        far = {name: why for name, it in self._fitting.items() if (why := it.group.rejection) is not None}
        return {**self._rejected, **far, **self._refused}

    def may_fit(self, plugins: Collection[Plugin], name: str) -> bool:
        """Would one of the plugins no longer reject the node, as far as that depends on it alone?"""
        info = self._snapshot.nodes.get(name)
        tests = dict(self._filters)
        return info is not None and any(plugin not in tests or tests[plugin](info) is None for plugin in plugins)

    def _leading(self) -> Group | None:
        best, found = (inf, inf), None
        self._weigh()
        for group in self._groups.values():
            heap = group.heap
            while heap and ((it := self._fitting.get(heap[0][3])) is None or it.number != heap[0][2]):
                heapq.heappop(heap)
            if not heap or group.rejection is not None:
                continue
            rank = (heap[0][0] - self._total(group.far), heap[0][1])
            if found is None or rank < best:
                best, found = rank, group
        return found

    # Keeping up

    def _catch_up(self) -> None:
        snapshot = self._snapshot
        changes = snapshot.changes_since(self._seen) if self._seen >= 0 else None
        if changes is None or (self._beyond and self._epoch != snapshot.epoch):
            self._begin()
            return
        self._seen = snapshot.version
        if self._beyond:
            self._count_all(changes)
            if self._stamps != self._stamps_now():
                self._rebuild()
                return
        for name in dict.fromkeys(change.node for change in changes):
            self._look_at(name)
        if len(snapshot.nodes) <= SMALL and self._fitted():
            self._compare()
            return
        if self._count > 3 * len(snapshot.nodes) + 16:
            self._order()
        self._look_afar()

    def _count_all(self, changes: Iterable[Change]) -> None:
        for name, placed, sign in changes:
            info = self._snapshot.nodes.get(name) if placed is not None else None
            if placed is not None and info is not None and info.node is not None:
                self.count(placed, info.node, sign)

    def _begin(self) -> None:
        self._epoch, self._seen = self._snapshot.epoch, self._snapshot.version
        for _, beyond in self._beyond:
            beyond.begin()
        self._rebuild()

    def _rebuild(self) -> None:
        nodes = self._snapshot.nodes
        self._split({key for _, beyond in self._beyond for key in beyond.keys})
        self._stamps = self._stamps_now()
        self._rejected.clear()
        self._fitting.clear()
        self._groups.clear()
        names = list(nodes)
        turn = self._start % len(names) if names else 0
        self._unseen = [*names[turn:], *names[:turn]][::-1]
        self._see(len(names), _enough(len(names)))
        self._start += len(self._rejected) + len(self._fitting)
        self._fitted()
        self._compare()

    def _compare(self) -> None:
        """Score anew what depends on the Pods of other nodes, and put the nodes in order."""
        nodes, near = self._snapshot.nodes, self._near
        beyond = [(i, one) for i, (_, one) in enumerate(self._relative) if isinstance(one, Beyond)]
        for name, it in self._fitting.items():
            for index, one in beyond:
                it.near[index] = one.score(nodes[name].labels, near)
        self._look_afar()
        self._scales = self._scales_now()
        self._order()

    def _fitted(self) -> bool:
        labels = [self._snapshot.nodes[name].labels for name in self._fitting] if self._beyond else []
        return any(beyond.fitted(labels) for _, beyond in self._beyond if beyond.scores)

    def _stamps_now(self) -> list[Hashable]:
        return [(beyond.keys, beyond.stamp(self._near)) for _, beyond in self._beyond]

    def _split(self, keys: set[str]) -> None:
        """Labels that no two nodes share concern one node each, others group them."""
        labels = [info.labels for info in self._snapshot.nodes.values()] if keys else []
        values = {key: [each[key] for each in labels if key in each] for key in keys}
        self._near = frozenset(key for key in keys if len(set(values[key])) == len(values[key]))
        self._far = tuple(sorted(keys - self._near))

    def _see(self, count: int, enough: float = inf) -> bool:
        """Look at some that were not looked at yet, until `enough` fit; False if there are none left."""
        unseen = self._unseen
        if not unseen:
            return False
        for _ in range(min(count, len(unseen))):
            if len(self._fitting) >= enough:
                break
            self._look_at(unseen.pop())
        self._look_afar()
        return True

    def _look_at(self, name: str) -> None:
        info = self._snapshot.nodes.get(name)
        self._fitting.pop(name, None)
        self._rejected.pop(name, None)
        if info is not None and not self._rejects(info):
            labels = info.labels if self._far else {}
            key = tuple(labels.get(far) for far in self._far)
            group = self._groups.get(key)
            if group is None:
                group = self._groups[key] = Group(info.labels, len(self._relative))
            near = [
                one.score(info.labels, self._near) if isinstance(one, Beyond) else one(info)
                for _, one in self._relative
            ]
            base = sum(weight * score(info) for weight, score in self._absolute)
            self._enter(name, Candidate(base, near, self._chance(), group))

    def _rejects(self, info: NodeInfo) -> bool:
        for plugin, test in self._filters:
            rejection = test(info)
            if rejection is not None:
                self._rejected[info.name] = plugin, rejection
                return True
        for plugin, beyond in self._beyond:
            rejection = beyond.rejects(info.labels, self._near) if beyond.keys & self._near else None
            if rejection is not None:
                self._rejected[info.name] = plugin, rejection
                return True
        return False

    def _enter(self, name: str, it: Candidate) -> None:
        group = it.group
        for index, value in enumerate(it.near):
            if value < inf:
                group.low[index] = min(group.low[index], value)
                group.high[index] = max(group.high[index], value)
        self._count += 1
        it.number = self._count
        self._fitting[name] = it
        heapq.heappush(group.heap, (-it.base - self._total(it.near), it.chance, it.number, name))

    def _look_afar(self) -> None:
        """What holds for all nodes of a group."""
        for group in self._groups.values() if self._beyond else ():
            far = ((plugin, beyond.rejects(group.labels, self._far)) for plugin, beyond in self._beyond)
            group.rejection = next(((plugin, why) for plugin, why in far if why is not None), None)
            group.far = [
                one.score(group.labels, self._far) if isinstance(one, Beyond) else 0.0 for _, one in self._relative
            ]

    # Scores that are relative to those of the other nodes

    def _total(self, values: Sequence[float]) -> float:
        total = 0.0
        for (plugin, _), scale, value in zip(self._relative, self._scales, values, strict=True):
            total += plugin.weight * (scale * value if value < inf else -200.0)
        return total

    def _order(self) -> None:
        self._count = 0
        for group in self._groups.values():
            group.heap.clear()
            group.low, group.high = [inf] * len(self._relative), [-inf] * len(self._relative)
        for name, it in list(self._fitting.items()):
            self._enter(name, it)

    def _weigh(self) -> None:
        """Put the nodes in order anew if one point is worth something else than it was."""
        if not self._relative:
            return
        scales = self._scales_now()
        allowed = 0.0 if len(self._snapshot.nodes) <= SMALL else TOLERATED
        if any(abs(new - old) > allowed * abs(old) for new, old in zip(scales, self._scales, strict=True)):
            self._scales = scales
            self._order()

    def _scales_now(self) -> list[float]:
        return [self._scale(index, plugin.scale) for index, (plugin, _) in enumerate(self._relative) if plugin.scale]

    def _scale(self, index: int, scale: Scale) -> float:
        if len(self._snapshot.nodes) <= SMALL:
            alive = [it for it in self._fitting.values() if it.group.rejection is None]
            values = [it.near[index] + it.group.far[index] for it in alive]
        else:
            groups = [group for group in self._groups.values() if group.rejection is None]
            values = [bound[index] + group.far[index] for group in groups for bound in (group.low, group.high)]
        values = [value for value in values if abs(value) < inf]
        return scale(min(values), max(values)) if values else 0.0


class Framework:
    """The plugins, and the classes of Pods seen lately."""

    def __init__(self, plugins: Sequence[Plugin], snapshot: Snapshot, chance: Callable[[], float]):
        self.plugins = plugins
        self._snapshot = snapshot
        self._chance = chance
        self._classes: OrderedDict[bytes, Candidates] = OrderedDict()

    def refusal(self, pod: Object) -> tuple[Plugin, str] | None:
        return next(((plugin, why) for plugin in self.plugins if (why := plugin.refuse(pod))), None)

    def candidates(self, pod: Object) -> Candidates:
        signatures = [plugin.signature(pod) for plugin in self.plugins]
        if ONCE in signatures:
            return Candidates(self.plugins, pod, self._snapshot, self._chance)
        key = orjson.dumps(signatures)
        found = self._classes.get(key)
        if found is None:
            found = self._classes[key] = Candidates(self.plugins, pod, self._snapshot, self._chance)
            if len(self._classes) > CLASSES:
                self._classes.popitem(last=False)
        else:
            self._classes.move_to_end(key)
        return found


def explain(rejections: Iterable[Rejection], total: int, absent: str = "") -> str:
    """Why no node will do, as upstream's FitError; `absent` is said of the nodes that nothing is told of."""
    told = list(rejections)
    counts = Counter(reason for rejection in told for reason in rejection.reasons)
    if absent and len(told) < total:
        counts[absent] += total - len(told)
    reasons = ", ".join(sorted(f"{count} {reason}" for reason, count in counts.items()))
    return f"0/{total} nodes are available: {reasons}."


def _enough(nodes: int) -> float:
    """Of how many that fit a class chooses at first, more with every Pod (numFeasibleNodesToFind)."""
    return nodes if nodes < SMALL else max(SMALL, nodes * max(5, 50 - nodes // 125) // 100)
