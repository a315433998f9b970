"""Validation of what limits and allows: quotas, limit ranges, disruption budgets, autoscalers, networking, RBAC.

A HorizontalPodAutoscaler is validated in the form of autoscaling/v2, the one that is stored.
Facts: kubernetes/pkg/apis/core/validation, pkg/apis/{policy,autoscaling,networking,rbac}/validation.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

from refkube.api.validation import common
from refkube.api.validation.common import (
    CIDR,
    CONTAINER_RESOURCE,
    QUOTA_RESOURCE,
    RESOURCE,
    is_quota_resource,
    overcommit_allowed,
    quantity,
    quantity_faults,
)  # fmt: skip
from refkube.api.validation.rules import Errors, below, rules, tables, text, told
from refkube.apimachinery import names
from refkube.apimachinery.errors import FieldError, field_forbidden, invalid, not_supported, required
from refkube.apimachinery.meta import Object, annotations_of

RBAC = "rbac.authorization.k8s.io"
INGRESS_CLASS = "kubernetes.io/ingress.class"

# Limit ranges

LIMIT_TYPES = ("Container", "PersistentVolumeClaim", "Pod")
_SIDES = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")
_ORDER = (
    # what must not exceed what; the field that is told, with whose value; how the two are called
    ("min", "max", "min", "min", "min value", "max value"),
    ("min", "defaultRequest", "defaultRequest", "defaultRequest", "min value", "default request value"),
    ("defaultRequest", "max", "defaultRequest", "defaultRequest", "default request value", "max value"),
    ("defaultRequest", "default", "defaultRequest", "defaultRequest", "default request value", "default limit value"),
    ("min", "default", "default", "min", "min value", "default value"),
    ("default", "max", "default", "max", "default value", "max value"),
)


def _limit(limit: Object, *_: object) -> Errors:
    kind = limit.get("type", "")
    name_check = CONTAINER_RESOURCE if kind in ("Pod", "Container") else RESOURCE
    sides = {}
    for side in _SIDES:
        sides[side] = limit.get(side) or {}
        if kind == "Pod" and side.startswith("default"):
            why = "may not be specified when `type` is 'Pod'"
            yield from told((sides[side], field_forbidden, f".{side}", why))
            sides[side] = {}
        for name in sides[side]:
            yield from below(f".{side}[{name}]", name_check(name))
    if kind == "PersistentVolumeClaim" and "storage" not in sides["min"] and "storage" not in sides["max"]:
        yield required(".limits", "either minimum or maximum storage value is required, but neither was provided")
    for name in dict.fromkeys(name for side in sides.values() for name in side):
        yield from _limits_of(name, {side: quantity(given[name]) for side, given in sides.items() if name in given})


def _limits_of(name: str, given: Mapping[str, Any]) -> Errors:
    for less, more, place, shown, first, second in _ORDER:
        if less in given and more in given and given[less] > given[more]:
            why = f"{first} {given[less]} is greater than {second} {given[more]}"
            yield invalid(f".{place}[{name}]", str(given[shown]), why)
    ratio, here = given.get("maxLimitRequestRatio"), f".maxLimitRequestRatio[{name}]"
    if ratio is not None and ratio < quantity(1):
        yield invalid(here, str(ratio), f"ratio {ratio} is less than 1")
    if ratio is not None and given.get("min") and "max" in given:
        most = given["max"].milli_value() / given["min"].milli_value()
        if ratio.milli_value() / 1000 > most:
            yield invalid(here, str(ratio), f"ratio {ratio} is greater than max/min = {most:f}")
    default, request = given.get("default"), given.get("defaultRequest")
    if not overcommit_allowed(name) and None not in (default, request) and default != request:
        why = f"default value {default} must equal to defaultRequest value {request} in {name}"
        yield invalid(f".defaultRequest[{name}]", str(request), why)


@text
def limit_type(kind: str) -> list[str]:
    standard = "/" in kind or kind in LIMIT_TYPES
    return names.is_qualified_name(kind) or ([] if standard else ["must be a standard limit type or fully qualified"])


# Quotas

POD_RESOURCES = ("pods", *(p + name for p in ("", "requests.", "limits.") for name in ("cpu", "memory")))
SCOPE_RESOURCES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("Terminating", "NotTerminating", "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity"), POD_RESOURCES
    ),
    "BestEffort": ("pods",),
    "VolumeAttributesClass": ("persistentvolumeclaims", "requests.storage"),
}
"""Which of the standard resources a quota may count under a scope."""
EXISTS_ONLY = ("BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "CrossNamespacePodAffinity")


def _scopes(spec: Object, *_: object) -> Errors:
    scopes, selector = spec.get("scopes") or [], spec.get("scopeSelector") or {}
    for scope in scopes:
        yield from told((scope not in SCOPE_RESOURCES, invalid, ".scopes", scopes, "unsupported scope"))
        yield from _out_of_scope(scope, spec, ".scopes", scopes)
    path, expressions = ".scopeSelector.matchExpressions", selector.get("matchExpressions") or ()
    for expression in expressions:
        yield from below(path, TABLES["UnknownScope"](expression))
        yield from _out_of_scope(expression.get("scopeName"), spec, path, selector)
        yield from below(path, TABLES["ScopeExpression"](expression))
    for where, named in ((".scopes", set(scopes)), (path, {e.get("scopeName") for e in expressions})):
        for pair in ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"}):
            yield from told((named >= pair, invalid, where, scopes, "conflicting scopes"))


def _out_of_scope(scope: str, spec: Object, path: str, shown: Any) -> Errors:
    counted = SCOPE_RESOURCES.get(scope)
    for name in spec.get("hard") or () if counted else ():
        if is_quota_resource(name) and name not in (counted or ()):
            yield invalid(path, shown, "unsupported scope applied to resource")


# Autoscalers


_METRICS = {
    "ContainerResource": "containerResource", "External": "external", "Object": "object", "Pods": "pods",
    "Resource": "resource",
}  # fmt: skip


def _one_metric(metric: Object, *_: object) -> Errors:
    kind = metric.get("type", "")
    if kind not in _METRICS:
        yield not_supported(".type", kind, _METRICS)
        return
    for other in _METRICS.values():
        if other != _METRICS[kind] and other in metric:
            yield field_forbidden(f".{other}", "must populate the given metric source only")
    if _METRICS[kind] in metric:
        yield from below(f".{_METRICS[kind]}", TABLES[f"metric {kind}"](metric[_METRICS[kind]]))
    else:
        yield required(f".{_METRICS[kind]}", "must populate information for the given metric source")


# Networking


def _one_block(hole: str, block: Object, *_: object) -> list[FieldError]:
    """A network that is left out of a block, both of them right, must be a part of it."""
    if CIDR(hole) or not block.get("cidr") or CIDR(block["cidr"]):
        return []
    whole, part = ip_network(block["cidr"]), ip_network(hole)
    outside: bool = part == whole or part.version != whole.version or not part.subnet_of(whole)  # type: ignore[arg-type]
    return told((outside, invalid, "", hole, "must be a strict subset of `cidr`"))


@text
def literal_path(path: str) -> list[str]:
    inside = [f"must not contain '{part}'" for part in ("//", "/./", "/../", "%2f", "%2F") if part in path]
    return inside + [f"cannot end with '{end}'" for end in ("/..", "/.") if path.endswith(end)]


def _one_class(ingress: Object, *_: object) -> list[FieldError]:
    named = annotations_of(ingress).get(INGRESS_CLASS)
    both = named is not None and "ingressClassName" in (ingress.get("spec") or ())
    why = "can not be set when the class field is also set"
    return told((both, invalid, f"annotations.{INGRESS_CLASS}", named, why))


def _hard(amount: Any, name: str, *_: object) -> list[FieldError]:
    return [*QUOTA_RESOURCE(name), *quantity_faults(amount, name)]


TABLES = tables(r"""
/LimitRange
  spec.limits[]
    type                default "" limit_type
    type                default "" unique
    .                   limit

