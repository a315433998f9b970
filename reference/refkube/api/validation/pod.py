"""Validation of Pods."""

from __future__ import annotations

from refkube.api.validation.objectmeta import Rules

RULES: dict[tuple[str, str], Rules] = {}
