"""Which migrations each release ended with: where upgrades begin (smsapp/test_upgrading.py).

A new release writes itself down here: `manage.py showmigrations` names the last of each app. Migrations after
a release may not keep a big table locked (test_locks.py); those after a preview, which nobody has millions of
messages in, may.
"""

from __future__ import annotations

RELEASES: dict[str, dict[str, str]] = {
    "0.1.0-alpha": {
        "accounts": "0001_initial",
        "contacts": "0004_contacts",
        "messaging": "0005_segments",
        "phones": "0005_leases",
    },
}
PREVIOUS = list(RELEASES.values())[-1]


def of_last_stable() -> dict[str, str] | None:
    """Give the migrations that the last release ended with, previews left out; None before the first."""
    stable = [ends for version, ends in RELEASES.items() if "-" not in version]
    return stable[-1] if stable else None
