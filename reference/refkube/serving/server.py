"""The socket: uvicorn with TLS, started and stopped cleanly.

`refkube serve` calls `run`. Everything lives on the calling thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn

from refkube.engine.loop import Loop
from refkube.serving.asgi import Application, Serve
from refkube.serving.pump import Pump

GRACE = 5  # seconds that requests under way are given at shutdown


class AddressInUse(Exception):
    """The address cannot be listened on; one line."""


def run(
    loop: Loop,
    serve: Serve,
    *,
    host: str,
    port: int,
    certificate: Path,
    key: Path,
    started: Callable[[int], None],
    stopping: Callable[[], None],
) -> None:
    """Serve until SIGINT or SIGTERM. `started` is told the port; `stopping` must end all streams."""
    listener = _listen(host, port)

    async def main() -> None:
        pump = Pump(loop)
        config = uvicorn.Config(
            Application(serve, pump),
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            ssl_certfile=str(certificate),
            ssl_keyfile=str(key),
            timeout_graceful_shutdown=GRACE,
            timeout_keep_alive=75,
            backlog=1024,
        )
        server = _Server(config)

        def stop() -> None:
            if not server.should_exit:
                stopping()
                server.should_exit = True

        for name in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(name, stop)
        pump.kick()
        asyncio.get_running_loop().call_soon(_when_started, server, lambda: started(listener.getsockname()[1]))
        await server.serve(sockets=[listener])
        pump.close()

    with _quick_loop() as runner:
        runner.run(main())


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are `run`'s."""
        yield


def _when_started(server: uvicorn.Server, then: Callable[[], None]) -> None:
    if server.started:
        then()
    else:
        asyncio.get_running_loop().call_later(0.005, _when_started, server, then)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as why:
        listener.close()
        raise AddressInUse(f"cannot listen on {host}:{port}: {why.strerror}") from None
    listener.set_inheritable(True)
    return listener


def _quick_loop() -> asyncio.Runner:
    """uvloop where it is installed: twice the requests a second."""
    try:
        import uvloop
    except ImportError:
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)
