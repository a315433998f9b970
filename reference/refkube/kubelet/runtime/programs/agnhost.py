"""agnhost, the image of Kubernetes' own end-to-end tests: many small servers and clients in one program.

The first argument says what it is. Here: netexec, serve-hostname, liveness, connect, consume (CPU and memory), pause,
mounttest, entrypoint-tester, dns-suffix, dns-server-list and grpc-health-checking. Source:
kubernetes/test/images/agnhost. `consume` is in the spirit of its resource-consumer: --memory=64Mi and --cpu=500m are
used at once, or with --after=30s later. Left out: a file's owner, the type of its file system.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, urlsplit

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import orjson

from refkube.apimachinery.quantity import bytes_of, cpu_milli
from refkube.engine.clock import rfc3339
from refkube.hostnet import Endpoint, Namespace, Stream, http
from refkube.kubelet.runtime.process import SIGINT, SIGTERM, Body, Main, Process, forever
from refkube.kubelet.runtime.programs import pause, resolver
from refkube.kubelet.runtime.tls import Secured
from refkube.volumes.files import Directory

VERSION = "2.53"


def main(process: Process) -> Body:
    """agnhost COMMAND [--flag=value ...]"""
    words = process.argv[1:] or ["help"]
    command = COMMANDS.get(words[0])
    if command is None:
        process.complain(f'Error: unknown command "{words[0]}" for "app"')
        return 1
    for number in (SIGINT, SIGTERM):  # a Go program that does not handle it ends with 2, also as the first
        process.handlers[number] = lambda: process.exit(2)
    return (yield from command(process, *_flags(words[1:])))


def _flags(words: list[str]) -> tuple[dict[str, str], list[str]]:
    flags: dict[str, str] = {}
    rest: list[str] = []
    words = list(words)
    while words:
        word = words.pop(0)
        if word.startswith("-"):
            name, found, value = word.lstrip("-").partition("=")
            if not found and words and not words[0].startswith("-") and name not in ("close", "http", "udp", "tcp"):
                value = words.pop(0)
            flags[name] = value
        else:
            rest.append(word)
    return flags, rest


def _seconds(text: str) -> float:
    """A Go duration of one unit, or a number of seconds."""
    for unit, size in (("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)):
        if text.endswith(unit) and text[: -len(unit)].replace(".", "").isdigit():
            return float(text[: -len(unit)]) * size
    return float(text or 0)


# netexec


class _Netexec:
    """An HTTP server that says who it is and does what it is told, and a UDP server that does the same in small."""

    def __init__(self, process: Process, flags: Mapping[str, str]):
        self.process = process
        self.healthy_again = 0.0
        self.paths: dict[str, Callable[[http.Asked, dict[str, str]], http.Answer | None]] = {
            "/": lambda asked, query: http.Answer(200, f"NOW: {rfc3339(process.loop.now())}".encode()),
            "/hostname": lambda asked, query: http.Answer(200, self.hostname),
            "/hostName": lambda asked, query: http.Answer(200, self.hostname),
            "/clientip": lambda asked, query: http.Answer(200, f"{asked.client[0]}:{asked.client[1]}".encode()),
            "/header": lambda asked, query: http.Answer(
                200, asked.headers.get(query.get("key", "").lower(), "").encode()
            ),
            "/echo": self._echo,
            "/exit": self._exit,
            "/healthz": self._health,
            "/shell": self._shell,
            "/dial": self._dial,
            "/redirect": lambda asked, query: http.Answer(
                int(query.get("code") or 302), b"", [("Location", query.get("location", "/"))]
            ),
        }
        if flags.get("http-override"):
            self.paths["/"] = self.paths.get(flags["http-override"], self.paths["/"])
        port = int(flags.get("http-port") or 8080)
        net: Namespace | Secured = process.net
        if flags.get("tls-cert-file"):
            certificate, key = (process.path(flags.get(name, "")) for name in ("tls-cert-file", "tls-private-key-file"))
            net = Secured(process.net, process.files.read(certificate), process.files.read(key))
        process.closing.append(http.serve(net, ("0.0.0.0", port), self.handle).close)
        udp = int(flags.get("udp-port") or 8081)
        if udp > 0:
            self.datagrams = process.net.bind(("0.0.0.0", udp), self._datagram)
            process.closing.append(self.datagrams.close)
        process.say(f"Started HTTP server on port {port}")
        delay = _seconds(flags.get("delay-shutdown") or "0")
        if delay:
            process.handlers[SIGTERM] = lambda: process.loop.call_later(delay, process.exit, 0)

    @property
    def hostname(self) -> bytes:
        return self.process.container.sandbox.hostname.encode()

    def handle(self, asked: http.Asked) -> None:
        self.process.say(f"{asked.method} {asked.target}")
        parts = urlsplit(asked.target)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        if asked.method == "POST":
            query |= {name: values[0] for name, values in parse_qs(asked.body.decode(errors="replace")).items()}
        act = self.paths.get(parts.path)
        answer = act(asked, query) if act is not None else http.Answer(404, b"404 page not found\n")
        if answer is not None:
            asked.answer(answer)

    def _echo(self, asked: http.Asked, query: dict[str, str]) -> http.Answer:
        return http.Answer(int(query.get("code") or 200), query.get("msg", "").encode())

    def _exit(self, asked: http.Asked, query: dict[str, str]) -> http.Answer | None:
        code = int(query.get("code") or 0)
        self.process.loop.call_later(
            _seconds(query.get("wait") or query.get("timeout") or "0"), self.process.exit, code
        )
        return http.Answer(200)

    def _health(self, asked: http.Asked, query: dict[str, str]) -> http.Answer:
        return http.Answer(200)

    def _shell(self, asked: http.Asked, query: dict[str, str]) -> None:
        command = query.get("shellCommand") or query.get("cmd") or ""
        output: list[bytes] = []
        errors: list[bytes] = []

        def ended(code: int) -> None:
            told: dict[str, str] = {"output": b"".join(output).decode(errors="replace")}
            if code:
                told["error"] = f"exit status {code}"
            asked.answer(http.Answer(200, orjson.dumps(told), [("content-type", "application/json")]))

        self.process.container.run(["sh", "-c", command], output.append, errors.append, None, ended)

    def _dial(self, asked: http.Asked, query: dict[str, str]) -> None:
        """Ask another netexec, so that who asks can see how the network looks from here."""
        host, port, tries = query.get("host", ""), int(query.get("port") or 80), int(query.get("tries") or 1)
        request = query.get("request") or "hostname"
        responses: list[str] = []
        failures: list[str] = []

        def told(answer: http.Answer | str) -> None:
            responses.append(answer.body.decode(errors="replace")) if isinstance(
                answer, http.Answer
            ) else failures.append(answer)
            if len(responses) + len(failures) < tries:
                go()
                return
            found = {"responses": responses} | ({"errors": failures} if failures else {})
            asked.answer(http.Answer(200, orjson.dumps(found)))

        def go() -> None:
            headers = [("Host", f"{host}:{port}"), ("Connection", "close")]
            http.ask(self.process.net, (host, port), "GET", f"/{request}", headers, told, told, timeout=5.0)

        go()

    def _datagram(self, data: bytes, sender: Endpoint) -> None:
        word, _, rest = data.decode(errors="replace").strip().partition(" ")
        answers = {"hostname": self.hostname, "echo": rest.encode(), "clientip": f"{sender[0]}:{sender[1]}".encode()}
        if word.lower() in answers:
            self.datagrams.send(answers[word.lower()], sender)


def _netexec(process: Process, flags: dict[str, str], rest: list[str]) -> Body:
    _Netexec(process, flags)
    yield forever
    return 0


def _serve_hostname(process: Process, flags: dict[str, str], rest: list[str]) -> Body:
    port = int(flags.get("port") or 9376)
    name = process.container.sandbox.hostname.encode()
    if "tcp" in flags and flags.get("tcp") != "false":

        def accepted(stream: Stream) -> None:
            stream.received, stream.closed = lambda data: None, lambda why: stream.close()
            stream.send(name)
            if "close" in flags:
                stream.close()

        process.closing.append(process.net.listen(("0.0.0.0", port), accepted).close)
    else:
        process.closing.append(
            http.serve(process.net, ("0.0.0.0", port), lambda asked: asked.answer(http.Answer(200, name))).close
        )
    process.handlers[SIGTERM] = lambda: process.exit(0)
    process.say("Serving on port " + str(port) + ".")
    yield forever
    return 0


def _liveness(process: Process, flags: dict[str, str], rest: list[str]) -> Body:
    """Healthy for ten seconds, and never again."""
    began = process.loop.now()

    def handle(asked: http.Asked) -> None:
        age = process.loop.now() - began
        if asked.path != "/healthz":
            asked.answer(http.Answer(200, f"{age:g}s".encode()))
        elif age > 10:
            asked.answer(http.Answer(500, f"error: {age:g}".encode()))
        else:
            asked.answer(http.Answer(200, b"ok"))

    process.closing.append(http.serve(process.net, ("0.0.0.0", 8080), handle).close)
    yield forever
    return 0


def _connect(process: Process, flags: dict[str, str], rest: list[str]) -> Body:
    """Whether a port can be connected to; says TIMEOUT or REFUSED if not."""
    host, _, port = rest[0].rpartition(":")
    address = yield from resolver.resolve(process, host)
    if address is None:
        process.complain("DNS: no such host")
        return 1
    timeout = _seconds(flags.get("timeout") or "0") or 127.0
    if flags.get("protocol", "tcp").lower() == "udp":
        data = flags.get("udp-data", "hostname")
        why = yield lambda resume: _asked_by_udp(process, (address, int(port)), f"{data}\n".encode(), resume, timeout)
        if why:
            process.complain(why)
        return int(bool(why))
    result = yield lambda resume: process.net.connect((address, int(port)), resume, resume, timeout).close
    if isinstance(result, str):
        process.complain({"refused": "REFUSED", "timed out": "TIMEOUT"}.get(result, f"OTHER: {result}"))
        return 1
    result.close()
    return 0


def _asked_by_udp(
    process: Process, to: Endpoint, data: bytes, resume: Callable[[str], object], timeout: float
) -> Callable[[], object]:
    """Resumes with why there is no answer."""
    socket = process.net.bind(("0.0.0.0", 0), lambda data, sender: resume(""), to, lambda: resume("REFUSED"))
    process.closing.append(socket.close)
    socket.send(data, to)
    return process.loop.call_later(timeout, resume, "TIMEOUT").cancel


def _consume(process: Process, flags: dict[str, str], rest: list[str]) -> Body:
    process.handlers[SIGTERM] = lambda: process.exit(0)
    if flags.get("after"):
        yield process.sleep(_seconds(flags["after"]))
    process.use(cpu_milli(flags.get("cpu") or "0") / 1000, bytes_of(flags.get("memory") or "1Mi"))
    yield process.sleep(_seconds(flags["for"])) if flags.get("for") else forever
    return 0


def _pause(process: Process, flags: dict[str, str], rest: list[str]) -> Body:
    process.say("Paused")
    return (yield from pause.main(process))


def _told_dns(field: str) -> Main:
    def run(process: Process, flags: dict[str, str], rest: list[str]) -> Body:
        process.say(",".join(getattr(resolver.configured(process), field)))
        return 0
        yield

    return run  # type: ignore[return-value]


def _grpc_health(process: Process, flags: dict[str, str], rest: list[str]) -> Body:
    """grpc.health.v1.Health on --port; GET /make-not-serving and /make-serving on --http-port turn it."""
    serving = True

    def accepted(stream: Stream) -> None:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()

        def received(data: bytes) -> None:
            try:
                events = connection.receive_data(data)
            except h2.exceptions.ProtocolError:
                stream.close()
                return
            for event in events:
                if isinstance(event, h2.events.StreamEnded):
                    number = event.stream_id
                    connection.send_headers(number, [(":status", "200"), ("content-type", "application/grpc")])
                    connection.send_data(number, b"\0\0\0\0\x02\x08" + (b"\x01" if serving else b"\x02"))
                    connection.send_headers(number, [("grpc-status", "0")], end_stream=True)
            stream.send(connection.data_to_send())

        stream.received, stream.closed = received, lambda why: stream.close()
        stream.send(connection.data_to_send())

    def handle(asked: http.Asked) -> None:
        nonlocal serving
        if asked.path in ("/make-serving", "/make-not-serving"):
            serving = asked.path == "/make-serving"
        asked.answer(http.Answer(200, b"ok"))

    process.closing.append(process.net.listen(("0.0.0.0", int(flags.get("port") or 5000)), accepted).close)
    process.closing.append(http.serve(process.net, ("0.0.0.0", int(flags.get("http-port") or 8080)), handle).close)
    yield forever
    return 0


EXT4 = 0xEF53
_NEW_FILE = b"mount-tester new file\n"


def _mounttest(process: Process, flags: dict[str, str], rest: list[str]) -> Body:
    """Makes files and tells modes and contents, in this order; a content in a loop until it is that of a new file."""
    wrong = False
    if flags.get("fs_type"):
        where = process.files.get(process.path(flags["fs_type"]))
        in_memory = isinstance(where, Directory) and where.medium == "Memory"
        process.say(f'mount type of "{flags["fs_type"]}": {"tmpfs" if in_memory else EXT4}')
    for mode in ("0644", "0666", "0660", "0777"):
        path = flags.get(f"new_file_{mode}")
        if path:
            process.files.write(process.path(path), _NEW_FILE)
            process.files.chmod(process.path(path), int(mode, 8))
            wrong |= not _told_content(process, path)
    for flag, what in (("file_mode", "mode"), ("file_perm", "perms")):
        if flags.get(flag):
            found = process.files.get(process.path(flags[flag])).mode
            process.say(f'{what} of file "{flags[flag]}": {_permissions(found)}')
    if flags.get("file_content"):
        wrong |= not _told_content(process, flags["file_content"])
    looped, until = flags.get("file_content_in_loop"), process.loop.now() + float(flags.get("retry_time") or 180)
    breaks = flags.get("break_on_expected_content") != "false"
    while looped and process.loop.now() < until:
        found_it = _told_content(process, looped)
        if found_it and breaks and process.files.read(process.path(looped)) == _NEW_FILE:
            break
        yield process.sleep(2)
    return int(wrong)


def _told_content(process: Process, path: str) -> bool:
    try:
        content = process.files.read(process.path(path)).decode(errors="replace")
    except OSError as why:
        process.say(f'error reading file content for "{path}": {why.strerror}')
        return False
    process.say(f'content of file "{path}": {content}')
    return True


def _permissions(mode: int) -> str:
    """As Go writes them: "-rw-r--r--"."""
    return "-" + "".join(letter if mode >> 8 - i & 1 else "-" for i, letter in enumerate("rwxrwxrwx"))


def _entrypoint_tester(process: Process, flags: dict[str, str], rest: list[str]) -> Body:
    process.say(f"[{' '.join(process.argv)}]")
    return 0
    yield


def _help(process: Process, flags: dict[str, str], rest: list[str]) -> Body:
    process.say("Usage:\n  app [command]")
    return 0
    yield


def _version(process: Process, flags: dict[str, str], rest: list[str]) -> Body:
    process.say(VERSION)
    return 0
    yield


Command = Callable[[Process, dict[str, str], list[str]], Body]

COMMANDS: dict[str, Command] = {
    "netexec": _netexec,
    "serve-hostname": _serve_hostname,
    "liveness": _liveness,
    "connect": _connect,
    "consume": _consume,
    "pause": _pause,
    "mounttest": _mounttest,
    "entrypoint-tester": _entrypoint_tester,
    "dns-suffix": _told_dns("search"),  # type: ignore[dict-item]
    "dns-server-list": _told_dns("nameservers"),  # type: ignore[dict-item]
    "grpc-health-checking": _grpc_health,
    "help": _help,
    "--version": _version,
}
