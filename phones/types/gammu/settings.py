"""What people fill in, and which folders and databases of this machine the operator lends to phones."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from phones.base import PhoneType

_NUMBER = re.compile(r"\+[1-9]\d{6,14}")
# Kinds of places, as `place` and as PHONE_SETTINGS name them.
SPOOL, DATABASE = "spool", "database"
_GIVEN = {SPOOL: "spools", DATABASE: "databases"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where an SMSD keeps its messages: a folder, or the address of a database. `code` may be ""."""

    kind: str
    name: str
    where: str
    code: str

    def opens_with(self, code: str) -> bool:
        """Say whether a phone that gives `code` may use it."""
        return not self.code or hmac.compare_digest(code.encode(), self.code.encode())


def places_of(given: Mapping[str, Any]) -> dict[str, Place]:
    """Read what the operator set: {"spools": {"name" or "name:code": where}, "databases": {…}}."""
    found = {}
    for kind, group in _GIVEN.items():
        for entry, where in (given.get(group) or {}).items():
            name, _colon, code = entry.partition(":")
            found[f"{kind} {name}"] = Place(kind, name, where, code)
    return found


class SettingsForm(PhoneType.Settings):
    """Which SMSD, of those that the operator named, and the number of its SIM card."""

    advanced = ("modem",)

    place = forms.ChoiceField(
        label=_("SMSD"),
        help_text=_("Where it keeps its messages. The operator of this site named these."),
    )
    access_code = forms.CharField(
        label=_("Access code"),
        help_text=_("The operator set one for some of these. Else leave it empty."),
        max_length=100,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    number = forms.CharField(
        label=_("Number"),
        help_text=_("Of its SIM card, with country: +33 6 12 34 56 78. Only shown to you."),
        max_length=30,
        required=False,
    )
    modem = forms.RegexField(
        r"^[\w.-]+$",
        label=_("Phone ID"),
        help_text=_(
            "The PhoneID of this modem, where several SMSD share one database. Else leave it empty."
        ),
        max_length=60,
        required=False,
        error_messages={
            "invalid": _("Letters, digits, points and dashes, as in SMSD's configuration.")
        },
    )

    def offer(self, given: Mapping[str, Any]) -> None:
        """Offer what the operator named."""
        self._places = places_of(given)
        field = self.fields["place"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(name, _label(place)) for name, place in self._places.items()]
        if not any(place.code for place in self._places.values()):
            del self.fields["access_code"]
        if not self._places:
            field.help_text = gettext(
                "None yet: the operator of this site has to name one in GAMMU_SPOOLS or "
                "GAMMU_DATABASES first."
            )

    def clean_number(self) -> str:
        number = re.sub(r"\(0\)|[\s().\-]", "", self.cleaned_data["number"])
        if number and not _NUMBER.fullmatch(number):
            raise forms.ValidationError(
                gettext("Write the number with + and its country, such as +33 6 12 34 56 78.")
            )
        return number

    def clean_access_code(self) -> str:
        code = str(self.cleaned_data["access_code"])
        place = self._places.get(self.cleaned_data.get("place", ""))
        if place and not place.opens_with(code):
            raise forms.ValidationError(gettext("This is not the access code of this SMSD."))
        return code


def _label(place: Place) -> str:
    words = gettext("%(name)s (folder)") if place.kind == SPOOL else gettext("%(name)s (database)")
    return words % {"name": place.name}
