"""Conversations and journeys as pictures: SVG that takes its colours from the page, and Mermaid text.

Called by the site and by the Markdown output. A picture's text is escaped; sizes are guessed from the number of
characters, as nothing here can measure a font.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from http import HTTPStatus
from itertools import groupby
from textwrap import wrap
from typing import Any

from gherkube.spec import Step

Line = Mapping[str, Any]
Crossing = Mapping[str, Any]

SERVER = "API server"
LANE, FIRST, ROW, HEAD, CHAR = 98, 262, 27, 56, 6.95
LATER = 1.0  # seconds that are worth a word


# Who said what


def sequence(lines: Sequence[Line], steps: Sequence[Step], title: str) -> str:
    """A sequence diagram; "" where nobody said anything."""
    if not lines:
        return ""
    lanes = _lanes(lines)
    xs = {lane: _x(number) for number, lane in enumerate(lanes)}
    rows = list(_rows(lines, steps))
    width = max([xs[lanes[-1]] + LANE // 2, *(_reach(row, xs) for row in rows)])
    height = HEAD + len(rows) * ROW + 16
    parts = [
        f'<svg class="sequence" role="img" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        f"<title>{escape(title)}</title>",
    ]
    for lane, x in xs.items():
        parts.append(f'<line class="life" x1="{x}" y1="{HEAD - 12}" x2="{x}" y2="{height - 6}"/>')
        parts.append(_head(lane, x))
    for number, row in enumerate(rows):
        parts += _drawn(row, HEAD + number * ROW, xs, width)
    return "".join([*parts, "</svg>"])


def mermaid(lines: Sequence[Line], steps: Sequence[Step]) -> str:
    """The same as text that a forge draws."""
    if not lines:
        return ""
    names = {lane: f"p{number}" for number, lane in enumerate(_lanes(lines))}
    told = ["sequenceDiagram"]
    told += [f"    participant {name} as {_mermaid(lane)}" for lane, name in names.items()]
    first, last = names[next(iter(names))], names[list(names)[-1]]
    for kind, row in _rows(lines, steps):
        if kind == "said":
            told.append(f"    {names[lane_of(row)]}->>{names[SERVER]}: {_mermaid(label(row))}")
        else:
            told.append(f"    Note over {first},{last}: {_mermaid(row)}")
    return "\n".join(told)


def lane_of(line: Line) -> str:
    """All kubelets share a lane."""
    return "kubelet" if line["who"].startswith("kubelet ") else line["who"]


def label(line: Line) -> str:
    """One request in words: "create pods web-1, web-2 (x3): Running"."""
    names = list(line["names"])
    shown = ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")
    told = f"{line['verb']} {line['what']} {shown}".rstrip()
    told += f" (x{line['times']})" if line["times"] > 1 else ""
    told += f": {line['note']}" if line["note"] else ""
    told += f", on {line['who'].partition(' ')[2]}" if line["who"].startswith("kubelet ") else ""
    if line["code"] >= 400:
        told += f" - {line['code']} {_phrase(line['code'])}"
    return told


def _lanes(lines: Sequence[Line]) -> list[str]:
    """People, the API server, then the components as they come."""
    spoke = list(dict.fromkeys(lane_of(line) for line in lines if lane_of(line) != "apiserver"))
    people = [lane for lane in spoke if _is_person(lane)]
    return [*people[:1], SERVER, *people[1:], *(lane for lane in spoke if lane not in people)]


def _is_person(lane: str) -> bool:
    from gherkube.docs.components import component_of

    return not component_of(lane)


def _rows(lines: Sequence[Line], steps: Sequence[Step]) -> Iterator[tuple[str, Any]]:
    """("step", text), ("later", text) and ("said", line), from top to bottom."""
    now = 0.0
    for number, of_step in groupby(lines, key=lambda line: line["step"]):
        if number < len(steps):
            yield "step", f"{steps[number].keyword} {steps[number].text}"
        for line in of_step:
            if line["at"] - now >= LATER:
                yield "later", f"{_span(line['at'] - now)} later"
            now = max(now, line["at"])
            yield "said", {**line, "who": SERVER if line["who"] == "apiserver" else line["who"]}


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _x(number: int) -> int:
    return 40 if number == 0 else 40 + FIRST + (number - 1) * LANE


def _head(lane: str, x: int) -> str:
    told = wrap(lane.replace("-controller", " controller").replace("-", " "), 14)
    top = HEAD - 16 - 12 * len(told)
    lines = "".join(
        f'<tspan x="{x}" y="{top + 12 * number}">{escape(text)}</tspan>' for number, text in enumerate(told, 1)
    )
    return f'<text class="who" text-anchor="middle">{lines}</text>'


def _reach(row: tuple[str, Any], xs: Mapping[str, int]) -> int:
    """How far to the right a row's text goes."""
    kind, told = row
    if kind != "said":
        return int(len(told) * CHAR) + 40
    return int(xs[SERVER] + 20 + len(label(told)) * CHAR) if _from_right(told, xs) else 0


