"""`manage.py move-database --to URL`: move a site, e.g. from SQLite to PostgreSQL."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connections

from smsapp import moving
from smsapp.backup import Problem
from smsapp.stopped import stopped


class Command(BaseCommand):
    help = (
        "Copy everything into another, empty database, such as PostgreSQL, and compare every row."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--to", required=True, help="postgres://user:password@host/name")

    def handle(self, *, to: str, **_: Any) -> None:
        if urlsplit(to).scheme not in ("postgres", "postgresql", "sqlite") or not urlsplit(to).path:
            raise CommandError("--to must look like postgres://user:password@host/name.")
        target = environ.Env.db_url_config(to)
        connections[moving.HERE].ensure_connection()
        known = connections.databases[moving.HERE]
        connections.databases[moving.THERE] = {**known, "OPTIONS": {}, **target}
        try:
            with stopped():
                rows = moving.move(self._tell)
        except (Problem, DatabaseError) as error:
            raise CommandError(f"Nothing was moved: {str(error).strip()}") from error
        finally:
            connections[moving.THERE].close()
        self.stdout.write(
            f"{rows:,} rows were copied and compared. Put this into .env and start the site:\n"
            "DATABASE_URL=(what you gave as --to)\n"
            "The old database is as it was; delete it once you are sure."
        )

    def _tell(self, table: str, rows: int) -> None:
        if rows:
            self.stdout.write(f"{rows:>12,}  {table}")
