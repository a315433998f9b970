"""Validation of what a Pod runs: its spec, wherever it stands (a Pod, a template).

Called by `validation.pod` and, through it, for every kind with a Pod template. The main function walks a table of
fields; each check is a generator of field errors and builds a path only where something is found or nested.
Facts: kubernetes/pkg/apis/core/validation/validation.go, ValidatePodSpec and what it calls, with the features that are
on in the release. Left out: what only Windows nodes look at (user names, host process containers), PodCertificates.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from refkube.api.resources import aggregate, is_sidecar, supported_for_pods
from refkube.api.validation.common import (
    NOTHING,
    PROTOCOLS,
    Errors,
    container_resource_name,
    each,
    must_have,
    one_of,
    overcommit_allowed,
    quantity,
    resource_name,
    resource_quantity,
)
from refkube.api.validation.objectmeta import NOT_NEGATIVE, name_is_dns_label, name_is_dns_subdomain, validate_labels
from refkube.api.validation.volumes import (
    descending_path,
    local_path,
    no_backsteps,
    validate_field_ref,
    validate_resource_field_ref,
    validate_volumes,
)
from refkube.apimachinery import names
from refkube.apimachinery.errors import (
    FieldError,
    duplicate,
    field_forbidden,
    field_not_found,
    invalid,
    not_supported,
    required,
    too_long,
    too_many,
)
from refkube.apimachinery.meta import Object
from refkube.apimachinery.selectors import validate_label_selector

MAX_INT32 = 2**31 - 1
PULL_POLICIES = ("Always", "IfNotPresent", "Never")
RESTART_POLICIES = ("Always", "OnFailure", "Never")
TAINT_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
ENV_FIELD_PATHS = (
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP",
    "status.hostIPs", "status.podIP", "status.podIPs",
)  # fmt: skip
EPHEMERAL_FORBIDDEN = (
    "ports", "resources", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "restartPolicy",
    "restartPolicyRules", "resizePolicy",
)  # fmt: skip
_PROBE_NUMBERS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_NOT_WINDOWS = (
    "appArmorProfile", "capabilities", "fsGroup", "fsGroupChangePolicy", "seLinuxOptions", "seLinuxChangePolicy",
    "seccompProfile", "sysctls", "runAsUser", "runAsGroup", "supplementalGroups", "supplementalGroupsPolicy",
    "readOnlyRootFilesystem", "privileged", "allowPrivilegeEscalation", "procMount",
)  # fmt: skip
_SYSCTL = "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"


# The names that most objects repeat; nobody changes the lists.
_label_faults = lru_cache(maxsize=2048)(names.is_dns1123_label)
_subdomain_faults = lru_cache(maxsize=2048)(names.is_dns1123_subdomain)
_key_faults = lru_cache(maxsize=2048)(names.is_qualified_name)
_port_name_faults = lru_cache(maxsize=2048)(names.is_valid_port_name)
_port_faults = lru_cache(maxsize=2048)(
    lambda port: names.is_valid_port_num(port) if isinstance(port, int) else names.is_valid_port_name(port)
)
_env_name_faults = lru_cache(maxsize=4096)(names.is_relaxed_env_var_name)


class Context(NamedTuple):
    """What a container's check must know of its Pod."""

    volumes: Mapping[str, Object]
    claims: Collection[str]
    restart_policy: str
    host_users: bool
    grace_period: int | None


def validate_pod_spec(spec: Object, path: str) -> list[FieldError]:
    """A PodSpec with its defaults. What depends on more than the spec is `validation.pod`'s."""
    errors: list[FieldError] = []
    if spec.get("terminationGracePeriodSeconds") is None:
        errors.append(required(f"{path}.terminationGracePeriodSeconds"))
    volumes, faults = validate_volumes(spec.get("volumes", ()), f"{path}.volumes")
    errors += faults
    errors += _resource_claims(spec.get("resourceClaims", ()), f"{path}.resourceClaims")
    context = Context(
        volumes,
        [claim["name"] for claim in spec.get("resourceClaims", ()) if claim.get("name")],
        spec.get("restartPolicy", ""),
        spec.get("hostUsers", True),
        spec.get("terminationGracePeriodSeconds"),
    )
    errors += _containers(spec, f"{path}.containers", context)
    if "initContainers" in spec:
        errors += _init_containers(spec, f"{path}.initContainers", context)
    if "ephemeralContainers" in spec:
        errors += _ephemeral_containers(spec, f"{path}.ephemeralContainers", context)
    for key, check in _FIELDS.items():
        if key in spec and spec[key] != {}:
            errors += check(spec[key], f"{path}.{key}", spec)
    if spec.get("restartPolicy") not in RESTART_POLICIES:
        errors += one_of(spec, "restartPolicy", f"{path}.", RESTART_POLICIES, must=True)
    errors += _dns(spec, path)
    if spec.get("hostUsers") is False:
        for key, shown in (("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")):
            if spec.get(key):
                errors.append(field_forbidden(f"{path}.{shown}", "when `pod.Spec.HostUsers` is false"))
    return errors


def containers_of(spec: Object, path: str) -> Iterator[tuple[Object, str]]:
    """All containers with their paths, in upstream's order."""
    for key in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(spec.get(key, ())):
            yield container, f"{path}.{key}[{index}]"


def _unique(value: str, seen: set[str], path: str) -> Errors:
    if value in seen:
        yield duplicate(path, value)
    seen.add(value)


# Containers


def _containers(spec: Object, path: str, context: Context) -> Errors:
    containers = spec.get("containers")
    if not containers:
        yield required(path)
        return
    seen: set[str] = set()
    for index, container in enumerate(containers):
        here = f"{path}[{index}]"
        yield from _container(container, here, context)
        yield from _unique(container.get("name", ""), seen, f"{here}.name")
        yield from _running(container, here, context)
        yield from _restart_rules(container, here)
    yield from _host_ports(containers, path)


