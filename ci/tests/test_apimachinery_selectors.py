"""Label and field selectors: what they select, what they refuse, how they are written."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refkube.apimachinery import fields, selectors
from refkube.apimachinery.selectors import Requirement, Selector, from_label_selector, from_map, parse

LABELS = {"app": "web", "tier": "", "x.io/rank": "5"}


@pytest.mark.parametrize(
    ("text", "selects", "canonical"),
    [
        ("", True, ""),
        (" \t\n", True, ""),
        ("app", True, "app"),
        ("old", False, "old"),
        ("!old", True, "!old"),
        ("! app", False, "!app"),
        ("app=web", True, "app=web"),
        ("app == web", True, "app==web"),
        ("app=", False, "app="),
        ("tier=", True, "tier="),
        ("app!=web", False, "app!=web"),
        ("old!=web", True, "old!=web"),
        ("old=", False, "old="),
        ("app in (web,db)", True, "app in (db,web)"),
        ("app in(web)", True, "app in (web)"),
        ("app in (db)", False, "app in (db)"),
        ("app notin (db)", True, "app notin (db)"),
        ("old notin (db)", True, "old notin (db)"),
        ("app notin (web)", False, "app notin (web)"),
        ("tier in ()", True, "tier in ()"),
        ("tier in (,a)", True, "tier in (,a)"),
        ("tier in (a,)", True, "tier in (,a)"),
        ("app in (a,,web)", True, "app in (,a,web)"),
        ("tier in (,)", True, "tier in ()"),
        ("x.io/rank>4", True, "x.io/rank>4"),
        ("x.io/rank<5", False, "x.io/rank<5"),
        ("app>1", False, "app>1"),
        ("old>1", False, "old>1"),
        ("x.io/rank>-7", None, "values[0][x.io/rank]: Invalid value"),
        ("app=web,!old", True, "app=web,!old"),
        ("x.io/rank, app", True, "app,x.io/rank"),
        ("app,old", False, "app,old"),
        ("app in (in,notin,web)", True, "app in (in,notin,web)"),
        ("in in (in)", False, "in in (in)"),
        ("notin", False, "notin"),
    ],
)
def test_the_string_form(text: str, selects: bool | None, canonical: str) -> None:
    if selects is None:
        with pytest.raises(ValueError, match=re.escape(canonical)):
            parse(text)
        return
    assert parse(text).matches(LABELS) is selects
    assert str(parse(text)) == canonical
    assert parse(str(parse(text))) == parse(text)


KEY = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (",", "found ',', expected: !, identifier, or 'end of string'"),
        ("=a", "found '=', expected: !, identifier, or 'end of string'"),
        ("a,", "found '', expected: identifier after ','"),
        ("a,,b", "found ',', expected: identifier after ','"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
        ("a=b=c", "found '=', expected: ',' or 'end of string'"),
        ("a===b", "unable to parse requirement: found '=', expected: identifier"),
        ("a=(b)", "unable to parse requirement: found '(', expected: identifier"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        ("!!a", "unable to parse requirement: found '!', expected: identifier"),
        ("!a=b", "found '=', expected: ',' or 'end of string'"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a in (b c)", "unable to parse requirement: found 'c', expected: ',' or ')'"),
        ("a in (=)", "unable to parse requirement: found '=', expected: ',', ')' or identifier"),
        ("a in (b,=)", "unable to parse requirement: found '=', expected: ',', or identifier"),
        ("-a", f'unable to parse requirement: <nil>: Invalid value: "-a": {KEY}'),
        (
            "a>b",
            "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, the value must "
            "be an integer",
        ),
    ],
)
def test_what_is_no_selector(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("selector", "selects"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": {}}, True),
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "web", "old": ""}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "db"]}]}, True),
        ({"matchExpressions": [{"key": "old", "operator": "NotIn", "values": ["a"]}]}, True),
        (
            {"matchExpressions": [{"key": "tier", "operator": "Exists"}, {"key": "app", "operator": "DoesNotExist"}]},
            False,
        ),
    ],
)
def test_the_object_form(selector: Any, selects: bool) -> None:
    assert from_label_selector(selector).matches(LABELS) is selects
    assert selectors.validate_label_selector(selector, "spec.selector") == []


def test_nothing_is_not_everything() -> None:
    assert from_label_selector(None) != from_label_selector({})
    assert (from_label_selector(None).empty, from_label_selector({}).empty) == (False, True)
    assert from_map({"app": "web"}) == parse("app=web")
    assert parse("app in (web),!x").exact_match("app") == "web"


@pytest.mark.parametrize(
    ("expression", "field", "message"),
    [
        ({"key": "a", "operator": "in"}, "operator", 'Invalid value: "in": not a valid selector operator'),
        (
            {"key": "a", "operator": "In"},
            "values",
            "Required value: must be specified when `operator` is 'In' or 'NotIn'",
        ),
        (
            {"key": "a", "operator": "Exists", "values": ["b"]},
            "values",
            "Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        ),
        ({"key": "-", "operator": "Exists"}, "key", f'Invalid value: "-": {KEY}'),
    ],
)
def test_validation_of_the_object_form(expression: Any, field: str, message: str) -> None:
    wrong = selectors.validate_label_selector({"matchExpressions": [expression]}, "spec.selector")
    assert [(e.field, e.message) for e in wrong] == [(f"spec.selector.matchExpressions[0].{field}", message)]
    with pytest.raises(ValueError):
        from_label_selector({"matchExpressions": [expression]})


NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,5}[a-z0-9])?", fullmatch=True)


@st.composite
def requirements(draw: st.DrawFn) -> Requirement:
    operator = draw(st.sampled_from(["=", "==", "!=", "in", "notin", "exists", "!", "gt", "lt"]))
    if operator in ("exists", "!"):
        return Requirement(draw(NAMES), operator)
    if operator in ("gt", "lt"):
        return Requirement(draw(NAMES), operator, (str(draw(st.integers(0, 99))),))
    values = draw(st.sets(NAMES | st.just(""), min_size=1, max_size=1 if operator[-1] == "=" else 4))
    return Requirement(draw(NAMES), operator, tuple(sorted(values)))


@given(st.lists(requirements(), max_size=4))
def test_what_is_printed_is_parsed_again(made: list[Requirement]) -> None:
    assert parse(str(Selector(made))) == Selector(made)


@given(requirements(), st.dictionaries(NAMES, NAMES | st.integers(0, 99).map(str), max_size=4))
def test_opposites_select_opposites(made: Requirement, labels: dict[str, str]) -> None:
    opposite = {"=": "!=", "==": "!=", "!=": "=", "in": "notin", "notin": "in", "exists": "!", "!": "exists"}.get(
        made.operator
    )
    if opposite:
        other = Selector([made._replace(operator=opposite)])
        assert Selector([made]).matches(labels) is not other.matches(labels)
    else:
        value = labels.get(made.key, "")
        there = int(made.values[0])
        expected = value.isdigit() and (int(value) > there if made.operator == "gt" else int(value) < there)
        assert Selector([made]).matches(labels) is expected


@pytest.mark.parametrize(
    ("text", "selects", "canonical"),
    [
        ("", True, ""),
        (",", True, ""),
        ("phase=Running", True, "phase=Running"),
        ("phase==Running,name!=b", True, "name!=b,phase=Running"),
        ("phase!=Running", False, "phase!=Running"),
        ("none=", True, "none="),
        ("none!=", False, "none!="),
        (r"odd=a\,b\=c\\", True, r"odd=a\,b\=c\\"),
        ("=", True, ""),
    ],
)
def test_field_selectors(text: str, selects: bool, canonical: str) -> None:
    selector = fields.parse_field_selector(text)
    assert selector.matches({"phase": "Running", "name": "a", "odd": "a,b=c\\"}) is selects
    assert str(selector) == canonical
    assert fields.parse_field_selector(canonical) == selector


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a", "invalid selector: 'a'; can't understand 'a'"),
        ("a=b,c", "invalid selector: 'a=b,c'; can't understand 'c'"),
        ("a=b=c", "invalid field selector: unescaped character in value: 61"),
        (r"a=\b", r"invalid field selector: invalid escape sequence: \b"),
        ("a=b\\", "invalid field selector: invalid escape sequence: \\"),
    ],
)
def test_what_is_no_field_selector(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        fields.parse_field_selector(text)
    assert str(caught.value) == message


@given(st.text(max_size=8))
def test_any_value_of_a_field_can_be_written(value: str) -> None:
    selector = fields.parse_field_selector(f"a={fields.escape(value)}")
    assert selector.requirements == (fields.FieldRequirement("a", "=", value),)
    assert selector.exact_match("a") == value
