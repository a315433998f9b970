"""What a valid object is warned of when it is written: fields that do nothing, that hide one another, that surprise.

Called by the API server's pipeline once an object has passed validation. Facts: pkg/api/{pod,service,job,
persistentvolume,persistentvolumeclaim}/warnings.go and util.go, WarningsOnCreate and WarningsOnUpdate of the
strategies. Left out: addresses in forms that are not canonical, paths that overlap in a volume, AppArmor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from refkube.apimachinery import names
from refkube.apimachinery.meta import Object, annotations_of, get_path, name_of
from refkube.apimachinery.quantity import parse

Warnings = Iterator[str]

_NODE_LABELS = {
    "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
    "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
    "failure-domain.beta.kubernetes.io/region": 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
    "failure-domain.beta.kubernetes.io/zone": 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
    "beta.kubernetes.io/instance-type": 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
    "app.kubernetes.io/created-by": "deprecated since v1.9",
    "scheduler.alpha.kubernetes.io/preferAvoidPods": "deprecated since v1.22; use Taints and Tolerations instead",
    "node-role.kubernetes.io/master": 'use "node-role.kubernetes.io/control-plane" instead',
}
_ANNOTATIONS = {
    "scheduler.alpha.kubernetes.io/critical-pod": 'non-functional in v1.16+; use the "priorityClassName" field instead',
    "security.alpha.kubernetes.io/sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
    "security.alpha.kubernetes.io/unsafe-sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
}
_VOLUMES = {
    "photonPersistentDisk": "deprecated in v1.11, non-functional in v1.16+",
    "gitRepo": "deprecated in v1.11, and disabled by default in v1.33+",
    "scaleIO": "deprecated in v1.16, non-functional in v1.22+",
    "flocker": "deprecated in v1.22, non-functional in v1.25+",
    "storageos": "deprecated in v1.22, non-functional in v1.25+",
    "quobyte": "deprecated in v1.22, non-functional in v1.25+",
    "glusterfs": "deprecated in v1.25, non-functional in v1.26+",
    "cephfs": "deprecated in v1.28, non-functional in v1.31+",
    "rbd": "deprecated in v1.28, non-functional in v1.31+",
}
_SURPRISING = "which can result in surprising behavior; a DNS label is recommended"
_EVERYTHING_KEPT = "a negative value retains all historical revisions; a value >= 0 is recommended"
_AS_ONE = "invalid and will be treated as 1"
_TEMPLATES = {
    ("", "PodTemplate"): "template",
    ("", "ReplicationController"): "spec.template",
    ("apps", "ReplicaSet"): "spec.template",
    ("apps", "Deployment"): "spec.template",
    ("apps", "StatefulSet"): "spec.template",
    ("apps", "DaemonSet"): "spec.template",
    ("batch", "Job"): "spec.template",
    ("batch", "CronJob"): "spec.jobTemplate.spec.template",
}
_NAMES_PODS = {("", "ReplicationController"), ("apps", "ReplicaSet"), ("apps", "Deployment"), ("batch", "Job")}
_NAMES_PODS.add(("batch", "CronJob"))


def warnings_of(group: str, kind: str, new: Object, old: Object | None) -> list[str]:
    """Of an object that is created, or changed from `old`; in the kind's stored version."""
    key = (group, kind)
    found: list[str] = []
    if old is None and (key in _NAMES_PODS or kind == "Pod") and (faults := names.is_dns1123_label(name_of(new))):
        where = "in the Pod's hostname" if kind == "Pod" else "in Pod names and hostnames"
        found.append(f"metadata.name: this is used {where}, {_SURPRISING}: [{' '.join(faults)}]")
    if kind == "Pod" and old is None:  # who changes a Pod is seldom a human
        found += _of_pod(new, "")
    elif key in _TEMPLATES:
        path = _TEMPLATES[key]
        template = get_path(new, *path.split("."))
        if template and (old is None or template != get_path(old, *path.split("."))):
            found += _of_pod(template, f"{path}.")
    if key in _KINDS:
        found += _KINDS[key](new)
    return found


