"""Faults that the features of Deployments, their rollouts and their revisions must catch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from refkube.apimachinery.meta import Object, annotations_of, condition_of, labels_of, name_of, namespace_of, uid_of
from refkube.apimachinery.owners import is_controlled_by
from refkube.controllers.common import rollout as arithmetic
from refkube.controllers.common.pod_control import PodControl
from refkube.controllers.deployment import rollout
from refkube.controllers.deployment import status as progress
from refkube.controllers.deployment.rollout import HASH, SETS, Rollout
from refkube.controllers.deployment.status import TIMED_OUT, limits, told, wanted
from refkube.engine.ids import Ids
from refkube.kubelet import status as kubelet

from gherkube.drivers.miniatures import miniature

Original = Callable[..., Any]

PAUSED = ("rolling-updates.10", "rolling-updates.12", "rolling-updates.14", "rolling-updates.18")
LATE = ("rolling-updates.15", "rolling-updates.16")


def with_spec(obj: Object, **fields: Any) -> Object:
    return {**obj, "spec": {**obj["spec"], **fields}}


# Names and addresses


@miniature("A name that is generated is always the same.",
           caught_by=("deployments.01", "deployments.02"), instead_of=Ids.suffix)  # fmt: skip
def generates_one_name(original: Original, self: Ids, length: int = 5) -> str:
    return "a" * length


@miniature("A ReplicaSet selects without the hash.", caught_by="deployments.03", instead_of=Rollout._made)
def selects_without_the_hash(original: Original, self: Rollout, revision: int) -> Object:
    return with_spec(original(self, revision), selector=self.deployment["spec"]["selector"])


@miniature("A Pod gets an address as soon as it is made.", caught_by="deployments.04", instead_of=PodControl.create)
def allots_addresses_early(original: Original, self: PodControl, pod: Object, owner: Object) -> Object:
    made: Object = original(self, pod, owner)
    status = {"podIP": "10.1.2.3", "podIPs": [{"ip": "10.1.2.3"}]}
    return self._client.patch("pods", name_of(made), {"status": status}, "strategic", namespace_of(made), "status")


@miniature("A kubelet tells no address.", caught_by="deployments.05", instead_of=kubelet.status_of)
def tells_no_address(original: Original, pod: Object, view: Any) -> Object:
    return {field: value for field, value in original(pod, view).items() if field not in ("podIP", "podIPs")}


# Which template


@miniature("Containers are no matter of the template.",
           caught_by=("deployments.06", "deployments.07"), instead_of=rollout.same_template)  # fmt: skip
def compares_labels_alone(original: Original, one: Object, other: Object) -> bool:
    return bool(original({"metadata": one.get("metadata")}, {"metadata": other.get("metadata")}))


def _with_note(obj: Object, template: Object, note: Any) -> Object:
    """The template of a Deployment, other than that of a ReplicaSet, with something more to it."""
    if "strategy" not in obj["spec"]:
        return template
    return {**template, "metadata": {**template["metadata"], "annotations": {"note": json.dumps(note, sort_keys=True)}}}


@miniature("Whatever is changed of a Deployment is a new template.",
           caught_by="deployments.08", instead_of=rollout._template)  # fmt: skip
def rolls_everything_out(original: Original, obj: Object) -> Object:
    others = {field: value for field, value in obj["spec"].items() if field not in ("replicas", "template", "paused")}
    return _with_note(obj, original(obj), [labels_of(obj), others])


@miniature("Another number is another template.", caught_by="deployments.11", instead_of=rollout._template)
def rolls_numbers_out(original: Original, obj: Object) -> Object:
    return _with_note(obj, original(obj), wanted(obj))


_begun: dict[str, Object] = {}


@miniature(
    "A rollout is finished before another begins.",
    caught_by=("deployments.10", "revisions.02"),
    instead_of=Rollout.__init__,
)
def finishes_what_has_begun(
    original: Original, self: Rollout, context: Any, pods: Any, deployment: Object, sets: Iterable[Object]
) -> None:
    if told(deployment, "updatedReplicas") == wanted(deployment) or uid_of(deployment) not in _begun:
        _begun[uid_of(deployment)] = deployment["spec"]["template"]
    original(self, context, pods, with_spec(deployment, template=_begun[uid_of(deployment)]), sets)


@miniature("A ReplicaSet without a hash is of another template.",
           caught_by="deployments.18", instead_of=rollout.same_template)  # fmt: skip
def demands_a_hash(original: Original, one: Object, other: Object) -> bool:
    return bool(original(one, other)) and any(HASH in labels_of(template) for template in (one, other))


@miniature("Whose a ReplicaSet of the name is, is not asked.", caught_by="deployments.20", instead_of=is_controlled_by)
def takes_what_has_the_name(original: Original, obj: Object, owner: Object) -> bool:
    return True


# Limits


@miniature(
    "What may be more is rounded down.",
    caught_by=("rolling-updates.01#5", "rolling-updates.01#6"),
    instead_of=arithmetic.scaled,
)
def rounds_what_may_be_more_down(original: Original, value: int | str, total: int, round_up: bool) -> int:
    return int(original(value, total, False))


@miniature("A rollout that may do nothing does nothing.",
           caught_by="rolling-updates.01#7", instead_of=arithmetic.fenceposts)  # fmt: skip
def lets_rollouts_hang(original: Original, surge: Any, missing: Any, desired: int) -> tuple[int, int]:
    return arithmetic.scaled(surge or 0, desired, True), arithmetic.scaled(missing or 0, desired, False)


@miniature(
    "There are never more Pods than wanted.",
    caught_by=("rolling-updates.01#1", "rolling-updates.01#3", "rolling-updates.01#8"),
    instead_of=arithmetic.fenceposts,
)
def never_has_more(original: Original, surge: Any, missing: Any, desired: int) -> tuple[int, int]:
    return original(0, missing, desired)


@miniature(
    "No Pod may be missing.",
    caught_by=("rolling-updates.01#2", "rolling-updates.01#9", "rolling-updates.01#10"),
    instead_of=arithmetic.fenceposts,
)
def never_has_fewer(original: Original, surge: Any, missing: Any, desired: int) -> tuple[int, int]:
    return max(1, original(surge, missing, desired)[0]), 0


@miniature(
    "One more Pod may be missing than was allowed.",
    caught_by=("deployments.09", "rolling-updates.01#4", "rolling-updates.03", "revisions.02"),
    instead_of=arithmetic.fenceposts,
)
def lets_one_more_go(original: Original, surge: Any, missing: Any, desired: int) -> tuple[int, int]:
    more, fewer = original(surge, missing, desired)
    return more, fewer + 1


@miniature("All new Pods come at once.", caught_by="rolling-updates.02", instead_of=Rollout._allowed_size)
def makes_all_at_once(original: Original, self: Rollout, new: Object | None) -> int:
    return wanted(self.deployment)


@miniature("Old Pods stay.", caught_by=("deployments.06", "rolling-updates.04"), instead_of=Rollout._shrink)
def lets_nobody_go(original: Original, self: Rollout) -> bool:
    return False


@miniature("Only what is available is taken away.",
           caught_by=("deployments.10", "rolling-updates.06"), instead_of=Rollout._shrink)  # fmt: skip
def keeps_what_is_not_ready(original: Original, self: Rollout) -> bool:
    least = wanted(self.deployment) - limits(self.deployment)[1]
    spare, taken = sum(told(one, "availableReplicas") for one in self._all()) - least, 0
    for one in list(self._old):
        taken += self._take(one, min(wanted(one), told(one, "availableReplicas"), spare - taken))
    return taken > 0


@miniature("To recreate is to have all new Pods come at once.",
           caught_by=("rolling-updates.07", "rolling-updates.08"), instead_of=Rollout._recreate)  # fmt: skip
def rolls_instead_of_recreating(original: Original, self: Rollout) -> None:
    self._roll()


@miniature("Old Pods are never gone.",
           caught_by=("rolling-updates.07", "rolling-updates.09"), instead_of=Rollout._old_pods_run)  # fmt: skip
def waits_for_old_pods_for_ever(original: Original, self: Rollout) -> bool:
    return bool(self._old)


# Scaling


@miniature("A ReplicaSet keeps the number that somebody gave it.",
           caught_by="deployments.12", instead_of=Rollout._resize)  # fmt: skip
def respects_other_numbers(original: Original, self: Rollout, replica_set: Object, size: int) -> bool:
    seen = told(self.deployment, "observedGeneration") == self.deployment["metadata"]["generation"]
    return False if seen else bool(original(self, replica_set, size))


@miniature("What is added is added to the largest.", caught_by="deployments.13", instead_of=rollout.proportions)
def adds_to_the_largest(
    original: Original, active: list[Object], target: int, most: int, present: int
) -> list[tuple[Object, int]]:
    largest = max(active, key=wanted)
    return [(largest, wanted(largest) + most - sum(map(wanted, active)))]


@miniature("A paused Deployment is not scaled.", caught_by="rolling-updates.13", instead_of=Rollout._scale)
def scales_nothing_that_is_paused(original: Original, self: Rollout) -> None:
    if not self.deployment["spec"].get("paused"):
        original(self)


# Pauses


@miniature("A pause is not heeded.", caught_by=PAUSED, instead_of=Rollout.step)
def rolls_on(original: Original, self: Rollout) -> None:
    self.deployment = with_spec(self.deployment, paused=False)
    original(self)


_paused: set[str] = set()


@miniature("What was paused stays so.", caught_by="rolling-updates.11", instead_of=Rollout.step)
def never_resumes(original: Original, self: Rollout) -> None:
    if self.deployment["spec"].get("paused"):
        _paused.add(uid_of(self.deployment))
    if uid_of(self.deployment) in _paused:
        self.deployment = with_spec(self.deployment, paused=True)
    original(self)


@miniature("A pause is not told of.",
           caught_by=("rolling-updates.10", "rolling-updates.18"), instead_of=Rollout._note_pause)  # fmt: skip
def pauses_in_silence(original: Original, self: Rollout) -> None:
    return None


# The status


@miniature(
    "A Deployment is never complete.",
    caught_by=("deployments.14", "rolling-updates.11", "revisions.04#1"),
    instead_of=progress.is_complete,
)
def is_never_complete(original: Original, deployment: Object, status: Object) -> bool:
    return False


def _available(status: Object, holds: str) -> Object:
    conditions = [{**one, "status": holds} if one["type"] == "Available" else one for one in status["conditions"]]
    return {**status, "conditions": conditions}


@miniature("A Deployment that is there is available.", caught_by="deployments.15", instead_of=progress.status_of)
def is_always_available(original: Original, deployment: Object, *rest: Any) -> Object:
    return _available(original(deployment, *rest), "True")


@miniature("A Deployment is available when all its Pods are.",
           caught_by="deployments.16", instead_of=progress.status_of)  # fmt: skip
def demands_all(original: Original, deployment: Object, *rest: Any) -> Object:
    status = original(deployment, *rest)
    return _available(status, str(status.get("availableReplicas", 0) >= wanted(deployment)))


@miniature("That Pods are refused is told by their ReplicaSet alone.",
           caught_by="deployments.17", instead_of=progress.with_failure)  # fmt: skip
def passes_no_failure_on(original: Original, status: Object, *rest: Any) -> Object:
    return status


@miniature("No deadline ever runs out.", caught_by=LATE, instead_of=progress._has_timed_out)
def has_all_the_time(original: Original, *rest: Any) -> bool:
    return False


@miniature("Nobody looks when the deadline has run out.", caught_by=LATE, instead_of=progress.check_in)
def looks_at_no_deadline(original: Original, *rest: Any) -> None:
    return None


@miniature("What was late once is late for ever.", caught_by="rolling-updates.17", instead_of=progress.with_progress)
def never_forgives_a_delay(original: Original, deployment: Object, status: Object, *rest: Any) -> Object:
    late = (condition_of(deployment, progress.PROGRESSING) or {}).get("reason") == TIMED_OUT
    return status if late else original(deployment, status, *rest)


# Revisions


@miniature(
    "Nothing is kept of the past.",
    caught_by=("deployments.06", "revisions.01", "revisions.03", "revisions.04#3", "revisions.04#4"),
    instead_of=Rollout._clean_up,
)
def keeps_no_past(original: Original, self: Rollout) -> None:
    self.deployment = with_spec(self.deployment, revisionHistoryLimit=0)
    original(self)


@miniature("The past is never forgotten.",
           caught_by=("revisions.04#1", "revisions.04#2"), instead_of=Rollout._clean_up)  # fmt: skip
def forgets_nothing(original: Original, self: Rollout) -> None:
    return None


@miniature("The nearest past is forgotten first.", caught_by="revisions.04#2", instead_of=Rollout._clean_up)
def forgets_the_nearest(original: Original, self: Rollout) -> None:
    limit = self.deployment["spec"]["revisionHistoryLimit"]
    for one in sorted(self._old, key=rollout._revision, reverse=True)[: max(0, len(self._old) - limit)]:
        if not told(one, "replicas"):
            self._client.delete(SETS, name_of(one), namespace_of(one))


@miniature("What has Pods is past, too.", caught_by="revisions.05", instead_of=Rollout._clean_up_if_complete)
def forgets_the_present(original: Original, self: Rollout) -> None:
    limit = self.deployment["spec"]["revisionHistoryLimit"]
    for one in sorted(self._old, key=rollout._revision)[: max(0, len(self._old) - limit)]:
        self._client.delete(SETS, name_of(one), namespace_of(one))


@miniature("Every revision is the first.",
           caught_by=("revisions.01", "revisions.03"), instead_of=Rollout._marked)  # fmt: skip
def counts_no_revisions(original: Original, self: Rollout, replica_set: Object, revision: int) -> dict[str, str]:
    return original(self, replica_set, 1)


@miniature("A ReplicaSet that is used again keeps its revision.",
           caught_by="revisions.01", instead_of=Rollout._marked)  # fmt: skip
def keeps_the_old_revision(original: Original, self: Rollout, replica_set: Object, revision: int) -> dict[str, str]:
    return dict(annotations_of(replica_set)) or original(self, replica_set, revision)


@miniature("Annotations are for new ReplicaSets alone.", caught_by="revisions.06", instead_of=Rollout._renew)
def renews_nothing(original: Original, self: Rollout, new: Object, revision: int) -> None:
    return None
