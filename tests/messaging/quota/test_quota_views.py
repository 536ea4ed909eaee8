"""The pages of quotas: who sees what is left, who gives, and what is said when it does not do."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from accounts.models import Event, Membership, User, Workspace
from messaging.models import Message
from messaging.quota import ledger
from messaging.quota.models import Quota, QuotaEntry
from phones.models import Phone
from tests.conftest import logged_in

pytestmark = pytest.mark.django_db

FORM = {
    "amount": "5000", "unit": "segments", "every": "month", "renews": "on", "over": "wait",
    "levels": "80, 100 %",
}  # fmt: skip


@pytest.fixture
def shared(workspace: Workspace) -> Quota:
    return ledger.grant(workspace, None, None, unit="segments", every="month", amount=5000)


@pytest.fixture
def as_root(dora: User) -> Client:
    User.objects.filter(pk=dora.pk).update(is_superuser=True)
    return logged_in(dora)


def page(client: Client, name: str, *args: Any, **query: str) -> str:
    return client.get(reverse(name, args=args), query).content.decode()


def said(response: Any) -> str:
    return " ".join(str(notice) for notice in get_messages(response.wsgi_request))


def test_without_a_quota_the_page_says_so(as_bob: Client) -> None:
    assert "There is no quota" in page(as_bob, "quota")


def test_members_see_what_is_left(as_bob: Client, shared: Quota, bob: User) -> None:
    own = ledger.grant(shared.workspace, bob, None, unit="messages", every="day", amount=7)
    ledger.credit(own, 2, "For the summer fair", None)

    assert "5,000 of 5,000 segments left until" in page(as_bob, "quota")
    assert "9 of 9 messages left until" in page(as_bob, "quota", of="me")
    assert "For the summer fair" in page(as_bob, "quota", of="me")
    assert "For the summer fair" not in page(as_bob, "quota")


def test_only_those_who_manage_see_everybody(as_bob: Client, as_alice: Client, dora: User) -> None:
    assert "Dora Petit" in page(as_alice, "quota")
    assert "Dora Petit" not in page(as_bob, "quota")


def test_a_site_administrator_gives_a_workspace_a_quota(
    as_root: Client, workspace: Workspace
) -> None:
    address = reverse("admin_workspace_quota", args=[workspace.pk])

    answer = as_root.post(address, FORM, follow=True)

    quota = Quota.objects.get()
    assert (quota.workspace, quota.person, quota.levels) == (workspace, None, [80, 100])
    assert "5,000 of 5,000 segments left until" in answer.content.decode()
    assert Event.objects.filter(action="quota.set", workspace_id=workspace.pk).exists()


def test_credit_is_booked_with_its_reason_and_giver(as_root: Client, shared: Quota) -> None:
    address = reverse("admin_workspace_quota_credit", args=[shared.workspace_id])

    answer = as_root.post(address, {"credit-amount": "250", "credit-words": "Fair"}, follow=True)

    assert ledger.standings([shared])[0].left == 5250
    shown = answer.content.decode()
    assert "+250 segments" in shown
    assert "Fair" in shown
    assert QuotaEntry.objects.get(kind="credit").by_id


def test_credit_without_a_reason_is_refused(as_root: Client, shared: Quota) -> None:
    address = reverse("admin_workspace_quota_credit", args=[shared.workspace_id])

    assert as_root.post(address, {"credit-amount": "250"}).status_code == 422
    assert as_root.post(address, {"credit-amount": "0", "credit-words": "x"}).status_code == 422
    assert ledger.standings([shared])[0].left == 5000


def test_who_manages_gives_a_person_a_quota_and_takes_it_away(as_alice: Client, bob: User) -> None:
    address = reverse("quota_person", args=[bob.pk])

    as_alice.post(address, FORM | {"amount": "10"})
    as_alice.post(address, FORM | {"amount": "12"})
    as_alice.post(reverse("quota_person_renew", args=[bob.pk]))

    assert ledger.standings([Quota.objects.get(person=bob)])[0].left == 12
    as_alice.post(reverse("quota_person_remove", args=[bob.pk]))
    assert Quota.objects.get(person=bob).removed_at
    assert as_alice.post(reverse("quota_person_remove", args=[bob.pk])).status_code == 404


def test_nobody_elsewhere_is_given_a_quota(as_alice: Client, charlie: User) -> None:
    assert as_alice.get(reverse("quota_person", args=[charlie.pk])).status_code == 404


def test_who_left_can_still_be_freed_of_a_quota(as_alice: Client, bob: User) -> None:
    as_alice.post(reverse("quota_person", args=[bob.pk]), FORM)
    Membership.objects.filter(user=bob).delete()

    assert "Bob Rossi" in page(as_alice, "quota")
    assert as_alice.get(reverse("quota_person", args=[bob.pk])).status_code == 200


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"levels": "80, 120"}, "levels"),
        ({"levels": "soon"}, "levels"),
        ({"levels": "", "webhook": "https://example.org/"}, "levels"),
        ({"carries": "on", "renews": ""}, "carries"),
        ({"carries": "on", "every": "once"}, "carries"),
        ({"amount": "-1"}, "amount"),
        ({"every": "hour"}, "every"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(
    as_alice: Client, bob: User, changed: dict[str, str], field: str
) -> None:
    answer = as_alice.post(reverse("quota_person", args=[bob.pk]), FORM | changed)

    assert answer.status_code == 422
    assert field in answer.context["form"].errors
    assert not Quota.objects.exists()


def test_compose_says_what_is_left(as_bob: Client, shared: Quota, phone: Phone) -> None:
    assert "5,000 of 5,000 segments left until" in page(as_bob, "compose")


def test_compose_warns_before_sending(as_bob: Client, shared: Quota, phone: Phone) -> None:
    ledger.change(shared, None, amount=1)
    form = {"to": "+33612345678, +33612345679", "text": "Hello", "phone": str(phone.pk)}
    form["quota"] = "1"
    assert '<input type="hidden" name="quota" value="1">' in page(as_bob, "compose")

    shown = as_bob.post(reverse("compose_preview"), form).content.decode()

    assert "1 of 2 segments have to wait, the last until" in shown


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ("wait", "1 message is on its way. 1 message waits for room in the quota."),
        ("skip", "1 message is on its way. 1 message was left out: the quota is used up."),
    ],
)
def test_who_writes_is_told_what_does_not_leave(
    as_bob: Client, shared: Quota, phone: Phone, over: str, words: str
) -> None:
    ledger.change(shared, None, amount=1, over=over)
    form = {
        "to": "+33612345678, +33612345679", "text": "Hello", "phone": str(phone.pk), "when": "now",
        "submission": "6f1f8d9e-1f1c-4a57-9f0e-3a1a51f0e6a1",
    }  # fmt: skip

    answer = as_bob.post(reverse("compose"), form)

    assert said(answer) == words
    last = Message.objects.latest("pk")
    shown = page(as_bob, "message", last.pk)
    if over == "wait":
        assert "Waits: the quota of the workspace is used up" in shown
        assert "It renews on" in shown
    else:
        assert "The quota of the workspace had no room for it." in shown
