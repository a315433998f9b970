"""Defaults of Pods and of Pod templates, which get most of them: a template's Pods get the rest when they are created.

Called through `refkube.api.defaults` and by the defaults of kinds with a template. A tree of `shape`s says what is
filled in where. What a template's Pods share they go on sharing: results are kept by the identity of the spec.
Facts: kubernetes/pkg/apis/core/v1/defaults.go, zz_generated.defaults.go (1.36); component-helpers/resource.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from refkube.api.resources import aggregate, supported_for_pods
from refkube.apimachinery.meta import Object
from refkube.apimachinery.quantity import Quantity, parse

Default = Callable[[Any], Any]
_NONE: Mapping[str, Any] = {}
_KEPT_SPECS = 4096

_templates: dict[int, tuple[Object, Object]] = {}
_pods: dict[int, tuple[Object, Object]] = {}


def default_pod(pod: Object) -> Object:
    """A Pod with all its defaults."""
    spec = pod.get("spec")
    if spec is None:
        return pod
    new = _kept(_pods, spec, _pod_spec)
    return pod if new is spec else {**pod, "spec": new}


def default_pod_template_spec(template: Object) -> Object:
    """The template inside a Deployment, a Job and so on (a PodTemplateSpec)."""
    spec = template.get("spec")
    new = default_pod_spec({}) if spec is None else _kept(_templates, spec, default_pod_spec)
    made = template if new is spec else {**template, "spec": new}
    return made if "metadata" in made else {"metadata": {}, **made}


def default_pod_spec(spec: Object) -> Object:
    """What a template's spec gets, and a Pod's too."""
    spec = _SPEC(spec)
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account and not spec.get("serviceAccount") == spec.get("serviceAccountName") == account:
        spec = {**spec, "serviceAccountName": account, "serviceAccount": account}
    return spec


def shape(
    parts: Mapping[str, Default] = _NONE, unset: Mapping[str, Any] = _NONE, absent: Mapping[str, Any] = _NONE
) -> Default:
    """The defaults of an object: those of its `parts`, values for what is `unset` (empty counts), or `absent`."""

    def apply(obj: Object) -> Object:
        changes = {key: value for key, value in unset.items() if not obj.get(key)}
        for key, value in absent.items():
            if key not in obj:
                changes[key] = value
        for key, part in parts.items():
            if key in obj:
                given = obj[key]
                made = part(given)
                if made is not given:
                    changes[key] = made
        return {**obj, **changes} if changes else obj

    return apply


def items(part: Default) -> Default:
    def apply(listed: list[Any]) -> list[Any]:
        made = [part(item) for item in listed]
        return made if any(new is not old for new, old in zip(made, listed, strict=True)) else listed

    return apply


def quantities(listed: Mapping[str, Any]) -> Mapping[str, Any]:
    """A ResourceList as the server writes it: canonical, and rounded up to thousandths."""
    changes = {name: text for name, amount in listed.items() if (text := _in_thousandths(amount)) != amount}
    return {**listed, **changes} if changes else listed


@lru_cache(maxsize=4096)
def _in_thousandths(amount: str | int | float) -> str:
    exact = parse(amount)
    rounded = Quantity(exact.milli_value(), -3, exact.format)
    return str(exact if exact == rounded else rounded)


_REFERENCE = re.compile(  # github.com/distribution/reference: a domain, a path, a tag, a digest
    r"(?P<path>(?:[a-zA-Z0-9](?:[\w.-]*[a-zA-Z0-9])?(?::\d+)?/)?"
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?P<digest>@[A-Za-z][\w.+-]*:[0-9a-fA-F]{32,})?",
    re.ASCII,
)


@lru_cache(maxsize=1024)
def pull_policy(image: str) -> str:
    """Always for the tag "latest", said or meant."""
    found = _REFERENCE.fullmatch(image)
    if found and (len(found["path"]) > 255 or re.fullmatch("[0-9a-f]{64}", image)):
        found = None
    tag = found and (found["tag"] or ("" if found["digest"] else "latest"))
    return "Always" if tag == "latest" else "IfNotPresent"


def _container(container: Object) -> Object:
    container = _CONTAINER(container)
    if not container.get("imagePullPolicy"):
        container = {**container, "imagePullPolicy": pull_policy(container.get("image", ""))}
    return container


def _volume(volume: Object) -> Object:
    return _VOLUME(volume) if len(volume) > 1 else {**volume, "emptyDir": {}}


def _image_volume(source: Object) -> Object:
    return source if source.get("pullPolicy") else {**source, "pullPolicy": pull_policy(source.get("reference", ""))}


def _pod_spec(spec: Object) -> Object:
    """Beyond a template's: requests from limits, ports of the host."""
    on_host = spec.get("hostNetwork")
    for key in ("containers", "initContainers"):
        if key in spec:
            made = items(_on_host if on_host else _requesting)(spec[key])
            spec = spec if made is spec[key] else {**spec, key: made}
    if spec.get("resources"):
        spec = {**spec, "resources": _pod_resources(spec)}
    if "enableServiceLinks" not in spec:
        spec = {**spec, "enableServiceLinks": True}
    if spec.get("terminationGracePeriodSeconds", 0) < 0:
        spec = {**spec, "terminationGracePeriodSeconds": 1}
    return default_pod_spec(spec)


