"""What becomes of campaigns whose texts and messages are kept no more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from accounts import site
from accounts.models import Site, User, Workspace
from campaigns import retention, sheets, steering, tallying
from campaigns.models import Campaign, Sheet, State, Tally
from messaging import retention as messages_retention
from messaging.models import Message, Status, Sweep
from tests.campaigns.conftest import by_state, messages, work
from tests.messaging.conftest import number

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path


def ago(days: float) -> datetime:
    return timezone.now() - timedelta(days=days)


def keep(*, texts: int | None = None, messages: int | None = None) -> None:
    site.remember(Site(pk=1, keep_texts_days=texts, keep_messages_days=messages), seconds=3600)
    Sweep.objects.all().delete()
    for _ in range(3):
        messages_retention.keep()
        retention.keep()


def age(campaign: Campaign, days: float) -> None:
    """Let all that happened have happened so many days ago."""
    at = ago(days)
    Message.objects.filter(campaign=campaign).update(
        created_at=at, send_at=at, sent_at=at, ended_at=at
    )
    ended = at if campaign.state in (State.DONE, State.CANCELLED) else None
    Campaign.objects.filter(pk=campaign.pk).update(started_at=at, ended_at=ended)
    campaign.refresh_from_db()


@pytest.fixture
def ended(begin: Callable[..., Campaign], send: Callable[[], None]) -> Campaign:
    """A campaign to three people that is done."""
    campaign = work(begin(without_numbers=[number(9)]))
    send()
    work(campaign)
    assert campaign.state == State.DONE
    return campaign


def test_its_rows_go_and_its_page_says_so_with_the_same_figures(
    ended: Campaign, as_alice: Client
) -> None:
    before = tallying.figures_of(ended)
    age(ended, 400)

    keep(messages=365)

    assert not messages(ended)
    assert tallying.figures_of(ended) == before
    assert tallying.agrees(ended)
    page = as_alice.get(f"/campaigns/{ended.pk}/").content.decode()
    assert "3 messages of this campaign are kept no more" in page
    assert "The list is kept no more" in page
    assert "Text removed after 365 days" in page
    ended.refresh_from_db()
    assert (ended.numbers, ended.without_numbers) == ([], [])


def test_its_text_goes_before_its_list(ended: Campaign) -> None:
    age(ended, 91)

    keep(texts=90)

    ended.refresh_from_db()
    assert (ended.text, ended.redacted_after) == ("", 90)
    assert len(ended.numbers) == 3
    assert [message.text for message in messages(ended)] == ["", "", ""]


def test_one_that_can_go_on_keeps_whom_it_has_reached(
    begin: Callable[..., Campaign], send: Callable[[], None]
) -> None:
    campaign = work(begin())
    send()
    steering.pause(campaign)
    age(campaign, 400)

    keep(texts=90, messages=365)

    assert len(messages(campaign)) == 3
    campaign.refresh_from_db()
    assert campaign.text


def test_going_on_after_rows_are_gone_reaches_nobody_twice(
    ended: Campaign, scripted: Any, send: Callable[[], None]
) -> None:
    failed = messages(ended)[0]
    Message.objects.filter(pk=failed.pk).update(status=Status.FAILED, reason="expired")
    age(ended, 400)
    Message.objects.filter(pk=failed.pk).update(ended_at=ago(1))
    keep(messages=365)
    assert [message.pk for message in messages(ended)] == [failed.pk]
    handed_over = len(scripted.sent)

    steering.retry(ended, ["expired"], None)
    work(ended)
    send()

    assert by_state(ended) == {"sent": 1}
    assert len(scripted.sent) == handed_over + 1


def test_what_has_no_text_is_not_tried_again(ended: Campaign, as_alice: Client) -> None:
    Message.objects.filter(campaign=ended).update(status=Status.FAILED, reason="expired")
    age(ended, 91)
    assert "Try 3 again" in as_alice.get(f"/campaigns/{ended.pk}/").content.decode()

    keep(texts=90)

    assert "Try 3 again" not in as_alice.get(f"/campaigns/{ended.pk}/").content.decode()
    with pytest.raises(steering.Refused):
        steering.retry(ended, ["expired"], None)


def test_its_file_goes_once_no_other_campaign_names_it(
    ended: Campaign, workspace: Workspace, bob: User
) -> None:
    sheet = sheets.keep(workspace, SimpleUploadedFile("a.csv", b"number,child\n0612345678,Lea\n"))
    Sheet.objects.update(created_at=ago(100))
    Campaign.objects.filter(pk=ended.pk).update(sheet=sheet)
    copy = steering.duplicate(Campaign.objects.get(pk=ended.pk), bob)
    age(ended, 91)

    keep(texts=90)
    sheets.prune()
    assert sheets.sample(sheet)

    steering.discard(copy)
    sheets.prune()
    assert not list(Path(sheets._path(sheet)).parent.iterdir())


def test_drafts_and_what_waits_for_its_time_stay_whole(draft: Callable[..., Campaign]) -> None:
    campaign = draft()
    Campaign.objects.update(created_at=ago(400), updated_at=ago(400))

    keep(texts=1, messages=30)

    campaign.refresh_from_db()
    assert (campaign.text, len(campaign.numbers)) == ("Come on Monday", 3)


def test_figures_of_what_is_gone_melt_like_all_others(ended: Campaign) -> None:
    age(ended, 400)
    keep(messages=365)
    before = tallying.figures_of(ended)

    tallying.TALLIES.melt_one(ended.pk, lambda at: at.replace(month=1))

    assert tallying.figures_of(ended) == before
    assert set(Tally.objects.filter(campaign=ended).values_list("removed", flat=True)) == {True}
