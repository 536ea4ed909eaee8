"""On PostgreSQL once more: what the database decides, by its locks, limits, errors and SQL.

These tests are marked `database`, or `postgres` where only it can show them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.peers.postgres import PostgresPeer, start_postgres

pytestmark = pytest.mark.peer

ROOT = Path(__file__).parents[2]
PLACES = [
    "tests/contacts/test_erasing.py",
    "tests/contacts/test_keeping.py",
    "tests/contacts/test_rules.py",
    "tests/contacts/test_tags.py",
    "tests/lib/test_bulk.py",
    "tests/campaigns",
    "tests/messaging/test_costs.py",
    "tests/messaging/test_failing_over.py",
    "tests/messaging/test_hardening.py",
    "tests/messaging/test_looking_up.py",
    "tests/messaging/test_parts.py",
    "tests/messaging/quota",
    "tests/messaging/test_quotas.py",
    "tests/messaging/test_reliability.py",
    "tests/messaging/test_retention.py",
    "tests/messaging/test_reporting.py",
    "tests/messaging/test_routing.py",
    "tests/messaging/test_sending.py",
    "tests/smsapp/test_backup.py",
    "tests/smsapp/test_cut_off.py",
    "tests/smsapp/test_diagnosis.py",
    "tests/smsapp/test_home.py",
    "tests/smsapp/test_locks.py",
    "tests/smsapp/test_metrics.py",
    "tests/smsapp/test_rotating.py",
    "tests/smsapp/test_upgrading.py",
    "tests/smsapp/test_usage.py",
    "tests/test_masks.py",
    "tests/test_plans.py",
]


def test_sending_and_receiving_hold_on_postgresql() -> None:
    with start_postgres() as postgres:
        assert_serves(postgres)
        env = {**os.environ, "DATABASE_URL": postgres.database_url}
        # This run's own workers must not be taken for those of the one it starts; and there, what only
        # SQLite can show is left out.
        for name in [name for name in env if name.startswith(("PYTEST_", "NOTHING_SKIPS"))]:
            del env[name]
        command = [sys.executable, "-m", "pytest", "-m", "database or postgres"]
        ran = subprocess.run(
            [*command, *PLACES], cwd=ROOT, env=env, capture_output=True, text=True, check=False
        )

    assert ran.returncode == 0, ran.stdout[-5000:] + ran.stderr[-2000:]
    assert not postgres.folder.exists()


def assert_serves(postgres: PostgresPeer) -> None:
    """Fail unless it answers in UTF-8 at both its addresses."""
    for url in (postgres.database_url, postgres.socket_url):
        with psycopg.connect(url) as connection:
            assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)
