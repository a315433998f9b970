"""Validation of what a Pod runs: its spec, wherever it stands (a Pod, a template).

Called by `validation.pod` and, through it, for every kind with a Pod template; the tables are at the end. Left out:
what only Windows nodes look at (user names, host process containers). Facts: kubernetes' pkg/apis/core/validation,
ValidatePodSpec and what it calls, with the features that are on in the release.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from refkube.api.resources import aggregate, is_sidecar, supported_for_pods
from refkube.api.validation import common, objectmeta, volumes
from refkube.api.validation.common import CONTAINER_RESOURCE, QUALIFIED, overcommit_allowed, quantity
from refkube.api.validation.rules import NOTHING, Check, Errors, below, first_told, tables, text, told
from refkube.apimachinery import errors, names
from refkube.apimachinery.errors import FieldError, duplicate, field_forbidden, field_not_found, invalid, required
from refkube.apimachinery.meta import Object

MAX_INT32 = 2**31 - 1
TAINT_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_ENV_FIELDS = (
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
    "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
)  # fmt: skip
_EPHEMERAL_FORBIDDEN = (
    "ports", "resources", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "restartPolicy",
    "restartPolicyRules", "resizePolicy",
)  # fmt: skip
_NOT_WINDOWS = (
    "appArmorProfile", "capabilities", "fsGroup", "fsGroupChangePolicy", "seLinuxOptions", "seLinuxChangePolicy",
    "seccompProfile", "sysctls", "runAsUser", "runAsGroup", "supplementalGroups", "supplementalGroupsPolicy",
    "readOnlyRootFilesystem", "privileged", "allowPrivilegeEscalation", "procMount",
)  # fmt: skip
_SYSCTL = "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"


class Context(NamedTuple):
    """What the checks of containers must know of their Pod: their scope."""

    spec: Object
    volumes: Mapping[str, Object]


def validate_pod_spec(spec: Object) -> list[FieldError]:
    """A PodSpec with its defaults. What depends on more than the spec is `validation.pod`'s."""
    found, faults = volumes.validate_volumes(spec.get("volumes", ()))
    unset = spec.get("terminationGracePeriodSeconds") is None
    errors = [required(".terminationGracePeriodSeconds")] if unset else []
    return [*errors, *below(".volumes", faults), *TABLES["PodSpec"](spec, NOTHING, Context(spec, found))]


def containers_of(spec: Object, path: str) -> Iterator[tuple[Object, str]]:
    """All containers with their paths, in upstream's order."""
    for key in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(spec.get(key, ())):
            yield container, f"{path}.{key}[{index}]"


# Containers, by kind


def _init_containers(containers: Iterable[Object], spec: Object, context: Context) -> Errors:
    seen = {container.get("name") for container in spec.get("containers", ())}
    for index, container in enumerate(containers):
        here, name = f"[{index}]", container.get("name")
        yield from below(here, TABLES["Container"](container, spec, context))
        yield from below(here, TABLES["Restarts"](container, spec, context))
        yield from told((name and name in seen, duplicate, f"{here}.name", name))
        seen.add(name)
        # Init containers run one by one, so each conflicts with itself only; upstream reports them all at index 0.
        yield from _host_ports([container])
        yield from below(here, TABLES["Running" if is_sidecar(container) else "NotRunning"](container, spec, context))


def _ephemeral_containers(containers: Iterable[Object], spec: Object, context: Context) -> Errors:
    others = {c.get("name") for key in ("containers", "initContainers") for c in spec.get(key, ())}
    seen = set(others)
    for index, container in enumerate(containers):
        here, name, target = f"[{index}]", container.get("name", ""), container.get("targetContainerName")
        yield from below(here, TABLES["Container"](container, spec, context))
        yield from below(f"{here}.image", trimmed(container.get("image", "")))
        yield from told(
            (name in seen, duplicate, f"{here}.name", name),
            (target and target not in others, field_not_found, f"{here}.targetContainerName", target),
        )
        seen.add(name)
        unfit = [key for key in _EPHEMERAL_FORBIDDEN if container.get(key)]
        for number, mount in enumerate(container.get("volumeMounts", ())):
            unfit += [f"volumeMounts[{number}].{key}" for key in ("subPath", "subPathExpr") if mount.get(key)]
        yield from (field_forbidden(f"{here}.{key}", "cannot be set for an Ephemeral Container") for key in unfit)


