"""`manage.py reset_password EMAIL`: print a link with which somebody chooses a new password."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from accounts import administering, welcoming
from accounts.management.somebody import SomebodyCommand
from accounts.models import User


class Command(SomebodyCommand):
    help = "Print a link with which somebody chooses a new password; --force ends what they do now."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--force",
            action="store_true",
            help="log them out everywhere, and let the old password open nothing but its change",
        )

    def do(self, user: User, **options: Any) -> None:
        if options["force"]:
            administering.demand_password(user)
            administering.log_out(user)
        self.stdout.write(welcoming.password_link(user))
