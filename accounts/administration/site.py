"""The settings of the site, and a mail to try its mail server with."""

from __future__ import annotations

import logging
from smtplib import SMTPAuthenticationError
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import mail, mailing
from accounts import site as whole
from accounts.activity import record
from accounts.administration.mail_server import MailServerForm, keep, known
from accounts.features import Feature
from accounts.forms import KeepingForm
from accounts.http import PersonRequest, administrator
from accounts.models import Site
from accounts.places import countries, time_zones
from accounts.signals import feature_left_out

logger = logging.getLogger(__name__)

# Bytes.
LOGO_LIMIT = 200_000
# How a picture begins that browsers show and that cannot hold a script.
_LOGOS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


class SiteSettingsForm(KeepingForm, forms.ModelForm):  # type: ignore[type-arg]
    FACTORS = (
        ("nobody", gettext_lazy("Nobody")),
        ("administrators", gettext_lazy("Administrators of the site")),
        ("everybody", gettext_lazy("Everybody")),
    )
    logo_file = forms.FileField(
        label=gettext_lazy("Logo"),
        required=False,
        help_text=gettext_lazy(
            "PNG or JPEG, square, 200 kB at most. It stands on the log-in page."
        ),
    )
    no_logo = forms.BooleanField(label=gettext_lazy("Take the logo away"), required=False)
    language = forms.ChoiceField(
        label=gettext_lazy("Language"),
        choices=settings.LANGUAGES,
        help_text=gettext_lazy("For people whose browser asks for none of ours."),
    )
    country = forms.ChoiceField(
        label=gettext_lazy("Country"),
        required=False,
        help_text=gettext_lazy("Of new workspaces, where the browser does not tell."),
    )
    time_zone = forms.ChoiceField(label=gettext_lazy("Time zone"), required=False)
    signup_open = forms.BooleanField(
        label=gettext_lazy("Strangers may make an account of their own"), required=False
    )
    signup_domains = forms.CharField(
        label=gettext_lazy("Only with addresses of these domains"),
        required=False,
        max_length=1000,
        help_text=gettext_lazy("Separated by spaces, such as example.org example.com."),
    )
    second_factor = forms.ChoiceField(
        label=gettext_lazy("A second factor is wanted of"), choices=FACTORS
    )
    password_length = forms.IntegerField(
        label=gettext_lazy("Shortest password, in characters"), min_value=10, max_value=64
    )
    keep_exchanges_days = forms.IntegerField(
        label=gettext_lazy("Days that exchanges with providers are kept"),
        min_value=1,
        max_value=3650,
        help_text=gettext_lazy("What is said to them and by them; no longer than texts are kept."),
    )

    left_out = forms.MultipleChoiceField(
        label=gettext_lazy("Leave out"),
        choices=Feature.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy(
            "What nobody here needs. Its pages are gone then, campaigns that run are paused, and what there "
            "is stays."
        ),
    )

    class Meta:
        model = Site
        fields = [
            "name", "language", "country", "time_zone", "signup_open", "signup_domains", "second_factor",
            "password_length", "keep_texts_days", "keep_messages_days", "keep_exchanges_days",
            "left_out",
        ]  # fmt: skip
        labels = {"name": gettext_lazy("Name of the site")}

    field_order = ["name", "logo_file", "no_logo", *Meta.fields[1:]]

    def __init__(self, data: Any, files: Any, *, instance: Site) -> None:
        first = {
            "language": instance.language or settings.LANGUAGE_CODE,
            "signup_open": whole.sign_up_is_open(),
            "signup_domains": " ".join(whole.sign_up_domains()),
            "second_factor": whole.second_factor(),
            "keep_exchanges_days": whole.keep_exchanges_days(),
        }
        super().__init__(data, files, instance=instance, initial=first)
        self.ask_before_removing(lambda kind: getattr(instance, f"keep_{kind}_days"))
        unset = ("", _("Like the browser"))
        self.fields["country"].choices = [unset, *countries()]  # type: ignore[attr-defined]
        self.fields["time_zone"].choices = [unset, *time_zones()]  # type: ignore[attr-defined]
        if not instance.logo_type:
            del self.fields["no_logo"]

    def clean_signup_domains(self) -> str:
        words: str = self.cleaned_data["signup_domains"].lower().replace(",", " ")
        return " ".join(word.lstrip("@") for word in words.split())

    def clean_logo_file(self) -> Any:
        """Give (bytes, content type) of a picture, None without one."""
        file = self.cleaned_data["logo_file"]
        if not file:
            return None
        content = file.read(LOGO_LIMIT + 1)
        kind = next((kind for start, kind in _LOGOS.items() if content.startswith(start)), "")
        if not kind or len(content) > LOGO_LIMIT:
            raise forms.ValidationError(_("Choose a PNG or JPEG of at most 200 kB."))
        return content, kind


