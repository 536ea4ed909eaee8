"""What every request must fulfil, and what every answer carries, whichever page it is for."""

from __future__ import annotations

import codecs
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _

# In these no byte means half a character, and none anything but a character. Python knows others
# (`utf-7`, `unicode_escape`), and whoever asks may name them.
_ENCODINGS = {"utf-8", "ascii", "iso8859-1", "iso8859-15", "cp1252"}


# What no page of ours asks a browser for, and nothing that slips into one shall.
_FORBIDDEN = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "magnetometer",
        "microphone", "midi", "payment", "usb",
    )
)  # fmt: skip


class Forbidding:
    """Say in every answer what its page may not use of a device (Permissions-Policy)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response["Permissions-Policy"] = _FORBIDDEN
        return response


class Door:
    """Turn away what no browser and no provider sends: oversized, or unreadable by a database.

    Personal pages stay in the browser that asked for them, and leave it with who logs out.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if _is_larger(request, settings.REQUEST_LIMIT):
            words = _("This is too large to be taken. Go back and choose something smaller.")
            return HttpResponse(words, status=413, content_type="text/plain; charset=utf-8")
        if _is_odd(request):
            request.encoding = "utf-8"  # the page that says no reads the request, too
            raise BadRequest("The request is not text.")
        response = self.get_response(request)
        if not response.has_header("Cache-Control"):
            patch_cache_control(response, private=True, no_cache=True)
        return response


def _is_larger(request: HttpRequest, limit: int) -> bool:
    written = request.META.get("CONTENT_LENGTH") or ""
    return written.isdecimal() and (len(written) > 18 or int(written) > limit)


def _is_odd(request: HttpRequest) -> bool:
    """Say whether there is a NUL outside of the body, where forms look for it, or no known encoding."""
    if not getattr(request, "is_readable", True):
        return True
    places = (request.path, request.META.get("QUERY_STRING", ""), *request.COOKIES.values())
    if any("\x00" in place or "%00" in place for place in places):
        return True
    return bool(request.encoding) and codecs.lookup(str(request.encoding)).name not in _ENCODINGS
