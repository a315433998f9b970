"""Unique names without chance: a seed gives the same UIDs and generated names in every run.

Called by the API server for metadata.uid and metadata.generateName, and by the components that name things.
"""

from __future__ import annotations

import random

# Without vowels and their look-alikes, so that no words appear (apimachinery/pkg/util/rand).
ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


class Ids:
    """`seed` is anything that names a run; None draws one from the system."""

    def __init__(self, seed: int | str | None = 0):
        self._random = random.Random(seed)

    def uid(self) -> str:
        """A UUID of version 4 (RFC 9562)."""
        bits = self._random.getrandbits(128) & ~(0xF000_C000 << 48 | 0xF << 76) | 0x4 << 76 | 0x2 << 62
        text = f"{bits:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def suffix(self, length: int = 5) -> str:
        """The end of a generated name (apiserver/pkg/storage/names: five letters)."""
        return "".join(self._random.choices(ALPHABET, k=length))

    def below(self, limit: int) -> int:
        """A number from 0 to limit - 1: which of the free addresses or ports is given out."""
        return self._random.randrange(limit)
