"""How somebody logs in, and where they are logged in: their own page, and its buttons."""

from __future__ import annotations

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from accounts import factors, sessions
from accounts.activity import record
from accounts.http import PersonRequest
from accounts.models import EmailChange
from accounts.passkeys import passkeys_work


@login_required
@never_cache
@require_GET
def security(request: PersonRequest) -> HttpResponse:
    """Show one's password, second factors, passkeys and browsers."""
    mine = list(Authenticator.objects.filter(user=request.user).order_by("pk"))
    by_type = {factor.type: factor for factor in mine}
    codes = by_type.get(Authenticator.Type.RECOVERY_CODES)
    shown = {
        "app": by_type.get(Authenticator.Type.TOTP),
        "codes_left": len(codes.wrap().get_unused_codes()) if codes else None,
        "passkeys": [key for key in mine if key.type == Authenticator.Type.WEBAUTHN],
        "passkeys_work": passkeys_work(request),
        "is_required": factors.is_required(request.user),
        "has_one": bool(set(by_type) & set(factors.FACTORS)),
        "has_password": request.user.has_usable_password(),
        "connections": SocialAccount.objects.filter(user=request.user).order_by("pk"),
        "oidc_name": settings.OIDC_NAME,
        "browsers": sessions.of(request.user, request),
        "change": EmailChange.objects.filter(user=request.user).first(),
    }
    return render(request, "accounts/security.html", shown)


@login_required
@require_POST
def session_end(request: PersonRequest, pk: int) -> HttpResponse:
    """Log out of one other browser."""
    if not sessions.end(request.user, pk=pk, but=request.session.session_key):
        raise Http404
    record("person.sessions_ended", count=1)
    messages.success(request, _("That browser is logged out."))
    return redirect("mfa_index")


@login_required
@require_POST
def sessions_end(request: PersonRequest) -> HttpResponse:
    """Log out of all browsers but this one."""
    count = sessions.end(request.user, but=request.session.session_key)
    if count:
        record("person.sessions_ended", count=count)
    words = ngettext(
        "%(count)s browser is logged out.", "%(count)s browsers are logged out.", count
    )
    messages.success(request, words % {"count": count})
    return redirect("mfa_index")