def _init_containers(spec: Object, path: str, context: Context) -> Errors:
    seen = {container.get("name") for container in spec.get("containers", ())}
    for index, container in enumerate(spec["initContainers"]):
        here = f"{path}[{index}]"
        yield from _container(container, here, context)
        yield from _restart_rules(container, here)
        if container.get("name"):
            yield from _unique(container["name"], seen, f"{here}.name")
        # Init containers run one by one, so each conflicts with itself only; upstream reports them all at index 0.
        yield from _host_ports([container], path)
        if is_sidecar(container):
            yield from _running(container, here, context)
        else:
            for key in ("lifecycle", *_PROBES):
                if key in container:
                    why = "may not be set for init containers without restartPolicy=Always"
                    yield field_forbidden(f"{here}.{key}", why)


def _ephemeral_containers(spec: Object, path: str, context: Context) -> Errors:
    others = {c.get("name") for key in ("containers", "initContainers") for c in spec.get(key, ())}
    seen = set(others)
    for index, container in enumerate(spec["ephemeralContainers"]):
        here = f"{path}[{index}]"
        yield from _container(container, here, context)
        yield from trimmed_image(container, here)
        target = container.get("targetContainerName")
        yield from _unique(container.get("name", ""), seen, f"{here}.name")
        if target and target not in others:
            yield field_not_found(f"{here}.targetContainerName", target)
        refused = [key for key in EPHEMERAL_FORBIDDEN if container.get(key)]
        for number, mount in enumerate(container.get("volumeMounts", ())):
            refused += [f"volumeMounts[{number}].{key}" for key in ("subPath", "subPathExpr") if mount.get(key)]
        for key in refused:
            yield field_forbidden(f"{here}.{key}", "cannot be set for an Ephemeral Container")


def trimmed_image(container: Object, path: str) -> Errors:
    image = container.get("image", "")
    if image != image.strip():
        yield invalid(f"{path}.image", image, "must not have leading or trailing whitespace")


def _container(container: Object, path: str, context: Context) -> Errors:
    name = container.get("name")
    if not name:
        yield required(f"{path}.name")
    elif _label_faults(name):
        yield from each(name, f"{path}.name", _label_faults)
    if not container.get("image"):
        yield required(f"{path}.image")
    policies = ("File", "FallbackToLogsOnError")
    if container.get("terminationMessagePolicy") not in policies:
        yield from one_of(container, "terminationMessagePolicy", f"{path}.", policies, must=True)
    if container.get("imagePullPolicy") not in PULL_POLICIES:
        yield from one_of(container, "imagePullPolicy", f"{path}.", PULL_POLICIES, must=True)
    for key, check in _CONTAINER_FIELDS.items():
        if key in container and container[key] != {}:
            yield from check(container[key], f"{path}.{key}", container, context)


def _running(container: Object, path: str, context: Context) -> Errors:
    """What containers that keep running may have: hooks and probes."""
    for hook in ("postStart", "preStop"):
        if hook in container.get("lifecycle", NOTHING):
            handlers = ("exec", "httpGet", "tcpSocket", "sleep")
            yield from _handler(container["lifecycle"][hook], f"{path}.lifecycle.{hook}", handlers, context)
    for key in _PROBES:
        if key in container:
            yield from _probe(container[key], f"{path}.{key}", key, context)


def _probe(probe: Object, path: str, kind: str, context: Context) -> Errors:
    yield from _handler(probe, path, ("exec", "httpGet", "tcpSocket", "grpc"), context)
    for key in _PROBE_NUMBERS:
        if probe.get(key, 0) < 0:
            yield invalid(f"{path}.{key}", probe[key], NOT_NEGATIVE)
    grace = probe.get("terminationGracePeriodSeconds")
    if grace is not None and grace <= 0:
        yield invalid(f"{path}.terminationGracePeriodSeconds", grace, "must be greater than 0")
    if kind == "readinessProbe" and grace is not None:
        yield invalid(f"{path}.terminationGracePeriodSeconds", grace, "must not be set for readinessProbes")
    if kind != "readinessProbe" and probe.get("successThreshold") != 1:
        yield invalid(f"{path}.successThreshold", probe.get("successThreshold", 0), "must be 1")


def _handler(owner: Object, path: str, known: Iterable[str], context: Context) -> Errors:
    kinds = [key for key in known if key in owner]
    if not kinds:
        yield required(path, "must specify a handler type")
        return
    kind, action, here = kinds[0], owner[kinds[0]], f"{path}.{kinds[0]}"
    if kind == "exec":
        yield from must_have(action, f"{here}.", "command")
    elif kind == "sleep":
        grace, seconds = context.grace_period, action.get("seconds", 0)
        if grace is not None and not 0 <= seconds <= grace:
            why = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
            yield invalid(here, seconds, why)
    elif _port_faults(action.get("port", 0)):
        yield from each(action.get("port", 0), f"{here}.port", _port_faults)
    if kind == "httpGet":
        if not action.get("path"):
            yield required(f"{here}.path")
        if action.get("scheme") not in ("HTTP", "HTTPS"):
            yield not_supported(f"{here}.scheme", action.get("scheme", ""), ("HTTP", "HTTPS"))
        for header in action.get("httpHeaders", ()):
            yield from each(header.get("name", ""), f"{here}.httpHeaders", names.is_http_header_name)
    for other in kinds[1:]:
        yield field_forbidden(f"{path}.{other}", "may not specify more than 1 handler type")


