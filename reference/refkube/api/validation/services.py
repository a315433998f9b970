"""Validation of Service, Endpoints and EndpointSlice.

Facts: kubernetes/pkg/apis/core/validation (ValidateService, ValidateServiceUpdate, validateEndpointSubsets) and
pkg/apis/discovery/validation. A Service is validated after the registry has brought clusterIP and clusterIPs in line
and allocated addresses, IP families and ports, so a missing healthCheckNodePort is an error here.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from refkube.api.validation.common import (
    NOTHING,
    PROTOCOLS,
    Errors,
    each,
    is_cidr,
    is_ip,
    one_of,
    port_number_or_name,
    rules,
    spec_of,
    special_ip_faults,
    status_of,
)
from refkube.api.validation.objectmeta import Rules, name_is_dns1035_label, validate_immutable, validate_labels
from refkube.apimachinery import names
from refkube.apimachinery.errors import (
    FieldError,
    duplicate,
    field_forbidden,
    invalid,
    not_supported,
    required,
    too_many,
)
from refkube.apimachinery.meta import Object, annotations_of

TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
KUBELET_PORT = 10250
MAX_AFFINITY_SECONDS = 86400
SOURCE_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"
_ONLY_LOAD_BALANCER = "may only be used when `type` is 'LoadBalancer'"
_ONCE_SET = "may not change once set"

# Addresses (of "") and endpoints (of their type) found right, by identity: the one that changes is written together
# with all the others, which are as they were.
_right: dict[tuple[int, str], Object] = {}
_REMEMBERED = 65536


def _service(service: Object) -> Errors:
    spec = spec_of(service)
    kind = spec.get("type", "")
    ports = spec.get("ports") or ()
    if not ports and not is_headless(spec) and kind != "ExternalName":
        yield required("spec.ports")
    if kind == "ExternalName":
        yield from _external_name(spec)
    elif kind in ("LoadBalancer", "NodePort") and is_headless(spec):
        yield invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services")
    yield from _ports(ports, kind)
    yield from validate_labels(spec.get("selector") or NOTHING, "spec.selector")
    yield from _session_affinity(spec)
    yield from cluster_ips(spec)
    for index, address in enumerate(spec.get("externalIPs") or ()):
        path = f"spec.externalIPs[{index}]"
        faults = list(each(address, path, is_ip))
        yield from faults or each(address, path, special_ip_faults)
    yield from one_of(spec, "type", "spec.", TYPES, must=True)
    yield from _load_balancer(service, spec)
    yield from _traffic(spec)


def is_headless(spec: Object) -> bool:
    return spec.get("clusterIPs") == ["None"]


def is_externally_accessible(spec: Object) -> bool:
    kind = spec.get("type")
    return kind in ("LoadBalancer", "NodePort") or (kind == "ClusterIP" and bool(spec.get("externalIPs")))


def needs_health_check(spec: Object) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def _external_name(spec: Object) -> Errors:
    for key in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        if spec.get(key):
            yield field_forbidden(f"spec.{key}", "may not be set for ExternalName services")
    name = spec.get("externalName", "").removesuffix(".")
    if name:
        yield from each(name, "spec.externalName", names.is_dns1123_subdomain)
    else:
        yield required("spec.externalName")


def _ports(ports: Any, kind: str) -> Errors:
    seen: set[object] = set()
    for index, port in enumerate(ports):
        path = f"spec.ports[{index}]"
        number, protocol, name, node_port = (port.get(key) for key in ("port", "protocol", "name", "nodePort"))
        if kind == "LoadBalancer" and number == KUBELET_PORT:
            yield invalid(path, number, f"may not expose port {number} externally since it is used by kubelet")
        if name:
            yield from each(name, f"{path}.name", names.is_dns1123_label)
            if name in seen:
                yield duplicate(f"{path}.name", name)
        elif len(ports) > 1:
            yield required(f"{path}.name")
        yield from each(number or 0, f"{path}.port", names.is_valid_port_num)
        yield from one_of(port, "protocol", f"{path}.", PROTOCOLS, must=True)
        yield from port_number_or_name(port.get("targetPort", 0), f"{path}.targetPort")
        if "appProtocol" in port:
            yield from each(port["appProtocol"], f"{path}.appProtocol", names.is_qualified_name)
        if node_port and kind == "ClusterIP":
            yield field_forbidden(f"{path}.nodePort", "may not be used when `type` is 'ClusterIP'")
        if node_port and ("node", protocol, node_port) in seen:
            yield duplicate(f"{path}.nodePort", node_port)
        if (protocol, number) in seen:
            # Upstream shows its internal structure here.
            shown = {"Name": "", "Protocol": protocol, "AppProtocol": None, "Port": number}
            yield duplicate(path, {**shown, "TargetPort": 0, "NodePort": 0})
        seen |= {name, (protocol, number), ("node", protocol, node_port)}


def _session_affinity(spec: Object) -> Errors:
    yield from one_of(spec, "sessionAffinity", "spec.", ("ClientIP", "None"), must=True)
    path, config = "spec.sessionAffinityConfig", spec.get("sessionAffinityConfig")
    if spec.get("sessionAffinity") == "None" and config is not None:
        yield field_forbidden(path, "must not be set when session affinity is None")
    if spec.get("sessionAffinity") != "ClientIP":
        return
    for key in ("clientIP", "timeoutSeconds"):
        if config is None:
            break
        config, path = config.get(key), f"{path}.{key}"
    if config is None:
        yield required(path, "when session affinity type is ClientIP")
    elif not 0 < config <= MAX_AFFINITY_SECONDS:
        yield invalid(path, config, f"must be greater than 0 and less than {MAX_AFFINITY_SECONDS}")


def cluster_ips(spec: Object) -> Errors:
    """clusterIP, clusterIPs and their families. The allocator asks it as well."""
    if spec.get("type") == "ExternalName":
        return
    path, ips, families = "spec.clusterIPs", spec.get("clusterIPs") or [], spec.get("ipFamilies") or []
    first = spec.get("clusterIP")
    if first and not ips:
        yield required(path)
    elif first and ips[0] != first:
        yield invalid(path, ips, "first value must match `clusterIP`")
    elif ips and not first:
        yield invalid(path, ips, "must be empty when `clusterIP` is not specified")
    for index, family in enumerate(families):
        if family not in ("IPv4", "IPv6"):
            yield not_supported(f"spec.ipFamilies[{index}]", family, ("IPv4", "IPv6"))
        if family in families[:index]:
            yield duplicate(f"spec.ipFamilies[{index}]", family)
    yield from one_of(spec, "ipFamilyPolicy", "spec.", ("PreferDualStack", "RequireDualStack", "SingleStack"))
    faults = []
    if ips[:1] == ["None"] and len(ips) > 1:
        faults.append(invalid(path, ips, "'None' must be the first and only value"))
    for index, ip in enumerate(ips):
        if index or ip != "None":
            faults += each(ip, f"{path}[{index}]", is_ip)
    yield from faults
    if len(ips) > 2:
        yield invalid(path, ips, "may only hold up to 2 values")
    if faults or is_headless(spec):
        return
    versions = [ip_address(ip).version for ip in ips]
    if len(set(versions)) < len(versions):
        yield invalid(path, ips, "may specify no more than one IP for each IP family")
    for index, (ip, version, family) in enumerate(zip(ips, versions, families, strict=False)):
        if family in ("IPv4", "IPv6") and family != f"IPv{version}":
            why = f"expected an {family} value as indicated by `ipFamilies[{index}]`"
            yield invalid(f"{path}[{index}]", ip, why)


def _load_balancer(service: Object, spec: Object) -> Errors:
    balances = spec.get("type") == "LoadBalancer"
    path, ranges = "spec.LoadBalancerSourceRanges", spec.get("loadBalancerSourceRanges") or []
    annotation = annotations_of(service).get(SOURCE_RANGES)
    where = [f"{path}[{index}]" for index in range(len(ranges))]
    if not ranges and annotation is not None:
        path = f"metadata.annotations[{SOURCE_RANGES}]"
        ranges = annotation.strip().split(",") if annotation.strip() else []
        where = [path] * len(ranges)
    if (ranges or annotation is not None) and not balances:
        yield field_forbidden(path, _ONLY_LOAD_BALANCER)
    for place, text in zip(where, ranges, strict=True):
        yield from each(text.strip(), place, is_cidr)
    if balances and spec.get("allocateLoadBalancerNodePorts") is None:
        yield required("allocateLoadBalancerNodePorts")
    if not balances:
        for key in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
            if spec.get(key) is not None:
                yield field_forbidden(f"spec.{key}", _ONLY_LOAD_BALANCER)
    elif "loadBalancerClass" in spec:
        yield from each(spec["loadBalancerClass"], "spec.loadBalancerClass", names.is_qualified_name)


def _traffic(spec: Object) -> Errors:
    external, health_port = spec.get("externalTrafficPolicy"), spec.get("healthCheckNodePort")
    if is_externally_accessible(spec):
        yield from one_of(spec, "externalTrafficPolicy", "spec.", ("Cluster", "Local"), must=True)
    elif external:
        yield invalid("spec.externalTrafficPolicy", external, "may only be set for externally-accessible services")
    if not needs_health_check(spec):
        if health_port:
            why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
            yield invalid("spec.healthCheckNodePort", health_port, why)
    elif health_port:
        yield from each(health_port, "spec.healthCheckNodePort", names.is_valid_port_num)
    else:
        yield required("spec.healthCheckNodePort")
    internal = spec.get("type") in ("ClusterIP", "NodePort", "LoadBalancer")
    yield from one_of(spec, "internalTrafficPolicy", "spec.", ("Cluster", "Local"), must=internal)
    distributions = ("PreferClose", "PreferSameNode", "PreferSameZone")
    yield from one_of(spec, "trafficDistribution", "spec.", distributions)


def _service_update(service: Object, old_service: Object) -> Errors:
    new, old = spec_of(service), spec_of(old_service)
    if "ExternalName" not in (new.get("type"), old.get("type")):
        if not (is_headless(new) and is_headless(old)):
            yield from _keeps_primary(new, old, "clusterIPs", "clusterIP")
        if not (is_headless(new) or is_headless(old)):
            yield from _keeps_primary(new, old, "ipFamilies", "ipFamily")
    if new.get("type") == old.get("type") == "LoadBalancer":
        now = new.get("loadBalancerClass")
        if now != old.get("loadBalancerClass"):
            yield invalid("spec.loadBalancerClass", now, _ONCE_SET)
    stays = needs_health_check(new) and needs_health_check(old)
    if stays and new.get("healthCheckNodePort") != old.get("healthCheckNodePort"):
        yield field_forbidden("spec.healthCheckNodePort", "field is immutable")


def _keeps_primary(new: Object, old: Object, key: str, item: str) -> Errors:
    """A second address or family may come and go; the first stays, and going needs SingleStack."""
    now, before, path = new.get(key) or [], old.get(key) or [], f"spec.{key}"
    if len(now) == len(before):
        for index, (a, b) in enumerate(zip(now, before, strict=True)):
            if a != b:
                yield invalid(f"{path}[{index if key == 'clusterIPs' else 0}]", now, _ONCE_SET)
        return
    if before and not now:
        yield invalid(f"{path}[0]", now, f"primary {item} can not be unset")
    if before and now and now[0] != before[0]:
        yield invalid(f"{path}[0]", now, _ONCE_SET)
    if len(now) == 1 and before and new.get("ipFamilyPolicy") != "SingleStack":
        why = f"must be set to 'SingleStack' when releasing the secondary {item}"
        yield invalid("spec.ipFamilyPolicy", new.get("ipFamilyPolicy"), why)


def _service_status(new: Object, _: Object) -> Errors:
    kind = spec_of(new).get("type", "")
    yield from load_balancer_status(status_of(new), kind == "LoadBalancer")


def load_balancer_status(status: Object, balances: bool = True) -> Errors:
    """status.loadBalancer of a Service or an Ingress."""
    path = "status.loadBalancer.ingress"
    ingress = (status.get("loadBalancer") or NOTHING).get("ingress") or ()
    if ingress and not balances:
        yield field_forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'")
        return
    for index, point in enumerate(ingress):
        here = f"{path}[{index}]"
        ip, mode, host = point.get("ip"), point.get("ipMode"), point.get("hostname")
        if ip:
            yield from each(ip, f"{here}.ip", is_ip)
        if mode and not ip:
            yield field_forbidden(f"{here}.ipMode", "may not be specified when `ip` is not set")
        elif mode and mode not in ("Proxy", "VIP"):
            yield not_supported(f"{here}.ipMode", mode, ("Proxy", "VIP"))
        if host:
            yield from each(host, f"{here}.hostname", names.is_dns1123_subdomain)
            if not is_ip(host):
                yield invalid(f"{here}.hostname", host, "must be a DNS name, not an IP address")


def _endpoints(endpoints: Object) -> Errors:
    for index, subset in enumerate(endpoints.get("subsets") or ()):
        path = f"subsets[{index}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            yield required(path, "must specify `addresses` or `notReadyAddresses`")
        for key in ("addresses", "notReadyAddresses"):
            for number, address in enumerate(subset.get(key) or ()):
                if _right.get((id(address), "")) is not address:
                    yield from _remembered(address, "", _address(address, f"{path}.{key}[{number}]"))
        ports = subset.get("ports") or ()
        for number, port in enumerate(ports):
            here = f"{path}.ports[{number}]"
            if port.get("name"):
                yield from each(port["name"], f"{here}.name", names.is_dns1123_label)
            elif len(ports) > 1:
                yield required(f"{here}.name")
            yield from each(port.get("port", 0), f"{here}.port", names.is_valid_port_num)
            yield from one_of(port, "protocol", f"{here}.", PROTOCOLS, must=True)
            if "appProtocol" in port:
                yield from each(port["appProtocol"], f"{here}.appProtocol", names.is_qualified_name)


def _address(address: Object, path: str) -> Errors:
    ip = address.get("ip", "")
    faults = list(each(ip, f"{path}.ip", is_ip))
    yield from faults or each(ip, f"{path}.ip", special_ip_faults)
    if address.get("hostname"):
        yield from each(address["hostname"], f"{path}.hostname", names.is_dns1123_label)
    if "nodeName" in address:
        yield from each(address["nodeName"], f"{path}.nodeName", _node_faults)


def _endpoint_slice(piece: Object) -> Errors:
    kind = piece.get("addressType", "")
    yield from one_of(piece, "addressType", "", ("FQDN", "IPv4", "IPv6"), must=True)
    endpoints = piece.get("endpoints") or ()
    if len(endpoints) > 1000:
        yield too_many("endpoints", len(endpoints), 1000)
        endpoints = ()
    for index, endpoint in enumerate(endpoints):
        if _right.get((id(endpoint), kind)) is not endpoint:
            yield from _remembered(endpoint, kind, _endpoint(endpoint, kind, f"endpoints[{index}]"))
    ports = piece.get("ports") or ()
    if len(ports) > 20000:
        yield too_many("ports", len(ports), 20000)
        return
    seen = set()
    for index, port in enumerate(ports):
        path, name = f"ports[{index}]", port.get("name", "")
        if name:
            yield from each(name, f"{path}.name", names.is_dns1123_label)
        if name in seen:
            yield duplicate(f"{path}.name", name)
        seen.add(name)
        yield from one_of(port, "protocol", f"{path}.", PROTOCOLS, must=True)
        if "appProtocol" in port:
            yield from each(port["appProtocol"], f"{path}.appProtocol", names.is_qualified_name)


def _endpoint(endpoint: Object, kind: str, path: str) -> Errors:
    addresses = endpoint.get("addresses") or ()
    if not addresses:
        yield required(f"{path}.addresses", "must contain at least 1 address")
    elif len(addresses) > 100:
        yield too_many(f"{path}.addresses", len(addresses), 100)
    for index, address in enumerate(addresses):
        for fault in _address_faults(address, kind):
            yield invalid(f"{path}.addresses[{index}]", address, fault)
    for fault in _node_faults(endpoint["nodeName"]) if "nodeName" in endpoint else ():
        yield invalid(f"{path}.nodeName", endpoint["nodeName"], fault)
    topology = endpoint.get("deprecatedTopology")
    if topology:
        if len(topology) > 16:
            yield too_many(f"{path}.deprecatedTopology", len(topology), 16)
        yield from validate_labels(topology, f"{path}.deprecatedTopology")
    if "hostname" in endpoint:
        yield from each(endpoint["hostname"], f"{path}.hostname", names.is_dns1123_label)
    hints = endpoint.get("hints") or NOTHING
    for key, check in (("forZones", names.is_label_value), ("forNodes", names.is_dns1123_subdomain)):
        targets = hints.get(key) or ()
        if len(targets) > 8:
            yield too_many(f"{path}.hints.{key}", len(targets), 8)
            continue
        for index, target in enumerate(targets):
            name, here = target.get("name", ""), f"{path}.hints.{key}[{index}].name"
            if any(other.get("name", "") == name for other in targets[:index]):
                yield duplicate(here, name)
            yield from each(name, here, check)


def _remembered(part: Object, kind: str, faults: Errors) -> list[FieldError]:
    found = list(faults)
    if not found:
        if len(_right) >= _REMEMBERED:
            _right.clear()
        _right[id(part), kind] = part
    return found


@lru_cache(maxsize=65536)
def _address_faults(address: str, kind: str) -> tuple[str, ...]:
    """Remembered, as a slice is written again whenever one of its hundred endpoints changes."""
    if kind == "FQDN":
        faults = tuple(names.is_dns1123_subdomain(address))
        missing = "should be a domain with at least two segments separated by dots"
        return faults or (() if "." in address else (missing,))
    if kind not in ("IPv4", "IPv6"):
        return ()
    faults = is_ip(address)
    if not faults and ip_address(address).version != int(kind[-1]):
        faults = (f"must be an {kind} address",)
    return faults or tuple(special_ip_faults(address))


@lru_cache(maxsize=8192)
def _node_faults(name: str) -> tuple[str, ...]:
    return tuple(names.is_dns1123_subdomain(name))


def _endpoint_slice_update(new: Object, old: Object) -> Errors:
    yield from validate_immutable(new.get("addressType"), old.get("addressType"), "addressType")


RULES: dict[tuple[str, str], Rules] = {
    ("", "Service"): rules(_service, _service_update, _service_status, name=name_is_dns1035_label),
    ("", "Endpoints"): rules(_endpoints),
    ("discovery.k8s.io", "EndpointSlice"): rules(_endpoint_slice, _endpoint_slice_update),
}
