"""The API described in OpenAPI: /openapi/v3 (an index, and one document a group version) and /openapi/v2.

`apiserver.http` asks `OpenAPI.document`; `kubectl explain`, `apply` and clients' generators read the answer. Paths
follow from the table of kinds, schemas from the published definitions. Documents are built when first asked for and
encoded once. Facts: kube-openapi/pkg/{builder3,handler3}, apiserver/pkg/endpoints/installer.go, the published
api/openapi-spec. Left out: protobuf (where a client accepts nothing else, /openapi/v2 names no types, and there is no
other document), the deprecated watch paths, and the schemas' defaults.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from refkube.api import schema
from refkube.api.kinds import KINDS, VERSION, Kind
from refkube.apimachinery.meta import Object
from refkube.apiserver.discovery import JSON, SUBRESOURCES, Document, subresource_kind

META = "io.k8s.apimachinery.pkg.apis.meta.v1."
QUANTITY, INT_OR_STRING = (
    "io.k8s.apimachinery.pkg.api.resource.Quantity",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
)
PATCHES = tuple(
    f"application/{form}"
    for form in ("apply-patch+yaml", "json-patch+json", "merge-patch+json", "strategic-merge-patch+json")
)
PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
# A Document with its version and nothing else. kubectl asks for it before it creates what cannot be patched (reviews,
# bindings), finds no type to check the manifest by, and leaves the checking to the server.
_UNTYPED = Document({}, PROTOBUF.replace("@", "."), b"\n\x032.0")
WATCHABLE = (JSON, f"{JSON};stream=watch")

# query parameters: name, type, description
_PRETTY = ("pretty", "string", "If 'true', then the output is pretty printed.")
_DRY_RUN = ("dryRun", "string", "When present, indicates that modifications should not be persisted. Valid: All.")
_MANAGER = ("fieldManager", "string", "The name of the actor or entity that is making these changes.")
_VALIDATION = (
    "fieldValidation", "string",
    "What the server does with unknown or duplicate fields: Ignore, Warn (the default) or Strict.",
)  # fmt: skip
_FORCE = ("force", "boolean", "For an apply patch: acquire fields that other managers own.")
_WRITE = (_PRETTY, _DRY_RUN, _MANAGER, _VALIDATION)
_DELETE = (
    _PRETTY, _DRY_RUN,
    ("gracePeriodSeconds", "integer", "The seconds before the object should be deleted; zero deletes immediately."),
    ("orphanDependents", "boolean", "Deprecated: use propagationPolicy."),
    ("propagationPolicy", "string", "How dependents are collected: Orphan, Background or Foreground."),
)  # fmt: skip
_LIST = (
    _PRETTY,
    ("allowWatchBookmarks", "boolean", "Requests watch events of type BOOKMARK."),
    ("continue", "string", "The token of a previous, limited list, to be continued."),
    ("fieldSelector", "string", "Restricts the objects by their fields."),
    ("labelSelector", "string", "Restricts the objects by their labels."),
    ("limit", "integer", "The maximum number of objects in the answer; the rest is had by its continue token."),
    ("resourceVersion", "string", "Constrains which resource versions may be served."),
    ("resourceVersionMatch", "string", "How resourceVersion is applied to a list: Exact or NotOlderThan."),
    ("sendInitialEvents", "boolean", "Begins a watch with synthetic events of the present state and a bookmark."),
    ("timeoutSeconds", "integer", "Bounds the duration of the call."),
    ("watch", "boolean", "Watch for changes and return them as a stream of notifications."),
)
_STREAMS = tuple((name, "boolean", f"Redirects {name}.") for name in ("stderr", "stdin", "stdout", "tty"))
_CONTAINER = ("container", "string", "The container; the only one if not given.")
_CONNECT = {
    "attach": (_CONTAINER, *_STREAMS),
    "exec": (("command", "string", "The remote command to execute, once for every argument."), _CONTAINER, *_STREAMS),
    "portforward": (("ports", "integer", "A port to forward, for WebSockets."),),
    "proxy": (("path", "string", "The part of the URL to use for the request that is proxied."),),
    "log": (
        _CONTAINER,
        *((name, "boolean", "") for name in ("follow", "insecureSkipTLSVerifyBackend", "previous", "timestamps")),
        *((name, "integer", "") for name in ("limitBytes", "sinceSeconds", "tailLines")),
        _PRETTY,
    ),
}
_RETURNS_DELETED = {
    "CSIDriver", "CSINode", "DeviceClass", "PersistentVolume", "PersistentVolumeClaim", "Pod", "PodTemplate",
    "ResourceClaim", "ResourceClaimTemplate", "ResourceQuota", "ResourceSlice", "Service", "ServiceAccount",
    "StorageClass", "VolumeAttachment", "VolumeAttributesClass",
}  # fmt: skip


class Operation(NamedTuple):
    """One method of a path. `body` and `answer` are definitions; an empty answer is text."""

    path: str
    method: str
    action: str  # x-kubernetes-action
    word: str  # how the operation's id begins, and what follows the group version: "delete/Collection"
    kind: Kind
    gvk: tuple[str, str, str]
    parameters: tuple[tuple[str, str, str], ...]
    body: str = ""
    answer: str = ""
    codes: tuple[int, ...] = (200,)
    suffix: str = ""


class OpenAPI:
    """The OpenAPI documents of a server of `kinds`."""

    def __init__(self, kinds: Iterable[Kind] = KINDS):
        self._versions: dict[str, list[Kind]] = {}  # by path below /openapi/v3/
        for kind in kinds:
            self._versions.setdefault(_place(kind), []).append(kind)
        self._documents: dict[str, Document | None] = {}

    def document(self, path: str, accept: str = "") -> Document | None:
        """The document at a path (without its query), or None where there is none or no acceptable form of it.

        An etag is a document's hash: the index tells it as each group version's `hash` parameter."""
        if not _accepts_json(accept):
            return _UNTYPED if path == "/openapi/v2" and PROTOBUF in accept else None
        if path not in self._documents:
            self._documents[path] = self._build(path)
        return self._documents[path]

    def _build(self, path: str) -> Document | None:
        place = path.removeprefix("/openapi/v3/")
        if path == "/openapi/v2":
            return Document(_swagger([kind for kinds in self._versions.values() for kind in kinds]))
        if path == "/openapi/v3":
            return Document({"paths": {place: {"serverRelativeURL": self._url(place)} for place in self._versions}})
        return Document(_openapi(self._versions[place])) if place in self._versions else None

    def _url(self, place: str) -> str:
        document = self.document(f"/openapi/v3/{place}")
        assert document is not None
        return f"/openapi/v3/{place}?hash=" + document.etag.strip('"')


def _place(kind: Kind) -> str:
    return f"apis/{kind.api_version}" if kind.group else f"api/{kind.version}"


def _accepts_json(accept: str) -> bool:
    media = {clause.partition(";")[0].strip() for clause in accept.split(",")} - {""}
    return not media or not media.isdisjoint({JSON, "*/*", "application/*"})


# --- what can be done


def operations(kind: Kind) -> Iterator[Operation]:
    """Everything that the server answers for a kind, subresources included."""
    everywhere = f"/{_place(kind)}/{kind.plural}"
    path = f"/{_place(kind)}/namespaces/{{namespace}}/{kind.plural}" if kind.namespaced else everywhere
    item = f"{path}/{{name}}"
    own, listed = kind.definition, f"{kind.definition}List"
    about = (kind, (kind.group, kind.version, kind.kind))
    if "list" in kind.verbs:
        yield Operation(path, "get", "list", "list", *about, _LIST, "", listed)
        if kind.namespaced:
            yield Operation(everywhere, "get", "list", "list", *about, _LIST, "", listed, suffix="ForAllNamespaces")
    if "create" in kind.verbs:
        yield Operation(path, "post", "post", "create", *about, _WRITE, own, own, (200, 201, 202))
    action = "deletecollection"
    if action in kind.verbs:
        some, gone = (*_DELETE, *_LIST[2:8]), META + "Status"
        yield Operation(path, "delete", action, "delete/Collection", *about, some, META + "DeleteOptions", gone)
    if "get" in kind.verbs:
        yield Operation(item, "get", "get", "read", *about, (_PRETTY,), "", own)
    yield from _writes(*about, kind.verbs, item, own)
    if "delete" in kind.verbs:
        gone = own if kind.kind in _RETURNS_DELETED else META + "Status"
        yield Operation(item, "delete", "delete", "delete", *about, _DELETE, META + "DeleteOptions", gone, (200, 202))
    for name in kind.subresources:
        yield from _subresource(kind, name, f"{item}/{name}")


def _writes(
    kind: Kind, gvk: tuple[str, str, str], verbs: tuple[str, ...], path: str, own: str, suffix: str = ""
) -> Iterator[Operation]:
    if "update" in verbs:
        yield Operation(path, "put", "put", "replace", kind, gvk, _WRITE, own, own, (200, 201), suffix)
    if "patch" in verbs:
        patch = META + "Patch"
        yield Operation(path, "patch", "patch", "patch", kind, gvk, (*_WRITE, _FORCE), patch, own, (200, 201), suffix)


def _subresource(kind: Kind, name: str, path: str) -> Iterator[Operation]:
    verbs, _ = SUBRESOURCES[name]
    gvk, suffix = subresource_kind(kind, name), name.capitalize()
    if name == "log":
        yield Operation(path, "get", "get", "read", kind, gvk, _CONNECT[name], suffix=suffix)
        return
    if name in _CONNECT:
        methods = {"create": "post", "get": "get", "update": "put", "patch": "patch", "delete": "delete"}
        for method in (methods[verb] for verb in verbs):
            word = f"connect/{method.capitalize()}"
            yield Operation(path, method, "connect", word, kind, gvk, _CONNECT[name], suffix=suffix)
        return
    own = _definitions_by_gvk()[gvk]
    if "get" in verbs:
        yield Operation(path, "get", "get", "read", kind, gvk, (_PRETTY,), "", own, suffix=suffix)
    if "create" in verbs:
        yield Operation(path, "post", "post", "create", kind, gvk, _WRITE, own, own, (200, 201, 202), suffix)
    yield from _writes(kind, gvk, verbs, path, own, suffix)


@cache
def _definitions_by_gvk() -> dict[tuple[str, str, str], str]:
    return {
        (gvk["group"], gvk["version"], gvk["kind"]): name
        for name, raw in schema.schema().definitions.items()
        for gvk in raw.get("x-kubernetes-group-version-kind", ())
        if not name.startswith(META)
    }


# --- what is told of it, in version 3 (OpenAPI 3.0) and version 2 (Swagger)


def _openapi(kinds: list[Kind]) -> Object:
    paths, roots = _paths(kinds, swagger=False)
    schemas = {name: _schema(name, False) for name in _reachable(roots | {kind.definition for kind in kinds})}
    return {"openapi": "3.0.0", "info": _INFO, "paths": paths, "components": {"schemas": schemas}}


def _swagger(kinds: list[Kind]) -> Object:
    paths, _ = _paths(kinds, swagger=True)
    definitions = {name: _schema(name, True) for name in schema.schema().definitions}
    return {"swagger": "2.0", "info": _INFO, "paths": paths, "definitions": definitions}


_INFO = {"title": "Kubernetes", "version": VERSION}


def _paths(kinds: list[Kind], swagger: bool) -> tuple[dict[str, Object], set[str]]:
    """The paths, and the definitions they name."""
    paths: dict[str, Object] = {}
    named: set[str] = set()
    for operation in (operation for kind in kinds for operation in operations(kind)):
        path = paths.setdefault(operation.path, {})
        path[operation.method] = _operation(operation, swagger)
        inside = [name for name in ("name", "namespace") if f"{{{name}}}" in operation.path]
        if inside:
            path["parameters"] = [_parameter(name, "string", "", "path", swagger) for name in inside]
        named |= {operation.body, operation.answer} - {""}
    return paths, named


def _parameter(name: str, kind: str, about: str, place: str, swagger: bool) -> Object:
    typed: Object = {"type": kind, "uniqueItems": True}
    parameter: Object = {"name": name, "in": place, **(typed if swagger else {"schema": typed})}
    if place == "path":
        parameter["required"] = True
    return {**parameter, "description": about} if about else parameter


def _operation(operation: Operation, swagger: bool) -> Object:
    group, version, kind = operation.gvk
    told: Object = {
        "tags": [f"{_group_name(operation.kind)}_{operation.kind.version}"],
        "operationId": _id(operation),
        "x-kubernetes-action": operation.action,
        "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": kind},
        "parameters": [_parameter(*parameter, "query", swagger) for parameter in operation.parameters],
    }
    takes = PATCHES if operation.method == "patch" else (JSON,)
    gives = WATCHABLE if operation.action == "list" else (JSON,) if operation.answer else ("*/*",)
    shape = _reference(operation.answer, swagger) if operation.answer else {"type": "string"}
    needed = operation.method != "delete"
    if swagger:
        answer: Object = {"schema": shape}
        told |= {"consumes": list(takes), "produces": list(gives)}
        if operation.body:
            body = {"name": "body", "in": "body", "required": needed, "schema": _reference(operation.body, swagger)}
            told["parameters"].insert(0, body)
    else:
        answer = {"content": {form: {"schema": shape} for form in gives}}
        if operation.body:
            content = {form: {"schema": _reference(operation.body, swagger)} for form in takes}
            told["requestBody"] = {"content": content, "required": needed}
    told["responses"] = {str(code): {"description": _TOLD[code], **answer} for code in operation.codes}
    told["responses"]["401"] = {"description": "Unauthorized"}
    return told


_TOLD = {200: "OK", 201: "Created", 202: "Accepted"}


def _id(operation: Operation) -> str:
    """ "listCoreV1NamespacedPod", "deleteAppsV1CollectionNamespacedDeployment"."""
    kind, group = operation.kind, _group_name(operation.kind)
    word, _, more = operation.word.partition("/")
    scope = "Namespaced" if "{namespace}" in operation.path else ""
    of = f"{group[0].upper()}{group[1:]}{kind.version.capitalize()}"
    return f"{word}{of}{more}{scope}{kind.kind}{operation.suffix}"


def _group_name(kind: Kind) -> str:
    first, *more = (kind.group or "core").removesuffix(".k8s.io").split(".")
    return first + "".join(part.capitalize() for part in more)


def _reference(name: str, swagger: bool) -> Object:
    return {"$ref": ("#/definitions/" if swagger else "#/components/schemas/") + name}


@cache
def _schema(name: str, swagger: bool) -> Object:
    if name == QUANTITY:
        return {"type": "string"} if swagger else {"oneOf": [{"type": "string"}, {"type": "number"}]}
    if name == INT_OR_STRING:
        kinds: Object = {"type": "string"} if swagger else {"oneOf": [{"type": "integer"}, {"type": "string"}]}
        return {"format": "int-or-string", **kinds}
    return _published(schema.schema().definitions[name], swagger)


def _published(raw: Mapping[str, Any], swagger: bool) -> Object:
    """A schema as upstream publishes it: the stricter package's nulls, enums and closed objects taken back.

    A reference with a description goes into allOf, beside which OpenAPI 3.0 lets the description stand."""
    made = {key: value for key, value in raw.items() if key not in _REWRITTEN}
    if "type" in raw:
        made["type"] = raw["type"] if isinstance(raw["type"], str) else next(t for t in raw["type"] if t != "null")
    for part in ("items", "additionalProperties"):
        if isinstance(raw.get(part), Mapping):
            made[part] = _published(raw[part], swagger)
    if "properties" in raw:
        made["properties"] = {name: _published(value, swagger) for name, value in raw["properties"].items()}
    if "$ref" in raw:
        reference = _reference(raw["$ref"].rpartition("/")[2], swagger)
        made = {"allOf": [reference], **made} if made and not swagger else {**reference, **made}
    return made


_REWRITTEN = {"$ref", "additionalProperties", "enum", "items", "properties", "type"}


def _reachable(roots: set[str]) -> list[str]:
    found: set[str] = set()
    todo = list(roots)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += _references(schema.schema().definitions[name])
    return sorted(found)


def _references(raw: Mapping[str, Any]) -> Iterator[str]:
    if "$ref" in raw:
        yield raw["$ref"].rpartition("/")[2]
    for part in (*raw.get("properties", {}).values(), raw.get("items"), raw.get("additionalProperties")):
        if isinstance(part, Mapping):
            yield from _references(part)
