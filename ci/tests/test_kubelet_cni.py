"""The node's CNI plugin over the simulated kernel: what no scenario can see of it."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from refkube.engine.clock import VirtualClock
from refkube.engine.loop import Loop
from refkube.hostnet import NetError
from refkube.kubelet.cni import Cni, namespace_name
from refkube.network.fabric import Fabric

ENVIRONMENT = {"FLANNEL_SUBNET": "10.244.1.1/29", "FLANNEL_MTU": "1450"}


@pytest.fixture
def fabric() -> Fabric:
    return Fabric(Loop(VirtualClock()))


def pod(name: str, *ports: dict[str, Any]) -> dict[str, Any]:
    container = {"name": "main", "ports": list(ports)}
    return {"metadata": {"name": name, "uid": f"uid-{name}"}, "spec": {"containers": [container]}}


def test_addresses_are_given_once_in_turn_and_again_when_all_were_given(fabric: Fabric) -> None:
    cni = Cni(fabric.join("n1", "192.168.100.11"), lambda: ENVIRONMENT)
    given = [cni.add(pod(f"p{number}"))[1] for number in range(5)]
    assert given == [f"10.244.1.{number}" for number in range(2, 7)]
    with pytest.raises(NetError, match="no IP addresses available"):
        cni.add(pod("more"))
    cni.remove(pod("p1"))
    cni.remove(pod("p3"))
    cni.remove(pod("p3"))
    assert cni.add(pod("new"))[1] == "10.244.1.3"
    assert cni.add(pod("newer"))[1] == "10.244.1.5"
    assert all(ip_address(address) in ip_network("10.244.1.0/29") for address in given)


def test_a_plugin_that_starts_anew_finds_what_it_gave(fabric: Fabric) -> None:
    host, disk = fabric.join("n1", "192.168.100.11"), {}
    inside, address = Cni(host, lambda: ENVIRONMENT, disk).add(pod("p"))
    again = Cni(host, lambda: ENVIRONMENT, disk)
    assert again.add(pod("p")) == (inside, address)
    assert again.add(pod("q"))[1] != address


def test_nothing_is_left_of_a_pod(fabric: Fabric) -> None:
    host = fabric.join("n1", "192.168.100.11")
    cni = Cni(host, lambda: ENVIRONMENT)
    cni.add(pod("stays", {"containerPort": 80, "hostPort": 8080}))
    before = host.namespace.links(), host.namespace.iptables_save()
    web = pod("web", {"containerPort": 80, "hostPort": 8081}, {"containerPort": 53, "hostPort": 53, "protocol": "UDP"})
    cni.add(web)
    assert "--to-destination 10.244.1.3:53" in host.namespace.iptables_save()
    cni.remove(web)
    assert (host.namespace.links(), host.namespace.iptables_save()) == before
    assert host.find_namespace(namespace_name(web)) is None


def test_no_network_before_flannel_has_a_lease(fabric: Fabric) -> None:
    cni = Cni(fabric.join("n1", "192.168.100.11"), lambda: None)
    with pytest.raises(NetError, match=r"subnet\.env"):
        cni.add(pod("p"))
    assert not cni.reserved
