"""All controllers under whatever users and machines do to a cluster, in any order of events, with watches that break
and an API server that fails every tenth call: once it is quiet, every invariant holds.

CONTROLLER_SEEDS=1000 tries as many seeds, CONTROLLER_SEED=N the one that failed; a failure names its seed.
"""

from __future__ import annotations

import os
import random
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from ipaddress import ip_network
from itertools import combinations
from typing import Any

import pytest
import refkube.cluster
from refkube.apimachinery import errors
from refkube.apimachinery.meta import Object, condition_is_true, get_path, is_terminating, labels_of, name_of, uid_of
from refkube.apimachinery.quantity import parse
from refkube.client.client import Client
from refkube.cloudprovider import balancer_name
from refkube.cluster import CONTROLLERS, Cluster, ControllerManager
from refkube.controllers.common.context import Options
from refkube.engine.loop import Loop
from refkube.scheduler.scheduler import Scheduler
from unruly import Unruly
from workload_objects import DEPLOYMENTS, SETS, STATEFUL, pod, template, workload

ONE = os.environ.get("CONTROLLER_SEED")
SEEDS = [int(ONE)] if ONE else range(int(os.environ.get("CONTROLLER_SEEDS", "50")))
ACTS = 60
QUIET = 900.0  # seconds: evictions, resynchronisations and back-offs are over
APPS = ("a", "b", "c")
SLICES, NODES = "endpointslices.discovery.k8s.io", "nodes"
CLAIMS, VOLUMES = "persistentvolumeclaims", "persistentvolumes"
OF_NAME = "kubernetes.io/service-account.name"
WORKLOADS = (DEPLOYMENTS, SETS, STATEFUL)
HARD = {  # of a quota that is never reached
    **dict.fromkeys(("pods", "services", "configmaps", "secrets", CLAIMS, "services.nodeports"), "900"),
    **dict.fromkeys(("requests.cpu", "requests.storage", f"count/{DEPLOYMENTS}"), "90000"),
}
TIGHT = {"pods": "3", "services": "2"}


