"""The commands of busybox that tests of Pods use, each as a program of its own.

What has an exit code and an output here has busybox's. Options that only change the looks of an output are taken and
ignored. `applets` is the table by name; the shell and images take it.
"""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import io
import re
import tarfile
from collections.abc import Callable, Generator, Mapping
from typing import Any
from urllib.parse import urlsplit

from refkube.engine.clock import rfc3339
from refkube.hostnet import Endpoint, NetError, Stream, http
from refkube.kubelet.runtime.process import SIGNALS, Body, Main, Process, Resume, Wait, forever, told
from refkube.kubelet.runtime.programs import resolver, shell
from refkube.volumes.files import Directory, File

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_WHY = {"refused": "Connection refused", "timed out": "Connection timed out", "unreachable": "Network is unreachable"}


def _simple(call: Callable[[Process, list[str]], int]) -> Main:
    """A program that waits for nothing."""

    def main(process: Process) -> Body:
        return call(process, process.argv[1:])
        yield

    return main


def _split(arguments: list[str], valued: str = "") -> tuple[dict[str, str], list[str]]:
    """Options and the rest; `valued` are the letters that take a value."""
    options: dict[str, str] = {}
    rest = list(arguments)
    while rest and rest[0][:1] == "-" and len(rest[0]) > 1:
        word = rest.pop(0)
        if word == "--":
            break
        if word.startswith("--"):
            name, _, value = word[2:].partition("=")
            options[name] = value
            continue
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            options[letter] = ""
            if letter in valued:
                options[letter] = letters or (rest.pop(0) if rest else "")
                break
    return options, rest


def _input(process: Process, paths: list[str]) -> Generator[Wait, Any, tuple[bytes, int]]:
    """Everything in the files, or on the standard input without any; and 1 if one could not be read."""
    if not paths or paths == ["-"]:
        pieces = []
        while data := (yield from process.stdin.read()):
            pieces.append(data)
        return b"".join(pieces), 0
    pieces, code = [], 0
    for path in paths:
        try:
            pieces.append(process.files.read(process.path(path)))
        except OSError as why:
            process.complain(f"{process.argv[0]}: {path}: {why.strerror}")
            code = 1
    return b"".join(pieces), code


# Text


def _echo(process: Process, arguments: list[str]) -> int:
    end, escapes = "\n", False
    while arguments and re.fullmatch(r"-[neE]+", arguments[0]):
        flags = arguments.pop(0)
        end = "" if "n" in flags else end
        escapes = escapes or "e" in flags
    text = " ".join(arguments)
    process.out(((_unescaped(text) if escapes else text) + end).encode())
    return 0


def _unescaped(text: str) -> str:
    plain = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "a": "\a", "0": "\0"}
    return re.sub(r"\\([ntr\\a0])", lambda found: plain[found[1]], text)


def _printf(process: Process, arguments: list[str]) -> int:
    form, *values = arguments or [""]
    form = _unescaped(form)
    fields = len(re.findall(r"%[-\d.]*[sdixc]", form))
    while True:
        taken, values = values[:fields], values[fields:]

        def shown(found: re.Match[str], taken: list[str] = taken) -> str:
            if found[0] == "%%":
                return "%"
            value = taken.pop(0) if taken else ""
            if found[0][-1] in "dix":
                return found[0] % int(value or 0)
            return found[0] % value

        process.out(re.sub(r"%%|%[-\d.]*[sdixc]", shown, form).encode())
        if not values or not fields:
            return 0


def _cat(process: Process) -> Body:
    _, paths = _split(process.argv[1:])
    code = 0
    for path in paths or ["-"]:
        if path == "-":
            while data := (yield from process.stdin.read()):
                process.out(data)
            continue
        try:
            process.out(process.files.read(process.path(path)))
        except OSError as why:
            process.complain(f"cat: can't open '{path}': {why.strerror}")
            code = 1
    return code


