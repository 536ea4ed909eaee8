"""`manage.py create_admin EMAIL`: add an administrator of the site, or make one of somebody."""

from __future__ import annotations

import sys
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import administering, welcoming
from accounts.models import User


class Command(BaseCommand):
    help = "Add an administrator of the site, or make one of somebody who has an account."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--name", default="")
        parser.add_argument(
            "--password-stdin",
            action="store_true",
            help="read the password from the first line of the input; else print a link to choose one",
        )

    def handle(self, *, email: str, name: str, password_stdin: bool, **_: Any) -> None:
        email = email.strip().lower()
        user = User.objects.filter(email=email).first()
        if user is None:
            user = administering.add_user(email=email, name=name, administrator=True)
        else:
            administering.edit_user(
                user, name=name or user.name, email=email, administrator=True, by=None
            )
        if password_stdin:
            self._set_password(user, sys.stdin.readline().rstrip("\r\n"))
        else:
            self.stdout.write(welcoming.password_link(user))

    def _set_password(self, user: User, password: str) -> None:
        try:
            validate_password(password, user)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        user.set_password(password)
        user.save(update_fields=["password"])
