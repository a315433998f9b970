"""Validation of the kinds that make Pods: replication controllers, apps/v1, batch/v1; and of Scale.

Facts: kubernetes/pkg/apis/core/validation, pkg/apis/apps/validation, pkg/apis/batch/validation; that selectors are
immutable is in pkg/registry/apps/*/strategy.go. A Job is validated after the registry has generated its selector. Left
out: limits of size of a Job's policies, the finer consistency of its status (indexes, success criteria).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from zoneinfo import ZoneInfo, available_timezones

from refkube.api.validation import common, objectmeta, volumes
from refkube.api.validation.common import SELECTOR
from refkube.api.validation.objectmeta import validate_annotations, validate_labels
from refkube.api.validation.pod import pod_template
from refkube.api.validation.rules import Errors, below, first_told, rules, same, spec_of, status_of, tables, text, told
from refkube.apimachinery import names
from refkube.apimachinery.errors import FieldError, field_forbidden, invalid, required
from refkube.apimachinery.meta import Object, annotations_of, condition_is_true, labels_of, name_of, uid_of
from refkube.apimachinery.selectors import from_label_selector, from_map

_MISMATCH = "`selector` does not match template `labels`"
_PLACING = ("affinity", "nodeSelector", "tolerations", "schedulingGates")
_STATEFUL_CHANGEABLE = (
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
)  # fmt: skip


# Selectors and templates


def matches(selector: Object | None, template: Object | None) -> bool:
    """Does a selector match a template's labels? One that is wrong itself is not asked."""
    return bool(selector is not None and SELECTOR(selector)) or from_label_selector(selector).matches(
        labels_of(template or {})
    )


def is_empty(selector: Object) -> bool:
    return not selector.get("matchLabels") and not selector.get("matchExpressions")


def misses(selector: Object | None, template: Object) -> bool:
    """The same for a plain map of labels."""
    return not from_map(selector or {}).matches(labels_of(template))


def _stateful_template(template: Object, spec: Object, *_: object) -> Errors:
    """The template with the volumes that each of its Pods gets, for its mounts to refer to."""
    claims: Collection[Object] = spec.get("volumeClaimTemplates") or ()
    made = {name_of(claim): {"name": name_of(claim), "persistentVolumeClaim": {"claimName": "c"}} for claim in claims}
    given = [volume for volume in spec_of(template).get("volumes") or () if volume.get("name") not in made]
    with_claims = {**template, "spec": {**spec_of(template), "volumes": [*given, *made.values()]}}
    yield from pod_template(with_claims if claims else template)
    yield from below(".labels", validate_labels(labels_of(template)))
    yield from below(".annotations", validate_annotations(annotations_of(template)))


def _stateful_update(new: Object, old: Object, *_: object) -> Errors:
    before, now = ({**spec_of(each), **dict.fromkeys(_STATEFUL_CHANGEABLE)} for each in (old, new))
    if not same(now, before):
        *most, last = (f"'{key}'" for key in _STATEFUL_CHANGEABLE)
        why = f"updates to statefulset spec for fields other than {', '.join(most)} and {last} are forbidden"
        yield field_forbidden("spec", why)


# Jobs


def _generated_selector(job: Object, *_: object) -> Errors:
    """The one that the registry has generated, if it is not the user's."""
    spec = spec_of(job)
    if spec.get("manualSelector") or spec.get("selector") is None:
        return
    uid, labels, selector = uid_of(job), labels_of(spec.get("template") or {}), spec["selector"]
    if not uid:
        yield required("metadata.uid")
    expected = {"controller-uid": uid, "job-name": name_of(job)}
    expected |= {f"batch.kubernetes.io/{key}": value for key, value in expected.items()}
    for key, value in expected.items():
        path = f"spec.template.metadata.labels[{key}]"
        yield from first_told(
            (key not in labels, required, path, f"must be '{value}'"),
            (labels.get(key) != value, invalid, path, labels, f"must be '{value}'"),
        )
    if not SELECTOR(selector) and not from_label_selector(selector).matches(expected):
        yield invalid("spec.selector", selector, "`selector` not auto-generated")


