"""Validation of volumes: every volume source of a Pod, and the claim that an ephemeral volume makes.

Called for Pods and templates; validation of PersistentVolumes and claims shares SOURCES and ClaimSpec. Where upstream
reports a field under another name than its own (gcePersistentDisk, a token's path), so does this.
Facts: kubernetes/pkg/apis/core/validation/validation.go, validateVolumeSource and what it calls.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from refkube.api.validation import common
from refkube.api.validation.common import quantity
from refkube.api.validation.objectmeta import name_is_dns_subdomain, validate_annotations, validate_labels
from refkube.api.validation.rules import NOTHING, Errors, below, first_told, tables, text, told
from refkube.apimachinery import names
from refkube.apimachinery.errors import FieldError, duplicate, field_forbidden, invalid, not_supported, required
from refkube.apimachinery.meta import Object

ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
VOLUME_FIELD_PATHS = ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
RESOURCE_FIELDS = tuple(
    f"{side}.{name}" for side in ("limits", "requests") for name in ("cpu", "ephemeral-storage", "memory")
)
_HUGE = ("limits.hugepages-", "requests.hugepages-")
_DIVISORS = "1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei"
_FIELD_LABELS = {
    *VOLUME_FIELD_PATHS, "spec.nodeName", "spec.restartPolicy", "spec.serviceAccountName", "spec.schedulerName",
    "spec.host", "status.phase", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
}  # fmt: skip
_ISCSI_NAMES = {
    "iqn": re.compile(r"iqn\.\d{4}-\d{2}\.([A-Za-z0-9\-.]+)(:[^,;*&$|\s]+)$"),
    "eui": re.compile(r"^eui.[A-Za-z0-9]{16}$"),
    "naa": re.compile(r"^naa.[A-Za-z0-9]{32}$"),
}
_AZURE_URIS = {
    True: "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}",
    False: "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd",
}


def validate_volumes(volumes: Collection[Object]) -> tuple[dict[str, Object], list[FieldError]]:
    """The valid volumes by name, for mounts to refer to, and the errors of the others."""
    found: dict[str, Object] = {}
    errors: list[FieldError] = []
    for index, volume in enumerate(volumes):
        name, faults = volume.get("name", ""), TABLES["Volume"](volume)
        if name in found:
            faults = [*faults, duplicate(".name", name)]
        if faults:
            errors += below(f"[{index}]", faults)
        else:
            found[name] = volume
    return found, errors


def validate_made_claims(volumes: Collection[Object], pod_name: str, path: str) -> Errors:
    """The names of the claims that a Pod's ephemeral volumes make: valid, and not referred to by another volume."""
    made = {f"{pod_name}-{volume.get('name')}" for volume in volumes if "ephemeral" in volume}
    for index, volume in enumerate(volumes if made else ()):
        name, claim = volume.get("name", ""), (volume.get("persistentVolumeClaim") or NOTHING).get("claimName")
        if "ephemeral" in volume:
            for message in name_is_dns_subdomain(f"{pod_name}-{name}"):
                yield invalid(f"{path}[{index}].name", name, f'PVC name "{pod_name}-{name}": {message}')
        if claim in made:
            why = "must not reference a PVC that gets created for an ephemeral volume"
            yield invalid(f"{path}[{index}].persistentVolumeClaim.claimName", claim, why)


def _descends(target: str) -> list[str]:
    return (["must be a relative path"] if target.startswith("/") else []) + _steps(target)


def _steps(target: str) -> list[str]:
    return ["must not contain '..'"] if ".." in target.split("/") else []


def _local(target: str) -> list[str]:
    hidden = target.startswith("..") and not target.startswith("../")
    return _descends(target) + (["must not start with '..'"] if hidden else [])


descending_path, no_backsteps, local_path = text(_descends), text(_steps), text(_local)
MODE = text(lambda mode: [] if 0 <= mode <= 0o777 else ["must be a number between 0 and 0777 (octal), both inclusive"])


