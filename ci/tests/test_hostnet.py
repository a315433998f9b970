"""One contract for both kernels behind `hostnet`: what is asked of the simulated one is asked of a real one, too.

Where this machine's kernel has no virtual servers, or this is not root, the real one is User Mode Linux's: then the
last test runs this file in it.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gherkube import uml
from refkube.engine.clock import VirtualClock, WallClock
from refkube.engine.loop import Loop
from refkube.hostnet import (
    Address,
    AddressInUse,
    FdbEntry,
    Link,
    Neighbor,
    NetError,
    RealServer,
    Route,
    VirtualServer,
)
from refkube.network.fabric import Fabric

GUEST = "GHERKUBE_TEST_GUEST"
VIP = ("10.96.0.10", 80)
KEY = ("TCP", *VIP)


class Lab:
    """Two nodes with two Pods each, as flannel's vxlan backend and a CNI plugin would leave them."""

    def __init__(self, loop: Loop, fabric: Any):
        self.loop, self.fabric = loop, fabric
        self.nodes = [fabric.join(f"n{n}", f"192.168.100.1{n}") for n in (1, 2)]
        self.pods: dict[str, Any] = {}
        for n, node in enumerate(self.nodes, 1):
            self._node(n, node.namespace)
            for i in (2, 3):
                self.pods[f"10.244.{n}.{i}"] = self._pod(n, i, node)

    def _node(self, n: int, net: Any) -> None:
        other = 3 - n
        net.set_sysctl("net.ipv4.ip_forward", "1")
        net.add_link(Link("docker0", "bridge", up=True))
        net.add_address(Address("docker0", f"10.244.{n}.1/24"))
        details = {"id": 1, "local": f"192.168.100.1{n}", "dev": "eth0", "dstport": 8472, "learning": False}
        net.add_link(Link("flannel.1", "vxlan", f"0a:58:0a:f4:0{n}:00", 1450, details=details))
        net.add_address(Address("flannel.1", f"10.244.{n}.0/32"))
        net.set_link("flannel.1", up=True)
        net.replace_neighbor(Neighbor(f"10.244.{other}.0", "flannel.1", f"0a:58:0a:f4:0{other}:00"))
        net.replace_fdb(FdbEntry(f"0a:58:0a:f4:0{other}:00", "flannel.1", f"192.168.100.1{other}"))
        net.replace_route(Route(f"10.244.{other}.0/24", "flannel.1", f"10.244.{other}.0", onlink=True))

    def _pod(self, n: int, i: int, node: Any) -> Any:
        pod = node.add_namespace(f"pod{i}")
        veth = Link(f"veth{i}", "veth", peer="eth0", peer_namespace=f"pod{i}", master="docker0", mtu=1450, up=True)
        node.namespace.add_link(veth)
        node.namespace.set_link(f"veth{i}", hairpin=True)
        pod.set_link("lo", up=True)
        pod.set_link("eth0", up=True)
        pod.add_address(Address("eth0", f"10.244.{n}.{i}/24"))
        pod.replace_route(Route("default", "eth0", f"10.244.{n}.1"))
        pod.listen(("0.0.0.0", 80), self._answer)
        return pod

    @staticmethod
    def _answer(stream: Any) -> None:
        def received(data: bytes) -> None:
            stream.send(f"{stream.local[0]} saw {stream.remote[0]}".encode())
            stream.close()

        stream.received = received

    def serve(self, *pods: str, masquerade: bool = True) -> None:
        """A virtual server on every node."""
        for node in self.nodes:
            net = node.namespace
            net.add_link(Link("kube-ipvs0", "dummy"))
            net.add_address(Address("kube-ipvs0", f"{VIP[0]}/32"))
            net.set_sysctl("net.ipv4.vs.conntrack", "1")
            net.set_sysctl("net.bridge.bridge-nf-call-iptables", "1")
            net.set_virtual_server(VirtualServer("TCP", *VIP))
            for pod in pods:
                net.set_real_server(KEY, RealServer(pod, 80))
            if masquerade:
                net.create_ipset("LOOPS", "hash:ip,port,ip")
                net.change_ipset("LOOPS", [f"{pod},tcp:80,{pod}" for pod in pods])
                net.iptables_restore(
                    "*nat\n:PODS - [0:0]\n"
                    "-A PODS -m set --match-set LOOPS dst,dst,src -j MASQUERADE\n"
                    "-A PODS ! -s 10.244.0.0/16 -d 10.244.0.0/16 -j MASQUERADE\n"
                    "COMMIT\n"
                )
                if not net.iptables("-t nat -C POSTROUTING -j PODS"):
                    net.iptables("-t nat -A POSTROUTING -j PODS")

    def get(self, net: Any, remote: tuple[str, int], timeout: float = 2.0) -> str:
        """What is answered, or how it failed."""
        told: list[str] = []

        def opened(stream: Any) -> None:
            parts: list[bytes] = []

            def closed(why: str) -> None:
                told.append(why or b"".join(parts).decode())
                stream.close()

            stream.received, stream.closed = parts.append, closed
            stream.send(b"?")

        self.loop.settle()  # rules hold once the loop has come by
        net.connect(remote, opened, told.append, timeout)
        assert self.loop.run_until(lambda: told, timeout + 3), "nothing was told"
        assert len(told) == 1
        return told[0]

    def ping(self, net: Any, address: str) -> str:
        told: list[str] = []
        self.loop.settle()
        net.ping(address, lambda: told.append("answered"), told.append)
        assert self.loop.run_until(lambda: told, 10)
        return told[0]


