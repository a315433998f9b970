"""Validation of what every object carries: its metadata, on creation and on update.

Called by `refkube.api.validation` for every kind. Labels and annotations are validated once per pair: most objects
repeat those of their siblings. Facts: apimachinery/pkg/api/validation/objectmeta.go, apis/meta/v1/validation,
kubernetes/pkg/apis/core/validation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from refkube.api.validation.rules import IMMUTABLE, NOT_NEGATIVE, Errors, below, tables
from refkube.apimachinery import names
from refkube.apimachinery.errors import FieldError, field_forbidden, invalid, required, too_long

NameFn = Callable[[str, bool], Iterable[str]]
"""name, is it a prefix (generateName)? -> messages"""
ANNOTATIONS_LIMIT = 256 * 1024
_UNCHANGEABLE = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")
_UNSET: Mapping[str, object] = {"name": "", "namespace": "", "uid": ""}
_STANDARD_FINALIZERS = frozenset({"kubernetes", "orphan", "foregroundDeletion"})


def validate_object_meta(meta: Mapping[str, Any], namespaced: bool, name_fn: NameFn) -> list[FieldError]:
    """The metadata of an object to be created; names are generated already, name_fn says what a name may be."""
    errors: list[FieldError] = []
    name, prefix, namespace = meta.get("name"), meta.get("generateName"), meta.get("namespace")
    if prefix:
        errors += [invalid("metadata.generateName", prefix, text) for text in name_fn(prefix, True)]
    if not name:
        errors.append(required("metadata.name", "name or generateName is required"))
    else:
        errors += [invalid("metadata.name", name, text) for text in name_fn(name, False)]
    if namespace and namespaced:
        errors += [invalid("metadata.namespace", namespace, text) for text in names.is_dns1123_label(namespace)]
    elif namespace:
        errors.append(field_forbidden("metadata.namespace", "not allowed on this type"))
    elif namespaced:
        errors.append(required("metadata.namespace"))
    errors += _negative_generation(meta)
    if found := TABLES["Common"](meta):
        errors += below("metadata", found)
    if "finalizers" in meta:
        errors += _finalizers(meta["finalizers"])
    return errors


def validate_object_meta_update(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """The metadata of an update; what the server owns must be as it was."""
    errors: list[FieldError] = []
    finalizers = new.get("finalizers") or ()
    if old.get("deletionTimestamp"):
        added = sorted(set(finalizers) - set(old.get("finalizers") or ()))
        if added:
            shown = "[]string{" + ", ".join(f'"{name}"' for name in added) + "}"
            why = f"no new finalizers can be added if the object is being deleted, found new finalizers {shown}"
            errors.append(field_forbidden("metadata.finalizers", why))
    if not new.get("resourceVersion"):
        errors.append(invalid("metadata.resourceVersion", "", "must be specified for an update"))
    errors += _negative_generation(new)
    generation = new.get("generation", 0)
    if generation < old.get("generation", 0):
        errors.append(invalid("metadata.generation", generation, "must not be decremented"))
    for key in _UNCHANGEABLE:
        if new.get(key) != old.get(key) and (new.get(key) or old.get(key)):
            errors.append(invalid(f"metadata.{key}", new.get(key, _UNSET.get(key)), IMMUTABLE))
    if found := TABLES["Common"](new):
        errors += below("metadata", found)
    return [*errors, *_unqualified(finalizers)] if finalizers else errors


def _negative_generation(meta: Mapping[str, Any]) -> Iterable[FieldError]:
    generation = meta.get("generation", 0)
    return [invalid("metadata.generation", generation, NOT_NEGATIVE)] if generation < 0 else ()


def validate_labels(labels: Mapping[str, str], *_: Any) -> list[FieldError]:
    """Labels, also a nodeSelector or a Service's selector. Every error points at the map, as upstream's do."""
    return [error for pair in labels.items() if (found := _label_faults(*pair)) for error in found]


@lru_cache(maxsize=4096)
def _label_faults(key: str, value: str) -> tuple[FieldError, ...]:
    faults = [invalid("", key, text) for text in names.is_qualified_name(key)]
    return (*faults, *(invalid("", value, text) for text in names.is_label_value(value)))


def validate_annotations(annotations: Mapping[str, str], *_: Any) -> list[FieldError]:
    errors = [invalid("", key, text) for key in annotations for text in _annotation_faults(key)]
    size = sum(len(key) + len(value) for key, value in annotations.items())
    # Only what comes near the limit is worth counting in bytes; a character has at most four.
    if size * 4 > ANNOTATIONS_LIMIT:
        size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
        if size > ANNOTATIONS_LIMIT:
            errors.append(too_long("", ANNOTATIONS_LIMIT))
    return errors


@lru_cache(maxsize=4096)
def _annotation_faults(key: str) -> tuple[str, ...]:
    return tuple(names.is_qualified_name(key.lower()))


def _one_controller(references: list[Mapping[str, Any]], *_: Any) -> Errors:
    first, *more = [f"{r.get('kind', '')}/{r.get('name', '')}" for r in references if r.get("controller")] or [""]
    why = 'Only one reference can have Controller set to true. Found "true" in references for'
    yield from (invalid("", references, f"{why} {first} and {other}") for other in more)


def _finalizers(finalizers: Iterable[str]) -> Errors:
    for name in finalizers:
        yield from (invalid("metadata.finalizers", name, text) for text in names.is_qualified_name(name))
    if {"orphan", "foregroundDeletion"} <= set(finalizers):
        both = "finalizer orphan and foregroundDeletion cannot be both set"
        yield invalid("metadata.finalizers", list(finalizers), both)
    yield from _unqualified(finalizers)


def _unqualified(finalizers: Iterable[str]) -> Errors:
    for index, name in enumerate(finalizers):
        yield from below(f"metadata.finalizers[{index}]", standard_or_qualified(name))


def standard_or_qualified(name: str, *_: Any) -> Iterable[FieldError]:
    """A finalizer's name, once it is a qualified one."""
    why = "name is neither a standard finalizer name nor is it fully qualified"
    return [invalid("", name, why)] if "/" not in name and name not in _STANDARD_FINALIZERS else ()


