"""The inbox: what was said is seen, nothing new is missed, and an answer leaves once, by the right phone."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User, Workspace
from contacts.models import OptOut
from messaging import conversations
from messaging.models import Conversation, Media, Message, Status
from phones.models import Phone
from tests.messaging.conftest import number
from tests.messaging.threads import conversation_with, incoming

pytestmark = pytest.mark.django_db

HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def here(line: Phone) -> Conversation:
    """Somebody wrote one message."""
    return conversation_with(incoming(line, "Are you open today?").peer)


@pytest.fixture
def other_line(workspace: Workspace, scripted: Any) -> Phone:
    return Phone.objects.create(
        workspace=workspace, type="scripted", name="Other line", settings={}, rate=100_000
    )


def address(conversation: Conversation) -> str:
    return f"/inbox/{conversation.pk}/"


def answer(client: Client, here: Conversation, text: str = "Yes, we are", **data: Any) -> Any:
    data = {"text": text, "submission": str(uuid.uuid4()), **data}
    return client.post(address(here), data)


def sent() -> list[Message]:
    return list(Message.objects.filter(direction="out").order_by("pk"))


def page_of(client: Client, url: str, **headers: Any) -> str:
    response = client.get(url, **headers)
    assert response.status_code == 200
    return str(response.content.decode())


def listed(page: str) -> list[str]:
    """The numbers in the list, in order."""
    return re.findall(r'class="who text-truncate" title="([^"]+)"', page)


# ---- The list -----------------------------------------------------------------------------------


def test_conversations_are_listed_with_the_newest_first(as_vera: Client, line: Phone) -> None:
    now = timezone.now()
    for index in (1, 2, 3):
        incoming(line, peer=number(index), at=now - timedelta(minutes=index))
    incoming(line, peer=number(3), at=now)

    page = page_of(as_vera, "/inbox/")

    assert listed(page) == [number(3), number(1), number(2)]


def test_the_list_shows_the_last_line_and_says_when_it_was_ours(
    as_vera: Client, here: Conversation, write: Callable[..., list[Message]]
) -> None:
    write(here.peer, text="We close at six")

    page = page_of(as_vera, "/inbox/")

    assert "You: We close at six" in page
    assert "Are you open today?" not in page


def test_only_unread_conversations_are_listed_on_wish(as_vera: Client, line: Phone) -> None:
    incoming(line, peer=number(1))
    incoming(line, peer=number(2))
    Conversation.objects.filter(peer=number(1)).update(unread=0)

    page = page_of(as_vera, "/inbox/?show=unread")

    assert listed(page) == [number(2)]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("06 00 00 00 01", [number(1)]),
        ("+33 6 00 00 00 01", [number(1)]),
        ("0033600000001", [number(1)]),
        ("06 00", [number(2), number(1)]),
        ("ban", ["My Bank"]),
        ("06 99 99 99 99", []),
    ],
    ids=["national", "international", "00", "beginning", "name", "unknown"],
)
def test_a_conversation_is_found_by_number_or_name(
    as_vera: Client, line: Phone, typed: str, found: list[str]
) -> None:
    for peer in (number(1), number(2), "My Bank"):
        incoming(line, peer=peer)

    page = page_of(as_vera, f"/inbox/?q={typed.replace('+', '%2B')}")

    assert listed(page) == found


def test_every_conversation_is_on_exactly_one_page(as_vera: Client, line: Phone) -> None:
    at = timezone.now()
    for index in range(65):
        # Many at the same moment: the id decides.
        incoming(line, peer=number(index), at=at - timedelta(seconds=index // 20))

    url, seen = "/inbox/", []
    while url:
        page = page_of(as_vera, url)
        seen += listed(page)
        older = re.search(r'href="([^"]+)">Older', page)
        url = older[1].replace("&amp;", "&") if older else ""

    assert len(seen) == len(set(seen)) == 65


@pytest.mark.parametrize("mark", ["1-", "x", "9" * 40, "99999999999999999-999999999999999999"])
def test_a_wrong_place_in_the_list_is_no_error(
    as_vera: Client, here: Conversation, mark: str
) -> None:
    assert listed(page_of(as_vera, f"/inbox/?from={mark}")) == [here.peer]


def test_an_open_list_is_answered_only_when_something_changed(
    as_vera: Client, here: Conversation, line: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    monkeypatch.setattr("messaging.conversations.timezone.now", lambda: now)
    ask = re.search(r'hx-get="(/inbox/\?seen=[^"]+)"', page_of(as_vera, "/inbox/"))
    assert ask

    unchanged = as_vera.get(ask[1], **HTMX)
    incoming(line, "Second", peer=number(2))
    changed = page_of(as_vera, ask[1], **HTMX)

    assert unchanged.status_code == 204
    assert listed(changed) == [number(2), here.peer]
    assert "<html" not in changed
    assert '<b id="unread">2<' in changed


def test_an_empty_inbox_says_what_it_is_for(as_vera: Client, phone: Phone) -> None:
    assert "Nobody has written yet" in page_of(as_vera, "/inbox/")


def test_a_search_without_result_says_so_and_escapes_it(as_vera: Client, phone: Phone) -> None:
    page = page_of(as_vera, "/inbox/?q=<script>")

    assert "“&lt;script&gt;”" in page


def test_the_list_costs_the_same_for_one_and_for_many(
    as_vera: Client, line: Phone, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    incoming(line, peer=number(0))
    with django_assert_num_queries(8):
        page_of(as_vera, "/inbox/")
    for index in range(1, 40):
        incoming(line, peer=number(index))

    with django_assert_num_queries(8):
        page_of(as_vera, "/inbox/")


# ---- The thread ---------------------------------------------------------------------------------


def test_a_thread_shows_both_sides_in_order(
    as_vera: Client, here: Conversation, line: Phone, write: Callable[..., list[Message]]
) -> None:
    (ours,) = write(here.peer, text="Until six")
    incoming(line, "Thank you", peer=here.peer)

    page = page_of(as_vera, address(here))
    texts = re.findall(r'<li class="bubble[^>]*>([^<]+)</li>', page)

    assert texts == ["Are you open today?", "Until six", "Thank you"]
    assert f'href="/messages/{ours.pk}/"' in page
    assert "Queued" in page


def test_what_failed_says_why_in_the_thread(
    as_vera: Client, here: Conversation, write: Callable[..., list[Message]]
) -> None:
    (ours,) = write(here.peer)
    Message.objects.filter(pk=ours.pk).update(status=Status.FAILED, reason="unreachable")

    assert "The handset could not be reached" in page_of(as_vera, address(here))


def test_opening_a_conversation_reads_it(as_vera: Client, here: Conversation, line: Phone) -> None:
    incoming(line, peer=number(2))

    page_of(as_vera, address(here))

    assert conversation_with(here.peer).unread == 0
    assert not Message.objects.filter(peer=here.peer, read_at=None).exists()
    assert conversation_with(number(2)).unread == 1


def test_what_came_while_the_page_was_made_stays_unread(
    as_vera: Client, here: Conversation, line: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = conversations.mark_read

    def late(*args: Any) -> None:
        incoming(line, "And tomorrow?", peer=here.peer)
        read(*args)

    monkeypatch.setattr("messaging.conversations.mark_read", late)

    page = page_of(as_vera, address(here))

    assert "And tomorrow?" not in page.partition('class="thread')[2]
    assert conversation_with(here.peer).unread == 2


def test_looking_at_earlier_messages_reads_nothing(as_vera: Client, here: Conversation) -> None:
    page_of(as_vera, f"{address(here)}?before={here.last_id}")

    assert conversation_with(here.peer).unread == 1


def test_a_read_conversation_can_be_made_unread(as_bob: Client, here: Conversation) -> None:
    page_of(as_bob, address(here))

    response = as_bob.post(f"{address(here)}unread/")

    assert response["Location"] == "/inbox/"
    assert conversation_with(here.peer).unread == 1


def test_the_conversation_one_reads_stays_in_the_list_of_unread_ones(
    as_vera: Client, here: Conversation
) -> None:
    assert listed(page_of(as_vera, f"{address(here)}?show=unread")) == [here.peer]


def test_every_message_of_a_long_conversation_can_be_reached(
    as_vera: Client, here: Conversation, line: Phone
) -> None:
    for index in range(119):
        incoming(line, f"text {index}", peer=here.peer)

    url, texts = address(here), []
    while url:
        page = page_of(as_vera, url)
        texts = re.findall(r'<li class="bubble[^>]*>([^<]+)</li>', page) + texts
        earlier = re.search(r'href="([^"]+)" hx-get="[^"]+" hx-target="#earlier"', page)
        url = earlier[1] if earlier else ""

    assert texts == ["Are you open today?", *(f"text {index}" for index in range(119))]


def test_an_open_thread_is_answered_only_when_something_changed(
    as_vera: Client, here: Conversation, line: Phone, write: Callable[..., list[Message]]
) -> None:
    (ours,) = write(here.peer, text="Until six")
    ask = re.search(r'hx-get="([^"]+since=[^"]+)"', page_of(as_vera, address(here)))
    assert ask
    url = ask[1].replace("&amp;", "&")

    unchanged = as_vera.get(url, **HTMX)
    Message.objects.filter(pk=ours.pk).update(status=Status.DELIVERED)
    delivered = page_of(as_vera, url, **HTMX)
    incoming(line, "Thank you", peer=here.peer)
    answered = page_of(as_vera, url, **HTMX)

    assert unchanged.status_code == 204
    assert "Delivered" in delivered
    assert "Thank you" in answered
    assert "<html" not in answered
    assert conversation_with(here.peer).unread == 0


def test_a_page_that_learns_nothing_leaves_an_unread_mark_alone(
    as_vera: Client, here: Conversation
) -> None:
    ask = re.search(r'hx-get="([^"]+since=[^"]+)"', page_of(as_vera, address(here)))
    assert ask
    Conversation.objects.update(unread=1)

    as_vera.get(ask[1].replace("&amp;", "&"), **HTMX)

    assert conversation_with(here.peer).unread == 1


def test_days_are_those_of_the_person(as_vera: Client, vera: User, line: Phone) -> None:
    now = timezone.now()
    noon = now.replace(hour=12, minute=0, second=0, microsecond=0)
    # 23:30 UTC is the next day in Tokyo, whatever the season.
    late = noon - timedelta(days=2, hours=-11, minutes=-30)
    here = conversation_with(incoming(line, at=late).peer)

    def day_of(zone: str) -> str:
        User.objects.filter(pk=vera.pk).update(time_zone=zone)
        found = re.search(r'<li class="day-line">([^<]+)', page_of(as_vera, address(here)))
        return found[1] if found else ""

    assert day_of("UTC") != day_of("Asia/Tokyo")


def test_texts_and_names_are_escaped(as_vera: Client, line: Phone) -> None:
    Phone.objects.filter(pk=line.pk).update(name="<b>Line</b>")
    here = conversation_with(incoming(line, "<script>alert(1)</script>", peer="<i>Bank</i>").peer)

    for page in (page_of(as_vera, address(here)), page_of(as_vera, "/inbox/")):
        assert "<script>alert" not in page
        assert "<i>Bank" not in page
        assert "<b>Line" not in page


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"content_type": "image/png", "size": 3}, "<img "),
        ({"content_type": "image/svg+xml", "size": 3}, "Download the file (SVG"),
        ({"source": "https://example.org/1"}, "A picture is being fetched"),
        (
            {"source": "https://example.org/1", "problem": "Gone <b>."},
            "A picture could not be fetched: Gone &lt;b&gt;.",
        ),
    ],
    ids=["picture", "svg", "on its way", "missing"],
)
def test_a_picture_is_shown_offered_or_explained(
    as_vera: Client, line: Phone, fields: dict[str, Any], shown: str
) -> None:
    message = incoming(line, "")
    item = Media.objects.create(workspace=line.workspace, **fields)
    item.messages.add(message)
    if item.size:
        item.file.save("1.bin", ContentFile(b"abc"))

    page = page_of(as_vera, address(conversation_with(message.peer)))

    assert shown in page
    assert ("<img " in page) is (shown == "<img ")


def test_a_thread_costs_the_same_for_one_and_for_many(
    as_bob: Client,
    here: Conversation,
    line: Phone,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    page_of(as_bob, address(here))
    with django_assert_num_queries(14):
        page_of(as_bob, address(here))
    for index in range(30):
        incoming(line, f"text {index}", peer=here.peer)
    Conversation.objects.update(unread=0)
    Message.objects.update(read_at=timezone.now())

    with django_assert_num_queries(14):
        page_of(as_bob, address(here))


# ---- Answering ----------------------------------------------------------------------------------


def test_an_answer_leaves_by_the_phone_they_wrote_to(
    as_bob: Client, bob: User, here: Conversation, line: Phone, other_line: Phone
) -> None:
    response = answer(as_bob, here, "Yes\r\nuntil six")

    (message,) = sent()
    assert response["Location"] == address(here)
    assert (message.peer, message.phone, message.created_by) == (here.peer, line, bob)
    assert message.text == "Yes\nuntil six"
    assert message.status == Status.QUEUED


def test_it_leaves_by_the_phone_they_wrote_to_last(
    as_bob: Client, here: Conversation, other_line: Phone
) -> None:
    incoming(other_line, "And here?", peer=here.peer)

    answer(as_bob, here)

    assert sent()[0].phone == other_line


def test_a_double_click_sends_once(as_bob: Client, here: Conversation) -> None:
    submission = str(uuid.uuid4())

    answer(as_bob, here, submission=submission)
    second = answer(as_bob, here, submission=submission)

    assert second["Location"] == address(here)
    assert len(sent()) == 1


def test_another_text_from_a_page_one_went_back_to_is_not_lost(
    as_bob: Client, here: Conversation
) -> None:
    submission = str(uuid.uuid4())
    answer(as_bob, here, "First", submission=submission)

    changed = answer(as_bob, here, "Second", submission=submission)

    page = changed.content.decode()
    assert changed.status_code == 422
    assert "This changed one is not sent yet" in page
    assert "Second</textarea>" in page
    assert submission not in page
    assert [message.text for message in sent()] == ["First"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "There is nothing to send yet."),
        (" \r\n ", "There is nothing to send yet."),
        ("x" * 1601, "1600 is the most"),
    ],
    ids=["empty", "blank", "too long"],
)
def test_a_wrong_answer_is_refused_with_a_sentence(
    as_bob: Client, here: Conversation, text: str, said: str
) -> None:
    response = answer(as_bob, here, text)

    assert response.status_code == 422
    assert said in response.content.decode().replace(",", "")
    assert sent() == []


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ({"deleted_at": timezone.now()}, "They wrote to Line, which was deleted."),
        (
            {"paused_at": timezone.now(), "pause_reason": "no_credit"},
            "the account is empty",
        ),
    ],
    ids=["deleted", "paused"],
)
def test_when_their_phone_cannot_send_another_has_to_be_chosen(
    as_bob: Client,
    here: Conversation,
    line: Phone,
    other_line: Phone,
    trouble: dict[str, Any],
    said: str,
) -> None:
    Phone.objects.filter(pk=line.pk).update(**trouble)

    page = page_of(as_bob, address(here))
    unchosen = answer(as_bob, here)
    insisting = answer(as_bob, here, phone=line.pk)
    assert sent() == []
    answer(as_bob, here, phone=other_line.pk)

    assert said in page
    assert "Other line" in page
    assert unchosen.status_code == insisting.status_code == 422
    assert [message.phone for message in sent()] == [other_line]


def test_a_phone_of_another_workspace_cannot_be_chosen(
    as_bob: Client, here: Conversation, charlie: User
) -> None:
    workspace = charlie.memberships.get().workspace
    foreign = Phone.objects.create(workspace=workspace, type="scripted", name="His", settings={})

    response = answer(as_bob, here, phone=foreign.pk)

    assert response.status_code == 422
    assert sent() == []


def test_without_any_phone_the_page_says_so(
    as_bob: Client, here: Conversation, line: Phone
) -> None:
    Phone.objects.update(deleted_at=timezone.now())

    page = page_of(as_bob, address(here))

    assert "No other phone can send now." in page
    assert "<textarea" not in page
    refused = answer(as_bob, here, "Five lines of thought")
    assert refused.status_code == 422
    # What somebody typed is not thrown away.
    assert "Five lines of thought" in refused.content.decode()


def test_a_paused_phone_without_a_substitute_warns_that_the_answer_waits(
    as_bob: Client, here: Conversation, line: Phone
) -> None:
    Phone.objects.update(paused_at=timezone.now(), pause_reason="person")

    page = page_of(as_bob, address(here))

    assert "messages wait until somebody starts it" in page
    assert "<textarea" in page


def test_who_opted_out_is_not_answered(as_bob: Client, here: Conversation) -> None:
    OptOut.objects.create(workspace=here.workspace, number=here.peer, source="provider")

    page = page_of(as_bob, address(here))
    response = answer(as_bob, here)

    assert "This person asked for no more messages." in page
    assert "<textarea" not in page
    assert response.status_code == 422
    assert sent() == []


@pytest.mark.parametrize("peer", ["My Bank", "36105"], ids=["name", "short code"])
def test_what_is_no_number_is_not_answered(as_bob: Client, line: Phone, peer: str) -> None:
    here = conversation_with(incoming(line, peer=peer).peer)

    page = page_of(as_bob, address(here))

    assert "it takes no reply" in page
    assert answer(as_bob, here).status_code == 422
    assert sent() == []


def test_the_length_is_counted_without_a_script_and_can_be_mended(
    as_bob: Client, here: Conversation
) -> None:
    response = answer(as_bob, here, "It’s open", replace="1")

    page = response.content.decode()
    assert response.status_code == 200
    assert "It&#x27;s open</textarea>" in page
    assert "9 of 160 characters" in page
    assert sent() == []


def test_a_click_twice_works_after_their_phone_was_paused(
    as_bob: Client, here: Conversation, line: Phone, other_line: Phone
) -> None:
    submission = str(uuid.uuid4())
    answer(as_bob, here, submission=submission)
    Phone.objects.filter(pk=line.pk).update(paused_at=timezone.now(), pause_reason="person")

    second = answer(as_bob, here, submission=submission)

    assert second["Location"] == address(here)
    assert len(sent()) == 1


# ---- Who may ------------------------------------------------------------------------------------


def test_a_viewer_reads_and_cannot_answer(as_vera: Client, here: Conversation) -> None:
    page = page_of(as_vera, address(here))

    assert "<textarea" not in page
    assert "Mark unread" not in page
    assert answer(as_vera, here).status_code == 403
    assert as_vera.post(f"{address(here)}unread/").status_code == 403
    assert sent() == []


def test_a_stranger_finds_nothing(as_charlie: Client, here: Conversation) -> None:
    assert listed(page_of(as_charlie, "/inbox/")) == []
    assert as_charlie.get(address(here)).status_code == 404
    assert as_charlie.get(f"{address(here)}?since=0", **HTMX).status_code == 404
    assert answer(as_charlie, here).status_code == 404
    assert as_charlie.post(f"{address(here)}unread/").status_code == 404
    assert conversation_with(here.peer).unread == 1


@pytest.mark.parametrize("path", ["/inbox/", "/inbox/{pk}/", "/calls/"])
def test_one_has_to_log_in(client: Client, alice: User, here: Conversation, path: str) -> None:
    response = client.get(path.format(pk=here.pk))

    assert response.status_code == 302
    assert response["Location"].startswith("/login/")
