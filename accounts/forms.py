"""What people type about themselves, each other and their workspace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import setup, site
from accounts.models import Membership, Role, User, Workspace
from accounts.places import countries, time_zones
from accounts.services import roles_given_by
from accounts.validators import PASSWORD_HINT


def email_field(**options: Any) -> forms.EmailField:
    """Give a field for an e-mail address that browsers fill in."""
    widget = forms.EmailInput(attrs={"autocomplete": "username"})
    return forms.EmailField(label=gettext_lazy("E-mail"), max_length=254, widget=widget, **options)


def new_password_field() -> forms.CharField:
    """Give a field for a password that password managers offer to make up."""
    widget = forms.PasswordInput(attrs={"autocomplete": "new-password"})
    return forms.CharField(
        label=gettext_lazy("Password"), strip=False, widget=widget, help_text=PASSWORD_HINT
    )


def name_field() -> forms.CharField:
    widget = forms.TextInput(attrs={"autocomplete": "name"})
    hint = gettext_lazy("As the others in your workspace know you.")
    return forms.CharField(
        label=gettext_lazy("Your name"), max_length=100, widget=widget, help_text=hint
    )


class NewPersonForm(forms.Form):
    """Name and password of somebody whose address is known: `email`."""

    name = name_field()
    password = new_password_field()

    def __init__(self, *args: Any, email: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.whose = email

    def clean(self) -> dict[str, Any]:
        """Judge the password knowing whose it is: nobody's name makes a good one."""
        data = super().clean() or {}
        if password := data.get("password"):
            person = User(name=data.get("name", ""), email=data.get("email", self.whose))
            try:
                validate_password(password, person)
            except forms.ValidationError as error:
                self.add_error("password", error)
        return data


class JoinForm(NewPersonForm):
    """For whoever holds a link: the address is theirs to give."""

    email = email_field()
    field_order = ["name", "email", "password"]

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"].lower()
        if User.objects.filter(email=email).exists():
            raise forms.ValidationError(
                _("This address cannot be used here. If it is yours, log in first, then join.")
            )
        return email


class SetupForm(NewPersonForm):
    code = forms.CharField(
        label=gettext_lazy("One-time code"),
        max_length=20,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}
        ),
    )
    email = email_field()
    field_order = ["code", "name", "email", "password"]

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        try:
            right = setup.is_code(code)
        except setup.TooManyTries:
            raise forms.ValidationError(
                _("Too many wrong codes. Wait a minute, then try again.")
            ) from None
        if not right:
            raise forms.ValidationError(
                _("This is not the code. Copy it from the window in which smsapp was started.")
            )
        return code


class PlaceForm(forms.Form):
    """Country and time zone as lists that speak the reader's language."""

    country = forms.ChoiceField(
        label=gettext_lazy("Country"),
        choices=countries,
        help_text=gettext_lazy("Numbers written without a country code belong to it."),
    )
    time_zone = forms.ChoiceField(label=gettext_lazy("Time zone"), choices=time_zones)


