"""A cluster in one process: the composition root, the only place where rooms meet.

Used by the drivers of the suite and by `refkube serve`. Everything is made here and handed its neighbours; what a
component may know of others is what it gets as arguments.
"""

from __future__ import annotations

import os
from base64 import b64decode
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from refkube.admission.chain import Chain, Plugin
from refkube.admission.plugins.defaultstorageclass import DefaultStorageClass
from refkube.admission.plugins.defaulttolerationseconds import DefaultTolerationSeconds
from refkube.admission.plugins.limitranger import LimitRanger
from refkube.admission.plugins.namespacelifecycle import NamespaceLifecycle
from refkube.admission.plugins.persistentvolumeclaimresize import PersistentVolumeClaimResize
from refkube.admission.plugins.priority import Priority
from refkube.admission.plugins.resourcequota import ResourceQuota
from refkube.admission.plugins.runtimeclass import RuntimeClass
from refkube.admission.plugins.serviceaccount import ServiceAccount
from refkube.admission.plugins.storageobjectinuseprotection import StorageObjectInUseProtection
from refkube.admission.plugins.taintnodesbycondition import TaintNodesByCondition
from refkube.api.kinds import preferred
from refkube.apimachinery import errors
from refkube.apimachinery.meta import Object, name_of, namespace_of, with_metadata
from refkube.apimachinery.rest import Handle, HttpRequest, HttpResponse, UserInfo
from refkube.apiserver.authentication import ADMIN, Authenticator
from refkube.apiserver.authorization import Authorizer
from refkube.apiserver.connect import Connector, Dial, Serve, Wire
from refkube.apiserver.http import Front
from refkube.apiserver.kubernetesservice import KubernetesService
from refkube.apiserver.pipeline import Pipeline, system_user
from refkube.apiserver.reviews import Reviews
from refkube.client.client import Client
from refkube.client.events import WARNING, EventRecorder
from refkube.client.informer import Informers
from refkube.client.uplink import Uplink
from refkube.cloudprovider import LoadBalancers, SimulatedCloud
from refkube.controllers.common.context import Context, Factory, Options, Startable
from refkube.controllers.deployment.controller import DeploymentController
from refkube.controllers.endpoint import EndpointsController
from refkube.controllers.endpointslice import EndpointSliceController
from refkube.controllers.endpointslicemirroring import EndpointSliceMirroringController
from refkube.controllers.garbagecollector import GarbageCollector
from refkube.controllers.namespace import NamespaceController
from refkube.controllers.nodeipam import NodeIPAMController
from refkube.controllers.nodelifecycle import NodeLifecycleController
from refkube.controllers.persistentvolume.binder import PersistentVolumeController
from refkube.controllers.persistentvolume.expand import ExpandController
from refkube.controllers.persistentvolume.protection import ClaimProtection, VolumeProtection
from refkube.controllers.podgc import PodGCController
from refkube.controllers.replicaset import ReplicaSetController
from refkube.controllers.replication import ReplicationController
from refkube.controllers.resourcequota import ResourceQuotaController
from refkube.controllers.rootcacertpublisher import RootCACertPublisher
from refkube.controllers.service import ServiceController
from refkube.controllers.serviceaccount import ServiceAccountController
from refkube.controllers.serviceaccounttoken import SIGN, TokensController
from refkube.controllers.statefulset import StatefulSetController
from refkube.controllers.tainteviction import TaintEvictionController
from refkube.coredns import manifest as coredns
from refkube.coredns.forward import World
from refkube.coredns.records import Records
from refkube.coredns.server import Server as CoreDns
from refkube.coredns.server import main as coredns_main
from refkube.engine.clock import NEW_YEAR_2026, Clock, VirtualClock, WaitingClock
from refkube.engine.frozen import freeze
from refkube.engine.ids import Ids
from refkube.engine.loop import Loop, Poller
from refkube.flannel.daemon import BACKENDS, Flanneld
from refkube.flannel.daemon import Options as FlannelOptions
from refkube.hostnet import INTERNET, Host, NetError
from refkube.kubelet.authorization import Guard
from refkube.kubelet.cni import Cni
from refkube.kubelet.hollow import HollowKubelet
from refkube.kubelet.kubelet import Kubelet
from refkube.kubelet.node_status import Machine
from refkube.kubelet.runtime.container import Runtime, Sandbox
from refkube.kubelet.runtime.images import Image, Images
from refkube.kubelet.runtime.programs.catalogue import known
from refkube.kubelet.server import NodeServer
from refkube.kubeproxy.proxier import Options as ProxyOptions
from refkube.kubeproxy.proxier import Proxier
from refkube.metricsserver import GROUP as METRICS
from refkube.metricsserver import KINDS as METRIC_KINDS
from refkube.metricsserver import MetricsServer
from refkube.network.fabric import Fabric
from refkube.registry.lister import Lister
from refkube.registry.registry import Registry
from refkube.registry.repair import Repair
from refkube.registry.storage import Storage, Write, stamp
from refkube.registry.subresources import Binding, Eviction, Scale, Subresource, TokenRequest
from refkube.scheduler.scheduler import Scheduler
from refkube.serviceaccount.tokens import Tokens
from refkube.serving.credentials import new_authority
from refkube.store.kv import Store, StoreError
from refkube.store.memory import MemoryStore
from refkube.store.observed import ObservedStore
from refkube.store.sqlite import SqliteStore
from refkube.volumes import PROVISIONERS, HostPath

