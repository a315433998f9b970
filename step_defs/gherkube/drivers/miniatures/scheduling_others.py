"""Faults that features/scheduling/{company,spreading,preemption}.feature must catch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from refkube.api import affinity
from refkube.api.affinity import PodTerm
from refkube.apimachinery.meta import Object, namespace_of
from refkube.apimachinery.selectors import NOTHING
from refkube.scheduler.framework import Beyond, Candidates, Rejection
from refkube.scheduler.plugins import interpodaffinity, podtopologyspread
from refkube.scheduler.plugins.interpodaffinity import TOO_NEAR, InterPodAffinity
from refkube.scheduler.plugins.podtopologyspread import Constraint, PodTopologySpread
from refkube.scheduler.preemption import Nominations, Outcome, Plan, Preemption, priority_of
from refkube.scheduler.profile import Surroundings
from refkube.scheduler.scheduler import Scheduler
from refkube.scheduler.snapshot import NodeInfo, Placed

from gherkube.drivers.miniatures import miniature

Original = Callable[..., Any]
HOST = "kubernetes.io/hostname"


def with_spec(pod: Object, **fields: Any) -> Object:
    return {**pod, "spec": {**pod["spec"], **fields}}


# Near and away from other Pods


@miniature("Only a node is a place.", caught_by=("company.01", "company.07"), instead_of=affinity._pod_term)
def knows_no_places(original: Original, pod: Object, term: Object, weight: int) -> PodTerm:
    made: PodTerm = original(pod, {**term, "topologyKey": HOST}, weight)
    return made


@miniature("Who runs where is not looked at.", caught_by=("company.02", "company.04", "company.06", "company.07",
           "company.08", "preemption.06"), instead_of=InterPodAffinity.beyond)  # fmt: skip
def overlooks_company(original: Original, *args: Any) -> None:
    return None


@miniature("The first of a company waits for another.", caught_by="company.03", instead_of=interpodaffinity._alone)
def lets_the_first_wait(original: Original, *args: Any) -> bool:
    return False


@miniature("Pods of all namespaces count.",
           caught_by=("company.05#1", "company.05#3"), instead_of=PodTerm.means)  # fmt: skip
def looks_into_all_namespaces(original: Original, self: PodTerm, pod: Object, labels: Any) -> bool:
    return bool(original(self._replace(namespaces=frozenset((namespace_of(pod),))), pod, labels))


@miniature("Other namespaces are never looked into.", caught_by="company.05#2", instead_of=PodTerm.means)
def looks_into_no_other_namespace(original: Original, self: PodTerm, pod: Object, labels: Any) -> bool:
    return bool(original(self._replace(namespace_selector=NOTHING), pod, labels))


@miniature("A Pod that runs has no say in who comes.",
           caught_by="company.08", instead_of=interpodaffinity._Company._count_theirs)  # fmt: skip
def does_not_ask_who_is_there(original: Original, *args: Any) -> None:
    return None


@miniature("Keys of labels to match are overlooked.",
           caught_by=("company.09", "spreading.08"), instead_of=affinity.with_label_keys)  # fmt: skip
def overlooks_label_keys(original: Original, spec: Object, labels: Mapping[str, str]) -> Object:
    return spec


@miniature("Company is preferred where distance is, and the other way round.",
           caught_by="company.10", instead_of=interpodaffinity._Company.score)  # fmt: skip
def prefers_the_opposite(original: Original, *args: Any) -> float:
    return -float(original(*args))


@miniature("Preferred distance is required.", caught_by="company.11", instead_of=interpodaffinity._Company.rejects)
def requires_preferred_distance(
    original: Original, self: Beyond, labels: Mapping[str, str], keys: Collection[str]
) -> Rejection | None:
    return original(self, labels, keys) or (TOO_NEAR if self.score(labels, keys) < 0 else None)


# Spread over places


@miniature("Pods are not spread.", caught_by=("spreading.01", "spreading.02", "spreading.04", "spreading.05#1",
           "spreading.06#3", "spreading.07#1", "spreading.09"), instead_of=PodTopologySpread.beyond)  # fmt: skip
def overlooks_constraints(original: Original, *args: Any) -> None:
    return None


def constrained(**changes: Any) -> Callable[..., Constraint]:
    def made(original: Original, told: Object) -> Constraint:
        new = {key: change(told) for key, change in changes.items()}
        constraint: Constraint = original({**told, **new})
        return constraint

    return made


@miniature("A place may be fuller by one more than the skew.",
           caught_by=("spreading.02#1", "spreading.02#2"), instead_of=podtopologyspread._constraint)  # fmt: skip
def allows_one_more(original: Original, *args: Any) -> Constraint:
    return constrained(maxSkew=lambda told: told["maxSkew"] + 1)(original, *args)


@miniature("A place may be fuller by one less than the skew.",
           caught_by=("spreading.02#1", "spreading.02#2"), instead_of=podtopologyspread._constraint)  # fmt: skip
def allows_one_less(original: Original, *args: Any) -> Constraint:
    return constrained(maxSkew=lambda told: told["maxSkew"] - 1)(original, *args)


@miniature("All Pods count, selected or not.", caught_by="spreading.03", instead_of=podtopologyspread._constraint)
def counts_everybody(original: Original, *args: Any) -> Constraint:
    return constrained(labelSelector=lambda told: {})(original, *args)


@miniature("Too few places are enough.", caught_by="spreading.05#1", instead_of=podtopologyspread._constraint)
def overlooks_missing_places(original: Original, *args: Any) -> Constraint:
    return constrained(minDomains=lambda told: None)(original, *args)


@miniature("Places that the Pod does not select never count.",
           caught_by="spreading.06#3", instead_of=podtopologyspread._constraint)  # fmt: skip
def always_honours_affinity(original: Original, *args: Any) -> Constraint:
    return constrained(nodeAffinityPolicy=lambda told: "Honor")(original, *args)


@miniature("Places that the Pod does not select always count.",
           caught_by=("spreading.06#1", "spreading.06#2"), instead_of=podtopologyspread._constraint)  # fmt: skip
def never_honours_affinity(original: Original, *args: Any) -> Constraint:
    return constrained(nodeAffinityPolicy=lambda told: "Ignore")(original, *args)


@miniature("Places that do not take the Pod always count.",
           caught_by="spreading.07#3", instead_of=podtopologyspread._constraint)  # fmt: skip
def never_honours_taints(original: Original, *args: Any) -> Constraint:
    return constrained(nodeTaintsPolicy=lambda told: "Ignore")(original, *args)


@miniature("Places that do not take the Pod never count.",
           caught_by=("spreading.07#1", "spreading.07#2"), instead_of=podtopologyspread._constraint)  # fmt: skip
def always_honours_taints(original: Original, *args: Any) -> Constraint:
    return constrained(nodeTaintsPolicy=lambda told: "Honor")(original, *args)


@miniature("A constraint always has to hold.", caught_by="spreading.10", instead_of=PodTopologySpread.beyond)
def insists_on_spreading(original: Original, self: PodTopologySpread, pod: Object) -> Beyond | None:
    told = pod["spec"].get("topologySpreadConstraints") or ()
    hard = [{**one, "whenUnsatisfiable": "DoNotSchedule"} for one in told]
    made: Beyond | None = original(self, with_spec(pod, topologySpreadConstraints=hard))
    return made


@miniature("The Pods of a Service are not spread.", caught_by="spreading.11", instead_of=Surroundings.company)
def knows_no_services(original: Original, *args: Any) -> None:
    return None


# Room for Pods of higher priority


@miniature("Nobody is displaced.",
           caught_by=("preemption.01", "preemption.05", "preemption.06", "preemption.07", "preemption.12",
                      "preemption.14"), instead_of=Preemption.find)  # fmt: skip
def displaces_nobody(original: Original, *args: Any) -> Outcome:
    return Outcome(None, "not tried")


@miniature("Pods of the same priority are displaced.", caught_by="preemption.02", instead_of=Preemption._plan)
def displaces_equals(original: Original, self: Preemption, pod: Object, *args: Any) -> Plan | Rejection:
    plan: Plan | Rejection = original(self, with_spec(pod, priority=priority_of(pod) + 1), *args)
    return plan


@miniature("Every policy of preemption is the same.", caught_by="preemption.03", instead_of=Preemption.find)
def overlooks_the_policy(original: Original, self: Preemption, pod: Object, *args: Any) -> Any:
    return original(self, with_spec(pod, preemptionPolicy=None), *args)


@miniature("Pods go even if it does not help.", caught_by="preemption.04", instead_of=Preemption.find)
def displaces_for_nothing(original: Original, self: Preemption, pod: Object, *args: Any) -> Any:
    found = original(self, pod, *args)
    for info in self._snapshot.nodes.values():
        less = [placed for placed in info.pods.values() if priority_of(placed.pod) < priority_of(pod)]
        if found.plan is None and less:
            return Outcome(Plan(info.name, less, 0))
    return found


@miniature("All Pods of lower priority go.",
           caught_by=("preemption.07", "preemption.08"), instead_of=Preemption._plan)  # fmt: skip
def displaces_all(original: Original, self: Preemption, pod: Object, candidates: Candidates, info: NodeInfo) -> Any:
    plan = original(self, pod, candidates, info)
    less = [placed for placed in info.pods.values() if priority_of(placed.pod) < priority_of(pod)]
    return plan._replace(victims=less) if isinstance(plan, Plan) else plan


@miniature("The most important Pods go first.", caught_by="preemption.08", instead_of=Preemption._importance)
def spares_the_least_important(original: Original, self: Preemption, placed: Placed) -> tuple[float, float]:
    priority, started = original(self, placed)
    return -priority, started


@miniature("The node where the fewest go is chosen first of all.",
           caught_by=("preemption.09", "preemption.11"), instead_of=Preemption._harm)  # fmt: skip
def counts_victims_first(original: Original, self: Preemption, plan: Plan) -> tuple[float, ...]:
    return len(plan.victims), *original(self, plan)


@miniature("The node where most go is chosen.", caught_by="preemption.10", instead_of=Preemption._harm)
def displaces_many(original: Original, self: Preemption, plan: Plan) -> tuple[float, ...]:
    return (-len(plan.victims),)


@miniature("Disruption budgets are not looked at.", caught_by="preemption.11", instead_of=Preemption._protected)
def overlooks_budgets(original: Original, self: Preemption, pods: Iterable[Placed]) -> list[Placed]:
    return []


@miniature("Displaced Pods go at once.",
           caught_by=("preemption.12", "preemption.13", "preemption.14"), instead_of=Scheduler._evict)  # fmt: skip
def grants_no_grace(original: Original, self: Scheduler, victim: Object, why: str) -> None:
    self._client.delete("pods", victim["metadata"]["name"], namespace_of(victim), grace_period=0)


@miniature("Displaced Pods are not told why.", caught_by="preemption.12", instead_of=Scheduler._evict)
def does_not_say_why(original: Original, self: Scheduler, victim: Object, why: str) -> None:
    self._client.delete("pods", victim["metadata"]["name"], namespace_of(victim))


@miniature("The nominated node is kept secret.", caught_by=("preemption.12", "preemption.13"),
           instead_of=Scheduler._explain)  # fmt: skip
def nominates_in_secret(original: Original, self: Scheduler, pod: Object, why: str, node: str | None) -> None:
    original(self, pod, why, None)


@miniature("The room that is made is anybody's.", caught_by="preemption.14", instead_of=Nominations.before)
def gives_the_room_away(original: Original, *args: Any) -> list[Placed]:
    return []
