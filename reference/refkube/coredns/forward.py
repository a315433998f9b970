"""Names outside of the cluster: asked of the name servers in /etc/resolv.conf, and kept for 30 seconds at most.

Called by `server`. `World` is what such a server knows here. Source: coredns' plugins forward and cache, as kubeadm
configures them. Left out: how a server that fails is left alone for a while, prefetching.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from dns.rdatatype import RdataType

from refkube.coredns.records import NoSuchName, Record
from refkube.engine.loop import Loop
from refkube.hostnet import Namespace
from refkube.hostnet.resolver import Config, Found, search

READ_TIMEOUT, TRIES = 2.0, 2
MOST = 9984  # answers that are kept
_TTLS = {"NOERROR": 30.0, "NXDOMAIN": 30.0, "SERVFAIL": 5.0}  # seconds for which an answer is kept at most


class Kept(NamedTuple):
    """A response code, the records of an answer as text without their time to live, and when it is old."""

    code: str
    records: tuple[tuple[str, str, str], ...]  # name, type, value
    until: float

    def rrsets(self, now: float) -> list[dns.rrset.RRset]:
        ttl, named = max(round(self.until - now), 0), dict[tuple[str, str], list[str]]()
        for name, type, value in self.records:
            named.setdefault((name, type), []).append(value)
        return [dns.rrset.from_text(name, ttl, "IN", type, *values) for (name, type), values in named.items()]


class Forwarder:
    def __init__(self, loop: Loop, net: Namespace, servers: tuple[str, ...]):
        self._loop, self._net = loop, net
        self._config = Config(servers, (), 1, READ_TIMEOUT, TRIES)
        self._kept: dict[tuple[str, str], Kept] = {}

    def ask(self, name: dns.name.Name, type: RdataType, tell: Callable[[Kept], object]) -> None:
        key = name.to_text().lower(), dns.rdatatype.to_text(type)
        kept = self._kept.get(key)
        if kept is not None and self._loop.now() < kept.until:
            tell(kept)
        else:
            search(self._net, self._loop, self._config, key[0], partial(self._came, key, tell), key[1])

    def _came(self, key: tuple[str, str], tell: Callable[[Kept], object], found: Found) -> None:
        code = found.outcome if found.outcome in _TTLS else "SERVFAIL"
        rows = [one.split(" ", 4) for one in found.answers]
        ttl = min([_TTLS[code], *(float(row[1]) for row in rows)])
        told = Kept(code, tuple((row[0], row[3], row[4]) for row in rows), self._loop.now() + ttl)
        self._kept.pop(key, None)
        self._kept[key] = told
        if len(self._kept) > MOST:
            del self._kept[next(iter(self._kept))]
        tell(told)


class World:
    """Records, to be served as a cluster's are, of the world around it: a name and an address each."""

    zone, ready, serial = "", True, 1

    def __init__(self, names: dict[str, str]):
        self._names = names

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def lookup(self, labels: list[str]) -> list[Record]:
        name = ".".join(labels)
        if name not in self._names:
            raise NoSuchName
        return [Record(name, self._names[name])]

    def reverse(self, address: str) -> list[str]:
        raise NoSuchName
