"""Faults that features/kubelet/mounts.feature must catch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from refkube.apimachinery.meta import Object
from refkube.kubelet import mounts
from refkube.kubelet.mounts import PodVolumes
from refkube.volumes.files import Directory, Node

from gherkube.drivers.miniatures import miniature

Original = Callable[..., Any]


@miniature("A volume is made anew for every container.", caught_by=("mounts.01", "order.01"), instead_of=PodVolumes.of)
def makes_volumes_anew(original: Original, self: PodVolumes, *about: Any) -> Any:
    return [(path, Directory(), read_only) for path, _, read_only in original(self, *about)]


@miniature("Everything can be written.", caught_by="mounts.02", instead_of=PodVolumes.of)
def lets_everything_be_written(original: Original, self: PodVolumes, *about: Any) -> Any:
    return [(path, node, False) for path, node, _ in original(self, *about)]


@miniature("A volume is always mounted whole.", caught_by="mounts.03", instead_of=mounts._below)
def mounts_whole_volumes(original: Original, node: Node, path: str, volume: str) -> Node:
    return node


@miniature("A volume is its kubelet's alone.", caught_by="mounts.11", instead_of=PodVolumes._own)
def keeps_volumes_for_itself(original: Original, self: PodVolumes, *about: Any) -> Node:
    node = original(self, *about)
    node.mode = 0o755
    return node


@miniature("Files have no directories.", caught_by="mounts.04", instead_of=mounts._put)
def puts_files_flat(original: Original, directory: Directory, path: str, file: Any) -> None:
    original(directory, path.rpartition("/")[2], file)


@miniature("What a volume shows may be missing.", caught_by="mounts.05", instead_of=PodVolumes._project_object)
def takes_what_is_shown_for_optional(
    original: Original, self: PodVolumes, directory: Any, told: Object, *about: Any
) -> None:
    original(self, directory, {**told, "optional": True}, *about)


@miniature("Volumes show what was, for ever.", caught_by="mounts.06", instead_of=PodVolumes.refresh)
def never_refreshes(original: Original, self: PodVolumes, *about: Any) -> None:
    return None


@miniature("No token is mounted.", caught_by="mounts.07", instead_of=PodVolumes._project)
def leaves_out_the_token(original: Original, self: PodVolumes, directory: Any, source: Object, *about: Any) -> None:
    original(self, directory, {key: value for key, value in source.items() if key != "serviceAccountToken"}, *about)


@miniature(
    "What is claimed is empty for everybody.",
    caught_by=("mounts.08", "mounts.09", "mounts.10"),
    instead_of=PodVolumes._claimed,
)
def gives_empty_claims(original: Original, self: PodVolumes, pod: Object, claim_name: str) -> Node:
    return Directory()
