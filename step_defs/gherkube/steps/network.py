"""The data path: who answers a connection and whom it sees, which way packets go, names, and nodes' tables."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from ipaddress import ip_address, ip_network
from typing import Any

from gherkube.drivers.base import Connection, Crossing, Journey
from gherkube.phrases import Collection, ObjectRef, Place, Target
from gherkube.steps import given, then, when
from gherkube.steps.common import Table
from gherkube.values import ABSENT, get, mismatch, put, rows, show
from gherkube.world import Misused, World, require

REACHED_WITHIN = 60.0  # seconds until what was made carries traffic
TRIES = 12  # connections for each Pod that is to answer: one that gets none of them has no share
_PLACEHOLDER = re.compile(r"\((Pod|node|Service|subnet of|network of|gateway of|node port of|reverse of) ([\w.-]+)\)")


# Nodes


@given("the nodes {names:Names} run Pods")
@when("the nodes {names:Names} come to run Pods")
def nodes_run_pods(world: World, names: list[str]) -> None:
    """
    Given the nodes "n1" and "n2" run Pods                  (names for the first nodes that are ready and free to use)
    When the nodes "n1" and "n2" come to run Pods
    """

    def usable(node: Any) -> bool:
        return get(node, "status.conditions[type=Ready].status") == "True" and not get(node, "spec.taints")

    def check() -> list[str]:
        found = sorted(
            get(node, "metadata.name") for node in world.listing(Collection("Node"))["items"] if usable(node)
        )
        require(len(found) >= len(names), f"{len(names)} nodes are wanted, {found} are ready and without taints")
        return found

    for name, real in zip(names, world.driver.eventually(check, REACHED_WITHIN), strict=False):
        world.names.call(real, name)


# Connections


@given("connections from {origin:Place} to {target:Target} {outcome:Outcome}")
def connections_come_to(world: World, origin: Place, target: Target, outcome: str) -> None:
    """
    Given connections from the Pod "client" to port 80 of the Service "web" are answered
    """
    connections_within(world, REACHED_WITHIN, origin, target, outcome)


@given("{origin:Place} holds a connection to {target:Target}")
def holds_connection(world: World, origin: Place, target: Target) -> None:
    """
    Given the Pod "client" holds a connection to port 80 of the Service "web"
    """

    def check() -> None:
        _check_outcome(_connect(world, origin, target, 1, hold=True), "answered")

    world.driver.eventually(check, REACHED_WITHIN)


@when("{origin:Place} connects {n:Number} times to {target:Target}")
def connect(world: World, origin: Place, n: int, target: Target) -> None:
    """
    When the Pod "client" connects 20 times to port 80 of the Service "web"
    """
    world.connections = _connect(world, origin, target, n)


@when("{origin:Place} connects {n:Number} times to {target:Target}, {time:Duration} apart")
def connect_apart(world: World, origin: Place, n: int, target: Target, time: float) -> None:
    """
    When the Pod "client" connects 12 times to port 80 of the Service "web", 5 minutes apart
    """
    world.connections = []
    for _ in range(n):
        world.connections += _connect(world, origin, target, 1)
        world.driver.pass_time(time)


@when('a Service "{name:Text}" whose load balancer lets only {place:Place} through is created')
def create_with_source_range(world: World, name: str, place: Place) -> None:
    """
    When a Service "web" whose load balancer lets only the client outside "second" through is created
    """
    ranges = [f"{world.driver.outside_address(place)}/32"]
    service = put(world.build(ObjectRef("Service", name)), "spec.type", "LoadBalancer")
    path = world.collection_path(world.kind("Service"))
    world.ask("POST", path, body=put(service, "spec.loadBalancerSourceRanges", ranges))


@then("each of {names:Names} has answered some of them")
def each_has_answered(world: World, names: list[str]) -> None:
    """
    Then each of "a" and "b" has answered some of them
    """
    _check_outcome(world.connections, "answered")
    found = {world.plain(one.pod) for one in world.connections}
    require(found == set(names), lambda: f"answered have {sorted(found)}, not {sorted(names)}")


@then("the same Pod has answered all of them")
def same_pod(world: World) -> None:
    """
    Then the same Pod has answered all of them
    """
    _check_outcome(world.connections, "answered")
    pods = {one.pod for one in world.connections}
    require(len(pods) == 1, lambda: f"{sorted(pods)} have answered")


@then("within {time:Duration} connections from {origin:Place} to {target:Target} {outcome:Outcome}")
def connections_within(world: World, time: float, origin: Place, target: Target, outcome: str) -> None:
    """
    Then within 30 seconds connections from a client outside to node port of the Service "web" on the node "n1" time out
    """
    world.driver.eventually(lambda: _check_outcome(_connect(world, origin, target, 2), outcome), time)


@then("for {time:Duration} connections from {origin:Place} to {target:Target} {outcome:Outcome}")
def connections_for(world: World, time: float, origin: Place, target: Target, outcome: str) -> None:
    """
    Then for 10 seconds connections from the Pod "client" to port 80 of the Service "web" are refused
    """
    world.driver.always(lambda: _check_outcome(_connect(world, origin, target, 1), outcome), time)


@then("within {time:Duration} connections from {origin:Place} to {target:Target} are answered by {names:Names}")
def answered_by(world: World, time: float, origin: Place, target: Target, names: list[str]) -> None:
    """
    Then within 30 seconds connections from the Pod "client" to port 80 of the Service "web" are answered by "a" and "b"
    """
    world.driver.eventually(lambda: _check_pods(world, origin, target, names), time)


@then("for {time:Duration} connections from {origin:Place} to {target:Target} are answered by {names:Names}")
def answered_by_for(world: World, time: float, origin: Place, target: Target, names: list[str]) -> None:
    """
    Then for 10 seconds connections from the Pod "client" to port 80 of the Service "web" are answered by "a"
    """
    world.driver.always(lambda: _check_pods(world, origin, target, names), time)


@then("within {time:Duration} connections from {origin:Place} to {target:Target} are seen to come from {seen:Place}")
def seen_from(world: World, time: float, origin: Place, target: Target, seen: Place) -> None:
    """
    Then within 30 seconds connections from the Pod "a" to port 80 of the Pod "b" are seen to come from the Pod "a"
    """

    def check() -> None:
        made = _connect(world, origin, target, TRIES)
        _check_outcome(made, "answered")
        is_of = _addresses_of(world, seen)
        wrong = sorted({one.source for one in made if not is_of(one.source)})
        require(not wrong, lambda: f"{target} sees connections from {origin} come from {wrong}, not from {seen}")

    world.driver.eventually(check, time)


@then("the answers come from the address that was asked")
def answers_come_from(world: World) -> None:
    """
    Then the answers come from the address that was asked
    """
    _check_outcome(world.connections, "answered")
    others = {one.answered_from for one in world.connections} - {world.asked}
    require(not others, lambda: f"{world.asked} was asked, {sorted(others)} answered")


@then("the connection that is held is still answered")
def held_is_answered(world: World) -> None:
    """
    Then the connection that is held is still answered
    """
    _check_outcome(world.driver.held(), "answered")


@when("the connection that is held is closed")
def held_is_closed(world: World) -> None:
    """
    When the connection that is held is closed
    """
    world.driver.release()


@then("within {time:Duration} {n:Number} bytes from {origin:Place} get through to {target:Target}")
def bytes_get_through(world: World, time: float, n: int, origin: Place, target: Target) -> None:
    """
    Then within 30 seconds 20000 bytes from the Pod "client" get through to port 80 of the Pod "a"
    """
    world.driver.eventually(lambda: _check_outcome(_connect(world, origin, target, 1, size=n), "answered"), time)


@then('within {time:Duration} the health check of the Service "{name:Text}" tells of {n:Number} Pods on "{node:Text}"')
def health_check_tells(world: World, time: float, name: str, n: int, node: str) -> None:
    """
    Then within 30 seconds the health check of the Service "web" tells of 1 Pods on "n1"     (0 is unhealthy)
    """
    port = get(world.read(ObjectRef("Service", name)), "spec.healthCheckNodePort")
    require(port is not ABSENT, f'the Service "{name}" has no port for health checks')

    def check() -> None:
        code, body = world.driver.fetch(Place("outside"), _node_address(world, node), port, "/")
        require(code == (200 if n else 503), f"the health check answers with {code or 'nothing'}")
        local = json.loads(body).get("localEndpoints")
        require(local == n, f"the health check tells of {local} Pods")

    world.driver.eventually(check, time)


def _connect(
    world: World, origin: Place, target: Target, times: int, hold: bool = False, size: int = 0
) -> list[Connection]:
    address, port = _at(world, target)
    world.asked = address
    return world.driver.connect(_real(world, origin), address, port, target.protocol, times, hold, size)


def _check_outcome(made: list[Connection], wanted: str) -> None:
    if wanted == "answered":
        bad = [one.outcome for one in made if one.outcome != wanted]
        require(not bad, lambda: f"{len(bad)} of {len(made)} connections: {', '.join(sorted(set(bad)))}")
        return
    others = sorted({one.outcome for one in made if (one.outcome != wanted if wanted else one.outcome == "answered")})
    require(
        not others, lambda: f"connections {wanted or 'without an answer'} are wanted, these are {', '.join(others)}"
    )


def _check_pods(world: World, origin: Place, target: Target, names: list[str]) -> None:
    made = _connect(world, origin, target, TRIES * len(names) if len(names) > 1 else 4)
    _check_outcome(made, "answered")
    found = {world.plain(one.pod) for one in made}
    require(found == set(names), lambda: f"answered have {sorted(found)}, not {sorted(names)}")


# The way


@when("a connection from {origin:Place} to {target:Target} is followed")
def follow(world: World, origin: Place, target: Target) -> None:
    """
    When a connection from the Pod "a" to port 80 of the Pod "b" is followed
    """

    def check() -> Journey:
        address, port = _at(world, target)
        journey = world.driver.journey(_real(world, origin), address, port, target.protocol)
        _check_outcome([journey.connection], "answered")
        return journey

    world.journey = world.driver.eventually(check, REACHED_WITHIN)


@then("it crosses:")
def it_crosses(world: World, datatable: Table) -> None:
    """
    Then it crosses:                                        (in this order, and nothing else)
      | host | device   | around it             |
      | a    | eth0     |                       |
      | n1   | /veth.*/ |                       |
      | n1   | docker0  |                       |
      | n1   | /e.*/    | udp (node n2) 8285    |
    """
    _check_way(world, world.journey.there, datatable)


@then("it crosses no device")
def it_crosses_nothing(world: World) -> None:
    """
    Then it crosses no device
    """
    found = [[one.host, one.device] for one in world.journey.there]
    require(not found, lambda: f"it crosses {show(found)}")


@then("the answer to it crosses:")
def answer_crosses(world: World, datatable: Table) -> None:
    """
    Then the answer to it crosses:
      | host | device   | around it |
      | b    | eth0     |           |
    """
    _check_way(world, world.journey.back, datatable)


def _check_way(world: World, crossings: Iterable[Crossing], table: Table) -> None:
    found = [
        {
            "host": world.plain(one.host),
            "device": one.device,
            "around it": ", ".join(one.outer),
            "source": one.source,
            "destination": one.destination,
        }
        for one in crossings
    ]
    wanted = [_filled(world, row) for row in rows(table)]
    shown = show([[row["host"], row["device"], row["around it"]] for row in found])
    require(len(found) == len(wanted), lambda: f"it crosses {len(found)} devices, not {len(wanted)}: {shown}")
    for number, (row, seen) in enumerate(zip(wanted, found, strict=True), 1):
        for column, cell in row.items():
            if column not in seen:
                raise Misused(f"no column {column!r}; columns: {', '.join(seen)}")
            why = _differs(seen[column], cell)
            require(not why, lambda n=number, c=column, w=why: f"{n}. {c} {w}; it crosses {shown}")  # type: ignore[misc]


# Names


@then('within {time:Duration} {origin:Place} finds "{name:Text}" at {names:Names}')
def finds_at(world: World, time: float, origin: Place, name: str, names: list[str]) -> None:
    """
    Then within 30 seconds the Pod "client" finds "web" at "(Service web)"
    Then within 30 seconds the Pod "client" finds "web" at "(Pod a)" and "(Pod b)"          (these, in any order)
    """
    world.driver.eventually(lambda: _check_found(world, origin, name, "A", "NOERROR", names), time)


@then('within {time:Duration} {origin:Place} finds no "{name:Text}"')
def finds_none(world: World, time: float, origin: Place, name: str) -> None:
    """
    Then within 30 seconds the Pod "client" finds no "nobody.home.svc.cluster.local."       (there is no such name)
    """
    world.driver.eventually(lambda: _check_found(world, origin, name, "A", "NXDOMAIN", []), time)


@then('within {time:Duration} {origin:Place} finds the {type} record of "{name:Text}":')
@then('within {time:Duration} {origin:Place} finds the {type} records of "{name:Text}":')
def finds_records(world: World, time: float, origin: Place, type: str, name: str, datatable: Table) -> None:
    """
    Then within 30 seconds the Pod "client" finds the SRV record of "_http._tcp.web.home.svc.cluster.local.":
      | value                                   |
      | /0 \\d+ 80 web.home.svc.cluster.local./ |
    """
    wanted = [row["value"] for row in rows(datatable, "value")]
    world.driver.eventually(lambda: _check_found(world, origin, name, type, "NOERROR", wanted), time)


@then('within {time:Duration} {origin:Place} finds "{name:Text}", but no {type} record of it')
def finds_no_record(world: World, time: float, origin: Place, name: str, type: str) -> None:
    """
    Then within 30 seconds the Pod "client" finds "web.home.svc.cluster.local.", but no AAAA record of it
    """
    world.driver.eventually(lambda: _check_found(world, origin, name, type, "NOERROR", []), time)


def _check_found(world: World, origin: Place, name: str, type: str, outcome: str, wanted: list[str]) -> None:
    came, values = world.driver.resolve(_real(world, origin), _real_name(world, _fill(world, name)), type)
    values = [_plain_name(world, value) for value in values]
    require(came == outcome, lambda: f"{name} is answered with {came}: {', '.join(values)}")
    cells = [_fill(world, cell) for cell in wanted]
    left = list(values)
    for cell in cells:
        match = next((value for value in left if not _differs(value, cell)), None)
        require(match is not None, lambda c=cell: f"{name} is found at {sorted(values)}, not at {c}")  # type: ignore[misc]
        left.remove(str(match))
    require(not left, lambda: f"{name} is found at {sorted(left)}, too")


# Tables


@given("the {table:NetTable} of {place:Place} have come to include:")
def tables_have_come_to_include(world: World, table: str, place: Place, datatable: Table) -> None:
    """
    Given the routes of the node "n1" have come to include:
      | destination    |
      | (subnet of n2) |
    """
    tables_include(world, REACHED_WITHIN, table, place, datatable)


@then("within {time:Duration} the {table:NetTable} of {place:Place} include:")
def tables_include(world: World, time: float, table: str, place: Place, datatable: Table) -> None:
    """
    Then within 30 seconds the routes of the node "n1" include:
      | destination    | gateway         | device    |
      | (subnet of n2) | (network of n2) | flannel.1 |
    """
    world.driver.eventually(lambda: _check_table(world, table, place, datatable), time)


@then("within {time:Duration} the {table:NetTable} of {place:Place} include none of:")
def tables_include_none(world: World, time: float, table: str, place: Place, datatable: Table) -> None:
    """
    Then within 30 seconds the virtual servers of the node "n1" include none of:
      | address | port |
      | "first" | 80   |                                    (what a step called "first")
    """
    world.driver.eventually(lambda: _check_table(world, table, place, datatable, absent=True), time)


@then("within {time:Duration} the {table:NetTable} of {place:Place} where {column} is {value} are only:")
def tables_only(world: World, time: float, table: str, place: Place, column: str, value: str, datatable: Table) -> None:
    """
    Then within 30 seconds the real servers of the node "n1" where address is (Service web) are only:
      | server  | weight |
      | (Pod a) | 1      |
    """
    where = {column: value}
    world.driver.eventually(lambda: _check_table(world, table, place, datatable, where=where), time)


@when('somebody removes from the {table:NetTable} of the node "{node:Text}":')
def remove_rows(world: World, table: str, node: str, datatable: Table) -> None:
    """
    When somebody removes from the routes of the node "n1":
      | destination    |
      | (subnet of n2) |
    """
    for row in rows(datatable):
        world.driver.remove_rule(world.names.cluster(node), table, _filled(world, row))


@given('{component}\'s {setting} is "{value:Text}"')
def setting_is(world: World, component: str, setting: str, value: str) -> None:
    """
    Given flannel's backend is "udp"                        (or kube-proxy's scheduler)
    """
    world.driver.choose(f"{component}-{setting}", value)


@given('{component} of the node "{node:Text}" has stopped')
@when('{component} of the node "{node:Text}" stops')
def component_has_stopped(world: World, component: str, node: str) -> None:
    """
    Given kube-proxy of the node "n1" has stopped           (or flanneld; what it made is left)
    When kube-proxy of the node "n1" stops
    """
    world.driver.stop_component(world.names.cluster(node), component)


@when('{component} of the node "{node:Text}" starts again')
def component_starts(world: World, component: str, node: str) -> None:
    """
    When kube-proxy of the node "n1" starts again           (knowing nothing)
    """
    world.driver.start_component(world.names.cluster(node), component)


def _check_table(
    world: World, table: str, place: Place, wanted: Table, absent: bool = False, where: dict[str, str] | None = None
) -> None:
    found = world.driver.tables(_real(world, place))[table]
    if where is not None:
        chosen = _filled(world, where)
        found = [row for row in found if _row_matches(row, chosen)]
    cells = [_filled(world, row) for row in rows(wanted)]
    for row in cells:
        there = [one for one in found if _row_matches(one, row)]
        shown = show([{key: one.get(key, "") for key in row} for one in found])
        if absent:
            require(not there, lambda r=row: f"the {table} of {place} include {show(r)}")  # type: ignore[misc]
        else:
            require(there, lambda r=row, s=shown: f"the {table} of {place} include no {show(r)}: {s}")  # type: ignore[misc]
    if where is not None:
        others = [one for one in found if not any(_row_matches(one, row) for row in cells)]
        require(not others, lambda: f"the {table} of {place} include {show(others)}, too")


def _row_matches(row: dict[str, str], cells: dict[str, str]) -> bool:
    unknown = [column for column in cells if column not in row]
    if unknown:
        raise Misused(f"no column {unknown[0]!r}; columns: {', '.join(row)}")
    return all(not _differs(row[column], cell) for column, cell in cells.items())


def _differs(value: str, cell: str) -> str:
    """A cell is the text itself, or a /regular expression/."""
    if len(cell) > 1 and cell.startswith("/") and cell.endswith("/"):
        return mismatch(value, cell)
    return "" if value == cell else f"is {value!r}, not {cell!r}"


# What a scenario calls a place, as addresses


def _filled(world: World, row: dict[str, str]) -> dict[str, str]:
    return {column: _fill(world, cell) for column, cell in row.items()}


def _fill(world: World, text: str) -> str:
    """(Pod a), (Service web), (node n1), (node port of web), (reverse of web), (subnet of n1), its first two addresses
    (network of n1) and (gateway of n1) by what they are, "first" by what a step called so."""
    if text.startswith('"') and text.endswith('"') and text.strip('"') in world.versions:
        return world.version(text.strip('"'))
    return _PLACEHOLDER.sub(lambda match: _value_of(world, match[1], match[2]), text)


def _value_of(world: World, kind: str, name: str) -> str:
    if kind in ("subnet of", "network of", "gateway of"):
        subnet = ip_network(_field(world, ObjectRef("Node", name), "spec.podCIDR"))
        return str(subnet) if kind == "subnet of" else str(subnet[0 if kind == "network of" else 1])
    if kind == "node port of":
        return str(_at(world, Target("node port", name, ""))[1])
    if kind == "reverse of":
        return ip_address(_at(world, Target("Service", name, ""))[0]).reverse_pointer
    return _at(world, Target(kind, name, ""))[0]


def _at(world: World, target: Target) -> tuple[str, int]:
    """The address, or the name, and the port of a target."""
    port = int(world.version(target.port.strip('"')) or 0)
    if target.kind == "outside":
        return world.driver.outside_address(Place("outside")), port
    if target.kind == "at":
        return world.versions.get(target.name) or _real_name(world, target.name), port
    if target.kind == "node":
        return _node_address(world, target.name), port
    if target.kind == "Pod":
        return _field(world, ObjectRef("Pod", target.name, target.namespace), "status.podIP"), port
    service = ObjectRef("Service", target.name, target.namespace)
    if target.kind == "load balancer":
        return _field(world, service, "status.loadBalancer.ingress[0].ip"), port
    if target.kind == "node port":
        return _node_address(world, target.on) if target.on else "", int(
            _field(world, service, "spec.ports[0].nodePort")
        )
    return _field(world, service, "spec.clusterIP"), port


def _node_address(world: World, name: str) -> str:
    return _field(world, ObjectRef("Node", name), "status.addresses[type=InternalIP].address")


def _field(world: World, ref: ObjectRef, path: str) -> str:
    found = get(world.read(ref), path)
    require(found is not ABSENT and found not in ("", "None"), f"{ref} has no {path}")
    return str(found)


def _addresses_of(world: World, place: Place) -> Callable[[str], bool]:
    """Whether an address is the place's own: of a node, any of those that its packets may leave with."""
    if place.kind == "outside":
        return lambda address: address == world.driver.outside_address(place)
    if place.kind == "Pod":
        own = _at(world, Target("Pod", place.name, "", namespace=place.namespace))[0]
        return lambda address: address == own
    node = world.read(ObjectRef("Node", place.name))
    addresses = {one["address"] for one in get(node, "status.addresses") or ()}
    subnet = get(node, "spec.podCIDR")
    pods = {get(pod, "status.podIP") for pod in world.listing(Collection("Pod", "*"))["items"]} - addresses

    def is_own(address: str) -> bool:
        inside = subnet is not ABSENT and ip_address(address) in ip_network(subnet)
        return address in addresses or (inside and address not in pods)

    return is_own


def _real(world: World, place: Place) -> Place:
    if place.kind == "Pod":
        return place._replace(namespace=world.names.namespace(place.namespace))
    return place._replace(name=world.names.cluster(place.name)) if place.kind == "node" else place


def _real_name(world: World, name: str) -> str:
    """A host's name with the scenario's namespaces in it."""
    real = {"home": world.names.home, **world.names.given}
    return ".".join(real.get(label, label) for label in name.split("."))


def _plain_name(world: World, value: str) -> str:
    plain = {real: name for name, real in {**world.names.given, "home": world.names.home}.items()}
    return " ".join(".".join(plain.get(label, label) for label in word.split(".")) for word in value.split(" "))
