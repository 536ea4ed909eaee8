"""Pictures and files of messages: to members, and to providers by a signed address.

What is not a plain picture is only ever downloaded; nothing that somebody sent us runs in a browser.
"""

from __future__ import annotations

from pathlib import PurePath

from django.http import FileResponse, Http404, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from accounts.http import MemberRequest, PersonRequest, member
from messaging import media
from messaging.models import Media


@require_safe
def public(request: PersonRequest, token: str) -> HttpResponseBase:
    """Give an outgoing picture to the provider that was told its address. Never redirects."""
    item = media.signed(token)
    if item is None:
        raise Http404
    return _stream(item)


@require_safe
@member
def file(request: MemberRequest, pk: int) -> HttpResponseBase:
    return _stream(get_object_or_404(request.workspace.media.exclude(file=""), pk=pk))


def _stream(item: Media) -> FileResponse:
    is_shown = item.content_type in media.SHOWN
    try:
        content = item.file.open("rb")
    except FileNotFoundError:
        raise Http404 from None
    response = FileResponse(
        content,
        as_attachment=not is_shown,
        filename=PurePath(str(item.file)).name,
        content_type=item.content_type if is_shown else "application/octet-stream",
    )
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    # A file never changes under its address.
    response["Cache-Control"] = "private, max-age=3600"
    return response
