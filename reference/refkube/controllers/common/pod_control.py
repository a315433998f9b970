"""Making and removing Pods for an owner, with the Events that tell of it. Facts: pkg/controller/controller_utils.go."""

from __future__ import annotations

from collections.abc import Callable

from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object, name_of, namespace_of, uid_of
from refkube.client.client import Client
from refkube.client.events import NORMAL, WARNING, EventRecorder
from refkube.controllers.common.membership import namespace_ends


def pod_from_template(template: Object, owner: Object, reference: Object) -> Object:
    """A Pod to create, as often as it is needed: its name is generated from the owner's."""
    given = template.get("metadata") or {}
    meta = {field: given[field] for field in ("labels", "annotations", "finalizers") if given.get(field)}
    meta |= {"generateName": f"{name_of(owner)}-", "namespace": namespace_of(owner), "ownerReferences": [reference]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template.get("spec") or {}}


class PodControl:
    def __init__(self, client: Client, events: EventRecorder):
        self._client = client
        self._events = events

    def create(self, pod: Object, owner: Object) -> Object:
        """StatusError if the server refuses; in a namespace that ends nobody is told."""
        try:
            made = self._client.create("pods", pod)
        except StatusError as refusal:
            if not namespace_ends(refusal):
                self._events.event(owner, WARNING, "FailedCreate", f"Error creating: {refusal}")
            raise
        self._events.event(owner, NORMAL, "SuccessfulCreate", f"Created pod: {name_of(made)}")
        return made

    def delete(self, pod: Object, owner: Object) -> None:
        """NotFound if this Pod, not another of its name, is gone."""
        try:
            self._client.delete("pods", name_of(pod), namespace_of(pod), uid=uid_of(pod))
        except StatusError as refusal:
            if refusal.reason != "NotFound":
                self._events.event(owner, WARNING, "FailedDelete", f"Error deleting: {refusal}")
            raise
        self._events.event(owner, NORMAL, "SuccessfulDelete", f"Deleted pod: {name_of(pod)}")


def slow_start(count: int, call: Callable[[], object]) -> tuple[int, StatusError | OSError | None]:
    """Call up to `count` times in batches of 1, 2, 4 ...; after a batch with a failure no more. How many succeeded, and
    the first failure: where every call is going to be refused few are made."""
    successes, batch = 0, 1
    while count > 0:
        failure: StatusError | OSError | None = None
        for _ in range(min(batch, count)):
            try:
                call()
                successes += 1
            except (StatusError, OSError) as exc:
                failure = failure or exc
        if failure is not None:
            return successes, failure
        count, batch = count - batch, batch * 2
    return successes, None
