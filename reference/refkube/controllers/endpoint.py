"""Endpoints of the Services with a selector: one object each, as older clients read it.

A change of a Pod costs a look at that Pod; the object is put together from what is kept in order. Source:
kubernetes/pkg/controller/endpoint, pkg/api/v1/endpoints (RepackSubsets). Left out: the annotation of the time of the
trigger.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from math import ceil
from typing import NamedTuple

from sortedcontainers import SortedKeyList

from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object, annotations_of, condition_is_true, key_of, labels_of
from refkube.client.controller import Controller
from refkube.client.events import WARNING
from refkube.controllers.common import membership
from refkube.controllers.common.context import Context
from refkube.controllers.common.membership import Membership, Port

MANAGED_BY, MANAGER = "endpoints.kubernetes.io/managed-by", "endpoint-controller"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
CAPACITY = 1000
AT_ONCE = 100  # addresses; to write more takes time, so changes are gathered for a millisecond each

Ports = tuple[Port, ...]


class Entry(NamedTuple):
    ports: Ports
    ready: bool
    address: Object


def _order(address: Object) -> tuple[str, str]:
    return address["ip"], address["targetRef"]["uid"]


class Addresses:
    """The addresses of one Service by Pod, in order, by the ports they have and whether they are ready. Pure."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._groups: dict[Ports, tuple[SortedKeyList, SortedKeyList]] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, key: str, entry: Entry | None) -> bool:
        """Set or remove a Pod's address; whether that changed anything."""
        old = self._entries.get(key)
        if old == entry:
            return False
        if old is not None:
            group = self._groups[old.ports]
            group[old.ready].remove(old.address)
            del self._entries[key]
            if not group[0] and not group[1]:
                del self._groups[old.ports]
        if entry is not None:
            self._entries[key] = entry
            group = self._groups.setdefault(entry.ports, (SortedKeyList(key=_order), SortedKeyList(key=_order)))
            group[entry.ready].add(entry.address)
        return True

    def subsets(self) -> list[Object]:
        """Ports that have the same addresses share a subset."""
        users: dict[Port | None, list[Ports]] = {}
        for ports in self._groups:
            for port in ports or (None,):
                users.setdefault(port, []).append(ports)
        shared: dict[tuple[Ports, ...], list[Port]] = {}
        for port, groups in users.items():
            shared.setdefault(tuple(groups), []).extend([port] if port else [])
        return [self._subset(groups, ports) for groups, ports in sorted(shared.items(), key=lambda item: item[1])]

    def _subset(self, groups: tuple[Ports, ...], ports: list[Port]) -> Object:
        subset: Object = {}
        for field, ready in (("addresses", True), ("notReadyAddresses", False)):
            parts = [self._groups[group][ready] for group in groups]
            if any(parts):
                subset[field] = list(parts[0] if len(parts) == 1 else merge(*parts, key=_order))
        if ports:
            told = (port.as_object().items() for port in sorted(ports))
            subset["ports"] = [{field: value for field, value in port if value} for port in told]
        return subset


def truncated(subsets: list[Object]) -> tuple[list[Object], bool]:
    """At most CAPACITY addresses, of each subset its share, those that are not ready first to go; whether it was more
    (truncateEndpoints)."""
    ready = sum(len(subset.get("addresses") or ()) for subset in subsets)
    waiting = sum(len(subset.get("notReadyAddresses") or ()) for subset in subsets)
    if ready + waiting <= CAPACITY:
        return subsets, False
    field, total, room = ("notReadyAddresses", waiting, CAPACITY - ready)
    if ready > CAPACITY:
        field, total, room = ("addresses", ready, CAPACITY)
    left, cut = room, []
    for subset in subsets:
        mine = subset.get(field) or []
        share = min(left, ceil(len(mine) / total * room))
        left -= min(share, len(mine))
        kept = {key: value for key, value in subset.items() if ready <= CAPACITY or key != "notReadyAddresses"}
        cut.append({key: value[:share] if key == field else value for key, value in kept.items()})
    kept_subsets = [{key: value for key, value in subset.items() if value} for subset in cut]
    return [subset for subset in kept_subsets if len(subset.keys() - {"ports"})], True


class _Known:
    def __init__(self) -> None:
        self.addresses = Addresses()
        self.version = 0  # of the object as last written
        self.changed = False  # since then
        self.not_before = 0.0  # when it may be written again


