"""What the registry asks before it stores: is this object, this update, this status update semantically valid?

One table of kinds; each module below contributes its RULES. A kind without rules gets its metadata validated, its name
in the format of NAME_FORMATS (custom resources and most kinds: a DNS subdomain). Structure (types, unknown fields) is
the schema's business and has been checked before; objects are defaulted.
"""

from __future__ import annotations

from refkube.api.kinds import KINDS
from refkube.api.validation import cluster, pod, policy, services, storage, workloads
from refkube.api.validation.objectmeta import (
    NameFn,
    Rules,
    name_is_dns_label,
    name_is_dns_subdomain,
    name_is_path_segment,
    validate_object_meta,
    validate_object_meta_update,
)
from refkube.apimachinery.errors import FieldError
from refkube.apimachinery.meta import Object, metadata_of

RBAC = "rbac.authorization.k8s.io"

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
    ("apiregistration.k8s.io", "APIService"): name_is_path_segment,
    **{(RBAC, kind): name_is_path_segment for kind in ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")},
}

_NAMESPACED = {(kind.group, kind.kind): kind.namespaced for kind in KINDS}


def validate(group: str, kind: str, obj: Object) -> list[FieldError]:
    """An object to be created."""
    rules = RULES.get((group, kind))
    if rules:
        return rules.create(obj)
    meta = metadata_of(obj)
    namespaced = _NAMESPACED.get((group, kind), bool(meta.get("namespace")))
    return validate_object_meta(meta, namespaced, NAME_FORMATS.get((group, kind), name_is_dns_subdomain))


def validate_update(group: str, kind: str, new: Object, old: Object) -> list[FieldError]:
    """An object to replace another one."""
    rules = RULES.get((group, kind))
    return rules.update(new, old) if rules else _validate_meta_update(new, old)


def validate_status_update(group: str, kind: str, new: Object, old: Object) -> list[FieldError]:
    """As `validate_update`, through the subresource `status`."""
    rules = RULES.get((group, kind))
    return ((rules and rules.status_update) or _validate_meta_update)(new, old)


def _validate_meta_update(new: Object, old: Object) -> list[FieldError]:
    return validate_object_meta_update(metadata_of(new), metadata_of(old))
