"""Each rule for Pods and templates, with the path that must fail when it is broken; defaults; what may change.

A row is a change of a valid object (values by place; GONE removes), then the field and the kind of error that must
be among the answers. The unchanged objects must give none, so that a row fails for its own reason.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from api_rows import GONE, merged
from refkube.api.defaults import default
from refkube.api.defaults.pod import default_pod_template_spec
from refkube.api.resources import aggregate, quality_of_service
from refkube.api.validation import pod as pods
from refkube.api.validation import validate, validate_status_update, validate_update
from refkube.api.validation.objectmeta import name_is_dns_label, name_is_path_segment, validate_object_meta
from refkube.apimachinery.errors import FieldError

SPEC: dict[str, Any] = {
    "serviceAccountName": "builder",
    "terminationGracePeriodSeconds": 30,
    "initContainers": [
        {"name": "setup", "image": "busybox:1"},
        {"name": "proxy", "image": "envoy:1", "restartPolicy": "Always"},
    ],
    "containers": [
        {
            "name": "web",
            "image": "nginx:1.27",
            "ports": [{"name": "http", "containerPort": 80}, {"name": "tls", "containerPort": 443}],
            "env": [
                {"name": "A", "value": "1"},
                {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            ],
            "envFrom": [{"configMapRef": {"name": "settings"}}],
            "resources": {"limits": {"cpu": "1", "memory": "64Mi"}, "requests": {"cpu": "500m"}},
            "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}, {"name": "api", "mountPath": "/api"}],
            "volumeDevices": [{"name": "disk", "devicePath": "/dev/xvda"}],
            "livenessProbe": {"httpGet": {"port": 80}},
            "readinessProbe": {"grpc": {"port": 443}},
            "startupProbe": {"exec": {"command": ["true"]}},
            "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
            "securityContext": {"runAsUser": 1000},
        },
        {"name": "log", "image": "fluent:1"},
    ],
    "volumes": [
        {"name": "scratch", "emptyDir": {"sizeLimit": "1Gi"}},
        {"name": "disk", "persistentVolumeClaim": {"claimName": "data"}},
        {"name": "api", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
    ],
    "tolerations": [{"key": "dedicated", "operator": "Equal", "value": "web", "effect": "NoSchedule"}],
    "resourceClaims": [{"name": "gpu", "resourceClaimName": "gpu-1"}],
}
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "namespace": "default", "labels": {"app": "web"}, "uid": "u1", "resourceVersion": "7"},
    "spec": SPEC,
    "status": {"phase": "Running", "qosClass": "Burstable"},
}
C, V, S = "spec.containers[0]", "spec.volumes[0]", "spec"
SPREAD = {"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule"}
PROBE = {"tcpSocket": {"port": 80}}
TERM = "requiredDuringSchedulingIgnoredDuringExecution"
SOFT = "preferredDuringSchedulingIgnoredDuringExecution"
NODE, PEER = f"{S}.affinity.nodeAffinity", f"{S}.affinity.podAffinity"


def made(changes: dict[str, Any], base: dict[str, Any] = POD, defaulted: bool = True) -> dict[str, Any]:
    obj = merged(base, changes)
    return default("", "Pod", obj) if defaulted else obj


def kinds(errors: list[FieldError]) -> set[tuple[str, str]]:
    return {(error.field, error.type.removeprefix("FieldValue")) for error in errors}


CREATE: list[tuple[dict[str, Any], str, str]] = [
    # metadata
    ({"metadata.name": "Web"}, "metadata.name", "Invalid"),
    ({"metadata.name": ""}, "metadata.name", "Required"),
    ({"metadata.generateName": "We_"}, "metadata.generateName", "Invalid"),
    ({"metadata.namespace": ""}, "metadata.namespace", "Required"),
    ({"metadata.namespace": "a.b"}, "metadata.namespace", "Invalid"),
    ({"metadata.generation": -1}, "metadata.generation", "Invalid"),
    ({"metadata.labels": {"a b": "c"}}, "metadata.labels", "Invalid"),
    ({"metadata.labels": {"a": "c!"}}, "metadata.labels", "Invalid"),
    ({"metadata.annotations": {"a b": "c"}}, "metadata.annotations", "Invalid"),
    ({"metadata.annotations": {"a": "x" * 262144}}, "metadata.annotations", "TooLong"),
    ({"metadata.ownerReferences": [{"apiVersion": "v1", "kind": "", "name": "x", "uid": "u"}]},
     "metadata.ownerReferences.kind", "Invalid"),
    ({"metadata.ownerReferences": [{"apiVersion": "", "kind": "A", "name": "x", "uid": "u"}]},
     "metadata.ownerReferences.apiVersion", "Invalid"),
    ({"metadata.ownerReferences": [{"apiVersion": "v1", "kind": "A", "name": n, "uid": n, "controller": True}
                                   for n in "ab"]}, "metadata.ownerReferences", "Invalid"),
    ({"metadata.ownerReferences": [{"apiVersion": "v1", "kind": "Event", "name": "x", "uid": "u"}]},
     "metadata.ownerReferences", "Invalid"),
    ({"metadata.finalizers": ["Not/A/Name"]}, "metadata.finalizers", "Invalid"),
    ({"metadata.finalizers": ["mine"]}, "metadata.finalizers[0]", "Invalid"),
    ({"metadata.finalizers": ["orphan", "foregroundDeletion"]}, "metadata.finalizers", "Invalid"),
    ({"metadata.managedFields": [{"operation": "Delete"}]}, "metadata.managedFields[0].operation", "Invalid"),
    ({"metadata.managedFields": [{"operation": "Apply", "fieldsType": "V2"}]},
     "metadata.managedFields[0].fieldsType", "Invalid"),
    ({"metadata.managedFields": [{"operation": "Apply", "manager": "x" * 129}]},
     "metadata.managedFields[0].manager", "TooLong"),
    ({"metadata.annotations": {"kubernetes.io/config.mirror": "x"}},
     "metadata.annotations[kubernetes.io/config.mirror]", "Invalid"),
    ({"metadata.annotations": {"controller.kubernetes.io/pod-deletion-cost": "1.5"}},
     "metadata.annotations[controller.kubernetes.io/pod-deletion-cost]", "Invalid"),
    ({"metadata.annotations": {"container.apparmor.security.beta.kubernetes.io/none": "unconfined"}},
     "metadata.annotations[container.apparmor.security.beta.kubernetes.io/none]", "Invalid"),
    # containers
    ({f"{S}.containers": []}, f"{S}.containers", "Required"),
    ({f"{C}.name": GONE}, f"{C}.name", "Required"),
    ({f"{C}.name": "Web"}, f"{C}.name", "Invalid"),
    ({f"{S}.containers[1].name": "web"}, f"{S}.containers[1].name", "Duplicate"),
    ({f"{C}.image": ""}, f"{C}.image", "Required"),
    ({f"{C}.image": " nginx"}, f"{C}.image", "Invalid"),
    ({f"{C}.imagePullPolicy": "Sometimes"}, f"{C}.imagePullPolicy", "NotSupported"),
    ({f"{C}.terminationMessagePolicy": "Stdout"}, f"{C}.terminationMessagePolicy", "NotSupported"),
    ({f"{C}.restartPolicy": "Sometimes"}, f"{C}.restartPolicy", "NotSupported"),
    ({f"{C}.restartPolicyRules": [{"action": "Restart"}]}, f"{C}.restartPolicy", "Required"),
    ({f"{C}.restartPolicy": "Never", f"{C}.restartPolicyRules": [{"action": "Stop", "exitCodes": {"operator": "In"}}]},
     f"{C}.restartPolicyRules[0].action", "NotSupported"),
    ({f"{C}.restartPolicy": "Never", f"{C}.restartPolicyRules": [{"action": "Restart"}]},
     f"{C}.restartPolicyRules[0].exitCodes", "Required"),
    ({f"{S}.initContainers[0].name": "web"}, f"{S}.initContainers[0].name", "Duplicate"),
    ({f"{S}.initContainers[0].livenessProbe": PROBE}, f"{S}.initContainers[0].livenessProbe", "Forbidden"),
    ({f"{S}.initContainers[0].lifecycle": {"preStop": {"exec": {"command": ["x"]}}}},
     f"{S}.initContainers[0].lifecycle", "Forbidden"),
    ({f"{S}.initContainers[1].readinessProbe": {}}, f"{S}.initContainers[1].readinessProbe", "Required"),
    ({f"{S}.initContainers[0].image": " x"}, f"{S}.initContainers[0].image", "Invalid"),
    ({f"{S}.ephemeralContainers": [{"name": "d", "image": "x"}]}, f"{S}.ephemeralContainers", "Forbidden"),
    # ports
    ({f"{C}.ports[0].name": "HTTP"}, f"{C}.ports[0].name", "Invalid"),
    ({f"{C}.ports[1].name": "http"}, f"{C}.ports[1].name", "Duplicate"),
    ({f"{C}.ports[0].containerPort": 0}, f"{C}.ports[0].containerPort", "Required"),
    ({f"{C}.ports[0].containerPort": 65536}, f"{C}.ports[0].containerPort", "Invalid"),
    ({f"{C}.ports[0].hostPort": -1}, f"{C}.ports[0].hostPort", "Invalid"),
    ({f"{C}.ports[0].protocol": "ICMP"}, f"{C}.ports[0].protocol", "NotSupported"),
    ({f"{C}.ports[0].hostPort": 80, f"{C}.ports[1].hostPort": 80}, f"{C}.ports[1].hostPort", "Duplicate"),
    ({f"{C}.ports[0].hostPort": 81, f"{S}.hostNetwork": True}, f"{C}.ports[0].hostPort", "Invalid"),
    # environment
    ({f"{C}.env[0].name": ""}, f"{C}.env[0].name", "Required"),
    ({f"{C}.env[0].name": "A=B"}, f"{C}.env[0].name", "Invalid"),
    ({f"{C}.env[0].valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}, f"{C}.env[0].valueFrom", "Invalid"),
    ({f"{C}.env[1].valueFrom": {}}, f"{C}.env[1].valueFrom", "Invalid"),
    ({f"{C}.env[1].valueFrom.fieldRef.fieldPath": ""}, f"{C}.env[1].valueFrom.fieldRef.fieldPath", "Required"),
    ({f"{C}.env[1].valueFrom.fieldRef.fieldPath": "spec.x"}, f"{C}.env[1].valueFrom.fieldRef.fieldPath", "Invalid"),
    ({f"{C}.env[1].valueFrom.fieldRef.fieldPath": "status.phase"},
     f"{C}.env[1].valueFrom.fieldRef.fieldPath", "NotSupported"),
    ({f"{C}.env[1].valueFrom.fieldRef.fieldPath": "metadata.labels['a b']"},
     f"{C}.env[1].valueFrom.fieldRef", "Invalid"),
    ({f"{C}.env[1].valueFrom.fieldRef.apiVersion": "v2"}, f"{C}.env[1].valueFrom.fieldRef.fieldPath", "Invalid"),
    ({f"{C}.env[1].valueFrom": {"resourceFieldRef": {"resource": "limits.gpu"}}},
     f"{C}.env[1].valueFrom.resourceFieldRef.resource", "NotSupported"),
    ({f"{C}.env[1].valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "2"}}},
     f"{C}.env[1].valueFrom.resourceFieldRef.divisor", "Invalid"),
    ({f"{C}.env[1].valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1m"}}},
     f"{C}.env[1].valueFrom.resourceFieldRef.divisor", "Invalid"),
    ({f"{C}.env[1].valueFrom": {"configMapKeyRef": {"name": "A", "key": "k"}}},
     f"{C}.env[1].valueFrom.configMapKeyRef.name", "Invalid"),
    ({f"{C}.env[1].valueFrom": {"secretKeyRef": {"name": "a"}}}, f"{C}.env[1].valueFrom.secretKeyRef.key", "Required"),
    ({f"{C}.env[1].valueFrom": {"secretKeyRef": {"name": "a", "key": "b/c"}}},
     f"{C}.env[1].valueFrom.secretKeyRef.key", "Invalid"),
    ({f"{C}.env[1].valueFrom": {"fileKeyRef": {"volumeName": "scratch", "path": "../x", "key": "k"}}},
     f"{C}.env[1].valueFrom.fileKeyRef.path", "Invalid"),
    ({f"{C}.envFrom[0]": {}}, f"{C}.envFrom", "Invalid"),
    ({f"{C}.envFrom[0].secretRef": {"name": "s"}}, f"{C}.envFrom", "Invalid"),
    ({f"{C}.envFrom[0].configMapRef.name": ""}, f"{C}.envFrom[0].configMapRef.name", "Required"),
    ({f"{C}.envFrom[0].prefix": "a="}, f"{C}.envFrom[0].prefix", "Invalid"),
    # resources
    ({f"{C}.resources.requests.cpu": "2"}, f"{C}.resources.requests", "Invalid"),
    ({f"{C}.resources.limits.cpu": "-1"}, f"{C}.resources.limits[cpu]", "Invalid"),
    ({f"{C}.resources.limits.gpu": "1"}, f"{C}.resources.limits[gpu]", "Invalid"),
    ({f"{C}.resources.limits.pods": "1"}, f"{C}.resources.limits[pods]", "Invalid"),
    ({f"{C}.resources.limits": {"a.com/gpu": "500m"}}, f"{C}.resources.limits[a.com/gpu]", "Invalid"),
    ({f"{C}.resources.requests": {"a.com/gpu": "1"}}, f"{C}.resources.limits", "Required"),
    ({f"{C}.resources": {"limits": {"a.com/gpu": "2"}, "requests": {"a.com/gpu": "1"}}},
     f"{C}.resources.requests", "Invalid"),
    ({f"{C}.resources": {"limits": {"hugepages-2Mi": "4Mi"}}}, f"{C}.resources", "Forbidden"),
    ({f"{C}.resources.limits": {"cpu": "1", "hugepages-2Mi": "3Mi"}},
     f"{C}.resources.limits[hugepages-2Mi]", "Invalid"),
    ({f"{C}.resources.claims": [{"name": "none"}]}, f"{C}.resources.claims[0]", "NotFound"),
    ({f"{C}.resources.claims": [{"name": "gpu"}, {"name": "gpu"}]}, f"{C}.resources.claims[1]", "Duplicate"),
    ({f"{C}.resizePolicy": [{"resourceName": "disk", "restartPolicy": "NotRequired"}]},
     f"{C}.resizePolicy", "NotSupported"),
    ({f"{C}.resizePolicy": [{"resourceName": "cpu", "restartPolicy": "RestartContainer"}],
      f"{S}.restartPolicy": "Never"},
     f"{C}.resizePolicy", "Invalid"),
    ({f"{S}.resources": {"limits": {"cpu": "500m", "memory": "1Gi"}}},
     f"{S}.resources.containers[0][cpu].limits", "Invalid"),
    ({f"{S}.resources": {"requests": {"cpu": "100m"}}}, f"{S}.resources.requests[cpu]", "Invalid"),
    ({f"{S}.resources": {"requests": {"a.com/gpu": "1"}}}, f"{S}.resources.requests[a.com/gpu]", "NotSupported"),
    ({f"{S}.resources": {"claims": [{"name": "gpu"}]}}, f"{S}.resources.claims", "Forbidden"),
    ({f"{S}.resourceClaims": [{"name": "a"}]}, f"{S}.resourceClaims[0]", "Invalid"),
    ({f"{S}.resourceClaims": [{"name": "A", "resourceClaimName": "x"}]}, f"{S}.resourceClaims[0].name", "Invalid"),
    ({f"{S}.resourceClaims": [{"name": "a", "resourceClaimName": "X"}]},
     f"{S}.resourceClaims[0].resourceClaimName", "Invalid"),
    ({f"{S}.overhead": {"cpu": "-1"}}, f"{S}.overhead.limits[cpu]", "Invalid"),
    # mounts and devices
    ({f"{C}.volumeMounts[0].name": "none"}, f"{C}.volumeMounts[0].name", "NotFound"),
    ({f"{C}.volumeMounts[0].name": ""}, f"{C}.volumeMounts[0].name", "Required"),
    ({f"{C}.volumeMounts[0].mountPath": ""}, f"{C}.volumeMounts[0].mountPath", "Required"),
    ({f"{C}.volumeMounts[1].mountPath": "/scratch"}, f"{C}.volumeMounts[1].mountPath", "Invalid"),
    ({f"{C}.volumeMounts[0].mountPath": "/dev/xvda"}, f"{C}.volumeMounts[0].mountPath", "Invalid"),
    ({f"{C}.volumeMounts[0].name": "disk"}, f"{C}.volumeMounts[0].name", "Invalid"),
    ({f"{C}.volumeMounts[0].subPath": "../x"}, f"{C}.volumeMounts.subPath", "Invalid"),
    ({f"{C}.volumeMounts[0].subPath": "/x"}, f"{C}.volumeMounts.subPath", "Invalid"),
    ({f"{C}.volumeMounts[0].subPathExpr": "x", f"{C}.volumeMounts[0].subPath": "x"},
     f"{C}.volumeMounts[0].subPathExpr", "Invalid"),
    ({f"{C}.volumeMounts[0].mountPropagation": "Bidirectional"}, f"{C}.volumeMounts.mountPropagation", "Forbidden"),
    ({f"{C}.volumeMounts[0].mountPropagation": "Both"}, f"{C}.volumeMounts.mountPropagation", "NotSupported"),
    ({f"{C}.volumeMounts[0].recursiveReadOnly": "Enabled"}, f"{C}.volumeMounts.recursiveReadOnly", "Forbidden"),
    ({f"{C}.volumeMounts[0].recursiveReadOnly": "On"}, f"{C}.volumeMounts.recursiveReadOnly", "NotSupported"),
    ({f"{C}.volumeDevices[0].name": "none"}, f"{C}.volumeDevices[0].name", "NotFound"),
    ({f"{C}.volumeDevices[0].name": "scratch", f"{C}.volumeMounts": []}, f"{C}.volumeDevices[0].name", "Invalid"),
    ({f"{C}.volumeDevices[0].devicePath": "/a/../b"}, f"{C}.volumeDevices[0].devicePath", "Invalid"),
    ({f"{C}.volumeDevices[0].devicePath": ""}, f"{C}.volumeDevices[0].devicePath", "Required"),
    # probes and hooks
    ({f"{C}.livenessProbe": {}}, f"{C}.livenessProbe", "Required"),
    ({f"{C}.livenessProbe.exec": {"command": ["x"]}}, f"{C}.livenessProbe.httpGet", "Forbidden"),
    ({f"{C}.livenessProbe.httpGet.port": 0}, f"{C}.livenessProbe.httpGet.port", "Invalid"),
    ({f"{C}.livenessProbe.httpGet.port": "a--b"}, f"{C}.livenessProbe.httpGet.port", "Invalid"),
    ({f"{C}.livenessProbe.httpGet.scheme": "FTP"}, f"{C}.livenessProbe.httpGet.scheme", "NotSupported"),
    ({f"{C}.livenessProbe.httpGet.httpHeaders": [{"name": "a b", "value": "c"}]},
     f"{C}.livenessProbe.httpGet.httpHeaders", "Invalid"),
    ({f"{C}.startupProbe.exec.command": []}, f"{C}.startupProbe.exec.command", "Required"),
    ({f"{C}.readinessProbe.grpc.port": 65536}, f"{C}.readinessProbe.grpc.port", "Invalid"),
    *[({f"{C}.readinessProbe.{key}": -1}, f"{C}.readinessProbe.{key}", "Invalid") for key in
      ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")],
    ({f"{C}.livenessProbe.successThreshold": 2}, f"{C}.livenessProbe.successThreshold", "Invalid"),
    ({f"{C}.startupProbe.successThreshold": 2}, f"{C}.startupProbe.successThreshold", "Invalid"),
    ({f"{C}.livenessProbe.terminationGracePeriodSeconds": 0},
     f"{C}.livenessProbe.terminationGracePeriodSeconds", "Invalid"),
    ({f"{C}.readinessProbe.terminationGracePeriodSeconds": 5},
     f"{C}.readinessProbe.terminationGracePeriodSeconds", "Invalid"),
    ({f"{C}.lifecycle.preStop": {}}, f"{C}.lifecycle.preStop", "Required"),
    ({f"{C}.lifecycle.preStop.sleep.seconds": 31}, f"{C}.lifecycle.preStop.sleep", "Invalid"),
    ({f"{C}.lifecycle.postStart": {"exec": {}}}, f"{C}.lifecycle.postStart.exec.command", "Required"),
    # security
    ({f"{C}.securityContext.runAsUser": -1}, f"{C}.securityContext.runAsUser", "Invalid"),
    ({f"{C}.securityContext.runAsGroup": 2**31}, f"{C}.securityContext.runAsGroup", "Invalid"),
    ({f"{C}.securityContext.procMount": "All"}, f"{C}.securityContext.procMount", "NotSupported"),
    ({f"{C}.securityContext.procMount": "Unmasked"}, f"{C}.securityContext.procMount", "Invalid"),
    ({f"{C}.securityContext": {"privileged": True, "allowPrivilegeEscalation": False}},
     f"{C}.securityContext", "Invalid"),
    ({f"{C}.securityContext": {"capabilities": {"add": ["CAP_SYS_ADMIN"]}, "allowPrivilegeEscalation": False}},
     f"{C}.securityContext", "Invalid"),
    ({f"{C}.securityContext.seccompProfile": {"type": "Localhost"}},
     f"{C}.securityContext.seccompProfile.localhostProfile", "Required"),
    ({f"{C}.securityContext.seccompProfile": {"type": "Strict"}},
     f"{C}.securityContext.seccompProfile.type", "NotSupported"),
    ({f"{C}.securityContext.seccompProfile": {}}, f"{C}.securityContext.seccompProfile.type", "Required"),
    ({f"{C}.securityContext.seccompProfile": {"type": "Unconfined", "localhostProfile": "x"}},
     f"{C}.securityContext.seccompProfile.localhostProfile", "Invalid"),
    ({f"{C}.securityContext.appArmorProfile": {"type": "Localhost", "localhostProfile": " x"}},
     f"{C}.securityContext.appArmorProfile.localhostProfile", "Invalid"),
    ({f"{S}.securityContext.fsGroup": -1}, f"{S}.securityContext.fsGroup", "Invalid"),
    ({f"{S}.securityContext.supplementalGroups": [-1]}, f"{S}.securityContext.supplementalGroups[0]", "Invalid"),
    ({f"{S}.securityContext.sysctls": [{"name": "a..b", "value": "1"}]},
     f"{S}.securityContext.sysctls[0].name", "Invalid"),
    ({f"{S}.securityContext.sysctls": [{"name": "net.x", "value": "1"}] * 2},
     f"{S}.securityContext.sysctls[1].name", "Duplicate"),
    ({f"{S}.securityContext.sysctls": [{"name": "net.x", "value": "1"}], f"{S}.hostNetwork": True},
     f"{S}.securityContext.sysctls[0].name", "Invalid"),
    *[({f"{S}.securityContext.{key}": "Other"}, f"{S}.securityContext.{key}", "NotSupported") for key in
      ("fsGroupChangePolicy", "supplementalGroupsPolicy", "seLinuxChangePolicy")],
    ({f"{S}.shareProcessNamespace": True, f"{S}.hostPID": True},
     f"{S}.securityContext.shareProcessNamespace", "Invalid"),
    ({f"{S}.hostUsers": False, f"{S}.hostNetwork": True}, f"{S}.hostNetwork", "Forbidden"),
    ({f"{S}.os": {"name": "plan9"}}, f"{S}.os", "NotSupported"),
    ({f"{S}.os": {"name": "linux"}, f"{S}.securityContext.windowsOptions": {}},
     f"{S}.securityContext.windowsOptions", "Forbidden"),
    ({f"{S}.os": {"name": "windows"}}, f"{C}.securityContext.runAsUser", "Forbidden"),
    # scheduling
    ({f"{S}.nodeSelector": {"a b": "c"}}, f"{S}.nodeSelector", "Invalid"),
    ({f"{S}.nodeName": "N1"}, f"{S}.nodeName", "Invalid"),
    ({f"{S}.nodeName": "n1", f"{S}.schedulingGates": [{"name": "a/b"}]}, f"{S}.nodeName", "Forbidden"),
    ({f"{S}.schedulingGates": [{"name": "a b"}]}, f"{S}.schedulingGates[0]", "Invalid"),
    ({f"{S}.schedulingGates": [{"name": "a"}] * 2}, f"{S}.schedulingGates[1]", "Duplicate"),
    ({f"{S}.priorityClassName": "High"}, f"{S}.priorityClassName", "Invalid"),
    ({f"{S}.preemptionPolicy": "Often"}, f"{S}.preemptionPolicy", "NotSupported"),
    ({f"{S}.runtimeClassName": "G_V"}, f"{S}.runtimeClassName", "Invalid"),
    ({f"{S}.tolerations[0].key": "a b"}, f"{S}.tolerations[0].key", "Invalid"),
    ({f"{S}.tolerations[0].key": ""}, f"{S}.tolerations[0].operator", "Invalid"),
    ({f"{S}.tolerations[0].operator": "Exists"}, f"{S}.tolerations[0].operator", "Invalid"),
    ({f"{S}.tolerations[0].operator": "In"}, f"{S}.tolerations[0].operator", "NotSupported"),
    ({f"{S}.tolerations[0].value": "a b"}, f"{S}.tolerations[0].operator", "Invalid"),
    ({f"{S}.tolerations[0].effect": "Evict"}, f"{S}.tolerations[0].effect", "NotSupported"),
    ({f"{S}.tolerations[0].tolerationSeconds": 5}, f"{S}.tolerations[0].effect", "Invalid"),
    ({f"{NODE}.{TERM}": {"nodeSelectorTerms": []}}, f"{NODE}.{TERM}.nodeSelectorTerms", "Required"),
    *[({f"{NODE}.{TERM}": {"nodeSelectorTerms": [{"matchExpressions": [{"key": "k", **rest}]}]}},
       f"{NODE}.{TERM}.nodeSelectorTerms[0].matchExpressions[0].{field}", kind) for rest, field, kind in (
        ({"operator": "In"}, "values", "Required"), ({"operator": "Exists", "values": ["a"]}, "values", "Forbidden"),
        ({"operator": "Gt", "values": ["1", "2"]}, "values", "Required"), ({"operator": "Is"}, "operator", "Invalid"),
        ({"operator": "Exists", "key": "a b"},
         "key", "Invalid"), ({"operator": "In", "values": ["!"]}, "values[0]", "Invalid"))],
    ({f"{NODE}.{TERM}": {"nodeSelectorTerms": [{"matchFields": [{"key": "x", "operator": "In", "values": ["a"]}]}]}},
     f"{NODE}.{TERM}.nodeSelectorTerms[0].matchFields[0].key", "Invalid"),
    ({f"{NODE}.{SOFT}": [{"weight": 101, "preference": {}}]}, f"{NODE}.{SOFT}[0].weight", "Invalid"),
    ({f"{PEER}.{TERM}": [{"topologyKey": ""}]}, f"{PEER}.{TERM}[0].topologyKey", "Required"),
    ({f"{PEER}.{TERM}": [{"topologyKey": "z", "namespaces": ["A"]}]}, f"{PEER}.{TERM}[0].namespace", "Invalid"),
    ({f"{PEER}.{TERM}": [{"topologyKey": "z", "labelSelector": {"matchLabels": {"a": "!"}}}]},
     f"{PEER}.{TERM}[0].labelSelector.matchLabels", "Invalid"),
    ({f"{PEER}.{TERM}": [{"topologyKey": "z", "matchLabelKeys": ["a"]}]},
     f"{PEER}.{TERM}[0].matchLabelKeys", "Forbidden"),
    ({f"{PEER}.{TERM}": [{"topologyKey": "z", "labelSelector": {}, "matchLabelKeys": ["a"],
                         "mismatchLabelKeys": ["a"]}]},
     f"{PEER}.{TERM}[0].matchLabelKeys[0]", "Invalid"),
    ({f"{PEER}.{SOFT}": [{"weight": 0, "podAffinityTerm": {"topologyKey": "z"}}]},
     f"{PEER}.{SOFT}[0].weight", "Invalid"),
    ({f"{S}.affinity.podAntiAffinity.{TERM}": [{}]}, f"{S}.affinity.podAntiAffinity.{TERM}[0].topologyKey", "Required"),
    *[({f"{S}.topologySpreadConstraints": [SPREAD | rest]},
       f"{S}.topologySpreadConstraints[0].{field}", kind) for rest, field, kind in (
        ({"maxSkew": 0}, "maxSkew", "Invalid"), ({"topologyKey": ""}, "topologyKey", "Required"),
        ({"whenUnsatisfiable": "Now"}, "whenUnsatisfiable", "NotSupported"), ({"minDomains": 0},
         "minDomains", "Invalid"),
        ({"whenUnsatisfiable": "ScheduleAnyway", "minDomains": 2}, "minDomains", "Invalid"),
        ({"nodeTaintsPolicy": "Maybe"}, "nodeTaintsPolicy", "NotSupported"),
        ({"matchLabelKeys": ["a"]}, "matchLabelKeys", "Forbidden"),
        ({"matchLabelKeys": ["a"], "labelSelector": {"matchLabels": {"a": "b"}}}, "matchLabelKeys[0]", "Invalid"),
        ({"labelSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}},
         "labelSelector.matchExpressions[0].values", "Required"))],
    ({f"{S}.topologySpreadConstraints": [SPREAD] * 2},
     f"{S}.topologySpreadConstraints[0].{{topologyKey, whenUnsatisfiable}}", "Duplicate"),
    # the rest of the spec
    ({f"{S}.restartPolicy": "Sometimes"}, f"{S}.restartPolicy", "NotSupported"),
    ({f"{S}.dnsPolicy": "Best"}, f"{S}.dnsPolicy", "NotSupported"),
    ({f"{S}.dnsPolicy": "None"}, f"{S}.dnsConfig", "Required"),
    ({f"{S}.dnsPolicy": "None", f"{S}.dnsConfig": {}}, f"{S}.dnsConfig.nameservers", "Required"),
    ({f"{S}.dnsConfig.nameservers": ["1.1.1.1"] * 4}, f"{S}.dnsConfig.nameservers", "Invalid"),
    ({f"{S}.dnsConfig.nameservers": ["here"]}, f"{S}.dnsConfig.nameservers[0]", "Invalid"),
    ({f"{S}.dnsConfig.searches": ["a"] * 33}, f"{S}.dnsConfig.searches", "Invalid"),
    ({f"{S}.dnsConfig.searches": ["A.b"]}, f"{S}.dnsConfig.searches[0]", "Invalid"),
    ({f"{S}.dnsConfig.options": [{"value": "1"}]}, f"{S}.dnsConfig.options[0]", "Required"),
    ({f"{S}.hostAliases": [{"ip": "300.1.1.1"}]}, f"{S}.hostAliases[0].ip", "Invalid"),
    ({f"{S}.hostAliases": [{"ip": "1.1.1.1", "hostnames": ["A"]}]}, f"{S}.hostAliases[0].hostnames[0]", "Invalid"),
    ({f"{S}.hostname": "a.b"}, f"{S}.hostname", "Invalid"),
    ({f"{S}.subdomain": "a.b"}, f"{S}.subdomain", "Invalid"),
    ({f"{S}.hostnameOverride": "a" * 65}, f"{S}.hostnameOverride", "TooLong"),
    ({f"{S}.hostnameOverride": "a", f"{S}.setHostnameAsFQDN": True}, f"{S}.hostnameOverride", "Forbidden"),
    ({f"{S}.serviceAccountName": "A"}, f"{S}.serviceAccountName", "Invalid"),
    ({f"{S}.serviceAccountName": ""}, f"{S}.volumes[2].projected.sources[0].serviceAccountToken", "Forbidden"),
    ({f"{S}.activeDeadlineSeconds": 0}, f"{S}.activeDeadlineSeconds", "Invalid"),
    ({f"{S}.readinessGates": [{"conditionType": "a b"}]}, f"{S}.readinessGates[0].conditionType", "Invalid"),
    # volumes
    ({f"{V}.name": "A"}, f"{V}.name", "Invalid"),
    ({f"{V}.name": ""}, f"{V}.name", "Required"),
    ({f"{S}.volumes[1].name": "scratch"}, f"{S}.volumes[1].name", "Duplicate"),
    ({f"{V}.hostPath": {"path": "/"}}, f"{V}.hostPath", "Forbidden"),
    ({f"{V}.emptyDir.sizeLimit": "-1"}, f"{V}.emptyDir.sizeLimit", "Forbidden"),
    ({f"{S}.volumes[1].persistentVolumeClaim": {"claimName": "web-eph"},
      f"{S}.volumes[3]": {"name": "eph", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}}},
     f"{S}.volumes[1].persistentVolumeClaim.claimName", "Invalid"),
]  # fmt: skip

CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
VOLUMES: list[tuple[dict[str, Any], str, str]] = [
    ({"hostPath": {}}, "hostPath.path", "Required"),
    ({"hostPath": {"path": "/a/../b"}}, "hostPath.path", "Invalid"),
    ({"hostPath": {"path": "/a", "type": "Pipe"}}, "hostPath.type", "NotSupported"),
    ({"gitRepo": {"directory": "/x"}}, "gitRepo.repository", "Required"),
    ({"gitRepo": {"repository": "r", "directory": "/x"}}, "gitRepo.directory", "Invalid"),
    ({"gcePersistentDisk": {}}, "persistentDisk.pdName", "Required"),
    ({"awsElasticBlockStore": {"volumeID": "v", "partition": 256}}, "awsElasticBlockStore.partition", "Invalid"),
    ({"secret": {}}, "secret.secretName", "Required"),
    ({"secret": {"secretName": "s", "defaultMode": 512}}, "secret.defaultMode", "Invalid"),
    ({"secret": {"secretName": "s", "items": [{"key": "k"}]}}, "secret.items[0].path", "Required"),
    ({"configMap": {"name": "c", "items": [{"key": "k", "path": "..x"}]}}, "configMap.items[0].path", "Invalid"),
    ({"configMap": {"name": "c", "items": [{"key": "", "path": "x", "mode": -1}]}},
     "configMap.items[0].mode", "Invalid"),
    ({"configMap": {}}, "configMap.name", "Required"),
    ({"nfs": {"server": "s", "path": "x"}}, "nfs.path", "Invalid"),
    ({"iscsi": {"targetPortal": "t", "iqn": "x", "lun": 0}}, "iscsi.iqn", "Invalid"),
    ({"iscsi": {"targetPortal": "t", "iqn": "iqn.2015-02.e.com:t", "lun": 256}}, "iscsi.lun", "Invalid"),
    ({"iscsi": {"targetPortal": "t", "iqn": "iqn.2015-02.e.com:t", "chapAuthSession": True}},
     "iscsi.secretRef", "Required"),
    ({"iscsi": {"targetPortal": "t" * 64, "iqn": "iqn.2015-02.e.com:t", "initiatorName": "iqn.2015-02.e.com:i"}},
     "name", "Invalid"),
    ({"glusterfs": {"path": "p"}}, "glusterfs.endpoints", "Required"),
    ({"flocker": {}}, "flocker", "Required"),
    ({"flocker": {"datasetName": "a/b"}}, "flocker.datasetName", "Invalid"),
    ({"persistentVolumeClaim": {}}, "persistentVolumeClaim.claimName", "Required"),
    ({"rbd": {"monitors": ["m"]}}, "rbd.image", "Required"),
    ({"cinder": {"volumeID": "v", "secretRef": {}}}, "cinder.secretRef.name", "Required"),
    ({"cephfs": {}}, "cephfs.monitors", "Required"),
    ({"quobyte": {"registry": "r", "volume": "v"}}, "quobyte.registry", "Invalid"),
    ({"quobyte": {"registry": "r:1"}}, "quobyte.volume", "Required"),
    ({"fc": {"targetWWNs": ["a"]}}, "fc.lun", "Required"),
    ({"fc": {}}, "fc.targetWWNs", "Required"),
    ({"flexVolume": {"driver": "d", "options": {"k8s.io/x": "1"}}}, "flexVolume.options[k8s.io/x]", "Invalid"),
    ({"azureFile": {"secretName": "s"}}, "azureFile.shareName", "Required"),
    ({"vsphereVolume": {}}, "vsphereVolume.volumePath", "Required"),
    ({"photonPersistentDisk": {}}, "photonPersistentDisk.pdID", "Required"),
    ({"portworxVolume": {}}, "portworxVolume.volumeID", "Required"),
    ({"azureDisk": {"diskName": "d", "diskURI": "x", "kind": "Managed"}}, "azureDisk.diskURI", "NotSupported"),
    ({"azureDisk": {"diskName": "d", "diskURI": "https://x", "cachingMode": "Fast"}},
     "azureDisk.cachingMode", "NotSupported"),
    ({"storageos": {"volumeName": "A"}}, "storageos.volumeName", "Invalid"),
    ({"scaleIO": {"gateway": "g", "system": "s"}}, "scaleIO.volumeName", "Required"),
    ({"csi": {}}, "csi.driver", "Required"),
    ({"csi": {"driver": "d_"}}, "csi.driver", "Invalid"),
    ({"csi": {"driver": "d", "nodePublishSecretRef": {}}}, "csi.nodePublishSecretRef.name", "Required"),
    ({"image": {}}, "image.reference", "Required"),
    ({"image": {"reference": "r", "pullPolicy": "Maybe"}}, "image.pullPolicy", "NotSupported"),
    ({"downwardAPI": {"items": [{"path": "x"}]}}, "downwardAPI", "Required"),
    ({"downwardAPI": {"items": [{"path": "x", "fieldRef": {"fieldPath": "spec.nodeName"}}]}},
     "downwardAPI.fieldRef.fieldPath", "NotSupported"),
    ({"downwardAPI": {"items": [{"path": "x", "resourceFieldRef": {"resource": "limits.cpu"}}]}},
     "downwardAPI.resourceFieldRef.containerName", "Required"),
    ({"projected": {"sources": [{"secret": {}}]}}, "projected.sources[0].secret.name", "Required"),
    ({"projected": {"sources": [{"secret": {"name": "a"}, "configMap": {"name": "b"}}]}},
     "projected.sources[0]", "Forbidden"),
    ({"projected": {"sources": [{"secret": {"name": "a", "items": [{"key": "k", "path": "p"}]}}] * 2}},
     "projected", "Invalid"),
    ({"projected": {"sources": [{"serviceAccountToken": {"path": "p", "expirationSeconds": 599}}]}},
     "projected.sources[0].serviceAccountToken.expirationSeconds", "Invalid"),
    ({"projected": {"sources": [{"serviceAccountToken": {}}]}}, "projected.path", "Required"),
    ({"projected": {"sources": [{"clusterTrustBundle": {"path": "p"}}]}},
     "projected.sources[0].clusterTrustBundle", "Required"),
    ({"projected": {"defaultMode": -1}}, "projected.defaultMode", "Invalid"),
    ({"ephemeral": {}}, "ephemeral.volumeClaimTemplate", "Required"),
    *[({"ephemeral": {"volumeClaimTemplate": {"metadata": meta, "spec": CLAIM | spec}}},
       f"ephemeral.volumeClaimTemplate.{field}", kind) for meta, spec, field, kind in (
        ({"name": "x"}, {}, "metadata.name", "Forbidden"), ({"labels": {"a": "!"}}, {}, "metadata.labels", "Invalid"),
        ({}, {"accessModes": []}, "spec.accessModes", "Required"),
        ({}, {"accessModes": ["Any"]}, "spec.accessModes", "NotSupported"),
        ({}, {"accessModes": ["ReadWriteOnce", "ReadWriteOncePod"]}, "spec.accessModes", "Forbidden"),
        ({}, {"resources": {}}, "spec.resources[storage]", "Required"),
        ({}, {"resources": {"requests": {"storage": "0"}}}, "spec.resources[storage]", "Invalid"),
        ({}, {"storageClassName": "A"}, "spec.storageClassName", "Invalid"),
        ({}, {"volumeMode": "Raw"}, "spec.volumeMode", "NotSupported"))],
]  # fmt: skip

UPDATE: list[tuple[dict[str, Any], str, str]] = [
    ({"metadata.resourceVersion": ""}, "metadata.resourceVersion", "Invalid"),
    ({"metadata.uid": "u2"}, "metadata.uid", "Invalid"),
    ({"metadata.name": "other"}, "metadata.name", "Invalid"),
    ({"metadata.creationTimestamp": "2026-01-01T00:00:00Z"}, "metadata.creationTimestamp", "Invalid"),
    ({"metadata.deletionTimestamp": "2026-01-01T00:00:00Z"}, "metadata.deletionTimestamp", "Invalid"),
    ({"metadata.finalizers": ["mine"]}, "metadata.finalizers[0]", "Invalid"),
    ({"metadata.annotations": {"kubernetes.io/config.mirror": "x"}, "spec.nodeName": "n"},
     "metadata.annotations[kubernetes.io/config.mirror]", "Forbidden"),
    ({f"{S}.containers": SPEC["containers"][:1]}, f"{S}.containers", "Forbidden"),
    ({f"{S}.initContainers": SPEC["initContainers"][1:]}, f"{S}.initContainers", "Forbidden"),
    ({f"{C}.image": ""}, f"{C}.image", "Required"),
    ({f"{C}.command": ["x"]}, S, "Forbidden"),
    ({f"{C}.resources.limits.cpu": "2"}, S, "Forbidden"),
    ({f"{S}.nodeName": "n1"}, S, "Forbidden"),
    ({f"{S}.nodeSelector": {"a": "b"}}, S, "Forbidden"),
    ({f"{S}.terminationGracePeriodSeconds": 10}, S, "Forbidden"),
    ({f"{S}.automountServiceAccountToken": False}, S, "Forbidden"),
    ({f"{S}.tolerations": []}, f"{S}.tolerations", "Forbidden"),
    ({f"{S}.tolerations[0].value": "other"}, f"{S}.tolerations", "Forbidden"),
    ({f"{S}.schedulingGates": [{"name": "late"}]}, f"{S}.schedulingGates[0].name", "Forbidden"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "field", "kind"), CREATE, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_pod_that_breaks_a_rule_is_told_where(changes: dict[str, Any], field: str, kind: str) -> None:
    assert (field, kind) in kinds(validate("", "Pod", made(changes)))


@pytest.mark.parametrize(
    ("source", "field", "kind"), VOLUMES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_volume_that_breaks_a_rule_is_told_where(source: dict[str, Any], field: str, kind: str) -> None:
    errors = validate("", "Pod", made({f"{S}.volumes[3]": {"name": "more", **source}}))
    assert (f"{S}.volumes[3].{field}", kind) in kinds(errors)


@pytest.mark.parametrize(
    ("changes", "field", "kind"), UPDATE, ids=lambda value: value if isinstance(value, str) else ""
)
def test_an_update_that_breaks_a_rule_is_told_where(changes: dict[str, Any], field: str, kind: str) -> None:
    assert (field, kind) in kinds(validate_update("", "Pod", made(changes), made({})))


def test_the_unchanged_pod_is_valid_and_may_be_updated() -> None:
    pod = made({})
    assert validate("", "Pod", pod) == []
    assert validate_update("", "Pod", made({}), pod) == []
    assert validate_status_update("", "Pod", made({}), pod) == []


@pytest.mark.parametrize(
    "changes",
    [
        {f"{C}.image": "nginx:1.28", f"{S}.initContainers[0].image": "busybox:2"},
        {f"{S}.activeDeadlineSeconds": 60},
        {f"{S}.tolerations[1]": {"operator": "Exists"}},
        {"metadata.labels": {"a": "b"}},
        {f"{S}.hostNetwork": False},
    ],
)
def test_what_may_change_in_a_pod(changes: dict[str, Any]) -> None:
    assert validate_update("", "Pod", made(changes), made({})) == []


def test_the_refusal_names_what_may_change_and_what_did() -> None:
    (error,) = validate_update("", "Pod", made({f"{C}.command": ["x"]}), made({}))
    assert error.message.startswith(
        "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
    )
    assert "containers" in error.message.splitlines()[1]


def test_a_deadline_may_only_shrink() -> None:
    old = made({f"{S}.activeDeadlineSeconds": 60})
    path = (f"{S}.activeDeadlineSeconds", "Invalid")
    assert validate_update("", "Pod", made({f"{S}.activeDeadlineSeconds": 30}), old) == []
    assert path in kinds(validate_update("", "Pod", made({f"{S}.activeDeadlineSeconds": 61}), old))
    assert path in kinds(validate_update("", "Pod", made({}), old))


def test_a_negative_grace_period_may_become_one() -> None:
    grace = f"{S}.terminationGracePeriodSeconds"
    base = {f"{C}.lifecycle": GONE}
    assert validate_update("", "Pod", made({grace: 1, **base}), made({grace: -5, **base})) == []
    assert (S, "Forbidden") in kinds(validate_update("", "Pod", made({grace: 2, **base}), made({grace: -5, **base})))


def test_a_gated_pod_may_narrow_its_choice_of_nodes_but_not_widen_it() -> None:
    terms = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Exists"}]}]}
    narrow = {"nodeSelectorTerms": [{"matchExpressions": [*terms["nodeSelectorTerms"][0]["matchExpressions"],
                                                          {"key": "b", "operator": "Exists"}]}]}  # fmt: skip
    gated = {f"{S}.schedulingGates": [{"name": "g"}], f"{S}.nodeSelector": {"x": "1"}, f"{NODE}.{TERM}": terms}
    old = made(gated)
    tighter = gated | {f"{S}.nodeSelector": {"x": "1", "y": "2"}, f"{NODE}.{TERM}": narrow, f"{S}.schedulingGates": []}
    assert validate_update("", "Pod", made(tighter), old) == []
    wider = made(gated | {f"{S}.nodeSelector": {"y": "2"}, f"{NODE}.{TERM}": {"nodeSelectorTerms": [{}]}})
    assert {(f"{S}.nodeSelector", "Invalid"), (f"{NODE}.{TERM}.nodeSelectorTerms[0]", "Invalid")} <= kinds(
        validate_update("", "Pod", wider, old)
    )


def test_finalizers_may_only_go_while_an_object_is_being_deleted() -> None:
    ending = {"metadata.deletionTimestamp": "2026-01-01T00:00:00Z", "metadata.finalizers": ["a.com/x"]}
    more = made(ending | {"metadata.finalizers": ["a.com/x", "a.com/y"]})
    assert ("metadata.finalizers", "Forbidden") in kinds(validate_update("", "Pod", more, made(ending)))
    assert validate_update("", "Pod", made(ending | {"metadata.finalizers": []}), made(ending)) == []


@pytest.mark.parametrize(
    ("status", "before", "field", "kind"),
    [
        ({"qosClass": "Guaranteed"}, {}, "status.qosClass", "Invalid"),
        ({"conditions": [{"type": "a b"}]}, {}, "metadata.conditions[0].Type", "Invalid"),
        ({"nominatedNodeName": "N"}, {}, "status.nominatedNodeName", "Invalid"),
        ({"podIPs": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}]}, {}, "status.podIPs", "Invalid"),
        ({"podIPs": [{"ip": "x"}]}, {}, "status.podIPs[0]", "Invalid"),
        ({"hostIP": "10.0.0.1", "hostIPs": [{"ip": "10.0.0.2"}]}, {}, "status.hostIPs[0].ip", "Invalid"),
        ({"resourceClaimStatuses": [{"name": "none"}]}, {}, "status.resourceClaimStatuses[0].name", "Invalid"),
        ({"containerStatuses": [{"name": "web", "state": {"running": {}}}]},
         {"containerStatuses": [{"name": "web", "state": {"terminated": {"exitCode": 0}}}]},
         "status.containerStatuses[0].state", "Forbidden"),
    ],
)  # fmt: skip
def test_a_status_that_breaks_a_rule_is_told_where(status: Any, before: Any, field: str, kind: str) -> None:
    base = {f"{S}.restartPolicy": "Never"}
    new = made(base | {f"status.{key}": value for key, value in status.items()})
    old = made(base | {f"status.{key}": value for key, value in before.items()})
    assert (field, kind) in kinds(validate_status_update("", "Pod", new, old))
    assert validate_status_update("", "Pod", old, old) == []


def test_ephemeral_containers_are_added_and_stay() -> None:
    debug = {"name": "debug", "image": "busybox:1", "targetContainerName": "web"}
    old = made({f"{S}.ephemeralContainers": [debug]})
    check = pods.validate_pod_ephemeral_containers_update
    second = {"name": "more", "image": "busybox:1"}
    assert check(made({f"{S}.ephemeralContainers": [second, debug]}), old) == []
    path = f"{S}.ephemeralContainers"
    assert (path, "Forbidden") in kinds(check(made({path: [second]}), old))
    assert (path, "Forbidden") in kinds(check(made({path: [debug | {"image": "busybox:2"}]}), old))
    for wrong, field, kind in (
        ({"ports": [{"containerPort": 1}]}, "ports", "Forbidden"),
        ({"livenessProbe": PROBE}, "livenessProbe", "Forbidden"),
        ({"name": "web"}, "name", "Duplicate"),
        ({"targetContainerName": "none"}, "targetContainerName", "NotFound"),
        (
            {"volumeMounts": [{"name": "scratch", "mountPath": "/x", "subPath": "y"}]},
            "volumeMounts[0].subPath",
            "Forbidden",
        ),
    ):
        assert (f"{path}[1].{field}", kind) in kinds(check(made({path: [debug, second | wrong]}), old))
    assert kinds(check(old, made({"metadata.annotations": {"kubernetes.io/config.mirror": "x"}}))) == {
        ("", "Forbidden")
    }


def test_resizing_changes_cpu_and_memory_only() -> None:
    old, check = made({}), pods.validate_pod_resize
    assert check(made({f"{C}.resources.limits.cpu": "2", f"{C}.resources.requests.cpu": "600m"}), old) == []
    for changes, field in (
        ({f"{C}.resources.limits.memory": GONE}, f"{C}.resources.limits"),
        ({f"{C}.resources.limits.ephemeral-storage": "1Gi"}, S),
        ({f"{C}.image": "nginx:2"}, S),
        ({f"{S}.nodeName": "n1"}, S),
        ({f"{S}.initContainers[0].resources": {"limits": {"cpu": "1"}}}, S),
    ):
        assert (field, "Forbidden") in kinds(check(made(changes), old)), changes


@pytest.mark.parametrize(
    ("changes", "field", "kind"),
    [
        ({"metadata.labels": {"a": "!"}}, "spec.template.labels", "Invalid"),
        ({"metadata.annotations": {"a b": ""}}, "spec.template.annotations", "Invalid"),
        ({f"{C}.name": ""}, f"spec.template.{C}.name", "Required"),
        ({f"{S}.ephemeralContainers": [{"name": "d", "image": "x"}]},
         "spec.template.spec.ephemeralContainers", "Forbidden"),
        ({f"{S}.hostNetwork": True, f"{C}.ports[0].hostPort": 81},
         f"spec.template.{C}.ports[0].hostPort", "Invalid"),
    ],
)  # fmt: skip
def test_a_template_that_breaks_a_rule_is_told_where(changes: dict[str, Any], field: str, kind: str) -> None:
    template = default_pod_template_spec(made(changes, defaulted=False))
    assert (field, kind) in kinds(pods.validate_pod_template_spec(template, "spec.template"))


def test_a_template_may_leave_open_what_its_pods_get() -> None:
    template = default_pod_template_spec(made({f"{S}.hostNetwork": True, f"{C}.image": " nginx"}, defaulted=False))
    assert pods.validate_pod_template_spec(template, "spec.template") == []
    assert "enableServiceLinks" not in template["spec"]
    assert "hostPort" not in template["spec"]["containers"][0]["ports"][0]
    assert template["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "500m"}


def test_kinds_without_rules_get_their_names_checked() -> None:
    assert kinds(validate("", "Namespace", {"metadata": {"name": "a.b"}})) == {("metadata.name", "Invalid")}
    role = {"metadata": {"name": "system:a", "namespace": "default"}}
    assert validate("rbac.authorization.k8s.io", "Role", role) == []
    assert validate("example.com", "Widget", {"metadata": {"name": "a.b", "namespace": "default"}}) == []
    assert ("metadata.namespace", "Forbidden") in kinds(
        validate_object_meta({"name": "a", "namespace": "b"}, False, name_is_dns_label)
    )
    assert name_is_path_segment("..") == ["may not be '..'"]
    assert name_is_path_segment("..", True) == []


def test_defaults_of_a_pod() -> None:
    given = {"metadata": {"name": "a"}, "spec": {
        "containers": [{
            "name": "c", "image": "nginx", "ports": [{"containerPort": 80}],
            "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                    {"name": "B", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}],
            "resources": {"limits": {"cpu": 0.5, "memory": "1024Mi", "a.com/gpu": "1"}, "requests": {"cpu": "100u"}},
            "livenessProbe": {"httpGet": {"port": 80}, "timeoutSeconds": 0}, "readinessProbe": {"grpc": {"port": 1}},
            "lifecycle": {"preStop": {"httpGet": {"port": 80}}}}],
        "serviceAccount": "old", "hostNetwork": True,
        "volumes": [{"name": "e"}, {"name": "s", "secret": {"secretName": "s", "defaultMode": 0}},
                    {"name": "h", "hostPath": {"path": "/"}}, {"name": "i", "image": {"reference": "a:1"}},
                    {"name": "p", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]}}  # fmt: skip
    before = json.dumps(given)
    spec = default("", "Pod", given)["spec"]
    assert json.dumps(given) == before
    container = spec["containers"][0]
    assert container["imagePullPolicy"] == "Always"
    assert container["terminationMessagePath"] == "/dev/termination-log"
    assert container["terminationMessagePolicy"] == "File"
    assert container["ports"] == [{"containerPort": 80, "protocol": "TCP", "hostPort": 80}]
    assert container["env"][0]["valueFrom"]["fieldRef"]["apiVersion"] == "v1"
    assert container["env"][1]["valueFrom"]["resourceFieldRef"]["divisor"] == "0"
    assert container["resources"] == {
        "limits": {"cpu": "500m", "memory": "1Gi", "a.com/gpu": "1"},
        "requests": {"cpu": "1m", "memory": "1Gi", "a.com/gpu": "1"},
    }
    numbers = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
    http = {"port": 80, "path": "/", "scheme": "HTTP"}
    assert container["livenessProbe"] == {"httpGet": http, **numbers}
    assert container["readinessProbe"] == {"grpc": {"port": 1, "service": ""}, **numbers}
    assert container["lifecycle"]["preStop"]["httpGet"] == http
    assert spec["volumes"][0] == {"name": "e", "emptyDir": {}}
    assert [v for v in spec["volumes"] if v["name"] in "shi"] == [
        {"name": "s", "secret": {"secretName": "s", "defaultMode": 0}},
        {"name": "h", "hostPath": {"path": "/", "type": ""}},
        {"name": "i", "image": {"reference": "a:1", "pullPolicy": "IfNotPresent"}},
    ]
    token = {"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}}
    assert spec["volumes"][4]["projected"] == {"sources": [token], "defaultMode": 420}
    rest = {key: spec[key] for key in spec.keys() - {"containers", "volumes", "hostNetwork"}}
    assert rest == {
        "serviceAccount": "old", "serviceAccountName": "old", "enableServiceLinks": True, "restartPolicy": "Always",
        "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler", "securityContext": {},
        "terminationGracePeriodSeconds": 30,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("host:5000/nginx", "Always"),
        ("host:5000/nginx:1", "IfNotPresent"),
        (f"nginx@sha256:{'0' * 64}", "IfNotPresent"),
        (f"nginx:latest@sha256:{'0' * 64}", "Always"),
        ("No Image", "IfNotPresent"),
    ],
)
def test_images_without_a_fixed_tag_are_always_pulled(image: str, policy: str) -> None:
    assert made({f"{C}.image": image})["spec"]["containers"][0]["imagePullPolicy"] == policy


def test_a_pod_with_all_defaults_is_returned_as_it_is() -> None:
    pod = made({})
    assert default("", "Pod", pod) is pod
    assert default("", "Pod", json.loads(json.dumps(pod))) == pod


def test_pods_of_one_template_share_their_spec() -> None:
    spec = made({}, defaulted=False)["spec"]
    first, second = (default("", "Pod", {"metadata": {"name": name}, "spec": spec}) for name in "ab")
    assert first["spec"] is second["spec"]


def test_a_pods_own_resources_follow_its_containers() -> None:
    limited = made({f"{S}.resources": {"limits": {"cpu": "2", "memory": "1Gi"}}})["spec"]["resources"]
    assert limited == {"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "500m", "memory": "64Mi"}}


def test_resizing_keeps_the_quality_of_service() -> None:
    bare = {f"{C}.resources": {}}
    sized = made({f"{C}.resources": {"requests": {"cpu": "1"}}})
    assert (S, "Invalid") in kinds(pods.validate_pod_resize(sized, made(bare)))


@pytest.mark.parametrize(
    ("resources", "quality"),
    [
        ([{}, {}], "BestEffort"),
        ([{"requests": {"cpu": "0"}}, {"limits": {"a.com/gpu": "1"}}], "BestEffort"),
        ([{"requests": {"cpu": "1"}}, {}], "Burstable"),
        ([{"limits": {"cpu": "1", "memory": "1"}, "requests": {"cpu": "1", "memory": "1"}}, {}], "Burstable"),
        (
            [{"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1000m", "memory": "1024Mi"}}] * 2,
            "Guaranteed",
        ),
    ],
)
def test_the_quality_of_service_follows_from_requests_and_limits(resources: list[Any], quality: str) -> None:
    assert quality_of_service({"containers": [{"resources": part} for part in resources]}) == quality


def test_all_containers_together_need_the_highest_peak() -> None:
    def one(name: str, cpu: str, **more: str) -> dict[str, Any]:
        return {"name": name, "resources": {"requests": {"cpu": cpu}}, **more}

    spec = {
        "initContainers": [one("side", "1", restartPolicy="Always"), one("setup", "5")],
        "containers": [one("a", "2"), one("b", "500m")],
    }
    assert str(aggregate(spec, "requests")["cpu"]) == "6"
    assert str(aggregate(spec | {"initContainers": spec["initContainers"][:1]}, "requests")["cpu"]) == "3500m"


MANIFESTS: list[dict[str, Any]] = [
    {"containers": [{"name": "pause", "image": "registry.k8s.io/pause:3.10"}]},
    {"containers": [{"name": "a", "image": "nginx", "resources": {"limits": {"nvidia.com/gpu": 1, "cpu": 2}}}],
     "nodeSelector": {"disk": "ssd"}, "priorityClassName": "system-node-critical",
     "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway",
                                    "labelSelector": {"matchLabels": {"a": "b"}}, "matchLabelKeys": ["c"]}]},
    {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet",
     "containers": [{"name": "agent", "image": "agent:1", "ports": [{"containerPort": 9100}],
                     "securityContext": {"privileged": True, "capabilities": {"add": ["NET_ADMIN"]}},
                     "volumeMounts": [{"name": "run", "mountPath": "/run", "mountPropagation": "Bidirectional"}]}],
     "tolerations": [{"operator": "Exists"}, {"key": "a", "effect": "NoExecute", "tolerationSeconds": 0}],
     "volumes": [{"name": "run", "hostPath": {"path": "/run", "type": "Directory"}}]},
    {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["10.0.0.10"], "searches": ["a_b.svc.", "."]},
     "hostAliases": [{"ip": "127.0.0.1", "hostnames": ["foo.local"]}], "hostname": "h", "subdomain": "s",
     "containers": [{"name": "a", "image": "busybox:1", "command": ["sh"],
                     "resources": {"claims": [{"name": "gpu", "request": "one"}]},
                     "envFrom": [{"prefix": "X.", "secretRef": {"name": "s"}}],
                     "volumeMounts": [{"name": "c", "mountPath": "/c", "subPath": "x/y"},
                                      {"name": "c", "mountPath": "/d", "readOnly": True,
                                       "recursiveReadOnly": "Enabled"}]}],
     "resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "t"}],
     "volumes": [{"name": "c", "configMap": {"name": "c", "items": [{"key": "k", "path": "a/b", "mode": 256}]}}]},
    {"restartPolicy": "Never", "schedulingGates": [{"name": "example.com/wait"}],
     "readinessGates": [{"conditionType": "example.com/ready"}],
     "affinity": {"podAntiAffinity": {SOFT: [{"weight": 100, "podAffinityTerm": {
         "topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "db"}}}}]}},
     "initContainers": [{"name": "side", "image": "p:1", "restartPolicy": "Always", "startupProbe": PROBE}],
     "containers": [{"name": "db", "image": "postgres:17", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}],
     "volumes": [{"name": "data", "ephemeral": {"volumeClaimTemplate": {"spec": CLAIM}}}]},
]  # fmt: skip


@pytest.mark.parametrize("spec", MANIFESTS)
def test_realistic_pods_are_valid_with_their_defaults(spec: dict[str, Any]) -> None:
    pod = default("", "Pod", {"metadata": {"name": "a", "namespace": "default"}, "spec": spec})
    assert validate("", "Pod", pod) == []
    assert pods.validate_pod_template_spec(default_pod_template_spec({"spec": spec}), "spec.template") == []
