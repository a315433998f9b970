"""Namespaces, accounts and their tokens, and what admission makes of them, on a whole cluster in virtual time."""

from __future__ import annotations

from base64 import b64decode
from collections import Counter
from typing import Any

import jwt
import pytest
from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object
from refkube.client.client import Client
from refkube.cluster import Cluster, ControllerManager
from refkube.controllers.common.context import Options
from refkube.controllers.namespace import Progress, longest_grace, troubles, updated


def cluster_of(nodes: int = 0, **options: Any) -> tuple[Cluster, Client]:
    cluster = Cluster(nodes=nodes, **options)
    client = cluster.client("admin", "system:masters")
    client.create("namespaces", {"metadata": {"name": "shop"}})
    cluster.loop.settle()
    return cluster, client


def pod(name: str = "web", namespace: str = "shop", **spec: Any) -> Object:
    containers = spec.pop("containers", [{"name": "main", "image": "example.com/app"}])
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"containers": containers, **spec}}


def is_gone(client: Client, resource: str, name: str, namespace: str = "") -> bool:
    try:
        client.get(resource, name, namespace)
    except StatusError as refusal:
        return refusal.code == 404
    return False


def refusal_of(client: Client, obj: Object, resource: str = "pods") -> StatusError:
    with pytest.raises(StatusError) as caught:
        client.create(resource, obj)
    return caught.value


# Namespaces


def conditions(client: Client, name: str) -> dict[str, tuple[str, str]]:
    found = client.get("namespaces", name)["status"].get("conditions", [])
    return {one["type"]: (one["status"], one["message"]) for one in found}


def test_pods_go_first_then_all_else_and_the_namespace_last() -> None:
    cluster, client = cluster_of(nodes=1)
    client.create("pods", pod(nodeName="n1"))
    client.create("configmaps", {"metadata": {"name": "held", "namespace": "shop", "finalizers": ["example.com/hold"]}})
    client.create("secrets", {"metadata": {"name": "plain", "namespace": "shop"}})
    cluster.loop.run_for(1)
    client.delete("namespaces", "shop")
    cluster.loop.run_for(5)
    assert not is_gone(client, "secrets", "plain", "shop")
    assert conditions(client, "shop")["NamespaceContentRemaining"][0] == "False"
    cluster.loop.run_for(30)
    assert is_gone(client, "pods", "web", "shop")
    assert is_gone(client, "secrets", "plain", "shop")
    told = conditions(client, "shop")
    why = "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
    assert told["NamespaceFinalizersRemaining"] == ("True", why)
    assert told["NamespaceDeletionContentFailure"][0] == "False"
    client.patch("configmaps", "held", {"metadata": {"finalizers": None}}, "merge", "shop")
    assert cluster.loop.run_until(lambda: is_gone(client, "namespaces", "shop"), 20)


def test_a_namespace_with_a_finalizer_of_others_is_emptied_and_waits_for_them() -> None:
    cluster, client = cluster_of()
    namespace = client.get("namespaces", "shop")
    spec = {"finalizers": [*namespace["spec"]["finalizers"], "example.com/mine"]}
    client.update("namespaces", {**namespace, "spec": spec}, "finalize")
    client.create("configmaps", {"metadata": {"name": "plain", "namespace": "shop"}})
    client.delete("namespaces", "shop")
    cluster.loop.run_for(30)
    assert client.get("namespaces", "shop")["spec"]["finalizers"] == ["example.com/mine"]
    assert client.list("configmaps", "shop").items == []


