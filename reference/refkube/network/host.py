"""One machine, and its network namespaces as hostnet names them: text outside, numbers inside."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from refkube.hostnet import (
    Address,
    FdbEntry,
    Flow,
    Link,
    Neighbor,
    NetError,
    RealServer,
    Route,
    Stream,
    VirtualServer,
)
from refkube.hostnet import Endpoint as End
from refkube.hostnet.machines import Machine
from refkube.network.bridge import Bridge
from refkube.network.conntrack import Tracked
from refkube.network.ipset import IpSet
from refkube.network.link import Device, Dummy, Lan, Nic, Veth, Wire
from refkube.network.packet import NAMES, NUMBERS, Tuple, network, number, text
from refkube.network.routing import Entry
from refkube.network.sockets import Attempt, Listening
from refkube.network.stack import PER_DEVICE, Stack
from refkube.network.tun import Process, TunDevice
from refkube.network.vxlan import VxlanDevice

ABSENT = "Cannot find device"
Key = tuple[str, str, int]


class Namespace:
    def __init__(self, host: Host, name: str):
        self.name = name
        self._host = host
        self._wire = host.wire
        self.stack = Stack(host.wire, host.name, name)

    # Links

    def links(self) -> list[Link]:
        return [self._shown(device) for device in self.stack.devices.values()]

    def link(self, name: str) -> Link | None:
        device = self.stack.devices.get(name)
        return self._shown(device) if device is not None else None

    def add_link(self, link: Link) -> None:
        stack = self.stack
        far = self._host.named(link.peer_namespace) if link.kind == "veth" and link.peer_namespace else self
        for name, at in ((link.name, self), (link.peer, far)):
            if name and name in at.stack.devices:
                raise NetError("RTNETLINK answers: File exists")
        mac = link.address or self._wire.new_mac()
        kinds: dict[str, type[Device]] = {
            "veth": Veth, "bridge": Bridge, "dummy": Dummy, "vxlan": VxlanDevice, "tun": TunDevice,
        }  # fmt: skip
        if link.kind not in kinds or not 0 < len(link.name) < 16:
            raise NetError("RTNETLINK answers: Operation not supported" if link.name else "a device has a name")
        device = kinds[link.kind](stack, link.name, stack.next_index(), mac, link.mtu)
        if isinstance(device, VxlanDevice):
            device.opened(stack, stack.sockets.tunnels, dict(link.details))  # type: ignore[arg-type]
        elif isinstance(device, Bridge):
            device.opened(stack)
        elif isinstance(device, Veth):
            peer = Veth(far.stack, link.peer, far.stack.next_index(), self._wire.new_mac(), link.mtu)
            device.peer, peer.peer = peer, device
            far.stack.add_device(peer)
        stack.add_device(device)
        self.set_link(link.name, up=link.up, master=link.master or None, hairpin=link.hairpin or None)

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
        device = self._device(name)
        if master is not None:
            if isinstance(device.master, Bridge):
                device.master.detach(device)
            if master:
                bridge = self._device(master)
                if not isinstance(bridge, Bridge) or device is bridge:
                    raise NetError("RTNETLINK answers: Operation not supported")
                bridge.attach(device)
        if hairpin is not None:
            if device.master is None:
                raise NetError("RTNETLINK answers: Operation not supported")
            device.hairpin = hairpin
        device.mtu = mtu or device.mtu
        device.mac = address or device.mac
        if up is not None:
            self.stack.set_up(device, up)
            if name == "lo" and up and not self.stack.addresses["lo"]:
                self.stack.add_address(device, number("127.0.0.1"), 8, "host")

    def delete_link(self, name: str) -> None:
        device = self._device(name)
        if name == "lo" or isinstance(device, Nic):
            raise NetError("RTNETLINK answers: Operation not supported")
        if isinstance(device, Veth):
            assert isinstance(device.peer.owner, Stack)
            device.peer.owner.remove_device(device.peer)
        self.stack.remove_device(device)

    # Addresses and routes

    def addresses(self, device: str = "") -> list[Address]:
        if device:
            self._device(device)
        return [
            Address(name, f"{text(address)}/{length}", scope)
            for name, at in self.stack.addresses.items()
            if not device or name == device
            for address, length, scope in at
        ]

    def add_address(self, address: Address) -> None:
        ip, _, length = address.cidr.partition("/")
        self.stack.add_address(self._device(address.device), number(ip), int(length or 32), address.scope)

    def delete_address(self, address: Address) -> None:
        ip, _, length = address.cidr.partition("/")
        self.stack.remove_address(self._device(address.device), number(ip), int(length or 32))

    def routes(self, table: str = "main") -> list[Route]:
        return [
            Route(
                entry.destination,
                entry.device.name if entry.device is not None else "",
                text(entry.gateway) if entry.gateway else "",
                text(entry.source) if entry.source else "",
                entry.metric,
                entry.onlink,
                entry.kind,
                table,
                entry.scope,
                entry.protocol,
            )
            for entry in self.stack.tables[table]
        ]

    def replace_route(self, route: Route) -> None:
        prefix, _, length = network(route.destination)
        device = self._device(route.device) if route.device else None
        gateway = number(route.gateway) if route.gateway else 0
        if gateway and not route.onlink:
            towards = self.stack.main.find(gateway)
            if towards is None or towards.gateway or (device is not None and towards.device is not device):
                raise NetError("Error: Nexthop has invalid gateway.")
            device = towards.device
        if device is not None and not device.up:
            raise NetError("Error: Device for nexthop is not up.")
        if device is None and route.kind == "unicast":
            raise NetError("RTNETLINK answers: No such device")
        source = number(route.source) if route.source else 0
        if source and not self.stack.is_local(source):
            raise NetError("Error: Invalid prefsrc address.")
        scope = "global" if gateway or route.kind != "unicast" else "link"
        entry = Entry(
            prefix, length, device, gateway, source, route.metric, route.onlink, route.kind, scope, route.protocol
        )
        self.stack.tables[route.table].add(entry)

    def delete_route(self, route: Route) -> None:
        table = self.stack.tables[route.table]
        table.remove(table.matching(route))

    # Neighbours and fdb

    def neighbors(self, device: str = "") -> list[Neighbor]:
        stack = self.stack
        return [
            Neighbor(text(address), at.name, entry.mac, stack.neighbors.state(at, entry))
            for at, address, entry in stack.neighbors
            if not device or at.name == device
        ]

    def replace_neighbor(self, neighbor: Neighbor) -> None:
        device = self._device(neighbor.device)
        self.stack.neighbors.set(device, number(neighbor.address), neighbor.mac, neighbor.state)

    def delete_neighbor(self, neighbor: Neighbor) -> None:
        if not self.stack.neighbors.remove(self._device(neighbor.device), number(neighbor.address)):
            raise NetError("RTNETLINK answers: No such file or directory")

    def fdb(self, device: str = "") -> list[FdbEntry]:
        found = []
        for at in self.stack.devices.values():
            if isinstance(at, VxlanDevice) and device in ("", at.name):
                found += [FdbEntry(mac, at.name, remote, state) for mac, remote, state in at.fdb]
            elif isinstance(at, Bridge):
                found += [FdbEntry(p.mac, p.name) for p in at.ports if device in ("", p.name, at.name)]
                learned = [FdbEntry(mac, port, "", state) for mac, port, state in at.fdb]
                found += [entry for entry in learned if device in ("", entry.device, at.name)]
        return found

    def replace_fdb(self, entry: FdbEntry) -> None:
        device = self._device(entry.device)
        if isinstance(device, VxlanDevice):
            number(entry.remote)
            device.fdb.set(entry.mac, entry.remote)
        elif isinstance(device.master, Bridge):
            device.master.fdb.set(entry.mac, device.name)
        else:
            raise NetError("RTNETLINK answers: Operation not supported")

    def delete_fdb(self, entry: FdbEntry) -> None:
        device = self._device(entry.device)
        if isinstance(device, VxlanDevice):
            device.fdb.remove(entry.mac, entry.remote)
        elif isinstance(device.master, Bridge):
            device.master.fdb.remove(entry.mac, device.name)
        else:
            raise NetError("RTNETLINK answers: Operation not supported")

    def sysctl(self, name: str) -> str:
        name = name.replace("/", ".")
        if name in self.stack.sysctls:
            return self.stack.sysctls[name]
        self._known(name)
        return "0"

    def set_sysctl(self, name: str, value: str) -> None:
        name = name.replace("/", ".")
        if name not in self.stack.sysctls:
            self._known(name)
        self.stack.sysctls[name] = str(value)

    def _known(self, name: str) -> None:
        device, _, setting = name.removeprefix("net.ipv4.conf.").rpartition(".")
        if (
            not name.startswith("net.ipv4.conf.")
            or setting not in PER_DEVICE
            or (device not in ("all", "default") and device not in self.stack.devices)
        ):
            raise NetError(f"sysctl: cannot stat /proc/sys/{name.replace('.', '/')}: No such file or directory")

    # Netfilter

    def iptables(self, arguments: str) -> bool:
        return self.stack.netfilter.command(arguments)

    def iptables_restore(self, text: str) -> None:
        self.stack.netfilter.restore(text)

    def iptables_save(self, table: str = "") -> str:
        return self.stack.netfilter.save(table)

    def iptables_given(self) -> list[str]:
        return self.stack.netfilter.given()

    def flows(self) -> list[Flow]:
        now = self._wire.now()
        return [_flow(flow, now) for flow in self.stack.conntrack]

    def forget_flows(self, protocol: str, destination: End | None = None, reply_source: End | None = None) -> int:
        def of(tuple: Tuple, at: int, wanted: End | None) -> bool:
            return wanted is None or (tuple[at] == number(wanted[0]) and wanted[1] in (0, tuple[at + 1]))

        found = [
            flow
            for flow in self.stack.conntrack
            if flow.original[0] == NUMBERS[protocol.lower()]
            and of(flow.original, 3, destination)
            and of(flow.reply, 1, reply_source)
        ]
        for flow in found:
            self.stack.conntrack.forget(flow)
        return len(found)

    # Sets and virtual servers

    def ipsets(self) -> dict[str, str]:
        return {name: ipset.type for name, ipset in self.stack.ipsets.items()}

    def create_ipset(self, name: str, type: str, options: str = "") -> None:
        if name in self.stack.ipsets:
            raise NetError("ipset v7.17: Set cannot be created: set with the same name already exists")
        self.stack.ipsets[name] = IpSet(name, type, options)

    def destroy_ipset(self, name: str) -> None:
        if self.stack.netfilter.referenced(self._set(name)):
            raise NetError("ipset v7.17: Set cannot be destroyed: it is in use by a kernel component")
        del self.stack.ipsets[name]

    def ipset_entries(self, name: str) -> set[str]:
        return self._set(name).entries()

    def change_ipset(self, name: str, add: Iterable[str] = (), remove: Iterable[str] = ()) -> None:
        self._set(name).change(add, remove)

    def virtual_servers(self) -> list[VirtualServer]:
        return list(self.stack.ipvs.list())

    def virtual_server(self, key: Key) -> VirtualServer | None:
        service = self.stack.ipvs.services.get(_key(key))
        return self.stack.ipvs.shown(service) if service is not None else None

    def set_virtual_server(self, server: VirtualServer) -> None:
        self.stack.ipvs.set_service(_key(server.key), server.scheduler, server.persistent)

    def delete_virtual_server(self, key: Key) -> None:
        self.stack.ipvs.delete_service(_key(key))

    def set_real_server(self, key: Key, server: RealServer) -> None:
        self.stack.ipvs.set_server(_key(key), server)

    def delete_real_server(self, key: Key, address: str, port: int) -> None:
        self.stack.ipvs.delete_server(_key(key), address, port)

    # Sockets

    def listen(self, local: End, accepted: Callable[[Stream], object]) -> Listening:
        return self.stack.sockets.listen(local, accepted)

    def connect(
        self,
        remote: End,
        opened: Callable[[Stream], object],
        failed: Callable[[str], object],
        timeout: float = 127.0,
        source: End | None = None,
    ) -> Attempt:
        return self.stack.sockets.connect(remote, opened, failed, timeout, source)

    def bind(
        self,
        local: End,
        received: Callable[[bytes, End], object],
        remote: End | None = None,
        refused: Callable[[], object] | None = None,
    ) -> Listening:
        return self.stack.sockets.bind(local, received, remote, refused)

    def ping(
        self, address: str, answered: Callable[[], object], failed: Callable[[str], object], timeout: float = 1.0
    ) -> None:
        self.stack.sockets.ping(address, answered, failed, timeout)

    def open_tun(self, name: str, received: Callable[[bytes], object]) -> Process:
        made = name not in self.stack.devices
        if made:
            self.stack.add_device(TunDevice(self.stack, name, self.stack.next_index()))
        device = self._device(name)
        if not isinstance(device, TunDevice) or device.received is not None:
            raise NetError("ioctl(TUNSETIFF): Device or resource busy")
        device.received = received
        return Process(device, lambda: self.stack.remove_device(device) if made else None)

    def capture(self, device: str, seen: Callable[[float, bytes], object]) -> Capture:
        return Capture(self._device(device), seen)

    def close(self) -> None:
        self.stack.close()

    # Inside

    def _device(self, name: str) -> Device:
        device = self.stack.devices.get(name)
        if device is None:
            raise NetError(f'{ABSENT} "{name}"')
        return device

    def _set(self, name: str) -> IpSet:
        if name not in self.stack.ipsets:
            raise NetError("ipset v7.17: The set with the given name does not exist")
        return self.stack.ipsets[name]

    def _shown(self, device: Device) -> Link:
        peer = device.peer if isinstance(device, Veth) else None
        return Link(
            device.name,
            device.kind,
            device.mac,
            device.mtu,
            device.up,
            device.master.name if device.master is not None else "",
            device.hairpin,
            peer.name if peer is not None else "",
            (peer.owner.name or "/") if peer is not None and peer.owner is not self.stack else "",
            device.details(),
            device.index,
            peer.index if peer is not None else 0,
        )


class Capture:
    def __init__(self, device: Device, seen: Callable[[float, bytes], object]):
        self._device, self._seen = device, seen
        device.captures.append(seen)

    def close(self) -> None:
        if self._seen in self._device.captures:
            self._device.captures.remove(self._seen)


class Host(Machine[Namespace]):
    def __init__(self, wire: Wire, name: str):
        super().__init__(name)
        self.wire = wire
        self.namespace = self._made("")
        self.namespace.set_link("lo", up=True)

    def _made(self, name: str) -> Namespace:
        return Namespace(self, name)

    def plug(self, name: str, lan: Lan) -> None:
        """A network card."""
        stack = self.namespace.stack
        nic = Nic(stack, name, stack.next_index(), self.wire.new_mac())
        stack.add_device(nic)
        lan.attach(nic)
        stack.set_up(nic, True)

    def close(self) -> None:
        """The machine is gone: nothing of it is at the LAN any more."""
        for device in self.namespace.stack.devices.values():
            if isinstance(device, Nic):
                device.lan.detach(device)
        super().close()


def _key(key: Key) -> tuple[int, int, int]:
    return NUMBERS[key[0].lower()], number(key[1]), key[2]


def _flow(flow: Tracked, now: float) -> Flow:
    proto, src, sport, dst, dport = flow.original
    _, reply_src, reply_sport, reply_dst, reply_dport = flow.reply
    return Flow(
        NAMES.get(proto, str(proto)),
        (text(src), sport),
        (text(dst), dport),
        (text(reply_src), reply_sport),
        (text(reply_dst), reply_dport),
        flow.state,
        flow.mark,
        int(flow.expires - now),
        "ASSURED" if flow.assured else "" if flow.seen_reply else "UNREPLIED",
    )
