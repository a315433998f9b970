"""Filter: a port of the host is one Pod's, at one address or at all of them."""

from __future__ import annotations

from typing import Any

from refkube.apimachinery.meta import Object
from refkube.scheduler.framework import Filter, Plugin, Rejection
from refkube.scheduler.snapshot import NODE_ADDED, POD_REMOVED, Demand, HostPort, NodeInfo, host_ports

ANY = "0.0.0.0"
TAKEN = Rejection(("node(s) didn't have free ports for the requested pod ports",), final=False)


class NodePorts(Plugin):
    name = "NodePorts"
    wakes = frozenset((NODE_ADDED, POD_REMOVED))

    def signature(self, pod: Object) -> Any:
        return host_ports(pod["spec"])

    def filter(self, pod: Object, demand: Demand) -> Filter | None:
        wanted = demand.ports
        if not wanted:
            return None

        def test(info: NodeInfo) -> Rejection | None:
            taken = [port for port, pods in info.ports.items() if pods]
            clash = any(_clash(mine, theirs) for mine in wanted for theirs in taken)
            return TAKEN if clash else None

        return test


def _clash(a: HostPort, b: HostPort) -> bool:
    return a[1:] == b[1:] and (a[0] == b[0] or ANY in (a[0], b[0]))
