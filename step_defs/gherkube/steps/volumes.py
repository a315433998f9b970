"""Claims and the volumes that they are bound to."""

from __future__ import annotations

from gherkube.drivers.base import Object
from gherkube.phrases import Collection, ObjectRef
from gherkube.steps import given, then
from gherkube.steps.common import Table, check_fields, check_names
from gherkube.values import get
from gherkube.world import World, require

BOUND_WITHIN = 60.0  # seconds
_CLAIM, _VOLUME = "PersistentVolumeClaim", "PersistentVolume"


@given('a PersistentVolumeClaim "{name:Text}" and its volume, called "{called:Text}"')
def claim_and_volume(world: World, name: str, called: str) -> None:
    """
    Given a PersistentVolumeClaim "data" and its volume, called "disk"      (made for it by the default class)
    """
    ref = ObjectRef(_CLAIM, name)
    world.create(ref, world.build(ref))
    world.names.call(world.driver.eventually(lambda: _volume_of(world.read_raw(ref)), BOUND_WITHIN), called)


@then('the volume of the PersistentVolumeClaim "{name:Text}" has:')
def volume_has(world: World, name: str, datatable: Table) -> None:
    """
    Then the volume of the PersistentVolumeClaim "data" has:
      | field                              | value  |
      | spec.persistentVolumeReclaimPolicy | Delete |
    """
    called = f"volume-of-{name}"
    world.names.call(_volume_of(world.read_raw(ObjectRef(_CLAIM, name))), called)
    check_fields(f"the volume of {name}", world.read(ObjectRef(_VOLUME, called)), datatable)


@then("within {time:Duration} {n:Number} of the PersistentVolumeClaims are bound, each to a volume of its own")
def so_many_are_bound_within(world: World, time: float, n: int) -> None:
    """
    Then within 60 seconds 3 of the PersistentVolumeClaims are bound, each to a volume of its own
    """
    world.driver.eventually(lambda: so_many_are_bound(world, n), time)


@then("for {time:Duration} {n:Number} of the PersistentVolumeClaims is bound")
def so_many_are_bound_for(world: World, time: float, n: int) -> None:
    """
    Then for 20 seconds 1 of the PersistentVolumeClaims is bound
    """
    world.driver.always(lambda: so_many_are_bound(world, n), time)


def so_many_are_bound(world: World, n: int) -> None:
    claims = world.listing(Collection(_CLAIM))["items"]
    bound = [claim for claim in claims if get(claim, "status.phase") == "Bound"]
    require(len(bound) == n, lambda: f"{len(bound)} of {len(claims)} claims are bound, not {n}")
    volumes = [_volume_of(claim) for claim in bound]
    check_names("the volumes", volumes, sorted(set(volumes)))


def _volume_of(claim: Object) -> str:
    require(get(claim, "status.phase") == "Bound", lambda: f"the claim is {get(claim, 'status.phase')}")
    return str(claim["spec"]["volumeName"])
