"""Who belongs to whom: owners learn of what happens to what is theirs, adopt orphans that they match, and let go what
they no longer match.

Facts: pkg/controller/controller_ref_manager.go and the event handlers of the workloads' controllers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from refkube.apimachinery import errors
from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object, is_terminating, key_of, labels_of, name_of, namespace_of, uid_of
from refkube.apimachinery.owners import controller_of, new_controller_ref
from refkube.client.informer import by_controller_uid, by_namespace
from refkube.controllers.common.context import Context

Matcher = Callable[[Object], Callable[[Object], bool]]


class Dependents:
    """The objects of one resource that owners of another control.

    `matches(owner)` gives the test that an object must pass to belong to it; `changed` is called with the key of an
    owner to reconcile; `came` and `went` with that key and the object, before.
    """

    def __init__(
        self,
        context: Context,
        owners: str,
        resource: str,
        owner_type: tuple[str, str],
        matches: Matcher,
        changed: Callable[[str], object],
        came: Callable[[str, Object], object] | None = None,
        went: Callable[[str, Object], object] | None = None,
    ):
        self.informer = context.informers.of(resource)
        self._client = context.client
        self._owners = context.informers.of(owners)
        self._resources = owners, resource
        self._type = owner_type  # apiVersion, kind
        self._matches = matches
        self._changed = changed
        self._came, self._went = came, went
        self._owners.add_index("namespace", by_namespace)
        self.informer.add_index("controller", by_controller_uid)
        self.informer.add_index("orphans", _orphans_by_namespace)
        self.informer.add_handler(self._added, self._updated, self._deleted)

    def of(self, owner: Object) -> Iterable[Object]:
        """What the cache holds of an owner."""
        return self.informer.indexed("controller", uid_of(owner)).values()

    def orphans(self, owner: Object) -> Iterable[Object]:
        return self.informer.indexed("orphans", namespace_of(owner)).values()

    def reference(self, owner: Object) -> Object:
        return new_controller_ref(owner, *self._type)

    def owner_of(self, obj: Object) -> Object | None:
        """The owner, if it is of this kind, and known."""
        reference = controller_of(obj)
        if reference is None or reference["kind"] != self._type[1]:
            return None
        owner = self._owners.get(f"{namespace_of(obj)}/{reference['name']}")
        return owner if owner is not None and uid_of(owner) == reference["uid"] else None

    def claim(self, owner: Object, owned: Iterable[Object], orphans: Iterable[Object]) -> bool:
        """Release those owned that do not match, adopt orphans that do. True if there were any: the cache is then
        behind, and will tell."""
        matches = self._matches(owner)
        lost = [obj for obj in owned if not matches(obj)]
        found = [obj for obj in orphans if not is_terminating(obj) and matches(obj)]
        if is_terminating(owner):
            return False
        for obj in lost:
            self._patch(obj, {"$patch": "delete", "uid": uid_of(owner)}, ("NotFound", "Invalid"))
        if found:
            self._recheck(owner)
        for obj in found:
            self._patch(obj, self.reference(owner), ("NotFound",))
        return bool(lost or found)

    def _recheck(self, owner: Object) -> None:
        """Adopt only for an owner that is there and not on its way out, whatever the cache says."""
        resource = self._resources[0]
        fresh = self._client.get(resource, name_of(owner), namespace_of(owner))
        gone = uid_of(fresh) != uid_of(owner)
        if gone or is_terminating(fresh):
            raise errors.conflict(resource, name_of(owner), "it is gone" if gone else "it has just been deleted")

    def _patch(self, obj: Object, reference: Object, ignored: tuple[str, ...]) -> None:
        """The uid keeps another object of the name from being taken."""
        patch = {"metadata": {"uid": uid_of(obj), "ownerReferences": [reference]}}
        try:
            self._client.patch(self._resources[1], name_of(obj), patch, "strategic", namespace_of(obj))
        except StatusError as refusal:
            if refusal.reason not in ignored:
                raise

    def _added(self, obj: Object) -> None:
        if is_terminating(obj):
            self._deleted(obj)
        elif controller_of(obj) is None:
            self._orphan(obj)
        else:
            self._tell(obj, self._came)

    def _updated(self, old: Object, new: Object) -> None:
        """What begins to terminate is gone already, in the eyes of its owner."""
        if is_terminating(new):
            self._deleted(new)
            return
        before, after = controller_of(old), controller_of(new)
        if before is not None and before != after:
            self._tell(old)
        if after is not None:
            self._tell(new)
        elif before != after or labels_of(old) != labels_of(new):
            self._orphan(new)

    def _deleted(self, obj: Object) -> None:
        self._tell(obj, self._went)

    def _tell(self, obj: Object, how: Callable[[str, Object], object] | None = None) -> None:
        owner = self.owner_of(obj)
        if owner is not None:
            key = key_of(owner)
            if how is not None:
                how(key, obj)
            self._changed(key)

    def _orphan(self, obj: Object) -> None:
        for key, owner in self._owners.indexed("namespace", namespace_of(obj)).items():
            if self._matches(owner)(obj):
                self._changed(key)


def _orphans_by_namespace(obj: Object) -> Iterable[str]:
    for owner in obj["metadata"].get("ownerReferences", ()):
        if owner.get("controller"):
            return ()
    return (obj["metadata"].get("namespace", ""),)
