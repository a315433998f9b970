"""Faults that features/admission/quotas.feature and compute-quotas.feature must catch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from refkube.admission.chain import CREATE, Attributes
from refkube.admission.plugins import resourcequota
from refkube.admission.plugins.resourcequota import ResourceQuota
from refkube.api.validation import policy
from refkube.apimachinery import errors, typeschema
from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object
from refkube.apimachinery.quantity import ZERO, parse
from refkube.controllers.resourcequota import ResourceQuotaController
from refkube.quota import pods, usage
from refkube.quota.evaluators import ClaimEvaluator, ServiceEvaluator
from refkube.quota.pods import PodEvaluator
from refkube.quota.usage import ONE, Evaluator, scopes_of

from gherkube.drivers.miniatures import miniature

Original = Callable[..., Any]

_PORTS = "services.nodeports"


# What is charged


@miniature(
    "What brings a quota to its limit is refused.",
    caught_by=(
        *("quotas.01", "quotas.12", "quotas.16#1", "quotas.17", "quotas.25", "quotas.33", "quotas.34", "quotas.40#1"),
        *("compute-quotas.01", "compute-quotas.10"),
    ),
    instead_of=resourcequota.charged,
)
def refuses_to_fill_a_quota(original: Original, quota: Object, added: Any, attributes: Attributes) -> Object:
    made: Object = original(quota, added, attributes)
    hard, used = made["status"]["hard"], made["status"]["used"]
    if any(parse(used[name]) == parse(hard[name]) for name in added if name in hard):
        raise errors.forbidden(attributes.kind.resource, attributes.name, "exceeded quota")
    return made


@miniature(
    "Quotas count, and refuse nothing.",
    caught_by=(
        *("quotas.02", "quotas.03", "quotas.06", "quotas.08", "quotas.10", "quotas.11#1", "quotas.13", "quotas.16#2"),
        *("quotas.18", "quotas.19#1", "quotas.21", "quotas.22", "quotas.24", "quotas.26", "quotas.33", "quotas.36"),
        *("quotas.40#2", "compute-quotas.02", "compute-quotas.05", "compute-quotas.14#1"),
    ),
    instead_of=resourcequota.charged,
)
def refuses_nothing(original: Original, quota: Object, added: Any, attributes: Attributes) -> Any:
    return original(quota, added, replace(attributes, subresource="status"))


@miniature(
    "A quota refuses only once it is full.",
    caught_by=("quotas.10", "quotas.16#2", "quotas.18", "quotas.40#2", "compute-quotas.02", "compute-quotas.05"),
    instead_of=resourcequota.charged,
)
def refuses_only_when_full(original: Original, quota: Object, added: Any, attributes: Attributes) -> Any:
    hard, used = quota["status"]["hard"], quota["status"]["used"]
    full = any(parse(used[name]) >= parse(hard[name]) for name in added if name in used)
    return original(quota, added, attributes if full else replace(attributes, subresource="status"))


@miniature(
    "Everything is charged twice.",
    caught_by=("quotas.01", "quotas.07", "quotas.12", "quotas.17", "quotas.20", "compute-quotas.03"),
    instead_of=resourcequota.charged,
)
def charges_twice(original: Original, quota: Object, added: Any, attributes: Attributes) -> Any:
    return original(original(quota, added, attributes), added, attributes)


@miniature(
    "A refusal says only that there is no room.",
    caught_by=("quotas.10", "quotas.18", "quotas.21", "quotas.36", "compute-quotas.02"),
    instead_of=resourcequota.charged,
)
def refuses_without_a_reason(original: Original, quota: Object, added: Any, attributes: Attributes) -> Any:
    try:
        return original(quota, added, attributes)
    except StatusError:
        raise errors.forbidden(attributes.kind.resource, attributes.name, "exceeded quota") from None


@miniature(
    "What is refused is charged, too.",
    caught_by=("quotas.22", "quotas.26", "compute-quotas.02"),
    instead_of=ResourceQuota.validate,
)
def charges_refusals(original: Original, self: ResourceQuota, attributes: Attributes) -> None:
    try:
        original(self, attributes)
    except StatusError:
        original(self, replace(attributes, subresource="status"))
        raise


@miniature("A dry run is charged.", caught_by="quotas.23", instead_of=ResourceQuota.validate)
def charges_dry_runs(original: Original, self: ResourceQuota, attributes: Attributes) -> None:
    original(self, replace(attributes, dry_run=False))


@miniature("A dry run is not held against the quota.", caught_by="quotas.24", instead_of=ResourceQuota.validate)
def lets_dry_runs_through(original: Original, self: ResourceQuota, attributes: Attributes) -> None:
    if not attributes.dry_run:
        original(self, attributes)


@miniature(
    "Of several quotas one is charged.", caught_by=("quotas.25", "quotas.26#2"), instead_of=ResourceQuota._charges
)
def charges_one_quota(original: Original, self: ResourceQuota, attributes: Attributes, quotas: Any) -> Any:
    return original(self, attributes, quotas)[:1]


@miniature("Quotas are charged one by one.", caught_by="quotas.26#2", instead_of=ResourceQuota.validate)
def charges_one_by_one(original: Original, self: ResourceQuota, attributes: Attributes) -> None:
    for quota in list(self._quotas(attributes.namespace)):
        original(ResourceQuota({attributes.namespace: [quota]}.__getitem__, self._charge, self._now), attributes)


@miniature("Quotas are charged one by one, the last first.", caught_by="quotas.26#1", instead_of=ResourceQuota.validate)
def charges_the_last_first(original: Original, self: ResourceQuota, attributes: Attributes) -> None:
    for quota in reversed(list(self._quotas(attributes.namespace))):
        original(ResourceQuota({attributes.namespace: [quota]}.__getitem__, self._charge, self._now), attributes)


@miniature("A quota counts what is in other namespaces.", caught_by="quotas.27", instead_of=ResourceQuota.validate)
def counts_other_namespaces(original: Original, self: ResourceQuota, attributes: Attributes) -> None:
    for namespace in (attributes.namespace, "other"):
        original(self, replace(attributes, namespace=namespace))


@miniature(
    "What is created at the same time is held against the same usage.",
    caught_by=("quotas.33", "compute-quotas.05"),
    instead_of=ResourceQuota.validate,
)
def decides_by_what_it_saw(original: Original, self: ResourceQuota, attributes: Attributes) -> None:
    then, now = vars(self).setdefault("then", {}), self._now()
    if now not in then:
        then.clear()
        then[now] = list(self._quotas(attributes.namespace))

    def overwrite(quota: Object, change: Callable[[Object], Object]) -> None:
        self._charge(quota, lambda stored: {**stored, "status": change(quota)["status"]})

    original(ResourceQuota(lambda namespace: then[now], overwrite, self._now), attributes)


@miniature("Where there is a quota, it must name everything.", caught_by="quotas.04", instead_of=ResourceQuota.validate)
def refuses_what_is_not_named(original: Original, self: ResourceQuota, attributes: Attributes) -> None:
    quotas = list(self._quotas(attributes.namespace))
    if quotas and not any(name.startswith(attributes.kind.plural) for one in quotas for name in one["spec"]["hard"]):
        raise errors.forbidden(attributes.kind.resource, attributes.name, "no quota for it")
    original(self, attributes)


# What is counted


@miniature("Quotas themselves are not counted.", caught_by=("quotas.05", "quotas.06"), instead_of=Evaluator.usage)
def leaves_out_quotas(original: Original, self: Evaluator, obj: Object, now: float) -> Any:
    return {} if self.resource == "resourcequotas" else original(self, obj, now)


@miniature(
    "Only the kinds with names of their own are counted.",
    caught_by=("quotas.07", "quotas.08", "quotas.29"),
    instead_of=Evaluator.matching,
)
def knows_old_names_alone(original: Original, self: Evaluator, names: Iterable[str]) -> Any:
    return [name for name in original(self, names) if not name.startswith("count/")]


@miniature(
    "A Service has one node port.",
    caught_by=("quotas.09#2", "quotas.09#3", "quotas.10"),
    instead_of=ServiceEvaluator.usage,
)
def counts_services_for_ports(original: Original, self: Evaluator, obj: Object, now: float) -> Any:
    made = original(self, obj, now)
    return {**made, _PORTS: min(made[_PORTS], ONE)}


@miniature("Load balancers are not counted.", caught_by="quotas.11#1", instead_of=ServiceEvaluator.usage)
def counts_no_load_balancers(original: Original, self: Evaluator, obj: Object, now: float) -> Any:
    return {**original(self, obj, now), "services.loadbalancers": ZERO}


@miniature("Every Service is a load balancer.", caught_by="quotas.11#2", instead_of=ServiceEvaluator.usage)
def counts_every_service_as_balancer(original: Original, self: Evaluator, obj: Object, now: float) -> Any:
    return {**original(self, obj, now), "services.loadbalancers": ONE}


@miniature(
    "What a Service comes to be is not charged.",
    caught_by="quotas.13",
    instead_of=ServiceEvaluator.handles,
)
def charges_new_services_alone(original: Original, self: Evaluator, operation: str, subresource: str) -> bool:
    return operation == CREATE and not subresource


@miniature(
    "An update is charged with all that there is.", caught_by=("quotas.12", "quotas.14"), instead_of=usage.increase
)
def charges_updates_in_full(original: Original, new: Mapping[str, Any], old: Mapping[str, Any]) -> Any:
    return dict(new)


@miniature("A claim's growth is not charged.", caught_by="quotas.16#2", instead_of=ClaimEvaluator.handles)
def charges_no_growth(original: Original, self: Evaluator, operation: str, subresource: str) -> bool:
    return operation == CREATE and not subresource


@miniature("A resize is not charged.", caught_by="quotas.40#2", instead_of=PodEvaluator.handles)
def charges_no_resize(original: Original, self: Evaluator, operation: str, subresource: str) -> bool:
    return operation == CREATE and not subresource


@miniature(
    "The size of claims is not counted.",
    caught_by=("quotas.16", "quotas.17", "quotas.18", "quotas.19#1", "quotas.20", "quotas.29"),
    instead_of=ClaimEvaluator.usage,
)
def counts_no_storage(original: Original, self: Evaluator, obj: Object, now: float) -> Any:
    return {name: amount for name, amount in original(self, obj, now).items() if "requests.storage" not in name}


@miniature(
    "Every claim counts as of every class.",
    caught_by=("quotas.19#2", "quotas.20"),
    instead_of=ClaimEvaluator.usage,
)
def counts_all_classes(original: Original, self: Evaluator, obj: Object, now: float) -> Any:
    return original(self, {**obj, "spec": {**obj["spec"], "storageClassName": "gherkin-gold"}}, now)


# What is added up anew


@miniature(
    "A new quota takes it that nothing is there.",
    caught_by=("quotas.28", "quotas.37", "compute-quotas.12"),
    instead_of=usage.used,
)
def begins_at_nothing(original: Original, spec: Object, evaluator: Evaluator, objects: Any, of: Any) -> Any:
    return original(spec, evaluator, (), of)


@miniature(
    "What is deleted is not given back.",
    caught_by=("quotas.29", "quotas.31", "quotas.32", "compute-quotas.06"),
    instead_of=ResourceQuotaController._gone,
)
def keeps_what_is_gone(original: Original, self: ResourceQuotaController, monitor: Any, obj: Object) -> None:
    monitor.forget(obj)


@miniature(
    "What an update lets go is not given back.",
    caught_by=("quotas.15", "compute-quotas.11"),
    instead_of=ResourceQuotaController._updated,
)
def keeps_what_is_let_go(original: Original, self: ResourceQuotaController, *args: Any) -> None:
    return None


@miniature("Nothing is put right by and by.", caught_by="quotas.30", instead_of=ResourceQuotaController._all)
def puts_nothing_right(original: Original, self: ResourceQuotaController) -> None:
    self._timer = self._loop.call_later(self._period, self._all)


@miniature(
    "A quota stays as it was created.",
    caught_by=("quotas.34", "quotas.35", "quotas.36", "quotas.37"),
    instead_of=ResourceQuotaController._changed,
)
def misses_changes(original: Original, self: ResourceQuotaController, old: Object, new: Object) -> None:
    return None


@miniature("More than the limit is never told as used.", caught_by=("quotas.35", "quotas.36"), instead_of=usage.used)
def caps_what_is_used(original: Original, spec: Object, *args: Any) -> Any:
    hard = spec["hard"]
    return {name: min(amount, parse(hard[name])) for name, amount in original(spec, *args).items()}


# What is refused as a quota


@miniature(
    "A quota may be anything.", caught_by=("quotas.38", "compute-quotas.17"), instead_of=policy.TABLES["/ResourceQuota"]
)
def takes_every_quota(original: Original, *given: Any) -> Any:
    return ()


@miniature("What is no quantity is none.", caught_by="quotas.39", instead_of=typeschema._walk_quantity)
def reads_any_quantity(original: Original, value: Any, unknown: list[str], node: Any) -> Any:
    try:
        return original(value, unknown, node)
    except typeschema._Undecodable:
        return "0"


@miniature("Scopes may change.", caught_by="compute-quotas.18", instead_of=policy.TABLES["/ResourceQuota update"])
def lets_scopes_change(original: Original, *given: Any) -> Any:
    return ()


# Pods


@miniature("Limits count as requests.", caught_by="compute-quotas.03", instead_of=pods._compute)
def takes_limits_for_requests(original: Original, requests: Any, limits: Any) -> Any:
    return original({**requests, **limits}, limits)


@miniature(
    "A Pod that does not say what it needs needs nothing.",
    caught_by=("compute-quotas.07", "compute-quotas.08"),
    instead_of=PodEvaluator.missing,
)
def takes_silence_for_nothing(original: Original, self: Evaluator, names: Iterable[str], obj: Object) -> str:
    return ""


@miniature("One container speaks for all.", caught_by="compute-quotas.08", instead_of=PodEvaluator.missing)
def asks_the_first_container(original: Original, self: Evaluator, names: Iterable[str], obj: Object) -> Any:
    spec = obj["spec"]
    return original(self, names, {**obj, "spec": {**spec, "containers": spec["containers"][:1], "initContainers": []}})


@miniature(
    "Under any quota of Pods all must be stated.",
    caught_by=("compute-quotas.10", "quotas.01#1"),
    instead_of=PodEvaluator.missing,
)
def always_asks(original: Original, self: Evaluator, names: Iterable[str], obj: Object) -> Any:
    return original(self, pods._MUST_STATE, obj)


@miniature(
    "A quota asks before the defaults are filled in.", caught_by="compute-quotas.09", instead_of=PodEvaluator.missing
)
def asks_before_the_defaults(original: Original, self: Evaluator, names: Iterable[str], obj: Object) -> Any:
    defaulted = "kubernetes.io/limit-ranger" in (obj["metadata"].get("annotations") or {})
    return "must specify all" if defaulted else original(self, names, obj)


@miniature("Pods of every phase are counted.", caught_by="compute-quotas.11", instead_of=pods.is_charged)
def counts_what_has_ended(original: Original, pod: Object, now: float) -> bool:
    return True


@miniature(
    "Scopes are not looked at.",
    caught_by=(
        *("compute-quotas.13#2", "compute-quotas.13#3", "compute-quotas.13#6", "compute-quotas.13#7"),
        *("compute-quotas.14#2", "compute-quotas.15", "compute-quotas.16#2", "compute-quotas.16#4"),
    ),
    instead_of=Evaluator.in_scope,
)
def looks_at_no_scope(original: Original, self: Evaluator, spec: Object, obj: Object) -> bool:
    return True


@miniature(
    "No Pod is of any scope.",
    caught_by=(
        *("compute-quotas.13#1", "compute-quotas.13#4", "compute-quotas.13#5", "compute-quotas.13#8"),
        *("compute-quotas.14#1", "compute-quotas.15", "compute-quotas.16#1", "compute-quotas.16#3"),
    ),
    instead_of=PodEvaluator.matches,
)
def matches_no_scope(original: Original, self: Evaluator, *args: Any) -> bool:
    return False


@miniature("One of several scopes is enough.", caught_by="compute-quotas.15", instead_of=Evaluator.in_scope)
def takes_any_scope(original: Original, self: Evaluator, spec: Object, obj: Object) -> bool:
    scopes = scopes_of(spec)
    return not scopes or any(self.matches(*scope, obj) for scope in scopes)


@miniature(
    "notin is treated as in.",
    caught_by=("compute-quotas.16#3", "compute-quotas.16#4"),
    instead_of=usage.chosen,
)
def takes_notin_for_in_of_classes(original: Original, operator: str, values: Collection[str], name: str | None) -> Any:
    return original("In" if operator == "NotIn" else operator, values, name)


@miniature(
    "A class is one, whether it must exist or must not.",
    caught_by="compute-quotas.16#6",
    instead_of=usage.chosen,
)
def takes_absence_for_presence(original: Original, operator: str, values: Collection[str], name: str | None) -> Any:
    return original("Exists" if operator == "DoesNotExist" else operator, values, name)
