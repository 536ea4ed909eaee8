"""Every address of the site, asked by everybody: nobody sees or changes what is not theirs.

Each address stands in one table below, so that a new one makes its author decide who may enter.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from accounts.models import Invitation, Membership, Role, User, Workspace
from contacts.models import Change, Contact, Field, Group, Import, NumberCarrier, OptOut, Segment
from messaging.models import Call, Conversation, Direction, Media, Message, Status
from phones.models import Phone

pytestmark = pytest.mark.django_db

# Open to the world, each with its own guard.
OPEN = {
    "account_change_password", "account_inactive", "account_login", "account_logout",
    "account_reset_password", "account_reset_password_done", "account_reset_password_from_key",
    "account_reset_password_from_key_done", "account_signup", "callback", "channel", "favicon", "healthz",
    "invitation", "media_public", "set_language", "setup", "setup_site", "sign_up_finish",
}  # fmt: skip
# Behind log-in, for oneself.
SELF = {"profile", "workspace_switch", "workspace_missing"}
# For every member of the workspace.
MEMBER = {
    "calls", "carriers", "contact", "contacts", "contacts_changes", "conversation", "file", "group",
    "groups", "home", "inbox", "message", "messages", "more", "opt_outs", "people", "phone",
    "phone_binds", "phone_prices", "phone_prices_export", "phone_types", "phones", "segment",
    "segments",
}  # fmt: skip
# They need a file, or a phone that stays connected: tests/messaging/test_files.py and
# tests/phones/test_live_views.py show them.
SHOWN_ELSEWHERE = {"file", "phone_binds"}
# For those who may send.
SENDER = {
    "change_undo", "compose", "compose_preview", "compose_recipients", "contact_add",
    "contact_edit", "contacts_change", "conversation_unread", "group_add", "group_edit",
    "message_cancel", "message_move", "message_resend", "message_settle", "messages_cancel",
    "messages_settle", "opt_out_add", "segment_add", "segment_edit",
}  # fmt: skip
# For those who manage the workspace.
MANAGER = {
    "carrier_add", "carrier_import", "carrier_remove", "contact_data", "contact_delete",
    "contact_erase", "contacts_duplicates", "contacts_export", "contacts_merge", "field_add",
    "field_delete", "field_edit", "fields", "group_delete", "import", "import_add", "import_back",
    "import_check", "import_delete", "import_rejected", "import_shape", "import_start",
    "import_stop", "imports", "segment_delete",
    "invitation_renew", "invitation_revoke", "opt_out_remove", "people_invite", "people_remove",
    "people_role", "phone_add", "phone_addresses", "phone_balance", "phone_check", "phone_connect",
    "phone_delete", "phone_edit", "phone_edit_try", "phone_new", "phone_pause", "phone_price_remove",
    "phone_price_set", "phone_prices_fetch", "phone_prices_import", "phone_rotate", "phone_start",
    "phone_trace", "phone_try", "settings_workspace",
}  # fmt: skip


def addresses(patterns: list[Any] | None = None) -> Iterator[URLPattern]:
    for item in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(item, URLResolver):
            yield from addresses(item.url_patterns)
        else:
            yield item


NAMES = sorted({str(pattern.name) for pattern in addresses()})
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
    media = Media.objects.create(workspace=workspace, content_type="image/png")
    Call.objects.create(
        workspace=workspace, phone=phone, peer="+33612345678", provider_id="1",
        started_at=timezone.now(),
    )  # fmt: skip
    owners = {
        "message": message, "conversation": conversation, "people": member, "phone": phone,
        "invitation": invitation, "opt": opt_out, "file": media, "carrier": carrier,
        "contact": contact, "group": group, "change": change, "field": field,
        "import": upload, "segment": segment,
    }  # fmt: skip
    return {
        "pk": {prefix: thing.pk for prefix, thing in owners.items()},
        "slug": {"phone": "simulator"},
    }


def address(name: str, things: dict[str, dict[str, Any]]) -> str:
    pattern = next(p for p in addresses() if p.name == name)
    kind = name.split("_", maxsplit=1)[0]
    return reverse(
        name, kwargs={key: things[key][kind] for key in pattern.pattern.regex.groupindex}
    )


def has_object(name: str) -> bool:
    pattern = next(p for p in addresses() if p.name == name)
    return "pk" in pattern.pattern.regex.groupindex


def test_every_address_is_in_exactly_one_table() -> None:
    tables = [OPEN, SELF, MEMBER, SENDER, MANAGER]
    listed = [name for table in tables for name in table]

    assert sorted(listed) == NAMES


@pytest.mark.parametrize("name", BEHIND)
@pytest.mark.parametrize("method", ["get", "post"])
def test_nobody_enters_without_logging_in(name, method, things) -> None:
    answer = getattr(Client(), method)(address(name, things))

    assert answer.status_code == 405 or answer["Location"].startswith("/login/")


@pytest.mark.parametrize("name", [name for name in BEHIND if has_object(name)])
@pytest.mark.parametrize("method", ["get", "post"])
def test_what_belongs_to_others_does_not_exist(name, method, things, as_charlie) -> None:
    answer = getattr(as_charlie, method)(address(name, things))

    assert answer.status_code in (404, 405)
    assert as_charlie.post(address(name, things)).status_code in (404, 405)


@pytest.mark.parametrize("name", sorted(SENDER | MANAGER))
def test_who_only_looks_cannot_change_anything(name, things, as_vera) -> None:
    answer = as_vera.post(address(name, things))

    assert answer.status_code in (403, 405)
    assert as_vera.get(address(name, things)).status_code in (403, 405)


@pytest.mark.parametrize("name", sorted(MANAGER))
def test_who_sends_cannot_manage(name, things, as_bob) -> None:
    answer = as_bob.post(address(name, things))

    assert answer.status_code in (403, 405)
    assert as_bob.get(address(name, things)).status_code in (403, 405)


@pytest.mark.parametrize("name", sorted(MEMBER - SHOWN_ELSEWHERE))
def test_who_looks_sees_the_pages(name, things, as_vera) -> None:
    assert as_vera.get(address(name, things)).status_code == 200


@pytest.mark.parametrize("name", sorted(MEMBER - SHOWN_ELSEWHERE | MANAGER | SENDER))
def test_an_owner_enters_everywhere(name, things, as_alice) -> None:
    answer = as_alice.get(address(name, things))

    # Some pages have nothing to ask before people are chosen.
    assert answer.status_code in (200, 405) or name in {"contacts_change", "contacts_merge"}
