"""What people fill in: where mails leave, how they are addressed, and how replies come back."""

from __future__ import annotations

from typing import Any

import phonenumbers
from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from phones.base import PhoneType
from phones.types.email_gateway import carriers

_SECURITY = (
    ("starttls", _("STARTTLS, usually port 587")),
    ("tls", _("TLS from the start, usually port 465 or 993")),
    ("none", _("None: only on your own network")),
)
_COLUMNS = {
    "line": _("it has too many fields"),
    "slug": _("the short name has small letters, digits and hyphens only"),
    "country": _("the country has two letters"),
    "sms": _("the SMS address is missing or wrong"),
    "mms": _("the MMS address is wrong"),
    "digits": _("digits are national, bare, plus or zeros"),
    "length": _("the length is a number up to 1600"),
    "state": _("the state is active, unverified, ending or ended"),
}


def _port(initial: int, **options: Any) -> forms.IntegerField:
    return forms.IntegerField(min_value=1, max_value=65535, initial=initial, **options)


def _host(**options: Any) -> forms.RegexField:
    return forms.RegexField(
        r"^[\w.\-:]+$",
        max_length=200,
        error_messages={"invalid": _("Write a host such as mail.example.org, without a port.")},
        **options,
    )


def _pattern(**options: Any) -> forms.CharField:
    return forms.CharField(
        max_length=120,
        required=False,
        widget=forms.TextInput(attrs={"placeholder": "{number}@txt.example.net", "dir": "ltr"}),
        **options,
    )


def _carriers() -> list[tuple[str, str]]:
    return [("", "—"), *((slug, named(item)) for slug, item in carriers.shipped().items())]


def named(carrier: carriers.Carrier) -> str:
    """Give a carrier as people choose it: its country, its name, and how sure it is."""
    place = f"{carrier.country} · " if carrier.country else ""
    state = {
        "ended": _("ended %(date)s"),
        "ending": _("ends %(date)s"),
        "unverified": _("not verified"),
        "active": _("works"),
    }[carrier.state]
    words = str(state) % {"date": carrier.ends or gettext("(date not known)")}
    return f"{place}{carrier.name} ({words})"