def _lines_of(pick: Callable[[list[bytes], int], list[bytes]]) -> Main:
    def main(process: Process) -> Body:
        options, paths = _split(process.argv[1:], "nc")
        if "/dev/zero" in paths:  # one endless line, which is kept
            process.use(cpu=1.0, memory=1 << 40)
            yield forever
        count = options.get("n") or next((key for key in options if key.isdigit()), "10")
        data, code = yield from _input(process, paths)
        if "c" in options:
            process.out(data[: int(options["c"])] if process.argv[0].endswith("head") else data[-int(options["c"]) :])
        else:
            process.out(b"".join(pick(data.splitlines(keepends=True), int(count.lstrip("+-")))))
        if "f" in options or "F" in options:
            seen = len(data)
            while True:
                yield process.sleep(1.0)
                data, code = yield from _input(process, paths)
                process.out(data[seen:])
                seen = len(data)
        return code

    return main


def _grep(process: Process) -> Body:
    options, rest = _split(process.argv[1:], "em")
    pattern, paths = (options["e"], rest) if "e" in options else (rest[0], rest[1:])
    data, code = yield from _input(process, paths)
    pattern = re.escape(pattern) if "F" in options else pattern
    found = re.compile(pattern.encode(), re.IGNORECASE if "i" in options else 0)
    lines = [line for line in data.splitlines() if bool(found.search(line)) != ("v" in options)]
    if "c" in options:
        process.say(str(len(lines)))
    elif "q" not in options:
        process.out(b"".join(line + b"\n" for line in lines))
    return code * 2 or int(not lines)


def _wc(process: Process) -> Body:
    options, paths = _split(process.argv[1:])
    data, code = yield from _input(process, paths)
    counts = {"l": data.count(b"\n"), "w": len(data.split()), "c": len(data)}
    process.say(" ".join([*(str(counts[key]) for key in "lwc" if key in options or not options), *paths]))
    return code


def _filter(change: Callable[[list[str], bytes], bytes]) -> Main:
    def main(process: Process) -> Body:
        _, rest = _split(process.argv[1:], "dfk")
        data, code = yield from _input(
            process, rest if process.argv[0].rpartition("/")[2] in ("sort", "uniq", "base64") else []
        )
        process.out(change(process.argv[1:], data))
        return code

    return main


def _tr(arguments: list[str], data: bytes) -> bytes:
    def unfolded(text: str) -> str:
        return re.sub(
            r"(.)-(.)", lambda found: "".join(map(chr, range(ord(found[1]), ord(found[2]) + 1))), _unescaped(text)
        )

    if arguments[:1] == ["-d"]:
        return data.translate(None, unfolded(arguments[1]).encode())
    old, new = (unfolded(text) for text in arguments[:2])
    return data.decode().translate(str.maketrans(old, new.ljust(len(old), new[-1:]))).encode()


def _sort(arguments: list[str], data: bytes) -> bytes:
    lines = sorted(
        data.splitlines(),
        key=(lambda line: int(line.split()[0] or 0)) if "-n" in arguments else None,
        reverse="-r" in arguments,
    )
    return b"".join(line + b"\n" for line in (dict.fromkeys(lines) if "-u" in arguments else lines))


def _base64(arguments: list[str], data: bytes) -> bytes:
    return base64.b64decode(data) if "-d" in arguments else base64.b64encode(data) + b"\n"


def _sum(algorithm: str) -> Main:
    def main(process: Process) -> Body:
        _, paths = _split(process.argv[1:])
        data, code = yield from _input(process, paths)
        process.say(f"{hashlib.new(algorithm, data, usedforsecurity=False).hexdigest()}  {' '.join(paths) or '-'}")
        return code

    return main


def _seq(process: Process, arguments: list[str]) -> int:
    first, last = (1, int(arguments[0])) if len(arguments) == 1 else (int(arguments[0]), int(arguments[-1]))
    step = int(arguments[1]) if len(arguments) == 3 else 1
    for number in range(first, last + (1 if step > 0 else -1), step):
        process.say(str(number))
    return 0


# Files


def _each(process: Process, paths: list[str], act: Callable[[str], object], quiet: bool = False) -> int:
    code = 0
    for path in paths:
        try:
            act(process.path(path))
        except OSError as why:
            if not quiet:
                process.complain(f"{process.argv[0]}: {path}: {why.strerror}")
                code = 1
    return code


def _touch(process: Process, arguments: list[str]) -> int:
    return _each(process, _split(arguments, "dtr")[1], lambda path: process.files.write(path, b"", append=True))


