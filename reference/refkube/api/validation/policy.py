"""Validation of what limits and allows: quotas, limit ranges, disruption budgets, autoscalers, networking, RBAC.

Facts: kubernetes/pkg/apis/core/validation (LimitRange, ResourceQuota), pkg/apis/{policy,autoscaling,networking,
rbac}/validation. A HorizontalPodAutoscaler is validated in the form of autoscaling/v2, the one that is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

from refkube.api.validation.common import (
    NOTHING,
    PROTOCOLS,
    Errors,
    container_resource_name,
    domain_prefixed_path,
    each,
    int_or_percent,
    is_cidr,
    is_ip,
    is_quota_resource,
    must_have,
    non_negatives,
    one_of,
    overcommit_allowed,
    port_number_or_name,
    quantity,
    resource_name,
    resource_quantity,
    rules,
    spec_of,
    status_of,
    unchanged,
)
from refkube.api.validation.objectmeta import IMMUTABLE, Rules, name_is_dns1035_label, name_is_path_segment
from refkube.api.validation.services import load_balancer_status
from refkube.apimachinery import names
from refkube.apimachinery.errors import duplicate, field_forbidden, invalid, not_supported, required, too_long
from refkube.apimachinery.meta import Object, annotations_of
from refkube.apimachinery.selectors import validate_label_selector

RBAC = "rbac.authorization.k8s.io"
INGRESS_CLASS = "kubernetes.io/ingress.class"
LIMIT_TYPES = ("Container", "PersistentVolumeClaim", "Pod")
POD_RESOURCES = ("pods", *(p + name for p in ("", "requests.", "limits.") for name in ("cpu", "memory")))
SCOPE_RESOURCES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("Terminating", "NotTerminating", "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity"), POD_RESOURCES
    ),
    "BestEffort": ("pods",),
    "VolumeAttributesClass": ("persistentvolumeclaims", "requests.storage"),
}
"""Which of the standard resources a quota may count under a scope."""
_EXISTS_ONLY = ("BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "CrossNamespacePodAffinity")
_CONFLICTS = (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating"))


def _limit_range(limit_range: Object) -> Errors:
    seen = set()
    for index, limit in enumerate(spec_of(limit_range).get("limits") or ()):
        path, kind = f"spec.limits[{index}]", limit.get("type", "")
        faults = names.is_qualified_name(kind)
        yield from (invalid(f"{path}.type", kind, fault) for fault in faults)
        if not faults and "/" not in kind and kind not in LIMIT_TYPES:
            yield invalid(f"{path}.type", kind, "must be a standard limit type or fully qualified")
        if kind in seen:
            yield duplicate(f"{path}.type", kind)
        seen.add(kind)
        yield from _limit(limit, kind, path)


def _limit(limit: Object, kind: str, path: str) -> Errors:
    check = container_resource_name if kind in ("Pod", "Container") else resource_name
    sides = {}
    for side in ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio"):
        sides[side] = limit.get(side) or {}
        if kind == "Pod" and side.startswith("default"):
            if sides[side]:
                yield field_forbidden(f"{path}.{side}", "may not be specified when `type` is 'Pod'")
            sides[side] = {}
        for name in sides[side]:
            yield from check(name, f"{path}.{side}[{name}]")
    if kind == "PersistentVolumeClaim" and "storage" not in sides["min"] and "storage" not in sides["max"]:
        why = "either minimum or maximum storage value is required, but neither was provided"
        yield required(f"{path}.limits", why)
    for name in dict.fromkeys(name for side in sides.values() for name in side):
        yield from _limits_of(
            name, {side: quantity(amounts[name]) for side, amounts in sides.items() if name in amounts}, path
        )


_ORDER = (
    # what must not exceed what; the field that is told, with whose value; how the two are called
    ("min", "max", "min", "min", "min value", "max value"),
    ("min", "defaultRequest", "defaultRequest", "defaultRequest", "min value", "default request value"),
    ("defaultRequest", "max", "defaultRequest", "defaultRequest", "default request value", "max value"),
    ("defaultRequest", "default", "defaultRequest", "defaultRequest", "default request value", "default limit value"),
    ("min", "default", "default", "min", "min value", "default value"),
    ("default", "max", "default", "max", "default value", "max value"),
)


def _limits_of(name: str, given: Mapping[str, Any], path: str) -> Errors:
    for less, more, told, shown, first, second in _ORDER:
        if less in given and more in given and given[less] > given[more]:
            why = f"{first} {given[less]} is greater than {second} {given[more]}"
            yield invalid(f"{path}.{told}[{name}]", str(given[shown]), why)
    ratio, here = given.get("maxLimitRequestRatio"), f"{path}.maxLimitRequestRatio[{name}]"
    if ratio is not None and ratio < quantity(1):
        yield invalid(here, str(ratio), f"ratio {ratio} is less than 1")
    if ratio is not None and given.get("min") and "max" in given:
        most = given["max"].milli_value() / given["min"].milli_value()
        if ratio.milli_value() / 1000 > most:
            yield invalid(here, str(ratio), f"ratio {ratio} is greater than max/min = {most:f}")
    default, request = given.get("default"), given.get("defaultRequest")
    if not overcommit_allowed(name) and None not in (default, request) and default != request:
        why = f"default value {default} must equal to defaultRequest value {request} in {name}"
        yield invalid(f"{path}.defaultRequest[{name}]", str(request), why)


def _quota(quota: Object) -> Errors:
    spec = spec_of(quota)
    yield from _quota_list(spec.get("hard"), "spec.hard")
    yield from _quota_status(quota, quota)
    scopes, hard = spec.get("scopes") or [], spec.get("hard") or {}
    for scope in scopes:
        if scope not in SCOPE_RESOURCES:
            yield invalid("spec.scopes", scopes, "unsupported scope")
        for _ in _out_of_scope(scope, hard):
            yield invalid("spec.scopes", scopes, "unsupported scope applied to resource")
    selector = spec.get("scopeSelector")
    expressions, path = (selector or NOTHING).get("matchExpressions") or (), "spec.scopeSelector.matchExpressions"
    for expression in expressions:
        scope, operator, values = (expression.get(key) for key in ("scopeName", "operator", "values"))
        if scope not in SCOPE_RESOURCES:
            yield invalid(f"{path}.scopeName", scope, "unsupported scope")
        for _ in _out_of_scope(scope, hard):
            yield invalid(path, selector, "unsupported scope applied to resource")
        if scope in _EXISTS_ONLY and operator != "Exists":
            listed = (
                "ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, "
                "ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
            )
            yield invalid(f"{path}.operator", operator, f"must be 'Exist' when scope is any of {listed}")
        if operator in ("In", "NotIn"):
            if not values:
                why = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
                yield required(f"{path}.values", why)
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
                yield invalid(f"{path}.values", values, why)
        else:
            yield invalid(f"{path}.operator", operator, "not a valid selector operator")
    for where, named in (("spec.scopes", set(scopes)), (path, {e.get("scopeName") for e in expressions})):
        yield from (invalid(where, scopes, "conflicting scopes") for pair in _CONFLICTS if named.issuperset(pair))


def _out_of_scope(scope: str, hard: Object) -> list[str]:
    counted = SCOPE_RESOURCES.get(scope)
    return [name for name in hard if counted and is_quota_resource(name) and name not in counted]


def _quota_list(resources: Object | None, path: str) -> Errors:
    for name, amount in (resources or NOTHING).items():
        here = f"{path}[{name}]"
        yield from resource_name(name, here)
        if "/" not in name and not is_quota_resource(name):
            yield invalid(here, name, "must be a standard resource for quota")
        yield from resource_quantity(name, amount, here)


def _quota_update(new: Object, old: Object) -> Errors:
    now, before = (spec_of(quota).get("scopes") or [] for quota in (new, old))
    if set(now) != set(before):
        yield invalid("spec.scopes", now, IMMUTABLE)


def _quota_status(new: Object, _: Object) -> Errors:
    for side in ("hard", "used"):
        yield from _quota_list(status_of(new).get(side), f"status.{side}")


def _disruption_budget(budget: Object) -> Errors:
    spec = spec_of(budget)
    if "minAvailable" in spec and "maxUnavailable" in spec:
        yield invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set")
    for key in ("minAvailable", "maxUnavailable"):
        yield from int_or_percent(spec, key, "spec")
    if "selector" in spec:
        yield from validate_label_selector(spec["selector"], "spec.selector")
    yield from one_of(spec, "unhealthyPodEvictionPolicy", "spec.", ("AlwaysAllow", "IfHealthyBudget"))


def _disruption_status(new: Object, _: Object) -> Errors:
    keys = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")
    yield from non_negatives(status_of(new), "status", *keys)


_METRICS = {  # of each type: the field, and what its target must have one of
    "ContainerResource": ("containerResource", ("averageUtilization", "averageValue")),
    "External": ("external", ("averageValue", "value")),
    "Object": ("object", ("averageValue", "value")),
    "Pods": ("pods", ("averageValue",)),
    "Resource": ("resource", ("averageUtilization", "averageValue")),
}
_TARGETS = {
    "ContainerResource": "must set either a target raw value or a target utilization",
    "External": "must set either a target value for metric or a per-pod target",
    "Object": "must set either a target value or averageValue",
    "Pods": "must specify a positive target averageValue",
    "Resource": "must set either a target raw value or a target utilization",
}


def _autoscaler(autoscaler: Object) -> Errors:
    spec = spec_of(autoscaler)
    least, most = spec.get("minReplicas"), spec.get("maxReplicas", 0)
    if least is not None and least < 1:
        yield invalid("spec.minReplicas", least, "must be greater than or equal to 1")
    if most < 1:
        yield invalid("spec.maxReplicas", most, "must be greater than 0")
    if least is not None and most < least:
        yield invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`")
    yield from _object_reference(spec.get("scaleTargetRef") or NOTHING, "spec.scaleTargetRef")
    for index, metric in enumerate(spec.get("metrics") or ()):
        yield from _metric(metric, f"spec.metrics[{index}]")
    for side, scaling in (spec.get("behavior") or NOTHING).items():
        path, window = f"spec.behavior.{side}", scaling.get("stabilizationWindowSeconds")
        if window is not None and window < 0:
            yield invalid(f"{path}.stabilizationWindowSeconds", window, "must be greater than or equal to zero")
        if window is not None and window > 3600:
            yield invalid(f"{path}.stabilizationWindowSeconds", window, "must be less than or equal to 3600")
        yield from one_of(scaling, "selectPolicy", f"{path}.", ("Disabled", "Max", "Min"))
        if not scaling.get("policies"):
            yield required(f"{path}.policies", "must specify at least one Policy")
        for index, policy in enumerate(scaling.get("policies") or ()):
            here, seconds = f"{path}.policies[{index}]", policy.get("periodSeconds", 0)
            if policy.get("type") not in ("Percent", "Pods"):
                yield not_supported(f"{here}.type", policy.get("type", ""), ("Percent", "Pods"))
            for key in ("value", "periodSeconds"):
                if policy.get(key, 0) <= 0:
                    yield invalid(f"{here}.{key}", policy.get(key, 0), "must be greater than zero")
            if seconds > 1800:
                yield invalid(f"{here}.periodSeconds", seconds, "must be less than or equal to 1800")


def _object_reference(reference: Mapping[str, Any], path: str, why: bool = False) -> Errors:
    for key in ("kind", "name"):
        if reference.get(key):
            yield from each(reference[key], f"{path}.{key}", names.is_path_segment_name)
        else:
            yield required(f"{path}.{key}", f"{key} is required" if why else "")


def _metric(metric: Object, path: str) -> Errors:
    kind = metric.get("type", "")
    if kind not in _METRICS:
        yield not_supported(f"{path}.type", kind, _METRICS)
        return
    field, wanted = _METRICS[kind]
    for other, _ in _METRICS.values():
        if other != field and other in metric:
            yield field_forbidden(f"{path}.{other}", "must populate the given metric source only")
    source, path = metric.get(field), f"{path}.{field}"
    if source is None:
        yield required(path, "must populate information for the given metric source")
        return
    if field.lower().endswith("resource"):
        if source.get("name"):
            yield from container_resource_name(source["name"], f"{path}.name")
        else:
            yield required(f"{path}.name", "must specify a resource name")
        if kind == "ContainerResource" and not source.get("container"):
            yield required(f"{path}.container", "must specify a container")
    elif not (source.get("metric") or NOTHING).get("name"):
        yield required(f"{path}.metric.name", "must specify a metric name")
    if kind == "Object":
        yield from _object_reference(source.get("describedObject") or NOTHING, f"{path}.describedObject")
    target, path = source.get("target") or {}, f"{path}.target"
    if not target.get("type"):
        yield required(f"{path}.type", "must specify a metric target type")
    elif target["type"] not in ("Utilization", "Value", "AverageValue"):
        yield invalid(f"{path}.type", target["type"], "must be either Utilization, Value, or AverageValue")
    for key in ("value", "averageValue"):
        if key in target and quantity(target[key]).sign <= 0:
            yield invalid(f"{path}.{key}", target[key], "must be positive")
    if target.get("averageUtilization", 1) < 1:
        yield invalid(f"{path}.averageUtilization", target["averageUtilization"], "must be greater than 0")
    given = [key for key in wanted if key in target]
    if not given:
        yield required(f"{path}.{wanted[0]}", _TARGETS[kind])
    if len(given) > 1 and kind == "External":
        yield field_forbidden(f"{path}.value", "may not set both a target value for metric and a per-pod target")
    elif len(given) > 1 and kind != "Object":
        yield field_forbidden(f"{path}.averageValue", "may not set both a target raw value and a target utilization")


def _autoscaler_status(new: Object, _: Object) -> Errors:
    yield from non_negatives(status_of(new), "status", "currentReplicas", "desiredReplicas")


def _network_policy(policy: Object) -> Errors:
    spec = spec_of(policy)
    yield from validate_label_selector(spec.get("podSelector") or {}, "spec.podSelector")
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(direction) or ()):
            path = f"spec.{direction}[{index}]"
            for number, port in enumerate(rule.get("ports") or ()):
                yield from _policy_port(port, f"{path}.ports[{number}]")
            for number, peer in enumerate(rule.get(peers) or ()):
                yield from _peer(peer, f"{path}.{peers}[{number}]")
    types = spec.get("policyTypes") or []
    if len(types) > 2:
        yield invalid("spec.policyTypes", types, "may not specify more than two policyTypes")
        return
    for index, kind in enumerate(types):
        if kind not in ("Ingress", "Egress"):
            yield not_supported(f"spec.policyTypes[{index}]", kind, ("Ingress", "Egress"))


def _policy_port(port: Object, path: str) -> Errors:
    yield from one_of(port, "protocol", f"{path}.", PROTOCOLS)
    number, last = port.get("port"), port.get("endPort")
    if number is not None:
        yield from port_number_or_name(number, f"{path}.port")
    if last is None:
        return
    if not isinstance(number, int):
        why = "may not be specified when `port` is " + ("not specified" if number is None else "non-numeric")
        yield invalid(f"{path}.endPort", last, why)
        return
    if last < number:
        yield invalid(f"{path}.endPort", number, "must be greater than or equal to `port`")
    yield from each(last, f"{path}.endPort", names.is_valid_port_num)


def _peer(peer: Object, path: str) -> Errors:
    selectors = [key for key in ("podSelector", "namespaceSelector") if key in peer]
    for key in selectors:
        yield from validate_label_selector(peer[key], f"{path}.{key}")
    block = peer.get("ipBlock")
    if block is None:
        if not selectors:
            yield required(path, "must specify a peer")
        return
    if selectors:
        yield field_forbidden(path, "may not specify both ipBlock and another peer")
    here, cidr = f"{path}.ipBlock", block.get("cidr")
    faults = list(each(cidr, f"{here}.cidr", is_cidr)) if cidr else [required(f"{here}.cidr")]
    yield from faults
    for index, hole in enumerate(block.get("except") or ()):
        wrong = list(each(hole, f"{here}.except[{index}]", is_cidr))
        yield from wrong
        if not faults and not wrong:
            whole, part = ip_network(cidr), ip_network(hole)
            if part == whole or part.version != whole.version or not part.subnet_of(whole):  # type: ignore[arg-type]
                yield invalid(f"{here}.except[{index}]", hole, "must be a strict subset of `cidr`")


def _ingress(ingress: Object) -> Errors:
    spec = spec_of(ingress)
    listed, backend = spec.get("rules") or [], spec.get("defaultBackend")
    if not listed and backend is None:
        yield invalid("spec", listed, "either `defaultBackend` or `rules` must be specified")
    if backend is not None:
        yield from _backend(backend, "spec.defaultBackend")
    for index, rule in enumerate(listed):
        path, host = f"spec.rules[{index}]", rule.get("host")
        if host:
            if not is_ip(host):
                yield invalid(f"{path}.host", host, "must be a DNS name, not an IP address")
            yield from each(host, f"{path}.host", _host)
        if "http" not in rule:
            continue
        paths = rule["http"].get("paths") or ()
        if not paths:
            yield required(f"{path}.http.paths")
        for number, entry in enumerate(paths):
            yield from _http_path(entry, f"{path}.http.paths[{number}]")
    for index, tls in enumerate(spec.get("tls") or ()):
        for host in tls.get("hosts") or ():
            yield from each(host, f"spec.tls[{index}].hosts", _host)
        if tls.get("secretName"):
            yield from each(tls["secretName"], f"spec.tls[{index}].secretName", names.is_dns1123_subdomain)
    if "ingressClassName" in spec:
        yield from each(spec["ingressClassName"], "spec.ingressClassName", names.is_dns1123_subdomain)


def _host(host: str) -> list[str]:
    return names.is_wildcard_dns1123_subdomain(host) if "*" in host else names.is_dns1123_subdomain(host)


def _http_path(entry: Object, path: str) -> Errors:
    kind, text = entry.get("pathType"), entry.get("path", "")
    if kind is None:
        yield required(f"{path}.pathType", "pathType must be specified")
        return
    needed = kind in ("Exact", "Prefix") or (kind == "ImplementationSpecific" and text)
    if needed and not text.startswith("/"):
        yield invalid(f"{path}.path", text, "must be an absolute path")
    if kind in ("Exact", "Prefix"):
        for part in ("//", "/./", "/../", "%2f", "%2F"):
            if part in text:
                yield invalid(f"{path}.path", text, f"must not contain '{part}'")
        for end in ("/..", "/."):
            if text.endswith(end):
                yield invalid(f"{path}.path", text, f"cannot end with '{end}'")
    elif kind != "ImplementationSpecific":
        yield not_supported(f"{path}.pathType", kind, ("Exact", "ImplementationSpecific", "Prefix"))
    yield from _backend(entry.get("backend") or {}, f"{path}.backend")


def _backend(backend: Object, path: str) -> Errors:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        yield invalid(path, "", "cannot set both resource and service backends")
    elif resource is not None:
        yield from _object_reference(resource, f"{path}.resource", why=True)
    elif service is None:
        yield invalid(path, "", "resource or service backend is required")
    else:
        if service.get("name"):
            yield from each(service["name"], f"{path}.service.name", name_is_dns1035_label)
        else:
            yield required(f"{path}.service.name")
        port = service.get("port") or NOTHING
        if port.get("name") and port.get("number"):
            yield invalid(path, "", "cannot set both port name & port number")
        elif port.get("name"):
            yield from each(port["name"], f"{path}.service.port.name", names.is_valid_port_name)
        elif port.get("number"):
            yield from each(port["number"], f"{path}.service.port.number", names.is_valid_port_num)
        else:
            yield required(path, "port name or number is required")


def _new_ingress(ingress: Object) -> Errors:
    yield from _ingress(ingress)
    named = annotations_of(ingress).get(INGRESS_CLASS)
    if named is not None and "ingressClassName" in spec_of(ingress):
        yield invalid(f"annotations.{INGRESS_CLASS}", named, "can not be set when the class field is also set")


def _ingress_class(ingress_class: Object) -> Errors:
    spec = spec_of(ingress_class)
    controller = spec.get("controller", "")
    if len(controller.encode()) > 250:
        yield too_long("spec.controller", 250)
    yield from domain_prefixed_path(controller, "spec.controller")
    parameters, path = spec.get("parameters"), "spec.parameters"
    if parameters is not None:
        yield from _object_reference(parameters, path, why=True)
        yield from one_of(parameters, "scope", f"{path}.", ("Cluster", "Namespace"), must=True)
        namespace = parameters.get("namespace")
        if parameters.get("scope") == "Namespace" and not namespace:
            yield required(f"{path}.namespace", "`parameters.scope` is set to 'Namespace'")
        elif parameters.get("scope") == "Cluster" and namespace is not None:
            yield field_forbidden(f"{path}.namespace", "`parameters.scope` is set to 'Cluster'")


def _role(role: Object, namespaced: bool = True) -> Errors:
    for index, rule in enumerate(role.get("rules") or ()):
        path = f"rules[{index}]"
        urls = rule.get("nonResourceURLs") or []
        if not rule.get("verbs"):
            yield required(f"{path}.verbs", "verbs must contain at least one value")
        if urls and namespaced:
            yield invalid(f"{path}.nonResourceURLs", urls, "namespaced rules cannot apply to non-resource URLs")
        if urls and any(rule.get(key) for key in ("apiGroups", "resources", "resourceNames")):
            why = "rules cannot apply to both regular resources and non-resource URLs"
            yield invalid(f"{path}.nonResourceURLs", urls, why)
        for key, what in (("apiGroups", "api group"), ("resources", "resource")):
            if not urls and not rule.get(key):
                yield required(f"{path}.{key}", f"resource rules must supply at least one {what}")


def _cluster_role(role: Object) -> Errors:
    yield from _role(role, namespaced=False)
    if "aggregationRule" in role:
        path, selectors = "aggregationRule.clusterRoleSelectors", role["aggregationRule"].get("clusterRoleSelectors")
        if not selectors:
            yield required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil")
        for index, selector in enumerate(selectors or ()):
            yield from validate_label_selector(selector, f"{path}[{index}]")


def _role_binding(binding: Object, kinds: tuple[str, ...] = ("Role", "ClusterRole")) -> Errors:
    role, namespaced = binding.get("roleRef") or NOTHING, len(kinds) > 1
    for key, allowed in (("apiGroup", (RBAC,)), ("kind", kinds)):
        if role.get(key) not in allowed:
            yield not_supported(f"roleRef.{key}", role.get(key, ""), allowed)
    yield from must_have(role, "roleRef.", "name")
    yield from each(role.get("name", ""), "roleRef.name", names.is_path_segment_name)
    for index, subject in enumerate(binding.get("subjects") or ()):
        path, kind, group = f"subjects[{index}]", subject.get("kind", ""), subject.get("apiGroup", "")
        yield from must_have(subject, f"{path}.", "name")
        if kind == "ServiceAccount":
            if subject.get("name"):
                yield from each(subject["name"], f"{path}.name", names.is_dns1123_subdomain)
            if group:
                yield not_supported(f"{path}.apiGroup", group, ("",))
            if not namespaced and not subject.get("namespace"):
                yield required(f"{path}.namespace")
        elif kind not in ("User", "Group"):
            yield not_supported(f"{path}.kind", kind, ("ServiceAccount", "User", "Group"))
        elif group != RBAC:
            yield not_supported(f"{path}.apiGroup", group, (RBAC,))


def _binding_update(new: Object, old: Object) -> Errors:
    if new.get("roleRef") != old.get("roleRef"):
        yield invalid("roleRef", new.get("roleRef"), "cannot change roleRef")


def _cluster_binding(binding: Object) -> Errors:
    yield from _role_binding(binding, ("ClusterRole",))


RULES: dict[tuple[str, str], Rules] = {
    ("", "LimitRange"): rules(_limit_range),
    ("", "ResourceQuota"): rules(_quota, _quota_update, _quota_status),
    ("policy", "PodDisruptionBudget"): rules(_disruption_budget, None, _disruption_status),
    ("autoscaling", "HorizontalPodAutoscaler"): rules(_autoscaler, None, _autoscaler_status),
    ("networking.k8s.io", "NetworkPolicy"): rules(_network_policy),
    ("networking.k8s.io", "Ingress"): rules(
        _ingress, None, lambda new, _: load_balancer_status(status_of(new))
    )._replace(create=rules(_new_ingress).create),
    ("networking.k8s.io", "IngressClass"): rules(
        _ingress_class,
        lambda new, old: unchanged(spec_of(new), spec_of(old), "spec.", "controller"),
        namespaced=False,
    ),
    (RBAC, "Role"): rules(_role, name=name_is_path_segment),
    (RBAC, "ClusterRole"): rules(_cluster_role, namespaced=False, name=name_is_path_segment),
    (RBAC, "RoleBinding"): rules(_role_binding, _binding_update, name=name_is_path_segment),
    (RBAC, "ClusterRoleBinding"): rules(_cluster_binding, _binding_update, namespaced=False, name=name_is_path_segment),
}
