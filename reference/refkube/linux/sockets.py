"""Sockets of a namespace, never blocking: TCP, UDP, ICMP echoes, tun devices and captures, told on the loop."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
from collections.abc import Callable
from itertools import count

from refkube.engine.loop import Loop, Timer
from refkube.hostnet import AddressInUse, Endpoint, NetError, Stream
from refkube.linux.inside import Inside
from refkube.linux.poller import READ, WRITE, SocketPoller

CHUNK = 65536  # bytes read at a time
LINGER = 30.0  # seconds in which the peer of a closed connection may still say that it has ended
_OUTCOMES = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
}
_ETH_P_ALL, _ETH_P_IP = 3, 0x0800
_SO_TIMESTAMPNS = 35
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_ECHO, _ECHO_REPLY, _UNREACHABLE = 8, 0, 3


class Sockets:
    """Makes the sockets of one namespace; closes those that are left when the namespace goes."""

    def __init__(self, inside: Inside, loop: Loop, poller: SocketPoller):
        self._inside = inside
        self._loop = loop
        self._poller = poller
        self._open: dict[int, _Socket] = {}
        self._echoes = count(os.getpid() & 0x7FFF)

    def listen(self, local: Endpoint, accepted: Callable[[Stream], object]) -> _Listener:
        made = self._bound(socket.SOCK_STREAM, local)
        made.listen(512)
        return _Listener(self, made, accepted)

    def connect(
        self,
        remote: Endpoint,
        opened: Callable[[Stream], object],
        failed: Callable[[str], object],
        timeout: float,
        source: Endpoint | None,
    ) -> _Attempt:
        self._poller.catch_up()
        made = self._bound(socket.SOCK_STREAM, source) if source else self.new(socket.AF_INET, socket.SOCK_STREAM)
        return _Attempt(self, made, remote, opened, failed, timeout)

    def bind(
        self,
        local: Endpoint,
        received: Callable[[bytes, Endpoint], object],
        remote: Endpoint | None = None,
        refused: Callable[[], object] | None = None,
    ) -> _Datagrams:
        made = self._bound(socket.SOCK_DGRAM, local)
        if remote:
            made.connect_ex(remote)  # what fails now fails again when something is sent
        return _Datagrams(self, made, received, refused)

    def ping(
        self, address: str, answered: Callable[[], object], failed: Callable[[str], object], timeout: float
    ) -> None:
        self._poller.catch_up()
        made = self.new(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        _Echo(self, made, address, next(self._echoes) & 0xFFFF, answered, failed, timeout)

    def open_tun(self, name: str, received: Callable[[bytes], object]) -> _Tun:
        return _Tun(self, name, self._inside(_open_tun, name), received)

    def capture(self, device: str, seen: Callable[[float, bytes], object]) -> _Capture:
        made = self.new(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        made.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        made.bind((device, _ETH_P_ALL))
        return _Capture(self, made, seen)

    def new(self, *kind: int) -> socket.socket:
        made = self._inside(socket.socket, *kind)
        made.setblocking(False)
        return made

    def _bound(self, kind: int, local: Endpoint) -> socket.socket:
        made = self.new(socket.AF_INET, kind)
        if kind == socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind(local)
        except OSError as why:
            made.close()
            told = f"{local[0]}:{local[1]}: {why.strerror}"
            raise (AddressInUse if why.errno == errno.EADDRINUSE else NetError)(why.errno, told) from None
        return made

    def close(self) -> None:
        for one in list(self._open.values()):
            one.drop()


class _Socket:
    """A descriptor that is watched until it is dropped."""

    def __init__(self, sockets: Sockets, fd: int):
        self._sockets = sockets
        self._loop, self._poller = sockets._loop, sockets._poller
        self._fd = fd
        sockets._open[fd] = self

    def _watch(self, events: int) -> None:
        self._poller.watch(self._fd, events, self._ready)

    def _ready(self, events: int) -> None:
        raise NotImplementedError

    def _close(self) -> None:
        os.close(self._fd)

    def drop(self) -> None:
        """Idempotent; nobody is told."""
        if self._fd >= 0:
            self._poller.forget(self._fd)
            del self._sockets._open[self._fd]
            self._close()
            self._fd = -1

    def close(self) -> None:
        self.drop()


class _Net(_Socket):
    def __init__(self, sockets: Sockets, made: socket.socket):
        super().__init__(sockets, made.fileno())
        self._socket = made

    def _close(self) -> None:
        self._socket.close()


class _Listener(_Net):
    def __init__(self, sockets: Sockets, made: socket.socket, accepted: Callable[[Stream], object]):
        super().__init__(sockets, made)
        self.local: Endpoint = made.getsockname()
        self._accepted = accepted
        self._watch(READ)

    def _ready(self, events: int) -> None:
        try:
            made, remote = self._socket.accept()
        except OSError:
            return  # whoever came has gone again
        made.setblocking(False)
        self._accepted(_Stream(self._sockets, made, remote))


class _Attempt(_Net):
    """A connection to be. Told is one of `opened` and `failed`, never from within the call that asks for it."""

    def __init__(
        self,
        sockets: Sockets,
        made: socket.socket,
        remote: Endpoint,
        opened: Callable[[Stream], object],
        failed: Callable[[str], object],
        timeout: float,
    ):
        super().__init__(sockets, made)
        self._remote, self._opened, self._failed = remote, opened, failed
        self._timer: Timer = self._loop.call_later(timeout, self._give_up, "timed out")
        code = made.connect_ex(remote)
        if code in (0, errno.EINPROGRESS):
            self._watch(WRITE)
        else:
            self._loop.call_soon(self._give_up, outcome(code))

    def _ready(self, events: int) -> None:
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._give_up(outcome(code))
            return
        self._timer.cancel()
        made = self._socket.dup()
        self.drop()
        made.setblocking(False)
        self._opened(_Stream(self._sockets, made, self._remote))

    def _give_up(self, why: str) -> None:
        if self._fd >= 0:
            self.close()
            self._failed(why)

    def close(self) -> None:
        self._timer.cancel()
        super().close()


class _Stream(_Net):
    """See hostnet.Stream."""

    def __init__(self, sockets: Sockets, made: socket.socket, remote: Endpoint):
        super().__init__(sockets, made)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.local: Endpoint = made.getsockname()
        self.remote = remote
        self._received: Callable[[bytes], object] | None = None
        self._closed: Callable[[str], object] | None = None
        self._unread = b""
        self._unsent = bytearray()
        self._ended: str | None = None  # how the peer has ended, as `closed` tells it
        self._told = self._closing = False
        self._watch(READ)

    @property
    def received(self) -> Callable[[bytes], object]:
        return self._received or _ignore

    @received.setter
    def received(self, call: Callable[[bytes], object]) -> None:
        self._received = call
        self._loop.call_soon(self._tell)

    @property
    def closed(self) -> Callable[[str], object]:
        return self._closed or _ignore

    @closed.setter
    def closed(self, call: Callable[[str], object]) -> None:
        self._closed = call
        self._loop.call_soon(self._tell)

    def send(self, data: bytes) -> None:
        if self._fd >= 0 and not self._closing and self._ended in (None, ""):
            self._unsent += data
            self._flush()

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._flush()

    def abort(self) -> None:
        if self._fd >= 0:
            self._closing = True
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.drop()

    def _ready(self, events: int) -> None:
        if events & WRITE:
            self._flush()
        if events & READ and self._fd >= 0:
            self._read()

    def _read(self) -> None:
        try:
            data = self._socket.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError as why:
            self._end(outcome(why.errno or 0))
            return
        if not data:
            self._end("")
        elif not self._closing:
            self._unread += data
            self._tell()

    def _end(self, how: str) -> None:
        self._ended = how
        if how:
            self.drop()
        else:
            self._rewatch()
            self._finish()
        self._tell()

    def _tell(self) -> None:
        """What came, and then how it ended, as soon as somebody listens."""
        if self._unread and self._received and not self._closing:
            data, self._unread = self._unread, b""
            self._received(data)
        if self._ended is not None and self._closed and not self._told and not self._unread and not self._closing:
            self._told = True
            self._closed(self._ended)

    def _flush(self) -> None:
        if self._fd < 0:
            return
        try:
            while self._unsent:
                del self._unsent[: self._socket.send(self._unsent)]
        except BlockingIOError:
            pass
        except OSError as why:
            self._end(outcome(why.errno or 0))
            return
        self._rewatch()
        self._finish()

    def _finish(self) -> None:
        """Say the end once all is sent; go when the peer has said it, too."""
        if not self._closing or self._unsent or self._fd < 0:
            return
        if self._ended is not None:
            self.drop()
            return
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.drop()
            return
        self._loop.call_later(LINGER, self.drop)

    def _rewatch(self) -> None:
        events = (READ if self._ended is None else 0) | (WRITE if self._unsent else 0)
        if events:
            self._watch(events)
        else:
            self._poller.forget(self._fd)


class _Datagrams(_Net):
    def __init__(
        self,
        sockets: Sockets,
        made: socket.socket,
        received: Callable[[bytes, Endpoint], object],
        refused: Callable[[], object] | None,
    ):
        super().__init__(sockets, made)
        self.local: Endpoint = made.getsockname()
        self._received, self._refused = received, refused
        self._watch(READ)

    def send(self, data: bytes, to: Endpoint) -> None:
        self._poller.catch_up()
        try:
            self._socket.sendto(data, to)
        except OSError as why:
            self._failed(why)  # as on the wire: whoever waits for an answer waits in vain

    def _failed(self, why: OSError) -> None:
        """Linux tells once, at the next call, that nobody listens at the other end."""
        if why.errno == errno.ECONNREFUSED and self._refused:
            self._loop.call_soon(self._refused)

    def _ready(self, events: int) -> None:
        try:
            data, sender = self._socket.recvfrom(CHUNK)
        except OSError as why:
            self._failed(why)
            return
        self._received(data, sender)


class _Echo(_Net):
    def __init__(
        self,
        sockets: Sockets,
        made: socket.socket,
        address: str,
        number: int,
        answered: Callable[[], object],
        failed: Callable[[str], object],
        timeout: float,
    ):
        super().__init__(sockets, made)
        self._number, self._answered, self._failed = number, answered, failed
        self._timer = self._loop.call_later(timeout, self._finish, "timed out")
        self._watch(READ)
        head = struct.pack("!BBHHH", _ECHO, 0, 0, number, 1)
        try:
            made.sendto(struct.pack("!BBHHH", _ECHO, 0, checksum(head), number, 1), (address, 0))
        except OSError as why:
            self._loop.call_soon(self._finish, outcome(why.errno or 0))

    def _ready(self, events: int) -> None:
        try:
            packet = self._socket.recv(CHUNK)
        except OSError as why:
            self._finish(outcome(why.errno or 0))
            return
        body = packet[(packet[0] & 15) * 4 :]
        kind = body[0]
        if kind == _UNREACHABLE:
            inner = body[8:]
            body = inner[(inner[0] & 15) * 4 :]
        if kind in (_ECHO_REPLY, _UNREACHABLE) and struct.unpack("!H", body[4:6])[0] == self._number:
            self._finish("" if kind == _ECHO_REPLY else "unreachable")

    def _finish(self, why: str) -> None:
        if self._fd >= 0:
            self._timer.cancel()
            self.drop()
            if why:
                self._failed(why)
            else:
                self._answered()


class _Tun(_Socket):
    def __init__(self, sockets: Sockets, name: str, fd: int, received: Callable[[bytes], object]):
        super().__init__(sockets, fd)
        self.name = name
        self._received = received
        self._watch(READ)

    def write(self, packet: bytes) -> None:
        try:
            os.write(self._fd, packet)
        except OSError:
            pass  # a device that is down drops what it is given

    def _ready(self, events: int) -> None:
        try:
            packet = os.read(self._fd, CHUNK)
        except OSError:
            return
        self._received(packet)


class _Capture(_Net):
    def __init__(self, sockets: Sockets, made: socket.socket, seen: Callable[[float, bytes], object]):
        super().__init__(sockets, made)
        self._seen = seen
        self._watch(READ)

    def _ready(self, events: int) -> None:
        """With the kernel's time, as captures of several devices are to be put in order."""
        while self._fd >= 0:
            try:
                data, told, _, _ = self._socket.recvmsg(CHUNK, 64)
            except OSError:
                return
            seconds, nanoseconds = struct.unpack("qq", told[0][2][:16])
            self._seen(seconds + nanoseconds / 1e9, data)


def outcome(code: int) -> str:
    return _OUTCOMES.get(code, "timed out")


def checksum(data: bytes) -> int:
    """RFC 1071."""
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def _open_tun(name: str) -> int:
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH14x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    return fd


def _ignore(*told: object) -> None:
    pass
