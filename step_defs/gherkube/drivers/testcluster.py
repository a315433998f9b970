"""The fixture `cluster` of anybody's tests: a Kubernetes in the test's process, there within milliseconds.

Time is virtual: it stands still until the test lets it pass. A client of lightkube asks in process; as soon as `url`
or `kubeconfig` is asked for, the same cluster is served on loopback, too, for the official client, kubectl and others.
Made by `gherkube.plugin`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Any, TypeVar

import httpx2
from lightkube import Client
from lightkube.config import models
from lightkube.config.kubeconfig import KubeConfig
from refkube.cluster import Cluster

from gherkube.drivers.loopback import Loopback
from gherkube.drivers.reference import LoopStream, Transport

T = TypeVar("T")


class TestCluster:
    """A control plane with `nodes` nodes, n1, n2 ..., whose kubelets run Pods: programs that the reference knows."""

    __test__ = False  # no test of pytest's, whatever its name

    def __init__(self, nodes: int = 3, seed: int = 0) -> None:
        self._nodes, self._seed = nodes, seed
        self._cluster = Cluster(nodes=nodes, seed=seed)
        self._served: Loopback | None = None
        self._folder: TemporaryDirectory[str] | None = None

    # Ways to it

    def client(self, namespace: str = "default", **options: Any) -> Client:
        """lightkube's client, in process, with an administrator's rights."""
        server = models.Cluster(server="http://cluster")
        user = models.User(token=self.token)
        config = KubeConfig.from_one(cluster=server, user=user).get()
        transport = _Routed(lambda: self._cluster, self._run)
        return Client(config, namespace=namespace, transport=transport, trust_env=False, **options)

    @property
    def token(self) -> str:
        """The administrator's."""
        return self._cluster.admin_token

    @property
    def url(self) -> str:
        """Where it is served on loopback; from now on."""
        return self._loopback.url

    @property
    def kubeconfig(self) -> Path:
        """A file for every client that reads one."""
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="gherkube-")
            path = Path(self._folder.name) / "kubeconfig"
            path.write_text(self._loopback.kubeconfig(), encoding="utf-8")
            path.chmod(0o600)
        return Path(self._folder.name) / "kubeconfig"

    # Time

    @property
    def now(self) -> float:
        """The cluster's time, in seconds since 1970."""
        return self._cluster.loop.now()

    def settle(self) -> None:
        """Let the components do what is due at this moment."""
        self._run(self._cluster.loop.settle)

    def pass_time(self, seconds: float) -> None:
        """Let time go by, with all that happens meanwhile; costs no waiting."""
        self._run(lambda: self._cluster.loop.run_for(seconds))

    def eventually(self, check: Callable[[], T], within: float = 60.0, patience: float = 5.0) -> T:
        """What `check` gives as soon as it raises no AssertionError; its last error after so many seconds.

        They cost nothing; whoever connects from outside needs real time: once the cluster is served, `patience` real
        seconds more.
        """
        deadline = self.now + within
        patient = monotonic() + (patience if self._served is not None else 0.0)
        while True:
            self.settle()
            try:
                return check()
            except AssertionError:
                if self.now >= deadline and monotonic() >= patient:
                    raise
            if self.now < deadline:
                self._run(lambda: self._to_next_event(deadline))
            else:
                sleep(0.01)

    # Faults

    def silence(self, node: str) -> None:
        """Stop a node's kubelet, as if the node had lost its power."""
        self._run(self._kubelet(node).stop)

    def resume(self, node: str) -> None:
        self._run(self._kubelet(node).start)

    def cut_off(self, node: str) -> None:
        """Let nothing get from a node to others or to the API server, nor back, while all on it runs on."""
        self._kubelet(node)
        self._run(lambda: self._cluster.cut_off(node))

    def mend(self, node: str) -> None:
        self._kubelet(node)
        self._run(lambda: self._cluster.mend(node))

    def join(self, node: str) -> None:
        """Add one more node."""
        self._run(lambda: self._cluster.join(node))

    def close(self) -> None:
        if self._served is not None:
            self._served.close()
        else:
            self._cluster.close()
        if self._folder is not None:
            self._folder.cleanup()

    # Inside

    @property
    def _loopback(self) -> Loopback:
        if self._served is None:
            self._served = Loopback(lambda: self._cluster)
        return self._served

    def _run(self, act: Callable[[], T]) -> T:
        """On the thread that the cluster lives on."""
        return act() if self._served is None else self._served.call(act)

    def _to_next_event(self, deadline: float) -> None:
        loop = self._cluster.loop
        due = loop.next_due()
        loop.run_for(max(0.0, min(deadline, deadline if due is None else due) - loop.now()))

    def _kubelet(self, node: str) -> Any:
        known = {kubelet.machine.name: kubelet for kubelet in self._cluster.kubelets}
        if node not in known:
            raise ValueError(f"there is no node {node!r}; nodes: {', '.join(known) or 'none'}")
        return known[node]


class _Routed(Transport):
    """Asks on the cluster's thread, wherever that is by then."""

    def __init__(self, cluster: Callable[[], Cluster], run: Callable[[Callable[[], Any]], Any]):
        super().__init__(cluster)
        self._run = run

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        response: httpx2.Response = self._run(lambda: super(_Routed, self).handle_request(request))
        if isinstance(response.stream, LoopStream):
            response.stream.run = self._run
        return response
