"""One machine's way to its API server, which may be cut: then nothing is answered, and what was watched breaks off.

A `rest.Handle` around another one, for the components of a node; the cluster, which knows the wires, cuts and mends it.
"""

from __future__ import annotations

from collections.abc import Callable

from refkube.apimachinery.rest import Handle, Request, Response, Watch, WatchEvent


class Uplink:
    def __init__(self, handle: Handle):
        self._handle = handle
        self._watches: set[_Watch] = set()
        self.is_cut = False

    def __call__(self, request: Request) -> Response:
        if self.is_cut:
            raise TimeoutError(f"{request.verb} {request.resource}: the API server does not answer")
        answer = self._handle(request)
        if answer.watch is not None:
            answer.watch = _Watch(answer.watch, self._watches)
        return answer

    def cut(self) -> None:
        self.is_cut = True
        for watch in list(self._watches):
            watch.break_off()

    def mend(self) -> None:
        self.is_cut = False


class _Watch:
    """One of those that go over the uplink, from its start to its end."""

    def __init__(self, watch: Watch, open: set[_Watch]):
        self._watch = watch
        self._open = open
        self._closed: Callable[[], None] = _nobody

    def start(self, deliver: Callable[[WatchEvent], None], closed: Callable[[], None]) -> None:
        self._closed = closed
        self._open.add(self)
        self._watch.start(deliver, self._ended)

    def stop(self) -> None:
        self._open.discard(self)
        self._watch.stop()

    def break_off(self) -> None:
        self.stop()
        self._closed()

    def _ended(self) -> None:
        self._open.discard(self)
        self._closed()


def _nobody() -> None:
    pass