# What is particular to one source


@text
def iscsi_name(name: str) -> list[str]:
    if name[:3] not in _ISCSI_NAMES:
        return ["must be valid format starting with iqn, eui, or naa"]
    return [] if _ISCSI_NAMES[name[:3]].search(name) else ["must be valid format"]


def _initiator(volume: Object, *_: Any) -> list[FieldError]:
    iscsi, name = volume.get("iscsi") or NOTHING, volume.get("name", "")
    if "initiatorName" not in iscsi or next(key for key in SOURCES if key in volume) != "iscsi":
        return []
    long, why = (
        len(f"{name}:{iscsi.get('targetPortal', '')}") > 64,
        "Total length of <volume name>:<iscsi.targetPortal>",
    )
    only = "if iscsi.initiatorName is specified."
    return told((long, invalid, ".name", name, f"{why} must be under 64 characters {only}"))


def _quobyte(source: Object, *_: Any) -> list[FieldError]:
    registry, tenant = source.get("registry", ""), source.get("tenant", "")
    pairs = "must be a host:port pair or multiple pairs separated by commas"
    unpaired = not all(":" in pair for pair in registry.split(","))
    return first_told(
        (not registry, required, ".registry", pairs),
        (len(tenant) >= 65, required, ".tenant", "must be a UUID and may not exceed a length of 64 characters"),
        (unpaired, invalid, ".registry", registry, pairs),
    )


def is_reserved(key: str) -> bool:
    return ("." + key.partition("/")[0].lower()).endswith((".kubernetes.io", ".k8s.io"))


def _azure_uri(uri: str, source: Object, *_: Any) -> list[FieldError]:
    kind, form = source.get("kind"), _AZURE_URIS[source.get("kind") == "Managed"]
    return told((kind and not uri.startswith(form.partition("{")[0]), not_supported, "", uri, (form,)))


# Fields of the Pod and resources of its containers, in files and in variables


def field_ref(reference: Object, supported: Collection[str]) -> list[FieldError]:
    """An ObjectFieldSelector; `supported` is what its place allows, besides one label or annotation."""
    field, version, path = reference.get("fieldPath", ""), reference.get("apiVersion"), ".fieldPath"
    if version == "v1" and field in supported:
        return []
    name, bracket, subscript = field[:-2].partition("['") if field.endswith("']") else (field, "", "")
    if version == "v1" and name in ("metadata.labels", "metadata.annotations") and bracket:
        key = subscript.lower() if "annotations" in name else subscript
        return [invalid("", key, message) for message in names.is_qualified_name(key)]
    failed = "error converting fieldPath: "
    return first_told(
        (not version, required, ".apiVersion"),
        (not field, required, path),
        (version != "v1", invalid, path, field, f"{failed}unsupported pod version: {version}"),
        (name and bracket, invalid, path, field, f"{failed}field label does not support subscript: {field}"),
        (field not in _FIELD_LABELS, invalid, path, field, f"{failed}field label not supported: {field}"),
        (field not in supported, not_supported, path, field, supported),
    )


def resource_field_ref(reference: Object, owner: Any = None, scope: Any = None, container: str = "") -> Errors:
    """A ResourceFieldSelector; `container` is the field that must name one, where that is not its own."""
    resource = reference.get("resource", "")
    huge, known = resource.startswith(_HUGE), resource in RESOURCE_FIELDS
    yield from first_told(
        (container and not reference.get(container), required, f".{container}"),
        (not resource, required, ".resource"),
        (not known and not huge, not_supported, ".resource", resource, RESOURCE_FIELDS),
    )
    name = "hugepages" if huge else resource.partition(".")[2]
    divisors, shown = ("1m and 1", name) if name == "cpu" else (_DIVISORS, name.replace("ephem", "local ephem"))
    divisor = str(quantity(reference.get("divisor", "0")))
    if divisor != "0" and divisor not in re.split(", | and ", divisors) and (huge or known):
        why = f"only divisor's values {divisors} are supported with the {shown.replace('-', ' ')} resource"
        yield invalid(".divisor", resource, why)


