"""The client's methods become requests, in process and over HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from client_fake import FakeServer, pod
from refkube.api.kinds import preferred
from refkube.apimachinery import errors
from refkube.apimachinery.errors import StatusError
from refkube.apimachinery.rest import Request, Response, UserInfo, WatchEvent
from refkube.client.client import Client, retry_on_conflict
from refkube.client.http import connect, path_of
from refkube.client.informer import Informer
from refkube.engine.clock import WallClock
from refkube.engine.loop import Loop


@pytest.fixture
def asked() -> list[Request]:
    return []


@pytest.fixture
def client(asked: list[Request]) -> Client:
    def handle(request: Request) -> Response:
        asked.append(request)
        return Response({"metadata": {}})

    return Client(handle, UserInfo("system:admin"), "tester")


def test_a_resource_is_asked_for_in_its_preferred_version_or_as_the_kind_given(client: Client, asked: list) -> None:
    client.get("deployments.apps", "web", "default")
    client.get(preferred("horizontalpodautoscalers.autoscaling"), "web", "default")
    first, second = asked
    assert (first.verb, first.group, first.version, first.resource) == ("get", "apps", "v1", "deployments")
    assert (first.namespace, first.name) == ("default", "web")
    assert first.user.name == "system:admin"
    assert first.user_agent == "tester"
    assert second.version == "v2"
    with pytest.raises(KeyError):
        client.get("widgets.example.com", "x")


CALLS: list[tuple[Callable[[Client], Any], dict[str, Any]]] = [
    (
        lambda c: c.list("pods", "ns", label_selector="a=b", limit=5, continue_token="t"),
        {"verb": "list", "namespace": "ns", "options": {"labelSelector": "a=b", "limit": "5", "continue": "t"}},
    ),
    (lambda c: c.create("pods", pod("p", "ns"), dry_run=True), {"namespace": "ns", "options": {"dryRun": "All"}}),
    (
        lambda c: c.update_status("pods", pod("p", "ns")),
        {"verb": "update", "subresource": "status", "name": "p", "namespace": "ns"},
    ),
    (
        lambda c: c.patch("pods", "p", {"a": 1}, "apply", "ns", field_manager="me", force=False),
        {"patch_type": "application/apply-patch+yaml", "options": {"fieldManager": "me", "force": "false"}},
    ),
    (lambda c: c.delete("pods", "p", "ns"), {"verb": "delete", "body": None}),
    (
        lambda c: c.delete("pods", "p", "ns", grace_period=0, propagation="Orphan", uid="u"),
        {
            "body": {
                "apiVersion": "v1",
                "kind": "DeleteOptions",
                "gracePeriodSeconds": 0,
                "propagationPolicy": "Orphan",
                "preconditions": {"uid": "u"},
            }
        },
    ),
    (
        lambda c: c.delete_collection("pods", "ns", label_selector="a"),
        {"verb": "deletecollection", "name": "", "options": {"labelSelector": "a"}},
    ),
    (
        lambda c: c.bind({"metadata": {"name": "p", "namespace": "ns", "uid": "u"}}, "n1"),
        {
            "verb": "create",
            "name": "p",
            "subresource": "binding",
            "body": {
                "apiVersion": "v1",
                "kind": "Binding",
                "metadata": {"name": "p", "namespace": "ns", "uid": "u"},
                "target": {"apiVersion": "v1", "kind": "Node", "name": "n1"},
            },
        },
    ),
    (lambda c: c.evict("p", "ns", grace_period=5), {"subresource": "eviction", "name": "p"}),
    (lambda c: c.get_scale("deployments.apps", "web", "ns"), {"verb": "get", "subresource": "scale"}),
    (
        lambda c: c.create_token("sa", "ns", expirationSeconds=600),
        {"resource": "serviceaccounts", "subresource": "token", "name": "sa"},
    ),
]


@pytest.mark.parametrize(("call", "expected"), CALLS)
def test_calls_become_requests(
    client: Client, asked: list, call: Callable[[Client], Any], expected: dict[str, Any]
) -> None:
    call(client)
    assert {name: getattr(asked[0], name) for name in expected} == expected


def test_an_option_that_the_api_does_not_have_is_a_mistake(client: Client) -> None:
    with pytest.raises(TypeError, match="labelselector"):
        client.list("pods", labelselector="a=b")


def test_a_conflict_is_met_by_trying_again_and_nothing_else_is() -> None:
    server = FakeServer()
    client = Client(server.handle)
    client.create("pods", pod("p"))
    stale = [client.get("pods", "p", "default")]
    client.update("pods", {**stale[0], "status": {"phase": "Running"}})
    reads = []

    def attempt() -> str:
        obj = stale.pop() if stale else client.get("pods", "p", "default")
        reads.append(obj)
        return client.update("pods", {**obj, "spec": {"nodeName": "n1"}})["spec"]["nodeName"]

    assert retry_on_conflict(attempt) == "n1"
    assert len(reads) == 2
    assert server.objects["pods", "default", "p"]["status"] == {"phase": "Running"}
    with pytest.raises(StatusError, match="not found"):
        retry_on_conflict(lambda: client.get("pods", "other", "default"))
    server.faults = [("get", errors.conflict("pods", "p", "no")) for _ in range(10)]
    with pytest.raises(StatusError, match="no"):
        retry_on_conflict(lambda: client.get("pods", "p", "default"))
    assert len(server.faults) == 5


# Over HTTP


class Bridge(BaseHTTPRequestHandler):
    """The fake behind HTTP/1.1: enough of a server for the client's side."""

    protocol_version = "HTTP/1.1"
    server_state: Any = None

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.server_state(self)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def reply(self, code: int, body: Any, **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()

    def start_stream(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[Bridge], None]], str]]:
    servers: list[ThreadingHTTPServer] = []

    def start(answer: Callable[[Bridge], None]) -> str:
        handler = type("Handler", (Bridge,), {"server_state": staticmethod(answer)})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        (Request("list", "", "v1", "pods"), "/api/v1/pods"),
        (Request("get", "", "v1", "pods", "ns", "p", "status"), "/api/v1/namespaces/ns/pods/p/status"),
        (Request("get", "", "v1", "namespaces", "ns", "ns"), "/api/v1/namespaces/ns"),
        (Request("get", "apps", "v1", "deployments", "ns", "d"), "/apis/apps/v1/namespaces/ns/deployments/d"),
        (Request("create", "", "v1", "nodes"), "/api/v1/nodes"),
    ],
)
def test_paths(request_: Request, path: str) -> None:
    assert path_of(request_) == path


