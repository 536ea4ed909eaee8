"""Long messages that come in parts: each becomes one message, whole, whatever the order."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from messaging.models import Conversation, IncomingPart, Message, PartSet
from messaging.receiving import apply, show_partial
from phones.base import IncomingMedia, IncomingSms, Part
from phones.models import Phone
from tests.messaging.conftest import number

pytestmark = pytest.mark.django_db

TEXTS = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=2, max_size=4
)


def part(
    text: str, at: int, total: int, *, name: str = "", reference: str = "7", sender: int = 1
) -> IncomingSms:
    return IncomingSms(number(sender), text, name, to="36105", part=Part(reference, at, total))


def pieces(texts: Sequence[str], named: str = "", **more: object) -> list[IncomingSms]:
    """Give the parts of one message, each with an id that begins with `named`, if it is given."""
    return [
        part(text, at, len(texts), name=named and f"{named}{at}", **more)  # type: ignore[arg-type]
        for at, text in enumerate(texts, 1)
    ]


def texts() -> list[str]:
    return list(Message.objects.order_by("pk").values_list("text", flat=True))


def pass_time(**time: int) -> None:
    ago = timezone.now() - timedelta(**time)
    PartSet.objects.update(created_at=ago)
    IncomingPart.objects.update(received_at=ago)


@hypothesis_settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(messages=st.lists(TEXTS, min_size=1, max_size=3), named=st.booleans(), data=st.data())
def test_any_order_and_repetition_gives_each_message_once_and_whole(
    line: Phone, messages: list[list[str]], named: bool, data: st.DataObject
) -> None:
    PartSet.objects.all().delete()
    Message.objects.all().delete()
    every = [
        event
        for index, written in enumerate(messages)
        for event in pieces(written, "ABC"[index] if named else "", reference=str(index))
    ]
    order = data.draw(st.permutations(every + data.draw(st.lists(st.sampled_from(every)))))

    for event in order:
        apply(line, [event])

    assert sorted(texts()) == sorted("".join(written) for written in messages)
    assert not Message.objects.filter(partial=True).exists()


def test_a_message_keeps_the_name_and_the_number_of_its_parts(line) -> None:
    apply(line, pieces(["One ", "two ", "three"], "IN")[::-1])

    message = Message.objects.get()
    assert (message.text, message.provider_id, message.segments) == ("One two three", "IN1", 3)
    assert (message.peer, message.own) == (number(1), "36105")
    assert Conversation.objects.get().unread == 1


def test_nothing_is_shown_while_parts_are_on_their_way(line) -> None:
    about = apply(line, [part("One ", 1, 2)])
    shown = show_partial()

    assert (about, shown, texts()) == ([], 0, [])


def test_a_character_cut_in_two_is_whole_again(line) -> None:
    high, low = "\ud83d", "\ude00"

    apply(line, pieces([f"Fine {high}", f"{low}!"]))

    assert texts() == ["Fine 😀!"]


def test_a_late_repetition_of_any_part_makes_no_second_message(line) -> None:
    events = pieces(["One ", "two"], "IN")
    apply(line, events)
    pass_time(days=30)

    for event in events:
        assert apply(line, [event]) == []

    show_partial()
    assert texts() == ["One two"]


def test_what_is_there_is_shown_after_a_while(line) -> None:
    apply(line, [part("One ", 1, 4), part(" four", 4, 4)])
    pass_time(minutes=11)

    shown = show_partial(), show_partial()

    message = Message.objects.get()
    assert shown == (1, 0)
    assert (message.text, message.partial) == ("One […] four", True)


def test_a_part_that_comes_late_completes_its_message(line) -> None:
    apply(line, [part("two", 2, 2, name="IN2")])
    pass_time(minutes=11)
    show_partial()
    Message.objects.update(read_at=timezone.now())
    Conversation.objects.update(unread=0)

    apply(line, [part("One ", 1, 2, name="IN1")])

    message = Message.objects.get()
    assert (message.text, message.partial, message.read_at) == ("One two", False, None)
    assert Conversation.objects.get().unread == 1


def test_a_part_of_another_day_is_not_mixed_with_a_new_message(line) -> None:
    apply(line, [part("Old ", 1, 2)])
    pass_time(hours=25)

    apply(line, [part("two", 2, 2), part("New ", 1, 2)])
    show_partial()

    assert texts() == ["New two", "Old […]"]


def test_a_number_used_again_begins_a_new_message(line) -> None:
    apply(line, pieces(["One ", "two"], "A"))

    apply(line, pieces(["Three ", "four"], "B"))
    apply(line, pieces(["Three ", "four"], "C"))

    assert texts() == ["One two", "Three four", "Three four"]


def test_a_number_used_again_after_a_part_was_lost_mixes_nothing(line) -> None:
    apply(line, [part("Lost ", 1, 2)])
    pass_time(minutes=11)
    show_partial()

    apply(line, pieces(["One ", "two"]))

    assert texts() == ["Lost […]", "One two"]


def test_people_and_messages_of_other_lengths_are_told_apart(line) -> None:
    mine, other, longer = (
        pieces(["a", "b"]),
        pieces(["c", "d"], sender=2),
        pieces(["e", "f", "g"]),
    )

    apply(line, [mine[0], other[0], longer[0], longer[1], mine[1], other[1], longer[2]])

    assert texts() == ["ab", "cd", "efg"]


@pytest.mark.parametrize(("at", "total"), [(1, 1), (0, 2), (3, 2), (1, 256), (-1, -1)])
def test_what_counts_wrongly_is_a_message_by_itself(at, total, line) -> None:
    apply(line, [part("One", at, total)])

    assert texts() == ["One"]


def test_a_part_with_a_picture_is_a_message_by_itself(line) -> None:
    picture = IncomingMedia("https://x.test/1", "image/png")

    apply(line, [IncomingSms(number(1), "", "IN1", media=(picture,), part=Part("7", 1, 2))])

    assert Message.objects.get().media.count() == 1


def test_a_message_told_whole_before_is_not_told_in_parts_again(line) -> None:
    apply(line, [IncomingSms(number(1), "One", "IN1", to="36105")])

    apply(line, [part("One", 1, 2, name="IN1")])
    pass_time(minutes=11)
    show_partial()

    assert texts() == ["One"]


@pytest.mark.database
@pytest.mark.django_db(transaction=True)
def test_two_workers_that_get_two_parts_at_once_make_one_message(line) -> None:
    together = threading.Barrier(3)

    def receive(event: IncomingSms) -> None:
        together.wait()
        apply(line, [event])
        connection.close()

    workers = [
        threading.Thread(target=receive, args=[event])
        for event in pieces(["One ", "two ", "three"], "IN")
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert texts() == ["One two three"]


# ---- What people see ----------------------------------------------------------------------------


def test_a_partial_message_says_so_where_it_is_read(line, as_vera: Client) -> None:
    apply(line, [part("One ", 1, 3), part("three", 3, 3)])
    pass_time(minutes=11)
    show_partial()
    message, conversation = Message.objects.get(), Conversation.objects.get()

    page = as_vera.get(f"/messages/{message.pk}/").text
    thread = as_vera.get(f"/inbox/{conversation.pk}/").text

    assert "Part 2 of 3 never came" in page
    assert "but a part of it never came" in page
    assert "A part of this message never came." in thread
    assert "One […]three" in thread


def test_an_open_page_shows_the_part_that_came_late(line, as_vera: Client) -> None:
    htmx = {"HX-Request": "true"}
    apply(line, [part("One ", 1, 2)])
    pass_time(minutes=11)
    show_partial()
    message, conversation = Message.objects.get(), Conversation.objects.get()
    shown = as_vera.get(f"/messages/{message.pk}/").context["page"]
    thread = as_vera.get(f"/inbox/{conversation.pk}/").context["thread"]

    apply(line, [part("two", 2, 2)])
    page = as_vera.get(f"/messages/{message.pk}/", {"seen": shown.fingerprint}, headers=htmx)
    news = as_vera.get(
        f"/inbox/{conversation.pk}/",
        {"since": thread.first, "seen": thread.version},
        headers=htmx,
    )

    assert shown.every
    assert "Part 2 of 2 came late" in page.text
    assert "never came" not in page.text
    assert "One two" in news.text
