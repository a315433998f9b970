"""Taints of nodes and what Pods tolerate. Facts: component-helpers/scheduling/corev1 (FindMatchingUntoleratedTaint)."""

from __future__ import annotations

from collections.abc import Iterable

from refkube.apimachinery.meta import Object

NO_SCHEDULE, PREFER_NO_SCHEDULE, NO_EXECUTE = "NoSchedule", "PreferNoSchedule", "NoExecute"


def tolerates(toleration: Object, taint: Object) -> bool:
    """Without an effect every effect, without a key every key (of operator Exists) is meant."""
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    operator = toleration.get("operator") or "Equal"
    if operator == "Exists":
        return True
    return operator == "Equal" and bool(toleration.get("key")) and toleration.get("value", "") == taint.get("value", "")


def untolerated(taints: Iterable[Object], tolerations: Iterable[Object], *effects: str) -> list[Object]:
    """The taints of these effects that none of the tolerations covers."""
    tolerations = list(tolerations)
    return [
        taint
        for taint in taints
        if taint.get("effect") in effects and not any(tolerates(toleration, taint) for toleration in tolerations)
    ]
