"""kube-proxy: what it does step by step is what a new one would do at once, and no more than a change asks for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refkube.client.client import Client
from refkube.cluster import Cluster
from refkube.hostnet import Address, RealServer
from refkube.kubeproxy.proxier import Options, Proxier

from ci.tests.hostnet_fake import FakeHost

SLICES = "endpointslices.discovery.k8s.io"


class Proxied:
    """An API server, and a proxy over a kernel that keeps what it is told."""

    def __init__(self, **options: Any):
        self.cluster = Cluster(controllers=False)
        self.loop = self.cluster.loop
        self.client: Client = self.cluster.client("apiserver", "system:masters")
        self.client.create("nodes", node("n1"))
        self.host = FakeHost()
        self.net = self.host.namespace
        self.options = Options(**options)
        self.proxy = self.begin(self.host)

    def begin(self, host: FakeHost) -> Proxier:
        proxy = Proxier(self.client, self.loop, host, "n1", self.options)  # type: ignore[arg-type]
        proxy.start()
        self.loop.settle()
        return proxy

    def expose(self, name: str, endpoints: list[tuple[str, str]], **spec: Any) -> None:
        """A Service and its endpoints, as (address, state)."""
        ports = spec.pop("ports", [{"port": 80, "targetPort": 8080}])
        service = {"metadata": {"name": name}, "spec": {"ports": ports, **spec}}
        known = [one for one in self.client.list("services", "default").items if one["metadata"]["name"] == name]
        if known:
            self.client.delete("services", name, "default")
            self.client.delete(SLICES, name, "default")
        self.client.create("services", service, "default")
        self.client.create(SLICES, endpoint_slice(name, endpoints), "default")
        self.loop.settle()

    def servers(self) -> dict[str, dict[str, int]]:
        return {
            f"{one.protocol} {one.address}:{one.port}": {
                f"{real.address}:{real.port}": real.weight for real in one.servers
            }
            for one in self.net.virtual_servers()
        }


def node(name: str) -> Any:
    status = {"addresses": [{"type": "InternalIP", "address": "192.168.100.11"}]}
    return {"metadata": {"name": name, "labels": {"topology.kubernetes.io/zone": "a"}}, "status": status}


def endpoint_slice(service: str, endpoints: list[tuple[str, str]]) -> Any:
    listed = [
        {
            "addresses": [address],
            "nodeName": "n1" if address.startswith("10.244.1.") else "n2",
            "conditions": {
                "ready": state == "ready",
                "serving": state in ("ready", "leaving"),
                "terminating": state in ("leaving", "gone"),
            },
        }
        for address, state in endpoints
    ]
    return {
        "metadata": {"name": service, "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "ports": [{"name": "", "port": 8080, "protocol": "TCP"}],
        "endpoints": listed,
    }


ADDRESSES = [f"10.244.{node}.{host}" for node in (1, 2) for host in (2, 3)]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.lists(
            st.tuples(st.sampled_from(ADDRESSES), st.sampled_from(["ready", "unready", "leaving", "gone"])),
            unique_by=lambda one: one[0],
            max_size=4,
        ),
        st.sampled_from(
            [
                {},
                {"type": "NodePort"},
                {"type": "NodePort", "externalTrafficPolicy": "Local"},
                {"internalTrafficPolicy": "Local"},
                {"type": "LoadBalancer", "externalTrafficPolicy": "Local"},
                {"externalIPs": ["192.0.2.10"], "sessionAffinity": "ClientIP"},
                {"externalIPs": ["192.168.100.11", "192.0.2.10"]},
                {"ports": [{"port": 80}, {"port": 53, "protocol": "UDP"}]},
            ]
        ),
    ),
    max_size=8,
)


@settings(max_examples=25, deadline=None)
@given(steps=STEPS)
def test_step_by_step_comes_to_what_a_new_proxy_does(steps: Any) -> None:
    one = Proxied()
    for name, endpoints, spec in steps:
        spec = (
            {**spec, "ports": [{"name": str(port["port"]), **port} for port in spec["ports"]]}
            if "ports" in spec
            else spec
        )
        one.expose(name, endpoints, **spec)
    fresh = FakeHost()
    one.begin(fresh)
    assert one.net.state() == fresh.namespace.state()
    assert not one.proxy.error


def test_what_somebody_changed_is_put_right_within_the_period() -> None:
    one = Proxied()
    one.expose("web", [("10.244.1.2", "ready"), ("10.244.2.2", "ready")], type="NodePort")
    before = one.net.state()
    for key in [server.key for server in one.net.virtual_servers()][:2]:
        one.net.delete_virtual_server(key)
    one.net.delete_address(one.net.addresses("kube-ipvs0")[0])
    one.net.add_address(Address("kube-ipvs0", "10.99.99.99/32"))
    one.net.change_ipset("KUBE-CLUSTER-IP", remove=one.net.ipset_entries("KUBE-CLUSTER-IP"))
    one.net.jumps.remove(one.net.jumps[0])
    one.net.restored = ""
    one.loop.run_for(31)
    after = one.net.state()
    assert {*before[4]} == {*after[4]}
    assert before[:4] == after[:4]


def test_a_server_with_connections_goes_when_they_have_gone() -> None:
    one = Proxied()
    one.expose("web", [("10.244.1.2", "ready"), ("10.244.2.2", "ready")], clusterIP="10.96.0.50")
    key = ("TCP", "10.96.0.50", 80)
    busy = RealServer("10.244.2.2", 8080, active=1)
    server = one.net.virtual_server(key)
    assert server is not None
    one.net._servers[key] = server.__class__(
        *key, servers=(*(s for s in server.servers if s.address != busy.address), busy)
    )
    one.client.update(SLICES, {**one.client.get(SLICES, "web", "default"), **_only("10.244.1.2")})
    one.loop.settle()
    assert one.servers()["TCP 10.96.0.50:80"] == {"10.244.1.2:8080": 1, "10.244.2.2:8080": 0}
    one.loop.run_for(120)
    assert len(one.servers()["TCP 10.96.0.50:80"]) == 2
    one.net._servers[key] = server.__class__(
        *key, servers=(RealServer("10.244.1.2", 8080), RealServer("10.244.2.2", 8080, 0))
    )
    one.loop.run_for(61)
    assert one.servers()["TCP 10.96.0.50:80"] == {"10.244.1.2:8080": 1}


def _only(address: str) -> Any:
    return {"endpoints": endpoint_slice("web", [(address, "ready")])["endpoints"]}


@pytest.mark.parametrize("services", [5, 50])
def test_one_change_costs_the_same_among_many_services(services: int) -> None:
    one = Proxied()
    for number in range(services):
        one.expose(f"s{number}", [("10.244.1.2", "ready"), ("10.244.2.2", "ready")], type="NodePort")
    one.net.calls = 0
    one.client.update(SLICES, {**one.client.get(SLICES, "s1", "default"), **_only("10.244.1.2")})
    one.loop.settle()
    assert one.net.calls == 2  # one real server of the ClusterIP's, one of the node port's virtual server


def test_a_burst_is_one_sync_after_the_least_period() -> None:
    one = Proxied(min_sync_period=5.0)
    for number in range(3):
        one.expose(f"s{number}", [("10.244.1.2", "ready")])
    assert len(one.net.virtual_servers()) == 1  # the API server's own
    one.loop.run_for(5)
    assert len(one.net.virtual_servers()) == 4
