"""Faults that features/scheduling/{requests,placement,waiting,claims}.feature must catch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

from refkube.api import affinity, fit, taints
from refkube.api.taints import NO_SCHEDULE, PREFER_NO_SCHEDULE, untolerated
from refkube.apimachinery.meta import Object, is_terminating, uid_of
from refkube.apimachinery.selectors import Requirement
from refkube.client.events import EventRecorder
from refkube.registry.subresources import Binding
from refkube.scheduler import framework, scheduler
from refkube.scheduler.framework import Filter, Plugin, Rejection, Score
from refkube.scheduler.plugins import nodeports, volumebinding
from refkube.scheduler.plugins.imagelocality import ImageLocality
from refkube.scheduler.plugins.nodeaffinity import NodeAffinity
from refkube.scheduler.plugins.nodeports import NodePorts
from refkube.scheduler.plugins.noderesources import NodeResourcesBalancedAllocation, NodeResourcesFit
from refkube.scheduler.plugins.taints import TaintToleration
from refkube.scheduler.plugins.unschedulable import NodeUnschedulable
from refkube.scheduler.plugins.volumebinding import VolumeBinding
from refkube.scheduler.plugins.volumerestrictions import VolumeRestrictions
from refkube.scheduler.plugins.volumezone import VolumeZone
from refkube.scheduler.queue import SchedulingQueue
from refkube.scheduler.scheduler import Scheduler
from refkube.scheduler.snapshot import (
    NODE_ADDED,
    NODE_ALLOCATABLE,
    NODE_LABELS,
    NODE_TAINTS,
    POD_ADDED,
    POD_REMOVED,
    STORAGE,
    Demand,
    NodeInfo,
    Snapshot,
)

from gherkube.drivers.miniatures import exchanged, miniature

Original = Callable[..., Any]
NO_NODE = Rejection(("node(s) are not good enough",))


def reversed_score(original: Original, self: Plugin, pod: Object, demand: Demand) -> Score | None:
    score = original(self, pod, demand)
    return None if score is None else lambda info: -score(info)


def with_spec(pod: Object, **fields: Any) -> Object:
    return {**pod, "spec": {**pod["spec"], **fields}}


# What a Pod asks for


@miniature("A node is never filled to the last.",
           caught_by=("requests.01", "requests.05#1", "requests.10#1", "requests.11#1", "requests.12#1"),
           instead_of=NodeResourcesFit.filter)  # fmt: skip
def leaves_something_over(original: Original, self: Plugin, pod: Object, demand: Demand) -> Filter:
    more = {name: amount and amount + 1 for name, amount in demand.requests.items()}
    return original(self, pod, demand._replace(requests=more))


@miniature("A node takes whatever it is asked for.",
           caught_by=("requests.02", "requests.03", "requests.05#2", "requests.06", "requests.10#2", "requests.17",
                      "waiting.04"), instead_of=NodeResourcesFit.filter)  # fmt: skip
def overlooks_requests(original: Original, self: Plugin, pod: Object, demand: Demand) -> Filter:
    return original(self, pod, demand._replace(requests={}))


@miniature("Pods are not counted.", caught_by=("requests.04", "waiting.05#4"), instead_of=NodeResourcesFit.filter)
def does_not_count_pods(original: Original, self: Plugin, pod: Object, demand: Demand) -> Filter:
    test = original(self, pod, demand)

    def without(info: NodeInfo) -> Rejection | None:
        why = test(info)
        return None if why is not None and why.reasons == ("Too many pods",) else why

    return without


@miniature("A Pod that asks for nothing is taken to ask for a little.",
           caught_by="requests.07", instead_of=NodeResourcesFit.filter)  # fmt: skip
def assumes_a_request(original: Original, self: Plugin, pod: Object, demand: Demand) -> Filter:
    return original(self, pod, demand._replace(requests=demand.assumed))


@miniature("A Pod that is over holds what it had.", caught_by="requests.08", instead_of=scheduler._has_finished)
def counts_finished_pods(original: Original, pod: Object) -> bool:
    return False


@miniature("A Pod on its way out holds nothing.", caught_by="requests.09", instead_of=Snapshot.place)
def forgets_terminating_pods(original: Original, self: Snapshot, pod: Object, *args: Any) -> bool:
    if is_terminating(pod):
        return self.remove(uid_of(pod)) is not None
    return bool(original(self, pod, *args))


@miniature("Init containers are not counted.", caught_by="requests.10#2", instead_of=fit._initial)
def overlooks_init_containers(original: Original, *args: Any) -> None:
    return None


@miniature("Init containers are counted as if they ran together.", caught_by="requests.10#1", instead_of=fit._initial)
def adds_up_init_containers(original: Original, total: Any, containers: list[Object], assumed: Any) -> None:
    for container in containers:
        fit._add(total, fit._of_container(container, assumed))


@miniature("Of the containers only the first is counted.", caught_by="requests.10#3", instead_of=fit.requests_of)
def counts_one_container(original: Original, spec: Object, *args: Any) -> Any:
    return original({**spec, "containers": spec["containers"][:1]}, *args)


@miniature("Sidecars are counted as if they ended.",
           caught_by=("requests.11#2", "requests.11#3"), instead_of=fit._initial)  # fmt: skip
def takes_sidecars_for_init_containers(original: Original, total: Any, containers: list[Object], assumed: Any) -> None:
    original(total, [{**container, "restartPolicy": None} for container in containers], assumed)


@miniature("What the Pod as a whole asks for is overlooked.", caught_by="requests.12#2", instead_of=fit.requests_of)
def overlooks_pod_level_requests(original: Original, spec: Object, *args: Any) -> Any:
    return original({**spec, "resources": {}}, *args)


# Which node is best


@miniature("The fullest node is best.",
           caught_by=("requests.13", "requests.14"), instead_of=NodeResourcesFit.score)  # fmt: skip
def prefers_full_nodes(original: Original, self: Plugin, pod: Object, demand: Demand) -> Score | None:
    return reversed_score(original, self, pod, demand)


@miniature("The most uneven use is best.",
           caught_by="requests.15", instead_of=NodeResourcesBalancedAllocation.score)  # fmt: skip
def prefers_uneven_use(original: Original, self: Plugin, pod: Object, demand: Demand) -> Score | None:
    return reversed_score(original, self, pod, demand)


@miniature("A node without the image is best.", caught_by="requests.16", instead_of=ImageLocality.score)
def prefers_to_pull(original: Original, self: Plugin, pod: Object, demand: Demand) -> Score | None:
    return reversed_score(original, self, pod, demand)


@miniature("A preference counts the less the more it weighs.", caught_by="placement.07", instead_of=NodeAffinity.score)
def turns_weights_round(original: Original, self: Plugin, pod: Object, demand: Demand) -> Score | None:
    return reversed_score(original, self, pod, demand)


@miniature("What is preferred is required.", caught_by="placement.08", instead_of=NodeAffinity.filter)
def requires_what_is_preferred(original: Original, self: Plugin, pod: Object, demand: Demand) -> Filter | None:
    score, test = self.score(pod, demand), original(self, pod, demand)
    if score is None:
        return test
    return lambda info: (test(info) if test else None) or (None if score(info) else NO_NODE)


@miniature("PreferNoSchedule says nothing.", caught_by="placement.09", instead_of=TaintToleration.score)
def overlooks_prefer_no_schedule(original: Original, *args: Any) -> None:
    return None


@miniature("PreferNoSchedule is taken for NoSchedule.", caught_by="placement.10", instead_of=TaintToleration.filter)
def takes_a_preference_for_a_taint(original: Original, self: Plugin, pod: Object, demand: Demand) -> Filter:
    test, tolerations = original(self, pod, demand), pod["spec"].get("tolerations") or ()

    def stricter(info: NodeInfo) -> Rejection | None:
        found = ((info.node or {}).get("spec") or {}).get("taints") or ()
        return test(info) or (NO_NODE if untolerated(found, tolerations, PREFER_NO_SCHEDULE) else None)

    return stricter


# Which nodes a Pod selects


@miniature("One label of the selector is overlooked.", caught_by="placement.01", instead_of=affinity.required_test)
def overlooks_a_label(original: Original, spec: Object) -> Any:
    selector = spec.get("nodeSelector") or {}
    return original({**spec, "nodeSelector": dict([*selector.items()][:1] + [*selector.items()][2:])})


@miniature("Node selector and affinity are not looked at.",
           caught_by=("placement.02", "waiting.05#5", "waiting.07"), instead_of=NodeAffinity.filter)  # fmt: skip
def takes_any_node(original: Original, *args: Any) -> None:
    return None


@miniature("Where there is an affinity the selector is overlooked.",
           caught_by="placement.06", instead_of=affinity.required_test)  # fmt: skip
def overlooks_the_selector(original: Original, spec: Object) -> Any:
    return original({**spec, "nodeSelector": None} if spec.get("affinity") else spec)


@miniature("Operators are taken for their opposites.", caught_by="placement.03", instead_of=affinity._requirement)
def turns_operators_round(original: Original, expression: Object) -> Requirement:
    pairs = {"In": "NotIn", "Exists": "DoesNotExist", "Gt": "Lt"}
    opposites = {**pairs, **{other: one for one, other in pairs.items()}}
    turned: Requirement = original({**expression, "operator": opposites[expression["operator"]]})
    return turned


@miniature("All terms must hold.", caught_by="placement.04#1", instead_of=affinity.required_test)
def demands_every_term(original: Original, spec: Object) -> Any:
    wanted = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    terms = (wanted.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get("nodeSelectorTerms") or ()
    rest, tests = original({**spec, "affinity": None}), [affinity.term_test(term) for term in terms]
    return lambda node: (rest is None or rest(node)) and all(test(node) for test in tests)


@miniature("One expression of a term is enough.", caught_by="placement.04#2", instead_of=affinity._all)
def is_content_with_one_expression(
    original: Original, requirements: Iterable[Requirement], labels: Mapping[str, str]
) -> bool:
    told = [requirement.matches(labels) for requirement in requirements]
    return any(told) or not told


@miniature("Fields of nodes cannot be selected.", caught_by="placement.05", instead_of=affinity.term_test)
def overlooks_fields(original: Original, term: Object) -> Any:
    return original({**term, "matchFields": None})


# Taints, cordons, ports


@miniature("Taints are not looked at.", caught_by=("placement.11", "placement.13", "placement.14", "waiting.05#6"),
           instead_of=TaintToleration.filter)  # fmt: skip
def overlooks_taints(original: Original, *args: Any) -> None:
    return None


@miniature("NoExecute lets new Pods in.", caught_by="placement.11#2", instead_of=TaintToleration.filter)
def lets_pods_in_to_be_evicted(original: Original, self: Plugin, pod: Object, demand: Demand) -> Filter:
    tolerations = pod["spec"].get("tolerations") or ()

    def test(info: NodeInfo) -> Rejection | None:
        found = ((info.node or {}).get("spec") or {}).get("taints") or ()
        return NO_NODE if untolerated(found, tolerations, NO_SCHEDULE) else None

    return test


@miniature("A toleration must say everything.", caught_by=("placement.12#2", "placement.12#3", "placement.12#4"),
           instead_of=taints.tolerates)  # fmt: skip
def wants_complete_tolerations(original: Original, toleration: Object, taint: Object) -> bool:
    return all(toleration.get(field) for field in ("key", "value", "effect")) and bool(original(toleration, taint))


@miniature("A toleration by value is none.", caught_by=("placement.12#1", "placement.12#2"),
           instead_of=taints.tolerates)  # fmt: skip
def tolerates_by_existence_only(original: Original, toleration: Object, taint: Object) -> bool:
    plain = toleration.get("operator") != "Exists" and taint["key"] == "gpu"
    return not plain and bool(original(toleration, taint))


@miniature("A toleration's value is not compared.", caught_by="placement.13#1", instead_of=taints.tolerates)
def overlooks_values(original: Original, toleration: Object, taint: Object) -> bool:
    return bool(original({**toleration, "operator": "Exists"}, taint))


@miniature("A toleration's key is not compared.", caught_by="placement.13#2", instead_of=taints.tolerates)
def overlooks_keys(original: Original, toleration: Object, taint: Object) -> bool:
    return bool(original({**toleration, "key": taint["key"]}, taint))


@miniature("A toleration's effect is not compared.", caught_by="placement.13#3", instead_of=taints.tolerates)
def overlooks_effects(original: Original, toleration: Object, taint: Object) -> bool:
    return bool(original({**toleration, "effect": ""}, taint))


@miniature("A cordon keeps nobody off.", caught_by=("placement.15", "waiting.09"))
def overlooks_cordons() -> Iterator[None]:
    key = "node.kubernetes.io/unschedulable"

    def tolerates(original: Original, toleration: Object, taint: Object) -> bool:
        return taint["key"] == key or bool(original(toleration, taint))

    def test(original: Original, *args: Any) -> None:
        return None

    with exchanged(taints.tolerates, tolerates), exchanged(NodeUnschedulable.filter, test):
        yield


@miniature("Ports of a node are given to anybody.",
           caught_by=("placement.16#1", "placement.16#2", "placement.17", "waiting.05#7"),
           instead_of=NodePorts.filter)  # fmt: skip
def overlooks_ports(original: Original, *args: Any) -> None:
    return None


@miniature("A port is taken at every address.", caught_by="placement.16#3", instead_of=nodeports._clash)
def overlooks_addresses(original: Original, a: Any, b: Any) -> bool:
    return bool(a[1:] == b[1:])


@miniature("One port of a node is all there is.", caught_by="placement.16#4", instead_of=nodeports._clash)
def overlooks_numbers(original: Original, a: Any, b: Any) -> bool:
    return bool(a[1] == b[1])


@miniature("A port is taken for every protocol.", caught_by="placement.16#5", instead_of=nodeports._clash)
def overlooks_protocols(original: Original, a: Any, b: Any) -> bool:
    return bool(a[2] == b[2])


# Binding, and waiting for it


@miniature("A bound Pod is not said to be scheduled.", caught_by="waiting.01", instead_of=Binding._scheduled)
def keeps_the_condition_to_itself(original: Original, self: Binding, pod: Object) -> Object:
    return pod.get("status") or {}


@miniature("The scheduler writes no Events.",
           caught_by=("waiting.02", "waiting.06", "preemption.15"), instead_of=EventRecorder.event)  # fmt: skip
def tells_nobody(original: Original, self: EventRecorder, about: Object, *args: Any, **more: Any) -> None:
    if self._source["component"] != "default-scheduler":
        original(self, about, *args, **more)


@miniature("The scheduler serves every Pod.", caught_by="waiting.03", instead_of=Scheduler._is_waiting)
def serves_everybody(original: Original, self: Scheduler, pod: Object) -> bool:
    return bool(original(self, with_spec(pod, schedulerName=self.name)))


@miniature("A Pod that fits nowhere is not told why.",
           caught_by=("waiting.04", "placement.02", "claims.01"), instead_of=Scheduler._explain)  # fmt: skip
def says_nothing(original: Original, *args: Any) -> None:
    return None


@miniature("A Pod that fits nowhere is told that, and no more.", caught_by="waiting.05", instead_of=framework.explain)
def gives_no_reasons(original: Original, rejections: Any, total: int, absent: str = "") -> str:
    return f"0/{total} nodes are available."


def deaf_to(event: str) -> Callable[..., None]:
    def wake(original: Original, self: SchedulingQueue, told: str, *args: Any, **more: Any) -> None:
        if told != event:
            original(self, told, *args, **more)

    return wake


@miniature("A new node wakes nobody.", caught_by="waiting.07", instead_of=SchedulingQueue.wake)
def overlooks_new_nodes(original: Original, self: SchedulingQueue, *args: Any, **more: Any) -> None:
    deaf_to(NODE_ADDED)(original, self, *args, **more)


@miniature("New labels of a node wake nobody.", caught_by="waiting.08", instead_of=SchedulingQueue.wake)
def overlooks_new_labels(original: Original, self: SchedulingQueue, *args: Any, **more: Any) -> None:
    deaf_to(NODE_LABELS)(original, self, *args, **more)


@miniature("A node without its taint wakes nobody.", caught_by="waiting.09", instead_of=SchedulingQueue.wake)
def overlooks_untainted_nodes(original: Original, self: SchedulingQueue, *args: Any, **more: Any) -> None:
    deaf_to(NODE_TAINTS)(original, self, *args, **more)


@miniature("A node that has more to give wakes nobody.", caught_by="waiting.10", instead_of=SchedulingQueue.wake)
def overlooks_growing_nodes(original: Original, self: SchedulingQueue, *args: Any, **more: Any) -> None:
    deaf_to(NODE_ALLOCATABLE)(original, self, *args, **more)


@miniature("A Pod that goes wakes nobody.",
           caught_by=("waiting.11", "preemption.13"), instead_of=SchedulingQueue.wake)  # fmt: skip
def overlooks_leaving_pods(original: Original, self: SchedulingQueue, *args: Any, **more: Any) -> None:
    deaf_to(POD_REMOVED)(original, self, *args, **more)


@miniature("A Pod that comes wakes nobody.", caught_by="waiting.12", instead_of=SchedulingQueue.wake)
def overlooks_coming_pods(original: Original, self: SchedulingQueue, *args: Any, **more: Any) -> None:
    deaf_to(POD_ADDED)(original, self, *args, **more)


@miniature("A volume that comes wakes nobody.", caught_by="claims.08", instead_of=SchedulingQueue.wake)
def overlooks_new_volumes(original: Original, self: SchedulingQueue, *args: Any, **more: Any) -> None:
    deaf_to(STORAGE)(original, self, *args, **more)


@miniature("A Pod is looked at as it was created.",
           caught_by=("waiting.13", "waiting.15"), instead_of=Scheduler._pod_updated)  # fmt: skip
def keeps_the_first_look(original: Original, self: Scheduler, old: Object, new: Object) -> None:
    if new["spec"].get("nodeName"):
        original(self, old, new)


@miniature("Gates hold nobody back.", caught_by=("waiting.14", "waiting.16"))
def overlooks_gates() -> Iterator[None]:
    def is_waiting(original: Original, self: Scheduler, pod: Object) -> bool:
        return bool(original(self, with_spec(pod, schedulingGates=None)))

    def refuse(original: Original, self: Binding, pod: Object, *args: Any) -> None:
        original(self, with_spec(pod, schedulingGates=None), *args)

    with exchanged(Scheduler._is_waiting, is_waiting), exchanged(Binding._refuse_unbindable, refuse):
        yield


# Volumes


@miniature("Claims keep nobody waiting, bound or not.", caught_by=("claims.01", "claims.02"))
def overlooks_claims() -> Iterator[None]:
    def nothing(original: Original, *args: Any) -> None:
        return None

    def done(original: Original, *args: Any) -> bool:
        return True

    faults = ((VolumeBinding.refuse, nothing), (VolumeBinding.filter, nothing), (VolumeBinding.prepare, done))
    with ExitStack() as planted:
        for right, wrong in faults:
            planted.enter_context(exchanged(right, wrong))
        yield


@miniature("Every volume can be reached from everywhere.",
           caught_by=("claims.03", "claims.06", "claims.07"), instead_of=volumebinding.within_reach)  # fmt: skip
def reaches_everywhere(original: Original, *args: Any) -> bool:
    return True


@miniature("A volume's zone says nothing.", caught_by="claims.04", instead_of=VolumeZone.filter)
def overlooks_zones(original: Original, *args: Any) -> None:
    return None


@miniature("A claim for one Pod has as many as come.", caught_by="claims.05", instead_of=VolumeRestrictions.beyond)
def shares_what_is_one_pods(original: Original, *args: Any) -> None:
    return None


@miniature("A Pod is bound before its volumes are.",
           caught_by=("claims.06", "claims.09"), instead_of=VolumeBinding.prepare)  # fmt: skip
def does_not_wait_for_volumes(original: Original, *args: Any) -> bool:
    return True
