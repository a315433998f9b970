"""All storages of an API server, one a stored kind, over one key-value store.

Made by `cluster`, used by the API server's pipeline.
"""

from __future__ import annotations

from collections.abc import Sequence

from refkube.api.kinds import KINDS, Kind, preferred
from refkube.engine.ids import Ids
from refkube.engine.loop import Loop, Timer
from refkube.registry.allocators import ServiceAllocator
from refkube.registry.conversion import storage_kind
from refkube.registry.storage import Storage
from refkube.store.kv import Store, StoreError

COMPACTION_PERIOD = 300.0  # seconds: kube-apiserver --etcd-compaction-interval


class Registry:
    """`storage(kind)` is where the objects of a served kind live."""

    def __init__(
        self,
        store: Store,
        loop: Loop,
        ids: Ids,
        service_ranges: Sequence[str] = ("10.96.0.0/12",),
        node_ports: tuple[int, int] = (30000, 32767),
    ):
        self.store = store
        self._loop = loop
        self._timer: Timer | None = None
        self._compact_next = 0
        self._storages: dict[Kind, Storage] = {}
        for kind in KINDS:
            if "get" in kind.verbs and kind.kind != "ComponentStatus":
                stored = storage_kind(kind)
                if stored not in self._storages:
                    self._storages[stored] = Storage(stored, store, loop, ids)
                self._storages[kind] = self._storages[stored]
        self.allocator = ServiceAllocator(store, loop, ids, service_ranges, node_ports)
        self._storages[preferred("services")].allot = self.allocator.allot

    def storage(self, kind: Kind) -> Storage:
        return self._storages[kind]

    def stored(self, kind: Kind) -> bool:
        return kind in self._storages

    def start_compaction(self) -> None:
        """Forget, every five minutes, what is older than five minutes (apiserver/pkg/storage/etcd3/compact.go)."""
        self._timer = self._loop.call_later(COMPACTION_PERIOD, self._compact)
        self._compact_next = self.store.revision

    def _compact(self) -> None:
        upto, self._compact_next = self._compact_next, 0
        try:
            self.start_compaction()
            if upto > self.store.compacted:
                self.store.compact(upto)
        except StoreError:
            pass  # the store is away, or another server did it: there is a next time

    def close(self) -> None:
        if self._timer:
            self._timer.cancel()
        for storage in set(self._storages.values()):
            storage.feed.close()
