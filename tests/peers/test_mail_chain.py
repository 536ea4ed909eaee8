"""The whole chain by mail: a message leaves, its reply and its bounce come back, and people see why."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from email import message_from_bytes
from typing import Any

import pytest

from accounts.models import User, Workspace
from messaging import composing, polling
from messaging.models import Direction, Message, Status
from messaging.routing import Route
from messaging.sending import pump
from messaging.sessions import Keeper
from messaging.watching import WATCHES
from phones.base import Reason
from phones.models import Exchange, Phone
from tests.messaging.conftest import number
from tests.peers.mail import PASSWORD, USER, ImapPeer, SmtpPeer, imap_peer, smtp_peer
from tests.phones.types.test_email_gateway import SETTINGS, bounce, reply

pytestmark = [pytest.mark.peer, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def smtp() -> Iterator[SmtpPeer]:
    with smtp_peer() as peer:
        yield peer


@pytest.fixture(scope="module")
def mailbox() -> Iterator[ImapPeer]:
    with imap_peer() as peer:
        yield peer


@pytest.fixture
def gateway(workspace: Workspace, smtp: SmtpPeer, mailbox: ImapPeer, settings: Any) -> Phone:
    settings.ALLOW_PRIVATE_ADDRESSES = ["localhost"]
    there = {"smtp_host": "localhost", "smtp_port": smtp.port, "smtp_security": "none"}
    here = {"imap_host": "localhost", "imap_port": mailbox.port, "imap_security": "none"}
    login = {"smtp_user": "", "replies": "imap", "imap_user": USER, "imap_password": PASSWORD}
    phone = Phone.objects.create(
        workspace=workspace, type="email_gateway", name="Mail", rate=1000,
        settings={**SETTINGS, **there, **here, **login},
    )  # fmt: skip
    polling.poll(phone.pk)  # the first look: what comes from now on counts
    return phone


@pytest.fixture
def sent(workspace: Workspace, gateway: Phone, bob: User, smtp: SmtpPeer) -> Message:
    composing.create(
        workspace=workspace,
        numbers=[number(1)],
        text="Où ?",
        route=Route(gateway),
        by=bob,
        submission=uuid.uuid4(),
    )
    pump(gateway.pk)
    return Message.objects.get()


def test_a_reply_wakes_the_watch_and_lands_in_its_conversation(
    sent: Message, smtp: SmtpPeer, mailbox: ImapPeer, gateway: Phone, jobs: Callable[[], None]
) -> None:
    (mail,) = smtp.mails
    back = message_from_bytes(bytes(mail.content or b""))["Reply-To"]
    keeper = Keeper(WATCHES)
    try:
        keeper.look()
        mailbox.deliver(reply("Ici !\n\n> Où ?", sender="x@gateway.example", to=back))

        ends = time.monotonic() + 10
        while not (found := Message.objects.filter(direction=Direction.IN)):
            assert time.monotonic() < ends, "The reply did not come."
            jobs()
    finally:
        keeper.stop(5)

    assert sent.status == Status.SENT
    assert [(message.peer, message.text) for message in found] == [(number(1), "Ici !")]


def test_a_bounce_fails_its_message_in_the_server_s_words(
    sent: Message, mailbox: ImapPeer, gateway: Phone
) -> None:
    mailbox.deliver(bounce(token=sent.provider_id))

    polling.look(gateway.pk)

    sent.refresh_from_db()
    assert (sent.status, sent.reason, sent.code) == (Status.FAILED, Reason.BAD_NUMBER, "5.1.1")
    assert "no such subscriber" in sent.words


def test_what_was_said_is_kept_with_the_message_without_secrets(
    sent: Message, mailbox: ImapPeer, gateway: Phone
) -> None:
    mailbox.deliver(bounce(token=sent.provider_id))
    polling.look(gateway.pk)

    kept = list(Exchange.objects.values())
    (out,) = Exchange.objects.filter(message=sent.pk)
    assert (out.method, out.status) == ("SMTP", 250)
    assert "Où ?" in out.sent
    assert {row["method"] for row in kept} == {"SMTP", "IMAP"}
    assert PASSWORD not in repr(kept)
    assert gateway.token not in repr(kept)
