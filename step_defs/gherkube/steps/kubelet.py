"""What containers do on their node: what they write, when they are restarted, what they use; kubelets that restart."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from gherkube.phrases import Log, ObjectRef, Place, Timing
from gherkube.steps import given, then, when
from gherkube.values import get, show
from gherkube.world import Misused, World, require

RUNS_WITHIN = 120.0  # seconds, images to be pulled included
_SLACK = 0.6, 8.0  # a wait may be longer by this part of it, and by so many seconds, until the kubelet looks again
_METRICS = "/apis/metrics.k8s.io/v1beta1"


@given("the {ref:Object} runs")
def runs(world: World, ref: ObjectRef) -> None:
    """
    Given the Pod "web" runs
    """

    def running() -> None:
        status = world.read(ref).get("status") or {}
        require(status.get("phase") == "Running", lambda: f"{ref} has the status {show(status)}")

    world.driver.eventually(running, RUNS_WITHIN)


# Logs


@given('the {log:Log} mentions "{text:Text}"')
def has_mentioned(world: World, log: Log, text: str) -> None:
    """
    Given the log of the Pod "web" mentions "started"
    """
    mentions(world, Timing("within", RUNS_WITHIN), log, text)


@then('{timing:Timing}the {log:Log} mentions "{text:Text}"')
def mentions(world: World, timing: Timing, log: Log, text: str) -> None:
    """
    Then within 1 minute the log of the Pod "web" mentions "started"
    Then within 1 minute the log of the Pod "web" before its restart mentions "started"
    """
    world.holds(timing, lambda: _must_mention(_log(world, log), text))


@then("{timing:Timing}the {log:Log} reads:")
def reads(world: World, timing: Timing, log: Log, docstring: str) -> None:
    """
    Then within 1 minute the log of the Pod "web" reads:         (these lines and no others)
      hello
    Then within 1 minute the log of the container "main" of the Pod "web" reads:
    """
    world.holds(timing, lambda: _must_read(_log(world, log), docstring))


def _log(world: World, log: Log) -> str:
    options = {
        **({"container": log.container} if log.container else {}),
        **({"previous": "true"} if log.before else {}),
    }
    answer = world.api.call("GET", f"{world.path(log.of)}/log", options=options, accept="*/*")
    require(answer.accepted, lambda: f"reading the log of {log.of} was {world.plain(str(answer))}")
    return world.plain(answer.body.decode("utf-8", "replace"))


def _must_mention(log: str, text: str) -> None:
    require(text in log, lambda: f"the log does not mention {text!r} but reads {log[-1000:]!r}")


def _must_read(log: str, expected: str) -> None:
    lines = log.splitlines()
    require(lines == expected.splitlines(), lambda: f"the log reads {show(lines)}")


# Restarts and readiness


@then('within {time:Duration} the restarts of the {ref:Object} have waited "{waits:Text}" seconds after the first')
def have_waited(world: World, time: float, ref: ObjectRef, waits: str) -> None:
    """
    Then within 2 minutes the restarts of the Pod "web" have waited "10, 20, 40" seconds after the first
    """
    expected = [float(wait) for wait in waits.split(",")]
    began: dict[int, str] = {}  # by number of restarts before
    ended: dict[int, str] = {}

    def look() -> None:
        status = get(world.read(ref), "status.containerStatuses[0]")
        state, last, number = (get(status, path) for path in ("state", "lastState.terminated", "restartCount"))
        require(isinstance(number, int), lambda: f"{ref} has no status of a container yet")
        previous = (
            number if isinstance(get(state, "waiting"), Mapping) else number - 1
        )  # one that waits has left the last run behind
        for run, told in ((previous, last), (number, get(state, "terminated")), (number, get(state, "running"))):
            for seen, time in ((began, get(told, "startedAt")), (ended, get(told, "finishedAt"))):
                if isinstance(time, str):
                    seen[run] = time
        found = [
            _seconds(began[run]) - _seconds(ended[run - 1]) if run in began and run - 1 in ended else None
            for run in range(2, len(expected) + 2)
        ]
        require(None not in found, lambda: f"the waits are {show(found)} so far")
        for wait, told in zip(expected, found, strict=True):
            assert told is not None
            longest = wait + wait * _SLACK[0] + _SLACK[1]
            require(wait - 1 <= told <= longest, lambda: f"the waits were {show(found)} seconds, not about {waits}")

    world.driver.eventually(look, time)


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()


@then('within {time:Duration} the readiness of the {ref:Object} has been "{states:Text}"')
def readiness_has_been(world: World, time: float, ref: ObjectRef, states: str) -> None:
    """
    Then within 1 minute the readiness of the Pod "web" has been "yes, no, yes"      (once it has been ready first)
    """
    expected = [state.strip() for state in states.split(",")]
    seen: list[str] = []

    def look() -> None:
        state = "yes" if get(world.read(ref), "status.conditions[type=Ready].status") == "True" else "no"
        if (seen or state == expected[0]) and seen[-1:] != [state]:
            seen.append(state)
        require(seen == expected, lambda: f"it has been {show(seen)}")

    world.driver.eventually(look, time)


# What is used


@then("within {time:Duration} the use of CPU and memory of the {ref:Object} can be read")
def use_can_be_read(world: World, time: float, ref: ObjectRef) -> None:
    """
    Then within 2 minutes the use of CPU and memory of the Pod "web" can be read
    """
    if ref.kind not in ("Pod", "Node"):
        raise Misused(f"what a {ref.kind} uses is not told")
    path = world.path(ref).replace("/api/v1", _METRICS, 1)

    def told() -> None:
        answer = world.api.call("GET", path)
        require(answer.accepted, lambda: f"reading what {ref} uses was {world.plain(str(answer))}")
        uses = [answer.object] if ref.kind == "Node" else answer.object.get("containers") or []
        figures = [str(get(use, f"usage.{name}")) for use in uses for name in ("cpu", "memory")]
        require(figures and all(figure[:1] in "123456789" for figure in figures), lambda: f"it uses {show(figures)}")

    world.driver.eventually(told, time)


# Kubelets


@when('the kubelet of the node "{name:Text}" starts anew')
def starts_anew(world: World, name: str) -> None:
    """
    When the kubelet of the node "a" starts anew
    """
    world.driver.restart_kubelet(world.names.cluster(name))


@when('the node "{name:Text}" loses its power and comes back')
def loses_power(world: World, name: str) -> None:
    """
    When the node "a" loses its power and comes back
    """
    world.driver.power_cycle(world.names.cluster(name))


@when('the node "{name:Text}" loses its disk and comes back')
def loses_disk(world: World, name: str) -> None:
    """
    When the node "a" loses its disk and comes back         (and its power meanwhile)
    """
    world.driver.replace_disk(world.names.cluster(name))


# Faults of containers


@given('the container "{container:Text}" of the {ref:Object} has crashed')
@when('the container "{container:Text}" of the {ref:Object} crashes')
def crashes(world: World, container: str, ref: ObjectRef) -> None:
    """
    When the container "main" of the Pod "web" crashes      (by SIGKILL, from outside)
    Given the container "main" of the Pod "web" has crashed
    """
    world.driver.crash(_place(world, ref), container)


@when('the container "{container:Text}" of the {ref:Object} hangs')
def hangs(world: World, container: str, ref: ObjectRef) -> None:
    """
    When the container "main" of the Pod "web" hangs        (nothing in it goes on, nor ends)
    """
    world.driver.hang(_place(world, ref), container)


@given('the {probe:Probe} probe of the container "{container:Text}" of the {ref:Object} has failed since')
@when('the {probe:Probe} probe of the container "{container:Text}" of the {ref:Object} fails')
def probe_fails(world: World, probe: str, container: str, ref: ObjectRef) -> None:
    """
    When the readiness probe of the container "main" of the Pod "web" fails               (from now on)
    Given the readiness probe of the container "main" of the Pod "web" has failed since
    """
    world.driver.fail_probe(_place(world, ref), container, probe, True)


@when('the {probe:Probe} probe of the container "{container:Text}" of the {ref:Object} succeeds again')
def probe_succeeds(world: World, probe: str, container: str, ref: ObjectRef) -> None:
    """
    When the readiness probe of the container "main" of the Pod "web" succeeds again
    """
    world.driver.fail_probe(_place(world, ref), container, probe, False)


def _place(world: World, ref: ObjectRef) -> Place:
    if ref.kind != "Pod":
        raise Misused(f"containers are Pods', not a {ref.kind}'s")
    return Place("Pod", ref.name, world.names.namespace(ref.namespace))
