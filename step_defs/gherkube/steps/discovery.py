"""What an API server says of itself: its groups, resources, schemas, release and health."""

from __future__ import annotations

from gherkube.drivers.base import JSON
from gherkube.steps import then, when
from gherkube.steps.common import Table
from gherkube.values import get, mismatch, rows
from gherkube.world import Misused, World, require

_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_STATES = {"alive": "/livez", "ready": "/readyz", "healthy": "/healthz"}


@when("the API groups are discovered")
def discover_groups(world: World) -> None:
    """
    When the API groups are discovered
    """
    world.ask("GET", "/apis")


@when('the resources of "{group_version:Text}" are discovered')
def discover_resources(world: World, group_version: str) -> None:
    """
    When the resources of "apps/v1" are discovered
    """
    world.ask("GET", f"/apis/{group_version}" if "/" in group_version else f"/api/{group_version}")


@when("all API groups and their resources are discovered at once")
def discover_at_once(world: World) -> None:
    """
    When all API groups and their resources are discovered at once
    """
    world.ask("GET", "/apis", accept=_AGGREGATED)


@when('the schemas of "{group_version:Text}" are read')
def read_schemas(world: World, group_version: str) -> None:
    """
    When the schemas of "apps/v1" are read
    """
    world.ask("GET", f"/openapi/v3/{'apis' if '/' in group_version else 'api'}/{group_version}", accept=JSON)


@when("the release is asked for")
def ask_release(world: World) -> None:
    """
    When the release is asked for
    """
    world.ask("GET", "/version")


@when("the API server is asked whether it is {state}")
def ask_health(world: World, state: str) -> None:
    """
    When the API server is asked whether it is ready        (or alive, or healthy)
    """
    if state not in _STATES:
        raise Misused(f"no state {state!r}; states: {', '.join(_STATES)}")
    world.ask("GET", _STATES[state], accept="*/*")


@then("these resources are served:")
def resources_served(world: World, datatable: Table) -> None:
    """
    Then these resources are served:
      | name        | kind       | namespaced | verbs            |
      | deployments | Deployment | true       | create, get      |
    """
    resources = world.accepted.get("resources") or []
    for row in rows(datatable, "name"):
        resource = next((one for one in resources if one.get("name") == row["name"]), None)
        if resource is None:
            raise AssertionError(f"{row['name']} is not served")
        for column, cell in row.items():
            if not cell:
                continue
            if column in ("verbs", "shortNames", "categories"):
                missing = {word.strip() for word in cell.split(",")} - set(resource.get(column) or ())
                require(not missing, f"{row['name']}: {column} lack {', '.join(sorted(missing))}")
            else:
                difference = mismatch(get(resource, column), cell)
                require(not difference, f"{row['name']}: {column} {difference}")
