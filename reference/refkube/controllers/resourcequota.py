"""ResourceQuota controller: what a quota's namespace uses of it, added up anew when something goes or changes.

Admission charges what comes; this gives back what went, measures new quotas, and puts right, every five minutes, what
went amiss. Only the kinds that quotas name are watched. Source: kubernetes/pkg/controller/resourcequota.
"""

from __future__ import annotations

from functools import partial

from refkube.apimachinery.meta import Object, get_path, key_of, namespace_of
from refkube.apimachinery.quantity import Quantity, parse
from refkube.client.controller import Controller
from refkube.client.informer import Informer, by_namespace
from refkube.controllers.common.context import Context
from refkube.quota.evaluators import evaluators_of
from refkube.quota.usage import Evaluator, Usage, used


class _Monitor:
    """The objects of one kind, each with its usage as of its last version. Time changes the usage of what is being
    deleted, so that is not kept."""

    def __init__(self, informer: Informer, evaluator: Evaluator):
        self.informer = informer
        self.evaluator = evaluator
        self._usage: dict[str, tuple[Object, Usage]] = {}

    def usage(self, now: float, obj: Object) -> Usage:
        meta = obj["metadata"]
        known = self._usage.get(meta["uid"])
        if known is not None and known[0] is obj:
            return known[1]
        usage = self.evaluator.usage(obj, now)
        if "deletionTimestamp" not in meta:
            self._usage[meta["uid"]] = (obj, usage)
        return usage

    def forget(self, obj: Object) -> None:
        self._usage.pop(obj["metadata"]["uid"], None)


class ResourceQuotaController:
    account = component = "resourcequota-controller"

    def __init__(self, context: Context):
        self._client = context.client
        self._loop = context.loop
        self._period = context.options.resource_quota_sync_period
        self._informers = context.informers
        self._monitors: dict[str, _Monitor] = {}
        self._quotas = context.informers.of("resourcequotas")
        self._quotas.add_index("namespace", by_namespace)
        self._resync = Controller(context.loop, "resourcequota", self._yielding, (self._quotas,))
        self._missing = Controller(context.loop, "resourcequota-missing", self.reconcile, (self._quotas,))
        self._quotas.add_handler(self._seen, self._changed)

    def start(self) -> None:
        self._resync.start()
        self._missing.start()
        self._timer = self._loop.call_later(self._period, self._all)

    def stop(self) -> None:
        self._timer.cancel()
        self._resync.stop()
        self._missing.stop()

    def _all(self) -> None:
        self._timer = self._loop.call_later(self._period, self._all)
        for key in self._quotas.items:
            self._resync.add(key)

    def _seen(self, quota: Object) -> None:
        """What has no usage yet refuses every request, so it goes first."""
        hard, status = get_path(quota, "spec", "hard", default={}), quota.get("status") or {}
        lacks = any(evaluators_of([name]) for name in hard if name not in (status.get("used") or {}))
        queue = self._missing if lacks or hard != status.get("hard", {}) else self._resync
        queue.add(key_of(quota))

    def _changed(self, old: Object, new: Object) -> None:
        if old["spec"] is not new["spec"] and old["spec"] != new["spec"]:
            self._seen(new)

    def _yielding(self, key: str) -> None:
        """Reconcile, unless a quota without usage waits."""
        if self._missing.queue:
            self._resync.add(key)
        else:
            self.reconcile(key)

    def reconcile(self, key: str) -> None:
        quota = self._quotas.get(key)
        if quota is None:
            return
        spec, status = quota["spec"], quota.get("status") or {}
        hard = spec.get("hard") or {}
        monitors = [self._monitor(evaluator) for evaluator in evaluators_of(hard)]
        for monitor in monitors:
            if not monitor.informer.has_synced:
                monitor.informer.when_synced(partial(self._missing.add, key))
                return
        total = {name: parse(amount) for name, amount in (status.get("used") or {}).items() if name in hard}
        for monitor in monitors:
            objects = monitor.informer.indexed("namespace", namespace_of(quota)).values()
            total.update(used(spec, monitor.evaluator, objects, partial(monitor.usage, self._loop.now())))
        if status.get("hard") != hard or _parsed(status.get("used")) != total:
            told = {"hard": hard, "used": {name: str(amount) for name, amount in total.items()}}
            self._client.update_status("resourcequotas", {**quota, "status": told})

    def _monitor(self, evaluator: Evaluator) -> _Monitor:
        """Watches a kind, from the first quota that names it on."""
        monitor = self._monitors.get(evaluator.resource)
        if monitor is None:
            informer = self._informers.of(evaluator.resource)
            informer.add_index("namespace", by_namespace)
            monitor = self._monitors[evaluator.resource] = _Monitor(informer, evaluator)
            informer.add_handler(None, partial(self._updated, monitor), partial(self._gone, monitor))
        return monitor

    def _updated(self, monitor: _Monitor, old: Object, new: Object) -> None:
        quotas = self._quotas.indexed("namespace", namespace_of(new))
        if quotas and monitor.usage(self._loop.now(), old) != monitor.usage(self._loop.now(), new):
            self._replenish(monitor, new)

    def _gone(self, monitor: _Monitor, obj: Object) -> None:
        monitor.forget(obj)
        self._replenish(monitor, obj)

    def _replenish(self, monitor: _Monitor, obj: Object) -> None:
        for key, quota in self._quotas.indexed("namespace", namespace_of(obj)).items():
            if monitor.evaluator.matching(get_path(quota, "spec", "hard", default={})):
                self._resync.add(key)


def _parsed(amounts: dict[str, str] | None) -> dict[str, Quantity]:
    return {name: parse(amount) for name, amount in (amounts or {}).items()}
