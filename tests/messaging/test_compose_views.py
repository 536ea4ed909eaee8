"""Writing a message: what is read, what is refused and why, and that a click never sends twice."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from accounts.models import User, Workspace
from contacts.models import OptOut
from messaging.models import Media, Message, Status
from phones import quotas
from phones.models import Limit, Phone, Pool, PoolPhone

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40


def fields(phone: Phone | str, **changes: Any) -> dict[str, Any]:
    """What the browser posts."""
    return {
        "to": "06 12 34 56 78",
        "text": "Hello",
        "phone": phone if isinstance(phone, str) else phone.pk,
        "when": "now",
        "at": "",
        "submission": str(uuid.uuid4()),
        **changes,
    }


@pytest.fixture
def office(workspace: Workspace, scripted: Any) -> Phone:
    """A phone of a type that can send pictures and no flash messages."""
    return Phone.objects.create(workspace=workspace, type="scripted", name="Office", settings={})


def post(client: Client, phone: Phone | str, **changes: Any) -> Any:
    return client.post("/compose/", fields(phone, **changes))


def in_paris(at: datetime) -> str:
    return f"{at.astimezone(ZoneInfo('Europe/Paris')):%Y-%m-%dT%H:%M}"


# ---- Sending ------------------------------------------------------------------------------------


def test_one_message_is_queued_and_its_page_opens(as_bob: Client, bob: User, phone: Phone) -> None:
    answer = post(as_bob, phone)

    message = Message.objects.get()
    assert answer.headers["Location"] == f"/messages/{message.pk}/"
    assert (message.peer, message.text, message.status) == ("+33612345678", "Hello", Status.QUEUED)
    assert (message.phone, message.created_by) == (phone, bob)


def test_several_numbers_get_a_message_each_and_the_list_of_them_opens(
    as_bob: Client, phone: Phone
) -> None:
    submission = uuid.uuid4()

    answer = as_bob.post(
        "/compose/",
        fields(phone, to="0612345678; +33 6 98 76 54 32\n06.11.22.33.44", submission=submission),
        follow=True,
    )

    assert answer.redirect_chain == [(f"/messages/?submission={submission}", 302)]
    assert set(Message.objects.values_list("peer", flat=True)) == {
        "+33612345678",
        "+33698765432",
        "+33611223344",
    }
    assert "3 messages are on their way." in answer.text


def test_a_number_that_is_there_twice_gets_one_message_and_that_is_said(
    as_bob: Client, phone: Phone
) -> None:
    answer = as_bob.post("/compose/", fields(phone, to="0612345678, +33612345678"), follow=True)

    assert Message.objects.count() == 1
    assert "1 twice" in answer.text


def test_line_breaks_count_as_one_character_as_they_do_on_the_air(
    as_bob: Client, phone: Phone
) -> None:
    post(as_bob, phone, text="a\r\n" * 80)

    message = Message.objects.get()
    assert message.text == "a\n" * 80
    assert message.segments == 1


@pytest.mark.parametrize("clicks", [2, 3])
def test_a_double_click_sends_once_and_shows_the_first_result(
    as_bob: Client, phone: Phone, clicks: int
) -> None:
    form = fields(phone)

    answers = [as_bob.post("/compose/", form) for _ in range(clicks)]

    assert Message.objects.count() == 1
    assert len({answer.headers["Location"] for answer in answers}) == 1


def test_a_form_that_was_changed_after_it_was_sent_is_offered_as_a_new_message(
    as_bob: Client, phone: Phone
) -> None:
    form = fields(phone)
    as_bob.post("/compose/", form)

    answer = as_bob.post("/compose/", {**form, "text": "Something else"})

    assert Message.objects.count() == 1
    assert "not sent yet" in answer.text
    assert "Something else" in answer.text
    assert form["submission"] not in answer.text


def test_somebody_else_s_submission_does_not_open(
    as_bob: Client, as_charlie: Client, phone: Phone
) -> None:
    form = fields(phone)
    as_bob.post("/compose/", form)

    answer = as_charlie.post("/compose/", form)

    assert answer.status_code == 422
    assert Message.objects.count() == 1


def test_people_who_opted_out_get_nothing_and_are_counted(
    as_bob: Client, workspace: Workspace, phone: Phone
) -> None:
    OptOut.objects.create(workspace=workspace, number="+33612345678", source="person")

    answer = as_bob.post("/compose/", fields(phone, to="0612345678, 0698765432"), follow=True)

    statuses = dict(Message.objects.values_list("peer", "status"))
    assert statuses == {"+33612345678": Status.SKIPPED, "+33698765432": Status.QUEUED}
    assert "1 opted out" in answer.text


def test_nobody_left_to_write_to_is_refused(
    as_bob: Client, workspace: Workspace, phone: Phone
) -> None:
    OptOut.objects.create(workspace=workspace, number="+33612345678", source="person")

    answer = post(as_bob, phone)

    assert answer.status_code == 422
    assert "nobody to write to" in answer.text
    assert not Message.objects.exists()


# ---- What is refused, and why -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("to", "said"),
    [
        pytest.param("", "Type at least one number.", id="nothing"),
        pytest.param(
            "06 12 34 5", "“06 12 34 5” is too short to be a number in France.", id="short"
        ),
        pytest.param(
            "+33 6 12", "“+33 6 12” is too short to be a phone number.", id="short-abroad"
        ),
        pytest.param("Nadia", "“Nadia” is not a phone number.", id="name"),
        pytest.param("<b>x</b>", "“&lt;b&gt;x&lt;/b&gt;” is not a phone number.", id="html"),
        pytest.param(
            "\n".join(f"+336{index:08d}" for index in range(1001)),
            "These are 1,001 numbers; one message goes to 1,000 at most.",
            id="too-many",
        ),
    ],
)
def test_wrong_numbers_are_named_with_the_reason(
    as_bob: Client, phone: Phone, to: str, said: str
) -> None:
    answer = post(as_bob, phone, to=to)

    assert answer.status_code == 422
    assert said in answer.text
    assert not Message.objects.exists()


def test_a_wrong_number_keeps_the_others_from_leaving(as_bob: Client, phone: Phone) -> None:
    answer = post(as_bob, phone, to="0612345678, 06 12")

    assert not Message.objects.exists()
    assert "0612345678, 06 12" in answer.text


def test_a_thousand_numbers_are_taken(as_bob: Client, phone: Phone) -> None:
    post(as_bob, phone, to="\n".join(f"+336{index:08d}" for index in range(1000)))

    assert Message.objects.count() == 1000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "There is nothing to send yet.", id="empty"),
        pytest.param("  \n ", "There is nothing to send yet.", id="blank"),
        pytest.param("x" * 1601, "The text has 1,601 characters; 1,600 is the most", id="long"),
    ],
)
def test_a_text_that_cannot_be_sent_is_refused(
    as_bob: Client, phone: Phone, text: str, said: str
) -> None:
    answer = post(as_bob, phone, text=text)

    assert answer.status_code == 422
    assert said in answer.text
    assert not Message.objects.exists()


def test_a_picture_goes_without_a_text(as_bob: Client, phone: Phone) -> None:
    post(as_bob, phone, text="", picture=SimpleUploadedFile("a.txt", PNG, "text/plain"))

    media = Media.objects.get()
    assert media.content_type == "image/png"
    assert list(media.messages.all()) == [Message.objects.get()]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"<svg/>", "no JPEG, PNG or GIF", id="svg"),
        pytest.param(b"", "no JPEG, PNG or GIF", id="empty"),
        pytest.param(PNG + b"\0" * (5 * 1024 * 1024), "larger than", id="large"),
    ],
)
def test_a_file_that_is_no_picture_is_refused(
    as_bob: Client, phone: Phone, content: bytes, said: str
) -> None:
    picture = SimpleUploadedFile("a.png", content, "image/png")

    answer = post(as_bob, phone, picture=picture)

    assert answer.status_code == 422
    assert said in answer.text
    assert not Message.objects.exists()


def test_a_phone_that_cannot_do_it_is_refused_with_the_reason(
    as_bob: Client, office: Phone
) -> None:
    answer = post(as_bob, office, flash="on")

    assert "Office cannot send flash messages." in answer.text
    assert not Message.objects.exists()


def test_a_paused_phone_is_refused_while_another_could_send(
    as_bob: Client, phone: Phone, office: Phone
) -> None:
    Phone.objects.filter(pk=office.pk).update(paused_at=timezone.now(), pause_reason="no_credit")

    answer = post(as_bob, office)

    assert "Office: paused since" in answer.text
    assert ": the account is empty. Choose another phone." in answer.text
    assert not Message.objects.exists()


def test_a_paused_phone_keeps_messages_waiting_where_there_is_no_other(
    as_bob: Client, phone: Phone
) -> None:
    Phone.objects.filter(pk=phone.pk).update(paused_at=timezone.now(), pause_reason="person")

    page = as_bob.get("/compose/")
    post(as_bob, phone)

    assert "messages wait until somebody starts it" in page.text
    assert Message.objects.get().status == Status.QUEUED


def test_a_phone_of_another_workspace_is_refused(as_charlie: Client, phone: Phone) -> None:
    answer = post(as_charlie, phone)

    assert answer.status_code == 422
    assert not Message.objects.exists()


# ---- When ---------------------------------------------------------------------------------------


def test_a_later_message_waits_for_its_time_in_the_person_s_zone(
    as_bob: Client, phone: Phone
) -> None:
    at = (timezone.now() + timedelta(days=1)).replace(second=0, microsecond=0)

    answer = as_bob.post("/compose/", fields(phone, when="later", at=in_paris(at)), follow=True)

    message = Message.objects.get()
    assert (message.send_at, message.not_before) == (at, at)
    assert "1 message will leave on" in answer.text


@pytest.mark.parametrize(
    ("at", "said"),
    [
        pytest.param("", "Choose the day and the time", id="missing"),
        pytest.param("2020-01-01T10:00", "This time has passed.", id="past"),
        pytest.param("soon", "This is not a date and a time.", id="words"),
        pytest.param("2205-01-01T10:00", "more than a year ahead", id="slip"),
        pytest.param("2027-03-28T02:30", "This time does not exist", id="skipped-by-the-clock"),
    ],
)
def test_a_time_that_cannot_be_is_refused(as_bob: Client, phone: Phone, at: str, said: str) -> None:
    answer = post(as_bob, phone, when="later", at=at)

    assert answer.status_code == 422
    assert said in answer.text
    assert not Message.objects.exists()


def test_a_wrong_time_does_not_matter_when_it_is_to_leave_now(as_bob: Client, phone: Phone) -> None:
    post(as_bob, phone, when="now", at="2020-01-01T10:00")

    assert Message.objects.get().status == Status.QUEUED


# ---- The page -----------------------------------------------------------------------------------


def test_the_address_fills_the_form(as_bob: Client, phone: Phone, office: Phone) -> None:
    page = as_bob.get(
        "/compose/", {"to": "+33612345678", "text": "Hi </textarea><b>", "phone": office.pk}
    )

    assert "+33612345678" in page.text
    assert "Hi &lt;/textarea&gt;&lt;b&gt;" in page.text
    assert f'value="{office.pk}" required checked' in page.text


def test_the_guilty_character_is_named_and_replaced_by_the_server_too(
    as_bob: Client, phone: Phone
) -> None:
    refused = post(as_bob, phone, to="", text="Can’t come?")
    replaced = post(as_bob, phone, text="Can’t come?", replace="1")

    assert "One character needs Unicode:" in refused.text
    assert '<span class="char">’</span>' in refused.text
    assert "Can&#x27;t come?" in replaced.text
    assert not Message.objects.exists()


def test_check_says_what_would_happen_and_sends_nothing(as_bob: Client, phone: Phone) -> None:
    answer = post(as_bob, phone, to="0612345678, 0698765432", text="x" * 161, check="1")

    assert "Send to 2 people" in answer.text
    assert "<dd>4</dd>" in answer.text
    assert not Message.objects.exists()


def test_the_preview_counts_people_and_names_mistakes(
    as_bob: Client, workspace: Workspace, phone: Phone
) -> None:
    OptOut.objects.create(workspace=workspace, number="+33600000009", source="person")
    to = "0612345678, 0612345678, 06 12 34 5, +33600000009"

    answer = as_bob.post("/compose/preview/", fields(phone, to=to))

    assert "Send to 1 person" in answer.text
    assert "1 opted out, 1 twice, 1 wrong" in answer.text
    assert "“06 12 34 5” is too short" in answer.text
    assert not Message.objects.exists()


def test_without_a_phone_the_page_says_what_to_do(as_bob: Client, as_alice: Client) -> None:
    assert "There is no phone yet" in as_bob.get("/compose/").text
    assert "/phones/add/" not in as_bob.get("/compose/").text
    assert "/phones/add/" in as_alice.get("/compose/").text


def test_who_may_only_look_cannot_write(as_vera: Client, phone: Phone) -> None:
    assert as_vera.get("/compose/").status_code == 403
    assert post(as_vera, phone).status_code == 403
    assert as_vera.post("/compose/preview/", fields(phone)).status_code == 403
    assert not Message.objects.exists()


def test_a_stranger_is_sent_to_the_login(client: Client, alice: User, phone: Phone) -> None:
    assert client.get("/compose/").status_code == 302
    assert post(client, phone).status_code == 302
    assert not Message.objects.exists()


def test_the_page_costs_the_same_however_many_phones_and_numbers(
    as_bob: Client, phone: Phone, office: Phone, django_assert_max_num_queries: Any
) -> None:
    to = "\n".join(f"+336{index:08d}" for index in range(400))

    with django_assert_max_num_queries(9):
        as_bob.post("/compose/preview/", fields(phone, to=to))


# ---- Through several phones ---------------------------------------------------------------------


@pytest.fixture
def pool(workspace: Workspace, phone: Phone, office: Phone) -> Pool:
    made = Pool.objects.create(workspace=workspace, name="Both", folded="both")
    for place in (phone, office):
        PoolPhone.objects.create(pool=made, phone=place)
    return made


def test_a_group_of_phones_is_offered_and_each_number_gets_one_of_them(
    as_bob: Client, phone: Phone, office: Phone, pool: Pool
) -> None:
    numbers = "\n".join(f"+336{index:08d}" for index in range(40))

    assert "Both" in as_bob.get("/compose/").text
    assert post(as_bob, f"g{pool.pk}", to=numbers).status_code == 302

    rows = set(Message.objects.values_list("phone", "pool", "any_phone"))
    assert rows == {(phone.pk, pool.pk, False), (office.pk, pool.pk, False)}
    page = as_bob.get(f"/messages/{Message.objects.order_by('pk')[0].pk}/").text
    assert "A phone of Both" in page


def test_any_phone_never_means_the_simulator_beside_real_ones(
    as_bob: Client, workspace: Workspace, phone: Phone, office: Phone
) -> None:
    second = Phone.objects.create(workspace=workspace, type="scripted", name="2nd", settings={})
    numbers = "\n".join(f"+336{index:08d}" for index in range(40))

    post(as_bob, "any", to=numbers)

    rows = set(Message.objects.values_list("phone", "any_phone"))
    assert rows == {(office.pk, True), (second.pk, True)}


def test_a_group_of_another_workspace_is_refused(
    as_charlie: Client, charlie: User, phone: Phone, pool: Pool
) -> None:
    page = post(as_charlie, f"g{pool.pk}")

    assert page.status_code == 422
    assert not Message.objects.exists()


def test_a_number_that_no_phone_may_write_to_is_left_out_with_the_reason(
    as_bob: Client, phone: Phone
) -> None:
    Phone.objects.filter(pk=phone.pk).update(denied=["GB"])
    to = "+33612345678, +447911123456"

    assert "1 out of reach" in as_bob.post("/compose/preview/", fields(phone, to=to)).text
    post(as_bob, phone, to=to)

    british = Message.objects.get(peer="+447911123456")
    assert (british.status, british.reason) == (Status.SKIPPED, "no_phone")
    assert "None of the phones" in as_bob.get(f"/messages/{british.pk}/").text


def test_the_composer_says_what_is_left_of_a_limit(as_bob: Client, phone: Phone) -> None:
    Limit.objects.create(phone=phone, period="day", unit="messages", amount=2)
    quotas.note_metered(phone)

    assert "2 messages left today" in as_bob.get("/compose/").text
    to = ", ".join(f"+336{index:08d}" for index in range(3))
    assert (
        "Simulator has reached its limit"
        in as_bob.post("/compose/preview/", fields(phone, to=to)).text
    )


def test_a_picture_goes_as_a_link_where_no_phone_of_the_group_sends_any(
    as_bob: Client, client: Client, workspace: Workspace, phone: Phone, office: Phone
) -> None:
    plain = [
        Phone.objects.create(workspace=workspace, type="smpp", name=name, settings={})
        for name in ("A", "B")
    ]
    pool = Pool.objects.create(workspace=workspace, name="Plain", folded="plain")
    PoolPhone.objects.bulk_create(PoolPhone(pool=pool, phone=one) for one in plain)
    picture = SimpleUploadedFile("cat.png", PNG, "image/png")

    post(as_bob, f"g{pool.pk}", picture=picture, text="Look")

    text = Message.objects.get().text
    assert text.startswith("Look\nhttp")
    shown = client.get(urlsplit(text.split("\n")[1]).path)
    assert (shown.status_code, b"".join(shown.streaming_content)) == (200, PNG)  # type: ignore[attr-defined]
