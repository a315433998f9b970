"""metrics.k8s.io: what nodes and Pods use right now, as `kubectl top` asks it.

An aggregated API: the API server passes on what comes for its group. Each question is answered from the kubelets'
summaries at that moment; nothing is kept. Source: kubernetes-sigs/metrics-server pkg/api, k8s.io/metrics v1beta1.
Left out: watches, as upstream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

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

Summary = Callable[[str], Object | None]


class MetricsServer:
    """`summary` reads a kubelet's /stats/summary by the node's name; None if it does not answer."""

    def __init__(self, client: Client, summary: Summary, now: Callable[[], float]):
        self._client = client
        self._summary = summary
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
        if kind.plural == "nodes":
            chosen = [node for node in self._client.list("nodes").items if selector.matches(labels_of(node))]
            items = self._nodes(node for node in chosen if name in ("", name_of(node)))
        else:
            pods = self._client.list("pods", namespace).items
            items = self._pods(pod for pod in pods if name in ("", name_of(pod)) and selector.matches(labels_of(pod)))
        if name and not items:
            raise errors.not_found(kind.resource, name)
        versioned = {"apiVersion": kind.api_version}
        listed = [{"kind": kind.kind, **versioned, **item} for item in items]
        answer = listed[0] if name else {"kind": f"{kind.kind}List", **versioned, "metadata": {}, "items": listed}
        return HttpResponse(200, [("content-type", "application/json")], orjson.dumps(answer))

    def _nodes(self, nodes: Iterable[Object]) -> list[Object]:
        told = ((node, self._summary(name_of(node))) for node in nodes)
        return [self._item(node, "usage", _usage(found["node"])) for node, found in told if found is not None]

    def _pods(self, pods: Iterable[Object]) -> list[Object]:
        items = []
        summaries: dict[str, dict[str, Object]] = {}
        for pod in pods:
            node = pod["spec"].get("nodeName")
            if not node:
                continue
            if node not in summaries:
                found = self._summary(node)
                summaries[node] = {one["podRef"]["uid"]: one for one in found["pods"]} if found else {}
            used = summaries[node].get(pod["metadata"]["uid"])
            if used is not None:
                containers = [{"name": one["name"], "usage": _usage(one)} for one in used["containers"]]
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
