"""What probes and lifecycle hooks do: a request, a connection, a command, a health check, a pause.

Each is started with `act` and tells once: that it went well, or what went wrong, in upstream's words. They reach into
the Pod from the node's own network. Source: pkg/probe/{http,tcp,exec,grpc}, pkg/kubelet/lifecycle/handlers.go.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from refkube.apimachinery.meta import Object
from refkube.engine.loop import Loop
from refkube.hostnet import Namespace, Stream, http
from refkube.kubelet.runtime.container import Container
from refkube.kubelet.runtime.tls import Secured

Done = Callable[[bool, str], object]
GiveUp = Callable[[], object]

MAX_OUTPUT = 10 * 1024
_WORDS = {
    "refused": "connect: connection refused",
    "timed out": "i/o timeout",
    "unreachable": "connect: no route to host",
}


class Unfit(Exception):
    """The handler cannot be used as it is written; one line."""


class Actions:
    """Of one node. `net` is its own network namespace."""

    def __init__(self, loop: Loop, net: Namespace | None):
        self._loop = loop
        self._net = net

    def act(
        self, handler: Object, spec: Object, container: Container, done: Done, timeout: float, whose: str = "probe"
    ) -> GiveUp:
        """Start it. After `timeout` seconds it has failed. What is returned takes it back."""
        over: list[bool] = []
        undo: list[GiveUp] = []

        def end(well: bool, told: str) -> None:
            if not over:
                over.append(True)
                timer.cancel()
                for call in undo:
                    call()
                done(well, told)

        def too_late() -> None:
            end(False, late)

        late = _late(handler, timeout)
        timer = self._loop.call_later(timeout, too_late)
        try:
            undo.append(self._start(handler, spec, container, end, whose))
        except (Unfit, OSError, ValueError) as why:
            end(False, str(why))

        def give_up() -> None:
            if not over:
                over.append(True)
                timer.cancel()
                for call in undo:
                    call()

        return give_up

    def _start(self, handler: Object, spec: Object, container: Container, done: Done, whose: str) -> GiveUp:
        if handler.get("exec") is not None:
            return _exec(container, handler["exec"].get("command") or [], done)
        if handler.get("sleep") is not None:
            return self._loop.call_later(handler["sleep"]["seconds"], done, True, "").cancel
        address = container.sandbox.address
        if handler.get("httpGet") is not None:
            return self._http_get(handler["httpGet"], spec, address, done, whose)
        if handler.get("tcpSocket") is not None:
            told = handler["tcpSocket"]
            return self._tcp(told.get("host") or address, port_of(told["port"], spec), done)
        if handler.get("grpc") is not None:
            return self._grpc(address, handler["grpc"]["port"], handler["grpc"].get("service") or "", done)
        raise Unfit("missing handler")

    def _network(self) -> Namespace:
        if self._net is None:
            raise Unfit("the node has no network")
        return self._net

    def _http_get(self, told: Object, spec: Object, address: str, done: Done, whose: str) -> GiveUp:
        host, port = told.get("host") or address, port_of(told["port"], spec)
        scheme = (told.get("scheme") or "HTTP").lower()
        path = told.get("path") or "/"
        target = path if path.startswith("/") else f"/{path}"
        url = f"{scheme}://{host}:{port}{target}"
        headers = {one["name"]: one["value"] for one in told.get("httpHeaders") or ()}
        known = {name.lower() for name in headers}
        usual = {"Host": f"{host}:{port}", "User-Agent": f"kube-{whose}/1.36", "Accept": "*/*", "Connection": "close"}
        sent = [*((name, value) for name, value in usual.items() if name.lower() not in known), *headers.items()]

        def answered(answer: http.Answer) -> None:
            if 200 <= answer.code < 400:
                done(True, answer.body[:MAX_OUTPUT].decode(errors="replace"))
            else:
                done(False, f"HTTP probe failed with statuscode: {answer.code}")

        def failed(why: str) -> None:
            words = f"dial tcp {host}:{port}: {_WORDS[why]}" if why in _WORDS else why
            done(False, f'Get "{url}": {words}')

        bare = urlsplit(target)
        return http.ask(
            Secured(self._network()) if scheme == "https" else self._network(),
            (host, port),
            "GET",
            bare.path + (f"?{bare.query}" if bare.query else ""),
            sent,
            answered,
            failed,
        )

    def _tcp(self, host: str, port: int, done: Done) -> GiveUp:
        def opened(stream: Stream) -> None:
            stream.close()
            done(True, "")

        def failed(why: str) -> None:
            done(False, f"dial tcp {host}:{port}: {_WORDS.get(why, why)}")

        return self._network().connect((host, port), opened, failed).close

    def _grpc(self, host: str, port: int, service: str, done: Done) -> GiveUp:
        """grpc.health.v1.Health/Check: one field each way, so nothing more than HTTP/2 is needed."""
        streams: list[Stream] = []

        def opened(stream: Stream) -> None:
            streams.append(stream)
            h2c = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
            status, body = "", b""

            def received(data: bytes) -> None:
                nonlocal status, body
                try:
                    events = h2c.receive_data(data)
                except h2.exceptions.ProtocolError:
                    done(False, f'timeout: failed to connect service "{host}:{port}" within 1s')
                    return
                for event in events:
                    if isinstance(event, h2.events.DataReceived):
                        body += event.data or b""
                    elif isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived):
                        status = dict(event.headers or ()).get(b"grpc-status", status.encode()).decode()
                    elif isinstance(event, h2.events.StreamEnded):
                        _serving(status, body, done)
                stream.send(h2c.data_to_send())

            stream.received = received
            stream.closed = lambda why: done(False, "error reading from server: EOF")
            h2c.initiate_connection()
            pairs = {
                ":method": "POST",
                ":scheme": "http",
                ":path": "/grpc.health.v1.Health/Check",
                ":authority": f"{host}:{port}",
                "content-type": "application/grpc",
                "te": "trailers",
                "user-agent": "kube-probe/1.36",
            }
            h2c.send_headers(1, list(pairs.items()))
            name = service.encode()
            message = b"\x0a" + bytes([len(name)]) + name if name else b""
            h2c.send_data(1, b"\0" + len(message).to_bytes(4, "big") + message, end_stream=True)
            stream.send(h2c.data_to_send())

        def failed(why: str) -> None:
            done(False, f'timeout: failed to connect service "{host}:{port}" within 1s: {_WORDS.get(why, why)}')

        pending = self._network().connect((host, port), opened, failed)

        def give_up() -> None:
            pending.close()
            for stream in streams:
                stream.close()

        return give_up


def _serving(status: str, body: bytes, done: Done) -> None:
    if status not in ("", "0"):
        done(False, f"error: health rpc probe failed: grpc-status {status}")
    elif body[5:] == b"\x08\x01":
        done(True, "")
    else:
        done(False, f'service unhealthy (responded with "{"NOT_SERVING" if body[5:] == bytes([8, 2]) else "UNKNOWN"}")')


def _exec(container: Container, command: list[str], done: Done) -> GiveUp:
    output: list[bytes] = []

    def ended(code: int) -> None:
        told = b"".join(output)[:MAX_OUTPUT].decode(errors="replace")
        done(code == 0, told)

    process = container.run(command, output.append, output.append, None, ended)
    if process is None:
        raise Unfit(f'exec: "{command[0] if command else ""}": executable file not found in $PATH: unknown')
    return lambda: process.exit(137)


def _late(handler: Object, timeout: float) -> str:
    if handler.get("exec") is not None:
        return f"command timed out: {' '.join(handler['exec'].get('command') or ())!r} timed out after {timeout:g}s"
    if handler.get("httpGet") is not None:
        return "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
    if handler.get("grpc") is not None:
        return f"timeout: health rpc did not complete within {timeout:g}s"
    return "i/o timeout"


def port_of(port: int | str, spec: Object) -> int:
    """A port by number or by the name that the container gives it."""
    if isinstance(port, int) or port.isdigit():
        return int(port)
    for declared in spec.get("ports") or ():
        if declared.get("name") == port:
            return int(declared["containerPort"])
    raise Unfit(f"couldn't find port: {port} in container {spec['name']}")
