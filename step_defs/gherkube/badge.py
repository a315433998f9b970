"""The verdict of a report as a small picture for somebody's README. Called by `gherkube badge`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

COLOURS = {"conformant": "#1a7f37", "not conformant": "#b42318", "no verdict": "#6a5300"}
WIDTH = 6.6  # of a character of Verdana 11, about


def badge(report: Mapping[str, Any]) -> str:
    """An SVG of about 200 x 20."""
    profiles = [one["name"] for one in report["profiles"] if one["core"]["result"] == "success"]
    code = report["verdict"]["exitCode"]
    verdict = {0: "conformant", 1: "not conformant"}.get(code, "no verdict")
    told = f"{verdict}: {', '.join(profiles)}" if verdict == "conformant" and len(profiles) <= 4 else verdict
    if verdict == "conformant" and len(profiles) > 4:
        told = f"{verdict}: {len(profiles)} profiles"
    label = f"Kubernetes {report['spec']['release']}"
    left, right = (round(len(text) * WIDTH + 12) for text in (label, told))
    title = escape(f"{label}: {told}, by gherkube {report['suite']['version']}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" aria-label="{title}">'
        f"<title>{title}</title>"
        f'<clipPath id="r"><rect width="{left + right}" height="20" rx="3"/></clipPath>'
        f'<g clip-path="url(#r)"><rect width="{left}" height="20" fill="#444"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{COLOURS[verdict]}"/></g>'
        f'<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">'
        f'<text x="{left / 2}" y="14" textLength="{left - 12}">{escape(label)}</text>'
        f'<text x="{left + right / 2}" y="14" textLength="{right - 12}">{escape(told)}</text></g></svg>\n'
    )
