r"""The language of validation: tables whose lines each say one rule (where, what, when), compiled to plain functions.

A module's tables are one text. A line without indentation begins a table, or several that are alike (`A, B`); a line
below it is a rule for a field of the object that the table is about, and what is indented further is about the value of
that field:

    Container
      name                    required LABEL
      ports[]                                                   of each item; its path has the index, with [.] not
        containerPort         required PORT_NUMBER
        name                  unique if v                       v is the value, and the other items have another one
        protocol              default "" in SCTP TCP UDP        what is not there counts as ""
      resources.limits{}      resource_quantity                 of each entry of a map, whose key is the value's owner
      appProtocol             given QUALIFIED                   also where it is empty
      restartCount            >= 0                              only where it is set: not empty, zero or false
      startupProbe            forbidden if type == "init" -- may not be set for init containers
      else livenessProbe      invalid if v == old.livenessProbe -- must not be {v}
      .                       several_fields

where:  a field or several (`a, b`), `.` for the object itself. `else`: only if the lines before it found nothing.
what:   first, whether it must be there: `required` (not empty), `present` (even empty), `given`, `default VALUE`, or
        `always` where that does not matter. Then a check: `in A B ...`, `>= 0`, `> 0` and the like, `most 8` (items),
        `chars 63`, `bytes 128`, `unique`, `immutable` (in a change), by its name another table, a format or a function
        (with or without the _ before it); or an error as it is: `forbidden`, `missing`, `unsupported A B`, `invalid`,
        `duplicate`, `unknown` (`invalid X` shows X instead of the value).
when:   `if` and a Python expression: fields of the same object by their names (`spec.type`, `type?` for "it is there"),
        of what holds it as `up.type`, of the old object as `old.type`; v the value (of an item), w the old one, k an
        item's index or key, o the object, s the scope; functions and constants of the module by their names.
-- why: upstream's words; {expressions} in it are filled in. A line that ends in \ goes on in the next.
`at "path"` tells errors at another path relative to the object, as upstream sometimes does; each ^ in the beginning is
one step up, from a list's item to the list.

A table whose name has two words, "volume nfs", is one kind of the union "volume": a check that finds out which kind an
object is. `volume cephfs else cephFS` is told under another name where it is one too many, `as` where it is the one.

A check is called with (value, owner, scope): `owner` has the value as a field, `scope` is the outermost caller's, a
kind's whole object or a Pod's Context. It gives errors with paths relative to the value ("", ".name"), nothing if it is
right: the compiled code makes a path only for an error. A change is a check of the new object whose owner is the old.
Facts: apimachinery/pkg/util/validation/field (the kinds of errors).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from refkube.apimachinery import errors
from refkube.apimachinery.errors import FieldError, field_forbidden, invalid, required
from refkube.apimachinery.meta import Object

Errors = Iterator[FieldError]
Check = Callable[..., Iterable[FieldError]]
NOTHING: Mapping[str, Any] = {}
IMMUTABLE = "field is immutable"
NOT_NEGATIVE = "must be greater than or equal to 0"


class Rules(NamedTuple):
    """One kind, beyond its metadata: what holds whenever it is written, only when it is created, of a change."""

    always: Check | None = None
    create: Check | None = None
    update: Check | None = None
    status: Check | None = None


def tables(text: str, *modules: Mapping[str, Any]) -> dict[str, Check]:
    """The checks that a text says, by the names of its tables. Its lines may name what is in `modules`, the globals()
    of the module it is in and the vars() of others, and in the TABLES of these."""
    parsed = _parsed(text)
    scope: dict[str, Any] = {}
    for names in reversed(modules):
        scope |= {**names, **names.get("TABLES", {})}
    scope |= {"below": below, "same": same, "errors": errors, "NOTHING": NOTHING, **dict.fromkeys(parsed, _later)}
    unions: dict[str, dict[str, Check]] = {}
    for prefix in {name.split()[0] for name in parsed if " " in name and "/" not in name}:
        kinds = [name.split()[1:] for name in parsed if name.startswith(f"{prefix} ")]
        shown = {(kind, how): other for kind, how, other in (parts for parts in kinds if len(parts) > 1)}
        scope[prefix] = union(unions.setdefault(prefix, {}), f"{prefix} type", shown)
    made: dict[str, Check] = {}
    for name, lines in parsed.items():
        exec(compile(source(lines, scope), f"<table {name}>", "exec"), scope)
        made[name] = scope[name] = scope.pop("check")
        if name.split()[0] in unions:
            unions[name.split()[0]][name.split()[1]] = made[name]
    return made


def rules(made: Mapping[str, Check]) -> dict[tuple[str, str], Rules]:
    """The tables that are named after kinds: "apps/Deployment", "apps/Deployment update", "/Pod"."""
    found: dict[tuple[str, str], Rules] = {}
    for name, check in made.items():
        path, _, when = name.partition(" ")
        group, slash, kind = path.rpartition("/")
        if slash:
            found[group, kind] = found.get((group, kind), Rules())._replace(**{when or "always": check})
    return found


def _later(*_: Any) -> Any:
    """In the place of a table that is still to be compiled."""


# Reading a text


class Line(NamedTuple):
    """One rule, its parts not yet compiled, and the lines below it."""

    otherwise: bool
    places: list[str]
    presence: str
    default: str
    what: str
    when: str
    why: str
    at: str | None
    below: list[Line]

    @property
    def is_change(self) -> bool:
        """Does it, or what is below it, look at the old object?"""
        told = " ".join((self.what, self.when, self.why))
        return bool(re.search(r"\b(old|w|immutable)\b", told)) or any(line.is_change for line in self.below)


_LINE = re.compile(r"(else )?([^\s,]+(?:, [^\s,]+)*)(?: +(.*))?")
_PRESENCE = re.compile(r"(given|required|present|always|default (\S+))(?: |$)")


def _parsed(text: str) -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = {}
    stack: list[tuple[int, list[Line]]] = []
    for raw in re.sub(r" *\\\n\s*", " ", text).splitlines():
        depth = len(raw) - len(raw.lstrip())
        if raw.lstrip().startswith("#"):
            continue
        if raw.strip() and not depth:
            stack = [(0, [])]
            found |= dict.fromkeys(raw.split(", "), stack[0][1])
        elif raw.strip():
            while len(stack) > 1 and stack[-1][0] >= depth:
                stack.pop()
            line = _line(raw.strip())
            stack[-1][1].append(line)
            stack.append((depth, line.below))
    return found


def _line(text: str) -> Line:
    rest, _, why = text.partition(" -- ")
    at = re.search(r' at "([^"]*)"', rest)
    rest, _, when = (rest.replace(at[0], "") if at else rest).partition(" if ")
    otherwise, places, what = _LINE.fullmatch(rest.strip()).groups("")  # type: ignore[union-attr]
    found = _PRESENCE.match(what)
    presence, default = (found[1].split()[0], found[2] or "") if found else ("", "")
    what = what[found.end() if found else 0 :].strip()
    return Line(bool(otherwise), places.split(", "), presence, default, what, when, why, at[1] if at else None, [])


# Compiling a table


def source(lines: list[Line], names: Mapping[str, Any]) -> str:
    """The Python code of a table's check."""
    writer = _Writer(names)
    writer.lines(lines, _Place("o", "old", "old", ("",)), 1)
    return "\n".join(["def check(o, old=NOTHING, s=None):", "    e = []", *writer.code, "    return e"])


