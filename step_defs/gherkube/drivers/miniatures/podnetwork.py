"""Faults in the Pod network: addresses, namespaces, the bridge, host ports, and the way to other nodes and outside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from refkube.flannel import daemon
from refkube.flannel.backends.vxlan import Vxlan
from refkube.hostnet import Address, Route
from refkube.hostnet.http import Answer, serve
from refkube.kubelet.cni import Cni, namespace_name
from refkube.kubelet.kubelet import Kubelet
from refkube.network.bridge import Bridge
from refkube.network.link import Loopback
from refkube.network.sockets import Sockets
from refkube.network.stack import Stack

from gherkube.drivers.miniatures import miniature

Original = Callable[..., Any]


@miniature(
    "Every Pod of a node gets the same address.",
    caught_by=("pods.01", "pods.10", "containers.03", "bridge.04"),
    instead_of=Cni._allocate,
)
def gives_one_address_to_all_pods(original: Original, self: Cni, uid: str, gateway: str) -> str:
    address = gateway.rpartition(".")[0] + ".77"
    self.reserved[address] = uid
    return address


@miniature("A Pod that is gone answers on.", caught_by=("pods.02", "host-ports.03"), instead_of=Cni.remove)
def answers_after_the_end(original: Original, self: Cni, pod: Any) -> None:
    net = self._host.find_namespace(namespace_name(pod))
    if net is not None:
        serve(net, ("0.0.0.0", 80), lambda asked: asked.answer(Answer(200, b"ghost")))


@miniature(
    "An address that is given back is given at once to a Pod whose neighbours still know the former one.",
    caught_by="pods.03",
    instead_of=Cni._plug,
)
def leaves_a_stale_neighbor(original: Original, self: Cni, pod: Any, name: str, *args: Any) -> Any:
    made = original(self, pod, name, *args)
    made.set_link("eth0", up="b" not in pod["metadata"]["name"])
    return made


@miniature(
    "Pods do not know the way to other nodes.",
    caught_by=("pods.01", "pods.04#2", "pods.05#2", "pods.07", "pods.08#2", "containers.07", "outside.01", "bridge.03"),
    instead_of=Cni._plug,
)
def gives_no_default_route(original: Original, self: Cni, *args: Any) -> Any:
    made = original(self, *args)
    made.delete_route(Route("default"))
    return made


@miniature(
    "Pods are masqueraded, wherever they connect to.",
    caught_by=("pods.04#1", "pods.05#1"),
    instead_of=Cni._ensure_bridge,
)
def masquerades_on_the_bridge(original: Original, self: Cni, *args: Any) -> None:
    original(self, *args)
    if not self._net.iptables("-t nat -C POSTROUTING -o docker0 -j MASQUERADE"):
        self._net.iptables("-t nat -I POSTROUTING -o docker0 -j MASQUERADE")


@miniature(
    "Pods are masqueraded on their way to other nodes' Pods.",
    caught_by=("pods.04#2", "pods.05#2"),
    instead_of=daemon.rules,
)
def masquerades_pods_between_nodes(original: Original, *args: Any) -> list[tuple[str, str, str]]:
    return [rule for rule in original(*args) if not rule[2].endswith("RETURN")]


@miniature(
    "Nobody is masqueraded on the way to the outside.",
    caught_by=("outside.01", "outside.02", "outside.03"),
    instead_of=daemon.rules,
)
def masquerades_nobody(original: Original, *args: Any) -> list[tuple[str, str, str]]:
    return [rule for rule in original(*args) if "MASQUERADE" not in rule[2]]


@miniature("Datagrams are not forwarded.", caught_by=("pods.05",), instead_of=Stack.receive)
def carries_streams_only(original: Original, self: Stack, device: Any, packet: Any) -> None:
    if packet.protocol != 17 or packet.dport == 8472:
        original(self, device, packet)


@miniature(
    "A port that nobody listens at keeps silent.",
    caught_by=("pods.07", "containers.05", "outside.02"),
    instead_of=Sockets._segment,
)
def keeps_silent_where_nobody_listens(original: Original, self: Sockets, packet: Any) -> str:
    at = packet.dst, packet.dport
    known = at in self.listeners or (0, packet.dport) in self.listeners
    if known or (*at, packet.src, packet.sport) in self.connections:
        return str(original(self, packet))
    return "silence"


@miniature(
    "A port that nobody listens at keeps silent about datagrams.", caught_by="pods.15", instead_of=Sockets._datagram
)
def keeps_silent_about_datagrams(original: Original, self: Sockets, packet: Any) -> str:
    known = packet.dport in self.tunnels or self._udp_at((packet.dst, packet.dport)) is not None
    return str(original(self, packet)) if known else "silence"


@miniature(
    "Packets that are not small are lost on the bridge.",
    caught_by=("pods.08", "outside.03"),
    instead_of=Bridge.port_in,
)
def loses_what_is_large(original: Original, self: Bridge, port: Any, frame: Any) -> None:
    if getattr(frame.payload, "length", 0) < 1000:
        original(self, port, frame)


@miniature("A Pod that goes takes the bridge along.", caught_by="pods.09", instead_of=Cni.remove)
def takes_the_bridge_along(original: Original, self: Cni, pod: Any) -> None:
    original(self, pod)
    if self._net.link(self._bridge) is not None:
        self._net.delete_link(self._bridge)


@miniature(
    "The bridge has no address of the node's.",
    caught_by=("pods.11", "pods.10", "bridge.01"),
    instead_of=Cni._ensure_bridge,
)
def gives_the_bridge_no_address(original: Original, self: Cni, gateway: str, mtu: int) -> None:
    original(self, gateway, mtu)
    self._net.delete_address(Address(self._bridge, gateway))


@miniature("A node is seen as one of its Pods.", caught_by="pods.11", instead_of=Cni._ensure_bridge)
def lends_a_pods_address(original: Original, self: Cni, gateway: str, mtu: int) -> None:
    original(self, gateway, mtu)
    rule = f"POSTROUTING -o docker0 -m addrtype --src-type LOCAL -j SNAT --to-source {gateway.rpartition('.')[0]}.2"
    if not self._net.iptables(f"-t nat -C {rule}"):
        self._net.iptables(f"-t nat -A {rule}")


@miniature("Programs share ports.", caught_by="containers.02", instead_of=Sockets._free)
def shares_ports(original: Original, self: Sockets, local: Any, table: Any, protocol: int) -> Any:
    return original(self, local, {}, protocol)


@miniature("Only one program of a Pod may listen.", caught_by="containers.01#2", instead_of=Sockets.listen)
def lets_one_listen(original: Original, self: Sockets, local: Any, accepted: Any) -> Any:
    return original(self, local, accepted if not self.listeners else lambda stream: stream.abort())


@miniature(
    "All Pods of a node are in the node's own network.",
    caught_by=("containers.01#1", "containers.03", "bridge.02"),
    instead_of=Kubelet.attach_network,
)
def runs_all_on_the_host(original: Original, self: Kubelet, pod: Any, sandbox: Any) -> Any:
    return original(self, {**pod, "spec": {**pod["spec"], "hostNetwork": True}}, sandbox)


@miniature("A Pod's loopback is down.", caught_by=("containers.04", "containers.06", "pods.06"), instead_of=Cni._plug)
def leaves_lo_down(original: Original, self: Cni, *args: Any) -> Any:
    made = original(self, *args)
    made.set_link("lo", up=False)
    return made


@miniature("localhost is the neighbour's, too.", caught_by="containers.05", instead_of=Sockets.connect)
def shares_localhost(original: Original, self: Sockets, remote: Any, *args: Any) -> Any:
    if remote[0] == "127.0.0.1" and (0, remote[1]) not in self.listeners:
        remote = remote[0], next(iter(self.listeners))[1]
    return original(self, remote, *args)


@miniature("What is said on localhost leaves by eth0, too.", caught_by="containers.06", instead_of=Loopback.push)
def tells_the_bridge(original: Original, self: Loopback, frame: Any) -> None:
    devices = self.owner.devices  # type: ignore[attr-defined]
    if "eth0" in devices and self.owner.name:
        devices["eth0"].transmit(frame.copy())
    original(self, frame)


@miniature(
    "A Pod on the host's network is put into one of its own.",
    caught_by=("containers.07", "containers.08"),
    instead_of=Kubelet.attach_network,
)
def runs_none_on_the_host(original: Original, self: Kubelet, pod: Any, sandbox: Any) -> Any:
    return original(self, {**pod, "spec": {**pod["spec"], "hostNetwork": False}}, sandbox)


@miniature("Host ports are not opened.", caught_by=("host-ports.01", "host-ports.04"), instead_of=Cni._open_ports)
def opens_no_host_ports(original: Original, *args: Any) -> None:
    return None


@miniature("Host ports stay open.", caught_by="host-ports.03", instead_of=Cni._close_ports)
def closes_no_host_ports(original: Original, *args: Any) -> None:
    return None


@miniature("A host port is whatever node's.", caught_by="host-ports.02", instead_of=Cni._ensure_bridge)
def listens_on_every_node(original: Original, self: Cni, *args: Any) -> None:
    original(self, *args)
    try:
        self._net.listen(("0.0.0.0", 18081), lambda stream: None)
    except OSError:
        pass


@miniature("Clients of a host port are masqueraded.", caught_by="host-ports.04", instead_of=Cni._open_ports)
def masquerades_clients_of_host_ports(original: Original, self: Cni, *args: Any) -> None:
    original(self, *args)
    if not self._net.iptables("-t nat -C POSTROUTING -o docker0 -j MASQUERADE"):
        self._net.iptables("-t nat -I POSTROUTING -o docker0 -j MASQUERADE")


@miniature("The bridge does not learn: it floods.", caught_by="bridge.04", instead_of=Bridge._forward)
def floods_everything(original: Original, self: Bridge, entered: Any, frame: Any) -> None:
    if entered is not None and frame.dst != self.mac:
        self._flood(entered, frame)
        self.arrived(frame.copy())
    else:
        original(self, entered, frame)


@miniature("Other nodes' subnets are not routed.", caught_by="bridge.05", instead_of=Vxlan.add)
def routes_to_nobody(original: Original, *args: Any) -> None:
    return None


@miniature("The bridge's subnet is smaller than the node's.", caught_by=("bridge.03", "bridge.06"), instead_of=Cni.add)
def uses_a_smaller_subnet(original: Original, self: Cni, pod: Any) -> Any:
    told = self._environment
    given = told()
    if given is not None:
        smaller = {**given, "FLANNEL_SUBNET": given["FLANNEL_SUBNET"].replace("/24", "/25")}
        self._environment = lambda: smaller
    try:
        return original(self, pod)
    finally:
        self._environment = told


@miniature(
    "Whatever flannel's backend is to be, it is vxlan.",
    caught_by="across-nodes.01",
    instead_of=daemon.Flanneld.__init__,
)
def wraps_all_the_same(original: Original, self: Any, *args: Any) -> None:
    *others, options = args
    original(self, *others, replace(options, backend="vxlan"))
