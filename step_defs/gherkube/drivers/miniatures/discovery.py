"""Faults that features/api/discovery.feature and representations.feature must catch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from refkube.api import kinds
from refkube.api.kinds import Kind
from refkube.apimachinery import errors
from refkube.apimachinery.meta import Object
from refkube.apimachinery.rest import WatchEvent
from refkube.apiserver import discovery
from refkube.apiserver.discovery import Discovery, Document
from refkube.apiserver.health import Health
from refkube.apiserver.http import _Form
from refkube.apiserver.openapi import OpenAPI
from refkube.registry import conversion, tables

from gherkube.drivers.miniatures import miniature

Original = Callable[..., Any]


@miniature("A group is left out.", caught_by="discovery.01", instead_of=Discovery.groups)
def leaves_a_group_out(original: Original, self: Discovery) -> list[str]:
    return [group for group in original(self) if group != "resource.k8s.io"]


@miniature("Something is told that is not served.", caught_by="discovery.02", instead_of=kinds.by_resource)
def tells_what_it_does_not_serve(original: Original, group: str, version: str, plural: str) -> Kind | None:
    return None if plural == "csinodes" else original(group, version, plural)


@miniature("One kind's place serves another.", caught_by="discovery.02", instead_of=kinds.by_resource)
def serves_another_kind(original: Original, group: str, version: str, plural: str) -> Kind | None:
    return original(group, version, "roles" if plural == "rolebindings" else plural)


@miniature("The oldest version is preferred.", caught_by="discovery.03", instead_of=Discovery._group)
def prefers_the_oldest(original: Original, self: Discovery, group: str) -> Object:
    told = original(self, group)
    return {**told, "preferredVersion": told["versions"][-1]}


@miniature("Short names are not told.", caught_by=("discovery.04", "discovery.05"), instead_of=discovery._resource)
def tells_no_short_names(original: Original, kind: Kind) -> Object:
    return {key: value for key, value in original(kind).items() if key != "shortNames"}


@miniature(
    "A part is told to be of its object's kind.",
    caught_by=("discovery.04", "discovery.05"),
    instead_of=discovery.subresource_kind,
)
def takes_parts_for_objects(original: Original, kind: Kind, name: str) -> tuple[str, str, str]:
    return kind.group, kind.version, kind.kind


@miniature("A version that is not served has no resources.", caught_by="discovery.06", instead_of=Discovery._build)
def tells_of_empty_versions(original: Original, self: Discovery, path: str, aggregated: bool) -> Document | None:
    found = original(self, path, aggregated)
    if found is None and path.startswith("/apis/"):
        return Document(discovery.resource_list(path.removeprefix("/apis/"), []))
    return found


@miniature("Schemas have no properties.", caught_by="discovery.07", instead_of=OpenAPI.document)
def tells_no_properties(original: Original, self: OpenAPI, path: str, accept: str = "") -> Document | None:
    found = original(self, path, accept)
    if found is None or "components" not in found.object:
        return found
    bare = {name: {"type": "object"} for name in found.object["components"]["schemas"]}
    return Document({**found.object, "components": {"schemas": bare}})


@miniature("The release is told without its patch.", caught_by="discovery.08", instead_of=discovery.version)
def tells_half_the_release(original: Original) -> Object:
    told = original()
    return {**told, "gitVersion": told["gitVersion"].rpartition(".")[0]}


@miniature("Health is told in another word.", caught_by="discovery.09", instead_of=Health.check)
def is_fine(original: Original, self: Health, path: str, options: Mapping[str, str]) -> tuple[int, bytes]:
    return 200, b"fine"


@miniature(
    "Both groups tell an event in the words of one.", caught_by="discovery.10", instead_of=conversion.from_storage
)
def tells_events_in_old_words(original: Original, obj: Object, kind: Kind) -> Object:
    return {**obj, "apiVersion": kind.api_version} if kind.kind == "Event" else original(obj, kind)


@miniature("An event is kept in the words it came in.", caught_by="discovery.11", instead_of=conversion.to_storage)
def keeps_events_in_new_words(original: Original, obj: Object, kind: Kind) -> Object:
    return {**obj, "apiVersion": "v1"} if kind.group == "events.k8s.io" else original(obj, kind)


@miniature(
    "The older version loses what it says in other words.", caught_by="discovery.12", instead_of=conversion.from_storage
)
def loses_the_target_of_autoscalers(original: Original, obj: Object, kind: Kind) -> Object:
    made = original(obj, kind)
    spec = {key: value for key, value in (made.get("spec") or {}).items() if key != "targetCPUUtilizationPercentage"}
    return {**made, "spec": spec} if kind.kind == "HorizontalPodAutoscaler" else made


# Representations


@miniature(
    "Every column is shown to everybody.",
    caught_by=("representations.01", "representations.02"),
    instead_of=tables.table,
)
def shows_wide_tables(original: Original, *given: Any, **how: Any) -> Object:
    made = original(*given, **how)
    columns = made.get("columnDefinitions")
    return {**made, "columnDefinitions": columns and [{**column, "priority": 0} for column in columns]}


@miniature("A Pod is shown by its phase alone.", caught_by="representations.01", instead_of=tables.table)
def shows_the_phase(original: Original, kind: Kind, obj: Object, *rest: Any, **how: Any) -> Object:
    made = original(kind, obj, *rest, **how)
    if kind.kind == "Pod":
        for row in made["rows"]:
            row["cells"][2] = "Pending"
    return made


@miniature("Only collections are shown in tables.", caught_by="representations.03", instead_of=_Form.shape)
def shows_only_collections(original: Original, self: _Form, obj: Object, *rest: Any) -> Object:
    return original(self, obj, *rest) if "items" in obj else obj


@miniature("A row does not tell whose it is.", caught_by="representations.04", instead_of=tables._row)
def shows_rows_of_nobody(original: Original, *given: Any) -> Object:
    return {**original(*given), "object": None}


@miniature(
    "A watch tells whole objects, whatever is asked.",
    caught_by=("representations.05", "representations.08"),
    instead_of=_Form.event,
)
def watches_whole_objects(original: Original, self: _Form, event: WatchEvent, *rest: Any) -> WatchEvent:
    return event


@miniature(
    "Metadata come with the rest.",
    caught_by=("representations.06", "representations.07", "representations.08"),
    instead_of=tables.partial,
)
def tells_more_than_metadata(original: Original, obj: Object) -> Object:
    return {**obj, **original(obj)}


@miniature("Everything has a table.", caught_by="representations.11", instead_of=_Form.asked)
def puts_everything_in_tables(original: Original, cls: Any, headers: Any, options: Any, kind: Any = None) -> Any:
    return original(cls, headers, options)


@miniature("Every answer is in JSON.", caught_by="representations.09", instead_of=_Form.encode)
def answers_in_json(original: Original, self: _Form, obj: Object) -> bytes:
    return orjson.dumps(obj)


@miniature("Who reads no JSON gets it all the same.", caught_by="representations.10", instead_of=_Form.asked)
def answers_whatever_is_asked(original: Original, form: type[_Form], *asked: Any) -> _Form:
    try:
        return original(form, *asked)
    except errors.StatusError:
        return _Form()
