"""What an API server says of itself: its groups, resources, schemas, release and health."""

from __future__ import annotations

import re

from gherkube.drivers.base import JSON
from gherkube.phrases import ObjectRef
from gherkube.steps import then, when
from gherkube.steps.common import Table, check_names
from gherkube.values import get, mismatch, rows, show
from gherkube.world import Misused, World, require

_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_STABLE = re.compile(r"(?:[a-z]+|[a-z.]+\.k8s\.io)/v\d+")  # group and version
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
    for root in ("/api", "/apis"):
        world.ask("GET", root, accept=_AGGREGATED)


@when("every kind that is discovered is listed")
def list_every_kind(world: World) -> None:
    """
    When every kind that is discovered is listed            (of the stable versions of Kubernetes' own groups)
    """
    groups = world.do("GET", "/apis", "discovering the groups")["groups"]
    versions = [version["groupVersion"] for group in groups for version in group["versions"]]
    for version in ["v1", *filter(_STABLE.fullmatch, versions)]:
        base = f"/apis/{version}" if "/" in version else f"/api/{version}"
        for resource in world.do("GET", base, f"discovering {version}")["resources"]:
            if "/" not in resource["name"] and "list" in resource["verbs"]:
                answer = world.ask("GET", f"{base}/{resource['name']}", options={"limit": "1"})
                world.listed.append((f"{version} {resource['kind']}", answer))


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


@when('the {ref:Object} is read as of "{group_version:Text}"')
def read_as_of(world: World, ref: ObjectRef, group_version: str) -> None:
    """
    When the Event "started" is read as of "events.k8s.io/v1"
    """
    world.ask("GET", world.path(ref, api_version=group_version))


@then("these kinds are served:")
def kinds_served(world: World, datatable: Table) -> None:
    """
    Then these kinds are served:
      | group version | kinds                                          |
      | apps/v1       | DaemonSet, Deployment, ReplicaSet, StatefulSet |
    """
    _ = world.accepted
    served: dict[str, set[str]] = {}
    for group in (group for answer in world.answers for group in answer.object.get("items") or ()):
        name = group["metadata"].get("name", "")
        for version in group["versions"]:
            kinds = {resource["responseKind"]["kind"] for resource in version.get("resources") or ()}
            served[f"{name}/{version['version']}".lstrip("/")] = kinds
    missing = [
        f"{row['group version']} {kind.strip()}"
        for row in rows(datatable, "group version", "kinds")
        for kind in row["kinds"].split(",")
        if kind.strip() not in served.get(row["group version"], ())
    ]
    require(not missing, lambda: f"not served: {', '.join(missing)}")


@then("each list is of the kind that discovery tells")
def lists_are_of_kinds(world: World) -> None:
    """
    Then each list is of the kind that discovery tells
    """
    wrong = [
        f"{told} was {answer}" if not answer.accepted else f"{told} gave {get(answer.object, 'kind')}"
        for told, answer in world.listed
        if [answer.object.get("apiVersion"), f"{answer.object.get('kind')}"] != f"{told}List".split()
    ]
    require(world.listed, "discovery tells of no kind that can be listed")
    require(not wrong, lambda: f"of {len(world.listed)} kinds: " + "; ".join(wrong))


@then("the table shows:")
def table_shows(world: World, datatable: Table) -> None:
    """
    Then the table shows:
      | Name | Ready | Status  |
      | web  | 1/1   | Running |
    """
    table = world.accepted
    require(table.get("kind") == "Table", f"the answer is no Table but {table.get('kind')}")
    header, *body = datatable
    columns = [column["name"] for column in table["columnDefinitions"] or ()]
    missing = [name for name in header if name not in columns]
    require(not missing, f"the table has no columns {show(missing)}; columns: {show(columns)}")
    shown = [[str(row["cells"][columns.index(name)]) for name in header] for row in table["rows"]]
    require(sorted(shown) == sorted(body), f"the table shows {show(shown)}")


@then("the columns for a wide table are {names:Names}")
def wide_columns(world: World, names: list[str]) -> None:
    """
    Then the columns for a wide table are "IP" and "Node"
    """
    columns = world.accepted.get("columnDefinitions") or ()
    check_names("the wide columns", [one["name"] for one in columns if one["priority"] > 0], names)


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
