"""DefaultStorageClass: a claim that does not say which class it is of gets the default one.

Source: kubernetes/plugin/pkg/admission/storage/storageclass/setdefault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from refkube.admission.chain import CREATE, Attributes, Plugin
from refkube.api.kinds import Kind
from refkube.api.storage import default_class, has_class
from refkube.apimachinery.meta import Object, name_of


class DefaultStorageClass(Plugin):
    """`classes` gives all StorageClasses."""

    name = "DefaultStorageClass"

    def __init__(self, classes: Callable[[], Iterable[Object]]):
        self._classes = classes

    def handles(self, operation: str, kind: Kind, subresource: str) -> bool:
        return operation == CREATE and kind.resource == "persistentvolumeclaims" and not subresource

    def admit(self, attributes: Attributes) -> Object | None:
        claim = attributes.obj
        assert claim is not None
        default = None if has_class(claim) else default_class(self._classes())
        return {**claim, "spec": {**claim["spec"], "storageClassName": name_of(default)}} if default else None
