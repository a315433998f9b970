"""`refkube serve` as a process: what a socket, a signal and a bad start do to it. Behaviour of the API is specified
by features; here are limits, connections, ends and beginnings."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from ci import etcd as etcd_tool  # noqa: E402
from ci.server import Server, refkube_server  # noqa: E402

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
PATIENCE = 20.0  # seconds until a test gives up


class Wire:
    """A TLS connection on which bytes are sent as they are."""

    def __init__(self, kubeconfig: Path, receive_buffer: int = 0):
        told = yaml.safe_load(kubeconfig.read_text())
        cluster = told["clusters"][0]["cluster"]
        self.token = told["users"][0]["user"]["token"]
        address = urlsplit(cluster["server"])
        raw = socket.socket()
        if receive_buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        raw.settimeout(PATIENCE)
        raw.connect((address.hostname, address.port))
        context = ssl.create_default_context(cadata=b64decode(cluster["certificate-authority-data"]).decode())
        self.socket = context.wrap_socket(raw, server_hostname=address.hostname)
        self._rest = b""
        self.unread = 0

    def send(self, method: str, path: str, body: bytes = b"", *headers: str) -> None:
        lines = [f"{method} {path} HTTP/1.1", "host: x", f"authorization: Bearer {self.token}", *headers]
        if body:
            lines.append(f"content-length: {len(body)}")
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode() + body)

    def answer(self, head_only: bool = False) -> tuple[int, dict[str, str], bytes]:
        """The next whole answer that tells its length."""
        while b"\r\n\r\n" not in self._rest:
            self._read()
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = 0 if head_only else int(headers.get("content-length", "0"))
        while len(self._rest) < length:
            self._read()
        body, self._rest = self._rest[:length], self._rest[length:]
        return int(first.split()[1]), headers, body

    def ends(self) -> bool:
        """True once the server has closed the connection; what it still said is counted in `unread`."""
        try:
            while data := self.socket.recv(65536):
                self.unread += len(data)
        except (ConnectionError, ssl.SSLError):
            pass
        return True

    def _read(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the server closed the connection")
        self._rest += data

    def close(self) -> None:
        self.socket.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with refkube_server("--memory") as running:
        yield running


@pytest.fixture
def wire(server: Server) -> Iterator[Wire]:
    connection = Wire(server.kubeconfig)
    yield connection
    connection.close()


def test_a_hundred_megabytes_are_refused_before_they_are_read(wire: Wire) -> None:
    wire.send("POST", CONFIGMAPS, b"", "content-type: application/json", "content-length: 104857600")
    code, headers, body = wire.answer()
    assert (code, json.loads(body)["reason"]) == (413, "RequestEntityTooLarge")
    assert headers["connection"] == "close"
    assert wire.ends()


def test_a_body_without_length_is_refused_when_it_is_too_long(wire: Wire) -> None:
    wire.send("POST", CONFIGMAPS, b"", "content-type: application/json", "transfer-encoding: chunked")
    sent = 0
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    try:
        while sent < 100 * 1024 * 1024:
            wire.socket.sendall(piece)
            sent += 65536
            wire.socket.settimeout(0)
            try:
                wire._rest += wire.socket.recv(65536)
                break
            except (ssl.SSLWantReadError, BlockingIOError):
                pass
            finally:
                wire.socket.settimeout(PATIENCE)
    except (ConnectionError, ssl.SSLError):
        pass  # it is closed while we write
    assert sent < 30 * 1024 * 1024
    code, _, body = wire.answer()
    assert (code, json.loads(body)["code"]) == (413, 413)
    assert wire.ends()


def test_a_body_of_the_greatest_length_is_read(wire: Wire) -> None:
    body = b'{"metadata":{"name":"' + b"x" * (3 * 1024 * 1024 - 24) + b'"}}'
    wire.send("POST", CONFIGMAPS, body, "content-type: application/json")
    assert wire.answer()[0] == 422


def test_a_yaml_bomb_is_refused_and_the_server_goes_on(wire: Wire) -> None:
    lines = [b"a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    lines += [b"a%d: &a%d [%s]" % (i, i, b",".join([b"*a%d" % (i - 1)] * 9)) for i in range(1, 12)]
    for bomb in (b"\n".join(lines), b"[" * 200_000, b"- " * 200_000):
        began = time.monotonic()
        wire.send("POST", CONFIGMAPS, bomb, "content-type: application/yaml")
        code, _, body = wire.answer()
        assert (code, json.loads(body)["reason"]) == (400, "BadRequest")
        assert time.monotonic() - began < 5
    wire.send("GET", "/version")
    assert wire.answer()[0] == 200


def test_requests_on_one_connection_are_answered_in_order(wire: Wire) -> None:
    paths = ["/version", "/api", "/nope", f"{CONFIGMAPS}/nope", "/livez"] * 4
    head = f"host: x\r\nauthorization: Bearer {wire.token}\r\n\r\n"
    wire.socket.sendall("".join(f"GET {path} HTTP/1.1\r\n{head}" for path in paths).encode())
    assert [wire.answer()[0] for _ in paths] == [200, 200, 404, 404, 200] * 4


def test_an_answer_to_head_has_no_body(wire: Wire) -> None:
    for path in ("/version", "/api/v1", CONFIGMAPS, f"{CONFIGMAPS}/nope"):
        wire.send("HEAD", path)
        wire.answer(head_only=True)
    wire.send("GET", "/livez")
    assert wire.answer()[2] == b"ok"


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "PROPFIND"])
def test_methods_that_are_not_served(wire: Wire, method: str) -> None:
    wire.send(method, CONFIGMAPS)
    code, _, body = wire.answer()
    assert (code, json.loads(body)["reason"]) == (405, "MethodNotAllowed")


@pytest.mark.parametrize("nonsense", [b"\x16\x03\x01\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nbad header\r\n\r\n"])
def test_what_is_no_http_ends_the_connection(server: Server, wire: Wire, nonsense: bytes) -> None:
    wire.socket.sendall(nonsense)
    assert wire.ends()
    other = Wire(server.kubeconfig)
    other.send("GET", "/livez")
    assert other.answer()[0] == 200
    other.close()


def test_slow_clients_do_not_keep_others_waiting(server: Server, wire: Wire) -> None:
    slow = [Wire(server.kubeconfig) for _ in range(20)]
    for number, client in enumerate(slow):
        if number % 2:
            client.socket.sendall(b"GET /api HTT")
        else:
            client.send("POST", CONFIGMAPS, b"", "content-type: application/json", "content-length: 1000")
            client.socket.sendall(b"{")
    wire.send("GET", "/livez")
    assert wire.answer()[0] == 200
    for client in slow:
        client.close()


def test_a_body_that_breaks_off_is_not_taken_for_a_whole_one(server: Server, wire: Wire) -> None:
    body = b'{"metadata":{"name":"broken-off"}}'
    broken = Wire(server.kubeconfig)
    broken.send("POST", CONFIGMAPS, b"", "content-type: application/json", f"content-length: {len(body) + 1}")
    broken.socket.sendall(body)
    broken.close()
    for _ in range(3):  # the connection's end has arrived by then
        wire.send("GET", f"{CONFIGMAPS}/broken-off")
        assert wire.answer()[0] == 404


def test_a_watcher_that_does_not_read_is_cut_off_and_others_are_not(server: Server, wire: Wire) -> None:
    deaf, keen = Wire(server.kubeconfig, receive_buffer=4096), Wire(server.kubeconfig)
    for watcher in (deaf, keen):
        watcher.send("GET", f"{CONFIGMAPS}?watch=1&fieldSelector=metadata.name%3Dlarge")
    large = {"metadata": {"name": "large"}, "data": {"x": "x" * 1_000_000}}
    wire.send("POST", CONFIGMAPS, json.dumps(large).encode(), "content-type: application/json")
    assert wire.answer()[0] == 201
    read = 0
    before = _resident(server)
    for turn in range(40):
        patch = json.dumps({"metadata": {"labels": {"turn": str(turn)}}}).encode()
        wire.send("PATCH", f"{CONFIGMAPS}/large", patch, "content-type: application/merge-patch+json")
        assert wire.answer()[0] == 200
        while read < (turn + 1) * 1_000_000:
            read += len(keen.socket.recv(1 << 20))
    assert _resident(server) - before < 120  # of the history of changes itself 40 MB
    assert deaf.ends()
    assert deaf.unread < 10_000_000
    wire.send("DELETE", f"{CONFIGMAPS}/large")
    assert wire.answer()[0] == 200
    keen.close()


def test_idle_watchers_cost_little(server: Server, wire: Wire) -> None:
    count = 300
    before = _resident(server)
    watchers = [Wire(server.kubeconfig) for _ in range(count)]
    for watcher in watchers:
        watcher.send("GET", f"{CONFIGMAPS}?watch=1&resourceVersion=0&fieldSelector=metadata.name%3Didle")
    assert _resident(server) - before < count * 0.3  # MB
    body = b'{"metadata":{"name":"idle"}}'
    wire.send("POST", CONFIGMAPS, body, "content-type: application/json")
    assert wire.answer()[0] == 201
    for watcher in watchers:
        seen = b""
        while b"ADDED" not in seen:
            seen += watcher.socket.recv(65536)
        watcher.close()


def _resident(server: Server) -> float:
    """MB."""
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


# Ends


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_at_once_and_without_a_word_while_clients_are_there(tmp_path: Path, how: signal.Signals) -> None:
    running = Server(tmp_path, "--memory")
    idle, watcher, fresh, deaf = (Wire(running.kubeconfig) for _ in range(4))
    idle.send("GET", "/version")
    idle.answer()
    for client in (watcher, deaf):
        client.send("GET", f"{CONFIGMAPS}?watch=1")
    while b"kube-root-ca" not in watcher._rest and b"\r\n\r\n" not in watcher._rest:
        watcher._read()
    began = time.monotonic()
    running.process.send_signal(how)
    out, wrong = running.process.communicate(timeout=PATIENCE)
    assert time.monotonic() - began < 3  # well below a second where the machine has time
    assert (running.process.returncode, out, wrong) == (0, "", "")
    assert watcher.ends()
    for client in (idle, fresh, deaf):
        client.close()


def test_a_second_signal_does_not_wait(tmp_path: Path) -> None:
    running = Server(tmp_path, "--memory")
    client = Wire(running.kubeconfig)
    client.send("POST", CONFIGMAPS, b"", "content-type: application/json", "content-length: 100")
    running.process.send_signal(signal.SIGINT)
    running.process.send_signal(signal.SIGINT)
    _, wrong = running.process.communicate(timeout=PATIENCE)
    assert (running.process.returncode, wrong) == (0, "")
    client.close()


def test_what_was_stored_and_the_kubeconfig_outlive_a_restart(tmp_path: Path) -> None:
    running = Server(tmp_path)
    kubeconfig = running.kubeconfig.read_text()
    port = urlsplit(yaml.safe_load(kubeconfig)["clusters"][0]["cluster"]["server"]).port
    client = Wire(running.kubeconfig)
    client.send("POST", CONFIGMAPS, b'{"metadata":{"name":"kept"}}', "content-type: application/json")
    stored = json.loads(client.answer()[2])
    client.close()
    running.stop()
    again = Server(tmp_path, port=port or 0)
    assert again.kubeconfig.read_text() == kubeconfig
    client = Wire(again.kubeconfig)
    client.send("GET", f"{CONFIGMAPS}/kept")
    assert json.loads(client.answer()[2]) == stored
    client.close()
    assert again.stop() == 0


# Beginnings


def refused(*options: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "refkube", "serve", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    return done.returncode, done.stderr


def test_what_cannot_begin_says_why_in_one_line(server: Server, tmp_path: Path) -> None:
    taken = str(urlsplit(yaml.safe_load(server.kubeconfig.read_text())["clusters"][0]["cluster"]["server"]).port)
    (tmp_path / "file").write_text("")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "sa.key").write_text("garbage")
    fresh = ["--data-dir", str(tmp_path / "data"), "--port", "0"]
    for options, why in (
        (["--memory", "--data-dir", str(tmp_path / "data"), "--port", taken], "Address already in use"),
        (["--memory", "--port", "0", "--data-dir", str(tmp_path / "file")], "File exists"),
        (["--memory", "--port", "0", "--data-dir", str(tmp_path / "bad")], "PEM"),
        (["--memory", *fresh, "--kubeconfig", str(tmp_path / "file" / "k")], "file"),
        ([*fresh, "--etcd", "http://127.0.0.1:1"], "is not available"),
        ([*fresh, "--etcd", "ftp://x"], "not an etcd URL"),
        (["--port", "99999"], "--port"),
    ):
        code, told = refused(*options)
        assert code == 3, options
        assert len(told.strip().splitlines()) == 1, told
        assert told.startswith("refkube: ")
        assert why in told


def test_a_directory_serves_one_server_at_a_time(tmp_path: Path) -> None:
    running = Server(tmp_path)
    code, told = refused("--port", "0", "--data-dir", str(tmp_path))
    assert code == 3
    assert "in use by another server" in told
    assert running.stop() == 0


# etcd


@pytest.mark.skipif(bool(etcd_tool.missing()), reason=etcd_tool.missing())
def test_while_etcd_is_away_it_says_so_and_then_goes_on() -> None:
    with etcd_tool.etcd_server() as etcd, refkube_server("--etcd", etcd.url) as running:
        client = Wire(running.kubeconfig)

        def code_of(method: str, path: str, body: bytes = b"") -> tuple[int, Any]:
            client.send(method, path, body, "content-type: application/json")
            code, headers, answer = client.answer()
            return code, json.loads(answer) if headers["content-type"] == "application/json" else answer

        assert code_of("POST", CONFIGMAPS, b'{"metadata":{"name":"a"}}')[0] == 201
        assert code_of("GET", "/readyz") == (200, b"ok")
        etcd.kill()
        for method, path, body in (
            ("GET", f"{CONFIGMAPS}/a", b""),
            ("GET", CONFIGMAPS, b""),
            ("POST", CONFIGMAPS, b'{"metadata":{"name":"b"}}'),
            ("GET", f"{CONFIGMAPS}?watch=1", b""),
        ):
            code, status = code_of(method, path, body)
            assert (code, status["reason"], status["code"]) == (503, "ServiceUnavailable", 503)
        assert code_of("GET", "/readyz")[0] == 500
        assert code_of("GET", "/livez/ping")[0] == 200
        etcd.start()
        assert code_of("GET", "/readyz") == (200, b"ok")
        assert code_of("GET", f"{CONFIGMAPS}/a")[0] == 200
        assert code_of("POST", CONFIGMAPS, b'{"metadata":{"name":"b"}}')[0] == 201
        client.close()
