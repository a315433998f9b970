"""Events about objects, as components record them: counted, combined and held back before they cost a write.

client-go/tools/record. One that is seen again raises the count of the first; ten that differ in the message only become
one; more than 25 about one object from one source are let through one in five minutes.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from typing import Any, Generic, TypeVar

from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object
from refkube.client.client import Client
from refkube.engine.clock import rfc3339
from refkube.engine.loop import Loop

_log = logging.getLogger(__name__)

NORMAL, WARNING = "Normal", "Warning"

CACHED = 4096
SIMILAR, SIMILAR_WITHIN = 10, 600.0
BURST, REFILL = 25, 1.0 / 300.0
TRIES, RETRY = 12, 10.0

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class EventRecorder:
    """`component` and `host` are the source. Events are written soon, not at once, and never fail the caller."""

    def __init__(self, client: Client, loop: Loop, component: str, host: str = ""):
        self._client = client
        self._loop = loop
        self._source = {"component": component, "host": host} if host else {"component": component}
        self._similar: _Recent[tuple, tuple[set[str], float]] = _Recent(CACHED)
        self._seen: _Recent[tuple, tuple[int, str, str]] = _Recent(CACHED)
        self._tokens: _Recent[tuple, tuple[float, float]] = _Recent(CACHED)

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

    # Correlation (events_cache.go)

    def _correlate(self, reference: Object, type: str, reason: str, message: str) -> Object | None:
        """The event to write, with count 1 if it is to be created; None if the source says too much."""
        now = self._loop.now()
        about = (*reference.values(), type)
        key: tuple = (about, reason, message)
        if self._is_one_of_many((about, reason), message, now):
            key, message = (about, reason), f"(combined from similar events): {message}"
        count, name, first = self._seen.get(key) or (0, self._name(reference["name"]), rfc3339(now))
        self._seen.put(key, (count + 1, name, first))
        if not self._may_pass(about, now):
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

    def _is_one_of_many(self, key: tuple, message: str, now: float) -> bool:
        messages, last = self._similar.get(key) or (set(), now)
        if now - last > SIMILAR_WITHIN:
            messages = set()
        messages.add(message)
        self._similar.put(key, (messages, now))
        if len(messages) < SIMILAR:
            return False
        messages.pop()
        return True

    def _may_pass(self, key: tuple, now: float) -> bool:
        tokens, since = self._tokens.get(key) or (float(BURST), now)
        tokens = min(float(BURST), tokens + (now - since) * REFILL)
        self._tokens.put(key, (tokens - 1.0 if tokens >= 1.0 else tokens, now))
        return tokens >= 1.0

    def _name(self, about: str) -> str:
        """As upstream the name and the nanoseconds; those of one virtual instant are told apart by chance."""
        nanoseconds = int(self._loop.now() * 1e3) * 1_000_000 + self._loop.random.getrandbits(19)
        if len(about) > 236 or not about.replace("-", "a").replace(".", "a").isalnum() or about != about.lower():
            about = "event"  # the object's name is not one an Event may have
        return f"{about}.{nanoseconds:x}"

    # Writing (recordToSink)

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


class _Recent(Generic[K, V]):
    """The values last put or asked for, up to a number."""

    def __init__(self, limit: int):
        self._limit = limit
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> None:
        self._values[key] = value
        if len(self._values) > self._limit:
            self._values.popitem(last=False)


def _reference(about: Object, field_path: str) -> dict[str, Any]:
    """v1.ObjectReference (client-go/tools/reference)."""
    meta = about.get("metadata") or about
    reference = {
        "kind": about["kind"],
        "namespace": meta.get("namespace"),
        "name": meta["name"],
        "uid": meta.get("uid"),
        "apiVersion": about.get("apiVersion"),
        "resourceVersion": meta.get("resourceVersion"),
        "fieldPath": field_path or about.get("fieldPath"),
    }
    return {key: value for key, value in reference.items() if value}
