"""Connections on a live cluster, made by commands: in the Pods of the scenario, on nodes, and on machines outside.

A Pod is asked by `pods/exec`: those of the features run agnhost, whose image has curl, nc and dig. A node is asked in a
Pod on its own network, made when it is first needed. Who is outside of the cluster the target says: this machine, where
it reaches the nodes, or others that commands run on as they do in Pods. Used by `kubeconfig`.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from threading import Thread
from urllib.parse import parse_qs

import h11
import httpx2

from gherkube.drivers.base import AGNHOST, Api, Connection, NotOffered, Object, TargetError, Unreachable
from gherkube.drivers.remote import Command, NotRun
from gherkube.phrases import Place

CONNECT, WHOLE = 5, 15  # seconds of the cluster's time after which nobody will come any more
SILENCE = 60.0  # real seconds that a command may say nothing
REACHES = 2.0  # real seconds in which this machine reaches a node, or does not
_RUNS = 120.0  # seconds until the Pod on a node runs
_FORM = "\\n=%{http_code} %{remote_ip} %{size_download}\\n"
_CURL = f"curl -s --fail-early --connect-timeout {CONNECT} -m {WHOLE} -w '{_FORM}'"
_TRANSFER = re.compile(r"(.*?)\n=(\d{3}) (\S*) (\d+)\n", re.DOTALL)
_EXIT = re.compile(r"=exit (\d+)\n")
_OUTCOMES = {0: "answered", 6: "unresolved", 28: "timed out"}  # by curl's exit codes
# How tools tell why there is no connection.
_WHY = (
    (re.compile(r"refused", re.IGNORECASE), "refused"),
    (re.compile(r"unreachable|no route", re.IGNORECASE), "unreachable"),
    (re.compile(r"DNS|resol", re.IGNORECASE), "unresolved"),
)

Run = Callable[[str], str]


class Commands:
    """`begin` starts words at an exec; `eventually` waits as the driver does; `outside` is a path below which NAME/exec
    leads to a machine outside, or "" where that is this machine."""

    def __init__(
        self,
        api: Callable[[], Api],
        client: Callable[[], httpx2.Client],
        eventually: Callable[[Callable[[], None], float], None],
        namespace: str,
        labels: Object,
        outside: str,
    ):
        self._api, self._client, self._eventually = api, client, eventually
        self._namespace, self._labels = namespace, labels
        self._outside = outside
        self._on_nodes: dict[str, str] = {}  # nodes and the Pods on their networks
        self._held: list[_Held] = []

    # Places

    def _run(self, origin: Place, script: str) -> str:
        if origin.kind == "outside" and not self._outside:
            self._only(origin)
            return subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False).stdout
        return self._begin(origin, ["sh", "-c", script]).output(SILENCE)

    def _begin(self, origin: Place, words: list[str], stdin: bool = False) -> Command:
        if origin.kind == "outside":
            if not self._outside:
                raise NotOffered("this machine holds no connections open")
            path = f"{self._outside}/{origin.name or 'outside'}/exec"
        elif origin.kind == "node":
            path = f"/api/v1/namespaces/{self._namespace}/pods/{self._on(origin.name)}/exec"
        else:
            path = f"/api/v1/namespaces/{origin.namespace}/pods/{origin.name}/exec"
        return Command(self._client(), path, words, stdin)

    def _on(self, node: str) -> str:
        """The Pod on the node's network, which runs."""
        if node not in self._on_nodes:
            if not self._on_nodes:
                labels = {**self._labels, "pod-security.kubernetes.io/enforce": "privileged"}
                self._make("/api/v1/namespaces", {"metadata": {"name": self._namespace, "labels": labels}})
            container = {"name": "main", "image": AGNHOST, "args": ["pause"]}
            spec = {
                "nodeName": node,
                "hostNetwork": True,
                "terminationGracePeriodSeconds": 0,
                "tolerations": [{"operator": "Exists"}],
                "containers": [container],
            }
            name = f"on-{node}"
            path = f"/api/v1/namespaces/{self._namespace}/pods"
            self._eventually(lambda: self._make(path, {"metadata": {"name": name}, "spec": spec}), _RUNS)

            def runs() -> None:
                answer = self._api().call("GET", f"{path}/{name}")
                if not answer.accepted or answer.object["status"].get("phase") != "Running":
                    raise AssertionError(f"the Pod on the network of {node} does not run: {answer}")

            self._eventually(runs, _RUNS)
            self._on_nodes[node] = name
        return self._on_nodes[node]

    def _make(self, path: str, obj: Object) -> None:
        answer = self._api().call("POST", path, body=obj)
        if not answer.accepted and answer.reason != "AlreadyExists":
            raise AssertionError(f"{obj['metadata']['name']} was {answer}")

    def outside_address(self, place: Place) -> str:
        if self._outside:
            return self._run(place, "hostname -i").split()[0]
        self._only(place)
        _ = self._server
        return self._own_address

    def _only(self, place: Place) -> None:
        if place.name:
            raise NotOffered("this machine is the only one outside")

    @cached_property
    def _own_address(self) -> str:
        """This machine's, as the nodes see it."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((node_addresses(self._api())[0], 9))
            return str(probe.getsockname()[0])

    @cached_property
    def _server(self) -> ThreadingHTTPServer:
        """What answers on this machine as Pods do."""
        try:
            server = ThreadingHTTPServer(("", 80), _Answering)
        except OSError as why:
            raise NotOffered(f"this machine cannot listen at port 80: {why.strerror}") from None
        Thread(target=server.serve_forever, name="gherkube outside", daemon=True).start()
        return server

    # Connections

    def connect(
        self, origin: Place, address: str, port: int, protocol: str, times: int, hold: bool, size: int
    ) -> list[Connection]:
        if hold:
            held = _Held(self._begin(origin, ["nc", "-q", "0", address, str(port)], stdin=True), f"{address}:{port}")
            self._held.append(held)
            return [held.ask()]
        if protocol == "UDP":
            return _told_datagrams(self._run(origin, _datagrams(address, port, times, size)), address, size)
        told = self._run(origin, _streams(address, port, times, size))
        return _told_streams(told, size)

    def held(self) -> list[Connection]:
        return [one.ask() for one in self._held]

    def release(self) -> None:
        for one in self._held:
            one.close()
        self._held.clear()

    def fetch(self, origin: Place, address: str, port: int, path: str) -> tuple[int, str]:
        found = _TRANSFER.match(self._run(origin, f"{_CURL} http://{address}:{port}{path}"))
        return (int(found[2]), found[1]) if found else (0, "")

    def resolve(self, origin: Place, name: str, type: str) -> tuple[str, list[str]]:
        told = self._run(origin, f"dig +search +noall +comments +answer {name} {type}")
        status = re.search(r"status: (\w+)", told)
        if status is None:
            return "timed out", []
        rows = [line.split(None, 4) for line in told.splitlines() if line and not line.startswith(";")]
        return status[1], [row[4] for row in rows if len(row) == 5 and row[3] == type]

    def close(self) -> None:
        """Nothing of it is left in the cluster, nor on this machine."""
        self.release()
        if self._on_nodes:
            self._on_nodes.clear()
            options = {"gracePeriodSeconds": "0", "propagationPolicy": "Background"}
            with suppress(Unreachable):  # then there is nothing to be tidied
                self._api().call("DELETE", f"/api/v1/namespaces/{self._namespace}", options=options)
        if "_server" in vars(self):
            self._server.shutdown()
            self._server.server_close()


class _Held:
    """A connection that stays open: nc, and what is asked through it."""

    def __init__(self, command: Command, host: str):
        self._command, self._host = command, host
        self.close = command.close

    def ask(self) -> Connection:
        connection = h11.Connection(h11.CLIENT)
        asked = connection.send(h11.Request(method="GET", target="/hostname", headers=[("Host", self._host)])) or b""
        self._command.write(asked + (connection.send(h11.EndOfMessage()) or b""))
        code, body = 0, b""
        try:
            while True:
                event = connection.next_event()
                if event is h11.NEED_DATA:
                    connection.receive_data(self._command.read(WHOLE))
                elif isinstance(event, h11.Response):
                    code = event.status_code
                elif isinstance(event, h11.Data):
                    body += bytes(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    return Connection("answered", body.decode() if code == 200 else "")
                else:
                    return Connection("closed")
        except TimeoutError:
            return Connection("timed out")
        except h11.RemoteProtocolError:
            return Connection(_why(self._command.errors.decode(errors="replace")) or "closed")


# What is run, and what it tells


def _streams(address: str, port: int, times: int, size: int) -> str:
    """So many connections, or up to the first of many that fails; each asks who answers, and whom that sees."""
    url = f"http://{address}:{port}"
    once = f"{_CURL} {url}/hostname {url}/clientip"
    if size:
        once = f"printf 'msg=%0{size}d' 0 | {_CURL} -H Expect: --data-binary @- -o /dev/null {url}/echo"
    why = f"curl -sv --connect-timeout {CONNECT} -m {WHOLE} -o /dev/null {url}/ 2>&1"
    return _repeated(times, f'{once}; c=$?; [ $c -ne 7 ] || {why}; echo "=exit $c"')


def _datagrams(address: str, port: int, times: int, size: int) -> str:
    asked = "{ echo hostname; sleep 0.2; echo 'echo #'; sleep 0.2; echo clientip; }"
    answers = 3
    if size:
        asked, answers = f"printf 'echo %0{size}d' 0", 1
    once = f'r=$({asked} | nc -u -w {CONNECT} -W {answers} {address} {port}); echo "$r"; c=0'
    why = f"/agnhost connect --protocol=udp --timeout={CONNECT}s {address}:{port} 2>&1; c=28"
    return _repeated(times, f'{once}; [ -n "$r" ] || {{ {why}; }}; echo "=exit $c"')


def _repeated(times: int, once: str) -> str:
    stop = "; [ $c -eq 0 ] || break" if times > 2 else ""
    return f"for n in {' '.join(map(str, range(times)))}; do {once}{stop}; done"


def _told_streams(told: str, size: int) -> list[Connection]:
    return [_told_stream(text, code, size) for text, code in _each(told)]


def _told_stream(text: str, code: int, size: int) -> Connection:
    if code:
        return Connection(_OUTCOMES.get(code) or _why(text) or "closed")
    transfers = _TRANSFER.findall(text)
    body, status, remote, length = transfers[0]
    if size:
        return Connection("answered" if status == "200" and int(length) == size else "garbled", answered_from=remote)
    if status != "200":  # no netexec: it has answered all the same
        return Connection("answered", answered_from=remote)
    return Connection("answered", body, transfers[1][0].strip("\n").rpartition(":")[0], remote)


def _told_datagrams(told: str, address: str, size: int) -> list[Connection]:
    return [_told_datagram(text.strip(), code, address, size) for text, code in _each(told)]


def _told_datagram(text: str, code: int, address: str, size: int) -> Connection:
    """Its answers follow each other: the name, #, and the client."""
    if code:
        return Connection(_why(text) or "timed out")
    if size:
        return Connection("answered" if len(text) == size else "garbled", answered_from=address)
    pod, _, source = text.partition("#")
    return Connection("answered", pod, source.rpartition(":")[0], address)


