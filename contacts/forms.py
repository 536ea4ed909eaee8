"""What people type about those they write to."""

from __future__ import annotations

from functools import cache
from typing import Any

from django import forms
from django.conf.locale import LANG_INFO
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Workspace
from accounts.places import countries, time_zones
from contacts import finding, keeping, values
from contacts.models import Contact, Field, FieldType, Group, Kind, Segment, Tag
from lib import e164, masks
from lib.words import fold


class OptOutForm(forms.Form):
    number = forms.CharField(
        label=gettext_lazy("Number"),
        max_length=40,
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "off", "dir": "ltr"}),
        help_text=gettext_lazy("As you would dial it, or with + and the country code."),
    )
    detail = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy("For those who ask later, such as “asked by telephone”."),
    )

    def __init__(self, *args: Any, country: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.country = country

    def clean_number(self) -> str:
        """Give the number as E.164."""
        return _number(self.cleaned_data["number"], self.country)


def _number(written: str, country: str) -> str:
    try:
        return e164.parse(written, country)
    except e164.Invalid as error:
        raise forms.ValidationError(why(error)) from None


def why(error: e164.Invalid) -> str:
    """Say what is wrong with a number."""
    words = {
        "too_short": _("%(number)s is too short for a phone number."),
        "too_long": _("%(number)s is too long for a phone number."),
        "country": _("%(number)s has no country code that exists."),
    }
    otherwise = _("%(number)s is no phone number.")
    return words.get(error.why, otherwise) % {"number": error.written}


@cache
def languages() -> list[tuple[str, str]]:
    """Give (code, the language's own name) of those that Django has a name for."""
    named = {
        code: str(info["name_local"]) for code, info in LANG_INFO.items() if "name_local" in info
    }
    return sorted(named.items(), key=lambda language: fold(language[1]))


class ContactForm(forms.Form):
    """A person, with the fields of the workspace: those are named `value_<key>`.

    `save` stores what is valid; `taken` is then whoever has the number already, if somebody has.
    """

    name = forms.CharField(label=gettext_lazy("Name"), max_length=200, required=False)
    number = forms.CharField(
        label=gettext_lazy("Number"),
        max_length=100,
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "off", "dir": "ltr"}),
        help_text=gettext_lazy("As you would dial it, or with + and the country code."),
    )
    groups = forms.ModelMultipleChoiceField(
        Group.objects.none(),
        label=gettext_lazy("Groups"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    tags = forms.CharField(
        label=gettext_lazy("Tags"),
        max_length=1000,
        required=False,
        help_text=gettext_lazy("Words with commas between them."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    language = forms.ChoiceField(label=gettext_lazy("Language"), required=False)
    time_zone = forms.ChoiceField(label=gettext_lazy("Time zone"), required=False)
    carrier = forms.CharField(
        label=gettext_lazy("Carrier"),
        max_length=64,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    notes = forms.CharField(
        label=gettext_lazy("Notes"),
        max_length=5000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def __init__(
        self, workspace: Workspace, contact: Contact | None, *args: Any, **kwargs: Any
    ) -> None:
        self.workspace = workspace
        self.contact = contact or Contact(workspace=workspace)
        self.kept = keeping.fields_of(workspace)
        self.taken: Contact | None = None
        kwargs["initial"] = {**self._known(), **kwargs.get("initial", {})}
        super().__init__(*args, **kwargs)
        self.fields["groups"].queryset = workspace.groups.all()  # type: ignore[attr-defined]
        for name, known in (("language", languages()), ("time_zone", time_zones())):
            has = getattr(self.contact, name)
            odd = [(has, has)] if has and has not in dict(known) else []
            self.fields[name].choices = [("", _("Not known")), *odd, *known]  # type: ignore[attr-defined]
        if masks.hiding() and self.contact.pk:
            self.fields["number"].disabled = True
            self.fields["number"].help_text = _("You see a part of it only, so it stays as it is.")
        for field in self.kept:
            self.fields[f"value_{field.key}"] = _input(field)
        if not workspace.groups.exists():
            del self.fields["groups"]

    def _known(self) -> dict[str, Any]:
        contact = self.contact
        known: dict[str, Any] = {
            f"value_{field.key}": _shown(field, contact) for field in self.kept
        }
        for name in ("name", "language", "time_zone", "carrier", "notes"):
            known[name] = getattr(contact, name)
        known["number"] = masks.shown(contact.number)
        if contact.pk:
            known["groups"] = list(contact.groups.all())
            known["tags"] = ", ".join(tag.name for tag in contact.tags.all())
        return known

    @property
    def typed(self) -> list[forms.BoundField]:
        """Give the inputs of the workspace's fields."""
        return [self[f"value_{field.key}"] for field in self.kept]

    def clean_number(self) -> str:
        """Give the number as E.164."""
        if self.fields["number"].disabled:
            return self.contact.number
        return _number(masks.opened(self.cleaned_data["number"]), self.workspace.country)

    def clean_carrier(self) -> str:
        return fold(self.cleaned_data["carrier"]).replace(" ", "-")

    def clean(self) -> dict[str, Any]:
        for field in self.kept:
            name = f"value_{field.key}"
            try:
                self.cleaned_data[name] = values.read(field.type, self.cleaned_data.get(name))
            except values.Wrong as error:
                self.add_error(name, str(error))
        return self.cleaned_data

    def save(self) -> Contact | None:
        """Store the person; None, with an error on the number, when somebody else has it."""
        data, contact = self.cleaned_data, self.contact
        for name in ("name", "number", "language", "time_zone", "carrier", "notes"):
            setattr(contact, name, data[name])
        for field in self.kept:
            value = data[f"value_{field.key}"]
            contact.values.pop(field.key, None)
            if value is not None:
                contact.values[field.key] = value
        try:
            keeping.save(contact)
        except keeping.Taken as error:
            self.taken = error.contact
            words = _("%(name)s has this number already.")
            self.add_error("number", words % {"name": error.contact})
            return None
        contact.groups.set(data.get("groups") or [])
        keeping.set_tags(contact, keeping.names_in(data["tags"]))
        return contact


def _shown(field: Field, contact: Contact) -> str:
    """Give a value as its input takes it."""
    return values.plain(contact.values.get(field.key))


def _input(field: Field) -> forms.Field:
    common: dict[str, Any] = {"label": field.label, "required": False}
    if field.type == FieldType.YES_NO:
        choices = [("", _("Not known")), ("yes", _("Yes")), ("no", _("No"))]
        return forms.ChoiceField(choices=choices, **common)
    attrs: dict[str, str] = {"autocomplete": "off"}
    if field.type == FieldType.DATE:
        attrs |= {"type": "date"}
    if field.type == FieldType.NUMBER:
        attrs |= {"inputmode": "decimal"}
    return forms.CharField(max_length=values.MOST_TEXT, widget=forms.TextInput(attrs), **common)


class FilterForm(forms.Form):
    """Which people to see. All of it lives in the address; what is wrong there is left out."""

    q = forms.CharField(label=gettext_lazy("Search"), max_length=200, required=False)
    group = forms.ModelChoiceField(
        Group.objects.none(),
        label=gettext_lazy("Group"),
        empty_label=gettext_lazy("All groups"),
        required=False,
    )
    segment = forms.ModelChoiceField(
        Segment.objects.none(),
        label=gettext_lazy("Segment"),
        empty_label=gettext_lazy("All segments"),
        required=False,
    )
    tag = forms.ModelChoiceField(
        Tag.objects.none(),
        label=gettext_lazy("Tag"),
        empty_label=gettext_lazy("All tags"),
        required=False,
    )
    country = forms.ChoiceField(label=gettext_lazy("Country"), required=False)
    kind = forms.ChoiceField(
        label=gettext_lazy("Kind of number"),
        choices=[("", gettext_lazy("All kinds")), *Kind.choices],
        required=False,
    )
    field = forms.ModelChoiceField(
        Field.objects.none(),
        label=gettext_lazy("Field"),
        empty_label=gettext_lazy("Any field"),
        required=False,
    )
    value = forms.CharField(
        label=gettext_lazy("Says"),
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    order = forms.ChoiceField(
        label=gettext_lazy("Order"),
        choices=[
            (finding.NAME, gettext_lazy("Name")),
            (finding.NEWEST, gettext_lazy("Newest first")),
            (finding.CHANGED, gettext_lazy("Last changed first")),
        ],
        required=False,
    )

    def __init__(self, workspace: Workspace, data: MultiValueDict[str, Any]) -> None:
        super().__init__(data)
        for name, rows in (
            ("group", workspace.groups.all()),
            ("segment", workspace.segments.all()),
            ("tag", workspace.tags.all()),
            ("field", workspace.fields.filter(deleted_at=None)),
        ):
            self.fields[name].queryset = rows  # type: ignore[attr-defined]
        self.fields["country"].choices = [("", _("All countries")), *countries()]  # type: ignore[attr-defined]
        self.full_clean()

    @property
    def wanted(self) -> finding.Wanted:
        known = {name: value for name, value in self.cleaned_data.items() if value}
        return finding.Wanted(**known)

    @property
    def wanted_pairs(self) -> list[tuple[str, str]]:
        """Give the filters as hidden inputs carry them."""
        return [
            (name, str(self.data.get(name))) for name in self.cleaned_data if self.data.get(name)
        ]


class FieldForm(forms.Form):
    label = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=80,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    type = forms.ChoiceField(label=gettext_lazy("Type"), choices=FieldType.choices)

    def __init__(
        self, workspace: Workspace, field: Field | None, *args: Any, **kwargs: Any
    ) -> None:
        self.workspace, self.field = workspace, field
        kwargs["initial"] = {"label": field.label if field else ""}
        super().__init__(*args, **kwargs)
        if field:
            del self.fields["type"]

    def clean_label(self) -> str:
        label = " ".join(self.cleaned_data["label"].split())
        others = [other for other in keeping.fields_of(self.workspace) if other != self.field]
        if any(fold(other.label) == fold(label) for other in others):
            raise forms.ValidationError(_("There is a field of this name already."))
        if not self.field and len(others) >= keeping.MOST_FIELDS:
            words = _("A workspace has %(most)s fields at most.")
            raise forms.ValidationError(words % {"most": keeping.MOST_FIELDS})
        return label


class GroupForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=100,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    description = forms.CharField(
        label=gettext_lazy("Description"),
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(
        self, workspace: Workspace, group: Group | None, *args: Any, **kwargs: Any
    ) -> None:
        self.workspace, self.group = workspace, group
        if group:
            kwargs["initial"] = {"name": group.name, "description": group.description}
        super().__init__(*args, **kwargs)

    def clean_name(self) -> str:
        name = " ".join(self.cleaned_data["name"].split())
        same = self.workspace.groups.filter(folded=fold(name)[:100]).first()
        if same and same != self.group:
            raise forms.ValidationError(_("There is a group of this name already."))
        return name


class TagForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def clean_name(self) -> str:
        names = keeping.names_in(self.cleaned_data["name"])
        if len(names) != 1:
            raise forms.ValidationError(_("Write one name, without commas."))
        return names[0]
