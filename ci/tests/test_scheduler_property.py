"""Whatever nodes and Pods come, change and go: nobody is bound to a node that does not fit, and who fits is bound.

Judged by plain checks that share nothing with the scheduler but upstream's rules. REFKUBE_SCHEDULER_SEEDS=1000 runs
more seeds than CI does.
"""

from __future__ import annotations

import os
import random
from collections import Counter

import pytest
from refkube.apimachinery.meta import Object, labels_of, name_of
from refkube.client.client import Client
from refkube.cluster import Cluster

SEEDS = int(os.environ.get("REFKUBE_SCHEDULER_SEEDS", "50"))
HOST, RACK = "kubernetes.io/hostname", "rack"
ACTS = 60
CPU = 4000  # thousandths that a node has


def node(name: str, chance: random.Random) -> Object:
    labels = {HOST: name, RACK: chance.choice("xyz"), **({"disk": "ssd"} if chance.random() < 0.5 else {})}
    labels = {key: value for key, value in labels.items() if key != RACK or chance.random() < 0.8}
    amounts = {"cpu": str(CPU // 1000), "memory": "8Gi", "pods": str(chance.choice((3, 6, 110)))}
    status = {"allocatable": amounts, "conditions": [{"type": "Ready", "status": "True"}]}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}, "status": status}


