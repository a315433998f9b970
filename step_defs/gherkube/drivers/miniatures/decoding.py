"""Faults that features/api/decoding.feature must catch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from refkube.api.kinds import Kind
from refkube.apimachinery import errors, typeschema
from refkube.apimachinery.meta import Object
from refkube.apimachinery.rest import HttpRequest, Request
from refkube.apiserver import http, options, pipeline
from refkube.apiserver.http import Front
from refkube.apiserver.options import WriteOptions
from refkube.apiserver.pipeline import Pipeline

from gherkube.drivers.miniatures import miniature

Original = Callable[..., Any]
SETTINGS: Object = {"metadata": {"name": "settings"}}


@miniature(
    "Of a broken body as much as can be is taken.",
    caught_by=("decoding.01#1", "decoding.01#4"),
    instead_of=http.parse_json,
)
def takes_broken_bodies(original: Original, body: bytes) -> Any:
    try:
        return original(body)
    except errors.StatusError:
        return SETTINGS


@miniature(
    "What is no object is taken for an empty one.",
    caught_by=("decoding.01#2", "decoding.01#3"),
    instead_of=Pipeline._object,
)
def takes_what_is_no_object(original: Original, self: Pipeline, body: Any, kind: str) -> Object:
    return original(self, body if isinstance(body, dict) else SETTINGS, kind)


@miniature("A wrong type is told as an invalid field.", caught_by="decoding.02", instead_of=Pipeline._decode)
def tells_types_as_validity(original: Original, *request: Any, **how: Any) -> Object:
    try:
        return original(*request, **how)
    except typeschema.DecodeError as why:
        raise errors.invalid_object("", "", "", [errors.invalid("body", "", why.detail)]) from None


@miniature("Numbers wrap around beyond 32 bits.", caught_by="decoding.02#4", instead_of=typeschema._walk_integer)
def wraps_numbers(original: Original, value: Any, unknown: list[str], node: typeschema.Node) -> Any:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return original((value + 2**31) % 2**32 - 2**31 if whole else value, unknown, node)


@miniature("A null in a spec is kept.", caught_by="decoding.03", instead_of=Pipeline._decode)
def keeps_nulls(original: Original, self: Pipeline, body: Any, *rest: Any, **how: Any) -> Object:
    decoded = original(self, body, *rest, **how)
    nulls = {key: None for key, value in (body.get("spec") or {}).items() if value is None}
    return {**decoded, "spec": {**decoded["spec"], **nulls}} if nulls else decoded


@miniature("Bodies may have any size.", caught_by="decoding.04")
def reads_bodies_of_any_size() -> Iterator[None]:
    limit, http.MAX_BODY = http.MAX_BODY, 2**40
    yield
    http.MAX_BODY = limit


@miniature("Whatever is sent is read as JSON.", caught_by="decoding.05", instead_of=Front._body)
def reads_all_as_json(original: Original, self: Front, request: HttpRequest, verb: str) -> Any:
    headers = {**request.headers, "content-type": "application/json"}
    plain = request.headers.get("content-type") == "text/plain"
    return original(self, replace(request, headers=headers) if plain else request, verb)


@miniature("YAML is not read.", caught_by="decoding.06", instead_of=http.parse_yaml)
def reads_no_yaml(original: Original, body: bytes) -> Any:
    return http.parse_json(body)


@miniature(
    "Unknown fields are left out in silence, whatever is asked.",
    caught_by=(
        *(f"decoding.{n:02}" for n in (7, 8, 12, 13, 14, 15)),
        "decoding.16#1",
        "decoding.16#2",
        "decoding.16#3",
    ),
    instead_of=Pipeline._tell_unknown,
)
def drops_unknown_fields_in_silence(original: Original, *request: Any) -> None:
    return None


@miniature("Strict validation refuses the keys of maps.", caught_by="decoding.09", instead_of=Pipeline._tell_unknown)
def refuses_keys_of_maps(original: Original, self: Pipeline, unknown: list[str], request: Request, *rest: Any) -> None:
    keys = (request.body.get("spec") or {}).get("selector") or ()
    original(self, [*unknown, *(f'unknown field "spec.selector.{key}"' for key in keys)], request, *rest)


@miniature("Validation cannot be turned off.", caught_by="decoding.10", instead_of=options.write_options)
def always_warns(original: Original, asked: Mapping[str, str], *rest: str) -> WriteOptions:
    ignored = asked.get("fieldValidation") == "Ignore"
    return original({**asked, "fieldValidation": "Warn"} if ignored else asked, *rest)


@miniature("An unknown way of validation counts as none.", caught_by="decoding.11", instead_of=options.write_options)
def takes_any_way_of_validation(original: Original, asked: Mapping[str, str], *rest: str) -> WriteOptions:
    known = asked.get("fieldValidation", "") in ("", "Strict", "Warn", "Ignore")
    return original(asked if known else {**asked, "fieldValidation": "Ignore"}, *rest)


@miniature("The first of two equal fields counts.", caught_by="decoding.12", instead_of=http.parse_json)
def takes_the_first_of_two(original: Original, body: bytes) -> Any:
    parsed = original(body)
    return {**parsed, "immutable": True} if b'"immutable": true' in body else parsed


@miniature("A patch that makes no object is a bad request.", caught_by="decoding.16", instead_of=pipeline._bad_patch)
def blames_the_request_for_a_patch(original: Original, shown: Any, why: str) -> errors.StatusError:
    return errors.bad_request(why)


@miniature("Where a body comes decides what it is.", caught_by="decoding.17", instead_of=Pipeline._decode)
def takes_every_body_for_its_places(
    original: Original, self: Pipeline, body: Any, request: Request, kind: Kind, *rest: Any, **how: Any
) -> Object:
    if isinstance(body, dict) and request.verb == "create":
        body = {**body, "apiVersion": kind.api_version, "kind": kind.kind}
        if kind.namespaced:
            body["metadata"] = {**(body.get("metadata") or {}), "namespace": request.namespace}
    return original(self, body, request, kind, *rest, **how)


@miniature("An update takes its name from the place.", caught_by="decoding.18", instead_of=Pipeline._same_name)
def overlooks_another_name(original: Original, *request: Any) -> None:
    return None


@miniature("A body must say what it is.", caught_by="decoding.19", instead_of=Pipeline._decode)
def insists_on_a_kind(
    original: Original, self: Pipeline, body: Any, request: Request, *rest: Any, **how: Any
) -> Object:
    if request.resource == "configmaps" and not body.get("kind"):
        raise errors.bad_request("Object 'Kind' is missing")
    return original(self, body, request, *rest, **how)
