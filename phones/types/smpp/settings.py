"""The settings of an SMPP phone: what every operator gives first, then what few need."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from lib import gsm
from phones.base import Misconfigured, PhoneType
from phones.smpp.profile import Tls, digits_of, profile_of, read_statuses, read_tlvs
from phones.smpp.statuses import CLASSES
from phones.smpp.wire import context_of

# Letters and digits that a sender's name may have (TS 23.040 §9.1.2.5: 11 septets).
_LONGEST_NAME = 11


def _choices(*pairs: tuple[str, Any]) -> dict[str, Any]:
    return {"choices": pairs, "required": False, "initial": pairs[0][0]}


_TON = (
    ("", _("by the form of the number")),
    ("0", _("0 unknown")),
    ("1", _("1 international")),
    ("2", _("2 national")),
    ("3", _("3 network specific")),
    ("4", _("4 subscriber")),
    ("5", _("5 alphanumeric")),
    ("6", _("6 abbreviated")),
)
_NPI = (
    ("", _("by the form of the number")),
    ("0", _("0 unknown")),
    ("1", _("1 ISDN (E.164)")),
    ("3", _("3 data")),
    ("4", _("4 telex")),
    ("6", _("6 land mobile")),
    ("8", _("8 national")),
    ("9", _("9 private")),
    ("10", _("10 ERMES")),
    ("14", _("14 Internet")),
    ("18", _("18 WAP")),
)


def _latin1(value: str) -> None:
    if max(value) > "\xff":
        raise forms.ValidationError(
            _("SMPP has no such characters: plain letters and digits only.")
        )


class _Pem(forms.CharField):
    """A PEM text, which a one-line field would tear: its lines come back at their marks."""

    def clean(self, value: Any) -> str:
        text = str(super().clean(value) or "").strip()
        return _lines_again(text) if "-----" in text and "\n" not in text else text


def _lines_again(text: str) -> str:
    pieces = [piece.strip() for piece in text.split("-----")]
    lines = [
        f"-----{piece}-----" if piece.startswith(("BEGIN ", "END ")) else "\n".join(piece.split())
        for piece in filter(None, pieces)
    ]
    return "\n".join(lines) + "\n"


class SettingsForm(PhoneType.Settings):
    host = forms.CharField(
        label=_("Host"),
        max_length=255,
        help_text=_("A name or an address the operator gave you."),
    )
    port = forms.IntegerField(
        label=_("Port"),
        min_value=1,
        max_value=65535,
        initial=2775,
        help_text=_("Often 2775, or 3550 with encryption."),
    )
    tls = forms.BooleanField(
        label=_("Encrypted (TLS)"),
        required=False,
        help_text=_(
            "Tick it if the operator offers it. Without it, texts and password cross the network "
            "in the clear."
        ),
    )
    system_id = forms.CharField(
        label=_("System ID"),
        max_length=15,
        validators=[_latin1],
        help_text=_("The user name of your account."),
    )
    password = forms.CharField(
        label=_("Password"),
        max_length=64,
        validators=[_latin1],
        widget=forms.PasswordInput,
        help_text=_("Operators usually give 8 characters or fewer."),
    )
    source = forms.CharField(
        label=_("Sender"),
        max_length=20,
        required=False,
        help_text=_(
            "What people see: your number, short code, or a name of up to 11 characters. Empty: "
            "the operator chooses."
        ),
    )
    mode = forms.ChoiceField(
        label=_("Bind"),
        help_text=_(
            "One connection both ways is usual; some operators want one for each direction."
        ),
        **_choices(
            ("transceiver", _("transceiver: both ways on one connection")),
            ("pair", _("transmitter and receiver: two connections")),
        ),
    )

    system_type = forms.CharField(
        label=_("System type"),
        max_length=12,
        validators=[_latin1],
        required=False,
        help_text=_("Only if the operator names one."),
    )
    binds = forms.IntegerField(
        label=_("Number of binds"),
        min_value=1,
        max_value=16,
        initial=1,
        required=False,
        help_text=_("How many connections at the same time; the operator says how many it allows."),
    )
    window = forms.IntegerField(
        label=_("Window"),
        min_value=1,
        max_value=1000,
        initial=10,
        required=False,
        help_text=_(
            "How many segments may be unanswered on each bind. A larger one is faster over a slow "
            "line; it is also how many messages may be in doubt when the line breaks."
        ),
    )
    source_ton = forms.ChoiceField(
        label=_("Type of the sender's number (TON)"),
        help_text=_("Found by itself; change it if the operator says so."),
        **_choices(*_TON),
    )
    source_npi = forms.ChoiceField(
        label=_("Plan of the sender's number (NPI)"),
        help_text=_("Found by itself; change it if the operator says so."),
        **_choices(*_NPI),
    )
    dest_ton = forms.ChoiceField(
        label=_("Type of the recipient's number (TON)"),
        help_text=_("International if nothing else is said."),
        **_choices(*_TON),
    )
    dest_npi = forms.ChoiceField(
        label=_("Plan of the recipient's number (NPI)"),
        help_text=_("ISDN if nothing else is said."),
        **_choices(*_NPI),
    )
    plus = forms.BooleanField(
        label=_("Numbers with +"),
        required=False,
        help_text=_("Nearly all operators want numbers without it."),
    )
    address_range = forms.CharField(
        label=_("Address range"),
        max_length=40,
        validators=[_latin1],
        required=False,
        help_text=_("Which numbers this bind receives for; usually empty."),
    )
    service_type = forms.CharField(
        label=_("Service type"),
        max_length=5,
        validators=[_latin1],
        required=False,
        help_text=_("Only if the operator names one."),
    )
    version = forms.ChoiceField(
        label=_("Version"),
        help_text=_("What we say that we speak."),
        **_choices(("0x34", "3.4"), ("0x33", "3.3"), ("0x50", "5.0")),
    )
    alphabet = forms.ChoiceField(
        label=_("Alphabet of data coding 0"),
        help_text=_(
            "If accents or signs like @ and _ arrive wrong, this is what to change; ask the "
            "operator for its default alphabet."
        ),
        **_choices(
            ("gsm", _("GSM 7-bit, one character per octet")),
            ("packed", _("GSM 7-bit, packed")),
            ("latin1", _("Latin-1")),
            ("ascii", _("ASCII")),
            ("utf8", _("UTF-8")),
        ),
    )
    gsm_code = forms.ChoiceField(
        label=_("Data coding of such texts"),
        help_text=_("A few operators want 1 or 0xF1 instead of 0."),
        **_choices(("0", "0"), ("1", "1"), ("0xF1", "0xF1")),
    )
    latin1 = forms.BooleanField(
        label=_("Latin-1 is allowed"),
        required=False,
        help_text=_("Texts such as “Ça va” then fit 140 characters in a segment instead of 70."),
    )
    long = forms.ChoiceField(
        label=_("Long texts"),
        help_text=_(
            "How the segments of one text are tied together. Nearly all operators take the first."
        ),
        **_choices(
            ("udh8", _("user data header, 8-bit reference")),
            ("udh16", _("user data header, 16-bit reference")),
            ("sar", _("SAR parameters")),
            ("payload", _("message_payload: the operator cuts them")),
        ),
    )
    receipts = forms.ChoiceField(
        label=_("Delivery receipts"),
        help_text=_("What the operator is asked to report."),
        **_choices(
            ("1", _("for each message")),
            ("2", _("only for failures")),
            ("0", _("none")),
        ),
    )
    intermediate = forms.BooleanField(
        label=_("Also intermediate reports"),
        required=False,
        help_text=_("News such as “the handset is off”, where the operator has them."),
    )
    validity = forms.IntegerField(
        label=_("Validity in minutes"),
        min_value=1,
        max_value=60 * 24 * 30,
        required=False,
        help_text=_(
            "How long the operator tries to reach a handset that is off. Empty: as the operator "
            "wants."
        ),
    )
    ids = forms.ChoiceField(
        label=_("Form of the ids in receipts"),
        help_text=_(
            "Some operators write the same id in hexadecimal first and in decimal later. If "
            "receipts match nothing, change it."
        ),
        **_choices(
            ("auto", _("found by itself")),
            ("same", _("the same, letter for letter")),
            ("hex_dec", _("hexadecimal, then decimal in the receipt")),
            ("dec_hex", _("decimal, then hexadecimal in the receipt")),
        ),
    )
    zone = forms.CharField(
        label=_("Time zone of receipts"),
        max_length=60,
        required=False,
        initial="UTC",
        help_text=_("As in Europe/Paris. Receipts say the time without it."),
    )
    accepted = forms.ChoiceField(
        label=_("ACCEPTD means"),
        help_text=_("Operators disagree on what this state says."),
        **_choices(
            ("sent", _("on its way")),
            ("delivered", _("delivered")),
            ("failed", _("failed")),
        ),
    )
    unknown = forms.ChoiceField(
        label=_("UNKNOWN means"),
        help_text=_("Operators disagree on what this state says."),
        **_choices(
            ("unknown", _("unknown")),
            ("failed", _("failed")),
            ("sent", _("still on its way")),
        ),
    )
    receipts_by_text = forms.BooleanField(
        label=_("Receipts are known by their text"),
        required=False,
        help_text=_(
            "For operators that do not mark receipts as such. A person who writes the like is "
            "then taken for a receipt."
        ),
    )
    tlvs = forms.CharField(
        label=_("Further parameters (TLV)"),
        max_length=2000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        help_text=_(
            "Sent with each message, one per line: 0x1400 = text: 1101…, or hex, cstring, int1, "
            "int2, int4."
        ),
    )
    statuses = forms.CharField(
        label=_("Further status codes"),
        max_length=2000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        help_text=_(
            "What codes of your operator mean, one per line: 0x0000040A = throttled, or "
            "temporary, rejected, bad number, opted out, no credit, misconfigured."
        ),
    )
    enquire = forms.IntegerField(
        label=_("Seconds between enquire_link"),
        min_value=5,
        max_value=600,
        initial=30,
        required=False,
        help_text=_("How often we ask whether the operator is still there."),
    )
    answer_within = forms.IntegerField(
        label=_("Seconds to wait for an answer"),
        min_value=5,
        max_value=600,
        initial=60,
        required=False,
        help_text=_("After that a message is unknown: it may have been taken or not."),
    )
    first_pause = forms.IntegerField(
        label=_("Seconds before connecting again"),
        min_value=1,
        max_value=600,
        initial=1,
        required=False,
        help_text=_("The first pause after a break; it doubles while it does not work."),
    )
    longest_pause = forms.IntegerField(
        label=_("Longest pause in seconds"),
        min_value=1,
        max_value=3600,
        initial=60,
        required=False,
        help_text=_("The pause between two tries grows to this."),
    )
    tls_name = forms.CharField(
        label=_("Name in the certificate"),
        max_length=255,
        required=False,
        help_text=_("If it is another than the host."),
    )
    tls_ca = forms.CharField(
        label=_("Certificate authority (PEM)"),
        max_length=20_000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        help_text=_("Only if the operator has an authority of its own."),
    )
    tls_certificate = forms.CharField(
        label=_("Client certificate (PEM)"),
        max_length=20_000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        help_text=_("Only if the operator gave you one."),
    )
    tls_key = _Pem(
        label=_("Its private key (PEM)"),
        max_length=20_000,
        required=False,
        widget=forms.PasswordInput,
        help_text=_("Paste it whole, with its BEGIN and END marks."),
    )
    tls_unverified = forms.BooleanField(
        label=_("Do not verify the certificate"),
        required=False,
        help_text=_(
            "Anybody on the way could then pretend to be the operator. Only to find a mistake."
        ),
    )

    advanced = (
        "system_type", "binds", "window", "source_ton", "source_npi", "dest_ton", "dest_npi", "plus",
        "address_range", "service_type", "version", "alphabet", "gsm_code", "latin1", "long", "receipts",
        "intermediate", "validity", "ids", "zone", "accepted", "unknown", "receipts_by_text", "tlvs",
        "statuses", "enquire", "answer_within", "first_pause", "longest_pause", "tls_name", "tls_ca",
        "tls_certificate", "tls_key", "tls_unverified",
    )  # fmt: skip

    def clean_host(self) -> str:
        host: str = self.cleaned_data["host"].strip()
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]  # IPv6 as it stands in addresses
        # IPv6 has two colons at least; one is a port's.
        if any(mark in host for mark in "/[] ") or host.count(":") == 1:
            raise forms.ValidationError(_("Only the name or address, without smpp:// and port."))
        return host

    def clean_source(self) -> str:
        source: str = self.cleaned_data["source"].strip()
        if not source or digits_of(source):
            return source
        if len(source) > _LONGEST_NAME:
            raise forms.ValidationError(_("A name has 11 characters at most."))
        plain = source.isascii() and source.isprintable() and "@" not in source
        if not plain or gsm.encoding_of(source) != "gsm7":
            raise forms.ValidationError(_("A name may have plain letters, digits and spaces."))
        return source

    def clean_zone(self) -> str:
        zone: str = self.cleaned_data["zone"].strip() or "UTC"
        if zone not in available_timezones():
            raise forms.ValidationError(
                _("There is no such time zone. Write it as in Europe/Paris.")
            )
        return zone

    def clean_tlvs(self) -> str:
        lines: str = self.cleaned_data["tlvs"]
        try:
            read_tlvs(lines)
        except ValueError as error:
            words = gettext("This line cannot be read: %(line)s")
            raise forms.ValidationError(words % {"line": error}) from None
        return lines

    def clean_statuses(self) -> str:
        lines: str = self.cleaned_data["statuses"]
        try:
            read_statuses(lines)
        except ValueError as error:
            words = gettext("This line cannot be read: %(line)s. The words are: %(words)s.")
            known = {"line": error, "words": ", ".join(CLASSES)}
            raise forms.ValidationError(words % known) from None
        return lines

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        tls = None if self.errors else profile_of(cleaned).tls
        if tls and tls.certificate and not tls.key:
            self.add_error("tls_key", _("The certificate needs its private key."))
        elif tls:
            self._try("tls_ca", replace(tls, certificate=""))
            self._try("tls_certificate", replace(tls, ca=""))
        return cleaned

    def _try(self, name: str, tls: Tls) -> None:
        try:
            context_of(tls)
        except Misconfigured:
            words = _("This cannot be read. Paste it whole, with its BEGIN and END marks.")
            self.add_error(name, words)
