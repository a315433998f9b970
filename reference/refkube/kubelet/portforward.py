"""Forwarded ports: from a client's WebSocket to what listens in a Pod's network, and back.

`kubelet.server` begins it. Two protocols: SPDY, in a WebSocket (kubectl) or without, where each connection is a pair of
streams; and channels of a WebSocket, two for each port that the request names.
Source: cri-streaming/pkg/streaming/portforward.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from refkube.apimachinery import spdy
from refkube.apimachinery.remotecommand import CHANNEL, V4, Session
from refkube.hostnet import Stream as Connection
from refkube.kubelet.runtime.container import Sandbox

FORWARDED = "portforward.k8s.io"
TUNNELLED = f"SPDY/3.1+{FORWARDED}"
PROTOCOLS = (TUNNELLED, V4, CHANNEL, "")
WHY = {"refused": "connect: connection refused", "timed out": "i/o timeout", "unreachable": "no route to host"}


def forwarding(session: Session, protocol: str, sandbox: Sandbox, ports: list[str]) -> None:
    """Until one side closes the session."""
    if protocol == TUNNELLED:
        _Streams(session, sandbox)
    else:
        _Channels(session, sandbox, [int(port) for port in ports])


def is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 65536


class _Way:
    """One connection to a port. `out` gets what comes from there, `over` is called once: with "", or why it failed."""

    def __init__(self, sandbox: Sandbox, port: int, out: Callable[[bytes], object], over: Callable[[str], object]):
        self._connection: Connection | None = None
        self._early: list[bytes | None] = []
        self._out = out
        self._over = over
        self._gone = False
        self._where = f"error forwarding port {port} to pod {sandbox.name}, uid {sandbox.uid}"
        if sandbox.net is None:
            self._failed("the pod has no network")
        else:
            sandbox.net.connect(("127.0.0.1", port), self._opened, self._failed)

    def send(self, data: bytes | None) -> None:
        """None: there will be no more."""
        if self._connection is None:
            self._early.append(data)
        elif data is None:
            self._connection.close()
        else:
            self._connection.send(data)

    def abandon(self) -> None:
        self._gone = True
        if self._connection is not None:
            self._connection.abort()

    def _opened(self, connection: Connection) -> None:
        if self._gone:
            connection.abort()
            return
        self._connection = connection
        for data in self._early:
            self.send(data)
        connection.received, connection.closed = self._received, self._closed

    def _received(self, data: bytes) -> None:
        if not self._gone:
            self._out(data)

    def _closed(self, why: str) -> None:
        if self._connection is not None:
            self._connection.close()
        self._end(f"{self._where}: {why}" if why else "")

    def _failed(self, why: str) -> None:
        self._end(f"{self._where}: dial tcp4: {WHY.get(why, why)}")

    def _end(self, why: str) -> None:
        if not self._gone:
            self._gone = True
            self._over(why)


class _Streams:
    """SPDY in a WebSocket."""

    def __init__(self, session: Session, sandbox: Sandbox):
        self._session = session
        self._sandbox = sandbox
        self._spdy = spdy.Connection(session.send, self._opened)
        self._errors: dict[str, spdy.Stream] = {}
        self._ways: dict[int, _Way] = {}
        session.received, session.closed = self._received, self._close

    def _received(self, message: bytes) -> None:
        try:
            self._spdy.received(message)
        except spdy.ProtocolError:
            self._session.close()

    def _opened(self, stream: spdy.Stream) -> bool:
        kind, port = stream.headers.get("streamtype", ""), stream.headers.get("port", "")
        about = stream.headers.get("requestid") or str(stream.id - 2 if kind == "data" else stream.id)
        if not is_port(port) or kind not in ("data", "error"):
            return False
        if kind == "error":
            self._errors[about] = stream
            stream.reset = partial(self._errors.pop, about, None)
            return True
        way = self._ways[stream.id] = _Way(
            self._sandbox, int(port), stream.write, lambda why: self._over(stream, about, why)
        )
        stream.received, stream.reset = way.send, lambda: self._reset(stream)
        return True

    def _reset(self, stream: spdy.Stream) -> None:
        if (way := self._ways.pop(stream.id, None)) is not None:
            way.abandon()

    def _over(self, data: spdy.Stream, about: str, why: str) -> None:
        error = self._errors.pop(about, None)
        self._ways.pop(data.id, None)
        for stream in filter(None, (error, data)):
            if why and stream is error:
                stream.write(why.encode())
            (stream.cancel if why else stream.end)()

    def _close(self) -> None:
        for way in self._ways.values():
            way.abandon()


class _Channels:
    """For each port a channel for data and one for errors, which both begin with its number."""

    def __init__(self, session: Session, sandbox: Sandbox, ports: list[int]):
        self._session = session
        self._open = len(ports)
        session.received, session.closed = self._received, self._close
        if not ports:
            session.close()
        for index, port in enumerate(ports):
            for channel in (2 * index, 2 * index + 1):
                session.send(bytes([channel]) + port.to_bytes(2, "little"))
        self._ways = [
            _Way(sandbox, port, partial(self._out, 2 * index), partial(self._over, 2 * index + 1))
            for index, port in enumerate(ports)
        ]

    def _out(self, channel: int, data: bytes) -> None:
        self._session.send(bytes([channel]) + data)

    def _over(self, channel: int, why: str) -> None:
        if why:
            self._out(channel, why.encode())
        self._open -= 1
        if not self._open:
            self._session.close()

    def _received(self, message: bytes) -> None:
        way, rest = divmod(message[0], 2) if message else (len(self._ways), 0)
        if way < len(self._ways) and not rest:
            self._ways[way].send(message[1:])

    def _close(self) -> None:
        for way in self._ways:
            way.abandon()
