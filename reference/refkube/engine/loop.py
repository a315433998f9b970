"""The one event loop: deterministic, on virtual or on real time.

Everything in refkube runs here as plain functions. Within one instant deliveries (`call_soon`) and due timers run
first, in order; reconciles (`call_idle`) run when the instant is quiet, so that ten changes of one object cost one
reconcile and not ten. Then a virtual clock jumps to the next timer, a real one is waited for. A seed permutes what
is ready, to find what depends on an order that nobody promised.

Other threads may call `post`, `stop` and nothing else. Sockets are served by a poller, or by an outer loop
that calls `drain`.
"""

from __future__ import annotations

import heapq
import random
import threading
from collections import deque
from collections.abc import Callable
from itertools import count
from time import monotonic
from typing import Any, Protocol

from refkube.engine.clock import Clock
from refkube.engine.trace import Trace

Callback = Callable[..., object]
Call = tuple[Callback, tuple[Any, ...]]

_TURN = 512  # calls between two looks at the clock
_REAL_TURN = 16  # the same on real time, where each call may take a while, as one that asks an API server
_EARLY = 1 / 8  # of the reconciles run before the instant is quiet when a seed permutes


class Poller(Protocol):
    """What a loop on real time waits with."""

    def poll(self, timeout: float | None) -> None:
        """Wait up to `timeout` real seconds (None: for ever) for work, post it, return early after `wake`."""
        ...

    def wake(self) -> None:
        """Make the present or the next `poll` return. Called from any thread."""
        ...


class Timer(list):
    """A call to come. Its own entry in the heap, as lists compare fastest: [time, order, loop, call, arguments]."""

    __slots__ = ()

    @property
    def when(self) -> float:
        return self[0]

    @property
    def pending(self) -> bool:
        return self[3] is not None

    def cancel(self) -> None:
        """Idempotent, and harmless after the call was made."""
        if self[3] is not None:
            self[3], self[4] = None, ()
            self[2]._forget_cancelled()


