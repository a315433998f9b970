"""Validation of what a cluster is made of: namespaces, nodes, configuration, events, leases, classes, signing requests.

Facts: kubernetes/pkg/apis/core/validation (validation.go, events.go), pkg/apis/{coordination,scheduling,node,
certificates}/validation. A Secret is validated after the registry has merged stringData into data. Left out: a node's
configSource (no kubelet reads it), a certificate request's content beyond its outer form.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from ipaddress import ip_network

from refkube.api.validation import common, objectmeta, podspec
from refkube.api.validation.common import CIDR, CONFIG_KEY, QUALIFIED, quantity_faults
from refkube.api.validation.objectmeta import validate_object_meta_update
from refkube.api.validation.podspec import validate_resources
from refkube.api.validation.rules import NOTHING, Errors, below, first_told, rules, status_of, tables, text, told
from refkube.apimachinery import meta, names
from refkube.apimachinery.errors import (
    FieldError,
    duplicate,
    field_forbidden,
    invalid,
    not_supported,
    required,
    too_long,
)  # fmt: skip
from refkube.apimachinery.meta import Object, annotations_of, metadata_of, name_of, namespace_of

MAX_BYTES = 1 << 20
USAGES = tuple(sorted({
    "signing", "digital signature", "content commitment", "key encipherment", "key agreement", "data encipherment",
    "cert sign", "crl sign", "encipher only", "decipher only", "any", "server auth", "client auth", "code signing",
    "email protection", "s/mime", "ipsec end system", "ipsec tunnel", "ipsec user", "timestamping", "ocsp signing",
    "microsoft sgc", "netscape sgc",
}))  # fmt: skip
SYSTEM_CLASSES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
_USER_PRIORITY = 1_000_000_000

# Nodes


def _taints(taints: list[Object], *_: object) -> Errors:
    seen = set()
    for index, taint in enumerate(taints):
        here, pair = f"[{index}]", (taint.get("key", ""), taint.get("effect", ""))
        yield from below(here, TABLES["Taint"](taint))
        if pair in seen:
            shown = duplicate(here, taint)
            yield shown._replace(message=f"{shown.message}: taints must be unique by key and effect pair")
        seen.add(pair)


def _amounts(amounts: Object, *_: object) -> Errors:
    """Upstream tells them as if they were fields."""
    for name, amount in amounts.items():
        if faults := quantity_faults(amount, name):
            yield from below(f".{name}", faults)


def _pod_cidrs(cidrs: list[str], *_: object) -> Errors:
    faults = [error for index, cidr in enumerate(cidrs) for error in below(f"[{index}]", CIDR(cidr))]
    several = not faults and len({ip_network(cidr).version for cidr in cidrs}) < len(cidrs)
    yield from faults
    yield from told((several, invalid, "", cidrs, "may specify no more than one CIDR for each IP family"))
    yield from _again(cidrs)


def _again(listed: Sequence[object], *_: object) -> Errors:
    for index, item in enumerate(listed):
        if item in listed[:index]:
            yield duplicate(f"[{index}]", item)


# Configuration


def _config_map(config: Object, *_: object) -> Errors:
    data, binary = config.get("data") or NOTHING, config.get("binaryData") or NOTHING
    for key in data:
        yield from below(f"data[{key}]", CONFIG_KEY(key))
        if key in binary:
            yield invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
    for key in binary:
        yield from below(f"binaryData[{key}]", CONFIG_KEY(key))
    if sum(len(text.encode()) for text in data.values()) + sum(map(_decoded_size, binary.values())) > MAX_BYTES:
        yield too_long("[]", MAX_BYTES)  # a path without a name, as upstream prints it


def _decoded_size(text: str) -> int:
    return len(text) * 3 // 4 - text[-2:].count("=")


_SECRET_KEYS: dict[str, tuple[str, ...]] = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}


def _secret(secret: Object, *_: object) -> Errors:
    kind, data, owner = secret.get("type", ""), secret.get("data") or {}, "kubernetes.io/service-account.name"
    for key in data:
        yield from below(f"data[{key}]", CONFIG_KEY(key))
    account = kind == "kubernetes.io/service-account-token" and not annotations_of(secret).get(owner)
    nobody = kind == "kubernetes.io/basic-auth" and "username" not in data and "password" not in data
    yield from told(
        (sum(map(_decoded_size, data.values())) > MAX_BYTES, too_long, "data", MAX_BYTES),
        (account, required, f"metadata.annotations[{owner}]"),
        (nobody, required, "data[username]"),
        (nobody, required, "data[password]"),
    )
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


_LIMITS = (("reportingInstance", 128), ("action", 128), ("reason", 128), ("message", 1024))


def _event(event: Object, *_: object, controller: str = "reportingComponent") -> Errors:
    about = (event.get("involvedObject") or NOTHING).get("namespace", "")
    namespace = namespace_of(event)
    modern = bool(event.get("eventTime"))
    elsewhere = not modern and about != namespace
    if elsewhere if about else namespace not in ("", "default", *(("kube-system",) if modern else ())):
        yield invalid("involvedObject.namespace", about, "does not match event.namespace")
    if not modern:
        return
    reporter = event.get("reportingComponent", "")
    yield from told((not reporter, required, controller))
    yield from below(controller, QUALIFIED(reporter))
    for key, limit in _LIMITS:
        text = event.get(key, "")
        yield from told(
            (not text and key != "message", required, key),
            (len(text.encode()) > limit, invalid, key, "", f"can have at most {limit} characters"),
        )


def _modern_event(event: Object, *_: object) -> Errors:
    return _event(event, controller="reportingController")


# Signing requests


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


def _issued(new: Object, old: Object, *_: object) -> Errors:
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


def is_request(pem: str) -> bool:
    return b"-----BEGIN CERTIFICATE REQUEST-----" in base64.b64decode(pem)


@text
def signer(name: str) -> list[str]:
    domain, slash, rest = name.partition("/")
    wrong = not slash or not rest or "." not in domain or names.is_dns1123_subdomain(domain)
    return ["must be a fully qualified domain and path of the form 'example.com/signer-name'"] if wrong else []


def _overhead(overhead: Object, *_: object) -> list[FieldError]:
    return validate_resources({"limits": overhead.get("podFixed")})


def _priority_class(priority: Object, *_: object) -> Iterable[FieldError]:
    name, value = name_of(priority), priority.get("value", 0)
    if not name.startswith("system-"):
        why = f"maximum allowed value of a user defined priority is {_USER_PRIORITY}"
        return told((value > _USER_PRIORITY, field_forbidden, "value", why))
    right = SYSTEM_CLASSES.get(name)
    reserved = "priority class names with 'system-' prefix are reserved for system use only. error: "
    return first_told(
        (right is None, field_forbidden, "metadata.name", f"{reserved}{name} is not a known system priority class"),
        (value != right, field_forbidden, "metadata.name", f"{reserved}value of {name} PriorityClass must be {right}"),
        (
            *(priority.get("globalDefault"), field_forbidden, "metadata.name"),
            f"{reserved}globalDefault of {name} PriorityClass must be false",
        ),
    )


TABLES = tables(r"""
/Namespace create
  spec.finalizers[.]    QUALIFIED
    .                   standard_or_qualified
