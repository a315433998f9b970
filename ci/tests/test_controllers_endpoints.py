"""Endpoints, EndpointSlices and mirrors: how slices are packed, and what of a Pod is seen behind its Service."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refkube.apimachinery.meta import Object
from refkube.apimachinery.rest import Handle, Request, Response
from refkube.client.client import Client
from refkube.cluster import Cluster, ControllerManager
from refkube.controllers.common.context import Options
from refkube.controllers.common.membership import Port
from refkube.controllers.common.slices import SLICES
from refkube.controllers.endpoint import Addresses, Entry, truncated
from refkube.controllers.endpointslice import Packing, Slice, Wanted
from refkube.controllers.endpointslicemirroring import mirrored

NAMES = ("endpoints-controller", "endpointslice-controller", "endpointslice-mirroring-controller")
HTTP, ALT = (Port("http", 8080, "TCP", ""),), (Port("http", 9090, "TCP", ""),)


def an_endpoint(key: str, ready: bool = True) -> Object:
    namespace, _, name = key.partition("/")
    ref = {"kind": "Pod", "namespace": namespace, "name": name}
    return {"addresses": [f"10.0.0.{name}"], "conditions": {"ready": ready}, "targetRef": ref}


def written(piece: Slice, number: int) -> None:
    """As the API server would have stored it."""
    ports = [port.as_object() for port in piece.ports]
    name = piece.obj["metadata"]["name"] if piece.obj else f"slice-{number}"
    piece.obj = {"metadata": {"name": name}, "endpoints": list(piece.members.values()), "ports": ports}


changes = st.dictionaries(
    st.integers(0, 40).map(lambda number: f"ns/{number}"),
    st.one_of(st.none(), st.tuples(st.sampled_from((HTTP, ALT)), st.booleans())),
    max_size=20,
)


@settings(max_examples=100, deadline=None)
@given(st.lists(changes, max_size=8))
def test_every_endpoint_is_in_one_slice_of_its_ports_and_few_are_rewritten(rounds: list[dict[str, Any]]) -> None:
    packing, desired, limit = Packing(5), {}, 5
    for number, asked in enumerate(rounds):
        wanted = {key: Wanted(want[0], an_endpoint(key, want[1])) if want else None for key, want in asked.items()}
        changed = sum(desired.get(key) != want for key, want in wanted.items())
        desired.update(wanted)
        write, drop = packing.change(wanted)
        for index, piece in enumerate(write):
            written(piece, number * 100 + index)
        assert not {id(piece) for piece in drop} & {id(piece) for piece in packing.slices}
        assert len(write) + len(drop) <= max(2 * changed, 1)
        found = {}
        for piece in packing.slices:
            assert len(piece.members) <= limit
            assert piece.obj is not None
            assert piece.obj["endpoints"] == list(piece.members.values()), "what differs is written"
            found.update({key: Wanted(piece.ports, endpoint) for key, endpoint in piece.members.items()})
        assert found == {key: want for key, want in desired.items() if want}
        assert sum(len(piece.members) for piece in packing.slices) == len(found)
        assert bool(found) == all(piece.members for piece in packing.slices), "an empty slice only where there is none"
        again = Packing(5, [piece.obj for piece in packing.slices if piece.obj])
        assert again.change({key: want for key, want in desired.items() if want}) == ([], [])


def test_a_new_endpoint_goes_where_slices_get_fullest() -> None:
    packing = Packing(4)
    first = {f"ns/{number}": Wanted(HTTP, an_endpoint(f"ns/{number}")) for number in range(8)}
    for index, piece in enumerate(packing.change(first)[0]):
        written(piece, index)
    packing.change({"ns/0": None, "ns/1": None, "ns/7": None})
    write, _ = packing.change({"ns/9": Wanted(HTTP, an_endpoint("ns/9"))})
    assert [sorted(piece.members) for piece in write] == [["ns/4", "ns/5", "ns/6", "ns/9"]]


def an_entry(number: int, ports: tuple[Port, ...] = HTTP, ready: bool = True) -> Entry:
    return Entry(ports, ready, {"ip": f"10.0.{number // 256}.{number % 256}", "targetRef": {"uid": str(number)}})


def test_ports_share_a_subset_where_they_have_the_same_addresses() -> None:
    addresses, metrics = Addresses(), Port("metrics", 9100, "TCP", "")
    addresses.put("a", an_entry(1, (*HTTP, metrics)))
    addresses.put("b", an_entry(2, (*HTTP, metrics), ready=False))
    assert [
        (len(subset["addresses"]), len(subset["notReadyAddresses"]), len(subset["ports"]))
        for subset in addresses.subsets()
    ] == [(1, 1, 2)]
    addresses.put("b", an_entry(2, (*ALT, metrics), ready=False))
    told = {
        subset["ports"][0]["port"]: (subset.get("addresses"), subset.get("notReadyAddresses"))
        for subset in addresses.subsets()
    }
    assert {port: (bool(ready), bool(waiting)) for port, (ready, waiting) in told.items()} == {
        8080: (True, False),
        9090: (False, True),
        9100: (True, True),
    }
    assert not addresses.put("a", an_entry(1, (*HTTP, metrics)))
    assert addresses.put("a", None)
    assert addresses.put("b", None)
    assert addresses.subsets() == []


def test_a_thousand_addresses_are_listed_those_that_are_not_ready_go_first() -> None:
    addresses = Addresses()
    for number in range(1100):
        addresses.put(str(number), an_entry(number, HTTP if number % 3 else ALT, ready=number % 2 == 0))
    subsets, cut = truncated(addresses.subsets())
    ready = sum(len(subset.get("addresses", ())) for subset in subsets)
    assert (cut, ready) == (True, 550)
    assert ready + sum(len(subset.get("notReadyAddresses", ())) for subset in subsets) == 1000
    for number in range(1100):
        addresses.put(str(number), an_entry(number, HTTP, ready=number < 1050))
    subsets, _ = truncated(addresses.subsets())
    assert [(len(subset["addresses"]), "notReadyAddresses" in subset) for subset in subsets] == [(1000, False)]


def test_a_mirror_has_a_slice_for_each_family_and_leaves_out_what_is_too_much() -> None:
    told = [{"ip": "10.0.0.1"}, {"ip": "fd00::1", "nodeName": "n"}]
    endpoints = {"subsets": [{"addresses": told, "notReadyAddresses": [{"ip": "10.0.0.2"}], "ports": [{"port": 80}]}]}
    groups, skipped = mirrored(endpoints, 1000)
    assert skipped == 0
    assert {
        family: [(one["addresses"], one["conditions"]["ready"]) for one in members]
        for (family, _), members in groups.items()
    } == {
        "IPv4": [(["10.0.0.1"], True), (["10.0.0.2"], False)],
        "IPv6": [(["fd00::1"], True)],
    }
    assert mirrored(endpoints, 2)[1] == 1


class Setting:
    """A Service "web" and Pods behind it, on a node that is there."""

    def __init__(self, cluster: Cluster | None = None, **spec: Any):
        self.cluster = cluster or Cluster(controllers=NAMES)
        self.client: Client = self.cluster.client("admin", "system:masters")
        meta = {"name": "n1", "labels": {"topology.kubernetes.io/zone": "z1"}}
        self.client.create("nodes", {"apiVersion": "v1", "kind": "Node", "metadata": meta})
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "default", "namespace": "default"},
        }
        self.client.create("serviceaccounts", account)
        spec = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}], **spec}
        self.service = self.client.create("services", self.an_object("Service", "web", spec))
        self.cluster.loop.settle()

    def an_object(self, kind: str, name: str, spec: Object, **labels: str) -> Object:
        meta = {"name": name, "namespace": "default", "labels": labels}
        return {"apiVersion": "v1", "kind": kind, "metadata": meta, "spec": spec}

    def pod(self, name: str, ip: str, ready: bool = True, port: int = 8080, **spec: Any) -> None:
        container = {"name": "c", "image": "i", "ports": [{"name": "http", "containerPort": port}]}
        spec = {"nodeName": "n1", "containers": [container], **spec}
        self.status(self.client.create("pods", self.an_object("Pod", name, spec, app="web")), ip, ready)

    def status(self, pod: Object, ip: str, ready: bool, phase: str = "Running") -> None:
        conditions = [{"type": "Ready", "status": str(ready)}]
        status = {"phase": phase, "podIP": ip, "podIPs": [{"ip": ip}], "conditions": conditions}
        self.client.update_status("pods", {**pod, "status": status})
        self.cluster.loop.settle()

    def slices(self) -> list[Object]:
        return self.client.list(SLICES, "default", label_selector="kubernetes.io/service-name=web").items

    def ready(self) -> dict[str, bool]:
        return {
            one["addresses"][0]: one["conditions"]["ready"] for piece in self.slices() for one in piece["endpoints"]
        }

    def subsets(self) -> list[Object]:
        self.cluster.loop.settle()
        return self.client.get("endpoints", "web", "default").get("subsets") or []

    def delete(self, resource: str, name: str, **options: Any) -> None:
        self.client.delete(resource, name, "default", **options)
        self.cluster.loop.settle()


def test_a_service_without_pods_has_one_empty_slice_and_empty_endpoints() -> None:
    setting = Setting()
    assert [(piece["endpoints"], piece.get("ports")) for piece in setting.slices()] == [([], [])]
    assert setting.subsets() == []


def test_what_becomes_of_a_pod_is_seen_behind_its_service() -> None:
    setting = Setting()
    setting.pod("a", "10.0.0.1")
    setting.pod("b", "10.0.0.2", ready=False)
    assert setting.ready() == {"10.0.0.1": True, "10.0.0.2": False}
    (subset,) = setting.subsets()
    assert [[one["ip"] for one in subset[field]] for field in ("addresses", "notReadyAddresses")] == [
        ["10.0.0.1"],
        ["10.0.0.2"],
    ]
    setting.delete("pods", "a")  # has grace
    (endpoint,) = (one for piece in setting.slices() for one in piece["endpoints"] if one["addresses"] == ["10.0.0.1"])
    assert endpoint["conditions"] == {"ready": False, "serving": True, "terminating": True}
    assert (endpoint["nodeName"], endpoint["zone"]) == ("n1", "z1")
    assert "addresses" not in setting.subsets()[0]
    setting.delete("pods", "a", grace_period=0)
    setting.status(setting.client.get("pods", "b", "default"), "10.0.0.2", True, "Failed")
    assert setting.ready() == {}
    assert setting.subsets() == []


def test_a_named_port_is_each_pods_own() -> None:
    setting = Setting()
    setting.pod("a", "10.0.0.1", port=8080)
    setting.pod("b", "10.0.0.2", port=9090)
    assert sorted(piece["ports"][0]["port"] for piece in setting.slices()) == [8080, 9090]
    assert sorted(subset["ports"][0]["port"] for subset in setting.subsets()) == [8080, 9090]


def test_a_pod_waits_for_its_node_unless_all_addresses_are_published() -> None:
    setting = Setting()
    setting.pod("a", "10.0.0.1", nodeName="n2")
    assert setting.ready() == {}
    setting.client.create("nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n2"}})
    setting.cluster.loop.settle()
    assert setting.ready() == {"10.0.0.1": True}


def test_what_others_do_to_slices_and_endpoints_is_undone() -> None:
    setting = Setting()
    setting.pod("a", "10.0.0.1")
    (piece,) = setting.slices()
    setting.client.update(SLICES, {**piece, "endpoints": []})
    setting.client.update("endpoints", {**setting.client.get("endpoints", "web", "default"), "subsets": []})
    assert len(setting.subsets()) == 1
    assert setting.ready() == {"10.0.0.1": True}
    setting.delete(SLICES, piece["metadata"]["name"])
    setting.delete("endpoints", "web")
    assert len(setting.subsets()) == 1
    assert setting.ready() == {"10.0.0.1": True}


def test_250_pods_are_in_three_slices_and_one_more_touches_one() -> None:
    setting = Setting()
    for number in range(250):
        setting.pod(f"p{number}", f"10.1.{number // 250}.{number % 250 + 1}")
    assert sorted(len(piece["endpoints"]) for piece in setting.slices()) == [50, 100, 100]
    before = {piece["metadata"]["name"]: piece["metadata"]["resourceVersion"] for piece in setting.slices()}
    setting.pod("one-more", "10.2.0.1", ready=False)
    after = {piece["metadata"]["name"]: piece["metadata"]["resourceVersion"] for piece in setting.slices()}
    assert before.keys() == after.keys()
    assert sum(before[name] != after[name] for name in before) == 1
    setting.cluster.loop.run_for(1)  # large Endpoints are written less often
    (subset,) = setting.subsets()
    assert (len(subset["addresses"]), len(subset["notReadyAddresses"])) == (250, 1)


def test_hand_written_endpoints_are_mirrored_until_the_service_goes() -> None:
    setting = Setting(selector=None)
    meta = {"name": "web", "namespace": "default", "labels": {"a": "b"}}
    subsets = [{"addresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 8080}]}]
    setting.client.create("endpoints", {"apiVersion": "v1", "kind": "Endpoints", "metadata": meta, "subsets": subsets})
    assert len(setting.subsets()) == 1
    (piece,) = setting.slices()
    assert piece["metadata"]["labels"] == {
        "a": "b",
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io",
    }
    assert setting.ready() == {"192.0.2.1": True}
    setting.delete("services", "web")
    assert setting.slices() == []
    assert "default/web" not in {one["metadata"]["name"] for one in setting.client.list("endpoints", "default").items}


class Unreliable:
    """The API as a controller sees it on a bad day: calls fail, before or after they have had their effect, and watches
    break off."""

    def __init__(self, handle: Handle, chance: Random):
        self.handle = handle
        self.chance = chance
        self.on = True

    def __call__(self, request: Request) -> Response:
        fails = self.on and self.chance.random() < 0.1
        if fails and self.chance.random() < 0.5:
            raise ConnectionError("not sent")
        response = self.handle(request)
        if fails:
            raise ConnectionError("no answer")
        if response.watch is not None:
            response.watch = Breaking(response.watch, self)
        return response


class Breaking:
    def __init__(self, watch: Any, api: Unreliable):
        self.watch, self.api = watch, api

    def start(self, deliver: Any, closed: Any) -> None:
        def taken(event: Any) -> None:
            if self.api.on and self.api.chance.random() < 0.05:
                self.watch.stop()
                closed()
            else:
                deliver(event)

        self.watch.start(taken, closed)

    def stop(self) -> None:
        self.watch.stop()


@pytest.mark.parametrize("seed", range(20))
def test_after_a_bad_day_endpoints_are_the_pods(seed: int) -> None:
    chance = Random(seed)
    cluster = Cluster(controllers=False, seed=seed)
    api = Unreliable(cluster.handle, chance)
    options = Options(max_endpoints_per_slice=3)
    manager = ControllerManager(lambda user, agent: Client(api, user, agent), cluster.loop, NAMES, options)
    manager.start()
    setting = Setting(cluster=cluster)
    for _ in range(60):
        act(setting, chance)
        cluster.loop.run_for(chance.choice((0, 0, 0.001, 1.0)))
    api.on = False
    cluster.loop.run_for(2000)
    pods = [pod for pod in setting.client.list("pods", "default").items if pod["metadata"]["labels"]["app"] == "web"]
    wanted = {pod["status"]["podIP"]: pod["status"]["conditions"][0]["status"] == "True" for pod in pods}
    alive = {ip: ready for ip, ready in wanted.items() if ip}
    assert setting.ready() == alive
    slices = setting.slices()
    assert all(len(piece["endpoints"]) <= 3 for piece in slices)
    assert all(piece["endpoints"] for piece in slices) or len(slices) == 1
    listed = {one["ip"] for subset in setting.subsets() for one in subset.get("addresses", ())}
    assert listed == {ip for ip, ready in alive.items() if ready}


def act(setting: Setting, chance: Random) -> None:
    """Something that users, kubelets or meddlers do."""
    name = f"p{chance.randrange(12)}"
    pods = {pod["metadata"]["name"]: pod for pod in setting.client.list("pods", "default").items}
    pod = pods.get(name)
    choice = chance.randrange(8)
    if pod is None:
        setting.pod(name, f"10.{chance.randrange(1, 250)}.0.{name[1:]}", chance.random() < 0.5)
    elif choice < 3:
        setting.status(pod, pod["status"]["podIP"], chance.random() < 0.5)
    elif choice < 5:
        setting.delete("pods", name, grace_period=0)
    elif choice == 5:
        label = chance.choice(("web", "other"))
        setting.client.patch("pods", name, {"metadata": {"labels": {"app": label}}}, "merge", "default")
    elif choice == 6 and setting.slices():
        setting.delete(SLICES, chance.choice(setting.slices())["metadata"]["name"])
    else:
        labels = {"metadata": {"labels": {"x": str(chance.randrange(3))}}}
        setting.client.patch("services", "web", labels, "merge", "default")
