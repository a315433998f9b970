"""Field ownership and server-side apply, as Kubernetes' documentation and managedFields of real clusters tell them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refkube.api import schema
from refkube.apimachinery import fieldset
from refkube.apimachinery.errors import StatusError
from refkube.registry import managedfields

Object = dict[str, Any]

CONFIG_MAP = schema.named("io.k8s.api.core.v1.ConfigMap")
POD = schema.named("io.k8s.api.core.v1.Pod")
SERVICE = schema.named("io.k8s.api.core.v1.Service")
DEPLOYMENT = schema.named("io.k8s.api.apps.v1.Deployment")
NODES = {"ConfigMap": CONFIG_MAP, "Pod": POD, "Service": SERVICE, "Deployment": DEPLOYMENT}
LAST_APPLIED = managedfields.LAST_APPLIED


def when(second: int) -> str:
    return f"2026-01-01T00:00:{second:02d}Z"


def config_map(data: Any = None, **meta: Any) -> Object:
    made: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "d", **meta}}
    return made if data is None else {**made, "data": data}


def pod(*containers: Object, **spec: Any) -> Object:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {**spec, "containers": [*containers]}}


def write(new: Object, old: Object | None, manager: str, second: int = 0, **rest: Any) -> Object:
    """As the API server stores it; `new` without managedFields keeps the old ones."""
    told: Any = {"api_version": new["apiVersion"], "schema": NODES[new["kind"]], "now": when(second), **rest}
    fields = managedfields.track(new, old, manager=manager, **told)
    meta = {k: v for k, v in new["metadata"].items() if k != "managedFields"}
    return {**new, "metadata": {**meta, "uid": "u", **({"managedFields": fields} if fields else {})}}


def apply(live: Object | None, applied: Object, manager: str, second: int = 0, **rest: Any) -> Object:
    told: Any = {"api_version": applied["apiVersion"], "schema": NODES[applied["kind"]], "now": when(second)}
    return managedfields.apply(live, applied, **{"manager": manager, "force": False, **told, **rest})


def owners(obj: Object) -> dict[str, list[str]]:
    entries = obj["metadata"].get("managedFields", [])
    return {entry["manager"]: list(fieldset.paths(entry["fieldsV1"])) for entry in entries}


def times(obj: Object) -> dict[str, str]:
    return {entry["manager"]: entry.get("time", "") for entry in obj["metadata"].get("managedFields", [])}


# Updates


def test_who_creates_owns_what_it_set() -> None:
    made = write(config_map({"a": "1"}, labels={"l": "x"}), None, "kubectl-create", 3)
    assert made["metadata"]["managedFields"] == [
        {
            "manager": "kubectl-create",
            "operation": "Update",
            "apiVersion": "v1",
            "time": when(3),
            "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:data": {".": {}, "f:a": {}},
                "f:metadata": {"f:labels": {".": {}, "f:l": {}}},
            },
        }
    ]


def test_who_changes_a_field_takes_it() -> None:
    made = write(config_map({"a": "1", "b": "2"}), None, "x", 0)
    made = write({**made, "data": {"a": "1", "b": "3", "c": "4"}}, made, "y", 5)
    assert owners(made) == {"x": [".data", ".data.a"], "y": [".data.b", ".data.c"]}
    assert times(made) == {"x": when(0), "y": when(5)}


def test_what_is_removed_is_nobodys_and_who_owns_nothing_goes() -> None:
    made = write(config_map({"a": "1"}), None, "x")
    made = write({**made, "data": {"a": "1", "b": "2"}}, made, "y")
    made = write({**made, "data": {"a": "1"}}, made, "x", 9)
    assert owners(made) == {"x": [".data", ".data.a"]}
    assert times(made) == {"x": when(0)}, "who only removes changes nothing of its own"


def test_a_write_without_effect_keeps_the_list_itself() -> None:
    made = write(config_map({"a": "1"}), None, "x")
    again = managedfields.track(
        config_map({"a": "1"}), made, manager="y", api_version="v1", now=when(9), schema=CONFIG_MAP
    )
    assert again is made["metadata"]["managedFields"]


def test_one_name_is_several_managers_by_subresource_and_version() -> None:
    made = write(pod({"name": "a", "image": "i"}), None, "m")
    made = write({**made, "status": {"phase": "Running"}}, made, "m", subresource="status")
    entries = made["metadata"]["managedFields"]
    assert [entry.get("subresource") for entry in entries] == [None, "status"]
    assert list(fieldset.paths(entries[1]["fieldsV1"])) == [".status.phase"]


def test_fields_that_an_endpoint_does_not_write_are_not_owned() -> None:
    reset = {"f:status": {}}
    made = write({**pod({"name": "a"}), "status": {"phase": "Running"}}, None, "m", reset=reset)
    assert "status" not in json.dumps(made["metadata"]["managedFields"])
    changed = {**made, "status": {"phase": "Failed"}}
    assert write(changed, made, "n", reset=reset)["metadata"]["managedFields"] is made["metadata"]["managedFields"]


def test_entries_are_sorted_by_operation_time_and_name() -> None:
    made = write(config_map({"a": "1"}), None, "z", 1)
    made = write({**made, "data": {"a": "1", "b": "2"}}, made, "b", 2)
    made = write({**made, "data": {"a": "1", "b": "2", "c": "3"}}, made, "a", 2)
    made = apply(made, config_map({"d": "4"}), "y", 3)
    assert list(owners(made)) == ["y", "z", "a", "b"]


def test_no_more_than_ten_update_managers() -> None:
    data = {"k0": "v"}
    made = write(config_map(data), None, "m0", 0)
    for i in range(1, 13):
        data = {**data, f"k{i}": "v"}
        made = write({**made, "data": data}, made, f"m{i}", i)
    assert sorted(owners(made)) == sorted(["ancient-changes", *(f"m{i}" for i in range(4, 13))])
    assert owners(made)["ancient-changes"] == [".data", ".data.k0", ".data.k1", ".data.k2", ".data.k3"]
    assert times(made)["ancient-changes"] == when(3)


@pytest.mark.parametrize("sent", [[], [{}]])
def test_a_client_may_reset_the_record(sent: list[Any]) -> None:
    made = write(config_map({"a": "1"}), None, "x")
    reset = {**made, "metadata": {**made["metadata"], "managedFields": sent}}
    assert "managedFields" not in write(reset, made, "y")["metadata"]
    untouched = write(reset, made, "y", subresource="status")
    assert owners(untouched) == {"x": [".data", ".data.a"]}, "not through a subresource"


def test_an_object_without_a_record_gets_none_by_updates() -> None:
    bare = config_map({"a": "1"}, uid="u")
    assert "managedFields" not in write({**bare, "data": {"a": "2"}}, bare, "x")["metadata"]


ENTRY = {"manager": "x", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {}}


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"operation": "Delete"}, "operation must be `Apply` or `Update`"),
        ({"apiVersion": ""}, "apiVersion must not be empty"),
        ({"fieldsType": ""}, "missing fieldsType in managed fields entry 0"),
        ({"fieldsType": "F"}, 'invalid fieldsType "F" in managed fields entry 0'),
        ({"fieldsV1": {"x": {}}}, "error decoding set: "),
    ],
)
def test_a_wrong_record_is_passed_over(wrong: dict[str, Any], why: str) -> None:
    sent = [{**ENTRY, **wrong}]
    with pytest.raises(ValueError, match=why):
        managedfields.decode(sent)
    made = write(config_map({"a": "1"}), None, "x")
    told = {**made, "metadata": {**made["metadata"], "managedFields": sent}}
    assert write(told, made, "y")["metadata"]["managedFields"] == made["metadata"]["managedFields"]


def test_a_client_may_write_the_record() -> None:
    made = write(config_map({"a": "1"}), None, "x")
    sent = [{**ENTRY, "manager": "new", "operation": "Apply", "fieldsV1": {"f:data": {"f:a": {}}}}]
    told = {**made, "metadata": {**made["metadata"], "managedFields": sent}}
    assert owners(write(told, made, "y")) == {"new": [".data.a"]}


def test_times_that_are_all_that_changed_are_kept() -> None:
    made = write(config_map({"a": "1"}), None, "x", 0)
    later = [{**entry, "time": when(9)} for entry in made["metadata"]["managedFields"]]
    touched = {**made, "metadata": {**made["metadata"], "managedFields": later}}
    assert managedfields.keep_times(touched, made) == made
    changed = {**touched, "data": {"a": "2"}}
    assert managedfields.keep_times(changed, made) is changed


# Apply


def test_applying_creates_and_owns_what_was_applied() -> None:
    made = apply(None, config_map({"a": "1"}, labels={"l": "x"}), "a", 4)
    assert made["data"] == {"a": "1"}
    assert owners(made) == {"a": [".data.a", ".metadata.labels.l"]}
    assert made["metadata"]["managedFields"][0]["operation"] == "Apply"
    assert times(made) == {"a": when(4)}


def test_applying_the_same_again_gives_the_same_object() -> None:
    applied = config_map({"a": "1"})
    made = apply(None, applied, "a", 1)
    assert apply(made, applied, "a", 9) is made


def test_fields_left_out_go_unless_somebody_else_owns_them() -> None:
    made = apply(None, config_map({"a": "1", "b": "2", "c": "3"}), "a")
    made = apply(made, config_map({"b": "2"}), "b")
    made = apply(made, config_map({"a": "1"}), "a", 5)
    assert made["data"] == {"a": "1", "b": "2"}
    assert owners(made) == {"a": [".data.a"], "b": [".data.b"]}


def test_equal_values_are_owned_together() -> None:
    made = apply(None, config_map({"a": "1"}), "a", 1)
    made = apply(made, config_map({"a": "1"}), "b", 2)
    assert owners(made) == {"a": [".data.a"], "b": [".data.a"]}
    assert times(made) == {"a": when(1), "b": ""}, "upstream writes no time where the object did not change"


def test_another_value_is_a_conflict() -> None:
    made = write(config_map({"a": "1"}), None, "kubectl-client-side-apply")
    with pytest.raises(StatusError) as refused:
        apply(made, config_map({"a": "2"}), "a")
    assert (refused.value.code, refused.value.reason) == (409, "Conflict")
    message = 'conflict with "kubectl-client-side-apply" using v1'
    assert refused.value.message == f"Apply failed with 1 conflict: {message}: .data.a"
    causes = [{"reason": "FieldManagerConflict", "message": message, "field": ".data.a"}]
    assert refused.value.status["details"]["causes"] == causes


def test_conflicts_are_grouped_by_manager() -> None:
    made = apply(None, config_map({"a": "1", "b": "1"}), "one")
    made = write({**made, "data": {"a": "1", "b": "1", "c": "1"}}, made, "two", subresource="status")
    with pytest.raises(StatusError) as refused:
        apply(made, config_map({"a": "2", "b": "2", "c": "2"}), "x")
    assert refused.value.message == (
        'Apply failed with 3 conflicts: conflicts with "one":\n- .data.a\n- .data.b\n'
        'conflicts with "two" with subresource "status" using v1:\n- .data.c'
    )


def test_force_takes_what_is_in_conflict() -> None:
    made = apply(None, config_map({"a": "1", "b": "1"}), "one")
    made = apply(made, config_map({"a": "2"}), "two", force=True)
    assert made["data"] == {"a": "2", "b": "1"}
    assert owners(made) == {"one": [".data.b"], "two": [".data.a"]}


def test_giving_a_field_up_to_another_manager() -> None:
    """The documentation's transfer of spec.replicas to an autoscaler."""
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {"replicas": 3}}
    made = apply(None, deployment, "user")
    scaled = {**made, "spec": {"replicas": 5}}
    made = write(scaled, made, "autoscaler", subresource="scale")
    assert owners(made) == {"autoscaler": [".spec.replicas"]}
    made = apply(made, {**deployment, "spec": {}}, "user")
    assert made["spec"] == {"replicas": 5}


