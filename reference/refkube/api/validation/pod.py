"""Validation of Pods and of the templates that make them: what may be created, and what of it may still change.

Called by `refkube.api.validation` for Pods and PodTemplates, by the other kinds' rules for their templates, and by the
Pod's subresources. Facts: kubernetes/pkg/apis/core/validation/validation.go, ValidatePodCreate, ValidatePodUpdate and
theirs. A spec is validated once: Pods of one template share it, so results are kept by its identity.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from itertools import chain

from refkube.api.resources import is_sidecar, quality_of_service
from refkube.api.validation import common, objectmeta, podspec
from refkube.api.validation.objectmeta import validate_object_meta, validate_object_meta_update
from refkube.api.validation.podspec import MAX_INT32, containers_of, validate_pod_spec
from refkube.api.validation.rules import NOTHING, Errors, below, rules, same, spec_of, status_of, tables, told
from refkube.api.validation.volumes import validate_made_claims
from refkube.apimachinery.errors import FieldError, duplicate, field_forbidden, invalid
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

_seen: dict[tuple[int, bool], tuple[Object, list[FieldError]]] = {}


def _pod_update(new: Object, old: Object, *_: object) -> Errors:
    """A Pod's update through its main resource: metadata, images and little else."""
    yield from _metadata_and_whole(new)
    yield from _annotation_updates(new, old)
    to, since = spec_of(new), spec_of(old)
    if to is since:
        return
    for key in ("containers", "initContainers"):
        if len(to.get(key) or ()) != len(since.get(key) or ()):
            yield field_forbidden(f"spec.{key}", _SAME_NUMBER)
            return
    yield from _pod_changes(to, since)
    if since.get("schedulingGates"):
        yield from _tightened(to, since)
    changed = _changed(_as_before(to, since), since)
    if changed:
        shown = "\n".join(f"  {key}: {since.get(key)!r} -> {to.get(key)!r}" for key in changed)
        yield field_forbidden("spec", f"pod updates may not change fields other than {UPDATABLE}\n{shown}")


def _pod_status(new: Object, old: Object, *_: object) -> Errors:
    """A Pod's status as its kubelet, the scheduler or a controller writes it."""
    status, before, spec = status_of(new), status_of(old), spec_of(old)
    for index, condition in enumerate(status.get("conditions", ())):
        kind = condition.get("type", "")
        if kind not in ("PodScheduled", "Ready", "Initialized"):
            yield from below(f"metadata.conditions[{index}].Type", common.QUALIFIED(kind))
    if spec_of(new).get("nodeName") != spec.get("nodeName"):
        yield field_forbidden("status.nodeName", "may not be changed directly")
    nominated = status.get("nominatedNodeName")
    if nominated and nominated != before.get("nominatedNodeName"):
        yield from below("status.nominatedNodeName", common.SUBDOMAIN(nominated))
    if status.get("qosClass") != before.get("qosClass"):
        yield invalid("status.qosClass", status.get("qosClass"), "field is immutable")
    policy = spec.get("restartPolicy")
    for key, ends in (
        ("containerStatuses", policy),
        ("initContainerStatuses", policy),
        ("ephemeralContainerStatuses", "Never"),
    ):
        yield from _state_transitions(status.get(key, ()), before.get(key, ()), f"status.{key}", ends, spec)
    claims = {claim.get("name") for claim in spec_of(new).get("resourceClaims", ())}
    for index, claim in enumerate(status.get("resourceClaimStatuses", ())):
        if claim.get("name") not in claims:
            why = "must match the name of an entry in `spec.resourceClaims`"
            yield invalid(f"status.resourceClaimStatuses[{index}].name", claim.get("name", ""), why)
    yield from _addresses(status.get("podIPs", ()), "status.podIPs")
    hosts = status.get("hostIPs", ())
    if hosts and hosts[0].get("ip") != status.get("hostIP"):
        yield invalid("status.hostIPs[0].ip", hosts[0].get("ip", ""), "must be equal to `hostIP`")
    yield from _addresses(hosts, "status.hostIPs")


