"""An Ethernet segment that processes of one machine share: each frame is a datagram to the others.

A directory tells who is on it: a file for each process, named by the port that it listens on. `refkube kubelet --lan`
makes it. Where the others are is learned from their frames, as a switch does.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

LONGEST = 65535
BUFFER = 1 << 22  # bytes, as far as the system lets it
WHERE = "127.0.0.1"


class Segment:
    def __init__(self, directory: Path):
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        self._socket.bind((WHERE, 0))
        self._own = str(self._socket.getsockname()[1])
        self._learned: dict[bytes, int] = {}

    def open(self, arrived: Callable[[bytes], object]) -> None:
        """On the running asyncio loop."""
        asyncio.get_running_loop().add_reader(self._socket, self._read, arrived)
        (self._directory / self._own).touch()

    def send(self, frame: bytes) -> None:
        """What cannot be sent is lost, as on any wire."""
        known = self._learned.get(frame[:6])
        for port in (known,) if known is not None else self._others():
            with suppress(OSError):
                self._socket.sendto(frame, (WHERE, port))

    def close(self) -> None:
        (self._directory / self._own).unlink(missing_ok=True)
        self._socket.close()

    def _others(self) -> list[int]:
        return [int(file.name) for file in self._directory.iterdir() if file.name.isdigit() and file.name != self._own]

    def _read(self, arrived: Callable[[bytes], object]) -> None:
        with suppress(OSError):
            while True:
                frame, (_, port) = self._socket.recvfrom(LONGEST)
                self._learned[frame[6:12]] = port
                arrived(frame)
