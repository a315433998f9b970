"""Filter: the volumes of a Pod's claims must be within the node's reach, and there must be some for claims that wait
for their first consumer; those are bound, or their provisioning begun, before the Pod is.

Left out: the capacity that CSI drivers publish of themselves (CSIStorageCapacity).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from refkube.api.affinity import term_test
from refkube.api.storage import best_match, class_of, is_bound_to, requested
from refkube.apimachinery.meta import (
    Object,
    annotations_of,
    is_terminating,
    key_of,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
    with_metadata,
)
from refkube.client.client import Client
from refkube.client.informer import Informer
from refkube.scheduler.framework import ONCE, Filter, Plugin, Rejection
from refkube.scheduler.snapshot import NODE_ADDED, NODE_LABELS, STORAGE, Demand, NodeInfo, claims_of

SELECTED_NODE, COMPLETED = "volume.kubernetes.io/selected-node", "pv.kubernetes.io/bind-completed"
BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
NO_PROVISIONER = ("", "kubernetes.io/no-provisioner")
DELAYED = "WaitForFirstConsumer"
OUT_OF_REACH = Rejection(("node(s) didn't match PersistentVolume's node affinity",))
NO_VOLUME = Rejection(("node(s) didn't find available persistent volumes to bind",))
GONE = Rejection(("node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)",))


class VolumeBinding(Plugin):
    name = "VolumeBinding"
    wakes = frozenset((NODE_ADDED, NODE_LABELS, STORAGE))

    def __init__(self, client: Client, claims: Informer, volumes: Informer, classes: Informer):
        self._client = client
        self._claims = claims
        self._volumes = volumes
        self._classes = classes
        self._taken: dict[str, str] = {}  # volumes given away here -> uid of the claim, until the cache knows it

    def signature(self, pod: Object) -> Any:
        return ONCE if any(claims_of(pod)) else None

    def refuse(self, pod: Object) -> str:
        for name in claims_of(pod):
            claim = self._claims.get(f"{namespace_of(pod)}/{name}")
            if claim is None:
                return f'persistentvolumeclaim "{name}" not found'
            if (claim.get("status") or {}).get("phase") == "Lost":
                volume = claim["spec"].get("volumeName", "")
                return f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{volume}"'
            if is_terminating(claim):
                return f'persistentvolumeclaim "{name}" is being deleted'
            if not _is_bound(claim) and (claim["spec"].get("volumeName") or self._mode_of(claim) != DELAYED):
                return "pod has unbound immediate PersistentVolumeClaims"
        return ""

    def filter(self, pod: Object, demand: Demand) -> Filter | None:
        claims = [claim for name in claims_of(pod) if (claim := self._claims.get(f"{namespace_of(pod)}/{name}"))]
        if not claims:
            return None
        bound = [self._volumes.get(claim["spec"]["volumeName"]) for claim in claims if _is_bound(claim)]

        def test(info: NodeInfo) -> Rejection | None:
            assert info.node is not None
            if any(volume is None for volume in bound):
                return GONE
            if not all(within_reach(volume, info.node) for volume in bound if volume is not None):
                return OUT_OF_REACH
            return None if self._plan(claims, info.node) is not None else NO_VOLUME

        return test

    def prepare(self, pod: Object, node: Object) -> bool:
        claims = [claim for name in claims_of(pod) if (claim := self._claims.get(f"{namespace_of(pod)}/{name}"))]
        for claim, volume in (self._plan(claims, node) or {}).values():
            if volume is not None and not is_bound_to(volume, claim):
                self._give(volume, claim)
            elif volume is None and annotations_of(claim).get(SELECTED_NODE) != name_of(node):
                self._client.update("persistentvolumeclaims", _annotated(claim, SELECTED_NODE, name_of(node)))
        return all(map(_is_bound, claims))

    def _plan(self, claims: list[Object], node: Object) -> dict[str, tuple[Object, Object | None]] | None:
        """Each claim that is not bound, with the volume that it gets or None for one that is to be made; None if there
        is no way (FindPodVolumes)."""
        plan: dict[str, tuple[Object, Object | None]] = {}
        chosen: set[str] = set()
        waiting = [claim for claim in claims if not _is_bound(claim)]
        for claim in sorted(waiting, key=requested):
            selected = annotations_of(claim).get(SELECTED_NODE)
            volume = None if selected else self._match(claim, node, chosen)
            if volume is None and (selected not in (None, name_of(node)) or not self._can_be_made(claim, node)):
                return None
            chosen |= {name_of(volume)} if volume else set()
            plan[key_of(claim)] = claim, volume
        return plan

    def _match(self, claim: Object, node: Object, chosen: set[str]) -> Object | None:
        return best_match(claim, (v for v in self._free(claim, chosen) if within_reach(v, node)), delayed=False)

    def _free(self, claim: Object, chosen: set[str]) -> Iterator[Object]:
        for name, volume in self._volumes.items.items():
            if volume["spec"].get("claimRef"):
                self._taken.pop(name, None)
            if name not in chosen and self._taken.get(name, uid_of(claim)) == uid_of(claim):
                yield volume

    def _can_be_made(self, claim: Object, node: Object) -> bool:
        storage_class = self._classes.get(class_of(claim))
        if storage_class is None or storage_class.get("provisioner", "") in NO_PROVISIONER:
            return False
        terms = storage_class.get("allowedTopologies") or ()
        wanted = [term.get("matchLabelExpressions") or () for term in terms]
        labels = labels_of(node)
        return not terms or any(all(labels.get(one["key"]) in one["values"] for one in term) for term in wanted)

    def _give(self, volume: Object, claim: Object) -> None:
        meta = claim["metadata"]
        fields = ("namespace", "name", "uid", "resourceVersion")
        ref = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **{field: meta[field] for field in fields}}
        marked = volume if volume["spec"].get("claimRef") else _annotated(volume, BY_CONTROLLER, "yes")
        if self._taken.get(name_of(volume)) != uid_of(claim):
            self._client.update("persistentvolumes", {**marked, "spec": {**volume["spec"], "claimRef": ref}})
            self._taken[name_of(volume)] = uid_of(claim)

    def _mode_of(self, claim: Object) -> str:
        return (self._classes.get(class_of(claim)) or {}).get("volumeBindingMode", "Immediate")


def within_reach(volume: Object, node: Object) -> bool:
    """A v1.VolumeNodeAffinity."""
    required = (volume["spec"].get("nodeAffinity") or {}).get("required")
    return required is None or any(term_test(term)(node) for term in required.get("nodeSelectorTerms") or ())


def _is_bound(claim: Object) -> bool:
    return bool(claim["spec"].get("volumeName")) and COMPLETED in annotations_of(claim)


def _annotated(obj: Object, key: str, value: str) -> Object:
    return with_metadata(obj, annotations={**annotations_of(obj), key: value})
