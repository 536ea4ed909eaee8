"""Second factors, passkeys and confirming who one is: django-allauth's pages with our words."""

from __future__ import annotations

from typing import Any

from allauth.account import forms as account_forms
from allauth.account import views as account_views
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base import forms as base_forms
from allauth.mfa.base import views as base_views
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes import views as code_views
from allauth.mfa.totp import forms as totp_forms
from allauth.mfa.totp import views as totp_views
from allauth.mfa.webauthn import forms as key_forms
from allauth.mfa.webauthn import views as key_views
from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from accounts import site
from accounts.models import User
from accounts.passwords import say

# What counts as a second factor, and its name; recovery codes only stand in for one.
FACTORS = {
    Authenticator.Type.TOTP: _("Authenticator app"),
    Authenticator.Type.WEBAUTHN: _("Passkey"),
}


def is_required(user: User) -> bool:
    """Say whether the operator wants `user` to have a second factor."""
    who = site.second_factor()
    return bool(who == "everybody" or (who == "administrators" and user.is_superuser))


def has_one(user: User) -> bool:
    return bool(get_adapter().is_mfa_enabled(user, list(FACTORS)))


def _code_field(form: forms.BaseForm, label: Any, hint: Any = "") -> None:
    say(form, code=label)
    form.fields["code"].help_text = hint
    form.fields["code"].widget.attrs |= {
        "autocomplete": "one-time-code",
        "autofocus": True,
        "spellcheck": "false",
        "maxlength": "20",
    }


class AuthenticateForm(base_forms.AuthenticateForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _code_field(self, _("Code"), _("From your authenticator app, or a recovery code."))


class ReauthenticateForm(base_forms.ReauthenticateForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _code_field(self, _("Code"), _("From your authenticator app, or a recovery code."))


class PasswordAgainForm(account_forms.ReauthenticateForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        say(self, password=_("Password"))
        self.fields["password"].widget.attrs["autofocus"] = True


class ActivateForm(totp_forms.ActivateTOTPForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _code_field(self, _("Code"), _("The six digits that the app shows now."))


class AddPasskeyForm(key_forms.AddWebAuthnForm):  # type: ignore[misc]
    """Every passkey logs in by itself, so that the device has to know its owner."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        say(self, name=_("Name"))
        self.fields["name"].widget.attrs["maxlength"] = "100"
        self.fields["name"].help_text = _("To tell it from others: Laptop, Key on the key ring …")
        self.fields["passwordless"].widget = forms.HiddenInput()
        self.fields["passwordless"].initial = True

    def clean_name(self) -> str:
        return str(super().clean_name())[:100]


class RenamePasskeyForm(key_forms.EditWebAuthnForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"] = forms.CharField(label=_("Name"), max_length=100)


class AuthenticateView(base_views.AuthenticateView):  # type: ignore[misc]
    form_class = AuthenticateForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        shown: dict[str, Any] = super().get_context_data(**kwargs)
        factors = Authenticator.objects.filter(user=self.stage.login.user)
        types = set(factors.values_list("type", flat=True))
        return shown | {
            "has_app": Authenticator.Type.TOTP in types,
            "has_passkey": Authenticator.Type.WEBAUTHN in types,
        }


class LoginByPasskeyView(key_views.LoginWebAuthnView):  # type: ignore[misc]
    def form_valid(self, form: forms.Form) -> HttpResponse:
        """Log in until the browser is closed, as without "remember me"."""
        self.request.session.set_expiry(0)
        response: HttpResponse = super().form_valid(form)
        return response


class RemovePasskeyView(key_views.RemoveWebAuthnView):  # type: ignore[misc]
    success_url = reverse_lazy("mfa_index")


class RenamePasskeyView(key_views.EditWebAuthnView):  # type: ignore[misc]
    form_class = RenamePasskeyForm
    success_url = reverse_lazy("mfa_index")


class ByPasskeyAgainView(key_views.ReauthenticateWebAuthnView):  # type: ignore[misc]
    def form_invalid(self, form: forms.Form) -> HttpResponse:
        messages.error(
            self.request, _("The passkey was not used. Try again, or choose another way.")
        )
        return redirect(self.passthrough_next_url(self.request.path))


reauthenticate = account_views.ReauthenticateView.as_view(form_class=PasswordAgainForm)
authenticate = AuthenticateView.as_view()
reauthenticate_by_code = base_views.ReauthenticateView.as_view(form_class=ReauthenticateForm)
reauthenticate_by_passkey = ByPasskeyAgainView.as_view()
activate_app = never_cache(totp_views.ActivateTOTPView.as_view(form_class=ActivateForm))
deactivate_app = totp_views.deactivate_totp
codes = method_decorator(never_cache, name="dispatch")(code_views.ViewRecoveryCodesView).as_view()
make_codes = code_views.generate_recovery_codes
download_codes = code_views.download_recovery_codes
add_passkey = key_views.AddWebAuthnView.as_view(form_class=AddPasskeyForm)
remove_passkey = RemovePasskeyView.as_view()
rename_passkey = RenamePasskeyView.as_view()
login_by_passkey = LoginByPasskeyView.as_view()
