"""Figures of the project, printed, never asserted: `python ci/bench.py [NAME ...]`.

Each figure is the best of some rounds, so that a busy machine disturbs it least. What is compared is told as a ratio.
"""

from __future__ import annotations

import gc
import http.client
import resource
import ssl
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from refkube.apimachinery.rest import HttpRequest  # noqa: E402
from refkube.client.client import Client  # noqa: E402
from refkube.cluster import Cluster  # noqa: E402
from refkube.engine.garbage import leave_alone  # noqa: E402
from refkube.kubeproxy.proxier import Options as ProxyOptions  # noqa: E402
from refkube.kubeproxy.proxier import Proxier  # noqa: E402
from refkube.scheduler.scheduler import Scheduler  # noqa: E402

from ci.server import refkube_server  # noqa: E402

SLICES = "endpointslices.discovery.k8s.io"
PODS = "/api/v1/namespaces/default/pods"
SPEC = {
    "containers": [
        {
            "name": "web",
            "image": "nginx:1.25",
            "ports": [{"containerPort": 80}],
            "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
        }
    ]
}

_REQUESTS = {"requests": {"cpu": "10m", "memory": "16Mi"}}
SMALL = {"containers": [{**SPEC["containers"][0], "resources": _REQUESTS}]}  # more than 40 of them fit on a node

WEB = {"matchLabels": {"app": "web"}}
ZONE, HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
SERVICE = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
SPREAD = {
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": ZONE, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": WEB},
        {"maxSkew": 1, "topologyKey": HOST, "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": WEB},
    ]
}
APART = {
    "affinity": {
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": HOST, "labelSelector": WEB}]
        }
    }
}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in FIGURES]
    if unknown:
        print(f"no such figure: {', '.join(unknown)}; there are {', '.join(FIGURES)}", file=sys.stderr)
        return 3
    leave_alone()  # as `refkube serve` and the suite's runner do
    for name in names or [name for name in FIGURES if name not in ON_DEMAND]:
        for line in FIGURES[name]():
            print(f"{name:<10} {line}", flush=True)
    return 0


def start() -> Iterator[str]:
    Cluster().close()  # the first one reads the published definitions
    yield f"a fresh control plane: {best(lambda: Cluster().close(), 20) * 1e3:.1f} ms"


def in_process() -> Iterator[str]:
    """Components' calls, without encoding; and HTTP requests without a socket."""
    cluster = Cluster()
    client = cluster.client("kube-controller-manager")
    names = iter(range(10**9))

    def create() -> None:
        client.create("pods", pod(next(names)))

    rounds = 1500
    client.create("pods", pod(next(names)))
    yield f"create a Pod: {1 / each(create, rounds):,.0f}/s"
    yield f"GET a Pod: {1 / each(lambda: client.get('pods', 'p1', 'default'), rounds):,.0f}/s"
    yield f"LIST {rounds + 1} Pods: {1 / each(lambda: client.list('pods', 'default'), 50):,.0f}/s"
    headers = {"authorization": f"Bearer {cluster.admin_token}"}
    get = HttpRequest("GET", f"{PODS}/p1", "", headers)
    yield f"GET a Pod as HTTP without a socket: {1 / each(lambda: cluster.http(get), rounds):,.0f}/s"


def growth() -> Iterator[str]:
    """The cost of one write must not grow with what is stored."""
    cluster = Cluster()
    client = cluster.client("kube-controller-manager")
    costs = {}
    stored = 0
    for size in (1_000, 10_000, 50_000):
        for number in range(stored, size):
            client.create("pods", pod(number))
        stored = size
        costs[size] = each(lambda: relabel(client, "p7"), 300)
    first = costs[1_000]
    for size, cost in costs.items():
        yield f"a patch among {size:,} Pods: {cost * 1e6:.0f} us, {cost / first:.2f} of that among 1,000"