def test_what_cannot_be_deleted_is_told_and_tried_again() -> None:
    cluster = Cluster(controllers=False)
    handle, broken = cluster.handle, [True]

    def failing(request: Any) -> Any:
        if broken[0] and request.verb == "deletecollection" and request.resource == "secrets":
            raise StatusError({"code": 500, "reason": "InternalError", "message": "the disk is full"})
        return handle(request)

    manager = ControllerManager(
        lambda user, agent: Client(failing, user, agent), cluster.loop, ["namespace-controller"], Options()
    )
    manager.start()
    client = cluster.client("admin", "system:masters")
    client.create("namespaces", {"metadata": {"name": "shop"}})
    client.create("configmaps", {"metadata": {"name": "plain", "namespace": "shop"}})
    client.delete("namespaces", "shop")
    cluster.loop.run_for(10)
    why = "Failed to delete all resource types, 1 remaining: the disk is full"
    assert conditions(client, "shop")["NamespaceDeletionContentFailure"] == ("True", why)
    assert client.list("configmaps", "shop").items == []
    broken[0] = False
    assert cluster.loop.run_until(lambda: is_gone(client, "namespaces", "shop"), 120)


def test_the_longest_grace_is_that_of_pods_that_still_run() -> None:
    def one(seconds: int, phase: str) -> Object:
        return {"spec": {"terminationGracePeriodSeconds": seconds}, "status": {"phase": phase}}

    assert longest_grace([one(30, "Running"), one(7, "Pending"), one(90, "Failed")]) == 30
    assert longest_grace([]) == 0


def test_conditions_change_their_time_with_their_truth_only() -> None:
    first = updated({}, troubles(Progress(remaining=Counter({"pods.": 2}))), "t1")
    assert first is not None
    namespace = {"status": {"conditions": first}}
    assert updated(namespace, troubles(Progress(remaining=Counter({"pods.": 2}))), "t2") is None
    second = updated(namespace, troubles(Progress(remaining=Counter({"pods.": 1}))), "t2")
    third = updated(namespace, troubles(Progress()), "t3")
    assert second is not None
    assert third is not None
    times = [{one["type"]: one["lastTransitionTime"] for one in told} for told in (second, third)]
    assert [told["NamespaceContentRemaining"] for told in times] == ["t1", "t3"]
    assert {told["NamespaceFinalizersRemaining"] for told in times} == {"t1"}


# Accounts and certificates


def test_every_namespace_has_a_default_account_and_the_certificate_and_they_come_back() -> None:
    cluster, client = cluster_of()
    uid = client.get("serviceaccounts", "default", "shop")["metadata"]["uid"]
    assert "secrets" not in client.get("serviceaccounts", "default", "shop")
    authority = client.get("configmaps", "kube-root-ca.crt", "shop")["data"]["ca.crt"]
    assert authority.startswith("-----BEGIN CERTIFICATE-----")
    client.delete("serviceaccounts", "default", "shop")
    client.patch("configmaps", "kube-root-ca.crt", {"data": {"ca.crt": "forged"}}, "merge", "shop")
    cluster.loop.settle()
    assert client.get("serviceaccounts", "default", "shop")["metadata"]["uid"] != uid
    assert client.get("configmaps", "kube-root-ca.crt", "shop")["data"] == {"ca.crt": authority}
    client.delete("configmaps", "kube-root-ca.crt", "shop")
    cluster.loop.settle()
    assert not is_gone(client, "configmaps", "kube-root-ca.crt", "shop")


# Tokens


def token_secret(account: str = "default") -> Object:
    told = {"kubernetes.io/service-account.name": account}
    meta = {"name": "token", "namespace": "shop", "annotations": told}
    return {"metadata": meta, "type": "kubernetes.io/service-account-token"}


def review(client: Client, token: str) -> Object:
    return client.create("tokenreviews.authentication.k8s.io", {"spec": {"token": token}})["status"]


def filled() -> tuple[Cluster, Client, str]:
    cluster, client = cluster_of()
    client.create("secrets", token_secret())
    cluster.loop.settle()
    secret = client.get("secrets", "token", "shop")
    assert b64decode(secret["data"]["namespace"]) == b"shop"
    assert b64decode(secret["data"]["ca.crt"]).startswith(b"-----BEGIN CERTIFICATE-----")
    account = client.get("serviceaccounts", "default", "shop")
    assert secret["metadata"]["annotations"]["kubernetes.io/service-account.uid"] == account["metadata"]["uid"]
    assert "secrets" not in account
    return cluster, client, b64decode(secret["data"]["token"]).decode()


