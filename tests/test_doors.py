"""Every address of the site, asked by everybody: nobody sees or changes what is not theirs.

Each address stands in one table below, so that a new one makes its author decide who may enter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from accounts import roles
from accounts.models import Invitation, Membership, Role, User, Workspace
from campaigns.models import Campaign, Recurrence, Text
from campaigns.models import Tag as CampaignTag
from contacts.models import (
    Change,
    Contact,
    Field,
    Group,
    Import,
    NumberCarrier,
    OptOut,
    Segment,
    Tag,
)
from messaging.models import (
    Call,
    Conversation,
    Direction,
    Media,
    Message,
    QuietHours,
    Status,
)
from messaging.quota import ledger
from phones.models import Phone, Pool
from tests.conftest import logged_in

pytestmark = pytest.mark.django_db

# Open to the world, each with its own guard.
OPEN = {
    "account_change_password", "account_inactive", "account_login", "account_logout",
    "account_reset_password", "account_reset_password_done", "account_reset_password_from_key",
    "account_reset_password_from_key_done", "account_signup", "callback", "channel", "email_agree",
    "favicon", "healthz", "invitation", "media_public", "metrics", "mfa_authenticate",
    "mfa_login_webauthn", "openid_connect_callback", "openid_connect_login", "readyz", "set_language",
    "setup", "setup_site", "sign_up_finish", "site_echo", "site_logo", "socialaccount_login_cancelled",
}  # fmt: skip
# Behind log-in, for oneself.
SELF = {
    "account_reauthenticate", "connection_end", "email_cancel", "email_change", "impersonation_stop",
    "mfa_activate_totp", "mfa_add_webauthn",
    "mfa_deactivate_totp", "mfa_download_recovery_codes", "mfa_edit_webauthn",
    "mfa_generate_recovery_codes", "mfa_index", "mfa_reauthenticate", "mfa_reauthenticate_webauthn",
    "mfa_remove_webauthn", "mfa_view_recovery_codes", "profile", "session_end", "sessions_end",
    "workspace_missing", "workspace_switch",
}  # fmt: skip
# Who goes there has to say again who they are, whatever is there: tests/accounts/test_factors.py.
ASKED_AGAIN = {"mfa_edit_webauthn", "mfa_remove_webauthn"}
# For every member of the workspace.
MEMBER = {
    "calls", "campaign", "campaigns", "campaigns_failing", "campaigns_failing_export", "campaigns_tags",
    "carriers", "contact", "contacts", "contacts_changes", "conversation", "file", "group", "groups",
    "home", "inbox", "message", "messages", "more", "opt_outs", "people", "people_roles", "phone",
    "phone_binds", "phone_limits", "phone_prices", "phone_prices_export", "phone_types", "phones",
    "pools", "quota", "recurrence", "recurrences", "segment", "segments", "tags", "texts",
}  # fmt: skip
# They need a file, or a phone that stays connected: tests/messaging/test_files.py and
# tests/phones/test_live_views.py show them.
SHOWN_ELSEWHERE = {"file", "phone_binds"}
# For those who may send.
SENDER = {
    "campaign_ask",
    "campaign_cancel", "campaign_check", "campaign_delete", "campaign_duplicate", "campaign_edit",
    "campaign_export", "campaign_left_out", "campaign_new", "campaign_pause", "campaign_preview",
    "campaign_resume", "campaign_retry", "campaign_start", "campaign_when", "campaign_write",
    "campaigns_failing_stop", "campaigns_failing_undo", "campaigntag_rename", "change_undo", "compose",
    "compose_preview", "compose_recipients", "contact_add", "contact_edit", "contacts_change",
    "conversation_unread", "group_add", "group_edit", "message_cancel", "message_move", "message_now",
    "message_resend", "message_settle",
    "messages_cancel", "messages_settle", "opt_out_add", "recurrence_begin", "recurrence_end",
    "recurrence_pause", "recurrence_prepare", "recurrence_resume", "recurrence_skip",
    "recurrence_unskip", "recurrences_preview", "segment_add", "segment_edit", "tag_edit", "text_add",
    "text_check", "text_delete", "text_edit", "texts_menu",
}  # fmt: skip
# For those who manage the workspace.
MANAGER = {
    "activity", "campaign_approve", "campaign_return", "campaigntag_delete", "carrier_add",
    "carrier_import", "carrier_remove", "contact_data", "contact_delete",
    "contact_erase", "contacts_duplicates", "contacts_export", "contacts_merge", "field_add",
    "field_delete", "field_edit", "fields", "group_delete", "import", "import_add", "import_back",
    "import_check", "import_delete", "import_rejected", "import_shape", "import_start", "import_stop",
    "imports", "invitation_renew", "invitation_revoke", "opt_out_remove", "people_invite",
    "people_remove", "people_role", "phone_add", "phone_addresses", "phone_balance", "phone_check",
    "phone_connect", "phone_delete", "phone_edit", "phone_edit_try", "phone_limit_remove",
    "phone_limit_set", "phone_new", "phone_pause", "phone_price_remove", "phone_price_set",
    "phone_prices_fetch", "phone_prices_import", "phone_rotate", "phone_start", "phone_trace",
    "phone_try", "phone_watch", "pool_add", "pool_delete", "pool_edit", "quota_person",
    "quota_person_credit", "quota_person_remove", "quota_person_renew", "quiet_hours",
    "quiet_hours_add", "quiet_hours_delete", "quiet_hours_edit", "segment_delete", "settings_workspace",
    "tag_delete", "usage", "usage_export",
}  # fmt: skip
# What Chromium made for http://localhost on 21 November 2026, with a device that its DevTools play.
CREDENTIAL = {
    "id": "geY8ea5rLfR0Q4u2EEZzDjJ6EIBCkGOoEWoHCGH-AHY",
    "rawId": "geY8ea5rLfR0Q4u2EEZzDjJ6EIBCkGOoEWoHCGH-AHY",
    "type": "public-key",
    "clientExtensionResults": {"credProps": {"rk": True}},
    "response": {
        "attestationObject": (
            "o2NmbXRkbm9uZWdhdHRTdG10oGhhdXRoRGF0YVikSZYN5YgOjGh0NBcPZHZgW4_krrmihjLHmVzzuoMd"
            "l2NFAAAAAQECAwQFBgcIAQIDBAUGBwgAIIHmPHmuay30dEOLthBGcw4yehCAQpBjqBFqBwhh_gB2pQEC"
            "AyYgASFYIEbVkOV5UXV9H0b9voOIwrP5LQ7W4SWbBSKBoGd1zDI9Ilgg5rs7YkMLYbLjBQpev5kYNjEu"
            "lkXgOfkudl-cmGIgghY"
        ),
        "clientDataJSON": (
            "eyJ0eXBlIjoid2ViYXV0aG4uY3JlYXRlIiwiY2hhbGxlbmdlIjoiSE42S2lKdWN3NjU5dHBHWU9Zb0lK"
            "NmRrOHpBYU5CcVZwZXBJM0dLZ1l5dyIsIm9yaWdpbiI6Imh0dHA6Ly9sb2NhbGhvc3Q6MzY4MzEiLCJj"
            "cm9zc09yaWdpbiI6ZmFsc2V9"
        ),
    },
}

# For administrators of the site; to everybody else they are not there.
ADMINISTRATOR = {
    "admin_activity", "admin_site", "admin_site_address", "admin_site_mail", "admin_user",
    "admin_user_add", "admin_user_delete", "admin_user_edit",
    "admin_usage", "admin_usage_export",
    "admin_user_impersonate", "admin_users", "admin_users_change", "admin_users_import", "admin_workspace",
    "admin_workspace_add", "admin_workspace_archive", "admin_workspace_delete", "admin_workspace_member",
    "admin_workspace_member_add", "admin_workspace_quota", "admin_workspace_quota_credit",
    "admin_workspace_quota_remove", "admin_workspace_quota_renew", "admin_workspace_restore",
    "admin_workspace_transfer", "admin_workspaces",
    "system", "system_ask",
}  # fmt: skip
# Who may do what is in one table (accounts.roles), by the name that a gate has.
TABLES = {
    roles.LOOK: MEMBER,
    roles.SEND: SENDER,
    roles.MANAGE: MANAGER,
    "administrator": ADMINISTRATOR,
}
# Their gate depends on what is done there.
GATED_WITHIN = {"conversation", "people_remove"}


def addresses(patterns: list[Any] | None = None) -> Iterator[URLPattern]:
    """Give every address but those of Django's admin, which tests/test_tables.py walks."""
    for item in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(item, URLResolver) and item.namespace == "admin":
            continue
        if isinstance(item, URLResolver):
            yield from addresses(item.url_patterns)
        else:
            yield item


