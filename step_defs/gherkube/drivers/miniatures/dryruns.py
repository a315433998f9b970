"""Faults that features/api/dryruns.feature must catch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from refkube.apimachinery.meta import Object
from refkube.apiserver import options as parse
from refkube.registry.storage import Storage, Write
from refkube.store.kv import KeyValue

from gherkube.drivers.miniatures import miniature

Original = Callable[..., Any]


@miniature(
    "A creation that is tried out is stored.",
    caught_by=("dryruns.01", "dryruns.02", "dryruns.05", "dryruns.16", "dryruns.17"),
    instead_of=parse.write_options,
)
def creates_in_earnest(original: Original, options: Any, verb: str, *rest: str) -> Any:
    asked = original(options, verb, *rest)
    return replace(asked, dry_run=False) if verb == "create" else asked


@miniature(
    "A creation is tried out without judging it.", caught_by=("dryruns.03", "dryruns.04"), instead_of=Storage.create
)
def creates_without_judging(original: Original, self: Storage, obj: Object, namespace: str, write: Write) -> Any:
    named = self._named(obj, namespace)
    return KeyValue("", named, 0, 0, 0) if write.dry_run else original(self, obj, namespace, write)


@miniature("An update that is tried out is stored.", caught_by="dryruns.06", instead_of=parse.write_options)
def updates_in_earnest(original: Original, options: Any, verb: str, *rest: str) -> Any:
    asked = original(options, verb, *rest)
    return replace(asked, dry_run=False) if verb == "update" else asked


@miniature("An update is tried out without judging it.", caught_by="dryruns.07", instead_of=Storage.update)
def updates_without_judging(
    original: Original, self: Storage, namespace: str, name: str, transform: Any, write: Write, **more: Any
) -> Any:
    if not write.dry_run:
        return original(self, namespace, name, transform, write, **more)
    old = self.get(namespace, name)
    return KeyValue(old.key, transform(old.value), 0, 0, 0), False


@miniature(
    "A patch that is tried out is stored.",
    caught_by=("dryruns.08", "dryruns.09", "dryruns.11", "apply.25"),
    instead_of=parse.write_options,
)
def patches_in_earnest(original: Original, options: Any, verb: str, *rest: str) -> Any:
    asked = original(options, verb, *rest)
    return replace(asked, dry_run=False) if verb == "patch" else asked


@miniature(
    "A deletion that is tried out is carried out.",
    caught_by=("dryruns.12", "dryruns.13", "dryruns.15"),
    instead_of=parse.delete_options,
)
def deletes_in_earnest(original: Original, body: Any, options: Any) -> Any:
    told, _ = original(body, options)
    return told, False


@miniature(
    "Whatever is told of dry runs, it is one.", caught_by=("dryruns.18", "dryruns.19"), instead_of=parse._dry_run
)
def tries_out_anyhow(original: Original, value: str, problems: list[Any]) -> bool:
    return bool(value)
