"""Validation of Pods and of the templates that make them: what may be created, and what of it may still change.

Called by `refkube.api.validation` for Pods and PodTemplates, by the other kinds' rules for their templates, and by the
Pod's subresources. Facts: kubernetes/pkg/apis/core/validation/validation.go, ValidatePodCreate, ValidatePodUpdate and
theirs. A spec is validated once: Pods of one template share it, so results are kept by its identity.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from refkube.api.resources import is_sidecar, quality_of_service
from refkube.api.validation.common import NOTHING, Errors, each, same, spec_of, status_of
from refkube.api.validation.objectmeta import (
    Rules,
    name_is_dns_subdomain,
    validate_annotations,
    validate_immutable,
    validate_labels,
    validate_object_meta,
    validate_object_meta_update,
)
from refkube.api.validation.podspec import (
    MAX_INT32,
    containers_of,
    trimmed_image,
    validate_pod_spec,
)
from refkube.api.validation.volumes import validate_made_claims
from refkube.apimachinery import names
from refkube.apimachinery.errors import FieldError, duplicate, field_forbidden, invalid, required
from refkube.apimachinery.meta import Object, annotations_of, metadata_of, name_of

MIRROR = "kubernetes.io/config.mirror"
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
UPDATABLE = (
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
    "`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_KEPT_SPECS = 4096
# Fields whose false or zero means unset; elsewhere it is a value of its own.
_PLAIN = frozenset({"hostNetwork", "hostPID", "hostIPC", "stdin", "stdinOnce", "tty", "readOnly", "hostPort", "lun"})

_seen: dict[tuple[int, str], tuple[Object, tuple[FieldError, ...]]] = {}


def validate_pod(pod: Object) -> list[FieldError]:
    """A Pod to be created."""
    errors = _validate_whole(pod)
    spec = spec_of(pod)
    if spec.get("ephemeralContainers"):
        errors.append(field_forbidden("spec.ephemeralContainers", "cannot be set on create"))
    if spec.get("nodeName") and spec.get("schedulingGates"):
        errors.append(field_forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared"))
    return errors


def validate_pod_update(new: Object, old: Object) -> list[FieldError]:
    """A Pod's update through its main resource: metadata, images and little else."""
    errors = validate_object_meta_update(metadata_of(new), metadata_of(old))
    errors += _validate_whole(new)
    errors += _annotation_updates(new, old)
    to, since = spec_of(new), spec_of(old)
    if to is since:
        return errors
    for key in ("containers", "initContainers"):
        if len(to.get(key) or ()) != len(since.get(key) or ()):
            return [*errors, field_forbidden(f"spec.{key}", "pod updates may not add or remove containers")]
    errors += _deadline_update(to.get("activeDeadlineSeconds"), since.get("activeDeadlineSeconds"))
    errors += _only_added_tolerations(to.get("tolerations") or (), since.get("tolerations") or ())
    errors += _only_removed_gates(to.get("schedulingGates") or (), since.get("schedulingGates") or ())
    if since.get("schedulingGates"):
        errors += _tightened(to, since)
    changed = _changed(_as_before(to, since), since)
    if changed:
        shown = "\n".join(f"  {key}: {since.get(key)!r} -> {to.get(key)!r}" for key in changed)
        why = f"pod updates may not change fields other than {UPDATABLE}\n{shown}"
        errors.append(field_forbidden("spec", why))
    return errors