def _told_by_pod(file: Object, *_: Any) -> list[FieldError]:
    field, resource = file.get("fieldRef"), file.get("resourceFieldRef")
    if field is None and resource is not None:
        return below(".resourceFieldRef", resource_field_ref(resource, container="containerName"))
    both = "fieldRef and resourceFieldRef can not be specified simultaneously"
    return below(".fieldRef", field_ref(field, VOLUME_FIELD_PATHS) if field is not None else ()) + told(
        (field is None, required, "", "one of fieldRef and resourceFieldRef is required"),
        (field is not None and resource is not None, invalid, "", "resource", both),
    )


def _distinct_files(source: Object, *_: Any) -> Errors:
    """Of all projections together. A token's path is told as if it were the volume's."""
    files: list[tuple[str, str]] = []
    for projection in source.get("sources", ()):
        for kind, part in projection.items():
            if kind == "serviceAccountToken":
                yield from TABLES["TokenPath"](part)
            elif kind == "clusterTrustBundle":
                files.append((part.get("path", ""),) * 2)
            else:
                files += (
                    (item.get("path", ""), part.get("name", item.get("path", ""))) for item in part.get("items", ())
                )
    taken: set[str] = set()
    for file, shown in files:
        if file and file in taken:
            yield invalid("", shown, "conflicting duplicate paths")
        taken.add(file)


def _made_metadata(meta: Object, *_: Any) -> Errors:
    for key, value in meta.items():
        check = {"annotations": validate_annotations, "labels": validate_labels}.get(key)
        if check:
            yield from below(f".{key}", check(value))
        elif value:
            yield field_forbidden(f".{key}", "cannot be set")


def access_modes(modes: Collection[str], *_: Any) -> list[FieldError]:
    errors = [not_supported("", mode, ACCESS_MODES) for mode in modes if mode not in ACCESS_MODES]
    alone = "ReadWriteOncePod" not in modes or set(modes) & set(ACCESS_MODES) == {"ReadWriteOncePod"}
    return errors + told((not alone, field_forbidden, "", "may not use ReadWriteOncePod with other access modes"))


def _storage(resources: Object, *_: Any) -> list[FieldError]:
    storage = (resources.get("requests") or NOTHING).get("storage")
    if storage is None:
        return [required("")]
    amount = quantity(storage)
    return told((amount.sign <= 0, invalid, "", str(amount), "must be greater than zero"))


