"""Subresources that lead to a node: a Pod's log, exec, attach and portforward, a Node's proxy.

The HTTP front asks it; what it gives is the kubelet's own answer, as it is: a body, a stream, or an upgrade to a
WebSocket. A kubelet in this process is called, any other is asked at the address and port that its Node tells.
Source: pkg/registry/core/pod/{strategy,rest}, node/rest, pkg/kubelet/client.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl, quote, urlencode

from refkube.api.kinds import Kind, preferred
from refkube.apimachinery import errors
from refkube.apimachinery.meta import Object, get_path
from refkube.apimachinery.rest import HttpRequest, HttpResponse, Request
from refkube.apiserver.pipeline import Pipeline

Serve = Callable[[HttpRequest], HttpResponse]
Dial = Callable[[str], Serve | None]
Wire = Callable[[str, HttpRequest], Awaitable[HttpResponse]]  # what "host:port" answers; OSError where nobody does

STREAMS = ("attach", "exec", "portforward")
KUBELET_PORT = 10250
# --kubelet-preferred-address-types
ADDRESSES = ("Hostname", "InternalDNS", "InternalIP", "ExternalDNS", "ExternalIP")
_NAMES = {"stdin": "input", "stdout": "output", "stderr": "error"}
# Code, reason and text of a Status where no kubelet answers.
_DIAL = 500, "", "error dialing backend"
_PROXY = 503, "ServiceUnavailable", "error trying to reach service"


class Connector:
    """`dial_node` gives the `serve` of a kubelet in this process; without a `wire` there are no others."""

    def __init__(self, pipeline: Pipeline, dial_node: Dial, wire: Wire | None = None):
        self._pipeline = pipeline
        self._dial = dial_node
        self._wire = wire

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
            asked = HttpRequest(http.method, "/" + rest, http.query, http.headers, http.body)
            return self.ask(request.name, asked, _PROXY)
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
        return self.ask(node, HttpRequest(http.method, path, query, http.headers, http.body))

    def ask(self, node: str, http: HttpRequest, unreached: tuple[int, str, str] = _DIAL) -> HttpResponse:
        """What a node's kubelet answers, perhaps later; its refusals are raised, and `unreached` if nobody answers."""
        code, reason, told = unreached
        serve = self._dial(node)
        if serve is not None:
            return _judged(serve(http))
        if self._wire is None:
            raise errors.status_error(code, reason, f"{told}: dial tcp: lookup {node}: no such host")
        where = _address(self._pipeline.registry.storage(preferred("nodes")).get("", node).value)
        return HttpResponse(0, [], later=_awaited(self._wire(where, http), unreached))


async def _awaited(answer: Awaitable[HttpResponse], unreached: tuple[int, str, str]) -> HttpResponse:
    try:
        return _judged(await answer)
    except OSError as why:
        code, reason, told = unreached
        raise errors.status_error(code, reason, f"{told}: {why}") from why


def _judged(answer: HttpResponse) -> HttpResponse:
    if answer.status >= 400:
        reason = {400: "BadRequest", 403: "Forbidden", 404: "NotFound"}.get(answer.status, "InternalError")
        raise errors.status_error(answer.status, reason, answer.body.decode(errors="replace"), {})
    return answer


def _address(node: Object) -> str:
    """Host and port of its kubelet."""
    status = node.get("status") or {}
    known = {one["type"]: one["address"] for one in reversed(status.get("addresses") or ())}
    host = next((known[type] for type in ADDRESSES if type in known), None)
    if host is None:
        raise errors.internal_error(f"no preferred addresses found; known addresses: {list(known.values())}")
    port = get_path(status, "daemonEndpoints", "kubeletEndpoint", "Port") or KUBELET_PORT
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


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
