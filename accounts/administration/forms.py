"""What site administrators type about people and workspaces."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.forms import PlaceForm
from accounts.models import Role, User, Workspace

REASON_LIMIT = 200
# Bytes of a file of people, which is some thousand lines.
IMPORT_LIMIT = 200_000


def _email(label: Any, **options: Any) -> forms.EmailField:
    widget = forms.EmailInput(attrs={"autocomplete": "off"})
    return forms.EmailField(label=label, max_length=254, widget=widget, **options)


class KnownEmailField(forms.EmailField):
    """The e-mail address of somebody who has an account; gives the User."""

    def __init__(self, **options: Any) -> None:
        widget = forms.EmailInput(attrs={"autocomplete": "off"})
        super().__init__(max_length=254, widget=widget, **options)

    def clean(self, value: Any) -> Any:
        email = super().clean(value)
        if not email:
            return None
        user = User.objects.filter(email=email.lower(), is_active=True).first()
        if user is None:
            raise forms.ValidationError(_("Nobody here logs in with this address."))
        return user


class UserSearchForm(forms.Form):
    STATES = (
        ("", gettext_lazy("All")),
        ("active", gettext_lazy("Active")),
        ("suspended", gettext_lazy("Suspended")),
        ("administrators", gettext_lazy("Administrators of the site")),
        ("unguarded", gettext_lazy("Without second factor")),
        ("never", gettext_lazy("Never seen")),
    )
    q = forms.CharField(label=gettext_lazy("Search"), required=False, max_length=100)
    state = forms.ChoiceField(label=gettext_lazy("Which"), choices=STATES, required=False)


class UserForm(forms.Form):
    """Name, address and right of one person; `user` is None for a new one."""

    email = _email(gettext_lazy("E-mail"))
    name = forms.CharField(label=gettext_lazy("Name"), max_length=100, required=False)
    administrator = forms.BooleanField(
        label=gettext_lazy("Administers this site"),
        required=False,
        help_text=gettext_lazy(
            "Sees this section, changes everybody, and can act as people who do not."
        ),
    )


class NewUserForm(UserForm):
    workspace = forms.ModelChoiceField(
        label=gettext_lazy("Workspace"),
        queryset=Workspace.objects.none(),
        required=False,
        empty_label=gettext_lazy("None yet"),
    )
    role = forms.ChoiceField(
        label=gettext_lazy("Role there"), choices=Role.choices, initial=Role.SENDER
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        living = Workspace.objects.filter(archived_at=None).order_by("name")
        self.fields["workspace"].queryset = living  # type: ignore[attr-defined]


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("Why"),
        max_length=REASON_LIMIT,
        min_length=3,
        help_text=gettext_lazy("It is kept in the activity log, which this person may be shown."),
    )


class DeleteUserForm(forms.Form):
    heir = KnownEmailField(
        label=gettext_lazy("Who owns these workspaces afterwards"),
        required=False,
        help_text=gettext_lazy("The e-mail address of somebody who has an account."),
    )


class WorkspaceSearchForm(forms.Form):
    STATES = (
        ("", gettext_lazy("All")),
        ("open", gettext_lazy("Open")),
        ("archived", gettext_lazy("Archived")),
    )
    q = forms.CharField(label=gettext_lazy("Search"), required=False, max_length=100)
    state = forms.ChoiceField(label=gettext_lazy("Which"), choices=STATES, required=False)


class NewWorkspaceForm(PlaceForm):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=100)
    owner = KnownEmailField(label=gettext_lazy("E-mail of the owner"))
    field_order = ["name", "owner", "country", "time_zone"]


class MemberForm(forms.Form):
    person = KnownEmailField(label=gettext_lazy("E-mail"))
    role = forms.ChoiceField(label=gettext_lazy("Role"), choices=Role.choices, initial=Role.SENDER)


class HeirForm(forms.Form):
    heir = KnownEmailField(label=gettext_lazy("E-mail of the new owner"))


class NameAgainForm(forms.Form):
    """The name of what is to be deleted, typed once more."""

    name = forms.CharField(label=gettext_lazy("Type its name"), max_length=100)

    def __init__(self, *args: Any, wanted: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.wanted = wanted

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if name.strip() != self.wanted.strip():
            raise forms.ValidationError(_("This is not its name."))
        return name


class ImportForm(forms.Form):
    """People as CSV, from a file or pasted."""

    file = forms.FileField(label=gettext_lazy("File"), required=False)
    pasted = forms.CharField(
        label=gettext_lazy("Or paste the lines"),
        required=False,
        max_length=IMPORT_LIMIT,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}),
    )

    def clean(self) -> dict[str, Any]:
        """Give `text`: what the file or the field holds."""
        data = super().clean() or {}
        file = data.get("file")
        if file and file.size > IMPORT_LIMIT:
            raise forms.ValidationError(_("This file is too large."))
        text = file.read().decode("utf-8-sig", "replace") if file else data.get("pasted", "")
        data["text"] = text.replace("\x00", "")
        if not data["text"].strip() and not self.errors:
            raise forms.ValidationError(_("Choose a file, or paste lines."))
        return data