def validate_pod_status_update(new: Object, old: Object) -> list[FieldError]:
    """A Pod's status as its kubelet, the scheduler or a controller writes it."""
    errors = validate_object_meta_update(metadata_of(new), metadata_of(old))
    errors += _annotation_updates(new, old)
    status, before, spec = status_of(new), status_of(old), spec_of(old)
    for index, condition in enumerate(status.get("conditions", ())):
        kind = condition.get("type", "")
        if kind not in ("PodScheduled", "Ready", "Initialized"):
            errors += each(kind, f"metadata.conditions[{index}].Type", names.is_qualified_name)
    if spec_of(new).get("nodeName") != spec.get("nodeName"):
        errors.append(field_forbidden("status.nodeName", "may not be changed directly"))
    nominated = status.get("nominatedNodeName")
    if nominated and nominated != before.get("nominatedNodeName"):
        errors += each(nominated, "status.nominatedNodeName", name_is_dns_subdomain)
    errors += validate_immutable(status.get("qosClass"), before.get("qosClass"), "status.qosClass")
    for key, policy in (
        ("containerStatuses", spec.get("restartPolicy")),
        ("initContainerStatuses", spec.get("restartPolicy")),
        ("ephemeralContainerStatuses", "Never"),
    ):
        errors += _state_transitions(status.get(key, ()), before.get(key, ()), f"status.{key}", policy, spec)
    claims = {claim.get("name") for claim in spec_of(new).get("resourceClaims", ())}
    for index, claim in enumerate(status.get("resourceClaimStatuses", ())):
        if claim.get("name") not in claims:
            why = "must match the name of an entry in `spec.resourceClaims`"
            errors.append(invalid(f"status.resourceClaimStatuses[{index}].name", claim.get("name", ""), why))
    errors += _addresses(status.get("podIPs", ()), "status.podIPs")
    hosts = status.get("hostIPs", ())
    if hosts and hosts[0].get("ip") != status.get("hostIP"):
        errors.append(invalid("status.hostIPs[0].ip", hosts[0].get("ip", ""), "must be equal to `hostIP`"))
    errors += _addresses(hosts, "status.hostIPs")
    return errors


def validate_pod_ephemeral_containers_update(new: Object, old: Object) -> list[FieldError]:
    """The subresource `ephemeralcontainers`, which changes nothing else: containers may be added only."""
    if MIRROR in annotations_of(old):
        return [field_forbidden("", "static pods do not support ephemeral containers")]
    errors = validate_object_meta_update(metadata_of(new), metadata_of(old))
    errors += _validate_whole(new)
    errors += _annotation_updates(new, old)
    now = {container.get("name"): container for container in spec_of(new).get("ephemeralContainers", ())}
    for container in spec_of(old).get("ephemeralContainers", ()):
        name = container.get("name")
        if name not in now:
            why = f'existing ephemeral containers "{name}" may not be removed\n'
            errors.append(field_forbidden("spec.ephemeralContainers", why))
        elif not same(now[name], container):
            why = f'existing ephemeral containers "{name}" may not be changed\n'
            errors.append(field_forbidden("spec.ephemeralContainers", why))
    return errors


def validate_pod_resize(new: Object, old: Object) -> list[FieldError]:
    """The subresource `resize`: cpu and memory of containers and sidecars, and of the Pod as a whole."""
    if MIRROR in annotations_of(old):
        return [field_forbidden("", "static pods cannot be resized")]
    to, since = spec_of(new), spec_of(old)
    if (since.get("os") or NOTHING).get("name") == "windows":
        return [field_forbidden("", "windows pods cannot be resized")]
    errors = validate_object_meta_update(metadata_of(new), metadata_of(old))
    errors += _validate_whole(new)
    if quality_of_service(to) != quality_of_service(since):
        shown = status_of(new).get("qosClass", "")
        errors.append(invalid("spec", shown, "Pod QOS Class may not change as a result of resizing"))
    pairs = [(to.get("resources") or {}, since.get("resources") or {}, "spec.resources")]
    munged = dict(to)
    for key, refusal in (
        ("containers", "only cpu and memory resources are mutable"),
        ("initContainers", "resources for non-sidecar init containers are immutable"),
    ):
        parts, before = to.get(key) or [], since.get(key) or []
        if len(parts) != len(before):
            return [*errors, field_forbidden(f"spec.{key}", "pod updates may not add or remove containers")]
        for index, (part, was) in enumerate(zip(parts, before, strict=True)):
            if key == "containers" or is_sidecar(was):
                where = f"spec.{key}[{index}].resources"
                pairs.append((part.get("resources") or {}, was.get("resources") or {}, where))
                part = _unsized(part)
                was = _unsized(was)
            if not same(part, was):
                errors.append(field_forbidden("spec", refusal))
        munged[key] = before
    for wanted, had, path in pairs:
        errors += _not_removed(wanted, had, path)
    munged["resources"] = since.get("resources")
    if not same(_unsized({"resources": to.get("resources")}), _unsized({"resources": since.get("resources")})) or (
        _changed(munged, since) and not errors
    ):
        errors.append(field_forbidden("spec", "only cpu and memory resources are mutable"))
    return errors


