"""The settings page "Quiet hours": when nobody is written to, everywhere and in single countries."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.http import MemberRequest, manager
from accounts.models import Workspace
from accounts.places import countries
from lib import zones
from messaging import quiet
from messaging.models import QuietHours

_DAYS = [(str(number), name) for number, name in WEEKDAYS.items()]
_CLOCK = "%H:%M"


def _clock(**options: Any) -> forms.TimeField:
    return forms.TimeField(
        required=False,
        widget=forms.TimeInput(attrs={"type": "time", "class": "w-auto"}, format=_CLOCK),
        error_messages={"invalid": gettext_lazy("This is no time of day, such as 20:00.")},
        **options,
    )


class QuietForm(forms.Form):
    """Quiet hours of a country; `fields_of` gives what is stored of a valid one."""

    country = forms.ChoiceField(label=gettext_lazy("Where"), required=False)
    is_off = forms.BooleanField(
        label=gettext_lazy("No quiet hours here: messages leave at any hour"), required=False
    )
    begins = _clock(label=gettext_lazy("They begin at"), initial="20:00")
    ends = _clock(
        label=gettext_lazy("They end at"),
        initial="08:00",
        help_text=gettext_lazy(
            "By the clock where people live; the next morning if it is earlier."
        ),
    )
    days = forms.TypedMultipleChoiceField(
        label=gettext_lazy("On the evenings of"),
        choices=_DAYS,
        coerce=int,
        required=False,
        initial=[str(day) for day in range(7)],
        widget=forms.CheckboxSelectMultiple,
    )
    whole_days = forms.TypedMultipleChoiceField(
        label=gettext_lazy("And all day on"),
        choices=_DAYS,
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(
        self, workspace: Workspace, here: QuietHours | None, data: QueryDict | None
    ) -> None:
        super().__init__(data, initial=_said(here) if here else None)
        taken = set(workspace.quiet_hours.values_list("country", flat=True))
        free = [("", _("Everywhere")), *countries()]
        if here:
            del self.fields["country"]
            if not here.country:
                del self.fields["is_off"]
        else:
            free = [choice for choice in free if choice[0] not in taken]
            self.fields["country"].choices = free  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if data.get("is_off"):
            if not data.get("country", "-"):
                self.add_error("is_off", _("Without quiet hours anywhere there is nothing to add."))
            return data
        begins, ends = data.get("begins"), data.get("ends")
        if (begins is None) != (ends is None):
            missing = "ends" if begins else "begins"
            if missing not in self.errors:
                self.add_error(missing, _("Say both when they begin and when they end."))
        elif begins is not None and begins == ends:
            self.add_error("ends", _("They end when they begin. For a whole day, tick it below."))
        if len(data.get("whole_days", ())) == len(WEEKDAYS):
            self.add_error("whole_days", _("Then nothing would ever leave. Leave one day out."))
        if not self.errors and not data["whole_days"] and not (begins and data["days"]):
            self.add_error("days", _("Tick the days on which they begin."))
        return data

    @property
    def fields_of(self) -> dict[str, Any]:
        data = self.cleaned_data
        if data.get("is_off"):
            return {"is_off": True, "begins": None, "ends": None, "days": [], "whole_days": []}
        has_nights = data["begins"] is not None
        return {
            "is_off": False,
            "begins": data["begins"],
            "ends": data["ends"],
            "days": data["days"] if has_nights else [],
            "whole_days": data["whole_days"],
        }


def _said(here: QuietHours) -> dict[str, Any]:
    return {
        "is_off": here.is_off,
        "begins": here.begins,
        "ends": here.ends,
        "days": [str(day) for day in here.days],
        "whole_days": [str(day) for day in here.whole_days],
    }


@require_GET
@manager
def quiet_hours(request: MemberRequest) -> HttpResponse:
    """List the quiet hours: those for everywhere, then those of single countries."""
    named = dict(countries())
    own = request.workspace.quiet_hours.all()
    rows = [
        {
            "hours": hours,
            "where": named.get(hours.country, hours.country) or _("Everywhere"),
            "words": quiet.in_words(hours),
            "zone": zones.of_country(hours.country),
        }
        for hours in sorted(own, key=lambda hours: named.get(hours.country, ""))
    ]
    now = timezone.now()
    country = request.workspace.country
    until = quiet.allowed_at(request.workspace, country, now)
    shown = {
        "rows": rows,
        "here": named.get(country, country),
        "until": until if until > now else None,
    }
    return render(request, "messaging/quiet_hours.html", shown)


@require_http_methods(["GET", "HEAD", "POST"])
@manager
def add(request: MemberRequest) -> HttpResponse:
    form = QuietForm(request.workspace, None, request.POST or None)
    if form.is_bound and form.is_valid():
        try:
            with transaction.atomic():
                request.workspace.quiet_hours.create(
                    country=form.cleaned_data["country"], **form.fields_of
                )
        except IntegrityError:
            form.add_error("country", _("It has its quiet hours already. Change those instead."))
        else:
            messages.success(request, _("Saved."))
            return redirect("quiet_hours")
    return _page(request, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
@manager
def edit(request: MemberRequest, pk: int) -> HttpResponse:
    here = _find(request, pk)
    form = QuietForm(request.workspace, here, request.POST or None)
    if form.is_bound and form.is_valid():
        request.workspace.quiet_hours.filter(pk=pk).update(**form.fields_of)
        messages.success(request, _("Saved."))
        return redirect("quiet_hours")
    return _page(request, form, here)


@require_POST
@manager
def delete(request: MemberRequest, pk: int) -> HttpResponse:
    _find(request, pk).delete()
    messages.success(request, _("Removed. What waited for its end still leaves at that time."))
    return redirect("quiet_hours")


def _page(request: MemberRequest, form: QuietForm, here: QuietHours | None) -> HttpResponse:
    where = dict(countries()).get(here.country, here.country) if here else ""
    shown = {"form": form, "hours": here, "where": where or _("Everywhere")}
    status = 422 if form.is_bound else 200
    return render(request, "messaging/quiet_hours_form.html", shown, status=status)


def _find(request: MemberRequest, pk: int) -> QuietHours:
    return get_object_or_404(request.workspace.quiet_hours, pk=pk)