def _manager(manager: str, *_: Any) -> list[FieldError]:
    errors = [too_long("", 128)] if len(manager.encode()) > 128 else []
    for position, character in enumerate("" if manager.isprintable() else manager):
        if not character.isprintable():
            shown = f"U+{ord(character):04X}"
            errors.append(invalid("", manager, f"invalid character {shown} (at position {position})"))
    return errors


def _mask(prefix: str) -> str:
    """A generateName may end in a dash, as something follows it."""
    return prefix[:-2] + "a" if len(prefix) > 1 and prefix.endswith("-") else prefix


def name_is_dns_subdomain(name: str, prefix: bool = False) -> list[str]:
    return names.is_dns1123_subdomain(_mask(name) if prefix else name)


def name_is_dns_label(name: str, prefix: bool = False) -> list[str]:
    return names.is_dns1123_label(_mask(name) if prefix else name)


def name_is_ip(name: str, prefix: bool = False) -> list[str]:
    return names.is_ip(name)


def name_is_path_segment(name: str, prefix: bool = False) -> list[str]:
    return [text for text in names.is_path_segment_name(name) if not prefix or "contain" in text]


TABLES = tables(r"""
Common
  labels                validate_labels
  annotations           validate_annotations
  # Upstream tells no index.
  ownerReferences[.]
    apiVersion          default "" invalid if not v or v.endswith("/") -- version must not be empty
    kind, name, uid     default "" invalid "" if not v -- must not be empty
    .                   invalid if apiVersion == "v1" and kind == "Event" \
                        -- /v1, Kind=Event is disallowed from being an owner
  ownerReferences       one_controller
  managedFields[]
    operation           default "" invalid if v not in ("Apply", "Update") -- must be `Apply` or `Update`
    fieldsType          invalid if v != "FieldsV1" -- must be `FieldsV1`
    manager             manager
    subresource         chars 256
""", globals())  # fmt: skip