__all__ = [
    "BACKENDS",
    "CONTROLLERS",
    "SCHEDULERS",
    "ApiServer",
    "Cluster",
    "Networking",
    "StoreError",
    "networking",
    "open_store",
    "real_kernel",
]

FROZEN = "REFKUBE_FROZEN"  # the environment variable that proves that nobody changes what came from the store
ISSUER = "https://kubernetes.default.svc.cluster.local"
SYSTEM_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
SYSTEM_PRIORITIES = (
    ("system-cluster-critical", 2_000_000_000, "For Pods that the cluster needs, wherever they run."),
    ("system-node-critical", 2_000_001_000, "For Pods that their node needs."),
)
STANDARD_CLASS: Object = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "provisioner": HostPath.name,
    "allowVolumeExpansion": True,
}
A_MOMENT = 0.001  # seconds, in which the controllers do what is due
SCHEDULERS = ("rr", "wrr", "lc", "wlc", "sh", "dh", "sed", "nq")
FLANNELD, KUBE_PROXY = "flanneld", "kube-proxy"
WORLD = {"example.com": INTERNET, "example.org": INTERNET}  # names outside of every cluster
COMPONENTS = ("scheduler", "controller-manager", "etcd-0")

# By the names of kube-controller-manager --controllers; each is a class that is called with its Context.
CONTROLLERS: dict[str, Factory] = {
    "deployment-controller": DeploymentController,
    "endpoints-controller": EndpointsController,
    "endpointslice-controller": EndpointSliceController,
    "endpointslice-mirroring-controller": EndpointSliceMirroringController,
    "persistentvolume-binder-controller": PersistentVolumeController,
    "persistentvolume-expander-controller": ExpandController,
    "persistentvolume-protection-controller": VolumeProtection,
    "persistentvolumeclaim-protection-controller": ClaimProtection,
    "replicaset-controller": ReplicaSetController,
    "replicationcontroller-controller": ReplicationController,
    "resourcequota-controller": ResourceQuotaController,
    "garbage-collector-controller": GarbageCollector,
    "namespace-controller": NamespaceController,
    "node-ipam-controller": NodeIPAMController,
    "node-lifecycle-controller": NodeLifecycleController,
    "pod-garbage-collector-controller": PodGCController,
    "root-ca-certificate-publisher-controller": RootCACertPublisher,
    "serviceaccount-controller": ServiceAccountController,
    "serviceaccount-token-controller": TokensController,
    "statefulset-controller": StatefulSetController,
    "taint-eviction-controller": TaintEvictionController,
    "service-lb-controller": ServiceController,
}


