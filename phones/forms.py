"""The forms of the phone pages: what we ask of every phone, and what its provider needs besides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings
from django.core.validators import RegexValidator
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Workspace
from phones import lookups, reaching
from phones.base import PhoneType
from phones.health import kind_of
from phones.models import Phone
from phones.pool_forms import priority_field, weight_field

# Keeps the provider's field names apart from ours.
PREFIX = "settings"
# Tick boxes named so say that a stored secret that is not required shall be forgotten.
FORGET = "forget"
# Settings that say where a phone connects to, whatever their field's class.
ADDRESSES = {"base_url", "host", "smtp_host", "imap_host", "edge", "region"}


def _places_field(label: Any, help_text: Any) -> forms.CharField:
    return forms.CharField(
        label=label,
        help_text=help_text,
        max_length=2000,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "FR, +33 6"}),
    )


def _read_places(written: str) -> list[str]:
    try:
        return reaching.read(written)
    except reaching.NotAPlace as wrong:
        words = _(
            "“%(written)s” is neither a country's two letters, such as FR, nor a prefix, such as +33 6."
        )
        raise forms.ValidationError(words % {"written": wrong}) from None


class PhoneForm(forms.Form):
    """What we ask of every phone. `phone`, saved or not, knows its workspace and what is chosen now."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        help_text=gettext_lazy("What you call it. Only your team sees it."),
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    rate = forms.FloatField(
        label=gettext_lazy("Segments per second"),
        help_text=gettext_lazy(
            "How fast it may send; a long message counts as several segments. "
            "Your provider says what it allows."
        ),
        min_value=0.01,
        max_value=10_000,
    )
    resend_unknown = forms.BooleanField(
        label=gettext_lazy("Send again when the outcome is unknown"),
        help_text=gettext_lazy(
            "Sometimes a provider takes a message and never answers: it may have left or not. If you "
            "tick this we send it again, and some people may get it twice. Right for one-time codes."
        ),
        required=False,
    )

    look_up_by = forms.ModelChoiceField(
        Phone.objects.none(),
        label=gettext_lazy("Look up unknown carriers through"),
        help_text=gettext_lazy(
            "For messages that go by the recipient's carrier. A number is looked up once, before its "
            "first message; each look-up costs money at that phone's provider."
        ),
        empty_label=gettext_lazy("Nobody: messages to them fail"),
        required=False,
    )

    priority = priority_field(
        help_text=gettext_lazy("Where any phone may be taken, the highest goes first."),
        initial=0,
        required=False,
    )
    weight = weight_field(
        help_text=gettext_lazy(
            "Phones of the same priority share: 3 gets three times as many as 1."
        ),
        initial=1,
        required=False,
    )
    allowed = _places_field(
        gettext_lazy("Write only to"),
        gettext_lazy("Countries and prefixes, such as FR, +33 6. Empty = everywhere."),
    )
    denied = _places_field(
        gettext_lazy("Never write to"),
        gettext_lazy("The longest prefix decides: +1 here and +1 202 above leaves +1 202."),
    )

    def __init__(self, data: MultiValueDict[str, Any] | None, *, phone: Phone) -> None:
        self.phone = phone
        now = {
            "name": phone.name,
            "rate": f"{phone.rate:g}",
            "resend_unknown": phone.resend_unknown,
            "look_up_by": phone.look_up_by_id,
            "priority": phone.priority,
            "weight": phone.weight,
            "allowed": reaching.written(phone.allowed),
            "denied": reaching.written(phone.denied),
        }
        super().__init__(data, initial=now)
        kind = kind_of(phone)
        if kind and kind.wants_carrier:
            others = lookups.able(phone.workspace).defer("settings").exclude(pk=phone.pk)
            self.fields["look_up_by"].queryset = others  # type: ignore[attr-defined]
        else:
            del self.fields["look_up_by"]

    def clean_name(self) -> str:
        name = " ".join(self.cleaned_data["name"].split())
        others = Phone.objects.living().filter(workspace=self.phone.workspace_id, name=name)
        if others.exclude(pk=self.phone.pk).exists():
            raise forms.ValidationError(self.name_taken())
        return name

    def clean_priority(self) -> int:
        return self.cleaned_data["priority"] or 0

    def clean_weight(self) -> int:
        return self.cleaned_data["weight"] or 1

    def clean_allowed(self) -> list[str]:
        return _read_places(self.cleaned_data["allowed"])

    def clean_denied(self) -> list[str]:
        return _read_places(self.cleaned_data["denied"])

    @staticmethod
    def name_taken() -> str:
        return _("Another phone has this name.")


