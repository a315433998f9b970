"""A kernel that only keeps what node components tell it, for tests of what they tell: nothing travels."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from refkube.hostnet import Address, Link, NetError, RealServer, Route, VirtualServer

Key = tuple[str, str, int]


class FakeListener:
    def __init__(self, net: FakeNet, local: tuple[str, int]):
        self.local, self._net = local, net

    def close(self) -> None:
        self._net.listeners.pop(self.local, None)


class FakeNet:
    """A namespace; `calls` counts every change."""

    def __init__(self, address: str = "192.168.100.11"):
        self.name = ""
        self.calls = 0
        self._links = {"lo": Link("lo", "loopback"), "eth0": Link("eth0", up=True)}
        self._addresses = [Address("lo", "127.0.0.1/8", "host"), Address("eth0", f"{address}/24")]
        self._sets: dict[str, tuple[str, set[str]]] = {}
        self._servers: dict[Key, VirtualServer] = {}
        self._routes: dict[str, Route] = {}
        self.jumps: list[str] = []
        self.restored = ""
        self.sysctls: dict[str, str] = {}
        self.listeners: dict[tuple[str, int], Callable[..., Any]] = {}

    def links(self) -> list[Link]:
        return list(self._links.values())

    def link(self, name: str) -> Link | None:
        return self._links.get(name)

    def add_link(self, link: Link) -> None:
        self._must(link.name not in self._links)
        self._links[link.name] = link

    def addresses(self, device: str = "") -> list[Address]:
        return [one for one in self._addresses if device in ("", one.device)]

    def add_address(self, address: Address) -> None:
        self._must(address not in self._addresses)
        self._addresses.append(address)

    def delete_address(self, address: Address) -> None:
        self._must(address in self._addresses)
        self._addresses.remove(address)

    def sysctl(self, name: str) -> str:
        return self.sysctls.get(name, "0")

    def set_sysctl(self, name: str, value: str) -> None:
        self.sysctls[name] = value

    def iptables(self, arguments: str) -> bool:
        table, verb, rule = arguments.split(" ", 3)[1], arguments.split(" ")[2], arguments.split(" ", 3)[3]
        known = f"{table} {rule}" in self.jumps
        if verb == "-I":
            self._must(not known)
            self.jumps.append(f"{table} {rule}")
        return verb == "-I" or known

    def iptables_restore(self, text: str) -> None:
        self.calls += 1
        self.restored = text

    def iptables_save(self, table: str = "") -> str:
        return "".join(f"{line}\n" for line in self.restored.splitlines() + [f"-A {one}" for one in self.jumps])

    def iptables_given(self) -> list[str]:
        return self.iptables_save().splitlines()

    def flows(self) -> list[Any]:
        return []

    def ipsets(self) -> dict[str, str]:
        return {name: type for name, (type, _) in self._sets.items()}

    def create_ipset(self, name: str, type: str, options: str = "") -> None:
        self._must(name not in self._sets)
        self._sets[name] = type, set()

    def ipset_entries(self, name: str) -> set[str]:
        return set(self._sets[name][1])

    def change_ipset(self, name: str, add: Iterable[str] = (), remove: Iterable[str] = ()) -> None:
        entries = self._sets[name][1]
        self._must(not entries & set(add) and set(remove) <= entries)
        entries |= set(add)
        entries -= set(remove)

    def virtual_servers(self) -> list[VirtualServer]:
        return list(self._servers.values())

    def virtual_server(self, key: Key) -> VirtualServer | None:
        return self._servers.get(key)

    def set_virtual_server(self, server: VirtualServer) -> None:
        self.calls += 1
        known = self._servers.get(server.key)
        self._servers[server.key] = replace(server, servers=known.servers if known else ())

    def delete_virtual_server(self, key: Key) -> None:
        self._must(key in self._servers)
        del self._servers[key]

    def set_real_server(self, key: Key, server: RealServer) -> None:
        self.calls += 1
        known = {(one.address, one.port): one for one in self._servers[key].servers}
        was = known.get((server.address, server.port), server)
        known[server.address, server.port] = replace(server, active=was.active, inactive=was.inactive)
        self._servers[key] = replace(self._servers[key], servers=tuple(known.values()))

    def delete_real_server(self, key: Key, address: str, port: int) -> None:
        left = tuple(one for one in self._servers[key].servers if (one.address, one.port) != (address, port))
        self._must(left != self._servers[key].servers)
        self._servers[key] = replace(self._servers[key], servers=left)

    def listen(self, local: tuple[str, int], accepted: Callable[..., Any]) -> FakeListener:
        self._must(local not in self.listeners)
        self.listeners[local] = accepted
        return FakeListener(self, local)

    def state(self) -> Any:
        """All that a proxy is answerable for, in no order."""
        return (
            {one.cidr for one in self._addresses if one.device == "kube-ipvs0"},
            {name: frozenset(entries) for name, (_, entries) in self._sets.items()},
            {key: replace(one, servers=tuple(sorted(one.servers, key=str))) for key, one in self._servers.items()},
            self.restored,
            self.jumps,
            set(self.listeners),
        )

    def _must(self, holds: bool) -> None:
        self.calls += 1
        if not holds:
            raise NetError("the kernel refuses")


class FakeHost:
    def __init__(self, name: str = "n1"):
        self.name = name
        self.namespace = FakeNet()
