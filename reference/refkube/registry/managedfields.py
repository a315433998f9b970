"""Who owns which field: metadata.managedFields of every write, and server-side apply.

The API server's pipeline calls `track` with each created, updated or patched object, and `apply` for an apply patch;
`keep_times` at the end of a write. A manager is known by its name, operation, version (of an Update) and subresource.
Left out: conversion. An entry of another version of the kind counts as if its paths were those of this version.
Facts: apimachinery/pkg/util/managedfields, apiserver/pkg/endpoints/handlers/fieldmanager,
sigs.k8s.io/structured-merge-diff (merge/, typed/), and Kubernetes' documentation, "Server-Side Apply".
"""

from __future__ import annotations

from typing import Any

import orjson

from refkube.apimachinery import errors, fieldset
from refkube.apimachinery.fieldset import FieldSet, Shape
from refkube.apimachinery.meta import Object, annotations_of, metadata_of, name_of, namespace_of
from refkube.apimachinery.typeschema import Node

APPLY, UPDATE = "Apply", "Update"
MAX_UPDATE_MANAGERS = 10
ANCIENT = "ancient-changes"
BEFORE_FIRST_APPLY = "before-first-apply"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_MAX_ANNOTATIONS = 256 * 1024  # bytes, names and values

Entry = dict[str, Any]
Identity = tuple[str, str, str, str]  # manager, operation, version of an Update, subresource
Managed = dict[Identity, Entry]

_entries: dict[tuple[Any, ...], Entry] = {}


def track(
    new: Object,
    old: Object | None,
    *,
    manager: str,
    api_version: str,
    now: str,
    schema: Node,
    subresource: str = "",
    reset: FieldSet | None = None,
) -> list[Entry] | None:
    """metadata.managedFields of an object that is created (`old` None), updated or patched otherwise than by apply.

    The very list of `old` where nothing changes hands; None where nobody is on record: an object whose record was
    reset stays without one until it is applied. `now` is RFC 3339 in whole seconds, `reset` what this endpoint does
    not write (status of the main resource, all but status of its subresource).
    """
    live = metadata_of(old).get("managedFields") if old is not None else None
    base = live
    sent = metadata_of(new).get("managedFields")
    if sent is not None and sent is not live and not subresource and sent != live:
        base = _sent(sent, live)
    if old is not None and not base:
        return None
    changed, removed = fieldset.compare(old or {}, new, schema)
    if reset:
        changed, removed = fieldset.strip(changed, reset), fieldset.strip(removed, reset)
    if not changed and not removed:
        return base
    entries: list[Entry] = []
    mine: Entry | None = None
    own = (manager or "unknown", UPDATE, api_version, subresource)
    for entry in base or ():
        fields = entry["fieldsV1"]
        if entry.get("manager", "") == own[0] and entry["operation"] == UPDATE and _identity(entry) == own:
            mine = entry
            continue
        left = fieldset.difference(fieldset.difference(fields, changed), removed)
        if left is fields:
            entries.append(entry)
        elif left:
            entries.append({**entry, "fieldsV1": left})
    left = fieldset.union(fieldset.difference(mine["fieldsV1"], removed), changed) if mine else changed
    if left:
        entries.append(_entry(own, api_version, now if changed or not mine else mine.get("time", ""), left))
    if len(entries) > 1:
        entries = _capped(entries)
        entries.sort(key=_order)
    return entries or None


