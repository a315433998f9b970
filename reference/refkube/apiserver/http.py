"""The HTTP form of the API: from paths, queries and bodies to requests, from responses to bytes and streams.

`serving` calls `Front.serve` for what arrives on its socket; in process, a client's HTTP transport calls the very same.
Left out: CBOR (refused, as content negotiation has it), answers in protobuf (who sends it reads JSON too), websockets
(`serving` has them).
Source: apiserver/pkg/endpoints/{request,handlers}.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson
import yaml

from refkube.api import protobuf
from refkube.api.kinds import KINDS, Kind, by_resource
from refkube.apimachinery import errors
from refkube.apimachinery.meta import Object
from refkube.apimachinery.protobuf import MEDIA_TYPE as PROTOBUF
from refkube.apimachinery.rest import HttpRequest, HttpResponse, Request, Response, UserInfo, WatchEvent
from refkube.apiserver import health
from refkube.apiserver.authentication import Authenticator
from refkube.apiserver.authorization import ANONYMOUS
from refkube.apiserver.connect import Connector
from refkube.apiserver.discovery import Discovery, Document
from refkube.apiserver.openapi import OpenAPI
from refkube.apiserver.pipeline import PATCH_TYPES, Pipeline
from refkube.registry import tables
from refkube.registry.faults import StoreError, refusal_of

JSON, YAML = "application/json", "application/yaml"
ACCEPTED = (JSON, YAML)
PLAIN = ("content-type", "text/plain; charset=utf-8")
MAX_BODY = 3 * 1024 * 1024  # bytes: kube-apiserver's MaxRequestBodyBytes
MAX_YAML_DEPTH = 500
ALIASED = 50_000  # values that a document's aliases may add
Aggregated = Callable[[HttpRequest, str, str, str, Mapping[str, str]], HttpResponse]
PUBLIC = frozenset({"/healthz", "/livez", "/readyz", "/version"})


@dataclass(frozen=True, slots=True)
class Route:
    """What a path names: a group version's resource, perhaps one object, perhaps a part of it."""

    group: str
    version: str
    resource: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    watch: bool = False
    rest: str = ""  # behind a proxy