def _last_pod(job: Object, *_: object) -> Errors:
    completions, name = spec_of(job).get("completions"), name_of(job)
    if spec_of(job).get("completionMode") == "Indexed" and completions:
        last = f"{name}-{completions - 1}"
        if names.is_dns1123_label(last):
            yield invalid("metadata.name", name, f"will not able to create pod with invalid DNS label: {last}")


def values_out_of_order(values: list[int]) -> bool:
    return values != sorted(set(values))


def _first_zero(codes: Object, *_: object) -> list[FieldError]:
    values = codes.get("values") or []
    zero = codes.get("operator") == "In" and 0 in values
    where = f".values[{values.index(0) if zero else ''}]"
    return told((zero, invalid, where, 0, "must not be 0 for the In operator"))


def _one_requirement(rule: Object, *_: object) -> Errors:
    codes, conditions = rule.get("onExitCodes"), rule.get("onPodConditions")
    if (codes is None) == (not conditions):
        neither = "one of OnExitCodes and OnPodConditions is required"
        both = "both OnExitCodes and OnPodConditions is not supported"
        yield _no_value("", f"specifying {neither if codes is None else both}")


def _no_value(path: str, why: str) -> FieldError:
    return FieldError("FieldValueInvalid", path, f"Invalid value: {why}")


def can_be_fitted(job: Object) -> bool:
    """Where its Pods go and what they get may change as long as a Job is suspended and none of them is left."""
    status = status_of(job)
    idle = not status.get("startTime") or condition_is_true(job, "Suspended")
    return bool(spec_of(job).get("suspend")) and idle and not status.get("active")


def unfitted(spec: Object | None) -> Object:
    """What stays fixed of the Pods' spec even then."""
    kept = {key: value for key, value in (spec or {}).items() if key not in _PLACING}
    affinity = (spec or {}).get("affinity") or {}
    kept["affinity"] = {key: value for key, value in affinity.items() if key != "nodeAffinity"}
    for key in ("containers", "initContainers"):
        kept[key] = [{**container, "resources": None} for container in kept.get(key) or ()]
    return kept


def _conditions(new: Object, old: Object, *_: object) -> Errors:
    for kind in ("Failed", "Complete", "FailureTarget"):
        if condition_is_true(old, kind) and not condition_is_true(new, kind):
            yield _no_value("status.conditions", f"cannot disable the terminal {kind}=True condition")


def _not_both(new: Object, *_: object) -> Errors:
    if is_complete(new) and condition_is_true(new, "Failed"):
        yield _no_value("status.conditions", "cannot set Complete=True and Failed=true conditions")


def is_complete(job: Object) -> bool:
    return condition_is_true(job, "Complete")


def is_finished(job: Object) -> bool:
    return is_complete(job) or condition_is_true(job, "Failed")


# CronJobs


def is_zone(zone: str) -> bool:
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


