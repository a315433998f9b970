"""Services: the endpoints behind them, and the addresses and ports that are allotted to them."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any

from gherkube.phrases import Backends, Collection, ObjectRef, Timing
from gherkube.steps import given, then, when
from gherkube.steps.common import Table, check_names
from gherkube.values import ABSENT, get, put, rows, show
from gherkube.world import Misused, World, require

KNOWN_WITHIN = 60.0  # seconds until endpoints follow, and a cloud has given an address
NODE_PORTS = "30000-32767"  # unless the target has another parameter

_PATHS = {
    "ClusterIP": "spec.clusterIP",
    "node port": "spec.ports[0].nodePort",
    "load balancer's address": "status.loadBalancer.ingress[0].ip",
}
_TYPES = {"node port": "NodePort", "load balancer's address": "LoadBalancer"}
_OF_POD = {
    "(its own)": {"address": "status.podIP", "node": "spec.nodeName", "uid": "metadata.uid"},
    "(its node's)": {"address": "status.hostIP"},
}
_PORT_COLUMNS = {"port", "port name", "protocol"}
_COLUMNS = ("Pod", "uid", "address", "node", "hostname", *sorted(_PORT_COLUMNS), "ready", "serving", "terminating")


# Endpoints


@given("the {where:Backends} list:")
def list_from_the_beginning(world: World, where: Backends, datatable: Table) -> None:
    """
    Given the Endpoints "web" list:
      | Pod |
      | a   |
    """
    these_are_listed(world, Timing("within", KNOWN_WITHIN), where, datatable)


@then("{timing:Timing}the {where:Backends} {still:Still}list:")
def these_are_listed(world: World, timing: Timing, where: Backends, datatable: Table) -> None:
    """
    Then within 30 seconds the Endpoints "web" list:        (these only; with ports a row for each)
      | Pod | address   | port | port name | protocol | ready |
      | a   | (its own) | 80   | http      | TCP      | yes   |
    Then within 30 seconds the slices of the Service "web" list:
      | Pod | node      | ready | serving | terminating |
      | a   | (its own) | yes   | yes     | no          |
    Then for 10 seconds the Endpoints "web" still list:
    """
    world.holds(timing, lambda: _check_list(world, where, datatable))


@then("{timing:Timing}the {where:Backends} list nothing")
def nothing_is_listed(world: World, timing: Timing, where: Backends) -> None:
    """
    Then within 30 seconds the Endpoints "web" list nothing
    """
    world.holds(timing, lambda: _check_list(world, where, None))


@given("the {where:Backends} list {n:Number} ready Pods")
def list_number(world: World, where: Backends, n: int) -> None:
    """
    Given the Endpoints "web" list 3 ready Pods             (and no others)
    """

    def check() -> None:
        ready = [row["ready"] for row in _listed(world, where)]
        require(ready == ["yes"] * n, lambda: f"listed are {len(ready)} Pods, {ready.count('yes')} of them ready")

    world.driver.eventually(check, KNOWN_WITHIN)


@then('within {time:Duration} the {where:Backends} list the Pods labelled "{labels:Text}"')
def list_labelled(world: World, time: float, where: Backends, labels: str) -> None:
    """
    Then within 30 seconds the Endpoints "web" list the Pods labelled "release=another"    (all of them, and no others)
    """

    def check() -> None:
        pods = world.plain(world.listing(Collection("Pod", "", labels)))["items"]
        check_names(
            "listed",
            [row["Pod"] for row in world.plain(_listed(world, where))],
            [get(pod, "metadata.name") for pod in pods],
        )

    world.driver.eventually(check, time)


@then('the Endpoints "{name:Text}" have listed a ready Pod all the time')
def always_listed(world: World, name: str) -> None:
    """
    Then the Endpoints "web" have listed a ready Pod all the time                   (as a watch of them has told)
    """
    if world.watch is None:
        raise Misused("nobody has watched")
    world.driver.settle()
    told = [obj for _, obj in world.watch.events if get(obj, "metadata.name") == name]
    require(told, f'the watch tells nothing of the Endpoints "{name}"')
    for number, obj in enumerate(told, 1):
        ready = any(subset.get("addresses") for subset in obj.get("subsets") or ())
        require(ready, lambda n=number: f"change {n} of {len(told)} left no ready Pod")  # type: ignore[misc]


@then(
    'within {time:Duration} the slices of the Service "{name:Text}" '
    "hold {n:Number} endpoints, at most {most:Number} each"
)
def slices_hold(world: World, time: float, name: str, n: int, most: int) -> None:
    """
    Then within 60 seconds the slices of the Service "web" hold 101 endpoints, at most 100 each
    """

    def check() -> None:
        sizes = [len(one.get("endpoints") or ()) for one in _slices(world, name)]
        pods = {row["uid"] for row in _listed(world, Backends(name, True))}
        require(sum(sizes) == n == len(pods), f"the slices hold {sum(sizes)} endpoints of {len(pods)} Pods, not {n}")
        require(max(sizes, default=0) <= most, f"the slices hold {sizes} endpoints")

    world.driver.eventually(check, time)


def _check_list(world: World, where: Backends, table: Table | None) -> None:
    if table is None:
        listed = world.plain(_listed(world, where))
        require(not listed, lambda: f"listed: {show(listed)}")
        return
    columns = table[0]
    if unknown := [column for column in columns if column not in _COLUMNS]:
        raise Misused(f"no column {unknown[0]!r}; columns: {', '.join(_COLUMNS)}")
    wanted = [_resolved(world, row) for row in rows(table)]
    listed = world.plain(_listed(world, where, by_port=not _PORT_COLUMNS.isdisjoint(columns)))
    found = [{column: row.get(column, "") for column in columns} for row in listed]
    missing, surplus = [row for row in wanted if row not in found], list(found)
    for row in wanted:
        if row in surplus:
            surplus.remove(row)
    require(not missing and not surplus, lambda: f"listed: {show(found)}; not: {show(wanted)}")


def _resolved(world: World, row: dict[str, str]) -> dict[str, str]:
    """With what is the Pod's own read from it."""
    if _OF_POD.keys().isdisjoint(row.values()):
        return row
    pod = world.read(ObjectRef("Pod", row["Pod"]))
    return {column: str(get(pod, _OF_POD[cell][column])) if cell in _OF_POD else cell for column, cell in row.items()}


