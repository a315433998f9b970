"""Deployments: rollouts of a template over ReplicaSets. Which of them has to take a step, and with what.

A change of a ReplicaSet brings its Deployment a step on; a Pod matters only where all old ones must have gone first.
Source: pkg/controller/deployment/deployment_controller.go.
"""

from __future__ import annotations

from collections.abc import Callable

from refkube.apimachinery.meta import Object, get_path, labels_of, namespace_of
from refkube.apimachinery.owners import controller_of
from refkube.apimachinery.selectors import from_label_selector
from refkube.client.controller import Controller
from refkube.client.informer import by_controller_uid
from refkube.controllers.common.claims import Dependents
from refkube.controllers.common.context import Context
from refkube.controllers.deployment.rollout import DEPLOYMENTS, SETS, Rollout


class DeploymentController:
    def __init__(self, context: Context):
        self._context = context
        self._deployments, self._pods = context.informers.of(DEPLOYMENTS), context.informers.of("pods")
        caches = (self._deployments, context.informers.of(SETS), self._pods)
        self._controller = Controller(context.loop, "deployment", self._reconcile, caches)
        add = self._controller.add_object
        self._sets = Dependents(context, DEPLOYMENTS, SETS, ("apps/v1", "Deployment"), _matcher, self._controller.add)
        self._deployments.add_handler(add, lambda old, new: add(new), add)
        self._pods.add_index("controller", by_controller_uid)
        self._pods.add_handler(deleted=self._pod_deleted)

    def start(self) -> None:
        self._controller.start()

    def stop(self) -> None:
        self._controller.stop()

    def _reconcile(self, key: str) -> None:
        deployment = self._deployments.get(key)
        if deployment is None or self._sets.claim(
            deployment, self._sets.of(deployment), self._sets.orphans(deployment)
        ):
            return  # the cache will tell of those who came or went
        rollout = Rollout(self._context, self._pods, deployment, self._sets.of(deployment))
        rollout.step()
        after = rollout.check_after
        if after is not None and after < 1.0:
            self._controller.queue.add_rate_limited(key)
        elif after is not None:
            self._controller.add_after(key, after + 1.0)  # late rather than early: timestamps are cut off

    def _pod_deleted(self, pod: Object) -> None:
        """The last one of a Deployment that recreates makes way for the new."""
        owner = controller_of(pod)
        if owner is None or owner["kind"] != "ReplicaSet":
            return
        replica_set = self._sets.informer.get(f"{namespace_of(pod)}/{owner['name']}")
        deployment = self._sets.owner_of(replica_set) if replica_set is not None else None
        if deployment is not None and get_path(deployment, "spec", "strategy", "type") == "Recreate":
            self._controller.add_object(deployment)


def _matcher(deployment: Object) -> Callable[[Object], bool]:
    selector = from_label_selector(deployment["spec"]["selector"])
    return lambda replica_set: selector.matches(labels_of(replica_set))
