"""Which claims a Pod uses: for the binder and for the protection of claims."""

from __future__ import annotations

from collections.abc import Sequence

from refkube.apimachinery.meta import Object, name_of, namespace_of


def by_claim(pod: Object) -> Sequence[str]:
    """An index of Pods: the keys of their claims, those of ephemeral volumes too, which are named after the Pod."""
    volumes = pod["spec"].get("volumes")
    if not volumes:
        return ()
    named = [
        volume["persistentVolumeClaim"]["claimName"]
        if "persistentVolumeClaim" in volume
        else f"{name_of(pod)}-{volume['name']}"
        for volume in volumes
        if "persistentVolumeClaim" in volume or "ephemeral" in volume
    ]
    return [f"{namespace_of(pod)}/{name}" for name in named]
