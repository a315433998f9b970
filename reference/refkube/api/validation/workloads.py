"""Validation of the kinds that make Pods: replication controllers, apps/v1, batch/v1; and of Scale.

Facts: kubernetes/pkg/apis/core/validation, pkg/apis/apps/validation, pkg/apis/batch/validation; that selectors are
immutable is in pkg/registry/apps/*/strategy.go. A Job is validated after the registry has generated its selector. Left
out: limits of size of a Job's policies, the finer consistency of its status (indexes, success criteria).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from zoneinfo import ZoneInfo, available_timezones

from refkube.api.validation.common import (
    NOTHING,
    Errors,
    domain_prefixed_path,
    each,
    int_or_percent,
    non_negatives,
    one_of,
    percentage,
    rules,
    same,
    spec_of,
    status_of,
    unchanged,
)
from refkube.api.validation.objectmeta import Rules, name_is_dns_label, validate_annotations, validate_labels
from refkube.api.validation.pod import validate_pod_template_spec
from refkube.api.validation.volumes import validate_claim_spec
from refkube.apimachinery import names
from refkube.apimachinery.errors import (
    FieldError,
    field_forbidden,
    invalid,
    not_supported,
    required,
    too_long,
)
from refkube.apimachinery.meta import Object, condition_is_true, labels_of, metadata_of, name_of, uid_of
from refkube.apimachinery.selectors import from_label_selector, from_map, validate_label_selector

_MISMATCH = "`selector` does not match template `labels`"
_MANY = 100_000


def _replication_controller(controller: Object) -> Errors:
    spec = spec_of(controller)
    yield from non_negatives(spec, "spec", "minReadySeconds", "replicas")
    if not spec.get("selector"):
        yield required("spec.selector")
    template = spec.get("template")
    if template is None:
        yield required("spec.template")
    else:
        if not from_map(spec.get("selector") or {}).matches(labels_of(template)):
            yield invalid("spec.template.metadata.labels", labels_of(template), _MISMATCH)
        yield from _lasting_pods(template, "ReplicationController")


def _replica_set(replica_set: Object) -> Errors:
    spec = spec_of(replica_set)
    yield from non_negatives(spec, "spec", "replicas", "minReadySeconds")
    # Upstream says "deployment" for ReplicaSets, too.
    yield from _selector(spec, "deployment")
    yield from _lasting_pods(spec.get("template") or {}, "ReplicaSet")


def _deployment(deployment: Object) -> Errors:
    spec = spec_of(deployment)
    yield from non_negatives(spec, "spec", "replicas")
    yield from _selector(spec, "deployment")
    yield from _lasting_pods(spec.get("template") or {}, "ReplicaSet")
    strategy, path = spec.get("strategy") or {}, "spec.strategy"
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if kind == "Recreate":
        if rolling is not None:
            why = "may not be specified when strategy `type` is 'Recreate'"
            yield field_forbidden(f"{path}.rollingUpdate", why)
    elif kind == "RollingUpdate":
        yield from _rolling(rolling or {}, f"{path}.rollingUpdate")
    else:
        yield not_supported(path, strategy, ("Recreate", "RollingUpdate"))
    yield from non_negatives(spec, "spec", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds")
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None and deadline <= spec.get("minReadySeconds", 0):
        yield invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")


def _rolling(rolling: Object, path: str) -> Errors:
    unavailable = rolling.get("maxUnavailable")
    yield from int_or_percent(rolling, "maxUnavailable", path)
    yield from int_or_percent(rolling, "maxSurge", path, at_most_100=False)
    if not percentage(unavailable) and not percentage(rolling.get("maxSurge")):
        yield invalid(f"{path}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0")


def _daemon_set(daemon_set: Object) -> Errors:
    spec = spec_of(daemon_set)
    yield from _selector(spec, "daemonset")
    yield from _lasting_pods(spec.get("template") or {}, "DaemonSet")
    yield from non_negatives(spec, "spec", "minReadySeconds")
    strategy, path = spec.get("updateStrategy") or {}, "spec.updateStrategy"
    rolling: Object | None = strategy.get("rollingUpdate")
    if strategy.get("type") not in ("RollingUpdate", "OnDelete"):
        yield not_supported(path, strategy, ("RollingUpdate", "OnDelete"))
    elif strategy["type"] == "RollingUpdate" and rolling is None:
        yield required(f"{path}.rollingUpdate")
    elif strategy["type"] == "RollingUpdate" and rolling is not None:
        path = f"{path}.rollingUpdate"
        yield from int_or_percent(rolling, "maxUnavailable", path)
        yield from int_or_percent(rolling, "maxSurge", path)
        surge, unavailable = percentage(rolling.get("maxSurge")), percentage(rolling.get("maxUnavailable"))
        if surge and unavailable:
            yield invalid(f"{path}.maxSurge", rolling["maxSurge"], "may not be set when maxUnavailable is non-zero")
        elif not surge and not unavailable:
            yield required(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0")
    yield from non_negatives(spec, "spec", "revisionHistoryLimit")


def _stateful_set(stateful_set: Object) -> Errors:
    spec = spec_of(stateful_set)
    policy = spec.get("podManagementPolicy")
    if not policy:
        yield required("spec.podManagementPolicy")
    elif policy not in ("OrderedReady", "Parallel"):
        yield invalid("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'")
    strategy, path = spec.get("updateStrategy") or {}, "spec.updateStrategy"
    rolling = strategy.get("rollingUpdate")
    if not strategy.get("type"):
        yield required(path)
    elif strategy["type"] not in ("OnDelete", "RollingUpdate"):
        yield invalid(path, strategy, "must be 'RollingUpdate' or 'OnDelete'")
    elif rolling is not None and strategy["type"] == "OnDelete":
        yield invalid(f"{path}.rollingUpdate", rolling, "only allowed for updateStrategy 'RollingUpdate'")
    elif rolling is not None:
        yield from non_negatives(rolling, f"{path}.rollingUpdate", "partition")
        yield from int_or_percent(rolling, "maxUnavailable", f"{path}.rollingUpdate")
        if "maxUnavailable" in rolling and not percentage(rolling["maxUnavailable"]):
            yield invalid(f"{path}.rollingUpdate.maxUnavailable", rolling["maxUnavailable"], "cannot be 0")
    retention = spec.get("persistentVolumeClaimRetentionPolicy") or NOTHING
    for key in retention:
        where = "spec.persistentVolumeClaimRetentionPolicy."
        yield from one_of(retention, key, where, ("Retain", "Delete"))
    yield from non_negatives(spec, "spec", "replicas", "minReadySeconds", "revisionHistoryLimit")
    yield from non_negatives(spec.get("ordinals") or NOTHING, "spec.ordinals", "start")
    if spec.get("serviceName"):
        yield from each(spec["serviceName"], "spec.serviceName", names.is_dns1123_subdomain)
    yield from _selector(spec, "statefulset")
    claims = spec.get("volumeClaimTemplates") or ()
    yield from _lasting_pods(_with_claims(spec.get("template") or {}, claims), "StatefulSet")
    for index, claim in enumerate(claims):
        path = f"spec.volumeClaimTemplates[{index}]"
        yield from validate_labels(labels_of(claim), f"{path}.metadata.labels")
        yield from validate_annotations(metadata_of(claim).get("annotations") or {}, f"{path}.metadata.annotations")
        yield from validate_claim_spec(spec_of(claim), f"{path}.spec")


def _with_claims(template: Object, claims: Collection[Object]) -> Object:
    """The template with the volumes that each of its Pods gets, for its mounts to refer to."""
    if not claims:
        return template
    made = {name_of(claim): {"name": name_of(claim), "persistentVolumeClaim": {"claimName": "c"}} for claim in claims}
    given = [volume for volume in spec_of(template).get("volumes") or () if volume.get("name") not in made]
    return {**template, "spec": {**spec_of(template), "volumes": [*given, *made.values()]}}


_STATEFUL_CHANGEABLE = (
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
)  # fmt: skip


def _stateful_set_update(new: Object, old: Object) -> Errors:
    before, now = ({**spec_of(each), **dict.fromkeys(_STATEFUL_CHANGEABLE)} for each in (old, new))
    if not same(now, before):
        *most, last = (f"'{key}'" for key in _STATEFUL_CHANGEABLE)
        why = f"updates to statefulset spec for fields other than {', '.join(most)} and {last} are forbidden"
        yield field_forbidden("spec", why)


def _selector(spec: Object, kind: str, path: str = "spec") -> Errors:
    """A label selector that must not be empty and must match the template's labels; none at all matches nothing."""
    selector, labels = spec.get("selector"), labels_of(spec.get("template") or {})
    if selector is None and kind != "daemonset":
        yield required(f"{path}.selector")
    faults = [] if selector is None else validate_label_selector(selector, f"{path}.selector")
    yield from faults
    if selector is not None and not selector.get("matchLabels") and not selector.get("matchExpressions"):
        yield invalid(f"{path}.selector", selector, f"empty selector is invalid for {kind}")
    if not faults and not from_label_selector(selector).matches(labels):
        yield invalid(f"{path}.template.metadata.labels", labels, _MISMATCH)


