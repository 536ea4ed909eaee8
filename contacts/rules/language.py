"""Rules as text: `gender = "female" AND birthdate < 2000-01-01 AND NOT group = "staff"`.

    rule     = all { OR all }            all = one { AND one }
    one      = NOT one | "(" rule ")" | test
    test     = what ( IS EMPTY | IS KNOWN | operator value )
    what     = word | age(word) | birthday(word) | last message | last reply
    operator = "=" "!=" "<" "<=" ">" ">=" CONTAINS "STARTS WITH" "ENDS WITH" WITHIN
    value    = "text" | number | 2000-01-31 | yes | no | today [ + days | - days ]

Words are read in any case. A text and a tree say the same: `read(write(rule))` is the rule.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from django.utils.translation import gettext as _

from contacts.rules import checking, tree
from contacts.rules.subjects import DATE, Subject
from contacts.rules.tree import And, Not, Or, Question, Rule, Today, Value

# Characters of one rule.
MOST = 5000
_TOKEN = re.compile(
    r"""(?:
        (?P<text>"(?:[^"\\]|\\.)*")
      | (?P<day>\d{4}-\d\d-\d\d(?![\w.]))
      | (?P<number>\d+(?:\.\d+)?(?![\w.]))
      | (?P<word>[^\W\d]\w*)
      | (?P<sign><=|>=|!=|<>|[=<>()+-])
    )""",
    re.VERBOSE,
)
_SPACE = re.compile(r"\s*")
_PAIRS = {
    ("starts", "with"): tree.STARTS,
    ("ends", "with"): tree.ENDS,
    ("is", "empty"): tree.EMPTY,
    ("is", "known"): tree.KNOWN,
    ("last", "message"): "last_message",
    ("last", "reply"): "last_reply",
    ("time", "zone"): "time_zone",
    ("opted", "out"): "opted_out",
}
_SIGNS = ("=", "!=", "<", "<=", ">", ">=")
_YES, _NO = ("yes", "true"), ("no", "false")


class Mistake(ValueError):
    """The text is no rule: `at` is where (a count of characters), the text a sentence about it."""

    def __init__(self, words: str, at: int) -> None:
        super().__init__(words)
        self.at = at


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int

    @property
    def word(self) -> str:
        return self.text.casefold() if self.kind == "word" else ""


def read(text: str, known: Mapping[str, Subject]) -> Rule:
    """Give the rule that a text says. Raises Mistake, with its place."""
    if len(text) > MOST:
        raise Mistake(_("This rule is too long."), MOST)
    reader = _Reader(_tokens(text), known)
    rule = reader.rule(0)
    if reader.here.kind != "end":
        raise Mistake(_("AND or OR belongs here."), reader.here.at)
    try:
        return checking.check(rule, known)
    except checking.Wrong as error:
        raise Mistake(str(error), 0) from None


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while True:
        space = _SPACE.match(text, at)
        at = space.end() if space else at
        if at == len(text):
            return [*found, _Token("end", "", at)]
        match = _TOKEN.match(text, at)
        if match is None:
            if text[at] == '"':
                raise Mistake(_("The quotation mark that ends this text is missing."), at)
            raise Mistake(_("This cannot be read."), at)
        found.append(_Token(str(match.lastgroup), match[0], at))
        at = match.end()


class _Reader:
    """Reads tokens from the first to the last: one method for each line of the grammar."""

    def __init__(self, tokens: list[_Token], known: Mapping[str, Subject]) -> None:
        self.tokens, self.known, self.place = tokens, known, 0

    @property
    def here(self) -> _Token:
        return self.tokens[self.place]

    def take(self) -> _Token:
        token = self.here
        self.place = min(self.place + 1, len(self.tokens) - 1)
        return token

    def pair(self) -> str:
        """Take two words that mean one thing, or nothing."""
        after = self.tokens[min(self.place + 1, len(self.tokens) - 1)]
        if found := _PAIRS.get((self.here.word, after.word), ""):
            self.place += 2
        return found

    def rule(self, deep: int) -> Rule:
        if deep > 2 * tree.MOST_DEEP:
            raise Mistake(_("This rule is nested too deep."), self.here.at)
        found = [self.all(deep)]
        while self.here.word == "or":
            self.take()
            found.append(self.all(deep))
        return found[0] if len(found) == 1 else Or(tuple(found))

    def all(self, deep: int) -> Rule:
        found = [self.one(deep)]
        while self.here.word == "and":
            self.take()
            found.append(self.one(deep))
        return found[0] if len(found) == 1 else And(tuple(found))

    def one(self, deep: int) -> Rule:
        if self.here.word == "not":
            self.take()
            if deep > 2 * tree.MOST_DEEP:
                raise Mistake(_("This rule is nested too deep."), self.here.at)
            return Not(self.one(deep + 1))
        if self.here.text == "(" and self.here.kind == "sign":
            opened = self.take()
            found = self.rule(deep + 1)
            if self.here.text != ")":
                raise Mistake(_("This bracket is never closed."), opened.at)
            self.take()
            return found
        return self.test()

    def test(self) -> Question:
        begins = self.here.at
        function, what = self.what()
        asked_at = self.here.at
        operator = self.operator()
        value_at = self.here.at
        value = None if operator in tree.BARE else self.value()
        test = Question(what, operator, value, function)
        try:
            return checking.check_test(test, self.known)
        except checking.Wrong as error:
            raise Mistake(str(error), self._blame(test, begins, asked_at, value_at)) from None

    def _blame(self, test: Question, begins: int, asked_at: int, value_at: int) -> int:
        """Give the place of what is wrong: the field, the operator or the value."""
        subject = self.known.get(test.what)
        if subject is None or (test.function and subject.type != DATE):
            return begins
        fits = test.operator in subject.operators(test.function)
        return value_at if fits else asked_at

    def what(self) -> tuple[str, str]:
        if found := self.pair():
            return "", found
        token = self.take()
        if token.kind != "word" or token.word in ("and", "or", "not"):
            raise Mistake(_("The name of a field belongs here."), token.at)
        if token.word not in (tree.AGE, tree.BIRTHDAY) or self.here.text != "(":
            return "", token.word
        self.take()
        inner = self.take()
        if inner.kind != "word":
            raise Mistake(_("The name of a field belongs here."), inner.at)
        if self.here.text != ")":
            raise Mistake(_("A closing bracket belongs here."), self.here.at)
        self.take()
        return token.word, inner.word

    def operator(self) -> str:
        if found := self.pair():
            return found
        token = self.take()
        if token.text == "<>":
            return tree.OTHER
        if token.text in _SIGNS and token.kind == "sign":
            return token.text
        if token.word in (tree.CONTAINS, tree.WITHIN):
            return token.word
        raise Mistake(_("A comparison belongs here: =, !=, <, >, contains, is empty …"), token.at)

    def value(self) -> Value:
        token = self.take()
        if token.kind == "text":
            return re.sub(r"\\(.)", r"\1", token.text[1:-1], flags=re.DOTALL)
        if token.kind == "day":
            try:
                return date.fromisoformat(token.text)
            except ValueError:
                raise Mistake(_("There is no such day."), token.at) from None
        if token.kind == "number" or (token.text == "-" and self.here.kind == "number"):
            return self._number(token)
        if token.word in _YES or token.word in _NO:
            return token.word in _YES
        if token.word == "today":
            return Today(self._days())
        raise Mistake(
            _("A value belongs here: a text in quotation marks, a number, a day, yes or no."),
            token.at,
        )

    def _number(self, token: _Token) -> int | float:
        sign = -1 if token.text == "-" else 1
        written = self.take().text if token.text == "-" else token.text
        if len(written) > 20:
            raise Mistake(_("This number is too large."), token.at)
        return sign * (float(written) if "." in written else int(written))

    def _days(self) -> int:
        if self.here.text not in ("+", "-") or self.here.kind != "sign":
            return 0
        sign = -1 if self.take().text == "-" else 1
        days = self.take()
        if days.kind != "number" or not days.text.isdigit() or len(days.text) > 6:
            raise Mistake(_("A number of days belongs here."), days.at)
        if self.here.word in ("day", "days"):
            self.take()
        return sign * int(days.text)


def value_of(text: str) -> Value:
    """Give the value that a text says by itself: 18, 2000-01-31, today - 30. Raises Mistake."""
    reader = _Reader(_tokens(text[:100]), {})
    value = reader.value()
    if reader.here.kind != "end":
        raise Mistake(_("This cannot be read."), reader.here.at)
    return value


# ---- Writing -------------------------------------------------------------------------------------


def write(rule: Rule) -> str:
    """Give the text of a rule."""
    if isinstance(rule, And):
        return " AND ".join(_inside(inner, And) for inner in rule.rules)
    if isinstance(rule, Or):
        return " OR ".join(_inside(inner, Or) for inner in rule.rules)
    if isinstance(rule, Not):
        return f"NOT {_inside(rule.rule, Not)}"
    what = f"{rule.function}({rule.what})" if rule.function else rule.what
    operator = rule.operator.upper()
    return (
        f"{what} {operator}"
        if rule.operator in tree.BARE
        else f"{what} {operator} {said(rule.value)}"
    )


def _inside(rule: Rule, outer: type[And | Or | Not]) -> str:
    """Put brackets where the text would be read in another way without."""
    is_plain = isinstance(rule, Question | Not) or (isinstance(rule, And) and outer is Or)
    return write(rule) if is_plain else f"({write(rule)})"


def said(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Today):
        if not value.days:
            return "today"
        return f"today {'-' if value.days < 0 else '+'} {abs(value.days)}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'
    return _decimal(value)


def _decimal(value: float | None) -> str:
    """Write a number without an exponent, which the language does not know."""
    if value is None:
        return json.dumps("")
    return str(value) if isinstance(value, int) else f"{value:.15f}".rstrip("0").rstrip(".")