def validate_pod_template(template: Object) -> list[FieldError]:
    """A PodTemplate, the kind, to be created."""
    errors = validate_object_meta(metadata_of(template), True, name_is_dns_subdomain)
    return errors + validate_pod_template_spec(template.get("template") or {}, "template")


def validate_pod_template_update(new: Object, old: Object) -> list[FieldError]:
    errors = validate_object_meta_update(metadata_of(new), metadata_of(old))
    return errors + validate_pod_template_spec(new.get("template") or {}, "template")


def validate_pod_template_spec(template: Object, path: str) -> list[FieldError]:
    """A Pod template inside another object, at `path` ("spec.template"). Names in its metadata do not matter."""
    meta = metadata_of(template)
    errors = validate_labels(meta.get("labels") or NOTHING, f"{path}.labels")
    annotations = meta.get("annotations") or NOTHING
    errors += validate_annotations(annotations, f"{path}.annotations")
    spec = spec_of(template)
    errors += _annotations(annotations, spec, f"{path}.annotations")
    errors += _spec_errors(spec, f"{path}.spec")
    if spec.get("ephemeralContainers"):
        why = "ephemeral containers not allowed in pod template"
        errors.append(field_forbidden(f"{path}.spec.ephemeralContainers", why))
    return errors


def _validate_whole(pod: Object) -> list[FieldError]:
    meta, spec = metadata_of(pod), spec_of(pod)
    errors = validate_object_meta(meta, True, name_is_dns_subdomain)
    if "annotations" in meta:
        errors += _annotations(meta["annotations"], spec, "metadata.annotations")
    errors += _spec_errors(spec, "spec", in_pod=True)
    if name_of(pod):
        errors += validate_made_claims(spec.get("volumes", ()), name_of(pod), "spec.volumes")
    return errors


def _spec_errors(spec: Object, path: str, in_pod: bool = False) -> tuple[FieldError, ...]:
    """The spec's errors, from the last time if it is the very same object."""
    key = (id(spec), path)
    known = _seen.get(key)
    if known and known[0] is spec:
        return known[1]
    errors = validate_pod_spec(spec, path)
    if in_pod:
        errors += _only_in_pods(spec)
    if len(_seen) >= _KEPT_SPECS:
        _seen.clear()
    _seen[key] = (spec, tuple(errors))
    return _seen[key][1]


def _only_in_pods(spec: Object) -> Errors:
    """What templates may still leave open."""
    for volume_index, volume in enumerate(spec.get("volumes", ())):
        if "image" in volume and not volume["image"].get("reference"):
            yield required(f"spec.volumes[{volume_index}].image.reference")
        for index, source in enumerate((volume.get("projected") or NOTHING).get("sources", ())):
            if "serviceAccountToken" in source and not spec.get("serviceAccountName"):
                where = f"spec.volumes[{volume_index}].projected.sources[{index}].serviceAccountToken"
                yield field_forbidden(where, "must not be specified when serviceAccountName is not set")
    for container, path in containers_of(spec, "spec"):
        if ".ephemeral" not in path:
            yield from trimmed_image(container, path)
        for index, port in enumerate(container.get("ports", ()) if spec.get("hostNetwork") else ()):
            if not port.get("hostPort") and path.startswith("spec.containers"):
                why = "must match `containerPort` when `hostNetwork` is true"
                yield invalid(f"{path}.ports[{index}].hostPort", 0, why)


