"""The client of the Kubernetes API that every component gets; the same in process and over HTTPS.

Calls are synchronous and raise StatusError for what the server refuses, an OSError (ConnectionError, TimeoutError) if
it cannot be reached. Nothing is retried and nothing sleeps: controllers requeue. What is returned is shared: never
change it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from refkube.api.kinds import Kind, preferred
from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object
from refkube.apimachinery.rest import Handle, Request, UserInfo, Watch, WatchEvent

T = TypeVar("T")
Resource = str | Kind
Options = Mapping[str, Any]

PATCH_TYPES = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}

# Keyword arguments of the methods below and the query parameters they become: label_selector, labelSelector.
_PARAMETERS = {"continue_token": "continue", "allow_bookmarks": "allowWatchBookmarks", "limit": "limit"}
for _words in ("label selector", "field selector", "resource version", "resource version match", "timeout seconds",
               "send initial events", "dry run", "field manager", "field validation", "force"):  # fmt: skip
    _PARAMETERS[_words.replace(" ", "_")] = _words[0] + _words.title().replace(" ", "")[1:]


class ObjectList(NamedTuple):
    """The answer to a list: `continue_token` is empty on the last page."""

    items: list[Object]
    resource_version: str
    continue_token: str = ""


class Client:
    """`handle` is `apiserver`'s pipeline or a `client.http.HttpHandle`; over HTTP the credentials of the connection say
    who asks, not `user`. `user_agent` names the field manager.

    A resource is named "pods" or "deployments.apps" (in its preferred version), or given as a Kind. Keyword arguments
    called `options` are those of _PARAMETERS; empty ones are left out.
    """

    def __init__(self, handle: Handle, user: UserInfo | None = None, user_agent: str = "refkube"):
        self.handle = handle
        self.user = user
        self.user_agent = user_agent

    def with_user_agent(self, user_agent: str) -> Client:
        return Client(self.handle, self.user, user_agent)

    # Reading

    def get(self, resource: Resource, name: str, namespace: str = "", subresource: str = "", **options: Any) -> Object:
        return self._call("get", resource, namespace, name, subresource, None, options)

    def list(self, resource: Resource, namespace: str = "", **options: Any) -> ObjectList:
        """Every object, or of `limit` the first page. Without a namespace: of all namespaces."""
        found = self._call("list", resource, namespace, "", "", None, options)
        items, meta = found.get("items") or [], found.get("metadata") or {}
        if items and "kind" not in items[0]:  # a list on the wire does not repeat it, unlike a watch
            types = {"apiVersion": found["apiVersion"], "kind": found["kind"].removesuffix("List")}
            items = [{**types, **item} for item in items]
        return ObjectList(items, meta.get("resourceVersion", ""), meta.get("continue", ""))

    def watch(
        self,
        resource: Resource,
        deliver: Callable[[WatchEvent], None],
        closed: Callable[[], None],
        namespace: str = "",
        **options: Any,
    ) -> Watch:
        """Begin to watch. `deliver` gets the events on the loop, `closed` is called once when the server ends the
        stream or it breaks, not after `stop`."""
        request = self._request("watch", resource, namespace, "", "", None, options)
        watch = self.handle(request).watch
        assert watch is not None
        watch.start(deliver, closed)
        return watch

    # Writing

    def create(
        self,
        resource: Resource,
        obj: Object,
        namespace: str = "",
        name: str = "",
        subresource: str = "",
        **options: Any,
    ) -> Object:
        """In the namespace of the object, unless another is given. `name` is for subresources."""
        namespace = namespace or (obj.get("metadata") or {}).get("namespace", "")
        return self._call("create", resource, namespace, name, subresource, obj, options)

    def update(self, resource: Resource, obj: Object, subresource: str = "", **options: Any) -> Object:
        """Conflict if the object carries a resourceVersion that is no longer current."""
        meta = obj["metadata"]
        return self._call("update", resource, meta.get("namespace", ""), meta["name"], subresource, obj, options)

    def update_status(self, resource: Resource, obj: Object, **options: Any) -> Object:
        return self.update(resource, obj, "status", **options)

    def patch(
        self,
        resource: Resource,
        name: str,
        patch: Any,
        type: str = "merge",
        namespace: str = "",
        subresource: str = "",
        **options: Any,
    ) -> Object:
        """`type` is one of PATCH_TYPES; "apply" wants a `field_manager`."""
        request = self._request("patch", resource, namespace, name, subresource, patch, options)
        request.patch_type = PATCH_TYPES[type]
        return self._answer(request)

    def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str = "",
        grace_period: int | None = None,
        propagation: str = "",
        uid: str = "",
        resource_version: str = "",
        **options: Any,
    ) -> Object:
        """The deleted object, or what is left of it while finalizers or a grace period hold it, or a Status.

        `propagation` is Orphan, Background or Foreground; Conflict if `uid` or `resource_version` are not the object's.
        """
        body = _delete_options(grace_period, propagation, uid, resource_version)
        return self._call("delete", resource, namespace, name, "", body, options)

    def delete_collection(
        self,
        resource: Resource,
        namespace: str = "",
        grace_period: int | None = None,
        propagation: str = "",
        **options: Any,
    ) -> Object:
        body = _delete_options(grace_period, propagation)
        return self._call("deletecollection", resource, namespace, "", "", body, options)

    def bind(self, pod: Object, node: str) -> Object:
        """Assign a Pod to a node; Conflict if it has one or was replaced by another Pod of its name."""
        meta = pod["metadata"]
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {key: meta[key] for key in ("name", "namespace", "uid") if key in meta},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        return self._call("create", "pods", meta["namespace"], meta["name"], "binding", binding, {})

    def evict(self, name: str, namespace: str, grace_period: int | None = None, **options: Any) -> Object:
        """Delete a Pod if its disruption budgets allow it, 429 if not."""
        eviction: Object = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
        }
        if grace_period is not None:
            eviction["deleteOptions"] = _delete_options(grace_period)
        return self._call("create", "pods", namespace, name, "eviction", eviction, options)

    def get_scale(self, resource: Resource, name: str, namespace: str) -> Object:
        return self.get(resource, name, namespace, "scale")

    def update_scale(self, resource: Resource, scale: Object) -> Object:
        return self.update(resource, scale, "scale")

    def create_token(self, name: str, namespace: str, **spec: Any) -> Object:
        """A TokenRequest with its status; `spec` is audiences, expirationSeconds, boundObjectRef."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": [], **spec}}
        return self._call("create", "serviceaccounts", namespace, name, "token", body, {})

    def _call(
        self, verb: str, resource: Resource, namespace: str, name: str, subresource: str, body: Any, options: Options
    ) -> Object:
        return self._answer(self._request(verb, resource, namespace, name, subresource, body, options))

    def _answer(self, request: Request) -> Object:
        answer = self.handle(request).object
        assert answer is not None
        return answer

    def _request(
        self, verb: str, resource: Resource, namespace: str, name: str, subresource: str, body: Any, options: Options
    ) -> Request:
        kind = preferred(resource) if isinstance(resource, str) else resource
        request = Request(verb, kind.group, kind.version, kind.plural, namespace, name, subresource, body)
        request.user, request.user_agent = self.user, self.user_agent
        if options:
            request.options = _query(options)
        return request


