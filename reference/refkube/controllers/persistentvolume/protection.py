"""Protection: a claim that a Pod uses, and a volume that is bound, go only when that has come to an end.

The admission plugin StorageObjectInUseProtection gives them a finalizer; these controllers give it back to what lost
it, and take it away from what is being deleted and no longer used. Source: pkg/controller/volume/{pvc,pv}protection.
"""

from __future__ import annotations

from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object, get_path, is_terminating, key_of, metadata_of, namespace_of, with_metadata
from refkube.client.controller import Controller
from refkube.controllers.common.context import Context
from refkube.controllers.common.volumes import by_claim


class VolumeProtection:
    account = component = "pv-protection-controller"
    resource, finalizer = "persistentvolumes", "kubernetes.io/pv-protection"

    def __init__(self, context: Context):
        self._client = context.client
        self._objects = context.informers.of(self.resource)
        self._controller = Controller(context.loop, self.component, self.reconcile, (self._objects,))
        self._objects.add_handler(self._changed, lambda old, new: self._changed(new))

    def start(self) -> None:
        self._controller.start()

    def stop(self) -> None:
        self._controller.stop()

    def _changed(self, obj: Object) -> None:
        if self._is_protected(obj) == is_terminating(obj):
            self._controller.add(key_of(obj))

    def _is_protected(self, obj: Object) -> bool:
        return self.finalizer in (metadata_of(obj).get("finalizers") or ())

    def reconcile(self, key: str) -> None:
        obj = self._objects.get(key)
        if obj is None or self._is_protected(obj) != is_terminating(obj):
            return
        finalizers = [name for name in metadata_of(obj).get("finalizers") or () if name != self.finalizer]
        if not is_terminating(obj):  # somebody took it away
            finalizers.append(self.finalizer)
        elif self._is_used(key, obj):
            return
        try:
            self._client.update(self.resource, with_metadata(obj, finalizers=finalizers))
        except StatusError as refusal:
            if refusal.reason != "NotFound":
                raise

    def _is_used(self, key: str, volume: Object) -> bool:
        return bool(get_path(volume, "status", "phase") == "Bound")


class ClaimProtection(VolumeProtection):
    account = component = "pvc-protection-controller"
    resource, finalizer = "persistentvolumeclaims", "kubernetes.io/pvc-protection"

    def __init__(self, context: Context):
        super().__init__(context)
        self._pods = context.informers.of("pods")
        self._pods.add_index("claim", by_claim)
        self._pods.add_handler(None, None, self._let_go)

    def _let_go(self, pod: Object) -> None:
        for key in by_claim(pod):
            self._controller.add(key)

    def _is_used(self, key: str, claim: Object) -> bool:
        """What is in use by the cache is; what seems not to be is looked up on the server before it goes."""
        if any(_holds(pod) for pod in self._pods.indexed("claim", key).values()):
            return True
        pods = self._client.list("pods", namespace_of(claim)).items
        return any(_holds(pod) for pod in pods if key in by_claim(pod))


def _holds(pod: Object) -> bool:
    """A Pod that has no node yet will not get the volume of a claim that is going."""
    return bool(pod["spec"].get("nodeName"))
