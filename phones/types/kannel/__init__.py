"""Kannel: an SMS gateway of one's own, before one or several operators (docs/phones/kannel.md).

Spoken to over its sendsms interface, as Kannel 1.4.5 answers it. Kannel gives a message no name, so our
reference travels in the address of its delivery reports (`dlr-url`).
"""

from __future__ import annotations

import re

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from lib import gsm
from lib.http import Answer
from phones.base import (
    BadAnswer,
    Callback,
    Capabilities,
    Endpoint,
    Event,
    Misconfigured,
    NoCredit,
    OutcomeUnknown,
    OutgoingSms,
    PhoneError,
    PhoneType,
    Rejected,
    Sent,
    Temporary,
    Throttled,
    Words,
    no,
    yes,
)
from phones.types.kannel import callbacks, configuration
from phones.types.kannel.settings import SettingsForm

# Every kind of report but 32, which only says that the message still waits.
DLR_MASK = "31"
_LINK = re.compile(r"<smsc>.*?<id>(.*?)</id>.*?<status>(.*?)</status>", re.DOTALL)


class Kannel(PhoneType):
    label = "Kannel"
    Settings = SettingsForm
    what = _("your own gateway, linked to operators by SMPP, UCP/EMI or CIMD2")
    docs = "https://www.kannel.org"
    rate = 10
    can = Capabilities(
        send=yes(),
        receive=yes(_("Over a link that receives")),
        phone_status=yes(_("With the status page of Kannel")),
        mms_out=no(),
        mms_in=no(),
        delivery=yes(_("Where the operator reports it")),
        flash=yes(),
        call=no(),
        call_end=no(),
        own_name=yes(_("If your operator allows it")),
        unicode=yes(),
        long=yes(_("Up to 50 segments")),
        balance=no(),
        price=no(),
        polling=no(),
        bulk=no(_("One request for each message, so that each report finds its own")),
        safe_retry=no(),
        signed=no(),
        opt_out=no(),
    )
    unsigned = _(
        "Kannel signs nothing. Its callbacks are known by the secret in their address; keep Kannel "
        "and this site on a private network, or use https between them."
    )
    setup = (
        _("Choose a user and a password for this site, and write both into the form."),
        _("Save. The page of the phone then shows groups for the configuration of Kannel."),
        _("Paste these groups into kannel.conf, and put the password in."),
        _("Give your group smsbox the id that the groups name, and let it repeat failed calls."),
        _("Restart bearerbox and smsbox, then test the connection. Nothing is sent."),
    )
    endpoints = (
        Endpoint(
            "status",
            _("Delivery"),
            _("Tells what became of a message. Without it, messages stay at “sent”."),
            methods=("GET",),
            automatic=True,
        ),
        Endpoint(
            "incoming",
            _("Incoming messages"),
            _("Brings what people write to your number. Without it, no reply arrives."),
            paste=(
                _("Paste the group sms-service from the page of the phone into kannel.conf."),
                _("It holds this address as post-url, with what Kannel must add to it."),
                _("Restart smsbox."),
            ),
        ),
    )

    def address(self) -> str:
        return str(self.settings.get("sender") or "")

    # ---- Sending --------------------------------------------------------------------------------

    def send(self, sms: OutgoingSms) -> Sent:
        if gsm.measure(sms.text).segments > configuration.MOST_SEGMENTS:
            # Kannel would cut off the rest and say nothing.
            raise Rejected(gettext("This text is longer than Kannel sends in one piece."))
        answer = self._ask(
            {
                "from": self.address(),
                "to": sms.to,
                "text": sms.text,
                "charset": "UTF-8",
                "coding": "0" if gsm.encoding_of(sms.text) == "gsm7" else "2",
                "mclass": "0" if sms.flash else "",
                "smsc": str(self.settings.get("smsc") or ""),
                "dlr-mask": DLR_MASK,
                "dlr-url": self.addresses.of("status", message=sms.reference) + callbacks.REPORT,
            }
        )
        if not 200 <= answer.status < 300:
            raise _refusal(answer)
        # “0: Accepted for delivery”, or “3: Queued for later delivery” while the link is down.
        if not re.match(r"[03]:", answer.text):
            raise BadAnswer(_words(answer))
        return Sent("")

    def _ask(self, order: dict[str, str]) -> Answer:
        who = {"username": self.settings["username"], "password": self.settings["password"]}
        # Kannel takes an empty `mclass` or `from` for a wrong one. It knows no POST of forms.
        given = {name: value for name, value in order.items() if value or name == "text"}
        return self.http.request("GET", str(self.settings["base_url"]), params={**who, **given})

    # ---- Callbacks ------------------------------------------------------------------------------

    def parse(self, endpoint: str, callback: Callback) -> list[Event]:
        if endpoint == "status":
            return callbacks.report(callback)
        return callbacks.incoming(callback)

    # ---- The gateway ----------------------------------------------------------------------------

    def check(self) -> str:
        # Without a receiver Kannel looks at user and password, and has nothing to send.
        answer = self._ask({})
        if answer.status == 400 and "receiver" in answer.text:
            known = gettext("Kannel knows this user.")
            return f"{known} {self._links()}" if self.settings.get("status_url") else known
        if 200 <= answer.status < 300:
            raise BadAnswer(_words(answer))
        raise _refusal(answer)

    def _links(self) -> str:
        """Say in a sentence which links are online. Raises Temporary when ours is not."""
        states = self._states()
        ours = str(self.settings.get("smsc") or "")
        if ours and ours not in states:
            raise Misconfigured(gettext("Kannel has no link “%(link)s”.") % {"link": ours})
        online = [link for link, state in states.items() if state.startswith("online")]
        if not online or (ours and ours not in online):
            said = ", ".join(f"{link}: {state}" for link, state in states.items())
            words = gettext("Kannel knows this user, but its link is not online (%(links)s).")
            raise Temporary(words % {"links": said or gettext("it has none")})
        return gettext("Online: %(links)s.") % {"links": ", ".join(online)}

    def _states(self) -> dict[str, str]:
        password = str(self.settings.get("status_password") or "")
        params = {"password": password} if password else {}
        answer = self.http.request("GET", str(self.settings["status_url"]), params=params)
        # “Denied” comes with status 200 too.
        if answer.status != 200 or "<smscs>" not in answer.text:
            words = gettext("The status page of Kannel answered: %(words)s")
            raise Misconfigured(words % {"words": _words(answer)})
        return dict(_LINK.findall(answer.text))

    def sheets(self) -> list[tuple[Words, str]]:
        if not self.settings.get("username"):
            return []
        return [(_("To paste into kannel.conf"), self.groups())]

    def groups(self) -> str:
        """Give the groups to paste into kannel.conf; the password is left to be put in."""
        return configuration.groups(
            user=str(self.settings["username"]),
            smsc=str(self.settings.get("smsc") or ""),
            incoming=self.addresses.of("incoming"),
        )


def _refusal(answer: Answer) -> PhoneError:
    words, status = _words(answer), answer.status
    if status == 429:
        return Throttled(words, retry_after=answer.retry_after)
    if status == 503:
        # “Temporal failure, try again later.”: its queue is full, nothing was taken.
        return Temporary(words, retry_after=answer.retry_after)
    if status >= 500 or status == 408:
        return OutcomeUnknown(words)
    if status == 402:
        return NoCredit(words)
    # “Sender missing and no global set, rejected” meets every message; so does a wrong address.
    # The other 403, “Not routable. Do not try again.”, is about this number.
    ours = status in (401, 404, 405) or words.startswith(("Authorization", "Sender missing"))
    return Misconfigured(words) if ours or status < 400 else Rejected(words)


def _words(answer: Answer) -> str:
    """Give what Kannel said, or a proxy before it, in one line."""
    said = " ".join(re.sub(r"<[^>]*>", " ", answer.text).split())[:300]
    return said or gettext("HTTP %(status)s, without a word") % {"status": answer.status}
