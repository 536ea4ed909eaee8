"""Another e-mail address to log in with: it counts once the old and the new one have agreed.

So neither who finds an open browser nor who mistypes an address takes an account away.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from allauth.account.models import EmailAddress
from allauth.core import ratelimit
from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core import signing
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from accounts import mail
from accounts.activity import record
from accounts.adapter import public_url
from accounts.http import PersonRequest
from accounts.models import EmailChange, User

logger = logging.getLogger(__name__)

_SALT = "accounts.emails"
# How long the links of both mails are good.
LIFE = timedelta(days=3)
OLD, NEW = "old", "new"


class EmailForm(forms.Form):
    email = forms.EmailField(
        label=gettext_lazy("New e-mail"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        help_text=gettext_lazy("The one you log in with, so that nobody else changes the address."),
    )

    def __init__(self, *args: object, user: User, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.user = user
        if not user.has_usable_password():
            del self.fields["password"]

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"].lower()
        if email == self.user.email:
            raise forms.ValidationError(_("This is your address already."))
        return email

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        if not self.user.check_password(password):
            raise forms.ValidationError(_("This is not your current password."))
        return password


@login_required
@never_cache
@sensitive_post_parameters()
def change(request: PersonRequest) -> HttpResponse:
    """Ask for the new address and write to both."""
    if request.method == "POST" and not ratelimit.consume(request, action="change_email"):
        return render(request, "429.html", status=429)
    form = EmailForm(request.POST or None, user=request.user)
    if form.is_valid():
        try:
            ask(request.user, form.cleaned_data["email"])
        except OSError as error:
            logger.warning("The mail server refused a mail: %s", error)
            return render(request, "account/mail_failed.html", status=503)
        return redirect("mfa_index")
    shown = {"form": form, "mail_goes_out": mail.goes_out()}
    status = 422 if form.is_bound else 200
    return render(request, "accounts/email_change.html", shown, status=status)


def ask(user: User, email: str) -> None:
    """Write to the old and the new address. Raises OSError when the mail server refuses; then
    nothing is asked."""
    with transaction.atomic():
        EmailChange.objects.filter(user=user).delete()
        asked = EmailChange.objects.create(user=user, email=email)
        names = {"person": user, "old": user.email, "new": email, "days": LIFE.days}
        subject = _("Another e-mail address for your account")
        if User.objects.filter(email=email).exists():
            # Nothing comes of it, and only who reads that mail learns why.
            mail.send(email, _("You have an account"), "accounts/mail/known.txt", link=_login())
        else:
            mail.send(
                email, subject, "accounts/mail/email_new.txt", link=_link(asked, NEW), **names
            )
        mail.send(
            user.email, subject, "accounts/mail/email_old.txt", link=_link(asked, OLD), **names
        )


def _login() -> str:
    return public_url(reverse("account_login"))


def _link(asked: EmailChange, side: str) -> str:
    token = signing.dumps([asked.pk, side], salt=_SALT)
    return public_url(reverse("email_agree", args=[token]))


@login_required
@require_POST
def cancel(request: PersonRequest) -> HttpResponse:
    EmailChange.objects.filter(user=request.user).delete()
    messages.success(request, _("The address stays as it is."))
    return redirect("mfa_index")


@never_cache
def agree(request: HttpRequest, token: str) -> HttpResponse:
    """Let whoever reads the mails of one of both addresses agree, or stop it. Opening the link does
    nothing: mail servers open links, too."""
    asked, side = _find(token)
    if asked is None:
        return render(request, "accounts/email_gone.html", status=410)
    if request.method != "POST":
        shown = {"asked": asked, "side": side}
        return render(request, "accounts/email_agree.html", shown)
    if "stop" in request.POST:
        asked.delete()
        return render(request, "accounts/email_done.html", {"state": "stopped"})
    state = settle(asked, side)
    return render(request, "accounts/email_done.html", {"state": state, "asked": asked})


def _find(token: str) -> tuple[EmailChange | None, str]:
    try:
        pk, side = signing.loads(token, salt=_SALT, max_age=LIFE)
    except signing.BadSignature:
        return None, ""
    return EmailChange.objects.select_related("user").filter(pk=pk).first(), side


def settle(asked: EmailChange, side: str) -> str:
    """Note that a side agrees; say whether the address is "changed", "waiting" or "taken"."""
    field = "old_agreed_at" if side == OLD else "new_agreed_at"
    EmailChange.objects.filter(pk=asked.pk).update(**{field: timezone.now()})
    try:
        with transaction.atomic():
            return _apply(asked)
    except IntegrityError:
        EmailChange.objects.filter(pk=asked.pk).delete()
        return "taken"


def _apply(asked: EmailChange) -> str:
    # Deleting first decides between two who come at once.
    both = EmailChange.objects.filter(
        pk=asked.pk, old_agreed_at__isnull=False, new_agreed_at__isnull=False
    )
    if not both.delete()[0]:
        return "waiting"
    User.objects.filter(pk=asked.user_id).update(email=asked.email)
    EmailAddress.objects.filter(user=asked.user_id).delete()
    record("person.email", actor=asked.user)
    return "changed"
