"""`manage.py suspend EMAIL`: close an account at once, or open it again with --undo."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from accounts import administering
from accounts.management.somebody import SomebodyCommand
from accounts.models import User


class Command(SomebodyCommand):
    help = "Close an account at once; --undo opens it again."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--undo", action="store_true")

    def do(self, user: User, **options: Any) -> None:
        if options["undo"]:
            administering.reactivate(user)
        else:
            administering.suspend(user, None)
