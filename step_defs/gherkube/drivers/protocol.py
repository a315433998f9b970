"""The harness protocol, version 1: what a system answers beyond the Kubernetes API, so that the suite can judge it.

`OPERATIONS` is the whole of it: what is asked by which request, and which capability lets the suite ask. The shapes
of requests and answers are schemas/harness.schema.json; schemas/harness.openapi.json describes the same for tools and
is made from here. Both sides validate both ways: the driver `gherkube.drivers.harness`, and the harness of refkube.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import jsonschema
from jsonschema.exceptions import best_match

from gherkube import paths

VERSION = "1"
VERSION_HEADER = "Gherkube-Protocol"
SCHEMA = "harness.schema.json"
OPENAPI = "harness.openapi.json"


class Operation(NamedTuple):
    """`asked` and `told` name shapes of the schema, "" is nothing; `capability` is the one that it belongs to."""

    method: str
    path: str
    asked: str
    told: str
    capability: str
    about: str


OPERATIONS = {
    "identity": Operation("GET", "/", "", "identity", "", "Who the harness is, and what it can do."),
    "reset": Operation("POST", "/reset", "reset", "connection", "", "A fresh system for the next scenario."),
    "time": Operation("POST", "/time", "time", "passed", "time.skip", "Let time pass, at no cost."),
    "node": Operation("POST", "/node", "node", "done", "nodes.fault", "What befalls a node, or its kubelet."),
    "container": Operation(
        "POST", "/container", "container", "done", "pods.fault", "Kill a container, or let it hang."
    ),
    "probe": Operation("POST", "/probe", "probe", "done", "pods.fault", "Let a container's probe fail, or no longer."),
    "connect": Operation("POST", "/connect", "connect", "connections", "net.connect", "New connections."),
    "held": Operation("POST", "/held", "", "connections", "net.connect", "One more request over each held connection."),
    "release": Operation("POST", "/release", "", "done", "net.connect", "Close the held connections."),
    "outside": Operation("POST", "/outside", "place", "address", "net.outside", "The address of a machine outside."),
    "fetch": Operation("POST", "/fetch", "fetch", "fetched", "net.connect", "An answer by HTTP."),
    "resolve": Operation("POST", "/resolve", "resolve", "resolved", "dns", "What a Pod's resolver makes of a name."),
    "journey": Operation("POST", "/journey", "journeyed", "journey", "net.capture", "One connection, followed."),
    "tables": Operation("POST", "/tables", "place", "tables", "net.state", "A network's tables as data."),
    "rule": Operation("POST", "/rule", "rule", "done", "net.fault", "Remove a row of a node's table."),
    "component": Operation("POST", "/component", "component", "done", "net.fault", "Stop or start a node's component."),
    "requests": Operation("GET", "/requests", "", "requests", "audit.read", "The API requests since the last reset."),
    "store": Operation("POST", "/store", "stored", "object", "store.read", "An object as the store holds it."),
    "clients": Operation("GET", "/store/clients", "", "clients", "store.read", "Who has asked the store."),
}


class Broken(Exception):
    """A body that is not of the shape that the protocol gives it; one line."""


def check(shape: str, body: Any) -> None:
    """Raises Broken, naming the place that is wrong."""
    error = best_match(_validator(shape).iter_errors(body))
    if error is not None:
        where = "/".join(str(part) for part in error.absolute_path)
        message = " ".join(error.message.split())[:200]
        raise Broken(f"{where}: {message}" if where else message)


def openapi() -> dict[str, Any]:
    """The description that schemas/harness.openapi.json holds."""
    described: dict[str, Any] = {}
    for name, one in OPERATIONS.items():
        about: dict[str, Any] = {"operationId": name, "summary": one.about}
        if one.capability:
            about["description"] = f"Asked only of a harness that is capable of {one.capability}."
        if one.asked:
            about["requestBody"] = {"required": True, "content": _content(one.asked)}
        about["responses"] = {
            "200": {"description": "It was done.", "content": _content(one.told)},
            "default": {"description": "It could not be done.", "content": _content("error")},
        }
        described.setdefault(one.path, {})[one.method.lower()] = about
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "gherkube harness",
            "version": VERSION,
            "description": f"What a system under test answers beyond the Kubernetes API. Every request carries the "
            f"header {VERSION_HEADER} with the version that is spoken.",
        },
        "paths": described,
    }


def _content(shape: str) -> Mapping[str, Any]:
    return {"application/json": {"schema": {"$ref": f"{SCHEMA}#/$defs/{shape}"}}}


@cache
def _schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((paths.schemas_dir() / SCHEMA).read_text(encoding="utf-8"))
    return loaded


@cache
def _validator(shape: str) -> Any:
    return jsonschema.Draft202012Validator({**_schema(), "$ref": f"#/$defs/{shape}"})
