"""Rules and sets of a namespace, through iptables, netlink and conntrack.

A command is dear (a tenth of a second under User Mode Linux), and a component gives many in one go: changes are kept
until time is to pass, somebody asks or sends, and then given all at once, sets before the rules that name them. What is
refused then is told to the loop. Where nobody else changes a namespace, what was read once is known; in a shared one
the kernel is asked, and of the sets those that were there are taken over.
"""

from __future__ import annotations

import errno
import os
import re
import shlex
import shutil
from collections.abc import Iterable
from functools import cache
from typing import TypeVar

from refkube.hostnet import Endpoint, Flow, NetError
from refkube.linux.inside import Inside
from refkube.linux.ipset import IpSets
from refkube.linux.poller import SocketPoller

T = TypeVar("T")

_LATER = {"-A", "-I", "-N", "-D", "-F", "-X", "-P"}
_TABLE = re.compile(r"(?:^|\s)-t\s+(\S+)")


class Netfilter:
    def __init__(self, inside: Inside, poller: SocketPoller):
        self._inside = inside
        self._poller = poller
        self._rules: list[str] = []  # texts for iptables-restore
        self._sets: list[tuple[str, ...]] = []  # what `linux.ipset` is to do
        self._ipset: IpSets | None = None
        self._types: dict[str, str] = {}
        self._entries: dict[str, set[str]] = {}
        self._there: dict[tuple[str, str], list[str]] = {}  # (table, chain) -> its rules, as they were given
        self._doubtful: set[tuple[str, str]] = set()  # chains of which a rule is gone that nobody had given like that
        self._saved: str | None = None
        self.shared = inside.own
        if inside.own:
            self._take_over()

    # Rules

    def iptables(self, arguments: str) -> bool:
        table = found[1] if (found := _TABLE.search(arguments)) else "filter"
        rest = _TABLE.sub(" ", arguments, count=1).strip()
        command, _, rule = rest.partition(" ")
        chain, _, rule = rule.strip().partition(" ")
        if command == "-C" and (self.shared or (table, chain) in self._doubtful):
            self.flush()
            return self._inside.run([tool("iptables"), "-w", *shlex.split(arguments)])[0] == 0
        if command == "-C":
            return rule in self._there.get((table, chain), ())
        if command not in _LATER:
            raise NetError(errno.EINVAL, f"iptables {command} is not for here")
        self._note(table, command, chain, rule)
        self._later(self._rules, f"*{table}\n{f':{chain} - [0:0]' if command == '-N' else rest}\nCOMMIT\n")
        return True

    def restore(self, text: str) -> None:
        table = ""
        for line in text.splitlines():
            if line.startswith("*"):
                table = line[1:].strip()
            elif line.startswith(":") and " - " in line:  # a chain of the user's
                self._there.pop((table, line[1:].split()[0]), None)
                self._doubtful.discard((table, line[1:].split()[0]))
            elif line.startswith("-"):
                command, _, rest = line.partition(" ")
                chain, _, rule = rest.partition(" ")
                self._note(table, command, chain, rule)
        self._later(self._rules, text if text.endswith("\n") else text + "\n")

    def save(self, table: str = "") -> str:
        self.flush()
        if self._saved is None or self.shared:
            self._saved = self._command([tool("iptables-save")])
        if not table:
            return self._saved
        _, begin, rest = self._saved.partition(f"*{table}\n")
        rules, end, _ = rest.partition("COMMIT\n")
        return begin + rules + end

    def _note(self, table: str, command: str, chain: str, rule: str) -> None:
        """What is there from now on: whoever asks writes a rule as it was written before."""
        rules = self._there.setdefault((table, chain), [])
        if command in ("-A", "-I"):
            rules.append(rule)
        elif command == "-D" and rule in rules:
            rules.remove(rule)
        elif command == "-D":
            rules.append(f"without {rule}")
            self._doubtful.add((table, chain))
        elif command in ("-F", "-X"):
            rules.clear()
            self._doubtful.discard((table, chain))

    def given(self) -> list[str]:
        if self.shared:
            return [line for line in self.save().splitlines() if line.startswith("-A")]
        return [f"{table} {chain} {rule}" for (table, chain), rules in self._there.items() for rule in rules]

    # Sets

    def ipsets(self) -> dict[str, str]:
        return dict(self._types)

    def create_ipset(self, name: str, type: str, options: str) -> None:
        if name in self._types:
            raise NetError(errno.EEXIST, "ipset: Set cannot be created: set with the same name already exists")
        self._types[name] = type
        self._entries[name] = set()
        self._later(self._sets, ("create", name, type, options))

    def destroy_ipset(self, name: str) -> None:
        self._known(name)
        self.flush()
        self._inside(self._change_sets, [("destroy", name)])
        del self._types[name], self._entries[name]

    def ipset_entries(self, name: str) -> set[str]:
        self._known(name)
        return set(self._entries[name])

    def change_ipset(self, name: str, add: Iterable[str], remove: Iterable[str]) -> None:
        self._known(name)
        held = self._entries[name]
        for verb, entries in (("add", set(add) - held), ("delete", set(remove) & held)):
            for entry in sorted(entries):
                self._later(self._sets, (verb, name, self._types[name], entry))
            held.symmetric_difference_update(entries)

    def _take_over(self) -> None:
        for line in self._command(["ipset", "save"]).splitlines():
            verb, name, what, *_ = line.split()
            if verb == "create":
                self._types[name], self._entries[name] = what, set()
            else:
                self._entries[name].add(what)

    def _known(self, name: str) -> None:
        if name not in self._types:
            raise NetError(errno.ENOENT, "ipset: The set with the given name does not exist")

    # All at once

    def flush(self) -> None:
        """Give what is kept. Raises NetError for the first thing refused."""
        sets, self._sets = self._sets, []
        rules, self._rules = self._rules, []
        if sets:
            self._inside(self._change_sets, sets)
        if rules:
            self._saved = None
            try:
                self._command([tool("iptables-restore"), "-w", "--noflush"], "".join(rules))
            except NetError:
                for chain, known in self._there.items():  # what is there now is not known
                    known.append("refused")
                    self._doubtful.add(chain)
                raise

    def _change_sets(self, changes: list[tuple[str, ...]]) -> None:
        self._ipset = self._ipset or IpSets()
        for verb, *words in changes:
            getattr(self._ipset, verb)(*words)

    def close(self) -> None:
        if self._ipset is not None:
            self._inside(self._ipset.close)

    def _later(self, kept: list[T], change: T) -> None:
        kept.append(change)
        self._poller.do_first(self.flush)

    # Connections

    def flows(self) -> list[Flow]:
        lines = self._command(["conntrack", "-L", "-o", "extended"]).splitlines()
        return [flow for line in lines if (flow := _flow(line))]

    def forget_flows(self, protocol: str, destination: Endpoint | None, reply_source: Endpoint | None) -> int:
        command = ["conntrack", "-D", "-p", protocol.lower()]
        if destination:
            command += _options(destination, "--orig-dst", "--orig-port-dst")
        if reply_source:
            command += _options(reply_source, "--reply-src", "--reply-port-src")
        code, out, errors = self._inside.run(command)
        if code > 1:
            raise NetError(code, errors.strip())
        return len(out.splitlines())

    def _command(self, command: list[str], text: str = "") -> str:
        return self._check(self._inside.run(command, text), command[0])

    @staticmethod
    def _check(done: tuple[int, str, str], what: str) -> str:
        code, out, errors = done
        if code:
            raise NetError(code, errors.strip() or f"{what} ended with {code}")
        return out


