"""What the columns of every kind show (kubernetes/pkg/printers/internalversion/printers.go; of an APIService,
kube-aggregator/pkg/registry/apiservice/etcd).

`registry.tables` asks PRINTERS by definition; the cells of Name and Age are put in there. The printers stand in
upstream's order, each before its helpers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from refkube.apimachinery import quantity
from refkube.apimachinery.meta import (
    Object,
    annotations_of,
    condition_is_true,
    condition_of,
    get_path,
    is_terminating,
    labels_of,
    metadata_of,
    name_of,
)
from refkube.apimachinery.selectors import from_label_selector
from refkube.engine.clock import parse_rfc3339
from refkube.registry.tables.columns import AGE, COLUMNS, NAME, UNKNOWN, Cells, Column, Printer, human_duration, since

Print = Callable[[Object, float], Cells]
NONE, UNSET = "<none>", "<unset>"

PRINTERS: dict[str, Printer] = {}  # by definition: "core.v1.Pod"


def _prints(*definitions: str) -> Callable[[Print], Print]:
    def register(cells: Print) -> Print:
        PRINTERS.update({definition: Printer(COLUMNS[definition], cells) for definition in definitions})
        return cells

    return register


@_prints("core.v1.Pod")
def _pod(pod: Object, now: float) -> Cells:
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    total = len(spec.get("containers") or ()) + len(_sidecars(spec))
    ready, restarts, last_restart, shown = _pod_state(spec, status, pod)
    if is_terminating(pod) and status.get("reason") == "NodeLost":
        shown = "Unknown"
    elif is_terminating(pod) and status.get("phase") not in ("Succeeded", "Failed"):
        shown = "Terminating"
    restarted = f"{restarts} ({since(last_restart, now)} ago)" if restarts and last_restart else str(restarts)
    ip = next((entry.get("ip") for entry in status.get("podIPs") or ()), None)
    wide = [ip or NONE, spec.get("nodeName") or NONE, status.get("nominatedNodeName") or NONE, _gates(pod, spec)]
    return [f"{ready}/{total}", shown, restarted, *wide]


def _sidecars(spec: Object) -> set[str]:
    return {c["name"] for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"}


def _pod_state(spec: Object, status: Object, pod: Object) -> tuple[int, int, str, str]:
    """Ready containers, restarts, time of the last restart ("" for never), and the word for all of it.

    A Pod that still initialises tells of its init containers only; later, of its sidecars and containers."""
    shown = status.get("reason") or status.get("phase") or ""
    if (condition_of(pod, "PodScheduled") or {}).get("reason") == "SchedulingGated":
        shown = "SchedulingGated"
    sidecars, ready, blocked = _sidecars(spec), 0, ""
    seen: list[Object] = []  # init containers up to the one that runs or failed
    for index, container in enumerate(status.get("initContainerStatuses") or ()):
        seen.append(container)
        terminated = get_path(container, "state", "terminated")
        if terminated is not None and not terminated.get("exitCode"):
            continue
        if container.get("name") in sidecars and container.get("started"):
            ready += bool(container.get("ready"))
            continue
        waiting = get_path(container, "state", "waiting", "reason")
        if terminated is not None:
            blocked = "Init:" + _ended(terminated)
        elif waiting and waiting != "PodInitializing":
            blocked = "Init:" + waiting
        else:
            blocked = f"Init:{index}/{len(spec.get('initContainers') or ())}"
        break
    shown = blocked or shown
    if not blocked or condition_is_true(pod, "Initialized"):
        seen = [container for container in seen if container.get("name") in sidecars]
        seen += status.get("containerStatuses") or ()
        running, shown = _main_containers(status, shown, pod)
        ready += running
    restarts = sum(container.get("restartCount", 0) for container in seen)
    # RFC 3339 in UTC with whole seconds: the latest is the greatest string
    ends = (_text(container, "lastState", "terminated", "finishedAt") for container in seen)
    return ready, restarts, max(ends, default=""), shown


def _main_containers(status: Object, shown: str, pod: Object) -> tuple[int, str]:
    """How many run ready, and the word: of several containers' reasons the first one's is shown."""
    running, failure = 0, ""
    for container in reversed(status.get("containerStatuses") or ()):
        state = container.get("state") or {}
        if _text(state, "waiting", "reason"):
            shown = state["waiting"]["reason"]
        elif state.get("terminated") is not None:
            shown = _ended(state["terminated"])
            failure = shown if state["terminated"].get("exitCode") else failure
        elif container.get("ready") and state.get("running") is not None:
            running += 1
    if shown == "Completed":  # some have ended well; the Pod is what the others are
        if running and condition_is_true(pod, "Ready"):
            shown = "Running"
        elif failure:
            shown = failure
        elif running:
            shown = "NotReady"
    return running, shown


def _ended(terminated: Object) -> str:
    if terminated.get("reason"):
        return terminated["reason"]
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _gates(pod: Object, spec: Object) -> str:
    gates = spec.get("readinessGates") or ()
    met = sum(condition_is_true(pod, gate["conditionType"]) for gate in gates)
    return f"{met}/{len(gates)}" if gates else NONE


@_prints("core.v1.PodTemplate")
def _pod_template(o: Object, _: float) -> Cells:
    template = o.get("template") or {}
    return [*_containers(template), _labels(labels_of(template))]


@_prints("policy.v1.PodDisruptionBudget")
def _disruption_budget(o: Object, _: float) -> Cells:
    bounds = [str(get_path(o, "spec", bound, default="N/A")) for bound in ("minAvailable", "maxUnavailable")]
    return [*bounds, _number(o, "status", "disruptionsAllowed")]


@_prints("core.v1.ReplicationController")
def _replication_controller(o: Object, _: float) -> Cells:
    return [*_replicas(o), _labels(get_path(o, "spec", "selector"))]


@_prints("apps.v1.ReplicaSet")
def _replica_set(o: Object, _: float) -> Cells:
    return [*_replicas(o), _selector(get_path(o, "spec", "selector"))]


def _replicas(o: Object) -> Cells:
    counts = [_number(o, "spec", "replicas"), _number(o, "status", "replicas"), _number(o, "status", "readyReplicas")]
    return [*counts, *_containers(get_path(o, "spec", "template"))]


@_prints("apps.v1.DaemonSet")
def _daemon_set(o: Object, _: float) -> Cells:
    counted = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled",
               "numberAvailable")  # fmt: skip
    template = get_path(o, "spec", "template", default={})
    wide = [*_containers(template), _selector(get_path(o, "spec", "selector"))]
    nodes = _labels(get_path(template, "spec", "nodeSelector"))
    return [*(_number(o, "status", count) for count in counted), nodes, *wide]


@_prints("batch.v1.Job")
def _job(o: Object, now: float) -> Cells:
    spec, status = o.get("spec") or {}, o.get("status") or {}
    done, wanted, parallel = status.get("succeeded", 0), spec.get("completions"), spec.get("parallelism") or 0
    if wanted is not None:
        completions = f"{done}/{wanted}"
    else:
        completions = f"{done}/1 of {parallel}" if parallel > 1 else f"{done}/1"
    started, ended = status.get("startTime"), status.get("completionTime")
    took = since(started, parse_rfc3339(ended) if ended else now) if started else ""
    wide = [*_containers(spec.get("template")), _selector(spec.get("selector"))]
    return [_job_status(o), completions, took, *wide]


def _job_status(o: Object) -> str:
    for condition, shown in (("Complete", "Complete"), ("Failed", "Failed"), ("", "Terminating"),
                             ("Suspended", "Suspended"), ("FailureTarget", "FailureTarget"),
                             ("SuccessCriteriaMet", "SuccessCriteriaMet")):  # fmt: skip
        if condition_is_true(o, condition) if condition else is_terminating(o):
            return shown
    return "Running"


@_prints("batch.v1.CronJob")
def _cron_job(o: Object, now: float) -> Cells:
    spec, status = o.get("spec") or {}, o.get("status") or {}
    suspend = UNSET if spec.get("suspend") is None else str(spec["suspend"])
    last = since(status["lastScheduleTime"], now) if status.get("lastScheduleTime") else NONE
    job = get_path(spec, "jobTemplate", "spec", default={})
    wide = [*_containers(job.get("template")), _selector(job.get("selector"))]
    timezone = spec.get("timeZone") or NONE
    return [spec.get("schedule", ""), timezone, suspend, _count(status, "active"), last, *wide]


@_prints("core.v1.Service")
def _service(o: Object, _: float) -> Cells:
    spec = o.get("spec") or {}
    ips = spec.get("clusterIPs") or [spec.get("clusterIP") or NONE]
    ports = ",".join(_service_port(port) for port in spec.get("ports") or ()) or NONE
    selector = _labels(spec.get("selector"))
    return [spec.get("type", ""), ips[0], _external_ip(o, spec), ports, selector]


def _service_port(port: Object) -> str:
    node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port['port']}{node_port}/{port.get('protocol', 'TCP')}"


def _external_ip(o: Object, spec: Object) -> str:
    external = ",".join(spec.get("externalIPs") or ())
    match spec.get("type"):
        case "ClusterIP" | "NodePort":
            return external or NONE
        case "LoadBalancer":
            return ",".join(filter(None, (_balancers(o), external))) or "<pending>"
        case "ExternalName":
            return spec.get("externalName", "")
    return UNKNOWN


def _balancers(o: Object) -> str:
    ingress = get_path(o, "status", "loadBalancer", "ingress", default=())
    return ",".join(sorted({point.get("ip") or point.get("hostname") or "" for point in ingress} - {""}))


@_prints("networking.v1.Ingress")
def _ingress(o: Object, _: float) -> Cells:
    spec = o.get("spec") or {}
    rules = spec.get("rules") or []
    named = [index for index, rule in enumerate(rules) if rule.get("host")][:3]
    shown = ",".join(rules[index]["host"] for index in named) or "*"
    if len(named) == 3 and named[2] + 1 < len(rules):
        shown += f" + {len(rules) - 3} more..."
    ports = "80, 443" if spec.get("tls") else "80"
    return [spec.get("ingressClassName") or NONE, shown, _balancers(o), ports]


@_prints("networking.v1.IngressClass")
def _ingress_class(o: Object, _: float) -> Cells:
    ref = get_path(o, "spec", "parameters")
    kind = ".".join(filter(None, (ref.get("kind"), ref.get("apiGroup")))) if ref else ""
    parameters = f"{kind}/{ref.get('name')}" if ref else NONE
    return [_text(o, "spec", "controller"), parameters]


@_prints("apps.v1.StatefulSet")
def _stateful_set(o: Object, _: float) -> Cells:
    ready = f"{_number(o, 'status', 'readyReplicas')}/{_number(o, 'spec', 'replicas')}"
    return [ready, *_containers(get_path(o, "spec", "template"))]


@_prints("core.v1.Endpoints")
def _endpoints(o: Object, _: float) -> Cells:
    shown = []
    for subset in o.get("subsets") or ():
        ports: list[Object] = subset.get("ports") or [{}]
        for port in ports:
            shown += [_host_port(address["ip"], port.get("port")) for address in subset.get("addresses") or ()]
    return [_first_three(shown, "" if o.get("subsets") else NONE)]


def _host_port(ip: str, port: int | None) -> str:
    if port is None:
        return ip
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


@_prints("core.v1.Node")
def _node(o: Object, _: float) -> Cells:
    ready = condition_of(o, "Ready")
    shown = "Unknown" if ready is None else "Ready" if ready.get("status") == "True" else "NotReady"
    if get_path(o, "spec", "unschedulable"):
        shown += ",SchedulingDisabled"
    prefix = "node-role.kubernetes.io/"
    roles = {key.removeprefix(prefix) for key in labels_of(o) if key.startswith(prefix)}
    roles.add(labels_of(o).get("kubernetes.io/role", ""))
    info = get_path(o, "status", "nodeInfo", default={})
    addresses = get_path(o, "status", "addresses", default=())
    ips = [next((a["address"] for a in addresses if a["type"] == t), NONE) for t in ("InternalIP", "ExternalIP")]
    system = [info.get(part) or UNKNOWN for part in ("osImage", "kernelVersion", "containerRuntimeVersion")]
    listed = ",".join(sorted(roles - {""})) or NONE
    return [shown, listed, info.get("kubeletVersion", ""), *ips, *system]


@_prints("core.v1.Event", "events.v1.Event")
def _event(o: Object, now: float) -> Cells:
    """Of either version: events.k8s.io/v1 calls the same fields note, regarding and deprecated..."""
    about = o.get("involvedObject") or o.get("regarding") or {}
    source = o.get("source") or o.get("deprecatedSource") or {}
    first = o.get("firstTimestamp") or o.get("deprecatedFirstTimestamp") or o.get("eventTime")
    last = o.get("lastTimestamp") or o.get("deprecatedLastTimestamp") or first
    count = o.get("count") or o.get("deprecatedCount") or 1
    if o.get("series"):
        last, count = o["series"].get("lastObservedTime"), o["series"].get("count", 0)
    target = "/".join(filter(None, (about.get("kind", "").lower(), about.get("name"))))
    component = source.get("component") or o.get("reportingComponent") or o.get("reportingController") or ""
    host = source.get("host") or o.get("reportingInstance")
    message = (o.get("message") or o.get("note") or "").strip()
    return [
        since(last, now), o.get("type", ""), o.get("reason", ""), target, about.get("fieldPath", ""),
        f"{component}, {host}" if host else component, message, since(first, now), count, name_of(o),
    ]  # fmt: skip


@_prints("core.v1.PersistentVolume")
def _volume(o: Object, _: float) -> Cells:
    spec, claim = o.get("spec") or {}, get_path(o, "spec", "claimRef")
    return [
        _quantity(get_path(spec, "capacity", "storage")), _modes(spec),
        spec.get("persistentVolumeReclaimPolicy", ""), _phase(o),
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "", _storage_class(o),
        spec.get("volumeAttributesClassName") or UNSET, _text(o, "status", "reason"),
        spec.get("volumeMode") or UNSET,
    ]  # fmt: skip


@_prints("core.v1.PersistentVolumeClaim")
def _claim(o: Object, _: float) -> Cells:
    spec, status = o.get("spec") or {}, o.get("status") or {}
    volume = spec.get("volumeName") or ""
    bound = [_quantity(get_path(status, "capacity", "storage")), _modes(status)] if volume else ["", ""]
    attributes, mode = spec.get("volumeAttributesClassName") or UNSET, spec.get("volumeMode") or UNSET
    return [_phase(o), volume, *bound, _storage_class(o), attributes, mode]


def _phase(o: Object) -> str:
    return "Terminating" if is_terminating(o) else _text(o, "status", "phase")


def _modes(part: Object) -> str:
    short = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
    modes = part.get("accessModes") or ()
    return ",".join(letters for mode, letters in short.items() if mode in modes)


def _storage_class(o: Object) -> str:
    beta = annotations_of(o).get("volume.beta.kubernetes.io/storage-class")
    return beta if beta is not None else _text(o, "spec", "storageClassName")


@_prints("core.v1.ComponentStatus")
def _component_status(o: Object, _: float) -> Cells:
    healthy = next((c for c in o.get("conditions") or () if c.get("type") == "Healthy"), None)
    if healthy is None:
        return ["Unknown", "", ""]
    shown = "Healthy" if healthy.get("status") == "True" else "Unhealthy"
    return [shown, healthy.get("message", ""), healthy.get("error", "")]


@_prints("apps.v1.Deployment")
def _deployment(o: Object, now: float) -> Cells:
    ready, *containers = _stateful_set(o, now)
    counts = [_number(o, "status", "updatedReplicas"), _number(o, "status", "availableReplicas")]
    return [ready, *counts, *containers, _selector(get_path(o, "spec", "selector"))]


@_prints("autoscaling.v2.HorizontalPodAutoscaler", "autoscaling.v1.HorizontalPodAutoscaler")
def _autoscaler(o: Object, _: float) -> Cells:
    spec = o.get("spec") or {}
    reference = f"{_text(spec, 'scaleTargetRef', 'kind')}/{_text(spec, 'scaleTargetRef', 'name')}"
    least, most = str(spec.get("minReplicas", UNSET)), spec.get("maxReplicas", 0)
    return [reference, _targets(o), least, most, _number(o, "status", "currentReplicas")]


def _targets(o: Object) -> str:
    """ "current/target" of each metric; in autoscaling/v1 there is one, the CPU's utilization."""
    metrics, current = get_path(o, "spec", "metrics"), get_path(o, "status", "currentMetrics", default=())
    cpu = get_path(o, "spec", "targetCPUUtilizationPercentage")
    if metrics is None and cpu is not None:
        used = get_path(o, "status", "currentCPUUtilizationPercentage")
        return f"cpu: {UNKNOWN if used is None else f'{used}%'}/{cpu}%"
    shown = [_metric(spec, current[i] if i < len(current) else {}) for i, spec in enumerate(metrics or ())]
    more = f" + {len(shown) - 2} more..." if len(shown) > 2 else ""
    return ", ".join(shown[:2]) + more or NONE


