"""A host's network as text, as Linux's tools print it, and any device's packets as a pcap file.

For whoever looks: `refkube` on the command line, evidence of a failed scenario, tests. It asks `hostnet` alone, so that
the simulated kernel and a real one are shown alike. Sources: ip(8), bridge(8), ipvsadm(8), conntrack(8),
pcap-savefile(5).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from ipaddress import ip_interface
from typing import BinaryIO

from refkube.hostnet import Closable, Flow, Link, Namespace, Route

SNAPLEN, ETHERNET, RAW = 262144, 1, 101  # link types, as tcpdump.org numbers them
NUMBERS = {"tcp": 6, "udp": 17, "icmp": 1}


def ip_addr(net: Namespace) -> str:
    """ip addr"""
    lines = []
    for link in net.links():
        state = "UNKNOWN" if link.kind in ("loopback", "tun", "vxlan") else "UP"
        other = f"@{_peer(link)}" if link.kind == "veth" else ""
        master = f" master {link.master}" if link.master else ""
        queue = "pfifo_fast" if link.kind in ("", "tun") else "noqueue" if link.up else "noop"
        state = state if link.up else "DOWN"
        told = f"mtu {link.mtu} qdisc {queue}{master} state {state} group default"
        lines.append(f"{link.index}: {link.name}{other}: <{_flags(link)}> {told}")
        if link.kind == "tun":
            lines.append("    link/none ")
        else:
            kind, brd = ("loopback", "00:00:00:00:00:00") if link.kind == "loopback" else ("ether", "ff:ff:ff:ff:ff:ff")
            lines.append(f"    link/{kind} {link.address} brd {brd}")
        for address in net.addresses(link.name):
            own = ip_interface(address.cidr)
            host = own.network.num_addresses == 1 or address.scope == "host"
            brd = "" if host or link.kind == "tun" else f" brd {own.network.broadcast_address}"
            lines.append(f"    inet {address.cidr}{brd} scope {address.scope} {link.name}")
            lines.append("       valid_lft forever preferred_lft forever")
    return _text(lines)


def ip_route(net: Namespace, table: str = "main") -> str:
    """ip route show table TABLE"""
    return _text([_route(route) for route in net.routes(table)])


def ip_neigh(net: Namespace) -> str:
    """ip neigh"""
    return _text(
        [
            f"{one.address} dev {one.device}{f' lladdr {one.mac}' if one.mac else ''} {one.state.upper()} "
            for one in net.neighbors()
        ]
    )


def bridge_fdb(net: Namespace) -> str:
    """bridge fdb"""
    masters = {link.name: link.master for link in net.links()}
    lines = []
    for one in net.fdb():
        where = f"dst {one.remote} self" if one.remote else f"master {masters.get(one.device) or one.device}"
        lines.append(f"{one.mac} dev {one.device} {where}{f' {one.state}' if one.state else ''} ")
    return _text(lines)


def ipvsadm(net: Namespace) -> str:
    """ipvsadm -Ln"""
    lines = [
        "IP Virtual Server version 1.2.1 (size=4096)",
        "Prot LocalAddress:Port Scheduler Flags",
        "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn",
    ]
    for server in net.virtual_servers():
        flags = f" persistent {server.persistent}" if server.persistent else ""
        lines.append(f"{server.protocol:<4} {server.address}:{server.port} {server.scheduler}{flags}")
        for real in server.servers:
            counts = f"{real.weight:<6} {real.active:<10} {real.inactive:<10}"
            lines.append(f"  -> {f'{real.address}:{real.port}':<28} {real.forward.title():<7} {counts}")
    return _text(lines)


def iptables_save(net: Namespace) -> str:
    """iptables-save"""
    return net.iptables_save()


def conntrack(net: Namespace) -> str:
    """conntrack -L"""
    return _text([_flow(flow) for flow in net.flows()])


VIEWS: dict[str, Callable[[Namespace], str]] = {
    "ip addr": ip_addr,
    "ip route": ip_route,
    "ip neigh": ip_neigh,
    "bridge fdb": bridge_fdb,
    "ipvsadm -Ln": ipvsadm,
    "iptables-save": iptables_save,
    "conntrack -L": conntrack,
}


def capture_to(net: Namespace, device: str, file: BinaryIO) -> Closable:
    """Write whatever crosses a device to a file that tshark and Wireshark read, until it is closed."""
    link = net.link(device)
    kind = RAW if link is not None and link.kind == "tun" else ETHERNET
    file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, SNAPLEN, kind))

    def seen(when: float, data: bytes) -> None:
        kept = data[:SNAPLEN]
        micros = round(when * 1_000_000)
        file.write(struct.pack("<IIII", *divmod(micros, 1_000_000), len(kept), len(data)) + kept)

    return net.capture(device, seen)


def _flags(link: Link) -> str:
    first = {"loopback": ["LOOPBACK"], "tun": ["POINTOPOINT", "MULTICAST", "NOARP"], "dummy": ["BROADCAST", "NOARP"]}
    flags = first.get(link.kind, ["BROADCAST", "MULTICAST"])
    return ",".join([*flags, *(["UP", "LOWER_UP"] if link.up else [])])


def _peer(link: Link) -> str:
    return f"if{link.peer_index}" if link.peer_namespace else link.peer


def _route(route: Route) -> str:
    words = [route.destination if route.kind == "unicast" else f"{route.kind} {route.destination}"]
    words += ["via", route.gateway] if route.gateway else []
    words += ["dev", route.device] if route.device else []
    words += ["proto", route.protocol] if route.protocol != "boot" else []
    words += ["scope", route.scope] if route.scope != "global" else []
    words += ["src", route.source] if route.source else []
    words += ["metric", str(route.metric)] if route.metric else []
    words += ["onlink"] if route.onlink else []
    return " ".join(words) + " "


def _flow(flow: Flow) -> str:
    def ends(source: tuple[str, int], destination: tuple[str, int]) -> str:
        ports = f" sport={source[1]} dport={destination[1]}" if flow.protocol != "icmp" else f" id={source[1]}"
        return f"src={source[0]} dst={destination[0]}{ports}"

    words = [f"{flow.protocol:<8} {NUMBERS.get(flow.protocol, 0)} {flow.timeout}"]
    words += [flow.state] if flow.state else []
    words.append(ends(flow.source, flow.destination))
    words += ["[UNREPLIED]"] if flow.status == "UNREPLIED" else []
    words.append(ends(flow.reply_source, flow.reply_destination))
    words += ["[ASSURED]"] if flow.status == "ASSURED" else []
    return " ".join([*words, f"mark={flow.mark}", "use=1"])


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
