"""The shell of busybox and its kind: runs what `shellparser` reads.

`sh -c TEXT`, `sh FILE`, or lines from its input. A command is a program of the image, in a process of its own; builtins
are below. A signal with a trap waits for the command under way, as in a real shell, and ends a `wait`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Generator, Iterable
from fnmatch import fnmatchcase, translate
from functools import partial
from operator import add, eq, floordiv, ge, gt, le, lt, mod, mul, ne, sub
from typing import Any

from refkube.kubelet.runtime.process import SIGNALS, Body, Pipe, Process, Resume, Wait, Write, told
from refkube.kubelet.runtime.programs import shellparser as syntax
from refkube.kubelet.runtime.programs.shellparser import Node, Part, Redirection, SyntaxProblem, Word
from refkube.volumes.files import Directory

Run = Generator[Wait, Any, int]
Expanded = Generator[Wait, Any, list[str]]
BUSY = 100  # commands after which a moment passes, so that a busy shell does not stop the world
NOT_FOUND = 127


class _Exit(Exception):
    def __init__(self, code: int):
        self.code = code


class _Return(_Exit):
    pass


class _Leave(Exception):
    """break or continue, out of so many loops."""

    def __init__(self, loops: int, again: bool):
        self.loops, self.again = loops, again


class _Io:
    """Where a command reads and writes."""

    __slots__ = ("err", "out", "stdin")

    def __init__(self, stdin: Pipe, out: Write, err: Write):
        self.stdin, self.out, self.err = stdin, out, err


def main(process: Process) -> Body:
    """sh [-ce] TEXT [NAME ARGUMENT ...] | FILE [ARGUMENT ...]"""
    arguments = process.argv[1:]
    flags = ""
    while arguments and arguments[0][:1] in "-+" and len(arguments[0]) > 1:
        flags += arguments.pop(0)[1:]
    shell = Shell(process)
    shell.errexit, shell.trace = "e" in flags, "x" in flags
    if "c" in flags:
        text = arguments.pop(0) if arguments else ""
        shell.parameters = arguments or [process.argv[0]]
        return (yield from shell.whole(text))
    if arguments:
        shell.parameters = arguments
        return (yield from shell.whole(process.files.read(process.path(arguments[0])).decode(errors="replace")))
    shell.parameters = [process.argv[0]]
    return (yield from _by_lines(shell, process))


def _by_lines(shell: Shell, process: Process) -> Run:
    """Commands as they come; on a terminal with a prompt."""
    code, text, waiting = 0, "", False

    def prompt() -> None:
        if process.terminal is not None:
            process.err(b"> " if text else f"{process.cwd} # ".encode())

    def interrupted() -> None:
        nonlocal text
        process.err(b"\n")
        if waiting:
            text = ""
            prompt()

    if process.terminal is not None:
        process.handlers[SIGNALS["INT"]] = interrupted
    while not shell.over:
        prompt()
        waiting = True
        line = (yield from process.stdin.read_line()).decode(errors="replace")
        waiting = False
        text += line
        if text and not (line and syntax.goes_on(text)):
            code = yield from shell.whole(text, last=False)
            text = ""
        if not line:
            break
    return code


class Shell:
    def __init__(self, process: Process):
        self.process = process
        self.variables = dict(process.env)
        self.exported = set(process.env)
        self.functions: dict[str, Node] = {}
        self.traps: dict[str, str] = {}
        self.parameters: list[str] = []
        self.status = 0
        self.errexit = self.trace = self.over = False
        self.jobs: dict[int, Process] = {}
        self.last_job = 0
        self._pending: list[str] = []
        self._guarded = 0  # depth of conditions, in which a failure does not end the shell
        self._count = 0
        self._substituted = 0  # the exit code of the latest $(...)
        self._waiting: Resume | None = None

    def whole(self, text: str, last: bool = True) -> Run:
        """A program from its beginning to its end, and then the trap of EXIT."""
        process = self.process
        io = _Io(process.stdin, process.out, process.err)
        try:
            self.status = yield from self.run(syntax.parse(text), io)
        except SyntaxProblem as why:
            process.complain(f"sh: {why}")
            self.status = 2
        except _Exit as end:
            self.status = end.code
            last = self.over = True
        except _Leave:
            pass
        if last and "EXIT" in self.traps:
            code, text = self.status, self.traps.pop("EXIT")
            try:
                yield from self.run(syntax.parse(text), io)
                self.status = code
            except _Exit as end:
                self.status = end.code
        return self.status

    # Commands

    def run(self, node: Node, io: _Io) -> Run:
        code = yield from self._RUNS[type(node)](self, node, io)
        self.status = code
        return code

    def _listed(self, node: syntax.Listed, io: _Io) -> Run:
        code = self.status if not node.commands else 0
        for command, background in node.commands:
            if background:
                job = self._fork(command, _Io(Pipe(closed=True), io.out, io.err))
                self.jobs[job.pid] = job
                self.last_job, code = job.pid, 0
            else:
                code = yield from self.run(command, io)
            yield from self._run_traps(io)
        return code

    def _both(self, node: syntax.Both, io: _Io) -> Run:
        code = yield from self._condition(node.first, io)
        if (code == 0) == node.on_success:
            return (yield from self.run(node.second, io))
        return code

    def _condition(self, node: Node, io: _Io) -> Run:
        self._guarded += 1
        try:
            return (yield from self.run(node, io))
        finally:
            self._guarded -= 1

    def _piped(self, node: syntax.Piped, io: _Io) -> Run:
        if len(node.commands) == 1:
            code = yield from self._condition(node.commands[0], io)
        else:
            stdin: Pipe | None = io.stdin
            started: list[tuple[Node, _Io, Pipe | None]] = []
            for index, command in enumerate(node.commands):
                last = index == len(node.commands) - 1
                pipe = Pipe()
                assert stdin is not None
                started.append((command, _Io(stdin, io.out if last else pipe.write, io.err), None if last else pipe))
                stdin = pipe
            children = []
            for command, streams, written in started:
                child = self._fork(command, streams)
                if written is not None:
                    child.when_ended(_closing(written))
                children.append(child)
            code = 0
            for child in children:
                code = yield from self._await(child)
        return int(code == 0) if node.negated else code

    def _if(self, node: syntax.If, io: _Io) -> Run:
        for condition, body in node.branches:
            if (yield from self._condition(condition, io)) == 0:
                return (yield from self.run(body, io))
        return (yield from self.run(node.otherwise, io)) if node.otherwise is not None else 0

    def _while(self, node: syntax.While, io: _Io) -> Run:
        code = 0
        while ((yield from self._condition(node.condition, io)) == 0) != node.until:
            yield from self._breathe()
            try:
                code = yield from self.run(node.body, io)
            except _Leave as leave:
                if self._leaves(leave):
                    break
        return code

    def _for(self, node: syntax.For, io: _Io) -> Run:
        words = self.parameters[1:] if node.words is None else (yield from self._expand_all(node.words, io))
        code = 0
        for word in words:
            self.variables[node.name] = word
            yield from self._breathe()
            try:
                code = yield from self.run(node.body, io)
            except _Leave as leave:
                if self._leaves(leave):
                    break
        return code

    def _leaves(self, leave: _Leave) -> bool:
        """Is this loop over? Raises on to the one outside where more are to be left."""
        if leave.loops > 1:
            raise _Leave(leave.loops - 1, leave.again)
        return not leave.again

    def _case(self, node: syntax.Case, io: _Io) -> Run:
        value = yield from self._text(node.word, io)
        for patterns, body in node.choices:
            for pattern in patterns:
                if fnmatchcase(value, (yield from self._text(pattern, io))):
                    return (yield from self.run(body, io))
        return 0

    def _group(self, node: syntax.Group, io: _Io) -> Run:
        try:
            streams = yield from self._redirected(node.redirections, io)
        except OSError as why:
            io.err(f"sh: {_cannot(why)}\n".encode())
            return 1
        if node.subshell:
            return (yield from self._await(self._fork(node.body, streams)))
        return (yield from self.run(node.body, streams))

    def _function(self, node: syntax.Function, io: _Io) -> Run:
        self.functions[node.name] = node.body
        return 0
        yield

    def _simple(self, node: syntax.Simple, io: _Io) -> Run:
        yield from self._breathe()
        words = yield from self._expand_all(node.words, io)
        values = {}
        for name, word in node.assignments:
            values[name] = yield from self._text(word, io)
        try:
            streams = yield from self._redirected(node.redirections, io)
        except OSError as why:
            io.err(f"sh: {_cannot(why)}\n".encode())
            return self._failed(1)
        if not words:
            self.variables.update(values)
            return (
                self._substituted if any(part.kind == "command" for _, word in node.assignments for part in word) else 0
            )
        if self.trace:
            io.err(f"+ {' '.join(words)}\n".encode())
        name = words[0]
        if name in self.functions:
            code = yield from self._call(words, streams)
        elif name in BUILTINS:
            self.variables.update(values)
            code = yield from BUILTINS[name](self, words, streams)
        else:
            code = yield from self._external(words, values, streams)
        return self._failed(code)

    def _failed(self, code: int) -> int:
        if code and self.errexit and not self._guarded:
            raise _Exit(code)
        return code

    def _call(self, words: list[str], io: _Io) -> Run:
        kept, self.parameters = self.parameters, [self.parameters[0] if self.parameters else "sh", *words[1:]]
        try:
            return (yield from self.run(self.functions[words[0]], io))
        except _Return as end:
            return end.code
        finally:
            self.parameters = kept

    def _external(self, words: list[str], values: dict[str, str], io: _Io) -> Run:
        process = self.process
        main = process.container.config.image.program(words)
        if main is None:
            script = process.files.find(process.path(words[0])) if "/" in words[0] else None
            if script is None or isinstance(script, Directory):
                io.err(f"sh: {words[0]}: not found\n".encode())
                return NOT_FOUND
            main, words = process.container.config.image.programs["sh"], ["sh", *words]
        child = process.child(words, io.out, io.err, io.stdin)
        child.env = {**{name: self.variables[name] for name in self.exported if name in self.variables}, **values}
        child.start(main)
        return (yield from self._await(child))

    def _fork(self, node: Node, io: _Io) -> Process:
        """A copy of this shell that runs a command."""
        child = self.process.child(["sh"], io.out, io.err, io.stdin)
        copy = Shell(child)
        copy.variables, copy.exported, copy.functions = dict(self.variables), set(self.exported), dict(self.functions)
        copy.parameters, copy.errexit, copy.status = list(self.parameters), self.errexit, self.status

        def body(process: Process) -> Body:
            try:
                return (yield from copy.run(node, io))
            except _Exit as end:
                return end.code
            except SyntaxProblem as why:
                process.complain(f"sh: {why}")
                return 2
            except _Leave:
                return 0

        child.start(body)
        return child

    def _await(self, child: Process) -> Run:
        if child.running:
            yield lambda resume: child.when_ended(resume)
        return child.exit_code or 0

    def _breathe(self) -> Generator[Wait, Any, None]:
        self._count += 1
        if self._count % BUSY == 0:
            yield self.process.sleep(0.1)

    # Traps

    def trap(self, text: str | None, names: Iterable[str]) -> None:
        for name in names:
            name = name.upper().removeprefix("SIG")
            name = next(
                (key for key, number in SIGNALS.items() if str(number) == name), "EXIT" if name == "0" else name
            )
            number = SIGNALS.get(name)
            if text is None:
                self.traps.pop(name, None)
                self.process.handlers.pop(number or 0, None)
                continue
            self.traps[name] = text
            if number is not None:
                self.process.handlers[number] = partial(self._caught, name)

    def _caught(self, name: str) -> None:
        if self.traps.get(name):
            self._pending.append(name)
            waiting, self._waiting = self._waiting, None
            if waiting is not None:
                waiting(128 + SIGNALS[name])

    def _run_traps(self, io: _Io) -> Generator[Wait, Any, None]:
        while self._pending:
            status = self.status
            yield from self.run(syntax.parse(self.traps.get(self._pending.pop(0), "")), io)
            self.status = status

    def await_jobs(self, jobs: list[Process]) -> Run:
        """Until they have ended, or a signal with a trap comes."""
        code = 0
        for job in jobs:
            if job.running:

                def wait(resume: Resume, job: Process = job) -> None:
                    self._waiting = resume
                    job.when_ended(resume)

                code = yield wait
                self._waiting = None
                if self._pending:
                    return code
            code = job.exit_code or 0
        return code

    # Redirections

    def _redirected(self, redirections: list[Redirection], io: _Io) -> Generator[Wait, Any, _Io]:
        if not redirections:
            return io
        made = _Io(io.stdin, io.out, io.err)
        for fd, operator, word in redirections:
            target = yield from self._text(word, io)
            if operator == "<<":
                made.stdin = Pipe(target.encode(), closed=True)
            elif operator == "<":
                made.stdin = Pipe(
                    b"" if target == "/dev/null" else self.process.files.read(self.process.path(target)), closed=True
                )
            elif operator == ">&" and target in ("1", "2"):
                writer = made.out if target == "1" else made.err
                made.out, made.err = (writer, made.err) if fd == 1 else (made.out, writer)
            elif operator in (">", ">>", ">|", "&>", ">&"):
                writer = self.writer(target, operator == ">>")
                if operator in ("&>", ">&"):
                    made.out = made.err = writer
                elif fd == 2:
                    made.err = writer
                else:
                    made.out = writer
        return made

    def writer(self, target: str, append: bool) -> Write:
        process = self.process
        first = process.container.first
        special: dict[str, Write] = {
            "/dev/null": lambda data: None,
            "/dev/stdout": process.out,
            "/dev/stderr": process.err,
        }
        if first is not None:
            special |= {"/proc/1/fd/1": first.out, "/proc/1/fd/2": first.err}
        if target in special:
            return special[target]
        path, files = process.path(target), process.files
        files.write(path, b"", append)
        return lambda data: files.write(path, data, append=True)

    # Words

    def _expand_all(self, words: list[Word], io: _Io) -> Expanded:
        made: list[str] = []
        for word in words:
            if len(word) == 1 and word[0].kind == "parameter" and word[0].text == "@" and word[0].quoted:
                made += self.parameters[1:]
            else:
                made += yield from self._fields(word, io)
        return made

    def _fields(self, word: Word, io: _Io) -> Expanded:
        """A word's fields: split where it is not quoted, patterns replaced by the names that match."""
        fields: list[list[tuple[str, bool]]] = [[]]
        touched = False
        for part in word:
            value = part.text if part.kind == "text" else (yield from self._value(part, io))
            touched = touched or part.quoted
            if part.quoted or part.kind == "text":
                fields[-1].append((value, part.quoted))
                continue
            pieces = re.split(r"[ \t\n]+", value)
            for index, piece in enumerate(pieces):
                if index and (fields[-1] or index < len(pieces)):
                    fields.append([])
                if piece:
                    fields[-1].append((piece, False))
        found: list[str] = []
        for field in fields:
            text = "".join(value for value, _ in field)
            if not text and not touched:
                continue
            pattern = "".join(re.sub(r"([*?[])", r"[\1]", value) if quoted else value for value, quoted in field)
            found += (
                self._matching(pattern) or [text]
                if any(char in value for value, quoted in field if not quoted for char in "*?[")
                else [text]
            )
        return found

    def _matching(self, pattern: str) -> list[str]:
        base, _, last = pattern.rpartition("/")
        files = self.process.files
        directory = self.process.path(base) if base or not pattern.startswith("/") else "/"
        node = files.find(directory)
        if not isinstance(node, Directory):
            return []
        matches = re.compile(translate(last)).match
        prefix = pattern[: len(pattern) - len(last)]
        return [prefix + name for name in sorted(node.entries) if matches(name) and not name.startswith(".")]

    def _text(self, word: Word, io: _Io) -> Generator[Wait, Any, str]:
        made = ""
        for part in word:
            made += part.text if part.kind == "text" else (yield from self._value(part, io))
        return made

    def _value(self, part: Part, io: _Io) -> Generator[Wait, Any, str]:
        if part.kind == "arithmetic":
            return str(self._arithmetic(part.text))
        if part.kind == "command":
            output: list[bytes] = []
            child = self._fork(syntax.parse(part.text), _Io(io.stdin, output.append, io.err))
            self._substituted = yield from self._await(child)
            return b"".join(output).decode(errors="replace").rstrip("\n")
        return (yield from self._parameter(part.text, io))

    def _parameter(self, text: str, io: _Io) -> Generator[Wait, Any, str]:
        if text.startswith("#") and len(text) > 1:
            return str(len(self.value_of(text[1:]) or ""))
        found = re.match(r"([A-Za-z_]\w*|[0-9@*#?$!-])(:?[-=?+]|%%?|##?)?(.*)", text, re.DOTALL)
        if found is None:
            raise SyntaxProblem(f"syntax error: bad substitution: {text}")
        name, operator, rest = found[1], found[2] or "", found[3]
        value = self.value_of(name)
        if not operator:
            return value or ""
        word = yield from self._inner(rest, io)
        if operator[0] in "%#":
            return _trimmed(value or "", operator, word)
        lacks = value is None or (operator[0] == ":" and value == "")
        if operator[-1] == "+":
            return "" if lacks else word
        if lacks and operator[-1] == "?":
            io.err(f"sh: {name}: {word or 'parameter not set'}\n".encode())
            raise _Exit(2)
        if lacks and operator[-1] == "=":
            self.variables[name] = word
        return word if lacks else value or ""

    def _inner(self, text: str, io: _Io) -> Generator[Wait, Any, str]:
        tree = syntax.parse(f'_="{text}"' if '"' not in text and "'" not in text else f"_={text}")
        assert isinstance(tree, syntax.Listed)
        simple = tree.commands[0][0]
        assert isinstance(simple, syntax.Simple)
        return (yield from self._text(simple.assignments[0][1], io))

    def value_of(self, name: str) -> str | None:
        special = {
            "?": str(self.status),
            "$": str(self.process.pid),
            "#": str(len(self.parameters) - 1),
            "!": str(self.last_job),
            "-": "",
        }
        if name in special:
            return special[name]
        if name in "@*":
            return " ".join(self.parameters[1:])
        if name.isdigit():
            return self.parameters[int(name)] if int(name) < len(self.parameters) else None
        return self.variables.get(name)

    def _arithmetic(self, text: str) -> int:
        text = re.sub(
            r"\$?\{?([A-Za-z_]\w*)\}?|\$([0-9#?])", lambda found: self.value_of(found[1] or found[2]) or "0", text
        )
        text = re.sub(r"!(?!=)", " not ", text.replace("&&", " and ").replace("||", " or "))
        try:
            return int(_calculated(ast.parse(text.strip() or "0", mode="eval").body))
        except (SyntaxError, ValueError, KeyError, ZeroDivisionError, TypeError):
            raise SyntaxProblem("arithmetic syntax error") from None

    _RUNS: dict[type, Callable[..., Run]] = {
        syntax.Listed: _listed,
        syntax.Both: _both,
        syntax.Piped: _piped,
        syntax.If: _if,
        syntax.While: _while,
        syntax.For: _for,
        syntax.Case: _case,
        syntax.Group: _group,
        syntax.Function: _function,
        syntax.Simple: _simple,
    }


_OPERATIONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: add,
    ast.Sub: sub,
    ast.Mult: mul,
    ast.Div: floordiv,
    ast.Mod: mod,
    ast.Lt: lt,
    ast.LtE: le,
    ast.Gt: gt,
    ast.GtE: ge,
    ast.Eq: eq,
    ast.NotEq: ne,
}


def _calculated(node: ast.expr) -> int:
    if isinstance(node, ast.Constant):
        return int(str(node.value))
    if isinstance(node, ast.BinOp):
        return int(_OPERATIONS[type(node.op)](_calculated(node.left), _calculated(node.right)))
    if isinstance(node, ast.UnaryOp):
        value = _calculated(node.operand)
        return -value if isinstance(node.op, ast.USub) else int(not value) if isinstance(node.op, ast.Not) else value
    if isinstance(node, ast.Compare):
        return int(_OPERATIONS[type(node.ops[0])](_calculated(node.left), _calculated(node.comparators[0])))
    if isinstance(node, ast.BoolOp):
        values = [_calculated(value) for value in node.values]
        return int(all(values) if isinstance(node.op, ast.And) else any(values))
    raise ValueError(node)


def _closing(pipe: Pipe) -> Callable[[int], object]:
    return lambda code: pipe.close()


def _trimmed(value: str, operator: str, pattern: str) -> str:
    """Without the shortest (%, #) or longest (%%, ##) end or beginning that matches."""
    cuts = range(len(value) + 1)
    if operator[0] == "#":
        order = cuts if len(operator) == 1 else reversed(cuts)
        return next((value[cut:] for cut in order if fnmatchcase(value[:cut], pattern)), value)
    order = reversed(cuts) if len(operator) == 1 else cuts
    return next((value[:cut] for cut in order if fnmatchcase(value[cut:], pattern)), value)


