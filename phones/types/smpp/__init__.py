"""SMPP 3.4: a bind to an operator or aggregator (docs/phones/smpp.md, docs/smpp.md)."""

from __future__ import annotations

import secrets

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from phones.base import Capabilities, PhoneType, no, yes
from phones.sessions import Session
from phones.smpp.checking import try_bind
from phones.smpp.profile import Profile, profile_of
from phones.smpp.session import SmppSession
from phones.types.smpp.settings import SettingsForm


class Smpp(PhoneType):
    label = "SMPP"
    what = _("a direct connection to an operator or aggregator")
    docs = "https://smpp.org/SMPP_v3_4_Issue1_2.pdf"
    rate = 10
    connected = True
    can = Capabilities(
        send=yes(),
        receive=yes(_("Long messages are joined")),
        phone_status=yes(_("Each bind, live")),
        mms_out=no(),
        mms_in=no(),
        delivery=yes(_("For each segment")),
        flash=yes(),
        call=no(),
        call_end=no(),
        own_name=yes(_("If the operator allows it")),
        unicode=yes(),
        long=yes(),
        balance=no(),
        price=no(),
        polling=no(),
        bulk=no(),
        safe_retry=no(_("SMPP cannot ask whether a message arrived")),
        signed=no(),
        opt_out=no(),
    )
    setup = (
        _(
            "Ask the operator for host, port, system ID and password, and how many binds and "
            "messages a second it allows."
        ),
        _("Give the operator the public address of this server: most let in known addresses only."),
        _("Ask which sender you may use: a number, a short code or a name."),
        _(
            "If the operator is reached over a VPN, who runs this server allows its address in "
            "ALLOW_PRIVATE_ADDRESSES."
        ),
    )

    Settings = SettingsForm

    def address(self) -> str:
        source: str = self.settings.get("source") or ""
        return source

    def account_name(self) -> str:
        profile = self._profile
        return f"{profile.system_id}@{profile.host.lower()}:{profile.port}"

    def session(self) -> Session:
        return SmppSession(
            self._profile, self.http.guard, first_reference=secrets.randbelow(65_536)
        )

    def check(self) -> str:
        """Bind, unbind, and say in words what the server answered."""
        took = try_bind(self._profile, self.http.guard)
        words = gettext("The operator accepts the bind, and answered in %(ms)s ms.")
        return words % {"ms": round(took * 1000)}

    @property
    def _profile(self) -> Profile:
        return profile_of(self.settings)
