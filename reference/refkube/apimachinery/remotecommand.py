"""The streams of exec, attach and port-forward on one WebSocket: a byte that names the channel, then the data. Or, as
upstream's API server asks kubelets, on SPDY.

Between `kubelet.server`, which runs what was asked for, and `serving`, which has the socket; clients speak the same.
Source: client-go/tools/remotecommand (v5.channel.k8s.io), apimachinery/pkg/util/remotecommand, kubelet's
portforward/websocket.go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import orjson

from refkube.apimachinery import spdy
from refkube.apimachinery.meta import Object

STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
CHANNELS = ("stdin", "stdout", "stderr", "error", "resize")  # by their numbers
V5, V4, CHANNEL = "v5.channel.k8s.io", "v4.channel.k8s.io", "channel.k8s.io"
# The fifth can say that a channel is closed; before the fourth, also where none is named, an error is told in words.
PROTOCOLS = (V5, V4, CHANNEL, "")


class Session(Protocol):
    """One WebSocket. Whoever has it sets `received`, called with each binary message, and `closed`, called once."""

    received: Callable[[bytes], object]
    closed: Callable[[], object]

    def send(self, data: bytes) -> None: ...

    def close(self) -> None: ...


def chosen(offered: str, known: Sequence[str]) -> str | None:
    """The protocol to speak of those that a client offers; "" if it offers none, None if none of its is known."""
    names = [name.strip() for name in offered.split(",")]
    return next((name for name in names if name in known), None)


def exit_status(code: int, why: str = "") -> Object:
    """What the error channel tells at the end of a command."""
    if not code and not why:
        return {"metadata": {}, "status": "Success"}
    status: Object = {"metadata": {}, "status": "Failure"}
    if why:
        return {**status, "reason": "InternalError", "code": 500, "message": why}
    message = f"command terminated with non-zero exit code: exit status {code}"
    cause = {"reason": "ExitCode", "message": str(code)}
    return {**status, "reason": "NonZeroExitCode", "message": message, "details": {"causes": [cause]}}


class OverSpdy:
    """A session whose channels are streams of SPDY; it begins once as many are there as were asked for."""

    def __init__(self, below: Session, expected: int, begin: Callable[[Session], object]):
        self.received: Callable[[bytes], object] = lambda data: None
        self.closed: Callable[[], object] = lambda: None
        self._below = below
        self._expected = expected
        self._begin = begin
        self._streams: dict[int, spdy.Stream] = {}
        self._early: list[bytes] = []
        self._spdy = spdy.Connection(below.send, self._opened)
        below.received, below.closed = self._came, lambda: self.closed()

    def send(self, data: bytes) -> None:
        if len(data) > 1 and data[0] in self._streams:
            self._streams[data[0]].write(data[1:])

    def close(self) -> None:
        for stream in self._streams.values():
            stream.end()
        self._below.close()

    def _came(self, data: bytes) -> None:
        try:
            self._spdy.received(data)
        except spdy.ProtocolError:
            self._below.close()

    def _opened(self, stream: spdy.Stream) -> bool:
        kind = stream.headers.get("streamtype", "")
        if kind not in CHANNELS:
            return False
        channel = CHANNELS.index(kind)
        self._streams[channel] = stream
        stream.received = lambda data: self._told(
            bytes([CLOSE, channel] if data is None else [channel]) + (data or b"")
        )
        if len(self._streams) == self._expected:
            self._begin(self)
            for message in self._early:
                self.received(message)
        return True

    def _told(self, message: bytes) -> None:
        if len(self._streams) < self._expected:
            self._early.append(message)
        else:
            self.received(message)


class Streams:
    """A command's streams on a session. `stdin` gets what the client writes, None at its end. An empty message of
    `first`, a channel, says that all is set up."""

    def __init__(
        self,
        session: Session,
        protocol: str,
        stdin: Callable[[bytes | None], object],
        gone: Callable[[], object],
        first: int,
    ):
        self._session = session
        self._in_words = protocol not in (V5, V4)
        self._stdin = stdin
        self._over = False
        session.received = self._received
        session.closed = lambda: None if self._over else gone()
        session.send(bytes([first]))

    def out(self, data: bytes) -> None:
        self._send(STDOUT, data)

    def err(self, data: bytes) -> None:
        self._send(STDERR, data)

    def end(self, status: Object) -> None:
        told = status.get("message", "").encode() if self._in_words else orjson.dumps(status)
        self._send(ERROR, told)
        self._over = True
        self._session.close()

    def _send(self, channel: int, data: bytes) -> None:
        if data and not self._over:
            self._session.send(bytes([channel]) + data)

    def _received(self, message: bytes) -> None:
        channel, data = message[:1], message[1:]
        if channel == bytes([STDIN]) and data:
            self._stdin(data)
        elif channel == bytes([CLOSE]) and data[:1] == bytes([STDIN]):
            self._stdin(None)
