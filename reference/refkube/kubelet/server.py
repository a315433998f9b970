"""What a kubelet serves: logs, commands in containers, forwarded ports, and figures of what is used.

The API server asks it for the subresources of Pods and Nodes, metrics-server for the figures. In process it is called,
as a process of its own it is served over TLS; either way a request becomes a response, a stream or an upgrade to a
WebSocket. Source: pkg/kubelet/server/server.go, pkg/kubelet/kuberuntime/logs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import parse_qs, unquote

import orjson

from refkube.apimachinery.meta import Object
from refkube.apimachinery.remotecommand import (
    ERROR,
    PROTOCOLS,
    STDERR,
    STDOUT,
    V4,
    OverSpdy,
    Session,
    Streams,
    chosen,
    exit_status,
)
from refkube.apimachinery.rest import HttpRequest, HttpResponse
from refkube.engine.clock import parse_rfc3339, rfc3339_micro
from refkube.kubelet import stats
from refkube.kubelet.kubelet import Kubelet
from refkube.kubelet.portforward import FORWARDED, TUNNELLED, forwarding, is_port
from refkube.kubelet.portforward import PROTOCOLS as FORWARDING
from refkube.kubelet.runtime.container import ERR, Container, Sandbox
from refkube.kubelet.runtime.process import Pipe, Process
from refkube.kubelet.runtime.terminal import Terminal

TEXT, JSON = [("content-type", "text/plain")], [("content-type", "application/json")]

Query = dict[str, list[str]]


class NodeServer:
    """Of one kubelet."""

    def __init__(self, kubelet: Kubelet):
        self._kubelet = kubelet
        self._loop = kubelet.loop

    def serve(self, http: HttpRequest) -> HttpResponse:
        query = parse_qs(http.query, keep_blank_values=True)
        match [unquote(part) for part in http.path.strip("/").split("/")]:
            case ["healthz"]:
                return HttpResponse(200, TEXT, b"ok")
            case ["pods" | "runningpods"]:
                items = [worker.pod for worker in self._kubelet.workers.values() if not worker.gone]
                return _json({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items})
            case ["stats", "summary"]:
                return _json(stats.summary(self._kubelet))
            case ["metrics", "resource"]:
                return HttpResponse(200, TEXT, stats.exposition(self._kubelet))
            case ["containerLogs", namespace, name, container]:
                return self._logs(namespace, name, container, query)
            case ["exec" | "attach" as what, namespace, name, *rest] if len(rest) in (1, 2):
                found = self._container(namespace, name, rest[-1])
                if found is None or not found.running:
                    return HttpResponse(404, TEXT, f"container not found ({rest[-1]!r})".encode())
                begin = self._exec if what == "exec" else self._attach
                return _upgraded(
                    http, lambda session, protocol: begin(session, protocol, found, query), streams=_count(query)
                )
            case ["portForward", namespace, name]:
                sandbox = self._sandbox(namespace, name)
                if sandbox is None:
                    return HttpResponse(404, TEXT, f'pod not found ("{name}_{namespace}")'.encode())
                ports = [port for text in query.get("ports") or query.get("port") or [] for port in text.split(",")]
                if wrong := next((port for port in ports if not is_port(port)), None):
                    return HttpResponse(400, TEXT, f'unable to parse "{wrong}" as a port'.encode())
                return _upgraded(
                    http, lambda session, protocol: forwarding(session, protocol, sandbox, ports), FORWARDING
                )
        return HttpResponse(404, TEXT, b"404 page not found\n")

    def _sandbox(self, namespace: str, name: str) -> Sandbox | None:
        """The newest of that name."""
        found = None
        for sandbox in self._kubelet.runtime.sandboxes.values():
            if (sandbox.namespace, sandbox.name) == (namespace, name):
                found = sandbox
        return found

    def _container(self, namespace: str, name: str, container: str) -> Container | None:
        sandbox = self._sandbox(namespace, name)
        return sandbox.latest(container) if sandbox is not None else None

    # Logs

    def _logs(self, namespace: str, name: str, container: str, query: Query) -> HttpResponse:
        sandbox = self._sandbox(namespace, name)
        instance = sandbox.latest(container) if sandbox is not None else None
        if instance is None or sandbox is None:
            return self._no_log(namespace, name, container)
        if _flag(query, "previous"):
            previous = sandbox.previous(container) if instance.running or instance.state == "created" else None
            ended = previous or (instance if instance.state == "exited" and self._restarted(instance) else None)
            if ended is None:
                why = f'previous terminated container "{container}" in pod "{name}" not found'
                return HttpResponse(400, TEXT, why.encode())
            instance = ended
        show = _Shown(query, self._loop.now())
        body = show.past(instance)
        if _flag(query, "follow") and instance.running:
            return HttpResponse(200, TEXT, stream=_Followed(instance, body, show))
        return HttpResponse(200, TEXT, body)

    def _restarted(self, instance: Container) -> bool:
        """Does the one that ended last count as the previous one? As long as it waits to be started again."""
        worker = self._kubelet.workers.get(instance.sandbox.uid)
        return worker is not None and not worker.ended

    def _no_log(self, namespace: str, name: str, container: str) -> HttpResponse:
        for worker in self._kubelet.workers.values():
            if (worker.pod["metadata"].get("namespace"), worker.pod["metadata"]["name"]) == (namespace, name):
                told = worker.status()
                for status in (*(told.get("initContainerStatuses") or ()), *told["containerStatuses"]):
                    if status["name"] == container:
                        reason = (status["state"].get("waiting") or {}).get("reason", "")
                        why = f'container "{container}" in pod "{name}" is waiting to start: {reason}'
                        return HttpResponse(400, TEXT, why.encode())
        return HttpResponse(404, TEXT, f'pod "{name}" not found'.encode())

    # Commands

    @staticmethod
    def _exec(session: Session, protocol: str, container: Container, query: Query) -> None:
        stdin = Pipe(closed=not _flag(query, "input", "stdin"))
        process: list[Process] = []

        def gone() -> None:
            for one in process:
                one.exit(129)

        def typed(data: bytes | None) -> None:
            (terminal.typed if terminal is not None else _into(stdin))(data)

        streams = Streams(session, protocol, typed, gone, _first(query))
        terminal = Terminal(lambda: container, stdin, streams.out) if _flag(query, "tty") else None
        out, err = (streams.out, streams.err) if terminal is None else (terminal.write, terminal.write)
        command = query.get("command") or []
        ended: list[int] = []

        def end(code: int) -> None:
            ended.append(code)
            streams.end(exit_status(code))

        started = container.run(command, out, err, stdin, end, terminal)
        if started is None:
            why = f'exec: "{command[0] if command else ""}": executable file not found in $PATH'
            streams.end(exit_status(0, f"OCI runtime exec failed: exec failed: {why}: unknown"))
        elif not ended:
            process.append(started)

    def _attach(self, session: Session, protocol: str, container: Container, query: Query) -> None:
        """Its output from now on; what is written goes to its input, if it has one."""
        log = container.log

        def tell(stream: str, data: bytes) -> None:
            (streams.err if stream == ERR and not _flag(query, "tty") else streams.out)(data)

        def gone() -> None:
            if tell in log.watchers:
                log.watchers.remove(tell)

        typed = container.terminal.typed if container.terminal is not None else _into(container.stdin)
        streams = Streams(session, protocol, typed, gone, _first(query))
        log.watchers.append(tell)
        log.closing.append(lambda: streams.end(exit_status(0)))


def executed(http: HttpRequest, container: Container, query: Query) -> HttpResponse:
    """A command in a container, whose streams go over a WebSocket."""
    return _upgraded(http, lambda session, protocol: NodeServer._exec(session, protocol, container, query))


def _flag(query: Query, *names: str) -> bool:
    return any((query.get(name) or ["false"])[0].lower() in ("true", "1") for name in names)


def _first(query: Query) -> int:
    """The lowest channel that is written to."""
    return STDOUT if _flag(query, "output", "stdout") else STDERR if _flag(query, "error", "stderr") else ERROR


def _count(query: Query) -> int:
    """How many streams: of errors, those that are asked for, and of window sizes."""
    tty = _flag(query, "tty")
    stderr = _flag(query, "error", "stderr") and not tty
    return 1 + _flag(query, "input", "stdin") + _flag(query, "output", "stdout") + stderr + tty


def _into(pipe: Pipe) -> Callable[[bytes | None], object]:
    return lambda data: pipe.close() if data is None else pipe.write(data)


def _json(obj: Object) -> HttpResponse:
    return HttpResponse(200, JSON, orjson.dumps(obj))


def _upgraded(
    http: HttpRequest,
    begin: Callable[[Session, str], object],
    protocols: Sequence[str] = PROTOCOLS,
    streams: int = 0,
) -> HttpResponse:
    """Go on over a WebSocket, or over SPDY, where a command has so many `streams`."""
    spdy = http.headers.get("upgrade", "").lower() == "spdy/3.1"
    if not spdy and http.headers.get("upgrade", "").lower() != "websocket":
        return HttpResponse(400, TEXT, b"unable to upgrade: missing upgrade headers in request")
    offered = http.headers.get("x-stream-protocol-version" if spdy else "sec-websocket-protocol", "")
    protocol = chosen(offered, ([V4] if streams else [FORWARDED]) if spdy else protocols)
    if protocol is None:
        return HttpResponse(403, TEXT, f"unable to upgrade: no protocol is known of: {offered}".encode())
    if not spdy:
        return HttpResponse(101, [], upgrade=lambda session: begin(session, protocol), protocol=protocol)

    def joined(session: Session) -> None:
        if streams:
            OverSpdy(session, streams, lambda one: begin(one, protocol))
        else:
            begin(session, TUNNELLED)

    told = [("connection", "Upgrade"), ("upgrade", "SPDY/3.1"), ("x-stream-protocol-version", protocol)]
    return HttpResponse(101, told, upgrade=joined)


class _Shown:
    """Which lines of a log are asked for, and how they look."""

    def __init__(self, query: Query, now: float):
        get = {name: values[0] for name, values in query.items()}.get
        self.timestamps = _flag(query, "timestamps")
        self.tail = int(get("tailLines") or -1)
        self.limit = int(get("limitBytes") or -1)
        since = get("sinceTime")
        self.since = parse_rfc3339(since) if since else now - int(get("sinceSeconds") or now)
        self.stream = (get("stream") or "All").lower()

    def line(self, when: float, stream: str, line: bytes) -> bytes:
        if when < self.since or self.stream not in ("all", stream):
            return b""
        return rfc3339_micro(when).encode() + b" " + line if self.timestamps else line

    def past(self, container: Container) -> bytes:
        lines = [shown for line in container.log.lines if (shown := self.line(*line))]
        if self.tail >= 0:
            lines = lines[-self.tail :] if self.tail else []
        body = b"".join(lines)
        return body[: self.limit] if self.limit >= 0 else body


class _Followed:
    """A log that goes on until its container ends (`apimachinery.rest.Stream`)."""

    def __init__(self, container: Container, past: bytes, show: _Shown):
        self._log = container.log
        self._past = past
        self._show = show
        self._deliver: Callable[[bytes], None] = lambda data: None

    def start(self, deliver: Callable[[bytes], None], closed: Callable[[], None]) -> None:
        self._deliver = deliver
        if self._past:
            deliver(self._past)
        self._log.followers.append(self._tell)
        self._log.closing.append(closed)

    def _tell(self, when: float, stream: str, line: bytes) -> None:
        shown = self._show.line(when, stream, line)
        if shown:
            self._deliver(shown)

    def stop(self) -> None:
        if self._tell in self._log.followers:
            self._log.followers.remove(self._tell)
