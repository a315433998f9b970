"""Kinds that are answered and never stored: reviews of tokens and of access, and the statuses of components.

The pipeline finds them by verb and resource. Sources: pkg/registry/{authentication,authorization}, and
pkg/registry/core/componentstatus.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from refkube.api import schema
from refkube.api.kinds import Kind
from refkube.apimachinery import errors
from refkube.apimachinery.meta import Object, get_path
from refkube.apimachinery.rest import Request, UserInfo
from refkube.apiserver.authorization import ANONYMOUS, Authorizer
from refkube.serviceaccount.tokens import Tokens

Answer = Callable[[Request, Kind], Object]


class Reviews:
    """`known` finds a user by static token; `components` tells a component's health by name, None when healthy."""

    def __init__(
        self,
        authorizer: Authorizer,
        tokens: Tokens,
        proven: Callable[[str, tuple[str, ...]], tuple[UserInfo, tuple[str, ...]] | None],
        components: Mapping[str, Callable[[], str | None]],
    ):
        self._authorizer = authorizer
        self._tokens = tokens
        self._proven = proven
        self._components = components

    def answers(self) -> dict[tuple[str, str], Answer]:
        return {
            ("create", "tokenreviews.authentication.k8s.io"): self._token,
            ("create", "selfsubjectreviews.authentication.k8s.io"): self._self,
            ("create", "subjectaccessreviews.authorization.k8s.io"): self._access,
            ("create", "localsubjectaccessreviews.authorization.k8s.io"): self._access,
            ("create", "selfsubjectaccessreviews.authorization.k8s.io"): self._own_access,
            ("create", "selfsubjectrulesreviews.authorization.k8s.io"): self._rules,
            ("get", "componentstatuses"): self._component,
            ("list", "componentstatuses"): self._all_components,
        }

    def _token(self, request: Request, kind: Kind) -> Object:
        review = _decoded(request, kind)
        audiences = tuple(get_path(review, "spec", "audiences", default=()))
        found = self._proven(get_path(review, "spec", "token", default=""), audiences)
        if found is None:
            status: Object = {"user": {}, "error": "[invalid bearer token]"}
        else:
            user, shared = found
            status = {"authenticated": True, "user": user.told, "audiences": list(shared)}
        return {**review, "status": status}

    def _self(self, request: Request, kind: Kind) -> Object:
        return {**_decoded(request, kind), "status": {"userInfo": (request.user or ANONYMOUS).told}}

    def _access(self, request: Request, kind: Kind) -> Object:
        review = _decoded(request, kind)
        spec = review.get("spec") or {}
        self._check_attributes(spec, kind)
        if not spec.get("user") and not spec.get("groups"):
            error = errors.invalid("spec.user", "", "at least one of user or group must be specified")
            raise errors.invalid_object(kind.group, kind.kind, "", [error])
        user = UserInfo(spec.get("user", ""), groups=(*spec.get("groups", ()), "system:authenticated"))
        if user.name == ANONYMOUS.name:
            user = ANONYMOUS
        return {**review, "status": self._verdict(user)}

    def _own_access(self, request: Request, kind: Kind) -> Object:
        review = _decoded(request, kind)
        self._check_attributes(review.get("spec") or {}, kind)
        return {**review, "status": self._verdict(request.user)}

    def _check_attributes(self, spec: Object, kind: Kind) -> None:
        if ("resourceAttributes" in spec) == ("nonResourceAttributes" in spec):
            why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
            error = errors.invalid("spec.resourceAttributes", spec.get("resourceAttributes"), why)
            raise errors.invalid_object(kind.group, kind.kind, "", [error])

    def _verdict(self, user: UserInfo | None) -> Object:
        allowed = self._authorizer.allows(user)
        return {"allowed": True} if allowed else {"allowed": False, "reason": "no credentials"}

    def _rules(self, request: Request, kind: Kind) -> Object:
        allowed = self._authorizer.allows(request.user)
        resources = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}] if allowed else []
        paths = [{"verbs": ["*"], "nonResourceURLs": ["*"]}] if allowed else []
        status = {"resourceRules": resources, "nonResourceRules": paths, "incomplete": False}
        return {**_decoded(request, kind), "status": status}

    def _component(self, request: Request, kind: Kind) -> Object:
        if request.name not in self._components:
            raise errors.not_found(kind.resource, request.name)
        return self._status_of(request.name)

    def _all_components(self, request: Request, kind: Kind) -> Object:
        items = [self._status_of(name) for name in sorted(self._components)]
        return {"kind": "ComponentStatusList", "apiVersion": "v1", "metadata": {}, "items": items}

    def _status_of(self, name: str) -> Object:
        wrong = self._components[name]()
        condition: Object = {"type": "Healthy", "status": "True", "message": "ok"}
        if wrong is not None:
            condition = {"type": "Healthy", "status": "False", "message": "", "error": wrong}
        return {"kind": "ComponentStatus", "apiVersion": "v1", "metadata": {"name": name}, "conditions": [condition]}


def _decoded(request: Request, kind: Kind) -> Object:
    if not isinstance(request.body, dict):
        raise errors.bad_request(f"the body of the request was empty, but a {kind.kind} is expected")
    obj = schema.decode(request.body, kind).object
    return {"metadata": {}, **obj, "apiVersion": kind.api_version, "kind": kind.kind}
