"""The e-mail gateway against servers that nobody here wrote: aiosmtpd takes mails, pymap keeps replies."""

from __future__ import annotations

import imaplib
import threading
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from lib.http import Guard, NotSent, Trace
from lib.mail import Mail
from lib.redact import Redactor
from phones.base import (
    Addresses,
    BadNumber,
    Delivery,
    IncomingMedia,
    IncomingSms,
    Misconfigured,
    OutgoingSms,
    Rejected,
    StatusReport,
    Temporary,
)
from phones.types.email_gateway import EmailGateway
from tests.fakes import FakeHttp
from tests.peers.mail import PASSWORD, USER, ImapPeer, certificate, imap_peer, smtp_peer
from tests.phones.cases import BASE, TO
from tests.phones.types.test_email_gateway import SETTINGS, TOKEN, US, bounce, mms, reply

pytestmark = [
    pytest.mark.peer,
    # aiosmtpd does not see that a connection encrypted from its first byte is encrypted.
    pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS"),
]

THEIRS = "33612345678@txt.example.net"


def gateway(port: int = 0, *, traces: list[Trace] | None = None, **settings: Any) -> EmailGateway:
    over = {"smtp_host": "localhost", "smtp_port": port, "smtp_security": "none", "smtp_user": ""}
    phone = EmailGateway({**SETTINGS, **over, **settings}, FakeHttp(), Addresses(BASE))
    phone.mail = Mail(
        guard=Guard(frozenset({"localhost"})),
        redactor=Redactor([PASSWORD]),
        record=(traces if traces is not None else []).append,
    )
    return phone


def sms(text: str = "Hello", **more: Any) -> OutgoingSms:
    return OutgoingSms(**{"reference": "42", "to": TO, "text": text, **more})


