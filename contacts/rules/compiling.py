"""A rule as one condition of one query. Nobody is looked at one by one.

What is not known matches no comparison; `!=` and NOT are the exact opposite, so they hold for whom nothing
is known of. That is why every comparison says itself that there is a value: NULL never decides.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Substr
from django.db.models.lookups import In
from django.utils import timezone

from accounts.models import Workspace
from contacts.models import Contact, Group, OptOut, Tag
from contacts.rules import checking, tree
from contacts.rules import subjects as kinds
from contacts.rules.subjects import Subject, happened, subjects
from contacts.rules.tree import And, Not, Or, Question, Rule, Today
from lib import e164
from lib.words import fold

_NOBODY = Q(pk__in=[])
_LOOKUPS = {tree.LESS: "lt", tree.MOST: "lte", tree.MORE: "gt", tree.LEAST: "gte"}
_WORDS = {
    tree.EQUAL: "iexact",
    tree.CONTAINS: "icontains",
    tree.STARTS: "istartswith",
    tree.ENDS: "iendswith",
}
_FOLDED = {
    tree.EQUAL: "exact",
    tree.CONTAINS: "contains",
    tree.STARTS: "startswith",
    tree.ENDS: "endswith",
}


def people(workspace: Workspace, rule: Rule, now: datetime | None = None) -> QuerySet[Contact]:
    """Give the living people of a workspace whom a rule holds for, in no order."""
    return Contact.objects.living().filter(condition(workspace, rule, now), workspace=workspace)


def condition(workspace: Workspace, rule: Rule, now: datetime | None = None) -> Q:
    """Give a rule as a condition. One that asks for what is no more, a deleted field, holds for nobody:
    its opposite would hold for everybody."""
    compiler = _Compiler(workspace, now or timezone.now())
    try:
        return compiler.of(checking.check(rule, compiler.known))
    except checking.Wrong:
        return _NOBODY


class _Compiler:
    """Makes conditions. `today` is the day in the workspace's time zone."""

    def __init__(self, workspace: Workspace, now: datetime) -> None:
        self.workspace = workspace
        self.known = subjects(workspace)
        try:
            self.zone = ZoneInfo(workspace.time_zone)
        except (ZoneInfoNotFoundError, ValueError):
            self.zone = ZoneInfo("UTC")
        self.today = now.astimezone(self.zone).date()

    def of(self, rule: Rule) -> Q:
        if isinstance(rule, Not):
            return ~self.of(rule.rule)
        if isinstance(rule, And | Or):
            found = Q()
            for inner in rule.rules:
                found = found & self.of(inner) if isinstance(rule, And) else found | self.of(inner)
            return found if rule.rules else _NOBODY
        subject = self.known[rule.what]
        if rule.operator == tree.OTHER:
            return ~self.test(Question(rule.what, tree.EQUAL, rule.value, rule.function), subject)
        if rule.operator == tree.EMPTY:
            return ~self.test(Question(rule.what, tree.KNOWN, None, rule.function), subject)
        return self.test(rule, subject)

    def test(self, test: Question, subject: Subject) -> Q:
        if test.function == tree.AGE:
            return self.age(test)
        if test.function == tree.BIRTHDAY:
            return self.birthday(test)
        if subject.is_field:
            return self.field(test, subject)
        if subject.type == kinds.MEMBER:
            return self.member(test)
        if subject.type == kinds.MOMENT:
            return self.moment(test)
        if subject.type == kinds.YES_NO:
            return self.opted_out(test)
        return self.plain(test)

    def day(self, value: object) -> date:
        if isinstance(value, Today):
            return self.today + timedelta(days=value.days)
        return value if isinstance(value, date) else self.today

    # ---- Fields --------------------------------------------------------------------------------

    def field(self, test: Question, subject: Subject) -> Q:
        key, value = test.what, test.value
        there = Q(values__has_key=key)
        if test.operator == tree.KNOWN:
            return there
        if subject.type == kinds.TEXT:
            return there & Q(**{f"values__{key}__{_WORDS[test.operator]}": str(value)})
        if subject.type == kinds.DATE:
            value = self.day(value).isoformat()
        lookup = _LOOKUPS.get(test.operator)
        return there & Q(**{f"values__{key}__{lookup}" if lookup else f"values__{key}": value})

    def age(self, test: Question) -> Q:
        """Compare whole years: who is 18 was born after the day 19 years ago, and not after that 18 ago.

        Days are compared as texts, so that 29 February may be named in every year.
        """
        years = test.value
        if isinstance(years, bool) or not isinstance(years, int | float):
            return _NOBODY
        # Ages are whole: more than 17.5 is at least 18, at most 17.5 at most 17.
        whole = int(years // 1)
        if test.operator == tree.EQUAL:
            if whole != years:
                return _NOBODY
            return self._born(test.what, "gt", whole + 1) & self._born(test.what, "lte", whole)
        if test.operator == tree.LEAST:
            return self._born(test.what, "lte", whole if whole == years else whole + 1)
        if test.operator == tree.MORE:
            return self._born(test.what, "lte", whole + 1)
        if test.operator == tree.LESS:
            return self._born(test.what, "gt", whole if whole == years else whole + 1)
        return self._born(test.what, "gt", whole + 1)

    def _born(self, key: str, lookup: str, years: int) -> Q:
        year = self.today.year - years
        if not 1 <= year <= 9999:
            return Q(values__has_key=key) if (year < 1) == (lookup == "gt") else _NOBODY
        day = f"{year:04}-{self.today:%m-%d}"
        return Q(values__has_key=key) & Q(**{f"values__{key}__{lookup}": day})

    def birthday(self, test: Question) -> Q:
        """Compare month and day."""
        if test.operator == tree.WITHIN:
            days = test.value if isinstance(test.value, int) else 0
            wanted = [self.today + timedelta(days=more) for more in range(days + 1)]
        else:
            wanted = [self.day(test.value)]
        words = {shown for day in wanted for shown in days_shown_on(day)}
        shown = Substr(KeyTextTransform(test.what, "values"), 6)
        return Q(values__has_key=test.what) & Q(In(shown, sorted(words)))

    # ---- What everybody has --------------------------------------------------------------------

    def plain(self, test: Question) -> Q:
        what, operator, said = test.what, test.operator, str(test.value)
        if operator == tree.KNOWN:
            return ~Q(**{what: ""})
        if what == "name":
            return ~Q(sorted_name="") & Q(**{f"sorted_name__{_FOLDED[operator]}": fold(said)[:200]})
        if what == "number":
            if operator == tree.EQUAL:
                said = e164.normal(said, self.workspace.country)
            return Q(**{f"number__{_FOLDED[operator]}": said.replace(" ", "")})
        return ~Q(**{what: ""}) & Q(**{f"{what}__{_WORDS[operator]}": said})

    def member(self, test: Question) -> Q:
        owner: type[Group | Tag] = Group if test.what == "group" else Tag
        mine = owner.objects.filter(workspace=self.workspace)
        if test.operator != tree.KNOWN:
            mine = mine.filter(folded=fold(str(test.value)))
        through = owner.contacts.through.objects
        column = f"{owner._meta.model_name}__in"
        return Q(pk__in=through.filter(**{column: mine}).values("contact_id"))

    def opted_out(self, test: Question) -> Q:
        rows = OptOut.objects.filter(workspace=OuterRef("workspace"), number=OuterRef("number"))
        is_there = Q(Exists(rows))
        if test.operator == tree.KNOWN:
            return Q(pk__isnull=False)
        return is_there if test.value else ~is_there

    def moment(self, test: Question) -> Q:
        if test.operator == tree.KNOWN:
            return self.since(test.what, None)
        day = self.day(test.value)
        begins, ends = self.midnight(day), self.midnight(day + timedelta(days=1))
        ever = self.since(test.what, None)
        if test.operator == tree.LEAST:
            return self.since(test.what, begins)
        if test.operator == tree.MORE:
            return self.since(test.what, ends)
        if test.operator == tree.LESS:
            return ever & ~self.since(test.what, begins)
        if test.operator == tree.MOST:
            return ever & ~self.since(test.what, ends)
        return self.since(test.what, begins) & ~self.since(test.what, ends)

    def since(self, what: str, at: datetime | None) -> Q:
        if what in happened:
            return happened[what](at)
        column = {"created": "created_at", "updated": "updated_at"}[what]
        return Q(pk__isnull=False) if at is None else Q(**{f"{column}__gte": at})

    def midnight(self, day: date) -> datetime:
        return datetime.combine(day, time.min, tzinfo=self.zone)


def days_shown_on(day: date) -> set[str]:
    """Give the birthdays (MM-DD) that are kept on a day: 29 February on the 28th where there is none."""
    shown = {f"{day:%m-%d}"}
    if f"{day + timedelta(days=1):%m-%d}" == "03-01":
        shown.add("02-29")
    return shown
