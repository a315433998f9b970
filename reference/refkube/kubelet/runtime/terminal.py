"""A terminal between a user's keys and a container's processes: echo, lines, and the keys that are signals.

`kubelet.server` makes one for a command with a terminal, `container` for a container with one. Source: termios(3),
canonical mode. Left out: raw mode, window sizes.
"""

from __future__ import annotations

from collections.abc import Callable

from refkube.kubelet.runtime.process import SIGINT, SIGQUIT, Container, Pipe, Write

SIGNALS = {0x03: (SIGINT, b"^C"), 0x1C: (SIGQUIT, b"^\\")}
END, KILL, ERASE = 0x04, 0x15, (0x08, 0x7F)


class Terminal:
    """What is typed goes to `stdin` line by line, what is written to `screen`."""

    def __init__(self, container: Callable[[], Container], stdin: Pipe, screen: Write):
        self.stdin = stdin
        self._container = container
        self._screen = screen
        self._line = bytearray()

    def write(self, data: bytes) -> None:
        self._screen(data.replace(b"\n", b"\r\n"))

    def typed(self, data: bytes | None) -> None:
        """None: nobody types any more."""
        if data is None:
            self.stdin.close()
        for byte in (data or b"").replace(b"\r", b"\n"):
            self._key(byte)

    def _key(self, byte: int) -> None:
        if byte in SIGNALS:
            number, echo = SIGNALS[byte]
            self._line.clear()
            self._screen(echo)
            self._signal(number)
        elif byte in ERASE or byte == KILL:
            gone = len(self._line) if byte == KILL else min(1, len(self._line))
            del self._line[len(self._line) - gone :]
            self._screen(b"\b \b" * gone)
        elif byte == END:
            self._pass_on() if self._line else self.stdin.end()
        else:
            self._line.append(byte)
            self.write(bytes([byte]))
            if byte == ord("\n"):
                self._pass_on()

    def _pass_on(self) -> None:
        self.stdin.write(bytes(self._line))
        self._line.clear()

    def _signal(self, number: int) -> None:
        for process in list(self._container().processes):
            if process.terminal is self:
                process.signal(number)
