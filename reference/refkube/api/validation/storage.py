"""Validation of PersistentVolume, PersistentVolumeClaim and the kinds of storage.k8s.io.

Facts: kubernetes/pkg/apis/core/validation (ValidatePersistentVolume*, ValidatePersistentVolumeClaim*) and
pkg/apis/storage/validation. Left out: the health of CSI volumes, capacity of single CSI topologies, upstream's printed
difference in the message of a refused change.
"""

from __future__ import annotations

import posixpath
from typing import Any

from refkube.api.validation.common import (
    NOTHING,
    Errors,
    each,
    must_have,
    non_negatives,
    one_of,
    quantity,
    rules,
    same,
    spec_of,
    status_of,
    unchanged,
)
from refkube.api.validation.objectmeta import IMMUTABLE, Rules, name_is_dns_label, name_is_dns_subdomain
from refkube.api.validation.podspec import validate_node_selector
from refkube.api.validation.volumes import (
    SOURCES,
    VOLUME_MODES,
    no_backsteps,
    validate_access_modes,
    validate_claim_spec,
    validate_csi_driver_name,
)
from refkube.apimachinery import names
from refkube.apimachinery.errors import (
    duplicate,
    field_forbidden,
    invalid,
    not_supported,
    required,
    too_long,
)
from refkube.apimachinery.meta import Object, annotations_of, name_of
from refkube.apimachinery.selectors import validate_label_selector

RECLAIM_POLICIES = ("Delete", "Recycle", "Retain")
BETA_CLASS = "volume.beta.kubernetes.io/storage-class"
_POSITIVE = "must be greater than zero"
_PV_SOURCES = (
    "hostPath", "gcePersistentDisk", "awsElasticBlockStore", "glusterfs", "flocker", "nfs", "rbd", "quobyte", "cephfs",
    "iscsi", "cinder", "fc", "flexVolume", "azureFile", "vsphereVolume", "photonPersistentDisk", "portworxVolume",
    "azureDisk", "scaleIO", "local", "storageos", "csi",
)  # fmt: skip
_CSI_SECRETS = (
    "controllerPublishSecretRef",
    "controllerExpandSecretRef",
    "nodePublishSecretRef",
    "nodeExpandSecretRef",
)
_RESIZE = (
    "ControllerResizeInProgress", "ControllerResizeInfeasible", "NodeResizeInProgress", "NodeResizeInfeasible",
    "NodeResizePending",
)  # fmt: skip


def _volume(volume: Object) -> Errors:
    spec = spec_of(volume)
    modes, capacity = spec.get("accessModes") or (), spec.get("capacity") or {}
    if not modes:
        yield required("spec.accessModes")
    yield from validate_access_modes(modes, "spec.accessModes")
    if not capacity:
        yield required("spec.capacity")
    if set(capacity) != {"storage"}:
        yield not_supported("spec.capacity", capacity, ("storage",))
    for name, size in capacity.items():
        if quantity(size).sign <= 0:
            yield invalid(f"spec.capacity[{name}]", str(quantity(size)), _POSITIVE)
    yield from one_of(spec, "persistentVolumeReclaimPolicy", "spec.", RECLAIM_POLICIES)
    affinity = spec.get("nodeAffinity")
    if affinity is not None and affinity.get("required") is None:
        yield required("spec.nodeAffinity.required", "must specify required node constraints")
    elif affinity is not None:
        yield from validate_node_selector(affinity["required"], "spec.nodeAffinity.required")
    yield from _volume_source(spec)
    if spec.get("storageClassName"):
        yield from each(spec["storageClassName"], "spec.storageClassName", name_is_dns_subdomain)
    yield from one_of(spec, "volumeMode", "spec.", VOLUME_MODES)
    attributes = spec.get("volumeAttributesClassName")
    if attributes == "":
        yield required("spec.volumeAttributesClassName", "an empty string is disallowed")
    elif attributes is not None:
        yield from each(attributes, "spec.volumeAttributesClassName", name_is_dns_subdomain)
        if "csi" not in spec:
            yield required("spec.csi", "has to be specified when using volumeAttributesClassName")


