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
    """`start` is the command that starts it, "" if somebody else does; {kubeconfig} in it stands for the file."""

    name: str
    kubeconfig: Path
    start: str = ""
    patience: float = PATIENCE


@contextmanager
def beside(component: Component, say: object = print) -> Iterator[str]:
    """The target in which the component takes part, for as long as it lasts. Raises TargetError."""
    if component.name not in PARTS:
        raise TargetError(f"--component {component.name!r}: one of {', '.join(PARTS)}")
    words = _command(component)
    try:
        stage = Stage(component.name)
    except ImportError as error:
        raise TargetError(str(error)) from None
    process = None
    own = component.kubeconfig.with_name(component.kubeconfig.name + ".suite")
    try:
        _write(component.kubeconfig, stage.kubeconfig(of_component=True))
        _write(own, stage.kubeconfig(of_component=False))
        if words:
            process = _started(words)
        elif callable(say):
            say(f"waiting for {component.name}: connect it with KUBECONFIG={component.kubeconfig}")
        _await(component, stage, process)
        capabilities = ",".join(stage.capabilities)
        yield f"kubeconfig:{own}?capabilities={capabilities}&component={quote(component.name)}"
    finally:
        if process is not None:
            _end(process)
        stage.close()
        for path in (component.kubeconfig, own):  # nothing answers there any more
            path.unlink(missing_ok=True)


def _command(component: Component) -> list[str]:
    try:
        words = shlex.split(component.start)
    except ValueError as error:
        raise TargetError(f"--start {component.start!r}: {error}") from None
    return [word.replace("{kubeconfig}", str(component.kubeconfig)) for word in words]


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


def _await(component: Component, stage: Stage, process: subprocess.Popen[bytes] | None) -> None:
    deadline = time.monotonic() + component.patience
    while not stage.seen():
        if process is not None and process.poll() is not None:
            raise TargetError(f"{component.name} ended with code {process.returncode} before it asked for anything")
        if time.monotonic() > deadline:
            hint = "does it use the kubeconfig that was written for it?"
            raise TargetError(f"{component.name} asked for nothing within {component.patience:g} s; {hint}")
        time.sleep(0.05)


def _end(process: subprocess.Popen[bytes]) -> None:
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
