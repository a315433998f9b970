"""What each kind does at creation, update and deletion, beyond its schema, defaults and validation.

A `Strategy` is chosen by group and kind (`strategy_of`); `registry.storage` calls it. The rules are those of the
strategy.go files below kubernetes/pkg/registry.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from refkube.api import validation
from refkube.api.affinity import with_label_keys
from refkube.api.kinds import Kind
from refkube.api.resources import quality_of_service
from refkube.api.validation import cluster, pod
from refkube.apimachinery.errors import FieldError
from refkube.apimachinery.meta import (
    Object,
    annotations_of,
    get_path,
    labels_of,
    metadata_of,
    name_of,
    namespace_of,
    with_metadata,
)
from refkube.apimachinery.rest import UserInfo
from refkube.engine.clock import rfc3339
from refkube.registry.servicefields import bring_in_line

Fields = Mapping[str, Any]


class Strategy:
    """The rules of a kind without rules of its own."""

    allow_create_on_update = False
    allow_unconditional_update = True
    counts_generation = False
    returns_deleted = False  # deletion answers with the object instead of a Status
    orphans_by_default = False
    status_keeps: tuple[str, ...] = ()  # metadata that an update of status leaves as it is
    ttl = 0  # seconds until an object expires

    def __init__(self, kind: Kind):
        self.kind = kind
        self.has_status = "status" in kind.subresources

    def prepare_for_create(self, obj: Object) -> Object:
        """Status is not the creator's to say; generation begins at 1."""
        if self.has_status and "status" in obj:
            obj = without(obj, "status")
        initial = self.initial_status(obj)
        if initial is not None:
            obj = {**obj, "status": initial}
        if self.counts_generation:
            obj = with_metadata(obj, generation=1)
        return obj

    def initial_status(self, obj: Object) -> Object | None:
        return {} if self.has_status else None

    def prepare_for_update(self, new: Object, old: Object, subresource: str) -> Object:
        """The main resource does not change status, and status changes nothing else."""
        if subresource == "status":
            return self._prepare_for_status(new, old)
        if self.has_status:
            new = replaced(new, old, "status")
        if self.counts_generation and self.is_new_generation(new, old):
            new = with_metadata(new, generation=get_path(old, "metadata", "generation", default=0) + 1)
        return new

    def _prepare_for_status(self, new: Object, old: Object) -> Object:
        kept = {key: value for key, value in old.items() if key not in ("metadata", "status")}
        kept["metadata"] = new["metadata"]
        if "status" in new:
            kept["status"] = new["status"]
        if self.status_keeps:
            meta = {key: value for key, value in new["metadata"].items() if key not in self.status_keeps}
            for field in self.status_keeps:
                if field in old["metadata"]:
                    meta[field] = old["metadata"][field]
            kept["metadata"] = meta
        return kept

    def attributed(self, new: Object, old: Object | None, user: UserInfo | None, now: float) -> Object:
        """With what depends on who writes, and when; `old` is None at creation."""
        return new

    def is_new_generation(self, new: Object, old: Object) -> bool:
        return any(new.get(key) != old.get(key) for key in {*new, *old} - {"metadata", "status", "apiVersion", "kind"})

    def validate(self, obj: Object) -> list[FieldError]:
        return validation.validate(self.kind.group, self.kind.kind, obj)

    def validate_update(self, new: Object, old: Object, subresource: str) -> list[FieldError]:
        group, kind = self.kind.group, self.kind.kind
        if subresource == "status":
            return validation.validate_status_update(group, kind, new, old)
        return validation.validate_update(group, kind, new, old)

    def grace_period(self, obj: Object, asked: int | None) -> int | None:
        """Seconds of grace for a deletion; None where the kind knows no graceful deletion."""
        return None

    def deletable_during_update(self, obj: Object) -> bool:
        """True where a marked object without finalizers may vanish with the update that took the last one."""
        return True

    def fields(self, obj: Object) -> Mapping[str, str]:
        """The fields that field selectors may name."""
        return {"metadata.name": name_of(obj), "metadata.namespace": namespace_of(obj)}

    def field_names(self) -> frozenset[str]:
        return frozenset(self.fields({"metadata": {}}))