def _cannot(why: OSError) -> str:
    words = "nonexistent directory" if why.errno == 2 else why.strerror
    return f"can't create {why.filename}: {words}"


# Builtins


def _builtin(call: Callable[[Shell, list[str], _Io], int]) -> Callable[[Shell, list[str], _Io], Run]:
    def run(shell: Shell, words: list[str], io: _Io) -> Run:
        return call(shell, words, io)
        yield

    return run


def _cd(shell: Shell, words: list[str], io: _Io) -> int:
    path = shell.process.path(words[1] if len(words) > 1 else "/root")
    if not isinstance(shell.process.files.find(path), Directory):
        io.err(f"sh: cd: can't cd to {words[1]}: No such file or directory\n".encode())
        return 1
    shell.process.cwd = path
    return 0


def _exit(shell: Shell, words: list[str], io: _Io) -> int:
    raise _Exit(_number(words[1]) & 0xFF if len(words) > 1 else shell.status)


def _return(shell: Shell, words: list[str], io: _Io) -> int:
    raise _Return(_number(words[1]) & 0xFF if len(words) > 1 else shell.status)


def _number(text: str) -> int:
    return int(text) if text.lstrip("-").isdigit() else 2


def _leave(again: bool) -> Callable[[Shell, list[str], _Io], int]:
    def leave(shell: Shell, words: list[str], io: _Io) -> int:
        raise _Leave(int(words[1]) if len(words) > 1 and words[1].isdigit() else 1, again)

    return leave


