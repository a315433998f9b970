"""curl and dig, as the test images have them: what an end-to-end test asks with, and how they tell what came of it.

Of curl: one connection for all URLs of a host, -s -v -f -I -i -o -w -X -H -d -m --connect-timeout --fail-early, and its
exit codes. Of dig: a name, a type, +search, +short. Left out: TLS, redirects, a server of dig's own choice. Sources:
the manual pages curl(1) and dig(1).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from refkube.engine.clock import rfc3339
from refkube.hostnet import http
from refkube.kubelet.runtime.process import Body, Process, Resume, Wait
from refkube.kubelet.runtime.programs import resolver

UNRESOLVED, NO_CONNECTION, HTTP_ERROR, TIMED_OUT, EMPTY, RECEIVING = 6, 7, 22, 28, 52, 56  # exit codes of curl
_WHY = {"refused": "Connection refused", "unreachable": "Host is unreachable", "timed out": "Operation timed out"}
_LONG = {
    "silent": "s", "verbose": "v", "fail": "f", "head": "I", "include": "i", "output": "o", "write-out": "w",
    "request": "X", "header": "H", "data": "d", "data-binary": "d", "data-raw": "d", "data-urlencode": "d",
    "max-time": "m", "globoff": "g", "show-error": "S", "location": "L",
}  # fmt: skip
_VALUED = ("o", "w", "X", "H", "d", "m", "connect-timeout", "retry", "interface", "local-port")


class _Result(NamedTuple):
    """What came of one URL: an exit code, and of the answer what `-w` can tell."""

    code: int
    answer: http.Answer = http.Answer(0)
    remote: str = ""
    why: str = ""


def curl(process: Process) -> Body:
    options, headers, data, urls = _options(process.argv[1:])
    body = b""
    for told in data:
        body += (b"&" if body else b"") + (yield from _data(process, told))
    clients: dict[tuple[str, int], http.Client] = {}

    def close() -> None:
        for client in clients.values():
            client.close()

    process.closing.append(close)
    code = 0
    for url in urls:
        result = yield from _fetched(process, clients, url, options, headers, body)
        code = result.code
        if not code and "f" in options and result.answer.code >= 400:
            code, result = HTTP_ERROR, result._replace(why=f"The requested URL returned error: {result.answer.code}")
        _show(process, options, result, code)
        if code and "fail-early" in options:
            break
    return code


def _options(words: list[str]) -> tuple[dict[str, str], list[str], list[str], list[str]]:
    """Options by their letter, headers, data, URLs."""
    options: dict[str, str] = {}
    several: dict[str, list[str]] = {"H": [], "d": []}
    urls, rest = [], list(words)
    while rest:
        word = rest.pop(0)
        if word[:1] != "-" or word == "-":
            urls.append(word)
            continue
        names = [_LONG.get(word[2:], word[2:])] if word.startswith("--") else list(word[1:])
        while names:
            name = names.pop(0)
            value = ""
            if name in _VALUED:
                value, names = ("".join(names) or (rest.pop(0) if rest else "")), []
            options[name] = value
            several.get(name, []).append(value)
    return options, several["H"], several["d"], urls


def _data(process: Process, told: str) -> Generator[Wait, Any, bytes]:
    if told == "@-":
        pieces = []
        while piece := (yield from process.stdin.read()):
            pieces.append(piece)
        return b"".join(pieces)
    return process.files.read(process.path(told[1:])) if told.startswith("@") else told.encode()


def _fetched(
    process: Process,
    clients: dict[tuple[str, int], http.Client],
    url: str,
    options: dict[str, str],
    headers: list[str],
    body: bytes,
) -> Generator[Wait, Any, _Result]:
    parts = urlsplit(url if "//" in url else f"http://{url}")
    host, port = parts.hostname or "", parts.port or 80
    address = yield from resolver.resolve(process, host)
    if address is None:
        return _Result(UNRESOLVED, why=f"Could not resolve host: {host}")
    if (address, port) not in clients:
        clients[address, port] = http.Client(process.net, (address, port), float(options.get("connect-timeout") or 127))
    pairs = [
        (name.strip(), value.strip()) for name, _, value in (one.partition(":") for one in headers) if value.strip()
    ]
    told = [("Host", parts.netloc), ("User-Agent", "curl/8.14.1"), ("Accept", "*/*"), *pairs]
    if body:
        told += [("Content-Length", str(len(body))), ("Content-Type", "application/x-www-form-urlencoded")]
    method = options.get("X") or ("HEAD" if "I" in options else "POST" if body else "GET")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    client = clients[address, port]

    def wait(resume: Resume) -> Callable[[], object]:
        late = process.loop.call_later(float(options.get("m") or 1e6), resume, "timed out")
        client.ask(method, target, told, resume, resume, body)
        return late.cancel

    answer = yield wait
    if isinstance(answer, http.Answer):
        return _Result(0, answer, address)
    del clients[address, port]
    client.abort()
    if answer == "timed out":
        return _Result(TIMED_OUT, why=f"Failed to connect to {host} port {port}: Timeout was reached")
    if answer in _WHY:
        if "v" in options:
            process.complain(f"* connect to {address} port {port} failed: {_WHY[answer]}")
        return _Result(NO_CONNECTION, why=f"Failed to connect to {host} port {port}: Could not connect to server")
    return _Result(EMPTY if answer == "EOF" else RECEIVING, why=f"Recv failure: {answer}")


def _show(process: Process, options: dict[str, str], result: _Result, code: int) -> None:
    answer = result.answer
    head = "".join([f"HTTP/1.1 {answer.code}\r\n", *(f"{name}: {value}\r\n" for name, value in answer.headers), "\r\n"])
    shown = head.encode() if answer.code and ("i" in options or "I" in options) else b""
    shown += answer.body if code != HTTP_ERROR else b""
    if options.get("o", "-") == "-":
        process.out(shown)
    elif options["o"] != "/dev/null":
        process.files.write(process.path(options["o"]), shown)
    values = {
        "http_code": f"{answer.code:03}", "response_code": f"{answer.code:03}", "exitcode": str(code),
        "remote_ip": result.remote, "size_download": str(len(answer.body)),
    }  # fmt: skip
    form = options.get("w", "").replace("\\n", "\n").replace("\\t", "\t")
    process.out(re.sub(r"%\{(\w+)\}", lambda found: values.get(found[1], ""), form).encode())
    if code and result.why and ("s" not in options or "S" in options):
        process.complain(f"curl: ({code}) {result.why}")


def dig(process: Process) -> Body:
    words = [word for word in process.argv[1:] if word[:1] not in "+@-" and word != "IN"]
    types = [word for word in words if word.isupper() and "." not in word]
    name, kind = next(word for word in words if word not in types), (types or ["A"])[0]
    found = yield from resolver.look_up(process, name if "+search" in process.argv else f"{name.rstrip('.')}.", kind)
    if found.outcome == "timed out":
        process.say(";; connection timed out; no servers could be reached")
        return 9
    if "+short" in process.argv:
        lines = list(found.values)
    else:
        answers = (line.split(" ", 4) for line in found.answers)
        lines = ["", ";; Got answer:", f";; ->>HEADER<<- opcode: QUERY, status: {found.outcome}, id: 1", ""]
        lines += ["\t".join(parts) for parts in answers] + ["", f";; WHEN: {rfc3339(process.loop.now())}"]
    for line in lines:
        process.say(line)
    return 0