class SettingsForm(PhoneType.Settings):
    """Where mails leave, how they are addressed, and how replies come back."""

    advanced = (
        "country", "split", "alphabet",
        "mms_pattern", "subject", "plus", "carriers", "imap_port", "imap_security", "imap_user",
        "imap_password", "imap_folder", "after_reading", "move_to",
    )  # fmt: skip

    from_address = forms.EmailField(
        label=_("From"),
        help_text=_("The sender of the mails. Gateways show it, and replies go to it."),
        max_length=120,
    )
    smtp_host = _host(
        label=_("Outgoing server (SMTP)"), help_text=_("Its name, such as smtp.example.org.")
    )
    smtp_port = _port(587, label=_("Port"), help_text=_("Usually 587."))
    smtp_security = forms.ChoiceField(
        label=_("Encryption"),
        help_text=_("The server's certificate must be valid for its name."),
        choices=_SECURITY,
        initial="starttls",
    )
    smtp_user = forms.CharField(
        label=_("User"),
        help_text=_("Often the whole mail address. Empty if the server asks for none."),
        max_length=120,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "ltr"}),
    )
    smtp_password = forms.CharField(
        label=_("Password"),
        help_text=_("Many services want an app password, made in their security settings."),
        min_length=4,
        max_length=200,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    carrier_from = forms.ChoiceField(
        label=_("Where mails go"),
        help_text=_(
            "Each message goes to one gateway only. By the recipient's carrier, those whose carrier "
            "nobody knows fail with a reason."
        ),
        choices=(
            ("pattern", _("One address pattern for all numbers")),
            ("carrier", _("One carrier of the list for all numbers")),
            ("recipient", _("The gateway of each recipient's carrier")),
        ),
        initial="pattern",
    )
    pattern = _pattern(
        label=_("Address pattern"),
        help_text=_("Your gateway's addresses, with {number} where the number goes."),
    )
    digits = forms.ChoiceField(
        label=_("How numbers are written"),
        help_text=_("In the address pattern. Carriers of the list have their own way."),
        choices=(
            ("national", _("As dialled at home: 5551234567")),
            ("bare", _("With the country code: 15551234567")),
            ("plus", _("With +: +15551234567")),
            ("zeros", _("With 00: 0015551234567")),
        ),
        initial="national",
    )
    carrier = forms.ChoiceField(
        label=_("Carrier"),
        help_text=_("For “One carrier of the list”. Those that have ended cannot be chosen."),
        choices=_carriers,
        required=False,
    )
    country = forms.CharField(
        label=_("Country of the numbers"),
        help_text=_(
            "Two letters, such as US. It explains the digits that replies come from. Empty = from "
            "the list, or the workspace's own."
        ),
        min_length=2,
        max_length=2,
        required=False,
    )
    max_length = forms.IntegerField(
        label=_("Longest text"),
        help_text=_("In characters. Gateways cut what is longer, so it is refused here first."),
        min_value=20,
        max_value=1600,
        initial=160,
    )
    split = forms.BooleanField(
        label=_("Cut longer texts into several mails"),
        help_text=_(
            "Each part is numbered, such as (1/2), and counts as a message for the gateway."
        ),
        required=False,
    )
    alphabet = forms.ChoiceField(
        label=_("Alphabet"),
        help_text=_("Old gateways show é and emoji as nonsense."),
        choices=(
            ("unicode", _("Send every character as it is")),
            ("ascii", _("Write é as e, and what has no like as a question mark")),
        ),
        initial="unicode",
    )
    replies = forms.ChoiceField(
        label=_("Replies and bounces"),
        help_text=_("Without them no answer arrives, and a mail that comes back is not noticed."),
        choices=(
            ("none", _("Do not read them")),
            ("imap", _("Read the mailbox (IMAP)")),
            ("raw", _("A mail server of mine posts them")),
            ("mailgun", "Mailgun"),
            ("mailersend", "MailerSend"),
            ("postmark", "Postmark"),
        ),
        initial="none",
    )
    imap_host = _host(
        label=_("Incoming server (IMAP)"),
        help_text=_("For the mailbox: its name, such as imap.example.org."),
        required=False,
    )
    inbound_key = forms.CharField(
        label=_("Signing key of the mail service"),
        help_text=_("For Mailgun its HTTP webhook signing key, for MailerSend the route's secret."),
        min_length=4,
        max_length=200,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    mms_pattern = _pattern(
        label=_("Address pattern for pictures"),
        help_text=_("Where your gateway takes mails with pictures (MMS). Empty = it takes none."),
    )
    subject = forms.CharField(
        label=_("Subject"),
        help_text=_("Leave it empty unless your gateway asks for one: most put it into the text."),
        max_length=120,
        required=False,
    )
    plus = forms.ChoiceField(
        label=_("Mark in our address"),
        help_text=_(
            "A signed mark behind a plus, sms+mark@example.org, ties replies and bounces to their "
            "message. The mailbox must take such addresses: most do."
        ),
        choices=(
            ("reply", _("For replies and bounces")),
            ("from", _("In the visible sender too: for gateways that answer only there")),
            ("no", _("Never: the mailbox takes no such addresses")),
        ),
        initial="reply",
    )
    carriers = forms.CharField(
        label=_("Your own carriers"),
        help_text=_(
            "One per line: short name, country, name, SMS address, MMS address, digits, length, "
            "state, end. A short name of the list changes that carrier, and only what you fill in."
        ),
        max_length=20_000,
        required=False,
        widget=forms.Textarea(
            attrs={
                "rows": 4,
                "dir": "ltr",
                "spellcheck": "false",
                "placeholder": "us-verizon,,,,,,140,ended,2027-03-31",
            }
        ),
    )
    imap_port = _port(993, label=_("IMAP port"), help_text=_("Usually 993."), required=False)
    imap_security = forms.ChoiceField(
        label=_("IMAP encryption"),
        help_text=_("The server's certificate must be valid for its name."),
        choices=_SECURITY,
        initial="tls",
        required=False,
    )
    imap_user = forms.CharField(
        label=_("IMAP user"),
        help_text=_("Empty = the same as for SMTP."),
        max_length=120,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "ltr"}),
    )
    imap_password = forms.CharField(
        label=_("IMAP password"),
        help_text=_("Empty = the same as for SMTP."),
        min_length=4,
        max_length=200,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    imap_folder = forms.CharField(
        label=_("Folder"),
        help_text=_("Where replies arrive."),
        max_length=120,
        initial="INBOX",
        required=False,
    )
    after_reading = forms.ChoiceField(
        label=_("After reading"),
        help_text=_("Only replies and bounces of this phone are touched, no other mail."),
        choices=(
            ("seen", _("Mark them as read")),
            ("move", _("Move them to another folder")),
            ("delete", _("Delete them")),
        ),
        initial="seen",
        required=False,
    )
    move_to = forms.CharField(
        label=_("Folder for what was read"),
        help_text=_("For “Move them”: it must exist."),
        max_length=120,
        required=False,
    )

    def clean_pattern(self) -> str:
        return self._address("pattern")

    def clean_mms_pattern(self) -> str:
        return self._address("mms_pattern")

    def _address(self, name: str) -> str:
        written = str(self.cleaned_data[name]).strip()
        if written and not carriers.is_pattern(written):
            raise forms.ValidationError(
                gettext("Write an address with {number} in it, such as {number}@txt.example.net.")
            )
        return written

    def clean_country(self) -> str:
        country = str(self.cleaned_data["country"]).upper()
        if country and country not in phonenumbers.SUPPORTED_REGIONS:
            raise forms.ValidationError(gettext("This is no country's code."))
        return country

    def clean_subject(self) -> str:
        return " ".join(str(self.cleaned_data["subject"]).split())

    def clean_carriers(self) -> str:
        lines = str(self.cleaned_data["carriers"]).replace("\r\n", "\n").strip()
        try:
            carriers.table(lines)
        except carriers.Unreadable as error:
            words = gettext("Line %(number)s cannot be read: %(why)s.")
            raise forms.ValidationError(
                words % {"number": error.line, "why": _COLUMNS[error.field]}
            ) from None
        return lines

    def clean(self) -> dict[str, Any]:
        """Ask for what the choices need."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        needed = {
            "pattern": cleaned.get("carrier_from") == "pattern",
            "carrier": cleaned.get("carrier_from") == "carrier",
            "imap_host": cleaned.get("replies") == "imap",
            "inbound_key": cleaned.get("replies") in ("mailgun", "mailersend"),
            "move_to": cleaned.get("after_reading") == "move",
        }
        for name, is_needed in needed.items():
            if is_needed and not cleaned.get(name) and name not in self.errors:
                self.add_error(name, gettext("This is needed for what you chose."))
        self._refuse_ended(cleaned)
        return cleaned

    def _refuse_ended(self, cleaned: dict[str, Any]) -> None:
        if cleaned.get("carrier_from") != "carrier" or "carriers" in self.errors:
            return
        chosen = carriers.table(cleaned.get("carriers", "")).get(cleaned.get("carrier", ""))
        if chosen and chosen.is_off:
            words = gettext(
                "This gateway has ended. If it runs again, say so in your own carriers."
            )
            self.add_error("carrier", words)
