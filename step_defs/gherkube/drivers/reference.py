"""The target `reference`: refkube in this process, on virtual time, a fresh cluster for every scenario.

The API client's transport calls the cluster directly: nothing is sent, nothing waits. A watch's stream is fed by the
cluster's loop; whoever iterates it moves the loop on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, TypeVar

import httpx2
from lightkube.config import models
from lightkube.config.client_adapter import Client, ConnectionParams
from lightkube.config.kubeconfig import KubeConfig
from refkube.apimachinery.rest import HttpRequest, Request
from refkube.cluster import BACKENDS, SCHEDULERS, Cluster, Networking, networking, open_store
from refkube.kubelet.kubelet import Kubelet
from refkube.kubelet.runtime.container import Container

from gherkube.drivers.base import (
    ADMIN,
    Api,
    Connection,
    Driver,
    Journey,
    Names,
    NotOffered,
    Object,
    Recorded,
    Said,
    Watching,
)
from gherkube.drivers.conversation import told_in_short
from gherkube.drivers.datapath import DataPath
from gherkube.phrases import Place
from gherkube.values import Misused

T = TypeVar("T")

HOME = "home"
_STREAM = "gherkube.stream"
RECORDED = 10_000  # requests that are remembered
PATIENT_CALLS = 500_000  # in one instant: a scenario's cluster that wants more is in a circle
_MARK = "the scenario"  # who is told of in the trace where a step begins
LOOK_AGAIN = 1.0  # virtual seconds after a connection until it is tried again
SCHEDULER = "kube-proxy-scheduler"
PARAMETERS = {"flannel-backend": BACKENDS, SCHEDULER: SCHEDULERS}
PATIENCE = 3600.0  # virtual seconds that an iterated watch waits for its next event


class ReferenceDriver(Driver):
    name = "reference"
    target = "reference"
    declared = capabilities = frozenset(
        {
            *("time.skip", "audit.read", "store.read", "nodes.fault", "storage.provision", "lb.provision"),
            *(
                "pods.run",
                "pods.real",
                "pods.fault",
                "net.connect",
                "net.outside",
                "net.capture",
                "net.state",
                "net.fault",
                "dns",
                "metrics.read",
            ),
        }
    )

    parameters = {"pod-range": "10.244.0.0/16"}

    def __init__(self, nodes: int = 3, seed: int = 0) -> None:
        super().__init__()
        self._nodes, self._seed = nodes, seed
        self._cluster: Cluster | None = None
        self._datapath: DataPath | None = None
        self._needs: frozenset[str] = frozenset()
        self._chosen: dict[str, str] = {}
        self._look = 0.0  # nobody need look again before that
        self._began = 0.0
        # lightkube needs a user; the token is each cluster's own, and goes with each request.
        server = models.Cluster(server="http://reference")
        config: Any = KubeConfig.from_one(cluster=server, user=models.User()).get()
        transport = Transport(lambda: self.cluster)
        self._client = Client(config, ConnectionParams(timeout=None, trust_env=False, transport=transport))

    @property
    def cluster(self) -> Cluster:
        if self._cluster is None:
            self._cluster = self.make()
        return self._cluster

    def make(self, **more: Any) -> Cluster:
        """A fresh cluster."""
        networking = self._networking()
        cluster = Cluster(self._nodes, self._seed, store=open_store("observed"), networking=networking, **more)
        cluster.loop.trace.start(RECORDED, hops=False)
        cluster.loop.patience = PATIENT_CALLS
        return cluster

    def _networking(self) -> Networking:
        """Most scenarios look at the API and at Pods: nothing of theirs would travel by a Service."""
        dns = "dns" in self._needs
        proxied = dns or any(need.startswith("net.") for need in self._needs)
        backend, scheduler = map(self._parameter, PARAMETERS)
        return networking(backend, scheduler, kube_proxy=proxied, dns=dns)

    def _parameter(self, name: str) -> str:
        return self._chosen.get(name, PARAMETERS[name][0])

    @property
    def _path(self) -> DataPath:
        if self._datapath is None:
            self._datapath = DataPath(self.cluster)
        return self._datapath

    def begin(self, scenario: str, needs: Collection[str] = ()) -> Names:
        self._needs, self._chosen = frozenset(needs), {}
        return self._begin()

    def choose(self, parameter: str, value: str) -> None:
        if parameter not in PARAMETERS or value not in PARAMETERS[parameter]:
            raise NotOffered(f"the reference knows no {parameter} {value}")
        self._chosen[parameter] = value
        self._begin()

    def _begin(self) -> Names:
        self.end()
        self.exchanges.clear()
        answer = self.api().call("POST", "/api/v1/namespaces", body={"metadata": {"name": HOME}})
        self._began = self.cluster.loop.now()
        if not answer.accepted:
            raise AssertionError(f"the scenario's namespace was {answer}")
        return Names(home=HOME)

    def end(self) -> None:
        self._cluster = self._datapath = None
        self._look = 0.0

    def api(self, token: str | None = ADMIN) -> Api:
        if token == ADMIN:
            token = self.cluster.admin_token
        return Api(self._client, _follow, self.exchanges, None if token is None else f"Bearer {token}")

    def eventually(self, check: Callable[[], T], within: float) -> T:
        found: list[T] = []
        failure: AssertionError | None = None

        deadline = self.cluster.loop.now() + within

        def holds() -> bool:
            nonlocal failure
            if self.cluster.loop.now() < min(self._look, deadline):
                return False
            try:
                found.append(check())
            except AssertionError as error:
                failure = error
                return False
            return True

        if not self.cluster.loop.run_until(holds, within):
            raise failure or AssertionError("the expectation was never looked at")
        return found[-1]

    def always(self, check: Callable[[], object], during: float) -> None:
        deadline = self.cluster.loop.now() + during

        def holds_on() -> bool:
            if self.cluster.loop.now() >= min(self._look, deadline):
                check()
            return False

        self.cluster.loop.run_until(holds_on, during)

    def settle(self) -> None:
        self.cluster.loop.run_for(1.0)

    def pass_time(self, seconds: float) -> None:
        self.cluster.loop.run_for(seconds)

    def recorded(self) -> list[Recorded]:
        entries = self.cluster.loop.trace.entries()
        return [_recorded(entry.detail["request"], entry.why) for entry in entries if "request" in entry.detail]

    def mark(self, step: int) -> None:
        self.cluster.loop.settle()  # what the step before has caused belongs to that
        self.cluster.loop.trace.record(_MARK, str(step))

    def conversation(self) -> list[Said]:
        said, step = [], -1
        for entry in self.cluster.loop.trace.entries():
            if entry.who == _MARK:
                step = int(entry.what)
            elif step >= 0 and "request" in entry.detail:
                said.append(_said(step, entry.when - self._began, entry.detail["request"], int(entry.why)))
        return said

    def stored(self, group: str, plural: str, namespace: str, name: str) -> Object | None:
        parts = ("registry", group, plural, namespace, name)
        return self.cluster.stored("".join(f"/{part}" for part in parts if part))

    def store_clients(self) -> set[str]:
        return self.cluster.store_clients()

    def silence(self, node: str) -> None:
        self._kubelet(node).stop()

    def resume(self, node: str) -> None:
        self._kubelet(node).start()

    def restart_kubelet(self, node: str) -> None:
        self._kubelet(node).stop()
        self._kubelet(node).start()

    def power_cycle(self, node: str) -> None:
        self._kubelet(node).lose_power()
        self._kubelet(node).start()

    def replace_disk(self, node: str) -> None:
        self._kubelet(node).lose_power(disk=True)
        self._kubelet(node).start()

    def cut_off(self, node: str) -> None:
        self.cluster.cut_off(self._kubelet(node).machine.name)

    def mend(self, node: str) -> None:
        self.cluster.mend(self._kubelet(node).machine.name)

    def crash(self, pod: Place, container: str) -> None:
        self._container(pod, container).kill()

    def hang(self, pod: Place, container: str) -> None:
        self._container(pod, container).hung = True

    def fail_probe(self, pod: Place, container: str, probe: str, fails: bool) -> None:
        failing = self._container(pod, container).failing
        (failing.add if fails else failing.discard)(f"{probe}Probe")

    def join(self, node: str) -> None:
        self.cluster.join(node)

    def _container(self, pod: Place, name: str) -> Container:
        for sandbox in self.cluster.sandboxes():
            if (sandbox.name, sandbox.namespace) == (pod.name, pod.namespace):
                container = sandbox.latest(name)
                if container is not None and container.running:
                    return container
        raise AssertionError(f'no container "{name}" of {pod} runs')

    def _kubelet(self, node: str) -> Kubelet:
        for kubelet in self.cluster.kubelets:
            if kubelet.machine.name == node and isinstance(kubelet, Kubelet):
                return kubelet
        raise Misused(f'there is no node "{node}" with a kubelet')

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
        made = self._path.connect(origin, address, port, protocol, times, hold, size)
        self._look_later()
        return made

    def outside_address(self, place: Place) -> str:
        return self._path.outside_address(place)

    def held(self) -> list[Connection]:
        return self._path.held()

    def release(self) -> None:
        self._path.release()

    def fetch(self, origin: Place, address: str, port: int, path: str) -> tuple[int, str]:
        answer = self._path.fetch(origin, address, port, path)
        self._look_later()
        return answer

    def resolve(self, origin: Place, name: str, type: str = "A") -> tuple[str, list[str]]:
        found = self._path.resolve(origin, name, type)
        self._look_later()
        return found

    def _look_later(self) -> None:
        """Whoever connects again and again is not to do so at every timer's beat."""
        self._look = self.cluster.loop.now() + LOOK_AGAIN
        self.cluster.loop.call_at(self._look, int)

    def journey(self, origin: Place, address: str, port: int, protocol: str = "TCP") -> Journey:
        return self._path.journey(origin, address, port, protocol)

    def follow(self, note: Callable[[Place, str, int, Journey], None] | None) -> None:
        self._path.note = note

    def tables(self, place: Place) -> Mapping[str, list[dict[str, str]]]:
        return self._path.tables(place)

    def remove_rule(self, node: str, table: str, row: Mapping[str, str]) -> None:
        self._path.remove(node, table, row)

    def stop_component(self, node: str, component: str) -> None:
        self.cluster.networks[node].stop(component)

    def start_component(self, node: str, component: str) -> None:
        self.cluster.networks[node].start(component)

    def implementation(self) -> dict[str, str]:
        told = {"organization": "gherkube", "project": "refkube", "language": "Python"}
        return {**told, **super().implementation()}

    def close(self) -> None:
        self._cluster = None
        self._client.close()


