"""The names of a cluster: of Services, of their endpoints, of Pods by address, and back from addresses.

Called by `server`. What is asked for is looked up in informers when it is asked for. Source: the Kubernetes DNS-Based
Service Discovery specification 1.1.0, coredns plugin/kubernetes (with kubeadm's `pods insecure` and `ttl 30`).
Left out: IPv6, zone transfers, endpoint_pod_names.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address
from typing import NamedTuple

from refkube.apimachinery.meta import Object, name_of, namespace_of
from refkube.client.client import Client
from refkube.client.informer import Informer
from refkube.engine.loop import Loop

SERVICE_NAME = "kubernetes.io/service-name"
VERSION = "1.1.0"


class Record(NamedTuple):
    """Something a name stands for: an address with a port (0 where there is none), or another name."""

    name: str  # what it is called itself: an endpoint's name for one of a headless Service
    address: str = ""
    port: int = 0
    alias: str = ""


class NoSuchName(Exception):
    """NXDOMAIN. A name that exists, but not with what is asked for, has no records instead."""


class Records:
    def __init__(self, client: Client, loop: Loop, zone: str = "cluster.local"):
        self.zone = zone
        self._services = Informer(client, loop, "services")
        self._slices = Informer(client, loop, "endpointslices.discovery.k8s.io")
        self._services.add_index("ip", _cluster_ips)
        self._slices.add_index("service", lambda one: (_service_of(one),))
        self._slices.add_index(
            "ip", lambda one: {ip for listed in one.get("endpoints") or () for ip in listed["addresses"]}
        )

    def start(self) -> None:
        self._services.start()
        self._slices.start()

    def stop(self) -> None:
        self._services.stop()
        self._slices.stop()

    @property
    def ready(self) -> bool:
        return self._services.has_synced and self._slices.has_synced

    @property
    def serial(self) -> int:
        return max(int(one.resource_version or "0") for one in (self._services, self._slices))

    def lookup(self, labels: list[str]) -> list[Record]:
        """What a name within the zone stands for; `labels` are those before the zone."""
        if not labels or labels in (["svc"], ["pod"]):
            return []
        *before, kind = labels
        if kind not in ("svc", "pod"):
            raise NoSuchName
        if len(before) < 2:
            return []
        *rest, service, namespace = before
        if kind == "pod":
            return self._of_pod(service, namespace)
        if len(rest) > 2:
            raise NoSuchName
        port, protocol = (_plain(rest[0]), _plain(rest[1])) if len(rest) == 2 else ("", "")
        return self._of_service(service, namespace, rest[0] if len(rest) == 1 else "", port, protocol)

    def reverse(self, address: str) -> list[str]:
        """The names of an address: a Service's, or those of endpoints that have a hostname."""
        services = self._services.indexed("ip", address).values()
        if services:
            return [self._name(name_of(one), namespace_of(one)) for one in services]
        found = {
            self._name(listed["hostname"], _service_of(one).partition("/")[2], namespace_of(one)): None
            for one in self._slices.indexed("ip", address).values()
            for listed in one.get("endpoints") or ()
            if address in listed["addresses"] and listed.get("hostname") and _is_ready(listed)
        }
        if not found:
            raise NoSuchName
        return list(found)

    def _name(self, *labels: str) -> str:
        return f"{'.'.join(labels)}.svc.{self.zone}."

    def _of_pod(self, name: str, namespace: str) -> list[Record]:
        try:
            address = IPv4Address(name.replace("-", "."))
        except AddressValueError:
            raise NoSuchName from None
        return [Record(f"{name}.{namespace}.pod.{self.zone}.", str(address))]

    def _of_service(self, name: str, namespace: str, endpoint: str, port: str, protocol: str) -> list[Record]:
        service = self._services.get(f"{namespace}/{name}")
        if service is None:
            raise NoSuchName
        spec, own = service["spec"], self._name(name, namespace)
        if spec.get("type") == "ExternalName":
            if endpoint:
                raise NoSuchName
            return [Record(own, alias=f"{spec['externalName'].rstrip('.')}.")]
        if endpoint or spec.get("clusterIP") == "None":
            found = list(self._endpoints(name, namespace, endpoint, port, protocol))
        else:
            ports = [one for one in spec.get("ports") or () if _matches(one, port, protocol)]
            found = [Record(own, ip, one["port"]) for one in ports for ip in _cluster_ips(service)]
        if not found:
            raise NoSuchName
        return found

    def _endpoints(self, name: str, namespace: str, endpoint: str, port: str, protocol: str) -> Iterator[Record]:
        for one in self._slices.indexed("service", f"{namespace}/{name}").values():
            if one.get("addressType", "IPv4") != "IPv4":
                continue
            ports = [known for known in one.get("ports") or ({"port": 0},) if _matches(known, port, protocol)]
            for listed in one.get("endpoints") or ():
                for address in listed["addresses"] if _is_ready(listed) else ():
                    called = listed.get("hostname") or address.replace(".", "-")
                    if endpoint in ("", called):
                        own = self._name(called, name, namespace)
                        yield from (Record(own, address, known.get("port") or 0) for known in ports)


def _cluster_ips(service: Object) -> list[str]:
    spec = service["spec"]
    return [
        ip for ip in spec.get("clusterIPs") or [spec.get("clusterIP", "")] if ip not in ("", "None") and ":" not in ip
    ]


def _service_of(one: Object) -> str:
    return f"{namespace_of(one)}/{(one['metadata'].get('labels') or {}).get(SERVICE_NAME, '')}"


def _is_ready(listed: Object) -> bool:
    """Also what is not, where the Service publishes it: the slice tells it as ready then."""
    return bool((listed.get("conditions") or {}).get("ready", True))


def _matches(known: Object, port: str, protocol: str) -> bool:
    return (not port or (known.get("name") or "").lower() == port) and (
        not protocol or known.get("protocol", "TCP").lower() == protocol
    )


def _plain(label: str) -> str:
    return label.removeprefix("_")
