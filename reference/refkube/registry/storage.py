"""Generic storage of one kind's objects over the key-value store.

The pipeline of the API server calls it with decoded, defaulted objects; admission and the tracking of field
ownership reach it as the callables of a `Write`. Each write is a transaction that compares the revision it was
decided on, and is decided anew when somebody else was faster. Source: apiserver/pkg/registry/generic/registry/store.go
and pkg/registry/rest.
"""

from __future__ import annotations

import base64
import binascii
import builtins
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from refkube.api.kinds import Kind
from refkube.apimachinery import errors
from refkube.apimachinery.errors import FieldError
from refkube.apimachinery.meta import Object, get_path, is_terminating, metadata_of, name_of, with_metadata
from refkube.apimachinery.rest import UserInfo
from refkube.engine.clock import parse_rfc3339, rfc3339
from refkube.engine.ids import Ids
from refkube.engine.loop import Loop
from refkube.registry.allocators import Allotment
from refkube.registry.managedfields import keep_times
from refkube.registry.strategy import Strategy, strategy_of
from refkube.registry.watching import Feed, Selection, encoded
from refkube.store.kv import Compacted, Compare, Delete, FutureRevision, KeyValue, Put, Range, Store, prefix_end

MAX_OBJECT = 1_572_864  # bytes: etcd's limit of a request, 1.5 MiB
GENERATE_ATTEMPTS = 8
SUFFIX = 5
MAX_GENERATED_BASE = 63 - SUFFIX
ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
_LEASE_SHARE = 60.0  # objects that expire within one such span share a lease, as upstream's lease manager does

Transform = Callable[[Object | None], Object]
Allot = Callable[[Object | None, Object | None, bool], Allotment]  # new, old, whether nothing is to be stored
Entry = KeyValue  # what callers see of the store: an object with its revision


def _same(new: Object, old: Object | None) -> Object:
    return new


def _no_check(new: Object | None, old: Object | None) -> None:
    return None


@dataclass(slots=True)
class Write:
    """How one write is to be made.

    `admit` may change the object, `track` records who owns which fields, `check` may refuse it; each is given
    the new and the old object (None at creation; the new one is None at deletion). `measure` refuses objects
    too large to be stored: those that came from outside. `user` is who asks. `faults` validates in the strategy's place
    where the version that the client speaks is stricter than the stored one.
    """

    subresource: str = ""
    dry_run: bool = False
    measure: bool = False
    admit: Callable[[Object, Object | None], Object] = _same
    track: Callable[[Object, Object | None], Object] = _same
    check: Callable[[Object | None, Object | None], None] = _no_check
    user: UserInfo | None = None
    faults: Callable[[Object, Object | None], list[FieldError]] | None = None


@dataclass(slots=True)
class Page:
    """Part of a collection as it was at one revision."""

    items: list[KeyValue]
    revision: int
    next: str = ""  # continue token
    remaining: int | None = None


def stamp(obj: Object, revision: int) -> Object:
    """The object as it is read: with the revision of its last change as resourceVersion."""
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(revision)}}


