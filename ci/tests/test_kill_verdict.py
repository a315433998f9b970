"""What `ci/kill.py` calls a violation: a verdict that nothing can break would be none."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from ci.kill import Seen, Try, _miscounted, _out_of_order, _untrue

KEY = "kill-a/w0-0"
CREATED, UPDATED = Try(False, "1", "acknowledged", 5), Try(False, "2", "acknowledged", 7)
GONE = Try(True, "3", "acknowledged")
UNKNOWN, UNKNOWN_GONE, REFUSED = Try(False, "4"), Try(True, "5"), Try(False, "6", "refused")
ADDED, MODIFIED, DELETED = Seen(5, "ADDED", KEY, "1"), Seen(7, "MODIFIED", KEY, "2"), Seen(9, "DELETED", KEY, "2")


@pytest.mark.parametrize(
    ("events", "tries"),
    [
        ([ADDED, MODIFIED, DELETED], [CREATED, UPDATED, GONE]),
        ([ADDED], [CREATED, UNKNOWN, UNKNOWN_GONE, REFUSED]),
        ([ADDED, Seen(6, "MODIFIED", KEY, "4")], [CREATED, UNKNOWN]),
        ([ADDED, DELETED], [CREATED, UNKNOWN_GONE]),
        ([ADDED, DELETED], [CREATED, UNKNOWN_GONE, GONE]),
        (
            [ADDED, DELETED, Seen(10, "ADDED", KEY, "4"), Seen(11, "DELETED", KEY, "4")],
            [CREATED, UNKNOWN_GONE, UNKNOWN, GONE],
        ),
    ],
)
def test_what_may_happen(events: list[Seen], tries: list[Try]) -> None:
    assert _untrue(KEY, events, tries) == []


@pytest.mark.parametrize(
    ("events", "tries"),
    [
        ([ADDED], [CREATED, UPDATED]),  # an acknowledged write is lost
        ([MODIFIED], [CREATED, UPDATED]),
        ([ADDED, MODIFIED], [CREATED, UPDATED, GONE]),  # an acknowledged deletion is lost
        ([ADDED, DELETED], [CREATED]),  # nobody asked for it
        ([ADDED, Seen(6, "MODIFIED", KEY, "6")], [CREATED, REFUSED]),  # what was refused happened
        ([Seen(6, "ADDED", KEY, "1")], [CREATED]),  # at another revision than was acknowledged
        ([ADDED, Seen(6, "MODIFIED", KEY, "half a write: {}")], [CREATED, UNKNOWN]),
        ([MODIFIED, ADDED], [CREATED, UPDATED]),  # in another order
    ],
)
def test_what_may_not_happen(events: list[Seen], tries: list[Try]) -> None:
    assert len(_untrue(KEY, events, tries)) == 1


def test_histories_and_counters() -> None:
    assert _out_of_order([ADDED, MODIFIED, DELETED]) == []
    assert _out_of_order([ADDED, DELETED, MODIFIED])
    assert _out_of_order([ADDED, ADDED])
    counted = [Seen(5, "MODIFIED", KEY, "1"), Seen(6, "MODIFIED", KEY, "2")]
    assert _miscounted(counted, [(1, 5)]) == []
    assert _miscounted(counted, [(2, 7)])
    assert _miscounted([counted[0], Seen(6, "MODIFIED", KEY, "1")], [])
