"""Subresources that are objects of their own: scale, binding, eviction, token.

status, finalize and their like are views of the object itself; the storage and the strategies know them.

The pipeline finds them by resource and name. Sources: pkg/registry/apps/*/storage, pkg/registry/core/pod/storage.
"""

from __future__ import annotations

from refkube.apimachinery import errors
from refkube.apimachinery.meta import Object, condition_of, get_path, is_terminating, labels_of, metadata_of, name_of
from refkube.apimachinery.rest import Request
from refkube.apimachinery.selectors import from_label_selector, from_map
from refkube.engine.clock import rfc3339
from refkube.engine.ids import Ids
from refkube.engine.loop import Loop
from refkube.registry.storage import Storage, Write
from refkube.registry.watching import Selection
from refkube.serviceaccount.tokens import Tokens

SUCCESS: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


class Subresource:
    """One subresource: what it is called, which type it has, and what reading and writing it mean."""

    verbs: tuple[str, ...] = ("create",)
    api_version = ""
    kind = ""
    definition = ""  # in the published definitions

    def accepts(self, obj: Object) -> bool:
        """True for another version or kind that clients may send here."""
        return False

    def read(self, storage: Storage, request: Request) -> Object:
        raise errors.method_not_allowed()

    def write(self, storage: Storage, request: Request, obj: Object, write: Write) -> Object:
        raise NotImplementedError


class Scale(Subresource):
    """autoscaling/v1 Scale of a workload: its replicas, wanted and present, and its selector as text."""

    verbs = ("get", "update", "patch")
    api_version = "autoscaling/v1"
    kind = "Scale"
    definition = "io.k8s.api.autoscaling.v1.Scale"

    def read(self, storage: Storage, request: Request) -> Object:
        return self._scale_of(storage.get(request.namespace, request.name).value)

    def write(self, storage: Storage, request: Request, obj: Object, write: Write) -> Object:
        replicas = get_path(obj, "spec", "replicas", default=0)
        if name_of(obj) not in ("", request.name):
            why = f"the name of the object ({name_of(obj)}) does not match the name on the URL ({request.name})"
            raise errors.bad_request(why)
        if replicas < 0:
            error = errors.invalid("spec.replicas", replicas, "must be greater than or equal to 0")
            raise errors.invalid_object("autoscaling", "Scale", request.name, [error])
        uid, version = metadata_of(obj).get("uid"), metadata_of(obj).get("resourceVersion")

        def scaled(old: Object | None) -> Object:
            assert old is not None
            meta = old["metadata"]
            if uid and uid != meta["uid"]:
                why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {meta['uid']}"
                raise errors.conflict(f"{storage.kind.resource}/scale", request.name, why)
            if version and version != meta["resourceVersion"]:
                raise errors.conflict(storage.kind.resource, request.name, errors.MODIFIED)
            return {**old, "spec": {**old["spec"], "replicas": replicas}}

        kv, _ = storage.update(request.namespace, request.name, scaled, write)
        return self._scale_of(kv.value)

    def _scale_of(self, obj: Object) -> Object:
        meta = obj["metadata"]
        selector = get_path(obj, "spec", "selector")
        if selector and obj["kind"] == "ReplicationController":
            text = str(from_map(selector))
        else:
            text = str(from_label_selector(selector)) if selector else ""
        replicas = get_path(obj, "spec", "replicas", default=0)
        status: Object = {"replicas": get_path(obj, "status", "replicas", default=0)}
        if text:
            status["selector"] = text
        kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
        return {
            "kind": "Scale",
            "apiVersion": "autoscaling/v1",
            "metadata": {field: meta[field] for field in kept if field in meta},
            "spec": {"replicas": replicas} if replicas else {},  # omitted where it is nought, as upstream encodes it
            "status": status,
        }