class Storage:
    """The objects of one kind. Names are checked to be complete by the caller: a namespace where the kind has one."""

    def __init__(self, kind: Kind, store: Store, loop: Loop, ids: Ids):
        self.kind = kind
        self.strategy: Strategy = strategy_of(kind)
        self.prefix = f"/registry/{kind.group}/{kind.plural}/" if kind.group else f"/registry/{kind.plural}/"
        self._store = store
        self._loop = loop
        self._ids = ids
        self.feed = Feed(store, self.prefix, loop, stamp, {"kind": kind.kind, "apiVersion": kind.api_version})
        self._lease = 0
        self._lease_until = -1.0
        self.allot: Allot | None = None  # for kinds that are given what is unique in the cluster

    # Create

    def create(self, obj: Object, namespace: str, write: Write) -> KeyValue:
        """Store a new object. Errors: 409 AlreadyExists, 422 Invalid, whatever admission says."""
        if metadata_of(obj).get("resourceVersion"):
            raise errors.bad_request("resourceVersion should not be set on objects to be created")
        generate = not metadata_of(obj).get("name") and metadata_of(obj).get("generateName")
        attempts = GENERATE_ATTEMPTS if generate else 1
        while True:
            attempts -= 1
            new = write.track(self._named(obj, namespace), None)
            new = write.admit(new, None)
            new = self.strategy.prepare_for_create(new)
            new = self.strategy.attributed(new, None, write.user, self._loop.now())
            new, compares, ops = self._allotted(new, None, write)
            self._refuse_invalid(new, self._faults(new, None, write))
            write.check(new, None)
            key = self._key(namespace, name_of(new))
            if write.dry_run:
                if self._store.get(key) is None:
                    return KeyValue(key, new, 0, 0, 0)
            else:
                put = Put(key, self._refuse_oversized(new, write), self._lease_id())
                done = self._store.txn([Compare(key, 0), *compares], [put, *ops])
                if done.succeeded:
                    made = done.kvs[0]
                    assert made is not None
                    return made
                if done.current[0] is None:  # what was allotted went to somebody else
                    attempts += 1
                    continue
            if not attempts:
                raise errors.already_exists(self.kind.resource, name_of(new))

    def _named(self, obj: Object, namespace: str) -> Object:
        """With name, namespace, uid and time of creation; without what only the server may say."""
        meta = {**metadata_of(obj)}
        for field in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "resourceVersion", "generation"):
            meta.pop(field, None)
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = meta["generateName"][:MAX_GENERATED_BASE] + self._ids.suffix(SUFFIX)
        if namespace:
            meta["namespace"] = namespace
        meta["uid"] = self._ids.uid()
        meta["creationTimestamp"] = rfc3339(self._loop.now())
        return {**obj, "metadata": meta}

    def _lease_id(self) -> int:
        if not self.strategy.ttl:
            return 0
        now = self._loop.now()
        if now >= self._lease_until:
            self._lease = self._store.grant(self.strategy.ttl + int(_LEASE_SHARE))
            self._lease_until = now + _LEASE_SHARE
        return self._lease

    # Read

    def get(self, namespace: str, name: str, resource_version: str = "") -> KeyValue:
        """The latest version. Errors: 404; 504 where a version is asked for that is yet to come."""
        kv = self._store.get(self._key(namespace, name))
        if resource_version not in ("", "0"):
            self._refuse_future(_revision(resource_version))
        if kv is None:
            raise errors.not_found(self.kind.resource, name)
        return kv

    def list(
        self,
        selection: Selection,
        *,
        limit: int = 0,
        token: str = "",
        resource_version: str = "",
        match: str = "",
    ) -> Page:
        """A collection at one revision, in the order of keys; at most `limit` objects, the rest by `Page.next`.

        Errors: 400 for a bad token, 410 where the revision is no longer kept, 504 where it is yet to come.
        """
        base = self._key(selection.namespace, "") if selection.namespace else self.prefix
        start, end = base, prefix_end(base)
        revision = 0
        if token:
            revision, start = self._decode_token(token, base)
        elif resource_version not in ("", "0"):
            wanted = _list_revision(resource_version)
            self._refuse_future(wanted)
            if match == "Exact" or (limit and not match):
                revision = wanted
        found: list[KeyValue] = []
        try:
            while True:
                batch = self._range(start, end, revision, limit)
                revision = revision or batch.revision
                found += batch.kvs if selection.everything else [kv for kv in batch.kvs if selection.matches(kv.value)]
                if not limit or len(found) >= limit or not batch.more:
                    break
                start = batch.kvs[-1].key + "\0"
        except Compacted as too_old:
            raise self._expired(token, base, start, too_old) from None
        if not limit or (len(found) <= limit and not batch.more):
            return Page(found, revision)
        last = found[limit - 1].key if len(found) > limit else batch.kvs[-1].key
        remaining = batch.count - limit if selection.everything else None
        return Page(found[:limit], revision, self._encode_token(revision, last[len(base) :]), remaining)

    def watch(
        self,
        selection: Selection,
        *,
        resource_version: str = "",
        send_initial: bool | None = None,
        bookmarks: bool = False,
        timeout: float = 0,
    ) -> Any:
        """A watch (`apimachinery.rest.Watch`) of every change after a version.

        Without a version, or with "0", the present objects come first as ADDED, unless `send_initial` is False; where
        it is True they do from any version. A bookmark ends them, if the watch asks for bookmarks.
        """
        if send_initial is False and resource_version in ("", "0"):
            resource_version = str(self._store.revision)
        if send_initial or resource_version in ("", "0"):
            if resource_version not in ("", "0"):
                self._refuse_future(_revision(resource_version))
            page = self.list(selection)
            return self.feed.open(
                selection,
                revision=page.revision,
                initial=page.items,
                initial_end=bookmarks,
                bookmarks=bookmarks,
                timeout=timeout,
            )
        return self.feed.open(selection, revision=_revision(resource_version), bookmarks=bookmarks, timeout=timeout)

    def count(self) -> int:
        return self._store.count(self.prefix, prefix_end(self.prefix))

    def _range(self, start: str, end: str, revision: int, limit: int) -> Range:
        try:
            return self._store.range(start, end, revision=revision, limit=limit)
        except FutureRevision:
            self._refuse_future(revision)
            raise

    def _refuse_future(self, wanted: int) -> None:
        current = self._store.revision
        if wanted > current:
            raise errors.too_large_resource_version(current, wanted)

    def _encode_token(self, revision: int, last: str) -> str:
        """Where the next chunk begins, relative to what was listed (apiserver/pkg/storage/continue.go)."""
        token = {"v": "meta.k8s.io/v1", "rv": revision, "start": last + "\0"}
        return base64.urlsafe_b64encode(orjson.dumps(token)).rstrip(b"=").decode()

    def _decode_token(self, token: str, base: str) -> tuple[int, str]:
        """The revision (0: the latest, for an inconsistent continuation) and key to go on from."""
        try:
            told = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
            version, revision, start = told["v"], told["rv"], told["start"]
            if version != "meta.k8s.io/v1" or not isinstance(revision, int) or not isinstance(start, str) or not start:
                raise ValueError(version)
        except (binascii.Error, ValueError, KeyError, TypeError):
            raise errors.bad_request("continue key is not valid: it must be a value that a list returned") from None
        if revision == 0 or revision < -1 or ".." in start.split("/"):
            raise errors.bad_request(f"continue key is not valid: incorrect encoded start resourceVersion {revision}")
        return max(revision, 0), base + start

    def _expired(self, token: str, base: str, start: str, too_old: Compacted) -> errors.StatusError:
        """410; a list that was under way is told how to go on with what is there now."""
        if not token:
            return errors.expired(f"The resourceVersion for the provided list is too old. ({too_old.compact_revision})")
        error = errors.expired(
            "The provided continue parameter is too old to display a consistent list result. You can start a new list "
            "without the continue parameter, or use the continue token in this response to retrieve the remainder of "
            "the results. Continuing with the provided token results in an inconsistent list - objects that were "
            "created, modified, or deleted between the time the first chunk was returned and now may show up in the "
            "list."
        )
        again = {"v": "meta.k8s.io/v1", "rv": -1, "start": start[len(base) :]}
        error.status["metadata"] = {"continue": base64.urlsafe_b64encode(orjson.dumps(again)).rstrip(b"=").decode()}
        return error

    # Update

    def update(
        self, namespace: str, name: str, transform: Transform, write: Write, *, may_create: bool = False
    ) -> tuple[KeyValue, bool]:
        """Replace an object by what `transform` makes of it; True where that created it.

        Errors: 404, 409 where the new object names another version or uid than the stored one, 422.
        """
        key = self._key(namespace, name)
        while True:
            kv = self._store.get(key)
            if kv is None:
                return self._create_by_update(namespace, name, transform, write, may_create), True
            old = kv.value
            new, stale_is_final = self._on_version(transform(old), old, name)
            new = write.admit(new, old)
            new = self.strategy.prepare_for_update(new, old, write.subresource)
            new = self.strategy.attributed(new, old, write.user, self._loop.now())
            new = keep_times(write.track(new, old), old)
            new, compares, ops = self._allotted(new, old, write)
            faults = (
                write.faults(new, old) if write.faults else self.strategy.validate_update(new, old, write.subresource)
            )
            self._refuse_invalid(new, faults)
            write.check(new, old)
            if new == old:
                return kv, False
            if write.dry_run:
                return KeyValue(key, new, kv.create_revision, kv.mod_revision, kv.version, kv.lease), False
            if self._is_deletable(new):
                _, compares, ops = self._allotted(None, old, write)
                if self._store.txn([Compare(key, kv.mod_revision), *compares], [Delete(key), *ops]).succeeded:
                    return KeyValue(key, new, kv.create_revision, kv.mod_revision, kv.version), False
            else:
                put = Put(key, self._refuse_oversized(new, write), kv.lease)
                done = self._store.txn([Compare(key, kv.mod_revision), *compares], [put, *ops])
                if done.succeeded:
                    made = done.kvs[0]
                    assert made is not None
                    return made, False
            if stale_is_final and not compares:
                raise errors.conflict(self.kind.resource, name, errors.MODIFIED)

    def _create_by_update(
        self, namespace: str, name: str, transform: Transform, write: Write, may_create: bool
    ) -> KeyValue:
        if not may_create:
            raise errors.not_found(self.kind.resource, name)
        new = transform(None)
        if metadata_of(new).get("uid"):
            why = f"Precondition failed: UID in precondition: {new['metadata']['uid']}, UID in object meta: "
            raise errors.conflict(self.kind.resource, name, why)
        return self.create(without_version(new), namespace, write)

    def _on_version(self, new: Object, old: Object, name: str) -> tuple[Object, bool]:
        """The new object with the old one's identity, and whether it insists on the version that it names."""
        meta, kept = {**metadata_of(new)}, old["metadata"]
        version = meta.get("resourceVersion", "")
        if not version and not self.strategy.allow_unconditional_update:
            error = errors.invalid("metadata.resourceVersion", 0, "must be specified for an update")
            raise errors.invalid_object(self.kind.group, self.kind.kind, name, [error])
        if version and version != kept["resourceVersion"]:
            raise errors.conflict(self.kind.resource, name, errors.MODIFIED)
        if meta.get("uid") and meta["uid"] != kept["uid"]:
            why = f"Precondition failed: UID in precondition: {meta['uid']}, UID in object meta: {kept['uid']}"
            raise errors.conflict(self.kind.resource, name, why)
        for field in ("uid", "creationTimestamp", "name", "namespace"):
            if field in kept and not meta.get(field):
                meta[field] = kept[field]
        for field in ("deletionTimestamp", "deletionGracePeriodSeconds", "generation", "resourceVersion"):
            if field in kept:
                meta[field] = kept[field]
            else:
                meta.pop(field, None)
        meta.pop("selfLink", None)
        return {**new, "metadata": kept if meta == kept else meta}, bool(version)

    def _is_deletable(self, obj: Object) -> bool:
        meta = obj["metadata"]
        return (
            "deletionTimestamp" in meta
            and not meta.get("finalizers")
            and not meta.get("deletionGracePeriodSeconds")
            and self.strategy.deletable_during_update(obj)
        )

    # Delete

    def delete(self, namespace: str, name: str, options: Object, write: Write) -> tuple[Object, bool]:
        """The object as deletion left it, and whether it is gone.

        `options` is a meta.k8s.io/v1 DeleteOptions. An object with finalizers, or with grace, stays marked.
        Errors: 404; 409 where a precondition fails.
        """
        key = self._key(namespace, name)
        while True:
            kv = self._store.get(key)
            if kv is None:
                raise errors.not_found(self.kind.resource, name)
            old = kv.value
            self._check_preconditions(old, options.get("preconditions") or {})
            write.check(None, old)
            marked = self._marked(old, options)
            if marked is old or write.dry_run:
                return marked, marked is not old and self._is_deletable(marked)
            compare = Compare(key, kv.mod_revision)
            if self._is_deletable(marked):
                _, compares, ops = self._allotted(None, old, write)
                if self._store.txn([compare, *compares], [Delete(key), *ops]).succeeded:
                    return marked, True
            else:
                done = self._store.txn([compare], [Put(key, marked, kv.lease)])
                if done.succeeded:
                    made = done.kvs[0]
                    assert made is not None
                    return made.value, False

    def _marked(self, old: Object, options: Object) -> Object:
        """The object with its deletion marked as asked, or the very same where that is under way already."""
        grace = self.strategy.grace_period(old, options.get("gracePeriodSeconds"))
        meta = {**old["metadata"]}
        if is_terminating(old):
            had = meta.get("deletionGracePeriodSeconds", 0)
            asked = options.get("gracePeriodSeconds")
            if grace is not None and asked is not None and grace < had:
                asked_for, now = parse_rfc3339(meta["deletionTimestamp"]) - had, self._loop.now()
                when = max(asked_for + grace, now)  # what is over already ends now, with the least grace if any
                grace = min(grace, 1) if when > asked_for + grace else grace
                meta.update(deletionTimestamp=rfc3339(when), deletionGracePeriodSeconds=grace)
                return {**old, "metadata": meta}
            if grace is not None and had:
                return old
        finalizers = self._finalizers_for(meta.get("finalizers") or [], options)
        if finalizers:
            meta["finalizers"] = finalizers
        else:
            meta.pop("finalizers", None)
        if "deletionTimestamp" not in meta:
            meta["deletionTimestamp"] = rfc3339(self._loop.now() + (grace or 0))
            meta["deletionGracePeriodSeconds"] = grace or 0
            if meta.get("generation"):
                meta["generation"] += 1
        marked = {**old, "metadata": meta}
        if self.kind.kind == "Namespace":
            marked["status"] = {**(old.get("status") or {}), "phase": "Terminating"}
        return old if marked == old and not self._is_deletable(marked) else marked

    def _finalizers_for(self, present: builtins.list[str], options: Object) -> builtins.list[str]:
        """The finalizers that make the garbage collector treat dependents as asked (store.go deletionFinalizers...)."""
        policy, orphan = options.get("propagationPolicy"), options.get("orphanDependents")
        if orphan is not None:
            policy = "Orphan" if orphan else "Background"
        if policy is None:
            if ORPHAN in present or FOREGROUND in present:
                return present
            policy = "Orphan" if self.strategy.orphans_by_default else "Background"
        finalizers = [name for name in present if name not in (ORPHAN, FOREGROUND)]
        if policy == "Orphan":
            finalizers.append(ORPHAN)
        elif policy == "Foreground":
            finalizers.append(FOREGROUND)
        return finalizers

    def _check_preconditions(self, obj: Object, wanted: Mapping[str, str]) -> None:
        meta = obj["metadata"]
        for field, told in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
            if wanted.get(field) is not None and wanted[field] != meta[field]:
                why = f"{told} in precondition: {wanted[field]}, {told} in object meta: {meta[field]}"
                raise errors.conflict(self.kind.resource, meta["name"], f"Precondition failed: {why}")

    # Common

    def _allotted(self, new: Object | None, old: Object | None, write: Write) -> Allotment:
        """The object with what only one can have, and what its transaction must compare and do for that."""
        if self.allot is None or (write.subresource and new is not None):
            return Allotment(new or {}, [], [])
        return self.allot(new, old, write.dry_run)

    def _key(self, namespace: str, name: str) -> str:
        return f"{self.prefix}{namespace}/{name}" if self.kind.namespaced else self.prefix + name

    def _faults(self, new: Object, old: Object | None, write: Write) -> builtins.list[FieldError]:
        if write.faults:
            return write.faults(new, old)
        strategy = self.strategy
        return strategy.validate_update(new, old, write.subresource) if old is not None else strategy.validate(new)

    def _refuse_invalid(self, obj: Object, problems: builtins.list[errors.FieldError]) -> None:
        if problems:
            name = name_of(obj) or get_path(obj, "metadata", "generateName", default="")
            raise errors.invalid_object(self.kind.group, self.kind.kind, name, problems)

    def _refuse_oversized(self, obj: Object, write: Write) -> Object:
        if write.measure and len(orjson.dumps(obj)) > MAX_OBJECT:
            raise errors.too_large_entity(f"Request is too large: an object may have at most {MAX_OBJECT} bytes")
        return obj


def without_version(obj: Object) -> Object:
    return with_metadata(obj, resourceVersion=None) if metadata_of(obj).get("resourceVersion") else obj


def _list_revision(resource_version: str) -> int:
    """Of a list: upstream checks it apart, and says 400 (apiserver/pkg/storage/interfaces.go, ValidateListOptions)."""
    try:
        return _revision(resource_version)
    except errors.StatusError as refusal:
        raise errors.bad_request(f"invalid resource version: {refusal.status['message']}") from None


def _revision(resource_version: str) -> int:
    try:
        revision = int(resource_version)
        if revision < 0 or not resource_version.isascii():
            raise ValueError(resource_version)
        return revision
    except ValueError:
        why = f"strconv.ParseUint: parsing {orjson.dumps(resource_version).decode()}: invalid syntax"
        error = errors.invalid("resourceVersion", resource_version, why)
        raise errors.invalid_object("meta.k8s.io", "ListOptions", "", [error]) from None


__all__ = ["Page", "Storage", "Write", "encoded", "stamp"]
