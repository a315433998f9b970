"""Workloads and Pods as the tests of their controllers make them."""

from __future__ import annotations

from typing import Any

from refkube.apimachinery.meta import Object, get_path, is_terminating, labels_of
from refkube.client.client import Client
from refkube.cluster import Cluster

DEPLOYMENTS, SETS, STATEFUL = "deployments.apps", "replicasets.apps", "statefulsets.apps"
KINDS = {DEPLOYMENTS: "Deployment", SETS: "ReplicaSet", STATEFUL: "StatefulSet"}


def template(app: str, image: str = "web:1", **spec: Any) -> Object:
    return {"metadata": {"labels": {"app": app}}, "spec": {"containers": [{"name": "c", "image": image}], **spec}}


def workload(resource: str, name: str, replicas: int, **spec: Any) -> Object:
    body = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template(name), **spec}
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "apps/v1", "kind": KINDS[resource], "metadata": meta, "spec": body}


def pod(name: str, labels: dict[str, str] | None = None, **spec: Any) -> Object:
    meta = {"name": name, "namespace": "default", "labels": labels or {}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {**template("")["spec"], **spec}}


class Bench:
    """A cluster of three nodes and a user at it."""

    def __init__(self, nodes: int = 3, **options: Any):
        self.cluster = Cluster(nodes=nodes, hollow=True, **options)
        self.loop = self.cluster.loop
        self.user: Client = self.cluster.client("user", "system:masters")

    def get(self, resource: str, name: str) -> Object:
        return self.user.get(resource, name, "default")

    def patch(self, resource: str, name: str, **spec: Any) -> Object:
        return self.user.patch(resource, name, {"spec": spec}, "strategic", "default")

    def image(self, resource: str, name: str, image: str) -> Object:
        return self.patch(resource, name, template={"spec": {"containers": [{"name": "c", "image": image}]}})

    def pods(self, app: str = "") -> list[Object]:
        """Those that are not on their way out, by name."""
        selector = f"app={app}" if app else ""
        found = self.user.list("pods", "default", label_selector=selector).items
        return [one for one in found if not is_terminating(one)]

    def names(self, app: str = "") -> list[str]:
        return [one["metadata"]["name"] for one in self.pods(app)]

    def images(self, app: str) -> list[str]:
        return [one["spec"]["containers"][0]["image"] for one in self.pods(app)]

    def settled(self, resource: str, name: str, seconds: float = 60) -> bool:
        """Everybody wanted is there, available and of the latest template, and nobody else."""
        return self.loop.run_until(lambda: self._is_settled(self.get(resource, name)), seconds)

    def _is_settled(self, obj: Object) -> bool:
        status, wanted = obj.get("status") or {}, obj["spec"]["replicas"]
        counts = {status.get(field, 0) for field in ("replicas", "availableReplicas")}
        if obj["kind"] != "ReplicaSet":
            counts.add(status.get("updatedReplicas", 0))
        return counts == {wanted} and status.get("observedGeneration") == obj["metadata"]["generation"]

    def events(self, kind: str = "") -> list[tuple[str, str]]:
        found = self.user.list("events", "default").items
        return [(e["reason"], e["message"]) for e in found if kind in ("", e["involvedObject"]["kind"])]

    def old_and_new(self, app: str) -> dict[str, int]:
        """Wanted replicas of a Deployment's ReplicaSets, by their image."""
        sets = [one for one in self.user.list(SETS, "default").items if labels_of(one).get("app") == app]
        return {
            get_path(one, "spec", "template", "spec")["containers"][0]["image"]: one["spec"]["replicas"] for one in sets
        }
