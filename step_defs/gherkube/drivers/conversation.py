"""What components said to each other, shortened to what somebody wants to read: for the pictures of the documentation.

A driver tells every request (`Said`); `condensed` leaves out what says nothing, brings alike requests together, and
names who spoke as people do. Called by `gherkube.world` at the end of a scenario that is recorded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from gherkube.drivers.base import Said

READS = ("get", "list", "watch")
IDLE = ("events", "leases")  # written all the time, whatever happens
ENOUGH = 16  # lines that somebody reads of one scenario
WINDOWS = (1, 3, 6, 12, 1000)  # how many lines back a request may join one that is alike
KINDS = 4  # kinds of object that alike requests are told of apart
NAMES = 3  # names told of alike requests


def condensed(said: Sequence[Said], telling: Collection[int] = ()) -> list[dict[str, Any]]:
    """Lines {step, at, until, who, verb, what, names, times, code, note}; as few joined as make it readable.

    In the steps that are `telling` a user's reading is what the scenario is about; elsewhere it only looks.
    """
    worth = [one for one in said if _says_something(one, telling)]
    lines: list[dict[str, Any]] = []
    for window in WINDOWS:
        lines = _joined(worth, window)
        if len(lines) <= ENOUGH:
            return lines
    return _by_verb(lines)


def told_in_short(subresource: str, body: Mapping[str, Any]) -> str:
    """What of a request's content tells most: where a Pod goes, its phase, a number of replicas."""
    if subresource == "binding":
        return f"to {(body.get('target') or {}).get('name', '')}"
    status, spec = body.get("status"), body.get("spec")
    if subresource == "status" and isinstance(status, dict):
        if "phase" in status:
            return str(status["phase"])
        return _number(status, "readyReplicas", "ready")
    if subresource in ("", "scale") and isinstance(spec, dict):
        return _number(spec, "replicas", "replicas")
    return ""


def speaker(user: str) -> str:
    """A component by its short name; whoever is no part of the system is called as it is."""
    parts = user.split(":")
    if parts[:2] == ["system", "node"]:
        return f"kubelet {parts[-1]}"
    if parts[0] == "system":
        return parts[-1].removeprefix("kube-")
    return "user" if user in ("admin", "kubernetes-admin", "") else user


def _says_something(one: Said, telling: Collection[int]) -> bool:
    if one.who.startswith("system:"):
        return one.verb not in READS and one.resource.partition("/")[0] not in IDLE
    return one.step in telling or one.verb not in READS


def _number(of: Mapping[str, Any], key: str, called: str) -> str:
    return f"{called} {of[key]}" if isinstance(of.get(key), int) else ""


def _joined(said: Iterable[Said], window: int) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for one in said:
        line = _line(one)
        alike = next((before for before in reversed(lines[-window:]) if _alike(before, line)), None)
        if alike is None:
            lines.append(line)
            continue
        alike["times"] += 1
        alike["until"] = line["at"]
        alike["names"] = list(dict.fromkeys([*alike["names"], *line["names"]]))[: NAMES + 1]
        if line["note"] != alike["note"]:
            alike["note"] = line["note"] if alike["names"] == line["names"] else ""
    return lines


def _by_verb(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Where somebody does the same to many kinds of object in one step, that is one line."""
    kinds: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for line in lines:
        kinds.setdefault(tuple(line[key] for key in ("step", "who", "verb", "code")), []).append(line)
    joined: list[dict[str, Any]] = []
    for alike in kinds.values():
        if len(alike) <= KINDS:
            joined += alike
            continue
        first = alike[0]
        what = f"{first['what']}, {alike[1]['what']} and {len(alike) - 2} other kinds"
        times = sum(line["times"] for line in alike)
        joined.append({**first, "what": what, "names": [], "times": times, "until": alike[-1]["until"], "note": ""})
    return sorted(joined, key=lambda line: (line["step"], line["at"]))


def _line(one: Said) -> dict[str, Any]:
    return {
        "step": one.step,
        "at": one.at,
        "until": one.at,
        "who": speaker(one.who),
        "verb": one.verb,
        "what": one.resource,
        "names": [one.name] if one.name else [],
        "times": 1,
        "code": one.code,
        "note": one.note,
    }


def _alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one[key] == other[key] for key in ("step", "who", "verb", "what", "code"))
