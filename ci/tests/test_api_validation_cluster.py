"""Every rule of what a cluster is made of: the change that breaks it, the path and the cause that are told."""

import base64

import pytest
from api_rows import (
    DUPLICATE,
    FORBIDDEN,
    GONE,
    INVALID,
    NOT_SUPPORTED,
    REQUIRED,
    TOO_LONG,
    manifest,
    merged,
    on_create,
    on_status,
    on_update,
    told,
)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


NAMESPACE = manifest("{apiVersion: v1, kind: Namespace, spec: {finalizers: [kubernetes]}}")
NODE = manifest("""
apiVersion: v1
kind: Node
spec: {podCIDR: 10.0.0.0/24, podCIDRs: [10.0.0.0/24], providerID: x, taints: [{key: a, effect: NoSchedule}]}
status: {capacity: {cpu: "1", pods: "110"}, addresses: [{type: InternalIP, address: 10.0.0.1}]}
""")
CONFIG = manifest("{apiVersion: v1, kind: ConfigMap, data: {a: b}, binaryData: {c: AA==}}")
SECRET = manifest("{apiVersion: v1, kind: Secret, data: {a: AA==}}")
LEASE = manifest("{apiVersion: coordination.k8s.io/v1, kind: Lease, spec: {leaseDurationSeconds: 40}}")
PRIORITY = manifest("{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, value: 100}")
RUNTIME = manifest("{apiVersion: node.k8s.io/v1, kind: RuntimeClass, handler: runc}")
REQUEST = merged(
    manifest("{apiVersion: certificates.k8s.io/v1, kind: CertificateSigningRequest}"),
    {
        "spec.request": encoded("-----BEGIN CERTIFICATE REQUEST-----\nAA==\n-----END CERTIFICATE REQUEST-----\n"),
        "spec.signerName": "kubernetes.io/kube-apiserver-client",
        "spec.usages": ["client auth"],
    },
)
EVENT = manifest("""
{apiVersion: v1, kind: Event, involvedObject: {kind: Pod, name: p, namespace: default}, reason: Started, type: Normal}
""")
MODERN = {"eventTime": "2026-01-01T00:00:00.000000Z", "reportingComponent": "kubelet", "reportingInstance": "n1"}
MODERN["action"] = "Starting"
NEW_EVENT = manifest("""
apiVersion: events.k8s.io/v1
kind: Event
eventTime: "2026-01-01T00:00:00.000000Z"
reportingComponent: kubelet
reportingInstance: n1
action: Starting
reason: Started
type: Normal
involvedObject: {kind: Pod, name: p, namespace: default}
""")
TAINT, EXTENDED = "metadata.taints", "status.capacity.example.com/gpu"

