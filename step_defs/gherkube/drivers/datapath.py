"""The data path of the reference: connections from its Pods, nodes and machines outside; tables; journeys.

Called by the reference driver. It uses `hostnet` alone, so what it does a real kernel could be asked, too. Whoever
connects runs the loop until the connection has come to its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_address
from itertools import count
from urllib.parse import urlencode

from refkube.cluster import Cluster
from refkube.hostnet import Address, Link, Namespace
from refkube.hostnet.http import Answer, Client, get
from refkube.hostnet.resolver import Config, Found, config_of, search
from refkube.outside import FIRST, Outside
from refkube.volumes.files import File

from gherkube.drivers.base import Connection, Crossing, Journey
from gherkube.drivers.packets import Seen, seen
from gherkube.phrases import Place
from gherkube.values import Misused

Table = list[dict[str, str]]

CONNECT, ANSWER = 4.0, 5.0  # seconds after which nobody will come any more


class DataPath:
    def __init__(self, cluster: Cluster):
        self._cluster = cluster
        self._loop = cluster.loop
        self.note: Callable[[Place, str, int, Journey], None] | None = None  # is told of every way
        self._held: list[_Exchange] = []
        self._outside = Outside(cluster)

    # Places

    def namespace(self, place: Place) -> Namespace:
        if place.kind == "node":
            return self._node(place.name)
        if place.kind == "outside":
            net = self._outside.machine(place.name or FIRST).sandbox.net
            assert net is not None
            return net
        for name, namespace, net, _ in self._pods():
            if (name, namespace) == (place.name, place.namespace):
                return net
        raise AssertionError(f"{place} has no place in the network")

    def outside_address(self, place: Place) -> str:
        return self._outside.machine(place.name or FIRST).sandbox.address

    def _node(self, name: str) -> Namespace:
        if name not in self._cluster.networks:
            raise Misused(f'there is no node "{name}" with a network')
        return self._cluster.networks[name].host.namespace

    def _pods(self) -> Iterator[tuple[str, str, Namespace, str]]:
        """Name, namespace, network namespace and resolv.conf of every Pod that has a network."""
        for sandbox in self._cluster.sandboxes():
            if sandbox.net is not None:
                named = {path: file for path, file, _ in sandbox.files if isinstance(file, File)}
                text = named["/etc/resolv.conf"].data.decode() if "/etc/resolv.conf" in named else ""
                yield sandbox.name, sandbox.namespace, sandbox.net, text

    # Connections

    def connect(
        self, origin: Place, address: str, port: int, protocol: str, times: int, hold: bool, size: int
    ) -> list[Connection]:
        attempts = self._attempts(origin, address, port, protocol, times, hold, size)
        if self.note is None or protocol != "TCP":
            return [connection for connection, _, _ in attempts]
        made = self._followed(origin, attempts, port)
        for one in made:
            self.note(origin, address, port, one)
        return [one.connection for one in made]

    def _attempts(
        self, origin: Place, address: str, port: int, protocol: str, times: int, hold: bool, size: int
    ) -> Iterator[tuple[Connection, str | None, float]]:
        """Each connection, the address it went to, and when it began."""
        net = self.namespace(origin)
        for _ in range(times):
            at, began = self._address(origin, address), self._loop.now()
            if at is None:
                yield Connection("unresolved"), at, began
                continue
            if origin.kind == "outside":
                self._outside.lead()
            exchange = _Datagrams(net, at, port, size) if protocol == "UDP" else _Exchange(net, at, port, size)
            self._loop.run_until(lambda e=exchange: e.done, CONNECT + ANSWER)  # type: ignore[misc]
            if hold and isinstance(exchange, _Exchange) and exchange.result.outcome == "answered":
                self._held.append(exchange)
            else:
                exchange.close()
            yield exchange.result, at, began

    def held(self) -> list[Connection]:
        for exchange in self._held:
            exchange.again()
        self._loop.run_until(lambda: all(exchange.done for exchange in self._held), ANSWER)
        return [exchange.result for exchange in self._held]

    def release(self) -> None:
        for exchange in self._held:
            exchange.close()
        self._held.clear()
        self._loop.run_for(1.0)

    def fetch(self, origin: Place, address: str, port: int, path: str) -> tuple[int, str]:
        told: list[tuple[int, str]] = []

        def answered(answer: Answer) -> None:
            told.append((answer.code, answer.body.decode(errors="replace")))

        get(self.namespace(origin), (address, port), path, answered, lambda why: told.append((0, why)), CONNECT)
        self._loop.run_until(lambda: told, CONNECT + ANSWER)
        return told[0] if told else (0, "timed out")

    # Names

    def resolve(self, origin: Place, name: str, type: str) -> tuple[str, list[str]]:
        found = self._found(origin, name, type)
        return found.outcome, list(found.values)

    def _address(self, origin: Place, name: str) -> str | None:
        try:
            return str(ip_address(name))
        except ValueError:
            values = self._found(origin, name, "A").values
            return values[0] if values else None

    def _found(self, origin: Place, name: str, type: str) -> Found:
        net, config = self.namespace(origin), self._resolv_conf(origin)
        told: list[Found] = []
        search(net, self._loop, config, name, told.append, type)
        self._loop.run_until(lambda: told, 60.0)
        return told[0] if told else Found("timed out")

    def _resolv_conf(self, origin: Place) -> Config:
        own = origin.name, origin.namespace
        texts = [text for name, namespace, _, text in self._pods() if (name, namespace) == own]
        return config_of(texts[0] if texts and origin.kind == "Pod" else "")

    # Journeys

    def journey(self, origin: Place, address: str, port: int, protocol: str) -> Journey:
        if protocol != "TCP":
            raise Misused("only connections by TCP are followed")
        (made,) = self._followed(origin, self._attempts(origin, address, port, protocol, 1, False, 0), port)
        if self.note is not None:
            self.note(origin, address, port, made)
        return made

    def _followed(
        self, origin: Place, attempts: Iterator[tuple[Connection, str | None, float]], port: int
    ) -> list[Journey]:
        """Captures at every device of all machines and Pods, of which only these connections' packets are told."""
        number = count()
        captured: list[tuple[float, int, str, str, Seen]] = []
        captures = []

        def taker(host: str, link: Link) -> Callable[[float, bytes], None]:
            def take(when: float, data: bytes) -> None:
                if (packet := seen(data, link.kind == "tun")) is not None:
                    captured.append((when, next(number), host, link.name, packet))

            return take

        for host, net in self._everywhere():
            for link in net.links():
                if link.kind != "loopback":
                    captures.append(net.capture(link.name, taker(host, link)))
        made = list(attempts)
        for one in captures:
            one.close()
        captured.sort(key=lambda one: one[:2])
        return [
            Journey(connection, *_ways([one for one in captured if one[0] >= began], origin, at, port))
            for connection, at, began in made
        ]

    def _everywhere(self) -> Iterator[tuple[str, Namespace]]:
        for name, host in self._cluster.fabric.hosts.items():
            yield name, host.namespace
        hosts = {host.namespace for host in self._cluster.fabric.hosts.values()}
        for name, _, net, _ in self._pods():
            if net not in hosts:
                yield name, net

    # Tables

    def tables(self, place: Place) -> Mapping[str, Table]:
        net = self.namespace(place)
        return {name: [row for row, _ in rows(net)] for name, rows in _TABLES.items()}

    def remove(self, node: str, table: str, wanted: Mapping[str, str]) -> None:
        found = [delete for row, delete in _TABLES[table](self._node(node)) if wanted.items() <= row.items()]
        if not found:
            raise AssertionError(f"the {table} of {node} have no {dict(wanted)}")
        for delete in found:
            delete()