class _Place(NamedTuple):
    """Where a line stands: the variables of its object, of what holds it, of the old one; the last key; the paths of
    the object and of what it is in, the innermost last."""

    obj: str
    owner: str
    old: str
    paths: tuple[str, ...]
    key: str = ""

    def path(self, at: str) -> str:
        """What `at` says."""
        steps = len(at) - len(at.lstrip("^"))
        return self.paths[-1 - steps] + at[steps:]


def _get(obj: str, name: str) -> str:
    first, _, rest = name.partition(".")
    return _get(f"({obj}.get({first!r}) or NOTHING)", rest) if rest else f"{obj}.get({first!r})"


def _text(path: str) -> str:
    return f"f{path!r}" if "{" in path else repr(path)


class _Writer:
    def __init__(self, names: Mapping[str, Any]):
        self._names = names
        self._count = 0
        self.code: list[str] = []

    def lines(self, lines: list[Line], at: _Place, depth: int, sets: Mapping[int, str] | None = None) -> None:
        before = ""
        for index, line in enumerate(lines):
            if not line.otherwise and index + 1 < len(lines) and lines[index + 1].otherwise:
                before = self._new("n")
                self._put(depth, f"{before} = len(e)")
            if line.otherwise:
                self._put(depth, f"if len(e) == {before}:")
            for place in line.places:
                self._line(line, place, at, depth + line.otherwise, (sets or {}).get(index, ""))

    def _line(self, line: Line, place: str, at: _Place, depth: int, seen: str) -> None:
        """Fetches the value, sees whether it is there, and goes on with it."""
        name, suffix = re.fullmatch(r"([\w.]*?)(\[\]|\[\.\]|\{\})?", place).groups("")  # type: ignore[union-attr]
        value, old, path = at.obj, at.old, at.paths[-1]
        if name != ".":
            value, old, path = self._new("v"), "NOTHING", f"{path}.{name}"
            self._put(depth, f"{value} = {_get(at.obj, name)}")
            if line.is_change:
                old = self._new("w")
                self._put(depth, f"{old} = {_get(at.old, name)}{' or NOTHING' if line.below else ''}")
        path = path if line.at is None else at.path(line.at)
        if line.default:
            self._put(depth, f"if {value} is None: {value} = {line.default}")
        holds = {"": value, "given": f"{value} is not None"}.get(line.presence, "")
        if name == "." or line.what == "immutable":
            holds = ""
        when = f"({self._expression(line.when, at, value, old)})" if line.when and not suffix else ""
        if holds or when:
            self._put(depth, f"if {' and '.join(filter(None, (holds, when)))}:")
            depth += 1
        if line.presence in ("required", "present"):
            self._put(depth, f"if {'not ' + value if line.presence == 'required' else value + ' is None'}:")
            self._put(depth + 1, f"e.append(errors.required({_text(path)}, {self._why(line, at, value, old)}))")
            if not line.what and not line.below:
                return
            self._put(depth, "else:")
            depth += 1
        self._value(line, value, old, suffix, path, at, depth, seen)

    def _value(
        self, line: Line, value: str, old: str, suffix: str, path: str, at: _Place, depth: int, seen: str
    ) -> None:
        """Checks a value, or each one in it, and what is below."""
        owner, sets, paths = at.owner if value == at.obj else at.obj, {}, at.paths
        if suffix:
            sets = {index: self._new("seen") for index, inner in enumerate(line.below) if inner.what == "unique"}
            for name in sets.values():
                self._put(depth, f"{name} = set()")
            each, key = self._new("x"), self._new("i")
            pairs = f"{value}.items()" if suffix == "{}" else f"enumerate({value})"
            self._put(depth, f"for {key}, {each} in {pairs}:")
            paths = (*paths, path)
            path += "" if suffix == "[.]" else f"[{{{key}}}]"
            owner = key if suffix == "{}" else owner
            value, old, depth, at = each, "NOTHING", depth + 1, at._replace(key=key)
            if line.when:
                self._put(depth, f"if {self._expression(line.when, at, value, old)}:")
                depth += 1
        length = len(self.code)
        self._what(line, value, old, path, owner, at, depth, seen)
        self.lines(line.below, _Place(value, at.obj, old, (*paths, path), at.key), depth, sets)
        if len(self.code) == length:
            self._put(depth, "pass")

    def _what(self, line: Line, value: str, old: str, path: str, owner: str, at: _Place, depth: int, seen: str) -> None:
        word, _, rest = line.what.partition(" ")
        told, why = _text(path), self._why(line, at, value, old)
        if word in ("forbidden", "missing"):
            kind = "field_forbidden" if word == "forbidden" else "required"
            self._put(depth, f"e.append(errors.{kind}({told}, {why}))")
        elif word in ("invalid", "duplicate", "unknown"):
            word = "field_not_found" if word == "unknown" else word
            shown = self._expression(rest, at, value, old) if rest else value
            self._put(depth, f"e.append(errors.{word}({told}, {shown}{', ' + why if word == 'invalid' else ''}))")
        elif word in ("in", "unsupported"):
            allowed = rest if rest in self._names else repr(tuple(item.strip('"') for item in rest.split()))
            unless = f"if {value} not in {allowed}: " if word == "in" else ""
            self._put(depth, f"{unless}e.append(errors.not_supported({told}, {value}, {allowed}))")
        elif word in (">=", ">", "<=", "<", "=="):
            why = why if line.why else repr(NOT_NEGATIVE if line.what == ">= 0" else f"must be greater than {rest}")
            self._put(depth, f"if not {value} {word} {rest}: e.append(errors.invalid({told}, {value}, {why}))")
        elif word == "most":
            self._put(depth, f"if len({value}) > {rest}: e.append(errors.too_many({told}, len({value}), {rest}))")
        elif word in ("chars", "bytes"):
            size = f"len({value}.encode())" if word == "bytes" else f"len({value})"
            self._put(depth, f"if {size} > {rest}: e.append(errors.too_long({told}, {rest}))")
        elif word == "unique":
            error = f"invalid({told}, {value}, {why})" if line.why else f"duplicate({told}, {value})"
            self._put(depth, f"if {value} in {seen}: e.append(errors.{error})")
            self._put(depth, f"{seen}.add({value})")
        elif word == "immutable":
            error = f"invalid({told}, {value}, {IMMUTABLE!r})" if not line.why else f"field_forbidden({told}, {why})"
            self._put(depth, f"if not same({value}, {old}): e.append(errors.{error})")
        elif word:
            found, check = self._new("f"), self._named(word)
            format = hasattr(self._names[check], "cache_info")
            self._put(depth, f"{found} = {check}({value if format else f'{value}, {owner}, s'})")
            self._put(depth, f"if {found}: e += below({told}, {found})")

    def _named(self, word: str) -> str:
        for name in (word, f"_{word}"):
            if name in self._names:
                return name
        raise ValueError(f"a table says {word!r}, which is no check")

    def _why(self, line: Line, at: _Place, value: str, old: str) -> str:
        """Upstream's words as a Python expression."""
        parts = re.split(r"\{([^{}]*)\}", line.why)
        filled = ", ".join(self._expression(part, at, value, old) for part in parts[1::2])
        return f"{'{}'.join(parts[::2])!r}.format({filled})" if filled else repr(line.why)

    def _expression(self, text: str, at: _Place, value: str, old: str) -> str:
        """A condition with the names in it resolved."""
        special = {"v": value, "w": old, "k": at.key, "o": at.obj, "s": "s", "old": at.old, "up": at.owner}

        def resolved(found: re.Match[str]) -> str:
            if found[1] or found[2] in _WORDS:
                return found[0]
            first, dot, rest = found[2].partition(".")
            got = _get(at.obj, found[2])
            if first in ("old", "up") and dot:
                got = _get(at.old if first == "old" else at.owner, rest)
            elif first in special:
                return special[first] + dot + rest
            else:
                for name in (first, f"_{first}"):
                    if name in self._names and (name.isupper() or text[found.end() : found.end() + 1] == "("):
                        return name + dot + rest
            return f"({got} is not None)" if found[3] else got

        return _NAME.sub(resolved, text)

    def _put(self, depth: int, text: str) -> None:
        self.code.append("    " * depth + text)

    def _new(self, letter: str) -> str:
        self._count += 1
        return f"{letter}{self._count}"


