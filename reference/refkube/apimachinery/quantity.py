"""Quantities: exact numbers with the suffixes of the Kubernetes API ("500m", "1.5Gi", "12e6").

A quantity is an integer times a power of ten; nothing passes through a float. The form a user wrote it in
(decimal suffix, binary suffix, exponent) is kept when it is printed. Used by the decoder, validation, the
scheduler and quota. Facts: apimachinery/pkg/api/resource (quantity.go, suffix.go, amount.go).

Two deviations, both where upstream loses the number: what upstream prints without its suffix (10^21 as "1") is
printed whole ("1000E"), and what has more than a thousand digits, or does not fit an int64 where one is asked
for, becomes the largest int64, as upstream's documentation promises.
"""

from __future__ import annotations

import re
from functools import lru_cache, total_ordering

DECIMAL_SI, BINARY_SI, DECIMAL_EXPONENT = "DecimalSI", "BinarySI", "DecimalExponent"
MAX_INT64 = 2**63 - 1

FORMAT_WRONG = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
SUFFIX_WRONG = "unable to parse quantity's suffix"

_GRAMMAR = re.compile(r"([+-]?)0*([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_NAMES = {exponent: name for name, exponent in _DECIMAL.items()}
_BINARY_NAMES = ["", *_BINARY]
_MOST_DIGITS = 1000
_NANO = -9


@total_ordering
class Quantity:
    """unscaled * 10**scale, and the format to print it in. Immutable; equal and ordered by value."""

    __slots__ = ("_text", "format", "scale", "unscaled")

    def __init__(self, unscaled: int, scale: int = 0, format: str = DECIMAL_SI, text: str = ""):
        self.unscaled = unscaled
        self.scale = scale if unscaled else 0
        self.format = format
        self._text = text

    def __str__(self) -> str:
        if not self._text:
            self._text = _canonical(self)
        return self._text

    def __repr__(self) -> str:
        return f"Quantity({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Quantity):
            return NotImplemented
        mine, theirs = _aligned(self, other)
        return mine == theirs

    def __lt__(self, other: Quantity) -> bool:
        mine, theirs = _aligned(self, other)
        return mine < theirs

    def __hash__(self) -> int:
        unscaled, scale = _strip(self.unscaled, self.scale)
        return hash((unscaled, scale))

    def __bool__(self) -> bool:
        return self.unscaled != 0

    def __neg__(self) -> Quantity:
        return Quantity(-self.unscaled, self.scale, self.format)

    def __add__(self, other: Quantity) -> Quantity:
        mine, theirs = _aligned(self, other)
        return Quantity(mine + theirs, min(self.scale, other.scale), self.format if self.unscaled else other.format)

    def __sub__(self, other: Quantity) -> Quantity:
        return self + -other

    def __mul__(self, times: int) -> Quantity:
        return Quantity(self.unscaled * times, self.scale, self.format)

    @property
    def sign(self) -> int:
        return (self.unscaled > 0) - (self.unscaled < 0)

    def value(self) -> int:
        """As an int64; what is not a whole number is rounded away from zero."""
        return self._scaled(0)

    def milli_value(self) -> int:
        """In thousandths, as an int64; rounded away from zero."""
        return self._scaled(-3)

    def _scaled(self, scale: int) -> int:
        number = _round_up(self.unscaled, self.scale, scale)
        return max(-MAX_INT64, min(MAX_INT64, number))


ZERO = Quantity(0, text="0")


@lru_cache(maxsize=8192, typed=True)
def parse(text: str | int | float) -> Quantity:
    """A quantity from its text, or from a JSON number. ValueError with upstream's message."""
    if not isinstance(text, str):
        text = str(text)
    found = _GRAMMAR.fullmatch(text)
    if not text or not found:
        raise ValueError(FORMAT_WRONG)
    sign, whole, fraction, suffix = found.group(1), found.group(2), found.group(3) or "", found.group(4)
    digits = (whole or "0") + fraction
    exponent, shift, format = _interpret(suffix)
    magnitude = len(whole) + exponent
    if len(digits) > _MOST_DIGITS or magnitude > _MOST_DIGITS:
        unscaled, scale = (MAX_INT64 if digits.strip("0") else 0), 0
    elif magnitude < -_MOST_DIGITS:
        unscaled, scale = int(bool(digits.strip("0"))), _NANO
    else:
        unscaled, scale = int(digits) << shift, exponent - len(fraction)
    if scale < _NANO:
        unscaled, scale = _round_up(unscaled, scale, _NANO), _NANO
    if format == BINARY_SI:
        if unscaled > MAX_INT64 * 10**-scale:
            unscaled, scale = MAX_INT64, 0
        elif 0 < unscaled < 10**-scale:
            format = DECIMAL_SI
    kept = text if _kept_as_written(digits, fraction, exponent, shift, format) else ""
    return Quantity(-unscaled if sign == "-" else unscaled, scale, format, kept)


@lru_cache(maxsize=8192, typed=True)
def cpu_milli(text: str | int | float) -> int:
    """Thousandths of a CPU, rounded up. ValueError as parse."""
    return parse(text).milli_value()


@lru_cache(maxsize=8192, typed=True)
def bytes_of(text: str | int | float) -> int:
    """A whole number (bytes, Pods ...), rounded up. ValueError as parse."""
    return parse(text).value()


def _interpret(suffix: str) -> tuple[int, int, str]:
    """A suffix as (power of ten, power of two, format)."""
    if suffix in _DECIMAL:
        return _DECIMAL[suffix], 0, DECIMAL_SI
    if suffix in _BINARY:
        return 0, _BINARY[suffix], BINARY_SI
    if suffix[0] in "eE" and re.fullmatch("[-+]?[0-9]{1,18}", suffix[1:]):
        return int(suffix[1:]), 0, DECIMAL_EXPONENT
    raise ValueError(SUFFIX_WRONG)


def _kept_as_written(digits: str, fraction: str, exponent: int, shift: int, format: str) -> bool:
    """Upstream keeps the text of what it can tell cheaply to be canonical; so "1.500" and "05" stay as they are."""
    scale = exponent - len(fraction)
    if shift:
        exact = len(digits) + shift * 3 // 10 < 15
        return exact and not fraction and format == BINARY_SI and int(digits) & 7 != 0
    return len(digits) <= 18 and scale >= _NANO and scale % 3 == 0 and digits[0] != "0" and not digits.endswith("000")


def _canonical(quantity: Quantity) -> str:
    unscaled, scale, format = quantity.unscaled, quantity.scale, quantity.format
    if not unscaled:
        return "0"
    if format == BINARY_SI:
        whole, rest = divmod(unscaled * 10 ** max(scale, 0), 10 ** max(-scale, 0))
        if not rest and abs(whole) >= 1024:
            power = 0
            while whole % 1024 == 0 and power < 6:
                whole, power = whole // 1024, power + 1
            return f"{whole}{_BINARY_NAMES[power]}"
        format = DECIMAL_SI
    unscaled, scale = _strip(unscaled, scale)
    extra = scale % 3
    unscaled, scale = unscaled * 10**extra, scale - extra
    if format == DECIMAL_EXPONENT:
        return f"{unscaled}e{scale}" if scale else str(unscaled)
    if scale > 18:
        unscaled, scale = unscaled * 10 ** (scale - 18), 18
    return f"{unscaled}{_DECIMAL_NAMES[scale]}"


def _strip(unscaled: int, scale: int) -> tuple[int, int]:
    while unscaled and unscaled % 10 == 0:
        unscaled, scale = unscaled // 10, scale + 1
    return unscaled, scale


def _round_up(unscaled: int, scale: int, to: int) -> int:
    """unscaled * 10**scale in units of 10**to, rounded away from zero."""
    if scale >= to:
        return unscaled * 10 ** (scale - to)
    number = -(-abs(unscaled) // 10 ** (to - scale))
    return number if unscaled >= 0 else -number


def _aligned(left: Quantity, right: Quantity) -> tuple[int, int]:
    """Both as integers of one scale."""
    scale = min(left.scale, right.scale)
    return left.unscaled * 10 ** (left.scale - scale), right.unscaled * 10 ** (right.scale - scale)
