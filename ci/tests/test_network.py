"""The simulated kernel against facts that were measured on a real one, and against what Linux's sources promise."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from networks import VIP, Lab, serve
from refkube.hostnet import Address, AddressInUse, Link, NetError, RealServer, Route, VirtualServer
from refkube.network.journey import crossings, follow

KEY = ("TCP", VIP, 80)


@pytest.fixture
def lab() -> Lab:
    return Lab()


@pytest.mark.parametrize("apart", [False, True])
def test_pods_reach_each_other_and_are_seen_under_their_own_address(apart: bool) -> None:
    lab = Lab(apart)
    for origin in lab.pods:
        for target in lab.pods:
            assert lab.get(origin, lab.address(target), 8080) == f"{target} saw {lab.address(origin)}"


def test_a_virtual_server_spreads_connections_and_a_pod_reaches_itself(lab: Lab) -> None:
    lab.virtual()
    answers = Counter(lab.get("n1p1", VIP, 80) for _ in range(8))
    assert set(answers.values()) == {2}
    assert {answer.split()[0] for answer in answers} == set(lab.pods)
    assert "n1p1 saw 10.244.1.1" in answers
    assert {Counter(lab.get(origin, VIP, 80)[:4] for _ in range(8))["n2p2"] for origin in ("n2p2", "n1")} == {2}


@pytest.mark.parametrize("without", ["masquerade", "hairpin", "bridge-nf", "vs.conntrack"])
def test_what_was_seen_failing_when_it_was_dropped(lab: Lab, without: str) -> None:
    """The facts of the measurements: each part is needed by somebody."""
    lab.virtual()
    net = lab.nodes["n1"]
    if without == "masquerade":
        net.iptables("-t nat -F POSTROUTING")
    elif without == "hairpin":
        net.set_link("v1", hairpin=False)
    elif without == "bridge-nf":
        net.set_sysctl("net.bridge.bridge-nf-call-iptables", "0")
    else:
        net.set_sysctl("net.ipv4.vs.conntrack", "0")
    answers = Counter(lab.get("n1p1", VIP, 80, 2.0)[:9] for _ in range(8))
    lost = {"masquerade": "n1p1", "hairpin": "n1p1", "bridge-nf": "n1p2", "vs.conntrack": "n1p1"}
    assert answers["timed out"] == 2
    assert not any(answer.startswith(lost[without]) for answer in answers)


def test_answers_that_need_no_source_translation_come_back_without_vs_conntrack(lab: Lab) -> None:
    lab.virtual()
    lab.nodes["n1"].set_sysctl("net.ipv4.vs.conntrack", "0")
    answers = Counter(lab.get("n1", VIP, 80, 2.0) for _ in range(8))
    assert answers == Counter({"timed out": 4, f"n1p1 saw {VIP}": 2, f"n1p2 saw {VIP}": 2})
    assert lab.get("n1p2", lab.address("n2p1"), 8080) == "n2p1 saw 10.244.1.12"


def test_refused_unreachable_and_timed_out_are_told_apart(lab: Lab) -> None:
    lab.virtual()
    began = lab.loop.now()
    assert lab.get("n1p1", lab.address("n2p1"), 81) == "refused"
    assert lab.get("n1p1", "10.97.0.1", 80) == "unreachable"
    assert lab.loop.now() == began
    assert lab.get("n1p1", "10.244.1.99", 80) == "unreachable"
    assert lab.loop.now() - began == 3.0
    lab.nodes["n2"].iptables("-A FORWARD -d 10.244.2.11 -j DROP")
    began = lab.loop.now()
    assert lab.get("n1p1", lab.address("n2p1"), 8080, 127.0) == "timed out"
    assert lab.loop.now() - began == 127.0
    lab.nodes["n2"].iptables("-I FORWARD -d 10.244.2.11 -p tcp -j REJECT --reject-with tcp-reset")
    assert lab.get("n1p1", lab.address("n2p1"), 8080) == "refused"


def test_a_virtual_server_without_servers_refuses(lab: Lab) -> None:
    lab.virtual()
    for pod in lab.pods:
        lab.nodes["n1"].delete_real_server(KEY, lab.address(pod), 8080)
    assert lab.get("n1p1", VIP, 80) == "refused"
    assert lab.get("n1", VIP, 80) == "refused"


def test_a_server_of_weight_0_keeps_its_connections_and_gets_no_new_one(lab: Lab) -> None:
    lab.virtual()
    held: list[Any] = []
    serve(lab.pods["n1p2"], 9090, "n1p2", lambda stream: lambda data: stream.send(data))
    net = lab.nodes["n1"]
    key = ("TCP", VIP, 90)
    net.set_virtual_server(VirtualServer(*key))  # type: ignore[arg-type]
    net.set_real_server(key, RealServer(lab.address("n1p2"), 9090))
    lab.net("n1p1").connect((VIP, 90), held.append, pytest.fail)
    lab.loop.settle()
    net.set_real_server(key, RealServer(lab.address("n1p2"), 9090, weight=0))
    assert net.virtual_servers()[-1].servers[0] == RealServer(lab.address("n1p2"), 9090, 0, active=1)
    assert lab.get("n1p1", VIP, 90) == "refused"
    echoed = bytearray()
    held[0].received, held[0].closed = echoed.extend, pytest.fail
    held[0].send(b"still here")
    lab.loop.settle()
    assert echoed == b"still here"
    net.set_sysctl("net.ipv4.vs.expire_nodest_conn", "1")
    net.delete_real_server(key, lab.address("n1p2"), 9090)
    broken: list[str] = []
    held[0].closed = broken.append
    held[0].send(b"not any more")
    lab.loop.run_for(1000)
    assert broken == ["timed out"] or broken == ["reset"]


def test_connections_are_counted_as_active_until_they_close_and_forgotten_after(lab: Lab) -> None:
    lab.virtual()
    lab.get("n1p1", VIP, 80)
    servers = lab.nodes["n1"].virtual_server(KEY)
    assert servers is not None
    assert sum(server.inactive for server in servers.servers) == 1
    lab.loop.run_for(121)
    servers = lab.nodes["n1"].virtual_server(KEY)
    assert servers is not None
    assert all((server.active, server.inactive) == (0, 0) for server in servers.servers)


def test_affinity_lasts_its_time(lab: Lab) -> None:
    lab.virtual(persistent=100)
    first = {lab.get("n2p1", VIP, 80)[:4] for _ in range(5)}
    assert len(first) == 1
    lab.loop.run_for(99)
    assert {lab.get("n2p1", VIP, 80)[:4]} == first
    lab.loop.run_for(300)
    assert {lab.get("n2p1", VIP, 80)[:4]} != first


def test_a_packet_that_does_not_fit_is_answered_and_the_connection_goes_on_smaller(lab: Lab) -> None:
    got = bytearray()

    def accepted(stream: Any) -> None:
        stream.received, stream.closed = got.extend, lambda why: stream.close()

    lab.pods["n2p1"].listen(("0.0.0.0", 7000), accepted)
    sizes: list[int] = []
    lab.nodes["n1"].capture("flannel.1", lambda when, data: sizes.append(len(data) - 14))
    opened = lambda stream: (stream.send(b"x" * 200_000), stream.close())  # noqa: E731
    lab.pods["n1p1"].connect((lab.address("n2p1"), 7000), opened, pytest.fail)
    lab.loop.settle()
    assert len(got) == 200_000
    assert max(sizes) == 1450


def test_datagrams_that_do_not_fit_go_in_pieces(lab: Lab) -> None:
    got: list[tuple[bytes, Any]] = []
    lab.pods["n2p1"].bind(("0.0.0.0", 53), lambda data, sender: got.append((data, sender)))
    socket = lab.pods["n1p1"].bind(("0.0.0.0", 0), lambda data, sender: None)
    socket.send(bytes(range(256)) * 20, (lab.address("n2p1"), 53))
    lab.loop.settle()
    assert got == [(bytes(range(256)) * 20, (lab.address("n1p1"), socket.local[1]))]


def test_what_lost_a_piece_is_lost_and_the_next_arrives(lab: Lab) -> None:
    got: list[bytes] = []
    lab.pods["n2p1"].bind(("0.0.0.0", 53), lambda data, sender: got.append(data))
    socket = lab.pods["n1p1"].bind(("0.0.0.0", 0), lambda data, sender: None)
    lost = iter([True])
    lab.get("n1p1", lab.address("n2p1"), 8080)
    lab.fabric.lan.spoils = lambda frame: next(lost, False)
    for content in (b"a", b"b"):
        socket.send(content * 3000, (lab.address("n2p1"), 53))
    lab.loop.settle()
    assert got == [b"b" * 3000]


def test_a_loop_of_routes_ends_with_the_ttl(lab: Lab) -> None:
    for name, other in (("n1", "192.168.100.12"), ("n2", "192.168.100.11")):
        lab.nodes[name].replace_route(Route("10.99.0.0/16", "eth0", other))
    lab.loop.trace.start()
    assert lab.get("n1p1", "10.99.0.1", 80, 3.0) == "timed out"
    there, _ = follow(lab.loop.trace.entries(), "n1", "p1", "10.99.0.1:80")
    assert there[-1].reason == "its TTL is used up"
    assert len([hop for hop in there if hop.event == "in" and hop.device == "eth0"]) == 63


def test_a_journey_tells_devices_and_headers_in_order(lab: Lab) -> None:
    lab.virtual()
    lab.loop.trace.start()
    lab.get("n1p1", lab.address("n2p1"), 8080)
    there, back = follow(lab.loop.trace.entries(), "n1", "p1", "10.244.2.11:8080")
    way = [(hop.host, hop.namespace, hop.device) for hop in crossings(there)]
    assert way == [
        ("n1", "p1", "eth0"), ("n1", "", "v1"), ("n1", "", "docker0"), ("n1", "", "flannel.1"), ("n1", "", "eth0"),
        ("n2", "", "eth0"), ("n2", "", "flannel.1"), ("n2", "", "docker0"), ("n2", "", "v1"), ("n2", "p1", "eth0"),
    ]  # fmt: skip
    assert [(hop.host, hop.namespace, hop.device) for hop in crossings(back)] == way[::-1]
    assert crossings(there)[4].outer == ("udp 192.168.100.11 > 192.168.100.12:8472", "vxlan 1")


def test_source_checks(lab: Lab) -> None:
    net = lab.nodes["n2"]
    lab.nodes["n1"].replace_route(Route("10.244.2.0/24", "eth0", "192.168.100.12"))
    assert lab.get("n1p1", lab.address("n2p1"), 8080) == "n2p1 saw 10.244.1.11"
    net.set_sysctl("net.ipv4.conf.all.rp_filter", "1")
    assert lab.get("n1p1", lab.address("n2p1"), 8080, 2.0) == "timed out"
    net.set_sysctl("net.ipv4.conf.all.rp_filter", "2")
    assert lab.get("n1p1", lab.address("n2p1"), 8080) == "n2p1 saw 10.244.1.11"


def test_arp_ignore_keeps_virtual_addresses_from_the_lan(lab: Lab) -> None:
    net, outside = lab.nodes["n1"], lab.fabric.outside.namespace
    net.add_link(Link("kube-ipvs0", "dummy"))
    net.add_address(Address("kube-ipvs0", "192.168.100.77/32"))
    serve(net, 77, "n1")
    assert lab.get("outside", "192.168.100.77", 77) == "n1 saw 192.168.99.1"
    net.set_sysctl("net.ipv4.conf.all.arp_ignore", "1")
    for neighbor in outside.neighbors():
        outside.delete_neighbor(neighbor)
    assert lab.get("outside", "192.168.100.77", 77) == "unreachable"


def test_routes_go_with_their_device_and_addresses_stay(lab: Lab) -> None:
    net = lab.nodes["n1"]
    net.set_link("docker0", up=False)
    assert all(route.device != "docker0" for route in net.routes())
    assert lab.get("n1", "10.244.1.1", 80) == "refused"
    assert lab.get("n1", lab.address("n1p1"), 8080) == "unreachable"
    net.set_link("docker0", up=True)
    assert lab.get("n1", lab.address("n1p1"), 8080) == "n1p1 saw 10.244.1.1"


def test_the_kernel_refuses_what_linux_refuses(lab: Lab) -> None:
    net = lab.nodes["n1"]
    with pytest.raises(NetError, match="invalid gateway"):
        net.replace_route(Route("10.1.0.0/16", "docker0", "172.16.0.1"))
    with pytest.raises(NetError, match="File exists"):
        net.add_link(Link("docker0", "bridge"))
    with pytest.raises(NetError, match="No such process"):
        net.delete_route(Route("10.1.0.0/16"))
    with pytest.raises(NetError, match="Set NONE"):
        net.iptables("-A INPUT -m set --match-set NONE dst -j DROP")
    with pytest.raises(AddressInUse):
        lab.pods["n1p1"].listen(("0.0.0.0", 8080), lambda stream: None)
    with pytest.raises(AddressInUse):
        lab.pods["n1p1"].listen(("10.244.1.11", 8080), lambda stream: None)
    lab.pods["n1p1"].listen(("127.0.0.1", 8081), lambda stream: None)
    lab.pods["n1p1"].listen(("10.244.1.11", 8081), lambda stream: None)


def test_a_namespace_goes_with_all_that_it_had(lab: Lab) -> None:
    lab.fabric.hosts["n1"].delete_namespace("p1")
    assert lab.nodes["n1"].link("v1") is None
    assert lab.get("n1p2", lab.address("n1p1"), 8080) == "unreachable"
    assert lab.loop.next_due() is None


def test_a_quiet_network_has_nothing_to_do(lab: Lab) -> None:
    lab.virtual()
    for _ in range(20):
        lab.get("n1p1", VIP, 80)
    assert lab.loop.next_due() is None


def test_a_tun_device_hands_packets_to_its_process_and_takes_others(lab: Lab) -> None:
    left, right = lab.nodes["n1"], lab.nodes["n2"]
    ends: list[Any] = []
    ends.append(left.open_tun("tun0", lambda data: ends[1].write(data)))
    ends.append(right.open_tun("tun0", lambda data: ends[0].write(data)))
    for number, net in ((1, left), (2, right)):
        net.add_address(Address("tun0", f"172.20.0.{number}/24"))
        net.set_link("tun0", up=True, mtu=1400)
    serve(right, 99, "n2")
    assert lab.get("n1", "172.20.0.2", 99) == "n2 saw 172.20.0.1"
    answered: list[str] = []
    left.ping("172.20.0.2", lambda: answered.append("pong"), answered.append)
    lab.loop.settle()
    assert answered == ["pong"]
    ends[0].close()
    assert left.link("tun0") is None


def test_a_link_is_shown_as_it_was_made(lab: Lab) -> None:
    link = lab.nodes["n1"].link("v1")
    assert link is not None
    assert replace(link, address="", index=0, peer_index=0) == Link(
        "v1", "veth", mtu=1500, up=True, master="docker0", hairpin=True, peer="eth0", peer_namespace="p1"
    )
