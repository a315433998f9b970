"""Answers DNS by datagram and by stream, and says whether it is alive (/health at 8080) and ready (/ready at 8181).

`main` is the program of the image coredns: it runs in a Pod's container like any other, and is reached by the Service
kube-dns. Source: coredns plugin/backend_lookup.go, RFC 1035 and 2308. Left out: the cache, forwarding: names outside of
the cluster get SERVFAIL, as if nobody upstream answered.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Protocol

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.reversename
import dns.rrset
from dns.rdatatype import RdataType

from refkube.coredns.records import VERSION, NoSuchName, Record, Records
from refkube.engine.loop import Loop
from refkube.hostnet import Namespace, Stream
from refkube.hostnet.http import Answer, Request, serve

PORT, HEALTH_PORT, READY_PORT = 53, 8080, 8181
TTL = 30
SIGTERM = 15
LAME_DUCK = 5.0  # seconds for which it answers on after it was told to end
MOST_ALIASES = 8
_IN = dns.rdataclass.IN
_REVERSE = dns.name.from_text("in-addr.arpa.")


class Process(Protocol):
    """What a container's program gets, as far as this one uses it."""

    net: Namespace
    loop: Loop
    handlers: dict[int, Callable[[], object]]
    closing: list[Callable[[], object]]

    def say(self, text: str) -> None: ...

    def exit(self, code: int) -> None: ...


def main(new_records: Callable[[], Records]) -> Callable[[Any], Generator[Any, Any, int | None]]:
    """The program; each container has records of its own."""

    def run(process: Process) -> Generator[Any, Any, int | None]:
        server = Server(process.loop, process.net, new_records())
        process.closing.append(server.stop)
        process.handlers[SIGTERM] = lambda: process.loop.call_later(LAME_DUCK, process.exit, 0)
        server.start()
        process.say(".:53")
        process.say("CoreDNS-1.14.0")
        yield lambda resume: None
        return 0

    return run