def _each(told: str) -> list[tuple[str, int]]:
    """What each attempt has told, and its exit code."""
    *pieces, rest = _EXIT.split(told)
    if not pieces:
        raise NotRun(f"a command has told nothing of connections: {rest.strip()[:200]!r}")
    return [(text, int(code)) for text, code in zip(pieces[::2], pieces[1::2], strict=True)]


def _why(text: str) -> str:
    return next((outcome for pattern, outcome in _WHY if pattern.search(text)), "")


# What can be probed


def node_addresses(api: Api) -> list[str]:
    return [address for address, _ in _kubelets(api)]


def reaches_pods(api: Api) -> bool:
    """Whether a command would get through to a container: the API server reaches the kubelet of a ready node."""
    for node in _ready(api):
        return api.call("GET", f"/api/v1/nodes/{node['metadata']['name']}/proxy/healthz").accepted
    return False


def is_outside(api: Api) -> bool:
    """Whether this machine reaches the nodes, and has the commands for it."""
    if not all(map(shutil.which, ("curl", "nc"))):
        return False
    for address, port in _kubelets(api)[:1]:
        with suppress(httpx2.TransportError):  # any answer will do, if it is a kubelet's
            answer = httpx2.get(f"https://{address}:{port}/healthz", verify=False, timeout=REACHES, trust_env=False)
            return answer.status_code in (200, 401, 403)
    return False


