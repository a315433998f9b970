"""The harness of a controller: keys in, `reconcile(key)` called until it succeeds.

It waits until its informers have synced, runs reconciles when the instant is quiet, one after the other, and tries
again what failed, later and later. What takes longer than one call uses `queue.get` and `queue.done` itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object, key_of
from refkube.client.informer import Informer
from refkube.client.workqueue import RateLimiter, WorkQueue
from refkube.engine.loop import Loop

_log = logging.getLogger(__name__)


class Controller:
    """`reconcile(key)` brings what the key names to its desired state; to be called again later it calls `add_after`.

    A StatusError or OSError it raises is the world's fault: the key is tried again, `errors` holds why. Any other
    exception is a mistake in the program: tried again too, and told to the loop, which raises it in tests.
    """

    def __init__(
        self,
        loop: Loop,
        name: str,
        reconcile: Callable[[str], object],
        informers: Iterable[Informer] = (),
        limiter: RateLimiter[str] | None = None,
    ):
        self.loop = loop
        self.name = name
        self.reconcile = reconcile
        self.queue: WorkQueue[str] = WorkQueue(loop, self._schedule, limiter)
        self.errors: dict[str, str] = {}
        self.add = self.queue.add
        self.add_after = self.queue.add_after
        self._informers = tuple(informers)
        self._running = False

    def add_object(self, obj: Object) -> None:
        """A handler for informers."""
        self.add(key_of(obj))

    def start(self) -> None:
        """Begin to reconcile as soon as every informer has its first list."""
        for informer in self._informers:
            informer.when_synced(self._begin)
        self._begin()

    def stop(self) -> None:
        self._running = False
        self._informers = ()
        self.queue.close()

    def _begin(self) -> None:
        if not self._running and all(informer.has_synced for informer in self._informers):
            self._running = True
            for _ in range(len(self.queue)):
                self.loop.call_idle(self._work)

    def _schedule(self) -> None:
        if self._running:
            self.loop.call_idle(self._work)

    def _work(self) -> None:
        if not self._running:
            return
        key = self.queue.get()
        try:
            self.reconcile(key)
        except (StatusError, OSError) as exc:
            self._retry(key, exc)
        except Exception as exc:
            self._retry(key, exc)
            self.loop.failed(exc, f"{self.name} {key}")
        else:
            self.queue.forget(key)
            if self.errors:
                self.errors.pop(key, None)
        finally:
            self.queue.done(key)

    def _retry(self, key: str, exc: Exception) -> None:
        seconds = self.queue.add_rate_limited(key)
        why = self.errors[key] = str(exc) or type(exc).__name__
        _log.debug("%s: %s fails, again in %.3f s: %s", self.name, key, seconds, why)
        if self.loop.trace.on:
            self.loop.trace.record(self.name, f"requeue {key}", why, seconds=seconds)
