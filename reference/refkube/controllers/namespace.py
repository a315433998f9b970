"""The namespace controller: deletes all that is in a namespace on its way out, and lets the namespace go last.

Pods go first, then every other kind; conditions say what still blocks. Source: kubernetes/pkg/controller/namespace.
Left out: failures of discovery, which here is a table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from refkube.api.kinds import KINDS, Kind, preferred
from refkube.apimachinery.errors import StatusError, internal_error
from refkube.apimachinery.meta import Object, condition_of, get_path, is_terminating, metadata_of, name_of
from refkube.client.client import Client
from refkube.client.controller import Controller
from refkube.client.workqueue import RateLimiter
from refkube.controllers.common.context import Context
from refkube.engine.clock import parse_rfc3339, rfc3339

FINALIZER = "kubernetes"
GRACE = 5.0  # seconds for every API server to hear of the deletion
FINALIZER_ESTIMATE = 15  # seconds that finalizers may take
_PODS = preferred("pods")
DELETED = tuple(kind for kind in KINDS if kind.namespaced and "delete" in kind.verbs and not kind.storage)

# Type of a condition: reason and message when nothing is wrong.
_WELL = {
    "NamespaceDeletionDiscoveryFailure": ("ResourcesDiscovered", "All resources successfully discovered"),
    "NamespaceDeletionGroupVersionParsingFailure":
        ("ParsedGroupVersions", "All legacy kube types successfully parsed"),
    "NamespaceDeletionContentFailure":
        ("ContentDeleted", "All content successfully deleted, may be waiting on finalization"),
    "NamespaceContentRemaining": ("ContentRemoved", "All content successfully removed"),
    "NamespaceFinalizersRemaining": ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
}  # fmt: skip


@dataclass
class Progress:
    """What one attempt has left behind."""

    estimate: int = 0  # seconds until it may be gone
    remaining: Counter[str] = field(default_factory=Counter)  # objects, by "resource.group"
    finalizers: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


class NamespaceController:
    account = "namespace-controller"

    def __init__(self, context: Context):
        self._client = context.client
        self._now = context.loop.now
        self._namespaces = context.informers.of("namespaces")
        limiter: RateLimiter[str] = RateLimiter(context.loop, cap=60.0)
        self._controller = Controller(context.loop, "namespace", self._reconcile, (self._namespaces,), limiter)
        self._namespaces.add_handler(self._changed, lambda old, new: self._changed(new))
        self.start, self.stop = self._controller.start, self._controller.stop

    def _changed(self, namespace: Object) -> None:
        if is_terminating(namespace):
            self._controller.add_after(name_of(namespace), GRACE)

    def _reconcile(self, key: str) -> None:
        namespace = self._live(key)
        if namespace is None or not is_terminating(namespace):
            return
        if FINALIZER not in (get_path(namespace, "spec", "finalizers") or ()):
            return
        progress = self._delete_all(namespace)
        self._tell(namespace, progress)
        if progress.failures:
            raise internal_error(", ".join(progress.failures))
        if progress.estimate:
            self._controller.add_after(key, progress.estimate // 2 + 1)
            return
        self._finalize(key)

    def _live(self, name: str) -> Object | None:
        try:
            return self._client.get("namespaces", name)
        except StatusError as refusal:
            if refusal.code != 404:
                raise
            return None

    def _delete_all(self, namespace: Object) -> Progress:
        name, progress = name_of(namespace), Progress()
        since = self._now() - parse_rfc3339(namespace["metadata"]["deletionTimestamp"])
        self._delete_kind(_PODS, name, since, progress)
        if progress.remaining:  # upstream tells of nothing until the last Pod is gone
            return Progress(progress.estimate, failures=progress.failures)
        for kind in DELETED:
            if kind is not _PODS:
                self._delete_kind(kind, name, since, progress)
        return progress

    def _delete_kind(self, kind: Kind, namespace: str, since: float, progress: Progress) -> None:
        """Delete what there is of a kind; what fails does not keep the others from being deleted."""
        estimate = 0
        try:
            if kind is _PODS:
                estimate = longest_grace(self._client.list(kind, namespace).items)
                estimate = estimate if since < estimate else 0
            delete_all(self._client, kind, namespace)
            left = self._client.list(kind, namespace).items
        except StatusError as refusal:
            progress.failures.append(refusal.message)
            progress.estimate = max(progress.estimate, estimate)
            return
        if not left:
            return
        finalizers = Counter(name for obj in left for name in metadata_of(obj).get("finalizers") or ())
        progress.remaining[f"{kind.plural}.{kind.group}"] = len(left)
        progress.finalizers += finalizers
        progress.estimate = max(progress.estimate, estimate or (FINALIZER_ESTIMATE if finalizers else 0))
        if not estimate and not finalizers:
            resource = f"{kind.group}/{kind.version}, Resource={kind.plural}"
            progress.failures.append(f"unexpected items still remain in namespace: {namespace} for gvr: {resource}")

    def _tell(self, namespace: Object, progress: Progress) -> None:
        conditions = updated(namespace, troubles(progress), rfc3339(self._now()))
        if conditions is None:
            return
        try:
            status = {**(namespace.get("status") or {}), "conditions": conditions}
            self._client.update_status("namespaces", {**namespace, "status": status})
        except StatusError as refusal:
            if refusal.reason not in ("Conflict", "NotFound"):
                raise

    def _finalize(self, name: str) -> None:
        namespace = self._live(name)
        if namespace is not None:
            spec = namespace["spec"]
            finalizers = [other for other in spec.get("finalizers") or () if other != FINALIZER]
            self._client.update("namespaces", {**namespace, "spec": {**spec, "finalizers": finalizers}}, "finalize")


def delete_all(client: Client, kind: Kind, namespace: str) -> None:
    """As a collection where that is supported, else one by one; dependents are left to the garbage collector."""
    try:
        if "deletecollection" in kind.verbs:
            client.delete_collection(kind, namespace, propagation="Background")
            return
    except StatusError as refusal:
        if refusal.reason not in ("MethodNotAllowed", "NotFound"):
            raise
    for obj in client.list(kind, namespace).items:
        try:
            client.delete(kind, name_of(obj), namespace, propagation="Background")
        except StatusError as refusal:
            if refusal.reason not in ("MethodNotAllowed", "NotFound"):
                raise


def longest_grace(pods: Iterable[Object]) -> int:
    """Seconds that the Pods which still run may take to end."""
    running = (pod for pod in pods if get_path(pod, "status", "phase") not in ("Succeeded", "Failed"))
    return max((pod["spec"].get("terminationGracePeriodSeconds", 0) for pod in running), default=0)


def troubles(progress: Progress) -> Mapping[str, tuple[str, str]]:
    """Reason and message of the conditions that hold (status_condition_utils.go)."""
    found = {}
    if progress.failures:
        count, failures = len(progress.failures), ", ".join(sorted(progress.failures))
        why = f"Failed to delete all resource types, {count} remaining: {failures}"
        found["NamespaceDeletionContentFailure"] = ("ContentDeletionFailed", why)
    if progress.remaining:
        told = sorted(f"{resource} has {count} resource instances" for resource, count in progress.remaining.items())
        why = f"Some resources are remaining: {', '.join(told)}"
        found["NamespaceContentRemaining"] = ("SomeResourcesRemain", why)
    if progress.finalizers:
        told = sorted(f"{name} in {count} resource instances" for name, count in progress.finalizers.items())
        why = f"Some content in the namespace has finalizers remaining: {', '.join(told)}"
        found["NamespaceFinalizersRemaining"] = ("SomeFinalizersRemain", why)
    return found


def updated(namespace: Object, found: Mapping[str, tuple[str, str]], now: str) -> list[Object] | None:
    """The namespace's conditions with what was found; None if that changes nothing."""
    conditions: dict[str, Object] = {
        one.get("type", ""): one for one in get_path(namespace, "status", "conditions") or ()
    }
    changed = False
    for type, well in _WELL.items():
        reason, message = found.get(type, well)
        wanted = {"type": type, "status": str(type in found), "reason": reason, "message": message}
        present = condition_of(namespace, type) or {}
        if any(present.get(key) != value for key, value in wanted.items()):
            same = present.get("status") == wanted["status"]
            wanted["lastTransitionTime"] = present["lastTransitionTime"] if same else now
            conditions[type] = wanted
            changed = True
    return list(conditions.values()) if changed else None