class ApiServer:
    """An API server over a store: pipeline for clients in process, HTTP front for all others."""

    def __init__(
        self,
        store: Store,
        loop: Loop,
        ids: Ids,
        users: Mapping[str, UserInfo],
        signing_key: bytes | None = None,
        components: Mapping[str, Callable[[], str | None]] | None = None,
        service_ranges: Sequence[str] = ("10.96.0.0/12",),
        node_ports: tuple[int, int] = (30000, 32767),
        advertise: tuple[str, int] = ("172.18.0.2", 6443),
        dial_node: Dial = lambda name: None,
        wire: Wire | None = None,
    ):
        self.registry = Registry(store, loop, ids, service_ranges, node_ports)
        self.tokens = Tokens(loop.now, ISSUER, signing_key)
        self._users = users
        authorizer = Authorizer()
        chain = Chain(self._plugins(loop, ids))
        healthy = components if components is not None else dict.fromkeys(COMPONENTS, _healthy)
        reviews = Reviews(authorizer, self.tokens, self.proven, healthy)
        self.pipeline = Pipeline(
            self.registry, chain, authorizer, loop, self._subresources(loop, ids), reviews.answers()
        )
        self.handle: Handle = self.pipeline.handle
        authenticator = Authenticator(users, self._account)
        self.connector = Connector(self.pipeline, dial_node, wire)
        self.front = Front(self.pipeline, authenticator, lambda: self.tokens.public_jwk, ISSUER, self.connector)
        client = Client(self.handle, system_user("apiserver", "system:masters"), "kube-apiserver")
        self._service = KubernetesService(client, loop, service_ranges, *advertise)
        warn = EventRecorder(client, loop, "ipallocator-repair-controller").event
        self._repair = Repair(
            self.registry.allocator, loop, lambda about, reason, message: warn(about, WARNING, reason, message)
        )

    def start(self) -> None:
        """Make what every API server makes for itself, and keep it (poststart hooks); its namespace must exist."""
        self._service.start()
        self._repair.start()

    def close(self) -> None:
        self._service.stop()
        self._repair.stop()
        self.registry.close()

    def _storage(self, resource: str) -> Storage:
        return self.registry.storage(preferred(resource))

    def _plugins(self, loop: Loop, ids: Ids) -> list[Plugin]:
        """Admission in upstream's order (pkg/kubeapiserver/options/plugins.go)."""
        namespaces, accounts = self._storage("namespaces"), self._storage("serviceaccounts")
        classes = self._storage("priorityclasses.scheduling.k8s.io")
        storage_classes = self._storage("storageclasses.storage.k8s.io")
        runtime_classes = self._storage("runtimeclasses.node.k8s.io")
        return [
            NamespaceLifecycle(lambda name: _found(namespaces, name)),
            LimitRanger(Lister(self._storage("limitranges"))),
            ServiceAccount(lambda namespace, name: _found(accounts, name, namespace), ids.suffix),
            TaintNodesByCondition(),
            Priority(lambda name: _found(classes, name), Lister(classes)),
            DefaultTolerationSeconds(),
            DefaultStorageClass(Lister(storage_classes)),
            StorageObjectInUseProtection(),
            PersistentVolumeClaimResize(lambda name: _found(storage_classes, name)),
            RuntimeClass(lambda name: _found(runtime_classes, name)),
            ResourceQuota(Lister(self._storage("resourcequotas")), self._charge, loop.now),
        ]

    def _charge(self, quota: Object, change: Callable[[Object], Object]) -> None:
        """Write what is charged to a quota, decided anew whenever somebody else was faster. One that is gone is not."""

        def changed(stored: Object | None) -> Object:
            assert stored is not None
            return with_metadata(change(stored), resourceVersion=None)

        try:
            quotas = self._storage("resourcequotas")
            quotas.update(namespace_of(quota), name_of(quota), changed, Write(subresource="status"))
        except errors.StatusError as refusal:
            if refusal.reason != "NotFound":
                raise

    def _subresources(self, loop: Loop, ids: Ids) -> dict[tuple[str, str], Subresource]:
        scale, binding = Scale(), Binding(loop)
        bound = {"Pod": self._storage("pods"), "Secret": self._storage("secrets"), "Node": self._storage("nodes")}
        scaled = ("deployments.apps", "replicasets.apps", "statefulsets.apps", "replicationcontrollers")
        return {
            **{(resource, "scale"): scale for resource in scaled},
            ("pods", "binding"): binding,
            ("pods", "eviction"): Eviction(self._storage("poddisruptionbudgets.policy"), loop),
            ("serviceaccounts", "token"): TokenRequest(self.tokens, bound, loop, ids),
        }

    def proven(self, token: str, audiences: tuple[str, ...]) -> tuple[UserInfo, tuple[str, ...]] | None:
        """Whom a token stands for and for which of the audiences, None if it is not good."""
        if token in self._users:
            return self._users[token], audiences
        verified = self.tokens.verify(token, audiences)
        if verified is None or not self._account_exists(verified.claims):
            return None
        return verified.user, verified.audiences

    def _account(self, token: str) -> UserInfo | None:
        found = self.proven(token, ())
        return found[0] if found else None

    def _account_exists(self, claims: Object) -> bool:
        """A token dies with its account and with what it is bound to (pkg/serviceaccount/jwt.go)."""
        about = claims["kubernetes.io"]
        bound = {"serviceaccount": "serviceaccounts", "pod": "pods", "secret": "secrets", "node": "nodes"}
        for role, resource in bound.items():
            if role in about:
                namespace = "" if role == "node" else about["namespace"]
                found = _found(self._storage(resource), about[role]["name"], namespace)
                if found is None or about[role].get("uid", found["metadata"]["uid"]) != found["metadata"]["uid"]:
                    return False
                if "token" in about[role] and _token_of(found) != about[role]["token"]:
                    return False
        return True


