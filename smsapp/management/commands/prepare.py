"""`manage.py prepare`: bring database and collected files up to date, before what serves is started."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from accounts.setup import one_time_code
from smsapp.preparing import collect_static_files, prepare_database
from smsapp.supervisor import CannotStart


class Command(BaseCommand):
    help = "Apply missing migrations, collect static files, and say how the first person gets in."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--wait",
            type=float,
            default=0,
            help="seconds to wait for a database that does not answer",
        )

    def handle(self, *, wait: float, **_: Any) -> None:
        try:
            prepare_database(wait)
        except CannotStart as error:
            sys.exit(str(error))
        collect_static_files()
        if code := one_time_code():
            self.stdout.write(
                f"Create the administrator at {settings.PUBLIC_URL} with the code  {code}"
            )
