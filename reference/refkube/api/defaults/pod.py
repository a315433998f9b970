"""Defaults of Pods."""

from __future__ import annotations

from collections.abc import Callable

from refkube.apimachinery.meta import Object

DEFAULTS: dict[tuple[str, str], Callable[[Object], Object]] = {}
