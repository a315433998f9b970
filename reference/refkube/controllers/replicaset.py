"""ReplicaSets: as many Pods as are wanted, made from the template, and the surplus removed.

A change of a Pod costs the same however many Pods its ReplicaSet has: they are counted, not listed, until some are to
be deleted. Source: pkg/controller/replicaset.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object, get_path, is_terminating, key_of, labels_of, uid_of
from refkube.apimachinery.owners import controller_of
from refkube.apimachinery.selectors import Selector, from_label_selector
from refkube.client.controller import Controller
from refkube.client.expectations import Expectations
from refkube.client.informer import by_controller_uid
from refkube.controllers.common.claims import Dependents
from refkube.controllers.common.context import Context
from refkube.controllers.common.membership import namespace_ends
from refkube.controllers.common.pod_control import PodControl, pod_from_template, slow_start
from refkube.controllers.common.pods import Tallies, Tally, is_active
from refkube.engine.clock import rfc3339

BURST = 500  # Pods made or removed by one reconcile

Failure = StatusError | OSError | None


class ReplicaSetController:
    resource = "replicasets.apps"
    api_version, kind = "apps/v1", "ReplicaSet"

    def __init__(self, context: Context):
        self._client = context.client
        self._loop = context.loop
        self._sets = context.informers.of(self.resource)
        self._controller = Controller(
            context.loop, self.kind.lower(), self._reconcile, (self._sets, context.informers.of("pods"))
        )
        self._pods = Dependents(
            context,
            self.resource,
            "pods",
            (self.api_version, self.kind),
            self._matcher,
            self._controller.add,
            lambda key, pod: self._expectations.creation_observed(key),
            lambda key, pod: self._expectations.deletion_observed(key, uid_of(pod)),
        )
        self._sets.add_index("controller", by_controller_uid)
        self._tallies = Tallies(self._pods.informer, self.kind)
        self._expectations = Expectations(context.loop.now)
        self._control = PodControl(context.client, context.events)
        add = self._controller.add_object
        self._sets.add_handler(add, lambda old, new: add(new), self._deleted)

    def start(self) -> None:
        self._controller.start()

    def stop(self) -> None:
        self._controller.stop()

    def selector_of(self, replica_set: Object) -> Selector:
        return from_label_selector(replica_set["spec"].get("selector"))

    def counts(self, replica_set: Object, tally: Tally, available: int) -> dict[str, int]:
        """Of the status. Optional numbers that are nought are left out, as upstream encodes them."""
        wanted = (get_path(replica_set, "spec", "template", "metadata", "labels", default={})).items()
        counts = {
            "fullyLabeledReplicas": sum(count for labels, count in tally.labels.items() if wanted <= labels),
            "readyReplicas": tally.ready.total(),
            "availableReplicas": available,
            "observedGeneration": replica_set["metadata"].get("generation", 0),
        }
        counts = {field: count for field, count in counts.items() if count}
        return {"replicas": tally.active, **counts, **self.more_counts(tally)}

    def more_counts(self, tally: Tally) -> dict[str, int]:
        return {"terminatingReplicas": tally.terminating}

    def _reconcile(self, key: str) -> None:
        replica_set = self._sets.get(key)
        if replica_set is None:
            self._expectations.forget(key)
            return
        if self._claim(replica_set):
            return  # the cache will tell of those who came or went
        tally = self._tallies.of(uid_of(replica_set))
        surplus = tally.active - replica_set["spec"].get("replicas", 1)
        failure: Failure = None
        if surplus and not is_terminating(replica_set):
            if not self._expectations.satisfied(key):  # nobody tells of what came and went unseen
                self._controller.add_after(key, self._expectations.expires_in(key))
            elif surplus < 0:
                failure = self._create(key, replica_set, min(-surplus, BURST))
            else:
                failure = self._delete(key, replica_set, min(surplus, BURST))
        self._tell(key, replica_set, tally, failure, "FailedCreate" if surplus < 0 else "FailedDelete")
        if failure is not None:
            raise failure

    def _claim(self, replica_set: Object) -> bool:
        """Adopt and release active Pods. The labels that occur tell whether all of them need a look."""
        matches = self.selector_of(replica_set).matches
        occur = self._tallies.of(uid_of(replica_set)).labels
        owned = () if all(matches(dict(labels)) for labels in occur) else filter(is_active, self._pods.of(replica_set))
        orphans = [pod for pod in self._pods.orphans(replica_set) if is_active(pod)]
        return bool(owned or orphans) and self._pods.claim(replica_set, list(owned), orphans)

    def _matcher(self, replica_set: Object) -> Callable[[Object], bool]:
        matches = self.selector_of(replica_set).matches
        return lambda pod: matches(labels_of(pod))

    def _create(self, key: str, replica_set: Object, missing: int) -> Failure:
        template = replica_set["spec"].get("template") or {}
        pod = pod_from_template(template, replica_set, self._pods.reference(replica_set))

        def create() -> None:
            try:
                self._control.create(pod, replica_set)
            except StatusError as refusal:
                if not namespace_ends(refusal):
                    raise

        self._expectations.expect(key, creations=missing)
        made, failure = slow_start(missing, create)
        self._expectations.lower_by(key, creations=missing - made)
        return failure

    def _delete(self, key: str, replica_set: Object, surplus: int) -> Failure:
        tally, now = self._tallies.of(uid_of(replica_set)), self._loop.now()
        chosen = tally.first_to_go(surplus, self._on_nodes(replica_set, tally), now)
        self._expectations.expect_deletions(key, map(uid_of, chosen))
        failure: Failure = None
        for pod in chosen:
            try:
                self._control.delete(pod, replica_set)
            except (StatusError, OSError) as exc:
                self._expectations.deletion_observed(key, uid_of(pod))
                if not (isinstance(exc, StatusError) and exc.reason == "NotFound"):
                    failure = failure or exc
        return failure

    def _on_nodes(self, replica_set: Object, tally: Tally) -> Counter[str]:
        """How many Pods are where, of all ReplicaSets of the same Deployment."""
        owner = controller_of(replica_set)
        siblings = self._sets.indexed("controller", owner["uid"]).values() if owner is not None else ()
        counts = (self._tallies.of(uid_of(one)).on_nodes() for one in siblings)
        return sum(counts, Counter()) if siblings else tally.on_nodes()

    def _tell(self, key: str, replica_set: Object, tally: Tally, failure: Failure, reason: str) -> None:
        """Write the status if it changed; look again when a ready Pod becomes available."""
        now = self._loop.now()
        available, wait = tally.available(replica_set["spec"].get("minReadySeconds", 0), now)
        if wait is not None:
            self._controller.add_after(key, wait)
        before = replica_set.get("status") or {}
        status: dict[str, Any] = self.counts(replica_set, tally, available)
        conditions = _conditions(before.get("conditions") or [], failure, reason, now)
        if conditions:
            status["conditions"] = conditions
        if status != before:
            self._client.update_status(self.resource, {**replica_set, "status": status})

    def _deleted(self, replica_set: Object) -> None:
        self._expectations.forget(key_of(replica_set))
        self._controller.add_object(replica_set)


def _conditions(before: list[Object], failure: Failure, reason: str, now: float) -> list[Object]:
    """ReplicaFailure while Pods cannot be made or removed; it keeps the reason it began with."""
    failing = any(condition.get("type") == "ReplicaFailure" for condition in before)
    if failure is None:
        return [condition for condition in before if condition.get("type") != "ReplicaFailure"] if failing else before
    if failing:
        return before
    condition = {
        "type": "ReplicaFailure",
        "status": "True",
        "lastTransitionTime": rfc3339(now),
        "reason": reason,
        "message": str(failure),
    }
    return [*before, condition]