def test_a_token_secret_is_filled_with_a_legacy_token_that_authenticates() -> None:
    _, client, token = filled()
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["iss"] == "kubernetes/serviceaccount"
    assert claims["kubernetes.io/serviceaccount/secret.name"] == "token"
    assert "exp" not in claims
    assert "aud" not in claims
    told = review(client, token)
    assert told["authenticated"]
    assert told["user"]["username"] == "system:serviceaccount:shop:default"
    assert "extra" not in told["user"]


def test_a_legacy_token_ends_with_its_account_and_so_does_the_secret() -> None:
    cluster, client, token = filled()
    client.delete("serviceaccounts", "default", "shop")
    assert not review(client, token).get("authenticated")
    cluster.loop.settle()
    assert is_gone(client, "secrets", "token", "shop")


@pytest.mark.parametrize("change", ["deleted", "emptied"])
def test_a_legacy_token_ends_with_its_secret(change: str) -> None:
    cluster, client, token = filled()
    if change == "deleted":
        client.delete("secrets", "token", "shop")
    else:
        client.patch("secrets", "token", {"data": {"token": None}}, "merge", "shop")
    assert not review(client, token).get("authenticated")
    cluster.loop.settle()
    assert not client.get("serviceaccounts", "default", "shop").get("secrets")


def test_a_token_secret_of_no_account_is_deleted() -> None:
    cluster, client = cluster_of()
    client.create("secrets", token_secret("nobody"))
    cluster.loop.settle()
    assert is_gone(client, "secrets", "token", "shop")


# Admission of Pods


def test_a_pod_gets_the_default_account_and_its_token_in_every_container() -> None:
    _, client = cluster_of()
    spec = client.create(
        "pods",
        pod(
            initContainers=[{"name": "init", "image": "i"}],
            containers=[
                {"name": "a", "image": "i"},
                {
                    "name": "b",
                    "image": "i",
                    "volumeMounts": [{"name": "own", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}],
                },
            ],
            volumes=[{"name": "own", "emptyDir": {}}],
        ),
    )["spec"]
    assert spec["serviceAccountName"] == spec["serviceAccount"] == "default"
    volume = spec["volumes"][-1]
    assert volume["name"].startswith("kube-api-access-")
    assert len(volume["name"]) == len("kube-api-access-") + 5
    assert [next(iter(source)) for source in volume["projected"]["sources"]] == [
        "serviceAccountToken",
        "configMap",
        "downwardAPI",
    ]
    mounts = [container["volumeMounts"][0]["name"] for container in (*spec["initContainers"], *spec["containers"])]
    assert mounts == [volume["name"], volume["name"], "own"]


@pytest.mark.parametrize(
    ("account", "asked", "mounted"),
    [(False, None, False), (False, True, True), (True, False, False), (None, None, True)],
)
def test_the_pods_word_on_its_token_counts_more_than_the_accounts(
    account: bool | None, asked: bool | None, mounted: bool
) -> None:
    _, client = cluster_of()
    given: Object = {"metadata": {"name": "shy", "namespace": "shop"}, "imagePullSecrets": [{"name": "pull"}]}
    if account is not None:
        given["automountServiceAccountToken"] = account
    client.create("serviceaccounts", given)
    wish = {} if asked is None else {"automountServiceAccountToken": asked}
    spec = client.create("pods", pod(serviceAccountName="shy", **wish))["spec"]
    assert ("volumes" in spec) == mounted
    assert spec["imagePullSecrets"] == [{"name": "pull"}]
    other = client.create("pods", pod("other", serviceAccountName="shy", imagePullSecrets=[{"name": "own"}]))["spec"]
    assert other["imagePullSecrets"] == [{"name": "own"}]


