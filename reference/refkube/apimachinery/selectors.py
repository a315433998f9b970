"""Label selectors, in their string form ("app in (a, b),!old") and as metav1.LabelSelector objects.

Used by lists, watches and every controller that selects Pods. A selector is compiled once and matches often.
Facts: apimachinery/pkg/labels/selector.go, apis/meta/v1/helpers.go and validation/validation.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from refkube.apimachinery import errors, names
from refkube.apimachinery.errors import FieldError
from refkube.apimachinery.meta import Object

EQUALS, DOUBLE_EQUALS, NOT_EQUALS, IN, NOT_IN = "=", "==", "!=", "in", "notin"
EXISTS, DOES_NOT_EXIST, GREATER_THAN, LESS_THAN = "exists", "!", "gt", "lt"

_OF_OBJECT = {"In": IN, "NotIn": NOT_IN, "Exists": EXISTS, "DoesNotExist": DOES_NOT_EXIST}
_OF_TOKEN = {operator: operator for operator in (IN, NOT_IN, EQUALS, DOUBLE_EQUALS, NOT_EQUALS)}
_OF_TOKEN |= {">": GREATER_THAN, "<": LESS_THAN}
_BETWEEN = {operator: token for token, operator in _OF_TOKEN.items()} | {IN: " in ", NOT_IN: " notin "}
_SELECTS_ONE = (EQUALS, DOUBLE_EQUALS, NOT_EQUALS)
_BINARY_OPERATORS = "in, notin, =, ==, !=, gt, lt"
_NO_LABELS: Mapping[str, str] = {}


class Requirement(NamedTuple):
    """One condition on one label; `operator` is one of the constants above, values are sorted."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value, operator = labels.get(self.key), self.operator
        if operator in (IN, EQUALS, DOUBLE_EQUALS):
            return value in self.values
        if operator in (NOT_IN, NOT_EQUALS):
            return value not in self.values
        if operator in (EXISTS, DOES_NOT_EXIST):
            return (value is not None) == (operator == EXISTS)
        here, there = _integer(value or ""), _integer(self.values[0])
        if here is None or there is None:
            return False
        return here > there if operator == GREATER_THAN else here < there

    def __str__(self) -> str:
        if self.operator in (EXISTS, DOES_NOT_EXIST):
            return ("!" if self.operator == DOES_NOT_EXIST else "") + self.key
        values = ",".join(self.values)
        return self.key + _BETWEEN[self.operator] + (f"({values})" if self.operator in (IN, NOT_IN) else values)


class Selector:
    """All of its requirements must hold; without any it selects everything. Immutable, hashable."""

    __slots__ = ("_equal", "_rest", "requirements")

    def __init__(self, requirements: Iterable[Requirement] = ()):
        self.requirements = tuple(sorted(requirements, key=lambda requirement: requirement.key))
        plain = [len(r.values) == 1 and r.operator in (EQUALS, DOUBLE_EQUALS, IN) for r in self.requirements]
        self._equal = tuple((r.key, r.values[0]) for r, p in zip(self.requirements, plain, strict=True) if p)
        self._rest = tuple(r for r, p in zip(self.requirements, plain, strict=True) if not p)

    @property
    def empty(self) -> bool:
        """Whether it selects everything."""
        return not self.requirements

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        labels = labels or _NO_LABELS
        for key, value in self._equal:
            if labels.get(key) != value:
                return False
        return all(requirement.matches(labels) for requirement in self._rest)

    def exact_match(self, key: str) -> str | None:
        """The one value that the label must have to be selected, if there is one."""
        return dict(self._equal).get(key)

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.requirements == other.requirements

    def __hash__(self) -> int:
        return hash((type(self), self.requirements))


class _Nothing(Selector):
    __slots__ = ()

    @property
    def empty(self) -> bool:
        return False

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        return False


EVERYTHING = Selector()
NOTHING = _Nothing()