class Front:
    """One API server's HTTP form."""

    def __init__(
        self,
        pipeline: Pipeline,
        authenticator: Authenticator,
        jwks: Callable[[], Object],
        issuer: str,
        connector: Connector,
    ):
        self.pipeline = pipeline
        self._connector = connector
        self._aggregated: dict[str, Aggregated] = {}
        self._authenticator = authenticator
        self._jwks = jwks
        self._issuer = issuer
        self._health = health.Health(pipeline)
        self._documents = (Discovery(), OpenAPI())

    def aggregate(self, group: str, kinds: Iterable[Kind], serve: Aggregated) -> None:
        """Let another server answer for a group (kube-aggregator)."""
        self._aggregated[group] = serve
        self._documents = (Discovery((*KINDS, *kinds)), OpenAPI())

    def serve(self, http: HttpRequest) -> HttpResponse:
        """Answer one request. Never raises: what fails becomes a Status."""
        try:
            answer = self._answered(http)
        except Exception as why:
            return self._failed(http, why)
        if answer.later is not None:
            answer.later = self._awaited(http, answer.later)
        return answer

    def _answered(self, http: HttpRequest) -> HttpResponse:
        user = self._authenticator.authenticate(http.headers)
        path = http.path.rstrip("/") or "/"
        if user is ANONYMOUS and path not in PUBLIC and not path.startswith(("/livez/", "/readyz/", "/healthz/")):
            raise errors.unauthorized()
        if self.debug is not None and path.startswith("/debug/refkube/"):
            return self.debug(http, user)
        route = route_of(path)
        if route is None or (not route.resource):
            return self._document(http, path)
        return self._resource(http, route, user)

    async def _awaited(self, http: HttpRequest, later: Awaitable[HttpResponse]) -> HttpResponse:
        try:
            return await later
        except Exception as why:
            return self._failed(http, why)

    def _failed(self, http: HttpRequest, why: Exception) -> HttpResponse:
        if isinstance(why, errors.StatusError):
            return self._refusal(why)
        if isinstance(why, StoreError):
            return self._refusal(refusal_of(why))
        if isinstance(why, RecursionError):
            return self._refusal(errors.bad_request("the body of the request is nested too deeply"))
        # One broken request must not end the server; the log has the rest.
        self.pipeline.loop.trace.record("apiserver", f"{http.method} {http.path}", repr(why), error=why)
        if self.on_bug is not None:
            self.on_bug(why)
        return self._refusal(errors.internal_error(f"{type(why).__name__}: {why}"))

    on_bug: Callable[[Exception], None] | None = None  # told of what should never happen
    debug: Callable[[HttpRequest, UserInfo], HttpResponse] | None = None  # answers below /debug/refkube

    # Objects

    def _resource(self, http: HttpRequest, route: Route, user: UserInfo) -> HttpResponse:
        options = _options(http.query)
        if route.group in self._aggregated:
            return self._aggregated[route.group](http, route.resource, route.namespace, route.name, options)
        kind = by_resource(route.group, route.version, route.resource)
        if kind is None:
            return _unserved(route.group)
        verb = _verb(http.method, route, options, kind)
        if self._connector.leads(kind.plural, route.subresource):
            request = Request(verb, route.group, route.version, route.resource, route.namespace, route.name)
            request.subresource, request.options, request.user = route.subresource, options, user
            return self._connector.serve(http, request, kind, route.rest)
        form = _Form.asked(http.headers, options, kind)
        body, raw, patch_type = self._body(http, verb)
        request = Request(
            verb,
            route.group,
            route.version,
            route.resource,
            route.namespace,
            route.name,
            route.subresource,
            body,
            patch_type,
            options,
            user,
            http.headers.get("user-agent", ""),
            raw,
        )
        response = self.pipeline.handle(request)
        headers = [("warning", _warning(text)) for text in dict.fromkeys(response.warnings)]
        if response.watch is not None:
            headers.append(("content-type", JSON if form.plain or form.yaml else f"{JSON};stream=watch"))
            return HttpResponse(200, headers, stream=_WatchStream(response.watch, form, kind, self.pipeline))
        headers.append(("content-type", YAML if form.yaml else JSON))
        return HttpResponse(response.code, headers, self._encoded(response, form, kind, options))

    def _encoded(self, response: Response, form: _Form, kind: Kind, options: Mapping[str, str]) -> bytes:
        obj = response.object
        assert obj is not None
        if form.plain and not form.pretty:
            if response.items is not None:
                head = {key: value for key, value in obj.items() if key != "items"}
                return b'%b,"items":[%b]}' % (orjson.dumps(head)[:-1], b",".join(response.items()))
            return response.encoded() if response.encoded is not None else orjson.dumps(obj)
        return form.encode(form.shape(obj, kind, options, self.pipeline.loop.now()))

    def _body(self, http: HttpRequest, verb: str) -> tuple[Any, bytes | None, str]:
        """The decoded body, the body as it came, and the patch type."""
        if verb in ("get", "list", "watch"):
            return None, None, ""
        if len(http.body) > MAX_BODY:
            raise errors.too_large_entity(f"Request entity too large: limit is {MAX_BODY}")
        media = http.headers.get("content-type", "").partition(";")[0].strip().lower()
        if verb == "patch":
            if media not in PATCH_TYPES:
                raise errors.status_error(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
            if media == PATCH_TYPES[3]:
                return parse_yaml(http.body), http.body, media
            return parse_json(http.body), http.body, media
        if not http.body:
            return None, b"", ""
        if media in ("", JSON):
            return parse_json(http.body), http.body, ""
        if media in (YAML, "application/x-yaml", "text/yaml"):
            return parse_yaml(http.body), b"", ""
        if media == PROTOBUF:
            return protobuf.decode(http.body), b"", ""
        raise errors.unsupported_media_type((*ACCEPTED, PROTOBUF))

    # Documents

    def _document(self, http: HttpRequest, path: str) -> HttpResponse:
        """Everything that is not an object: discovery, OpenAPI, health, metrics, keys."""
        accept = http.headers.get("accept", "")
        found = next(filter(None, (source.document(path, accept) for source in self._documents)), None)
        if found is not None:
            if http.method not in ("GET", "HEAD"):
                raise errors.method_not_allowed()
            return self._cached(http, found)
        if path in ("/openid/v1/jwks", "/.well-known/openid-configuration"):
            return HttpResponse(200, [("content-type", JSON)], orjson.dumps(self._openid(path)))
        if path == "/metrics":
            return HttpResponse(200, [("content-type", "text/plain; version=0.0.4")], self._health.metrics())
        if path.partition("/")[2].partition("/")[0] in ("healthz", "livez", "readyz"):
            status, text = self._health.check(path, _options(http.query))
            return HttpResponse(status, [PLAIN], text)
        if path.startswith("/api/"):
            raise errors.unknown_path()
        return _unserved(path.split("/")[2] if path.startswith("/apis/") else None)

    def _cached(self, http: HttpRequest, found: Document) -> HttpResponse:
        headers = [("content-type", found.content_type), ("etag", found.etag), ("vary", "Accept")]
        if http.headers.get("if-none-match") == found.etag:
            return HttpResponse(304, headers)
        return HttpResponse(200, headers, found.body)

    def _openid(self, path: str) -> Object:
        if path.endswith("jwks"):
            return {"keys": [self._jwks()]}
        return {
            "issuer": self._issuer,
            "jwks_uri": f"{self._issuer}/openid/v1/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        }

    def _refusal(self, refusal: errors.StatusError) -> HttpResponse:
        headers = [("content-type", JSON), *refusal.headers.items()]
        return HttpResponse(refusal.code, headers, orjson.dumps(refusal.status))


_PATH = re.compile(r"/(?:api/(?P<core>v1)|apis/(?P<group>[^/]+)/(?P<version>[^/]+))(?:/(?P<rest>.*))?$")


def route_of(path: str) -> Route | None:
    """What a path of the API names; None where it names no resource (apiserver/pkg/endpoints/request)."""
    found = _PATH.match(path)
    if found is None:
        return None
    group, version = (found["group"] or ""), (found["version"] or found["core"])
    parts = [unquote(part) for part in (found["rest"] or "").split("/")] if found["rest"] else []
    watch = bool(parts) and parts[0] == "watch"
    parts = parts[watch:]
    if not parts:
        return Route(group, version, "")
    if any(not part or part in (".", "..") or "/" in part or "%" in part for part in parts):
        raise errors.unknown_path()
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 2 and parts[2] not in ("finalize", "status"):
        namespace, parts = parts[1], parts[2:]
    if len(parts) > 3 and parts[2] != "proxy":
        raise errors.unknown_path()
    resource, name, subresource = [*parts, "", ""][:3]
    return Route(group, version, resource, namespace, name, subresource, watch, "/".join(parts[3:]))


def _options(query: str) -> dict[str, str]:
    """Query parameters by name; of a repeated one the first counts, as in Go."""
    options: dict[str, str] = {}
    if query:
        for name, value in parse_qsl(query, keep_blank_values=True):
            options.setdefault(name, value)
    return options


def _unserved(group: str | None) -> HttpResponse:
    """404: by a Status if anything of the group is served, else by plain text (apiserver/pkg/server/handler.go)."""
    if group in {kind.group for kind in KINDS}:
        raise errors.unknown_path()
    return HttpResponse(404, [PLAIN, ("x-content-type-options", "nosniff")], b"404 page not found\n")


def _verb(method: str, route: Route, options: Mapping[str, str], kind: Kind) -> str:
    """What a request does to what its path names. Raises 404 where that is nothing, 405 where it cannot be done."""
    away = kind.namespaced != bool(route.namespace)
    if (route.subresource and route.subresource not in kind.subresources) or (away and (route.name or route.namespace)):
        raise errors.unknown_path()
    verb = _asked(method, route, options)
    if (away and verb not in ("list", "watch")) or not (route.subresource or verb in kind.verbs):
        raise errors.method_not_allowed()
    return verb


def _asked(method: str, route: Route, options: Mapping[str, str]) -> str:
    if method == "GET":
        wanted = options.get("watch")
        if route.watch or (wanted is not None and wanted.lower() not in ("false", "0") and not route.subresource):
            return "watch"
        return "get" if route.name else "list"
    if method == "DELETE":
        return "delete" if route.name else "deletecollection"
    verb = {"POST": "create", "PUT": "update", "PATCH": "patch"}.get(method, "")
    if not route.subresource and bool(route.name) == (verb == "create"):
        raise errors.method_not_allowed()
    return verb


def parse_json(body: bytes) -> Any:
    """Raises 400 for what is not JSON."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as why:
        raise errors.bad_request(f"couldn't get version/kind; json parse error: {why}") from None


def parse_yaml(body: bytes) -> Any:
    """One YAML document as JSON-shaped data. Raises 400, also where nesting or aliases would blow it up."""
    if body[:1] == b"{":  # JSON, as most clients send it even where YAML is asked for, is YAML that reads faster
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            pass
    try:
        _refuse_deep(body)
        parsed = yaml.load(body, _Loader)
    except (yaml.YAMLError, ValueError, ArithmeticError) as why:
        told = " ".join(str(why).split())
        raise errors.bad_request(f"couldn't get version/kind; yaml: {told}") from None
    _refuse_bomb(parsed, len(body) + ALIASED)
    return parsed


def _refuse_deep(body: bytes) -> None:
    """libyaml reads any depth, but composing it takes the C stack, whose end is the end of the process."""
    if sum(map(body.count, (b"[", b"{", b"-", b":", b"?"))) < MAX_YAML_DEPTH:
        return
    depth = 0
    for event in yaml.parse(body, _Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_YAML_DEPTH:
            raise yaml.YAMLError("exceeded max depth")


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML as JSON has it: timestamps stay text, keys are strings."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """A merge (<<) copies, and one of merges copies the copies."""
        super().flatten_mapping(node)
        if len(node.value) > ALIASED:
            raise yaml.YAMLError("document contains excessive aliasing")


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _integer(loader: Any, node: Any) -> int | float:
    """An integer, or what JSON makes of one that 64 bits do not hold."""
    value = yaml.SafeLoader.construct_yaml_int(loader, node)
    return value if -(2**63) <= value < 2**64 else float(value)


_Loader.add_constructor("tag:yaml.org,2002:int", _integer)


def _refuse_bomb(parsed: Any, budget: int) -> None:
    """Walk what aliases unfold to, and stop early: without them there are fewer values than bytes."""
    todo = [parsed]
    while todo:
        budget -= 1
        if budget < 0:
            raise errors.bad_request("couldn't get version/kind; yaml: document contains excessive aliasing")
        value = todo.pop()
        if isinstance(value, dict):
            if any(not isinstance(key, str) for key in value):
                raise errors.bad_request("couldn't get version/kind; yaml: keys must be strings")
            todo.extend(value.values())
        elif isinstance(value, list):
            todo.extend(value)
        elif isinstance(value, float) and not isfinite(value):
            raise errors.bad_request(f"couldn't get version/kind; yaml: JSON has no number {value}")
        elif not isinstance(value, str | int | float | bool | None):
            raise errors.bad_request(f"couldn't get version/kind; yaml: cannot hold a {type(value).__name__}")


@dataclass(frozen=True, slots=True)
class _Form:
    """What the client wants to read: JSON or YAML; the object, a Table or its metadata."""

    shape_kind: str = ""
    yaml: bool = False
    pretty: bool = False
    include_object: str = ""

    @property
    def plain(self) -> bool:
        return not self.shape_kind and not self.yaml

    @classmethod
    def asked(cls, headers: Mapping[str, str], options: Mapping[str, str], kind: Kind | None = None) -> _Form:
        """The best of an Accept header's media types that can be had (apiserver/pkg/endpoints/handlers/negotiation)."""
        accept, wish = headers.get("accept", ""), options.get("pretty", "")
        human = headers.get("user-agent", "").startswith(("curl", "Wget", "Mozilla/5.0"))
        pretty = wish in ("1", "t", "T", "true", "TRUE", "True") if wish else human
        include = options.get("includeObject", "")
        if not accept:
            return cls(pretty=pretty)
        offers = _offers(accept)
        if not any(media in ("*/*", *ACCEPTED) for media, _ in offers):  # as the router says it, who knows no ranges
            why = f"406: Not Acceptable\n\nAvailable representations: {', '.join(ACCEPTED)}"
            raise errors.status_error(406, "NotAcceptable", why, {})
        for media, told in offers:
            if media not in ("*/*", "application/*", *ACCEPTED):
                continue
            shape = told.get("as", "")
            if shape and (told.get("g"), told.get("v")) != ("meta.k8s.io", "v1"):
                continue
            if shape and shape not in ("Table", "PartialObjectMetadata", "PartialObjectMetadataList"):
                continue
            if shape == "Table" and kind and "list" not in kind.verbs:  # what is only answered to has no columns
                continue
            if shape == "Table" and include and include not in tables.INCLUDE:
                problem = errors.invalid("includeObject", include, "must be 'Metadata', 'Object', 'None', or empty")
                raise errors.bad_request(f"Unable to convert to Table as requested: includeObject: {problem.message}")
            return cls(shape, media == YAML, pretty, include)
        raise errors.not_acceptable(ACCEPTED)

    def shape(self, obj: Object, kind: Kind, options: Mapping[str, str], now: float) -> Object:
        if self.shape_kind == "Table":
            return tables.table(kind, obj, self.include_object, now)
        if self.shape_kind == "PartialObjectMetadataList" or (self.shape_kind and "items" in obj):
            return tables.partial_list(obj)
        if self.shape_kind:
            return tables.partial(obj)
        return obj

    def event(self, event: WatchEvent, kind: Kind, now: float, first: bool) -> WatchEvent:
        if not self.shape_kind or event.type == "ERROR":
            return event
        if self.shape_kind == "Table":
            return tables.table_event(kind, event, self.include_object, now, first)
        return WatchEvent(event.type, tables.partial(event.object))

    def encode(self, obj: Object) -> bytes:
        if self.yaml:
            return yaml.dump(
                orjson.loads(orjson.dumps(obj)), Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False
            ).encode()
        return orjson.dumps(obj, option=orjson.OPT_INDENT_2 if self.pretty else None)


def _offers(accept: str) -> list[tuple[str, dict[str, str]]]:
    """Media types with their parameters, those that are preferred first."""
    offers = []
    for offer in accept.split(","):
        media, *parameters = (part.strip() for part in offer.split(";"))
        offers.append((media, {name: value for name, _, value in (p.partition("=") for p in parameters)}))
    return sorted(offers, key=lambda offer: offer[1].get("q", "1"), reverse=True)


class _WatchStream:
    """A watch as lines of JSON."""

    def __init__(self, watch: Any, form: _Form, kind: Kind, pipeline: Pipeline):
        self._watch = watch
        self._form = form
        self._kind = kind
        self._now = pipeline.loop.now
        self._first = True

    def start(self, deliver: Callable[[bytes], None], closed: Callable[[], None]) -> None:
        def line(event: WatchEvent) -> None:
            shaped = self._form.event(event, self._kind, self._now(), self._first)
            self._first = False
            deliver(shaped.line)

        self._watch.start(line, closed)

    def stop(self) -> None:
        self._watch.stop()


def _warning(text: str) -> str:
    """A Warning header (RFC 7234, 5.5): 299, no agent, the text quoted."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'299 - "{quoted}"'
