"""What the server serves, told to clients: /api, /apis, group versions, aggregated discovery and /version.

`apiserver.http` asks `Discovery.document` for GETs of these paths; everything follows from the table of kinds. The
documents are built when first asked for and encoded once. Facts: apiserver/pkg/endpoints/{installer,discovery},
apimachinery/pkg/apis/meta/v1 (APIGroup, APIResource), kube-aggregator/pkg/apiserver/handler_apis.go.
Left out: apidiscovery.k8s.io/v2beta1, which the release no longer serves, and protobuf.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import orjson

from refkube.api.kinds import KINDS, VERSION, Kind
from refkube.apimachinery.meta import Object

JSON = "application/json"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

# of a group among the others: kubernetes/pkg/controlplane/apiserver/aggregator.go and .../cmd/kube-apiserver/app
_PRIORITIES = {
    "": 18000, "apiregistration.k8s.io": 18000, "apps": 17800, "events.k8s.io": 17750, "authentication.k8s.io": 17700,
    "authorization.k8s.io": 17600, "autoscaling": 17500, "batch": 17400, "certificates.k8s.io": 17300,
    "networking.k8s.io": 17200, "policy": 17100, "rbac.authorization.k8s.io": 17000, "storage.k8s.io": 16800,
    "admissionregistration.k8s.io": 16700, "apiextensions.k8s.io": 16700, "scheduling.k8s.io": 16600,
    "coordination.k8s.io": 16500, "node.k8s.io": 16300, "discovery.k8s.io": 16200,
    "flowcontrol.apiserver.k8s.io": 16100, "resource.k8s.io": 15900,
}  # fmt: skip
_ADDED = 1000  # of a group that a CustomResourceDefinition brings
# What is served beside the groups.
_FIXED = (
    *("/.well-known/openid-configuration", "/api", "/apis", "/healthz", "/livez", "/metrics", "/openapi/v2"),
    *("/openapi/v3", "/openid/v1/jwks", "/readyz", "/version"),
)

# subresources: verbs, and group, version, kind where they are not the parent's
_OBJECT = ("get", "patch", "update")
_STREAM = ("create", "get")
_PROXY = ("create", "delete", "get", "patch", "update")
SUBRESOURCES: dict[str, tuple[tuple[str, ...], tuple[str, str, str] | None]] = {
    "approval": (_OBJECT, None),
    "attach": (_STREAM, ("", "v1", "PodAttachOptions")),
    "binding": (("create",), ("", "v1", "Binding")),
    "ephemeralcontainers": (_OBJECT, None),
    "eviction": (("create",), ("policy", "v1", "Eviction")),
    "exec": (_STREAM, ("", "v1", "PodExecOptions")),
    "finalize": (("update",), None),
    "log": (("get",), None),
    "portforward": (_STREAM, ("", "v1", "PodPortForwardOptions")),
    "proxy": (_PROXY, ("", "v1", "{parent}ProxyOptions")),
    "resize": (_OBJECT, None),
    "scale": (_OBJECT, ("autoscaling", "v1", "Scale")),
    "status": (_OBJECT, None),
    "token": (("create",), ("authentication.k8s.io", "v1", "TokenRequest")),
}


@dataclass(frozen=True)
class Document:
    """An answer, encoded once, as JSON unless `body` is given; `etag` is quoted, as the header wants it."""

    object: Object
    content_type: str = JSON
    body: bytes = b""
    etag: str = field(init=False)

    def __post_init__(self) -> None:
        body = self.body or orjson.dumps(self.object)
        object.__setattr__(self, "body", body)
        object.__setattr__(self, "etag", f'"{hashlib.sha512(body).hexdigest().upper()}"')


class Discovery:
    """The discovery documents of a server of `kinds`, which may be more than those of the release."""

    def __init__(self, kinds: Iterable[Kind] = KINDS, address: str = "127.0.0.1:6443"):
        """`address` is the host:port that /api recommends to clients."""
        self._groups: dict[str, dict[str, list[Kind]]] = {}
        for kind in kinds:
            self._groups.setdefault(kind.group, {}).setdefault(kind.version, []).append(kind)
        self._address = address
        self._documents: dict[tuple[str, bool], Document | None] = {}

    def document(self, path: str, accept: str = "") -> Document | None:
        """The document at a path, or None where discovery has none. `accept` chooses the aggregated form of /api
        and /apis."""
        path = path.rstrip("/")
        key = (path, path in ("/api", "/apis") and wants_aggregated(accept))
        if key not in self._documents:
            self._documents[key] = self._build(*key)
        return self._documents[key]

    def _build(self, path: str, aggregated: bool) -> Document | None:
        if aggregated:
            groups = [""] if path == "/api" else self.groups()
            items = [self._group_discovery(group) for group in groups if group in self._groups]
            listed = {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}}
            return Document({**listed, "items": items}, AGGREGATED)
        match path.split("/")[1:]:
            case []:
                return Document({"paths": self._paths()})
            case ["api"]:
                return Document(self._core_versions())
            case ["apis"]:
                groups_ = [self._group(group) for group in self.groups()]
                return Document({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups_})
            case ["version"]:
                return Document(version())
            case ["apis", group] if group in self._groups:
                return Document({"kind": "APIGroup", "apiVersion": "v1", **self._group(group)})
            case ["api", version_] if version_ in self._groups.get("", ()):
                return Document(resource_list(version_, self._groups[""][version_]))
            case ["apis", group, version_] if group and version_ in self._groups.get(group, ()):
                return Document(resource_list(f"{group}/{version_}", self._groups[group][version_]))
        return None

    def groups(self) -> list[str]:
        """The named groups in the order clients see them: the aggregator's own, then by priority and name."""
        names = (group for group in self._groups if group)
        return sorted(names, key=lambda group: (-_PRIORITIES.get(group, _ADDED), group))

    def _paths(self) -> list[str]:
        """What there is to read below "/", as kube-apiserver's index tells it."""
        groups = [(group, version_) for group, versions in self._groups.items() for version_ in versions]
        found = {f"/apis/{group}/{version_}" if group else f"/api/{version_}" for group, version_ in groups}
        return sorted({*found, *(f"/apis/{group}" for group in self.groups()), *_FIXED})

    def _core_versions(self) -> Object:
        return {
            "kind": "APIVersions",
            "versions": list(self._groups.get("", ())),
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": self._address}],
        }

    def _group(self, group: str) -> Object:
        """An APIGroup; the table of kinds names the preferred version first."""
        versions = [{"groupVersion": f"{group}/{version_}", "version": version_} for version_ in self._groups[group]]
        return {"name": group, "versions": versions, "preferredVersion": versions[0]}

    def _group_discovery(self, group: str) -> Object:
        versions = [
            {"version": version_, "resources": [_discovered(kind) for kind in _in_order(kinds)], "freshness": "Current"}
            for version_, kinds in self._groups[group].items()
        ]
        return {"metadata": {"name": group} if group else {}, "versions": versions}


