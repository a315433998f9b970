"""Pods as the controllers of workloads see them: which count, since when they are ready, and which go first.

Facts: pkg/controller/controller_utils.go (ActivePodsWithRanks), pkg/api/v1/pod/util.go.
"""

from __future__ import annotations

from collections import Counter
from functools import cmp_to_key, partial
from math import log2

from refkube.apimachinery.meta import Object, annotations_of, condition_of, is_terminating, labels_of
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


Class = tuple[bool, int, bool, int]  # on a node? how far? ready? what does its deletion cost?
Place = tuple[Class, str]  # and the name of its node


class Tally:
    """The Pods of one controller, counted."""

    __slots__ = ("active", "labels", "places", "ready", "terminating")

    def __init__(self) -> None:
        self.active = 0
        self.terminating = 0
        self.ready: Counter[str] = Counter()  # active ones, by the time since when
        self.labels: Counter[frozenset[tuple[str, str]]] = Counter()  # active ones
        self.places: dict[Place, dict[str, _Member]] = {}  # active ones by uid

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

    def on_nodes(self) -> Counter[str]:
        counts: Counter[str] = Counter()
        for (_, node), pods in self.places.items():
            counts[node] += len(pods)
        return counts

    def first_to_go(self, number: int, on_nodes: Counter[str], now: float) -> list[Object]:
        """The least useful active Pods. `on_nodes` counts all that compete with them for nodes: one more on a node is
        worth less. Only those between whom nothing else decides are ranked by their age."""
        alike: dict[tuple[Class, int], list[_Member]] = {}
        for (class_, node), pods in self.places.items():
            alike.setdefault((class_, -on_nodes[node]), []).extend(pods.values())
        chosen: list[_Member] = []
        for rank in sorted(alike):
            members, missing = alike[rank], number - len(chosen)
            if missing < len(members):
                members = sorted(members, key=cmp_to_key(partial(_compare, now=now)))[:missing]
            chosen += members
        return [member.pod for member in chosen]


_Counted = tuple[str, Place | None, frozenset[tuple[str, str]], str | None]  # its owner; no place: it is terminating


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
        uid = pod["metadata"]["uid"]
        before, after = self._counted.get(uid), self._count_of(pod)
        if before != after:
            if before is not None:
                self._drop(pod)
            if after is not None:
                self._counted[uid] = after
                self._add(after, 1)
        if after is not None and after[1] is not None:
            self._tallies[after[0]].places.setdefault(after[1], {})[uid] = _Member(pod)

    def _drop(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        before = self._counted.pop(uid, None)
        if before is None:
            return
        places, place = self._tallies[before[0]].places, before[1]
        if place is not None:
            del places[place][uid]
            if not places[place]:
                del places[place]
        self._add(before, -1)

    def _count_of(self, pod: Object) -> _Counted | None:
        owner = controller_of(pod)
        if owner is None or owner["kind"] != self._kind or is_terminal(pod):
            return None
        if is_terminating(pod):
            return owner["uid"], None, frozenset(), None
        since, node = ready_since(pod), pod["spec"].get("nodeName", "")
        class_ = (bool(node), _PHASES.get(phase_of(pod), 0), since is not None, _cost(pod))
        return owner["uid"], (class_, node), frozenset(labels_of(pod).items()), since

    def _add(self, counted: _Counted, number: int) -> None:
        owner, place, labels, since = counted
        tally = self._tallies.setdefault(owner, Tally())
        if place is None:
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


class _Member:
    __slots__ = ("_age", "pod")

    def __init__(self, pod: Object):
        self.pod = pod
        self._age: tuple[float | None, tuple[int, int], float] | None = None

    @property
    def age(self) -> tuple[float | None, tuple[int, int], float]:
        """Since when it is ready, how often its containers were restarted, when it was made."""
        if self._age is None:
            since, created = ready_since(self.pod), parse_rfc3339(self.pod["metadata"]["creationTimestamp"])
            restarts = _restarts(self.pod, "containers"), _restarts(self.pod, "initContainers")
            self._age = parse_rfc3339(since) if since else None, restarts, created
        return self._age


def _compare(a: _Member, b: _Member, now: float) -> int:
    """Negative if `a` goes before `b`: the younger; ages of one power of two are alike, and chance, in the form of the
    uid, decides."""
    (ready, restarts, created), (other_ready, other_restarts, other_created) = a.age, b.age
    if ready == other_ready:
        if restarts != other_restarts:
            return -1 if restarts > other_restarts else 1
        ready, other_ready = created, other_created
    if ready == other_ready:
        return 0
    if ready is None or other_ready is None:
        return -1 if ready is None else 1
    difference = _magnitude(now - ready) - _magnitude(now - other_ready)
    return difference or (-1 if a.pod["metadata"]["uid"] < b.pod["metadata"]["uid"] else 1)


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
