"""Faults that features/api/apply.feature must catch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from refkube.api import schema
from refkube.api.kinds import Kind
from refkube.apimachinery import fieldset
from refkube.apimachinery.fieldset import FieldSet, Shape
from refkube.apimachinery.meta import Object, metadata_of, with_metadata
from refkube.apimachinery.typeschema import Node
from refkube.apiserver import options as parse
from refkube.apiserver.pipeline import Pipeline
from refkube.registry import managedfields

from gherkube.drivers.miniatures import miniature

Original = Callable[..., Any]


def managers(obj: Object | None) -> list[Object]:
    return metadata_of(obj or {}).get("managedFields") or []


@miniature(
    "An apply records no manager.",
    caught_by=("apply.01", "apply.03", "apply.10", "apply.17", "apply.20", "apply.25"),
    instead_of=managedfields.apply,
)
def records_no_manager(original: Original, live: Object | None, applied: Object, **how: Any) -> Any:
    return with_metadata(original(live, applied, **how), managedFields=None)


@miniature("Who applies owns the defaults as well.", caught_by="apply.04", instead_of=Pipeline._decode)
def owns_the_defaults(original: Original, self: Pipeline, body: Any, *rest: Any, **how: Any) -> Any:
    return original(self, body, *rest)


@miniature("An update takes nothing from an applier.", caught_by="apply.05", instead_of=managedfields.track)
def takes_nothing_from_appliers(original: Original, new: Object, old: Object | None, **how: Any) -> Any:
    entries = original(new, old, **how)
    kept = [entry for entry in managers(old) if entry["operation"] == "Apply"]
    return [*kept, *(entry for entry in entries or () if entry["operation"] != "Apply")] or None


@miniature(
    "Only creation and apply record managers.",
    caught_by=("apply.06", "apply.13", "apply.16"),
    instead_of=managedfields.track,
)
def tracks_no_changes(original: Original, new: Object, old: Object | None, **how: Any) -> Any:
    return original(new, None, **how) if old is None else managers(old) or None


@miniature(
    "Every apply is forced.",
    caught_by=("apply.07", "apply.08", "apply.21", "dryruns.10"),
    instead_of=managedfields.apply,
)
def forces_every_apply(original: Original, live: Object | None, applied: Object, **how: Any) -> Any:
    return original(live, applied, **{**how, "force": True})


@miniature("A conflict names one field of each manager.", caught_by="apply.07", instead_of=managedfields._conflict)
def names_one_field(original: Original, conflicts: dict[Any, FieldSet]) -> Any:
    return original({whose: dict(list(fields.items())[:1]) for whose, fields in conflicts.items()})


@miniature("Whoever is overruled still owns the field.", caught_by="apply.09", instead_of=managedfields.apply)
def shares_what_is_forced(original: Original, live: Object | None, applied: Object, **how: Any) -> Any:
    made = original(live, applied, **how)
    mine = [entry for entry in managers(made) if entry["manager"] == how["manager"]]
    others = [entry for entry in managers(live) if entry["manager"] != how["manager"]]
    return with_metadata(made, managedFields=[*others, *mine])


@miniature(
    "What is left out stays.",
    caught_by=("apply.11", "apply.15", "apply.19", "apply.20"),
    instead_of=managedfields._Apply._pruned,
)
def never_removes(original: Original, self: managedfields._Apply, last: FieldSet, schema: Node, shape: Shape) -> Any:
    return self.new


@miniature(
    "What is left out is removed from under other managers.",
    caught_by=("apply.12", "apply.14"),
    instead_of=managedfields._Apply.__init__,
)
def removes_what_others_own(
    original: Original, self: managedfields._Apply, live: Object, applied: Object, managed: Any, own: Any, *rest: Any
) -> None:
    original(self, live, applied, managed, own, *rest)
    if own in managed:
        left_out = fieldset.difference(managed[own]["fieldsV1"], self.managed[own]["fieldsV1"])
        self.new = managedfields._removed(self.new, left_out, fieldset.root_shape(rest[1]))


@miniature(
    "A list that is applied replaces the list.",
    caught_by=("apply.17", "apply.18"),
    instead_of=managedfields._merged_items,
)
def replaces_lists(original: Original, live: list[Any], applied: list[Any], shape: Shape) -> Any:
    return applied


@miniature("An apply needs no manager's name.", caught_by="apply.22", instead_of=parse.write_options)
def applies_for_nobody(original: Original, options: dict[str, str], *rest: str) -> Any:
    return original({"fieldManager": "unknown", **options}, *rest)


@miniature("A record of managers in an apply is passed over.", caught_by="apply.23", instead_of=managedfields.apply)
def passes_over_records(original: Original, live: Object | None, applied: Object, **how: Any) -> Any:
    return original(live, with_metadata(applied, managedFields=None), **how)


@miniature("The record does not tell the part that was applied.", caught_by="apply.26", instead_of=managedfields.apply)
def forgets_the_subresource(original: Original, live: Object | None, applied: Object, **how: Any) -> Any:
    return original(live, applied, **{**how, "subresource": ""})


@miniature("A record cannot be overwritten.", caught_by="apply.27", instead_of=managedfields._sent)
def keeps_every_record(original: Original, sent: list[Object], live: list[Object] | None) -> Any:
    return live


@miniature("An update without a record removes it.", caught_by="apply.28", instead_of=managedfields.track)
def loses_the_record(original: Original, new: Object, old: Object | None, **how: Any) -> Any:
    return None if old is not None and not managers(new) else original(new, old, **how)


@miniature("What is empty is left out before it is owned.", caught_by="apply.29", instead_of=schema.decode_applied)
def owns_nothing_empty(original: Original, obj: Any, kind: Kind) -> Any:
    return schema.decode(obj, kind)
