"""`manage.py backup FILE`: the whole site in one file, while it runs."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.template.defaultfilters import filesizeformat

from smsapp import backup


class Command(BaseCommand):
    help = "Write the whole site (database, pictures, imports, keys) into one file, while it runs."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "file", type=Path, help="such as backup.tar.gz; an older one is replaced"
        )

    def handle(self, *, file: Path, **_: Any) -> None:
        try:
            size = backup.write(file.resolve())
        except (backup.Problem, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{file}: {filesizeformat(size)}. It holds the keys of this site: keep it safe."
        )
