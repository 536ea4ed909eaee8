"""`manage.py doctor`: say what is wrong with this site, and what mends it."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from smsapp.diagnosis import Result, State, diagnose, worst
from smsapp.diagnosis.checks import CHECKS, OUTSIDE


class Command(BaseCommand):
    help = (
        "Say what is wrong with this site, and what mends it. Ends with 1 when something is broken."
    )
    requires_system_checks: list[
        str
    ] = []  # it looks itself, and must say what the others only raise

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="for programs")
        parser.add_argument(
            "--inside",
            action="store_true",
            help="ask neither the public address nor the mail server",
        )

    def handle(self, *, json: bool, inside: bool, **_: Any) -> None:
        results = diagnose(CHECKS if inside else (*CHECKS, *OUTSIDE))
        self.stdout.write(_as_json(results) if json else self._as_text(results))
        if worst(results) == State.BROKEN:
            sys.exit(1)

    def _as_text(self, results: list[Result]) -> str:
        style = {
            State.FINE: ("✓", self.style.SUCCESS),
            State.WATCH: ("!", self.style.WARNING),
            State.BROKEN: ("✗", self.style.ERROR),
        }
        width = max(len(result.title) for result in results)
        lines = []
        for result in results:
            sign, paint = style[result.state]
            lines.append(f"{paint(sign)} {result.title:{width}}  {result.words}")
            if result.mend:
                lines.append(f"  {'':{width}}  → {result.mend}")
        return "\n".join(lines)


def _as_json(results: list[Result]) -> str:
    found = [{**asdict(result), "state": result.state.value, "at": None} for result in results]
    for line in found:
        del line["at"]
    return json.dumps(
        {"state": worst(results).value, "checks": found}, ensure_ascii=False, indent=2
    )