def _restart_rules(container: Object, path: str) -> Errors:
    policy, rules = container.get("restartPolicy"), container.get("restartPolicyRules", ())
    if policy is None:
        if rules:
            yield required(f"{path}.restartPolicy", "must specify restartPolicy when restart rules are used")
        return
    if policy not in RESTART_POLICIES:
        yield not_supported(f"{path}.restartPolicy", policy, sorted(RESTART_POLICIES))
    if len(rules) > 20:
        yield too_many(f"{path}.restartPolicyRules", len(rules), 20)
    for index, rule in enumerate(rules):
        here, codes = f"{path}.restartPolicyRules[{index}]", rule.get("exitCodes")
        yield from one_of(rule, "action", f"{here}.", ("Restart", "RestartAllContainers"), must=True)
        if codes is None:
            yield required(f"{here}.exitCodes", "must be specified")
            continue
        yield from one_of(codes, "operator", f"{here}.exitCodes.", ("In", "NotIn"), must=True)
        if len(codes.get("values", ())) > 255:
            yield too_many(f"{here}.exitCodes.values", len(codes["values"]), 255)


def _host_ports(containers: Iterable[Object], path: str) -> Errors:
    taken: set[str] = set()
    for index, container in enumerate(containers):
        for number, port in enumerate(container.get("ports", ())):
            if not port.get("hostPort"):
                continue
            shown = f"{port.get('protocol', '')}/{port.get('hostIP', '')}/{port['hostPort']}"
            yield from _unique(shown, taken, f"{path}[{index}].ports[{number}].hostPort")


def _ports(ports: Iterable[Object], path: str, container: Object, context: Context) -> Errors:
    seen: set[str] = set()
    for index, port in enumerate(ports):
        here, name = f"{path}[{index}]", port.get("name")
        if name:
            if _port_name_faults(name):
                yield from each(name, f"{here}.name", _port_name_faults)
            else:
                yield from _unique(name, seen, f"{here}.name")
        for key in ("containerPort", "hostPort"):
            number = port.get(key)
            if number:
                if not 0 < number < 65536:
                    yield from each(number, f"{here}.{key}", names.is_valid_port_num)
            elif key == "containerPort":
                yield required(f"{here}.{key}")
        if port.get("protocol") not in PROTOCOLS:
            yield from one_of(port, "protocol", f"{here}.", PROTOCOLS, must=True)


def _env(variables: Iterable[Object], path: str, container: Object, context: Context) -> Errors:
    for index, variable in enumerate(variables):
        name = variable.get("name")
        if not name:
            yield required(f"{path}[{index}].name")
        elif _env_name_faults(name):
            yield from each(name, f"{path}[{index}].name", _env_name_faults)
        if "valueFrom" in variable:
            yield from _value_from(variable, f"{path}[{index}].valueFrom")


def _value_from(variable: Object, path: str) -> Errors:
    source = variable["valueFrom"]
    for key, part in source.items():
        here = f"{path}.{key}"
        if key == "fieldRef":
            yield from validate_field_ref(part, ENV_FIELD_PATHS, here)
        elif key == "resourceFieldRef":
            yield from validate_resource_field_ref(part, here, in_volume=False)
        elif key in ("configMapKeyRef", "secretKeyRef"):
            yield from each(part.get("name", ""), f"{here}.name", name_is_dns_subdomain)
            yield from must_have(part, f"{here}.", "key")
            if part.get("key"):
                yield from each(part["key"], f"{here}.key", names.is_config_map_key)
        elif key == "fileKeyRef":
            yield from must_have(part, f"{here}.", "key", "volumeName", "path")
            yield from local_path(part.get("path", ""), f"{here}.path")
    if not source:
        yield invalid(
            path, "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
        )
    elif variable.get("value"):
        yield invalid(path, "", "may not be specified when `value` is not empty")
    elif len(source) > 1:
        yield invalid(path, "", "may not have more than one field specified at a time")


def _env_from(sources: Iterable[Object], path: str, container: Object, context: Context) -> Errors:
    for index, source in enumerate(sources):
        here = f"{path}[{index}]"
        if source.get("prefix"):
            yield from each(source["prefix"], f"{here}.prefix", names.is_relaxed_env_var_name)
        kinds = [key for key in ("configMapRef", "secretRef") if key in source]
        for key in kinds:
            name = source[key].get("name")
            yield from must_have(source[key], f"{here}.{key}.", "name")
            yield from each(name, f"{here}.{key}.name", lambda text: name_is_dns_subdomain(text, True)) if name else ()
        if not kinds:
            yield invalid(path, "", "must specify one of: `configMapRef` or `secretRef`")
        elif len(kinds) > 1:
            yield invalid(path, "", "may not have more than one field specified at a time")


def _volume_mounts(mounts: Iterable[Object], path: str, container: Object, context: Context) -> Errors:
    devices = {device.get("name"): device.get("devicePath") for device in container.get("volumeDevices", ())}
    taken: set[str] = set()
    for index, mount in enumerate(mounts):
        name, target = mount.get("name", ""), mount.get("mountPath", "")
        here = f"{path}[{index}]"
        if not name:
            yield required(f"{here}.name")
        if name not in context.volumes:
            yield field_not_found(f"{here}.name", name)
        if not target:
            yield required(f"{here}.mountPath")
        if target in taken:
            yield invalid(f"{here}.mountPath", target, "must be unique")
        taken.add(target)
        if name in devices:
            yield invalid(f"{here}.name", name, "must not already exist in volumeDevices")
        if target in devices.values():
            yield invalid(f"{here}.mountPath", target, "must not already exist as a path in volumeDevices")
        # From here on upstream reports at the list.
        for key in ("subPath", "subPathExpr"):
            if mount.get(key):
                yield from descending_path(mount[key], f"{path}.{key}")
        if mount.get("subPath") and mount.get("subPathExpr"):
            yield invalid(f"{here}.subPathExpr", mount["subPathExpr"], "subPathExpr and subPath are mutually exclusive")
        if "mountPropagation" in mount:
            kinds = ("Bidirectional", "HostToContainer", "None")
            yield from one_of(mount, "mountPropagation", f"{path}.", kinds)
            privileged = (container.get("securityContext") or NOTHING).get("privileged")
            if mount["mountPropagation"] == "Bidirectional" and not privileged:
                why = "Bidirectional mount propagation is available only to privileged containers"
                yield field_forbidden(f"{path}.mountPropagation", why)
        if "recursiveReadOnly" in mount:
            yield from _recursive_read_only(mount, f"{path}.recursiveReadOnly")


