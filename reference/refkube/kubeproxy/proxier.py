"""kube-proxy of one node: keeps the kernel's virtual servers, sets and rules in line with Services and endpoints.

A change makes its Service dirty; a sync decides anew what the dirty Services want, and does what differs from before:
its cost does not depend on how many Services there are. Every `sync_period`, at the start and after a failure all
is compared with what the kernel holds, and put right. Source: pkg/proxy/ipvs/proxier.go, graceful_termination.go and
pkg/proxy/conntrack. Left out: IPv6, metrics.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from ipaddress import ip_address, ip_network
from typing import Any

from refkube.apimachinery.meta import Object, key_of, labels_of
from refkube.client.client import Client
from refkube.client.informer import Informer
from refkube.engine.loop import Loop, Timer
from refkube.hostnet import Address, Host, Link, NetError, RealServer, VirtualServer
from refkube.kubeproxy import rules
from refkube.kubeproxy.changes import (
    HEADLESS,
    PROXY_NAME,
    ZONE,
    Endpoint,
    ServicePort,
    endpoints_of,
    service_of,
    service_ports,
    usable,
)
from refkube.kubeproxy.health import Health

_log = logging.getLogger(__name__)

Key = tuple[str, str, int]
Frontend = tuple[str, int]
Counted = tuple[str, Any]  # "bound" and an address, "denied" and what nodes must not reach, a set and its entry
SYSCTLS = {
    "net.ipv4.vs.conntrack": "1",
    "net.ipv4.vs.expire_nodest_conn": "1",
    "net.ipv4.vs.expire_quiescent_template": "1",
    "net.ipv4.ip_forward": "1",
}
STRICT_ARP = {"net.ipv4.conf.all.arp_ignore": "1", "net.ipv4.conf.all.arp_announce": "2"}
DRAIN_PERIOD = 60.0  # seconds: how often a server at weight 0 is looked at


@dataclass(frozen=True)
class Options:
    """KubeProxyConfiguration, as far as IPVS heeds it."""

    scheduler: str = "rr"
    cluster_cidr: str = "10.244.0.0/16"
    masquerade_all: bool = False
    strict_arp: bool = False
    exclude_cidrs: tuple[str, ...] = ()
    node_port_addresses: tuple[str, ...] = ()  # networks; all addresses of the node without
    min_sync_period: float = 0.0
    sync_period: float = 30.0


@dataclass
class Wanted:
    """What one Service wants of the kernel."""

    servers: dict[Key, VirtualServer] = field(default_factory=dict)
    bound: set[str] = field(default_factory=set)  # addresses of kube-ipvs0
    entries: set[tuple[str, str]] = field(default_factory=set)  # of sets
    denied: set[tuple[str, str, int]] = field(default_factory=set)
    health: tuple[int, int] = (0, 0)  # port, endpoints here
    udp: dict[Frontend, frozenset[Frontend]] = field(default_factory=dict)  # serving endpoints; ("", node port), too

    @property
    def counted(self) -> Iterable[Counted]:
        """What several Services may want at once."""
        yield from (("bound", one) for one in self.bound)
        yield from (("denied", one) for one in self.denied)
        yield from self.entries


class Proxier:
    """Started once. After `stop` what it made stays, as with upstream's, and a new one takes it over."""

    def __init__(self, client: Client, loop: Loop, host: Host, node: str, options: Options | None = None):
        self._loop = loop
        self._net = host.namespace
        self._node = node
        self._options = options or Options()
        self.health = Health(loop, self._net, self._own_node, 2 * self._options.sync_period)
        others = f"!{PROXY_NAME}"
        self._services = Informer(client, loop, "services", label_selector=others)
        self._slices = Informer(client, loop, "endpointslices.discovery.k8s.io", label_selector=f"{others},!{HEADLESS}")
        self._nodes = Informer(client, loop, "nodes", field_selector=f"metadata.name={node}")
        self._slices.add_index("service", lambda one: (service_of(one),))
        self._services.add_handler(
            self._service_changed, lambda _, new: self._service_changed(new), self._service_changed
        )
        self._slices.add_handler(self._slice_changed, self._slice_replaced, self._slice_changed)
        self._nodes.add_handler(lambda _: self._node_changed(), lambda _old, _new: self._node_changed())
        self._informers = (self._services, self._slices, self._nodes)
        self.error = ""  # why the last sync failed
        self._running = False
        self._known_place = "", ""  # the node's zone and address
        self._wanted: dict[str, Wanted] = {}
        self._servers: dict[Key, dict[str, VirtualServer]] = {}  # by the Services that want it; the first gets it
        self._counts: Counter[Counted] = Counter()
        self._filled: Counter[str] = Counter()  # set -> its entries
        self._denied: set[tuple[str, str, int]] = set()
        self._dirty: set[str] = set()
        self._draining: dict[tuple[Key, Frontend], None] = {}
        self._node_addresses: list[str] = []
        self._local_addresses: frozenset[str] = frozenset()
        self._rules = ""  # the text restored last
        self._shown: list[str] = []  # what rules there were then
        self._first = self._full = True
        self._scheduled = False
        self._last = -self._options.sync_period
        self._timers: dict[str, Timer] = {}

    # Running

    def start(self) -> None:
        self._running = True
        self._ensure_sysctls()
        self.health.start()
        for informer in self._informers:
            informer.start()
            informer.when_synced(self._request)
        self._again("drain", DRAIN_PERIOD, self._drain)
        self._request()

    def stop(self) -> None:
        self._running = False
        for timer in self._timers.values():
            timer.cancel()
        for informer in self._informers:
            informer.stop()
        self.health.stop()

    def _again(self, what: str, delay: float, call: Callable[[], object]) -> None:
        if (timer := self._timers.get(what)) is not None:
            timer.cancel()
        self._timers[what] = self._loop.call_later(delay, call)

    def _ensure_sysctls(self) -> None:
        wanted = {**SYSCTLS, **(STRICT_ARP if self._options.strict_arp else {})}
        for name, value in wanted.items():
            if self._net.sysctl(name) != value:
                self._net.set_sysctl(name, value)

    # What has changed

    def _service_changed(self, service: Object) -> None:
        self._mark(key_of(service))

    def _slice_changed(self, endpoint_slice: Object) -> None:
        self._mark(service_of(endpoint_slice))

    def _slice_replaced(self, old: Object, new: Object) -> None:
        self._mark(service_of(old))
        self._mark(service_of(new))

    def _node_changed(self) -> None:
        """Of a node only its address and its zone matter; both are read anew."""
        if (place := self._place()) != self._known_place:
            self._known_place = place
            self._dirty.update(self._wanted)
            self._request()

    def _mark(self, service: str) -> None:
        if service:
            self._dirty.add(service)
            self._request()

    def _request(self) -> None:
        """Sync soon: when the instant is quiet, but not within min_sync_period of the last one."""
        if not self._running or not all(informer.has_synced for informer in self._informers):
            return
        self.health.queued()
        if self._scheduled:
            return
        self._scheduled = True
        wait = self._last + self._options.min_sync_period - self._loop.now()
        if wait > 0:
            self._again("sync", wait, self._sync)
        else:
            self._loop.call_idle(self._sync)

    def _own_node(self) -> Object | None:
        return self._nodes.get(self._node)

    def _place(self) -> tuple[str, str]:
        """This node's zone and address."""
        node = self._own_node() or {}
        addresses = (node.get("status") or {}).get("addresses") or ()
        internal = [one["address"] for one in addresses if one["type"] == "InternalIP" and ":" not in one["address"]]
        return labels_of(node).get(ZONE, ""), internal[0] if internal else ""

    # Syncing

    def _sync(self) -> None:
        self._scheduled = False
        if not self._running:
            return
        self._last = self._loop.now()
        try:
            self._sync_now()
        except NetError as why:
            self._full, self.error = True, str(why)
            _log.warning("kube-proxy of %s: %s", self._node, why)
            if self._loop.trace.on:
                self._loop.trace.record(f"kube-proxy/{self._node}", "sync", str(why))
        else:
            self._first = self._full = False
            self.error = ""
            self.health.updated()
        self._again("full", self._options.sync_period, self._sync_all)

    def _sync_all(self) -> None:
        self._full = True
        self._request()

    def _sync_now(self) -> None:
        full = self._full
        if full:
            self._ensure_parts()
        if self._look_at_addresses():
            self._dirty.update(self._wanted)
        changed, dirty, self._dirty = _Changed(), self._dirty, set()
        for service in sorted(dirty):
            self._update(service, changed)
        self._apply(changed, full)

    def _ensure_parts(self) -> None:
        if self._net.link(rules.DEVICE) is None:
            self._net.add_link(Link(rules.DEVICE, "dummy"))
        there = self._net.ipsets()
        for name, (type, options, _) in rules.SETS.items():
            if name not in there:
                self._net.create_ipset(name, type, options)

    def _look_at_addresses(self) -> bool:
        """The node's own addresses, all but those that are here for Services; True if they are others than before."""
        devices = [link.name for link in self._net.links() if link.name != rules.DEVICE and not link.master]
        # Device by device: to list all would be to list those of every Service with each change.
        found = {one.cidr.partition("/")[0] for device in devices for one in self._net.addresses(device)}
        local = frozenset(one for one in found if not ip_address(one).is_loopback)
        if local == self._local_addresses:
            return False
        self._local_addresses = local
        chosen = [ip_network(one) for one in self._options.node_port_addresses]
        self._node_addresses = sorted(
            one for one in local if not chosen or any(ip_address(one) in net for net in chosen)
        )
        return True

    def _update(self, service: str, changed: _Changed) -> None:
        """Decide what a Service wants, and note what differs from what it wanted."""
        old = self._wanted.pop(service, None) or Wanted()
        new = self._decide(service)
        if new.servers or new.entries:
            self._wanted[service] = new
        for key, server in old.servers.items():
            if new.servers.get(key) != server:
                changed.servers.add(key)
                if key not in new.servers:
                    self._servers[key].pop(service)
                    if not self._servers[key]:
                        del self._servers[key]
        for key, server in new.servers.items():
            if old.servers.get(key) != server:
                self._servers.setdefault(key, {})[service] = server
                changed.servers.add(key)
        before, after = set(old.counted), set(new.counted)
        self._count(before - after, -1, changed)
        self._count(after - before, 1, changed)
        if old.health != new.health:
            changed.health[service] = new.health
        if old.udp != new.udp:
            changed.udp.update(new.udp)

    def _count(self, what: Iterable[Counted], by: int, changed: _Changed) -> None:
        for one in what:
            was = self._counts[one]
            self._counts[one] = was + by
            if was + by == 0:
                del self._counts[one]
            if (was == 0) != (was + by == 0):
                changed.counted.add(one)
                if one[0] in rules.SETS:
                    self._filled[one[0]] += 1 if was == 0 else -1
                elif one[0] == "denied":
                    (self._denied.add if was == 0 else self._denied.discard)(one[1])

    # Deciding

    def _decide(self, service: str) -> Wanted:
        found = Wanted()
        zone, address = self._known_place
        endpoints = endpoints_of(self._slices.indexed("service", service).values(), self._node)
        for port in service_ports(self._services.get(service)):
            all_ = endpoints.get((port.name, port.protocol), ())
            inside, outside = (
                tuple(RealServer(*one.at) for one in usable(port, all_, local, self._node, zone))
                for local in (port.internal_local, port.external_local)
            )
            protocol = port.protocol.lower()
            found.entries |= {
                (rules.LOOP_BACK, f"{one.address},{protocol}:{one.port},{one.address}") for one in all_ if one.local
            }
            found.bound.add(port.cluster_ip)
            found.entries.add((rules.CLUSTER_IP, f"{port.cluster_ip},{protocol}:{port.port}"))
            self._serve(found, port, port.cluster_ip, port.port, inside)
            self._decide_external(found, port, outside)
            self._decide_load_balancer(found, port, outside, address)
            self._decide_node_port(found, port, outside)
            if port.health_port:
                found.entries.add((rules.HEALTH_CHECK, str(port.health_port)))
                ready = {one.address for all_ in endpoints.values() for one in all_ if one.local and one.ready}
                found.health = port.health_port, len(ready)
            self._decide_udp(found, port, all_)
        found.entries |= {(rules.IPVS_IPS, one) for one in found.bound}
        return found

    def _serve(
        self, found: Wanted, port: ServicePort, address: str, number: int, servers: tuple[RealServer, ...]
    ) -> None:
        made = VirtualServer(port.protocol, address, number, self._options.scheduler, port.affinity, servers)
        found.servers[made.key] = made

    def _decide_external(self, found: Wanted, port: ServicePort, servers: tuple[RealServer, ...]) -> None:
        name = rules.EXTERNAL_IP_LOCAL if port.external_local else rules.EXTERNAL_IP
        for address in port.external_ips:
            found.entries.add((name, f"{address},{port.protocol.lower()}:{port.port}"))
            self._bind(found, address)
            self._serve(found, port, address, port.port, servers)

    def _decide_load_balancer(
        self, found: Wanted, port: ServicePort, servers: tuple[RealServer, ...], node_address: str
    ) -> None:
        protocol = port.protocol.lower()
        for address in port.load_balancer_ips:
            entry = f"{address},{protocol}:{port.port}"
            found.entries.add((rules.LOAD_BALANCER, entry))
            if port.external_local:
                found.entries.add((rules.LOAD_BALANCER_LOCAL, entry))
            if port.source_ranges:
                found.entries.add((rules.LOAD_BALANCER_FW, entry))
                ranges = [ip_network(one, strict=False) for one in port.source_ranges]
                found.entries |= {(rules.SOURCE_CIDR, f"{entry},{str(one).removesuffix('/32')}") for one in ranges}
                if node_address and any(ip_address(node_address) in one for one in ranges):
                    found.entries.add((rules.SOURCE_IP, f"{entry},{address}"))
                else:
                    found.denied.add((address, protocol, port.port))
            self._bind(found, address)
            self._serve(found, port, address, port.port, servers)

    def _decide_node_port(self, found: Wanted, port: ServicePort, servers: tuple[RealServer, ...]) -> None:
        if not port.node_port or not self._node_addresses:
            return
        entries = [str(port.node_port)]
        if port.protocol == "SCTP":
            entries = [f"{address},sctp:{port.node_port}" for address in self._node_addresses]
        for entry in entries:
            found.entries.add((rules.NODE_PORT[port.protocol], entry))
            if port.external_local:
                found.entries.add((rules.NODE_PORT_LOCAL[port.protocol], entry))
        for address in self._node_addresses:
            self._serve(found, port, address, port.node_port, servers)

    def _decide_udp(self, found: Wanted, port: ServicePort, endpoints: Iterable[Endpoint]) -> None:
        serving = frozenset(one.at for one in endpoints if one.serving)
        if port.protocol == "UDP" and serving:
            found.udp |= dict.fromkeys(port.frontends, serving)
            if port.node_port:
                found.udp["", port.node_port] = serving

    def _bind(self, found: Wanted, address: str) -> None:
        """To the dummy device, unless the node has the address anyway."""
        if address not in self._local_addresses:
            found.bound.add(address)

    # Acting: virtual servers, sets, rules, and then what is no longer wanted

    def _apply(self, changed: _Changed, full: bool) -> None:
        if full:
            there = {server.key: server for server in self._net.virtual_servers()}
            keys = self._servers.keys() | {key for key, server in there.items() if not self._excluded(server)}
            bound = {one.cidr.partition("/")[0] for one in self._net.addresses(rules.DEVICE)}
        else:
            there = {key: one for key in changed.servers if (one := self._net.virtual_server(key)) is not None}
            keys = changed.servers
            bound = {one for kind, one in changed.counted if kind == "bound" and (kind, one) not in self._counts}
        wanted = [self._server(key) for key in sorted(keys)]
        for server in wanted:
            if server is not None and server.key not in there:
                self._net.set_virtual_server(replace(server, servers=()))
            elif server is not None and _kind(there[server.key]) != _kind(server):
                self._net.set_virtual_server(server)
        self._bind_addresses(changed, full, bound)
        for server in wanted:
            if server is not None:
                self._sync_servers(server, there.get(server.key))
        self._sync_sets(changed, full)
        self._sync_rules(full)
        for address in sorted(bound):
            if ("bound", address) not in self._counts:
                self._net.delete_address(Address(rules.DEVICE, f"{address}/32"))
        for key in sorted(keys):
            if key not in self._servers and key in there:
                self._net.delete_virtual_server(key)
        for service, (port, local) in changed.health.items():
            self._offer_health(service, port, local)
        if changed.udp or (full and self._first):
            self._forget_stale(self._all_udp() if full else changed.udp)

    def _server(self, key: Key) -> VirtualServer | None:
        by_service = self._servers.get(key)
        return by_service[min(by_service)] if by_service else None

    def _excluded(self, server: VirtualServer) -> bool:
        return any(ip_address(server.address) in ip_network(one) for one in self._options.exclude_cidrs)

    def _bind_addresses(self, changed: _Changed, full: bool, there: set[str]) -> None:
        if full:
            wanted = {one for kind, one in self._counts if kind == "bound"} - there
        else:
            wanted = {one for kind, one in changed.counted if kind == "bound" and (kind, one) in self._counts}
        for address in sorted(wanted):
            self._net.add_address(Address(rules.DEVICE, f"{address}/32"))

    def _sync_servers(self, wanted: VirtualServer, there: VirtualServer | None) -> None:
        """Add what is missing; let go gracefully what is too many."""
        known = {(one.address, one.port): one for one in (there.servers if there else ())}
        for server in wanted.servers:
            at = server.address, server.port
            if at in known and (wanted.key, at) not in self._draining:
                if self._first and known[at].weight != server.weight:
                    self._net.set_real_server(wanted.key, server)
                continue
            if at in known:  # comes back while it drains
                self._net.delete_real_server(wanted.key, *at)
                self._draining.pop((wanted.key, at))
            self._net.set_real_server(wanted.key, server)
        for at in known.keys() - {(one.address, one.port) for one in wanted.servers}:
            if (wanted.key, at) not in self._draining and not self._let_go(wanted.key, known[at]):
                self._net.set_real_server(wanted.key, replace(known[at], weight=0))
                self._draining[wanted.key, at] = None

    def _let_go(self, key: Key, server: RealServer) -> bool:
        """Remove a server, unless it has TCP connections: datagrams are dropped by expire_nodest_conn."""
        if key[0] == "TCP" and server.active + server.inactive:
            return False
        self._net.delete_real_server(key, server.address, server.port)
        return True

    def _drain(self) -> None:
        """Remove the servers whose last connection is gone."""
        self._again("drain", DRAIN_PERIOD, self._drain)
        for key, at in list(self._draining):
            there = self._net.virtual_server(key)
            found = [one for one in (there.servers if there else ()) if (one.address, one.port) == at]
            if not found or self._let_go(key, found[0]):
                self._draining.pop((key, at), None)

    def _sync_sets(self, changed: _Changed, full: bool) -> None:
        by_set: dict[str, set[str]] = {name: set() for name in rules.SETS}
        for name, entry in self._counts if full else changed.counted:
            if name in by_set:
                by_set[name].add(entry)
        for name, entries in by_set.items():
            if full:
                there = self._net.ipset_entries(name)
                add, remove = entries - there, there - entries
            else:
                add = {entry for entry in entries if (name, entry) in self._counts}
                remove = entries - add
            if add or remove:
                self._net.change_ipset(name, sorted(add), sorted(remove))

    def _sync_rules(self, full: bool) -> None:
        """The rules say which sets have entries, and so change seldom."""
        options = self._options
        filled = {name for name, entries in self._filled.items() if entries}
        text = rules.restored(filled, options.cluster_cidr, options.masquerade_all, self._denied)
        if text == self._rules and (not full or self._rules_shown() == self._shown):
            return
        self._net.iptables_restore(text)
        self._rules = text
        if full:
            for number in range(len(rules.JUMPS)):
                if not self._net.iptables(rules.jump(number, "-C")):
                    self._net.iptables(rules.jump(number, "-I"))
        self._shown = self._rules_shown()

    def _rules_shown(self) -> list[str]:
        """Its own rules, and those that lead there."""
        return [rule for rule in self._net.iptables_given() if "KUBE-" in rule]

    def _offer_health(self, service: str, port: int, local: int) -> None:
        try:
            self.health.offer(service, port, local)
        except NetError as why:
            _log.warning("kube-proxy of %s: health check of %s: %s", self._node, service, why)

    # Datagrams that would go on to who is no longer there

    def _all_udp(self) -> dict[Frontend, frozenset[Frontend]]:
        found: dict[Frontend, frozenset[Frontend]] = {}
        for wanted in self._wanted.values():
            found |= wanted.udp
        return found

    def _forget_stale(self, serving: dict[Frontend, frozenset[Frontend]]) -> None:
        for flow in self._net.flows() if serving else ():
            if flow.protocol.lower() != "udp":
                continue
            endpoints = serving.get(flow.destination) or serving.get(("", flow.destination[1]))
            if endpoints is not None and flow.reply_source not in endpoints:
                self._net.forget_flows("udp", flow.destination, flow.reply_source)


@dataclass
class _Changed:
    """What differs since the last sync."""

    servers: set[Key] = field(default_factory=set)
    counted: set[Counted] = field(default_factory=set)
    health: dict[str, tuple[int, int]] = field(default_factory=dict)
    udp: dict[Frontend, frozenset[Frontend]] = field(default_factory=dict)


def _kind(server: VirtualServer) -> tuple[str, int]:
    return server.scheduler, server.persistent
