"""Start `refkube serve` as a user would, for the checks that need a live API.

Used by `check`, `kill`, the benchmarks and the tests with real clients.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

# What runs beside the API server, each a process of its own.
COMPONENTS = (
    (
        *("controller-manager", "--service-account-private-key-file", "{directory}/sa.key"),
        *("--cloud-provider", "simulated", "--enable-hostpath-provisioner"),
    ),
    ("scheduler",),
    *(
        (
            *("kubelet", "--name", f"n{number}", "--node-ip", f"192.168.100.{10 + number}", "--port", "0"),
            *("--lan", "{directory}/lan", "--cluster-dns", "10.96.0.10"),
        )
        for number in (1, 2, 3)
    ),
)


class Server:
    """One running server. `kubeconfig` is ready to be used."""

    def __init__(self, directory: Path, *options: str, port: int = 0):
        self.directory = directory
        command = [sys.executable, "-m", "refkube", "serve", "--port", str(port), "--data-dir", str(directory)]
        self.process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        told = self.process.stdout.readline()
        if not told.startswith("export KUBECONFIG="):
            _, wrong = self.process.communicate()
            raise RuntimeError(f"refkube serve did not start: {wrong.strip() or told}")
        self.kubeconfig = Path(told.partition("=")[2].strip())

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it and give its exit code; what it wrote to stderr is shown."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        _, wrong = self.process.communicate(timeout=30)
        if wrong:
            print(wrong, file=sys.stderr, end="")
        return self.process.returncode


@contextmanager
def refkube_server(*options: str) -> Iterator[Server]:
    """A server on a free port with a directory of its own; both are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="refkube-") as directory:
        server = Server(Path(directory), *options)
        try:
            yield server
        finally:
            server.stop()


class Component:
    """A component as a process of its own; what it says is kept in a file."""

    def __init__(self, server: Server, output: IO[str], command: str, *options: str):
        self.name = " ".join((command, *options))
        self._output = output
        given = ["--kubeconfig", str(server.kubeconfig), *options]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "refkube", command, *given], stdout=output, stderr=subprocess.STDOUT
        )

    def wrong(self) -> str:
        """Why it ended although nobody told it to, with the end of what it said; empty if it runs."""
        code = self.process.poll()
        return "" if code is None else f"refkube {self.name} ended with {code}: {self.said()}"

    def stop(self) -> str:
        """End it; what was wrong with that, or before."""
        if wrong := self.wrong():
            return wrong
        self.process.terminate()
        try:
            code = self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return f"refkube {self.name} did not end when it was told to: {self.said()}"
        ended = code in (0, -signal.SIGTERM)  # the second where it had no time to begin
        return "" if ended else f"refkube {self.name} ended with {code}: {self.said()}"

    def said(self) -> str:
        self._output.seek(0)
        return self._output.read()[-4000:].strip()


@contextmanager
def refkube_processes(speed: float) -> Iterator[Server]:
    """An API server alone, and scheduler, controllers and three nodes beside it; all are gone afterwards.

    A component that ends on its own, or not well, is an error, unless there is one already.
    """
    told = ("--speed", str(speed))
    with refkube_server("--nodes", "0", "--controllers", "", "--addons", *told) as server, ExitStack() as files:
        running: list[Component] = []
        wrong: list[str] = []
        try:
            for command, *options in COMPONENTS:
                output = files.enter_context(tempfile.TemporaryFile("w+"))
                given = [option.format(directory=server.directory) for option in options]
                running.append(Component(server, output, command, *given, *told))
            yield server
        finally:
            wrong += filter(None, [component.stop() for component in reversed(running)])
            if wrong:
                print("\n".join(wrong), file=sys.stderr)
        if wrong:
            raise RuntimeError("; ".join(why.partition(":")[0] for why in wrong))
