"""The target `http:URL`: a system behind a harness that speaks the harness protocol, in any language.

The Kubernetes API is spoken as with any live cluster; the rest is asked of the harness (`protocol`). What the harness
answers is held against the protocol: one that hangs, answers nonsense or breaks its word is told by the place where
it did, and is the harness's fault, never the implementation's.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

import httpx2
from lightkube.config import models
from lightkube.config.kubeconfig import KubeConfig, SingleConfig

from gherkube.drivers import protocol
from gherkube.drivers.base import (
    Connection,
    Crossing,
    Journey,
    Names,
    NotOffered,
    Object,
    Place,
    Recorded,
    Said,
    TargetError,
    Unreachable,
)
from gherkube.drivers.kubeconfig import LiveDriver, config_of
from gherkube.drivers.protocol import OPERATIONS, Broken
from gherkube.spec import CAPABILITIES

T = TypeVar("T")

PATIENCE = 30.0  # real seconds that a harness may take for an answer
ARRIVAL = 2.0  # real seconds that what has happened may take to arrive, where time itself costs nothing
HOME = "home"


class Harness:
    """The other side of the wire: every request and every answer is validated."""

    def __init__(self, url: str, patience: float = PATIENCE):
        self.url = url.rstrip("/")
        timeout = httpx2.Timeout(patience, connect=min(5.0, patience))
        headers = {protocol.VERSION_HEADER: protocol.VERSION, "accept": "application/json"}
        self._client = httpx2.Client(timeout=timeout, headers=headers, trust_env=False)
        self._patience = patience

    def ask(self, operation: str, **body: Any) -> Any:
        """The answer's body. Raises Unreachable: whatever goes wrong here is no failed expectation."""
        one = OPERATIONS[operation]
        if one.asked:
            protocol.check(one.asked, body)
        where = f"the harness at {self.url}, asked for {one.method} {one.path},"
        content = {"json": body} if one.method == "POST" else {}
        try:
            response = self._client.request(one.method, self.url + one.path, **content)  # type: ignore[arg-type]
        except httpx2.TimeoutException:
            raise Unreachable(f"{where} did not answer within {self._patience:g} s") from None
        except (httpx2.TransportError, httpx2.InvalidURL) as error:
            raise Unreachable(f"{where} cannot be reached: {error}") from None
        return self._told(response, one, where)

    def _told(self, response: httpx2.Response, one: protocol.Operation, where: str) -> Any:
        try:
            told = json.loads(response.content)
        except ValueError:
            start = " ".join(response.text.split())[:80]
            raise Unreachable(f"{where} answered nonsense: {response.status_code}, not JSON: {start!r}") from None
        try:
            protocol.check(one.told if response.status_code == 200 else "error", told)
        except Broken as broken:
            raise Unreachable(f"{where} broke its word: {response.status_code}: {broken}") from None
        if response.status_code != 200:
            raise Unreachable(f"{where} could not do it: {told['error']}")
        return told

    def close(self) -> None:
        self._client.close()


