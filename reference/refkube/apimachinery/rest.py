"""A request to an API server and its response, apart from HTTP.

Clients make requests, `apiserver.pipeline` answers them, `apiserver.http` and `client.http` translate to
and from HTTP. In process a request carries objects as they are: nothing is encoded. `HttpRequest` and `HttpResponse`
are what passes between a socket, or a transport without one, and the HTTP front.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from refkube.apimachinery.meta import Object
from refkube.apimachinery.remotecommand import Session

NO_OPTIONS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class UserInfo:
    """Who asks: authentication.k8s.io/v1 UserInfo."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def told(self) -> Object:
        """As the API shows it."""
        told: Object = {"username": self.name, "groups": list(self.groups)}
        if self.uid:
            told["uid"] = self.uid
        if self.extra:
            told["extra"] = {key: list(values) for key, values in self.extra}
        return told


@dataclass(slots=True)
class Request:
    """One API call.

    `verb` is get, list, watch, create, update, patch, delete or deletecollection. `options` are the query
    parameters by name, as strings (labelSelector, resourceVersion, limit, dryRun, fieldManager ...).
    `body` is a decoded object (create, update, patch, delete options); for a patch `patch_type` is its media type.
    """

    verb: str
    group: str
    version: str
    resource: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    body: Any = None
    patch_type: str = ""
    options: Mapping[str, str] = field(default_factory=lambda: NO_OPTIONS)
    user: UserInfo | None = None
    user_agent: str = ""
    raw: bytes | None = None  # the body as it came, where it came encoded: duplicate fields are looked for in it
    warnings: list[str] = field(default_factory=list)  # filled while the request is served


@dataclass(slots=True)
class Response:
    """`code` is 200, 201 or 202; `object` or `watch` is set. `warnings` become Warning headers.

    `encoded` gives the object's JSON where it is kept; for a list, `items` gives its items' JSON.
    """

    object: Object | None = None
    code: int = 200
    watch: Watch | None = None
    warnings: list[str] = field(default_factory=list)
    encoded: Callable[[], bytes] | None = None
    items: Callable[[], list[bytes]] | None = None


class WatchEvent:
    """ADDED, MODIFIED, DELETED, BOOKMARK or ERROR with its object; encoded once for all who watch."""

    __slots__ = ("_encoded", "_line", "object", "type")

    def __init__(self, type: str, object: Object, encoded: Callable[[], bytes] | None = None):
        self.type = type
        self.object = object
        self._encoded = encoded
        self._line: bytes | None = None

    @property
    def line(self) -> bytes:
        """The event as one line of a JSON watch stream."""
        if self._line is None:
            encoded = self._encoded() if self._encoded else orjson.dumps(self.object)
            self._line = b'{"type":"%b","object":%b}\n' % (self.type.encode(), encoded)
        return self._line


class Watch(Protocol):
    """A running watch. Events are delivered on the loop's thread, in order, from `start` on."""

    def start(self, deliver: Callable[[WatchEvent], None], closed: Callable[[], None]) -> None: ...

    def stop(self) -> None: ...


Handle = Callable[[Request], Response]


@dataclass(slots=True)
class HttpRequest:
    """`path` is percent-encoded and without the query; header names are in lower case."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=lambda: NO_OPTIONS)
    body: bytes = b""
    peer: UserInfo | None = None  # whom the client's certificate names


class Stream(Protocol):
    """A body that goes on: chunks are delivered from `start` on until `closed` is called or `stop`."""

    def start(self, deliver: Callable[[bytes], None], closed: Callable[[], None]) -> None: ...

    def stop(self) -> None: ...


@dataclass(slots=True)
class HttpResponse:
    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""
    stream: Stream | None = None
    upgrade: Callable[[Session], object] | None = None  # 101: what goes on over a WebSocket, of this protocol
    protocol: str = ""
    later: Awaitable[HttpResponse] | None = None  # the answer itself, where somebody else has to be asked for it

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")