def _of_pod(pod: Object, at: str) -> Warnings:
    spec, notes = pod.get("spec") or {}, annotations_of(pod)
    yield from _of_labels(spec.get("nodeSelector") or {}, f"{at}spec.nodeSelector")
    for i, spread in enumerate(spec.get("topologySpreadConstraints") or ()):
        here, topology = f"{at}spec.topologySpreadConstraints[{i}]", spread.get("topologyKey", "")
        if topology in _NODE_LABELS:
            yield f"{here}.topologyKey: {topology} is {_NODE_LABELS[topology]}"
        if spread.get("labelSelector") is None:
            yield f"{here}.labelSelector: a null labelSelector results in matching no pod"
    for key, why in _ANNOTATIONS.items():
        if key in notes:
            yield f"{at}metadata.annotations[{key}]: {why}"
    for i, volume in enumerate(spec.get("volumes") or ()):
        yield from _of_volume(volume, f"{at}spec.volumes[{i}]")
    yield from _twice(spec.get("hostAliases") or (), "ip", f"{at}spec.hostAliases")
    yield from _twice(spec.get("imagePullSecrets") or (), "name", f"{at}spec.imagePullSecrets")
    for i, secret in enumerate(spec.get("imagePullSecrets") or ()):
        if not secret.get("name"):
            yield f'{at}spec.imagePullSecrets[{i}].name: invalid empty name ""'
    yield from _fractions(spec.get("overhead") or {}, f"{at}spec.overhead")
    containers = _containers(spec, f"{at}spec")
    for path, container in containers:
        resources = container.get("resources") or {}
        for part in ("limits", "requests"):
            yield from _fractions(resources.get(part) or {}, f"{path}.resources.{part}")
        yield from _of_variables(container.get("env") or (), f"{path}.env")
    yield from _of_ports(containers)
    if (spec.get("terminationGracePeriodSeconds") or 0) < 0 and at:
        yield f"{at}spec.terminationGracePeriodSeconds: must be >= 0; negative values are {_AS_ONE}"
    for kind in ("podAffinity", "podAntiAffinity"):
        yield from _of_affinity(get_path(spec, "affinity", kind) or {}, f"{at}spec.affinity.{kind}")


def _containers(spec: Object, at: str) -> list[tuple[str, Object]]:
    parts = ("initContainers", "containers", "ephemeralContainers")
    return [(f"{at}.{part}[{i}]", container) for part in parts for i, container in enumerate(spec.get(part) or ())]


def _of_labels(labels: Object, at: str) -> Warnings:
    for key in labels:
        if key in _NODE_LABELS:
            yield f"{at}[{key}]: {_NODE_LABELS[key]}"


def _of_volume(volume: Object, at: str) -> Warnings:
    for kind, why in _VOLUMES.items():
        if volume.get(kind) is not None:
            yield f"{at}.{'storageOS' if kind == 'storageos' else kind}: {why}"
    claim = get_path(volume, "ephemeral", "volumeClaimTemplate", "spec")
    if claim:
        yield from _of_claim_spec(claim, f"{at}.ephemeral.volumeClaimTemplate.spec")


def _twice(listed: Any, key: str, at: str) -> Warnings:
    met: set[str] = set()
    for i, item in enumerate(listed):
        value = item.get(key, "")
        if value in met:
            yield f'{at}[{i}].{key}: duplicate {key} "{value}"'
        met.add(value)


def _fractions(amounts: Object, at: str, of: tuple[str, ...] = ("memory", "ephemeral-storage")) -> Warnings:
    for name in of:
        if name in amounts and parse(amounts[name]).milli_value() % 1000:
            yield f'{at}[{name}]: fractional byte value "{amounts[name]}" is invalid, must be an integer'


def _of_variables(variables: Any, at: str) -> Warnings:
    met: set[str] = set()
    for i, variable in enumerate(variables):
        name, value = variable["name"], variable.get("value", "")
        reference = f"$({name})"
        if name in met and (variable.get("valueFrom") or value == reference or reference not in value):
            yield f'{at}[{i}]: hides previous definition of "{name}", which may be dropped when using apply'
        met.add(name)


