"""Short names for contents: the same for the same template in every run.

Facts: pkg/controller (ComputeHash), apimachinery/pkg/util/rand (SafeEncodeString).
"""

from __future__ import annotations

from hashlib import sha256

import orjson

from refkube.apimachinery.meta import Object

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def content_hash(content: Object, collisions: int | None = None) -> str:
    """Up to ten letters that may stand in names and labels; another count of collisions gives others. Upstream hashes
    a dump of Go's memory, so that its letters cannot be had from outside."""
    data = orjson.dumps([content, collisions] if collisions else content, option=orjson.OPT_SORT_KEYS)
    number = int.from_bytes(sha256(data).digest()[:4], "big")
    return "".join(_ALPHABET[ord(digit) % len(_ALPHABET)] for digit in str(number))
