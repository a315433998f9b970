"""Owner references: who made an object, and with whom it goes. Facts: apis/meta/v1/controller_ref.go."""

from __future__ import annotations

from collections.abc import Sequence

from refkube.apimachinery.meta import Object, metadata_of, name_of, uid_of


def owners_of(obj: Object) -> Sequence[Object]:
    return metadata_of(obj).get("ownerReferences") or ()


def controller_of(obj: Object) -> Object | None:
    """The reference to the one owner that manages the object."""
    for reference in owners_of(obj):
        if reference.get("controller"):
            return reference
    return None


def is_controlled_by(obj: Object, owner: Object) -> bool:
    reference = controller_of(obj)
    return reference is not None and reference.get("uid") == uid_of(owner)


def new_owner_ref(owner: Object, api_version: str, kind: str) -> Object:
    return {"apiVersion": api_version, "kind": kind, "name": name_of(owner), "uid": uid_of(owner)}


def new_controller_ref(owner: Object, api_version: str, kind: str) -> Object:
    return {**new_owner_ref(owner, api_version, kind), "controller": True, "blockOwnerDeletion": True}


def without_owner(obj: Object, uid: str) -> Sequence[Object]:
    """The owner references that remain when one owner lets go."""
    return [reference for reference in owners_of(obj) if reference.get("uid") != uid]