class ControllerManager:
    """Runs controllers over shared informers, each with a client of its own identity.

    `client` makes the client of a user; informers ask as the manager itself.
    """

    def __init__(self, client: Callable[[UserInfo, str], Client], loop: Loop, names: Collection[str], options: Options):
        self._loop = loop
        self._client = client
        self._options = options
        manager = UserInfo("system:kube-controller-manager", groups=("system:authenticated",))
        self.informers = Informers(client(manager, "kube-controller-manager"), loop)
        self.controllers: dict[str, Startable] = {name: self._made(name) for name in CONTROLLERS if name in names}

    def _made(self, name: str) -> Startable:
        factory = CONTROLLERS[name]
        account = getattr(factory, "account", name)
        client = self._client(_service_account("kube-system", account), "kube-controller-manager")
        events = EventRecorder(client, self._loop, getattr(factory, "component", name))
        return factory(Context(client, self.informers, self._loop, events, self._options))

    def start(self) -> None:
        for controller in self.controllers.values():
            controller.start()
        self.informers.start()

    def stop(self) -> None:
        for controller in self.controllers.values():
            controller.stop()
        self.informers.stop()


@dataclass(frozen=True)
class Kernel:
    """Whose network the machines have, and what a loop waits with for it."""

    fabric: Callable[[Loop], Any]
    poller: Poller | None = None


def real_kernel(clock: WaitingClock | None = None) -> Kernel:
    """This machine's own, in namespaces that go with the process. Wants root, real time, and gherkube[linux].

    NetError where it cannot carry the data path.
    """
    from refkube.linux.host import LinuxFabric, lacking  # its libraries are an extra
    from refkube.linux.poller import SocketPoller

    if why := lacking():
        raise NetError(f"this machine's kernel cannot carry the data path: {why}")
    poller = SocketPoller(clock)

    def fabric(loop: Loop) -> LinuxFabric:
        poller.post = loop.post
        return LinuxFabric(loop, poller)

    return Kernel(fabric, poller)