def _recursive_read_only(mount: Object, path: str) -> Errors:
    kinds = ("Disabled", "Enabled", "IfPossible")
    if mount["recursiveReadOnly"] not in kinds:
        yield not_supported(path, mount["recursiveReadOnly"], kinds)
    elif mount["recursiveReadOnly"] != "Disabled":
        if not mount.get("readOnly"):
            yield field_forbidden(path, "may only be specified when readOnly is true")
        if mount.get("mountPropagation", "None") != "None":
            yield field_forbidden(path, "may only be specified when mountPropagation is None or not specified")


def _volume_devices(devices: Iterable[Object], path: str, container: Object, context: Context) -> Errors:
    mounts = {mount.get("name"): mount.get("mountPath") for mount in container.get("volumeMounts", ())}
    seen: set[str] = set()
    taken: set[str] = set()
    for index, device in enumerate(devices):
        name, target = device.get("name", ""), device.get("devicePath", "")
        here = f"{path}[{index}]"
        volume = context.volumes.get(name)
        if not name:
            yield required(f"{here}.name")
        if name in seen:
            yield invalid(f"{here}.name", name, "must be unique")
        if volume is None:
            yield field_not_found(f"{here}.name", name)
        elif "persistentVolumeClaim" not in volume and "ephemeral" not in volume:
            why = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            yield invalid(f"{here}.name", name, why)
        if not target:
            yield required(f"{here}.devicePath")
        if target in taken:
            yield invalid(f"{here}.devicePath", target, "must be unique")
        if any(no_backsteps(target, "")):
            yield invalid(f"{here}.devicePath", target, "can not contain backsteps ('..')")
        else:
            taken.add(target)
        if name in mounts:
            yield invalid(f"{here}.name", name, "must not already exist in volumeMounts")
        if target in mounts.values():
            yield invalid(f"{here}.devicePath", target, "must not already exist as a path in volumeMounts")
        seen.add(name)


# Resources


def _resources(resources: Object, path: str, container: Object, context: Context) -> Errors:
    yield from validate_resources(resources, path)
    if "claims" in resources:
        yield from _claimed(resources["claims"], f"{path}.claims", context.claims)


def validate_resources(
    resources: Object, path: str, name_check: Callable[[str, str], Errors] = container_resource_name
) -> Errors:
    """ResourceRequirements but for claims: names, quantities, and requests within limits."""
    limits, requests = resources.get("limits") or NOTHING, resources.get("requests") or NOTHING
    for side, listed in (("limits", limits), ("requests", requests)):
        for name, amount in listed.items():
            for key, shown, why in _resource_faults(name, amount, name_check):
                yield FieldError(key, f"{path}.{side}[{name}]{shown}", why)
    for name, amount in requests.items():
        limit = limits.get(name)
        if limit is None:
            if not overcommit_allowed(name):
                yield required(f"{path}.limits", "Limit must be set for non overcommitable resources")
        elif limit != amount:
            asked, most = quantity(amount), quantity(limit)
            if asked != most and not overcommit_allowed(name):
                yield invalid(f"{path}.requests", str(asked), f"must be equal to {name} limit of {most}")
            elif asked > most:
                yield invalid(f"{path}.requests", str(asked), f"must be less than or equal to {name} limit of {most}")
    compute = "cpu" in limits or "memory" in limits or "cpu" in requests or "memory" in requests
    if not compute and any(name.startswith("hugepages-") for name in (*limits, *requests)):
        yield field_forbidden(path, "HugePages require cpu or memory")


@lru_cache(maxsize=4096)
def _resource_faults(
    name: str, amount: str | int | float, check: Callable[[str, str], Errors]
) -> tuple[FieldError, ...]:
    """The errors of one quantity, with paths that are still empty."""
    faults = [*check(name, ""), *resource_quantity(name, amount, "")]
    if name.startswith("hugepages-"):
        try:
            size = quantity(name.removeprefix("hugepages-")).value()
        except ValueError:
            size = 0
        if size <= 0 or quantity(amount).value() % size:
            faults.append(invalid("", str(amount), f"{amount} is not positive integer multiple of {name}"))
    return tuple(faults)


def _claimed(claims: Iterable[Object], path: str, known: Collection[str]) -> Errors:
    seen: set[str] = set()
    for index, claim in enumerate(claims):
        name, request = claim.get("name", ""), claim.get("request", "")
        here, key = f"{path}[{index}]", f"{name}/{request}" if request else name
        if not name:
            yield required(here)
            continue
        if request:
            yield from each(request, f"{here}.request", names.is_dns1123_label)
        if name in seen or key in seen:
            yield duplicate(here, name if name in seen else key)
        elif not request and any(other.startswith(f"{name}/") for other in seen):
            yield duplicate(here, name)
        seen.add(key)
        if name not in known:
            listed = ": " + ", ".join(sorted(known)) if known else " which is empty"
            missing = field_not_found(here, name)
            why = f"{missing.message}: must be one of the names in pod.spec.resourceClaims{listed}"
            yield missing._replace(message=why)


