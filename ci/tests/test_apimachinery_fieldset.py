"""Field sets: their algebra, the fields of objects, and comparison, against what upstream's API server records."""

from __future__ import annotations

from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refkube.api import schema
from refkube.apimachinery import fieldset
from refkube.apimachinery.fieldset import FieldSet

POD = schema.named("io.k8s.api.core.v1.Pod")
SERVICE = schema.named("io.k8s.api.core.v1.Service")
DEPLOYMENT = schema.named("io.k8s.api.apps.v1.Deployment")
CONFIG_MAP = schema.named("io.k8s.api.core.v1.ConfigMap")
CUSTOM = schema.Schema({"Custom": {"type": "object"}}).node("Custom")

ELEMENTS = ["f:a", "f:b", 'k:{"name":"x"}', 'k:{"port":443}', 'k:{"port":80}', 'v:"x"']
PATHS = st.frozensets(st.lists(st.sampled_from(ELEMENTS), min_size=1, max_size=3).map(tuple), max_size=8)


def members(fields: FieldSet, above: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """A set's paths, told apart from how it is stored."""
    found = set()
    for key, entry in fields.items():
        if key == ".":
            found.add(above)
            continue
        if not entry:
            found.add((*above, key))
        found |= members(entry, (*above, key))
    return found


def pod(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "d", "uid": "u"}, "spec": spec}


# The algebra


@given(PATHS, PATHS)
def test_the_algebra_is_that_of_sets_of_paths(a: frozenset, b: frozenset) -> None:
    one, other = fieldset.from_paths(*a), fieldset.from_paths(*b)
    assert members(one) == a
    assert members(fieldset.union(one, other)) == a | b
    assert members(fieldset.difference(one, other)) == a - b
    assert members(fieldset.intersection(one, other)) == a & b
    below = {path for path in a if not any(path[: len(above)] == above for above in b)}
    assert members(fieldset.strip(one, other)) == below


@given(PATHS, PATHS)
def test_sets_made_in_different_ways_are_one_object(a: frozenset, b: frozenset) -> None:
    one, other = fieldset.from_paths(*a), fieldset.from_paths(*b)
    joined = fieldset.union(one, other)
    assert joined is fieldset.union(other, one) is fieldset.from_paths(*sorted(a | b))
    assert fieldset.union(one, fieldset.intersection(one, other)) is one
    assert fieldset.difference(one, fieldset.difference(other, one)) is one


@given(PATHS)
def test_a_set_from_outside_becomes_the_shared_one(a: frozenset) -> None:
    spelled: FieldSet = {}
    for path in sorted(a, key=len, reverse=True):
        reduce(lambda entry, element: entry.setdefault(element, {}), path, spelled)["."] = {}
    assert fieldset.parse(spelled) is fieldset.from_paths(*a)


def test_the_order_is_upstreams() -> None:
    scrambled = {'v:"x"': {}, 'k:{"port":443}': {}, 'k:{"port":80}': {}, "f:b": {}, "f:a": {"f:z": {}, ".": {}}}
    parsed = fieldset.parse({"f:l": scrambled})["f:l"]
    assert list(parsed) == ["f:a", "f:b", 'k:{"port":80}', 'k:{"port":443}', 'v:"x"']
    assert list(parsed["f:a"]) == [".", "f:z"]


@pytest.mark.parametrize("wrong", [{"x": {}}, {"fx": {}}, {"k:{": {}}, {"v:": {}}, {"k:[]": {}}, {"f:a": []}, [], "x"])
def test_what_is_no_set_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError):
        fieldset.parse(wrong)


def test_elements_of_an_unknown_kind_are_dropped() -> None:
    assert fieldset.parse({"f:a": {}, "z:b": {}}) == {"f:a": {}}


