"""`manage.py rotate-keys`: a new key for what is stored encrypted, without a restart."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from smsapp import rotating


class Command(BaseCommand):
    help = "Make a new key, write all encrypted values with it, drop the old ones. Takes a minute."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--only-write",
            action="store_true",
            help="write everything with the newest key of FIELD_KEYS and change no key",
        )

    def handle(self, *, only_write: bool, **_: Any) -> None:
        if only_write:
            many = rotating.renew_all()
            self.stdout.write(f"{many} values are written with the newest key now.")
            return
        if settings.FIELD_KEYS_FILE is None:
            new = Fernet.generate_key().decode()
            raise CommandError(
                "FIELD_KEYS stands in the environment, which only you can change:\n"
                f"1. put the new key before the old ones: FIELD_KEYS={new},…\n"
                "2. restart everything, then run this with --only-write\n"
                "3. take the old keys away and restart everything."
            )
        self.stdout.write("Writing with the new key. Everything goes on meanwhile…")
        many = rotating.rotate(settings.FIELD_KEYS_FILE)
        self.stdout.write(
            f"{many} values have a new key; the old ones are gone. Backups hold the key of their time."
        )
