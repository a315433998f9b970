"""Validation of Service, Endpoints and EndpointSlice.

Facts: kubernetes/pkg/apis/core/validation (ValidateService, ValidateServiceUpdate, validateEndpointSubsets) and
pkg/apis/discovery/validation. A Service is validated after the registry has brought clusterIP and clusterIPs in line
and allocated addresses, IP families and ports, so a missing healthCheckNodePort is an error here.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address

from refkube.api.validation import common, objectmeta
from refkube.api.validation.common import CIDR, IP, SUBDOMAIN, is_ip, special_ip
from refkube.api.validation.rules import NOTHING, Errors, below, first_told, rules, spec_of, tables, told
from refkube.apimachinery import names
from refkube.apimachinery.errors import FieldError, duplicate, field_forbidden, invalid, required
from refkube.apimachinery.meta import Object, annotations_of

KUBELET_PORT = 10250
MAX_AFFINITY_SECONDS = 86400
SOURCE_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"
_ONCE_SET = "may not change once set"

# Addresses (of "") and endpoints (of their type) found right, by identity: the one that changes is written together
# with all the others, which are as they were.
_right: dict[tuple[int, str], Object] = {}
_REMEMBERED = 65536


def is_headless(spec: Object) -> bool:
    return spec.get("clusterIPs") == ["None"]


def is_externally_accessible(spec: Object) -> bool:
    kind = spec.get("type")
    return kind in ("LoadBalancer", "NodePort") or (kind == "ClusterIP" and bool(spec.get("externalIPs")))


def needs_health_check(spec: Object) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def _external_name(name: str, *_: object) -> Iterable[FieldError]:
    plain = name.removesuffix(".")
    return SUBDOMAIN(plain) if plain else [required("")]


def _ports(ports: list[Object], spec: Object, *_: object) -> Errors:
    kind = spec.get("type", "")
    seen: set[object] = set()
    for index, port in enumerate(ports):
        number, protocol, name, node_port = (port.get(key) for key in ("port", "protocol", "name", "nodePort"))
        here, node, unnamed = f"[{index}]", ("node", protocol, node_port), len(ports) > 1 and not name
        kubelets, why = kind == "LoadBalancer" and number == KUBELET_PORT, "externally since it is used by kubelet"
        # Upstream shows its internal structure of a duplicate.
        shown = {"Name": "", "Protocol": protocol, "AppProtocol": None, "Port": number, "TargetPort": 0, "NodePort": 0}
        yield from told(
            (kubelets, invalid, here, number, f"may not expose port {number} {why}"),
            (unnamed, required, f"{here}.name"),
        )
        yield from below(here, TABLES["PortName"](port))
        yield from told((name and name in seen, duplicate, f"{here}.name", name))
        yield from below(here, TABLES["Port"](port))
        in_cluster = node_port and kind == "ClusterIP"
        yield from told(
            (in_cluster, field_forbidden, f"{here}.nodePort", "may not be used when `type` is 'ClusterIP'"),
            (node_port and node in seen, duplicate, f"{here}.nodePort", node_port),
            ((protocol, number) in seen, duplicate, here, shown),
        )
        seen |= {name, (protocol, number), node}


def _affinity(config: Object | None, spec: Object, *_: object) -> list[FieldError]:
    """How long clients stay where they are, which must be said if they do."""
    client = (config or NOTHING).get("clientIP")
    seconds = (client or NOTHING).get("timeoutSeconds")
    path = "" if config is None else ".clientIP" if client is None else ".clientIP.timeoutSeconds"
    limit = f"must be greater than 0 and less than {MAX_AFFINITY_SECONDS}"
    return told(
        (seconds is None, required, path, "when session affinity type is ClientIP"),
        (seconds is not None and not 0 < seconds <= MAX_AFFINITY_SECONDS, invalid, path, seconds, limit),
    )


def cluster_ips(spec: Object) -> Errors:
    """clusterIP, clusterIPs and their families. The allocator asks it as well."""
    if spec.get("type") == "ExternalName":
        return
    path, ips, families = "spec.clusterIPs", spec.get("clusterIPs") or [], spec.get("ipFamilies") or []
    first = spec.get("clusterIP")
    yield from first_told(
        (first and not ips, required, path),
        (first and ips[:1] != [first], invalid, path, ips, "first value must match `clusterIP`"),
        (ips and not first, invalid, path, ips, "must be empty when `clusterIP` is not specified"),
    )
    yield from below("spec", TABLES["Families"](spec))
    several = ips[:1] == ["None"] and len(ips) > 1
    faults = told((several, invalid, path, ips, "'None' must be the first and only value"))
    for index, ip in enumerate(ips):
        faults += below(f"{path}[{index}]", IP(ip) if index or ip != "None" else ())
    yield from faults
    yield from told((len(ips) > 2, invalid, path, ips, "may only hold up to 2 values"))
    if faults or is_headless(spec):
        return
    versions = [ip_address(ip).version for ip in ips]
    if len(set(versions)) < len(versions):
        yield invalid(path, ips, "may specify no more than one IP for each IP family")
    for index, (ip, version, family) in enumerate(zip(ips, versions, families, strict=False)):
        if family in ("IPv4", "IPv6") and family != f"IPv{version}":
            why = f"expected an {family} value as indicated by `ipFamilies[{index}]`"
            yield invalid(f"{path}[{index}]", ip, why)


def _service_ips(service: Object, *_: object) -> Errors:
    return cluster_ips(spec_of(service))


def _source_ranges(service: Object, *_: object) -> Errors:
    spec, annotation = spec_of(service), annotations_of(service).get(SOURCE_RANGES)
    path, ranges = "spec.LoadBalancerSourceRanges", spec.get("loadBalancerSourceRanges") or []
    where = [f"{path}[{index}]" for index in range(len(ranges))]
    if not ranges and annotation is not None:
        path = f"metadata.annotations[{SOURCE_RANGES}]"
        ranges = annotation.strip().split(",") if annotation.strip() else []
        where = [path] * len(ranges)
    unbalanced = (ranges or annotation is not None) and spec.get("type") != "LoadBalancer"
    yield from told((unbalanced, field_forbidden, path, "may only be used when `type` is 'LoadBalancer'"))
    for place, range_ in zip(where, ranges, strict=True):
        yield from below(place, CIDR(range_.strip()))


def _service_update(service: Object, old_service: Object, *_: object) -> Errors:
    new, old = spec_of(service), spec_of(old_service)
    if "ExternalName" not in (new.get("type"), old.get("type")):
        if not (is_headless(new) and is_headless(old)):
            yield from _keeps_primary(new, old, "clusterIPs", "clusterIP")
        if not (is_headless(new) or is_headless(old)):
            yield from _keeps_primary(new, old, "ipFamilies", "ipFamily")


def _keeps_primary(new: Object, old: Object, key: str, item: str) -> Errors:
    """A second address or family may come and go; the first stays, and going needs SingleStack."""
    now, before, path = new.get(key) or [], old.get(key) or [], f"spec.{key}"
    if len(now) == len(before):
        for index, (a, b) in enumerate(zip(now, before, strict=True)):
            if a != b:
                yield invalid(f"{path}[{index if key == 'clusterIPs' else 0}]", now, _ONCE_SET)
        return
    released = len(now) == 1 and before and new.get("ipFamilyPolicy") != "SingleStack"
    why = f"must be set to 'SingleStack' when releasing the secondary {item}"
    yield from told(
        (before and not now, invalid, f"{path}[0]", now, f"primary {item} can not be unset"),
        (before and now and now[0] != before[0], invalid, f"{path}[0]", now, _ONCE_SET),
        (released, invalid, "spec.ipFamilyPolicy", new.get("ipFamilyPolicy"), why),
    )


# Endpoints


def _endpoint(endpoint: Object, piece: Object, *_: object) -> Iterable[FieldError]:
    return _known(endpoint, piece.get("addressType", ""), "Endpoint")


def _address(address: Object, *_: object) -> Iterable[FieldError]:
    return _known(address, "", "Address")


def _known(part: Object, kind: str, table: str) -> Iterable[FieldError]:
    """What is wrong with an address or endpoint that may have been found right before."""
    if _right.get((id(part), kind)) is part:
        return ()
    found = TABLES[table](part, NOTHING, kind)
    if not found:
        if len(_right) >= _REMEMBERED:
            _right.clear()
        _right[id(part), kind] = part
    return found


def _of_type(address: str, endpoint: Object, kind: str) -> tuple[FieldError, ...]:
    return _address_faults(address, kind)


@lru_cache(maxsize=65536)
def _address_faults(address: str, kind: str) -> tuple[FieldError, ...]:
    """Remembered, as a slice is written again whenever one of its hundred endpoints changes."""
    if kind == "FQDN":
        missing = "should be a domain with at least two segments separated by dots"
        faults = names.is_dns1123_subdomain(address) or ([] if "." in address else [missing])
    else:
        known = kind in ("IPv4", "IPv6")
        faults = names.is_ip(address, canonical=kind == "IPv6") if known else []
        faults = faults or (special_ip(address) if known else [])
    return tuple(invalid("", address, fault) for fault in faults)


def of_other_family(address: str, kind: str) -> bool:
    return kind in ("IPv4", "IPv6") and not is_ip(address) and ip_address(address).version != int(kind[-1])


TABLES = tables(r"""
PortName
  name                  LABEL

