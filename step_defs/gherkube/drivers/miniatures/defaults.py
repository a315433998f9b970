"""Faults that features/api/defaults.feature must catch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from refkube.api import defaults, schema
from refkube.api.defaults import pod
from refkube.api.kinds import Kind
from refkube.apimachinery.meta import Object, name_of, with_metadata
from refkube.apimachinery.rest import Request
from refkube.apiserver.pipeline import Pipeline
from refkube.registry.strategy import NamespaceStrategy

from gherkube.drivers.miniatures import Miniature, miniature
from gherkube.values import put

Original = Callable[..., Any]

SMALL = ("Secret", "PersistentVolumeClaim", "PersistentVolume", "StorageClass", "PriorityClass", "CronJob")
READ_BACK = ("defaults.01", "defaults.04", "defaults.05")


@miniature("A Pod's defaults are left to its kubelet.", caught_by=READ_BACK, instead_of=pod.default_pod)
def leaves_defaults_to_the_kubelet(original: Original, obj: Object) -> Object:
    return obj


def pulled(name: str, fault: str, caught_by: str | tuple[str, ...], policy: Callable[[str], str]) -> Miniature:
    """A server that decides in another way how an image is pulled."""

    def differs(original: Original, container: Object) -> Object:
        return original({"imagePullPolicy": policy(container["image"]), **container})

    differs.__name__ = name
    return miniature(fault, caught_by=caught_by, instead_of=pod._container)(differs)


pulled(
    "pulls_what_is_not_there",
    "Every image is pulled if it is not there.",
    ("defaults.02#1", "defaults.02#2", "defaults.02#4"),
    lambda image: "IfNotPresent",
)
pulled("pulls_always", "Every image is pulled always.", "defaults.02#3", lambda image: "Always")
pulled(
    "takes_a_port_for_a_tag",
    "What follows a colon is a tag.",
    "defaults.02#4",
    lambda image: "IfNotPresent" if ":" in image else "Always",
)


@miniature("Limits request nothing.", caught_by="defaults.03", instead_of=pod._requesting)
def requests_nothing_for_limits(original: Original, container: Object) -> Object:
    return container


@miniature("A Pod is always restarted, whatever it says.", caught_by="defaults.06", instead_of=pod.default_pod)
def restarts_every_pod(original: Original, obj: Object) -> Object:
    return put(original(obj), "spec.restartPolicy", "Always")


def defaulted(name: str, fault: str, caught_by: str, kind: str, path: str, value: Any, unless: str = "") -> Miniature:
    """A server with another default for one field of a kind; `unless` the object says something there."""

    def differs(original: Original, group: str, of: str, obj: Object) -> Object:
        told = (obj.get("spec") or {}).get(unless) if unless else None
        return original(group, of, put(obj, path, value) if of == kind and told is None else obj)

    differs.__name__ = name
    return miniature(fault, caught_by=caught_by, instead_of=defaults.default)(differs)


defaulted(
    "replaces_all_at_once",
    "A Deployment replaces all its Pods at once.",
    "defaults.07",
    "Deployment",
    "spec.strategy",
    {"rollingUpdate": {"maxUnavailable": "100%"}},
    "strategy",
)
defaulted(
    "gives_every_deployment_a_rolling_update",
    "Every Deployment gets a rolling update.",
    "defaults.08",
    "Deployment",
    "spec.strategy.rollingUpdate",
    {"maxSurge": "25%", "maxUnavailable": "25%"},
)
defaulted(
    "makes_members_at_once",
    "Members of a StatefulSet come all at once.",
    "defaults.09",
    "StatefulSet",
    "spec.podManagementPolicy",
    "Parallel",
    "podManagementPolicy",
)
defaulted(
    "surges_on_every_node",
    "A DaemonSet surges by one Pod.",
    "defaults.10",
    "DaemonSet",
    "spec.updateStrategy",
    {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
    "updateStrategy",
)
defaulted(
    "never_tries_again", "A Job is not tried again.", "defaults.11", "Job", "spec.backoffLimit", 0, "backoffLimit"
)
defaulted(
    "sends_services_to_port_8080",
    "Traffic goes to port 8080.",
    "defaults.13",
    "Service",
    "spec.ports[0].targetPort",
    8080,
)
defaulted(
    "keeps_clients_for_a_second",
    "Clients stay for a second.",
    "defaults.14",
    "Service",
    "spec.sessionAffinityConfig",
    {"clientIP": {"timeoutSeconds": 1}},
)
defaulted(
    "restricts_only_what_comes_in",
    "A NetworkPolicy restricts only what comes in.",
    "defaults.18",
    "NetworkPolicy",
    "spec.policyTypes",
    ["Ingress"],
    "policyTypes",
)


@miniature("A ReplicationController must say what it selects.", caught_by="defaults.12", instead_of=defaults.default)
def does_not_default_selectors(original: Original, group: str, kind: str, obj: Object) -> Object:
    made = original(group, kind, obj)
    bare = kind == "ReplicationController" and not obj["spec"].get("selector")
    return {**made, "spec": {**made["spec"], "selector": {}}} if bare else made


@miniature(
    "Small kinds get no defaults.",
    caught_by=(*(f"defaults.15#{n}" for n in range(1, 9)), "defaults.17"),
    instead_of=defaults.default,
)
def does_not_default_small_kinds(original: Original, group: str, kind: str, obj: Object) -> Object:
    spared = name_of(obj) == "standard"  # the cluster's own StorageClass
    return obj if kind in (*SMALL, "LimitRange") and not spared else original(group, kind, obj)


@miniature(
    "A Namespace is stored as it was given.",
    caught_by=("defaults.15#9", "defaults.15#10"),
    instead_of=NamespaceStrategy.prepare_for_create,
)
def prepares_no_namespace(original: Original, self: NamespaceStrategy, obj: Object) -> Object:
    return with_metadata({**obj, "status": {"phase": "Active"}}, labels=None)


@miniature("What is given to a Secret as text is lost.", caught_by="defaults.16", instead_of=defaults.default)
def loses_text_of_secrets(original: Original, group: str, kind: str, obj: Object) -> Object:
    given = {key: value for key, value in obj.items() if key != "stringData"} if kind == "Secret" else obj
    return original(group, kind, given)


@miniature("An update gets no defaults.", caught_by="defaults.19", instead_of=Pipeline._decode)
def fills_nothing_into_updates(
    original: Original, self: Pipeline, body: Any, request: Request, kind: Kind, *rest: Any, **how: Any
) -> Object:
    return original(self, body, request, kind, *rest, **{**how, "default": request.verb != "update"})


@miniature(
    "What is empty is kept as it was said.",
    caught_by=("defaults.20", "defaults.22", "defaults.23"),
    instead_of=schema.decode,
)
def keeps_what_is_empty(original: Original, obj: Any, kind: Kind) -> Any:
    return schema.decode_applied(obj, kind)


@miniature("Whatever is empty is left out.", caught_by="defaults.21", instead_of=schema.decode)
def leaves_out_all_that_is_empty(original: Original, obj: Any, kind: Kind) -> Any:
    return original(_filled(obj), kind)


def _filled(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _filled(part) for key, part in value.items() if part not in (0, "", {}, [])}