def test_a_call_over_http_carries_everything_and_keeps_its_connection(serve: Callable) -> None:
    seen: list[tuple] = []

    def answer(call: Bridge) -> None:
        body = call.rfile.read(int(call.headers.get("content-length", 0)))
        agent, kind = call.headers["user-agent"], call.headers["content-type"]
        seen.append((call.command, call.path, call.headers["authorization"], agent, kind, body, call.client_address))
        call.reply(200, {"kind": "Pod", "metadata": {"name": "p"}}, Warning='299 - "say \\"no\\""')

    handle = connect(Loop(WallClock()), url=serve(answer), token="secret")
    client = Client(handle, user_agent="tester/1")
    patched = client.patch("pods", "p", {"a": 1}, "merge", "ns", field_manager="me")
    client.delete("pods", "p", "ns", grace_period=0)
    assert patched == {"kind": "Pod", "metadata": {"name": "p"}}
    assert seen[0][:6] == (
        "PATCH",
        "/api/v1/namespaces/ns/pods/p?fieldManager=me",
        "Bearer secret",
        "tester/1",
        "application/merge-patch+json",
        b'{"a":1}',
    )
    assert json.loads(seen[1][5])["gracePeriodSeconds"] == 0
    assert seen[0][6] == seen[1][6]
    assert handle(Request("get", "", "v1", "pods", "ns", "p")).warnings == ['say "no"']
    handle.close()