@administrator
@require_http_methods(["GET", "HEAD", "POST"])
def site(request: PersonRequest) -> HttpResponse:
    row = Site.objects.defer("logo", "mail_secrets").filter(pk=1).first() or Site(pk=1)
    form = SiteSettingsForm(request.POST or None, request.FILES or None, instance=row)
    if form.is_valid():
        _save(form)
        messages.success(request, _("Saved."))
        return redirect("admin_site")
    return _page(request, form, MailServerForm(known=known()))


def _page(
    request: PersonRequest, form: SiteSettingsForm, mail_form: MailServerForm
) -> HttpResponse:
    shown = {
        "form": form,
        "mail_form": mail_form,
        "public_url": settings.PUBLIC_URL,
        "mail_goes_out": mail.goes_out(),
        "mail_host": whole.current().mail_host or getattr(settings, "EMAIL_HOST", ""),
        "mail_from": whole.current().mail_from or settings.DEFAULT_FROM_EMAIL,
    }
    status = 422 if form.is_bound or mail_form.is_bound else 200
    return render(request, "accounts/administration/site.html", shown, status=status)


def _save(form: SiteSettingsForm) -> None:
    typed = form.cleaned_data
    fields = {name: typed[name] for name in form.Meta.fields} | {"changed_at": timezone.now()}
    if typed["logo_file"]:
        fields["logo"], fields["logo_type"] = typed["logo_file"]
    elif typed.get("no_logo"):
        fields["logo"], fields["logo_type"] = None, ""
    before = set(whole.current().left_out)
    Site.objects.update_or_create(pk=1, defaults=fields)
    whole.remember(Site.objects.defer("logo", "mail_secrets").get(pk=1))
    for feature in set(typed["left_out"]) - before:
        feature_left_out.send(sender=Site, feature=feature)
    record("site.edited")


@require_GET
def logo(request: HttpRequest) -> HttpResponse:
    """Give the logo to everybody: it stands on the log-in page."""
    row = Site.objects.filter(pk=1).exclude(logo_type="").first()
    if row is None or not row.logo:
        raise Http404
    headers = {"Cache-Control": "public, max-age=86400"}
    return HttpResponse(bytes(row.logo), content_type=row.logo_type, headers=headers)


@administrator
@require_POST
@sensitive_post_parameters()
def mail_try(request: PersonRequest) -> HttpResponse:
    """Send a mail to oneself by the server that was typed, and keep that server once it took the mail."""
    form = MailServerForm(request.POST, known=known())
    if form.is_valid():
        # Who goes back to the server of the environment need not try that one.
        is_tried = "unseen" not in request.POST and bool(form.server or not form.known)
        try:
            if is_tried:
                subject = _("A mail to try")
                mail.send_by(form.server, request.user.email, subject, "accounts/mail/try.txt")
        except OSError as error:
            logger.warning("The mail server refused a mail: %s", type(error).__name__)
            words = _("The mail server did not take it: %(words)s")
            if isinstance(error, SMTPAuthenticationError):
                words = _("The mail server refused the user or the password: %(words)s")
            form.add_error(None, words % {"words": mailing.words_of(error)})
        else:
            keep(form.server)
            _tell(request, is_tried=is_tried)
            return redirect("admin_site")
    row = Site.objects.defer("logo", "mail_secrets").filter(pk=1).first() or Site(pk=1)
    return _page(request, SiteSettingsForm(None, None, instance=row), form)


def _tell(request: PersonRequest, *, is_tried: bool) -> None:
    if not is_tried:
        messages.success(request, _("Saved."))
    elif mail.goes_out():
        words = _("The mail server took a mail to %(email)s. Look whether it arrives.")
        messages.success(request, words % {"email": request.user.email})
    else:
        messages.warning(request, _("There is no mail server: the mail lies in the folder “mail”."))
