"""Who has to go so that a more important Pod can run: the least that will do, on the node where it hurts least.

Only decides; the scheduler acts. Source: pkg/scheduler/framework/preemption, plugins/defaultpreemption.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from refkube.apimachinery.meta import (
    Object,
    condition_of,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
)
from refkube.apimachinery.selectors import Selector, from_label_selector
from refkube.scheduler.framework import Candidates, Plugin, Rejection, explain
from refkube.scheduler.snapshot import NodeInfo, Placed, Snapshot

PERCENT, LEAST = 10, 100  # how many nodes are enough to choose from
NO_VICTIMS = Rejection(("No preemption victims found for incoming pod",))
BY_SCHEDULER = "PreemptionByScheduler"


class Plan(NamedTuple):
    node: str
    victims: list[Placed]  # the most important first
    violations: int  # of disruption budgets


class Outcome(NamedTuple):
    """What is to be done for a Pod, or why nothing is; `hopeless` if it has no node to hope for any more."""

    plan: Plan | None
    why: str = ""
    hopeless: bool = False


class Nominations:
    """Pods that wait for others to leave the node which they are to have."""

    def __init__(self) -> None:
        self._by_node: dict[str, dict[str, Placed]] = {}
        self._nodes: dict[str, str] = {}

    def put(self, placed: Placed) -> None:
        uid = placed.pod["metadata"]["uid"]
        self.drop(uid)
        self._nodes[uid] = placed.node
        self._by_node.setdefault(placed.node, {})[uid] = placed

    def drop(self, uid: str) -> None:
        node = self._nodes.pop(uid, None)
        if node is not None:
            del self._by_node[node][uid]
            if not self._by_node[node]:
                del self._by_node[node]

    def node_of(self, uid: str) -> str:
        return self._nodes.get(uid, "")

    def before(self, pod: Object, node: str) -> list[Placed]:
        """Those on the node that have to be reckoned with when the Pod is to run there."""
        others = self._by_node.get(node, {}).values()
        uid = pod["metadata"]["uid"]
        return [p for p in others if p.pod["metadata"]["uid"] != uid and priority_of(p.pod) >= priority_of(pod)]

    def after(self, pod: Object, node: str) -> list[Object]:
        """Those on the node that are less important."""
        return [p.pod for p in self._by_node.get(node, {}).values() if priority_of(p.pod) < priority_of(pod)]


class Trial:
    """A node with Pods more or less, for as long as the `with` block lasts."""

    def __init__(self, candidates: Candidates, info: NodeInfo):
        self.info = info.copy()
        self._candidates = candidates
        self._moves: list[tuple[Placed, int]] = []

    def __enter__(self) -> Trial:
        return self

    def __exit__(self, *error: object) -> None:
        for placed, sign in reversed(self._moves):
            self._count(placed, -sign)

    def move(self, placed: Placed, sign: int) -> None:
        self.info.add(placed, sign)
        self._moves.append((placed, sign))
        self._count(placed, sign)

    def _count(self, placed: Placed, sign: int) -> None:
        assert self.info.node is not None
        self._candidates.count(placed, self.info.node, sign)

    def rejection(self, nominated: Sequence[Placed]) -> tuple[Plugin, Rejection] | None:
        """Whether the Pods that are to come come or not."""
        for placed in nominated:
            self.move(placed, 1)
        why = self._candidates.rejection(self.info)
        for placed in nominated:
            self.move(placed, -1)
        return why or (self._candidates.rejection(self.info) if nominated else None)


class Preemption:
    def __init__(
        self,
        snapshot: Snapshot,
        nominations: Nominations,
        budgets: Mapping[str, Object],
        chance: Callable[[], float],
        now: Callable[[], float],
    ):
        self._snapshot = snapshot
        self._nominations = nominations
        self._budgets = budgets
        self._chance = chance
        self._now = now

    def find(self, pod: Object, candidates: Candidates, why: Mapping[str, Rejection]) -> Outcome:
        """For a Pod that no node takes, for the reasons given by node."""
        if pod["spec"].get("preemptionPolicy") == "Never":
            return Outcome(None, "not eligible due to preemptionPolicy=Never.")
        if self._is_being_made_room_for(pod, why):
            return Outcome(None, "not eligible due to a terminating pod on the nominated node.")
        nodes = [name for name, rejection in why.items() if not rejection.final]
        turn = int(self._chance() * len(nodes))
        enough = min(len(nodes), max(LEAST, len(nodes) * PERCENT // 100))
        plans: list[Plan] = []
        failed: list[Rejection] = []
        for name in [*nodes[turn:], *nodes[:turn]]:
            plan = self._plan(pod, candidates, self._snapshot.nodes[name])
            (plans if isinstance(plan, Plan) else failed).append(plan)  # type: ignore[arg-type]
            if len(plans) >= enough and any(not one.violations for one in plans):
                break
        if plans:
            return Outcome(min(plans, key=self._harm))
        unhelpful = explain(failed, len(self._snapshot.nodes), "Preemption is not helpful for scheduling")
        return Outcome(None, unhelpful, hopeless=True)

    def _is_being_made_room_for(self, pod: Object, why: Mapping[str, Rejection]) -> bool:
        node = self._nominations.node_of(pod["metadata"]["uid"])
        info = self._snapshot.nodes.get(node)
        if info is None or (node in why and why[node].final):
            return False
        return any(
            priority_of(placed.pod) < priority_of(pod) and _is_preempted(placed.pod) for placed in info.pods.values()
        )

    def _plan(self, pod: Object, candidates: Candidates, info: NodeInfo) -> Plan | Rejection:
        """Without all that matter less; then back with the most important of them, as long as there is room
        (SelectVictimsOnNode)."""
        less = [placed for placed in info.pods.values() if priority_of(placed.pod) < priority_of(pod)]
        if not less:
            return NO_VICTIMS
        nominated = self._nominations.before(pod, info.name)
        with Trial(candidates, info) as trial:
            for placed in less:
                trial.move(placed, -1)
            found = trial.rejection(nominated)
            if found is not None:
                return found[1]
            less.sort(key=self._importance)
            victims, violations = [], 0
            protected = self._protected(less)
            for placed in [*protected, *(one for one in less if one not in protected)]:
                trial.move(placed, 1)
                if trial.rejection(nominated) is not None:
                    trial.move(placed, -1)
                    victims.append(placed)
                    violations += placed in protected
        return Plan(info.name, sorted(victims, key=self._importance), violations)

    def _protected(self, pods: Iterable[Placed]) -> list[Placed]:
        """Whose eviction their disruption budgets do not allow, when all go in this order."""
        budgets = [(one, _selector(one)) for one in self._budgets.values()]
        allowed = [(one.get("status") or {}).get("disruptionsAllowed", 0) for one, _ in budgets]
        found = []
        for placed in pods:
            violated = False
            for index, (budget, selector) in enumerate(budgets):
                if _covers(budget, selector, placed.pod):
                    allowed[index] -= 1
                    violated |= allowed[index] < 0
            if violated:
                found.append(placed)
        return found

    def _harm(self, plan: Plan) -> tuple[float, ...]:
        """The less of it the better (pickOneNodeForPreemption)."""
        priorities = [priority_of(placed.pod) for placed in plan.victims]
        highest = max(priorities)
        first = min(self._started(p.pod) for p in plan.victims if priority_of(p.pod) == highest)
        return plan.violations, highest, sum(one + 2**31 for one in priorities), len(priorities), -first

    def _importance(self, placed: Placed) -> tuple[float, float]:
        return -priority_of(placed.pod), self._started(placed.pod)

    def _started(self, pod: Object) -> float:
        since = (pod.get("status") or {}).get("startTime")
        return datetime.fromisoformat(since).timestamp() if since else self._now()


def priority_of(pod: Object) -> int:
    return int(pod["spec"].get("priority") or 0)


def _is_preempted(pod: Object) -> bool:
    condition = condition_of(pod, "DisruptionTarget")
    told = condition is not None and (condition["status"], condition.get("reason")) == ("True", BY_SCHEDULER)
    return is_terminating(pod) and told


def _selector(budget: Object) -> Selector:
    return from_label_selector(budget["spec"].get("selector"))


def _covers(budget: Object, selector: Selector, pod: Object) -> bool:
    if namespace_of(budget) != namespace_of(pod) or selector.empty or not labels_of(pod):
        return False
    disrupted = (budget.get("status") or {}).get("disruptedPods") or {}
    return selector.matches(labels_of(pod)) and name_of(pod) not in disrupted
