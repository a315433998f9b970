"""Faults that features/api/subresources.feature must catch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from refkube.api.kinds import by_resource
from refkube.api.validation import pod
from refkube.apimachinery import errors
from refkube.apimachinery.meta import Object, get_path, with_metadata
from refkube.apimachinery.rest import Request
from refkube.apiserver import http
from refkube.registry import strategy
from refkube.registry.storage import Storage, Write, without_version
from refkube.registry.strategy import DeploymentStrategy, NamespaceStrategy, PodStrategy, Strategy, replaced
from refkube.registry.subresources import SUCCESS, Binding, Eviction, Scale, TokenRequest, _spares_unready

from gherkube.drivers.miniatures import miniature

Original = Callable[..., Any]


@miniature(
    "Writing the status writes the whole object.",
    caught_by=("subresources.01", "subresources.04"),
    instead_of=Strategy._prepare_for_status,
)
def writes_all_with_the_status(original: Original, self: Strategy, new: Object, old: Object) -> Any:
    return new


@miniature("Writing the object writes its status.", caught_by="subresources.02", instead_of=Strategy.prepare_for_update)
def writes_the_status_with_all(original: Original, self: Strategy, new: Object, old: Object, subresource: str) -> Any:
    return replaced(original(self, new, old, subresource), new, "status")


@miniature("A creator says the status.", caught_by="subresources.03", instead_of=Strategy.prepare_for_create)
def creates_with_status(original: Original, self: Strategy, obj: Object) -> Any:
    return replaced(original(self, obj), obj, "status")


@miniature("A status of any version is written.", caught_by="subresources.05", instead_of=Storage.update)
def writes_stale_status(
    original: Original, self: Storage, namespace: str, name: str, transform: Any, write: Write, **more: Any
) -> Any:
    latest = (lambda old: without_version(transform(old))) if write.subresource else transform
    return original(self, namespace, name, latest, write, **more)


@miniature(
    "The generation never rises.",
    caught_by=("subresources.06#1", "subresources.09"),
    instead_of=Strategy.is_new_generation,
)
def counts_no_generations(original: Original, self: Strategy, new: Object, old: Object) -> bool:
    return False


@miniature(
    "A Deployment's annotations are no part of what is wanted.",
    caught_by="subresources.41",
    instead_of=DeploymentStrategy.is_new_generation,
)
def counts_no_annotations(original: Original, self: DeploymentStrategy, new: Object, old: Object) -> bool:
    return Strategy.is_new_generation(self, new, old)


@miniature(
    "The generation rises with every update.", caught_by="subresources.06#2", instead_of=Strategy.is_new_generation
)
def counts_every_update(original: Original, self: Strategy, new: Object, old: Object) -> bool:
    return True


@miniature(
    "The generation rises with the status.", caught_by="subresources.06#3", instead_of=Strategy.prepare_for_update
)
def counts_every_status(original: Original, self: Strategy, new: Object, old: Object, subresource: str) -> Any:
    made = original(self, new, old, subresource)
    return with_metadata(made, generation=old["metadata"].get("generation", 0) + 1) if subresource else made


@miniature("An unknown part is the whole.", caught_by="subresources.07", instead_of=http.route_of)
def takes_unknown_parts_for_the_whole(original: Original, path: str) -> Any:
    route = original(path)
    kind = by_resource(route.group, route.version, route.resource) if route else None
    unknown = kind is not None and route.subresource not in kind.subresources
    return replace(route, subresource="") if unknown else route


@miniature("A scale has no selector.", caught_by="subresources.08", instead_of=Scale._scale_of)
def leaves_out_the_selector(original: Original, self: Scale, obj: Object) -> Any:
    scale = original(self, obj)
    return {**scale, "status": {"replicas": scale["status"]["replicas"]}}


@miniature("A negative scale counts as none.", caught_by="subresources.10", instead_of=Scale.write)
def scales_below_nought(
    original: Original, self: Scale, storage: Storage, request: Request, obj: Object, *rest: Any
) -> Any:
    replicas = max(0, get_path(obj, "spec", "replicas", default=0))
    return original(self, storage, request, {**obj, "spec": {"replicas": replicas}}, *rest)


@miniature("A scale of any version is written.", caught_by="subresources.11", instead_of=Scale.write)
def writes_stale_scales(
    original: Original, self: Scale, storage: Storage, request: Request, obj: Object, *rest: Any
) -> Any:
    return original(self, storage, request, without_version(obj), *rest)


@miniature("A bound Pod does not count as scheduled.", caught_by="subresources.12", instead_of=Binding._scheduled)
def tells_no_scheduling(original: Original, self: Binding, pod: Object) -> Any:
    return pod.get("status") or {}


@miniature(
    "Every Pod can be bound.",
    caught_by=("subresources.13", "subresources.14", "subresources.15"),
    instead_of=Binding._refuse_unbindable,
)
def binds_every_pod(original: Original, self: Binding, pod: Object, binding: Object, name: str) -> None:
    return None


@miniature("A binding without a node binds to one.", caught_by="subresources.16", instead_of=Binding.write)
def binds_to_some_node(
    original: Original, self: Binding, storage: Storage, request: Request, obj: Object, *rest: Any
) -> Any:
    target = {**obj["target"], "name": obj["target"].get("name") or "default"}
    return original(self, storage, request, {**obj, "target": target}, *rest)


@miniature("Binding what is not there succeeds.", caught_by="subresources.17", instead_of=Binding.write)
def binds_what_is_gone(original: Original, self: Binding, *rest: Any) -> Any:
    return _or_success(original, self, *rest)


@miniature("An update can give a Pod its node.", caught_by="subresources.18", instead_of=Strategy.validate_update)
def binds_by_update(original: Original, self: Strategy, new: Object, old: Object, subresource: str) -> Any:
    return [one for one in original(self, new, old, subresource) if one.field != "spec"]


@miniature(
    "An eviction is acknowledged and forgotten.",
    caught_by=("subresources.19", "subresources.21", "subresources.22", "subresources.23"),
    instead_of=Eviction.write,
)
def forgets_evictions(original: Original, self: Eviction, *rest: Any) -> Any:
    return SUCCESS


@miniature("No budget is asked.", caught_by=("subresources.20", "subresources.21"), instead_of=Eviction._spend)
def asks_no_budget(original: Original, self: Eviction, pod: Object, write: Write) -> None:
    return None


@miniature("Budgets spare Pods that do not run.", caught_by="subresources.22", instead_of=Eviction.write)
def spares_what_does_not_run(
    original: Original, self: Eviction, storage: Storage, request: Request, obj: Object, write: Write
) -> Any:
    self._spend(storage.get(request.namespace, request.name).value, write)
    return original(self, storage, request, obj, write)


@miniature("What a budget says of unready Pods is ignored.", caught_by="subresources.23", instead_of=_spares_unready)
def holds_unready_pods(original: Original, budget: Object, pod: Object) -> bool:
    return False


@miniature("Evicting what is not there succeeds.", caught_by="subresources.24", instead_of=Eviction.write)
def evicts_what_is_gone(original: Original, self: Eviction, *rest: Any) -> Any:
    return _or_success(original, self, *rest)


@miniature("Every token is for the API server.", caught_by="subresources.25", instead_of=TokenRequest.write)
def gives_tokens_for_itself(
    original: Original, self: TokenRequest, storage: Storage, request: Request, obj: Object, *rest: Any
) -> Any:
    return original(self, storage, request, {**obj, "spec": {**obj["spec"], "audiences": []}}, *rest)


@miniature("A token's time is brought within its bounds.", caught_by="subresources.26", instead_of=TokenRequest.write)
def bounds_the_time_of_tokens(
    original: Original, self: TokenRequest, storage: Storage, request: Request, obj: Object, *rest: Any
) -> Any:
    seconds = min(max(obj["spec"]["expirationSeconds"], self.SHORTEST), self.LONGEST)
    return original(self, storage, request, {**obj, "spec": {**obj["spec"], "expirationSeconds": seconds}}, *rest)


@miniature(
    "What a token is bound to is not looked for.",
    caught_by=("subresources.27", "subresources.28"),
    instead_of=TokenRequest._bound_object,
)
def binds_tokens_to_anything(original: Original, self: TokenRequest, *rest: Any) -> None:
    return None


@miniature("Accounts that are not there have tokens.", caught_by="subresources.29", instead_of=TokenRequest.write)
def makes_up_accounts(original: Original, self: TokenRequest, *rest: Any) -> Any:
    return _or_success(original, self, *rest)


@miniature(
    "A Namespace's finalizers are never written.",
    caught_by="subresources.30",
    instead_of=NamespaceStrategy.prepare_for_update,
)
def keeps_namespace_finalizers(
    original: Original, self: NamespaceStrategy, new: Object, old: Object, subresource: str
) -> Any:
    return replaced(original(self, new, old, subresource), old, "spec")


@miniature(
    "An update of a Namespace writes its finalizers.",
    caught_by="subresources.31",
    instead_of=NamespaceStrategy.prepare_for_update,
)
def updates_namespace_finalizers(
    original: Original, self: NamespaceStrategy, new: Object, old: Object, subresource: str
) -> Any:
    return replaced(original(self, new, old, subresource), new, "spec")


@miniature(
    "Adding an ephemeral container writes the whole Pod.",
    caught_by="subresources.32",
    instead_of=PodStrategy.prepare_for_update,
)
def adds_with_all_else(original: Original, self: PodStrategy, new: Object, old: Object, subresource: str) -> Any:
    made = original(self, new, old, subresource)
    return {**made, "metadata": new["metadata"]} if subresource == "ephemeralcontainers" else made


@miniature(
    "Ephemeral containers come and go.",
    caught_by="subresources.33",
    instead_of=pod.validate_pod_ephemeral_containers_update,
)
def lets_ephemeral_containers_go(original: Original, new: Object, old: Object) -> Any:
    return [one for one in original(new, old) if one.field != "spec.ephemeralContainers"]


@miniature("A Pod may be born with ephemeral containers.", caught_by="subresources.34", instead_of=Strategy.validate)
def creates_with_ephemeral_containers(original: Original, self: Strategy, obj: Object) -> Any:
    return [one for one in original(self, obj) if one.field != "spec.ephemeralContainers"]


@miniature(
    "An update may add containers and change sizes.",
    caught_by=("subresources.35", "subresources.40"),
    instead_of=PodStrategy.validate_update,
)
def updates_all_of_a_pod(original: Original, self: PodStrategy, new: Object, old: Object, subresource: str) -> Any:
    found = original(self, new, old, subresource)
    return found if subresource else [one for one in found if one.field != "spec"]


@miniature("A resize of a Pod is a change of it.", caught_by="subresources.36", instead_of=strategy._resized)
def resizes_with_all_else(original: Original, old: Object, new: Object) -> Any:
    return new


@miniature(
    "A resize may change any resource, and the quality of service.",
    caught_by=("subresources.37", "subresources.38"),
    instead_of=pod.validate_pod_resize,
)
def resizes_anything(original: Original, new: Object, old: Object) -> Any:
    return []


@miniature(
    "A container that is not resized is left as it is.", caught_by="subresources.39", instead_of=strategy._resized
)
def keeps_containers_that_are_left_out(original: Original, old: Object, new: Object) -> Any:
    named = {container["name"] for container in new["containers"]}
    kept = [container for container in old["containers"] if container["name"] not in named]
    return original(old, {**new, "containers": [*new["containers"], *kept]})


def _or_success(original: Original, *rest: Any) -> Any:
    try:
        return original(*rest)
    except errors.StatusError as refusal:
        if refusal.reason != "NotFound":
            raise
        return SUCCESS
