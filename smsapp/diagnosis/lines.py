"""Checks of the phones: what no provider told us, and what stopped by itself."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import F, Max, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from messaging.activity import has_sent
from phones.health import kind_of
from phones.models import Phone
from smsapp.diagnosis import Finding, fine, watch

# A provider has at least this long to call back before its silence is worth a word.
_PATIENCE = timedelta(minutes=25)


def callbacks() -> Finding:
    """Look for phones that have sent and whose providers never told what became of it."""
    if refused := [phone.name for phone in _refused()]:
        return watch(
            _("Their callbacks are refused: %(phones)s.") % {"phones": ", ".join(refused[:5])},
            _("The pages of these phones show why; mostly the secret for signatures is wrong."),
        )
    if names := [phone.name for phone in silent() if _is_called(phone)]:
        return watch(
            _("Their providers never called back: %(phones)s.") % {"phones": ", ".join(names[:5])},
            _("Give the providers the addresses that the phones' pages show."),
        )
    return fine(_("Every provider that should has called."))


def paused() -> Finding:
    """Look for phones that paused themselves, or whose type is gone."""
    phones = list(Phone.objects.living().defer("settings").order_by("pk"))
    stopped = [phone.name for phone in phones if phone.is_paused and not phone.paused_by_id]
    orphans = [phone.name for phone in phones if kind_of(phone) is None]
    if names := [*stopped, *(name for name in orphans if name not in stopped)]:
        return watch(
            _("They stopped by themselves: %(phones)s.") % {"phones": ", ".join(names[:5])},
            _("The pages of these phones say what the providers refuse. Their messages wait."),
        )
    return fine(_("No phone stopped by itself."))


def silent() -> QuerySet[Phone]:
    """Give the phones that have sent, and that nobody has ever called."""
    quiet = Phone.objects.ready().filter(endpoint_calls=None).defer("settings").order_by("pk")
    return quiet.filter(has_sent(before=timezone.now() - _PATIENCE))


def _is_called(phone: Phone) -> bool:
    kind = kind_of(phone)
    return bool(kind and kind.endpoints and kind.can.delivery)


def _refused() -> list[Phone]:
    """Give the phones whose last callback was refused, lately."""
    since = timezone.now() - timedelta(days=1)
    phones = Phone.objects.living().defer("settings").order_by("pk")
    told = phones.annotate(
        refused=Max("endpoint_calls__refused_at"), heard=Max("endpoint_calls__last_at")
    )
    return list(told.filter(refused__gt=since, refused__gte=F("heard")))