def _rm(process: Process, arguments: list[str]) -> int:
    options, paths = _split(arguments)
    recursive = bool({"r", "R"} & options.keys())
    return _each(process, paths, lambda path: process.files.remove(path, recursive), quiet="f" in options)


def _mkdir(process: Process, arguments: list[str]) -> int:
    options, paths = _split(arguments, "m")
    return _each(process, paths, lambda path: process.files.make_directory(path, "p" in options))


def _rmdir(process: Process, arguments: list[str]) -> int:
    return _each(process, arguments, lambda path: process.files.remove(path, recursive=not process.files.names(path)))


def _ls(process: Process, arguments: list[str]) -> int:
    options, paths = _split(arguments)
    code = 0
    for path in paths or [process.cwd]:
        node = process.files.find(process.path(path))
        if node is None:
            process.complain(f"ls: {path}: No such file or directory")
            code = 1
            continue
        named = sorted(node.entries.items()) if isinstance(node, Directory) and "d" not in options else [(path, node)]
        for name, entry in named:
            if "a" in options or not name.startswith("."):
                process.say(f"{_mode(entry)} {name}" if "l" in options else name)
    return code


def _mode(node: File | Directory) -> str:
    letters = "".join(
        letter if node.mode >> bit & 1 else "-" for bit, letter in zip(range(8, -1, -1), "rwxrwxrwx", strict=True)
    )
    kind, size = ("d", 0) if isinstance(node, Directory) else ("-", len(node.data))
    return f"{kind}{letters} 1 root root {size}"


def _stat(process: Process, arguments: list[str]) -> int:
    options, paths = _split(arguments, "c")

    def show(path: str) -> None:
        node = process.files.get(path)
        size = 0 if isinstance(node, Directory) else len(node.data)
        known = {
            "%a": f"{node.mode:o}",
            "%s": str(size),
            "%n": path,
            "%F": "directory" if isinstance(node, Directory) else "regular file",
        }
        process.say(re.sub(r"%[asnF]", lambda found: known[found[0]], options.get("c") or "%n %s %a %F"))

    return _each(process, paths, show)


def _chmod(process: Process, arguments: list[str]) -> int:
    mode, *paths = arguments
    return _each(process, paths, lambda path: process.files.chmod(path, int(mode, 8) if mode.isdigit() else 0o755))


def _cp(process: Process, arguments: list[str]) -> int:
    _, paths = _split(arguments)
    *sources, target = (process.path(path) for path in paths)
    return _each(process, sources, lambda source: _copy(process, source, _within(process, source, target)))


def _within(process: Process, source: str, target: str) -> str:
    into = isinstance(process.files.find(target), Directory)
    return f"{target.rstrip('/')}/{source.rstrip('/').rpartition('/')[2]}" if into else target


def _copy(process: Process, source: str, target: str) -> None:
    node = process.files.get(source)
    if isinstance(node, File):
        process.files.write(target, node.data)
        return
    process.files.make_directory(target, parents=True)
    for name in process.files.names(source):
        _copy(process, f"{source}/{name}", f"{target}/{name}")


def _mv(process: Process, arguments: list[str]) -> int:
    _, paths = _split(arguments)
    *sources, target = (process.path(path) for path in paths)

    def move(source: str) -> None:
        _copy(process, source, _within(process, source, target))
        process.files.remove(source, recursive=True)

    return _each(process, sources, move)


def _find(process: Process, arguments: list[str]) -> int:
    path = arguments[0] if arguments and not arguments[0].startswith("-") else "."
    pattern = arguments[arguments.index("-name") + 1] if "-name" in arguments else "*"
    node = process.files.get(process.path(path))
    for name, _ in node.walk() if isinstance(node, Directory) else ():
        if fnmatch.fnmatchcase(name.rpartition("/")[2], pattern):
            process.say(f"{path.rstrip('/')}/{name}")
    return 0


def _tee(process: Process) -> Body:
    options, paths = _split(process.argv[1:])
    for path in paths:
        process.files.write(process.path(path), b"", append="a" in options)
    while data := (yield from process.stdin.read()):
        process.out(data)
        for path in paths:
            process.files.write(process.path(path), data, append=True)
    return 0


