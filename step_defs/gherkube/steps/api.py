"""Reading, creating, updating, deleting and listing objects, and what the API answers."""

from __future__ import annotations

from typing import Any

from gherkube.phrases import Collection, ObjectRef
from gherkube.steps import given, then, when
from gherkube.steps.common import Table, body_of, check_fields, check_names, numbered
from gherkube.values import ABSENT, cell_value, from_yaml, get, put, rows, show
from gherkube.world import Misused, World, require

# What a table of options may say, as people say it, and the API's name for it.
_DELETE_OPTIONS = {
    "grace period": "gracePeriodSeconds",
    "propagation": "propagationPolicy",
    "orphan dependents": "orphanDependents",
}
_LIST_OPTIONS = {
    "limit": "limit",
    "version": "resourceVersion",
    "version match": "resourceVersionMatch",
    "continue": "continue",
}
_ATTEMPTS = 5  # of an update that names no version, where controllers change the object, too
_FORMS = {
    "a Table": "application/json;as=Table;v=v1;g=meta.k8s.io",
    "metadata only": "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
    "a list of metadata only": "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
}


# How the next request is made


@given("the next request is a dry run")
@given('the next request is a dry run of "{extent:Text}"')
def next_is_dry_run(world: World, extent: str = "All") -> None:
    """
    Given the next request is a dry run
    Given the next request is a dry run of "Half"           (All is the only extent there is)
    """
    world.options["dryRun"] = extent


@given("the next request asks for {level:Kind} field validation")
def next_asks_for_validation(world: World, level: str) -> None:
    """
    Given the next request asks for Strict field validation
    """
    world.options["fieldValidation"] = level


@given('the next request is made by the manager "{manager:Text}"')
def next_is_made_by(world: World, manager: str) -> None:
    """
    Given the next request is made by the manager "alice"
    """
    world.options["fieldManager"] = manager


@given("the next request carries no credentials")
def next_carries_no_credentials(world: World) -> None:
    """
    Given the next request carries no credentials
    """
    world.token = None


@given('the next request carries the unknown token "{token:Text}"')
def next_carries_token(world: World, token: str) -> None:
    """
    Given the next request carries the unknown token "nobody"
    """
    world.token = token


@given("the next answer is asked for as {form}")
def next_answer_as(world: World, form: str) -> None:
    """
    Given the next answer is asked for as a Table
    Given the next answer is asked for as metadata only
    """
    world.accept = _FORMS[form] if form in _FORMS else form.strip('"')


# Requests


@when("the {ref:Object} is read")
def read(world: World, ref: ObjectRef) -> None:
    """
    When the ConfigMap "settings" is read
    When the scale of the Deployment "web" is read
    """
    world.ask("GET", world.path(ref))


@when("{a:Article} {ref:Object} is created")
@when("{a:Article} {ref:Object} is created with:")
def create(world: World, ref: ObjectRef, docstring: str | None = None, datatable: Table | None = None) -> None:
    """
    When a Pod "web" is created with:                       (or with a docstring; laid over the smallest Pod)
      | field                    | value |
      | spec.containers[0].image | nginx |
    """
    path = world.collection_path(world.kind(ref.kind), ref.namespace)
    world.ask("POST", path, body=world.build(ref, docstring, datatable))


@when('{n:Number} {kind:Kind} named "{first:Text}" to "{last:Text}" are created at once')
@when('{n:Number} {kind:Kind} named "{first:Text}" to "{last:Text}" are created at once with:')
def create_at_once(world: World, n: int, kind: str, first: str, last: str, datatable: Table | None = None) -> None:
    """
    When 20 Secrets named "s-01" to "s-20" are created at once     (by as many writers)
    """
    path = world.collection_path(world.kind(kind))
    refs = [ObjectRef(kind, name) for name in numbered(n, first, last)]
    world.ask_at_once([("POST", path, world.build(ref, None, datatable)) for ref in refs])


@when("this {kind:Kind} is created:")
def create_this(world: World, kind: str, docstring: str) -> None:
    """
    When this ConfigMap is created:                         (nothing is added to the manifest)
      metadata: {generateName: settings-}
    """
    world.ask("POST", world.collection_path(world.kind(kind)), body=world.outgoing(from_yaml(docstring)))


@when("the {ref:Object} is updated:")
@when("the {ref:Object} are updated:")
def update(world: World, ref: ObjectRef, docstring: str | None = None, datatable: Table | None = None) -> None:
    """
    When the ConfigMap "settings" is updated:               (read, and sent back with these fields changed)
      | field      | value |
      | data.color | green |
    """
    for attempt in range(_ATTEMPTS):
        body = body_of(world.read_raw(ref), docstring, datatable)
        answer = world.ask("PUT", world.path(ref), body=world.outgoing(body))
        if answer.reason != "Conflict" or attempt == _ATTEMPTS - 1:
            return
        world.answers.pop()  # a controller was faster than this step


