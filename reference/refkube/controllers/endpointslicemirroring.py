"""EndpointSlices for the Endpoints that users write by hand: one for each set of ports and address family.

Source: kubernetes/pkg/controller/endpointslicemirroring.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object, annotations_of, is_terminating, key_of, labels_of
from refkube.client.controller import Controller
from refkube.client.events import WARNING
from refkube.controllers.common.context import Context
from refkube.controllers.common.membership import namespace_ends
from refkube.controllers.common.slices import (
    BEHIND,
    MANAGED_BY,
    SERVICE_NAME,
    SLICES,
    Tracker,
    delete_slice,
    new_slice,
    service_of,
)

MANAGER = "endpointslicemirroring-controller.k8s.io"
SKIP = "endpointslice.kubernetes.io/skip-mirror"
LEADER = "control-plane.alpha.kubernetes.io/leader"
_NOT_COPIED = (
    "endpoints.kubernetes.io/last-change-trigger-time",
    "kubectl.kubernetes.io/last-applied-configuration",
)

Group = tuple[str, tuple[tuple[Any, ...], ...]]  # address family and ports


class EndpointSliceMirroringController:
    account = "endpointslicemirroring-controller"
    component = "endpoint-slice-mirroring-controller"

    def __init__(self, context: Context):
        self._client = context.client
        self._events = context.events
        self._limit = context.options.mirroring_max_endpoints_per_subset
        self._trackers: dict[str, Tracker] = {}
        self._endpoints = context.informers.of("endpoints")
        self._services = context.informers.of("services")
        self._slices = context.informers.of(SLICES)
        informers = (self._endpoints, self._services, self._slices)
        self._controller = Controller(context.loop, "endpointslice-mirroring-controller", self.reconcile, informers)
        add = self._controller.add_object
        self._slices.add_index("mirrored", _by_service)
        self._slices.add_handler(self._slice, self._slice_updated, self._slice_deleted)
        self._endpoints.add_handler(self._changed, self._updated, self._changed)
        self._services.add_handler(
            lambda obj: None if _selects(obj) else add(obj),
            lambda old, new: add(new) if _selects(old) != _selects(new) else None,
            lambda obj: None if _selects(obj) else add(obj),
        )

    def start(self) -> None:
        self._controller.start()

    def stop(self) -> None:
        self._controller.stop()

    def reconcile(self, key: str) -> None:
        tracker = self._trackers.setdefault(key, Tracker())
        existing = list(self._slices.indexed("mirrored", key).values())
        if tracker.is_behind(self._slices, existing):
            self._controller.add_after(key, BEHIND)
            return
        endpoints, service = self._endpoints.get(key), self._services.get(key)
        wanted: dict[Group, list[Object]] = {}
        if endpoints is None or service is None or not is_mirrored(endpoints) or _selects(service):
            endpoints = None
            if not existing:
                del self._trackers[key]
        else:
            wanted, skipped = mirrored(endpoints, self._limit)
            if skipped:
                why = (
                    f"A max of {self._limit} addresses can be mirrored to EndpointSlices per Endpoints subset. "
                    f"{skipped} addresses were skipped"
                )
                self._events.event(endpoints, WARNING, "TooManyAddressesToMirror", why)
        surplus: list[Object] = []
        for obj in sorted(existing, key=key_of):
            group = _group_of(obj)
            if endpoints is not None and group in wanted:
                self._write(endpoints, tracker, group, wanted.pop(group), obj)
            else:
                surplus.append(obj)
        for group, members in wanted.items():
            assert endpoints is not None
            reused = next((obj for obj in surplus if obj["addressType"] == group[0]), None)
            if reused is not None:
                surplus.remove(reused)
            self._write(endpoints, tracker, group, members, reused)
        for obj in surplus:
            delete_slice(self._client, obj)
            tracker.deletes(obj)

    def _write(
        self, endpoints: Object, tracker: Tracker, group: Group, members: list[Object], old: Object | None
    ) -> None:
        family, ports = group
        labels = {**labels_of(endpoints), SERVICE_NAME: endpoints["metadata"]["name"], MANAGED_BY: MANAGER}
        annotations = {name: value for name, value in annotations_of(endpoints).items() if name not in _NOT_COPIED}
        content = {"endpoints": members, "ports": [dict(port) for port in ports]}
        new = new_slice(endpoints, "Endpoints", family, labels, content)
        meta = new["metadata"] if old is None else {**old["metadata"], "labels": labels}
        new["metadata"] = {**meta, "annotations": annotations}
        if old is None and not is_terminating(endpoints):
            try:
                tracker.wrote(self._client.create(SLICES, new))
            except StatusError as refusal:
                if not namespace_ends(refusal):
                    raise
        elif old is not None and (
            old.get("endpoints") != members
            or _group_of(old) != group
            or labels_of(old) != labels
            or annotations_of(old) != annotations
        ):
            tracker.wrote(self._client.update(SLICES, new))

    def _changed(self, endpoints: Object) -> None:
        if is_mirrored(endpoints):
            self._controller.add_object(endpoints)

    def _updated(self, old: Object, new: Object) -> None:
        if is_mirrored(old) or is_mirrored(new):
            self._controller.add_object(new)

    def _slice(self, obj: Object) -> None:
        for key in _by_service(obj):
            self._seen(key, lambda tracker: tracker.is_foreign(obj))

    def _slice_updated(self, old: Object, new: Object) -> None:
        if _by_service(old) != _by_service(new):
            self._slice_deleted(old)
        self._slice(new)

    def _slice_deleted(self, obj: Object) -> None:
        for key in _by_service(obj):
            self._seen(key, lambda tracker: tracker.is_foreign_deletion(obj))

    def _seen(self, key: str, is_foreign: Callable[[Tracker], bool]) -> None:
        tracker = self._trackers.get(key)
        if tracker is None or is_foreign(tracker):
            self._controller.add(key)


def is_mirrored(endpoints: Object) -> bool:
    return labels_of(endpoints).get(SKIP) != "true" and LEADER not in annotations_of(endpoints)


def mirrored(endpoints: Object, limit: int) -> tuple[dict[Group, list[Object]], int]:
    """The endpoints of each slice, and how many of the addresses were too many for their subset. Pure."""
    groups: dict[Group, dict[Any, Object]] = {}
    skipped = 0
    for subset in endpoints.get("subsets") or ():
        ready, waiting = subset.get("addresses") or [], subset.get("notReadyAddresses") or []
        ports = _ports(subset.get("ports") or ())
        skipped += max(0, len(ready) + len(waiting) - limit)
        for index, address in enumerate([*ready, *waiting][:limit]):
            family = "IPv6" if ":" in address["ip"] else "IPv4"
            endpoint: Object = {"addresses": [address["ip"]], "conditions": {"ready": index < len(ready)}}
            endpoint.update(
                {field: address[field] for field in ("targetRef", "nodeName", "hostname") if address.get(field)}
            )
            groups.setdefault((family, ports), {})[address["ip"], address.get("hostname")] = endpoint
    return {group: list(members.values()) for group, members in groups.items()}, skipped


def _ports(ports: Any) -> tuple[tuple[Any, ...], ...]:
    fields = ("name", "port", "protocol", "appProtocol")
    told = [{"name": "", "protocol": "TCP", **port} for port in ports]
    return tuple(
        sorted(tuple((field, port[field]) for field in fields if port.get(field) is not None) for port in told)
    )


def _group_of(obj: Mapping[str, Any]) -> Group:
    return obj["addressType"], _ports(obj.get("ports") or ())


def _selects(service: Object) -> bool:
    return bool(service["spec"].get("selector"))


def _by_service(obj: Object) -> tuple[str, ...]:
    return service_of(obj, MANAGER)
