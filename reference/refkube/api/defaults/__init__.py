"""The defaults an object gets when it is read from a request: one table of kinds.

Called by the registry before admission, on create and on update. Each module below contributes its DEFAULTS. Objects
are never changed: a default gives a new object that shares all else with the given one, or the given one itself when
nothing was missing. Defaults that need the cluster (ClusterIP, priority, service account) are made by admission or the
registry.
"""

from __future__ import annotations

from collections.abc import Callable

from refkube.api.defaults import others, pod
from refkube.apimachinery.meta import Object

DEFAULTS: dict[tuple[str, str], Callable[[Object], Object]] = {**pod.DEFAULTS, **others.DEFAULTS}


def default(group: str, kind: str, obj: Object) -> Object:
    """The object with the defaults of its kind."""
    known = DEFAULTS.get((group, kind))
    return known(obj) if known else obj
