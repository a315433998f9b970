"""Validation of volumes: every volume source of a Pod, and the claim that an ephemeral volume makes.

Called for Pods and templates; validation of PersistentVolumes and claims shares SOURCES and `validate_claim_spec`.
Facts: kubernetes/pkg/apis/core/validation/validation.go, validateVolumeSource and what it calls. Where upstream reports
a field under another name than its own (gcePersistentDisk, a token's path), so does this.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import Any

from refkube.api.validation.common import NOTHING, Errors, each, must_have, one_of, quantity
from refkube.api.validation.objectmeta import name_is_dns_subdomain, validate_annotations, validate_labels
from refkube.apimachinery import names
from refkube.apimachinery.errors import (
    FieldError,
    duplicate,
    field_forbidden,
    invalid,
    not_supported,
    required,
    too_long,
)
from refkube.apimachinery.meta import Object
from refkube.apimachinery.selectors import validate_label_selector

Source = Mapping[str, Any]
Check = Callable[[Source, str], Errors]

FILE_MODE = "must be a number between 0 and 0777 (octal), both inclusive"
ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
VOLUME_MODES = ("Block", "Filesystem")
VOLUME_FIELD_PATHS = ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
RESOURCE_FIELDS = tuple(
    f"{side}.{name}" for side in ("limits", "requests") for name in ("cpu", "ephemeral-storage", "memory")
)
_DIVISORS = "1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei"
_HOST_PATH_TYPES = ("", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")
_FIELD_LABELS = {
    *VOLUME_FIELD_PATHS, "spec.nodeName", "spec.restartPolicy", "spec.serviceAccountName", "spec.schedulerName",
    "spec.host", "status.phase", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
}  # fmt: skip
_ISCSI_NAMES = {
    "iqn": re.compile(r"iqn\.\d{4}-\d{2}\.([A-Za-z0-9\-.]+)(:[^,;*&$|\s]+)$"),
    "eui": re.compile(r"^eui.[A-Za-z0-9]{16}$"),
    "naa": re.compile(r"^naa.[A-Za-z0-9]{32}$"),
}
_ISCSI_TOO_LONG = (
    "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters "
    "if iscsi.initiatorName is specified."
)
_label_faults = lru_cache(maxsize=2048)(names.is_dns1123_label)
_BYTE = "must be between {} and 255, inclusive"


def validate_volumes(volumes: Collection[Object], path: str) -> tuple[dict[str, Object], list[FieldError]]:
    """The valid volumes by name, for mounts to refer to, and the errors of the others."""
    found: dict[str, Object] = {}
    errors: list[FieldError] = []
    for index, volume in enumerate(volumes):
        here = f"{path}[{index}]"
        name = volume.get("name", "")
        faults = list(_volume_source(volume, here))
        if not name:
            faults.append(required(f"{here}.name"))
        elif _label_faults(name):
            faults += each(name, f"{here}.name", _label_faults)
        if name in found:
            faults.append(duplicate(f"{here}.name", name))
        if faults:
            errors += faults
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


def _volume_source(volume: Object, path: str) -> Errors:
    kinds = [key for key in volume if key in SOURCES]
    if not kinds:
        yield required(path, "must specify a volume type")
        return
    if len(kinds) > 1:
        kinds = [key for key in SOURCES if key in volume]
    key, *others = kinds
    yield from SOURCES[key](volume[key], f"{path}.{_SHOWN.get(key, key)}")
    for other in others:
        yield field_forbidden(f"{path}.{_SHOWN_FORBIDDEN.get(other, other)}", "may not specify more than 1 volume type")
    if key == "iscsi" and "initiatorName" in volume[key]:
        name = volume.get("name", "")
        if len(f"{name}:{volume[key].get('targetPortal', '')}") > 64:
            yield invalid(f"{path}.name", name, _ISCSI_TOO_LONG)


def needs(*keys: str, then: Check | None = None) -> Check:
    """A check that these fields are set, and another one."""

    def check(source: Source, path: str) -> Errors:
        yield from must_have(source, f"{path}.", *keys)
        if then:
            yield from then(source, path)

    return check


def _empty_dir(source: Source, path: str) -> Errors:
    if "sizeLimit" in source and quantity(source["sizeLimit"]).sign < 0:
        yield field_forbidden(f"{path}.sizeLimit", "SizeLimit field must be a valid resource quantity")


def _host_path(source: Source, path: str) -> Errors:
    if not source.get("path"):
        yield required(f"{path}.path")
        return
    yield from no_backsteps(source["path"], f"{path}.path")
    yield from one_of(source, "type", f"{path}.", _HOST_PATH_TYPES)


def _partition(source: Source, path: str) -> Errors:
    if not 0 <= source.get("partition", 0) <= 255:
        yield invalid(f"{path}.partition", source["partition"], _BYTE.format(1))


def _nfs(source: Source, path: str) -> Errors:
    if not source.get("path", "").startswith("/"):
        yield invalid(f"{path}.path", source.get("path", ""), "must be an absolute path")


def _iscsi(source: Source, path: str) -> Errors:
    for key, shown in (("iqn", "iqn"), ("initiatorName", "initiatorname")):
        name = source.get(key)
        if name and name[:3] not in _ISCSI_NAMES:
            yield invalid(f"{path}.{shown}", name, "must be valid format starting with iqn, eui, or naa")
        elif name and not _ISCSI_NAMES[name[:3]].search(name):
            yield invalid(f"{path}.{shown}", name, "must be valid format")
    if not 0 <= source.get("lun", 0) <= 255:
        yield invalid(f"{path}.lun", source["lun"], _BYTE.format(0))
    if (source.get("chapAuthDiscovery") or source.get("chapAuthSession")) and "secretRef" not in source:
        yield required(f"{path}.secretRef")


def _fibre_channel(source: Source, path: str) -> Errors:
    targets, wwids, lun = source.get("targetWWNs"), source.get("wwids"), source.get("lun", -1)
    if not targets and not wwids:
        yield required(f"{path}.targetWWNs", "must specify either targetWWNs or wwids, but not both")
    if targets and wwids:
        yield invalid(f"{path}.targetWWNs", targets, "targetWWNs and wwids can not be specified simultaneously")
    if targets and "lun" not in source:
        yield required(f"{path}.lun", "lun is required if targetWWNs is specified")
    elif targets and not 0 <= lun <= 255:
        yield invalid(f"{path}.lun", lun, _BYTE.format(0))


def _flocker(source: Source, path: str) -> Errors:
    name, uid = source.get("datasetName", ""), source.get("datasetUUID")
    if not name and not uid:
        yield required(path, "one of datasetName and datasetUUID is required")
    if name and uid:
        yield invalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously")
    if "/" in name:
        yield invalid(f"{path}.datasetName", name, "must not contain '/'")


def _quobyte(source: Source, path: str) -> Errors:
    pairs = "must be a host:port pair or multiple pairs separated by commas"
    registry = source.get("registry")
    if not registry:
        yield required(f"{path}.registry", pairs)
    elif len(source.get("tenant", "")) >= 65:
        yield required(f"{path}.tenant", "must be a UUID and may not exceed a length of 64 characters")
    elif not all(":" in pair for pair in registry.split(",")):
        yield invalid(f"{path}.registry", registry, pairs)
    yield from must_have(source, f"{path}.", "volume")


def _flex_options(source: Source, path: str) -> Errors:
    for key in source.get("options", ()):
        if ("." + key.partition("/")[0].lower()).endswith((".kubernetes.io", ".k8s.io")):
            yield invalid(f"{path}.options[{key}]", key, "kubernetes.io and k8s.io namespaces are reserved")


def _azure_disk(source: Source, path: str) -> Errors:
    uri, kind = source.get("diskURI", ""), source.get("kind")
    yield from one_of(source, "cachingMode", f"{path}.", ("None", "ReadOnly", "ReadWrite"))
    yield from one_of(source, "kind", f"{path}.", ("Dedicated", "Managed", "Shared"))
    if kind == "Managed" and not uri.startswith("/subscriptions/"):
        form = "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"
        yield not_supported(f"{path}.diskURI", uri, (form,))
    elif kind and kind != "Managed" and not uri.startswith("https://"):
        form = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"
        yield not_supported(f"{path}.diskURI", uri, (form,))


def _storage_os(source: Source, path: str) -> Errors:
    for key in ("volumeName", "volumeNamespace"):
        if source.get(key):
            yield from each(source[key], f"{path}.{key}", names.is_dns1123_label)
    yield from _secret_ref(source, path)


def _secret_ref(source: Source, path: str) -> Errors:
    if "secretRef" in source:
        yield from must_have(source["secretRef"], f"{path}.secretRef.", "name")


def _csi(source: Source, path: str) -> Errors:
    yield from validate_csi_driver_name(source.get("driver", ""), f"{path}.driver")
    if "nodePublishSecretRef" in source:
        name = source["nodePublishSecretRef"].get("name")
        if name:
            yield from each(name, f"{path}.name", name_is_dns_subdomain)
        else:
            yield required(f"{path}.nodePublishSecretRef.name")


def validate_csi_driver_name(name: str, path: str) -> Errors:
    if not name:
        yield required(path)
    if len(name) > 63:
        yield too_long(path, 63)
    yield from each(name, path, lambda text: names.is_dns1123_subdomain(text.lower()))


def _pull_policy(source: Source, path: str) -> Errors:
    yield from one_of(source, "pullPolicy", f"{path}.", ("Always", "IfNotPresent", "Never"))


def _keys(source: Source, path: str) -> Errors:
    yield from _mode(source, "defaultMode", path)
    for index, item in enumerate(source.get("items", ())):
        yield from _key_to_path(item, f"{path}.items[{index}]")


def _key_to_path(item: Source, path: str) -> Errors:
    if not item.get("key") or not item.get("path"):
        yield from must_have(item, f"{path}.", "key", "path")
    yield from local_path(item.get("path", ""), f"{path}.path")
    if "mode" in item:
        yield from _mode(item, "mode", path)


def _mode(owner: Source, key: str, path: str) -> Errors:
    if not 0 <= owner.get(key, 0) <= 0o777:
        yield invalid(f"{path}.{key}", owner[key], FILE_MODE)


def _downward_api(source: Source, path: str) -> Errors:
    yield from _mode(source, "defaultMode", path)
    for item in source.get("items", ()):
        yield from _downward_file(item, path)


def _downward_file(item: Source, path: str) -> Errors:
    yield from must_have(item, f"{path}.", "path")
    yield from local_path(item.get("path", ""), f"{path}.path")
    if "fieldRef" in item:
        yield from validate_field_ref(item["fieldRef"], VOLUME_FIELD_PATHS, f"{path}.fieldRef")
        if "resourceFieldRef" in item:
            yield invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
    elif "resourceFieldRef" in item:
        yield from validate_resource_field_ref(item["resourceFieldRef"], f"{path}.resourceFieldRef", in_volume=True)
    else:
        yield required(path, "one of fieldRef and resourceFieldRef is required")
    yield from _mode(item, "mode", path)


def validate_field_ref(reference: Source, supported: Collection[str], path: str) -> Errors:
    """An ObjectFieldSelector; `supported` is what its place allows, besides one label or annotation."""
    field, here = reference.get("fieldPath", ""), f"{path}.fieldPath"
    name, bracket, subscript = field[:-2].partition("['") if field.endswith("']") else (field, "", "")
    if not reference.get("apiVersion"):
        yield required(f"{path}.apiVersion")
    elif not field:
        yield required(here)
    elif reference["apiVersion"] != "v1":
        yield invalid(here, field, f"error converting fieldPath: unsupported pod version: {reference['apiVersion']}")
    elif name in ("metadata.labels", "metadata.annotations") and bracket:
        yield from each(subscript.lower() if "annotations" in name else subscript, path, names.is_qualified_name)
    elif name and bracket:
        yield invalid(here, field, f"error converting fieldPath: field label does not support subscript: {field}")
    elif field not in _FIELD_LABELS:
        yield invalid(here, field, f"error converting fieldPath: field label not supported: {field}")
    elif field not in supported:
        yield not_supported(here, field, supported)


def validate_resource_field_ref(reference: Source, path: str, in_volume: bool) -> Errors:
    resource = reference.get("resource", "")
    huge = resource.startswith(("limits.hugepages-", "requests.hugepages-"))
    if in_volume and not reference.get("containerName"):
        yield required(f"{path}.containerName")
    elif not resource:
        yield required(f"{path}.resource")
    elif resource not in RESOURCE_FIELDS and not huge:
        yield not_supported(f"{path}.resource", resource, RESOURCE_FIELDS)
    name = "hugepages" if huge else resource.partition(".")[2]
    divisors, shown = ("1m and 1", name) if name == "cpu" else (_DIVISORS, name.replace("ephem", "local ephem"))
    divisor = str(quantity(reference.get("divisor", "0")))
    if divisor != "0" and divisor not in re.split(", | and ", divisors) and (huge or resource in RESOURCE_FIELDS):
        why = f"only divisor's values {divisors} are supported with the {shown.replace('-', ' ')} resource"
        yield invalid(f"{path}.divisor", resource, why)


def _projected(source: Source, path: str) -> Errors:
    yield from _mode(source, "defaultMode", path)
    files: list[tuple[str, str]] = []
    for index, projection in enumerate(source.get("sources", ())):
        here = f"{path}.sources[{index}]"
        for key, part in projection.items():
            if key in ("secret", "configMap"):
                yield from must_have(part, f"{here}.{key}.", "name")
                for number, item in enumerate(part.get("items", ())):
                    yield from _key_to_path(item, f"{here}.{key}.items[{number}]")
                    files.append((item.get("path", ""), part.get("name", "")))
            elif key == "downwardAPI":
                for item in part.get("items", ()):
                    yield from _downward_file(item, f"{here}.downwardAPI")
                    files.append((item.get("path", ""),) * 2)
            elif key == "serviceAccountToken":
                yield from _token(part, path, f"{here}.{key}")
            elif key == "clusterTrustBundle":
                yield from _trust_bundle(part, f"{here}.{key}")
                files.append((part.get("path", ""),) * 2)
        if len(projection) > 1:
            yield field_forbidden(here, "may not specify more than 1 volume type per source")
    taken: set[str] = set()
    for file, shown in files:
        if file and file in taken:
            yield invalid(path, shown, "conflicting duplicate paths")
        taken.add(file)


def _token(token: Source, path: str, here: str) -> Errors:
    seconds = token.get("expirationSeconds", 3600)
    if seconds < 600:
        yield invalid(f"{here}.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
    if seconds > 1 << 32:
        yield invalid(f"{here}.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds")
    yield from must_have(token, f"{path}.", "path")
    yield from local_path(token.get("path", ""), f"{path}.path")


def _trust_bundle(bundle: Source, path: str) -> Errors:
    if "name" in bundle and "signerName" in bundle:
        yield invalid(path, bundle, "only one of name and signerName may be used")
    elif "name" not in bundle and "signerName" not in bundle:
        yield required(path, "either name or signerName must be specified")
    elif "name" in bundle and "labelSelector" in bundle:
        selector = bundle["labelSelector"]
        yield invalid(f"{path}.labelSelector", selector, "labelSelector must be unset if name is specified")
    elif "labelSelector" in bundle:
        yield from validate_label_selector(bundle["labelSelector"], f"{path}.labelSelector")
    yield from must_have(bundle, f"{path}.", "path")
    yield from local_path(bundle.get("path", ""), f"{path}.path")


def _ephemeral(source: Source, path: str) -> Errors:
    template, here = source.get("volumeClaimTemplate"), f"{path}.volumeClaimTemplate"
    if template is None:
        yield required(here)
        return
    for key, value in (template.get("metadata") or NOTHING).items():
        if key == "annotations":
            yield from validate_annotations(value, f"{here}.metadata.annotations")
        elif key == "labels":
            yield from validate_labels(value, f"{here}.metadata.labels")
        elif value:
            yield field_forbidden(f"{here}.metadata.{key}", "cannot be set")
    yield from validate_claim_spec(template.get("spec") or {}, f"{here}.spec")


def validate_claim_spec(spec: Source, path: str) -> Errors:
    """A PersistentVolumeClaimSpec as a template has it; its data sources are not looked at."""
    modes, here = spec.get("accessModes") or (), f"{path}.resources[storage]"
    if not modes:
        yield required(f"{path}.accessModes", "at least 1 access mode is required")
    if "selector" in spec:
        yield from validate_label_selector(spec["selector"], f"{path}.selector")
    yield from validate_access_modes(modes, f"{path}.accessModes")
    storage = ((spec.get("resources") or NOTHING).get("requests") or NOTHING).get("storage")
    if storage is None:
        yield required(here)
    elif quantity(storage).sign <= 0:
        yield invalid(here, str(quantity(storage)), "must be greater than zero")
    for key in ("storageClassName", "volumeAttributesClassName"):
        if spec.get(key):
            yield from each(spec[key], f"{path}.{key}", name_is_dns_subdomain)
    yield from one_of(spec, "volumeMode", f"{path}.", VOLUME_MODES)


def validate_access_modes(modes: Collection[str], path: str) -> Errors:
    for mode in modes:
        if mode not in ACCESS_MODES:
            yield not_supported(path, mode, ACCESS_MODES)
    if "ReadWriteOncePod" in modes and set(modes) & set(ACCESS_MODES) != {"ReadWriteOncePod"}:
        yield field_forbidden(path, "may not use ReadWriteOncePod with other access modes")


def descending_path(target: str, path: str) -> Errors:
    if target.startswith("/"):
        yield invalid(path, target, "must be a relative path")
    if ".." in target:
        yield from no_backsteps(target, path)


def no_backsteps(target: str, path: str) -> Errors:
    if ".." in target.split("/"):
        yield invalid(path, target, "must not contain '..'")


def local_path(target: str, path: str) -> Errors:
    if target[:1] == "/" or ".." in target:
        yield from descending_path(target, path)
    if target.startswith("..") and not target.startswith("../"):
        yield invalid(path, target, "must not start with '..'")


def _git_directory(source: Source, path: str) -> Errors:
    yield from descending_path(source.get("directory", ""), f"{path}.directory")


SOURCES: dict[str, Check] = {
    "emptyDir": _empty_dir,
    "hostPath": _host_path,
    "gitRepo": needs("repository", then=_git_directory),
    "gcePersistentDisk": needs("pdName", then=_partition),
    "awsElasticBlockStore": needs("volumeID", then=_partition),
    "secret": needs("secretName", then=_keys),
    "nfs": needs("server", "path", then=_nfs),
    "iscsi": needs("targetPortal", "iqn", then=_iscsi),
    "glusterfs": needs("endpoints", "path"),
    "flocker": _flocker,
    "persistentVolumeClaim": needs("claimName"),
    "rbd": needs("monitors", "image"),
    "cinder": needs("volumeID", then=_secret_ref),
    "cephfs": needs("monitors"),
    "quobyte": _quobyte,
    "downwardAPI": _downward_api,
    "fc": _fibre_channel,
    "flexVolume": needs("driver", then=_flex_options),
    "configMap": needs("name", then=_keys),
    "azureFile": needs("secretName", "shareName"),
    "vsphereVolume": needs("volumePath"),
    "photonPersistentDisk": needs("pdID"),
    "azureDisk": needs("diskName", "diskURI", then=_azure_disk),
    "portworxVolume": needs("volumeID"),
    "storageos": needs("volumeName", then=_storage_os),
    "projected": _projected,
    "scaleIO": needs("gateway", "system", "volumeName"),
    "csi": _csi,
    "ephemeral": _ephemeral,
    "image": _pull_policy,
}
"""In upstream's order: the first that is set is the volume's source, any other is one too many."""
_SHOWN = {"gcePersistentDisk": "persistentDisk"}
_SHOWN_FORBIDDEN = {"cephfs": "cephFS", "downwardAPI": "downwarAPI"}
