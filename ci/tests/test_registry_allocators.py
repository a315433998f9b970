"""ClusterIPs and node ports: unique, given back, exact when two ask at once, and set right when somebody meddles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refkube.api.kinds import preferred
from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.meta import Object
from refkube.engine.clock import VirtualClock
from refkube.engine.ids import Ids
from refkube.engine.loop import Loop
from refkube.registry.allocators import ADDRESSES, NODE_PORTS
from refkube.registry.registry import Registry
from refkube.registry.repair import Repair
from refkube.registry.storage import Storage, Write, stamp
from refkube.store.etcd import EtcdStore
from refkube.store.kv import Delete, Put, Store, prefix_end
from refkube.store.memory import MemoryStore
from store_backends import NEED_ETCD, shared_etcd


class Interrupted(MemoryStore):
    """A store in which somebody else is faster: `before` is called ahead of the next transaction."""

    before: Callable[[], object] | None = None

    def txn(self, compares: Sequence[Any], success: Sequence[Any]) -> Any:
        call, self.before = self.before, None
        if call is not None:
            call()
        return super().txn(compares, success)


def a_registry(store: Store, seed: int = 0, **ranges: Any) -> Registry:
    return Registry(store, Loop(VirtualClock()), Ids(seed), **ranges)


def services(registry: Registry) -> Storage:
    return registry.storage(preferred("services"))


def a_service(name: str, type: str = "ClusterIP", port: Object | None = None, **spec: Any) -> Object:
    base: Object = {"type": type, "sessionAffinity": "None", "internalTrafficPolicy": "Cluster", "ports": []}
    base["ports"].append({"port": 80, "protocol": "TCP", "targetPort": 80, **(port or {})})
    if type in ("NodePort", "LoadBalancer"):
        base["externalTrafficPolicy"] = "Cluster"
    if type == "LoadBalancer":
        base["allocateLoadBalancerNodePorts"] = True
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {**base, **spec}}


def create(registry: Registry, service: Object, **write: Any) -> Object:
    return services(registry).create(service, "default", Write(**write)).value


def delete(registry: Registry, name: str) -> None:
    services(registry).delete("default", name, {}, Write())


def addresses(store: Store) -> list[str]:
    return [kv.value["metadata"]["name"] for kv in store.range(ADDRESSES, prefix_end(ADDRESSES)).kvs]


def ports(store: Store, first: int = 30000) -> set[int]:
    kv = store.get(NODE_PORTS)
    bits = int(kv.value["data"], 16) if kv else 0
    return {first + index for index in range(bits.bit_length()) if bits >> index & 1}


def test_addresses_come_from_above_those_kept_for_who_asks_and_from_there_when_these_are_gone() -> None:
    registry = a_registry(MemoryStore(stamp), service_ranges=("10.0.0.0/27",))
    given = [create(registry, a_service(f"s{number}"))["spec"]["clusterIP"] for number in range(30)]
    assert len(set(given)) == 30
    assert {int(ip.rpartition(".")[2]) for ip in given[:14]} == set(range(17, 31))
    with pytest.raises(StatusError, match="failed to allocate a serviceIP: range is full") as refusal:
        create(registry, a_service("one-more"))
    assert refusal.value.code == 500
    delete(registry, "s7")
    assert create(registry, a_service("one-more"))["spec"]["clusterIP"] == given[7]


def test_node_ports_come_from_above_those_kept_for_who_asks() -> None:
    registry = a_registry(MemoryStore(stamp), node_ports=(30000, 30031))
    given = [create(registry, a_service(f"s{n}", "NodePort"))["spec"]["ports"][0]["nodePort"] for n in range(32)]
    assert set(given[:16]) == set(range(30016, 30032))
    assert set(given) == set(range(30000, 30032))
    with pytest.raises(StatusError, match="failed to allocate a nodePort: range is full"):
        create(registry, a_service("one-more", "NodePort"))


def test_of_two_who_get_the_same_address_at_once_one_gets_another() -> None:
    store = Interrupted(stamp)
    one, other = a_registry(store, seed=1), a_registry(store, seed=1)  # whose choices are the same
    store.before = lambda: create(other, a_service("b", "NodePort"))
    first = create(one, a_service("a", "NodePort"))["spec"]
    second = services(one).get("default", "b").value["spec"]
    assert first["clusterIP"] != second["clusterIP"]
    assert first["ports"][0]["nodePort"] != second["ports"][0]["nodePort"]
    assert sorted(addresses(store)) == sorted([first["clusterIP"], second["clusterIP"]])


def test_of_two_who_ask_for_the_same_address_at_once_one_is_refused() -> None:
    store = Interrupted(stamp)
    one, other = a_registry(store, seed=1), a_registry(store, seed=2)
    store.before = lambda: create(other, a_service("b", clusterIP="10.96.0.10"))
    with pytest.raises(StatusError, match=r"failed to allocate IP 10\.96\.0\.10: provided IP is already allocated"):
        create(one, a_service("a", clusterIP="10.96.0.10"))
    assert addresses(store) == ["10.96.0.10"]


def test_nothing_is_allotted_by_what_is_refused_or_only_tried() -> None:
    store = MemoryStore(stamp)
    registry = a_registry(store)
    with pytest.raises(StatusError):
        create(registry, a_service("a", "NodePort", {"port": 0}))
    create(registry, a_service("b", "NodePort"), dry_run=True)
    assert (addresses(store), ports(store)) == ([], set())


def test_each_family_has_its_address_and_the_second_may_go() -> None:
    store = MemoryStore(stamp)
    registry = a_registry(store, service_ranges=("10.96.0.0/12", "fd00::/108"))
    spec = create(registry, a_service("a", ipFamilyPolicy="PreferDualStack"))["spec"]
    assert spec["ipFamilies"] == ["IPv4", "IPv6"]
    assert sorted(addresses(store)) == sorted(spec["clusterIPs"])
    kv, _ = services(registry).update(
        "default", "a", lambda old: {**old, "spec": {**old["spec"], "ipFamilyPolicy": "SingleStack"}}, Write()
    )
    assert kv.value["spec"]["ipFamilies"] == ["IPv4"]
    assert addresses(store) == kv.value["spec"]["clusterIPs"] == spec["clusterIPs"][:1]


TYPES = ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName", "headless", "local")


def as_type(spec: Object, kind: str) -> Object:
    """The spec that a user would write to change a Service to this type."""
    made = a_service("x", {"headless": "ClusterIP", "local": "LoadBalancer"}.get(kind, kind))["spec"]
    if kind == "headless" and spec.get("clusterIP") in (None, "", "None"):
        made["clusterIP"] = "None"
    if kind == "local":
        made["externalTrafficPolicy"] = "Local"
    if kind == "ExternalName":
        made["externalName"] = "example.com"
    return made


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from((*TYPES, "delete"))), max_size=40), st.integers(0, 9))
def test_what_is_allotted_is_what_services_hold(steps: list[tuple[int, str]], seed: int) -> None:
    store = MemoryStore(stamp)
    registry = a_registry(store, seed, service_ranges=("10.0.0.0/28",), node_ports=(30000, 30019))
    for number, kind in steps:
        name = f"s{number}"
        old = store.get(f"/registry/services/default/{name}")
        try:
            if kind == "delete":
                delete(registry, name)
            elif old is None:
                create(registry, {**a_service(name), "spec": as_type({}, kind)})
            else:
                spec = as_type(old.value["spec"], kind)
                services(registry).update("default", name, lambda old, spec=spec: {**old, "spec": spec}, Write())
        except StatusError as refusal:
            if refusal.code not in (404, 422):  # 500: a range is full
                raise
        specs = [kv.value["spec"] for kv in store.range("/registry/services/", "/registry/services0").kvs]
        held = [ip for spec in specs for ip in spec.get("clusterIPs") or () if ip != "None"]
        node_ports = [port["nodePort"] for spec in specs for port in spec.get("ports") or () if "nodePort" in port]
        node_ports += [spec["healthCheckNodePort"] for spec in specs if spec.get("healthCheckNodePort")]
        assert sorted(held) == sorted(addresses(store))
        assert len(set(node_ports)) == len(node_ports)
        assert set(node_ports) == ports(store)


def test_repair_records_what_is_held_and_frees_what_is_not() -> None:
    store, told = MemoryStore(stamp), []
    registry = a_registry(store)
    loop = Loop(VirtualClock())
    repair = Repair(registry.allocator, loop, lambda about, reason, message: told.append(reason))
    ip = create(registry, a_service("a", "NodePort"))["spec"]["clusterIP"]
    before = ports(store)
    leaked = ADDRESSES + "10.96.0.99"
    record = registry.allocator.address(leaked, a_service("gone"))
    store.txn([], [Delete(ADDRESSES + ip), Put(leaked, record), Put(NODE_PORTS, {"metadata": {}, "data": "7"})])
    repair.run()
    assert addresses(store) == [ip]
    assert ports(store) == before
    assert sorted(told) == ["ClusterIPNotAllocated", "IPAddressNotAllocated", "PortNotAllocated"]
    repair.start()
    store.txn([], [Delete(ADDRESSES + ip)])
    loop.settle()
    assert addresses(store) == [ip], "a record deleted under its Service comes back at once"
    repair.stop()


@NEED_ETCD
def test_api_servers_over_one_etcd_allot_everything_once() -> None:
    url, prefix = shared_etcd(), "/allotted"
    ranges: Any = {"service_ranges": ("10.0.0.0/26",), "node_ports": (30000, 30049)}

    def make(server: int) -> list[Object]:
        store = EtcdStore(url, lambda *call: None, prefix=prefix, stamp=stamp)
        registry = a_registry(store, 7, **ranges)  # whose choices are the others'
        made = [create(registry, a_service(f"s{server}-{number}", "NodePort")) for number in range(12)]
        delete(registry, f"s{server}-0")
        store.close()
        return [service["spec"] for service in made[1:]]

    with ThreadPoolExecutor() as pool:
        specs = [spec for made in pool.map(make, range(4)) for spec in made]
    store = EtcdStore(url, lambda *call: None, prefix=prefix, stamp=stamp)
    assert len(specs) == 44
    assert sorted({spec["clusterIP"] for spec in specs}) == sorted(addresses(store))
    assert {spec["ports"][0]["nodePort"] for spec in specs} == ports(store)
    assert len(addresses(store)) == len(ports(store)) == 44
    store.close()