# Exchanges


class _Exchange:
    """One TCP connection: asks who answers and whom that sees, and tells what came of it."""

    def __init__(self, net: Namespace, address: str, port: int, size: int = 0):
        self.result = Connection("timed out")
        self.done = False
        self._client = Client(net, (address, port), CONNECT)
        self.close = self._client.close
        self._host = f"{address}:{port}"
        self._size = size
        self._ask("/hostname", self._named)

    def again(self) -> None:
        """Ask once more over the same connection."""
        if self.result.outcome != "answered":
            self.done = True
            return
        self.done, self.result = False, replace(self.result, outcome="timed out")
        self._ask("/hostname", self._named)

    def _ask(self, path: str, then: Callable[[Answer], object]) -> None:
        self._client.ask("GET", path, [("Host", self._host)], then, self._failed)

    def _named(self, answer: Answer) -> None:
        self.result = replace(self.result, answered_from=self._client.remote)
        if answer.code != 200:  # no netexec: it has answered all the same
            self._end("answered")
            return
        self.result = replace(self.result, pod=answer.body.decode())
        self._ask("/clientip", self._told_source)

    def _told_source(self, answer: Answer) -> None:
        self.result = replace(self.result, source=answer.body.decode().rpartition(":")[0])
        if not self._size:
            self._end("answered")
            return
        body = urlencode({"msg": "x" * self._size}).encode()
        headers = [("Host", self._host), ("Content-Type", "application/x-www-form-urlencoded")]
        headers.append(("Content-Length", str(len(body))))
        self._client.ask("POST", "/echo", headers, self._echoed, self._failed, body)

    def _echoed(self, answer: Answer) -> None:
        self._end("answered" if len(answer.body) == self._size else "garbled")

    def _failed(self, why: str) -> None:
        self._end({"EOF": "closed", "connection reset by peer": "reset"}.get(why, why))

    def _end(self, outcome: str) -> None:
        self.done, self.result = True, replace(self.result, outcome=outcome)


