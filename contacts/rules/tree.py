"""The tree of a rule, and its form as JSON.

And(Question("gender", "=", "female"), Not(Question("group", "=", "staff")))
{"and": [{"what": "gender", "is": "=", "value": "female"}, {"not": {…}}]}
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

# How deep a rule may nest, and how many tests it may make.
MOST_DEEP, MOST_TESTS = 8, 50

EQUAL, OTHER, LESS, MOST, MORE, LEAST = "=", "!=", "<", "<=", ">", ">="
CONTAINS, STARTS, ENDS = "contains", "starts with", "ends with"
EMPTY, KNOWN, WITHIN = "is empty", "is known", "within"
# Tests that need no value.
BARE = (EMPTY, KNOWN)
OPERATORS = (EQUAL, OTHER, LESS, MOST, MORE, LEAST, CONTAINS, STARTS, ENDS, EMPTY, KNOWN, WITHIN)
AGE, BIRTHDAY = "age", "birthday"


class BadTree(ValueError):
    """The JSON is no rule."""


@dataclass(frozen=True, slots=True)
class Today:
    """The day on which somebody looks, so many days later."""

    days: int = 0


Value = str | int | float | bool | date | Today | None


@dataclass(frozen=True, slots=True)
class Question:
    """One question about somebody. `function` is "", age or birthday."""

    what: str
    operator: str
    value: Value = None
    function: str = ""


@dataclass(frozen=True, slots=True)
class Not:
    rule: Rule


@dataclass(frozen=True, slots=True)
class And:
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Or:
    rules: tuple[Rule, ...]


Rule = Question | Not | And | Or


def tests(rule: Rule) -> Iterator[Question]:
    """Give every test of a rule, in order."""
    if isinstance(rule, Question):
        yield rule
    elif isinstance(rule, Not):
        yield from tests(rule.rule)
    else:
        for inner in rule.rules:
            yield from tests(inner)


def depth(rule: Rule) -> int:
    if isinstance(rule, Question):
        return 1
    if isinstance(rule, Not):
        return 1 + depth(rule.rule)
    return 1 + max((depth(inner) for inner in rule.rules), default=0)


def dump(rule: Rule) -> dict[str, Any]:
    """Give a rule as JSON."""
    if isinstance(rule, And):
        return {"and": [dump(inner) for inner in rule.rules]}
    if isinstance(rule, Or):
        return {"or": [dump(inner) for inner in rule.rules]}
    if isinstance(rule, Not):
        return {"not": dump(rule.rule)}
    value: Any = rule.value
    if isinstance(value, Today):
        value = {"today": value.days}
    elif isinstance(value, date):
        value = {"day": value.isoformat()}
    said: dict[str, Any] = {"what": rule.what, "is": rule.operator, "value": value}
    return said | ({"function": rule.function} if rule.function else {})


def load(thing: Any, deep: int = 0) -> Rule:
    """Give the rule of a JSON. Raises BadTree."""
    if not isinstance(thing, dict) or deep > 2 * MOST_DEEP:
        raise BadTree
    for word, kind in (("and", And), ("or", Or)):
        if isinstance(thing.get(word), list):
            return kind(tuple(load(inner, deep + 1) for inner in thing[word]))
    if "not" in thing:
        return Not(load(thing["not"], deep + 1))
    try:
        return Question(
            str(thing["what"]),
            str(thing["is"]),
            _value(thing.get("value")),
            str(thing.get("function", "")),
        )
    except (KeyError, ValueError, OverflowError) as error:
        raise BadTree from error


def _value(value: Any) -> Value:
    if isinstance(value, dict):
        if "today" in value:
            return Today(int(value["today"]))
        return date.fromisoformat(str(value["day"]))
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise ValueError