def real_is_here() -> bool:
    return bool(os.environ.get(GUEST))


@pytest.fixture(params=["simulated", "real"])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    if request.param == "simulated":
        loop = Loop(VirtualClock())
        yield Lab(loop, Fabric(loop))
        return
    if not real_is_here():
        pytest.skip("the real kernel is asked in User Mode Linux, see the last test")
    from refkube.linux.host import LinuxFabric
    from refkube.linux.poller import SocketPoller

    poller = SocketPoller()
    loop = Loop(WallClock(), poller=poller)
    poller.post = loop.post
    fabric = LinuxFabric(loop, poller)
    try:
        yield Lab(loop, fabric)
    finally:
        fabric.close()


A, B, C = "10.244.1.2", "10.244.1.3", "10.244.2.2"


# Links, addresses, routes


def test_devices_are_told_as_they_were_made(lab: Lab) -> None:
    net = lab.nodes[0].namespace
    links = {link.name: link for link in net.links()}
    assert {name: link.kind for name, link in links.items()} == {
        "lo": "loopback", "eth0": "", "docker0": "bridge", "flannel.1": "vxlan", "veth2": "veth", "veth3": "veth",
    }  # fmt: skip
    assert links["flannel.1"].mtu == 1450
    assert links["flannel.1"].details == {
        "id": 1, "local": "192.168.100.11", "dev": "eth0", "dstport": 8472, "learning": False,
    }  # fmt: skip
    assert (links["veth2"].master, links["veth2"].hairpin, links["veth2"].peer_namespace) == ("docker0", True, "pod2")
    card = lab.pods[A].link("eth0")
    assert (card.peer, card.peer_namespace, card.up) == ("veth2", "/", True)


def test_addresses_bring_routes(lab: Lab) -> None:
    net = lab.nodes[0].namespace
    assert {(one.device, one.cidr, one.scope) for one in net.addresses()} == {
        ("lo", "127.0.0.1/8", "host"), ("eth0", "192.168.100.11/16", "global"),
        ("docker0", "10.244.1.1/24", "global"), ("flannel.1", "10.244.1.0/32", "global"),
    }  # fmt: skip
    routes = {(one.destination, one.device, one.gateway, one.source, one.onlink, one.scope) for one in net.routes()}
    assert routes == {
        ("default", "eth0", "192.168.100.1", "", False, "global"),
        ("10.244.1.0/24", "docker0", "", "10.244.1.1", False, "link"),
        ("10.244.2.0/24", "flannel.1", "10.244.2.0", "", True, "global"),
        ("192.168.0.0/16", "eth0", "", "192.168.100.11", False, "link"),
    }
    net.delete_address(Address("docker0", "10.244.1.1/24"))
    assert "10.244.1.0/24" not in {one.destination for one in net.routes()}


def test_a_device_goes_with_all_that_hangs_by_it(lab: Lab) -> None:
    net = lab.nodes[0].namespace
    net.delete_link("veth2")
    assert net.link("veth2") is None
    assert lab.pods[A].link("eth0") is None
    assert lab.pods[A].routes() == []
    net.delete_link("flannel.1")
    assert "10.244.2.0/24" not in {one.destination for one in net.routes()}
    assert net.neighbors("") == [one for one in net.neighbors() if one.device != "flannel.1"]


