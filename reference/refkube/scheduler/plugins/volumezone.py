"""Filter: a volume that is labelled with its zone or region is used there only; on nodes that say where they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from refkube.apimachinery.meta import Object, labels_of
from refkube.scheduler.framework import Filter, Plugin, Rejection
from refkube.scheduler.snapshot import NODE_ADDED, NODE_LABELS, STORAGE, Demand, NodeInfo

BETA = "failure-domain.beta.kubernetes.io/"
LABELS = ("topology.kubernetes.io/zone", "topology.kubernetes.io/region")
ELSEWHERE = Rejection(("node(s) had no available volume zone",))


class VolumeZone(Plugin):
    """`volumes_of(pod)` gives those that its claims are bound to."""

    name = "VolumeZone"
    wakes = frozenset((NODE_ADDED, NODE_LABELS, STORAGE))

    def __init__(self, volumes_of: Callable[[Object], Iterable[Object]]):
        self._volumes_of = volumes_of

    def filter(self, pod: Object, demand: Demand) -> Filter | None:
        volumes = [_places(labels_of(volume)) for volume in self._volumes_of(pod)]
        wanted = [(key, set(value.split("__"))) for places in volumes for key, value in places.items()]
        if not wanted:
            return None

        def test(info: NodeInfo) -> Rejection | None:
            here = _places(info.labels)
            return ELSEWHERE if here and any(here.get(key) not in values for key, values in wanted) else None

        return test


def _places(labels: Mapping[str, str]) -> dict[str, str]:
    """Zone and region, under the names that they have today."""
    beta = {key: BETA + key.rpartition("/")[2] for key in LABELS}
    return {key: labels.get(key, labels.get(beta[key], "")) for key in LABELS if {key, beta[key]} & labels.keys()}
