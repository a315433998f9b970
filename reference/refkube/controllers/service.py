"""The load balancers of Services of type LoadBalancer, kept over a cloud's interface (`cloudprovider`).

Source: k8s.io/cloud-provider/controllers/service. Nodes take part whether they are ready or not, as the health checks
of a load balancer know better (StableLoadBalancerNodeSet).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object, annotations_of, is_terminating, key_of, labels_of
from refkube.client.client import Client
from refkube.client.controller import Controller
from refkube.client.events import NORMAL, WARNING
from refkube.client.workqueue import RateLimiter
from refkube.cloudprovider import CloudError, LoadBalancers
from refkube.controllers.common.context import Context

FINALIZER = "service.kubernetes.io/load-balancer-cleanup"
EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"
TO_BE_DELETED = "ToBeDeletedByClusterAutoscaler"
MIN_RETRY, MAX_RETRY = 5.0, 300.0  # seconds

# What a load balancer is made from; some changes are worth an Event.
_FIELDS = ("ports", "sessionAffinity", "sessionAffinityConfig", "loadBalancerSourceRanges", "loadBalancerIP",
           "externalIPs", "externalTrafficPolicy", "healthCheckNodePort")  # fmt: skip
_TOLD = {
    "type": "Type",
    "loadBalancerSourceRanges": "LoadBalancerSourceRanges",
    "loadBalancerIP": "LoadbalancerIP",
    "externalTrafficPolicy": "ExternalTrafficPolicy",
    "healthCheckNodePort": "HealthCheckNodePort",
}


class _Made(NamedTuple):
    """A load balancer as it was last brought about."""

    service: Object
    hosts: frozenset[str]


class ServiceController:
    account = component = "service-controller"

    def __init__(self, context: Context):
        self._client: Client = context.client
        self._events = context.events
        self._cloud: LoadBalancers | None = context.options.cloud
        self._made: dict[str, _Made] = {}
        self._hosts: frozenset[str] | None = None
        self._services = context.informers.of("services")
        self._nodes = context.informers.of("nodes")
        limiter: RateLimiter[str] = RateLimiter(context.loop, MIN_RETRY, MAX_RETRY)
        informers = (self._services, self._nodes)
        self._controller = Controller(context.loop, "service-lb-controller", self.reconcile, informers, limiter)
        self._services.add_handler(self._added, self._updated, self._controller.add_object)
        self._nodes.add_handler(self._nodes_changed, self._node_updated, self._nodes_changed)

    def start(self) -> None:
        if self._cloud is not None:
            self._controller.start()

    def stop(self) -> None:
        self._controller.stop()

    def reconcile(self, key: str) -> None:
        assert self._cloud is not None
        service, made = self._services.get(key), self._made.get(key)
        if made is not None and (service is None or service["metadata"]["uid"] != made.service["metadata"]["uid"]):
            self._delete_for_gone(key, made.service, self._cloud)
            made = None
        if service is None:
            return
        try:
            if not _wants(service) or is_terminating(service):
                if made is not None or FINALIZER in _finalizers(service):
                    self._release(key, service, self._cloud)
            elif made is None or _basis(made.service) != _basis(service) or FINALIZER not in _finalizers(service):
                self._ensure(key, service, self._cloud)
            elif made.hosts != self._ready_hosts():
                self._update_hosts(key, service, self._cloud)
        except (StatusError, OSError) as problem:
            self._tell(service, WARNING, "SyncLoadBalancerFailed", f"Error syncing load balancer: {problem}")
            raise

    def _ensure(self, key: str, service: Object, cloud: LoadBalancers) -> None:
        self._tell(service, NORMAL, "EnsuringLoadBalancer", "Ensuring load balancer")
        if FINALIZER not in _finalizers(service):
            self._patch(service, {"metadata": {"finalizers": [FINALIZER]}})
        hosts = self._ready_hosts()
        if not hosts:
            self._tell_unavailable(service)
        try:
            status = cloud.ensure(service, hosts)
        except CloudError as why:
            raise CloudError(f"failed to ensure load balancer: {why}") from None
        self._tell(service, NORMAL, "EnsuredLoadBalancer", "Ensured load balancer")
        self._set_status(service, status)
        self._made[key] = _Made(service, hosts)  # last: until then all of it is tried again

    def _release(self, key: str, service: Object, cloud: LoadBalancers) -> None:
        """Of a Service that ends or wants no load balancer any more; then the finalizer lets it go."""
        try:
            exists = cloud.status(service) is not None
            if exists:
                self._tell(service, NORMAL, "DeletingLoadBalancer", "Deleting load balancer")
                cloud.delete(service)
        except CloudError as why:
            raise CloudError(f"failed to delete load balancer: {why}") from None
        self._made.pop(key, None)
        self._set_status(service, {})
        self._tell(service, NORMAL, "DeletedLoadBalancer", "Deleted load balancer")
        if FINALIZER in _finalizers(service):  # last: until then all of it is tried again
            self._patch(service, {"metadata": {"$deleteFromPrimitiveList/finalizers": [FINALIZER]}})

    def _delete_for_gone(self, key: str, service: Object, cloud: LoadBalancers) -> None:
        """Somebody has taken the finalizer away."""
        self._tell(service, NORMAL, "DeletingLoadBalancer", "Deleting load balancer")
        try:
            cloud.delete(service)
        except CloudError as why:
            self._tell(service, WARNING, "DeleteLoadBalancerFailed", f"Error deleting load balancer: {why}")
            raise
        del self._made[key]
        self._tell(service, NORMAL, "DeletedLoadBalancer", "Deleted load balancer")

    def _update_hosts(self, key: str, service: Object, cloud: LoadBalancers) -> None:
        hosts = self._ready_hosts()
        try:
            cloud.update(service, hosts)
        except CloudError as why:
            told = f"Error updating load balancer with new hosts {sorted(hosts)}: {why}"
            self._tell(service, WARNING, "UpdateLoadBalancerFailed", told)
            self._controller.queue.add_rate_limited(key)
            return
        self._made[key] = _Made(service, hosts)
        if hosts:
            self._tell(service, NORMAL, "UpdatedLoadBalancer", "Updated load balancer with new hosts")
        else:
            self._tell_unavailable(service)

    def _set_status(self, service: Object, status: Object) -> None:
        if ((service.get("status") or {}).get("loadBalancer") or {}) != status:
            try:
                self._patch(service, {"status": {"loadBalancer": {"ingress": None, **status}}}, "status")
            except StatusError as refusal:
                if refusal.code != 404:
                    raise

    def _patch(self, service: Object, patch: Object, subresource: str = "") -> None:
        meta = service["metadata"]
        self._client.patch("services", meta["name"], patch, "strategic", meta["namespace"], subresource)

    def _tell(self, service: Object, type: str, reason: str, message: str) -> None:
        self._events.event(service, type, reason, message)

    def _tell_unavailable(self, service: Object) -> None:
        why = "There are no available nodes for LoadBalancer"
        self._tell(service, WARNING, "UnAvailableLoadBalancer", why)

    # What happens to Services and nodes

    def _added(self, service: Object) -> None:
        if _wants(service) or FINALIZER in _finalizers(service):
            self._controller.add_object(service)

    def _updated(self, old: Object, new: Object) -> None:
        ends = FINALIZER in _finalizers(new) and (is_terminating(new) or not _wants(new))
        if not ends and (_wants(old), _basis(old)) == (_wants(new), _basis(new)):
            return
        if not ends and not _wants(old) and not _wants(new):
            return
        for field, reason in _TOLD.items():
            before, after = old["spec"].get(field), new["spec"].get(field)
            if before != after:
                self._tell(new, NORMAL, reason, f"{_shown(before)} -> {_shown(after)}")
        self._controller.add_object(new)

    def _node_updated(self, old: Object, new: Object) -> None:
        if _takes_part(old) != _takes_part(new):
            self._nodes_changed(new)

    def _nodes_changed(self, _: Object) -> None:
        self._hosts = None
        for key in self._made:
            self._controller.add(key)

    def _ready_hosts(self) -> frozenset[str]:
        if self._hosts is None:
            nodes = self._nodes.items.values()
            self._hosts = frozenset(key_of(node) for node in nodes if _takes_part(node))
        return self._hosts


def _takes_part(node: Object) -> bool:
    taints = node["spec"].get("taints") or () if "spec" in node else ()
    excluded = EXCLUDED in labels_of(node) or any(taint.get("key") == TO_BE_DELETED for taint in taints)
    return not excluded and not is_terminating(node)


def _wants(service: Object) -> bool:
    """Not one of another class: that is somebody else's to make."""
    return service["spec"].get("type") == "LoadBalancer" and "loadBalancerClass" not in service["spec"]


def _finalizers(service: Object) -> list[str]:
    return service["metadata"].get("finalizers") or []


def _basis(service: Object) -> tuple[Any, ...]:
    return (*(service["spec"].get(field) for field in _FIELDS), annotations_of(service))


def _shown(value: Any) -> str:
    return f"[{' '.join(value)}]" if isinstance(value, list) else str(value if value is not None else "")
