"""A program's names: /etc/hosts first, then the servers of /etc/resolv.conf."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from typing import Any

from refkube.hostnet.resolver import Config, Found, config_of, search
from refkube.kubelet.runtime.process import Process, Resume, Wait

_ADDRESS = re.compile(r"\d+(\.\d+){3}")


def resolve(process: Process, name: str) -> Generator[Wait, Any, str | None]:
    """One address; None if the name has none."""
    found = yield from look_up(process, name)
    return found.values[0] if found.values else None


def look_up(process: Process, name: str, type: str = "A") -> Generator[Wait, Any, Found]:
    if _ADDRESS.fullmatch(name):
        return Found("NOERROR", name, values=(name,))
    for line in _text(process, "/etc/hosts").splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        if name in names and type == "A":
            return Found("NOERROR", name, values=(address,))
    config = configured(process)
    if not config.nameservers:
        return Found("SERVFAIL")

    def wait(resume: Resume) -> Callable[[], object]:
        return search(process.net, process.loop, config, name, resume, type).close

    return (yield wait)


def configured(process: Process) -> Config:
    return config_of(_text(process, "/etc/resolv.conf"))


def _text(process: Process, path: str) -> str:
    return process.files.read(path).decode(errors="replace") if process.files.find(path) is not None else ""
