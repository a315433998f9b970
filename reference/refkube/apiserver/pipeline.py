"""The API server's pipeline: one request in, one response out.

`handle` is what every client in process is given, and what `apiserver.http` calls for the others. The order of a
write is upstream's: authorize, decode, default, mutating admission, the registry's preparation and validation,
validating admission, the store (apiserver/pkg/endpoints/handlers). Authentication is the HTTP front's; a client in
process says who it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import orjson

from refkube.admission.chain import CREATE, DELETE, UPDATE, Attributes, Chain
from refkube.api import defaults, schema, validation
from refkube.api.kinds import Kind, by_resource, preferred
from refkube.api.warnings import warnings_of
from refkube.apimachinery import errors, patch
from refkube.apimachinery.errors import FieldError
from refkube.apimachinery.fields import FieldRequirement, FieldSelector
from refkube.apimachinery.meta import Object, metadata_of, name_of, namespace_of
from refkube.apimachinery.rest import Request, Response, UserInfo, WatchEvent
from refkube.apimachinery.typeschema import DecodeError, Node, find_duplicate_fields
from refkube.apiserver import options as parse
from refkube.apiserver.authorization import Authorizer
from refkube.apiserver.options import WriteOptions
from refkube.engine.clock import rfc3339
from refkube.engine.loop import Loop
from refkube.registry import managedfields
from refkube.registry.conversion import from_storage, storage_kind, stored_field, to_storage
from refkube.registry.faults import StoreError, refusal_of
from refkube.registry.registry import Registry
from refkube.registry.storage import Entry, Storage, Write
from refkube.registry.strategy import without
from refkube.registry.subresources import Subresource
from refkube.registry.watching import Selection, encoded

JSON_PATCH, MERGE_PATCH = "application/json-patch+json", "application/merge-patch+json"
STRATEGIC_PATCH, APPLY_PATCH = "application/strategic-merge-patch+json", "application/apply-patch+yaml"
PATCH_TYPES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)
MIN_WATCH = 1800.0  # seconds: kube-apiserver --min-request-timeout; at most twice that, so that not all end at once
WHOLE = frozenset({"", "status", "finalize", "approval", "ephemeralcontainers", "resize"})

# What a request to the main resource, and one to status, write in vain and therefore do not own.
_STATUS: dict[str, Any] = {"f:status": {}}
_SPEC: dict[str, Any] = {"f:spec": {}}

Virtual = Callable[[Request, Kind], Object]


class Pipeline:
    """`virtual` answers kinds that are never stored (reviews, component statuses) by (verb, resource)."""

    def __init__(
        self,
        registry: Registry,
        admission: Chain,
        authorizer: Authorizer,
        loop: Loop,
        subresources: Mapping[tuple[str, str], Subresource],
        virtual: Mapping[tuple[str, str], Virtual],
    ):
        self.registry = registry
        self.admission = admission
        self.authorizer = authorizer
        self.loop = loop
        self.subresources = subresources
        self.virtual = virtual
        self.requests: Counter[tuple[str, str, str, str, int]] = Counter()

    def handle(self, request: Request) -> Response:
        """Answer a request; every refusal is a StatusError."""
        code = 500
        kind = by_resource(request.group, request.version, request.resource)
        if kind is None or (request.subresource and request.subresource not in kind.subresources):
            raise errors.unknown_path()  # and not counted: what is not there has endless names
        try:
            response = self._handle(request, kind)
            response.warnings = request.warnings
            code = response.code
            return response
        except errors.StatusError as refusal:
            code = refusal.code
            raise
        except StoreError as why:
            told = refusal_of(why)
            code = told.code
            raise told from why
        finally:
            self.requests[request.verb, request.group, request.resource, request.subresource, code] += 1
            trace = self.loop.trace
            if trace.on:
                user = request.user.name if request.user else ""
                resource = f"{request.resource}/{request.subresource}" if request.subresource else request.resource
                name = f"{request.namespace}/{request.name}" if request.namespace else request.name
                trace.record(user, f"{request.verb} {resource} {name}".rstrip(), str(code), request=request)

    def _handle(self, request: Request, kind: Kind) -> Response:
        self.authorizer.authorize(request, kind)
        if kind.deprecated:
            request.warnings.append(kind.deprecated)
        virtual = self.virtual.get((request.verb, kind.resource))
        if virtual is not None and not request.subresource:
            return Response(virtual(request, kind), 201 if request.verb == "create" else 200)
        if kind.resource == "bindings" and request.verb == "create":  # the older way to a Pod's subresource
            request, kind = replace(request, subresource="binding"), preferred("pods")
        if request.subresource not in WHOLE:
            return self._subresource(request, kind)
        if request.verb not in (_part_verbs(request.subresource) if request.subresource else kind.verbs):
            raise errors.method_not_allowed()
        return self._VERBS[request.verb](self, request, kind, self.registry.storage(kind))

    # Reading

    def _get(self, request: Request, kind: Kind, storage: Storage) -> Response:
        kv = storage.get(request.namespace, request.name, request.options.get("resourceVersion", ""))
        return self._whole(kv, kind)

    def _list(self, request: Request, kind: Kind, storage: Storage) -> Response:
        asked = parse.list_options(request.options, watch=False)
        page = storage.list(
            self._selection(request, kind, storage, asked),
            limit=asked.limit,
            token=asked.token,
            resource_version=asked.resource_version,
            match=asked.match,
        )
        meta: Object = {"resourceVersion": str(page.revision)}
        if page.next:
            meta["continue"] = page.next
        if page.remaining is not None:
            meta["remainingItemCount"] = page.remaining
        items = page.items
        listed = {"kind": kind.kind + "List", "apiVersion": kind.api_version, "metadata": meta}
        if kind.storage:
            return Response({**listed, "items": [from_storage(kv.value, kind) for kv in items]})
        return Response({**listed, "items": [kv.value for kv in items]}, items=lambda: [encoded(kv) for kv in items])

    def _watch(self, request: Request, kind: Kind, storage: Storage) -> Response:
        asked = parse.list_options(request.options, watch=True)
        watch = storage.watch(
            self._selection(request, kind, storage, asked),
            resource_version=asked.resource_version,
            send_initial=asked.send_initial,
            bookmarks=asked.bookmarks,
            timeout=asked.timeout or MIN_WATCH * (1 + self.loop.random.random()),
        )
        if kind.storage:
            watch = Mapped(watch, lambda event: _converted(event, kind))
        return Response(watch=watch)

    def _selection(self, request: Request, kind: Kind, storage: Storage, asked: parse.ListOptions) -> Selection:
        fields = asked.fields
        if fields is not None:
            known = storage.strategy.field_names()
            stored = [r._replace(field=stored_field(r.field, kind)) for r in fields.requirements]
            for asked_for, requirement in zip(fields.requirements, stored, strict=True):
                if requirement.field not in known:
                    raise errors.bad_request(f"field label not supported: {asked_for.field}")
            fields = FieldSelector(tuple(stored))
        if request.name:
            named = FieldRequirement("metadata.name", "=", request.name)
            fields = FieldSelector((*(fields.requirements if fields else ()), named))
        return Selection(request.namespace, asked.labels, fields, storage.strategy.fields)

    # Writing

    def _create(self, request: Request, kind: Kind, storage: Storage) -> Response:
        asked = parse.write_options(request.options, "create", "", request.user_agent)
        obj = self._decode(request.body, request, kind, asked)
        if not metadata_of(obj).get("name") and not metadata_of(obj).get("generateName"):
            error = errors.required("metadata.name", "name or generateName is required")
            raise errors.invalid_object(kind.group, kind.kind, "", [error])
        kv = storage.create(obj, request.namespace, self._write(request, kind, asked))
        return self._whole(kv, kind, 201)

    def _update(self, request: Request, kind: Kind, storage: Storage) -> Response:
        asked = parse.write_options(request.options, "update", "", request.user_agent)
        new = self._decode(request.body, request, kind, asked)
        self._same_name(new, request)
        kv, created = storage.update(
            request.namespace,
            request.name,
            lambda old: new,
            self._write(request, kind, asked),
            may_create=storage.strategy.allow_create_on_update and not request.subresource,
        )
        return self._whole(kv, kind, 201 if created else 200)

    def _patch(self, request: Request, kind: Kind, storage: Storage) -> Response:
        asked = parse.write_options(request.options, "patch", request.patch_type, request.user_agent)
        if request.patch_type not in PATCH_TYPES:
            raise errors.unsupported_media_type(PATCH_TYPES)
        applies = request.patch_type == APPLY_PATCH
        write = self._write(request, kind, asked)
        if applies:
            transform = self._applying(request, kind, asked)
            write.track = lambda new, old: new
        else:
            transform = self._patching(request, kind, asked)
        may_create = applies and not request.subresource
        kv, created = storage.update(request.namespace, request.name, transform, write, may_create=may_create)
        return self._whole(kv, kind, 201 if created else 200)

    def _patching(self, request: Request, kind: Kind, asked: WriteOptions) -> Callable[[Object | None], Object]:
        def patched(old: Object | None) -> Object:
            assert old is not None
            current = from_storage(old, kind)
            if request.patch_type == JSON_PATCH:
                new = patch.json_patch(current, request.body)
            elif request.patch_type == MERGE_PATCH:
                new = patch.merge_patch(current, request.body)
            else:
                new = patch.strategic_merge_patch(current, request.body, schema.schema_of(kind))
            if not isinstance(new, dict):
                raise errors.bad_request("the patch does not give an object")
            try:
                new = self._decode(new, request, kind, asked)
            except DecodeError as why:
                raise _bad_patch(_shown(new, request), why.detail) from None
            self._same_name(new, request)
            return new

        return patched

    def _applying(self, request: Request, kind: Kind, asked: WriteOptions) -> Callable[[Object | None], Object]:
        applied = self._decode(request.body, request, kind, asked, default=False, fill=False)
        self._same_name(applied, request, may_lack=True)
        node = schema.schema_of(storage_kind(kind))

        def apply(old: Object | None) -> Object:
            given = applied
            if old is None:
                given = {**applied, "metadata": {**metadata_of(applied), "name": request.name}}
            new = managedfields.apply(
                old,
                given,
                manager=asked.manager,
                force=asked.force,
                subresource=request.subresource,
                api_version=storage_kind(kind).api_version,
                now=rfc3339(self.loop.now()),
                schema=node,
                reset=_vain(request, kind),
            )
            stored = storage_kind(kind)
            decoded = schema.decode(new, stored)
            if decoded.unknown:  # in a list that is owned as a whole
                raise errors.bad_request(f"failed to create typed patch object: {', '.join(decoded.unknown)}")
            return _defaulted(decoded.object, stored)  # without what is only owned: it was empty

        return apply

    def _delete(self, request: Request, kind: Kind, storage: Storage) -> Response:
        told, dry_run = parse.delete_options(self._delete_options(request.body), request.options)
        obj, gone = storage.delete(
            request.namespace, request.name, told, self._deletion(request, kind, request.name, dry_run)
        )
        code = 202 if not gone and told.get("orphanDependents") is False else 200
        if not gone or storage.strategy.returns_deleted:
            return Response(from_storage(obj, kind), code)
        details = {"name": name_of(obj), "group": kind.group, "kind": kind.plural, "uid": obj["metadata"]["uid"]}
        return Response(
            {
                "kind": "Status",
                "apiVersion": "v1",
                "metadata": {},
                "status": "Success",
                "details": {key: value for key, value in details.items() if value},
            },
            code,
        )

    def _delete_collection(self, request: Request, kind: Kind, storage: Storage) -> Response:
        asked = parse.list_options(request.options, watch=False)
        told, dry_run = parse.delete_options(self._delete_options(request.body), request.options)
        page = storage.list(
            self._selection(request, kind, storage, asked),
            limit=asked.limit,
            token=asked.token,
            resource_version=asked.resource_version,
            match=asked.match,
        )
        deleted = []
        for kv in page.items:
            name, namespace = name_of(kv.value), namespace_of(kv.value)
            try:
                obj, _ = storage.delete(namespace, name, told, self._deletion(request, kind, name, dry_run))
                deleted.append(from_storage(obj, kind))
            except errors.StatusError as refusal:
                if refusal.reason != "NotFound":
                    raise
        meta = {"resourceVersion": str(page.revision)}
        if page.next:
            meta["continue"] = page.next
        return Response(
            {"kind": kind.kind + "List", "apiVersion": kind.api_version, "metadata": meta, "items": deleted}
        )

    def _delete_options(self, body: Any) -> Object | None:
        if body is None:
            return None
        return schema.decode_as(body, "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions").object

    def _subresource(self, request: Request, kind: Kind) -> Response:
        """A subresource that is an object of its own: scale, binding, eviction, token."""
        sub = self.subresources.get((kind.resource, request.subresource))
        if sub is None or request.verb not in sub.verbs:
            raise errors.method_not_allowed()
        storage = self.registry.storage(kind)
        if request.verb == "get":
            return Response(sub.read(storage, request))
        asked = parse.write_options(request.options, request.verb, request.patch_type, request.user_agent)
        body = request.body
        if request.verb == "patch":
            body = self._patched_part(sub.read(storage, request), request)
        try:
            decoded = schema.decode_as(self._object(body, sub.kind), sub.definition)
            self._tell_unknown(decoded.unknown, request, asked, schema.named(sub.definition))
        except DecodeError as why:
            if request.verb != "patch":
                raise
            raise _bad_patch(_shown(body, request), why.detail) from None
        obj = {"apiVersion": sub.api_version, "kind": sub.kind, **decoded.object}
        if (obj["apiVersion"], obj["kind"]) != (sub.api_version, sub.kind) and not sub.accepts(obj):
            raise _wrong_kind(obj, sub.api_version, sub.kind)
        write = self._write(request, kind, asked)
        return Response(sub.write(storage, request, obj, write), 201 if request.verb == "create" else 200)

    def _patched_part(self, current: Object, request: Request) -> Object:
        if request.patch_type == JSON_PATCH:
            return patch.json_patch(current, request.body)
        if request.patch_type in PATCH_TYPES:
            return patch.merge_patch(current, request.body)
        raise errors.unsupported_media_type(PATCH_TYPES)

    # Common

    def _decode(
        self, body: Any, request: Request, kind: Kind, asked: WriteOptions, *, default: bool = True, fill: bool = True
    ) -> Object:
        """A body as an object of the stored version, with its defaults."""
        body = self._object(body, kind.kind)
        api_version, name = body.get("apiVersion"), body.get("kind")
        if (api_version, name) != (kind.api_version, kind.kind):
            if (api_version or kind.api_version, name or kind.kind) != (kind.api_version, kind.kind):
                raise _wrong_kind(body, kind.api_version, kind.kind)
            body = {**body, "apiVersion": kind.api_version, "kind": kind.kind}
        applies = request.patch_type == APPLY_PATCH
        decoded = schema.decode_applied(body, kind) if applies else schema.decode(body, kind)
        self._tell_unknown([] if applies else decoded.unknown, request, asked, schema.schema_of(kind))
        obj = body if applies and decoded.unknown else decoded.object  # what is unknown, apply refuses itself
        if not isinstance(obj.get("metadata"), dict):
            obj = {**obj, "metadata": {}}
        if request.namespace and namespace_of(obj) not in ("", request.namespace):
            raise errors.bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        if kind.namespaced and request.namespace and not namespace_of(obj) and fill:
            obj = {**obj, "metadata": {**obj["metadata"], "namespace": request.namespace}}
        obj = to_storage(obj, kind)
        return _defaulted(obj, storage_kind(kind)) if default else obj

    def _object(self, body: Any, kind: str) -> Object:
        if isinstance(body, dict):
            return body
        if body is None:
            raise errors.bad_request(f"the body of the request was empty, but a {kind} is expected")
        what = {list: "array", str: "string", bool: "bool", int: "number", float: "number"}.get(type(body), "value")
        why = f"json: cannot unmarshal {what} into Go value of type struct"
        raise errors.bad_request(f"couldn't get version/kind; json parse error: {why}")

    def _tell_unknown(self, unknown: list[str], request: Request, asked: WriteOptions, node: Node) -> None:
        """Warn of what the body, or its patch, says in vain or twice. Raises DecodeError if that is to be refused."""
        if asked.validation == "Ignore":
            return
        found = [*_found_in_patch(request), *unknown] if request.verb == "patch" else [*unknown, *_found_twice(request)]
        if not found:
            return
        if asked.validation == "Strict":
            if request.patch_type == APPLY_PATCH:
                raise errors.bad_request(f"error strict decoding patch: {', '.join(found)}")
            raise DecodeError(node, f"strict decoding error: {', '.join(found)}")
        request.warnings += [field for field in found if field not in request.warnings]

    def _same_name(self, obj: Object, request: Request, *, may_lack: bool = False) -> None:
        """Errors: 400, as handlers/rest.go checkName."""
        name = name_of(obj)
        if not name and not may_lack:
            why = f"the name of the object ({request.name} based on URL) was undeterminable: name must be provided"
            raise errors.bad_request(why)
        if name and name != request.name:
            raise errors.bad_request(
                f"the name of the object ({name}) does not match the name on the URL ({request.name})"
            )

    def _write(self, request: Request, kind: Kind, asked: WriteOptions) -> Write:
        stored = storage_kind(kind)
        node = schema.schema_of(stored)
        reset = _vain(request, kind)

        def attributes(new: Object | None, old: Object | None) -> Attributes:
            return Attributes(
                operation=CREATE if old is None else UPDATE,
                kind=stored,
                namespace=request.namespace,
                name=request.name or (name_of(new) if new else ""),
                subresource=request.subresource,
                obj=new,
                old=old,
                user=request.user,
                dry_run=asked.dry_run,
                warnings=request.warnings,
            )

        def admit(new: Object, old: Object | None) -> Object:
            admitted = self.admission.admit(attributes(new, old))
            assert admitted is not None
            return admitted

        def track(new: Object, old: Object | None) -> Object:
            fields = managedfields.track(
                new,
                old,
                manager=asked.manager,
                subresource=request.subresource,
                api_version=stored.api_version,
                now=rfc3339(self.loop.now()),
                schema=node,
                reset=reset,
            )
            if fields is metadata_of(new).get("managedFields"):
                return new
            meta = {**new["metadata"], "managedFields": fields} if fields else without(new["metadata"], "managedFields")
            return {**new, "metadata": meta}

        def check(new: Object | None, old: Object | None) -> None:
            if measure and new is not None and not request.subresource:
                request.warnings += warnings_of(stored.group, stored.kind, new, old)
            self.admission.validate(attributes(new, old))

        measure = request.raw is not None
        faults = _strict_event if kind.group == "events.k8s.io" else None
        return Write(request.subresource, asked.dry_run, measure, admit, track, check, request.user, faults)

    def _deletion(self, request: Request, kind: Kind, name: str, dry_run: bool) -> Write:
        stored = storage_kind(kind)

        def check(new: Object | None, old: Object | None) -> None:
            attributes = Attributes(
                DELETE, stored, request.namespace, name, "", None, old, request.user, dry_run, request.warnings
            )
            self.admission.admit(attributes)
            self.admission.validate(attributes)

        return Write(dry_run=dry_run, check=check)

    def _whole(self, kv: Entry, kind: Kind, code: int = 200) -> Response:
        if kind.storage:
            return Response(from_storage(kv.value, kind), code)
        return Response(kv.value, code, encoded=lambda: encoded(kv))

    _VERBS: Mapping[str, Callable[[Pipeline, Request, Kind, Storage], Response]] = {
        "get": _get,
        "list": _list,
        "watch": _watch,
        "create": _create,
        "update": _update,
        "patch": _patch,
        "delete": _delete,
        "deletecollection": _delete_collection,
    }


def _defaulted(obj: Object, kind: Kind) -> Object:
    """With its defaults, and with a spec, if an empty one, where the type has one: in Go it cannot be missing."""
    if "spec" not in obj and _has_spec(kind):
        obj = {**obj, "spec": {}}
    return defaults.default(kind.group, kind.kind, obj)


@cache
def _has_spec(kind: Kind) -> bool:
    return "spec" in schema.schema_of(kind).fields


class Mapped:
    """A watch whose events are changed on their way (`apimachinery.rest.Watch`)."""

    def __init__(self, watch: Any, change: Callable[[WatchEvent], WatchEvent]):
        self._watch = watch
        self._change = change

    def start(self, deliver: Callable[[WatchEvent], None], closed: Callable[[], None]) -> None:
        self._watch.start(lambda event: deliver(self._change(event)), closed)

    def stop(self) -> None:
        self._watch.stop()


def _converted(event: WatchEvent, kind: Kind) -> WatchEvent:
    if event.type == "ERROR":
        return event
    if event.type == "BOOKMARK":
        return WatchEvent(event.type, {**event.object, "apiVersion": kind.api_version, "kind": kind.kind})
    return WatchEvent(event.type, from_storage(event.object, kind))


def _strict_event(new: Object, old: Object | None) -> list[FieldError]:
    """What only an Event of events.k8s.io has to say (pkg/apis/core/validation/events.go)."""
    group, kind = "events.k8s.io", "Event"
    return validation.validate_update(group, kind, new, old) if old else validation.validate(group, kind, new)


def _vain(request: Request, kind: Kind) -> dict[str, Any] | None:
    if request.subresource == "status":
        return _SPEC
    return _STATUS if "status" in kind.subresources and not request.subresource else None


def _part_verbs(subresource: str) -> tuple[str, ...]:
    return ("update",) if subresource == "finalize" else ("get", "update", "patch")


def _wrong_kind(body: Object, api_version: str, kind: str) -> errors.StatusError:
    told, expected = body.get("apiVersion", ""), api_version
    if told != expected and told:
        why = f"the API version in the data ({told}) does not match the expected API version ({expected})"
    else:
        why = f"the kind in the data ({body.get('kind', '')}) does not match the expected kind ({kind})"
    return errors.bad_request(why)


def _found_twice(request: Request) -> list[str]:
    return find_duplicate_fields(request.raw, request.body) if request.raw is not None else []


def _found_in_patch(request: Request) -> list[str]:
    """What is wrong with a patch itself."""
    twice = _found_twice(request)
    if request.patch_type != JSON_PATCH:
        return twice
    return [*(f"json patch {field}" for field in twice), *patch.strict_json_patch_errors(request.body)]


def _shown(made: Any, request: Request) -> str:
    """What a bad patch is told by: what it makes, or itself where it is strategic."""
    return errors.printed(request.body) if request.patch_type == STRATEGIC_PATCH else orjson.dumps(made).decode()


def _bad_patch(shown: str, why: str) -> errors.StatusError:
    """A patch is at fault for what it makes: 422 naming it, of no kind (apiserver/pkg/endpoints/handlers/patch.go)."""
    return errors.invalid_object("", "", "", [errors.invalid("patch", shown, why)])


def system_user(name: str, *groups: str) -> UserInfo:
    """The identity of a component of the control plane."""
    return UserInfo(f"system:{name}", groups=(*groups, "system:authenticated"))
