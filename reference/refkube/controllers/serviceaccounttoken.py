"""The token controller: Secrets of type kubernetes.io/service-account-token are filled, and go with their account.

Since 1.24 nobody makes such Secrets unasked, and accounts do not list them. Source:
kubernetes/pkg/controller/serviceaccount/tokens_controller.go.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable

from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import (
    Object,
    annotations_of,
    is_terminating,
    key_of,
    name_of,
    namespace_of,
    uid_of,
    with_metadata,
)
from refkube.client.controller import Controller
from refkube.controllers.common.context import Context

TYPE = "kubernetes.io/service-account-token"
NAME, UID = "kubernetes.io/service-account.name", "kubernetes.io/service-account.uid"
SIGN = "service-account-token"  # among the options' extra parts: (account, secret) -> token


class TokensController:
    account = "tokens-controller"

    def __init__(self, context: Context):
        self._client = context.client
        self._root_ca = context.options.root_ca
        self._sign: Callable[[Object, Object], str] = context.options.extra[SIGN]
        self._accounts = context.informers.of("serviceaccounts")
        self._secrets = context.informers.of("secrets", field_selector=f"type={TYPE}")
        self._secrets.add_index("account", _account_key)
        self._controller = Controller(context.loop, "tokens", self._reconcile, (self._accounts, self._secrets))
        self._secrets.add_handler(self._controller.add_object, lambda old, new: self._controller.add_object(new))
        self._accounts.add_handler(self._account_changed, None, self._account_changed)
        self.start, self.stop = self._controller.start, self._controller.stop

    def _account_changed(self, account: Object) -> None:
        for key in self._secrets.indexed("account", key_of(account)):
            self._controller.add(key)

    def _reconcile(self, key: str) -> None:
        secret = self._secrets.get(key)
        if secret is None or is_terminating(secret):
            return
        account = self._account_of(secret)
        if account is None:
            self._delete(secret)
            return
        missing = self._missing(secret, account)
        if missing:
            told = {**annotations_of(secret), NAME: name_of(account), UID: uid_of(account)}
            data = {**(secret.get("data") or {}), **missing}
            self._client.update("secrets", {**with_metadata(secret, annotations=told), "data": data})

    def _account_of(self, secret: Object) -> Object | None:
        """None if the account that it was made for is gone."""
        name, uid = annotations_of(secret).get(NAME, ""), annotations_of(secret).get(UID, "")
        account = self._accounts.get(f"{namespace_of(secret)}/{name}")
        if account is None or (uid and uid != uid_of(account)):
            account = self._live(namespace_of(secret), name)
        return None if account is None or (uid and uid != uid_of(account)) else account

    def _live(self, namespace: str, name: str) -> Object | None:
        """As the server knows it: the cache may be behind."""
        try:
            return self._client.get("serviceaccounts", name, namespace)
        except StatusError as refusal:
            if refusal.code != 404:
                raise
            return None

    def _missing(self, secret: Object, account: Object) -> dict[str, str]:
        """What is to be put into the Secret's data."""
        data = secret.get("data") or {}
        missing = {}
        authority = _encoded(self._root_ca)
        if authority and data.get("ca.crt") != authority:
            missing["ca.crt"] = authority
        if not data.get("namespace"):
            missing["namespace"] = _encoded(namespace_of(secret))
        if not data.get("token"):
            missing["token"] = _encoded(self._sign(account, secret))
        return missing

    def _delete(self, secret: Object) -> None:
        try:
            self._client.delete("secrets", name_of(secret), namespace_of(secret), uid=uid_of(secret))
        except StatusError as refusal:
            if refusal.reason not in ("NotFound", "Conflict"):
                raise


def _account_key(secret: Object) -> tuple[str, ...]:
    name = annotations_of(secret).get(NAME)
    return (f"{namespace_of(secret)}/{name}",) if name else ()


def _encoded(text: str) -> str:
    return b64encode(text.encode()).decode()