def services() -> Iterator[str]:
    """Neither kube-proxy's cost of one endpoint's change nor a connection's may grow with the number of Services."""
    cluster = Cluster(controllers=False)
    client, loop = cluster.client("apiserver", "system:masters"), cluster.loop
    host = cluster.fabric.join("n1", "192.168.100.11")
    host.namespace.listen(("0.0.0.0", 8080), echo)
    proxy = Proxier(client, loop, host, "n1", ProxyOptions(sync_period=1e9))
    proxy.start()
    loop.settle()
    turns, costs, made = iter(range(10**9)), {}, 0

    def change() -> None:
        client.update(SLICES, {**client.get(SLICES, "s7", "default"), **listing(next(turns) % 2)})
        loop.settle()

    def connect() -> None:
        answers: list[object] = []

        def opened(stream: Any) -> None:
            stream.received = lambda data: (answers.append(data), stream.close())
            stream.send(b"?")

        host.namespace.connect((address, 80), opened, answers.append)
        loop.run_until(lambda: answers, 10)
        assert answers == [b"?"], answers

    for size in (10, 1_000, 10_000):
        for number in range(made, size):
            spec = {"ports": [{"port": 80, "targetPort": 8080}]}
            client.create("services", {"metadata": {"name": f"s{number}"}, "spec": spec}, "default")
            meta = {"name": f"s{number}", "labels": {"kubernetes.io/service-name": f"s{number}"}}
            client.create(SLICES, {"metadata": meta, **listing(0)}, "default")
        made = size
        loop.settle()
        address = client.get("services", "s5", "default")["spec"]["clusterIP"]
        assert not proxy.error, proxy.error
        costs[size] = each(change, 100), each(connect, 200)
    for size, (cost, connection) in costs.items():
        first = costs[10]
        change_told = f"an endpoint's change {cost * 1e6:.0f} us ({cost / first[0]:.2f} of that among 10)"
        yield f"among {size:,} Services: {change_told}"
        yield f"among {size:,} Services: {1 / connection:,.0f} connections/s ({connection / first[1]:.2f})"


def echo(stream: Any) -> None:
    stream.received, stream.closed = stream.send, lambda why: stream.close()


def listing(more: int) -> dict:
    listed = [{"addresses": ["192.168.100.11"]}, *([{"addresses": ["10.244.9.9"]}] * more)]
    ports = [{"name": "", "port": 8080, "protocol": "TCP"}]
    return {"addressType": "IPv4", "ports": ports, "endpoints": listed}


def served() -> Iterator[str]:
    """One keep-alive TLS connection to `refkube serve`."""
    with refkube_server("--memory") as server:
        call = connection(server.kubeconfig)
        for number in range(500):
            call("POST", PODS, pod(number))
        yield f"GET a Pod over HTTPS: {1 / each(lambda: call('GET', f'{PODS}/p1'), 1000):,.0f}/s"
        yield f"LIST 500 Pods over HTTPS: {1 / each(lambda: call('GET', PODS), 100):,.0f}/s"
        names = iter(range(10_000, 10**9))
        yield f"create a Pod over HTTPS: {1 / each(lambda: call('POST', PODS, pod(next(names))), 300):,.0f}/s"


def fanout() -> Iterator[str]:
    """One change to many watchers: encoded once."""
    costs = {}
    for watchers in (1, 100):
        cluster = Cluster()
        client = cluster.client("kube-controller-manager")
        client.create("pods", pod(0))
        headers = {"authorization": f"Bearer {cluster.admin_token}"}
        got: list[bytes] = []
        for _ in range(watchers):
            stream = cluster.http(HttpRequest("GET", PODS, "watch=1&resourceVersion=0", headers)).stream
            assert stream is not None
            stream.start(got.append, lambda: None)
        costs[watchers] = each(lambda client=client: relabel(client, "p0"), 300)
        yield f"a change seen by {watchers} watchers: {costs[watchers] * 1e6:.0f} us"
    yield f"each further watcher costs {(costs[100] - costs[1]) / 99 / costs[1]:.1%} of a change"


def scheduling() -> Iterator[str]:
    """The scheduler alone: Pods and nodes are there already, nothing else runs."""
    for kind, spec in (("plain", {}), ("spread over zones", SPREAD), ("apart from each other", APART)):
        costs = {}
        for nodes in (100, 1_000, 5_000):
            count = min(nodes, 1_000) if kind.startswith("apart") else 2_000
            costs[nodes] = seconds_to_schedule(nodes, count, spec) / count
            told = f"{kind}, {nodes:,} nodes: {1 / costs[nodes]:,.0f} Pods/s"
            yield f"{told}, a Pod costs {costs[nodes] / costs[100]:.2f} of that on 100 nodes"


