"""What administrators of the site do to people and workspaces, and what nobody may do."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client
from pytest_django import Settings

from accounts import administering, services
from accounts.models import Event, Invitation, Membership, Role, User, Workspace
from contacts.models import Contact
from messaging.models import Message
from phones.models import Phone
from tests.conftest import PASSWORD, logged_in, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(db: None) -> User:
    user = person("root@example.org", "Root")
    user.is_superuser = True
    user.save()
    return user


@pytest.fixture
def as_root(root: User) -> Client:
    return logged_in(root)


def said(answer: HttpResponse) -> str:
    return answer.content.decode()


def do(client: Client, what: str, *people: User) -> HttpResponse:
    typed = {"what": what, "chosen": [one.pk for one in people]}
    return client.post("/administration/users/change/", typed, follow=True)


def is_in(client: Client) -> bool:
    return client.get("/settings/me/").status_code == 200


def log_in(email: str) -> Client:
    browser = Client()
    browser.post("/login/", {"login": email, "password": PASSWORD})
    return browser


# ---- Finding -------------------------------------------------------------------------------------


def test_people_are_found_by_name_address_and_state(
    as_root: Client, alice: User, bob: User
) -> None:
    User.objects.filter(pk=bob.pk).update(is_active=False)
    for query, found, left_out in (
        ("q=alice", "Alice Martin", "Bob Rossi"),
        ("q=ROSSI", "Bob Rossi", "Alice Martin"),
        ("state=suspended", "Bob Rossi", "Alice Martin"),
        ("state=administrators", "Root", "Alice Martin"),
        ("state=active", "Alice Martin", "Bob Rossi"),
    ):
        page = said(as_root.get(f"/administration/?{query}"))
        # The administrator's own name is in the sidebar.
        assert found in page, query
        assert left_out not in page, query


def test_the_list_costs_the_same_however_many_there_are(
    as_root: Client, alice: User, django_assert_max_num_queries: Callable[..., object]
) -> None:
    for number in range(20):
        person(f"p{number}@example.org", f"Person {number}")

    with django_assert_max_num_queries(8):  # type: ignore[attr-defined]
        as_root.get("/administration/")


def test_a_page_of_people_leads_to_the_next(as_root: Client) -> None:
    for number in range(55):
        person(f"p{number}@example.org", f"Person {number:02}")

    assert "Person 54" not in said(as_root.get("/administration/"))
    assert "Person 54" in said(as_root.get("/administration/?page=2"))


# ---- Adding and editing --------------------------------------------------------------------------


def test_somebody_new_chooses_a_password_by_the_link_of_their_mail(
    as_root: Client, workspace: Workspace, client: Client
) -> None:
    typed = {
        "email": "New@Example.org",
        "name": "Nina",
        "workspace": workspace.pk,
        "role": "viewer",
    }
    as_root.post("/administration/users/add/", typed)
    found = re.search(r"https?://[^/]+(/\S+)", str(mail.outbox[0].body))
    assert found
    form = client.get(found[1])["Location"]
    client.post(form, {"password1": "seven quiet herons", "password2": "seven quiet herons"})
    client.post("/login/", {"login": "new@example.org", "password": "seven quiet herons"})

    assert mail.outbox[0].to == ["new@example.org"]
    assert is_in(client)
    assert Membership.objects.get(user__email="new@example.org").role == Role.VIEWER
    assert Event.objects.filter(action="user.added").count() == 1


def test_nobody_logs_in_before_a_password_is_chosen(as_root: Client) -> None:
    as_root.post("/administration/users/add/", {"email": "new@example.org", "role": "sender"})

    for password in ("", "x", "!"):
        browser = Client()
        browser.post("/login/", {"login": "new@example.org", "password": password})
        assert not is_in(browser)


def test_an_address_is_added_once(as_root: Client, alice: User) -> None:
    answer = as_root.post(
        "/administration/users/add/", {"email": "ALICE@example.org", "role": "sender"}
    )

    assert answer.status_code == 422
    assert "already" in said(answer)


def test_a_dead_mail_server_is_said_and_the_account_stays(
    as_root: Client, settings: Settings
) -> None:
    settings.EMAIL_BACKEND = "tests.accounts.test_passwords.DeadMailServer"

    answer = as_root.post(
        "/administration/users/add/", {"email": "new@example.org", "role": "sender"}, follow=True
    )

    assert "did not take the mail" in said(answer)
    assert User.objects.filter(email="new@example.org").exists()


def test_an_administrator_changes_name_and_address(as_root: Client, alice: User) -> None:
    as_root.post(
        f"/administration/users/{alice.pk}/edit/", {"email": "a@example.org", "name": "Alice M."}
    )

    alice.refresh_from_db()
    assert (alice.email, alice.name, alice.is_superuser) == ("a@example.org", "Alice M.", False)


@pytest.mark.django_db(transaction=True)
def test_the_old_address_is_told_of_the_new_one(as_root: Client, alice: User) -> None:
    as_root.post(
        f"/administration/users/{alice.pk}/edit/", {"email": "a@example.org", "name": "Alice"}
    )

    (message,) = mail.outbox
    assert message.to == ["alice@example.org"]
    assert "another e-mail address" in message.subject


def test_the_last_administrator_stays_one(root: User) -> None:
    for act in (
        lambda: administering.suspend(root, None),
        lambda: administering.delete_user(root, heir=None, by=None),
        lambda: administering.edit_user(
            root, name="", email=root.email, administrator=False, by=None
        ),
    ):
        with pytest.raises(administering.NotAllowed):
            act()


@pytest.mark.parametrize("what", ["suspend", "delete"])
def test_nobody_closes_their_own_account_here(what: str, as_root: Client, root: User) -> None:
    other = person("other@example.org", "Other")
    User.objects.filter(pk=other.pk).update(is_superuser=True)
    if what == "suspend":
        do(as_root, "suspend", root)
    else:
        as_root.post(f"/administration/users/{root.pk}/delete/", {"heir": other.email})

    assert User.objects.get(pk=root.pk).is_active


# ---- What is done to people ----------------------------------------------------------------------


def test_who_is_suspended_is_out_at_once_and_stays_out(as_root: Client, alice: User) -> None:
    hers = log_in(alice.email)
    do(as_root, "suspend", alice)

    assert not is_in(hers)
    assert not is_in(log_in(alice.email))
    assert not UserSession.objects.filter(user=alice).exists()


def test_the_open_invitations_of_who_is_suspended_close(
    as_root: Client, alice: User, workspace: Workspace
) -> None:
    Invitation.objects.create(workspace=workspace, token_hash="x", invited_by=alice)
    do(as_root, "suspend", alice)

    assert not Invitation.objects.exists()


def test_who_is_reactivated_comes_back(as_root: Client, alice: User) -> None:
    do(as_root, "suspend", alice)
    do(as_root, "reactivate", alice)

    assert is_in(log_in(alice.email))


def test_a_demanded_password_comes_before_everything_else(as_root: Client, alice: User) -> None:
    hers = log_in(alice.email)
    do(as_root, "password", alice)

    assert hers.get("/")["Location"] == "/password/"
    assert hers.post("/compose/", {})["Location"] == "/password/"
    kept = {"oldpassword": PASSWORD, "password1": PASSWORD, "password2": PASSWORD}
    assert "Choose another one" in said(hers.post("/password/", kept))
    new = {"password1": "seven quiet herons", "password2": "seven quiet herons"}
    hers.post("/password/", kept | new)
    assert is_in(hers)


def test_a_reset_second_factor_no_longer_stands_in_the_way(as_root: Client, alice: User) -> None:
    Authenticator.objects.create(user=alice, type="webauthn", data={"name": "Lost"})
    do(as_root, "factor", alice)

    assert not Authenticator.objects.exists()
    assert is_in(log_in(alice.email))
    assert "reset your second factor" in mail.outbox[0].subject


def test_somebody_is_logged_out_everywhere(as_root: Client, alice: User) -> None:
    browsers = [log_in(alice.email) for _ in range(2)]
    do(as_root, "logout", alice)

    assert not any(is_in(browser) for browser in browsers)


def test_a_link_for_a_new_password_is_sent(as_root: Client, alice: User) -> None:
    do(as_root, "link", alice)

    assert mail.outbox[0].to == [alice.email]
    assert "/password/reset/" in str(mail.outbox[0].body)


def test_many_are_changed_at_once_and_who_cannot_be_is_named(
    as_root: Client, root: User, alice: User, bob: User
) -> None:
    answer = do(as_root, "suspend", alice, bob, root)

    assert set(User.objects.filter(is_active=False)) == {alice, bob}
    assert "Root:" in said(answer)
    assert "2 people" in said(answer)


def test_what_an_act_means_is_said_before_it_is_done(as_root: Client, alice: User) -> None:
    page = as_root.get("/administration/users/change/", {"what": "suspend", "chosen": alice.pk})

    assert "logged out at once" in said(page)
    assert User.objects.get(pk=alice.pk).is_active


def test_deleting_somebody_hands_over_what_only_they_own(
    as_root: Client, alice: User, bob: User, workspace: Workspace, phone: Phone
) -> None:
    Message.objects.create(
        workspace=workspace, phone=phone, direction="out", peer="+33612345678", text="x"
    )
    page = said(as_root.get(f"/administration/users/{alice.pk}/delete/"))
    as_root.post(f"/administration/users/{alice.pk}/delete/", {"heir": bob.email})

    assert workspace.name in page
    assert not User.objects.filter(pk=alice.pk).exists()
    assert workspace.memberships.get(user=bob).role == Role.OWNER
    assert Message.objects.count() == 1
    assert Event.objects.filter(action="user.deleted", subject="Alice Martin").count() == 1


def test_without_an_heir_the_only_owner_stays(as_root: Client, alice: User) -> None:
    answer = as_root.post(f"/administration/users/{alice.pk}/delete/", {"heir": ""})

    assert answer.status_code == 422
    assert User.objects.filter(pk=alice.pk).exists()


# ---- Import --------------------------------------------------------------------------------------

LINES = """E-mail;Name;Workspace;Role
nina@example.org;Nina;les tilleuls;viewer
alice@example.org;Alice again;;
no address;X;;
omar@example.org;Omar;Nowhere;
pia@example.org;Pia;;boss
nina@example.org;Twice;;
zoe@example.org;;;
"""


def test_a_file_is_looked_at_before_anybody_is_added(
    as_root: Client, alice: User, workspace: Workspace
) -> None:
    file = SimpleUploadedFile("people.csv", LINES.encode(), "text/csv")
    page = said(as_root.post("/administration/users/import/", {"file": file}))

    assert "Add 2 people" in page
    for problem in ("account already", "not an e-mail", "no workspace of", "no such role"):
        assert problem in page
    assert not User.objects.filter(email="nina@example.org").exists()


@pytest.mark.django_db(transaction=True)
def test_those_that_are_right_are_added_and_get_a_mail(
    as_root: Client, alice: User, workspace: Workspace, jobs: Callable[[], None]
) -> None:
    as_root.post("/administration/users/import/", {"pasted": LINES, "sure": "1"})
    jobs()

    assert [message.to for message in mail.outbox] == [["nina@example.org"], ["zoe@example.org"]]
    assert Membership.objects.get(user__email="nina@example.org").role == Role.VIEWER
    assert not User.objects.filter(email__in=["omar@example.org", "pia@example.org"]).exists()


# ---- Workspaces ----------------------------------------------------------------------------------


def test_a_workspace_is_added_for_its_owner(as_root: Client, bob: User) -> None:
    typed = {"name": "New", "owner": bob.email, "country": "ES", "time_zone": "Europe/Madrid"}
    as_root.post("/administration/workspaces/add/", typed)

    made = Workspace.objects.get(name="New")
    assert made.memberships.get().user == bob
    assert made.phones.count() == 1


def test_members_come_change_and_go(as_root: Client, alice: User, workspace: Workspace) -> None:
    root, path = (
        User.objects.get(email="root@example.org"),
        f"/administration/workspaces/{workspace.pk}/",
    )
    as_root.post(f"{path}members/", {"member-person": root.email, "member-role": "viewer"})
    mine = workspace.memberships.get(user=root)
    as_root.post(f"{path}members/{mine.pk}/", {"role": "admin"})
    assert workspace.memberships.get(user=root).role == Role.ADMIN
    as_root.post(f"{path}members/{mine.pk}/")

    assert not workspace.memberships.filter(user=root).exists()


def test_a_workspace_keeps_an_owner(as_root: Client, alice: User, workspace: Workspace) -> None:
    hers = workspace.memberships.get(user=alice)
    for typed in ({"role": "viewer"}, {}):
        path = f"/administration/workspaces/{workspace.pk}/members/{hers.pk}/"
        assert "only owner" in said(as_root.post(path, typed, follow=True))

    assert workspace.memberships.get(user=alice).role == Role.OWNER


def test_a_member_of_another_workspace_is_not_reached_through_this_one(
    as_root: Client, alice: User, charlie: User, workspace: Workspace
) -> None:
    his = charlie.memberships.get()

    assert (
        as_root.post(f"/administration/workspaces/{workspace.pk}/members/{his.pk}/").status_code
        == 404
    )


def test_a_workspace_is_transferred(
    as_root: Client, alice: User, bob: User, workspace: Workspace
) -> None:
    as_root.post(
        f"/administration/workspaces/{workspace.pk}/transfer/", {"transfer-heir": bob.email}
    )

    roles = dict(workspace.memberships.values_list("user__email", "role"))
    assert roles == {bob.email: Role.OWNER, alice.email: Role.ADMIN}


def test_nobody_enters_an_archived_workspace_and_its_phones_pause(
    as_root: Client, as_alice: Client, workspace: Workspace, phone: Phone
) -> None:
    as_root.post(f"/administration/workspaces/{workspace.pk}/archive/")

    phone.refresh_from_db()
    assert phone.is_paused
    assert as_alice.get("/messages/")["Location"] == "/workspaces/none/"
    as_root.post(f"/administration/workspaces/{workspace.pk}/restore/")
    assert as_alice.get("/messages/").status_code == 200


def test_nobody_joins_or_goes_to_an_archived_workspace(
    as_alice: Client, alice: User, charlie: User, workspace: Workspace, client: Client
) -> None:
    theirs = charlie.memberships.get().workspace
    theirs.memberships.create(user=alice, role=Role.VIEWER)
    _invitation, token = services.invite(charlie.memberships.get(), email="", role=Role.VIEWER)
    administering.archive(theirs)

    assert client.get(f"/join/{token}/").status_code == 410
    assert as_alice.post("/workspaces/switch/", {"workspace": theirs.pk}).status_code == 404
    assert "Elsewhere" not in said(as_alice.get("/more/"))


def test_only_an_archived_workspace_is_deleted_and_only_by_its_name(
    as_root: Client, workspace: Workspace
) -> None:
    path = f"/administration/workspaces/{workspace.pk}/delete/"
    as_root.post(path, {"name": workspace.name})
    administering.archive(workspace)
    as_root.post(path, {"name": "another"})

    assert Workspace.objects.get(pk=workspace.pk).deleting_at is None


@pytest.mark.django_db(transaction=True)
def test_a_deleted_workspace_takes_all_it_holds_along_and_nothing_else(
    as_root: Client, workspace: Workspace, phone: Phone, charlie: User, jobs: Callable[[], None]
) -> None:
    theirs = charlie.memberships.get().workspace
    other = Phone.objects.create(workspace=theirs, type="simulator", name="O", settings={}, rate=1)
    for place, line in ((workspace, phone), (theirs, other)):
        for number in range(3):
            Message.objects.create(
                workspace=place, phone=line, direction="out", peer=f"+3361234567{number}", text="x"
            )
        Contact.objects.create(workspace=place, number="+33612345678")
    administering.archive(workspace)
    as_root.post(f"/administration/workspaces/{workspace.pk}/delete/", {"name": workspace.name})
    jobs()

    assert list(Workspace.objects.all()) == [theirs]
    assert Message.objects.filter(workspace=theirs).count() == Message.objects.count() == 3
    assert Contact.objects.get().workspace == theirs
    assert Event.objects.filter(action="workspace.deleted").count() == 1