@when('the {ref:Object} is updated from version "{called:Text}":')
def update_from(world: World, ref: ObjectRef, called: str, datatable: Table) -> None:
    """
    When the ConfigMap "settings" is updated from version "old":
      | field      | value |
      | data.color | green |
    """
    body = put(world.read_raw(ref), "metadata.resourceVersion", world.version(called))
    world.ask("PUT", world.path(ref), body=world.outgoing(body_of(body, None, datatable)))


@when("the {ref:Object} is updated regardless of its version:")
def update_regardless(world: World, ref: ObjectRef, datatable: Table) -> None:
    """
    When the ConfigMap "settings" is updated regardless of its version:
      | field      | value |
      | data.color | green |
    """
    present = world.read_raw(ref) if world.exists(ref) else world.build(ref)
    body = put(present, "metadata.resourceVersion", ABSENT)
    world.ask("PUT", world.path(ref), body=world.outgoing(body_of(body, None, datatable)))


@when("the {ref:Object} is deleted")
@when("the {ref:Object} are deleted")
@when("the {ref:Object} is deleted with:")
def delete(world: World, ref: ObjectRef, datatable: Table | None = None) -> None:
    """
    When the Pod "web" is deleted with:
      | option            | value      |
      | grace period      | 0          |
      | propagation       | Foreground |
      | orphan dependents | true       |
      | version           | old        |
      | uid               | first      |
    """
    world.ask("DELETE", world.path(ref), body=_delete_options(world, datatable))


@when("all {all:Collection} are deleted")
def delete_all(world: World, all: Collection) -> None:
    """
    When all ConfigMaps labelled "app=web" are deleted
    """
    world.ask("DELETE", world.collection_path(world.kind(all.kind), all.namespace), options=world.selectors(all))


@when("the {all:Collection} are listed")
@when("the {all:Collection} are listed with:")
def list_(world: World, all: Collection, datatable: Table | None = None) -> None:
    """
    When the Pods labelled "app in (web, db)" are listed
    When the ConfigMaps in all namespaces are listed with:
      | option        | value |
      | limit         | 10    |
      | version       | old   |
      | version match | Exact |
    """
    world.ask("GET", _list_path(world, all), options={**world.selectors(all), **_list_options(world, datatable)})


@when("the {all:Collection} are listed in chunks of {n:Number}")
def list_in_chunks(world: World, all: Collection, n: int) -> None:
    """
    When the ConfigMaps are listed in chunks of 10
    """
    world.ask("GET", _list_path(world, all), options={**world.selectors(all), "limit": str(n)})
    _read_on(world, all, n)


@given("the first {n:Number} {all:Collection} have been listed")
def list_first(world: World, n: int, all: Collection) -> None:
    """
    Given the first 10 ConfigMaps have been listed
    """
    world.ask("GET", _list_path(world, all), options={**world.selectors(all), "limit": str(n)})
    _ = world.accepted


@when("the rest of the {all:Collection} is listed")
def list_rest(world: World, all: Collection) -> None:
    """
    When the rest of the ConfigMaps is listed
    """
    if not world.answers:
        raise Misused("no first chunk has been listed")
    if not _continue_token(world):
        raise AssertionError("the first chunk does not say that there is more")
    _read_on(world, all, len(world.answer.object["items"]))


@when("the rest of the {all:Collection} is listed as it is now")
def list_rest_as_it_is(world: World, all: Collection) -> None:
    """
    When the rest of the ConfigMaps is listed as it is now  (by the token that comes with the refusal as Expired)
    """
    list_rest(world, all)
    refusal = world.answers.pop()
    token = get(refusal.status, "metadata.continue")
    require(refusal.reason == "Expired" and token, lambda: f"the rest was {world.plain(str(refusal))}, without a token")
    _read_on(world, all, len(world.answer.object["items"]), str(token))


@when('the objects "{plural:Text}" of "{group_version:Text}" are listed')
def list_unknown(world: World, plural: str, group_version: str) -> None:
    """
    When the objects "gadgets" of "example.com/v1" are listed
    """
    base = f"/apis/{group_version}" if "/" in group_version else f"/api/{group_version}"
    world.ask("GET", f"{base}/namespaces/{world.names.home}/{plural}")


# Answers


@then("the request is accepted")
def is_accepted(world: World) -> None:
    """
    Then the request is accepted
    """
    _ = world.accepted


@then("exactly {n:Number} of the requests are accepted, and the others refused as {reason:Kind}")
def so_many_are_accepted(world: World, n: int, reason: str) -> None:
    """
    Then exactly 5 of the requests are accepted, and the others refused as Forbidden
    """
    refusals = [answer for answer in world.answers if not answer.accepted]
    accepted = len(world.answers) - len(refusals)
    require(accepted == n, f"{accepted} of {len(world.answers)} requests were accepted, not {n}")
    for answer in refusals:
        require(answer.reason == reason, lambda a=answer: f"a request was {world.plain(str(a))}")  # type: ignore[misc]


