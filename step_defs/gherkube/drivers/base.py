"""What every driver is: the only way from a step to a system.

A driver speaks the Kubernetes API as HTTP semantics (`Api`, over one httpx2 client that lightkube's configuration
made), tells what it is capable of, keeps a scenario's names apart from everybody else's, and knows how to wait.
Steps and `gherkube.world` use this module alone; no step knows which system it talks to.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Protocol, TypeVar

import httpx2
import pytest

from gherkube.phrases import Place

T = TypeVar("T")
Object = dict[str, Any]

ADMIN = "\0admin"  # the credentials that the target came with; None is: no credentials at all
JSON = "application/json"
# What Pods run that are connected to, or from: netexec, curl, nc, dig.
AGNHOST = "registry.k8s.io/e2e-test-images/agnhost:2.56"


class TargetError(Exception):
    """The target cannot be used; the text is one line for the user."""


class NotOffered(pytest.skip.Exception):  # type: ignore[name-defined]
    """The target cannot be had with this parameter; the text says what it has."""


class Unreachable(Exception):
    """The system did not answer at all; the harness, not the expectation, has failed."""


@dataclass(frozen=True)
class Answer:
    """What the API said to one request."""

    code: int
    headers: httpx2.Headers
    body: bytes

    @property
    def accepted(self) -> bool:
        return 200 <= self.code < 300

    @cached_property
    def object(self) -> Object:
        """The body as an object; a body that is none is told as {"text": ...}."""
        try:
            decoded = json.loads(self.body)
        except ValueError:
            return {"text": self.body.decode("utf-8", "replace")}
        return decoded if isinstance(decoded, dict) else {"value": decoded}

    @property
    def status(self) -> Object:
        return self.object if self.object.get("kind") == "Status" else {}

    @property
    def reason(self) -> str:
        return str(self.status.get("reason", ""))

    @property
    def message(self) -> str:
        return str(self.status.get("message") or self.object.get("text", ""))

    @property
    def causes(self) -> list[Object]:
        return list((self.status.get("details") or {}).get("causes") or ())

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """The texts of the Warning headers (RFC 7234 section 5.5)."""
        found = []
        for header in self.headers.get_list("warning"):
            found += [re.sub(r"\\(.)", r"\1", text) for text in re.findall(r'\d{3} \S+ "((?:[^"\\]|\\.)*)"', header)]
        return tuple(found)

    def __str__(self) -> str:
        if self.accepted:
            return f"accepted ({self.code})"
        return f"refused as {self.reason or 'nothing that has a reason'} ({self.code}): {self.message[:500]}"


@dataclass(frozen=True)
class Recorded:
    """One API request as the audit record tells it; `resource` is "configmaps", "deployments/scale"; `code` 0 is: not
    told."""

    user: str
    verb: str
    resource: str
    namespace: str
    name: str
    accepted: bool
    code: int = 0


@dataclass(frozen=True)
class Connection:
    """What came of one connection: "answered", "refused", "timed out", "unreachable", or "unresolved" where a name has
    no address. Who answered tells its hostname, which is a Pod's name, and the address that it saw as the source;
    "" where it does not tell (as agnhost's netexec does at /hostname and /clientip, over UDP by the words alone).
    `answered_from` is the address that the answer came from."""

    outcome: str
    pod: str = ""
    source: str = ""
    answered_from: str = ""


class Crossing(NamedTuple):
    """A packet at a device of a node, of a Pod (its name), or of a machine outside.

    `source` and `destination` are its own; `outer` are the headers around it, outermost first: "udp 192.168.100.11 >
    192.168.100.12:8285", "vxlan 1" ... , none where it goes as it is.
    """

    host: str
    device: str
    source: str
    destination: str
    outer: tuple[str, ...] = ()


@dataclass(frozen=True)
class Journey:
    """A connection, and where its first packet and the answer to it were seen, in order."""

    connection: Connection
    there: tuple[Crossing, ...]
    back: tuple[Crossing, ...]


@dataclass(frozen=True)
class Said:
    """What one component asked of the API server, for those who read about it: in the step of that number (from 0),
    at that time, a request with a code for its answer, and what of its content is worth a note."""

    step: int
    at: float
    who: str
    verb: str
    resource: str
    namespace: str
    name: str
    code: int
    note: str = ""


NOWHERE = Journey(Connection("not made"), (), ())


class Watching(Protocol):
    """A watch under way. `lines` are the complete lines so far, `ended` is true once no more will come."""

    @property
    def lines(self) -> list[bytes]: ...

    @property
    def ended(self) -> bool: ...

    def stop(self) -> None: ...


class Api:
    """The Kubernetes API, spoken with one identity. `exchanges` are the latest requests, for evidence."""

    def __init__(
        self,
        client: httpx2.Client,
        follow: Callable[[httpx2.Response], Watching],
        exchanges: deque[str],
        authorization: str | None = None,
    ):
        self._client = client
        self._follow = follow
        self._exchanges = exchanges
        self._headers = {"accept": JSON, "user-agent": "gherkube"}
        if authorization is not None:
            self._headers["authorization"] = authorization

    def call(
        self,
        method: str,
        path: str,
        *,
        options: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> Answer:
        """One request. `body` is an object, or bytes that are sent as they are. Raises Unreachable."""
        request = self._request(method, path, options, body, content_type, accept)
        try:
            response = self._client.send(request)
        except httpx2.TransportError as error:
            raise Unreachable(f"{method} {path}: {type(error).__name__}: {error}") from error
        answer = Answer(response.status_code, response.headers, response.content)
        self._note(request, answer)
        return answer

    def watch(self, path: str, options: Mapping[str, str], accept: str = JSON) -> Watching | Answer:
        """A watch that began, or the answer that refused it."""
        request = self._request("GET", path, {**options, "watch": "true"}, None, JSON, accept)
        request.extensions["timeout"] = {**request.extensions.get("timeout", {}), "read": None}
        try:
            response = self._client.send(request, stream=True)
            if response.status_code == 200:
                self._exchanges.append(f"{request.method} {_target(request)}: a watch")
                return self._follow(response)
            answer = Answer(response.status_code, response.headers, response.read())
        except httpx2.TransportError as error:
            raise Unreachable(f"watch {path}: {type(error).__name__}: {error}") from error
        self._note(request, answer)
        return answer

    def _request(
        self, method: str, path: str, options: Mapping[str, str] | None, body: Any, content_type: str, accept: str
    ) -> httpx2.Request:
        headers = {**self._headers, "accept": accept}
        content = None
        if body is not None:
            headers["content-type"] = content_type
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._client.build_request(method, path, params=options or None, content=content, headers=headers)

    def _note(self, request: httpx2.Request, answer: Answer) -> None:
        self._exchanges.append(f"{request.method} {_target(request)}: {answer}")


def _target(request: httpx2.Request) -> str:
    return request.url.raw_path.decode("ascii", "replace")


RESERVED = re.compile(r"default|kubernetes|kube-.*|system[-:].*|cluster-admin|admin|edit|view|\*?")


@dataclass
class Names:
    """One scenario's names. Where a `marker` is given, what is not in a namespace carries it in its name, so that
    scenarios that share a cluster do not meet; features and expectations always speak the plain name."""

    marker: str = ""
    home: str = "home"
    given: dict[str, str] = field(default_factory=dict)  # plain name -> real name
    called: dict[str, str] = field(default_factory=dict)  # what a scenario calls it -> name that the system made

    def namespace(self, plain: str) -> str:
        """The real namespace; "" is the scenario's own. A real name stays as it is."""
        return self.home if plain in ("", "home", self.home) else self.cluster(plain)

    def cluster(self, plain: str) -> str:
        """The real name of a cluster-scoped object. A real name stays as it is."""
        if plain in self.given:
            return self.given[plain]
        if not self.marker or RESERVED.fullmatch(plain) or plain in self.given.values():
            return plain
        self.given[plain] = f"{plain}{self.marker}-" if plain.endswith("-") else f"{plain}-{self.marker}"
        return self.given[plain]

    def call(self, real: str, plain: str) -> None:
        """Let features speak of what is there already, or was made by others, under a name of their own."""
        if real != plain or self.marker:
            self.given[plain] = real

    def plain(self, value: T) -> T:
        """A value as features speak of it: every real name in it replaced by the plain one."""
        real = {name: plain for names in (self.given, self.called) for plain, name in names.items()}
        if self.home != "home":
            real[self.home] = "home"
        return _replaced(value, sorted(real.items(), key=lambda pair: -len(pair[0]))) if real else value


def _replaced(value: Any, names: list[tuple[str, str]]) -> Any:
    if isinstance(value, str):
        for real, plain in names:
            value = value.replace(real, plain)
        return value
    if isinstance(value, dict):
        return {_replaced(key, names): _replaced(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, names) for item in value]
    return value


class Driver(ABC):
    """One open target. Made by `gherkube.drivers.open_target`; used for one scenario at a time."""

    name: str = ""
    target: str = ""
    capabilities: frozenset[str] = frozenset()
    declared: frozenset[str] = frozenset()
    parameters: Mapping[str, str] = {}
    alone: bool = False  # whether the target bears one process only, as every scenario begins it anew

    def __init__(self) -> None:
        self.exchanges: deque[str] = deque(maxlen=60)

    @abstractmethod
    def begin(self, scenario: str, needs: Collection[str] = ()) -> Names:
        """Prepare for one scenario, which needs these capabilities: a namespace and names of its own."""

    @abstractmethod
    def end(self) -> None:
        """Leave nothing of the scenario behind. Called after failure and interruption, too."""

    @abstractmethod
    def api(self, token: str | None = ADMIN) -> Api:
        """The API with the target's own credentials, with a bearer token, or with none at all (None)."""

    @abstractmethod
    def eventually(self, check: Callable[[], T], within: float) -> T:
        """The value of `check` as soon as it no longer raises AssertionError; its last error after `within` seconds."""

    @abstractmethod
    def always(self, check: Callable[[], object], during: float) -> None:
        """Runs `check` again and again for `during` seconds; its AssertionError ends it."""

    @abstractmethod
    def settle(self) -> None:
        """Let what is under way arrive; so that what has not arrived then was not sent."""

    @abstractmethod
    def pass_time(self, seconds: float) -> None:
        """Let time go by; costs nothing where the target has time.skip."""

    def at_once(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        """What each call gives; at the same time where the target can be asked so, else one right after another."""
        return [call() for call in calls]

    def recorded(self) -> list[Recorded]:
        """The API requests of the scenario, oldest first; where the target has audit.read."""
        raise NotImplementedError("audit.read")

    def stored(self, group: str, plural: str, namespace: str, name: str) -> Object | None:
        """An object as the store holds it, None where it does not; where the target has store.read."""
        raise NotImplementedError("store.read")

    def store_clients(self) -> set[str]:
        """The components that have asked the store for anything: "apiserver"; where the target has store.read."""
        raise NotImplementedError("store.read")

    def silence(self, node: str) -> None:
        """Let a node's kubelet stop, as if the node had lost its power; where the target has nodes.fault."""
        raise NotImplementedError("nodes.fault")

    def resume(self, node: str) -> None:
        """Let the kubelet of a node that fell silent start again; where the target has nodes.fault."""
        raise NotImplementedError("nodes.fault")

    def restart_kubelet(self, node: str) -> None:
        """Kill a node's kubelet and start it again, beside its containers; where the target has nodes.fault."""
        raise NotImplementedError("nodes.fault")

    def power_cycle(self, node: str) -> None:
        """Let a node lose its power and come back, its disk as it was; where the target has nodes.fault."""
        raise NotImplementedError("nodes.fault")

    def replace_disk(self, node: str) -> None:
        """Let a node lose its power and come back with an empty disk; where the target has nodes.fault."""
        raise NotImplementedError("nodes.fault")

    def cut_off(self, node: str) -> None:
        """Let nothing get from a node to any other machine or to the API server, nor back, while all on it runs on;
        where the target has nodes.fault."""
        raise NotImplementedError("nodes.fault")

    def mend(self, node: str) -> None:
        """Connect a node again that was cut off; where the target has nodes.fault."""
        raise NotImplementedError("nodes.fault")

    def crash(self, pod: Place, container: str) -> None:
        """Kill a running container's processes, from outside; where the target has pods.fault."""
        raise NotImplementedError("pods.fault")

    def hang(self, pod: Place, container: str) -> None:
        """Stop a running container's processes, and those that come to it, so that they neither go on nor end, but by
        SIGKILL (the freezer of its cgroup); where the target has pods.fault."""
        raise NotImplementedError("pods.fault")

    def fail_probe(self, pod: Place, container: str, probe: str, fails: bool) -> None:
        """Let the liveness, readiness or startup probe of a running container fail from now on, whatever it answers, or
        no longer; where the target has pods.fault."""
        raise NotImplementedError("pods.fault")

    def join(self, node: str) -> None:
        """Let one more node join, and go again with the scenario; where the target has nodes.fault."""
        raise NotImplementedError("nodes.fault")

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
        """New connections, one after another, to an address or a name; where the target has net.connect, and
        net.outside for those from outside.

        `hold` keeps them open until the scenario ends or they are broken; `size` bytes are sent with each request.
        """
        raise NotImplementedError("net.connect")

    def choose(self, parameter: str, value: str) -> None:
        """Let the scenario, which has done nothing yet, have a cluster with this parameter: "flannel-backend",
        "kube-proxy-scheduler". Raises NotOffered where the target has another, and cannot be had so."""
        if (known := self.parameters.get(parameter)) != value:
            raise NotOffered(f"{parameter} is {known or 'not told'}, not {value}")

    def outside_address(self, place: Place) -> str:
        """The address of a machine outside of the cluster, which answers at port 80 as Pods do; where the target has
        net.outside."""
        raise NotImplementedError("net.outside")

    def held(self) -> list[Connection]:
        """What comes of one more request over each connection that is held: "answered", or how it broke."""
        raise NotImplementedError("net.connect")

    def release(self) -> None:
        """Close the connections that are held."""
        raise NotImplementedError("net.connect")

    def fetch(self, origin: Place, address: str, port: int, path: str) -> tuple[int, str]:
        """The code and the body of an answer by HTTP, code 0 for none; where the target has net.connect."""
        raise NotImplementedError("net.connect")

    def resolve(self, origin: Place, name: str, type: str = "A") -> tuple[str, list[str]]:
        """What a program in a Pod finds by its resolver, search list and all: ("NOERROR", values as DNS writes them),
        NXDOMAIN, SERVFAIL, or "timed out"; an SRV record is "priority weight port target". Where the target has dns."""
        raise NotImplementedError("dns")

    def journey(self, origin: Place, address: str, port: int, protocol: str = "TCP") -> Journey:
        """One connection, followed; where the target has net.capture."""
        raise NotImplementedError("net.capture")

    def follow(self, note: Callable[[Place, str, int, Journey], None] | None) -> None:
        """Tell of the way of each connection from now on: whence, the address and port it was for, its journey. Here
        only of those that are followed anyway; a driver that costs nobody anything by it tells of all."""
        vars(self).pop("journey", None)
        if note is None:
            return
        plain = self.journey

        def followed(origin: Place, address: str, port: int, protocol: str = "TCP") -> Journey:
            made = plain(origin, address, port, protocol)
            note(origin, address, port, made)
            return made

        vars(self)["journey"] = followed

    def tables(self, place: Place) -> Mapping[str, list[dict[str, str]]]:
        """A network as data, where the target has net.state, every value as text:
        links: device, kind, mtu, state (up, down), master, peer, and of a vxlan id, port, local, learning;
        addresses: device, address, prefix; routes: destination, device, gateway, onlink (yes, no);
        neighbors: address, device, mac; fdb: mac, device, remote;
        virtual servers: protocol, address, port, scheduler, timeout (of session affinity, 0 without);
        real servers: those three, and server, server port, weight, mode ("masq");
        rules: of iptables: table, chain, target, rule."""
        raise NotImplementedError("net.state")

    def remove_rule(self, node: str, table: str, row: Mapping[str, str]) -> None:
        """Remove the row of a node's table, as somebody with root might; where the target has net.fault."""
        raise NotImplementedError("net.fault")

    def stop_component(self, node: str, component: str) -> None:
        """Let a node's kube-proxy or flanneld end, leaving what it made; where the target has net.fault."""
        raise NotImplementedError("net.fault")

    def start_component(self, node: str, component: str) -> None:
        """Let it begin anew, with no memory; where the target has net.fault."""
        raise NotImplementedError("net.fault")

    def mark(self, step: int) -> None:  # noqa: B027  (most targets cannot tell)
        """A step begins: what is said from now on belongs to it. Called only where a run is recorded."""

    def conversation(self) -> list[Said]:
        """What components said since the first mark, oldest first; nothing where the target cannot tell."""
        return []

    def implementation(self) -> dict[str, str]:
        """Who made the system: organization, project, version, url, language; what is not known is left out."""
        answer = self.api().call("GET", "/version")
        version = answer.object.get("gitVersion") if answer.accepted else None
        return {"version": version} if isinstance(version, str) else {}

    def sweep(self) -> None:  # noqa: B027  (most targets leave nothing)
        """Remove what workers that were stopped hard left behind. Called once, at the end of a run."""

    def close(self) -> None:  # noqa: B027
        """Idempotent."""
