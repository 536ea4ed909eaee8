"""What an error report tells: the way to the error, never the values on it."""

from __future__ import annotations

import re
from collections.abc import ItemsView
from types import FrameType
from typing import Any

from django.http import HttpRequest
from django.views.debug import SafeExceptionReporterFilter


class ReportFilter(SafeExceptionReporterFilter):
    """Hide credentials in Django's reports, in DEBUG too: a page that breaks may hold a phone's.

    Of a local variable the type is told, of a form the names; addresses of servers hold passwords.
    """

    hidden_settings = re.compile(
        "API|AUTH|TOKEN|KEY|SECRET|PASS|SIGNATURE|COOKIE|URL|LOCATION|QUEUES|CACHES", re.IGNORECASE
    )

    def is_active(self, request: HttpRequest | None) -> bool:
        return True

    def get_traceback_frame_variables(
        self, request: HttpRequest | None, tb_frame: FrameType
    ) -> ItemsView[str, Any]:
        return {name: type(value) for name, value in tb_frame.f_locals.items()}.items()

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, Any]:
        names = [] if request is None else list(request.POST)
        return dict.fromkeys(names, self.cleansed_substitute)
