"""Segments: rules with a name."""

from __future__ import annotations

from django.db.models import QuerySet

from accounts.models import Workspace
from contacts.models import Contact, Segment
from contacts.rules import checking, compiling, tree
from contacts.rules.subjects import subjects
from contacts.rules.tree import And, Not, Or, Question, Rule
from lib.words import fold


def rule_of(segment: Segment) -> Rule:
    """Give the rule of a segment; one that nobody can read is one that holds for nobody."""
    try:
        return tree.load(segment.rule)
    except tree.BadTree:
        return Or(())


def people(segment: Segment) -> QuerySet[Contact]:
    """Give whom the rule holds for at the moment, in no order; nobody while something is wrong with it."""
    return compiling.people(segment.workspace, rule_of(segment))


def problem(segment: Segment) -> str:
    """Say what is wrong with a rule, such as a field that was deleted; "" for a sound one."""
    try:
        checking.check(rule_of(segment), subjects(segment.workspace))
    except checking.Wrong as error:
        return str(error)
    return ""


def asking(workspace: Workspace, what: str, value: str | None = None) -> list[Segment]:
    """Give the segments that ask for something (a field's key, group or tag), or for one value of it."""
    return [
        segment
        for segment in workspace.segments.all()
        if any(
            test.what == what and (value is None or fold(str(test.value)) == fold(value))
            for test in tree.tests(rule_of(segment))
        )
    ]


def rename(workspace: Workspace, what: str, old: str, new: str) -> None:
    """Let the segments that ask for a group or tag go on under its new name."""
    for segment in asking(workspace, what, old):
        rule = tree.dump(_renamed(rule_of(segment), what, old, new))
        Segment.objects.filter(pk=segment.pk).update(rule=rule)


def _renamed(rule: Rule, what: str, old: str, new: str) -> Rule:
    if isinstance(rule, And | Or):
        return type(rule)(tuple(_renamed(inner, what, old, new) for inner in rule.rules))
    if isinstance(rule, Not):
        return Not(_renamed(rule.rule, what, old, new))
    if rule.what == what and isinstance(rule.value, str) and fold(rule.value) == fold(old):
        return Question(what, rule.operator, new, rule.function)
    return rule