def pod(number: int, chance: random.Random) -> Object:
    app = chance.choice("abc")
    container: Object = {"name": "c", "image": "web:1"}
    if chance.random() < 0.8:
        container["resources"] = {"requests": {"cpu": f"{chance.choice((100, 500, 1000, 2500, 4000))}m"}}
    if chance.random() < 0.2:
        container["ports"] = [{"containerPort": 80, "hostPort": 8000 + chance.randrange(2), "protocol": "TCP"}]
    spec: Object = {"containers": [container], "terminationGracePeriodSeconds": 0}
    if chance.random() < 0.2:
        spec["nodeSelector"] = {"disk": "ssd"}
    if chance.random() < 0.3:
        spec["tolerations"] = [{"key": "k", "operator": "Exists"}]
    if chance.random() < 0.25:
        side = chance.choice(("podAffinity", "podAntiAffinity"))
        term = {
            "topologyKey": chance.choice((HOST, RACK)),
            "labelSelector": {"matchLabels": {"app": chance.choice("abc")}},
        }
        spec["affinity"] = {side: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    if chance.random() < 0.2:
        skew = {"maxSkew": 1, "topologyKey": chance.choice((HOST, RACK)), "whenUnsatisfiable": "DoNotSchedule"}
        spec["topologySpreadConstraints"] = [{**skew, "labelSelector": {"matchLabels": {"app": app}}}]
    meta = {"name": f"p{number:03}", "namespace": "default", "labels": {"app": app}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


class World:
    """What the API says, and the rules, read as plainly as can be."""

    def __init__(self, client: Client):
        self.nodes = {name_of(one): one for one in client.list("nodes").items}
        self.pods = client.list("pods", "default").items
        self.on = {name: [p for p in self.pods if p["spec"].get("nodeName") == name] for name in self.nodes}

    def why_not(self, pod: Object, name: str) -> str:
        """Why a Pod cannot be on a node, beside all others; empty if it can."""
        node, spec = self.nodes[name], pod["spec"]
        others = [one for one in self.on[name] if one is not pod]
        if sum(map(cpu, others)) + cpu(pod) > CPU and cpu(pod):
            return "cpu"
        if len(others) + 1 > int(node["status"]["allocatable"]["pods"]):
            return "pods"
        if host_ports(pod) & {port for one in others for port in host_ports(one)}:
            return "ports"
        if not (spec.get("nodeSelector") or {}).items() <= labels_of(node).items():
            return "selector"
        keys = {one.get("key") for one in spec.get("tolerations") or ()}
        if node["spec"].get("unschedulable") or any(
            taint["effect"] != "PreferNoSchedule" and taint["key"] not in keys
            for taint in node["spec"].get("taints") or ()
        ):
            return "taints"
        return self.company(pod, name) or self.crowd(pod, name)

    def company(self, pod: Object, name: str) -> str:
        everybody = [one for pods in self.on.values() for one in pods if one is not pod]
        for term in terms(pod, "podAffinity"):
            wanted = [one for one in everybody if selects(term, one)]
            here = labels_of(self.nodes[name]).get(term["topologyKey"])
            places = {labels_of(self.nodes[one["spec"]["nodeName"]]).get(term["topologyKey"]) for one in wanted} - {
                None
            }
            if here is None or (here not in places and not (not places and selects(term, pod))):
                return "affinity"
        for other in everybody:
            both = ((pod, other), (other, pod))
            for asking, asked in both:
                for term in terms(asking, "podAntiAffinity"):
                    there = self.nodes[other["spec"]["nodeName"]]
                    if selects(term, asked) and same_place(term["topologyKey"], self.nodes[name], there):
                        return "anti-affinity"
        return ""

    def crowd(self, pod: Object, name: str) -> str:
        for constraint in pod["spec"].get("topologySpreadConstraints") or ():
            key, selector = constraint["topologyKey"], pod["spec"].get("nodeSelector") or {}
            counts: Counter[str] = Counter()
            for one, node in self.nodes.items():
                if key in labels_of(node) and selector.items() <= labels_of(node).items():
                    counts[labels_of(node)[key]] += sum(selects(constraint, p) for p in self.on[one] if p is not pod)
            here = labels_of(self.nodes[name]).get(key)
            if here is None or counts[here] + 1 - min(counts.values()) > constraint["maxSkew"]:
                return "spread"
        return ""


def cpu(pod: Object) -> int:
    asked = (pod["spec"]["containers"][0].get("resources") or {}).get("requests") or {}
    text = asked.get("cpu", "0")
    return int(text[:-1]) if text.endswith("m") else 1000 * int(text)


def host_ports(pod: Object) -> set[int]:
    return {port["hostPort"] for port in pod["spec"]["containers"][0].get("ports") or () if port.get("hostPort")}


def terms(pod: Object, side: str) -> list[Object]:
    affinity = (pod["spec"].get("affinity") or {}).get(side) or {}
    return list(affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or ())


def selects(term: Object, pod: Object) -> bool:
    return bool(labels_of(pod).get("app") == term["labelSelector"]["matchLabels"]["app"])


def same_place(key: str, a: Object, b: Object) -> bool:
    return key in labels_of(a) and labels_of(a)[key] == labels_of(b).get(key)


class Story:
    """One seed: acts on a cluster whose bindings are checked in the very moment they are made."""

    def __init__(self, seed: int):
        self.chance = random.Random(seed)
        controllers = ("serviceaccount-controller",)
        self.cluster = Cluster(controllers=controllers, scheduler=True, seed=seed)
        self.user = self.cluster.client("user", "system:masters")
        self.number = 0
        self.bound = 0
        bind = Client.bind
        story = self

        def checked(client: Client, pod: Object, node: str) -> Object:
            now = World(story.user)
            same = next(one for one in now.pods if name_of(one) == name_of(pod))
            why = now.why_not(same, node)
            assert not why, f"{name_of(pod)} is bound to {node} in spite of its {why}"
            story.bound += 1
            return bind(client, pod, node)

        assert self.cluster.scheduler is not None
        self.cluster.scheduler._client.bind = checked.__get__(self.cluster.scheduler._client)  # type: ignore[method-assign]

    def act(self) -> None:
        chance, nodes, pods = self.chance, self.user.list("nodes").items, self.user.list("pods", "default").items
        what = chance.random()
        if what < 0.5 or not nodes:
            for _ in range(chance.choice((1, 1, 4))):
                self.user.create("pods", pod(self.number, chance))
                self.number += 1
        if what < 0.15 or not nodes:
            name = f"n{self.number:03}"
            if all(name_of(one) != name for one in nodes):
                self.user.create("nodes", node(name, chance))
                self.change(name, {"spec": {"taints": None}})
        elif what < 0.7 and pods:
            self.user.delete("pods", name_of(chance.choice(pods)), "default")
        elif what < 0.85 and nodes:
            self.change(name_of(chance.choice(nodes)), chance.choice(self.edits()))
        elif what < 0.9 and len(nodes) > 3:
            self.remove(name_of(chance.choice(nodes)))

    def edits(self) -> list[Object]:
        taint = {"key": "k", "value": "v", "effect": self.chance.choice(("NoSchedule", "PreferNoSchedule"))}
        return [
            {"spec": {"unschedulable": self.chance.random() < 0.3}},
            {"spec": {"taints": [taint] if self.chance.random() < 0.5 else None}},
            {"metadata": {"labels": {"disk": self.chance.choice(("ssd", None))}}},
            {"metadata": {"labels": {RACK: self.chance.choice(("x", "y", None))}}},
        ]

    def remove(self, name: str) -> None:
        self.user.delete("nodes", name)
        for one in self.user.list("pods", "default", field_selector=f"spec.nodeName={name}").items:
            self.user.delete("pods", name_of(one), "default")

    def change(self, name: str, patch: Object) -> None:
        self.user.patch("nodes", name, patch)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_nobody_is_where_it_does_not_fit_and_nobody_waits_in_vain(seed: int) -> None:
    story = Story(seed)
    loop = story.cluster.loop
    for _ in range(ACTS):
        story.act()
        loop.run_for(story.chance.choice((0.0, 0.5, 15.0)))
    loop.run_for(400)  # longer than anybody is left aside
    world = World(story.user)
    for name, pods in world.on.items():
        ports = Counter(port for one in pods for port in host_ports(one))
        assert all(count == 1 for count in ports.values()), f"ports of {name} are shared: {ports}"
        assert sum(map(cpu, pods)) <= CPU
    for one in world.pods:
        if not one["spec"].get("nodeName"):
            reasons = {name: world.why_not(one, name) for name in world.nodes}
            assert all(reasons.values()), f"{name_of(one)} waits though it fits: {reasons}"
    story.cluster.close()


def test_the_stories_are_about_something() -> None:
    """Of the Pods some are bound and some wait, for every reason."""
    reasons: Counter[str] = Counter()
    for seed in range(5):
        story = Story(seed)
        for number in range(ACTS):
            story.act()
            story.cluster.loop.run_for(1.0)
            if number % 10 == 9:
                world = World(story.user)
                waiting = [one for one in world.pods if not one["spec"].get("nodeName")]
                reasons.update(world.why_not(one, name) for one in waiting for name in world.nodes)
        assert story.bound > 10
        story.cluster.close()
    assert {"cpu", "ports", "selector", "taints", "affinity", "anti-affinity", "spread"} <= set(reasons)
