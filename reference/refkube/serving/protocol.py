"""One client's connection: uvicorn's HTTP protocol with limits to a client's patience, and an end that comes quickly.

uvicorn makes one for each connection. What it adds: a client has to send its request's head within a time, closing
does not wait for a client that does not answer, and the application can cut a connection off (`scope[ABORT]`).
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

ABORT = "refkube.abort"  # in an ASGI scope: cuts the connection off at once

HEAD_SECONDS = 32.0  # kube-apiserver's ReadHeaderTimeout
CLOSING_SECONDS = 0.1  # for a client to take note that an idle connection ends
ENDING_SECONDS = 0.8  # for what is under way when the server stops


class Protocol(HttpToolsProtocol):
    _head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head = self.loop.call_later(HEAD_SECONDS, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_head()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[ABORT] = self.transport.abort  # type: ignore[literal-required]
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