_MISSING = ("spec", "updateStrategy", "rollingUpdate", "maxUnavailable")
_SINCE = "lastPhaseTransitionTime"
_TEMPLATE_NUMBER = "deprecated.daemonset.template.generation"


def _numbered(obj: Object, number: str) -> Object:
    annotations = annotations_of(obj)
    if annotations.get(_TEMPLATE_NUMBER) == number:
        return obj
    return with_metadata(obj, annotations={**annotations, _TEMPLATE_NUMBER: number})


def _without_part(obj: Object, key: str, *keys: str) -> Object:
    """The object without a field, named step by step."""
    part = obj.get(key)
    if part is None:
        return obj
    if not keys:
        return without(obj, key)
    made = _without_part(part, *keys)
    return obj if made is part else {**obj, key: made}


def without(obj: Object, *keys: str) -> Object:
    return {key: value for key, value in obj.items() if key not in keys}


def replaced(new: Object, old: Object, key: str) -> Object:
    """`new` with the old object's part under a key, or none where the old has none."""
    if key in old:
        return new if new.get(key) is old[key] else {**new, key: old[key]}
    return without(new, key) if key in new else new


class Generation(Strategy):
    counts_generation = True


class Workload(Generation):
    """The controllers' kinds of apps and batch: an update of status keeps the labels."""

    status_keeps = ("labels",)


class DeploymentStrategy(Workload):
    def is_new_generation(self, new: Object, old: Object) -> bool:
        return super().is_new_generation(new, old) or annotations_of(new) != annotations_of(old)


class PodStrategy(Generation):
    returns_deleted = True
    status_keeps = ("deletionTimestamp", "deletionGracePeriodSeconds", "ownerReferences")

    def prepare_for_create(self, obj: Object) -> Object:
        return super().prepare_for_create({**obj, "spec": with_label_keys(obj["spec"], labels_of(obj))})

    def initial_status(self, obj: Object) -> Object:
        status: Object = {"phase": "Pending", "qosClass": quality_of_service(obj["spec"])}
        if obj["spec"].get("schedulingGates"):
            status["conditions"] = [
                {
                    "type": "PodScheduled",
                    "status": "False",
                    "reason": "SchedulingGated",
                    "message": "Scheduling is blocked due to non-empty scheduling gates",
                    "lastProbeTime": None,
                    "lastTransitionTime": None,
                }
            ]
        return status

    def prepare_for_update(self, new: Object, old: Object, subresource: str) -> Object:
        """Two subresources change one part of the spec each; binding has made its change itself."""
        if subresource == "binding":
            return new
        if subresource in ("ephemeralcontainers", "resize"):
            part = _resized if subresource == "resize" else _looked_into
            meta = replaced(old["metadata"], new["metadata"], "managedFields")
            new = {**new, "metadata": meta, "spec": part(old["spec"], new["spec"])}
        return super().prepare_for_update(new, old, subresource)

    def validate_update(self, new: Object, old: Object, subresource: str) -> list[FieldError]:
        if subresource == "binding":
            return []
        if subresource == "ephemeralcontainers":
            return pod.validate_pod_ephemeral_containers_update(new, old)
        if subresource == "resize":
            return pod.validate_pod_resize(new, old)
        return super().validate_update(new, old, subresource)

    def _prepare_for_status(self, new: Object, old: Object) -> Object:
        new = super()._prepare_for_status(new, old)
        quality = get_path(old, "status", "qosClass")
        if quality and get_path(new, "status", "qosClass") is None:
            new = {**new, "status": {**new.get("status", {}), "qosClass": quality}}
        return new

    def is_new_generation(self, new: Object, old: Object) -> bool:
        return new["spec"] is not old["spec"] and new["spec"] != old["spec"]

    def grace_period(self, obj: Object, asked: int | None) -> int | None:
        """pkg/registry/core/pod/strategy.go CheckGracefulDelete."""
        spec = obj["spec"]
        seconds = asked
        if seconds is None:
            seconds = spec.get("terminationGracePeriodSeconds", 30)
        if not spec.get("nodeName") or get_path(obj, "status", "phase") in ("Succeeded", "Failed"):
            seconds = 0
        return 1 if seconds < 0 else seconds

    def fields(self, obj: Object) -> Mapping[str, str]:
        spec, status = obj.get("spec") or {}, obj.get("status") or {}
        return {
            **super().fields(obj),
            "spec.nodeName": spec.get("nodeName", ""),
            "spec.restartPolicy": spec.get("restartPolicy", ""),
            "spec.schedulerName": spec.get("schedulerName", ""),
            "spec.serviceAccountName": spec.get("serviceAccountName", ""),
            "spec.hostNetwork": "true" if spec.get("hostNetwork") else "false",
            "status.phase": status.get("phase", ""),
            "status.podIP": status.get("podIP", ""),
            "status.nominatedNodeName": status.get("nominatedNodeName", ""),
        }


