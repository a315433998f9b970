"""What the command line shows of a network: journeys, tables as Linux's tools print them, and captures."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import dpkt
import pytest
from refkube.look import VIEWS, Look, WrongUse, made
from typer.testing import CliRunner

PODS = """
apiVersion: v1
kind: Pod
metadata: {name: NAME}
spec:
  nodeName: NODE
  containers: [{name: main, image: "nginx:1.29"}]
"""

Made = Callable[[str], Look]


@pytest.fixture
def looks(tmp_path: Path) -> Made:
    file = tmp_path / "pods.yaml"
    file.write_text("---".join(PODS.replace("NAME", f"p{n}").replace("NODE", f"n{n}") for n in (1, 2)))
    return lambda backend: made(2, backend, [file])


@pytest.mark.parametrize(
    ("backend", "layers"),
    [("vxlan", "eth:ethertype:ip:udp:vxlan:eth:ethertype:ip:tcp"), ("udp", "eth:ethertype:ip:udp:ip:tcp")],
)
def test_a_capture_of_the_wire_decodes_to_the_layers_that_the_backend_puts_around(
    looks: Made, tmp_path: Path, backend: str, layers: str
) -> None:
    look = looks(backend)
    told = list(look.trace("p1", "pod/p2:80", tmp_path))
    look.close()
    assert told[-1] == "p1 to pod/p2:80: connected"
    file = tmp_path / "n1-eth0.pcap"
    frames = [frame for _, frame in dpkt.pcap.Reader(file.open("rb"))]
    port = {"vxlan": 8472, "udp": 8285}[backend]
    inner = []
    for frame in frames:
        datagram = dpkt.ethernet.Ethernet(frame).data.data
        if getattr(datagram, "dport", 0) == port:
            body = bytes(datagram.data)
            inner.append(dpkt.ip.IP(body[8 + 14 :] if backend == "vxlan" else body))
    assert {ip.data.dport for ip in inner if ip.data.flags & 2 and not ip.data.flags & 16} == {80}
    if shutil.which("tshark"):
        known = ["-d", f"udp.port=={port},{'vxlan' if backend == 'vxlan' else 'ip'}"]
        checked = [f"-o{layer}.check_checksum:TRUE" for layer in ("ip", "tcp", "udp")]
        run = subprocess.run(
            ["tshark", "-r", str(file), *known, *checked, "-T", "fields", "-e", "frame.protocols", "-e", "_ws.expert"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert any(line.split("\t")[0] == layers for line in run.stdout.splitlines())
        assert "Bad checksum" not in run.stdout
        assert "Malformed" not in run.stdout


def test_every_view_is_told_of_a_node_and_of_a_pod(looks: Made) -> None:
    look = looks("vxlan")
    list(look.trace("p1", "pod/p2:80"))
    node = "".join(look.show("n1", VIEWS))
    pod = "".join(look.show("p1", ["ip addr", "ip route"]))
    look.close()
    for shown in (
        "4: kube-ipvs0: <BROADCAST,NOARP> mtu 1500 qdisc noop state DOWN",
        "    inet 10.244.0.1/24 brd 10.244.0.255 scope global docker0\n",
        "10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink \n",
        "10.244.1.0 dev flannel.1 lladdr ",
        " dst 192.168.100.12 self permanent \n",
        "TCP  10.96.0.10:53 rr\n  -> ",
        ":KUBE-SERVICES - [0:0]\n",
        "src=10.244.0.",
    ):
        assert shown in node, shown
    assert "default via 10.244.0.1 dev eth0 \n" in pod
    assert "2: eth0@if" in pod


def test_what_cannot_be_looked_at_is_told_in_a_line(looks: Made, tmp_path: Path) -> None:
    from refkube.cli import app

    for arguments, told in (
        (["trace", "nobody", "10.0.0.1:80"], "there is no pod 'nobody'"),
        (["trace", "outside", "10.0.0.1"], "ADDRESS:PORT is wanted, not '10.0.0.1'"),
        (["show", "n1", "ip link"], "no such view: ip link"),
        (["show", "n1", "--backend", "none"], "no such backend: none"),
        (["show", "n1", "-f", str(tmp_path / "none.yaml")], "No such file"),
    ):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 3, arguments
        assert told in result.output
        assert len(result.output.splitlines()) == 1
    look = looks("host-gw")
    with pytest.raises(WrongUse, match="no service 'web'"):
        list(look.trace("p1", "service/web:80"))
    look.close()
