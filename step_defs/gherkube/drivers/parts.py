"""A cluster of refkube with one part left out, served on loopback for whoever plays that part.

Used by `gherkube.component`.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from tempfile import TemporaryDirectory

from refkube.apimachinery.rest import UserInfo
from refkube.apiserver.authentication import ADMIN
from refkube.cluster import CONTROLLERS, Cluster
from refkube.controllers.common.context import Options
from refkube.engine.clock import WallClock
from refkube.serviceaccount.tokens import new_key

from gherkube.drivers.loopback import Loopback

NODES = 3
KUBELET = "kubelet"
# The parts that can be left out, and as whom each of them speaks; of a kubelet there is one for each node.
PARTS = {
    KUBELET: "system:node:{node}",
    "scheduler": "system:kube-scheduler",
    "controller-manager": "system:kube-controller-manager",
    **{name: f"system:serviceaccount:kube-system:{name}" for name in CONTROLLERS},
}
CAPABILITIES = ("pods.run", "storage.provision", "lb.provision")


class Stage:
    """The other parts. The missing one has a place, "", or one on each node; `missing` are those of which nobody has
    asked for anything yet."""

    def __init__(self, part: str):
        self._part = part
        self.places = tuple(f"n{number}" for number in range(1, NODES + 1)) if part == KUBELET else ("",)
        self.missing = set(self.places)
        self.capabilities = (*CAPABILITIES, "pods.real") if part == KUBELET else CAPABILITIES
        self._users = {PARTS[part].format(node=place): place for place in self.places}
        self._tokens = {place: secrets.token_urlsafe(16) for place in self.places}
        self._kept = TemporaryDirectory(prefix="gherkube-")
        from refkube.serving import credentials

        now = WallClock().now()
        self._held = credentials.prepare(Path(self._kept.name), "127.0.0.1", now, secrets.token_urlsafe(16), new_key())
        self._loopback = Loopback(self._make)

    def _make(self) -> Cluster:
        from refkube.serving.kubelets import Kubelets

        groups = ("system:masters", "system:authenticated")
        users = {self._tokens[place]: UserInfo(name, groups=groups) for name, place in self._users.items()}
        left = () if self._part == "controller-manager" else [name for name in CONTROLLERS if name != self._part]
        cluster = Cluster(
            nodes=0 if self._part == KUBELET else NODES,
            seed=None,
            clock=WallClock(),
            users={self._held.admin_token: ADMIN, **users},
            controllers=left,
            scheduler=self._part != "scheduler",
            options=Options(root_ca=self._held.authority.decode()),
            wire=Kubelets(self._held.client, self._held.client_key),
            addons=True,
        )
        cluster.loop.trace.start(limit=1)
        cluster.loop.trace.listen(lambda entry: self._note(entry.who))
        return cluster

    def _note(self, who: str) -> None:
        if self.missing and who in self._users:
            self.missing.discard(self._users[who])

    def kubeconfig(self, place: str | None) -> str:
        """For the missing part there; None is the suite's own."""
        token = self._held.admin_token if place is None else self._tokens[place]
        return self._loopback.kubeconfig(token, self._held.authority)

    def close(self) -> None:
        self._loopback.close()
        self._kept.cleanup()