def _requesting(container: Object) -> Object:
    resources = container.get("resources") or _NONE
    limits, requests = resources.get("limits"), resources.get("requests") or _NONE
    if not limits or limits.keys() <= requests.keys():
        return container
    return {**container, "resources": {**resources, "requests": {**limits, **requests}}}


def _on_host(container: Object) -> Object:
    return _HOST_PORTS(_requesting(container))


def _host_port(port: Object) -> Object:
    return port if port.get("hostPort") else {**port, "hostPort": port.get("containerPort")}


def _pod_resources(spec: Object) -> Object:
    """The Pod's own requests and limits, from its containers' where it has only one of the two."""
    resources = spec["resources"]
    limits, requests = dict(resources.get("limits") or _NONE), dict(resources.get("requests") or _NONE)
    limited = aggregate(spec, "limits") if limits or requests else {}
    for name, amount in limited.items():
        if name.startswith("hugepages-") and name not in requests:
            limits.setdefault(name, str(amount))
    if limits:
        for name, amount in aggregate(spec, "requests").items():
            if name in ("cpu", "memory"):
                requests.setdefault(name, str(amount))
        for name, amount in limits.items():
            if supported_for_pods(name):
                requests.setdefault(name, amount)
    elif requests:
        containers = [*spec.get("containers", ()), *spec.get("initContainers", ())]
        for name in ("cpu", "memory"):
            if name in limited and all(name in (c.get("resources") or _NONE).get("limits", ()) for c in containers):
                limits[name] = str(limited[name])
    return {**resources, **({"limits": limits} if limits else {}), **({"requests": requests} if requests else {})}


def _kept(kept: dict[int, tuple[Object, Object]], spec: Object, make: Default) -> Object:
    known = kept.get(id(spec))
    if known and known[0] is spec:
        return known[1]
    if len(kept) >= _KEPT_SPECS:
        kept.clear()
    made = make(spec)
    # What is made comes back with the next update.
    kept[id(spec)], kept[id(made)] = (spec, made), (made, made)
    return made


_FIELD_REF = shape(unset={"apiVersion": "v1"})
_REFS: dict[str, Default] = {
    "fieldRef": _FIELD_REF,
    "resourceFieldRef": shape(unset={"divisor": "0"}),
}
_RESOURCES = shape({"limits": quantities, "requests": quantities})
_HTTP_GET = shape(unset={"path": "/", "scheme": "HTTP"})
_PROBE = shape(
    {"httpGet": _HTTP_GET, "grpc": shape(absent={"service": ""})},
    unset={"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3},
)
_HOOK = shape({"httpGet": _HTTP_GET})
_CONTAINER = shape(
    {
        "ports": items(shape(unset={"protocol": "TCP"})),
        "env": items(shape({"valueFrom": shape(_REFS)})),
        "resources": _RESOURCES,
        "livenessProbe": _PROBE,
        "readinessProbe": _PROBE,
        "startupProbe": _PROBE,
        "lifecycle": shape({"postStart": _HOOK, "preStop": _HOOK}),
    },
    unset={"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"},
    absent={"resources": {}},
)
_HOST_PORTS = shape({"ports": items(_host_port)})
_MODE = {"defaultMode": 0o644}
_DOWNWARD_ITEMS = items(shape(_REFS))
_PROJECTION = shape(
    {
        "downwardAPI": shape({"items": _DOWNWARD_ITEMS}),
        "serviceAccountToken": shape(absent={"expirationSeconds": 3600}),
    }
)
CLAIM_SPEC = shape({"resources": _RESOURCES}, absent={"volumeMode": "Filesystem"})
_VOLUME = shape(
    {
        "hostPath": shape(absent={"type": ""}),
        "secret": shape(absent=_MODE),
        "configMap": shape(absent=_MODE),
        "downwardAPI": shape({"items": _DOWNWARD_ITEMS}, absent=_MODE),
        "projected": shape({"sources": items(_PROJECTION)}, absent=_MODE),
        "iscsi": shape(unset={"iscsiInterface": "default"}),
        "rbd": shape(unset={"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"}),
        "azureDisk": shape(absent={"cachingMode": "ReadWrite", "kind": "Shared", "fsType": "ext4", "readOnly": False}),
        "scaleIO": shape(unset={"storageMode": "ThinProvisioned", "fsType": "xfs"}),
        "ephemeral": shape({"volumeClaimTemplate": shape({"spec": CLAIM_SPEC})}),
        "image": _image_volume,
    }
)
_SPEC = shape(
    {
        "volumes": items(_volume),
        "initContainers": items(_container),
        "containers": items(_container),
        "ephemeralContainers": items(_container),
        "overhead": quantities,
        "resources": _RESOURCES,
    },
    unset={"dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "schedulerName": "default-scheduler"},
    absent={"securityContext": {}, "terminationGracePeriodSeconds": 30},
)

DEFAULTS: dict[tuple[str, str], Default] = {
    ("", "Pod"): default_pod,
    ("", "PodTemplate"): shape({"template": default_pod_template_spec}),
}
