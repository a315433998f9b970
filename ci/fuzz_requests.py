"""Requests to an API server that are valid, nearly valid or absurd, made from what the server says of itself.

`fuzz` sends them. Paths and types come from the served OpenAPI, valid objects from features/manifests and from the
types; what was stored is used again, so that updates and patches meet real objects. One seed, one sequence.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import orjson
import yaml

MANIFESTS = Path(__file__).resolve().parent.parent / "features" / "manifests"
OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
APPLY = "application/apply-patch+yaml"
PATCHES = ("application/merge-patch+json", "application/json-patch+json", "application/strategic-merge-patch+json")
NAMESPACES = ("default", "kube-system", "fuzz-a", "fuzz-b")
MOST_KNOWN = 40  # objects of one resource that are kept for later requests

# Values that a field of any type may be given, and what every parser should have met once.
ABSURD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**31, -(2**31) - 1, 2**53 + 1, 2**63, -(2**63) - 1, 10**30, 0.5, -0.0, 1e308, 1e-7,
    "", " ", "a", "-", "A", "0", "1", "-1", "null", "true", "\0", "\n", "\u202e", "\u00e9\u4e2d\U0001f600", "a" * 64,
    "a" * 254, "x" * 5000, "../..", "a/b", "a/b/c", "/", "%", "%2f", "$(X)", "{}", "[]", "*", "=", "!", ",", "a=b",
    "a in",
    "a in (b,,c)", "1.2.3.4", "::1", "300.1.1.1", "10.0.0.0/33", "2026-01-01T00:00:00Z", "2026-13-01T00:00:00Z",
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "100m", "1e3", "1.5Gi", "-1", "1Ki1", "9" * 40, "1e400",
    "1E999999999",
    ".5", "0.0000000001", "NaN", "Infinity", "101%", "-5%", "AAAA", "A===", "!!", "not base64",
    [], [None], [[]], [{}], ["a", "a"], [1, "1"], {}, {"": ""}, {"a": None}, {"a": {"b": {"c": {}}}},
    {"$patch": "delete"},
    {"$patch": "replace"}, {"$retainKeys": ["a"]}, {"$setElementOrder/a": ["b"]},
    {"$deleteFromPrimitiveList/finalizers": ["a"]},
    {"name": "a"}, {"matchLabels": None}, {"matchExpressions": [{"key": "a", "operator": "Near", "values": ["b"]}]},
    {"metadata": {}}, {"f:metadata": {}}, {"k:{}": {}}, {".": {}}, [{"name": "a"}, {"name": "a"}], list(range(50)),
)  # fmt: skip

# Words that are right in fields of these names, so that more objects pass validation.
WORDS: dict[str, tuple[Any, ...]] = {
    "name": ("a", "web", "node-1", "x-y", "db.example"), "namespace": NAMESPACES, "kind": ("Pod", "Node", "ConfigMap"),
    "apiVersion": ("v1", "apps/v1"), "protocol": ("TCP", "UDP", "SCTP"), "restartPolicy": ("Always", "Never",
    "OnFailure"),
    "operator": ("In", "NotIn", "Exists", "DoesNotExist", "Equal"), "effect": ("NoSchedule", "NoExecute"),
    "image": ("nginx", "busybox:1"), "port": (80, 443, "http"), "containerPort": (80, 8080), "targetPort": (80,
    "http"),
    "type": ("ClusterIP", "NodePort", "Opaque", "Ready", "RollingUpdate"), "status": ("True", "False", "Unknown"),
    "replicas": (0, 1, 3), "pathType": ("Prefix", "Exact"), "mountPath": ("/data", "/x"), "schedule": ("* * * * *",
    "@daily"),
    "key": ("a", "app", "example.com/k"), "values": (["a"], []), "phase": ("Running", "Pending", "Bound"),
    "generateName": ("g-",), "uid": ("u1",), "resourceVersion": ("1", ""), "ip": ("10.0.0.1",), "host": ("h.example",),
    "matchLabels": ({"app": "web"},), "labels": ({"app": "web"}, {"app": "db", "tier": "x"}), "addressType": ("IPv4",
    "IPv6"),
    "accessModes": (["ReadWriteOnce"],), "storage": ("1Gi",), "cpu": ("100m", "1"), "memory": ("64Mi",), "value": (1,
    "v"),
    "finalizers": (["example.com/f"], ["foregroundDeletion"]), "deletionTimestamp": (None,), "managedFields": (None,
    []),
    "provisioner": ("example.com/p",), "signerName": ("example.com/s",), "path": ("/", "/x"), "apiGroup": ("", "apps"),
    "ownerReferences": ([], [{"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "u"}]), "scope": ("Namespaced",
    "Cluster"),
}  # fmt: skip

OPTIONS: dict[str, tuple[str, ...]] = {
    "limit": ("1", "2", "500", "0", "-1", "x", "9" * 30, "1.5", "\u0664"),
    "continue": ("", "x", "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJhXHUwMDAwIn0", "////", "e30", "\0",
    "IiI"),
    "resourceVersion": ("", "0", "1", "5", "-1", "x", "9" * 25, "0x10", "1_0", " 1", "\u0664", "999999999"),
    "resourceVersionMatch": ("Exact", "NotOlderThan", "x", ""),
    "labelSelector": (
        "app=web", "app", "!app", "app in (a,b)", "app notin (a)", "a=b,c!=d", "app in", "(", "app=-", "a/b/c=d", "=",
        ",",
        "x" * 300 + "=1", "a>1", "a>x", "\0", "app==", "app in (,)", "\u00e9=1",
    ),
    "fieldSelector": (
        "metadata.name=a", "metadata.namespace=default", "spec.nodeName=n", "status.phase!=Running", "x=y",
        "metadata.name",
        "a=b=c", "\\", "metadata.name=\\,", "metadata.name=a,metadata.name=b", "=", "spec.nodeName=\\",
    ),
    "watch": ("true", "1", "false", "x", ""), "allowWatchBookmarks": ("true", "x", "false"), "timeoutSeconds": ("1",
    "0", "x", "-1"),
    "sendInitialEvents": ("true", "false", "x"), "dryRun": ("All", "", "x", "all"), "fieldManager": ("m", "a" * 129,
    "\n", "kubectl"),
    "fieldValidation": ("Strict", "Warn", "Ignore", "x", ""), "force": ("true", "false", "x"), "pretty": ("true", "",
    "x"),
    "gracePeriodSeconds": ("0", "30", "-1", "x", "9" * 20), "propagationPolicy": ("Orphan", "Foreground",
    "Background", "x"),
    "orphanDependents": ("true", "false", "x"), "includeObject": ("None", "Object", "x"), "\u00e9": ("%ff",),
    "": ("",),
}  # fmt: skip

ACCEPTS = (
    "application/json", "*/*", "", "application/yaml", "application/json;as=Table;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", "application/vnd.kubernetes.protobuf",
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json", "text/html, */*;q=0.1",
    ";;;", "a/b",
    "application/json;as=Table;v=v1beta1;g=meta.k8s.io", "application/json;as=X;v=v1;g=meta.k8s.io",
    "application/json;=;as",
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
    "application/yaml;as=Table;v=v1;g=meta.k8s.io",
)  # fmt: skip
CONTENT_TYPES = (
    "application/json", "application/yaml", "", "text/plain", "application/vnd.kubernetes.protobuf",
    "application/json;charset=utf-8",
    "APPLICATION/JSON", ";", "application/xml", *PATCHES, APPLY,
)  # fmt: skip

GARBAGE: tuple[bytes, ...] = (
    b"", b"\0", b"\xff\xfe\xfd", b"k8s\0\x0a\x05", b"{", b"[", b'{"a":',
    b'"', b"nul", b"{}{}", b"\xef\xbb\xbf{}", b"[" * 100_000,
    b'{"a":' * 5_000 + b"1" + b"}" * 5_000, b"NaN", b'{"a":NaN}', b'{"a":1e400}', b'{"metadata":{"name":"\\ud800"}}',
    b"'", b"a: b: c",
    b'{"metadata":{"name":"a","name":"b"},"metadata":{}}', b"--- {}\n--- {}\n", b"&a [*a]",
    b"a: &a [x]\nb: *a\nc: *a\n", b"a: *b",
    b"x: &a [z,z,z,z,z,z,z,z,z]\ny: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nw: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
    b"v: &d [*c,*c,*c,*c,*c,*c,*c]\n"
    b"u: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nt: [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n", b"a: &a {<<: *a}",
    b"? [a]\n: b", b"1: 2",
    b"!!python/object:os.system {}", b"!!binary aGk=", b"a: !!binary aGk=\n", b"a: !!set {x, y}",
    b"%YAML 9.9\n---\n{}", b"\t- a",
    b"[" * 3_000 + b"]" * 3_000, b"- " * 2_000, b"{" * 3_000, b"a: 2026-01-01\n", b"a: .inf",
    b"a: 0o17\nb: 1_000\nc: 0x1f\nd: 190:20",
    b"[]", b"1", b'"a"', b"true", b"null", b"~", b"{\"a\":\"\x01\"}", b'{"kind":1,"apiVersion":[],"metadata":"x"}',
    b"9" * 5_000,
    b'{"apiVersion":"v1","kind":"List","items":[]}', b'{"a":' + b"1" * 1_000_000 + b"}", b"x" * 3_200_000,
    b'{"a":"' + b"x" * 2_000_000 + b'"}',
)  # fmt: skip

SEGMENTS = (
    "..", ".", "", "%2e%2e", "%2F", "%00", "%", "%zz", "%c3%a9", "%ff", "a%2fb", "A", "*", "api", "apis", "v1",
    "watch", "status",
    "namespaces", "proxy", "log", "x" * 300, "a;b", "a:b", "a b", "{name}", "\u00e9", "?", "scale", "etc", "pods",
    "~", "default",
)  # fmt: skip
DOCUMENTS = (
    "/", "/api", "/apis", "/api/v1", "/apis/apps", "/apis/apps/v1", "/apis/nope", "/version", "/healthz", "/livez",
    "/readyz",
    "/livez/ping", "/readyz/etcd", "/livez/nope", "/metrics", "/openapi/v3", "/openapi/v3/api/v1", "/openapi/v3/nope",
    "/openapi/v2",
    "/openid/v1/jwks", "/.well-known/openid-configuration", "/nope", "/api/v2", "/api/v1/nope",
    "/apis/apps/v9/deployments", "*", "",
    "//", "/swagger.json", "/logs", "/debug/pprof",
)  # fmt: skip

# Of kinds whose rules leave little to chance; a namespace is filled in.
SAMPLES = """
{apiVersion: v1, kind: Event, involvedObject: {kind: Pod, name: a, namespace: NAMESPACE}, reason: Began, type: Normal}
---
{apiVersion: events.k8s.io/v1, kind: Event, regarding: {kind: Pod, name: a, namespace: NAMESPACE}, reason: Began,
 type: Warning, action: Beginning, reportingController: example.com/c, reportingInstance: c-1,
 eventTime: "2026-01-01T00:00:00.000000Z"}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, ports: [{name: http, port: 80}],
 endpoints: [{addresses: [10.0.0.1], conditions: {ready: true}, targetRef: {kind: Pod, name: a}}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, roleRef: {kind: Role, name: a},
 subjects: [{kind: User, name: jane}, {kind: ServiceAccount, name: a, namespace: default}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, roleRef: {kind: ClusterRole, name: a},
 subjects: [{kind: Group, name: all}]}
---
{apiVersion: networking.k8s.io/v1, kind: IngressClass, spec: {controller: example.com/c}}
---
{apiVersion: networking.k8s.io/v1, kind: Ingress, spec: {rules: [{host: a.example, http: {paths: [
 {path: /, pathType: Prefix, backend: {service: {name: a, port: {number: 80}}}}]}}]}}
---
{apiVersion: v1, kind: PodTemplate, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: b}]}}}
---
{apiVersion: storage.k8s.io/v1, kind: VolumeAttachment, spec: {attacher: example.com, nodeName: a,
 source: {persistentVolumeName: a}}}
