"""Who may ask a kubelet: the API server by its certificate, others by a token; the API server says who may what.

Stands before a `NodeServer` that listens. Source: pkg/kubelet/server/auth.go, its defaults from cmd/kubelet: no
anonymous requests, TokenReview and SubjectAccessReview, whose answers are kept for a while.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object
from refkube.apimachinery.rest import HttpRequest, HttpResponse, UserInfo
from refkube.client.client import Client

PLAIN = [("content-type", "text/plain; charset=utf-8")]
VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
FINE = {"pods": "pods", "runningpods": "pods", "healthz": "healthz", "configz": "configz"}  # or else all of them: proxy
OWN = {"stats": "stats", "metrics": "metrics", "logs": "log", "checkpoint": "checkpoint"}
HOLDS, REFUSED = 120.0, 30.0  # seconds
MOST = 1000


class Guard:
    """Lets in to `serve` who may ask the kubelet of a node."""

    def __init__(
        self, serve: Callable[[HttpRequest], HttpResponse], client: Client, node: str, now: Callable[[], float]
    ):
        self._serve = serve
        self._client = client
        self._node = node
        self._now = now
        self._known: dict[tuple, tuple[float, UserInfo | bool]] = {}  # what reviews said, and until when it holds

    def __call__(self, http: HttpRequest) -> HttpResponse:
        scheme, _, token = http.headers.get("authorization", "").partition(" ")
        try:
            user = http.peer or (scheme.lower() == "bearer" and token and self._kept(self._proven, token))
            if not isinstance(user, UserInfo):
                return HttpResponse(401, PLAIN, b"Unauthorized")
            verb, parts = VERBS.get(http.method, ""), _subresources(http.path)
            if not any(self._kept(self._allowed, user, verb, part) for part in parts):
                told = f"user={user.name}, verb={verb}, resource=nodes, subresource(s)=[{' '.join(parts)}]"
                return HttpResponse(403, PLAIN, f"Forbidden ({told})\n".encode())
        except (StatusError, OSError) as why:
            return HttpResponse(500, PLAIN, f"Authorization error: {why}".encode())
        return self._serve(http)

    def _kept(self, review: Callable[..., UserInfo | bool], *about: Any) -> UserInfo | bool:
        until, answer = self._known.get(about, (0.0, False))
        if until <= self._now():
            if len(self._known) >= MOST:
                self._known.clear()
            answer = review(*about)
            self._known[about] = self._now() + (HOLDS if answer else REFUSED), answer
        return answer

    def _proven(self, token: str) -> UserInfo | bool:
        status = self._review("tokenreviews.authentication.k8s.io", {"token": token})
        user = status.get("user") or {}
        groups = tuple(user.get("groups") or ())
        return bool(status.get("authenticated")) and UserInfo(user.get("username", ""), groups=groups)

    def _allowed(self, user: UserInfo, verb: str, part: str) -> bool:
        asked = {"verb": verb, "version": "v1", "resource": "nodes", "subresource": part, "name": self._node}
        spec = {"user": user.name, "groups": list(user.groups), "resourceAttributes": asked}
        return bool(self._review("subjectaccessreviews.authorization.k8s.io", spec).get("allowed"))

    def _review(self, resource: str, spec: Object) -> Object:
        return self._client.create(resource, {"metadata": {}, "spec": spec}).get("status") or {}


def _subresources(path: str) -> list[str]:
    first = path.strip("/").partition("/")[0].lower()
    return [OWN[first]] if first in OWN else [*filter(None, [FINE.get(first)]), "proxy"]
