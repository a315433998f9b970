"""Validation of what every object carries: its metadata, on creation and on update.

Called by every kind's validation and, for kinds without rules of their own, by `refkube.api.validation` itself.
Facts: apimachinery/pkg/api/validation/objectmeta.go, apis/meta/v1/validation, kubernetes/pkg/apis/core/validation.
Labels and annotations are validated once per pair: most objects repeat those of their siblings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from refkube.apimachinery import names
from refkube.apimachinery.errors import FieldError, field_forbidden, invalid, required, too_long
from refkube.apimachinery.meta import Object

NameFn = Callable[[str, bool], list[str]]
"""name, is it a prefix (generateName)? -> messages"""

IMMUTABLE = "field is immutable"
NOT_NEGATIVE = "must be greater than or equal to 0"
ANNOTATIONS_LIMIT = 256 * 1024
_UNCHANGEABLE = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")
_UNSET: Mapping[str, object] = {"name": "", "namespace": "", "uid": ""}
_STANDARD_FINALIZERS = frozenset({"kubernetes", "orphan", "foregroundDeletion"})


class Rules(NamedTuple):
    """How one kind is validated. Each takes defaulted objects, `create` one, the others (new, old)."""

    create: Callable[[Object], list[FieldError]]
    update: Callable[[Object, Object], list[FieldError]]
    status_update: Callable[[Object, Object], list[FieldError]] | None = None


def validate_object_meta(
    meta: Mapping[str, Any], namespaced: bool, name_fn: NameFn, path: str = "metadata"
) -> list[FieldError]:
    """The metadata of an object to be created; names are generated already, name_fn says what a name may be."""
    errors: list[FieldError] = []
    name, prefix, namespace = meta.get("name"), meta.get("generateName"), meta.get("namespace")
    if prefix:
        errors += [invalid(f"{path}.generateName", prefix, text) for text in name_fn(prefix, True)]
    if not name:
        errors.append(required(f"{path}.name", "name or generateName is required"))
    else:
        errors += [invalid(f"{path}.name", name, text) for text in name_fn(name, False)]
    if namespace and namespaced:
        errors += [invalid(f"{path}.namespace", namespace, text) for text in names.is_dns1123_label(namespace)]
    elif namespace:
        errors.append(field_forbidden(f"{path}.namespace", "not allowed on this type"))
    elif namespaced:
        errors.append(required(f"{path}.namespace"))
    errors += non_negative(meta, "generation", path)
    errors += _common(meta, path)
    if "finalizers" in meta:
        errors += _finalizers(meta["finalizers"], f"{path}.finalizers")
    return errors


def validate_object_meta_update(
    new: Mapping[str, Any], old: Mapping[str, Any], path: str = "metadata"
) -> list[FieldError]:
    """The metadata of an update; what the server owns must be as it was."""
    errors: list[FieldError] = []
    finalizers = new.get("finalizers") or ()
    if old.get("deletionTimestamp"):
        added = sorted(set(finalizers) - set(old.get("finalizers") or ()))
        if added:
            shown = "[]string{" + ", ".join(f'"{name}"' for name in added) + "}"
            why = f"no new finalizers can be added if the object is being deleted, found new finalizers {shown}"
            errors.append(field_forbidden(f"{path}.finalizers", why))
    if not new.get("resourceVersion"):
        errors.append(invalid(f"{path}.resourceVersion", "", "must be specified for an update"))
    errors += non_negative(new, "generation", path)
    if new.get("generation", 0) < old.get("generation", 0):
        errors.append(invalid(f"{path}.generation", new.get("generation", 0), "must not be decremented"))
    for key in _UNCHANGEABLE:
        if new.get(key) != old.get(key) and (new.get(key) or old.get(key)):
            errors.append(invalid(f"{path}.{key}", new.get(key, _UNSET.get(key)), IMMUTABLE))
    errors += _common(new, path)
    errors += _unqualified_finalizers(finalizers, f"{path}.finalizers")
    return errors


def _common(meta: Mapping[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if "labels" in meta:
        errors += validate_labels(meta["labels"], f"{path}.labels")
    if "annotations" in meta:
        errors += validate_annotations(meta["annotations"], f"{path}.annotations")
    if "ownerReferences" in meta:
        errors += _owner_references(meta["ownerReferences"], f"{path}.ownerReferences")
    for index, entry in enumerate(meta.get("managedFields", ())):
        errors += _managed_fields(entry, f"{path}.managedFields[{index}]")
    return errors


def validate_labels(labels: Mapping[str, str], path: str) -> list[FieldError]:
    """Labels, also a nodeSelector or a Service's selector. Every error points at the map, as upstream's do."""
    return [invalid(path, bad, text) for pair in labels.items() for bad, text in _label_faults(*pair)]


@lru_cache(maxsize=4096)
def _label_faults(key: str, value: str) -> tuple[tuple[str, str], ...]:
    faults = [(key, text) for text in names.is_qualified_name(key)]
    return tuple(faults + [(value, text) for text in names.is_label_value(value)])


def validate_annotations(annotations: Mapping[str, str], path: str) -> list[FieldError]:
    errors = [invalid(path, key, text) for key in annotations for text in _annotation_faults(key)]
    size = sum(len(key) + len(value) for key, value in annotations.items())
    # Only what comes near the limit is worth counting in bytes; a character has at most four.
    if size * 4 > ANNOTATIONS_LIMIT:
        size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
        if size > ANNOTATIONS_LIMIT:
            errors.append(too_long(path, ANNOTATIONS_LIMIT))
    return errors


@lru_cache(maxsize=4096)
def _annotation_faults(key: str) -> tuple[str, ...]:
    return tuple(names.is_qualified_name(key.lower()))


def _owner_references(references: Iterable[Object], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    controller = ""
    for reference in references:
        api_version, kind, name = (reference.get(key, "") for key in ("apiVersion", "kind", "name"))
        if not api_version or api_version.endswith("/"):
            errors.append(invalid(f"{path}.apiVersion", api_version, "version must not be empty"))
        for key in ("kind", "name", "uid"):
            if not reference.get(key):
                errors.append(invalid(f"{path}.{key}", "", "must not be empty"))
        if (api_version, kind) == ("v1", "Event"):
            errors.append(invalid(path, reference, "/v1, Kind=Event is disallowed from being an owner"))
        if reference.get("controller"):
            if controller:
                why = (
                    'Only one reference can have Controller set to true. Found "true" in references for '
                    f"{controller} and {kind}/{name}"
                )
                errors.append(invalid(path, list(references), why))
            controller = controller or f"{kind}/{name}"
    return errors


def _finalizers(finalizers: Iterable[str], path: str) -> list[FieldError]:
    errors = [invalid(path, name, text) for name in finalizers for text in names.is_qualified_name(name)]
    if {"orphan", "foregroundDeletion"} <= set(finalizers):
        both = "finalizer orphan and foregroundDeletion cannot be both set"
        errors.append(invalid(path, list(finalizers), both))
    return errors + _unqualified_finalizers(finalizers, path)


def _unqualified_finalizers(finalizers: Iterable[str], path: str) -> list[FieldError]:
    why = "name is neither a standard finalizer name nor is it fully qualified"
    return [
        invalid(f"{path}[{index}]", name, why)
        for index, name in enumerate(finalizers)
        if "/" not in name and name not in _STANDARD_FINALIZERS
    ]


def _managed_fields(entry: Object, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if entry.get("operation") not in ("Apply", "Update"):
        errors.append(invalid(f"{path}.operation", entry.get("operation", ""), "must be `Apply` or `Update`"))
    if entry.get("fieldsType", "FieldsV1") not in ("FieldsV1", ""):
        errors.append(invalid(f"{path}.fieldsType", entry["fieldsType"], "must be `FieldsV1`"))
    errors += validate_field_manager(entry.get("manager", ""), f"{path}.manager")
    if len(entry.get("subresource", "")) > 256:
        errors.append(too_long(f"{path}.subresource", 256))
    return errors


def validate_field_manager(manager: str, path: str) -> list[FieldError]:
    errors = [too_long(path, 128)] if len(manager.encode()) > 128 else []
    for position, character in enumerate(manager):
        if not character.isprintable():
            shown = f"U+{ord(character):04X}"
            errors.append(invalid(path, manager, f"invalid character {shown} (at position {position})"))
    return errors


def non_negative(owner: Mapping[str, Any], key: str, path: str) -> list[FieldError]:
    """The numeric field `key` of `owner`, where it is set, must not be below zero."""
    value = owner.get(key)
    return [invalid(f"{path}.{key}", value, NOT_NEGATIVE)] if value and value < 0 else []


def validate_immutable(new: object, old: object, path: str) -> list[FieldError]:
    return [] if new == old else [invalid(path, new, IMMUTABLE)]


def name_is_dns_subdomain(name: str, prefix: bool = False) -> list[str]:
    return names.is_dns1123_subdomain(_mask(name) if prefix else name)


def name_is_dns_label(name: str, prefix: bool = False) -> list[str]:
    return names.is_dns1123_label(_mask(name) if prefix else name)


def name_is_dns1035_label(name: str, prefix: bool = False) -> list[str]:
    return names.is_dns1035_label(_mask(name) if prefix else name)


def name_is_path_segment(name: str, prefix: bool = False) -> list[str]:
    if not prefix and name in (".", ".."):
        return [f"may not be '{name}'"]
    return [f"may not contain '{part}'" for part in "/%" if part in name]


def _mask(prefix: str) -> str:
    """A generateName may end in a dash, as something follows it."""
    return prefix[:-2] + "a" if len(prefix) > 1 and prefix.endswith("-") else prefix