def _lasting_pods(template: Object, kind: str) -> Errors:
    """A template of Pods that are not meant to end."""
    yield from validate_pod_template_spec(template, "spec.template")
    spec = spec_of(template)
    if spec.get("restartPolicy") != "Always":
        yield not_supported("spec.template.spec.restartPolicy", spec.get("restartPolicy", ""), ("Always",))
    if spec.get("activeDeadlineSeconds") is not None:
        why = f"activeDeadlineSeconds in {kind} is not Supported"
        yield field_forbidden("spec.template.spec.activeDeadlineSeconds", why)


def _same_selector(new: Object, old: Object) -> Errors:
    yield from unchanged(spec_of(new), spec_of(old), "spec.", "selector")


def _counts(*keys: str, most: tuple[str, ...] = (), ready: str = "readyReplicas") -> Callable[[Object, Object], Errors]:
    """A status of numbers: none below zero, those of `most` at most the replicas, what is available at most ready."""

    def check(new: Object, old: Object) -> Errors:
        status, before = status_of(new), status_of(old)
        yield from non_negatives(status, "status", *keys, "observedGeneration", "collisionCount")
        for key in most:
            if status.get(key, 0) > status.get("replicas", 0):
                yield invalid(f"status.{key}", status.get(key, 0), "cannot be greater than status.replicas")
        available = status.get("availableReplicas", 0)
        if "availableReplicas" in most and available > status.get("readyReplicas", 0):
            yield invalid("status.availableReplicas", available, f"cannot be greater than {ready}")
        collisions = status.get("collisionCount")
        if before.get("collisionCount") is not None and (collisions or 0) < before["collisionCount"]:
            yield invalid("status.collisionCount", collisions or 0, "cannot be decremented")

    return check


