"""Faults in ServiceAccounts, their certificate and their tokens: features/cluster/{accounts,tokens}.feature."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jwt
from refkube.admission.chain import Attributes
from refkube.admission.plugins import serviceaccount
from refkube.admission.plugins.serviceaccount import ServiceAccount
from refkube.apimachinery import errors
from refkube.apimachinery.meta import Object, annotations_of, get_path, name_of, namespace_of, with_metadata
from refkube.apimachinery.rest import Request
from refkube.cluster import ApiServer
from refkube.controllers.common.context import Context
from refkube.controllers.namespace import NamespaceController, Progress
from refkube.controllers.rootcacertpublisher import RootCACertPublisher
from refkube.controllers.serviceaccount import ServiceAccountController
from refkube.controllers.serviceaccounttoken import UID, TokensController
from refkube.registry.subresources import TokenRequest
from refkube.serviceaccount.tokens import Tokens, Verified

from gherkube.drivers.miniatures import miniature
from gherkube.drivers.miniatures.validation import unjudged

Original = Callable[..., Any]

# Accounts


@miniature(
    "No namespace has a default account.",
    caught_by=("accounts.01", "accounts.07"),
    instead_of=ServiceAccountController._reconcile,
)
def makes_no_default_account(original: Original, self: ServiceAccountController, key: str) -> None:
    return None


@miniature("The default account is made once.", caught_by="accounts.02", instead_of=ServiceAccountController._gone)
def makes_default_accounts_once(original: Original, self: ServiceAccountController, account: Object) -> None:
    return None


@miniature("Every account comes back.", caught_by="accounts.03", instead_of=ServiceAccountController._gone)
def makes_all_accounts_again(original: Original, self: ServiceAccountController, account: Object) -> None:
    meta = {"name": name_of(account), "namespace": namespace_of(account)}
    self._client.create("serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})


@miniature(
    "The default account is kept as it was made.",
    caught_by="accounts.04",
    instead_of=ServiceAccountController.__init__,
)
def resets_default_accounts(original: Original, self: ServiceAccountController, context: Context) -> None:
    def reset(old: Object, new: Object) -> None:
        if "automountServiceAccountToken" in new:
            changed = {key: value for key, value in new.items() if key != "automountServiceAccountToken"}
            self._client.update("serviceaccounts", changed)

    original(self, context)
    self._accounts.add_handler(None, reset)


@miniature(
    "The accounts of a namespace outlive all else.",
    caught_by="accounts.05",
    instead_of=NamespaceController._delete_kind,
)
def leaves_accounts_to_the_end(
    original: Original, self: NamespaceController, kind: Any, namespace: str, since: float, progress: Progress
) -> None:
    if kind.plural != "serviceaccounts":
        original(self, kind, namespace, since, progress)


@miniature(
    "Every account gets a token in a Secret.", caught_by="accounts.06", instead_of=TokensController._account_changed
)
def makes_secrets_unasked(original: Original, self: TokensController, account: Object) -> None:
    original(self, account)
    meta = {"name": f"{name_of(account)}-token", "namespace": namespace_of(account)}
    try:
        self._client.create("secrets", {"apiVersion": "v1", "kind": "Secret", "metadata": meta})
    except errors.StatusError:
        pass


@miniature("Pods have no account.", caught_by=("accounts.07", "accounts.11"), instead_of=ServiceAccount.admit)
def gives_pods_no_account(original: Original, self: ServiceAccount, asked: Attributes) -> None:
    return None


@miniature("Every Pod has the default account.", caught_by="accounts.08", instead_of=ServiceAccount._with_account)
def gives_all_the_default_account(
    original: Original, self: ServiceAccount, spec: Object, name: str, mount: bool, pull: list[Object] | None
) -> Object:
    made: Object = original(self, spec, "default", mount, pull)
    return made


@miniature(
    "Whether an account is there is not asked.",
    caught_by=("accounts.09", "accounts.10"),
    instead_of=ServiceAccount.admit,
)
def asks_for_no_account(original: Original, self: ServiceAccount, asked: Attributes) -> Object | None:
    try:
        return original(self, asked)
    except errors.StatusError:
        return None


@miniature("No Pod gets a token.", caught_by=("accounts.11", "accounts.12#3"), instead_of=ServiceAccount._mounting)
def mounts_no_token(original: Original, self: ServiceAccount, spec: Object) -> Object:
    return spec


@miniature("What the account wants does not count.", caught_by="accounts.12#2", instead_of=ServiceAccount._with_account)
def ignores_the_account(
    original: Original, self: ServiceAccount, spec: Object, name: str, mount: bool, pull: list[Object] | None
) -> Object:
    made: Object = original(self, spec, name, True, pull)
    return made


@miniature(
    "What the Pod wants does not count.",
    caught_by=("accounts.12#1", "accounts.12#3", "accounts.12#4"),
    instead_of=ServiceAccount._with_account,
)
def ignores_the_pod(
    original: Original, self: ServiceAccount, spec: Object, name: str, mount: bool, pull: list[Object] | None
) -> Object:
    wish = {key: value for key, value in spec.items() if key != "automountServiceAccountToken"}
    made: Object = original(self, wish, name, mount, pull)
    return made


@miniature("The token is put over what is there.", caught_by="accounts.13", instead_of=serviceaccount._with_mount)
def mounts_over(original: Original, container: Object, mount: Object) -> Object:
    return {**container, "volumeMounts": [mount]}


@miniature(
    "The account's credentials for images are forgotten.",
    caught_by="accounts.14",
    instead_of=ServiceAccount._with_account,
)
def forgets_credentials_for_images(
    original: Original, self: ServiceAccount, spec: Object, name: str, mount: bool, pull: list[Object] | None
) -> Object:
    made: Object = original(self, spec, name, mount, None)
    return made


@miniature(
    "The account's credentials for images count more than the Pod's.",
    caught_by="accounts.15",
    instead_of=ServiceAccount._with_account,
)
def overrides_credentials_for_images(
    original: Original, self: ServiceAccount, spec: Object, name: str, mount: bool, pull: list[Object] | None
) -> Object:
    made = original(self, spec, name, mount, pull)
    return {**made, "imagePullSecrets": pull} if pull else made


@miniature(
    "Nobody publishes the certificate.",
    caught_by=("accounts.16", "accounts.17"),
    instead_of=RootCACertPublisher._reconcile,
)
def publishes_no_certificate(original: Original, self: RootCACertPublisher, key: str) -> None:
    return None


@miniature(
    "A certificate that is there is trusted.", caught_by="accounts.18", instead_of=RootCACertPublisher._reconcile
)
def trusts_any_certificate(original: Original, self: RootCACertPublisher, key: str) -> None:
    if self._maps.get(f"{key}/kube-root-ca.crt") is None:
        original(self, key)


# Secrets with tokens


@miniature("Secrets for tokens stay empty.", caught_by=("tokens.01", "tokens.03"), instead_of=TokensController._missing)
def fills_no_secret(original: Original, self: TokensController, secret: Object, account: Object) -> dict[str, str]:
    return {}


@miniature("A Secret's token stands for nobody.", caught_by="tokens.02", instead_of=Tokens.issue_legacy)
def issues_for_another(original: Original, self: Tokens, account: Object, secret: Object) -> str:
    return str(original(self, with_metadata(account, name="default"), secret))


@miniature("A Secret is filled once.", caught_by="tokens.03", instead_of=TokensController._missing)
def fills_secrets_once(original: Original, self: TokensController, secret: Object, account: Object) -> dict[str, str]:
    missing: dict[str, str] = {} if UID in annotations_of(secret) else original(self, secret, account)
    return missing


unjudged("takes_secrets_of_nobody", "A Secret need not say whose it is.", "tokens.04", ("Secret",))


@miniature("Every Secret that names an account is filled.", caught_by="tokens.05", instead_of=TokensController.__init__)
def fills_any_secret(original: Original, self: TokensController, context: Context) -> None:
    def fill(secret: Object) -> None:
        if annotations_of(secret):
            self._client.update("secrets", {**secret, "data": {"token": "c2VjcmV0"}})

    original(self, context)
    context.informers.of("secrets").add_handler(fill)


@miniature(
    "Secrets outlive their accounts.",
    caught_by=("tokens.06", "tokens.07", "tokens.08"),
    instead_of=TokensController._delete,
)
def keeps_secrets(original: Original, self: TokensController, secret: Object) -> None:
    return None


@miniature(
    "A token is good whatever it ended with.",
    caught_by=("tokens.09", "tokens.18", "tokens.19", "tokens.20"),
    instead_of=ApiServer._account_exists,
)
def trusts_dead_tokens(original: Original, self: ApiServer, claims: Object) -> bool:
    return True


# Requested tokens


@miniature("A token is for nobody if nobody is named.", caught_by="tokens.10", instead_of=TokenRequest.write)
def issues_without_audience(
    original: Original, self: TokenRequest, storage: Any, request: Request, obj: Object, write: Any
) -> Object:
    made: Object = original(self, storage, request, obj, write)
    return made if get_path(obj, "spec", "audiences") else {**made, "spec": {**made["spec"], "audiences": []}}


@miniature("All tokens are for the API server.", caught_by="tokens.11", instead_of=Tokens.verify)
def reviews_for_itself(
    original: Original, self: Tokens, token: str, audiences: tuple[str, ...] = ()
) -> Verified | None:
    found: Verified | None = original(self, token, ())
    return found


@miniature("A token is good for everybody.", caught_by=("tokens.12", "tokens.13"), instead_of=Tokens.verify)
def ignores_audiences(original: Original, self: Tokens, token: str, audiences: tuple[str, ...] = ()) -> Verified | None:
    try:
        named = jwt.decode(token, options={"verify_signature": False}).get("aud") or ()
    except jwt.InvalidTokenError:
        named = ()
    found: Verified | None = original(self, token, tuple(named))
    return found


@miniature("Tokens are good for ever.", caught_by="tokens.14", instead_of=Tokens.issue)
def issues_for_ever(original: Original, self: Tokens, account: Object, *, seconds: int, **more: Any) -> str:
    return str(original(self, account, seconds=None, **more))


@miniature("Every token is good for ten minutes.", caught_by="tokens.15", instead_of=Tokens.issue)
def issues_for_ten_minutes(original: Original, self: Tokens, account: Object, *, seconds: int, **more: Any) -> str:
    return str(original(self, account, seconds=600, **more))


@miniature("Ten minutes are too short.", caught_by="tokens.16", instead_of=TokenRequest.write)
def refuses_short_tokens(
    original: Original, self: TokenRequest, storage: Any, request: Request, obj: Object, write: Any
) -> Object:
    asked = get_path(obj, "spec", "expirationSeconds", default=3600)
    longer = {**obj, "spec": {**(obj.get("spec") or {}), "expirationSeconds": max(asked, 601)}}
    made: Object = original(self, storage, request, longer, write)
    return made


@miniature("Tokens are bound to nothing.", caught_by=("tokens.17", "tokens.18", "tokens.19"), instead_of=Tokens.issue)
def binds_to_nothing(original: Original, self: Tokens, account: Object, *, bound: Any = None, **more: Any) -> str:
    return str(original(self, account, bound=None, **more))


@miniature(
    "What a token is bound to is not looked at.",
    caught_by=("tokens.21", "tokens.22"),
    instead_of=TokenRequest._bound_object,
)
def binds_to_anything(
    original: Original, self: TokenRequest, reference: Object | None, account: Object, request: Request
) -> Any:
    try:
        return original(self, reference, account, request)
    except errors.StatusError:
        return None
