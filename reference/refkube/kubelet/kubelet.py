"""The kubelet of one node: runs the Pods that are bound to it, and tells what became of them.

One `PodWorker` for each Pod, brought forward by a work queue; what a worker finds becomes the Pod's status, written
when it differs from what is there. One that starts again finds the containers in the runtime and goes on from there.
Source: pkg/kubelet/kubelet.go, status/status_manager.go. Left out: static Pods, eviction under pressure, devices, swap.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Protocol

from refkube.api.fit import amounts_of, requests_of
from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object, get_path, is_terminating, name_of, namespace_of, uid_of
from refkube.client.client import Client
from refkube.client.controller import Controller
from refkube.client.events import WARNING, EventRecorder
from refkube.client.informer import Informer
from refkube.client.workqueue import RateLimiter
from refkube.engine.loop import Loop
from refkube.hostnet import Host, Namespace
from refkube.kubelet.actions import Actions
from refkube.kubelet.admit import host_ports, refusal_of
from refkube.kubelet.backoff import Backoff
from refkube.kubelet.mounts import PodVolumes, expiry_of
from refkube.kubelet.node_status import CONDITIONS, Machine, NodeStatus
from refkube.kubelet.pod_worker import NOTICE, PodWorker
from refkube.kubelet.runtime.container import Runtime, Sandbox
from refkube.volumes.files import File

RESYNC = 10.0  # seconds: how often a status that somebody else overwrites is written again
LONGEST_RETRY = 10.0  # seconds until what failed is tried again, however often it has


class Network(Protocol):
    """What gives Pods their place in the network (a CNI plugin)."""

    def add(self, pod: Object) -> tuple[Namespace | None, str]:
        """The Pod's network namespace and its address. OSError where there is none to be had; to be tried again."""
        ...

    def remove(self, pod: Object) -> None:
        """Idempotent."""
        ...


