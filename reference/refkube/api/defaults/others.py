"""Defaults of all kinds but Pods.

Called through `refkube.api.defaults`. A tree of `shape`s says what is filled in; a function where one field's default
hangs on another's value. Facts: defaults.go of each group and version in kubernetes/pkg/apis, with the features that
are on in the release. Left out: kinds whose defaults nothing here reads (device claims, custom resource definitions).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from refkube.api.defaults.pod import Default, default_pod_template_spec, items, quantities, shape
from refkube.apimachinery.meta import Object, labels_of, metadata_of, name_of

RBAC = "rbac.authorization.k8s.io"
ADMISSION = "admissionregistration.k8s.io"


def _then(*steps: Default) -> Default:
    """One default after the other."""

    def apply(obj: Any) -> Any:
        for step in steps:
            obj = step(obj)
        return obj

    return apply


def _part(key: str, part: Default) -> Default:
    """The defaults of a part that is there even where nothing is said of it."""

    def apply(obj: Object) -> Object:
        given = obj.get(key)
        made = part(given if given is not None else {})
        return obj if made is given else {**obj, key: made}

    return apply


def _spec(*steps: Default) -> Default:
    return _part("spec", _then(*steps))


def _set(**values: Any) -> Default:
    """Values for what is unset, where empty counts as unset."""
    return shape({}, values)


def _absent(**values: Any) -> Default:
    """Values for what is not given, where zero and empty are given."""
    return shape({}, {}, values)


def _parts(**parts: Default) -> Default:
    return shape(parts)


_TEMPLATE = _part("template", default_pod_template_spec)
_OWN_TEMPLATE = _parts(template=default_pod_template_spec)  # which a ReplicationController may lack


def _template_labels(*keys: str) -> Callable[[Object], Object]:
    """The template's labels for an object without labels; with "selector", for its selector as well."""

    def apply(obj: Object) -> Object:
        spec = obj.get("spec") or {}
        labels = labels_of(spec.get("template") or {})
        if labels and "selector" in keys and not spec.get("selector"):
            obj = {**obj, "spec": {**spec, "selector": labels}}
        if labels and not labels_of(obj):
            obj = {**obj, "metadata": {**metadata_of(obj), "labels": labels}}
        return obj

    return apply


def _rolling(**values: Any) -> Default:
    """An update strategy: rolling, unless another is said."""
    rolling = _part("rollingUpdate", _absent(**values))
    return _then(_set(type="RollingUpdate"), lambda s: rolling(s) if s["type"] == "RollingUpdate" else s)


_CLAIM = _then(_spec(_absent(volumeMode="Filesystem")), _part("status", _set(phase="Pending")))
_RETAIN = {"whenDeleted": "Retain", "whenScaled": "Retain"}
_MEMBERS_ROLLING = _parts(rollingUpdate=_absent(partition=0))


def _members_strategy(strategy: Object) -> Object:
    if not strategy.get("type"):
        strategy = {"rollingUpdate": {}, **strategy, "type": "RollingUpdate"}
    return _MEMBERS_ROLLING(strategy) if strategy["type"] == "RollingUpdate" else strategy


_STATEFUL_SET = _spec(
    _TEMPLATE,
    _part("updateStrategy", _members_strategy),
    _part("persistentVolumeClaimRetentionPolicy", _set(**_RETAIN)),
    _parts(volumeClaimTemplates=items(_then(_set(apiVersion="v1", kind="PersistentVolumeClaim"), _CLAIM))),
    _absent(podManagementPolicy="OrderedReady", replicas=1, revisionHistoryLimit=10),
)


def _job_spec(spec: Object) -> Object:
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec = {**spec, "completions": 1}
    limit = 6 if spec.get("backoffLimitPerIndex") is None else 2**31 - 1
    replacement = "TerminatingOrFailed" if spec.get("podFailurePolicy") is None else "Failed"
    unsaid = {"parallelism": 1, "completionMode": "NonIndexed", "suspend": False, "manualSelector": False}
    return _absent(**unsaid, backoffLimit=limit, podReplacementPolicy=replacement)(spec)


_FAILURE_POLICY = _parts(
    podFailurePolicy=_parts(rules=items(_parts(onPodConditions=items(_set(status="True"))))),
)
_JOB = _then(_spec(_TEMPLATE, _FAILURE_POLICY, _job_spec), _template_labels())
_CRON_JOB = _spec(
    _part("jobTemplate", _then(_absent(metadata={}), _spec(_TEMPLATE, _FAILURE_POLICY))),
    _absent(concurrencyPolicy="Allow", suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1),
)


