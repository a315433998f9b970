"""The IPv4 stack of one network namespace: the way of a packet through it, in Linux's order.

Devices hand in what arrives (`frame_in`), sockets and tunnels what leaves (`output`). The order of hooks is that of
net/ipv4/ip_input.c, ip_forward.c, ip_output.c and of the priorities in netfilter_ipv4.h: raw, connection tracking,
mangle, nat, IPVS, filter. Whatever is dropped is told to the trace with its reason.
"""

from __future__ import annotations

from itertools import count

from refkube.hostnet import NetError
from refkube.network.bridge import Bridge
from refkube.network.conntrack import Conntrack
from refkube.network.ipset import IpSet
from refkube.network.ipvs import Ipvs
from refkube.network.link import Device, Loopback, Veth, Wire, note
from refkube.network.neighbor import Neighbors
from refkube.network.netfilter import FORWARD, INPUT, OUTPUT, POSTROUTING, PREROUTING, Drop, Netfilter
from refkube.network.packet import (
    BROADCAST,
    EXCEEDED,
    HOST,
    LIMITED,
    NET,
    NO_MAC,
    PORT,
    PROHIBITED,
    RST,
    TCP,
    TOO_BIG,
    UNREACHABLE,
    Arp,
    Frame,
    Packet,
    decode,
    encode,
    error,
    network,
    reset,
    text,
    transport,
)  # fmt: skip
from refkube.network.routing import Entry, Table
from refkube.network.sockets import Sockets

SYSCTLS = {
    "net.ipv4.ip_forward": "0",
    "net.ipv4.vs.conntrack": "0",
    "net.ipv4.vs.conn_reuse_mode": "1",
    "net.ipv4.vs.expire_nodest_conn": "0",
    "net.ipv4.vs.expire_quiescent_template": "0",
    "net.bridge.bridge-nf-call-iptables": "1",
}
PER_DEVICE = ("rp_filter", "arp_ignore", "arp_announce", "route_localnet", "accept_local", "forwarding")
CODES = {"icmp-net-unreachable": NET, "icmp-host-unreachable": HOST, "icmp-port-unreachable": PORT,
         "icmp-admin-prohibited": PROHIBITED, "icmp-host-prohibited": 10, "icmp-net-prohibited": 9}  # fmt: skip
PMTU_SECONDS = 600.0
FRAGMENT_SECONDS = 30.0  # for which fragments wait for the others


