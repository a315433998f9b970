"""IPVS in NAT mode (net/netfilter/ipvs): virtual servers, their real servers, and who got which connection.

The stack asks `request` where Linux hooks in (LOCAL_IN, LOCAL_OUT) and `response` where answers pass (FORWARD,
LOCAL_IN, LOCAL_OUT). Both look up by hash: the number of virtual servers costs nothing. Connections that are over go
when somebody looks, in the order of their time; no timer runs for them.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from itertools import count

from refkube.hostnet import NetError, RealServer, VirtualServer
from refkube.network.conntrack import Conntrack
from refkube.network.netfilter import Drop
from refkube.network.packet import ACK, FIN, RST, SYN, TCP, UDP, Packet, number, text

Key = tuple[int, int, int]
Table = dict[tuple[int, ...], "Connection"]
TIMEOUTS = {"ESTABLISHED": 900, "SYN_RECV": 60, "FIN_WAIT": 120, "TIME_WAIT": 120, "CLOSE": 10, "CLOSE_WAIT": 60}
UDP_TIMEOUT = 300
# What a segment makes of a state: from the client, and from the real server (ip_vs_proto_tcp.c).
FROM_CLIENT = {
    SYN: dict.fromkeys(("FIN_WAIT", "TIME_WAIT", "CLOSE", "CLOSE_WAIT", "NONE"), "SYN_RECV"),
    FIN: {"ESTABLISHED": "CLOSE_WAIT", "SYN_RECV": "TIME_WAIT", "FIN_WAIT": "TIME_WAIT", "NONE": "CLOSE"},
    ACK: {"SYN_RECV": "ESTABLISHED", "NONE": "ESTABLISHED"},
    RST: dict.fromkeys(("ESTABLISHED", "FIN_WAIT", "TIME_WAIT", "CLOSE_WAIT", "NONE"), "CLOSE"),
}
FROM_SERVER = {
    SYN: {},
    FIN: {"ESTABLISHED": "FIN_WAIT", "SYN_RECV": "TIME_WAIT", "CLOSE_WAIT": "TIME_WAIT", "NONE": "TIME_WAIT"},
    ACK: {"SYN_RECV": "ESTABLISHED", "NONE": "ESTABLISHED"},
    RST: dict.fromkeys(("ESTABLISHED", "SYN_RECV", "FIN_WAIT", "CLOSE_WAIT", "NONE"), "CLOSE"),
}
ACTIVE = ("ESTABLISHED", "SYN_RECV")


class Server:
    """A real server. One that was taken away is kept, unavailable, for the connections that it still has."""

    def __init__(self, address: int, port: int, weight: int):
        self.address, self.port, self.weight = address, port, weight
        self.active = self.inactive = self.templates = 0
        self.available, self.forward = True, "masq"

    @property
    def busy(self) -> int:
        return (self.active << 8) + self.inactive


class Service:
    def __init__(self, key: Key, scheduler: str, persistent: int):
        self.key, self.persistent = key, persistent
        self.servers: list[Server] = []
        self.gone: dict[tuple[int, int], Server] = {}
        self.schedule(scheduler)

    def schedule(self, scheduler: str) -> None:
        if scheduler not in SCHEDULERS:
            raise NetError("Scheduler or persistence engine not found")
        self.scheduler = scheduler
        self._choose = SCHEDULERS[scheduler](self)

    def changed(self) -> None:
        """Those that deal out beforehand deal anew."""
        if self.scheduler in ("sh", "dh", "wrr"):
            self.schedule(self.scheduler)

    def choose(self, packet: Packet) -> Server | None:
        return self._choose(packet)

    def find(self, address: int, port: int) -> Server | None:
        for server in self.servers:
            if server.address == address and server.port == port:
                return server
        return None


class Connection:
    __slots__ = ("controlled", "expires", "forward", "gone", "queued", "return_", "server", "state", "template",
                 "tracked")  # fmt: skip

    def __init__(self, forward: tuple[int, ...], return_: tuple[int, ...], server: Server, tracked: bool):
        self.forward, self.return_, self.server, self.tracked = forward, return_, server, tracked
        self.state, self.expires, self.queued, self.gone = "NONE", 0.0, float("inf"), False
        self.template: Connection | None = None
        self.controlled = 0


class Ipvs:
    """`setting` reads net.ipv4.vs.* as a truth."""

    def __init__(self, now: Callable[[], float], conntrack: Conntrack, setting: Callable[[str], bool]):
        self._now, self._conntrack, self._setting = now, conntrack, setting
        self.services: dict[Key, Service] = {}
        self._in: Table = {}
        self._out: Table = {}
        self._due: list[tuple[float, int, Connection]] = []
        self._order = count()

    def __bool__(self) -> bool:
        return bool(self.services or self._in)

    # The data path

    def request(self, packet: Packet) -> Drop | bool:
        """Whether the packet now goes to a real server; a Drop if it must not go on."""
        if packet.virtual:
            return False
        if packet.quoted is not None:
            return self._error(packet, self._in, packet.quoted.tuple, "client")
        self._expire()
        connection = self._in.get(packet.tuple)
        begins = packet.protocol != TCP or packet.flags & (SYN | ACK) == SYN
        if connection is not None and begins and packet.protocol == TCP and self._stale(connection):
            if self._drop_old(connection, packet):
                return Drop("IPVS: the connection it would reuse is tracked; another try gets a server")
            connection = None
        if connection is not None and not connection.server.available:
            if not self._setting("expire_nodest_conn"):
                return Drop("IPVS: the connection's real server was removed")
            if self._drop_old(connection, packet):
                return Drop("IPVS: the connection's real server was removed; another try gets a server")
            connection = None
        if connection is None:
            service = self.services.get((packet.protocol, packet.dst, packet.dport))
            if service is None or not begins:
                return False
            connection = self._scheduled(service, packet)
            if connection is None:
                return Drop(f"IPVS: no real server for {text(packet.dst)}:{packet.dport}", "icmp-port-unreachable")
        self._advance(connection, packet, FROM_CLIENT)
        server = connection.server
        if server.forward != "masq":
            return Drop(f"IPVS: {text(server.address)} is reached by {server.forward}, which is not simulated")
        packet.dst, packet.dport, packet.virtual = server.address, server.port, True
        if connection.tracked:
            self._conntrack.redirect(packet, server.address, server.port)
        else:
            packet.flow, packet.state, packet.untracked = None, "", True
        return True

    def virtual_of(self, packet: Packet) -> tuple[int, int, int] | None:
        """The virtual server that a request was sent on from (xt_ipvs)."""
        connection = self._out.get((packet.protocol, packet.dst, packet.dport, packet.src, packet.sport))
        if not packet.virtual or connection is None:
            return None
        return packet.protocol, connection.forward[3], connection.forward[4]

    def response(self, packet: Packet) -> bool:
        """Let an answer come from the virtual server."""
        if packet.virtual:
            return False
        if packet.quoted is not None:
            return self._error(packet, self._out, packet.quoted.tuple, "server")
        self._expire()
        connection = self._out.get(packet.tuple)
        if connection is None:
            return False
        self._advance(connection, packet, FROM_SERVER)
        packet.src, packet.sport, packet.virtual = connection.forward[3], connection.forward[4], True
        if not connection.tracked:
            packet.flow, packet.state, packet.untracked = None, "", True
        return True

    def _error(
        self, packet: Packet, table: dict[tuple[int, ...], Connection], about: tuple[int, ...], whose: str
    ) -> bool:
        """An ICMP error about what one side was sent is to look to the other as if IPVS were not there."""
        proto, src, sport, dst, dport = about
        connection = table.get((proto, dst, dport, src, sport))
        quoted = packet.quoted
        if connection is None or quoted is None:
            return False
        if whose == "client":  # the client's side complains of an answer: the server is told
            quoted.src, quoted.sport = connection.server.address, connection.server.port
            packet.dst = connection.server.address
        else:  # the server's side complains of a request: the client is told
            if packet.src == quoted.dst:
                packet.src = connection.forward[3]
            quoted.dst, quoted.dport = connection.forward[3], connection.forward[4]
        packet.virtual = True
        return True

    def _stale(self, connection: Connection) -> bool:
        """Whether a new connection from the same port gets a server anew (conn_reuse_mode)."""
        if not self._setting("conn_reuse_mode"):
            return False
        if self._setting("expire_nodest_conn") and not connection.server.weight:
            return True
        return connection.state == "TIME_WAIT"

    def _drop_old(self, connection: Connection, packet: Packet) -> bool:
        """End a connection; True if conntrack still holds it, so that this packet cannot be sent elsewhere."""
        self._end(connection)
        return connection.tracked and packet.flow is not None and packet.flow.confirmed

    def _scheduled(self, service: Service, packet: Packet) -> Connection | None:
        template, server = None, None
        if service.persistent:
            template = self._template(service, packet)
            server = template.server if template is not None else None
        else:
            server = service.choose(packet)
        if server is None:
            return None
        back = (packet.protocol, server.address, server.port, packet.src, packet.sport)
        connection = Connection(packet.tuple, back, server, self._setting("conntrack"))
        connection.template = template
        if template is not None:
            template.controlled += 1
        server.inactive += 1
        self._in[connection.forward] = self._out[back] = connection
        return connection

    def _template(self, service: Service, packet: Packet) -> Connection | None:
        """Which server a client is given as long as its affinity lasts."""
        key = (packet.protocol, packet.src, 0, *service.key[1:])
        template = self._in.get(key)
        if template is not None and not self._valid(template.server):
            self._end(template)
            template = None
        if template is None:
            server = service.choose(packet)
            if server is None:
                return None
            template = self._in[key] = Connection(key, (), server, False)
            server.templates += 1
        self._extend(template, service.persistent)
        return template

    def _valid(self, server: Server) -> bool:
        return server.available and bool(server.weight or not self._setting("expire_quiescent_template"))

    def _advance(self, connection: Connection, packet: Packet, table: dict[int, dict[str, str]]) -> None:
        if packet.protocol != TCP:
            self._extend(connection, UDP_TIMEOUT)
            return
        flags = packet.flags
        kind = RST if flags & RST else SYN if flags & SYN else FIN if flags & FIN else ACK
        state = table[kind].get(connection.state, connection.state)
        was, now = connection.state in ACTIVE, state in ACTIVE
        if was != now:
            connection.server.active += now - was
            connection.server.inactive -= now - was
        connection.state = state
        self._extend(connection, TIMEOUTS.get(state, 120))

    def _extend(self, connection: Connection, seconds: float) -> None:
        connection.expires = self._now() + seconds
        if connection.expires < connection.queued:
            self._queue(connection)

    def _queue(self, connection: Connection) -> None:
        connection.queued = connection.expires
        heapq.heappush(self._due, (connection.expires, next(self._order), connection))

    def _expire(self) -> None:
        now, due = self._now(), self._due
        while due and due[0][0] <= now:
            when, _, connection = heapq.heappop(due)
            if connection.gone or when != connection.queued:
                continue
            if connection.controlled:
                connection.expires = max(connection.expires, when + 60)
            if connection.expires > now:
                self._queue(connection)
            else:
                self._end(connection)

    def _end(self, connection: Connection) -> None:
        if connection.gone:
            return
        connection.gone = True
        self._in.pop(connection.forward, None)
        server = connection.server
        if not connection.return_:
            server.templates -= 1
            return
        self._out.pop(connection.return_, None)
        if connection.state in ACTIVE:
            server.active -= 1
        else:
            server.inactive -= 1
        if connection.template is not None:
            connection.template.controlled -= 1

    # What ipvsadm does

    def list(self) -> Iterator[VirtualServer]:
        self._expire()
        for key in sorted(self.services):
            yield self.shown(self.services[key])

    def shown(self, service: Service) -> VirtualServer:
        self._expire()
        servers = tuple(
            RealServer(text(server.address), server.port, server.weight, server.active, server.inactive, server.forward)
            for server in service.servers
        )
        protocol, address, port = service.key
        name = {TCP: "TCP", UDP: "UDP"}.get(protocol, "SCTP")
        return VirtualServer(name, text(address), port, service.scheduler, service.persistent, servers)  # type: ignore[arg-type]

    def set_service(self, key: Key, scheduler: str, persistent: int) -> None:
        service = self.services.get(key)
        if service is None:
            self.services[key] = Service(key, scheduler, persistent)
            return
        service.persistent = persistent
        if service.scheduler != scheduler:
            service.schedule(scheduler)

    def delete_service(self, key: Key) -> None:
        service = self._known(key)
        for server in service.servers:
            server.available = False
        del self.services[key]

    def set_server(self, key: Key, given: RealServer) -> None:
        service = self._known(key)
        at = number(given.address), given.port
        server = service.find(*at)
        if server is None:
            server = service.gone.pop(at, None) or Server(*at, given.weight)
            server.available = True
            service.servers.insert(0, server)
        server.weight, server.forward = given.weight, given.forward
        service.changed()

    def delete_server(self, key: Key, address: str, port: int) -> None:
        service = self._known(key)
        server = service.find(number(address), port)
        if server is None:
            raise NetError("No such destination")
        server.available = False
        service.servers.remove(server)
        service.gone = {at: kept for at, kept in service.gone.items() if kept.busy or kept.templates}
        if server.busy or server.templates:
            service.gone[server.address, server.port] = server
        service.changed()

    def _known(self, key: Key) -> Service:
        if key not in self.services:
            raise NetError("No such service")
        return self.services[key]


# Schedulers: each is made for a service and gives a function from a packet to a server

Chooser = Callable[[Packet], Server | None]


def _round_robin(service: Service) -> Chooser:
    last: list[Server | None] = [None]
    place = [0]  # of the last one; of the next, when the last is gone

    def choose(packet: Packet) -> Server | None:
        servers = service.servers
        begin = servers.index(last[0]) + 1 if last[0] in servers else place[0]
        for step in range(len(servers)):
            at = (begin + step) % len(servers)
            if servers[at].weight:
                last[0], place[0] = servers[at], at
                return servers[at]
        return None

    return choose


def _weighted_round_robin(service: Service) -> Chooser:
    """Smoothly weighted: each gets its share of every round, as ip_vs_wrr.c's walk over falling weights gives it."""
    queue: list[Server] = []

    def choose(packet: Packet) -> Server | None:
        if not queue:
            top = max((server.weight for server in service.servers), default=0)
            queue.extend(s for level in range(1, top + 1) for s in reversed(service.servers) if s.weight >= level)
        return queue.pop() if queue else None

    return choose