def outside_path(target: str, api: Api, told: str) -> str:
    """The path of the machines outside, which can be run on. Raises TargetError."""
    path = told.rstrip("/")
    answer = api.call("GET", f"{path}/outside")
    if not path.startswith("/") or not answer.accepted:
        raise TargetError(f"target {target!r}: there is no machine at {path}/outside: {answer}")
    return path


def _ready(api: Api) -> list[Object]:
    nodes = api.call("GET", "/api/v1/nodes").object.get("items") or ()
    ready = {"type": "Ready", "status": "True"}
    return [node for node in nodes if any(ready.items() <= one.items() for one in node["status"].get("conditions", ()))]


def _kubelets(api: Api) -> list[tuple[str, int]]:
    found = []
    for node in _ready(api):
        port = ((node["status"].get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}).get("Port") or 10250
        addresses = [one["address"] for one in node["status"].get("addresses") or () if one["type"] == "InternalIP"]
        found += [(address, port) for address in addresses if ip_address(address).version == 4][:1]
    return found


class _Answering(BaseHTTPRequestHandler):
    """GET /hostname and /clientip, POST /echo, as agnhost's netexec answers them."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        client = f"{self.client_address[0]}:{self.client_address[1]}"
        self._tell({"/hostname": b"outside", "/clientip": client.encode()}.get(self.path, b""))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        self._tell(parse_qs(body).get("msg", [""])[0].encode())

    def _tell(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass
