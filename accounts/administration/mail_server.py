"""The mail server of the site: what is typed, and keeping it."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import mailing
from accounts import site as whole
from accounts.activity import record
from accounts.models import Site


class MailServerForm(forms.Form):
    """A mail server of our own; without a host it is the one of the environment."""

    KINDS = (
        (mailing.STARTTLS, gettext_lazy("STARTTLS, mostly port 587")),
        (mailing.TLS, gettext_lazy("TLS from the beginning, mostly port 465")),
        (mailing.PLAIN, gettext_lazy("Not encrypted, for a server on this machine or network")),
    )
    host = forms.CharField(
        label=gettext_lazy("Mail server"),
        max_length=253,
        required=False,
        help_text=gettext_lazy("Its name, such as mail.example.org. Empty: what EMAIL_URL says."),
    )
    port = forms.IntegerField(label=gettext_lazy("Port"), min_value=1, max_value=65535, initial=587)
    security = forms.ChoiceField(label=gettext_lazy("Encryption"), choices=KINDS)
    user = forms.CharField(
        label=gettext_lazy("User"),
        max_length=254,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        max_length=500,
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=gettext_lazy("Stored encrypted and never shown. Empty: the one that is stored."),
    )
    sender = forms.EmailField(label=gettext_lazy("Mails come from"), max_length=254, required=False)

    def __init__(self, data: Any = None, *, known: mailing.Server | None = None) -> None:
        first = (
            {name: getattr(known, name) for name in ("host", "port", "security", "user", "sender")}
            if known
            else {}
        )
        super().__init__(data, initial=first)
        self.fields["sender"].widget.attrs["placeholder"] = settings.DEFAULT_FROM_EMAIL
        self.known = known

    def clean_host(self) -> str:
        host: str = self.cleaned_data["host"].strip()
        if not re.fullmatch(r"[A-Za-z0-9._:\[\]-]*", host):
            raise forms.ValidationError(_("Type a name such as mail.example.org, and no address."))
        return host

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        # Else whoever may set another server could have the password sent there.
        where = ("host", "port", "security", "user")
        is_same = self.known and all(data.get(name) == getattr(self.known, name) for name in where)
        if data.get("user") and not data.get("password"):
            if is_same and self.known:
                data["password"] = self.known.password
            else:
                self.add_error("password", _("Type the password for this server and user."))
        return data

    @property
    def server(self) -> mailing.Server | None:
        return mailing.Server(**self.cleaned_data) if self.cleaned_data["host"] else None


def known() -> mailing.Server | None:
    """Give the server that is stored, None where there is none or it cannot be read."""
    try:
        return mailing.stored()
    except OSError:  # its password cannot be read any more: it is to be typed again
        return None


def keep(server: mailing.Server | None) -> None:
    """Store a mail server, or forget the one that is stored."""
    if server is None and not Site.objects.filter(pk=1).exclude(mail_host="").exists():
        return
    fields: dict[str, Any] = {"mail_host": "", "mail_secrets": {}}
    if server:
        fields = {
            "mail_host": server.host,
            "mail_port": server.port,
            "mail_security": server.security,
            "mail_user": server.user,
            "mail_secrets": {"password": server.password},
            "mail_from": server.sender,
        }
    Site.objects.update_or_create(pk=1, defaults=fields)
    whole.remember(Site.objects.defer("logo", "mail_secrets").get(pk=1))
    record("site.edited", mail=bool(server))
