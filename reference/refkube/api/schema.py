"""Upstream's published definitions of the release, and what is compiled from them per kind.

The definitions come from the package kubernetes-validate and are read when first needed (some 20 ms); a kind's
validator is compiled when the kind is first decoded. Used by the API server, patches, server-side apply and explain.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from importlib import resources
from typing import Any

import jsonschema_rs
import orjson

from refkube.api.kinds import VERSION, Kind
from refkube.apimachinery import protobuf, typeschema
from refkube.apimachinery.typeschema import Decoded, Node, Schema


@lru_cache(maxsize=1)
def schema() -> Schema:
    """The definitions of `kinds.VERSION`. RuntimeError if the installed kubernetes-validate does not have them."""
    path = resources.files("kubernetes_validate") / "kubernetes-json-schema" / f"{VERSION}-local-strict"
    try:
        data = orjson.loads((path / "_definitions.json").read_bytes())
    except FileNotFoundError:
        raise RuntimeError(f"kubernetes-validate has no definitions of Kubernetes {VERSION}; install >=1.36") from None
    return Schema(data["$defs"], protobuf.omitted(field_numbers(), data["$defs"]))


def field_numbers() -> str:
    """The table of field numbers; its marks tell what Go's JSON omits (apimachinery.protobuf)."""
    return (resources.files("refkube.api") / "protobuf.txt").read_text(encoding="utf-8")


@cache
def schema_of(kind: Kind) -> Node:
    """The type of a served kind."""
    return schema().node(kind.definition)


def named(definition: str) -> Node:
    """The type of any definition: "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions". KeyError if there is none."""
    return schema().node(definition)


@cache
def validator(definition: str) -> Callable[[Any], bool]:
    """Tells whether decoding would return an object of this type as it is (8 us for a Pod)."""
    compiled = jsonschema_rs.Draft4Validator(schema().exact(definition), validate_formats=False)
    return compiled.is_valid


def decode(obj: Any, kind: Kind) -> Decoded:
    """An object as the API server decodes a body of this kind; see typeschema.decode."""
    return typeschema.decode(obj, schema_of(kind), validator(kind.definition))


def decode_applied(obj: Any, kind: Kind) -> Decoded:
    """The same for a body of server-side apply, of which its sender owns even what is empty."""
    return typeschema.decode(obj, _with_zeros().node(kind.definition), validator(kind.definition))


@cache
def _with_zeros() -> Schema:
    return Schema(schema().definitions)


def decode_as(obj: Any, definition: str) -> Decoded:
    """The same for what is no served kind: DeleteOptions, Eviction, Scale, TokenRequest ..."""
    return typeschema.decode(obj, named(definition), validator(definition))
