"""The parts of the simulated kernel, each held to something simpler or to somebody else's code."""

from __future__ import annotations

import random
from collections import Counter, deque
from types import SimpleNamespace
from typing import Any

import dpkt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from refkube.engine.clock import VirtualClock
from refkube.engine.loop import Loop
from refkube.hostnet import NetError, RealServer
from refkube.network import packet as pk
from refkube.network.conntrack import DST, SRC, Conntrack
from refkube.network.ipset import IpSet
from refkube.network.ipvs import Ipvs
from refkube.network.netfilter import Netfilter
from refkube.network.packet import ACK, FIN, ICMP, SYN, TCP, UDP, Frame, Packet, number, text
from refkube.network.routing import Entry, Table
from refkube.network.tcp import Connection

addresses = st.integers(0, 2**32 - 1)
ports = st.integers(0, 65535)


# Packets


@st.composite
def packets(draw: Any) -> Packet:
    protocol = draw(st.sampled_from([TCP, UDP, ICMP]))
    made = Packet(protocol, draw(addresses), draw(ports), draw(addresses), draw(ports), draw(st.binary(max_size=40)))
    made.ttl, made.df, made.id = draw(st.integers(1, 255)), draw(st.booleans()), draw(ports)
    if protocol == TCP:
        made.flags, made.window = draw(st.integers(0, 31)), draw(ports)
        made.seq, made.ack = draw(addresses), draw(addresses)
        made.mss = draw(st.sampled_from([0, 1460])) if made.flags & SYN else 0
    elif protocol == ICMP:
        made.flags, made.dport, made.seq = draw(st.sampled_from([0, 8])), made.sport, draw(ports)
    return made


SHOWN = ("protocol", "src", "sport", "dst", "dport", "ttl", "df", "id", "flags", "seq", "ack", "window", "mss")


@given(packets())
def test_a_packet_comes_back_from_its_bytes(packet: Packet) -> None:
    again = pk.decode(pk.encode(packet))
    assert [getattr(again, name) for name in SHOWN] == [getattr(packet, name) for name in SHOWN]
    assert again.payload == packet.payload
    assert packet.length == len(pk.encode(packet))


@given(packets())
def test_another_library_reads_the_same_and_finds_the_checksums_right(packet: Packet) -> None:
    frame = dpkt.ethernet.Ethernet(pk.encode_frame(Frame("02:42:00:00:00:01", "02:42:00:00:00:02", packet)))
    ip = frame.data
    assert (ip.src, ip.dst, ip.ttl, ip.p) == (
        packet.src.to_bytes(4, "big"), packet.dst.to_bytes(4, "big"), packet.ttl, packet.protocol,
    )  # fmt: skip
    wire = bytes(ip)
    ip.sum = 0
    ip.data.sum = 0
    again = bytes(ip)
    if packet.protocol == UDP and wire[26:28] == b"\xff\xff":  # a sum of zero is sent as all ones
        again = again[:26] + b"\xff\xff" + again[28:]
    assert again == wire
    if packet.protocol in (TCP, UDP):
        assert (ip.data.sport, ip.data.dport) == (packet.sport, packet.dport)


@given(packets(), st.integers(0, 60))
def test_what_is_damaged_or_cut_is_no_packet_or_another_one(packet: Packet, at: int) -> None:
    data = pk.encode(packet)
    with pytest.raises(ValueError, match="IPv4"):
        pk.decode(data[: min(at, len(data) - 1)])


def test_an_error_quotes_the_packet_that_it_is_about() -> None:
    about = Packet(TCP, number("10.0.0.1"), 40000, number("10.0.0.2"), 80, b"x" * 100, ACK)
    made = pk.error(about, number("10.0.0.9"), pk.UNREACHABLE, pk.TOO_BIG, 1400)
    assert made is not None
    again = pk.decode(pk.encode(made))
    assert again.quoted is not None
    assert (again.seq, again.quoted.tuple) == (1400, about.tuple)
    assert pk.error(made, 1, pk.UNREACHABLE, pk.HOST) is None


# Routes


