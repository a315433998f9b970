"""A small API server for the tests of the client: objects in a dict, a history, watches, and faults on demand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from refkube.apimachinery import errors
from refkube.apimachinery.meta import Object
from refkube.apimachinery.rest import Request, Response, WatchEvent
from refkube.engine.loop import Loop


class FakeWatch:
    def __init__(self, server: FakeServer, request: Request, backlog: list[WatchEvent]):
        self.server = server
        self.request = request
        self.backlog = backlog
        self.deliver: Callable[[WatchEvent], None] = backlog.append
        self.closed: Callable[[], None] = lambda: None
        self.stopped = False

    def start(self, deliver: Callable[[WatchEvent], None], closed: Callable[[], None]) -> None:
        backlog, self.backlog = self.backlog, []
        self.deliver, self.closed = deliver, closed
        for event in backlog:
            deliver(event)

    def stop(self) -> None:
        self.stopped = True
        self.server.watches = [watch for watch in self.server.watches if watch is not self]

    def offer(self, event: WatchEvent, resource: str, old: Object | None) -> None:
        if resource != self.request.resource:
            return
        was = old is not None and self.server.selects(self.request, old)
        now = event.type != "DELETED" and self.server.selects(self.request, event.object)
        if now:
            self.deliver(event if was == (event.type == "MODIFIED") else WatchEvent("ADDED", event.object))
        elif was:
            self.deliver(WatchEvent("DELETED", event.object))

    def end(self) -> None:
        """The stream breaks."""
        self.stop()
        self.closed()

    def fail(self, error: errors.StatusError) -> None:
        self.deliver(WatchEvent("ERROR", error.status))
        self.end()


class FakeServer:
    """`faults` are raised one by one, each by the next request for which its verb is asked."""

    def __init__(self, loop: Loop | None = None):
        self.revision = 10
        self.compacted = 0
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.history: list[tuple[int, str, WatchEvent, Object | None]] = []
        self.watches: list[FakeWatch] = []
        self.requests: list[Request] = []
        self.faults: list[tuple[str, Exception]] = []
        self.names = 0

    def handle(self, request: Request) -> Response:
        self.requests.append(request)
        for i, (verb, fault) in enumerate(self.faults):
            if verb == request.verb:
                del self.faults[i]
                raise fault
        return getattr(self, request.verb)(request)

    def verbs(self) -> list[str]:
        return [request.verb for request in self.requests]

    def compact(self) -> None:
        """Forget the history: watches from before get 410."""
        self.compacted = self.revision
        self.history.clear()

    def selects(self, request: Request, obj: Object) -> bool:
        if request.namespace and obj["metadata"].get("namespace") != request.namespace:
            return False
        selector = request.options.get("fieldSelector", "")
        return not selector or obj.get("spec", {}).get("nodeName", "") == selector.removeprefix("spec.nodeName=")

    def get(self, request: Request) -> Response:
        obj = self.objects.get(self._key(request))
        if obj is None:
            raise errors.not_found(request.resource, request.name)
        return Response(obj)

    def list(self, request: Request) -> Response:
        asked = request.options.get("resourceVersion", "")
        if asked and int(asked) > self.revision:
            raise errors.too_large_resource_version(self.revision, int(asked))
        items = [o for key, o in self.objects.items() if key[0] == request.resource and self.selects(request, o)]
        return Response(
            {"apiVersion": "v1", "kind": "PodList", "metadata": {"resourceVersion": str(self.revision)}, "items": items}
        )

    def watch(self, request: Request) -> Response:
        watch = FakeWatch(self, request, [])
        since = int(request.options.get("resourceVersion") or self.revision)
        if since < self.compacted:
            watch.deliver(WatchEvent("ERROR", errors.expired("too old resource version").status))
            return Response(watch=watch)
        for revision, resource, event, old in self.history:
            if revision > since:
                watch.offer(event, resource, old)
        self.watches.append(watch)
        return Response(watch=watch)

    def create(self, request: Request) -> Response:
        key = self._key(request)
        if request.subresource:
            return Response(request.body, 201)
        if key in self.objects:
            raise errors.already_exists(request.resource, key[2])
        self.names += 1
        return Response(self._store(key, request.body, None, f"uid-{self.names}"), 201)

    def update(self, request: Request) -> Response:
        old = self.get(request).object
        assert old is not None
        asked = request.body["metadata"].get("resourceVersion")
        if asked and asked != old["metadata"]["resourceVersion"]:
            raise errors.conflict(request.resource, request.name, errors.MODIFIED)
        return Response(self._store(self._key(request), request.body, old, old["metadata"]["uid"]))

    def patch(self, request: Request) -> Response:
        old = self.get(request).object
        assert old is not None
        return Response(self._store(self._key(request), {**old, **request.body}, old, old["metadata"]["uid"]))

    def delete(self, request: Request) -> Response:
        old = self.get(request).object
        assert old is not None
        del self.objects[self._key(request)]
        self.revision += 1
        gone = {**old, "metadata": {**old["metadata"], "resourceVersion": str(self.revision)}}
        self._tell(request.resource, WatchEvent("DELETED", gone), old)
        return Response(gone)

    def _key(self, request: Request) -> tuple[str, str, str]:
        name = request.name or request.body["metadata"]["name"]
        return request.resource, request.namespace, name

    def _store(self, key: tuple[str, str, str], body: Object, old: Object | None, uid: str) -> Object:
        self.revision += 1
        meta = {**body["metadata"], "uid": uid, "resourceVersion": str(self.revision)}
        if key[1]:
            meta["namespace"] = key[1]
        obj = {**body, "metadata": meta}
        self.objects[key] = obj
        self._tell(key[0], WatchEvent("MODIFIED" if old else "ADDED", obj), old)
        return obj

    def _tell(self, resource: str, event: WatchEvent, old: Object | None) -> None:
        self.history.append((self.revision, resource, event, old))
        for watch in list(self.watches):
            watch.offer(event, resource, old)


def pod(name: str, namespace: str = "default", node: str = "", owner: str = "", **more: Any) -> Object:
    meta: Object = {"name": name, "namespace": namespace}
    if owner:
        meta["ownerReferences"] = [{"uid": owner, "controller": True}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"nodeName": node} if node else {}, **more}
