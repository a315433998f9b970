"""ClusterIPs and node ports for Services: allotted in the transaction that writes the Service.

`registry.storage` asks `ServiceAllocator.allot` for every write of a Service and puts what it returns into the
transaction: so nothing is allotted by a write that fails, and of two that ask for one address, be it over two API
servers, one is decided anew. An address is taken while its IPAddress exists; node ports are one record, as upstream's
RangeAllocation. Source: kubernetes/pkg/registry/core/service (strategy.go, storage/alloc.go, ipallocator,
portallocator). Left out: the refusal of ranges that overlap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from refkube.api.validation.services import cluster_ips, needs_health_check
from refkube.apimachinery import errors, names
from refkube.apimachinery.errors import FieldError, invalid
from refkube.apimachinery.meta import Object, get_path, is_terminating
from refkube.engine.clock import rfc3339
from refkube.engine.ids import Ids
from refkube.engine.loop import Loop
from refkube.registry.servicefields import addresses, all_node_ports, changed, has_address, has_node_ports, node_ports
from refkube.store.kv import Compare, Delete, KeyValue, Op, Put, Store, prefix_end

ADDRESSES = "/registry/networking.k8s.io/ipaddresses/"
RANGES, NODE_PORTS = "/registry/networking.k8s.io/servicecidrs/", "/registry/ranges/servicenodeports"
MANAGED_BY, MANAGER = "ipaddress.kubernetes.io/managed-by", "ipallocator.k8s.io"
FAMILY = "ipaddress.kubernetes.io/ip-family"
_TRIES = 16  # at random, before a range is searched

Network = IPv4Network | IPv6Network


class Allotment(NamedTuple):
    """The Service with what it was given, and what its transaction must compare and do for that."""

    obj: Object
    compares: list[Compare]
    ops: list[Op]


class ServiceAllocator:
    """`ranges` are those of --service-cluster-ip-range, the first one's family is the default; they count until there
    are ServiceCIDR objects. `node_ports` are the first and the last."""

    def __init__(
        self,
        store: Store,
        loop: Loop,
        ids: Ids,
        ranges: Iterable[str] = ("10.96.0.0/12",),
        node_ports: tuple[int, int] = (30000, 32767),
    ):
        self.store = store
        self._loop = loop
        self._ids = ids
        self._configured = [ip_network(text) for text in ranges]
        self.families = list(dict.fromkeys(f"IPv{network.version}" for network in self._configured))
        self.first, self.last = node_ports

    def allot(self, new: Object | None, old: Object | None, dry_run: bool = False) -> Allotment:
        """For a creation, an update, a deletion (no `new`). Errors: 422 for what was asked for and cannot be had, 500
        where a range is full."""
        before = (old or {}).get("spec") or {}
        ports = _Ports(self)
        if new is None:
            ports.free(all_node_ports(before))
            compares, ops = ports.settled()
            return Allotment({}, compares, [*_releases(addresses(before)), *ops])
        name, spec = new["metadata"].get("name", ""), self._with_families(new, before)
        spec, compares, ops = self._with_addresses(new, spec, before, dry_run)
        spec = _with_node_ports(name, spec, before, ports)
        more = ports.settled() if not dry_run else ([], [])
        allotted = new if spec is new["spec"] else {**new, "spec": spec}
        return Allotment(allotted, compares + more[0], ops + more[1])

    def _with_families(self, new: Object, before: Object) -> Object:
        """ipFamilyPolicy and ipFamilies (alloc.go initIPFamilyFields)."""
        spec, name = new["spec"], new["metadata"].get("name", "")
        if not has_address(spec):
            return spec
        by_hand = spec.get("clusterIP") == "None" and not spec.get("selector")
        policy = spec.get("ipFamilyPolicy") or before.get("ipFamilyPolicy")
        policy = policy or ("RequireDualStack" if by_hand else "SingleStack")
        spec = changed(spec, {"ipFamilyPolicy": policy})
        _refuse(name, cluster_ips(spec))
        ips, families = list(spec.get("clusterIPs") or ()), list(spec.get("ipFamilies") or ())
        where, single, faults = "spec.ipFamilyPolicy", policy == "SingleStack", []
        for key, values, item in (("clusterIPs", ips, "cluster IP"), ("ipFamilies", families, "IP family")):
            had = before.get(key) or []
            if single and values == had:
                del values[1:]
            elif not single and values and len(values) < len(had):
                faults.append(invalid(where, policy, f"must be 'SingleStack' to release the secondary {item}"))
            if single and len(values) > 1:
                several = "cluster IPs" if values is ips else "IP families"
                why = f"must be 'RequireDualStack' or 'PreferDualStack' when multiple {several} are specified"
                faults.append(invalid(where, policy, why))
        for index, ip in enumerate(ips if ips != ["None"] else ()):
            family = f"IPv{ip_address(ip).version}"
            if index >= len(families) and family in self.families:
                families.append(family)
            elif index >= len(families):
                faults.append(invalid(f"spec.clusterIPs[{index}]", ips, f"{family} is not configured on this cluster"))
        _refuse(name, faults)
        if not by_hand:
            if policy == "RequireDualStack" and len(self.families) < 2:
                faults.append(invalid(where, policy, "this cluster is not configured for dual-stack services"))
            for index, family in enumerate(families):
                if family not in self.families:
                    why = "not configured on this cluster"
                    faults.append(invalid(f"spec.ipFamilies[{index}]", family, why))
            _refuse(name, faults)
        families = families or self.families[:1]
        if not single and len(families) == 1 and (by_hand or len(self.families) == 2):
            families.append("IPv6" if families == ["IPv4"] else "IPv4")
        return changed(spec, {"clusterIPs": ips, "ipFamilies": families})

    def _with_addresses(
        self, new: Object, spec: Object, before: Object, dry_run: bool
    ) -> tuple[Object, list[Compare], list[Op]]:
        """An address of each family that has none yet; what the Service had before stays or is given back."""
        had, wanted = addresses(before), list(spec.get("clusterIPs") or ())
        if not has_address(spec) or wanted == ["None"]:
            return spec, [], [] if dry_run else list(_releases(had))
        compares: list[Compare] = []
        ops: list[Op] = []
        kept = len(before.get("clusterIPs") or ())  # validation sees to it that they stay
        for index, family in enumerate(spec["ipFamilies"]):
            if index < kept:
                continue
            if index < len(wanted):
                self._refuse_unavailable(new, wanted, wanted[index], dry_run)
            else:
                wanted.append(self._choose(family))
            key = ADDRESSES + str(ip_address(wanted[index]))
            compares.append(Compare(key, 0))
            ops.append(Put(key, self.address(key, new)))
        ops += _releases(ip for ip in had if ip not in wanted)
        if dry_run:
            compares, ops = [], []
        return changed(spec, {"clusterIPs": wanted, "clusterIP": wanted[0]}), compares, ops

    def address(self, key: str, service: Object) -> Object:
        """The IPAddress that says which Service an address belongs to."""
        meta, name = service["metadata"], key[len(ADDRESSES) :]
        labels = {FAMILY: f"IPv{ip_address(name).version}", MANAGED_BY: MANAGER}
        return {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IPAddress",
            "metadata": {
                "name": name,
                "uid": self._ids.uid(),
                "creationTimestamp": rfc3339(self._loop.now()),
                "labels": labels,
            },
            "spec": {"parentRef": {"resource": "services", "namespace": meta["namespace"], "name": meta["name"]}},
        }

    def put_node_ports(self, bits: int) -> Op:
        """The record: one bit a port, in hexadecimal."""
        return Put(NODE_PORTS, {"metadata": {}, "range": f"{self.first}-{self.last}", "data": f"{bits:x}"})

    def _refuse_unavailable(self, service: Object, asked: list[str], ip: str, dry_run: bool) -> None:
        why = ""
        if not self.in_range(ip):
            why = "the provided network does not match the current range"
        elif not dry_run and self.store.get(ADDRESSES + str(ip_address(ip))) is not None:
            why = "provided IP is already allocated"
        if why:
            fault = invalid("spec.clusterIPs", asked, f"failed to allocate IP {ip}: {why}")
            _refuse(service["metadata"].get("name", ""), [fault])

    def ranges(self) -> list[Network]:
        """Of the ServiceCIDRs that are ready and stay."""
        objects = [kv.value for kv in self.store.range(RANGES, prefix_end(RANGES)).kvs]
        usable = [obj for obj in objects if not is_terminating(obj) and _is_ready(obj)]
        texts = (text for obj in usable for text in obj["spec"].get("cidrs") or ())
        return [ip_network(text) for text in texts if not names.is_cidr(text)] or self._configured

    def in_range(self, ip: str) -> bool:
        """Whether a Service may have the address: not a network's own, nor that of broadcast."""
        address = ip_address(ip)
        return any(
            address in network
            and address != network.network_address
            and (network.version == 6 or address != network.broadcast_address)
            for network in self.ranges()
        )

    def _choose(self, family: str) -> str:
        """A free address, from the end of a range that is not kept for those who ask for one (KEP-3070)."""
        for network in self.ranges():
            if family != f"IPv{network.version}":
                continue
            for low, size in _bands(network):
                for _ in range(min(size, _TRIES)):
                    ip = str(network[low + self._ids.below(size)])
                    if self.store.get(ADDRESSES + ip) is None:
                        return ip
                taken = {kv.key for kv in self.store.range(ADDRESSES, prefix_end(ADDRESSES)).kvs} if size > 0 else ()
                for index in range(size):
                    ip = str(network[low + index])
                    if ADDRESSES + ip not in taken:
                        return ip
        raise errors.internal_error("failed to allocate a serviceIP: range is full")


