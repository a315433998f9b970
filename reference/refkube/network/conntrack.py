"""Connection tracking: flows by both of their tuples, with NAT both ways (net/netfilter/nf_conntrack*, nf_nat*).

A flow that is over goes when somebody looks for it or at all of them, so that no timer runs for it. Entered through
netfilter and, for connections that IPVS redirects, through `redirect`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from refkube.network.packet import ACK, ECHO, ECHO_REPLY, FIN, ICMP, RST, SYN, TCP, UDP, Packet, Tuple, inverse

SRC, DST = 1, 2
NEW, ESTABLISHED, RELATED, INVALID, UNTRACKED = "NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED"
TIMEOUTS = {
    "SYN_SENT": 120, "SYN_RECV": 60, "ESTABLISHED": 432000, "FIN_WAIT": 120, "CLOSE_WAIT": 60, "LAST_ACK": 30,
    "TIME_WAIT": 120, "CLOSE": 10,
}  # fmt: skip
# What a FIN and an ACK make of a state, from either side.
FINS = {"ESTABLISHED": "FIN_WAIT", "SYN_RECV": "FIN_WAIT", "FIN_WAIT": "LAST_ACK", "CLOSE_WAIT": "LAST_ACK"}
ACKS = {"SYN_RECV": "ESTABLISHED", "FIN_WAIT": "CLOSE_WAIT", "LAST_ACK": "TIME_WAIT"}


class Tracked:
    """A flow: the tuple as it came, and the tuple that an answer is expected with."""

    __slots__ = (
        "assured",
        "confirmed",
        "decided",
        "expires",
        "mark",
        "nat",
        "original",
        "reply",
        "seen_reply",
        "state",
    )

    def __init__(self, original: Tuple):
        self.original, self.reply = original, inverse(original)
        self.state, self.mark, self.expires = "", 0, 0.0
        self.confirmed = self.seen_reply = self.assured = False
        self.decided = 0  # whether source and destination NAT have been decided on
        self.nat = 0  # which of them are translated


class Conntrack:
    def __init__(self, now: Callable[[], float], choose: Callable[[int], int]):
        self._now = now
        self._choose = choose
        self._flows: dict[Tuple, Tracked] = {}
        self._swept = 0.0

    def __iter__(self) -> Iterator[Tracked]:
        now = self._now()
        for tuple, flow in list(self._flows.items()):
            if flow.expires <= now:
                self.forget(flow)
            elif tuple == flow.original:
                yield flow

    def __len__(self) -> int:
        return len(self._flows) // 2

    def track(self, packet: Packet) -> None:
        """Tell the packet which flow it is of, and in which state that is."""
        if packet.flow is not None or packet.untracked:
            return
        if packet.protocol == ICMP and packet.flags not in (ECHO, ECHO_REPLY):
            self._relate(packet)
            return
        tuple = packet.tuple
        flow = self._find(tuple)
        if (
            flow is not None
            and packet.protocol == TCP
            and packet.flags & (SYN | ACK) == SYN
            and tuple == flow.original
            and flow.state in ("TIME_WAIT", "CLOSE")
        ):
            self.forget(flow)  # the ports are used anew
            flow = None
        if flow is None:
            if not _begins(packet):
                packet.state = INVALID
                return
            flow = Tracked(tuple)
        packet.flow, packet.reply = flow, tuple != flow.original
        packet.state = ESTABLISHED if packet.reply or flow.seen_reply else NEW
        self._advance(flow, packet)

    def confirm(self, packet: Packet) -> bool:
        """The packet left or arrived: its flow is one now. False if another was faster with its tuples."""
        flow = packet.flow
        if flow is None or flow.confirmed:
            return True
        if self._find(flow.original) is not None or self._find(flow.reply) is not None:
            return False
        flow.confirmed = True
        self._flows[flow.original] = self._flows[flow.reply] = flow
        self._sweep()
        return True

    def forget(self, flow: Tracked) -> None:
        for tuple in (flow.original, flow.reply):
            if self._flows.get(tuple) is flow:
                del self._flows[tuple]

    def redirect(self, packet: Packet, address: int, port: int) -> None:
        """IPVS sends the connection there: an answer is expected from there (ip_vs_nfct.c)."""
        flow = packet.flow
        if flow is None or flow.confirmed or packet.reply:
            return
        reply = flow.reply
        flow.reply = (reply[0], address, port, reply[3], reply[4])

    # NAT

    def translate(self, flow: Tracked, kind: int, address: int | None, ports: range | None, anew: bool = False) -> None:
        """Decide a new flow's source or destination: None keeps the address. A source gets a port that is free, `anew`
        one of chance."""
        flow.decided |= kind
        proto, answers, answer_port, asks, ask_port = flow.reply
        if kind == DST:
            if address is None:
                return
            port = answer_port if ports is None else ports[0]
            flow.reply = (proto, address, port, asks, ask_port)
        else:
            address = asks if address is None else address
            port = self._port((proto, answers, answer_port, address), ask_port, ports, anew and address != asks)
            flow.reply = (proto, answers, answer_port, address, port)
        if flow.reply != (proto, answers, answer_port, asks, ask_port):
            flow.nat |= kind

    def apply(self, packet: Packet, kind: int) -> None:
        """Rewrite the packet's source or destination as its flow demands."""
        flow = packet.flow
        if packet.protocol == ICMP and packet.quoted is not None:
            self._apply_quoted(packet, kind)
            return
        if not flow.nat & (kind ^ 3 if packet.reply else kind):
            return
        target = inverse(flow.original if packet.reply else flow.reply)
        if kind == SRC:
            packet.src, packet.sport = target[1], target[2]
        else:
            packet.dst, packet.dport = target[3], target[4]
        if packet.protocol == ICMP:
            packet.sport = packet.dport = target[2]

    def _apply_quoted(self, packet: Packet, kind: int) -> None:
        """An error goes to who sent the packet that it quotes, which has to look as it was sent."""
        flow, quoted = packet.flow, packet.quoted
        assert quoted is not None
        if not flow.nat & (kind ^ 3 if packet.reply else kind):
            return
        target = inverse(flow.original if packet.reply else flow.reply)
        if kind == SRC:
            quoted.dst, quoted.dport = target[1], target[2]
            packet.src = target[1]
        else:
            quoted.src, quoted.sport = target[3], target[4]
            packet.dst = target[3]

    def _port(self, taken: tuple[int, int, int, int], wanted: int, ports: range | None, anew: bool) -> int:
        def free(port: int) -> bool:
            return self._find((*taken, port)) is None

        proto = taken[0]
        if not anew and (ports is None or wanted in ports) and free(wanted):
            return wanted
        span = ports or (
            range(1024, 65536)
            if wanted >= 1024 or proto == ICMP
            else range(600, 1024)
            if wanted >= 512
            else range(1, 512)
        )
        start = self._choose(len(span)) if anew else wanted % len(span)
        for step in range(len(span)):
            port = span[(start + step) % len(span)]
            if free(port):
                return port
        return wanted

    # Inside

    def _find(self, tuple: Tuple) -> Tracked | None:
        flow = self._flows.get(tuple)
        if flow is not None and flow.expires <= self._now():
            self.forget(flow)
            return None
        return flow

    def _relate(self, packet: Packet) -> None:
        """An ICMP error belongs to the flow of the packet that it is about."""
        packet.state = INVALID
        if packet.quoted is None:
            return
        tuple = inverse(packet.quoted.tuple)
        flow = self._find(tuple)
        if flow is not None:
            packet.flow, packet.reply, packet.state = flow, tuple != flow.original, RELATED

    def _advance(self, flow: Tracked, packet: Packet) -> None:
        if packet.reply:
            flow.assured = flow.assured or packet.protocol != TCP or flow.seen_reply
            flow.seen_reply = True
        if packet.protocol == TCP:
            flow.state = self._tcp(flow.state, packet)
            timeout: float = TIMEOUTS[flow.state]
            flow.assured = flow.seen_reply and flow.state not in ("SYN_SENT", "SYN_RECV")
        elif packet.protocol == UDP:
            timeout = 120 if flow.seen_reply else 30
        else:
            timeout = 30 if packet.protocol == ICMP else 600
        flow.expires = self._now() + timeout

    def _tcp(self, state: str, packet: Packet) -> str:
        flags = packet.flags
        if flags & RST:
            return "CLOSE"
        if flags & SYN:
            if packet.reply and flags & ACK:
                return "SYN_RECV" if state == "SYN_SENT" else state
            return state or "SYN_SENT"
        if flags & FIN:
            return FINS.get(state, state or "ESTABLISHED")
        if state == "SYN_RECV" and packet.reply:
            return state
        return ACKS.get(state, state or "ESTABLISHED")

    def _sweep(self) -> None:
        """What is over goes, now and then, however many are made."""
        now = self._now()
        if now - self._swept > 60:
            self._swept = now
            for flow in [flow for flow in self._flows.values() if flow.expires <= now]:
                self.forget(flow)


def _begins(packet: Packet) -> bool:
    """Whether a flow can begin with it; one that was there before it was tracked begins in the middle."""
    if packet.protocol == TCP:
        return not packet.flags & (RST | FIN) and packet.flags & (SYN | ACK) != SYN | ACK
    return packet.protocol != ICMP or packet.flags == ECHO