def test_paths_are_told_as_in_conflicts() -> None:
    fields = {"f:spec": {"f:ports": {".": {}, 'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:name": {}}}}}
    fields["f:metadata"] = {"f:finalizers": {'v:"a/b"': {}}, "f:labels": {"f:app.kubernetes.io/name": {}}}
    assert list(fieldset.paths(fieldset.parse(fields))) == [
        '.metadata.finalizers[="a/b"]',
        ".metadata.labels.app.kubernetes.io/name",
        ".spec.ports",
        '.spec.ports[containerPort=80,protocol="TCP"]',
        '.spec.ports[containerPort=80,protocol="TCP"].name',
    ]


# The fields of an object, as one who applies it owns them


@pytest.mark.parametrize(
    ("node", "obj", "expected"),
    [
        pytest.param(CONFIG_MAP, {"data": {"a": "1"}}, {"f:data": {"f:a": {}}}, id="a map's keys, not the map"),
        pytest.param(CONFIG_MAP, {"data": {}}, {"f:data": {}}, id="an empty map"),
        pytest.param(CONFIG_MAP, {"data": None, "immutable": None}, {"f:data": {}, "f:immutable": {}}, id="nulls"),
        pytest.param(
            CONFIG_MAP,
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "creationTimestamp": None}},
            {},
            id="what nobody owns",
        ),
        pytest.param(
            POD,
            pod(containers=[{"name": "a", "image": "i", "args": ["x"], "ports": []}]),
            {"f:spec": {"f:containers": {'k:{"name":"a"}': {".": {}, "f:args": {}, "f:image": {}, "f:name": {}}}}},
            id="items, atomic lists, no empty list",
        ),
        pytest.param(
            SERVICE,
            {"spec": {"selector": {"a": "b"}, "ports": [{"port": 80}]}},
            {
                "f:spec": {
                    "f:selector": {},
                    "f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}}},
                }
            },
            id="an atomic map, a key with a default",
        ),
        pytest.param(
            POD,
            {"metadata": {"finalizers": ["a/b", "<&>"]}},
            {"f:metadata": {"f:finalizers": {'v:"\\u003c\\u0026\\u003e"': {}, 'v:"a/b"': {}}}},
            id="a set",
        ),
        pytest.param(
            POD,
            {"metadata": {"ownerReferences": [{"uid": "u", "name": "n"}]}},
            {"f:metadata": {"f:ownerReferences": {'k:{"uid":"u"}': {}}}},
            id="atomic items",
        ),
        pytest.param(
            POD,
            pod(containers=[{"name": "a", "image": "1"}, {"name": "a", "image": "2"}]),
            {"f:spec": {"f:containers": {'k:{"name":"a"}': {}}}},
            id="items of the same key",
        ),
        pytest.param(
            CUSTOM,
            {"kind": "C", "metadata": {"name": "c", "labels": {"a": "b"}}, "spec": {"kind": "k", "l": [1], "m": {}}},
            {
                "f:metadata": {".": {}, "f:labels": {".": {}, "f:a": {}}},
                "f:spec": {".": {}, "f:kind": {}, "f:l": {}, "f:m": {}},
            },
            id="without a schema",
        ),
    ],
)
def test_the_fields_of_an_object(node: Any, obj: dict[str, Any], expected: FieldSet) -> None:
    fields = fieldset.of(obj, node)
    if node is CUSTOM:
        fields = fieldset.union(fields, fieldset.from_paths(["f:metadata"]))
    assert fields == expected


# Comparison


CONTAINER = {"name": "a", "image": "i"}
WHOLE_CONTAINER = {".": {}, "f:image": {}, "f:name": {}}


@pytest.mark.parametrize(
    ("node", "old", "new", "changed", "removed"),
    [
        pytest.param(CONFIG_MAP, {}, {"data": {"a": "1"}}, {"f:data": {".": {}, "f:a": {}}}, {}, id="a new map"),
        pytest.param(CONFIG_MAP, {"data": {"a": "1"}}, {}, {}, {"f:data": {".": {}, "f:a": {}}}, id="a map that goes"),
        pytest.param(
            CONFIG_MAP,
            {"data": {"a": "1", "b": "2"}},
            {"data": {"a": "3", "c": "4"}},
            {"f:data": {"f:a": {}, "f:c": {}}},
            {"f:data": {"f:b": {}}},
            id="values",
        ),
        pytest.param(CONFIG_MAP, {"data": {"a": "1"}}, {"data": {}}, {}, {"f:data": {"f:a": {}}}, id="emptied"),
        pytest.param(
            POD,
            {},
            pod(containers=[CONTAINER]),
            {"f:spec": {"f:containers": {'k:{"name":"a"}': WHOLE_CONTAINER}}},
            {},
            id="creation: what Go's types always have is not added",
        ),
        pytest.param(
            POD,
            pod(containers=[CONTAINER]),
            pod(containers=[CONTAINER], securityContext={"runAsUser": 1}, volumes=[{"name": "v"}]),
            {
                "f:spec": {
                    "f:securityContext": {".": {}, "f:runAsUser": {}},
                    "f:volumes": {".": {}, 'k:{"name":"v"}': {".": {}, "f:name": {}}},
                }
            },
            {},
            id="pointers and optional lists are",
        ),
        pytest.param(
            DEPLOYMENT,
            {},
            {"spec": {"strategy": {"rollingUpdate": {"maxSurge": 1}}, "template": {"metadata": {}, "spec": {}}}},
            {"f:spec": {"f:strategy": {"f:rollingUpdate": {".": {}, "f:maxSurge": {}}}}},
            {},
            id="structs in structs",
        ),
        pytest.param(
            POD,
            pod(containers=[CONTAINER, {"name": "b", "image": "j"}]),
            pod(containers=[{"name": "c", "image": "k"}, {"name": "a", "image": "l"}]),
            {"f:spec": {"f:containers": {'k:{"name":"a"}': {"f:image": {}}, 'k:{"name":"c"}': WHOLE_CONTAINER}}},
            {"f:spec": {"f:containers": {'k:{"name":"b"}': WHOLE_CONTAINER}}},
            id="items by key, whatever their order",
        ),
        pytest.param(
            POD,
            pod(containers=[CONTAINER]),
            pod(containers=[CONTAINER, {"name": "a", "image": "2"}]),
            {"f:spec": {"f:containers": {'k:{"name":"a"}': {}}}},
            {"f:spec": {"f:containers": {'k:{"name":"a"}': WHOLE_CONTAINER}}},
            id="an item becomes several",
        ),
        pytest.param(
            POD,
            {"metadata": {"resourceVersion": "1", "managedFields": [{}]}},
            {"metadata": {"resourceVersion": "2", "generation": 2}},
            {},
            {},
            id="what nobody owns",
        ),
        pytest.param(SERVICE, {}, {"status": {"loadBalancer": {}}}, {}, {}, id="nothing in what is always there"),
        pytest.param(
            CUSTOM,
            {"spec": {"a": 1}},
            {"spec": {"a": {"b": 1}}},
            {"f:spec": {"f:a": {".": {}, "f:b": {}}}},
            {},
            id="another type",
        ),
    ],
)
def test_comparison(node: Any, old: Any, new: Any, changed: FieldSet, removed: FieldSet) -> None:
    assert fieldset.compare(old, new, node) == (changed, removed)
    assert fieldset.compare(old, new, node)[0] is fieldset.compare(old, new, node)[0]


VARIABLE = st.builds(lambda name, value: {"name": name, "value": value}, st.sampled_from("AB"), st.sampled_from("12"))
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "image": st.sampled_from("xy"),
        "args": st.lists(st.sampled_from("ab"), max_size=2),
        "env": st.lists(VARIABLE, max_size=2, unique_by=lambda item: item["name"]),
        # emptied, it would stay unchanged
        "securityContext": st.fixed_dictionaries({"runAsUser": st.integers(1, 2)}),
    },
)
PODS = st.lists(st.tuples(st.sampled_from("ab"), VALUES), max_size=2, unique_by=lambda c: c[0]).map(
    lambda items: pod(containers=[{"name": name, **rest} for name, rest in items])
)


