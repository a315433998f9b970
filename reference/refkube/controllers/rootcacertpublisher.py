"""The root CA publisher: in every namespace a ConfigMap with the certificate by which the API server can be verified.

Source: kubernetes/pkg/controller/certificates/rootcacertpublisher/publisher.go.
"""

from __future__ import annotations

from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object, annotations_of, get_path, namespace_of, with_metadata
from refkube.client.controller import Controller
from refkube.controllers.common.context import Context
from refkube.controllers.common.membership import namespace_ends

NAME = "kube-root-ca.crt"
DESCRIPTION = "kubernetes.io/description"
_DESCRIBED = {
    DESCRIPTION: "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints "
    "such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of "
    "Kubernetes clusters."
}


class RootCACertPublisher:
    account = "root-ca-cert-publisher"

    def __init__(self, context: Context):
        self._client = context.client
        self._data = {"ca.crt": context.options.root_ca}
        self._namespaces = context.informers.of("namespaces")
        self._maps = context.informers.of("configmaps", field_selector=f"metadata.name={NAME}")
        self._controller = Controller(
            context.loop, "root-ca-cert-publisher", self._reconcile, (self._namespaces, self._maps)
        )
        self._namespaces.add_handler(self._controller.add_object, lambda old, new: self._controller.add_object(new))
        self._maps.add_handler(None, lambda old, new: self._changed(new), self._changed)
        self.start, self.stop = self._controller.start, self._controller.stop

    def _changed(self, config_map: Object) -> None:
        self._controller.add(namespace_of(config_map))

    def _reconcile(self, key: str) -> None:
        namespace, present = self._namespaces.get(key), self._maps.get(f"{key}/{NAME}")
        if namespace is None or get_path(namespace, "status", "phase") != "Active":
            return
        if present is None:
            meta = {"name": NAME, "namespace": key, "annotations": _DESCRIBED}
            self._create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": self._data})
        elif present.get("data") != self._data or not annotations_of(present).get(DESCRIPTION):
            described = with_metadata(present, annotations={**annotations_of(present), **_DESCRIBED})
            self._client.update("configmaps", {**described, "data": self._data})

    def _create(self, config_map: Object) -> None:
        try:
            self._client.create("configmaps", config_map)
        except StatusError as refusal:
            if refusal.reason not in ("AlreadyExists", "NotFound") and not namespace_ends(refusal):
                raise