def test_a_pod_of_an_account_that_does_not_exist_is_refused() -> None:
    _, client = cluster_of()
    refusal = refusal_of(client, pod(serviceAccountName="nobody"))
    why = 'error looking up service account shop/nobody: serviceaccount "nobody" not found'
    assert (refusal.code, refusal.message) == (403, f'pods "web" is forbidden: {why}')


def test_pods_of_one_template_share_their_spec_also_after_admission() -> None:
    _, client = cluster_of()
    template = pod()["spec"]
    first, second = (
        client.create("pods", {"metadata": {"name": name, "namespace": "shop"}, "spec": template}) for name in "ab"
    )
    assert first["spec"] is second["spec"]


def test_fields_that_admission_sets_are_not_the_users() -> None:
    _, client = cluster_of()
    (entry,) = client.create("pods", pod())["metadata"]["managedFields"]
    assert not {"f:volumes", "f:serviceAccountName", "f:tolerations", "f:priority"} & entry["fieldsV1"]["f:spec"].keys()


def test_a_pod_stays_five_minutes_unless_it_says_otherwise() -> None:
    _, client = cluster_of()
    key = "node.kubernetes.io/not-ready"
    own = {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}
    spec = client.create("pods", pod(tolerations=[own]))["spec"]
    assert {one["key"]: one["tolerationSeconds"] for one in spec["tolerations"]} == {
        key: 5,
        "node.kubernetes.io/unreachable": 300,
    }
    assert client.create("pods", pod("all", tolerations=[{"operator": "Exists"}]))["spec"]["tolerations"] == [
        {"operator": "Exists"}
    ]


def priority_class(name: str, value: int, **more: Any) -> Object:
    return {"metadata": {"name": name}, "value": value, **more}


CLASSES = "priorityclasses.scheduling.k8s.io"


def test_a_pods_priority_is_its_classs() -> None:
    _, client = cluster_of()
    client.create(CLASSES, priority_class("high", 1000, preemptionPolicy="Never"))
    spec = client.create("pods", pod(priorityClassName="high"))["spec"]
    assert (spec["priority"], spec["preemptionPolicy"]) == (1000, "Never")
    plain = client.create("pods", pod("plain"))["spec"]
    assert (plain["priority"], plain["preemptionPolicy"]) == (0, "PreemptLowerPriority")
    assert "priorityClassName" not in plain
    client.create(CLASSES, priority_class("usual", 7, globalDefault=True))
    usual = client.create("pods", pod("usual"))["spec"]
    assert (usual["priority"], usual["priorityClassName"]) == (7, "usual")
    assert client.create("pods", pod("sys", priorityClassName="system-node-critical"))["spec"]["priority"] == 2000001000


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"priorityClassName": "none"}, "no PriorityClass with name none was found"),
        ({"priority": 3}, "the integer value of priority (3) must not be provided in pod spec"),
        (
            {"preemptionPolicy": "Never"},
            "the string value of PreemptionPolicy (Never) must not be provided in pod spec",
        ),
    ],
)
def test_a_priority_of_ones_own_is_refused(spec: Object, why: str) -> None:
    _, client = cluster_of()
    refusal = refusal_of(client, pod(**spec))
    assert refusal.code == 403
    assert why in refusal.message


def test_only_one_class_is_the_default() -> None:
    _, client = cluster_of()
    client.create(CLASSES, priority_class("one", 1, globalDefault=True))
    refusal = refusal_of(client, priority_class("two", 2, globalDefault=True), CLASSES)
    assert refusal.code == 403
    assert "PriorityClass one is already marked as default" in refusal.message
    one = client.get(CLASSES, "one")
    client.update(CLASSES, {**one, "description": "It may change itself."})
