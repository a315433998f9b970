"""StatefulSets: members with an identity and claims of their own, made and removed in order, updated from the last.
How many may be missing in an update is behind a gate that is off by default: it is one.

Source: pkg/controller/statefulset. Each reconcile goes as far as the order allows; what comes of it brings the next.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import (
    Object,
    get_path,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
    with_metadata,
)
from refkube.apimachinery.owners import new_controller_ref, owners_of
from refkube.apimachinery.selectors import from_label_selector
from refkube.client.controller import Controller
from refkube.client.events import NORMAL, WARNING
from refkube.controllers.common.claims import Dependents
from refkube.controllers.common.context import Context
from refkube.controllers.common.history import REVISIONS, History
from refkube.controllers.common.pod_control import pod_from_template, slow_start
from refkube.controllers.common.pods import is_terminal, phase_of, ready_since, unavailable_for

SETS, CLAIMS = "statefulsets.apps", "persistentvolumeclaims"
POD_NAME, POD_INDEX = "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index"
REVISION = "controller-revision-hash"

_MEMBER = re.compile("(.*)-([0-9]+)").fullmatch


class StatefulSetController:
    def __init__(self, context: Context):
        self._context = context
        self._client = context.client
        self._sets = context.informers.of(SETS)
        self._volume_claims = context.informers.of(CLAIMS)
        caches = (self._sets, self._volume_claims, context.informers.of("pods"), context.informers.of(REVISIONS))
        self._controller = Controller(context.loop, "statefulset", self._reconcile, caches)
        kind, add = ("apps/v1", "StatefulSet"), self._controller.add_object
        self._pods = Dependents(context, SETS, "pods", kind, _member_test, self._controller.add)
        self._revisions = Dependents(context, SETS, REVISIONS, kind, _selector_test, self._controller.add)
        self._history = History(context.client, self._revisions)
        self._sets.add_handler(add, lambda old, new: add(new), add)

    def start(self) -> None:
        self._controller.start()

    def stop(self) -> None:
        self._controller.stop()

    def _reconcile(self, key: str) -> None:
        stateful_set = self._sets.get(key)
        if stateful_set is None or self._claim(stateful_set):
            return  # the cache will tell of those who came or went
        pods = list(self._pods.of(stateful_set))
        data = {"spec": {"template": {**stateful_set["spec"]["template"], "$patch": "replace"}}}
        current, update, collisions = self._history.current_and_update(stateful_set, data)
        step = Step(self, stateful_set, pods, current, update)
        try:
            if not is_terminating(stateful_set):
                step.take()
        finally:
            self._tell(stateful_set, step.status(collisions))
        if step.wait is not None:
            self._controller.add_after(key, step.wait)
        used = {name_of(current), name_of(update), *(labels_of(pod).get(REVISION, "") for pod in pods)}
        self._history.truncate(stateful_set, used)

    def _claim(self, stateful_set: Object) -> bool:
        orphans = [pod for pod in self._pods.orphans(stateful_set) if _ordinal(stateful_set, pod) is not None]
        claimed = self._pods.claim(stateful_set, self._pods.of(stateful_set), orphans)
        return self._revisions.claim(stateful_set, (), self._revisions.orphans(stateful_set)) or claimed

    def _tell(self, stateful_set: Object, status: Object) -> None:
        before = stateful_set.get("status") or {}
        if "conditions" in before:
            status["conditions"] = before["conditions"]
        if status != before:
            self._client.update_status(SETS, {**stateful_set, "status": status})

    # What a step does

    @property
    def now(self) -> float:
        return self._context.loop.now()

    def create(self, stateful_set: Object, pod: Object) -> None:
        """A member, after its claims."""
        self.make_claims(stateful_set, pod)
        member = new_member_of(stateful_set, pod, self._pods.reference(stateful_set))
        try:
            self._client.create("pods", member)
        except StatusError as refusal:
            if refusal.reason != "AlreadyExists":
                self._event(stateful_set, "create", f"Pod {name_of(pod)}", refusal)
            raise
        self._event(stateful_set, "create", f"Pod {name_of(pod)}")

    def delete(self, stateful_set: Object, pod: Object) -> None:
        try:
            self._client.delete("pods", name_of(pod), namespace_of(pod), uid=uid_of(pod))
        except StatusError as refusal:
            if refusal.reason == "NotFound":
                return
            self._event(stateful_set, "delete", f"Pod {name_of(pod)}", refusal)
            raise
        self._event(stateful_set, "delete", f"Pod {name_of(pod)}")

    def relabel(self, stateful_set: Object, pod: Object, labels: Object) -> None:
        self._client.update("pods", with_metadata(pod, labels={**labels_of(pod), **labels}))
        self._event(stateful_set, "update", f"Pod {name_of(pod)}")

    def make_claims(self, stateful_set: Object, pod: Object) -> None:
        """Those that are missing; one that is on its way out must be gone first."""
        for claim in claims_of(stateful_set, pod):
            there = self._volume_claims.get(f"{namespace_of(claim)}/{name_of(claim)}")
            if there is not None and is_terminating(there):
                raise OSError(f"pvc {name_of(claim)} is being deleted")
            if there is not None:
                continue
            what = f"Claim {name_of(claim)} Pod {name_of(pod)}"
            try:
                self._client.create(CLAIMS, claim)
            except StatusError as refusal:
                if refusal.reason == "AlreadyExists":
                    continue
                self._event(stateful_set, "create", what, refusal)
                raise
            self._event(stateful_set, "create", what)

    def settle_claims(self, stateful_set: Object, pod: Object) -> None:
        """Let the claims go with the set or with the member, as their retention policy says."""
        for claim in claims_of(stateful_set, pod):
            there = self._volume_claims.get(f"{namespace_of(claim)}/{name_of(claim)}")
            if there is None:
                continue
            wanted = claim_owners(stateful_set, pod, there)
            if wanted != list(owners_of(there)):
                self._client.update(CLAIMS, with_metadata(there, ownerReferences=wanted or None))

    def _event(self, about: Object, verb: str, what: str, refusal: StatusError | None = None) -> None:
        how = f"failed error: {refusal}" if refusal else "successful" if what.startswith("Pod") else "success"
        type, reason = (WARNING, f"Failed{verb.title()}") if refusal else (NORMAL, f"Successful{verb.title()}")
        self._context.events.event(about, type, reason, f"{verb} {what} in StatefulSet {name_of(about)} {how}")


class Step:
    """What one reconcile does with the members of a set. `wait`: seconds until one of them may be available."""

    def __init__(
        self, control: StatefulSetController, stateful_set: Object, pods: list[Object], current: Object, update: Object
    ):
        spec = stateful_set["spec"]
        self.wait: float | None = None
        self._control = control
        self._set = stateful_set
        self._pods = pods
        self._current, self._update = current, update
        self._min_ready = spec.get("minReadySeconds", 0)
        self._in_order = spec.get("podManagementPolicy") != "Parallel"
        strategy = spec.get("updateStrategy") or {}
        self._on_delete = strategy.get("type") == "OnDelete"
        self._partition = (strategy.get("rollingUpdate") or {}).get("partition", 0)
        count = spec.get("replicas", 1)
        self._replicas, self._condemned = self._sorted(pods, range(_start(stateful_set), _start(stateful_set) + count))
        missing = [pod for pod in [*self._replicas, *reversed(self._condemned)] if self._is_missing(pod)]
        self._first_missing = missing[0] if missing else None

    def _sorted(self, pods: list[Object], ordinals: range) -> tuple[list[Object], list[Object]]:
        """The members there shall be, made up where they are missing, and the others from the last."""
        known = {_ordinal(self._set, pod): pod for pod in pods}
        replicas = [known.get(ordinal) or self._new(ordinal) for ordinal in ordinals]
        others = sorted((o for o in known if o is not None and o not in ordinals), reverse=True)
        return replicas, [known[ordinal] for ordinal in others]

    def _new(self, ordinal: int) -> Object:
        """A member to be made, of the revision that its place in the update asks for."""
        updated = self._on_delete or ordinal >= _start(self._set) + self._partition
        return new_member(self._set, self._update if updated else self._current, ordinal)

    def take(self) -> None:
        if self._each(self._replicas, self._keep):
            return
        for pod in self._condemned:
            self._control.settle_claims(self._set, pod)
        if not self._each(self._condemned, self._remove) and not self._on_delete:
            self._renew()

    def _each(self, pods: list[Object], act: Callable[[Object], bool]) -> bool:
        """In order until one asks to wait: True; or all at once."""
        if self._in_order:
            return any(map(act, pods))
        todo = iter(pods)
        _, failure = slow_start(len(pods), lambda: act(next(todo)))
        if failure is not None:
            raise failure
        return False

    def _keep(self, pod: Object) -> bool:
        """See to one member; True if the next must wait for it."""
        if is_terminal(pod):
            if not is_terminating(pod):
                self._control.delete(self._set, pod)
            return True
        if not uid_of(pod):
            self._control.create(self._set, pod)
            return True
        if phase_of(pod) == "Pending":
            self._control.make_claims(self._set, pod)
        if self._is_missing(pod) and self._in_order:
            return True
        labels = identity(pod)
        if not labels.items() <= labels_of(pod).items():
            self._control.relabel(self._set, pod, labels)
        self._control.settle_claims(self._set, pod)
        return False

    def _remove(self, pod: Object) -> bool:
        if is_terminating(pod):
            return True
        if self._in_order and self._is_missing(pod) and pod is not self._first_missing:
            return True
        self._control.delete(self._set, pod)
        return True

    def _renew(self) -> None:
        """Delete the last member of an older revision, unless one after it is missing."""
        for pod in reversed(self._replicas[self._partition :]):
            old = labels_of(pod).get(REVISION) != name_of(self._update) and not is_terminating(pod)
            if old:
                self._control.delete(self._set, pod)
            if old or self._is_missing(pod):
                return

    def _is_missing(self, pod: Object) -> bool:
        return is_terminating(pod) or not self._is_available(pod)

    def _is_available(self, pod: Object) -> bool:
        if phase_of(pod) != "Running":
            return False
        wait = unavailable_for(ready_since(pod), self._min_ready, self._control.now)
        if wait:
            self.wait = min(wait, self.wait or wait)
        return wait == 0.0

    def status(self, collisions: int) -> Object:
        """As the Pods were before the step."""
        living = [labels_of(pod).get(REVISION) for pod in self._pods if not is_terminating(pod)]
        ready = sum(phase_of(pod) == "Running" and ready_since(pod) is not None for pod in self._pods)
        count, names = len(self._pods), (name_of(self._current), name_of(self._update))
        old, new = (living.count(name) for name in names)
        if not self._on_delete and new == ready == count == self._set["spec"].get("replicas", 1):
            old, names = new, (names[1], names[1])
        counts = {
            "observedGeneration": self._set["metadata"].get("generation", 0),
            "readyReplicas": ready,
            "currentReplicas": old,
            "updatedReplicas": new,
        }
        status: dict[str, Any] = {"replicas": count, "availableReplicas": sum(map(self._is_available, self._pods))}
        status |= {field: count for field, count in counts.items() if count}
        return status | {"currentRevision": names[0], "updateRevision": names[1], "collisionCount": collisions}


def new_member(stateful_set: Object, revision: Object, ordinal: int) -> Object:
    """What is to become a member: its name, its labels and the template of its revision."""
    template = revision["data"]["spec"]["template"]
    name = f"{name_of(stateful_set)}-{ordinal}"
    labels = {**labels_of(template), REVISION: name_of(revision)}
    pod = pod_from_template({key: part for key, part in template.items() if key != "$patch"}, stateful_set, {})
    pod = with_metadata(pod, name=name, labels=labels)
    return with_metadata(pod, labels={**labels, **identity(pod)})


def new_member_of(stateful_set: Object, pod: Object, reference: Object) -> Object:
    """The Pod to create: with its owner, a name in the network, and its claims for volumes."""
    spec = {**pod["spec"], "hostname": name_of(pod)}
    if stateful_set["spec"].get("serviceName"):
        spec["subdomain"] = stateful_set["spec"]["serviceName"]
    templates = stateful_set["spec"].get("volumeClaimTemplates") or ()
    if templates:
        own = {name_of(template): claim_name(template, pod) for template in templates}
        volumes = [{"name": name, "persistentVolumeClaim": {"claimName": claim}} for name, claim in own.items()]
        spec["volumes"] = [*volumes, *(one for one in spec.get("volumes") or () if one["name"] not in own)]
    return {**with_metadata(pod, ownerReferences=[reference]), "spec": spec}


def identity(pod: Object) -> dict[str, str]:
    """The labels that say who it is."""
    return {POD_NAME: name_of(pod), POD_INDEX: name_of(pod).rpartition("-")[2]}


def claim_name(template: Object, pod: Object) -> str:
    return f"{name_of(template)}-{name_of(pod)}"


def claims_of(stateful_set: Object, pod: Object) -> list[Object]:
    """The claims that a member has to have."""
    labels = get_path(stateful_set, "spec", "selector", "matchLabels", default={})
    claims = []
    for template in stateful_set["spec"].get("volumeClaimTemplates") or ():
        meta = {**(template.get("metadata") or {}), "name": claim_name(template, pod)}
        meta |= {"namespace": namespace_of(stateful_set), "labels": {**labels_of(template), **labels}}
        claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": template["spec"]}
        owners = claim_owners(stateful_set, pod, claim)
        claims.append(with_metadata(claim, ownerReferences=owners) if owners else claim)
    return claims


def claim_owners(stateful_set: Object, pod: Object, claim: Object) -> list[Object]:
    """The owner references of a claim under the retention policy: those of others stay."""
    policy = stateful_set["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    others = [one for one in owners_of(claim) if one["uid"] not in (uid_of(stateful_set), uid_of(pod))]
    if any(one.get("controller") for one in others):
        return list(owners_of(claim))
    ordinal, start = _ordinal(stateful_set, pod), _start(stateful_set)
    wanted = ordinal is not None and start <= ordinal < start + stateful_set["spec"].get("replicas", 1)
    if not wanted and policy.get("whenScaled") == "Delete":
        return [*others, new_controller_ref(pod, "v1", "Pod")]
    if policy.get("whenDeleted") == "Delete":
        return [*others, new_controller_ref(stateful_set, "apps/v1", "StatefulSet")]
    return others


def _start(stateful_set: Object) -> int:
    return get_path(stateful_set, "spec", "ordinals", "start", default=0)


def _ordinal(stateful_set: Object, pod: Object) -> int | None:
    found = _MEMBER(name_of(pod))
    return int(found[2]) if found and found[1] == name_of(stateful_set) else None


def _selector_test(stateful_set: Object) -> Callable[[Object], bool]:
    selector = from_label_selector(stateful_set["spec"]["selector"])
    return lambda obj: selector.matches(labels_of(obj))


def _member_test(stateful_set: Object) -> Callable[[Object], bool]:
    selected = _selector_test(stateful_set)
    return lambda pod: selected(pod) and _ordinal(stateful_set, pod) is not None
