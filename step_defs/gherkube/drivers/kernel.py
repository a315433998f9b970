"""The target `kernel`: the reference's control plane over the data path of a real Linux kernel.

Everything but the packets is as with the target `reference`; time passes while the cluster has nothing to do but wait.
Where this machine's kernel has no virtual servers, or this is not root, the run is made again in User Mode Linux
(`in_guest`).
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from refkube.apiserver.authentication import ADMIN
from refkube.cluster import KUBE_PROXY, Cluster, Networking, real_kernel
from refkube.engine.clock import WaitingClock
from refkube.hostnet import NetError

from gherkube import uml
from gherkube.drivers.base import NotOffered, TargetError
from gherkube.drivers.foreign import USER, Proxies
from gherkube.drivers.reference import SCHEDULER, ReferenceDriver

SPEED = 10  # seconds of the cluster's time that pass in one in which it waits
KEPT = ("PATH", "HOME", "LANG", "PYTHONPATH", "PYTHONPYCACHEPREFIX")  # of the environment, in the guest
GUEST = "GHERKUBE_GUEST"  # the environment variable that says that this is the guest


class KernelDriver(ReferenceDriver):
    name = target = "kernel"
    declared = capabilities = ReferenceDriver.declared - {"time.skip"}

    def __init__(self, speed: int = SPEED, proxy: str = "") -> None:
        super().__init__()
        self._speed = speed if not proxy else 1  # a process of somebody's lives on real time
        self._proxy = shlex.split(proxy)
        self._proxies: Proxies | None = None
        if proxy:
            self.parameters = {**self.parameters, "component": KUBE_PROXY, "others": "refkube"}
        if why := lacking():
            raise TargetError(f"target 'kernel': {why}")

    def make(self, **more: Any) -> Cluster:
        clock = WaitingClock(self._speed)
        if self._proxy and self._networking().kube_proxy:
            self._proxies = Proxies(self._proxy, self._parameter(SCHEDULER))
            more["users"] = {"admin": ADMIN, self._proxies.token: USER}
        cluster = super().make(clock=clock, kernel=real_kernel(clock), **more)
        if self._proxies is not None:
            try:
                self._proxies.await_all(cluster)
            except TargetError:
                cluster.close()
                raise
        return cluster

    def _networking(self) -> Networking:
        made = super()._networking()
        return replace(made, foreign_proxy=self._proxies.of) if self._proxies is not None else made

    def choose(self, parameter: str, value: str) -> None:
        if parameter == SCHEDULER and self._proxy and not any("{scheduler}" in word for word in self._proxy):
            raise NotOffered(f"{KUBE_PROXY} is not told its {parameter}: there is no {{scheduler}} in its command")
        super().choose(parameter, value)

    def implementation(self) -> dict[str, str]:
        return {} if self._proxy else super().implementation()

    def end(self) -> None:
        if self._cluster is not None:
            self._cluster.close()
        if self._proxies is not None:
            self._proxies.close()
            self._proxies = None
        super().end()

    def close(self) -> None:
        self.end()
        super().close()


@cache
def lacking() -> str:
    """Why the data path cannot be had from this machine's kernel; "" where it can."""
    try:
        real_kernel()
    except ImportError as missing:
        return f"the package {missing.name} is missing; install gherkube[linux]"
    except NetError as why:
        return str(why)
    return ""


def in_guest(command: Sequence[str]) -> int | None:
    """Run Python with these arguments under User Mode Linux: its exit code; None where this machine's kernel will do.

    Raises TargetError where neither will.
    """
    if os.environ.get(GUEST) or not (why := lacking()):
        return None
    if missing := uml.missing():
        raise TargetError(f"target 'kernel': {why}; User Mode Linux is {missing}")
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    print(f"{why}; so it is User Mode Linux's:", flush=True)
    try:
        return uml.run([sys.executable, *command], {**kept, GUEST: "1"})
    except uml.NoGuest as told:
        raise TargetError(f"target 'kernel': {told}") from None