class _Ports:
    """The node ports in one transaction: bits of a number, read when first asked for."""

    def __init__(self, allocator: ServiceAllocator):
        self._allocator = allocator
        self._kv: KeyValue | None = None
        self._read = False
        self._before = 0
        self._bits = 0
        self._freed: set[int] = set()

    def take(self, port: int) -> str:
        """Why it cannot be had, or nothing."""
        first, last = self._allocator.first, self._allocator.last
        if not first <= port <= last:
            return f"provided port is not in the valid range. The range of valid ports is {first}-{last}"
        bit = 1 << (port - first)
        if self._used() & bit:
            return "provided port is already allocated"
        self._bits |= bit
        return ""

    def next(self) -> int | None:
        first, used = self._allocator.first, self._used()
        size = self._allocator.last - first + 1
        offset = min(max(16, size // 32), 128) if size >= 16 else 0
        for low, high in ((offset, size), (0, offset)):
            free = (~used >> low) & ((1 << max(0, high - low)) - 1)
            if free:
                start = self._allocator._ids.below(high - low)
                above = free >> start
                bit = low + (start + _lowest(above) if above else _lowest(free))
                self._bits |= 1 << bit
                return first + bit
        return None

    def free(self, ports: Iterable[int]) -> None:
        """With the transaction, so that it cannot give them out again."""
        self._freed.update(port for port in ports if self._allocator.first <= port <= self._allocator.last)

    def settled(self) -> tuple[list[Compare], list[Op]]:
        """What the transaction must compare and do."""
        for port in self._freed:
            self._bits = self._used() & ~(1 << (port - self._allocator.first))
        if self._bits == self._before:
            return [], []
        return [Compare(NODE_PORTS, revision(self._kv))], [self._allocator.put_node_ports(self._bits)]

    def _used(self) -> int:
        if not self._read:
            self._read = True
            self._kv = self._allocator.store.get(NODE_PORTS)
            self._before = self._bits = int(self._kv.value["data"], 16) if self._kv else 0
        return self._bits


def _with_node_ports(name: str, spec: Object, before: Object, ports: _Ports) -> Object:
    """A node port for each port that shall have one (alloc.go initNodePorts, updateNodePorts), and for the check of
    health. At creation the protocols of one port share theirs."""
    had, parts = node_ports(before), list(spec.get("ports") or ())
    held, shared = set(had), {}
    if not before:
        shared = {part.get("port"): part["nodePort"] for part in reversed(parts) if part.get("nodePort")}
    automatic = spec.get("type") == "NodePort" or spec.get("allocateLoadBalancerNodePorts", True)
    for index, part in enumerate(parts if has_node_ports(spec) else ()):
        number, asked = part.get("port"), part.get("nodePort") or 0
        if not asked and not automatic:
            continue
        chosen = asked or shared.get(number) or _next(ports, "nodePort")
        if asked or number in shared:
            why = "" if chosen in held and (before or shared.get(number) == chosen) else ports.take(chosen)
            if why:
                _refuse(name, [invalid(f"spec.ports[{index}].nodePort", chosen, why)])
        elif not before:
            shared[number] = chosen
        held.add(chosen)
        parts[index] = part if asked else {**part, "nodePort": chosen}
    if any(mine is not theirs for mine, theirs in zip(parts, spec.get("ports") or (), strict=True)):
        spec = {**spec, "ports": parts}
    ports.free(had - node_ports(spec))
    needs, needed = needs_health_check(spec), needs_health_check(before)
    if needs and not needed:
        asked = spec.get("healthCheckNodePort") or 0
        why = ports.take(asked) if asked else ""
        if why:
            raise errors.internal_error(f"failed to allocate requested HealthCheck NodePort {asked}: {why}")
        spec = spec if asked else {**spec, "healthCheckNodePort": _next(ports, "HealthCheck NodePort")}
    elif needed and not needs:
        ports.free([before.get("healthCheckNodePort") or 0])
    return spec


def _next(ports: _Ports, what: str) -> int:
    port = ports.next()
    if port is None:
        raise errors.internal_error(f"failed to allocate a {what}: range is full")
    return port


def _bands(network: Network) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where the addresses begin that are given out first, and how many they are; and those kept for who asks."""
    size, usable = network.num_addresses, network.num_addresses - (2 if network.version == 4 else 1)
    offset = min(max(16, size // 16), 256) if size >= 16 else 0
    return (1 + offset, usable - offset), (1, min(offset, usable))


def _releases(ips: Iterable[str]) -> Iterator[Op]:
    return (Delete(ADDRESSES + str(ip_address(ip))) for ip in ips)


def revision(kv: KeyValue | None) -> int:
    return kv.mod_revision if kv is not None else 0


def _lowest(bits: int) -> int:
    return (bits & -bits).bit_length() - 1


def _is_ready(obj: Object) -> bool:
    """Also where nobody has judged it yet."""
    conditions = get_path(obj, "status", "conditions", default=())
    return all(condition["status"] == "True" for condition in conditions if condition["type"] == "Ready")


def _refuse(name: str, faults: Iterable[FieldError]) -> None:
    told = list(faults)
    if told:
        raise errors.invalid_object("", "Service", name, told)