class Kubelet:
    """`cluster_dns` is the address that Pods ask for names; "" leaves them with `resolver`, which the node asks."""

    def __init__(
        self,
        client: Client,
        loop: Loop,
        machine: Machine,
        runtime: Runtime,
        network: Network,
        host: Host | None = None,
        cluster_dns: str = "",
        resolver: str = "",
        domain: str = "cluster.local",
    ):
        self.machine = machine
        self.loop = loop
        self.runtime = runtime
        self.workers: dict[str, PodWorker] = {}
        self.running = False
        self.began = loop.now()
        self._client = client
        self._network = network
        self._host = host
        self._dns, self._resolver, self._domain = cluster_dns, resolver, domain
        self.actions = Actions(loop, host.namespace if host is not None else None)
        self.backoff = Backoff(loop.now)
        self.address = machine.address
        self.total = amounts_of(machine.capacity)
        self._used: Counter[str] = Counter()
        self._ports: set[tuple] = set()
        self._taken: dict[str, tuple[Counter[str], set[tuple]]] = {}
        self._told: dict[str, tuple[Object, int]] = {}
        self._events = EventRecorder(client, loop, "kubelet", machine.name)
        self._status = NodeStatus(client, loop, machine, lambda: CONDITIONS, runtime.images.sizes)
        self._pods = Informer(client, loop, "pods", field_selector=f"spec.nodeName={machine.name}")
        self._services = Informer(client, loop, "services")
        self._nodes = Informer(client, loop, "nodes", field_selector=f"metadata.name={machine.name}")
        self._pods.add_handler(self._added, lambda old, new: self._updated(new), self._deleted)
        self._controller = self._new_controller()

    def _new_controller(self) -> Controller:
        informers = self._pods, self._services, self._nodes
        limiter: RateLimiter[str] = RateLimiter(self.loop, cap=LONGEST_RETRY)
        return Controller(self.loop, f"kubelet/{self.machine.name}", self._sync, informers, limiter)

    def start(self) -> None:
        """Also again, after it has stopped: then it takes over the containers that are there."""
        if self.running:
            return
        self.running = True
        self.runtime.told = self._container_ended
        for pod in list(self._pods.items.values()):
            self._added(pod)
        self._status.start()
        for informer in (self._nodes, self._services, self._pods):
            informer.start()
        self._pods.when_synced(self._find_orphans)
        self._controller.start()

    def stop(self) -> None:
        """End as a process that is killed: the containers stay as they are."""
        if not self.running:
            return
        self.running = False
        self.runtime.told = None
        self._status.stop()
        for informer in (self._nodes, self._services, self._pods):
            informer.stop()
        self._controller.stop()
        self._controller = self._new_controller()
        for worker in self.workers.values():
            worker.close()
        for known in (self.workers, self._told, self._taken, self._used, self._ports):
            known.clear()
        self.backoff = Backoff(self.loop.now)

    def lose_power(self, disk: bool = False) -> None:
        """End as a machine does: no container and no sandbox is left; the disk is, unless it is lost, too."""
        self.stop()
        for sandbox in list(self.runtime.sandboxes.values()):
            self.detach_network(sandbox)
        self.runtime.lose_power()
        if disk:
            self.runtime.lose_disk()

    # What is told

    def _added(self, pod: Object) -> None:
        uid = uid_of(pod)
        if uid not in self.workers:
            self.workers[uid] = PodWorker(self, pod)
        self.wake(uid)

    def _updated(self, pod: Object) -> None:
        worker = self.workers.get(uid_of(pod))
        if worker is None:
            self._added(pod)
        elif int(pod["metadata"]["resourceVersion"]) > int(worker.pod["metadata"]["resourceVersion"]):
            worker.pod = pod
            self.wake(worker.uid)

    def _deleted(self, pod: Object) -> None:
        worker = self.workers.get(uid_of(pod))
        if worker is not None:
            worker.pod = pod
            worker.gone = True
            self.wake(worker.uid)

    def _find_orphans(self) -> None:
        """Containers of Pods that went while nobody looked."""
        for uid, sandbox in self.runtime.sandboxes.items():
            if uid not in self.workers:
                worker = self.workers[uid] = PodWorker(self, sandbox.pod)
                worker.gone = worker.admitted = True
                self.wake(uid)

    def _container_ended(self, uid: str) -> None:
        worker = self.workers.get(uid)
        if worker is not None:
            self.wake(uid, 0.0 if worker.stopping else NOTICE)

    # One Pod

    def _sync(self, uid: str) -> None:
        worker = self.workers.get(uid)
        if worker is None:
            return
        if not worker.admitted:
            self._admit(worker)
        worker.noticed()
        try:
            worker.step()
        finally:
            if not worker.gone:
                self._tell(worker)
        if worker.ended:
            self._give_back(uid)
            if worker.gone:
                self.runtime.remove(uid)
                del self.workers[uid]
                self._told.pop(uid, None)
            elif is_terminating(worker.pod):
                self._remove(worker.pod)

    def _admit(self, worker: PodWorker) -> None:
        """Take it, or refuse it for good. One that runs here already is taken as it is."""
        worker.admitted = True
        if worker.terminal or is_terminating(worker.pod):
            return
        pod = worker.pod
        node = self._nodes.get(self.machine.name)
        known = worker.sandbox is not None or get_path(pod, "status", "startTime") is not None
        refusal = None if known or node is None else refusal_of(pod, node, self._used, self.total, self._ports)
        if refusal is not None:
            worker.rejected = True
            worker.fail(*refusal)
            self.event(pod, WARNING, *refusal)
            return
        self._take(pod)

    def _take(self, pod: Object) -> None:
        amounts, ports = Counter({"pods": 1, **requests_of(pod["spec"])}), set(host_ports(pod))
        self._taken[uid_of(pod)] = amounts, ports
        self._used.update(amounts)
        self._ports |= ports

    def _give_back(self, uid: str) -> None:
        amounts, ports = self._taken.pop(uid, (Counter(), set()))
        self._used.subtract(amounts)
        self._ports -= ports

    def _tell(self, worker: PodWorker) -> None:
        """Write the status, if it says anything new. No hot dispute with somebody who insists on another one."""
        pod, uid = worker.pod, worker.uid
        if worker.terminal and not is_terminating(pod):
            return
        wanted = worker.final if worker.ended else worker.status()
        if wanted == pod.get("status"):
            self._told.pop(uid, None)
            return
        moment = int(self.loop.now() / RESYNC)
        if self._told.get(uid) == (wanted, moment):
            self.wake(uid, RESYNC)
            return
        try:
            worker.pod = self._client.update_status("pods", {**pod, "status": wanted})
        except StatusError as refusal:
            if refusal.reason == "Conflict":
                self._read_anew(worker)
                self.wake(uid)  # at once, whatever failed before
            elif refusal.reason != "NotFound":
                raise
        else:
            self._told[uid] = wanted, moment

    def _read_anew(self, worker: PodWorker) -> None:
        """Somebody was faster: the informer may still be behind."""
        fresh = self._client.get("pods", name_of(worker.pod), namespace_of(worker.pod))
        if uid_of(fresh) == worker.uid:
            worker.pod = fresh

    def _remove(self, pod: Object) -> None:
        try:
            self._client.delete("pods", name_of(pod), namespace_of(pod), grace_period=0, uid=uid_of(pod))
        except StatusError as refusal:
            if refusal.reason not in ("NotFound", "Conflict"):
                raise

    # For the workers

    @property
    def allocatable(self) -> Object:
        return dict(self.machine.capacity)

    def read(self, resource: str, namespace: str, name: str) -> Object:
        return self._client.get(resource, name, namespace)

    def services(self) -> Iterable[Object]:
        return self._services.items.values()

    def wake(self, uid: str, after: float = 0.0) -> None:
        if after > 0:
            self._controller.add_after(uid, after)
        else:
            self._controller.add(uid)

    def event(self, pod: Object, type: str, reason: str, message: str, container: str = "") -> None:
        path = ""
        if container:
            initial = any(one["name"] == container for one in pod["spec"].get("initContainers") or ())
            path = f"spec.{'initContainers' if initial else 'containers'}{{{container}}}"
        self._events.event(pod, type, reason, message, field_path=path)

    def attach_network(self, pod: Object, sandbox: Sandbox) -> None:
        spec = pod["spec"]
        if spec.get("hostNetwork"):
            sandbox.net = self._host.namespace if self._host is not None else None
            sandbox.address, sandbox.hostname = self.address, self.machine.name
        else:
            sandbox.net, sandbox.address = self._network.add(pod)
            sandbox.hostname = spec.get("hostname") or name_of(pod)[:63]
        names = sandbox.hostname
        if spec.get("subdomain"):
            names = f"{names}.{spec['subdomain']}.{namespace_of(pod)}.svc.{self._domain}\t{names}"
        hosts = f"127.0.0.1\tlocalhost\n{sandbox.address}\t{names}\n"
        hosts += "".join(
            f"{one['ip']}\t{' '.join(one.get('hostnames') or ())}\n" for one in spec.get("hostAliases") or ()
        )
        named = {
            "/etc/hosts": hosts,
            "/etc/hostname": sandbox.hostname + "\n",
            "/etc/resolv.conf": self._resolv_conf(pod),
        }
        sandbox.files = [(path, File(text.encode(), modified=self.loop.now()), False) for path, text in named.items()]

    def _resolv_conf(self, pod: Object) -> str:
        policy, config = pod["spec"].get("dnsPolicy", "ClusterFirst"), pod["spec"].get("dnsConfig") or {}
        cluster = self._dns and (
            policy == "ClusterFirstWithHostNet" or (policy == "ClusterFirst" and not pod["spec"].get("hostNetwork"))
        )
        searches = [f"{namespace_of(pod)}.svc.{self._domain}", f"svc.{self._domain}", self._domain] if cluster else []
        own = self._dns if cluster else self._resolver if policy != "None" else ""
        servers = [*([own] if own else []), *(config.get("nameservers") or ())]
        options = ["ndots:5"] if cluster else []
        options += [
            f"{one['name']}:{one['value']}" if one.get("value") else one["name"] for one in config.get("options") or ()
        ]
        searches += config.get("searches") or ()
        lines = [f"search {' '.join(searches)}"] if searches else []
        lines += [f"nameserver {server}" for server in servers]
        lines += [f"options {' '.join(options)}"] if options else []
        return "".join(line + "\n" for line in lines)

    def detach_network(self, sandbox: Sandbox) -> None:
        if sandbox.address and not sandbox.pod["spec"].get("hostNetwork"):
            self._network.remove(sandbox.pod)
        sandbox.net, sandbox.address = None, ""

    def volumes_of(self, pod: Object) -> PodVolumes:
        return PodVolumes(pod, self.runtime.disk, self.read, self._token, self.loop.now)

    def _token(self, pod: Object, source: Object) -> tuple[bytes, float]:
        bound = {"apiVersion": "v1", "kind": "Pod", "name": name_of(pod), "uid": uid_of(pod)}
        asked: Object = {"expirationSeconds": source.get("expirationSeconds") or 3600, "boundObjectRef": bound}
        if source.get("audience"):
            asked["audiences"] = [source["audience"]]
        account = pod["spec"].get("serviceAccountName") or "default"
        made = self._client.create_token(account, namespace_of(pod), **asked)
        return made["status"]["token"].encode(), expiry_of(made)

    def may_grow(self, pod: Object) -> tuple[str, str] | None:
        """Can the Pod have what its spec asks for now? If so, it has it from now on."""
        had, _ = self._taken.get(uid_of(pod), (Counter(), set()))
        wanted = requests_of(pod["spec"])
        for name, amount in wanted.items():
            total, used = self.total.get(name, 0), self._used[name] - had.get(name, 0)
            asked = f"{name}, requested: {amount}"
            if amount > total:
                return "Infeasible", f"Node didn't have enough capacity: {asked}, capacity: {total}"
            if used + amount > total:
                return "Deferred", f"Node didn't have enough resource: {asked}, used: {used}, capacity: {total}"
        self._give_back(uid_of(pod))
        self._take(pod)
        return None