class Binding(Subresource):
    """v1 Binding: assigns a Pod to a node, once."""

    api_version = "v1"
    kind = "Binding"
    definition = "io.k8s.api.core.v1.Binding"

    def __init__(self, loop: Loop):
        self._loop = loop

    def write(self, storage: Storage, request: Request, obj: Object, write: Write) -> Object:
        """Errors: 422 for a target that is no node; 409 for a Pod that is bound, going or gated."""
        name = request.name or name_of(obj)
        target = obj.get("target") or {}
        problems = []
        if target.get("kind") not in (None, "", "Node"):
            problems.append(errors.not_supported("target.kind", target["kind"], ("Node", "<empty>")))
        if not target.get("name"):
            problems.append(errors.required("target.name"))
        if problems:
            raise errors.invalid_object("", "Binding", name, problems)

        def bound(old: Object | None) -> Object:
            assert old is not None
            self._refuse_unbindable(old, obj, name)
            meta = old["metadata"]
            for part in ("labels", "annotations"):
                if metadata_of(obj).get(part):
                    meta = {**meta, part: {**(meta.get(part) or {}), **obj["metadata"][part]}}
            spec = {**old["spec"], "nodeName": target["name"]}
            status = {key: value for key, value in self._scheduled(old).items() if key != "nominatedNodeName"}
            return {**old, "metadata": meta, "spec": spec, "status": status}

        write.subresource = "binding"
        storage.update(request.namespace, name, bound, write)
        return SUCCESS

    def _refuse_unbindable(self, pod: Object, binding: Object, name: str) -> None:
        uid, version = metadata_of(binding).get("uid"), metadata_of(binding).get("resourceVersion")
        why = ""
        if uid and uid != pod["metadata"]["uid"]:
            why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {pod['metadata']['uid']}"
        elif version and version != pod["metadata"]["resourceVersion"]:
            why = errors.MODIFIED
        elif is_terminating(pod):
            why = f"pod {name} is being deleted, cannot be assigned to a host"
        elif pod["spec"].get("nodeName"):
            why = f'pod {name} is already assigned to node "{pod["spec"]["nodeName"]}"'
        elif pod["spec"].get("schedulingGates"):
            why = f"pod {name} has non-empty .spec.schedulingGates"
        if why:
            raise errors.conflict("pods/binding", name, why)

    def _scheduled(self, pod: Object) -> Object:
        status = pod.get("status") or {}
        condition = condition_of(pod, "PodScheduled")
        if condition and condition["status"] == "True":
            return status
        now = rfc3339(self._loop.now())
        scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": now}
        others = [c for c in status.get("conditions") or () if c is not condition]
        return {**status, "conditions": [*others, {k: v for k, v in scheduled.items() if v is not None}]}


class Eviction(Subresource):
    """policy/v1 Eviction: a deletion that a PodDisruptionBudget may forbid."""

    api_version = "policy/v1"
    kind = "Eviction"
    definition = "io.k8s.api.policy.v1.Eviction"

    def __init__(self, budgets: Storage, loop: Loop):
        self._budgets = budgets
        self._loop = loop

    def write(self, storage: Storage, request: Request, obj: Object, write: Write) -> Object:
        """Errors: 429 while the budget allows no disruption, 500 where two budgets cover the Pod."""
        if name_of(obj) not in ("", request.name):
            raise errors.bad_request("name in URL does not match name in Eviction object")
        pod = storage.get(request.namespace, request.name).value
        options = obj.get("deleteOptions") or {}
        write.dry_run = write.dry_run or bool(options.get("dryRun"))
        if get_path(pod, "status", "phase") == "Running" and not is_terminating(pod):
            self._spend(pod, write)
        storage.delete(request.namespace, request.name, options, write)
        return SUCCESS

    def _spend(self, pod: Object, write: Write) -> None:
        everything = Selection(pod["metadata"]["namespace"], None, None, self._budgets.strategy.fields)
        labels = labels_of(pod)
        found = [
            kv.value
            for kv in self._budgets.list(everything).items
            if from_label_selector(get_path(kv.value, "spec", "selector")).matches(labels)
        ]
        if len(found) > 1:
            raise errors.internal_error(
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
            )
        for budget in found:
            if _spares_unready(budget, pod):
                continue
            meta = budget["metadata"]

            def spent(old: Object | None, name: str = meta["name"]) -> Object:
                assert old is not None
                status = old.get("status") or {}
                allowed = status.get("disruptionsAllowed", 0)
                if status.get("observedGeneration", 0) < old["metadata"].get("generation", 0):
                    raise _blocked(name, "is still being processed by the server", 10)
                if allowed <= 0:
                    needs = status.get("desiredHealthy", 0)
                    has = status.get("currentHealthy", 0)
                    raise _blocked(name, f"needs {needs} healthy pods and has {has} currently", 0)
                evicted = {**(status.get("disruptedPods") or {}), name_of(pod): rfc3339(self._loop.now())}
                return {**old, "status": {**status, "disruptionsAllowed": allowed - 1, "disruptedPods": evicted}}

            status = Write("status", write.dry_run)
            self._budgets.update(meta["namespace"], meta["name"], spent, status)