def test_an_object_from_before_any_record() -> None:
    bare = config_map({"a": "1", "b": "2"}, uid="u")
    made = apply(bare, config_map({"b": "2", "c": "3"}), "a")
    assert owners(made) == {"a": [".data.b", ".data.c"], "before-first-apply": [".data", ".data.a", ".data.b"]}
    with pytest.raises(StatusError, match=r'conflict with "before-first-apply" using v1: \.data\.a'):
        apply(bare, config_map({"a": "2"}), "a")


def container(name: str, **rest: Any) -> Object:
    return {"name": name, **rest}


@pytest.mark.parametrize(
    ("live", "applied", "merged"),
    [
        ("ab", "b", "ab"),
        ("ab", "ba", "ba"),
        ("abc", "ca", "bca"),
        ("ab", "xb", "axb"),
        ("abc", "xcy", "abxcy"),
        ("", "ba", "ba"),
    ],
)
def test_items_keep_the_order_that_was_applied(live: str, applied: str, merged: str) -> None:
    made = write(pod(*(container(name, image="i") for name in live)), None, "u")
    made = apply(made, pod(*(container(name, image="i", tty=True) for name in applied)), "a")
    assert "".join(c["name"] for c in made["spec"]["containers"]) == merged
    assert [c["name"] for c in made["spec"]["containers"] if c.get("tty")] == list(applied)
    assert all(c["image"] == "i" for c in made["spec"]["containers"])


