"""Whether the public address leads to this site, and whether what is told there arrives as it was said."""

from __future__ import annotations

import hmac
import secrets
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.core.signing import Signer
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from accounts.adapter import public_url
from accounts.http import PersonRequest, administrator
from lib.http import Answer, Guard, Http, NoAnswer, NotSent

_signer = Signer(salt="accounts.site.echo")
# What proxies like to tidy up, though providers sign it as it is: signs of a query, and of a body.
_QUERY, _BODY = "to=%2B33%206&a=1&a=%2F..%2F&empty=", b"text=%C3%A9+%26&a=%2B"


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def echo(request: HttpRequest, nonce: str) -> HttpResponse:
    """Sign what is asked: whoever calls the public address learns whether it is this site, and how its
    request came here."""
    heard = f"{request.META.get('QUERY_STRING', '')}\n".encode()[:1000] + request.body[:1000]
    answer = {
        "is": _signer.signature(nonce[:64]),
        "heard": _signer.signature(heard.hex()),
        "host": request.META.get("HTTP_HOST", ""),
        "secure": request.is_secure(),
    }
    return JsonResponse(answer)


@administrator
@require_POST
def address_try(request: PersonRequest) -> HttpResponse:
    """Call the public address as a provider would, from here."""
    ok, words = check_address(Http(guard=Guard(frozenset(settings.ALLOW_PRIVATE_ADDRESSES))))
    (messages.success if ok else messages.error)(request, words)
    return redirect("admin_site")


def check_address(http: Http) -> tuple[bool, str]:
    """Say whether what a provider tells this site under its public address arrives unchanged, in words."""
    nonce = secrets.token_hex(16)
    names: dict[str, object] = {"address": settings.PUBLIC_URL}
    try:
        url = public_url(reverse("site_echo", args=[nonce]))
        answer = http.request(
            "POST",
            f"{url}?{_QUERY}",
            data=_BODY,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            timeout=(5.0, 5.0),
        )
    except (NotSent, NoAnswer) as error:
        words = _("%(address)s cannot be called from here: %(words)s")
        return False, words % (names | {"words": str(error)[:300]})
    names |= {"status": answer.status, "place": answer.headers.get("location", "")[:200]}
    said = _said(answer)
    if not _is_signed(said.get("is"), nonce):
        return False, _why_not_here(answer.status) % names
    if problem := _problem_on_the_way(said):
        return False, problem % (names | {"host": said.get("host")})
    return True, _("%(address)s leads here: providers can call it back.") % names


def _said(answer: Answer) -> dict[str, Any]:
    try:
        said = answer.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _is_signed(said: object, value: str) -> bool:
    return hmac.compare_digest(str(said).encode(), _signer.signature(value).encode())


def _why_not_here(status: int) -> str:
    if status in (301, 302, 303, 307, 308):
        return _(
            "%(address)s sends on to %(place)s. Providers do not follow: set PUBLIC_URL to where it leads, "
            "or let the proxy in front pass requests on."
        )
    if status in (401, 403):
        return _(
            "%(address)s lets nobody in (%(status)s): something in front asks for a password or knows no "
            "strangers. Let it pass requests to /callbacks/ on."
        )
    if status in (502, 503, 504):
        return _("%(address)s answers (%(status)s): the proxy in front does not reach smsapp.")
    return _("%(address)s answers (%(status)s), but it is not this site.")


def _problem_on_the_way(said: dict[str, Any]) -> str:
    """Say what a proxy in front does wrong, "" where nothing is."""
    if not _is_signed(said.get("heard"), (f"{_QUERY}\n".encode() + _BODY).hex()):
        return _(
            "%(address)s leads here, but something in front changes what is said on the way, so signatures "
            "of providers will not fit. Let the proxy pass query and body on as they are."
        )
    public = urlsplit(settings.PUBLIC_URL)
    if public.scheme == "https" and not said.get("secure"):
        return _(
            "%(address)s leads here, but smsapp is not told that it is called by https, and nobody can log "
            "in. Let the proxy in front set X-Forwarded-Proto, and set BEHIND_PROXY=true."
        )
    if said.get("host") != public.netloc:
        return _(
            "%(address)s leads here, but under the name %(host)s. Let the proxy in front pass the Host "
            "header on as it is."
        )
    return ""
