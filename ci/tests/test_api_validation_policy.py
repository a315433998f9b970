"""Every rule of what limits and allows: the change that breaks it, the path and the cause that are told."""

import pytest
from api_rows import (
    DUPLICATE,
    FORBIDDEN,
    GONE,
    INVALID,
    NOT_SUPPORTED,
    REQUIRED,
    manifest,
    merged,
    on_create,
    on_status,
    on_update,
    told,
)
from refkube.apimachinery.errors import invalid

LIMITS = manifest("""
apiVersion: v1
kind: LimitRange
spec:
  limits:
  - {type: Container, max: {cpu: "2"}, min: {cpu: 100m}, default: {cpu: "1"}, defaultRequest: {cpu: 200m}}
""")
QUOTA = manifest('{apiVersion: v1, kind: ResourceQuota, spec: {hard: {pods: "10", requests.cpu: "4"}}}')
BUDGET = manifest("{apiVersion: policy/v1, kind: PodDisruptionBudget, spec: {minAvailable: 1, selector: {}}}")
SCALER = manifest("""
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
spec:
  maxReplicas: 5
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  behavior: {scaleDown: {policies: [{type: Pods, value: 1, periodSeconds: 60}]}}
""")
NETWORK = manifest("""
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
spec:
  podSelector: {}
  ingress:
  - ports: [{port: 80, endPort: 90}]
    from: [{podSelector: {}, namespaceSelector: {}}, {ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}]
  egress: [{to: [{podSelector: {}}]}]
""")
INGRESS = manifest("""
apiVersion: networking.k8s.io/v1
kind: Ingress
spec:
  ingressClassName: nginx
  tls: [{hosts: ["*.example.com"], secretName: tls}]
  rules:
  - host: web.example.com
    http: {paths: [{path: /a, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
""")
CLASS = manifest("{apiVersion: networking.k8s.io/v1, kind: IngressClass, spec: {controller: example.com/c}}")
GROUP = "rbac.authorization.k8s.io"
RULE = '{verbs: [get], apiGroups: [""], resources: [pods]}'
ROLE = manifest(f"{{apiVersion: {GROUP}/v1, kind: Role, rules: [{RULE}]}}")
CLUSTER_ROLE = manifest(f"{{apiVersion: {GROUP}/v1, kind: ClusterRole, rules: [{RULE}]}}")
SUBJECTS = "[{kind: ServiceAccount, name: a, namespace: b}, {kind: User, name: u}]"
BINDING = manifest(f"""
{{apiVersion: {GROUP}/v1, kind: RoleBinding, roleRef: {{kind: Role, name: r}}, subjects: {SUBJECTS}}}
""")
CLUSTER_BINDING = manifest(f"""
{{apiVersion: {GROUP}/v1, kind: ClusterRoleBinding, roleRef: {{kind: ClusterRole, name: r}}, subjects: {SUBJECTS}}}
""")
LIMIT, MATCH, METRIC = "spec.limits[0]", "spec.scopeSelector.matchExpressions", "spec.metrics[0]"
PATH, DOWN = "spec.rules[0].http.paths[0]", "spec.behavior.scaleDown"
FROM, PORT = "spec.ingress[0].from", "spec.ingress[0].ports[0]"
PODS = {"type": "Pods", "pods": {"metric": {"name": "m"}, "target": {"type": "AverageValue", "averageValue": "1"}}}


def scoped(**expression):
    return {MATCH: [expression]}


