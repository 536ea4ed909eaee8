"""Checks of the place the site stands in: its address, secrets, files, disk, clock, mail."""

from __future__ import annotations

import ctypes
import ipaddress
import os
import shutil
import sys
import time
from pathlib import Path
from smtplib import SMTPException
from urllib.parse import urlsplit

from django.conf import settings
from django.core import mail
from django.db import connection
from django.db.models import TextField
from django.db.models.functions import Cast
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from accounts.site import current
from lib import vault
from lib.http import Guard, Http, NoAnswer, NotSent
from lib.jobs import redis
from phones.health import kind_of
from phones.models import Phone
from smsapp.diagnosis import Finding, broken, fine, watch

# Bytes free below which it is said, and below which messages are in danger.
_LITTLE, _TOO_LITTLE = 2 * 1024**3, 200 * 1024**2
# Seconds that two clocks may differ.
_APART, _FAR_APART = 2.0, 30.0
# Characters of a secret that nobody can guess (Django's own measure).
_LONG_ENOUGH = 50
# What a kernel answers whose clock nobody sets (adjtimex(2), TIME_ERROR), and bytes for its record.
_NOT_SET, _RECORD = 5, 512


def address() -> Finding:
    """Look whether providers can reach what PUBLIC_URL names."""
    parts = urlsplit(settings.PUBLIC_URL)
    said = {"address": settings.PUBLIC_URL}
    mend = _("Set PUBLIC_URL to the https address under which others reach this site, and restart.")
    if _is_private(parts.hostname or ""):
        if callers := [phone.name for phone in _called_back()]:
            words = _("No provider can call %(address)s. These phones wait for calls: %(phones)s.")
            return watch(words % {**said, "phones": ", ".join(callers[:5])}, mend)
        return fine(_("%(address)s, which only this machine or its network can reach.") % said)
    if parts.scheme == "http":
        return watch(_("Passwords and messages travel in the open to %(address)s.") % said, mend)
    return fine(settings.PUBLIC_URL)


def address_answers() -> Finding:
    """Ask the public address whether it is us."""
    said = {"address": settings.PUBLIC_URL}
    host = urlsplit(settings.PUBLIC_URL).hostname or ""
    if _is_private(host):
        return fine(_("%(address)s, which only this machine or its network can reach.") % said)
    http = Http(guard=Guard(frozenset({host})))
    try:
        answer = http.request("GET", f"{settings.PUBLIC_URL}/healthz", timeout=(5, 10))
        told = answer.json()
    except (NotSent, NoAnswer) as error:
        return watch(
            _("%(address)s does not answer from here: %(error)s") % {**said, "error": error},
            _("Look whether its name leads to this machine, and whether the proxy in front runs."),
        )
    except ValueError:
        told = None
    if not isinstance(told, dict) or "database" not in told:
        return watch(
            _("Somebody else answers at %(address)s.") % said,
            _("Let the proxy in front pass everything under this name on to this site."),
        )
    return fine(_("%(address)s answers, and it is this site.") % said)


def secrets() -> Finding:
    """Look for secrets that others know, and for settings that their keys no longer open."""
    mend = _("Take SECRET_KEY and FIELD_KEYS out of the environment: ./run makes good ones.")
    if settings.BUILD_SECRET in (settings.SECRET_KEY, *settings.FIELD_KEYS):
        return broken(_("A secret is the one of builds, which everybody knows."), mend)
    if settings.DEBUG and not _is_private(urlsplit(settings.PUBLIC_URL).hostname or ""):
        return broken(
            _("DEBUG is on: errors show the inside of the site to everybody."),
            _("Take DEBUG out of .env and restart."),
        )
    if len(settings.SECRET_KEY) < _LONG_ENOUGH:
        return watch(_("SECRET_KEY is short enough to be guessed."), mend)
    return fine(_("Nobody else knows them."))


def keys() -> Finding:
    """Look whether FIELD_KEYS open what is stored."""
    written = Phone.objects.living().annotate(written=Cast("settings", TextField()))
    names = written.order_by("pk").values_list("name", "written")
    closed = [name for name, token in names if not vault.opens(token)]
    if closed:
        return broken(
            _("FIELD_KEYS do not open the settings of: %(phones)s.")
            % {"phones": ", ".join(closed[:5])},
            _(
                "Put the old key back behind the new one, or restore the folder secrets of a backup."
            ),
        )
    return fine(_("They open the settings of every phone."))