def _annotations(annotations: Mapping[str, str], spec: Object, path: str) -> Errors:
    if MIRROR in annotations and not spec.get("nodeName"):
        why = "must set spec.nodeName if mirror pod annotation is set"
        yield invalid(f"{path}[{MIRROR}]", annotations[MIRROR], why)
    cost = annotations.get(DELETION_COST, "0")
    if not re.fullmatch(r"0|-?[1-9][0-9]{0,9}", cost) or not -MAX_INT32 - 1 <= int(cost) <= MAX_INT32:
        yield invalid(f"{path}[{DELETION_COST}]", cost, "must be a 32bit integer")
    for key, profile in annotations.items():
        if key.startswith(APPARMOR):
            name = key.removeprefix(APPARMOR)
            if all(container.get("name") != name for container, _ in containers_of(spec, "")):
                yield invalid(f"{path}[{key}]", name, "container not found")
            if profile not in ("", "runtime/default", "unconfined") and not profile.startswith("localhost/"):
                yield invalid(f"{path}[{key}]", profile, f'invalid AppArmor profile name: "{profile}"')


def _annotation_updates(new: Object, old: Object) -> Errors:
    now, before, path = annotations_of(new), annotations_of(old), "metadata.annotations"
    if now is before:
        return
    for key in (*before, *(key for key in now if key not in before)):
        if now.get(key) != before.get(key) and (key == MIRROR or key.startswith(APPARMOR)):
            what = "mirror pod annotation" if key == MIRROR else "AppArmor annotations"
            verb = "remove or update" if key in before else "add"
            yield field_forbidden(f"{path}[{key}]", f"may not {verb} {what}")


def _deadline_update(now: int | None, before: int | None) -> Errors:
    path = "spec.activeDeadlineSeconds"
    if now is None and before is not None:
        yield invalid(path, None, "must not update from a positive integer to nil value")
    elif now is not None and before is not None and now > before:
        yield invalid(path, now, "must be less than or equal to previous value")


def _only_added_tolerations(now: Iterable[Object], before: Iterable[Object]) -> Errors:
    kept = [{**toleration, "tolerationSeconds": None} for toleration in now]
    if any({**toleration, "tolerationSeconds": None} not in kept for toleration in before):
        why = "existing toleration can not be modified except its tolerationSeconds"
        yield field_forbidden("spec.tolerations", why)


def _only_removed_gates(now: Iterable[Object], before: Iterable[Object]) -> Errors:
    known = {gate.get("name") for gate in before}
    for index, gate in enumerate(now):
        if gate.get("name") not in known:
            why = f"only deletion is allowed, but found new scheduling gate '{gate.get('name')}'"
            yield field_forbidden(f"spec.schedulingGates[{index}].name", why)


def _tightened(to: Object, since: Object) -> Errors:
    """While it is gated, a Pod's choice of nodes may be narrowed."""
    now, before = to.get("nodeSelector") or {}, since.get("nodeSelector") or {}
    if not before.items() <= now.items():
        why = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
        yield invalid("spec.nodeSelector", now, why)
    path = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
    terms, old_terms = _node_terms(to), _node_terms(since)
    if old_terms and len(terms) != len(old_terms):
        yield invalid(path, terms, "no additions/deletions to non-empty NodeSelectorTerms list are allowed")
        return
    for index, (term, old) in enumerate(zip(terms, old_terms, strict=False)):
        for key in ("matchExpressions", "matchFields"):
            had = old.get(key) or []
            if (term.get(key) or [])[: len(had)] != had or (not any(old.values()) and term.get(key)):
                yield invalid(f"{path}[{index}]", term, "only additions are allowed (no mutations or deletions)")
                break


def _node_terms(spec: Object) -> list[Object]:
    node = (spec.get("affinity") or NOTHING).get("nodeAffinity") or NOTHING
    return (node.get("requiredDuringSchedulingIgnoredDuringExecution") or NOTHING).get("nodeSelectorTerms") or []


