"""Patches: what they do, what they refuse, that they change no input and share what they do not touch."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refkube.api import schema
from refkube.api.kinds import by_api_version
from refkube.apimachinery import patch
from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.patch import json_patch, merge_patch, strategic_merge_patch
from refkube.apimachinery.typeschema import Node


def type_of(api_version: str, kind: str) -> Node:
    found = by_api_version(api_version, kind)
    assert found
    return schema.schema_of(found)


POD = type_of("v1", "Pod")

DOC: dict[str, Any] = {"a": {"b": 1, "c": None}, "l": [1, 2, 3], "x/y": {"~": "t"}, "n": 1}


@pytest.mark.parametrize(
    ("operations", "result"),
    [
        ([], DOC),
        ([{"op": "add", "path": "/a/d", "value": 2}], {**DOC, "a": {"b": 1, "c": None, "d": 2}}),
        ([{"op": "add", "path": "/a/b", "value": 2}], {**DOC, "a": {"b": 2, "c": None}}),
        ([{"op": "add", "path": "/l/-", "value": 4}], {**DOC, "l": [1, 2, 3, 4]}),
        ([{"op": "add", "path": "/l/0", "value": 0}], {**DOC, "l": [0, 1, 2, 3]}),
        ([{"op": "add", "path": "/l/3", "value": 4}], {**DOC, "l": [1, 2, 3, 4]}),
        ([{"op": "add", "path": "/l/-1", "value": 4}], {**DOC, "l": [1, 2, 3, 4]}),
        ([{"op": "remove", "path": "/l/-1"}], {**DOC, "l": [1, 2]}),
        ([{"op": "remove", "path": "/x~1y/~0"}], {**DOC, "x/y": {}}),
        ([{"op": "replace", "path": "/n", "value": {"m": []}}], {**DOC, "n": {"m": []}}),
        ([{"op": "replace", "path": "/new", "value": 1}], {**DOC, "new": 1}),
        ([{"op": "replace", "path": "/l/1", "value": None}], {**DOC, "l": [1, None, 3]}),
        ([{"op": "replace", "path": "", "value": {"z": 1}}], {"z": 1}),
        ([{"op": "move", "from": "/a/b", "path": "/b"}], {**DOC, "a": {"c": None}, "b": 1}),
        ([{"op": "move", "from": "/l/0", "path": "/l/-"}], {**DOC, "l": [2, 3, 1]}),
        ([{"op": "copy", "from": "/l", "path": "/a/l"}], {**DOC, "a": {"b": 1, "c": None, "l": [1, 2, 3]}}),
        ([{"op": "test", "path": "/a", "value": {"c": None, "b": 1}}], DOC),
        ([{"op": "test", "path": "/nothing", "value": None}], DOC),
        ([{"op": "test", "path": "/nothing"}], DOC),
        ([{"op": "test", "path": "", "value": DOC}], DOC),
        (
            [{"op": "add", "path": "/a/m", "value": {}}, {"op": "add", "path": "/a/m/k", "value": 1}],
            {**DOC, "a": {"b": 1, "c": None, "m": {"k": 1}}},
        ),
    ],
)
def test_json_patch(operations: Any, result: Any) -> None:
    before, asked = copy.deepcopy(DOC), copy.deepcopy(operations)
    assert json_patch(DOC, operations) == result
    assert (before, asked) == (DOC, operations)


def test_json_patch_shares_what_it_does_not_touch() -> None:
    result = json_patch(DOC, [{"op": "add", "path": "/a/d", "value": 1}])
    assert result["l"] is DOC["l"]
    assert result["x/y"] is DOC["x/y"]


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        ({"op": "test", "path": "/n", "value": 2}, "testing value /n failed: test failed"),
        ({"op": "test", "path": "/n", "value": True}, "testing value /n failed: test failed"),
        ({"op": "test", "path": "/n", "value": 1.0}, "testing value /n failed: test failed"),
        ({"op": "test", "path": "/n"}, "testing value /n failed: test failed"),
        ({"op": "add", "path": "/z/y", "value": 1}, 'doc is missing path: "/z/y"'),
        ({"op": "add", "path": "/n/y", "value": 1}, 'doc is missing path: "/n/y"'),
        ({"op": "add", "path": "", "value": 1}, "doc is missing path"),
        ({"op": "add", "path": "/l/4", "value": 1}, "Unable to access invalid index: 4"),
        ({"op": "add", "path": "/l/-5", "value": 1}, "Unable to access invalid index: -5"),
        ({"op": "add", "path": "/l/x", "value": 1}, 'parsing "x": invalid syntax'),
        ({"op": "remove", "path": "/z"}, "Unable to remove nonexistent key: z"),
        ({"op": "remove", "path": "/l/3"}, "Unable to access invalid index: 3"),
        ({"op": "replace", "path": "/l/-", "value": 1}, 'parsing "-": invalid syntax'),
        ({"op": "move", "from": "/z", "path": "/a"}, "Unable to remove nonexistent key: z"),
        ({"op": "copy", "from": "/z/y", "path": "/a"}, "doc is missing path"),
        ({"op": "copy", "path": "/a"}, "failed to decode from"),
        ({"op": "add", "value": 1}, "failed to decode path"),
        ({"op": "bogus", "path": "/a"}, "Unexpected kind: bogus"),
        ({}, "Unexpected kind: unknown"),
    ],
)
def test_json_patch_that_does_not_apply_is_unprocessable(operation: Any, why: str) -> None:
    with pytest.raises(patch.Refused) as caught:
        json_patch(DOC, [operation])
    assert (caught.value.code, caught.value.reason) == (422, "Invalid")
    assert why in caught.value.why


@pytest.mark.parametrize(
    ("operations", "code"),
    [({}, 400), (None, 400), (["add"], 400), ([{"op": "test", "path": "/z"}] * 10_000, None), ([{}] * 10_001, 413)],
)
def test_what_is_no_json_patch(operations: Any, code: int | None) -> None:
    if code is None:
        assert json_patch(DOC, operations) == DOC
        return
    with pytest.raises(StatusError) as caught:
        json_patch(DOC, operations)
    assert caught.value.code == code


def test_copying_is_bounded() -> None:
    doubling = [{"op": "copy", "from": "/a", "path": f"/a/c{i}"} for i in range(40)]
    with pytest.raises(patch.Refused):
        json_patch(DOC, doubling)


def test_unknown_fields_of_operations_are_strict_errors() -> None:
    operations = [{"op": "test", "path": "/z"}, {"op": "test", "path": "/z", "foo": 1}]
    assert patch.strict_json_patch_errors(operations) == ['json patch unknown field "[1].foo"']


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=1), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text("abc", max_size=1), JSON, max_size=3)


def without_nulls(value: Any) -> Any:
    """Nulls of objects, but not those in lists."""
    return {k: without_nulls(v) for k, v in value.items() if v is not None} if isinstance(value, dict) else value


@given(OBJECTS, OBJECTS)
def test_merge_patch_can_be_repeated_and_a_diff_yields_the_target(left: Any, right: Any) -> None:
    before = json.dumps([left, right])
    once = merge_patch(left, right)
    assert merge_patch(once, right) == once
    assert merge_patch(left, {}) == left
    assert merge_patch({}, right) == without_nulls(right)
    source, target = without_nulls(left), without_nulls(right)
    assert merge_patch(source, diff(source, target)) == target
    assert json.dumps([left, right]) == before


def diff(source: Any, target: Any) -> Any:
    changed: dict[str, Any] = {key: None for key in source if key not in target}
    for key, value in target.items():
        here = source.get(key)
        if isinstance(value, dict) and isinstance(here, dict):
            changed[key] = diff(here, value)
        else:
            changed[key] = value
    return changed


def test_what_is_no_merge_patch_is_a_bad_request() -> None:
    for wrong in ([], None, 1, "a"):
        with pytest.raises(StatusError) as caught:
            merge_patch(DOC, wrong)
        assert caught.value.code == 400


A, B, C = ({"name": n, "image": n} for n in "abc")


def pod(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"labels": {"x": "1", "y": "2"}, "finalizers": ["f/a", "f/b"]}, "spec": spec}


@pytest.mark.parametrize(
    ("change", "spec"),
    [
        ({"containers": [{"name": "a", "image": "new"}]}, {"containers": [{"name": "a", "image": "new"}, B]}),
        ({"containers": [C]}, {"containers": [C, A, B]}),  # as upstream: what is new and has no order comes first
        ({"containers": [C, A]}, {"containers": [C, A, B]}),
        ({"containers": [{"$patch": "delete", "name": "a"}]}, {"containers": [B]}),
        ({"containers": [{"$patch": "delete", "name": "z"}]}, {"containers": [A, B]}),
        ({"containers": [{"$patch": "replace"}, C]}, {"containers": [C]}),
        ({"containers": [{"$patch": "replace"}]}, {"containers": []}),
        ({"containers": [{"name": "a", "$patch": "delete"}, C]}, {"containers": [C, B]}),
        ({"containers": [{"name": "a", "image": None}]}, {"containers": [{"name": "a"}, B]}),
        ({"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}, {"containers": [B, A]}),
        ({"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}], "containers": [C]}, {"containers": [C, A, B]}),
        ({"$setElementOrder/containers": [{"name": "b"}, {"name": "c"}], "containers": [C]}, {"containers": [A, B, C]}),
        ({"containers": None}, {}),
        ({"nodeName": "n1"}, {"containers": [A, B], "nodeName": "n1"}),
        ({"nodeName": None}, {"containers": [A, B]}),
        (
            {"securityContext": {"runAsUser": 1, "runAsGroup": None}},
            {"containers": [A, B], "securityContext": {"runAsUser": 1}},
        ),
        ({"securityContext": {"$patch": "delete"}}, {"containers": [A, B]}),
        ({"$patch": "replace", "nodeName": "n1"}, {"nodeName": "n1"}),
        ({"$patch": "delete"}, {}),
        ({"$retainKeys": ["nodeName"], "nodeName": "n1"}, {"nodeName": "n1"}),
    ],
)
def test_strategic_merge_patch(change: Any, spec: Any) -> None:
    source = pod(containers=[A, B])
    before, asked = copy.deepcopy(source), copy.deepcopy(change)
    result = strategic_merge_patch(source, {"spec": change}, POD)
    assert result == {**source, "spec": spec}
    assert result["metadata"] is source["metadata"]
    assert (source, change) == (before, asked)


@pytest.mark.parametrize(
    ("change", "metadata"),
    [
        ({"labels": {"x": None, "z": "3"}}, {"labels": {"y": "2", "z": "3"}, "finalizers": ["f/a", "f/b"]}),
        ({"labels": {"$patch": "replace", "z": "3"}}, {"labels": {"z": "3"}, "finalizers": ["f/a", "f/b"]}),
        ({"labels": None}, {"finalizers": ["f/a", "f/b"]}),
        ({"finalizers": ["f/c", "f/a"]}, {"labels": {"x": "1", "y": "2"}, "finalizers": ["f/c", "f/a", "f/b"]}),
        ({"$deleteFromPrimitiveList/finalizers": ["f/a"]}, {"labels": {"x": "1", "y": "2"}, "finalizers": ["f/b"]}),
        (
            {
                "$deleteFromPrimitiveList/finalizers": ["f/a"],
                "$setElementOrder/finalizers": ["f/c", "f/b"],
                "finalizers": ["f/c"],
            },
            {"labels": {"x": "1", "y": "2"}, "finalizers": ["f/c", "f/b"]},
        ),
        (
            {"annotations": {"a": None, "b": "1"}},
            {"labels": {"x": "1", "y": "2"}, "finalizers": ["f/a", "f/b"], "annotations": {"b": "1"}},
        ),
    ],
)
def test_strategic_merge_patch_of_maps_and_scalars(change: Any, metadata: Any) -> None:
    assert strategic_merge_patch(pod(), {"metadata": change}, POD)["metadata"] == metadata


def test_a_union_changes_its_member_with_retain_keys() -> None:
    deployment = type_of("apps/v1", "Deployment")
    source = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}, "replicas": 1}}
    change = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert strategic_merge_patch(source, change, deployment) == {
        "spec": {"strategy": {"type": "Recreate"}, "replicas": 1}
    }
    volumes = {"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}}
    change = {"spec": {"volumes": [{"$retainKeys": ["name", "hostPath"], "name": "v", "hostPath": {"path": "/"}}]}}
    assert strategic_merge_patch(volumes, change, POD) == {
        "spec": {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}
    }


def test_the_merge_key_is_one_even_where_apply_has_two() -> None:
    service = type_of("v1", "Service")
    ports = [{"port": 53, "protocol": "TCP"}, {"port": 80, "protocol": "TCP"}]
    change = {"spec": {"ports": [{"port": 80, "name": "http"}]}}
    assert strategic_merge_patch({"spec": {"ports": ports}}, change, service)["spec"]["ports"] == [
        {"port": 53, "protocol": "TCP"}, {"port": 80, "protocol": "TCP", "name": "http"}
    ]  # fmt: skip


def test_lists_without_a_strategy_are_replaced() -> None:
    source = pod(tolerations=[{"key": "a"}, {"key": "b"}])
    assert strategic_merge_patch(source, {"spec": {"tolerations": [{"key": "c"}]}}, POD)["spec"] == {
        "tolerations": [{"key": "c"}]
    }
    budget = type_of("policy/v1", "PodDisruptionBudget")
    source = {"spec": {"selector": {"matchLabels": {"a": "b"}}}}
    change: dict[str, Any] = {"spec": {"selector": {"matchExpressions": []}}}
    assert strategic_merge_patch(source, change, budget) == change


@pytest.mark.parametrize(
    ("change", "code", "why"),
    [
        ([], 400, "cannot unmarshal array"),
        ({"$patch": "bogus"}, 422, "unknown patch type: bogus"),
        ({"spec": {"$retainKeys": "a"}}, 400, "invalid patch format of retainKeys"),
        ({"spec": {"$retainKeys": ["a"], "nodeName": "b"}}, 400, "invalid patch format of retainKeys"),
        ({"spec": {"containers": [{"image": "a"}]}}, 422, "does not contain declared merge key: name"),
        ({"spec": {"containers": ["a"]}}, 422, "list element types are not identical"),
        ({"spec": {"containers": [None]}}, 422, "list element types are not identical"),
        ({"spec": {"containers": [{"$patch": "delete"}]}}, 422, "does not contain declared merge key: name"),
        ({"spec": {"containers": [{"$patch": "merge", "name": "a"}]}}, 422, "merging lists cannot yet be specified"),
        ({"spec": {"containers": [{"$patch": "bogus", "name": "a"}]}}, 422, "unknown patch type: bogus"),
        ({"spec": {"$setElementOrder/containers": 1}}, 422, "received a number"),
        ({"spec": {"$setElementOrder/containers": [1]}}, 422, "received a number"),
        ({"spec": {"$setElementOrder/containers": [{"name": "b"}], "containers": [A]}}, 422, "doesn't match"),
        (
            {"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}], "containers": [A, B]}},
            422,
            "doesn't match",
        ),
        ({"spec": {"$setElementOrder/bogus": []}}, 422, "unable to find api field"),
    ],
)
def test_malformed_strategic_merge_patches(change: Any, code: int, why: str) -> None:
    with pytest.raises(StatusError) as caught:
        strategic_merge_patch(pod(containers=[A, B]), change, POD)
    assert caught.value.code == code
    assert why in getattr(caught.value, "why", caught.value.message)


NAMES = st.sampled_from("abcde")
ITEMS = st.lists(NAMES, max_size=4, unique=True)
LABELS = st.dictionaries(st.sampled_from("xyz"), st.sampled_from("12"), max_size=3)


@st.composite
def pods(draw: st.DrawFn) -> dict[str, Any]:
    def entries(fields: dict[str, st.SearchStrategy[Any]]) -> list[dict[str, Any]]:
        return [{"name": n, **draw(st.fixed_dictionaries({}, optional=fields))} for n in draw(ITEMS)]

    env = st.lists(NAMES, max_size=3, unique=True).map(lambda ns: [{"name": n, "value": "v" + n} for n in ns])
    return {
        "metadata": {"labels": draw(LABELS), "finalizers": draw(ITEMS)},
        "spec": {
            "containers": entries({"image": st.sampled_from("12"), "env": env, "command": st.lists(NAMES, max_size=2)}),
            "nodeSelector": draw(LABELS),
            "volumes": entries({"emptyDir": st.just({}), "hostPath": st.just({"path": "/"})}),
        },
    }


def strategic_diff(source: Any, target: Any, node: Node) -> dict[str, Any]:
    """The patch that kubectl would send, for what the objects above hold."""
    change: dict[str, Any] = {key: None for key in source if key not in target}
    for key, value in target.items():
        here, child = source.get(key), node.field(key)
        assert child
        if here is None or type(here) is not type(value):
            change[key] = value
        elif isinstance(value, dict):
            change[key] = strategic_diff(here, value, child)
        elif isinstance(value, list) and "merge" in child.patch_strategies and child.merge_key:
            theirs = {item["name"]: item for item in here}
            ours = {item["name"]: item for item in value}
            change[key] = [{**strategic_diff(theirs.get(n, {}), i, child.items), "name": n} for n, i in ours.items()]
            change[key] += [{"$patch": "delete", "name": name} for name in theirs if name not in ours]
            change[f"$setElementOrder/{key}"] = [{"name": name} for name in ours]
        elif isinstance(value, list) and "merge" in child.patch_strategies:
            change[key] = [item for item in value if item not in here]
            change[f"$deleteFromPrimitiveList/{key}"] = [item for item in here if item not in value]
            change[f"$setElementOrder/{key}"] = value
        else:
            change[key] = value
    return change


@settings(max_examples=200)
@given(pods(), pods())
def test_applying_a_strategic_diff_yields_the_target(source: Any, target: Any) -> None:
    before = json.dumps([source, target])
    change = strategic_diff(source, target, POD)
    assert strategic_merge_patch(source, change, POD) == target
    assert json.dumps([source, target]) == before


@given(OBJECTS, OBJECTS)
def test_any_patch_gives_an_object_or_a_status(source: Any, change: Any) -> None:
    for apply in (
        lambda: strategic_merge_patch({"spec": source}, {"spec": change}, POD),
        lambda: json_patch(source, [change]),
    ):
        try:
            assert isinstance(apply(), dict)
        except StatusError:
            pass
