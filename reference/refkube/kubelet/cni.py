"""How a Pod gets its place in the network: the plugins flannel, bridge, host-local and portmap in one.

The kubelet calls `add` for a Pod that gets a sandbox and `remove` when it loses it; both may be repeated. A Pod has one
namespace for all its containers, with lo and eth0; eth0's other end is a port of docker0, whose address is the default
route. Addresses are handed out in turn; `reserved` (address -> the Pod's uid) is what the plugin keeps on disk, so that
nobody has an address twice, not after a restart either. Sources: containernetworking/plugins (bridge, host-local,
portmap), flannel-io/cni-plugin. Left out: IPv6, bandwidth, several networks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from hashlib import sha256
from ipaddress import ip_interface
from itertools import chain

from refkube.apimachinery.meta import Object, uid_of
from refkube.hostnet import Address, Host, Link, Namespace, NetError, Route

BRIDGE = "docker0"
MARK = "0x2000/0x2000"  # of connections to a host port that have to be masqueraded
LAST = "last_reserved_ip.0"  # beside the addresses: which was handed out last
DNAT, SETMARK, MASQ = "CNI-HOSTPORT-DNAT", "CNI-HOSTPORT-SETMARK", "CNI-HOSTPORT-MASQ"


class Cni:
    """`environment` is what flanneld wrote to /run/flannel/subnet.env: None until it has."""

    def __init__(
        self,
        host: Host,
        environment: Callable[[], Mapping[str, str] | None],
        reserved: MutableMapping[str, str] | None = None,
        bridge: str = BRIDGE,
    ):
        self._host, self._net = host, host.namespace
        self._environment = environment
        self._bridge = bridge
        self.reserved: MutableMapping[str, str] = {} if reserved is None else reserved

    def add(self, pod: Object) -> tuple[Namespace, str]:
        """The Pod's namespace and address; NetError where there is none to be had."""
        uid, name = uid_of(pod), namespace_name(pod)
        known = self._host.find_namespace(name)
        address = next((address for address, owner in self.reserved.items() if owner == uid), "")
        if known is not None and address:
            return known, address
        environment = self._environment()
        if environment is None:
            raise NetError(
                'plugin type="flannel" failed (add): open /run/flannel/subnet.env: no such file or directory'
            )
        gateway, mtu = environment["FLANNEL_SUBNET"], int(environment["FLANNEL_MTU"])
        self._ensure_bridge(gateway, mtu)
        address = address or self._allocate(uid, gateway)
        try:
            made = self._plug(pod, name, address, gateway, mtu)
            self._open_ports(pod, address, gateway)
        except NetError:
            self.remove(pod)
            raise
        return made, address

    def remove(self, pod: Object) -> None:
        uid, name = uid_of(pod), namespace_name(pod)
        self._close_ports(uid)
        if self._host.find_namespace(name) is not None:
            self._host.delete_namespace(name)
        for address in [address for address, owner in self.reserved.items() if owner == uid]:
            del self.reserved[address]

    def _ensure_bridge(self, gateway: str, mtu: int) -> None:
        net = self._net
        if net.link(self._bridge) is None:
            net.add_link(Link(self._bridge, "bridge"))
        addresses = {address.cidr for address in net.addresses(self._bridge)}
        for stale in addresses - {gateway}:
            net.delete_address(Address(self._bridge, stale))
        if gateway not in addresses:
            net.add_address(Address(self._bridge, gateway))
        net.set_link(self._bridge, up=True, mtu=mtu)
        for name in ("net.ipv4.ip_forward", "net.bridge.bridge-nf-call-iptables"):
            net.set_sysctl(name, "1")

    def _allocate(self, uid: str, gateway: str) -> str:
        """The next address after the one handed out last, round and round."""
        own = ip_interface(gateway)
        first, size = int(own.network.network_address) + 1, own.network.num_addresses - 2
        last = self.reserved.get(LAST, "")
        begin = int(ip_interface(last).ip) - first + 1 if last and ip_interface(last).ip in own.network else 0
        for step in range(size):
            address = str(ip_interface(first + (begin + step) % size).ip)
            if address not in self.reserved and address != str(own.ip):
                self.reserved[address], self.reserved[LAST] = uid, address
                return address
        raise NetError(f"no IP addresses available in network: cbr0 ({own.network})")

    def _plug(self, pod: Object, name: str, address: str, gateway: str, mtu: int) -> Namespace:
        if self._host.find_namespace(name) is not None:
            self._host.delete_namespace(name)
        inside = self._host.add_namespace(name)
        inside.set_link("lo", up=True)
        outer = "veth" + _digest(uid_of(pod))[:8]
        veth = Link(
            outer, "veth", mtu=mtu, up=True, master=self._bridge, hairpin=True, peer="eth0", peer_namespace=name
        )
        self._net.add_link(veth)
        size = gateway.partition("/")[2]
        inside.set_link("eth0", up=True, address=mac_of(address))
        inside.add_address(Address("eth0", f"{address}/{size}"))
        inside.replace_route(Route("default", "eth0", gateway.partition("/")[0]))
        return inside

    # Host ports, as the plugin portmap has them

    def _open_ports(self, pod: Object, address: str, gateway: str) -> None:
        ports = host_ports(pod)
        if not ports:
            return
        own = f"CNI-DN-{_digest(uid_of(pod))[:20]}"
        declared = f":{DNAT} - [0:0]\n" if f":{DNAT} " not in self._net.iptables_save("nat") else ""
        lines = ["*nat", *declared.splitlines(), f":{SETMARK} - [0:0]", f":{MASQ} - [0:0]", f":{own} - [0:0]"]
        lines.append(f'-A {SETMARK} -m comment --comment "CNI portfwd masquerade mark" -j MARK --set-xmark {MARK}')
        lines.append(f"-A {MASQ} -m mark --mark {MARK} -j MASQUERADE")
        subnet = str(ip_interface(gateway).network)
        for protocol, host_ip, host_port, port in ports:
            to = f"-p {protocol} --dport {host_port}"
            to = f"-d {host_ip} {to}" if host_ip else to
            lines += [f"-A {own} -s {source} {to} -j {SETMARK}" for source in (subnet, "127.0.0.1")]
            lines.append(f"-A {own} {to} -j DNAT --to-destination {address}:{port}")
        for protocol in sorted({port[0] for port in ports}):
            wanted = ",".join(str(port[2]) for port in ports if port[0] == protocol)
            lines.append(f"-A {DNAT} -p {protocol} -m multiport --dports {wanted} -j {own}")
        self._net.iptables_restore("\n".join([*lines, "COMMIT", ""]))
        for hook, jump in (
            ("PREROUTING", f"-m addrtype --dst-type LOCAL -j {DNAT}"),
            ("OUTPUT", f"-m addrtype --dst-type LOCAL -j {DNAT}"),
            ("POSTROUTING", f'-m comment --comment "CNI portfwd requiring masquerade" -j {MASQ}'),
        ):
            if not self._net.iptables(f"-t nat -C {hook} {jump}"):
                self._net.iptables(f"-t nat -A {hook} {jump}")
        self._net.set_sysctl(f"net/ipv4/conf/{self._bridge}/route_localnet", "1")

    def _close_ports(self, uid: str) -> None:
        own = f"CNI-DN-{_digest(uid)[:20]}"
        saved = self._net.iptables_save("nat").splitlines()
        if f":{own} - [0:0]" in saved:
            for line in saved:
                if line.startswith(f"-A {DNAT} ") and line.endswith(f" -j {own}"):
                    self._net.iptables(f"-t nat -D {line[3:]}")
            self._net.iptables(f"-t nat -F {own}")
            self._net.iptables(f"-t nat -X {own}")


def namespace_name(pod: Object) -> str:
    return f"cni-{uid_of(pod)}"


def mac_of(address: str) -> str:
    """Of an address's own, so that who had it before is not taken for who has it now."""
    return "0a:58:" + ":".join(f"{int(part):02x}" for part in address.split("."))


def host_ports(pod: Object) -> list[tuple[str, str, int, int]]:
    """Protocol, host IP, host port and container port of all that ask for one."""
    containers = chain(pod["spec"]["containers"], pod["spec"].get("initContainers") or ())
    return [
        (port.get("protocol", "TCP").lower(), port.get("hostIP", ""), port["hostPort"], port["containerPort"])
        for container in containers
        for port in container.get("ports") or ()
        if port.get("hostPort")
    ]


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