def _recorded(request: Request, code: str) -> Recorded:
    return Recorded(*_act(request), code.startswith("2"), int(code))


def _said(step: int, at: float, request: Request, code: int) -> Said:
    body = request.body if isinstance(request.body, dict) else {}
    return Said(step, round(at, 3), *_act(request), code, told_in_short(request.subresource, body))


def _act(request: Request) -> tuple[str, str, str, str, str]:
    """User, verb, resource, namespace and name."""
    resource = f"{request.resource}/{request.subresource}" if request.subresource else request.resource
    body = request.body if isinstance(request.body, dict) else {}
    metadata = body.get("metadata") or {}
    name = request.name or metadata.get("name", "") or metadata.get("generateName", "")
    return request.user.name if request.user else "", request.verb, resource, request.namespace, name


class Transport(httpx2.BaseTransport):
    """Hands each request to the API server of the cluster that is there at that moment."""

    def __init__(self, cluster: Callable[[], Cluster]):
        self._cluster = cluster

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        path, _, query = request.url.raw_path.decode("ascii").partition("?")
        headers = {name.lower(): value for name, value in request.headers.items()}
        cluster = self._cluster()
        cluster.loop.settle()  # a request takes a moment, in which the controllers do what is due
        answer = cluster.http(HttpRequest(request.method, path, query, headers, request.read()))
        pairs: Any = answer.headers.items() if isinstance(answer.headers, dict) else answer.headers
        if answer.stream is None:
            return httpx2.Response(answer.status, headers=list(pairs), content=answer.body)
        stream = LoopStream(cluster, answer.stream)
        return httpx2.Response(answer.status, headers=list(pairs), stream=stream, extensions={_STREAM: stream})


