"""DefaultTolerationSeconds: a Pod stays five minutes on a node that is not ready or cannot be reached.

Source: kubernetes/plugin/pkg/admission/defaulttolerationseconds.
"""

from __future__ import annotations

from refkube.admission.chain import CREATE, UPDATE, Attributes, Plugin
from refkube.admission.memo import Memo
from refkube.api.kinds import Kind
from refkube.apimachinery.meta import Object

SECONDS = 300
TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


class DefaultTolerationSeconds(Plugin):
    name = "DefaultTolerationSeconds"

    def __init__(self) -> None:
        self._memo = Memo()

    def handles(self, operation: str, kind: Kind, subresource: str) -> bool:
        return kind.resource == "pods" and operation in (CREATE, UPDATE) and not subresource

    def admit(self, attributes: Attributes) -> Object | None:
        pod = attributes.obj
        assert pod is not None
        spec = pod["spec"]
        admitted = self._memo(spec, None, lambda: _tolerating(spec))
        return None if admitted is spec else {**pod, "spec": admitted}


def _tolerating(spec: Object) -> Object:
    present = spec.get("tolerations") or []
    missing = [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": SECONDS}
        for key in TAINTS
        if not any(
            one.get("key") in (key, "", None) and one.get("effect") in ("NoExecute", "", None) for one in present
        )
    ]
    return {**spec, "tolerations": [*present, *missing]} if missing else spec