def _from_right(line: Line, xs: Mapping[str, int]) -> bool:
    return xs.get(lane_of(line), 0) >= xs[SERVER]


def _drawn(row: tuple[str, Any], y: int, xs: Mapping[str, int], width: int) -> Iterator[str]:
    kind, told = row
    if kind == "step":
        yield f'<rect class="band" x="0" y="{y}" width="{width}" height="{ROW - 6}" rx="3"/>'
        yield f'<text class="step" x="8" y="{y + 15}">{escape(told)}</text>'
        return
    if kind == "later":
        yield f'<line class="later" x1="8" y1="{y + 10}" x2="{width - 8}" y2="{y + 10}"/>'
        yield f'<text class="time" x="16" y="{y + 14}">{escape(told)}</text>'
        return
    start, end, line = xs[lane_of(told)], xs[SERVER], y + 18
    bad = " bad" if told["code"] >= 400 else ""
    if start == end:
        yield f'<path class="arrow{bad}" d="M{end} {line - 8} h22 v8 h-14" fill="none"/>'
        yield f'<path class="tip{bad}" d="M{end + 2} {line} l8 -4 v8 z"/>'
        yield f'<text class="said{bad}" x="{end + 28}" y="{line - 3}">{escape(label(told))}</text>'
        return
    towards = 1 if end > start else -1
    yield f'<line class="arrow{bad}" x1="{start}" y1="{line}" x2="{end - 6 * towards}" y2="{line}"/>'
    yield f'<path class="tip{bad}" d="M{end} {line} l{-8 * towards} -4 v8 z"/>'
    yield f'<circle class="tip{bad}" cx="{start}" cy="{line}" r="3"/>'
    text = label(told)
    if towards > 0:
        text = _cut(text, int((end - start - 12) / CHAR))
        yield f'<text class="said{bad}" x="{start + 8}" y="{line - 5}">{escape(text)}</text>'
    else:
        yield f'<text class="said{bad}" x="{end + 12}" y="{line - 5}">{escape(text)}</text>'


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[: room - 1] + "…"


def _phrase(code: int) -> str:
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return ""


def _mermaid(text: str) -> str:
    """Without what ends a line there, or begins an entity or an element."""
    escaped = re.sub(r"[#;<>]", lambda found: f"#{ord(found[0])};", text)
    return " ".join(escaped.split())


# The way of a packet

# Ten devices, the way through a tunnel, fit a desktop's page.
BOX, GAP, BOX_HEIGHT = 84, 16, 30
NOTE, NOTE_CHARS = 12, 16  # the height of a line under a device, and what fits into it