@given(
    st.lists(st.tuples(addresses, st.integers(0, 32), st.integers(0, 3)), max_size=12), st.lists(addresses, max_size=8)
)
def test_the_longest_prefix_and_then_the_least_metric_wins(routes: list[Any], asked: list[int]) -> None:
    table, known = Table("main"), {}
    device: Any = SimpleNamespace(name="eth0")
    for address, length, metric in routes:
        prefix, _, _ = pk.network(f"{text(address)}/{length}")
        entry = Entry(prefix, length, device, metric=metric)
        table.add(entry)
        known[prefix, length, metric] = entry
    for address in [*asked, *(route[0] for route in routes)]:
        fitting = [e for e in known.values() if pk.network(f"{text(address)}/{e.length}")[0] == e.prefix]
        best = min(fitting, key=lambda e: (-e.length, e.metric), default=None)
        assert table.find(address) == best
    for entry in list(table):
        table.remove(entry)
    assert not list(table)
    assert table.find(0) is None


# TCP


class Wire:
    """Carries segments between two connections and may lose, repeat and reorder them."""

    def __init__(self, seed: int, loss: float):
        self.loop = Loop(VirtualClock())
        self.chance, self.loss = random.Random(seed), loss
        self.ends: dict[str, Connection] = {}
        self.opened_count = self.carried = 0

    def end(self, name: str) -> Connection:
        transport = SimpleNamespace(loop=self.loop, opened=self._opened, over=lambda connection, linger: None)
        made = Connection(transport, (name, 1), ("", 1), 1000, 500)  # type: ignore[arg-type]
        other = {"a": "b", "b": "a"}[name]

        def emit(connection: Connection, flags: int, seq: int, payload: bytes) -> None:
            self.carried += 1
            segment = Packet(TCP, 1, 1, 2, 2, payload, flags)
            segment.seq, segment.ack = seq, connection.rcv_next if flags & ACK else 0
            segment.mss = 500 if flags & SYN else 0
            for _ in range(2 if self.chance.random() < self.loss / 2 else 1):
                if self.chance.random() >= self.loss:
                    self.loop.call_later(self.chance.random() * 0.1, self._arrive, other, segment)

        transport.emit = emit
        self.ends[name] = made
        return made

    def _opened(self, connection: Connection) -> None:
        self.opened_count += 1

    def _arrive(self, name: str, segment: Packet) -> None:
        end = self.ends[name]
        if end.state == "CLOSED" and segment.flags & (SYN | ACK) == SYN:
            end.accept(segment)
        elif end.state not in ("CLOSED", "TIME_WAIT"):
            end.arrived(segment)
        elif end.state == "TIME_WAIT" and segment.flags & FIN:
            end._emit(ACK, end.sent, b"")


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.1, 0.3]), st.integers(0, 8_000), st.integers(0, 2_000))
def test_tcp_delivers_everything_once_and_in_order(seed: int, loss: float, there: int, back: int) -> None:
    wire = Wire(seed, loss)
    a, b = wire.end("a"), wire.end("b")
    content = {"a": random.Random(1).randbytes(there), "b": random.Random(2).randbytes(back)}
    got: dict[str, bytearray] = {"a": bytearray(), "b": bytearray()}
    fates: dict[str, list[str]] = {"a": [], "b": []}
    for name, end in (("a", a), ("b", b)):
        end.received, end.closed = got[name].extend, fates[name].append
    a.open()
    wire.loop.run_until(lambda: wire.opened_count == 2, 200)
    assert wire.opened_count == 2 or loss
    assume(wire.opened_count == 2)  # six handshakes may be lost
    for name, end in (("a", a), ("b", b)):
        end.send(content[name])
        end.close()
    wire.loop.run_for(3000)
    assert got == {"a": content["b"], "b": content["a"]}
    assert fates == {"a": [""], "b": [""]}
    assert wire.carried < 400, "nobody answers answers"


def test_a_reset_is_told_and_what_came_before_the_owner_listened_waits_for_it() -> None:
    wire = Wire(1, 0.0)
    a, b = wire.end("a"), wire.end("b")
    a.open()
    wire.loop.run_until(lambda: wire.opened_count == 2, 10)
    a.send(b"early")
    wire.loop.run_for(1)
    a.abort()
    wire.loop.run_for(1)
    told: list[Any] = []
    b.closed = told.append
    assert told == []
    b.received = told.append
    assert told == [b"early", "reset"]


# Netfilter


