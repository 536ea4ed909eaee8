"""Logging in and passwords: django-allauth's pages with our words in their forms."""

from __future__ import annotations

from typing import Any

from allauth.account import forms as theirs
from allauth.account import views
from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from accounts import mail, site
from accounts.passkeys import passkeys_work
from accounts.validators import PASSWORD_HINT


def say(form: forms.BaseForm, **labels: Any) -> None:
    """Give fields our labels, without placeholders that say the same again."""
    for name, label in labels.items():
        field = form.fields[name]
        field.label = label
        field.help_text = ""
        field.widget.attrs.pop("placeholder", None)


class LoginForm(theirs.LoginForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        say(self, login=_("E-mail"), password=_("Password"), remember=_("Remember me for 30 days"))
        self.fields["login"].widget.attrs |= {"autocomplete": "username", "autofocus": True}


class ResetForm(theirs.ResetPasswordForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        say(self, email=_("E-mail"))


class NewPasswordForm(theirs.ResetPasswordKeyForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        say(self, password1=_("New password"), password2=_("The same once more"))
        self.fields["password1"].help_text = PASSWORD_HINT


class ChangeForm(theirs.ChangePasswordForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        say(self, oldpassword=_("Current password"), password1=_("New password"))
        say(self, password2=_("The same once more"))
        self.fields["password1"].help_text = PASSWORD_HINT

    def clean_password1(self) -> str:
        """Refuse the old password: whoever must change it could keep it."""
        password: str = self.cleaned_data["password1"]
        if password == self.cleaned_data.get("oldpassword"):
            raise forms.ValidationError(_("This is the one you have. Choose another one."))
        return password


class LoginView(views.LoginView):  # type: ignore[misc]
    form_class = LoginForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        shown: dict[str, Any] = super().get_context_data(**kwargs)
        return shown | {
            "sign_up_open": site.sign_up_is_open(),
            "passkeys_work": passkeys_work(self.request),
            "oidc_name": settings.OIDC_URL and settings.OIDC_NAME,
        }


class ResetView(views.PasswordResetView):  # type: ignore[misc]
    form_class = ResetForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        shown: dict[str, Any] = super().get_context_data(**kwargs)
        return shown | {"mail_goes_out": mail.goes_out()}


class ChangeView(views.PasswordChangeView):  # type: ignore[misc]
    form_class = ChangeForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Who has no password yet makes one by mail."""
        user = request.user
        if user.is_authenticated and not user.has_usable_password():
            return redirect("account_reset_password")
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return response


class LogoutView(views.LogoutView):  # type: ignore[misc]
    def post(self, *args: Any, **kwargs: Any) -> HttpResponse:
        """End the session, and let the browser forget the pages that "back" would show."""
        response: HttpResponse = super().post(*args, **kwargs)
        response["Clear-Site-Data"] = '"cache"'
        return response


login = LoginView.as_view()
logout = LogoutView.as_view()
inactive = views.AccountInactiveView.as_view()
change = ChangeView.as_view()
reset = ResetView.as_view()
reset_done = views.PasswordResetDoneView.as_view()
reset_from_key = views.PasswordResetFromKeyView.as_view(form_class=NewPasswordForm)
reset_from_key_done = views.PasswordResetFromKeyDoneView.as_view()
