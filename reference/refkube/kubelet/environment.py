"""A container's environment: what its Pod says, what it refers to, and the Services that are there.

`pod_worker` calls `environment_of` before it makes a container. ConfigError is what keeps a container from being made.
Source: pkg/kubelet/kubelet_pods.go (makeEnvironmentVariables), envvars, third_party/forked/golang/expansion.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping

from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object, get_path
from refkube.apimachinery.quantity import bytes_of, cpu_milli

Read = Callable[[str, str, str], Object]  # resource, namespace, name

_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")
_REFERENCE = re.compile(r"\$\$|\$\(([^)]*)\)")


class ConfigError(Exception):
    """The container cannot be made as its Pod says; one line."""


def expand(text: str, env: Mapping[str, str]) -> str:
    """$(NAME) by its value, where there is one; $$ is a dollar."""

    def value(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        return env.get(found[1], found[0])

    return _REFERENCE.sub(value, text)


def environment_of(
    pod: Object, container: Object, read: Read, services: Iterable[Object], address: str, host: str, allocatable: Object
) -> dict[str, str]:
    env: dict[str, str] = {}
    namespace = pod["metadata"]["namespace"]
    for source in container.get("envFrom") or ():
        env.update(_all_of(source, namespace, read))
    linked = _service_variables(pod, services)
    for variable in container.get("env") or ():
        name, origin = variable["name"], variable.get("valueFrom")
        if origin:
            value = _value(pod, container, origin, namespace, read, address, host, allocatable)
        else:
            value = expand(variable.get("value") or "", {**linked, **env})
        if value is not None:
            env[name] = value
    return {**linked, **env}


def _all_of(source: Object, namespace: str, read: Read) -> dict[str, str]:
    prefix = source.get("prefix") or ""
    for key, resource in (("configMapRef", "configmaps"), ("secretRef", "secrets")):
        reference = source.get(key)
        if reference:
            obj = _read(read, resource, namespace, reference)
            return {prefix + name: value for name, value in texts(obj).items()} if obj else {}
    return {}


def _value(
    pod: Object, container: Object, origin: Object, namespace: str, read: Read, address: str, host: str, total: Object
) -> str | None:
    if origin.get("fieldRef"):
        return field_value(pod, origin["fieldRef"]["fieldPath"], address, host)
    if origin.get("resourceFieldRef"):
        return resource_value(pod, origin["resourceFieldRef"], total, container)
    for key, resource, told in (("configMapKeyRef", "configmaps", "ConfigMap"), ("secretKeyRef", "secrets", "Secret")):
        reference = origin.get(key)
        if reference:
            obj = _read(read, resource, namespace, reference)
            if obj is None:
                return None
            found = texts(obj)
            if reference["key"] in found:
                return found[reference["key"]]
            if reference.get("optional"):
                return None
            raise ConfigError(f"couldn't find key {reference['key']} in {told} {namespace}/{reference['name']}")
    raise ConfigError(f"the source of a variable is not supported: {', '.join(origin)}")


def _read(read: Read, resource: str, namespace: str, reference: Object) -> Object | None:
    try:
        return read(resource, namespace, reference.get("name", ""))
    except StatusError as refusal:
        if refusal.reason == "NotFound" and reference.get("optional"):
            return None
        raise ConfigError(refusal.status.get("message", str(refusal))) from None


def texts(obj: Object) -> dict[str, str]:
    return {name: data.decode(errors="replace") for name, data in contents(obj).items()}


def contents(obj: Object) -> dict[str, bytes]:
    """The data of a ConfigMap or Secret by key."""
    if obj.get("kind") == "Secret":
        return {name: b64decode(text) for name, text in (obj.get("data") or {}).items()}
    plain = {name: text.encode() for name, text in (obj.get("data") or {}).items()}
    return plain | {name: b64decode(text) for name, text in (obj.get("binaryData") or {}).items()}


def field_value(pod: Object, path: str, address: str, host: str) -> str:
    """What the downward API gives for a field; maps line by line."""
    subscript = _SUBSCRIPT.fullmatch(path)
    if subscript is not None:
        return str((pod["metadata"].get(subscript[1]) or {}).get(subscript[2], ""))
    if path in ("metadata.labels", "metadata.annotations"):
        pairs = (pod["metadata"].get(path.partition(".")[2]) or {}).items()
        return "\n".join(f'{key}="{_escaped(value)}"' for key, value in sorted(pairs))
    known = {"status.podIP": address, "status.podIPs": address, "status.hostIP": host, "status.hostIPs": host}
    if path in known:
        return known[path]
    return str(get_path(pod, *path.split("."), default=""))


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def resource_value(pod: Object, reference: Object, allocatable: Object, container: Object | None = None) -> str:
    """A request or limit in units of the divisor, rounded up; a limit that is not set is what the node has."""
    wanted = reference.get("containerName")
    if wanted:
        everyone = [*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or ())]
        container = next((one for one in everyone if one["name"] == wanted), container)
    side, _, name = reference["resource"].partition(".")
    resources = (container or {}).get("resources") or {}
    text = (resources.get(side) or {}).get(name)
    if text is None and side == "requests":
        text = "0"
    elif text is None:
        text = allocatable.get(name, "0")
    measure = cpu_milli if name == "cpu" else bytes_of
    divisor = measure(str(reference.get("divisor") or "0")) or (1000 if name == "cpu" else 1)
    return str(-(-measure(str(text)) // divisor))


def _service_variables(pod: Object, services: Iterable[Object]) -> dict[str, str]:
    env: dict[str, str] = {}
    namespace, links = pod["metadata"]["namespace"], pod["spec"].get("enableServiceLinks", True)
    for service in services:
        meta, spec = service["metadata"], service["spec"]
        master = (meta["namespace"], meta["name"]) == ("default", "kubernetes")
        if not (master or (links and meta["namespace"] == namespace)):
            continue
        address = spec.get("clusterIP")
        if not address or address == "None" or not spec.get("ports"):
            continue
        name = meta["name"].upper().replace("-", "_")
        env[f"{name}_SERVICE_HOST"] = address
        env[f"{name}_SERVICE_PORT"] = str(spec["ports"][0]["port"])
        for index, port in enumerate(spec["ports"]):
            if port.get("name"):
                env[f"{name}_SERVICE_PORT_{port['name'].upper().replace('-', '_')}"] = str(port["port"])
            protocol = port.get("protocol", "TCP")
            url = f"{protocol.lower()}://{address}:{port['port']}"
            base = f"{name}_PORT_{port['port']}_{protocol}"
            if index == 0:
                env[f"{name}_PORT"] = url
            env |= {
                base: url,
                f"{base}_PROTO": protocol.lower(),
                f"{base}_PORT": str(port["port"]),
                f"{base}_ADDR": address,
            }
    return env
