"""Somebody's component among refkube's: refkube plays every other part, so that this one alone is judged.

`gherkube run --component NAME` calls `beside`. The API is served on loopback, on real time; the component connects
with a kubeconfig that is written for it, and shows that it is there by asking for something in its own name.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from gherkube.drivers.base import TargetError
from gherkube.drivers.parts import PARTS, Stage

PATIENCE = 60.0  # real seconds that a component may take until it asks for something


@dataclass
class Component:
    """`start` is the command that starts it, "" if somebody else does. {kubeconfig} in it stands for the file, {node}
    for the name of the node where there is one for each."""

    name: str
    kubeconfig: Path
    start: str = ""
    patience: float = PATIENCE


@contextmanager
def beside(component: Component, say: object = print) -> Iterator[str]:
    """The target in which the component takes part, for as long as it lasts. Raises TargetError."""
    if component.name not in PARTS:
        raise TargetError(f"--component {component.name!r}: one of {', '.join(PARTS)}")
    words = _words(component.start)
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
                processes.append(_started(filled(words, kubeconfig=path, node=place)))
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


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as error:
        raise TargetError(f"--start {command!r}: {error}") from None


def filled(words: list[str], **values: object) -> list[str]:
    """A command with its {kubeconfig} and {node}."""
    for name, value in values.items():
        words = [word.replace(f"{{{name}}}", str(value)) for word in words]
    return words


def _file(path: Path, place: str) -> Path:
    return path.with_name(f"{path.name}.{place}") if place else path


def _write(path: Path, text: str) -> None:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
    except OSError as error:
        raise TargetError(f"cannot write {path}: {error.strerror}") from None


def _started(words: list[str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(words, start_new_session=True)
    except OSError as error:
        raise TargetError(f"cannot start {words[0]}: {error.strerror}") from None


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


def end(process: subprocess.Popen[bytes]) -> None:
    """With all that it has started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(5)
            return
        except (ProcessLookupError, PermissionError):
            return
        except subprocess.TimeoutExpired:
            continue
