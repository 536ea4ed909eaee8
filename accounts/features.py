"""Parts of the site that administrators may leave out: no page leads there, nothing of them begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import models
from django.http import Http404, HttpRequest, HttpResponseBase
from django.utils.translation import gettext_lazy as _

from accounts import site


class Feature(models.TextChoices):
    CAMPAIGNS = "campaigns", _("Campaigns and saved texts")
    CALLS = "calls", _("Calls")


# Where the pages of each are.
_MODULES = {Feature.CAMPAIGNS: "campaigns.views.", Feature.CALLS: "messaging.views.calls"}


def is_on(feature: str) -> bool:
    """Say whether a part of the site is there."""
    return feature not in site.current().left_out


class Switched:
    """Answer 404 for the pages of what is left out."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, _request: HttpRequest, view: Callable[..., Any], *_: object) -> None:
        """Raise Http404 where the page is not there."""
        for feature, module in _MODULES.items():
            if view.__module__.startswith(module) and not is_on(feature):
                raise Http404
