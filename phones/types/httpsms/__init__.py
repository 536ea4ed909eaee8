"""httpSMS: an Android phone with the app httpSMS (docs/phones/httpsms.md).

https://docs.httpsms.com, read 2026-11. It echoes a `request_id` and does not compare it, so what may
have made a message is never sent again by itself. An account has two webhooks only, so one address
takes all of its events, and `parse` goes by the event rather than by the address.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from lib.http import Answer
from phones.base import (
    BadAnswer,
    Callback,
    Capabilities,
    Event,
    Fetched,
    IncomingMedia,
    Misconfigured,
    NoCredit,
    OutgoingSms,
    PhoneType,
    Polled,
    Rejected,
    Sent,
    in_turns,
    no,
    yes,
)
from phones.types.httpsms import news
from phones.types.httpsms.answers import data_of, refusal
from phones.types.httpsms.console import ENDPOINTS, SETUP
from phones.types.httpsms.news import moment
from phones.types.httpsms.settings import SettingsForm

API = "https://api.httpsms.com"
# Items in one page, the most that httpSMS gives.
_PAGE = 20
# Pages that one look turns at most.
_PAGES = 10
# Messages asked about in one look of `poll`; each costs a request.
_ASKED = 50
# A look goes back by more than the pause between two, for what was stored late.
_OVERLAP = timedelta(minutes=15)
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class HttpSms(PhoneType):
    label = "httpSMS"
    what = _("an Android phone of yours as gateway, with missed calls")
    docs = "https://docs.httpsms.com"
    Settings = SettingsForm
    rate = 0.2
    poll_every = 300
    can = Capabilities(
        send=yes(_("At the price of its SIM card")),
        receive=yes(),
        phone_status=yes(_("By “Test connection”")),
        mms_out=yes(_("At most 10 pictures")),
        mms_in=yes(),
        delivery=yes(_("Where the network reports it")),
        flash=no(),
        call=yes(_("Missed calls, once they are over")),
        call_end=no(),
        own_name=no(_("It shows the number of its SIM card")),
        unicode=yes(),
        long=yes(_("Up to 2048 characters")),
        balance=no(),
        price=no(_("It depends on the plan of its SIM card")),
        polling=yes(_("Finds what a webhook missed: httpSMS tries each only twice")),
        bulk=no(_("Its answer would not tell which message failed")),
        safe_retry=no(),
        signed=yes(),
        opt_out=no(),
    )
    setup = SETUP
    endpoints = ENDPOINTS

    def address(self) -> str:
        return str(self.settings.get("number") or "")

    # ---- Sending --------------------------------------------------------------------------------

    def send(self, sms: OutgoingSms) -> Sent:
        order: dict[str, Any] = {
            "from": self.address(),
            "to": sms.to,
            "content": sms.text,
            # Comes back with each event, which may arrive before the answer.
            "request_id": sms.reference,
        }
        if sms.media:
            order["attachments"] = [item.url for item in sms.media]
        answer = self._request("POST", "/v1/messages/send", order)
        taken = data_of(self._good(answer, sending=True))
        if not isinstance(taken, dict) or not taken.get("id"):
            raise BadAnswer(gettext("httpSMS took the message without naming it."))
        return Sent(str(taken["id"]))

    # ---- News -----------------------------------------------------------------------------------

    def verify(self, callback: Callback) -> None:
        news.verify(callback, str(self.settings["signing_key"]))

    def parse(self, endpoint: str, callback: Callback) -> list[Event]:
        return news.parse(callback, self.address())

    def fetch(self, media: IncomingMedia) -> Fetched:
        place, home = urlsplit(media.url), urlsplit(self._base)
        if (place.scheme, place.netloc) != (home.scheme, home.netloc):
            raise Rejected(gettext("This picture is not at httpSMS."))
        # These addresses are long secrets themselves and want no key.
        answer = self.http.request("GET", media.url)
        self._good(answer)
        return Fetched(answer.body, answer.headers.get("content-type", ""))

    def poll(self, cursor: str, pending: Sequence[str]) -> Polled:
        last, _space, asked_last = cursor.partition(" ")
        asked, going_on = in_turns(pending, asked_last, _ASKED)
        events = [event for name in asked for event in self._fate(name)]
        came, newest = self._came_in(moment(last))
        return Polled((*events, *came), f"{newest.isoformat()} {going_on}".rstrip())

    def _fate(self, name: str) -> list[Event]:
        answer = self._request("GET", f"/v1/messages/{quote(name, safe='')}")
        if answer.status == 404:
            return []  # deleted at httpSMS
        message = data_of(self._good(answer))
        return news.fate_of(message) if isinstance(message, dict) else []

    def _came_in(self, last: datetime | None) -> tuple[list[Event], datetime]:
        """Give what came in since about `last`, and when the newest conversation changed.

        The first look, without a `last`, only notes where it begins.
        """
        since = last - _OVERLAP if last else _BEGINNING
        pages = _PAGES if last else 1
        threads = self._recent("/v1/message-threads", "updated_at", since, pages)
        newest = max((at for at, _item in threads), default=since)
        if last is None:
            return [], newest
        contacts = [str(item.get("contact", "")) for _at, item in threads]
        return [event for contact in contacts for event in self._from(contact, since)], newest

    def _from(self, contact: str, since: datetime) -> list[Event]:
        found = self._recent("/v1/messages", "created_at", since, _PAGES, contact=contact)
        return [event for _at, item in found for event in news.came_in(item)]

    def _recent(
        self, path: str, field: str, since: datetime, pages: int, **params: Any
    ) -> list[tuple[datetime, dict[str, Any]]]:
        """Give the items whose time in `field` is not before `since`, newest pages first."""
        found = []
        for page in range(pages):
            items = self._list(path, owner=self.address(), skip=page * _PAGE, **params)
            times = [(moment(item.get(field)), item) for item in items]
            new = [(at, item) for at, item in times if at and at >= since]
            found += new
            if len(items) < _PAGE or not new:
                break
        return found

    # ---- The account ----------------------------------------------------------------------------

    def check(self) -> str:
        phones = self._list("/v1/phones")
        if self.address() not in [item.get("phone_number") for item in phones]:
            words = gettext("The account has no handset with the number %(number)s.")
            raise Misconfigured(words % {"number": self.address()})
        beats = self._list("/v1/heartbeats", owner=self.address())
        seen = moment(beats[0].get("timestamp")) if beats else None
        if seen is None:
            return gettext(
                "httpSMS knows the handset, but it was never online. Open the app there."
            )
        words = gettext("httpSMS knows the handset. It was last online %(seen)s.")
        return words % {"seen": f"{seen:%Y-%m-%d %H:%M %Z}"}

    def connect(self) -> str:
        hook = {
            "url": self.addresses.of("incoming"),
            "signing_key": str(self.settings["signing_key"]),
            "phone_numbers": [self.address()],
            "events": news.EVENTS,
        }
        self._register(hook)
        return gettext("httpSMS now tells us about messages, deliveries and missed calls.")

    def _register(self, hook: Mapping[str, Any]) -> None:
        ours = [item for item in self._list("/v1/webhooks") if self._is_ours(item)]
        if ours:
            place = f"/v1/webhooks/{quote(str(ours[0].get('id')), safe='')}"
            self._good(self._request("PUT", place, hook))
            return
        try:
            self._good(self._request("POST", "/v1/webhooks", hook))
        except NoCredit as error:
            # 402 here: the account has as many webhooks as its plan allows.
            raise Rejected(error.words) from None

    def _is_ours(self, hook: Mapping[str, Any]) -> bool:
        """Say whether a webhook was made for this number by this site, under any token."""
        site = self.addresses.base.rstrip("/").rpartition("/")[0]
        return hook.get("phone_numbers") == [self.address()] and str(hook.get("url")).startswith(
            f"{site}/"
        )

    # ---- The way there --------------------------------------------------------------------------

    @property
    def _base(self) -> str:
        return str(self.settings.get("base_url") or API).rstrip("/")

    def _request(self, method: str, path: str, json: Any = None, **params: Any) -> Answer:
        headers = {"x-api-key": str(self.settings["api_key"])}
        return self.http.request(
            method, f"{self._base}{path}", json=json, params=params or None, headers=headers
        )

    def _list(self, path: str, *, skip: int = 0, **params: Any) -> list[dict[str, Any]]:
        answer = self._request("GET", path, skip=skip, limit=_PAGE, **params)
        found = data_of(self._good(answer))
        if not isinstance(found, list):
            raise BadAnswer(gettext("httpSMS answered something that is not a list."))
        return [item for item in found if isinstance(item, dict)]

    def _good(self, answer: Answer, *, sending: bool = False) -> Answer:
        if not 200 <= answer.status < 300:
            raise refusal(answer, sending=sending)
        return answer
