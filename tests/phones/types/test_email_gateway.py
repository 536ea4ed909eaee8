"""The e-mail gateway: one mail to one gateway, tied to its message by a token that only we can make."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from contextlib import nullcontext
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from django.utils.datastructures import MultiValueDict
from hypothesis import example, given
from hypothesis import strategies as st

from lib.http import NotSent
from lib.mail import parse
from phones.base import (
    Addresses,
    Attachment,
    BadNumber,
    Delivery,
    IncomingSms,
    Line,
    LookedUp,
    Malformed,
    Misconfigured,
    OutcomeUnknown,
    OutgoingSms,
    Reason,
    Rejected,
    StatusReport,
    Temporary,
    Throttled,
)
from phones.types.email_gateway import EmailGateway, carriers, reading, tokens, writing
from phones.types.email_gateway.reading import Ours
from phones.types.email_gateway.settings import SettingsForm
from tests.fakes import Answer, FakeHttp, FakeMail, answer
from tests.phones.cases import BASE, TO, Absent, Cases, callback

KEY = "mailersend-key"
SETTINGS: dict[str, Any] = {
    "from_address": "sms@example.org",
    "smtp_host": "smtp.example.org",
    "smtp_port": 587,
    "smtp_security": "starttls",
    "smtp_user": "sms@example.org",
    "smtp_password": "s3cret-of-mail",
    "carrier_from": "pattern",
    "pattern": "{number}@txt.example.net",
    "mms_pattern": "{number}@mms.example.net",
    "digits": "bare",
    "carrier": "",
    "country": "US",
    "max_length": 1600,
    "split": False,
    "alphabet": "unicode",
    "subject": "",
    "plus": "reply",
    "carriers": "",
    "replies": "mailersend",
    "inbound_key": KEY,
    "imap_host": "",
    "imap_port": None,
    "imap_security": "tls",
    "imap_user": "",
    "imap_password": "",
    "imap_folder": "",
    "after_reading": "seen",
    "move_to": "",
}
ROUTE = "SMTP /"
TOKEN = tokens.make(BASE, "42", TO)
US = "+12025550123"
OURS = Ours(BASE, {"txt.example.net": "US"}, "US")
TAKEN = answer(250, "2.0.0 Queued")


def text_of(asked: Any) -> str:
    mail = message_from_bytes(asked.body, policy=default)
    assert isinstance(mail, EmailMessage)
    return str(mail.get_content()).replace("\r\n", "\n").removesuffix("\n")


def reply(
    text: str = "Yes, please",
    *,
    sender: str = "12025550123@txt.example.net",
    to: str = "sms@example.org",
    **headers: str,
) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"] = sender, to
    mail["Message-ID"] = "<reply-1@txt.example.net>"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    return mail.as_bytes()


def posted(raw: bytes, key: str = KEY) -> Any:
    """Give what MailerSend posts for a mail (its inbound guide, read 2026-11-21)."""
    event = {"type": "inbound.message", "data": {"id": "1", "raw": raw.decode()}}
    body = json.dumps(event).encode()
    signature = hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
    return callback("incoming", body=body, headers={"signature": signature})


CASES = Cases(
    settings=SETTINGS,
    route=ROUTE,
    accepted=TAKEN,
    provider_id=TOKEN,
    text_of=text_of,
    required=(421, 450, 535, 550, 552, 554),
    refusals={
        421: (answer(421, "4.7.0 Try again later, closing connection"), Throttled),
        450: (answer(450, "4.2.0 Greylisted, see http://postgrey.example.org"), Temporary),
        451: (answer(451, "4.7.1 Rate limit exceeded"), Throttled),
        530: (answer(530, "5.7.0 Must issue a STARTTLS command first"), Misconfigured),
        535: (answer(535, "5.7.8 Bad credentials", Step="login"), Misconfigured),
        550: (answer(550, "5.1.1 No such user here"), BadNumber),
        551: (answer(551, "User not local"), BadNumber),
        552: (answer(552, "5.3.4 Too large", Step="message"), Rejected),
        553: (answer(553, "5.7.1 Sender address rejected: not owned by user"), Rejected),
        554: (answer(554, "5.7.1 Relay access denied"), Rejected),
    },
    too_fast=Absent("SMTP has no Retry-After"),
    error_body=Absent("The reply code says it, there is nothing in a body"),
    reports=Absent("Delivery is not tracked; bounces are mails, shown below"),
    incoming={
        "valid": (
            posted(reply()),
            IncomingSms(US, "Yes, please", "<reply-1@txt.example.net>"),
        ),
        "empty": (posted(reply("")), IncomingSms(US, "", "<reply-1@txt.example.net>")),
        "unicode": (
            posted(reply("Привет 🎉")),
            IncomingSms(US, "Привет 🎉", "<reply-1@txt.example.net>"),
        ),
        "no sender": (posted(reply(sender="friend@example.org")), None),
        "no event": (callback("incoming", body=b"{}"), Malformed),
    },
    signed=(posted(reply()), callback("incoming", body=b"{}"), posted(reply(), "another-key")),
    recorded=Absent("It leaves by SMTP: tests/lib/test_mail.py and tests/peers/test_mail.py"),
)


def gateway(
    http: FakeHttp | None = None, *answers: Answer | NotSent, **settings: Any
) -> EmailGateway:
    http = http or FakeHttp({ROUTE: list(answers) or [TAKEN]})
    phone = EmailGateway({**SETTINGS, **settings}, http, Addresses(BASE))
    phone.mail = FakeMail(http)
    return phone


def sms(text: str = "Hello", **more: Any) -> OutgoingSms:
    return OutgoingSms(**{"reference": "42", "to": TO, "text": text, "key": "k-42", **more})


def left(*answers: Answer, message: OutgoingSms | None = None, **settings: Any) -> Any:
    """Send a message and give the mail that left."""
    http = FakeHttp({ROUTE: list(answers) or [TAKEN]})
    gateway(http, **settings).send(message or sms())
    return message_from_bytes(http.last.body, policy=default)


# ---- Sending ------------------------------------------------------------------------------------


def test_a_mail_is_plain_text_without_a_subject() -> None:
    mail = left()

    assert mail["To"] == "33612345678@txt.example.net"
    assert mail["From"] == "sms@example.org"
    assert mail["Subject"] is None
    assert mail.get_content_type() == "text/plain"


@pytest.mark.parametrize(
    ("digits", "to"),
    [
        ("national", "2025550123@txt.example.net"),
        ("bare", "12025550123@txt.example.net"),
        ("plus", "+12025550123@txt.example.net"),
        ("zeros", "0012025550123@txt.example.net"),
    ],
)
def test_the_number_is_written_as_the_gateway_wants_it(digits: str, to: str) -> None:
    assert left(message=sms(to=US), digits=digits)["To"] == to


def test_replies_and_bounces_come_back_with_the_token() -> None:
    http = FakeHttp({ROUTE: TAKEN})
    gateway(http).send(sms())
    mail = message_from_bytes(http.last.body, policy=default)

    assert http.last.headers["sender"] == f"sms+{TOKEN}@example.org"
    assert mail["Reply-To"] == f"sms+{TOKEN}@example.org"
    assert mail["Message-ID"] == f"<{TOKEN}@example.org>"


@pytest.mark.parametrize(
    ("plus", "sender"),
    [("from", f"sms+{TOKEN}@example.org"), ("no", "sms@example.org")],
)
def test_the_mark_stands_where_it_was_chosen(plus: str, sender: str) -> None:
    mail = left(plus=plus)

    assert (mail["From"], mail["Reply-To"]) == (sender, None)


def test_each_message_goes_to_one_gateway_only() -> None:
    http = FakeHttp({ROUTE: TAKEN})

    gateway(http, carrier_from="recipient").send(sms(to=US, carrier="us-google-fi"))

    assert [asked.headers["to"] for asked in http.asked] == ["2025550123@msg.fi.google.com"]


@pytest.mark.parametrize(
    ("carrier", "words"),
    [
        ("", "Nobody knows the carrier"),
        ("us-nobody", "is not in the list"),
        ("us-att", "has ended: 2025-06-17"),
    ],
)
def test_a_message_without_a_gateway_fails_and_goes_nowhere(carrier: str, words: str) -> None:
    http = FakeHttp()

    with pytest.raises(Rejected, match=words):
        gateway(http, carrier_from="recipient").send(sms(to=US, carrier=carrier))

    assert http.asked == []


def test_a_site_can_switch_an_ended_gateway_on_again() -> None:
    settings = {"carrier_from": "carrier", "carrier": "us-att", "carriers": "us-att,,,,,,,active"}

    assert left(message=sms(to=US), **settings)["To"] == "2025550123@txt.att.net"


def test_a_text_that_is_too_long_is_refused_before_it_leaves() -> None:
    http = FakeHttp()

    with pytest.raises(Rejected, match=r"161 characters.*160"):
        gateway(http, max_length=160).send(sms("x" * 161))

    assert http.asked == []


def test_a_carrier_s_own_length_counts() -> None:
    chosen = {"carrier_from": "carrier", "carrier": "us-google-fi"}

    with pytest.raises(Rejected, match="takes 20"):
        gateway(carriers="us-google-fi,,,,,,20", **chosen).send(sms("x" * 21, to=US))


def test_a_long_text_is_cut_where_that_was_chosen() -> None:
    http = FakeHttp({ROUTE: TAKEN})

    sent = gateway(http, max_length=40, split=True).send(sms("Ten words " * 10))

    texts = [text_of(asked) for asked in http.asked]
    names = [message_from_bytes(asked.body)["Message-ID"] for asked in http.asked]
    assert sent.segments == len(texts) > 1
    assert texts[0].startswith(f"(1/{len(texts)}) Ten words")
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("second", [answer(550, "No"), answer(450, "Later"), NotSent("refused")])
def test_once_a_part_has_left_nothing_sends_the_message_again(second: Any) -> None:
    with pytest.raises(OutcomeUnknown, match=r"1 of \d mails"):
        gateway(None, TAKEN, second, max_length=40, split=True).send(sms("Ten words " * 10))


def test_accents_are_left_out_for_old_gateways() -> None:
    mail = left(message=sms("Ça va, « Zoé » ? œuf 🎉 – 10 €"), alphabet="ascii")

    assert str(mail.get_content()).isascii()
    assert "Ca va" in mail.get_content()


def test_pictures_go_to_the_address_for_pictures() -> None:
    picture = Attachment("https://x/1", "image/png", 3, read=lambda: b"png")

    mail = left(message=sms(media=(picture,)))

    assert mail["To"] == "33612345678@mms.example.net"
    assert [part.get_content() for part in mail.iter_attachments()] == [b"png"]


def test_pictures_are_refused_where_nobody_takes_them() -> None:
    picture = Attachment("https://x/1", "image/png", 3, read=lambda: b"png")

    with pytest.raises(Rejected, match="no pictures"):
        gateway(FakeHttp(), mms_pattern="").send(sms(media=(picture,)))


@given(st.text(max_size=400), st.integers(20, 200))
def test_parts_fit_and_lose_no_word(text: str, length: int) -> None:
    parts = writing.parts(text, length)

    assert all(len(part) <= length for part in parts)
    bare = parts if len(parts) == 1 else [part.partition(") ")[2] for part in parts]
    assert "".join("".join(bare).split()) == "".join(text.split())


@given(st.text(max_size=300))
def test_no_text_makes_a_header(text: str) -> None:
    mail = writing.mail(
        sender="a@b.org", reply_to="a@b.org", to="1@c.net", subject="", message_id="<1@b.org>",
        text=text.encode("utf-8", "ignore").decode(),
    )  # fmt: skip

    read = message_from_bytes(mail.as_bytes(), policy=default)
    assert set(read.keys()) <= {
        "From", "To", "Message-ID", "Content-Type", "Content-Transfer-Encoding", "MIME-Version",
    }  # fmt: skip


# ---- Tokens -------------------------------------------------------------------------------------


@given(st.integers(1, 10**17), st.integers(10**6, 10**14), st.text(max_size=20))
def test_a_token_is_found_again_in_any_case(reference: int, digits: int, secret: str) -> None:
    token = tokens.make(secret, str(reference), f"+{digits}")

    found = tokens.find(secret, f"SMS+{token.upper()}@EXAMPLE.ORG")

    assert found == tokens.Token(str(reference), f"+{digits}")


@given(st.text(max_size=100))
def test_nobody_else_makes_one(text: str) -> None:
    other = tokens.make("another secret", "42", TO)

    assert tokens.find(BASE, text) is None
    assert tokens.find(BASE, other) is None
    assert tokens.find(BASE, TOKEN.replace("42.", "43.", 1)) is None


def test_a_limit_for_a_day_is_waited_for() -> None:
    spent = answer(550, "5.4.5 Daily user sending limit exceeded", Step="message")

    with pytest.raises(Throttled) as caught:
        gateway(FakeHttp({ROUTE: [spent]})).send(sms())

    assert caught.value.retry_after == 3600


# ---- Bounces ------------------------------------------------------------------------------------


def bounce(
    *, token: str = TOKEN, action: str = "failed", status: str = "5.1.1", to: str = ""
) -> bytes:
    """A delivery status notification as Postfix writes it (RFC 3464 §2, appendix A)."""
    return (
        "Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.example.org (Mail Delivery System)\r\n"
        f"To: {to or 'sms@example.org'}\r\nSubject: Undelivered Mail Returned to Sender\r\n"
        "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="B"\r\n\r\n'
        "--B\r\nContent-Type: text/plain\r\n\r\nI'm sorry.\r\n\r\n"
        "--B\r\nContent-Type: message/delivery-status\r\n\r\n"
        "Reporting-MTA: dns; mx.example.org\r\n\r\n"
        "Final-Recipient: rfc822; 5551234567@txt.example.net\r\n"
        f"Action: {action}\r\nStatus: {status}\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 <5551234567@txt.example.net>:\r\n"
        "    Recipient address rejected: no such subscriber\r\n\r\n"
        "--B\r\nContent-Type: text/rfc822-headers\r\n\r\n"
        f"From: sms@example.org\r\nMessage-ID: <{token}@example.org>\r\n\r\n--B--\r\n"
    ).encode()


def event_of(raw: bytes, ours: Ours = OURS) -> Any:
    return reading.event_of(parse(raw), ours, pictures=True)


def test_a_bounce_fails_its_message_with_the_reason() -> None:
    event = event_of(bounce())

    assert isinstance(event, StatusReport)
    assert (event.state, event.reference, event.reason) == (
        Delivery.FAILED, "42", Reason.BAD_NUMBER,
    )  # fmt: skip
    assert event.code == "5.1.1"
    assert event.words.endswith("Recipient address rejected: no such subscriber")


def test_a_bounce_is_told_by_our_address_too() -> None:
    event = event_of(bounce(token="elsewhere", to=f"sms+{TOKEN}@example.org"))

    assert event.reference == "42"


@pytest.mark.parametrize(
    "raw",
    [
        bounce(token=tokens.make("another secret", "42", TO)),
        bounce(token=TOKEN.replace("42.", "43.", 1)),
        bounce(action="delayed", status="4.4.1"),
        bounce(action="delivered", status="2.0.0"),
        bounce(action="relayed", status="2.0.0"),
    ],
    ids=["forged", "of another message", "delayed", "delivered", "relayed"],
)
def test_nothing_else_fails_a_message(raw: bytes) -> None:
    assert event_of(raw) is None


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("5.1.1", Reason.BAD_NUMBER),
        ("5.7.1", Reason.BLOCKED),
        ("4.4.7", Reason.EXPIRED),
        ("5.4.7", Reason.EXPIRED),
        ("5.3.4", Reason.REJECTED),
        ("nonsense", Reason.REJECTED),
    ],
)
def test_a_status_code_says_why(status: str, reason: str) -> None:
    assert event_of(bounce(status=status)).reason == reason


def test_an_old_server_s_notice_is_a_bounce() -> None:
    raw = reply(
        "Could not deliver: 5.2.2 mailbox full", sender="MAILER-DAEMON@old.example.net",
        to=f"sms+{TOKEN}@example.org",
    )  # fmt: skip

    event = event_of(raw)

    assert (event.state, event.reference, event.code) == (Delivery.FAILED, "42", "5.2.2")


# ---- Replies ------------------------------------------------------------------------------------


def test_the_token_says_who_replies_whatever_the_sender() -> None:
    event = event_of(reply(sender="x@anything.example", to=f"sms+{TOKEN}@example.org"))

    assert event.sender == TO


@pytest.mark.parametrize("header", ["In_Reply_To", "References"])
def test_the_message_that_is_answered_says_it_too(header: str) -> None:
    raw = reply(sender="x@anything.example", **{header: f"<{TOKEN}@example.org>"})

    assert event_of(raw).sender == TO


@pytest.mark.parametrize("sender", ["2025550123", "12025550123", "+12025550123"])
def test_without_a_token_the_digits_say_it(sender: str) -> None:
    assert event_of(reply(sender=f"{sender}@txt.example.net")).sender == US


@pytest.mark.parametrize(
    "raw",
    [
        reply(sender="2025550123@elsewhere.example"),
        reply(sender="newsletter@txt.example.net"),
        reply(Auto_Submitted="auto-replied"),
        reply(List_Id="<news.example.net>"),
        reply(Precedence="bulk"),
        b"",
        b"\xff\xfe\x00",
        b"Content-Type: multipart/mixed\r\n\r\n--\r\n",
    ],
    ids=["other domain", "no number", "automatic", "list", "bulk", "empty", "bytes", "broken"],
)
def test_other_mails_are_not_ours(raw: bytes) -> None:
    assert event_of(raw) is None


@pytest.mark.parametrize(
    "quote",
    [
        "> Hello",
        "On Mon, Jan 5, 2026 at 9:00 AM <sms@example.org> wrote:\n> Hello",
        "Le lun. 5 janv. 2026 à 09:00, <sms@example.org> a écrit :\n> Bonjour",
        "El lun, 5 ene 2026 a las 9:00, <sms@example.org> escribió:\n> Hola",
        "-----Original Message-----\nFrom: sms@example.org\n\nHello",
        "________________________________\nFrom: sms@example.org\nHello",
        "-- \nSent by my gateway",
    ],
)
def test_the_old_message_is_left_out(quote: str) -> None:
    assert event_of(reply(f"Yes\nplease\n\n{quote}\n")).text == "Yes\nplease"


@pytest.mark.parametrize("text", ["On my way", "From here: yes", "- 5 -- no", "1 > 0"])
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert event_of(reply(text)).text == text


def mms(*parts: tuple[str, str, str, bytes]) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"] = "12025550123@txt.example.net", "sms@example.org"
    mail["Message-ID"], mail["Subject"] = "<mms-1@txt.example.net>", "Fwd: the subject"
    mail.make_mixed()
    for main, sub, name, content in parts:
        mail.add_attachment(content, maintype=main, subtype=sub, filename=name)
    return mail.as_bytes()


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (mms(("text", "plain", "text_0.txt", b"From the file")), "From the file"),
        (mms(("text", "html", "a.html", b"<p>From<br>HTML &amp; so</p>")), "From\nHTML & so"),
        (mms(("image", "jpeg", "a.jpg", b"\xff\xd8\xff")), "Fwd: the subject"),
    ],
    ids=["text file", "html", "subject"],
)
def test_the_text_is_found_where_the_carrier_puts_it(raw: bytes, text: str) -> None:
    assert event_of(raw).text == text


def test_pictures_are_named_for_later() -> None:
    event = event_of(mms(("image", "jpeg", "a.jpg", b"\xff\xd8\xff")))

    assert [(item.url, item.content_type) for item in event.media] == [
        ("mail:0:<mms-1@txt.example.net>", "image/jpeg")
    ]


def test_a_picture_of_a_mail_without_a_name_comes_along() -> None:
    raw = mms(("image", "jpeg", "a.jpg", b"\xff\xd8\xff"))
    event = event_of(raw.replace(b"Message-ID: <mms-1@txt.example.net>", b"X-Nothing: here"))

    assert [(item.url, item.content) for item in event.media] == [("", b"\xff\xd8\xff")]


@given(st.binary(max_size=300))
def test_no_mail_is_too_strange(raw: bytes) -> None:
    event_of(b"From: 2025550123@txt.example.net\r\n" + raw)


_HEADERS = (
    "From",
    "To",
    "Message-ID",
    "Content-Type",
    "Content-Disposition",
    "Date",
    "Return-Path",
)


@given(st.lists(st.tuples(st.sampled_from(_HEADERS), st.text('<>@.,:;()[]"\\=?a* ', max_size=12))))
@example([("From", ".@")])
@example([("Message-ID", "<a@[x>")])
@example([("To", ":;")])
@example([("Content-Type", "text/plain; name*=utf-16''%d8")])
@example([("Content-Type", "text/plain; charset=undefined")])
@example([("From", "(" * 3000)])
@example([("From", "(" * 1_000_000)])
def test_no_header_is_too_strange(headers: list[tuple[str, str]]) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    event_of(f"{lines}In-Reply-To: <{TOKEN}@example.org>\r\n\r\nYes\r\n".encode())


@pytest.mark.parametrize("kind", ["html", "plain"])
@pytest.mark.parametrize("piece", ["<", "<style", "<br ", "<script><head", "\n", "On "])
def test_no_text_takes_long_to_read(piece: str, kind: str) -> None:
    head = f"From: 2025550123@txt.example.net\r\nContent-Type: text/{kind}\r\n\r\n"
    began = time.process_time()

    event_of(f"{head}{piece * 100_000}".encode())

    assert time.process_time() - began < 1


def test_a_reply_with_an_empty_return_path_is_no_bounce() -> None:
    event = event_of(b"Return-Path: <>\r\n" + reply(text="Yes, gladly"))

    assert (type(event), event.text) == (IncomingSms, "Yes, gladly")


class Box:
    """A mailbox with some mails, from UID 1 on."""

    validity = 1

    def __init__(self, *mails: bytes) -> None:
        self.mails, self.next_uid, self.notes = mails, len(mails) + 1, ""

    def after(self, uid: int) -> list[int]:
        return list(range(uid + 1, self.next_uid))

    def read(self, uid: int) -> bytes:
        return self.mails[uid - 1]

    def mark_seen(self, uids: list[int]) -> None:
        pass

    def note(self, asked: str, answered: str) -> None:
        self.notes += answered


def test_a_mail_that_cannot_be_read_keeps_no_other_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    phone, box = gateway(FakeHttp(), replies="imap", imap_host="imap.example.org"), Box()
    monkeypatch.setattr(phone.mail, "mailbox", lambda *_: nullcontext(box))
    start = phone.poll("", []).cursor
    box.__init__(b"Content-Type: message/rfc822\r\n\r\n" * 3000, reply("Behind it"))  # type: ignore[misc]

    found = phone.poll(start, [])

    assert [event.text for event in found.events if isinstance(event, IncomingSms)] == ["Behind it"]
    assert "cannot be read" in box.notes
    assert phone.poll(found.cursor, []).events == ()


# ---- Mail services ------------------------------------------------------------------------------


def test_mailgun_s_form_is_read_and_its_signature_verified() -> None:
    """Fields as its routes post them (documentation.mailgun.com, Receiving, read 2026-11-21)."""
    signature = hmac.new(KEY.encode(), b"1700000000t0ken", hashlib.sha256).hexdigest()
    fields = {
        "timestamp": "1700000000", "token": "t0ken", "signature": signature,
        "recipient": "sms@example.org", "body-mime": reply().decode(),
    }  # fmt: skip
    body = "".join(
        f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    said = callback(
        "incoming", body=f"{body}--B--\r\n".encode(),
        headers={"content-type": "multipart/form-data; boundary=B"},
    )  # fmt: skip
    phone = gateway(replies="mailgun")

    phone.verify(said)

    assert [event.text for event in phone.parse("incoming", said)] == ["Yes, please"]  # type: ignore[union-attr]


def test_postmark_s_json_is_read() -> None:
    """As its inbound webhook posts it (postmarkapp.com/developer, read 2026-11-21)."""
    event = {
        "FromFull": {"Email": "2025550123@txt.example.net", "Name": ""},
        "ToFull": [{"Email": f"sms+{TOKEN}@example.org", "Name": ""}],
        "Subject": "", "TextBody": "Yes, please", "HtmlBody": "", "Attachments": [],
        "Headers": [{"Name": "Message-ID", "Value": "<pm-1@x>"}],
    }  # fmt: skip
    said = callback("incoming", body=json.dumps(event).encode())

    (found,) = gateway(replies="postmark").parse("incoming", said)

    assert found == IncomingSms(TO, "Yes, please", "<pm-1@x>")


def test_a_server_of_one_s_own_posts_the_mail_itself() -> None:
    (found,) = gateway(replies="raw").parse("incoming", callback("incoming", body=reply()))

    assert found == IncomingSms(US, "Yes, please", "<reply-1@txt.example.net>")


@pytest.mark.parametrize("replies", ["none", "imap"])
def test_a_phone_that_reads_no_posted_mail_says_so(replies: str) -> None:
    with pytest.raises(Malformed, match="takes no mails here"):
        gateway(replies=replies).parse("incoming", callback("incoming", body=reply()))


# ---- The table and the form ---------------------------------------------------------------------


def test_the_list_marks_what_has_ended() -> None:
    known = carriers.shipped()

    assert (known["us-att"].state, known["us-att"].ends) == ("ended", "2025-06-17")
    assert (known["us-t-mobile"].state, known["us-t-mobile"].ends) == ("ended", "2024-12")
    assert (known["us-verizon"].state, known["us-verizon"].ends) == ("ending", "2027-03-31")
    assert len(known) > 150


def test_a_line_changes_only_what_it_fills_in() -> None:
    changed = carriers.table("us-verizon,,,,,,140\nfr-mine,fr,Mine,{number}@sms.mine.fr,,bare")

    assert (changed["us-verizon"].length, changed["us-verizon"].ends) == (140, "2027-03-31")
    assert changed["fr-mine"].sms == "{number}@sms.mine.fr"
    assert changed["us-att"] == carriers.shipped()["us-att"]


def form(**changed: Any) -> SettingsForm:
    said = {**SETTINGS, **changed}
    return SettingsForm(MultiValueDict({name: [value or ""] for name, value in said.items()}))


def test_good_settings_are_taken() -> None:
    assert form().errors == {}


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        ("pattern", {"pattern": "txt.example.net"}),
        ("pattern", {"pattern": "{number}@a.net, all@b.net"}),
        ("pattern", {"pattern": ""}),
        ("carrier", {"carrier_from": "carrier", "carrier": "us-att"}),
        ("carrier", {"carrier_from": "carrier"}),
        ("carriers", {"carriers": "US ATT,US"}),
        ("carriers", {"carriers": "mine,us,Mine,nowhere"}),
        ("carriers", {"carriers": "us-att,,,,,,,alive"}),
        ("country", {"country": "XX"}),
        ("imap_host", {"replies": "imap"}),
        ("inbound_key", {"inbound_key": ""}),
        ("move_to", {"after_reading": "move"}),
        ("smtp_host", {"smtp_host": "http://mail"}),
        ("from_address", {"from_address": "a@b.org\nBcc: c@d.org"}),
    ],
)
def test_a_mistake_is_named_at_its_field(field: str, changed: dict[str, Any]) -> None:
    assert list(form(**changed).errors) == [field]


# ---- Carriers that were looked up ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("carrier", "country", "network", "slug"),
    [
        ("Verizon Wireless", "US", "", "us-verizon"),
        ("Verizon", "US", "", "us-verizon"),
        ("VERIZON WIRELESS, LLC - SVR", "us", "", "us-verizon"),
        ("Cellco Partnership", "US", "311-480", "us-verizon"),
        ("AT&T Wireless", "US", "310-410", "us-att"),
        ("T-Mobile USA, Inc.", "US", "", "us-t-mobile"),
        ("Vodafone GmbH", "DE", "", "de-vodafone"),
        ("Telefónica", "ES", "", "es-movistar-telefonica"),
        ("Movistar", "ES", "", "es-movistar-telefonica"),
        ("Movistar", "CL", "", "movistar"),
        ("Mine", "FR", "", "fr-mine"),
        ("Bandwidth/13 - Bandwidth.com - SVR", "US", "313-981", ""),
        ("Orange", "FR", "208-01", ""),
        ("Verizon Wireless", "FR", "", ""),
        ("Wireless", "US", "", ""),
        ("", "US", "", ""),
        ("…", "", "", ""),
    ],
)
def test_a_carrier_that_was_looked_up_is_the_one_gateway_that_is_meant(
    carrier: str, country: str, network: str, slug: str
) -> None:
    settings = {"carriers": "fr-mine,fr,Mine,sms.mine.fr"}
    found = LookedUp(carrier, Line.MOBILE, country, network)

    assert EmailGateway.carrier_of(settings, found) == slug


def test_a_name_that_two_gateways_have_is_no_match() -> None:
    settings = {"carriers": "fr-one,fr,Mine,sms.one.fr\nfr-two,fr,Mine Mobile,sms.two.fr"}

    assert EmailGateway.carrier_of(settings, LookedUp("Mine SA", Line.MOBILE, "FR")) == ""


@given(st.text(max_size=40), st.sampled_from(["US", "FR", ""]))
def test_any_name_is_one_gateway_or_none(carrier: str, country: str) -> None:
    slug = EmailGateway.carrier_of({}, LookedUp(carrier, Line.MOBILE, country))

    assert slug == "" or slug in carriers.shipped()


@pytest.mark.parametrize(
    ("choice", "needed"), [("pattern", False), ("carrier", False), ("recipient", True)]
)
def test_carriers_are_asked_for_only_where_mails_go_by_them(choice: str, needed: bool) -> None:
    assert EmailGateway.by_carrier({"carrier_from": choice}) is needed
