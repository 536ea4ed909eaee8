"""A command about one person, named by e-mail address."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import User
from accounts.services import NotAllowed


class SomebodyCommand(BaseCommand):
    """Call `do(user, **options)` with the person; what is not allowed ends with its reason."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *, email: str, **options: Any) -> None:
        user = User.objects.filter(email=email.strip().lower()).first()
        if user is None:
            raise CommandError(f"Nobody here logs in with {email}.")
        try:
            self.do(user, **options)
        except NotAllowed as refusal:
            raise CommandError(str(refusal)) from None

    def do(self, user: User, **options: Any) -> None:
        raise NotImplementedError
