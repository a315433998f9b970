"""Figures of the project, printed, never asserted: `python ci/bench.py [NAME ...]`.

Each figure is the best of some rounds, so that a busy machine disturbs it least. What is compared is told as a ratio.
"""

from __future__ import annotations

import http.client
import ssl
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from refkube.apimachinery.rest import HttpRequest  # noqa: E402
from refkube.client.client import Client  # noqa: E402
from refkube.cluster import Cluster  # noqa: E402

from ci.server import refkube_server  # noqa: E402

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


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in FIGURES]
    if unknown:
        print(f"no such figure: {', '.join(unknown)}; there are {', '.join(FIGURES)}", file=sys.stderr)
        return 3
    for name in names or list(FIGURES):
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
    "served": served,
    "fan-out": fanout,
    "suite": suite,
}


def pod(number: int) -> dict:
    meta = {"name": f"p{number}", "namespace": "default", "labels": {"app": "web"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": SPEC}


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