@pytest.mark.parametrize(
    "mistake",
    [
        lambda net: net.add_link(Link("docker0", "bridge")),
        lambda net: net.delete_link("nobody"),
        lambda net: net.set_link("nobody", up=True),
        lambda net: net.add_address(Address("docker0", "10.244.1.1/24")),
        lambda net: net.delete_address(Address("docker0", "10.9.9.9/24")),
        lambda net: net.delete_route(Route("10.9.0.0/16", "docker0")),
        lambda net: net.replace_route(Route("10.9.0.0/16", "docker0", "10.7.7.7")),
        lambda net: net.add_link(Link("a-name-that-is-too-long", "dummy")),
        lambda net: net.delete_virtual_server(("TCP", "10.96.9.9", 80)),
        lambda net: net.set_real_server(("TCP", "10.96.9.9", 80), RealServer("10.244.1.2", 80)),
        lambda net: net.set_sysctl("net.ipv4.no_such_thing", "1"),
        lambda net: net.create_ipset("S", "hash:ip,port") or net.create_ipset("S", "hash:ip,port"),
        lambda net: net.change_ipset("NOBODY", ["10.0.0.1,tcp:1"]),
    ],
)
def test_mistakes_are_refused(lab: Lab, mistake: Any) -> None:
    with pytest.raises(NetError):
        mistake(lab.nodes[0].namespace)


# Connections


def test_pods_reach_pods_under_their_own_addresses(lab: Lab) -> None:
    for far in (B, C, "10.244.2.3"):
        assert lab.get(lab.pods[A], (far, 80)) == f"{far} saw {A}"
    assert lab.get(lab.pods[A], (A, 80)) == f"{A} saw {A}"
    assert lab.get(lab.nodes[0].namespace, (A, 80)) == f"{A} saw 10.244.1.1"
    assert lab.get(lab.nodes[0].namespace, (C, 80)) == f"{C} saw 10.244.1.0"


def test_failures_have_names(lab: Lab) -> None:
    assert lab.get(lab.pods[A], (C, 81)) == "refused"
    assert lab.get(lab.pods[A], ("10.244.1.77", 80), 10.0) == "unreachable"  # nobody there answers ARP
    lab.nodes[1].namespace.iptables("-t filter -A FORWARD -p tcp --dport 80 -j DROP")
    assert lab.get(lab.pods[A], (C, 80)) == "timed out"
    lab.pods[A].delete_route(Route("default", "eth0", "10.244.1.1"))
    assert lab.get(lab.pods[A], (C, 80)) == "unreachable"


def test_echoes(lab: Lab) -> None:
    assert lab.ping(lab.pods[A], C) == "answered"
    lab.nodes[1].namespace.iptables("-t filter -A FORWARD -p icmp -j DROP")
    assert lab.ping(lab.pods[A], C) == "timed out"


def test_one_listens_at_a_port(lab: Lab) -> None:
    pod = lab.pods[A]
    with pytest.raises(AddressInUse):
        pod.listen(("0.0.0.0", 80), lambda stream: None)
    other = pod.listen(("127.0.0.1", 8080), lab._answer)
    assert lab.get(pod, ("127.0.0.1", 8080)) == "127.0.0.1 saw 127.0.0.1"
    assert lab.get(lab.pods[B], (A, 8080)) == "refused"
    other.close()
    assert lab.get(pod, ("127.0.0.1", 8080)) == "refused"
    assert pod.listen(("0.0.0.0", 0), lab._answer).local[1] > 0


def test_much_data_arrives_whole_and_a_reset_is_told(lab: Lab) -> None:
    came, ends = bytearray(), []

    def accepted(stream: Any) -> None:
        stream.received, stream.closed = came.extend, lambda why: ends.append(why) or stream.close()

    lab.pods[C].listen(("0.0.0.0", 9000), accepted)
    data = bytes(range(256)) * 2000

    def opened(stream: Any) -> None:
        stream.closed = ends.append
        stream.send(data)
        stream.close()

    lab.pods[A].connect((C, 9000), opened, ends.append)
    assert lab.loop.run_until(lambda: ends, 10)
    assert bytes(came) == data
    assert ends[0] == ""
    ends.clear()
    lab.pods[A].connect((C, 9000), lambda stream: (stream.send(b"x"), stream.abort()), ends.append)
    assert lab.loop.run_until(lambda: ends, 10)
    assert ends == ["reset"]


