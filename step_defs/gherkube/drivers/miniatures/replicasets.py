"""Faults that the features of ReplicaSets and their kin must catch: who is counted, made, removed, adopted, let go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from refkube.api import validation
from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object, is_terminating, labels_of, name_of, namespace_of, uid_of, with_metadata
from refkube.apimachinery.owners import controller_of, new_controller_ref, owners_of
from refkube.apimachinery.rest import Request
from refkube.apimachinery.selectors import Selector, from_label_selector, from_map
from refkube.controllers import replicaset
from refkube.controllers.common import claims, pods
from refkube.controllers.common.claims import Dependents
from refkube.controllers.common.pod_control import PodControl, pod_from_template, slow_start
from refkube.controllers.common.pods import Tallies, Tally, is_terminal
from refkube.controllers.replicaset import Failure, ReplicaSetController
from refkube.controllers.replication import ReplicationController
from refkube.registry.storage import Storage
from refkube.registry.subresources import Scale

from gherkube.drivers.miniatures import Miniature, miniature
from gherkube.drivers.miniatures.validation import unjudged

Original = Callable[..., Any]
Class = tuple[Any, ...]

SCALED_OUT = ("replicasets.01", "replicasets.05#1", "replicationcontrollers.01", "replicationcontrollers.02#1")
SCALED_IN = ("replicasets.05#2", "replicasets.05#4", "replicationcontrollers.02#2", "surplus.01", "adoption.08")
_REPLACED = ("replicasets.08", "replicasets.09", "replicasets.10", "replicationcontrollers.03")
REPLACED = (*_REPLACED, "statefulsets.02")
_ADOPTED = ("adoption.01", "adoption.02", "adoption.03", "adoption.06", "replicationcontrollers.04")
ADOPTED = (*_ADOPTED, "deployments.18", "deployments.19", "statefulsets.05")
RELEASED = ("adoption.07", "replicationcontrollers.05")


# How many


@miniature("One Pod fewer is made than is missing.", caught_by=SCALED_OUT, instead_of=slow_start)
def makes_one_too_few(original: Original, count: int, call: Callable[[], object]) -> tuple[int, Failure]:
    return original(count - 1, call)


@miniature("Nothing is ever too much.", caught_by=SCALED_IN, instead_of=ReplicaSetController._delete)
def never_scales_in(original: Original, self: ReplicaSetController, key: str, obj: Object, surplus: int) -> Failure:
    return None


@miniature(
    "One Pod always remains.",
    caught_by=("replicasets.05#4", "replicationcontrollers.02#3", "adoption.02"),
    instead_of=ReplicaSetController._delete,
)
def keeps_the_last(original: Original, self: ReplicaSetController, key: str, obj: Object, surplus: int) -> Failure:
    return original(self, key, obj, surplus - 1) if not obj["spec"]["replicas"] else original(self, key, obj, surplus)


@miniature(
    "A new number is not there at once.", caught_by=("replicasets.06", "deployments.11#1"), instead_of=Scale.write
)
def forgets_scales(original: Original, self: Scale, storage: Storage, request: Request, obj: Object, *rest: Any) -> Any:
    old = storage.get(request.namespace, request.name).value
    return original(self, storage, request, {**obj, "spec": {"replicas": old["spec"]["replicas"]}}, *rest)


unjudged(
    "takes_negative_numbers",
    "A ReplicaSet may ask for fewer Pods than none.",
    "replicasets.07",
    ("ReplicaSet",),
    r"spec\.replicas",
    validation.validate_update,
)


@miniature("Nobody hears of Pods that are deleted.", caught_by=REPLACED, instead_of=Dependents._deleted)
def overlooks_deletions(original: Original, self: Dependents, obj: Object) -> None:
    return None


@miniature("A Pod on its way out counts until it is gone.",
           caught_by=("replicasets.10", "replicasets.24", "counting.03"), instead_of=Tallies._count_of)  # fmt: skip
def counts_pods_to_their_end(original: Original, self: Tallies, pod: Object) -> Any:
    meta = {field: value for field, value in pod["metadata"].items() if field != "deletionTimestamp"}
    return original(self, {**pod, "metadata": meta})


@miniature("A Pod that has failed counts.",
           caught_by=("replicasets.11", "counting.04"), instead_of=Tallies._count_of)  # fmt: skip
def counts_failed_pods(original: Original, self: Tallies, pod: Object) -> Any:
    return original(self, {**pod, "status": {**(pod.get("status") or {}), "phase": "Running"}})


@miniature("A Pod that has failed is removed.", caught_by="replicasets.11", instead_of=ReplicaSetController._reconcile)
def removes_failed_pods(original: Original, self: ReplicaSetController, key: str) -> None:
    original(self, key)
    replica_set = self._sets.get(key)
    if replica_set is None:
        return
    for pod in list(self._pods.of(replica_set)):
        if is_terminal(pod):
            self._control.delete(pod, replica_set)


@miniature("A ReplicaSet on its way out makes Pods.",
           caught_by="replicasets.04", instead_of=ReplicaSetController._reconcile)  # fmt: skip
def makes_pods_to_the_end(original: Original, self: ReplicaSetController, key: str) -> None:
    original(self, key)
    replica_set = self._sets.get(key)
    if replica_set is not None and is_terminating(replica_set) and self._expectations.satisfied(key):
        missing = replica_set["spec"]["replicas"] - self._tallies.of(uid_of(replica_set)).active
        if missing > 0:
            self._create(key, replica_set, missing)


_tallies: list[Tallies] = []


@miniature(
    "All Pods that ReplicaSets and ReplicationControllers have count for each of them.",
    caught_by=("adoption.04", "counting.02", "replicationcontrollers.06"),
    instead_of=Tallies.of,
)
def counts_whatever_is_there(original: Original, self: Tallies, owner_uid: str) -> Tally:
    if self not in _tallies:
        _tallies.append(self)
    own, tally = original(self, owner_uid), Tally()
    for field in Tally.__slots__:
        setattr(tally, field, getattr(own, field))
    tally.active = sum(one.active for tallies in _tallies for one in tallies._tallies.values())
    return tally


@miniature("Pods are looked for in every namespace.", caught_by="counting.01", instead_of=Dependents.orphans)
def adopts_in_every_namespace(original: Original, self: Dependents, owner: Object) -> Iterable[Object]:
    return [pod for pod in self.informer.items.values() if controller_of(pod) is None]


@miniature("Expressions of a selector are not looked at.", caught_by="counting.05", instead_of=from_label_selector)
def overlooks_expressions(original: Original, selector: Object | None) -> Selector:
    return original({**(selector or {}), "matchExpressions": []})


# What the Pods look like


@miniature("The annotations of a template are lost.", caught_by="replicasets.02", instead_of=pod_from_template)
def loses_annotations(original: Original, template: Object, owner: Object, reference: Object) -> Object:
    return with_metadata(original(template, owner, reference), annotations=None)


@miniature("A Pod does not hold back the end of its controller.",
           caught_by=("replicasets.02", "adoption.01"), instead_of=new_controller_ref)  # fmt: skip
def blocks_no_deletion(original: Original, owner: Object, api_version: str, kind: str) -> Object:
    return {**original(owner, api_version, kind), "blockOwnerDeletion": False}


@miniature("A ReplicaSet exchanges Pods of an older template.",
           caught_by="replicasets.12", instead_of=ReplicaSetController._reconcile)  # fmt: skip
def rolls_replica_sets_out(original: Original, self: ReplicaSetController, key: str) -> None:
    original(self, key)
    replica_set = self._sets.get(key)
    if replica_set is None:
        return
    for pod in list(self._pods.of(replica_set)):
        image = replica_set["spec"]["template"]["spec"]["containers"][0]["image"]
        if pod["spec"]["containers"][0]["image"] != image and not is_terminating(pod):
            self._control.delete(pod, replica_set)


@miniature("The first template of a ReplicaSet remains.",
           caught_by="replicasets.13", instead_of=ReplicaSetController._create)  # fmt: skip
def keeps_the_first_template(
    original: Original, self: ReplicaSetController, key: str, replica_set: Object, missing: int
) -> Failure:
    template = vars(self).setdefault("first", {}).setdefault(key, replica_set["spec"]["template"])
    return original(self, key, {**replica_set, "spec": {**replica_set["spec"], "template": template}}, missing)


@miniature("Nobody is told of Pods that are made.", caught_by="replicasets.03", instead_of=PodControl.create)
def makes_pods_in_silence(original: Original, self: PodControl, pod: Object, owner: Object) -> Object:
    return self._client.create("pods", pod)


@miniature("Nobody is told of Pods that are removed.", caught_by="surplus.10", instead_of=PodControl.delete)
def removes_pods_in_silence(original: Original, self: PodControl, pod: Object, owner: Object) -> None:
    self._client.delete("pods", name_of(pod), namespace_of(pod), uid=uid_of(pod))


# The status


@miniature(
    "What has been ready stays so.", caught_by=("replicasets.16", "statefulsets.22"), instead_of=pods.ready_since
)
def never_forgets_readiness(original: Original, pod: Object) -> str | None:
    since = original(pod)
    if since is not None:
        _ready_once.add(uid_of(pod))
    return "" if since is None and uid_of(pod) in _ready_once else since


_ready_once: set[str] = set()


@miniature("Pods are looked at when they come and when they go.",
           caught_by=("replicasets.15", "adoption.02"), instead_of=Dependents._updated)  # fmt: skip
def looks_at_no_changes(original: Original, self: Dependents, old: Object, new: Object) -> None:
    if is_terminating(new):
        original(self, old, new)


@miniature(
    "What is ready is available.",
    caught_by=("replicasets.17", "rolling-updates.05", "statefulsets.11", "statefulsets.21"),
    instead_of=pods.unavailable_for,
)
def takes_ready_for_available(
    original: Original, since: str | None, min_ready_seconds: int, now: float
) -> float | None:
    return original(since, 0, now)


@miniature("Nobody looks again when the time has come.", caught_by="replicasets.18", instead_of=Tally.available)
def never_looks_again(original: Original, self: Tally, min_ready_seconds: int, now: float) -> tuple[int, float | None]:
    return original(self, min_ready_seconds, now)[0], None


@miniature("The time to be ready is what was asked for first.",
           caught_by="replicasets.19", instead_of=ReplicaSetController._tell)  # fmt: skip
def keeps_the_first_patience(original: Original, self: ReplicaSetController, key: str, obj: Object, *rest: Any) -> None:
    seconds = vars(self).setdefault("seconds", {}).setdefault(key, obj["spec"].get("minReadySeconds", 0))
    original(self, key, {**obj, "spec": {**obj["spec"], "minReadySeconds": seconds}}, *rest)


@miniature("Every Pod is fully labelled.", caught_by="replicasets.20", instead_of=ReplicaSetController.counts)
def takes_all_for_fully_labelled(
    original: Original, self: ReplicaSetController, replica_set: Object, tally: Tally, available: int
) -> dict[str, int]:
    return {**original(self, replica_set, tally, available), "fullyLabeledReplicas": tally.active}


# Refusals


@miniature("Refusals are not told of.", caught_by="replicasets.21", instead_of=replicaset._conditions)
def tells_of_no_refusals(original: Original, before: list[Object], *rest: Any) -> list[Object]:
    return before


@miniature("A failure is never over.", caught_by="replicasets.22", instead_of=replicaset._conditions)
def never_recovers(original: Original, before: list[Object], failure: Failure, *rest: Any) -> list[Object]:
    return before if failure is None else original(before, failure, *rest)


@miniature("What was refused is not asked for again.",
           caught_by="replicasets.22", instead_of=ReplicaSetController._reconcile)  # fmt: skip
def gives_up(original: Original, self: ReplicaSetController, key: str) -> None:
    try:
        original(self, key)
    except (StatusError, OSError):
        pass


@miniature("One refusal stops the controller.",
           caught_by="replicasets.23", instead_of=ReplicaSetController._reconcile)  # fmt: skip
def stops_at_a_refusal(original: Original, self: ReplicaSetController, key: str) -> None:
    if vars(self).get("stuck") not in (None, key):
        return
    try:
        original(self, key)
    except (StatusError, OSError):
        vars(self)["stuck"] = key
        raise


# The surplus


def ranked(name: str, fault: str, caught_by: str | tuple[str, ...], rank: Callable[..., Class]) -> Miniature:
    """Pods of another rank: `rank` is given whether one is on a node, how far it is, whether ready, and its cost."""

    def wrong(original: Original, self: Tallies, pod: Object) -> Any:
        counted = original(self, pod)
        if counted is None or counted[1] is None:
            return counted
        owner, (class_, node), labels, since = counted
        return owner, (rank(*class_), node), labels, since

    wrong.__name__ = name
    return miniature(fault, caught_by=caught_by, instead_of=Tallies._count_of)(wrong)


ranked("removes_placed_pods_first", "Pods without a node stay longer.", "surplus.02", lambda n, *rest: (not n, *rest))
ranked(
    "removes_running_pods_first", "Pods that do not run stay longer.", "surplus.03", lambda n, p, *rest: (n, -p, *rest)
)
ranked(
    "removes_ready_pods_first",
    "Pods that are not ready stay longer.",
    ("surplus.04#1", "surplus.04#2", "surplus.06"),
    lambda n, p, r, c: (n, p, not r, c),
)
ranked("removes_the_dearest_first", "The dearest goes first.", "surplus.05", lambda n, p, r, c: (n, p, r, -c))
ranked("asks_for_the_cost_first", "The cost decides before readiness.", "surplus.06", lambda n, p, r, c: (n, p, c, r))
unjudged(
    "takes_any_cost",
    "The cost of a deletion may be no number.",
    "surplus.07",
    ("Pod",),
    r"metadata\.annotations\[.*pod-deletion-cost\]",
)


@miniature("Pods are removed from the emptiest node.", caught_by="surplus.08", instead_of=Tally.first_to_go)
def removes_lonely_pods(
    original: Original, self: Tally, number: int, on_nodes: Counter[str], now: float
) -> list[Object]:
    return original(self, number, Counter({node: -count for node, count in on_nodes.items()}), now)


@miniature("The oldest goes first.", caught_by="surplus.09", instead_of=pods._compare)
def removes_the_oldest(original: Original, a: Any, b: Any, now: float) -> int:
    return -original(a, b, now)


# Adoption and release


@miniature("Nobody is adopted.", caught_by=ADOPTED, instead_of=Dependents.claim)
def adopts_nobody(original: Original, self: Dependents, owner: Object, owned: Any, orphans: Any) -> bool:
    return original(self, owner, owned, ())


@miniature("What has any owner is not adopted.", caught_by="adoption.03", instead_of=claims._orphans_by_namespace)
def respects_every_owner(original: Original, obj: Object) -> Iterable[str]:
    return () if owners_of(obj) else original(obj)


@miniature("Pods on their way out are adopted.",
           caught_by="adoption.05", instead_of=ReplicaSetController._claim)  # fmt: skip
def adopts_the_dying(original: Original, self: ReplicaSetController, replica_set: Object) -> bool:
    matches = self.selector_of(replica_set).matches
    for pod in self._pods.orphans(replica_set):
        if is_terminating(pod) and matches(labels_of(pod)):
            self._pods._patch(pod, self._pods.reference(replica_set), ("NotFound",))
    return original(self, replica_set)


@miniature("Nobody is let go.", caught_by=(*RELEASED, "deployments.20"), instead_of=Dependents.claim)
def releases_nobody(original: Original, self: Dependents, owner: Object, owned: Any, orphans: Any) -> bool:
    return original(self, owner, (), orphans)


@miniature("What no longer matches is deleted.", caught_by=RELEASED, instead_of=Dependents.claim)
def deletes_who_leaves(original: Original, self: Dependents, owner: Object, owned: Any, orphans: Any) -> bool:
    matches, owned = self._matches(owner), list(owned)
    for obj in owned:
        if not matches(obj):
            self._client.delete(self._resources[1], name_of(obj), namespace_of(obj))
    return original(self, owner, [obj for obj in owned if matches(obj)], orphans)


@miniature("A ReplicationController looks at one label.",
           caught_by="replicationcontrollers.04", instead_of=ReplicationController.selector_of)  # fmt: skip
def looks_at_one_label(original: Original, self: ReplicationController, replica_set: Object) -> Selector:
    return from_map(dict([next(iter(replica_set["spec"]["selector"].items()))]))
