"""A cluster of refkube with one part left out, served on loopback for whoever plays that part.

Used by `gherkube.component`.
"""

from __future__ import annotations

import secrets

from refkube.apimachinery.rest import UserInfo
from refkube.apiserver.authentication import ADMIN
from refkube.cluster import CONTROLLERS, Cluster
from refkube.engine.clock import WallClock

from gherkube.drivers.loopback import Loopback

NODES = 3
# The parts that can be left out, and as whom each of them speaks.
PARTS = {
    "scheduler": "system:kube-scheduler",
    "controller-manager": "system:kube-controller-manager",
    **{name: f"system:serviceaccount:kube-system:{name}" for name in CONTROLLERS},
}
CAPABILITIES = ("pods.run", "storage.provision", "lb.provision")


class Stage:
    """The other parts. `seen` tells whether the one that is missing has asked for anything."""

    def __init__(self, part: str):
        self._user = PARTS[part]
        self._token, self._admin = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
        self._part = part
        self.capabilities = CAPABILITIES
        self._seen = False
        self._loopback = Loopback(self._make)

    def _make(self) -> Cluster:
        groups = ("system:masters", "system:authenticated")
        users = {self._admin: ADMIN, self._token: UserInfo(self._user, groups=groups)}
        left = () if self._part == "controller-manager" else [name for name in CONTROLLERS if name != self._part]
        cluster = Cluster(
            nodes=NODES,
            seed=None,
            clock=WallClock(),
            users=users,
            controllers=left,
            scheduler=self._part != "scheduler",
        )
        cluster.loop.trace.start(limit=1)
        cluster.loop.trace.listen(lambda entry: self._note(entry.who))
        return cluster

    def _note(self, who: str) -> None:
        self._seen = self._seen or who == self._user

    def seen(self) -> bool:
        return self._seen

    def kubeconfig(self, *, of_component: bool) -> str:
        return self._loopback.kubeconfig(self._token if of_component else self._admin)

    def close(self) -> None:
        self._loopback.close()