def _of_ports(containers: list[tuple[str, Object]]) -> Warnings:
    ports = [(f"{path}.ports[{i}]", port) for path, c in containers for i, port in enumerate(c.get("ports") or ())]
    met: dict[tuple[int, str], list[tuple[str, Object]]] = {}
    for path, port in ports:
        others = met.setdefault((port.get("containerPort", 0), port.get("protocol", "TCP")), [])
        for other, its in others:
            how = _conflict(port, its)
            if how:
                yield f"{path}: {how} port definition with {other}"
        others.append((path, port))
    named: dict[str, str] = {}
    for path, port in ports:
        name = port.get("name")
        if name in named:
            other = named[name]
            who = "services and probes that select ports by name will use"
            yield f'{path}: duplicate port name "{name}" with {other}, {who} {other}'
        elif name:
            named[name] = path


def _conflict(port: Object, other: Object) -> str:
    (mine, my_host), (its, its_host) = ((p.get("hostPort", 0), p.get("hostIP", "")) for p in (port, other))
    if mine == its and my_host == its_host:
        return "duplicate"
    if not mine or not its:
        return "overlapping"
    return "dangerously ambiguous" if mine == its and bool(my_host) != bool(its_host) else ""


def _of_affinity(affinity: Object, at: str) -> Warnings:
    for when, inner in (("required", ""), ("preferred", "podAffinityTerm")):
        key = f"{when}DuringSchedulingIgnoredDuringExecution"
        for i, term in enumerate(affinity.get(key) or ()):
            if (term.get(inner) if inner else term).get("labelSelector") is None:
                where = f"{at}.{key}[{i}].{f'{inner}.' if inner else ''}labelSelector"
                yield f"{where}: a null labelSelector results in matching no pod"


def _of_claim(claim: Object) -> Warnings:
    beta = "volume.beta.kubernetes.io/storage-class"
    if beta in annotations_of(claim):
        yield f'metadata.annotations[{beta}]: deprecated since v1.8; use "storageClassName" attribute instead'
    yield from _of_claim_spec(claim.get("spec") or {}, "spec")


def _of_claim_spec(spec: Object, at: str) -> Warnings:
    for part in ("requests", "limits"):
        yield from _fractions(get_path(spec, "resources", part) or {}, f"{at}.resources.{part}", ("storage",))


def _of_stateful_set(stateful_set: Object) -> Warnings:
    spec = stateful_set["spec"]
    for i, claim in enumerate(spec.get("volumeClaimTemplates") or ()):
        yield from _of_claim_spec(claim.get("spec") or {}, f"spec.volumeClaimTemplates[{i}]")
    if (spec.get("revisionHistoryLimit") or 0) < 0:
        yield f"spec.revisionHistoryLimit: {_EVERYTHING_KEPT}"


def _of_volume_object(volume: Object) -> Warnings:
    spec = volume.get("spec") or {}
    if spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        instead = "Instead, the recommended approach is to use dynamic provisioning."
        yield f"spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. {instead}"
    yield from _of_volume({key: value for key, value in spec.items() if key not in ("flocker", "quobyte")}, "spec")


def _of_service(service: Object) -> Warnings:
    spec = service.get("spec") or {}
    kind, external = spec.get("type"), bool(spec.get("externalIPs"))
    if kind == "ClusterIP" and spec.get("clusterIP") == "None":
        ignored = {"loadBalancerIP": spec.get("loadBalancerIP"), "externalIPs": external}
        ignored["SessionAffinity"] = spec.get("sessionAffinity") != "None"
        yield from (f"spec.{field} is ignored for headless services" for field, said in ignored.items() if said)
    elif external and kind != "ExternalName":
        yield "spec.externalIPs is deprecated and may no longer be implemented in some clusters"
    if kind == "ExternalName" and external:
        yield 'spec.externalIPs is ignored when spec.type is "ExternalName"'
    if kind != "ExternalName" and spec.get("externalName"):
        yield 'spec.externalName is ignored when spec.type is not "ExternalName"'
    if spec.get("trafficDistribution") == "PreferClose":
        yield 'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"'


def _of_node(node: Object) -> Warnings:
    if get_path(node, "spec", "externalID"):
        yield "spec.externalID: this field is deprecated, and is unused by Kubernetes"


_KINDS: dict[tuple[str, str], Callable[[Object], Warnings]] = {
    ("", "Node"): _of_node,
    ("", "Service"): _of_service,
    ("", "PersistentVolume"): _of_volume_object,
    ("", "PersistentVolumeClaim"): _of_claim,
    ("apps", "StatefulSet"): _of_stateful_set,
}