class _Datagrams:
    """One socket, which asks the same by datagrams, or to have one of a size back."""

    def __init__(self, net: Namespace, address: str, port: int, size: int = 0):
        self.result = Connection("timed out")
        self.done = False
        self._to, self._size = (address, port), size
        self._socket = net.bind(("0.0.0.0", 0), self._received, self._to, self._refused)
        self._socket.send(b"echo " + b"x" * size if size else b"hostname\n", self._to)

    def close(self) -> None:
        self._socket.close()

    def _refused(self) -> None:
        self.done, self.result = True, Connection("refused")

    def _received(self, data: bytes, sender: tuple[str, int]) -> None:
        text = data.decode(errors="replace").strip()
        if self._size:
            outcome = "answered" if len(text) == self._size else "garbled"
            self.done, self.result = True, Connection(outcome, answered_from=sender[0])
        elif not self.result.pod:
            self.result = replace(self.result, pod=text, answered_from=sender[0])
            self._socket.send(b"clientip\n", self._to)
        else:
            self.result = replace(self.result, outcome="answered", source=text.rpartition(":")[0])
            self.done = True


# Tables: rows, and how each is removed

Rows = Iterator[tuple[dict[str, str], Callable[[], object]]]


def _links(net: Namespace) -> Rows:
    for link in net.links():
        details = {name: _text(link.details.get(key, "")) for name, key in _DETAILS}
        row = {
            "device": link.name,
            "kind": link.kind,
            "mtu": str(link.mtu),
            "state": "up" if link.up else "down",
            "master": link.master,
            "peer": link.peer,
        }
        yield {**row, **details}, lambda name=link.name: net.delete_link(name)  # type: ignore[misc]


_DETAILS = (("id", "id"), ("port", "dstport"), ("local", "local"), ("learning", "learning"))


