"""Events are counted, combined and held back; leaders are elected one at a time."""

from __future__ import annotations

from typing import Any

import pytest
from client_fake import FakeServer, pod
from hypothesis import given, settings
from hypothesis import strategies as st
from refkube.apimachinery import errors
from refkube.apimachinery.meta import Object
from refkube.client.client import Client
from refkube.client.events import NORMAL, WARNING, EventRecorder
from refkube.client.leaderelection import LeaderElector
from refkube.engine.clock import NEW_YEAR_2026, VirtualClock, parse_rfc3339
from refkube.engine.loop import Loop


class World:
    def __init__(self) -> None:
        self.loop = Loop(VirtualClock())
        self.server = FakeServer()
        self.client = Client(self.server.handle)
        self.recorder = EventRecorder(self.client, self.loop, "kubelet", "n1")
        self.pod = self.client.create("pods", pod("web"))

    def record(self, message: str = "up", reason: str = "Started", about: Object | None = None, **more: Any) -> None:
        self.recorder.event(about or self.pod, NORMAL, reason, message, **more)
        self.loop.settle()

    def events(self) -> list[Object]:
        return [obj for (resource, _, _), obj in self.server.objects.items() if resource == "events"]


def test_an_event_names_its_object_source_and_time() -> None:
    world = World()
    world.recorder.event(world.pod, WARNING, "Failed", "no", {"a": "b"}, field_path="spec.containers{web}")
    assert world.events() == []  # the caller is not kept waiting
    world.loop.settle()
    (event,) = world.events()
    assert event["metadata"]["name"].startswith("web.")
    assert event["metadata"]["annotations"] == {"a": "b"}
    meta = world.pod["metadata"]
    assert event["involvedObject"] == {
        "kind": "Pod",
        "namespace": "default",
        "name": "web",
        "uid": meta["uid"],
        "apiVersion": "v1",
        "resourceVersion": meta["resourceVersion"],
        "fieldPath": "spec.containers{web}",
    }
    assert event["source"] == {"component": "kubelet", "host": "n1"}
    assert (event["reportingComponent"], event["reportingInstance"]) == ("kubelet", "n1")
    assert (event["type"], event["reason"], event["message"], event["count"]) == (WARNING, "Failed", "no", 1)
    assert event["firstTimestamp"] == event["lastTimestamp"] == "2026-01-01T00:00:00Z"


def test_an_event_about_a_cluster_object_goes_to_the_default_namespace() -> None:
    world = World()
    world.record(about={"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1", "uid": "n1"}})
    world.record(about={"kind": "Node", "name": "n2", "uid": "n2"})  # an ObjectReference
    assert [event["metadata"]["namespace"] for event in world.events()] == ["default", "default"]
    assert "namespace" not in world.events()[0]["involvedObject"]
    assert world.events()[1]["involvedObject"]["name"] == "n2"


def test_a_name_that_no_event_may_have_is_replaced() -> None:
    world = World()
    world.record(about={"kind": "Role", "metadata": {"name": "system:node", "uid": "u"}})
    assert world.events()[0]["metadata"]["name"].startswith("event.")


def test_the_same_again_raises_the_count() -> None:
    world = World()
    world.record()
    world.loop.run_for(60)
    changed = world.client.patch("pods", "web", {"status": {}}, namespace="default")
    world.record(about=changed)
    world.record("other")
    first, other = world.events()
    assert (first["count"], first["firstTimestamp"], first["lastTimestamp"]) == (
        2,
        "2026-01-01T00:00:00Z",
        "2026-01-01T00:01:00Z",
    )
    assert other["count"] == 1
    assert world.server.requests[-2].patch_type == "application/strategic-merge-patch+json"


def test_an_event_that_is_gone_is_created_again_with_its_count() -> None:
    world = World()
    world.record()
    world.client.delete("events", world.events()[0]["metadata"]["name"], "default")
    world.record()
    assert [event["count"] for event in world.events()] == [2]


def test_from_the_tenth_similar_one_on_they_become_one() -> None:
    world = World()
    for i in range(13):
        world.record(f"attempt {i}")
    assert len(world.events()) == 10
    combined = world.events()[-1]
    assert combined["message"] == "(combined from similar events): attempt 12"
    assert combined["count"] == 4
    world.loop.run_for(601)
    world.record("later")
    assert world.events()[-1]["message"] == "later"


def test_beyond_a_burst_one_in_five_minutes_is_let_through_for_each_object() -> None:
    world = World()
    for i in range(30):
        world.record(reason=f"Reason{i}")
    assert len(world.events()) == 25
    other = world.client.create("pods", pod("other"))
    world.record(about=other)
    assert len(world.events()) == 26
    world.loop.run_for(301)
    world.record(reason="Next")
    world.record(reason="TooSoon")
    assert len(world.events()) == 27


def test_what_the_server_rejects_is_dropped_and_an_absent_server_is_waited_for() -> None:
    world = World()
    world.server.faults = [("create", errors.forbidden("events", "", "the namespace is being terminated"))]
    world.record()
    world.loop.run_for(100)
    assert world.events() == []
    world.server.faults = [("create", ConnectionRefusedError("refused"))] * 3
    world.record(reason="Other")
    assert world.events() == []
    world.loop.run_for(30)
    assert [event["reason"] for event in world.events()] == ["Other"]
    world.server.faults = [("create", ConnectionRefusedError("refused"))] * 12
    world.record(reason="Lost")
    world.loop.run_for(1000)
    assert len(world.events()) == 1
    assert world.server.faults == []


# Leader election