def _looked_into(old: Object, new: Object) -> Object:
    """The old spec with the new one's ephemeral containers."""
    return replaced(old, new, "ephemeralContainers")


def _resized(old: Object, new: Object) -> Object:
    """The old spec with the new one's resources, container by container; other containers are for validation to see."""
    spec = replaced(old, new, "resources") if "resources" in new else old
    for part in ("containers", "initContainers"):
        had, wanted = old.get(part) or [], new.get(part) or []
        if [container["name"] for container in had] != [container.get("name") for container in wanted]:
            spec = {**spec, part: wanted}
        elif had:
            pairs = zip(had, wanted, strict=True)
            spec = {**spec, part: [_with(was, is_to, ("resources", "resizePolicy")) for was, is_to in pairs]}
    return spec


def _with(old: Object, new: Object, keys: tuple[str, ...]) -> Object:
    for key in keys:
        old = replaced(old, new, key)
    return old


class NamespaceStrategy(Strategy):
    def prepare_for_create(self, obj: Object) -> Object:
        spec = obj.get("spec") or {}
        finalizers = spec.get("finalizers") or []
        if "kubernetes" not in finalizers:
            finalizers = [*finalizers, "kubernetes"]
        obj = {**obj, "spec": {**spec, "finalizers": finalizers}, "status": {"phase": "Active"}}
        # its defaults could not know a generated name
        labels = {**labels_of(obj), "kubernetes.io/metadata.name": name_of(obj)}
        return obj if labels == labels_of(obj) else with_metadata(obj, labels=labels)

    def prepare_for_update(self, new: Object, old: Object, subresource: str) -> Object:
        if subresource == "finalize":
            return replaced(new, old, "status")
        if subresource == "status":
            return self._prepare_for_status(new, old)
        return replaced(replaced(new, old, "status"), old, "spec")

    def deletable_during_update(self, obj: Object) -> bool:
        return not get_path(obj, "spec", "finalizers")

    def fields(self, obj: Object) -> Mapping[str, str]:
        return {
            "metadata.name": name_of(obj),
            "name": name_of(obj),
            "status.phase": get_path(obj, "status", "phase", default=""),
        }


class NodeStrategy(Strategy):
    """A kubelet registers its node together with its status."""

    def prepare_for_create(self, obj: Object) -> Object:
        return _without_part(obj, "spec", "configSource")

    def fields(self, obj: Object) -> Mapping[str, str]:
        unschedulable = "true" if get_path(obj, "spec", "unschedulable") else "false"
        return {"metadata.name": name_of(obj), "spec.unschedulable": unschedulable}


class ServiceStrategy(Strategy):
    allow_create_on_update = True
    returns_deleted = True

    def prepare_for_create(self, obj: Object) -> Object:
        return bring_in_line({**super().prepare_for_create(obj), "status": {"loadBalancer": {}}}, None)

    def prepare_for_update(self, new: Object, old: Object, subresource: str) -> Object:
        new = super().prepare_for_update(new, old, subresource)
        return new if subresource else bring_in_line(new, old)

    def fields(self, obj: Object) -> Mapping[str, str]:
        return {
            **super().fields(obj),
            "spec.clusterIP": get_path(obj, "spec", "clusterIP", default=""),
            "spec.type": get_path(obj, "spec", "type", default=""),
        }


