"""Somebody's component among refkube's: refkube plays every other part, so that this one alone is judged.

`gherkube run --component NAME` calls `beside`. The API is served on loopback, on real time; the component connects
with a kubeconfig that is written for it, and shows that it is there by asking for something in its own name.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from gherkube.drivers.base import TargetError
from gherkube.drivers.parts import PARTS, Stage
from gherkube.drivers.processes import PATIENCE, end, filled, started

PROXY, KERNEL = "kube-proxy", "kernel"


@dataclass
class Component:
    """`start` is the command that starts it, "" if somebody else does. {kubeconfig} in it stands for the file, {node}
    for the name of the node where there is one for each."""

    name: str
    kubeconfig: Path
    start: str = ""
    patience: float = PATIENCE
    target: str = "reference"


@contextmanager
def beside(component: Component, say: object = print) -> Iterator[str]:
    """The target in which the component takes part, for as long as it lasts. Raises TargetError."""
    check(component)
    words = _words(component.start)
    if component.name == PROXY:
        yield f"{component.target}?{urlencode({PROXY: component.start})}"
        return
    try:
        stage = Stage(component.name)
    except ImportError as error:
        raise TargetError(str(error)) from None
    processes: list[subprocess.Popen[bytes]] = []
    own = component.kubeconfig.with_name(component.kubeconfig.name + ".suite")
    places = {place: _file(component.kubeconfig, place) for place in stage.places}
    try:
        for place, path in places.items():
            _write(path, stage.kubeconfig(place))
            if words:
                processes.append(started(filled(words, kubeconfig=path, node=place)))
            elif callable(say):
                say(f"waiting for {f'{component.name} {place}'.strip()}: connect it with KUBECONFIG={path}")
        _await(component, stage, processes)
        _write(own, stage.kubeconfig(None))
        capabilities = ",".join(stage.capabilities)
        yield f"kubeconfig:{own}?capabilities={capabilities}&component={quote(component.name)}"
    finally:
        for process in processes:
            end(process)
        stage.close()
        for path in (*places.values(), own):  # nothing answers there any more
            path.unlink(missing_ok=True)


def check(component: Component) -> None:
    """Raises TargetError where it cannot be had so, told in one line."""
    if component.name not in (*PARTS, PROXY):
        raise TargetError(f"--component {component.name!r}: one of {', '.join((*PARTS, PROXY))}")
    if component.name == PROXY and component.target != KERNEL:
        raise TargetError(
            f"somebody's {PROXY} works on a real kernel, which the simulated one is not: --target {KERNEL}"
        )
    if component.name == PROXY and not component.start:
        raise TargetError(f"{PROXY} is started in each node's network, where nobody else gets: --start says how")
    if component.name != PROXY and component.target != "reference":
        raise TargetError(f"{component.name} is judged among refkube's parts: it goes with no other --target")


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as error:
        raise TargetError(f"--start {command!r}: {error}") from None


def _file(path: Path, place: str) -> Path:
    return path.with_name(f"{path.name}.{place}") if place else path


def _write(path: Path, text: str) -> None:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
    except OSError as error:
        raise TargetError(f"cannot write {path}: {error.strerror}") from None


def _await(component: Component, stage: Stage, processes: list[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + component.patience
    while stage.missing:
        for process in processes:
            if process.poll() is not None:
                code = process.returncode
                raise TargetError(f"{component.name} ended with code {code} before it asked for anything")
        if time.monotonic() > deadline:
            which = f"{component.name} {min(stage.missing)}".strip()
            hint = "does it use the kubeconfig that was written for it?"
            raise TargetError(f"{which} asked for nothing within {component.patience:g} s; {hint}")
        time.sleep(0.05)