Port
  port                  default 0 PORT_NUMBER
  protocol              required in PROTOCOLS
  targetPort            default 0 PORT
  appProtocol           given QUALIFIED

Families
  ipFamilies[]          in IPv4 IPv6
    .                   unique
  ipFamilyPolicy        in PreferDualStack RequireDualStack SingleStack

/Service
  spec                  default NOTHING
    ports               required if type != "ExternalName" and not is_headless(o)
    clusterIPs, ipFamilies, ipFamilyPolicy  forbidden if type == "ExternalName" \
                        -- may not be set for ExternalName services
    externalName        required external_name if type == "ExternalName"
    .                   invalid "None" if type in ("LoadBalancer", "NodePort") and is_headless(o) at ".clusterIPs[0]" \
                        -- may not be set to 'None' for {type} services
    ports               ports
    selector            validate_labels
    sessionAffinity     required in ClientIP None
    sessionAffinityConfig  given forbidden if sessionAffinity == "None" -- must not be set when session affinity is None
    sessionAffinityConfig  always affinity if sessionAffinity == "ClientIP"
  .                     service_ips
  spec                  default NOTHING
    externalIPs[]       ENDPOINT_IP
    type                required in ClusterIP ExternalName LoadBalancer NodePort
  .                     source_ranges
  .                     missing \
                        if spec.type == "LoadBalancer" and not spec.allocateLoadBalancerNodePorts? \
                        at ".allocateLoadBalancerNodePorts"
  spec                  default NOTHING
    allocateLoadBalancerNodePorts, loadBalancerClass  given forbidden if type != "LoadBalancer" \
                        -- may only be used when `type` is 'LoadBalancer'
    loadBalancerClass   given QUALIFIED if type == "LoadBalancer"
    externalTrafficPolicy  required in Cluster Local if is_externally_accessible(o)
    externalTrafficPolicy  invalid if not is_externally_accessible(o) \
                        -- may only be set for externally-accessible services
    healthCheckNodePort  required PORT_NUMBER if needs_health_check(o)
    healthCheckNodePort  invalid if not needs_health_check(o) \
                        -- may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'
    internalTrafficPolicy  required if type in ("ClusterIP", "NodePort", "LoadBalancer")
    internalTrafficPolicy  in Cluster Local
    trafficDistribution  in PreferClose PreferSameNode PreferSameZone
