"""Time: the clocks a loop may run on, and Kubernetes' timestamps.

Times are float seconds since 1970 (UTC), durations float seconds. Called by the loop and by whoever writes or reads a
timestamp. Time zones other than UTC are read, never written.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol, TypeVar

T = TypeVar("T")

NEW_YEAR_2026 = 1767225600.0

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)


class Clock(Protocol):
    """What the loop asks of time. `now` never goes back."""

    def now(self) -> float: ...

    def skip_to(self, when: float) -> bool:
        """Make it `when` at once; False if this clock cannot and must be waited for."""
        ...

    def delay(self, when: float) -> float | None:
        """Real seconds until it is `when` (0.0 if it is past); None if waiting does not help."""
        ...


class VirtualClock:
    """Stands still until somebody moves it."""

    def __init__(self, start: float = NEW_YEAR_2026):
        self._now = start

    def now(self) -> float:
        return self._now

    def skip_to(self, when: float) -> bool:
        if when > self._now:
            self._now = when
        return True

    def delay(self, when: float) -> float | None:
        return 0.0 if when <= self._now else None


class WallClock:
    """Runs with the computer's, `speed` times as fast, from `start` (default: the present). Steps of the system's
    time do not disturb it."""

    def __init__(self, speed: float = 1.0, start: float | None = None):
        if not speed > 0:
            raise ValueError(f"the speed of a clock must be positive: {speed}")
        self.speed = speed
        self.set(time.time() if start is None else start)

    def set(self, now: float) -> None:
        """Make it this time. It may go back: only before anybody has asked."""
        self._start, self._origin = now, time.monotonic()

    def now(self) -> float:
        return self._start + (time.monotonic() - self._origin) * self.speed

    def skip_to(self, when: float) -> bool:
        return False

    def delay(self, when: float) -> float | None:
        return max(0.0, (when - self.now()) / self.speed)


class WaitingClock:
    """Runs, `speed` times as fast as the computer's, only while the loop waits: whatever the loop itself does takes no
    time, however slow the machine is. Whoever waits for the loop says so by `wait`."""

    def __init__(self, speed: float = 1.0, start: float = NEW_YEAR_2026):
        self.speed = speed
        self._now = start

    def now(self) -> float:
        return self._now

    def skip_to(self, when: float) -> bool:
        return False

    def delay(self, when: float) -> float | None:
        return max(0.0, (when - self._now) / self.speed)

    def wait(self, wait: Callable[[float | None], T], timeout: float | None) -> T:
        """Call `wait(timeout)`; the time that it takes, up to `timeout`, passes."""
        began = time.monotonic()
        try:
            return wait(timeout)
        finally:
            spent = time.monotonic() - began
            self._now += (spent if timeout is None else min(spent, timeout)) * self.speed


def rfc3339(when: float) -> str:
    """metav1.Time: "2026-01-01T00:00:00Z", whole seconds, cut off and not rounded."""
    return _second(int(when // 1))


def rfc3339_micro(when: float) -> str:
    """metav1.MicroTime: "2026-01-01T00:00:00.000000Z". Rounded, as a float seldom holds a whole microsecond."""
    seconds, micros = divmod(round(when * 1e6), 1_000_000)
    return f"{_second(seconds)[:-1]}.{micros:06d}Z"


@lru_cache(maxsize=4096)
def parse_rfc3339(text: str) -> float:
    """Seconds since 1970. ValueError where Go's time.Parse(time.RFC3339) refuses too."""
    if not _RFC3339.fullmatch(text):
        raise ValueError(f"not an RFC 3339 time: {text!r}")
    return datetime.fromisoformat(text).timestamp()


@lru_cache(maxsize=256)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")
