"""EndpointSlices of the Services with a selector: slices of at most a hundred endpoints, few of them rewritten.

A change of a Pod costs a look at that Pod and the rewrite of the slice it is in, however many there are. Source:
kubernetes/pkg/controller/endpointslice, k8s.io/endpointslice. Left out: the annotation of the time of the trigger,
hints by share of CPU (the annotation service.kubernetes.io/topology-mode).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import (
    Object,
    condition_is_true,
    is_terminating,
    key_of,
    labels_of,
    with_metadata,
)
from refkube.client.controller import Controller
from refkube.client.events import WARNING
from refkube.controllers.common import membership
from refkube.controllers.common.context import Context
from refkube.controllers.common.membership import HEADLESS, Membership, Port
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

MANAGER = "endpointslice-controller.k8s.io"
ZONE = "topology.kubernetes.io/zone"
_RESERVED = (SERVICE_NAME, MANAGED_BY, HEADLESS)

Ports = tuple[Port, ...]


class Wanted(NamedTuple):
    """An endpoint and the ports by which slices are told apart."""

    ports: Ports
    endpoint: Object


class Slice:
    """A slice as it shall be; `obj` is as it was last written, None if it is yet to be created."""

    __slots__ = ("members", "obj", "ports")

    def __init__(self, ports: Ports, obj: Object | None = None):
        self.ports = ports
        self.members: dict[str, Object] = {}  # endpoints by the key of their Pod
        self.obj = obj


class Packing:
    """How the endpoints of one Service and address family are spread over slices. Pure: no clock, no client."""

    def __init__(self, limit: int, existing: Iterable[Object] = ()):
        self.limit = limit
        self.slices: list[Slice] = []
        self.place: dict[str, Slice] = {}
        self._spoilt: list[Slice] = []  # as found, with an endpoint that another slice has as well
        for obj in existing:
            ports = [
                Port(p.get("name", ""), p.get("port", 0), p.get("protocol", "TCP"), p.get("appProtocol", ""))
                for p in obj.get("ports") or ()
            ]
            piece = Slice(tuple(sorted(ports)), obj)
            for endpoint in obj.get("endpoints") or ():
                key = member_key(endpoint)
                if key in self.place:
                    self._spoilt.append(piece)
                else:
                    piece.members[key], self.place[key] = endpoint, piece
            self.slices.append(piece)

    def change(self, wanted: Mapping[str, Wanted | None]) -> tuple[list[Slice], list[Slice]]:
        """The slices to write and those to delete, so that these keys have these endpoints, or none
        (reconcileByPortMapping and finalize)."""
        touched, self._spoilt = {id(piece): piece for piece in self._spoilt}, []
        new: dict[Ports, dict[str, Object]] = {}
        for key, want in wanted.items():
            at = self.place.get(key)
            if at is not None and want is not None and at.ports == want.ports:
                if at.members[key] != want.endpoint:
                    at.members[key] = want.endpoint
                    touched[id(at)] = at
                continue
            if at is not None:
                del at.members[key], self.place[key]
                touched[id(at)] = at
            if want is not None:
                new.setdefault(want.ports, {})[key] = want.endpoint
        for ports, endpoints in new.items():
            self._place(ports, endpoints, touched)
        return self._settle(touched)

    def _place(self, ports: Ports, endpoints: dict[str, Object], touched: dict[int, Slice]) -> None:
        """First into slices that are rewritten anyway, the fullest first; then all of the rest into one that has room
        for them, as tightly as can be; then into new ones."""
        rewritten = [piece for piece in touched.values() if piece.ports == ports and piece.members]
        for piece in sorted(rewritten, key=lambda piece: -len(piece.members)):
            self._fill(piece, endpoints)
        while endpoints:
            fits = [
                piece
                for piece in self.slices
                if id(piece) not in touched
                and piece.ports == ports
                and len(piece.members) + len(endpoints) <= self.limit
            ]
            if fits:
                piece = max(fits, key=lambda piece: len(piece.members))
            else:
                piece = Slice(ports)
                self.slices.append(piece)
            touched[id(piece)] = piece
            self._fill(piece, endpoints)

    def _fill(self, piece: Slice, endpoints: dict[str, Object]) -> None:
        for key in list(endpoints)[: max(0, self.limit - len(piece.members))]:
            piece.members[key], self.place[key] = endpoints.pop(key), piece

    def _settle(self, touched: dict[int, Slice]) -> tuple[list[Slice], list[Slice]]:
        """New slices take over the objects of emptied ones; a Service without endpoints keeps one empty slice."""
        empty = [piece for piece in self.slices if not piece.members]
        for piece in [piece for piece in touched.values() if piece.obj is None]:
            if empty:
                piece.obj = empty[0].obj
                self.slices.remove(empty.pop(0))
        if len(empty) == len(self.slices):
            kept = empty.pop(0) if empty else Slice(())
            if kept.obj is None or kept.ports or kept.obj.get("endpoints"):
                touched[id(kept)] = kept
            kept.ports = ()
            if kept not in self.slices:
                self.slices.append(kept)
        for piece in empty:
            self.slices.remove(piece)
        return [piece for piece in touched.values() if piece in self.slices], empty


def member_key(endpoint: Object) -> str:
    ref = endpoint.get("targetRef") or {}
    if ref.get("kind") == "Pod":
        return f"{ref.get('namespace')}/{ref.get('name')}"
    return f"={endpoint.get('addresses')}"


class _Known:
    """What is known of one Service's slices: how they are packed, by family."""

    def __init__(self) -> None:
        self.packings: dict[str, Packing] = {}
        self.tracker = Tracker()
        self.built = False