def _host_ports(containers: Iterable[Object], *_: Any) -> Errors:
    taken: set[str] = set()
    for index, container in enumerate(containers):
        for number, port in enumerate(container.get("ports", ())):
            if port.get("hostPort"):
                shown = f"{port.get('protocol', '')}/{port.get('hostIP', '')}/{port['hostPort']}"
                if shown in taken:
                    yield duplicate(f"[{index}].ports[{number}].hostPort", shown)
                taken.add(shown)


def names_of(attached: Iterable[Object] | None) -> set[str | None]:
    """Of a container's mounts or devices."""
    return {one.get("name") for one in attached or ()}


def paths_of(attached: Iterable[Object] | None, key: str) -> set[str | None]:
    return {one.get(key) for one in attached or ()}


def is_block(volume: Object | None) -> bool:
    return volume is None or "persistentVolumeClaim" in volume or "ephemeral" in volume


def env_field(reference: Object, *_: Any) -> list[FieldError]:
    return volumes.field_ref(reference, _ENV_FIELDS)


# Resources


def validate_resources(
    resources: Object, owner: Any = None, scope: Any = None, name_check: Check = CONTAINER_RESOURCE
) -> list[FieldError]:
    """ResourceRequirements but for claims: names, quantities, and requests within limits."""
    errors: list[FieldError] = []
    limits, requests = resources.get("limits") or NOTHING, resources.get("requests") or NOTHING
    for side, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            if faults := _resource_faults(name, amount, name_check):
                errors += below(f".{side}[{name}]", faults)
    for name, amount in requests.items():
        limit = limits.get(name)
        if limit is None:
            if not overcommit_allowed(name):
                errors.append(required(".limits", "Limit must be set for non overcommitable resources"))
        elif limit != amount:
            asked, most = quantity(amount), quantity(limit)
            if asked != most and not overcommit_allowed(name):
                errors.append(invalid(".requests", str(asked), f"must be equal to {name} limit of {most}"))
            elif asked > most:
                errors.append(invalid(".requests", str(asked), f"must be less than or equal to {name} limit of {most}"))
    compute = "cpu" in limits or "memory" in limits or "cpu" in requests or "memory" in requests
    if not compute and any(name.startswith("hugepages-") for name in (*limits, *requests)):
        errors.append(field_forbidden("", "HugePages require cpu or memory"))
    return errors


@lru_cache(maxsize=4096)
def _resource_faults(name: str, amount: str | int | float, check: Check) -> tuple[FieldError, ...]:
    faults = [*check(name), *common.quantity_faults(amount, name)]
    if name.startswith("hugepages-"):
        try:
            size = quantity(name.removeprefix("hugepages-")).value()
        except ValueError:
            size = 0
        if size <= 0 or quantity(amount).value() % size:
            faults.append(invalid("", str(amount), f"{amount} is not positive integer multiple of {name}"))
    return tuple(faults)


def _claimed(claims: Iterable[Object], resources: Object, context: Context) -> Errors:
    known = [claim["name"] for claim in context.spec.get("resourceClaims", ()) if claim.get("name")]
    among = ": " + ", ".join(sorted(known)) if known else " which is empty"
    seen: set[str] = set()
    for index, claim in enumerate(claims):
        name, request, here = claim.get("name", ""), claim.get("request", ""), f"[{index}]"
        key = f"{name}/{request}" if request else name
        if not name:
            yield required(here)
            continue
        yield from below(f"{here}.request", common.LABEL(request) if request else ())
        again = not request and any(other.startswith(f"{name}/") for other in seen)
        yield from first_told(
            (name in seen or again, duplicate, here, name),
            (key in seen, duplicate, here, key),
        )
        seen.add(key)
        if name not in known:
            missing = field_not_found(here, name)
            why = f"{missing.message}: must be one of the names in pod.spec.resourceClaims{among}"
            yield missing._replace(message=why)


