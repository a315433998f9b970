"""What containers, Pods and the node use, as cAdvisor and the kubelet's summary tell it.

`server` serves it. CPU is counted by the runtime and told as a rate over the last window. Source:
staging/src/k8s.io/kubelet/pkg/apis/stats/v1alpha1, pkg/kubelet/metrics/collectors/resource_metrics.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from refkube.apimachinery.meta import Object
from refkube.engine.clock import rfc3339
from refkube.kubelet.runtime.container import Container, Sandbox

if TYPE_CHECKING:
    from refkube.kubelet.kubelet import Kubelet

SYSTEM_CPU, SYSTEM_MEMORY = 0.05, 256 << 20  # of the node itself: the kubelet, the runtime, the kernel


def summary(kubelet: Kubelet) -> Object:
    now = kubelet.loop.now()
    pods = [_pod(sandbox, now) for sandbox in kubelet.runtime.sandboxes.values() if sandbox.running]
    cpu = SYSTEM_CPU + sum(pod["cpu"]["usageNanoCores"] for pod in pods) / 1e9
    used = SYSTEM_MEMORY + sum(pod["memory"]["workingSetBytes"] for pod in pods)
    seconds = sum(pod["cpu"]["usageCoreNanoSeconds"] for pod in pods) / 1e9 + SYSTEM_CPU * (now - kubelet.began)
    node = {
        "nodeName": kubelet.machine.name,
        "startTime": rfc3339(kubelet.began),
        "cpu": _cpu(now, cpu, seconds),
        "memory": {**_memory(now, used), "availableBytes": max(0, kubelet.total.get("memory", 0) - used)},
        "fs": {"time": rfc3339(now), "usedBytes": kubelet.runtime.disk.root.size},
    }
    return {"node": node, "pods": pods}


def exposition(kubelet: Kubelet) -> bytes:
    """The same for Prometheus, as metrics-server reads it."""
    told = summary(kubelet)
    stamp = int(kubelet.loop.now() * 1000)
    lines = [
        f"node_cpu_usage_seconds_total {told['node']['cpu']['usageCoreNanoSeconds'] / 1e9} {stamp}",
        f"node_memory_working_set_bytes {told['node']['memory']['workingSetBytes']} {stamp}",
    ]
    for pod in told["pods"]:
        about = f'namespace="{pod["podRef"]["namespace"]}",pod="{pod["podRef"]["name"]}"'
        named = [("container", f'container="{one["name"]}",{about}', one) for one in pod["containers"]]
        for kind, labels, one in [("pod", about, pod), *named]:
            seconds, used = one["cpu"]["usageCoreNanoSeconds"] / 1e9, one["memory"]["workingSetBytes"]
            lines.append(f"{kind}_cpu_usage_seconds_total{{{labels}}} {seconds} {stamp}")
            lines.append(f"{kind}_memory_working_set_bytes{{{labels}}} {used} {stamp}")
    return "".join(f"{line}\n" for line in lines).encode()


def _pod(sandbox: Sandbox, now: float) -> Object:
    containers = [_container(container, now) for container in sandbox.running]
    return {
        "podRef": {"name": sandbox.name, "namespace": sandbox.namespace, "uid": sandbox.uid},
        "startTime": rfc3339(sandbox.created_at),
        "containers": containers,
        "cpu": _cpu(
            now,
            sum(one["cpu"]["usageNanoCores"] for one in containers) / 1e9,
            sum(one["cpu"]["usageCoreNanoSeconds"] for one in containers) / 1e9,
        ),
        "memory": _memory(now, sum(one["memory"]["workingSetBytes"] for one in containers)),
    }


def _container(container: Container, now: float) -> Object:
    container.account()
    return {
        "name": container.name,
        "startTime": rfc3339(container.started_at),
        "cpu": _cpu(now, container.cpu, container.cpu_seconds),
        "memory": _memory(now, container.memory),
        "rootfs": {"time": rfc3339(now), "usedBytes": container.root.size},
    }


def _cpu(now: float, cores: float, seconds: float) -> Object:
    return {"time": rfc3339(now), "usageNanoCores": int(cores * 1e9), "usageCoreNanoSeconds": int(seconds * 1e9)}


def _memory(now: float, used: int) -> Object:
    return {"time": rfc3339(now), "usageBytes": used, "workingSetBytes": used, "rssBytes": used}