def seconds_to_schedule(nodes: int, pods: int, spec: dict) -> float:
    cluster = Cluster(controllers=("serviceaccount-controller",), scheduler=False)
    client = cluster.client("kube-controller-manager")
    for number in range(nodes):
        client.create("nodes", node(number))
    for number in range(nodes):
        client.patch("nodes", f"n{number}", {"spec": {"taints": None}})
    client.create("services", {"metadata": {"name": "web", "namespace": "default"}, "spec": SERVICE})
    for number in range(pods):
        made = pod(number)
        client.create("pods", {**made, "spec": {**made["spec"], **spec}})
    scheduler = Scheduler(cluster.client("kube-scheduler"), cluster.loop)
    began = time.perf_counter()
    scheduler.start()
    cluster.loop.settle()
    seconds = time.perf_counter() - began
    bound = [one for one in client.list("pods").items if one["spec"].get("nodeName")]
    assert len(bound) == pods, f"{len(bound)} of {pods} are bound"
    scheduler.stop()
    cluster.close()
    return seconds


def controllers() -> Iterator[str]:
    """Deployments to all Ready, with hollow kubelets: a Pod must not cost more because there are others."""
    rates = {}
    for number in (100, 1_000, 10_000):
        cluster, client = _with_nodes(2 + number // 40)
        rates[number] = number / _rolled_out(cluster, client, number)
        cluster.close()
        yield f"{number:,} Pods: {rates[number]:,.0f}/s, a Pod costs {rates[100] / rates[number]:.2f} of one of 100"


def endpoints() -> Iterator[str]:
    """One more Pod behind a Service must not cost more because there are others: alone, or as one of many that come at
    once. What the Pod costs by itself, behind no Service, is told apart."""
    first: dict[str, float] = {}
    for number in (10, 100, 1_000):
        cluster, client = _with_nodes(40)
        client.create("services", {"metadata": _META, "spec": {"selector": _LABELS, "ports": [{"port": 80}]}})
        _rolled_out(cluster, client, number)
        cluster.loop.run_for(_SETTLED)
        assert _listed(client) == number
        told = []
        for what, together in (("alone", 1), ("of 100", 100)):
            plain = _one_more(cluster, client, together, {})
            listed = _one_more(cluster, client, together, _LABELS)
            grown = listed / first.setdefault(what, listed)
            told.append(f"{what} {listed * 1e3:.1f} ms ({plain * 1e3:.1f} for the Pod), {grown:.2f} of that at 10")
        cluster.close()
        yield f"one more at {number:,}: {'; '.join(told)}"


def rollout() -> Iterator[str]:
    """A Deployment of 1,500 Pods behind a Service on 20 nodes, to all Ready and listed."""
    for hollow in (False, True):
        seconds = _served_rollout(20, 1_500, hollow)
        kubelets = "hollow kubelets" if hollow else "real kubelets"
        yield f"1,500 Pods on 20 nodes, {kubelets}: {1_500 / seconds:,.0f} Pods/s, {seconds:.2f} CPU seconds"


def scale() -> Iterator[str]:
    """Up to 5,000 nodes and 150,000 Pods, behind no Service; hollow kubelets, no kube-proxy, no flannel."""
    first = 0.0
    for nodes, pods in ((20, 1_500), (300, 9_000), (1_000, 30_000), (5_000, 150_000)):
        cluster, client = _with_nodes(nodes)
        seconds = _rolled_out(cluster, client, pods, SMALL)
        first = first or seconds / pods
        cluster.close()
        del cluster, client
        gc.collect()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # told in KiB
        told = f"{pods:,} Pods on {nodes:,} nodes, hollow kubelets: {pods / seconds:,.0f} Pods/s"
        yield f"{told}, {peak:.1f} GiB at the peak, a Pod costs {seconds / pods / first:.2f} of one of 1,500"


def _served_rollout(nodes: int, pods: int, hollow: bool) -> float:
    cluster, client = _with_nodes(nodes, hollow)
    client.create("services", {"metadata": _META, "spec": {"selector": _LABELS, "ports": [{"port": 80}]}})
    began = time.process_time()
    _rolled_out(cluster, client, pods, SMALL)
    assert cluster.loop.run_until(lambda: _listed(client) == pods, 60)
    seconds = time.process_time() - began
    cluster.close()
    return seconds


def suite() -> Iterator[str]:
    began = time.perf_counter()
    done = subprocess.run(
        [str(Path(sys.executable).parent / "gherkube"), "run"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - began
    yield f"the suite on the reference, one process: {seconds:.1f} s, exit code {done.returncode}"


FIGURES: dict[str, Callable[[], Iterator[str]]] = {
    "start": start,
    "in-process": in_process,
    "growth": growth,
    "services": services,
    "served": served,
    "fan-out": fanout,
    "controllers": controllers,
    "endpoints": endpoints,
    "rollout": rollout,
    "scale": scale,
    "scheduling": scheduling,
    "suite": suite,
}
ON_DEMAND = ("scale",)  # minutes, and gigabytes


def pod(number: int) -> dict:
    meta = {"name": f"p{number}", "namespace": "default", "labels": {"app": "web"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": SPEC}


def node(number: int) -> dict:
    labels = {HOST: f"n{number}", ZONE: f"z{number % 3}"}
    amounts = {"cpu": "32", "memory": "128Gi", "pods": "110"}
    status = {"capacity": amounts, "allocatable": amounts}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"n{number}", "labels": labels}, "status": status}


_META = {"name": "web", "namespace": "default"}
_LABELS = {"app": "web"}
_SETTLED = 5.0  # seconds after which all that a Pod sets off is done


def _with_nodes(number: int, hollow: bool = True) -> tuple[Cluster, Client]:
    cluster = Cluster(nodes=number, hollow=hollow)
    cluster.loop.run_for(1.0)
    return cluster, cluster.client("user", "system:masters")


def _deployment(replicas: int, pod_spec: dict) -> dict:
    template = {"metadata": {"labels": _LABELS}, "spec": pod_spec}
    spec = {"replicas": replicas, "selector": {"matchLabels": _LABELS}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": _META, "spec": spec}


def _rolled_out(cluster: Cluster, client: Client, number: int, pod_spec: dict = SPEC) -> float:
    """Seconds of the processor until all Pods are Ready."""
    began = time.process_time()
    client.create("deployments.apps", _deployment(number, pod_spec))
    assert cluster.loop.run_until(lambda: _ready(client) == number, 3600)
    return time.process_time() - began


def _ready(client: Client) -> int:
    return (client.get("deployments.apps", "web", "default").get("status") or {}).get("readyReplicas", 0)


def _listed(client: Client) -> int:
    slices = client.list("endpointslices.discovery.k8s.io", "default", label_selector="kubernetes.io/service-name=web")
    return sum(len(one["endpoints"]) for one in slices.items)


def _one_more(cluster: Cluster, client: Client, together: int, labels: dict) -> float:
    """Seconds of the processor until one more Pod is settled, of so many that come together."""
    found = []
    for _ in range(20 if together == 1 else 3):
        made = [pod(next(_names)) for _ in range(together)]
        began = time.process_time()
        for one in made:
            client.create("pods", {**one, "metadata": {**one["metadata"], "labels": labels}})
        cluster.loop.run_for(_SETTLED)
        found.append((time.process_time() - began) / together)
        for one in made:
            client.delete("pods", one["metadata"]["name"], "default", grace_period=0)
        cluster.loop.run_for(_SETTLED)
    return sorted(found)[len(found) // 3]  # heartbeats come in between


_names = iter(range(10**9))
_labels = iter(range(10**9))


def relabel(client: Client, name: str) -> None:
    client.patch("pods", name, {"metadata": {"labels": {"turn": str(next(_labels))}}}, "merge", "default")


def best(action: Callable[[], object], rounds: int) -> float:
    """Seconds of the quickest round."""
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        action()
        found.append(time.perf_counter() - began)
    return min(found)


def each(action: Callable[[], object], count: int) -> float:
    """Seconds of one call, the best of five runs of a fifth of the calls."""
    part = max(1, count // 5)

    def run() -> None:
        for _ in range(part):
            action()

    return best(run, 5) / part


def connection(kubeconfig: Path) -> Callable[..., bytes]:
    told = yaml.safe_load(kubeconfig.read_text())
    cluster, user = told["clusters"][0]["cluster"], told["users"][0]["user"]
    context = ssl.create_default_context(cadata=b64decode(cluster["certificate-authority-data"]).decode())
    address = urlsplit(cluster["server"])
    link = http.client.HTTPSConnection(address.hostname or "", address.port, context=context)
    headers = {"authorization": f"Bearer {user['token']}", "content-type": "application/json"}

    def call(method: str, path: str, body: object = None) -> bytes:
        link.request(method, path, orjson.dumps(body) if body is not None else None, headers)
        return link.getresponse().read()

    return call


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
