"""Processes of somebody's components: started by a command with places to fill, ended with all that they started.

Used by `gherkube.component` and by the driver `kernel`.
"""

from __future__ import annotations

import os
import signal
import subprocess

from gherkube.drivers.base import TargetError

PATIENCE = 60.0  # real seconds that a component may take until it asks for something


def filled(words: list[str], **values: object) -> list[str]:
    """A command with its {kubeconfig} and {node}."""
    for name, value in values.items():
        words = [word.replace(f"{{{name}}}", str(value)) for word in words]
    return words


def started(words: list[str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(words, start_new_session=True)
    except OSError as error:
        raise TargetError(f"cannot start {words[0]}: {error.strerror}") from None


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