TEXT = """*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-SERVICES - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING ! -s 10.244.0.0/16 -d 10.244.0.0/16 -m mark ! --mark 0x4000/0x4000 -j MASQUERADE --random-fully
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-SERVICES ! -s 10.244.0.0/16 -m set --match-set KUBE-CLUSTER-IP dst,dst -j KUBE-MARK-MASQ
-A KUBE-SERVICES -i eth+ ! -o lo -p tcp -m multiport --dports 80,8000:8080 -j ACCEPT
-A KUBE-SERVICES -d 192.0.2.1/32 -p udp -m udp --dport 53 -m addrtype --dst-type LOCAL -j DNAT --to-destination 10.0.0.1
COMMIT
"""


def filters() -> Netfilter:
    sets = {"KUBE-CLUSTER-IP": IpSet("KUBE-CLUSTER-IP", "hash:ip,port")}
    return Netfilter(Conntrack(lambda: 0.0, lambda n: 0), sets, lambda address: "LOCAL", lambda device, to: 1)


def test_rules_are_saved_as_they_were_written() -> None:
    netfilter = filters()
    netfilter.restore(TEXT)
    assert netfilter.save("nat") == TEXT
    again = filters()
    again.restore(netfilter.save())
    assert again.save() == netfilter.save()


def test_a_rule_is_found_however_it_was_written() -> None:
    netfilter = filters()
    netfilter.command("-t nat -N A")
    netfilter.command(
        '-t nat -A A --source 10.0.0.1 -p tcp --dport 80 -m comment --comment "a b" -j MARK --or-mark 0x4000'
    )
    shown = 'A A -s 10.0.0.1/32 -p tcp -m tcp --dport 80 -m comment --comment "a b" -j MARK --set-xmark 0x4000/0x4000'
    assert f"-{shown}\n" in netfilter.save("nat")
    assert netfilter.command(f"-w 5 -t nat -C {shown[2:]}")
    assert not netfilter.command("-t nat -C A -s 10.0.0.2 -j ACCEPT")
    netfilter.command(f"-t nat -D {shown[2:]}")
    with pytest.raises(NetError, match="Bad rule"):
        netfilter.command(f"-t nat -D {shown[2:]}")


@pytest.mark.parametrize(
    "wrong",
    [
        "-A NONE -j ACCEPT",
        "-A INPUT -j NONE",
        "-A INPUT --nonsense 1 -j DROP",
        "-A INPUT -m set --match-set NONE dst -j DROP",
    ],
)
def test_a_restore_is_all_or_nothing(wrong: str) -> None:
    netfilter = filters()
    netfilter.restore("*filter\n:MINE - [0:0]\n-A INPUT -j MINE\nCOMMIT\n")
    before = netfilter.save()
    with pytest.raises(NetError):
        netfilter.restore(f"*filter\n:NEW - [0:0]\n-A INPUT -j NEW\n{wrong}\nCOMMIT\n")
    assert netfilter.save() == before


@given(st.lists(st.tuples(addresses, st.integers(8, 32)), min_size=1, max_size=8), addresses)
def test_a_set_of_networks_matches_what_lies_in_one(networks: list[tuple[int, int]], address: int) -> None:
    made = IpSet("S", "hash:net")
    entries = [f"{text(net)}/{size}" for net, size in networks]
    made.change(entries, ())
    for asked in [address, *(net for net, _ in networks)]:
        within = any(pk.network(f"{text(asked)}/{entry.split('/')[1]}")[0] == pk.network(entry)[0] for entry in entries)
        assert made.matches(Packet(TCP, 0, 0, asked, 0), [False]) == within
    made.change((), list(made.entries()))
    assert not made.matches(Packet(TCP, 0, 0, networks[0][0], 0), [False])


# Translation


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 4), st.booleans()), min_size=1, max_size=30))
def test_what_is_translated_is_unique_and_comes_back_as_it_was(flows: list[tuple[int, int, bool]]) -> None:
    """Many clients behind one address: no two flows look the same outside, and every answer finds its client."""
    tracking = Conntrack(lambda: 0.0, lambda n: 0)
    outside: dict[Any, Any] = {}
    for client, port, moved in dict.fromkeys(flows):
        packet = Packet(UDP, client, 1000 + port, 50, 80)
        before = packet.tuple
        if before in outside.values():
            continue
        tracking.track(packet)
        tracking.translate(packet.flow, DST, 60 if moved else None, range(8080, 8081) if moved else None)
        tracking.apply(packet, DST)
        tracking.translate(packet.flow, SRC, 99, None)
        tracking.apply(packet, SRC)
        assert tracking.confirm(packet)
        assert (packet.src, packet.dst) == (99, 60 if moved else 50)
        assert packet.tuple not in outside
        outside[packet.tuple] = before
    for (protocol, src, sport, dst, dport), before in outside.items():
        answer = Packet(protocol, dst, dport, src, sport)
        tracking.track(answer)
        assert (answer.state, answer.reply) == ("ESTABLISHED", True)
        tracking.apply(answer, DST)
        tracking.apply(answer, SRC)
        assert pk.inverse(answer.tuple) == before


