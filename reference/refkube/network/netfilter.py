"""Netfilter's tables, written as iptables writes them and compiled once into closures.

The stack calls the hooks in Linux's order; a chain that has no rules costs nothing. Of the matches and targets there
are those that kube-proxy, flannel and CNI plugins use. Sources: iptables(8), iptables-extensions(8), what iptables-save
prints.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from refkube.hostnet import NetError
from refkube.network.conntrack import DST, SRC, UNTRACKED, Conntrack
from refkube.network.ipset import IpSet
from refkube.network.packet import ICMP, NAMES, NUMBERS, Packet, network, number, text

PREROUTING, INPUT, FORWARD, OUTPUT, POSTROUTING = "PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"
TABLES = {
    "raw": (PREROUTING, OUTPUT),
    "mangle": (PREROUTING, INPUT, FORWARD, OUTPUT, POSTROUTING),
    "nat": (PREROUTING, INPUT, OUTPUT, POSTROUTING),
    "filter": (INPUT, FORWARD, OUTPUT),
}
MANIP = {PREROUTING: DST, OUTPUT: DST, INPUT: SRC, POSTROUTING: SRC}
ACCEPT = "ACCEPT"
LONG = {
    "--table": "-t", "--append": "-A", "--insert": "-I", "--delete": "-D", "--check": "-C", "--new-chain": "-N",
    "--flush": "-F", "--delete-chain": "-X", "--policy": "-P", "--source": "-s", "--src": "-s", "--destination": "-d",
    "--dst": "-d", "--in-interface": "-i", "--out-interface": "-o", "--protocol": "-p", "--match": "-m", "--jump": "-j",
    "--destination-port": "--dport", "--source-port": "--sport", "--destination-ports": "--dports",
    "--source-ports": "--sports",
}  # fmt: skip
FLAGS = ("--random-fully", "--random", "--persistent", "--notrack", "--physdev-is-in", "--syn")


class Drop(NamedTuple):
    """The verdict that a packet goes no further, and what its sender is told."""

    reason: str
    answer: str = ""  # "icmp-port-unreachable", "tcp-reset" ...


Verdict = str | Drop | None
Match = Callable[[Packet, str, str], bool]
Act = Callable[[Packet, str, str], Verdict]


class Rule(NamedTuple):
    text: str  # as iptables-save has it, after "-A CHAIN "
    matches: tuple[Match, ...]
    act: Act
    jump: str = ""
    sets: tuple[IpSet, ...] = ()


class Chain:
    def __init__(self, name: str, policy: str = "-"):
        self.name, self.policy = name, policy
        self.rules: list[Rule] = []

    def run(self, packet: Packet, entered: str, leaves: str) -> Verdict:
        for rule in self.rules:
            for match in rule.matches:
                if not match(packet, entered, leaves):
                    break
            else:
                verdict = rule.act(packet, entered, leaves)
                if verdict is not None:
                    return None if verdict == "RETURN" else verdict
        return None


class Netfilter:
    """`sets` are the namespace's ipsets; `type_of` tells an address's type (LOCAL, UNICAST, BROADCAST); `source_at` the
    address that a device lends to what is masqueraded on its way to another."""

    def __init__(
        self,
        conntrack: Conntrack,
        sets: Mapping[str, IpSet],
        type_of: Callable[[int], str],
        source_at: Callable[[str, int], int],
    ):
        self.conntrack = conntrack
        self.tracking = False  # from the first rule on that needs it
        self._sets, self._type_of, self._source_at = sets, type_of, source_at
        self.tables = {table: {name: Chain(name, ACCEPT) for name in chains} for table, chains in TABLES.items()}
        self._active: dict[tuple[str, str], Chain] = {}

    # What the stack asks

    def filter(self, table: str, hook: str, packet: Packet, entered: str, leaves: str) -> Drop | None:
        """What a table says of a packet: None lets it pass."""
        chain = self._active.get((table, hook))
        if chain is None:
            return None
        verdict = chain.run(packet, entered, leaves) or chain.policy
        if verdict == "DROP":
            return Drop(f"policy of {table} {hook}")
        return verdict if isinstance(verdict, Drop) else None

    def nat(self, hook: str, packet: Packet, entered: str, leaves: str) -> Drop | None:
        """Decide a new flow's translation, then do as it was decided."""
        flow = packet.flow
        if flow is None:
            return None
        kind = MANIP[hook]
        if not flow.confirmed and not packet.reply and not flow.decided & kind and packet.quoted is None:
            drop = self.filter("nat", hook, packet, entered, leaves)
            if drop is not None:
                return drop
            if not flow.decided & kind:
                self.conntrack.translate(flow, kind, None, None)
        if flow.nat:
            self.conntrack.apply(packet, kind)
        return None

    # What the tools do

    def command(self, arguments: str) -> bool:
        words = list(_words(arguments))
        table, rest = "filter", []
        while words:
            word = words.pop(0)
            if word == "-t":
                table = words.pop(0)
            elif word not in ("-w", "--wait", "-n", "-W"):
                rest.append(word)
            elif words and words[0].isdigit():
                words.pop(0)
        if table not in self.tables:
            raise NetError(f"iptables: can't initialize iptables table `{table}': Table does not exist")
        try:
            return self._command(table, rest)
        finally:
            self._index()

    def restore(self, given: str) -> None:
        before = {t: {name: (c, c.policy, list(c.rules)) for name, c in at.items()} for t, at in self.tables.items()}
        table = ""
        try:
            for number_, line in enumerate(given.splitlines(), 1):
                line = line.strip()
                if not line or line[0] == "#":
                    continue
                if line[0] == "*":
                    table = line[1:]
                    if table not in self.tables:
                        raise NetError(f"iptables-restore: line {number_}: unknown table {table}")
                elif line == "COMMIT":
                    table = ""
                elif not table:
                    raise NetError(f"iptables-restore: line {number_} failed: not in a table")
                elif line[0] == ":":
                    self._declare(table, *line[1:].split()[:2])
                else:
                    self._command(table, list(_words(line)))
            if table:
                raise NetError(f"iptables-restore: COMMIT expected at line {number_ + 1}")
        except (NetError, ValueError, IndexError, KeyError) as refused:
            for name, chains in before.items():
                self.tables[name].clear()
                for chain, policy, rules in chains.values():
                    chain.policy, chain.rules = policy, rules
                    self.tables[name][chain.name] = chain
            raise refused if isinstance(refused, NetError) else NetError(f"iptables-restore: {refused}") from refused
        finally:
            self._index()

    def save(self, table: str = "") -> str:
        return "".join(self._saved(name) for name in TABLES if name == table or not table)

    def given(self) -> list[str]:
        return [
            f"{table} {chain.name} {rule.text}"
            for table, chains in self.tables.items()
            for chain in chains.values()
            for rule in chain.rules
        ]

    def decides(self, tables: tuple[str, ...], hook: str) -> bool:
        """Whether there is any rule for a packet that comes by."""
        return any((table, hook) in self._active for table in tables)

    @property
    def used(self) -> bool:
        return self.tracking or bool(self._active)

    def referenced(self, ipset: IpSet) -> bool:
        return any(ipset in rule.sets for rule in self._rules())

    # Inside

    def _rules(self) -> Iterator[Rule]:
        for chains in self.tables.values():
            for chain in chains.values():
                yield from chain.rules

    def _index(self) -> None:
        """Only chains that decide anything are run."""
        self._active = {
            (table, hook): self.tables[table][hook]
            for table, hooks in TABLES.items()
            for hook in hooks
            if self.tables[table][hook].rules or self.tables[table][hook].policy != ACCEPT
        }

    def _saved(self, table: str) -> str:
        chains = self.tables[table].values()
        heads = "".join(f":{chain.name} {chain.policy} [0:0]\n" for chain in chains)
        rules = "".join(f"-A {chain.name} {rule.text}\n" for chain in chains for rule in chain.rules)
        return f"*{table}\n{heads}{rules}COMMIT\n"

    def _declare(self, table: str, name: str, policy: str) -> None:
        if name in TABLES[table]:
            if policy != "-":
                self.tables[table][name].policy = policy
        elif name in self.tables[table]:
            self.tables[table][name].rules.clear()
        else:
            self.tables[table][name] = Chain(name)

    def _chain(self, table: str, name: str) -> Chain:
        try:
            return self.tables[table][name]
        except KeyError:
            raise NetError("iptables: No chain/target/match by that name.") from None

    def _command(self, table: str, words: list[str]) -> bool:
        chains, action = self.tables[table], words[0]
        name = words[1] if len(words) > 1 else ""
        if action == "-N":
            if name in chains:
                raise NetError("iptables: Chain already exists.")
            chains[name] = Chain(name)
            return True
        if action in ("-F", "-X") and not name:
            for each in [each for each in chains if action == "-F" or each not in TABLES[table]]:
                self._command(table, [action, each])
            return True
        chain = self._chain(table, name)
        if action == "-F":
            chain.rules.clear()
        elif action == "-P":
            chain.policy = words[2]
        elif action == "-X":
            if chain.rules:
                raise NetError("iptables: Directory not empty.")
            if name in TABLES[table] or any(rule.jump == name for at in chains.values() for rule in at.rules):
                raise NetError("iptables: Too many links.")
            del chains[name]
        else:
            return self._change(table, chain, action, words[2:])
        return True

    def _change(self, table: str, chain: Chain, action: str, words: list[str]) -> bool:
        at = 1
        if words and words[0].isdigit():
            at = int(words.pop(0))
            if action == "-D":
                del chain.rules[at - 1]
                return True
        rule = Parser(self, table, words).rule
        present = [known.text for known in chain.rules]
        if action == "-A":
            chain.rules.append(rule)
        elif action == "-I":
            chain.rules.insert(at - 1, rule)
        elif action == "-C":
            return rule.text in present
        elif action == "-D":
            if rule.text not in present:
                raise NetError("iptables: Bad rule (does a matching rule exist in that chain?).")
            del chain.rules[present.index(rule.text)]
        else:
            raise NetError(f"iptables: unknown option {action}")
        if action != "-C" and (table == "nat" or "--ctstate" in rule.text):
            self.tracking = True
        return True

    def to_set(self, name: str) -> IpSet:
        if name not in self._sets:
            raise NetError(f"iptables: Set {name} doesn't exist.")
        return self._sets[name]

    def to_chain(self, table: str, name: str) -> Chain:
        if name not in self.tables[table] or name in TABLES[table]:
            raise NetError(f"iptables: chain or target {name} does not exist")
        return self.tables[table][name]

    def type_of(self, address: int) -> str:
        return self._type_of(address)

    def source_at(self, device: str, towards: int) -> int:
        return self._source_at(device, towards)

    virtual_of: Callable[[Packet], tuple[int, int, int] | None] = staticmethod(lambda packet: None)
    """The virtual server (protocol, address, port) that a packet was sent on from; the stack says it, and the next."""

    is_bridge: Callable[[str], bool] = staticmethod(lambda device: False)


