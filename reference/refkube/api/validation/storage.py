"""Validation of PersistentVolume, PersistentVolumeClaim and the kinds of storage.k8s.io.

Facts: kubernetes/pkg/apis/core/validation (ValidatePersistentVolume*, ValidatePersistentVolumeClaim*) and
pkg/apis/storage/validation. Left out: the health of CSI volumes, capacity of single CSI topologies, upstream's printed
difference in the message of a refused change.
"""

from __future__ import annotations

import posixpath
from typing import Any

from refkube.api.validation import common, podspec, volumes
from refkube.api.validation.common import QUALIFIED, quantity
from refkube.api.validation.rules import (
    IMMUTABLE,
    NOTHING,
    Check,
    Errors,
    below,
    rules,
    same,
    spec_of,
    status_of,
    tables,
    told,
)  # fmt: skip
from refkube.api.validation.volumes import SOURCES
from refkube.apimachinery.errors import (
    FieldError,
    duplicate,
    field_forbidden,
    invalid,
    not_supported,
    required,
    too_long,
)  # fmt: skip
from refkube.apimachinery.meta import Object, annotations_of

BETA_CLASS = "volume.beta.kubernetes.io/storage-class"
_RESIZE = (
    "ControllerResizeInProgress", "ControllerResizeInfeasible", "NodeResizeInProgress", "NodeResizeInfeasible",
    "NodeResizePending",
)  # fmt: skip
_PV_SOURCES = (
    "hostPath", "gcePersistentDisk", "awsElasticBlockStore", "glusterfs", "flocker", "nfs", "rbd", "quobyte", "cephfs",
    "iscsi", "cinder", "fc", "flexVolume", "azureFile", "vsphereVolume", "photonPersistentDisk", "portworxVolume",
    "azureDisk", "scaleIO", "local", "storageos", "csi",
)  # fmt: skip


# Volumes


def _pv_source(spec: Object, *_: object) -> Errors:
    """The order is upstream's: what is one too many is told before what is wrong with the first."""
    kinds = [kind for kind in _PV_SOURCES if kind in spec]
    yield from told((not kinds, required, "", "must specify a volume type"))
    for other in kinds[1:]:
        yield field_forbidden(f".{other}", "may not specify more than 1 volume type")
    for kind in kinds[:1]:
        check: Check = TABLES[f"source {kind}"] if kind in ("local", "csi") else SOURCES[kind]
        yield from below(f".{kind}", check(spec[kind], spec))


def source_of(spec: Object) -> str:
    return next((kind for kind in _PV_SOURCES if kind in spec), "")


def is_root(source: Object) -> bool:
    return posixpath.normpath(source.get("path", ".")) in ("/", "//")


def sources(spec: Object, before: Object) -> Object:
    """What of a volume's source may not change: not the secret that it is expanded with, if it had none before."""
    found = {kind: spec.get(kind) for kind in _PV_SOURCES}
    if found["csi"] and "controllerExpandSecretRef" not in (before.get("csi") or {}):
        found["csi"] = {key: value for key, value in found["csi"].items() if key != "controllerExpandSecretRef"}
    return found


# Claims


def differs(source: Object, reference: Object) -> bool:
    return any(source.get(key) != reference.get(key) for key in ("apiGroup", "kind", "name"))


def _claim_update(claim: Object, old_claim: Object, *_: object) -> Errors:
    new, old = spec_of(claim), spec_of(old_claim)
    annotations, old_annotations = annotations_of(claim), annotations_of(old_claim)
    allowed = {**new, "volumeAttributesClassName": old.get("volumeAttributesClassName")}
    if not old.get("volumeName"):
        allowed["volumeName"] = old.get("volumeName")
    named, was = new.get("storageClassName"), old_annotations.get(BETA_CLASS)
    if named is not None and old.get("storageClassName") is None and was in (None, named):
        # A class may be given once; where the old annotation names one, it must be that one.
        allowed["storageClassName"] = None
    moved = allowed.get("storageClassName") != named and BETA_CLASS not in annotations
    if annotations.get(BETA_CLASS) != was and not moved:
        yield invalid(f"metadata.annotations.{BETA_CLASS}", annotations.get(BETA_CLASS, ""), IMMUTABLE)
    size, old_size = _size(new), _size(old)
    bound = status_of(claim).get("phase") == "Bound"
    if old_size is not None and size is not None and (bound or quantity(size) == quantity(old_size)):
        resources = new["resources"]
        allowed["resources"] = {**resources, "requests": {**resources["requests"], "storage": old_size}}
    if not same(allowed, old):
        why = (
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        )
        yield field_forbidden("spec", why)
    if size is not None and old_size is not None and quantity(size) < quantity(old_size):
        held = (status_of(old_claim).get("capacity") or NOTHING).get("storage", 0)
        if quantity(size) <= quantity(held):
            yield field_forbidden("spec.resources.requests.storage", "field can not be less than status.capacity")


