"""Every rule of the kinds that make Pods: the change that breaks it, the path and the cause that are told."""

import copy

import pytest
import yaml
from api_rows import (
    FORBIDDEN,
    GONE,
    INVALID,
    NOT_SUPPORTED,
    REQUIRED,
    TOO_LONG,
    manifest,
    merged,
    on_create,
    on_status,
    on_update,
    told,
)
from refkube.api.defaults import default
from refkube.api.validation import validate, validate_update
from refkube.api.validation.workloads import schedule_fault

TEMPLATE = "template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: nginx}]}}"
SELECTED = f"{{selector: {{matchLabels: {{app: web}}}}, {TEMPLATE}}}"
LABELS, RESTART = "spec.template.metadata.labels", "spec.template.spec.restartPolicy"
DEADLINE = "spec.template.spec.activeDeadlineSeconds"

CONTROLLER = manifest(f"{{apiVersion: v1, kind: ReplicationController, spec: {{{TEMPLATE}}}}}")
REPLICA_SET = manifest(f"{{apiVersion: apps/v1, kind: ReplicaSet, spec: {SELECTED}}}")
DEPLOYMENT = manifest(f"{{apiVersion: apps/v1, kind: Deployment, spec: {SELECTED}}}")
DAEMON_SET = manifest(f"{{apiVersion: apps/v1, kind: DaemonSet, spec: {SELECTED}}}")
STATEFUL_SET = manifest(f"{{apiVersion: apps/v1, kind: StatefulSet, spec: {SELECTED}}}")
RUN = "template: {spec: {restartPolicy: Never, containers: [{name: c, image: busybox}]}}"
CRON_JOB = manifest(f"""
{{apiVersion: batch/v1, kind: CronJob, spec: {{schedule: "*/5 * * * *", jobTemplate: {{spec: {{{RUN}}}}}}}}}
""")
JOB = merged(
    manifest(f"{{apiVersion: batch/v1, kind: Job, metadata: {{uid: u}}, spec: {{{RUN}}}}}"),
    {
        "spec.selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}},
        LABELS: {
            **{"controller-uid": "u", "job-name": "example"},
            **{"batch.kubernetes.io/controller-uid": "u", "batch.kubernetes.io/job-name": "example"},
        },
    },
)
INDEXED = {"spec.completionMode": "Indexed", "spec.completions": 3}
MANUAL = {"spec.manualSelector": True}
RULE = "spec.podFailurePolicy.rules[0]"
FAILS = {f"{RULE}.action": "Ignore", f"{RULE}.onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
ROLLING, UPDATE = "spec.strategy.rollingUpdate", "spec.updateStrategy.rollingUpdate"

ROWS = [
    (CONTROLLER, {"spec.replicas": -1}, "spec.replicas", INVALID),
    (CONTROLLER, {"spec.minReadySeconds": -1}, "spec.minReadySeconds", INVALID),
    (CONTROLLER, {"spec.selector": {}}, "spec.selector", REQUIRED),
    (CONTROLLER, {"spec.template": GONE}, "spec.template", REQUIRED),
    (CONTROLLER, {"spec.selector": {"app": "db"}}, LABELS, INVALID),
    (CONTROLLER, {RESTART: "Never"}, RESTART, NOT_SUPPORTED),
    (CONTROLLER, {DEADLINE: 5}, DEADLINE, FORBIDDEN),
    (CONTROLLER, {"spec.template.spec.containers": []}, "spec.template.spec.containers", REQUIRED),
    *(
        row
        for obj in (REPLICA_SET, DEPLOYMENT, DAEMON_SET, STATEFUL_SET)
        for row in (
            (obj, {"metadata.name": "A"}, "metadata.name", INVALID),
            (obj, {"spec.minReadySeconds": -1}, "spec.minReadySeconds", INVALID),
            (obj, {"spec.selector": {}}, "spec.selector", INVALID),
            (obj, {"spec.selector.matchLabels": {"app": "db"}}, LABELS, INVALID),
            (obj, {RESTART: "OnFailure"}, RESTART, NOT_SUPPORTED),
            (obj, {DEADLINE: 5}, DEADLINE, FORBIDDEN),
            (obj, {"spec.template.spec.containers[0].image": ""}, "spec.template.spec.containers[0].image", REQUIRED),
        )
    ),
    (DAEMON_SET, {"spec.selector.matchLabels": {"app": "a b"}}, "spec.selector.matchLabels", INVALID),
    (REPLICA_SET, {"spec.replicas": -1}, "spec.replicas", INVALID),
    (DEPLOYMENT, {"spec.replicas": -1}, "spec.replicas", INVALID),
    (DEPLOYMENT, {"spec.revisionHistoryLimit": -1}, "spec.revisionHistoryLimit", INVALID),
    (DEPLOYMENT, {"spec.progressDeadlineSeconds": 0}, "spec.progressDeadlineSeconds", INVALID),
    (DEPLOYMENT, {"spec.minReadySeconds": 600}, "spec.progressDeadlineSeconds", INVALID),
    (DEPLOYMENT, {"spec.strategy.type": "Sudden"}, "spec.strategy", NOT_SUPPORTED),
    (DEPLOYMENT, {"spec.strategy.type": "Recreate"}, ROLLING, FORBIDDEN),
    (DEPLOYMENT, {f"{ROLLING}.maxSurge": -1}, f"{ROLLING}.maxSurge", INVALID),
    (DEPLOYMENT, {f"{ROLLING}.maxSurge": "many"}, f"{ROLLING}.maxSurge", INVALID),
    (DEPLOYMENT, {f"{ROLLING}.maxUnavailable": "101%"}, f"{ROLLING}.maxUnavailable", INVALID),
    (DEPLOYMENT, {ROLLING: {"maxSurge": 0, "maxUnavailable": "0%"}}, f"{ROLLING}.maxUnavailable", INVALID),
    (DAEMON_SET, {"spec.revisionHistoryLimit": -1}, "spec.revisionHistoryLimit", INVALID),
    (DAEMON_SET, {"spec.updateStrategy": {"type": "X"}}, "spec.updateStrategy", NOT_SUPPORTED),
    (DAEMON_SET, {UPDATE: GONE}, UPDATE, REQUIRED),
    (DAEMON_SET, {f"{UPDATE}.maxSurge": 1}, f"{UPDATE}.maxSurge", INVALID),
    (DAEMON_SET, {f"{UPDATE}.maxUnavailable": 0}, f"{UPDATE}.maxUnavailable", REQUIRED),
    (DAEMON_SET, {f"{UPDATE}.maxUnavailable": "200%"}, f"{UPDATE}.maxUnavailable", INVALID),
    (STATEFUL_SET, {"metadata.name": "a.b"}, "metadata.name", INVALID),
    (STATEFUL_SET, {"spec.replicas": -1}, "spec.replicas", INVALID),
    (STATEFUL_SET, {"spec.podManagementPolicy": ""}, "spec.podManagementPolicy", REQUIRED),
    (STATEFUL_SET, {"spec.podManagementPolicy": "X"}, "spec.podManagementPolicy", INVALID),
    (STATEFUL_SET, {"spec.updateStrategy": {}}, "spec.updateStrategy", REQUIRED),
    (STATEFUL_SET, {"spec.updateStrategy": {"type": "X"}}, "spec.updateStrategy", INVALID),
    (STATEFUL_SET, {"spec.updateStrategy.type": "OnDelete"}, UPDATE, INVALID),
    (STATEFUL_SET, {f"{UPDATE}.partition": -1}, f"{UPDATE}.partition", INVALID),
    (STATEFUL_SET, {"spec.ordinals.start": -1}, "spec.ordinals.start", INVALID),
    (STATEFUL_SET, {"spec.serviceName": "A"}, "spec.serviceName", INVALID),
    (
        STATEFUL_SET,
        {"spec.persistentVolumeClaimRetentionPolicy.whenScaled": "X"},
        "spec.persistentVolumeClaimRetentionPolicy.whenScaled",
        NOT_SUPPORTED,
    ),
    (
        STATEFUL_SET,
        {
            "spec.volumeClaimTemplates": [
                {"metadata": {"name": "a"}, "spec": {"resources": {"requests": {"storage": "1Gi"}}}}
            ]
        },
        "spec.volumeClaimTemplates[0].spec.accessModes",
        REQUIRED,
    ),
    *(
        (JOB, {f"spec.{key}": -1}, f"spec.{key}", INVALID)
        for key in ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished")
    ),
    (JOB, {"spec.selector": GONE}, "spec.selector", REQUIRED),
    (JOB, {"spec.selector.matchLabels": {"job-name": "other"}, **MANUAL}, LABELS, INVALID),
    (JOB, {f"{LABELS}.job-name": "other"}, f"{LABELS}[job-name]", INVALID),
    (JOB, {f"{LABELS}.job-name": GONE}, f"{LABELS}[job-name]", REQUIRED),
    (JOB, {RESTART: "Always"}, RESTART, REQUIRED),
    (JOB, {RESTART: "OnFailure", **FAILS, "spec.podReplacementPolicy": "Failed"}, RESTART, INVALID),
    (JOB, {"spec.completionMode": "X"}, "spec.completionMode", NOT_SUPPORTED),
    (JOB, {**INDEXED, "spec.completions": GONE}, "spec.completions", REQUIRED),
    (JOB, {**INDEXED, "spec.parallelism": 100_001}, "spec.parallelism", INVALID),
    (JOB, {**INDEXED, "spec.maxFailedIndexes": 1}, "spec.backoffLimitPerIndex", REQUIRED),
    (JOB, {"spec.backoffLimitPerIndex": 1}, "spec.backoffLimitPerIndex", INVALID),
    (JOB, {**INDEXED, "spec.successPolicy": {}}, "spec.successPolicy.rules", REQUIRED),
    (JOB, {**INDEXED, "spec.successPolicy.rules": [{}]}, "spec.successPolicy.rules[0]", REQUIRED),
    (JOB, {"spec.successPolicy": {}}, "spec.successPolicy", INVALID),
    (JOB, {"spec.managedBy": "me"}, "spec.managedBy", INVALID),
    (JOB, {"spec.managedBy": "a.io/" + "m" * 60}, "spec.managedBy", TOO_LONG),
    (JOB, {"spec.podReplacementPolicy": "X"}, "spec.podReplacementPolicy", NOT_SUPPORTED),
    (JOB, {**FAILS}, "spec.podReplacementPolicy", NOT_SUPPORTED),
    (JOB, {"metadata.name": "a" * 62, **MANUAL, **INDEXED}, "metadata.name", INVALID),
    (CRON_JOB, {"metadata.name": "a" * 53}, "metadata.name", INVALID),
    (CRON_JOB, {"spec.schedule": ""}, "spec.schedule", REQUIRED),
    (CRON_JOB, {"spec.schedule": "* * * *"}, "spec.schedule", INVALID),
    (CRON_JOB, {"spec.schedule": "TZ=UTC * * * * *"}, "spec.schedule", INVALID),
    (CRON_JOB, {"spec.timeZone": ""}, "spec.timeZone", INVALID),
    (CRON_JOB, {"spec.timeZone": "Local"}, "spec.timeZone", INVALID),
    (CRON_JOB, {"spec.startingDeadlineSeconds": -1}, "spec.startingDeadlineSeconds", INVALID),
    (CRON_JOB, {"spec.concurrencyPolicy": ""}, "spec.concurrencyPolicy", REQUIRED),
    (CRON_JOB, {"spec.concurrencyPolicy": "X"}, "spec.concurrencyPolicy", NOT_SUPPORTED),
    (CRON_JOB, {"spec.failedJobsHistoryLimit": -1}, "spec.failedJobsHistoryLimit", INVALID),
    (CRON_JOB, {"spec.jobTemplate.spec.selector": {}}, "spec.jobTemplate.spec.selector", INVALID),
    (CRON_JOB, {"spec.jobTemplate.spec.manualSelector": True}, "spec.jobTemplate.spec.manualSelector", NOT_SUPPORTED),
    (CRON_JOB, {"spec.jobTemplate.spec.backoffLimit": -1}, "spec.jobTemplate.spec.backoffLimit", INVALID),
]


@pytest.mark.parametrize(("obj", "changes", "path", "cause"), ROWS)
def test_what_breaks_a_rule_is_told(obj, changes, path, cause):
    assert told(on_create(obj, changes)) == {(path, cause)}


@pytest.mark.parametrize("obj", [REPLICA_SET, DEPLOYMENT, STATEFUL_SET])
def test_a_template_is_not_looked_at_where_its_selector_is_wrong(obj):
    changes = {"spec.selector.matchLabels": {"app": "a b"}, "spec.template.spec.containers[0].image": ""}
    assert told(on_create(obj, changes)) == {("spec.selector.matchLabels", INVALID), ("spec.selector", INVALID)}


@pytest.mark.parametrize("obj", [CONTROLLER, REPLICA_SET, DEPLOYMENT, DAEMON_SET, STATEFUL_SET, JOB, CRON_JOB])
def test_what_breaks_no_rule_is_valid(obj):
    assert on_create(obj) == []
    assert on_update(obj, {"metadata.labels": {"a": "b"}}) == []


@pytest.mark.parametrize("obj", [REPLICA_SET, DEPLOYMENT, DAEMON_SET, STATEFUL_SET])
def test_no_selector_matches_no_template(obj):
    missing = set() if obj is DAEMON_SET else {("spec.selector", REQUIRED)}
    assert told(on_create(obj, {"spec.selector": GONE})) == {*missing, (LABELS, INVALID)}


def test_a_failure_policy_has_rules():
    base = {**FAILS, "spec.podReplacementPolicy": "Failed"}
    assert on_create(JOB, base) == []
    codes = {"operator": "In", "values": [2, 1]}
    rows = [
        ({f"{RULE}.action": ""}, {(f"{RULE}.action", REQUIRED)}),
        ({f"{RULE}.action": "FailIndex"}, {(f"{RULE}.action", INVALID)}),
        ({f"{RULE}.onPodConditions": []}, {(RULE, INVALID)}),
        ({f"{RULE}.onExitCodes": codes}, {(RULE, INVALID), (f"{RULE}.onExitCodes.values", INVALID)}),
        (
            {f"{RULE}.onPodConditions": [], f"{RULE}.onExitCodes": {"operator": "In", "values": [0]}},
            {(f"{RULE}.onExitCodes.values[0]", INVALID)},
        ),
    ]
    for changes, expected in rows:
        assert told(on_create(JOB, {**base, **changes})) == expected


FIXED = [
    (REPLICA_SET, {"spec.selector.matchLabels.app": "db", LABELS: {"app": "db"}}, "spec.selector", INVALID),
    (DEPLOYMENT, {"spec.selector.matchLabels.app": "db", LABELS: {"app": "db"}}, "spec.selector", INVALID),
    (DAEMON_SET, {"spec.selector.matchLabels.app": "db", LABELS: {"app": "db"}}, "spec.selector", INVALID),
    (STATEFUL_SET, {"spec.selector.matchLabels.app": "db", LABELS: {"app": "db"}}, "spec", FORBIDDEN),
    (STATEFUL_SET, {"spec.serviceName": "db"}, "spec", FORBIDDEN),
    (STATEFUL_SET, {"spec.podManagementPolicy": "Parallel"}, "spec", FORBIDDEN),
    (JOB, {"spec.completions": 2}, "spec.completions", INVALID),
    (JOB, {"spec.template.spec.containers[0].image": "other"}, "spec.template", INVALID),
    (JOB, {**INDEXED, "spec.completions": 1}, "spec.completionMode", INVALID),
    (JOB, {"spec.managedBy": "a.io/b"}, "spec.managedBy", INVALID),
    (merged(JOB, INDEXED), {"spec.completions": 4}, "spec.completions", INVALID),
]


@pytest.mark.parametrize(("obj", "changes", "path", "cause"), FIXED)
def test_what_may_not_change(obj, changes, path, cause):
    assert told(on_update(obj, changes)) == {(path, cause)}


@pytest.mark.parametrize(
    ("obj", "changes"),
    [
        (DEPLOYMENT, {"spec.template.spec.containers[0].image": "other", "spec.replicas": 3}),
        (STATEFUL_SET, {"spec.replicas": 2, "spec.minReadySeconds": 1, f"{UPDATE}.partition": 1}),
        (JOB, {"spec.parallelism": 4, "spec.suspend": True}),
        (merged(JOB, INDEXED), {"spec.completions": 4, "spec.parallelism": 4}),
        (merged(JOB, {"spec.suspend": True}), {"spec.template.spec.nodeSelector": {"a": "b"}}),
    ],
)
def test_what_may_change(obj, changes):
    assert on_update(obj, changes) == []


DONE = {"status.conditions": [{"type": "Complete", "status": "True"}]}
STARTED = {"status.startTime": "2026-01-01T00:00:00Z", "status.completionTime": "2026-01-01T00:01:00Z"}


@pytest.mark.parametrize(
    ("obj", "changes", "path"),
    [
        *(
            row
            for obj in (CONTROLLER, REPLICA_SET, DEPLOYMENT, STATEFUL_SET)
            for row in (
                (obj, {"status": {"availableReplicas": -1}}, "status.availableReplicas"),
                (obj, {"status": {"replicas": 1, "readyReplicas": 2}}, "status.readyReplicas"),
                (obj, {"status": {"replicas": 1, "availableReplicas": 1}}, "status.availableReplicas"),
                (obj, {"status": {"observedGeneration": -1}}, "status.observedGeneration"),
            )
        ),
        (merged(DEPLOYMENT, {"status.collisionCount": 2}), {"status.collisionCount": 1}, "status.collisionCount"),
        (DAEMON_SET, {"status.numberReady": -1}, "status.numberReady"),
        (JOB, {"status.active": -1}, "status.active"),
        (JOB, {"status.ready": 1}, "status.ready"),
        (JOB, {**DONE, **STARTED, "status.active": 1}, "status.active"),
        (JOB, STARTED, "status.completionTime"),
        (
            merged(JOB, {**DONE, **STARTED}),
            {"status.conditions": [], "status.completionTime": GONE},
            "status.conditions",
        ),
        (merged(JOB, {"status.failed": 2}), {"status.failed": 1}, "status.failed"),
    ],
)
def test_a_status_is_checked(obj, changes, path):
    assert told(on_status(obj, changes)) == {(path, INVALID)}


@pytest.mark.parametrize(
    "schedule",
    ["* * * * *", "*/5 0-6,12 1 jan MON-fri", "0 0 ? * 0", "@hourly", "@every 1h30m", "5/15 * * * *", "@midnight"],
)
def test_schedules(schedule):
    assert schedule_fault(schedule) == ""


@pytest.mark.parametrize(
    ("schedule", "why"),
    [
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("5-3 * * * *", "beginning of range (5) beyond end of range (3): 5-3"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("x * * * *", "failed to parse int from x"),
        ("@often", "unrecognized descriptor: @often"),
    ],
)
def test_what_is_no_schedule(schedule, why):
    assert schedule_fault(schedule) == why


def test_replicas_below_zero_are_below_all_else():
    assert ("status.replicas", INVALID) in told(on_status(DEPLOYMENT, {"status": {"replicas": -1}}))


def test_revisions_and_scales():
    revision = manifest("{apiVersion: apps/v1, kind: ControllerRevision, revision: 1, data: {a: 1}}")
    assert told(on_create(revision, {"data": GONE})) == {("data", REQUIRED)}
    assert told(on_create(revision, {"revision": -1})) == {("revision", INVALID)}
    assert told(on_update(revision, {"data": {"a": 2}})) == {("data", INVALID)}
    scale = {"metadata": {"name": "a", "namespace": "b"}, "spec": {"replicas": -1}}
    assert told(validate("autoscaling", "Scale", scale)) == {("spec.replicas", INVALID)}


def test_defaults():
    assert CONTROLLER["spec"]["selector"] == CONTROLLER["metadata"]["labels"] == {"app": "web"}
    assert CONTROLLER["spec"]["replicas"] == REPLICA_SET["spec"]["replicas"] == STATEFUL_SET["spec"]["replicas"] == 1
    deployment = DEPLOYMENT["spec"]
    rolling = {"maxUnavailable": "25%", "maxSurge": "25%"}
    assert deployment["strategy"] == {"type": "RollingUpdate", "rollingUpdate": rolling}
    assert (deployment["revisionHistoryLimit"], deployment["progressDeadlineSeconds"]) == (10, 600)
    assert deployment["template"]["spec"]["restartPolicy"] == "Always"
    rolling = {"maxUnavailable": 1, "maxSurge": 0}
    assert DAEMON_SET["spec"]["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": rolling}
    assert STATEFUL_SET["spec"]["podManagementPolicy"] == "OrderedReady"
    assert STATEFUL_SET["spec"]["updateStrategy"]["rollingUpdate"]["partition"] == 0
    recreate = manifest(
        f"{{apiVersion: apps/v1, kind: Deployment, spec: {{strategy: {{type: Recreate}}, {TEMPLATE}}}}}"
    )
    assert recreate["spec"]["strategy"] == {"type": "Recreate"}


def test_defaults_of_jobs():
    job = manifest(f"{{apiVersion: batch/v1, kind: Job, spec: {{{RUN}}}}}")["spec"]
    assert {key: value for key, value in job.items() if key != "template"} == {
        **{"completions": 1, "parallelism": 1, "backoffLimit": 6, "completionMode": "NonIndexed"},
        **{"suspend": False, "manualSelector": False, "podReplacementPolicy": "TerminatingOrFailed"},
    }
    queue = manifest(f"{{apiVersion: batch/v1, kind: Job, spec: {{parallelism: 2, {RUN}}}}}")
    assert "completions" not in queue["spec"]
    cron = CRON_JOB["spec"]
    assert (cron["concurrencyPolicy"], cron["successfulJobsHistoryLimit"], cron["failedJobsHistoryLimit"]) == (
        "Allow",
        3,
        1,
    )
    assert "backoffLimit" not in cron["jobTemplate"]["spec"]


SHOP = """
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: web}}
---
apiVersion: v1
kind: ConfigMap
data: {nginx.conf: "events {}", LOG_LEVEL: info}
---
apiVersion: v1
kind: Secret
type: kubernetes.io/basic-auth
data: {username: YQ==, password: Yg==}
---
apiVersion: v1
kind: PersistentVolumeClaim
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 10Gi}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {labels: {app: web}}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}, matchExpressions: [{key: tier, operator: NotIn, values: [db]}]}
  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  template:
    metadata: {labels: {app: web}, annotations: {prometheus.io/scrape: "true"}}
    spec:
      serviceAccountName: web
      containers:
      - name: web
        image: nginx:1.27
        ports: [{name: http, containerPort: 80}]
        envFrom: [{configMapRef: {name: settings}}]
        resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 128Mi}}
        readinessProbe: {httpGet: {path: /, port: http}}
        volumeMounts: [{name: data, mountPath: /data}, {name: conf, mountPath: /etc/nginx}]
      volumes: [{name: data, persistentVolumeClaim: {claimName: data}}, {name: conf, configMap: {name: conf}}]
---
apiVersion: apps/v1
kind: StatefulSet
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: "postgres:17", volumeMounts: [{name: data, mountPath: /var/lib}]}]}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: apps/v1
kind: DaemonSet
spec:
  selector: {matchLabels: {app: log}}
  template:
    metadata: {labels: {app: log}}
    spec: {hostNetwork: true, tolerations: [{operator: Exists}], containers: [{name: log, image: fluentd}]}
---
apiVersion: batch/v1
kind: CronJob
spec:
  schedule: "0 3 * * sun"
  timeZone: Etc/UTC
  jobTemplate: {spec: {template: {spec: {restartPolicy: OnFailure, containers: [{name: c, image: backup}]}}}}
---
apiVersion: v1
kind: Service
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
spec:
  rules:
  - host: shop.example.com
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
spec: {maxReplicas: 10, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
spec: {maxUnavailable: 25%, selector: {matchLabels: {app: web}}}
---
apiVersion: v1
kind: ResourceQuota
spec: {hard: {requests.cpu: "4", limits.memory: 8Gi, pods: "50", count/jobs.batch: "10"}}
---
apiVersion: v1
kind: LimitRange
spec: {limits: [{type: Container, default: {memory: 128Mi}, max: {memory: 1Gi}}]}
"""


@pytest.mark.parametrize("text", SHOP.split("---\n"))
def test_a_real_manifest_is_valid_and_is_not_changed_by_being_asked(text):
    given = yaml.safe_load(text)
    given["metadata"] = {"name": "shop", "resourceVersion": "1", **given.get("metadata", {})}
    if given["kind"] != "Namespace":
        given["metadata"]["namespace"] = "shop"
    before, key = copy.deepcopy(given), (given["apiVersion"].rpartition("/")[0], given["kind"])
    obj = default(*key, given)
    assert given == before
    assert default(*key, obj) is obj
    before = copy.deepcopy(obj)
    assert validate(*key, obj) == []
    assert validate_update(*key, obj, obj) == []
    assert obj == before
