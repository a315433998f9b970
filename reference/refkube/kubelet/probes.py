"""Probes of one Pod's containers: when they run, and what their results together say.

`pod_worker` makes one `Probe` for each probe of each container and asks what it has found; a change of that is told.
Source: pkg/kubelet/prober (worker.go, prober.go). Each probe keeps one timer, from the Pod's beginning on, as there.
"""

from __future__ import annotations

from collections.abc import Callable

from refkube.apimachinery.meta import Object
from refkube.engine.loop import Loop, Timer
from refkube.kubelet.actions import Actions, Done, GiveUp
from refkube.kubelet.runtime.container import Container

LIVENESS, READINESS, STARTUP = "livenessProbe", "readinessProbe", "startupProbe"
KINDS = (STARTUP, LIVENESS, READINESS)


class Probe:
    """One probe of one container. `good` is None until it has a verdict on the present instance."""

    def __init__(
        self,
        loop: Loop,
        actions: Actions,
        kind: str,
        spec: Object,
        instance: Callable[[], Container | None],
        may_run: Callable[[], bool],
        changed: Callable[[], object],
        unhealthy: Callable[[str], object],
    ):
        self.kind = kind
        self.good: bool | None = None
        self._loop = loop
        self._actions = actions
        self._spec = spec
        self._told = spec[kind]
        self._instance = instance
        self._may_run = may_run
        self._changed = changed
        self._unhealthy = unhealthy
        self._of: Container | None = None
        self._held = False
        self._last: bool | None = None
        self._run = 0
        self._give_up: GiveUp | None = None
        self._timer: Timer | None = None
        self._tick()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._give_up is not None:
            self._give_up()

    def trigger(self) -> None:
        """Look now, and again a period later (a readiness probe, once the container has started)."""
        if self._timer is not None and self._give_up is None:
            self._timer.cancel()
            self._tick()

    def _tick(self) -> None:
        self._timer = self._loop.call_later(self._told.get("periodSeconds") or 10, self._tick)
        container = self._instance()
        if container is None:
            return
        if container is not self._of:
            self._of, self._held, self._last, self._run = container, False, None, 0
            self._set(None)
        if self._give_up is not None:
            return
        if not container.running:
            if self.kind == READINESS:
                self._set(False)
            return
        late = self._loop.now() - container.started_at >= (self._told.get("initialDelaySeconds") or 0)
        if self._held or not late or not self._may_run():
            return
        timeout = float(self._told.get("timeoutSeconds") or 1)
        finished: list[bool] = []

        def done(well: bool, told: str) -> None:
            finished.append(True)
            self._give_up = None
            if container is self._instance():
                self._judge(well, told)

        give_up = self._act(container, done, timeout)
        if not finished:
            self._give_up = give_up

    def _act(self, container: Container, done: Done, timeout: float) -> GiveUp:
        if self.kind not in container.failing:
            return self._actions.act(self._told, self._spec, container, done, timeout)
        done(False, "made to fail")
        return lambda: None

    def _judge(self, well: bool, told: str) -> None:
        if not well:
            name = self.kind.removesuffix("Probe").capitalize()
            self._unhealthy(f"{name} probe failed: {told}")
        self._run = self._run + 1 if well == self._last else 1
        self._last = well
        threshold = self._told.get("successThreshold") or 1 if well else self._told.get("failureThreshold") or 3
        if self._run < threshold:
            return
        self._set(well)
        if self.kind != READINESS and (not well or self.kind == STARTUP):
            self._held = True  # until there is another instance
            self._run = 0

    def _set(self, good: bool | None) -> None:
        if self.good != good:
            self.good = good
            self._changed()
