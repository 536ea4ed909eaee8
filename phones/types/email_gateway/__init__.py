"""E-mail gateway: SMS by mail, through a carrier's or any other gateway (docs/phones/email_gateway.md).

A mail leaves by SMTP to `number@gateway`. "Accepted" is all that anybody tells us: delivery is not
tracked, only a mail that comes back says that a message failed. Replies and bounces are read from a
mailbox (IMAP) or posted by a mail service, and a signed token ties them to their message.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from lib import inbound
from lib.http import NoAnswer, NotSent
from lib.mail import Mailbox, Refused, Server, parse
from phones.base import (
    BadAnswer,
    BadNumber,
    BadSignature,
    Callback,
    Capabilities,
    Endpoint,
    Event,
    Fetched,
    IncomingMedia,
    IncomingSms,
    LookedUp,
    Malformed,
    Misconfigured,
    OutcomeUnknown,
    OutgoingSms,
    PhoneError,
    PhoneType,
    Polled,
    Rejected,
    Sent,
    Temporary,
    Throttled,
    no,
    yes,
)
from phones.types.email_gateway import matching, reading, tokens, writing
from phones.types.email_gateway.carriers import Carrier, table
from phones.types.email_gateway.reading import Ours
from phones.types.email_gateway.settings import SettingsForm, named

# Mails of one look; the next one goes on after them.
_AT_ONCE = 50
# Seconds of rest after a provider's limit for a day.
_LIMITED = 3600.0
_TOO_FAST = re.compile(r"\brate\b|too (many|much|fast)|throttl|limit exceeded|slow down", re.I)
_NUMBER_CODES = re.compile(r"^5\.1\.[0-9]+\b")


class EmailGateway(PhoneType):
    label = _("E-mail gateway")
    what = _("SMS by e-mail, through carriers or any gateway that takes mails")
    Settings = SettingsForm
    rate = 0.5
    can = Capabilities(
        send=yes(_("As a mail to the number's address at a gateway")),
        receive=yes(_("With a mailbox (IMAP) or a mail service")),
        phone_status=no(),
        mms_out=yes(_("Where the gateway has an address for pictures")),
        mms_in=yes(_("From a mailbox (IMAP)")),
        delivery=no(_("Not tracked: only a mail that comes back tells of a failure")),
        flash=no(),
        call=no(),
        call_end=no(),
        own_name=no(_("Gateways show the mail address, or a number of their own")),
        unicode=yes(_("If the gateway takes it")),
        long=yes(_("Up to the length that the gateway takes, or cut into several mails")),
        balance=no(),
        price=no(),
        look_up=no(_("By another phone of yours that can")),
        polling=yes(_("Replies and bounces from the mailbox, at once where it has IDLE")),
        bulk=no(_("One mail for each number, so that nobody sees the others")),
        safe_retry=no(),
        signed=yes(_("Where the mail service signs; else a signed mark in our address")),
        opt_out=no(),
    )
    endpoints = (
        Endpoint(
            name="incoming",
            label=_("Incoming mails"),
            why=_("Needed only where a mail service, or your own server, hands replies over."),
            paste=(
                _("Mailgun: Receiving → Create route → Forward, this address"),
                _("MailerSend: Inbound routes → Post to URL, this address"),
                _("Postmark: the server's inbound stream → Settings → Webhook, this address"),
                _("Your own server: post each mail as the body, such as with curl"),
            ),
        ),
    )
    unsigned = _(
        "Postmark and a server of your own do not sign. Keep the address secret: replies and bounces "
        "without our own mark are told by their sender only."
    )
    setup = (
        _(
            "Find the SMTP server, user and password of a mailbox that may send: its help calls it SMTP."
        ),
        _("Ask your gateway for its address pattern and its longest text."),
        _("For replies, fill in the mailbox's IMAP server, or choose your mail service."),
        _("Add the phone, and send a test to yourself."),
    )
    wants_carrier = True

    # ---- Sending --------------------------------------------------------------------------------

    def address(self) -> str:
        return str(self.settings["from_address"])

    def send(self, sms: OutgoingSms) -> Sent:
        carrier = self._carrier(sms)
        pattern = carrier.mms if sms.media else carrier.sms
        if not pattern:
            raise Rejected(gettext("This gateway takes no pictures."))
        try:
            to = writing.address(pattern, carrier.digits, sms.to)
        except ValueError as error:
            raise BadNumber(str(error)) from None
        texts = self._texts(sms, carrier.length or int(self.settings["max_length"]))
        for index, text in enumerate(texts):
            self._hand_over(sms, to, text, index, len(texts))
        return Sent(self._token(sms), segments=len(texts))

    def _carrier(self, sms: OutgoingSms) -> Carrier:
        """Give the one gateway that a message goes to. Raises Rejected with what to do."""
        choice = self.settings["carrier_from"]
        if choice == "pattern":
            return Carrier(
                slug="",
                country=self.settings["country"],
                name="",
                sms=self.settings["pattern"],
                mms=self.settings["mms_pattern"],
                digits=self.settings["digits"],
            )
        slug = self.settings["carrier"] if choice == "carrier" else sms.carrier
        if not slug:
            raise Rejected(
                gettext(
                    "Nobody knows the carrier of this number. Write it down in “Carriers of numbers”, "
                    "on the page of this phone."
                ),
                "no carrier",
            )
        carrier = self._table.get(slug)
        if carrier is None:
            words = gettext("The carrier %(name)s is not in the list of this phone.")
            raise Rejected(words % {"name": slug}, "no gateway")
        if carrier.is_off:
            words = gettext("The gateway of %(name)s has ended: %(date)s.")
            date = carrier.ends or gettext("(date not known)")
            raise Rejected(words % {"name": carrier.name, "date": date}, "ended")
        return carrier

    @cached_property
    def _table(self) -> Mapping[str, Carrier]:
        return table(self.settings["carriers"])

    def _texts(self, sms: OutgoingSms, length: int) -> list[str]:
        text = writing.ascii_of(sms.text) if self.settings["alphabet"] == "ascii" else sms.text
        # A gateway for pictures has its own limits, far above those of an SMS.
        if sms.media:
            return [text]
        if self.settings["split"]:
            return writing.parts(text, length)
        if len(text) > length:
            words = gettext("The text has %(count)s characters, and the gateway takes %(most)s.")
            raise Rejected(words % {"count": len(text), "most": length}, "too long")
        return [text]

    def _hand_over(self, sms: OutgoingSms, to: str, text: str, index: int, count: int) -> None:
        """Send one part. Once an earlier one has left, nothing may send the message again."""
        token = self._token(sms)
        own = self.address()
        tag = self.settings["plus"]
        back = own if tag == "no" else writing.tagged(own, token)
        part = f".{index + 1}" if index else ""
        mail = writing.mail(
            sender=back if tag == "from" else own,
            reply_to=back,
            to=to,
            subject=self.settings["subject"],
            message_id=f"<{token}{part}@{own.rpartition('@')[2]}>",
            text=text,
            media=sms.media,
        )
        try:
            heard = self.mail.send(self._smtp, mail, sender=back, to=to)
        except (Refused, NotSent) as error:
            problem = class_of(error) if isinstance(error, Refused) else None
            if not index:
                raise problem or error from None
            words = gettext("%(sent)s of %(count)s mails had left. Then: %(problem)s")
            said = words % {"sent": index, "count": count, "problem": error}
            raise OutcomeUnknown(said, problem.code if problem else "") from None
        if not 250 <= heard.code < 260:
            raise BadAnswer(heard.words, str(heard.code))

    def _token(self, sms: OutgoingSms) -> str:
        return tokens.make(self._secret, sms.reference, sms.to)

    @property
    def _secret(self) -> str:
        # Known to this phone only; new callback addresses make a new one.
        return self.addresses.base

    @property
    def _smtp(self) -> Server:
        return Server(
            self.settings["smtp_host"],
            int(self.settings["smtp_port"]),
            self.settings["smtp_security"],
            self.settings["smtp_user"],
            self.settings["smtp_password"],
        )

    def check(self) -> str:
        try:
            greeting = self.mail.greet(self._smtp, self.address().rpartition("@")[2])
            if not self.watches(self.settings):
                words = gettext("The outgoing server lets us in: %(greeting)s")
                return words % {"greeting": greeting}
            with self.mail.mailbox(self._imap, self._folder) as box:
                if self.settings["after_reading"] == "move":
                    box.expect(self.settings["move_to"])
                words = gettext("Both servers let us in, and the folder is there: %(greeting)s")
                return words % {"greeting": greeting}
        except Refused as error:
            raise class_of(error) from None

    @classmethod
    def carriers(cls, settings: Mapping[str, Any]) -> Mapping[str, str]:
        known = table(settings.get("carriers", ""))
        return {slug: named(one) for slug, one in known.items() if not one.is_off}

    @classmethod
    def by_carrier(cls, settings: Mapping[str, Any]) -> bool:
        return settings.get("carrier_from") == "recipient"

    @classmethod
    def carrier_of(cls, settings: Mapping[str, Any], found: LookedUp) -> str:
        return matching.match(table(settings.get("carriers", "")), found)

    # ---- Reading --------------------------------------------------------------------------------

    @classmethod
    def watches(cls, settings: Mapping[str, Any]) -> bool:
        return settings.get("replies") == "imap"

    def watch(self, seconds: float, stop: Callable[[], bool]) -> bool:
        if self._stay is None:
            try:
                self._stay = self.mail.open_mailbox(self._imap, self._folder)
            except Refused as error:
                raise class_of(error) from None
            return True
        try:
            woken = self._stay.wait(seconds, stop)
        except NoAnswer:
            self._leave()
            raise
        if self._stay.is_spoilt:
            self._leave()
        return woken

    _stay: Mailbox | None = None

    def _leave(self) -> None:
        stay, self._stay = self._stay, None
        if stay:
            stay.leave()

    def close(self) -> None:
        self._leave()
        super().close()

    def poll(self, cursor: str, pending: Sequence[str]) -> Polled:
        """Read what came since the last look. The first look begins with what comes from now on.

        `cursor` is `mailbox:validity:last UID:UIDs to put away`: a mail is moved or deleted only by the
        look after the one that read it, when what it said is stored. Of another mailbox it says nothing.
        """
        if not self.watches(self.settings):
            return Polled()
        try:
            with self.mail.mailbox(self._imap, self._folder) as box:
                return self._look(box, cursor)
        except Refused as error:
            raise class_of(error) from None

    def _look(self, box: Mailbox, cursor: str) -> Polled:
        here, validity, last, read = (*cursor.split(":"), "", "", "")[:4]
        if here != self._mailbox:
            return Polled(cursor=f"{self._mailbox}:{box.validity}:{box.next_uid - 1}:")
        # Where UIDs have lost their meaning, what nobody has read is looked at: twice harms nothing.
        known = validity == str(box.validity)
        if known:
            self._put_away(box, [int(uid) for uid in read.split(",") if uid])
        uids = (box.after(int(last)) if known else box.unread())[:_AT_ONCE]
        events: list[Event] = []
        ours: list[str] = []
        for uid in uids:
            content = box.read(uid)
            try:
                event = reading.event_of(parse(content), self._ours, pictures=True)
            # Strangers write here: no mail may keep those behind it from being read.
            except Exception as error:  # noqa: BLE001
                box.note(f"READ {uid}", f"This mail cannot be read: {type(error).__name__}")
                continue
            if event is None:
                continue
            events.append(event)
            box.mark_seen([uid])
            # A mail with pictures stays where they will be fetched from.
            if not (isinstance(event, IncomingSms) and event.media):
                ours.append(str(uid))
        end = uids[-1] if uids else (int(last) if known else box.next_uid - 1)
        return Polled(tuple(events), f"{self._mailbox}:{box.validity}:{end}:{','.join(ours)}")

    @property
    def _mailbox(self) -> str:
        """Give what tells this mailbox from any other that the settings may name."""
        named = f"{self._imap.user}\n{self._imap.host}\n{self._folder}"
        return hashlib.blake2s(named.encode(), digest_size=6).hexdigest()

    def _put_away(self, box: Mailbox, uids: list[int]) -> None:
        if uids and self.settings["after_reading"] == "move":
            # Without the folder they stay, and testing the connection says so. News go first.
            with suppress(Refused):
                box.move(uids, self.settings["move_to"])
        elif uids and self.settings["after_reading"] == "delete":
            box.delete(uids)

    def fetch(self, media: IncomingMedia) -> Fetched:
        """Fetch a picture of a reply from the mailbox, where its mail has stayed."""
        index, _colon, name = media.url.removeprefix("mail:").partition(":")
        try:
            with self.mail.mailbox(self._imap, self._folder) as box:
                for uid in box.named(name):
                    pictures = reading.pictures_of(parse(box.read(uid)))
                    with suppress(IndexError):
                        return Fetched(*pictures[int(index)])
        except Refused as error:
            raise class_of(error) from None
        raise PhoneError(gettext("The mail with this picture is no longer in the mailbox."))

    @property
    def _imap(self) -> Server:
        return Server(
            self.settings["imap_host"],
            int(self.settings["imap_port"] or 993),
            self.settings["imap_security"] or "tls",
            self.settings["imap_user"] or self.settings["smtp_user"],
            self.settings["imap_password"] or self.settings["smtp_password"],
        )

    @property
    def _folder(self) -> str:
        return str(self.settings["imap_folder"] or "INBOX")

    @property
    def _ours(self) -> Ours:
        choice, country = self.settings["carrier_from"], self.settings["country"]
        if choice == "pattern":
            patterns = (self.settings["pattern"], self.settings["mms_pattern"])
            domains = {pattern.rpartition("@")[2].lower() for pattern in patterns if pattern}
            return Ours(self._secret, dict.fromkeys(domains, country), country)
        only = self.settings["carrier"] if choice == "carrier" else ""
        chosen = [one for one in self._table.values() if not one.is_off and only in ("", one.slug)]
        countries = {domain: one.country for one in chosen for domain in one.domains}
        return Ours(self._secret, countries, country)

    # ---- Callbacks ------------------------------------------------------------------------------

    def verify(self, callback: Callback) -> None:
        try:
            inbound.verify(
                self.settings["replies"],
                self.settings["inbound_key"],
                callback.headers,
                callback.body,
            )
        except inbound.Forged as error:
            raise BadSignature(str(error)) from None

    def parse(self, endpoint: str, callback: Callback) -> list[Event]:
        service = self.settings["replies"]
        if service in ("none", "imap"):
            raise Malformed(gettext("This phone takes no mails here: its settings say otherwise."))
        try:
            mails = inbound.read(
                service, self.settings["inbound_key"], callback.headers, callback.body
            )
        except ValueError as error:
            raise Malformed(str(error)) from None
        events = [reading.event_of(mail, self._ours) for mail in mails]
        return [event for event in events if event]


def class_of(error: Refused) -> PhoneError:
    """Give what a server's no means. Its enhanced code (RFC 3463), where it has one, comes first."""
    words = error.words or str(error)
    enhanced = re.match(r"[245]\.\d{1,3}\.\d{1,3}", words)
    code = enhanced[0] if enhanced else str(error.code or error.step)
    if 400 <= error.code < 500:
        kind = Throttled if error.code == 421 or _TOO_FAST.search(words) else Temporary
        return kind(words, code)
    if enhanced and code.endswith(".4.5"):
        # Gmail's daily limit: congestion (RFC 3463), whatever its first digit says.
        return Throttled(words, code, retry_after=_LIMITED)
    if error.step not in ("recipient", "message") or error.code in (530, 534, 535, 538):
        return Misconfigured(words, code)
    if error.step == "recipient" and (
        _NUMBER_CODES.match(code) or (error.code in (550, 551, 553) and not enhanced)
    ):
        return BadNumber(words, code)
    return Rejected(words, code)
