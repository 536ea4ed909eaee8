"""`manage.py rotate-keys`: new keys for what is stored encrypted and for what is signed."""

from __future__ import annotations

import secrets
from argparse import ArgumentParser
from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from smsapp import rotating


class Command(BaseCommand):
    help = (
        "Make a new key, write all encrypted values with it, drop the old ones. Takes a minute. "
        "With --signing a new key for sessions and links instead."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--only-write",
            action="store_true",
            help="write everything with the newest key of FIELD_KEYS and change no key",
        )

        parser.add_argument(
            "--signing",
            action="store_true",
            help="a new key for what is signed: sessions and links",
        )
        parser.add_argument(
            "--drop-old",
            action="store_true",
            help="with --signing: forget the old keys, and whoever still depends on them",
        )

    def handle(
        self, *, only_write: bool, signing: bool = False, drop_old: bool = False, **_: Any
    ) -> None:
        if signing or drop_old:
            self._sign(drop_old)
            return
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

    def _sign(self, drop_old: bool) -> None:
        file, days = settings.SECRET_KEY_FILE, settings.SESSION_COOKIE_AGE // 86400
        if file is None:
            raise CommandError(
                "SECRET_KEY stands in the environment, which only you can change:\n"
                f"1. SECRET_KEY={secrets.token_urlsafe(50)}\n"
                "   SECRET_KEY_FALLBACKS=<the key that was there>\n"
                "2. restart everything: people stay logged in\n"
                f"3. take SECRET_KEY_FALLBACKS away after {days} days and restart everything."
            )
        if drop_old:
            many = rotating.end_signing(file)
            self.stdout.write(
                f"{many} old keys are forgotten. Restart everything: whoever was not here for {days} days "
                "logs in again, and older links to pictures and for passwords open nothing."
            )
            return
        rotating.begin_signing(file)
        self.stdout.write(
            "There is a new key. Restart everything now: processes of before do not know it. People stay "
            f"logged in, links go on working. After {days} days: rotate-keys --signing --drop-old"
        )