class Stack:
    def __init__(self, wire: Wire, host: str, name: str):
        self.wire, self.host, self.name = wire, host, name
        self.devices: dict[str, Device] = {}
        self.addresses: dict[str, list[tuple[int, int, str]]] = {}  # device -> address, prefix length, scope
        self.tables = {"local": Table("local"), "main": Table("main")}
        self.local, self.main = self.tables["local"], self.tables["main"]
        self.neighbors = Neighbors(self._ask_as, self._no_neighbor)
        self.sysctls = dict(SYSCTLS)
        self.ipsets: dict[str, IpSet] = {}
        self.conntrack = Conntrack(wire.now, wire.loop.random.randrange)
        self.netfilter = Netfilter(self.conntrack, self.ipsets, self.type_of, self.source_at)
        self.ipvs = Ipvs(wire.now, self.conntrack, lambda name: self.sysctls[f"net.ipv4.vs.{name}"] != "0")
        self.netfilter.virtual_of, self.netfilter.is_bridge = self.ipvs.virtual_of, self._is_bridge
        self.sockets = Sockets(self)
        self._pmtu: dict[int, tuple[int, float]] = {}
        self._fragments: dict[tuple[int, int, int, int], tuple[float, list[Packet]]] = {}
        self._idents = count(1)
        self._indices = count(1)
        self.add_device(Loopback(self, "lo", self.next_index(), NO_MAC, 65536))

    # Devices and addresses

    def next_index(self) -> int:
        return next(self._indices)

    def add_device(self, device: Device) -> None:
        self.devices[device.name] = device
        self.addresses[device.name] = []

    def remove_device(self, device: Device) -> None:
        if isinstance(device.master, Bridge):
            device.master.detach(device)
        if isinstance(device, Bridge):
            for port in list(device.ports):
                device.detach(port)
        self.set_up(device, False)
        self.local.forget(device)
        self.neighbors.forget(device)
        del self.devices[device.name], self.addresses[device.name]
        device.closed()

    def set_up(self, device: Device, up: bool) -> None:
        """With a device its routes come and go; its addresses stay local all the same (fib_frontend.c)."""
        if device.up == up:
            return
        device.up = up
        if up:
            for address, length, scope in self.addresses[device.name]:
                self._connect(device, address, length, scope)
        else:
            self.main.forget(device)
            self.neighbors.forget(device, permanent=False)

    def add_address(self, device: Device, address: int, length: int, scope: str) -> None:
        if any(known[:2] == (address, length) for known in self.addresses[device.name]):
            raise NetError("RTNETLINK answers: File exists")
        self.addresses[device.name].append((address, length, scope))
        if device.name == "lo" and address >> 24 == 127:
            scope = "host"
            self.local.add(Entry(0x7F000000, 8, device, source=address, kind="local", scope="host", protocol="kernel"))
        self.local.add(Entry(address, 32, device, source=address, kind="local", scope="host", protocol="kernel"))
        if device.up:
            self._connect(device, address, length, scope)

    def remove_address(self, device: Device, address: int, length: int) -> None:
        known = self.addresses[device.name]
        found = next((each for each in known if each[:2] == (address, length)), None)
        if found is None:
            raise NetError("RTNETLINK answers: Cannot assign requested address")
        known.remove(found)
        for table in self.tables.values():
            for entry in [entry for entry in table if entry.device is device and entry.source == address]:
                table.remove(entry)
        for name, addresses in self.addresses.items():  # another device may have it too
            if any(each[0] == address for each in addresses) and self.local.find(address) is None:
                self.local.add(Entry(address, 32, self.devices[name], source=address, kind="local", scope="host"))

    def _connect(self, device: Device, address: int, length: int, scope: str) -> None:
        if length < 32 and scope != "host":
            net, mask, _ = network(f"{text(address)}/{length}")
            if (known := self.main.find(net)) is None or (known.prefix, known.length, known.metric) != (net, length, 0):
                self.main.add(Entry(net, length, device, source=address, scope="link", protocol="kernel"))
            if length < 31:
                last = net | ~mask & LIMITED
                self.local.add(
                    Entry(last, 32, device, source=address, kind="broadcast", scope="link", protocol="kernel")
                )

    # What others ask about addresses

    def find_route(self, address: int) -> Entry | None:
        return self.local.find(address) or self.main.find(address)

    def is_local(self, address: int) -> bool:
        entry = self.local.find(address)
        return entry is not None and entry.kind == "local"

    def type_of(self, address: int) -> str:
        entry = self.find_route(address)
        return entry.kind.upper() if entry is not None else "BROADCAST" if address == LIMITED else "UNREACHABLE"

    def source_for(self, address: int) -> int:
        entry = self.find_route(address)
        if entry is None or entry.device is None or (entry.kind == "local" and not entry.device.name):
            return 0
        if entry.kind == "local":
            return entry.source if entry.length < 32 else address
        return entry.source or self.source_at(entry.device.name, entry.gateway or address)

    def source_at(self, device: str, towards: int) -> int:
        """A device's address, of those the one whose network holds the other (inet_select_addr)."""
        usable = [each for each in self.addresses.get(device, ()) if each[2] != "host" or device == "lo"]
        for address, length, _ in usable:
            if not (address ^ towards) >> (32 - length):
                return address
        if usable:
            return usable[0][0]
        for name, others in self.addresses.items():
            if name != "lo" and others and others[0][2] == "global":
                return others[0][0]
        return 0

    def mtu_to(self, address: int) -> int:
        entry = self.find_route(address)
        own = 1500 if entry is None or entry.device is None else self._leaves_at(entry).mtu
        known, until = self._pmtu.get(address, (own, 0.0))
        return min(own, known) if until > self.wire.now() else own

    def _leaves_at(self, entry: Entry) -> Device:
        assert entry.device is not None
        return self.devices["lo"] if entry.kind == "local" else entry.device

    def on(self, name: str, device: Device | None = None) -> int:
        """A number of net.ipv4.conf, of a device and of all: the greater holds."""
        of = int(self.sysctls.get(f"net.ipv4.conf.{device.name}.{name}", "0")) if device is not None else 0
        return max(of, int(self.sysctls.get(f"net.ipv4.conf.all.{name}", "0")))

    # Arrival

    def frame_in(self, device: Device, frame: Frame) -> None:
        payload = frame.payload
        if isinstance(payload, Arp):
            self._arp(device, payload)
        elif frame.dst in (device.mac, BROADCAST, NO_MAC):
            self.receive(device, payload)
        else:
            note(self, device, payload, "in", "drop", f"the frame is for {frame.dst}")

    def receive(self, device: Device, packet: Packet) -> None:
        if packet.fragment is not None:
            whole = self._reassembled(packet)
            if whole is None:
                return
            packet = whole
        if packet.bridged:
            packet.bridged = False
        elif not self._prerouting(device, packet):
            return
        entry = self.local.find(packet.dst)
        wrong = self._martian(device, packet)
        if wrong:
            self._drop(device, packet, "routing", wrong)
        elif packet.dst == LIMITED or (entry is not None and entry.kind == "broadcast"):
            self._deliver(device, packet)
        elif entry is not None:
            self._local_in(device, packet)
        elif self.sysctls["net.ipv4.ip_forward"] == "0" and not self.on("forwarding", device):
            self._drop(device, packet, "routing", "it is for another and net.ipv4.ip_forward is 0")
        else:
            self._forward(device, packet)

    def _prerouting(self, device: Device, packet: Packet) -> bool:
        return self._hook(PREROUTING, ("raw", "track", "mangle", "nat"), packet, device, device.name, "")

    def _martian(self, device: Device, packet: Packet) -> str:
        """Why a packet cannot have come from there (fib_validate_source)."""
        if device.name == "lo":
            return ""
        if (packet.src >> 24 == 127 or packet.dst >> 24 == 127) and not self.on("route_localnet", device):
            return "a loopback address from outside"
        source = self.local.find(packet.src)
        if source is not None and source.kind == "local" and not self.on("accept_local", device):
            return "its source is our own address"
        mode = self.on("rp_filter", device)
        if mode:
            back = self.main.find(packet.src)
            if back is None or (mode == 1 and back.device is not device):
                return f"rp_filter: the way back to {text(packet.src)} is not {device.name}"
        return ""

    def _local_in(self, device: Device, packet: Packet) -> None:
        if not self._hook(INPUT, ("mangle", "filter"), packet, device, device.name, ""):
            return
        if self.ipvs and not packet.virtual:
            before = packet.dst
            if not self.ipvs.response(packet):
                redirected = self._request(device, packet)
                if redirected is None:
                    return
                if redirected and not self.is_local(packet.dst):
                    self._send_on(device, packet)
                    return
            elif packet.quoted is not None and packet.dst != before:
                self._send_on(device, packet)
                return
        if not self._hook(INPUT, ("nat", "confirm"), packet, device, device.name, ""):
            return
        self._deliver(device, packet)

    def _request(self, device: Device | None, packet: Packet) -> bool | None:
        """Let IPVS have it: whether it took it; None if the packet ends here."""
        to = f"{text(packet.dst)}:{packet.dport}"
        verdict = self.ipvs.request(packet)
        if isinstance(verdict, Drop):
            self._refuse(device, packet, "IPVS", verdict)
            return None
        if verdict:
            note(self, device, packet, "IPVS", "nat", f"{to} to {text(packet.dst)}:{packet.dport}")
        return verdict

    def _send_on(self, device: Device, packet: Packet) -> None:
        """What IPVS redirects leaves as if it were ours."""
        if device.name != "lo":
            if packet.ttl <= 1:
                self._expired(device, packet)
                return
            packet.ttl -= 1
        entry = self.find_route(packet.dst)
        if entry is None or entry.device is None:
            self._unreachable(device, packet, NET, f"no route to {text(packet.dst)}")
            return
        if self._fits(device, packet, entry):
            self._local_out(packet, entry)

    def _deliver(self, device: Device, packet: Packet) -> None:
        if packet.quoted is not None and (packet.flags, packet.ack) == (UNREACHABLE, TOO_BIG):
            self._pmtu[packet.quoted.dst] = max(packet.seq, 552), self.wire.now() + PMTU_SECONDS
        if self.wire.trace.hops:
            note(self, device, packet, "socket", "accept")
        why = self.sockets.deliver(packet)
        if why:
            self._drop(device, packet, "socket", why)

    def _forward(self, device: Device, packet: Packet) -> None:
        entry = self.main.find(packet.dst)
        if packet.ttl <= 1:
            self._expired(device, packet)
        elif entry is None or entry.device is None or entry.kind != "unicast":
            self._unreachable(device, packet, NET, f"no route to {text(packet.dst)}")
        elif self._fits(device, packet, entry):
            packet.ttl -= 1
            if not self._hook(FORWARD, ("mangle", "filter"), packet, device, device.name, entry.device.name):
                return
            self._respond(packet)
            self._finish(packet, entry, entered=device)

    def _respond(self, packet: Packet) -> None:
        if self.ipvs and self.ipvs.response(packet):
            note(self, None, packet, "IPVS", "nat", f"the answer comes from {text(packet.src)}:{packet.sport}")

    def _fits(self, device: Device | None, packet: Packet, entry: Entry) -> bool:
        mtu = self._leaves_at(entry).mtu
        if packet.length <= mtu or not packet.df:
            return True
        self._drop(device, packet, "routing", f"{packet.length} bytes do not fit the MTU of {mtu}; its sender is told")
        self._answer(packet, UNREACHABLE, TOO_BIG, mtu)
        return False

    # Departure

    def output(self, packet: Packet) -> str:
        if self.wire.trace.hops and packet.label is None:
            packet.label = packet.tuple
        entry = self.find_route(packet.dst)
        if entry is None or entry.device is None or entry.kind not in ("unicast", "local", "broadcast"):
            self._drop(None, packet, "routing", f"no route to {text(packet.dst)}")
            return "unreachable"
        self._local_out(packet, entry)
        return ""

    def _local_out(self, packet: Packet, entry: Entry) -> None:
        leaves = self._leaves_at(entry)
        before = packet.dst
        if not self._hook(OUTPUT, ("raw", "track", "mangle", "nat"), packet, None, "", leaves.name):
            return
        if self.ipvs and not packet.virtual and not self.ipvs.response(packet):
            redirected = self._request(None, packet)
            if redirected is None:
                return
            if redirected and not self.is_local(packet.dst):
                again = self.find_route(packet.dst)
                if again is None:
                    self._unreachable(None, packet, NET, f"no route to {text(packet.dst)}")
                elif self._fits(None, packet, again):
                    self._local_out(packet, again)
                return
        if packet.dst != before:
            again = self.find_route(packet.dst)
            if again is None or again.device is None:
                self._drop(None, packet, "routing", f"no route to {text(packet.dst)}")
                return
            entry, leaves = again, self._leaves_at(again)
        if self._hook(OUTPUT, ("filter",), packet, None, "", leaves.name):
            self._finish(packet, entry)

    def _finish(self, packet: Packet, entry: Entry, entered: Device | None = None) -> None:
        """Through POSTROUTING to a neighbour."""
        device = self._leaves_at(entry)
        if not self._hook(POSTROUTING, ("mangle", "nat", "confirm"), packet, device, "", device.name):
            return
        pieces = [packet] if packet.length <= device.mtu else self._cut(device, packet)
        for piece in pieces:
            if not device.arp:
                device.transmit(Frame(NO_MAC, NO_MAC, piece))
            elif entry.kind == "broadcast" or piece.dst == LIMITED:
                device.transmit(Frame(BROADCAST, device.mac, piece))
            else:
                self.neighbors.send(device, entry.gateway or piece.dst, piece)

    def _cut(self, device: Device, packet: Packet) -> list[Packet]:
        """Fragments that fit; none of a packet that must not be cut."""
        if packet.df:
            self._drop(device, packet, "routing", f"{packet.length} bytes do not fit the MTU of {device.mtu}")
            self.sockets.complained(packet, UNREACHABLE, TOO_BIG, device.mtu)
            return []
        body, size = transport(packet), (device.mtu - 20) // 8 * 8
        ident, pieces = packet.id or next(self._idents), []
        for start in range(0, len(body), size):
            piece = packet.copy()
            piece.id, piece.fragment, piece.quoted = ident, (start, start + size < len(body)), None
            piece.payload = body[start : start + size]
            pieces.append(piece)
        return pieces

    def _reassembled(self, piece: Packet) -> Packet | None:
        """The packet whose last missing fragment this is."""
        key = piece.src, piece.dst, piece.protocol, piece.id
        now = self.wire.now()
        self._fragments = {of: kept for of, kept in self._fragments.items() if now - kept[0] < FRAGMENT_SECONDS}
        pieces = self._fragments.setdefault(key, (now, []))[1]
        pieces.append(piece)
        pieces.sort(key=lambda each: each.fragment or (0, False))
        body, more = b"", True
        for each in pieces:
            offset, more = each.fragment or (0, False)
            if offset != len(body):
                return None
            body += bytes(each.payload)
        if more:
            return None
        del self._fragments[key]
        whole = piece.copy()
        whole.fragment, whole.payload = (0, False), body
        made = decode(encode(whole))
        made.label, made.mark, made.bridged = piece.label, piece.mark, piece.bridged
        return made

    # Hooks

    def _hook(
        self, hook: str, steps: tuple[str, ...], packet: Packet, device: Device | None, entered: str, leaves: str
    ) -> bool:
        """Go through a hook's steps; False if the packet ends here."""
        netfilter = self.netfilter
        if not netfilter.used and not self.ipvs:
            return True
        tracking = netfilter.tracking or (self.ipvs and self.sysctls["net.ipv4.vs.conntrack"] != "0")
        before = packet.tuple if self.wire.trace.hops else None
        for step in steps:
            drop: Drop | None = None
            if step == "track":
                if tracking:
                    self.conntrack.track(packet)
            elif step == "confirm":
                if not self.conntrack.confirm(packet):
                    drop = Drop("connection tracking: another connection has this tuple")
            elif step == "nat":
                drop = netfilter.nat(hook, packet, entered, leaves)
            else:
                drop = netfilter.filter(step, hook, packet, entered, leaves)
            if drop is not None:
                self._refuse(device, packet, hook, drop)
                return False
        if before is not None:
            changed = f"{_ends(before)} became {_ends(packet.tuple)}" if packet.tuple != before else ""
            if changed or netfilter.decides(steps, hook):
                note(self, device, packet, hook, "nat" if changed else "accept", changed)
        return True

    def _refuse(self, device: Device | None, packet: Packet, event: str, drop: Drop) -> None:
        self._drop(device, packet, event, drop.reason)
        if drop.answer == "tcp-reset" and packet.protocol == TCP and not packet.flags & RST:
            self.output(reset(packet))
        elif drop.answer:
            self._answer(packet, UNREACHABLE, CODES.get(drop.answer, PORT))

    def _drop(self, device: Device | None, packet: Packet, event: str, reason: str) -> None:
        note(self, device, packet, event, "drop", reason)

    def _expired(self, device: Device, packet: Packet) -> None:
        self._drop(device, packet, "routing", "its TTL is used up")
        self._answer(packet, EXCEEDED, 0)

    def _unreachable(self, device: Device | None, packet: Packet, code: int, reason: str) -> None:
        self._drop(device, packet, "routing", reason)
        self._answer(packet, UNREACHABLE, code)

    def refuse(self, packet: Packet, kind: int, code: int) -> None:
        self._answer(packet, kind, code)

    def _answer(self, packet: Packet, kind: int, code: int, mtu: int = 0) -> None:
        """An ICMP error to the sender, who may be ourselves."""
        source = packet.dst if self.is_local(packet.dst) else self.source_for(packet.src)
        made = error(packet, source, kind, code, mtu)
        if made is None or not source:
            return
        if packet.flow is not None:
            made.flow, made.reply, made.state = packet.flow, not packet.reply, "RELATED"
        self.output(made)

    # Bridges

    def bridge_calls_iptables(self) -> bool:
        return self.sysctls["net.bridge.bridge-nf-call-iptables"] != "0" and (self.netfilter.used or bool(self.ipvs))

    def _is_bridge(self, device: str) -> bool:
        """Whether packets that come by the device have come by a bridge's port."""
        return device in self.devices and self.devices[device].kind == "bridge" and self.bridge_calls_iptables()

    def bridge_prerouting(self, packet: Packet, bridge: Bridge) -> bool:
        return packet.fragment is not None or self._prerouting(bridge, packet)

    def bridge_destination(self, packet: Packet, bridge: Bridge) -> str:
        entry = self.find_route(packet.dst)
        if entry is None or entry.kind == "local" or entry.device is not bridge:
            return bridge.mac
        known = self.neighbors.entries.get((bridge, packet.dst))
        return known.mac if known is not None and known.mac else bridge.mac

    def bridge_forward(self, packet: Packet, bridge: Bridge) -> bool:
        name = bridge.name
        packet.bridged = False
        if not self._hook(FORWARD, ("mangle", "filter"), packet, bridge, name, name):
            return False
        self._respond(packet)
        return self._hook(POSTROUTING, ("mangle", "nat", "confirm"), packet, bridge, "", name)

    # Neighbours

    def _arp(self, device: Device, arp: Arp) -> None:
        entry = self.local.find(arp.target)
        mine = entry is not None and entry.kind == "local"
        if mine and self.on("arp_ignore", device):
            mine = any(address == arp.target for address, _, _ in self.addresses[device.name])
        self.neighbors.heard(device, arp.source, arp.mac, create=mine and not arp.reply)
        if mine and not arp.reply:
            device.transmit(Frame(arp.mac, device.mac, Arp(True, device.mac, arp.target, arp.mac, arp.source)))

    def _ask_as(self, device: Device, address: int) -> int:
        return self.source_at(device.name, address)

    def _no_neighbor(self, device: Device, packet: Packet) -> None:
        reason = f"nobody answers for {text(packet.dst)} at {device.name}"
        if self.is_local(packet.src):
            self._drop(device, packet, "neighbour", reason)
            self.sockets.complained(packet, UNREACHABLE, HOST)
        else:
            self._unreachable(device, packet, HOST, reason)

    # The end

    def close(self) -> None:
        self.sockets.close()
        for device in list(self.devices.values()):
            if isinstance(device, Veth) and device.peer.owner is not self:
                other = device.peer.owner
                assert isinstance(other, Stack)
                other.remove_device(device.peer)
            self.remove_device(device)


def _ends(tuple: tuple[int, ...]) -> str:
    return f"{text(tuple[1])}:{tuple[2]} > {text(tuple[3])}:{tuple[4]}"
