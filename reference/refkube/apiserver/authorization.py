"""Who may do what. The reference trusts whoever has proven who they are, and nobody else.

Called by the pipeline for each request. Upstream's modes AlwaysAllow (for the authenticated) is what is built;
roles and bindings are served as objects, but not consulted.
"""

from __future__ import annotations

from refkube.api.kinds import Kind
from refkube.apimachinery import errors
from refkube.apimachinery.rest import Request, UserInfo

ANONYMOUS = UserInfo("system:anonymous", groups=("system:unauthenticated",))


class Authorizer:
    def allows(self, user: UserInfo | None) -> bool:
        return user is not None and "system:authenticated" in user.groups

    def authorize(self, request: Request, kind: Kind) -> None:
        """Raises 403 naming user, verb and resource."""
        if not self.allows(request.user):
            user = request.user or ANONYMOUS
            where = f' in the namespace "{request.namespace}"' if request.namespace else " at the cluster scope"
            why = (
                f'User "{user.name}" cannot {request.verb} resource "{request.resource}" '
                f'in API group "{request.group}"{where}'
            )
            raise errors.forbidden(kind.resource, request.name, why)