def _volume_source(spec: Object) -> Errors:
    kinds = [kind for kind in _PV_SOURCES if spec.get(kind) is not None]
    if not kinds:
        yield required("spec", "must specify a volume type")
        return
    for other in kinds[1:]:
        yield field_forbidden(f"spec.{other}", "may not specify more than 1 volume type")
    kind, source = kinds[0], spec[kinds[0]]
    if kind == "local":
        if source.get("path"):
            yield from no_backsteps(source["path"], "spec.local.path")
        else:
            yield required("spec.local.path")
        if not spec.get("nodeAffinity"):
            yield required("spec.nodeAffinity", "Local volume requires node affinity")
    elif kind == "csi":
        yield from validate_csi_driver_name(source.get("driver", ""), "spec.csi.driver")
        yield from must_have(source, "spec.csi.", "volumeHandle")
        for key in _CSI_SECRETS:
            if key in source:
                yield from must_have(source[key], f"spec.csi.{key}.", "name", "namespace")
    else:
        yield from SOURCES[kind](source, f"spec.{kind}")
    recycled = spec.get("persistentVolumeReclaimPolicy") == "Recycle"
    if kind == "hostPath" and recycled and posixpath.normpath(source.get("path", ".")) in ("/", "//"):
        yield field_forbidden("spec.persistentVolumeReclaimPolicy", "may not be 'recycle' for a hostPath mount of '/'")


def _volume_update(volume: Object, old_volume: Object) -> Errors:
    new, old = spec_of(volume), spec_of(old_volume)
    now = {kind: new.get(kind) for kind in _PV_SOURCES}
    if now["csi"] and "controllerExpandSecretRef" not in (old.get("csi") or {}):
        now["csi"] = {key: value for key, value in now["csi"].items() if key != "controllerExpandSecretRef"}
    if not same(now, {kind: old.get(kind) for kind in _PV_SOURCES}):
        yield field_forbidden("spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation")
    yield from unchanged(new, old, "", "volumeMode")
    if old.get("nodeAffinity") is not None:
        yield from unchanged(new, old, "", "nodeAffinity")
    if old.get("volumeAttributesClassName") is not None and new.get("volumeAttributesClassName") is None:
        yield field_forbidden("spec.volumeAttributesClassName", "update from non-nil value to nil is forbidden")


def _claim(claim: Object) -> Errors:
    spec = spec_of(claim)
    yield from validate_claim_spec(spec, "spec")
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    for key, data in (("dataSource", source), ("dataSourceRef", reference)):
        if data is not None:
            yield from _data_source(data, f"spec.{key}")
    if source is None or reference is None:
        return
    if reference.get("namespace"):
        yield invalid("spec", "spec.dataSource", "may not be specified when dataSourceRef.namespace is specified")
    elif any(source.get(key) != reference.get(key) for key in ("apiGroup", "kind", "name")):
        yield invalid("spec", "spec.dataSource", "must match dataSourceRef")