/Namespace status
  status.phase          default "" invalid if v != "Terminating" and is_terminating(o) at ".status.Phase" \
                        -- may only be 'Terminating' if `deletionTimestamp` is not empty
  status.phase          default "" invalid if v != "Active" and not is_terminating(o) at ".status.Phase" \
                        -- may only be 'Active' if `deletionTimestamp` is empty

Node
  spec.taints           taints at ".metadata.taints"
  status.capacity, status.allocatable  amounts
/Node create
  .                     Node
  spec.podCIDRs         pod_cidrs
/Node update, /Node status
  .                     Node
  status.addresses      again
  spec.podCIDRs         always forbidden if w and v != w -- node updates may not change podCIDR except from "" to valid
  spec.providerID  always forbidden if w and v != w -- node updates may not change providerID except from "" to valid

Taint
  key                   default "" QUALIFIED
  value                 plain_value
  effect                required in TAINT_EFFECTS

/ConfigMap
  .                     config_map
/ConfigMap update
  .                     StillImmutable if old.immutable
/Secret
  .                     secret
/Secret update
  type                  immutable
  .                     StillImmutable if old.immutable

StillImmutable
  immutable             always forbidden if not v -- field is immutable when `immutable` is set
  data, binaryData      immutable -- field is immutable when `immutable` is set

/Event
  .                     event

# With core's names of the fields, as they are stored, but for one in what is told.
events.k8s.io/Event create
  .                     modern_event
  series                given Series
  eventTime             required
  type                  always invalid "" if v not in ("Normal", "Warning") -- has invalid value: {v or ""}
  firstTimestamp, lastTimestamp, count, source  invalid "" -- needs to be unset
events.k8s.io/Event update
  .                     modern_event
  series                given Series if v != w
  involvedObject, reason, message, source, firstTimestamp, lastTimestamp, count, type  immutable
  eventTime, action, related, reportingInstance  immutable
  reportingComponent    immutable at ".reportingController"

Series
  count                 default 0 invalid "" if v < 2 -- should be at least 2
  lastObservedTime      required

coordination.k8s.io/Lease
  spec
    leaseDurationSeconds  given > 0
    leaseTransitions    >= 0

scheduling.k8s.io/PriorityClass
  .                     priority_class
  preemptionPolicy      in Never PreemptLowerPriority
scheduling.k8s.io/PriorityClass update
  value                 always forbidden if (v or 0) != (w or 0) -- may not be changed in an update.
  preemptionPolicy      immutable

node.k8s.io/RuntimeClass
  handler               required LABEL
  overhead              overhead
  scheduling
    nodeSelector        validate_labels
    tolerations[]       Toleration
node.k8s.io/RuntimeClass update
  handler               immutable

certificates.k8s.io/CertificateSigningRequest
  spec                  default NOTHING
    request             default "" invalid if not is_request(v) -- PEM block type must be CERTIFICATE REQUEST
    usages              required
    usages[]            in USAGES
      .                 unique
    signerName          required signer
    expirationSeconds   given invalid if v < 600 -- may not specify a duration less than 600 seconds (10 minutes)
certificates.k8s.io/CertificateSigningRequest update
  spec                  immutable
certificates.k8s.io/CertificateSigningRequest status
  .                     issued
""", globals(), vars(common), vars(objectmeta), vars(podspec), vars(meta))  # fmt: skip
RULES = rules(TABLES)
