"""What is kept no more goes, nothing else does, and figures stay."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import transaction
from django.test import Client
from django.utils import timezone

from accounts import site
from accounts.models import Site, Workspace
from campaigns.models import Campaign
from messaging import media, receiving, retention
from messaging.activity import ACTIVITY
from messaging.conversations import note_incoming
from messaging.models import (
    Attempt,
    Call,
    Conversation,
    Direction,
    IncomingPart,
    Media,
    Message,
    PartSet,
    Report,
    Segment,
    Status,
    Sweep,
)
from messaging.retention import keep
from phones.base import Delivery, IncomingSms, StatusReport
from phones.models import Exchange, Phone
from tests.messaging.conftest import number

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


def ago(days: float) -> datetime:
    return timezone.now() - timedelta(days=days)


def kept_for(*, texts: int | None = None, messages: int | None = None) -> None:
    site.remember(Site(pk=1, keep_texts_days=texts, keep_messages_days=messages), seconds=3600)


def old(phone: Phone, days: float, status: str = Status.DELIVERED, **fields: Any) -> Message:
    at, is_in = ago(days), status == Status.RECEIVED
    values: dict[str, Any] = {
        "direction": Direction.IN if is_in else Direction.OUT,
        "peer": number(1),
        "text": "Your test was positive",
        "words": "DELIVRD text:Your test",
        "code": "000",
        "created_at": at,
        "send_at": at,
        "sent_at": None if status in (Status.QUEUED, Status.SKIPPED) else at,
        "ended_at": None if status in (Status.QUEUED, Status.SENT, Status.RECEIVED) else at,
        "lease_until": at if status == Status.SENDING else None,
    } | fields
    return Message.objects.create(workspace=phone.workspace, phone=phone, status=status, **values)


def texts() -> list[str]:
    return list(Message.objects.order_by("pk").values_list("text", flat=True))


def left() -> list[int]:
    return list(Message.objects.order_by("pk").values_list("pk", flat=True))


# ---- Texts --------------------------------------------------------------------------------------


def test_nothing_goes_unless_somebody_wants_it(phone: Phone) -> None:
    old(phone, 5000)

    assert keep() == 0
    assert texts() == ["Your test was positive"]


def test_a_text_goes_after_its_days_with_all_that_quotes_it(phone: Phone) -> None:
    kept_for(texts=90)
    message, young = old(phone, 91, peer=number(2)), old(phone, 89)
    trail = {"message": message, "phone": phone, "words": "text:Your test"}
    Attempt.objects.create(kind=Attempt.Kind.TEMPORARY, **trail)
    Report.objects.create(state="delivered", **trail)
    Segment.objects.create(number=1, **trail)
    parts = PartSet.objects.create(phone=phone, sender="x", reference="1", total=2, message=message)
    IncomingPart.objects.create(set=parts, number=1, text=b"Your test")
    for about, days in ((message.pk, 91), (0, 91), (young.pk, 89)):
        Exchange.objects.create(
            phone=phone,
            message=about,
            method="POST",
            url="/",
            sent="Your test",
            created_at=ago(days),
        )

    keep()

    message.refresh_from_db()
    assert (message.text, message.words, message.code) == ("", "", "000")
    assert message.removed == "Text removed after 90 days"
    assert texts() == ["", "Your test was positive"]
    for rows in (message.trail, message.reports, message.pieces):
        assert rows.get().words == ""
    assert bytes(parts.parts.get().text) == b""
    assert Exchange.objects.get().message == young.pk


def test_pictures_go_with_the_text_unless_another_message_has_them(phone: Phone) -> None:
    kept_for(texts=90)
    alone = Media.objects.create(workspace=phone.workspace, content_type="image/png")
    alone.file.save("a.png", ContentFile(b"x"))
    shared = Media.objects.create(workspace=phone.workspace)
    old(phone, 91).media.set([alone, shared])
    old(phone, 1).media.set([shared])

    with transaction.atomic():
        keep()

    assert list(Media.objects.all()) == [shared]


@pytest.mark.django_db(transaction=True)
def test_a_file_leaves_the_disk_once_that_is_certain(phone: Phone) -> None:
    kept_for(messages=30)
    item = media.store_upload(phone.workspace, ContentFile(b"x"), "image/png")
    old(phone, 91).media.set([item])

    keep()

    assert not Path(item.file.path).exists()


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (Status.QUEUED, {}),
        (Status.SENDING, {}),
        (Status.SENT, {"sent_at": timedelta(days=6)}),
        (Status.DELIVERED, {"ended_at": timedelta(hours=23)}),
        (Status.CANCELLED, {"send_at": timedelta(days=-3)}),
    ],
)
def test_what_has_not_ended_stays_whole(status: str, fields: Any, phone: Phone) -> None:
    kept_for(texts=1, messages=1)
    moments = {name: timezone.now() - delta for name, delta in fields.items()}
    old(phone, 400, status, **moments)

    keep()

    assert texts() == ["Your test was positive"]


def test_what_was_passed_over_is_found_a_day_later(phone: Phone) -> None:
    kept_for(texts=90)
    waiting, _done = old(phone, 100, Status.QUEUED), old(phone, 95)
    keep()
    assert texts() == ["Your test was positive", ""]

    Message.objects.filter(pk=waiting.pk).update(status=Status.CANCELLED, ended_at=ago(91))
    Sweep.objects.update(begun_at=ago(2), again_at=ago(0))
    keep()
    Sweep.objects.update(again_at=ago(0))
    keep()

    assert texts() == ["", ""]


def test_a_workspace_keeps_for_the_shorter_of_both(phone: Phone, workspace: Workspace) -> None:
    kept_for(texts=90)
    Workspace.objects.filter(pk=workspace.pk).update(keep_texts_days=30)
    elsewhere = Workspace.objects.create(name="W", keep_texts_days=400)
    other = Phone.objects.create(
        workspace=elsewhere, type="simulator", name="P", settings={}, rate=1
    )
    messages = [old(phone, 31), old(phone, 29), old(other, 89), old(other, 91)]

    keep()

    gone = [Message.objects.get(pk=message.pk).redacted_after for message in messages]
    assert gone == [30, None, None, 90]


def test_a_redacted_message_cannot_be_sent_again(phone: Phone, as_alice: Client) -> None:
    kept_for(texts=1)
    message = old(phone, 2, Status.UNKNOWN)
    keep()

    page = as_alice.get(f"/messages/{message.pk}/").content.decode()
    as_alice.post(f"/messages/{message.pk}/resend/")

    assert "Text removed after 1 day" in page
    assert "Send again" not in page
    assert "Duplicate" not in page
    message.refresh_from_db()
    assert message.status == Status.UNKNOWN


def test_every_list_says_that_a_text_was_removed(phone: Phone, as_alice: Client) -> None:
    kept_for(texts=90)
    message = old(phone, 91, Status.RECEIVED)
    note_incoming(message)
    keep()

    for path in ("/messages/", "/inbox/", f"/inbox/{Conversation.objects.get().pk}/", "/"):
        assert "Text removed after 90 days" in as_alice.get(path).content.decode(), path


# ---- Whole messages -----------------------------------------------------------------------------


def test_a_message_goes_with_all_that_belongs_to_it_and_figures_stay(phone: Phone) -> None:
    kept_for(messages=365)
    message, young = old(phone, 366, cost=70_000, currency="EUR"), old(phone, 364)
    Attempt.objects.create(message=message, kind=Attempt.Kind.TEMPORARY, phone=phone)
    Report.objects.create(message=message, phone=phone, state="delivered")
    Report.objects.create(phone=phone, state="failed", created_at=ago(366))
    Exchange.objects.create(phone=phone, message=message.pk, method="POST", url="/")
    for days in (366, 364):
        Call.objects.create(
            workspace=phone.workspace, phone=phone, peer="x", provider_id=str(days),
            started_at=ago(days),
        )  # fmt: skip
    before = ACTIVITY.counts(phone.workspace_id)

    keep()

    assert left() == [young.pk]
    assert not [model for model in (Attempt, Report, Exchange) if model.objects.exists()]
    assert Call.objects.get().provider_id == "364"
    assert ACTIVITY.counts(phone.workspace_id) == before
    assert ACTIVITY.agree(phone.workspace_id)


def test_a_conversation_ends_with_what_is_left_or_goes(phone: Phone) -> None:
    kept_for(messages=30)
    for who, days in ((1, 32), (2, 32), (2, 31)):
        note_incoming(old(phone, days, Status.RECEIVED, peer=number(who)))
    reply = old(phone, 33, Status.QUEUED, peer=number(2))
    campaign = Campaign.objects.create(workspace=phone.workspace, text="Hi", time_zone="UTC")
    old(phone, 20, Status.QUEUED, peer=number(2), campaign=campaign, held=True)

    keep()

    conversation = Conversation.objects.get()
    assert (conversation.peer, conversation.last) == (number(2), reply)


def test_it_goes_on_where_it_was_stopped(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    kept_for(messages=30)
    for _ in range(5):
        old(phone, 40)
    monkeypatch.setattr(retention, "_BATCH", 2)
    monkeypatch.setattr(retention, "_RUN", 0)

    amounts = []
    for _ in range(4):
        keep()
        amounts.append(len(left()))

    assert amounts == [3, 1, 0, 0]


def test_a_step_that_fails_is_done_again(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    kept_for(messages=30)
    old(phone, 40)
    with monkeypatch.context() as patch:
        patch.setattr(retention.forgetting, "delete", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            keep()
    assert left()

    keep()

    assert not left()


def test_a_look_that_is_done_is_not_repeated_at_once(
    phone: Phone, django_assert_num_queries: Any
) -> None:
    kept_for(texts=90, messages=365)
    old(phone, 1)
    keep()

    with django_assert_num_queries(2):
        keep()


# ---- What comes late ----------------------------------------------------------------------------


def test_a_report_about_a_message_that_is_gone_harms_nothing(phone: Phone) -> None:
    kept_for(messages=30)
    message = old(phone, 40, provider_id="abc")
    keep()

    for _ in range(2):
        report = StatusReport(Delivery.FAILED, provider_id="abc", reference=str(message.pk))
        receiving.apply(phone, [report])

    assert Report.objects.get().message is None
    assert not left()


def test_a_repetition_of_what_is_gone_is_shown_as_one(phone: Phone, as_alice: Client) -> None:
    kept_for(messages=30)
    sms = IncomingSms(sender=number(1), text="Yes", provider_id="abc", at=ago(40))
    receiving.apply(phone, [sms])
    Message.objects.update(created_at=ago(40), send_at=ago(40))
    keep()
    assert not left()

    receiving.apply(phone, [sms])

    again = Message.objects.get()
    assert again.perhaps_repeated
    page = as_alice.get(f"/messages/{again.pk}/").content.decode()
    assert "so it may be one that was there before" in page


def test_what_comes_in_time_is_marked_by_nobody(phone: Phone) -> None:
    kept_for(messages=30)

    for at in (None, ago(29)):
        receiving.apply(phone, [IncomingSms(sender=number(1), text="Yes", provider_id="", at=at)])

    assert not Message.objects.filter(perhaps_repeated=True).exists()


def test_who_looks_for_words_is_told_that_old_ones_are_gone(as_alice: Client) -> None:
    words = "Words are found in what was written in the last 90 days"
    assert words not in as_alice.get("/messages/?q=hello").content.decode()

    kept_for(texts=90)

    assert words in as_alice.get("/messages/?q=hello").content.decode()
    assert words not in as_alice.get("/messages/?q=0612").content.decode()
