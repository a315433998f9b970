"""Protection: a claim that a Pod uses, and a volume that is bound, go only when that has come to an end.

The admission plugin StorageObjectInUseProtection gives them a finalizer; these controllers take it away from what is
being deleted and no longer used. Source: kubernetes/pkg/controller/volume/{pvcprotection,pvprotection}.
"""

from __future__ import annotations

from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object, get_path, is_terminating, key_of, metadata_of, namespace_of, with_metadata
from refkube.client.client import Client
from refkube.client.controller import Controller
from refkube.controllers.common.context import Context
from refkube.controllers.common.volumes import by_claim

CLAIM_FINALIZER, VOLUME_FINALIZER = "kubernetes.io/pvc-protection", "kubernetes.io/pv-protection"


class ClaimProtection:
    account = "pvc-protection-controller"
    component = "pvc-protection-controller"

    def __init__(self, context: Context):
        self._client = context.client
        self._claims, self._pods = context.informers.of("persistentvolumeclaims"), context.informers.of("pods")
        self._pods.add_index("claim", by_claim)
        self._controller = Controller(context.loop, "pvc-protection", self.reconcile, (self._claims, self._pods))
        self._claims.add_handler(self._changed, lambda old, new: self._changed(new))
        self._pods.add_handler(None, None, self._let_go)

    def start(self) -> None:
        self._controller.start()

    def stop(self) -> None:
        self._controller.stop()

    def _changed(self, claim: Object) -> None:
        if is_terminating(claim) and CLAIM_FINALIZER in (metadata_of(claim).get("finalizers") or ()):
            self._controller.add(key_of(claim))

    def _let_go(self, pod: Object) -> None:
        for key in by_claim(pod):
            self._controller.add(key)

    def reconcile(self, key: str) -> None:
        """What is in use by the cache is in use; what seems not to be is looked up on the server before it goes."""
        claim = self._claims.get(key)
        if claim is None or not is_terminating(claim):
            return
        if not any(_holds(pod) for pod in self._pods.indexed("claim", key).values()):
            pods = self._client.list("pods", namespace_of(claim)).items
            if not any(_holds(pod) for pod in pods if key in by_claim(pod)):
                _remove(self._client, "persistentvolumeclaims", claim, CLAIM_FINALIZER)


class VolumeProtection:
    account = "pv-protection-controller"
    component = "pv-protection-controller"

    def __init__(self, context: Context):
        self._client = context.client
        self._volumes = context.informers.of("persistentvolumes")
        self._controller = Controller(context.loop, "pv-protection", self.reconcile, (self._volumes,))
        self._volumes.add_handler(self._changed, lambda old, new: self._changed(new))

    def start(self) -> None:
        self._controller.start()

    def stop(self) -> None:
        self._controller.stop()

    def _changed(self, volume: Object) -> None:
        if is_terminating(volume) and VOLUME_FINALIZER in (metadata_of(volume).get("finalizers") or ()):
            self._controller.add(key_of(volume))

    def reconcile(self, key: str) -> None:
        volume = self._volumes.get(key)
        if volume is not None and is_terminating(volume) and get_path(volume, "status", "phase") != "Bound":
            _remove(self._client, "persistentvolumes", volume, VOLUME_FINALIZER)


def _holds(pod: Object) -> bool:
    """A Pod that has no node yet will not get the volume of a claim that is going."""
    return bool(pod["spec"].get("nodeName"))


def _remove(client: Client, resource: str, obj: Object, finalizer: str) -> None:
    finalizers = metadata_of(obj).get("finalizers") or []
    if finalizer in finalizers:
        try:
            client.update(resource, with_metadata(obj, finalizers=[name for name in finalizers if name != finalizer]))
        except StatusError as refusal:
            if refusal.reason != "NotFound":
                raise