_METRICS = {
    "External": "external",
    "Pods": "pods",
    "Object": "object",
    "Resource": "resource",
    "ContainerResource": "containerResource",
}


def _metric(spec: Object, status: Object) -> str:
    source = _METRICS.get(spec.get("type", ""))
    if source is None:
        return "<unknown type>"
    target = get_path(spec, source, "target", default={})
    current = get_path(status, source, "current", default={})
    if source in ("resource", "containerResource"):
        name = f"{spec[source]['name']}: "
        if target.get("averageValue") is None:
            used, wanted = (part.get("averageUtilization") for part in (current, target))
            shown = "<auto>" if wanted is None else f"{wanted}%"
            return f"{name}{UNKNOWN if used is None else f'{used}%'}/{shown}"
        return f"{name}{_known(current, 'averageValue')}/{_quantity(target['averageValue'])}"
    if source == "pods":
        return f"{_known(current, 'averageValue')}/{_quantity(target.get('averageValue'))}"
    if target.get("averageValue") is not None:
        return f"{_known(current, 'averageValue')}/{_quantity(target['averageValue'])} (avg)"
    return f"{_known(current, 'value')}/{_quantity(target.get('value'))}"


def _known(current: Object, value: str) -> str:
    return UNKNOWN if current.get(value) is None else _quantity(current[value])


