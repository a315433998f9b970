"""Every rule of Services and their endpoints: the change that breaks it, the path and the cause that are told."""

import pytest
from api_rows import (
    DUPLICATE,
    FORBIDDEN,
    GONE,
    INVALID,
    NOT_SUPPORTED,
    REQUIRED,
    TOO_MANY,
    manifest,
    merged,
    on_create,
    on_status,
    on_update,
    told,
)

SERVICE = manifest("""
apiVersion: v1
kind: Service
spec:
  clusterIP: 10.0.0.1
  clusterIPs: [10.0.0.1]
  ipFamilies: [IPv4]
  ipFamilyPolicy: SingleStack
  selector: {app: web}
  ports:
  - {name: http, port: 80}
  - {name: https, port: 443, targetPort: tls}
""")
NODE_PORT = {"spec.type": "NodePort", "spec.externalTrafficPolicy": "Cluster"}
BALANCER = {**NODE_PORT, "spec.type": "LoadBalancer", "spec.allocateLoadBalancerNodePorts": True}
LOCAL = {**BALANCER, "spec.externalTrafficPolicy": "Local", "spec.healthCheckNodePort": 30000}
HEADLESS = {"spec.clusterIP": "None", "spec.clusterIPs": ["None"]}
NAME = {
    **{f"spec.{key}": GONE for key in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "ports")},
    **{"spec.internalTrafficPolicy": GONE, "spec.type": "ExternalName", "spec.externalName": "example.com."},
}
CLIENT_IP = {"spec.sessionAffinity": "ClientIP"}
SECONDS = "spec.sessionAffinityConfig.clientIP.timeoutSeconds"