def apply(
    live: Object | None,
    applied: Object,
    *,
    manager: str,
    force: bool,
    api_version: str,
    now: str,
    schema: Node,
    subresource: str = "",
    reset: FieldSet | None = None,
) -> Object:
    """The object that an apply patch makes of `live`, its managedFields included; `live` itself where nothing changes.

    What this manager applied before and leaves out now is removed, unless somebody else owns it. Defaults are the
    caller's. Errors: 409 with a cause for each field that another manager owns with another value (unless `force`),
    400 for managedFields in the patch or another kind, 500 for what does not fit the schema, as upstream.
    """
    _refuse_unfit(live, applied, api_version, fieldset.root_shape(schema))
    managed = {_identity(entry): entry for entry in metadata_of(live or {}).get("managedFields") or ()}
    bare = _with_managed(live or {}, None)
    if live and not managed:
        fields = fieldset.compare({}, bare, schema)[0]
        first = (BEFORE_FIRST_APPLY, UPDATE, api_version, subresource)
        managed = {first: _entry(first, api_version, now, fieldset.strip(fields, reset or {}))} if fields else {}
    own = (manager or "unknown", APPLY, "", subresource)
    step = _Apply(bare, applied, managed, own, api_version, schema, reset or {})
    if step.conflicts and not force:
        conflicts = step.conflicts
        if manager == "kubectl" and (allowed := _last_applied_fields(bare, api_version, schema)) is not None:
            left = {whose: fieldset.difference(fields, allowed) for whose, fields in conflicts.items()}
            conflicts = {whose: fields for whose, fields in left.items() if fields}
        if conflicts:
            raise _conflict(conflicts)
    managed = step.managed
    same = step.new == bare
    made = bare if same else _without_nulls(step.new)
    mine = managed.get(own)
    if mine is not None and not same:
        managed[own] = _entry(own, api_version, now, mine["fieldsV1"])
    if manager == "kubectl" and annotations_of(made).get(LAST_APPLIED):
        made = _with_last_applied(made, applied)
    entries = sorted(managed.values(), key=_order)
    if live and made == bare and entries == metadata_of(live).get("managedFields", []):
        return live
    return _with_managed(made, entries)


def keep_times(new: Object, old: Object) -> Object:
    """`new` with the times of `old`'s managedFields where nothing else differs: a write without effect stays none."""
    after, before = metadata_of(new).get("managedFields"), metadata_of(old).get("managedFields")
    if not after or after is before or not before or len(after) != len(before) or after == before:
        return new
    if any({**a, "time": ""} != {**b, "time": ""} for a, b in zip(after, before, strict=True)):
        return new
    kept = _with_managed(new, before)
    return kept if kept == old else new


def decode(entries: Any) -> list[Entry]:
    """managedFields that a client sent, one entry for each manager. ValueError with upstream's message."""
    managed: Managed = {}
    for i, entry in enumerate(entries):
        if entry.get("operation") not in (APPLY, UPDATE):
            raise ValueError("operation must be `Apply` or `Update`")
        if not entry.get("apiVersion"):
            raise ValueError("apiVersion must not be empty")
        kind = entry.get("fieldsType", "")
        if kind != "FieldsV1":
            what = f'invalid fieldsType "{kind}"' if kind else "missing fieldsType"
            raise ValueError(f"{what} in managed fields entry {i}")
        try:
            fields = fieldset.parse(entry.get("fieldsV1") or {})
        except ValueError as why:
            raise ValueError(f"error decoding set: {why}") from None
        identity = _identity(entry)
        managed[identity] = _entry(identity, entry["apiVersion"], entry.get("time", ""), fields)
    return list(managed.values())


def _sent(sent: list[Entry], live: list[Entry] | None) -> list[Entry] | None:
    """What a client's own managedFields count for: [] and [{}] reset the record, what is wrong is passed over."""
    if not sent or (len(sent) == 1 and not any(sent[0].values())):
        return None
    try:
        return sorted(decode(sent), key=_order) or live
    except ValueError:
        return live


def _identity(entry: Entry) -> Identity:
    version = entry.get("apiVersion", "") if entry["operation"] == UPDATE else ""
    return entry.get("manager", ""), entry["operation"], version, entry.get("subresource", "")


def _entry(whose: Identity, api_version: str, time: str, fields: FieldSet) -> Entry:
    """Entries of one second are shared as their sets are: a thousand Pods of one template have one."""
    key = (whose, api_version, time, id(fields))
    found = _entries.get(key)
    if found is None:
        manager, operation, _, subresource = whose
        told: Entry = {"manager": manager, "operation": operation, "apiVersion": api_version, "time": time}
        told |= {"fieldsType": "FieldsV1", "fieldsV1": fields, "subresource": subresource}
        if len(_entries) >= 1 << 12:
            _entries.clear()
        found = _entries[key] = {name: value for name, value in told.items() if value or name == "fieldsV1"}
    return found


