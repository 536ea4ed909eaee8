"""Limits of senders: chosen by managers, shown to everybody, kept when what they name is deleted."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from accounts import limits, services
from accounts.limits import Limits
from accounts.models import Event, Invitation, Membership, Role, User, Workspace
from contacts.models import Group, Segment
from phones.models import Phone
from tests.conftest import logged_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def group(workspace: Workspace) -> Group:
    return Group.objects.create(workspace=workspace, name="Parents 6B", folded="parents 6b")


def change(client: Client, member: Membership, **said: object) -> str:
    answer = client.post(reverse("people_role", args=[member.pk]), said, follow=True)
    return answer.content.decode()


def of(user: User) -> Membership:
    return Membership.objects.get(user=user)


def test_a_manager_limits_a_sender_and_everybody_reads_it(
    as_alice: Client, as_vera: Client, bob: User, phone: Phone, group: Group, workspace: Workspace
) -> None:
    Segment.objects.create(workspace=workspace, name="Lyon", folded="lyon", rule={})
    said = {
        "limit-phones": [phone.pk], "limit-people": [f"g{group.pk}"], "limit-approval": "on",
    }  # fmt: skip

    page = change(as_alice, of(bob), role="sender", **said)

    line = "may send through Simulator only; to Parents 6B only; needs approval"
    assert line in page
    assert line in as_vera.get(reverse("people")).content.decode()
    assert f"Yours: {line}" in logged_in(bob).get(reverse("people_roles")).content.decode()
    event = Event.objects.get(action="member.limited")
    assert event.details == {"phones": 1, "groups": 1, "approval": True}
    assert not Event.objects.filter(action="member.role").exists()


def test_without_a_tick_there_is_no_limit(as_alice: Client, bob: User, phone: Phone) -> None:
    Membership.objects.filter(user=bob).update(limits={"approval": True})

    page = change(as_alice, of(bob), role="sender")

    assert of(bob).limits == {}
    assert "needs approval" not in page


def test_only_senders_have_limits(as_alice: Client, bob: User, phone: Phone) -> None:
    change(as_alice, of(bob), role="admin", **{"limit-approval": "on"})

    assert (of(bob).role, of(bob).limits) == (Role.ADMIN, {})


def test_a_limit_outlives_what_it_names(
    as_alice: Client, bob: User, phone: Phone, group: Group
) -> None:
    mark = f"g{group.pk}"
    Membership.objects.filter(user=bob).update(limits={"people": [mark]})
    group.delete()

    form = as_alice.get(reverse("people_role", args=[of(bob).pk])).content.decode()
    people = as_alice.get(reverse("people")).content.decode()
    change(as_alice, of(bob), role="sender", **{"limit-people": [mark]})

    assert "Deleted" in form
    assert "to something that was deleted only" in people
    assert of(bob).limits == {"people": [mark]}


def test_nothing_else_can_be_named(
    as_alice: Client, bob: User, phone: Phone, charlie: User
) -> None:
    elsewhere = Workspace.objects.get(name="Elsewhere")
    theirs = Phone.objects.create(workspace=elsewhere, type="simulator", name="X", settings={})

    answer = as_alice.post(
        reverse("people_role", args=[of(bob).pk]), {"role": "sender", "limit-phones": [theirs.pk]}
    )

    assert answer.status_code == 422
    assert of(bob).limits == {}


def test_an_invitation_brings_its_limits(
    as_alice: Client, alice: User, workspace: Workspace, phone: Phone
) -> None:
    said = {"email": "nina@example.org", "role": "sender", "limit-phones": [phone.pk]}
    as_alice.post(reverse("people_invite"), said)
    invitation = Invitation.objects.get()

    page = as_alice.get(reverse("people")).content.decode()
    nina = User.objects.create_user("nina@example.org", name="Nina")
    services.accept(invitation, nina)

    assert "may send through Simulator only" in page
    assert of(nina).limits == {"phones": [str(phone.pk)]}


def test_an_invitation_to_another_role_brings_none(as_alice: Client, phone: Phone) -> None:
    said = {"email": "nina@example.org", "role": "viewer", "limit-approval": "on"}
    as_alice.post(reverse("people_invite"), said)

    assert Invitation.objects.get().limits == {}


def test_an_administrator_limits_no_owner(alice: User, dora: User, phone: Phone) -> None:
    with pytest.raises(services.NotAllowed):
        limits.change(of(alice), Role.OWNER, Limits(approval=True), of(dora))

    assert of(alice).limits == {}


def test_limits_are_stored_as_they_are_read() -> None:
    some = Limits(("1", "g2"), ("g3", "s4"), True)

    assert Limits.read(some.dump()) == some
    assert Limits().dump() == {}
    assert not Limits()


def test_the_page_of_roles_says_what_limits_mean(as_vera: Client) -> None:
    page = as_vera.get(reverse("people_roles")).content.decode()

    assert "Limits of senders" in page
    assert "“any phone”, or a group of phones, is one of these" in page
