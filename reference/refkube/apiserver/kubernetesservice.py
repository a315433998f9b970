"""The Service "kubernetes", by which Pods reach the API server, and the range that Services get addresses from.

Made when the API server starts, and made again if somebody deletes them. Source: kubernetes/pkg/controlplane
(controller/kubernetesservice, controller/defaultservicecidr, reconcilers). Left out: several API servers' addresses.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from ipaddress import ip_network

from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object
from refkube.client.client import Client
from refkube.engine.clock import rfc3339
from refkube.engine.loop import Loop, Timer

_log = logging.getLogger(__name__)

NAME, NAMESPACE = "kubernetes", "default"
PERIOD = 10.0  # seconds
_SLICES, _RANGES = "endpointslices.discovery.k8s.io", "servicecidrs.networking.k8s.io"


class KubernetesService:
    """`address` and `port` are where the API server is reached without the Service."""

    def __init__(self, client: Client, loop: Loop, ranges: Sequence[str], address: str, port: int):
        self._client = client
        self._loop = loop
        self._ranges = list(ranges)
        self._address = address
        self._port = port
        self._timer: Timer | None = None

    def start(self) -> None:
        self._timer = self._loop.call_later(PERIOD, self._again)
        self._ensure_range()
        for resource, obj in self._objects():
            self._ensure(resource, obj)

    def _again(self) -> None:
        try:
            self.start()
        except (StatusError, OSError) as why:
            _log.warning("the Service kubernetes waits for its next time: %s", why)

    def stop(self) -> None:
        if self._timer:
            self._timer.cancel()

    def _objects(self) -> list[tuple[str, Object]]:
        meta: Object = {"name": NAME, "namespace": NAMESPACE}
        port: Object = {"name": "https", "port": self._port, "protocol": "TCP"}
        ip = str(ip_network(self._ranges[0])[1])
        spec = {"type": "ClusterIP", "clusterIP": ip, "ports": [{**port, "port": 443, "targetPort": self._port}]}
        labels = {"component": "apiserver", "provider": "kubernetes"}
        unmirrored = {**meta, "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}}
        named = {**meta, "labels": {"kubernetes.io/service-name": NAME}}
        endpoint = {"addresses": [self._address], "conditions": {"ready": True}}
        slice_of_it = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": named,
            "addressType": "IPv6" if ":" in self._address else "IPv4",
            "endpoints": [endpoint],
            "ports": [port],
        }
        subset = {"addresses": [{"ip": self._address}], "ports": [port]}
        return [
            (
                "services",
                {"apiVersion": "v1", "kind": "Service", "metadata": {**meta, "labels": labels}, "spec": spec},
            ),
            ("endpoints", {"apiVersion": "v1", "kind": "Endpoints", "metadata": unmirrored, "subsets": [subset]}),
            (_SLICES, slice_of_it),
        ]

    def _ensure_range(self) -> None:
        spec = {"cidrs": self._ranges}
        meta = {"name": NAME}
        obj = {"apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR", "metadata": meta, "spec": spec}
        made = self._ensure(_RANGES, obj)
        if made is not None:
            ready = {
                "type": "Ready",
                "status": "True",
                "reason": "",
                "message": "Kubernetes Service CIDR is ready",
                "lastTransitionTime": rfc3339(self._loop.now()),
            }
            self._client.update_status(_RANGES, {**made, "status": {"conditions": [ready]}})

    def _ensure(self, resource: str, obj: Object) -> Object | None:
        """The object if it had to be made; what cannot be made now is tried again in time."""
        meta = obj["metadata"]
        try:
            self._client.get(resource, meta["name"], meta.get("namespace", ""))
        except StatusError as missing:
            if missing.code == 404:
                try:
                    return self._client.create(resource, obj)
                except StatusError as refusal:
                    if refusal.code not in (403, 409, 422):  # its namespace ends, another made it, its address is taken
                        raise
        return None
