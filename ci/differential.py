"""The simulated kernel against the real one: the same clusters and connections, made from a seed, on both.

`python ci/differential.py [--seeds N] [--first K]` prints a line a seed and what differs. Compared is what anybody
could see: answered, refused or timed out; which Pods answered and how often; whom each of them saw as the source. Which
of several equal servers answers first is nobody's promise, and not compared. Exit code 0 without a difference, 1 with
one, 3 where no real kernel can be had. Where this machine's lacks virtual servers, all is done in User Mode Linux.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from dataclasses import dataclass
from typing import Any

from gherkube.drivers.base import Connection, TargetError
from gherkube.drivers.kernel import KernelDriver, in_guest
from gherkube.drivers.reference import ReferenceDriver
from gherkube.phrases import Place
from refkube.hostnet import CLIENT

IMAGE = "registry.k8s.io/e2e-test-images/agnhost:2.53"
BACKENDS = ("vxlan", "udp", "host-gw")
TIMES = 12  # connections to each target: a multiple of every number of Pods that there may be
OUTSIDE = "outside"

# A socket that is told of an unreachable network while it is being opened tries again, on a real kernel, and may not
# hear of it before the patience ends.
_NOWHERE = {"unreachable": "no way", "timed out": "no way"}

Object = dict[str, Any]
Seen = dict[str, object]


@dataclass(frozen=True)
class Plan:
    """One cluster and what is tried in it. A way is whence and where to: ("Pod a", "ClusterIP s1")."""

    backend: str
    pods: tuple[Object, ...]
    services: tuple[Object, ...]
    ways: tuple[tuple[str, str], ...]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=1)
    given = parser.parse_args()
    try:
        if (code := in_guest([__file__, *sys.argv[1:]])) is not None:
            return code
        simulated, real = ReferenceDriver(), KernelDriver()
    except TargetError as why:
        print(f"differential: {why}", file=sys.stderr)
        return 3
    different = 0
    for seed in range(given.first, given.first + given.seeds):
        plan = planned(seed)
        seen = [tried(driver, plan) for driver in (simulated, real)]
        lines = [
            f"  {' to '.join(way)}: simulated {one}, real {other}"
            for way, one, other in zip(plan.ways, *seen, strict=True)
            if one != other
        ]
        different += bool(lines)
        told = f"{plan.backend}, {len(plan.pods)} Pods, {len(plan.services)} Services, {len(plan.ways)} ways"
        print(f"seed {seed}: {told}: {'DIFFERENT' if lines else 'the same'}", *lines, sep="\n", flush=True)
    print(f"{given.seeds} seeds, {different} with a difference")
    return 1 if different else 0


# From a seed


def planned(seed: int) -> Plan:
    chance = random.Random(seed)
    nodes = ["n1", "n2", "n3"]
    pods = tuple(
        _pod(name, chance.choice(nodes), chance.choice("xy"), chance.random() < 0.15)
        for name in "abcd"[: chance.randint(2, 4)]
    )
    services = tuple(_service(chance, f"s{number}", 30600 + number) for number in range(1, chance.randint(2, 4)))
    origins = [f"Pod {pod['metadata']['name']}" for pod in pods] + [f"node {node}" for node in nodes] + [OUTSIDE]
    ways = []
    for _ in range(6):
        service = chance.choice(services)
        goals = [f"ClusterIP {service['metadata']['name']}", f"Pod {chance.choice(pods)['metadata']['name']}"]
        if service["spec"]["type"] == "NodePort":
            goals += [f"NodePort {service['metadata']['name']} {node}" for node in nodes]
        ways.append((chance.choice(origins), chance.choice(goals)))
    return Plan(chance.choice(BACKENDS), pods, services, tuple(dict.fromkeys(ways)))


def _pod(name: str, node: str, app: str, on_host: bool) -> Object:
    container = {"name": "c", "image": IMAGE, "args": ["netexec", f"--http-port={8000 + ord(name) if on_host else 80}"]}
    spec = {"nodeName": node, "containers": [container], **({"hostNetwork": True} if on_host else {})}
    labels = {"app": "host" if on_host else app}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}


def _service(chance: random.Random, name: str, node_port: int) -> Object:
    kind = chance.choice(("ClusterIP", "NodePort", "NodePort"))
    port: Object = {"port": chance.choice((80, 8080)), "targetPort": 80}
    spec: Object = {"type": kind, "selector": {"app": chance.choice("xxxyyz")}, "ports": [port]}
    if kind == "NodePort":
        port["nodePort"] = node_port
        spec["externalTrafficPolicy"] = chance.choice(("Cluster", "Cluster", "Local"))
    spec["internalTrafficPolicy"] = chance.choice(("Cluster", "Cluster", "Cluster", "Local"))
    spec["sessionAffinity"] = chance.choice(("None", "None", "ClientIP"))
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


# Tried


def tried(driver: ReferenceDriver, plan: Plan) -> list[Seen]:
    """What came of each way."""
    driver.begin("differential", ["net.connect"])
    try:
        driver.choose("flannel-backend", plan.backend)
        for plural, objects in (("pods", plan.pods), ("services", plan.services)):
            for obj in objects:
                answer = driver.api().call("POST", f"/api/v1/namespaces/home/{plural}", body=obj)
                assert answer.accepted, f"{obj['metadata']['name']}: {answer}"
        driver.eventually(lambda: _all_running(driver, plan), 60)
        driver.pass_time(5)  # kube-proxy has heard of them
        names = _names(driver, plan)
        return [_way(driver, plan, names, *way) for way in plan.ways]
    finally:
        driver.end()


def _all_running(driver: ReferenceDriver, plan: Plan) -> None:
    phases = {pod["metadata"]["name"]: _get(driver, f"pods/{pod['metadata']['name']}") for pod in plan.pods}
    waiting = [name for name, pod in phases.items() if pod["status"].get("phase") != "Running"]
    assert not waiting, f"not running: {waiting}"


def _names(driver: ReferenceDriver, plan: Plan) -> dict[str, str]:
    """What every address is called, as the two clusters need not give the same ones."""
    names = {CLIENT: OUTSIDE}
    for node in driver.api().call("GET", "/api/v1/nodes").object["items"]:
        name = node["metadata"]["name"]
        first = node["spec"]["podCIDR"].rpartition(".")[0]
        names |= {f"{first}.0": f"{name}'s flannel device", f"{first}.1": f"{name}'s bridge"}
        names[next(one["address"] for one in node["status"]["addresses"] if one["type"] == "InternalIP")] = name
    for pod in plan.pods:
        if "hostNetwork" not in pod["spec"]:
            names[_get(driver, f"pods/{pod['metadata']['name']}")["status"]["podIP"]] = f"Pod {pod['metadata']['name']}"
    return names


def _way(driver: ReferenceDriver, plan: Plan, names: dict[str, str], origin: str, goal: str) -> Seen:
    kind, name, *node = goal.split()
    if kind == "Pod":
        pod = _get(driver, f"pods/{name}")
        address, port = pod["status"]["podIP"], int(pod["spec"]["containers"][0]["args"][1].rpartition("=")[2])
        affine = False
    else:
        service = _get(driver, f"services/{name}")
        affine = service["spec"]["sessionAffinity"] == "ClientIP"
        address, port = service["spec"]["clusterIP"], service["spec"]["ports"][0]["port"]
        if kind == "NodePort":
            address = next(one for one, called in names.items() if called == node[0])
            port = service["spec"]["ports"][0]["nodePort"]
    return _told(driver.connect(_place(origin), address, port, times=TIMES), names, affine)


def _told(connections: list[Connection], names: dict[str, str], affine: bool) -> Seen:
    outcomes = Counter(_NOWHERE.get(one.outcome, one.outcome) for one in connections)
    pods = Counter(one.pod for one in connections if one.pod)
    sources = {(one.pod, names.get(one.source, one.source)) for one in connections if one.source}
    return {
        "outcomes": dict(outcomes),
        "answered": sorted(pods.values()) if affine else dict(sorted(pods.items())),
        "sources": sorted({source for _, source in sources}) if affine else sorted(sources),
    }


def _place(text: str) -> Place:
    kind, _, name = text.partition(" ")
    return Place(kind, name, "home" if kind == "Pod" else "")


def _get(driver: ReferenceDriver, path: str) -> Object:
    answer: Object = driver.api().call("GET", f"/api/v1/namespaces/home/{path}").object
    return answer


if __name__ == "__main__":
    sys.exit(main())