class Election:
    def __init__(self, candidates: int = 2):
        self.loop = Loop(VirtualClock())
        self.server = FakeServer()
        self.log: list[tuple[float, str]] = []
        self.cut: set[str] = set()
        self.candidates = [self.candidate(f"c{i}") for i in range(candidates)]

    def candidate(self, name: str) -> LeaderElector:
        def handle(request: Any) -> Any:
            if name in self.cut:
                raise ConnectionRefusedError("cut off")
            return self.server.handle(request)

        return LeaderElector(
            Client(handle),
            self.loop,
            "scheduler",
            name,
            started=lambda: self.tell(f"{name} leads"),
            stopped=lambda: self.tell(f"{name} stops"),
            new_leader=lambda leader: self.tell(f"{name} sees {leader or 'nobody'}"),
        )

    def tell(self, what: str) -> None:
        self.log.append((self.loop.now() - NEW_YEAR_2026, what))

    def said(self) -> list[str]:
        return [what for _, what in self.log]

    def leaders(self) -> list[str]:
        return [candidate.identity for candidate in self.candidates if candidate.leading]

    def lease(self) -> Object:
        return self.server.objects["leases", "kube-system", "scheduler"]["spec"]


def test_the_first_leads_and_keeps_renewing() -> None:
    election = Election()
    for candidate in election.candidates:
        candidate.start()
    election.loop.run_for(60)
    assert election.leaders() == ["c0"]
    assert sorted(election.said()) == ["c0 leads", "c0 sees c0", "c1 sees c0"]
    spec = election.lease()
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"], spec["leaseTransitions"]) == ("c0", 15, 0)
    assert spec["acquireTime"] == "2026-01-01T00:00:00.000000Z"
    assert parse_rfc3339(spec["renewTime"]) >= election.loop.now() - 2
    reads = [request.verb for request in election.server.requests if request.user_agent and request.verb == "get"]
    assert len(reads) < 35  # the leader renews without reading


def test_a_crashed_leader_is_followed_when_its_lease_has_run_out() -> None:
    election = Election()
    for candidate in election.candidates:
        candidate.start()
    election.loop.run_for(20)
    election.candidates[0].stop(release=False)
    gone = election.loop.now() - NEW_YEAR_2026
    assert election.loop.run_until(lambda: election.leaders() == ["c1"], 60)
    took = election.loop.now() - NEW_YEAR_2026 - gone
    assert 13 <= took <= 15 + 2 * 2.2 + 2.2
    assert election.lease()["leaseTransitions"] == 1


def test_a_leader_that_stops_hands_over_at_once() -> None:
    election = Election()
    for candidate in election.candidates:
        candidate.start()
    election.loop.run_for(20)
    election.candidates[0].stop()
    assert election.lease()["holderIdentity"] == ""
    assert election.lease()["leaseDurationSeconds"] == 1
    assert election.loop.run_until(lambda: election.leaders() == ["c1"], 4.5)
    assert election.said()[-3:] == ["c0 stops", "c1 sees c1", "c1 leads"]


def test_a_leader_cut_off_from_the_server_stops_before_another_can_begin() -> None:
    election = Election()
    for candidate in election.candidates:
        candidate.start()
    election.loop.run_for(21)
    election.cut.add("c0")
    election.loop.run_for(60)
    assert election.leaders() == ["c1"]
    times = {what: when for when, what in election.log}
    assert 10 <= times["c0 stops"] - 21 <= 14
    assert times["c0 stops"] < times["c1 leads"]


def test_a_leader_rides_out_short_absences_of_the_server() -> None:
    election = Election(1)
    election.candidates[0].start()
    election.loop.run_for(20)
    for _ in range(5):
        election.cut.add("c0")
        election.loop.run_for(8)
        election.cut.clear()
        election.loop.run_for(4)
    assert election.said() == ["c0 sees c0", "c0 leads"]


def test_a_lease_taken_by_another_ends_the_term() -> None:
    election = Election(1)
    election.candidates[0].start()
    election.loop.run_for(5)
    client = Client(election.server.handle)
    lease = client.get("leases.coordination.k8s.io", "scheduler", "kube-system")
    client.update("leases.coordination.k8s.io", {**lease, "spec": {**lease["spec"], "holderIdentity": "thief"}})
    election.loop.run_for(14)
    assert election.said() == ["c0 sees c0", "c0 leads", "c0 sees thief", "c0 stops"]
    election.candidates[0].start()  # a new process
    assert election.loop.run_until(lambda: election.leaders() == ["c0"], 30)


def test_impossible_periods_are_refused() -> None:
    loop = Loop(VirtualClock())
    with pytest.raises(ValueError):
        LeaderElector(Client(FakeServer().handle), loop, "x", "me", print, print, lease_duration=10, renew_deadline=10)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["cut", "mend", "stop", "crash", "start"]), st.integers(0, 2), st.integers(0, 25)),
        max_size=25,
    )
)
def test_there_is_never_more_than_one_leader(steps: list[tuple[str, int, int]]) -> None:
    election = Election(3)
    tell = election.tell

    def checked(what: str) -> None:
        tell(what)
        assert len(election.leaders()) <= 1

    election.tell = checked  # type: ignore[method-assign]
    for candidate in election.candidates:
        candidate.start()
    for what, who, seconds in steps:
        candidate = election.candidates[who]
        if what == "cut":
            election.cut.add(candidate.identity)
        elif what == "mend":
            election.cut.discard(candidate.identity)
        elif what == "start":
            candidate.start()
        else:
            candidate.stop(release=what == "stop")
        election.loop.run_for(seconds)
    election.cut.clear()
    for candidate in election.candidates:
        candidate.start()
    election.loop.run_for(60)
    assert len(election.leaders()) == 1
