"""What a loop on real time waits with when it has sockets: whoever is ready is called on the loop."""

from __future__ import annotations

import os
import selectors
from collections.abc import Callable
from typing import Any

from refkube.engine.clock import WaitingClock
from refkube.hostnet import NetError

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class SocketPoller:
    """`post` is the loop's, to be set when there is a loop. A `clock` that runs while one waits is told."""

    def __init__(self, clock: WaitingClock | None = None) -> None:
        self.post: Callable[..., None] = _nowhere
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self._woken, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._selector.register(self._woken, READ, None)
        self._polling = False
        self._first: dict[Callable[[], object], None] = {}

    def do_first(self, call: Callable[[], object]) -> None:
        """Call it, once, before time passes or anything new is sent."""
        self._first[call] = None

    def catch_up(self) -> None:
        while self._first:
            call = next(iter(self._first))
            del self._first[call]
            try:
                call()
            except NetError as why:
                self.post(_refuse, why)

    def watch(self, fd: int, events: int, ready: Callable[[int], object]) -> None:
        """Call `ready(events)` whenever the descriptor is ready for one of `events`, until it is forgotten."""
        if fd in self._selector.get_map():
            self._selector.modify(fd, events, ready)
        else:
            self._selector.register(fd, events, ready)

    def forget(self, fd: int) -> None:
        """Idempotent. To be called before the descriptor is closed."""
        if fd in self._selector.get_map():
            self._selector.unregister(fd)

    def poll(self, timeout: float | None) -> None:
        self.catch_up()
        self._polling = True
        try:
            select = self._selector.select
            for key, events in self._clock.wait(select, timeout) if self._clock else select(timeout):
                if key.data is None:
                    os.read(self._woken, 4096)
                else:
                    self.post(self._call, key.fd, key.data, events)
        finally:
            self._polling = False

    def wake(self) -> None:
        if not self._polling or self.post is _nowhere:
            self._ring()

    def _ring(self) -> None:
        try:
            os.write(self._wake, b"\0")
        except BlockingIOError:
            pass  # it rings already

    def _call(self, fd: int, ready: Callable[[int], object], events: int) -> None:
        """Unless somebody has lost interest since."""
        held: Any = self._selector.get_map().get(fd)
        if held is not None and held.data == ready:
            ready(events)


def _refuse(why: NetError) -> None:
    raise why


def _nowhere(*call: object) -> None:
    raise RuntimeError("the poller has no loop")