def _listed(world: World, where: Backends, by_port: bool = False) -> list[dict[str, str]]:
    """Every endpoint, or every port of each, as the columns of a table."""
    listed = []
    for endpoint, ports, conditions in _of_slices(world, where) if where.sliced else _of_endpoints(world, where):
        ref = endpoint.get("targetRef") or {}
        shown = {
            "Pod": ref.get("name", ""),
            "uid": ref.get("uid", ""),
            "address": endpoint.get("ip") or ", ".join(endpoint.get("addresses") or ()),
            "node": endpoint.get("nodeName") or "",
            "hostname": endpoint.get("hostname") or "",
            **{name: "yes" if holds else "no" for name, holds in conditions.items()},
        }
        for port in (ports or [{}]) if by_port else [{}]:
            told = {"port": port.get("port"), "port name": port.get("name"), "protocol": port.get("protocol")}
            listed.append({**shown, **{column: str(value or "") for column, value in told.items()}})
    return listed


def _of_endpoints(world: World, where: Backends) -> Iterator[tuple[Any, Any, dict[str, bool]]]:
    found = world.read_raw(ObjectRef("Endpoints", where.service))
    for subset in found.get("subsets") or ():
        for field, ready in (("addresses", True), ("notReadyAddresses", False)):
            for address in subset.get(field) or ():
                yield address, subset.get("ports"), {"ready": ready}


def _of_slices(world: World, where: Backends) -> Iterator[tuple[Any, Any, dict[str, bool]]]:
    """A condition that is not told is: ready, serving as ready is, not terminating."""
    for one in _slices(world, where.service):
        for endpoint in one.get("endpoints") or ():
            told = endpoint.get("conditions") or {}
            ready = told.get("ready", True)
            conditions = {"ready": ready, "serving": told.get("serving", ready)}
            yield endpoint, one.get("ports"), {**conditions, "terminating": told.get("terminating", False)}


def _slices(world: World, service: str) -> list[Any]:
    found = world.listing(Collection("EndpointSlice", "", f"kubernetes.io/service-name={service}"))["items"]
    require(found, f'there is no EndpointSlice of the Service "{service}"')
    return list(found)


# Addresses and ports


@given('the {what:Allotted} of the {ref:Object} is called "{called:Text}"')
def remember_allotted(world: World, what: str, ref: ObjectRef, called: str) -> None:
    """
    Given the ClusterIP of the Service "web" is called "first"
    Given the load balancer's address of the Service "web" is called "first"
    """
    world.versions[called] = world.driver.eventually(lambda: _allotted(world, what, ref), KNOWN_WITHIN)


@given('the port {side} the node-port range is called "{called:Text}"')
def remember_boundary(world: World, side: str, called: str) -> None:
    """
    Given the port below the node-port range is called "outside"
    Given the port above the node-port range is called "outside"
    """
    first, last = _node_ports(world)
    sides = {"below": first - 1, "above": last + 1}
    if side not in sides:
        raise Misused(f"a port is {' or '.join(sides)} the range, not {side}")
    world.versions[called] = str(sides[side])


@when('{a:Article} {ref:Object} that asks for the {what:Allotted} "{called:Text}" is created')
def create_asking(world: World, ref: ObjectRef, what: str, called: str) -> None:
    """
    When a Service "other" that asks for the ClusterIP "first" is created
    """
    path = world.collection_path(world.kind(ref.kind), ref.namespace)
    world.ask("POST", path, body=_asking(world, world.build(ref), what, called))


