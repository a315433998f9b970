"""One step of a rollout: from what there is towards what is wanted, as far as the limits allow at once.

Each step makes or resizes ReplicaSets and tells the status; what follows from it brings the next step. Source:
pkg/controller/deployment (rolling.go, recreate.go, sync.go).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from math import floor

from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import (
    Object,
    annotations_of,
    condition_of,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
    with_metadata,
)
from refkube.apimachinery.owners import is_controlled_by, new_controller_ref
from refkube.client.events import NORMAL, WARNING
from refkube.client.informer import Informer
from refkube.controllers.common.context import Context
from refkube.controllers.common.hashing import content_hash
from refkube.controllers.common.membership import namespace_ends
from refkube.controllers.common.pods import is_terminal
from refkube.controllers.deployment import status as progress
from refkube.controllers.deployment.status import PROGRESSING, TIMED_OUT, deadline_of, limits, told, wanted

DEPLOYMENTS, SETS = "deployments.apps", "replicasets.apps"
HASH = "pod-template-hash"
PREFIX = "deployment.kubernetes.io/"
REVISION, HISTORY = PREFIX + "revision", PREFIX + "revision-history"
DESIRED, MOST = PREFIX + "desired-replicas", PREFIX + "max-replicas"
HISTORY_LENGTH = 2000
LONGEST_NAME = 253
NOT_COPIED = {"kubectl.kubernetes.io/last-applied-configuration", REVISION, HISTORY, DESIRED, MOST}


class Rollout:
    """`sets` are the Deployment's own ReplicaSets. After `step`, `check_after` says in how many seconds to look again
    though nothing happens."""

    def __init__(self, context: Context, pods: Informer, deployment: Object, sets: Iterable[Object]):
        self.deployment = deployment
        self.check_after: float | None = None
        self._as_it_was = deployment
        self._client = context.client
        self._events = context.events
        self._now = context.loop.now()
        self._pods = pods
        self._recreates = (deployment["spec"].get("strategy") or {}).get("type") == "Recreate"
        self._old = sorted(sets, key=_age)
        self._new = next((one for one in self._old if same_template(_template(one), _template(deployment))), None)
        if self._new is not None:
            self._old.remove(self._new)

    def step(self) -> None:
        deployment = self.deployment
        if is_terminating(deployment):
            self._tell(rolling=False)
            return
        self._note_pause()
        if deployment["spec"].get("paused") or self._was_scaled():
            self._sync_new(create=False)
            self._scale()
            if deployment["spec"].get("paused"):
                self._clean_up()
            self._tell(rolling=False)
        elif self._recreates:
            self._recreate()
        else:
            self._roll()

    # Strategies

    def _roll(self) -> None:
        self._sync_new(create=True)
        if not self._grow() and not self._shrink():
            self._clean_up_if_complete()
        self._tell()

    def _recreate(self) -> None:
        """The old ones go, entirely, before the new ones come."""
        self._sync_new(create=False)
        active = [one for one in self._old if wanted(one)]
        for replica_set in active:
            self._resize(replica_set, 0)
        if not active and not self._old_pods_run():
            self._sync_new(create=True)
            self._grow()
            self._clean_up_if_complete()
        self._tell()

    def _old_pods_run(self) -> bool:
        if sum(told(one, "replicas") for one in self._old):
            return True
        pods = (self._pods.indexed("controller", uid_of(one)).values() for one in self._old)
        return not all(map(is_terminal, chain.from_iterable(pods)))

    def _grow(self) -> bool:
        assert self._new is not None
        return self._resize(self._new, min(wanted(self.deployment), self._allowed_size(self._new)))

    def _allowed_size(self, new: Object | None) -> int:
        """Of the new ReplicaSet, so that all together are no more than wanted and maxSurge. Pods that are still to be
        removed count: upstream looks at the specs alone, and for a moment there may be more."""
        target, size = wanted(self.deployment), wanted(new) if new is not None else 0
        if self._recreates:
            return target
        room = target + limits(self.deployment)[0] - sum(max(wanted(one), told(one, "replicas")) for one in self._all())
        return size + max(0, min(room, target - size))

    def _shrink(self) -> bool:
        """Old ones go as far as enough stay available: first those that are not, then the oldest."""
        new, least = self._new, wanted(self.deployment) - limits(self.deployment)[1]
        assert new is not None
        pending = wanted(new) - told(new, "availableReplicas")
        surplus = self._total() - least - pending
        if surplus <= 0 or not any(map(wanted, self._old)):
            return False
        removed = 0
        for replica_set in list(self._old):
            useless = max(0, wanted(replica_set) - told(replica_set, "availableReplicas"))
            removed += self._take(replica_set, min(useless, surplus - removed))
        spare = sum(told(one, "availableReplicas") for one in self._all()) - least
        taken = 0
        for replica_set in list(self._old):
            taken += self._take(replica_set, min(wanted(replica_set), spare - taken))
        return bool(removed or taken)

    def _take(self, replica_set: Object, number: int) -> int:
        if number > 0:
            self._resize(replica_set, wanted(replica_set) - number)
        return max(0, number)

    # Scaling

    def _was_scaled(self) -> bool:
        """Its number was changed, rather than its template."""
        desired = [_number(one, DESIRED) for one in self._all() if wanted(one)]
        return any(number is not None and number != wanted(self.deployment) for number in desired)

    def _scale(self) -> None:
        """To a new number, without a rollout: the only ReplicaSet with Pods, or all of them in proportion."""
        active = [one for one in self._all() if wanted(one)]
        target = wanted(self.deployment)
        if len(active) <= 1:
            only = active[0] if active else self._new or (self._old[-1] if self._old else None)
            if only is not None and wanted(only) != target:
                self._resize(only, target)
        elif self._is_saturated():
            for replica_set in [one for one in self._old if wanted(one)]:
                self._resize(replica_set, 0)
        elif not self._recreates:
            most = target + limits(self.deployment)[0] if target else 0
            for replica_set, size in proportions(active, target, most, told(self.deployment, "replicas")):
                self._resize(replica_set, size)

    def _is_saturated(self) -> bool:
        new, target = self._new, wanted(self.deployment)
        if new is None:
            return False
        return wanted(new) == target == _number(new, DESIRED) == told(new, "availableReplicas")

    def _resize(self, replica_set: Object, size: int) -> bool:
        """Also notes what it is a part of. True if the size is another."""
        before, target = wanted(replica_set), wanted(self.deployment)
        notes = {DESIRED: str(target), MOST: str(target + limits(self.deployment)[0])}
        resized = size != before
        if not resized and notes.items() <= annotations_of(replica_set).items():
            return False
        changed = with_metadata(replica_set, annotations={**annotations_of(replica_set), **notes})
        self._replace(self._client.update(SETS, {**changed, "spec": {**changed["spec"], "replicas": size}}))
        if resized:
            self._tell_resized(name_of(replica_set), before, size)
        return resized

    def _tell_resized(self, name: str, before: int, size: int) -> None:
        direction = "up" if size > before else "down"
        said = f"Scaled {direction} replica set {name} from {before} to {size}"
        self._events.event(self.deployment, NORMAL, "ScalingReplicaSet", said)

    # The new ReplicaSet, and the revisions

    def _sync_new(self, create: bool) -> None:
        revision = max((_revision(one) for one in self._old), default=0) + 1
        if self._new is not None:
            self._renew(self._new, revision)
            if condition_of(self.deployment, PROGRESSING) is None:
                self._note("True", "FoundNewReplicaSet", f'Found new replica set "{name_of(self._new)}"')
        elif create:
            self._new = self._create(revision)
        if self._new is not None:
            mine = annotations_of(self._new).get(REVISION)
            if mine and annotations_of(self.deployment).get(REVISION) != mine:
                marked = {**annotations_of(self.deployment), REVISION: mine}
                self.deployment = with_metadata(self.deployment, annotations=marked)

    def _renew(self, new: Object, revision: int) -> None:
        """Keep its annotations, revision and minReadySeconds in step."""
        marked, ready = self._marked(new, revision), self.deployment["spec"].get("minReadySeconds", 0)
        if marked == annotations_of(new) and ready == new["spec"].get("minReadySeconds", 0):
            return
        spec = {**new["spec"], "minReadySeconds": ready}
        self._replace(self._client.update(SETS, {**with_metadata(new, annotations=marked), "spec": spec}))

    def _marked(self, replica_set: Object, revision: int) -> dict[str, str]:
        """The annotations of the new ReplicaSet: the Deployment's, and its revision, which never falls."""
        given, own = annotations_of(self.deployment), annotations_of(replica_set)
        marked = {**own, **{name: value for name, value in given.items() if name not in NOT_COPIED}}
        if _revision(replica_set) < revision:
            marked[REVISION] = str(revision)
            if REVISION in own:
                past = [*filter(None, own.get(HISTORY, "").split(",")), own[REVISION]]
                while len(",".join(past)) > HISTORY_LENGTH:
                    past.pop(0)
                marked[HISTORY] = ",".join(past)
        return marked

    def _create(self, revision: int) -> Object:
        """The name is its template's hash; where it is another's the count of collisions makes it a new one."""
        while True:
            replica_set = self._made(revision)
            try:
                created = self._client.create(SETS, replica_set)
            except StatusError as refusal:
                if refusal.reason != "AlreadyExists":
                    self._tell_uncreated(name_of(replica_set), refusal)
                    raise
                there = self._client.get(SETS, name_of(replica_set), namespace_of(replica_set))
                if is_controlled_by(there, self.deployment) and same_template(_template(there), _template(replica_set)):
                    return there
                collisions = told(self.deployment, "collisionCount") + 1
                status = {**(self.deployment.get("status") or {}), "collisionCount": collisions}
                self.deployment = {**self.deployment, "status": status}
                continue
            self._note("True", "NewReplicaSetCreated", f'Created new replica set "{name_of(created)}"')
            if wanted(created):
                self._tell_resized(name_of(created), 0, wanted(created))
            return created

    def _made(self, revision: int) -> Object:
        deployment = self.deployment
        spec, template = deployment["spec"], _template(deployment)
        hashed = content_hash(template, told(deployment, "collisionCount"))
        labels = {**labels_of(template), HASH: hashed}
        selector = spec["selector"]
        selector = {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), HASH: hashed}}
        target = wanted(deployment)
        notes = {DESIRED: str(target), MOST: str(target + limits(deployment)[0])}
        meta: Object = {
            "name": f"{name_of(deployment)[: LONGEST_NAME - 1 - len(hashed)]}-{hashed}",
            "namespace": namespace_of(deployment),
            "labels": labels,
            "annotations": {**self._marked({"metadata": {}}, revision), **notes},
            "ownerReferences": [new_controller_ref(deployment, "apps/v1", "Deployment")],
        }
        return {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": meta,
            "spec": {
                "replicas": self._allowed_size(None),
                "minReadySeconds": spec.get("minReadySeconds", 0),
                "selector": selector,
                "template": {**template, "metadata": {**(template.get("metadata") or {}), "labels": labels}},
            },
        }

    def _tell_uncreated(self, name: str, refusal: StatusError) -> None:
        if namespace_ends(refusal):
            return
        why = f'Failed to create new replica set "{name}": {refusal}'
        self._note("False", "ReplicaSetCreateError", why)
        self._write(self.deployment.get("status") or {})
        self._events.event(self.deployment, WARNING, "ReplicaSetCreateError", why)

    def _clean_up_if_complete(self) -> None:
        if progress.is_complete(self.deployment, self.deployment.get("status") or {}):
            self._clean_up()

    def _clean_up(self) -> None:
        """Of the old ReplicaSets only so many stay as may be rolled back to."""
        limit = self.deployment["spec"].get("revisionHistoryLimit")
        if limit is None or limit == progress.NO_DEADLINE:
            return
        old = sorted((one for one in self._old if not is_terminating(one)), key=_revision)
        for replica_set in old[: max(0, len(old) - limit)]:
            unseen = replica_set["metadata"].get("generation", 0) > told(replica_set, "observedGeneration")
            if told(replica_set, "replicas") or wanted(replica_set) or unseen:
                continue
            try:
                self._client.delete(SETS, name_of(replica_set), namespace_of(replica_set), uid=uid_of(replica_set))
            except StatusError as refusal:
                if refusal.reason != "NotFound":
                    raise

    # The status

    def _note_pause(self) -> None:
        """A pause stops the clock of the deadline, unless that has run out already."""
        current = condition_of(self.deployment, PROGRESSING) or {}
        if current.get("reason") == TIMED_OUT:
            return
        paused, known = bool(self.deployment["spec"].get("paused")), current.get("reason") == "DeploymentPaused"
        if paused and not known:
            self._note("Unknown", "DeploymentPaused", "Deployment is paused")
        elif known and not paused:
            self._note("Unknown", "DeploymentResumed", "Deployment is resumed")

    def _note(self, status: str, reason: str, message: str) -> None:
        """As to progress, to be written with the status; nothing where no deadline is kept."""
        if deadline_of(self.deployment) is None:
            return
        before = self.deployment.get("status") or {}
        conditions = before.get("conditions") or ()
        noted = progress.with_condition(conditions, PROGRESSING, (status, reason, message), self._now)
        self.deployment = {**self.deployment, "status": {**before, "conditions": noted}}

    def _tell(self, rolling: bool = True) -> None:
        status = progress.status_of(self.deployment, self._new, self._old, self._now)
        if rolling:
            status = progress.with_progress(self.deployment, status, self._new, self._now)
            status = progress.with_failure(status, self._new, self._old)
        if not self._write(status) and rolling:
            self.check_after = progress.check_in(self.deployment, status, self._now)

    def _write(self, status: Object) -> bool:
        """Status and annotations, if they changed."""
        before, after = self._as_it_was, {**self.deployment, "status": status}
        if before.get("status") == status and annotations_of(before) == annotations_of(after):
            return False
        self._client.update_status(DEPLOYMENTS, after)
        return True

    # The ReplicaSets at hand

    def _all(self) -> list[Object]:
        return self._old if self._new is None else [*self._old, self._new]

    def _total(self) -> int:
        return sum(map(wanted, self._all()))

    def _replace(self, replica_set: Object) -> None:
        if self._new is not None and uid_of(self._new) == uid_of(replica_set):
            self._new = replica_set
        else:
            self._old = [replica_set if uid_of(one) == uid_of(replica_set) else one for one in self._old]


