"""Faults that features/api/lists.feature must catch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from refkube.apimachinery import errors
from refkube.apiserver import options
from refkube.registry.registry import Registry
from refkube.registry.storage import Page, Storage
from refkube.registry.watching import Selection
from refkube.store.kv import prefix_end

from gherkube.drivers.miniatures import miniature

Original = Callable[..., Any]


@miniature("A list is answered from a cache that is one write behind.", caught_by="lists.01", instead_of=Storage.list)
def lists_what_was_before_the_last_write(original: Original, self: Storage, selection: Selection, **how: Any) -> Page:
    how = {**how, "resource_version": str(self._store.revision - 1), "match": "Exact"}
    return original(self, selection, **how)


@miniature(
    "Every list shows what is there now.", caught_by=("lists.02", "lists.04", "lists.07"), instead_of=Storage.list
)
def lists_the_latest_for_any_version(original: Original, self: Storage, selection: Selection, **how: Any) -> Page:
    if how.get("resource_version") and not how.get("token"):
        self._refuse_future(int(how["resource_version"]))
        how = {**how, "resource_version": "", "match": ""}
    return original(self, selection, **how)


@miniature("Not older than a version is taken for older than it.", caught_by="lists.03", instead_of=Storage.list)
def lists_what_is_older(original: Original, self: Storage, selection: Selection, **how: Any) -> Page:
    if how.get("match") == "NotOlderThan":
        how = {**how, "match": "Exact", "resource_version": str(int(how["resource_version"]) - 1)}
    return original(self, selection, **how)


@miniature("A version yet to come stands for the latest.", caught_by="lists.05", instead_of=Storage.list)
def lists_the_future(original: Original, self: Storage, selection: Selection, **how: Any) -> Page:
    if int(how.get("resource_version") or 0) > self._store.revision:
        how = {**how, "resource_version": "", "match": ""}
    return original(self, selection, **how)


@miniature("A match is not looked at.", caught_by="lists.06", instead_of=options._list_problems)
def allows_any_match(original: Original, *args: Any) -> list[errors.FieldError]:
    return []


@miniature("What is not served is a bad request.", caught_by="lists.08", instead_of=errors.unknown_path)
def takes_unknown_paths_for_mistakes(original: Original) -> errors.StatusError:
    return errors.bad_request("no such resource")


@miniature("A chunk begins again with the last object.", caught_by="lists.09", instead_of=Storage._encode_token)
def repeats_an_object_at_each_chunk(original: Original, self: Storage, revision: int, last: str) -> str:
    return original(self, revision, last[:-1])


@miniature("A full chunk is always followed by another.", caught_by="lists.10#3", instead_of=Storage.list)
def follows_every_full_chunk(original: Original, self: Storage, selection: Selection, **how: Any) -> Page:
    page: Page = original(self, selection, **how)
    if how.get("limit") and len(page.items) == how["limit"] and not page.next:
        base = self._key(selection.namespace, "")
        return replace(page, next=self._encode_token(page.revision, page.items[-1].key[len(base) :]))
    return page


@miniature("A limit is ignored.", caught_by=("lists.10#1", "lists.10#2"), instead_of=Storage.list)
def ignores_the_limit(original: Original, self: Storage, selection: Selection, **how: Any) -> Page:
    return original(self, selection, **{**how, "limit": 0})


@miniature("A list ends with its first chunk.", caught_by=("lists.09", "lists.13", "lists.14"), instead_of=Storage.list)
def ends_with_the_first_chunk(original: Original, self: Storage, selection: Selection, **how: Any) -> Page:
    page: Page = original(self, selection, **how)
    return replace(page, next="", remaining=None)


@miniature("Each chunk shows what is there now.", caught_by="lists.11", instead_of=Storage._decode_token)
def reads_each_chunk_anew(original: Original, self: Storage, token: str, base: str) -> tuple[int, str]:
    _, start = original(self, token, base)
    return 0, start


@miniature("A selector is forgotten after the first chunk.", caught_by="lists.12", instead_of=Storage.list)
def forgets_the_selector(original: Original, self: Storage, selection: Selection, **how: Any) -> Page:
    if how.get("token"):
        selection = Selection(selection.namespace, None, None, selection._fields_of)
    return original(self, selection, **how)


@miniature("A chunk never crosses into the next namespace.", caught_by="lists.13", instead_of=Storage.list)
def stops_at_the_end_of_a_namespace(original: Original, self: Storage, selection: Selection, **how: Any) -> Page:
    page: Page = original(self, selection, **how)
    if not how.get("token") or selection.namespace:
        return page
    first = page.items[0].value["metadata"]["namespace"]
    return replace(page, items=[kv for kv in page.items if kv.value["metadata"]["namespace"] == first])


@miniature("What remains counts the chunk, too.", caught_by="lists.14", instead_of=Storage.list)
def counts_the_chunk_as_remaining(original: Original, self: Storage, selection: Selection, **how: Any) -> Page:
    page: Page = original(self, selection, **how)
    return page if page.remaining is None else replace(page, remaining=page.remaining + len(page.items))


@miniature("What remains is counted without the selector.", caught_by="lists.15", instead_of=Storage.list)
def counts_what_the_selector_leaves_out(original: Original, self: Storage, selection: Selection, **how: Any) -> Page:
    page: Page = original(self, selection, **how)
    remaining = self._store.count(self.prefix, prefix_end(self.prefix)) - len(page.items)
    return replace(page, remaining=remaining) if page.next else page


@miniature("A bad token starts the list anew.", caught_by="lists.16", instead_of=Storage._decode_token)
def starts_anew_after_a_bad_token(original: Original, self: Storage, token: str, base: str) -> tuple[int, str]:
    try:
        return original(self, token, base)
    except errors.StatusError:
        return 0, base


@miniature("What was, is remembered for ever.", caught_by="lists.17", instead_of=Registry.start_compaction)
def remembers_for_ever(original: Original, self: Registry) -> None:
    pass


@miniature("An expired list has to begin anew.", caught_by=("lists.17", "lists.18"), instead_of=Storage._expired)
def offers_no_other_token(original: Original, *args: Any) -> errors.StatusError:
    refusal: errors.StatusError = original(*args)
    refusal.status.pop("metadata", None)
    return refusal