ROWS = [
    (LIMITS, {f"{LIMIT}.type": "Node"}, f"{LIMIT}.type", INVALID),
    (LIMITS, {"spec.limits[1]": {"type": "Container"}}, "spec.limits[1].type", DUPLICATE),
    (LIMITS, {f"{LIMIT}.max.storage": "1Gi"}, f"{LIMIT}.max[storage]", INVALID),
    (LIMITS, {f"{LIMIT}.max.bananas": "1", f"{LIMIT}.type": "x/y"}, f"{LIMIT}.max[bananas]", INVALID),
    (LIMITS, {f"{LIMIT}.type": "Pod", f"{LIMIT}.defaultRequest": GONE}, f"{LIMIT}.default", FORBIDDEN),
    (LIMITS, {f"{LIMIT}.type": "Pod", f"{LIMIT}.default": GONE}, f"{LIMIT}.defaultRequest", FORBIDDEN),
    (LIMITS, {LIMIT: {"type": "PersistentVolumeClaim"}}, f"{LIMIT}.limits", REQUIRED),
    (LIMITS, {LIMIT: {"type": "Pod", "min": {"cpu": "2"}, "max": {"cpu": "1"}}}, f"{LIMIT}.min[cpu]", INVALID),
    (LIMITS, {f"{LIMIT}.defaultRequest.cpu": "50m"}, f"{LIMIT}.defaultRequest[cpu]", INVALID),
    (LIMITS, {f"{LIMIT}.defaultRequest.cpu": "1500m"}, f"{LIMIT}.defaultRequest[cpu]", INVALID),
    (LIMITS, {f"{LIMIT}.default.cpu": "3"}, f"{LIMIT}.default[cpu]", INVALID),
    (LIMITS, {f"{LIMIT}.maxLimitRequestRatio": {"cpu": "500m"}}, f"{LIMIT}.maxLimitRequestRatio[cpu]", INVALID),
    (LIMITS, {f"{LIMIT}.maxLimitRequestRatio": {"cpu": "21"}}, f"{LIMIT}.maxLimitRequestRatio[cpu]", INVALID),
    (QUOTA, {"spec.hard.bananas": "1"}, "spec.hard[bananas]", INVALID),
    (QUOTA, {"spec.hard.storage": "1"}, "spec.hard[storage]", INVALID),
    (QUOTA, {"spec.hard.pods": "-1"}, "spec.hard[pods]", INVALID),
    (QUOTA, {"spec.hard.pods": "500m"}, "spec.hard[pods]", INVALID),
    (QUOTA, {"status.used": {"pods": "-1"}}, "status.used[pods]", INVALID),
    (QUOTA, {"spec.scopes": ["Sometimes"]}, "spec.scopes", INVALID),
    (QUOTA, {"spec.scopes": ["BestEffort"]}, "spec.scopes", INVALID),
    (QUOTA, {"spec.scopes": ["Terminating", "NotTerminating"]}, "spec.scopes", INVALID),
    (QUOTA, scoped(scopeName="X", operator="Exists"), f"{MATCH}.scopeName", INVALID),
    (QUOTA, scoped(scopeName="BestEffort", operator="Exists"), MATCH, INVALID),
    (QUOTA, scoped(scopeName="Terminating", operator="In", values=["a"]), f"{MATCH}.operator", INVALID),
    (QUOTA, scoped(scopeName="PriorityClass", operator="In"), f"{MATCH}.values", REQUIRED),
    (QUOTA, scoped(scopeName="PriorityClass", operator="Exists", values=["a"]), f"{MATCH}.values", INVALID),
    (QUOTA, scoped(scopeName="PriorityClass", operator="Near"), f"{MATCH}.operator", INVALID),
    (BUDGET, {"spec.maxUnavailable": 1}, "spec", INVALID),
    (BUDGET, {"spec.minAvailable": -1}, "spec.minAvailable", INVALID),
    (BUDGET, {"spec.minAvailable": "half"}, "spec.minAvailable", INVALID),
    (BUDGET, {"spec.minAvailable": "101%"}, "spec.minAvailable", INVALID),
    (BUDGET, {"spec.selector.matchLabels": {"a b": ""}}, "spec.selector.matchLabels", INVALID),
    (BUDGET, {"spec.unhealthyPodEvictionPolicy": "X"}, "spec.unhealthyPodEvictionPolicy", NOT_SUPPORTED),
    (SCALER, {"spec.minReplicas": 0}, "spec.minReplicas", INVALID),
    (SCALER, {"spec.minReplicas": 6}, "spec.maxReplicas", INVALID),
    (SCALER, {"spec.scaleTargetRef.kind": ""}, "spec.scaleTargetRef.kind", REQUIRED),
    (SCALER, {"spec.scaleTargetRef.name": "a/b"}, "spec.scaleTargetRef.name", INVALID),
    (SCALER, {f"{METRIC}.type": "X"}, f"{METRIC}.type", NOT_SUPPORTED),
    (SCALER, {f"{METRIC}.resource": GONE}, f"{METRIC}.resource", REQUIRED),
    (SCALER, {f"{METRIC}.pods": {}}, f"{METRIC}.pods", FORBIDDEN),
    (SCALER, {f"{METRIC}.resource.name": "gold"}, f"{METRIC}.resource.name", INVALID),
    (SCALER, {f"{METRIC}.resource.target.type": "X"}, f"{METRIC}.resource.target.type", INVALID),
    (
        SCALER,
        {f"{METRIC}.resource.target.averageUtilization": 0},
        f"{METRIC}.resource.target.averageUtilization",
        INVALID,
    ),
    (
        SCALER,
        {f"{METRIC}.resource.target.averageUtilization": GONE},
        f"{METRIC}.resource.target.averageUtilization",
        REQUIRED,
    ),
    (SCALER, {f"{METRIC}.resource.target.averageValue": "1"}, f"{METRIC}.resource.target.averageValue", FORBIDDEN),
    (SCALER, {METRIC: PODS, f"{METRIC}.pods.target.averageValue": "0"}, f"{METRIC}.pods.target.averageValue", INVALID),
    (SCALER, {METRIC: PODS, f"{METRIC}.pods.metric": {}}, f"{METRIC}.pods.metric.name", REQUIRED),
    (SCALER, {f"{DOWN}.stabilizationWindowSeconds": 3601}, f"{DOWN}.stabilizationWindowSeconds", INVALID),
    (SCALER, {f"{DOWN}.selectPolicy": "X"}, f"{DOWN}.selectPolicy", NOT_SUPPORTED),
    (SCALER, {f"{DOWN}.policies": []}, f"{DOWN}.policies", REQUIRED),
    (SCALER, {f"{DOWN}.policies[0].type": "X"}, f"{DOWN}.policies[0].type", NOT_SUPPORTED),
    (SCALER, {f"{DOWN}.policies[0].value": 0}, f"{DOWN}.policies[0].value", INVALID),
    (SCALER, {f"{DOWN}.policies[0].periodSeconds": 1801}, f"{DOWN}.policies[0].periodSeconds", INVALID),
    (NETWORK, {"spec.podSelector.matchLabels": {"a b": ""}}, "spec.podSelector.matchLabels", INVALID),
    (NETWORK, {f"{PORT}.protocol": "ICMP"}, f"{PORT}.protocol", NOT_SUPPORTED),
    (NETWORK, {f"{PORT}.port": 0}, f"{PORT}.port", INVALID),
    (NETWORK, {f"{PORT}.port": "http"}, f"{PORT}.endPort", INVALID),
    (NETWORK, {f"{PORT}.port": GONE}, f"{PORT}.endPort", INVALID),
    (NETWORK, {f"{PORT}.endPort": 79}, f"{PORT}.endPort", INVALID),
    (NETWORK, {f"{FROM}[0]": {}}, f"{FROM}[0]", REQUIRED),
    (NETWORK, {f"{FROM}[1].podSelector": {}}, f"{FROM}[1]", FORBIDDEN),
    (NETWORK, {f"{FROM}[1].ipBlock.cidr": ""}, f"{FROM}[1].ipBlock.cidr", REQUIRED),
    (NETWORK, {f"{FROM}[1].ipBlock.cidr": "10.0.0.1/8"}, f"{FROM}[1].ipBlock.cidr", INVALID),
    (NETWORK, {f"{FROM}[1].ipBlock.except[0]": "11.0.0.0/16"}, f"{FROM}[1].ipBlock.except[0]", INVALID),
    (NETWORK, {f"{FROM}[1].ipBlock.except[0]": "10.0.0.0/8"}, f"{FROM}[1].ipBlock.except[0]", INVALID),
    (NETWORK, {f"{FROM}[1].ipBlock.except[0]": "fd00::/16"}, f"{FROM}[1].ipBlock.except[0]", INVALID),
    (
        NETWORK,
        {"spec.egress[0].to[0].podSelector.matchLabels": {"a b": ""}},
        "spec.egress[0].to[0].podSelector.matchLabels",
        INVALID,
    ),
    (NETWORK, {"spec.policyTypes": ["Sideways"]}, "spec.policyTypes[0]", NOT_SUPPORTED),
    (NETWORK, {"spec.policyTypes": ["Ingress"] * 3}, "spec.policyTypes", INVALID),
    (INGRESS, {"spec.rules": []}, "spec", INVALID),
    (INGRESS, {"spec.rules[0].host": "10.0.0.1"}, "spec.rules[0].host", INVALID),
    (INGRESS, {"spec.rules[0].host": "a.*.b"}, "spec.rules[0].host", INVALID),
    (INGRESS, {"spec.rules[0].host": "a_b"}, "spec.rules[0].host", INVALID),
    (INGRESS, {"spec.rules[0].http.paths": []}, "spec.rules[0].http.paths", REQUIRED),
    (INGRESS, {f"{PATH}.pathType": GONE}, f"{PATH}.pathType", REQUIRED),
    (INGRESS, {f"{PATH}.pathType": "Glob"}, f"{PATH}.pathType", NOT_SUPPORTED),
    (INGRESS, {f"{PATH}.path": "a"}, f"{PATH}.path", INVALID),
    (INGRESS, {f"{PATH}.path": "/a//b"}, f"{PATH}.path", INVALID),
    (INGRESS, {f"{PATH}.path": "/a/.."}, f"{PATH}.path", INVALID),
    (INGRESS, {f"{PATH}.backend": {}}, f"{PATH}.backend", INVALID),
    (INGRESS, {f"{PATH}.backend.resource": {"kind": "A", "name": "b"}}, f"{PATH}.backend", INVALID),
    (INGRESS, {f"{PATH}.backend": {"resource": {"kind": "A"}}}, f"{PATH}.backend.resource.name", REQUIRED),
    (INGRESS, {f"{PATH}.backend.service.name": ""}, f"{PATH}.backend.service.name", REQUIRED),
    (INGRESS, {f"{PATH}.backend.service.name": "A"}, f"{PATH}.backend.service.name", INVALID),
    (INGRESS, {f"{PATH}.backend.service.port": {}}, f"{PATH}.backend", REQUIRED),
    (INGRESS, {f"{PATH}.backend.service.port.name": "http"}, f"{PATH}.backend", INVALID),
    (INGRESS, {f"{PATH}.backend.service.port.number": 70000}, f"{PATH}.backend.service.port.number", INVALID),
    (INGRESS, {"spec.defaultBackend": {}}, "spec.defaultBackend", INVALID),
    (INGRESS, {"spec.tls[0].hosts[0]": "A"}, "spec.tls[0].hosts", INVALID),
    (INGRESS, {"spec.tls[0].secretName": "A"}, "spec.tls[0].secretName", INVALID),
    (INGRESS, {"spec.ingressClassName": "A"}, "spec.ingressClassName", INVALID),
    (
        INGRESS,
        {"metadata.annotations": {"kubernetes.io/ingress.class": "nginx"}},
        "annotations.kubernetes.io/ingress.class",
        INVALID,
    ),
    (CLASS, {"spec.controller": ""}, "spec.controller", REQUIRED),
    (CLASS, {"spec.controller": "nginx"}, "spec.controller", INVALID),
    (CLASS, {"spec.parameters": {"kind": "A", "name": "b"}}, "spec.parameters.scope", REQUIRED),
    (
        CLASS,
        {"spec.parameters": {"kind": "A", "name": "b", "scope": "Namespace"}},
        "spec.parameters.namespace",
        REQUIRED,
    ),
    (ROLE, {"metadata.name": "a/b"}, "metadata.name", INVALID),
    (ROLE, {"rules[0].verbs": []}, "rules[0].verbs", REQUIRED),
    (ROLE, {"rules[0].apiGroups": []}, "rules[0].apiGroups", REQUIRED),
    (ROLE, {"rules[0].resources": GONE}, "rules[0].resources", REQUIRED),
    (ROLE, {"rules[0]": {"verbs": ["get"], "nonResourceURLs": ["/x"]}}, "rules[0].nonResourceURLs", INVALID),
    (CLUSTER_ROLE, {"rules[0].nonResourceURLs": ["/x"]}, "rules[0].nonResourceURLs", INVALID),
    (CLUSTER_ROLE, {"aggregationRule": {}}, "aggregationRule.clusterRoleSelectors", REQUIRED),
    (
        CLUSTER_ROLE,
        {"aggregationRule.clusterRoleSelectors": [{"matchLabels": {"a b": ""}}]},
        "aggregationRule.clusterRoleSelectors[0].matchLabels",
        INVALID,
    ),
    (BINDING, {"roleRef.apiGroup": "apps"}, "roleRef.apiGroup", NOT_SUPPORTED),
    (BINDING, {"roleRef.kind": "Group"}, "roleRef.kind", NOT_SUPPORTED),
    (BINDING, {"roleRef.name": ""}, "roleRef.name", REQUIRED),
    (BINDING, {"roleRef.name": "a/b"}, "roleRef.name", INVALID),
    (BINDING, {"subjects[0].name": ""}, "subjects[0].name", REQUIRED),
    (BINDING, {"subjects[0].name": "A"}, "subjects[0].name", INVALID),
    (BINDING, {"subjects[0].apiGroup": GROUP}, "subjects[0].apiGroup", NOT_SUPPORTED),
    (BINDING, {"subjects[1].apiGroup": ""}, "subjects[1].apiGroup", NOT_SUPPORTED),
    (BINDING, {"subjects[1].kind": "Robot"}, "subjects[1].kind", NOT_SUPPORTED),
    (CLUSTER_BINDING, {"roleRef.kind": "Role"}, "roleRef.kind", NOT_SUPPORTED),
    (CLUSTER_BINDING, {"subjects[0].namespace": GONE}, "subjects[0].namespace", REQUIRED),
]


