"""The forms of messages: writing one, and choosing which ones to see."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.validators import MaxValueValidator, MinValueValidator
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.datastructures import MultiValueDict
from django.utils.formats import number_format
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from accounts.models import Workspace
from contacts import recipients
from contacts.recipients import Recipient
from lib import e164, masks
from messaging import carrying, choosing, media, planning, quiet
from messaging.carrying import Load
from messaging.choosing import Choice, Several
from messaging.models import Direction, Status
from messaging.moments import moment
from messaging.permitting import Permit
from messaging.planning import Plan
from phones.models import Phone

# Characters of one text: what providers take at most.
MOST_TEXT = 1600
# Characters of a pasted list: 1,000 numbers with names beside them.
_MOST_PASTED = 100_000
# How far ahead something may be planned; further is a slip of the keyboard.
_FURTHEST = timedelta(days=366)
_MINUTE = "%Y-%m-%dT%H:%M"


# Days that can be looked for: the others are slips, and past the calendar's end.
_IN_OUR_TIMES = [
    MinValueValidator(date(2000, 1, 1), gettext_lazy("This day is too long ago.")),
    MaxValueValidator(date(2100, 1, 1), gettext_lazy("This day is too far ahead.")),
]


class LocalTimeField(forms.Field):
    """A time as the person's own clock shows it → an aware time.

    A time that the clock skips (spring) is refused; of one that it shows twice (autumn), the first.
    """

    widget = forms.DateTimeInput(attrs={"type": "datetime-local", "step": "60"}, format=_MINUTE)

    def to_python(self, value: Any) -> datetime | None:
        if value in self.empty_values:
            return None
        try:
            naive = datetime.fromisoformat(str(value)).replace(tzinfo=None)
            local = naive.replace(tzinfo=timezone.get_current_timezone())
            exists = local.astimezone(UTC).astimezone(local.tzinfo).replace(tzinfo=None) == naive
        except (ValueError, OverflowError):
            raise forms.ValidationError(_("This is not a date and a time.")) from None
        if not exists:
            raise forms.ValidationError(
                _(
                    "This time does not exist: the clocks go forward that night. Choose an hour later."
                )
            )
        return local

    def prepare_value(self, value: Any) -> Any:
        return timezone.localtime(value) if isinstance(value, datetime) else value


class ComposeForm(forms.Form):
    """What a person wants to say, to whom, when and by which phone.

    Valid, `cleaned_data` has `numbers` (E.164), `text`, `route`, `send_at` (None = now), `picture`,
    `content_type`, `flash` and `urgent` (quiet hours or not). A text with merge fields is sent only where
    that is meant (`literal`). `submission` is the form's own id: it makes a double click harmless.
    """

    to = forms.CharField(
        required=False,
        max_length=_MOST_PASTED,
        error_messages={
            "max_length": gettext_lazy("This list is too long to read. Send it in parts."),
        },
    )
    text = forms.CharField(required=False, strip=False)
    picture = forms.FileField(
        required=False,
        allow_empty_file=True,
        error_messages={"invalid": gettext_lazy("The picture did not arrive. Choose it again.")},
    )
    flash = forms.BooleanField(required=False)
    literal = forms.BooleanField(required=False)
    urgent = forms.BooleanField(required=False)
    # A phone's id, g and the id of a group of phones, or any.
    phone = forms.CharField(
        max_length=20,
        error_messages={
            "required": gettext_lazy("Choose a phone."),
            "max_length": gettext_lazy("This phone is not here any more. Choose another one."),
        },
    )
    when = forms.ChoiceField(
        choices=[("now", gettext_lazy("Now")), ("later", gettext_lazy("Later"))],
        required=False,
    )
    at = LocalTimeField(required=False)
    submission = forms.UUIDField(
        error_messages={
            "required": gettext_lazy("This form is not whole. Load the page again."),
            "invalid": gettext_lazy("This form is not whole. Load the page again."),
        },
    )

    def __init__(
        self,
        workspace: Workspace,
        data: MultiValueDict[str, Any] | None = None,
        files: MultiValueDict[str, UploadedFile[Any]] | None = None,
        *,
        to: str = "",
        text: str = "",
        phone: str = "",
        who: Sequence[str] = (),
        permit: Permit | None = None,
    ) -> None:
        self.workspace = workspace
        self.permit = permit or Permit(workspace)
        self._who = data.getlist("who") if data is not None else list(who)
        self.offered = choosing.routes(workspace, self.permit)
        initial = {
            "to": to,
            "text": text,
            "phone": choosing.best(self.offered, phone),
            "when": "now",
            "submission": uuid.uuid4(),
        }
        super().__init__(data, files, initial=initial)

    # ---- What the page shows --------------------------------------------------------------------

    @cached_property
    def typed(self) -> e164.Reading:
        """Give what was read in `to`, right or wrong."""
        pasted = masks.opened(str(self["to"].value() or "")[:_MOST_PASTED])
        return e164.read(pasted, self.workspace.country)

    @cached_property
    def recipients(self) -> list[Recipient]:
        """Give the people and groups that were chosen."""
        return recipients.chosen(self.workspace, self._who)

    @cached_property
    def reading(self) -> e164.Reading:
        """Give everybody: who was typed, then who was chosen. One person is there once."""
        most = planning.MOST_PEOPLE + 1
        found = recipients.numbers(self.workspace, self.recipients, most) if self._who else []
        numbers = dict.fromkeys(self.typed.numbers)
        repeated = list(self.typed.repeated)
        for number in found:
            if number in numbers:
                repeated.append(number)
            numbers[number] = None
        return replace(self.typed, numbers=tuple(numbers), repeated=tuple(repeated))

    @cached_property
    def written(self) -> str:
        """Give the text as it will leave: browsers send a line break as two characters."""
        return str(self["text"].value() or "").replace("\r\n", "\n").replace("\r", "\n")

    @property
    def has_fields(self) -> bool:
        """Say whether the text has merge fields, which only campaigns fill in."""
        return "{{" in self.written or "{%" in self.written

    @property
    def lines(self) -> list[tuple[Choice | Several, list[str]]]:
        """Give the phones with their prices, each with what it cannot carry of what is written now."""
        lines = choosing.priced(self.offered, self.workspace)
        return [(line, line.blocked_by(self.load)) for line in lines]

    @property
    def load(self) -> Load:
        return Load(self.written, picture=self.has_picture, flash=bool(self["flash"].value()))

    @property
    def has_picture(self) -> bool:
        """Say whether a picture was chosen; the preview is told so without it (`pictured`)."""
        return bool(self.files.get("picture") or self.data.get("pictured"))

    @cached_property
    def chosen(self) -> Choice | Several | None:
        """Give the line of the chosen phone or phones."""
        wanted = str(self["phone"].value())
        return next((line for line in self.offered if line.value == wanted), None)

    @cached_property
    def plan(self) -> Plan:
        """Give what would happen; the form need not be valid."""
        load = self.load
        return planning.plan(
            self.workspace,
            self.reading,
            self.written,
            self.chosen.route if self.chosen and not self.chosen.off else None,
            picture=load.picture,
            flash=load.flash,
        )

    @cached_property
    def quiet_words(self) -> str:
        """Say who gets it when quiet hours end; "" where everybody gets it at once."""
        held = quiet.held(self.workspace, self.plan.numbers, self._wanted_at or timezone.now())
        if not held:
            return ""
        words = _("Quiet hours until %(time)s: it leaves then.")
        if len(held) < self.plan.people:
            words = ngettext(
                "Quiet hours for %(count)s person until %(time)s: it leaves then.",
                "Quiet hours for %(count)s people until %(time)s: it leaves then.",
                len(held),
            )
        elif len(set(held.values())) > 1:
            words = _("Quiet hours until %(time)s at the latest: it leaves as they end.")
        return words % {
            "time": moment(max(held.values())),
            "count": number_format(len(held), force_grouping=True),
        }

    @property
    def _wanted_at(self) -> datetime | None:
        """Give the time that is typed, whatever else is wrong."""
        if self["when"].value() != "later":
            return None
        try:
            at: datetime | None = self.fields["at"].clean(self["at"].value())
        except forms.ValidationError:
            return None
        return at

    @cached_property
    def mistakes(self) -> list[str]:
        wrong = planning.mistakes(self.reading, self.workspace.country)
        refusal = self.permit.people_refusal(self.reading.numbers)
        return [*wrong, refusal] if refusal else wrong

    @property
    def doubts(self) -> list[str]:
        return planning.doubts(self.reading)

    @property
    def can_picture(self) -> bool:
        return self._somebody_can("mms_out")

    @property
    def can_flash(self) -> bool:
        return self._somebody_can("flash")

    def _somebody_can(self, need: str) -> bool:
        return any(not line.off and need not in dict(line.lacks) for line in self.offered)

    # ---- What is right and wrong ----------------------------------------------------------------

    def clean_to(self) -> str:
        reading = self.reading
        if wrong := self.mistakes:
            raise forms.ValidationError(wrong)
        if not reading.numbers:
            raise forms.ValidationError(self._nobody())
        if len(self.typed.numbers) > planning.MOST_NUMBERS:
            raise forms.ValidationError(_too_many(len(self.typed.numbers)))
        if len(reading.numbers) > planning.MOST_PEOPLE:
            words = _(
                "These are more than %(most)s people; one message goes to no more. Send it in parts."
            )
            raise forms.ValidationError(words % {"most": number_format(planning.MOST_PEOPLE)})
        self.cleaned_data["numbers"] = reading.numbers
        return str(self.cleaned_data["to"])

    def _nobody(self) -> str:
        if self.recipients:
            return _("Nobody is in this. Choose somebody else, or type a number.")
        if str(self["to"].value() or "").strip():
            return _("There is no number in this. Type at least one.")
        return _("Type at least one number.")

    def clean_text(self) -> str:
        text = self.written
        if len(text) > MOST_TEXT:
            raise forms.ValidationError(
                _("The text has %(count)s characters; %(most)s is the most that can be sent.")
                % {"count": number_format(len(text)), "most": number_format(MOST_TEXT)}
            )
        return text if text.strip() else ""

    def clean_picture(self) -> UploadedFile[Any] | None:
        upload: UploadedFile[Any] | None = self.cleaned_data["picture"] or None
        if upload is None:
            return None
        if (upload.size or 0) > settings.MEDIA_LIMIT:
            raise forms.ValidationError(
                _("The picture is larger than %(most)s. Make it smaller and choose it again.")
                % {"most": filesizeformat(settings.MEDIA_LIMIT)}
            )
        kind = media.kind_of(upload.read(16))
        upload.seek(0)
        if kind not in media.SENDABLE:
            raise forms.ValidationError(
                _(
                    "This file is no JPEG, PNG or GIF picture, and phones take no other. Choose another."
                )
            )
        self.cleaned_data["content_type"] = kind
        return upload

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        self._check_words(data)
        self._check_phone(data)
        self._check_time(data)
        self._check_people(data)
        return data

    def _check_words(self, data: dict[str, Any]) -> None:
        """An empty message is a slip, unless it carries a picture."""
        if data.get("text") == "" and not data.get("picture") and "picture" not in self.errors:
            self.add_error("text", _("There is nothing to send yet. Write a text."))
        if self.has_fields and not data.get("literal"):
            words = _(
                "This text has merge fields. Make it a campaign, or say that it goes as it stands."
            )
            self.add_error("text", words)

    def _check_phone(self, data: dict[str, Any]) -> None:
        choice = self.chosen
        if "phone" in self.errors:
            return
        if choice is None:
            self.add_error("phone", _("This phone is not here any more. Choose another one."))
        elif choice.off:
            self.add_error(
                "phone",
                _("%(phone)s: %(why)s. Choose another phone.")
                % {"phone": choice.name, "why": choice.off},
            )
        elif missing := choice.blocked_by(self.load):
            self.add_error("phone", carrying.sentence(choice.name, missing[0]))
        else:
            data["route"] = choice.route

    def _check_time(self, data: dict[str, Any]) -> None:
        data["send_at"] = None
        if data.get("when") != "later":
            # What was typed before somebody changed their mind does not matter.
            self.errors.pop("at", None)
            return
        if "at" in self.errors:
            return
        if wrong := wrong_with_time(data.get("at")):
            self.add_error("at", wrong)
        else:
            data["send_at"] = data["at"]

    def _check_people(self, data: dict[str, Any]) -> None:
        if data.get("numbers") and not self.plan.numbers:
            self.add_error(
                "to",
                ngettext(
                    "This person asked for no more messages, so there is nobody to write to.",
                    "All of these people asked for no more messages, so there is nobody to write to.",
                    len(data["numbers"]),
                ),
            )


def wrong_with_time(at: datetime | None) -> str:
    """Say what is wrong with the time that something is to leave at; "" for a sound one."""
    now = timezone.now()
    if at is None:
        return _("Choose the day and the time, or send it now.")
    if at < now.replace(second=0, microsecond=0):
        return _("This time has passed. Choose a later one, or send it now.")
    if at > now + _FURTHEST:
        return _("This is more than a year ahead. Choose an earlier day.")
    return ""


def _too_many(count: int) -> str:
    return _(
        "These are %(count)s numbers; one message goes to %(most)s at most. Send it in parts."
    ) % {"count": number_format(count), "most": number_format(planning.MOST_NUMBERS)}


class FilterForm(forms.Form):
    """Which messages to see. All of it lives in the address; what is wrong there is left out."""

    q = forms.CharField(label=gettext_lazy("Search"), max_length=200, required=False)
    status = forms.ChoiceField(
        label=gettext_lazy("Status"),
        choices=[("", gettext_lazy("All")), *Status.choices],
        required=False,
    )
    direction = forms.ChoiceField(
        label=gettext_lazy("Direction"),
        choices=[("", gettext_lazy("Both")), *Direction.choices],
        required=False,
    )
    phone = forms.ModelChoiceField(
        Phone.objects.none(),
        label=gettext_lazy("Phone"),
        empty_label=gettext_lazy("All phones"),
        required=False,
    )
    since = forms.DateField(
        label=pgettext_lazy("first day", "From"),
        widget=forms.DateInput(attrs={"type": "date", "class": "px-2"}, format="%Y-%m-%d"),
        validators=_IN_OUR_TIMES,
        required=False,
    )
    until = forms.DateField(
        label=pgettext_lazy("last day", "To"),
        widget=forms.DateInput(attrs={"type": "date", "class": "px-2"}, format="%Y-%m-%d"),
        validators=_IN_OUR_TIMES,
        required=False,
    )
    submission = forms.UUIDField(widget=forms.HiddenInput, required=False)
    campaign = forms.IntegerField(
        widget=forms.HiddenInput, min_value=1, max_value=2**63 - 1, required=False
    )

    def __init__(self, workspace: Workspace, data: MultiValueDict[str, Any]) -> None:
        super().__init__(data)
        # A deleted phone still has messages to look for.
        self.fields["phone"].queryset = workspace.phones.defer("settings").order_by("pk")  # type: ignore[attr-defined]
        self.full_clean()
