from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from smsapp import sentry

# What PostgreSQL is asked of each connection, so that a host that is gone without a word keeps no lock: its
# machine asks after ours, and ends what rests within a transaction. Not as options of the connection, which
# PgBouncer refuses. See https://www.postgresql.org/docs/current/runtime-config-connection.html.
WATCHFUL = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "25s",
    "idle_in_transaction_session_timeout": "60s",
}


class SmsappConfig(AppConfig):
    name = "smsapp"

    def ready(self) -> None:
        connection_created.connect(watch_over, dispatch_uid="smsapp.watch_over")
        if settings.SENTRY_DSN:
            sentry.start(settings.SENTRY_DSN, release=settings.VERSION)


def watch_over(*, connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Let PostgreSQL notice that who is at the other end has gone."""
    if connection.vendor == "postgresql":
        wanted = ", ".join("set_config(%s, %s, false)" for _ in WATCHFUL)
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {wanted}",
                [word for pair in WATCHFUL.items() for word in pair],
            )
