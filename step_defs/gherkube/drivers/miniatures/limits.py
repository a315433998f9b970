"""Faults that features/admission/limits.feature must catch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from refkube.admission.chain import UPDATE, Attributes
from refkube.admission.plugins import limitranger
from refkube.admission.plugins.limitranger import LimitRanger
from refkube.api.defaults import others
from refkube.api.kinds import Kind
from refkube.api.resources import is_sidecar
from refkube.api.validation import policy
from refkube.apimachinery.meta import Object
from refkube.apimachinery.quantity import parse
from refkube.quota import pods

from gherkube.drivers.miniatures import miniature

Original = Callable[..., Any]
FAR = "out of bounds"


@miniature(
    "What a Pod or container may just have is refused.",
    caught_by=("limits.01", "limits.11", "limits.13", "limits.26#1"),
    instead_of=limitranger._faults,
)
def refuses_at_the_bounds(original: Original, limit: Object, requests: Any, limits: Any) -> Iterator[str]:
    yield from original(limit, requests, limits)
    for side, amounts in (("min", requests), ("max", limits)):
        yield from (FAR for name, bound in (limit.get(side) or {}).items() if amounts.get(name) == parse(bound))


@miniature("What a claim may just ask for is refused.", caught_by="limits.18", instead_of=limitranger._of_claim)
def refuses_claims_at_the_bounds(original: Original, limit: Object, spec: Object) -> Iterator[str]:
    yield from original(limit, spec)
    asked = spec["resources"]["requests"]["storage"]
    yield from (FAR for side in ("min", "max") if parse((limit.get(side) or {}).get("storage", "0")) == parse(asked))


@miniature(
    "Containers are not bounded.",
    caught_by=("limits.02", "limits.03", "limits.05", "limits.06", "limits.08", "limits.26#2"),
    instead_of=limitranger._of_pod,
)
def bounds_no_containers(original: Original, limit: Object, spec: Object) -> Iterator[str]:
    return original(limit, spec) if limit["type"] == "Pod" else iter(())


@miniature(
    "What is the least is not looked at.",
    caught_by=("limits.02#1", "limits.02#3", "limits.08#1", "limits.12#1", "limits.12#3", "limits.19#1"),
    instead_of=limitranger._too_little,
)
def looks_at_no_minimum(original: Original, limit: Object, requests: Any, limits: Any) -> Iterator[str]:
    return iter(())


@miniature(
    "What is the most is not looked at.",
    caught_by=("limits.02#2", "limits.02#4", "limits.03", "limits.08#2", "limits.12#2", "limits.12#4", "limits.14"),
    instead_of=limitranger._faults,
)
def looks_at_no_maximum(original: Original, limit: Object, requests: Any, limits: Any) -> Iterator[str]:
    return original({**limit, "max": {}}, requests, limits)


@miniature(
    "The ratio of limit to request is not looked at.",
    caught_by=("limits.05", "limits.06", "limits.17"),
    instead_of=limitranger._faults,
)
def looks_at_no_ratio(original: Original, limit: Object, requests: Any, limits: Any) -> Iterator[str]:
    return original({**limit, "maxLimitRequestRatio": {}}, requests, limits)


@miniature(
    "A ratio must stay below its bound.",
    caught_by=("limits.04#3", "limits.04#4", "limits.16"),
    instead_of=limitranger._faults,
)
def refuses_the_ratio_itself(original: Original, limit: Object, requests: Any, limits: Any) -> Iterator[str]:
    yield from original(limit, requests, limits)
    for name, ratio in (limit.get("maxLimitRequestRatio") or {}).items():
        if name in limits and name in requests and requests[name] * int(ratio) == limits[name]:
            yield FAR


@miniature("Ratios are whole numbers.", caught_by=("limits.05", "limits.17"), instead_of=limitranger._faults)
def cuts_ratios(original: Original, limit: Object, requests: Any, limits: Any) -> Iterator[str]:
    for name, ratio in (limit.get("maxLimitRequestRatio") or {}).items():
        both = name in limits and name in requests
        if both and limits[name].milli_value() // requests[name].milli_value() > int(ratio):
            yield FAR
    yield from original({**limit, "maxLimitRequestRatio": {}}, requests, limits)


@miniature("What states no limit keeps every ratio.", caught_by="limits.06", instead_of=limitranger._faults)
def lets_the_unlimited_through(original: Original, limit: Object, requests: Any, limits: Any) -> Iterator[str]:
    ratios = {name: ratio for name, ratio in (limit.get("maxLimitRequestRatio") or {}).items() if name in limits}
    return original({**limit, "maxLimitRequestRatio": ratios}, requests, limits)


@miniature("The first container stands for all.", caught_by="limits.03", instead_of=limitranger._of_pod)
def bounds_the_first_container(original: Original, limit: Object, spec: Object) -> Iterator[str]:
    first = {part: spec[part][:1] for part in ("containers", "initContainers") if part in spec}
    return original(limit, {**spec, **first} if limit["type"] == "Container" else spec)


@miniature("What a LimitRange does not name may not be had.", caught_by="limits.07", instead_of=limitranger._faults)
def bounds_what_is_not_named(original: Original, limit: Object, requests: Any, limits: Any) -> Iterator[str]:
    yield from original(limit, requests, limits)
    yield from (FAR for name in requests if name not in (limit.get("max") or limit))


@miniature("Of several LimitRanges one is looked at.", caught_by="limits.08#1", instead_of=LimitRanger.validate)
def looks_at_one_limit_range(original: Original, self: LimitRanger, attributes: Attributes) -> None:
    original(LimitRanger(lambda namespace: list(self._ranges(namespace))[:1]), attributes)


@miniature("The bounds of a namespace hold in every other.", caught_by="limits.09", instead_of=LimitRanger.validate)
def bounds_every_namespace(original: Original, self: LimitRanger, attributes: Attributes) -> None:
    for namespace in (attributes.namespace, "other"):
        original(self, replace(attributes, namespace=namespace))


@miniature("A Pod gets the defaults of another namespace.", caught_by="limits.23", instead_of=LimitRanger.admit)
def gives_defaults_everywhere(original: Original, self: LimitRanger, attributes: Attributes) -> Any:
    return original(self, replace(attributes, namespace="other"))


@miniature("Every update of a Pod is bounded again.", caught_by="limits.10", instead_of=LimitRanger.handles)
def bounds_updates(original: Original, self: LimitRanger, operation: str, kind: Kind, subresource: str) -> bool:
    return original(self, operation, kind, subresource) or (kind.resource == "pods" and operation == UPDATE)


@miniature("A resize is not bounded.", caught_by="limits.26#2", instead_of=LimitRanger.handles)
def bounds_no_resize(original: Original, self: LimitRanger, operation: str, kind: Kind, subresource: str) -> bool:
    return not subresource and bool(original(self, operation, kind, subresource))


@miniature(
    "Of a Pod the first container alone is counted.",
    caught_by=("limits.11#1", "limits.11#3", "limits.12#2", "limits.12#4", "compute-quotas.04#1"),
    instead_of=pods.effective,
)
def counts_the_first_container(original: Original, spec: Object, side: str, overhead: bool = True) -> Any:
    return original({**spec, "containers": spec["containers"][:1]}, side, overhead)


@miniature(
    "Init containers are added to the others.",
    caught_by=("limits.13", "compute-quotas.04"),
    instead_of=pods.effective,
)
def adds_init_containers(original: Original, spec: Object, side: str, overhead: bool = True) -> Any:
    together = [*spec["containers"], *spec.get("initContainers", ())]
    return original({**spec, "initContainers": [], "containers": together}, side, overhead)


@miniature(
    "Init containers are forgotten.",
    caught_by=("limits.14", "limits.15", "compute-quotas.04#2"),
    instead_of=pods.effective,
)
def counts_no_init_containers(original: Original, spec: Object, side: str, overhead: bool = True) -> Any:
    return original({**spec, "initContainers": []}, side, overhead)


@miniature("Init containers that run on count as if they ended.", caught_by="limits.15", instead_of=pods.effective)
def ends_sidecars(original: Original, spec: Object, side: str, overhead: bool = True) -> Any:
    started = [
        {**container, "restartPolicy": None} if is_sidecar(container) else container
        for container in spec.get("initContainers", ())
    ]
    return original({**spec, "initContainers": started}, side, overhead)


@miniature("The ratio of a Pod binds each container.", caught_by="limits.16", instead_of=limitranger._of_pod)
def takes_each_ratio(original: Original, limit: Object, spec: Object) -> Iterator[str]:
    yield from original(limit, spec)
    ratio = {"type": "Container", "maxLimitRequestRatio": limit.get("maxLimitRequestRatio") or {}}
    yield from original(ratio, spec)


@miniature("Claims are not bounded.", caught_by="limits.19", instead_of=limitranger._of_claim)
def bounds_no_claims(original: Original, limit: Object, spec: Object) -> Iterator[str]:
    return iter(())


@miniature(
    "A LimitRange gives no defaults.",
    caught_by=("limits.20", "limits.21", "compute-quotas.09"),
    instead_of=limitranger._defaulted,
)
def gives_no_defaults(original: Original, spec: Object, ranges: list[Object]) -> Object:
    return {"spec": spec, "told": ""}


@miniature("Init containers get no defaults.", caught_by="limits.20", instead_of=limitranger._filled)
def leaves_init_containers_empty(
    original: Original, container: Object, defaults: Any, called: str, told: list[str]
) -> Any:
    return container if called == "init container" else original(container, defaults, called, told)


@miniature("The defaults take the place of what is stated.", caught_by="limits.21", instead_of=limitranger._filled)
def overwrites_what_is_stated(
    original: Original, container: Object, defaults: Any, called: str, told: list[str]
) -> Any:
    return original({**container, "resources": {}}, defaults, called, told)


@miniature(
    "A LimitRange is not completed.", caught_by=("limits.22#1", "limits.22#2", "limits.22#3"), instead_of=others._limit
)
def completes_no_limit_range(original: Original, limit: Object) -> Object:
    return limit


@miniature("A default of a whole Pod is taken.", caught_by="limits.24", instead_of=policy._limit)
def takes_defaults_of_pods(original: Original, *args: Any) -> Any:
    return [fault for fault in original(*args) if fault.type != "FieldValueForbidden"]


@miniature(
    "A LimitRange may contradict itself.",
    caught_by=("limits.24", "limits.25"),
    instead_of=policy.TABLES["/LimitRange"],
)
def takes_every_limit_range(original: Original, *given: Any) -> Any:
    return ()