/ResourceQuota
  spec.hard{}           hard
  status.hard{}, status.used{}  hard
  spec                  scopes
/ResourceQuota update
  spec.scopes           always invalid (v or []) if set(v or ()) != set(w or ()) -- field is immutable
/ResourceQuota status
  status.hard{}, status.used{}  hard

UnknownScope
  scopeName             always invalid if v not in SCOPE_RESOURCES -- unsupported scope

ScopeExpression
  operator              always invalid if scopeName in EXISTS_ONLY and v != "Exists" \
                        -- must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, \
                        ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, \
                        ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity
  values                required if operator in ("In", "NotIn") \
                        -- must be at least one value when `operator` is 'In' or 'NotIn' for scope selector
  values                invalid if operator in ("Exists", "DoesNotExist") \
                        -- must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector
  operator  always invalid if v not in ("In", "NotIn", "Exists", "DoesNotExist") -- not a valid selector operator

policy/PodDisruptionBudget
  spec
    .  invalid if minAvailable? and maxUnavailable? -- minAvailable and maxUnavailable cannot be both set
    minAvailable, maxUnavailable  given INT_OR_PERCENT
    selector            SELECTOR
    unhealthyPodEvictionPolicy  in AlwaysAllow IfHealthyBudget
policy/PodDisruptionBudget status
  status
    disruptionsAllowed, currentHealthy, desiredHealthy, expectedPods  >= 0