@cache
def tool(name: str) -> str:
    """The legacy form of iptables where there is one: User Mode Linux has no NAT for the other."""
    first, dash, rest = name.partition("-")
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
    return shutil.which(f"{first}-legacy{dash}{rest}", path=path) or shutil.which(name, path=path) or name


def _options(end: Endpoint, address: str, port: str) -> list[str]:
    return [*((address, end[0]) if end[0] else ()), *((port, str(end[1])) if end[1] else ())]


def _flow(line: str) -> Flow | None:
    """ "ipv4 2 tcp 6 117 TIME_WAIT src=.. dst=.. sport=.. dport=.. src=.. dst=.. sport=.. dport=.. mark=0" """
    words = line.split()
    values: dict[str, list[str]] = {}
    for name, _, value in (word.partition("=") for word in words if "=" in word):
        values.setdefault(name, []).append(value)
    if len(values.get("src", ())) < 2:
        return None
    (source, destination), (reply_source, reply_destination) = (
        tuple(
            (values[address][side], int(values[port][side]) if port in values else 0)
            for address, port in (("src", "sport"), ("dst", "dport"))
        )
        for side in (0, 1)
    )
    return Flow(
        words[2].upper(),
        source,
        destination,
        reply_source,
        reply_destination,
        words[5] if words[2] == "tcp" else "",
        int(values.get("mark", ["0"])[0]),
        int(words[4]),
        next((status for status in ("ASSURED", "UNREPLIED") if f"[{status}]" in words), ""),
    )