def _resource_claims(claims: Iterable[Object], path: str) -> Errors:
    seen: set[str] = set()
    for index, claim in enumerate(claims):
        here, name = f"{path}[{index}]", claim.get("name")
        if not name:
            yield required(f"{here}.name")
        else:
            yield from each(name, f"{here}.name", names.is_dns1123_label)
            yield from _unique(name, seen, f"{here}.name")
        kinds = [key for key in ("resourceClaimName", "resourceClaimTemplateName") if key in claim]
        if len(kinds) > 1:
            why = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
            yield invalid(here, claim, why)
        elif not kinds:
            yield invalid(here, claim, "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`")
        for key in kinds:
            yield from each(claim[key], f"{here}.{key}", name_is_dns_subdomain)


def _resize_policy(policies: Iterable[Object], path: str, container: Object, context: Context) -> Errors:
    seen: set[str] = set()
    for index, policy in enumerate(policies):
        resource, restart = policy.get("resourceName", ""), policy.get("restartPolicy", "")
        yield from _unique(resource, seen, f"{path}[{index}]")
        for value, known in ((resource, ("cpu", "memory")), (restart, ("NotRequired", "RestartContainer"))):
            if value not in known:
                yield not_supported(path, value, known) if value else required(path)
        if context.restart_policy == "Never" and restart != "NotRequired":
            yield invalid(path, restart, "must be 'NotRequired' when `restartPolicy` is 'Never'")


def _pod_resources(resources: Object, path: str, spec: Object) -> Errors:
    if "claims" in resources:
        yield field_forbidden(f"{path}.claims", "claims cannot be set for Resources at pod-level")
    yield from validate_resources(resources, path, _pod_resource_name)
    requests, limits = resources.get("requests") or NOTHING, resources.get("limits") or NOTHING
    for name, together in aggregate(spec, "requests").items():
        own = quantity(requests.get(name, "0"))
        if together > own:
            why = f"must be greater than or equal to aggregate container requests of {together}"
            yield invalid(f"{path}.requests[{name}]", str(own), why)
    for index, container in enumerate(spec.get("containers", ())):
        for name, limit in ((container.get("resources") or NOTHING).get("limits") or NOTHING).items():
            if name in limits and quantity(limit) > quantity(limits[name]):
                why = f"must be less than or equal to pod limits of {quantity(limits[name])}"
                yield invalid(f"{path}.containers[{index}][{name}].limits", str(quantity(limit)), why)


def _pod_resource_name(name: str, path: str) -> Errors:
    faults = list(resource_name(name, path))
    yield from faults
    if not faults and not supported_for_pods(name):
        yield not_supported(path, name, ("cpu", "hugepages-", "memory"))


def _overhead(overhead: Object, path: str, spec: Object) -> Errors:
    yield from validate_resources({"limits": overhead}, path)


# Security contexts


def _security_context(security: Object, path: str, container: Object, context: Context) -> Errors:
    yield from _ids(security, path)
    yield from one_of(security, "procMount", f"{path}.", ("Default", "Unmasked"))
    if context.host_users and security.get("procMount") == "Unmasked":
        yield invalid(f"{path}.procMount", "Unmasked", "`hostUsers` must be false to use `Unmasked`")
    yield from _profiles(security, path)
    if security.get("allowPrivilegeEscalation") is False:
        both = "cannot set `allowPrivilegeEscalation` to false and "
        if security.get("privileged"):
            yield invalid(path, security, both + "`privileged` to true")
        if "CAP_SYS_ADMIN" in (security.get("capabilities") or NOTHING).get("add", ()):
            yield invalid(path, security, both + "`capabilities.Add` CAP_SYS_ADMIN")


def _pod_security_context(security: Object, path: str, spec: Object) -> Errors:
    yield from _ids(security, path)
    for index, group in enumerate(security.get("supplementalGroups", ())):
        yield from each(group, f"{path}.supplementalGroups[{index}]", names.is_valid_group_id)
    seen: set[str] = set()
    for index, sysctl in enumerate(security.get("sysctls", ())):
        yield from _sysctl(sysctl.get("name", ""), f"{path}.sysctls[{index}].name", spec, seen)
    yield from one_of(security, "fsGroupChangePolicy", f"{path}.", ("Always", "OnRootMismatch"))
    yield from _profiles(security, path)
    yield from one_of(security, "supplementalGroupsPolicy", f"{path}.", ("Merge", "Strict"))
    yield from one_of(security, "seLinuxChangePolicy", f"{path}.", ("MountOption", "Recursive"))


def _ids(security: Object, path: str) -> Errors:
    for key in ("fsGroup", "runAsUser", "runAsGroup"):
        if key in security:
            yield from each(security[key], f"{path}.{key}", names.is_valid_user_id)


def _sysctl(name: str, path: str, spec: Object, seen: set[str]) -> Errors:
    if not name:
        yield required(path)
    elif len(name) > 253 or not re.match(_SYSCTL, name):
        yield invalid(path, name, f"must have at most 253 characters and match regex {_SYSCTL}")
    else:
        yield from _unique(name, seen, path)
    dotted = name.replace("/", ".")
    if spec.get("hostNetwork") and dotted.startswith("net."):
        yield invalid(path, name, "may not be specified when 'hostNetwork' is true")
    elif spec.get("hostIPC") and dotted.startswith(("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")):
        yield invalid(path, name, "may not be specified when 'hostIPC' is true")


