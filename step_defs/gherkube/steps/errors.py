"""Refusals and warnings, and requests that deserve them."""

from __future__ import annotations

from gherkube.drivers.base import JSON
from gherkube.steps import then, when
from gherkube.steps.common import Table, check_fields
from gherkube.values import show
from gherkube.world import CODES, Misused, World, require

_CAUSES = ("required", "invalid", "duplicate", "not supported", "not found", "forbidden", "too long", "too many")
_CAUSE_REASONS = {
    **{cause: "FieldValue" + "".join(word.capitalize() for word in cause.split()) for cause in _CAUSES},
    "wrong type": "FieldValueTypeInvalid",
}


@when("this text is sent as a new {kind:Kind}:")
def send_text(world: World, kind: str, docstring: str) -> None:
    """
    When this text is sent as a new ConfigMap:
      {"kind": "ConfigMap", "apiVersion": "v1", "metadata":
    """
    world.ask("POST", world.collection_path(world.kind(kind)), body=docstring.encode(), content_type=JSON)


@when('this text of the type "{media_type:Text}" is sent as a new {kind:Kind}:')
def send_typed_text(world: World, media_type: str, kind: str, docstring: str) -> None:
    """
    When this text of the type "application/yaml" is sent as a new ConfigMap:
      metadata: {name: settings}
    """
    world.ask("POST", world.collection_path(world.kind(kind)), body=docstring.encode(), content_type=media_type)


@when('a ConfigMap "{name:Text}" with {n:Number} bytes of data is created')
def create_large(world: World, name: str, n: int) -> None:
    """
    When a ConfigMap "large" with 2000000 bytes of data is created
    """
    body = {"metadata": {"name": name}, "data": {"filler": "x" * n}}
    world.ask("POST", world.collection_path(world.kind("ConfigMap")), body=body)


@then("the request is refused as {reason:Kind}")
def is_refused(world: World, reason: str) -> None:
    """
    Then the request is refused as NotFound
    """
    answer = world.answer
    if reason not in CODES:
        raise Misused(f"no reason {reason!r}; reasons: {', '.join(CODES)}")
    require(
        (answer.reason, answer.code) == (reason, CODES[reason]),
        lambda: f"the request was {world.plain(str(answer))}, not refused as {reason} ({CODES[reason]})",
    )
    require(answer.status.get("status") == "Failure", f"the refusal's status is {answer.status.get('status')!r}")
    require(answer.status.get("code") == answer.code, f"the refusal tells the code {answer.status.get('code')}")


@then("the request is refused as {one:Kind} or {other:Kind}")
def is_refused_either_way(world: World, one: str, other: str) -> None:
    """
    Then the request is refused as Unauthorized or Forbidden
    """
    is_refused(world, other if world.answer.reason == other else one)


@then("the request is refused as Invalid for:")
def is_invalid_for(world: World, datatable: Table) -> None:
    """
    Then the request is refused as Invalid for:
      | field                   | cause    |
      | spec.containers[0].name | required |
    """
    is_refused(world, "Invalid")
    header, *body = datatable
    if header not in (["field"], ["field", "cause"]) or not body:
        raise Misused("the table's columns are field and, if wanted, cause")
    causes = world.plain(world.answer.causes)
    told = {(cause.get("field"), cause.get("reason")) for cause in causes}
    wanted = set()
    for row in body:
        if len(row) > 1 and row[1] not in _CAUSE_REASONS:
            raise Misused(f"no cause {row[1]!r}; causes: {', '.join(_CAUSE_REASONS)}")
        matching = {one for one in told if one[0] == row[0] and (len(row) == 1 or one[1] == _CAUSE_REASONS[row[1]])}
        require(matching, lambda row=row: f"no cause names {' as '.join(row)}; named: {_list(told)}")  # type: ignore[misc]
        wanted |= matching
    require(told == wanted, f"other fields are named, too: {_list(told - wanted)}")


@then("the refusal has:")
def refusal_has(world: World, datatable: Table) -> None:
    """
    Then the refusal has:
      | field                    | value                   |
      | details.causes[0].reason | ResourceVersionTooLarge |
    """
    require(not world.answer.accepted, "the request was accepted")
    check_fields("the refusal", world.plain(world.answer.status), datatable)


@then("the refusal has no causes")
def has_no_causes(world: World) -> None:
    """
    Then the refusal has no causes
    """
    require(not world.answer.accepted, "the request was accepted")
    require(not world.answer.causes, f"the refusal has causes: {show(world.plain(world.answer.causes))}")


@then('the refusal mentions "{text:Text}"')
def refusal_mentions(world: World, text: str) -> None:
    """
    Then the refusal mentions "unknown field"
    """
    require(not world.answer.accepted, "the request was accepted")
    message = world.plain(world.answer.message)
    require(text in message, f"the refusal says {message!r}")


@then('a warning mentions "{text:Text}"')
def warning_mentions(world: World, text: str) -> None:
    """
    Then a warning mentions "data.colour"
    """
    warnings = [world.plain(warning) for warning in world.answer.warnings]
    require(any(text in warning for warning in warnings), f"the warnings are: {show(warnings)}")


@then("there is no warning")
def no_warning(world: World) -> None:
    """
    Then there is no warning
    """
    require(not world.answer.warnings, f"there are warnings: {show(list(world.answer.warnings))}")


def _list(causes: set[tuple[str | None, str | None]]) -> str:
    return ", ".join(sorted(f"{field} ({reason})" for field, reason in causes)) or "none"