SERVICE_ROWS = [
    ({"metadata.name": "Web"}, "metadata.name", INVALID),
    ({"spec.type": "Other"}, "spec.type", NOT_SUPPORTED),
    ({"spec.type": ""}, "spec.type", REQUIRED),
    ({"spec.ports": GONE}, "spec.ports", REQUIRED),
    ({"spec.ports[0].name": GONE}, "spec.ports[0].name", REQUIRED),
    ({"spec.ports[0].name": "Web"}, "spec.ports[0].name", INVALID),
    ({"spec.ports[1].name": "http"}, "spec.ports[1].name", DUPLICATE),
    ({"spec.ports[0].port": 0}, "spec.ports[0].port", INVALID),
    ({"spec.ports[0].port": 65536}, "spec.ports[0].port", INVALID),
    ({"spec.ports[1].port": 80}, "spec.ports[1]", DUPLICATE),
    ({"spec.ports[0].protocol": ""}, "spec.ports[0].protocol", REQUIRED),
    ({"spec.ports[0].protocol": "ICMP"}, "spec.ports[0].protocol", NOT_SUPPORTED),
    ({"spec.ports[0].targetPort": 70000}, "spec.ports[0].targetPort", INVALID),
    ({"spec.ports[0].targetPort": "a--b"}, "spec.ports[0].targetPort", INVALID),
    ({"spec.ports[0].appProtocol": "a/b/c"}, "spec.ports[0].appProtocol", INVALID),
    ({"spec.ports[0].nodePort": 30000}, "spec.ports[0].nodePort", FORBIDDEN),
    (
        {**NODE_PORT, "spec.ports[0].nodePort": 30000, "spec.ports[1].nodePort": 30000},
        "spec.ports[1].nodePort",
        DUPLICATE,
    ),
    ({**BALANCER, "spec.ports[0].port": 10250}, "spec.ports[0]", INVALID),
    ({"spec.selector": {"a b": "c"}}, "spec.selector", INVALID),
    ({"spec.sessionAffinity": "Cookie"}, "spec.sessionAffinity", NOT_SUPPORTED),
    ({"spec.sessionAffinity": ""}, "spec.sessionAffinity", REQUIRED),
    ({"spec.sessionAffinityConfig": {}}, "spec.sessionAffinityConfig", FORBIDDEN),
    (CLIENT_IP, "spec.sessionAffinityConfig", REQUIRED),
    ({**CLIENT_IP, "spec.sessionAffinityConfig": {}}, "spec.sessionAffinityConfig.clientIP", REQUIRED),
    ({**CLIENT_IP, "spec.sessionAffinityConfig.clientIP": {}}, SECONDS, REQUIRED),
    ({**CLIENT_IP, SECONDS: 0}, SECONDS, INVALID),
    ({**CLIENT_IP, SECONDS: 86401}, SECONDS, INVALID),
    ({"spec.clusterIPs": GONE}, "spec.clusterIPs", REQUIRED),
    ({"spec.clusterIP": GONE}, "spec.clusterIPs", INVALID),
    ({"spec.clusterIP": "10.0.0.2"}, "spec.clusterIPs", INVALID),
    ({"spec.clusterIP": "10.0.0", "spec.clusterIPs": ["10.0.0"]}, "spec.clusterIPs[0]", INVALID),
    ({"spec.clusterIP": "10.0.0.01", "spec.clusterIPs": ["10.0.0.01"]}, "spec.clusterIPs[0]", INVALID),
    ({"spec.clusterIPs[1]": "10.0.0.2"}, "spec.clusterIPs", INVALID),
    ({"spec.clusterIPs": ["10.0.0.1", "fd00::1", "fd00::2"]}, "spec.clusterIPs", INVALID),
    ({"spec.clusterIP": "None", "spec.clusterIPs": ["None", "fd00::1"]}, "spec.clusterIPs", INVALID),
    ({"spec.ipFamilies": ["IPv6"]}, "spec.clusterIPs[0]", INVALID),
    ({"spec.ipFamilies": ["IPv5"]}, "spec.ipFamilies[0]", NOT_SUPPORTED),
    ({"spec.ipFamilies": ["IPv4", "IPv4"]}, "spec.ipFamilies[1]", DUPLICATE),
    ({"spec.ipFamilyPolicy": "Both"}, "spec.ipFamilyPolicy", NOT_SUPPORTED),
    ({**NODE_PORT, **HEADLESS}, "spec.clusterIPs[0]", INVALID),
    ({**BALANCER, **HEADLESS}, "spec.clusterIPs[0]", INVALID),
    ({**NAME, "spec.externalName": GONE}, "spec.externalName", REQUIRED),
    ({**NAME, "spec.externalName": "a_b"}, "spec.externalName", INVALID),
    ({**NAME, "spec.clusterIP": "10.0.0.1", "spec.clusterIPs": ["10.0.0.1"]}, "spec.clusterIPs", FORBIDDEN),
    ({**NAME, "spec.ipFamilies": ["IPv4"]}, "spec.ipFamilies", FORBIDDEN),
    ({**NAME, "spec.ipFamilyPolicy": "SingleStack"}, "spec.ipFamilyPolicy", FORBIDDEN),
    ({**NODE_PORT, "spec.externalIPs": ["300.1.1.1"]}, "spec.externalIPs[0]", INVALID),
    ({**NODE_PORT, "spec.externalIPs": ["127.0.0.1"]}, "spec.externalIPs[0]", INVALID),
    ({**NODE_PORT, "spec.externalIPs": ["0.0.0.0"]}, "spec.externalIPs[0]", INVALID),
    ({**NODE_PORT, "spec.externalIPs": ["169.254.0.1"]}, "spec.externalIPs[0]", INVALID),
    ({**NODE_PORT, "spec.externalIPs": ["ff02::1"]}, "spec.externalIPs[0]", INVALID),
    ({"spec.loadBalancerSourceRanges": ["10.0.0.0/8"]}, "spec.LoadBalancerSourceRanges", FORBIDDEN),
    ({**BALANCER, "spec.loadBalancerSourceRanges": ["10.0.0.1/8"]}, "spec.LoadBalancerSourceRanges[0]", INVALID),
    ({"spec.loadBalancerClass": "a/b"}, "spec.loadBalancerClass", FORBIDDEN),
    ({**BALANCER, "spec.loadBalancerClass": "a b"}, "spec.loadBalancerClass", INVALID),
    ({"spec.allocateLoadBalancerNodePorts": True}, "spec.allocateLoadBalancerNodePorts", FORBIDDEN),
    ({**BALANCER, "spec.allocateLoadBalancerNodePorts": GONE}, "allocateLoadBalancerNodePorts", REQUIRED),
    ({"spec.externalTrafficPolicy": "Cluster"}, "spec.externalTrafficPolicy", INVALID),
    ({"spec.type": "NodePort"}, "spec.externalTrafficPolicy", REQUIRED),
    ({**NODE_PORT, "spec.externalTrafficPolicy": "Near"}, "spec.externalTrafficPolicy", NOT_SUPPORTED),
    ({"spec.healthCheckNodePort": 30000}, "spec.healthCheckNodePort", INVALID),
    ({**LOCAL, "spec.healthCheckNodePort": GONE}, "spec.healthCheckNodePort", REQUIRED),
    ({**LOCAL, "spec.healthCheckNodePort": 70000}, "spec.healthCheckNodePort", INVALID),
    ({"spec.internalTrafficPolicy": GONE}, "spec.internalTrafficPolicy", REQUIRED),
    ({"spec.internalTrafficPolicy": "Near"}, "spec.internalTrafficPolicy", NOT_SUPPORTED),
    ({"spec.trafficDistribution": "Far"}, "spec.trafficDistribution", NOT_SUPPORTED),
]