def _least(overhead: Callable[[Server], float]) -> Callable[[Service], Chooser]:
    """The one with weight that has the least to do."""

    def made(service: Service) -> Chooser:
        def choose(packet: Packet) -> Server | None:
            return min((server for server in service.servers if server.weight), key=overhead, default=None)

        return choose

    return made


def _never_queue(service: Service) -> Chooser:
    def choose(packet: Packet) -> Server | None:
        usable = [server for server in service.servers if server.weight]
        idle = next((server for server in usable if not server.active), None)
        return idle or min(usable, key=lambda server: (server.active + 1) / server.weight, default=None)

    return choose


def _hashed(of_source: bool) -> Callable[[Service], Chooser]:
    """256 buckets, dealt out to the servers (by weight, for source hashing)."""

    def made(service: Service) -> Chooser:
        deal = [server for server in service.servers for _ in range(max(server.weight, 1) if of_source else 1)]
        buckets = [deal[index % len(deal)] for index in range(256)] if deal else []

        def choose(packet: Packet) -> Server | None:
            if not buckets:
                return None
            address = packet.src if of_source else packet.dst
            server = buckets[(address * 0x61C88647 & 0xFFFFFFFF) >> 24]
            return server if server.weight and server.available else None

        return choose

    return made


SCHEDULERS: dict[str, Callable[[Service], Chooser]] = {
    "rr": _round_robin,
    "wrr": _weighted_round_robin,
    "lc": _least(lambda server: server.busy),
    "wlc": _least(lambda server: server.busy / server.weight),
    "sh": _hashed(True),
    "dh": _hashed(False),
    "sed": _least(lambda server: (server.active + 1) / server.weight),
    "nq": _never_queue,
}