def _export(shell: Shell, words: list[str], io: _Io) -> int:
    for word in words[1:]:
        name, found, value = word.partition("=")
        shell.exported.add(name)
        if found:
            shell.variables[name] = value
    return 0


def _unset(shell: Shell, words: list[str], io: _Io) -> int:
    for name in words[1:]:
        shell.variables.pop(name, None)
        shell.functions.pop(name, None)
    return 0


def _set(shell: Shell, words: list[str], io: _Io) -> int:
    rest = words[1:]
    while rest and rest[0][:1] in "-+" and len(rest[0]) > 1 and rest[0] != "--":
        flag = rest.pop(0)
        if flag[1:] == "o" and rest:
            flag = flag[0] + {"errexit": "e", "xtrace": "x"}.get(rest.pop(0), "")
        shell.errexit = flag[0] == "-" if "e" in flag else shell.errexit
        shell.trace = flag[0] == "-" if "x" in flag else shell.trace
    if rest:
        shell.parameters = [shell.parameters[0] if shell.parameters else "sh", *(rest[1:] if rest[0] == "--" else rest)]
    return 0


def _shift(shell: Shell, words: list[str], io: _Io) -> int:
    del shell.parameters[1 : 1 + (int(words[1]) if len(words) > 1 else 1)]
    return 0