_REPLICAS = ("replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas")


def _job(job: Object) -> Errors:
    spec = spec_of(job)
    if not spec.get("manualSelector") and spec.get("selector") is not None:
        yield from _generated_selector(job, spec)
    yield from _job_spec(spec, "spec")
    completions, name = spec.get("completions"), name_of(job)
    if spec.get("completionMode") == "Indexed" and completions:
        last = f"{name}-{completions - 1}"
        if names.is_dns1123_label(last):
            yield invalid("metadata.name", name, f"will not able to create pod with invalid DNS label: {last}")


def _generated_selector(job: Object, spec: Object) -> Errors:
    template = spec.get("template") or {}
    uid, name = uid_of(job), name_of(job)
    if not uid:
        yield required("metadata.uid")
    expected = {"controller-uid": uid, "job-name": name}
    expected |= {f"batch.kubernetes.io/{key}": value for key, value in expected.items()}
    for key, value in expected.items():
        path = f"spec.template.metadata.labels[{key}]"
        if key not in labels_of(template):
            yield required(path, f"must be '{value}'")
        elif labels_of(template)[key] != value:
            yield invalid(path, labels_of(template), f"must be '{value}'")
    selector = spec["selector"]
    if not validate_label_selector(selector, "") and not from_label_selector(selector).matches(expected):
        yield invalid("spec.selector", selector, "`selector` not auto-generated")