@pytest.mark.parametrize(("obj", "changes", "path", "cause"), ROWS)
def test_what_breaks_a_rule_is_told(obj, changes, path, cause):
    assert told(on_create(obj, changes)) == {(path, cause)}


@pytest.mark.parametrize(
    "obj",
    [
        *(LIMITS, QUOTA, BUDGET, SCALER, NETWORK, INGRESS, CLASS, ROLE, CLUSTER_ROLE, BINDING, CLUSTER_BINDING),
        merged(
            QUOTA, {"spec.hard": {"count/deployments.apps": "3", "hugepages-2Mi": "1Gi", "requests.storage": "1Ti"}}
        ),
        merged(QUOTA, {"spec.scopes": ["NotTerminating"]}),
        merged(CLUSTER_ROLE, {"rules[0]": {"verbs": ["get"], "nonResourceURLs": ["/healthz"]}}),
        merged(ROLE, {"metadata.name": "system:Node_1"}),
    ],
)
def test_what_breaks_no_rule_is_valid(obj):
    assert on_create(obj) == []
    assert on_update(obj, {"metadata.labels": {"a": "b"}}) == []


@pytest.mark.parametrize(
    ("old", "changes", "path"),
    [
        (QUOTA, {"spec.scopes": ["NotTerminating"]}, "spec.scopes"),
        (CLASS, {"spec.controller": "example.com/d"}, "spec.controller"),
        (BINDING, {"roleRef.name": "other"}, "roleRef"),
        (CLUSTER_BINDING, {"roleRef.name": "other"}, "roleRef"),
    ],
)
def test_what_may_not_change(old, changes, path):
    assert told(on_update(old, changes)) == {(path, INVALID)}