PATTERNS = {str(pattern.name): pattern for pattern in addresses()}
NAMES = sorted(PATTERNS)
BEHIND = sorted(set(NAMES) - OPEN)


@pytest.fixture
def things(
    workspace: Workspace, phone: Phone, alice: User, dora: User, bob: User
) -> dict[str, dict[str, Any]]:
    """Give the arguments of each address, pointing at things of alice's workspace."""
    message = Message.objects.create(
        workspace=workspace, phone=phone, direction=Direction.OUT, status=Status.QUEUED,
        peer="+33612345678", text="Hello",
    )  # fmt: skip
    conversation = Conversation.objects.create(
        workspace=workspace, peer="+33612345678", phone=phone, last=message, last_at=timezone.now()
    )
    member = Membership.objects.get(user=dora)
    invitation = Invitation.objects.create(
        workspace=workspace, role=Role.SENDER, token_hash="x", invited_by=alice
    )
    opt_out = OptOut.objects.create(workspace=workspace, number="+33600000009", source="person")
    contact = Contact.objects.create(workspace=workspace, number="+33612345678", name="Nadia")
    group = Group.objects.create(workspace=workspace, name="Choir", folded="choir")
    tag = Tag.objects.create(workspace=workspace, name="vip", folded="vip")
    campaigntag = CampaignTag.objects.create(workspace=workspace, name="Flu", folded="flu")
    change = Change.objects.create(workspace=workspace, action="tag", target=1, people=[])
    field = Field.objects.create(workspace=workspace, key="town", label="Town", type="text")
    rule = {"what": "town", "is": "=", "value": "Lyon"}
    segment = Segment.objects.create(workspace=workspace, name="Lyon", folded="lyon", rule=rule)
    upload = Import.objects.create(
        workspace=workspace, name="people.csv", shape={"format": "csv", "columns": ["A"]}, mapping=["number"],
        state="done",
    )  # fmt: skip
    carrier = NumberCarrier.objects.create(
        workspace=workspace, number="+12025550123", carrier="us-verizon", source="person"
    )
    text = Text.objects.create(workspace=workspace, name="Bus", folded="bus", source="It is late")
    media = Media.objects.create(workspace=workspace, content_type="image/png")
    pool = Pool.objects.create(workspace=workspace, name="Both", folded="both")
    Call.objects.create(
        workspace=workspace, phone=phone, peer="+33612345678", provider_id="1",
        started_at=timezone.now(),
    )  # fmt: skip
    campaign, pattern = (
        Campaign.objects.create(workspace=workspace, name=name, text="Hello")
        for name in ("Flu", "Birthday")
    )
    recurrence = Recurrence.objects.create(
        workspace=workspace, pattern=pattern, rule="FREQ=DAILY", starts_on=timezone.localdate(),
        at="09:00", zone="Europe/Paris",
    )  # fmt: skip
    for whose in (None, dora):
        ledger.grant(workspace, whose, alice, unit="segments", every="month", amount=5000)
    quiet = QuietHours.objects.create(workspace=workspace, country="US", is_off=True)
    session = UserSession.objects.create(
        user=alice, ip="198.51.100.7", session_key="x" * 32, user_agent="Firefox/130.0 (Windows)"
    )
    key = Authenticator.objects.create(
        user=alice,
        type=Authenticator.Type.WEBAUTHN,
        data={"name": "Laptop", "credential": CREDENTIAL},
    )
    connection = SocialAccount.objects.create(user=alice, provider="oidc", uid="42")
    owners = {
        "connection": connection, "session": session, "mfa": key, "admin_user": bob,
        "admin_workspace": workspace, "message": message, "conversation": conversation,
        "people": member, "phone": phone, "quiet": quiet, "campaign": campaign, "quota": dora,
        "recurrence": recurrence,
        "invitation": invitation, "opt": opt_out, "file": media, "carrier": carrier,
        "contact": contact, "group": group, "tag": tag, "campaigntag": campaigntag, "change": change,
        "field": field,
        "import": upload, "segment": segment, "text": text, "pool": pool,
    }  # fmt: skip
    return {
        "pk": {prefix: thing.pk for prefix, thing in owners.items()},
        "slug": {"phone": "simulator"},
        "member": {"admin_workspace": member.pk},
    }