class EndpointSliceController:
    account = "endpointslice-controller"
    component = "endpoint-slice-controller"

    def __init__(self, context: Context):
        self._client = context.client
        self._events = context.events
        self._limit = context.options.max_endpoints_per_slice
        self._known: dict[str, _Known] = {}
        self._without_node: dict[str, set[tuple[str, str]]] = {}  # Service and Pod keys by node
        self._slices = context.informers.of(SLICES)
        self._nodes = context.informers.of("nodes")
        self._controller: Controller
        self._members = Membership(context, lambda key: self._controller.add(key))
        informers = (self._members.services, self._members.pods, self._nodes, self._slices)
        self._controller = Controller(context.loop, "endpointslice-controller", self.reconcile, informers)
        self._slices.add_index("service", _by_service)
        self._slices.add_handler(self._slice, self._slice_updated, self._slice_deleted)
        self._nodes.add_handler(self._node)

    def start(self) -> None:
        self._controller.start()

    def stop(self) -> None:
        self._controller.stop()

    def reconcile(self, key: str) -> None:
        service = self._members.services.get(key)
        if service is None or service["spec"].get("type") == "ExternalName" or not service["spec"].get("selector"):
            self._known.pop(key, None)
            self._members.forget(key)
            return
        known = self._known.setdefault(key, _Known())
        if not known.built and not self._build(key, known):
            self._controller.add_after(key, BEHIND)
            return
        try:
            self._bring_about(key, service, known)
        except (StatusError, OSError) as problem:
            known.built = False
            why = f"Error updating Endpoint Slices for Service {key}: {problem}"
            self._events.event(service, WARNING, "FailedToUpdateEndpointSlices", why)
            raise

    def _build(self, key: str, known: _Known) -> bool:
        """Begin from the cache; False while it is behind our own writes."""
        found = list(self._slices.indexed("service", key).values())
        if known.tracker.is_behind(self._slices, found):
            return False
        by_family: dict[str, list[Object]] = {}
        for obj in found:
            by_family.setdefault(obj.get("addressType", ""), []).append(obj)
        known.packings = {family: Packing(self._limit, objs) for family, objs in by_family.items()}
        known.built = True
        self._members.look_again(key)
        return True

    def _bring_about(self, key: str, service: Object, known: _Known) -> None:
        whole, pods = self._members.take(service)
        families = service["spec"].get("ipFamilies") or ["IPv4"]
        strangers = [family for family in known.packings if family not in families]
        for family in strangers:
            self._delete(service, known, known.packings.pop(family).slices)
        for family in families:
            packing = known.packings.get(family)
            if packing is None:
                packing = known.packings[family] = Packing(self._limit)
            if whole:
                self._drop_foreign(service, known, packing)
            wanted = {key_: self._wanted(key, service, pod, family) for key_, pod in pods.items()}
            if whole:
                wanted.update(dict.fromkeys(packing.place.keys() - wanted.keys()))
            write, delete = packing.change(wanted)
            if whole:
                told = {id(piece) for piece in write}
                labels = _without_reserved(labels_of(service))
                write += [
                    piece
                    for piece in packing.slices
                    if id(piece) not in told and piece.obj and _without_reserved(labels_of(piece.obj)) != labels
                ]
            self._write(service, known, family, write)
            self._delete(service, known, delete)

    def _drop_foreign(self, service: Object, known: _Known, packing: Packing) -> None:
        """Slices of an earlier Service of this name are not filled but deleted."""
        uid = service["metadata"]["uid"]
        foreign = [piece for piece in packing.slices if piece.obj and not _is_owned(piece.obj, uid)]
        for piece in foreign:
            packing.slices.remove(piece)
            for key in piece.members:
                del packing.place[key]
        self._delete(service, known, foreign)

    def _wanted(self, key: str, service: Object, pod: Object | None, family: str) -> Wanted | None:
        """A Pod's endpoint (podToEndpoint)."""
        if pod is None or not membership.is_listed(pod, True):
            return None
        spec, name = service["spec"], pod["spec"].get("nodeName", "")
        node = self._nodes.get(name) if name else None
        publish = bool(spec.get("publishNotReadyAddresses"))
        if node is None and not publish:  # upstream does without it as well
            self._without_node.setdefault(name, set()).add((key, key_of(pod)))
            return None
        ips = membership.pod_ips(pod, family)
        if not ips:
            return None
        serving, terminating = condition_is_true(pod, "Ready"), is_terminating(pod)
        ready = publish or (serving and not terminating)
        endpoint: Object = {
            "addresses": ips,
            "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
            "targetRef": membership.target_ref(pod),
        }
        zone = labels_of(node).get(ZONE) if node else ""
        told = {"nodeName": name, "zone": zone, "hostname": membership.hostname(pod, service)}
        endpoint.update((field, value) for field, value in told.items() if value)
        hints = _hints(spec.get("trafficDistribution"), name, zone or "") if ready else {}
        if hints:
            endpoint["hints"] = hints
        return Wanted(tuple(sorted(membership.ports_of(service, pod))), endpoint)

    def _write(self, service: Object, known: _Known, family: str, pieces: Iterable[Slice]) -> None:
        labels = {**_without_reserved(labels_of(service)), SERVICE_NAME: service["metadata"]["name"]}
        labels = membership.with_headless({**labels, MANAGED_BY: MANAGER}, service)
        for piece in pieces:
            content = {"endpoints": list(piece.members.values()), "ports": [port.as_object() for port in piece.ports]}
            if piece.obj is not None:
                piece.obj = self._client.update(SLICES, {**with_metadata(piece.obj, labels=labels), **content})
            elif not is_terminating(service):
                try:
                    piece.obj = self._client.create(SLICES, new_slice(service, "Service", family, labels, content))
                except StatusError as refusal:
                    if not membership.namespace_ends(refusal):
                        raise
                    known.built = False
                    return
            if piece.obj is not None:
                known.tracker.wrote(piece.obj)

    def _delete(self, service: Object, known: _Known, pieces: Iterable[Slice]) -> None:
        for piece in pieces:
            if piece.obj is not None:
                delete_slice(self._client, piece.obj)
                known.tracker.deletes(piece.obj)

    # What happens to slices and nodes

    def _slice(self, obj: Object) -> None:
        """Others' changes are undone; our own come back with the version that was written."""
        for key in _by_service(obj):
            self._seen(key, lambda known: known.tracker.is_foreign(obj))

    def _slice_updated(self, old: Object, new: Object) -> None:
        if _by_service(old) != _by_service(new):
            self._slice_deleted(old)
        self._slice(new)

    def _slice_deleted(self, obj: Object) -> None:
        for key in _by_service(obj):
            self._seen(key, lambda known: known.tracker.is_foreign_deletion(obj))

    def _seen(self, key: str, is_foreign: Callable[[_Known], bool]) -> None:
        known = self._known.get(key)
        if known is None or is_foreign(known):
            if known is not None:
                known.built = False
            self._controller.add(key)

    def _node(self, node: Object) -> None:
        for service, pod in self._without_node.pop(node["metadata"]["name"], ()):
            self._members.note(service, pod)


def _by_service(obj: Object) -> tuple[str, ...]:
    return service_of(obj, MANAGER)


def _without_reserved(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if name not in _RESERVED}


def _is_owned(obj: Object, uid: str) -> bool:
    return any(owner.get("uid") == uid for owner in obj["metadata"].get("ownerReferences") or ())


def _hints(distribution: str | None, node: str, zone: str) -> Object:
    """For whom an endpoint is near (k8s.io/endpointslice/trafficdist)."""
    hints: Object = {}
    if distribution in ("PreferClose", "PreferSameZone", "PreferSameNode") and zone:
        hints["forZones"] = [{"name": zone}]
    if distribution == "PreferSameNode" and node:
        hints["forNodes"] = [{"name": node}]
    return hints