@_prints("core.v1.ConfigMap")
def _config_map(o: Object, _: float) -> Cells:
    return [_count(o, "data") + _count(o, "binaryData")]


@_prints("networking.v1.NetworkPolicy")
def _network_policy(o: Object, _: float) -> Cells:
    return [_selector(get_path(o, "spec", "podSelector", default={}))]


@_prints("rbac.v1.RoleBinding")
@_prints("rbac.v1.ClusterRoleBinding")
def _role_binding(o: Object, _: float) -> Cells:
    names: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for subject in o.get("subjects") or ():
        name = subject.get("name", "")
        qualified = f"{subject.get('namespace', '')}/{name}" if subject.get("kind") == "ServiceAccount" else name
        names.setdefault(subject.get("kind", ""), []).append(qualified)
    shown = [", ".join(names[kind]) for kind in ("User", "Group", "ServiceAccount")]
    return [f"{_text(o, 'roleRef', 'kind')}/{_text(o, 'roleRef', 'name')}", *shown]


@_prints("certificates.v1.CertificateSigningRequest")
def _signing_request(o: Object, _: float) -> Cells:
    spec, seconds = o.get("spec") or {}, get_path(o, "spec", "expirationSeconds")
    wanted = NONE if seconds is None else human_duration(seconds)
    state = "Denied" if condition_of(o, "Denied") else "Approved" if condition_of(o, "Approved") else "Pending"
    state += ",Failed" * (condition_of(o, "Failed") is not None) + ",Issued" * bool(_text(o, "status", "certificate"))
    return [spec.get("signerName") or NONE, spec.get("username", ""), wanted, state]