class ReplicationControllerStrategy(Generation):
    orphans_by_default = True

    def initial_status(self, obj: Object) -> Object:
        return {"replicas": 0}

    def fields(self, obj: Object) -> Mapping[str, str]:
        return {**super().fields(obj), "status.replicas": str(get_path(obj, "status", "replicas", default=0))}


class ReplicaSetStrategy(Workload):
    def initial_status(self, obj: Object) -> Object:
        return {"replicas": 0}

    def fields(self, obj: Object) -> Mapping[str, str]:
        return {**super().fields(obj), "status.replicas": str(get_path(obj, "status", "replicas", default=0))}


class StatefulSetStrategy(Workload):
    """How many may be missing in a rollout is behind a feature gate that is off by default."""

    def prepare_for_create(self, obj: Object) -> Object:
        return _without_part(super().prepare_for_create(obj), *_MISSING)

    def prepare_for_update(self, new: Object, old: Object, subresource: str) -> Object:
        return super().prepare_for_update(_without_part(new, *_MISSING), old, subresource)

    def initial_status(self, obj: Object) -> Object:
        return {"replicas": 0, "availableReplicas": 0}


class DaemonSetStrategy(Workload):
    """The number of the template is told in an annotation, which was a field once."""

    def prepare_for_create(self, obj: Object) -> Object:
        return _numbered(super().prepare_for_create(obj), "1")

    def prepare_for_update(self, new: Object, old: Object, subresource: str) -> Object:
        number = annotations_of(old).get(_TEMPLATE_NUMBER, "1")
        if not subresource and new["spec"].get("template") != old["spec"].get("template"):
            number = str(int(number) + 1)
        return _numbered(super().prepare_for_update(new, old, subresource), number)

    def initial_status(self, obj: Object) -> Object:
        return dict.fromkeys(
            ("currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady"), 0
        )


class JobStrategy(Workload):
    orphans_by_default = True

    def prepare_for_create(self, obj: Object) -> Object:
        """A selector of its own, unless the user wants to write one (pkg/registry/batch/job generateSelector)."""
        obj = super().prepare_for_create(obj)
        spec = obj["spec"]
        if spec.get("manualSelector"):
            return obj
        meta, template = obj["metadata"], spec.get("template") or {}
        own = {"controller-uid": meta["uid"], "job-name": meta["name"]}
        own.update({f"batch.kubernetes.io/{label}": value for label, value in own.items()})
        labels = {**own, **(metadata_of(template).get("labels") or {})}  # of others' values validation tells
        selector = spec.get("selector") or {}
        uid = "batch.kubernetes.io/controller-uid"
        selector = {**selector, "matchLabels": {uid: meta["uid"], **(selector.get("matchLabels") or {})}}
        template = {**template, "metadata": {**metadata_of(template), "labels": labels}}
        if not meta.get("labels"):
            meta = {**meta, "labels": labels}  # to upstream a default, which whoever reads a Job finds there
        return {**obj, "metadata": meta, "spec": {**spec, "selector": selector, "template": template}}

    def fields(self, obj: Object) -> Mapping[str, str]:
        return {**super().fields(obj), "status.successful": str(get_path(obj, "status", "succeeded", default=0))}


class VolumeStrategy(Strategy):
    returns_deleted = True

    def initial_status(self, obj: Object) -> Object:
        return {"phase": "Pending"}

    def fields(self, obj: Object) -> Mapping[str, str]:
        base = super().fields(obj)
        return base if self.kind.namespaced else {**base, "name": name_of(obj)}


class PersistentVolumeStrategy(VolumeStrategy):
    def attributed(self, new: Object, old: Object | None, user: UserInfo | None, now: float) -> Object:
        """Since when it has been in its phase."""
        status = new.get("status") or {}
        if old is not None and status.get("phase") == get_path(old, "status", "phase"):
            return new
        if old is not None and status.get("lastPhaseTransitionTime", "") != get_path(old, "status", _SINCE, default=""):
            return new
        return {**new, "status": {**status, _SINCE: rfc3339(now)}}