def _size(spec: Object) -> Any:
    return ((spec.get("resources") or NOTHING).get("requests") or NOTHING).get("storage")


def is_foreign(name: str) -> bool:
    """Is it a resource that a claim does not have?"""
    return name != "storage" and ("/" not in name or "kubernetes.io/" in name)


def _resizes(states: Object, *_: object) -> Errors:
    for name, state in states.items():
        yield from TABLES["ClaimResource"]({"name": name})
        yield from told((state not in _RESIZE, not_supported, "", name, sorted(_RESIZE)))


def _allocated(resources: Object, *_: object) -> Errors:
    for name, size in resources.items():
        yield from TABLES["ClaimResource"]({"name": name})
        amount = quantity(size)
        yield from told((amount.sign < 0, invalid, f"[{name}]", amount.value(), "must be a valid resource quantity"))


# storage.k8s.io


def _parameters(parameters: dict[str, str], *_: object) -> list[FieldError]:
    size = sum(len(key.encode()) + len(value.encode()) for key, value in parameters.items())
    if len(parameters) > 512:
        return [too_long("", 512)]
    return told(
        ("" in parameters, invalid, "", "", "field can not be empty."),
        (size > 256 << 10, too_long, "", 256 << 10),
    )


def _topology_keys(keys: list[str], *_: object) -> Errors:
    for place, key in enumerate(keys):
        yield from told((key in keys[:place], duplicate, "", key))
        yield from QUALIFIED(key)