def _addresses(net: Namespace) -> Rows:
    for one in net.addresses():
        address, _, prefix = one.cidr.partition("/")
        row = {"device": one.device, "address": address, "prefix": prefix}
        yield row, lambda one=one: net.delete_address(Address(one.device, one.cidr))  # type: ignore[misc]


def _routes(net: Namespace) -> Rows:
    for one in net.routes():
        row = {
            "destination": one.destination,
            "device": one.device,
            "gateway": one.gateway,
            "onlink": _text(one.onlink),
        }
        yield row, lambda one=one: net.delete_route(one)  # type: ignore[misc]


def _neighbors(net: Namespace) -> Rows:
    for one in net.neighbors():
        row = {"address": one.address, "device": one.device, "mac": one.mac}
        yield row, lambda one=one: net.delete_neighbor(one)  # type: ignore[misc]


def _fdb(net: Namespace) -> Rows:
    for one in net.fdb():
        row = {"mac": one.mac, "device": one.device, "remote": one.remote}
        yield row, lambda one=one: net.delete_fdb(one)  # type: ignore[misc]


def _virtual_servers(net: Namespace) -> Rows:
    for one in net.virtual_servers():
        row = {"protocol": one.protocol, "address": one.address, "port": str(one.port)}
        more = {"scheduler": one.scheduler, "timeout": str(one.persistent)}
        yield {**row, **more}, lambda one=one: net.delete_virtual_server(one.key)  # type: ignore[misc]


def _real_servers(net: Namespace) -> Rows:
    for server in net.virtual_servers():
        row = {"protocol": server.protocol, "address": server.address, "port": str(server.port)}
        for one in server.servers:
            more = {"server": one.address, "server port": str(one.port), "weight": str(one.weight), "mode": one.forward}
            yield (
                {**row, **more},
                lambda key=server.key, one=one: net.delete_real_server(key, one.address, one.port),  # type: ignore[misc]
            )


def _rules(net: Namespace) -> Rows:
    for table in ("nat", "filter"):
        for line in net.iptables_save(table).splitlines():
            if line.startswith("-A "):
                chain, _, rule = line.removeprefix("-A ").partition(" ")
                words = rule.split()
                target = words[words.index("-j") + 1] if "-j" in words else ""
                row = {"table": table, "chain": chain, "target": target, "rule": rule}
                yield row, lambda t=table, c=chain, r=rule: net.iptables(f"-t {t} -D {c} {r}")  # type: ignore[misc]


_TABLES: dict[str, Callable[[Namespace], Rows]] = {
    "links": _links,
    "addresses": _addresses,
    "routes": _routes,
    "neighbors": _neighbors,
    "fdb": _fdb,
    "virtual servers": _virtual_servers,
    "real servers": _real_servers,
    "rules": _rules,
}


def _text(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _ways(
    captured: list[tuple[float, int, str, str, Seen]], origin: Place, address: str | None, port: int
) -> tuple[tuple[Crossing, ...], tuple[Crossing, ...]]:
    """The ways of the packet that opened a connection, the first that went to this address, and of its answer.

    What a node sends to a virtual address has its server's by the time it comes to a device: so the node's first.
    """
    opened = [one for one in captured if one[4].opens]
    asked = (one[4] for one in opened if (one[4].destination, one[4].port) == (address, port))
    sent = (one[4] for one in opened if origin.kind == "node" and one[2] == origin.name)
    first = next(asked, None) or next(sent, None)
    if first is None:
        return (), ()
    there = [one for one in captured if one[4].opens and one[4].sequence == first.sequence]
    back = [one for one in captured if one[4].answers and one[4].acknowledged == first.sequence + 1]
    return _crossings(there), _crossings(back)


def _crossings(captured: list[tuple[float, int, str, str, Seen]]) -> tuple[Crossing, ...]:
    return tuple(
        Crossing(host, device, packet.source, packet.destination, packet.outer)
        for _, _, host, device, packet in captured
    )
