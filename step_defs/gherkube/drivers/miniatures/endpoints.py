"""Faults that features/discovery/endpoints.feature must catch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from refkube.apimachinery.meta import Object, key_of, labels_of
from refkube.controllers import endpoint
from refkube.controllers.common import membership
from refkube.controllers.common.membership import Membership, Port
from refkube.controllers.endpoint import Addresses, EndpointsController, Entry

from gherkube.drivers.miniatures import miniature

Original = Callable[..., Any]
Taken = tuple[bool, dict[str, Object | None]]


def with_spec(service: Object, **fields: Any) -> Object:
    return {**service, "spec": {**service["spec"], **fields}}


def service_of(self: EndpointsController, key: str) -> Object:
    return self._members.services.get(key) or {"spec": {}}


# Which Pods


@miniature("A Service selects in every namespace.", caught_by="endpoints.01", instead_of=Membership.take)
def selects_in_every_namespace(original: Original, self: Membership, service: Object) -> Taken:
    whole, pods = original(self, service)
    wanted = service["spec"]["selector"].items()
    everywhere = {key: pod for key, pod in self.pods.items.items() if wanted <= labels_of(pod).items()}
    return whole, {**everywhere, **pods} if whole else pods


@miniature("One label of the selector is enough.", caught_by="endpoints.02", instead_of=Membership.take)
def takes_one_label_for_all(original: Original, self: Membership, service: Object) -> Taken:
    name, value = next(iter(service["spec"]["selector"].items()))
    return original(self, with_spec(service, selector={name: value}))


@miniature("A Pod is behind one Service only.", caught_by="endpoints.09", instead_of=Membership.take)
def takes_a_pod_for_one_service(original: Original, self: Membership, service: Object) -> Taken:
    whole, pods = original(self, service)
    key = key_of(service)
    return whole, {name: pod for name, pod in pods.items() if pod is None or max(self._services_of(pod)) == key}


@miniature("A Pod is looked at when it is created, never again.",
           caught_by=("endpoints.17", "endpoints.27", "slices.12"), instead_of=Membership._pod_updated)  # fmt: skip
def looks_at_pods_once(original: Original, self: Membership, old: Object, new: Object) -> None:
    return None


@miniature("A Pod is looked for by its new labels only.", caught_by="endpoints.20", instead_of=Membership._pod_updated)
def forgets_the_old_labels(original: Original, self: Membership, old: Object, new: Object) -> None:
    if labels_of(old) == labels_of(new):
        return original(self, old, new)
    self._pod(new)


@miniature("A Pod is looked for by its old labels only.", caught_by="endpoints.34", instead_of=Membership._pod_updated)
def overlooks_the_new_labels(original: Original, self: Membership, old: Object, new: Object) -> None:
    if labels_of(old) == labels_of(new):
        return original(self, old, new)
    self._pod(old)


@miniature("A Pod that is gone stays listed.", caught_by=("endpoints.18", "slices.12"), instead_of=Membership.take)
def keeps_pods_that_are_gone(original: Original, self: Membership, service: Object) -> Taken:
    whole, pods = original(self, service)
    return whole, {key: pod for key, pod in pods.items() if pod is not None}


@miniature("A changed Service keeps the endpoints that it had.",
           caught_by=("endpoints.21", "endpoints.22", "slices.13"), instead_of=Membership._service_updated)  # fmt: skip
def overlooks_changed_services(original: Original, self: Membership, old: Object, new: Object) -> None:
    return None


@miniature("A Pod that has failed is listed.", caught_by=("endpoints.23", "slices.09"), instead_of=membership.is_listed)
def lists_failed_pods(original: Original, pod: Object, with_terminating: bool) -> bool:
    return bool(original({**pod, "status": {**pod.get("status", {}), "phase": "Running"}}, with_terminating))


@miniature("A Pod on its way out stays listed.", caught_by="endpoints.25", instead_of=membership.is_listed)
def lists_terminating_pods(original: Original, pod: Object, with_terminating: bool) -> bool:
    return bool(original(pod, True))


@miniature("A Pod without an address is listed.", caught_by="endpoints.07", instead_of=endpoint._entry)
def makes_up_addresses(original: Original, service: Object, pod: Object | None) -> Entry | None:
    if pod is not None and not pod.get("status", {}).get("podIP"):
        pod = {**pod, "status": {**pod.get("status", {}), "podIP": "192.0.2.99"}}
    return original(service, pod)


@miniature("Pods on their host's network are left out.", caught_by="endpoints.08", instead_of=endpoint._entry)
def leaves_out_host_networks(original: Original, service: Object, pod: Object | None) -> Entry | None:
    return None if pod is not None and pod["spec"].get("hostNetwork") else original(service, pod)


# Ready or not


@miniature("A Pod that is not ready is listed as ready.",
           caught_by=("endpoints.05", "endpoints.26"), instead_of=endpoint._entry)  # fmt: skip
def takes_every_pod_for_ready(original: Original, service: Object, pod: Object | None) -> Entry | None:
    entry = original(service, pod)
    return entry and entry._replace(ready=True)


@miniature("What is not ready is never published.", caught_by="endpoints.06", instead_of=endpoint._entry)
def never_publishes_unready_pods(original: Original, service: Object, pod: Object | None) -> Entry | None:
    return original(with_spec(service, publishNotReadyAddresses=False), pod)


@miniature("A Pod that was unready once stays so.", caught_by="endpoints.27", instead_of=Addresses.put)
def never_forgives(original: Original, self: Addresses, key: str, entry: Entry | None) -> bool:
    old = self._entries.get(key)
    if old is not None and entry is not None:
        entry = entry._replace(ready=old.ready and entry.ready)
    return bool(original(self, key, entry))


# Addresses and ports


@miniature("A Pod is known by its name alone.", caught_by="endpoints.24", instead_of=Addresses.put)
def knows_pods_by_name(original: Original, self: Addresses, key: str, entry: Entry | None) -> bool:
    first = vars(self).setdefault("first", {})
    if entry is not None:
        entry = entry._replace(address=first.setdefault(key, entry.address))
    return bool(original(self, key, entry))


@miniature("The ports of an endpoint never change.", caught_by="endpoints.22", instead_of=Addresses.put)
def never_changes_ports(original: Original, self: Addresses, key: str, entry: Entry | None) -> bool:
    old = self._entries.get(key)
    if old is not None and entry is not None:
        entry = entry._replace(ports=old.ports)
    return bool(original(self, key, entry))


@miniature("The Service's port is listed, not the Pod's.", caught_by="endpoints.03", instead_of=membership.ports_of)
def lists_the_services_port(original: Original, service: Object, pod: Object) -> tuple[Port, ...]:
    ports = [{**port, "targetPort": port["port"]} for port in service["spec"].get("ports") or ()]
    return original(with_spec(service, ports=ports), pod)


@miniature("Of several ports the first is listed.",
           caught_by=("endpoints.04", "slices.06"), instead_of=membership.ports_of)  # fmt: skip
def lists_the_first_port(original: Original, service: Object, pod: Object) -> tuple[Port, ...]:
    return original(service, pod)[:1]


@miniature("An endpoint without a port is none.", caught_by="endpoints.12", instead_of=endpoint._entry)
def demands_a_port(original: Original, service: Object, pod: Object | None) -> Entry | None:
    entry = original(service, pod)
    return entry if entry and entry.ports else None


@miniature("A name stands for the number of the Service's port.",
           caught_by=("endpoints.30", "endpoints.31"), instead_of=membership.ports_of)  # fmt: skip
def takes_a_name_for_the_services_port(original: Original, service: Object, pod: Object) -> tuple[Port, ...]:
    ports = [{**port, "targetPort": port["port"]} for port in service["spec"]["ports"]]
    return original(with_spec(service, ports=ports), pod)


@miniature("A name is found whatever its protocol.", caught_by="endpoints.31#2", instead_of=membership._named_port)
def overlooks_the_protocol(original: Original, spec: Object, name: str, protocol: str) -> int:
    return original(spec, name, "TCP") or original(spec, name, "UDP")


@miniature("A Pod that lacks a name is left out.", caught_by="endpoints.32", instead_of=membership.ports_of)
def demands_every_name(original: Original, service: Object, pod: Object) -> tuple[Port, ...]:
    found = original(service, pod)
    return found if len(found) == len(service["spec"]["ports"]) else ()


@miniature("The ports of sidecars are not looked at.", caught_by="endpoints.33", instead_of=membership._named_port)
def overlooks_sidecars(original: Original, spec: Object, name: str, protocol: str) -> int:
    return int(original({**spec, "initContainers": []}, name, protocol))


# The object


@miniature("A Service without Pods gets no Endpoints.", caught_by="endpoints.10", instead_of=EndpointsController._write)
def writes_no_empty_endpoints(original: Original, self: Any, key: str, service: Object, known: Any) -> None:
    if known.addresses:
        original(self, key, service, known)


@miniature("Endpoints are never emptied.", caught_by="endpoints.19", instead_of=EndpointsController._write)
def never_empties_endpoints(original: Original, self: Any, key: str, service: Object, known: Any) -> None:
    if known.addresses or self._current(key, known) is None:
        original(self, key, service, known)


@miniature("A headless Service gets no Endpoints.",
           caught_by=("endpoints.11", "endpoints.12"), instead_of=EndpointsController.reconcile)  # fmt: skip
def leaves_out_headless_services(original: Original, self: EndpointsController, key: str) -> None:
    if service_of(self, key)["spec"].get("clusterIP") != "None":
        original(self, key)


@miniature("A name for something outside gets Endpoints.",
           caught_by="endpoints.13", instead_of=EndpointsController.reconcile)  # fmt: skip
def lists_what_is_outside(original: Original, self: EndpointsController, key: str) -> None:
    service = service_of(self, key)
    if service["spec"].get("type") == "ExternalName":
        return self._write(key, service, endpoint._Known())
    original(self, key)


@miniature("A Service without a selector gets Endpoints.",
           caught_by="endpoints.29", instead_of=EndpointsController.reconcile)  # fmt: skip
def lists_for_every_service(original: Original, self: EndpointsController, key: str) -> None:
    service = service_of(self, key)
    if service["spec"] and not service["spec"].get("selector"):
        return self._write(key, service, endpoint._Known())
    original(self, key)


@miniature("Endpoints that somebody deletes stay away.",
           caught_by="endpoints.14", instead_of=EndpointsController._deleted)  # fmt: skip
def overlooks_deleted_endpoints(original: Original, self: EndpointsController, endpoints: Object) -> None:
    return None


@miniature("Endpoints outlive their Service.",
           caught_by=("endpoints.15", "endpoints.16"), instead_of=EndpointsController._delete)  # fmt: skip
def leaves_endpoints_behind(original: Original, self: EndpointsController, key: str) -> None:
    return None


@miniature("Endpoints that a user wrote outlive the Service.",
           caught_by="endpoints.16", instead_of=EndpointsController._delete)  # fmt: skip
def leaves_foreign_endpoints_behind(original: Original, self: EndpointsController, key: str) -> None:
    found = self._endpoints.get(key)
    if found is not None and endpoint.MANAGED_BY in labels_of(found):
        original(self, key)


@miniature("Endpoints that a user wrote are deleted.",
           caught_by="endpoints.28", instead_of=EndpointsController._seen)  # fmt: skip
def deletes_foreign_endpoints(original: Original, self: EndpointsController, endpoints: Object) -> None:
    if endpoint.MANAGED_BY not in labels_of(endpoints):
        return self._delete(key_of(endpoints))
    original(self, endpoints)
