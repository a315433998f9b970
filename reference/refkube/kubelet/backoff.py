"""How long to wait before something is tried again: doubled from failure to failure, and forgotten after a good time.

Of containers that exit and of images that cannot be pulled. Source: client-go/util/flowcontrol/backoff.go.
"""

from __future__ import annotations

from collections.abc import Callable

FIRST, LONGEST = 10.0, 300.0


class Backoff:
    def __init__(self, now: Callable[[], float]):
        self._now = now
        self._entries: dict[object, tuple[float, float]] = {}  # key: how long, since when

    def left(self, key: object, since: float) -> float:
        """Seconds still to wait, of those that began at `since`; 0 if it may be tried."""
        delay = self.of(key, since)
        return max(0.0, since + delay - self._now()) if delay else 0.0

    def of(self, key: object, since: float) -> float:
        """How long the wait is that began at `since`; 0 if there is none."""
        delay, last = self._entries.get(key, (0.0, 0.0))
        return 0.0 if since - last > 2 * LONGEST else delay

    def next(self, key: object, since: float) -> None:
        """It is tried now: the next wait is twice as long."""
        known = self.of(key, since)
        self._entries[key] = (min(known * 2, LONGEST) if known else FIRST, self._now())

    def since_last(self, key: object) -> float:
        return self._entries.get(key, (0.0, 0.0))[1]

    def forget(self, uid: str) -> None:
        for key in [key for key in self._entries if isinstance(key, tuple) and key[0] == uid]:
            del self._entries[key]


def shown(seconds: float) -> str:
    """As Go writes a duration: 10s, 1m20s."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
