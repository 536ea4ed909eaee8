"""`manage.py restore FILE`: put a backup in the place of this site."""

from __future__ import annotations

import os
import tempfile
from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from smsapp import backup, restoring
from smsapp.stopped import stopped


class Command(BaseCommand):
    help = "Put a backup in the place of this site, which must be stopped."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--replace",
            action="store_true",
            help="what is here now; a backup of it is kept in DATA_DIR",
        )
        parser.add_argument(
            "--as-it-was",
            action="store_true",
            help="nothing was sent since the backup was made: what waits shall leave",
        )

    def handle(self, *, file: Path, replace: bool, as_it_was: bool, **_: Any) -> None:
        try:
            with stopped():
                self._restore(file, replace, as_it_was)
        except (backup.Problem, OSError) as error:
            raise CommandError(str(error)) from error

    def _restore(self, file: Path, replace: bool, as_it_was: bool) -> None:
        data = Path(settings.DATA_DIR)
        with tempfile.TemporaryDirectory(prefix=".restoring-", dir=data) as folder:
            manifest = backup.unpack(file, Path(folder))
            restoring.check(manifest)
            if restoring.holds_people():
                if not replace:
                    raise CommandError("This site has people already: say --replace to replace it.")
                before = data / f"before-restore-{timezone.now():%Y%m%d-%H%M%S}.tar.gz"
                backup.write(before)
                self.stdout.write(f"What was here is in {before}.")
            restoring.put_in_place(Path(folder))
        restoring.leap()
        made_at = datetime.fromisoformat(manifest.made_at)
        self.stdout.write(f"Restored the backup of {made_at:%Y-%m-%d %H:%M} UTC.")
        if not as_it_was:
            self._doubt(made_at)
        if os.environ.get("FIELD_KEYS"):
            self.stdout.write(
                f"FIELD_KEYS must be what stands in {data / 'secrets' / 'field_keys'}."
            )

    def _doubt(self, made_at: datetime) -> None:
        if many := restoring.halt(made_at):
            self.stdout.write(
                f"{many} campaigns may have gone on since: they are paused, or drafts again. Review them."
            )
        if many := restoring.doubt(made_at):
            self.stdout.write(
                f"{many} messages were waiting and may have left since: they are unknown now. Review them."
            )
