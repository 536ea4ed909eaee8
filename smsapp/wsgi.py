"""The WSGI entry point that gunicorn serves."""

from __future__ import annotations

import os
from typing import Any

import django
from django.core.exceptions import TooManyFieldsSent
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smsapp.settings")
# A site is served with secrets of its own, not with those of builds (settings.py).
os.environ.pop("DJANGO_BUILD", None)
django.setup(set_prefix=False)


class Request(WSGIRequest):
    """A request that can be looked at whatever encoding it names: `middleware.Door` refuses it then."""

    is_readable = True

    def __init__(self, environ: dict[str, Any]) -> None:
        try:
            super().__init__(environ)
        except (LookupError, UnicodeError, TooManyFieldsSent):
            # Given an encoding, Django reads the query at once, before anybody could answer.
            super().__init__({**environ, "CONTENT_TYPE": ""})
            self.is_readable = False


class Handler(WSGIHandler):
    request_class = Request


application = Handler()
