"""Faults that features/discovery/rollouts.feature must catch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from refkube.apimachinery.meta import Object
from refkube.controllers.common import pods, rollout
from refkube.controllers.deployment.rollout import Rollout

from gherkube.drivers.miniatures import miniature

Original = Callable[..., Any]


@miniature(
    "A rolling update takes all old Pods away first.",
    caught_by=("rollouts.01", "rollouts.02"),
    instead_of=Rollout._roll,
)
def recreates_instead_of_rolling(original: Original, self: Rollout) -> None:
    self._recreate()


@miniature(
    "A share of Pods that may be missing is rounded up.",
    caught_by=("rollouts.01#1", "rollouts.02", "rolling-updates.01#5"),
    instead_of=rollout.scaled,
)
def rounds_what_may_be_missing_up(original: Original, value: int | str, total: int, round_up: bool) -> int:
    return int(original(value, total, True))


@miniature(
    "A Deployment counts Pods as ready before they are.",
    caught_by=("rollouts.02", "replicasets.14"),
    instead_of=pods.ready_since,
)
def counts_pods_before_they_are_ready(original: Original, pod: Object) -> str | None:
    since: str | None = original(pod)
    return "" if since is None else since
