"""Faults in the life of namespaces: features/cluster/leaving.feature."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from refkube.api.kinds import Kind
from refkube.apimachinery.meta import Object, get_path, name_of, namespace_of
from refkube.client.client import Client
from refkube.controllers import namespace as room
from refkube.controllers.namespace import DELETED, NamespaceController, Progress
from refkube.engine.clock import parse_rfc3339
from refkube.registry.strategy import NamespaceStrategy

from gherkube.drivers.miniatures import miniature

Original = Callable[..., Any]


@miniature("A new namespace has no phase.", caught_by="leaving.01", instead_of=NamespaceStrategy.prepare_for_create)
def makes_namespaces_without_phase(original: Original, self: NamespaceStrategy, obj: Object) -> Object:
    return {**original(self, obj), "status": {}}


@miniature(
    "A namespace goes and leaves what is in it.",
    caught_by=("leaving.02", "leaving.05", "leaving.07"),
    instead_of=NamespaceController._delete_all,
)
def leaves_content_behind(original: Original, self: NamespaceController, namespace: Object) -> Progress:
    return Progress()


@miniature("Nobody learns what keeps a namespace.", caught_by="leaving.03", instead_of=room.troubles)
def tells_no_troubles(original: Original, progress: Progress) -> Mapping[str, tuple[str, str]]:
    return {}


@miniature("A namespace that is held is forgotten.", caught_by="leaving.04", instead_of=NamespaceController._reconcile)
def forgets_held_namespaces(original: Original, self: NamespaceController, key: str) -> None:
    if not get_path(self._live(key), "status", "conditions"):
        original(self, key)


@miniature("That all is well is not told.", caught_by="leaving.05", instead_of=room.updated)
def tells_nothing(original: Original, namespace: Object, found: Mapping[str, tuple[str, str]], now: str) -> None:
    return None


@miniature("Other people's part is taken for done.", caught_by="leaving.06", instead_of=NamespaceController._finalize)
def takes_all_finalizers_away(original: Original, self: NamespaceController, name: str) -> None:
    namespace = self._live(name)
    if namespace is not None:
        self._client.update("namespaces", {**namespace, "spec": {"finalizers": []}}, "finalize")


@miniature("With a namespace goes what is in others.", caught_by="leaving.08", instead_of=room.delete_all)
def empties_other_namespaces(original: Original, client: Client, kind: Kind, namespace: str) -> None:
    original(client, kind, namespace)
    if kind.plural == "configmaps":
        for obj in client.list(kind).items:
            client.delete(kind, name_of(obj), namespace_of(obj))


@miniature("Pods go when their turn comes.", caught_by="leaving.09", instead_of=NamespaceController._delete_all)
def deletes_in_no_order(original: Original, self: NamespaceController, namespace: Object) -> Progress:
    progress = Progress()
    since = self._now() - parse_rfc3339(namespace["metadata"]["deletionTimestamp"])
    for kind in DELETED:
        self._delete_kind(kind, name_of(namespace), since, progress)
    return progress
