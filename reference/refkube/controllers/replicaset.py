"""ReplicaSets: as many Pods as are wanted, made from the template, and the surplus removed.

A change of a Pod costs the same however many Pods its ReplicaSet has: they are counted, not listed, until some are to
be deleted. Source: pkg/controller/replicaset.
"""

from __future__ import annotations

from typing import Any

from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object, get_path, is_terminating, key_of, labels_of, namespace_of, uid_of
from refkube.apimachinery.owners import controller_of, new_controller_ref
from refkube.apimachinery.selectors import Selector, from_label_selector
from refkube.client.controller import Controller
from refkube.client.expectations import Expectations
from refkube.client.informer import by_controller_uid, by_namespace
from refkube.controllers.common.claims import Claims, controlled_by, orphans_by_namespace
from refkube.controllers.common.context import Context
from refkube.controllers.common.membership import namespace_ends
from refkube.controllers.common.pod_control import PodControl, pod_from_template, slow_start
from refkube.controllers.common.pods import Tallies, Tally, first_to_go, is_active
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
        self._pods = context.informers.of("pods")
        self._sets.add_index("namespace", by_namespace)
        self._sets.add_index("controller", by_controller_uid)
        self._pods.add_index("controller", by_controller_uid)
        self._pods.add_index("orphans", orphans_by_namespace)
        self._tallies = Tallies(self._pods, self.kind)
        self._expectations = Expectations(context.loop.now)
        self._control = PodControl(context.client, context.events)
        self._claims = Claims(context.client, self.resource, "pods")
        self._controller = Controller(context.loop, self.kind.lower(), self._reconcile, (self._sets, self._pods))
        add = self._controller.add_object
        self._sets.add_handler(add, lambda old, new: add(new), self._set_deleted)
        self._pods.add_handler(self._pod_added, self._pod_updated, self._pod_deleted)

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
        selector = self.selector_of(replica_set)
        if self._claim(replica_set, selector):
            return  # the cache will tell of those who came or went
        tally = self._tallies.of(uid_of(replica_set))
        surplus = tally.active - replica_set["spec"].get("replicas", 1)
        failure: Failure = None
        if surplus and not is_terminating(replica_set) and self._expectations.satisfied(key):
            if surplus < 0:
                failure = self._create(key, replica_set, min(-surplus, BURST))
            else:
                failure = self._delete(key, replica_set, min(surplus, BURST))
        self._tell(key, replica_set, tally, failure, "FailedCreate" if surplus < 0 else "FailedDelete")
        if failure is not None:
            raise failure

    def _claim(self, replica_set: Object, selector: Selector) -> bool:
        """Adopt and release active Pods. The labels that occur tell whether all of them need a look."""
        occur = self._tallies.of(uid_of(replica_set)).labels
        owned: list[Object] = []
        if not all(selector.matches(dict(labels)) for labels in occur):
            owned = [pod for pod in controlled_by(self._pods, replica_set) if is_active(pod)]
        orphans = [pod for pod in self._pods.indexed("orphans", namespace_of(replica_set)).values() if is_active(pod)]
        if not owned and not orphans:
            return False
        reference = new_controller_ref(replica_set, self.api_version, self.kind)
        return self._claims.settle(replica_set, reference, lambda pod: selector.matches(labels_of(pod)), owned, orphans)

    def _create(self, key: str, replica_set: Object, missing: int) -> Failure:
        reference = new_controller_ref(replica_set, self.api_version, self.kind)
        pod = pod_from_template(replica_set["spec"].get("template") or {}, replica_set, reference)

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
        pods = [pod for pod in controlled_by(self._pods, replica_set) if is_active(pod)]
        chosen = first_to_go(pods, surplus, self._related(replica_set, pods), self._loop.now())
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

    def _related(self, replica_set: Object, own: list[Object]) -> list[Object]:
        """The Pods of all ReplicaSets of the same Deployment."""
        owner = controller_of(replica_set)
        if owner is None:
            return own
        siblings = self._sets.indexed("controller", owner["uid"]).values()
        return [pod for sibling in siblings for pod in controlled_by(self._pods, sibling)]

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

    # What happens to Pods

    def _pod_added(self, pod: Object) -> None:
        if is_terminating(pod):
            self._pod_deleted(pod)
            return
        owner = self._owner_key(pod)
        if owner:
            self._expectations.creation_observed(owner)
            self._controller.add(owner)
        elif controller_of(pod) is None:
            self._orphan(pod)

    def _pod_updated(self, old: Object, new: Object) -> None:
        if is_terminating(new):
            self._pod_deleted(new)
            if labels_of(old) != labels_of(new):
                self._pod_deleted(old)
            return
        before, after = controller_of(old), controller_of(new)
        if before != after and before is not None:
            self._enqueue_owner(old)
        if after is not None:
            self._enqueue_owner(new)
        elif before != after or labels_of(old) != labels_of(new):
            self._orphan(new)

    def _pod_deleted(self, pod: Object) -> None:
        owner = self._owner_key(pod)
        if owner:
            self._expectations.deletion_observed(owner, uid_of(pod))
            self._controller.add(owner)

    def _set_deleted(self, replica_set: Object) -> None:
        self._expectations.forget(key_of(replica_set))
        self._controller.add_object(replica_set)

    def _enqueue_owner(self, pod: Object) -> None:
        owner = self._owner_key(pod)
        if owner:
            self._controller.add(owner)

    def _owner_key(self, pod: Object) -> str:
        """The key of the Pod's owner if that is one of ours and known, else ""."""
        owner = controller_of(pod)
        if owner is None or owner["kind"] != self.kind:
            return ""
        key = f"{namespace_of(pod)}/{owner['name']}"
        found = self._sets.get(key)
        return key if found is not None and uid_of(found) == owner["uid"] else ""

    def _orphan(self, pod: Object) -> None:
        labels = labels_of(pod)
        for key, candidate in self._sets.indexed("namespace", namespace_of(pod)).items():
            if self.selector_of(candidate).matches(labels):
                self._controller.add(key)


def _conditions(before: list[Object], failure: Failure, reason: str, now: float) -> list[Object]:
    """ReplicaFailure while Pods cannot be made or removed; it keeps the reason it began with."""
    failing = any(condition["type"] == "ReplicaFailure" for condition in before)
    if failure is None:
        return [condition for condition in before if condition["type"] != "ReplicaFailure"] if failing else before
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
