"""The list and the page of messages: what is found, who may look, who may decide."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User, Workspace
from messaging import searching
from messaging.conversations import note_incoming
from messaging.models import Attempt, Media, Message, Status
from phones.models import Exchange, Phone

pytestmark = pytest.mark.django_db


@pytest.fixture
def make(workspace: Workspace, phone: Phone) -> Any:
    """Store a message as it is."""

    def make(peer: str = "+33612345678", text: str = "Hello", **extra: Any) -> Message:
        extra = {"direction": "out", "status": Status.SENT, "phone": phone, **extra}
        return Message.objects.create(workspace=workspace, peer=peer, text=text, **extra)

    return make


def listed(client: Client, **asked: Any) -> list[int]:
    """The ids that the list shows."""
    return [row.pk for row in client.get("/messages/", asked).context["rows"]]


# ---- The list -----------------------------------------------------------------------------------


def test_everything_is_listed_newest_first(as_vera: Client, make: Any) -> None:
    first, second = make(), make(direction="in", status=Status.RECEIVED)

    assert listed(as_vera) == [second.pk, first.pk]


def test_an_empty_list_says_what_it_is_for(as_bob: Client, as_vera: Client, phone: Phone) -> None:
    assert "Write the first one" in as_bob.get("/messages/").text
    assert "Write the first one" not in as_vera.get("/messages/").text


@pytest.mark.parametrize(
    "written",
    ["06 98 76 54 32", "+33698765432", "0033 6 98 76 54 32", "06.98.76", "+33 6 98", "0698"],
)
def test_a_number_is_found_however_it_is_written(as_bob: Client, make: Any, written: str) -> None:
    make()
    wanted = make("+33698765432")

    assert listed(as_bob, q=written) == [wanted.pk]


def test_a_short_code_is_found(as_bob: Client, make: Any) -> None:
    make()
    wanted = make("36105", direction="in", status=Status.RECEIVED)

    assert listed(as_bob, q="36105") == [wanted.pk]


def test_numbers_that_begin_with_nines_are_found(as_bob: Client, make: Any) -> None:
    make("+33612345678")
    wanted = make("+998901234567")

    assert listed(as_bob, q="+99") == []  # two digits are words: see _FEWEST_DIGITS
    assert listed(as_bob, q="+9989") == [wanted.pk]


def test_words_are_found_in_the_text(as_bob: Client, make: Any) -> None:
    make(text="Nothing")
    wanted = make(text="The Museum trip 100%")

    assert listed(as_bob, q="museum") == [wanted.pk]
    assert listed(as_bob, q="100%") == [wanted.pk]


def test_words_are_looked_for_in_the_newest_messages_until_somebody_asks_for_all(
    as_bob: Client, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "DEPTH", 2)
    old, _second, new = make(text="trip"), make(text="other"), make(text="trip")

    answer = as_bob.get("/messages/", {"q": "trip"})

    assert [row.pk for row in answer.context["rows"]] == [new.pk]
    assert "Search everything" in answer.text
    assert listed(as_bob, q="trip", all="1") == [new.pk, old.pk]


def test_filters_choose_by_status_direction_phone_and_submission(
    as_bob: Client, make: Any, workspace: Workspace
) -> None:
    other = Phone.objects.create(workspace=workspace, type="simulator", name="B", settings={})
    failed = make(status=Status.FAILED)
    incoming = make(direction="in", status=Status.RECEIVED)
    elsewhere = make(phone=other)
    submitted = make(submission=uuid.uuid4())

    assert listed(as_bob, status="failed") == [failed.pk]
    assert listed(as_bob, direction="in") == [incoming.pk]
    assert incoming.pk not in listed(as_bob, direction="out")
    assert listed(as_bob, phone=other.pk) == [elsewhere.pk]
    assert listed(as_bob, submission=submitted.submission) == [submitted.pk]


def test_days_are_those_of_the_person_s_calendar(as_bob: Client, make: Any) -> None:
    # 23:30 UTC on the 1st is half past midnight on the 2nd in Paris.
    rows = [
        make(created_at=datetime(2025, 11, day, hour, 30, tzinfo=UTC))
        for day, hour in ((1, 12), (1, 23), (2, 12), (3, 12))
    ]
    second = [rows[2].pk, rows[1].pk]

    assert listed(as_bob, since="2025-11-02", until="2025-11-02") == second
    assert listed(as_bob, since="2025-11-03") == [rows[3].pk]
    assert listed(as_bob, until="2025-11-01") == [rows[0].pk]


@pytest.mark.parametrize(
    "asked",
    [
        {"status": "nonsense"},
        {"phone": "999999"},
        {"since": "yesterday"},
        {"submission": "x"},
        {"until": "9999-12-31"},
        {"since": "0001-01-01"},
    ],
    ids=str,
)
def test_a_wrong_filter_breaks_nothing(as_bob: Client, make: Any, asked: dict[str, str]) -> None:
    make()

    assert as_bob.get("/messages/", asked).status_code == 200


def test_pages_follow_each_other_without_gap_or_repetition(as_bob: Client, make: Any) -> None:
    made = [make().pk for _ in range(120)]
    seen: list[int] = []
    before: int | None = 0

    while before is not None:
        context = as_bob.get("/messages/", {"before": before or "", "status": "sent"}).context
        seen += [row.pk for row in context["rows"]]
        before = context["older"]

    assert seen == made[::-1]


def test_a_place_in_the_list_that_is_no_number_is_not_found(as_bob: Client) -> None:
    assert as_bob.get("/messages/", {"before": "x"}).status_code == 404


def test_texts_are_shown_and_not_run(as_bob: Client, make: Any) -> None:
    message = make(text="<script>alert(1)</script>", words="<b>bold</b>", code="1", status="failed")

    for address in ("/messages/", f"/messages/{message.pk}/"):
        page = as_bob.get(address).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page
        assert "<b>bold" not in page


def test_the_list_costs_the_same_for_one_message_and_for_fifty(
    as_bob: Client, make: Any, django_assert_num_queries: Any
) -> None:
    make()
    with django_assert_num_queries(9):
        as_bob.get("/messages/")
    for _ in range(60):
        make()

    with django_assert_num_queries(9):
        as_bob.get("/messages/")


# ---- One message --------------------------------------------------------------------------------


def test_the_page_tells_why_and_shows_what_was_said_with_the_provider(
    as_vera: Client, make: Any, phone: Phone
) -> None:
    message = make(status=Status.FAILED, reason="unreachable", code="30003", words="Handset off")
    Exchange.objects.create(
        phone=phone,
        message=message.pk,
        direction="out",
        method="POST",
        url="https://x.example/send",
    )

    page = as_vera.get(f"/messages/{message.pk}/").text

    assert "Not delivered" in page
    assert "The handset could not be reached" in page
    assert "Handset off" in page
    assert "https://x.example/send" in page


def test_the_page_leads_to_the_conversation_when_there_is_one(as_bob: Client, make: Any) -> None:
    message = make()
    alone = as_bob.get(f"/messages/{message.pk}/").text
    note_incoming(make(direction="in", status=Status.RECEIVED))

    assert "Open the conversation" not in alone
    assert "Open the conversation" in as_bob.get(f"/messages/{message.pk}/").text


def test_a_picture_that_could_not_be_fetched_says_why(
    as_bob: Client, make: Any, workspace: Workspace
) -> None:
    message = make(direction="in", status=Status.RECEIVED)
    media = Media.objects.create(workspace=workspace, source="https://x", problem="Answered 404.")
    message.media.add(media)

    assert "Answered 404." in as_bob.get(f"/messages/{message.pk}/").text


def test_the_page_costs_the_same_however_long_its_story(
    as_bob: Client, make: Any, bob: User, phone: Phone, django_assert_num_queries: Any
) -> None:
    message = make(created_by=bob)
    with django_assert_num_queries(13):
        as_bob.get(f"/messages/{message.pk}/")
    for _ in range(20):
        Attempt.objects.create(message=message, kind="temporary", phone=phone, by=bob)
        Exchange.objects.create(phone=phone, message=message.pk, direction="out")

    with django_assert_num_queries(13):
        as_bob.get(f"/messages/{message.pk}/")


def test_the_page_refreshes_until_nothing_more_is_to_come(as_bob: Client, make: Any) -> None:
    message = make(status=Status.SENT)
    address = f"/messages/{message.pk}/"
    seen = as_bob.get(address).context["page"].fingerprint
    htmx = {"HX-Request": "true"}

    same = as_bob.get(address, {"seen": seen}, headers=htmx)
    Message.objects.update(status=Status.DELIVERED, delivered_at=timezone.now())
    changed = as_bob.get(address, {"seen": seen}, headers=htmx)
    final = changed.context["page"].fingerprint
    last = as_bob.get(address, {"seen": final}, headers=htmx)

    assert same.status_code == 204
    assert "Delivered" in changed.text
    assert "hx-trigger" not in changed.text
    assert "<html" not in changed.text
    assert last.status_code == 286


# ---- Who may do what ----------------------------------------------------------------------------


def test_a_viewer_sees_no_buttons_and_may_not_press_them(as_vera: Client, make: Any) -> None:
    message = make(status=Status.QUEUED)
    address = f"/messages/{message.pk}/"

    assert f'action="{address}' not in as_vera.get(address).text
    for act in ("cancel", "resend", "move", "settle"):
        assert as_vera.post(f"{address}{act}/", {"phone": message.phone_id}).status_code == 403
    assert as_vera.get("/messages/cancel/").status_code == 403
    assert as_vera.post("/messages/cancel/", {"upto": message.pk}).status_code == 403
    assert Message.objects.get().status == Status.QUEUED


def test_a_stranger_finds_nothing(as_charlie: Client, make: Any) -> None:
    message = make(status=Status.QUEUED)
    address = f"/messages/{message.pk}/"

    assert listed(as_charlie) == []
    assert as_charlie.get(address).status_code == 404
    for act in ("cancel", "resend", "move", "settle"):
        assert as_charlie.post(f"{address}{act}/", {"phone": message.phone_id}).status_code == 404
    as_charlie.post("/messages/cancel/", {"upto": message.pk})
    assert Message.objects.get().status == Status.QUEUED


def test_actions_want_a_post(as_bob: Client, make: Any) -> None:
    message = make(status=Status.QUEUED)

    for act in ("cancel", "resend", "move", "settle"):
        assert as_bob.get(f"/messages/{message.pk}/{act}/").status_code == 405


def test_a_sender_cancels_a_message(as_bob: Client, make: Any) -> None:
    message = make(status=Status.QUEUED)

    answer = as_bob.post(f"/messages/{message.pk}/cancel/", follow=True)

    assert "1 message was cancelled." in answer.text
    assert "Cancelled by Bob Rossi" in answer.text


def test_cancelling_too_late_says_so(as_bob: Client, make: Any) -> None:
    message = make(status=Status.SENT)

    answer = as_bob.post(f"/messages/{message.pk}/cancel/", follow=True)

    assert "has moved on meanwhile" in answer.text
    assert Message.objects.get().status == Status.SENT


def test_a_sender_sends_an_unknown_message_again(as_bob: Client, make: Any) -> None:
    message = make(status=Status.UNKNOWN)

    page = as_bob.get(f"/messages/{message.pk}/").text
    as_bob.post(f"/messages/{message.pk}/resend/")

    assert "this person gets it twice" in page
    assert Message.objects.get().status == Status.QUEUED


def test_a_message_moves_only_to_a_phone_of_the_workspace(
    as_bob: Client, make: Any, charlie: User
) -> None:
    message = make(status=Status.QUEUED)
    workspace = charlie.memberships.get().workspace
    theirs = Phone.objects.create(workspace=workspace, type="simulator", name="X", settings={})

    answer = as_bob.post(f"/messages/{message.pk}/move/", {"phone": theirs.pk})

    assert answer.status_code == 404
    assert Message.objects.get().phone == message.phone


def test_a_sender_moves_a_message(as_bob: Client, make: Any, workspace: Workspace) -> None:
    other = Phone.objects.create(workspace=workspace, type="simulator", name="Spare", settings={})
    message = make(status=Status.QUEUED)

    answer = as_bob.post(f"/messages/{message.pk}/move/", {"phone": other.pk}, follow=True)

    assert "It was moved to Spare." in answer.text
    assert Message.objects.get().phone == other


# ---- Settling -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [("1", Status.DELIVERED, "It arrived, says"), ("0", Status.FAILED, "It did not arrive, says")],
)
def test_a_sender_settles_an_unknown_message(
    answer: str, status: Status, words: str, as_bob: Client, make: Any
) -> None:
    message = make(status=Status.UNKNOWN)
    address = f"/messages/{message.pk}/"

    offered = as_bob.get(address).text
    page = as_bob.post(f"{address}settle/", {"arrived": answer}, follow=True).text

    assert f'action="{address}settle/"' in offered
    assert f"{words} Bob Rossi" in page
    assert "1 message was settled." in page
    assert Message.objects.get().status == status


def test_settling_without_an_answer_guesses_nothing(as_bob: Client, make: Any) -> None:
    message = make(status=Status.UNKNOWN)

    for answer in ({}, {"arrived": ""}, {"arrived": "yes"}):
        assert as_bob.post(f"/messages/{message.pk}/settle/", answer).status_code == 404
    assert Message.objects.get().status == Status.UNKNOWN


def test_settling_too_late_says_so(as_bob: Client, make: Any) -> None:
    message = make(status=Status.DELIVERED)

    answer = as_bob.post(f"/messages/{message.pk}/settle/", {"arrived": "0"}, follow=True)

    assert "has moved on meanwhile" in answer.text
    assert Message.objects.get().status == Status.DELIVERED


def test_many_are_settled_as_far_as_they_were_there_when_it_was_asked(
    as_bob: Client, as_vera: Client, make: Any
) -> None:
    wanted = make(status=Status.UNKNOWN, text="trip")
    other = make(status=Status.UNKNOWN, text="else")
    later = make(status=Status.UNKNOWN, text="trip")
    asked = {"q": "trip", "upto": wanted.pk, "arrived": "1"}

    offered = as_bob.get("/messages/", {"status": "unknown"}).text
    question = as_bob.get("/messages/settle/", {"status": "unknown"}).text
    hidden = as_vera.get("/messages/", {"status": "unknown"}).text
    as_bob.post("/messages/settle/", asked, follow=True)

    assert "/messages/settle/?status=unknown" in offered
    assert "What became of 3 messages?" in question
    assert "/messages/settle/" not in hidden
    statuses = dict(Message.objects.values_list("pk", "status"))
    assert statuses == {wanted.pk: "delivered", other.pk: "unknown", later.pk: "unknown"}


# ---- Cancelling many ----------------------------------------------------------------------------


def test_cancelling_many_asks_first_and_names_the_number(as_bob: Client, make: Any) -> None:
    for _ in range(3):
        make(status=Status.QUEUED)

    page = as_bob.get("/messages/cancel/", {"status": "queued"}).text

    assert "Cancel 3 messages?" in page
    assert Message.objects.filter(status=Status.QUEUED).count() == 3


def test_only_what_matched_when_it_was_asked_is_cancelled(as_bob: Client, make: Any) -> None:
    wanted = make(status=Status.QUEUED, text="trip")
    other = make(status=Status.QUEUED, text="else")
    later = make(status=Status.QUEUED, text="trip")

    answer = as_bob.post("/messages/cancel/", {"q": "trip", "upto": wanted.pk}, follow=True)

    statuses = dict(Message.objects.values_list("pk", "status"))
    assert statuses == {wanted.pk: "cancelled", other.pk: "queued", later.pk: "queued"}
    assert "1 message was cancelled." in answer.text


def test_without_the_question_nothing_is_cancelled(as_bob: Client, make: Any) -> None:
    make(status=Status.QUEUED)

    as_bob.post("/messages/cancel/", {"status": "queued"})

    assert Message.objects.get().status == Status.QUEUED


def test_a_planned_message_shows_when_it_leaves(as_bob: Client, make: Any) -> None:
    make(status=Status.QUEUED, send_at=timezone.now() + timedelta(hours=3, seconds=5))

    assert "in 3 h" in as_bob.get("/messages/").text
