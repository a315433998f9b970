"""Objects as `kubectl get` shows them: meta.k8s.io/v1 Table and PartialObjectMetadata.

`apiserver.http` calls this when a client accepts `as=Table` or `as=PartialObjectMetadata(List)`
(apiserver/pkg/endpoints/handlers/response.go). A Table holds the wide columns too, marked by priority 1; the client
chooses. A kind without a printer shows its name and time of creation (apiserver/pkg/registry/rest/table.go).
Left out: v1beta1 Tables, and a CustomResourceDefinition's additionalPrinterColumns.
"""

from __future__ import annotations

from refkube.api.kinds import Kind
from refkube.apimachinery.errors import bad_request
from refkube.apimachinery.meta import Object, get_path, metadata_of, name_of
from refkube.apimachinery.rest import WatchEvent
from refkube.registry.tables.columns import AGE, NAME, Cells, Printer, age_of, definitions, parse
from refkube.registry.tables.printers import PRINTERS

META = "meta.k8s.io/v1"
INCLUDE = ("Metadata", "None", "Object")

_DEFAULT = Printer(parse("", "Name; Created At:date | @meta.v1.ObjectMeta.creationTimestamp"),
                   lambda o, _: [metadata_of(o).get("creationTimestamp")])  # fmt: skip
_DONE = {"Succeeded": "The pod has completed successfully.", "Failed": "The pod failed."}


def table(kind: Kind, obj: Object, include_object: str, now: float, headers: bool = True) -> Object:
    """One object or a list of `kind` as a Table; a Status stays what it is.

    `include_object` is the query parameter: Metadata (also when empty), None or Object; anything else is a 400.
    `now` is unix seconds, for ages. Without `headers` columnDefinitions is null.
    """
    if _is_status(obj):
        return obj
    if include_object and include_object not in INCLUDE:
        raise bad_request(f'unrecognized includeObject value: "{include_object}"')
    printer = printer_of(kind, obj)
    return {
        "kind": "Table",
        "apiVersion": META,
        "metadata": _list_metadata(obj),
        "columnDefinitions": definitions(printer.columns) if headers else None,
        "rows": [_row(kind, printer, item, include_object, now) for item in _items(kind, obj)],
    }


def table_event(kind: Kind, event: WatchEvent, include_object: str, now: float, first: bool) -> WatchEvent:
    """A watch event with its object as a Table of one row; an ERROR's Status is passed on.

    Only a watch's first event carries the column definitions."""
    return WatchEvent(event.type, table(kind, event.object, include_object, now, headers=first))


def partial(obj: Object) -> Object:
    """The object as meta.k8s.io/v1 PartialObjectMetadata; a Status stays what it is."""
    if _is_status(obj):
        return obj
    return {"kind": "PartialObjectMetadata", "apiVersion": META, "metadata": obj.get("metadata") or {}}


def partial_list(obj: Object) -> Object:
    """A list as meta.k8s.io/v1 PartialObjectMetadataList."""
    return {
        "kind": "PartialObjectMetadataList",
        "apiVersion": META,
        "metadata": _list_metadata(obj),
        "items": [partial(item) for item in obj.get("items") or ()],
    }


def printer_of(kind: Kind, obj: Object) -> Printer:
    """A Scale is a Scale, whatever resource it belongs to."""
    if obj.get("kind") == "Scale":
        return PRINTERS["autoscaling.v1.Scale"]
    return PRINTERS.get(kind.definition.rpartition(".apis.")[2].removeprefix("io.k8s.api."), _DEFAULT)


def _is_status(obj: Object) -> bool:
    return obj.get("kind") == "Status" and obj.get("apiVersion") == "v1"


def _is_list(obj: Object) -> bool:
    return "items" in obj and obj.get("kind", "List").endswith("List")


def _list_metadata(obj: Object) -> Object:
    meta = metadata_of(obj)
    names = ("resourceVersion", "continue", "remainingItemCount") if _is_list(obj) else ("resourceVersion",)
    return {name: meta[name] for name in names if meta.get(name) not in (None, "")}


def _items(kind: Kind, obj: Object) -> list[Object]:
    if not _is_list(obj):
        return [obj]
    items: list[Object] = obj["items"] or []
    if kind.kind == "FlowSchema":  # listed in the order they are matched
        return sorted(items, key=lambda o: (get_path(o, "spec", "matchingPrecedence", default=0), name_of(o)))
    return items


def _row(kind: Kind, printer: Printer, item: Object, include_object: str, now: float) -> Object:
    row: Object = {"cells": _cells(printer, item, now)}
    phase = get_path(item, "status", "phase", default="")
    if kind.kind == "Pod" and phase in _DONE:
        row["conditions"] = [{"type": "Completed", "status": "True", "reason": phase, "message": _DONE[phase]}]
    if include_object == "None":
        row["object"] = None
    elif include_object == "Object":
        row["object"] = item if "kind" in item else {"kind": kind.kind, "apiVersion": kind.api_version, **item}
    else:
        row["object"] = partial(item)
    return row


def _cells(printer: Printer, item: Object, now: float) -> Cells:
    """The printer's cells, with name and age put in where their columns stand."""
    rest = iter(printer.cells(item, now))
    return [
        printer.name(item) if column is NAME else age_of(item, now) if column is AGE else next(rest)
        for column in printer.columns
    ]
