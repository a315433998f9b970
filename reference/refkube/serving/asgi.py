"""The API server as an ASGI application: requests are answered on the spot, watches stream until either side ends them.

uvicorn calls it; the answers come from a `Serve` callable (the HTTP front). Bodies are bounded before they are read,
in size and time, and so is what a watcher may leave unread. Source of the protocol: the ASGI specification, HTTP
connection scope.
"""

from __future__ import annotations

import asyncio
import math
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from refkube.apimachinery import errors
from refkube.apimachinery.rest import HttpRequest, HttpResponse, Stream
from refkube.serving.protocol import ABORT, PEER, TAKE
from refkube.serving.pump import Pump

MAX_BODY = 3 * 1024 * 1024  # bytes
BODY_SECONDS = 60.0  # real seconds that a client may take to send a body
LINGER_SECONDS = 0.5  # real seconds that a refused client has to read why, while it still sends
MAX_BEHIND = 16 * 1024 * 1024  # bytes of news that a watcher may leave unread before it is cut off
PIECE = 256 * 1024  # bytes of a stream that are sent at once

Serve = Callable[[HttpRequest], HttpResponse]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Application:
    """`serve` answers one request at once, on this thread, or says what is to be waited for."""

    def __init__(self, serve: Serve, pump: Pump):
        self._serve = serve
        self._pump = pump

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._upgrade(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers = _headers(scope["headers"])
        body = b""
        if "content-length" in headers or "transfer-encoding" in headers:
            try:
                whole = await self._body(headers, receive)
            except (TimeoutError, ConnectionError):
                scope[ABORT]()
                return
            if whole is None:
                await self._refuse(receive, send)
                return
            body = whole
        path = scope["raw_path"].decode("latin-1")
        query = scope["query_string"].decode("latin-1")
        response = await self._answer(HttpRequest(scope["method"], path, query, headers, body, scope[PEER]))
        if response.upgrade is not None:
            await _Raw(self._pump, scope[TAKE]).run(response, receive)
        elif response.stream is None:
            await _send_whole(response, send)
        else:
            await _Streaming(response.stream, self._pump, scope[ABORT]).run(response, receive, send)

    async def _answer(self, http: HttpRequest) -> HttpResponse:
        response = self._serve(http)
        self._pump.kick()
        while response.later is not None:
            response = await response.later
        return response

    async def _upgrade(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """A WebSocket: what the response says goes on over it, or a refusal as to any request."""
        await receive()
        names = {name.replace("base64.", ""): name for name in reversed(scope.get("subprotocols") or ())}
        offered = ", ".join(reversed(names))
        headers = {**_headers(scope["headers"]), "upgrade": "websocket", "sec-websocket-protocol": offered}
        path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
        response = await self._answer(HttpRequest("GET", path, query, headers, b"", scope[PEER]))
        if response.upgrade is not None:
            response.protocol = names.get(response.protocol, "")
            await _Socket(self._pump, "base64." in response.protocol).run(response, receive, send)
            return
        told = [(name.encode(), value.encode("latin-1", "replace")) for name, value in response.headers]
        status = response.status if response.status >= 400 else 400
        await send({"type": "websocket.http.response.start", "status": status, "headers": told})
        await send({"type": "websocket.http.response.body", "body": response.body})

    async def _body(self, headers: dict[str, str], receive: Receive) -> bytes | None:
        """The whole body; None as soon as it is known to be too long. Raises TimeoutError, and ConnectionError where
        the client goes away before it has sent all."""
        declared = headers.get("content-length", "0")
        if declared.isdigit() and int(declared) > MAX_BODY:
            return None
        message = await receive()
        if not message.get("more_body") and message["type"] == "http.request":
            return message.get("body", b"")
        chunks: list[bytes] = []
        size = 0
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                if message["type"] == "http.disconnect":
                    raise ConnectionError("the client went away")
                chunks.append(message.get("body", b""))
                size += len(chunks[-1])
                if size > MAX_BODY:
                    return None
                if not message.get("more_body"):
                    return b"".join(chunks)
                message = await receive()

    async def _refuse(self, receive: Receive, send: Send) -> None:
        """413, at once. The client may send on for a moment: a connection that is reset takes the answer with it."""
        refusal = errors.too_large_entity(f"Request entity too large: limit is {MAX_BODY}")
        body = orjson.dumps(refusal.status)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        await send({"type": "http.response.start", "status": refusal.code, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": True})
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                while (message := await receive()).get("more_body") and message["type"] == "http.request":
                    pass
        except TimeoutError:
            pass
        await send({"type": "http.response.body", "body": b""})


def _headers(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """By name; the values of a name that comes more than once, joined (RFC 9110, 5.3)."""
    headers: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]},{text}" if key in headers else text
    return headers


async def _send_whole(response: HttpResponse, send: Send) -> None:
    headers = [(name.encode(), value.encode("latin-1", "replace")) for name, value in response.headers]
    headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


class _Socket:
    """One WebSocket (`apimachinery.remotecommand.Session`). As `text` the channel is a digit, and what follows base64
    (apimachinery/pkg/util/httpstream/wsstream)."""

    def __init__(self, pump: Pump, text: bool):
        self.received: Callable[[bytes], object] = lambda data: None
        self.closed: Callable[[], object] = lambda: None
        self._pump = pump
        self._text = text
        self._waiting: asyncio.Queue[bytes | None] = asyncio.Queue()

    def send(self, data: bytes) -> None:
        self._waiting.put_nowait(data)

    def close(self) -> None:
        self._waiting.put_nowait(None)

    async def run(self, response: HttpResponse, receive: Receive, send: Send) -> None:
        assert response.upgrade is not None
        await send({"type": "websocket.accept", "subprotocol": response.protocol or None})
        response.upgrade(self)
        self._pump.kick()
        reading = asyncio.ensure_future(self._read(receive))
        try:
            while (data := await self._waiting.get()) is not None:
                told = {"text": chr(48 + data[0]) + b64encode(data[1:]).decode()} if self._text else {"bytes": data}
                await send({"type": "websocket.send", **told})
            if not reading.done():
                await send({"type": "websocket.close", "code": 1000})
        finally:
            reading.cancel()
            self.closed()
            self._pump.kick()

    async def _read(self, receive: Receive) -> None:
        while (message := await receive())["type"] == "websocket.receive":
            data = message.get("bytes") or (message.get("text") or "").encode()
            if self._text:
                try:
                    data = bytes([data[0] - 48]) + b64decode(data[1:], validate=True)
                except (ValueError, IndexError):
                    break
            self.received(data)
            self._pump.kick()
        self.close()


class _Raw:
    """A connection that goes on with another protocol (`apimachinery.remotecommand.Session`): SPDY, without frames."""

    def __init__(self, pump: Pump, take: Callable[[Callable[[bytes], object]], asyncio.Transport]):
        self.received: Callable[[bytes], object] = lambda data: None
        self.closed: Callable[[], object] = lambda: None
        self._pump = pump
        self._transport = take(self._came)
        self.send = self._transport.write
        self.close = self._transport.close

    async def run(self, response: HttpResponse, receive: Receive) -> None:
        assert response.upgrade is not None
        lines = ["HTTP/1.1 101 Switching Protocols", *(f"{name}: {value}" for name, value in response.headers)]
        self.send("\r\n".join([*lines, "", ""]).encode())
        response.upgrade(self)
        self._pump.kick()
        while (await receive())["type"] != "http.disconnect":
            pass
        self.closed()
        self._pump.kick()

    def _came(self, data: bytes) -> None:
        self.received(data)
        self._pump.kick()


class _Streaming:
    """One watch on its way to one client."""

    def __init__(self, stream: Stream, pump: Pump, abort: Callable[[], None]):
        self._stream = stream
        self._pump = pump
        self._abort = abort
        self._waiting: deque[bytes] = deque()
        self._behind = 0  # bytes of `_waiting`
        self._may_wait = math.inf
        self._news = asyncio.Event()
        self._over = False

    async def run(self, response: HttpResponse, receive: Receive, send: Send) -> None:
        headers = [(name.encode(), value.encode("latin-1", "replace")) for name, value in response.headers]
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        self._stream.start(self._deliver, self._end)
        self._may_wait = MAX_BEHIND + self._behind  # what a watch begins with is as long as it is
        self._pump.kick()
        gone = asyncio.ensure_future(self._until_gone(receive))
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                while self._waiting:
                    await send({"type": "http.response.body", "body": self._piece(), "more_body": True})
                if self._over:
                    break
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()
            self._stream.stop()

    def _piece(self) -> bytes:
        chunks = [self._waiting.popleft()]
        size = len(chunks[0])
        while self._waiting and size < PIECE:
            chunks.append(self._waiting.popleft())
            size += len(chunks[-1])
        self._behind -= size
        if not self._waiting:
            self._may_wait = MAX_BEHIND
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _deliver(self, chunk: bytes) -> None:
        if self._over:
            return
        self._waiting.append(chunk)
        self._behind += len(chunk)
        if self._behind > self._may_wait:
            self._cut_off()
        self._news.set()

    def _cut_off(self) -> None:
        """The client does not read: nothing more is kept for it, and the connection ends without a goodbye."""
        self._waiting.clear()
        self._behind = 0
        self._stream.stop()
        self._end()
        self._abort()

    def _end(self) -> None:
        self._over = True
        self._news.set()

    async def _until_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._end()
