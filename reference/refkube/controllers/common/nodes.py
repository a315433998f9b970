"""What the controllers of nodes share: changing taints, and Events about nodes."""

from __future__ import annotations

from collections.abc import Collection

from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object
from refkube.client.client import Client, retry_on_conflict
from refkube.engine.clock import rfc3339

Taint = tuple[str, str]  # key and effect


def swap_taints(client: Client, name: str, add: Collection[Taint], remove: Collection[Taint], now: float) -> None:
    """In one write, and none where nothing changes; a node that is gone needs none."""

    def attempt() -> None:
        node = client.get("nodes", name)
        spec = node.get("spec") or {}
        present = spec.get("taints") or []
        left = [taint for taint in present if (taint["key"], taint["effect"]) not in remove]
        had = {(taint["key"], taint["effect"]) for taint in left}
        new = [
            {"key": key, "effect": effect, "timeAdded": rfc3339(now)} for key, effect in add if (key, effect) not in had
        ]
        if new or len(left) < len(present):
            client.update("nodes", {**node, "spec": {**spec, "taints": [*left, *new]}})

    try:
        retry_on_conflict(attempt)
    except StatusError as refusal:
        if refusal.reason != "NotFound":
            raise


def taints_of(node: Object, effect: str = "") -> list[Object]:
    """Those of one effect, or all."""
    taints = (node.get("spec") or {}).get("taints") or ()
    return [taint for taint in taints if not effect or taint["effect"] == effect]


def reference(node: Object) -> Object:
    """What an Event about a node is about."""
    meta = node["metadata"]
    return {"apiVersion": "v1", "kind": "Node", "name": meta["name"], "uid": meta["uid"]}
