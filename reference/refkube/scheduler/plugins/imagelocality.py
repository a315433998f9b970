"""Score: nodes that have the Pod's images already, the more the larger they are and the more nodes have them."""

from __future__ import annotations

from typing import Any

from refkube.apimachinery.meta import Object
from refkube.scheduler.framework import Plugin, Score
from refkube.scheduler.snapshot import Demand, NodeInfo, Snapshot, images_of

LEAST, MOST = 23 * 1024**2, 1000 * 1024**2  # bytes that count; the latter for each container


class ImageLocality(Plugin):
    name = "ImageLocality"

    def __init__(self, snapshot: Snapshot):
        self._snapshot = snapshot

    def signature(self, pod: Object) -> Any:
        return [image for image in _images(pod["spec"]) if self._snapshot.images.get(image)] or None

    def score(self, pod: Object, demand: Demand) -> Score | None:
        spec, snapshot = pod["spec"], self._snapshot
        images = [image for image in _images(spec) if snapshot.images.get(image)]
        if not images:
            return None
        most = MOST * (len(spec.get("containers") or ()) + len(spec.get("initContainers") or ()))

        def score(info: NodeInfo) -> float:
            sizes, nodes = images_of(info.node), len(snapshot.nodes)
            total = sum(sizes.get(image, 0) * snapshot.images[image] / nodes for image in images)
            return 100.0 * (min(max(total, LEAST), most) - LEAST) / (most - LEAST)

        return score


def _images(spec: Object) -> list[str]:
    parts = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    images = [part.get("image") or "" for part in parts]
    images += [volume["image"].get("reference") or "" for volume in spec.get("volumes") or () if "image" in volume]
    return [image if image.rfind(":") > image.rfind("/") else f"{image}:latest" for image in images]