@dataclass(frozen=True)
class PhoneForms:
    """The two halves of the settings page, which are valid or not as one.

    `optional` names stored secrets that may be forgotten; `retype` those that must be typed again.
    """

    phone: PhoneForm
    provider: forms.Form
    optional: frozenset[str] = frozenset()
    retype: frozenset[str] = frozenset()

    def is_valid(self) -> bool:
        # Both are asked, so that all mistakes show at once.
        return all([self.phone.is_valid(), self.provider_is_valid()])

    def provider_is_valid(self) -> bool:
        """Say whether what the provider needs is right, whatever the rest is."""
        self.provider.is_valid()
        for name in self.retype:
            self.provider.add_error(name, _retype_words())
        return self.provider.is_valid()

    @property
    def cleaned(self) -> dict[str, Any]:
        """Give the arguments of services.add and services.edit."""
        return {**self.phone.cleaned_data, "settings": self.provider.cleaned_data}

    @property
    def plain(self) -> list[forms.BoundField]:
        """Give the provider's fields that everybody fills in."""
        return [field for field in self.provider if field.name not in self._advanced]

    @property
    def advanced(self) -> list[forms.BoundField]:
        """Give those that most people leave alone."""
        return [field for field in self.provider if field.name in self._advanced]

    @property
    def wrong(self) -> list[forms.BoundField]:
        """Give the fields that have an error."""
        return [field for field in (*self.phone, *self.provider) if field.errors]

    @property
    def forgettable(self) -> list[forms.BoundField]:
        """Give the secrets that are stored and need not be."""
        return [field for field in self.provider if field.name in self.optional]

    @property
    def opens_advanced(self) -> bool:
        """Say whether something in the folded part is wrong or is not as it was given."""
        fields = [*self.advanced, *self.routing, self.phone["rate"]]
        filled = any(map(_was_filled_in, [*self.advanced, *self.routing]))
        return filled or any(field.errors for field in fields)

    @property
    def routing(self) -> list[forms.BoundField]:
        """Give what says which messages it gets where several phones may be taken."""
        return [self.phone[name] for name in ("priority", "weight", "allowed", "denied")]

    @property
    def _advanced(self) -> tuple[str, ...]:
        return tuple(getattr(self.provider, "advanced", ()))


def _was_filled_in(field: forms.BoundField) -> bool:
    given = str(field.value() or "")
    if not given and isinstance(field.field, forms.IntegerField):
        return False  # an empty number stands for the usual one
    return given != str(field.field.initial or "")


def _retype_words() -> str:
    return _(
        "The address has changed. Type this again, so that it goes only where you want it to go."
    )


def forms_for_new(
    workspace: Workspace, kind: type[PhoneType], data: MultiValueDict[str, Any] | None = None
) -> PhoneForms:
    """Give empty or filled forms for a phone that does not exist yet."""
    name = _free_name(workspace, str(kind.label)) if data is None else ""
    phone = Phone(workspace=workspace, type=kind.slug, name=name, rate=kind.rate)
    return PhoneForms(
        phone=PhoneForm(data, phone=phone),
        provider=_opaque(kind, _provider_form(kind, data), data),
    )


