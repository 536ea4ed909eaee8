"""The list of checks, in the order in which people read them."""

from __future__ import annotations

from django.utils import translation
from django.utils.translation import gettext_lazy as _

from smsapp.diagnosis import DATABASE, QUEUE, Check, diagnose, keep, lines, site, work

BOTH = (DATABASE, QUEUE)

CHECKS = (
    Check(DATABASE, _("Database"), work.database),
    Check("migrations", _("Tables"), work.migrations, (DATABASE,)),
    Check(QUEUE, _("Queue server"), work.queue),
    Check("send", _("Workers that send"), work.sending_workers, (QUEUE,)),
    Check("default", _("Other workers"), work.other_workers, (QUEUE,)),
    Check("tick", _("Tick"), work.tick, (QUEUE,)),
    Check("sessions", _("Sessions"), work.sessions, BOTH),
    Check("backlog", _("Waiting messages"), work.backlog, BOTH),
    Check("jobs", _("Jobs"), work.failed_jobs, (QUEUE,)),
    Check("phones", _("Phones"), lines.paused, (DATABASE,)),
    Check("callbacks", _("Callbacks"), lines.callbacks, (DATABASE,)),
    Check("address", _("Public address"), site.address, (DATABASE,)),
    Check("mail", _("Mail"), site.mails),
    Check("disk", _("Disk"), site.disk),
    Check("clock", _("Clock"), site.clock, BOTH),
    Check("secrets", _("Secrets"), site.secrets),
    Check("keys", _("Keys of the settings"), site.keys, (DATABASE,)),
    Check("permissions", _("Files"), site.permissions),
)
OUTSIDE = (
    Check("address_answers", _("Public address, asked"), site.address_answers),
    Check("mail_server", _("Mail server, asked"), site.mail_server),
)


def look_outside(language: str) -> None:
    """Ask those outside, and keep what they say for the page. A job."""
    with translation.override(language):
        keep(diagnose(OUTSIDE))
