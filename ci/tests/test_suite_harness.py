"""The harness protocol: refkube behind it, a small harness in Node.js, and harnesses that break their word."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import jsonschema
import pytest
from gherkube import cli, paths, smoke
from gherkube.drivers import open_target, protocol
from gherkube.drivers.base import Connection, Crossing, Journey, NotOffered, Place, Unreachable
from gherkube.drivers.serving import ServedReference
from gherkube.report import read_report

ROOT = Path(__file__).parents[2]
SOUND: dict[str, Any] = {
    "protocol": {"versions": ["1"]},
    "implementation": {"project": "toy"},
    "capabilities": [],
    "isolation": "reset",
}


# refkube behind the protocol


class Networked(ServedReference):
    """With an invented network: what the protocol carries of it is tested here, networks are elsewhere."""

    capabilities = ServedReference.capabilities | {"net.connect", "net.capture", "net.state", "net.fault", "dns"}

    def __init__(self) -> None:
        self.asked: list[Any] = []
        super().__init__(nodes=1)

    def connect(self, *asked: Any, **_: Any) -> list[Connection]:
        self.asked.append(asked)
        return [Connection("answered", "web-1", "10.1.0.2", "10.96.0.10"), Connection("refused")]

    def held(self) -> list[Connection]:
        return [Connection("timed out")]

    def release(self) -> None:
        self.asked.append("release")

    def outside_address(self, place: Place) -> str:
        self.asked.append(place)
        return "192.0.2.1"

    def fetch(self, *asked: Any) -> tuple[int, str]:
        self.asked.append(asked)
        return 200, "hello"

    def resolve(self, *asked: Any) -> tuple[str, list[str]]:
        self.asked.append(asked)
        return "NOERROR", ["10.96.0.10"]

    def journey(self, *asked: Any) -> Journey:
        self.asked.append(asked)
        seen = Crossing("n1", "docker0", "10.1.0.2", "10.1.0.3", ("vxlan 1",))
        return Journey(Connection("answered"), (seen,), ())

    def tables(self, place: Place) -> dict[str, list[dict[str, Any]]]:
        self.asked.append(place)
        return {"routes": [{"dst": "default"}]}

    def remove_rule(self, *asked: Any) -> None:
        self.asked.append(asked)

    def stop_component(self, *asked: Any) -> None:
        self.asked.append(("stop", *asked))

    def start_component(self, *asked: Any) -> None:
        self.asked.append(("start", *asked))


@pytest.fixture(scope="module")
def served() -> Iterator[Networked]:
    harness = Networked()
    yield harness
    harness.close()


def test_smoke_finds_refkube_sane(served: Networked, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.call(["smoke", "--target", served.url]) == 0
    told = capsys.readouterr().out
    assert told.count("ok     ") == 3 + len(smoke.PROBES)
    assert "refkube v1.36" in told


def test_a_harness_begins_with_the_parameters_that_a_scenario_chooses(served: Networked) -> None:
    driver = open_target(served.url)
    driver.begin("things.01", ["net.connect"])
    driver.choose("flannel-backend", "host-gw")
    assert served._chosen == {"flannel-backend": "host-gw"}
    assert driver.api().call("GET", "/api/v1/namespaces/home").accepted
    with pytest.raises(NotOffered, match="does not offer flannel-backend pigeon"):
        driver.choose("flannel-backend", "pigeon")
    driver.close()


BEFALLEN = ["silence.23", "running.13", "running.17", "running.21", "probes.16", "probes.20", "restarts.12#3"]
PARTS = ["labels.06", "labels.08", "audit.02", "store.02", "rollouts.02", "endpoints.23"]


def test_the_suite_judges_refkube_behind_the_protocol(served: Networked, tmp_path: Path) -> None:
    """Watches, the audit record, the store, time that is skipped, faults of nodes, containers and probes."""
    path = tmp_path / "report.json"
    wanted = [*PARTS, *BEFALLEN]
    tags = " or ".join(f"@id:{id.partition('#')[0]}" for id in wanted)
    assert cli.call(["run", "--target", served.url, "--tags", tags, "--report", str(path)]) == 2
    made = read_report(path)
    outcomes = {one["id"]: one["outcome"] for one in made["scenarios"]}
    assert set(outcomes.values()) == {"passed"}
    assert outcomes.keys() >= set(wanted)
    assert made["implementation"]["project"] == "refkube"


def test_one_system_is_not_shared_by_processes(served: Networked, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.call(["run", "--target", served.url, "-n", "2"]) == 3
    assert "is begun anew by every scenario: leave out -n" in capsys.readouterr().err


def test_a_recorded_run_over_a_harness_tells_who_said_what(served: Networked, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    tags = ["--tags", "@id:rollouts.02 or @id:objects.02"]
    assert cli.call(["run", "--target", served.url, *tags, "--record", "--report", str(path)]) == 2
    refused, rolled = (one["record"]["conversation"] for one in read_report(path)["scenarios"])
    assert ("user", "get", "configmaps", 404) in [
        (one["who"], one["verb"], one["what"], one["code"]) for one in refused
    ]
    speakers = {one["who"] for one in rolled}
    assert {"user", "deployment-controller", "replicaset-controller", "scheduler", "kubelet n1"} <= speakers


def test_what_only_a_harness_can_do_is_carried_as_it_is(served: Networked) -> None:
    driver = open_target(served.url)
    driver.begin("things.01")
    pod = Place("Pod", "a", "home")
    assert driver.connect(pod, "10.96.0.10", 80, times=2) == [
        Connection("answered", "web-1", "10.1.0.2", "10.96.0.10"),
        Connection("refused"),
    ]
    assert driver.held() == [Connection("timed out")]
    driver.release()
    assert driver.outside_address(Place("outside")) == "192.0.2.1"
    assert driver.fetch(Place("node", "n1"), "10.1.0.3", 80, "/a") == (200, "hello")
    assert driver.resolve(pod, "web") == ("NOERROR", ["10.96.0.10"])
    assert driver.journey(pod, "10.1.0.3", 80).there == (
        Crossing("n1", "docker0", "10.1.0.2", "10.1.0.3", ("vxlan 1",)),
    )
    assert driver.tables(Place("outside")) == {"routes": [{"dst": "default"}]}
    driver.remove_rule("n1", "routes", {"dst": "default"})
    driver.stop_component("n1", "kube-proxy")
    driver.start_component("n1", "kube-proxy")
    assert served.asked == [
        (pod, "10.96.0.10", 80, "TCP", 2, False, 0),
        "release",
        Place("outside"),
        (Place("node", "n1"), "10.1.0.3", 80, "/a"),
        (pod, "web", "A"),
        (pod, "10.1.0.3", 80, "TCP"),
        Place("outside"),
        ("n1", "routes", {"dst": "default"}),
        ("stop", "n1", "kube-proxy"),
        ("start", "n1", "kube-proxy"),
    ]
    driver.silence("n1")
    with pytest.raises(Unreachable, match=r"POST /node, could not do it: .*no node .moon"):
        driver.silence("moon")
    driver.close()


@pytest.mark.parametrize(
    ("method", "path", "body", "code", "message"),
    [
        ("POST", "/time", {"seconds": -1}, 400, "POST /time: seconds: -1 is less than or equal to the minimum of 0"),
        ("POST", "/time", {}, 400, "POST /time: 'seconds' is a required property"),
        ("POST", "/node", {"node": "n1", "do": "paint"}, 400, "POST /node: do: 'paint' is not one of"),
        ("POST", "/container", {"pod": {"kind": "Pod"}, "container": "a", "do": "paint"}, 400, "'paint' is not one of"),
        ("POST", "/probe", {"pod": {"kind": "Pod"}, "container": "a", "probe": "x"}, 400, "POST /probe: "),
        ("POST", "/paint", {}, 404, "no POST /paint"),
        ("GET", "/time", None, 404, "no GET /time"),
    ],
)
def test_refkube_refuses_what_the_protocol_does_not_know(
    served: Networked, method: str, path: str, body: Any, code: int, message: str
) -> None:
    answer = httpx2.request(method, served.url + path, json=body, trust_env=False)
    assert (answer.status_code, list(answer.json())) == (code, ["error"])
    assert message in answer.json()["error"]


# The description


def test_the_description_is_of_what_is_spoken() -> None:
    kept = json.loads((paths.schemas_dir() / protocol.OPENAPI).read_text())
    assert kept == protocol.openapi()
    schema = json.loads((paths.schemas_dir() / protocol.SCHEMA).read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    for operation in protocol.OPERATIONS.values():
        for shape in filter(None, (operation.asked, operation.told)):
            assert shape in schema["$defs"]


# A harness in another language

JUDGES_NO_OBJECT = [
    "selectors.02#1",
    "selectors.02#2",
    "selectors.02#3",
    "selectors.03#1",
    "selectors.03#2",
    "selectors.04",
]


def test_a_harness_in_another_language_fails_where_it_should_and_nowhere_else(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    path = tmp_path / "report.json"
    with subprocess.Popen(
        [node, str(ROOT / "ci/harness-node/harness.mjs")], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            assert cli.call(["smoke", "--target", url]) == 0
            assert cli.call(["run", "--target", url, "--profile", "selection", "--report", str(path)]) == 1
        finally:
            server.kill()
    made = read_report(path)
    outcomes = {one["id"]: one["outcome"] for one in made["scenarios"] if one["outcome"] != "unsupported"}
    assert sorted(id for id, outcome in outcomes.items() if outcome == "failed") == JUDGES_NO_OBJECT
    assert set(outcomes.values()) == {"passed", "failed"}
    assert made["implementation"]["language"] == "JavaScript"


# Harnesses that break their word

Answer = Callable[[str, str], tuple[int, bytes]]


@contextmanager
def harness(answer: Answer) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            code, body = answer(self.command, self.path)
            self.send_response(code)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """A client that has given up is no news."""

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def identity(**changes: Any) -> Answer:
    body = {**SOUND, "kubernetes": {"server": "http://127.0.0.1:1"}, **changes}
    return lambda method, path: (200, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda *_: (200, b"<html>hello"), "asked for GET /, answered nonsense: 200, not JSON: '<html>hello'"),
        (lambda *_: (200, b""), "answered nonsense: 200, not JSON: ''"),
        (lambda *_: (200, b"[]"), "broke its word: 200: [] is not of type 'object'"),
        (lambda *_: (500, b"{}"), "broke its word: 500: 'error' is a required property"),
        (lambda *_: (503, b'{"error": "not yet"}'), "could not do it: not yet"),
        (identity(capabilities="all"), "broke its word: 200: capabilities: 'all' is not of type 'array'"),
        (identity(protocol={"versions": ["2", "3"]}), "speaks the harness protocol 2, 3; this is 1"),
        (identity(kubernetes={}), "broke its word: 200: kubernetes: {} is not valid under any of the given schemas"),
        (identity(kubernetes={"kubeconfig": "/nope"}), "target 'kubeconfig:/nope': there is no such file"),
        (identity(), "does not answer: "),
    ],
)
def test_a_harness_that_talks_nonsense_is_told(
    answer: Answer, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with harness(answer) as url:
        for command in ("smoke", "run"):
            assert cli.call([command, "--target", url]) == 3
            told = capsys.readouterr().err
            assert message in told
            assert len(told.splitlines()) == 1


def test_a_harness_that_hangs_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    over = threading.Event()

    def hang(method: str, path: str) -> tuple[int, bytes]:
        over.wait(30)
        return 200, b"{}"

    with harness(hang) as url:
        assert cli.call(["smoke", "--target", f"{url}?patience=1"]) == 3
        over.set()
    assert "asked for GET /, did not answer within 1 s" in capsys.readouterr().err


def test_a_harness_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.call(["run", "--target", "http://127.0.0.1:1"]) == 3
    assert "the harness at http://127.0.0.1:1, asked for GET /, cannot be reached" in capsys.readouterr().err


def test_a_harness_that_breaks_down_in_a_scenario_is_no_failure_of_the_system(
    served: Networked, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kubernetes = {"server": served.url.removesuffix("/harness"), "token": served.cluster.admin_token}
    sound = identity(kubernetes=kubernetes)
    path = tmp_path / "report.json"
    with harness(lambda method, at: sound(method, at) if method == "GET" else (200, b"gone")) as url:
        assert cli.call(["run", "--target", url, "--tags", "@id:objects.01", "--report", str(path)]) == 3
    (told,) = read_report(path)["scenarios"]
    assert told["outcome"] == "errored"
    assert "asked for POST /reset, answered nonsense: 200, not JSON: 'gone'" in told["reason"]


def test_smoke_names_what_a_target_does_wrong(
    served: Networked, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Networked, "recorded", lambda self: [])
    monkeypatch.setattr(Networked, "stored", lambda self, *asked: None)
    assert cli.call(["smoke", "--target", served.url]) == 3
    told = capsys.readouterr().out
    assert "WRONG  is capable of audit.read: a creation is not on record: []" in told
    assert "WRONG  is capable of store.read: a created object is not in the store" in told
    assert told.count("WRONG") == 2
