"""Who asks: ServiceAccounts, their tokens, and what they may do."""

from __future__ import annotations

from gherkube import kinds
from gherkube.phrases import ObjectRef
from gherkube.steps import given, when
from gherkube.world import World

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


def token_of(world: World, name: str) -> str:
    """A new token of a ServiceAccount of the scenario's namespace."""
    path = world.path(ObjectRef("ServiceAccount", name), "token")
    made = world.do("POST", path, f"a token for {name}", body={"spec": {"expirationSeconds": 600}})
    return str(made["status"]["token"])
