"""One active instance of many: leader election over a Lease.

client-go/tools/leaderelection. Whoever holds the Lease renews it; the others look at it and take it over once they have
not seen it change for its duration on their own clock, so that clocks need not agree.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object
from refkube.client.client import Client
from refkube.client.events import NORMAL, EventRecorder
from refkube.engine.clock import rfc3339_micro
from refkube.engine.loop import Loop, Timer

_log = logging.getLogger(__name__)

LEASES = "leases.coordination.k8s.io"
JITTER = 1.2


@dataclass(eq=False)
class LeaderElector:
    """`identity` must be one of a kind. `started()` is called on becoming leader; `stopped()` when the lease is lost or
    given up: the component must then stop at once (upstream's exit). `new_leader(identity)` tells of every change.

    Seconds: others wait `lease_duration` before they take over; the leader gives up after `renew_deadline` without
    success; attempts are `retry_period` apart.
    """

    client: Client
    loop: Loop
    name: str
    identity: str
    started: Callable[[], object]
    stopped: Callable[[], object]
    new_leader: Callable[[str], object] | None = None
    namespace: str = "kube-system"
    lease_duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0
    recorder: EventRecorder | None = None
    leading: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        if not self.lease_duration > self.renew_deadline > JITTER * self.retry_period > 0:
            raise ValueError("lease_duration > renew_deadline > 1.2 * retry_period > 0 must hold")
        self._running = False
        self._lease: Object | None = None  # as last read or written
        self._spec: Object = {}  # as last observed to change, at _observed
        self._observed = 0.0
        self._reported = ""
        self._renewed = 0.0  # when the present round of renewal began
        self._timer: Timer | None = None

    @property
    def leader(self) -> str:
        """Who held the lease when last seen; empty if nobody."""
        return self._spec.get("holderIdentity") or ""

    def start(self) -> None:
        """Begin to compete."""
        if not self._running:
            self._running = True
            self._timer = self.loop.call_later(0, self._acquire)

    def stop(self, release: bool = True) -> None:
        """Stop competing. A leader stops leading, and with `release` hands the lease on without delay; without it is as
        if it had crashed."""
        if not self._running:
            return
        self._running = False
        if self._timer is not None:
            self._timer.cancel()
        if self.leading:
            self._lose("stopped", release)

    def _acquire(self) -> None:
        if self._try():
            self.leading = True
            self._report()
            self._record("became leader")
            self._renewed = self.loop.now()
            self._timer = self.loop.call_later(self.retry_period, self._renew)
            self.started()
        else:
            self._report()
            delay = self.retry_period * (1.0 + self.loop.random.random() * JITTER)
            self._timer = self.loop.call_later(delay, self._acquire)

    def _renew(self) -> None:
        now = self.loop.now()
        if self._try():
            self._renewed = now
        elif now - self._renewed - self.retry_period >= self.renew_deadline:
            self._running = False
            self._report()
            self._lose(f"not renewed for {self.renew_deadline:g} s", release=False)
            return
        self._report()
        self._timer = self.loop.call_later(self.retry_period, self._renew)

    def _lose(self, why: str, release: bool) -> None:
        self.leading = False
        _log.info("%s no longer leads %s: %s", self.identity, self.name, why)
        if release:
            self._release()
        self._record("stopped leading")
        self.stopped()

    # The lease

    def _try(self) -> bool:
        """Take or renew the lease, if it is ours, free or expired (tryAcquireOrRenew)."""
        try:
            if self._is_mine() and self._is_valid():
                with suppress(StatusError):  # the fast way of a leader: nobody else is likely to have written
                    self._write(self._claim(self._spec["acquireTime"], self._spec["leaseTransitions"]))
                    return True
            return self._read_and_take()
        except (StatusError, OSError) as exc:
            _log.debug("%s: the lease %s: %s", self.identity, self.name, exc)
            if self.loop.trace.on:
                self.loop.trace.record(self.identity, f"no lease {self.name}", str(exc))
            return False

    def _read_and_take(self) -> bool:
        now = rfc3339_micro(self.loop.now())
        try:
            self._lease = self.client.get(LEASES, self.name, self.namespace)
        except StatusError as exc:
            if exc.code != 404:
                raise
            self._lease = None
            self._write(self._claim(now, 0))
            return True
        spec = self._lease.get("spec") or {}
        if spec != self._spec:
            self._observe(spec)
        if self.leader and self._is_valid() and not self._is_mine():
            return False
        transitions = self._spec.get("leaseTransitions", 0)
        if self._is_mine():
            self._write(self._claim(self._spec["acquireTime"], transitions))
        else:
            self._write(self._claim(now, transitions + 1))
        return True

    def _release(self) -> None:
        """Leave the lease without a holder, for one second (tryRelease)."""
        try:
            self._lease = self.client.get(LEASES, self.name, self.namespace)
            now = rfc3339_micro(self.loop.now())
            spec = self._lease.get("spec") or {}
            if spec.get("holderIdentity") == self.identity:
                freed = {"holderIdentity": "", "leaseDurationSeconds": 1, "acquireTime": now, "renewTime": now}
                self._write({**freed, "leaseTransitions": spec.get("leaseTransitions", 0)})
        except (StatusError, OSError) as exc:
            _log.debug("%s: the lease %s is not released: %s", self.identity, self.name, exc)

    def _claim(self, acquired: str, transitions: int) -> Object:
        return {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": int(self.lease_duration),
            "acquireTime": acquired,
            "renewTime": rfc3339_micro(self.loop.now()),
            "leaseTransitions": transitions,
        }

    def _write(self, spec: Object) -> None:
        if self._lease is None:
            meta = {"name": self.name, "namespace": self.namespace}
            lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": spec}
            self._lease = self.client.create(LEASES, lease)
        else:
            self._lease = self.client.update(LEASES, {**self._lease, "spec": spec})
        self._observe(self._lease["spec"])

    def _observe(self, spec: Object) -> None:
        self._spec = spec
        self._observed = self.loop.now()

    def _is_mine(self) -> bool:
        return self.leader == self.identity

    def _is_valid(self) -> bool:
        return self._observed + self._spec.get("leaseDurationSeconds", 0) > self.loop.now()

    def _report(self) -> None:
        if self.leader != self._reported:
            self._reported = self.leader
            if self.new_leader:
                self.new_leader(self.leader)

    def _record(self, what: str) -> None:
        if self.recorder is not None and self._lease is not None:
            self.recorder.event(self._lease, NORMAL, "LeaderElection", f"{self.identity} {what}")
