"""Whether a test makes sense: that there is such a thing, and that the value is one for it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from django.utils.translation import gettext as _

from contacts.rules import subjects as kinds
from contacts.rules import tree
from contacts.rules.subjects import Subject
from contacts.rules.tree import And, Not, Or, Question, Rule, Today, Value
from lib.words import fold

# Days from today, and characters of a text.
_FURTHEST, _LONGEST = 36_600, 500
# Days within which a birthday may be looked for.
_YEAR = 366


class Wrong(ValueError):
    """The rule makes no sense; the text is a sentence that says why."""


def check(rule: Rule, known: Mapping[str, Subject]) -> Rule:
    """Give the rule with every value as its subject has it. Raises Wrong."""
    if tree.depth(rule) > tree.MOST_DEEP:
        raise Wrong(_("This rule is nested too deep."))
    if sum(1 for _test in tree.tests(rule)) > tree.MOST_TESTS:
        raise Wrong(_("A rule asks %(most)s questions at most.") % {"most": tree.MOST_TESTS})
    return _checked(rule, known)


def _checked(rule: Rule, known: Mapping[str, Subject]) -> Rule:
    if isinstance(rule, And | Or):
        if not rule.rules:
            raise Wrong(_("A group of questions is empty."))
        return type(rule)(tuple(_checked(inner, known) for inner in rule.rules))
    if isinstance(rule, Not):
        return Not(_checked(rule.rule, known))
    return check_test(rule, known)


def check_test(test: Question, known: Mapping[str, Subject]) -> Question:
    """Give a test with its value as its subject has it. Raises Wrong."""
    subject = known.get(test.what)
    if subject is None:
        raise Wrong(_("There is no field “%(name)s”.") % {"name": test.what})
    if test.function and subject.type != kinds.DATE:
        words = _("“%(name)s” is no date, so it has no %(function)s.")
        raise Wrong(words % {"name": subject.name, "function": test.function})
    if test.function not in ("", tree.AGE, tree.BIRTHDAY) or (
        test.operator not in subject.operators(test.function)
    ):
        words = _("“%(operator)s” cannot be asked of “%(name)s”.")
        raise Wrong(words % {"operator": test.operator.upper(), "name": subject.name})
    if test.operator in tree.BARE:
        return Question(test.what, test.operator, None, test.function)
    return Question(test.what, test.operator, _value(test, subject), test.function)


def _value(test: Question, subject: Subject) -> Value:
    value = test.value
    if test.function == tree.AGE or (not test.function and subject.type == kinds.NUMBER):
        return _number(value)
    if test.operator == tree.WITHIN:
        days = _number(value)
        if not isinstance(days, int) or not 0 <= days <= _YEAR:
            raise Wrong(_("Say a number of days, %(most)s at most.") % {"most": _YEAR})
        return days
    if subject.type in (kinds.DATE, kinds.MOMENT):
        return _day(value)
    if subject.type == kinds.YES_NO:
        return _truth(value)
    return _word(value, subject)


def _number(value: Value) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) >= 1e15:
        raise Wrong(_("A number belongs here, such as 18."))
    return int(value) if float(value).is_integer() else value


def _day(value: Value) -> Value:
    if isinstance(value, Today) and abs(value.days) <= _FURTHEST:
        return value
    if isinstance(value, date) and date(1000, 1, 2) < value < date(9000, 1, 1):
        return value
    raise Wrong(_("A day belongs here: 2000-01-31, today or today - 30."))


def _truth(value: Value) -> bool:
    if not isinstance(value, bool):
        raise Wrong(_("Yes or no belongs here."))
    return value


def _word(value: Value, subject: Subject) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST or "\x00" in value:
        raise Wrong(_('A text belongs here, such as "Lyon".'))
    if subject.type not in (kinds.CHOICE, kinds.MEMBER):
        return value.strip()  # as what is kept is
    for name, label in subject.choices:
        if fold(value) in (fold(name), fold(label)):
            return name
    if subject.name == "group":
        raise Wrong(_("There is no group “%(name)s”.") % {"name": value})
    if subject.name == "tag":
        raise Wrong(_("There is no tag “%(name)s”.") % {"name": value})
    words = _("“%(name)s” is none of %(choices)s.")
    raise Wrong(words % {"name": value, "choices": ", ".join(name for name, _l in subject.choices)})