@given(PODS, PODS)
def test_comparison_is_fair(old: dict[str, Any], new: dict[str, Any]) -> None:
    changed, removed = fieldset.compare(old, new, POD)
    back_changed, back_removed = fieldset.compare(new, old, POD)
    assert fieldset.compare(old, old, POD) == ({}, {})
    # what one way adds, the other removes; what both call changed differs in value
    assert not fieldset.intersection(changed, removed)
    assert fieldset.difference(changed, back_removed) is fieldset.difference(back_changed, removed)
    # every field of the new object was there before with its value, or is told
    unchanged = fieldset.difference(fieldset.of(new, POD), changed)
    assert not fieldset.difference(unchanged, fieldset.of(old, POD))


@given(PODS)
def test_creation_changes_every_field(new: dict[str, Any]) -> None:
    changed, removed = fieldset.compare({}, new, POD)
    assert not removed
    assert not fieldset.difference(fieldset.of(new, POD), changed)


def test_updating_one_field_costs_nothing_elsewhere() -> None:
    class Untouchable(dict[str, Any]):
        def items(self) -> Any:
            raise AssertionError("looked into a part that is identical")

        __eq__ = items  # type: ignore[assignment]

    spec = Untouchable(containers=[])
    old = {"metadata": {}, "spec": spec, "status": {"phase": "Pending"}}
    assert fieldset.compare(old, {**old, "status": {"phase": "Running"}}, POD) == ({"f:status": {"f:phase": {}}}, {})
