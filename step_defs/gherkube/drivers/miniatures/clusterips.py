"""Faults in the addresses of Services."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from refkube.api.validation import services
from refkube.apimachinery.meta import Object
from refkube.apiserver.kubernetesservice import KubernetesService
from refkube.registry import allocators, servicefields
from refkube.registry.allocators import ServiceAllocator
from refkube.registry.storage import Storage, Write

from gherkube.drivers.miniatures import miniature

Original = Callable[..., Any]


@miniature(
    "A Service gets no address unless it asks for one.",
    caught_by=("clusterips.01", "clusterips.02", "clusterips.04", "clusterips.18"),
    instead_of=ServiceAllocator._with_addresses,
)
def allots_only_what_is_asked_for(
    original: Original, self: ServiceAllocator, new: Object, spec: Object, before: Object, dry_run: bool
) -> Any:
    if not spec.get("clusterIPs"):
        return spec, [], []
    return original(self, new, spec, before, dry_run)


@miniature(
    "An address that is in use is issued again.",
    caught_by="clusterips.03",
    instead_of=ServiceAllocator._with_addresses,
)
def issues_an_address_again(
    original: Original, self: ServiceAllocator, new: Object, spec: Object, before: Object, dry_run: bool
) -> Any:
    if before or spec.get("clusterIPs") or not servicefields.has_address(spec):
        return original(self, new, spec, before, dry_run)
    return {**spec, "clusterIPs": ["10.96.77.77"], "clusterIP": "10.96.77.77"}, [], []


@miniature(
    "A headless Service gets an address.",
    caught_by="clusterips.05",
    instead_of=ServiceAllocator._with_addresses,
)
def gives_the_headless_an_address(
    original: Original, self: ServiceAllocator, new: Object, spec: Object, before: Object, dry_run: bool
) -> Any:
    if spec.get("clusterIPs") == ["None"]:
        spec = {**spec, "clusterIPs": []}
    return original(self, new, spec, before, dry_run)


@miniature(
    "A Service that asks for an address gets another one.",
    caught_by="clusterips.09",
    instead_of=ServiceAllocator._with_addresses,
)
def gives_another_address(
    original: Original, self: ServiceAllocator, new: Object, spec: Object, before: Object, dry_run: bool
) -> Any:
    if not before and spec.get("clusterIPs") not in (None, [], ["None"], ["10.96.0.1"]):
        spec = {**spec, "clusterIPs": []}
    return original(self, new, spec, before, dry_run)


@miniature(
    "An address that is taken is had by all who ask for it.",
    caught_by=("clusterips.10", "clusterips.12"),
    instead_of=ServiceAllocator._with_addresses,
)
def shares_addresses(
    original: Original, self: ServiceAllocator, new: Object, spec: Object, before: Object, dry_run: bool
) -> Any:
    asked = spec.get("clusterIPs")
    if not before and asked and asked != ["None"]:
        return {**spec, "clusterIP": asked[0]}, [], []
    return original(self, new, spec, before, dry_run)


@miniature("Every address lies in the range.", caught_by="clusterips.11#1", instead_of=ServiceAllocator.in_range)
def knows_no_range(original: Original, self: ServiceAllocator, ip: str) -> bool:
    return True


@miniature("Whose an address is, is told wrong.", caught_by="clusterips.08", instead_of=ServiceAllocator.address)
def tells_another_owner(original: Original, self: ServiceAllocator, key: str, service: Object) -> Object:
    made = original(self, key, service)
    return {**made, "spec": {"parentRef": {**made["spec"]["parentRef"], "name": "another"}}}


@miniature("A dry run is no dry run.", caught_by="clusterips.13", instead_of=Storage.create)
def stores_dry_runs(original: Original, self: Storage, obj: Object, namespace: str, write: Write) -> Any:
    return original(self, obj, namespace, replace(write, dry_run=False))


@miniature(
    "An address is never given back.",
    caught_by=("clusterips.17", "clusterips.20", "leaving.10"),
    instead_of=allocators._releases,
)
def keeps_addresses(original: Original, ips: Any) -> Iterator[Any]:
    return iter(())


@miniature("A mere name gets an address.", caught_by="clusterips.06", instead_of=servicefields.has_address)
def gives_every_type_an_address(original: Original, spec: Object) -> bool:
    return True


@miniature(
    "Every change brings a new address.",
    caught_by=("clusterips.14", "clusterips.15"),
    instead_of=ServiceAllocator._with_addresses,
)
def renews_addresses(
    original: Original, self: ServiceAllocator, new: Object, spec: Object, before: Object, dry_run: bool
) -> Any:
    if before.get("clusterIPs") and servicefields.has_address(spec):
        return original(self, new, {**spec, "clusterIPs": []}, {}, dry_run)
    return original(self, new, spec, before, dry_run)


@miniature("An address can be exchanged.", caught_by="clusterips.16", instead_of=services._service_update)
def lets_addresses_be_exchanged(original: Original, *given: Any) -> Iterator[Any]:
    return iter(())


@miniature("The API has no Service.", caught_by="clusterips.07", instead_of=KubernetesService._ensure)
def makes_no_service_of_the_api(original: Original, self: KubernetesService, resource: str, obj: Object) -> Any:
    return original(self, resource, obj) if resource != "services" else None