def _profiles(security: Object, path: str) -> Errors:
    """Seccomp and AppArmor profiles: a file on the node is named if, and only if, the type is Localhost."""
    for key, shown in (("seccompProfile", "seccomp"), ("appArmorProfile", "AppArmor")):
        if key not in security:
            continue
        profile, here = security[key], f"{path}.{key}.localhostProfile"
        kinds = ("Localhost", "RuntimeDefault", "Unconfined")
        kind, file = profile.get("type"), profile.get("localhostProfile")
        if not kind:
            yield required(f"{path}.{key}.type", f"type is required when {key} is set")
        elif kind not in kinds:
            yield not_supported(f"{path}.{key}.type", kind, kinds)
        if kind == "Localhost":
            if file is None or (not file and shown == "AppArmor"):
                yield required(here, f"must be set when {shown} type is Localhost")
            elif shown == "seccomp":
                yield from descending_path(file, here)
            elif file != file.strip():
                yield invalid(here, file, "must not be padded with whitespace")
            elif len(file) > 4095:
                yield too_long(here, 4095)
        elif file is not None:
            yield invalid(here, profile, f"can only be set when {shown} type is Localhost")


def _operating_system(system: Object, path: str, spec: Object) -> Errors:
    name, base = system.get("name"), path.removesuffix(".os")
    parts = [(spec, base), *containers_of(spec, base)]
    if not name:
        yield required(f"{path}.name", "cannot be empty")
    elif name not in ("linux", "windows"):
        yield not_supported(path, name, ("linux", "windows"))
    elif name == "linux":
        for part, here in parts:
            if "windowsOptions" in (part.get("securityContext") or NOTHING):
                why = "windows options cannot be set for a linux pod"
                yield field_forbidden(f"{here}.securityContext.windowsOptions", why)
    else:
        for key in ("hostUsers", "hostPID", "hostIPC", "shareProcessNamespace"):
            if spec.get(key) not in ((None, False) if key != "hostUsers" else (None,)):
                yield field_forbidden(f"{base}.{key}", "cannot be set for a windows pod")
        for part, here in parts:
            for key in _NOT_WINDOWS:
                if key in (part.get("securityContext") or NOTHING):
                    yield field_forbidden(f"{here}.securityContext.{key}", "cannot be set for a windows pod")


# Scheduling


def _affinity(affinity: Object, path: str, spec: Object) -> Errors:
    node, here = affinity.get("nodeAffinity") or NOTHING, f"{path}.nodeAffinity"
    if "requiredDuringSchedulingIgnoredDuringExecution" in node:
        where = f"{here}.requiredDuringSchedulingIgnoredDuringExecution"
        yield from validate_node_selector(node["requiredDuringSchedulingIgnoredDuringExecution"], where)
    for index, term in enumerate(node.get("preferredDuringSchedulingIgnoredDuringExecution", ())):
        where = f"{here}.preferredDuringSchedulingIgnoredDuringExecution[{index}]"
        yield from _weight(term, where)
        yield from _node_selector_term(term.get("preference") or NOTHING, f"{where}.preference", any_value=True)
    for kind in ("podAffinity", "podAntiAffinity"):
        terms, here = affinity.get(kind) or NOTHING, f"{path}.{kind}"
        for index, term in enumerate(terms.get("requiredDuringSchedulingIgnoredDuringExecution", ())):
            yield from _pod_term(term, f"{here}.requiredDuringSchedulingIgnoredDuringExecution[{index}]")
        for index, term in enumerate(terms.get("preferredDuringSchedulingIgnoredDuringExecution", ())):
            where = f"{here}.preferredDuringSchedulingIgnoredDuringExecution[{index}]"
            yield from _weight(term, where)
            yield from _pod_term(term.get("podAffinityTerm") or NOTHING, f"{where}.podAffinityTerm")


def _weight(term: Object, path: str) -> Errors:
    if not 1 <= term.get("weight", 0) <= 100:
        yield invalid(f"{path}.weight", term.get("weight", 0), "must be in the range 1-100")


def validate_node_selector(selector: Object, path: str) -> Errors:
    """A NodeSelector, also a PersistentVolume's."""
    terms = selector.get("nodeSelectorTerms")
    if not terms:
        yield required(f"{path}.nodeSelectorTerms", "must have at least one node selector term")
    for index, term in enumerate(terms or ()):
        yield from _node_selector_term(term, f"{path}.nodeSelectorTerms[{index}]")


def _node_selector_term(term: Mapping[str, Any], path: str, any_value: bool = False) -> Errors:
    for index, expression in enumerate(term.get("matchExpressions", ())):
        here = f"{path}.matchExpressions[{index}]"
        operator, values = expression.get("operator", ""), expression.get("values") or ()
        if operator in ("In", "NotIn"):
            if not values:
                yield required(f"{here}.values", "must be specified when `operator` is 'In' or 'NotIn'")
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                yield field_forbidden(f"{here}.values", why)
        elif operator in ("Gt", "Lt"):
            if len(values) != 1:
                yield required(f"{here}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'")
        else:
            yield invalid(f"{here}.operator", operator, "not a valid selector operator")
        yield from each(expression.get("key", ""), f"{here}.key", names.is_qualified_name)
        for number, value in enumerate(() if any_value else values):
            yield from each(value, f"{here}.values[{number}]", names.is_label_value)
    for index, field in enumerate(term.get("matchFields", ())):
        here, values = f"{path}.matchFields[{index}]", field.get("values") or ()
        if field.get("operator") not in ("In", "NotIn"):
            yield invalid(f"{here}.operator", field.get("operator", ""), "not a valid selector operator")
        elif len(values) != 1:
            why = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
            yield required(f"{here}.values", why)
        if field.get("key") != "metadata.name":
            yield invalid(f"{here}.key", field.get("key", ""), "not a valid field selector key")
        else:
            for number, value in enumerate(values):
                yield from each(value, f"{here}.values[{number}]", name_is_dns_subdomain)


