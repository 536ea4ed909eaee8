"""`manage.py reset_mfa EMAIL`: take all second factors of somebody away."""

from __future__ import annotations

from typing import Any

from accounts import administering
from accounts.management.somebody import SomebodyCommand
from accounts.models import User


class Command(SomebodyCommand):
    help = "Take all second factors of somebody away: their password alone lets them in."

    def do(self, user: User, **options: Any) -> None:
        if not administering.reset_factor(user):
            self.stdout.write("There was none.")
