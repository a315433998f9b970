"""Start `refkube serve` as a user would, for the checks that need a live API.

Used by `check`, `kill`, the benchmarks and the tests with real clients.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Server:
    """One running server. `kubeconfig` is ready to be used."""

    def __init__(self, directory: Path, *options: str, port: int = 0):
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