/Service update
  .                     service_update
  spec                  default NOTHING
    loadBalancerClass   always invalid if type == old.type == "LoadBalancer" and v != w -- may not change once set
    healthCheckNodePort  always forbidden if v != w and needs_health_check(o) and needs_health_check(old) \
                        -- field is immutable
/Service status
  status.loadBalancer.ingress  forbidden if spec.type != "LoadBalancer" \
                        -- may only be used when `spec.type` is 'LoadBalancer'
  status.loadBalancer.ingress[]  IngressPoint if spec.type == "LoadBalancer"

Address
  ip                    default "" ENDPOINT_IP
  hostname              LABEL
  nodeName              given SUBDOMAIN

/Endpoints
  subsets[]
    .  missing if not addresses and not notReadyAddresses -- must specify `addresses` or `notReadyAddresses`
    addresses[], notReadyAddresses[]  address
    ports[]
      name              required if len(up.ports) > 1
      name              LABEL
      .                 EndpointPort
      appProtocol       given QUALIFIED

EndpointPort
  port                  default 0 PORT_NUMBER
  protocol              required in PROTOCOLS

Endpoint
  addresses             required -- must contain at least 1 address
  addresses             most 100
  addresses[]           of_type
    .                   invalid if of_other_family(v, s) at "^" -- must be an {s} address
  nodeName              given SUBDOMAIN
  deprecatedTopology    most 16
  deprecatedTopology    validate_labels
  hostname              given LABEL
  hints.forZones        most 8
  else hints.forZones[]
    name                default "" unique
    name                default "" LABEL_VALUE
  hints.forNodes        most 8
  else hints.forNodes[]
    name                default "" unique
    name                default "" SUBDOMAIN

discovery.k8s.io/EndpointSlice
  addressType           required in FQDN IPv4 IPv6
  endpoints             most 1000
  else endpoints[]      endpoint
  ports                 most 20000
  else ports[]
    name                LABEL
    name                default "" unique
    protocol            required in PROTOCOLS
    appProtocol         given QUALIFIED
discovery.k8s.io/EndpointSlice update
  addressType           immutable
""", globals(), vars(common), vars(objectmeta))  # fmt: skip
RULES = rules(TABLES)
