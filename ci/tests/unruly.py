"""An API server that fails its clients: every tenth call, and now and then the watches. For tests of controllers."""

from __future__ import annotations

import random
from collections.abc import Callable

from refkube.apimachinery import errors
from refkube.apimachinery.rest import Handle, Request, Response, Watch, WatchEvent


class Unruly:
    """Hands requests on to `handle`. Of ten calls one fails: the connection, the server, or only the answer."""

    def __init__(self, handle: Handle, chance: random.Random):
        self.every = 10  # 0: no call fails any more
        self._handle = handle
        self._chance = chance
        self._calls = 0
        self._watches: dict[_Breakable, None] = {}

    def __call__(self, request: Request) -> Response:
        self._calls += 1
        if self.every and self._calls % self.every == 0:
            how = self._chance.randrange(3)
            if how == 0:
                raise ConnectionResetError("broken")
            if how == 1:
                raise errors.internal_error("etcdserver: leader changed")
            if request.verb != "watch":
                self._handle(request)
            raise TimeoutError("the answer is lost")
        response = self._handle(request)
        if response.watch is not None:
            response.watch = watch = _Breakable(response.watch, self._watches)
            self._watches[watch] = None
        return response

    def break_watches(self) -> None:
        """Some of those under way end, and some are told that what they ask for is too old."""
        for watch in list(self._watches):
            if self._chance.random() < 0.3:
                watch.end(self._chance.random() < 0.3)


class _Breakable:
    def __init__(self, watch: Watch, known: dict[_Breakable, None]):
        self._watch, self._known = watch, known

    def start(self, deliver: Callable[[WatchEvent], None], closed: Callable[[], None]) -> None:
        self._deliver, self._closed = deliver, closed
        self._watch.start(deliver, self._over)

    def _over(self) -> None:
        self._known.pop(self, None)
        self._closed()

    def stop(self) -> None:
        self._known.pop(self, None)
        self._watch.stop()

    def end(self, expired: bool) -> None:
        self.stop()
        if expired:
            self._deliver(WatchEvent("ERROR", errors.expired("too old resource version").status))
        else:
            self._closed()
