"""The service account controller: every active namespace has an account named default.

Source: kubernetes/pkg/controller/serviceaccount/serviceaccounts_controller.go.
"""

from __future__ import annotations

from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object, get_path, name_of, namespace_of
from refkube.client.controller import Controller
from refkube.controllers.common.context import Context
from refkube.controllers.common.membership import namespace_ends

DEFAULT = "default"


class ServiceAccountController:
    account = "service-account-controller"

    def __init__(self, context: Context):
        self._client = context.client
        self._namespaces = context.informers.of("namespaces")
        self._accounts = context.informers.of("serviceaccounts")
        informers = (self._namespaces, self._accounts)
        self._controller = Controller(context.loop, "serviceaccount", self._reconcile, informers)
        self._namespaces.add_handler(self._controller.add_object, lambda old, new: self._controller.add_object(new))
        self._accounts.add_handler(deleted=self._gone)
        self.start, self.stop = self._controller.start, self._controller.stop

    def _gone(self, account: Object) -> None:
        if name_of(account) == DEFAULT:
            self._controller.add(namespace_of(account))

    def _reconcile(self, key: str) -> None:
        namespace = self._namespaces.get(key)
        active = namespace is not None and get_path(namespace, "status", "phase") == "Active"
        if not active or self._accounts.get(f"{key}/{DEFAULT}") is not None:
            return
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": DEFAULT, "namespace": key}}
        try:
            self._client.create("serviceaccounts", account)
        except StatusError as refusal:
            if refusal.reason not in ("AlreadyExists", "NotFound") and not namespace_ends(refusal):
                raise