@_prints("storage.v1.StorageClass")
def _class_of_storage(o: Object, _: float) -> Cells:
    policy, mode = o.get("reclaimPolicy") or "Delete", o.get("volumeBindingMode") or "Immediate"
    return [o.get("provisioner", ""), policy, mode, bool(o.get("allowVolumeExpansion"))]


def _class_name(o: Object) -> str:
    marks = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
    default = any(annotations_of(o).get(mark) == "true" for mark in marks)
    return f"{name_of(o)} (default)" if default else name_of(o)


PRINTERS["storage.v1.StorageClass"] = PRINTERS["storage.v1.StorageClass"]._replace(name=_class_name)


@_prints("apps.v1.ControllerRevision")
def _revision(o: Object, _: float) -> Cells:
    owner = next((ref for ref in metadata_of(o).get("ownerReferences") or () if ref.get("controller")), None)
    group = owner["apiVersion"].rpartition("/")[0] if owner else ""
    kind = f"{owner['kind']}.{group}" if owner and group else owner["kind"] if owner else ""
    controller = f"{kind.lower()}/{owner['name']}" if owner else NONE
    return [controller, o.get("revision", 0)]


@_prints("core.v1.ResourceQuota")
def _quota(o: Object, _: float) -> Cells:
    hard, used = (get_path(o, "status", part, default={}) for part in ("hard", "used"))
    shown: dict[bool, list[str]] = {False: [], True: []}
    for name in sorted(hard):
        shown[name.startswith("limits.")].append(f"{name}: {_quantity(used.get(name))}/{_quantity(hard[name])}")
    return [", ".join(shown[False]), ", ".join(shown[True])]


