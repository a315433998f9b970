"""The sets of a namespace, over netlink: what ipset(8) does, without a process for each change.

To be called in the namespace's own thread. Types are those that kube-proxy uses: hash:... of ip, port and net,
bitmap:port. Left out: IPv6, timeouts, counters, comments.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyroute2.ipset import IPSet, PortEntry
from pyroute2.netlink.exceptions import NetlinkError

from refkube.hostnet import NetError

_PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}


class IpSets:
    def __init__(self) -> None:
        self._socket = IPSet()

    def close(self) -> None:
        self._socket.close()

    def create(self, name: str, type: str, options: str) -> None:
        """`options` in ipset's words: "hashsize 1024 maxelem 65536", "range 0-65535"."""
        words = options.split()
        told = dict(zip(words[::2], words[1::2], strict=True))
        given: dict[str, Any] = {key: int(told[key]) for key in ("hashsize", "maxelem") if key in told}
        if "range" in told:
            low, _, high = told["range"].partition("-")
            given["bitmap_ports_range"] = int(low), int(high)
        with _refusals():
            self._socket.create(name, type, **given)

    def destroy(self, name: str) -> None:
        with _refusals():
            self._socket.destroy(name)

    def add(self, name: str, type: str, entry: str) -> None:
        of = type.partition(":")[2]
        with _refusals():
            self._socket.add(name, _parts(of, entry), etype=of)

    def delete(self, name: str, type: str, entry: str) -> None:
        of = type.partition(":")[2]
        with _refusals():
            self._socket.delete(name, _parts(of, entry), etype=of)


def _parts(of: str, entry: str) -> tuple[Any, ...]:
    """ "10.96.0.1,tcp:443" """
    return tuple(
        part if kind != "port" else _port(part) for kind, part in zip(of.split(","), entry.split(","), strict=True)
    )


def _port(text: str) -> Any:
    protocol, colon, port = text.rpartition(":")
    return PortEntry(int(port), protocol=_PROTOCOLS[protocol] if colon else None)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except NetlinkError as why:
        told = why.args[1] if len(why.args) > 1 else ""
        raise NetError(why.code, f"ipset: {told or os.strerror(why.code)}") from None
