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

from refkube.apimachinery.rest import HttpRequest, HttpResponse, UserInfo
from refkube.cluster import KUBE_PROXY, Cluster
from refkube.hostnet import Namespace, http

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
        self._serve = serve
        self.begun = False
        self._listener = http.serve(net, ("127.0.0.1", port), self._handle)

    def _handle(self, asked: http.Asked) -> None:
        path, _, query = asked.target.partition("?")
        answer = self._serve(HttpRequest(asked.method, path, query, asked.headers, asked.body))
        self.begun = self.begun or (answer.stream is not None and WATCHED in path)
        asked.answer(http.Answer(answer.status, answer.body, answer.headers, answer.stream))