@_prints("discovery.v1.EndpointSlice")
def _endpoint_slice(o: Object, _: float) -> Cells:
    ports = [str(port.get("port") or port.get("name") or "*") for port in o.get("ports") or ()]
    addresses = [address for endpoint in o.get("endpoints") or () for address in endpoint.get("addresses") or ()]
    shown = (_first_three(ports, UNSET), _first_three(addresses, UNSET))
    return [o.get("addressType", ""), *shown]


@_prints("storage.v1.CSIDriver")
def _csi_driver(o: Object, _: float) -> Cells:
    spec = o.get("spec") or {}
    switches = [spec.get("attachRequired", True), spec.get("podInfoOnMount", False), spec.get("storageCapacity", False)]
    requests = spec.get("tokenRequests")
    tokens = UNSET if requests is None else ",".join(request.get("audience", "") for request in requests)
    modes = ",".join(spec.get("volumeLifecycleModes") or ()) or NONE
    return [*switches, tokens, spec.get("requiresRepublish", False), modes]


@_prints("admissionregistration.v1.ValidatingAdmissionPolicy")
@_prints("admissionregistration.v1.MutatingAdmissionPolicy")
def _admission_policy(o: Object, _: float) -> Cells:
    param = get_path(o, "spec", "paramKind")
    shown = f"{param.get('apiVersion', '')}/{param.get('kind', '')}" if param else UNSET
    rules = _count(o, "spec", "validations") or _count(o, "spec", "mutations")
    return [rules, shown]