def permissions() -> Finding:
    """Look whether others on this machine can read what is ours."""
    data = Path(settings.DATA_DIR)
    said = {"folder": data}
    if not os.access(data, os.W_OK):
        return broken(
            _("This site may not write to %(folder)s.") % said,
            _("Make it its own: chown -R <user> %(folder)s") % said,
        )
    if open_ := _readable(data):
        return broken(
            _("Others on this machine can read %(place)s.") % {"place": open_[0]},
            _("Close it: chmod -R go= %(folder)s") % said,
        )
    return fine(_("%(folder)s is for this site alone.") % said)


def disk() -> Finding:
    """Look how much room there is for the database and what is uploaded."""
    usage = shutil.disk_usage(settings.DATA_DIR)
    said = {"free": filesizeformat(usage.free), "folder": settings.DATA_DIR}
    mend = _("Free some space; df -h shows where.")
    if usage.free < _TOO_LITTLE:
        return broken(_("Only %(free)s are left for %(folder)s.") % said, mend)
    if usage.free < _LITTLE:
        return watch(_("%(free)s are left for %(folder)s.") % said, mend)
    return fine(_("%(free)s are free.") % said)


def clock() -> Finding:
    """Compare this machine's clock with those of the queue server, the database and the world."""
    mend = _("Let each machine set its clock by the network: timedatectl set-ntp true")
    apart = max(abs(time.time() - other) for other in _other_clocks())
    if apart > _APART:
        words = _("The clocks of this site's machines differ by %(seconds)s seconds.")
        said = words % {"seconds": round(apart)}
        return broken(said, mend) if apart > _FAR_APART else watch(said, mend)
    if _is_set_by_nobody():
        return watch(_("Nothing sets this machine's clock."), mend)
    return fine(_("It agrees with the queue server and the database."))


def mails() -> Finding:
    """Look whether mails leave."""
    if host := current().mail_host:
        return fine(_("They go by %(host)s.") % {"host": host})
    if not settings.EMAIL_URL:
        return watch(
            _("No mail leaves: they are written to %(folder)s.")
            % {"folder": Path(settings.DATA_DIR) / "mail"},
            _(
                "Set a mail server under Administration, Site, or nobody can reset a password and nobody is "
                "told of trouble."
            ),
        )
    return fine(_("They go by %(host)s.") % {"host": settings.EMAIL_HOST})


def mail_server() -> Finding:
    """Log in at the mail server, and send nothing."""
    if not (settings.EMAIL_URL or current().mail_host):
        return fine(_("No mail server is set."))
    connection_ = mail.get_connection()
    try:
        connection_.open()
    except (OSError, SMTPException) as error:
        return broken(
            _("The mail server refuses us (%(error)s).") % {"error": type(error).__name__},
            _("Correct host, user and password under Administration, Site, or in EMAIL_URL."),
        )
    finally:
        connection_.close()
    return fine(_("The mail server lets us in."))


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".lan"))


def _called_back() -> list[Phone]:
    """Give the phones whose providers call us from outside."""
    phones = Phone.objects.living().exclude(type="simulator").defer("settings").order_by("pk")
    return [phone for phone in phones if (kind := kind_of(phone)) and kind.endpoints]


def _readable(data: Path) -> list[Path]:
    """Give what others on this machine can read; what lies in a closed folder is closed, too."""
    places = [data, *data.iterdir(), *(data / "secrets").glob("*")] if _is_open(data) else []
    places.append(Path(str(settings.DATABASES["default"]["NAME"])))
    public = (data, Path(settings.STATIC_ROOT))
    return [
        place
        for place in places
        if place not in public
        and place.is_absolute()
        and place.exists()
        and _is_open(place)
        and (place.parent != data or _is_open(data))
    ]


def _is_open(place: Path) -> bool:
    return bool(place.stat().st_mode & 0o077)


def _other_clocks() -> list[float]:
    seconds, micro = redis().time()
    clocks = [seconds + micro / 1_000_000]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
            clocks.append(float(cursor.fetchone()[0]))
    return clocks


def _is_set_by_nobody() -> bool:
    if sys.platform != "linux":
        return False
    library = ctypes.CDLL(None, use_errno=True)
    # All zeros: it only asks (modes = 0).
    return bool(library.adjtimex(ctypes.create_string_buffer(_RECORD)) == _NOT_SET)
