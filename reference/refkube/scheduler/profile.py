"""The plugins of the default profile, with upstream's weights, and what they are told of the cluster.

Without one for spec.nodeName (NodeName): who names a node is not scheduled. Source: apis/config/v1/default_plugins.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from refkube.api.storage import class_of
from refkube.apimachinery.meta import Object, labels_of, namespace_of
from refkube.apimachinery.selectors import Requirement, Selector, from_label_selector, from_map
from refkube.client.client import Client
from refkube.client.informer import Informer, Informers, by_namespace
from refkube.scheduler.framework import Plugin
from refkube.scheduler.plugins.imagelocality import ImageLocality
from refkube.scheduler.plugins.interpodaffinity import InterPodAffinity
from refkube.scheduler.plugins.nodeaffinity import NodeAffinity
from refkube.scheduler.plugins.nodeports import NodePorts
from refkube.scheduler.plugins.noderesources import NodeResourcesBalancedAllocation, NodeResourcesFit
from refkube.scheduler.plugins.nodevolumelimits import NodeVolumeLimits
from refkube.scheduler.plugins.podtopologyspread import PodTopologySpread
from refkube.scheduler.plugins.taints import TaintToleration
from refkube.scheduler.plugins.unschedulable import NodeUnschedulable
from refkube.scheduler.plugins.volumebinding import VolumeBinding
from refkube.scheduler.plugins.volumerestrictions import VolumeRestrictions
from refkube.scheduler.plugins.volumezone import VolumeZone
from refkube.scheduler.snapshot import Snapshot, claims_of

OWNERS = {
    "ReplicationController": "replicationcontrollers",
    "ReplicaSet": "replicasets.apps",
    "StatefulSet": "statefulsets.apps",
}


class Surroundings:
    """What the scheduler's decisions depend on besides nodes and Pods. `storage` informers tell of volumes and claims,
    `namespaces` of those and their labels."""

    def __init__(self, informers: Informers):
        self.namespaces = informers.of("namespaces")
        self.claims = informers.of("persistentvolumeclaims")
        self.volumes = informers.of("persistentvolumes")
        self.classes = informers.of("storageclasses.storage.k8s.io")
        self.csi_nodes = informers.of("csinodes.storage.k8s.io")
        self.storage: tuple[Informer, ...] = (self.claims, self.volumes, self.classes, self.csi_nodes)
        self.budgets = informers.of("poddisruptionbudgets.policy")
        self._services = informers.of("services")
        self._services.add_index("namespace", by_namespace)
        self._owners = {kind: informers.of(resource) for kind, resource in OWNERS.items()}

    def labels_of_namespace(self, name: str) -> Mapping[str, str]:
        namespace = self.namespaces.get(name)
        return labels_of(namespace) if namespace else {}

    def company(self, pod: Object) -> Selector | None:
        """Selects the Pods of the Pod's Services and of its owner, all at once (helper.DefaultSelector)."""
        requirements: list[Requirement] = []
        labels = labels_of(pod)
        for service in self._services.indexed("namespace", namespace_of(pod)).values():
            wanted = from_map(service["spec"].get("selector"))
            if not wanted.empty and wanted.matches(labels):
                requirements += wanted.requirements
        for owner in pod["metadata"].get("ownerReferences") or ():
            informer = self._owners.get(owner["kind"]) if owner.get("controller") else None
            found = informer.get(f"{namespace_of(pod)}/{owner['name']}") if informer else None
            if found is not None:
                told = found["spec"].get("selector")
                plain = owner["kind"] == "ReplicationController"
                requirements += (from_map(told) if plain else from_label_selector(told)).requirements
        return Selector(dict.fromkeys(requirements)) if requirements else None

    def volumes_of(self, pod: Object) -> Iterator[Object]:
        """Those that its claims are bound to."""
        for name in claims_of(pod):
            claim = self.claims.get(f"{namespace_of(pod)}/{name}")
            volume = self.volumes.get(claim["spec"].get("volumeName") or "") if claim else None
            if volume is not None:
                yield volume

    def attached(self, pod: Object) -> Iterator[tuple[str, str]]:
        """(driver, volume) of what a CSI driver attaches for a Pod, the volumes still to be made too."""
        for name in claims_of(pod):
            claim = self.claims.get(f"{namespace_of(pod)}/{name}")
            volume = self.volumes.get(claim["spec"].get("volumeName") or "") if claim else None
            if claim is None:
                continue
            if volume is not None:
                source = volume["spec"].get("csi")
                if source:
                    yield source["driver"], source["volumeHandle"]
            else:
                storage_class = self.classes.get(class_of(claim)) or {}
                yield storage_class.get("provisioner", ""), f"{namespace_of(pod)}/{name}"


def default_plugins(client: Client, snapshot: Snapshot, around: Surroundings) -> tuple[Plugin, ...]:
    """In the order in which nodes are rejected."""
    return (
        NodeUnschedulable(),
        TaintToleration(),
        NodeAffinity(),
        NodePorts(),
        NodeResourcesFit(),
        VolumeRestrictions(snapshot, around.claims),
        NodeVolumeLimits(around.csi_nodes, around.attached),
        VolumeBinding(client, around.claims, around.volumes, around.classes),
        VolumeZone(around.volumes_of),
        PodTopologySpread(snapshot, around.company),
        InterPodAffinity(snapshot, around.labels_of_namespace),
        NodeResourcesBalancedAllocation(),
        ImageLocality(snapshot),
    )
