"""What a flannel backend is: how Pods' packets get from node to node. One module each; called by `flannel.daemon`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from refkube.hostnet import Address, Namespace, Route


@dataclass(frozen=True)
class Lease:
    """A node's subnet, and how it is reached: what its annotations say."""

    subnet: str
    public_ip: str
    backend: str = ""
    data: str = "null"

    @property
    def first(self) -> str:
        """The address that names the subnet: flannel's own device has it."""
        return self.subnet.partition("/")[0]


@dataclass(frozen=True)
class Interface:
    """The device towards the other nodes."""

    device: str
    address: str
    mtu: int


class Backend(Protocol):
    """Made for one node; `open` may be called where an earlier daemon left its devices behind."""

    mtu: int

    def data(self) -> str:
        """What the others must know, as JSON: the annotation backend-data."""
        ...

    def open(self, network: str, lease: Lease) -> None:
        """Make the device, if there is one, once the subnet is known."""
        ...

    def add(self, peer: Lease) -> None: ...

    def remove(self, peer: Lease) -> None: ...

    def check(self) -> None:
        """Put right what the backend looks after by itself; called every ten seconds."""
        ...

    def close(self) -> None:
        """The process ends: what is the kernel's stays, what is the process's goes."""
        ...


def has_route(net: Namespace, wanted: Route) -> bool:
    return any(
        (one.destination, one.gateway, one.device) == (wanted.destination, wanted.gateway, wanted.device)
        for one in net.routes()
    )


def ensure_address(net: Namespace, device: str, cidr: str) -> None:
    """This address on a device, and no other."""
    known = net.addresses(device)
    for one in known:
        if one.cidr != cidr:
            net.delete_address(one)
    if cidr not in {one.cidr for one in known}:
        net.add_address(Address(device, cidr))
