"""Subresources that lead to a node: a Pod's log, exec, attach and portforward, a Node's proxy.

The HTTP front asks it; what it gives is the kubelet's own answer, as it is: a body, a stream, or an upgrade to a
WebSocket. `dial_node` gives a kubelet's `serve`. Source: pkg/registry/core/pod/{strategy,rest}, node/rest.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl, quote, urlencode

from refkube.api.kinds import Kind
from refkube.apimachinery import errors
from refkube.apimachinery.meta import Object
from refkube.apimachinery.rest import HttpRequest, HttpResponse, Request
from refkube.apiserver.pipeline import Pipeline

Serve = Callable[[HttpRequest], HttpResponse]
Dial = Callable[[str], Serve | None]

STREAMS = ("attach", "exec", "portforward")
_NAMES = {"stdin": "input", "stdout": "output", "stderr": "error"}


class Connector:
    """`dial_node` is None for a node that cannot be reached."""

    def __init__(self, pipeline: Pipeline, dial_node: Dial):
        self._pipeline = pipeline
        self._dial = dial_node

    def leads(self, resource: str, subresource: str) -> bool:
        """Is this a subresource that a node answers?"""
        return (resource == "pods" and subresource in (*STREAMS, "log")) or (resource, subresource) == (
            "nodes",
            "proxy",
        )

    def serve(self, http: HttpRequest, request: Request, kind: Kind, rest: str = "") -> HttpResponse:
        """Errors: 403, 404; 400 where the Pod has no node, or it is not said which of its containers is meant."""
        self._pipeline.authorizer.authorize(request, kind)
        obj = self._pipeline.registry.storage(kind).get(request.namespace, request.name).value
        if kind.kind == "Node":
            return self._pass_on(request.name, http, "/" + rest, http.query)
        node = obj["spec"].get("nodeName")
        if not node:
            raise errors.bad_request(f"pod {request.name} does not have a host assigned")
        where = f"{quote(request.namespace)}/{quote(request.name)}"
        if request.subresource == "portforward":
            return self._pass_on(node, http, f"/portForward/{where}", http.query)
        container = _container(obj, request.options.get("container", ""))
        if request.subresource == "log":
            return self._pass_on(node, http, f"/containerLogs/{where}/{quote(container)}", http.query)
        path = f"/{request.subresource}/{where}/{quote(container)}"
        return self._pass_on(node, http, path, _renamed(http.query))

    def _pass_on(self, node: str, http: HttpRequest, path: str, query: str) -> HttpResponse:
        serve = self._dial(node)
        if serve is None:
            raise errors.service_unavailable(f"error trying to reach service: dial tcp: lookup {node}: no such node")
        answer = serve(HttpRequest(http.method, path, query, http.headers, http.body))
        if answer.status >= 400:
            reason = {400: "BadRequest", 403: "Forbidden", 404: "NotFound"}.get(answer.status, "InternalError")
            raise errors.status_error(answer.status, reason, answer.body.decode(errors="replace"), {})
        return answer


def _container(pod: Object, named: str) -> str:
    spec = pod["spec"]
    keys = ("initContainers", "containers", "ephemeralContainers")
    known = [container["name"] for key in keys for container in spec.get(key) or ()]
    if not named:
        if len(known) == 1:
            return str(known[0])
        told = f"choose one of: [{' '.join(one['name'] for one in spec['containers'])}]"
        initial = [one["name"] for one in spec.get("initContainers") or ()]
        told += f" or one of the init containers: [{' '.join(initial)}]" if initial else ""
        raise errors.bad_request(f"a container name must be specified for pod {pod['metadata']['name']}, {told}")
    if named not in known:
        raise errors.bad_request(f"container {named} is not valid for pod {pod['metadata']['name']}")
    return named


def _renamed(query: str) -> str:
    pairs = [(_NAMES.get(name, name), value) for name, value in parse_qsl(query) if name != "container"]
    return urlencode(pairs)
