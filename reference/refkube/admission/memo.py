"""What the Pods of one template share goes on being shared after admission: results kept by the identity of a spec.

Used by the plugins that change Pods. A spec is frozen once it was given to the API, so its identity stands for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from refkube.apimachinery.meta import Object

_KEPT = 4096


class Memo:
    """`memo(spec, because, make)` is `make()`, made once for a spec and for what else decides about the result."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[Object, Any, Object]] = {}

    def __call__(self, spec: Object, because: Any, make: Callable[[], Object]) -> Object:
        known = self._kept.get(id(spec))
        if known is not None and known[0] is spec and known[1] == because:
            return known[2]
        if len(self._kept) >= _KEPT:
            self._kept.clear()
        made = make()
        self._kept[id(spec)] = (spec, because, made)
        return made
