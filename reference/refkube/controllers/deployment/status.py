"""What a Deployment's status says of its rollout. Pure; facts: pkg/controller/deployment (sync.go, progress.go)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from refkube.apimachinery.meta import Object, condition_of, name_of
from refkube.controllers.common.rollout import fenceposts
from refkube.engine.clock import parse_rfc3339, rfc3339

PROGRESSING, AVAILABLE, REPLICA_FAILURE = "Progressing", "Available", "ReplicaFailure"
TIMED_OUT, NEW_SET_AVAILABLE = "ProgressDeadlineExceeded", "NewReplicaSetAvailable"
NO_DEADLINE = 2**31 - 1


def wanted(obj: Object) -> int:
    """Replicas in the spec of a Deployment or ReplicaSet."""
    return obj["spec"].get("replicas", 1)


def told(obj: Object, field: str) -> int:
    """A number of its status."""
    return (obj.get("status") or {}).get(field, 0)


def limits(deployment: Object) -> tuple[int, int]:
    """How many may be more than wanted, how many may be missing; none of either unless the update is a rolling one."""
    strategy = deployment["spec"].get("strategy") or {}
    if strategy.get("type", "RollingUpdate") != "RollingUpdate":
        return 0, 0
    rolling = strategy.get("rollingUpdate") or {}
    surge, missing = fenceposts(rolling.get("maxSurge"), rolling.get("maxUnavailable"), wanted(deployment))
    return surge, min(missing, wanted(deployment))


def deadline_of(deployment: Object) -> int | None:
    deadline = deployment["spec"].get("progressDeadlineSeconds")
    return None if deadline == NO_DEADLINE else deadline


def with_condition(
    conditions: Sequence[Object], type: str, why: tuple[str, str, str], now: float, renew: bool = False
) -> list[Object]:
    """`why` is status, reason and message. One that says the same for the same reason stays as it is, unless it is to
    have a new time of update in any case."""
    status, reason, message = why
    before = next((condition for condition in conditions if condition.get("type") == type), {})
    same = before.get("status") == status
    if same and before.get("reason") == reason and not renew:
        return list(conditions)
    condition = {
        "type": type,
        "status": status,
        "lastUpdateTime": rfc3339(now),
        "lastTransitionTime": before["lastTransitionTime"] if same else rfc3339(now),
        "reason": reason,
        "message": message,
    }
    return [*without_condition(conditions, type), condition]


def without_condition(conditions: Iterable[Object], type: str) -> list[Object]:
    return [condition for condition in conditions if condition.get("type") != type]


def status_of(deployment: Object, new: Object | None, old: Sequence[Object], now: float) -> Object:
    """Counts and availability; other conditions stay."""
    every = [*old, new] if new is not None else list(old)
    before = deployment.get("status") or {}
    available = sum(told(one, "availableReplicas") for one in every)
    counts = {
        "observedGeneration": deployment["metadata"].get("generation", 0),
        "replicas": sum(told(one, "replicas") for one in every),
        "updatedReplicas": told(new, "replicas") if new is not None else 0,
        "readyReplicas": sum(told(one, "readyReplicas") for one in every),
        "availableReplicas": available,
        "unavailableReplicas": max(0, sum(map(wanted, every)) - available),
    }
    status: dict[str, Any] = {field: count for field, count in counts.items() if count}
    status["terminatingReplicas"] = sum(told(one, "terminatingReplicas") for one in every)
    if "collisionCount" in before:
        status["collisionCount"] = before["collisionCount"]
    enough = available >= wanted(deployment) - limits(deployment)[1]
    why = ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    if not enough:
        why = ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    status["conditions"] = with_condition(before.get("conditions") or (), AVAILABLE, why, now)
    return status


def is_complete(deployment: Object, status: Object) -> bool:
    """All are updated and available, and there are no others."""
    counts = {status.get(field, 0) for field in ("updatedReplicas", "replicas", "availableReplicas")}
    seen = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    return counts == {wanted(deployment)} and seen


def with_progress(deployment: Object, status: Object, new: Object | None, now: float) -> Object:
    """The condition Progressing: done, getting on, or stuck for longer than the deadline."""
    conditions = status["conditions"]
    current = condition_of(deployment, PROGRESSING)
    if deadline_of(deployment) is None:
        return {**status, "conditions": without_condition(conditions, PROGRESSING)}
    nothing_new = status.get("replicas", 0) == status.get("updatedReplicas", 0)
    if nothing_new and current is not None and current.get("reason") == NEW_SET_AVAILABLE:
        return status
    who = f'ReplicaSet "{name_of(new)}"' if new is not None else f'Deployment "{name_of(deployment)}"'
    if is_complete(deployment, status):
        why = ("True", NEW_SET_AVAILABLE, f"{who} has successfully progressed.")
        conditions = with_condition(conditions, PROGRESSING, why, now)
    elif _gets_on(deployment.get("status") or {}, status):
        why = ("True", "ReplicaSetUpdated", f"{who} is progressing.")
        conditions = with_condition(conditions, PROGRESSING, why, now, renew=True)
    elif _has_timed_out(deployment, status, now):
        why = ("False", TIMED_OUT, f"{who} has timed out progressing.")
        conditions = with_condition(conditions, PROGRESSING, why, now)
    return {**status, "conditions": conditions}


def with_failure(status: Object, new: Object | None, old: Sequence[Object]) -> Object:
    """The ReplicaSets' trouble to make Pods, the new one's before the others'."""
    conditions = without_condition(status["conditions"], REPLICA_FAILURE)
    for replica_set in [new, *old]:
        failure = condition_of(replica_set, REPLICA_FAILURE) if replica_set is not None else None
        if failure is not None:
            return {**status, "conditions": [*conditions, {**failure, "lastUpdateTime": failure["lastTransitionTime"]}]}
    return {**status, "conditions": conditions}


def check_in(deployment: Object, status: Object, now: float) -> float | None:
    """Seconds until a rollout that does not get on is to be looked at, None if it need not be."""
    deadline, current = deadline_of(deployment), condition_of(deployment, PROGRESSING)
    if deadline is None or current is None:
        return None
    if is_complete(deployment, status) or current.get("reason") == TIMED_OUT:
        return None
    return parse_rfc3339(current["lastUpdateTime"]) + deadline - now


def _gets_on(before: Object, after: Object) -> bool:
    def more(field: str) -> bool:
        return after.get(field, 0) > before.get(field, 0)

    def rest(status: Object) -> int:
        return status.get("replicas", 0) - status.get("updatedReplicas", 0)

    return any(map(more, ("updatedReplicas", "readyReplicas", "availableReplicas"))) or rest(after) < rest(before)


def _has_timed_out(deployment: Object, status: Object, now: float) -> bool:
    current, deadline = condition_of({"status": status}, PROGRESSING), deadline_of(deployment)
    if current is None or deadline is None or current.get("reason") == NEW_SET_AVAILABLE:
        return False
    return current.get("reason") == TIMED_OUT or parse_rfc3339(current["lastUpdateTime"]) + deadline < now
