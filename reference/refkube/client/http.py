"""The way from a client to an API server in another process: `apimachinery.rest` over HTTPS.

A `HttpHandle` is to a Client what the API server's own pipeline is in process. Calls block the loop; watches are read
by a thread each, which posts what it reads to the loop. Credentials and TLS are what lightkube reads from kubeconfigs
(tokens, client certificates, exec plugins).
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

import httpx2
import orjson
from lightkube.config.client_adapter import Client as configured_client
from lightkube.config.client_adapter import ConnectionParams
from lightkube.config.kubeconfig import KubeConfig
from lightkube.config.models import Cluster, User

from refkube.apimachinery.errors import StatusError, status_error
from refkube.apimachinery.rest import Request, Response, WatchEvent
from refkube.engine.loop import Loop

_log = logging.getLogger(__name__)

TIMEOUT = 30.0  # real seconds for an answer
_SLACK = 30.0  # real seconds that a watch may outlive the time it was asked for

_METHODS = {"create": "POST", "update": "PUT", "patch": "PATCH", "delete": "DELETE", "deletecollection": "DELETE"}

# Reasons of answers that bring no Status (apimachinery/pkg/api/errors NewGenericServerResponse).
_REASONS = {
    400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 405: "MethodNotAllowed",
    406: "NotAcceptable", 409: "Conflict", 410: "Gone", 415: "UnsupportedMediaType", 422: "Invalid",
    429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout"
}  # fmt: skip


def connect(
    loop: Loop,
    kubeconfig: str = "",
    context: str | None = None,
    url: str = "",
    token: str = "",
    ca_file: str = "",
    insecure: bool = False,
) -> HttpHandle:
    """To the cluster of a kubeconfig, or to `url` with a bearer token. Raises lightkube's ConfigError."""
    if url:
        cluster = Cluster(server=url, certificate_auth=ca_file or None, insecure=insecure)
        config = KubeConfig.from_one(cluster=cluster, user=User(token=token or None)).get()
    else:
        config = KubeConfig.from_file(kubeconfig).get(context)
    assert config is not None  # no default is given, so it raises instead
    parameters = ConnectionParams(timeout=httpx2.Timeout(TIMEOUT), trust_env=False)
    return HttpHandle(configured_client(config, parameters), loop)


class HttpHandle:
    """A `rest.Handle`. Raises StatusError for an answer of 400 and above, ConnectionRefusedError, TimeoutError or
    another ConnectionError for none. `Request.user` is not sent: the connection's credentials say who asks."""

    def __init__(self, http: httpx2.Client, loop: Loop):
        self._http = http
        self._loop = loop

    def __call__(self, request: Request) -> Response:
        if request.verb == "watch":
            return Response(watch=HttpWatch(self._send(request, stream=True), self._loop))
        answer = self._send(request)
        return Response(orjson.loads(answer.content), answer.status_code, warnings=_warnings(answer))

    def close(self) -> None:
        self._http.close()

    def text(self, path: str, options: Mapping[str, str | list[str]]) -> str:
        """What is said at a path that names no object."""
        return self._answered(self._http.build_request("GET", path, params=httpx2.QueryParams(options))).text

    def _send(self, request: Request, stream: bool = False) -> httpx2.Response:
        made = self._http.build_request(
            _METHODS.get(request.verb, "GET"),
            path_of(request),
            params=dict(request.options, watch="true") if stream else dict(request.options) or None,
            content=None if request.body is None else orjson.dumps(request.body),
            headers={
                "accept": "application/json",
                "user-agent": request.user_agent,
                "content-type": request.patch_type or "application/json",
            },
            timeout=_watch_timeout(request) if stream else httpx2.USE_CLIENT_DEFAULT,
        )
        return self._answered(made, stream)

    def _answered(self, made: httpx2.Request, stream: bool = False) -> httpx2.Response:
        try:
            answer = self._http.send(made, stream=stream)
            if answer.status_code >= 400:
                raise _error(answer.read(), answer)
        except httpx2.TimeoutException as exc:
            raise TimeoutError(f"{made.method} {made.url}: {exc}") from exc
        except httpx2.ConnectError as exc:
            refused = "refused" in str(exc)
            raise (ConnectionRefusedError if refused else ConnectionError)(f"{made.url}: {exc}") from exc
        except httpx2.TransportError as exc:
            raise ConnectionError(f"{made.method} {made.url}: {exc}") from exc
        return answer


class HttpWatch:
    """A watch stream (`rest.Watch`), read in a thread from `start` on."""

    def __init__(self, answer: httpx2.Response, loop: Loop):
        self._answer = answer
        self._loop = loop
        self._stopped = False
        self._thread: threading.Thread | None = None

    def start(self, deliver: Callable[[WatchEvent], None], closed: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=self._read, args=(deliver, closed), name="watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Nothing is delivered any more; the thread ends by itself."""
        self._stopped = True
        stream = self._answer.extensions.get("network_stream")
        connection = stream.get_extra_info("socket") if stream else None
        if connection is not None:
            with suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)  # wakes the reading thread, also below TLS
        if self._thread is None:
            self._answer.close()

    def _read(self, deliver: Callable[[WatchEvent], None], closed: Callable[[], None]) -> None:
        rest = b""
        try:
            for chunk in self._answer.iter_bytes():
                *lines, rest = (rest + chunk).split(b"\n")
                events = [WatchEvent(**orjson.loads(line)) for line in lines if line]
                if events:
                    self._loop.post(self._deliver, deliver, events)
        except (httpx2.HTTPError, httpx2.StreamError, OSError, orjson.JSONDecodeError) as exc:
            _log.debug("a watch of %s broke: %s", self._answer.url, exc)
        finally:
            self._answer.close()
            self._loop.post(self._close, closed)

    def _deliver(self, deliver: Callable[[WatchEvent], None], events: Iterable[WatchEvent]) -> None:
        for event in events:
            if not self._stopped:
                deliver(event)

    def _close(self, closed: Callable[[], None]) -> None:
        if not self._stopped:
            self._stopped = True
            closed()


def path_of(request: Request) -> str:
    """The URL's path: /api/v1/namespaces/default/pods/web/status."""
    parts = ["/apis", request.group, request.version] if request.group else ["/api", request.version]
    if request.namespace and request.resource != "namespaces":
        parts += ["namespaces", request.namespace]
    parts.append(request.resource)
    if request.name:
        parts.append(request.name)
    if request.subresource:
        parts.append(request.subresource)
    return "/".join(parts)


def _watch_timeout(request: Request) -> httpx2.Timeout:
    """A stream that is silent for longer than it was asked to last is dead."""
    asked = request.options.get("timeoutSeconds")
    return httpx2.Timeout(TIMEOUT, read=float(asked) + _SLACK if asked else None)


def _warnings(answer: httpx2.Response) -> list[str]:
    """The texts of Warning headers (RFC 7234, section 5.5): 299 - "text"."""
    texts = (value.partition('"')[2].rpartition('"')[0] for value in answer.headers.get_list("warning"))
    return [text.replace('\\"', '"').replace("\\\\", "\\") for text in texts if text]


def _error(content: bytes, answer: httpx2.Response) -> StatusError:
    headers = {name: value for name, value in answer.headers.items() if name == "retry-after"}
    try:
        status: Any = orjson.loads(content)
    except orjson.JSONDecodeError:
        status = None
    if isinstance(status, dict) and status.get("kind") == "Status":
        return StatusError(status, headers)
    code = answer.status_code
    message = content.decode(errors="replace").strip() or answer.reason_phrase
    return status_error(code, _REASONS.get(code, ""), message, headers=headers)
