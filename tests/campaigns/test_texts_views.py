"""Texts that are kept: who may write them, what is refused and where, how they are taken up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import path

from accounts.models import Workspace
from campaigns.models import Campaign, Text
from contacts.models import Contact
from messaging.models import Message
from phones.models import Phone
from smsapp.urls import urlpatterns as every
from tests.campaigns.conftest import messages, work
from tests.messaging.test_compose_views import fields, post

pytestmark = pytest.mark.django_db

# What campaigns are begun with: another page's work, known here by its name only.
urlpatterns = [*every, path("begin/", lambda request: HttpResponse(), name="campaign_new")]


def keep(workspace: Workspace, name: str = "Bus", source: str = "The bus is late.") -> Text:
    return Text.objects.create(workspace=workspace, name=name, folded=name.lower(), source=source)


# ---- Keeping ------------------------------------------------------------------------------------


def test_a_text_is_kept_exactly(as_bob: Client, workspace: Workspace) -> None:
    source = "Hello {{ contact.firstname }},\n  the bus is late. "

    answer = as_bob.post(
        "/texts/add/", {"name": " The  bus ", "source": source.replace("\n", "\r\n")}
    )

    assert answer.headers["Location"] == "/texts/"
    text = Text.objects.get()
    assert (text.workspace, text.name, text.folded) == (workspace, "The bus", "the bus")
    assert text.source == source


def test_a_text_can_be_changed(as_bob: Client, workspace: Workspace) -> None:
    text = keep(workspace)

    as_bob.post(f"/texts/{text.pk}/edit/", {"name": "Bus", "source": "On time"})

    text.refresh_from_db()
    assert (text.name, text.source) == ("Bus", "On time")


def test_a_name_is_there_once(as_bob: Client, workspace: Workspace) -> None:
    keep(workspace)

    answer = as_bob.post("/texts/add/", {"name": "BUS", "source": "x"})

    assert answer.status_code == 422
    assert "There is a text of this name already." in answer.text


def test_a_text_goes_after_a_question(as_bob: Client, workspace: Workspace) -> None:
    text = keep(workspace)

    assert "Delete the text Bus?" in as_bob.get(f"/texts/{text.pk}/delete/").text
    assert Text.objects.exists()
    as_bob.post(f"/texts/{text.pk}/delete/")
    assert not Text.objects.exists()


def test_an_error_is_shown_at_its_place_and_keeps_nothing(as_bob: Client) -> None:
    answer = as_bob.post("/texts/add/", {"name": "Bus", "source": "Hello\n{{ contact.firstnam }}!"})

    assert answer.status_code == 422
    assert "Line 2, column 4:" in answer.text
    assert "Did you mean “contact.firstname”?" in answer.text
    assert "<mark>contact.firstnam</mark>" in answer.text
    assert not Text.objects.exists()


def test_a_slip_is_shown_and_hinders_nobody(as_bob: Client, workspace: Workspace) -> None:
    as_bob.post("/texts/add/", {"name": "Bus", "source": "Hello {firstname}"})

    text = Text.objects.get()
    assert "This is sent as it stands." in as_bob.get(f"/texts/{text.pk}/edit/").text


def test_a_column_of_any_file_may_be_named(as_bob: Client) -> None:
    as_bob.post("/texts/add/", {"name": "Bus", "source": "{{ row.child }} is late"})

    assert Text.objects.exists()


def test_guilty_characters_are_replaced_on_request(as_bob: Client) -> None:
    answer = as_bob.post("/texts/add/", {"name": "Bus", "source": "Can’t come", "replace": "1"})

    assert answer.status_code == 200
    assert "Can&#x27;t come" in answer.text
    assert not Text.objects.exists()


# ---- While it is written ------------------------------------------------------------------------


def test_it_is_read_as_somebody_would_read_it(as_bob: Client, workspace: Workspace) -> None:
    Contact.objects.create(workspace=workspace, number="+33612345678", name="Nadia Benali")

    answer = as_bob.post("/texts/check/", {"source": "Hi {{ contact.firstname }} from {{ row.x }}"})

    assert "Hi Nadia from " in answer.text
    assert "As Nadia Benali would read it" in answer.text
    assert "<code>row.x</code>" in answer.text


def test_half_a_text_says_what_is_missing(as_bob: Client) -> None:
    answer = as_bob.post("/texts/check/", {"source": "Hi {{ contact.firstname"})

    assert answer.status_code == 200
    assert "This is never closed" in answer.text


# ---- The list -----------------------------------------------------------------------------------


def test_the_list_finds_by_name_and_by_words(as_vera: Client, workspace: Workspace) -> None:
    keep(workspace)
    keep(workspace, "Opening hours", "We open at nine.")

    everything = as_vera.get("/texts/").text
    assert "The bus is late." in everything
    assert "We open at nine." in everything
    assert "Opening" not in as_vera.get("/texts/?q=BUS").text
    assert "Opening" in as_vera.get("/texts/?q=nine").text
    assert "No text has" in as_vera.get("/texts/?q=train").text


def test_who_looks_is_offered_nothing_to_do(as_vera: Client, workspace: Workspace) -> None:
    text = keep(workspace)

    page = as_vera.get("/texts/").text

    assert f"/texts/{text.pk}/" not in page
    assert "/texts/add/" not in page


def test_a_long_list_comes_in_pages(
    as_bob: Client, workspace: Workspace, django_assert_max_num_queries: Any
) -> None:
    Text.objects.bulk_create(
        Text(workspace=workspace, name=f"T{n:03}", folded=f"t{n:03}", source="x") for n in range(60)
    )

    with django_assert_max_num_queries(8):
        first = as_bob.get("/texts/").text
    rest = as_bob.get("/texts/?after=t049").text

    assert ("T049" in first, "T050" in first) == (True, False)
    assert ("T049" in rest, "T050" in rest, "T059" in rest) == (False, True, True)


def test_each_text_says_what_it_can_be_taken_up_in(
    as_bob: Client, workspace: Workspace, settings: Any
) -> None:
    settings.ROOT_URLCONF = __name__
    keep(workspace)
    assert as_bob.get("/texts/").text.count('name="begin"') == 2

    Text.objects.update(source="Hi {{ contact.firstname }}")
    page = as_bob.get("/texts/").text
    assert page.count('name="begin"') == 1
    assert 'action="/begin/"' in page


def test_a_text_is_taken_up_in_a_message(as_bob: Client, phone: Phone) -> None:
    answer = as_bob.post("/compose/", {"begin": "1", "text": "The bus is late." * 100})

    assert answer.status_code == 200
    assert "The bus is late." * 100 in answer.text
    assert not Message.objects.exists()


def test_the_menu_of_an_editor_offers_texts(as_bob: Client, workspace: Workspace) -> None:
    assert "No text is kept yet." in as_bob.get("/texts/menu/").text
    keep(workspace, source='Say "no" to {{ contact.firstname }}')

    assert (
        'data-insert="Say &quot;no&quot; to {{ contact.firstname }}"'
        in as_bob.get("/texts/menu/").text
    )


# ---- Merge fields in a message ------------------------------------------------------------------


@pytest.mark.parametrize("asked", [{}, {"check": "1"}], ids=["send", "check"])
def test_a_message_says_that_fields_work_in_campaigns(
    as_bob: Client, phone: Phone, settings: Any, asked: dict[str, str]
) -> None:
    settings.ROOT_URLCONF = __name__

    answer = post(as_bob, phone, text="Hi {{ contact.firstname }}", **asked)

    assert answer.status_code == 422
    assert "Merge fields are filled in by campaigns" in answer.text
    assert 'formaction="/begin/"' in answer.text
    assert not Message.objects.exists()


def test_the_preview_of_a_message_says_so_at_once(as_bob: Client, phone: Phone) -> None:
    said = "Merge fields are filled in by campaigns"

    assert said in as_bob.post("/compose/preview/", fields(phone, text="{% if x")).text
    assert said not in as_bob.post("/compose/preview/", fields(phone, text="{ x }")).text


def test_braces_that_are_meant_are_sent(as_bob: Client, phone: Phone) -> None:
    post(as_bob, phone, text="Write {{ name }}", literal="on")

    assert Message.objects.get().text == "Write {{ name }}"


# ---- In a campaign ------------------------------------------------------------------------------


def test_each_person_gets_their_own_words_or_a_reason(
    begin: Callable[..., Campaign], workspace: Workspace
) -> None:
    workspace.fields.create(key="due", label="Due", type="date")
    people = {
        "Nadia Benali": {"due": "2026-12-24"},
        "Luc": {},
        "Zoé": {"due": "2026-12-25"},
    }
    ids = [
        Contact.objects.create(
            workspace=workspace,
            name=name,
            number=f"+3361234567{place}",
            values=values,
            language="fr",
        ).pk
        for place, (name, values) in enumerate(people.items())
    ]
    text = (
        '{{ contact.firstname }}, {{ contact.due | date: "%-d %B" | default: "bientôt" }} '
        "{{ contact.lastname | default: 10 | divided_by: 2 }}"
    )

    campaign = work(begin(text=text, who=[f"c{pk}" for pk in ids]))

    first, *others = messages(campaign)
    assert (first.status, first.reason) == ("skipped", "bad_text")
    assert [message.text for message in others] == ["Luc, bientôt 5", "Zoé, 25 décembre 5"]
