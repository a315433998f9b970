"""Faults that features/discovery/slices.feature must catch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from refkube.apimachinery.meta import Object, is_terminating, labels_of, with_metadata
from refkube.controllers import endpointslice, endpointslicemirroring
from refkube.controllers.common import membership, slices
from refkube.controllers.endpointslice import EndpointSliceController, Packing, Slice, Wanted
from refkube.controllers.endpointslicemirroring import EndpointSliceMirroringController

from gherkube.drivers.miniatures import exchanged, miniature

Original = Callable[..., Any]


def with_conditions(wanted: Wanted | None, **conditions: bool) -> Wanted | None:
    if wanted is None:
        return None
    told = {**wanted.endpoint["conditions"], **conditions}
    return wanted._replace(endpoint={**wanted.endpoint, "conditions": told})


# Endpoints and their conditions


@miniature("Endpoints do not tell their node.", caught_by="slices.01", instead_of=EndpointSliceController._wanted)
def tells_no_node(original: Original, *about: Any) -> Wanted | None:
    wanted: Wanted | None = original(*about)
    if wanted is None:
        return None
    return wanted._replace(endpoint={key: value for key, value in wanted.endpoint.items() if key != "nodeName"})


@miniature("Every endpoint is told to be ready.", caught_by=("slices.02", "slices.03"),
           instead_of=EndpointSliceController._wanted)  # fmt: skip
def tells_all_to_be_ready(original: Original, *about: Any) -> Wanted | None:
    return with_conditions(original(*about), ready=True, serving=True)


@miniature("An endpoint is written anew only when its address changes.", caught_by=("slices.03", "slices.04"),
           instead_of=Packing.change)  # fmt: skip
def overlooks_changed_conditions(original: Original, self: Packing, wanted: Mapping[str, Wanted | None]) -> Any:
    def is_known(key: str, want: Wanted | None) -> bool:
        known = self.place[key].members[key] if key in self.place else {}
        return want is not None and known.get("addresses") == want.endpoint["addresses"]

    return original(self, {key: want for key, want in wanted.items() if not is_known(key, want)})


@miniature("A Pod on its way out is listed no more.", caught_by="slices.04",
           instead_of=EndpointSliceController._wanted)  # fmt: skip
def drops_terminating_pods(original: Original, self: Any, key: str, service: Object, pod: Any, family: str) -> Any:
    return None if pod is not None and is_terminating(pod) else original(self, key, service, pod, family)


@miniature("A Pod on its way out is ready for new traffic.", caught_by="slices.04",
           instead_of=EndpointSliceController._wanted)  # fmt: skip
def keeps_terminating_pods_ready(original: Original, *about: Any) -> Wanted | None:
    wanted = original(*about)
    return wanted and with_conditions(wanted, ready=wanted.endpoint["conditions"]["serving"])


@miniature("What is published is told to serve.", caught_by="slices.05",
           instead_of=EndpointSliceController._wanted)  # fmt: skip
def tells_the_published_to_serve(original: Original, *about: Any) -> Wanted | None:
    wanted = original(*about)
    return wanted and with_conditions(wanted, serving=wanted.endpoint["conditions"]["ready"])


@miniature("All endpoints of a Service are taken to have the same ports.", caught_by="slices.07",
           instead_of=Packing.change)  # fmt: skip
def takes_ports_for_equal(original: Original, self: Packing, wanted: Mapping[str, Wanted | None]) -> Any:
    ports = next((want.ports for want in wanted.values() if want is not None), ())
    return original(self, {key: want and want._replace(ports=ports) for key, want in wanted.items()})


@miniature("A Pod's name is told under every Service.", caught_by="slices.08", instead_of=membership.hostname)
def tells_names_everywhere(original: Original, pod: Object, service: Object) -> str:
    return str(pod["spec"].get("hostname", ""))


# How they are spread


@miniature("A slice holds twice as many endpoints.", caught_by="slices.10", instead_of=Packing.__init__)
def fills_slices_beyond_their_limit(original: Original, self: Packing, limit: int, *existing: Any) -> None:
    original(self, 2 * limit, *existing)


@miniature("Endpoints tell the version of their Pod.", caught_by="slices.11", instead_of=membership.target_ref)
def tells_versions_of_pods(original: Original, pod: Object) -> Object:
    return {**original(pod), "resourceVersion": pod["metadata"]["resourceVersion"]}


@miniature("An endpoint keeps the ports that it had.", caught_by="slices.13", instead_of=Packing.change)
def keeps_the_ports(original: Original, self: Packing, wanted: Mapping[str, Wanted | None]) -> Any:
    places = self.place
    return original(self, {key: want and want._replace(ports=places[key].ports) if key in places else want
                           for key, want in wanted.items()})  # fmt: skip


# Slices as objects


@miniature("Slices do not have their Service's labels.", caught_by="slices.14",
           instead_of=EndpointSliceController._write)  # fmt: skip
def copies_no_labels(original: Original, self: Any, service: Object, *rest: Any) -> None:
    original(self, with_metadata(service, labels={}), *rest)


@miniature("A Service without endpoints has no slice.", caught_by="slices.15",
           instead_of=EndpointSliceController._write)  # fmt: skip
def writes_no_empty_slice(
    original: Original, self: Any, service: Object, known: Any, family: str, pieces: Iterable[Slice]
) -> None:
    original(self, service, known, family, [piece for piece in pieces if piece.members or piece.obj])


@miniature("Slices have no owner.", caught_by="slices.16", instead_of=slices.new_slice)
def names_no_owner(original: Original, *about: Any) -> Object:
    return with_metadata(original(*about), ownerReferences=[])


@miniature("A slice that somebody deletes stays away.", caught_by="slices.17",
           instead_of=EndpointSliceController._slice_deleted)  # fmt: skip
def overlooks_deleted_slices(original: Original, self: EndpointSliceController, obj: Object) -> None:
    return None


@miniature("A name for something outside has a slice.", caught_by="slices.18",
           instead_of=EndpointSliceController.reconcile)  # fmt: skip
def slices_what_is_outside(original: Original, self: EndpointSliceController, key: str) -> None:
    service = self._members.services.get(key) or {"spec": {}}
    if service["spec"].get("type") == "ExternalName" and not self._slices.indexed("service", key):
        return self._write(service, endpointslice._Known(), "IPv4", [Slice(())])
    original(self, key)


@miniature("Every slice of a Service is taken for the controller's own.", caught_by="slices.19",
           instead_of=slices.service_of)  # fmt: skip
def takes_every_slice_for_its_own(original: Original, obj: Object, manager: str) -> Any:
    named = labels_of(obj).get(slices.SERVICE_NAME)
    if manager != endpointslice.MANAGER or not named:
        return original(obj, manager)
    return (f"{obj['metadata']['namespace']}/{named}",)


# Mirrors


@miniature("What is written as not ready is mirrored as ready.", caught_by="slices.20",
           instead_of=endpointslicemirroring.mirrored)  # fmt: skip
def mirrors_all_as_ready(original: Original, endpoints: Object, limit: int) -> Any:
    groups, skipped = original(endpoints, limit)
    ready = {"conditions": {"ready": True}}
    return {group: [{**member, **ready} for member in members] for group, members in groups.items()}, skipped


@miniature("Endpoints are mirrored once.", caught_by="slices.21",
           instead_of=EndpointSliceMirroringController._updated)  # fmt: skip
def mirrors_once(original: Original, self: EndpointSliceMirroringController, old: Object, new: Object) -> None:
    return None


@miniature("Nobody takes mirrors away.", caught_by="slices.22")
def leaves_mirrors_behind() -> Iterator[None]:
    def without_owner(original: Original, *about: Any) -> Object:
        return with_metadata(original(*about), ownerReferences=[])

    with exchanged(slices.delete_slice, lambda *_: None), exchanged(slices.new_slice, without_owner):
        yield


@miniature("Endpoints are mirrored, whatever they say.", caught_by="slices.23",
           instead_of=endpointslicemirroring.is_mirrored)  # fmt: skip
def mirrors_everything(original: Original, endpoints: Object) -> bool:
    return True