def test_items_left_out_go_with_what_is_in_them() -> None:
    made = apply(None, pod(container("a", image="i"), container("b", image="i")), "a")
    made = apply(made, pod(container("a", image="i")), "a")
    assert made["spec"]["containers"] == [container("a", image="i")]


def test_an_item_stays_for_the_fields_of_others_in_it() -> None:
    made = apply(None, pod(container("a", image="i"), container("b", image="i")), "a")
    made = apply(made, pod(container("b", tty=True)), "b")
    made = apply(made, pod(container("a", image="i")), "a")
    assert made["spec"]["containers"] == [container("a", image="i"), container("b", tty=True)]


def test_defaults_in_an_item_go_with_the_item() -> None:
    made = apply(None, pod(container("a", image="i"), container("b", image="i")), "a")
    items = [container("a", image="i", tty=False), container("b", image="i", tty=False)]
    made = {**made, "spec": {"containers": items}}
    made = apply(made, pod(container("a", image="i")), "a")
    assert made["spec"]["containers"] == [container("a", image="i", tty=False)]


def test_ports_are_matched_by_their_default_protocol() -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}}
    made = apply(None, {**service, "spec": {"ports": [{"port": 80}]}}, "a")
    made = {**made, "spec": {"ports": [{"port": 80, "protocol": "TCP"}]}}
    made = apply(made, {**service, "spec": {"ports": [{"port": 80, "name": "web"}]}}, "a")
    assert made["spec"]["ports"] == [{"port": 80, "protocol": "TCP", "name": "web"}]