@dataclass(frozen=True)
class Networking:
    """What runs on every node beside its kubelet and flanneld, and how; and whether the cluster has its names."""

    flannel: FlannelOptions = field(default_factory=FlannelOptions)
    proxy: ProxyOptions = field(default_factory=ProxyOptions)
    kube_proxy: bool = True
    dns: bool = True
    foreign_proxy: Callable[[Cluster, str], Startable] | None = None  # of a node, in the place of refkube's own


def networking(
    backend: str = BACKENDS[0], scheduler: str = SCHEDULERS[0], kube_proxy: bool = True, dns: bool = True
) -> Networking:
    """With one of flannel's BACKENDS and one of IPVS's SCHEDULERS."""
    return Networking(FlannelOptions(backend=backend), ProxyOptions(scheduler=scheduler), kube_proxy, dns)


class Network:
    """Of one node: its host, its flanneld, perhaps its kube-proxy, and what the CNI plugin keeps."""

    def __init__(self, loop: Loop, host: Host, parts: Mapping[str, Callable[[], Startable]]):
        self.host = host
        self._parts = parts
        self.running: dict[str, Startable] = {}
        self.cni = Cni(host, lambda: self.environment)
        self._environment: Mapping[str, str] | None = None
        for part in parts:
            loop.call_later(A_MOMENT, self.start, part)  # by then the node is there, and may have a subnet

    @property
    def environment(self) -> Mapping[str, str] | None:
        """/run/flannel/subnet.env, which outlives the daemon."""
        daemon = self.running.get(FLANNELD)
        if isinstance(daemon, Flanneld) and daemon.environment is not None:
            self._environment = daemon.environment
        return self._environment

    def start(self, part: str) -> None:
        """A new process of "kube-proxy" or "flanneld", which knows nothing."""
        self.stop(part)
        self.running[part] = self._parts[part]()
        self.running[part].start()

    def stop(self, part: str) -> None:
        if (known := self.running.pop(part, None)) is not None:
            self._environment = self.environment
            known.stop()

    def close(self) -> None:
        for part in list(self.running):
            self.stop(part)


class Machinery:
    """One node as a process of its own: kubelet, flanneld and kube-proxy.

    `where` is the host and port that others find the kubelet at; it answers by `serve`. `send` passes its frames on to
    the nodes of other processes, and `arrived` takes theirs.
    """

    def __init__(
        self,
        client: Client,
        loop: Loop,
        name: str,
        address: str,
        where: tuple[str, int],
        send: Callable[[bytes], object] | None = None,
        cluster_dns: str = "",
    ):
        fabric = Fabric(loop, ip_address(address).packed[-1])
        host = fabric.join(name, address)
        self.arrived = fabric.lan.arrived
        if send is not None:
            fabric.go_on(name, send)
        parts: dict[str, Callable[[], Startable]] = {
            FLANNELD: lambda: Flanneld(client.with_user_agent(FLANNELD), loop, host, name),
            KUBE_PROXY: lambda: Proxier(client.with_user_agent(KUBE_PROXY), loop, host, name),
        }
        self._network = Network(loop, host, parts)
        storage = HostPath()
        runtime = Runtime(loop, Images(loop, _images(client.with_user_agent("coredns"), loop)), Ids(None).uid)
        runtime.disk.mount(storage.root, storage.disk)
        machine = Machine(name, address, hostname=where[0], port=where[1])
        self.kubelet = Kubelet(client, loop, machine, runtime, self._network.cni, host, cluster_dns)
        self.serve: Serve = Guard(NodeServer(self.kubelet).serve, client, name, loop.now)

    def start(self) -> None:
        self.kubelet.start()

    def stop(self) -> None:
        self.kubelet.stop()
        self._network.close()