def _dd(process: Process) -> Body:
    told_ = dict(word.partition("=")[::2] for word in process.argv[1:])
    size = re.fullmatch(r"(\d+)([kKMG]?)B?", told_.get("bs", "512"))
    amount = int(size[1]) * {"": 1, "k": 1 << 10, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}[size[2]] if size else 512
    amount *= int(told_.get("count", "1"))
    data = (
        bytes(amount)
        if told_.get("if") in ("/dev/zero", "/dev/urandom")
        else (yield from _input(process, [told_["if"]] if "if" in told_ else []))[0]
    )
    if told_.get("of", "/dev/null") != "/dev/null":
        process.files.write(process.path(told_["of"]), data)
    return 0


def _tar(process: Process) -> Body:
    """What `kubectl cp` asks for: an archive made to the output, or unpacked from the input."""
    flags, *paths = process.argv[1:]
    base = process.cwd
    if "-C" in paths:
        at = paths.index("-C")
        base = process.path(paths[at + 1])
        del paths[at : at + 2]
    if "c" in flags:
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w") as archive:
            for path in (path for path in paths if path != "-"):
                node = process.files.get(process.path(path) if path.startswith("/") else f"{base}/{path}")
                for name, file in [(path, node)] if isinstance(node, File) else node.walk(path.rstrip("/")):
                    member = tarfile.TarInfo(name.lstrip("/"))
                    member.size, member.mode = len(file.data), file.mode
                    archive.addfile(member, io.BytesIO(file.data))
        process.out(made.getvalue())
        return 0
    data, code = yield from _input(process, [])
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            path = f"{base.rstrip('/')}/{member.name}"
            if member.isdir():
                process.files.make_directory(path, parents=True)
            elif member.isfile():
                process.files.make_directory(path.rpartition("/")[0], parents=True)
                content = archive.extractfile(member)
                process.files.write(path, content.read() if content is not None else b"")
    return code


def _test(process: Process, arguments: list[str]) -> int:
    if process.argv[0].endswith("[") and (not arguments or arguments.pop() != "]"):
        process.complain("[: missing ]")
        return 2
    try:
        return int(not _holds(process, arguments))
    except (ValueError, IndexError):
        process.complain(f"{process.argv[0]}: bad number or operator")
        return 2


def _holds(process: Process, words: list[str]) -> bool:
    for joint, every in (("-o", any), ("-a", all)):
        if joint in words[1:-1] and len(words) > 3:
            at = words.index(joint, 1)
            return every([_holds(process, words[:at]), _holds(process, words[at + 1 :])])
    if words[:1] == ["!"]:
        return not _holds(process, words[1:])
    if len(words) <= 1:
        return bool(words and words[0])
    if len(words) == 2:
        node = process.files.find(process.path(words[1]))
        size = len(node.data) if isinstance(node, File) else 1
        return {
            "-n": bool(words[1]),
            "-z": not words[1],
            "-e": node is not None,
            "-f": isinstance(node, File),
            "-d": isinstance(node, Directory),
            "-s": node is not None and size > 0,
            "-r": node is not None,
            "-w": node is not None and not process.files.read_only(process.path(words[1])),
            "-x": node is not None and bool(node.mode & 0o111),
            "-L": False,
            "-h": False,
            "-t": False,
            "-S": False,
            "-p": False,
        }[words[0]]
    left, operator, right = words[:3]
    if operator in ("=", "==", "!="):
        return (left == right) != (operator == "!=")
    first, second = int(left), int(right)
    return {
        "-eq": first == second,
        "-ne": first != second,
        "-lt": first < second,
        "-le": first <= second,
        "-gt": first > second,
        "-ge": first >= second,
    }[operator]


# The system


def _sleep(process: Process) -> Body:
    seconds = 0.0
    for word in process.argv[1:]:
        if word in ("inf", "infinity"):
            yield forever
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", word)
        if found is None:
            process.complain(f"sleep: invalid number '{word}'")
            return 1
        seconds += float(found[1]) * _UNITS[found[2]]
    yield process.sleep(seconds)
    return 0


def _hostname(process: Process, arguments: list[str]) -> int:
    sandbox = process.container.sandbox
    process.say(sandbox.address if "-i" in arguments else sandbox.hostname)
    return 0