def _order(entry: Entry) -> tuple[str, str, str, str, str]:
    """Times are RFC 3339 in UTC and whole seconds, as decoding leaves them: their text is in their order."""
    get = entry.get
    return entry["operation"], get("time", ""), get("manager", ""), entry["apiVersion"], get("subresource", "")


def _capped(entries: list[Entry]) -> list[Entry]:
    """With no more than ten that update: the oldest of each version are merged into one, 'ancient-changes'."""
    updates = [entry for entry in entries if entry["operation"] == UPDATE]
    excess = len(updates) - MAX_UPDATE_MANAGERS
    if excess <= 0:
        return entries
    kept = {_identity(entry): entry for entry in entries}
    first: dict[str, Entry] = {}
    for entry in sorted(updates, key=lambda entry: (entry.get("time", ""), _identity(entry))):
        version = entry["apiVersion"]
        bucket = (ANCIENT, UPDATE, version, "")
        if excess <= 0 or (version in first and _identity(entry) == bucket):
            continue
        if version not in first:
            first[version] = entry
            continue
        before = kept.get(bucket) or kept.pop(_identity(first[version]))
        fields = fieldset.union(entry["fieldsV1"], before["fieldsV1"])
        kept[bucket] = _entry(bucket, version, entry.get("time", ""), fields)
        del kept[_identity(entry)]
        excess -= 1
    return list(kept.values())


def _with_managed(obj: Object, entries: list[Entry] | None) -> Object:
    meta = {name: value for name, value in metadata_of(obj).items() if name != "managedFields"}
    if entries:
        meta["managedFields"] = entries
    return {**obj, "metadata": meta} if meta or "metadata" in obj else obj


# Apply


class _Apply:
    """One application as if by force: `new` (nulls and all), everybody's `managed`, and the `conflicts` there were."""

    def __init__(
        self,
        live: Object,
        applied: Object,
        managed: Managed,
        own: Identity,
        version: str,
        schema: Node,
        reset: FieldSet,
    ):
        shape = fieldset.root_shape(schema)
        fields = fieldset.strip(fieldset.of(applied, schema), reset)
        before = managed.get(own)
        self.managed = {**managed, own: _entry(own, version, (before or {}).get("time", ""), fields)}
        self.new = merge(live, applied, shape)
        if before is not None:
            self.new = self._pruned(before["fieldsV1"], schema, shape)
        changed, removed = fieldset.compare(live, self.new, schema)
        changed, removed = fieldset.strip(changed, reset), fieldset.strip(removed, reset)
        self.conflicts: dict[Identity, FieldSet] = {}
        for whose, entry in list(self.managed.items()):
            left = fields = entry["fieldsV1"]
            if whose != own:
                conflict = fieldset.intersection(fields, changed)
                if conflict:
                    self.conflicts[whose] = conflict
                left = fieldset.difference(fieldset.difference(fields, conflict), removed)
            if not left:
                del self.managed[whose]
            elif left is not fields:
                self.managed[whose] = {**entry, "fieldsV1": left}

    def _pruned(self, last: FieldSet, schema: Node, shape: Shape) -> Object:
        """`new` without what was applied last time and is not now, unless it is somebody's, or has in it what is
        nobody's."""

        def fields_of(obj: Object) -> FieldSet:
            return fieldset.with_structs(fieldset.of(obj, schema), shape)

        merged = self.new
        everything, last = fields_of(merged), fieldset.with_structs(last, shape)
        owned = fieldset.EMPTY
        for entry in self.managed.values():
            owned = fieldset.union(owned, entry["fieldsV1"])
        kept = fieldset.union(fields_of(_removed(merged, last, shape)), fieldset.with_structs(owned, shape))
        kept = fields_of(_removed(merged, fieldset.difference(everything, kept), shape))
        return _removed(merged, fieldset.intersection(fieldset.difference(everything, kept), last), shape)


