"""The socket: uvicorn with TLS, started and stopped cleanly.

`refkube serve` and `refkube kubelet` call `listen`, then `run`. Everything lives on the calling thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn

from refkube.engine.loop import Loop
from refkube.serving.asgi import Application, Serve
from refkube.serving.protocol import Protocol, WebSocket
from refkube.serving.pump import Pump

GRACE = 2  # seconds until shutdown gives up on what `protocol` has not ended by then


class AddressInUse(Exception):
    """The address cannot be listened on; one line."""


def run(
    loop: Loop,
    serve: Serve,
    listener: socket.socket,
    *,
    certificate: Path,
    key: Path,
    client_authority: Path | None = None,
    started: Callable[[], None],
    stopping: Callable[[], None],
) -> None:
    """Serve until SIGINT or SIGTERM. `stopping` must end all streams. Clients may show certificates of
    `client_authority`. Raises what `started` raises."""
    _allow_many_connections()
    logging.getLogger("uvicorn").setLevel(logging.ERROR)  # a client's nonsense is no news

    async def main() -> None:
        pump = Pump(loop)
        config = uvicorn.Config(
            Application(serve, pump),
            interface="asgi3",
            http=Protocol,
            ws=WebSocket,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            ssl_certfile=str(certificate),
            ssl_keyfile=str(key),
            ssl_ca_certs=client_authority,
            ssl_cert_reqs=ssl.CERT_OPTIONAL if client_authority else ssl.CERT_NONE,
            timeout_graceful_shutdown=GRACE,
            timeout_keep_alive=75,
            backlog=1024,
        )
        server = _Server(config)

        def stop() -> None:
            """The first signal ends the streams and lets requests finish, the second does not wait for them."""
            if not server.should_exit:
                server.should_exit = True
                stopping()
            else:
                server.force_exit = True
                logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # what is cut off now, was asked to be

        for name in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(name, stop)
        pump.kick()
        serving = asyncio.ensure_future(server.serve(sockets=[listener]))
        try:
            while not server.started and not serving.done():
                await asyncio.sleep(0.002)
            if server.started:
                started()
        except BaseException:
            stop()
            raise
        finally:
            await serving
            pump.close()

    with _quick_loop() as runner:
        runner.run(main())


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are `run`'s."""
        yield


def _allow_many_connections() -> None:
    """Each watch is a connection: as many as the system lets a process have."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def listen(host: str, port: int) -> socket.socket:
    """Port 0 takes a free one. Raises AddressInUse."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, UnicodeError) as why:
        listener.close()
        told = getattr(why, "strerror", None) or str(why)
        raise AddressInUse(f"cannot listen on {host}:{port}: {told}") from None
    listener.set_inheritable(True)
    return listener


def _quick_loop() -> asyncio.Runner:
    """uvloop where it is installed: twice the requests a second."""
    try:
        import uvloop
    except ImportError:
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)
