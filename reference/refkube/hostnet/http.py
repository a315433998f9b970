"""HTTP/1.1 over a host's sockets, as far as health checks and small programs speak it: GET, and answers that end.

Used by kube-proxy's health servers, by programs and probes. Left out: request bodies, pipelining, chunks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import NamedTuple

from refkube.hostnet import Closable, Endpoint, Listener, Namespace, Stream

LIMIT = 65536  # bytes of a request's head


class Answer(NamedTuple):
    code: int
    body: bytes = b""
    headers: Mapping[str, str] = {}


class Request(NamedTuple):
    path: str
    headers: Mapping[str, str]  # their names in lower case
    client: Endpoint


def serve(namespace: Namespace, local: Endpoint, answer: Callable[[Request], Answer]) -> Listener:
    """Answer every request at an address; a connection is kept as long as the client wants it."""

    def accepted(stream: Stream) -> None:
        held = bytearray()

        def received(data: bytes) -> None:
            held.extend(data)
            while (end := held.find(b"\r\n\r\n")) >= 0:
                lines = bytes(held[:end]).decode("latin-1").split("\r\n")
                del held[: end + 4]
                words = lines[0].split()
                headers = _headers(lines[1:])
                if len(words) != 3:
                    stream.send(_encoded(Answer(400)))
                    stream.close()
                    return
                stream.send(_encoded(answer(Request(words[1], headers, stream.remote))))
                if headers.get("connection") == "close" or words[2] == "HTTP/1.0":
                    stream.close()
            if len(held) > LIMIT:
                stream.abort()

        def closed(why: str) -> None:
            if not why:
                stream.close()

        stream.closed, stream.received = closed, received

    return namespace.listen(local, accepted)


def get(
    namespace: Namespace,
    remote: Endpoint,
    path: str,
    answered: Callable[[Answer], object],
    failed: Callable[[str], object],
    timeout: float = 127.0,
    headers: Mapping[str, str] = {},
) -> Closable:
    """One GET over a connection of its own. `failed` is told why no answer came, as `connect` and `closed` tell it."""

    def opened(stream: Stream) -> None:
        def came(answer: Answer) -> None:
            stream.close()
            answered(answer)

        reader = Reader(came)
        stream.received = reader.feed
        stream.closed = lambda why: reader.done or failed(why or "closed")
        stream.send(request(path, {"Host": f"{remote[0]}:{remote[1]}", "Connection": "close", **headers}))

    return namespace.connect(remote, opened, failed, timeout)


def request(path: str, headers: Mapping[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")


class Reader:
    """Puts answers together; `done` once one has come."""

    def __init__(self, answered: Callable[[Answer], object]):
        self.done = False
        self._answered = answered
        self._held = bytearray()

    def feed(self, data: bytes) -> None:
        held = self._held
        held.extend(data)
        end = held.find(b"\r\n\r\n")
        if end < 0:
            return
        lines = bytes(held[:end]).decode("latin-1").split("\r\n")
        headers = _headers(lines[1:])
        whole = end + 4 + int(headers.get("content-length", "0"))
        if len(held) < whole:
            return
        body = bytes(held[end + 4 : whole])
        del held[:whole]
        self.done = True
        self._answered(Answer(int(lines[0].split()[1]), body, headers))


def _headers(lines: list[str]) -> dict[str, str]:
    pairs = (line.partition(":") for line in lines)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _encoded(answer: Answer) -> bytes:
    phrase = HTTPStatus(answer.code).phrase
    headers = {"Content-Length": str(len(answer.body)), **answer.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {answer.code} {phrase}\r\n{lines}\r\n".encode("latin-1") + answer.body
