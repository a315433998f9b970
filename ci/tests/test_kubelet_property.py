"""Random Pods on nodes that restart, fall silent, are cut off, lose their power or their disk, in containers that are
killed: what must hold in any case, seed by seed.

SEEDS=1000 in the environment tries more of them.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from functools import partial

import pytest
from refkube.apimachinery.errors import StatusError
from refkube.cluster import Cluster
from refkube.kubelet.runtime.container import Container

SEEDS = int(os.environ.get("SEEDS", "50"))
FAULTS = ("restart", "silence", "cut", "back", "power", "disk", "kill")
BUSYBOX = "registry.k8s.io/e2e-test-images/busybox:1.36.1-1"
PAUSE = "registry.k8s.io/pause:3.10"
# What a Pod does, by its restart policy: the phase that it has in the end, None where that depends on the moment.
BEHAVIOURS = {
    "stays": ("Always", PAUSE, None, "Running"),
    "stubborn": ("Always", BUSYBOX, "sleep 100000", "Running"),
    "polite": ("Always", BUSYBOX, "trap 'exit 0' TERM; while true; do sleep 7; done", "Running"),
    "succeeds": ("OnFailure", BUSYBOX, "sleep 3", "Succeeded"),
    "fails": ("Never", BUSYBOX, "sleep 3; exit 1", "Failed"),
    "crashes": ("Always", BUSYBOX, "sleep 20; exit 1", "Running"),
    "recovers": ("OnFailure", BUSYBOX, "if [ -e /data/x ]; then exit 0; fi; touch /data/x; exit 1", "Succeeded"),
    "missing": ("Always", "registry.k8s.io/no-such-image:1", None, "Pending"),
}


@pytest.fixture
def starts(monkeypatch):
    """How often each container was started, by its Pod's uid and its name."""
    counted: Counter[tuple[str, str]] = Counter()
    start = Container.start

    def counting(self):
        counted[self.sandbox.uid, self.name] += 1
        start(self)

    monkeypatch.setattr(Container, "start", counting)
    return counted


@pytest.mark.parametrize("seed", range(SEEDS))
def test_pods_and_faults(seed, starts):
    chance = random.Random(seed)
    cluster = Cluster(nodes=3, seed=seed)
    client = cluster.client("admin", "system:masters")
    behaviour: dict[str, str] = {}
    silent: list = []  # at most one at a time: the kubelet, and what brings it back
    forgotten: set[str] = set()  # uids of Pods whose node has lost its disk, and with it starts that nobody was told of
    for number in range(14):
        act = chance.choice(("create", "create", "create", "delete", *FAULTS))
        kubelet = chance.choice(cluster.kubelets)
        well = kubelet not in [one for one, _ in silent]
        if act == "create":
            name = f"p{number}"
            behaviour[name] = chance.choice(list(BEHAVIOURS))
            client.create("pods", pod(name, behaviour[name], chance))
        elif act == "delete" and behaviour:
            name = chance.choice(list(behaviour))
            client.delete("pods", name, "default", grace_period=chance.choice((None, 0, 5)))
            del behaviour[name]
        elif act == "restart" and well:
            kubelet.stop()
            kubelet.start()
        elif act == "silence" and not silent:
            kubelet.stop()
            silent.append((kubelet, kubelet.start))
        elif act == "cut" and not silent:
            name = kubelet.machine.name
            cluster.cut_off(name)
            silent.append((kubelet, partial(cluster.mend, name)))
        elif act == "back" and silent:
            silent.pop()[1]()
        elif act in ("power", "disk") and well:
            if act == "disk":
                forgotten |= {sandbox.uid for sandbox in kubelet.runtime.sandboxes.values()}
            kubelet.lose_power(disk=act == "disk")
            kubelet.start()
        elif act == "kill":
            running = [one for sandbox in kubelet.runtime.sandboxes.values() for one in sandbox.running]
            if running:
                chance.choice(running).kill()
        cluster.loop.run_for(chance.choice((0.0, 0.3, 2.0, 11.0, 35.0)))
        check_nodes(cluster, client)
    for _, bring_back in silent:
        bring_back()
    cluster.loop.run_for(12.0)  # a kubelet tells at once, and every 10 seconds what it could not
    assert cluster.loop.run_until(lambda: settled(client, behaviour), 700), states(client)
    check_nodes(cluster, client)
    check_counts(client, starts, forgotten)
    cluster.close()


def pod(name, kind, chance):
    policy, image, script, _ = BEHAVIOURS[kind]
    container = {"name": "main", "image": image, "volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    if script:
        container["command"] = ["sh", "-c", script]
    spec = {
        "restartPolicy": policy,
        "terminationGracePeriodSeconds": chance.choice((0, 3, 30)),
        "containers": [container],
        "volumes": [{"name": "data", "emptyDir": {}}],
    }
    if chance.random() < 0.3:
        spec["initContainers"] = [{"name": "first", "image": BUSYBOX, "command": ["sleep", "2"]}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


def check_nodes(cluster, client):
    """No node runs a Pod that is bound elsewhere, and no two Pods have one address."""
    bound = {one["metadata"]["uid"]: one["spec"].get("nodeName") for one in client.list("pods").items}
    addresses = Counter()
    for kubelet in cluster.kubelets:
        for sandbox in kubelet.runtime.sandboxes.values():
            assert sandbox.pod["spec"]["nodeName"] == kubelet.machine.name
            assert not sandbox.running or bound.get(sandbox.uid, kubelet.machine.name) == kubelet.machine.name
            addresses[sandbox.address] += bool(sandbox.address)
    assert [address for address, times in addresses.items() if times > 1] == []


def settled(client, behaviour):
    """Does everything run, or has it run, that can?"""
    found = {one["metadata"]["name"]: one for one in client.list("pods").items}
    if found.keys() != behaviour.keys():
        return False
    for name, kind in behaviour.items():
        status = found[name]["status"]
        main = status.get("containerStatuses", [{}])[0]
        if status["phase"] != BEHAVIOURS[kind][3] or (kind in ("stays", "stubborn", "polite") and not main["ready"]):
            return False
    return True


def check_counts(client, starts, forgotten):
    for one in client.list("pods").items:
        uid = one["metadata"]["uid"]
        for status in one["status"].get("containerStatuses", ()):
            if one["status"]["phase"] != "Pending":
                restarts = starts[uid, status["name"]] - 1
                right = status["restartCount"] <= restarts if uid in forgotten else status["restartCount"] == restarts
                assert right, (one["metadata"]["name"], status["restartCount"], restarts)


def states(client):
    return [
        (
            one["metadata"]["name"],
            one["status"].get("phase"),
            [s["state"] for s in one["status"].get("containerStatuses", ())],
        )
        for one in client.list("pods").items
    ]


def test_a_pod_that_is_gone_from_the_api_is_stopped_by_a_kubelet_that_starts_later(starts):
    cluster = Cluster(nodes=1)
    client = cluster.client("admin", "system:masters")
    client.create("pods", pod("web", "stubborn", random.Random(0)))
    cluster.loop.run_for(10)
    kubelet = cluster.kubelets[0]
    assert [sandbox.name for sandbox in kubelet.runtime.sandboxes.values() if sandbox.running] == ["web"]
    kubelet.stop()
    client.delete("pods", "web", "default", grace_period=0)
    with pytest.raises(StatusError):
        client.get("pods", "web", "default")
    kubelet.start()
    cluster.loop.run_for(10)
    assert kubelet.runtime.sandboxes == {}
