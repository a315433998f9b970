"""Faults that the features of validation must catch: rules that are not judged, and rules that nobody has made."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from refkube.api import validation, warnings
from refkube.api.kinds import Kind
from refkube.api.validation import podspec
from refkube.apimachinery import errors
from refkube.apimachinery.errors import FieldError
from refkube.apimachinery.meta import Object, with_metadata
from refkube.apimachinery.rest import Request, Response
from refkube.apiserver.pipeline import Pipeline
from refkube.registry.storage import Storage
from refkube.registry.strategy import Strategy

from gherkube.drivers.miniatures import Miniature, miniature

Original = Callable[..., Any]

WORKLOADS = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicationController")
STORAGE = ("PersistentVolume", "PersistentVolumeClaim", "StorageClass")
_RULERS = ("LimitRange", "ResourceQuota", "Lease", "PriorityClass", "PodDisruptionBudget", "NetworkPolicy", "Ingress")
RULERS = (*_RULERS, "HorizontalPodAutoscaler", "Event")


def unjudged(
    name: str,
    fault: str,
    caught_by: str | tuple[str, ...],
    kinds: tuple[str, ...],
    fields: str = ".*",
    judge: Callable[..., list[FieldError]] = validation.validate,
) -> Miniature:
    """A server that does not judge these fields of these kinds, at creation or as `judge` says."""

    def forgets(original: Original, group: str, kind: str, *objects: Object) -> list[FieldError]:
        found: list[FieldError] = original(group, kind, *objects)
        return [one for one in found if not (kind in kinds and re.fullmatch(fields, one.field))]

    forgets.__name__ = name
    return miniature(fault, caught_by=caught_by, instead_of=judge)(forgets)


# At creation

unjudged("does_not_judge_pods", "Pods are not judged.", ("validation-pods.02", "validation-pods.03"), ("Pod",))
unjudged(
    "does_not_judge_templates",
    "Templates are not judged.",
    "validation-pods.04",
    WORKLOADS,
    r"spec\.template\.spec\..*",
)
unjudged(
    "does_not_compare_selectors",
    "A selector need not match the template.",
    ("validation-workloads.01", "validation-workloads.03"),
    WORKLOADS,
    r"spec\.template\.metadata\.labels",
)
unjudged(
    "lets_workloads_select_everything",
    "A selector may be empty.",
    "validation-workloads.02",
    WORKLOADS,
    r"spec\.selector",
)
unjudged(
    "does_not_judge_workloads",
    "What a workload says is not judged.",
    ("validation-workloads.05", "validation-workloads.06"),
    WORKLOADS,
    r"spec\..*",
)
unjudged("does_not_judge_services", "Services are not judged.", "validation-services.01", ("Service",))
unjudged(
    "does_not_judge_endpoints", "Endpoints are not judged.", "validation-services.03", ("Endpoints", "EndpointSlice")
)
unjudged(
    "does_not_judge_metadata",
    "Metadata are not judged.",
    ("validation.01", "validation.02"),
    ("ConfigMap", "Namespace", "Service", "PriorityClass"),
    r"metadata\..*",
)
unjudged(
    "does_not_judge_configuration",
    "Configuration is not judged.",
    ("validation.04", "validation.05"),
    ("ConfigMap", "Secret"),
)
unjudged("does_not_judge_storage", "Storage is not judged.", "validation.09", STORAGE)
unjudged("does_not_judge_rulers", "What rules the cluster is not judged.", "validation.11", RULERS)


unjudged("does_not_judge_newer_events", "Events of the newer group are not judged.", "discovery.13", ("Event",))


@miniature("Nobody is warned.", caught_by=("validation-pods.08", "validation-pods.09"), instead_of=warnings.warnings_of)
def warns_nobody(original: Original, *args: Any) -> Any:
    return []


@miniature("Every change brings all warnings.", caught_by="validation-pods.10", instead_of=warnings.warnings_of)
def warns_again(original: Original, group: str, kind: str, new: Object, old: Object | None) -> Any:
    return original(group, kind, new, None)


@miniature(
    "More may be requested than the limit allows.",
    caught_by="validation-pods.02#15",
    instead_of=podspec.validate_resources,
)
def lets_requests_exceed_limits(original: Original, resources: Object, *rest: Any, **how: Any) -> Any:
    return original({key: value for key, value in resources.items() if key != "limits"}, *rest, **how)


@miniature(
    "Mounts of unknown volumes are let through.", caught_by="validation-pods.02#20", instead_of=podspec.TABLES["Mounts"]
)
def mounts_what_is_not_there(original: Original, *given: Any) -> Any:
    return [error for error in original(*given) if error.type != "FieldValueNotFound"]


@miniature("Init containers are forgotten.", caught_by="validation-pods.01", instead_of=Strategy.prepare_for_create)
def forgets_init_containers(original: Original, self: Strategy, obj: Object) -> Object:
    made = original(self, obj)
    spec = {key: value for key, value in (made.get("spec") or {}).items() if key != "initContainers"}
    return {**made, "spec": spec} if self.kind.kind == "Pod" else made


@miniature("Bad metadata end the judgement.", caught_by="validation-workloads.06", instead_of=validation.validate)
def judges_no_further_than_metadata(original: Original, *given: Any) -> list[FieldError]:
    found: list[FieldError] = original(*given)
    return [error for error in found if error.field.startswith("metadata.")] or found


@miniature("What has no name is called after its kind.", caught_by="validation.03", instead_of=Pipeline._create)
def makes_up_names(original: Original, self: Pipeline, request: Request, kind: Kind, storage: Storage) -> Response:
    body = request.body
    if kind.kind == "ConfigMap" and not body.get("metadata"):
        body = {**body, "metadata": {"name": kind.singular}}
    return original(self, replace(request, body=body), kind, storage)


# At an update

unjudged(
    "changes_pods_at_will",
    "A Pod can be changed at will.",
    ("validation-pods.05", "validation-pods.07"),
    ("Pod",),
    judge=validation.validate_update,
)
unjudged(
    "changes_selectors",
    "A selector can be changed.",
    ("validation-workloads.04", "validation-workloads.07"),
    WORKLOADS,
    r"spec(\.selector)?",
    validation.validate_update,
)
unjudged(
    "changes_jobs",
    "A Job can be changed at will.",
    "validation-workloads.08",
    ("Job",),
    judge=validation.validate_update,
)
unjudged(
    "takes_addresses_away",
    "A Service's address can be taken away.",
    "validation-services.02",
    ("Service",),
    r"spec\.clusterIPs.*",
    validation.validate_update,
)
unjudged(
    "changes_families",
    "A slice can change its family of addresses.",
    "validation-services.04",
    ("EndpointSlice",),
    "addressType",
    validation.validate_update,
)
unjudged(
    "changes_the_immutable",
    "What is immutable can be changed.",
    "validation.06",
    ("ConfigMap", "Secret"),
    "data|immutable",
    validation.validate_update,
)
unjudged(
    "changes_types_of_secrets",
    "A Secret can change its type.",
    "validation.08",
    ("Secret",),
    "type",
    validation.validate_update,
)
unjudged(
    "changes_storage", "Storage can be changed at will.", "validation.10", STORAGE, judge=validation.validate_update
)
unjudged(
    "changes_priorities",
    "A class of priority can be changed.",
    "validation.12",
    ("PriorityClass",),
    "value",
    validation.validate_update,
)


def refuses(fault: str, caught_by: str, kind: str, holds: Callable[[Object, Object], bool], field: str) -> Miniature:
    """A server that refuses updates for a rule that nobody has made."""

    def strict(original: Original, group: str, of: str, new: Object, old: Object) -> list[FieldError]:
        found: list[FieldError] = original(group, of, new, old)
        return [*found, errors.field_forbidden(field, fault)] if of == kind and not holds(new, old) else found

    strict.__name__ = "refuses_changes_of_" + kind.lower()
    return miniature(fault, caught_by=caught_by, instead_of=validation.validate_update)(strict)


def _same(part: str) -> Callable[[Object, Object], bool]:
    return lambda new, old: new.get(part) == old.get(part)


refuses("Nothing of a Pod's spec can be changed.", "validation-pods.06", "Pod", _same("spec"), "spec")
refuses(
    "Nothing of a Deployment's spec can be changed.", "validation-workloads.09", "Deployment", _same("spec"), "spec"
)
refuses(
    "What is immutable cannot be labelled.",
    "validation.07",
    "Secret",
    lambda new, old: new["metadata"].get("labels") == old["metadata"].get("labels"),
    "metadata.labels",
)


@miniature(
    "A refused update has been stored.",
    caught_by=("validation-pods.07", "validation.06"),
    instead_of=Storage._refuse_invalid,
)
def stores_before_it_judges(original: Original, self: Storage, obj: Object, problems: list[FieldError]) -> None:
    if problems and obj["metadata"].get("resourceVersion"):
        from refkube.store.kv import Put

        meta = obj["metadata"]
        self._store.txn([], [Put(self._key(meta.get("namespace", ""), meta["name"]), with_metadata(obj))])
    original(self, obj, problems)
