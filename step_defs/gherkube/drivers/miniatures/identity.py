"""Faults that features/api/identity.feature, audit.feature and namespaces.feature must catch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from refkube.admission.chain import Attributes
from refkube.admission.plugins.namespacelifecycle import NamespaceLifecycle
from refkube.api.kinds import Kind
from refkube.apimachinery import errors
from refkube.apimachinery.meta import Object
from refkube.apimachinery.rest import Request, Response, UserInfo
from refkube.apiserver.authentication import ADMIN, Authenticator
from refkube.apiserver.authorization import ANONYMOUS
from refkube.apiserver.pipeline import Pipeline
from refkube.apiserver.reviews import Reviews
from refkube.registry.storage import Storage

from gherkube.drivers.miniatures import miniature

Original = Callable[..., Any]


@miniature(
    "Any token will do.", caught_by=("identity.01", "identity.03", "identity.06"), instead_of=Authenticator.authenticate
)
def takes_any_token(original: Original, self: Authenticator, headers: Mapping[str, str]) -> UserInfo:
    try:
        return original(self, headers)
    except errors.StatusError:
        return ADMIN


@miniature(
    "Whoever says nothing may do all.",
    caught_by=("identity.02", "identity.04", "identity.05"),
    instead_of=Authenticator.authenticate,
)
def trusts_the_silent(original: Original, self: Authenticator, headers: Mapping[str, str]) -> UserInfo:
    return original(self, headers) if "authorization" in headers else ADMIN


@miniature("Everybody is told to be nobody.", caught_by="identity.07", instead_of=Reviews._self)
def knows_nobody(original: Original, self: Reviews, request: Request, kind: Kind) -> Object:
    return original(self, replace(request, user=ANONYMOUS), kind)


@miniature("Tokens of accounts are not known to the review.", caught_by="identity.08", instead_of=Reviews._token)
def reviews_no_tokens(original: Original, self: Reviews, request: Request, kind: Kind) -> Object:
    return original(self, replace(request, body={"spec": {"token": "another"}}), kind)


@miniature("Every token stands for somebody.", caught_by="identity.09", instead_of=Reviews._token)
def believes_every_token(original: Original, self: Reviews, request: Request, kind: Kind) -> Object:
    return {**original(self, request, kind), "status": {"authenticated": True, "user": {"username": "somebody"}}}


@miniature("Nobody is told to be allowed anything.", caught_by="identity.10", instead_of=Reviews._verdict)
def allows_nobody(original: Original, self: Reviews, user: UserInfo | None) -> Object:
    return {"allowed": False}


@miniature("Everybody is told to be allowed everything.", caught_by="identity.11", instead_of=Reviews._verdict)
def allows_everybody(original: Original, self: Reviews, user: UserInfo | None) -> Object:
    return {"allowed": True}


@miniature("A review of nothing is answered.", caught_by="identity.12", instead_of=Reviews._check_attributes)
def reviews_nothing(original: Original, *given: Any) -> None:
    return None


# The record of requests


@miniature(
    "All requests are made in one name.", caught_by=("audit.01", "audit.02", "audit.03"), instead_of=Pipeline.handle
)
def asks_in_one_name(original: Original, self: Pipeline, request: Request) -> Response:
    return original(self, replace(request, user=ADMIN))


@miniature("Requests for parts are not on record.", caught_by="audit.02", instead_of=Pipeline.handle)
def records_no_parts(original: Original, self: Pipeline, request: Request) -> Response:
    trace = self.loop.trace
    trace.on = not request.subresource
    try:
        return original(self, request)
    finally:
        trace.on = True


@miniature("What is refused is not on record.", caught_by="audit.03", instead_of=Pipeline.handle)
def records_no_refusals(original: Original, self: Pipeline, request: Request) -> Response:
    try:
        return original(self, request)
    except errors.StatusError:
        if self.loop.trace.on:
            self.loop.trace._entries.pop()
        raise


# Namespaces


@miniature(
    "A namespace need not be there.", caught_by=("namespaces.01", "leaving.12"), instead_of=NamespaceLifecycle.admit
)
def creates_in_no_namespace(original: Original, self: NamespaceLifecycle, asked: Attributes) -> Object | None:
    try:
        return original(self, asked)
    except errors.StatusError as refusal:
        if refusal.reason == "NotFound":
            return None
        raise


@miniature(
    "New objects come into a namespace that goes.",
    caught_by=("namespaces.02", "namespaces.03", "leaving.11"),
    instead_of=NamespaceLifecycle.admit,
)
def creates_in_going_namespaces(original: Original, self: NamespaceLifecycle, asked: Attributes) -> Object | None:
    try:
        return original(self, asked)
    except errors.StatusError:
        if asked.kind.kind != "Namespace":
            return None
        raise


@miniature("A namespace that goes says it is active.", caught_by="namespaces.04", instead_of=Storage._marked)
def goes_while_active(original: Original, self: Storage, old: Object, options: Object) -> Object:
    marked = original(self, old, options)
    return {**marked, "status": {"phase": "Active"}} if self.kind.kind == "Namespace" else marked


@miniature("Everything needs a namespace.", caught_by="namespaces.05", instead_of=NamespaceLifecycle.handles)
def wants_a_namespace_for_all(
    original: Original, self: NamespaceLifecycle, operation: str, kind: Kind, part: str
) -> bool:
    return kind.kind == "ClusterRole" or original(self, operation, kind, part)


@miniature("The system's namespaces can be deleted.", caught_by="namespaces.06", instead_of=NamespaceLifecycle.admit)
def deletes_the_systems_namespaces(original: Original, self: NamespaceLifecycle, asked: Attributes) -> Object | None:
    return None if asked.kind.kind == "Namespace" else original(self, asked)


@miniature("No namespace can be deleted.", caught_by="namespaces.07", instead_of=NamespaceLifecycle.admit)
def keeps_every_namespace(original: Original, self: NamespaceLifecycle, asked: Attributes) -> Object | None:
    if asked.kind.kind == "Namespace":
        raise errors.forbidden("namespaces", asked.name, "this namespace may not be deleted")
    return original(self, asked)