class HarnessDriver(LiveDriver):
    name = "harness"

    def __init__(self, target: str, url: str, patience: float = PATIENCE) -> None:
        self._harness = Harness(url, patience)
        try:
            identity = self._identity(target)
            config = _config(target, identity["kubernetes"])
            declared = frozenset(identity["capabilities"]) & frozenset(CAPABILITIES)
            super().__init__(target, config, float(identity.get("speed", 1.0)), declared)
        except (TargetError, Unreachable) as error:
            self._harness.close()
            raise TargetError(str(error)) from None
        self._marks: list[tuple[int, int]] = []  # (requests before it, step)
        self._next: dict[str, Any] = {}  # what the scenario was begun with
        self._told = dict(identity.get("implementation") or {})
        self._renews = self.alone = identity.get("isolation") == "reset"
        self._skips = "time.skip" in declared
        self.parameters = dict(identity.get("parameters") or {})

    def _identity(self, target: str) -> Mapping[str, Any]:
        identity: Mapping[str, Any] = self._harness.ask("identity")
        versions = identity["protocol"]["versions"]
        if protocol.VERSION not in versions:
            spoken = ", ".join(versions)
            raise TargetError(f"target {target!r} speaks the harness protocol {spoken}; this is {protocol.VERSION}")
        return identity

    # Scenarios

    def begin(self, scenario: str, needs: Collection[str] = ()) -> Names:
        self._next = {"scenario": scenario, "needs": sorted(needs), "parameters": {}}
        self._reset()
        return self._move_in() if self._renews else super().begin(scenario, needs)

    def choose(self, parameter: str, value: str) -> None:
        if self.parameters.get(parameter) == value and not self._next["parameters"]:
            return
        self._next["parameters"][parameter] = value
        if not self._renews or not self._reset().get("offered"):
            raise NotOffered(f"the harness at {self._harness.url} does not offer {parameter} {value}")
        self._move_in()

    def _reset(self) -> Mapping[str, Any]:
        self._marks = []
        told: Mapping[str, Any] = self._harness.ask("reset", **self._next)
        if "kubernetes" in told:
            self.reconnect(_config(self.target, told["kubernetes"]))
        return told

    def _move_in(self) -> Names:
        self.exchanges.clear()
        return self.move_in(HOME, self._next["scenario"], marker="")

    def end(self) -> None:
        if not self._renews:
            super().end()

    def sweep(self) -> None:
        if not self._renews:
            super().sweep()

    def implementation(self) -> dict[str, str]:
        return {**super().implementation(), **self._told}

    def close(self) -> None:
        super().close()
        self._harness.close()

    # Time

    def eventually(self, check: Callable[[], T], within: float) -> T:
        if not self._skips:
            return super().eventually(check, within)
        left = within
        while left > 0:
            try:
                return check()
            except AssertionError:
                left -= self._pass(left)
        return super().eventually(check, ARRIVAL)

    def always(self, check: Callable[[], object], during: float) -> None:
        if not self._skips:
            return super().always(check, during)
        left = during
        while left > 0:
            check()
            left -= self._pass(left)
        self.settle()
        check()

    def pass_time(self, seconds: float) -> None:
        if not self._skips:
            return super().pass_time(seconds)
        self._harness.ask("time", seconds=seconds)
        self.settle()

    def settle(self) -> None:
        if self._skips:
            self._harness.ask("time", seconds=1.0)
        time.sleep(0.05 if self._skips else 0.3)

    def _pass(self, at_most: float) -> float:
        return float(self._harness.ask("time", seconds=at_most, stop="event")["passed"])

    # What only a harness can do

    def recorded(self) -> list[Recorded]:
        keys = ("user", "verb", "resource", "namespace", "name", "accepted")
        told = self._harness.ask("requests")["requests"]
        return [Recorded(**{key: one[key] for key in keys}, code=one.get("code", 0)) for one in told]

    def mark(self, step: int) -> None:
        if "audit.read" in self.capabilities:
            self._marks.append((len(self.recorded()), step))

    def conversation(self) -> list[Said]:
        """By the audit record, which tells neither times nor contents."""
        if not self._marks:
            return []
        said, marks, step = [], list(self._marks), -1
        for number, one in enumerate(self.recorded()):
            while marks and marks[0][0] <= number:
                step = marks.pop(0)[1]
            if step >= 0:
                code = one.code or (200 if one.accepted else 0)
                act = (one.user, one.verb, one.resource, one.namespace, one.name)
                said.append(Said(step, 0.0, *act, code, "" if one.accepted or one.code else "refused"))
        return said

    def stored(self, group: str, plural: str, namespace: str, name: str) -> Object | None:
        asked = {"group": group, "plural": plural, "namespace": namespace, "name": name}
        found: Object | None = self._harness.ask("store", **asked)["object"]
        return found

    def store_clients(self) -> set[str]:
        return set(self._harness.ask("clients")["clients"])

    def silence(self, node: str) -> None:
        self._harness.ask("node", node=node, do="silence")

    def resume(self, node: str) -> None:
        self._harness.ask("node", node=node, do="resume")

    def restart_kubelet(self, node: str) -> None:
        self._harness.ask("node", node=node, do="restart-kubelet")

    def power_cycle(self, node: str) -> None:
        self._harness.ask("node", node=node, do="power-cycle")

    def replace_disk(self, node: str) -> None:
        self._harness.ask("node", node=node, do="replace-disk")

    def cut_off(self, node: str) -> None:
        self._harness.ask("node", node=node, do="cut-off")

    def mend(self, node: str) -> None:
        self._harness.ask("node", node=node, do="mend")

    def join(self, node: str) -> None:
        self._harness.ask("node", node=node, do="join")

    def crash(self, pod: Place, container: str) -> None:
        self._harness.ask("container", pod=_place(pod), container=container, do="crash")

    def hang(self, pod: Place, container: str) -> None:
        self._harness.ask("container", pod=_place(pod), container=container, do="hang")

    def fail_probe(self, pod: Place, container: str, probe: str, fails: bool) -> None:
        self._harness.ask("probe", pod=_place(pod), container=container, probe=probe, fails=fails)

    def connect(
        self,
        origin: Place,
        address: str,
        port: int,
        protocol: str = "TCP",
        times: int = 1,
        hold: bool = False,
        size: int = 0,
    ) -> list[Connection]:
        asked = {"address": address, "port": port, "protocol": protocol, "times": times, "hold": hold, "size": size}
        return _connections(self._harness.ask("connect", **_from(origin), **asked))

    def held(self) -> list[Connection]:
        return _connections(self._harness.ask("held"))

    def release(self) -> None:
        self._harness.ask("release")

    def outside_address(self, place: Place) -> str:
        return str(self._harness.ask("outside", **_place(place))["address"])

    def fetch(self, origin: Place, address: str, port: int, path: str) -> tuple[int, str]:
        told = self._harness.ask("fetch", **_from(origin), address=address, port=port, path=path)
        return told["code"], told["body"]

    def resolve(self, origin: Place, name: str, type: str = "A") -> tuple[str, list[str]]:
        told = self._harness.ask("resolve", **_from(origin), name=name, type=type)
        return told["status"], told["answers"]

    def journey(self, origin: Place, address: str, port: int, protocol: str = "TCP") -> Journey:
        told = self._harness.ask("journey", **_from(origin), address=address, port=port, protocol=protocol)
        ways = (tuple(_crossing(one) for one in told[way]) for way in ("there", "back"))
        return Journey(_connection(told["connection"]), *ways)

    def tables(self, place: Place) -> Mapping[str, list[Object]]:
        tables: Mapping[str, list[Object]] = self._harness.ask("tables", **_place(place))["tables"]
        return tables

    def remove_rule(self, node: str, table: str, row: Mapping[str, str]) -> None:
        self._harness.ask("rule", node=node, table=table, row=dict(row))

    def stop_component(self, node: str, component: str) -> None:
        self._harness.ask("component", node=node, component=component, do="stop")

    def start_component(self, node: str, component: str) -> None:
        self._harness.ask("component", node=node, component=component, do="start")


def _config(target: str, told: Mapping[str, Any]) -> SingleConfig:
    if "kubeconfig" in told:
        return config_of(told["kubeconfig"], None)
    authority = told.get("certificateAuthorityData")
    try:
        base64.b64decode(authority or "", validate=True)
    except ValueError:
        raise TargetError(f"target {target!r}: certificateAuthorityData is not base64") from None
    server = models.Cluster(server=told["server"], certificate_auth_data=authority, insecure=False)
    config: Any = KubeConfig.from_one(cluster=server, user=models.User(token=told.get("token"))).get()
    return config


def _from(origin: Place) -> dict[str, Any]:
    return {"from": _place(origin)}


def _place(place: Place) -> dict[str, str]:
    return {key: value for key, value in place._asdict().items() if value}


def _connections(told: Any) -> list[Connection]:
    return [_connection(one) for one in told["connections"]]


def _connection(told: Mapping[str, Any]) -> Connection:
    return Connection(*(told.get(key, "") for key in ("outcome", "pod", "source", "answered_from")))


def _crossing(told: Mapping[str, Any]) -> Crossing:
    outer = tuple(told.get("outer") or ())
    return Crossing(told["host"], told["device"], told["source"], told["destination"], outer)
