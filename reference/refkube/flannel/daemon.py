"""flanneld with the Kubernetes subnet manager: a node's subnet is its podCIDR, published by annotations of the Node.

Run once a node. The other nodes' annotations say how their subnets are reached; a backend makes it so. Pods' sandboxes
wait for `environment`, which upstream is the file /run/flannel/subnet.env. Source: flannel main.go, pkg/subnet/kube,
pkg/trafficmngr/iptables. Left out: IPv6, etcd as a store of leases, public-ip-overwrite.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_network

from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object, annotations_of, condition_of, name_of
from refkube.client.client import Client
from refkube.client.informer import Informer
from refkube.engine.clock import rfc3339
from refkube.engine.loop import Loop, Timer
from refkube.flannel.backends import Backend, Interface, Lease
from refkube.flannel.backends.host_gw import HostGw
from refkube.flannel.backends.udp import Udp
from refkube.flannel.backends.vxlan import Vxlan
from refkube.hostnet import Host, Namespace, NetError

_log = logging.getLogger(__name__)

PREFIX = "flannel.alpha.coreos.com/"
BACKENDS = ("vxlan", "udp", "host-gw")
RETRY = 1.0  # seconds until a node without a podCIDR, or a refused write, is looked at again
CHECK_PERIOD = 10.0  # of a backend's own routes
CHAINS = "FLANNEL-"
_MARK = "0x4000/0x4000"  # kube-proxy's, which masquerades what carries it


@dataclass(frozen=True)
class Options:
    """net-conf.json, and the flags."""

    network: str = "10.244.0.0/16"
    backend: str = "vxlan"
    ip_masq: bool = True


class Flanneld:
    """Started once. After `stop` what is the kernel's stays, and a new one takes it over."""

    def __init__(self, client: Client, loop: Loop, host: Host, node: str, options: Options | None = None):
        self._client = client
        self._loop = loop
        self._net = host.namespace
        self._node = node
        self._options = options or Options()
        self.environment: Mapping[str, str] | None = None  # subnet.env, once there is a lease
        self.error = ""
        self._lease: Lease | None = None
        self._backend: Backend | None = None
        self._peers: dict[str, Lease] = {}  # by node
        self._shown: list[str] = []  # the rules that there were when they were written
        self._running = False
        self._timers: dict[str, Timer] = {}
        self._nodes = Informer(client, loop, "nodes")
        self._nodes.add_handler(self._node_changed, lambda _, new: self._node_changed(new), self._node_gone)

    def start(self) -> None:
        self._running = True
        self._nodes.start()
        self._nodes.when_synced(self._begin)

    def stop(self) -> None:
        self._running = False
        self._nodes.stop()
        for timer in self._timers.values():
            timer.cancel()
        if self._backend is not None:
            self._backend.close()

    def _again(self, what: str, delay: float, call: Callable[[], object]) -> None:
        if (timer := self._timers.get(what)) is not None:
            timer.cancel()
        self._timers[what] = self._loop.call_later(delay, call)

    # The own lease

    def _begin(self) -> None:
        """Acquire the lease, make the device, and go on from there; again in a second where something is missing."""
        if not self._running or self._lease is not None:
            return
        try:
            self._acquire()
        except (StatusError, NetError, _NotYet) as why:
            self.error = str(why)
            _log.debug("flanneld of %s: %s", self._node, why)
            if self._loop.trace.on:
                self._loop.trace.record(f"flanneld/{self._node}", "lease", self.error, seconds=RETRY)
            self._again("lease", RETRY, self._begin)
            return
        self.error = ""
        assert self._lease is not None
        assert self._backend is not None
        self.environment = {
            "FLANNEL_NETWORK": self._options.network,
            "FLANNEL_SUBNET": f"{ip_network(self._lease.subnet)[1]}/{ip_network(self._lease.subnet).prefixlen}",
            "FLANNEL_MTU": str(self._backend.mtu),
            "FLANNEL_IPMASQ": str(self._options.ip_masq).lower(),
        }
        for node in list(self._nodes.items.values()):
            self._node_changed(node)
        self._again("check", CHECK_PERIOD, self._check)

    def _acquire(self) -> None:
        node = self._nodes.get(self._node)
        if node is None:
            raise _NotYet(f'node "{self._node}" is not there')
        subnet = (node.get("spec") or {}).get("podCIDR", "")
        if not subnet:
            raise _NotYet(f'node "{self._node}" pod cidr not assigned')
        if not ip_network(subnet).subnet_of(ip_network(self._options.network)):  # type: ignore[arg-type]
            raise _NotYet(
                f'subnet "{self._options.network}" specified in the flannel net config does not contain "{subnet}"'
            )
        interface = outward(self._net)
        if self._backend is None:
            self._backend = self._made(interface)
        lease = Lease(subnet, interface.address, self._options.backend, self._backend.data())
        self._publish(node, lease)
        self._backend.open(self._options.network, lease)
        self._ensure_rules(lease)
        self._lease = lease
        self._tell_network_is_up()

    def _made(self, interface: Interface) -> Backend:
        if self._options.backend == "udp":
            return Udp(self._net, interface)
        if self._options.backend == "host-gw":
            return HostGw(self._net, interface)
        return Vxlan(self._net, interface, self._loop.random.randbytes)

    def _publish(self, node: Object, lease: Lease) -> None:
        wanted = {
            f"{PREFIX}backend-data": lease.data,
            f"{PREFIX}backend-type": lease.backend,
            f"{PREFIX}public-ip": lease.public_ip,
            f"{PREFIX}kube-subnet-manager": "true",
        }
        if not wanted.items() <= annotations_of(node).items():
            patch = {"metadata": {"annotations": wanted}}
            self._client.patch("nodes", self._node, patch, "strategic", subresource="status")

    def _tell_network_is_up(self) -> None:
        """Whoever made the node told perhaps that its network is not there yet."""
        known = condition_of(self._nodes.get(self._node) or {}, "NetworkUnavailable") or {}
        if known.get("status") == "False":
            return
        now = rfc3339(self._loop.now())
        condition = {
            "type": "NetworkUnavailable",
            "status": "False",
            "reason": "FlannelIsUp",
            "message": "Flannel is running on this node",
            "lastTransitionTime": now,
            "lastHeartbeatTime": now,
        }
        self._client.patch(
            "nodes", self._node, {"status": {"conditions": [condition]}}, "strategic", subresource="status"
        )

    # The others'

    def _node_changed(self, node: Object) -> None:
        if self._lease is None or self._backend is None:
            if name_of(node) == self._node and self._nodes.has_synced:
                self._begin()  # perhaps it has a podCIDR now
            return
        name, lease = name_of(node), _lease_of(node)
        known = self._peers.get(name)
        if name == self._node or lease == known:
            return
        if lease is not None and (lease.backend != self._options.backend or lease.subnet == self._lease.subnet):
            self._complain(name, f"has the backend {lease.backend} and the subnet {lease.subnet}: ignored")
            lease = None
        try:
            if known is not None:
                del self._peers[name]
                self._backend.remove(known)
            if lease is not None:
                self._peers[name] = lease
                self._backend.add(lease)
        except (NetError, KeyError, ValueError) as why:
            self._complain(name, str(why))

    def _node_gone(self, node: Object) -> None:
        known = self._peers.pop(name_of(node), None)
        if known is not None and self._backend is not None:
            self._backend.remove(known)

    def _complain(self, node: str, why: str) -> None:
        _log.warning("flanneld of %s: node %s %s", self._node, node, why)
        if self._loop.trace.on:
            self._loop.trace.record(f"flanneld/{self._node}", f"peer {node}", why)

    def _check(self) -> None:
        """What somebody may have changed in the kernel."""
        self._again("check", CHECK_PERIOD, self._check)
        assert self._lease is not None
        assert self._backend is not None
        try:
            self._backend.check()
            self._ensure_rules(self._lease)
        except NetError as why:
            self._complain(self._node, str(why))

    # Masquerading

    def _ensure_rules(self, lease: Lease) -> None:
        """Nothing is written as long as nobody has changed them since."""
        if self._shown and self._rules_shown() == self._shown:
            return
        wanted = rules(self._options.network, lease.subnet, self._options.ip_masq)
        own = [rule for rule in wanted if rule[1].startswith(CHAINS)]
        for table in dict.fromkeys(table for table, _, _ in own):
            lines = [(chain, text) for of, chain, text in own if of == table]
            declared = dict.fromkeys(f":{chain} - [0:0]" for chain, _ in lines)
            written = [f"*{table}", *declared, *(f"-A {chain} {text}" for chain, text in lines), "COMMIT", ""]
            self._net.iptables_restore("\n".join(written))
        for table, chain, text in wanted:
            if not chain.startswith(CHAINS) and not self._net.iptables(f"-t {table} -C {chain} {text}"):
                self._net.iptables(f"-t {table} -A {chain} {text}")
        self._shown = self._rules_shown()

    def _rules_shown(self) -> list[str]:
        """Its own rules, and those that lead there."""
        return [rule for rule in self._net.iptables_given() if CHAINS in rule]


