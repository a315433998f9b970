"""Faults in how a node leads connections to Services: whom they reach, and whom the server sees."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from refkube.hostnet import Address, RealServer, VirtualServer
from refkube.kubeproxy import changes, proxier, rules
from refkube.kubeproxy.changes import Endpoint, ServicePort
from refkube.kubeproxy.health import Health
from refkube.kubeproxy.proxier import Proxier, Wanted

from gherkube.drivers.miniatures import miniature

Original = Callable[..., Any]


# Which Pods


@miniature(
    "A Service sends everything to one of its Pods.",
    caught_by=(
        *("clusterip-traffic.01", "clusterip-traffic.02", "clusterip-traffic.08", "clusterip-traffic.11"),
        *("clusterip-traffic.13", "clusterip-traffic.14", "clusterip-traffic.16", "node-port-traffic.05"),
        *("policies.09", "virtual-servers.01", "virtual-servers.11", "reconciliation.05", "reconciliation.06"),
    ),
    instead_of=changes.usable,
)
def sends_to_one_pod(original: Original, *args: Any) -> list[Endpoint]:
    return list(original(*args))[:1]


@miniature(
    "A Pod that left a Service still gets new connections.",
    caught_by=(
        *("clusterip-traffic.07", "clusterip-traffic.09", "clusterip-traffic.12", "clusterip-traffic.15"),
        *("clusterip-traffic.17", "clusterip-traffic.18", "clusterip-traffic.20", "clusterip-traffic.22"),
        *("node-port-traffic.09", "affinity.04", "virtual-servers.02", "reconciliation.08"),
    ),
    instead_of=Proxier._sync_servers,
)
def keeps_stale_real_servers(
    original: Original, self: Proxier, wanted: VirtualServer, there: VirtualServer | None
) -> None:
    known = {(one.address, one.port) for one in (there.servers if there else ())}
    for server in wanted.servers:
        if (server.address, server.port) not in known:
            self._net.set_real_server(wanted.key, server)


@miniature("Packets go to Pods as they are.", caught_by="virtual-servers.11", instead_of=Proxier._sync_servers)
def routes_to_real_servers(
    original: Original, self: Proxier, wanted: VirtualServer, there: VirtualServer | None
) -> None:
    servers = tuple(replace(one, forward="route") for one in wanted.servers)
    original(self, replace(wanted, servers=servers), there)


@miniature(
    "A Pod that is new behind a Service gets no connections.",
    caught_by=("clusterip-traffic.08", "clusterip-traffic.13", "clusterip-traffic.16", "virtual-servers.03"),
    instead_of=Proxier._sync_servers,
)
def adds_no_real_servers(original: Original, self: Proxier, wanted: VirtualServer, there: VirtualServer | None) -> None:
    known = {(one.address, one.port) for one in (there.servers if there else ())}
    kept = tuple(one for one in wanted.servers if not known or (one.address, one.port) in known)
    original(self, replace(wanted, servers=kept), there)


@miniature(
    "Pods that are not ready get connections.",
    caught_by=("clusterip-traffic.12", "clusterip-traffic.20", "clusterip-traffic.22", "virtual-servers.02"),
    instead_of=changes.usable,
)
def sends_to_unready_pods(
    original: Original, port: ServicePort, endpoints: Iterable[Endpoint], *args: Any
) -> list[Endpoint]:
    return list(endpoints)


@miniature(
    "A Service whose last Pod is on its way out sends nobody there.",
    caught_by="clusterip-traffic.19",
    instead_of=changes.usable,
)
def gives_up_pods_that_go(
    original: Original, port: ServicePort, endpoints: Iterable[Endpoint], *args: Any
) -> list[Endpoint]:
    found: list[Endpoint] = original(port, [one for one in endpoints if not one.terminating], *args)
    return found


@miniature(
    "Every node uses its own Pods alone, if it has any.",
    caught_by=("clusterip-traffic.01", "clusterip-traffic.02", "clusterip-traffic.14", "node-port-traffic.05"),
    instead_of=changes.usable,
)
def stays_on_the_node(
    original: Original, port: ServicePort, endpoints: Iterable[Endpoint], local: bool, node: str, zone: str
) -> list[Endpoint]:
    found: list[Endpoint] = original(port, endpoints, True, node, zone)
    return found


@miniature(
    "The endpoints of all Services are taken for those of one.",
    caught_by=("clusterip-traffic.10", "node-port-traffic.08"),
    instead_of=changes.service_of,
)
def mixes_services_up(original: Original, endpoint_slice: Any) -> str:
    namespace, _, name = str(original(endpoint_slice)).partition("/")
    return f"{namespace}/web" if name else ""


@miniature(
    "Each port of a Service leads to all ports of its Pods.",
    caught_by="clusterip-traffic.04",
    instead_of=changes.endpoints_of,
)
def mixes_ports_up(original: Original, *args: Any) -> Any:
    found = original(*args)
    return {key: tuple(one for each in found.values() for one in each) for key in found}


@miniature(
    "Connections go to the Service's port in the Pod.",
    caught_by=("clusterip-traffic.03", "node-port-traffic.01", "node-port-traffic.04", "virtual-servers.01"),
    instead_of=Proxier._serve,
)
def translates_no_ports(
    original: Original, self: Proxier, found: Wanted, port: ServicePort, address: str, number: int, servers: Any
) -> None:
    original(self, found, port, address, number, tuple(replace(one, port=number) for one in servers))


@miniature(
    "Datagrams are not led to Services.",
    caught_by=("clusterip-traffic.05", "clusterip-traffic.18", "node-port-traffic.06", "virtual-servers.05"),
    instead_of=changes.service_ports,
)
def serves_no_datagrams(original: Original, service: Any) -> list[ServicePort]:
    return [port for port in original(service) if port.protocol != "UDP"]


# Services that come and go


@miniature(
    "A Service that is deleted is still served.",
    caught_by=("clusterip-traffic.06", "virtual-servers.06", "virtual-servers.17"),
    instead_of=Proxier._update,
)
def serves_deleted_services(original: Original, self: Proxier, service: str, changed: Any) -> None:
    if self._services.get(service) is not None:
        original(self, service, changed)


@miniature(
    "A Service without Pods is not served at all, so that connections to it wait in vain.",
    caught_by=("clusterip-traffic.21", "clusterip-traffic.24", "virtual-servers.04"),
    instead_of=Proxier._decide,
)
def forgets_services_without_pods(original: Original, self: Proxier, service: str) -> Wanted:
    found: Wanted = original(self, service)
    return found if any(server.servers for server in found.servers.values()) else Wanted()


@miniature(
    "A Service that is without node port and load balancer now is reached at those that it had.",
    caught_by=("node-port-traffic.10", "external-traffic.05"),
)
def keeps_ways_in() -> Iterator[None]:
    from gherkube.drivers.miniatures import exchanged

    had: dict[tuple[str, int], ServicePort] = {}

    def wrong(original: Original, service: Any) -> list[ServicePort]:
        ports: list[ServicePort] = original(service)
        kept = []
        for port in ports:
            before = had.setdefault((port.cluster_ip, port.port), port)
            if port.external:
                before = had[port.cluster_ip, port.port] = port
            kept.append(replace(port, node_port=before.node_port, load_balancer_ips=before.load_balancer_ips))
        return kept

    with exchanged(changes.service_ports, wrong):
        yield


# Ways in


@miniature(
    "A node port is open on one node only.",
    caught_by=(
        *("node-port-traffic.01#2", "node-port-traffic.02", "node-port-traffic.04#2", "node-port-traffic.06"),
        *("node-port-traffic.07", "node-port-traffic.08", "node-port-traffic.11", "policies.08"),
    ),
    instead_of=Proxier._decide_node_port,
)
def opens_node_ports_on_one_node(original: Original, self: Proxier, *args: Any) -> None:
    if self._node == "n1":
        original(self, *args)


@miniature(
    "A node leads its port of the Service's number to the Service, too.",
    caught_by="node-port-traffic.03",
    instead_of=Proxier._decide_node_port,
)
def opens_the_services_port(original: Original, self: Proxier, found: Wanted, port: ServicePort, servers: Any) -> None:
    original(self, found, port, servers)
    for address in self._node_addresses:
        self._serve(found, port, address, port.port, servers)


@miniature(
    "External addresses of Services lead nowhere.",
    caught_by=("external-traffic.01", "external-traffic.02", "virtual-servers.07"),
    instead_of=Proxier._decide_external,
)
def serves_no_external_addresses(original: Original, *args: Any) -> None:
    return None


@miniature(
    "The address of a load balancer leads nowhere.",
    caught_by=("external-traffic.03", "external-traffic.04"),
    instead_of=Proxier._decide_load_balancer,
)
def serves_no_load_balancers(original: Original, *args: Any) -> None:
    return None


@miniature(
    "Everybody may pass through a load balancer.", caught_by="external-traffic.06", instead_of=changes.service_ports
)
def ignores_source_ranges(original: Original, service: Any) -> list[ServicePort]:
    return [replace(port, source_ranges=()) for port in original(service)]


@miniature(
    "A load balancer's source ranges hold for the ClusterIP, too.",
    caught_by="external-traffic.07",
    instead_of=Proxier._decide,
)
def limits_the_cluster_ip(original: Original, self: Proxier, service: str) -> Wanted:
    found: Wanted = original(self, service)
    limited = {entry for name, entry in found.entries if name == rules.LOAD_BALANCER_FW}
    if limited:
        found.entries |= {(rules.LOAD_BALANCER_FW, entry) for name, entry in found.entries if name == rules.CLUSTER_IP}
    return found


# Whom the server sees


@miniature(
    "A Pod that reaches itself is not masqueraded.",
    caught_by=("clusterip-traffic.23", "sources.04"),
    instead_of=Proxier._decide,
)
def forgets_the_hairpin(original: Original, self: Proxier, service: str) -> Wanted:
    found: Wanted = original(self, service)
    found.entries = {entry for entry in found.entries if entry[0] != rules.LOOP_BACK}
    return found


@miniature(
    "What comes through a node port is not masqueraded.",
    caught_by=("sources.05#1", "sources.06"),
    instead_of=rules._nat,
)
def masquerades_nothing(original: Original, *args: Any) -> list[str]:
    return [line for line in original(*args) if "--or-mark" not in line]


@miniature(
    "A node masquerades under the address of another machine.",
    caught_by=("sources.05", "sources.07"),
    instead_of=rules._nat,
)
def masquerades_as_another(original: Original, *args: Any) -> list[str]:
    other = "-j SNAT --to-source 192.168.100.99"
    return [line.replace("-j MASQUERADE --random-fully", other) for line in original(*args)]


@miniature(
    "Pods are masqueraded on their way to a ClusterIP.",
    caught_by=("sources.01", "sources.02"),
    instead_of=rules._of_strangers,
)
def masquerades_pods(original: Original, *args: Any) -> str:
    return "dst,dst"


@miniature("Nodes are not masqueraded on their way to a ClusterIP.", caught_by="sources.03#1", instead_of=rules._nat)
def masquerades_no_nodes(original: Original, *args: Any) -> list[str]:
    return [line for line in original(*args) if not ("KUBE-CLUSTER-IP" in line and "KUBE-MARK-MASQ" in line)]


@miniature(
    "Nodes are masqueraded under somebody else's address on their way to a ClusterIP.",
    caught_by="sources.03#2",
    instead_of=rules._nat,
)
def masquerades_nodes_as_others(original: Original, *args: Any) -> list[str]:
    other = "-j SNAT --to-source 192.168.100.99"
    return [line.replace("-j MASQUERADE --random-fully", other) for line in original(*args)]


# Policies


@miniature(
    "The external policy Local is ignored.",
    caught_by=("sources.08", "sources.09", "policies.01", "policies.04", "policies.05"),
    instead_of=changes.service_ports,
)
def ignores_the_external_policy(original: Original, service: Any) -> list[ServicePort]:
    return [replace(port, external_local=False, health_port=0) for port in original(service)]


@miniature(
    "The external policy holds for what comes from inside, too.",
    caught_by="policies.03",
    instead_of=changes.usable,
)
def keeps_inside_traffic_local(
    original: Original, port: ServicePort, endpoints: Iterable[Endpoint], *args: Any
) -> list[Endpoint]:
    endpoints = [one for one in endpoints if one.local] if port.external_local else endpoints
    found: list[Endpoint] = original(port, endpoints, *args)
    return found


@miniature(
    "The internal policy Local is ignored.",
    caught_by=("policies.06", "policies.07"),
    instead_of=changes.service_ports,
)
def ignores_the_internal_policy(original: Original, service: Any) -> list[ServicePort]:
    return [replace(port, internal_local=False) for port in original(service)]


@miniature(
    "The internal policy holds for what comes from outside, too.",
    caught_by="policies.08",
    instead_of=changes.usable,
)
def keeps_outside_traffic_local(
    original: Original, port: ServicePort, endpoints: Iterable[Endpoint], *args: Any
) -> list[Endpoint]:
    endpoints = [one for one in endpoints if one.local] if port.internal_local else endpoints
    found: list[Endpoint] = original(port, endpoints, *args)
    return found


@miniature("Nobody prefers what is near.", caught_by="policies.10", instead_of=changes._preferred)
def prefers_nothing(original: Original, ready: list[Endpoint], node: str, zone: str) -> list[Endpoint]:
    return ready


@miniature(
    "Who prefers what is near is not led to what is far, where nothing else is.",
    caught_by="policies.09",
    instead_of=changes._preferred,
)
def insists_on_what_is_near(original: Original, ready: list[Endpoint], node: str, zone: str) -> list[Endpoint]:
    return [one for one in ready if not one.nodes or node in one.nodes]


@miniature("A health check counts a Pod that the node does not have.", caught_by="policies.04", instead_of=Health.offer)
def counts_pods_of_others(original: Original, self: Health, service: str, port: int, local: int) -> None:
    original(self, service, port, local + 1)


@miniature("A health check tells what it told first.", caught_by="policies.05", instead_of=Health.offer)
def counts_pods_once(original: Original, self: Health, service: str, port: int, local: int) -> None:
    original(self, service, port, max(local, self._local.get(service, 0)))


# Affinity


@miniature(
    "Session affinity is ignored.",
    caught_by=("affinity.01", "affinity.02", "virtual-servers.14"),
    instead_of=changes.service_ports,
)
def ignores_affinity(original: Original, service: Any) -> list[ServicePort]:
    return [replace(port, affinity=0) for port in original(service)]


@miniature(
    "Session affinity lasts for a day.",
    caught_by=("affinity.03", "virtual-servers.14#1"),
    instead_of=changes.service_ports,
)
def remembers_clients_for_a_day(original: Original, service: Any) -> list[ServicePort]:
    return [replace(port, affinity=86400 if port.affinity else 0) for port in original(service)]


# Virtual servers


@miniature("A virtual server that is there stays as it is.", caught_by="virtual-servers.15", instead_of=proxier._kind)
def changes_no_virtual_server(original: Original, server: VirtualServer) -> tuple[str, int]:
    return "", 0


@miniature(
    "A server with connections is removed at once, and they with it.",
    caught_by=("clusterip-traffic.17", "virtual-servers.08"),
    instead_of=Proxier._let_go,
)
def drains_nothing(original: Original, self: Proxier, key: Any, server: RealServer) -> bool:
    self._net.delete_real_server(key, server.address, server.port)
    return True


@miniature("A server at weight 0 is never removed.", caught_by="virtual-servers.09", instead_of=Proxier._drain)
def drains_for_ever(original: Original, self: Proxier) -> None:
    return None


@miniature(
    "A node port is served at the node's own address alone.",
    caught_by="virtual-servers.10#2",
    instead_of=Proxier._decide_node_port,
)
def serves_one_node_address(original: Original, self: Proxier, found: Wanted, port: ServicePort, servers: Any) -> None:
    every, self._node_addresses = self._node_addresses, [self._known_place[1]]
    try:
        original(self, found, port, servers)
    finally:
        self._node_addresses = every


@miniature(
    "A node port is served at the address towards the Pods alone.",
    caught_by="virtual-servers.10#1",
    instead_of=Proxier._decide_node_port,
)
def serves_bridge_address(original: Original, self: Proxier, found: Wanted, port: ServicePort, servers: Any) -> None:
    every = self._node_addresses
    self._node_addresses = [one for one in every if one != self._known_place[1]]
    try:
        original(self, found, port, servers)
    finally:
        self._node_addresses = every


@miniature(
    "The weighted scheduler is used, whichever is configured.",
    caught_by=("virtual-servers.12", "virtual-servers.13"),
    instead_of=Proxier._serve,
)
def uses_another_scheduler(
    original: Original, self: Proxier, found: Wanted, port: ServicePort, address: str, number: int, servers: Any
) -> None:
    original(self, found, port, address, number, servers)
    key = port.protocol, address, number
    found.servers[key] = replace(found.servers[key], scheduler="wrr")


@miniature(
    "Service addresses are not held by the nodes.",
    caught_by=("virtual-servers.16", "reconciliation.03"),
    instead_of=Proxier._bind_addresses,
)
def binds_no_addresses(original: Original, *args: Any) -> None:
    return None


@miniature(
    "The node's own programs are reached at a Service's address.",
    caught_by="virtual-servers.18",
    instead_of=rules._filter,
)
def filters_no_ports(original: Original, *args: Any) -> list[str]:
    return [line for line in original(*args) if "REJECT" not in line]


# Putting right


@miniature(
    "What somebody changed stays changed.",
    caught_by=("reconciliation.01", "reconciliation.02", "reconciliation.03", "reconciliation.04"),
    instead_of=Proxier._sync_all,
)
def lets_changes_be(original: Original, self: Proxier) -> None:
    return None


@miniature(
    "A proxy that ends takes its virtual servers with it.", caught_by="reconciliation.05", instead_of=Proxier.stop
)
def cleans_up_at_its_end(original: Original, self: Proxier) -> None:
    original(self)
    for server in self._net.virtual_servers():
        self._net.delete_virtual_server(server.key)
    for address in self._net.addresses(rules.DEVICE):
        self._net.delete_address(Address(rules.DEVICE, address.cidr))


@miniature(
    "A proxy that starts again waits for the next change.",
    caught_by=("reconciliation.06", "reconciliation.07", "reconciliation.08"),
    instead_of=Proxier.start,
)
def waits_after_a_restart(original: Original, self: Proxier) -> None:
    if self._net.link(rules.DEVICE) is None:
        original(self)


@miniature(
    "A proxy leaves the virtual servers that it does not know.",
    caught_by="reconciliation.07",
    instead_of=Proxier._excluded,
)
def leaves_what_it_does_not_know(original: Original, self: Proxier, server: VirtualServer) -> bool:
    return True
