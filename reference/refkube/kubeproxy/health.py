"""kube-proxy's answers by HTTP: /healthz and /livez of itself, and per Service whether this node has endpoints.

A load balancer asks a Service's health-check node port which nodes to send to (externalTrafficPolicy Local).
Called by `proxier`. Source: pkg/proxy/healthcheck.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from refkube.apimachinery.meta import Object, is_terminating
from refkube.engine.clock import rfc3339
from refkube.engine.loop import Loop
from refkube.hostnet import Listener, Namespace, NetError
from refkube.hostnet.http import Answer, Asked, serve

PORT = 10256
TO_BE_DELETED = "ToBeDeletedByClusterAutoscaler"
_HEADERS = [("Content-Type", "application/json"), ("X-Content-Type-Options", "nosniff")]


class Health:
    """`node` gives this proxy's Node as it is known, `timeout` is how long a change may wait before it is ill."""

    def __init__(self, loop: Loop, namespace: Namespace, node: Callable[[], Object | None], timeout: float):
        self._loop = loop
        self._namespace = namespace
        self._node = node
        self._timeout = timeout
        self._queued: float | None = None
        self._updated = loop.now()
        self._own: Listener | None = None
        self._services: dict[str, tuple[int, Listener]] = {}
        self._local: dict[str, int] = {}  # Service -> its ready endpoints here

    def start(self) -> None:
        self._updated = self._loop.now()
        try:
            self._own = serve(self._namespace, ("0.0.0.0", PORT), lambda asked: asked.answer(self._answer(asked)))
        except NetError:
            self._own = None  # upstream, too, proxies on where its port is taken

    def stop(self) -> None:
        for listener in [self._own, *(listener for _, listener in self._services.values())]:
            if listener is not None:
                listener.close()
        self._own = None
        self._services.clear()

    def queued(self) -> None:
        if self._queued is None:
            self._queued = self._loop.now()

    def updated(self) -> None:
        self._queued, self._updated = None, self._loop.now()

    @property
    def healthy(self) -> bool:
        return self._queued is None or self._loop.now() - self._queued < self._timeout

    def offer(self, service: str, port: int, local: int) -> None:
        """Answer for a Service at a port, 0 is no more. Raises NetError where the port is taken."""
        self._local[service] = local
        known = self._services.get(service)
        if known is not None and known[0] != port:
            known[1].close()
            del self._services[service]
        if port and service not in self._services:
            at = "0.0.0.0", port
            listener = serve(self._namespace, at, lambda asked: asked.answer(self._answer_for(service)))
            self._services[service] = port, listener
        if not port:
            del self._local[service]

    def _answer_for(self, service: str) -> Answer:
        namespace, _, name = service.partition("/")
        count, healthy = self._local.get(service, 0), self.healthy
        told = {
            "service": {"namespace": namespace, "name": name},
            "localEndpoints": count,
            "serviceProxyHealthy": healthy,
        }
        headers = [*_HEADERS, ("X-Load-Balancing-Endpoint-Weight", str(count))]
        return Answer(200 if count and healthy else 503, json.dumps(told, indent=1).encode(), headers)

    def _answer(self, request: Asked) -> Answer:
        """/livez is of the proxy; /healthz is 503, too, where the node is about to go."""
        if request.path not in ("/healthz", "/livez"):
            return Answer(404)
        healthy = self.healthy
        told: Object = {"lastUpdated": rfc3339(self._updated), "currentTime": rfc3339(self._loop.now())}
        if request.path == "/healthz":
            told["nodeEligible"] = eligible = self._eligible()
            healthy = healthy and eligible
        told["healthy"] = self.healthy
        return Answer(200 if healthy else 503, json.dumps(told).encode(), _HEADERS)

    def _eligible(self) -> bool:
        node = self._node()
        if node is None or is_terminating(node):
            return False
        return all(taint["key"] != TO_BE_DELETED for taint in (node.get("spec") or {}).get("taints") or ())
