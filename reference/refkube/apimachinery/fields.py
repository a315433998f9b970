"""Field selectors: "status.phase=Running,spec.nodeName!=n1".

Which fields a kind can be selected by is the registry's matter. Facts: apimachinery/pkg/fields/selector.go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple


class FieldRequirement(NamedTuple):
    """`operator` is "=" or "!="."""

    field: str
    operator: str
    value: str


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """All of its requirements must hold; without any it selects everything."""

    requirements: tuple[FieldRequirement, ...] = ()

    @property
    def empty(self) -> bool:
        return not self.requirements

    def matches(self, fields: Mapping[str, str]) -> bool:
        """`fields` are an object's selectable fields; one that is missing counts as ""."""
        return all((fields.get(r.field, "") == r.value) == (r.operator == "=") for r in self.requirements)

    def exact_match(self, field: str) -> str | None:
        """The one value that the field must have to be selected, if there is one."""
        return next((r.value for r in self.requirements if r.field == field and r.operator == "="), None)

    def __str__(self) -> str:
        return ",".join(f"{r.field}{r.operator}{escape(r.value)}" for r in self.requirements)


@lru_cache(maxsize=4096)
def parse_field_selector(text: str) -> FieldSelector:
    """ValueError with upstream's message. In values a backslash stands before ``\\``, ``,`` and ``=``."""
    found = []
    for term in sorted(re.findall(r"(?:\\.|[^,\\]|\\$)+", text, re.DOTALL)):
        split = re.match(r"(.*?)(!=|==|=)(.*)", term, re.DOTALL)
        if not split:
            raise ValueError(f"invalid selector: '{text}'; can't understand '{term}'")
        field, operator, value = split.groups()
        if field or value:
            found.append(FieldRequirement(field, operator.replace("==", "="), _unescape(value)))
    return FieldSelector(tuple(found))


def escape(value: str) -> str:
    return re.sub(r"([\\,=])", r"\\\1", value)


def _unescape(value: str) -> str:
    parts = re.findall(r"\\.?|[^\\]", value, re.DOTALL)
    for part in parts:
        if part[0] == "\\" and part not in ("\\\\", "\\,", "\\="):
            raise ValueError(f"invalid field selector: invalid escape sequence: {part}")
        if part in (",", "="):
            raise ValueError(f"invalid field selector: unescaped character in value: {ord(part)}")
    return "".join(part[-1] for part in parts)