def test_refusals_and_absence_over_http(serve: Callable) -> None:
    answers = [(404, errors.not_found("pods", "p").status), (503, b"upstream is down"), (429, {"kind": "Other"})]
    url = serve(lambda call: call.reply(*answers.pop(0), Retry_After="3"))
    client = Client(connect(Loop(WallClock()), url=url))
    with pytest.raises(StatusError, match='pods "p" not found'):
        client.get("pods", "p", "ns")
    with pytest.raises(StatusError, match="upstream is down") as unavailable:
        client.get("pods", "p", "ns")
    assert (unavailable.value.code, unavailable.value.reason) == (503, "ServiceUnavailable")
    with pytest.raises(StatusError) as many:
        client.get("pods", "p", "ns")
    assert many.value.headers == {"retry-after": "3"}
    nobody = Client(connect(Loop(WallClock()), url="http://127.0.0.1:1"))
    with pytest.raises(ConnectionRefusedError):
        nobody.get("pods", "p", "ns")


def test_items_of_a_list_on_the_wire_get_the_kind_they_leave_out(serve: Callable) -> None:
    body = {"apiVersion": "v1", "kind": "PodList", "metadata": {"resourceVersion": "7"}, "items": [{"metadata": {}}]}
    found = Client(connect(Loop(WallClock()), url=serve(lambda call: call.reply(200, body)))).list("pods")
    assert found.items == [{"apiVersion": "v1", "kind": "Pod", "metadata": {}}]
    assert found.resource_version == "7"


def test_an_informer_over_http_follows_a_stream_through_its_break(serve: Callable) -> None:
    first, second, goes_on, watched = threading.Event(), threading.Event(), threading.Event(), []

    def item(name: str, version: int) -> dict[str, Any]:
        return {"metadata": {"name": name, "namespace": "ns", "uid": name, "resourceVersion": str(version)}}

    def line(kind: str, name: str, version: int) -> bytes:
        return WatchEvent(kind, {"apiVersion": "v1", "kind": "Pod", **item(name, version)}).line

    def answer(call: Bridge) -> None:
        if "watch=true" not in call.path:
            listed = {"apiVersion": "v1", "kind": "PodList", "metadata": {"resourceVersion": "5"}}
            call.reply(200, {**listed, "items": [item("a", 3)]})
            return
        watched.append(call.path)
        call.start_stream()
        if len(watched) == 1:
            first.wait(5)
            both = line("ADDED", "b", 6) + line("MODIFIED", "a", 7)
            call.chunk(both[:100])  # a line that comes in two parts
            call.chunk(both[100:])
            call.close_connection = True  # and breaks off without an end
            return
        second.wait(5)
        call.chunk(line("DELETED", "b", 8))
        goes_on.wait(5)

    loop = Loop(WallClock(speed=20.0))
    informer = Informer(Client(connect(loop, url=serve(answer))), loop, "pods")
    informer.start()
    assert loop.run_until(lambda: informer.has_synced and watched, 200)
    assert informer.items["ns/a"]["kind"] == "Pod"
    first.set()
    assert loop.run_until(lambda: informer.resource_version == "7" and len(watched) == 2, 200)
    assert "resourceVersion=7" in watched[1]
    assert set(informer.items) == {"ns/a", "ns/b"}
    second.set()
    assert loop.run_until(lambda: set(informer.items) == {"ns/a"}, 200)
    threads = [thread for thread in threading.enumerate() if thread.name == "watch"]
    informer.stop()
    for thread in threads:
        thread.join(3)
        assert not thread.is_alive()
    goes_on.set()
    loop.run_for(1)
    assert len(watched) == 2