def _pod_resources(resources: Object, spec: Object, *_: Any) -> Errors:
    if "claims" in resources:
        yield field_forbidden(".claims", "claims cannot be set for Resources at pod-level")
    yield from validate_resources(resources, name_check=_pod_resource)
    requests, limits = resources.get("requests") or NOTHING, resources.get("limits") or NOTHING
    for name, together in aggregate(spec, "requests").items():
        own = quantity(requests.get(name, "0"))
        if together > own:
            why = f"must be greater than or equal to aggregate container requests of {together}"
            yield invalid(f".requests[{name}]", str(own), why)
    for index, container in enumerate(spec.get("containers", ())):
        for name, limit in ((container.get("resources") or NOTHING).get("limits") or NOTHING).items():
            if name in limits and quantity(limit) > quantity(limits[name]):
                why = f"must be less than or equal to pod limits of {quantity(limits[name])}"
                yield invalid(f".containers[{index}][{name}].limits", str(quantity(limit)), why)


def _pod_resource(name: str) -> Iterable[FieldError]:
    unfit = told((not supported_for_pods(name), errors.not_supported, "", name, ("cpu", "hugepages-", "memory")))
    return common.RESOURCE(name) or unfit


def _overhead(overhead: Object, *_: Any) -> list[FieldError]:
    return validate_resources({"limits": overhead})


# Security contexts, operating systems


def _localhost(file: str | None, profile: Object, *_: Any) -> Iterable[FieldError]:
    """The file that a seccomp profile names if, and only if, the type is Localhost."""
    local, why = profile.get("type") == "Localhost", "can only be set when seccomp type is Localhost"
    return (
        volumes.descending_path(file)
        if local and file
        else told(
            (not local and file is not None, invalid, "", profile, why),
            (local and file is None, required, "", "must be set when seccomp type is Localhost"),
        )
    )


def _sysctls(sysctls: Iterable[Object], security: Object, context: Context) -> Errors:
    seen: set[str] = set()
    for index, sysctl in enumerate(sysctls):
        name, here = sysctl.get("name", ""), f"[{index}].name"
        wrong, dotted = len(name) > 253 or not re.match(_SYSCTL, name), name.replace("/", ".")
        ipc = dotted.startswith(("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue."))
        yield from first_told(
            (not name, required, here),
            (wrong, invalid, here, name, f"must have at most 253 characters and match regex {_SYSCTL}"),
            (name in seen, duplicate, here, name),
        )
        for key, bound in (("hostNetwork", dotted.startswith("net.")), ("hostIPC", ipc)):
            if bound and context.spec.get(key):
                yield invalid(here, name, f"may not be specified when '{key}' is true")
        seen.update(() if wrong else (name,))


def _operating_system(spec: Object, *_: Any) -> Errors:
    system = (spec.get("os") or NOTHING).get("name")
    parts = [(part.get("securityContext") or NOTHING, at) for part, at in ((spec, ""), *containers_of(spec, ""))]
    unset = {"hostUsers": (None,), **dict.fromkeys(("hostPID", "hostIPC", "shareProcessNamespace"), (None, False))}
    if system == "linux":
        for security, at in parts:
            why = "windows options cannot be set for a linux pod"
            yield from told(
                ("windowsOptions" in security, field_forbidden, f"{at}.securityContext.windowsOptions", why)
            )
    elif system == "windows":
        places = [f".{key}" for key, values in unset.items() if spec.get(key) not in values]
        places += [f"{at}.securityContext.{key}" for security, at in parts for key in _NOT_WINDOWS if key in security]
        yield from (field_forbidden(place, "cannot be set for a windows pod") for place in places)
    elif spec.get("os"):
        yield (
            errors.not_supported(".os", system, ("linux", "windows"))
            if system
            else required(".os.name", "cannot be empty")
        )


# Scheduling