# IPVS


def virtual(scheduler: str, weights: dict[int, int]) -> tuple[Ipvs, Any]:
    ipvs = Ipvs(lambda: 0.0, Conntrack(lambda: 0.0, lambda n: 0), lambda name: False)
    key = (TCP, 99, 80)
    ipvs.set_service(key, scheduler, 0)
    for server, weight in weights.items():
        ipvs.set_server(key, RealServer(text(server), 8080, weight))
    return ipvs, key


def chosen(ipvs: Ipvs, clients: Any, close: bool = False) -> Counter[int]:
    got: Counter[int] = Counter()
    for client, port in clients:
        packet = Packet(TCP, client, port, 99, 80, flags=SYN)
        assert ipvs.request(packet) is True
        got[packet.dst] += 1
    return got


MANY = [(7, 1000 + port) for port in range(1200)]


@pytest.mark.parametrize(
    ("scheduler", "wanted"),
    [
        ("rr", {1: 400, 2: 400, 3: 400, 4: 0}),
        ("wrr", {1: 200, 2: 400, 3: 600, 4: 0}),
        ("lc", {1: 400, 2: 400, 3: 400, 4: 0}),
        ("wlc", {1: 200, 2: 400, 3: 600, 4: 0}),
        ("sed", {1: 200, 2: 400, 3: 600, 4: 0}),
        ("nq", {1: 200, 2: 400, 3: 600, 4: 0}),
    ],
)
def test_a_scheduler_gives_each_server_its_share(scheduler: str, wanted: dict[int, int]) -> None:
    ipvs, _ = virtual(scheduler, {1: 1, 2: 2, 3: 3, 4: 0})
    got = chosen(ipvs, MANY)
    assert all(abs(got[server] - share) <= 2 for server, share in wanted.items()), got
    assert got[4] == 0


def test_the_next_in_turn_stays_the_next_when_the_last_goes() -> None:
    ipvs, key = virtual("rr", {1: 1, 2: 1, 3: 1})
    turn = [next(iter(chosen(ipvs, [(7, port)]))) for port in range(4)]
    ipvs.delete_server(key, text(turn[0]), 8080)
    assert turn[3] == turn[0]
    assert [next(iter(chosen(ipvs, [(8, port)]))) for port in range(2)] == turn[1:3]


def test_hashing_keeps_a_client_at_its_server() -> None:
    ipvs, _ = virtual("sh", {1: 1, 2: 1, 3: 1})
    by_client = [set(chosen(ipvs, [(client << 12, port) for port in range(5)])) for client in range(64)]
    assert all(len(servers) == 1 for servers in by_client)
    assert set().union(*by_client) == {1, 2, 3}
    ipvs, _ = virtual("dh", {1: 1, 2: 1, 3: 1})
    assert len(chosen(ipvs, [(client << 12, 1) for client in range(64)])) == 1


def test_least_connections_prefers_whoever_was_relieved() -> None:
    ipvs, key = virtual("lc", {1: 1, 2: 1})
    chosen(ipvs, MANY[:10])
    ipvs.delete_server(key, text(1), 8080)
    chosen(ipvs, MANY[10:20])
    ipvs.set_server(key, RealServer(text(1), 8080, 1))
    assert chosen(ipvs, MANY[20:28]) == {1: 8}, "it has its five connections still, the other has fifteen"


def test_a_sequence_of_chances_is_the_loop_s() -> None:
    """Ports of --random-fully follow from the seed."""
    given_ports = []
    for _ in range(2):
        chance = random.Random(5)
        tracking = Conntrack(lambda: 0.0, chance.randrange)
        packet = Packet(UDP, 1, 1000, 2, 80)
        tracking.track(packet)
        tracking.translate(packet.flow, SRC, 99, None, anew=True)
        tracking.apply(packet, SRC)
        given_ports.append(packet.sport)
    assert given_ports[0] == given_ports[1] != 1000
    assert deque(given_ports, 1)