def _job_spec(spec: Object, path: str, template_only: bool = False) -> Errors:
    counts = ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished")
    yield from non_negatives(spec, path, *counts, "backoffLimitPerIndex", "maxFailedIndexes")
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        yield required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified")
    manager = spec.get("managedBy")
    if manager is not None:
        yield from domain_prefixed_path(manager, f"{path}.managedBy")
        if len(manager) > 63:
            yield too_long(f"{path}.managedBy", 63)
    yield from one_of(spec, "completionMode", f"{path}.", ("NonIndexed", "Indexed"))
    success = spec.get("successPolicy")
    if spec.get("completionMode") == "Indexed":
        yield from _indexed(spec, path)
        if success is not None:
            yield from _success_policy(success, spec.get("completions"), f"{path}.successPolicy.rules")
    else:
        for key in ("backoffLimitPerIndex", "maxFailedIndexes", "successPolicy"):
            if spec.get(key) is not None:
                yield invalid(f"{path}.{key}", spec[key], "requires indexed completion mode")
    failure = spec.get("podFailurePolicy")
    if failure is not None:
        yield from _failure_policy(failure, spec, f"{path}.podFailurePolicy.rules")
    replacements = ("Failed",) if failure is not None else ("Failed", "TerminatingOrFailed")
    yield from one_of(spec, "podReplacementPolicy", f"{path}.", replacements)
    template = spec.get("template") or {}
    yield from validate_pod_template_spec(template, f"{path}.template")
    restart, where = spec_of(template).get("restartPolicy"), f"{path}.template.spec.restartPolicy"
    if restart in (None, "", "Always"):
        yield required(where, 'valid values: "OnFailure", "Never"')
    elif restart not in ("OnFailure", "Never"):
        yield not_supported(where, restart, ("OnFailure", "Never"))
    elif failure is not None and restart != "Never":
        yield invalid(where, restart, 'only "Never" is supported when podFailurePolicy is specified')
    if template_only:
        return
    if spec.get("selector") is None:
        yield required(f"{path}.selector")
    else:
        faults = validate_label_selector(spec["selector"], f"{path}.selector")
        yield from faults
        if not faults and not from_label_selector(spec["selector"]).matches(labels_of(template)):
            yield invalid(f"{path}.template.metadata.labels", labels_of(template), _MISMATCH)


def _indexed(spec: Object, path: str) -> Errors:
    completions, parallelism, failed = (spec.get(key) for key in ("completions", "parallelism", "maxFailedIndexes"))
    if completions is None:
        yield required(f"{path}.completions", "when completion mode is Indexed")
    if parallelism is not None and parallelism > _MANY:
        why = f"must be less than or equal to {_MANY} when completion mode is Indexed"
        yield invalid(f"{path}.parallelism", parallelism, why)
    if failed is not None and completions is not None and failed > completions:
        yield invalid(f"{path}.maxFailedIndexes", failed, "must be less than or equal to completions")


def _success_policy(policy: Object, completions: int | None, path: str) -> Errors:
    if not policy.get("rules"):
        yield required(path, "at least one rules must be specified when the successPolicy is specified")
    for index, rule in enumerate(policy.get("rules") or ()):
        count = rule.get("succeededCount")
        if count is None and rule.get("succeededIndexes") is None:
            yield required(f"{path}[{index}]", "at least one of succeededCount or succeededIndexes must be specified")
        if count is not None and completions is not None and count > completions:
            why = f"must be less than or equal to {completions} (the number of specified completions)"
            yield invalid(f"{path}[{index}].succeededCount", count, why)


def _failure_policy(policy: Object, spec: Object, path: str) -> Errors:
    for index, rule in enumerate(policy.get("rules") or ()):
        here, action = f"{path}[{index}]", rule.get("action")
        if not action:
            yield required(f"{here}.action", 'valid values: ["Count" "FailIndex" "FailJob" "Ignore"]')
        elif action == "FailIndex" and spec.get("backoffLimitPerIndex") is None:
            yield invalid(f"{here}.action", action, "requires the backoffLimitPerIndex to be set")
        yield from one_of(rule, "action", f"{here}.", ("Count", "FailIndex", "FailJob", "Ignore"))
        codes, conditions = rule.get("onExitCodes"), rule.get("onPodConditions")
        if (codes is None) == (not conditions):
            wrong = "one of OnExitCodes and OnPodConditions is required"
            if codes is not None:
                wrong = "both OnExitCodes and OnPodConditions is not supported"
            yield _no_value(here, f"specifying {wrong}")
        if codes is not None:
            values = codes.get("values") or []
            yield from one_of(codes, "operator", f"{here}.onExitCodes.", ("In", "NotIn"), must=True)
            if not values:
                yield invalid(f"{here}.onExitCodes.values", values, "at least one value is required")
            elif values != sorted(set(values)):
                yield invalid(f"{here}.onExitCodes.values", values, "must be ordered")
            if codes.get("operator") == "In" and 0 in values:
                where = f"{here}.onExitCodes.values[{values.index(0)}]"
                yield invalid(where, 0, "must not be 0 for the In operator")


def _no_value(path: str, why: str) -> FieldError:
    return FieldError("FieldValueInvalid", path, f"Invalid value: {why}")