class SecretStrategy(Strategy):
    def fields(self, obj: Object) -> Mapping[str, str]:
        return {**super().fields(obj), "type": obj.get("type", "")}

    def prepare_for_create(self, obj: Object) -> Object:
        return with_string_data(obj)

    def prepare_for_update(self, new: Object, old: Object, subresource: str) -> Object:
        return with_string_data(new)


def with_string_data(obj: Object) -> Object:
    """stringData is write-only: it becomes data."""
    given = obj.get("stringData")
    if given is None:
        return obj
    data = {**(obj.get("data") or {})}
    data.update((key, base64.b64encode(value.encode()).decode()) for key, value in given.items())
    return {**without(obj, "stringData"), "data": data}


# core/v1 always says these, events.k8s.io/v1 leaves them out where they are empty
_REPORTER: Object = {"reportingComponent": "", "reportingInstance": ""}


class EventStrategy(Strategy):
    allow_create_on_update = True
    ttl = 3600

    def prepare_for_create(self, obj: Object) -> Object:
        return {**_REPORTER, **super().prepare_for_create(obj)}

    def prepare_for_update(self, new: Object, old: Object, subresource: str) -> Object:
        return {**_REPORTER, **super().prepare_for_update(new, old, subresource)}

    def fields(self, obj: Object) -> Mapping[str, str]:
        about = obj.get("involvedObject") or {}
        source = get_path(obj, "source", "component", default="") or obj.get("reportingComponent", "")
        return {
            **super().fields(obj),
            **{
                f"involvedObject.{field}": about.get(field, "")
                for field in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
            },
            "reason": obj.get("reason", ""),
            "reportingComponent": obj.get("reportingComponent", ""),
            "source": source,
            "type": obj.get("type", ""),
        }


class CreatedByUpdate(Strategy):
    """Kinds whose PUT also creates."""

    allow_create_on_update = True


class LeaseStrategy(CreatedByUpdate):
    """Leaders elected by the control plane are behind a feature gate that is off by default."""

    allow_unconditional_update = False

    def prepare_for_create(self, obj: Object) -> Object:
        return self._plain(super().prepare_for_create(obj))

    def prepare_for_update(self, new: Object, old: Object, subresource: str) -> Object:
        return self._plain(super().prepare_for_update(new, old, subresource))

    def _plain(self, lease: Object) -> Object:
        return _without_part(_without_part(lease, "spec", "strategy"), "spec", "preferredHolder")


class ReturnsDeleted(Strategy):
    returns_deleted = True


class AccountStrategy(ReturnsDeleted):
    """Of the Secrets that an account lists only the names are kept."""

    def prepare_for_create(self, obj: Object) -> Object:
        return self._named(super().prepare_for_create(obj))

    def prepare_for_update(self, new: Object, old: Object, subresource: str) -> Object:
        return self._named(super().prepare_for_update(new, old, subresource))

    def _named(self, account: Object) -> Object:
        secrets = account.get("secrets") or ()
        if all(secret.keys() <= {"name"} for secret in secrets):
            return account
        return {**account, "secrets": [{"name": s["name"]} if s.get("name") else {} for s in secrets]}


class Conditional(Strategy):
    """Kinds whose update must name the version that it changes."""

    allow_unconditional_update = False


class CertificateStrategy(Strategy):
    """A request is its maker's, for good; its approval and its status are written apart from each other."""

    def attributed(self, new: Object, old: Object | None, user: UserInfo | None, now: float) -> Object:
        """A new request tells who makes it, a condition when it came (certificates strategy.go)."""
        if old is None:
            spec = without(new.get("spec") or {}, "username", "uid", "groups", "extra")
            return {**new, "spec": {**spec, **(user.told if user else {})}}
        status, had = new.get("status") or {}, get_path(old, "status", "conditions", default=())
        before = {(condition["type"], condition["status"]): condition for condition in had}
        conditions = [_timed(c, before, rfc3339(now)) for c in status.get("conditions") or ()]
        return {**new, "status": {**status, "conditions": conditions}} if conditions else new

    def fields(self, obj: Object) -> Mapping[str, str]:
        signer = get_path(obj, "spec", "signerName", default="")
        return {"metadata.name": name_of(obj), "spec.signerName": signer}

    def prepare_for_update(self, new: Object, old: Object, subresource: str) -> Object:
        new, status = replaced(new, old, "spec"), old.get("status") or {}
        if subresource == "approval":
            return {**new, "status": replaced(status, new.get("status") or {}, "conditions")}
        return super().prepare_for_update(new, old, subresource)

    def validate_update(self, new: Object, old: Object, subresource: str) -> list[FieldError]:
        if subresource == "approval":
            return cluster.validate_approval(new, old)
        return super().validate_update(new, old, subresource)


