"""TaintNodesByCondition: a new node takes no Pods until the node lifecycle controller has seen it ready.

Source: kubernetes/plugin/pkg/admission/nodetaint.
"""

from __future__ import annotations

from refkube.admission.chain import CREATE, Attributes, Plugin
from refkube.api.kinds import Kind
from refkube.apimachinery.meta import Object

NOT_READY: Object = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}


class TaintNodesByCondition(Plugin):
    name = "TaintNodesByCondition"

    def handles(self, operation: str, kind: Kind, subresource: str) -> bool:
        return kind.resource == "nodes" and operation == CREATE and not subresource

    def admit(self, attributes: Attributes) -> Object | None:
        node = attributes.obj
        assert node is not None
        spec = node.get("spec") or {}
        taints = spec.get("taints") or []
        if any(taint.get("key") == NOT_READY["key"] and taint.get("effect") == NOT_READY["effect"] for taint in taints):
            return None
        return {**node, "spec": {**spec, "taints": [*taints, NOT_READY]}}