@_prints(
    "admissionregistration.v1.ValidatingAdmissionPolicyBinding",
    "admissionregistration.v1.MutatingAdmissionPolicyBinding",
)
def _policy_binding(o: Object, _: float) -> Cells:
    """A parameter chosen by labels is shown as its selector (upstream prints the Go value)."""
    ref, shown = get_path(o, "spec", "paramRef", default={}), UNSET
    if ref.get("name"):
        shown = f"{ref.get('namespace') or '*'}/{ref['name']}"
    elif ref.get("selector") is not None:
        shown = _selector(ref["selector"])
    return [_text(o, "spec", "policyName"), shown]


@_prints("flowcontrol.v1.FlowSchema")
def _flow_schema(o: Object, _: float) -> Cells:
    level, method = _text(o, "spec", "priorityLevelConfiguration", "name"), get_path(o, "spec", "distinguisherMethod")
    shown, dangling = method.get("type", "") if method else NONE, (condition_of(o, "Dangling") or {}).get("status", "?")
    return [level, _number(o, "spec", "matchingPrecedence"), shown, dangling]


@_prints("flowcontrol.v1.PriorityLevelConfiguration")
def _priority_level(o: Object, _: float) -> Cells:
    limited = get_path(o, "spec", "limited")
    queuing = get_path(limited, "limitResponse", "queuing")
    shares = limited.get("nominalConcurrencyShares", 0) if limited else NONE
    queues = [queuing.get(name, 0) if queuing else NONE for name in ("queues", "handSize", "queueLengthLimit")]
    return [_text(o, "spec", "type"), shares, *queues]


@_prints("resource.v1.ResourceClaim")
def _resource_claim(o: Object, _: float) -> Cells:
    states = ["deleted"] if is_terminating(o) else []
    if get_path(o, "status", "allocation") is not None:
        states += ["allocated", *(["reserved"] if get_path(o, "status", "reservedFor") else [])]
    elif not states:
        states = ["pending"]
    return [",".join(states)]


