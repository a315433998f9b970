"""Node components together, on the simulated kernel: what a scenario cannot see of them."""

from __future__ import annotations

from typing import Any

import dns.message
import pytest
from refkube.cluster import Cluster, networking
from refkube.coredns.manifest import ADDRESS
from refkube.flannel.daemon import Flanneld
from refkube.hostnet import INTERNET, INTERNET_ROUTER, RealServer, Route, Stream
from refkube.hostnet.resolver import Config, Found, search
from refkube.kubeproxy.proxier import Proxier

NETEXEC = {
    "name": "main",
    "image": "registry.k8s.io/e2e-test-images/agnhost:2.56",
    "args": ["netexec", "--http-port=80"],
}
SERVICES: dict[str, dict[str, Any]] = {
    "plain": {},
    "sticky": {"sessionAffinity": "ClientIP"},
    "open": {"type": "NodePort"},
    "open-local": {"type": "NodePort", "externalTrafficPolicy": "Local"},
    "sctp": {"type": "NodePort", "ports": [{"port": 80, "protocol": "SCTP"}]},
    "sctp-local": {
        "type": "NodePort",
        "externalTrafficPolicy": "Local",
        "ports": [{"port": 80, "protocol": "SCTP"}],
    },
    "udp": {"type": "NodePort", "ports": [{"port": 80, "protocol": "UDP"}]},
    "balanced": {"type": "LoadBalancer", "loadBalancerSourceRanges": ["192.168.99.2/32", "10.0.0.0/8"]},
    "balanced-nodes": {"type": "LoadBalancer", "loadBalancerSourceRanges": ["192.168.100.0/24"]},
    "balanced-local": {"type": "LoadBalancer", "externalTrafficPolicy": "Local"},
    "external": {"externalIPs": ["192.0.2.10"]},
    "external-local": {"externalIPs": ["192.0.2.11"], "externalTrafficPolicy": "Local"},
    "inside-local": {"internalTrafficPolicy": "Local"},
    "headless": {"clusterIP": "None"},
}


def made(**options: Any) -> Cluster:
    cluster = Cluster(nodes=2, networking=networking(**options))
    client = cluster.client("apiserver", "system:masters")
    for name, node in (("a", "n1"), ("b", "n2")):
        spec = {"nodeName": node, "containers": [NETEXEC], "terminationGracePeriodSeconds": 0}
        client.create("pods", {"metadata": {"name": name, "labels": {"app": "web"}}, "spec": spec}, "default")
    for name, spec in SERVICES.items():
        ports = {"ports": [{"port": 80}]}
        client.create(
            "services", {"metadata": {"name": name}, "spec": {"selector": {"app": "web"}, **ports, **spec}}, "default"
        )
    cluster.loop.run_for(10)
    return cluster


def state(net: Any) -> Any:
    """All of a node's kernel that a proxy is answerable for."""
    servers = {
        one.key: (one.scheduler, one.persistent, {(s.address, s.port) for s in one.servers})
        for one in net.virtual_servers()
    }
    sets = {name: net.ipset_entries(name) for name in net.ipsets()}
    return servers, sets, net.iptables_save(), {one.cidr for one in net.addresses("kube-ipvs0")}


def test_every_kind_of_service_is_served_without_complaint() -> None:
    cluster = made(dns=False)
    for network in cluster.networks.values():
        assert {name: part.error for name, part in network.running.items()} == {"flanneld": "", "kube-proxy": ""}
    balanced = state(cluster.networks["n1"].host.namespace)[1]
    assert balanced["KUBE-LOAD-BALANCER-SOURCE-CIDR"] >= {
        f"{_address(cluster, 'balanced')},tcp:80,10.0.0.0/8",
        f"{_address(cluster, 'balanced')},tcp:80,192.168.99.2",
    }


def _address(cluster: Cluster, name: str) -> str:
    status = cluster.client("apiserver", "system:masters").get("services", name, "default")["status"]
    return str(status["loadBalancer"]["ingress"][0]["ip"])


