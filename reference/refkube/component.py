"""One component as a process of its own, beside an API server that it reaches by a kubeconfig.

The commands of `cli` make it. Where only one of a kind may act it waits until it holds the lease; it ends when it is
told to by a signal, or when it has lost the lease, as upstream's do.
"""

from __future__ import annotations

import signal
from base64 import b64decode
from collections.abc import Callable, Mapping
from pathlib import Path

import yaml
from lightkube.config.kubeconfig import KubeConfig
from lightkube.core.exceptions import ConfigError

from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.rest import UserInfo
from refkube.client.client import Client
from refkube.client.http import connect
from refkube.client.leaderelection import LEASES, LeaderElector
from refkube.controllers.common.context import Startable
from refkube.engine.clock import WallClock, parse_rfc3339
from refkube.engine.loop import Loop, Poller

Tell = Callable[[str], None]  # somebody at a terminal, a line


class Unusable(Exception):
    """The kubeconfig, or what it leads to, is of no use; the text is one line."""


_UNREADABLE = (ConfigError, OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError)


def text_at(kubeconfig: Path, path: str, options: Mapping[str, str | list[str]]) -> str:
    """What the API server of a kubeconfig says at a path that names no object. Raises Unusable, StatusError."""
    try:
        handle = connect(Loop(WallClock()), str(kubeconfig))
    except _UNREADABLE as why:
        raise Unusable(f"{kubeconfig} is no usable kubeconfig: {why}") from why
    try:
        return handle.text(path, options)
    except OSError as why:
        raise Unusable(str(why)) from why
    finally:
        handle.close()


class Component:
    """`name` is the user agent, `identity` tells it from others of its kind, `seed` makes its chance its own. Where
    time runs faster it is what the API server says: clocks that began apart are several times as far apart by then."""

    def __init__(
        self,
        name: str,
        identity: str,
        kubeconfig: Path,
        seed: int,
        speed: float,
        tell: Tell,
        poller: Poller | None = None,
    ):
        self.name = name
        self.identity = identity
        self._tell = tell
        self._lost = self._ending = False
        self._clock = WallClock(speed)
        self.loop = Loop(self._clock, on_error=lambda why, what: tell(f"{what}: {why!r}"), poller=poller)
        self.loop.random.seed(seed)
        try:
            self.authority = _authority(kubeconfig)
            self._handle = connect(self.loop, str(kubeconfig))
        except _UNREADABLE as why:
            raise Unusable(f"{kubeconfig} is no usable kubeconfig: {why}") from why
        self._reach()

    def client(self, user: UserInfo | None = None, agent: str = "") -> Client:
        """Whose requests are made by the connection's identity, whatever the user."""
        return Client(self._handle, user, agent or self.name)

    def run(self, part: Startable, lease: str = "", forever: Callable[[], None] | None = None) -> bool:
        """Until a signal; the part starts once the lease is held, at once where there is none. False if it was lost.
        `forever` runs the loop, if something more is to be done meanwhile."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self.loop.stop())
        elector = self._elector(part, lease) if lease else None
        (elector or part).start()
        try:
            (forever or self.loop.run_forever)()
        finally:
            self._ending = True
            if elector is not None:
                elector.stop()
            else:
                part.stop()
            self._handle.close()
        return not self._lost

    def _elector(self, part: Startable, lease: str) -> LeaderElector:
        def stopped() -> None:
            part.stop()
            self._lost = not self._ending
            self.loop.stop()

        def changed(leader: str) -> None:
            self._tell(f"{leader or 'nobody'} leads{', which is this one' if leader == self.identity else ''}")

        return LeaderElector(self.client(), self.loop, lease, self.identity, part.start, stopped, changed)

    def _reach(self) -> None:
        """Wrong credentials are told now; a server that is not there yet is waited for."""
        try:
            self.client().list(LEASES, "kube-system", limit=1)
            if self._clock.speed != 1:
                asked = {"metadata": {"generateName": "time-"}}
                made = self.client().create("configmaps", asked, "default", dry_run=True)
                self._clock.set(parse_rfc3339(made["metadata"]["creationTimestamp"]) + 0.5)  # it is told in seconds
        except StatusError as refusal:
            if refusal.code in (401, 403):
                raise Unusable(f"the API server refuses: {refusal}") from refusal
        except OSError as why:
            self._tell(f"waiting for the API server: {why}")


def _authority(kubeconfig: Path) -> str:
    """The certificates (PEM) by which the kubeconfig knows the API server; empty if it does not say."""
    config = KubeConfig.from_file(kubeconfig).get()
    assert config is not None
    data, file = config.cluster.certificate_auth_data, config.cluster.certificate_auth
    if data:
        return b64decode(data).decode()
    return Path(config.abs_file(file)).read_text() if file else ""