def test_datagrams(lab: Lab) -> None:
    came: list[tuple[str, bytes, str]] = []
    server = lab.pods[C].bind(("0.0.0.0", 53), lambda data, sender: (note("server", data, sender), back(data, sender)))

    def note(who: str, data: bytes, sender: tuple[str, int]) -> None:
        came.append((who, data, sender[0]))

    def back(data: bytes, sender: tuple[str, int]) -> None:
        server.send(data.upper(), sender)

    client = lab.pods[A].bind(("0.0.0.0", 0), lambda data, sender: note("client", data, sender))
    client.send(b"hello", (C, 53))
    assert lab.loop.run_until(lambda: len(came) == 2, 5)
    assert came == [("server", b"hello", A), ("client", b"HELLO", C)]
    with pytest.raises(AddressInUse):
        lab.pods[C].bind(("0.0.0.0", 53), lambda data, sender: None)


def test_a_connected_socket_is_told_that_nobody_listens(lab: Lab) -> None:
    told: list[Any] = []
    connected = lab.pods[A].bind(("0.0.0.0", 0), told.append, (C, 54), lambda: told.append("refused"))
    connected.send(b"hello", (C, 54))
    assert lab.loop.run_until(lambda: told, 5)
    assert told == ["refused"]
    # What comes from others is not for it.
    other = lab.pods[C].bind(("0.0.0.0", 55), lambda data, sender: told.append(data))
    other.send(b"stray", (A, connected.local[1]))
    lab.loop.run_for(0.5)
    assert told == ["refused"]


def test_a_tun_device_has_a_process_behind_it(lab: Lab) -> None:
    net, packets = lab.nodes[0].namespace, []
    tun = net.open_tun("flannel0", packets.append)
    net.set_link("flannel0", up=True, mtu=1472)
    net.add_address(Address("flannel0", "10.250.0.1/16"))
    net.bind(("0.0.0.0", 0), lambda data, sender: None).send(b"x", ("10.250.3.3", 9))
    assert lab.loop.run_until(lambda: packets, 5)
    assert (packets[0][0], packets[0][9], packets[0][16:20]) == (0x45, 17, bytes((10, 250, 3, 3)))
    assert net.link("flannel0").kind == "tun"
    tun.close()
    assert net.link("flannel0") is None


# Netfilter and virtual servers


def test_rules_read_as_they_were_written(lab: Lab) -> None:
    net = lab.nodes[0].namespace
    net.create_ipset("KUBE-CLUSTER-IP", "hash:ip,port")
    net.change_ipset("KUBE-CLUSTER-IP", ["10.96.0.1,tcp:443", "10.96.0.10,udp:53"])
    net.change_ipset("KUBE-CLUSTER-IP", remove=["10.96.0.10,udp:53"])
    rules = [
        "-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000",
        '-A KUBE-SERVICES ! -s 10.244.0.0/16 -m comment --comment "cluster IPs" -m set '
        "--match-set KUBE-CLUSTER-IP dst,dst -j KUBE-MARK-MASQ",
        "-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m tcp --dport 443 -j RETURN",
        "-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN",
        "-A KUBE-POSTROUTING -j MASQUERADE --random-fully",
    ]
    chains = ":KUBE-MARK-MASQ - [0:0]\n:KUBE-SERVICES - [0:0]\n:KUBE-POSTROUTING - [0:0]\n"
    net.iptables_restore(f"*nat\n{chains}" + "\n".join(rules) + "\nCOMMIT\n")
    jump = 'PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES'
    assert not net.iptables(f"-t nat -C {jump}")
    net.iptables(f"-t nat -I {jump}")
    assert net.iptables(f"-t nat -C {jump}")
    saved = net.iptables_save("nat").splitlines()
    assert {f"-A {jump}", *rules} == {line for line in saved if line.startswith("-A")}
    assert net.ipset_entries("KUBE-CLUSTER-IP") == {"10.96.0.1,tcp:443"}
    net.iptables(f"-t nat -D {jump}")
    assert not net.iptables(f"-t nat -C {jump}")


def test_virtual_servers_spread_connections(lab: Lab) -> None:
    lab.serve(A, B, C)
    for net, source in ((lab.pods["10.244.2.3"], "10.244.2.3"), (lab.nodes[0].namespace, None)):
        answers = Counter(lab.get(net, VIP).split(" saw ")[0] for _ in range(9))
        assert answers == {A: 3, B: 3, C: 3}
        if source:
            assert lab.get(net, VIP).endswith(f" saw {source}")