def _service(service: Object) -> Object:
    spec = _set(sessionAffinity="None", type="ClusterIP")(service.get("spec") or {})
    kind, affinity = spec["type"], spec["sessionAffinity"]
    config = spec.get("sessionAffinityConfig")
    if affinity == "None" and config is not None:
        spec = {key: value for key, value in spec.items() if key != "sessionAffinityConfig"}
    elif affinity == "ClientIP" and ((config or {}).get("clientIP") or {}).get("timeoutSeconds") is None:
        spec = {**spec, "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}}}
    spec = _parts(ports=items(_service_port))(spec)
    if kind in ("NodePort", "LoadBalancer") or (kind == "ClusterIP" and spec.get("externalIPs")):
        spec = _set(externalTrafficPolicy="Cluster")(spec)
    if kind != "ExternalName":
        spec = _absent(internalTrafficPolicy="Cluster")(spec)
    if kind == "LoadBalancer":
        spec = _absent(allocateLoadBalancerNodePorts=True)(spec)
        service = _parts(status=_parts(loadBalancer=_parts(ingress=items(_ingress_point))))(service)
    return service if spec is service.get("spec") else {**service, "spec": spec}


def _service_port(port: Object) -> Object:
    return _set(protocol="TCP", targetPort=port.get("port", 0))(port)


def _ingress_point(point: Object) -> Object:
    return _absent(ipMode="VIP")(point) if point.get("ip") else point


def _namespace(namespace: Object) -> Object:
    name, label = name_of(namespace), "kubernetes.io/metadata.name"
    if name and labels_of(namespace).get(label) != name:
        labels = {**labels_of(namespace), label: name}
        namespace = {**namespace, "metadata": {**metadata_of(namespace), "labels": labels}}
    return _part("status", _set(phase="Active"))(namespace)


def _node(node: Object) -> Object:
    spec = node.get("spec") or {}
    if spec.get("podCIDR") and not spec.get("podCIDRs"):
        node = {**node, "spec": {**spec, "podCIDRs": [spec["podCIDR"]]}}
    status = _parts(capacity=quantities, allocatable=quantities)(node.get("status") or {})
    if status.get("capacity") and status.get("allocatable") is None:
        status = {**status, "allocatable": status["capacity"]}
    return node if not status or status is node.get("status") else {**node, "status": status}


def _limit(limit: Object) -> Object:
    sides = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")
    limit = _parts(**dict.fromkeys(sides, quantities))(limit)
    if limit.get("type") != "Container":
        return limit
    most, least = limit.get("max") or {}, limit.get("min") or {}
    default = {**most, **(limit.get("default") or {})}
    request = {**least, **default, **(limit.get("defaultRequest") or {})}
    made = {key: value for key, value in (("default", default), ("defaultRequest", request)) if value}
    return limit if made.items() <= limit.items() else {**limit, **made}


_AZURE_DISK = {"cachingMode": "ReadWrite", "fsType": "ext4", "readOnly": False, "kind": "Shared"}
_VOLUME = _then(
    _part("status", _set(phase="Pending")),
    _spec(
        _parts(
            capacity=quantities,
            hostPath=_absent(type=""),
            iscsi=_set(iscsiInterface="default"),
            rbd=_set(pool="rbd", user="admin", keyring="/etc/ceph/keyring"),
            azureDisk=_absent(**_AZURE_DISK),
            scaleIO=_set(storageMode="ThinProvisioned", fsType="xfs"),
        ),
        _set(persistentVolumeReclaimPolicy="Retain"),
        _absent(volumeMode="Filesystem"),
    ),
)
_CSI_DRIVER = _spec(
    _set(volumeLifecycleModes=["Persistent"]),
    _absent(attachRequired=True, podInfoOnMount=False, storageCapacity=False, requiresRepublish=False),
    _absent(fsGroupPolicy="ReadWriteOnceWithFSType", seLinuxMount=False),
)


def _policy(kind: str, value: int) -> Object:
    return {"type": kind, "value": value, "periodSeconds": 15}


_UP = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [_policy("Pods", 4), _policy("Percent", 100)],
}
_DOWN = {"selectPolicy": "Max", "policies": [_policy("Percent", 100)]}
_CPU = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}


def _autoscaler(autoscaler: Object) -> Object:
    spec = _absent(minReplicas=1)(autoscaler.get("spec") or {})
    if autoscaler.get("apiVersion") != "autoscaling/v1":
        spec = _set(metrics=[{"type": "Resource", "resource": _CPU}])(spec)
        scaling = _then(_part("scaleUp", _absent(**_UP)), _part("scaleDown", _absent(**_DOWN)))
        spec = _parts(behavior=scaling)(spec)
    return autoscaler if spec is autoscaler.get("spec") else {**autoscaler, "spec": spec}


