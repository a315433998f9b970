"""Expansion: a bound claim that asks for more than its volume has gets it, where the storage can grow.

Source: kubernetes/pkg/controller/volume/expand. The simulated storage has no file system that a node would have to
grow, so the claim has its new capacity at once.
"""

from __future__ import annotations

from collections.abc import Mapping

from refkube.api.storage import capacity, requested
from refkube.apimachinery.meta import Object, annotations_of, get_path, key_of, name_of
from refkube.apimachinery.quantity import parse
from refkube.client.controller import Controller
from refkube.client.events import NORMAL, WARNING
from refkube.controllers.common.context import Context
from refkube.controllers.persistentvolume.binder import PROVISIONED_BY
from refkube.engine.clock import rfc3339
from refkube.volumes import PROVISIONERS, Provisioner, VolumeError


class ExpandController:
    account, component = "expand-controller", "volume_expand"

    def __init__(self, context: Context):
        self._client, self._loop, self._event = context.client, context.loop, context.events.event
        self._provisioners: Mapping[str, Provisioner] = context.options.extra.get(PROVISIONERS) or {}
        self._claims = context.informers.of("persistentvolumeclaims")
        self._volumes = context.informers.of("persistentvolumes")
        self._controller = Controller(context.loop, "expand", self.reconcile, (self._claims, self._volumes))
        self._claims.add_handler(self._changed, lambda old, new: self._changed(new))

    def start(self) -> None:
        self._controller.start()

    def stop(self) -> None:
        self._controller.stop()

    def _changed(self, claim: Object) -> None:
        if _wants_more(claim):
            self._controller.add(key_of(claim))

    def reconcile(self, key: str) -> None:
        claim = self._claims.get(key)
        volume = self._volumes.get(claim["spec"].get("volumeName", "")) if claim else None
        if claim is None or volume is None or not _wants_more(claim):
            return
        provisioner = self._provisioners.get(annotations_of(volume).get(PROVISIONED_BY, ""))
        if provisioner is None:
            why = "waiting for an external controller to expand this PVC"
            self._event(claim, NORMAL, "ExternalExpanding", why)
            return
        size = requested(claim)
        claim = self._status(claim, [{"type": "Resizing", "status": "True"}])
        try:
            provisioner.expand(volume, size)
        except VolumeError as why:
            told = f'error expanding volume "{key}" of plugin "{annotations_of(volume)[PROVISIONED_BY]}": {why}'
            self._event(claim, WARNING, "VolumeResizeFailed", told)
            raise
        if capacity(volume) < size:
            spec = {**volume["spec"], "capacity": {**volume["spec"]["capacity"], "storage": str(size)}}
            self._client.update("persistentvolumes", {**volume, "spec": spec})
        self._status(claim, [], str(size))
        self._event(claim, NORMAL, "VolumeResizeSuccessful", f"ExpandVolume succeeded for volume {name_of(volume)}")

    def _status(self, claim: Object, conditions: list[Object], size: str = "") -> Object:
        """With these conditions beside those of others."""
        status = {**(claim.get("status") or {})}
        others = [one for one in status.get("conditions") or () if one.get("type") != "Resizing"]
        if conditions and len(others) < len(status.get("conditions") or ()):
            return claim
        now = rfc3339(self._loop.now())
        status["conditions"] = others + [{**one, "lastTransitionTime": now} for one in conditions]
        if size:
            status["capacity"] = {**(status.get("capacity") or {}), "storage": size}
        return self._client.update_status("persistentvolumeclaims", {**claim, "status": status})


def _wants_more(claim: Object) -> bool:
    held = get_path(claim, "status", "capacity", "storage")
    return get_path(claim, "status", "phase") == "Bound" and held is not None and requested(claim) > parse(held)
