"""What a node component may ask of its host's network: one interface, two kernels behind it.

The kubelet's CNI, kube-proxy, flanneld and the containers' programs use it and cannot tell `refkube.network`, the
simulated kernel, from `refkube.linux`, the real one. It speaks as Linux's tools do: links, addresses, routes,
neighbours and fdb as `ip` and `bridge` show them, netfilter as iptables-save and iptables-restore write it, sets as
ipset, virtual servers as ipvsadm. Everything happens in a network namespace. Calls are made from the loop's thread and
return at once; what takes time (a connection, an answer) is told later, on the loop, through a callable.
IPv4 only. Addresses are text ("10.244.1.2"), networks are text ("10.244.1.0/24").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

__all__ = [
    "CLIENT",
    "INTERNET",
    "INTERNET_ROUTER",
    "LAN_PREFIX",
    "ROUTER",
    "Address",
    "AddressInUse",
    "Closable",
    "Datagrams",
    "Endpoint",
    "FdbEntry",
    "Flow",
    "Host",
    "Link",
    "Listener",
    "Namespace",
    "Neighbor",
    "NetError",
    "RealServer",
    "Route",
    "Stream",
    "Tun",
    "VirtualServer",
]  # fmt: skip

Endpoint = tuple[str, int]
"""An address and a port."""

# What is around a cluster's machines, whichever kernel they have: on their LAN, and behind its router.
ROUTER, CLIENT, LAN_PREFIX = "192.168.100.1", "192.168.99.1", 16
INTERNET_ROUTER, INTERNET = "203.0.113.1", "203.0.113.10"

Protocol4 = Literal["TCP", "UDP", "SCTP"]


class NetError(OSError):
    """The kernel refuses; the message is what the tool would say ("RTNETLINK answers: File exists")."""


class AddressInUse(NetError):
    """Somebody listens there already."""


# What is there, as data


@dataclass(frozen=True)
class Link:
    """A device. `kind` is "loopback", "veth", "bridge", "dummy", "vxlan", "tun" or "" for a NIC.

    `peer` is a veth's other end, `peer_namespace` where that is ("" is the same; "/" the host's own, seen from
    another). `details` are a kind's own, as `ip -d link` names them:
    vxlan {"id": 1, "local": ..., "dev": ..., "dstport": 8472, "learning": False}.
    """

    name: str
    kind: str = ""
    address: str = ""  # MAC
    mtu: int = 1500
    up: bool = False
    master: str = ""
    hairpin: bool = False
    peer: str = ""
    peer_namespace: str = ""
    details: Mapping[str, object] = field(default_factory=dict)
    index: int = 0  # told by the kernel and ignored when given to it, as is the next
    peer_index: int = 0


@dataclass(frozen=True)
class Address:
    """An address of a device: its network with prefix length ("10.244.1.1/24")."""

    device: str
    cidr: str
    scope: str = "global"


@dataclass(frozen=True)
class Route:
    """`destination` is a network or "default". `onlink` trusts that the gateway is at the device."""

    destination: str
    device: str = ""
    gateway: str = ""
    source: str = ""
    metric: int = 0
    onlink: bool = False
    kind: str = "unicast"  # or local, broadcast, blackhole ...
    table: str = "main"
    scope: str = "global"
    protocol: str = "boot"  # who made it: "kernel", "boot", "static"


@dataclass(frozen=True)
class Neighbor:
    address: str
    device: str
    mac: str
    state: str = "permanent"


@dataclass(frozen=True)
class FdbEntry:
    """Behind which port of a bridge, or behind which `remote` of a vxlan device, a MAC is."""

    mac: str
    device: str
    remote: str = ""
    state: str = "permanent"


@dataclass(frozen=True)
class RealServer:
    """`forward` is how packets get there: "masq" (NAT), "route" or "tunnel". `active` and `inactive` are connections,
    told by the kernel and ignored when given to it."""

    address: str
    port: int
    weight: int = 1
    active: int = 0
    inactive: int = 0
    forward: str = "masq"


@dataclass(frozen=True)
class VirtualServer:
    """`persistent` is the timeout of session affinity in seconds, 0 without."""

    protocol: Protocol4
    address: str
    port: int
    scheduler: str = "rr"
    persistent: int = 0
    servers: tuple[RealServer, ...] = ()

    @property
    def key(self) -> tuple[str, str, int]:
        return self.protocol, self.address, self.port


@dataclass(frozen=True)
class Flow:
    """A tracked connection: the tuple as it came and the tuple that answers are expected with.

    `timeout` are the seconds that it is still kept for, `status` is "ASSURED", "UNREPLIED" or "".
    """

    protocol: str
    source: Endpoint
    destination: Endpoint
    reply_source: Endpoint
    reply_destination: Endpoint
    state: str = ""
    mark: int = 0
    timeout: int = 0
    status: str = ""


# Sockets


class Closable(Protocol):
    def close(self) -> None:
        """Idempotent."""
        ...


class Listener(Closable, Protocol):
    local: Endpoint


class Stream(Protocol):
    """One TCP connection. Whoever has it sets `received` and `closed`; data that came before waits for it.

    `closed` is told once: "" when the peer closed in order (what was sent before has been received; one may still
    send), "reset" or "timed out" otherwise.
    """

    local: Endpoint
    remote: Endpoint
    received: Callable[[bytes], object]
    closed: Callable[[str], object]

    def send(self, data: bytes) -> None: ...

    def close(self) -> None:
        """In order, after all that was sent. Idempotent."""
        ...

    def abort(self) -> None:
        """With a reset."""
        ...


class Datagrams(Closable, Protocol):
    """A bound UDP socket."""

    local: Endpoint

    def send(self, data: bytes, to: Endpoint) -> None: ...


class Tun(Closable, Protocol):
    """A tun device with a process behind it, which gets the IP packets that are routed there and may write others."""

    name: str

    def write(self, packet: bytes) -> None: ...


# Kernels


class Namespace(Protocol):
    """One network namespace. Changes raise NetError; deleting what is not there is an error, as with the tools.

    Rules and sets hold at the latest when the loop comes by, as a real kernel is given many at once.
    """

    name: str

    # Links, addresses, routes, neighbours

    def links(self) -> list[Link]: ...

    def link(self, name: str) -> Link | None: ...

    def add_link(self, link: Link) -> None:
        """Down and without addresses unless it says `up`; a veth's peer is made with it, in `peer_namespace`."""
        ...

    def set_link(
        self,
        name: str,
        *,
        up: bool | None = None,
        mtu: int | None = None,
        address: str | None = None,
        master: str | None = None,
        hairpin: bool | None = None,
    ) -> None: ...

    def delete_link(self, name: str) -> None:
        """With its addresses and routes, and a veth's peer."""
        ...

    def addresses(self, device: str = "") -> list[Address]: ...

    def add_address(self, address: Address) -> None: ...

    def delete_address(self, address: Address) -> None: ...

    def routes(self, table: str = "main") -> list[Route]: ...

    def replace_route(self, route: Route) -> None: ...

    def delete_route(self, route: Route) -> None: ...

    def neighbors(self, device: str = "") -> list[Neighbor]: ...

    def replace_neighbor(self, neighbor: Neighbor) -> None: ...

    def delete_neighbor(self, neighbor: Neighbor) -> None: ...

    def fdb(self, device: str = "") -> list[FdbEntry]: ...

    def replace_fdb(self, entry: FdbEntry) -> None: ...

    def delete_fdb(self, entry: FdbEntry) -> None: ...

    def sysctl(self, name: str) -> str:
        """ "net.ipv4.ip_forward" """
        ...

    def set_sysctl(self, name: str, value: str) -> None: ...

    # Netfilter

    def iptables(self, arguments: str) -> bool:
        """One iptables command ("-t nat -I PREROUTING -j KUBE-SERVICES"). False where -C finds no such rule."""
        ...

    def iptables_restore(self, text: str) -> None:
        """With --noflush: a chain that is declared is made, or emptied where it is the user's; all or nothing."""
        ...

    def iptables_save(self, table: str = "") -> str:
        """All tables, or one, as text that iptables_restore takes."""
        ...

    def iptables_given(self) -> list[str]:
        """ "nat POSTROUTING -j KUBE-POSTROUTING": every rule, as the one who asks would give it or as iptables-save has
        it. Cheaper than that: to see whether somebody has changed them."""
        ...

    def flows(self) -> list[Flow]:
        """Tracked connections (conntrack -L)."""
        ...

    def forget_flows(
        self, protocol: str, destination: Endpoint | None = None, reply_source: Endpoint | None = None
    ) -> int:
        """Those to a destination and answered from a source (conntrack -D); how many there were. A port of 0 is any."""
        ...

    # Sets and virtual servers

    def ipsets(self) -> dict[str, str]:
        """Names and types ("hash:ip,port")."""
        ...

    def create_ipset(self, name: str, type: str, options: str = "") -> None: ...

    def destroy_ipset(self, name: str) -> None: ...

    def ipset_entries(self, name: str) -> set[str]:
        """ "10.96.0.1,tcp:443", as ipset writes them"""
        ...

    def change_ipset(self, name: str, add: Iterable[str] = (), remove: Iterable[str] = ()) -> None: ...

    def virtual_servers(self) -> list[VirtualServer]: ...

    def virtual_server(self, key: tuple[str, str, int]) -> VirtualServer | None: ...

    def set_virtual_server(self, server: VirtualServer) -> None:
        """Make it, or change its scheduler and persistence; its real servers are left alone."""
        ...

    def delete_virtual_server(self, key: tuple[str, str, int]) -> None: ...

    def set_real_server(self, key: tuple[str, str, int], server: RealServer) -> None:
        """Add it or change its weight: with 0 it keeps its connections and gets no new one."""
        ...

    def delete_real_server(self, key: tuple[str, str, int], address: str, port: int) -> None: ...

    # Sockets

    def listen(self, local: Endpoint, accepted: Callable[[Stream], object]) -> Listener:
        """("0.0.0.0", 80); port 0 takes a free one. AddressInUse where it is taken."""
        ...

    def connect(
        self,
        remote: Endpoint,
        opened: Callable[[Stream], object],
        failed: Callable[[str], object],
        timeout: float = 127.0,
        source: Endpoint | None = None,
    ) -> Closable:
        """`failed` is told "refused", "timed out" or "unreachable". Closing gives up; nothing is told then."""
        ...

    def bind(
        self,
        local: Endpoint,
        received: Callable[[bytes, Endpoint], object],
        remote: Endpoint | None = None,
        refused: Callable[[], object] | None = None,
    ) -> Datagrams:
        """A UDP socket; AddressInUse where the port is taken. One that is connected to a `remote` gets what comes from
        there alone, and is told when nobody listens there."""
        ...

    def ping(
        self, address: str, answered: Callable[[], object], failed: Callable[[str], object], timeout: float = 1.0
    ) -> None:
        """One ICMP echo. `failed` is told "timed out" or "unreachable"."""
        ...

    def open_tun(self, name: str, received: Callable[[bytes], object]) -> Tun:
        """The process's end of a tun device, which is made if it is not there and goes when it is closed."""
        ...

    def capture(self, device: str, seen: Callable[[float, bytes], object]) -> Closable:
        """Whatever crosses a device, with the time: frames, or IP packets at a tun."""
        ...


class Host(Protocol):
    """One machine's network."""

    name: str

    @property
    def namespace(self) -> Namespace:
        """The host's own."""
        ...

    def add_namespace(self, name: str) -> Namespace: ...

    def delete_namespace(self, name: str) -> None:
        """With all its links and sockets."""
        ...

    def find_namespace(self, name: str) -> Namespace | None: ...
