"""refkube.registry.tables: what `kubectl get` shows of every kind."""

import pytest
from refkube.api import schema
from refkube.api.kinds import KINDS, by_api_version
from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.rest import WatchEvent
from refkube.engine.clock import rfc3339
from refkube.registry import tables
from refkube.registry.tables.columns import COLUMNS, human_duration
from refkube.registry.tables.printers import PRINTERS

NOW = 1_770_000_000.0


def ago(seconds):
    return rfc3339(NOW - seconds)


def made(api_version, kind, /, name="x", age=3600, meta=None, **parts):
    metadata = {"name": name, "creationTimestamp": ago(age), **(meta or {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **parts}


def shown(obj):
    """The cells by column."""
    table = tables.table(by_api_version(obj["apiVersion"], obj["kind"]), obj, "None", NOW)
    columns = [column["name"] for column in table["columnDefinitions"]]
    return dict(zip(columns, table["rows"][0]["cells"], strict=True))


def container(name="c", **told):
    return {"name": name, "ready": False, "restartCount": 0, "state": {}, **told}


RUNNING = {"running": {"startedAt": ago(50)}}


def ended(code=0, reason="", seconds=300, **told):
    return {
        "terminated": {"exitCode": code, "finishedAt": ago(seconds), **({"reason": reason} if reason else {}), **told}
    }


def waiting(reason):
    return {"waiting": {"reason": reason}}


def pod(status=None, spec=None, **meta):
    return made("v1", "Pod", meta=meta, spec={"containers": [{"name": "c"}], **(spec or {})}, status=status or {})


INIT = {"initContainers": [{"name": "i"}, {"name": "j"}]}
SIDECAR = {"initContainers": [{"name": "side", "restartPolicy": "Always"}]}
TRUE = {"status": "True"}


@pytest.mark.parametrize(
    ("obj", "ready", "status", "restarts"),
    [
        (pod({"phase": "Pending"}), "0/1", "Pending", "0"),
        (pod({"phase": "Running", "containerStatuses": [container(ready=True, state=RUNNING)]}), "1/1", "Running", "0"),
        (
            pod({"phase": "Pending", "containerStatuses": [container(state=waiting("ContainerCreating"))]}),
            "0/1", "ContainerCreating", "0",
        ),
        (
            pod({
                "phase": "Running",
                "containerStatuses": [container(restartCount=3, state=waiting("CrashLoopBackOff"),
                                                lastState=ended(1, "Error"))],
            }),
            "0/1", "CrashLoopBackOff", "3 (5m ago)",
        ),
        (pod({"phase": "Succeeded", "containerStatuses": [container(state=ended(0, "Completed"))]}),
         "0/1", "Completed", "0"),
        (pod({"phase": "Failed", "containerStatuses": [container(state=ended(2))]}), "0/1", "ExitCode:2", "0"),
        (pod({"phase": "Failed", "containerStatuses": [container(state=ended(137, signal=9))]}),
         "0/1", "Signal:9", "0"),
        (pod({"phase": "Failed", "reason": "Evicted"}), "0/1", "Evicted", "0"),
        (pod({"phase": "Running"}, deletionTimestamp=ago(1)), "0/1", "Terminating", "0"),
        (pod({"phase": "Succeeded"}, deletionTimestamp=ago(1)), "0/1", "Succeeded", "0"),
        (pod({"phase": "Running", "reason": "NodeLost"}, deletionTimestamp=ago(1)), "0/1", "Unknown", "0"),
        (pod({"phase": "Pending", "conditions": [{"type": "PodScheduled", "reason": "SchedulingGated"}]}),
         "0/1", "SchedulingGated", "0"),
        (pod({"phase": "Pending", "initContainerStatuses": [container("i", state=RUNNING), container("j")]}, INIT),
         "0/1", "Init:0/2", "0"),
        (pod({"phase": "Pending",
              "initContainerStatuses": [container("i", state=ended()),
                                        container("j", state=waiting("PodInitializing"))]}, INIT),
         "0/1", "Init:1/2", "0"),
        (pod({"phase": "Pending",
              "initContainerStatuses": [container("i", restartCount=2, state=waiting("CrashLoopBackOff"),
                                                  lastState=ended(1, seconds=61))]}, INIT),
         "0/1", "Init:CrashLoopBackOff", "2 (61s ago)"),
        (pod({"phase": "Failed", "initContainerStatuses": [container("i", state=ended(1, "Error"))]}, INIT),
         "0/1", "Init:Error", "0"),
        (pod({"phase": "Failed", "initContainerStatuses": [container("i", state=ended(3))]}, INIT),
         "0/1", "Init:ExitCode:3", "0"),
        # init containers' restarts are forgotten once they are done, sidecars' are not
        (pod({"phase": "Running", "initContainerStatuses": [container("i", restartCount=7, state=ended())],
              "containerStatuses": [container(ready=True, state=RUNNING)]}, INIT),
         "1/1", "Running", "0"),
        (pod({"phase": "Running",
              "initContainerStatuses": [container("side", ready=True, started=True, restartCount=4, state=RUNNING)],
              "containerStatuses": [container(ready=True, state=RUNNING)]}, SIDECAR),
         "2/2", "Running", "4"),
        # one of two has completed
        (pod({"phase": "Running", "conditions": [{"type": "Ready", **TRUE}],
              "containerStatuses": [container(state=ended(0, "Completed")), container(ready=True, state=RUNNING)]}),
         "1/1", "Running", "0"),
        (pod({"phase": "Running",
              "containerStatuses": [container(state=ended(0, "Completed")), container(ready=True, state=RUNNING)]}),
         "1/1", "NotReady", "0"),
        (pod({"phase": "Failed",
              "containerStatuses": [container(state=ended(0, "Completed")), container(state=ended(1, "Error"))]}),
         "0/1", "Error", "0"),
    ],
)  # fmt: skip
def test_a_pod_in_one_word(obj, ready, status, restarts):
    cells = shown(obj)
    assert (cells["Ready"], cells["Status"], cells["Restarts"]) == (ready, status, restarts)


def test_a_wide_pod():
    obj = pod(
        {"podIPs": [{"ip": "10.0.0.1"}], "nominatedNodeName": "n2", "conditions": [{"type": "a", **TRUE}]},
        {"nodeName": "n1", "readinessGates": [{"conditionType": "a"}, {"conditionType": "b"}]},
    )
    cells = shown(obj)
    wide = [cells[name] for name in ("IP", "Node", "Nominated Node", "Readiness Gates")]
    assert wide == ["10.0.0.1", "n1", "n2", "1/2"]
    assert [shown(pod())[name] for name in ("IP", "Node", "Nominated Node", "Readiness Gates")] == ["<none>"] * 4


TEMPLATE = {"spec": {"containers": [{"name": "a", "image": "x:1"}, {"name": "b", "image": "y"}]}}
SELECTOR = {"matchLabels": {"app": "w"}, "matchExpressions": [{"key": "e", "operator": "In", "values": ["2", "1"]}]}


def service(type="ClusterIP", ips=("10.0.0.1",), status=None, **spec):
    port = {"port": 80, "protocol": "TCP"}
    return made(
        "v1", "Service", spec={"type": type, "clusterIPs": list(ips), "ports": [port], **spec}, status=status or {}
    )


def balancer(*points):
    return {"loadBalancer": {"ingress": list(points)}}


def metric(type, source, target, **told):
    return {"type": type, source: {**told, "target": target}}


@pytest.mark.parametrize(
    ("obj", "cells"),
    [
        (made("apps/v1", "Deployment", spec={"replicas": 3, "template": TEMPLATE, "selector": SELECTOR},
              status={"readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 1}),
         ["x", "2/3", 3, 1, "60m", "a,b", "x:1,y", "app=w,e in (1,2)"]),
        (made("apps/v1", "ReplicaSet", spec={"replicas": 3, "template": TEMPLATE, "selector": SELECTOR},
              status={"replicas": 2}),
         ["x", 3, 2, 0, "60m", "a,b", "x:1,y", "app=w,e in (1,2)"]),
        (made("v1", "ReplicationController",
              spec={"replicas": 1, "template": TEMPLATE, "selector": {"b": "2", "a": "1"}}),
         ["x", 1, 0, 0, "60m", "a,b", "x:1,y", "a=1,b=2"]),
        (made("apps/v1", "StatefulSet", spec={"replicas": 2, "template": TEMPLATE}, status={"readyReplicas": 1}),
         ["x", "1/2", "60m", "a,b", "x:1,y"]),
        (made("apps/v1", "DaemonSet", spec={"template": {"spec": {"nodeSelector": {"disk": "ssd"}}}},
              status={"desiredNumberScheduled": 5, "currentNumberScheduled": 4, "numberReady": 3,
                      "updatedNumberScheduled": 2, "numberAvailable": 1}),
         ["x", 5, 4, 3, 2, 1, "disk=ssd", "60m", "", "", "<none>"]),
        (made("batch/v1", "Job", spec={"completions": 3, "template": TEMPLATE},
              status={"succeeded": 3, "startTime": ago(600), "completionTime": ago(500),
                      "conditions": [{"type": "Complete", **TRUE}]}),
         ["x", "Complete", "3/3", "100s", "60m", "a,b", "x:1,y", "<none>"]),
        (made("batch/v1", "Job", spec={"parallelism": 4}, status={"startTime": ago(130)}),
         ["x", "Running", "0/1 of 4", "2m10s", "60m", "", "", "<none>"]),
        (made("batch/v1", "CronJob", spec={"schedule": "* * * * *", "suspend": False, "timeZone": "Europe/Rome"},
              status={"active": [{}], "lastScheduleTime": ago(30)}),
         ["x", "* * * * *", "Europe/Rome", "False", 1, "30s", "60m", "", "", "<none>"]),
        (service(selector={"app": "w"}), ["x", "ClusterIP", "10.0.0.1", "<none>", "80/TCP", "60m", "app=w"]),
        (service("NodePort", externalIPs=["1.2.3.4"],
                 ports=[{"port": 80, "nodePort": 30080, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]),
         ["x", "NodePort", "10.0.0.1", "1.2.3.4", "80:30080/TCP,53/UDP", "60m", "<none>"]),
        (service("LoadBalancer"), ["x", "LoadBalancer", "10.0.0.1", "<pending>", "80/TCP", "60m", "<none>"]),
        (service("LoadBalancer", externalIPs=["9.9.9.9"],
                 status=balancer({"hostname": "b.example"}, {"ip": "1.1.1.1"})),
         ["x", "LoadBalancer", "10.0.0.1", "1.1.1.1,b.example,9.9.9.9", "80/TCP", "60m", "<none>"]),
        (service("ExternalName", ips=(), externalName="e.example", ports=[]),
         ["x", "ExternalName", "<none>", "e.example", "<none>", "60m", "<none>"]),
        (service(ips=("None",)), ["x", "ClusterIP", "None", "<none>", "80/TCP", "60m", "<none>"]),
        (made("networking.k8s.io/v1", "Ingress",
              spec={"ingressClassName": "n", "rules": [{"host": h} for h in "abcde"], "tls": [{}]},
              status=balancer({"ip": "1.1.1.1"})),
         ["x", "n", "a,b,c + 2 more...", "1.1.1.1", "80, 443", "60m"]),
        (made("networking.k8s.io/v1", "Ingress", spec={"rules": [{"host": h} for h in "aba"]}),
         ["x", "<none>", "a,b,a", "", "80", "60m"]),
        (made("networking.k8s.io/v1", "IngressClass",
              spec={"controller": "c.io/c", "parameters": {"apiGroup": "g.io", "kind": "P", "name": "p"}}),
         ["x", "c.io/c", "P.g.io/p", "60m"]),
        (made("v1", "Endpoints", subsets=[{"addresses": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}],
                                           "ports": [{"port": 80}, {"port": 443}]}]),
         ["x", "10.0.0.1:80,[fd00::1]:80,10.0.0.1:443 + 1 more...", "60m"]),
        (made("v1", "Endpoints", subsets=[{"addresses": [{"ip": "10.0.0.1"}]}]), ["x", "10.0.0.1", "60m"]),
        (made("v1", "Endpoints"), ["x", "<none>", "60m"]),
        (made("discovery.k8s.io/v1", "EndpointSlice", addressType="IPv4", ports=[{"port": 80}, {"name": "web"}, {}],
              endpoints=[{"addresses": [f"10.0.0.{i}"]} for i in range(5)]),
         ["x", "IPv4", "80,web,*", "10.0.0.0,10.0.0.1,10.0.0.2 + 2 more...", "60m"]),
        (made("v1", "Node",
              meta={"labels": {"node-role.kubernetes.io/control-plane": "", "kubernetes.io/role": "edge"}},
              spec={"unschedulable": True},
              status={"conditions": [{"type": "Ready", **TRUE}],
                      "addresses": [{"type": "InternalIP", "address": "1.1.1.1"}],
                      "nodeInfo": {"kubeletVersion": "v1.36.0", "osImage": "Debian"}}),
         ["x", "Ready,SchedulingDisabled", "control-plane,edge", "60m", "v1.36.0", "1.1.1.1", "<none>", "Debian",
          "<unknown>", "<unknown>"]),
        (made("v1", "Node", status={"conditions": [{"type": "Ready", "status": "Unknown"}]}),
         ["x", "NotReady", "<none>", "60m", "", "<none>", "<none>", "<unknown>", "<unknown>", "<unknown>"]),
        (made("v1", "Event", type="Warning", reason="Failed", message=" no \n", count=4, firstTimestamp=ago(100),
              lastTimestamp=ago(10), involvedObject={"kind": "Pod", "name": "p", "fieldPath": "spec"},
              source={"component": "kubelet", "host": "n1"}),
         ["10s", "Warning", "Failed", "pod/p", "spec", "kubelet, n1", "no", "100s", 4, "x"]),
        (made("events.k8s.io/v1", "Event", type="Normal", reason="R", note="n", eventTime=ago(100),
              regarding={"kind": "Node", "name": "n1"}, reportingController="c",
              series={"count": 7, "lastObservedTime": ago(5)}),
         ["5s", "Normal", "R", "node/n1", "", "c", "n", "100s", 7, "x"]),
        (made("v1", "Namespace", status={"phase": "Active"}), ["x", "Active", "60m"]),
        (made("v1", "Secret", type="Opaque", data={"a": "", "b": ""}), ["x", "Opaque", 2, "60m"]),
        (made("v1", "ConfigMap", data={"a": ""}, binaryData={"b": ""}), ["x", 2, "60m"]),
        (made("v1", "ServiceAccount"), ["x", "60m"]),
        (made("v1", "PersistentVolume", status={"phase": "Bound"},
              spec={"capacity": {"storage": "1024Mi"}, "accessModes": ["ReadWriteMany", "ReadWriteOnce"],
                    "persistentVolumeReclaimPolicy": "Retain", "claimRef": {"namespace": "n", "name": "c"},
                    "storageClassName": "fast", "volumeMode": "Filesystem"}),
         ["x", "1Gi", "RWO,RWX", "Retain", "Bound", "n/c", "fast", "<unset>", "", "60m", "Filesystem"]),
        (made("v1", "PersistentVolumeClaim", spec={"volumeName": "v", "storageClassName": "fast"},
              status={"phase": "Bound", "accessModes": ["ReadWriteOncePod"], "capacity": {"storage": "5Gi"}}),
         ["x", "Bound", "v", "5Gi", "RWOP", "fast", "<unset>", "60m", "<unset>"]),
        (made("v1", "PersistentVolumeClaim", meta={"deletionTimestamp": ago(1)}, status={"phase": "Pending"}),
         ["x", "Terminating", "", "", "", "", "<unset>", "60m", "<unset>"]),
        (made("storage.k8s.io/v1", "StorageClass", provisioner="p", volumeBindingMode="WaitForFirstConsumer",
              meta={"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}),
         ["x (default)", "p", "Delete", "WaitForFirstConsumer", False, "60m"]),
        (made("v1", "ResourceQuota",
              status={"hard": {"pods": "5", "limits.cpu": "2", "cpu": "1000m"}, "used": {"pods": "2"}}),
         ["x", "cpu: 0/1, pods: 2/5", "limits.cpu: 0/2", "60m"]),
        (made("certificates.k8s.io/v1", "CertificateSigningRequest",
              spec={"signerName": "s", "username": "u", "expirationSeconds": 86400},
              status={"conditions": [{"type": "Approved", **TRUE}], "certificate": "aGk="}),
         ["x", "60m", "s", "u", "24h", "Approved,Issued"]),
        (made("coordination.k8s.io/v1", "Lease", spec={"holderIdentity": "me"}), ["x", "me", "60m"]),
        (made("autoscaling/v2", "HorizontalPodAutoscaler",
              spec={"scaleTargetRef": {"kind": "Deployment", "name": "d"}, "minReplicas": 1, "maxReplicas": 5,
                    "metrics": [
                  metric("Resource", "resource", {"averageUtilization": 80}, name="cpu"),
                  metric("Pods", "pods", {"averageValue": "100"}),
                  metric("Object", "object", {"value": "2k"})]},
              status={"currentReplicas": 2,
                      "currentMetrics": [{"type": "Resource", "resource": {"current": {"averageUtilization": 10}}}]}),
         ["x", "Deployment/d", "cpu: 10%/80%, <unknown>/100 + 1 more...", "1", 5, 2, "60m"]),
        (made("autoscaling/v1", "HorizontalPodAutoscaler",
              spec={"scaleTargetRef": {"kind": "Deployment", "name": "d"}, "maxReplicas": 5,
                    "targetCPUUtilizationPercentage": 70}),
         ["x", "Deployment/d", "cpu: <unknown>/70%", "<unset>", 5, 0, "60m"]),
        (made("networking.k8s.io/v1", "NetworkPolicy", spec={"podSelector": {}}), ["x", "<none>", "60m"]),
        (made("scheduling.k8s.io/v1", "PriorityClass", value=1000, preemptionPolicy="Never"),
         ["x", 1000, False, "60m", "Never"]),
        (made("rbac.authorization.k8s.io/v1", "RoleBinding", roleRef={"kind": "Role", "name": "r"},
              subjects=[{"kind": "User", "name": "u"}, {"kind": "User", "name": "v"}, {"kind": "Group", "name": "g"},
                        {"kind": "ServiceAccount", "namespace": "n", "name": "s"}]),
         ["x", "Role/r", "60m", "u, v", "g", "n/s"]),
        (made("rbac.authorization.k8s.io/v1", "Role"), ["x", ago(3600)]),
        (made("apps/v1", "ControllerRevision", revision=2,
              meta={"ownerReferences": [
                  {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "s", "controller": True}]}),
         ["x", "statefulset.apps/s", 2, "60m"]),
        (made("policy/v1", "PodDisruptionBudget", spec={"minAvailable": "50%"}, status={"disruptionsAllowed": 1}),
         ["x", "50%", "N/A", 1, "60m"]),
        (made("flowcontrol.apiserver.k8s.io/v1", "PriorityLevelConfiguration",
              spec={"type": "Limited",
                    "limited": {"nominalConcurrencyShares": 30, "limitResponse": {"type": "Reject"}}}),
         ["x", "Limited", 30, "<none>", "<none>", "<none>", "60m"]),
        (made("networking.k8s.io/v1", "IPAddress",
              spec={"parentRef": {"resource": "services", "namespace": "n", "name": "s"}}),
         ["x", "services/n/s"]),
        (made("apiregistration.k8s.io/v1", "APIService", spec={"service": {"namespace": "n", "name": "s"}},
              status={"conditions": [{"type": "Available", "status": "False", "reason": "MissingEndpoints"}]}),
         ["x", "n/s", "False (MissingEndpoints)", "60m"]),
        (made("storage.k8s.io/v1", "CSIDriver", spec={"tokenRequests": [{"audience": "a"}, {"audience": "b"}]}),
         ["x", True, False, False, "a,b", False, "<none>", "60m"]),
        (made("storage.k8s.io/v1", "VolumeAttachment", spec={"attacher": "a", "nodeName": "n", "source": {}}),
         ["x", "a", "", "n", False, "60m"]),
        (made("resource.k8s.io/v1", "ResourceClaim", status={"allocation": {}, "reservedFor": [{}]}),
         ["x", "allocated,reserved", "60m"]),
        (made("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", webhooks=[{}, {}]), ["x", 2, "60m"]),
        (made("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding",
              spec={"policyName": "p", "paramRef": {"name": "q"}}),
         ["x", "p", "*/q", "60m"]),
    ],
)  # fmt: skip
def test_cells(obj, cells):
    kind = by_api_version(obj["apiVersion"], obj["kind"])
    table = tables.table(kind, obj, "None", NOW)
    assert table["rows"] == [{"cells": cells, "object": None}]
    assert len(table["columnDefinitions"]) == len(cells)


def test_a_scale_is_shown_as_one_whatever_it_scales():
    scale = made("autoscaling/v1", "Scale", spec={"replicas": 3}, status={"replicas": 2})
    assert tables.table(by_api_version("apps/v1", "Deployment"), scale, "None", NOW)["rows"][0]["cells"] == [
        "x",
        3,
        2,
        "60m",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-2, "<invalid>"), (-1, "0s"), (0.9, "0s"), (119, "119s"), (120, "2m"), (599, "9m59s"), (600, "10m"),
        (3 * 3600 - 1, "179m"), (3 * 3600, "3h"), (8 * 3600 - 1, "7h59m"), (8 * 3600, "8h"), (48 * 3600 - 1, "47h"),
        (48 * 3600, "2d"), (8 * 86400 - 1, "7d23h"), (8 * 86400, "8d"), (730 * 86400, "2y"), (731 * 86400, "2y1d"),
        (3000 * 86400, "8y"),
    ],
)  # fmt: skip
def test_durations(seconds, text):
    assert human_duration(seconds) == text


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.resource}/{kind.version}")
def test_every_kind_has_columns_and_shows_an_empty_object(kind):
    table = tables.table(kind, made(kind.api_version, kind.kind), "", NOW)
    assert len(table["rows"][0]["cells"]) == len(table["columnDefinitions"])
    assert "x" in table["rows"][0]["cells"]
    assert {"name", "type", "format", "description", "priority"} == set(table["columnDefinitions"][0])


def test_every_printer_belongs_to_a_published_definition():
    published = {name.rpartition(".apis.")[2].removeprefix("io.k8s.api.") for name in schema.schema().definitions}
    assert set(PRINTERS) == set(COLUMNS)
    assert set(PRINTERS) <= published


POD = by_api_version("v1", "Pod")


def test_a_list_keeps_its_metadata_and_its_items_as_asked():
    item = {"metadata": {"name": "p", "labels": {"a": "b"}}, "spec": {"containers": []}, "status": {"phase": "Failed"}}
    meta = {"resourceVersion": "7", "continue": "c", "remainingItemCount": 3}
    listed = {"kind": "PodList", "apiVersion": "v1", "metadata": meta, "items": [item]}
    table = tables.table(POD, listed, "", NOW)
    assert (table["kind"], table["apiVersion"], table["metadata"]) == ("Table", "meta.k8s.io/v1", meta)
    (row,) = table["rows"]
    assert row["object"] == {
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": item["metadata"],
    }  # fmt: skip
    assert row["conditions"][0]["reason"] == "Failed"
    (row,) = tables.table(POD, listed, "Object", NOW)["rows"]
    assert row["object"] == {"kind": "Pod", "apiVersion": "v1", **item}
    assert tables.partial_list(listed)["metadata"] == meta
    assert [entry["metadata"] for entry in tables.partial_list(listed)["items"]] == [item["metadata"]]
    with pytest.raises(StatusError) as caught:
        tables.table(POD, listed, "Everything", NOW)
    assert caught.value.code == 400


def test_only_the_first_event_of_a_watch_has_headers():
    event = WatchEvent("ADDED", {**pod(), "metadata": {"name": "p", "resourceVersion": "7"}})
    first, second = (tables.table_event(POD, event, "", NOW, first) for first in (True, False))
    assert (first.type, first.object["metadata"]) == ("ADDED", {"resourceVersion": "7"})
    assert first.object["columnDefinitions"][0]["name"] == "Name"
    assert second.object["columnDefinitions"] is None
    assert first.object["rows"] == second.object["rows"]
    assert first.object["rows"][0]["cells"][4] == "<unknown>"
    error = WatchEvent("ERROR", {"kind": "Status", "apiVersion": "v1", "code": 410})
    assert tables.table_event(POD, error, "", NOW, True).object == error.object


def test_flow_schemas_stand_in_the_order_they_match():
    kind = by_api_version("flowcontrol.apiserver.k8s.io/v1", "FlowSchema")
    items = [{"metadata": {"name": n}, "spec": {"matchingPrecedence": p}} for n, p in (("c", 2), ("b", 9), ("a", 2))]
    table = tables.table(kind, {"kind": "FlowSchemaList", "metadata": {}, "items": items}, "None", NOW)
    assert [row["cells"][0] for row in table["rows"]] == ["a", "c", "b"]