class Loop:
    """`seed` None keeps the order of arrival. `on_error(exc, what)` is told of an exception that leaves a callback, by
    default it is raised to whoever runs the loop; the loop can be run on in either case.

    `now()` is the time in seconds, `random` the only chance there is, `trace` the recorder.
    """

    def __init__(
        self,
        clock: Clock,
        seed: int | None = None,
        on_error: Callable[[BaseException, str], None] | None = None,
        poller: Poller | None = None,
    ):
        self.clock = clock
        self.now: Callable[[], float] = clock.now
        self.random = random.Random(seed or 0)
        self.trace = Trace(clock.now)
        self.on_error = on_error
        self.patience = 10_000_000  # calls in one virtual instant after which it will never be quiet
        self.poller: Poller = poller or _Waiter()
        self._chance = None if seed is None else random.Random(~seed)
        self._soon: deque[Call] = deque() if self._chance is None else _Permuted(self._chance)
        self._idle: deque[Call] = deque() if self._chance is None else _Permuted(self._chance)
        self._posted: deque[Call] = deque()
        self._timers: list[Timer] = []
        self._cancelled = 0
        self._sequence = count().__next__
        self._limit = _TURN if clock.skip_to(clock.now()) else _REAL_TURN
        self._running = False
        self._stopped = False

    # What to run, and when

    def call_soon(self, call: Callback, *args: Any) -> None:
        """Deliver in this instant."""
        self._soon.append((call, args))

    def call_idle(self, call: Callback, *args: Any) -> None:
        """Reconcile: in this instant, once nothing else is left to do in it."""
        if self._chance is not None and self._chance.random() < _EARLY:
            self._soon.append((call, args))
        else:
            self._idle.append((call, args))

    def call_at(self, when: float, call: Callback, *args: Any) -> Timer:
        """Timers of one time run in the order they were set in. A time that is past means this instant."""
        order = self._sequence()
        if self._chance is not None:
            order += self._chance.getrandbits(16) << 48
        timer = Timer((when, order, self, call, args))
        heapq.heappush(self._timers, timer)
        return timer

    def call_later(self, delay: float, call: Callback, *args: Any) -> Timer:
        return self.call_at(self.now() + delay, call, *args)

    def post(self, call: Callback, *args: Any) -> None:
        """Deliver soon; the only way in from another thread."""
        self._posted.append((call, args))
        self.poller.wake()

    # Running

    def run_until(self, predicate: Callable[[], object], timeout: float) -> bool:
        """Run until `predicate` holds in a quiet instant: True; or until `timeout` seconds have passed on the clock and
        everything due by then has run: False, and a virtual clock stands at the deadline exactly."""
        deadline = self.now() + timeout
        while True:
            self.settle()
            if predicate():
                return True
            if self.now() >= deadline:
                return False
            self._pass_time(deadline)

    def run_for(self, seconds: float) -> None:
        self.run_until(_never, seconds)

    def settle(self) -> None:
        """Run everything that is due in this instant. RuntimeError if a virtual instant never gets quiet."""
        began, turns = self.now(), 0
        while not self._turn():
            turns += 1
            if turns > self.patience // _TURN and self.now() == began:
                busy = ", ".join(sorted({_name(call) for call, _ in [*self._soon, *self._idle]})[:5])
                raise RuntimeError(f"this instant does not become quiet after {self.patience} calls; waiting: {busy}")

    def run_forever(self) -> None:
        """Until `stop`. A virtual clock is moved on as soon as an instant is quiet and no socket has work."""
        while not self._stopped:
            wait = self.drain()
            upcoming = self.next_due()
            if wait is None and upcoming is not None:
                self.poller.poll(0.0)
                if not self._posted:
                    self.clock.skip_to(upcoming)
            elif wait is None or wait > 0:
                self.poller.poll(wait)
        self._stopped = False

    def stop(self) -> None:
        """Let `run_forever` return. May be called from any thread."""
        self._stopped = True
        self.poller.wake()

    # For an outer loop, such as asyncio, that owns the thread

    def drain(self, max_seconds: float = 0.05) -> float | None:
        """Run what is due, for about `max_seconds` real seconds. Returns the real seconds until more is due: 0.0 if it
        is already, None if only a `post` or a moved clock can bring work."""
        end = monotonic() + max_seconds
        while not self._turn():
            if monotonic() >= end:
                return 0.0
        upcoming = self.next_due()
        return None if upcoming is None else self.clock.delay(upcoming)

    def next_due(self) -> float | None:
        """The time at which the next call is due; None if there is none."""
        if self._soon or self._idle or self._posted:
            return self.now()
        timers = self._timers
        while timers and not timers[0].pending:
            heapq.heappop(timers)
            self._cancelled -= 1
        return timers[0][0] if timers else None

    # Failures

    def failed(self, exc: Exception, what: str) -> None:
        """Tell of a mistake that must not stop the rest; `what` was going on. Raises it where there is no hook."""
        if self.on_error is None:
            raise exc
        self.on_error(exc, what)

    # Inside

    def _turn(self) -> bool:
        """Make some of this instant's calls; True once it is quiet."""
        if self._running:
            raise RuntimeError("the loop is running already: a callback must not run it")
        soon, posted, timers, idle, now = self._soon, self._posted, self._timers, self._idle, self.now()
        call: Callback | None = None
        self._running = True
        try:
            for _ in range(self._limit):
                if soon:
                    call, args = soon.popleft()
                elif posted:
                    call, args = posted.popleft()
                elif timers and timers[0][0] <= now:
                    timer = heapq.heappop(timers)
                    call, args = timer[3:]
                    if call is None:
                        self._cancelled -= 1
                        continue
                    timer[3] = None
                elif idle:
                    call, args = idle.popleft()
                else:
                    return True
                call(*args)
        except Exception as exc:
            self.failed(exc, _name(call))
        finally:
            self._running = False
        return False

    def _pass_time(self, deadline: float) -> None:
        """To the next timer or to the deadline, whichever comes first; on real time perhaps less far."""
        upcoming = self.next_due()
        until = deadline if upcoming is None else min(upcoming, deadline)
        if not self.clock.skip_to(until):
            self.poller.poll(self.clock.delay(until))

    def _forget_cancelled(self) -> None:
        """Keep cancelled timers from piling up: most are cancelled long before their time."""
        self._cancelled += 1
        if self._cancelled > 64 and self._cancelled > len(self._timers) // 2:
            self._timers[:] = [timer for timer in self._timers if timer.pending]
            heapq.heapify(self._timers)
            self._cancelled = 0


class _Permuted(deque):
    """A queue that gives what is ready in an order of chance; calls of one callable keep theirs, since a watch
    promises the order of its events."""

    def __init__(self, chance: random.Random):
        super().__init__()
        self._chance = chance
        self._lanes: dict[Callback, deque[Call]] = {}
        self._order: list[Callback] = []

    def append(self, item: Call) -> None:
        lane = self._lanes.get(item[0])
        if lane is None:
            self._lanes[item[0]] = deque([item])
            self._order.append(item[0])
        else:
            lane.append(item)

    def popleft(self) -> Call:
        order = self._order
        chosen = int(self._chance.random() * len(order))
        lane = self._lanes[order[chosen]]
        item = lane.popleft()
        if not lane:
            del self._lanes[order[chosen]]
            order[chosen] = order[-1]
            order.pop()
        return item

    def __bool__(self) -> bool:
        return bool(self._order)

    def __len__(self) -> int:
        return sum(map(len, self._lanes.values()))

    def __iter__(self) -> Any:
        return (item for lane in self._lanes.values() for item in lane)


class _Waiter:
    """The poller of a loop without sockets: waits for `post` only."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def poll(self, timeout: float | None) -> None:
        self._event.wait(timeout)
        self._event.clear()

    def wake(self) -> None:
        self._event.set()


def _never() -> bool:
    return False


def _name(call: Callback | None) -> str:
    return getattr(call, "__qualname__", None) or repr(call)