autoscaling/HorizontalPodAutoscaler
  spec                  default NOTHING
    minReplicas         given >= 1 -- must be greater than or equal to 1
    maxReplicas         default 0 >= 1 -- must be greater than 0
    maxReplicas  default 0 invalid if minReplicas? and v < minReplicas -- must be greater than or equal to `minReplicas`
    scaleTargetRef      default NOTHING Reference
    metrics[]           one_metric
    behavior
      scaleUp, scaleDown  given
        stabilizationWindowSeconds  given >= 0 -- must be greater than or equal to zero
        stabilizationWindowSeconds  given <= 3600 -- must be less than or equal to 3600
        selectPolicy    in Disabled Max Min
        policies        required -- must specify at least one Policy
        policies[]
          type          default "" in Percent Pods
          value         default 0 > 0 -- must be greater than zero
          periodSeconds  default 0 > 0 -- must be greater than zero
          periodSeconds  default 0 <= 1800 -- must be less than or equal to 1800
autoscaling/HorizontalPodAutoscaler status
  status
    currentReplicas, desiredReplicas  >= 0

metric ContainerResource
  name                  required CONTAINER_RESOURCE -- must specify a resource name
  container             required -- must specify a container
  target                default NOTHING RawTarget
metric External
  metric.name           required -- must specify a metric name
  target                default NOTHING Target
  target.averageValue   present if not target.value? -- must set either a target value for metric or a per-pod target
  target.value          given forbidden if target.averageValue? \
                        -- may not set both a target value for metric and a per-pod target
metric Object
  metric.name           required -- must specify a metric name
  describedObject       default NOTHING Reference
  target                default NOTHING Target
  target.averageValue   present if not target.value? -- must set either a target value or averageValue
metric Pods
  metric.name           required -- must specify a metric name
  target                default NOTHING Target
  target.averageValue   present -- must specify a positive target averageValue
metric Resource
  name                  required CONTAINER_RESOURCE -- must specify a resource name
  target                default NOTHING RawTarget

RawTarget
  .                     Target
  averageUtilization    present if not averageValue? -- must set either a target raw value or a target utilization
  averageValue  given forbidden if averageUtilization? -- may not set both a target raw value and a target utilization

Target
  type                  required -- must specify a metric target type
  type                  invalid if v not in ("Utilization", "Value", "AverageValue") \
                        -- must be either Utilization, Value, or AverageValue
  value, averageValue   given invalid if quantity(v).sign <= 0 -- must be positive
  averageUtilization    given >= 1 -- must be greater than 0

networking.k8s.io/NetworkPolicy
  spec
    podSelector         SELECTOR
    ingress[]
      ports[]           PolicyPort
      from[]            Peer
    egress[]
      ports[]           PolicyPort
      to[]              Peer
    policyTypes         invalid if len(v) > 2 -- may not specify more than two policyTypes
    else policyTypes[]  in Ingress Egress

PolicyPort
  protocol              in PROTOCOLS
  port                  given PORT
  endPort               given invalid if not port? -- may not be specified when `port` is not specified
  else endPort          given invalid if isinstance(port, str) -- may not be specified when `port` is non-numeric
  endPort  given invalid port if isinstance(port, int) and v < port -- must be greater than or equal to `port`
  endPort               given PORT_NUMBER if isinstance(port, int)

Peer
  podSelector, namespaceSelector  SELECTOR
  .                     missing if not ipBlock? and not podSelector? and not namespaceSelector? -- must specify a peer
  .  forbidden if ipBlock? and (podSelector? or namespaceSelector?) -- may not specify both ipBlock and another peer
  ipBlock               given
    cidr                required CIDR
    except[]            CIDR
      .                 one_block

networking.k8s.io/IPAddress
  spec                  default NOTHING
    parentRef           present
    parentRef           given
      group             SUBDOMAIN
      resource, name    required PATH_SEGMENT
      namespace         PATH_SEGMENT