def validate_pod_ephemeral_containers_update(new: Object, old: Object) -> list[FieldError]:
    """The subresource `ephemeralcontainers`, which changes nothing else: containers may be added only."""
    if MIRROR in annotations_of(old):
        return [field_forbidden("", "static pods do not support ephemeral containers")]
    errors = validate_object_meta_update(metadata_of(new), metadata_of(old))
    errors += chain(_metadata_and_whole(new), _annotation_updates(new, old))
    now = {container.get("name"): container for container in spec_of(new).get("ephemeralContainers", ())}
    for container in spec_of(old).get("ephemeralContainers", ()):
        name = container.get("name")
        if not same(now.get(name), container):
            why = f'existing ephemeral containers "{name}" may not be {"changed" if name in now else "removed"}\n'
            errors.append(field_forbidden("spec.ephemeralContainers", why))
    return errors


def validate_pod_resize(new: Object, old: Object) -> list[FieldError]:
    """The subresource `resize`: cpu and memory of containers and sidecars, and of the Pod as a whole."""
    to, since = spec_of(new), spec_of(old)
    for unfit, which in (
        (MIRROR in annotations_of(old), "static"),
        ((since.get("os") or NOTHING).get("name") == "windows", "windows"),
    ):
        if unfit:
            return [field_forbidden("", f"{which} pods cannot be resized")]
    errors = validate_object_meta_update(metadata_of(new), metadata_of(old))
    errors += _metadata_and_whole(new)
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
            return [*errors, field_forbidden(f"spec.{key}", _SAME_NUMBER)]
        for index, (part, was) in enumerate(zip(parts, before, strict=True)):
            if key == "containers" or is_sidecar(was):
                where = f"spec.{key}[{index}].resources"
                pairs.append((part.get("resources") or {}, was.get("resources") or {}, where))
                part, was = _unsized(part), _unsized(was)
            if not same(part, was):
                errors.append(field_forbidden("spec", refusal))
        munged[key] = before
    for wanted, had, path in pairs:
        for side in ("requests", "limits"):
            if (had.get(side) or NOTHING).keys() - (wanted.get(side) or NOTHING).keys():
                errors.append(field_forbidden(f"{path}.{side}", f"resource {side} cannot be removed"))
    munged["resources"] = since.get("resources")
    rest, was = (_unsized({"resources": spec.get("resources")}) for spec in (to, since))
    if not same(rest, was) or (_changed(munged, since) and not errors):
        errors.append(field_forbidden("spec", "only cpu and memory resources are mutable"))
    return errors


def validate_pod_template_spec(template: Object, path: str) -> list[FieldError]:
    """A Pod template inside another object, at `path` ("spec.template"). Names in its metadata do not matter."""
    return [*below(path, pod_template(template))]


def pod_template(template: Object, *_: object) -> list[FieldError]:
    """The same as a check of a field, also of one that is not there."""
    meta, spec = metadata_of(template), spec_of(template)
    errors = below(".labels", objectmeta.validate_labels(meta["labels"])) if meta.get("labels") else []
    errors += (
        below(".annotations", objectmeta.validate_annotations(meta["annotations"])) if meta.get("annotations") else ()
    )
    errors += below(".annotations", _annotations(meta["annotations"], spec)) if meta.get("annotations") else ()
    errors += below(".spec", _spec_errors(spec))
    if spec.get("ephemeralContainers"):
        why = "ephemeral containers not allowed in pod template"
        errors.append(field_forbidden(".spec.ephemeralContainers", why))
    return errors


def _metadata_and_whole(pod: Object) -> Iterable[FieldError]:
    return chain(validate_object_meta(metadata_of(pod), True, objectmeta.name_is_dns_subdomain), _whole(pod))


def _whole(pod: Object, *_: object) -> Errors:
    meta, spec = metadata_of(pod), spec_of(pod)
    if "annotations" in meta:
        yield from below("metadata.annotations", _annotations(meta["annotations"], spec))
    if found := _spec_errors(spec, in_pod=True):
        yield from below("spec", found)
    if name_of(pod):
        yield from validate_made_claims(spec.get("volumes", ()), name_of(pod), "spec.volumes")


def _spec_errors(spec: Object, in_pod: bool = False) -> list[FieldError]:
    """The spec's errors, from the last time if it is the very same object."""
    known = _seen.get((id(spec), in_pod))
    if known and known[0] is spec:
        return known[1]
    errors = validate_pod_spec(spec)
    if in_pod:
        errors += TABLES["OnlyInPods"](spec, NOTHING, spec)
    if len(_seen) >= _KEPT_SPECS:
        _seen.clear()
    _seen[id(spec), in_pod] = (spec, errors)
    return errors