def address(name: str, things: dict[str, dict[str, Any]]) -> str:
    words = name.split("_")
    kind = "_".join(words[:2]) if words[0] == "admin" else words[0]
    asked = PATTERNS[name].pattern.regex.groupindex
    return reverse(name, kwargs={key: things[key][kind] for key in asked})


def has_object(name: str) -> bool:
    return "pk" in PATTERNS[name].pattern.regex.groupindex


def test_every_address_is_in_exactly_one_table() -> None:
    tables = [OPEN, SELF, MEMBER, SENDER, MANAGER, ADMINISTRATOR]
    listed = [name for table in tables for name in table]

    assert sorted(listed) == NAMES


Answers = dict[str, HttpResponse]


def ask(client: Client, names: Iterable[str], things: dict[str, dict[str, Any]]) -> Answers:
    """GET and POST addresses; give the answer to each, by its method and name."""
    return {
        f"{method.upper()} {name}": getattr(client, method)(address(name, things))
        for name in sorted(names)
        for method in ("get", "post")
    }


def others_than(answers: Answers, *statuses: int) -> dict[str, int]:
    """Give the answers that are none of the statuses."""
    return {
        asked: answer.status_code
        for asked, answer in answers.items()
        if answer.status_code not in statuses
    }


@pytest.mark.usefixtures("unrendered")
def test_nobody_enters_without_logging_in(things) -> None:
    answers = ask(Client(), BEHIND, things)

    assert others_than(answers, 302, 405) == {}
    places = {asked: answer.headers.get("Location", "/login/") for asked, answer in answers.items()}
    assert {asked: to for asked, to in places.items() if not to.startswith("/login/")} == {}


