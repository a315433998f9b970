"""Somebody's kube-proxy among refkube's parts: a process inside each node's network, where the API server is served.

Used by the driver `kernel`: a node's network is a real one there, and a process that is started in it works on it as
on a machine of its own. Its API server is found on loopback, answered by the same loop as everything else.
"""

from __future__ import annotations

import secrets
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import h11
from refkube.apimachinery.rest import HttpRequest, HttpResponse, UserInfo
from refkube.cluster import KUBE_PROXY, Cluster
from refkube.hostnet import Namespace, Stream

from gherkube.drivers.base import TargetError
from gherkube.drivers.loopback import kubeconfig
from gherkube.drivers.processes import PATIENCE, end, filled, started

PORT = 6443
GROUPS = ("system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated")
USER = UserInfo("system:serviceaccount:kube-system:kube-proxy", groups=GROUPS)
WATCHED = "endpointslices"  # who watches these has begun
A_WHILE = 0.5  # seconds of the cluster's, between two looks


class Proxies:
    """Of one cluster, to which `token` is to be USER's. `words` are the command, in which {kubeconfig}, {node} and
    {scheduler} are filled in."""

    def __init__(self, words: Sequence[str], scheduler: str):
        self._words, self._scheduler = list(words), scheduler
        self._folder = TemporaryDirectory(prefix="gherkube-")
        self.token = secrets.token_urlsafe(16)
        self._ports: dict[str, ApiPort] = {}
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def of(self, cluster: Cluster, node: str) -> Proxy:
        return Proxy(self, cluster, node)

    def start(self, cluster: Cluster, node: str) -> None:
        net: Any = cluster.host(node).namespace  # a real one
        if node not in self._ports:
            net.share()
            self._ports[node] = ApiPort(net, PORT, cluster.http)
        self._ports[node].begun = False
        path = Path(self._folder.name) / node
        path.write_text(kubeconfig(f"http://127.0.0.1:{PORT}", self.token), encoding="utf-8")
        words = filled(self._words, kubeconfig=path, node=node, scheduler=self._scheduler)
        self.running[node] = net.inside(started, words)

    def stop(self, node: str) -> None:
        if (process := self.running.pop(node, None)) is not None:
            end(process)

    def await_all(self, cluster: Cluster) -> None:
        """Until each has begun. Raises TargetError where one has not."""
        deadline = time.monotonic() + PATIENCE
        while waiting := [node for node in self.running if not self._ports[node].begun]:
            for node in waiting:
                if (code := self.running[node].poll()) is not None:
                    raise TargetError(f"{KUBE_PROXY} of {node} ended with code {code} before it watched {WATCHED}")
            if time.monotonic() > deadline:
                hint = "does it use the kubeconfig that was written for it?"
                raise TargetError(f"{KUBE_PROXY} of {waiting[0]} watched nothing within {PATIENCE:g} s; {hint}")
            cluster.loop.run_for(A_WHILE)

    def close(self) -> None:
        for node in list(self.running):
            self.stop(node)
        self._folder.cleanup()


class Proxy:
    """A node's, as the cluster starts and stops it."""

    def __init__(self, proxies: Proxies, cluster: Cluster, node: str):
        self._proxies, self._cluster, self._node = proxies, cluster, node

    def start(self) -> None:
        self._proxies.start(self._cluster, self._node)

    def stop(self) -> None:
        self._proxies.stop(self._node)


class ApiPort:
    """The API server on loopback in a network. `begun` is true once somebody watches what a proxy has to watch."""

    def __init__(self, net: Namespace, port: int, serve: Callable[[HttpRequest], HttpResponse]):
        self.serve = serve
        self.begun = False
        self._listener = net.listen(("127.0.0.1", port), lambda stream: _Connection(stream, self))


class _Connection:
    def __init__(self, stream: Stream, port: ApiPort):
        self._stream, self._port = stream, port
        self._http = h11.Connection(h11.SERVER)
        self._asked: h11.Request | None = None
        self._body = b""
        self._watch: Any = None
        stream.received, stream.closed = self._received, self._closed

    def _received(self, data: bytes) -> None:
        try:
            self._http.receive_data(data)
            self._go_on()
        except h11.RemoteProtocolError:
            self._stream.abort()

    def _closed(self, why: str) -> None:
        if self._watch is not None:
            self._watch.stop()
        self._stream.close()

    def _go_on(self) -> None:
        while (event := self._http.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
            if isinstance(event, h11.Request):
                self._asked, self._body = event, b""
            elif isinstance(event, h11.Data):
                self._body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                self._answer()
            elif isinstance(event, h11.ConnectionClosed):
                return

    def _answer(self) -> None:
        asked = self._asked
        assert asked is not None
        path, _, query = asked.target.decode("latin-1").partition("?")
        headers = {name.decode(): value.decode("latin-1") for name, value in asked.headers}
        answer = self._port.serve(HttpRequest(asked.method.decode(), path, query, headers, self._body))
        length = [("content-length", str(len(answer.body)))] if answer.stream is None else []
        self._send(h11.Response(status_code=answer.status, headers=[*answer.headers, *length]))
        if answer.stream is None:
            self._send(h11.Data(answer.body))
            self._end()
            return
        self._port.begun = self._port.begun or WATCHED in path
        self._watch = answer.stream
        self._watch.start(lambda chunk: self._send(h11.Data(chunk)), self._end)

    def _send(self, event: Any) -> None:
        if self._http.our_state is not h11.ERROR:
            self._stream.send(self._http.send(event) or b"")

    def _end(self) -> None:
        self._watch = None
        self._send(h11.EndOfMessage())
        if self._http.our_state is h11.DONE:
            self._http.start_next_cycle()
            self._go_on()
        else:
            self._stream.close()
