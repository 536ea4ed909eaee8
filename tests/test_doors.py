"""Every address of the site, asked by everybody: nobody sees or changes what is not theirs.

Each address stands in one table below, so that a new one makes its author decide who may enter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from accounts.models import Invitation, Membership, Role, User, Workspace
from campaigns.models import Campaign, Recurrence, Text
from contacts.models import Change, Contact, Field, Group, Import, NumberCarrier, OptOut, Segment
from messaging.models import (
    Call,
    Conversation,
    Direction,
    Media,
    Message,
    QuietHours,
    Status,
)
from phones.models import Phone, Pool

pytestmark = pytest.mark.django_db

# Open to the world, each with its own guard.
OPEN = {
    "account_change_password", "account_inactive", "account_login", "account_logout",
    "account_reset_password", "account_reset_password_done", "account_reset_password_from_key",
    "account_reset_password_from_key_done", "account_signup", "callback", "channel", "favicon",
    "healthz", "invitation", "media_public", "metrics", "readyz", "set_language", "setup", "setup_site",
    "sign_up_finish",
}  # fmt: skip
# Behind log-in, for oneself.
SELF = {"profile", "workspace_switch", "workspace_missing"}
# For every member of the workspace.
MEMBER = {
    "calls", "carriers", "contact", "contacts", "contacts_changes", "conversation", "file", "group",
    "groups", "home", "inbox", "message", "messages", "more", "opt_outs", "people", "phone",
    "phone_binds", "phone_limits", "phone_prices", "phone_prices_export", "phone_types", "phones",
    "pools", "recurrence", "recurrences", "segment", "segments", "texts",
}  # fmt: skip
# They need a file, or a phone that stays connected: tests/messaging/test_files.py and
# tests/phones/test_live_views.py show them.
SHOWN_ELSEWHERE = {"file", "phone_binds"}
# For those who may send.
SENDER = {
    "campaign_when", "change_undo", "compose", "compose_preview", "compose_recipients", "contact_add",
    "contact_edit", "contacts_change", "conversation_unread", "group_add", "group_edit",
    "message_cancel", "message_move", "message_resend", "message_settle", "messages_cancel",
    "messages_settle", "opt_out_add", "recurrence_begin", "recurrence_end", "recurrence_pause",
    "recurrence_prepare", "recurrence_resume", "recurrence_skip", "recurrence_unskip",
    "recurrences_preview", "segment_add", "segment_edit", "text_add", "text_check", "text_delete",
    "text_edit", "texts_menu",
}  # fmt: skip
# For those who manage the workspace.
MANAGER = {
    "carrier_add", "carrier_import", "carrier_remove", "contact_data", "contact_delete",
    "contact_erase", "contacts_duplicates", "contacts_export", "contacts_merge", "field_add",
    "field_delete", "field_edit", "fields", "group_delete", "import", "import_add", "import_back",
    "import_check", "import_delete", "import_rejected", "import_shape", "import_start", "import_stop",
    "imports", "invitation_renew", "invitation_revoke", "opt_out_remove", "people_invite",
    "people_remove", "people_role", "phone_add", "phone_addresses", "phone_balance", "phone_check",
    "phone_connect", "phone_delete", "phone_edit", "phone_edit_try", "phone_limit_remove",
    "phone_limit_set", "phone_new", "phone_pause", "phone_price_remove", "phone_price_set",
    "phone_prices_fetch", "phone_prices_import", "phone_rotate", "phone_start", "phone_trace",
    "phone_try", "phone_watch", "pool_add", "pool_delete", "pool_edit", "quiet_hours",
    "quiet_hours_add", "quiet_hours_delete", "quiet_hours_edit", "segment_delete", "settings_workspace",
}  # fmt: skip
# For administrators of the site, whatever they are in a workspace.
SITE = {"system", "system_ask"}


def addresses(patterns: list[Any] | None = None) -> Iterator[URLPattern]:
    for item in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(item, URLResolver):
            yield from addresses(item.url_patterns)
        else:
            yield item


PATTERNS = {str(pattern.name): pattern for pattern in addresses()}
NAMES = sorted(PATTERNS)
BEHIND = sorted(set(NAMES) - OPEN)


@pytest.fixture
def things(
    workspace: Workspace, phone: Phone, alice: User, dora: User
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
    campaign = Campaign.objects.create(workspace=workspace, name="Flu", text="Hello")
    recurrence = Recurrence.objects.create(
        workspace=workspace, pattern=campaign, rule="FREQ=DAILY", starts_on=timezone.localdate(),
        at="09:00", zone="Europe/Paris",
    )  # fmt: skip
    quiet = QuietHours.objects.create(workspace=workspace, country="US", is_off=True)
    owners = {
        "quiet": quiet, "campaign": campaign, "recurrence": recurrence,
        "message": message, "conversation": conversation, "people": member, "phone": phone,
        "invitation": invitation, "opt": opt_out, "file": media, "carrier": carrier,
        "contact": contact, "group": group, "change": change, "field": field,
        "import": upload, "segment": segment, "text": text, "pool": pool,
    }  # fmt: skip
    return {
        "pk": {prefix: thing.pk for prefix, thing in owners.items()},
        "slug": {"phone": "simulator"},
    }


def address(name: str, things: dict[str, dict[str, Any]]) -> str:
    kind = name.split("_", maxsplit=1)[0]
    asked = PATTERNS[name].pattern.regex.groupindex
    return reverse(name, kwargs={key: things[key][kind] for key in asked})


def has_object(name: str) -> bool:
    return "pk" in PATTERNS[name].pattern.regex.groupindex


def test_every_address_is_in_exactly_one_table() -> None:
    tables = [OPEN, SELF, MEMBER, SENDER, MANAGER, SITE]
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


def test_nobody_enters_without_logging_in(things) -> None:
    answers = ask(Client(), BEHIND, things)

    assert others_than(answers, 302, 405) == {}
    places = {asked: answer.headers.get("Location", "/login/") for asked, answer in answers.items()}
    assert {asked: to for asked, to in places.items() if not to.startswith("/login/")} == {}


def test_what_belongs_to_others_does_not_exist(things, as_charlie) -> None:
    assert others_than(ask(as_charlie, filter(has_object, BEHIND), things), 404, 405) == {}


def test_who_only_looks_cannot_change_anything(things, as_vera) -> None:
    assert others_than(ask(as_vera, SENDER | MANAGER, things), 403, 405) == {}


def test_who_sends_cannot_manage(things, as_bob) -> None:
    assert others_than(ask(as_bob, MANAGER, things), 403, 405) == {}


def test_who_looks_sees_the_pages(things, as_vera) -> None:
    seen = {name: as_vera.get(address(name, things)) for name in MEMBER - SHOWN_ELSEWHERE}

    assert others_than(seen, 200) == {}


def test_an_owner_of_a_workspace_does_not_administer_the_site(things, as_alice) -> None:
    assert others_than(ask(as_alice, SITE, things), 403, 405) == {}


def test_an_administrator_of_the_site_needs_no_workspace(things) -> None:
    root = User.objects.create_superuser("root@example.org")
    client = Client()
    client.force_login(root)
    seen = {name: client.get(address(name, things)) for name in SITE}

    assert others_than(seen, 200, 405) == {}
    assert [n for n, answer in seen.items() if "private" not in answer["Cache-Control"]] == []


def test_an_owner_enters_everywhere_and_no_proxy_keeps_it(things, as_alice) -> None:
    seen = {name: as_alice.get(address(name, things)) for name in BEHIND}

    # Some pages have nothing to ask before people are chosen.
    others = SELF | SITE | SHOWN_ELSEWHERE | {"contacts_change", "contacts_merge"}
    mine = {name: answer for name, answer in seen.items() if name not in others}
    assert others_than(mine, 200, 405) == {}
    assert [n for n, answer in seen.items() if "private" not in answer["Cache-Control"]] == []