def test_atomic_lists_and_maps_are_replaced_as_one() -> None:
    made = apply(None, pod(container("a", args=["x", "y"]), nodeSelector={"a": "1"}), "a")
    made = apply(made, pod(container("a", args=["z"]), nodeSelector={"b": "2"}), "a")
    assert made["spec"] == {"containers": [container("a", args=["z"])], "nodeSelector": {"b": "2"}}
    with pytest.raises(StatusError, match=r'.spec.containers\[name="a"\].args'):
        apply(made, pod(container("a", args=["q"])), "b")


def test_a_null_removes_a_value_and_leaves_a_map() -> None:
    made = write({**config_map({"a": "1"}), "immutable": False}, None, "u")
    with pytest.raises(StatusError, match=r"\.immutable"):
        apply(made, {**config_map(), "immutable": None}, "a")
    made = apply(made, {**config_map(), "immutable": None, "data": None}, "a", force=True)
    assert made == {**config_map({"a": "1"}), "metadata": made["metadata"]}
    assert owners(made)["a"] == [".data", ".immutable"]


@pytest.mark.parametrize(
    ("applied", "code", "message"),
    [
        (config_map({}, managedFields=[]), 400, "metadata.managedFields must be nil"),
        ({**config_map(), "apiVersion": "v2"}, 400, "invalid object type: /v2, Kind=ConfigMap"),
        (
            pod(container("a"), container("a")),
            400,
            "failed to create typed patch object (/p; /v1, Kind=Pod): "
            '.spec.containers: duplicate entries for key [name="a"]',
        ),
        (
            pod(container("a", x=1, y=2)),
            400,
            "failed to create typed patch object (/p; /v1, Kind=Pod): errors:\n"
            '  .spec.containers[name="a"].x: field not declared in schema\n'
            '  .spec.containers[name="a"].y: field not declared in schema',
        ),
        (
            pod({"image": "i"}),
            400,
            "failed to create typed patch object (/p; /v1, Kind=Pod): .spec.containers: element 0: "
            'associative list with keys has an element that omits all key fields ["name"] '
            "(and doesn't have default values for any key fields)",
        ),
    ],
)
def test_what_apply_refuses(applied: Object, code: int, message: str) -> None:
    with pytest.raises(StatusError) as refused:
        apply(None, applied, "a", api_version="v1")
    assert (refused.value.code, refused.value.message) == (code, message)