def merge(live: Any, applied: Any, shape: Shape | None) -> Any:
    """`live` with what `applied` says put over it. Nothing is removed; a null replaces only what has no parts."""
    if shape is fieldset.UNOWNED:
        return live if applied is None else applied
    if shape is None:
        return live if live == applied else applied
    if not live or not isinstance(live, shape.type):
        return applied
    if not applied or not isinstance(applied, shape.type):
        return live
    if shape.is_list:
        return _merged_items(live, applied, shape)
    made = {name: merge(live.get(name), value, shape.field(name)[1]) for name, value in applied.items()}
    if all(value is live.get(name, made) for name, value in made.items()):
        return live
    return {**live, **made}


def _merged_items(live: list[Any], applied: list[Any], shape: Shape) -> list[Any]:
    """In the order of `applied`; items that are only live stay behind the ones they stood behind."""
    ours, theirs = fieldset.index(applied, shape), fieldset.index(live, shape)

    def merged(element: str) -> Any:
        before = theirs.get(element)
        return merge(None if isinstance(before, fieldset.Several) else before, ours[element], shape.item)

    order, standing = list(ours), [shape.key(item) for item in live]
    shared = [element for element in order if element in theirs]
    made: list[Any] = []
    done: set[str] = set()
    i = j = 0
    while i < len(standing) or j < len(order):
        awaited = next((element for element in shared if element not in done), None)
        if i < len(standing):
            element = standing[i]
            if element not in ours:
                made.append(live[i])
                i += 1
                continue
            if element in done or (j < len(order) and element != order[j] and element != awaited):
                i += 1  # it has had, or will have, its turn in the order of `applied`
                continue
        made.append(merged(order[j]))
        done.add(order[j])
        j += 1
    return live if len(made) == len(live) and all(a is b for a, b in zip(made, live, strict=True)) else made


def _removed(value: Any, fields: FieldSet, shape: Shape | None) -> Any:
    """`value` without the members of a set; null where nothing is left of it."""
    if not fields or shape is None or not value or not isinstance(value, shape.type):
        return value
    if shape.is_list:
        items = []
        for item in value:
            entry = fields.get(shape.key(item))
            if entry is None or not fieldset.is_member(entry):
                items.append(item if entry is None else _removed(item, entry, shape.item))
        return items or None
    made = {}
    for name, item in value.items():
        element, child, _ = shape.field(name)
        entry = fields.get(element)
        if entry is None or not fieldset.is_member(entry):
            made[name] = item if entry is None else _removed(item, entry, child)
    return made or None


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        made = {name: _without_nulls(item) for name, item in value.items() if item is not None}
        same = len(made) == len(value) and all(made[name] is item for name, item in value.items())
        return value if same else made
    if isinstance(value, list):
        items = [_without_nulls(item) for item in value if item is not None]
        same = len(items) == len(value) and all(a is b for a, b in zip(items, value, strict=True))
        return value if same else items
    return value


# What apply refuses


def _refuse_unfit(live: Object | None, applied: Object, api_version: str, shape: Shape) -> None:
    kind = applied.get("kind", "")
    group, _, version = applied.get("apiVersion", "").rpartition("/")
    gvk = f"{group}/{version}, Kind={kind}"
    if applied.get("apiVersion") != api_version or (live and live.get("kind", kind) != kind):
        raise errors.bad_request(f"invalid object type: {gvk}")
    if metadata_of(applied).get("managedFields") is not None:
        raise errors.bad_request("metadata.managedFields must be nil")
    unfit = [f"{path}: {why}" if path else why for path, why in _unfit(applied, shape)]
    if unfit:
        told = unfit[0] if len(unfit) == 1 else "\n  ".join(["errors:", *unfit])
        name = f"{namespace_of(applied)}/{name_of(applied)}; {gvk}"
        # upstream answers 500 here, though it is the client's mistake
        raise errors.bad_request(f"failed to create typed patch object ({name}): {told}")