def forms_for_edit(phone: Phone, data: MultiValueDict[str, Any] | None = None) -> PhoneForms:
    """Give forms for a phone that exists. A secret left empty keeps what is stored.

    It does not when an address has changed: a secret must not follow to a host that the person who
    typed it never saw.
    """
    kind, stored = phone.kind, phone.settings
    secrets = {name for name in kind.secret_fields() if stored.get(name)}
    blank = _left_blank(data, secrets) if data is not None else set()
    retype = blank if data is not None and _moved(data, kind, stored) else set()
    provider = _provider_form(
        kind,
        None if data is None else _filled(data, {name: stored[name] for name in blank}),
        initial={name: value for name, value in stored.items() if name not in secrets},
    )
    for name in secrets & provider.fields.keys():
        _offer_to_keep(provider.fields[name])
    return PhoneForms(
        phone=PhoneForm(data, phone=phone),
        provider=_opaque(kind, provider, data),
        optional=frozenset(
            name for name in secrets if not kind.Settings.base_fields[name].required
        ),
        retype=frozenset(retype),
    )


# Browsers send no others; they would become headers and commands at the provider.
_one_line = RegexValidator(
    "[\r\n]", gettext_lazy("This must stand on one line."), inverse_match=True
)


def _provider_form(
    kind: type[PhoneType],
    data: MultiValueDict[str, Any] | None,
    initial: dict[str, Any] | None = None,
) -> forms.Form:
    form = kind.Settings(data, prefix=PREFIX, initial=initial)
    kind.offer(form, settings.PHONE_SETTINGS.get(kind.slug, {}))
    for field in form.fields.values():
        if isinstance(field, forms.CharField) and not isinstance(field.widget, forms.Textarea):
            field.validators.append(_one_line)
    return form


def _left_blank(data: MultiValueDict[str, Any], secrets: set[str]) -> set[str]:
    """Give the secrets that were neither typed nor ticked to be forgotten."""
    forgotten = set(data.getlist(FORGET))
    return {name for name in secrets - forgotten if not data.get(f"{PREFIX}-{name}", "").strip()}


def _moved(data: MultiValueDict[str, Any], kind: type[PhoneType], stored: dict[str, Any]) -> bool:
    """Say whether one of the addresses that the phone talks to has changed."""
    return any(
        data.get(f"{PREFIX}-{name}", "").strip() != (stored.get(name) or "")
        for name, field in kind.Settings.base_fields.items()
        if isinstance(field, forms.URLField) or name in ADDRESSES
    )


def _filled(data: MultiValueDict[str, Any], kept: dict[str, Any]) -> MultiValueDict[str, Any]:
    """Put the kept secrets in, so that the provider's own form sees its data whole."""
    filled = data.copy()
    for name, value in kept.items():
        filled[f"{PREFIX}-{name}"] = value
    return filled


def _offer_to_keep(field: forms.Field) -> None:
    field.widget.attrs["placeholder"] = _("unchanged")
    # The browser must not insist on what may stay empty.
    field.widget.is_required = False
    field.widget.use_required_attribute = lambda initial: False
    keep = _("Leave empty to keep it.")
    field.help_text = f"{field.help_text} {keep}".strip()


def _opaque(
    kind: type[PhoneType], provider: forms.Form, data: MultiValueDict[str, Any] | None
) -> forms.Form:
    """Keep browsers from filling their own passwords in, and secrets from ever being drawn.

    One that was typed is gone when the form is shown again, which must not go unseen.
    """
    # A type may have left one out that is of no use here.
    for name in provider.fields.keys() & kind.secret_fields():
        widget = provider.fields[name].widget
        widget.attrs["autocomplete"] = "new-password"
        if data is not None and data.get(f"{PREFIX}-{name}", "").strip():
            widget.attrs["placeholder"] = _("type it again")
        if isinstance(widget, forms.PasswordInput):
            widget.render_value = False
    return provider


def _free_name(workspace: Workspace, label: str) -> str:
    """Give `label`, or `label 2`, ..., whichever no other phone has."""
    taken = set(workspace.phones.living().values_list("name", flat=True))
    names = [label, *(f"{label} {number}" for number in range(2, len(taken) + 2))]
    return next(name for name in names if name not in taken)


class PauseForm(forms.Form):
    """Why a person pauses a phone, in words the others will read."""

    words = forms.CharField(
        label=gettext_lazy("Why?"),
        help_text=gettext_lazy("The others read it here. It may stay empty."),
        max_length=500,
        required=False,
    )