def test_a_restart_and_a_full_sync_change_nothing() -> None:
    cluster = made(dns=False)
    network = cluster.networks["n1"]
    before = state(network.host.namespace)
    for part in ("flanneld", "kube-proxy"):
        network.start(part)
    cluster.loop.run_for(65)
    assert state(network.host.namespace) == before


def test_all_services_gone_leave_nothing() -> None:
    cluster = made(dns=False)
    client = cluster.client("apiserver", "system:masters")
    for name in SERVICES:
        client.delete("services", name, "default")
    cluster.loop.run_for(5)
    servers, sets, _, addresses = state(cluster.networks["n1"].host.namespace)
    assert {key[1] for key in servers} == {"10.96.0.1"}
    assert {name for name, entries in sets.items() if entries} == {"KUBE-CLUSTER-IP", "KUBE-IPVS-IPS"}
    assert addresses == {"10.96.0.1/32"}


def test_a_proxy_leaves_what_it_is_told_to() -> None:
    cluster = made(dns=False)
    network = cluster.networks["n1"]
    net = network.host.namespace
    known = net.virtual_servers()[0]
    strange = known.__class__("TCP", "198.51.100.7", 80)
    net.set_virtual_server(strange)
    network.stop("kube-proxy")
    options = cluster.networking.proxy.__class__(exclude_cidrs=("198.51.100.0/24",))
    proxy = Proxier(cluster.client("kube-proxy"), cluster.loop, network.host, "n1", options)  # type: ignore[arg-type]
    proxy.start()
    cluster.loop.run_for(1)
    assert net.virtual_server(strange.key) is not None
    proxy.stop()


def test_a_weight_that_somebody_changed_is_put_right_at_the_start_only() -> None:
    cluster = made(dns=False)
    network = cluster.networks["n1"]
    net = network.host.namespace
    server = next(one for one in net.virtual_servers() if len(one.servers) == 2)
    net.set_real_server(server.key, RealServer(server.servers[0].address, server.servers[0].port, 0))
    cluster.loop.run_for(35)
    assert 0 in {one.weight for one in net.virtual_server(server.key).servers}  # type: ignore[union-attr]
    network.start("kube-proxy")
    cluster.loop.run_for(1)
    assert {one.weight for one in net.virtual_server(server.key).servers} == {1}  # type: ignore[union-attr]


def test_the_health_of_a_proxy() -> None:
    from refkube.hostnet.http import Answer, get

    cluster = made(dns=False)
    net = cluster.networks["n1"].host.namespace
    told: list[Any] = []
    for path in ("/healthz", "/livez", "/other"):
        get(net, ("192.168.100.11", 10256), path, told.append, told.append)
        cluster.loop.run_for(1)
    assert [one.code for one in told if isinstance(one, Answer)] == [200, 200, 404]
    client = cluster.client("apiserver", "system:masters")
    taint = {"key": "ToBeDeletedByClusterAutoscaler", "effect": "NoSchedule"}
    client.patch("nodes", "n1", {"spec": {"taints": [taint]}}, "strategic")
    told.clear()
    for path in ("/healthz", "/livez"):
        get(net, ("192.168.100.11", 10256), path, told.append, told.append)
        cluster.loop.run_for(1)
    assert [one.code for one in told] == [503, 200]


def test_a_node_without_a_subnet_waits_and_says_so() -> None:
    cluster = Cluster(controllers=False)
    client = cluster.client("apiserver", "system:masters")
    host = cluster.fabric.join("n1", "192.168.100.11")
    daemon = Flanneld(client, cluster.loop, host, "n1")  # type: ignore[arg-type]
    daemon.start()
    cluster.loop.run_for(3)
    assert daemon.error == 'node "n1" is not there'
    client.create("nodes", {"metadata": {"name": "n1"}})
    cluster.loop.run_for(3)
    assert daemon.error == 'node "n1" pod cidr not assigned'
    client.patch("nodes", "n1", {"spec": {"podCIDR": "172.16.1.0/24", "podCIDRs": ["172.16.1.0/24"]}})
    cluster.loop.run_for(3)
    assert "does not contain" in daemon.error
    assert daemon.environment is None


