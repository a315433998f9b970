"""The sockets of one namespace: who listens, which connections there are, what arrives for whom.

The stack hands in what is for a local address, and takes what is sent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from refkube.engine.loop import Timer
from refkube.hostnet import AddressInUse, Endpoint, NetError
from refkube.network.link import Wire
from refkube.network.packet import (
    ACK,
    ECHO,
    ECHO_REPLY,
    FIN,
    HOST,
    ICMP,
    PORT,
    PROHIBITED,
    PROTOCOL,
    RST,
    SYN,
    TCP,
    TOO_BIG,
    UDP,
    UNREACHABLE,
    Body,
    Packet,
    number,
    reset,
    text,
)  # fmt: skip
from refkube.network.tcp import Connection

FIRST_PORT, LAST_PORT = 32768, 60999
TIME_WAIT = 60.0
CONNECT_TIMEOUT = 127.0
Four = tuple[int, int, int, int]
Two = tuple[int, int]
Opened = Callable[[Connection], object]
Failed = Callable[[str], object]


class Kernel(Protocol):
    """What sockets need of the stack."""

    wire: Wire

    def output(self, packet: Packet) -> str:
        """Send what is ours; why it cannot be, or ""."""
        ...

    def source_for(self, address: int) -> int:
        """The address that we have towards another; 0 if there is no way."""
        ...

    def is_local(self, address: int) -> bool: ...

    def mtu_to(self, address: int) -> int: ...

    def refuse(self, packet: Packet, kind: int, code: int) -> None:
        """Answer with an ICMP error."""
        ...


class TcpSocket(Connection):
    """A connection with its place in the tables, and whom to tell that it opened."""

    def __init__(
        self, sockets: Sockets, key: Four, opened: Callable[[Connection], object], failed: Callable[[str], object]
    ):
        self.key, self.sockets = key, sockets
        self.on_open, self.on_fail = opened, failed
        self.deadline: Timer | None = None
        mss = sockets.kernel.mtu_to(key[2]) - 40
        super().__init__(sockets, (text(key[0]), key[1]), (text(key[2]), key[3]), sockets.initial(), mss)


class Listening:
    """A listening TCP socket or, with `handler` for datagrams, a bound UDP socket."""

    remote: Two | None = None  # whom a UDP socket is connected to
    refused: Callable[[], object] | None = None

    def __init__(
        self, sockets: Sockets, table: dict[tuple[int, int], Listening], at: tuple[int, int], handler: Callable
    ):
        self.local: Endpoint = (text(at[0]), at[1])
        self.handler = handler
        self._sockets, self._table, self._at = sockets, table, at

    def send(self, data: bytes, to: Endpoint) -> None:
        self._sockets.send_datagram(self._at, data, (number(to[0]), to[1]))

    def close(self) -> None:
        if self._table.get(self._at) is self:
            del self._table[self._at]


class Attempt:
    """A connection that is being made, which may be given up."""

    def __init__(self, give_up: Callable[[], object]):
        self._give_up = give_up

    def close(self) -> None:
        self._give_up()


class Sockets:
    def __init__(self, kernel: Kernel):
        self.kernel, self.loop = kernel, kernel.wire.loop
        self.listeners: dict[tuple[int, int], Listening] = {}
        self.bound: dict[tuple[int, int], Listening] = {}
        self.connections: dict[Four, TcpSocket] = {}
        self.tunnels: dict[int, Callable[[Packet], object]] = {}  # UDP ports that devices receive at
        self._pings: dict[int, tuple[Callable[[], object], Callable[[str], object], Timer]] = {}
        self._lingering: deque[tuple[float, TcpSocket]] = deque()
        self._next_port, self._next_ping, self._started = FIRST_PORT, 1, 0

    # What hostnet offers

    def listen(self, local: Endpoint, accepted: Callable[[Connection], object]) -> Listening:
        at = self._free(local, self.listeners, TCP)
        made = self.listeners[at] = Listening(self, self.listeners, at, accepted)
        return made

    def bind(
        self,
        local: Endpoint,
        received: Callable[[bytes, Endpoint], object],
        remote: Endpoint | None = None,
        refused: Callable[[], object] | None = None,
    ) -> Listening:
        at = self._free(local, self.bound, UDP)
        made = self.bound[at] = Listening(self, self.bound, at, received)
        made.remote, made.refused = (number(remote[0]), remote[1]) if remote else None, refused
        return made

    def connect(
        self,
        remote: Endpoint,
        opened: Opened,
        failed: Failed,
        timeout: float,
        source: Endpoint | None,
    ) -> Attempt:
        self._forget_lingering()
        address, port = number(remote[0]), remote[1]
        own, own_port = (number(source[0]), source[1]) if source else (0, 0)
        if source and own and not self.kernel.is_local(own):
            raise NetError("Cannot assign requested address")
        own = own or self.kernel.source_for(address)
        if not own:
            state = [True]
            self.loop.call_soon(lambda: state[0] and failed("unreachable"))
            return Attempt(lambda: state.__setitem__(0, False))
        own_port = own_port or self._port(lambda free: (own, free, address, port) in self.connections)
        key = own, own_port, address, port
        if key in self.connections:
            raise AddressInUse("Cannot assign requested address")
        socket = self.connections[key] = TcpSocket(self, key, opened, failed)
        if timeout < CONNECT_TIMEOUT:
            socket.deadline = self.loop.call_later(timeout, self._late, socket)
        socket.open()
        return Attempt(lambda: self._give_up(socket))

    def ping(
        self, address: str, answered: Callable[[], object], failed: Callable[[str], object], timeout: float
    ) -> None:
        ident, self._next_ping = self._next_ping, self._next_ping % 65535 + 1
        source = self.kernel.source_for(number(address))
        if not source:
            self.loop.call_soon(failed, "unreachable")
            return
        timer = self.loop.call_later(timeout, self._pinged, ident, "timed out")
        self._pings[ident] = answered, failed, timer
        packet = Packet(ICMP, source, ident, number(address), ident, b"\0" * 56, ECHO)
        packet.seq = 1
        self.kernel.output(packet)

    def send_datagram(self, bound: tuple[int, int], data: Body, to: tuple[int, int]) -> None:
        source = bound[0] or self.kernel.source_for(to[0])
        if source:
            packet = Packet(UDP, source, bound[1], *to, data)
            packet.df = packet.length <= self.kernel.mtu_to(to[0])
            self.kernel.output(packet)

    def close(self) -> None:
        """The namespace goes: nothing is told to anybody."""
        for socket in list(self.connections.values()):
            socket.forget()
        for _, _, timer in self._pings.values():
            timer.cancel()
        for table in (self.listeners, self.bound, self.connections, self._pings):
            table.clear()

    # What arrives

    def deliver(self, packet: Packet) -> str:
        """To whom it is for; why to nobody, or ""."""
        if packet.protocol == TCP:
            return self._segment(packet)
        if packet.protocol == UDP:
            return self._datagram(packet)
        if packet.protocol == ICMP:
            self._control(packet)
            return ""
        self.kernel.refuse(packet, UNREACHABLE, PROTOCOL)
        return "no such protocol"

    def _segment(self, packet: Packet) -> str:
        key = packet.dst, packet.dport, packet.src, packet.sport
        socket = self.connections.get(key)
        begins = packet.flags & (SYN | ACK | RST) == SYN
        if socket is not None and not (begins and socket.state == "TIME_WAIT"):
            if socket.state != "TIME_WAIT":
                socket.arrived(packet)
            elif packet.payload or packet.flags & FIN:
                self.emit(socket, ACK, socket.sent, b"")
            return ""
        listener = self.listeners.get(key[:2]) or self.listeners.get((0, packet.dport))
        if listener is not None and begins:
            self._forget_lingering()
            socket = self.connections[key] = TcpSocket(self, key, listener.handler, _nobody)
            socket.accept(packet)
            return ""
        if not packet.flags & RST:
            self.kernel.output(reset(packet))
        return f"nobody listens at port {packet.dport}" if begins else "no such connection"

    def _datagram(self, packet: Packet) -> str:
        at = packet.dst, packet.dport
        if packet.dport in self.tunnels:
            self.tunnels[packet.dport](packet)
            return ""
        socket = self._udp_at(at)
        if socket is None or socket.remote not in (None, (packet.src, packet.sport)):
            self.kernel.refuse(packet, UNREACHABLE, PORT)
            return f"nobody listens at port {packet.dport}"
        socket.handler(bytes(packet.payload), (text(packet.src), packet.sport))
        return ""

    def _udp_at(self, at: Two) -> Listening | None:
        return self.bound.get(at) or self.bound.get((0, at[1]))

    def _control(self, packet: Packet) -> None:
        if packet.flags == ECHO:
            answer = Packet(ICMP, packet.dst, packet.sport, packet.src, packet.dport, packet.payload, ECHO_REPLY)
            answer.seq = packet.seq
            self.kernel.output(answer)
        elif packet.flags == ECHO_REPLY:
            self._pinged(packet.sport, "")
        elif packet.quoted is not None:
            self.complained(packet.quoted, packet.flags, packet.ack, packet.seq)

    def complained(self, about: Packet, kind: int, code: int, mtu: int = 0) -> None:
        """Somebody says that what we sent did not arrive."""
        if about.protocol == ICMP:
            if kind == UNREACHABLE and code in (HOST, 0, PROHIBITED):
                self._pinged(about.sport, "unreachable")
            return
        if about.protocol == UDP:
            bound = self._udp_at((about.src, about.sport))
            peer = about.dst, about.dport
            if bound is not None and bound.remote == peer and bound.refused and (kind, code) == (UNREACHABLE, PORT):
                bound.refused()
            return
        socket = self.connections.get((about.src, about.sport, about.dst, about.dport))
        if about.protocol != TCP or socket is None or kind != UNREACHABLE:
            return
        if code == TOO_BIG:
            socket.too_big(mtu)
        elif socket.state == "SYN_SENT":
            socket.fail("refused" if code in (PROTOCOL, PORT) else "unreachable")

    # What connections need

    def emit(self, connection: Connection, flags: int, seq: int, payload: bytes) -> None:
        assert isinstance(connection, TcpSocket)
        packet = Packet(TCP, *connection.key, payload, flags)
        packet.seq, packet.ack = seq, connection.rcv_next if flags & ACK else 0
        if flags & SYN:
            packet.mss = self.kernel.mtu_to(connection.key[2]) - 40
        why = self.kernel.output(packet)
        if why and connection.state == "SYN_SENT":
            self.loop.call_soon(connection.fail, why)

    def opened(self, connection: Connection) -> None:
        assert isinstance(connection, TcpSocket)
        if connection.deadline is not None:
            connection.deadline.cancel()
        connection.on_open(connection)

    def over(self, connection: Connection, linger: bool) -> None:
        assert isinstance(connection, TcpSocket)
        if connection.deadline is not None:
            connection.deadline.cancel()
        if linger:
            self._lingering.append((self.loop.now() + TIME_WAIT, connection))
        elif self.connections.get(connection.key) is connection:
            del self.connections[connection.key]
        if connection.fate and not connection.ever_open:
            connection.on_fail(connection.fate)

    def initial(self) -> int:
        """Sequence numbers begin where no former connection's are, and never wrap."""
        self._started += 64_000
        return self._started & 0x3FFFFFFF

    # Inside

    def _late(self, socket: TcpSocket) -> None:
        if socket.state == "SYN_SENT":
            socket.fail("timed out")

    def _give_up(self, socket: TcpSocket) -> None:
        if not socket.ever_open:
            socket.on_fail = _nobody
            socket.close()

    def _pinged(self, ident: int, why: str) -> None:
        if ident in self._pings:
            answered, failed, timer = self._pings.pop(ident)
            timer.cancel()
            failed(why) if why else answered()

    def _forget_lingering(self) -> None:
        while self._lingering and self._lingering[0][0] <= self.loop.now():
            socket = self._lingering.popleft()[1]
            if self.connections.get(socket.key) is socket:
                del self.connections[socket.key]

    def _free(self, local: Endpoint, table: dict[tuple[int, int], Listening], protocol: int) -> tuple[int, int]:
        address, port = number(local[0]), local[1]
        if address and not self.kernel.is_local(address):
            raise NetError("Cannot assign requested address")

        def taken(port: int) -> bool:
            return (
                (address, port) in table or (0, port) in table or (not address and any(at[1] == port for at in table))
            )

        port = port or self._port(taken)
        if taken(port) or (protocol == UDP and port in self.tunnels):
            raise AddressInUse("Address already in use")
        return address, port

    def _port(self, taken: Callable[[int], bool]) -> int:
        for _ in range(LAST_PORT - FIRST_PORT + 1):
            port = self._next_port
            self._next_port = port + 1 if port < LAST_PORT else FIRST_PORT
            if not taken(port):
                return port
        raise AddressInUse("Cannot assign requested address")


def _nobody(_: str) -> None:
    pass