def client_side_applied(data: dict[str, str]) -> Object:
    last = json.dumps(config_map({"a": "1", "b": "1"}))
    made = config_map({"a": "1", "b": "1"}, annotations={LAST_APPLIED: last})
    made = write(made, None, "kubectl-client-side-apply")
    return write({**made, "data": {**made["data"], **data}}, made, "someone") if data else made


def test_from_client_side_to_server_side_apply() -> None:
    made = apply(client_side_applied({}), config_map({"a": "2"}), "kubectl")
    assert made["data"] == {"a": "2", "b": "1"}
    assert json.loads(made["metadata"]["annotations"][LAST_APPLIED]) == config_map({"a": "2"})
    with pytest.raises(StatusError):
        apply(client_side_applied({}), config_map({"a": "2"}), "another name")


def test_what_others_changed_since_is_a_conflict_for_kubectl_too() -> None:
    with pytest.raises(StatusError) as refused:
        apply(client_side_applied({"b": "9"}), config_map({"a": "2", "b": "2"}), "kubectl")
    assert [cause["field"] for cause in refused.value.status["details"]["causes"]] == [".data.b"]


# Properties

DATA = st.dictionaries(st.sampled_from("abcd"), st.sampled_from("12"), max_size=4)
CONTAINER_FIELDS = {"image": st.sampled_from("12"), "tty": st.booleans()}
CONTAINERS = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from("xyz")}, optional=CONTAINER_FIELDS),
    min_size=1,
    max_size=3,
    unique_by=lambda item: item["name"],
)
# No empty maps or lists: nobody owns those that were applied empty, so applying them again is not without effect.
CONFIG_MAPS, PODS = DATA.map(lambda data: config_map(data or None)), CONTAINERS.map(lambda items: pod(*items))
WRITERS = st.sampled_from("mn")


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_was_written_is_owned_and_reapplying_changes_nothing(data: st.DataObject) -> None:
    node = data.draw(st.sampled_from([CONFIG_MAP, POD]))
    objects = CONFIG_MAPS if node is CONFIG_MAP else PODS
    live = write(data.draw(objects), None, "m")
    for second in range(1, data.draw(st.integers(1, 5))):
        wanted, who = data.draw(objects), data.draw(WRITERS)
        if data.draw(st.booleans()):
            live = apply(live, wanted, who, second, force=True)
            assert apply(live, wanted, who, second + 1) is live
            assert not fieldset.difference(fieldset.of(wanted, node), fieldset.of(live, node))
        else:
            kept = {**wanted, "metadata": live["metadata"]}
            live = write(kept, live, who, second)
        owned = fieldset.EMPTY
        for entry in live["metadata"].get("managedFields", []):
            assert entry["fieldsV1"]
            owned = fieldset.union(owned, entry["fieldsV1"])
        if live["metadata"].get("managedFields"):
            assert not fieldset.difference(fieldset.of(live, node), owned)


@given(DATA, DATA)
@settings(max_examples=60)
def test_appliers_of_different_fields_never_conflict(one: dict[str, str], two: dict[str, str]) -> None:
    theirs = {f"{key}2": value for key, value in two.items()}
    made = apply(apply(None, config_map(one), "a"), config_map(theirs), "b")
    assert made.get("data", {}) == {**one, **theirs}
    assert apply(made, config_map(one), "a") is made
    left = apply(made, config_map(), "a").get("data") or {}
    assert left == theirs


@given(CONFIG_MAPS | PODS)
@settings(max_examples=30)
def test_nothing_given_is_changed(obj: Object) -> None:
    before = json.dumps(obj)
    live = write(obj, None, "m")
    stored = json.dumps(live)
    apply(live, obj, "a")
    write({**live, "metadata": {**live["metadata"], "labels": {"l": "x"}}}, live, "n")
    assert (json.dumps(obj), json.dumps(live)) == (before, stored)