ROWS = [
    (NAMESPACE, {"metadata.name": "a.b"}, "metadata.name", INVALID),
    (NAMESPACE, {"spec.finalizers": ["a b/c"]}, "spec.finalizers", INVALID),
    (NAMESPACE, {"spec.finalizers": ["mine"]}, "spec.finalizers", INVALID),
    (NODE, {"metadata.name": "N"}, "metadata.name", INVALID),
    (NODE, {"spec.podCIDRs": ["10.0.0.0/33"]}, "spec.podCIDRs[0]", INVALID),
    (NODE, {"spec.podCIDRs": ["10.0.0.0/24", "10.0.1.0/24"]}, "spec.podCIDRs", INVALID),
    (NODE, {"spec.taints[0].key": "a b"}, f"{TAINT}[0].key", INVALID),
    (NODE, {"spec.taints[0].value": "a b"}, f"{TAINT}[0].value", INVALID),
    (NODE, {"spec.taints[0].effect": ""}, f"{TAINT}[0].effect", REQUIRED),
    (NODE, {"spec.taints[0].effect": "X"}, f"{TAINT}[0].effect", NOT_SUPPORTED),
    (NODE, {"spec.taints[1]": {"key": "a", "effect": "NoSchedule"}}, f"{TAINT}[1]", DUPLICATE),
    (NODE, {"status.capacity.cpu": "-1"}, "status.capacity.cpu", INVALID),
    (NODE, {"status.allocatable.pods": "500m"}, "status.allocatable.pods", INVALID),
    (NODE, {"status.capacity": {"example.com/gpu": "500m"}}, EXTENDED, INVALID),
    (CONFIG, {"data[a b]": "x"}, "data[a b]", INVALID),
    (CONFIG, {"data.c": "x"}, "data[c]", INVALID),
    (CONFIG, {"binaryData[..]": "AA=="}, "binaryData[..]", INVALID),
    (CONFIG, {"data.a": "é" * (1 << 19)}, "[]", TOO_LONG),
    (SECRET, {"data[a b]": "AA=="}, "data[a b]", INVALID),
    (SECRET, {"data.a": encoded("x" * ((1 << 20) + 1))}, "data", TOO_LONG),
    (
        SECRET,
        {"type": "kubernetes.io/service-account-token"},
        "metadata.annotations[kubernetes.io/service-account.name]",
        REQUIRED,
    ),
    (SECRET, {"type": "kubernetes.io/dockercfg"}, "data[.dockercfg]", REQUIRED),
    (SECRET, {"type": "kubernetes.io/dockerconfigjson"}, "data[.dockerconfigjson]", REQUIRED),
    (
        SECRET,
        {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": encoded("{")}},
        "data[.dockerconfigjson]",
        INVALID,
    ),
    (
        SECRET,
        {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": encoded("[]")}},
        "data[.dockerconfigjson]",
        INVALID,
    ),
    (SECRET, {"type": "kubernetes.io/ssh-auth"}, "data[ssh-privatekey]", REQUIRED),
    (SECRET, {"type": "kubernetes.io/ssh-auth", "data": {"ssh-privatekey": ""}}, "data[ssh-privatekey]", REQUIRED),
    (SECRET, {"type": "kubernetes.io/tls", "data": {"tls.crt": "AA=="}}, "data[tls.key]", REQUIRED),
    (SECRET, {"type": "kubernetes.io/tls", "data": {"tls.key": "AA=="}}, "data[tls.crt]", REQUIRED),
    (LEASE, {"spec.leaseDurationSeconds": 0}, "spec.leaseDurationSeconds", INVALID),
    (LEASE, {"spec.leaseTransitions": -1}, "spec.leaseTransitions", INVALID),
    (PRIORITY, {"value": 1_000_000_001}, "value", FORBIDDEN),
    (PRIORITY, {"metadata.name": "system-mine"}, "metadata.name", FORBIDDEN),
    (PRIORITY, {"metadata.name": "system-node-critical"}, "metadata.name", FORBIDDEN),
    (PRIORITY, {"preemptionPolicy": "Always"}, "preemptionPolicy", NOT_SUPPORTED),
    (RUNTIME, {"handler": "Run C"}, "handler", INVALID),
    (RUNTIME, {"overhead.podFixed.cpu": "-1"}, "overhead.limits[cpu]", INVALID),
    (RUNTIME, {"scheduling.nodeSelector": {"a b": ""}}, "scheduling.nodeSelector", INVALID),
    (RUNTIME, {"scheduling.tolerations": [{"key": "a b"}]}, "scheduling.tolerations[0].key", INVALID),
    (REQUEST, {"spec.request": encoded("hello")}, "spec.request", INVALID),
    (REQUEST, {"spec.usages": []}, "spec.usages", REQUIRED),
    (REQUEST, {"spec.usages[0]": "all"}, "spec.usages[0]", NOT_SUPPORTED),
    (REQUEST, {"spec.usages[1]": "client auth"}, "spec.usages[1]", DUPLICATE),
    (REQUEST, {"spec.signerName": ""}, "spec.signerName", REQUIRED),
    (REQUEST, {"spec.signerName": "me"}, "spec.signerName", INVALID),
    (REQUEST, {"spec.expirationSeconds": 599}, "spec.expirationSeconds", INVALID),
    (EVENT, {"involvedObject.namespace": "other"}, "involvedObject.namespace", INVALID),
    (EVENT, {"metadata.namespace": "other", "involvedObject.namespace": ""}, "involvedObject.namespace", INVALID),
    (EVENT, {**MODERN, "reportingComponent": "a b"}, "reportingComponent", INVALID),
    (EVENT, {**MODERN, "reportingInstance": ""}, "reportingInstance", REQUIRED),
    (EVENT, {**MODERN, "action": ""}, "action", REQUIRED),
    (EVENT, {**MODERN, "reason": ""}, "reason", REQUIRED),
    (EVENT, {**MODERN, "reason": "r" * 129}, "reason", INVALID),
    (EVENT, {**MODERN, "message": "m" * 1025}, "message", INVALID),
    (NEW_EVENT, {"eventTime": GONE}, "eventTime", REQUIRED),
    (NEW_EVENT, {"type": "Alarm"}, "type", INVALID),
    (NEW_EVENT, {"message": "m" * 1025}, "message", INVALID),
    (NEW_EVENT, {"reportingComponent": "a b"}, "reportingController", INVALID),
    (NEW_EVENT, {"series": {"count": 1, "lastObservedTime": "x"}}, "series.count", INVALID),
    (NEW_EVENT, {"series": {"count": 2}}, "series.lastObservedTime", REQUIRED),
    (NEW_EVENT, {"count": 1}, "count", INVALID),
    (NEW_EVENT, {"source": {"component": "x"}}, "source", INVALID),
]


@pytest.mark.parametrize(("obj", "changes", "path", "cause"), ROWS)
def test_what_breaks_a_rule_is_told(obj, changes, path, cause):
    assert told(on_create(obj, changes)) == {(path, cause)}


def test_basic_authentication_needs_one_of_two():
    missing = told(on_create(SECRET, {"type": "kubernetes.io/basic-auth"}))
    assert missing == {("data[username]", REQUIRED), ("data[password]", REQUIRED)}
    assert on_create(SECRET, {"type": "kubernetes.io/basic-auth", "data": {"password": ""}}) == []


@pytest.mark.parametrize(
    "obj",
    [
        *(NAMESPACE, NODE, CONFIG, SECRET, LEASE, PRIORITY, RUNTIME, REQUEST, EVENT, NEW_EVENT, merged(EVENT, MODERN)),
        manifest("{apiVersion: v1, kind: ServiceAccount}"),
        merged(PRIORITY, {"metadata.name": "system-node-critical", "value": 2_000_001_000}),
        merged(NODE, {"spec.podCIDRs[1]": "fd00::/64"}),
        merged(EVENT, {"metadata.name": "Pod_1", "involvedObject.namespace": ""}),
    ],
)
def test_what_breaks_no_rule_is_valid(obj):
    assert on_create(obj) == []
    assert on_update(obj, {"metadata.labels": {"a": "b"}}) == []


@pytest.mark.parametrize(
    ("old", "changes", "path", "cause"),
    [
        (NODE, {"spec.podCIDRs": ["10.0.1.0/24"]}, "spec.podCIDRs", FORBIDDEN),
        (NODE, {"spec.providerID": "y"}, "spec.providerID", FORBIDDEN),
        (NODE, {"spec.taints[0].effect": "X"}, f"{TAINT}[0].effect", NOT_SUPPORTED),
        (
            NODE,
            {"status.addresses[1]": {"type": "InternalIP", "address": "10.0.0.1"}},
            "status.addresses[1]",
            DUPLICATE,
        ),
        (merged(CONFIG, {"immutable": True}), {"data.a": "c"}, "data", FORBIDDEN),
        (merged(CONFIG, {"immutable": True}), {"binaryData.c": "AAA="}, "binaryData", FORBIDDEN),
        (merged(CONFIG, {"immutable": True}), {"immutable": False}, "immutable", FORBIDDEN),
        (merged(SECRET, {"immutable": True}), {"data.a": "AAA="}, "data", FORBIDDEN),
        (merged(SECRET, {"immutable": True}), {"immutable": GONE}, "immutable", FORBIDDEN),
        (SECRET, {"type": "mine"}, "type", INVALID),
        (CONFIG, {"data[a b]": "x"}, "data[a b]", INVALID),
        (PRIORITY, {"value": 101}, "value", FORBIDDEN),
        (PRIORITY, {"preemptionPolicy": "Never"}, "preemptionPolicy", INVALID),
        (RUNTIME, {"handler": "crun"}, "handler", INVALID),
        (REQUEST, {"spec.expirationSeconds": 700}, "spec", INVALID),
        (LEASE, {"spec.leaseDurationSeconds": 0}, "spec.leaseDurationSeconds", INVALID),
        (EVENT, {"involvedObject.namespace": "other"}, "involvedObject.namespace", INVALID),
        (NEW_EVENT, {"involvedObject.name": "q"}, "involvedObject", INVALID),
        (NEW_EVENT, {"message": "x"}, "message", INVALID),
        (NEW_EVENT, {"reportingComponent": "x"}, "reportingController", INVALID),
        (NEW_EVENT, {"series": {"count": 1, "lastObservedTime": "x"}}, "series.count", INVALID),
    ],
)
def test_what_may_not_change(old, changes, path, cause):
    assert told(on_update(old, changes)) == {(path, cause)}


def test_events_and_config_maps_may_change():
    assert on_update(EVENT, {"reason": "Other", "count": 2}) == []
    assert on_update(NEW_EVENT, {"series": {"count": 2, "lastObservedTime": "x"}}) == []
    assert on_update(CONFIG, {"data.a": "c", "immutable": True}) == []


@pytest.mark.parametrize(
    ("old", "phase", "valid"),
    [
        (NAMESPACE, "Active", True),
        (NAMESPACE, "Terminating", False),
        (merged(NAMESPACE, {"metadata.deletionTimestamp": "2026-01-01T00:00:00Z"}), "Terminating", True),
        (merged(NAMESPACE, {"metadata.deletionTimestamp": "2026-01-01T00:00:00Z"}), "Active", False),
    ],
)
def test_a_namespaces_phase_follows_its_deletion(old, phase, valid):
    assert told(on_status(old, {"status.phase": phase})) == (set() if valid else {("status.Phase", INVALID)})


def test_defaults():
    assert NAMESPACE["metadata"]["labels"] == {"kubernetes.io/metadata.name": "example"}
    assert NAMESPACE["status"] == {"phase": "Active"}
    assert NODE["status"]["allocatable"] == NODE["status"]["capacity"]
    assert SECRET["type"] == "Opaque"
    assert PRIORITY["preemptionPolicy"] == "PreemptLowerPriority"
