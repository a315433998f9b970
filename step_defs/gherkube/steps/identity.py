"""Who asks: ServiceAccounts, their tokens, and what they may do."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from gherkube import kinds
from gherkube.phrases import ObjectRef, TokenLimit
from gherkube.steps import given, when
from gherkube.values import get
from gherkube.world import ABSENT, SOON, World, require

_RBAC = "rbac.authorization.k8s.io"


@given('the ServiceAccount "{name:Text}" may edit what is in its namespace')
def may_edit(world: World, name: str) -> None:
    """
    Given the ServiceAccount "robot" may edit what is in its namespace
    """
    binding = {
        "metadata": {"name": f"{name}-edits"},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": world.names.home}],
    }
    world.create(ObjectRef("RoleBinding", f"{name}-edits"), binding)


@given('the next request is made by the ServiceAccount "{name:Text}"')
def next_is_made_by_account(world: World, name: str) -> None:
    """
    Given the next request is made by the ServiceAccount "robot"
    """
    world.token = token_of(world, name)


@when('the token of the ServiceAccount "{name:Text}" is reviewed')
def token_is_reviewed(world: World, name: str) -> None:
    """
    When the token of the ServiceAccount "robot" is reviewed
    """
    world.ask("POST", kinds.named("TokenReview").path(), body={"spec": {"token": token_of(world, name)}})


@given('a Secret "{name:Text}" with a token of the ServiceAccount "{account:Text}"')
def secret_with_token(world: World, name: str, account: str) -> None:
    """
    Given a Secret "robot-token" with a token of the ServiceAccount "robot"
    """
    annotations = {"kubernetes.io/service-account.name": account}
    secret = {"metadata": {"name": name, "annotations": annotations}, "type": "kubernetes.io/service-account-token"}
    world.create(ObjectRef("Secret", name), secret)
    world.driver.eventually(lambda: _token_in(world, name), SOON)


@given('the token of the Secret "{name:Text}" is called "{called:Text}"')
def token_of_secret_called(world: World, name: str, called: str) -> None:
    """
    Given the token of the Secret "robot-token" is called "token"
    """
    world.versions[called] = _token_in(world, name)


@given('a token of the ServiceAccount "{name:Text}"{limit:TokenLimit}, called "{called:Text}"')
def token_called(world: World, name: str, limit: TokenLimit | None, called: str) -> None:
    """
    Given a token of the ServiceAccount "robot", called "token"
    Given a token of the ServiceAccount "robot" for the audience "vault", called "token"
    Given a token of the ServiceAccount "robot" for 600 seconds, called "token"
    Given a token of the ServiceAccount "robot" that is bound to the Pod "web", called "token"
    """
    spec: dict[str, Any] = {}
    if isinstance(limit, str):
        spec["audiences"] = [limit]
    elif isinstance(limit, int):
        spec["expirationSeconds"] = limit
    elif limit is not None:
        uid = world.read_raw(limit)["metadata"]["uid"]
        spec["boundObjectRef"] = {"apiVersion": "v1", "kind": limit.kind, "name": limit.name, "uid": uid}
    world.versions[called] = token_of(world, name, **spec)


@given('the next request is made with the token "{called:Text}"')
def next_is_made_with_token(world: World, called: str) -> None:
    """
    Given the next request is made with the token "token"
    """
    world.token = world.version(called)


@when('the token "{called:Text}" is reviewed')
@when('the token "{called:Text}" is reviewed for the audience "{audience:Text}"')
def named_token_is_reviewed(world: World, called: str, audience: str = "") -> None:
    """
    When the token "token" is reviewed
    When the token "token" is reviewed for the audience "vault"
    """
    spec = {"token": world.version(called), **({"audiences": [audience]} if audience else {})}
    world.ask("POST", kinds.named("TokenReview").path(), body={"spec": spec})


def token_of(world: World, name: str, **spec: Any) -> str:
    """A new token of a ServiceAccount of the scenario's namespace."""
    path = world.path(ObjectRef("ServiceAccount", name), "token")
    made = world.do("POST", path, f"a token for {name}", body={"spec": {"expirationSeconds": 600, **spec}})
    return str(made["status"]["token"])


def _token_in(world: World, secret: str) -> str:
    token = get(world.read_raw(ObjectRef("Secret", secret)), "data.token")
    require(token is not ABSENT, f'there is no token in the Secret "{secret}"')
    return b64decode(token).decode()