def journey(told: Mapping[str, Any]) -> str:
    """The way of a packet through hosts and devices, there and back."""
    ways = [(name, told[key]) for name, key in (("there", "there"), ("and back", "back")) if told[key]]
    if not ways:
        return ""
    width = max(len(way) for _, way in ways) * (BOX + GAP) + 20
    tall = 62 + BOX_HEIGHT + NOTE * max(len(_notes(one, before)) for _, way in ways for before, one in _steps(way))
    height = tall * len(ways)
    title = f"From {told['origin']} to {told['target']}: {told['outcome']}"
    parts = [f'<svg class="journey" role="img" viewBox="0 0 {width} {height}" width="{width}" height="{height}">']
    parts.append(f"<title>{escape(title)}</title>")
    for number, (name, way) in enumerate(ways):
        parts += _way(name, way, tall * number, tall)
    return "".join([*parts, "</svg>"])


def in_words(told: Mapping[str, Any]) -> str:
    """A journey as a line of text: "n1: eth0 > docker0 | n2: docker0"."""
    hosts = groupby(told["there"], key=lambda crossing: crossing["host"])
    return " | ".join(f"{host}: {' > '.join(one['device'] for one in crossed)}" for host, crossed in hosts)


def _way(name: str, way: Sequence[Crossing], top: int, tall: int) -> Iterator[str]:
    yield f'<text class="step" x="8" y="{top + 16}">{escape(name)}</text>'
    number = 0
    for host, of_host in groupby(way, key=lambda crossing: crossing["host"]):
        count = len(list(of_host))
        left, wide = 10 + number * (BOX + GAP), count * (BOX + GAP) - 4
        yield f'<rect class="host" x="{left}" y="{top + 22}" width="{wide}" height="{tall - 28}" rx="6"/>'
        yield f'<text class="who" x="{left + 6}" y="{top + 37}">{escape(host)}</text>'
        number += count
    for number, (before, crossing) in enumerate(_steps(way)):
        yield from _crossing(crossing, before, 16 + number * (BOX + GAP), top + 44)


def _steps(way: Sequence[Crossing]) -> Iterator[tuple[Crossing | None, Crossing]]:
    """Each crossing with the one before it."""
    return zip([None, *way], way, strict=False)


def _crossing(crossing: Crossing, before: Crossing | None, x: int, y: int) -> Iterator[str]:
    middle = y + BOX_HEIGHT // 2
    if before is not None:
        yield f'<line class="arrow" x1="{x - GAP}" y1="{middle}" x2="{x - 6}" y2="{middle}"/>'
        yield f'<path class="tip" d="M{x} {middle} l-8 -4 v8 z"/>'
    yield f'<rect class="device" x="{x}" y="{y}" width="{BOX}" height="{BOX_HEIGHT}" rx="4"/>'
    centre = f'text-anchor="middle" x="{x + BOX // 2}" y="{middle + 4}"'
    yield f'<text class="said" {centre}>{escape(crossing["device"])}</text>'
    for row, (mark, text) in enumerate(_notes(crossing, before)):
        yield f'<text class="end{mark}" x="{x}" y="{y + BOX_HEIGHT + 14 + NOTE * row}">{escape(text)}</text>'


def _notes(crossing: Crossing, before: Crossing | None) -> list[tuple[str, str]]:
    """What stands under a device: the addresses where they begin or change, and what is around the packet."""
    notes: list[tuple[str, str]] = []
    for key, word in (("source", "from"), ("destination", "to")):
        if before is None or before[key] != crossing[key]:
            notes += [(" changed" if before is not None else "", line) for line in _lines(f"{word} {crossing[key]}")]
    for outer in crossing["outer"]:
        notes += [(" outer", line) for line in _lines(f"in {outer}")]
    return notes


def _lines(text: str) -> list[str]:
    return wrap(re.sub(r"(\d{1,3}(?:\.\d{1,3}){3})(:\d+)", r"\1 \2", text), NOTE_CHARS, break_on_hyphens=False)
