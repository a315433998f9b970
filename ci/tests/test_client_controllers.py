"""What controllers are made of: work queue, harness, expectations."""

from __future__ import annotations

from typing import Any

import pytest
from client_fake import FakeServer, pod
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from refkube.apimachinery import errors
from refkube.client.client import Client
from refkube.client.controller import Controller
from refkube.client.expectations import Expectations
from refkube.client.informer import Informer
from refkube.client.workqueue import RateLimiter, WorkQueue
from refkube.engine.clock import VirtualClock
from refkube.engine.loop import Loop


def virtual(seed: int | None = None) -> Loop:
    return Loop(VirtualClock(), seed)


# The work queue

ITEMS = st.sampled_from("abc")


class QueueMachine(RuleBasedStateMachine):
    """`owed` are the items added since they were last taken: each must come, once the present holder is done."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = virtual()
        self.ready = 0
        self.queue: WorkQueue[str] = WorkQueue(self.loop, self.count)
        self.owed: set[str] = set()
        self.held: list[str] = []
        self.later: dict[str, float] = {}

    def count(self) -> None:
        self.ready += 1

    @rule(item=ITEMS)
    def add(self, item: str) -> None:
        self.queue.add(item)
        self.owed.add(item)

    @rule(item=ITEMS, seconds=st.sampled_from([0.0, 1.0, 5.0]))
    def add_after(self, item: str, seconds: float) -> None:
        self.queue.add_after(item, seconds)
        if seconds == 0:
            self.owed.add(item)
        else:
            when = self.loop.now() + seconds
            self.later[item] = min(self.later.get(item, when), when)

    @rule(seconds=st.sampled_from([0.5, 1.0, 10.0]))
    def wait(self, seconds: float) -> None:
        self.loop.run_for(seconds)
        for item, when in list(self.later.items()):
            if when <= self.loop.now():
                del self.later[item]
                self.owed.add(item)

    @rule()
    def get(self) -> None:
        if not self.ready:
            with pytest.raises(IndexError):
                self.queue.get()
            return
        self.ready -= 1
        item = self.queue.get()
        assert item not in self.held, "one key is processed twice at once"
        self.owed.remove(item)
        self.held.append(item)

    @rule()
    def done(self) -> None:
        if self.held:
            self.queue.done(self.held.pop(0))

    @invariant()
    def what_is_owed_is_ready_or_held(self) -> None:
        assert self.ready == len(self.queue) == len(self.owed - set(self.held))

    def teardown(self) -> None:
        for item in self.held:
            self.queue.done(item)
        assert {self.queue.get() for _ in range(len(self.queue))} == self.owed


TestWorkQueue = QueueMachine.TestCase
TestWorkQueue.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)


def test_a_closed_queue_takes_and_gives_nothing() -> None:
    loop, ready = virtual(), []
    queue: WorkQueue[str] = WorkQueue(loop, lambda: ready.append(1))
    queue.add("a")
    queue.add_after("b", 1)
    queue.close()
    queue.add("c")
    queue.add_after("d", 1)
    loop.run_for(5)
    assert len(queue) == 0
    assert ready == [1]


def test_a_failing_item_waits_twice_as_long_each_time_up_to_a_thousand_seconds() -> None:
    limiter: RateLimiter[str] = RateLimiter(virtual(), qps=1e9)
    waits = [limiter.when("a") for _ in range(100)]
    assert waits[:4] == [0.005, 0.01, 0.02, 0.04]
    assert waits[17:19] == [655.36, 1000.0]
    assert waits[99] == 1000.0
    assert limiter.num_requeues("a") == 100
    assert limiter.when("b") == 0.005
    limiter.forget("a")
    assert limiter.num_requeues("a") == 0
    assert limiter.when("a") == 0.005


def test_all_items_together_share_ten_a_second_after_a_burst_of_a_hundred() -> None:
    loop = virtual()
    limiter: RateLimiter[int] = RateLimiter(loop)
    waits = [limiter.when(i) for i in range(120)]
    assert waits[:100] == [0.005] * 100
    assert waits[100:] == pytest.approx([0.1 * n for n in range(1, 21)])
    loop.run_for(3)
    assert [limiter.when(i) for i in range(200, 211)] == pytest.approx([0.005] * 10 + [0.1])


# The harness


class World:
    def __init__(self, seed: int | None = None):
        self.loop = virtual(seed)
        self.server = FakeServer()
        self.client = Client(self.server.handle)
        self.pods = Informer(self.client, self.loop, "pods")
        self.ran: list[str] = []

    def controller(self, reconcile: Any = None) -> Controller:
        controller = Controller(self.loop, "tester", reconcile or self.ran.append, [self.pods])
        self.pods.add_handler(controller.add_object, lambda old, new: controller.add_object(new), controller.add_object)
        return controller


def test_a_controller_waits_for_its_informers() -> None:
    world = World()
    controller = world.controller()
    world.client.create("pods", pod("a"))
    controller.add("default/early")
    controller.start()
    world.loop.run_for(5)
    assert world.ran == []
    world.pods.start()
    world.loop.run_for(0)
    assert world.ran == ["default/early", "default/a"]


def test_many_changes_of_one_instant_cost_one_reconcile() -> None:
    world = World()
    world.controller().start()
    world.pods.start()
    world.client.create("pods", pod("a"))
    for phase in "xyz":
        world.client.patch("pods", "a", {"status": phase}, namespace="default")
    world.loop.settle()
    assert world.ran == ["default/a"]


def test_a_failing_key_is_tried_again_and_the_others_go_on() -> None:
    world, failures = World(), [errors.conflict("pods", "a", "no"), ConnectionRefusedError("refused")]

    def reconcile(key: str) -> None:
        world.ran.append(key)
        if key == "a" and failures:
            raise failures.pop(0)

    world.loop.trace.start()
    controller = Controller(world.loop, "tester", reconcile)
    controller.start()
    controller.add("a")
    controller.add("b")
    world.loop.settle()
    assert world.ran == ["a", "b"]
    assert "no" in controller.errors["a"]
    world.loop.run_for(0.006)
    assert controller.errors["a"] == "refused"
    world.loop.run_for(0.011)
    assert world.ran == ["a", "b", "a", "a"]
    assert controller.errors == {}
    assert controller.queue.num_requeues("a") == 0
    told = world.loop.trace.entries("tester")
    assert [(entry.what, entry.detail["seconds"]) for entry in told] == [("requeue a", 0.005), ("requeue a", 0.01)]


def test_a_mistake_in_the_program_is_told_to_the_loop_and_tried_again() -> None:
    loop, ran = virtual(), []

    def reconcile(key: str) -> None:
        ran.append(key)
        if len(ran) == 1:
            raise AttributeError("typo")

    controller = Controller(loop, "tester", reconcile)
    controller.start()
    controller.add("a")
    controller.add("b")
    with pytest.raises(AttributeError, match="typo"):
        loop.settle()
    loop.run_for(1)
    assert ran == ["a", "b", "a"]


def test_a_stopped_controller_does_nothing_more() -> None:
    world = World()
    controller = world.controller()
    world.pods.start()
    controller.start()
    world.loop.settle()
    world.client.create("pods", pod("a"))
    controller.add_after("b", 1)
    controller.stop()
    world.loop.run_for(5)
    assert world.ran == []


@pytest.mark.parametrize("seed", range(20))
def test_under_any_order_the_last_state_is_reconciled(seed: int) -> None:
    world, seen = World(seed), {}

    def reconcile(key: str) -> None:
        obj = world.pods.get(key)
        seen[key] = obj and obj.get("status")

    world.controller(reconcile).start()
    world.pods.start()
    for i in range(30):
        name = "abc"[i % 3]
        if i < 3:
            world.client.create("pods", pod(name))
        else:
            world.client.patch("pods", name, {"status": i}, namespace="default")
        if i % 5 == 0:
            world.loop.settle()
    world.client.delete("pods", "b", "default")
    world.loop.run_for(10)
    assert seen == {"default/a": 27, "default/b": None, "default/c": 29}


# Expectations


def test_expectations_hold_until_met() -> None:
    loop = virtual()
    expectations = Expectations(loop.now)
    assert expectations.satisfied("rs")
    expectations.expect("rs", creations=2, deletions=1)
    expectations.creation_observed("rs")
    expectations.creation_observed("rs")
    assert not expectations.satisfied("rs")
    expectations.deletion_observed("rs")
    assert expectations.satisfied("rs")
    expectations.raise_by("rs", creations=1)
    assert expectations.outstanding("rs") == (1, 0)
    expectations.lower_by("rs", creations=1)  # the creation failed
    assert expectations.satisfied("rs")
    expectations.creation_observed("rs")  # somebody else's
    assert expectations.satisfied("rs")


def test_expectations_expire_after_five_minutes() -> None:
    loop = virtual()
    expectations = Expectations(loop.now)
    expectations.expect("rs", creations=1)
    loop.run_for(300)
    assert not expectations.satisfied("rs")
    loop.run_for(0.1)
    assert expectations.satisfied("rs")
    expectations.expect("rs", creations=1)
    assert not expectations.satisfied("rs")
    expectations.forget("rs")
    assert expectations.satisfied("rs")


def test_a_deletion_told_twice_counts_once_and_a_strangers_not_at_all() -> None:
    expectations = Expectations(virtual().now)
    expectations.expect_deletions("rs", ["u1", "u2"])
    for uid in ("u1", "u1", "other"):
        expectations.deletion_observed("rs", uid)
    assert expectations.outstanding("rs") == (0, 1)
    expectations.deletion_observed("rs", "u2")
    assert expectations.satisfied("rs")
