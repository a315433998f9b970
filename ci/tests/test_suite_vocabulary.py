"""The parts that steps are made of: typed phrases, paths, cells, kinds and names."""

from __future__ import annotations

from typing import Any

import pytest
from gherkube import kinds, steps
from gherkube.drivers.base import Answer, Names
from gherkube.phrases import TYPES, Collection, ObjectRef
from gherkube.steps.patching import owned_fields
from gherkube.values import ABSENT, Misused, from_yaml, get, merge, mismatch, put


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        ("Object", 'ConfigMap "settings"', ObjectRef("ConfigMap", "settings")),
        ("Object", 'Pod "web" in namespace "other"', ObjectRef("Pod", "web", "other")),
        ("Object", 'status of the Pod "web"', ObjectRef("Pod", "web", "", "status")),
        ("Object", 'Secret ""', ObjectRef("Secret", "")),
        ("Collection", "Pods", Collection("Pods")),
        ("Collection", "Pods in all namespaces", Collection("Pods", "*")),
        ("Collection", 'Pods labelled "a in (b, c)"', Collection("Pods", "", "a in (b, c)")),
        ("Collection", 'Pods in namespace "x" where "a=b"', Collection("Pods", "x", None, "a=b")),
        ("Names", '"a", "b" and "c"', ["a", "b", "c"]),
        ("Duration", "40 seconds", 40.0),
        ("Duration", "1 minute", 60.0),
        ("Duration", "2 hours", 7200.0),
    ],
)
def test_phrases(type_: str, text: str, value: Any) -> None:
    assert TYPES[type_](text) == value


OBJECT = {
    "spec": {"containers": [{"name": "a", "image": "x"}, {"name": "b"}]},
    "metadata": {"labels": {"example.com/tier": "front"}, "finalizers": ["f"]},
    "flag": False,
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.containers[0].image", "x"),
        ("spec.containers[name=b].name", "b"),
        ("spec.containers[name=c].name", ABSENT),
        ("spec.containers[7]", ABSENT),
        ('metadata.labels["example.com/tier"]', "front"),
        ("metadata.finalizers[0]", "f"),
        ("metadata.missing.deep", ABSENT),
        ("flag", False),
    ],
)
def test_paths_read(path: str, value: Any) -> None:
    found = get(OBJECT, path)
    assert found is ABSENT if value is ABSENT else found == value


def test_paths_write_without_touching_the_original() -> None:
    made = put(OBJECT, "spec.containers[name=b].image", "y")
    assert get(made, "spec.containers[1].image") == "y"
    assert get(OBJECT, "spec.containers[1].image") is ABSENT
    assert get(put({}, "a.b[0].c", 1), "a.b[0].c") == 1
    assert put({"a": {"b": 1}}, "a.b", ABSENT) == {"a": {}}
    assert put({"a": [1, 2]}, "a[0]", ABSENT) == {"a": [2]}
    assert put({}, "a[name=x].v", 1) == {"a": [{"name": "x", "v": 1}]}
    with pytest.raises(Misused, match="there is no entry"):
        put({}, "a[3]", 1)


@pytest.mark.parametrize("path", ["", "a..b", "a[", "[", "a[x]"])
def test_what_is_no_path_is_told(path: str) -> None:
    with pytest.raises(Misused):
        get({}, path)


@pytest.mark.parametrize(
    ("actual", "cell", "matches"),
    [
        ("blue", "blue", True),
        ("blue", "green", False),
        (3, "3", True),
        ("3", "3", False),
        ("3", '"3"', True),
        (True, "true", True),
        (1, "true", False),
        ([], "[]", True),
        ({"a": 1}, "{a: 1}", True),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", True),
        (ABSENT, "(absent)", True),
        (None, "(absent)", False),
        ("x", "(present)", True),
        (ABSENT, "(present)", False),
        ("settings-x7", "/settings-[a-z0-9]+/", True),
        ("other", "/set.*/", False),
        (3, "/3/", False),
        (ABSENT, "/.*/", False),
        ("", "", True),
    ],
)
def test_cells(actual: Any, cell: str, matches: bool) -> None:
    assert (mismatch(actual, cell) == "") is matches


def test_manifests_merge_key_by_key() -> None:
    merged = merge({"a": {"b": 1, "c": [1]}, "d": 1}, {"a": {"c": [2]}, "d": None})
    assert merged == {"a": {"b": 1, "c": [2]}}
    with pytest.raises(Misused, match="not YAML"):
        from_yaml("a: [")


def test_kinds_by_singular_and_plural() -> None:
    assert kinds.named("Pods") == kinds.named("Pod")
    assert kinds.named("Endpoints").plural == "endpoints"
    assert kinds.named("NetworkPolicies").kind == "NetworkPolicy"
    assert kinds.named("HorizontalPodAutoscaler").version == "v2"
    assert kinds.named("Event").group == ""
    assert kinds.named("Event", "events.k8s.io/v1").group == "events.k8s.io"
    assert not kinds.named("PersistentVolume").namespaced
    assert kinds.named("Deployment").path("ns", "web", "scale") == "/apis/apps/v1/namespaces/ns/deployments/web/scale"
    with pytest.raises(kinds.UnknownKind, match="there is no kind 'Gadget'"):
        kinds.named("Gadget")


def test_names_are_marked_and_read_back_plain() -> None:
    names = Names("x1", "gherkube-x1")
    assert names.namespace("") == names.namespace("home") == names.namespace("gherkube-x1") == "gherkube-x1"
    assert names.cluster("big") == names.cluster("big-x1") == "big-x1"
    assert names.cluster("gen-") == "gen-x1-"
    assert names.namespace("kube-system") == "kube-system"
    told = {"message": 'pv "big-x1" in gherkube-x1', "items": ["big-x1", {"gen-x1-abc": 1}]}
    assert names.plain(told) == {"message": 'pv "big" in home', "items": ["big", {"gen-abc": 1}]}
    assert Names().cluster("big") == "big"


def test_warnings_are_read_from_headers() -> None:
    import httpx2

    headers = httpx2.Headers([("Warning", '299 - "unknown field \\"a\\""'), ("Warning", '299 - "b", 299 - "c"')])
    assert Answer(200, headers, b"{}").warnings == ('unknown field "a"', "b", "c")


def test_owned_fields_are_paths() -> None:
    fields = {
        "f:data": {".": {}, "f:app.properties": {}, "f:color": {}},
        "f:spec": {"f:containers": {'k:{"name":"main"}': {".": {}, "f:image": {}}}},
        "f:metadata": {"f:finalizers": {'v:"x"': {}}},
    }
    obj = {"metadata": {"managedFields": [{"manager": "alice", "fieldsV1": fields}, {"manager": "bob"}]}}
    assert owned_fields(obj, "alice") == {
        "data",
        "data.color",
        'data["app.properties"]',
        "spec.containers[name=main]",
        "spec.containers[name=main].image",
        'metadata.finalizers[="x"]',
    }
    assert owned_fields(obj, "bob") == set()


def test_every_step_tells_an_example_that_it_matches() -> None:
    for definition in steps.catalogue():
        opening = f"{definition.type.capitalize()} "
        examples = [line.strip() for line in definition.example.splitlines() if line.strip().startswith(opening)]
        texts = [example.removeprefix(opening).split("  ")[0].strip() for example in examples]
        of_function = [one for one in steps.catalogue() if one.function is definition.function]
        matching = [text for text in texts if any(one.matches(definition.type, text) for one in of_function)]
        assert matching == texts, (definition.text, texts)
        assert texts, definition.text
