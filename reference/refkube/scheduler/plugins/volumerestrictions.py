"""Filter: a claim of access mode ReadWriteOncePod is one Pod's at a time.

Left out: the disks that Pods name without a claim, whose drivers are gone from upstream.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from refkube.apimachinery.meta import Object, namespace_of
from refkube.client.informer import Informer
from refkube.scheduler.framework import Beyond, Plugin, Rejection
from refkube.scheduler.snapshot import NODE_ADDED, POD_REMOVED, STORAGE, Placed, Snapshot, claims_of

ONE_POD = "ReadWriteOncePod"
IN_USE = Rejection(
    (
        "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another "
        "pod",
    ),
    final=False,
)


class VolumeRestrictions(Plugin):
    name = "VolumeRestrictions"
    wakes = frozenset((NODE_ADDED, POD_REMOVED, STORAGE))

    def __init__(self, snapshot: Snapshot, claims: Informer):
        self._snapshot = snapshot
        self._claims = claims

    def beyond(self, pod: Object) -> Beyond | None:
        namespace = namespace_of(pod)
        claims = {name: self._claims.get(f"{namespace}/{name}") for name in claims_of(pod)}
        alone = {
            name for name, claim in claims.items() if claim and ONE_POD in (claim["spec"].get("accessModes") or ())
        }
        return _Users(namespace, alone, self._snapshot) if alone else None


class _Users(Beyond):
    def __init__(self, namespace: str, claims: set[str], snapshot: Snapshot):
        self._namespace = namespace
        self._wanted = claims
        self._snapshot = snapshot

    def begin(self) -> None:
        self._users = 0
        for placed in self._snapshot.in_namespace(self._namespace).values():
            self._count(placed, 1)

    def count(self, placed: Placed, node: Object, sign: int) -> None:
        if namespace_of(placed.pod) == self._namespace:
            self._count(placed, sign)

    def _count(self, placed: Placed, sign: int) -> None:
        self._users += sign * (not self._wanted.isdisjoint(claims_of(placed.pod)))

    def rejects(self, labels: Mapping[str, str], keys: Collection[str]) -> Rejection | None:
        return IN_USE if self._users > 0 else None  # of all nodes alike
