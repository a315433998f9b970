"""Informers hold what the server holds, whatever happens to their streams."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from client_fake import FakeServer, pod
from hypothesis import given, settings
from hypothesis import strategies as st
from refkube.apimachinery import errors
from refkube.apimachinery.meta import Object
from refkube.apimachinery.rest import WatchEvent
from refkube.client.client import Client
from refkube.client.informer import (
    Backoff,
    Informer,
    Informers,
    by_controller_uid,
    by_namespace,
    by_node_name,
    by_owner_uid,
)
from refkube.engine.clock import VirtualClock
from refkube.engine.frozen import fingerprint
from refkube.engine.loop import Loop


class World:
    def __init__(self, seed: int | None = None, **options: Any):
        self.loop = Loop(VirtualClock(), seed)
        self.server = FakeServer()
        self.client = Client(self.server.handle)
        self.informer = Informer(self.client, self.loop, "pods", **options)
        self.told: list[tuple] = []

    def listen(self) -> World:
        self.informer.add_handler(
            lambda new: self.told.append(("added", new["metadata"]["name"])),
            lambda old, new: self.told.append(("updated", new["metadata"]["name"], old.get("status"), new["status"])),
            lambda last: self.told.append(("deleted", last["metadata"]["name"], self.informer.final_state_unknown)),
        )
        return self

    def start(self) -> World:
        self.informer.start()
        self.loop.settle()
        return self

    def set_status(self, name: str, status: str) -> None:
        self.client.patch("pods", name, {"status": status}, namespace="default")

    def held(self) -> dict[str, Object]:
        return {f"{namespace}/{name}": obj for (_, namespace, name), obj in self.server.objects.items()}


def test_an_informer_lists_then_follows_and_shares_the_objects() -> None:
    world = World().listen()
    world.client.create("pods", pod("a"))
    synced: list[bool] = []
    world.informer.when_synced(lambda: synced.append(True))
    assert not world.informer.has_synced
    world.start()
    assert synced == [True]
    assert world.server.requests[1].options["resourceVersion"] == "0"
    assert world.server.requests[2].options["allowWatchBookmarks"] == "true"
    assert 300 <= int(world.server.requests[2].options["timeoutSeconds"]) <= 600
    world.client.create("pods", pod("b"))
    world.set_status("a", "Running")
    world.client.delete("pods", "b", "default")
    assert world.told == [("added", "a")]  # deliveries wait until the present callback is done
    world.loop.settle()
    assert world.told[1:] == [("added", "b"), ("updated", "a", None, "Running"), ("deleted", "b", False)]
    assert world.informer.get("default/a") is world.server.objects["pods", "default", "a"]


def test_a_late_handler_is_told_of_what_is_there() -> None:
    world = World()
    world.client.create("pods", pod("a"))
    world.start().listen()
    assert world.told == [("added", "a")]


def test_a_handler_that_fails_does_not_keep_the_others_from_the_event() -> None:
    world, failures = World(), []
    world.loop.on_error = lambda exc, what: failures.append(str(exc))
    world.informer.add_handler(added=lambda obj: [].pop())
    world.listen().start()
    world.client.create("pods", pod("a"))
    world.client.create("pods", pod("b"))
    world.loop.settle()
    assert world.told == [("added", "a"), ("added", "b")]
    assert failures == ["pop from empty list"] * 2


def test_a_broken_stream_is_resumed_where_it_ended_without_a_list() -> None:
    world = World().listen().start()
    world.client.create("pods", pod("a"))
    world.loop.settle()
    world.server.watches[0].end()
    world.client.create("pods", pod("b"))
    world.loop.settle()
    assert world.server.verbs().count("list") == 1
    assert world.told == [("added", "a"), ("added", "b")]


def test_a_bookmark_moves_the_version_to_resume_from() -> None:
    world = World().listen().start()
    world.server.revision = 99
    world.server.watches[0].deliver(WatchEvent("BOOKMARK", {"metadata": {"resourceVersion": "99"}}))
    world.server.compact()
    world.server.watches[0].end()
    world.loop.settle()
    assert world.server.requests[-1].options["resourceVersion"] == "99"
    assert world.told == []
    assert len(world.server.watches) == 1


def test_after_410_the_list_tells_the_differences_and_what_is_gone_with_its_last_known_state() -> None:
    world = World().listen()
    for name in ("a", "b", "c"):
        world.client.create("pods", pod(name))
    world.start()
    world.told.clear()
    world.server.watches[0].end()
    world.set_status("a", "Running")
    world.client.delete("pods", "b", "default")
    world.client.create("pods", pod("d"))
    world.server.compact()
    world.loop.settle()
    assert world.told == []
    assert world.loop.run_until(lambda: world.told, 2)  # the back-off begins at 0.8 to 1.6 s
    assert world.told == [("updated", "a", None, "Running"), ("added", "d"), ("deleted", "b", True)]
    assert world.server.requests[-2].options["resourceVersion"] == "13"  # no older than what was seen


def test_an_object_replaced_by_another_of_its_name_is_deleted_and_added() -> None:
    world = World().listen()
    world.client.create("pods", pod("a"))
    world.start()
    world.told.clear()
    world.server.watches[0].end()
    world.client.delete("pods", "a", "default")
    world.client.create("pods", pod("a"))
    world.server.compact()
    world.loop.run_for(5)
    assert world.told == [("deleted", "a", True), ("added", "a")]


def test_a_server_behind_the_version_asked_for_is_listed_at_its_newest() -> None:
    world = World().listen().start()
    world.client.create("pods", pod("a"))
    world.loop.settle()
    world.server.revision = 5  # restored from a backup
    world.server.history.clear()
    world.server.watches[0].fail(errors.expired("too old"))
    world.loop.run_for(5)
    assert [r.options.get("resourceVersion") for r in world.server.requests if r.verb == "list"] == ["0", "11", None]
    assert world.informer.resource_version == "5"


def test_a_server_that_refuses_is_asked_again_later_and_later() -> None:
    world = World().listen()
    world.server.faults = [("list", errors.service_unavailable("starting"))] * 4
    started, times = world.loop.now(), []
    world.informer.start()
    while not world.informer.has_synced:
        count = len(world.server.requests)
        assert world.loop.run_until(lambda n=count: len(world.server.requests) > n, 60)  # type: ignore[misc]
        times.append(world.loop.now() - started)
    waits = [after - before for before, after in itertools.pairwise(times)][:4]
    for wait, base in zip(waits, (0.8, 1.6, 3.2, 6.4), strict=True):
        assert base <= wait + 1e-6
        assert wait <= 2 * base + 1e-6


@pytest.mark.parametrize("fault", [ConnectionRefusedError("refused"), errors.too_many_requests("busy", 1)])
def test_a_watch_that_is_refused_is_tried_again_without_a_list(fault: Exception) -> None:
    world = World().listen().start()
    world.loop.run_for(2)
    world.server.faults = [("watch", fault)]
    world.server.watches[0].end()
    world.loop.settle()
    assert not world.server.watches
    world.loop.run_for(3)
    assert len(world.server.watches) == 1
    assert world.server.verbs().count("list") == 1


def test_a_watch_that_ends_at_once_without_an_event_costs_a_pause() -> None:
    world = World().listen().start()
    world.server.watches[0].end()
    world.loop.settle()
    assert world.server.verbs() == ["list", "watch"]
    world.loop.run_for(3)
    assert world.server.verbs() == ["list", "watch", "list", "watch"]


def test_back_off_is_capped_and_starts_again_after_two_quiet_minutes() -> None:
    loop = Loop(VirtualClock())
    backoff = Backoff(loop)
    delays = [backoff.delay() for _ in range(12)]
    assert all(30 <= delay < 60 for delay in delays[6:])
    loop.run_for(121)
    assert 0.8 <= backoff.delay() < 1.6


def test_a_stopped_informer_keeps_still_and_may_start_again() -> None:
    world = World().listen().start()
    world.client.create("pods", pod("a"))
    world.informer.stop()  # before the delivery
    world.loop.run_for(1000)
    assert world.told == []
    assert not world.server.watches
    world.informer.start()
    world.loop.settle()
    assert world.told == [("added", "a")]


def test_a_filtered_informer_sees_objects_come_and_go() -> None:
    world = World(field_selector="spec.nodeName=n1").listen().start()
    world.client.create("pods", pod("a"))
    world.client.create("pods", pod("b", node="n2"))
    world.client.patch("pods", "a", {"spec": {"nodeName": "n1"}}, namespace="default")
    world.loop.settle()
    assert world.told == [("added", "a")]
    world.client.patch("pods", "a", {"spec": {"nodeName": "n2"}}, namespace="default")
    world.loop.settle()
    assert world.told[1:] == [("deleted", "a", False)]


def test_an_index_added_late_knows_what_is_there() -> None:
    world = World().start()
    world.client.create("pods", pod("a", node="n1"))
    world.loop.settle()
    world.informer.add_index("node", by_node_name)
    world.informer.add_index("node", by_node_name)
    assert set(world.informer.indexed("node", "n1")) == {"default/a"}
    assert world.informer.indexed("node", "n2") == {}
    world.client.patch("pods", "a", {"spec": {"nodeName": "n2"}}, namespace="default")
    world.loop.settle()
    assert world.informer.indexed("node", "n1") == {}
    assert set(world.informer.indexed("node", "n2")) == {"default/a"}


def test_informers_are_shared_by_resource_and_selection() -> None:
    world = World()
    informers = Informers(world.client, world.loop)
    pods = informers.of("pods")
    assert informers.of("pods") is pods
    assert informers.of("pods", field_selector="spec.nodeName=n1") is not pods
    informers.start()
    world.loop.settle()
    assert informers.have_synced
    late = informers.of("nodes")
    assert not informers.have_synced
    world.loop.settle()
    assert late.has_synced
    informers.stop()
    assert not world.server.watches


NAMES = st.sampled_from(["a", "b", "c", "d"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("create"), NAMES, st.sampled_from(["", "n1", "n2"]), st.sampled_from(["", "o1", "o2"])),
        st.tuples(st.just("move"), NAMES, st.sampled_from(["n1", "n2"])),
        st.tuples(st.just("delete"), NAMES),
        st.tuples(st.just("break")),
        st.tuples(st.just("compact")),
        st.tuples(st.just("error"), st.sampled_from(["list", "watch"]), st.sampled_from([410, 429, 500, 504, 0])),
        st.tuples(st.just("fail"), st.sampled_from([410, 429, 500])),
        st.tuples(st.just("run"), st.sampled_from([0.0, 1.0, 100.0])),
    ),
    max_size=40,
)
FAULTS: dict[int, Exception] = {
    0: ConnectionRefusedError("refused"),
    410: errors.expired("too old"),
    429: errors.too_many_requests("busy", 1),
    500: errors.internal_error("oops"),
    504: errors.too_large_resource_version(1, 2),
}


@settings(max_examples=150, deadline=None)
@given(STEPS, st.one_of(st.none(), st.integers(0, 99)), st.sampled_from(["", "spec.nodeName=n1"]))
def test_an_informer_equals_the_server_after_anything(steps: list[tuple], seed: int | None, selector: str) -> None:
    world = World(seed, field_selector=selector)
    informer, mirror = world.informer, {}
    prints: dict[int, tuple[Object, bytes]] = {}
    for name, index in (("ns", by_namespace), ("node", by_node_name), ("owner", by_owner_uid)):
        informer.add_index(name, index)

    def added(new: Object) -> None:
        assert new["metadata"]["name"] not in mirror
        mirror[new["metadata"]["name"]] = new

    def updated(old: Object, new: Object) -> None:
        assert mirror[new["metadata"]["name"]] is old
        assert old["metadata"]["uid"] == new["metadata"]["uid"]
        mirror[new["metadata"]["name"]] = new

    def deleted(last: Object) -> None:
        assert mirror.pop(last["metadata"]["name"])["metadata"]["uid"] == last["metadata"]["uid"]

    informer.add_handler(added, updated, deleted)
    informer.start()
    for step in steps:
        perform(world, step)
        for obj in world.server.objects.values():
            prints.setdefault(id(obj), (obj, fingerprint(obj)))
    world.server.faults.clear()
    world.loop.run_for(300)
    held = {key: obj for key, obj in world.held().items() if not selector or obj["spec"].get("nodeName", "") == "n1"}
    assert informer.items == held
    assert all(informer.items[key] is obj for key, obj in held.items() if informer.has_synced)
    assert {obj["metadata"]["name"]: obj for obj in held.values()} == mirror
    for name, index in (("ns", by_namespace), ("node", by_node_name), ("owner", by_owner_uid)):
        wanted: dict[str, dict] = {}
        for key, obj in held.items():
            for value in index(obj):
                wanted.setdefault(value, {})[key] = obj
        assert informer._by_name[name] == wanted
    assert all(fingerprint(obj) == was for obj, was in prints.values())


def perform(world: World, step: tuple) -> None:
    server, client = world.server, world.client
    what, *args = step
    if what == "run":
        world.loop.run_for(args[0])
    elif what == "break":
        for watch in list(server.watches):
            watch.end()
    elif what == "fail":
        for watch in list(server.watches):
            watch.fail(FAULTS[args[0]])  # type: ignore[arg-type]
    elif what == "compact":
        server.compact()
    elif what == "error":
        server.faults.append((args[0], FAULTS[args[1]]))
    else:
        exists = ("pods", "default", args[0]) in server.objects
        if what == "create" and not exists:
            client.create("pods", pod(args[0], node=args[1], owner=args[2]))
        elif what == "move" and exists:
            client.patch("pods", args[0], {"spec": {"nodeName": args[1]}}, namespace="default")
        elif what == "delete" and exists:
            client.delete("pods", args[0], "default")


def test_the_controlling_owner_is_one_of_the_owners() -> None:
    obj = pod("a")
    assert by_controller_uid(obj) == ()
    obj["metadata"]["ownerReferences"] = [{"uid": "u1"}, {"uid": "u2", "controller": True}]
    assert by_controller_uid(obj) == ("u2",)
    assert by_owner_uid(obj) == ["u1", "u2"]