def _data_source(source: Object, path: str) -> Errors:
    yield from must_have(source, f"{path}.", "name", "kind")
    group, kind = source.get("apiGroup"), source.get("kind", "")
    if not group and kind != "PersistentVolumeClaim":
        yield invalid(path, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup")
    if group:
        yield from each(group, f"{path}.apiGroup", names.is_dns1123_subdomain)
    if source.get("namespace"):
        yield from each(source["namespace"], f"{path}.namespace", name_is_dns_label)


def _claim_update(claim: Object, old_claim: Object) -> Errors:
    new, old = spec_of(claim), spec_of(old_claim)
    annotations, old_annotations = annotations_of(claim), annotations_of(old_claim)
    fixed = {**new, "volumeAttributesClassName": old.get("volumeAttributesClassName")}
    if not old.get("volumeName"):
        fixed["volumeName"] = old.get("volumeName")
    named, was = new.get("storageClassName"), old_annotations.get(BETA_CLASS)
    if named is not None and old.get("storageClassName") is None and was in (None, named):
        # A class may be given once; where the old annotation names one, it must be that one.
        fixed["storageClassName"] = None
    moved = fixed.get("storageClassName") != named and BETA_CLASS not in annotations
    if annotations.get(BETA_CLASS) != was and not moved:
        yield invalid(f"metadata.annotations.{BETA_CLASS}", annotations.get(BETA_CLASS, ""), IMMUTABLE)
    size, old_size = _size(new), _size(old)
    bound = status_of(claim).get("phase") == "Bound"
    if old_size is not None and size is not None and (bound or quantity(size) == quantity(old_size)):
        resources = new["resources"]
        fixed["resources"] = {**resources, "requests": {**resources["requests"], "storage": old_size}}
    if not same(fixed, old):
        why = (
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        )
        yield field_forbidden("spec", why)
    if size is not None and old_size is not None and quantity(size) < quantity(old_size):
        held = (status_of(old_claim).get("capacity") or NOTHING).get("storage", 0)
        if quantity(size) <= quantity(held):
            yield field_forbidden("spec.resources.requests.storage", "field can not be less than status.capacity")
    yield from unchanged(new, old, "", "volumeMode")
    if old.get("volumeAttributesClassName") is not None and not new.get("volumeAttributesClassName"):
        to = "nil" if new.get("volumeAttributesClassName") is None else "an empty string"
        yield field_forbidden("spec.volumeAttributesClassName", f"update from non-nil value to {to} is forbidden")


def _size(spec: Object) -> Any:
    return ((spec.get("resources") or NOTHING).get("requests") or NOTHING).get("storage")


def _claim_status(claim: Object, _: Object) -> Errors:
    status = status_of(claim)
    if not spec_of(claim).get("accessModes"):
        yield required("Spec.accessModes")
    for key in ("capacity", "allocatedResources"):
        for name, size in (status.get(key) or NOTHING).items():
            if key == "allocatedResources":
                yield from _claim_resource(name, f"status.{key}")
            if quantity(size).sign < 0:
                yield invalid(f"status.{key}[{name}]", quantity(size).value(), "must be a valid resource quantity")
    for name, state in (status.get("allocatedResourceStatuses") or NOTHING).items():
        yield from _claim_resource(name, "status.allocatedResourceStatus")
        if state not in _RESIZE:
            yield not_supported("status.allocatedResourceStatus", name, sorted(_RESIZE))


def _claim_resource(name: str, path: str) -> Errors:
    faults = names.is_qualified_name(name)
    yield from (invalid(path, name, fault) for fault in faults)
    if not faults and name != "storage" and ("/" not in name or "kubernetes.io/" in name):
        yield not_supported(path, name, ("storage",))


def _storage_class(storage_class: Object) -> Errors:
    provisioner = storage_class.get("provisioner", "")
    if not provisioner:
        yield required("provisioner")
    else:
        yield from (invalid("provisioner", provisioner, text) for text in names.is_qualified_name(provisioner.lower()))
    yield from _parameters(storage_class.get("parameters") or {})
    yield from one_of(storage_class, "reclaimPolicy", "", ("Delete", "Retain"))
    yield from one_of(storage_class, "volumeBindingMode", "", ("Immediate", "WaitForFirstConsumer"), must=True)
    for index, term in enumerate(storage_class.get("allowedTopologies") or ()):
        keys = set()
        for number, expression in enumerate(term.get("matchLabelExpressions") or ()):
            path = f"allowedTopologies[{index}].matchLabelExpressions[{number}]"
            key, values = expression.get("key", ""), expression.get("values") or []
            if not values:
                yield required(f"{path}.values")
            for place, value in enumerate(values):
                if value in values[:place]:
                    yield duplicate(f"{path}.values[{place}]", value)
            yield from each(key, f"{path}.key", names.is_qualified_name)
            if key in keys:
                yield duplicate(f"{path}.key", key)
            keys.add(key)


def _parameters(parameters: dict[str, str]) -> Errors:
    if len(parameters) > 512:
        yield too_long("parameters", 512)
        return
    if "" in parameters:
        yield invalid("parameters", "", "field can not be empty.")
    if sum(len(key.encode()) + len(value.encode()) for key, value in parameters.items()) > 256 << 10:
        yield too_long("parameters", 256 << 10)


def _storage_class_update(new: Object, old: Object) -> Errors:
    for key in ("parameters", "provisioner", "reclaimPolicy"):
        if not same(new.get(key), old.get(key)):
            yield field_forbidden(key, f"updates to {key} are forbidden.")
    yield from unchanged(new, old, "", "volumeBindingMode")


def _attributes_class(attributes: Object) -> Errors:
    yield from validate_csi_driver_name(attributes.get("driverName", ""), "driverName")
    if not attributes.get("parameters"):
        yield required("parameters", "must contain at least one key/value pair")
    yield from _parameters(attributes.get("parameters") or {})


def _attributes_class_update(new: Object, old: Object) -> Errors:
    for key in ("driverName", "parameters"):
        if not same(new.get(key), old.get(key)):
            yield field_forbidden(key, f"updates to {key} are forbidden.")


def _attachment(attachment: Object) -> Errors:
    spec = spec_of(attachment)
    yield from validate_csi_driver_name(spec.get("attacher", ""), "spec.attacher")
    source = spec.get("source") or {}
    name, inline = source.get("persistentVolumeName"), source.get("inlineVolumeSpec")
    why = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
    if name is None and inline is None:
        yield required("spec.source", why)
    elif name is not None and inline is not None:
        yield field_forbidden("spec.source", why)
    elif name == "":
        yield required("spec.source.persistentVolumeName", "must specify non empty persistentVolumeName")
    elif name is not None:
        yield from each(name, "spec.source.persistentVolumeName", name_is_dns_subdomain)
    yield from each(spec.get("nodeName", ""), "spec.nodeName", name_is_dns_subdomain)


def _csi_driver(driver: Object) -> Errors:
    spec = spec_of(driver)
    yield from validate_csi_driver_name(name_of(driver), "metadata.name")
    for key, shown in (("attachRequired", "attachedRequired"), ("podInfoOnMount",) * 2, ("storageCapacity",) * 2):
        if spec.get(key) is None:
            yield required(f"spec.{shown}")
    yield from one_of(spec, "fsGroupPolicy", "spec.", ("File", "None", "ReadWriteOnceWithFSType"))
    for mode in spec.get("volumeLifecycleModes") or ():
        if mode not in ("Ephemeral", "Persistent"):
            yield not_supported("spec.volumeLifecycleModes", mode, ("Ephemeral", "Persistent"))


def _csi_driver_update(new: Object, old: Object) -> Errors:
    yield from unchanged(spec_of(new), spec_of(old), "spec.", "attachRequired", "volumeLifecycleModes")


def _csi_node(node: Object) -> Errors:
    seen = set()
    for index, driver in enumerate(spec_of(node).get("drivers") or ()):
        path, name = f"spec.drivers[{index}]", driver.get("name", "")
        yield from validate_csi_driver_name(name, f"{path}.name")
        if name in seen:
            yield duplicate(f"{path}.name", name)
        seen.add(name)
        yield from must_have(driver, f"{path}.", "nodeID")
        if len(driver.get("nodeID", "").encode()) > 256:
            yield invalid(f"{path}.nodeID", driver["nodeID"], "must be 256 characters or less")
        yield from non_negatives(driver.get("allocatable") or {}, f"{path}.allocatable", "count")
        keys = driver.get("topologyKeys") or []
        for place, key in enumerate(keys):
            if key in keys[:place]:
                yield duplicate(f"{path}.topologyKeys", key)
            yield from each(key, f"{path}.topologyKeys", names.is_qualified_name)


def _csi_capacity(capacity: Object) -> Errors:
    yield from each(capacity.get("storageClassName", ""), "storageClassName", name_is_dns_subdomain)
    for key in ("capacity", "maximumVolumeSize"):
        if key in capacity and quantity(capacity[key]).sign < 0:
            yield invalid(key, capacity[key], "must be greater than or equal to 0")
    if "nodeTopology" in capacity:
        yield from validate_label_selector(capacity["nodeTopology"], "nodeTopology")


RULES: dict[tuple[str, str], Rules] = {
    ("", "PersistentVolume"): rules(_volume, _volume_update, namespaced=False),
    ("", "PersistentVolumeClaim"): rules(_claim, _claim_update, _claim_status),
    **{
        ("storage.k8s.io", kind): entry
        for kind, entry in {
            "StorageClass": rules(_storage_class, _storage_class_update, namespaced=False),
            "VolumeAttributesClass": rules(_attributes_class, _attributes_class_update, namespaced=False),
            "VolumeAttachment": rules(_attachment, lambda new, old: unchanged(new, old, "", "spec"), namespaced=False),
            "CSIDriver": rules(_csi_driver, _csi_driver_update, namespaced=False),
            "CSINode": rules(_csi_node, namespaced=False),
            "CSIStorageCapacity": rules(
                _csi_capacity, lambda new, old: unchanged(new, old, "", "nodeTopology", "storageClassName")
            ),
        }.items()
    },
}