class Server:
    def __init__(self, loop: Loop, net: Namespace, records: Records):
        self._loop = loop
        self._net = net
        self._records = records
        self._zone = dns.name.from_text(f"{records.zone}.")
        self._closing: list[Callable[[], object]] = []

    def start(self) -> None:
        """Raises AddressInUse where a port is taken."""
        self._records.start()
        socket = self._net.bind(("0.0.0.0", PORT), lambda data, sender: self._datagram(data, sender))
        self._socket = socket
        stream = self._net.listen(("0.0.0.0", PORT), self._accepted)
        health = serve(self._net, ("0.0.0.0", HEALTH_PORT), lambda request: _says(request, "/health", True))
        ready = serve(self._net, ("0.0.0.0", READY_PORT), lambda request: _says(request, "/ready", self._records.ready))
        self._closing = [one.close for one in (socket, stream, health, ready)]

    def stop(self) -> None:
        self._records.stop()
        for close in self._closing:
            close()
        self._closing.clear()

    # On the wire

    def _datagram(self, data: bytes, sender: tuple[str, int]) -> None:
        answered = self.answer(data)
        if answered is None:
            return
        query, answer = answered
        room = max(512, query.payload) if query.edns >= 0 else 512
        try:
            wire = answer.to_wire(max_size=room)
        except dns.exception.TooBig:
            short = dns.message.make_response(query)
            short.flags |= dns.flags.TC | dns.flags.AA
            wire = short.to_wire()
        self._socket.send(wire, sender)

    def _accepted(self, stream: Stream) -> None:
        held = bytearray()

        def received(data: bytes) -> None:
            held.extend(data)
            while len(held) >= 2 and len(held) >= (whole := 2 + int.from_bytes(held[:2], "big")):
                answered = self.answer(bytes(held[2:whole]))
                del held[:whole]
                if answered is None:
                    stream.abort()
                    return
                wire = answered[1].to_wire()
                stream.send(len(wire).to_bytes(2, "big") + wire)

        def closed(why: str) -> None:
            if not why:
                stream.close()

        stream.received, stream.closed = received, closed

    def answer(self, data: bytes) -> tuple[dns.message.Message, dns.message.Message] | None:
        """The query and what is said to it; None to what is no query."""
        try:
            query = dns.message.from_wire(data)
        except dns.exception.DNSException:
            return None
        if query.flags & dns.flags.QR:
            return None
        answer = dns.message.make_response(query, recursion_available=True)
        if query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
            answer.set_rcode(dns.rcode.NOTIMP)
            return query, answer
        self._fill(answer, query.question[0].name, query.question[0].rdtype)
        return query, answer

    # What is in it

    def _fill(self, answer: dns.message.Message, name: dns.name.Name, type: RdataType) -> None:
        if not self._records.ready or not (name.is_subdomain(self._zone) or name.is_subdomain(_REVERSE)):
            answer.set_rcode(dns.rcode.SERVFAIL)
            return
        answer.flags |= dns.flags.AA
        try:
            if name.is_subdomain(_REVERSE):
                self._add(answer, name, RdataType.PTR, self._records.reverse(_address_of(name)), type)
            else:
                self._fill_from_zone(answer, name, type)
        except NoSuchName:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        if not answer.answer:
            answer.authority.append(self._authority())

    def _fill_from_zone(self, answer: dns.message.Message, name: dns.name.Name, type: RdataType) -> None:
        labels = [label.decode().lower() for label in name.relativize(self._zone).labels]
        if labels == ["dns-version"]:
            self._add(answer, name, RdataType.TXT, [f'"{VERSION}"'], type)
            return
        if labels == ["ns", "dns"] or (not labels and type == RdataType.SOA):
            if type == RdataType.SOA:
                answer.answer.append(self._authority())
            return
        found = self._records.lookup(labels)
        alias = next((one.alias for one in found if one.alias), "")
        if alias:
            self._add(answer, name, RdataType.CNAME, [alias])
            self._follow(answer, dns.name.from_text(alias), type)
        elif type == RdataType.SRV:
            self._add_services(answer, name, found)
        else:
            self._add(answer, name, RdataType.A, self._mixed([one.address for one in found]), type)

    def _follow(self, answer: dns.message.Message, name: dns.name.Name, type: RdataType) -> None:
        """An alias to a name of the cluster is answered with what that stands for."""
        if type == RdataType.CNAME or not name.is_subdomain(self._zone) or len(answer.answer) > MOST_ALIASES:
            return
        try:
            self._fill_from_zone(answer, name, type)
        except NoSuchName:
            pass  # the alias is there all the same

    def _add_services(self, answer: dns.message.Message, name: dns.name.Name, found: list[Record]) -> None:
        """Each port of each address once; the weights come to a hundred."""
        named = {(one.name, one.port): one.address for one in found if one.port}
        weight = 100 // max(len(named), 1)
        self._add(answer, name, RdataType.SRV, [f"0 {weight} {port} {target}" for target, port in named])
        for target, address in {target: address for (target, _), address in named.items()}.items():
            more = dns.rrset.from_text(target, TTL, "IN", "A", address)
            answer.additional.append(more)

    def _add(
        self,
        answer: dns.message.Message,
        name: dns.name.Name,
        type: RdataType,
        values: list[str],
        wanted: RdataType | None = None,
    ) -> None:
        if values and wanted in (None, type, RdataType.ANY):
            unique = list(dict.fromkeys(values))
            answer.answer.append(dns.rrset.from_text(name, TTL, _IN, type, *unique))

    def _mixed(self, addresses: list[str]) -> list[str]:
        """In another order each time (the plugin loadbalance)."""
        mixed = list(dict.fromkeys(address for address in addresses if address))
        self._loop.random.shuffle(mixed)
        return mixed

    def _authority(self) -> dns.rrset.RRset:
        about = f"ns.dns.{self._zone} hostmaster.{self._zone} {self._records.serial} 7200 1800 86400 {TTL}"
        return dns.rrset.from_text(self._zone, TTL, _IN, RdataType.SOA, about)


def _address_of(name: dns.name.Name) -> str:
    try:
        address = dns.reversename.to_address(name)
    except (dns.exception.DNSException, ValueError):
        raise NoSuchName from None
    if address.count(".") != 3:
        raise NoSuchName
    return address


def _says(request: Request, path: str, holds: bool) -> Answer:
    return Answer(404) if request.path != path else Answer(200, b"OK") if holds else Answer(503)
