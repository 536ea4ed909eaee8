"""The form of a draft: what is said, to whom and through what (when: when_form)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat
from django.utils.datastructures import MultiValueDict
from django.utils.formats import number_format
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.models import Campaign
from contacts import recipients
from contacts.recipients import Recipient
from lib import e164, masks
from messaging import choosing, media, planning
from messaging.carrying import Load
from messaging.choosing import Choice, Several
from messaging.permitting import Permit
from phones.models import Phone, Pool

# Characters of a text before its fields are filled in, of a pasted list, and numbers of that.
MOST_SOURCE, _MOST_PASTED, MOST_NUMBERS = 5000, 200_000, 5000
# Characters of a list whose numbers are hidden, and so longer.
_MOST_MARKED = 600_000
_TOO_LONG = gettext_lazy("This list is too long. Put it into a file, and choose that.")


class DraftForm(forms.Form):
    """What a person writes of a campaign; all of it may be half-written.

    Whatever is right goes into `changes`, fields of Campaign by name; the rest stays as it was and has an
    error. `through` is a value of choosing.routes. `seen` is the version of the draft that the person saw.
    """

    submission = forms.UUIDField()
    seen = forms.CharField(required=False, max_length=40)
    place = forms.CharField(required=False, max_length=40)
    name = forms.CharField(required=False, max_length=100)
    to = forms.CharField(
        required=False, max_length=_MOST_MARKED, error_messages={"max_length": _TOO_LONG}
    )
    without_to = forms.CharField(
        required=False, max_length=_MOST_MARKED, error_messages={"max_length": _TOO_LONG}
    )
    text = forms.CharField(required=False, strip=False)
    through = forms.CharField(required=False, max_length=30)
    tags = forms.CharField(required=False, max_length=1000)
    urgent = forms.BooleanField(required=False)
    flash = forms.BooleanField(required=False)
    column = forms.IntegerField(required=False, min_value=0, max_value=99)
    picture = forms.FileField(required=False, allow_empty_file=True)
    sheet = forms.FileField(required=False, allow_empty_file=True)

    def __init__(
        self,
        campaign: Campaign,
        data: MultiValueDict[str, Any] | None = None,
        files: MultiValueDict[str, UploadedFile[Any]] | None = None,
        *,
        permit: Permit | None = None,
    ) -> None:
        self.campaign = campaign
        self.workspace = campaign.workspace
        self.permit = permit or Permit(campaign.workspace)
        super().__init__(data, files, initial=_initial(campaign))
        self._who = data.getlist("who") if data is not None else campaign.who
        self._without = data.getlist("without") if data is not None else campaign.without

    # ---- What the page shows --------------------------------------------------------------------

    @cached_property
    def typed(self) -> e164.Reading:
        """Give what was read in `to`, right or wrong."""
        return self._read("to")

    @cached_property
    def typed_without(self) -> e164.Reading:
        return self._read("without_to")

    def _read(self, name: str) -> e164.Reading:
        return e164.read(self._pasted(name)[:_MOST_PASTED], self.workspace.country)

    def _pasted(self, name: str) -> str:
        return masks.opened(str(self[name].value() or "")[:_MOST_MARKED])

    @cached_property
    def recipients(self) -> list[Recipient]:
        """Give the people, groups and segments that were chosen."""
        return recipients.chosen(self.workspace, self._who)

    @cached_property
    def left_out(self) -> list[Recipient]:
        """Give those that get nothing."""
        return recipients.chosen(self.workspace, self._without)

    @cached_property
    def written(self) -> str:
        """Give the text as it will leave: browsers send a line break as two characters."""
        return str(self["text"].value() or "").replace("\r\n", "\n").replace("\r", "\n")

    @cached_property
    def offered(self) -> list[Choice | Several]:
        return choosing.routes(self.workspace, self.permit)

    @property
    def lines(self) -> list[tuple[Choice | Several, list[str]]]:
        """Give the phones with their prices, each with what it cannot carry of what is written now."""
        load = Load(self.written, flash=bool(self["flash"].value()))
        priced = choosing.priced(self.offered, self.workspace)
        return [(line, line.blocked_by(load)) for line in priced]

    @property
    def chosen(self) -> str:
        """Give the value of the line that is chosen; for a new draft any phone, where that is offered."""
        return choosing.best(self.offered, str(self["through"].value() or choosing.ANY))

    @property
    def mistakes(self) -> list[str]:
        return planning.mistakes(self.typed, self.workspace.country)

    @property
    def is_stale(self) -> bool:
        """Say whether somebody else has changed the draft since this person saw it."""
        return bool(self.campaign.pk) and self.cleaned_data.get("seen") != version(self.campaign)

    # ---- What is right --------------------------------------------------------------------------

    def clean_name(self) -> str:
        return " ".join(str(self.cleaned_data["name"]).split())

    def clean_text(self) -> str:
        if len(self.written) > MOST_SOURCE:
            raise forms.ValidationError(
                _("The text has %(count)s characters; %(most)s is the most that can be kept.")
                % {"count": number_format(len(self.written)), "most": number_format(MOST_SOURCE)}
            )
        return self.written

    def clean_to(self) -> list[str]:
        return self._numbers("to", self.typed)

    def clean_without_to(self) -> list[str]:
        return self._numbers("without_to", self.typed_without)

    def _numbers(self, name: str, reading: e164.Reading) -> list[str]:
        """Give what was pasted: numbers, and behind them what is none, so that nothing gets lost."""
        if len(self._pasted(name)) > _MOST_PASTED:
            raise forms.ValidationError(_TOO_LONG)
        found = [*reading.numbers, *(item.written for item in reading.invalid)]
        if len(found) > MOST_NUMBERS:
            raise forms.ValidationError(
                _("These are %(count)s numbers; %(most)s is the most here. Put them into a file.")
                % {"count": number_format(len(found)), "most": number_format(MOST_NUMBERS)}
            )
        return found

    def clean_through(self) -> tuple[Phone | None, Pool | None]:
        wanted = str(self.cleaned_data["through"])
        for line in self.offered:
            if line.value == wanted and not line.off:
                return line.route.phone, line.route.pool
        if wanted in ("", choosing.ANY):
            return None, None
        raise forms.ValidationError(_("This phone is not here any more. Choose another one."))

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

    @property
    def changes(self) -> dict[str, Any]:
        """Give the fields of Campaign that are right, by name."""
        data = self.cleaned_data
        found: dict[str, Any] = {
            name: data[name] for name in ("name", "text", "urgent", "flash") if name in data
        }
        if "to" in data:
            found["numbers"] = data["to"]
        if "without_to" in data:
            found["without_numbers"] = data["without_to"]
        if "through" in data:
            found["phone"], found["pool"] = data["through"]
        found["who"] = [recipient.value for recipient in self.recipients]
        found["without"] = [recipient.value for recipient in self.left_out]
        return found


def version(campaign: Campaign) -> str:
    """Give what changes with each change of a draft."""
    return campaign.updated_at.isoformat()


def _initial(campaign: Campaign) -> dict[str, Any]:
    through = str(campaign.phone_id or choosing.ANY)
    if campaign.pool_id:
        through = f"g{campaign.pool_id}"
    return {
        "submission": campaign.submission,
        "seen": version(campaign) if campaign.pk else "",
        "name": campaign.name,
        "to": _lines(campaign.numbers),
        "without_to": _lines(campaign.without_numbers),
        "text": campaign.text,
        "through": through,
        "tags": ", ".join(tag.name for tag in campaign.tags.all()) if campaign.pk else "",
        "urgent": campaign.urgent,
        "flash": campaign.flash,
        "column": campaign.sheet.number if campaign.sheet else None,
    }


def _lines(numbers: Sequence[str]) -> str:
    return "\n".join(masks.written(number) for number in numbers)


def unsaved(workspace: Any, **fields: Any) -> Campaign:
    """Give a draft that nobody has saved yet, with an id of its own that makes a double click harmless."""
    return Campaign(workspace=workspace, submission=uuid.uuid4(), **fields)
