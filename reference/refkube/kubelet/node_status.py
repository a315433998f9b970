"""What a kubelet tells of its node: registration, the lease, conditions, capacity and addresses.

Used by the kubelet of each node. Timers are upstream's: the lease every 10 s, the status when it changed and else every
5 minutes (pkg/kubelet/kubelet_node_status.go, pkg/kubelet/nodelease).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from refkube.api.kinds import VERSION
from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object, uid_of
from refkube.client.client import Client, retry_on_conflict
from refkube.engine.clock import rfc3339, rfc3339_micro
from refkube.engine.loop import Loop, Timer

LEASE_NAMESPACE = "kube-node-lease"
LEASES = "leases.coordination.k8s.io"
LEASE_SECONDS = 40
RENEW_PERIOD = 10.0
UPDATE_PERIOD = 10.0  # how often the status is computed
REPORT_PERIOD = 300.0  # how often an unchanged status is posted
MAX_IMAGES = 50

CONDITIONS = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)


@dataclass(frozen=True)
class Machine:
    """What a node is made of, as its kubelet finds it. `hostname` is where the kubelet is found, if not by the name."""

    name: str
    address: str
    capacity: Mapping[str, str] = field(
        default_factory=lambda: {
            "cpu": "4",
            "ephemeral-storage": "100Gi",
            "hugepages-2Mi": "0",
            "memory": "16Gi",
            "pods": "110",
        }
    )
    labels: Mapping[str, str] = field(default_factory=dict)
    hostname: str = ""
    port: int = 10250  # of the kubelet


class NodeStatus:
    """Keeps one Node object and its Lease. `conditions` gives (type, status, reason, message) as they are now,
    `images` the names and sizes of those it has pulled."""

    def __init__(
        self,
        client: Client,
        loop: Loop,
        machine: Machine,
        conditions: Callable[[], tuple[tuple[str, str, str, str], ...]] = lambda: CONDITIONS,
        images: Callable[[], Iterable[tuple[str, int]]] = tuple,
    ):
        self._client = client
        self._loop = loop
        self._machine = machine
        self._conditions = conditions
        self._images = images
        self._timers: dict[str, Timer] = {}
        self._node_uid = ""
        self._lease: Object | None = None
        self._posted = -REPORT_PERIOD

    def start(self) -> None:
        self.stop()  # it may run already
        self._register()
        self._renew()
        self._update()

    def stop(self) -> None:
        """Fall silent."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _register(self) -> None:
        """Create the Node; one that is there already is taken over."""
        name = self._machine.name
        labels = {
            "beta.kubernetes.io/arch": "amd64",
            "beta.kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
            **self._machine.labels,
        }
        node: Object = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": labels},
            "status": self._status({}),
        }
        try:
            self._node_uid = uid_of(self._client.create("nodes", node))
            self._posted = self._loop.now()
        except StatusError as refusal:
            if refusal.reason != "AlreadyExists":
                raise
            self._node_uid = uid_of(self._client.get("nodes", name))

    def _renew(self) -> None:
        self._again("lease", RENEW_PERIOD, self._renew)
        try:
            self._lease = self._renewed(self._lease)
        except (StatusError, OSError):
            self._lease = None  # read it anew next time

    def _renewed(self, lease: Object | None) -> Object:
        name = self._machine.name
        spec = {
            "holderIdentity": name,
            "leaseDurationSeconds": LEASE_SECONDS,
            "renewTime": rfc3339_micro(self._loop.now()),
        }
        if lease is None:
            owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": self._node_uid}
            meta = {"name": name, "namespace": LEASE_NAMESPACE, "ownerReferences": [owner]}
            try:
                fresh = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": spec}
                return self._client.create(LEASES, fresh)
            except StatusError as refusal:
                if refusal.reason != "AlreadyExists":
                    raise
                lease = self._client.get(LEASES, name, LEASE_NAMESPACE)
        return self._client.update(LEASES, {**lease, "spec": {**lease.get("spec", {}), **spec}})

    def _update(self) -> None:
        self._again("status", UPDATE_PERIOD, self._update)
        try:
            retry_on_conflict(self._post)
        except (StatusError, OSError):
            pass  # the next one tells

    def _post(self) -> None:
        try:
            node = self._client.get("nodes", self._machine.name)
        except StatusError as refusal:
            if refusal.reason == "NotFound":
                self._register()
            return
        status = self._status(node.get("status") or {})
        due = self._loop.now() - self._posted >= REPORT_PERIOD
        if due or _essence(status) != _essence(node.get("status") or {}):
            self._client.update_status("nodes", {**node, "status": status})
            self._posted = self._loop.now()

    def _status(self, known: Object) -> Object:
        now = rfc3339(self._loop.now())
        before = {condition.get("type", ""): condition for condition in known.get("conditions") or ()}
        conditions = []
        for type, status, reason, message in self._conditions():
            was = before.pop(type, {})
            since = was.get("lastTransitionTime", now) if was.get("status") == status else now
            condition = {"type": type, "status": status, "lastHeartbeatTime": now, "lastTransitionTime": since}
            conditions.append({**condition, "reason": reason, "message": message})
        capacity = dict(self._machine.capacity)
        largest = sorted(self._images(), key=lambda image: (-image[1], image[0]))[:MAX_IMAGES]
        images = [{"names": [name], "sizeBytes": size} for name, size in largest]
        return {
            **known,
            **({"images": images} if images else {}),
            "capacity": capacity,
            "allocatable": capacity,
            "addresses": [
                {"type": "InternalIP", "address": self._machine.address},
                {"type": "Hostname", "address": self._machine.hostname or self._machine.name},
            ],
            "conditions": [*before.values(), *conditions],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._machine.port}},
            "nodeInfo": {
                "architecture": "amd64",
                "bootID": self._machine.name,
                "containerRuntimeVersion": "refkube://1.0",
                "kernelVersion": "6.1.0",
                "kubeProxyVersion": "",
                "kubeletVersion": VERSION,
                "machineID": self._machine.name,
                "operatingSystem": "linux",
                "osImage": "refkube",
                "systemUUID": self._machine.name,
            },
        }

    def _again(self, what: str, period: float, call: Callable[[], None]) -> None:
        self._timers[what] = self._loop.call_later(period, call)


def _essence(status: Object) -> Object:
    """A status without its heartbeats."""
    conditions = [
        {key: value for key, value in condition.items() if key != "lastHeartbeatTime"}
        for condition in status.get("conditions") or ()
    ]
    return {**status, "conditions": conditions}