@then("the answer has:")
def answer_has(world: World, datatable: Table) -> None:
    """
    Then the answer has:
      | field         | value     |
      | metadata.name | settings  |
      | metadata.uid  | (present) |
    """
    check_fields("the answer", world.accepted, datatable)


@then('the answer has the version of "{called:Text}"')
def answer_has_version(world: World, called: str) -> None:
    """
    Then the answer has the version of "old"
    """
    version = get(world.accepted, "metadata.resourceVersion")
    require(version == world.version(called), f'the answer is of version {version}, not of "{called}"')


@then("the list holds exactly {names:Names}")
def list_holds(world: World, names: list[str]) -> None:
    """
    Then the list holds exactly "a", "b" and "c"
    """
    check_names("the list", [item["metadata"]["name"] for item in world.items], names)


@then("the list holds at least {names:Names}")
def list_holds_at_least(world: World, names: list[str]) -> None:
    """
    Then the list holds at least "a" and "b"
    """
    held = [item["metadata"]["name"] for item in world.items]
    missing = [name for name in names if name not in held]
    require(not missing, lambda: f"the list lacks {show(missing)}; it holds {show(held)}")


@then('the object "{name:Text}" of the list has:')
def one_of_list_has(world: World, name: str, datatable: Table) -> None:
    """
    Then the object "a" of the list has:
      | field               | value |
      | metadata.labels.app | web   |
    """
    found = [item for item in world.items if get(item, "metadata.name") == name]
    require(found, f'the list holds no "{name}"')
    check_fields(f'"{name}"', found[0], datatable)


@then("the list is empty")
def list_is_empty(world: World) -> None:
    """
    Then the list is empty
    """
    check_names("the list", [item["metadata"]["name"] for item in world.items], [])


@then("the list holds {n:Number} objects, each once")
def list_holds_number(world: World, n: int) -> None:
    """
    Then the list holds 25 objects, each once
    """
    names = [(item["metadata"].get("namespace"), item["metadata"]["name"]) for item in world.items]
    twice = sorted({name for name in names if names.count(name) > 1})
    require(not twice, f"the list holds more than once: {show([name for _, name in twice])}")
    require(len(names) == n, f"the list holds {len(names)} objects, not {n}")


@then("each object of the list has:")
def each_has(world: World, datatable: Table) -> None:
    """
    Then each object of the list has:
      | field               | value |
      | metadata.labels.app | web   |
    """
    require(world.items, "the list is empty")
    for item in world.items:
        check_fields(f'"{get(item, "metadata.name")}"', item, datatable)


@then('the chunks hold "{sizes:Text}" objects and are of one version')
def chunks_hold(world: World, sizes: str) -> None:
    """
    Then the chunks hold "10, 10, 5" objects and are of one version
    """
    _ = world.accepted
    actual = [len(answer.object["items"]) for answer in world.answers]
    require(actual == [int(size) for size in sizes.split(",")], f"the chunks hold {actual} objects")
    versions = {answer.object["metadata"]["resourceVersion"] for answer in world.answers}
    require(len(versions) == 1, f"the chunks are of the versions {sorted(versions)}")


def _read_on(world: World, all: Collection, limit: int, token: str = "") -> None:
    """Reads chunk after chunk until the API says that there is no more, or refuses; by another token first if told."""
    token = token or _continue_token(world)
    for _ in range(1000):
        if not token:
            return
        options = {**world.selectors(all), "limit": str(limit), "continue": token}
        world.ask("GET", _list_path(world, all), options=options)
        token = _continue_token(world)
    raise AssertionError("the list does not come to an end within 1000 chunks")


def _continue_token(world: World) -> str:
    answer = world.answer
    return str((answer.object.get("metadata") or {}).get("continue") or "") if answer.accepted else ""


def _list_path(world: World, all: Collection) -> str:
    return world.collection_path(world.kind(all.kind), all.namespace)


def _list_options(world: World, table: Table | None) -> dict[str, str]:
    options = {}
    for row in rows(table, "option", "value") if table else ():
        if row["option"] not in _LIST_OPTIONS:
            raise Misused(f"no option {row['option']!r}; options: {', '.join(_LIST_OPTIONS)}")
        value = world.version(row["value"]) if row["option"] == "version" else row["value"]
        options[_LIST_OPTIONS[row["option"]]] = value
    return options


def _delete_options(world: World, table: Table | None) -> Any:
    if table is None:
        return None
    options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions"}
    preconditions: dict[str, str] = {}
    for row in rows(table, "option", "value"):
        option, value = row["option"], row["value"]
        if option == "version":
            preconditions["resourceVersion"] = world.version(value)
        elif option == "uid":
            preconditions["uid"] = world.version(value)
        elif option in _DELETE_OPTIONS:
            options[_DELETE_OPTIONS[option]] = cell_value(value)
        else:
            raise Misused(f"no option {option!r}; options: version, uid, {', '.join(_DELETE_OPTIONS)}")
    return {**options, "preconditions": preconditions} if preconditions else options