def _trap(shell: Shell, words: list[str], io: _Io) -> int:
    if len(words) > 1:
        plain = words[1] == "-" or (len(words) == 2 and words[1].isalnum())
        shell.trap(None if plain else words[1], words[1:] if len(words) == 2 else words[2:])
    return 0


def _local(shell: Shell, words: list[str], io: _Io) -> int:
    for word in words[1:]:
        name, _, value = word.partition("=")
        shell.variables[name] = value
    return 0


def _wait(shell: Shell, words: list[str], io: _Io) -> Run:
    chosen = [shell.jobs[int(pid)] for pid in words[1:] if pid.isdigit() and int(pid) in shell.jobs]
    return (yield from shell.await_jobs(chosen if len(words) > 1 else list(shell.jobs.values())))


def _read(shell: Shell, words: list[str], io: _Io) -> Run:
    names = [word for word in words[1:] if not word.startswith("-")] or ["REPLY"]
    line = yield from io.stdin.read_line()
    fields = line.decode(errors="replace").rstrip("\n").split(None, len(names) - 1)
    for index, name in enumerate(names):
        shell.variables[name] = fields[index] if index < len(fields) else ""
    return 0 if line else 1


def _eval(shell: Shell, words: list[str], io: _Io) -> Run:
    return (yield from shell.run(syntax.parse(" ".join(words[1:])), io))


