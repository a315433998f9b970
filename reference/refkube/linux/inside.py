"""A network namespace as a thread that is in it: what a namespace is asked for is done there.

A socket belongs for good to the namespace it was made in, whoever uses it; netlink, /proc/sys/net and commands belong
to that of the thread that speaks to them.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from refkube.hostnet import NetError

P = ParamSpec("P")
T = TypeVar("T")

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class Inside:
    """A new namespace, or the one that this process is in (`own`). `handle` is a descriptor of it, `path` its file for
    others (nsenter --net=...)."""

    def __init__(self, name: str, own: bool = False):
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self.own = own
        self.handle, self.path = self(_here if own else _enter)

    def __call__(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do it there, and give what it gives or raises."""
        return self._thread.submit(work, *args, **kwargs).result()

    def run(self, command: list[str], text: str = "") -> tuple[int, str, str]:
        """A command, with `text` to read: exit code, output, errors."""
        done = self(subprocess.run, command, input=text, capture_output=True, text=True, check=False, close_fds=False)
        return done.returncode, done.stdout, done.stderr

    def close(self) -> None:
        """The kernel removes a namespace when nobody is in it and no socket of it is open."""
        self._thread.shutdown(wait=True)
        os.close(self.handle)


def _enter() -> tuple[int, str]:
    if _libc.unshare(_CLONE_NEWNET):
        raise NetError(ctypes.get_errno(), "no namespace can be made: " + os.strerror(ctypes.get_errno()))
    return _here()


def _here() -> tuple[int, str]:
    path = f"/proc/{os.getpid()}/task/{_libc.gettid()}/ns/net"
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC), path