@lru_cache(maxsize=4096)
def parse(text: str) -> Selector:
    """The string form. ValueError with upstream's message.

    <selector> ::= <requirement> ("," <requirement>)*; <requirement> ::= ["!"] KEY [<set> | <exact>];
    <set> ::= ("in" | "notin") "(" VALUE ("," VALUE)* ")"; <exact> ::= ("=" | "==" | "!=" | ">" | "<") VALUE
    """
    return Selector(_Parser(text).selector())


def from_label_selector(selector: Object | None) -> Selector:
    """metav1.LabelSelector: none selects nothing, {} everything. ValueError with upstream's message."""
    if selector is None:
        return NOTHING
    found = [requirement(key, EQUALS, (value,)) for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        operator = _OF_OBJECT.get(expression.get("operator", ""))
        if operator is None:
            raise ValueError(f'"{expression.get("operator", "")}" is not a valid label selector operator')
        found.append(requirement(expression.get("key", ""), operator, tuple(expression.get("values") or ())))
    return Selector(found)


def from_map(labels: Mapping[str, str] | None) -> Selector:
    """Equality with each of these labels, which are taken as they are; none or {} selects everything."""
    return Selector(Requirement(key, EQUALS, (value,)) for key, value in (labels or {}).items())


def requirement(key: str, operator: str, values: tuple[str, ...]) -> Requirement:
    """A checked requirement. ValueError that lists all that is wrong with it."""
    wrong = _key_errors("key", key)
    if operator in (IN, NOT_IN):
        if not values:
            wrong.append(errors.invalid("values", [], "for 'in', 'notin' operators, values set can't be empty"))
    elif operator in (EXISTS, DOES_NOT_EXIST):
        if values:
            wrong.append(
                errors.invalid("values", list(values), "values set must be empty for exists and does not exist")
            )
    elif len(values) != 1:
        said = "exact-match compatibility requires one single value"
        said = said if operator in _SELECTS_ONE else "for 'Gt', 'Lt' operators, exactly one value is required"
        wrong.append(errors.invalid("values", list(values), said))
    if operator in (GREATER_THAN, LESS_THAN):
        said = "for 'Gt', 'Lt' operators, the value must be an integer"
        wrong += [errors.invalid(f"values[{i}]", v, said) for i, v in enumerate(values) if _integer(v) is None]
    for i, value in enumerate(values):
        messages = names.is_label_value(value)
        if messages:
            wrong.append(errors.invalid(f"values[{i}][{key}]", value, "; ".join(messages)))
    _raise_all(wrong)
    return Requirement(key, operator, tuple(sorted(values)))


def validate_label_selector(selector: Object | None, path: str, allow_invalid_values: bool = False) -> list[FieldError]:
    """What is wrong with a metav1.LabelSelector at `path`."""
    wrong: list[FieldError] = []
    for key, value in ((selector or {}).get("matchLabels") or {}).items():
        wrong += [errors.invalid(f"{path}.matchLabels", key, said) for said in names.is_qualified_name(key)]
        wrong += [errors.invalid(f"{path}.matchLabels", value, said) for said in names.is_label_value(value)]
    for i, expression in enumerate((selector or {}).get("matchExpressions") or ()):
        wrong += _validate_expression(expression, f"{path}.matchExpressions[{i}]", allow_invalid_values)
    return wrong


def _validate_expression(expression: Object, path: str, allow_invalid_values: bool) -> list[FieldError]:
    wrong: list[FieldError] = []
    operator, values, key = expression.get("operator", ""), expression.get("values") or (), expression.get("key", "")
    if operator in ("In", "NotIn"):
        if not values:
            wrong.append(errors.required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            said = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            wrong.append(errors.field_forbidden(f"{path}.values", said))
    else:
        wrong.append(errors.invalid(f"{path}.operator", operator, "not a valid selector operator"))
    wrong += [errors.invalid(f"{path}.key", key, said) for said in names.is_qualified_name(key)]
    for i, value in enumerate(() if allow_invalid_values else values):
        wrong += [errors.invalid(f"{path}.values[{i}]", value, said) for said in names.is_label_value(value)]
    return wrong


def _key_errors(path: str, key: str) -> list[FieldError]:
    messages = names.is_qualified_name(key)
    return [errors.invalid(path, key, "; ".join(messages))] if messages else []


def _raise_all(wrong: list[FieldError]) -> None:
    told = list(dict.fromkeys(f"{error.field}: {error.message}" for error in wrong))
    if told:
        raise ValueError(told[0] if len(told) == 1 else f"[{', '.join(told)}]")


def _integer(text: str) -> int | None:
    """An int64 as Go reads it."""
    if not re.fullmatch("[+-]?[0-9]{1,30}", text):
        return None
    return int(text) if -(2**63) <= int(text) < 2**63 else None


_TOKEN = re.compile(r"[ \t\r\n]*(==|!=|[=!(),<>]|[^=!(),<> \t\r\n]+|\Z)")
_SYMBOLS = frozenset(["=", "==", "!=", "!", "(", ")", ",", "<", ">", ""])


class _Parser:
    """One pass over the tokens; "" is the end of the text. `in` and `notin` are operators only after a key."""

    def __init__(self, text: str):
        self.tokens = _TOKEN.findall(text)
        self.at = 0

    def selector(self) -> list[Requirement]:
        found: list[Requirement] = []
        if self.peek() == "":
            return found
        if not self.is_name(self.peek()) and self.peek() != "!":
            raise ValueError(f"found '{self.peek()}', expected: !, identifier, or 'end of string'")
        while True:
            try:
                found.append(self.requirement())
            except ValueError as why:
                raise ValueError(f"unable to parse requirement: {why}") from None
            token = self.take()
            if token == "":
                return found
            if token != ",":
                raise ValueError(f"found '{token}', expected: ',' or 'end of string'")
            if not self.is_name(self.peek()) and self.peek() != "!":
                raise ValueError(f"found '{self.peek()}', expected: identifier after ','")

    def requirement(self) -> Requirement:
        key = self.take()
        negated = key == "!"
        if negated:
            key = self.take()
        if not self.is_name(key):
            raise ValueError(f"found '{key}', expected: identifier")
        _raise_all(_key_errors("<nil>", key))
        if negated or self.peek() in ("", ","):
            return requirement(key, DOES_NOT_EXIST if negated else EXISTS, ())
        token = self.take()
        if token not in _OF_TOKEN:
            raise ValueError(f"found '{token}', expected: {_BINARY_OPERATORS}")
        operator = _OF_TOKEN[token]
        return requirement(key, operator, self.values() if operator in (IN, NOT_IN) else self.exact_value())

    def exact_value(self) -> tuple[str, ...]:
        if self.peek() in ("", ","):
            return ("",)
        token = self.take()
        if not self.is_name(token):
            raise ValueError(f"found '{token}', expected: identifier")
        return (token,)

    def values(self) -> tuple[str, ...]:
        """A set in parentheses; between commas without anything there is the empty value."""
        token = self.take()
        if token != "(":
            raise ValueError(f"found '{token}' expected: '('")
        found: set[str] = set()
        if self.peek() not in (",", ")") and not self.is_name(self.peek()):
            raise ValueError(f"found '{self.peek()}', expected: ',', ')' or identifier")
        while True:
            token = self.take() if self.is_name(self.peek()) else ""
            found.add(token)
            separator = self.take()
            if separator == ")":
                return tuple(sorted(found))
            if separator != ",":
                expected = "',' or ')'" if token else "',', or identifier"
                raise ValueError(f"found '{separator}', expected: {expected}")

    def peek(self) -> str:
        return self.tokens[self.at]

    def take(self) -> str:
        self.at = min(self.at + 1, len(self.tokens))
        return self.tokens[self.at - 1]

    @staticmethod
    def is_name(token: str) -> bool:
        return token not in _SYMBOLS