@pytest.fixture(scope="module")
def named() -> Cluster:
    cluster = made()
    client = cluster.client("apiserver", "system:masters")
    listed = [{"addresses": [f"10.9.{n // 250}.{n % 250 + 1}"], "conditions": {"ready": True}} for n in range(100)]
    meta = {"name": "many", "labels": {"kubernetes.io/service-name": "many"}}
    many = {"metadata": meta, "addressType": "IPv4", "ports": [{"name": "", "port": 80}], "endpoints": listed}
    client.create(
        "services", {"metadata": {"name": "many"}, "spec": {"clusterIP": "None", "ports": [{"port": 80}]}}, "default"
    )
    client.create("endpointslices.discovery.k8s.io", many, "default")
    cluster.loop.run_for(10)
    return cluster


def test_what_does_not_fit_a_datagram_comes_by_stream(named: Cluster) -> None:
    found: list[Found] = []
    net = named.networks["n1"].host.namespace
    search(net, named.loop, Config((ADDRESS,)), "many.default.svc.cluster.local.", found.append)
    named.loop.run_until(lambda: found, 30)
    assert len(found[0].values) == 100


def test_two_questions_by_one_stream(named: Cluster) -> None:
    heard = bytearray()
    wires = [dns.message.make_query(f"{name}.default.svc.cluster.local", "A").to_wire() for name in ("plain", "open")]

    def opened(stream: Stream) -> None:
        stream.received = heard.extend
        stream.closed = lambda why: None
        stream.send(b"".join(len(wire).to_bytes(2, "big") + wire for wire in wires))

    named.networks["n1"].host.namespace.connect((ADDRESS, 53), opened, heard.extend)
    named.loop.run_for(5)
    answers = []
    while heard:
        length = int.from_bytes(heard[:2], "big")
        answers.append(dns.message.from_wire(bytes(heard[2 : 2 + length])))
        del heard[: 2 + length]
    assert [len(answer.answer) for answer in answers] == [1, 1]


def test_a_server_that_is_silent_is_followed_by_the_next(named: Cluster) -> None:
    found: list[Found] = []
    net = named.networks["n1"].host.namespace
    began = named.loop.now()
    search(net, named.loop, Config(("192.168.100.77", ADDRESS)), "plain.default.svc.cluster.local.", found.append)
    named.loop.run_until(lambda: found, 30)
    assert found[0].outcome == "NOERROR"
    assert named.loop.now() - began >= 5


def test_names_outside_of_the_cluster_are_asked_of_others_and_kept(named: Cluster) -> None:
    net, loop, outside = named.networks["n1"].host.namespace, named.loop, named.fabric.internet.namespace

    def told(name: str) -> Found:
        found: list[Found] = []
        search(net, loop, Config((ADDRESS,)), name, found.append)
        loop.run_until(lambda: found, 60)
        return found[0]

    def reaches(on: bool) -> None:
        outside.set_link("eth0", up=on)
        if on:
            outside.replace_route(Route("default", "eth0", INTERNET_ROUTER))

    assert told("example.com.").values == (INTERNET,)
    assert told("nobody.example.com.").outcome == "NXDOMAIN"
    for _ in range(8):  # both servers have it then
        told("example.com.")
    reaches(False)
    assert [told("example.com.").values for _ in range(8)] == [(INTERNET,)] * 8
    assert told("example.org.").outcome == "SERVFAIL"
    loop.run_for(31)
    assert told("example.com.").outcome == "SERVFAIL"
    loop.run_for(6)
    reaches(True)
    assert told("example.com.").values == (INTERNET,)
    client = named.client("apiserver", "system:masters")
    alias = {"type": "ExternalName", "externalName": "example.org"}
    client.create("services", {"metadata": {"name": "alias"}, "spec": alias}, "default")
    loop.run_for(6)
    found = told("alias.default.svc.cluster.local.")
    assert found.values == (INTERNET,)
    assert "CNAME example.org." in found.answers[0]
