"""Workloads under whatever users do to them, in any order of events, at an API server that fails every tenth call: once
it is quiet everything is as it is wanted. WORKLOAD_SEEDS=1000 tries more seeds than CI does."""

from __future__ import annotations

import os
import random
from functools import partial
from typing import Any

import pytest
import refkube.cluster
from refkube.apimachinery import errors
from refkube.apimachinery.meta import Object, is_terminating, labels_of, uid_of
from refkube.apimachinery.rest import Request, Response
from refkube.client.client import Client
from refkube.cluster import CONTROLLERS, Cluster, ControllerManager
from refkube.controllers.common.context import Options
from refkube.engine.loop import Loop
from refkube.scheduler.scheduler import Scheduler
from workload_objects import DEPLOYMENTS, KINDS, SETS, STATEFUL, template, workload

SEEDS = int(os.environ.get("WORKLOAD_SEEDS", "12"))
EXPECTED = ("NotFound", "Conflict")


class Flaky:
    """Every tenth call fails: the connection, the server, or only the answer."""

    def __init__(self, cluster: Cluster, chance: random.Random):
        self.every = 10
        self._cluster = cluster
        self._chance = chance
        self._calls = 0

    def __call__(self, request: Request) -> Response:
        self._calls += request.verb != "watch"
        if self.every and request.verb != "watch" and self._calls % self.every == 0:
            how = self._chance.randrange(3)
            if how == 0:
                raise ConnectionResetError("broken")
            if how == 1:
                raise errors.internal_error("etcdserver: leader changed")
            self._cluster.handle(request)
            raise TimeoutError("the answer is lost")
        return self._cluster.handle(request)


class User:
    """Does something at random, again and again."""

    def __init__(self, cluster: Cluster, chance: random.Random):
        self.client = cluster.client("user", "system:masters")
        self.live: dict[str, str] = {}
        self._chance = chance
        self._made = 0

    def act(self) -> None:
        acts = [self._create, self._scale, self._edit, self._delete_pod, self._relabel, self._delete]
        act = self._chance.choices(acts, (5, 4, 4, 3, 2, 1))[0] if self.live else self._create
        try:
            act()
        except errors.StatusError as refusal:
            if refusal.reason not in EXPECTED:
                raise

    def _create(self) -> None:
        pick = self._chance.choice
        resource = pick([DEPLOYMENTS, DEPLOYMENTS, STATEFUL, SETS])
        self._made += 1
        name = f"{KINDS[resource].lower()}{self._made}"
        spec: dict[str, Any] = {"minReadySeconds": pick([0, 0, 5])}
        if resource == DEPLOYMENTS:
            rolling = {"maxSurge": pick([0, 1, "50%"]), "maxUnavailable": pick([1, "30%"])}
            spec["strategy"] = pick([{"type": "Recreate"}, {}, {"rollingUpdate": rolling}])
        if resource == STATEFUL:
            spec |= {"serviceName": name, "podManagementPolicy": pick(["Parallel", "OrderedReady"])}
        self.client.create(resource, workload(resource, name, self._chance.randrange(7), **spec))
        self.live[name] = resource

    def _patch(self, spec: Object) -> None:
        name = self._chance.choice(list(self.live))
        self.client.patch(self.live[name], name, {"spec": spec}, "strategic", "default")

    def _scale(self) -> None:
        self._patch({"replicas": self._chance.randrange(8)})

    def _edit(self) -> None:
        image = f"web:{self._chance.randrange(4)}"
        self._patch({"template": {"spec": {"containers": template("", image)["spec"]["containers"]}}})

    def _pod(self) -> str:
        pods = self.client.list("pods", "default").items
        return self._chance.choice(pods)["metadata"]["name"] if pods else "none"

    def _delete_pod(self) -> None:
        self.client.delete("pods", self._pod(), "default", grace_period=self._chance.choice([None, 0]))

    def _relabel(self) -> None:
        """Not members of a StatefulSet: nobody can take the name of one that was released."""
        name, app = self._pod(), self._chance.choice(["other", *self.live])
        if not name.startswith("statefulset"):
            self.client.patch("pods", name, {"metadata": {"labels": {"app": app}}}, namespace="default")

    def _delete(self) -> None:
        name = self._chance.choice(list(self.live))
        self.client.delete(self.live.pop(name), name, "default")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_in_the_end_everything_is_as_wanted(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(refkube.cluster, "Loop", partial(Loop, seed=seed))
    cluster = Cluster(nodes=3, seed=seed, controllers=False, scheduler=False, hollow=True)
    flaky = Flaky(cluster, chance)
    manager = ControllerManager(
        lambda user, agent: Client(flaky, user, agent), cluster.loop, CONTROLLERS, cluster._options(Options())
    )
    manager.start()
    scheduler = Scheduler(Client(flaky, cluster.client("kube-scheduler").user), cluster.loop)
    scheduler.start()
    user = User(cluster, chance)
    for _ in range(40):
        user.act()
        cluster.loop.run_for(chance.choice([0, 0.01, 0.5, 3, 20]))
    flaky.every = 0
    cluster.loop.run_for(700)
    sets = user.client.list(SETS, "default").items
    pods = user.client.list("pods", "default").items
    for name, resource in user.live.items():
        check(user.client.get(resource, name, "default"), sets, pods)
    known = {uid_of(one) for one in sets} | {
        uid_of(user.client.get(resource, name, "default")) for name, resource in user.live.items()
    }
    assert all(owner["uid"] in known for pod in pods for owner in pod["metadata"].get("ownerReferences", ()))
    scheduler.stop()
    manager.stop()
    cluster.close()


def check(obj: Object, sets: list[Object], pods: list[Object]) -> None:
    """Its Pods are its own, as many as wanted, running, of its template; and its status says so."""
    owners = {uid_of(obj)} | {uid_of(one) for one in sets if owned_by(one, {uid_of(obj)})}
    mine = [pod for pod in pods if owned_by(pod, owners)]
    wanted, status = obj["spec"]["replicas"], obj.get("status") or {}
    assert len(mine) == wanted
    assert all(pod["status"]["phase"] == "Running" and not is_terminating(pod) for pod in mine)
    assert {labels_of(pod)["app"] for pod in mine} <= {obj["metadata"]["name"]}
    counted = ["replicas", "readyReplicas", "availableReplicas"]
    if obj["kind"] != "ReplicaSet":
        counted.append("updatedReplicas")
        image = obj["spec"]["template"]["spec"]["containers"][0]["image"]
        assert {pod["spec"]["containers"][0]["image"] for pod in mine} <= {image}
    assert [status.get(field, 0) for field in counted] == [wanted] * len(counted)
    assert status["observedGeneration"] == obj["metadata"]["generation"]


def owned_by(obj: Object, owners: set[str]) -> bool:
    return any(owner["uid"] in owners for owner in obj["metadata"].get("ownerReferences", ()))