def same_template(one: Object, other: Object) -> bool:
    """But for the hash that was put into one of them."""
    if any(one.get(field) != other.get(field) for field in {*one, *other} - {"metadata"}):
        return False
    mine, theirs = one.get("metadata") or {}, other.get("metadata") or {}
    if any(mine.get(field) != theirs.get(field) for field in {*mine, *theirs} - {"labels"}):
        return False
    return _plain(labels_of(one)) == _plain(labels_of(other))


def proportions(active: list[Object], target: int, most: int, present: int) -> list[tuple[Object, int]]:
    """New sizes of ReplicaSets that shall be `most` together, each by its share; what is left over by rounding goes to
    the largest. `present` Pods there were, where a ReplicaSet does not say what it was a part of."""
    add = most - sum(map(wanted, active))
    ordered = sorted(sorted(active, key=_age, reverse=add > 0), key=wanted, reverse=True)
    sizes, added = [], 0
    for replica_set in ordered:
        size, part = wanted(replica_set), 0
        if add != added:
            part = _share(replica_set, target, most, present)
            part = min(part, add - added) if add > 0 else max(part, add - added)
        sizes.append(size + part)
        added += part
    if sizes:
        sizes[0] = max(0, sizes[0] + add - added)
    return list(zip(ordered, sizes, strict=True))


def _share(replica_set: Object, target: int, most: int, present: int) -> int:
    size, before = wanted(replica_set), _number(replica_set, MOST) or present
    if not target:
        return -size
    return floor(size * most / before + 0.5) - size if before else 0


def _plain(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if name != HASH}


def _template(obj: Object) -> Object:
    return obj["spec"]["template"]


def _age(obj: Object) -> tuple[str, str]:
    """Sorts the oldest first."""
    return obj["metadata"].get("creationTimestamp", ""), name_of(obj)


def _revision(obj: Object) -> int:
    return _number(obj, REVISION) or 0


def _number(obj: Object, annotation: str) -> int | None:
    try:
        return int(annotations_of(obj)[annotation])
    except (KeyError, ValueError):
        return None
