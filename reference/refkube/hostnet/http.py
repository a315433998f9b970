"""HTTP/1.1 over a host network's sockets: requests asked, one after another, and servers that answer.

Probes, hooks and drivers ask with it; kube-proxy, coredns and programs serve with it. h11 knows the protocol.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote

import h11

from refkube.apimachinery.rest import Stream as Body
from refkube.hostnet import Closable, Endpoint, Listener, Stream

_PLAIN = "/?&=%:;,+@!$'()*~#[]"  # of a target: what is not escaped


class Net(Protocol):
    """Where connections are made: a namespace, or one on which they are encrypted."""

    def connect(
        self, remote: Endpoint, opened: Callable[[Stream], object], failed: Callable[[str], object], timeout: float
    ) -> Closable: ...

    def listen(self, local: Endpoint, accepted: Callable[[Stream], object]) -> Listener: ...


@dataclass
class Answer:
    """`stream` is a body that goes on, in the place of `body`; only servers answer with one."""

    code: int
    body: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=list)
    stream: Body | None = None


@dataclass
class Asked:
    """A request as a server gets it. `answer` is called once, at once or later."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    client: Endpoint
    answer: Callable[[Answer], None]

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


class Client:
    """A connection on which one request after another is asked; made with the first."""

    def __init__(self, net: Net, to: Endpoint, timeout: float = 127.0):
        self._net, self._to, self._timeout = net, to, timeout
        self._connection = h11.Connection(h11.CLIENT)
        self._stream: Stream | None = None
        self._pending: Closable | None = None
        self._told: tuple[Callable[[Answer], object], Callable[[str], object]] | None = None
        self._answer = Answer(0)
        self._sent = b""
        self._over = ""  # why nothing more comes

    def ask(
        self,
        method: str,
        target: str,
        headers: list[tuple[str, str]],
        answered: Callable[[Answer], object],
        failed: Callable[[str], object],
        body: bytes = b"",
    ) -> None:
        """`failed` is told why in a few words. Raises ValueError for what is no request, or no address."""
        connection = self._connection
        try:
            if connection.our_state is h11.DONE:
                connection.start_next_cycle()
            asked = h11.Request(method=method, target=quote(target, safe=_PLAIN), headers=_bytes(headers))
            sent = (connection.send(asked) or b"") + (connection.send(h11.Data(body)) or b"" if body else b"")
            sent += connection.send(h11.EndOfMessage()) or b""
        except h11.LocalProtocolError as why:
            raise ValueError(str(why)) from None
        self._told, self._answer = (answered, failed), Answer(0)
        if self._over:
            self._end(None, self._over)
            return
        if self._stream is not None:
            self._stream.send(sent)
            return
        self._sent = sent
        self._pending = self._net.connect(self._to, self._opened, lambda why: self._end(None, why), self._timeout)

    @property
    def remote(self) -> str:
        """The address of who answers."""
        return self._stream.remote[0] if self._stream is not None else ""

    def close(self) -> None:
        """In order."""
        self._give_up()
        if self._stream is not None:
            self._stream.close()

    def abort(self) -> None:
        self._give_up()
        if self._stream is not None:
            self._stream.abort()

    def _give_up(self) -> None:
        self._told = None
        if self._pending is not None:
            self._pending.close()

    def _opened(self, stream: Stream) -> None:
        self._stream = stream
        stream.received, stream.closed = self._received, self._closed
        stream.send(self._sent)

    def _received(self, data: bytes) -> None:
        if self._told is None:
            return
        try:
            self._connection.receive_data(data)
            while True:
                event = self._connection.next_event()
                if isinstance(event, h11.Response):
                    told = [(name.decode(), value.decode("latin-1")) for name, value in event.headers]
                    self._answer = Answer(event.status_code, b"", told)
                elif isinstance(event, h11.Data):
                    self._answer.body += bytes(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    self._end(self._answer)
                    return
                elif event in (h11.NEED_DATA, h11.PAUSED) or isinstance(event, h11.ConnectionClosed):
                    return
        except h11.RemoteProtocolError:
            self._end(None, "malformed HTTP response")

    def _closed(self, why: str) -> None:
        if not why:
            self._received(b"")
        self._over = {"reset": "connection reset by peer"}.get(why, why or "EOF")
        self._end(None, self._over)

    def _end(self, answer: Answer | None, why: str = "") -> None:
        if (told := self._told) is not None:
            self._told = None
            told[0](answer) if answer is not None else told[1](why)


def ask(
    net: Net,
    to: Endpoint,
    method: str,
    target: str,
    headers: list[tuple[str, str]],
    answered: Callable[[Answer], object],
    failed: Callable[[str], object],
    body: bytes = b"",
    timeout: float = 127.0,
) -> Callable[[], None]:
    """One request on a connection of its own; what is returned gives it up."""
    client = Client(net, to, timeout)

    def came(answer: Answer) -> None:
        client.close()
        answered(answer)

    def over(why: str) -> None:
        client.close()
        failed(why)

    client.ask(method, target, headers, came, over, body)
    return client.abort


def get(
    net: Net,
    to: Endpoint,
    target: str,
    answered: Callable[[Answer], object],
    failed: Callable[[str], object],
    timeout: float = 127.0,
) -> Callable[[], None]:
    headers = [("Host", f"{to[0]}:{to[1]}"), ("Connection", "close")]
    return ask(net, to, "GET", target, headers, answered, failed, timeout=timeout)


def _bytes(headers: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in headers]


def serve(net: Net, local: Endpoint, handle: Callable[[Asked], object]) -> Listener:
    """Answer every request that comes to a port. Raises AddressInUse."""

    def accepted(stream: Stream) -> None:
        _Served(stream, handle)

    return net.listen(local, accepted)


class _Served:
    """One connection of a server."""

    def __init__(self, stream: Stream, handle: Callable[[Asked], object]):
        self._stream = stream
        self._handle = handle
        self._connection = h11.Connection(h11.SERVER)
        self._request: h11.Request | None = None
        self._body = b""
        self._answering: Body | None = None
        stream.received, stream.closed = self._received, self._closed

    def _received(self, data: bytes) -> None:
        self._connection.receive_data(data)
        self._go_on()

    def _closed(self, why: str) -> None:
        if self._answering is not None:
            self._answering.stop()
        self._stream.close()

    def _go_on(self) -> None:
        try:
            while True:
                event = self._connection.next_event()
                if isinstance(event, h11.Request):
                    self._request, self._body = event, b""
                elif isinstance(event, h11.Data):
                    self._body += bytes(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    self._dispatch()
                    return
                elif isinstance(event, h11.ConnectionClosed):
                    self._stream.close()
                    return
                else:
                    return
        except h11.RemoteProtocolError:
            self._stream.send(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            self._stream.close()

    def _dispatch(self) -> None:
        request = self._request
        assert request is not None
        headers = {name.decode(): value.decode("latin-1") for name, value in request.headers}
        method, target = request.method.decode(), request.target.decode("latin-1")
        try:
            self._handle(Asked(method, target, headers, self._body, self._stream.remote, self._answer))
        except (ValueError, LookupError, OSError) as why:
            self._answer(Answer(500, f"{why}\n".encode()))

    def _answer(self, answer: Answer) -> None:
        connection = self._connection
        if connection.our_state is not h11.SEND_RESPONSE:
            return
        length = [("content-length", str(len(answer.body)))] if answer.stream is None else []
        headers = [*length, *answer.headers]
        if not any(name.lower() == "content-type" for name, _ in headers):
            headers.append(("content-type", "text/plain; charset=utf-8"))
        head = self._request is not None and self._request.method == b"HEAD"
        sent = connection.send(h11.Response(status_code=answer.code, headers=headers)) or b""
        if answer.stream is not None:
            self._stream.send(sent)
            self._answering = answer.stream
            answer.stream.start(lambda chunk: self._stream.send(connection.send(h11.Data(chunk)) or b""), self._end)
            return
        if answer.body and not head:
            sent += connection.send(h11.Data(answer.body)) or b""
        self._end(sent)

    def _end(self, sent: bytes = b"") -> None:
        connection, self._answering = self._connection, None
        self._stream.send(sent + (connection.send(h11.EndOfMessage()) or b""))
        if connection.our_state is h11.MUST_CLOSE:
            self._stream.close()
        elif connection.our_state is h11.DONE:
            connection.start_next_cycle()
            self._go_on()