---
{apiVersion: policy/v1, kind: PodDisruptionBudget, spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}}
---
{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, spec: {maxReplicas: 3, scaleTargetRef: {kind: Deployment,
 name: a, apiVersion: apps/v1}, metrics: [{type: Resource, resource: {name: memory, target: {type: Utilization,
 averageUtilization: 50}}}, {type: Pods, pods: {metric: {name: q}, target: {type: AverageValue, averageValue: 1k}}}],
 behavior: {scaleDown: {stabilizationWindowSeconds: 60}}}}
"""


@dataclass(frozen=True)
class Sent:
    """One HTTP request. `path` is percent-encoded; header names are in lower case."""

    method: str
    path: str
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def told(self) -> str:
        """In a form that Python reads: enough to send it again."""
        body = self.body if len(self.body) < 4000 else self.body[:200] + b"...%d bytes" % len(self.body)
        return f"{self.method} {self.path!r} query={self.query!r} headers={self.headers!r}\n    body={body!r}"


@dataclass(frozen=True)
class Place:
    """A path of the API, from OpenAPI; `schema` is the type of what is written there, "" if nothing is."""

    template: str
    methods: tuple[str, ...]
    schema: str

    @property
    def item(self) -> bool:
        return "{name}" in self.template

    @property
    def part(self) -> bool:
        return "{name}/" in self.template

    @property
    def namespaced(self) -> bool:
        return "{namespace}" in self.template


class Surface:
    """What a server serves, read through `fetch(path) -> decoded JSON`."""

    def __init__(self, fetch: Callable[[str], Any]):
        self.schemas: dict[str, Any] = {}
        self.places: list[Place] = []
        for told in fetch("/openapi/v3")["paths"].values():
            document = fetch(told["serverRelativeURL"])
            self.schemas.update(document.get("components", {}).get("schemas", {}))
            for template, operations in document["paths"].items():
                methods = tuple(
                    name.upper() for name in operations if name in ("get", "put", "post", "patch", "delete")
                )
                self.places.append(Place(template, methods, _written(operations)))
        self.collections = [place for place in self.places if not place.item and "POST" in place.methods]
        self.items = {
            place.template.rpartition("/")[0]: place for place in self.places if place.item and not place.part
        }

    def gvk(self, schema: str) -> tuple[str, str]:
        """apiVersion and kind of a type, empty for a part."""
        found = self.schemas.get(schema, {}).get("x-kubernetes-group-version-kind") or [{}]
        group, version = found[0].get("group", ""), found[0].get("version", "")
        return (f"{group}/{version}" if group else version), found[0].get("kind", "")


def _written(operations: dict[str, Any]) -> str:
    for method in ("put", "post"):
        content = operations.get(method, {}).get("requestBody", {}).get("content", {})
        for told in content.values():
            reference = told.get("schema", {}).get("$ref", "")
            if reference:
                return reference.rpartition("/")[2]
    return ""


class Generator:
    """An endless sequence of requests. `learn` tells it what is stored, so that later requests can name it."""

    def __init__(self, seed: int, surface: Surface, token: str):
        self.chance = random.Random(seed)
        self.surface = surface
        self._token = token
        self._known: dict[str, dict[str, Any]] = {}  # by collection: path of the object to the object
        self._manifests = _manifests()

    def learn(self, path: str, obj: Any) -> None:
        """An object is stored at a path; None: no longer."""
        collection = path.rpartition("/")[0]
        held = self._known.setdefault(collection, {})
        held.pop(path, None)
        if obj is not None:
            held[path] = obj

    def next(self) -> Sent:
        """The next request: mostly what a client might send, with one thing or another wrong."""
        what = self.chance.random()
        if what < 0.04:
            sent = Sent(self._pick(("GET", "HEAD", "POST", "DELETE", "OPTIONS")), self._pick(DOCUMENTS))
        elif what < 0.30:
            sent = self._create()
        elif what < 0.92:
            sent = self._on_known()
        else:
            sent = self._anywhere()
        sent = replace(sent, headers={"authorization": f"Bearer {self._token}", **sent.headers})
        return self._disturbed(sent)

    # Requests

    def _create(self) -> Sent:
        place = self._pick(self.surface.collections)
        namespace = self._pick(NAMESPACES)
        obj = self.valid(place.schema, namespace if place.namespaced else "")
        if self._rarely(0.5):
            obj = self._mutated(obj)
        path = place.template.replace("{namespace}", namespace)
        return Sent(
            "POST", path, self._query("dryRun", "fieldManager", "fieldValidation", "pretty"), *self._encoded(obj)
        )

    def _on_known(self) -> Sent:
        """Something done to an object that is there, its collection or a part of it."""
        held = [collection for collection, objects in self._known.items() if objects]
        if not held:
            return self._create()
        collection = self._pick(held)
        objects = self._known[collection]
        path = self._pick(list(objects))
        place = self._place(collection)
        crowded = len(objects) > MOST_KNOWN
        action = (
            "delete"
            if crowded
            else self._pick(("get", "list", "put", "put", "patch", "patch", "patch", "part", "delete", "watch"))
        )
        if action == "get":
            return Sent("GET", path, self._query("resourceVersion", "pretty", "includeObject"), self._accept())
        if action in ("list", "watch"):
            return self._reading(collection, action == "watch")
        if action == "delete":
            return self._deletion(path if crowded or not self._rarely(0.05) else collection)
        if action == "part":
            place = self._pick([p for p in self.surface.places if p.part and _fits(p.template, path)] or [place])
            path = path + place.template.partition("{name}")[2]
        if action == "put" or (action == "part" and self._rarely(0.5)):
            return self._replacement(path, objects.get(path) or self.valid(place.schema), place)
        return self._patch(path, objects.get(path) or self.valid(place.schema), place)

    def _place(self, collection: str) -> Place:
        fits = [
            place
            for place in self.surface.places
            if place.item and not place.part and _fits(place.template, collection + "/x")
        ]
        return fits[0] if fits else self._pick(self.surface.collections)

    def _reading(self, collection: str, watch: bool) -> Sent:
        names = [
            "limit",
            "continue",
            "resourceVersion",
            "resourceVersionMatch",
            "labelSelector",
            "fieldSelector",
            "includeObject",
        ]
        query = self._query(*names, "sendInitialEvents", "allowWatchBookmarks", "timeoutSeconds")
        if watch:
            query = f"watch=true&{query}" if query else "watch=1"
        return Sent("GET", collection, query, self._accept())

    def _deletion(self, path: str) -> Sent:
        body = b""
        if self._rarely(0.4):
            options = self._made("io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions", 0)
            body = _dumped(self._mutated(options) if self._rarely(0.5) else options)
        query = self._query("gracePeriodSeconds", "propagationPolicy", "orphanDependents", "dryRun", "labelSelector")
        return Sent("DELETE", path, query, {"content-type": self._pick(("application/json", ""))}, body)

    def _replacement(self, path: str, obj: Any, place: Place) -> Sent:
        changed = obj
        for _ in range(self.chance.randrange(3)):
            changed = self._mutated(changed)
        if self._rarely(0.3) and isinstance(changed, dict) and isinstance(changed.get("metadata"), dict):
            other = self._made(place.schema, 1) if place.schema else {}
            changed = {
                **changed,
                **{key: value for key, value in other.items() if key not in ("metadata", "kind", "apiVersion")},
            }
        return Sent("PUT", path, self._query("dryRun", "fieldManager", "fieldValidation"), *self._encoded(changed))

    def _patch(self, path: str, obj: Any, place: Place) -> Sent:
        media = self._pick((*PATCHES, APPLY))
        names = ["dryRun", "fieldManager", "fieldValidation", "force"]
        if media == PATCHES[1]:
            patch: Any = [self._operation(obj) for _ in range(self.chance.randrange(4))]
        elif media == APPLY:
            patch = self._partial(obj, place)
            names.remove("fieldManager")
        else:
            patch = self._partial(obj, place) if self._rarely(0.5) else self._merge_of(obj)
        if self._rarely(0.3):
            patch = self._mutated(patch)
        query = self._query(*names)
        if media == APPLY:
            manager = urlencode({"fieldManager": self._pick(("m1", "m2", "m3"))})
            query = f"{manager}&{query}" if query else manager
        body = yaml.safe_dump(patch).encode() if media == APPLY and self._rarely(0.3) else _dumped(patch)
        return Sent("PATCH", path, query, {"content-type": media}, body)

    def _operation(self, obj: Any) -> Any:
        """One operation of a JSON patch, at a place that may be there."""
        pointer = (
            self._pick(_pointers(obj))
            if self._rarely(0.8)
            else self._pick(("", "/", "/-", "/a/b/c", "x", "/~2", "/metadata/name/x"))
        )
        if self._rarely(0.2):
            pointer += self._pick(("/-", "/0", "/x", "/~1", "/01", "/-1", "/99999999999"))
        operation: dict[str, Any] = {
            "op": self._pick(("add", "remove", "replace", "move", "copy", "test", "no")),
            "path": pointer,
        }
        operation["value"] = self._pick(ABSURD) if self._rarely(0.7) else obj
        if operation["op"] in ("move", "copy"):
            operation["from"] = self._pick(_pointers(obj))
        return operation

    def _partial(self, obj: Any, place: Place) -> Any:
        """A part of an object of this type, with what an apply needs."""
        api_version, kind = self.surface.gvk(place.schema)
        made = self._made(place.schema, 1) if place.schema else {}
        meta = obj.get("metadata", {}) if isinstance(obj, dict) else {}
        named = {key: meta[key] for key in ("name", "namespace") if isinstance(meta, dict) and key in meta}
        if self._rarely(0.5):
            named["labels"] = {self._pick(("a", "b", "app")): self._pick(("1", "2"))}
        kept = {key: value for key, value in made.items() if key != "metadata"}
        if isinstance(obj, dict) and self._rarely(0.6):
            kept = {key: obj[key] for key in obj if key not in ("metadata", "status") and self._rarely(0.7)}
        return {**kept, "apiVersion": api_version, "kind": kind, "metadata": named}

    def _merge_of(self, obj: Any) -> Any:
        """A patch that touches one place of an object."""
        pointer = self._pick(_pointers(obj)).split("/")[1:]
        value = self._pick(ABSURD)
        for step in reversed(pointer):
            value = {step: value} if not step.isdigit() else [value]
        return value

    def _anywhere(self) -> Sent:
        """Paths that are not quite right, methods that are not there, bodies of bytes."""
        place = self._pick(self.surface.places)
        path = place.template.replace("{namespace}", self._pick(NAMESPACES)).replace(
            "{name}", self._pick(("a", "web", "b.c"))
        )
        if self._rarely(0.7):
            segments = path.split("/")
            at = self.chance.randrange(len(segments) + 1)
            segments[at : at + self.chance.randrange(2)] = [self._pick(SEGMENTS)]
            path = "/".join(segments)
        path = path if path.isascii() else quote(path)
        method = self._pick(
            ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get", "CONNECT")
        )
        headers = {"content-type": self._pick(CONTENT_TYPES), **self._accept()}
        return Sent(method, path, self._query(*OPTIONS), headers, self._pick(GARBAGE))

    def _disturbed(self, sent: Sent) -> Sent:
        """The same request with, now and then, a header, body or credential that is off."""
        headers = dict(sent.headers)
        if self._rarely(0.02):
            headers["content-type"] = self._pick(CONTENT_TYPES)
        if self._rarely(0.01):
            headers["authorization"] = self._pick(
                ("", "Bearer", "Bearer x", "Basic YTpi", "Bearer a.b.c", "Bearer \u00e9", "bearer " + "x" * 9000)
            )
        if self._rarely(0.01):
            headers["impersonate-user"] = self._pick(
                ("jane", "", "system:anonymous", "system:serviceaccount:default:x")
            )
            headers["impersonate-group"] = self._pick(("system:masters", "", ",,,"))
        if self._rarely(0.02):
            headers["user-agent"] = self._pick(("", "/", "kubectl/v1", "\u00e9", "a" * 300, "\x7f/1"))
        body = sent.body
        if body and self._rarely(0.05):
            cut = self.chance.randrange(len(body))
            change = self._pick((0, 1, 2, 3))
            if change == 0:
                body = body[:cut]
            elif change == 1:
                body = body[:cut] + bytes([self.chance.randrange(256)]) + body[cut + 1 :]
            elif change == 2:
                body = body[:cut] + body[cut // 2 :]
            else:
                body = self._pick(GARBAGE)
        return replace(
            sent, headers={name: value for name, value in headers.items() if value or name != "content-type"}, body=body
        )

    def _accept(self) -> dict[str, str]:
        return {"accept": self._pick(ACCEPTS)} if self._rarely(0.3) else {}

    def _query(self, *names: str) -> str:
        chosen = [(name, self._pick(OPTIONS[name])) for name in names if self._rarely(0.12)]
        if self._rarely(0.02):
            return self._pick(("%", "&&", "=", "a", "watch", "%00=%00", "limit=1&limit=2", "a=%ff", ";", "?", "#"))
        return urlencode(chosen)

    def _encoded(self, obj: Any) -> tuple[dict[str, str], bytes]:
        if self._rarely(0.08):
            return {"content-type": "application/yaml"}, yaml.safe_dump(obj).encode()
        body = _dumped(obj)
        if self._rarely(0.04):
            body = self._with_duplicate(body)
        return {"content-type": "application/json"}, body

    def _with_duplicate(self, body: bytes) -> bytes:
        at = [index for index, byte in enumerate(body) if byte == ord("{") and body[index + 1 : index + 2] == b'"']
        if not at:
            return body
        begin = self._pick(at) + 1
        key = body[begin : body.index(b'"', begin + 1) + 1]
        return body[:begin] + key + b":" + _dumped(self._pick(ABSURD)) + b"," + body[begin:]

    # Objects

    def valid(self, schema: str, namespace: str = "") -> dict[str, Any]:
        """An object that has a good chance to be accepted."""
        api_version, kind = self.surface.gvk(schema)
        made = self._manifests.get((api_version, kind))
        obj = dict(made) if made and self._rarely(0.6) else self._made(schema, 0)
        if not isinstance(obj, dict):  # of a place where nothing is written, such as exec
            obj = {}
        meta = {"name": self._name()} if not self._rarely(0.05) else {"generateName": "g-"}
        if self._rarely(0.4):
            meta["labels"] = self._pick(WORDS["labels"])
        if self._rarely(0.1):
            meta["finalizers"] = ["example.com/f"]
        if namespace and self._rarely(0.5):
            meta["namespace"] = namespace
        obj = {**obj, "apiVersion": api_version, "kind": kind, "metadata": meta}
        return orjson.loads(_dumped(obj).replace(b'"NAMESPACE"', orjson.dumps(namespace or "default")))

    def _name(self) -> str:
        return self._pick("abcdefgh") + str(self.chance.randrange(30))

    def _made(self, schema: str, depth: int) -> Any:
        return self._value(self.surface.schemas.get(schema, {}), schema, depth)

    def _value(self, schema: dict[str, Any], name: str, depth: int) -> Any:
        """A value of a type. `name` is the field's; deep values are small."""
        if name in WORDS and self._rarely(0.75):
            return self._pick(WORDS[name])
        for part in (schema, *schema.get("allOf", ())):
            if "$ref" in part:
                definition = part["$ref"].rpartition("/")[2]
                return self._value(self.surface.schemas.get(definition, {}), definition, depth)
        if "properties" in schema:
            return self._struct(schema, depth)
        kind = schema.get("type")
        if kind == "object":
            few = range(self.chance.randrange(3)) if depth < 8 else ()
            return {
                self._pick(("a", "b", "cpu", "memory", "app", "example.com/x")): self._value(
                    schema.get("additionalProperties") or {"type": "string"}, "", depth + 1
                )
                for _ in few
            }
        if kind == "array":
            few = range(self.chance.randrange(1, 3)) if depth < 8 else ()
            return [self._value(schema.get("items", {}), name.removesuffix("s"), depth + 1) for _ in few]
        return self._scalar(schema, kind)

    def _struct(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        needed = set(schema.get("required", ()))
        share = max(0.05, 0.45 - depth * 0.08)
        return {
            name: self._value(child, name, depth + 1)
            for name, child in schema["properties"].items()
            if name != "status" and ((name in needed and depth < 12) or (depth < 9 and self._rarely(share)))
        }

    def _scalar(self, schema: dict[str, Any], kind: Any) -> Any:
        form = schema.get("format", "")
        if kind == "integer":
            return self._pick((0, 1, 2, 30, 80, 1000))
        if kind == "number":
            return self._pick((0, 1.5, "1"))
        if kind == "boolean":
            return self._rarely(0.5)
        if form == "byte":
            return self._pick(("", "YQ==", "aGVsbG8="))
        if form == "date-time":
            return self._pick(("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.123456Z"))
        if form == "int-or-string":
            return self._pick((1, 80, "25%", "http"))
        choices = schema.get("enum")
        return (
            self._pick(choices)
            if choices
            else self._pick(("a", "b", "1", "10Mi", "x.example.com", "10.0.0.1", "default"))
        )

    def _mutated(self, obj: Any) -> Any:
        """A copy with one place changed: another value, none, a new key, a repeated element, a value of elsewhere."""
        pointers = _pointers(obj)
        steps = self._pick(pointers).split("/")[1:]
        return self._at(obj, [step.replace("~1", "/").replace("~0", "~") for step in steps])

    def _at(self, value: Any, steps: list[str]) -> Any:
        if steps and isinstance(value, dict) and steps[0] in value:
            copy = dict(value)
            if len(steps) == 1 and self._rarely(0.25):
                del copy[steps[0]]
            else:
                copy[steps[0]] = self._at(value[steps[0]], steps[1:])
            return copy
        if steps and isinstance(value, list) and steps[0].isdigit() and int(steps[0]) < len(value):
            items = list(value)
            if len(steps) == 1 and self._rarely(0.25):
                return items + items[:1]
            items[int(steps[0])] = self._at(items[int(steps[0])], steps[1:])
            return items
        if isinstance(value, dict) and self._rarely(0.4):
            return {
                **value,
                self._pick(("unknown", "", "name", "$patch", "spec", "\u00e9", "a" * 70)): self._pick(ABSURD),
            }
        if isinstance(value, str) and self._rarely(0.3):
            return value + self._pick(("-", " ", "\n", "_", "/", ".", "A", "\0", self._pick(string.printable)))
        return self._pick(ABSURD)

    # Chance

    def _pick(self, choices: Any) -> Any:
        return choices[int(self.chance.random() * len(choices))]

    def _rarely(self, share: float) -> bool:
        return self.chance.random() < share


def _pointers(obj: Any, at: str = "") -> list[str]:
    """A JSON pointer to every place of a value."""
    found = [at]
    if isinstance(obj, dict):
        for key, value in obj.items():
            found += _pointers(value, f"{at}/{str(key).replace('~', '~0').replace('/', '~1')}")
    elif isinstance(obj, list):
        for index, value in enumerate(obj[:20]):
            found += _pointers(value, f"{at}/{index}")
    return found


def _fits(template: str, path: str) -> bool:
    """Whether a path is one of a template's, which may go on after {name}."""
    wanted, given = [*template.partition("/{name}")[0].split("/"), "{name}"], path.split("/")
    return len(wanted) == len(given) and all(w == g or w.startswith("{") for w, g in zip(wanted, given, strict=True))


def _dumped(obj: Any) -> bytes:
    """JSON, also of integers beyond 64 bits."""
    try:
        return orjson.dumps(obj, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        import json

        return json.dumps(obj).encode()


def _manifests() -> dict[tuple[str, str], dict[str, Any]]:
    found = {}
    for text in (*(file.read_text() for file in sorted(MANIFESTS.glob("*.yaml"))), SAMPLES):
        for obj in yaml.safe_load_all(text):
            if isinstance(obj, dict):
                found[obj["apiVersion"], obj["kind"]] = obj
    return found