def _source(shell: Shell, words: list[str], io: _Io) -> Run:
    try:
        text = shell.process.files.read(shell.process.path(words[1])).decode(errors="replace")
    except OSError as why:
        io.err(f"sh: .: can't open {told(why)}\n".encode())
        return 2
    return (yield from shell.run(syntax.parse(text), io))


def _exec(shell: Shell, words: list[str], io: _Io) -> Run:
    """The program takes the shell's place: its process, and its way with signals."""
    if len(words) == 1:
        return 0
    process = shell.process
    main = process.container.config.image.program(words[1:])
    if main is None:
        io.err(f"sh: exec: {words[1]}: not found\n".encode())
        raise _Exit(NOT_FOUND)
    process.argv = words[1:]
    process.handlers.clear()
    process.env = {name: shell.variables[name] for name in shell.exported if name in shell.variables}
    process.stdin, process.out, process.err = io.stdin, io.out, io.err
    shell.traps.clear()
    raise _Exit((yield from main(process)) or 0)


BUILTINS: dict[str, Callable[[Shell, list[str], _Io], Run]] = {
    ":": _builtin(lambda shell, words, io: 0),
    "true": _builtin(lambda shell, words, io: 0),
    "false": _builtin(lambda shell, words, io: 1),
    "cd": _builtin(_cd),
    "exit": _builtin(_exit),
    "return": _builtin(_return),
    "break": _builtin(_leave(False)),
    "continue": _builtin(_leave(True)),
    "export": _builtin(_export),
    "readonly": _builtin(_export),
    "local": _builtin(_local),
    "unset": _builtin(_unset),
    "set": _builtin(_set),
    "shift": _builtin(_shift),
    "trap": _builtin(_trap),
    "wait": _wait,
    "read": _read,
    "eval": _eval,
    ".": _source,
    "source": _source,
    "exec": _exec,
}