def _timed(condition: Object, before: Mapping[tuple[str, str], Object], now: str) -> Object:
    had = before.get((condition.get("type", ""), condition.get("status", "")), {})
    times = {"lastUpdateTime": now, "lastTransitionTime": had.get("lastTransitionTime", now)}
    return {**condition, **{field: time for field, time in times.items() if not condition.get(field)}}


class DisruptionStrategy(Generation, Conditional):
    def initial_status(self, obj: Object) -> Object:
        return dict.fromkeys(("currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods"), 0)


class IngressStrategy(Generation):
    def initial_status(self, obj: Object) -> Object:
        return {"loadBalancer": {}}


_STRATEGIES: dict[tuple[str, str], type[Strategy]] = {
    ("", "Pod"): PodStrategy,
    ("", "Namespace"): NamespaceStrategy,
    ("", "Node"): NodeStrategy,
    ("", "Service"): ServiceStrategy,
    ("", "Secret"): SecretStrategy,
    ("", "Event"): EventStrategy,
    ("", "Endpoints"): CreatedByUpdate,
    ("", "LimitRange"): CreatedByUpdate,
    ("", "PersistentVolume"): PersistentVolumeStrategy,
    ("", "PersistentVolumeClaim"): VolumeStrategy,
    ("", "PodTemplate"): type("PodTemplateStrategy", (Generation, ReturnsDeleted), {}),
    ("", "ResourceQuota"): ReturnsDeleted,
    ("", "ServiceAccount"): AccountStrategy,
    ("", "ReplicationController"): ReplicationControllerStrategy,
    ("apps", "ReplicaSet"): ReplicaSetStrategy,
    ("apps", "Deployment"): DeploymentStrategy,
    ("apps", "StatefulSet"): StatefulSetStrategy,
    ("apps", "DaemonSet"): DaemonSetStrategy,
    ("batch", "Job"): JobStrategy,
    ("batch", "CronJob"): Generation,
    ("coordination.k8s.io", "Lease"): LeaseStrategy,
    ("certificates.k8s.io", "CertificateSigningRequest"): CertificateStrategy,
    ("rbac.authorization.k8s.io", "Role"): CreatedByUpdate,
    ("rbac.authorization.k8s.io", "RoleBinding"): CreatedByUpdate,
    ("rbac.authorization.k8s.io", "ClusterRole"): CreatedByUpdate,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): CreatedByUpdate,
    ("policy", "PodDisruptionBudget"): DisruptionStrategy,
    ("networking.k8s.io", "Ingress"): IngressStrategy,
    ("networking.k8s.io", "NetworkPolicy"): Generation,
    ("networking.k8s.io", "IngressClass"): Generation,
    ("discovery.k8s.io", "EndpointSlice"): Generation,
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): Generation,
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): Generation,
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): Generation,
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"): Generation,
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"): Generation,
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"): Generation,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): type("DefinitionStrategy", (Generation, Conditional), {}),
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"): Generation,
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"): Generation,
    ("scheduling.k8s.io", "PriorityClass"): Generation,
    ("resource.k8s.io", "ResourceSlice"): Generation,
    ("resource.k8s.io", "DeviceClass"): Generation,
    ("storage.k8s.io", "CSIStorageCapacity"): Strategy,
    ("apiregistration.k8s.io", "APIService"): Conditional,
    ("node.k8s.io", "RuntimeClass"): Conditional,
}


def strategy_of(kind: Kind) -> Strategy:
    return _STRATEGIES.get((kind.group, kind.kind), Strategy)(kind)
