"""`manage.py invite EMAIL`: add a user, or let one into a workspace, and write to them."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email

from accounts import administering, welcoming
from accounts.models import Role, User, Workspace
from accounts.services import NotAllowed


class Command(BaseCommand):
    help = "Add a user, or let one into a workspace, and write to them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--name", default="")
        parser.add_argument("--workspace", help="name or number of the workspace")
        parser.add_argument("--role", choices=Role.values, default=Role.SENDER)
        parser.add_argument("--no-mail", action="store_true", help="only print the link")

    def handle(
        self, *, email: str, name: str, workspace: str | None, role: str, **options: Any
    ) -> None:
        try:
            validate_email(email)
        except ValidationError:
            raise CommandError(f"{email} is not an e-mail address.") from None
        place = _workspace(workspace) if workspace else None
        known = User.objects.filter(email=email.strip().lower()).first()
        if known and not place:
            raise CommandError(f"{email} has an account already.")
        if known and place:
            try:
                administering.add_member(place, known, role)
            except NotAllowed as refusal:
                raise CommandError(str(refusal)) from None
            return
        user = administering.add_user(email=email, name=name, workspace=place, role=role)
        self.stdout.write(welcoming.password_link(user))
        if not options["no_mail"]:
            try:
                welcoming.send_welcome(user)
            except OSError as error:
                raise CommandError(f"The mail server did not take the mail: {error}") from None


def _workspace(named: str) -> Workspace:
    """Give the one open workspace of this name or number. Raises CommandError."""
    living = Workspace.objects.filter(archived_at=None)
    rows = living.filter(pk=named) if named.isdecimal() else living.filter(name__iexact=named)
    found = list(rows[:2])
    if len(found) != 1:
        how = "Several workspaces are" if found else "No open workspace is"
        raise CommandError(f"{how} called {named}.")
    return found[0]