class TokenRequest(Subresource):
    """authentication.k8s.io/v1 TokenRequest: a token of a ServiceAccount, bound as asked.

    Source: pkg/registry/core/serviceaccount/storage/token.go.
    """

    api_version = "authentication.k8s.io/v1"
    kind = "TokenRequest"
    definition = "io.k8s.api.authentication.v1.TokenRequest"
    SHORTEST, USUAL, LONGEST = 600, 3600, 1 << 32  # seconds

    def __init__(self, tokens: Tokens, bound: dict[str, Storage], loop: Loop, ids: Ids):
        """`bound` are the storages of what a token can be bound to, by kind: Pod, Secret, Node."""
        self._tokens = tokens
        self._bound = bound
        self._loop = loop
        self._ids = ids

    def write(self, storage: Storage, request: Request, obj: Object, write: Write) -> Object:
        """Errors: 404 for the account or the bound object, 409 for another uid, 422 for a bad lifetime."""
        account = storage.get(request.namespace, request.name).value
        spec = obj.get("spec") or {}
        seconds = spec.get("expirationSeconds", self.USUAL)
        problems = []
        if seconds < self.SHORTEST:
            problems.append(
                errors.invalid("spec.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
            )
        if seconds > self.LONGEST:
            problems.append(
                errors.invalid("spec.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds")
            )
        if problems:
            raise errors.invalid_object("authentication.k8s.io", "TokenRequest", request.name, problems)
        audiences = spec.get("audiences") or [self._tokens.audience]
        bound = self._bound_object(spec.get("boundObjectRef"), account, request)
        token = self._tokens.issue(account, audiences=audiences, seconds=seconds, token_id=self._ids.uid(), bound=bound)
        return {
            "kind": self.kind,
            "apiVersion": self.api_version,
            "metadata": {
                "name": request.name,
                "namespace": request.namespace,
                "creationTimestamp": rfc3339(self._loop.now()),
            },
            "spec": {**spec, "audiences": audiences, "expirationSeconds": seconds},
            "status": {"token": token, "expirationTimestamp": rfc3339(self._loop.now() + seconds)},
        }

    def _bound_object(self, reference: Object | None, account: Object, request: Request) -> tuple[str, Object] | None:
        if reference is None:
            return None
        kind, name = reference.get("kind", ""), reference.get("name", "")
        if kind not in self._bound:
            raise errors.bad_request(f"cannot bind token for serviceaccount to object of kind {kind!r}")
        obj = self._bound[kind].get("" if kind == "Node" else request.namespace, name).value
        uid = obj["metadata"]["uid"]
        if reference.get("uid") not in (None, "", uid):
            why = f"the UID in the bound object reference ({reference['uid']}) does not match the UID in record"
            raise errors.conflict(self._bound[kind].kind.resource, name, f"{why}. The object might have been recreated")
        if kind == "Pod" and obj["spec"].get("serviceAccountName") not in (None, account["metadata"]["name"]):
            why = f"cannot bind token for serviceaccount {name_of(account)!r} to a pod of another one"
            raise errors.bad_request(why)
        return kind.lower(), obj


def _spares_unready(budget: Object, pod: Object) -> bool:
    """A Pod that is not ready was never counted on: it may go where the policy says so, or where enough others are."""
    ready = condition_of(pod, "Ready")
    if ready and ready["status"] == "True":
        return False
    status = budget.get("status") or {}
    needs = status.get("desiredHealthy", 0)
    always = get_path(budget, "spec", "unhealthyPodEvictionPolicy") == "AlwaysAllow"
    return always or 0 < needs <= status.get("currentHealthy", 0)


def _blocked(budget: str, why: str, retry: int) -> errors.StatusError:
    message = "Cannot evict pod as it would violate the pod's disruption budget."
    error = errors.too_many_requests(message, retry)
    cause = {"reason": "DisruptionBudget", "message": f"The disruption budget {budget} {why}"}
    error.status.setdefault("details", {})["causes"] = [cause]
    return error