_NAME = re.compile(r'("[^"]*")|(?<![\w.])([A-Za-z_][\w.]*)(\?)?')
_WORDS = {"and", "or", "not", "in", "is", "None", "True", "False", "len", "set", "str", "int", "isinstance"}


# What tables and functions share


def below(path: str, found: Iterable[FieldError]) -> list[FieldError]:
    return [FieldError(kind, path + field, message) for kind, field, message in found]


def told(*rows: tuple[Any, ...]) -> list[FieldError]:
    """A table of what is computed: `(condition, invalid, ".name", name, "why")`, the errors of all that hold."""
    return [row[1](*row[2:]) for row in rows if row[0]]


def first_told(*rows: tuple[Any, ...]) -> list[FieldError]:
    """The same, but only of the first."""
    return next(([row[1](*row[2:])] for row in rows if row[0]), [])


def text(of: Callable[[Any], Iterable[str]]) -> Check:
    """A format: a function such as those of `names`, each message an error. Most values come again and are kept."""

    @lru_cache(maxsize=8192)
    def check(value: Any) -> tuple[FieldError, ...]:
        return tuple(invalid("", value, message) for message in of(value))

    return check


def union(kinds: Mapping[str, Check], what: str, shown: Mapping[tuple[str, str], str]) -> Check:
    """The first in the table's order that an object has is what it is, any other is one too many. `shown` are fields
    that upstream tells under others: (field, "as" if it is the one, else "else") -> the other name."""

    def check(obj: Any, owner: Any = None, scope: Any = None) -> list[FieldError]:
        found = [key for key in obj if key in kinds]
        if not found:
            return [required("", f"must specify a {what}")]
        if len(found) > 1:
            found = [key for key in kinds if key in obj]
        kind, *more = found
        wrong = below(f".{shown.get((kind, 'as'), kind)}", kinds[kind](obj[kind], obj, scope))
        why = f"may not specify more than 1 {what}"
        return wrong + [field_forbidden(f".{shown.get((key, 'else'), key)}", why) for key in more]

    return check


def same(a: Any, b: Any) -> bool:
    """Equal, where absent, null and empty are one: upstream's semantic equality."""
    if a is b or a == b:
        return True
    if isinstance(a, dict) and isinstance(b, dict):
        return all(same(a.get(key), b.get(key)) for key in a.keys() | b.keys())
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a in (None, {}, []) and b in (None, {}, [])


def spec_of(obj: Object) -> Object:
    return obj.get("spec") or {}


def status_of(obj: Object) -> Object:
    return obj.get("status") or {}
