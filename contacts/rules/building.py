"""A rule as a form: every question a line, every group of them a box, half-written ones and all.

A node's inputs are named by its path from the root: `n0.all`, `n0-1.what`. What a button does is one
of add, nest and remove, with the path it is for: `add:0`, `remove:0-1`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from contacts.rules import checking, language, tree
from contacts.rules import subjects as kinds
from contacts.rules.subjects import Subject
from contacts.rules.tree import And, Not, Or, Question, Rule, Value

ALL, ANY = "all", "any"


@dataclass(slots=True)
class Node:
    """A question (`what`, `operator`, `value` as typed) or a group of them (`inner`, joined by `join`).

    `what` is a subject's name, or `age:` or `birthday:` and one. `error` is what is wrong with it.
    """

    is_group: bool
    join: str = ALL
    negated: bool = False
    inner: list[Node] = field(default_factory=list)
    what: str = "name"
    operator: str = tree.CONTAINS
    value: str = ""
    error: str = ""
    path: str = "0"
    subject: Subject | None = None

    @property
    def function(self) -> str:
        return self.what.partition(":")[0] if ":" in self.what else ""

    @property
    def name(self) -> str:
        return self.what.rpartition(":")[2]

    @property
    def input_type(self) -> str:
        return self.subject.type if self.subject else kinds.TEXT

    @property
    def operators(self) -> list[tuple[str, str]]:
        """Give what may be asked, each with its words."""
        is_time = self.input_type in (kinds.DATE, kinds.MOMENT) and self.function != tree.AGE
        words = _operator_words(is_time)
        asked = self.subject.operators(self.function) if self.subject else ()
        return [(operator, words[operator]) for operator in asked]

    @property
    def input(self) -> str:
        """Say what the value is typed into: nothing, choice, yes_no, day, number or text."""
        if self.operator in tree.BARE:
            return "nothing"
        if self.function == tree.AGE or self.operator == tree.WITHIN:
            return "number"
        if self.input_type in (kinds.CHOICE, kinds.MEMBER):
            return "choice"
        return "day" if self.input_type in (kinds.DATE, kinds.MOMENT) else self.input_type

    @property
    def can_nest(self) -> bool:
        return self.path.count("-") < tree.MOST_DEEP // 2 - 1


def _operator_words(is_time: bool) -> dict[str, str]:
    return {
        tree.EQUAL: _("is"),
        tree.OTHER: _("is not"),
        tree.LESS: _("is before") if is_time else _("is less than"),
        tree.MOST: _("is on or before") if is_time else _("is at most"),
        tree.MORE: _("is after") if is_time else _("is more than"),
        tree.LEAST: _("is on or after") if is_time else _("is at least"),
        tree.CONTAINS: _("contains"),
        tree.STARTS: _("starts with"),
        tree.ENDS: _("ends with"),
        tree.EMPTY: _("is not known"),
        tree.KNOWN: _("is known"),
        tree.WITHIN: _("is within so many days"),
    }


def new() -> Node:
    return Node(is_group=True, inner=[Node(is_group=False)])


# ---- From and to what is posted --------------------------------------------------------------


def read(posted: Mapping[str, str], known: Mapping[str, Subject]) -> Node:
    """Give the form as it was posted; what is odd in it becomes a fresh question."""
    root = _read(posted, "0", 0)
    root = root if root.is_group else Node(is_group=True, inner=[root])
    return settle(root, known)


def _read(posted: Mapping[str, str], path: str, deep: int) -> Node:
    def said(name: str) -> str:
        return str(posted.get(f"n{path}.{name}", ""))[:1000].replace("\x00", "")

    count = said("count")
    negated = bool(said("not"))
    if count.isascii() and count.isdigit() and deep < tree.MOST_DEEP:
        places = range(min(int(count[:3]), tree.MOST_TESTS))
        inner = [_read(posted, f"{path}-{place}", deep + 1) for place in places]
        return Node(True, ANY if said("join") == ANY else ALL, negated, inner)
    return Node(
        False,
        negated=negated,
        what=said("what") or "name",
        operator=said("is"),
        value=said("value"),
    )


def settle(root: Node, known: Mapping[str, Subject], path: str = "0") -> Node:
    """Give every node its path, and every question a subject and an operator that exist."""
    root.path = path
    for place, inner in enumerate(root.inner):
        settle(inner, known, f"{path}-{place}")
    if root.is_group:
        return root
    subject = known.get(root.name)
    if subject is None or (root.function and subject.type != kinds.DATE):
        root.what, subject = "name", known["name"]
    root.subject = subject
    if root.operator not in subject.operators(root.function):
        root.operator = subject.operators(root.function)[0]
        root.value = ""
    return root


def act(root: Node, what: str, known: Mapping[str, Subject]) -> Node:
    """Do what a button says: `add:0` a question, `nest:0` a group of them, `remove:0-1`."""
    verb, _colon, path = what.partition(":")
    if verb == "remove":
        _remove(root, path)
    elif (node := _at(root, path)) and node.is_group and _size(root) < tree.MOST_TESTS:
        if verb == "add":
            node.inner.append(Node(is_group=False))
        elif verb == "nest" and node.can_nest:
            node.inner.append(Node(is_group=True, join=ANY, inner=[Node(is_group=False)]))
    return settle(root, known)


def _at(node: Node, path: str) -> Node | None:
    if node.path == path:
        return node
    return next((found for inner in node.inner if (found := _at(inner, path))), None)


def _remove(node: Node, path: str) -> None:
    node.inner = [inner for inner in node.inner if inner.path != path]
    for inner in node.inner:
        _remove(inner, path)
    # A group that has lost its last question goes, too.
    node.inner = [inner for inner in node.inner if inner.inner or not inner.is_group]


def _size(node: Node) -> int:
    return sum(map(_size, node.inner)) if node.is_group else 1


# ---- From and to rules -----------------------------------------------------------------------


def of_rule(rule: Rule, known: Mapping[str, Subject]) -> Node:
    """Give the form that says the same as a rule."""
    node = _of(rule)
    if not node.is_group:
        node = Node(is_group=True, inner=[node])
    return settle(node, known)


def _of(rule: Rule) -> Node:
    if isinstance(rule, Not):
        inner = _of(rule.rule)
        if inner.negated:
            return Node(True, ALL, True, [inner])
        inner.negated = True
        return inner
    if isinstance(rule, And | Or):
        return Node(
            True, ALL if isinstance(rule, And) else ANY, False, [_of(r) for r in rule.rules]
        )
    what = f"{rule.function}:{rule.what}" if rule.function else rule.what
    return Node(False, what=what, operator=rule.operator, value=_typed(rule.value))


def _typed(value: Value) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else language.said(value)


def to_rule(root: Node, known: Mapping[str, Subject]) -> Rule | None:
    """Give the rule that a form says, None when something in it is wrong: the nodes say what."""
    rule = _to(root, known)
    if rule is None:
        return None
    try:
        return checking.check(rule, known)
    except checking.Wrong as error:
        root.error = str(error)
        return None


def _to(node: Node, known: Mapping[str, Subject]) -> Rule | None:
    rule: Rule | None
    if node.is_group:
        found = [_to(inner, known) for inner in node.inner]
        rules = tuple(inner for inner in found if inner is not None)
        if len(rules) < len(found):
            return None
        if not rules:
            node.error = _("Add a question first.")
            return None
        joined = And(rules) if node.join == ALL else Or(rules)
        rule = rules[0] if len(rules) == 1 else joined
    else:
        rule = _test(node, known)
    return Not(rule) if node.negated and rule is not None else rule


def _test(node: Node, known: Mapping[str, Subject]) -> Question | None:
    try:
        test = Question(node.name, node.operator, _value(node), node.function)
        return checking.check_test(test, known)
    except checking.Wrong as error:
        node.error = str(error)
        return None


def _value(node: Node) -> Value:
    typed = node.value.strip()
    if node.input == "nothing":
        return None
    if node.input in ("day", "number", "yes_no"):
        if not typed:
            raise checking.Wrong(_("Something is missing here."))
        try:
            return language.value_of(typed.replace(",", "."))
        except language.Mistake:
            return typed  # which is said to be no number or day
    return typed
