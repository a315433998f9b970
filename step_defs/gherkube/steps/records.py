"""What an API server leaves behind: the record of its requests, and what is in its store."""

from __future__ import annotations

from gherkube.drivers.base import Object
from gherkube.phrases import ObjectRef
from gherkube.steps import then
from gherkube.steps.common import Table, check_fields
from gherkube.values import rows, show
from gherkube.world import SOON, World, require


@then("these requests are on record:")
def on_record(world: World, datatable: Table) -> None:
    """
    Then these requests are on record:                    (in this order, perhaps with others between them)
      | user                             | verb   | resource   | name     | outcome  |
      | system:serviceaccount:home:robot | create | configmaps | settings | accepted |
    """
    wanted = rows(datatable, "user", "verb", "resource")

    def recorded() -> None:
        found = [
            {
                "user": world.plain(one.user),
                "verb": one.verb,
                "resource": one.resource,
                "name": world.plain(one.name),
                "outcome": "accepted" if one.accepted else "refused",
            }
            for one in world.driver.recorded()
            if one.namespace in ("", world.names.home)
        ]
        rest = iter(found)
        for row in wanted:
            told = {column: cell for column, cell in row.items() if cell}
            if not any(told.items() <= one.items() for one in rest):
                raise AssertionError(f"not on record, or not in this order: {show(told)}; on record: {show(found)}")

    world.driver.eventually(recorded, SOON)


@then("the store holds the {ref:Object} with:")
def store_holds(world: World, ref: ObjectRef, datatable: Table) -> None:
    """
    Then the store holds the ConfigMap "settings" with:
      | field      | value |
      | data.color | blue  |
    """
    found = _stored(world, ref)
    if found is None:
        raise AssertionError(f"the store holds no {ref}")
    check_fields(f"the {ref} in the store", world.plain(found), datatable)


@then("the store holds no {ref:Object}")
def store_holds_none(world: World, ref: ObjectRef) -> None:
    """
    Then the store holds no ConfigMap "settings"
    """
    require(_stored(world, ref) is None, f"the store holds a {ref}")


@then("API servers are the only clients of the store")
def only_api_servers(world: World) -> None:
    """
    Then API servers are the only clients of the store
    """
    clients = world.driver.store_clients()
    require(clients == {"apiserver"}, f"the clients of the store are {show(sorted(clients))}")


def _stored(world: World, ref: ObjectRef) -> Object | None:
    kind = world.kind(ref.kind)
    namespace = world.names.namespace(ref.namespace) if kind.namespaced else ""
    name = ref.name if kind.namespaced else world.names.cluster(ref.name)
    return world.driver.stored(kind.group, kind.plural, namespace, name)
