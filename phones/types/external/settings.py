"""What people fill in: the request, what a good answer looks like, how callbacks name things."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from phones.base import OutgoingSms, PhoneType
from phones.types.external import template
from phones.types.external.template import FORM, JSON, PLAIN, VARIABLE, XML

# RapidPro's default body.
BODY = (
    "id={{id}}&text={{text}}&to={{to}}&to_no_plus={{to_no_plus}}&from={{from}}"
    "&from_no_plus={{from_no_plus}}&channel={{channel}}"
)
_HOST = re.compile(r"[\w.\-]+(:\d{1,5})?|\[[0-9A-Fa-f:]+\](:\d{1,5})?", re.ASCII)
# Of an address outside its variables: what needs no encoding.
_PLAIN_URL = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~\-]+")
_PRINTABLE = re.compile(r"[\x20-\x7e\t]*")
_PATH = re.compile(r"\$?[\w.\[\]\-]+")
# A message as unlike the rules of any encoding as can be.
_SAMPLE = template.values(
    OutgoingSms("42", "+33612345678", 'a "b" <c> & \\ é\n'),
    sender="+33757590000",
    channel="x",
    status_url="https://sms.example.org/",
    secret="abcd",  # noqa: S106 - only to see what a template becomes
)


class _TemplateURLField(forms.URLField):
    """An http address with variables behind its host; of a private network too."""

    def __init__(self, **options: Any) -> None:
        super().__init__(assume_scheme="https", **options)
        # Django's own wants a dot in every host.
        own = forms.URLField.default_validators
        self.validators = [check for check in self.validators if check not in own]

    def clean(self, value: Any) -> str:
        url = str(super().clean(value))
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not _HOST.fullmatch(parts.netloc):
            raise forms.ValidationError(
                gettext("Write an address such as https://sms.example.org/send.")
            )
        if parts.fragment or not _PLAIN_URL.fullmatch(VARIABLE.sub("", url)):
            raise forms.ValidationError(
                gettext("Write special characters of the address encoded, such as %20 for a space.")
            )
        return url


def _name(label: Any, help_text: Any) -> forms.CharField:
    """Give a field for the name of a parameter, or its path inside JSON."""
    return forms.RegexField(
        rf"^{_PATH.pattern}$",
        label=label,
        help_text=help_text,
        max_length=60,
        required=False,
        error_messages={"invalid": _("Write a name such as text, or a path such as sms.text.")},
    )


class SettingsForm(PhoneType.Settings):
    """The request, the answer, the callbacks."""

    advanced = (
        "auth_header",
        "headers",
        "success_status",
        "success_text",
        "success_path",
        "id_path",
        "from_field",
        "text_field",
        "date_field",
        "id_field",
        "status_field",
        "reply",
    )

    sender = forms.CharField(
        label=_("Sender"),
        help_text=_("Your number or name at the service: what {{from}} stands for."),
        max_length=40,
        required=False,
    )
    url = _TemplateURLField(
        label=_("Address"),
        help_text=_(
            "Where a message is sent, such as https://api.example.net/send. With GET it holds all: "
            "…/send?to={{to}}&text={{text}}."
        ),
        max_length=1000,
    )
    method = forms.ChoiceField(
        label=_("Method"),
        help_text=_("POST for most services. GET has no body: all is in the address."),
        choices=[("POST", "POST"), ("GET", "GET"), ("PUT", "PUT")],
    )
    content_type = forms.ChoiceField(
        label=_("Kind of body"),
        help_text=_("It decides how values are encoded."),
        choices=[
            (FORM, _("Form (a=1&b=2)")),
            (JSON, _("JSON")),
            (XML, _("XML")),
            (PLAIN, _("Plain text")),
        ],
    )
    body = forms.CharField(
        label=_("Body"),
        help_text=_(
            "With {{text}}, {{to}}, {{to_no_plus}}, {{from}}, {{from_no_plus}}, {{id}}, {{channel}}, "
            '{{status_url}} and {{secret}}. In JSON they bring their quotes: {"text": {{text}}}.'
        ),
        initial=BODY,
        max_length=10_000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
    )
    authorization = forms.CharField(
        label=_("Secret"),
        help_text=_(
            "The whole value of the header Authorization, such as “Bearer abc”, or what {{secret}} "
            "stands for. It is never shown again."
        ),
        # Shorter ones cannot be told from ordinary words, and so not be hidden in what is kept.
        min_length=4,
        max_length=2000,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    auth_header = forms.CharField(
        label=_("Header of the secret"),
        help_text=_("Its name. Leave it empty if only {{secret}} carries it."),
        initial="Authorization",
        max_length=60,
        required=False,
    )
    headers = forms.CharField(
        label=_("Other headers"),
        help_text=_("One per line, Name: value. They are shown to whoever may edit this phone."),
        max_length=4000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
    )
    success_status = forms.RegexField(
        r"^[1-5]\d\d( +[1-5]\d\d)*$",
        label=_("Good statuses"),
        help_text=_("Of HTTP, such as 200 202. Empty means any from 200 to 299."),
        max_length=60,
        required=False,
        error_messages={"invalid": _("Write statuses with spaces between them, such as 200 202.")},
    )
    success_text = forms.CharField(
        label=_("Words of a good answer"),
        help_text=_("The answer must contain them. Without them the message failed."),
        max_length=200,
        required=False,
    )
    success_path = forms.RegexField(
        rf"^{_PATH.pattern}( *=.+)?$",
        label=_("Value of a good answer"),
        help_text=_("What JSON must hold: messages[0].status = queued, or a path that must exist."),
        max_length=200,
        required=False,
        error_messages={"invalid": _("Write a path and a value, such as status = ok.")},
    )
    id_path = _name(
        _("Where the id is"),
        _(
            "The path of the name that the service gives a message, such as messages[0].id. Its "
            "reports must then name the message so, and not by our {{id}}."
        ),
    )
    from_field = _name(
        _("Callbacks: sender"), _("The field that says who wrote. Empty means from or sender.")
    )
    text_field = _name(
        _("Callbacks: text"), _("The field that holds the message. Empty means text.")
    )
    date_field = _name(
        _("Callbacks: time"), _("The field that says when, as ISO 8601. Empty means date or time.")
    )
    id_field = _name(
        _("Callbacks: id"), _("The field that names our message in a report. Empty means id.")
    )
    status_field = _name(
        _("Callbacks: status"), _("The field that says what became of it. Empty means status.")
    )
    reply = forms.CharField(
        label=_("Answer to incoming messages"),
        help_text=_("If the service wants to read something special, such as OK."),
        max_length=1000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
    )

    def clean_authorization(self) -> str:
        secret: str = self.cleaned_data["authorization"]
        if not _PRINTABLE.fullmatch(secret):
            raise forms.ValidationError(gettext("A secret has no line breaks and no accents."))
        return secret

    def clean_auth_header(self) -> str:
        name: str = self.cleaned_data["auth_header"]
        if name and not _HEADER.fullmatch(name):
            raise forms.ValidationError(gettext("Write the name of a header, such as X-Api-Key."))
        return name

    def clean_headers(self) -> str:
        lines = template.header_lines(self.cleaned_data["headers"])
        for name, value in lines:
            if not _HEADER.fullmatch(name) or not value or not _PRINTABLE.fullmatch(value):
                raise forms.ValidationError(
                    gettext("“%(line)s” is no header. Write Name: value.") % {"line": name}
                )
        return "\n".join(f"{name}: {value}" for name, value in lines)

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        for field in ("url", "body"):
            unknown = [n for n in VARIABLE.findall(given.get(field) or "") if n not in _SAMPLE]
            if unknown:
                words = gettext("We do not know {{%(name)s}}.") % {"name": unknown[0]}
                self.add_error(field, words)
        if not self.errors:
            self._check_request()
        return given

    def _check_request(self) -> None:
        """Look for what no service could understand, or nobody could hide."""
        given = dict(self.cleaned_data)
        sends_body = given["method"] != "GET"
        written = given["body"] if sends_body else ""
        where = "body" if sends_body else "url"
        names = set(VARIABLE.findall(given["url"] + written))
        if "text" not in names:
            self.add_error(where, gettext("{{text}} is missing: nobody would read the message."))
        if not names & {"to", "to_no_plus"}:
            self.add_error(where, gettext("{{to}} is missing: nobody would get the message."))
        if sends_body and given["content_type"] == JSON and not _is_json(written):
            words = gettext("This is no JSON. Write {{text}} without quotes: it brings its own.")
            self.add_error("body", words)
        if "secret" in VARIABLE.findall(written) and _is_disguised(given):
            words = gettext("This kind of body changes this secret, so that we could not hide it.")
            self.add_error("authorization", words)


def _is_disguised(given: dict[str, Any]) -> bool:
    """Say whether the secret is written so in the body that nobody would find and hide it."""
    secret = str(given["authorization"])
    if given["content_type"] == FORM:
        return False
    written = template.ENCODERS[given["content_type"]](secret)
    return written.strip('"') != secret


def _is_json(body: str) -> bool:
    try:
        json.loads(template.filled(body, _SAMPLE, template.ENCODERS[JSON]))
    except (ValueError, RecursionError):
        return False
    return True
