"""What the HTTP front answers, to the letter where clients show it or decide by it: texts, codes, headers."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest
from refkube.apimachinery.rest import HttpRequest, HttpResponse
from refkube.cluster import Cluster

JSON = "application/json"
MERGE, JSON_PATCH = "application/merge-patch+json", "application/json-patch+json"
STRATEGIC, APPLY = "application/strategic-merge-patch+json", "application/apply-patch+yaml"
MAPS = "/api/v1/namespaces/default/configmaps"


class Server:
    def __init__(self) -> None:
        self.cluster = Cluster(controllers=False)

    def __call__(
        self, method: str, path: str, body: Any = None, media: str = JSON, accept: str = "", token: str = "admin"
    ) -> HttpResponse:
        path, _, query = path.partition("?")
        headers = {"content-type": media, "authorization": f"Bearer {token}"}
        if accept:
            headers["accept"] = accept
        raw = b"" if body is None else body if isinstance(body, bytes) else orjson.dumps(body)
        return self.cluster.http(HttpRequest(method, path, query, headers, raw))


@pytest.fixture
def server() -> Server:
    return Server()


def told(answer: HttpResponse) -> str:
    return str(orjson.loads(answer.body)["message"])


def named(name: str, **parts: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, **parts}


def test_strict_decoding_says_what_it_met(server: Server) -> None:
    answer = server(
        "POST", f"{MAPS}?fieldValidation=Strict", b'{"metadata":{"name":"a","x":1},"dat":{},"data":{"a":"1","a":"2"}}'
    )
    assert answer.status == 400
    assert told(answer) == (
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: '
        'unknown field "metadata.x", unknown field "dat", duplicate field "data.a"'
    )


@pytest.mark.parametrize(
    ("media", "body", "message"),
    [
        (MERGE, b'{"dat":{"b":"1"},"data":{"a":"1","a":"2"}}',
         r'strict decoding error: duplicate field "data.a", unknown field "dat"'),
        (JSON_PATCH, b'[{"op":"add","path":"/dat","value":1,"foo":1,"op":"add"}]',
         r'strict decoding error: json patch duplicate field "[0].op", json patch unknown field "[0].foo", '
         r'unknown field "dat"'),
        (STRATEGIC, b'{"dat":{"b":null,"a":1}}',
         r'"" is invalid: patch: Invalid value: "map[dat:map[a:1 b:<nil>]]": strict decoding error: unknown field'),
        (STRATEGIC, b'{"data":1}', r'"" is invalid: patch: Invalid value: "map[data:1]": json: cannot unmarshal'),
        (MERGE, b'{"data":{"a":1}}', r'\"data\":{\"a\":1}'),
    ],
)  # fmt: skip
def test_a_patch_is_told_by_what_it_makes(server: Server, media: str, body: bytes, message: str) -> None:
    server("POST", MAPS, named("a"))
    answer = server("PATCH", f"{MAPS}/a?fieldValidation=Strict", body, media)
    assert answer.status == 422
    assert message in told(answer)


def test_to_apply_what_is_unknown_is_an_error_however_fields_are_validated(server: Server) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", **named("a", dat={})}
    for validation in ("Warn", "Ignore"):
        answer = server("PATCH", f"{MAPS}/a?fieldManager=me&fieldValidation={validation}", body, APPLY)
        assert answer.status == 400
        assert told(answer) == (
            "failed to create typed patch object (/a; /v1, Kind=ConfigMap): .dat: field not declared in schema"
        )


REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
PEM = base64.b64encode(b"-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n").decode()


def test_a_signing_request_is_its_makers_and_its_parts_are_written_apart(server: Server) -> None:
    spec = {"request": PEM, "signerName": "example.com/signer", "usages": ["client auth"]}
    forged = {"username": "root", "groups": ["system:masters"], "uid": "1", "extra": {"a": ["b"]}}
    made = orjson.loads(server("POST", REQUESTS, named("a", spec={**spec, **forged}, status={"certificate": PEM})).body)
    groups = ["system:masters", "system:authenticated"]
    assert made["spec"] == {**spec, "username": "kubernetes-admin", "groups": groups}
    assert made["status"] == {}

    approved = {"type": "Approved", "status": "True", "reason": "Asked"}
    body = {
        **made,
        "spec": {**made["spec"], "username": "root"},
        "status": {"conditions": [approved], "certificate": PEM},
    }
    for path in (f"{REQUESTS}/a", f"{REQUESTS}/a/approval"):
        changed = orjson.loads(server("PUT", path, body).body)
        assert changed["spec"] == made["spec"]
        body["metadata"] = changed["metadata"]
        if path.endswith("/a"):
            assert changed["status"] == {}
    now = changed["metadata"]["creationTimestamp"]
    assert changed["status"] == {"conditions": [{**approved, "lastUpdateTime": now, "lastTransitionTime": now}]}

    denied = {"type": "Denied", "status": "True"}
    for path, conditions, problem in (
        ("approval", [], 'updates may not remove a condition of type "Approved"'),
        ("approval", [approved, denied], "Approved and Denied conditions are mutually exclusive"),
        ("approval", [{**approved, "status": "False"}], "Unsupported value"),
        ("status", [], 'updates may not remove a condition of type "Approved"'),
        ("status", [{**approved, "reason": "Else"}], 'updates may not modify a condition of type "Approved"'),
    ):
        answer = server("PUT", f"{REQUESTS}/a/{path}", {**changed, "status": {"conditions": conditions}})
        assert answer.status == 422
        assert problem in told(answer)
    issued = server("PUT", f"{REQUESTS}/a/status", {**changed, "status": {**changed["status"], "certificate": PEM}})
    assert orjson.loads(issued.body)["status"] == {**changed["status"], "certificate": PEM}
    again = server("PUT", f"{REQUESTS}/a/status", {**orjson.loads(issued.body), "status": changed["status"]})
    assert "updates may not modify existing certificate content" in told(again)


NO_METHOD = "the server does not allow this method on the requested resource"
NO_RESOURCE = "the server could not find the requested resource"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/apis/example.com", False),
        ("/apis/example.com/v1", False),
        ("/apis/example.com/v1/namespaces/default/gadgets", False),
        ("/nope", False),
        ("/apis/apps/v9", True),
        ("/apis/apps/v9/deployments", True),
        ("/apis/apps/v1/gadgets", True),
        ("/api/v2", True),
        ("/api/v1/gadgets", True),
        ("/api/v1/namespaces/default/configmaps/a/status", True),
        ("/api/v1/pods/a", True),
        ("/api/v1/namespaces/default/nodes", True),
        ("/api/v1/namespaces/default/pods/a/status/more", True),
    ],
)
def test_what_is_not_served_is_told_by_a_status_where_its_group_is_served(
    server: Server, path: str, status: bool
) -> None:
    for method in ("GET", "PUT", "OPTIONS"):
        answer = server(method, path)
        assert answer.status == 404
        if not status:
            assert (answer.body, answer.header("content-type")) == (
                b"404 page not found\n",
                "text/plain; charset=utf-8",
            )
            continue
        told = orjson.loads(answer.body)
        assert (told["reason"], told["message"], told["details"]) == ("NotFound", NO_RESOURCE, {})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("HEAD", MAPS),
        ("OPTIONS", MAPS),
        ("PUT", MAPS),
        ("PATCH", MAPS),
        ("POST", f"{MAPS}/a"),
        ("POST", "/api/v1/configmaps"),
        ("DELETE", "/api/v1/configmaps"),
        ("DELETE", "/api/v1/componentstatuses"),
        ("GET", "/api/v1/namespaces/default/bindings"),
        ("GET", "/apis/authorization.k8s.io/v1/subjectaccessreviews"),
        ("GET", "/api/v1/namespaces/default/pods/a/eviction"),
        ("DELETE", "/api/v1/namespaces/default/pods/a/status"),
        ("POST", "/apis/apps/v1/namespaces/default/deployments/a/scale"),
    ],
)
def test_what_cannot_be_done_is_told_by_405(server: Server, method: str, path: str) -> None:
    answer = server(method, path)
    assert (answer.status, told(answer)) == (405, NO_METHOD)


def test_a_slash_at_the_end_is_passed_over(server: Server) -> None:
    assert orjson.loads(server("GET", f"{MAPS}/").body)["kind"] == "ConfigMapList"
    assert orjson.loads(server("GET", "/api/v1/").body)["kind"] == "APIResourceList"


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/yaml", "application/yaml"),
        ("text/html, application/yaml;q=0.5, application/json;q=0.9", JSON),
        ("application/vnd.kubernetes.protobuf,application/json", JSON),
        ("text/html", "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml"),
        ("application/*", "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml"),
        ("application/json;as=Tree;v=v1;g=meta.k8s.io",
         "only the following media types are accepted: application/json, application/yaml"),
    ],
)  # fmt: skip
def test_answers_come_in_the_form_that_is_accepted(server: Server, accept: str, media: str) -> None:
    answer = server("GET", MAPS, accept=accept)
    if answer.status == 200:
        assert answer.header("content-type") == media
    else:
        assert (answer.status, told(answer)) == (406, media)


def test_answers_are_indented_for_those_who_read_them(server: Server) -> None:
    for query, agent, indented in (
        ("", "kubectl/v1.36", False),
        ("", "curl/8.0", True),
        ("pretty=true", "kubectl/v1.36", True),
        ("pretty=false", "curl/8.0", False),
        ("pretty=0", "", False),
        ("pretty=1", "", True),
    ):
        headers = {"authorization": "Bearer admin", "user-agent": agent}
        body = server.cluster.http(HttpRequest("GET", MAPS, query, headers)).body
        assert (b'\n  "kind"' in body) is indented, (query, agent)


def test_a_table_without_sense_is_refused(server: Server) -> None:
    answer = server("GET", f"{MAPS}?includeObject=All", accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    assert (answer.status, told(answer)) == (
        400,
        'Unable to convert to Table as requested: includeObject: Invalid value: "All": '
        "must be 'Metadata', 'Object', 'None', or empty",
    )


def test_a_patch_of_another_type_is_refused_by_the_router(server: Server) -> None:
    answer = server("PATCH", f"{MAPS}/a", {})
    assert (answer.status, told(answer)) == (415, "415: Unsupported Media Type")


def test_a_watch_without_a_time_ends_within_half_an_hour_to_an_hour(server: Server) -> None:
    loop, ends = server.cluster.loop, []
    for _ in range(20):
        stream = server("GET", f"{MAPS}?watch=1").stream
        assert stream is not None
        stream.start(lambda line: None, lambda: ends.append(loop.now()))
    began = loop.now()
    loop.run_for(1799)
    assert not ends
    loop.run_for(1802)
    assert len(ends) == 20
    assert max(ends) - min(ends) > 600
    assert min(ends) >= began + 1800


def test_each_group_selects_events_by_its_own_names_of_fields(server: Server) -> None:
    event = named("started", involvedObject={"kind": "Pod", "name": "web", "namespace": "default"})
    assert server("POST", "/api/v1/namespaces/default/events", {**event, "reportingComponent": "tester"}).status == 201
    core, newer = "/api/v1/events", "/apis/events.k8s.io/v1/events"
    component, controller = f"{core}?fieldSelector=reportingComponent", f"{newer}?fieldSelector=reportingController"
    for path in (f"{component}=tester", f"{controller}=tester"):
        assert [item["metadata"]["name"] for item in orjson.loads(server("GET", path).body)["items"]] == ["started"]
    for path in (f"{core}?fieldSelector=regarding.name=web", f"{newer}?fieldSelector=involvedObject.name=web"):
        answer = server("GET", path)
        assert answer.status == 400
        assert "field label not supported" in told(answer)
    answer = server("GET", f"{newer}?fieldSelector=regarding.name=web,regarding.kind!=Pod")
    assert orjson.loads(answer.body)["items"] == []