def _match_label_keys(term: Object, *_: Any) -> Errors:
    match, mismatch, selector = (
        term.get(key) or () for key in ("matchLabelKeys", "mismatchLabelKeys", "labelSelector")
    )
    # The server itself adds one expression for each of these keys; a second one is the user's.
    found = list((selector or NOTHING).get("matchLabels", ())) if match else []
    for expression in (selector or NOTHING).get("matchExpressions", ()) if match else ():
        key = expression.get("key")
        if key in match and key in found:
            yield invalid(f"[{match.index(key)}]", key, "exists in both matchLabelKeys and labelSelector")
        found.append(key)
    for index, key in enumerate(match):
        if key in mismatch:
            yield invalid(f".matchLabelKeys[{index}]", key, "exists in both matchLabelKeys and mismatchLabelKeys")


def spread(constraint: Object) -> str:
    return f"{{{constraint.get('topologyKey', '')}, {constraint.get('whenUnsatisfiable')}}}"


def is_spread_again(constraints: list[Object], place: int) -> bool:
    """Is the same key spread by the same action further down?"""
    return spread(constraints[place]) in map(spread, constraints[place + 1 :])


def _spread_label_keys(keys: Iterable[str], constraint: Object, *_: Any) -> Errors:
    selector = constraint.get("labelSelector")
    used = {*(selector or NOTHING).get("matchLabels", ())}
    for expression in (selector or NOTHING).get("matchExpressions", ()):
        # `In` with one value may be what the server itself made of the key.
        if expression.get("operator") != "In" or len(expression.get("values", ())) != 1:
            used.add(expression.get("key"))
    for index, key in enumerate(keys):
        yield from below(f"[{index}]", QUALIFIED(key))
        if key in used:
            yield invalid(f"[{index}]", key, "exists in both matchLabelKeys and labelSelector")


@text
def plain_value(value: str) -> list[str]:
    """A taint's or a toleration's, all that is wrong with it at once."""
    return [";".join(wrong)] if (wrong := names.is_label_value(value)) else []


# Network


def _search(search: str, *_: Any) -> Errors:
    domain = search.removesuffix(".")
    if search != ".":
        yield from (invalid("", domain, message) for message in names.is_dns1123_subdomain_with_underscore(domain))