def _as_before(to: Object, since: Object) -> Object:
    """The new spec with all that may change put back, so that what still differs may not."""
    back = dict(to)
    for key in ("containers", "initContainers"):
        if to.get(key) is not since.get(key) and to.get(key):
            pairs = zip(to[key], since[key], strict=True)
            back[key] = [{**container, "image": old.get("image")} for container, old in pairs]
    keys = ["activeDeadlineSeconds", "tolerations", "schedulingGates"]
    grace = "terminationGracePeriodSeconds"
    if since.get(grace, 0) < 0 and to.get(grace) == 1:
        keys.append(grace)
    if since.get("schedulingGates"):
        keys.append("nodeSelector")
        node = (since.get("affinity") or NOTHING).get("nodeAffinity")
        affinity = {**(to.get("affinity") or {}), "nodeAffinity": node}
        back["affinity"] = affinity if any(affinity.values()) else None
    return back | {key: since.get(key) for key in keys}


def _changed(a: Object, b: Object) -> list[str]:
    return [key for key in sorted(a.keys() | b.keys()) if a.get(key) is not b.get(key) and not _equal(a, b, key)]


def _equal(a: Object, b: Object, key: str) -> bool:
    left, right = a.get(key), b.get(key)
    if key in _PLAIN:
        return bool(left) == bool(right) and (not left or left == right)
    if isinstance(left, dict) and isinstance(right, dict):
        return not _changed(left, right)
    if isinstance(left, list) and isinstance(right, list) and left and isinstance(left[0], dict):
        return len(left) == len(right) and not any(_changed(x, y) for x, y in zip(left, right, strict=True))
    return same(left, right)


def _state_transitions(
    now: Iterable[Object], before: Iterable[Object], path: str, policy: str | None, spec: Object
) -> Errors:
    """What has ended for good does not start again."""
    if policy == "Always":
        return
    running = {status.get("name") for status in now if "terminated" not in status.get("state", NOTHING)}
    restartable = {
        container.get("name")
        for container, where in containers_of(spec, "")
        if container.get("restartPolicyRules") or container.get("restartPolicy") in ("Always", "OnFailure")
    }
    for index, status in enumerate(before):
        ended = status.get("state", NOTHING).get("terminated")
        if ended is None or status.get("name") not in running or status.get("name") in restartable:
            continue
        if not ended.get("exitCode") or policy != "OnFailure":
            yield field_forbidden(f"{path}[{index}].state", "may not be transitioned to non-terminated state")


def _addresses(listed: list[Object], path: str) -> Errors:
    seen: list[str] = []
    for index, item in enumerate(listed):
        address = item.get("ip", "")
        yield from each(address, f"{path}[{index}]", lambda text: names.is_ip(text, canonical=False))
        if address in seen:
            yield duplicate(f"{path}[{index}]", item)
        seen.append(address)
    if len(seen) > 2 or (len(seen) == 2 and (":" in seen[0]) == (":" in seen[1])):
        yield invalid(path, listed, "may specify no more than one IP for each IP family")


def _unsized(container: Object) -> Object:
    """Without its cpu and memory, and without what says how to resize."""
    resources: dict[str, Any] = {}
    for side, listed in (container.get("resources") or NOTHING).items():
        kept = listed
        if side != "claims":
            kept = {name: amount for name, amount in (listed or NOTHING).items() if name not in ("cpu", "memory")}
        resources[side] = kept
    return {**container, "resources": resources, "resizePolicy": None}


def _not_removed(wanted: Object, had: Object, path: str) -> Errors:
    for side in ("requests", "limits"):
        if (had.get(side) or NOTHING).keys() - (wanted.get(side) or NOTHING).keys():
            yield field_forbidden(f"{path}.{side}", f"resource {side} cannot be removed")


RULES: dict[tuple[str, str], Rules] = {
    ("", "Pod"): Rules(validate_pod, validate_pod_update, validate_pod_status_update),
    ("", "PodTemplate"): Rules(validate_pod_template, validate_pod_template_update),
}