def _env(process: Process) -> Body:
    values, rest = dict(process.env), process.argv[1:]
    while rest and "=" in rest[0]:
        name, _, value = rest.pop(0).partition("=")
        values[name] = value
    if not rest:
        for name, value in values.items():
            process.say(f"{name}={value}")
        return 0
    main = process.container.config.image.program(rest)
    if main is None:
        process.complain(f"env: can't execute '{rest[0]}': No such file or directory")
        return 127
    process.argv, process.env = rest, values
    return (yield from main(process))


def _printenv(process: Process, arguments: list[str]) -> int:
    for name in arguments or process.env:
        if name not in process.env:
            return 1
        process.say(process.env[name] if arguments else f"{name}={process.env[name]}")
    return 0


def _date(process: Process, arguments: list[str]) -> int:
    now = process.loop.now()
    known = {"%s": str(int(now)), "%N": f"{int(now % 1 * 1e9):09}"}
    form = next((word[1:] for word in arguments if word.startswith("+")), "")
    process.say(re.sub(r"%[sN]", lambda found: known[found[0]], form) if form else rfc3339(now))
    return 0


def _id(process: Process, arguments: list[str]) -> int:
    user, groups = process.container.config.user, process.container.config.groups
    every = " ".join(map(str, groups))
    options, _ = _split(arguments)
    known = {"u": str(user), "g": str(groups[0]), "G": every}
    told = next((known[name] for name in known if name in options), "")
    process.say(told or f"uid={user} gid={groups[0]} groups={every.replace(' ', ',')}")
    return 0


def _kill(process: Process, arguments: list[str]) -> int:
    number, code = 15, 0
    if arguments and arguments[0].startswith("-"):
        name = arguments.pop(0)[1:].removeprefix("SIG")
        number = int(name) if name.isdigit() else SIGNALS.get(name, 15)
    for word in arguments:
        found = next((one for one in process.container.processes if str(one.pid) == word), None)
        if found is None:
            process.complain(f"sh: can't kill pid {word}: No such process")
            code = 1
        elif number and not (number == 9 and found is process.container.first):  # the kernel protects the first
            process.loop.call_soon(found.signal, number)
    return code


def _ps(process: Process, arguments: list[str]) -> int:
    process.say("PID   USER     COMMAND")
    for one in process.container.processes:
        process.say(f"{one.pid:5} root     {' '.join(one.argv)}")
    return 0


def _timeout(process: Process) -> Body:
    _, (seconds, *command) = _split(process.argv[1:], "sk")
    main = process.container.config.image.program(command)
    if main is None:
        return 127
    child = process.child(command, stdin=process.stdin)
    child.start(main)
    if child.running:
        late = process.loop.call_later(float(seconds.rstrip("s")), child.exit, 143)
        yield lambda resume: child.when_ended(resume)
        late.cancel()
    return child.exit_code


# The network


def _dialled(process: Process, address: str, port: int, timeout: float) -> Generator[Wait, Any, Stream | str]:
    """A connection, or why there is none."""

    def wait(resume: Resume) -> Callable[[], object]:
        return process.net.connect((address, port), resume, resume, timeout).close

    try:
        return (yield wait)
    except NetError as why:
        return str(why)


def fetched(
    process: Process, url: str, timeout: float, method: str = "GET", body: bytes = b""
) -> Generator[Wait, Any, http.Answer | str]:
    """The answer to a request, or why there is none."""
    parts = urlsplit(url if "//" in url else f"http://{url}")
    host = parts.hostname or ""
    address = yield from resolver.resolve(process, host)
    if address is None:
        return f"bad address '{host}'"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = [("Host", parts.netloc), ("User-Agent", "Wget"), ("Connection", "close")]
    headers += [("Content-Length", str(len(body)))] if body else []

    def wait(resume: Resume) -> Callable[[], object]:
        undo = http.ask(
            process.net, (address, parts.port or 80), method, target, headers, resume, resume, body, timeout
        )
        late = process.loop.call_later(timeout, resume, "timed out")

        def give_up() -> None:
            late.cancel()
            undo()

        return give_up

    return (yield wait)


