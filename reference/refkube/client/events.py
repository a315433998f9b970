"""Events about objects, as components record them: counted, combined and held back before they cost a write.

client-go/tools/record. One that is seen again raises the count of the first; ten that differ in the message only become
one; more than 25 about one object from one source are let through one in five minutes.
"""

from __future__ import annotations

import logging
import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object
from refkube.client.client import Client
from refkube.engine.clock import rfc3339
from refkube.engine.loop import Loop

_log = logging.getLogger(__name__)

NORMAL, WARNING = "Normal", "Warning"

CACHED = 4096  # objects that are remembered
TOLD = 256  # different events about one of them
SIMILAR, SIMILAR_WITHIN = 10, 600.0
BURST, REFILL = 25, 1.0 / 300.0
TRIES, RETRY = 12, 10.0

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?").fullmatch


class _Story:
    """What one source has said about one object: its budget, the messages by reason, and what was written."""

    __slots__ = ("seen", "similar", "since", "tokens")

    def __init__(self, now: float):
        self.tokens = float(BURST)
        self.since = now
        self.similar: dict[str, tuple[set[str], float]] = {}
        self.seen: dict[tuple[str, ...], tuple[int, str, str]] = {}


class EventRecorder:
    """`component` and `host` are the source. Events are written soon, not at once, and never fail the caller."""

    def __init__(self, client: Client, loop: Loop, component: str, host: str = ""):
        self._client = client
        self._loop = loop
        self._source = {"component": component, "host": host} if host else {"component": component}
        self._stories: OrderedDict[tuple, _Story] = OrderedDict()

    def event(
        self,
        about: Object,
        type: str,
        reason: str,
        message: str,
        annotations: Mapping[str, str] | None = None,
        field_path: str = "",
    ) -> None:
        """`about` is the object (with apiVersion and kind) or an ObjectReference; `type` NORMAL or WARNING;
        `field_path` names a part of it, such as spec.containers{web}."""
        reference = _reference(about, field_path)
        event = self._correlate(reference, type, reason, message)
        if event is not None:
            if annotations:
                event["metadata"]["annotations"] = dict(annotations)
            self._loop.call_soon(self._write, event, 1)

    def _correlate(self, reference: Object, type: str, reason: str, message: str) -> Object | None:
        """The event to write (events_cache.go), count 1 if it is to be created; None if the source says too much."""
        now = self._loop.now()
        story = self._story(reference, type, now)
        part = reference.get("fieldPath", "")
        key: tuple[str, ...] = (part, reason, message)
        if _is_one_of_many(story, reason, message, now):
            key, message = (reason,), f"(combined from similar events): {message}"
        seen = story.seen.get(key)
        count, name, first = seen if seen is not None else (0, self._name(reference["name"]), rfc3339(now))
        if len(story.seen) >= TOLD:
            story.seen.clear()
        story.seen[key] = (count + 1, name, first)
        if not _may_pass(story, now):
            return None
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": reference.get("namespace") or "default"},
            "involvedObject": reference,
            "reason": reason,
            "message": message,
            "source": self._source,
            "firstTimestamp": first,
            "lastTimestamp": rfc3339(now),
            "count": count + 1,
            "type": type,
            "reportingComponent": self._source["component"],
            "reportingInstance": self._source.get("host", ""),
        }

    def _story(self, reference: Object, type: str, now: float) -> _Story:
        get = reference.get
        about = (type, reference["kind"], get("namespace"), reference["name"], get("uid"), get("apiVersion"))
        story = self._stories.get(about)
        if story is not None:
            self._stories.move_to_end(about)
            return story
        story = self._stories[about] = _Story(now)
        if len(self._stories) > CACHED:
            self._stories.popitem(last=False)
        return story

    def _name(self, about: str) -> str:
        """As upstream the name and the nanoseconds; those of one virtual instant are told apart by chance."""
        nanoseconds = int(self._loop.now() * 1e3) * 1_000_000 + self._loop.random.getrandbits(19)
        if not _SUBDOMAIN(about) or len(about) > 236:
            about = "event"  # the object's name is not one an Event may have
        return f"{about}.{nanoseconds:x}"

    def _write(self, event: Object, attempt: int) -> None:
        try:
            if event["count"] > 1 and self._patch(event):
                return
            self._client.create("events", event)
        except StatusError as exc:
            _log.debug("the server rejects an event about %s: %s", event["involvedObject"]["name"], exc)
            if self._loop.trace.on:
                self._loop.trace.record(self._source["component"], "drop event", str(exc), event=event)
        except OSError as exc:
            if attempt < TRIES:
                delay = RETRY * (self._loop.random.random() if attempt == 1 else 1.0)
                self._loop.call_later(delay, self._write, event, attempt + 1)
            else:
                _log.warning("an event about %s is lost: %s", event["involvedObject"]["name"], exc)

    def _patch(self, event: Object) -> bool:
        """False if the event is gone: it lives an hour by default."""
        meta = event["metadata"]
        patch = {key: event[key] for key in ("count", "lastTimestamp", "message")}
        try:
            self._client.patch("events", meta["name"], patch, "strategic", meta["namespace"])
        except StatusError as exc:
            if exc.code == 404:
                return False
            raise
        return True


def _is_one_of_many(story: _Story, reason: str, message: str, now: float) -> bool:
    messages, last = story.similar.get(reason) or (set(), now)
    if now - last > SIMILAR_WITHIN:
        messages = set()
    messages.add(message)
    story.similar[reason] = (messages, now)
    if len(messages) < SIMILAR:
        return False
    messages.pop()
    return True


def _may_pass(story: _Story, now: float) -> bool:
    tokens = min(float(BURST), story.tokens + (now - story.since) * REFILL)
    passes = tokens >= 1.0
    story.tokens, story.since = tokens - passes, now
    return passes


def _reference(about: Object, field_path: str) -> dict[str, Any]:
    """v1.ObjectReference (client-go/tools/reference)."""
    meta = about.get("metadata") or about
    reference = {"kind": about["kind"], "name": meta["name"]}
    for field, holder in (("namespace", meta), ("uid", meta), ("apiVersion", about), ("resourceVersion", meta)):
        if holder.get(field):
            reference[field] = holder[field]
    path = field_path or about.get("fieldPath")
    if path:
        reference["fieldPath"] = path
    return reference
