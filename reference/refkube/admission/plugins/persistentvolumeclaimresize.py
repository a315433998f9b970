"""PersistentVolumeClaimResize: only a bound claim may grow, and only where its class allows that.

Source: kubernetes/plugin/pkg/admission/storage/persistentvolume/resize.
"""

from __future__ import annotations

from collections.abc import Callable

from refkube.admission.chain import UPDATE, Attributes, Plugin
from refkube.api.kinds import Kind
from refkube.api.storage import class_of, requested
from refkube.apimachinery import errors
from refkube.apimachinery.meta import Object, get_path


class PersistentVolumeClaimResize(Plugin):
    """`storage_class` gives a StorageClass by name, None if there is none."""

    name = "PersistentVolumeClaimResize"

    def __init__(self, storage_class: Callable[[str], Object | None]):
        self._storage_class = storage_class

    def handles(self, operation: str, kind: Kind, subresource: str) -> bool:
        return operation == UPDATE and kind.resource == "persistentvolumeclaims" and not subresource

    def validate(self, attributes: Attributes) -> None:
        """Errors: 403."""
        new, old = attributes.obj, attributes.old
        if new is None or old is None or requested(new) <= requested(old):
            return
        why = ""
        if get_path(old, "status", "phase") != "Bound":
            why = "Only bound persistent volume claims can be expanded"
        elif not (class_of(new) == class_of(old) and self._may_grow(class_of(new))):
            why = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must "
            why += "support resize"
        if why:
            raise errors.forbidden(attributes.kind.resource, attributes.name, why)

    def _may_grow(self, name: str) -> bool:
        return bool(name and (self._storage_class(name) or {}).get("allowVolumeExpansion"))