networking.k8s.io/IPAddress update
  spec.parentRef        immutable

networking.k8s.io/Ingress
  spec                  default NOTHING
    .                   invalid (rules or []) if not rules and not defaultBackend? \
                        -- either `defaultBackend` or `rules` must be specified
    defaultBackend      given Backend
    rules[]
      host              NO_IP
      host              HOST
      http              given
        paths           required
        paths[]         HttpPath
    tls[]
      hosts[.]          HOST
      secretName        SUBDOMAIN
    ingressClassName    given SUBDOMAIN
networking.k8s.io/Ingress create
  .                     one_class
networking.k8s.io/Ingress status
  status.loadBalancer.ingress[]  IngressPoint

HttpPath
  pathType              present -- pathType must be specified
  else path  default "" invalid if pathType in ("Exact", "Prefix") and not v.startswith("/") -- must be an absolute path
  path  invalid if pathType == "ImplementationSpecific" and not v.startswith("/") -- must be an absolute path
  path                  literal_path if pathType in ("Exact", "Prefix")
  pathType              given in Exact ImplementationSpecific Prefix
  backend               default NOTHING Backend if pathType?

Backend
  .                     invalid "" if service? and resource? -- cannot set both resource and service backends
  .                     invalid "" if not service? and not resource? -- resource or service backend is required
  resource              given ReasonedReference if not service?
  service               given ServiceBackend if not resource?
  .                     invalid "" if service? and not resource? and service.port.name and service.port.number \
                        -- cannot set both port name & port number
  .                     missing if service? and not resource? and not service.port.name and not service.port.number \
                        -- port name or number is required

ServiceBackend
  name                  required LABEL
  port.name             PORT_NAME if not port.number
  port.number           PORT_NUMBER if not port.name

networking.k8s.io/IngressClass
  spec                  default NOTHING
    controller          bytes 250
    controller          default "" domain_prefixed_path
    parameters          given
      .                 ReasonedReference
      scope             required in Cluster Namespace
      namespace         required if scope == "Namespace" -- `parameters.scope` is set to 'Namespace'
      namespace         given forbidden if scope == "Cluster" -- `parameters.scope` is set to 'Cluster'
networking.k8s.io/IngressClass update
  spec.controller       immutable

rbac.authorization.k8s.io/Role
  rules[]
    verbs               required -- verbs must contain at least one value
    nonResourceURLs     invalid -- namespaced rules cannot apply to non-resource URLs
    .                   PolicyRule
rbac.authorization.k8s.io/ClusterRole
  rules[]
    verbs               required -- verbs must contain at least one value
    .                   PolicyRule
  aggregationRule       given
    clusterRoleSelectors  required -- at least one clusterRoleSelector required if aggregationRule is non-nil
    clusterRoleSelectors[]  SELECTOR

PolicyRule
  nonResourceURLs       invalid if apiGroups or resources or resourceNames \
                        -- rules cannot apply to both regular resources and non-resource URLs
  apiGroups             required if not nonResourceURLs -- resource rules must supply at least one api group
  resources             required if not nonResourceURLs -- resource rules must supply at least one resource

rbac.authorization.k8s.io/RoleBinding
  roleRef               default NOTHING
    apiGroup            default "" in rbac.authorization.k8s.io
    kind                default "" in Role ClusterRole
    name                required PATH_SEGMENT
  subjects[]
    .                   Subject
    .                   ForeignSubject
rbac.authorization.k8s.io/ClusterRoleBinding
  roleRef               default NOTHING
    apiGroup            default "" in rbac.authorization.k8s.io
    kind                default "" in ClusterRole
    name                required PATH_SEGMENT
  subjects[]
    .                   Subject
    namespace           required if kind == "ServiceAccount"
    .                   ForeignSubject
rbac.authorization.k8s.io/RoleBinding update, rbac.authorization.k8s.io/ClusterRoleBinding update
  roleRef               always invalid if v != w -- cannot change roleRef

Subject
  name                  required
  name                  SUBDOMAIN if kind == "ServiceAccount"
  apiGroup              in "" if kind == "ServiceAccount"

ForeignSubject
  kind                  default "" in ServiceAccount User Group
  apiGroup              default "" in rbac.authorization.k8s.io if kind in ("User", "Group")
""", globals(), vars(common))  # fmt: skip
RULES = rules(TABLES)
