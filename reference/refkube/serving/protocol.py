"""One client's connection: uvicorn's HTTP protocol with limits to a client's patience, and an end that comes quickly.

uvicorn makes one for each connection. What it adds: a client has to send its request's head within a time, closing
does not wait for a client that does not answer, and the application can cut a connection off (`scope[ABORT]`) and
knows whom the client's certificate names (`scope[PEER]`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol
from wsproto.events import Request

from refkube.apimachinery.rest import UserInfo

PEER = "refkube.peer"  # in an ASGI scope: whom the client has proven to be by its certificate
ABORT = "refkube.abort"  # in an ASGI scope: cuts the connection off at once
TAKE = "refkube.take"  # the same: gives its transport for another protocol, and what comes to a callable

HEAD_SECONDS = 32.0  # kube-apiserver's ReadHeaderTimeout
CLOSING_SECONDS = 0.1  # for a client to take note that an idle connection ends
ENDING_SECONDS = 0.8  # for what is under way when the server stops


class Protocol(HttpToolsProtocol):
    _head: asyncio.TimerHandle | None = None
    _taken: Callable[[bytes], object] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head = self.loop.call_later(HEAD_SECONDS, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._taken is not None:
            self._taken(data)
        else:
            super().data_received(data)

    def _take(self, received: Callable[[bytes], object]) -> asyncio.Transport:
        self._taken = received
        return self.transport

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[ABORT] = self.transport.abort  # type: ignore[literal-required]
        self.scope[PEER] = _peer(self.transport)  # type: ignore[literal-required]
        self.scope[TAKE] = self._take  # type: ignore[literal-required]
        if self._head is None:
            self._head = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def on_headers_complete(self) -> None:
        self._forget_head()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP: a plain answer as Go's server gives it, and the end of the connection."""
        super().send_400_response(msg)
        self._cut_off_after(CLOSING_SECONDS)

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._cut_off_after(CLOSING_SECONDS)

    def shutdown(self) -> None:
        """The server stops: what is idle ends now, what is under way soon."""
        idle = self.cycle is None or self.cycle.response_complete
        super().shutdown()
        self._cut_off_after(CLOSING_SECONDS if idle else ENDING_SECONDS)

    def _forget_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _cut_off_after(self, seconds: float) -> Any:
        """A TLS connection else stays until the other side has said goodbye, too."""
        return self.loop.call_later(seconds, self.transport.abort)


class WebSocket(WSProtocol):
    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        self.scope[PEER] = _peer(self.transport)  # type: ignore[literal-required]


def _peer(transport: asyncio.Transport) -> UserInfo | None:
    """By the certificate's common name and organizations (apiserver/pkg/authentication/request/x509)."""
    connection = transport.get_extra_info("ssl_object")
    told = [pair for part in (connection.getpeercert() or {}).get("subject", ()) for pair in part] if connection else []
    names = [value for key, value in told if key == "commonName"]
    groups = [value for key, value in told if key == "organizationName"]
    return UserInfo(names[0], groups=(*groups, "system:authenticated")) if names else None
