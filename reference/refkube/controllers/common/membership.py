"""Which Pods are behind which Services: what the controllers of Endpoints and EndpointSlices share.

Source: k8s.io/endpointslice/util and utils.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from refkube.api.resources import is_sidecar
from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object, condition_is_true, is_terminating, key_of, labels_of
from refkube.client.informer import Informer, by_namespace
from refkube.controllers.common.context import Context

HEADLESS = "service.kubernetes.io/headless"
_NONE: set[str] = set()


class Port(NamedTuple):
    """A port of an endpoint; a Service's ports may lead to different numbers on different Pods."""

    name: str
    number: int
    protocol: str
    app_protocol: str

    def as_object(self) -> Object:
        told: Object = {"name": self.name, "port": self.number, "protocol": self.protocol}
        return {**told, "appProtocol": self.app_protocol} if self.app_protocol else told


class Membership:
    """Tells `changed(key)` of every Service that concerns a change of a Pod, and remembers which Pods these were.

    A Pod finds its Services by one label of their selectors, so that its change costs the same however many there are.
    """

    def __init__(self, context: Context, changed: Callable[[str], object]):
        self.services: Informer = context.informers.of("services")
        self.pods: Informer = context.informers.of("pods")
        self._changed = changed
        self._pending: dict[str, set[str] | None] = {}  # None: all
        self.services.add_index("selector", _by_selector)
        self.pods.add_index("namespace", by_namespace)
        self.services.add_handler(self._service, self._service_updated, self._service)
        self.pods.add_handler(self._pod, self._pod_updated, self._pod)

    def take(self, service: Object) -> tuple[bool, dict[str, Object | None]]:
        """Whether everything must be looked at; the Pods to look at, None for those that are not the Service's."""
        meta, selector = service["metadata"], service["spec"]["selector"].items()
        keys = self._pending.pop(f"{meta['namespace']}/{meta['name']}", _NONE)
        if keys is None:
            found = self.pods.indexed("namespace", meta["namespace"])
            return True, {key: pod for key, pod in found.items() if selector <= labels_of(pod).items()}
        pods = {key: self.pods.get(key) for key in keys}
        return False, {key: pod if pod and selector <= labels_of(pod).items() else None for key, pod in pods.items()}

    def look_again(self, key: str) -> None:
        """At everything, the next time."""
        self._pending[key] = None

    def forget(self, key: str) -> None:
        self._pending.pop(key, None)

    def note(self, service_key: str, pod_key: str) -> None:
        """Look at this Pod again."""
        pending = self._pending.setdefault(service_key, set())
        if pending is not None:
            pending.add(pod_key)
        self._changed(service_key)

    def _service(self, service: Object) -> None:
        key = key_of(service)
        self._pending[key] = None
        self._changed(key)

    def _service_updated(self, old: Object, new: Object) -> None:
        if old["spec"] != new["spec"] or labels_of(old) != labels_of(new) or is_terminating(old) != is_terminating(new):
            self._service(new)

    def _pod(self, pod: Object) -> None:
        key = key_of(pod)
        for service in self._services_of(pod):
            self.note(service, key)

    def _pod_updated(self, old: Object, new: Object) -> None:
        if labels_of(old) != labels_of(new):
            self._pod(old)
            self._pod(new)
        elif _projection(old) != _projection(new):
            self._pod(new)

    def _services_of(self, pod: Object) -> Iterator[str]:
        namespace, labels = pod["metadata"]["namespace"], labels_of(pod).items()
        for name, value in labels:
            for key, service in self.services.indexed("selector", f"{namespace}/{name}={value}").items():
                if service["spec"]["selector"].items() <= labels:
                    yield key


def _by_selector(service: Object) -> Iterable[str]:
    for name, value in (service["spec"].get("selector") or {}).items():
        return (f"{service['metadata']['namespace']}/{name}={value}",)
    return ()


def _projection(pod: Object) -> tuple[Any, ...]:
    """What endpoints show of a Pod."""
    spec, status = pod["spec"], pod.get("status") or {}
    told = (status.get("phase"), status.get("podIP"), status.get("podIPs"))
    where = (spec.get("nodeName"), spec.get("hostname"), spec.get("subdomain"))
    return pod["metadata"]["uid"], is_terminating(pod), condition_is_true(pod, "Ready"), told, where


def is_listed(pod: Object, with_terminating: bool) -> bool:
    """Whether a Pod has an endpoint, ready or not: it has an address and has not finished."""
    status = pod.get("status") or {}
    if status.get("phase") in ("Failed", "Succeeded") or not (status.get("podIP") or status.get("podIPs")):
        return False
    return with_terminating or not is_terminating(pod)


def pod_ips(pod: Object, family: str) -> list[str]:
    status = pod.get("status") or {}
    ips = [entry["ip"] for entry in status.get("podIPs") or () if entry.get("ip")] or [status.get("podIP") or ""]
    return [ip for ip in ips if ip and (":" in ip) == (family == "IPv6")]


def target_ref(pod: Object) -> Object:
    meta = pod["metadata"]
    return {"kind": "Pod", "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"]}


def hostname(pod: Object, service: Object) -> str:
    """The name under which a Pod is found below its headless Service."""
    spec = pod["spec"]
    return spec.get("hostname", "") if spec.get("subdomain") == service["metadata"]["name"] else ""


def ports_of(service: Object, pod: Object) -> tuple[Port, ...]:
    """The Service's ports on this Pod; those whose name it does not have are left out."""
    found = []
    for port in service["spec"].get("ports") or ():
        target, protocol = port.get("targetPort") or port["port"], port.get("protocol", "TCP")
        number = target if isinstance(target, int) else _named_port(pod["spec"], target, protocol)
        if number:
            found.append(Port(port.get("name", ""), number, protocol, port.get("appProtocol", "")))
    return tuple(found)


def _named_port(spec: Object, name: str, protocol: str) -> int:
    sidecars = [container for container in spec.get("initContainers") or () if is_sidecar(container)]
    for container in [*spec["containers"], *sidecars]:
        for port in container.get("ports") or ():
            if port.get("name") == name and port.get("protocol", "TCP") == protocol:
                return port["containerPort"]
    return 0


def with_headless(labels: Mapping[str, str], service: Object) -> dict[str, str]:
    """With the label that says so where the Service has no address of its own."""
    kept = {name: value for name, value in labels.items() if name != HEADLESS}
    return {**kept, HEADLESS: ""} if service["spec"].get("clusterIP", "") in ("", "None") else kept


def namespace_ends(refusal: StatusError) -> bool:
    """Nothing can be created there any more: no reason to try again."""
    causes = (refusal.status.get("details") or {}).get("causes") or ()
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)
