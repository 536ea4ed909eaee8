"""The phones' pages: who may do what, what is shown, and what never is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape
from pytest_django import DjangoAssertNumQueries

from accounts.models import User, Workspace
from messaging.models import Message, Report
from phones import limits, matrix, registry, services
from phones.base import Kind
from phones.models import EndpointCall, Exchange, PauseReason, Phone
from tests.phones.conftest import Provider

SECRET = "s3cret-of-the-desk"
NEW = {"name": "Desk", "rate": "5", "settings-sender": "+33600000001", "settings-key": SECRET}

MANAGING = [
    "phone_add",
    "phone_new",
    "phone_addresses",
    "phone_edit",
    "phone_rotate",
    "phone_delete",
]
DOING = [
    "phone_new",
    "phone_try",
    "phone_edit",
    "phone_edit_try",
    "phone_check",
    "phone_balance",
    "phone_connect",
    "phone_pause",
    "phone_start",
    "phone_rotate",
    "phone_delete",
]
OF_ONE = [name for name in DOING if name not in ("phone_new", "phone_try")]


def at(name: str, phone: Phone) -> str:
    if name in ("phones", "phone_types", "phone_add"):
        return reverse(name)
    if name in ("phone_new", "phone_try"):
        return reverse(name, args=["simulator"])
    return reverse(name, args=[phone.pk])


def text(response: Any) -> str:
    return str(response.content.decode())


def a_type(fits: Callable[[Kind], bool]) -> str:
    """Give the slug of a phone type for which this is so."""
    return next(slug for slug, kind in registry.all_types().items() if fits(kind))


@pytest.fixture
def desk(workspace: Workspace) -> Phone:
    return services.add(
        workspace, "simulator", name="Desk", settings={"sender": "", "key": SECRET}, rate=5
    )


def message(phone: Phone, status: str, **values: Any) -> Message:
    now = timezone.now()
    return Message.objects.create(
        workspace=phone.workspace,
        phone=phone,
        direction="out",
        status=status,
        peer="+33612345678",
        text="Hello",
        sent_at=None if status == "queued" else now,
        **values,
    )


# ---- Who may do what (who may enter: tests/test_doors.py) ---------------------------------------


def test_those_who_manage_see_the_forms(as_alice: Client, phone: Phone) -> None:
    assert {as_alice.get(at(name, phone)).status_code for name in MANAGING} == {200}


def test_others_change_nothing(
    as_vera: Client, as_bob: Client, as_charlie: Client, phone: Phone
) -> None:
    before = list(Phone.objects.values())

    for name in DOING:
        assert as_vera.post(at(name, phone), NEW).status_code == 403, name
        assert as_bob.post(at(name, phone), NEW).status_code == 403, name
        if name in OF_ONE:
            assert as_charlie.post(at(name, phone), NEW).status_code == 404, name

    assert list(Phone.objects.values()) == before


def test_looking_changes_nothing(as_alice: Client, phone: Phone) -> None:
    looked = {as_alice.get(at(name, phone)).status_code for name in {*DOING} - {*MANAGING}}

    assert looked == {405}


def test_a_deleted_phone_has_no_page(as_alice: Client, phone: Phone) -> None:
    services.delete(phone)

    assert as_alice.get(at("phone", phone)).status_code == 404
    assert as_alice.post(at("phone_start", phone)).status_code == 404


# ---- The list -----------------------------------------------------------------------------------


def test_the_list_without_phones_offers_to_add_one(as_alice: Client, as_vera: Client) -> None:
    add = reverse("phone_add")

    assert add in text(as_alice.get(reverse("phones")))
    assert add not in text(as_vera.get(reverse("phones")))


def test_the_list_says_why_a_phone_is_paused_and_what_waits(as_alice: Client, phone: Phone) -> None:
    message(phone, "queued")
    message(phone, "queued")
    services.pause(phone, reason=PauseReason.MISCONFIGURED, words="Authenticate <please>")

    page = text(as_alice.get(reverse("phones")))

    assert "Simulator refuses the account." in page
    assert "Authenticate &lt;please&gt;" in page
    assert "2 messages wait and none is lost." in page


def test_the_list_shows_the_share_that_was_delivered(as_alice: Client, phone: Phone) -> None:
    for status in ("delivered", "delivered", "delivered", "failed", "queued"):
        message(phone, status)

    assert "75 %" in text(as_alice.get(reverse("phones")))


def test_the_list_names_a_phone_that_was_slowed(as_alice: Client, phone: Phone) -> None:
    limits.slow_down(phone, words="Too many requests", seconds=60)

    page = text(as_alice.get(reverse("phones")))

    assert "Slowed down" in page
    assert "Too many requests" in page
    assert "500 of 1,000 /s" in page


def test_the_list_costs_the_same_for_many_phones(
    as_alice: Client,
    workspace: Workspace,
    phone: Phone,
    alice: User,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    def look() -> int:
        with django_assert_num_queries(10, exact=False) as counted:
            as_alice.get(reverse("phones"))
        return len(counted)

    services.pause(phone, reason=PauseReason.PERSON, by=alice)
    few = look()
    for number in range(5):
        other = services.add(workspace, "simulator", name=f"Phone {number}", settings={}, rate=1)
        EndpointCall.objects.create(phone=other, endpoint="status", last_at=timezone.now())
        services.pause(other, reason=PauseReason.PERSON, by=alice)
        message(other, "delivered")

    assert look() == few


def test_the_list_stands_when_a_type_is_gone(as_alice: Client, phone: Phone) -> None:
    Phone.objects.filter(pk=phone.pk).update(type="fax")

    for name in ("phones", "phone"):
        assert "does not know the type “fax”" in text(as_alice.get(at(name, phone)))
    assert as_alice.get(at("phone_edit", phone)).status_code == 404
    assert as_alice.post(at("phone_delete", phone)).status_code == 302


# ---- Choosing and adding ------------------------------------------------------------------------


def test_the_page_of_types_says_what_each_yes_or_no_depends_on(as_vera: Client) -> None:
    page = text(as_vera.get(reverse("phone_types")))

    for row in matrix.rows():
        assert escape(str(row.kind.label)) in page
        assert [note for note in row.notes if escape(str(note.note)) not in page] == []


def test_types_that_lack_what_is_needed_come_last(as_alice: Client) -> None:
    page = text(as_alice.get(reverse("phone_add"), {"need": ["flash", "receive", "nonsense"]}))

    places: dict[bool, list[int]] = {True: [], False: []}
    for kind in registry.all_types().values():
        fits = bool(kind.can.flash and kind.can.receive)
        places[fits].append(page.index(f'Add<span class="visually-hidden">: {kind.label}'))
    assert max(places[True]) < min(places[False])
    assert f"{len(places[True])} of {len(registry.all_types())} can" in page
    assert "no Flash" in page
    assert 'value="flash" checked' in page


def test_without_needs_all_types_are_shown(as_alice: Client) -> None:
    page = text(as_alice.get(reverse("phone_add")))

    assert "All phone types" in page
    assert "no Flash" not in page


def test_a_phone_is_added_tested_and_opened(
    as_alice: Client, workspace: Workspace, provider: Provider
) -> None:
    response = as_alice.post(reverse("phone_new", args=["simulator"]), NEW, follow=True)

    phone = workspace.phones.get()
    assert (phone.name, phone.rate, phone.settings["key"]) == ("Desk", 5, SECRET)
    assert response.redirect_chain == [(reverse("phone", args=[phone.pk]), 302)]
    assert "The simulator is running." in text(response)


def test_a_phone_is_kept_although_its_provider_refuses_it(
    as_alice: Client, workspace: Workspace, provider: Provider
) -> None:
    provider.answers["/health"] = (401, {"code": "bad_key", "message": "Unknown key"})

    response = as_alice.post(reverse("phone_new", args=["simulator"]), NEW, follow=True)

    page = text(response)
    assert workspace.phones.count() == 1
    assert "Unknown key (bad_key)" in page
    assert "The provider refuses these settings." in page


def test_mistakes_are_shown_and_nothing_is_saved(as_alice: Client, workspace: Workspace) -> None:
    wrong = {**NEW, "name": "", "settings-sender": "a name that is far too long"}

    response = as_alice.post(reverse("phone_new", args=["simulator"]), wrong)

    assert response.status_code == 422
    assert "at most 11 letters" in text(response)
    assert "is-invalid" in text(response)
    assert SECRET not in text(response)
    assert not workspace.phones.exists()


def test_an_unknown_type_is_not_found(as_alice: Client) -> None:
    assert as_alice.get(reverse("phone_new", args=["fax"])).status_code == 404


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}], ids=["page", "fragment"])
def test_settings_can_be_tried_before_they_are_saved(
    as_alice: Client, workspace: Workspace, provider: Provider, headers: dict[str, str]
) -> None:
    url = reverse("phone_try", args=["simulator"])

    good = as_alice.post(url, NEW, headers=headers)
    provider.answers["/health"] = (401, {"code": "bad_key", "message": f"Unknown key {SECRET}"})
    bad = as_alice.post(url, NEW, headers=headers)

    assert "The simulator is running." in text(good)
    assert "The provider refuses these settings." in text(bad)
    assert "Unknown key" in text(bad)
    assert SECRET not in text(good) + text(bad)
    assert ("<html" in text(good)) is (not headers)
    assert not workspace.phones.exists()


def test_trying_an_unfinished_form_says_what_is_missing(as_alice: Client) -> None:
    demanding = a_type(lambda kind: any(f.required for f in kind.Settings.base_fields.values()))
    url = reverse("phone_try", args=[demanding])

    page = text(as_alice.post(url, {"name": "Desk"}, headers={"HX-Request": "true"}))

    assert "It cannot be tested yet." in page
    assert "This field is required." in page


def test_saving_an_unfinished_form_says_nothing_of_a_test(as_alice: Client) -> None:
    demanding = a_type(lambda kind: any(f.required for f in kind.Settings.base_fields.values()))

    page = text(as_alice.post(reverse("phone_new", args=[demanding]), {"name": "Desk"}))

    assert "This field is required." in page
    assert "It cannot be tested yet." not in page


# ---- Editing ------------------------------------------------------------------------------------


def test_an_empty_secret_stays(as_alice: Client, desk: Phone, provider: Provider) -> None:
    as_alice.post(at("phone_edit", desk), {**NEW, "name": "Front desk", "settings-key": ""})

    desk.refresh_from_db()
    assert (desk.name, desk.address) == ("Front desk", "+33600000001")
    assert desk.settings["key"] == SECRET


def test_the_kept_secret_is_what_is_tried(
    as_alice: Client, desk: Phone, provider: Provider
) -> None:
    services.check(desk)
    as_alice.post(at("phone_edit_try", desk), {**NEW, "settings-key": ""})

    first, second = (asked["Authorization"] for asked in provider.asked)
    assert first == second


def test_secrets_are_on_no_page(as_alice: Client, desk: Phone, provider: Provider) -> None:
    provider.answers["/health"] = (401, {"message": f"No such key: {SECRET}"})
    as_alice.post(at("phone_check", desk))
    provider.answers["/balance"] = (402, {"message": f"{SECRET} is empty"})
    as_alice.post(at("phone_balance", desk))

    pages = [text(as_alice.get(at(name, desk))) for name in ("phones", "phone", *MANAGING)]

    assert "•••" in "".join(pages)
    assert not [page for page in pages if SECRET in page]


# ---- One phone ----------------------------------------------------------------------------------


def test_addresses_are_for_those_who_manage(
    as_alice: Client, as_vera: Client, workspace: Workspace, settings: Any
) -> None:
    settings.PUBLIC_URL = "https://sms.example.org"
    pasted = a_type(lambda kind: any(e.name == "incoming" and e.paste for e in kind.endpoints))
    phone = Phone.objects.create(workspace=workspace, type=pasted, name="Office", settings={})
    address = f"https://sms.example.org/callbacks/{phone.token}/incoming/"

    assert address in text(as_alice.get(at("phone", phone)))
    assert address in text(as_alice.get(at("phone_addresses", phone)))
    assert phone.token not in text(as_vera.get(at("phone", phone)))


@pytest.mark.parametrize(
    ("public", "is_said"),
    [
        ("http://127.0.0.1:8000", True),
        ("http://localhost:8000", True),
        ("http://192.168.1.5:8000", False),
        ("https://sms.example.org", False),
    ],
)
def test_an_address_that_no_provider_can_reach_is_named(
    as_alice: Client, workspace: Workspace, settings: Any, public: str, is_said: bool
) -> None:
    settings.PUBLIC_URL = public
    phone = Phone.objects.create(workspace=workspace, name="Kannel", type="kannel", settings={})

    for page in ("phone_addresses", "phone"):
        shown = text(as_alice.get(at(page, phone)))

        assert ("sets PUBLIC_URL" in shown) == is_said


def test_an_address_says_when_it_was_called(as_alice: Client, phone: Phone) -> None:
    EndpointCall.objects.create(phone=phone, endpoint="status", last_at=timezone.now())

    page = text(as_alice.get(at("phone", phone)))

    assert "Called <time" in page
    assert "Never called" in page


def test_what_the_simulator_does_is_on_its_page(as_vera: Client, phone: Phone) -> None:
    assert "Is delivered; the person replies STOP." in text(as_vera.get(at("phone", phone)))


def test_exchanges_are_shown_as_text_never_as_markup(as_alice: Client, phone: Phone) -> None:
    evil = "<script>alert(1)</script>"
    Exchange.objects.create(
        phone=phone, direction="in", method="POST", url=evil, sent=evil, received=evil, error=evil
    )

    page = text(as_alice.get(at("phone", phone)))

    assert evil not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 4


def test_exchanges_are_read_page_by_page(as_alice: Client, phone: Phone) -> None:
    rows = [
        Exchange(phone=phone, direction="out", method="GET", url=f"/number/{number:02}")
        for number in range(45)
    ]
    Exchange.objects.bulk_create(rows)
    seen: list[str] = []
    before = ""

    while before is not None:
        page = as_alice.get(at("phone", phone), {"before": before}).context["exchanges"]
        seen += [item.url for item in page.rows]
        before = page.older

    assert seen == [f"/number/{number:02}" for number in reversed(range(45))]


@pytest.mark.parametrize("before", ["x", "-1", "9" * 30, "²", "1e3"])
def test_a_nonsense_page_of_exchanges_is_the_first(
    as_alice: Client, phone: Phone, before: str
) -> None:
    assert as_alice.get(at("phone", phone), {"before": before}).status_code == 200


def test_reports_that_fit_no_message_are_listed(as_alice: Client, phone: Phone) -> None:
    Report.objects.create(phone=phone, state="failed", provider_id="SM-stray", words="<b>lost</b>")
    known = message(phone, "sent")
    Report.objects.create(phone=phone, message=known, state="sent", provider_id="SM-known")

    page = text(as_alice.get(at("phone", phone)))

    assert "SM-stray" in page
    assert "&lt;b&gt;lost&lt;/b&gt;" in page
    assert "SM-known" not in page


# ---- Doing --------------------------------------------------------------------------------------


def test_a_person_pauses_with_a_reason_and_starts_again(as_alice: Client, phone: Phone) -> None:
    as_alice.post(at("phone_pause", phone), {"words": "Holidays"})
    paused = text(as_alice.get(at("phone", phone)))

    response = as_alice.post(at("phone_start", phone), {"back": "phones"})

    phone.refresh_from_db()
    assert "Paused by Alice Martin." in paused
    assert "Holidays" in paused
    assert response["Location"] == reverse("phones")
    assert not phone.is_paused


def test_pausing_twice_keeps_the_first_words(as_alice: Client, phone: Phone) -> None:
    as_alice.post(at("phone_pause", phone), {"words": "First"})
    as_alice.post(at("phone_pause", phone), {"words": "Second"})

    phone.refresh_from_db()
    assert phone.pause_words == "First"


def test_a_check_is_explained_and_its_exchange_is_kept(
    as_alice: Client, phone: Phone, provider: Provider
) -> None:
    response = as_alice.post(at("phone_check", phone), follow=True)

    assert "The simulator is running." in text(response)
    assert phone.exchanges.get().status == 200


def test_the_balance_is_told(as_alice: Client, phone: Phone, provider: Provider) -> None:
    response = as_alice.post(at("phone_balance", phone), follow=True)

    assert "12.34 EUR left on the account." in text(response)


def test_addresses_are_not_set_where_the_provider_cannot(as_alice: Client, phone: Phone) -> None:
    assert as_alice.post(at("phone_connect", phone)).status_code == 404


def test_new_addresses_are_made_only_when_confirmed(as_alice: Client, phone: Phone) -> None:
    old = phone.token

    as_alice.get(at("phone_rotate", phone))
    phone.refresh_from_db()
    asked = phone.token
    as_alice.post(at("phone_rotate", phone))
    phone.refresh_from_db()

    assert asked == old
    assert phone.token != old


def test_deleting_names_what_is_cancelled_and_keeps_messages(
    as_alice: Client, phone: Phone
) -> None:
    waiting, sent = message(phone, "queued"), message(phone, "delivered")

    asked = text(as_alice.get(at("phone_delete", phone)))
    response = as_alice.post(at("phone_delete", phone), follow=True)

    assert "Delete it and cancel 1 message" in asked
    assert "Simulator is deleted." in text(response)
    waiting.refresh_from_db()
    sent.refresh_from_db()
    assert (waiting.status, sent.status) == ("cancelled", "delivered")
    assert waiting.reason == "phone_gone"


def test_a_name_with_markup_is_only_a_name(as_alice: Client, phone: Phone) -> None:
    Phone.objects.filter(pk=phone.pk).update(name="<img src=x>")

    for name in ("phones", "phone", "phone_edit", "phone_delete", "phone_rotate"):
        page = text(as_alice.get(at(name, phone)))
        assert "<img src=x>" not in page
        assert "&lt;img src=x&gt;" in page


def test_the_form_of_every_type_opens_in_every_language(alice: User, as_alice: Client) -> None:
    for language in ("en", "fr", "es"):
        User.objects.filter(pk=alice.pk).update(language=language)
        for slug in registry.all_types():
            page = as_alice.get(f"/phones/add/{slug}/")

            assert page.status_code == 200, (slug, language)
            assert f'<html lang="{language}"' in page.content.decode()
