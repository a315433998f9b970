"""How many may be more, and how many may be missing, while the old is replaced by the new.

Facts: pkg/controller/deployment/util (ResolveFenceposts), apimachinery/pkg/util/intstr.
"""

from __future__ import annotations


def scaled(value: int | str, total: int, round_up: bool) -> int:
    """A number, or a percentage of the total."""
    if isinstance(value, int):
        return value
    part = int(value.removesuffix("%")) * total
    return -(-part // 100) if round_up else part // 100


def fenceposts(max_surge: int | str | None, max_unavailable: int | str | None, desired: int) -> tuple[int, int]:
    """maxSurge and maxUnavailable as numbers. If both came to nought nothing could be replaced: one may be missing."""
    surge = scaled(max_surge or 0, desired, round_up=True)
    unavailable = scaled(max_unavailable or 0, desired, round_up=False)
    return (surge, unavailable) if surge or unavailable else (0, 1)