def _job_update(new_job: Object, old_job: Object) -> Errors:
    new, old = spec_of(new_job), spec_of(old_job)
    completions = new.get("completions")
    if completions != old.get("completions") and new.get("completionMode") == "Indexed":
        if completions is None:
            yield required("spec.completions", "cannot set to nil")
        elif completions != new.get("parallelism"):
            yield invalid("spec.completions", completions, "can only be modified in tandem with spec.parallelism")
    else:
        yield from unchanged(new, old, "spec.", "completions")
    now, before = ({"template": each.get("template") or {}} for each in (new, old))
    if old.get("suspend") and not status_of(old_job).get("startTime"):
        now, before = ({"template": _without_placement(each["template"])} for each in (now, before))
    if not same(now, before):
        yield from unchanged(new, old, "spec.", "template")
    fixed = ("selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy")
    yield from unchanged(new, old, "spec.", *fixed)


def _without_placement(template: Object) -> Object:
    """What of a template stays fixed while a Job is suspended and has not started."""
    meta = {key: value for key, value in metadata_of(template).items() if key not in ("labels", "annotations")}
    spec = dict(spec_of(template))
    affinity = spec.pop("affinity", None) or {}
    spec["affinity"] = {key: value for key, value in affinity.items() if key != "nodeAffinity"}
    for key in ("nodeSelector", "tolerations", "schedulingGates"):
        spec.pop(key, None)
    return {"metadata": meta, "spec": spec}


def _job_status(new: Object, old: Object) -> Errors:
    status, before = status_of(new), status_of(old)
    yield from non_negatives(status, "status", "active", "succeeded", "failed", "ready", "terminating")
    if status.get("ready") is not None and status["ready"] > status.get("active", 0):
        yield invalid("status.ready", status["ready"], "cannot set more ready pods than active")
    complete, failed = (condition_is_true(new, kind) for kind in ("Complete", "Failed"))
    if complete and failed:
        yield _no_value("status.conditions", "cannot set Complete=True and Failed=true conditions")
    if (complete or failed) and status.get("active"):
        yield invalid("status.active", status["active"], "active>0 is invalid for finished job")
    if (complete or failed) and not status.get("startTime"):
        yield required("status.startTime", "startTime is required for finished job")
    if complete and not status.get("completionTime"):
        yield required("status.completionTime", "completionTime is required for Complete jobs")
    elif status.get("completionTime") and not complete:
        why = "cannot set completionTime when there is no Complete=True condition"
        yield invalid("status.completionTime", status["completionTime"], why)
    for kind in ("Failed", "Complete", "FailureTarget"):
        if condition_is_true(old, kind) and not condition_is_true(new, kind):
            yield _no_value("status.conditions", f"cannot disable the terminal {kind}=True condition")
    for key in ("failed", "succeeded"):
        if status.get(key, 0) < before.get(key, 0):
            yield invalid(f"status.{key}", status.get(key, 0), f"cannot decrease the {key} counter")


def _cron_job(cron_job: Object) -> Errors:
    spec = spec_of(cron_job)
    schedule, zone = spec.get("schedule"), spec.get("timeZone")
    if not schedule:
        yield required("spec.schedule")
    else:
        fault = schedule_fault(schedule)
        if fault:
            yield invalid("spec.schedule", schedule, fault)
        if "TZ" in schedule:
            why = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
            yield invalid("spec.schedule", schedule, why)
    yield from non_negatives(spec, "spec", "startingDeadlineSeconds")
    if zone == "":
        yield invalid("spec.timeZone", zone, "timeZone must be nil or non-empty string")
    elif zone is not None and zone.lower() == "local":
        why = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        yield invalid("spec.timeZone", zone, why)
    elif zone is not None and not _is_zone(zone):
        yield invalid("spec.timeZone", zone, f"unknown time zone {zone}")
    yield from one_of(spec, "concurrencyPolicy", "spec.", ("Allow", "Forbid", "Replace"), must=True)
    job, path = spec_of(spec.get("jobTemplate") or {}), "spec.jobTemplate.spec"
    yield from _job_spec(job, path, template_only=True)
    if job.get("selector") is not None:
        yield invalid(f"{path}.selector", job["selector"], "`selector` will be auto-generated")
    if job.get("manualSelector"):
        yield not_supported(f"{path}.manualSelector", True, ("nil", "false"))
    yield from non_negatives(spec, "spec", "successfulJobsHistoryLimit", "failedJobsHistoryLimit")


def _is_zone(zone: str) -> bool:
    try:
        ZoneInfo(zone)
    except (ValueError, OSError, KeyError):
        # Without a time zone database on this host nothing can be said.
        return not available_timezones()
    return True