SCHEDULE = text(lambda schedule: [fault] if (fault := schedule_fault(schedule)) else [])
TABLES = tables(r"""
Selector
  selector              given SELECTOR
  template.metadata.labels  always invalid labels_of(template or {}) if not matches(selector, template) \
                        -- `selector` does not match template `labels`

/ReplicationController
  spec                  default NOTHING
    minReadySeconds, replicas  >= 0
    selector            required
    template            present
    template.metadata.labels  always invalid labels_of(template) if template? and misses(selector, template) \
                        -- `selector` does not match template `labels`
    template            given pod_template
    template.spec.restartPolicy  default "" in Always if template?
    template.spec.activeDeadlineSeconds  given forbidden \
                        -- activeDeadlineSeconds in ReplicationController is not Supported

apps/ReplicaSet
  spec                  default NOTHING
    replicas, minReadySeconds  >= 0
    selector            present
    .                   Selector
    selector            given invalid if is_empty(v) -- empty selector is invalid for deployment
    selector            given invalid if SELECTOR(v) -- invalid label selector
    template            default NOTHING pod_template if not SELECTOR(selector)
    template.spec.restartPolicy  default "" in Always if not SELECTOR(selector)
    template.spec.activeDeadlineSeconds  given forbidden if not SELECTOR(selector) \
                        -- activeDeadlineSeconds in ReplicaSet is not Supported
/ReplicationController status, apps/ReplicaSet status
  status                default NOTHING
    replicas, fullyLabeledReplicas, readyReplicas, availableReplicas, observedGeneration  >= 0
    fullyLabeledReplicas, readyReplicas, availableReplicas  always invalid (v or 0) if (v or 0) > (replicas or 0) \
                        -- cannot be greater than status.replicas
    availableReplicas   always invalid (v or 0) if (v or 0) > (readyReplicas or 0) \
                        -- cannot be greater than readyReplicas

apps/Deployment
  spec                  default NOTHING
    replicas            >= 0
    selector            present
    .                   Selector
    selector            given invalid if is_empty(v) -- empty selector is invalid for deployment
    selector            given invalid if SELECTOR(v) -- invalid label selector
    template            default NOTHING pod_template if not SELECTOR(selector)
    template.spec.restartPolicy  default "" in Always if not SELECTOR(selector)
    template.spec.activeDeadlineSeconds  given forbidden if not SELECTOR(selector) \
                        -- activeDeadlineSeconds in ReplicaSet is not Supported
    strategy            default NOTHING
      rollingUpdate     given forbidden if type == "Recreate" -- may not be specified when strategy `type` is 'Recreate'
      rollingUpdate     default NOTHING if type == "RollingUpdate"
        maxUnavailable  given INT_OR_PERCENT
        maxSurge        given INT_OR_ANY_PERCENT
        maxUnavailable  always invalid if not percentage(v) and not percentage(maxSurge) \
                        -- may not be 0 when `maxSurge` is 0
      .                 unsupported Recreate RollingUpdate if type not in ("Recreate", "RollingUpdate")
    minReadySeconds, revisionHistoryLimit, progressDeadlineSeconds  >= 0
    progressDeadlineSeconds  given invalid if v <= (minReadySeconds or 0) -- must be greater than minReadySeconds
apps/Deployment status
  status                default NOTHING
    replicas, updatedReplicas, readyReplicas, availableReplicas, unavailableReplicas  >= 0
    observedGeneration, collisionCount  >= 0
    updatedReplicas, readyReplicas, availableReplicas  always invalid (v or 0) if (v or 0) > (replicas or 0) \
                        -- cannot be greater than status.replicas
    availableReplicas   always invalid (v or 0) if (v or 0) > (readyReplicas or 0) \
                        -- cannot be greater than readyReplicas
    collisionCount      always invalid (v or 0) if w and (v or 0) < w -- cannot be decremented

apps/DaemonSet
  spec                  default NOTHING
    .                   Selector
    selector            given invalid if is_empty(v) -- empty selector is invalid for daemonset
    template            default NOTHING pod_template
    template.spec.restartPolicy  default "" in Always
    template.spec.activeDeadlineSeconds  given forbidden -- activeDeadlineSeconds in DaemonSet is not Supported
    minReadySeconds     >= 0
    updateStrategy      default NOTHING
      .                 unsupported RollingUpdate OnDelete if type not in ("RollingUpdate", "OnDelete")
      rollingUpdate     present if type == "RollingUpdate"
      rollingUpdate     given if type == "RollingUpdate"
        maxUnavailable, maxSurge  given INT_OR_PERCENT
        maxSurge        invalid if percentage(v) and percentage(maxUnavailable) \
                        -- may not be set when maxUnavailable is non-zero
        maxUnavailable  always missing if not percentage(v) and not percentage(maxSurge) \
                        -- cannot be 0 when maxSurge is 0
    revisionHistoryLimit  >= 0
apps/DaemonSet status
  status                default NOTHING
    currentNumberScheduled, numberMisscheduled, desiredNumberScheduled, numberReady  >= 0
    updatedNumberScheduled, numberAvailable, numberUnavailable, observedGeneration, collisionCount  >= 0
    collisionCount      always invalid (v or 0) if w and (v or 0) < w -- cannot be decremented

apps/ReplicaSet update, apps/Deployment update, apps/DaemonSet update
  spec.selector         immutable

apps/StatefulSet
  spec                  default NOTHING
    podManagementPolicy  required
    podManagementPolicy  invalid if v not in ("OrderedReady", "Parallel") -- must be 'OrderedReady' or 'Parallel'
    updateStrategy      default NOTHING
      .                 missing if not type
      else .            invalid if type not in ("OnDelete", "RollingUpdate") -- must be 'RollingUpdate' or 'OnDelete'
      else rollingUpdate  given invalid if type == "OnDelete" -- only allowed for updateStrategy 'RollingUpdate'
      rollingUpdate     given if type == "RollingUpdate"
        partition       >= 0
    persistentVolumeClaimRetentionPolicy
      whenDeleted, whenScaled  in Retain Delete
    replicas, minReadySeconds, ordinals.start  >= 0
    serviceName         LABEL
    selector            present
    .                   Selector
    selector            given invalid if is_empty(v) -- empty selector is invalid for statefulset
    selector            given invalid if SELECTOR(v) -- {""}
    template            default NOTHING stateful_template if not SELECTOR(selector)
    template.spec.restartPolicy  default "" in Always
    template.spec.activeDeadlineSeconds  given forbidden -- activeDeadlineSeconds in StatefulSet is not Supported
    volumeClaimTemplates[]
      metadata.labels   validate_labels
      metadata.annotations  validate_annotations
      spec              default NOTHING ClaimSpec
apps/StatefulSet update
  .                     stateful_update
apps/StatefulSet status
  status                default NOTHING
    replicas, readyReplicas, currentReplicas, updatedReplicas, availableReplicas  >= 0
    observedGeneration, collisionCount  >= 0
    readyReplicas, currentReplicas, updatedReplicas, availableReplicas  always invalid (v or 0) \
                        if (v or 0) > (replicas or 0) \
                        -- cannot be greater than status.replicas
    availableReplicas   always invalid (v or 0) if (v or 0) > (readyReplicas or 0) \
                        -- cannot be greater than status.readyReplicas
    collisionCount      always invalid (v or 0) if w and (v or 0) < w -- cannot be decremented

apps/ControllerRevision
  data                  present -- data is mandatory
  revision              >= 0
apps/ControllerRevision update
  data                  immutable

autoscaling/Scale
  spec.replicas         >= 0

batch/Job
  .                     generated_selector if not spec.manualSelector and spec.selector?
  spec                  default NOTHING
    .                   JobSpec
    selector            present
    selector            given SELECTOR
    template.metadata.labels  always invalid labels_of(template or {}) \
                        if selector? and not matches(selector, template) \
                        -- `selector` does not match template `labels`
  .                     last_pod
batch/Job update
  spec                  default NOTHING
    completions         immutable if completionMode != "Indexed"
    completions         present if completionMode == "Indexed" and v != w -- cannot set to nil
    completions         given invalid if completionMode == "Indexed" and v != w and v != parallelism \
                        -- can only be modified in tandem with spec.parallelism
  spec.template         immutable if not can_be_fitted(old)
  spec.template.spec    immutable if can_be_fitted(old) and not same(unfitted(v), unfitted(w))
  spec                  default NOTHING
    selector, completionMode, podFailurePolicy, backoffLimitPerIndex, managedBy, successPolicy  immutable
batch/Job status
  status                default NOTHING
    active, succeeded, failed, ready, terminating  >= 0
    ready               invalid if v > (active or 0) -- cannot set more ready pods than active
  .                     not_both
  status                default NOTHING
    active              invalid if is_finished(s) -- active>0 is invalid for finished job
    startTime           required if is_finished(s) -- startTime is required for finished job
    completionTime      required if is_complete(s) -- completionTime is required for Complete jobs
    completionTime  invalid if not is_complete(s) -- cannot set completionTime when there is no Complete=True condition
  .                     conditions
  status                default NOTHING
    failed              always invalid (v or 0) if (v or 0) < (w or 0) -- cannot decrease the failed counter
    succeeded           always invalid (v or 0) if (v or 0) < (w or 0) -- cannot decrease the succeeded counter

JobSpec
  parallelism, completions, activeDeadlineSeconds, backoffLimit, ttlSecondsAfterFinished  >= 0
  backoffLimitPerIndex, maxFailedIndexes  >= 0
  backoffLimitPerIndex  present if maxFailedIndexes? -- when maxFailedIndexes is specified
  managedBy             given domain_prefixed_path
  managedBy             given chars 63
  completionMode        in NonIndexed Indexed
  completions           present if completionMode == "Indexed" -- when completion mode is Indexed
  parallelism           invalid if completionMode == "Indexed" and v > 100000 \
                        -- must be less than or equal to 100000 when completion mode is Indexed
  maxFailedIndexes      invalid if completionMode == "Indexed" and completions? and v > completions \
                        -- must be less than or equal to completions
  successPolicy.rules   required if successPolicy? and completionMode == "Indexed" \
                        -- at least one rules must be specified when the successPolicy is specified
  successPolicy.rules[]  given if completionMode == "Indexed"
    .                   missing if not succeededCount? and not succeededIndexes? \
                        -- at least one of succeededCount or succeededIndexes must be specified
    succeededCount      invalid if up.completions? and v > up.completions \
                        -- must be less than or equal to {up.completions} (the number of specified completions)
  backoffLimitPerIndex, maxFailedIndexes, successPolicy  given invalid if completionMode != "Indexed" \
                        -- requires indexed completion mode
  podFailurePolicy.rules[]
    action              required -- valid values: ["Count" "FailIndex" "FailJob" "Ignore"]
    action  invalid if v == "FailIndex" and not up.backoffLimitPerIndex? -- requires the backoffLimitPerIndex to be set
    action              in Count FailIndex FailJob Ignore
    .                   one_requirement
    onExitCodes         given
      operator          required in In NotIn
      values            always invalid (v or []) if not v -- at least one value is required
      values            invalid if values_out_of_order(v) -- must be ordered
      .                 first_zero
  podReplacementPolicy  in Failed if podFailurePolicy?
  podReplacementPolicy  in Failed TerminatingOrFailed if not podFailurePolicy?
  template              default NOTHING pod_template
  template.spec.restartPolicy  always missing if v in (None, "", "Always") -- valid values: "OnFailure", "Never"
  else template.spec.restartPolicy  in OnFailure Never
  else template.spec.restartPolicy  invalid if podFailurePolicy? and v != "Never" \
                        -- only "Never" is supported when podFailurePolicy is specified

batch/CronJob
  spec                  default NOTHING
    schedule            required SCHEDULE
    schedule            invalid if "TZ" in v -- cannot use TZ or CRON_TZ in schedule, use timeZone field instead
    startingDeadlineSeconds  >= 0
    timeZone            given invalid if v == "" -- timeZone must be nil or non-empty string
    else timeZone       invalid if v.lower() == "local" \
                        -- timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones
    else timeZone       invalid if not is_zone(v) -- unknown time zone {v}
    concurrencyPolicy   required in Allow Forbid Replace
    jobTemplate.spec    default NOTHING
      .                 JobSpec
      selector          given invalid -- `selector` will be auto-generated
      manualSelector    unsupported nil false
    successfulJobsHistoryLimit, failedJobsHistoryLimit  >= 0
batch/CronJob create
  metadata.name         invalid if len(v) > 52 -- must be no more than 52 characters
""", globals(), vars(common), vars(objectmeta), vars(volumes))  # fmt: skip
RULES = rules(TABLES)
