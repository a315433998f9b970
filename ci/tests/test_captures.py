"""Captures of what flannel sends, read by a tool that knows nothing of us: tshark, where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from refkube.cluster import Cluster, networking
from refkube.hostnet.http import Answer, get
from refkube.hostnet.show import capture_to

pytestmark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed (Debian: tshark)")

NETEXEC = {
    "name": "main",
    "image": "registry.k8s.io/e2e-test-images/agnhost:2.56",
    "args": ["netexec", "--http-port=80"],
}


def captured(backend: str, path: Path) -> None:
    """An exchange between Pods of two nodes, as the first node's NIC sees it."""
    cluster = Cluster(nodes=2, networking=networking(backend, kube_proxy=False, dns=False))
    client, loop = cluster.client("apiserver", "system:masters"), cluster.loop
    for name, node in (("a", "n1"), ("b", "n2")):
        spec = {"nodeName": node, "containers": [NETEXEC]}
        client.create("pods", {"metadata": {"name": name}, "spec": spec}, "default")

    def address(name: str) -> str:
        return str((client.get("pods", name, "default").get("status") or {}).get("podIP", ""))

    assert loop.run_until(lambda: address("a") and address("b"), 60)
    loop.run_for(5)
    pod = next(sandbox.net for sandbox in cluster.kubelets[0].runtime.sandboxes.values() if sandbox.name == "a")
    answers: list[object] = []
    with path.open("wb") as file:
        capture = capture_to(cluster.networks["n1"].host.namespace, "eth0", file)
        get(pod, (address("b"), 80), "/hostname", answers.append, answers.append)
        loop.run_until(lambda: answers, 10)
        loop.run_for(1)
        capture.close()
    assert [answer.body for answer in answers if isinstance(answer, Answer)] == [b"b"]


def read(path: Path, *arguments: str) -> list[list[str]]:
    command = ["tshark", "-r", str(path), "-n", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


def fields(*names: str) -> list[str]:
    return ["-T", "fields", *(word for name in names for word in ("-e", name))]


def test_vxlan_is_read_as_vxlan(tmp_path: Path) -> None:
    path = tmp_path / "vxlan.pcap"
    captured("vxlan", path)
    asked = read(
        path, "-d", "udp.port==8472,vxlan", "-Y", "http.request", *fields("frame.protocols", "vxlan.vni", "udp.dstport")
    )
    assert asked == [["eth:ethertype:ip:udp:vxlan:eth:ethertype:ip:tcp:http", "1", "8472"]]


def test_datagrams_of_the_daemon_hold_packets(tmp_path: Path) -> None:
    path = tmp_path / "udp.pcap"
    captured("udp", path)
    asked = read(
        path, "-d", "udp.port==8285,ip", "-Y", "http.request", *fields("frame.protocols", "udp.dstport", "ip.ttl")
    )
    assert [row[:2] for row in asked] == [["eth:ethertype:ip:udp:ip:tcp:http", "8285"]]
    assert asked[0][2].split(",")[1] == "62"  # the node has routed it, and the daemon has taken one more


@pytest.mark.parametrize("backend", ["vxlan", "udp", "host-gw"])
def test_nothing_is_malformed(backend: str, tmp_path: Path) -> None:
    path = tmp_path / f"{backend}.pcap"
    captured(backend, path)
    wrong = "_ws.malformed || ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0"
    checks = [f"-o{name}.check_checksum:TRUE" for name in ("ip", "tcp", "udp")]
    decode = ["-d", "udp.port==8472,vxlan", "-d", "udp.port==8285,ip"]
    assert read(path, *decode, *checks, "-Y", "http.response")
    assert read(path, *decode, *checks, "-Y", wrong) == []
