"""EndpointSlices as objects: what the controller of slices and the one that mirrors Endpoints share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object, labels_of
from refkube.apimachinery.owners import new_controller_ref
from refkube.client.client import Client
from refkube.client.informer import Informer

SLICES = "endpointslices.discovery.k8s.io"
SERVICE_NAME, MANAGED_BY = "kubernetes.io/service-name", "endpointslice.kubernetes.io/managed-by"
BEHIND = 0.1  # seconds until a cache that has not seen our own writes is looked at again


class Tracker:
    """Tells a controller's own writes of one Service's slices from what others do to them, and whether the cache has
    seen them yet (endpointslice_tracker.go)."""

    def __init__(self) -> None:
        self._written: dict[str, int] = {}  # the version of each as last written or seen
        self._deleted: set[str] = set()

    def wrote(self, obj: Object) -> None:
        self._written[obj["metadata"]["name"]] = version(obj)

    def deletes(self, obj: Object) -> None:
        name = obj["metadata"]["name"]
        self._written.pop(name, None)
        self._deleted.add(name)

    def is_behind(self, cache: Informer, found: Iterable[Object]) -> bool:
        """Whether the cache, which has these slices, is older than our writes; if not, they are what counts."""
        cached = {obj["metadata"]["name"]: version(obj) for obj in found}
        if max(self._written.values(), default=0) > int(cache.resource_version) or self._deleted & cached.keys():
            return True
        self._written = cached
        return False

    def is_foreign(self, obj: Object) -> bool:
        """A change that somebody else has made."""
        name = obj["metadata"]["name"]
        return name not in self._deleted and self._written.get(name, 0) < version(obj)

    def is_foreign_deletion(self, obj: Object) -> bool:
        name = obj["metadata"]["name"]
        if name in self._deleted:
            self._deleted.discard(name)
            return False
        return self._written.pop(name, None) is not None


def new_slice(owner: Object, kind: str, family: str, labels: Mapping[str, str], content: Object) -> Object:
    """A slice to be created for a Service or for Endpoints."""
    meta = owner["metadata"]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "generateName": f"{meta['name']}-",
            "namespace": meta["namespace"],
            "labels": dict(labels),
            "ownerReferences": [new_controller_ref(owner, "v1", kind)],
        },
        "addressType": family,
        **content,
    }


def delete_slice(client: Client, obj: Object) -> None:
    try:
        client.delete(SLICES, obj["metadata"]["name"], obj["metadata"]["namespace"])
    except StatusError as refusal:
        if refusal.code != 404:
            raise


def service_of(obj: Object, manager: str) -> tuple[str, ...]:
    """The key of the Service a slice belongs to, if it is this manager's: an index."""
    labels = labels_of(obj)
    ours = labels.get(MANAGED_BY) == manager and SERVICE_NAME in labels
    return (f"{obj['metadata']['namespace']}/{labels[SERVICE_NAME]}",) if ours else ()


def version(obj: Object) -> int:
    return int(obj["metadata"]["resourceVersion"])