def _wget(process: Process) -> Body:
    options, rest = _split(process.argv[1:], "OTt")
    timeout = float(options.get("T") or options.get("timeout") or 900)
    url = rest[0]
    answer = yield from fetched(process, url, timeout, body=options.get("post-data", "").encode())
    parts = urlsplit(url if "//" in url else f"http://{url}")
    if isinstance(answer, str):
        why = (
            answer
            if answer.startswith("bad")
            else f"can't connect to remote host ({parts.hostname}): {_WHY[answer]}"
            if answer in _WHY and answer != "timed out"
            else "download timed out"
        )
        process.complain(f"wget: {why}")
        return 1
    if answer.code >= 400:
        process.complain(f"wget: server returned error: HTTP/1.1 {answer.code}")
        return 1
    target = options.get("O") or parts.path.rpartition("/")[2] or "index.html"
    if "spider" not in options:
        if target == "-":
            process.out(answer.body)
        else:
            process.files.write(process.path(target), answer.body)
    return 0


def _nc(process: Process) -> Body:
    """Talk to a port, listen on one, or look whether somebody does (-z); with -u by datagrams."""
    options, rest = _split(process.argv[1:], "wpeWq")
    if "l" in options:
        return (yield from _nc_listen(process, int(options.get("p") or rest[-1]), "k" in options))
    address = yield from resolver.resolve(process, rest[0])
    if address is None:
        process.complain(f"nc: bad address '{rest[0]}'")
        return 1
    if "u" in options:
        return (yield from _nc_datagrams(process, (address, int(rest[1])), options))
    stream = yield from _dialled(process, address, int(rest[1]), float(options.get("w") or 127))
    if isinstance(stream, str):
        process.complain(f"nc: {rest[0]} ({address}:{rest[1]}): {_WHY.get(stream, stream)}")
        return 1
    if "z" in options:
        stream.close()
        return 0
    return (yield from _talked(process, stream))


def _nc_datagrams(process: Process, to: Endpoint, options: Mapping[str, str]) -> Generator[Wait, Any, int]:
    """What is read at once is one datagram. Ends after -W answers, after -w idle seconds, or where it is refused."""
    left, idle = int(options.get("W") or 0), float(options.get("w") or 1e6)

    def wait(resume: Resume) -> Callable[[], object]:
        late = process.loop.call_later(idle, resume, None)

        def received(data: bytes, sender: Endpoint) -> None:
            nonlocal left, late
            process.out(data)
            late.cancel()
            late = process.loop.call_later(idle, resume, None)
            left -= 1
            if not left:
                resume(None)

        socket = process.net.bind(("0.0.0.0", 0), received, to, lambda: resume(None))

        def sender(other: Process) -> Body:
            while data := (yield from process.stdin.read()):
                socket.send(data, to)
            return 0

        process.closing += [socket.close, lambda: late.cancel()]
        process.child(["nc"]).start(sender)
        return lambda: late.cancel()

    yield wait
    return 0


def _talked(process: Process, stream: Stream) -> Generator[Wait, Any, int]:
    over: list[str] = []
    ended: list[Resume] = []

    def closed(why: str) -> None:
        over.append(why)
        if ended:
            ended[0](None)

    def sender(other: Process) -> Body:
        while data := (yield from process.stdin.read()):
            stream.send(data)
        stream.close()
        return 0

    stream.received, stream.closed = process.out, closed
    process.closing.append(stream.close)
    process.child(["nc"]).start(sender)
    if not over:
        yield ended.append
    return 0


def _nc_listen(process: Process, port: int, again: bool) -> Generator[Wait, Any, int]:
    waiting: list[Stream] = []
    wake: list[Resume] = []

    def accepted(stream: Stream) -> None:
        waiting.append(stream)
        if wake:
            wake.pop()(None)

    listener = process.net.listen(("0.0.0.0", port), accepted)
    process.closing.append(listener.close)
    while True:
        if not waiting:
            yield wake.append
        code = yield from _talked(process, waiting.pop(0))
        if not again:
            return code


