"""Validation of what a cluster is made of: namespaces, nodes, configuration, events, leases, classes, signing requests.

Facts: kubernetes/pkg/apis/core/validation (validation.go, events.go), pkg/apis/{coordination,scheduling,node,
certificates}/validation. A Secret is validated after the registry has merged stringData into data. Left out: a node's
configSource (no kubelet reads it), a certificate request's content beyond its outer form.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

from refkube.api.validation.common import (
    NOTHING,
    Errors,
    each,
    is_cidr,
    one_of,
    resource_quantity,
    rules,
    same,
    spec_of,
    status_of,
    unchanged,
)
from refkube.api.validation.objectmeta import (
    IMMUTABLE,
    Rules,
    name_is_dns_label,
    name_is_path_segment,
    validate_labels,
    validate_object_meta_update,
)
from refkube.api.validation.podspec import TAINT_EFFECTS, validate_resources, validate_tolerations
from refkube.apimachinery import names
from refkube.apimachinery.errors import (
    FieldError,
    duplicate,
    field_forbidden,
    invalid,
    not_supported,
    required,
    too_long,
)
from refkube.apimachinery.meta import Object, annotations_of, is_terminating, metadata_of, name_of, namespace_of

MAX_BYTES = 1 << 20
USAGES = frozenset({
    "signing", "digital signature", "content commitment", "key encipherment", "key agreement", "data encipherment",
    "cert sign", "crl sign", "encipher only", "decipher only", "any", "server auth", "client auth", "code signing",
    "email protection", "s/mime", "ipsec end system", "ipsec tunnel", "ipsec user", "timestamping", "ocsp signing",
    "microsoft sgc", "netscape sgc",
})  # fmt: skip
_SYSTEM_CLASSES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
_USER_PRIORITY = 1_000_000_000


def _namespace(namespace: Object) -> Errors:
    for name in spec_of(namespace).get("finalizers") or ():
        yield from finalizer(name, "spec.finalizers")


def finalizer(name: str, path: str) -> Errors:
    yield from each(name, path, names.is_qualified_name)
    if "/" not in name and name not in ("kubernetes", "orphan", "foregroundDeletion"):
        yield invalid(path, name, "name is neither a standard finalizer name nor is it fully qualified")


def _namespace_status(new: Object, _: Object) -> Errors:
    phase = status_of(new).get("phase", "")
    wanted, empty = ("Terminating", "is not empty") if is_terminating(new) else ("Active", "is empty")
    if phase != wanted:
        yield invalid("status.Phase", phase, f"may only be '{wanted}' if `deletionTimestamp` {empty}")


def _node(node: Object) -> Errors:
    spec, status = spec_of(node), status_of(node)
    seen = set()
    for index, taint in enumerate(spec.get("taints") or ()):
        path = f"metadata.taints[{index}]"  # As upstream has it.
        key, value, effect = (taint.get(part, "") for part in ("key", "value", "effect"))
        yield from each(key, f"{path}.key", names.is_qualified_name)
        wrong = names.is_label_value(value)
        if wrong:
            yield invalid(f"{path}.value", value, ";".join(wrong))
        yield from one_of(taint, "effect", f"{path}.", TAINT_EFFECTS, must=True)
        if (key, effect) in seen:
            shown = duplicate(path, taint)
            yield shown._replace(message=f"{shown.message}: taints must be unique by key and effect pair")
        seen.add((key, effect))
    for side in ("capacity", "allocatable"):
        for name, amount in (status.get(side) or NOTHING).items():
            yield from resource_quantity(name, amount, f"status.{side}.{name}")


def _pod_cidrs(node: Object) -> Errors:
    cidrs, path = spec_of(node).get("podCIDRs") or [], "spec.podCIDRs"
    faults = [fault for index, cidr in enumerate(cidrs) for fault in each(cidr, f"{path}[{index}]", is_cidr)]
    yield from faults
    if not faults and len({ip_network(cidr).version for cidr in cidrs}) < len(cidrs):
        yield invalid(path, cidrs, "may specify no more than one CIDR for each IP family")
    for index, cidr in enumerate(cidrs):
        if cidr in cidrs[:index]:
            yield duplicate(f"{path}[{index}]", cidr)


def _new_node(node: Object) -> Errors:
    yield from _node(node)
    yield from _pod_cidrs(node)


def _node_update(new: Object, old: Object) -> Errors:
    yield from _node(new)
    addresses = status_of(new).get("addresses") or []
    for index, address in enumerate(addresses):
        if address in addresses[:index]:
            yield duplicate(f"status.addresses[{index}]", address)
    for key, shown in (("podCIDRs", "podCIDR"), ("providerID", "providerID")):
        before = spec_of(old).get(key)
        if before and spec_of(new).get(key) != before:
            yield field_forbidden(f"spec.{key}", f'node updates may not change {shown} except from "" to valid')


def _config_map(config: Object) -> Errors:
    data, binary = config.get("data") or NOTHING, config.get("binaryData") or NOTHING
    for key in data:
        yield from each(key, f"data[{key}]", names.is_config_map_key)
        if key in binary:
            yield invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
    for key in binary:
        yield from each(key, f"binaryData[{key}]", names.is_config_map_key)
    if sum(len(text.encode()) for text in data.values()) + sum(map(_decoded_size, binary.values())) > MAX_BYTES:
        yield too_long("[]", MAX_BYTES)  # a path without a name, as upstream prints it


def _decoded_size(text: str) -> int:
    return len(text) * 3 // 4 - text[-2:].count("=")


def _still_immutable(new: Object, old: Object) -> Errors:
    """What an immutable Secret or ConfigMap may not change."""
    if not old.get("immutable"):
        return
    why = "field is immutable when `immutable` is set"
    if not new.get("immutable"):
        yield field_forbidden("immutable", why)
    for key in ("data", "binaryData"):
        if not same(new.get(key), old.get(key)):
            yield field_forbidden(key, why)


_SECRET_KEYS: dict[str, tuple[str, ...]] = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}


def _secret(secret: Object) -> Errors:
    kind, data = secret.get("type", ""), secret.get("data") or {}
    for key in data:
        yield from each(key, f"data[{key}]", names.is_config_map_key)
    if sum(map(_decoded_size, data.values())) > MAX_BYTES:
        yield too_long("data", MAX_BYTES)
    owner = "kubernetes.io/service-account.name"
    if kind == "kubernetes.io/service-account-token" and not annotations_of(secret).get(owner):
        yield required(f"metadata.annotations[{owner}]")
    if kind == "kubernetes.io/basic-auth" and "username" not in data and "password" not in data:
        yield required("data[username]")
        yield required("data[password]")
    for key in _SECRET_KEYS.get(kind, ()):
        if key not in data or (kind.endswith("ssh-auth") and not data[key]):
            yield required(f"data[{key}]")
        elif key.startswith(".docker"):
            yield from _json_object(data[key], f"data[{key}]")


def _json_object(text: str, path: str) -> Errors:
    wrong = "json: cannot unmarshal into Go value of type map[string]interface {}"
    try:
        if isinstance(json.loads(base64.b64decode(text)), dict | None):
            return
    except (ValueError, RecursionError) as error:
        wrong = str(error)
    yield invalid(path, "<secret contents redacted>", wrong)


def _secret_update(new: Object, old: Object) -> Errors:
    yield from unchanged(new, old, "", "type")
    yield from _still_immutable(new, old)


_LIMITS = (("reportingInstance", 128), ("action", 128), ("reason", 128), ("message", 1024))
_AS_CORE = {
    "regarding": "involvedObject",
    "note": "message",
    "reportingController": "reportingComponent",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
}


def _event(event: Object, controller: str = "reportingComponent") -> Errors:
    about = (event.get("involvedObject") or NOTHING).get("namespace", "")
    namespace = namespace_of(event)
    modern = bool(event.get("eventTime"))
    elsewhere = not modern and about != namespace
    if elsewhere if about else namespace not in ("", "default", *(("kube-system",) if modern else ())):
        yield invalid("involvedObject.namespace", about, "does not match event.namespace")
    if not modern:
        return
    reporter = event.get("reportingComponent", "")
    if not reporter:
        yield required(controller)
    yield from each(reporter, controller, names.is_qualified_name)
    for key, limit in _LIMITS:
        text = event.get(key, "")
        if not text and key != "message":
            yield required(key)
        if len(text.encode()) > limit:
            yield invalid(key, "", f"can have at most {limit} characters")


def _new_style(event: Object) -> Object:
    """An events.k8s.io Event with core's names of fields, which upstream's errors use."""
    return {_AS_CORE.get(key, key): value for key, value in event.items()}


def _events_event(given: Object) -> Errors:
    event = _new_style(given)
    yield from _event(event, "reportingController")
    yield from _series(event)
    if not event.get("eventTime"):
        yield required("eventTime")
    if event.get("type") not in ("Normal", "Warning"):
        yield invalid("type", "", f"has invalid value: {event.get('type', '')}")
    for key in ("firstTimestamp", "lastTimestamp", "count", "source"):
        if event.get(key):
            yield invalid(key, "", "needs to be unset")


def _series(event: Mapping[str, Any]) -> Errors:
    series = event.get("series")
    if series is not None:
        if series.get("count", 0) < 2:
            yield invalid("series.count", "", "should be at least 2")
        if not series.get("lastObservedTime"):
            yield required("series.lastObservedTime")


def _events_update(given: Object, old_given: Object) -> Errors:
    event, old = _new_style(given), _new_style(old_given)
    yield from _event(event, "reportingController")
    if event.get("series") != old.get("series"):
        yield from _series(event)
    fixed = ("involvedObject", "reason", "message", "source", "firstTimestamp", "lastTimestamp", "count", "type")
    yield from unchanged(event, old, "", *fixed, "eventTime", "action", "related", "reportingInstance")
    if event.get("reportingComponent") != old.get("reportingComponent"):
        yield invalid("reportingController", event.get("reportingComponent"), IMMUTABLE)


def _lease(lease: Object) -> Errors:
    spec = spec_of(lease)
    seconds, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if seconds is not None and seconds <= 0:
        yield invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0")
    if transitions is not None and transitions < 0:
        yield invalid("spec.leaseTransitions", transitions, "must be greater than or equal to 0")
    if spec.get("preferredHolder") and not spec.get("strategy"):
        yield field_forbidden("spec.preferredHolder", "may only be specified if `strategy` is defined")


def _priority_class(priority: Object) -> Errors:
    name, value = name_of(priority), priority.get("value", 0)
    if name.startswith("system-"):
        why = ""
        if name not in _SYSTEM_CLASSES:
            why = f"{name} is not a known system priority class"
        elif value != _SYSTEM_CLASSES[name]:
            why = f"value of {name} PriorityClass must be {_SYSTEM_CLASSES[name]}"
        elif priority.get("globalDefault"):
            why = f"globalDefault of {name} PriorityClass must be false"
        if why:
            reserved = "priority class names with 'system-' prefix are reserved for system use only. error: "
            yield field_forbidden("metadata.name", reserved + why)
    elif value > _USER_PRIORITY:
        yield field_forbidden("value", f"maximum allowed value of a user defined priority is {_USER_PRIORITY}")
    yield from one_of(priority, "preemptionPolicy", "", ("Never", "PreemptLowerPriority"))


def _priority_class_update(new: Object, old: Object) -> Errors:
    if new.get("value", 0) != old.get("value", 0):
        yield field_forbidden("value", "may not be changed in an update.")
    yield from unchanged(new, old, "", "preemptionPolicy")


def _runtime_class(runtime: Object) -> Errors:
    yield from each(runtime.get("handler", ""), "handler", names.is_dns1123_label)
    overhead, scheduling = runtime.get("overhead") or NOTHING, runtime.get("scheduling") or NOTHING
    yield from validate_resources({"limits": overhead.get("podFixed")}, "overhead")
    yield from validate_labels(scheduling.get("nodeSelector") or NOTHING, "scheduling.nodeSelector")
    yield from validate_tolerations(scheduling.get("tolerations") or (), "scheduling.tolerations")


def _signing_request(request: Object) -> Errors:
    spec = spec_of(request)
    pem, usages, signer = spec.get("request", ""), spec.get("usages") or [], spec.get("signerName", "")
    if b"-----BEGIN CERTIFICATE REQUEST-----" not in base64.b64decode(pem):
        yield invalid("spec.request", pem, "PEM block type must be CERTIFICATE REQUEST")
    if not usages:
        yield required("spec.usages")
    for index, usage in enumerate(usages):
        if usage not in USAGES:
            yield not_supported(f"spec.usages[{index}]", usage, sorted(USAGES))
        if usage in usages[:index]:
            yield duplicate(f"spec.usages[{index}]", usage)
    domain, slash, rest = signer.partition("/")
    if not signer:
        yield required("spec.signerName")
    elif not slash or not rest or "." not in domain or names.is_dns1123_subdomain(domain):
        yield invalid(
            "spec.signerName", signer, "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        )
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < 600:
        why = "may not specify a duration less than 600 seconds (10 minutes)"
        yield invalid("spec.expirationSeconds", seconds, why)


def _conditions_of(request: Object, kind: str = "") -> list[Object]:
    found = status_of(request).get("conditions") or []
    return [condition for condition in found if condition.get("type") == kind] if kind else found


def _request_conditions(request: Object) -> Errors:
    met: set[str] = set()
    for i, condition in enumerate(_conditions_of(request)):
        path, kind, status = f"status.conditions[{i}]", condition.get("type", ""), condition.get("status", "")
        allowed = ("True",) if kind in ("Approved", "Denied", "Failed") else ("False", "True", "Unknown")
        if not kind:
            yield required(f"{path}.type")
        if not status:
            yield required(f"{path}.status")
        elif status not in allowed:
            yield not_supported(f"{path}.status", status, allowed)
        if {kind, *met} >= {"Approved", "Denied"} and kind in ("Approved", "Denied"):
            yield invalid(f"{path}.type", kind, "Approved and Denied conditions are mutually exclusive")
        if kind in met:
            yield duplicate(f"{path}.type", kind)
        met.add(kind)


def _kept_conditions(new: Object, old: Object) -> Errors:
    yield from _request_conditions(new)
    for kind in ("Approved", "Denied", "Failed"):
        if len(_conditions_of(new, kind)) < len(_conditions_of(old, kind)):
            yield field_forbidden("status.conditions", f'updates may not remove a condition of type "{kind}"')


def validate_approval(new: Object, old: Object) -> list[FieldError]:
    """Of a CertificateSigningRequest through its subresource `approval`."""
    return [*validate_object_meta_update(metadata_of(new), metadata_of(old)), *_kept_conditions(new, old)]


def _issued(new: Object, old: Object) -> Errors:
    """Whoever signs neither approves nor signs twice."""
    yield from _kept_conditions(new, old)
    for kind in ("Approved", "Denied"):
        after, before = _conditions_of(new, kind), _conditions_of(old, kind)
        if len(after) > len(before):
            yield field_forbidden("status.conditions", f'updates may not add a condition of type "{kind}"')
        elif len(after) == len(before) and after != before:
            yield field_forbidden("status.conditions", f'updates may not modify a condition of type "{kind}"')
    signed = status_of(old).get("certificate")
    if signed and status_of(new).get("certificate") != signed:
        yield field_forbidden("status.certificate", "updates may not modify existing certificate content")


RULES: dict[tuple[str, str], Rules] = {
    ("", "Namespace"): rules(
        _namespace, None, _namespace_status, namespaced=False, name=name_is_dns_label, recheck=False
    ),
    ("", "Node"): rules(_new_node, _node_update, _node_update, namespaced=False, recheck=False),
    ("", "ConfigMap"): rules(_config_map, _still_immutable),
    ("", "Secret"): rules(_secret, _secret_update),
    ("", "ServiceAccount"): rules(),
    ("", "ComponentStatus"): rules(namespaced=False),
    # A core/v1 Event's name was never looked at.
    ("", "Event"): rules(_event, name=name_is_path_segment),
    ("events.k8s.io", "Event"): rules(_events_event, _events_update, recheck=False),
    ("coordination.k8s.io", "Lease"): rules(_lease),
    ("scheduling.k8s.io", "PriorityClass"): rules(_priority_class, _priority_class_update, namespaced=False),
    ("node.k8s.io", "RuntimeClass"): rules(
        _runtime_class, lambda new, old: unchanged(new, old, "", "handler"), namespaced=False
    ),
    ("certificates.k8s.io", "CertificateSigningRequest"): rules(
        _signing_request,
        lambda new, old: unchanged(new, old, "", "spec"),
        _issued,
        namespaced=False,
        name=name_is_path_segment,
    ),
}
