"""Pods as the controllers of workloads see them: which count, since when they are ready, and which go first.

Facts: pkg/controller/controller_utils.go (ActivePodsWithRanks), pkg/api/v1/pod/util.go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cmp_to_key
from math import log2

from refkube.apimachinery.meta import Object, annotations_of, condition_of, is_terminating
from refkube.apimachinery.owners import controller_of
from refkube.client.informer import Informer
from refkube.engine.clock import parse_rfc3339

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"

_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}
_TERMINAL = ("Succeeded", "Failed")


def phase_of(pod: Object) -> str:
    return (pod.get("status") or {}).get("phase", "")


def is_terminal(pod: Object) -> bool:
    return phase_of(pod) in _TERMINAL


def is_active(pod: Object) -> bool:
    return not is_terminating(pod) and not is_terminal(pod)


def ready_since(pod: Object) -> str | None:
    """The timestamp of its readiness ("" if it is not told), None if it is not ready."""
    condition = condition_of(pod, "Ready")
    return condition.get("lastTransitionTime") or "" if condition and condition.get("status") == "True" else None


def unavailable_for(since: str | None, min_ready_seconds: int, now: float) -> float | None:
    """Seconds until what is ready since then is available: 0.0 if it is, None if that is not a matter of time."""
    if since is None or (not since and min_ready_seconds):
        return None
    return max(0.0, parse_rfc3339(since) + min_ready_seconds - now) if min_ready_seconds else 0.0


class Tally:
    """The Pods of one controller, counted."""

    __slots__ = ("active", "labels", "ready", "terminating")

    def __init__(self) -> None:
        self.active = 0
        self.terminating = 0
        self.ready: Counter[str] = Counter()  # active ones, by the time since when
        self.labels: Counter[frozenset[tuple[str, str]]] = Counter()  # active ones

    def available(self, min_ready_seconds: int, now: float) -> tuple[int, float | None]:
        """How many are, and the seconds until one more may be."""
        number, waits = 0, []
        for since, count in self.ready.items():
            wait = unavailable_for(since, min_ready_seconds, now)
            if wait == 0.0:
                number += count
            elif wait is not None:
                waits.append(wait)
        return number, min(waits, default=None)


_Counted = tuple[str, bool, frozenset[tuple[str, str]], str | None]


class Tallies:
    """Kept up to date with each change of a Pod, so that nobody counts all Pods of an owner for one of them."""

    def __init__(self, pods: Informer, owner_kind: str):
        self._kind = owner_kind
        self._tallies: dict[str, Tally] = {}
        self._counted: dict[str, _Counted] = {}  # by the Pod's uid
        pods.add_handler(self._put, lambda old, new: self._put(new), self._drop)

    def of(self, owner_uid: str) -> Tally:
        return self._tallies.get(owner_uid) or Tally()

    def _put(self, pod: Object) -> None:
        meta, counted = pod["metadata"], None
        owner = controller_of(pod)
        if owner is not None and owner["kind"] == self._kind and not is_terminal(pod):
            labels = frozenset((meta.get("labels") or {}).items())
            active = not is_terminating(pod)
            counted = (owner["uid"], active, labels, ready_since(pod) if active else None)
        before = self._counted.get(meta["uid"])
        if counted == before:
            return
        if before is not None:
            self._add(before, -1)
            del self._counted[meta["uid"]]
        if counted is not None:
            self._add(counted, 1)
            self._counted[meta["uid"]] = counted

    def _drop(self, pod: Object) -> None:
        before = self._counted.pop(pod["metadata"]["uid"], None)
        if before is not None:
            self._add(before, -1)

    def _add(self, counted: _Counted, number: int) -> None:
        owner, active, labels, since = counted
        tally = self._tallies.setdefault(owner, Tally())
        if not active:
            tally.terminating += number
        else:
            tally.active += number
            _count(tally.labels, labels, number)
            if since is not None:
                _count(tally.ready, since, number)
        if not tally.active and not tally.terminating:
            del self._tallies[owner]


def _count(counter: Counter, key: object, number: int) -> None:
    counter[key] += number
    if not counter[key]:
        del counter[key]


def first_to_go(pods: Sequence[Object], number: int, related: Iterable[Object], now: float) -> list[Object]:
    """The least useful of these active Pods. `related` are all that compete with them for nodes: one more on a node
    is worth less."""
    if number >= len(pods):
        return list(pods)
    on_node = Counter(pod["spec"].get("nodeName", "") for pod in related if is_active(pod))
    ranked = sorted((_Ranked(pod, on_node, now) for pod in pods), key=cmp_to_key(_compare))
    return [entry.pod for entry in ranked[:number]]


class _Ranked:
    __slots__ = ("class_", "created", "now", "pod", "ready", "restarts", "uid")

    def __init__(self, pod: Object, on_node: Counter[str], now: float):
        node, since = pod["spec"].get("nodeName", ""), ready_since(pod)
        self.pod, self.now, self.uid = pod, now, pod["metadata"]["uid"]
        self.class_ = (bool(node), _PHASES.get(phase_of(pod), 0), since is not None, _cost(pod), -on_node[node])
        self.ready = parse_rfc3339(since) if since else None
        self.restarts = _restarts(pod, "containers"), _restarts(pod, "initContainers")
        self.created = parse_rfc3339(pod["metadata"]["creationTimestamp"])


def _compare(a: _Ranked, b: _Ranked) -> int:
    """Negative if `a` goes before `b`."""
    if a.class_ != b.class_:
        return -1 if a.class_ < b.class_ else 1
    if a.ready != b.ready:
        return _by_age(a, b, a.ready, b.ready)
    if a.restarts != b.restarts:
        return -1 if a.restarts > b.restarts else 1
    return _by_age(a, b, a.created, b.created) if a.created != b.created else 0


def _by_age(a: _Ranked, b: _Ranked, first: float | None, second: float | None) -> int:
    """The younger goes first; ages of one power of two are alike, and chance, in the form of the uid, decides."""
    if first is None or second is None:
        return -1 if first is None else 1
    difference = _magnitude(a.now - first) - _magnitude(b.now - second)
    return difference or (-1 if a.uid < b.uid else 1)


def _magnitude(seconds: float) -> int:
    return int(log2(seconds * 1e9)) if seconds > 0 else -1


def _cost(pod: Object) -> int:
    try:
        cost = int(annotations_of(pod).get(DELETION_COST, "0"))
    except ValueError:
        return 0
    return cost if -(2**31) <= cost < 2**31 else 0


def _restarts(pod: Object, containers: str) -> int:
    """The most that any container, or of init containers any sidecar, was restarted."""
    plain = containers == "containers"
    counted = {c["name"] for c in pod["spec"].get(containers) or () if plain or c.get("restartPolicy") == "Always"}
    told = (pod.get("status") or {}).get("containerStatuses" if plain else "initContainerStatuses") or ()
    return max((status.get("restartCount", 0) for status in told if status["name"] in counted), default=0)
