"""The HTTP front in process: which answer is given in which form, what paths and queries name, what bodies may be."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.rest import HttpRequest, HttpResponse
from refkube.apiserver.http import Route, parse_yaml, route_of
from refkube.apiserver.options import delete_options, list_options, write_options
from refkube.cluster import Cluster
from refkube.registry.faults import refusal_of
from refkube.store.kv import Compacted, FutureRevision, RequestTooLarge, StoreError, StoreUnavailable

JSON, YAML = "application/json", "application/yaml"
MAPS = "/api/v1/namespaces/default/configmaps"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    made = Cluster(controllers=False)
    ask(made, "POST", MAPS, {"metadata": {"name": "kept"}, "data": {"a": "b"}})
    return made


def ask(cluster: Cluster, method: str, path: str, body: Any = None, **headers: str) -> HttpResponse:
    raw = b"" if body is None else body if isinstance(body, bytes) else orjson.dumps(body)
    bare, _, query = path.partition("?")
    told = {"authorization": f"Bearer {cluster.admin_token}", "content-type": JSON}
    told |= {name.replace("_", "-"): value for name, value in headers.items()}
    return cluster.http(HttpRequest(method, bare, query, told, raw))


def status_of(answer: HttpResponse) -> dict[str, Any]:
    status = orjson.loads(answer.body)
    assert (status["kind"], status["apiVersion"], status["code"]) == ("Status", "v1", answer.status)
    return status


# Content negotiation


@pytest.mark.parametrize(
    ("accept", "content_type", "kind"),
    [
        ("", JSON, "ConfigMap"),
        ("*/*", JSON, "ConfigMap"),
        ("text/html, application/json;q=0.1", JSON, "ConfigMap"),
        (YAML, YAML, "ConfigMap"),
        (TABLE, JSON, "Table"),
        (PARTIAL, JSON, "PartialObjectMetadata"),
        (f"{TABLE.replace('v=v1', 'v=v1beta9')},{JSON}", JSON, "ConfigMap"),
        (f"{TABLE},{JSON}", JSON, "Table"),
    ],
)
def test_the_first_form_that_can_be_given_is_given(cluster: Cluster, accept: str, content_type: str, kind: str) -> None:
    answer = ask(cluster, "GET", f"{MAPS}/kept", accept=accept)
    assert (answer.status, answer.header("content-type")) == (200, content_type)
    body = yaml.safe_load(answer.body) if content_type == YAML else orjson.loads(answer.body)
    assert body["kind"] == kind


@pytest.mark.parametrize("accept", ["text/html", "application/xml", TABLE.replace("Table", "Chair"), ";;;"])
def test_what_cannot_be_given_is_said(cluster: Cluster, accept: str) -> None:
    assert status_of(ask(cluster, "GET", f"{MAPS}/kept", accept=accept))["reason"] == "NotAcceptable"


def test_a_table_of_an_unknown_scope_is_refused_also_to_a_watch(cluster: Cluster) -> None:
    for query in ("includeObject=All", "watch=1&includeObject=All"):
        assert ask(cluster, "GET", f"{MAPS}?{query}", accept=TABLE).status == 400


@pytest.mark.parametrize("media", ["text/plain", "application/xml", "application/json-patch+json"])
def test_bodies_of_unknown_types_are_refused(cluster: Cluster, media: str) -> None:
    answer = ask(cluster, "POST", MAPS, {"metadata": {"name": "x"}}, content_type=media)
    assert (answer.status, status_of(answer)["reason"]) == (415, "UnsupportedMediaType")


# Paths


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/api/v1/pods", Route("", "v1", "pods")),
        ("/api/v1/namespaces/a/pods/b/status", Route("", "v1", "pods", "a", "b", "status")),
        ("/api/v1/namespaces/a", Route("", "v1", "namespaces", "", "a")),
        ("/api/v1/namespaces/a/finalize", Route("", "v1", "namespaces", "", "a", "finalize")),
        ("/apis/apps/v1/watch/namespaces/a/deployments", Route("apps", "v1", "deployments", "a", watch=True)),
        ("/api/v1/nodes/a%3Ab", Route("", "v1", "nodes", "", "a:b")),
        ("/api/v2/pods", None),
        ("/apis", None),
        ("/apis/apps", None),
        ("/version", None),
    ],
)
def test_what_a_path_names(path: str, route: Route | None) -> None:
    assert route_of(path) == route


@pytest.mark.parametrize("name", ["%2e%2e", "a%2Fb", "..", "a/b/c/d", "%25", "a//b"])
def test_paths_that_lead_elsewhere_lead_nowhere(cluster: Cluster, name: str) -> None:
    answer = ask(cluster, "GET", f"{MAPS}/{name}")
    assert (answer.status, status_of(answer)["reason"]) == (404, "NotFound")


@given(st.text(max_size=40))
def test_any_path_names_something_or_is_not_found(text: str) -> None:
    try:
        route_of("/api/v1/" + text)
    except StatusError as refusal:
        assert refusal.code == 404  # noqa: PT017


# Bodies


@pytest.mark.parametrize("body", [b"", b"[]", b"1", b'"a"', b"true", b"null", b"{", b"\xff", b"{}{}"])
def test_bodies_that_are_no_object(cluster: Cluster, body: bytes) -> None:
    for method, path in (("POST", MAPS), ("PUT", f"{MAPS}/kept")):
        answer = ask(cluster, method, path, body)
        assert (answer.status, status_of(answer)["reason"]) == (400, "BadRequest")


@pytest.mark.parametrize("media", ["application/merge-patch+json", "application/strategic-merge-patch+json"])
@pytest.mark.parametrize("body", [b"", b"[]", b"1", b"{"])
def test_patches_that_are_no_object(cluster: Cluster, media: str, body: bytes) -> None:
    answer = ask(cluster, "PATCH", f"{MAPS}/kept", body, content_type=media)
    assert answer.status in (400, 422)
    status_of(answer)


def test_nesting_without_end_is_refused(cluster: Cluster) -> None:
    for body in (b"[" * 100_000, b'{"a":' * 20_000 + b"1" + b"}" * 20_000):
        assert ask(cluster, "POST", MAPS, body).status == 400
        assert ask(cluster, "POST", MAPS, body, content_type=YAML).status == 400


def test_yaml_is_read_as_json_would_have_it() -> None:
    assert parse_yaml(b"a: 2026-01-01\nb: 0x10\nc: [1, 1.5, yes, ~, 'x']\n") == {
        "a": "2026-01-01",
        "b": 16,
        "c": [1, 1.5, True, None, "x"],
    }
    assert parse_yaml(b"a: 99999999999999999999999\n") == {"a": 1e23}
    assert parse_yaml(b'{"a": 1}') == {"a": 1}
    assert parse_yaml(b"x: &x {a: 1}\ny: {<<: *x, b: 2}\n") == {"x": {"a": 1}, "y": {"a": 1, "b": 2}}


@pytest.mark.parametrize(
    "text",
    [
        b"a: .inf",
        b"1: 2",
        b"? [a]\n: b",
        b"&a [*a]",
        b"a: *b",
        b"!!python/none ~",
        b"a: !!set {x}",
        b"a: !!binary aGk=",
        b"--- {}\n--- {}\n",
        b"\t- a",
        b"[" * 5000,
        b"- " * 5000,
        b"a: b: c",
    ],
)
def test_yaml_that_json_cannot_say_is_refused(text: bytes) -> None:
    with pytest.raises(StatusError) as refusal:
        parse_yaml(text)
    assert refusal.value.code == 400


def test_aliases_and_merges_may_not_multiply() -> None:
    lists = [b"a0: &a0 [x,x,x,x,x,x,x,x,x]"] + [
        b"a%d: &a%d [%s]" % (i, i, b",".join([b"*a%d" % (i - 1)] * 9)) for i in range(1, 12)
    ]
    merges = [b"a0: &a0 {x: 1}"] + [
        b"a%d: &a%d {<<: [%s]}" % (i, i, b",".join([b"*a%d" % (i - 1)] * 9)) for i in range(1, 12)
    ]
    with pytest.raises(StatusError, match="excessive aliasing"):
        parse_yaml(b"\n".join(lists))
    # PyYAML before 6.0.4 copies what is merged as often as it is named; later ones once.
    told = pytest.raises(StatusError, match="excessive aliasing") if _copies_merges() else nullcontext()
    with told:
        assert parse_yaml(b"\n".join(merges)) == {f"a{i}": {"x": 1} for i in range(12)}


def _copies_merges() -> bool:
    node = yaml.compose("{<<: [&a {x: 1}, *a]}", yaml.SafeLoader)
    yaml.SafeLoader("").flatten_mapping(node)
    return len(node.value) > 1


def test_a_refusal_of_very_many_mistakes_is_no_larger_than_it_helps(cluster: Cluster) -> None:
    wrong = {f"-{number}": "" for number in range(20_000)}
    answer = ask(cluster, "POST", MAPS, {"metadata": {"name": "x", "annotations": wrong}})
    assert answer.status == 422
    assert len(status_of(answer)["details"]["causes"]) == 1000


# Options


def refused(call: Any, *arguments: Any, **named: Any) -> tuple[int, list[str]]:
    with pytest.raises(StatusError) as refusal:
        call(*arguments, **named)
    causes = refusal.value.status.get("details", {}).get("causes", [])
    return refusal.value.code, [cause["field"] for cause in causes]


@pytest.mark.parametrize(
    ("options", "watch", "code", "fields"),
    [
        ({"limit": "x"}, False, 400, []),
        ({"limit": "9" * 30}, False, 400, []),
        ({"timeoutSeconds": "1.5"}, True, 400, []),
        ({"labelSelector": "a in"}, False, 400, []),
        ({"fieldSelector": "a"}, False, 400, []),
        ({"resourceVersionMatch": "Exact"}, False, 422, ["resourceVersionMatch"]),
        ({"resourceVersionMatch": "Near", "resourceVersion": "1"}, False, 422, ["resourceVersionMatch"]),
        ({"resourceVersionMatch": "Exact", "resourceVersion": "0"}, False, 422, ["resourceVersionMatch"]),
        ({"sendInitialEvents": "true"}, False, 422, ["sendInitialEvents"]),
        ({"continue": "x", "resourceVersion": "5"}, False, 400, []),
        ({"sendInitialEvents": "true"}, True, 422, ["resourceVersionMatch"]),
        ({"resourceVersionMatch": "NotOlderThan"}, True, 422, ["resourceVersionMatch"]),
    ],
)
def test_options_of_lists_and_watches(options: dict[str, str], watch: bool, code: int, fields: list[str]) -> None:
    assert refused(list_options, options, watch=watch) == (code, fields)


@pytest.mark.parametrize(
    ("options", "patch", "fields"),
    [
        ({"dryRun": "Some"}, "", ["dryRun"]),
        ({"fieldManager": "x" * 129}, "", ["fieldManager"]),
        ({"fieldManager": "a\nb"}, "", ["fieldManager"]),
        ({"fieldValidation": "Lax"}, "", ["fieldValidation"]),
        ({"force": "true"}, "application/merge-patch+json", ["force"]),
        ({}, "application/apply-patch+yaml", ["fieldManager"]),
    ],
)
def test_options_of_writes(options: dict[str, str], patch: str, fields: list[str]) -> None:
    assert refused(write_options, options, "patch" if patch else "create", patch, "kubectl/1") == (422, fields)


def test_who_writes_is_told_by_the_client_or_its_name() -> None:
    assert write_options({"fieldManager": "m"}, "create", "", "kubectl/v1.36").manager == "m"
    assert write_options({}, "create", "", "kubectl/v1.36 (linux)").manager == "kubectl"
    assert write_options({}, "create", "", "").manager == "unknown"


def test_options_of_deletions() -> None:
    both = {"propagationPolicy": "Orphan", "orphanDependents": True}
    assert refused(delete_options, both, {})[0] == 422
    assert refused(delete_options, {"propagationPolicy": "Later"}, {}) == (422, ["propagationPolicy"])
    assert refused(delete_options, None, {"gracePeriodSeconds": "x"})[0] == 400


# The store's errors


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (Compacted(7), 410, "Expired"),
        (FutureRevision(9, 7), 504, "Timeout"),
        (RequestTooLarge("etcdserver: request is too large"), 413, "RequestEntityTooLarge"),
        (StoreUnavailable("etcd is away"), 503, "ServiceUnavailable"),
    ],
)
def test_what_the_store_cannot_do_is_told(error: StoreError, code: int, reason: str) -> None:
    refusal = refusal_of(error)
    assert (refusal.code, refusal.reason) == (code, reason)


def test_a_store_that_is_away_is_told_and_counts_as_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(controllers=False)

    def away(*arguments: Any, **named: Any) -> Any:
        raise StoreUnavailable("the store is away")

    for call in ("get", "range", "txn"):
        monkeypatch.setattr(cluster.store, call, away)
    for method, path in (("GET", f"{MAPS}/a"), ("GET", MAPS), ("DELETE", f"{MAPS}/a")):
        assert status_of(ask(cluster, method, path))["reason"] == "ServiceUnavailable"
    assert ask(cluster, "GET", "/readyz").status == 500
    monkeypatch.undo()
    assert ask(cluster, "GET", "/readyz").status == 200
    assert ask(cluster, "GET", MAPS).status == 200


def test_what_is_not_served_is_not_counted(cluster: Cluster) -> None:
    before = ask(cluster, "GET", "/metrics").body
    for number in range(50):
        ask(cluster, "GET", f"/api/v1/nothing{number}")
        ask(cluster, "GET", f"{MAPS}/kept/part{number}")
    assert ask(cluster, "GET", "/metrics").body == before
