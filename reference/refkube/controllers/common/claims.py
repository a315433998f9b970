"""Who belongs to whom: an owner adopts orphans that its selector matches and lets go what it no longer matches.

Facts: pkg/controller/controller_ref_manager.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from refkube.apimachinery import errors
from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object, is_terminating, key_of, name_of, namespace_of, uid_of
from refkube.client.client import Client
from refkube.client.informer import Informer


def orphans_by_namespace(obj: Object) -> Iterable[str]:
    """An index, to be added under the name "orphans": what no controller owns."""
    for owner in obj["metadata"].get("ownerReferences", ()):
        if owner.get("controller"):
            return ()
    return (obj["metadata"].get("namespace", ""),)


class Claims:
    """Claims objects of `resource` for owners of another, `owners`."""

    def __init__(self, client: Client, owners: str, resource: str):
        self._client = client
        self._owners = owners
        self._resource = resource

    def settle(
        self,
        owner: Object,
        reference: Object,
        matches: Callable[[Object], bool],
        owned: Iterable[Object],
        orphans: Iterable[Object],
    ) -> bool:
        """True if somebody was adopted or released: the cache is then behind, and will tell. `reference` is the
        owner's as it is to be entered."""
        if is_terminating(owner):
            return False
        lost = [obj for obj in owned if not matches(obj)]
        found = [obj for obj in orphans if not is_terminating(obj) and matches(obj)]
        for obj in lost:
            self._patch(obj, {"$patch": "delete", "uid": uid_of(owner)}, ("NotFound", "Invalid"))
        if found:
            self._recheck(owner)
        for obj in found:
            self._patch(obj, reference, ("NotFound",))
        return bool(lost or found)

    def _recheck(self, owner: Object) -> None:
        """Adopt only for an owner that is there and not on its way out, whatever the cache says."""
        fresh = self._client.get(self._owners, name_of(owner), namespace_of(owner))
        gone = uid_of(fresh) != uid_of(owner)
        if gone or is_terminating(fresh):
            why = f"{key_of(owner)} " + ("is gone" if gone else "has just been deleted")
            raise errors.conflict(self._owners, name_of(owner), why)

    def _patch(self, obj: Object, reference: Object, ignored: tuple[str, ...]) -> None:
        """The uid keeps another object of the name from being taken."""
        patch = {"metadata": {"uid": uid_of(obj), "ownerReferences": [reference]}}
        try:
            self._client.patch(self._resource, name_of(obj), patch, "strategic", namespace_of(obj))
        except StatusError as refusal:
            if refusal.reason not in ignored:
                raise


def controlled_by(informer: Informer, owner: Object) -> Iterable[Object]:
    """What the cache, which needs the index "controller", holds of an owner."""
    return informer.indexed("controller", uid_of(owner)).values()