@pytest.mark.parametrize(("changes", "path", "cause"), SERVICE_ROWS)
def test_a_service_that_breaks_a_rule_is_told_where(changes, path, cause):
    assert told(on_create(SERVICE, changes)) == {(path, cause)}


@pytest.mark.parametrize("changes", [{}, NODE_PORT, BALANCER, LOCAL, HEADLESS, {**HEADLESS, "spec.ports": GONE}, NAME])
def test_services_of_every_type_are_valid(changes):
    assert on_create(SERVICE, changes) == []


@pytest.mark.parametrize(
    ("before", "changes", "path", "cause"),
    [
        ({}, {"spec.clusterIP": "10.0.0.2", "spec.clusterIPs": ["10.0.0.2"]}, "spec.clusterIPs[0]", INVALID),
        ({}, {"spec.clusterIP": GONE, "spec.clusterIPs": GONE}, "spec.clusterIPs[0]", INVALID),
        ({}, HEADLESS, "spec.clusterIPs[0]", INVALID),
        (
            {"spec.ipFamilyPolicy": "PreferDualStack", "spec.clusterIPs[1]": "fd00::1"},
            {"spec.clusterIPs": ["10.0.0.1"]},
            "spec.ipFamilyPolicy",
            INVALID,
        ),
        (BALANCER, {"spec.loadBalancerClass": "a/b"}, "spec.loadBalancerClass", INVALID),
        (LOCAL, {"spec.healthCheckNodePort": 30001}, "spec.healthCheckNodePort", FORBIDDEN),
        ({}, {"spec.ports[0].port": 0}, "spec.ports[0].port", INVALID),
    ],
)
def test_an_update_of_a_service_keeps_what_was_allocated(before, changes, path, cause):
    assert told(on_update(merged(SERVICE, before), changes)) == {(path, cause)}


@pytest.mark.parametrize(
    "changes",
    [
        NAME,
        NODE_PORT,
        {"spec.ipFamilyPolicy": "RequireDualStack", "spec.ipFamilies[1]": "IPv6", "spec.clusterIPs[1]": "fd00::1"},
    ],
)
def test_a_service_may_change_its_type_and_gain_a_family(changes):
    assert on_update(SERVICE, changes) == []


POINT = "status.loadBalancer.ingress[0]"


@pytest.mark.parametrize(
    ("changes", "path", "cause"),
    [
        ({f"{POINT}.ip": "1.2.3.4"}, "status.loadBalancer.ingress", FORBIDDEN),
        ({**BALANCER, f"{POINT}.ip": "1.2.3"}, f"{POINT}.ip", INVALID),
        ({**BALANCER, f"{POINT}.hostname": "a_b"}, f"{POINT}.hostname", INVALID),
        ({**BALANCER, f"{POINT}.hostname": "1.2.3.4"}, f"{POINT}.hostname", INVALID),
        ({**BALANCER, f"{POINT}.ipMode": "VIP"}, f"{POINT}.ipMode", FORBIDDEN),
        ({**BALANCER, f"{POINT}.ip": "1.2.3.4", f"{POINT}.ipMode": "X"}, f"{POINT}.ipMode", NOT_SUPPORTED),
    ],
)
def test_a_services_status_is_checked(changes, path, cause):
    assert told(on_status(SERVICE, changes)) == {(path, cause)}


ENDPOINTS = manifest("""
apiVersion: v1
kind: Endpoints
subsets:
- addresses: [{ip: 10.1.0.1, nodeName: n1, hostname: web-0}]
  notReadyAddresses: [{ip: 10.1.0.2}]
  ports: [{name: http, port: 80}, {name: https, port: 443}]
""")


