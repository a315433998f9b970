"""The objects of one kind by namespace, kept by watching the store: for admission, which asks at every request.

Made by `cluster`. Where the store delivers inside its transactions it is never behind; over etcd it lags as every
cache does, and what must be exact is decided again by a conditional write.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from refkube.apimachinery.meta import Object
from refkube.apimachinery.rest import WatchEvent
from refkube.registry.storage import Storage
from refkube.registry.watching import Selection

_NONE: Mapping[str, Object] = {}


class Lister:
    """Call it with a namespace ("" for kinds of the cluster). It begins to watch when it is first asked."""

    def __init__(self, storage: Storage):
        self._storage = storage
        self._objects: dict[str, dict[str, Object]] = {}
        self._running = False

    def __call__(self, namespace: str = "") -> Collection[Object]:
        if not self._running:
            self._start()
        return self._objects.get(namespace, _NONE).values()

    def _start(self) -> None:
        self._objects.clear()
        self._running = True
        watch = self._storage.watch(Selection("", None, None, self._storage.strategy.fields))
        watch.start(self._take, self._closed)

    def _closed(self) -> None:
        self._running = False

    def _take(self, event: WatchEvent) -> None:
        if event.type == "ERROR":
            return  # what follows is the end of the watch
        meta = event.object["metadata"]
        namespace = meta.get("namespace", "")
        if event.type != "DELETED":
            self._objects.setdefault(namespace, {})[meta["name"]] = event.object
            return
        there = self._objects.get(namespace, {})
        there.pop(meta["name"], None)
        if not there:
            self._objects.pop(namespace, None)
