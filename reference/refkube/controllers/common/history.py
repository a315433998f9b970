"""The past of a workload's template, kept in ControllerRevisions. Facts: pkg/controller/history."""

from __future__ import annotations

from collections.abc import Collection

from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object, annotations_of, labels_of, name_of, namespace_of, uid_of
from refkube.client.client import Client
from refkube.controllers.common.claims import Dependents
from refkube.controllers.common.hashing import content_hash

REVISIONS = "controllerrevisions.apps"
HASH = "controller.kubernetes.io/hash"


class History:
    """`revisions` are the owners' ControllerRevisions."""

    def __init__(self, client: Client, revisions: Dependents):
        self._client = client
        self._revisions = revisions

    def current_and_update(self, owner: Object, data: Object) -> tuple[Object, Object, int]:
        """The revision that status.currentRevision names, that of `data`, and the collisions of names so far. An old
        one of the same data becomes the newest, else one is made."""
        known = sorted(self._revisions.of(owner), key=_order)
        status = owner.get("status") or {}
        collisions = status.get("collisionCount", 0)
        number = known[-1]["revision"] + 1 if known else 1
        same = [revision for revision in known if revision["data"] == data]
        if same and same[-1] is known[-1]:
            update = same[-1]
        elif same:
            update = self._client.update(REVISIONS, {**same[-1], "revision": number})
        else:
            update, collisions = self._create(owner, data, number, collisions)
        current = next((one for one in known if name_of(one) == status.get("currentRevision")), update)
        return current, update, collisions

    def truncate(self, owner: Object, used: Collection[str]) -> None:
        """Forget the oldest of those that are not in use, beyond the limit."""
        spare = sorted((one for one in self._revisions.of(owner) if name_of(one) not in used), key=_order)
        for revision in spare[: max(0, len(spare) - owner["spec"].get("revisionHistoryLimit", 10))]:
            self._client.delete(REVISIONS, name_of(revision), namespace_of(revision), uid=uid_of(revision))

    def _create(self, owner: Object, data: Object, number: int, collisions: int) -> tuple[Object, int]:
        labels = labels_of(owner["spec"]["template"])
        while True:
            hashed = content_hash(data, collisions)
            meta: Object = {
                "name": f"{name_of(owner)}-{hashed}",
                "namespace": namespace_of(owner),
                "labels": {**labels, HASH: hashed},
                "annotations": dict(annotations_of(owner)),
                "ownerReferences": [self._revisions.reference(owner)],
            }
            made = {"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": meta}
            try:
                return self._client.create(REVISIONS, {**made, "data": data, "revision": number}), collisions
            except StatusError as refusal:
                if refusal.reason != "AlreadyExists":
                    raise
            there = self._client.get(REVISIONS, meta["name"], namespace_of(owner))
            if there["data"] == data:
                return there, collisions
            collisions += 1


def _order(revision: Object) -> tuple[int, str, str]:
    return revision["revision"], revision["metadata"].get("creationTimestamp", ""), name_of(revision)
