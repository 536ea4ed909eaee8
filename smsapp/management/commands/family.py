"""`manage.py family "rqworker send" tick …`: run several commands that share memory."""

from __future__ import annotations

import shlex
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from smsapp.family import Family, retitle


class Command(BaseCommand):
    help = "Run several commands as processes that share the memory of what all import."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("members", nargs="+", help='each a command, such as "rqworker send"')
        parser.add_argument(
            "--last", action="append", default=[], help="one that ends only after all others have"
        )

    def handle(self, *, members: list[str], last: list[str], **_: Any) -> None:
        retitle(f"{sys.executable} manage.py family")
        Family(list(map(shlex.split, members)), list(map(shlex.split, last))).run()
