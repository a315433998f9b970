"""The built-in kinds of the Kubernetes API, by the names that features use: "ConfigMap", "ConfigMaps", "Pods".

From lightkube's table of resources, so that a target's own discovery is never trusted while it is being judged.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from functools import cache
from typing import NamedTuple

import lightkube.resources


class UnknownKind(LookupError):
    """A feature names a kind that Kubernetes does not have."""


class Kind(NamedTuple):
    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def base_path(self) -> str:
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The path of the collection, of an object in it, or of its subresource; parts are given encoded."""
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return "/".join(filter(None, (f"{self.base_path}{scope}/{self.plural}", name, subresource)))


def named(name: str, api_version: str = "") -> Kind:
    """The kind by its name in the singular or plural; the core group's wins where two groups share a name."""
    for kind in _by_name().get(name.lower(), ()):
        if not api_version or kind.api_version == api_version:
            return kind
    raise UnknownKind(f"there is no kind {name!r}" + (f" in {api_version}" if api_version else ""))


@cache
def _by_name() -> dict[str, list[Kind]]:
    """Kinds by lower-case singular and plural name, the preferred group and version first."""
    table: dict[str, list[Kind]] = {}
    for module in sorted(_modules(), key=_preference):
        for resource in vars(importlib.import_module(f"lightkube.resources.{module}")).values():
            info = getattr(resource, "_api_info", None)
            if info is None or info.parent is not None or info.action:
                continue
            row = info.resource
            namespaced = "Namespaced" in "".join(base.__name__ for base in resource.__mro__)
            kind = Kind(row.group, row.version, row.kind, info.plural, namespaced)
            for name in {row.kind.lower(), info.plural}:
                table.setdefault(name, []).append(kind)
    return table


def _modules() -> list[str]:
    names = (module.name for module in pkgutil.iter_modules(lightkube.resources.__path__))
    return [name for name in names if re.search(r"_v\d+$", name)]


def _preference(module: str) -> tuple[bool, str, int]:
    group, _, version = module.rpartition("_v")
    return group != "core", group, -int(version)