@when('the {ref:Object} is updated to ask for the {what:Allotted} "{called:Text}"')
def update_asking(world: World, ref: ObjectRef, what: str, called: str) -> None:
    """
    When the Service "other" is updated to ask for the node port "first"
    """
    world.ask("PUT", world.path(ref), body=_asking(world, world.read_raw(ref), what, called))


@when("the IPAddress of the {ref:Object} is read")
def read_address(world: World, ref: ObjectRef) -> None:
    """
    When the IPAddress of the Service "web" is read
    """
    world.ask("GET", world.kind("IPAddress").path("", _allotted(world, "ClusterIP", ref)))


@when('the Services {names:Names}, which ask for the {what:Allotted} "{called:Text}", are created at once')
def create_at_once(world: World, names: list[str], what: str, called: str) -> None:
    """
    When the Services "b" and "c", which ask for the ClusterIP "first", are created at once
    """
    path = world.collection_path(world.kind("Service"))
    bodies = [_asking(world, world.build(ObjectRef("Service", name)), what, called) for name in names]
    world.ask_at_once([("POST", path, body) for body in bodies])


@then('the {ref:Object} has the {what:Allotted} "{called:Text}"')
def has_allotted(world: World, ref: ObjectRef, what: str, called: str) -> None:
    """
    Then the Service "other" has the ClusterIP "first"
    """
    found, wanted = _allotted(world, what, ref), world.version(called)
    require(found == wanted, f'{ref} has the {what} {found}, not "{called}" ({wanted})')


@then('the {what:Allotted} "{called:Text}" can be had')
def can_be_had(world: World, what: str, called: str) -> None:
    """
    Then the ClusterIP "first" can be had                   (by a Service that asks for it)
    """
    ref = ObjectRef("Service", "claimant")
    world.create(ref, _asking(world, world.build(ref), what, called))
    has_allotted(world, ref, what, called)


@then("the {ref:Object} has {n:Number} node port")
@then("the {ref:Object} has {n:Number} node ports")
def has_node_ports(world: World, ref: ObjectRef, n: int) -> None:
    """
    Then the Service "web" has 2 node ports                 (that differ)
    """
    ports = get(world.read(ref), "spec.ports")
    numbers = {port.get("nodePort") for port in ports}
    require(len(numbers) == n and None not in numbers, lambda: f"{ref} has the ports {show(ports)}")


@then('the {ref:Object} has another {what:Allotted} than "{called:Text}"')
def has_another(world: World, ref: ObjectRef, what: str, called: str) -> None:
    """
    Then the Service "other" has another node port than "first"
    """
    found = _allotted(world, what, ref)
    require(found != world.version(called), f'{ref} has the {what} "{called}" ({found}), too')


@then("the {what:Allotted} of the {ref:Object} lies in the cluster's range")
def lies_in_range(world: World, what: str, ref: ObjectRef) -> None:
    """
    Then the ClusterIP of the Service "web" lies in the cluster's range
    """
    found = _allotted(world, what, ref)
    if what == "node port":
        first, last = _node_ports(world)
        require(first <= int(found) <= last, f"{ref} has the node port {found}, outside of {first}-{last}")
        return
    ranges = [cidr for one in world.listing(Collection("ServiceCIDR"))["items"] for cidr in one["spec"]["cidrs"]]
    require(any(ip_address(found) in ip_network(cidr) for cidr in ranges), f"{ref} has {found}, outside of {ranges}")


@then("no two Services of the cluster have the same {what:Allotted}")
def no_two_have_the_same(world: World, what: str) -> None:
    """
    Then no two Services of the cluster have the same ClusterIP
    """
    holders: dict[Any, str] = {}
    for service in world.listing(Collection("Service", "*"))["items"]:
        name = f"{get(service, 'metadata.namespace')}/{get(service, 'metadata.name')}"
        if what == "node port":
            held = {port["nodePort"] for port in get(service, "spec.ports") or () if port.get("nodePort")}
        else:
            held = {get(service, _PATHS[what])} - {ABSENT, "None", ""}
        for one in held:
            require(one not in holders, f"{name} and {holders.get(one)} both have the {what} {one}")
            holders[one] = name


def _asking(world: World, service: Any, what: str, called: str) -> Any:
    asked = world.version(called)
    service = put(service, "spec.type", _TYPES[what]) if what in _TYPES else service
    if what == "load balancer's address":
        return put(service, "spec.loadBalancerIP", asked)
    return put(service, _PATHS[what], int(asked) if what == "node port" else asked)


def _allotted(world: World, what: str, ref: ObjectRef) -> str:
    service = world.read(ref)
    found = get(service, _PATHS[what])
    if found is ABSENT and what == "load balancer's address":
        found = get(service, "status.loadBalancer.ingress[0].hostname")
    require(found is not ABSENT and found not in ("", "None"), f"{ref} has no {what}")
    return str(found)


def _node_ports(world: World) -> tuple[int, int]:
    first, _, last = world.driver.parameters.get("node-ports", NODE_PORTS).partition("-")
    return int(first), int(last)