trimmed = text(lambda image: [] if image == image.strip() else ["must not have leading or trailing whitespace"])
"""A container's image in a Pod"""
DEADLINE = text(lambda seconds: names.is_in_range(seconds, 1, MAX_INT32))
TABLES = tables(r"""
PodSpec
  resourceClaims[]
    name                required LABEL
    .                   invalid if resourceClaimName? and resourceClaimTemplateName? \
                        -- at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified
    .                   invalid if not resourceClaimName? and not resourceClaimTemplateName? \
                        -- must specify one of: `resourceClaimName`, `resourceClaimTemplateName`
    name                unique
    resourceClaimName, resourceClaimTemplateName  given SUBDOMAIN
  containers            required
  containers[]
    .                   Container
    name                default "" unique
    .                   Running
    .                   Restarts
  containers            host_ports
  initContainers        init_containers
  ephemeralContainers   ephemeral_containers
  resources             pod_resources
  containers[]          if hostNetwork
    ports[]
      hostPort          invalid if v != containerPort -- must match `containerPort` when `hostNetwork` is true
  nodeSelector          validate_labels
  securityContext
    .                   Identity
    supplementalGroups[]  USER_ID
    sysctls             sysctls
    fsGroupChangePolicy  in Always OnRootMismatch
    .                   Profiles
    supplementalGroupsPolicy  in Merge Strict
    seLinuxChangePolicy  in MountOption Recursive
  shareProcessNamespace  invalid if hostPID at ".securityContext.shareProcessNamespace" \
                        -- ShareProcessNamespace and HostPID cannot both be enabled
  affinity
    nodeAffinity
      requiredDuringSchedulingIgnoredDuringExecution  given NodeSelector
      preferredDuringSchedulingIgnoredDuringExecution[]
        weight          default 0 invalid if not 1 <= v <= 100 -- must be in the range 1-100
        preference      NodePreference
    podAffinity, podAntiAffinity
      requiredDuringSchedulingIgnoredDuringExecution[]  PodTerm
      preferredDuringSchedulingIgnoredDuringExecution[]
        weight          default 0 invalid if not 1 <= v <= 100 -- must be in the range 1-100
        podAffinityTerm  default NOTHING PodTerm
  readinessGates[]
    conditionType       default "" QUALIFIED
  schedulingGates[]
    name                default "" QUALIFIED at ""
    name                default "" unique at ""
  topologySpreadConstraints[]
    maxSkew             default 0 > 0 -- must be greater than zero
    topologyKey         required -- can not be empty
    whenUnsatisfiable   default "" in DoNotSchedule ScheduleAnyway
    .                   duplicate spread(o) \
                        if topologyKey? and is_spread_again(up.topologySpreadConstraints, k) \
                        at ".{{topologyKey, whenUnsatisfiable}}"
    minDomains          given > 0 -- must be greater than zero
    minDomains          given invalid if whenUnsatisfiable != "DoNotSchedule" \
                        -- can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {whenUnsatisfiable}
    nodeAffinityPolicy, nodeTaintsPolicy  in Honor Ignore
    matchLabelKeys      forbidden if not labelSelector? -- must not be specified when labelSelector is not set
    matchLabelKeys      spread_label_keys
    labelSelector       SELECTOR
  serviceAccountName, nodeName  SUBDOMAIN
  activeDeadlineSeconds  given DEADLINE
  hostname              LABEL
  hostnameOverride      given chars 64
  hostnameOverride      given SUBDOMAIN
  hostnameOverride      given forbidden if setHostnameAsFQDN -- may not be set when `setHostnameAsFQDN` is true
  hostnameOverride      given forbidden if hostNetwork -- may not be set when `hostNetwork` is true
  subdomain             LABEL
  tolerations[]         Toleration
  hostAliases[]
    ip                  default "" IP
    hostnames[]         SUBDOMAIN
  priorityClassName, runtimeClassName  SUBDOMAIN
  preemptionPolicy      required if preemptionPolicy?
  preemptionPolicy      in PreemptLowerPriority Never
  overhead              overhead
  .                     operating_system if os?
  restartPolicy         required in Always OnFailure Never
  dnsPolicy             required in ClusterFirstWithHostNet ClusterFirst Default None
  dnsConfig             present if dnsPolicy == "None" -- must provide `dnsConfig` when `dnsPolicy` is None
  dnsConfig             given
    nameservers  required if up.dnsPolicy == "None" -- must provide at least one DNS nameserver when `dnsPolicy` is None
    else .              DNSConfig
  hostNetwork           forbidden if hostUsers is False -- when `pod.Spec.HostUsers` is false
  hostPID               forbidden if hostUsers is False at ".HostPID" -- when `pod.Spec.HostUsers` is false
  hostIPC               forbidden if hostUsers is False at ".HostIPC" -- when `pod.Spec.HostUsers` is false

DNSConfig
  nameservers           invalid if len(v) > 3 -- must not have more than 3 nameservers
  nameservers[]         IP
  searches              invalid if len(v) > 32 -- must not have more than 32 search paths
  searches              invalid if len(" ".join(v)) > 2048 \
                        -- must not have more than 2048 characters (including spaces) in the search list
  searches[]            search
  options[]
    name                required at "" -- must not be empty

Container
  name                  required LABEL
  image                 required
  terminationMessagePolicy  required in File FallbackToLogsOnError
  imagePullPolicy       required in Always IfNotPresent Never
  ports[]
    name                PORT_NAME
    name                unique if not PORT_NAME(v)
    containerPort       required PORT_NUMBER
    hostPort            PORT_NUMBER
    protocol            required in PROTOCOLS
  env[]
    name                required ENV_NAME
    valueFrom           given
      fieldRef          given env_field
      resourceFieldRef  given resource_field_ref
      configMapKeyRef, secretKeyRef  given
        name            default "" SUBDOMAIN
        key             required CONFIG_KEY
      fileKeyRef        given
        key, volumeName  required
        path            required local_path
      .                 invalid "" if len(o) == 0 \
                        -- must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`
      else .            invalid "" if up.value -- may not be specified when `value` is not empty
      else .            invalid "" if len(o) > 1 -- may not have more than one field specified at a time
  envFrom[]
    prefix              ENV_NAME
    configMapRef, secretRef  given
      name              required PREFIX
    .  invalid "" if not configMapRef? and not secretRef? at "^" -- must specify one of: `configMapRef` or `secretRef`
    .  invalid "" if configMapRef? and secretRef? at "^" -- may not have more than one field specified at a time
  .                     Mounts
  resources             validate_resources
  resources.claims      claimed
  resizePolicy[]
    resourceName        default "" unique at ""
    resourceName        required in cpu memory at "^"
    restartPolicy       required in NotRequired RestartContainer at "^"
    restartPolicy       default "" invalid if v != "NotRequired" and s.spec.get("restartPolicy") == "Never" at "^" \
                        -- must be 'NotRequired' when `restartPolicy` is 'Never'
  securityContext
    .                   Identity
    procMount           in Default Unmasked
    procMount           invalid if v == "Unmasked" and s.spec.get("hostUsers", True) \
                        -- `hostUsers` must be false to use `Unmasked`
    .                   Profiles
    .                   invalid if allowPrivilegeEscalation is False and privileged \
                        -- cannot set `allowPrivilegeEscalation` to false and `privileged` to true
    .                   invalid if allowPrivilegeEscalation is False and "CAP_SYS_ADMIN" in (capabilities.add or ()) \
                        -- cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN

Running
  lifecycle
    postStart, preStop  given handler
  livenessProbe         given LastingProbe
  readinessProbe        given
    .                   Probe
    terminationGracePeriodSeconds  given invalid -- must not be set for readinessProbes
  startupProbe          given LastingProbe

NotRunning
  lifecycle, livenessProbe, readinessProbe, startupProbe  given forbidden \
                        -- may not be set for init containers without restartPolicy=Always

LastingProbe
  .                     Probe
  successThreshold      default 0 == 1 -- must be 1

Probe
  .                     handler
  initialDelaySeconds, timeoutSeconds, periodSeconds, successThreshold, failureThreshold  >= 0
  terminationGracePeriodSeconds  given > 0

handler exec
  command               required
handler httpGet
  port                  default 0 PORT
  path                  required
  scheme                default "" in HTTP HTTPS
  httpHeaders[.]
    name                default "" HEADER at ""
handler tcpSocket
  port                  default 0 PORT
handler grpc
  port                  default 0 PORT
handler sleep
  seconds               default 0 invalid if not 0 <= v <= s.spec.get("terminationGracePeriodSeconds", v) at "" \
      -- must be non-negative and less than terminationGracePeriodSeconds ({s.spec["terminationGracePeriodSeconds"]})

Restarts
  restartPolicy         given in Always Never OnFailure
  restartPolicyRules    missing if not restartPolicy? at ".restartPolicy" \
                        -- must specify restartPolicy when restart rules are used
  restartPolicyRules    most 20 if restartPolicy?
  restartPolicyRules[]  RestartRule if restartPolicy?

RestartRule
  action                required in Restart RestartAllContainers
  exitCodes             present -- must be specified
  exitCodes             given
    operator            required in In NotIn
    values              most 255

Mounts
  volumeMounts[]
    name                required
    name                default "" unknown if v not in s.volumes
    mountPath           required
    mountPath           default "" unique -- must be unique
    name                default "" invalid if v in names_of(up.volumeDevices) -- must not already exist in volumeDevices
    mountPath           default "" invalid if v in paths_of(up.volumeDevices, "devicePath") \
                        -- must not already exist as a path in volumeDevices
    # From here on upstream reports at the list.
    subPath             descending_path at "^.subPath"
    subPathExpr         descending_path at "^.subPathExpr"
    subPathExpr         invalid if subPath -- subPathExpr and subPath are mutually exclusive
    mountPropagation    in Bidirectional HostToContainer None at "^.mountPropagation"
    mountPropagation    forbidden \
                        if v == "Bidirectional" and not up.securityContext.privileged at "^.mountPropagation" \
                        -- Bidirectional mount propagation is available only to privileged containers
    recursiveReadOnly   given in Disabled Enabled IfPossible at "^.recursiveReadOnly"
    recursiveReadOnly   forbidden if v in ("Enabled", "IfPossible") and not readOnly at "^.recursiveReadOnly" \
                        -- may only be specified when readOnly is true
    recursiveReadOnly   forbidden \
                        if v in ("Enabled", "IfPossible") and mountPropagation not in (None, "None") \
                        at "^.recursiveReadOnly" \
                        -- may only be specified when mountPropagation is None or not specified
  volumeDevices[]
    name                required
    name                default "" unique -- must be unique
    name                default "" unknown if v not in s.volumes
    name                default "" invalid if not is_block(s.volumes.get(v)) \
                        -- can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode
    devicePath          required
    devicePath          default "" unique -- must be unique
    devicePath          invalid if no_backsteps(v) -- can not contain backsteps ('..')
    name                default "" invalid if v in names_of(up.volumeMounts) -- must not already exist in volumeMounts
    devicePath          default "" invalid if v in paths_of(up.volumeMounts, "mountPath") \
                        -- must not already exist as a path in volumeMounts

Identity
  fsGroup, runAsUser, runAsGroup  USER_ID

Profiles
  seccompProfile        given
    type                required in Localhost RuntimeDefault Unconfined -- type is required when seccompProfile is set
    localhostProfile    always localhost
  appArmorProfile       given
    type                required in Localhost RuntimeDefault Unconfined -- type is required when appArmorProfile is set
    localhostProfile    given invalid o if type != "Localhost" -- can only be set when AppArmor type is Localhost
    localhostProfile    required if type == "Localhost" -- must be set when AppArmor type is Localhost
    else localhostProfile  invalid if type == "Localhost" and v != v.strip() -- must not be padded with whitespace
    else localhostProfile  chars 4095 if type == "Localhost"

Toleration
  key                   QUALIFIED
  operator              default "" invalid if not key and v != "Exists" \
                        -- operator must be Exists when `key` is empty, which means "match all values and all keys"
  effect                default "" invalid if tolerationSeconds? and v != "NoExecute" \
                        -- effect must be 'NoExecute' when `tolerationSeconds` is set
  value  invalid if operator == "Exists" at ".operator" -- value must be empty when `operator` is 'Exists'
  value                 plain_value if operator in (None, "", "Equal") at ".operator"
  operator              in Equal Exists
  effect                in TAINT_EFFECTS

NodeSelector
  nodeSelectorTerms     required -- must have at least one node selector term
  nodeSelectorTerms[]
    matchExpressions[]
      .                 Expression
      values[]          LABEL_VALUE
    .                   MatchFields

NodePreference
  matchExpressions[]    Expression
  .                     MatchFields

Expression
  values                required if operator in ("In", "NotIn") -- must be specified when `operator` is 'In' or 'NotIn'
  values                forbidden if operator in ("Exists", "DoesNotExist") \
                        -- may not be specified when `operator` is 'Exists' or 'DoesNotExist'
  values                always missing if operator in ("Gt", "Lt") and len(v or ()) != 1 \
                        -- must be specified single value when `operator` is 'Lt' or 'Gt'
  operator              default "" invalid if v not in ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt") \
                        -- not a valid selector operator
  key                   default "" QUALIFIED

MatchFields
  matchFields[]
    operator            default "" invalid if v not in ("In", "NotIn") -- not a valid selector operator
    values              always missing if operator in ("In", "NotIn") and len(v or ()) != 1 \
                        -- must be only one value when `operator` is 'In' or 'NotIn' for node field selector
    key                 default "" invalid if v != "metadata.name" -- not a valid field selector key
    values[]            SUBDOMAIN if key == "metadata.name"

PodTerm
  labelSelector, namespaceSelector  SELECTOR
  namespaces[.]         LABEL at ".namespace"
  matchLabelKeys        forbidden if not labelSelector? -- must not be specified when labelSelector is not set
  matchLabelKeys[]      QUALIFIED if labelSelector?
  mismatchLabelKeys     forbidden if not labelSelector? -- must not be specified when labelSelector is not set
  mismatchLabelKeys[]   QUALIFIED if labelSelector?
  .                     match_label_keys
  topologyKey           required -- can not be empty
  topologyKey           default "" QUALIFIED
""", globals(), vars(common), vars(volumes), vars(objectmeta))  # fmt: skip