class EndpointsController:
    account = component = "endpoint-controller"

    def __init__(self, context: Context):
        self._client = context.client
        self._events = context.events
        self._now = context.loop.now
        self._known: dict[str, _Known] = {}
        self._written: dict[str, Object] = {}
        self._endpoints = context.informers.of("endpoints")
        self._controller: Controller
        self._members = Membership(context, lambda key: self._controller.add(key))
        informers = (self._members.services, self._members.pods, self._endpoints)
        self._controller = Controller(context.loop, "endpoints-controller", self.reconcile, informers)
        self._endpoints.add_handler(self._seen, lambda old, new: self._seen(new), self._deleted)

    def start(self) -> None:
        self._controller.start()

    def stop(self) -> None:
        self._controller.stop()

    def reconcile(self, key: str) -> None:
        service = self._members.services.get(key)
        if service is None:
            self._forget(key)
            self._delete(key)
            return
        if service["spec"].get("type") == "ExternalName" or not service["spec"].get("selector"):
            self._forget(key)  # what is there is the user's
            return
        known = self._known.setdefault(key, _Known())
        whole, pods = self._members.take(service)
        known.changed |= whole
        for pod_key, pod in pods.items():
            known.changed |= known.addresses.put(pod_key, _entry(service, pod))
        if whole:
            for pod_key in [pod_key for pod_key in known.addresses if pod_key not in pods]:
                known.addresses.put(pod_key, None)
        now = self._now()
        if known.changed and now < known.not_before:
            self._controller.add_after(key, known.not_before - now)
        elif known.changed:
            self._write(key, service, known)
            known.changed = False
            known.not_before = now + max(0, len(known.addresses) - AT_ONCE) * 1e-3

    def _write(self, key: str, service: Object, known: _Known) -> None:
        current = self._current(key, known)
        subsets, cut = truncated(known.addresses.subsets())
        labels = membership.with_headless({**labels_of(service), MANAGED_BY: MANAGER}, service)
        old: Object = current or {}
        annotations = {name: value for name, value in annotations_of(old).items() if name != OVER_CAPACITY}
        if cut:
            annotations[OVER_CAPACITY] = "truncated"
        same = labels_of(old) == labels and annotations_of(old) == annotations
        if current is not None and same and (old.get("subsets") or []) == subsets:
            return
        meta = (
            old["metadata"]
            if current is not None
            else {field: service["metadata"][field] for field in ("name", "namespace")}
        )
        meta = {**meta, "labels": labels}
        if annotations or "annotations" in meta:
            meta["annotations"] = annotations
        new = {"apiVersion": "v1", "kind": "Endpoints", "metadata": meta}
        if subsets:
            new["subsets"] = subsets
        try:
            made = (
                self._client.update("endpoints", new) if current is not None else self._client.create("endpoints", new)
            )
        except StatusError as refusal:
            if current is None and membership.namespace_ends(refusal):
                return
            reason, doing = (
                ("FailedToUpdateEndpoint", "update endpoint")
                if current is not None
                else ("FailedToCreateEndpoint", "create endpoint for service")
            )
            self._events.event(new, WARNING, reason, f"Failed to {doing} {key}: {refusal}")
            raise
        known.version = int(made["metadata"]["resourceVersion"])
        self._written[key] = made

    def _current(self, key: str, known: _Known) -> Object | None:
        """The newest that is known: the cache may be behind our own write."""
        if int(self._endpoints.resource_version) >= known.version:
            return self._endpoints.get(key)
        return self._written.get(key)

    def _forget(self, key: str) -> None:
        self._known.pop(key, None)
        self._written.pop(key, None)
        self._members.forget(key)

    def _delete(self, key: str) -> None:
        """With the Service, also those that a user has written for it."""
        namespace, _, name = key.partition("/")
        if key in self._endpoints.items:
            try:
                self._client.delete("endpoints", name, namespace)
            except StatusError as refusal:
                if refusal.code != 404:
                    raise

    def _seen(self, endpoints: Object) -> None:
        """Others' changes are undone, and what is left of a Service that went unseen goes."""
        key = key_of(endpoints)
        known = self._known.get(key)
        if known is not None and int(endpoints["metadata"]["resourceVersion"]) > known.version:
            self._members.look_again(key)
            self._controller.add(key)
        elif known is None and labels_of(endpoints).get(MANAGED_BY) == MANAGER:
            self._controller.add(key)

    def _deleted(self, endpoints: Object) -> None:
        key = key_of(endpoints)
        self._written.pop(key, None)
        if key in self._known:
            self._members.look_again(key)
            self._controller.add(key)


def _entry(service: Object, pod: Object | None) -> Entry | None:
    publish = bool(service["spec"].get("publishNotReadyAddresses"))
    if pod is None or not membership.is_listed(pod, publish):
        return None
    ips = membership.pod_ips(pod, (service["spec"].get("ipFamilies") or ["IPv4"])[0])
    ports = tuple(sorted(membership.ports_of(service, pod)))
    if not ips or (not ports and (service["spec"].get("ports") or service["spec"].get("clusterIP") != "None")):
        return None
    told = {"nodeName": pod["spec"].get("nodeName"), "hostname": membership.hostname(pod, service)}
    address = {"ip": ips[0], "targetRef": membership.target_ref(pod)}
    address.update((field, value) for field, value in told.items() if value)
    return Entry(ports, publish or condition_is_true(pod, "Ready"), address)
