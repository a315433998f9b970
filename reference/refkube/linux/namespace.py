"""A network namespace of a real kernel behind the interface of `hostnet`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from refkube.engine.loop import Loop
from refkube.hostnet import (
    Address,
    Closable,
    Datagrams,
    Endpoint,
    FdbEntry,
    Flow,
    Link,
    Listener,
    Neighbor,
    NetError,
    RealServer,
    Route,
    Stream,
    Tun,
    VirtualServer,
)
from refkube.hostnet.machines import OWN
from refkube.linux.inside import Inside
from refkube.linux.netfilter import Netfilter
from refkube.linux.netlink import Netlink
from refkube.linux.poller import SocketPoller
from refkube.linux.sockets import Sockets


class LinuxNamespace:
    """`find` gives a namespace of the same host by its name."""

    def __init__(
        self, name: str, loop: Loop, poller: SocketPoller, find: Callable[[str], LinuxNamespace], own: bool = False
    ):
        self.name = name
        self.inside = Inside(name, own)
        self.peers: dict[str, tuple[str, str]] = {}  # veth -> its peer, and the namespace where that is
        self.cards: set[str] = set()  # devices that stand for network cards
        self._find = find
        self._sockets = Sockets(self.inside, loop, poller)
        self._netlink = self.inside(Netlink, lambda other: find(other).inside.handle)
        self._netfilter = Netfilter(self.inside, poller)
        if not own:
            self.set_sysctl("net.ipv6.conf.all.disable_ipv6", "1", wanted=False)

    def share(self) -> None:
        """Somebody else changes rules and sets here, too."""
        self._netfilter.shared = True

    def close(self) -> None:
        self._sockets.close()
        self._netfilter.close()
        self.inside(self._netlink.close)
        self.inside.close()

    # Links, addresses, routes, neighbours

    def links(self) -> list[Link]:
        return [self._with_peer(told) for told in self.inside(self._netlink.links)]

    def _with_peer(self, told: dict[str, Any]) -> Link:
        if told["name"] in self.cards:
            return Link(**{**told, "kind": ""})
        peer, where = self.peers.get(told["name"], ("", ""))
        return Link(**told, peer=peer, peer_namespace=where)

    def link(self, name: str) -> Link | None:
        return next((link for link in self.links() if link.name == name), None)

    def add_link(self, link: Link) -> None:
        self.inside(self._netlink.add_link, link)
        if link.kind == "veth":
            self.peers[link.name] = link.peer, link.peer_namespace
            other = self._find(link.peer_namespace) if link.peer_namespace else self
            other.peers[link.peer] = link.name, (self.name or OWN) if link.peer_namespace else ""

    def set_link(self, name: str, **changes: Any) -> None:
        self.inside(self._netlink.set_link, name, **changes)

    def delete_link(self, name: str) -> None:
        self.inside(self._netlink.delete_link, name)
        self.peers.pop(name, None)

    def addresses(self, device: str = "") -> list[Address]:
        return self.inside(self._netlink.addresses, device)

    def add_address(self, address: Address) -> None:
        self.inside(self._netlink.add_address, address)

    def delete_address(self, address: Address) -> None:
        self.inside(self._netlink.delete_address, address)

    def routes(self, table: str = "main") -> list[Route]:
        return self.inside(self._netlink.routes, table)

    def replace_route(self, route: Route) -> None:
        self.inside(self._netlink.replace_route, route)

    def delete_route(self, route: Route) -> None:
        self.inside(self._netlink.delete_route, route)

    def neighbors(self, device: str = "") -> list[Neighbor]:
        return self.inside(self._netlink.neighbors, device)

    def replace_neighbor(self, neighbor: Neighbor) -> None:
        self.inside(self._netlink.replace_neighbor, neighbor)

    def delete_neighbor(self, neighbor: Neighbor) -> None:
        self.inside(self._netlink.delete_neighbor, neighbor)

    def fdb(self, device: str = "") -> list[FdbEntry]:
        return self.inside(self._netlink.fdb, device)

    def replace_fdb(self, entry: FdbEntry) -> None:
        self.inside(self._netlink.replace_fdb, entry)

    def delete_fdb(self, entry: FdbEntry) -> None:
        self.inside(self._netlink.delete_fdb, entry)

    def sysctl(self, name: str) -> str:
        def read() -> str:
            with open(_sysctl_path(name)) as file:
                return file.read().strip()

        return self.inside(read)

    def set_sysctl(self, name: str, value: str, wanted: bool = True) -> None:
        def write() -> None:
            try:
                with open(_sysctl_path(name), "w") as file:
                    file.write(value)
            except OSError as why:
                if wanted:
                    raise NetError(why.errno, f"{name}: {why.strerror}") from None

        self.inside(write)

    # Netfilter

    def iptables(self, arguments: str) -> bool:
        return self._netfilter.iptables(arguments)

    def iptables_restore(self, text: str) -> None:
        self._netfilter.restore(text)

    def iptables_save(self, table: str = "") -> str:
        return self._netfilter.save(table)

    def iptables_given(self) -> list[str]:
        return self._netfilter.given()

    def flows(self) -> list[Flow]:
        return self._netfilter.flows()

    def forget_flows(
        self, protocol: str, destination: Endpoint | None = None, reply_source: Endpoint | None = None
    ) -> int:
        return self._netfilter.forget_flows(protocol, destination, reply_source)

    # Sets and virtual servers

    def ipsets(self) -> dict[str, str]:
        return self._netfilter.ipsets()

    def create_ipset(self, name: str, type: str, options: str = "") -> None:
        self._netfilter.create_ipset(name, type, options)

    def destroy_ipset(self, name: str) -> None:
        self._netfilter.destroy_ipset(name)

    def ipset_entries(self, name: str) -> set[str]:
        return self._netfilter.ipset_entries(name)

    def change_ipset(self, name: str, add: Iterable[str] = (), remove: Iterable[str] = ()) -> None:
        self._netfilter.change_ipset(name, add, remove)

    def virtual_servers(self) -> list[VirtualServer]:
        return self.inside(self._netlink.virtual_servers)

    def virtual_server(self, key: tuple[str, str, int]) -> VirtualServer | None:
        return self.inside(self._netlink.virtual_server, key)

    def set_virtual_server(self, server: VirtualServer) -> None:
        self.inside(self._netlink.set_virtual_server, server)

    def delete_virtual_server(self, key: tuple[str, str, int]) -> None:
        self.inside(self._netlink.delete_virtual_server, key)

    def set_real_server(self, key: tuple[str, str, int], server: RealServer) -> None:
        self.inside(self._netlink.set_real_server, key, server)

    def delete_real_server(self, key: tuple[str, str, int], address: str, port: int) -> None:
        self.inside(self._netlink.delete_real_server, key, address, port)

    # Sockets

    def listen(self, local: Endpoint, accepted: Callable[[Stream], object]) -> Listener:
        return self._sockets.listen(local, accepted)

    def connect(
        self,
        remote: Endpoint,
        opened: Callable[[Stream], object],
        failed: Callable[[str], object],
        timeout: float = 127.0,
        source: Endpoint | None = None,
    ) -> Closable:
        return self._sockets.connect(remote, opened, failed, timeout, source)

    def bind(
        self,
        local: Endpoint,
        received: Callable[[bytes, Endpoint], object],
        remote: Endpoint | None = None,
        refused: Callable[[], object] | None = None,
    ) -> Datagrams:
        return self._sockets.bind(local, received, remote, refused)

    def ping(
        self, address: str, answered: Callable[[], object], failed: Callable[[str], object], timeout: float = 1.0
    ) -> None:
        self._sockets.ping(address, answered, failed, timeout)

    def open_tun(self, name: str, received: Callable[[bytes], object]) -> Tun:
        return self._sockets.open_tun(name, received)

    def capture(self, device: str, seen: Callable[[float, bytes], object]) -> Closable:
        return self._sockets.capture(device, seen)


def _sysctl_path(name: str) -> str:
    return "/proc/sys/" + name.replace(".", "/")
