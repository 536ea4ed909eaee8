"""When a campaign leaves, as a form: now, at a time, or again and again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils import timezone
from django.utils.dates import WEEKDAYS
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Workspace
from accounts.places import time_zones
from campaigns import recurring, rhythms, wording
from campaigns.models import Campaign, Recurrence
from campaigns.rhythms import DAY, LAST, MONTH, MOST_EVERY, MOST_RUNS, WEEK, WORKING, YEAR, Rhythm
from contacts.models import FieldType
from lib import zones

NOW, LATER, AGAIN = "now", "later", "again"
# Units besides those of a rhythm: Monday to Friday, and a date that each contact has.
_WEEKDAYS, _BIRTHDAY = "weekdays", "birthday"
_WORKING = "working"
# Days ahead that something may be planned; hours that it may be spread over, or late.
_FURTHEST, _MOST_HOURS = timedelta(days=366), 168
_MINUTE = "%Y-%m-%dT%H:%M"
_SHOWN = 10
_PARTS = {
    NOW: (),
    LATER: ("at",),
    AGAIN: (
        "unit", "every", "weekdays", "which", "month_day", "weekday", "birthday", "first", "clock",
        "end", "until", "count",
    ),
}  # fmt: skip


class WallClockField(forms.Field):
    """A day and a time as some clock shows them → a naive datetime, to the minute."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local", "step": "60"}, format=_MINUTE)

    def to_python(self, value: Any) -> datetime | None:
        if value in self.empty_values:
            return None
        try:
            return datetime.fromisoformat(str(value)).replace(tzinfo=None, second=0, microsecond=0)
        except ValueError:
            raise forms.ValidationError(_("This is not a date and a time.")) from None


def _whole(least: int, most: int, **options: Any) -> forms.IntegerField:
    widget = forms.NumberInput(attrs={"min": least, "max": most, "class": "w-auto"})
    limits = [MinValueValidator(least), MaxValueValidator(most)]
    return forms.IntegerField(required=False, widget=widget, validators=limits, **options)


def _day(**options: Any) -> forms.DateField:
    widget = forms.DateInput(attrs={"type": "date", "class": "w-auto"}, format="%Y-%m-%d")
    limits = [MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2100, 1, 1))]
    return forms.DateField(required=False, widget=widget, validators=limits, **options)


