"""The admission chain: plugins in upstream's order, mutating before the registry validates, validating after.

The API server's pipeline calls `admit` and `validate` for every write. A plugin says once which requests it handles;
the chain keeps, per kind of request, the few that do. Source: apiserver/pkg/admission/chain.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from refkube.api.kinds import Kind
from refkube.apimachinery.meta import Object
from refkube.apimachinery.rest import UserInfo

CREATE, UPDATE, DELETE, CONNECT = "CREATE", "UPDATE", "DELETE", "CONNECT"


@dataclass(slots=True)
class Attributes:
    """One write as admission sees it. `obj` is None at deletion, `old` at creation."""

    operation: str
    kind: Kind
    namespace: str
    name: str
    subresource: str
    obj: Object | None
    old: Object | None
    user: UserInfo | None = None
    dry_run: bool = False
    warnings: list[str] = field(default_factory=list)


class Plugin:
    """One admission plugin. It refuses by raising a StatusError."""

    name = ""

    def handles(self, operation: str, kind: Kind, subresource: str) -> bool:
        raise NotImplementedError

    def admit(self, attributes: Attributes) -> Object | None:
        """The object to go on with; None leaves it as it is. A change is a new object."""
        return None

    def validate(self, attributes: Attributes) -> None:
        return None


class Chain:
    """Plugins in the order in which they are asked."""

    def __init__(self, plugins: Sequence[Plugin]):
        self.plugins = tuple(plugins)
        self._mutating: dict[tuple[str, Kind, str], tuple[Plugin, ...]] = {}
        self._validating: dict[tuple[str, Kind, str], tuple[Plugin, ...]] = {}

    def admit(self, attributes: Attributes) -> Object | None:
        """The object as the mutating plugins leave it."""
        for plugin in self._asked(self._mutating, attributes, "admit"):
            changed = plugin.admit(attributes)
            if changed is not None:
                attributes.obj = changed
        return attributes.obj

    def validate(self, attributes: Attributes) -> None:
        for plugin in self._asked(self._validating, attributes, "validate"):
            plugin.validate(attributes)

    def _asked(
        self, known: dict[tuple[str, Kind, str], tuple[Plugin, ...]], attributes: Attributes, method: str
    ) -> tuple[Plugin, ...]:
        key = attributes.operation, attributes.kind, attributes.subresource
        asked = known.get(key)
        if asked is None:
            able = (p for p in self.plugins if getattr(type(p), method) is not getattr(Plugin, method))
            asked = known[key] = tuple(plugin for plugin in able if plugin.handles(*key))
        return asked