_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_CRON_FIELDS: tuple[tuple[int, int, list[str]], ...] = (
    *((0, 59, []), (0, 23, []), (1, 31, [])),
    *((1, 12, _MONTHS), (0, 6, _DAYS)),
)
_CRON_RANGE = re.compile(r"([*?]|\w+(?:-\w+)?)(?:/(\d+))?", re.ASCII)
_DESCRIPTOR = re.compile(r"@(yearly|annually|monthly|weekly|daily|midnight|hourly|every ([\d.]+(ns|us|µs|ms|s|m|h))+)")


def schedule_fault(schedule: str) -> str:
    """Why this is no standard cron expression, or "" (github.com/robfig/cron/v3, ParseStandard)."""
    if schedule.startswith(("TZ=", "CRON_TZ=")):
        schedule = schedule.partition(" ")[2].strip()
    if schedule.startswith("@"):
        return "" if _DESCRIPTOR.fullmatch(schedule) else f"unrecognized descriptor: {schedule}"
    fields = schedule.split()
    if len(fields) != 5:
        return f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]"
    parts = ((part, *limits) for field, limits in zip(fields, _CRON_FIELDS, strict=True) for part in field.split(","))
    return next((fault for part in parts if (fault := _range_fault(*part))), "")


def _range_fault(text: str, low: int, high: int, words: list[str]) -> str:
    found = _CRON_RANGE.fullmatch(text)
    if not found:
        return f"failed to parse int from {text}"
    span, step = found.groups()
    if step is not None and int(step) == 0:
        return f"step of range should be a positive number: {text}"
    bounds = [low, high]
    if span not in "*?":
        named = [str(words.index(end.lower()) + low) if end.lower() in words else end for end in span.split("-")]
        wrong = [end for end in named if not end.isdigit()]
        if wrong:
            return f"failed to parse int from {wrong[0]}"
        bounds = [int(end) for end in named]
    if bounds[0] < low:
        return f"beginning of range ({bounds[0]}) below minimum ({low}): {text}"
    if bounds[-1] > high:
        return f"end of range ({bounds[-1]}) above maximum ({high}): {text}"
    if bounds[0] > bounds[-1]:
        return f"beginning of range ({bounds[0]}) beyond end of range ({bounds[-1]}): {text}"
    return ""


def _cron_job_rules() -> Rules:
    base = rules(_cron_job)

    def create(cron_job: Object) -> list[FieldError]:
        errors, name = base.create(cron_job), name_of(cron_job)
        # A Job's name adds 11 characters; older CronJobs keep their names.
        return errors + (
            [invalid("metadata.name", name, "must be no more than 52 characters")] if len(name) > 52 else []
        )

    return base._replace(create=create)


def _controller_revision(revision: Object) -> Errors:
    if revision.get("data") is None:
        yield required("data", "data is mandatory")
    if revision.get("revision", 0) < 0:
        yield invalid("revision", revision["revision"], "must be greater than or equal to 0")


def _scale(scale: Object) -> Errors:
    yield from non_negatives(spec_of(scale), "spec", "replicas")


RULES: dict[tuple[str, str], Rules] = {
    ("", "ReplicationController"): rules(
        _replication_controller, None, _counts(*_REPLICAS, most=_REPLICAS[1:], ready="readyReplicas")
    ),
    ("apps", "ReplicaSet"): rules(_replica_set, _same_selector, _counts(*_REPLICAS, most=_REPLICAS[1:])),
    ("apps", "Deployment"): rules(
        _deployment,
        _same_selector,
        _counts(
            *("replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas"),
            most=("updatedReplicas", "readyReplicas", "availableReplicas"),
        ),
    ),
    ("apps", "DaemonSet"): rules(
        _daemon_set,
        _same_selector,
        _counts(
            *("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady"),
            *("updatedNumberScheduled", "numberAvailable", "numberUnavailable"),
        ),
    ),
    ("apps", "StatefulSet"): rules(
        _stateful_set,
        _stateful_set_update,
        _counts(
            *("replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"),
            most=("readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"),
            ready="status.readyReplicas",
        ),
        name=name_is_dns_label,
    ),
    ("apps", "ControllerRevision"): rules(_controller_revision, lambda new, old: unchanged(new, old, "", "data")),
    ("autoscaling", "Scale"): rules(_scale),
    ("batch", "Job"): rules(_job, _job_update, _job_status),
    ("batch", "CronJob"): _cron_job_rules(),
}
