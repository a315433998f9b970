"""Who asks: bearer tokens to users, and the impersonation headers.

Called by the HTTP front for each request. No credentials make an anonymous user, whom the front lets see health
and version only; wrong ones are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from refkube.apimachinery import errors
from refkube.apimachinery.rest import UserInfo
from refkube.apiserver.authorization import ANONYMOUS

MASTERS = "system:masters"
ADMIN = UserInfo("kubernetes-admin", groups=(MASTERS, "system:authenticated"))


class Authenticator:
    """`tokens` maps static tokens to users; `verify` proves all others (service accounts)."""

    def __init__(self, tokens: Mapping[str, UserInfo], verify: Callable[[str], UserInfo | None]):
        self._tokens = dict(tokens)
        self._verify = verify
        self._proven: UserInfo | None = None

    def authenticate(self, headers: Mapping[str, str]) -> UserInfo:
        """`headers` have lower-case names. Raises 401 for credentials that are not good."""
        given = headers.get("authorization")
        if given is None:
            return ANONYMOUS
        scheme, _, token = given.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise errors.unauthorized()
        user = self._tokens.get(token) or self._verify(token)
        if user is None:
            raise errors.unauthorized()
        return self._impersonated(user, headers) if "impersonate-user" in headers else user

    def _impersonated(self, user: UserInfo, headers: Mapping[str, str]) -> UserInfo:
        """kubectl --as: who may do everything may act as anybody."""
        name = headers["impersonate-user"]
        if MASTERS not in user.groups:
            why = f'User "{user.name}" cannot impersonate resource "users" in API group "" at the cluster scope'
            raise errors.forbidden("users", name, why)
        groups = tuple(filter(None, headers.get("impersonate-group", "").split(",")))
        if name == ANONYMOUS.name:
            return ANONYMOUS
        return UserInfo(name, headers.get("impersonate-uid", ""), (*groups, "system:authenticated"))
