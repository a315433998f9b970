"""Quotas on a whole cluster: what is charged is what is there, whoever writes at the same time."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refkube.admission.chain import Attributes
from refkube.admission.plugins.resourcequota import ResourceQuota
from refkube.api.kinds import preferred
from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object
from refkube.apimachinery.quantity import Quantity, parse
from refkube.client.client import Client
from refkube.cluster import ApiServer, Cluster
from refkube.quota.evaluators import evaluators_of
from refkube.quota.usage import Evaluator, Usage, used
from refkube.store.kv import Compare, Put, Txn

CONTROLLERS = ("resourcequota-controller", "serviceaccount-controller")


def cluster_with(*hard: Object, **spec: Any) -> tuple[Cluster, Client]:
    cluster = Cluster(controllers=CONTROLLERS)
    user = cluster.client("user", "system:masters")
    for number, limits in enumerate(hard):
        make(user, "resourcequotas", "ResourceQuota", f"q{number}", spec={"hard": limits, **spec})
    cluster.loop.run_for(1)
    return cluster, user


def make(user: Client, resource: str, kind: str, name: str, **rest: Any) -> Object:
    dry_run = rest.pop("dry_run", False)
    obj = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "default"}, **rest}
    return user.create(resource, obj, dry_run=dry_run)


def pod(user: Client, name: str, cpu: str = "", limit: str = "", **rest: Any) -> Object:
    resources = {side: {"cpu": amount} for side, amount in (("requests", cpu), ("limits", limit)) if amount}
    spec = {"containers": [{"name": "main", "image": "x", "resources": resources}]}
    return make(user, "pods", "Pod", name, spec=spec, **rest)


def status(user: Client, name: str = "q0") -> dict[str, dict[str, str]]:
    return user.get("resourcequotas", name, "default")["status"]


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(StatusError) as caught:
        call()
    assert caught.value.code == 403
    return caught.value.message


def test_a_quota_is_charged_at_once_refuses_beyond_its_limit_and_gets_back_what_goes() -> None:
    cluster, user = cluster_with({"pods": "2", "requests.cpu": "1"})
    pod(user, "a", "600m")
    assert status(user)["used"] == {"pods": "1", "requests.cpu": "600m"}
    why = 'pods "b" is forbidden: exceeded quota: q0, requested: requests.cpu=600m, used: requests.cpu=600m, '
    assert refused(lambda: pod(user, "b", "600m")) == why + "limited: requests.cpu=1"
    why = 'pods "b" is forbidden: failed quota: q0: must specify requests.cpu for: main'
    assert refused(lambda: pod(user, "b")) == why
    pod(user, "b", "400m")
    user.delete("pods", "a", "default")
    cluster.loop.run_for(1)
    assert status(user)["used"] == {"pods": "1", "requests.cpu": "400m"}


def test_a_dry_run_is_refused_alike_and_charges_nothing() -> None:
    _, user = cluster_with({"pods": "1"})
    pod(user, "a", dry_run=True)
    assert status(user)["used"] == {"pods": "0"}
    pod(user, "a")
    assert "exceeded quota" in refused(lambda: pod(user, "b", dry_run=True))


def test_nothing_is_charged_to_one_quota_that_another_refuses() -> None:
    _, user = cluster_with({"pods": "5"}, {"count/pods": "1"})
    pod(user, "a")
    assert "exceeded quota: q1" in refused(lambda: pod(user, "b"))
    assert status(user, "q0")["used"] == {"pods": "1"}


def test_the_limits_in_force_follow_the_spec_and_usage_beyond_them_stays() -> None:
    cluster, user = cluster_with({"pods": "5"})
    pod(user, "a")
    pod(user, "b")
    user.patch("resourcequotas", "q0", {"spec": {"hard": {"pods": "1", "configmaps": "2"}}}, namespace="default")
    cluster.loop.run_for(1)
    assert status(user) == {"hard": {"pods": "1", "configmaps": "2"}, "used": {"pods": "2", "configmaps": "0"}}
    assert "exceeded quota" in refused(lambda: pod(user, "c"))


def test_a_quota_that_is_not_measured_yet_refuses_what_it_will_count() -> None:
    cluster, user = cluster_with()
    make(user, "resourcequotas", "ResourceQuota", "q0", spec={"hard": {"pods": "5"}})
    unmeasured = {**user.get("resourcequotas", "q0", "default"), "status": {"hard": {"pods": "5"}}}
    user.update_status("resourcequotas", unmeasured)
    assert "status unknown for quota: q0, resources: pods" in refused(lambda: pod(user, "a"))
    cluster.loop.run_for(1)
    pod(user, "a")


def test_what_went_amiss_is_put_right_by_the_timer() -> None:
    cluster, user = cluster_with({"pods": "5"})
    pod(user, "a")
    with pytest.raises(StatusError):
        pod(user, "a")  # the name is taken: found out after the charge
    assert status(user)["used"] == {"pods": "2"}
    cluster.loop.run_for(301)
    assert status(user)["used"] == {"pods": "1"}


def test_an_update_is_charged_by_what_it_adds() -> None:
    cluster, user = cluster_with({"services.nodeports": "2", "services": "2"})  # one is the Service kubernetes
    ports = [{"name": "a", "port": 80}, {"name": "b", "port": 81}]
    make(user, "services", "Service", "s", spec={"ports": ports})
    user.patch("services", "s", {"spec": {"type": "NodePort"}}, namespace="default")
    assert status(user)["used"] == {"services.nodeports": "2", "services": "2"}
    user.patch("services", "s", {"metadata": {"labels": {"a": "b"}}}, namespace="default")
    user.patch("services", "s", {"spec": {"type": "ClusterIP"}}, namespace="default")
    cluster.loop.run_for(1)
    assert status(user)["used"] == {"services.nodeports": "0", "services": "2"}


def test_what_counts_is_the_quota_as_it_is_stored_not_as_it_was_last_seen() -> None:
    def quota(used: str) -> Object:
        state = {"hard": {"count/configmaps": "1"}, "used": {"count/configmaps": used}}
        return {"metadata": {"name": "q", "namespace": "default"}, "spec": {}, "status": state}

    plugin = ResourceQuota(lambda namespace: [quota("0")], lambda seen, change: change(quota("1")) and None, float)
    asked = Attributes("CREATE", preferred("configmaps"), "default", "m", "", {"metadata": {"name": "m"}}, None)
    assert "used: count/configmaps=1" in refused(lambda: plugin.validate(asked))


def test_two_api_servers_share_one_quota() -> None:
    cluster, user = cluster_with({"count/configmaps": "3"})
    other = ApiServer(cluster.store, cluster.loop, cluster.ids, {})
    users = [user, Client(other.handle, user.user)]
    for number in range(6):
        if number < 3:
            make(users[number % 2], "configmaps", "ConfigMap", f"m{number}")
        else:
            assert "exceeded quota" in refused(lambda by=users[number % 2]: make(by, "configmaps", "ConfigMap", "more"))
    there = len(user.list("configmaps", "default").items)
    assert (there, status(user)["used"]) == (3, {"count/configmaps": "3"})


HARD = {"pods": "4", "requests.cpu": "2", "count/configmaps": "3", "services.nodeports": "2", "requests.storage": "9Gi"}
NAMES = st.sampled_from(["a", "b", "c", "d"])
ACTIONS = st.one_of(
    st.tuples(st.just("pod"), NAMES, st.sampled_from(["100m", "700m", "2"])),
    st.tuples(st.just("end"), NAMES, st.sampled_from(["Failed", "Running"])),
    st.tuples(st.just("map"), NAMES, st.just("")),
    st.tuples(st.just("service"), NAMES, st.sampled_from(["ClusterIP", "NodePort", "LoadBalancer"])),
    st.tuples(st.just("retype"), NAMES, st.sampled_from(["ClusterIP", "NodePort"])),
    st.tuples(st.just("claim"), NAMES, st.sampled_from(["1Gi", "5Gi"])),
    st.tuples(st.just("delete"), NAMES, st.sampled_from(["pods", "configmaps", "services", "persistentvolumeclaims"])),
    st.tuples(st.just("wait"), st.just(""), st.just("")),
)


def act(cluster: Cluster, user: Client, what: str, name: str, how: str) -> None:
    if what == "pod":
        pod(user, name, how)
    elif what == "end":
        user.patch("pods", name, {"status": {"phase": how}}, namespace="default", subresource="status")
    elif what == "map":
        make(user, "configmaps", "ConfigMap", name)
    elif what == "service":
        make(user, "services", "Service", name, spec={"type": how, "ports": [{"port": 80}]})
    elif what == "retype":
        user.patch("services", name, {"spec": {"type": how}}, namespace="default")
    elif what == "claim":
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": how}}}
        make(user, "persistentvolumeclaims", "PersistentVolumeClaim", name, spec=spec)
    elif what == "delete":
        user.delete(how, name, "default", grace_period=0)
    else:
        cluster.loop.run_for(1)


def measured(evaluator: Evaluator, now: float, obj: Object) -> Usage:
    return evaluator.usage(obj, now)


def there(cluster: Cluster, user: Client, hard: Object) -> dict[str, Quantity]:
    total: dict[str, Quantity] = {}
    for evaluator in evaluators_of(hard):
        objects = user.list(evaluator.resource, "default").items
        total |= used({"hard": hard}, evaluator, objects, partial(measured, evaluator, cluster.loop.now()))
    return total


def disturb(cluster: Cluster, user: Client, chance: random.Random) -> None:
    """Before a third of the writes of a quota somebody else writes it."""
    txn = cluster.store.txn
    busy = False

    def disturbed(compares: Any, success: Any) -> Txn:
        nonlocal busy
        about = [compare.key for compare in compares if compare.key.startswith("/registry/resourcequotas/")]
        if about and not busy and chance.random() < 0.33:
            kv = cluster.store.get(about[0])
            if kv is not None:
                busy = True
                labels = {"label": str(chance.random())}
                changed = {**kv.value, "metadata": {**kv.value["metadata"], "labels": labels}}
                txn([Compare(kv.key, kv.mod_revision)], [Put(kv.key, changed)])
                busy = False
        return txn(compares, success)

    cluster.store.txn = disturbed  # type: ignore[method-assign]


@settings(max_examples=40, deadline=None)
@given(actions=st.lists(ACTIONS, max_size=25), seed=st.integers(0, 999))
def test_usage_is_the_sum_of_what_is_there(actions: list[tuple[str, str, str]], seed: int) -> None:
    cluster, user = cluster_with(HARD, {"pods": "3"})
    disturb(cluster, user, random.Random(seed))
    for action in actions:
        with suppress(StatusError):
            act(cluster, user, *action)
        for name, hard in (("q0", HARD), ("q1", {"pods": "3"})):
            seen, real = status(user, name)["used"], there(cluster, user, hard)
            assert all(parse(seen[key]) >= amount for key, amount in real.items()), "charged too little"
            assert all(parse(amount) >= parse(seen[key]) for key, amount in hard.items()), "charged beyond the limit"
    cluster.loop.run_for(302)
    for name, hard in (("q0", HARD), ("q1", {"pods": "3"})):
        assert {key: parse(amount) for key, amount in status(user, name)["used"].items()} == there(cluster, user, hard)
    cluster.close()
