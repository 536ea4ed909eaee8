"""Opt-outs: added by people and providers, found, removed."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import User, Workspace
from contacts import services
from contacts.models import OptOut

pytestmark = pytest.mark.django_db

PROVIDER, PERSON = OptOut.Source.PROVIDER, OptOut.Source.PERSON


def test_opting_out_twice_keeps_the_first_reason(workspace: Workspace, bob: User) -> None:
    first = services.opt_out(workspace, "+33612345678", PROVIDER, "STOP")
    second = services.opt_out(workspace, "+33612345678", PERSON, "by telephone", by=bob)

    assert (first, second) == (True, False)
    assert OptOut.objects.get().detail == "STOP"


def test_a_long_reason_is_cut_to_what_fits(workspace: Workspace) -> None:
    services.opt_out(workspace, "+33612345678", PROVIDER, "x" * 300)

    assert len(OptOut.objects.get().detail) == 200


def test_opting_in_says_whether_it_changed_something(workspace: Workspace) -> None:
    services.opt_out(workspace, "+33612345678", PROVIDER)

    assert services.opt_in(workspace, "+33612345678")
    assert not services.opt_in(workspace, "+33612345678")


def test_opted_out_numbers_are_found_among_many(
    workspace: Workspace, django_assert_num_queries: object
) -> None:
    numbers = [f"+336{n:08}" for n in range(1, 1201)]
    for number in (numbers[0], numbers[499], numbers[500], numbers[-1]):
        services.opt_out(workspace, number, PROVIDER)

    with django_assert_num_queries(3):  # type: ignore[operator]
        found = services.opted_out(workspace, numbers)

    assert found == {numbers[0], numbers[499], numbers[500], numbers[-1]}


def test_one_workspace_does_not_opt_out_for_another(workspace: Workspace, charlie: User) -> None:
    theirs = charlie.memberships.get().workspace
    services.opt_out(theirs, "+33612345678", PROVIDER)

    assert services.opted_out(workspace, ["+33612345678"]) == set()


@pytest.mark.parametrize("written", ["06 12 34 56 78", "+33 6 12-34-56-78", "0033612345678"])
def test_a_number_is_added_in_any_usual_form(written: str, as_bob: Client, bob: User) -> None:
    as_bob.post("/opt-outs/add/", {"number": written, "detail": "by telephone"})

    added = OptOut.objects.get()
    assert (added.number, added.source, added.added_by) == ("+33612345678", PERSON, bob)


@pytest.mark.parametrize(
    ("written", "words"),
    [("06 12", "too short"), ("+999 123456789", "no country code"), ("hello", "no phone number")],
)
def test_what_is_no_number_is_refused_by_name(written: str, words: str, as_bob: Client) -> None:
    answer = as_bob.post("/opt-outs/add/", {"number": written})

    assert answer.status_code == 422
    assert f"{written} " in answer.content.decode()
    assert words in answer.content.decode()
    assert not OptOut.objects.exists()


@pytest.mark.parametrize(
    ("searched", "found"),
    [
        ("06 12 34 56 78", ["+33612345678"]),
        ("+33612345678", ["+33612345678"]),
        ("1234", ["+33612345678", "+33698761234"]),
        ("555", []),
        ("hello", []),
        ("%", []),
    ],
    ids=["national", "international", "some digits", "other digits", "a word", "a wildcard"],
)
def test_the_list_is_searched(
    searched: str, found: list[str], as_vera: Client, workspace: Workspace
) -> None:
    for number in ("+33698761234", "+33612345678"):
        services.opt_out(workspace, number, PROVIDER)

    page = as_vera.get("/opt-outs/", {"q": searched})

    assert [row.number for row in page.context["opt_outs"]] == found


def test_the_list_goes_on_page_after_page_newest_first(
    as_vera: Client, workspace: Workspace
) -> None:
    numbers = [f"+336{n:08}" for n in range(120)]
    OptOut.objects.bulk_create(
        OptOut(workspace=workspace, number=number, source=PROVIDER) for number in numbers
    )

    seen: list[str] = []
    before: object = ""
    while before is not None:
        page = as_vera.get("/opt-outs/", {"before": before})
        seen += [row.number for row in page.context["opt_outs"]]
        before = page.context["older"]

    assert seen == numbers[::-1]


@pytest.mark.parametrize("before", ["x", "-1", "9" * 40, "²"])
def test_a_mistyped_address_shows_a_page(before: str, as_vera: Client) -> None:
    assert as_vera.get("/opt-outs/", {"before": before}).status_code == 200


def test_removing_asks_first_and_then_allows_messages(
    as_alice: Client, workspace: Workspace
) -> None:
    services.opt_out(workspace, "+33612345678", PROVIDER)
    address = f"/opt-outs/{OptOut.objects.get().pk}/remove/"

    asked = as_alice.get(address).content.decode()
    still_there = OptOut.objects.exists()
    as_alice.post(address)

    assert "+33 6 12 34 56 78" in asked
    assert still_there
    assert not OptOut.objects.exists()


def test_reasons_are_shown_as_text(as_vera: Client, workspace: Workspace) -> None:
    services.opt_out(workspace, "+33612345678", PROVIDER, "<script>alert(1)</script>")

    assert "<script>alert" not in as_vera.get("/opt-outs/").content.decode()
