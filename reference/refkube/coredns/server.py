"""Answers DNS by datagram and by stream, and says whether it is alive (/health at 8080) and ready (/ready at 8181).

`main` is the program of the image coredns: it runs in a Pod's container like any other, and is reached by the Service
kube-dns. Source: coredns plugin/backend_lookup.go, RFC 1035 and 2308. Where it knows no servers for them, names outside
of the cluster get SERVFAIL.
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

from refkube.coredns.forward import Forwarder, Kept, World
from refkube.coredns.records import VERSION, NoSuchName, Record, Records
from refkube.engine.loop import Loop
from refkube.hostnet import Namespace, Stream
from refkube.hostnet.http import Answer, Asked, serve
from refkube.hostnet.resolver import config_of

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
    files: Any
    handlers: dict[int, Callable[[], object]]
    closing: list[Callable[[], object]]

    def say(self, text: str) -> None: ...

    def exit(self, code: int) -> None: ...


def main(new_records: Callable[[], Records]) -> Callable[[Any], Generator[Any, Any, int | None]]:
    """The program; each container has records of its own."""

    def run(process: Process) -> Generator[Any, Any, int | None]:
        servers = config_of(process.files.read("/etc/resolv.conf").decode()).nameservers
        forwarder = Forwarder(process.loop, process.net, servers) if servers else None
        server = Server(process.loop, process.net, new_records(), forwarder)
        process.closing.append(server.stop)
        process.handlers[SIGTERM] = lambda: process.loop.call_later(LAME_DUCK, process.exit, 0)
        server.start()
        process.say(".:53")
        process.say("CoreDNS-1.14.0")
        yield lambda resume: None
        return 0

    return run


class Server:
    def __init__(self, loop: Loop, net: Namespace, records: Records | World, forwarder: Forwarder | None = None):
        self._loop = loop
        self._forwarder = forwarder
        self._net = net
        self._records = records
        self._zone = dns.name.from_text(records.zone)
        self._closing: list[Callable[[], object]] = []

    def start(self) -> None:
        """Raises AddressInUse where a port is taken."""
        self._records.start()
        socket = self._net.bind(("0.0.0.0", PORT), lambda data, sender: self._datagram(data, sender))
        self._socket = socket
        stream = self._net.listen(("0.0.0.0", PORT), self._accepted)
        health = serve(self._net, ("0.0.0.0", HEALTH_PORT), lambda asked: _say(asked, "/health", True))
        ready = serve(self._net, ("0.0.0.0", READY_PORT), lambda asked: _say(asked, "/ready", self._records.ready))
        self._closing = [one.close for one in (socket, stream, health, ready)]

    def stop(self) -> None:
        self._records.stop()
        for close in self._closing:
            close()
        self._closing.clear()

    # On the wire

    def _datagram(self, data: bytes, sender: tuple[str, int]) -> None:
        self.answer(data, lambda query, answer: self._socket.send(_fitted(query, answer), sender))

    def _accepted(self, stream: Stream) -> None:
        held = bytearray()

        def told(query: dns.message.Message, answer: dns.message.Message) -> None:
            wire = answer.to_wire()
            stream.send(len(wire).to_bytes(2, "big") + wire)

        def received(data: bytes) -> None:
            held.extend(data)
            while len(held) >= 2 and len(held) >= (whole := 2 + int.from_bytes(held[:2], "big")):
                wire = bytes(held[2:whole])
                del held[:whole]
                if not self.answer(wire, told):
                    stream.abort()
                    return

        def closed(why: str) -> None:
            if not why:
                stream.close()

        stream.received, stream.closed = received, closed

    def answer(self, data: bytes, tell: Callable[[dns.message.Message, dns.message.Message], object]) -> bool:
        """Tell the query and what is said to it; False for what is no query."""
        try:
            query = dns.message.from_wire(data)
        except dns.exception.DNSException:
            return False
        if query.flags & dns.flags.QR:
            return False
        answer = dns.message.make_response(query, recursion_available=True)
        if query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
            answer.set_rcode(dns.rcode.NOTIMP)
            tell(query, answer)
            return True
        name, type = query.question[0].name, query.question[0].rdtype
        elsewhere = self._fill(answer, name, type)

        def came(kept: Kept) -> None:
            if elsewhere == name:
                answer.flags &= ~dns.flags.AA
                answer.set_rcode(dns.rcode.from_text(kept.code))
                answer.authority.clear()
            answer.answer.extend(kept.rrsets(self._loop.now()))
            tell(query, answer)

        if elsewhere is not None and self._forwarder is not None:
            self._forwarder.ask(elsewhere, type, came)
        else:
            tell(query, answer)
        return True

    # What is in it

    def _fill(self, answer: dns.message.Message, name: dns.name.Name, type: RdataType) -> dns.name.Name | None:
        """The name that others may know more of, if any: this one, or what it is an alias of."""
        if not self._records.ready or not (name.is_subdomain(self._zone) or name.is_subdomain(_REVERSE)):
            answer.set_rcode(dns.rcode.SERVFAIL)
            return name if self._records.ready else None
        answer.flags |= dns.flags.AA
        elsewhere = None
        try:
            if name.is_subdomain(_REVERSE):
                self._add(answer, name, RdataType.PTR, self._records.reverse(_address_of(name)), type)
            else:
                elsewhere = self._fill_from_zone(answer, name, type)
        except NoSuchName:
            answer.set_rcode(dns.rcode.NXDOMAIN)
            elsewhere = name if name.is_subdomain(_REVERSE) else None
        if not answer.answer:
            answer.authority.append(self._authority())
        return elsewhere

    def _fill_from_zone(
        self, answer: dns.message.Message, name: dns.name.Name, type: RdataType
    ) -> dns.name.Name | None:
        """The name outside that it leads to, if any."""
        labels = [label.decode().lower() for label in name.relativize(self._zone).labels]
        if labels == ["dns-version"]:
            self._add(answer, name, RdataType.TXT, [f'"{VERSION}"'], type)
            return None
        if labels == ["ns", "dns"] or (not labels and type == RdataType.SOA):
            if type == RdataType.SOA:
                answer.answer.append(self._authority())
            return None
        found = self._records.lookup(labels)
        alias = next((one.alias for one in found if one.alias), "")
        if alias:
            self._add(answer, name, RdataType.CNAME, [alias])
            return self._follow(answer, dns.name.from_text(alias), type)
        if type == RdataType.SRV:
            self._add_services(answer, name, found)
        else:
            self._add(answer, name, RdataType.A, self._mixed([one.address for one in found]), type)
        return None

    def _follow(self, answer: dns.message.Message, name: dns.name.Name, type: RdataType) -> dns.name.Name | None:
        """An alias is answered with what it stands for."""
        if type == RdataType.CNAME or len(answer.answer) > MOST_ALIASES:
            return None
        if not name.is_subdomain(self._zone):
            return name
        try:
            return self._fill_from_zone(answer, name, type)
        except NoSuchName:
            return None  # the alias is there all the same

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
        names = [dns.name.from_text(name, self._zone) for name in ("ns.dns", "hostmaster")]
        about = f"{names[0]} {names[1]} {self._records.serial} 7200 1800 86400 {TTL}"
        return dns.rrset.from_text(self._zone, TTL, _IN, RdataType.SOA, about)


def _fitted(query: dns.message.Message, answer: dns.message.Message) -> bytes:
    """As one datagram, cut short if it is too long for who asks."""
    room = max(512, query.payload) if query.edns >= 0 else 512
    try:
        return answer.to_wire(max_size=room)
    except dns.exception.TooBig:
        short = dns.message.make_response(query)
        short.flags |= dns.flags.TC | dns.flags.AA
        return short.to_wire()


def _address_of(name: dns.name.Name) -> str:
    try:
        address = dns.reversename.to_address(name)
    except (dns.exception.DNSException, ValueError):
        raise NoSuchName from None
    if address.count(".") != 3:
        raise NoSuchName
    return address


def _say(asked: Asked, path: str, holds: bool) -> None:
    asked.answer(Answer(404) if asked.path != path else Answer(200, b"OK") if holds else Answer(503))
