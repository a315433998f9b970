"""What the registry asks before it stores: is this object, this update, this status update semantically valid?

One table of kinds; each module below contributes its RULES, in the language of `rules`. A kind without rules gets its
metadata validated, its name in the format of NAME_FORMATS (custom resources and most kinds: a DNS subdomain). Structure
(types, unknown fields) is the schema's business and has been checked before; objects are defaulted.
"""

from __future__ import annotations

from refkube.api.kinds import KINDS
from refkube.api.validation import cluster, pod, policy, services, storage, workloads
from refkube.api.validation.objectmeta import (
    NameFn,
    name_is_dns_label,
    name_is_dns_subdomain,
    name_is_ip,
    name_is_path_segment,
    validate_object_meta,
    validate_object_meta_update,
)
from refkube.api.validation.rules import Check, Rules
from refkube.apimachinery.errors import FieldError
from refkube.apimachinery.meta import Object, metadata_of

RULES: dict[tuple[str, str], Rules] = {
    **pod.RULES,
    **cluster.RULES,
    **policy.RULES,
    **services.RULES,
    **storage.RULES,
    **workloads.RULES,
}
NAME_FORMATS: dict[tuple[str, str], NameFn] = {
    ("", "Namespace"): name_is_dns_label,
    ("", "Service"): name_is_dns_label,
    # A core/v1 Event's name was never looked at.
    ("", "Event"): name_is_path_segment,
    ("apps", "StatefulSet"): name_is_dns_label,
    ("networking.k8s.io", "IPAddress"): name_is_ip,
    ("apiregistration.k8s.io", "APIService"): name_is_path_segment,
    ("certificates.k8s.io", "CertificateSigningRequest"): name_is_path_segment,
    **dict.fromkeys(
        (("rbac.authorization.k8s.io", kind) for kind in ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")),
        name_is_path_segment,
    ),
}
# Whose finalizers need not be qualified by a domain.
_OWN_FINALIZERS = {
    ("", "Event"),
    ("coordination.k8s.io", "Lease"),
    ("node.k8s.io", "RuntimeClass"),
    ("policy", "PodDisruptionBudget"),
    *(("admissionregistration.k8s.io", kind.kind) for kind in KINDS if kind.group == "admissionregistration.k8s.io"),
}
_NO_RULES = Rules()
_NAMESPACED = {(kind.group, kind.kind): kind.namespaced for kind in KINDS}


def validate(group: str, kind: str, obj: Object) -> list[FieldError]:
    """An object to be created."""
    key, meta = (group, kind), metadata_of(obj)
    rules = RULES.get(key, _NO_RULES)
    namespaced = _NAMESPACED.get(key, bool(meta.get("namespace")))
    errors = _for_kind(key, validate_object_meta(meta, namespaced, NAME_FORMATS.get(key, name_is_dns_subdomain)))
    errors += _checked(rules.always, obj, {})
    return errors + _checked(rules.create, obj, {})


def validate_update(group: str, kind: str, new: Object, old: Object) -> list[FieldError]:
    """An object to replace another one."""
    rules = RULES.get((group, kind), _NO_RULES)
    errors = _for_kind((group, kind), validate_object_meta_update(metadata_of(new), metadata_of(old)))
    errors += _checked(rules.update, new, old)
    return errors + _checked(rules.always, new, old)


def validate_status_update(group: str, kind: str, new: Object, old: Object) -> list[FieldError]:
    """As `validate_update`, through the subresource `status`."""
    errors = _for_kind((group, kind), validate_object_meta_update(metadata_of(new), metadata_of(old)))
    return errors + _checked(RULES.get((group, kind), _NO_RULES).status, new, old)


def _for_kind(key: tuple[str, str], errors: list[FieldError]) -> list[FieldError]:
    if key not in _OWN_FINALIZERS:
        return errors
    return [error for error in errors if not error.field.startswith("metadata.finalizers[")]


def _checked(check: Check | None, obj: Object, old: Object) -> list[FieldError]:
    """The errors of a kind's table, whose paths begin at the root."""
    found = check(obj, old, obj) if check else ()
    return [error._replace(field=error.field.removeprefix(".")) for error in found] if found else []
