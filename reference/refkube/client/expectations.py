"""What a controller has asked for and not yet seen in its cache, so that it does not ask twice.

pkg/controller/controller_utils.go: a key is reconciled only when its expectations are met or have expired, which saves
controllers from acting on a cache that is behind their own writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

TIMEOUT = 300.0  # seconds; upstream's ExpectationsTimeout


class _Expected:
    __slots__ = ("creations", "deletions", "since", "uids")

    def __init__(self, creations: int, deletions: int, since: float):
        self.creations = creations
        self.deletions = deletions
        self.since = since
        self.uids: set[str] = set()


class Expectations:
    """`now` is the loop's. Deletions are told by UID where the UIDs were given, so that one event seen twice counts
    once (upstream's UIDTrackingControllerExpectations)."""

    def __init__(self, now: Callable[[], float]):
        self._now = now
        self._expected: dict[str, _Expected] = {}

    def satisfied(self, key: str) -> bool:
        """True if nothing is outstanding, was never expected, or is expected for more than five minutes."""
        expected = self._expected.get(key)
        if expected is None or (expected.creations <= 0 and expected.deletions <= 0):
            return True
        return self._now() - expected.since > TIMEOUT

    def expires_in(self, key: str) -> float:
        """Seconds after which what is outstanding is no longer waited for."""
        expected = self._expected.get(key)
        return 0.0 if expected is None else max(0.0, expected.since + TIMEOUT - self._now()) + 1.0

    def outstanding(self, key: str) -> tuple[int, int]:
        """Creations and deletions."""
        expected = self._expected.get(key)
        return (expected.creations, expected.deletions) if expected else (0, 0)

    def expect(self, key: str, creations: int = 0, deletions: int = 0) -> None:
        """Replaces what was expected before."""
        self._expected[key] = _Expected(creations, deletions, self._now())

    def expect_deletions(self, key: str, uids: Iterable[str]) -> None:
        expected = self._expected[key] = _Expected(0, 0, self._now())
        expected.uids.update(uids)
        expected.deletions = len(expected.uids)

    def raise_by(self, key: str, creations: int = 0, deletions: int = 0) -> None:
        """Expect more of what is expected already."""
        self.lower_by(key, -creations, -deletions)

    def lower_by(self, key: str, creations: int = 0, deletions: int = 0) -> None:
        """Expect less: what was asked for failed, or will not be asked for."""
        expected = self._expected.get(key)
        if expected is not None:
            expected.creations -= creations
            expected.deletions -= deletions

    def creation_observed(self, key: str) -> None:
        self.lower_by(key, creations=1)

    def deletion_observed(self, key: str, uid: str = "") -> None:
        """Without a UID it counts for any; with one only if that is still expected to go."""
        expected = self._expected.get(key)
        if expected is None or (uid and uid not in expected.uids):
            return
        expected.uids.discard(uid)
        expected.deletions -= 1

    def forget(self, key: str) -> None:
        self._expected.pop(key, None)
