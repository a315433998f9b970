"""What a cluster asks of the storage it has, and storage that is only simulated.

The controllers of PersistentVolumes call it. Source: kubernetes/pkg/volume (Provisioner, Deleter, Expander). Left out:
mounting, which is the kubelet's; snapshots and clones.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import Protocol

from refkube.apimachinery.meta import Object, get_path, name_of
from refkube.apimachinery.quantity import Quantity, parse
from refkube.volumes.files import Directory

PROVISIONERS = "provisioners"
"""Where the controllers' options hold the provisioners there are, by the names that StorageClasses call them."""


class VolumeError(OSError):
    """The storage refuses or cannot be reached: to be tried again."""


class Provisioner(Protocol):
    """All raise VolumeError, and succeed where the work is done already."""

    def provision(self, name: str, size: Quantity, storage_class: Object, node: str) -> Object:
        """Make a volume, within reach of the node if one is given: where it is, as in a PersistentVolume's spec."""
        ...

    def delete(self, volume: Object) -> None: ...

    def expand(self, volume: Object, size: Quantity) -> None: ...


class HostPath:
    """Directories below one path of every node, as if the nodes shared it. `sizes` are the volumes there are."""

    name = "refkube.io/hostpath"

    def __init__(self, root: str = "/tmp/hostpath-provisioner"):
        self.root = root
        self.sizes: dict[str, Quantity] = {}
        self.disk = Directory()  # what is at `root` on every node
        self._failures: defaultdict[str, deque[str]] = defaultdict(deque)

    def fail(self, operation: str, why: str, times: int = 1) -> None:
        """Let the next calls of "provision", "delete" or "expand" fail."""
        self._failures[operation].extend([why] * times)

    def provision(self, name: str, size: Quantity, storage_class: Object, node: str) -> Object:
        self._may_fail("provision")
        self.sizes.setdefault(name, size)
        self.disk.entries.setdefault(name, Directory())
        return {"hostPath": {"path": f"{self.root}/{name}", "type": "DirectoryOrCreate"}}

    def delete(self, volume: Object) -> None:
        self._may_fail("delete")
        self.sizes.pop(name_of(volume), None)
        self.disk.entries.pop(name_of(volume), None)

    def expand(self, volume: Object, size: Quantity) -> None:
        self._may_fail("expand")
        had = self.sizes.get(name_of(volume), parse(get_path(volume, "spec", "capacity", "storage", default="0")))
        self.sizes[name_of(volume)] = max(had, size)

    def _may_fail(self, operation: str) -> None:
        if self._failures[operation]:
            raise VolumeError(self._failures[operation].popleft())
