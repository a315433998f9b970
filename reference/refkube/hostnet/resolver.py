"""A program's resolver: names to addresses by /etc/resolv.conf, as the C library's does it.

Used by containers' programs, and by whoever asks on their behalf. A name with fewer dots than `ndots` is tried with
each search domain first; a server that does not answer is followed by the next one. Source: resolv.conf(5), glibc's
res_search. Left out: /etc/hosts, which is the program's to read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

from refkube.engine.loop import Loop, Timer
from refkube.hostnet import Closable, Datagrams, Endpoint, Namespace, NetError, Stream

PORT = 53


@dataclass(frozen=True)
class Config:
    nameservers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    ndots: int = 1
    timeout: float = 5.0
    attempts: int = 2


def config_of(text: str) -> Config:
    """What a resolv.conf says."""
    servers: list[str] = []
    search: tuple[str, ...] = ()
    options: dict[str, str] = {}
    for line in text.splitlines():
        word, *rest = line.split() or [""]
        if word == "nameserver" and rest:
            servers.append(rest[0])
        elif word == "search":
            search = tuple(rest)
        elif word == "options":
            options |= {name: value for name, _, value in (one.partition(":") for one in rest)}
    numbers = {
        name: int(options.get(name) or default) for name, default in (("ndots", 1), ("timeout", 5), ("attempts", 2))
    }
    return Config(tuple(servers), search, min(numbers["ndots"], 15), numbers["timeout"], numbers["attempts"])


def candidates(name: str, config: Config) -> list[str]:
    """The names to try, in order."""
    if name.endswith("."):
        return [name]
    searched = [f"{name}.{domain.strip('.')}." for domain in config.search]
    return [f"{name}.", *searched] if name.count(".") >= config.ndots else [*searched, f"{name}."]


@dataclass(frozen=True)
class Found:
    """`outcome` is a response code as DNS names it (NOERROR, NXDOMAIN, SERVFAIL), or "timed out"; `name` is the one
    that was found, `answers` are all records of the answer as text: "web.other. 5 IN A 10.96.0.7"."""

    outcome: str
    name: str = ""
    answers: tuple[str, ...] = ()
    values: tuple[str, ...] = ()  # of the type that was asked for


def search(
    net: Namespace, loop: Loop, config: Config, name: str, told: Callable[[Found], object], type: str = "A"
) -> Closable:
    """Try the candidates until one has records of the type."""
    return _Search(net, loop, config, candidates(name, config), type, told)


class _Search:
    def __init__(
        self, net: Namespace, loop: Loop, config: Config, names: list[str], type: str, told: Callable[[Found], object]
    ):
        self._net, self._loop, self._config, self._type = net, loop, config, type
        self._names = names
        self._told = told
        self._best: Found | None = None  # what is told if nothing is found: a name without such records, over none
        self._tries, self._failed = 0, "timed out"
        self._socket: Datagrams | None = None
        self._stream: Closable | None = None
        self._timer: Timer | None = None
        self._query = dns.message.make_query(names[0], type, id=1)
        self._next_name()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for one in (self._socket, self._stream):
            if one is not None:
                one.close()
        self._socket = self._stream = None

    def _next_name(self) -> None:
        self._tries, self._failed = 0, "timed out"
        if not self._names:
            self._end(self._best or Found("SERVFAIL"))
            return
        number = self._loop.random.getrandbits(16)
        self._query = dns.message.make_query(self._names.pop(0), self._type, id=number)
        self._ask()

    def _ask(self) -> None:
        """The servers one after the other, all of them so many times."""
        self.close()
        servers = self._config.nameservers or ("127.0.0.1",)
        if self._tries >= len(servers) * self._config.attempts:
            self._end(Found(self._failed))
            return
        server = servers[self._tries % len(servers)]
        self._tries += 1
        self._timer = self._loop.call_later(self._config.timeout, self._ask)
        try:
            self._socket = self._net.bind(("0.0.0.0", 0), lambda data, sender: self._received(data, server))
            self._socket.send(self._query.to_wire(), (server, PORT))
        except NetError:
            pass  # no way there: the next one, when it is time

    def _received(self, data: bytes, server: str) -> None:
        try:
            answer = dns.message.from_wire(data)
        except dns.exception.DNSException:
            return
        if answer.id != self._query.id or answer.question != self._query.question:
            return
        if answer.flags & dns.flags.TC and self._stream is None:
            self._ask_by_stream((server, PORT))
            return
        self.close()
        self._take(answer)

    def _ask_by_stream(self, server: Endpoint) -> None:
        def opened(stream: Stream) -> None:
            held = bytearray()

            def received(data: bytes) -> None:
                held.extend(data)
                length = int.from_bytes(held[:2], "big")
                if len(held) >= 2 + length:
                    stream.close()
                    self._received(bytes(held[2 : 2 + length]), server[0])

            stream.received, stream.closed = received, lambda why: None
            wire = self._query.to_wire()
            stream.send(len(wire).to_bytes(2, "big") + wire)

        self._stream = self._net.connect(server, opened, lambda why: self._ask())

    def _take(self, answer: dns.message.Message) -> None:
        code = dns.rcode.to_text(answer.rcode())
        if code == "SERVFAIL":
            self._failed = code
            self._ask()
            return
        records = [
            (rrset.rdtype, f"{rrset.name} {rrset.ttl} IN {dns.rdatatype.to_text(rrset.rdtype)} {one}", str(one))
            for rrset in answer.answer
            for one in rrset
        ]
        wanted = dns.rdatatype.from_text(self._type)
        found = Found(
            code,
            str(answer.question[0].name),
            tuple(text for _, text, _ in records),
            tuple(value for rdtype, _, value in records if rdtype == wanted),
        )
        if found.values:
            self._end(found)
            return
        if self._best is None or (self._best.outcome == "NXDOMAIN" and code == "NOERROR"):
            self._best = found
        self._next_name()

    def _end(self, found: Found) -> None:
        self.close()
        self._told(found)
