"""Which migrations each release ended with: where upgrades begin (smsapp/test_upgrading.py).

A new release writes itself down here: `manage.py showmigrations` names the last of each app. Migrations after
a release may not keep a big table locked (test_locks.py); those after a preview, which nobody has millions of
messages in, may.
"""

from __future__ import annotations

from collections.abc import Mapping

RELEASES: dict[str, dict[str, str]] = {
    "0.1.0-alpha": {
        "accounts": "0001_initial",
        "contacts": "0004_contacts",
        "messaging": "0005_segments",
        "phones": "0005_leases",
    },
    "0.1.0": {
        "accounts": "0005_hidden_numbers",
        "campaigns": "0005_approvals",
        "contacts": "0006_dropped_tags_and_groups",
        "messaging": "0013_quotas",
        "phones": "0009_watch_webhooks",
    },
}


def previous(now: Mapping[str, str]) -> dict[str, str]:
    """Give the migrations of the last release that is not as far as `now`: {app: its last migration}."""
    return next(ends for ends in reversed(RELEASES.values()) if ends != now)


def of_last_stable() -> dict[str, str] | None:
    """Give the migrations that the last release ended with, previews left out; None before the first."""
    stable = [ends for version, ends in RELEASES.items() if "-" not in version]
    return stable[-1] if stable else None
