"""The bridge between asyncio and the event loop: one thread runs both.

asyncio waits for sockets and time, and gives the loop a turn whenever it has something due; so a request is answered
by a plain call, without threads and locks. Made by `server`, given to the loop as its poller.
"""

from __future__ import annotations

import asyncio

from refkube.engine.loop import Loop

TURN = 0.02  # real seconds that the loop may keep the sockets waiting


class Pump:
    """A poller (`engine.loop.Poller`) for a loop that asyncio drives."""

    def __init__(self, loop: Loop):
        self._loop = loop
        self._asyncio = asyncio.get_running_loop()
        self._next: asyncio.Handle | None = None
        self._due = 0.0  # when `_next` comes, in asyncio's time
        loop.poller = self

    def poll(self, timeout: float | None) -> None:
        raise RuntimeError("the loop is driven by asyncio: nothing may wait in it")

    def wake(self) -> None:
        """Run the loop soon. May be called from any thread."""
        self._asyncio.call_soon_threadsafe(self.kick)

    def kick(self) -> None:
        """Run the loop soon, if there is anything to run; called after each request."""
        upcoming = self._loop.next_due()
        if upcoming is not None:
            self._schedule(self._loop.clock.delay(upcoming) or 0.0)

    def close(self) -> None:
        if self._next is not None:
            self._next.cancel()

    def _schedule(self, wait: float) -> None:
        due = self._asyncio.time() + wait
        if self._next is not None:
            if self._due <= due:
                return
            self._next.cancel()
        self._due = due
        self._next = self._asyncio.call_soon(self._turn) if wait <= 0 else self._asyncio.call_later(wait, self._turn)

    def _turn(self) -> None:
        self._next = None
        wait = self._loop.drain(TURN)
        if wait is not None:
            self._schedule(wait)
