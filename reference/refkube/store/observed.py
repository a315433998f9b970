"""A memory store that notes who asks it: for scenarios about what the store holds, and who its clients are.

Made by `cluster` on demand. A client is a component, known by the room that the calling code is in.
"""

from __future__ import annotations

import sys
from typing import Any

from refkube.store.kv import KeyValue, Range, Txn, Value
from refkube.store.memory import MemoryStore

# The rooms that make up an API server.
_API_SERVER = ("refkube.apiserver", "refkube.registry", "refkube.admission")


class ObservedStore(MemoryStore):
    """`clients` are the components that have asked so far."""

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self.clients: set[str] = set()

    def peek(self, key: str) -> Value | None:
        """Read without being noted."""
        found = super().get(key)
        return None if found is None else found.value

    def get(self, *args: Any, **options: Any) -> KeyValue | None:
        self._note(sys._getframe(1))
        return super().get(*args, **options)

    def range(self, *args: Any, **options: Any) -> Range:
        self._note(sys._getframe(1))
        return super().range(*args, **options)

    def txn(self, *args: Any, **options: Any) -> Txn:
        self._note(sys._getframe(1))
        return super().txn(*args, **options)

    def watch(self, *args: Any, **options: Any) -> Any:
        self._note(sys._getframe(1))
        return super().watch(*args, **options)

    def _note(self, caller: Any) -> None:
        module: str = caller.f_globals["__name__"]
        if not module.startswith("refkube.store"):
            self.clients.add("apiserver" if module.startswith(_API_SERVER) else module.removeprefix("refkube."))