def _pod_term(term: Mapping[str, Any], path: str) -> Errors:
    for key in ("labelSelector", "namespaceSelector"):
        if key in term:
            yield from validate_label_selector(term[key], f"{path}.{key}")
    for name in term.get("namespaces", ()):
        yield from each(name, f"{path}.namespace", name_is_dns_label)
    if "matchLabelKeys" in term or "mismatchLabelKeys" in term:
        yield from _match_label_keys(term, path)
    if not term.get("topologyKey"):
        yield required(f"{path}.topologyKey", "can not be empty")
    yield from each(term.get("topologyKey", ""), f"{path}.topologyKey", names.is_qualified_name)


def _match_label_keys(term: Mapping[str, Any], path: str) -> Errors:
    match, mismatch, selector = (
        term.get("matchLabelKeys", ()),
        term.get("mismatchLabelKeys", ()),
        term.get("labelSelector"),
    )
    for side, keys in (("matchLabelKeys", match), ("mismatchLabelKeys", mismatch)):
        if keys and selector is None:
            yield field_forbidden(f"{path}.{side}", "must not be specified when labelSelector is not set")
        for index, key in enumerate(keys if selector is not None else ()):
            yield from each(key, f"{path}.{side}[{index}]", names.is_qualified_name)
    # The server itself adds one expression for each of these keys; a second one is the user's.
    found = list((selector or NOTHING).get("matchLabels", ()))
    for expression in (selector or NOTHING).get("matchExpressions", ()):
        key = expression.get("key")
        if key in match and key in found:
            yield invalid(f"{path}[{match.index(key)}]", key, "exists in both matchLabelKeys and labelSelector")
        found.append(key)
    for index, key in enumerate(match):
        if key in mismatch:
            yield invalid(f"{path}.matchLabelKeys[{index}]", key, "exists in both matchLabelKeys and mismatchLabelKeys")


def _topology_spread(constraints: list[Object], path: str, spec: Object) -> Errors:
    for index, constraint in enumerate(constraints):
        here, action, key = f"{path}[{index}]", constraint.get("whenUnsatisfiable"), constraint.get("topologyKey", "")
        if constraint.get("maxSkew", 0) <= 0:
            yield invalid(f"{here}.maxSkew", constraint.get("maxSkew", 0), "must be greater than zero")
        if not key:
            yield required(f"{here}.topologyKey", "can not be empty")
        if action not in ("DoNotSchedule", "ScheduleAnyway"):
            yield not_supported(f"{here}.whenUnsatisfiable", action or "", ("DoNotSchedule", "ScheduleAnyway"))
        if any((c.get("topologyKey"), c.get("whenUnsatisfiable")) == (key, action) for c in constraints[index + 1 :]):
            yield duplicate(f"{here}.{{topologyKey, whenUnsatisfiable}}", f"{{{key}, {action}}}")
        domains = constraint.get("minDomains")
        if domains is not None and domains <= 0:
            yield invalid(f"{here}.minDomains", domains, "must be greater than zero")
        if domains is not None and action != "DoNotSchedule":
            why = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
            yield invalid(f"{here}.minDomains", domains, why)
        for policy in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            yield from one_of(constraint, policy, f"{here}.", ("Honor", "Ignore"))
        selector = constraint.get("labelSelector")
        if constraint.get("matchLabelKeys"):
            yield from _spread_label_keys(constraint["matchLabelKeys"], selector, f"{here}.matchLabelKeys")
        if selector is not None:
            yield from validate_label_selector(selector, f"{here}.labelSelector")


def _spread_label_keys(keys: Iterable[str], selector: Object | None, path: str) -> Errors:
    if selector is None:
        yield field_forbidden(path, "must not be specified when labelSelector is not set")
    used = {*(selector or NOTHING).get("matchLabels", ())}
    for expression in (selector or NOTHING).get("matchExpressions", ()):
        # `In` with one value may be what the server itself made of the key.
        if expression.get("operator") != "In" or len(expression.get("values", ())) != 1:
            used.add(expression.get("key"))
    for index, key in enumerate(keys):
        yield from each(key, f"{path}[{index}]", names.is_qualified_name)
        if key in used:
            yield invalid(f"{path}[{index}]", key, "exists in both matchLabelKeys and labelSelector")


def validate_tolerations(tolerations: Iterable[Object], path: str, spec: Object | None = None) -> Errors:
    for index, toleration in enumerate(tolerations):
        here = f"{path}[{index}]"
        key, operator, value = toleration.get("key"), toleration.get("operator"), toleration.get("value", "")
        if key:
            for message in _key_faults(key):
                yield invalid(f"{here}.key", key, message)
        elif operator != "Exists":
            why = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            yield invalid(f"{here}.operator", operator or "", why)
        if toleration.get("tolerationSeconds") is not None and toleration.get("effect") != "NoExecute":
            why = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            yield invalid(f"{here}.effect", toleration.get("effect", ""), why)
        if operator == "Exists":
            if value:
                yield invalid(f"{here}.operator", value, "value must be empty when `operator` is 'Exists'")
        elif operator in ("Equal", "", None):
            faults = names.is_label_value(value) if value else ()
            if faults:
                yield invalid(f"{here}.operator", value, ";".join(faults))
        else:
            yield not_supported(f"{here}.operator", operator, ("Equal", "Exists"))
        if toleration.get("effect", "") not in ("", *TAINT_EFFECTS):
            yield not_supported(f"{here}.effect", toleration["effect"], TAINT_EFFECTS)


# Network and the rest