# ---- Sending ------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["Hello", "Où ? Привет 🎉", ".\n..\nFrom me\n" + "x" * 1200])
def test_a_message_arrives_as_it_was_written(text: str) -> None:
    with smtp_peer() as peer:
        phone = gateway(peer.port)
        sent = phone.send(sms(text))
        phone.close()

    (envelope,) = peer.mails
    mail = message_from_bytes(bytes(envelope.content or b""), policy=default)
    assert (envelope.mail_from, envelope.rcpt_tos) == (f"sms+{TOKEN}@example.org", [THEIRS])
    assert mail.get_content().replace("\r\n", "\n") == f"{text}\n"  # type: ignore[attr-defined]
    assert sent.provider_id == TOKEN


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_mail_leaves_encrypted_and_logged_in(
    security: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, trusted = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    traces: list[Trace] = []
    login = {"smtp_security": security, "smtp_user": USER, "smtp_password": PASSWORD}

    with smtp_peer(tls=context, implicit=security == "tls", login=True) as peer:
        phone = gateway(peer.port, traces=traces, **login)
        words = phone.check()
        phone.send(sms())
        phone.close()

    # The server refuses both without encryption and without log-in.
    assert len(peer.mails) == 1
    assert "220" in words
    assert PASSWORD not in repr(traces)


def test_a_wrong_password_pauses_the_phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, trusted = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    login = {"smtp_security": "tls", "smtp_user": USER, "smtp_password": "another"}

    with (
        smtp_peer(tls=context, implicit=True, login=True) as peer,
        pytest.raises(Misconfigured) as caught,
    ):
        gateway(peer.port, **login).send(sms())

    assert caught.value.code == "5.7.8"
    assert peer.mails == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_for_another_name_is_not_trusted(
    security: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, trusted = certificate(tmp_path, "elsewhere.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))

    with (
        smtp_peer(tls=context, implicit=security == "tls") as peer,
        pytest.raises(NotSent, match=r"certificate|CERTIFICATE"),
    ):
        gateway(peer.port, smtp_security=security).send(sms())

    assert peer.mails == []


@pytest.mark.parametrize(
    ("refused", "answers", "error"),
    [
        ({THEIRS: "550 5.1.1 No such user"}, {}, BadNumber),
        ({THEIRS: "450 4.2.0 Greylisted"}, {}, Temporary),
        ({}, {THEIRS: "554 5.7.1 Looks like spam"}, Rejected),
    ],
)
def test_a_refusal_is_classed_and_the_next_message_leaves(
    refused: dict[str, str], answers: dict[str, str], error: type[Exception]
) -> None:
    with smtp_peer() as peer:
        peer.refused, peer.answers = refused, answers
        phone = gateway(peer.port)
        with pytest.raises(error):
            phone.send(sms())
        phone.send(sms(to=US))
        phone.close()

    assert [mail.rcpt_tos for mail in peer.mails] == [["12025550123@txt.example.net"]]
    assert peer.connections == 1


def test_many_messages_share_a_connection() -> None:
    with smtp_peer() as peer:
        phone = gateway(peer.port)
        for _ in range(5):
            phone.send(sms())
        phone.close()

    assert (len(peer.mails), peer.connections) == (5, 1)


# ---- Reading ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared() -> Iterator[ImapPeer]:
    with imap_peer() as peer:
        peer.make("Done")
        yield peer


def reader(box: ImapPeer, **settings: Any) -> EmailGateway:
    here = {"imap_host": "localhost", "imap_port": box.port, "imap_security": "none"}
    login = {"replies": "imap", "imap_user": USER, "imap_password": PASSWORD}
    return gateway(**{**here, **login, **settings})


def test_the_first_look_leaves_old_mails_alone(shared: ImapPeer) -> None:
    shared.deliver(reply())
    phone = reader(shared)

    first = phone.poll("", [])
    second = phone.poll(first.cursor, [])

    assert (first.events, second.events) == ((), ())
    assert first.cursor == second.cursor


def test_replies_and_bounces_are_read_once_and_other_mails_left(shared: ImapPeer) -> None:
    phone = reader(shared)
    start = phone.poll("", []).cursor
    before = len(shared.flags())
    shared.deliver(reply())
    shared.deliver(reply(sender="friend@example.com"))
    shared.deliver(bounce())

    found = phone.poll(start, [])
    again = phone.poll(found.cursor, [])

    answered, failed = found.events
    assert isinstance(answered, IncomingSms)
    assert (answered.sender, answered.text) == (US, "Yes, please")
    assert isinstance(failed, StatusReport)
    assert (failed.state, failed.reference) == (Delivery.FAILED, "42")
    assert again.events == ()
    assert ["Seen" in flags for flags in shared.flags()[before:]] == [True, False, True]


@pytest.mark.parametrize("after", ["move", "delete"])
def test_what_was_read_is_put_away_only_where_that_was_chosen(after: str, shared: ImapPeer) -> None:
    phone = reader(shared, after_reading=after, move_to="Done")
    start = phone.poll("", []).cursor
    before, done = len(shared.flags()), len(shared.flags("Done"))
    shared.deliver(reply())
    shared.deliver(reply(sender="friend@example.com"))

    first = phone.poll(start, [])
    at_first = len(shared.flags())
    phone.poll(first.cursor, [])

    # What was read is put away only once the next look says that it was stored.
    assert at_first == before + 2
    assert len(shared.flags()) == before + 1
    assert len(shared.flags("Done")) == done + (after == "move")


def test_a_folder_that_is_not_there_costs_no_reply(shared: ImapPeer) -> None:
    phone = reader(shared, after_reading="move", move_to="Nowhere")
    start = phone.poll("", []).cursor
    shared.deliver(reply("First"))
    first = phone.poll(start, [])
    shared.deliver(reply("Second"))
    second = phone.poll(first.cursor, [])

    texts = [
        event.text for event in (*first.events, *second.events) if isinstance(event, IncomingSms)
    ]
    assert texts == ["First", "Second"]
    with smtp_peer() as peer, pytest.raises(Misconfigured):
        reader(shared, smtp_port=peer.port, after_reading="move", move_to="Nowhere").check()


def test_a_picture_is_fetched_from_its_mail(shared: ImapPeer) -> None:
    phone = reader(shared, after_reading="delete")
    start = phone.poll("", []).cursor
    shared.deliver(mms(("image", "jpeg", "a.jpg", b"\xff\xd8\xff1")))

    (event,) = phone.poll(start, []).events
    assert isinstance(event, IncomingSms)
    (media,) = event.media
    fetched = phone.fetch(IncomingMedia(media.url, media.content_type))

    assert (fetched.content, fetched.content_type) == (b"\xff\xd8\xff1", "image/jpeg")


def test_a_mailbox_that_was_made_anew_is_read_again_without_loss(shared: ImapPeer) -> None:
    phone = reader(shared)
    here, validity, _rest = phone.poll("", []).cursor.split(":", 2)
    shared.deliver(reply("Unread"))

    found = phone.poll(f"{here}:1:99999:", [])

    assert "Unread" in [event.text for event in found.events if isinstance(event, IncomingSms)]
    assert found.cursor.startswith(f"{here}:{validity}:")


def test_what_was_read_in_another_mailbox_says_nothing_of_this_one(shared: ImapPeer) -> None:
    phone = reader(shared, imap_folder="Done", after_reading="delete")
    read = reader(shared).poll("", []).cursor.split(":")
    shared.deliver(reply("There before"))
    before = len(shared.flags())

    first = reader(shared, after_reading="delete").poll(phone.poll("", []).cursor + "1,2,3", [])
    shared.deliver(reply("Came now"))
    found = reader(shared).poll(first.cursor, [])

    assert first.events == ()
    assert [event.text for event in found.events if isinstance(event, IncomingSms)] == ["Came now"]
    assert len(shared.flags()) == before + 1
    assert first.cursor.split(":")[0] == read[0]


def test_a_new_mail_wakes_the_watch_at_once(shared: ImapPeer) -> None:
    phone = reader(shared)
    assert phone.watch(5, lambda: False)  # the first call: anything may have happened before

    deliver = threading.Timer(0.2, shared.deliver, [reply()])
    deliver.start()
    woken = phone.watch(10, lambda: False)
    deliver.join()
    if phone._stay is None:  # the news came in two pieces: it connects anew
        phone.watch(0.1, lambda: False)
    quiet = phone.watch(0.1, lambda: False)
    stopped = phone.watch(60, lambda: True)
    phone.close()

    assert (woken, quiet, stopped) == (True, False, False)


def test_half_a_line_of_news_is_news(shared: ImapPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    phone = reader(shared)
    phone.watch(5, lambda: False)

    def torn(**_: float) -> None:
        raise imaplib.IMAP4.abort("socket error: unterminated line: b'* 6 FETCH ('")

    assert phone._stay
    monkeypatch.setattr(phone._stay._client, "idle_check", torn)

    assert phone.watch(5, lambda: False)
    assert phone._stay is None


def test_the_connection_is_tried_without_touching_anything(shared: ImapPeer) -> None:
    before = shared.flags()
    with smtp_peer() as peer:
        words = reader(shared, smtp_port=peer.port).check()

        with pytest.raises(Misconfigured):
            reader(shared, smtp_port=peer.port, imap_password="another").check()
        with pytest.raises(Misconfigured):
            reader(shared, smtp_port=peer.port, imap_folder="Nowhere").check()

    assert "Both servers" in words
    assert peer.mails == []
    assert shared.flags() == before