class SiteForm(PlaceForm):
    language = forms.ChoiceField(label=gettext_lazy("Your language"), choices=settings.LANGUAGES)
    name = forms.CharField(
        label=gettext_lazy("Name of the workspace"),
        max_length=100,
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
        help_text=gettext_lazy("Your organisation or team. It is shown to those you invite."),
    )
    field_order = ["name", "language", "country", "time_zone"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.is_bound:
            # static/js/setup.js knows better than the guess of the server.
            self.fields["time_zone"].widget.attrs["data-guess"] = "time-zone"


def days_field(kind: str, label: Any, help_text: Any) -> forms.IntegerField:
    """Give a field for how many days `texts` or `messages` are kept; empty is for good."""
    return forms.IntegerField(
        label=label,
        required=False,
        min_value=site.FEWEST_DAYS[kind],
        max_value=3650,
        help_text=help_text,
    )


class KeepingForm(forms.Form):
    """For how long texts and messages are kept."""

    keep_texts_days = days_field(
        "texts",
        gettext_lazy("Days that texts and pictures are kept"),
        gettext_lazy(
            "Then they are removed from messages that have ended, for good; who wrote to whom, when, and "
            "what became of it stays. Empty: as long as the messages."
        ),
    )
    keep_messages_days = days_field(
        "messages",
        gettext_lazy("Days that messages and calls are kept"),
        gettext_lazy("Then they are deleted, for good; figures stay. Empty: always."),
    )

    def ask_before_removing(self, kept: Callable[[str], int | None]) -> None:
        """Want a tick where less is to be kept than now: `kept` gives days by kind, None for good."""
        if not self.is_bound or not any(
            self._is_less(kind, kept(kind)) for kind in site.FEWEST_DAYS
        ):
            return
        self.fields["sure"] = forms.BooleanField(
            label=_("Remove what is older, for good"),
            error_messages={
                "required": _(
                    "You are about to keep less than now. What is older goes within hours, and nobody can "
                    "bring it back. Tick this if you are sure."
                )
            },
        )
        names = [name for name in self.fields if name != "sure"]
        names.insert(names.index("keep_messages_days") + 1, "sure")
        self.order_fields(names)

    def _is_less(self, kind: str, now: int | None) -> bool:
        typed = str(self.data.get(f"keep_{kind}_days", "")).strip()
        return typed.isdecimal() and (now is None or int(typed[:9]) < now)


class WorkspaceForm(KeepingForm, PlaceForm, forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Workspace
        fields = [
            "name", "description", "country", "time_zone", "numbers_hidden", "keep_texts_days",
            "keep_messages_days",
        ]  # fmt: skip
        help_texts = {
            "description": gettext_lazy("One line under the name, such as a place."),
            "numbers_hidden": gettext_lazy(
                "They see +33 6 •• •• •• 78 on all pages and in files, and still write to people by "
                "name. The texts of messages, notes and your own fields are shown as they are."
            ),
        }

    field_order = Meta.fields

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        whole = site.current()
        self.ask_before_removing(lambda kind: site.keep_days(kind, self.instance))
        for name in ("keep_texts_days", "keep_messages_days"):
            if most := getattr(whole, name):
                words = _("On this site: %(days)s at most.") % {"days": most}
                self.fields[name].help_text = f"{self.fields[name].help_text} {words}"
                self.fields[name].widget.attrs["placeholder"] = str(most)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        whole = site.current()
        for name in ("keep_texts_days", "keep_messages_days"):
            most, wanted = getattr(whole, name), data.get(name)
            if most and wanted and wanted > most:
                words = _("Choose at most %(days)s: the site keeps them for no longer.")
                self.add_error(name, words % {"days": most})
        return data


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]
    name = name_field()
    language = forms.ChoiceField(label=gettext_lazy("Language"), required=False)
    time_zone = forms.ChoiceField(label=gettext_lazy("Time zone"), required=False)

    class Meta:
        model = User
        fields = ["name", "language", "time_zone", "theme"]

    def __init__(self, *args: Any, workspace: Workspace | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["language"].choices = [  # type: ignore[attr-defined]
            ("", _("Like the browser")),
            *settings.LANGUAGES,
        ]
        self.fields["time_zone"].choices = [  # type: ignore[attr-defined]
            ("", _("Like the workspace (%(zone)s)") % {"zone": _zone_shown(workspace)}),
            *time_zones(),
        ]


def _zone_shown(workspace: Workspace | None) -> str:
    name = workspace.time_zone if workspace else settings.TIME_ZONE
    return name.replace("_", " ")


class InviteForm(forms.Form):
    email = forms.EmailField(
        label=gettext_lazy("E-mail"),
        max_length=254,
        required=False,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy("Leave it empty to get a link that you pass on yourself."),
    )
    role = forms.ChoiceField(label=gettext_lazy("Role"))

    def __init__(self, *args: Any, by: Membership, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.workspace = by.workspace
        given = roles_given_by(by)
        self.fields["role"].choices = [(role, role.label) for role in given]  # type: ignore[attr-defined]
        self.fields["role"].initial = "sender"

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"].lower()
        if email and self.workspace.memberships.filter(user__email=email).exists():
            raise forms.ValidationError(_("This person belongs to the workspace already."))
        return email


class RoleForm(forms.Form):
    """A new role for one member, with what each role means."""

    role = forms.ChoiceField(label=gettext_lazy("Role"), widget=forms.RadioSelect)

    def __init__(self, *args: Any, by: Membership, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        meant = {
            Role.OWNER: _("Owner: everything, other owners included"),
            Role.ADMIN: _("Administrator: also phones, people and settings"),
            Role.SENDER: _("Sender: also writes and replies"),
            Role.VIEWER: _("Viewer: only reads"),
        }
        given = roles_given_by(by)
        self.fields["role"].choices = [(role, meant[role]) for role in given]  # type: ignore[attr-defined]


class SignUpForm(forms.Form):
    email = email_field(help_text=gettext_lazy("We send you a link to go on with."))

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"].lower()
        if not site.may_sign_up(email):
            words = _("Only addresses of %(domains)s can be used here.")
            raise forms.ValidationError(words % {"domains": ", ".join(site.sign_up_domains())})
        return email