def _unfit(value: Any, shape: Shape, path: str = "") -> list[tuple[str, str]]:
    """Where a value does not fit its schema: unknown fields, wrong types, items without keys or with the same ones.

    Only parts with parts are looked into; the caller decodes the merged object and refuses the rest.
    """
    if value is None:
        return []
    if not isinstance(value, shape.type):
        what = "list" if shape.is_list else "map"
        return [] if shape.open else [(path, f"expected {what}, got &{{{errors.printed(value)}}}")]
    found: list[tuple[str, str]] = []
    if shape.is_list:
        seen: set[str] = set()
        for i, item in enumerate(value):
            if why := _unfit_item(item, shape):
                return [*found, (path, f"element {i}: {why}")]
            element = shape.key(item)
            told = next(fieldset.paths({element: fieldset.LEAF}))
            if element in seen:
                found.append((path, f"duplicate entries for key {told}"))
            seen.add(element)
            if shape.item:
                found += _unfit(item, shape.item, path + told)
        return found
    for name, item in value.items():
        if name not in shape.fields and not shape.open:
            found.append((f"{path}.{name}", "field not declared in schema"))
            continue
        child = shape.field(name)[1]
        if child is not None and child is not fieldset.UNOWNED:
            found += _unfit(item, child, f"{path}.{name}")
    return found


def _unfit_item(item: Any, shape: Shape) -> str:
    if not shape.keys:
        what = {dict: "a map type", list: "lists", type(None): "an explicit null"}.get(type(item))
        if isinstance(item, list):
            return "not supported: associative list with lists as elements"
        return f"associative list without keys has an element that's {what}" if what else ""
    if item is None:
        return "associative list with keys may not have a null element"
    if not isinstance(item, dict):
        return "associative list with keys may not have non-map elements"
    if shape.key(item) == "k:{}":
        keys = " ".join(f'"{key}"' for key in shape.keys)
        rest = "(and doesn't have default values for any key fields)"
        return f"associative list with keys has an element that omits all key fields [{keys}] {rest}"
    return ""


def _conflict(conflicts: dict[Identity, FieldSet]) -> errors.StatusError:
    """409, naming each field and who owns it (internal/conflict.go)."""
    told = [(_who(whose), list(fieldset.paths(conflicts[whose]))) for whose in sorted(conflicts)]
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {who}", "field": path}
        for who, paths in told
        for path in paths
    ]
    if len(causes) == 1:
        return errors.apply_conflict(
            causes, f"Apply failed with 1 conflict: {causes[0]['message']}: {causes[0]['field']}"
        )
    lines = [line for who, paths in told for line in (f"conflicts with {who}:", *(f"- {path}" for path in paths))]
    return errors.apply_conflict(causes, f"Apply failed with {len(causes)} conflicts: " + "\n".join(lines))


def _who(whose: Identity) -> str:
    manager, _, version, subresource = whose
    with_subresource = f' with subresource "{subresource}"' if subresource else ""
    return f'"{manager}"{with_subresource}' + (f" using {version}" if version else "")


# From kubectl's client-side apply to server-side apply


def _last_applied_fields(live: Object, api_version: str, schema: Node) -> FieldSet | None:
    """What kubectl's annotation says it applied and is still so: no conflict for kubectl. None without one."""
    try:
        last = orjson.loads(annotations_of(live).get(LAST_APPLIED, ""))
        if last.get("apiVersion") != api_version or _unfit(last, fieldset.root_shape(schema)):
            return None
        changed, removed = fieldset.compare(last, live, schema)
        return fieldset.difference(fieldset.difference(fieldset.of(last, schema), changed), removed)
    except (ValueError, TypeError, AttributeError):
        return None


def _with_last_applied(obj: Object, applied: Object) -> Object:
    """With kubectl's annotation in step, as long as all annotations keep within their limit."""
    said = annotations_of(applied)
    if said:
        annotations = {name: value for name, value in said.items() if name != LAST_APPLIED}
        applied = {**applied, "metadata": {**metadata_of(applied), "annotations": annotations}}
    text = orjson.dumps(applied, option=orjson.OPT_SORT_KEYS).decode() + "\n"
    annotations = {**annotations_of(obj), LAST_APPLIED: text}
    if sum(len(name.encode()) + len(value.encode()) for name, value in annotations.items()) > _MAX_ANNOTATIONS:
        del annotations[LAST_APPLIED]
    return {**obj, "metadata": {**metadata_of(obj), "annotations": annotations}}