class People:
    """They do something at random, again and again, to what is in "default" and to whole namespaces and nodes."""

    def __init__(self, cluster: Cluster, chance: random.Random):
        self.client = cluster.client("user", "system:masters")
        self._cluster = cluster
        self._chance = chance
        self._pick = chance.choice
        self._made = 0

    def act(self) -> None:
        weights = {
            self._make_workload: 4, self._scale: 4, self._edit: 2, self._make_pod: 3, self._relabel: 2,
            self._end_pod: 3, self._make_service: 4, self._retype: 3, self._make_claim: 3, self._make_volume: 2,
            self._make_account: 2, self._make_secret: 2, self._make_namespace: 2, self._crowd: 3, self._fault: 2,
            self._delete: 5,
        }  # fmt: skip
        try:
            self._chance.choices(list(weights), list(weights.values()))[0]()
        except errors.StatusError as refusal:
            if refusal.reason not in ("NotFound", "Conflict", "Forbidden", "AlreadyExists"):
                raise

    def _name(self) -> str:
        self._made += 1
        return f"x{self._made}"

    def _some(self, *resources: str) -> tuple[str, Object]:
        """One that is there and stays; NotFound if there is none."""
        resource = self._pick(resources)
        namespace = "" if resource in ("namespaces", NODES, VOLUMES) else "default"
        found = [one for one in self.client.list(resource, namespace).items if not is_terminating(one)]
        if not found:
            raise errors.not_found(resource, "any")
        return resource, self._pick(found)

    def _patch(self, resource: str, obj: Object, change: Object) -> None:
        self.client.patch(resource, name_of(obj), change, "strategic", obj["metadata"].get("namespace", ""))

    def _make_workload(self) -> None:
        resource, name, spec = self._pick([DEPLOYMENTS, DEPLOYMENTS, STATEFUL, SETS]), self._name(), {}
        if resource == STATEFUL:
            spec = {"serviceName": name, "podManagementPolicy": self._pick(["Parallel", "OrderedReady"])}
        made = workload(resource, name, self._chance.randrange(5), **spec)
        labels = {"app": name, "tier": self._pick(APPS)}
        made["spec"]["template"]["metadata"]["labels"] = labels
        self.client.create(resource, made)

    def _scale(self) -> None:
        self._patch(*self._some(*WORKLOADS), {"spec": {"replicas": self._chance.randrange(6)}})

    def _edit(self) -> None:
        containers = template("", f"web:{self._chance.randrange(4)}")["spec"]["containers"]
        self._patch(*self._some(DEPLOYMENTS, STATEFUL), {"spec": {"template": {"spec": {"containers": containers}}}})

    def _make_pod(self) -> None:
        spec: dict[str, Any] = {"terminationGracePeriodSeconds": self._pick([0, 30])}
        if self._chance.random() < 0.3:
            claim = {"claimName": name_of(self._some(CLAIMS)[1])}
            spec["volumes"] = [{"name": "data", "persistentVolumeClaim": claim}]
        if self._chance.random() < 0.2:
            spec["readinessGates"] = [{"conditionType": "example.com/never"}]
        self.client.create("pods", pod(self._name(), {"tier": self._pick(APPS)}, **spec))

    def _relabel(self) -> None:
        """Not members of a StatefulSet: nobody can take the name of one that was released."""
        resource, found = self._some("pods")
        if not any(owner["kind"] == "StatefulSet" for owner in found["metadata"].get("ownerReferences", ())):
            labels = self._pick([{"tier": self._pick(APPS)}, {"app": "other"}])
            self._patch(resource, found, {"metadata": {"labels": labels}})

    def _end_pod(self) -> None:
        self.client.delete("pods", name_of(self._some("pods")[1]), "default", grace_period=self._pick([None, 0]))

    def _service(self, namespace: str, **spec: Any) -> None:
        spec = {"selector": {"tier": self._pick(APPS)}, "ports": [{"port": 80}], **spec}
        meta = {"name": self._name(), "namespace": namespace}
        self.client.create("services", {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec})

    def _make_service(self) -> None:
        kinds: list[Object] = [{"type": type} for type in ("ClusterIP", "NodePort", "LoadBalancer")]
        self._service("default", **self._pick([*kinds, {"clusterIP": "None"}]))

    def _retype(self) -> None:
        service = self._some("services")[1]
        if service["spec"].get("clusterIP") != "None" and name_of(service) != "kubernetes":
            kind = self._pick(["ClusterIP", "NodePort", "LoadBalancer"])
            change = {"type": kind, "selector": {"tier": self._pick(APPS)}}
            self._patch("services", service, {"spec": change})

    def _make_claim(self) -> None:
        name = self._pick([None, None, "", "late"])
        spec: Object = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": self._pick(SIZES)}}}
        spec = spec if name is None else {**spec, "storageClassName": name}
        meta = {"name": self._name(), "namespace": "default"}
        self.client.create(
            CLAIMS, {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec}
        )

    def _make_volume(self) -> None:
        spec = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": self._pick(SIZES)}}
        spec |= {"hostPath": {"path": "/tmp/x"}, "persistentVolumeReclaimPolicy": self._pick(["Retain", "Delete"])}
        meta = {"name": self._name()}
        self.client.create(VOLUMES, {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": meta, "spec": spec})

    def _make_account(self) -> None:
        meta = {"name": self._pick(APPS), "namespace": "default"}
        self.client.create("serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})

    def _make_secret(self) -> None:
        meta = {"name": self._name(), "namespace": "default", "annotations": {OF_NAME: self._pick(APPS)}}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": meta}
        self.client.create("secrets", {**secret, "type": "kubernetes.io/service-account-token"})

    def _make_namespace(self) -> None:
        name = self._name()
        self.client.create("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        self.client.create("configmaps", {"metadata": {"name": "settings", "namespace": name}})

    def _crowd(self) -> None:
        """More than the quota of "tight" lets in."""
        if self._chance.random() < 0.5:
            self._service("tight")
            return
        made = pod(self._name())
        self.client.create("pods", {**made, "metadata": {**made["metadata"], "namespace": "tight"}})

    def _fault(self) -> None:
        """A node falls silent, comes back, goes for good, or joins."""
        cluster, kubelet = self._cluster, self._pick(self._cluster.kubelets)
        what = self._pick(["silence", "silence", "resume", "resume", "leave", "join"])
        if what == "silence":
            kubelet.stop()
        elif what == "resume":
            kubelet.start()
        elif what == "leave" and len(cluster.kubelets) > 2:
            kubelet.stop()
            cluster.kubelets.remove(kubelet)
            self.client.delete(NODES, kubelet.machine.name)
        elif what == "join" and len(cluster.kubelets) < 5:
            cluster.join(self._name())

    def _delete(self) -> None:
        resource, found = self._some(
            *WORKLOADS, "services", CLAIMS, VOLUMES, "serviceaccounts", "secrets", "namespaces", "endpoints", SLICES
        )
        if not (resource == "namespaces" and not name_of(found).startswith("x")):
            propagation = self._pick(["Background", "Foreground"])
            namespace = found["metadata"].get("namespace", "")
            self.client.delete(resource, name_of(found), namespace, propagation=propagation)


SIZES = ("1Gi", "2Gi", "3Gi")


@pytest.mark.parametrize("seed", SEEDS)
def test_once_it_is_quiet_every_invariant_holds(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(refkube.cluster, "Loop", partial(Loop, seed=seed))
    cluster = Cluster(nodes=3, seed=seed, controllers=False, scheduler=False, hollow=True)
    server = Unruly(cluster.handle, chance)
    options = cluster._options(Options(cloud=cluster.cloud))
    manager = ControllerManager(lambda user, agent: Client(server, user, agent), cluster.loop, CONTROLLERS, options)
    manager.start()
    scheduler = Scheduler(Client(server, cluster.client("kube-scheduler").user), cluster.loop)
    scheduler.start()
    people = People(cluster, chance)
    prepare(people.client)
    cluster.loop.run_for(60)
    for _ in range(ACTS):
        people.act()
        if chance.random() < 0.2:
            server.break_watches()
        cluster.loop.run_for(chance.choice([0, 0, 0.01, 0.5, 3, 20, 70]))
        check_at_any_time(people.client)
    server.every = 0
    for kubelet in cluster.kubelets:
        kubelet.start()
    cluster.loop.run_for(QUIET)
    wrong = [f"{check.__name__}: {what}" for check in INVARIANTS for what in check(Seen(cluster, people.client))]
    assert not wrong, f"CONTROLLER_SEED={seed}: " + "; ".join(wrong)
    scheduler.stop()
    manager.stop()
    cluster.close()


def prepare(client: Client) -> None:
    late = {"metadata": {"name": "late"}, "provisioner": "refkube.io/hostpath", "volumeBindingMode": LATE}
    client.create("storageclasses.storage.k8s.io", late)
    client.create("namespaces", {"metadata": {"name": "tight"}})
    for namespace, hard in (("default", HARD), ("tight", TIGHT)):
        client.create("resourcequotas", {"metadata": {"name": "q", "namespace": namespace}, "spec": {"hard": hard}})
    limits = [{"type": "Container", "defaultRequest": {"cpu": "10m"}}]
    client.create("limitranges", {"metadata": {"name": "l", "namespace": "default"}, "spec": {"limits": limits}})


LATE = "WaitForFirstConsumer"


class Seen:
    """What there is, by resource."""

    def __init__(self, cluster: Cluster, client: Client):
        self.cluster = cluster
        self._client = client

    def all(self, resource: str, namespace: str = "default") -> list[Object]:
        return list(self._client.list(resource, namespace).items)


def check_at_any_time(client: Client) -> None:
    """What must not be broken even for a moment."""
    services = client.list("services").items
    for held in (addresses_of(services), node_ports_of(services)):
        assert max(Counter(held).values(), default=1) == 1, held
    taken = [get_path(one, "spec", "claimRef", "uid") for one in client.list(VOLUMES).items]
    bound = [get_path(one, "spec", "volumeName") for one in client.list(CLAIMS).items]
    for held in (taken, bound):
        assert max(Counter(filter(None, held)).values(), default=1) == 1, held


def addresses_of(services: Iterable[Object]) -> list[str]:
    return [one["spec"]["clusterIP"] for one in services if one["spec"].get("clusterIP") not in (None, "", "None")]


def node_ports_of(services: Iterable[Object]) -> list[int]:
    return [port["nodePort"] for one in services for port in one["spec"]["ports"] if port.get("nodePort")]


# What holds once it is quiet: each gives what is wrong.


def counts(seen: Seen) -> Iterable[str]:
    """As many Pods as wanted, ready, of the template; and the status says so."""
    sets, pods = seen.all(SETS), seen.all("pods")
    for owner in (one for resource in WORKLOADS for one in seen.all(resource)):
        if any(ref.get("controller") for ref in owner["metadata"].get("ownerReferences", ())):
            continue
        owners = {uid_of(owner)} | {uid_of(one) for one in sets if owned_by(one, {uid_of(owner)})}
        mine = [one for one in pods if owned_by(one, owners) and not is_terminating(one)]
        wanted, status = owner["spec"]["replicas"], owner.get("status") or {}
        ready = sum(condition_is_true(one, "Ready") for one in mine)
        told = [status.get(field, 0) for field in ("replicas", "readyReplicas", "availableReplicas")]
        if {len(mine), ready, *told} != {wanted}:
            yield f"{owner['kind']} {name_of(owner)} wants {wanted}, has {len(mine)}, {ready} ready, tells {told}"
        images = {one["spec"]["containers"][0]["image"] for one in mine}
        image = owner["spec"]["template"]["spec"]["containers"][0]["image"]
        if owner["kind"] != "ReplicaSet" and images - {image}:
            yield f"{owner['kind']} {name_of(owner)} has Pods of {images}, not of {image}"


def owned_by(obj: Object, owners: set[str]) -> bool:
    return any(ref["uid"] in owners for ref in obj["metadata"].get("ownerReferences", ()))


def ownership(seen: Seen) -> Iterable[str]:
    """Nobody belongs to who is gone."""
    known = {uid_of(one) for resource in (*WORKLOADS, "services", "endpoints") for one in seen.all(resource)}
    for resource in ("pods", SETS, SLICES):
        for one in seen.all(resource):
            if not all(ref["uid"] in known for ref in one["metadata"].get("ownerReferences", ())):
                yield f"{resource} {name_of(one)} belongs to who is gone"


def quotas(seen: Seen) -> Iterable[str]:
    """Used is the sum."""
    for namespace in ("default", "tight"):
        used = {name: parse(amount) for name, amount in quota_of(seen, namespace).items()}
        for name, found in used.items():
            if name in SUMS and found != parse(str(SUMS[name](seen, namespace))):
                yield f"in {namespace} {name} is {found}, in truth {SUMS[name](seen, namespace)}"
        if set(used) != set(HARD if namespace == "default" else TIGHT):
            yield f"in {namespace} used tells {sorted(used)}"


def quota_of(seen: Seen, namespace: str) -> dict[str, str]:
    (quota,) = seen.all("resourcequotas", namespace)
    return get_path(quota, "status", "used", default={})


def _number(resource: str) -> Callable[[Seen, str], int]:
    return lambda seen, namespace: len(seen.all(resource, namespace))


SUMS: dict[str, Callable[[Seen, str], object]] = {
    **{name: _number(name) for name in ("services", "configmaps", "secrets", CLAIMS)},
    f"count/{DEPLOYMENTS}": _number(DEPLOYMENTS),
    "pods": lambda seen, namespace: len(living(seen, namespace)),
    "requests.cpu": lambda seen, namespace: f"{10 * len(living(seen, namespace))}m",
    "requests.storage": lambda seen, namespace: f"{sum(map(size_of, seen.all(CLAIMS, namespace)))}Gi",
    "services.nodeports": lambda seen, namespace: len(node_ports_of(seen.all("services", namespace))),
}


def living(seen: Seen, namespace: str) -> list[Object]:
    return [one for one in seen.all("pods", namespace) if get_path(one, "status", "phase") not in ENDED]


ENDED = ("Succeeded", "Failed")


def size_of(claim: Object) -> int:
    return int(claim["spec"]["resources"]["requests"]["storage"].removesuffix("Gi"))


def endpoints(seen: Seen) -> Iterable[str]:
    """Endpoints and slices of a Service list its ready Pods, and no other Service has any."""
    pods, slices = seen.all("pods"), seen.all(SLICES)
    listed = {name_of(one): one for one in seen.all("endpoints")}
    services = [one for one in seen.all("services") if one["spec"].get("selector")]
    for service in services:
        chosen = [one for one in pods if labels_of(one).get("tier") == service["spec"]["selector"]["tier"]]
        chosen = [one for one in chosen if get_path(one, "status", "podIP") and not is_terminating(one)]
        ready = sorted(name_of(one) for one in chosen if condition_is_true(one, "Ready"))
        subsets = listed.get(name_of(service), {}).get("subsets") or []
        told = sorted(one["targetRef"]["name"] for part in subsets for one in part.get("addresses") or ())
        if told != ready:
            yield f"Endpoints {name_of(service)} list {told}, ready are {ready}"
        own = [one for one in slices if labels_of(one).get("kubernetes.io/service-name") == name_of(service)]
        parts = [part for one in own for part in one.get("endpoints") or ()]
        told = sorted(one["targetRef"]["name"] for one in parts if one["conditions"].get("ready"))
        if told != ready:
            yield f"slices of {name_of(service)} list {told}, ready are {ready}"
    known = {name_of(one) for one in seen.all("services")}
    for name in {labels_of(one).get("kubernetes.io/service-name") for one in slices} | set(listed):
        if name not in known:
            yield f"endpoints of {name}, which is gone"


def addresses(seen: Seen) -> Iterable[str]:
    """What is allotted is what is held."""
    held = set(addresses_of(seen.all("services", "")))
    told = {name_of(one) for one in seen.all("ipaddresses.networking.k8s.io", "")}
    if held != told:
        yield f"held are {sorted(held - told)} and allotted {sorted(told - held)} alone"


def load_balancers(seen: Seen) -> Iterable[str]:
    balancers = seen.cluster.cloud.balancers  # type: ignore[attr-defined]
    wanting = [one for one in seen.all("services", "") if one["spec"]["type"] == "LoadBalancer"]
    if set(balancers) != {balancer_name(one) for one in wanting}:
        yield f"there are {len(balancers)} for {len(wanting)} Services"
    nodes = {name_of(one) for one in seen.all(NODES, "")}
    for service in wanting:
        balancer = balancers.get(balancer_name(service))
        told = [one["ip"] for one in get_path(service, "status", "loadBalancer", "ingress", default=[])]
        if balancer is not None and (told != [balancer.ip] or balancer.nodes != nodes):
            yield f"{name_of(service)} tells {told} for {balancer}, nodes are {sorted(nodes)}"


def subnets(seen: Seen) -> Iterable[str]:
    """Every node has one of its own; every node is ready and untainted."""
    nodes = seen.all(NODES, "")
    cidrs = [ip_network(get_path(one, "spec", "podCIDR", default="0.0.0.0/0")) for one in nodes]
    if any(one.overlaps(other) for one, other in combinations(cidrs, 2)):
        yield f"subnets overlap: {cidrs}"
    for node in nodes:
        if not condition_is_true(node, "Ready") or node["spec"].get("taints"):
            yield f"node {name_of(node)} is not ready, or tainted: {node['spec'].get('taints')}"


def claims(seen: Seen) -> Iterable[str]:
    """Bound claims and their volumes point to each other; who can have one has one; what is left over is gone."""
    volumes = {name_of(one): one for one in seen.all(VOLUMES, "")}
    known = {uid_of(one): one for one in seen.all(CLAIMS)}
    used = {
        volume["persistentVolumeClaim"]["claimName"]
        for one in seen.all("pods")
        for volume in one["spec"].get("volumes") or ()
        if "persistentVolumeClaim" in volume
    }
    for claim in known.values():
        phase, name = get_path(claim, "status", "phase"), claim["spec"].get("volumeName")
        if phase == "Bound" and get_path(volumes.get(name), "spec", "claimRef", "uid") != uid_of(claim):
            yield f"claim {name_of(claim)} is bound to {name}, which is not its own"
        waits = claim["spec"].get("storageClassName") in ("late", "")
        if phase == "Pending" and not waits:
            yield f"claim {name_of(claim)} has no volume"
        if is_terminating(claim) and name_of(claim) not in used:
            yield f"claim {name_of(claim)} does not go"
    free = [one for one in volumes.values() if get_path(one, "status", "phase") == "Available"]
    for claim in known.values():
        if get_path(claim, "status", "phase") == "Pending" and claim["spec"].get("storageClassName") == "":
            fit = [name_of(one) for one in free if int(one["spec"]["capacity"]["storage"][0]) >= size_of(claim)]
            if fit and not is_terminating(claim):
                yield f"claim {name_of(claim)} waits though {fit} are free"
    for name, volume in volumes.items():
        gone = get_path(volume, "spec", "claimRef", "uid", default="") not in ("", *known)
        if gone and volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete":
            yield f"volume {name} is left over"
        if gone != (get_path(volume, "status", "phase") == "Released"):
            yield f"volume {name} is {get_path(volume, 'status', 'phase')}"
    if set(seen.cluster.storage.sizes) != {name for name in volumes if name.startswith("pvc-")}:
        yield f"the storage has {sorted(seen.cluster.storage.sizes)}, there are {sorted(volumes)}"


def namespaces(seen: Seen) -> Iterable[str]:
    """Those that are there are active and furnished."""
    for namespace in seen.all("namespaces", ""):
        name = name_of(namespace)
        accounts = [name_of(one) for one in seen.all("serviceaccounts", name)]
        maps = [name_of(one) for one in seen.all("configmaps", name)]
        phase = namespace["status"]["phase"]
        if phase != "Active" or "default" not in accounts or "kube-root-ca.crt" not in maps:
            yield f"{name} is {phase} with {accounts} and {maps}"


def tokens(seen: Seen) -> Iterable[str]:
    """Every token is that of an account, and good."""
    accounts = {name_of(one): one for one in seen.all("serviceaccounts")}
    for secret in seen.all("secrets"):
        account = accounts.get(secret["metadata"]["annotations"][OF_NAME])
        token = b64decode(get_path(secret, "data", "token", default="")).decode()
        found = seen.cluster.apiserver.proven(token, ())
        if account is None or found is None or found[0].uid != uid_of(account):
            yield f"secret {name_of(secret)} is good for {found}"


INVARIANTS = (*(counts, ownership, quotas, endpoints, addresses, load_balancers, subnets, claims, namespaces, tokens),)
