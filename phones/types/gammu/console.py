"""What is set up beside this site, and the configuration of SMSD to paste."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from phones.types.gammu.files import FOLDERS
from phones.types.gammu.settings import SPOOL, Place

SETUP = (
    _("Install Gammu SMSD on the machine of this site (Debian: apt install gammu-smsd)."),
    _("Let the operator name its folder in GAMMU_SPOOLS, or its database in GAMMU_DATABASES."),
    _("Choose it here and save. The page of the phone then shows SMSD's configuration."),
    _("Paste that, restart SMSD, and test the connection."),
)


def configuration(place: Place, modem: str) -> str:
    """Give gammu-smsdrc for a place; the operator's password is not in it."""
    store = _folders(place.where) if place.kind == SPOOL else _tables(place.where)
    values = [
        *store,
        *([("PhoneID", modem)] if modem else []),
        ("DeliveryReport", "sms"),
        ("DeliveryReportDelay", "259200"),
        # Seconds until it looks into an empty outbox again; 30 by default.
        ("CommTimeout", "2"),
        ("LogFile", "syslog"),
        ("StatusFrequency", "60"),
    ]
    device = gettext("the device of your modem")
    gammu = f"[gammu]\n# {device}\ndevice = /dev/ttyUSB0\nconnection = at\n"
    return f"{gammu}\n[smsd]\n" + "".join(f"{name} = {value}\n" for name, value in values)


def _folders(where: str) -> list[tuple[str, str]]:
    spool = where.rstrip("/")
    return [
        ("Service", "files"),
        # SMSD puts names right behind these: they need the slash.
        ("InboxPath", f"{spool}/inbox/"),
        ("OutboxPath", f"{spool}/outbox/"),
        ("SentSMSPath", f"{spool}/sent/"),
        ("ErrorSMSPath", f"{spool}/error/"),
        ("InboxFormat", "detail"),
    ]


def _tables(where: str) -> list[tuple[str, str]]:
    parts = urlsplit(where)
    if parts.scheme == "sqlite":
        folder, _slash, name = parts.path.lstrip("/").rpartition("/")
        driver = [("Driver", "sqlite3"), ("DBDir", f"/{folder}"), ("Database", name)]
    else:
        host = parts.hostname or "localhost"
        driver = [
            ("Driver", "native_pgsql"),
            ("Host", f"{host}:{parts.port}" if parts.port else host),
            ("Database", parts.path.strip("/")),
            ("User", unquote(parts.username or "")),
            ("Password", gettext("the-password-of-this-user")),
        ]
    return [("Service", "sql"), *driver]


def folders(place: Place) -> str:
    """Give the commands that make the folders of a spool, for SMSD and this site together."""
    names = ",".join(FOLDERS)
    user = gettext("the-user-of-this-site")
    return (
        f"usermod -aG gammu {user}\n"
        f"install -d -o gammu -g gammu -m 2770 {place.where.rstrip('/')}/{{{names}}}\n"
    )