def _annotations(annotations: Mapping[str, str], spec: Object) -> Errors:
    cost, names = (
        annotations.get(DELETION_COST, "0"),
        {container.get("name") for container, _ in containers_of(spec, "")},
    )
    whole = re.fullmatch(r"0|-?[1-9][0-9]{0,9}", cost) and -MAX_INT32 - 1 <= int(cost) <= MAX_INT32
    unbound, why = not spec.get("nodeName"), "must set spec.nodeName if mirror pod annotation is set"
    yield from told(
        (MIRROR in annotations and unbound, invalid, f"[{MIRROR}]", annotations.get(MIRROR), why),
        (not whole, invalid, f"[{DELETION_COST}]", cost, "must be a 32bit integer"),
    )
    for key, profile in annotations.items():
        if key.startswith(APPARMOR):
            name = key.removeprefix(APPARMOR)
            known = profile in ("", "runtime/default", "unconfined") or profile.startswith("localhost/")
            yield from told(
                (name not in names, invalid, f"[{key}]", name, "container not found"),
                (not known, invalid, f"[{key}]", profile, f'invalid AppArmor profile name: "{profile}"'),
            )


def _annotation_updates(new: Object, old: Object, *_: object) -> Errors:
    now, before = annotations_of(new), annotations_of(old)
    for key in () if now is before else (*before, *(key for key in now if key not in before)):
        if now.get(key) != before.get(key) and (key == MIRROR or key.startswith(APPARMOR)):
            what = "mirror pod annotation" if key == MIRROR else "AppArmor annotations"
            verb = "remove or update" if key in before else "add"
            yield field_forbidden(f"metadata.annotations[{key}]", f"may not {verb} {what}")


def _pod_changes(to: Object, since: Object) -> Errors:
    path, now, before = (
        "spec.activeDeadlineSeconds",
        to.get("activeDeadlineSeconds"),
        since.get("activeDeadlineSeconds"),
    )
    later = now is not None and before is not None and now > before
    kept = [{**toleration, "tolerationSeconds": None} for toleration in to.get("tolerations") or ()]
    had = [{**toleration, "tolerationSeconds": None} for toleration in since.get("tolerations") or ()]
    why = "existing toleration can not be modified except its tolerationSeconds"
    yield from told(
        (
            now is None and before is not None,
            invalid,
            path,
            None,
            "must not update from a positive integer to nil value",
        ),
        (later, invalid, path, now, "must be less than or equal to previous value"),
        (any(one not in kept for one in had), field_forbidden, "spec.tolerations", why),
    )
    known = {gate.get("name") for gate in since.get("schedulingGates") or ()}
    for index, gate in enumerate(to.get("schedulingGates") or ()):
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


def _addresses(listed: Collection[Object], path: str) -> Errors:
    seen: list[str] = []
    for index, item in enumerate(listed):
        address = item.get("ip", "")
        yield from (invalid(f"{path}[{index}]", address, message) for message in common.is_ip(address))
        if address in seen:
            yield duplicate(f"{path}[{index}]", item)
        seen.append(address)
    if len(seen) > 2 or (len(seen) == 2 and (":" in seen[0]) == (":" in seen[1])):
        yield invalid(path, listed, "may specify no more than one IP for each IP family")


def _unsized(container: Object) -> Object:
    """Without its cpu and memory, and without what says how to resize."""
    resources = {
        side: given if side == "claims" else {k: v for k, v in (given or NOTHING).items() if k not in ("cpu", "memory")}
        for side, given in (container.get("resources") or NOTHING).items()
    }
    return {**container, "resources": resources, "resizePolicy": None}


_SAME_NUMBER = "pod updates may not add or remove containers"
TABLES = tables(r"""
OnlyInPods
  volumes[]
    image               given
      reference         required
    projected.sources[]
      serviceAccountToken  given forbidden if not s.get("serviceAccountName") \
                        -- must not be specified when serviceAccountName is not set
  initContainers[]
    image               trimmed
  containers[]
    image               trimmed
    ports[]
      hostPort          default 0 invalid if not v and s.get("hostNetwork") \
                        -- must match `containerPort` when `hostNetwork` is true

/Pod create
  .                     whole
  spec.ephemeralContainers  forbidden -- cannot be set on create
  spec.nodeName         forbidden if spec.schedulingGates \
                        -- cannot be set until all schedulingGates have been cleared

/Pod update
  .                     pod_update

/Pod status
  .                     annotation_updates
  .                     pod_status

/PodTemplate
  template              default NOTHING pod_template
""", globals(), vars(podspec))  # fmt: skip
RULES = rules(TABLES)