def retry_on_conflict(attempt: Callable[[], T], tries: int = 5) -> T:
    """Call `attempt`, which reads, changes and writes, until it meets no Conflict (client-go/util/retry). It must read
    from the server: a cache does not advance in between."""
    for _ in range(tries - 1):
        try:
            return attempt()
        except StatusError as exc:
            if exc.reason != "Conflict":
                raise
    return attempt()


def _query(options: Options) -> dict[str, str]:
    query = {}
    for name, value in options.items():
        parameter = _PARAMETERS.get(name)
        if parameter is None:
            raise TypeError(f"the API has no option {name!r}")
        if name == "dry_run":
            value = "All" if value else ""
        elif isinstance(value, bool):
            value = "true" if value else "false"
        if value or name in ("force", "send_initial_events"):
            query[parameter] = str(value)
    return query


def _delete_options(
    grace_period: int | None = None, propagation: str = "", uid: str = "", resource_version: str = ""
) -> Object | None:
    """meta/v1 DeleteOptions; None if all is left to the server."""
    body: Object = {} if grace_period is None else {"gracePeriodSeconds": grace_period}
    if propagation:
        body["propagationPolicy"] = propagation
    if uid or resource_version:
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        body["preconditions"] = {key: value for key, value in preconditions.items() if value}
    return {"apiVersion": "v1", "kind": "DeleteOptions", **body} if body else None
