"""The API server as an ASGI application: requests are answered on the spot, watches stream until either side ends them.

uvicorn calls it; the answers come from a `Serve` callable (the HTTP front). Bodies are bounded before they are read.
Source of the protocol: the ASGI specification, HTTP connection scope.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from refkube.apimachinery import errors
from refkube.apimachinery.rest import HttpRequest, HttpResponse, Stream
from refkube.serving.pump import Pump

MAX_BODY = 3 * 1024 * 1024  # bytes
MAX_BEHIND = 64 * 1024 * 1024  # bytes that a watcher may leave unread before it is cut off

Serve = Callable[[HttpRequest], HttpResponse]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Application:
    """`serve` answers one request at once, on this thread."""

    def __init__(self, serve: Serve, pump: Pump):
        self._serve = serve
        self._pump = pump

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        body = await self._body(headers, receive)
        if body is None:
            await self._refuse(send)
            return
        path = scope["raw_path"].decode("latin-1")
        http = HttpRequest(scope["method"], path, scope["query_string"].decode("latin-1"), headers, body)
        response = self._serve(http)
        self._pump.kick()
        if response.stream is None:
            await _send_whole(response, send)
        else:
            await _Streaming(response.stream, self._pump).run(response, receive, send)

    async def _body(self, headers: dict[str, str], receive: Receive) -> bytes | None:
        """The whole body; None as soon as it is known to be too long."""
        declared = headers.get("content-length", "0")
        if declared.isdigit() and int(declared) > MAX_BODY:
            return None
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return b"".join(chunks)
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if size > MAX_BODY:
                return None
            if not message.get("more_body"):
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def _refuse(self, send: Send) -> None:
        refusal = errors.too_large_entity(f"Request entity too large: limit is {MAX_BODY}")
        headers = [("content-type", "application/json"), ("connection", "close")]
        await _send_whole(HttpResponse(refusal.code, headers, orjson.dumps(refusal.status)), send)


async def _send_whole(response: HttpResponse, send: Send) -> None:
    headers = [(name.encode(), value.encode("latin-1", "replace")) for name, value in response.headers]
    headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


class _Streaming:
    """One watch on its way to one client."""

    def __init__(self, stream: Stream, pump: Pump):
        self._stream = stream
        self._pump = pump
        self._waiting: list[bytes] = []
        self._behind = 0
        self._news = asyncio.Event()
        self._over = False

    async def run(self, response: HttpResponse, receive: Receive, send: Send) -> None:
        headers = [(name.encode(), value.encode("latin-1", "replace")) for name, value in response.headers]
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        self._stream.start(self._deliver, self._end)
        self._pump.kick()
        gone = asyncio.ensure_future(self._until_gone(receive))
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                chunk, over = b"".join(self._waiting), self._over
                self._waiting.clear()
                self._behind = 0
                if chunk:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                if over:
                    break
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()
            self._stream.stop()

    def _deliver(self, chunk: bytes) -> None:
        self._waiting.append(chunk)
        self._behind += len(chunk)
        if self._behind > MAX_BEHIND:
            self._over = True
            self._stream.stop()
        self._news.set()

    def _end(self) -> None:
        self._over = True
        self._news.set()

    async def _until_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._end()
