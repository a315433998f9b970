"""Faults that the features of the profile `selection` must catch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from refkube.api.kinds import Kind
from refkube.apimachinery import errors
from refkube.apimachinery.fields import FieldSelector
from refkube.apimachinery.meta import Object, get_path
from refkube.apimachinery.rest import Request, Response
from refkube.apimachinery.selectors import EXISTS, NOT_EQUALS, NOT_IN, Requirement, Selector
from refkube.apiserver import options
from refkube.apiserver.pipeline import Pipeline
from refkube.registry.storage import Storage
from refkube.registry.strategy import EventStrategy, PodStrategy, Strategy
from refkube.registry.watching import Change, Feed, Selection, Watcher
from refkube.store.kv import prefix_end

from gherkube.drivers.miniatures import miniature

Original = Callable[..., Any]


# What a selector's requirements mean


@miniature(
    "!= and notin do not match objects that lack the label.",
    caught_by=("labels.01#3", "labels.01#5", "labels.03#2", "labels.04#2", "labels.05", "labels.07"),
    instead_of=Requirement.matches,
)
def wants_the_label_for_notin(original: Original, self: Requirement, labels: Mapping[str, str]) -> bool:
    absent = self.operator in (NOT_IN, NOT_EQUALS) and self.key not in labels
    return not absent and original(self, labels)


@miniature(
    "notin is taken for in.", caught_by=("labels.01#5", "labels.01#14", "labels.03#4"), instead_of=Requirement.matches
)
def takes_notin_for_in(original: Original, self: Requirement, labels: Mapping[str, str]) -> bool:
    return labels.get(self.key) in self.values if self.operator == NOT_IN else original(self, labels)


@miniature(
    "An empty label is as good as none.", caught_by=("labels.01#7", "labels.04#5"), instead_of=Requirement.matches
)
def takes_empty_for_absent(original: Original, self: Requirement, labels: Mapping[str, str]) -> bool:
    return bool(labels.get(self.key)) if self.operator == EXISTS else original(self, labels)


@miniature(
    "One requirement that is met suffices.",
    caught_by=("labels.01#12", "labels.02#4", "labels.03#7", "labels.04#8"),
    instead_of=Selector.matches,
)
def wants_any_requirement(original: Original, self: Selector, labels: Mapping[str, str] | None) -> bool:
    return any(requirement.matches(labels or {}) for requirement in self.requirements)


@miniature(
    "Capitals are the same as small letters.", caught_by=("labels.02#2", "labels.02#3"), instead_of=Selector.matches
)
def confuses_capitals(original: Original, self: Selector, labels: Mapping[str, str] | None) -> bool:
    have = {key.lower(): value.lower() for key, value in (labels or {}).items()}
    return all(have.get(key.lower()) == value.lower() for key, value in self._equal)


@miniature("A value that begins as wanted will do.", caught_by="labels.02#5", instead_of=Selector.matches)
def matches_beginnings(original: Original, self: Selector, labels: Mapping[str, str] | None) -> bool:
    return all((labels or {}).get(key, "").startswith(value) for key, value in self._equal)


# Where selectors are used


@miniature(
    "A deletion of a collection ignores its selectors.",
    caught_by=("labels.03", "fields.06"),
    instead_of=Pipeline._delete_collection,
)
def deletes_without_selecting(original: Original, self: Pipeline, request: Request, *rest: Any) -> Response:
    return original(self, replace(request, options={}), *rest)


@miniature(
    "A watch ignores its selectors.",
    caught_by=("labels.04", "labels.06", "fields.07", "fields.08", "fields.09"),
    instead_of=Storage.watch,
)
def watches_without_selecting(original: Original, self: Storage, selection: Selection, **how: Any) -> Watcher:
    return original(self, Selection(selection.namespace, None, None, selection._fields_of), **how)


@miniature("A watch begins with what it does not select, too.", caught_by="labels.05", instead_of=Feed.open)
def begins_with_everything(original: Original, self: Feed, selection: Selection, **how: Any) -> Watcher:
    everything = self._store.range(self._prefix, prefix_end(self._prefix)).kvs
    return original(self, selection, **{**how, "initial": how.get("initial") and everything})


@miniature("What comes to match is told as modified.", caught_by="labels.06", instead_of=Watcher.offer)
def tells_who_enters_as_modified(original: Original, self: Watcher, change: Change) -> None:
    if change.old is not None and change.new is not None and not self.selection.matches(change.old):
        change._events["ADDED"] = change.modified
    original(self, change)


@miniature(
    "What stops matching leaves silently.",
    caught_by=("labels.06", "labels.07", "labels.08", "labels.09", "fields.08"),
    instead_of=Watcher.offer,
)
def lets_objects_leave_silently(original: Original, self: Watcher, change: Change) -> None:
    if change.new is None or self.selection.matches(change.new):
        original(self, change)


@miniature("What stops matching leaves with its old version.", caught_by="labels.08", instead_of=Watcher.offer)
def lets_objects_leave_at_their_old_version(original: Original, self: Watcher, change: Change) -> None:
    if change.new is not None:
        change._stamp = lambda obj, revision: obj
    original(self, change)


@miniature(
    "A selector that makes no sense selects everything.",
    caught_by=("labels.10", "labels.11", "labels.12"),
    instead_of=options.list_options,
)
def ignores_bad_selectors(original: Original, told: Mapping[str, str], *, watch: bool) -> options.ListOptions:
    try:
        return original(told, watch=watch)
    except errors.StatusError:
        return original({key: value for key, value in told.items() if key != "labelSelector"}, watch=watch)


# Fields


@miniature("A field's != is taken for =.", caught_by=("fields.01#3", "fields.09"), instead_of=FieldSelector.matches)
def takes_unequal_fields_for_equal(original: Original, self: FieldSelector, fields: Mapping[str, str]) -> bool:
    return all(fields.get(requirement.field, "") == requirement.value for requirement in self.requirements)


@miniature(
    "Of several fields one alone counts.",
    caught_by=("fields.01#7", "fields.02#5", "fields.02#6", "fields.03#2"),
    instead_of=FieldSelector.matches,
)
def counts_one_field(original: Original, self: FieldSelector, fields: Mapping[str, str]) -> bool:
    return original(FieldSelector(self.requirements[-1:]), fields)


@miniature(
    "A Pod without a node is on any node.", caught_by=("fields.02#1", "fields.02#2"), instead_of=PodStrategy.fields
)
def puts_pods_everywhere(original: Original, self: PodStrategy, obj: Object) -> Mapping[str, str]:
    fields = original(self, obj)
    return {**fields, "spec.nodeName": fields["spec.nodeName"] or "nowhere"}


@miniature("An Event is about its own name.", caught_by="fields.03#1", instead_of=EventStrategy.fields)
def takes_events_for_their_objects(original: Original, self: EventStrategy, obj: Object) -> Mapping[str, str]:
    return {**original(self, obj), "involvedObject.name": get_path(obj, "metadata", "name", default="")}


@miniature("A list ignores its field selector.", caught_by=("fields.04", "fields.05"), instead_of=Storage.list)
def lists_all_fields(original: Original, self: Storage, selection: Selection, **how: Any) -> Any:
    return original(self, Selection(selection.namespace, selection.labels, None, selection._fields_of), **how)


@miniature("A list by fields ignores the labels.", caught_by="fields.05", instead_of=Storage.list)
def lists_all_labels(original: Original, self: Storage, selection: Selection, **how: Any) -> Any:
    labels = None if selection.fields else selection.labels
    return original(self, Selection(selection.namespace, labels, selection.fields, selection._fields_of), **how)


@miniature(
    "A field that is not offered is not looked at.",
    caught_by=("fields.10#1", "fields.10#2", "fields.10#5", "fields.11", "fields.12"),
    instead_of=Pipeline._selection,
)
def ignores_fields_that_are_not_offered(
    original: Original, self: Pipeline, request: Request, kind: Kind, storage: Storage, asked: options.ListOptions
) -> Selection:
    if asked.fields is not None:
        known = storage.strategy.field_names()
        offered = [requirement for requirement in asked.fields.requirements if requirement.field in known]
        asked = replace(asked, fields=FieldSelector(tuple(offered)))
    return original(self, request, kind, storage, asked)


@miniature(
    "A field without a value is not looked at.",
    caught_by=("fields.10#6", "fields.10#7"),
    instead_of=options.list_options,
)
def ignores_fields_without_values(original: Original, told: Mapping[str, str], *, watch: bool) -> options.ListOptions:
    terms = [term for term in told.get("fieldSelector", "").split(",") if "=" in term]
    return original({**told, "fieldSelector": ",".join(terms)}, watch=watch)


# Selectors of objects


@miniature("Expressions are not kept.", caught_by="selectors.01", instead_of=Storage.create)
def drops_expressions(original: Original, self: Storage, obj: Object, *rest: Any) -> Any:
    selector = get_path(obj, "spec", "selector", default={})
    if "matchExpressions" in selector:
        kept = {key: value for key, value in selector.items() if key != "matchExpressions"}
        obj = {**obj, "spec": {**obj["spec"], "selector": kept}}
    return original(self, obj, *rest)


@miniature(
    "A workload may select others' Pods.", caught_by=("selectors.02", "selectors.04"), instead_of=Strategy.validate
)
def selects_other_pods(original: Original, self: Strategy, obj: Object) -> list[errors.FieldError]:
    return [problem for problem in original(self, obj) if problem.field != "spec.template.metadata.labels"]


@miniature("What a map of labels cannot hold is left out.", caught_by="selectors.03", instead_of=Pipeline._decode)
def leaves_expressions_out(original: Original, self: Pipeline, body: Any, *rest: Any, **how: Any) -> Object:
    selector = get_path(body, "spec", "selector", default={})
    kept = {key: value for key, value in selector.items() if isinstance(value, str)}
    if body.get("spec") and selector:
        body = {**body, "spec": {**body["spec"], "selector": kept}}
    return original(self, body, *rest, **how)
