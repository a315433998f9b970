"""Whether a target is sane, in seconds: before a long run, and while a harness is being written.

`gherkube smoke` calls it. Each check is small, says what it found, and blames the harness or the API by the place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gherkube import kinds
from gherkube.drivers.base import Answer, Driver, Object, TargetError, Unreachable
from gherkube.phrases import Place
from gherkube.world import SOON, World, require

CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "smoke"}, "data": {"a": "1"}}


def smoke(driver: Driver) -> Iterator[tuple[str, str]]:
    """(check, "" or what is wrong), one after another; nothing more once the API itself is not there."""
    checks: list[tuple[str, Callable[[World], None]]] = [
        ("tells its version", _version),
        ("creates, reads, changes and deletes an object", _objects),
        ("delivers changes to a watch", _watch),
        *((f"is capable of {name}", check) for name, check in PROBES.items() if name in driver.capabilities),
    ]
    for name, check in checks:
        try:
            world = World(driver, driver.begin("smoke.00"))
        except (AssertionError, TargetError, Unreachable) as error:
            yield "prepares for a scenario", _line(error)
            return
        try:
            check(world)
            yield name, ""
        except Exception as error:
            yield name, _line(error)
        finally:
            world.close()
            driver.end()


def _version(world: World) -> None:
    told = world.do("GET", "/version", "asking for the version")
    require(isinstance(told.get("gitVersion"), str), f"/version has no gitVersion: {told}")


def _objects(world: World) -> None:
    path = kinds.named("ConfigMap").path(world.names.home)
    world.do("POST", path, "creating a ConfigMap", body=CONFIG)
    read = world.do("GET", f"{path}/smoke", "reading it")
    require(read.get("data") == {"a": "1"}, f"what is read is not what was created: {read}")
    changed = world.do("PUT", f"{path}/smoke", "changing it", body={**read, "data": {"a": "2"}})
    before, after = (one["metadata"].get("resourceVersion") for one in (read, changed))
    require(before != after, "a change leaves metadata.resourceVersion as it was")
    world.do("DELETE", f"{path}/smoke", "deleting it")
    gone = world.api.call("GET", f"{path}/smoke")
    require(gone.code == 404, f"reading what was deleted was {gone}")


def _watch(world: World) -> None:
    path = kinds.named("ConfigMap").path(world.names.home)
    listed = world.do("GET", path, "listing ConfigMaps")
    begun = world.api.watch(path, {"resourceVersion": listed["metadata"]["resourceVersion"]})
    if isinstance(begun, Answer):
        raise AssertionError(f"a watch was {begun}")
    try:
        world.do("POST", path, "creating a ConfigMap", body=CONFIG)
        world.driver.eventually(lambda: require(bool(begun.lines), "the watch delivered nothing"), SOON)
        require(b'"ADDED"' in begun.lines[0], f"the watch delivered {begun.lines[0][:200]!r}, not ADDED")
    finally:
        begun.stop()


def _time(world: World) -> None:
    world.driver.pass_time(10.0)
    world.driver.always(lambda: None, 10.0)


def _pods(world: World) -> None:
    container = {"name": "a", "image": "registry.k8s.io/pause:3.10"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "smoke"}, "spec": {"containers": [container]}}
    world.do("POST", kinds.named("Pod").path(world.names.home), "creating a Pod", body=pod)

    def runs() -> None:
        phase = _status(world).get("phase")
        require(phase == "Running", f"a Pod is {phase}, not Running")

    world.driver.eventually(runs, 60.0)


def _faults(world: World) -> None:
    _pods(world)
    world.driver.crash(Place("Pod", "smoke", world.names.home), "a")

    def restarted() -> None:
        (told,) = _status(world)["containerStatuses"]
        require(told["restartCount"] == 1, "a container that was killed has not been restarted")

    world.driver.eventually(restarted, 30.0)


def _status(world: World) -> Object:
    path = f"{kinds.named('Pod').path(world.names.home)}/smoke"
    status: Object = world.do("GET", path, "reading it").get("status") or {}
    return status


def _audit(world: World) -> None:
    world.do("POST", kinds.named("ConfigMap").path(world.names.home), "creating a ConfigMap", body=CONFIG)
    kept = [(one.verb, one.resource, one.name) for one in world.driver.recorded()]
    require(("create", "configmaps", "smoke") in kept, f"a creation is not on record: {kept[-5:]}")


def _store(world: World) -> None:
    world.do("POST", kinds.named("ConfigMap").path(world.names.home), "creating a ConfigMap", body=CONFIG)
    require(world.driver.stored("", "configmaps", world.names.home, "smoke"), "a created object is not in the store")
    require(world.driver.store_clients(), "nobody is a client of the store")


PROBES: dict[str, Callable[[World], None]] = {
    "time.skip": _time,
    "pods.run": _pods,
    "pods.fault": _faults,
    "audit.read": _audit,
    "store.read": _store,
}


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, AssertionError | TargetError | Unreachable) else f"{type(error).__name__}: {text}"
