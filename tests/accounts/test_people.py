"""Invitations, roles, and leaving."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts import services
from accounts.models import Invitation, Membership, Role, User, Workspace
from tests.conftest import PASSWORD, logged_in, person

pytestmark = pytest.mark.django_db

NEW = {"name": "Nadia Roux", "password": "seven quiet herons"}


def path_to(token: str) -> str:
    return f"/join/{token}/"


@pytest.fixture
def by_mail(owner: Membership) -> str:
    """The token of an open invitation for nadia@example.org."""
    return services.invite(owner, email="nadia@example.org", role=Role.SENDER)[1]


@pytest.fixture
def by_link(owner: Membership) -> str:
    return services.invite(owner, email="", role=Role.VIEWER)[1]


# ---- Inviting -----------------------------------------------------------------------------------


def test_an_invitation_by_mail_carries_the_link(as_alice: Client, settings: Settings) -> None:
    settings.PUBLIC_URL = "https://sms.tilleuls.example"

    as_alice.post("/settings/people/invite/", {"email": "Nadia@Example.org", "role": "sender"})

    message = mail.outbox[0]
    assert message.to == ["nadia@example.org"]
    assert "https://sms.tilleuls.example/join/" in str(message.body)
    assert "Les Tilleuls" in message.subject


def test_a_link_is_shown_once(as_alice: Client) -> None:
    as_alice.post("/settings/people/invite/", {"email": "", "role": "viewer"})

    first, second = (as_alice.get("/settings/people/").content.decode() for _look in range(2))

    assert "/join/" in first
    assert "/join/" not in second
    assert not mail.outbox


def test_only_the_hash_of_a_token_is_stored(by_link: str) -> None:
    stored = Invitation.objects.values().get()

    assert by_link not in str(stored)
    assert services.find_invitation(by_link) == Invitation.objects.get()


def test_a_line_break_in_a_name_starts_no_header(owner: Membership) -> None:
    Workspace.objects.update(name="Les\nBcc: eve@example.org")
    owner.workspace.refresh_from_db()
    invitation, token = services.invite(owner, email="nadia@example.org", role=Role.SENDER)

    services.send_invitation(invitation, token)

    assert mail.outbox[0].recipients() == ["nadia@example.org"]
    assert "\n" not in mail.outbox[0].subject


@pytest.mark.parametrize(
    ("backend", "words"),
    [
        ("tests.accounts.test_passwords.DeadMailServer", "did not take the mail"),
        ("django.core.mail.backends.filebased.EmailBackend", "no mail server"),
    ],
    ids=["dead", "none"],
)
def test_without_mail_the_link_can_be_passed_on(
    backend: str, words: str, as_alice: Client, settings: Settings
) -> None:
    settings.EMAIL_BACKEND = backend

    page = as_alice.post(
        "/settings/people/invite/", {"email": "nadia@example.org", "role": "sender"}, follow=True
    ).content.decode()

    assert words in page
    assert "/join/" in page
    assert Invitation.objects.get().is_open


def test_somebody_who_belongs_already_is_not_invited(as_alice: Client, bob: User) -> None:
    answer = as_alice.post("/settings/people/invite/", {"email": bob.email, "role": "admin"})

    assert "belongs to the workspace already" in answer.content.decode()
    assert not Invitation.objects.exists()


def test_an_administrator_cannot_invite_an_owner(as_dora: Client) -> None:
    answer = as_dora.post("/settings/people/invite/", {"email": "", "role": "owner"})

    assert answer.status_code == 422
    assert not Invitation.objects.exists()


def test_inviting_again_closes_the_earlier_link(owner: Membership, by_mail: str) -> None:
    services.invite(owner, email="nadia@example.org", role=Role.VIEWER)

    assert services.find_invitation(by_mail) is None
    assert Invitation.objects.get().role == Role.VIEWER


def test_sending_again_makes_a_new_link_and_a_new_fortnight(as_alice: Client, by_mail: str) -> None:
    Invitation.objects.update(created_at=timezone.now() - timedelta(days=20))
    invitation = Invitation.objects.get()

    as_alice.post(f"/settings/people/invitations/{invitation.pk}/renew/")

    invitation.refresh_from_db()
    assert invitation.is_open
    assert services.find_invitation(by_mail) is None
    assert len(mail.outbox) == 1


# ---- Accepting ----------------------------------------------------------------------------------


def test_a_stranger_makes_an_account_and_is_in(client: Client, by_mail: str) -> None:
    answer = client.post(path_to(by_mail), NEW)

    membership = Membership.objects.get(user__email="nadia@example.org")
    assert answer["Location"] == "/"
    assert membership.role == Role.SENDER
    assert client.get("/settings/people/").status_code == 200
    assert Membership.objects.filter(user=membership.user).count() == 1


def test_the_address_of_an_invitation_cannot_be_swapped(client: Client, by_mail: str) -> None:
    client.post(path_to(by_mail), NEW | {"email": "mallory@example.org"})

    assert not User.objects.filter(email="mallory@example.org").exists()


def test_a_link_takes_whoever_has_it(client: Client, by_link: str) -> None:
    client.post(path_to(by_link), NEW | {"email": "Nadia@Example.org"})

    assert Membership.objects.get(user__email="nadia@example.org").role == Role.VIEWER


def test_a_link_does_not_let_in_under_a_name_that_is_taken(
    client: Client, by_link: str, charlie: User
) -> None:
    answer = client.post(path_to(by_link), NEW | {"email": charlie.email})

    charlie.refresh_from_db()
    assert answer.status_code == 422
    assert charlie.check_password(PASSWORD)
    assert Invitation.objects.get().is_open


def test_somebody_with_an_account_is_asked_and_joins(
    as_charlie: Client, charlie: User, by_link: str, workspace: Workspace
) -> None:
    asked = as_charlie.get(path_to(by_link)).content.decode()
    as_charlie.post(path_to(by_link))

    assert "Join as Charlie Out" in asked
    assert charlie.memberships.get(workspace=workspace).role == Role.VIEWER
    assert as_charlie.get("/settings/people/").context["request"].workspace == workspace


def test_looking_at_an_invitation_joins_nothing(
    as_charlie: Client, by_link: str, charlie: User
) -> None:
    as_charlie.get(path_to(by_link))

    assert charlie.memberships.count() == 1


def test_an_invited_address_with_an_account_must_log_in(client: Client, by_mail: str) -> None:
    nadia = person("nadia@example.org", "Nadia Roux")

    page = client.get(path_to(by_mail)).content.decode()
    client.post(path_to(by_mail), NEW)

    nadia.refresh_from_db()
    assert f"/login/?next={path_to(by_mail)}" in page
    assert not nadia.memberships.exists()
    assert nadia.check_password(PASSWORD)


def test_an_invitation_for_somebody_else_is_explained(
    as_charlie: Client, charlie: User, by_mail: str
) -> None:
    seen, sent = as_charlie.get(path_to(by_mail)), as_charlie.post(path_to(by_mail))

    assert (seen.status_code, sent.status_code) == (403, 403)
    assert "nadia@example.org" in seen.content.decode()
    assert charlie.memberships.count() == 1
    assert Invitation.objects.get().is_open


@pytest.mark.parametrize("how", ["expired", "revoked", "used", "never"])
def test_a_closed_invitation_lets_nobody_in(
    how: str, as_alice: Client, client: Client, by_link: str
) -> None:
    invitation = Invitation.objects.get()
    if how == "expired":
        Invitation.objects.update(created_at=timezone.now() - timedelta(days=14, minutes=1))
    if how == "revoked":
        as_alice.post(f"/settings/people/invitations/{invitation.pk}/revoke/")
    if how == "used":
        Client().post(path_to(by_link), NEW | {"email": "first@example.org"})
    token = "x" * 43 if how == "never" else by_link

    seen = client.get(path_to(token))
    sent = client.post(path_to(token), NEW | {"email": "late@example.org"})

    assert (seen.status_code, sent.status_code) == (410, 410)
    assert "no longer works" in seen.content.decode()
    assert not User.objects.filter(email="late@example.org").exists()


def test_a_link_used_while_somebody_fills_in_the_form_makes_no_account(by_link: str) -> None:
    found = services.find_invitation(by_link)
    assert found
    Invitation.objects.update(accepted_at=timezone.now())

    with pytest.raises(services.InvitationClosed):
        services.join(found, name="Late", email="late@example.org", password="x")

    assert not User.objects.filter(email="late@example.org").exists()


def test_a_member_who_opens_a_link_again_just_goes_in(as_bob: Client, by_link: str) -> None:
    assert as_bob.get(path_to(by_link))["Location"] == "/"
    assert Invitation.objects.get().is_open


# ---- Roles --------------------------------------------------------------------------------------


def test_an_owner_makes_a_viewer_an_owner(as_alice: Client, vera: User) -> None:
    membership = vera.memberships.get()

    as_alice.post(f"/settings/people/{membership.pk}/role/", {"role": "owner"})

    membership.refresh_from_db()
    assert membership.role == Role.OWNER


@pytest.mark.parametrize("role", ["admin", "sender", "viewer"])
def test_the_last_owner_stays_owner(role: str, as_alice: Client, owner: Membership) -> None:
    page = as_alice.post(f"/settings/people/{owner.pk}/role/", {"role": role}, follow=True)

    owner.refresh_from_db()
    assert owner.role == Role.OWNER
    assert "only owner" in page.content.decode()


def test_the_last_owner_cannot_leave(as_alice: Client, owner: Membership) -> None:
    page = as_alice.post(f"/settings/people/{owner.pk}/remove/", follow=True)

    assert Membership.objects.filter(pk=owner.pk).exists()
    assert "only owner" in page.content.decode()


@pytest.mark.parametrize("role", ["admin", "viewer"])
def test_an_administrator_cannot_unmake_an_owner(
    role: str, as_dora: Client, owner: Membership, workspace: Workspace, charlie: User
) -> None:
    Membership.objects.create(workspace=workspace, user=charlie, role=Role.OWNER)

    as_dora.post(f"/settings/people/{owner.pk}/role/", {"role": role})
    as_dora.post(f"/settings/people/{owner.pk}/remove/")

    owner.refresh_from_db()
    assert owner.role == Role.OWNER


def test_an_administrator_cannot_become_an_owner(as_dora: Client, admin: Membership) -> None:
    as_dora.post(f"/settings/people/{admin.pk}/role/", {"role": "owner"})

    admin.refresh_from_db()
    assert admin.role == Role.ADMIN


def test_a_role_nobody_knows_changes_nothing(as_alice: Client, sends: Membership) -> None:
    as_alice.post(f"/settings/people/{sends.pk}/role/", {"role": "emperor"})

    sends.refresh_from_db()
    assert sends.role == Role.SENDER


def test_removing_asks_first(as_alice: Client, sends: Membership) -> None:
    page = as_alice.get(f"/settings/people/{sends.pk}/remove/").content.decode()

    assert "Remove Bob Rossi?" in page
    assert Membership.objects.filter(pk=sends.pk).exists()


def test_somebody_removed_is_out_at_once(
    as_dora: Client, as_bob: Client, sends: Membership
) -> None:
    as_dora.post(f"/settings/people/{sends.pk}/remove/")

    assert as_bob.get("/settings/people/")["Location"] == "/workspaces/none/"
    assert as_bob.get("/workspaces/none/").status_code == 200


def test_a_viewer_may_leave(as_vera: Client, vera: User) -> None:
    as_vera.post(f"/settings/people/{vera.memberships.get().pk}/remove/")

    assert not vera.memberships.exists()


@pytest.mark.parametrize("how", ["removed", "made a sender"])
def test_whoever_may_not_invite_any_more_leaves_no_open_door(
    how: str, owner: Membership, admin: Membership
) -> None:
    _invitation, token = services.invite(admin, email="", role=Role.ADMIN)

    if how == "removed":
        services.remove_member(admin, owner)
    else:
        services.change_role(admin, Role.SENDER, owner)

    assert services.find_invitation(token) is None


def test_the_list_costs_the_same_however_many_belong(
    as_alice: Client, workspace: Workspace, django_assert_max_num_queries: object
) -> None:
    for number in range(30):
        user = User.objects.create_user(f"p{number}@example.org", name=f"Person {number}")
        Membership.objects.create(workspace=workspace, user=user, role=Role.SENDER)

    with django_assert_max_num_queries(12):  # type: ignore[operator]
        page = as_alice.get("/settings/people/").content.decode()

    assert "Person 29" in page


def test_names_are_shown_as_text(as_alice: Client, bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(name="<img src=x onerror=alert(1)>")

    assert "<img" not in as_alice.get("/settings/people/").content.decode()


def test_a_site_administrator_without_workspace_can_make_one(db: None) -> None:
    root = User.objects.create_superuser("root@example.org", PASSWORD, name="Root")
    client = logged_in(root)

    page = client.get("/workspaces/none/").content.decode()

    assert "/setup/site/" in page


def test_who_owns_no_more_leaves_no_door_for_owners_open(
    alice: User, dora: User, workspace: Workspace
) -> None:
    mine, theirs = (Membership.objects.get(user=user) for user in (alice, dora))
    services.change_role(theirs, Role.OWNER, mine)
    theirs.refresh_from_db()
    _owner, key = services.invite(theirs, email="", role=Role.OWNER)
    _sender, other = services.invite(theirs, email="", role=Role.SENDER)

    services.change_role(theirs, Role.ADMIN, mine)

    assert services.find_invitation(key) is None
    assert services.find_invitation(other) is not None


def test_who_was_demoted_meanwhile_changes_nobody(alice: User, dora: User, bob: User) -> None:
    mine, hers, his = (Membership.objects.get(user=user) for user in (alice, dora, bob))
    services.change_role(Membership.objects.get(pk=hers.pk), Role.VIEWER, mine)

    with pytest.raises(services.NotAllowed):
        services.change_role(his, Role.ADMIN, hers)


def test_who_was_removed_meanwhile_removes_nobody(alice: User, dora: User, bob: User) -> None:
    mine, hers, his = (Membership.objects.get(user=user) for user in (alice, dora, bob))
    services.remove_member(Membership.objects.get(pk=hers.pk), mine)

    with pytest.raises(services.NotAllowed):
        services.remove_member(his, hers)
    assert Membership.objects.filter(pk=his.pk).exists()


def test_nobody_makes_the_site_write_to_the_world(
    as_alice: Client, workspace: Workspace, settings: Settings
) -> None:
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | {"invite": "2/h/user"}
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    for number in range(3):
        form = {"email": f"p{number}@example.org", "role": "sender"}
        page = as_alice.post("/settings/people/invite/", form, follow=True)

    assert len(mail.outbox) == 2
    assert "nothing was mailed to p2@example.org" in page.content.decode()
    assert workspace.invitations.count() == 3
