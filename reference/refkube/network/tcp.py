"""One TCP connection, without knowing what carries its segments (RFC 9293, with Linux's timers).

Handshake, data in order, retransmission, close in order and reset, window of a fixed size. Sequence numbers are counted
on without wrapping. Left out: congestion control, selective acknowledgements, keep-alive, simultaneous open.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from refkube.engine.loop import Loop, Timer
from refkube.network.packet import ACK, FIN, PSH, RST, SYN, Packet

SYN_RETRIES, SYNACK_RETRIES, DATA_RETRIES = 6, 5, 15
FIRST_WAIT, LEAST_WAIT, LONGEST_WAIT = 1.0, 0.2, 120.0
WINDOW = 65535
LEAST_MSS = 536


class Transport(Protocol):
    """What a connection needs of the stack."""

    loop: Loop

    def emit(self, connection: Connection, flags: int, seq: int, payload: bytes) -> None: ...

    def opened(self, connection: Connection) -> None: ...

    def over(self, connection: Connection, linger: bool) -> None:
        """It is not there any more, or lingers in TIME_WAIT."""
        ...


class Connection:
    """Also what hostnet calls a Stream. `fate` says why it ended."""

    def __init__(self, transport: Transport, local: tuple[str, int], remote: tuple[str, int], initial: int, mss: int):
        self._transport = transport
        self.local, self.remote, self.mss = local, remote, mss
        self.state, self.fate, self.ever_open = "CLOSED", "", False
        self._received: Callable[[bytes], object] | None = None
        self._closed: Callable[[str], object] | None = None
        self._early: list[bytes] = []
        self._ended: str | None = None  # what `closed` is told, or will be
        self._told = False
        self._initial = initial
        self._una = self._next = self._highest = initial  # first unacknowledged, next to send, the latter's highest
        self._queue = bytearray()  # from _una (or after the SYN) on
        self._fin: int | None = None  # the number of our FIN, once all data is known
        self.rcv_next = 0
        self._their_fin: int | None = None
        self._later: dict[int, bytes] = {}  # segments after a gap
        self._timer: Timer | None = None
        self._tries = self._duplicates = 0
        self._window = WINDOW
        self._acked = 0  # what the last segment acknowledged

    # What its owner does

    @property
    def received(self) -> Callable[[bytes], object]:
        return self._received or _nothing

    @received.setter
    def received(self, call: Callable[[bytes], object]) -> None:
        self._received = call
        early, self._early = self._early, []
        for data in early:
            call(data)
        self._tell()

    @property
    def closed(self) -> Callable[[str], object]:
        return self._closed or _nothing

    @closed.setter
    def closed(self, call: Callable[[str], object]) -> None:
        self._closed = call
        self._tell()

    def send(self, data: bytes) -> None:
        """What is sent after the end goes nowhere."""
        if self._fin is None and self.state in ("SYN_SENT", "SYN_RECV", "ESTABLISHED", "CLOSE_WAIT"):
            self._queue += data
            self._push()

    def close(self) -> None:
        if self._fin is not None or self.state in ("CLOSED", "TIME_WAIT"):
            return
        if self.state == "SYN_SENT":
            self._finish()
            return
        self._fin = max(self._una, self._initial + 1) + len(self._queue)
        self._push()

    def abort(self) -> None:
        if self.state not in ("CLOSED", "TIME_WAIT"):
            if self.state != "SYN_SENT":
                self._emit(RST | ACK, self._next, b"")
            self._told = True
            self._finish()

    # What the stack does

    def open(self) -> None:
        self.state = "SYN_SENT"
        self._next = self._initial + 1
        self._emit(SYN, self._initial, b"")
        self._arm(FIRST_WAIT)

    def accept(self, syn: Packet) -> None:
        self.state = "SYN_RECV"
        self.rcv_next = syn.seq + 1
        self.mss = min(self.mss, syn.mss or LEAST_MSS)
        self._next = self._initial + 1
        self._emit(SYN | ACK, self._initial, b"")
        self._arm(FIRST_WAIT)

    def arrived(self, packet: Packet) -> None:
        if self.state == "SYN_SENT":
            self._answered(packet)
            return
        flags = packet.flags
        if flags & RST:
            if packet.seq == self.rcv_next or self.rcv_next < packet.seq < self.rcv_next + WINDOW:
                self.fail("reset")
            return
        if flags & SYN:
            if self.state == "SYN_RECV" and not flags & ACK:
                self._emit(SYN | ACK, self._initial, b"")
            else:
                self._emit(ACK, self._next, b"")
            return
        if flags & ACK:
            self._acknowledged(packet)
        if self.state == "CLOSED":
            return
        if packet.payload or flags & FIN:
            self._take(packet)

    def too_big(self, mtu: int) -> None:
        """A router on the way says how much fits: all that is under way goes again, smaller."""
        if mtu - 40 < self.mss:
            self.mss = max(mtu - 40, 8)
            self._rewind()

    @property
    def sent(self) -> int:
        """The number of what would be sent next."""
        return self._next

    def forget(self) -> None:
        """It vanishes with its namespace: nobody is told."""
        self._disarm()
        self.state, self._told = "CLOSED", True

    def fail(self, why: str) -> None:
        self.fate = self.fate or why
        self._end(why)
        self._finish()

    # Sending

    def _push(self) -> None:
        """Send what the window lets through, and the FIN after it."""
        if self.state not in ("ESTABLISHED", "CLOSE_WAIT", "FIN_WAIT1", "CLOSING", "LAST_ACK"):
            return
        end = self._una + len(self._queue)
        while self._next < end and self._next - self._una < self._window:
            start = self._next - self._una
            data = bytes(self._queue[start : start + self.mss])
            self._next += len(data)
            self._emit(ACK | (PSH if self._next == end else 0), self._next - len(data), data)
        if self._fin is not None and self._next == self._fin:
            self._next += 1
            if self.state in ("ESTABLISHED", "CLOSE_WAIT"):
                self.state = "FIN_WAIT1" if self.state == "ESTABLISHED" else "LAST_ACK"
            self._emit(FIN | ACK, self._fin, b"")
        self._highest = max(self._highest, self._next)
        if self._next > self._una and self._timer is None:
            self._arm(LEAST_WAIT)

    def _rewind(self) -> None:
        if self.state not in ("SYN_SENT", "SYN_RECV"):
            self._next = self._una
            self._push()

    def _acknowledged(self, packet: Packet) -> None:
        ack = packet.ack
        if self.state == "SYN_RECV" and ack > self._initial:
            self.state, self._una = "ESTABLISHED", self._initial + 1
            self._tries = 0
            self._disarm()
            self._open()
        if self._una < ack <= self._highest:
            count = ack - self._una
            fin_done = self._fin is not None and ack > self._fin
            del self._queue[: count - fin_done]
            self._una, self._tries, self._duplicates, self._window = ack, 0, 0, WINDOW
            self._next = max(self._next, ack)
            self._disarm()
            if fin_done:
                self._fin_done()
        elif ack == self._una and self._next > self._una and not packet.payload and not packet.flags & FIN:
            self._duplicates += 1
            if self._duplicates == 3:
                self._resend()
        self._push()

    def _resend(self) -> None:
        """The first segment that is not acknowledged."""
        data = bytes(self._queue[: self.mss])
        if data:
            self._emit(ACK | PSH, self._una, data)
        elif self._fin is not None:
            self._emit(FIN | ACK, self._una, b"")

    def _fin_done(self) -> None:
        if self.state == "FIN_WAIT1":
            self.state = "FIN_WAIT2"
        elif self.state == "CLOSING":
            self._finish(linger=True)
        elif self.state == "LAST_ACK":
            self._finish()

    def _emit(self, flags: int, seq: int, payload: bytes) -> None:
        self._acked = self.rcv_next
        self._transport.emit(self, flags, seq, payload)

    def _open(self) -> None:
        self.ever_open = True
        self._transport.opened(self)

    # Receiving

    def _answered(self, packet: Packet) -> None:
        if not packet.flags & ACK or packet.ack != self._next:
            return
        if packet.flags & RST:
            self.fail("refused")
        elif packet.flags & SYN:
            self.state, self._una, self.rcv_next = "ESTABLISHED", packet.ack, packet.seq + 1
            self.mss = min(self.mss, packet.mss or LEAST_MSS)
            self._tries = 0
            self._disarm()
            self._emit(ACK, self._next, b"")
            self._open()
            self._push()

    def _take(self, packet: Packet) -> None:
        data, seq, before = bytes(packet.payload), packet.seq, self.rcv_next
        if packet.flags & FIN:
            self._their_fin = seq + len(data)
        if data and seq <= self.rcv_next + WINDOW:
            self._later[seq] = max(data, self._later.get(seq, b""), key=len)
        while self._later:
            first = min(self._later)
            if first > self.rcv_next:
                break
            new = self._later.pop(first)[self.rcv_next - first :]
            self.rcv_next += len(new)
            if new:
                self._give(new)
        ended = self._their_fin == self.rcv_next and self._ended is None
        if ended:
            self.rcv_next += 1
        if self.state != "CLOSED" and (self._acked != self.rcv_next or self.rcv_next == before):
            self._emit(ACK, self._next, b"")
        if ended:
            self._peer_closed()

    def _peer_closed(self) -> None:
        if self.state == "ESTABLISHED":
            self.state = "CLOSE_WAIT"
        elif self.state == "FIN_WAIT1":
            self.state = "CLOSING"
        elif self.state == "FIN_WAIT2":
            self._finish(linger=True)
        self._end("")

    def _give(self, data: bytes) -> None:
        if self._received is None:
            self._early.append(data)
        else:
            self._received(data)

    def _end(self, why: str) -> None:
        if self._ended is None:
            self._ended = why
            self._tell()

    def _tell(self) -> None:
        if self._ended is not None and not self._told and self._closed is not None and not self._early:
            self._told = True
            self._closed(self._ended)

    # Timers

    def _finish(self, linger: bool = False) -> None:
        self._disarm()
        self.state = "TIME_WAIT" if linger else "CLOSED"
        self._transport.over(self, linger)

    def _arm(self, first: float) -> None:
        wait = min(first * 2**self._tries, LONGEST_WAIT)
        self._timer = self._transport.loop.call_later(wait, self._expired, first)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expired(self, first: float) -> None:
        self._timer = None
        retries = {"SYN_SENT": SYN_RETRIES, "SYN_RECV": SYNACK_RETRIES}.get(self.state, DATA_RETRIES)
        if self._tries >= retries:
            self.fail("timed out")
            return
        self._tries += 1
        if self.state == "SYN_SENT":
            self._emit(SYN, self._initial, b"")
        elif self.state == "SYN_RECV":
            self._emit(SYN | ACK, self._initial, b"")
        else:
            self._window = self.mss  # one segment, until something is acknowledged
            self._rewind()
        if self._timer is None:
            self._arm(first)


def _nothing(_: object) -> None:
    pass
