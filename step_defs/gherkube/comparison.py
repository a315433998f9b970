"""Two reports, held against each other: what got worse, what got better, what is new, what is gone.

Called by `gherkube diff`. Exit codes: 0 nothing got worse; 1 what passed no longer does; 2 nothing broke, but less
was judged than before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gherkube.outcome import ExitCode

BROKEN = ("failed", "errored", "undefined", "flaky")
UNJUDGED = ("unsupported", "skipped")


@dataclass
class Difference:
    """Cases by what became of them: (id, before, after, title); before or after is "" where it is not there."""

    regressions: list[tuple[str, str, str, str]] = field(default_factory=list)
    fixes: list[tuple[str, str, str, str]] = field(default_factory=list)
    unjudged: list[tuple[str, str, str, str]] = field(default_factory=list)
    changed: list[tuple[str, str, str, str]] = field(default_factory=list)
    new: list[tuple[str, str, str, str]] = field(default_factory=list)
    gone: list[tuple[str, str, str, str]] = field(default_factory=list)
    same: int = 0
    manifest_changed: bool = False

    @property
    def exit_code(self) -> ExitCode:
        if self.regressions:
            return ExitCode.FAILED
        return ExitCode.PARTIAL if self.unjudged or self.gone else ExitCode.CONFORMANT


GROUPS = {
    "regressions": "passed before, does not now",
    "fixes": "did not pass before, does now",
    "unjudged": "passed before, was not judged now",
    "changed": "still does not pass, for another reason",
    "new": "was not there before",
    "gone": "was there before",
}


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> Difference:
    """Of two reports that are valid."""
    olds = {case["id"]: case for case in before["scenarios"]}
    news = {case["id"]: case for case in after["scenarios"]}
    found = Difference(manifest_changed=_manifest(before) != _manifest(after))
    for id in [*olds, *(id for id in news if id not in olds)]:
        old, new = olds.get(id), news.get(id)
        was, now = old["outcome"] if old else "", new["outcome"] if new else ""
        if was == now:
            found.same += 1
        else:
            _group(found, was, now).append((id, was, now, (new or old or {})["title"]))
    return found


def _group(found: Difference, was: str, now: str) -> list[tuple[str, str, str, str]]:
    if not was:
        return found.new
    if not now:
        return found.gone
    if now == "passed":
        return found.fixes
    if was == "passed":
        return found.regressions if now in BROKEN else found.unjudged
    return found.changed


def written(found: Difference) -> str:
    lines = []
    for group, meaning in GROUPS.items():
        cases = getattr(found, group)
        if cases:
            lines.append(f"{group} ({meaning}): {len(cases)}")
            lines += [
                f"  {id:<24} {' -> '.join(filter(None, (was, now))):<22} {title}" for id, was, now, title in cases
            ]
    if found.manifest_changed:
        lines.append("the two were held against different versions of the features")
    lines.append(f"{found.same} as before")
    return "\n".join(lines) + "\n"


def _manifest(report: Mapping[str, Any]) -> str:
    return str(report["suite"]["manifest"]["digest"])