@_prints("networking.v1.ServiceCIDR")
def _service_cidr(o: Object, _: float) -> Cells:
    return [",".join(get_path(o, "spec", "cidrs", default=()))]


@_prints("networking.v1.IPAddress")
def _ip_address(o: Object, _: float) -> Cells:
    ref = get_path(o, "spec", "parentRef")
    if not ref:
        return [NONE]
    resource = ".".join(filter(None, (ref.get("resource"), ref.get("group")))).lower()
    return ["/".join(filter(None, (resource, ref.get("namespace"), ref.get("name"))))]


@_prints("apiregistration.v1.APIService")
def _api_service(o: Object, _: float) -> Cells:
    ref, available = get_path(o, "spec", "service"), condition_of(o, "Available") or {"status": "Unknown"}
    service = f"{ref.get('namespace', '')}/{ref.get('name', '')}" if ref else "Local"
    shown = available["status"]
    if shown != "True" and available.get("reason"):
        shown = f"{shown} ({available['reason']})"
    return [service, shown]


# --- what cells are made of


def _quantity(value: Any) -> str:
    return "0" if value is None else str(quantity.parse(value))


def _labels(labels: Mapping[str, str] | None) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or NONE


def _selector(selector: Object | None) -> str:
    """As metav1.FormatLabelSelector."""
    try:
        return str(from_label_selector(selector)) or NONE
    except ValueError:
        return "<error>"


def _containers(template: Object | None) -> Cells:
    """The cells Containers and Images."""
    containers = get_path(template, "spec", "containers", default=())
    return [",".join(c.get(part, "") for c in containers) for part in ("name", "image")]


def _first_three(listed: list[str], empty: str) -> str:
    shown = ",".join(listed[:3])
    return f"{shown} + {len(listed) - 3} more..." if len(listed) > 3 else shown or empty


def _count(obj: Object, *path: str) -> int:
    return len(get_path(obj, *path, default=()))


def _number(obj: Object, *path: str) -> int:
    return get_path(obj, *path, default=0)


def _text(obj: Object, *path: str, default: str = "") -> str:
    return get_path(obj, *path) or default


# the kinds whose cells are fields; "[]" counts what a field holds
_FIELDS = {
    "core.v1.Namespace": "status.phase",
    "core.v1.Secret": "type data[]",
    "core.v1.ServiceAccount": "",
    "resource.v1.DeviceClass": "",
    "resource.v1.ResourceClaimTemplate": "",
    "resource.v1.ResourceSlice": "spec.nodeName spec.driver spec.pool.name",
    "coordination.v1.Lease": "spec.holderIdentity",
    "scheduling.v1.PriorityClass": "value globalDefault preemptionPolicy",
    "node.v1.RuntimeClass": "handler",
    "storage.v1.VolumeAttributesClass": "driverName",
    "storage.v1.VolumeAttachment": "spec.attacher spec.source.persistentVolumeName spec.nodeName status.attached",
    "storage.v1.CSINode": "spec.drivers[]",
    "autoscaling.v1.Scale": "spec.replicas status.replicas",
    "admissionregistration.v1.MutatingWebhookConfiguration": "webhooks[]",
    "admissionregistration.v1.ValidatingWebhookConfiguration": "webhooks[]",
}


def _fields(columns: tuple[Column, ...], paths: list[str]) -> Print:
    """Shows fields as they are, absent ones as nothing of their column's type."""
    types = [column.type for column in columns if column not in (NAME, AGE)]
    absent = [{"integer": 0, "boolean": False}.get(kind, "") for kind in types]
    steps = [(path.removesuffix("[]").split("."), path.endswith("[]")) for path in paths]

    def cells(o: Object, _: float) -> Cells:
        values = [_count(o, *step) if counted else get_path(o, *step) for step, counted in steps]
        return [empty if value is None else value for value, empty in zip(values, absent, strict=True)]

    return cells


for _definition, _paths in _FIELDS.items():
    PRINTERS[_definition] = Printer(COLUMNS[_definition], _fields(COLUMNS[_definition], _paths.split()))