def _nslookup(process: Process) -> Body:
    _, rest = _split([word for word in process.argv[1:] if not word.startswith("-type=")])
    kind = next((word[6:].upper() for word in process.argv if word.startswith("-type=")), "A")
    found = yield from resolver.look_up(process, rest[0], kind)
    process.say(f"Server:\t\t{(resolver.configured(process).nameservers or ('127.0.0.1',))[0]}\n")
    if not found.values:
        told = (
            ";; connection timed out; no servers could be reached"
            if found.outcome == "timed out"
            else f"** server can't find {rest[0]}: {found.outcome}"
        )
        process.complain(told)
        return 1
    for value in found.values:
        process.say(f"Name:\t{found.name.rstrip('.')}\nAddress: {value}")
    return 0


def _ping(process: Process) -> Body:
    options, rest = _split(process.argv[1:], "cwWis")
    address = yield from resolver.resolve(process, rest[0])
    if address is None:
        process.complain(f"ping: bad address '{rest[0]}'")
        return 1
    code = 1
    for number in range(int(options.get("c") or 1_000_000)):
        answer = yield lambda resume: process.net.ping(
            address, lambda: resume(""), resume, float(options.get("W") or 1)
        )
        if not answer:
            process.say(f"64 bytes from {address}: seq={number}")
            code = 0
        yield process.sleep(1.0)
    return code


def _httpd(process: Process) -> Body:
    options, _ = _split(process.argv[1:], "phc")
    base = process.path(options.get("h") or ".")

    def handle(asked: http.Asked) -> None:
        path = base + (asked.path + "index.html" if asked.path.endswith("/") else asked.path)
        node = process.files.find(path)
        asked.answer(http.Answer(200, node.data) if isinstance(node, File) else http.Answer(404, b"404 Not Found\n"))

    port = int((options.get("p") or "80").rpartition(":")[2])
    process.closing.append(http.serve(process.net, ("0.0.0.0", port), handle).close)
    yield forever
    return 0


def _constant(code: int) -> Main:
    return _simple(lambda process, arguments: code)


def _said(text: Callable[[Process, list[str]], str]) -> Main:
    def call(process: Process, arguments: list[str]) -> int:
        process.say(text(process, arguments))
        return 0

    return _simple(call)


applets: Mapping[str, Main] = {
    "sh": shell.main,
    "ash": shell.main,
    "bash": shell.main,
    "true": _constant(0),
    "false": _constant(1),
    "sync": _constant(0),
    "echo": _simple(_echo),
    "printf": _simple(_printf),
    "cat": _cat,
    "head": _lines_of(lambda lines, count: lines[:count]),
    "tail": _lines_of(lambda lines, count: lines[-count:] if count else []),
    "grep": _grep,
    "wc": _wc,
    "tr": _filter(_tr),
    "sort": _filter(_sort),
    "base64": _filter(_base64),
    "md5sum": _sum("md5"),
    "sha256sum": _sum("sha256"),
    "seq": _simple(_seq),
    "touch": _simple(_touch),
    "rm": _simple(_rm),
    "mkdir": _simple(_mkdir),
    "rmdir": _simple(_rmdir),
    "ls": _simple(_ls),
    "stat": _simple(_stat),
    "chmod": _simple(_chmod),
    "cp": _simple(_cp),
    "mv": _simple(_mv),
    "find": _simple(_find),
    "tee": _tee,
    "dd": _dd,
    "tar": _tar,
    "test": _simple(_test),
    "[": _simple(_test),
    "sleep": _sleep,
    "hostname": _simple(_hostname),
    "env": _env,
    "printenv": _simple(_printenv),
    "date": _simple(_date),
    "id": _simple(_id),
    "whoami": _said(lambda process, arguments: "root"),
    "pwd": _said(lambda process, arguments: process.cwd),
    "uname": _said(lambda process, arguments: "Linux"),
    "basename": _said(lambda process, arguments: arguments[0].rstrip("/").rpartition("/")[2]),
    "dirname": _said(lambda process, arguments: arguments[0].rpartition("/")[0] or "."),
    "kill": _simple(_kill),
    "ps": _simple(_ps),
    "timeout": _timeout,
    "wget": _wget,
    "nc": _nc,
    "nslookup": _nslookup,
    "ping": _ping,
    "httpd": _httpd,
}

__all__ = ["applets", "fetched", "told"]
