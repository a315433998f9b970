"""StorageObjectInUseProtection: claims and volumes get the finalizer that keeps them while they are in use.

Source: kubernetes/plugin/pkg/admission/storage/storageobjectinuseprotection. Left out: VolumeAttributesClasses.
"""

from __future__ import annotations

from refkube.admission.chain import CREATE, Attributes, Plugin
from refkube.api.kinds import Kind
from refkube.apimachinery.meta import Object, metadata_of, with_metadata

_FINALIZERS = {
    "persistentvolumeclaims": "kubernetes.io/pvc-protection",
    "persistentvolumes": "kubernetes.io/pv-protection",
}


class StorageObjectInUseProtection(Plugin):
    name = "StorageObjectInUseProtection"

    def handles(self, operation: str, kind: Kind, subresource: str) -> bool:
        return operation == CREATE and kind.resource in _FINALIZERS and not subresource

    def admit(self, attributes: Attributes) -> Object | None:
        assert attributes.obj is not None
        finalizer = _FINALIZERS[attributes.kind.resource]
        present = metadata_of(attributes.obj).get("finalizers") or []
        return None if finalizer in present else with_metadata(attributes.obj, finalizers=[*present, finalizer])