def rules(network: str, subnet: str, ip_masq: bool) -> list[tuple[str, str, str]]:
    """(table, chain, rule), in order: what goes between Pods keeps its source, what leaves the cluster does not, and
    what comes to Pods of another node from outside does not either, so that the answer comes back the same way."""
    masq, forward = '-m comment --comment "flanneld masq"', '-m comment --comment "flanneld forward"'
    found = [
        ("filter", "FORWARD", f"{forward} -j FLANNEL-FWD"),
        ("filter", "FLANNEL-FWD", f"-s {network} {forward} -j ACCEPT"),
        ("filter", "FLANNEL-FWD", f"-d {network} {forward} -j ACCEPT"),
    ]
    if ip_masq:
        chain = "FLANNEL-POSTRTG"
        found += [
            ("nat", "POSTROUTING", f"{masq} -j {chain}"),
            ("nat", chain, f"-m mark --mark {_MARK} {masq} -j RETURN"),
            ("nat", chain, f"-s {subnet} -d {network} {masq} -j RETURN"),
            ("nat", chain, f"-s {network} -d {subnet} {masq} -j RETURN"),
            ("nat", chain, f"! -s {network} -d {subnet} {masq} -j RETURN"),
            ("nat", chain, f"-s {network} ! -d 224.0.0.0/4 {masq} -j MASQUERADE --random-fully"),
            ("nat", chain, f"! -s {network} -d {network} {masq} -j MASQUERADE --random-fully"),
        ]
    return found


def outward(net: Namespace) -> Interface:
    """The device of the default route, or else the first NIC that has an address."""
    default = [route.device for route in net.routes() if route.destination == "default"]
    for device in [*default, *(link.name for link in net.links() if link.kind == "")]:
        link, addresses = net.link(device), net.addresses(device)
        if link is not None and addresses:
            return Interface(device, addresses[0].cidr.partition("/")[0], link.mtu)
    raise NetError("failed to find the interface with default route")


def _lease_of(node: Object) -> Lease | None:
    """What a node publishes; None of one that flannel does not run on, or not yet."""
    annotations, subnet = annotations_of(node), (node.get("spec") or {}).get("podCIDR", "")
    if annotations.get(f"{PREFIX}kube-subnet-manager") != "true" or not subnet:
        return None
    told = {key: annotations.get(f"{PREFIX}{key}", "") for key in ("public-ip", "backend-type", "backend-data")}
    return Lease(subnet, told["public-ip"], told["backend-type"], told["backend-data"])


class _NotYet(Exception):
    """Something that will be there, is not yet."""
