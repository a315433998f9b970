"""Commands in containers of a live cluster: `pods/exec` over a WebSocket, as kubectl speaks it.

The socket is the API client's own: its credentials, its certificates. Used by `commands`. Source: client-go's
tools/remotecommand (v5.channel.k8s.io: a byte that names the stream, then the data).
"""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Sequence
from urllib.parse import urlencode

import httpcore2
import httpx2
from wsproto.connection import CLIENT, Connection
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.utilities import ProtocolError

_STDIN, _STDOUT, _STDERR, _CLOSE = b"\0", b"\1", b"\2", b"\xff"
CHUNK = 65536
_BROKEN = (httpcore2.NetworkError, httpcore2.ProtocolError, httpx2.TransportError, ProtocolError, OSError)


class NotRun(AssertionError):
    """The command could not be begun, or was cut off; the text is one line."""


class Command:
    """One command under way in a container. `path` leads to an exec; `errors` is what it has written to stderr."""

    def __init__(self, client: httpx2.Client, path: str, words: Sequence[str], stdin: bool = False):
        told = [("command", word) for word in words] + [(name, "true") for name in ("stdout", "stderr", "stdin")]
        headers = {
            "connection": "Upgrade",
            "upgrade": "websocket",
            "sec-websocket-version": "13",
            "sec-websocket-key": b64encode(secrets.token_bytes(16)).decode(),
            "sec-websocket-protocol": "v5.channel.k8s.io, v4.channel.k8s.io",
        }
        options = urlencode(told if stdin else told[:-1])
        try:
            response = client.send(client.build_request("GET", path, params=options, headers=headers), stream=True)
            if response.status_code != 101:
                response.read()
                raise NotRun(f"a command at {path} was refused ({response.status_code}): {response.text.strip()[:300]}")
        except httpx2.TransportError as why:
            raise NotRun(f"a command at {path}: {type(why).__name__}: {why}") from None
        self._response = response
        self._stream = response.extensions["network_stream"]
        self._frames = Connection(CLIENT)
        self._read = bytearray()
        self._message = b""
        self._over = False
        self.errors = b""

    def write(self, data: bytes) -> None:
        """To its input."""
        try:
            self._stream.write(self._frames.send(BytesMessage(_STDIN + data)))
        except _BROKEN:
            self._over = True

    def read(self, timeout: float) -> bytes:
        """What it has written to stdout since, as soon as there is something; nothing at its end. TimeoutError."""
        try:
            while not self._read and not self._over:
                data = self._stream.read(CHUNK, timeout)
                self._frames.receive_data(data or None)
                self._take()
        except httpcore2.TimeoutException:
            raise TimeoutError from None
        except _BROKEN:
            self._over = True
        told = bytes(self._read)
        self._read.clear()
        return told

    def output(self, timeout: float) -> str:
        """All of stdout, once it has ended; `timeout` is how long it may say nothing."""
        try:
            return b"".join(iter(lambda: self.read(timeout), b"")).decode(errors="replace")
        except TimeoutError:
            raise NotRun(f"a command said nothing for {timeout:.0f} seconds") from None
        finally:
            self.close()

    def close(self) -> None:
        """Its input ends, and so does what waits for it. Idempotent."""
        try:
            if not self._over:
                self._stream.write(self._frames.send(BytesMessage(_CLOSE + _STDIN)))
                self._stream.write(self._frames.send(CloseConnection(1000)))
        except _BROKEN:
            pass
        self._over = True
        self._response.close()

    def _take(self) -> None:
        for event in self._frames.events():
            if isinstance(event, BytesMessage):
                self._message += event.data
                if event.message_finished:
                    channel, data = self._message[:1], self._message[1:]
                    self._message = b""
                    if channel == _STDOUT:
                        self._read += data
                    elif channel == _STDERR:
                        self.errors += data
            elif isinstance(event, Ping):
                self._stream.write(self._frames.send(event.response()))
            elif isinstance(event, CloseConnection) or not isinstance(event, TextMessage):
                self._over = True
