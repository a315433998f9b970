"""The grammar of the shell: from text to a tree that `shell` runs.

What POSIX' Shell Command Language has, without aliases, and with &> and $(...) nested as deep as one likes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

RESERVED = frozenset(
    ["if", "then", "elif", "else", "fi", "while", "until", "do", "done", "for", "in", "case", "esac", "{", "}", "!"]
)
OPERATORS = ("&&", "||", ";;", "<<-", "<<", ">>", ">&", "<&", "&>", ">|", ";", "&", "|", "(", ")", "<", ">", "\n")
REDIRECTIONS = frozenset((">>", ">", "<", ">&", "<&", "&>", "<<", "<<-", ">|"))


class Part(NamedTuple):
    """A piece of a word: `kind` is text, parameter, command or arithmetic. What is quoted is not split nor globbed."""

    kind: str
    text: str
    quoted: bool


Word = tuple[Part, ...]


class Redirection(NamedTuple):
    fd: int
    operator: str
    target: Word


class Node:
    """One command, simple or not."""


@dataclass
class Simple(Node):
    assignments: list[tuple[str, Word]]
    words: list[Word]
    redirections: list[Redirection]


@dataclass
class Listed(Node):
    """Commands one after another; a flag tells which run in the background."""

    commands: list[tuple[Node, bool]] = field(default_factory=list)


@dataclass
class Both(Node):
    """first && second, or first || second."""

    first: Node
    second: Node
    on_success: bool


@dataclass
class Piped(Node):
    commands: list[Node]
    negated: bool


@dataclass
class If(Node):
    branches: list[tuple[Node, Node]]
    otherwise: Node | None


@dataclass
class While(Node):
    condition: Node
    body: Node
    until: bool


@dataclass
class For(Node):
    name: str
    words: list[Word] | None
    body: Node


@dataclass
class Case(Node):
    word: Word
    choices: list[tuple[list[Word], Node]]


@dataclass
class Group(Node):
    body: Node
    redirections: list[Redirection]
    subshell: bool = False


@dataclass
class Function(Node):
    name: str
    body: Node


class SyntaxProblem(Exception):
    """The text is no program; one line."""


class _Token(NamedTuple):
    operator: str  # "" for a word
    word: Word = ()
    fd: int = -1
    end: bool = False


_END = _Token("", (), -1, True)


def parse(text: str) -> Node:
    parser = _Parser(text)
    tree = parser.listed(())
    if not parser.peek().end:
        raise SyntaxProblem(f'syntax error: unexpected "{parser.shown()}"')
    return tree


def goes_on(text: str) -> bool:
    """Does more have to follow?"""
    try:
        parse(text)
    except SyntaxProblem as why:
        return any(word in str(why) for word in ("end of file", "unterminated", "missing"))
    return False


class _Lexer:
    def __init__(self, text: str):
        self.text = text
        self.at = 0
        self.heredocs: list[tuple[str, bool, bool, list[Part]]] = []

    def next(self) -> _Token:
        text = self.text
        while self.at < len(text):
            if text[self.at] in " \t":
                self.at += 1
            elif text.startswith("\\\n", self.at):
                self.at += 2
            elif text[self.at] == "#":
                while self.at < len(text) and text[self.at] != "\n":
                    self.at += 1
            else:
                break
        if self.at >= len(text):
            return _END
        fd = -1
        if text[self.at].isdigit() and text[self.at + 1 : self.at + 2] in ("<", ">"):
            fd = int(text[self.at])
            self.at += 1
        for operator in OPERATORS:
            if text.startswith(operator, self.at):
                self.at += len(operator)
                if operator == "\n":
                    self._read_heredocs()
                return _Token(operator, (), fd)
        return _Token("", self._word())

    def _word(self) -> Word:
        parts: list[Part] = []
        text = self.text
        while self.at < len(text) and text[self.at] not in " \t\n;&|()<>":
            char = text[self.at]
            if char == "\\":
                if text[self.at + 1 : self.at + 2] != "\n":
                    parts.append(Part("text", text[self.at + 1 : self.at + 2], True))
                self.at += 2
            elif char == "'":
                end = self._find("'", self.at + 1)
                parts.append(Part("text", text[self.at + 1 : end], True))
                self.at = end + 1
            elif char == '"':
                self.at += 1
                self._double(parts)
            elif char in "$`":
                parts.append(self._dollar(False))
            else:
                parts.append(Part("text", char, False))
                self.at += 1
        return tuple(parts)

    def _double(self, parts: list[Part]) -> None:
        parts.append(Part("text", "", True))
        text = self.text
        while self.at < len(text) and text[self.at] != '"':
            char = text[self.at]
            if char == "\\" and text[self.at + 1 : self.at + 2] in tuple('$`"\\\n'):
                if text[self.at + 1] != "\n":
                    parts.append(Part("text", text[self.at + 1], True))
                self.at += 2
            elif char in "$`":
                parts.append(self._dollar(True))
            else:
                parts.append(Part("text", char, True))
                self.at += 1
        if self.at >= len(text):
            raise SyntaxProblem("syntax error: unterminated quoted string")
        self.at += 1

    def _dollar(self, quoted: bool) -> Part:
        text = self.text
        if text[self.at] == "`":
            end = self._find("`", self.at + 1)
            inner, self.at = text[self.at + 1 : end], end + 1
            return Part("command", inner, quoted)
        if text.startswith("$((", self.at):
            end = self._balanced(self.at + 1)
            inner, self.at = text[self.at + 3 : end - 2], end
            return Part("arithmetic", inner, quoted)
        if text.startswith("$(", self.at):
            end = self._balanced(self.at + 1)
            inner, self.at = text[self.at + 2 : end - 1], end
            return Part("command", inner, quoted)
        if text.startswith("${", self.at):
            end, depth = self.at + 2, 1
            while end < len(text) and depth:
                depth += {"{": 1, "}": -1}.get(text[end], 0)
                end += 1
            if depth:
                raise SyntaxProblem("syntax error: missing '}'")
            inner, self.at = text[self.at + 2 : end - 1], end
            return Part("parameter", inner, quoted)
        end = self.at + 1
        if text[end : end + 1] in tuple("?$#@*!-0123456789"):
            end += 1
        else:
            while end < len(text) and (text[end].isalnum() or text[end] == "_"):
                end += 1
        name, self.at = text[self.at + 1 : end], end
        return Part("parameter", name, quoted) if name else Part("text", "$", quoted)

    def _balanced(self, at: int) -> int:
        """Behind the parenthesis that closes the one at `at`."""
        depth = 0
        while at < len(self.text):
            char = self.text[at]
            if char in "'\"":
                at = self._find(char, at + 1)
            elif char == "\\":
                at += 1
            depth += {"(": 1, ")": -1}.get(char, 0)
            at += 1
            if not depth:
                return at
        raise SyntaxProblem("syntax error: missing ')'")

    def _find(self, char: str, at: int) -> int:
        while at < len(self.text) and self.text[at] != char:
            at += 2 if self.text[at] == "\\" and char != "'" else 1
        if at >= len(self.text):
            raise SyntaxProblem("syntax error: unterminated quoted string")
        return at

    def _read_heredocs(self) -> None:
        for end, strip, quoted, parts in self.heredocs:
            lines: list[str] = []
            while True:
                line, found, _ = self.text[self.at :].partition("\n")
                if not line and not found:
                    break
                self.at += len(line) + len(found)
                line = line.lstrip("\t") if strip else line
                if line == end:
                    break
                lines.append(line + "\n")
            body = "".join(lines)
            if quoted:
                parts.append(Part("text", body, True))
            else:
                inner = _Lexer(body.replace('"', '\\"') + '"')
                inner._double(parts)
        self.heredocs.clear()


class _Parser:
    def __init__(self, text: str):
        self._lexer = _Lexer(text)
        self._peeked: _Token | None = None

    def peek(self) -> _Token:
        if self._peeked is None:
            self._peeked = self._lexer.next()
        return self._peeked

    def take(self) -> _Token:
        token = self.peek()
        self._peeked = None
        return token

    def shown(self) -> str:
        token = self.peek()
        return token.operator.replace("\n", "newline") or "".join(part.text for part in token.word) or "end of file"

    def reserved(self) -> str:
        """The reserved word that comes next, if one does."""
        word = self.peek().word
        if word and all(part.kind == "text" and not part.quoted for part in word):
            text = "".join(part.text for part in word)
            return text if text in RESERVED else ""
        return ""

    def expect(self, word: str) -> None:
        if self.reserved() != word and self.peek().operator != word:
            raise SyntaxProblem(f'syntax error: unexpected "{self.shown()}" (expecting "{word}")')
        self.take()

    def skip_newlines(self) -> None:
        while self.peek().operator == "\n":
            self.take()

    def listed(self, until: tuple[str, ...]) -> Node:
        made = Listed()
        while True:
            while self.peek().operator in ("\n", ";"):
                self.take()
            token = self.peek()
            if token.end or self.reserved() in until or token.operator in (")", ";;"):
                return made
            command = self.and_or()
            background = self.peek().operator == "&"
            if background or self.peek().operator in (";", "\n"):
                self.take()
            elif not (self.peek().end or self.reserved() in until or self.peek().operator in (")", ";;")):
                raise SyntaxProblem(f'syntax error: unexpected "{self.shown()}"')
            made.commands.append((command, background))

    def and_or(self) -> Node:
        made = self.pipeline()
        while self.peek().operator in ("&&", "||"):
            on_success = self.take().operator == "&&"
            self.skip_newlines()
            made = Both(made, self.pipeline(), on_success)
        return made

    def pipeline(self) -> Node:
        negated = False
        while self.reserved() == "!":
            self.take()
            negated = not negated
        commands = [self.command()]
        while self.peek().operator == "|":
            self.take()
            self.skip_newlines()
            commands.append(self.command())
        return Piped(commands, negated) if negated or len(commands) > 1 else commands[0]

    def command(self) -> Node:
        word = self.reserved()
        made: Node
        if word == "if":
            made = self.if_()
        elif word in ("while", "until"):
            self.take()
            condition = self.listed(("do",))
            made = While(condition, self.do(), word == "until")
        elif word == "for":
            made = self.for_()
        elif word == "case":
            made = self.case()
        elif word == "{":
            self.take()
            body = self.listed(("}",))
            self.expect("}")
            made = body
        elif self.peek().operator == "(":
            self.take()
            body = self.listed(())
            self.expect(")")
            return Group(body, self.redirections(), subshell=True)
        elif word:
            raise SyntaxProblem(f'syntax error: unexpected "{word}"')
        else:
            return self.simple()
        found = self.redirections()
        return Group(made, found) if found else made

    def if_(self) -> Node:
        branches = []
        otherwise = None
        self.take()
        while True:
            condition = self.listed(("then",))
            self.expect("then")
            branches.append((condition, self.listed(("elif", "else", "fi"))))
            word = self.reserved()
            self.take()
            if word == "else":
                otherwise = self.listed(("fi",))
                self.expect("fi")
            elif word not in ("elif", "fi"):
                raise SyntaxProblem('syntax error: unexpected end of file (expecting "fi")')
            if word != "elif":
                return If(branches, otherwise)

    def do(self) -> Node:
        self.expect("do")
        body = self.listed(("done",))
        self.expect("done")
        return body

    def for_(self) -> Node:
        self.take()
        name = "".join(part.text for part in self.take().word)
        self.skip_newlines()
        words: list[Word] | None = None
        if self.reserved() == "in":
            self.take()
            words = []
            while self.peek().word:
                words.append(self.take().word)
        while self.peek().operator in (";", "\n"):
            self.take()
        return For(name, words, self.do())

    def case(self) -> Node:
        self.take()
        word = self.take().word
        self.skip_newlines()
        self.expect("in")
        choices: list[tuple[list[Word], Node]] = []
        while True:
            self.skip_newlines()
            if self.reserved() == "esac":
                self.take()
                return Case(word, choices)
            if self.peek().operator == "(":
                self.take()
            patterns = [self.take().word]
            while self.peek().operator == "|":
                self.take()
                patterns.append(self.take().word)
            self.expect(")")
            choices.append((patterns, self.listed(("esac",))))
            if self.peek().operator == ";;":
                self.take()

    def simple(self) -> Node:
        made = Simple([], [], [])
        while True:
            token = self.peek()
            if token.operator in REDIRECTIONS:
                made.redirections.append(self.redirection())
            elif token.word:
                self.take()
                name, value = _assignment(token.word) if not made.words else ("", ())
                if name:
                    made.assignments.append((name, value))
                else:
                    made.words.append(token.word)
            elif token.operator == "(" and len(made.words) == 1 and not made.assignments:
                self.take()
                self.expect(")")
                self.skip_newlines()
                return Function("".join(part.text for part in made.words[0]), self.command())
            else:
                break
        if not (made.assignments or made.words or made.redirections):
            raise SyntaxProblem(f'syntax error: unexpected "{self.shown()}"')
        return made

    def redirections(self) -> list[Redirection]:
        found = []
        while self.peek().operator in REDIRECTIONS:
            found.append(self.redirection())
        return found

    def redirection(self) -> Redirection:
        token = self.take()
        target = self.take().word
        if not target:
            raise SyntaxProblem("syntax error: a redirection to nowhere")
        fd = token.fd if token.fd >= 0 else 0 if token.operator.startswith("<") else 1
        if token.operator.startswith("<<"):
            parts: list[Part] = []
            end = "".join(part.text for part in target)
            self._lexer.heredocs.append((end, token.operator == "<<-", any(part.quoted for part in target), parts))
            return Redirection(fd, "<<", _Later(parts))
        return Redirection(fd, token.operator, target)


class _Later(tuple):
    """The parts of a here-document, which are read after its line."""

    def __new__(cls, parts: list[Part]) -> _Later:
        made = super().__new__(cls, ())
        made.parts = parts  # type: ignore[attr-defined]
        return made

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self.parts)  # type: ignore[attr-defined]


def _assignment(word: Word) -> tuple[str, Word]:
    """NAME=value, as name and value."""
    name = ""
    for index, part in enumerate(word):
        if part.kind != "text" or part.quoted:
            break
        if part.text == "=":
            return (name, word[index + 1 :]) if name.isidentifier() else ("", ())
        name += part.text
    return "", ()