TABLES = tables(r"""
source local
  path                  required no_backsteps
source csi
  driver                default "" driver_name
  volumeHandle          required
  controllerPublishSecretRef, controllerExpandSecretRef, nodePublishSecretRef, nodeExpandSecretRef  given
    name, namespace     required

/PersistentVolume
  spec                  default NOTHING
    accessModes         required
    accessModes         access_modes
    capacity            required
    capacity            default NOTHING unsupported storage if set(v) != set(["storage"])
    capacity{}          invalid str(quantity(v)) if quantity(v).sign <= 0 -- must be greater than zero
    persistentVolumeReclaimPolicy  in Delete Recycle Retain
    nodeAffinity.required  present if nodeAffinity? -- must specify required node constraints
    nodeAffinity.required  given NodeSelector
    .                   pv_source
    nodeAffinity        required if source_of(o) == "local" -- Local volume requires node affinity
    persistentVolumeReclaimPolicy  forbidden if v == "Recycle" and hostPath? and is_root(hostPath) \
                        -- may not be 'recycle' for a hostPath mount of '/'
    storageClassName    SUBDOMAIN
    volumeMode          in Block Filesystem
    volumeAttributesClassName  required if volumeAttributesClassName? -- an empty string is disallowed
    volumeAttributesClassName  SUBDOMAIN
    csi                 present if volumeAttributesClassName -- has to be specified when using volumeAttributesClassName
/PersistentVolume update
  spec                  default NOTHING
    .                   always forbidden if not same(sources(o, old), sources(old, old)) at ".persistentvolumesource" \
                        -- spec.persistentvolumesource is immutable after creation
  spec.volumeMode       immutable at ".volumeMode"
  spec.nodeAffinity     immutable if old.spec.nodeAffinity? at ".nodeAffinity"
  spec.volumeAttributesClassName  always forbidden if w is not None and v is None \
                        -- update from non-nil value to nil is forbidden

/PersistentVolumeClaim
  spec                  default NOTHING
    .                   ClaimSpec
    dataSource, dataSourceRef  given
      name, kind        required
      .                 invalid (kind or "") if not apiGroup and kind != "PersistentVolumeClaim" \
                        -- must be 'PersistentVolumeClaim' when referencing the default apiGroup
      apiGroup          SUBDOMAIN
      namespace         LABEL
    .                   invalid "spec.dataSource" if dataSource? and dataSourceRef? and dataSourceRef.namespace \
                        -- may not be specified when dataSourceRef.namespace is specified
    else .              invalid "spec.dataSource" \
                        if dataSource? and dataSourceRef? and differs(dataSource, dataSourceRef) \
                        -- must match dataSourceRef
/PersistentVolumeClaim update
  .                     claim_update
  spec.volumeMode       immutable at ".volumeMode"
  spec.volumeAttributesClassName  always forbidden if w is not None and v is None \
                        -- update from non-nil value to nil is forbidden
  spec.volumeAttributesClassName  always forbidden if w is not None and v == "" \
                        -- update from non-nil value to an empty string is forbidden
/PersistentVolumeClaim status
  spec.accessModes      required at ".Spec.accessModes"
  status.capacity{}     invalid quantity(v).value() if quantity(v).sign < 0 -- must be a valid resource quantity
  status.allocatedResources  allocated
  status.allocatedResourceStatuses  resizes at ".status.allocatedResourceStatus"

ClaimResource
  name                  always QUALIFIED at ""
  else name             always unsupported storage if is_foreign(v) at ""

storage.k8s.io/StorageClass
  provisioner           required QUALIFIED_IN_LOWER
  parameters            Parameters
  reclaimPolicy         in Delete Retain
  volumeBindingMode     required in Immediate WaitForFirstConsumer
  allowedTopologies[]
    matchLabelExpressions[]
      values            required
      values[]
        .               unique
      key               default "" QUALIFIED
      key               default "" unique
storage.k8s.io/StorageClass update
  parameters, provisioner, reclaimPolicy, volumeBindingMode  immutable

Parameters
  .                     parameters

storage.k8s.io/VolumeAttributesClass
  driverName            default "" driver_name
  parameters            required Parameters -- must contain at least one key/value pair
storage.k8s.io/VolumeAttributesClass update
  driverName            immutable -- updates to driverName are forbidden.
  parameters            immutable -- updates to parameters are forbidden.

storage.k8s.io/VolumeAttachment
  spec                  default NOTHING
    attacher            default "" driver_name
    source              default NOTHING
      .                 missing if not persistentVolumeName? and not inlineVolumeSpec? \
                        -- must specify exactly one of inlineVolumeSpec and persistentVolumeName
      .                 forbidden if persistentVolumeName? and inlineVolumeSpec? \
                        -- must specify exactly one of inlineVolumeSpec and persistentVolumeName
      persistentVolumeName  required if persistentVolumeName? and not inlineVolumeSpec? \
                        -- must specify non empty persistentVolumeName
      persistentVolumeName  SUBDOMAIN if not inlineVolumeSpec?
    nodeName            default "" SUBDOMAIN
storage.k8s.io/VolumeAttachment update
  spec                  immutable

storage.k8s.io/CSIDriver
  metadata.name         default "" driver_name
  spec                  default NOTHING
    attachRequired      present at ".attachedRequired"
    podInfoOnMount      present
    storageCapacity     present
    fsGroupPolicy       in File None ReadWriteOnceWithFSType
    volumeLifecycleModes[.]  in Ephemeral Persistent
storage.k8s.io/CSIDriver update
  spec                  default NOTHING
    attachRequired, volumeLifecycleModes  immutable

storage.k8s.io/CSINode
  spec.drivers[]
    name                default "" driver_name
    name                default "" unique
    nodeID              required
    nodeID              invalid if len(v.encode()) > 256 -- must be 256 characters or less
    allocatable.count   >= 0
    topologyKeys        topology_keys

storage.k8s.io/CSIStorageCapacity
  storageClassName      default "" SUBDOMAIN
  capacity, maximumVolumeSize  given invalid if quantity(v).sign < 0 -- must be greater than or equal to 0
  nodeTopology          SELECTOR
storage.k8s.io/CSIStorageCapacity update
  nodeTopology, storageClassName  immutable
""", globals(), vars(common), vars(podspec), vars(volumes))  # fmt: skip
RULES = rules(TABLES)
