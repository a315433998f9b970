"""Links, addresses, routes, neighbours, forwarding databases and virtual servers of a namespace, over netlink.

To be called in the namespace's own thread. Values are those of `hostnet`; numbers are rtnetlink(7)'s and
linux/ip_vs.h's. Left out: IPv6.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from pyroute2 import IPVS, IPRoute, IPVSDest, IPVSService
from pyroute2.netlink.exceptions import NetlinkError

from refkube.hostnet import Address, FdbEntry, Link, Neighbor, NetError, RealServer, Route, VirtualServer

_BRIDGE_FAMILY = 7
_UP, _LOOPBACK = 0x1, 0x8
_TABLES = {"main": 254, "local": 255}
_KINDS = {1: "unicast", 2: "local", 3: "broadcast", 5: "anycast", 6: "blackhole", 7: "unreachable", 8: "prohibit"}
_SCOPES = {0: "global", 253: "link", 254: "host"}
_ONLINK = 4
_MAKERS = {2: "kernel", 3: "boot", 4: "static"}
_STATES = {
    0x01: "incomplete", 0x02: "reachable", 0x04: "stale", 0x08: "delay", 0x10: "probe", 0x20: "failed",
    0x40: "noarp", 0x80: "permanent",
}  # fmt: skip
_SELF, _MASTER = 0x02, 0x04
_PROTOCOLS = {"TCP": 6, "UDP": 17, "SCTP": 132}
_PERSISTENT = 1
_FORWARD = ("masq", "local", "tunnel", "route")


class Netlink:
    """`number` gives the descriptor of a namespace by its name."""

    def __init__(self, number: Callable[[str], int]):
        self._ip = IPRoute()
        self._number = number
        self._ipvs: Any = None
        self._names: dict[int, str] = {}

    def close(self) -> None:
        self._ip.close()
        if self._ipvs is not None:
            self._ipvs.close()

    # Links

    def links(self) -> list[dict[str, Any]]:
        """As Link's fields; a veth's peer is not known here."""
        told = list(self._ip.get_links())
        self._names = {message["index"]: message.get("ifname") for message in told}
        return [self._link(message) for message in told]

    def _link(self, message: Any) -> dict[str, Any]:
        info = message.get_attr("IFLA_LINKINFO")
        port = info and info.get_attr("IFLA_INFO_SLAVE_DATA")
        kind = "loopback" if message["flags"] & _LOOPBACK else (info and info.get_attr("IFLA_INFO_KIND")) or ""
        return {
            "name": message.get("ifname"),
            "kind": kind,
            "address": "" if kind == "tun" else message.get("address") or "",
            "mtu": message.get("mtu"),
            "up": bool(message["flags"] & _UP),
            "master": self._names.get(message.get("master"), ""),
            "hairpin": bool(port and port.get_attr("IFLA_BRPORT_MODE")),
            "index": message["index"],
            "details": self._vxlan(info.get_attr("IFLA_INFO_DATA")) if kind == "vxlan" else {},
        }

    def _vxlan(self, data: Any) -> dict[str, object]:
        told = {
            name: data.get_attr(f"IFLA_VXLAN_{name.upper()}") for name in ("id", "local", "port", "learning", "link")
        }
        return {
            "id": told["id"],
            "local": told["local"] or "",
            "dev": self._names.get(told["link"], ""),
            "dstport": told["port"],
            "learning": bool(told["learning"]),
        }

    def add_link(self, link: Link) -> None:
        given: dict[str, Any] = {"ifname": link.name, "kind": link.kind, "mtu": link.mtu}
        if link.address:
            given["address"] = link.address
        if link.kind == "veth":
            given["peer"] = {"ifname": link.peer, "mtu": link.mtu}
            if link.peer_namespace:
                given["peer"]["net_ns_fd"] = self._number(link.peer_namespace)
        elif link.kind == "vxlan":
            told = link.details
            given |= {
                "vxlan_id": told["id"],
                "vxlan_port": told["dstport"],
                "vxlan_learning": bool(told.get("learning", True)),
            }
            if told.get("local"):
                given["vxlan_local"] = told["local"]
            if told.get("dev"):
                given["vxlan_link"] = self._index(str(told["dev"]))
        elif link.kind == "bridge":
            # Linux takes one from its ports otherwise, and it would change with them.
            given.setdefault("address", _local_mac())
        elif link.kind == "tun":
            given |= {"kind": "tuntap", "mode": "tun"}
            del given["mtu"]
        with refusals():
            self._ip.link("add", **given)
        if link.up or link.master or link.kind == "tun":
            self.set_link(link.name, up=link.up or None, mtu=link.mtu, master=link.master or None)
        if link.hairpin:
            self.set_link(link.name, hairpin=True)

    def set_link(
        self,
        name: str,
        *,
        up: bool | None = None,
        mtu: int | None = None,
        address: str | None = None,
        master: str | None = None,
        hairpin: bool | None = None,
    ) -> None:
        index = self._index(name)
        changes: dict[str, Any] = {}
        if mtu is not None:
            changes["mtu"] = mtu
        if address is not None:
            changes["address"] = address
        if master is not None:
            changes["master"] = self._index(master) if master else 0
        if up is not None:
            changes["state"] = "up" if up else "down"
        with refusals():
            if changes:
                self._ip.link("set", index=index, **changes)
            if hairpin is not None:
                self._ip.brport("set", index=index, mode=int(hairpin))

    def delete_link(self, name: str) -> None:
        with refusals():
            self._ip.link("del", index=self._index(name))

    def _index(self, name: str) -> int:
        try:
            index = socket.if_nametoindex(name)  # a tenth of what netlink takes
        except OSError:
            raise NetError(19, f'Cannot find device "{name}"') from None
        self._names[index] = name
        return index

    def _name(self, index: int | None) -> str:
        if index and index not in self._names:
            self.links()
        return self._names.get(index or 0, "")

    # Addresses, routes, neighbours

    def addresses(self, device: str) -> list[Address]:
        wanted = {"index": self._index(device)} if device else {}
        return [
            Address(
                self._name(told["index"]),
                f"{told.get('local') or told.get('address')}/{told['prefixlen']}",
                _SCOPES.get(told["scope"], str(told["scope"])),
            )
            for told in self._ip.get_addr(family=socket.AF_INET, **wanted)
        ]

    def add_address(self, address: Address) -> None:
        self._address("add", address)

    def delete_address(self, address: Address) -> None:
        self._address("del", address)

    def _address(self, command: str, address: Address) -> None:
        ip, _, length = address.cidr.partition("/")
        with refusals():
            self._ip.addr(
                command,
                index=self._index(address.device),
                address=ip,
                prefixlen=int(length or 32),
                scope=_number_of(_SCOPES, address.scope),
            )

    def routes(self, table: str) -> list[Route]:
        found = []
        for told in self._ip.get_routes(family=socket.AF_INET, table=_TABLES[table]):
            kind = _KINDS.get(told["type"], str(told["type"]))
            found.append(
                Route(
                    f"{told.get('dst')}/{told['dst_len']}" if told["dst_len"] or told.get("dst") else "default",
                    self._name(told.get("oif")),
                    told.get("gateway") or "",
                    told.get("prefsrc") or "",
                    told.get("priority") or 0,
                    bool(told["flags"] & _ONLINK),
                    kind,
                    table,
                    _SCOPES.get(told["scope"], str(told["scope"])),
                    _MAKERS.get(told["proto"], str(told["proto"])),
                )
            )
        return found

    def replace_route(self, route: Route) -> None:
        self._route("replace", route)

    def delete_route(self, route: Route) -> None:
        self._route("del", route)

    def _route(self, command: str, route: Route) -> None:
        given: dict[str, Any] = {
            "dst": "0.0.0.0/0" if route.destination == "default" else route.destination,
            "table": _TABLES[route.table],
            "type": route.kind,
            "proto": _number_of(_MAKERS, route.protocol),
        }
        if route.device:
            given["oif"] = self._index(route.device)
        if route.gateway:
            given["gateway"] = route.gateway
        if route.source:
            given["prefsrc"] = route.source
        if route.metric:
            given["priority"] = route.metric
        if route.onlink:
            given["flags"] = _ONLINK
        if not route.gateway and route.kind == "unicast":
            given["scope"] = 253
        with refusals():
            self._ip.route(command, **given)

    def neighbors(self, device: str) -> list[Neighbor]:
        wanted = {"ifindex": self._index(device)} if device else {}
        return [
            Neighbor(told.get("dst"), self._name(told["ifindex"]), told.get("lladdr") or "", state)
            for told in self._ip.get_neighbours(family=socket.AF_INET, **wanted)
            if (state := _STATES.get(told["state"], "none")) not in ("noarp", "none")
        ]

    def replace_neighbor(self, neighbor: Neighbor) -> None:
        with refusals():
            self._ip.neigh(
                "replace",
                dst=neighbor.address,
                lladdr=neighbor.mac,
                ifindex=self._index(neighbor.device),
                state=_number_of(_STATES, neighbor.state),
            )

    def delete_neighbor(self, neighbor: Neighbor) -> None:
        with refusals():
            self._ip.neigh("del", dst=neighbor.address, ifindex=self._index(neighbor.device))

    def fdb(self, device: str) -> list[FdbEntry]:
        wanted = {"ifindex": self._index(device)} if device else {}
        return [
            FdbEntry(
                told.get("lladdr"),
                self._name(told["ifindex"]),
                told.get("dst") or "",
                "permanent" if told["state"] & 0x80 else "reachable",
            )
            for told in self._ip.get_neighbours(family=_BRIDGE_FAMILY, **wanted)
            if told.get("lladdr")
        ]

    def replace_fdb(self, entry: FdbEntry) -> None:
        self._fdb("replace", entry)

    def delete_fdb(self, entry: FdbEntry) -> None:
        self._fdb("del", entry)

    def _fdb(self, command: str, entry: FdbEntry) -> None:
        given: dict[str, Any] = {"dst": entry.remote} if entry.remote else {}
        with refusals():
            self._ip.fdb(
                command,
                ifindex=self._index(entry.device),
                lladdr=entry.mac,
                state=_number_of(_STATES, entry.state),
                flags=_SELF if entry.remote else _MASTER,
                **given,
            )

    # Virtual servers

    def virtual_servers(self) -> list[VirtualServer]:
        return [self._with_servers(told) for told in self._services()]

    def virtual_server(self, key: tuple[str, str, int]) -> VirtualServer | None:
        for told in self._services():
            if told.key == key:
                return self._with_servers(told)
        return None

    def _services(self) -> Iterator[VirtualServer]:
        names = {number: name for name, number in _PROTOCOLS.items()}
        for message in list(self._socket.service("dump")):
            told = _attributes(message, "IPVS_CMD_ATTR_SERVICE", "IPVS_SVC_ATTR_")
            kept = told["TIMEOUT"] if told["FLAGS"]["flags"] & _PERSISTENT else 0
            protocol: Any = names[told["PROTOCOL"]]
            yield VirtualServer(protocol, told["ADDR"], told["PORT"], told["SCHED_NAME"], kept)

    def _with_servers(self, server: VirtualServer) -> VirtualServer:
        servers = []
        for message in list(self._socket.dest("dump", service=_service(server.key))):
            told = _attributes(message, "IPVS_CMD_ATTR_DEST", "IPVS_DEST_ATTR_")
            counts = told["ACTIVE_CONNS"], told["INACT_CONNS"]
            servers.append(
                RealServer(told["ADDR"], told["PORT"], told["WEIGHT"], *counts, _FORWARD[told["FWD_METHOD"] & 3])
            )
        return VirtualServer(
            server.protocol, server.address, server.port, server.scheduler, server.persistent, tuple(servers)
        )

    def set_virtual_server(self, server: VirtualServer) -> None:
        flags = {"flags": _PERSISTENT if server.persistent else 0, "mask": 0xFFFFFFFF}
        made = IPVSService(**_key(server.key), sched_name=server.scheduler, timeout=server.persistent, flags=flags)
        with refusals():
            there = any(told.key == server.key for told in self._services())
            self._socket.service("set" if there else "add", service=made)

    def delete_virtual_server(self, key: tuple[str, str, int]) -> None:
        with refusals():
            self._socket.service("del", service=_service(key))

    def set_real_server(self, key: tuple[str, str, int], server: RealServer) -> None:
        forward = _FORWARD.index(server.forward)
        made = IPVSDest(addr=server.address, port=server.port, weight=server.weight, fwd_method=forward)
        with refusals():
            try:
                self._socket.dest("add", service=_service(key), dest=made)
            except NetlinkError as why:
                if why.code != 17:  # it is there
                    raise
                made = IPVSDest(addr=server.address, port=server.port, weight=server.weight, fwd_method=forward)
                self._socket.dest("set", service=_service(key), dest=made)

    def delete_real_server(self, key: tuple[str, str, int], address: str, port: int) -> None:
        with refusals():
            self._socket.dest("del", service=_service(key), dest=IPVSDest(addr=address, port=port))

    @property
    def _socket(self) -> Any:
        if self._ipvs is None:
            self._ipvs = IPVS()
        return self._ipvs


@contextmanager
def refusals() -> Iterator[None]:
    """What netlink refuses, in the words of the tools."""
    try:
        yield
    except NetlinkError as why:
        raise NetError(why.code, f"RTNETLINK answers: {os.strerror(why.code)}") from None


def _key(key: tuple[str, str, int]) -> dict[str, Any]:
    protocol, address, port = key
    return {"protocol": _PROTOCOLS[protocol], "addr": address, "port": port}


def _service(key: tuple[str, str, int]) -> Any:
    return IPVSService(**_key(key))


def _attributes(message: Any, part: str, prefix: str) -> dict[str, Any]:
    pairs: Iterable[tuple[str, Any]] = message.get_attr(part)["attrs"]
    return {name.removeprefix(prefix): value for name, value in pairs}


def _number_of(names: dict[int, str], name: str) -> int:
    return next(number for number, told in names.items() if told == name)


def _local_mac() -> str:
    """Locally administered, as the kernel makes them."""
    first, *rest = os.urandom(6)
    return ":".join(f"{byte:02x}" for byte in (first & 0xFC | 0x02, *rest))
