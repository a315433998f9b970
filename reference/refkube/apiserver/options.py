"""The options of API calls as typed values: what query parameters and DeleteOptions may say.

Called by the pipeline. Errors are upstream's: 400 for what cannot be parsed, 422 naming the option for what
is not allowed (apimachinery/pkg/apis/meta/v1/validation, internalversion/validation).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from refkube.apimachinery import errors
from refkube.apimachinery.errors import FieldError
from refkube.apimachinery.fields import FieldSelector, parse_field_selector
from refkube.apimachinery.meta import Object
from refkube.apimachinery.selectors import Selector
from refkube.apimachinery.selectors import parse as parse_selector

META = "meta.k8s.io"
MAX_MANAGER = 128


@dataclass(slots=True)
class ListOptions:
    labels: Selector | None
    fields: FieldSelector | None
    resource_version: str
    match: str
    limit: int
    token: str
    timeout: float
    bookmarks: bool
    send_initial: bool | None  # None: not told


def list_options(options: Mapping[str, str], *, watch: bool) -> ListOptions:
    """Of list, watch and deletecollection."""
    try:
        labels = parse_selector(options["labelSelector"]) if options.get("labelSelector") else None
        fields = parse_field_selector(options["fieldSelector"]) if options.get("fieldSelector") else None
    except ValueError as why:
        raise errors.bad_request(str(why)) from None
    parsed = ListOptions(
        labels=labels,
        fields=fields,
        resource_version=options.get("resourceVersion", ""),
        match=options.get("resourceVersionMatch", ""),
        limit=max(0, _integer(options, "limit")),
        token=options.get("continue", ""),
        timeout=float(_integer(options, "timeoutSeconds")),
        bookmarks=_boolean(options, "allowWatchBookmarks"),
        send_initial=_boolean(options, "sendInitialEvents") if "sendInitialEvents" in options else None,
    )
    problems = _watch_problems(options, parsed) if watch else _list_problems(options, parsed)
    _refuse("ListOptions", problems)
    return parsed


def _list_problems(options: Mapping[str, str], parsed: ListOptions) -> list[FieldError]:
    match, version = parsed.match, parsed.resource_version
    problems = []
    if "sendInitialEvents" in options:
        problems.append(errors.field_forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    if match:
        if not version:
            why = "resourceVersionMatch is forbidden unless resourceVersion is provided"
            problems.append(errors.field_forbidden("resourceVersionMatch", why))
        if parsed.token:
            why = "resourceVersionMatch is forbidden when continue is provided"
            problems.append(errors.field_forbidden("resourceVersionMatch", why))
        if match not in ("Exact", "NotOlderThan"):
            problems.append(errors.not_supported("resourceVersionMatch", match, ("Exact", "NotOlderThan", "")))
        if match == "Exact" and version == "0":
            why = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
            problems.append(errors.field_forbidden("resourceVersionMatch", why))
    if parsed.token and version not in ("", "0"):
        raise errors.bad_request("specifying resource version is not allowed when using continue")
    return problems


def _watch_problems(options: Mapping[str, str], parsed: ListOptions) -> list[FieldError]:
    match = parsed.match
    problems = []
    if parsed.send_initial is not None and match != "NotOlderThan":
        why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        problems.append(errors.field_forbidden("resourceVersionMatch", why))
    if match and parsed.send_initial is None:
        why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        problems.append(errors.field_forbidden("resourceVersionMatch", why))
    if match not in ("", "NotOlderThan"):
        problems.append(errors.not_supported("resourceVersionMatch", match, ("NotOlderThan",)))
    if match and parsed.token:
        why = "resourceVersionMatch is forbidden when continue is provided"
        problems.append(errors.field_forbidden("resourceVersionMatch", why))
    return problems


@dataclass(slots=True)
class WriteOptions:
    dry_run: bool
    manager: str
    validation: str  # Strict, Warn or Ignore
    force: bool


def write_options(options: Mapping[str, str], verb: str, patch_type: str, user_agent: str) -> WriteOptions:
    """Of create, update and patch."""
    problems = []
    kind = {"create": "CreateOptions", "update": "UpdateOptions", "patch": "PatchOptions"}[verb]
    applies = patch_type == "application/apply-patch+yaml"
    manager = options.get("fieldManager", "")
    if len(manager) > MAX_MANAGER:
        problems.append(errors.too_long("fieldManager", MAX_MANAGER))
    if not all(character.isprintable() for character in manager):
        problems.append(errors.invalid("fieldManager", manager, "should only contain printable characters"))
    if applies and not manager:
        problems.append(errors.required("fieldManager", "is required for apply patch"))
    if "force" in options and not applies:
        problems.append(errors.field_forbidden("force", "may not be specified for non-apply patch"))
    validation = options.get("fieldValidation", "") or "Warn"
    if validation not in ("Ignore", "Warn", "Strict"):
        problems.append(errors.not_supported("fieldValidation", validation, ("", "Ignore", "Strict", "Warn")))
    dry_run = _dry_run(options.get("dryRun", ""), problems)
    _refuse(kind, problems)
    return WriteOptions(
        dry_run=dry_run,
        manager=manager or user_agent.partition("/")[0][:MAX_MANAGER] or "unknown",
        validation=validation,
        force=_boolean(options, "force"),
    )


def delete_options(body: Any, options: Mapping[str, str]) -> tuple[Object, bool]:
    """DeleteOptions from the body or, where there is none, the query; and whether it is a dry run."""
    told: Object = dict(body) if isinstance(body, dict) else {}
    if body is None:
        if options.get("gracePeriodSeconds"):
            told["gracePeriodSeconds"] = _integer(options, "gracePeriodSeconds")
        if options.get("orphanDependents"):
            told["orphanDependents"] = _boolean(options, "orphanDependents")
        if options.get("propagationPolicy"):
            told["propagationPolicy"] = options["propagationPolicy"]
    problems: list[FieldError] = []
    policy = told.get("propagationPolicy")
    if policy is not None and told.get("orphanDependents") is not None:
        why = "orphanDependents and deletionPropagation cannot be both set"
        problems.append(errors.invalid("propagationPolicy", policy, why))
    if policy not in (None, "Foreground", "Background", "Orphan"):
        problems.append(
            errors.not_supported("propagationPolicy", policy, ("Foreground", "Background", "Orphan", "nil"))
        )
    given = told.get("dryRun") or ([options["dryRun"]] if body is None and options.get("dryRun") else [])
    dry_run = bool([value for value in given if _dry_run(value, problems)])
    _refuse("DeleteOptions", problems)
    return told, dry_run


def _dry_run(value: str, problems: list[FieldError]) -> bool:
    if value not in ("", "All"):
        problems.append(errors.not_supported("dryRun", [value], ("All",)))
    return value == "All"


def _integer(options: Mapping[str, str], name: str) -> int:
    text = options.get(name, "")
    try:
        value = int(text) if text else 0
        if not -(2**63) <= value < 2**63:
            raise ValueError(text)
        return value
    except ValueError:
        raise errors.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def _boolean(options: Mapping[str, str], name: str) -> bool:
    """Go's conversion of query parameters: everything but "false" and "0" is true."""
    value = options.get(name)
    return value is not None and value.lower() not in ("false", "0")


def _refuse(kind: str, problems: list[FieldError]) -> None:
    if problems:
        raise errors.invalid_object(META, kind, "", problems)
