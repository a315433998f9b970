"""The way from the API server to kubelets that are processes of their own: over TLS, known by a client certificate.

`Kubelets` is a `Wire` for `apiserver.connect`. A WebSocket that a kubelet opens is joined to the client's, message by
message. As upstream's API server without --kubelet-certificate-authority it does not verify who the kubelet is.
"""

from __future__ import annotations

import asyncio
import ssl
from asyncio import Future
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpcore2
import httpx2
from wsproto import ConnectionType
from wsproto.connection import Connection, ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Event, Ping
from wsproto.utilities import RemoteProtocolError, generate_nonce

from refkube.apimachinery.remotecommand import Session
from refkube.apimachinery.rest import HttpRequest, HttpResponse

CONNECT_SECONDS = 5.0  # --kubelet-timeout
ANSWER_SECONDS = 30.0  # until it begins; how long it then goes on is the kubelet's
READ = 65536
BROKEN = (httpcore2.NetworkError, httpcore2.ProtocolError)  # what a stream raises that httpx2 has handed out
PASSED_ON = ("accept", "content-type", "upgrade", "sec-websocket-protocol", "x-stream-protocol-version")


class Kubelets:
    """`certificate` and `key` say who asks."""

    def __init__(self, certificate: Path, key: Path):
        trust = ssl.create_default_context()
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
        trust.load_cert_chain(certificate, key)
        limits = httpx2.Limits(max_connections=None)
        timeout = httpx2.Timeout(None, connect=CONNECT_SECONDS)
        self._http = httpx2.AsyncClient(verify=trust, timeout=timeout, limits=limits, trust_env=False)

    def __call__(self, where: str, http: HttpRequest) -> Future[HttpResponse]:
        """What the kubelet at a host and port answers. OSError where it does not."""
        return asyncio.ensure_future(self._asked(f"https://{where}{http.path}?{http.query}".removesuffix("?"), http))

    async def _asked(self, url: str, http: HttpRequest) -> HttpResponse:
        headers = {name: http.headers[name] for name in PASSED_ON if http.headers.get(name)}
        if "upgrade" in headers:
            headers["connection"] = "upgrade"
            if headers["upgrade"].lower() == "websocket":
                headers |= {"sec-websocket-version": "13", "sec-websocket-key": generate_nonce().decode()}
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                made = self._http.build_request(http.method, url, headers=headers, content=http.body or None)
                answer = await self._http.send(made, stream=True)
                if answer.status_code == 101:
                    protocol = answer.headers.get("sec-websocket-protocol", "")
                    kept = ("connection", "upgrade", "x-stream-protocol-version")
                    told = [(name, answer.headers[name]) for name in kept if name in answer.headers]
                    return HttpResponse(101, told, upgrade=_Joined(answer).begin, protocol=protocol)
                told = [("content-type", answer.headers.get("content-type", "text/plain"))]
                if answer.status_code < 400 and "content-length" not in answer.headers:
                    return HttpResponse(answer.status_code, told, stream=_Passed(answer))
                return HttpResponse(answer.status_code, told, await answer.aread())
        except TimeoutError as why:
            raise TimeoutError(f"{url}: i/o timeout") from why
        except (httpx2.TransportError, httpx2.InvalidURL) as why:
            raise ConnectionError(f"{url}: {_root(why)}") from why


def _root(why: BaseException) -> str:
    """What the system said: libraries say less."""
    while why.__cause__ is not None or why.__context__ is not None:
        why = why.__cause__ or why.__context__ or why
    return getattr(why, "strerror", None) or str(why) or type(why).__name__


class _Passed:
    """A body that goes on (`apimachinery.rest.Stream`)."""

    def __init__(self, answer: httpx2.Response):
        self._answer = answer
        self._task: Future[None] | None = None

    def start(self, deliver: Callable[[bytes], None], closed: Callable[[], None]) -> None:
        self._task = asyncio.ensure_future(self._read(deliver, closed))

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _read(self, deliver: Callable[[bytes], None], closed: Callable[[], None]) -> None:
        try:
            async for chunk in self._answer.aiter_bytes():
                deliver(chunk)
        except httpx2.HTTPError:
            pass  # the kubelet is gone: so is the rest
        finally:
            await self._answer.aclose()
            closed()


class _Joined:
    """A WebSocket to a kubelet, joined to a client's; or the bytes of another protocol, as they are."""

    def __init__(self, answer: httpx2.Response):
        self._answer = answer
        self._wire = answer.extensions["network_stream"]
        self._frames = Connection(ConnectionType.CLIENT)
        self._raw = answer.headers.get("upgrade", "").lower() != "websocket"
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue()

    def begin(self, session: Session) -> None:
        writing = asyncio.ensure_future(self._write())
        reading = asyncio.ensure_future(self._pass_on(session) if self._raw else self._read(session))
        reading.add_done_callback(lambda task: writing.cancel())
        if self._raw:
            session.received, session.closed = self._waiting.put_nowait, reading.cancel
        else:
            session.received = lambda data: self._send(BytesMessage(data))
            session.closed = lambda: self._send(CloseConnection(1000))

    def _send(self, event: Event) -> None:
        if self._frames.state is not ConnectionState.CLOSED:
            self._waiting.put_nowait(self._frames.send(event))

    async def _write(self) -> None:
        with suppress(OSError, *BROKEN):
            while True:
                await self._wire.write(await self._waiting.get())

    async def _pass_on(self, session: Session) -> None:
        try:
            while data := await self._wire.read(READ):
                session.send(data)
        except (OSError, *BROKEN):
            pass  # the kubelet is gone
        finally:
            session.close()
            await self._answer.aclose()

    async def _read(self, session: Session) -> None:
        whole = b""
        try:
            while data := await self._wire.read(READ):
                self._frames.receive_data(data)
                for event in self._frames.events():
                    if isinstance(event, BytesMessage):
                        whole += event.data
                        if event.message_finished:
                            session.send(whole)
                            whole = b""
                    elif isinstance(event, Ping):
                        self._send(event.response())
                    elif isinstance(event, CloseConnection):
                        self._send(event.response())
                        return
        except (OSError, RemoteProtocolError, *BROKEN):
            pass  # the kubelet is gone
        finally:
            session.close()
            await self._answer.aclose()
