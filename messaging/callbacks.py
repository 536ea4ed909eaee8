"""The one view that providers call.

Address: /callbacks/<phone's token>/<endpoint>/. The answers are part of the contract: 404 wrong token,
403 bad signature, 400 malformed, 405 wrong method, 413 too large, 503 our own failure (so that the
provider tries again); never a redirect, never a log-in page.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent
from django.db import transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from lib import queued
from lib.http import readable
from messaging import receiving
from phones.base import BadSignature, Callback, Endpoint, Malformed, PhoneType
from phones.lines import line
from phones.models import EndpointCall, Exchange, Phone

logger = logging.getLogger(__name__)

# Seconds after which a provider that heeds it may try again what we could not take.
RETRY_AFTER = 10
# Seconds that a callback may have waited for a thread. Providers hang up after 5 to 15: what would be taken
# too late for them would come again on top.
_LONGEST_LINE = 3.0
# "Last called" is precise enough for people; a row written per callback would be a hot spot.
_NOTE_EVERY = timedelta(seconds=5)
# When this process noted a call: {(phone's token, endpoint, whether it was refused): moment}.
_noted: dict[tuple[str, str, bool], datetime] = {}


@csrf_exempt
def callback(request: HttpRequest, token: str, endpoint: str) -> HttpResponse:
    """Take one callback; where too many wait in line, say so at once, and keep the line short."""
    if queued.seconds() > _LONGEST_LINE:
        return _later("Too many callbacks at once. Please try again.")
    try:
        return _take(request, token, endpoint)
    except RequestDataTooBig:
        return _plain(413, "Too large.")
    except Exception:  # whatever it is, it is ours: the provider must try again
        logger.exception("A callback to %s failed", endpoint)
        return _later("We have a problem. Please try again.")


def _take(request: HttpRequest, token: str, name: str) -> HttpResponse:
    phone = Phone.objects.living().filter(token=token).first()
    endpoint = _endpoint(phone, name) if phone else None
    if phone is None or endpoint is None:
        return _plain(404, "There is no such address.")
    if request.method not in endpoint.methods:
        return HttpResponse(status=405, headers={"Allow": ", ".join(endpoint.methods)})
    limit = settings.CALLBACK_MEDIA_LIMIT if endpoint.carries_media else settings.CALLBACK_LIMIT
    if int(request.headers.get("Content-Length") or 0) > limit:
        return _plain(413, "Too large.")
    body = _body(request, limit)
    if len(body) > limit:
        return _plain(413, "Too large.")
    try:
        said = _read(phone, request, body)
    except (TooManyFieldsSent, LookupError, ValueError) as error:
        return _plain(400, f"The form cannot be read: {error}")
    kind = line(phone)
    try:
        kind.verify(said)
        events = kind.parse(name, said)
    except BadSignature as error:
        why = str(error) or "The signature is wrong."
        return _refuse(phone, endpoint.name, kind, said, 403, why)
    except Malformed as error:
        return _refuse(phone, endpoint.name, kind, said, 400, str(error))
    except RecursionError:  # JSON of many brackets: it will be no better next time
        return _refuse(phone, endpoint.name, kind, said, 400, "It is nested too deeply.")
    with transaction.atomic():
        about = receiving.apply(phone, events)
        _log(phone, kind, said, 200, message=about[0] if about else 0)
        _note(phone, endpoint.name, refused=False)
    return _answer(kind, name)


def _endpoint(phone: Phone, name: str) -> Endpoint | None:
    wanted = phone.kind.actions.get(name, name)
    return next((item for item in phone.kind.endpoints if item.name == wanted), None)


def _body(request: HttpRequest, limit: int) -> bytes:
    """Read the body, up to a byte more than is allowed where it comes in chunks, without a length.

    Django takes a body without a length for none; the web server knows better where chunks end.
    """
    if request.META.get("wsgi.input_terminated") and "Transfer-Encoding" in request.headers:
        body: bytes = request.META["wsgi.input"].read(limit + 1)
        return body
    return request.body


def _read(phone: Phone, request: HttpRequest, body: bytes) -> Callback:
    """Give the request as the provider made it, under the address that we gave it.

    The host and scheme come from PUBLIC_URL: behind a proxy the request's own are not what was signed.
    """
    form = QueryDict(mutable=True)
    if request.content_type == "application/x-www-form-urlencoded":
        form = QueryDict(body, encoding=request.encoding or "utf-8")
    return Callback(
        method=request.method or "",
        url=f"{settings.PUBLIC_URL}{request.get_full_path()}",
        headers={key.lower(): value for key, value in request.headers.items()},
        query=dict(request.GET.lists()),
        form=dict(form.lists()),
        body=body,
    )


def _refuse(
    phone: Phone, name: str, kind: PhoneType, said: Callback, status: int, why: str
) -> HttpResponse:
    """Refuse, and keep what was refused, so that people see why nothing arrives."""
    _log(phone, kind, said, status, error=why)
    _note(phone, name, refused=True)
    return _plain(status, why)


def _log(
    phone: Phone,
    kind: PhoneType,
    said: Callback,
    status: int,
    *,
    message: int = 0,
    error: str = "",
) -> None:
    redactor = kind.http.redactor
    Exchange.objects.create(
        phone=phone,
        message=message,
        direction=Exchange.Direction.IN,
        method=said.method,
        url=redactor.text(said.url),
        sent=readable(redactor, said.headers.items(), said.body),
        status=status,
        error=error,
    )


def _note(phone: Phone, endpoint: str, *, refused: bool) -> None:
    """Remember when an address was last called, at most every few seconds."""
    now = timezone.now()
    key = (phone.token, endpoint, refused)
    if key in _noted and abs(now - _noted[key]) < _NOTE_EVERY:
        return
    transaction.on_commit(lambda: _noted.__setitem__(key, now))
    fresh = {"refused_at": now} if refused else {"last_at": now}
    field = next(iter(fresh))
    row, new = EndpointCall.objects.get_or_create(
        phone=phone, endpoint=endpoint, defaults={"last_at": now, **fresh}
    )
    before = getattr(row, field)
    if not new and (before is None or before < now - _NOTE_EVERY):
        EndpointCall.objects.filter(pk=row.pk).update(**fresh)


def _answer(kind: PhoneType, endpoint: str) -> HttpResponse:
    reply = kind.reply(endpoint)
    return HttpResponse(reply.body, status=reply.status, content_type=reply.content_type)


def _later(text: str) -> HttpResponse:
    answer = _plain(503, text)
    answer["Retry-After"] = str(RETRY_AFTER)
    return answer


def _plain(status: int, text: str) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
