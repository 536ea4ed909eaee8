"""Writing a campaign: a draft that keeps itself, its preview, and the check before anything is sent."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Workspace
from campaigns import steering
from campaigns.forms import version
from campaigns.models import Campaign, State
from contacts.models import Contact, Group, OptOut
from messaging.models import Media, Message, QuietHours
from phones import quotas
from phones.models import Phone
from tests.campaigns.conftest import work
from tests.messaging.conftest import number

pytestmark = [pytest.mark.django_db, pytest.mark.database]
HTMX = {"HX-Request": "true"}
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


@pytest.fixture
def written(draft: Callable[..., Campaign]) -> Campaign:
    return draft(name="Museum trip", text="Bring lunch")


def form(campaign: Campaign | None = None, **changes: Any) -> dict[str, Any]:
    """Give what the page of a draft posts."""
    if campaign is None:
        return {"submission": str(uuid.uuid4()), "through": "any", "when": "now", **changes}
    through = str(campaign.phone_id or "any")
    return {
        "submission": str(campaign.submission), "seen": version(campaign), "name": campaign.name,
        "to": "\n".join(campaign.numbers), "text": campaign.text, "through": through, "when": "now",
        **changes,
    }  # fmt: skip


def save(client: Client, campaign: Campaign, headers: Any = None, **changes: Any) -> Any:
    address = reverse("campaign_write", args=[campaign.pk])
    return client.post(address, form(campaign, **changes), headers=headers)


# ---- Keeping ------------------------------------------------------------------------------------


def test_a_new_campaign_is_one_however_often_it_saves_itself(as_bob: Client) -> None:
    first = form(name="Fair", to="06 12 34 56 78")

    answer = as_bob.post(reverse("campaign_new"), first, headers=HTMX)
    made = Campaign.objects.get()
    again = {**first, "seen": version(made), "text": "Come"}
    as_bob.post(reverse("campaign_new"), again, headers=HTMX)

    made = Campaign.objects.get()
    assert answer["HX-Replace-Url"] == reverse("campaign_write", args=[made.pk])
    assert (made.name, made.text, made.numbers) == ("Fair", "Come", ["+33612345678"])
    assert made.state == State.DRAFT


def test_looking_at_the_empty_page_begins_nothing(as_bob: Client) -> None:
    as_bob.get(reverse("campaign_new"))

    assert not Campaign.objects.exists()


def test_what_is_wrong_is_said_and_the_rest_is_kept(as_bob: Client, written: Campaign) -> None:
    answer = save(as_bob, written, name="Trip", when="later", at="2020-01-01T10:00")

    written.refresh_from_db()
    assert answer.status_code == 422
    assert "This time has passed" in answer.content.decode()
    assert (written.name, written.send_at) == ("Trip", None)


def test_what_is_no_number_stays_where_it_was_written(as_bob: Client, written: Campaign) -> None:
    answer = save(as_bob, written, HTMX, to="06 12 34 56 78, 06 12 34 5")

    written.refresh_from_db()
    assert written.numbers == ["+33612345678", "06 12 34 5"]
    assert "too short" in answer.content.decode()


def test_who_writes_from_an_old_page_overwrites_nothing(as_bob: Client, written: Campaign) -> None:
    old = form(written, text="Old words")
    save(as_bob, written, text="New words")

    answer = as_bob.post(reverse("campaign_write", args=[written.pk]), old)

    written.refresh_from_db()
    assert written.text == "New words"
    assert "changed elsewhere" in answer.content.decode()
    assert "Old words" in answer.content.decode()  # nothing that was typed is lost


def test_a_draft_keeps_people_exclusions_tags_and_through_what(
    as_bob: Client, written: Campaign, workspace: Workspace, line: Phone
) -> None:
    group = Group.objects.create(workspace=workspace, name="4B", folded="4b")
    person = Contact.objects.create(workspace=workspace, number=number(9), name="Nadia")

    save(
        as_bob, written, who=[f"g{group.pk}", "g999"], without=[f"c{person.pk}"],
        without_to="06 12 34 56 78", tags="School", through="any", urgent="on",
    )  # fmt: skip

    written.refresh_from_db()
    assert (written.who, written.without) == ([f"g{group.pk}"], [f"c{person.pk}"])
    assert written.without_numbers == ["+33612345678"]
    assert (written.phone, written.urgent) == (None, True)
    assert [tag.name for tag in written.tags.all()] == ["School"]


def test_a_file_brings_its_columns_and_the_column_of_the_numbers_is_guessed(
    as_bob: Client, written: Campaign
) -> None:
    file = SimpleUploadedFile("kids.csv", "Enfant;Téléphone\nLéa;06 12 34 56 78\n".encode())

    save(as_bob, written, sheet=file)
    page = as_bob.get(reverse("campaign_write", args=[written.pk])).content.decode()
    written.refresh_from_db()
    save(as_bob, written, column="0")
    written.refresh_from_db()

    assert "{{ row.enfant }}" in page
    assert "1 row" in page
    assert written.sheet is not None
    assert written.sheet.number == 0


def test_the_column_of_a_file_that_another_campaign_reads_stays(
    as_bob: Client, written: Campaign, bob: Any
) -> None:
    save(as_bob, written, sheet=SimpleUploadedFile("a.csv", b"Name;Number\nA;0612345678\n"))
    written.refresh_from_db()
    steering.duplicate(written, bob)

    answer = save(as_bob, written, column="0")

    assert "Another campaign uses this file" in answer.content.decode()
    written.refresh_from_db()
    assert written.sheet is not None
    assert written.sheet.number == 1


def test_a_file_that_cannot_be_read_is_named_and_not_kept(
    as_bob: Client, written: Campaign
) -> None:
    answer = save(as_bob, written, sheet=SimpleUploadedFile("empty.csv", b"\n"))

    written.refresh_from_db()
    assert answer.status_code == 422
    assert "This file is empty" in answer.content.decode()
    assert written.sheet is None


def test_a_picture_is_taken_and_taken_out_again(as_bob: Client, written: Campaign) -> None:
    save(as_bob, written, picture=SimpleUploadedFile("a.png", PNG))
    with_picture = written.media.count()
    written.refresh_from_db()
    save(as_bob, written, drop_picture="1")

    assert (with_picture, written.media.count()) == (1, 0)


def test_a_half_written_message_becomes_a_campaign_with_all_it_says(
    as_bob: Client, workspace: Workspace, line: Phone
) -> None:
    group = Group.objects.create(workspace=workspace, name="4B", folded="4b")
    said = {
        "to": "06 12 34 56 78, nonsense", "text": "Hello\r\nall", "phone": line.pk, "who": [f"g{group.pk}"],
        "begin": "1", "picture": SimpleUploadedFile("a.png", PNG), "flash": "on",
    }  # fmt: skip

    answer = as_bob.post(reverse("campaign_new"), said)

    made = Campaign.objects.get()
    assert answer["Location"] == reverse("campaign_write", args=[made.pk])
    assert (made.text, made.numbers) == ("Hello\nall", ["+33612345678", "nonsense"])
    assert (made.who, made.phone, made.flash) == ([f"g{group.pk}"], line, True)
    assert Media.objects.count() == 1


def test_what_waits_for_its_time_is_a_draft_while_it_is_changed(
    as_bob: Client, begin: Callable[..., Campaign]
) -> None:
    waiting = begin(send_at=timezone.now() + timedelta(days=1))
    not_yet = as_bob.post(
        reverse("campaign_write", args=[waiting.pk]), form(waiting, text="Half a")
    )
    waiting.refresh_from_db()
    kept = waiting.text

    as_bob.post(reverse("campaign_edit", args=[waiting.pk]))

    waiting.refresh_from_db()
    assert not_yet.status_code == 422
    assert kept != "Half a"
    assert waiting.state == State.DRAFT
    assert "It was scheduled" in as_bob.get(reverse("campaign_write", args=[waiting.pk])).text
    assert "no longer scheduled" in as_bob.get(reverse("campaigns")).text


# ---- Preview ------------------------------------------------------------------------------------


def test_the_preview_goes_from_person_to_person(as_bob: Client, written: Campaign) -> None:
    address = reverse("campaign_preview", args=[written.pk])

    def place(**asked: str) -> str:
        return str(as_bob.get(address, asked, headers=HTMX).context["preview"].place)

    assert place() == "0-1"
    assert place(place="0-1", step="next") == "0-2"
    assert place(place="0-2", step="back") == "0-1"
    assert place(place="0-3", step="next") == "0-3"  # the last one stays
    assert place(place="nonsense") == "0-1"


def test_the_preview_begins_with_somebody_who_gets_the_message(
    as_bob: Client, written: Campaign
) -> None:
    address = reverse("campaign_preview", args=[written.pk])
    Campaign.objects.update(numbers=["hello", *written.numbers], without_numbers=[number(1)])

    assert str(as_bob.get(address).context["preview"].place) == "0-3"

    Campaign.objects.update(numbers=["hello", "world"])

    assert str(as_bob.get(address).context["preview"].place) == "0-1"  # nobody: then anybody


def test_the_preview_says_who_gets_nothing_and_why(as_bob: Client, written: Campaign) -> None:
    OptOut.objects.create(workspace=written.workspace, number=number(1), source="person")

    address = reverse("campaign_preview", args=[written.pk])
    page = as_bob.get(address, {"place": "0-1"}).content.decode()

    assert "This person asked for no more messages" in page


def test_a_test_goes_to_oneself_once_and_the_number_is_remembered(
    as_bob: Client, written: Campaign
) -> None:
    asked = {"test": "1", "test_number": "06 99 99 99 99", "test_submission": str(uuid.uuid4())}

    save(as_bob, written, **asked)
    save(as_bob, written, **asked)
    page = as_bob.get(reverse("campaign_write", args=[written.pk])).content.decode()

    message = Message.objects.get()
    assert (message.peer, message.text, message.campaign) == ("+33699999999", "Bring lunch", None)
    assert "+33699999999" in page


# ---- Check --------------------------------------------------------------------------------------


def test_the_check_says_how_many_get_it_and_who_does_not(as_bob: Client, draft: Any) -> None:
    campaign = draft(numbers=[number(1), number(2), number(2), "nonsense"])
    OptOut.objects.create(workspace=campaign.workspace, number=number(1), source="person")
    address = reverse("campaign_check", args=[campaign.pk])

    at_first = as_bob.get(address).content.decode()
    work(campaign)
    then = as_bob.get(address).content.decode()

    assert "Looking at everybody" in at_first
    assert "Send to 1 person" in then
    for words in ("asked for no more messages", "is not a phone number", "more than once"):
        assert words in then


def test_who_is_left_out_can_be_looked_up(as_bob: Client, draft: Any) -> None:
    campaign = draft(numbers=[number(1), "nonsense"], without_numbers=[number(1)])
    address = reverse("campaign_left_out", args=[campaign.pk])

    assert "nonsense" in as_bob.get(address, {"why": "not_a_number"}).content.decode()
    excluded = as_bob.get(address, {"why": "excluded"}).context["found"].people
    assert [judged.recipient.number for judged in excluded] == [number(1)]
    assert as_bob.get(address, {"why": "what"}).context["found"].people == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"text": ""}, "The text is empty"),
        ({"numbers": []}, "Nobody is chosen yet"),
        ({"send_at": timezone.now() - timedelta(days=1)}, "Its time has passed"),
    ],
    ids=["no text", "nobody", "too late"],
)
def test_what_cannot_be_sent_has_no_button(
    as_bob: Client, draft: Any, fields: dict[str, Any], words: str
) -> None:
    campaign = draft(**fields)
    as_bob.get(reverse("campaign_check", args=[campaign.pk]))
    work(campaign)

    page = as_bob.get(reverse("campaign_check", args=[campaign.pk])).content.decode()

    assert words in page
    assert "Send to" not in page


def test_exactly_what_was_checked_is_sent(as_bob: Client, written: Campaign) -> None:
    check, start = (
        reverse(name, args=[written.pk]) for name in ("campaign_check", "campaign_start")
    )
    as_bob.post(start, {"version": version(written)})  # never checked
    as_bob.get(check)
    work(written)
    seen = version(written)
    written.refresh_from_db()
    save(as_bob, written, text="Other words")
    as_bob.post(start, {"version": seen})  # changed since
    before = Campaign.objects.get().state

    as_bob.get(check)
    written.refresh_from_db()
    work(written)
    as_bob.post(start, {"version": version(written)})

    assert before == State.DRAFT
    work(written)
    assert written.state in (State.RUNNING, State.DONE)
    assert {message.text for message in Message.objects.all()} == {"Other words"}


def test_the_check_says_where_people_sleep(as_bob: Client, written: Campaign) -> None:
    QuietHours.objects.create(workspace=written.workspace, whole_days=[0, 1, 2, 3, 4, 5, 6])
    as_bob.get(reverse("campaign_check", args=[written.pk]))
    work(written)

    page = as_bob.get(reverse("campaign_check", args=[written.pk])).content.decode()

    assert "Quiet hours in France" in page


def test_the_check_says_how_many_the_limits_let_through(
    as_bob: Client, written: Campaign, line: Phone
) -> None:
    quotas.set_limit(line, period="day", unit="messages", amount=2, spill=False)
    address = reverse("campaign_check", args=[written.pk])
    as_bob.get(address)
    work(written)

    page = as_bob.get(address)

    assert "leave room for about 2 people now" in page.text
    assert not page.context["ends"]


def test_the_check_says_that_limits_are_reached(
    as_bob: Client, written: Campaign, line: Phone
) -> None:
    quotas.set_limit(line, period="day", unit="messages", amount=1, spill=False)
    quotas.charge(line, quotas.hold(line), [(number(9), 1)])
    address = reverse("campaign_check", args=[written.pk])
    as_bob.get(address)
    work(written)

    assert "The limits of its phones are reached" in as_bob.get(address).text


def test_the_check_promises_no_end_by_clocks_it_does_not_know(
    as_bob: Client, draft: Callable[..., Campaign]
) -> None:
    written = draft(send_at=timezone.now() + timedelta(days=1), own_zone=True)
    address = reverse("campaign_check", args=[written.pk])
    as_bob.get(address)
    work(written)

    page = as_bob.get(address)

    assert page.context["is_ready"]
    assert not page.context["ends"]


def test_the_length_of_a_text_with_fields_is_not_told(as_bob: Client, written: Campaign) -> None:
    address = reverse("campaign_write", args=[written.pk])
    plain = as_bob.get(address).text
    Campaign.objects.update(text="Hello {{ contact.firstname }}")

    assert "11 of 160 characters" in plain
    assert (
        "the length varies: see the preview" in as_bob.get(address).text.split("data-count-rest")[1]
    )
