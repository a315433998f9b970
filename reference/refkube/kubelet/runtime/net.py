"""A Pod's network as one process has it: its sockets go with it, and one that hangs answers nobody.

`Process.net` gives it to programs in the place of the namespace, of which it has what programs use: sockets. What
reaches one that hangs is taken by the kernel, as far as there is room; so connections open, and nothing comes of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from refkube.hostnet import Closable, Datagrams, Endpoint, Listener, Namespace, Stream


class Net:
    """`hangs` tells whether the process does."""

    def __init__(self, net: Namespace, hangs: Callable[[], bool]):
        self._net = net
        self.hangs = hangs
        self.open: set[Socket] = set()

    def listen(self, local: Endpoint, accepted: Callable[[Stream], object]) -> Listener:
        return self._net.listen(local, self._taken(accepted))

    def connect(
        self,
        remote: Endpoint,
        opened: Callable[[Stream], object],
        failed: Callable[[str], object],
        timeout: float = 127.0,
        source: Endpoint | None = None,
    ) -> Closable:
        return self._net.connect(remote, self._taken(opened), self.while_well(failed), timeout, source)

    def bind(
        self,
        local: Endpoint,
        received: Callable[[bytes, Endpoint], object],
        remote: Endpoint | None = None,
        refused: Callable[[], object] | None = None,
    ) -> Datagrams:
        return self._net.bind(local, self.while_well(received), remote, refused and self.while_well(refused))

    def ping(
        self, address: str, answered: Callable[[], object], failed: Callable[[str], object], timeout: float = 1.0
    ) -> None:
        self._net.ping(address, self.while_well(answered), self.while_well(failed), timeout)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._net, name)

    def close(self) -> None:
        """The process has ended: with a reset where somebody has not been heard."""
        for socket in list(self.open):
            socket.abort() if self.hangs() else socket.close()

    def while_well(self, call: Callable[..., object]) -> Callable[..., object]:
        return lambda *told: None if self.hangs() else call(*told)

    def _taken(self, opened: Callable[[Stream], object]) -> Callable[[Stream], object]:
        def taken(stream: Stream) -> None:
            socket = Socket(stream, self)
            self.open.add(socket)
            if not self.hangs():
                opened(socket)

        return taken


class Socket:
    """A `hostnet.Stream` of a process."""

    def __init__(self, stream: Stream, net: Net):
        self._stream, self._net = stream, net
        self.local, self.remote = stream.local, stream.remote
        self.send = stream.send

    @property
    def received(self) -> Callable[[bytes], object]:
        return self._stream.received

    @received.setter
    def received(self, call: Callable[[bytes], object]) -> None:
        self._stream.received = self._net.while_well(call)

    @property
    def closed(self) -> Callable[[str], object]:
        return self._stream.closed

    @closed.setter
    def closed(self, call: Callable[[str], object]) -> None:
        self._stream.closed = self._net.while_well(call)

    def close(self) -> None:
        self._net.open.discard(self)
        self._stream.close()

    def abort(self) -> None:
        self._net.open.discard(self)
        self._stream.abort()
