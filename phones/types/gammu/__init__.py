"""Gammu SMSD: a modem or handset at this machine (docs/phones/gammu.md).

SMSD sends and receives; we give it messages and read its news in its folders or its database. So this
type alone reaches the disk and a database itself, and only where the operator says it may.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from phones.base import (
    Capabilities,
    Misconfigured,
    OutgoingSms,
    PhoneType,
    Polled,
    Sent,
    Words,
    no,
    yes,
)
from phones.types.gammu import console
from phones.types.gammu.database import Database
from phones.types.gammu.files import Files
from phones.types.gammu.parts import cut
from phones.types.gammu.settings import SPOOL, Place, SettingsForm, places_of
from phones.types.gammu.stores import Memory, Store


class Gammu(PhoneType):
    label = "Gammu SMSD"
    what = _("a modem or handset at this machine, over its files or its database")
    docs = "https://docs.gammu.org/smsd/"
    Settings = SettingsForm
    # About what a modem does: a segment takes some seconds.
    rate = 0.2
    poll_every = 15
    can = Capabilities(
        send=yes(_("At the price of its SIM card")),
        receive=yes(),
        phone_status=yes(
            _("By “Test connection”: signal, network and battery with a database only")
        ),
        mms_out=no(),
        mms_in=no(),
        delivery=yes(_("Where the network reports it")),
        flash=yes(),
        call=no(),
        call_end=no(),
        own_name=no(_("It shows the number of its SIM card")),
        unicode=yes(),
        long=yes(_("Up to 50 segments")),
        balance=no(),
        price=no(_("It depends on the plan of its SIM card")),
        polling=yes(_("Every 15 seconds")),
        bulk=no(),
        safe_retry=yes(),
        signed=no(_("Nobody calls: it is on the same machine")),
        opt_out=no(),
    )
    setup = console.SETUP

    @classmethod
    def offer(cls, form: forms.Form, given: Mapping[str, Any]) -> None:
        assert isinstance(form, SettingsForm)
        form.offer(given)

    def address(self) -> str:
        return str(self.settings.get("number") or "")

    def send(self, sms: OutgoingSms) -> Sent:
        return Sent(self._store.put(sms), segments=len(cut(sms)))

    def poll(self, cursor: str, pending: Sequence[str]) -> Polled:
        memory, place = _memory(cursor), self.settings.get("place")
        # What was seen in one place says nothing of another.
        known = memory if memory.get("place") == place else {}
        news = self._store.look(known, pending)
        return Polled(tuple(news.events), json.dumps({**news.memory, "place": place}))

    def check(self) -> str:
        return self._store.state()

    def sheets(self) -> list[tuple[Words, str]]:
        try:
            place = self._place
        except Misconfigured:
            return []
        sheet = console.configuration(place, self._modem)
        found: list[tuple[Words, str]] = [(_("Configuration of SMSD: /etc/gammu-smsdrc"), sheet)]
        if place.kind == SPOOL:
            found.append((_("Folders, made once as root"), console.folders(place)))
        return found

    @property
    def _modem(self) -> str:
        return str(self.settings.get("modem") or "")

    @property
    def _place(self) -> Place:
        """Give the place this phone may use: the operator may have changed his mind."""
        place = places_of(self.settings).get(str(self.settings.get("place")))
        if place is None:
            raise Misconfigured(gettext("The operator of this site no longer offers this SMSD."))
        if not place.opens_with(str(self.settings.get("access_code") or "")):
            raise Misconfigured(gettext("The access code of this SMSD has changed."))
        return place

    @property
    def _store(self) -> Store:
        place = self._place
        if place.kind == SPOOL:
            return Files(Path(place.where))
        return Database(place.where, self._modem)


def _memory(cursor: str) -> Memory:
    memory = json.loads(cursor or "{}")
    return memory if isinstance(memory, dict) else {}
