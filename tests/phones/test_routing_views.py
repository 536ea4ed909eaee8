"""The pages of groups of phones, of limits, and of where a phone may write to."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User, Workspace
from campaigns.models import Campaign
from messaging import composing
from messaging.models import Message
from messaging.routing import Route
from phones import quotas
from phones.models import Limit, Phone, Pool, PoolPhone, Usage, Watch

pytestmark = pytest.mark.django_db


@pytest.fixture
def other(workspace: Workspace) -> Phone:
    return Phone.objects.create(workspace=workspace, type="simulator", name="Other", settings={})


@pytest.fixture
def pool(workspace: Workspace, phone: Phone, other: Phone) -> Pool:
    made = Pool.objects.create(workspace=workspace, name="Both", folded="both")
    PoolPhone.objects.create(pool=made, phone=phone, priority=3)
    PoolPhone.objects.create(pool=made, phone=other, weight=2)
    return made


def typed(*phones: Phone, **changes: str) -> dict[str, str]:
    """What the browser posts for a group of these phones."""
    chosen = {f"in_{phone.pk}": "on" for phone in phones}
    return {"name": "Fast ones", **chosen, **changes}


# ---- Groups -------------------------------------------------------------------------------------


def test_a_group_whose_phones_are_used_up_says_so(
    as_alice: Client, phone: Phone, other: Phone, pool: Pool
) -> None:
    at = quotas.quarter(timezone.now())
    for one in (phone, other):
        quotas.set_limit(one, period="24h", unit="messages", amount=1, spill=True)
        Usage.objects.create(phone=one, at=at, messages=1)

    assert "all have reached their limits" in as_alice.get(reverse("compose")).text

    Usage.objects.filter(phone=other).delete()

    assert "all have reached their limits" not in as_alice.get(reverse("compose")).text


def test_a_group_is_made_shown_and_changed(
    as_alice: Client, phone: Phone, other: Phone, pool: Pool
) -> None:
    form = typed(phone, other, **{f"priority_{other.pk}": "5", f"weight_{phone.pk}": "7"})
    assert as_alice.post("/phones/groups/add/", form).status_code == 302

    made = Pool.objects.get(name="Fast ones")
    places = set(made.places.values_list("phone", "priority", "weight"))
    assert places == {(phone.pk, 0, 7), (other.pk, 5, 1)}
    assert "Fast ones" in as_alice.get("/phones/groups/").text

    as_alice.post(f"/phones/groups/{made.pk}/", typed(phone, name="One"))

    made.refresh_from_db()
    assert (made.name, [place.phone for place in made.places.all()]) == ("One", [phone])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": ""}, "required"),
        ({"name": " BOTH "}, "Another group of phones has this name."),
        ({"in_%s": ""}, "Choose at least one phone."),
        ({"weight_%s": "0"}, "greater than or equal to 1"),
        ({"priority_%s": "1000"}, "less than or equal to 100"),
    ],
)
def test_a_group_that_cannot_be_is_refused(
    changes: dict[str, str], said: str, as_alice: Client, phone: Phone, pool: Pool
) -> None:
    named = {name.replace("%s", str(phone.pk)): value for name, value in changes.items()}

    page = as_alice.post("/phones/groups/add/", typed(phone, **named))

    assert page.status_code == 422
    assert said in page.text
    assert Pool.objects.count() == 1


def test_a_phone_of_others_does_not_get_into_a_group(
    as_alice: Client, charlie: User, phone: Phone
) -> None:
    theirs = Phone.objects.create(
        workspace=charlie.memberships.get().workspace, type="simulator", name="X", settings={}
    )

    as_alice.post("/phones/groups/add/", typed(phone, theirs))

    assert list(Pool.objects.get().phones.all()) == [phone]


def test_a_group_is_deleted_once_nothing_under_way_uses_it(
    as_alice: Client, alice: User, workspace: Workspace, pool: Pool
) -> None:
    campaign = Campaign.objects.create(workspace=workspace, name="Fair", pool=pool)
    page = as_alice.get(f"/phones/groups/{pool.pk}/delete/").text
    assert "The campaign Fair leaves by it (Draft)." in page
    assert as_alice.post(f"/phones/groups/{pool.pk}/delete/").status_code == 422

    campaign.delete()
    composing.create(
        workspace=workspace, route=Route(pool=pool), numbers=["+33612345678"], text="Hello", by=alice,
        submission=campaign.submission,
    )  # fmt: skip
    assert "1 message that waits stays" in as_alice.get(f"/phones/groups/{pool.pk}/delete/").text
    as_alice.post(f"/phones/groups/{pool.pk}/delete/")

    assert not Pool.objects.exists()
    assert Message.objects.get().pool is None


# ---- Limits -------------------------------------------------------------------------------------


def test_a_limit_is_set_shown_changed_and_removed(
    as_alice: Client, as_vera: Client, phone: Phone
) -> None:
    path = f"/phones/{phone.pk}/limits/"
    form = {"amount": "100", "unit": "messages", "period": "day", "spill": "1"}
    assert as_alice.post(f"{path}set/", form).status_code == 302
    as_alice.post(f"{path}set/", form | {"amount": "62"})

    limit = Limit.objects.get()
    assert (limit.amount, limit.spill) == (62, True)
    phone.refresh_from_db()
    assert phone.metered
    for page in (path, f"/phones/{phone.pk}/", "/phones/"):
        assert "62 messages left today" in as_vera.get(page).text

    as_alice.post(f"{path}remove/", {"limit": str(limit.pk)})

    phone.refresh_from_db()
    assert not phone.metered


def test_different_people_are_counted_by_the_month_only(as_alice: Client, phone: Phone) -> None:
    form = {"amount": "9", "unit": "people", "period": "day"}

    page = as_alice.post(f"/phones/{phone.pk}/limits/set/", form)

    assert page.status_code == 422
    assert "by the month only" in page.text


def test_how_failures_are_watched_is_saved_and_shown(
    as_alice: Client, as_vera: Client, phone: Phone
) -> None:
    form = {
        "failed": "20", "unknown": "", "window": "60", "least": "30", "margin": "15", "action": "rest",
    }  # fmt: skip
    assert as_alice.post(f"/phones/{phone.pk}/limits/watch/", form).status_code == 302

    watch = Watch.objects.get()
    assert (watch.failed, watch.unknown, watch.action) == (20, None, "rest")
    phone.refresh_from_db()
    assert phone.metered
    assert "20 % failed" in as_vera.get(f"/phones/{phone.pk}/limits/").text


def test_a_phone_that_rests_says_so_and_can_be_started(as_alice: Client, phone: Phone) -> None:
    now = timezone.now()
    Watch.objects.create(
        phone=phone, failed=5, troubled_at=now, rests_until=now, words="Of 40 messages 12 failed."
    )
    quotas.note_metered(phone)

    for page in ("/phones/", f"/phones/{phone.pk}/", f"/phones/{phone.pk}/limits/"):
        shown = as_alice.get(page).text
        assert "It rests, because too many messages failed." in shown
        assert "Of 40 messages 12 failed." in shown
    as_alice.post(f"/phones/{phone.pk}/start/")

    assert Watch.objects.get().rests_until is None


# ---- Where to -----------------------------------------------------------------------------------


def edited(phone: Phone, **changes: str) -> dict[str, Any]:
    return {"name": phone.name, "rate": "5", "settings-sender": "+33639980000", **changes}


def test_where_a_phone_may_write_to_is_set_and_shown(as_alice: Client, phone: Phone) -> None:
    form = edited(phone, allowed="fr, +33 6", denied="0044", priority="2", weight="3")

    assert as_alice.post(f"/phones/{phone.pk}/edit/", form).status_code == 302

    phone.refresh_from_db()
    assert (phone.allowed, phone.denied) == (["FR", "336"], ["44"])
    assert (phone.priority, phone.weight) == (2, 3)
    page = as_alice.get(f"/phones/{phone.pk}/").text
    assert "FR, +336" in page
    assert "+44" in page


def test_what_is_no_place_is_refused_in_words(as_alice: Client, phone: Phone) -> None:
    page = as_alice.post(f"/phones/{phone.pk}/edit/", edited(phone, allowed="France"))

    assert page.status_code == 422
    assert "“France” is neither a country" in page.text
