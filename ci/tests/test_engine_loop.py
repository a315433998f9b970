"""The event loop: its order, its time, its failures."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refkube.engine.clock import VirtualClock, WallClock
from refkube.engine.loop import Loop


def virtual(seed: int | None = None, **options: Any) -> Loop:
    return Loop(VirtualClock(1000.0), seed, **options)


def test_within_an_instant_deliveries_come_first_then_due_timers_then_reconciles() -> None:
    loop, ran = virtual(), []
    loop.call_idle(ran.append, "idle")
    loop.call_later(0, ran.append, "timer")
    loop.call_later(0, lambda: loop.call_soon(ran.append, "soon of timer"))
    loop.call_soon(ran.append, "soon")
    loop.settle()
    assert ran == ["soon", "timer", "soon of timer", "idle"]


def test_a_reconcile_waits_until_what_an_earlier_one_caused_is_delivered() -> None:
    loop, ran = virtual(), []
    loop.call_idle(lambda: loop.call_soon(ran.append, "delivery"))
    loop.call_idle(ran.append, "second reconcile")
    loop.settle()
    assert ran == ["delivery", "second reconcile"]


def test_timers_run_by_time_then_by_the_order_they_were_set_in() -> None:
    loop, ran = virtual(), []
    for name, delay in (("c", 2), ("a", 1), ("b", 1), ("now", -5)):
        loop.call_later(delay, lambda name=name: ran.append((name, loop.now())))
    loop.run_for(10)
    assert ran == [("now", 1000.0), ("a", 1001.0), ("b", 1001.0), ("c", 1002.0)]
    assert loop.now() == 1010.0


def test_a_cancelled_timer_does_not_run_even_if_cancelled_in_its_own_instant() -> None:
    loop, ran = virtual(), []
    later = loop.call_later(2, ran.append, "later")
    loop.call_later(1, lambda: due.cancel())
    due = loop.call_later(1, ran.append, "due")
    later.cancel()
    later.cancel()
    loop.run_for(10)
    assert ran == []
    assert not later.pending


def test_cancelled_timers_do_not_pile_up() -> None:
    loop = virtual()
    kept = [loop.call_later(50, lambda: None) for _ in range(10)]
    for _ in range(10_000):
        loop.call_later(100, lambda: None).cancel()
    assert len(loop._timers) < 200
    assert all(timer.pending for timer in kept)
    assert loop.next_due() == 1050.0
    for timer in kept:
        timer.cancel()
    assert loop.next_due() is None


def test_run_until_stops_in_the_first_quiet_instant_in_which_the_predicate_holds() -> None:
    loop, ran = virtual(), []
    loop.call_later(3, ran.append, 1)
    loop.call_later(3, lambda: loop.call_idle(ran.append, 2))
    loop.call_later(4, ran.append, 3)
    assert loop.run_until(lambda: ran, timeout=60)
    assert ran == [1, 2]
    assert loop.now() == 1003.0


def test_run_until_gives_up_exactly_at_the_deadline_after_all_that_is_due_by_then() -> None:
    loop, ran = virtual(), []
    loop.call_later(40, ran.append, "at the deadline")
    loop.call_later(40.5, ran.append, "after it")
    assert not loop.run_until(lambda: False, timeout=40)
    assert (ran, loop.now()) == (["at the deadline"], 1040.0)
    assert loop.run_until(lambda: len(ran) == 2, timeout=0.5)


def test_an_exception_reaches_the_caller_and_the_loop_can_be_run_on() -> None:
    loop, ran = virtual(), []
    loop.call_soon(lambda: 1 / 0)
    loop.call_soon(ran.append, "next")
    with pytest.raises(ZeroDivisionError):
        loop.settle()
    loop.settle()
    assert ran == ["next"]


def test_an_exception_goes_to_the_hook_where_there_is_one() -> None:
    told: list[tuple[str, str]] = []
    loop, ran = virtual(on_error=lambda exc, what: told.append((type(exc).__name__, what))), []

    def fail() -> None:
        raise KeyError("x")

    loop.call_later(1, fail)
    loop.call_later(1, ran.append, "next")
    loop.run_for(2)
    assert ran == ["next"]
    assert [(name, what.rsplit(".", 1)[-1]) for name, what in told] == [("KeyError", "fail")]


def test_an_instant_that_never_gets_quiet_is_an_error() -> None:
    loop = virtual()
    loop.patience = 5000

    def again() -> None:
        loop.call_soon(again)

    loop.call_soon(again)
    with pytest.raises(RuntimeError, match=r"does not become quiet.*again"):
        loop.run_for(1)


def test_a_callback_must_not_run_the_loop() -> None:
    loop = virtual()
    loop.call_soon(loop.settle)
    with pytest.raises(RuntimeError, match="running already"):
        loop.settle()


def test_drain_says_when_to_come_back() -> None:
    loop = virtual()
    assert loop.drain() is None
    loop.call_later(5, lambda: None)
    assert loop.drain() is None  # a virtual clock does not go by itself
    wall = Loop(WallClock(speed=10.0, start=0.0))
    assert wall.drain() is None
    wall.call_later(100, lambda: None)
    wait = wall.drain()
    assert wait is not None
    assert 9 < wait <= 10

    def again() -> None:
        wall.call_soon(again)

    wall.call_soon(again)
    assert wall.drain(max_seconds=0.001) == 0.0


def test_a_wall_clock_is_waited_for() -> None:
    loop, ran = Loop(WallClock(speed=1000.0, start=0.0)), []
    loop.call_later(5, ran.append, "done")
    assert loop.run_until(lambda: ran, timeout=600)
    assert 5 <= loop.now() < 600


def test_other_threads_post_and_stop() -> None:
    loop, ran = Loop(WallClock()), []

    def other() -> None:
        loop.post(ran.append, threading.current_thread().name)
        loop.post(loop.stop)

    thread = threading.Thread(target=other, name="other")
    thread.start()
    loop.run_forever()
    thread.join()
    assert ran == ["other"]


def test_run_forever_moves_a_virtual_clock_until_stopped() -> None:
    loop = virtual()
    loop.call_later(1000, loop.stop)
    loop.run_forever()
    assert loop.now() == 2000.0


# A program: each step sets a few calls of its own when it runs.
PROGRAM = st.lists(
    st.tuples(st.sampled_from(["soon", "idle", "later"]), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40
)


def run_program(program: list[tuple[str, int, int]], seed: int | None) -> list[tuple[float, int]]:
    loop, ran = virtual(seed), []

    def step(index: int) -> None:
        ran.append((loop.now(), index))
        for child in range(2 * index + 1, 2 * index + 3):
            if child < len(program):
                start(child)

    def start(index: int) -> None:
        how, delay, lane = program[index]
        call = lanes[lane]
        if how == "later":
            loop.call_later(delay, call, index)
        else:
            (loop.call_soon if how == "soon" else loop.call_idle)(call, index)

    lanes = [lambda index: step(index) for _ in range(4)]
    start(0)
    loop.run_for(1000)
    return ran


@settings(max_examples=60, deadline=None)
@given(PROGRAM, st.one_of(st.none(), st.integers(0, 1000)))
def test_a_seed_gives_one_order_and_loses_no_call(program: list[tuple[str, int, int]], seed: int | None) -> None:
    first = run_program(program, seed)
    assert run_program(program, seed) == first
    assert sorted(index for _, index in first) == list(range(len(program)))
    assert [when for when, _ in first] == sorted(when for when, _ in first)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 4), max_size=60), st.integers(0, 1000))
def test_a_seed_never_reorders_the_calls_of_one_callable(calls: list[int], seed: int) -> None:
    loop = virtual(seed)
    got: list[list[int]] = [[] for _ in range(5)]
    for position, lane in enumerate(calls):
        loop.call_soon(got[lane].append, position)
    loop.settle()
    assert got == [[p for p, lane in enumerate(calls) if lane == wanted] for wanted in range(5)]


def test_different_seeds_find_different_orders() -> None:
    def order(seed: int) -> tuple[int, ...]:
        loop, ran = virtual(seed), []
        for i in range(6):
            loop.call_soon(lambda i=i: ran.append(i))
        loop.settle()
        return tuple(ran)

    assert len({order(seed) for seed in range(20)}) > 10