@pytest.mark.parametrize(
    ("old", "changes", "path"),
    [
        (QUOTA, {"status.hard": {"bananas": "1"}}, "status.hard[bananas]"),
        (QUOTA, {"status.used": {"pods": "-1"}}, "status.used[pods]"),
        (BUDGET, {"status.currentHealthy": -1}, "status.currentHealthy"),
        (SCALER, {"status.desiredReplicas": -1}, "status.desiredReplicas"),
        (INGRESS, {"status.loadBalancer.ingress[0].ip": "x"}, "status.loadBalancer.ingress[0].ip"),
    ],
)
def test_a_status_is_checked(old, changes, path):
    assert INVALID in {cause for place, cause in told(on_status(old, changes)) if place == path}


def test_a_limit_names_both_values():
    errors = on_create(LIMITS, {f"{LIMIT}.default.cpu": "3"})
    assert errors == [invalid(f"{LIMIT}.default[cpu]", "2", "default value 3 is greater than max value 2")]


def test_limits_are_defaulted_from_each_other():
    limit = '{type: Container, max: {cpu: "1"}, min: {memory: 1024Ki}}'
    assert manifest(f"{{apiVersion: v1, kind: LimitRange, spec: {{limits: [{limit}]}}}}")["spec"]["limits"] == [
        {
            "type": "Container",
            "max": {"cpu": "1"},
            "min": {"memory": "1Mi"},
            "default": {"cpu": "1"},
            "defaultRequest": {"cpu": "1", "memory": "1Mi"},
        }
    ]


def test_defaults():
    assert NETWORK["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert NETWORK["spec"]["ingress"][0]["ports"][0]["protocol"] == "TCP"
    assert BINDING["roleRef"]["apiGroup"] == BINDING["subjects"][1]["apiGroup"] == GROUP
    assert "apiGroup" not in BINDING["subjects"][0]
    spec = SCALER["spec"]
    assert spec["minReplicas"] == 1
    assert spec["metrics"][0]["resource"]["target"] == {"type": "Utilization", "averageUtilization": 80}
    assert [policy["type"] for policy in spec["behavior"]["scaleUp"]["policies"]] == ["Pods", "Percent"]
    assert spec["behavior"]["scaleDown"]["selectPolicy"] == "Max"
