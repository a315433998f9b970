"""TLS over a host network's streams: what asks or serves over a `Namespace` does so over `Secured` as well.

Probes and hooks ask with it, agnhost serves with it. OpenSSL knows the protocol.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from refkube.hostnet import Closable, Endpoint, Listener, Namespace, Stream

READ = 65536
PLAIN = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"  # as Go's server says it
NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")


class Secured:
    """A network on which every connection is encrypted. ValueError for what is no certificate or no key."""

    def __init__(self, net: Namespace, certificate: bytes = b"", key: bytes = b""):
        self._net = net
        self._context = _serving(certificate, key) if certificate else _trusting()

    def connect(
        self, remote: Endpoint, opened: Callable[[Stream], object], failed: Callable[[str], object], timeout: float
    ) -> Closable:
        made: list[Stream] = []

        def connected(stream: Stream) -> None:
            made.append(stream)
            _Tls(stream, self._context, False, opened, failed)

        return _Pending(self._net.connect(remote, connected, failed, timeout), made)

    def listen(self, local: Endpoint, accepted: Callable[[Stream], object]) -> Listener:
        def connected(stream: Stream) -> None:
            _Tls(stream, self._context, True, accepted, lambda why: None)

        return self._net.listen(local, connected)


class _Pending:
    def __init__(self, below: Closable, made: list[Stream]):
        self._below, self._made = below, made

    def close(self) -> None:
        self._below.close()
        for stream in self._made:
            stream.abort()


class _Tls:
    """One connection (`hostnet.Stream`), told as `opened` once both sides have shaken hands."""

    def __init__(
        self,
        below: Stream,
        context: ssl.SSLContext,
        server: bool,
        opened: Callable[[Stream], object],
        failed: Callable[[str], object],
    ):
        self.local, self.remote = below.local, below.remote
        self.received: Callable[[bytes], object] = lambda data: None
        self.closed: Callable[[str], object] = failed
        self._below = below
        self._server = server
        self._opened: Callable[[Stream], object] | None = opened
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._connection = context.wrap_bio(self._in, self._out, server_side=server)
        below.received, below.closed = self._came, self._ended
        self._go_on()

    def send(self, data: bytes) -> None:
        if data:
            self._connection.write(data)
            self._flush()

    def close(self) -> None:
        self._below.close()

    def abort(self) -> None:
        self._below.abort()

    def _came(self, data: bytes) -> None:
        self._in.write(data)
        self._go_on()

    def _go_on(self) -> None:
        try:
            if self._opened is not None:
                self._connection.do_handshake()
                self._flush()
                opened, self._opened = self._opened, None
                opened(self)
            while data := self._connection.read(READ):
                self.received(data)
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError as why:
            self._fail(why.reason or str(why))

    def _flush(self) -> None:
        if data := self._out.read():
            self._below.send(data)

    def _fail(self, reason: str) -> None:
        self._below.closed = lambda why: None
        if self._server:
            self._below.send(PLAIN if reason == "HTTP_REQUEST" else self._out.read())
            self._below.close()
        else:
            self._below.abort()
        said = reason.lower().replace("_", " ")
        self.closed("http: server gave HTTP response to HTTPS client" if reason in NO_TLS else f"tls: {said}")

    def _ended(self, why: str) -> None:
        self.closed(why or ("EOF" if self._opened is not None else ""))


def _trusting() -> ssl.SSLContext:
    """As a kubelet asks: whoever answers is believed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _serving(certificate: bytes, key: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with TemporaryDirectory() as directory:
        certificate_path, key_path = Path(directory) / "crt", Path(directory) / "key"
        certificate_path.write_bytes(certificate)
        key_path.write_bytes(key)
        try:
            context.load_cert_chain(certificate_path, key_path)
        except ssl.SSLError as why:
            raise ValueError(f"tls: {why.reason}") from None
    return context
