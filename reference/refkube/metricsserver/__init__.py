"""metrics.k8s.io: what nodes and Pods use right now, as `kubectl top` asks it.

An aggregated API: the API server passes on what comes for its group. Each question is answered from the kubelets'
summaries at that moment; nothing is kept. Source: kubernetes-sigs/metrics-server pkg/api, k8s.io/metrics v1beta1.
Left out: watches, as upstream.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import orjson

from refkube.api.kinds import Kind
from refkube.apimachinery import errors, selectors
from refkube.apimachinery.meta import Object, labels_of, name_of, namespace_of
from refkube.apimachinery.rest import HttpRequest, HttpResponse
from refkube.client.client import Client
from refkube.engine.clock import rfc3339

GROUP, VERSION = "metrics.k8s.io", "v1beta1"
WINDOW = "15s"
KINDS = (
    Kind(GROUP, VERSION, "NodeMetrics", "nodes", namespaced=False, verbs=("get", "list")),
    Kind(GROUP, VERSION, "PodMetrics", "pods", namespaced=True, verbs=("get", "list")),
)

Ask = Callable[[str, HttpRequest], HttpResponse]


class MetricsServer:
    """`ask` gives what a node's kubelet answers, perhaps later, and raises StatusError where it does not."""

    def __init__(self, client: Client, ask: Ask, now: Callable[[], float]):
        self._client = client
        self._ask = ask
        self._now = now

    def serve(
        self, http: HttpRequest, resource: str, namespace: str, name: str, options: Mapping[str, str]
    ) -> HttpResponse:
        """Errors: 404, 405."""
        kind = next((kind for kind in KINDS if kind.plural == resource), None)
        if kind is None:
            raise errors.unknown_path()
        if http.method != "GET":
            raise errors.method_not_allowed()
        selector = selectors.parse(options.get("labelSelector", ""))
        found = self._client.list(kind.plural, namespace).items
        chosen = [obj for obj in found if name in ("", name_of(obj)) and selector.matches(labels_of(obj))]
        if name and not chosen:
            raise errors.not_found(kind.resource, name)
        nodes = {name_of(obj) if kind.plural == "nodes" else obj["spec"].get("nodeName", "") for obj in chosen}
        asked = {node: self._summary(node) for node in nodes if node}
        told = {node: answer for node, answer in asked.items() if answer is not None}
        if any(answer.later is not None for answer in told.values()):
            return HttpResponse(0, [], later=self._awaited(kind, chosen, told, name))
        return self._answer(kind, chosen, told, name)

    def _summary(self, node: str) -> HttpResponse | None:
        try:
            return self._ask(node, HttpRequest("GET", "/stats/summary"))
        except errors.StatusError:
            return None

    async def _awaited(
        self, kind: Kind, chosen: list[Object], told: dict[str, HttpResponse], name: str
    ) -> HttpResponse:
        known = {}
        for node, answer in told.items():
            try:
                known[node] = answer if answer.later is None else await answer.later
            except errors.StatusError:
                continue
        return self._answer(kind, chosen, known, name)

    def _answer(self, kind: Kind, chosen: list[Object], told: dict[str, HttpResponse], name: str) -> HttpResponse:
        summaries = {node: orjson.loads(answer.body) for node, answer in told.items()}
        items = (self._nodes if kind.plural == "nodes" else self._pods)(chosen, summaries)
        if name and not items:
            raise errors.not_found(kind.resource, name)
        versioned = {"apiVersion": kind.api_version}
        listed = [{"kind": kind.kind, **versioned, **item} for item in items]
        answer = listed[0] if name else {"kind": f"{kind.kind}List", **versioned, "metadata": {}, "items": listed}
        return HttpResponse(200, [("content-type", "application/json")], orjson.dumps(answer))

    def _nodes(self, nodes: list[Object], told: Mapping[str, Object]) -> list[Object]:
        known = ((node, told.get(name_of(node))) for node in nodes)
        return [self._item(node, "usage", _usage(found["node"])) for node, found in known if found is not None]

    def _pods(self, pods: list[Object], told: Mapping[str, Object]) -> list[Object]:
        used = {one["podRef"]["uid"]: one["containers"] for summary in told.values() for one in summary["pods"]}
        items = []
        for pod in pods:
            if pod["metadata"]["uid"] in used:
                containers = [{"name": one["name"], "usage": _usage(one)} for one in used[pod["metadata"]["uid"]]]
                items.append(self._item(pod, "containers", containers))
        return items

    def _item(self, about: Object, key: str, value: object) -> Object:
        now = rfc3339(self._now())
        meta: Object = {"name": name_of(about), "creationTimestamp": now}
        if namespace_of(about):
            meta["namespace"] = namespace_of(about)
        if labels_of(about):
            meta["labels"] = dict(labels_of(about))
        return {"metadata": meta, "timestamp": now, "window": WINDOW, key: value}


def _usage(entry: Object) -> Object:
    return {"cpu": f"{entry['cpu']['usageNanoCores']}n", "memory": f"{entry['memory']['workingSetBytes'] // 1024}Ki"}