class Cluster:
    """A control plane on one loop: in virtual time unless a clock is given, in memory unless a store is given.

    `seed` names the run: uids, generated names and every other choice follow from it; None makes them differ from
    run to run. `users` are static tokens. `controllers` run from the beginning: all, none, or those of these names;
    so do the kubelets of `nodes` nodes, n1, n2 ... and, if there are any or it is asked for, the `scheduler`. Nodes
    whose kubelets are not hollow have a network with flannel; `networking` adds kube-proxy and names. Kubelets of other
    processes are reached by the `wire`. `addons` are a default StorageClass and names, else there if there are nodes.
    """

    def __init__(
        self,
        nodes: int = 0,
        seed: int | None = 0,
        clock: Clock | None = None,
        store: Callable[[Loop], Store] | None = None,
        users: Mapping[str, UserInfo] | None = None,
        signing_key: bytes | None = None,
        on_error: Callable[[BaseException, str], None] | None = None,
        controllers: bool | Collection[str] = True,
        options: Options | None = None,
        cloud: LoadBalancers | None = None,
        scheduler: bool | None = None,
        hollow: bool = False,
        networking: Networking | None = None,
        kernel: Kernel | None = None,
        wire: Wire | None = None,
        addons: bool | None = None,
    ):
        self.hollow = hollow
        self.kubelets: list[Kubelet | HollowKubelet] = []
        self.cloud = cloud or SimulatedCloud()
        self.storage = HostPath()
        self._kernel = kernel or Kernel(Fabric)
        options = replace(options or Options(), cloud=self.cloud)
        self.loop = Loop(clock or VirtualClock(), on_error=on_error, poller=self._kernel.poller)
        self.ids = Ids(seed)
        self.store = store(self.loop) if store else MemoryStore(stamp, self.loop)
        self.admin_token = "admin"
        known = users if users is not None else {self.admin_token: ADMIN}
        self.apiserver = ApiServer(
            self.store,
            self.loop,
            self.ids,
            known,
            signing_key,
            service_ranges=options.service_cluster_ip_range.split(","),
            node_ports=options.service_node_port_range,
            dial_node=self.dial_node,
            wire=wire,
        )
        self.apiserver.front.on_bug = None if on_error is None else lambda bug: on_error(bug, "apiserver")
        self.registry = self.apiserver.registry
        self.handle: Handle = self.apiserver.handle
        if not hollow:
            metrics = MetricsServer(self.client("metrics-server"), self.apiserver.connector.ask, self.loop.now)
            self.apiserver.front.aggregate(METRICS, METRIC_KINDS, metrics.serve)
        self._bootstrap()
        self.apiserver.start()
        self.registry.start_compaction()
        names = controllers if not isinstance(controllers, bool) else CONTROLLERS if controllers else ()
        self.manager = ControllerManager(
            lambda user, agent: Client(self.handle, user, agent), self.loop, names, self._options(options)
        )
        self.manager.start()
        wanted = nodes > 0 if scheduler is None else scheduler
        self.scheduler = Scheduler(self.client("kube-scheduler"), self.loop) if wanted else None
        if self.scheduler is not None:
            self.scheduler.start()
        addons = nodes > 0 if addons is None else addons
        if addons:
            _ensure(self.client("apiserver", "system:masters"), "storageclasses.storage.k8s.io", STANDARD_CLASS)
        self.networking = networking or Networking(kube_proxy=False, dns=False)
        self.networks: dict[str, Network] = {}
        self._uplinks: dict[str, Uplink] = {}
        for number in range(1, nodes + 1):
            self.join(f"n{number}")
        if addons and self.networking.dns:
            CoreDns(self.loop, self.fabric.internet.namespace, World(WORLD)).start()
            for resource, obj in coredns.objects():
                _ensure(self.client("apiserver", "system:masters"), resource, obj)
        self.loop.run_for(A_MOMENT if self.networks else 0.0)

    def http(self, request: HttpRequest) -> HttpResponse:
        """One HTTP request, without a socket."""
        return self.apiserver.front.serve(request)

    def client(self, name: str, *groups: str) -> Client:
        """A client in process with a component's identity: client("kube-scheduler")."""
        user = UserInfo(f"system:{name}", groups=(*groups, "system:authenticated"))
        return Client(self.handle, user, name)

    def _options(self, options: Options) -> Options:
        """With what controllers need of the API server: its key to sign tokens with, and whom to trust in its name."""
        root_ca = options.root_ca or _root_ca()
        made = {SIGN: self.apiserver.tokens.issue_legacy, PROVISIONERS: {HostPath.name: self.storage}}
        return replace(options, root_ca=root_ca, extra={**made, **options.extra})

    def join(self, name: str) -> Kubelet | HollowKubelet:
        """One more machine, whose kubelet starts at once."""
        number = len(self.kubelets) + 1
        machine = Machine(name, str(ip_address("192.168.100.10") + number))
        client = self.client(f"node:{name}", "system:nodes")
        kubelet: Kubelet | HollowKubelet
        if not self.hollow:
            uplink = self._uplinks[name] = Uplink(self.handle)
            kubelet = self._kubelet(Client(uplink, client.user, client.user_agent), machine)
        else:
            fallback = str(ip_network("10.128.0.0/9")[number * 256]) + "/24"
            kubelet = HollowKubelet(client, self.loop, machine, fallback)
        self.kubelets.append(kubelet)
        kubelet.start()
        return kubelet

    def cut_off(self, name: str) -> None:
        """Let nothing get from a machine to another one or to the API server, nor back; it runs on."""
        self._uplinks[name].cut()
        self.fabric.cut_off(name)

    def mend(self, name: str) -> None:
        """Mend what was cut."""
        self._uplinks[name].mend()
        self.fabric.mend(name)

    @cached_property
    def fabric(self) -> Any:
        """The machines and the wires between them."""
        return self._kernel.fabric(self.loop)

    def dial_node(self, name: str) -> Callable[[HttpRequest], HttpResponse] | None:
        """What serves at a node's kubelet; None if it does not run."""
        for kubelet in self.kubelets:
            if kubelet.machine.name == name and isinstance(kubelet, Kubelet) and kubelet.running:
                if self._uplinks[name].is_cut:
                    return None
                return NodeServer(kubelet).serve
        return None

    def sandboxes(self) -> list[Sandbox]:
        """Of the Pods of all nodes that run some."""
        real = [kubelet for kubelet in self.kubelets if isinstance(kubelet, Kubelet)]
        return [sandbox for kubelet in real for sandbox in kubelet.runtime.sandboxes.values()]

    def host(self, name: str) -> Host:
        """A node's network, plugged into the nodes' LAN when it is first asked for."""
        if name not in self.fabric.hosts:
            machine = next(kubelet.machine for kubelet in self.kubelets if kubelet.machine.name == name)
            self.fabric.join(name, machine.address)
        return self.fabric.hosts[name]

    def _kubelet(self, client: Client, machine: Machine) -> Kubelet:
        """With its runtime, and the node's network."""
        names = self._account("kube-system", "coredns", "coredns", machine.name)
        runtime = Runtime(self.loop, Images(self.loop, _images(names, self.loop)), self.ids.uid)
        runtime.disk.mount(self.storage.root, self.storage.disk)
        network = self.networks[machine.name] = self._network(machine, self.networking)
        dns = coredns.ADDRESS if self.networking.dns else ""
        resolver = INTERNET if dns else ""
        return Kubelet(client, self.loop, machine, runtime, network.cni, network.host, dns, resolver)

    def _network(self, machine: Machine, chosen: Networking) -> Network:
        name, loop = machine.name, self.loop
        host = self.fabric.join(name, machine.address)
        flannel = self._account("kube-flannel", "flannel", FLANNELD, name)
        parts: dict[str, Callable[[], Startable]] = {
            FLANNELD: lambda: Flanneld(flannel, loop, host, name, chosen.flannel)
        }
        if (foreign := chosen.foreign_proxy) is not None:
            parts[KUBE_PROXY] = lambda: foreign(self, name)
        elif chosen.kube_proxy:
            proxy = self._account("kube-system", KUBE_PROXY, KUBE_PROXY, name)
            parts[KUBE_PROXY] = lambda: Proxier(proxy, loop, host, name, chosen.proxy)
        return Network(loop, host, parts)

    def _account(self, namespace: str, name: str, agent: str, node: str = "") -> Client:
        return Client(self._uplinks[node] if node else self.handle, _service_account(namespace, name), agent)

    def stored(self, key: str) -> Object | None:
        """What an observed store holds under a key of its own ("/registry/pods/default/web")."""
        assert isinstance(self.store, ObservedStore)
        return self.store.peek(key)

    def store_clients(self) -> set[str]:
        """The components that have asked an observed store."""
        assert isinstance(self.store, ObservedStore)
        return set(self.store.clients)

    def close(self) -> None:
        for kubelet in self.kubelets:
            kubelet.stop()
        for network in self.networks.values():
            network.close()
        if self.scheduler is not None:
            self.scheduler.stop()
        self.manager.stop()
        self.apiserver.close()
        self.store.close()
        if self._kernel.poller is not None and "fabric" in vars(self):
            self.fabric.close()

    def _bootstrap(self) -> None:
        """What every cluster has from its beginning (pkg/controlplane, poststart hooks)."""
        client = self.client("apiserver", "system:masters")
        for name in SYSTEM_NAMESPACES:
            _ensure(client, "namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        for name, value, about in SYSTEM_PRIORITIES:
            priority = {
                "apiVersion": "scheduling.k8s.io/v1",
                "kind": "PriorityClass",
                "metadata": {"name": name},
                "value": value,
                "description": about,
            }
            _ensure(client, "priorityclasses.scheduling.k8s.io", priority)


def open_store(where: str | Path) -> Callable[[Loop], Store]:
    """A store in "memory", in the etcd at a URL, or with sqlite in a directory."""

    def opened(loop: Loop) -> Store:
        if where in ("memory", "observed"):
            kept = frozen_stamp if os.environ.get(FROZEN) else stamp
            return (MemoryStore if where == "memory" else ObservedStore)(kept, loop)
        if isinstance(where, str):
            from refkube.store.etcd import EtcdStore  # its libraries are an extra

            return EtcdStore(where, loop.post, stamp)
        return SqliteStore(where, stamp=stamp, timers=loop)

    return opened


def frozen_stamp(obj: Object, revision: int) -> Object:
    """What is read from the store, so that whoever changes it fails on the spot."""
    frozen: Object = freeze(stamp(obj, revision))
    return frozen


def _ensure(client: Client, resource: str, obj: Object) -> None:
    try:
        client.create(resource, obj)
    except errors.StatusError as refusal:
        if refusal.reason != "AlreadyExists":
            raise


def _found(storage: Storage, name: str, namespace: str = "") -> Object | None:
    try:
        return storage.get(namespace, name).value
    except errors.StatusError:
        return None


def _token_of(secret: Object) -> str:
    return b64decode((secret.get("data") or {}).get("token", "")).decode(errors="replace")


def _images(client: Client, loop: Loop) -> Callable[[str], Image | None]:
    """Those that everybody knows, and coredns, which asks by the client."""
    names = Image(("/coredns",), programs={"coredns": coredns_main(lambda: Records(client, loop))})
    return lambda repository: names if repository == coredns.REPOSITORY else known(repository)


@cache
def _root_ca() -> str:
    return new_authority(NEW_YEAR_2026).decode()


def _service_account(namespace: str, name: str) -> UserInfo:
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    return UserInfo(f"system:serviceaccount:{namespace}:{name}", groups=groups)


def _healthy() -> str | None:
    return None