def wants_aggregated(accept: str) -> bool:
    """Whether the first form of the Accept header that discovery knows is the aggregated one."""
    for clause in accept.split(","):
        media, *parameters = (part.strip() for part in clause.split(";"))
        told = dict(parameter.partition("=")[::2] for parameter in parameters)
        convert = {name: told[name] for name in ("g", "v", "as") if name in told}
        if media in (JSON, "*/*", "application/*") and not convert:
            return False
        if media == JSON and convert == {"g": "apidiscovery.k8s.io", "v": "v2", "as": "APIGroupDiscoveryList"}:
            return True
    return False


def version() -> Object:
    """/version (apimachinery/pkg/version.Info). What upstream's build would fill in is left empty."""
    major, minor, _ = VERSION.removeprefix("v").split(".")
    return {
        "major": major,
        "minor": minor,
        "emulationMajor": major,
        "emulationMinor": minor,
        "minCompatibilityMajor": major,
        "minCompatibilityMinor": str(int(minor) - 1),
        "gitVersion": VERSION,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "",
        "platform": "linux/amd64",
    }


def resource_list(group_version: str, kinds: list[Kind]) -> Object:
    """An APIResourceList: each resource followed by its subresources, sorted."""
    resources: list[Object] = []
    for kind in _in_order(kinds):
        resources.append(_resource(kind))
        resources += [_subresource(kind, name) for name in sorted(kind.subresources)]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources}


def _in_order(kinds: list[Kind]) -> list[Kind]:
    return sorted(kinds, key=lambda kind: kind.plural)


def _resource(kind: Kind) -> Object:
    resource: Object = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": sorted(kind.verbs),
    }
    if kind.short_names:
        resource["shortNames"] = list(kind.short_names)
    if kind.categories:
        resource["categories"] = list(kind.categories)
    if "create" in kind.verbs and "get" in kind.verbs:
        resource["storageVersionHash"] = _storage_hash(kind)
    return resource


def _storage_hash(kind: Kind) -> str:
    """Of the version objects are stored in (apiserver/pkg/endpoints/discovery/storageversionhash.go)."""
    group = "" if kind.group == "events.k8s.io" else kind.group
    gvk = f"{group}/{kind.storage or kind.version}/{kind.kind}"
    return base64.b64encode(hashlib.sha256(gvk.encode()).digest()[:8]).decode()


def _subresource(kind: Kind, name: str) -> Object:
    verbs, _ = SUBRESOURCES[name]
    group, version_, served = subresource_kind(kind, name)
    resource: Object = {"name": f"{kind.plural}/{name}", "singularName": "", "namespaced": kind.namespaced}
    if (group, version_) != (kind.group, kind.version):
        resource |= {"group": group, "version": version_}
    return {**resource, "kind": served, "verbs": list(verbs)}


def subresource_kind(kind: Kind, name: str) -> tuple[str, str, str]:
    """Group, version and kind of what a subresource takes and gives."""
    other = SUBRESOURCES[name][1]
    if other is None:
        return kind.group, kind.version, kind.kind
    return other[0], other[1], other[2].format(parent=kind.kind)


def _discovered(kind: Kind) -> Object:
    """An APIResourceDiscovery."""
    resource: Object = {
        "resource": kind.plural,
        "responseKind": {"group": "", "version": "", "kind": kind.kind},  # of the same group and version
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": sorted(kind.verbs),
    }
    if kind.short_names:
        resource["shortNames"] = list(kind.short_names)
    if kind.categories:
        resource["categories"] = list(kind.categories)
    if kind.subresources:
        resource["subresources"] = [_discovered_subresource(kind, name) for name in sorted(kind.subresources)]
    return resource


def _discovered_subresource(kind: Kind, name: str) -> Object:
    group, version_, served = subresource_kind(kind, name)
    if (group, version_) == (kind.group, kind.version):
        group = version_ = ""
    response = {"group": group, "version": version_, "kind": served}
    return {"subresource": name, "responseKind": response, "verbs": list(SUBRESOURCES[name][0])}