def _dns(spec: Object, path: str) -> Errors:
    policies, policy = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"), spec.get("dnsPolicy")
    if policy not in policies:
        yield from one_of(spec, "dnsPolicy", f"{path}.", policies, must=True)
    config, here = spec.get("dnsConfig"), f"{path}.dnsConfig"
    if policy == "None" and config is None:
        yield required(here, "must provide `dnsConfig` when `dnsPolicy` is None")
    if config is None:
        return
    servers, searches = config.get("nameservers") or (), config.get("searches") or ()
    if policy == "None" and not servers:
        yield required(f"{here}.nameservers", "must provide at least one DNS nameserver when `dnsPolicy` is None")
        return
    if len(servers) > 3:
        yield invalid(f"{here}.nameservers", servers, "must not have more than 3 nameservers")
    for index, server in enumerate(servers):
        yield from each(server, f"{here}.nameservers[{index}]", _ip_faults)
    if len(searches) > 32:
        yield invalid(f"{here}.searches", searches, "must not have more than 32 search paths")
    if len(" ".join(searches)) > 2048:
        why = "must not have more than 2048 characters (including spaces) in the search list"
        yield invalid(f"{here}.searches", searches, why)
    for index, search in enumerate(searches):
        if search != ".":
            domain = search.removesuffix(".")
            yield from each(domain, f"{here}.searches[{index}]", names.is_dns1123_subdomain_with_underscore)
    for index, option in enumerate(config.get("options", ())):
        if not option.get("name"):
            yield required(f"{here}.options[{index}]", "must not be empty")


def _ip_faults(address: str) -> list[str]:
    return names.is_ip(address, canonical=False)


def _host_network(on: bool, path: str, spec: Object) -> Errors:
    """In a template a port of the host may be left open, the Pod's defaults fill it in (see `validation.pod`)."""
    base = path.removesuffix(".hostNetwork")
    for index, container in enumerate(spec.get("containers", ()) if on else ()):
        for number, port in enumerate(container.get("ports", ())):
            if port.get("hostPort") and port["hostPort"] != port.get("containerPort"):
                why = "must match `containerPort` when `hostNetwork` is true"
                yield invalid(f"{base}.containers[{index}].ports[{number}].hostPort", port["hostPort"], why)


def _share_process_namespace(on: bool, path: str, spec: Object) -> Errors:
    if on and spec.get("hostPID"):
        here = path.replace(".shareProcessNamespace", ".securityContext.shareProcessNamespace")
        yield invalid(here, True, "ShareProcessNamespace and HostPID cannot both be enabled")


def _hostname_override(name: str, path: str, spec: Object) -> Errors:
    if len(name) > 64:
        yield too_long(path, 64)
    yield from each(name, path, name_is_dns_subdomain)
    for key in ("setHostnameAsFQDN", "hostNetwork"):
        if spec.get(key):
            yield field_forbidden(path, f"may not be set when `{key}` is true")


def _host_aliases(aliases: Iterable[Object], path: str, spec: Object) -> Errors:
    for index, alias in enumerate(aliases):
        yield from each(alias.get("ip", ""), f"{path}[{index}].ip", _ip_faults)
        for number, host in enumerate(alias.get("hostnames", ())):
            yield from each(host, f"{path}[{index}].hostnames[{number}]", name_is_dns_subdomain)


def _readiness_gates(gates: Iterable[Object], path: str, spec: Object) -> Errors:
    for index, gate in enumerate(gates):
        yield from each(gate.get("conditionType", ""), f"{path}[{index}].conditionType", names.is_qualified_name)


def _scheduling_gates(gates: Iterable[Object], path: str, spec: Object) -> Errors:
    seen: set[str] = set()
    for index, gate in enumerate(gates):
        yield from each(gate.get("name", ""), f"{path}[{index}]", names.is_qualified_name)
        yield from _unique(gate.get("name", ""), seen, f"{path}[{index}]")


def _deadline(seconds: int, path: str, spec: Object) -> Errors:
    yield from each(seconds, path, lambda value: names.is_in_range(value, 1, MAX_INT32))


def _preemption_policy(policy: str, path: str, spec: Object) -> Errors:
    if policy not in ("PreemptLowerPriority", "Never"):
        yield not_supported(path, policy, ("PreemptLowerPriority", "Never")) if policy else required(path)


def _node_selector(selector: Mapping[str, str], path: str, spec: Object) -> Iterable[FieldError]:
    return validate_labels(selector, path)


def _subdomain(name: str, path: str, spec: Object) -> Iterable[FieldError]:
    return each(name, path, _subdomain_faults) if name and _subdomain_faults(name) else ()


def _label(name: str, path: str, spec: Object) -> Iterable[FieldError]:
    return each(name, path, name_is_dns_label) if name else ()


_FIELDS: dict[str, Callable[[Any, str, Object], Iterable[FieldError]]] = {
    "resources": _pod_resources,
    "hostNetwork": _host_network,
    "nodeSelector": _node_selector,
    "securityContext": _pod_security_context,
    "shareProcessNamespace": _share_process_namespace,
    "affinity": _affinity,
    "readinessGates": _readiness_gates,
    "schedulingGates": _scheduling_gates,
    "topologySpreadConstraints": _topology_spread,
    "serviceAccountName": _subdomain,
    "nodeName": _subdomain,
    "activeDeadlineSeconds": _deadline,
    "hostname": _label,
    "hostnameOverride": _hostname_override,
    "subdomain": _label,
    "tolerations": validate_tolerations,
    "hostAliases": _host_aliases,
    "priorityClassName": _subdomain,
    "runtimeClassName": _subdomain,
    "preemptionPolicy": _preemption_policy,
    "overhead": _overhead,
    "os": _operating_system,
}
_CONTAINER_FIELDS: dict[str, Callable[[Any, str, Object, Context], Errors]] = {
    "ports": _ports,
    "env": _env,
    "envFrom": _env_from,
    "volumeMounts": _volume_mounts,
    "volumeDevices": _volume_devices,
    "resources": _resources,
    "resizePolicy": _resize_policy,
    "securityContext": _security_context,
}