@pytest.mark.parametrize(
    ("changes", "path", "cause"),
    [
        ({"subsets": [{}]}, "subsets[0]", REQUIRED),
        ({"subsets[0].addresses[0].ip": "10.1"}, "subsets[0].addresses[0].ip", INVALID),
        ({"subsets[0].addresses[0].ip": "127.0.0.1"}, "subsets[0].addresses[0].ip", INVALID),
        ({"subsets[0].notReadyAddresses[0].ip": "224.0.0.5"}, "subsets[0].notReadyAddresses[0].ip", INVALID),
        ({"subsets[0].addresses[0].hostname": "a.b"}, "subsets[0].addresses[0].hostname", INVALID),
        ({"subsets[0].addresses[0].nodeName": "N"}, "subsets[0].addresses[0].nodeName", INVALID),
        ({"subsets[0].ports[0].name": GONE}, "subsets[0].ports[0].name", REQUIRED),
        ({"subsets[0].ports[0].name": "A"}, "subsets[0].ports[0].name", INVALID),
        ({"subsets[0].ports[0].port": 0}, "subsets[0].ports[0].port", INVALID),
        ({"subsets[0].ports[0].protocol": "X"}, "subsets[0].ports[0].protocol", NOT_SUPPORTED),
        ({"subsets[0].ports[0].appProtocol": "/"}, "subsets[0].ports[0].appProtocol", INVALID),
    ],
)
def test_endpoints(changes, path, cause):
    assert on_create(ENDPOINTS) == []
    assert told(on_create(ENDPOINTS, changes)) == {(path, cause)}
    assert told(on_update(ENDPOINTS, changes)) == {(path, cause)}


SLICE = manifest("""
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
addressType: IPv4
endpoints:
- {addresses: [10.1.0.1], nodeName: n1, hostname: web-0, hints: {forZones: [{name: a}]}}
ports: [{name: http, port: 80}, {port: 81}]
""")


@pytest.mark.parametrize(
    ("changes", "path", "cause"),
    [
        ({"addressType": ""}, "addressType", REQUIRED),
        ({"addressType": "IPv5"}, "addressType", NOT_SUPPORTED),
        ({"endpoints[0].addresses": []}, "endpoints[0].addresses", REQUIRED),
        ({"endpoints[0].addresses": [f"10.1.0.{n}" for n in range(101)]}, "endpoints[0].addresses", TOO_MANY),
        ({"endpoints": [{"addresses": ["10.1.0.1"]}] * 1001}, "endpoints", TOO_MANY),
        ({"endpoints[0].addresses[0]": "10"}, "endpoints[0].addresses[0]", INVALID),
        ({"endpoints[0].addresses[0]": "fd00::1"}, "endpoints[0].addresses", INVALID),
        ({"endpoints[0].addresses[0]": "127.0.0.1"}, "endpoints[0].addresses[0]", INVALID),
        ({"addressType": "FQDN", "endpoints[0].addresses[0]": "host"}, "endpoints[0].addresses[0]", INVALID),
        ({"endpoints[0].nodeName": "N"}, "endpoints[0].nodeName", INVALID),
        ({"endpoints[0].hostname": "a.b"}, "endpoints[0].hostname", INVALID),
        ({"endpoints[0].deprecatedTopology": {"a b": ""}}, "endpoints[0].deprecatedTopology", INVALID),
        ({"endpoints[0].hints.forZones[0].name": "a b"}, "endpoints[0].hints.forZones[0].name", INVALID),
        ({"endpoints[0].hints.forZones[1].name": "a"}, "endpoints[0].hints.forZones[1].name", DUPLICATE),
        (
            {"endpoints[0].hints.forZones": [{"name": str(n)} for n in range(9)]},
            "endpoints[0].hints.forZones",
            TOO_MANY,
        ),
        ({"ports[0].name": "A"}, "ports[0].name", INVALID),
        ({"ports[0].name": ""}, "ports[1].name", DUPLICATE),
        ({"ports[0].protocol": "X"}, "ports[0].protocol", NOT_SUPPORTED),
        ({"ports[0].appProtocol": "/"}, "ports[0].appProtocol", INVALID),
        ({"ports": [{"name": f"p{n}", "protocol": "TCP"} for n in range(20001)]}, "ports", TOO_MANY),
    ],
)
def test_endpoint_slices(changes, path, cause):
    assert on_create(SLICE) == []
    assert told(on_create(SLICE, changes)) - {("endpoints[0].hints.forZones[0].name", DUPLICATE)} == {(path, cause)}


def test_an_endpoint_slice_keeps_its_address_type():
    changes = {"addressType": "IPv6", "endpoints": []}
    assert told(on_update(SLICE, changes)) == {("addressType", INVALID)}


def test_a_service_is_defaulted():
    service = manifest("{apiVersion: v1, kind: Service, spec: {ports: [{port: 80}]}}")
    assert service["spec"] == {
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster",
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
    }


def test_a_load_balancer_is_defaulted():
    text = "{apiVersion: v1, kind: Service, spec: {type: LoadBalancer, sessionAffinity: ClientIP, ports: [{port: 80}]}}"
    spec = manifest(text)["spec"]
    assert spec["externalTrafficPolicy"] == "Cluster"
    assert spec["allocateLoadBalancerNodePorts"] is True
    assert spec["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10800}}