def test_a_pod_reaches_itself_through_its_virtual_server(lab: Lab) -> None:
    lab.serve(A)
    assert lab.get(lab.pods[A], VIP) == f"{A} saw 10.244.1.1"


def test_without_masquerade_a_pod_does_not_reach_itself(lab: Lab) -> None:
    lab.serve(A, masquerade=False)
    assert lab.get(lab.pods[A], VIP) == "timed out"


def test_a_real_server_of_no_weight_gets_nothing_new(lab: Lab) -> None:
    lab.serve(A, C)
    net = lab.nodes[0].namespace
    net.set_real_server(KEY, RealServer(A, 80, 0))
    assert {lab.get(lab.pods[B], VIP).split()[0] for _ in range(4)} == {C}
    assert {server.address: server.weight for server in net.virtual_server(KEY).servers} == {A: 0, C: 1}
    net.delete_real_server(KEY, C, 80)
    assert lab.get(lab.pods[B], VIP) in ("refused", "unreachable", "timed out")
    net.delete_virtual_server(KEY)
    assert net.virtual_servers() == []


def test_persistence_keeps_a_client_at_its_server(lab: Lab) -> None:
    lab.serve(A, B, C)
    net = lab.nodes[0].namespace
    net.set_virtual_server(VirtualServer("TCP", *VIP, persistent=100))
    assert net.virtual_server(KEY).persistent == 100
    assert len({lab.get(lab.pods[B], VIP).split()[0] for _ in range(6)}) == 1


def test_connections_are_tracked_and_counted(lab: Lab) -> None:
    lab.serve(C)
    lab.loop.settle()  # without rules a real kernel tracks nothing
    held: list[Any] = []
    lab.pods[A].connect(VIP, held.append, held.append)
    assert lab.loop.run_until(lambda: held, 5)
    net = lab.nodes[0].namespace
    assert lab.loop.run_until(lambda: net.virtual_server(KEY).servers[0].active == 1, 5)

    def tracked() -> list[Any]:
        return [flow for flow in net.flows() if flow.destination == VIP]

    assert lab.loop.run_until(tracked, 5), net.flows()
    flows = tracked()
    assert [(flow.source[0], flow.reply_source, flow.state) for flow in flows] == [(A, (C, 80), "ESTABLISHED")]
    assert net.forget_flows("TCP", VIP) == 1
    held[0].abort()


def test_what_does_not_fit_is_answered(lab: Lab) -> None:
    """A packet larger than the tunnel's MTU, from a Pod that does not know: it learns, and all arrives."""
    lab.pods[A].set_link("eth0", mtu=1500)
    lab.nodes[0].namespace.set_link("veth2", mtu=1500)
    lab.nodes[0].namespace.set_link("docker0", mtu=1500)
    came = bytearray()
    lab.pods[C].listen(("0.0.0.0", 9000), lambda stream: setattr(stream, "received", came.extend))
    told: list[Any] = []
    lab.pods[A].connect((C, 9000), lambda stream: (told.append(1), stream.send(b"z" * 20_000)), told.append)
    assert lab.loop.run_until(lambda: len(came) == 20_000, 10)


def test_a_capture_sees_what_crosses(lab: Lab) -> None:
    net, seen = lab.nodes[0].namespace, []
    taps = [net.capture(device, lambda at, data, d=device: seen.append((at, d, data))) for device in ("veth2", "eth0")]
    assert lab.get(lab.pods[A], (C, 80)) == f"{C} saw {A}"
    lab.loop.run_for(0.2)
    for tap in taps:
        tap.close()
    assert {device for _, device, _ in seen} == {"veth2", "eth0"}
    # Unicast IPv4 only: a real kernel also tells which groups it is in.
    packets = [(device, data) for _, device, data in seen if data[12:14] == b"\x08\x00" and not data[0] & 1]
    inner = [data for device, data in packets if device == "veth2"]
    outer = [data for device, data in packets if device == "eth0"]
    assert {data[23] for data in inner} == {6}
    assert {(data[23], data[36:38]) for data in outer} == {(17, (8472).to_bytes(2, "big"))}


def test_the_real_kernel_agrees() -> None:
    """This file, with the kernel of User Mode Linux."""
    if real_is_here():
        return
    if why := uml.missing():
        pytest.skip(f"User Mode Linux: {why}")
    here = Path(__file__)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "real and not agrees", str(here)]
    assert uml.run(command, {GUEST: "1", "PATH": os.environ["PATH"]}) == 0
