"""The list of calls: who rang, how it ended, and writing back."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from messaging.models import Call
from phones.models import Phone
from tests.messaging.conftest import number

pytestmark = pytest.mark.django_db


def call(phone: Phone, index: int = 1, **fields: Any) -> Call:
    fields = {"peer": number(index), "started_at": timezone.now(), **fields}
    return Call.objects.create(
        workspace=phone.workspace, phone=phone, provider_id=f"call-{index}", **fields
    )


def page_of(client: Client, url: str = "/calls/", **headers: Any) -> str:
    response = client.get(url, **headers)
    assert response.status_code == 200
    return str(response.content.decode())


@pytest.mark.parametrize(
    ("outcome", "seconds", "said", "length"),
    [
        ("no-answer", 20, "Missed", "0:20"),
        ("completed", 3725, "Answered", "1:02:05"),
        ("voicemail", None, "voicemail", "–"),
        ("", 5, "Ended", "0:05"),
    ],
    ids=["missed", "answered", "unknown word", "no word"],
)
def test_a_call_says_how_it_ended(
    as_vera: Client, phone: Phone, outcome: str, seconds: int | None, said: str, length: str
) -> None:
    call(phone, outcome=outcome, seconds=seconds, ended_at=timezone.now())

    page = page_of(as_vera)

    assert said in page
    assert length in page
    assert phone.name in page


@pytest.mark.parametrize(
    ("minutes", "said"),
    [(0, "Ringing"), (3, "Its end was not reported")],
    ids=["just now", "long ago"],
)
def test_a_call_does_not_ring_for_ever(
    as_vera: Client, phone: Phone, minutes: int, said: str
) -> None:
    call(phone, started_at=timezone.now() - timedelta(minutes=minutes))

    assert said in page_of(as_vera)


def test_one_can_write_to_who_called(as_bob: Client, as_vera: Client, phone: Phone) -> None:
    call(phone)
    link = f'href="/compose/?to=%2B33600000001&amp;phone={phone.pk}"'

    assert link in page_of(as_bob)
    assert link not in page_of(as_vera)


def test_who_hides_the_number_is_listed_and_cannot_be_written_to(
    as_bob: Client, phone: Phone
) -> None:
    call(phone, peer="anonymous")

    page = page_of(as_bob)

    assert "Hidden number" in page
    assert "Write to them" not in page


def test_every_call_is_on_exactly_one_page(as_vera: Client, phone: Phone) -> None:
    for index in range(105):
        call(phone, index)

    url, seen = "/calls/", []
    while url:
        page = page_of(as_vera, url)
        seen += re.findall(r"<td class=\"strong[^>]*><bdi class=\"num\">([^<]+)", page)
        older = re.search(r'href="([^"]+)">Older', page)
        url = older[1] if older else ""

    assert len(seen) == len(set(seen)) == 105


def test_an_open_page_gets_the_list_alone(as_vera: Client, phone: Phone) -> None:
    call(phone)

    page = page_of(as_vera, HTTP_HX_REQUEST="true")

    assert 'id="calls"' in page
    assert "<html" not in page


def test_an_empty_list_names_the_phones_that_can_tell_of_calls(
    as_vera: Client, phone: Phone
) -> None:
    assert "Simulator can tell of calls" in page_of(as_vera)


def test_an_empty_list_says_when_no_phone_can(as_vera: Client, phone: Phone) -> None:
    Phone.objects.update(deleted_at=timezone.now())

    assert "No phone here can tell of calls" in page_of(as_vera)


def test_a_stranger_sees_no_call(as_charlie: Client, phone: Phone) -> None:
    call(phone)

    assert "<bdi" not in page_of(as_charlie)


def test_what_callers_and_phones_are_named_is_escaped(as_bob: Client, phone: Phone) -> None:
    Phone.objects.update(name="<b>Line</b>")
    call(phone, peer="<i>X</i>", outcome="<u>odd</u>", ended_at=timezone.now())

    page = page_of(as_bob)

    assert not {"<b>Line", "<i>X", "<u>odd"} & set(re.findall(r"<[biu]>\w+", page))


def test_the_list_costs_the_same_for_one_and_for_many(
    as_vera: Client, phone: Phone, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    call(phone, 0)
    with django_assert_num_queries(8):
        page_of(as_vera)
    for index in range(1, 30):
        call(phone, index)

    with django_assert_num_queries(8):
        page_of(as_vera)
