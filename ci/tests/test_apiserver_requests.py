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
