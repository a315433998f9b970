"""Binder: brings claims and volumes together, has volumes made for claims, and reclaims those that were let go.

A binding is four writes: the volume names the claim, the volume is Bound, the claim names the volume, the claim is
Bound. The first is conditional on the volume's version and decides: two claims never get one volume. Whatever comes
between is gone on with. Source: kubernetes/pkg/controller/volume/persistentvolume/pv_controller.go. Left out:
recycling, migration to CSI.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from refkube.api.storage import best_match, class_of, default_class, has_class, is_bound_to, mismatch, requested
from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import (
    Object,
    annotations_of,
    get_path,
    key_of,
    metadata_of,
    name_of,
    namespace_of,
    uid_of,
    with_metadata,
)
from refkube.client.controller import Controller
from refkube.client.events import NORMAL, WARNING
from refkube.controllers.common.context import Context
from refkube.controllers.common.volumes import by_claim
from refkube.engine.clock import rfc3339
from refkube.volumes import PROVISIONERS, HostPath, Provisioner, VolumeError

COMPLETED, BY_CONTROLLER = "pv.kubernetes.io/bind-completed", "pv.kubernetes.io/bound-by-controller"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
PROVISIONER = ("volume.beta.kubernetes.io/storage-provisioner", "volume.kubernetes.io/storage-provisioner")
FINALIZER = "kubernetes.io/pv-controller"  # while what is in the storage has to be deleted first
_BUILT_IN = "kubernetes.io/"


class PersistentVolumeController:
    account, component = "persistent-volume-binder", "persistentvolume-controller"

    def __init__(self, context: Context):
        self._client, self._loop, self._event = context.client, context.loop, context.events.event
        self._provisioners: Mapping[str, Provisioner] = context.options.extra.get(PROVISIONERS) or {}
        self._period = context.options.pvclaimbinder_sync_period
        informers = context.informers
        self._claims, self._volumes = informers.of("persistentvolumeclaims"), informers.of("persistentvolumes")
        self._classes = informers.of("storageclasses.storage.k8s.io")
        self._pods = informers.of("pods")
        self._pods.add_index("claim", by_claim)
        self._volumes.add_index("wanted by", _wanted_by)
        known = (self._claims, self._volumes, self._classes)
        self._claim_queue = Controller(context.loop, "persistentvolume-binder claim", self.sync_claim, known)
        self._volume_queue = Controller(context.loop, "persistentvolume-binder volume", self.sync_volume, known)
        add_claim, add_volume = self._claim_queue.add_object, self._volume_queue.add_object
        self._claims.add_handler(add_claim, lambda old, new: add_claim(new), self._claim_gone)
        self._volumes.add_handler(add_volume, lambda old, new: add_volume(new), self._volume_gone)

    def start(self) -> None:
        self._claim_queue.start()
        self._volume_queue.start()
        self._timer = self._loop.call_later(self._period, self._resync)

    def stop(self) -> None:
        self._timer.cancel()
        self._claim_queue.stop()
        self._volume_queue.stop()

    def _resync(self) -> None:
        """Have another look at what waits for something."""
        self._timer = self._loop.call_later(self._period, self._resync)
        for queue, informer in ((self._claim_queue, self._claims), (self._volume_queue, self._volumes)):
            for key, obj in informer.items.items():
                if _phase(obj) != "Bound":
                    queue.add(key)

    def _claim_gone(self, claim: Object) -> None:
        if claim["spec"].get("volumeName"):
            self._volume_queue.add(claim["spec"]["volumeName"])

    def _volume_gone(self, volume: Object) -> None:
        if volume["spec"].get("claimRef"):
            self._claim_queue.add(_claim_key(volume))

    # Claims

    def sync_claim(self, key: str) -> None:
        claim = self._claims.get(key)
        if claim is None:
            return
        named = claim["spec"].get("volumeName")
        if COMPLETED in annotations_of(claim):
            self._keep_bound(claim, self._volumes.get(named) if named else None)
        elif named:
            self._bind_named(claim, named)
        else:
            self._find(claim)

    def _find(self, claim: Object) -> None:
        """A volume for a claim that takes any."""
        claim = self._with_default_class(claim)
        wanted, mine = class_of(claim), key_of(claim)
        storage_class = self._classes.get(wanted) if wanted else None
        delayed = (storage_class or {}).get("volumeBindingMode") == "WaitForFirstConsumer"
        candidates = (self._volumes.indexed("wanted by", key) for key in (f"class {wanted}", f"claim {mine}"))
        found = best_match(claim, [volume for part in candidates for volume in part.values()], delayed)
        if found is not None:
            self._bind(found, claim)
            return
        if delayed and SELECTED_NODE not in annotations_of(claim):
            self._event(claim, NORMAL, *self._waits_for(claim))
        elif wanted:
            self._provision(claim, storage_class)
            return
        else:
            why = "no persistent volumes available for this claim and no storage class is set"
            self._event(claim, NORMAL, "FailedBinding", why)
        self._claim_status(claim, "Pending")

    def _with_default_class(self, claim: Object) -> Object:
        """A claim from before there was a default class gets it now."""
        default = None if has_class(claim) else default_class(self._classes.items.values())
        if default is None:
            return claim
        named = {**claim, "spec": {**claim["spec"], "storageClassName": name_of(default)}}
        return self._client.update("persistentvolumeclaims", named)

    def _waits_for(self, claim: Object) -> tuple[str, str]:
        pods = self._pods.indexed("claim", key_of(claim)).values()
        names = sorted(name_of(pod) for pod in pods if not pod["spec"].get("nodeName"))
        if not names:
            return "WaitForFirstConsumer", "waiting for first consumer to be created before binding"
        return "WaitForPodScheduled", f"waiting for pod{'s' * (len(names) > 1)} {','.join(names)} to be scheduled"

    def _bind_named(self, claim: Object, name: str) -> None:
        """The volume that the claim asks for, should that be free and do."""
        volume = self._volumes.get(name)
        if volume is not None and is_bound_to(volume, claim):
            self._bind(volume, claim)
            return
        if volume is not None and volume["spec"].get("claimRef") is None:
            why = mismatch(claim, volume)
            if not why:
                self._bind(volume, claim)
                return
            told = f'Cannot bind to requested volume "{name}": {why}'
            self._event(claim, WARNING, "VolumeMismatch", told)
        elif volume is not None:
            self._event(claim, WARNING, "FailedBinding", f'volume "{name}" already bound to a different claim.')
        self._claim_status(claim, "Pending")

    def _keep_bound(self, claim: Object, volume: Object | None) -> None:
        ref = volume["spec"].get("claimRef") if volume else None
        if volume is not None and (ref is None or ref.get("uid") == uid_of(claim)):
            self._bind(volume, claim)
            return
        reason, told = "ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
        if volume is not None:
            reason, told = "ClaimMisbound", "Two claims are bound to the same volume, this one is bound incorrectly"
        elif not claim["spec"].get("volumeName"):
            told = "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!"
        if _phase(claim) != "Lost":
            self._claim_status(claim, "Lost")
            self._event(claim, WARNING, reason, told)

    def _bind(self, volume: Object, claim: Object) -> None:
        ref = volume["spec"].get("claimRef")
        if ref is None or not ref.get("uid"):
            if ref is None:  # chosen here, not by whoever made the volume
                volume = _annotated(volume, BY_CONTROLLER)
            volume = {**volume, "spec": {**volume["spec"], "claimRef": _reference(claim)}}
            volume = self._client.update("persistentvolumes", volume)
        volume = self._volume_phase(volume, "Bound")
        wanted = claim
        if claim["spec"].get("volumeName") != name_of(volume):
            wanted = _annotated({**claim, "spec": {**claim["spec"], "volumeName": name_of(volume)}}, BY_CONTROLLER)
        if COMPLETED not in annotations_of(wanted):
            wanted = _annotated(wanted, COMPLETED)
        if wanted is not claim:
            claim = self._client.update("persistentvolumeclaims", wanted)
        self._claim_status(claim, "Bound", volume)

    def _claim_status(self, claim: Object, phase: str, volume: Object | None = None) -> None:
        old = claim.get("status") or {}
        status = {key: value for key, value in old.items() if key not in ("accessModes", "capacity")}
        status["phase"] = phase
        if volume is not None:
            spec, was_bound = volume["spec"], old.get("phase") == "Bound"
            status["accessModes"] = spec.get("accessModes")
            # the capacity of what is bound already follows its expansion
            status["capacity"] = (was_bound and old.get("capacity")) or spec.get("capacity")
            if spec.get("volumeAttributesClassName") and not was_bound:
                status["currentVolumeAttributesClassName"] = spec["volumeAttributesClassName"]
        if status != old:
            self._client.update_status("persistentvolumeclaims", {**claim, "status": status})

    # Provisioning

    def _provision(self, claim: Object, storage_class: Object | None) -> None:
        if storage_class is None:
            why = f'storageclass.storage.k8s.io "{class_of(claim)}" not found'
            self._event(claim, WARNING, "ProvisioningFailed", why)
            return
        provisioner = storage_class["provisioner"]
        if any(annotations_of(claim).get(key) != provisioner for key in PROVISIONER):
            claim = self._client.update("persistentvolumeclaims", _annotated(claim, *PROVISIONER, value=provisioner))
        if provisioner in self._provisioners:
            self._provision_here(claim, storage_class, self._provisioners[provisioner])
        elif provisioner.startswith(_BUILT_IN):
            why = f"no volume plugin matched name: {provisioner}"
            self._event(claim, WARNING, "ProvisioningFailed", why)
        else:
            told = f"Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually "
            told += "by the system administrator. If volume creation is delayed, please verify that the provisioner is "
            self._event(claim, NORMAL, "ExternalProvisioning", told + "running and correctly registered.")

    def _provision_here(self, claim: Object, storage_class: Object, provisioner: Provisioner) -> None:
        name, size = f"pvc-{uid_of(claim)}", requested(claim)
        node = annotations_of(claim).get(SELECTED_NODE, "")
        try:
            source = provisioner.provision(name, size, storage_class, node)
        except VolumeError as why:
            told = f'Failed to provision volume with StorageClass "{name_of(storage_class)}": {why}'
            self._event(claim, WARNING, "ProvisioningFailed", told)
            raise
        policy = storage_class.get("reclaimPolicy", "Delete")
        spec = claim["spec"]
        volume: Object = {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {
                "name": name,
                "annotations": {BY_CONTROLLER: "yes", PROVISIONED_BY: storage_class["provisioner"]},
                **({"finalizers": [FINALIZER]} if policy == "Delete" else {}),
            },
            "spec": {
                **source,
                "capacity": {"storage": str(size)},
                "accessModes": spec.get("accessModes"),
                "volumeMode": spec.get("volumeMode", "Filesystem"),
                "persistentVolumeReclaimPolicy": policy,
                "storageClassName": class_of(claim),
                "claimRef": _reference(claim),
                **({"mountOptions": storage_class["mountOptions"]} if storage_class.get("mountOptions") else {}),
            },
        }
        try:
            volume = self._client.create("persistentvolumes", volume)
        except StatusError as refusal:
            if refusal.reason != "AlreadyExists":
                raise
            return  # it is on its way into the cache
        told = f"Successfully provisioned volume {name} using {storage_class['provisioner']}"
        self._event(claim, NORMAL, "ProvisioningSucceeded", told)

    # Volumes

    def sync_volume(self, name: str) -> None:
        volume = self._volumes.get(name)
        if volume is None:
            return
        spec = volume["spec"]
        finalizers = metadata_of(volume).get("finalizers") or []
        if FINALIZER in finalizers and spec.get("persistentVolumeReclaimPolicy") != "Delete":
            volume = self._without_finalizer(volume)
        uid = get_path(spec, "claimRef", "uid")
        if not uid:
            self._volume_phase(volume, "Available")
            return
        claim = self._claim_of(volume, uid)
        if claim is None:
            self._release(volume)
        elif not claim["spec"].get("volumeName"):
            self._claim_queue.add(key_of(claim))
        elif claim["spec"]["volumeName"] == name:
            self._volume_phase(volume, "Bound")
        elif PROVISIONED_BY in annotations_of(volume) and spec.get("persistentVolumeReclaimPolicy") == "Delete":
            self._release(volume)
        else:
            self._unbind(volume)

    def _claim_of(self, volume: Object, uid: str) -> Object | None:
        """Before a volume is let go the server is asked: the cache of claims may be behind that of volumes."""
        claim = self._claims.get(_claim_key(volume))
        if claim is None or uid_of(claim) != uid:
            ref = volume["spec"]["claimRef"]
            try:
                claim = self._client.get("persistentvolumeclaims", ref["name"], ref["namespace"])
            except StatusError as refusal:
                if refusal.reason != "NotFound":
                    raise
                return None
        return claim if uid_of(claim) == uid else None

    def _unbind(self, volume: Object) -> None:
        """Its claim is bound elsewhere: free again, or kept for whom it was kept before."""
        ref = None
        if BY_CONTROLLER not in annotations_of(volume):
            ref = {key: value for key, value in volume["spec"]["claimRef"].items() if key != "uid"}
        spec = {key: value for key, value in volume["spec"].items() if key != "claimRef"}
        annotations = {key: value for key, value in annotations_of(volume).items() if key != BY_CONTROLLER}
        freed = with_metadata({**volume, "spec": {**spec, "claimRef": ref} if ref else spec}, annotations=annotations)
        self._volume_phase(self._client.update("persistentvolumes", freed), "Available")

    def _release(self, volume: Object) -> None:
        if _phase(volume) not in ("Released", "Failed"):
            volume = self._volume_phase(volume, "Released")
        policy = volume["spec"].get("persistentVolumeReclaimPolicy")
        if policy == "Recycle":
            self._failed(volume, "VolumeFailedRecycle", "No recycler plugin found for the volume!")
        if policy != "Delete":
            return
        provisioner = annotations_of(volume).get(PROVISIONED_BY, "")
        if provisioner and provisioner not in self._provisioners and not provisioner.startswith(_BUILT_IN):
            return  # somebody else's to delete
        try:
            self._deleter(volume, provisioner).delete(volume)
        except VolumeError as why:
            self._failed(volume, "VolumeFailedDelete", str(why))
            raise
        if FINALIZER in (metadata_of(volume).get("finalizers") or ()):
            volume = self._without_finalizer(volume)
        try:
            self._client.delete("persistentvolumes", name_of(volume), uid=uid_of(volume))
        except StatusError as refusal:
            if refusal.reason != "NotFound":
                raise

    def _deleter(self, volume: Object, provisioner: str) -> Provisioner:
        """Whoever made the volume; of those made by hand a hostPath below /tmp can be deleted."""
        if provisioner in self._provisioners:
            return self._provisioners[provisioner]
        path = get_path(volume, "spec", "hostPath", "path")
        if path is None:
            why = "no deletable volume plugin matched"
            raise VolumeError(f'error getting deleter volume plugin for volume "{name_of(volume)}": {why}')
        if not re.match("/tmp/.+", path):
            raise VolumeError(f'host_path deleter only supports /tmp/.+ but received provided "{path}"')
        return HostPath()

    def _failed(self, volume: Object, reason: str, why: str) -> None:
        if _phase(volume) != "Failed":
            self._volume_phase(volume, "Failed", why)
            self._event(volume, WARNING, reason, why)

    def _without_finalizer(self, volume: Object) -> Object:
        finalizers = [name for name in metadata_of(volume)["finalizers"] if name != FINALIZER]
        return self._client.update("persistentvolumes", with_metadata(volume, finalizers=finalizers))

    def _volume_phase(self, volume: Object, phase: str, message: str = "") -> Object:
        old = volume.get("status") or {}
        if (old.get("phase"), old.get("message", "")) == (phase, message):
            return volume
        status: Object = {"phase": phase, "lastPhaseTransitionTime": rfc3339(self._loop.now())}
        if old.get("phase") == phase and "lastPhaseTransitionTime" in old:
            status["lastPhaseTransitionTime"] = old["lastPhaseTransitionTime"]
        if message:
            status["message"] = message
        return self._client.update_status("persistentvolumes", {**volume, "status": status})


def _wanted_by(volume: Object) -> Iterable[str]:
    """Who may want it: claims of its class, or the one it is kept for."""
    if volume["spec"].get("claimRef"):
        return (f"claim {_claim_key(volume)}",)
    return (f"class {class_of(volume)}",)


def _claim_key(volume: Object) -> str:
    ref = volume["spec"]["claimRef"]
    return f"{ref.get('namespace', '')}/{ref.get('name', '')}"


def _phase(obj: Object) -> str:
    return get_path(obj, "status", "phase", default="Pending")


def _annotated(obj: Object, *keys: str, value: str = "yes") -> Object:
    return with_metadata(obj, annotations={**annotations_of(obj), **dict.fromkeys(keys, value)})


def _reference(claim: Object) -> dict[str, Any]:
    about = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": name_of(claim)}
    return {
        **about,
        "namespace": namespace_of(claim),
        "uid": uid_of(claim),
        "resourceVersion": claim["metadata"]["resourceVersion"],
    }