class WhenForm(forms.Form):
    """When a campaign leaves. templates/campaigns/_when.html draws it, in whatever form it stands.

    `when` is now, later or again. Of later there is `at`, of again what begins a rhythm: `unit`, `every`,
    `weekdays` (of a week), `which` with `month_day` or `weekday` (of a month), `birthday` (a field's key),
    `first` (the first day) and `clock`, `end` with `until` or `count`. Of both there are `zone` and
    `own_zone`, of all `spread` and `late` (hours).

    Valid, `values` are fields of Campaign by name: send_at (None = now, or again), time_zone, own_zone,
    spread (seconds), late (hours); `rhythm` is None or what recurring.arrange takes, with `birthday` its key.
    """

    when = forms.ChoiceField(
        choices=[
            (NOW, gettext_lazy("Now")),
            (LATER, gettext_lazy("Later")),
            (AGAIN, gettext_lazy("Again and again")),
        ],
        required=False,
    )
    at = WallClockField(required=False, label=gettext_lazy("Day and time"))
    zone = forms.ChoiceField(label=gettext_lazy("Time zone"), required=False)
    own_zone = forms.BooleanField(
        label=gettext_lazy("At this time by each recipient's own clock, wherever they live"),
        required=False,
    )
    spread = _whole(0, _MOST_HOURS, label=gettext_lazy("Spread over"))
    late = _whole(0, _MOST_HOURS, label=gettext_lazy("If this site was down then"))
    unit = forms.ChoiceField(label=gettext_lazy("How often"), required=False)
    every = _whole(1, MOST_EVERY, label=gettext_lazy("Every"))
    weekdays = forms.TypedMultipleChoiceField(
        label=gettext_lazy("On"),
        choices=list(WEEKDAYS.items()),
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    which = forms.ChoiceField(label=gettext_lazy("On the"), required=False)
    month_day = forms.TypedChoiceField(
        label=gettext_lazy("Day of the month"),
        choices=[*((day, day) for day in range(1, 32)), (LAST, gettext_lazy("last"))],
        coerce=int,
        required=False,
    )
    weekday = forms.ChoiceField(
        label=gettext_lazy("Day of the week"),
        choices=[*WEEKDAYS.items(), (_WORKING, gettext_lazy("weekday"))],
        required=False,
    )
    birthday = forms.ChoiceField(label=gettext_lazy("Date of each contact"), required=False)
    first = _day(label=gettext_lazy("First day"))
    clock = forms.TimeField(
        label=gettext_lazy("At"),
        required=False,
        widget=forms.TimeInput(attrs={"type": "time", "class": "w-auto"}, format="%H:%M"),
    )
    end = forms.ChoiceField(
        label=gettext_lazy("It ends"),
        choices=[
            ("", gettext_lazy("never")),
            ("until", gettext_lazy("on a day")),
            ("count", gettext_lazy("after so many times")),
        ],
        required=False,
    )
    until = _day(label=gettext_lazy("Last day"))
    count = _whole(1, MOST_RUNS, label=gettext_lazy("Times"))

    def __init__(
        self,
        workspace: Workspace,
        data: Mapping[str, Any] | None = None,
        *,
        campaign: Campaign | None,
    ) -> None:
        self.workspace = workspace
        self.recurrence = Recurrence.objects.filter(pattern=campaign).first() if campaign else None
        self._now = timezone.now()
        self.rhythm: Rhythm | None = None
        super().__init__(data, initial=self._initial(campaign))
        chosen = str(self["zone"].value() or workspace.time_zone)
        offered = time_zones()
        if chosen not in dict(offered) and zones.known(chosen):
            offered = [*offered, (chosen, chosen)]
        self._offer("zone", offered)
        dates = workspace.fields.filter(type=FieldType.DATE, deleted_at=None)
        self._offer("birthday", dates.values_list("key", "label"))
        units = [
            (DAY, _("day")), (_WEEKDAYS, _("weekday (Monday to Friday)")), (WEEK, _("week")),
            (MONTH, _("month")), (YEAR, _("year")),
        ]  # fmt: skip
        if self.fields["birthday"].choices:  # type: ignore[attr-defined]
            units.append((_BIRTHDAY, _("birthday, or another date of each contact")))
        self._offer("unit", units)
        self._offer("which", [("day", _("day")), *wording.NTHS.items()])

    def _offer(self, name: str, choices: Iterable[Any]) -> None:
        self.fields[name].choices = list(choices)  # type: ignore[attr-defined]

    def _initial(self, campaign: Campaign | None) -> dict[str, Any]:
        """Give what is stored, and what is likely for the rest."""
        zone = (campaign and campaign.time_zone) or self.workspace.time_zone
        here = zones.shown(self._now, zones.zone(zone))
        said: dict[str, Any] = {
            "when": NOW, "zone": zone, "own_zone": False, "spread": 0, "late": 24, "unit": DAY,
            "every": 1, "weekdays": [here.weekday()], "which": "day", "month_day": here.day,
            "weekday": here.weekday(), "first": here.date(), "clock": time(9, 0), "end": "", "count": 10,
        }  # fmt: skip
        if campaign is None:
            return said
        said |= {
            "own_zone": campaign.own_zone,
            "spread": round(campaign.spread / 3600),
            "late": campaign.late,
        }
        if self.recurrence:
            return said | {"when": AGAIN, **_said_of(self.recurrence)}
        if campaign.send_at:
            said |= {"when": LATER, "at": zones.shown(campaign.send_at, zones.zone(zone))}
        return said

    # ---- What is right and wrong ----------------------------------------------------------------

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        data["when"] = data.get("when") or NOW
        for kind, names in _PARTS.items():
            for name in names if kind != data["when"] else ():
                # What was typed before somebody changed their mind does not matter.
                self.errors.pop(name, None)
        data["send_at"] = None
        data["zone"] = data.get("zone") or self.workspace.time_zone
        if data["when"] == LATER:
            self._check_time(data)
        elif data["when"] == AGAIN:
            self._check_rhythm(data)
        return data

    def _check_time(self, data: dict[str, Any]) -> None:
        wall, where = data.get("at"), zones.zone(data["zone"])
        if wall is None:
            if "at" not in self.errors:
                self.add_error("at", _("Choose the day and the time, or send it now."))
        elif not date(2000, 1, 1) < wall.date() < date(2100, 1, 1):
            self.add_error("at", _("This is not a date and a time."))
        elif not zones.exists(wall, where):
            words = _(
                "This time does not exist: the clocks go forward that night. Choose an hour later."
            )
            self.add_error("at", words)
        elif (at := zones.moment(wall, where)) < self._now.replace(second=0, microsecond=0):
            self.add_error("at", _("This time has passed. Choose a later one, or send it now."))
        elif at > self._now + _FURTHEST:
            self.add_error("at", _("This is more than a year ahead. Choose an earlier day."))
        else:
            data["send_at"] = at

    def _check_rhythm(self, data: dict[str, Any]) -> None:
        unit = data.get("unit") or DAY
        first, clock = data.get("first"), data.get("clock")
        if clock is None and "clock" not in self.errors:
            self.add_error("clock", _("Say at what time of the day."))
        if first is None and "first" not in self.errors:
            self.add_error("first", _("Say from which day on."))
        if first and first > (self._now + _FURTHEST).date():
            self.add_error("first", _("This is more than a year ahead. Choose an earlier day."))
        if unit == WEEK and not data.get("weekdays") and "weekdays" not in self.errors:
            self.add_error("weekdays", _("Tick one day at least."))
        if unit == _BIRTHDAY and not data.get("birthday") and "birthday" not in self.errors:
            self.add_error("birthday", _("Choose the date that counts."))
        self._check_end(data)
        if self.errors or first is None or clock is None:
            return
        rhythm = self._rhythm(
            data, unit, datetime.combine(first, clock.replace(second=0, microsecond=0))
        )
        if rhythm.following(self._now) is None:
            name = data.get("end") or "first"
            self.add_error(name, _("All of its runs have passed. Choose a later end."))
            return
        self.rhythm = rhythm

    def _check_end(self, data: dict[str, Any]) -> None:
        end = data.get("end")
        if end == "until" and not data.get("until") and "until" not in self.errors:
            self.add_error("until", _("Say which day is the last one."))
        if end == "count" and not data.get("count") and "count" not in self.errors:
            self.add_error("count", _("Say how many times."))

    def _rhythm(self, data: dict[str, Any], unit: str, starts: datetime) -> Rhythm:
        said: dict[str, Any] = {}
        if unit == WEEK:
            said = {"unit": WEEK, "days": tuple(sorted(data["weekdays"]))}
        elif unit == _WEEKDAYS:
            said = {"unit": WEEK, "days": WORKING}
        elif unit == MONTH and data.get("which", "day") not in ("", "day"):
            weekday = data.get("weekday") or "0"
            days = WORKING if weekday == _WORKING else (int(weekday),)
            said = {"unit": MONTH, "nth": int(data["which"]), "days": days}
        elif unit == MONTH:
            said = {"unit": MONTH, "day": data.get("month_day") or 1}
        elif unit == YEAR:
            said = {"unit": YEAR, "month": starts.month, "day": starts.day}
        end = data.get("end")
        return Rhythm(
            starts=starts,
            zone=data["zone"],
            every=(data.get("every") or 1) if unit not in (_WEEKDAYS, _BIRTHDAY) else 1,
            until=data.get("until") if end == "until" else None,
            count=data.get("count") if end == "count" else None,
            **said,
        )

    # ---- What came of it ------------------------------------------------------------------------

    @property
    def values(self) -> dict[str, Any]:
        """Give the fields of Campaign that a valid form says."""
        data = self.cleaned_data
        return {
            "send_at": data["send_at"],
            "time_zone": data["zone"],
            "own_zone": bool(data.get("own_zone")) and data["when"] != NOW,
            "spread": (data.get("spread") or 0) * 3600,
            "late": 24 if data.get("late") is None else data["late"],
        }

    @property
    def birthday_key(self) -> str:
        """Give the key of the date that each run goes by, "" for none."""
        data = self.cleaned_data
        return str(data["birthday"]) if self.rhythm and data.get("unit") == _BIRTHDAY else ""

    @property
    def words(self) -> str:
        """Say what a valid form that recurs says."""
        if self.rhythm is None:
            return ""
        labels = dict(self.fields["birthday"].choices)  # type: ignore[attr-defined]
        return wording.in_words(
            self.rhythm,
            birthday=str(labels.get(self.birthday_key, "")),
            own_zone=bool(self.cleaned_data.get("own_zone")),
        )

    @cached_property
    def coming(self) -> list[datetime]:
        """Give the next runs as clocks in their zone show them, naive."""
        if self.rhythm is None:
            return []
        where = zones.zone(self.rhythm.zone)
        runs = self.rhythm.next_runs(_SHOWN, self._now)
        return [zones.shown(run, where) for run in runs]


def _said_of(recurrence: Recurrence) -> dict[str, Any]:
    """Give what the form says of a recurrence."""
    said: dict[str, Any] = {
        "zone": recurrence.zone,
        "first": recurrence.starts_on,
        "clock": recurrence.at,
        "birthday": recurrence.birthday,
    }
    try:
        rhythm = recurring.rhythm_of(recurrence)
    except rhythms.BadRule:
        return said
    unit = rhythm.unit
    if recurrence.birthday:
        unit = _BIRTHDAY
    elif rhythm.unit == WEEK and rhythm.days == WORKING and rhythm.every == 1:
        unit = _WEEKDAYS
    said |= {"unit": unit, "every": rhythm.every}
    if rhythm.unit == WEEK:
        said["weekdays"] = list(rhythm.days)
    if rhythm.unit == MONTH:
        said["which"] = rhythm.nth or "day"
        if rhythm.nth:
            said["weekday"] = _WORKING if rhythm.days == WORKING else rhythm.days[0]
        else:
            said["month_day"] = rhythm.day
    if rhythm.until:
        said |= {"end": "until", "until": rhythm.until}
    if rhythm.count:
        said |= {"end": "count", "count": rhythm.count}
    return said