class Parser:
    """One rule's words, as iptables takes them."""

    def __init__(self, netfilter: Netfilter, table: str, words: list[str]):
        self._netfilter, self._table = netfilter, table
        self._head: dict[str, str] = {}
        self._modules: dict[str, list[str]] = {}
        self._matches: list[Match] = []
        self._target = ""
        self._options: dict[str, str] = {}
        self._protocol = 0
        self._sets: list[IpSet] = []
        words = list(words)
        negated = False
        while words:
            word = words.pop(0)
            if word == "!":
                negated = True
                continue
            value = "" if word in FLAGS else words.pop(0)
            if word == "--match-set":
                value += " " + words.pop(0)
            self._option(word, value, negated)
            negated = False
        matches = tuple(self._matches)
        self.rule = Rule(self._text(), matches, *self._act(), tuple(self._sets))

    def _option(self, word: str, value: str, negated: bool) -> None:
        if word == "-m":
            self._modules.setdefault(value, [])
        elif word == "-j":
            self._target = value
        elif word in HEADS:
            match, shown = getattr(self, HEADS[word])(value)
            self._head[word] = f"{'! ' if negated else ''}{word} {shown}"
            self._add(match, negated)
        elif word in MATCHES:
            module, method = MATCHES[word]
            module = module or NAMES[self._protocol]
            match, shown = getattr(self, method)(word, value)
            self._modules.setdefault(module, []).append(f"{'! ' if negated else ''}{word} {shown}".rstrip())
            if match is not None:
                self._add(match, negated)
        elif self._target:
            self._options[word] = value
        else:
            raise NetError(f'iptables: unknown option "{word}"')

    def _add(self, match: Match, negated: bool) -> None:
        self._matches.append((lambda p, i, o: not match(p, i, o)) if negated else match)

    def _text(self) -> str:
        parts = [self._head[word] for word in HEADS if word in self._head]
        for module, options in self._modules.items():
            parts += [f"-m {module}", *options]
        if self._target:
            parts.append(f"-j {self._target}")
        return " ".join([*parts, *_target_text(self._target, self._options)])

    # Matches: each gives a closure and the text that iptables-save has

    def _source(self, value: str) -> tuple[Match, str]:
        net, mask, size = network(value)
        return lambda p, i, o: p.src & mask == net, f"{text(net)}/{size}"

    def _destination(self, value: str) -> tuple[Match, str]:
        net, mask, size = network(value)
        return lambda p, i, o: p.dst & mask == net, f"{text(net)}/{size}"

    def _entered(self, value: str) -> tuple[Match, str]:
        if value.endswith("+"):
            return lambda p, i, o: i.startswith(value[:-1]), value
        return lambda p, i, o: i == value, value

    def _leaves(self, value: str) -> tuple[Match, str]:
        if value.endswith("+"):
            return lambda p, i, o: o.startswith(value[:-1]), value
        return lambda p, i, o: o == value, value

    def _of(self, value: str) -> tuple[Match, str]:
        protocol = self._protocol = NUMBERS[value.lower()] if value.lower() in NUMBERS else int(value)
        return lambda p, i, o: p.protocol == protocol, NAMES.get(protocol, value)

    def _port(self, word: str, value: str) -> tuple[Match, str]:
        first, _, last = value.partition(":")
        low, high = int(first or 0), int(last or (65535 if ":" in value else first))
        if word == "--dport":
            return lambda p, i, o: low <= p.dport <= high, value
        return lambda p, i, o: low <= p.sport <= high, value

    def _ports(self, word: str, value: str) -> tuple[Match, str]:
        ports: set[int] = set()
        for part in value.split(","):
            first, _, last = part.partition(":")
            ports.update(range(int(first), int(last or first) + 1))
        if word == "--dports":
            return lambda p, i, o: p.dport in ports, value
        if word == "--sports":
            return lambda p, i, o: p.sport in ports, value
        return lambda p, i, o: p.sport in ports or p.dport in ports, value

    def _set(self, word: str, value: str) -> tuple[Match, str]:
        name, _, directions = value.partition(" ")
        ipset = self._netfilter.to_set(name)
        self._sets.append(ipset)
        sources = [direction == "src" for direction in directions.split(",")]
        return lambda p, i, o: ipset.matches(p, sources), value

    def _mark(self, word: str, value: str) -> tuple[Match, str]:
        wanted, mask = _masked(value)
        shown = f"{wanted:#x}" + (f"/{mask:#x}" if mask != 0xFFFFFFFF else "")
        return lambda p, i, o: p.mark & mask == wanted, shown

    def _comment(self, word: str, value: str) -> tuple[None, str]:
        return None, _quoted(value)

    def _state(self, word: str, value: str) -> tuple[Match, str]:
        states = set(value.upper().split(","))

        def match(packet: Packet, entered: str, leaves: str) -> bool:
            if (packet.state or UNTRACKED) in states:
                return True
            nat = packet.flow.nat if packet.flow is not None else 0
            return bool(("DNAT" in states and nat & DST) or ("SNAT" in states and nat & SRC))

        return match, value.upper()

    def _type(self, word: str, value: str) -> tuple[Match, str]:
        type_of = self._netfilter.type_of
        if word == "--dst-type":
            return lambda p, i, o: type_of(p.dst) == value, value
        return lambda p, i, o: type_of(p.src) == value, value

    def _virtual(self, word: str, value: str) -> tuple[Match, str]:
        netfilter, at = self._netfilter, ("--vproto", "--vaddr", "--vport").index(word)
        wanted = number(value) if word == "--vaddr" else NUMBERS.get(value.lower()) or int(value)

        def match(packet: Packet, entered: str, leaves: str) -> bool:
            server = netfilter.virtual_of(packet)
            return server is not None and server[at] == wanted

        return match, str(wanted) if word == "--vproto" else value

    def _physical(self, word: str, value: str) -> tuple[Match, str]:
        netfilter = self._netfilter
        return lambda p, i, o: netfilter.is_bridge(i), ""

    def _icmp(self, word: str, value: str) -> tuple[Match, str]:
        names = {"echo-reply": 0, "destination-unreachable": 3, "echo-request": 8, "time-exceeded": 11}
        kind = names[value] if value in names else int(value)
        return lambda p, i, o: p.protocol == ICMP and p.flags == kind, str(kind)

    def _syn(self, word: str, value: str) -> tuple[Match, str]:
        return lambda p, i, o: p.flags & 0x17 == 2, ""

    # Targets

    def _act(self) -> tuple[Act, str]:
        target, options = self._target, self._options
        if target in ("", ACCEPT, "RETURN"):
            return (lambda p, i, o: target or None), ""
        if target == "DROP":
            drop = Drop(f"rule of {self._table}: {self._text()}")
            return (lambda p, i, o: drop), ""
        if target == "REJECT":
            reject = Drop(
                f"rule of {self._table}: {self._text()}", options.get("--reject-with", "icmp-port-unreachable")
            )
            return (lambda p, i, o: reject), ""
        if target == "MARK":
            value, mask = _xmark(options)
            return (lambda p, i, o: setattr(p, "mark", (p.mark & ~mask & 0xFFFFFFFF) ^ value)), ""
        if target in ("CT", "NOTRACK"):
            return (lambda p, i, o: setattr(p, "untracked", True)), ""
        if target in ("DNAT", "SNAT", "MASQUERADE", "REDIRECT"):
            return self._translation(target, options), ""
        chain = self._netfilter.to_chain(self._table, target)
        return chain.run, target

    def _translation(self, target: str, options: dict[str, str]) -> Act:
        netfilter, conntrack = self._netfilter, self._netfilter.conntrack
        anew = "--random-fully" in options or "--random" in options
        to = options.get("--to-destination") or options.get("--to-source") or ""
        address_text, _, port_text = to.partition(":")
        port_text = options.get("--to-ports", port_text)
        address = number(address_text) if address_text else None
        first, _, last = port_text.partition("-")
        ports = range(int(first), int(last or first) + 1) if port_text else None
        kind = DST if target in ("DNAT", "REDIRECT") else SRC

        def act(packet: Packet, entered: str, leaves: str) -> Verdict:
            wanted = address
            if target == "MASQUERADE":
                wanted = netfilter.source_at(leaves, packet.dst)
            elif target == "REDIRECT":
                wanted = netfilter.source_at(entered, packet.src) if entered else 0x7F000001
            conntrack.translate(packet.flow, kind, wanted, ports, anew)
            return ACCEPT

        return act


