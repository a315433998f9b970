"""Quantities: the grammar, the canonical form, and arithmetic that is exact."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refkube.apimachinery import quantity
from refkube.apimachinery.quantity import MAX_INT64, Quantity, parse


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0", "0"), ("0.0", "0"), ("000", "0"), ("-0", "0"), ("0Ki", "0"), (".", "0"), ("", None),
        ("1", "1"), ("100m", "100m"), ("1000m", "1"), ("1500m", "1500m"), ("0.5", "500m"), (".5", "500m"), ("5.", "5."),
        ("1000", "1k"), ("10000", "10k"), ("1500", "1500"), ("1000k", "1M"), ("2E", "2E"), ("1.5G", "1500M"),
        ("0.001", "1m"), ("0.0001", "100u"), ("1n", "1n"), ("0.1n", "1n"), ("1.0000000001", "1000000001n"),
        ("-0.1n", "-1n"), ("1e-20", "1e-9"), ("-1500m", "-1500m"),
        ("1Ki", "1Ki"), ("1024Mi", "1Gi"), ("0.5Gi", "512Mi"), ("1.5Gi", "1536Mi"), ("1023Mi", "1023Mi"),
        ("0.5Ki", "512"), ("0.0001Ki", "102400u"), ("512Ki", "512Ki"), ("1048576Ki", "1Gi"),
        ("16Ei", "9223372036854775807"), ("-16Ei", "-9223372036854775807"),
        ("1e3", "1e3"), ("1E3", "1E3"), ("12e6", "12e6"), ("1000e3", "1e6"), ("1e2", "100"), ("1.5e3", "1500"),
        ("1e-3", "1e-3"), ("1e+3", "1e+3"), ("10e2", "1e3"),
        ("1.500", "1.500"), ("05", "05"), ("+5", "+5"),  # upstream keeps these as they are written
        ("1000000000000000000000", "1000E"), ("1e1000000000", "9223372036854775807"),
        ("9" * 5000, "9223372036854775807"), ("0e99999999", "0"),
    ],
)  # fmt: skip
def test_canonical_form(text: str, canonical: str | None) -> None:
    if canonical is None:
        with pytest.raises(ValueError, match="quantities must match"):
            parse(text)
    else:
        assert str(parse(text)) == canonical


@pytest.mark.parametrize("text", ["a", "1 ", " 1", "1.2.3", "1/2", "1--1", "1Xi", "１", "1\n", "0x10", "1,5"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="quantities must match the regular expression '\\^"):
        parse(text)


@pytest.mark.parametrize("text", ["1mm", "1e", "1i", "1ki", "1K", "1Kin", "1eE3", "1m3", "--1", "1e" + "9" * 20])
def test_what_is_no_suffix(text: str) -> None:
    with pytest.raises(ValueError, match="unable to parse quantity's suffix"):
        parse(text)


def test_numbers_of_json_are_quantities() -> None:
    assert (str(parse(2)), str(parse(0.5)), str(parse(1000))) == ("2", "500m", "1k")


@pytest.mark.parametrize(
    ("text", "value", "milli"),
    [("1", 1, 1000), ("1m", 1, 1), ("1.1", 2, 1100), ("-1.1", -2, -1100), ("1n", 1, 1), ("1Ki", 1024, 1024000),
     ("1e30", MAX_INT64, MAX_INT64), ("-1e30", -MAX_INT64, -MAX_INT64), ("10E", MAX_INT64, MAX_INT64)],
)  # fmt: skip
def test_values_round_away_from_zero_and_stay_within_int64(text: str, value: int, milli: int) -> None:
    assert (parse(text).value(), parse(text).milli_value()) == (value, milli)
    assert (quantity.bytes_of(text), quantity.cpu_milli(text)) == (value, milli)


def test_a_sum_keeps_the_first_format_that_is_not_zero() -> None:
    assert str(parse("1Gi") + parse("1G")) == str(Quantity(2**30 + 10**9, format="BinarySI"))
    assert str(parse("0") + parse("1Gi") + parse("1Gi")) == "2Gi"
    assert str(parse("1") - parse("100m")) == "900m"
    assert str(parse("250m") * 4) == "1"


SUFFIXES = {name: Fraction(10) ** power for name, power in {"": 0, "n": -9, "u": -6, "m": -3, "k": 3, "M": 6}.items()}
SUFFIXES |= {"G": Fraction(10**9), "Ki": Fraction(1024), "Mi": Fraction(2**20), "Gi": Fraction(2**30)}
SUFFIXES |= {"e3": Fraction(1000), "E-2": Fraction(1, 100)}


@st.composite
def written(draw: st.DrawFn) -> tuple[str, Fraction]:
    """A quantity that nano can hold exactly, as text and as a fraction."""
    suffix = draw(st.sampled_from(sorted(SUFFIXES)))
    whole = draw(st.integers(-(10**8), 10**8))
    digits = draw(st.integers(0, 3)) if suffix not in ("n", "u", "E-2") else 0
    fraction = draw(st.integers(0, 10**digits - 1))
    number = f"{whole}.{fraction:0{digits}}" if digits else str(whole)
    return number + suffix, Fraction(number) * SUFFIXES[suffix]


def as_fraction(value: Quantity) -> Fraction:
    return value.unscaled * Fraction(10) ** value.scale


@given(written(), written(), st.integers(-1000, 1000))
def test_arithmetic_is_exact(left: tuple[str, Fraction], right: tuple[str, Fraction], times: int) -> None:
    (a, fa), (b, fb) = (parse(left[0]), left[1]), (parse(right[0]), right[1])
    assert as_fraction(a) == fa
    assert as_fraction(a + b) == fa + fb
    assert as_fraction(a - b) == fa - fb
    assert as_fraction(a * times) == fa * times
    assert ((a < b), (a == b), (a > b)) == ((fa < fb), (fa == fb), (fa > fb))
    assert (hash(a) == hash(b)) or fa != fb
    assert a.value() == (-(-fa.numerator // fa.denominator) if fa >= 0 else fa.numerator // fa.denominator)
    assert a.sign == (fa > 0) - (fa < 0)


@given(written(), written())
def test_the_printed_form_is_canonical_and_means_the_same(
    left: tuple[str, Fraction], right: tuple[str, Fraction]
) -> None:
    total = parse(left[0]) + parse(right[0])
    again = parse(str(total))
    assert again == total
    assert str(again) == str(total)
