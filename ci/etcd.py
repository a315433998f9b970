"""A real etcd for tests and CI targets: `with etcd_server() as etcd: ... etcd.url ...`.

One member on free loopback ports, its data in a temporary directory. Needs an `etcd` binary on the PATH (Debian:
etcd-server); `missing()` tells what to do without. It can be killed and started again on the same data and ports.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DEADLINE = 20.0  # seconds until a started etcd has to answer; half a second is usual


def missing() -> str:
    """Why no etcd can be started here, "" if one can."""
    return "" if shutil.which("etcd") else "no etcd binary on the PATH (Debian: apt-get install etcd-server)"


@contextmanager
def etcd_server(data_dir: str | Path | None = None, *, tls: bool = False) -> Iterator[EtcdServer]:
    """A healthy etcd, gone with all its data at the end; a data_dir given is kept. With TLS it certifies itself."""
    with tempfile.TemporaryDirectory(prefix="etcd-") as scratch:
        server = EtcdServer(Path(data_dir or scratch), tls)
        try:
            server.start()
            yield server
        finally:
            server.kill()


class EtcdServer:
    def __init__(self, data_dir: Path, tls: bool = False) -> None:
        self.data_dir = data_dir
        self.certificate = data_dir / "member" / "fixtures" / "client" / "cert.pem"  # of a server with TLS
        self._tls = tls
        client, peer = _free_ports(2)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{client}"
        self._peer_url = f"http://127.0.0.1:{peer}"
        self._log = data_dir / "etcd.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it is healthy. Raises RuntimeError with the log's end."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    "etcd",
                    f"--data-dir={self.data_dir / 'member'}",
                    f"--listen-client-urls={self.url}",
                    f"--advertise-client-urls={self.url}",
                    f"--listen-peer-urls={self._peer_url}",
                    f"--initial-advertise-peer-urls={self._peer_url}",
                    f"--initial-cluster=default={self._peer_url}",
                    # alone it need not wait long for others before it elects itself
                    "--heartbeat-interval=10",
                    "--election-timeout=100",
                    "--log-level=error",
                    *(["--auto-tls"] if self._tls else []),
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={name: value for name, value in os.environ.items() if not name.startswith("ETCD_")},
            )
        deadline = time.monotonic() + DEADLINE
        while not self._healthy():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"etcd does not start:\n{self._log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.01)

    def kill(self, with_signal: int = signal.SIGKILL) -> None:
        """End it, as a crash does unless another signal is given. Its data stays."""
        if self._process is not None:
            self._process.send_signal(with_signal)
            self._process.wait()
            self._process = None

    def _healthy(self) -> bool:
        try:
            with _DIRECT.open(f"{self.url}/health", timeout=1) as response:
                return b'"true"' in response.read()
        except OSError:
            return False


# a proxy that the environment names has no business here
_DIRECT = urllib.request.build_opener(
    urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=ssl._create_unverified_context())
)


def _free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [found.getsockname()[1] for found in sockets]
    for found in sockets:
        found.close()
    return ports