HEADS = {"-s": "_source", "-d": "_destination", "-i": "_entered", "-o": "_leaves", "-p": "_of"}
MATCHES = {
    "--dport": ("", "_port"), "--sport": ("", "_port"), "--dports": ("multiport", "_ports"),
    "--sports": ("multiport", "_ports"), "--ports": ("multiport", "_ports"), "--match-set": ("set", "_set"),
    "--mark": ("mark", "_mark"), "--comment": ("comment", "_comment"), "--ctstate": ("conntrack", "_state"),
    "--dst-type": ("addrtype", "_type"), "--src-type": ("addrtype", "_type"), "--icmp-type": ("icmp", "_icmp"),
    "--syn": ("tcp", "_syn"), "--vproto": ("ipvs", "_virtual"), "--vaddr": ("ipvs", "_virtual"),
    "--vport": ("ipvs", "_virtual"), "--physdev-is-in": ("physdev", "_physical"),
}  # fmt: skip


@lru_cache(4096)
def _words(line: str) -> tuple[str, ...]:
    """Many nodes have the same rules, and they are restored again and again."""
    return tuple(LONG.get(word, word) for word in shlex.split(line))


def _masked(value: str) -> tuple[int, int]:
    wanted, _, mask = value.partition("/")
    return int(wanted, 0), int(mask, 0) if mask else 0xFFFFFFFF


def _xmark(options: dict[str, str]) -> tuple[int, int]:
    """Value and mask of --set-xmark, which all others are shorthands of."""
    (option, given), *_ = options.items()
    value, mask = _masked(given)
    if option == "--set-mark":
        return value, mask | value
    if option == "--or-mark":
        return value, value
    if option == "--xor-mark":
        return value, 0
    if option == "--and-mark":
        return 0, ~value & 0xFFFFFFFF
    return value, mask


def _target_text(target: str, options: dict[str, str]) -> list[str]:
    if target == "MARK":
        value, mask = _xmark(options)
        return [f"--set-xmark {value:#x}/{mask:#x}"]
    if target == "REJECT":
        return [f"--reject-with {options.get('--reject-with', 'icmp-port-unreachable')}"]
    return [f"{option} {value}".rstrip() for option, value in options.items()]


def _quoted(value: str) -> str:
    if re.fullmatch(r"[\w-]+", value):
        return value
    return '"' + re.sub(r'(["\\\'])', r"\\\1", value) + '"'