_POLICY_RULES = items(_parts(ports=items(_absent(protocol="TCP"))))


def _policy_types(spec: Object) -> Object:
    return _set(policyTypes=["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])(spec)


def _subject(subject: Object) -> Object:
    return _set(apiGroup=RBAC)(subject) if subject.get("kind") in ("User", "Group") else subject


_ROLE_BINDING = _parts(roleRef=_set(apiGroup=RBAC), subjects=items(_subject))
_ENDPOINT_PORTS = items(_absent(name="", protocol="TCP"))
_RULES = items(_absent(scope="*"))
_SELECTORS: Mapping[str, Any] = {"matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {}}
_WEBHOOK = _then(
    _absent(failurePolicy="Fail", timeoutSeconds=10, **_SELECTORS),
    _parts(rules=_RULES, clientConfig=_parts(service=_absent(port=443))),
)
_MATCH = _then(_absent(**_SELECTORS), _parts(resourceRules=_RULES, excludeResourceRules=_RULES))
_QUEUING = _set(queues=64, handSize=8, queueLengthLimit=50)
_LIMITED = _then(
    _absent(nominalConcurrencyShares=30, lendablePercent=0),
    _parts(limitResponse=_parts(queuing=_QUEUING)),
)

DEFAULTS: dict[tuple[str, str], Default] = {
    ("", "ReplicationController"): _then(_template_labels("selector"), _spec(_OWN_TEMPLATE, _absent(replicas=1))),
    ("", "PodTemplate"): _TEMPLATE,
    ("", "Service"): _service,
    ("", "Endpoints"): _parts(subsets=items(_parts(ports=items(_set(protocol="TCP"))))),
    ("", "Secret"): _set(type="Opaque"),
    ("", "Namespace"): _namespace,
    ("", "Node"): _node,
    ("", "PersistentVolume"): _VOLUME,
    ("", "PersistentVolumeClaim"): _CLAIM,
    ("", "LimitRange"): _parts(spec=_parts(limits=items(_limit))),
    ("", "ResourceQuota"): _parts(spec=_parts(hard=quantities)),
    ("apps", "Deployment"): _spec(
        _TEMPLATE,
        _part("strategy", _rolling(maxUnavailable="25%", maxSurge="25%")),
        _absent(replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600),
    ),
    ("apps", "ReplicaSet"): _spec(_TEMPLATE, _absent(replicas=1)),
    ("apps", "DaemonSet"): _spec(
        _TEMPLATE,
        _part("updateStrategy", _rolling(maxUnavailable=1, maxSurge=0)),
        _absent(revisionHistoryLimit=10),
    ),
    ("apps", "StatefulSet"): _STATEFUL_SET,
    ("batch", "Job"): _JOB,
    ("batch", "CronJob"): _CRON_JOB,
    ("autoscaling", "HorizontalPodAutoscaler"): _autoscaler,
    ("networking.k8s.io", "NetworkPolicy"): _spec(
        _absent(podSelector={}), _parts(ingress=_POLICY_RULES, egress=_POLICY_RULES), _policy_types
    ),
    ("networking.k8s.io", "IngressClass"): _parts(spec=_parts(parameters=_absent(scope="Cluster"))),
    ("discovery.k8s.io", "EndpointSlice"): _parts(ports=_ENDPOINT_PORTS, endpoints=items(_absent(conditions={}))),
    ("storage.k8s.io", "StorageClass"): _absent(reclaimPolicy="Delete", volumeBindingMode="Immediate"),
    ("storage.k8s.io", "CSIDriver"): _CSI_DRIVER,
    ("scheduling.k8s.io", "PriorityClass"): _absent(value=0, preemptionPolicy="PreemptLowerPriority"),
    (RBAC, "RoleBinding"): _ROLE_BINDING,
    (RBAC, "ClusterRoleBinding"): _ROLE_BINDING,
    (ADMISSION, "MutatingWebhookConfiguration"): _parts(
        webhooks=items(_then(_WEBHOOK, _set(reinvocationPolicy="Never")))
    ),
    (ADMISSION, "ValidatingWebhookConfiguration"): _parts(webhooks=items(_WEBHOOK)),
    (ADMISSION, "ValidatingAdmissionPolicy"): _spec(_absent(failurePolicy="Fail"), _parts(matchConstraints=_MATCH)),
    (ADMISSION, "ValidatingAdmissionPolicyBinding"): _parts(spec=_parts(matchResources=_MATCH)),
    ("apiregistration.k8s.io", "APIService"): _parts(spec=_parts(service=_absent(port=443))),
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"): _spec(_set(matchingPrecedence=1000)),
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"): _parts(spec=_parts(limited=_LIMITED)),
}
