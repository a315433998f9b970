"""Owner references: which owner controls, and what remains when one lets go."""

from __future__ import annotations

from refkube.apimachinery import owners

OWNER = {"metadata": {"name": "web", "uid": "u1"}}
OTHER = {"metadata": {"name": "other", "uid": "u2"}}


def test_the_controller_is_the_one_reference_that_says_so() -> None:
    controls = owners.new_controller_ref(OWNER, "apps/v1", "ReplicaSet")
    owns = owners.new_owner_ref(OTHER, "v1", "Node")
    child = {"metadata": {"name": "web-1", "ownerReferences": [owns, controls]}}
    assert owners.controller_of(child) is controls
    assert owners.is_controlled_by(child, OWNER)
    assert not owners.is_controlled_by(child, OTHER)
    assert owners.without_owner(child, "u1") == [owns]
    assert controls == {
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "u1", "controller": True,
        "blockOwnerDeletion": True,
    }  # fmt: skip


def test_an_orphan_has_no_controller() -> None:
    assert owners.controller_of({"metadata": {"name": "a"}}) is None
    assert not owners.is_controlled_by({"metadata": {}}, OWNER)
    assert owners.owners_of({}) == ()
