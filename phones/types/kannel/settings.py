"""What people fill in: where Kannel is, who we are to it, and by which link messages leave."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from phones.base import PhoneType

_HOST = re.compile(r"[\w.\-]+(:\d{1,5})?|\[[0-9A-Fa-f:]+\](:\d{1,5})?", re.ASCII)
_NUMBER = re.compile(r"\+?\d{1,15}")
_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 +\-_&.]{1,11}")


class _AddressField(forms.URLField):
    """An http address in a private network too, where hosts have no dots."""

    def __init__(self, path: str, **options: Any) -> None:
        super().__init__(assume_scheme="http", max_length=200, **options)
        # Django's own wants a dot in every host.
        own = forms.URLField.default_validators
        self.validators = [check for check in self.validators if check not in own]
        self._path = path

    def clean(self, value: Any) -> str:
        url = str(super().clean(value))
        parts = urlsplit(url)
        if url and not (
            parts.scheme in ("http", "https")
            and _HOST.fullmatch(parts.netloc)
            and not re.search(r"\s", parts.path)
            and not parts.query
            and not parts.fragment
        ):
            raise forms.ValidationError(
                gettext("Write an address such as http://kannel.example.org:13013, without ? or #.")
            )
        return url if parts.path.strip("/") or not url else f"{url.rstrip('/')}{self._path}"


class SettingsForm(PhoneType.Settings):
    """Where Kannel is, who we are to it, and by which link messages leave."""

    advanced = ("status_url", "status_password")

    base_url = _AddressField(
        "/cgi-bin/sendsms",
        label=_("Address of sendsms"),
        help_text=_(
            "Where smsbox listens: its host and sendsms-port, such as "
            "http://kannel.example.org:13013."
        ),
    )
    username = forms.RegexField(
        r'^[^\s"#]+$',
        label=_("User"),
        help_text=_("The username of the group sendsms-user."),
        max_length=60,
        error_messages={"invalid": _("A user has no spaces, quotes or #.")},
    )
    password = forms.CharField(
        label=_("Password"),
        help_text=_("The password of the same group, at least 4 characters."),
        # Shorter ones cannot be told from ordinary words, and so not be hidden in what is kept.
        min_length=4,
        max_length=100,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    sender = forms.CharField(
        label=_("Sender"),
        help_text=_(
            "The number or short code of your link, or a name of at most 11 characters if your "
            "operator allows it. Leave it empty if Kannel sets it."
        ),
        max_length=20,
        required=False,
    )
    smsc = forms.RegexField(
        r"^[\w.@\-]+$",
        label=_("Link"),
        help_text=_(
            "The smsc-id of the link that messages leave and arrive by. Leave it empty if "
            "Kannel has only one."
        ),
        max_length=60,
        required=False,
        error_messages={"invalid": _("An id has letters, digits, dots, @, _ and - only.")},
    )
    status_url = _AddressField(
        "/status.xml",
        label=_("Status page"),
        help_text=_(
            "Where bearerbox listens: its host and admin-port, such as "
            "http://kannel.example.org:13000. With it, testing the connection also says which "
            "links are online."
        ),
        required=False,
    )
    status_password = forms.CharField(
        label=_("Password of the status page"),
        help_text=_("The status-password of the group core, if there is one."),
        min_length=4,
        max_length=100,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean_sender(self) -> str:
        written = " ".join(self.cleaned_data["sender"].split())
        number = re.sub(r"\(0\)|[\s().\-]", "", written)
        if _NUMBER.fullmatch(number):
            return number
        if written and not _NAME.fullmatch(written):
            raise forms.ValidationError(
                gettext("Write a number, a short code, or a name of at most 11 characters.")
            )
        return written
