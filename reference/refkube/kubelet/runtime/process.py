"""Processes of a container: programs as generators that yield what they wait for.

A program is `main(process)`, a generator that yields waits and returns its exit code. A wait is called with `resume`
and gives a callable that takes it back, or None. So a sleeping shell costs one timer, and nothing blocks the loop.
Signals are Linux's: the first process of a container is not touched by one that it does not handle.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any, Protocol, cast

from refkube.engine.loop import Loop
from refkube.hostnet import Namespace, NetError
from refkube.kubelet.runtime.net import Net
from refkube.volumes.files import Tree

SIGHUP, SIGINT, SIGQUIT, SIGKILL, SIGUSR1, SIGTERM = 1, 2, 3, 9, 10, 15
SIGNALS = {"HUP": 1, "INT": 2, "QUIT": 3, "KILL": 9, "USR1": 10, "USR2": 12, "ALRM": 14, "TERM": 15, "CHLD": 17}
IGNORED = frozenset({17, 18, 28})

Resume = Callable[[Any], None]
Wait = Callable[[Resume], Callable[[], object] | None]
Body = Generator[Wait, Any, int | None]
Main = Callable[["Process"], Body]
Write = Callable[[bytes], object]


class Sandbox(Protocol):
    """What the containers of a Pod share."""

    net: Namespace | None
    address: str
    hostname: str


class Container(Protocol):
    """What its processes share."""

    loop: Loop
    files: Tree
    processes: list[Process]
    first: Process | None
    config: Any
    hung: bool

    @property
    def sandbox(self) -> Sandbox: ...
    def next_pid(self) -> int: ...
    def account(self) -> None: ...
    def check_memory(self) -> None: ...
    def run(
        self,
        argv: list[str],
        out: Write,
        err: Write,
        stdin: Pipe | None,
        ended: Callable[[int], object],
        terminal: object = None,
    ) -> Process | None: ...


class Pipe:
    """Bytes from one side to the other; one reader at a time."""

    def __init__(self, data: bytes = b"", closed: bool = False):
        self._data = data
        self._closed = closed
        self._ended = False
        self._reader: Resume | None = None

    def write(self, data: bytes) -> None:
        self._data += data
        self._wake()

    def close(self) -> None:
        self._closed = True
        self._wake()

    def end(self) -> None:
        """An end for whoever reads now or next; others may read on."""
        self._ended = True
        self._wake()

    def read(self) -> Generator[Wait, Any, bytes]:
        """What is there, as soon as anything is; empty at the end."""
        if not self._data and not self._closed and not self._ended:
            yield self._wait
        data, self._data = self._data, b""
        self._ended = self._ended and bool(data)
        return data

    def read_line(self) -> Generator[Wait, Any, bytes]:
        while b"\n" not in self._data and not self._closed and not self._ended:
            yield self._wait
        self._ended = self._ended and b"\n" in self._data
        line, end, self._data = self._data.partition(b"\n")
        return line + end

    def _wait(self, resume: Resume) -> Callable[[], object]:
        self._reader = resume
        return lambda: setattr(self, "_reader", None)

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader(None)


class Process:
    """One running program. `container` is what it shares with the others: files, network, the programs there are."""

    def __init__(
        self,
        container: Container,
        argv: list[str],
        env: Mapping[str, str],
        out: Write,
        err: Write,
        stdin: Pipe | None = None,
        ended: Callable[[int], object] | None = None,
        cwd: str = "/",
        terminal: object = None,
    ):
        self.terminal = terminal  # the one it runs on, if any
        self.container = container
        self.argv = argv
        self.env = dict(env)
        self.cwd = cwd
        self.out, self.err = out, err
        self.stdin = stdin or Pipe(closed=True)
        self.pid = container.next_pid()
        self.exit_code: int | None = None
        self.handlers: dict[int, Callable[[], object]] = {}
        self.closing: list[Callable[[], object]] = []
        self.cpu, self.memory = 0.001, 1 << 20
        self._ended = [ended] if ended else []
        self._body: Body | None = None
        self._cancel: Callable[[], object] | None = None
        self._turn = 0
        self._net: Net | None = None

    @property
    def loop(self) -> Loop:
        return self.container.loop

    @property
    def files(self) -> Tree:
        return self.container.files

    @property
    def net(self) -> Namespace:
        net = self.container.sandbox.net
        if net is None:
            raise NetError(100, "Network is down")
        self._net = self._net or Net(net, lambda: self.container.hung)
        return cast(Namespace, self._net)

    @property
    def running(self) -> bool:
        return self.exit_code is None

    def path(self, name: str) -> str:
        return name if name.startswith("/") else f"{self.cwd.rstrip('/')}/{name}"

    def say(self, text: str) -> None:
        self.out(text.encode() + b"\n")

    def complain(self, text: str) -> None:
        self.err(text.encode() + b"\n")

    def use(self, cpu: float | None = None, memory: int | None = None) -> None:
        """Take that many CPUs and bytes from now on."""
        self.container.account()
        self.cpu = self.cpu if cpu is None else cpu
        self.memory = self.memory if memory is None else memory
        self.container.check_memory()

    # Running

    def start(self, main: Main) -> None:
        self.container.processes.append(self)
        self._body = main(self)
        self._run(None)

    def when_ended(self, call: Callable[[int], object]) -> None:
        if self.exit_code is None:
            self._ended.append(call)
        else:
            call(self.exit_code)

    def exit(self, code: int) -> None:
        """End, whatever it is doing."""
        if self.exit_code is not None:
            return
        self.container.account()
        self.exit_code = code & 0xFF
        self._turn += 1
        if self._cancel is not None:
            self._cancel()
            self._cancel = None
        for close in self.closing:
            close()
        self.closing.clear()
        if self._net is not None:
            self._net.close()
        if self in self.container.processes:
            self.container.processes.remove(self)
        for call in self._ended:
            call(self.exit_code)

    def signal(self, number: int) -> None:
        if self.exit_code is not None or number in IGNORED:
            return
        if number == SIGKILL:
            self.exit(128 + number)
        elif self.container.hung:
            return
        elif number in self.handlers:
            self.handlers[number]()
        elif self is not self.container.first:
            self.exit(128 + number)

    def interrupt(self, value: Any = None) -> None:
        """End the present wait with a value."""
        if self._cancel is not None:
            self._cancel()
            self._cancel = None
        self._turn += 1
        self._run(value)

    def _run(self, value: Any) -> None:
        """Let it go on until its next wait. Whatever it does wrong, it ends alone."""
        assert self._body is not None
        if self.container.hung:
            return
        try:
            wait = self._body.send(value)
            if self.exit_code is None:
                self._cancel = None
                self._cancel = wait(self._resumer())
            else:
                self._body.close()
        except StopIteration as end:
            self.exit(end.value or 0)
        except OSError as why:
            self.complain(f"{self.argv[0]}: {told(why)}")
            self.exit(1)
        except Exception as why:
            self.complain(f"{self.argv[0]}: {type(why).__name__}: {why}")
            self.exit(1)

    def _resumer(self) -> Resume:
        """What ends the wait that begins now, once."""
        self._turn += 1
        turn = self._turn

        def resume(result: Any = None) -> None:
            if self._turn == turn and self.exit_code is None:
                self._turn += 1
                self.loop.call_soon(self._resumed, self._turn, result)

        return resume

    def _resumed(self, turn: int, value: Any) -> None:
        if self._turn == turn and self.exit_code is None:
            self._cancel = None
            self._run(value)

    # What to wait for

    def sleep(self, seconds: float) -> Wait:
        def wait(resume: Resume) -> Callable[[], object]:
            return self.loop.call_later(seconds, resume, None).cancel

        return wait

    def child(
        self, argv: list[str], out: Write | None = None, err: Write | None = None, stdin: Pipe | None = None
    ) -> Process:
        """Another process beside this one, not yet started."""
        streams = out or self.out, err or self.err, stdin
        return Process(self.container, argv, self.env, *streams, cwd=self.cwd, terminal=self.terminal)


def forever(resume: Resume) -> None:
    """Wait until a signal comes."""


def told(why: OSError) -> str:
    words = why.strerror or str(why)
    return f"{why.filename}: {words}" if why.filename else words