class LoopStream(httpx2.SyncByteStream):
    """A watch's stream. `data` grows while the loop runs; iterating runs the loop until more has come."""

    def __init__(self, cluster: Cluster, stream: Any):
        self._loop = cluster.loop
        self._stream = stream
        self.run: Callable[[Callable[[], Any]], Any] = _at_once  # on the thread that the loop belongs to
        self.data = bytearray()
        self.ended = False
        stream.start(self.data.extend, self._end)

    def _end(self) -> None:
        self.ended = True

    def __iter__(self) -> Iterator[bytes]:
        read = 0
        while True:
            self._await_more(read)
            if len(self.data) == read:
                return
            chunk = bytes(self.data[read:])
            read += len(chunk)
            yield chunk

    def _await_more(self, read: int) -> None:
        self.run(lambda: self._loop.run_until(lambda: len(self.data) > read or self.ended, PATIENCE))

    def close(self) -> None:
        if not self.ended:
            self.ended = True
            self.run(self._stream.stop)


def _at_once(act: Callable[[], Any]) -> Any:
    return act()


class _LoopWatching:
    def __init__(self, stream: LoopStream):
        self._stream = stream

    @property
    def lines(self) -> list[bytes]:
        return bytes(self._stream.data).split(b"\n")[:-1]

    @property
    def ended(self) -> bool:
        return self._stream.ended

    def stop(self) -> None:
        self._stream.close()


def _follow(response: httpx2.Response) -> Watching:
    return _LoopWatching(response.extensions[_STREAM])  # the client wraps response.stream