TABLES = tables(r"""
volume emptyDir
  sizeLimit             given forbidden if quantity(v).sign < 0 -- SizeLimit field must be a valid resource quantity
volume hostPath
  path                  required no_backsteps
  type                  in "" BlockDevice CharDevice Directory DirectoryOrCreate File FileOrCreate Socket if path
volume gitRepo
  repository            required
  directory             descending_path
volume gcePersistentDisk as persistentDisk
  pdName                required
  partition             invalid if not 0 <= v <= 255 -- must be between 1 and 255, inclusive
volume awsElasticBlockStore
  volumeID              required
  partition             invalid if not 0 <= v <= 255 -- must be between 1 and 255, inclusive
volume secret
  secretName            required
  .                     Keys
volume nfs
  server, path          required
  path                  default "" invalid if not v.startswith("/") -- must be an absolute path
volume iscsi
  targetPortal, iqn     required
  iqn                   iscsi_name
  initiatorName         iscsi_name at ".initiatorname"
  lun                   invalid if not 0 <= v <= 255 -- must be between 0 and 255, inclusive
  secretRef             present if chapAuthDiscovery or chapAuthSession
volume glusterfs
  endpoints, path       required
volume flocker
  .                     missing if not datasetName and not datasetUUID -- one of datasetName and datasetUUID is required
  .                     invalid "resource" if datasetName and datasetUUID \
                        -- datasetName and datasetUUID can not be specified simultaneously
  datasetName           invalid if "/" in v -- must not contain '/'
volume persistentVolumeClaim
  claimName             required
volume rbd
  monitors, image       required
volume cinder
  volumeID              required
  secretRef             given
    name                required
volume cephfs else cephFS
  monitors              required
volume quobyte
  .                     quobyte
  volume                required
volume downwardAPI else downwarAPI
  defaultMode           MODE
  items[.]              DownwardFile at ""
volume fc
  targetWWNs            required if not wwids -- must specify either targetWWNs or wwids, but not both
  targetWWNs            invalid if wwids -- targetWWNs and wwids can not be specified simultaneously
  lun                   present if targetWWNs -- lun is required if targetWWNs is specified
  lun                   invalid if targetWWNs and not 0 <= v <= 255 -- must be between 0 and 255, inclusive
volume flexVolume
  driver                required
  options{}             invalid k if is_reserved(k) -- kubernetes.io and k8s.io namespaces are reserved
volume configMap
  name                  required
  .                     Keys
volume azureFile
  secretName, shareName  required
volume vsphereVolume
  volumePath            required
volume photonPersistentDisk
  pdID                  required
volume azureDisk
  diskName, diskURI     required
  cachingMode           in None ReadOnly ReadWrite
  kind                  in Dedicated Managed Shared
  diskURI               default "" azure_uri
volume portworxVolume
  volumeID              required
volume storageos
  volumeName            required LABEL
  volumeNamespace       LABEL
  secretRef             given
    name                required
volume projected
  defaultMode           MODE
  sources[]             Projection
  .                     distinct_files
volume scaleIO
  gateway, system, volumeName  required
volume csi
  driver                default "" driver_name
  nodePublishSecretRef  given
    name                required
  nodePublishSecretRef.name  SUBDOMAIN at ".name"
volume ephemeral
  volumeClaimTemplate   present
    metadata            made_metadata
    spec                default NOTHING ClaimSpec
volume image
  pullPolicy            in Always IfNotPresent Never


Keys
  defaultMode           MODE
  items[]               KeyToPath

KeyToPath
  key                   required
  path                  required local_path
  mode                  MODE

DownwardFile
  path                  required local_path
  .                     told_by_pod
  mode                  MODE

Projection
  secret, configMap     given
    name                required
    items[]             KeyToPath
  downwardAPI
    items[.]            DownwardFile at ""
  serviceAccountToken
    expirationSeconds   given invalid if v < 600 -- may not specify a duration less than 10 minutes
    expirationSeconds   given invalid if v > 4294967296 -- may not specify a duration larger than 2^32 seconds
  clusterTrustBundle    given
    .                   invalid if name? and signerName? -- only one of name and signerName may be used
    else .              missing if not name? and not signerName? -- either name or signerName must be specified
    else labelSelector  given invalid if name? -- labelSelector must be unset if name is specified
    else labelSelector  SELECTOR
    path                required local_path
  .                     forbidden if len(o) > 1 -- may not specify more than 1 volume type per source

TokenPath
  path                  required local_path

ClaimSpec
  accessModes           required -- at least 1 access mode is required
  selector              SELECTOR
  accessModes           access_modes
  resources             default NOTHING storage at ".resources[storage]"
  storageClassName, volumeAttributesClassName  SUBDOMAIN
  volumeMode            in Block Filesystem

Volume
  .                     volume
  .                     initiator if iscsi?
  name                  required LABEL
""", globals(), vars(common))  # fmt: skip
SOURCES = {name.split()[1]: check for name, check in TABLES.items() if name.startswith("volume ")}
"""In upstream's order: the first that is set is the volume's source, any other is one too many."""