@pytest.mark.usefixtures("unrendered")
def test_what_belongs_to_others_does_not_exist(things, as_charlie) -> None:
    names = filter(has_object, set(BEHIND) - ASKED_AGAIN - ADMINISTRATOR)

    assert others_than(ask(as_charlie, names, things), 404, 405) == {}


@pytest.mark.usefixtures("unrendered")
def test_who_only_looks_cannot_change_anything(things, as_vera) -> None:
    assert others_than(ask(as_vera, SENDER | MANAGER, things), 403, 405) == {}


@pytest.mark.usefixtures("unrendered")
def test_who_sends_cannot_manage(things, as_bob) -> None:
    assert others_than(ask(as_bob, MANAGER, things), 403, 405) == {}


def test_who_looks_sees_the_pages(things, as_vera) -> None:
    seen = {name: as_vera.get(address(name, things)) for name in MEMBER - SHOWN_ELSEWHERE}

    assert others_than(seen, 200) == {}


def test_an_administrator_of_the_site_needs_no_workspace(things) -> None:
    root = User.objects.create_superuser("root@example.org")
    client = Client()
    client.force_login(root)
    seen = {name: client.get(address(name, things)) for name in ("system", "admin_users")}

    assert others_than(seen, 200, 405) == {}
    assert [n for n, answer in seen.items() if "private" not in answer["Cache-Control"]] == []


@pytest.mark.usefixtures("unrendered")
def test_an_owner_enters_everywhere_and_no_proxy_keeps_it(things, as_alice) -> None:
    seen = {name: as_alice.get(address(name, things)) for name in BEHIND}

    # Some pages have nothing to ask before people are chosen; a draft leads to where it is written.
    others = SELF | SHOWN_ELSEWHERE | ADMINISTRATOR | {"campaign", "campaigns_failing_stop"}
    others |= {"contacts_change", "contacts_merge"}
    mine = {name: answer for name, answer in seen.items() if name not in others}
    assert others_than(mine, 200, 405) == {}
    assert [n for n, answer in seen.items() if "private" not in answer["Cache-Control"]] == []


def test_each_gate_is_the_one_of_its_table() -> None:
    gates = {str(p.name): getattr(p.callback, "needs", "") for p in addresses()}

    for needs, table in TABLES.items():
        wrong = {name: gates[name] for name in table - GATED_WITHIN if gates[name] != needs}
        assert wrong == {}, needs


@pytest.mark.usefixtures("unrendered")
@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("action", roles.MATRIX, ids=lambda action: action.name)
def test_each_role_passes_the_gates_that_the_matrix_opens(
    action: roles.Action, role: Role, things, workspace: Workspace, bob: User
) -> None:
    """Ask a share of the addresses as each role, together all; what gate each has is held above."""
    Membership.objects.filter(user=bob).update(role=role)
    browser = logged_in(bob)
    names = sorted(TABLES.get(action.name, set()) - SHOWN_ELSEWHERE - GATED_WITHIN)
    names = names[list(Role).index(role) :: len(Role)]

    answers = {name: browser.get(address(name, things)).status_code for name in names}

    # Some refuse the method before they ask who it is.
    refused = {name for name, status in answers.items() if status in (403, 405)}
    expected = {name for name in names if answers[name] == 405}
    assert refused == (expected if role in action.roles else set(names))


@pytest.mark.usefixtures("unrendered")
def test_the_administration_is_not_there_for_others(things, as_alice, as_bob) -> None:
    for browser in (as_alice, as_bob):
        assert others_than(ask(browser, ADMINISTRATOR, things), 404, 405) == {}


def test_an_administrator_sees_the_administration(things, alice: User, as_alice) -> None:
    User.objects.filter(pk=alice.pk).update(is_superuser=True)

    seen = {name: as_alice.get(address(name, things)) for name in ADMINISTRATOR}

    assert others_than(seen, 200, 302, 405) == {}
    assert [n for n, answer in seen.items() if "private" not in answer["Cache-Control"]] == []
