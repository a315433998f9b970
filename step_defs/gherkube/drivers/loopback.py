"""A cluster of the reference, served on loopback by a thread of its own: for clients and components that want sockets.

Used by the harness that refkube is behind, by the fixture `cluster`, and where somebody's component joins. The
cluster's loop runs in the server's thread alone: what touches it is handed over with `call`.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from base64 import b64encode
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any, TypeVar

import yaml
from refkube.cluster import Cluster

T = TypeVar("T")

GRACE = 1  # real seconds for connections to end
Asgi = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


class Loopback:
    """`make` makes the cluster, anew at every `renew`. `beside` answers what is below its path instead of the API."""

    def __init__(
        self, make: Callable[[], Cluster], host: str = "127.0.0.1", port: int = 0, beside: Beside | None = None
    ):
        try:
            import uvicorn  # noqa: F401  (an extra)
        except ImportError:
            raise ImportError("serving needs uvicorn: pip install 'gherkube[serve]'") from None
        self._make = make
        self._beside = beside
        self._listener = _listen(host, port)
        self.url = f"http://{host}:{self._listener.getsockname()[1]}"
        self.cluster: Cluster = make()
        self._ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="gherkube loopback", daemon=True)
        self._thread.start()
        self._ready.result(30)

    def call(self, function: Callable[[], T], timeout: float | None = None) -> T:
        """What the function gives, run between two requests on the thread that the cluster lives on."""
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(function())
            except BaseException as error:
                done.set_exception(error)
            self._pump.kick()

        self._asyncio.call_soon_threadsafe(run)
        return done.result(timeout)

    def renew(self) -> None:
        """A fresh cluster in the place of the old one, whose streams end. On the server's thread only."""
        old, self.cluster = self.cluster, self._make()
        self._attach()
        old.close()

    def kubeconfig(self, token: str = "", authority: bytes = b"") -> str:
        """With an administrator's token unless another is given; whom its clients may trust is the authority's."""
        return kubeconfig(self.url, token or self.cluster.admin_token, authority)

    def close(self) -> None:
        """Idempotent."""
        if self._thread.is_alive():
            self._asyncio.call_soon_threadsafe(self._stop)
            self._thread.join(10)

    # On the server's thread

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            if not self._ready.done():
                self._ready.set_exception(error)

    async def _serve(self) -> None:
        import uvicorn
        from refkube.serving.protocol import Protocol

        self._asyncio = asyncio.get_running_loop()
        self._attach()
        config = uvicorn.Config(
            self._answer,
            interface="asgi3",
            http=Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=GRACE,
            timeout_keep_alive=75,
        )
        self._server = _server(config)
        serving = asyncio.ensure_future(self._server.serve(sockets=[self._listener]))
        while not self._server.started and not serving.done():
            await asyncio.sleep(0.002)
        self._ready.set_result(None)
        await serving
        self._pump.close()

    def _attach(self) -> None:
        from refkube.serving.asgi import Application
        from refkube.serving.pump import Pump

        self._pump = Pump(self.cluster.loop)
        self._application: Asgi = Application(self.cluster.http, self._pump)
        self._pump.kick()

    async def _answer(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if self._beside is not None and scope["type"] == "http" and scope["path"].startswith(self._beside.path):
            await self._beside(scope, receive, send)
            self._pump.kick()
        else:
            await self._application(scope, receive, send)

    def _stop(self) -> None:
        self.cluster.close()
        self._server.should_exit = True


def kubeconfig(url: str, token: str, authority: bytes = b"") -> str:
    trust = {"certificate-authority-data": b64encode(authority).decode()} if authority else {}
    cluster = {"name": "refkube", "cluster": {"server": url, **trust}}
    user = {"name": "user", "user": {"token": token}}
    context = {"name": "refkube", "context": {"cluster": "refkube", "user": "user"}}
    told = {"apiVersion": "v1", "kind": "Config", "clusters": [cluster], "users": [user], "contexts": [context]}
    return yaml.safe_dump({**told, "current-context": "refkube"}, sort_keys=False)


class Beside:
    """Requests below a path, answered as JSON by `answer(method, path, body)` -> (code, body)."""

    def __init__(self, path: str, answer: Callable[[str, str, bytes], tuple[int, bytes]]):
        self.path = path
        self._reply = answer

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        code, answer = self._reply(scope["method"], scope["path"].removeprefix(self.path), body)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": code, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


def _server(config: Any) -> Any:
    import contextlib

    import uvicorn

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Any:
            """Signals belong to whoever owns the main thread."""
            yield

    return Server(config)


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # so asyncio sends at once
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}") from None
    return listener
