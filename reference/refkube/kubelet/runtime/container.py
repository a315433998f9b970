"""Sandboxes and containers of one node: what a container runtime keeps, whether or not a kubelet runs.

The kubelet asks `Runtime` to make and stop them and learns of ends by a callable. They outlive the kubelet, as with a
real runtime: one that starts anew finds them here. Source: the CRI (cri-api/pkg/apis/runtime/v1) in spirit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from refkube.apimachinery.meta import Object
from refkube.engine.loop import Loop, Timer
from refkube.hostnet import Namespace
from refkube.kubelet.runtime.process import SIGKILL, SIGTERM, Pipe, Process, Write
from refkube.kubelet.runtime.terminal import Terminal
from refkube.volumes.files import Directory, File, Node, Tree

if TYPE_CHECKING:
    from refkube.kubelet.runtime.images import Image, Images

OUT, ERR = "stdout", "stderr"
MAX_LINES = 100_000  # that a container's log keeps
DEAD_KEPT = 1  # ended instances of one container that are kept beside the last


class Log:
    """What a container wrote, line by line, with time and stream."""

    def __init__(self, now: Callable[[], float]):
        self._now = now
        self.lines: list[tuple[float, str, bytes]] = []
        self._open: dict[str, tuple[float, bytes]] = {}
        self.followers: list[Callable[[float, str, bytes], object]] = []
        self.watchers: list[Callable[[str, bytes], object]] = []  # of what is written as it is written: attach
        self.closing: list[Callable[[], object]] = []

    def writer(self, stream: str) -> Write:
        return lambda data: self._write(stream, data)

    def _write(self, stream: str, data: bytes) -> None:
        for watcher in list(self.watchers):
            watcher(stream, data)
        since, rest = self._open.pop(stream, (self._now(), b""))
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            self._add(since, stream, line + b"\n")
            since = self._now()
        if rest:
            self._open[stream] = (since, rest)

    def _add(self, when: float, stream: str, line: bytes) -> None:
        self.lines.append((when, stream, line))
        if len(self.lines) > MAX_LINES:
            del self.lines[: MAX_LINES // 10]
        for follower in list(self.followers):
            follower(when, stream, line)

    def close(self) -> None:
        for stream, (since, rest) in self._open.items():
            self._add(since, stream, rest)
        self._open.clear()
        for call in self.closing:
            call()
        self.closing.clear()
        self.followers.clear()
        self.watchers.clear()


@dataclass
class Config:
    """What a container is made from, with everything looked up and expanded."""

    name: str
    image: Image
    argv: list[str]
    env: Mapping[str, str]
    cwd: str
    mounts: list[tuple[str, Node, bool]] = field(default_factory=list)
    cpu_limit: float | None = None
    memory_limit: int | None = None
    read_only_root: bool = False
    attempt: int = 0
    image_name: str = ""
    log_on_error: bool = False
    resources: Mapping[str, object] = field(default_factory=dict)
    termination_path: str = "/dev/termination-log"
    stdin: bool = False
    tty: bool = False
    user: int = 0
    groups: tuple[int, ...] = (0,)  # its own first


class Container:
    """One instance of a container: created, running, exited."""

    def __init__(self, sandbox: Sandbox, config: Config, id: str):
        self.sandbox = sandbox
        self.loop = sandbox.runtime.loop
        self.config = config
        self.id = id
        self.state = "created"
        self.started_at = self.finished_at = 0.0
        self.exit_code = 0
        self.reason = self.message = ""
        self.log = Log(self.loop.now)
        self.processes: list[Process] = []
        self.first: Process | None = None
        self.stdin = Pipe(closed=not config.stdin)
        self.terminal = Terminal(lambda: self, self.stdin, self.log.writer(OUT)) if config.tty else None
        self.root = config.image.root()
        self.files = Tree(self.root, self.loop.now, config.read_only_root)
        for path, node, read_only in config.mounts:
            self.files.mount(path, node, read_only)
        if config.termination_path:
            self._told = File()
            self.files.mount(config.termination_path, self._told)
        self.memory_limit, self.cpu_limit = config.memory_limit, config.cpu_limit
        self.hung = False  # nothing in it goes on, nor ends by itself
        self.failing: set[str] = set()  # probes that fail, whatever it answers
        self.cpu_seconds = 0.0
        self._counted_at = 0.0
        self._pids = 0
        self._grace: Timer | None = None

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def running(self) -> bool:
        return self.state == "running"

    @property
    def memory(self) -> int:
        return sum(process.memory for process in self.processes)

    @property
    def cpu(self) -> float:
        wanted = sum(process.cpu for process in self.processes)
        return wanted if self.cpu_limit is None else min(wanted, self.cpu_limit)

    def next_pid(self) -> int:
        self._pids += 1
        return self._pids

    def start(self) -> None:
        """Run it. One whose program is not there ends at once, as StartError."""
        self.started_at = self._counted_at = self.loop.now()
        self.state = "running"
        main = self.config.image.program(self.config.argv)
        if main is None or self.config.image.unfit(self.config.cwd):
            self.started_at = 0.0
            wanted = self.config.argv[0] if self.config.argv else ""
            self.reason = "StartError"
            self.message = f'exec: "{wanted}": executable file not found in $PATH: unknown'
            self._ended(128)
            return
        out, err = self.log.writer(OUT), self.log.writer(ERR)
        if self.terminal is not None:
            out = err = self.terminal.write
        streams = out, err, self.stdin, self._ended
        self.first = Process(
            self, self.config.argv, self.config.env, *streams, cwd=self.config.cwd, terminal=self.terminal
        )
        self.first.start(main)

    def run(
        self,
        argv: list[str],
        out: Write,
        err: Write,
        stdin: Pipe | None,
        ended: Callable[[int], object],
        terminal: object = None,
    ) -> Process | None:
        """One more process in it (exec); None where there is no such program."""
        main = self.config.image.program(argv)
        if main is None or not self.running:
            return None
        process = Process(self, argv, self.config.env, out, err, stdin, ended, self.config.cwd, terminal)
        process.start(main)
        return process

    def signal(self, number: int) -> None:
        if self.first is not None:
            self.first.signal(number)

    def stop(self, grace: float) -> None:
        """SIGTERM, and SIGKILL after the grace period; an earlier end wins."""
        if not self.running:
            return
        if grace <= 0:
            self.kill()
            return
        when = self.loop.now() + grace
        if self._grace is None:
            self.signal(self.config.image.stop_signal or SIGTERM)
        if self.running and (self._grace is None or self._grace.when > when):
            if self._grace is not None:
                self._grace.cancel()
            self._grace = self.loop.call_at(when, self.kill)

    def kill(self, reason: str = "") -> None:
        self.reason = reason or self.reason
        if self.running:
            self.signal(SIGKILL)

    def account(self) -> None:
        """Add up what was used of the CPU until now."""
        now = self.loop.now()
        self.cpu_seconds += self.cpu * (now - self._counted_at)
        self._counted_at = now

    def check_memory(self) -> None:
        if self.memory_limit is not None and self.memory > self.memory_limit:
            self.kill("OOMKilled")

    def _ended(self, code: int) -> None:
        if self.state == "exited":
            return
        self.account()
        self.state = "exited"
        self.exit_code = code
        self.finished_at = self.loop.now()
        self.reason = self.reason or ("Completed" if code == 0 else "Error")
        if self._grace is not None:
            self._grace.cancel()
        for process in list(self.processes):
            process.exit(137)
        self.log.close()
        self.sandbox.ended(self)

    def termination_message(self) -> str:
        """What it wrote for its termination message."""
        return self._told.data[-4096:].decode(errors="replace") if self.config.termination_path else ""


class Sandbox:
    """One Pod's surroundings: its network namespace, its volumes' places, the containers that are or were in it."""

    def __init__(self, runtime: Runtime, pod: Object):
        meta = pod["metadata"]
        self.runtime = runtime
        self.uid: str = meta["uid"]
        self.name: str = meta["name"]
        self.namespace: str = meta.get("namespace", "")
        self.pod = pod
        self.net: Namespace | None = None
        self.address = ""
        self.hostname = ""
        self.created_at = runtime.loop.now()
        self.files: list[tuple[str, Node, bool]] = []  # that every container of it sees
        self.containers: dict[str, list[Container]] = {}

    def latest(self, name: str) -> Container | None:
        instances = self.containers.get(name)
        return instances[-1] if instances else None

    def previous(self, name: str) -> Container | None:
        """The last instance that ended before the present one."""
        instances = self.containers.get(name) or []
        return instances[-2] if len(instances) > 1 else None

    def create(self, config: Config) -> Container:
        container = Container(self, config, self.runtime.new_id())
        self.runtime.attempts.setdefault(self.uid, {})[config.name] = config.attempt
        instances = self.containers.setdefault(config.name, [])
        instances.append(container)
        del instances[: -DEAD_KEPT - 1]
        return container

    @property
    def running(self) -> list[Container]:
        return [instances[-1] for instances in self.containers.values() if instances[-1].running]

    def ended(self, container: Container) -> None:
        if self.runtime.told is not None:
            self.runtime.told(self.uid)


class Runtime:
    """The container runtime of one node. `told` is called with a Pod's uid when one of its containers has ended."""

    def __init__(self, loop: Loop, images: Images, new_id: Callable[[], str], disk: Directory | None = None):
        self.loop = loop
        self.images = images
        self.disk = Tree(disk, loop.now)
        self.sandboxes: dict[str, Sandbox] = {}
        self.attempts: dict[str, dict[str, int]] = {}  # by Pod and container, as the directories of logs tell them
        self.told: Callable[[str], object] | None = None
        self._ids = new_id

    def new_id(self) -> str:
        return f"refkube://{self._ids()}"

    def add(self, pod: Object) -> Sandbox:
        sandbox = self.sandboxes[pod["metadata"]["uid"]] = Sandbox(self, pod)
        return sandbox

    def remove(self, uid: str) -> None:
        """Forget a Pod, with the logs of its containers."""
        self.sandboxes.pop(uid, None)
        self.attempts.pop(uid, None)

    def lose_power(self) -> None:
        """Everything that runs ends at once; nothing is told, and only the disk remembers it."""
        told, self.told = self.told, None
        for sandbox in self.sandboxes.values():
            for container in sandbox.running:
                container.kill()
        self.told = told
        self.sandboxes.clear()

    def lose_disk(self) -> None:
        """A new one is empty: no images, no volumes but those that are elsewhere, no trace of containers."""
        self.images.forget()
        self.attempts.clear()
        self.disk.wipe()
