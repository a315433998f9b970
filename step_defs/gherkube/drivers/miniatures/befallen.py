"""Faults in what befalls nodes (they are cut off, lose their disk) and containers (they crash, hang, fail a probe)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from refkube.apimachinery.meta import condition_is_true
from refkube.client.informer import Informer
from refkube.controllers.podgc import PodGCController
from refkube.kubelet.kubelet import Kubelet
from refkube.kubelet.pod_worker import PodWorker
from refkube.kubelet.probes import Probe
from refkube.kubelet.runtime.container import Container
from refkube.network.link import Lan, Nic
from refkube.volumes.files import Directory, Tree

from gherkube.drivers.miniatures import miniature

Original = Callable[..., Any]

# Nodes that are cut off


@miniature(
    "What is to go from a node that is not heard of is removed.",
    caught_by=("silence.22", "statefulsets.23"),
    instead_of=PodGCController._is_out_of_service,
)
def takes_the_silent_for_gone(original: Original, self: PodGCController, name: str) -> bool:
    node = self._nodes.get(name)
    return node is not None and not condition_is_true(node, "Ready")


@miniature(
    "Who lost the API server once does not look for it again.",
    caught_by="silence.23",
    instead_of=Informer._retry,
)
def gives_the_server_up(original: Original, self: Informer, *about: Any) -> None:
    return None


@miniature(
    "A kubelet that cannot tell what it does does nothing.",
    caught_by="running.21",
    instead_of=Kubelet._sync,
)
def does_nothing_untold(original: Original, self: Kubelet, uid: str) -> None:
    self._client.get("nodes", self.machine.name)
    original(self, uid)


@miniature(
    "A kubelet that cannot tell how its Pods are ends them.",
    caught_by=("running.20", "silence.21"),
    instead_of=Informer._retry,
)
def ends_what_it_cannot_tell_of(original: Original, self: Informer, *about: Any) -> None:
    told = getattr(self._added[0], "__self__", None) if self._added else None
    if isinstance(told, Kubelet):
        for sandbox in told.runtime.sandboxes.values():
            for container in sandbox.running:
                container.kill()
    original(self, *about)


@miniature(
    "A kubelet tells what it finds once, whoever says otherwise then.",
    caught_by=("endpoints.36", "silence.18", "silence.21"),
    instead_of=Kubelet._tell,
)
def tells_once(original: Original, self: Kubelet, worker: PodWorker) -> None:
    told = _told.setdefault(self, {})
    wanted = sorted((one["type"], one["status"]) for one in worker.status()["conditions"])
    if worker.ended or told.get(worker.uid) != wanted:
        told[worker.uid] = wanted
        original(self, worker)


_told: WeakKeyDictionary[Kubelet, dict[str, list[tuple[str, str]]]] = WeakKeyDictionary()


@miniature("There is another way to every node.", caught_by=("pods.12", "pods.13"), instead_of=Lan.detach)
def has_another_way(original: Original, self: Lan, nic: Nic) -> None:
    return None


@miniature("A cable that was out once is broken.", caught_by="pods.14", instead_of=Lan.attach)
def breaks_cables(original: Original, self: Lan, nic: Nic) -> None:
    if not hasattr(nic, "lan"):
        original(self, nic)


# Disks


@miniature("Pods' own volumes lie elsewhere.", caught_by="running.17", instead_of=Tree.wipe)
def keeps_all_volumes(original: Original, self: Tree) -> None:
    return None


@miniature("What lies elsewhere goes with the disk.", caught_by="running.18", instead_of=Tree.wipe)
def loses_what_lies_elsewhere(original: Original, self: Tree) -> None:
    for path, (node, _) in list(self._mounts.items()):
        if path and isinstance(node, Directory):
            node.entries.clear()
    original(self)


@miniature(
    "What is not there any more never ran.",
    caught_by="running.16",
    instead_of=PodWorker._ended_unseen,
)
def runs_the_ended_again(original: Original, self: PodWorker) -> bool:
    return False


# Containers


@miniature(
    "Who is killed is taken for one that has completed.",
    caught_by=("restarts.12", "probes.16"),
    instead_of=Container._ended,
)
def takes_the_killed_for_completed(original: Original, self: Container, code: int) -> None:
    original(self, 0 if code == 137 else code)


@miniature("What does not answer is killed, asked or not.", caught_by="probes.17", instead_of=Kubelet._sync)
def kills_what_hangs(original: Original, self: Kubelet, uid: str) -> None:
    worker = self.workers.get(uid)
    for container in worker.sandbox.running if worker is not None and worker.sandbox is not None else ():
        if container.hung:
            container.kill()
    original(self, uid)
    self.wake(uid, 5.0)


@miniature("Who failed once fails for ever.", caught_by=("probes.18", "probes.21"), instead_of=Probe._judge)
def believes_in_no_mending(original: Original, self: Probe, well: bool, told: str) -> None:
    self._failed = getattr(self, "_failed", False) or not well  # type: ignore[attr-defined]
    original(self, well and not self._failed, told)  # type: ignore[attr-defined]
