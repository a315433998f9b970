"""Timestamps, ids, the trace, and the proof against changing what was given away."""

from __future__ import annotations

import copy
import re
import uuid
from collections.abc import Callable
from typing import Any

import jsonschema_rs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from refkube.engine.clock import VirtualClock, WallClock, parse_rfc3339, rfc3339, rfc3339_micro
from refkube.engine.frozen import fingerprint, freeze, thaw
from refkube.engine.ids import ALPHABET, Ids
from refkube.engine.trace import Trace


def test_timestamps_are_written_as_kubernetes_does() -> None:
    assert rfc3339(1767225600.999) == "2026-01-01T00:00:00Z"
    assert rfc3339_micro(1767225600.1) == "2026-01-01T00:00:00.100000Z"
    assert rfc3339_micro(1767225599.9999999) == "2026-01-01T00:00:00.000000Z"
    assert rfc3339(-0.5) == "1969-12-31T23:59:59Z"


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("2026-01-01T00:00:00Z", 1767225600.0),
        ("2026-01-01T01:00:00+01:00", 1767225600.0),
        ("2025-12-31T19:30:00.25-04:30", 1767225600.25),
    ],
)
def test_timestamps_are_read(text: str, when: float) -> None:
    assert parse_rfc3339(text) == when


@pytest.mark.parametrize("text", ["", "2026-01-01", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z", "20260101T000000Z"])
def test_what_is_no_timestamp_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_rfc3339(text)


@given(st.integers(0, 4_000_000_000_000_000))
def test_microseconds_survive(micros: int) -> None:
    assert round(parse_rfc3339(rfc3339_micro(micros / 1e6)) * 1e6) == pytest.approx(micros, abs=1)


def test_a_virtual_clock_never_goes_back_and_a_wall_clock_runs_at_its_speed() -> None:
    clock = VirtualClock(5.0)
    assert clock.skip_to(3.0)
    assert clock.now() == 5.0
    wall = WallClock(speed=60.0, start=0.0)
    assert not wall.skip_to(100.0)
    assert 0 <= wall.now() < 60
    assert (wall.delay(600.0) or 0) <= 10.0
    with pytest.raises(ValueError):
        WallClock(speed=0)


def test_a_seed_gives_the_same_ids_again() -> None:
    first, second, other = Ids(7), Ids(7), Ids(8)
    uids = [first.uid() for _ in range(200)]
    assert uids == [second.uid() for _ in range(200)]
    assert other.uid() not in uids
    for text in uids:
        assert uuid.UUID(text).version == 4
        assert uuid.UUID(text).variant == uuid.RFC_4122
        assert str(uuid.UUID(text)) == text
    assert re.fullmatch(f"[{ALPHABET}]{{5}}", first.suffix())
    assert len(first.suffix(10)) == 10


def test_a_trace_records_only_while_on_and_keeps_the_last_entries() -> None:
    clock = VirtualClock(1.0)
    trace, told = Trace(clock.now), []
    assert not trace.on
    trace.listen(told.append)
    trace.start(limit=2)
    trace.record("kubelet/n1", "start")
    trace.record("kubelet/n2", "start")
    trace.record("scheduler", "bind", "fits", node="n1")
    assert [(e.who, e.what, e.why, e.detail) for e in trace.entries("scheduler")] == [
        ("scheduler", "bind", "fits", {"node": "n1"})
    ]
    assert [entry.who for entry in trace.entries("kubelet/")] == ["kubelet/n2"]
    assert len(told) == 3
    trace.stop()
    assert not trace.on
    trace.clear()
    assert trace.entries() == []


POD: dict[str, Any] = {
    "kind": "Pod",
    "metadata": {"namespace": "default", "name": "web"},
    "spec": {"containers": [{"name": "c", "ports": [80]}]},
}

CHANGES: list[Callable[[Any], object]] = [
    lambda pod: pod.__setitem__("status", {}),
    lambda pod: pod["metadata"].pop("name"),
    lambda pod: pod["metadata"].update(name="x"),
    lambda pod: pod["metadata"].setdefault("labels", {}),
    lambda pod: pod["spec"]["containers"].append({}),
    lambda pod: pod["spec"]["containers"].sort(),
    lambda pod: pod["spec"]["containers"][0]["ports"].clear(),
    lambda pod: pod["spec"]["containers"][0].__delitem__("name"),
    lambda pod: pod.__ior__({"a": 1}),
    lambda pod: pod["spec"]["containers"].__iadd__([1]),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_frozen_object_refuses_change_and_names_the_culprit(change: Callable[[Any], object]) -> None:
    frozen = freeze(POD)
    with pytest.raises(TypeError, match=r"Pod default/web.* is frozen, but .*test_engine_parts.py:\d+ changes it"):
        change(frozen)
    assert frozen == POD
    was = fingerprint(POD)
    ordinary = thaw(frozen)
    assert fingerprint(ordinary) == was
    change(ordinary) if "sort" not in change.__code__.co_names else ordinary["spec"]["containers"].reverse()
    assert (fingerprint(ordinary) == was) == (ordinary == POD)


def test_a_frozen_object_is_one_to_the_libraries() -> None:
    frozen = freeze(POD)
    assert orjson.loads(orjson.dumps(frozen)) == POD
    schema = jsonschema_rs.validator_for({"type": "object", "properties": {"spec": {"required": ["containers"]}}})
    assert schema.is_valid(frozen)
    assert not schema.is_valid(freeze({"spec": {}}))
    assert type({**frozen}) is dict
    assert type(frozen | {"a": 1}) is dict
    assert type(copy.deepcopy(frozen)["spec"]) is dict
    assert freeze({**frozen})["spec"] is frozen["spec"]
