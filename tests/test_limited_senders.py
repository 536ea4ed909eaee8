"""Whoever is limited sends nothing beyond it, whichever door they try.

A new address behind which somebody may send, and a new place that queues messages, make their author say
here what limits do there.
"""

from __future__ import annotations

import ast
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Membership, User, Workspace
from campaigns import expanding, feeding, recurring, rehearsing, scheduling, steering
from campaigns.forms import version
from campaigns.models import Campaign, Recurrence, State
from campaigns.rhythms import Rhythm
from contacts.models import Contact, Group
from messaging import actions, failing_over
from messaging.models import Conversation, Direction, Message, Status
from phones.base import Reason
from phones.models import Phone
from tests.campaigns.conftest import messages
from tests.messaging.conftest import line, number, scripted
from tests.test_doors import SENDER

pytestmark = pytest.mark.django_db

__all__ = ["line", "scripted"]
ROOT = Path(__file__).resolve().parent.parent
INSIDE, OUTSIDE = number(1), number(2)
PARIS = ZoneInfo("Europe/Paris")

# ---- Nothing is forgotten -----------------------------------------------------------------------

# Modules that let messages wait to be sent, and who is asked there.
QUEUES = {
    "messaging/composing.py": "composing.create asks permitting",
    "messaging/actions.py": "resend, move and send_now ask permitting",
    "messaging/sending.py": "gives back what it claimed itself",
    "campaigns/expanding.py": "judging knows the limits that the campaign keeps",
    "campaigns/steering.py": "retry asks may_go_on",
}
# Addresses for senders by which nothing is queued.
HARMLESS = {
    "campaign_ask", "campaign_cancel", "campaign_check", "campaign_delete", "campaign_duplicate",
    "campaign_edit", "campaign_export", "campaign_left_out", "campaign_new", "campaign_pause",
    "campaign_preview", "campaign_when", "campaigns_failing_stop", "campaigns_failing_undo",
    "campaigntag_rename", "compose_preview", "compose_recipients", "conversation_unread",
    "message_cancel", "message_settle",
    "messages_cancel", "messages_settle", "opt_out_add", "recurrence_end", "recurrence_pause",
    "recurrence_prepare", "recurrence_skip", "recurrence_unskip", "recurrences_preview", "text_add",
    "text_check", "text_delete", "text_edit", "texts_menu",
}  # fmt: skip
# Closed to who may write to some people only.
KEEPERS = {
    "change_undo", "contact_add", "contact_edit", "contacts_change", "group_add", "group_edit",
    "segment_add", "segment_edit", "tag_edit",
}  # fmt: skip


def calls(file: Path, name: str) -> Iterator[ast.Call]:
    """Give the calls of a function, by the words it is called with."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == name:
            yield node


def ours() -> Iterator[tuple[str, Path]]:
    for part in ("accounts", "contacts", "phones", "messaging", "campaigns", "smsapp"):
        for file in (ROOT / part).rglob("*.py"):
            if "migrations" not in file.parts:
                yield str(file.relative_to(ROOT)), file


def queues(file: Path) -> bool:
    """Say whether a module writes `Status.QUEUED` into messages."""
    tree = ast.parse(file.read_text())
    written: list[ast.expr] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in (
            "update", "create", "Message", "update_or_create",
        ):  # fmt: skip
            written += [word.value for word in node.keywords if word.arg == "status"]
        elif isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            written += [value for key, value in pairs if key and ast.unparse(key) == "'status'"]
        elif isinstance(node, ast.Tuple):
            written += [item for item in node.elts if isinstance(item, ast.IfExp)]
    return any("Status.QUEUED" in ast.unparse(value) for value in written)


def test_every_place_that_queues_messages_says_who_is_asked() -> None:
    assert {name for name, file in ours() if queues(file)} == set(QUEUES)


def test_every_caller_says_who_sends() -> None:
    found = [(name, call) for name, file in ours() for call in calls(file, "composing.create")]

    assert len(found) >= 3
    nameless = [name for name, call in found if "by" not in {word.arg for word in call.keywords}]
    assert nameless == []


def test_every_address_for_senders_is_a_door_or_harmless() -> None:
    doors = set(DOORS) - {"conversation"}

    assert doors | HARMLESS | KEEPERS == SENDER
    assert not doors & (HARMLESS | KEEPERS)


# ---- The world ----------------------------------------------------------------------------------


@dataclass
class World:
    """A workspace where bob may use Line only, and write to the Choir only; Other and OUTSIDE are not his."""

    workspace: Workspace
    bob: User
    alice: User
    line: Phone
    other: Phone
    group: Group
    browser: Client

    def limit(self, **limits: Any) -> None:
        Membership.objects.filter(user=self.bob).update(limits=limits)

    def message(self, peer: str, phone: Phone, status: Status) -> Message:
        return Message.objects.create(
            workspace=self.workspace, phone=phone, direction=Direction.OUT, status=status, peer=peer,
            text="Hello", created_by=self.alice,
        )  # fmt: skip

    def talk(self, peer: str, phone: Phone) -> Conversation:
        last = Message.objects.create(
            workspace=self.workspace, phone=phone, direction=Direction.IN, status=Status.RECEIVED,
            peer=peer, text="Hi",
        )  # fmt: skip
        return Conversation.objects.create(
            workspace=self.workspace, peer=peer, phone=phone, last=last, last_at=timezone.now()
        )

    def campaign(self, peer: str, phone: Phone, **fields: Any) -> Campaign:
        values = {"numbers": [peer], "text": "Come", "phone": phone, "name": "Flu", **fields}
        return steering.create(self.workspace, self.alice, **values)

    def post(self, name: str, *place: int, **data: Any) -> HttpResponse:
        return self.browser.post(reverse(name, args=place), data)  # type: ignore[return-value]


@pytest.fixture
def world(workspace: Workspace, alice: User, bob: User, line: Phone, as_bob: Client) -> World:
    other = Phone.objects.create(workspace=workspace, type="scripted", name="Other", settings={})
    group = Group.objects.create(workspace=workspace, name="Choir", folded="choir")
    group.contacts.add(
        Contact.objects.create(workspace=workspace, number=INSIDE, name="Nadia", searched="nadia")
    )
    Contact.objects.create(workspace=workspace, number=OUTSIDE, name="Omar", searched="omar")
    return World(workspace, bob, alice, line, other, group, as_bob)


# Each tries to send to somebody, by a phone, as far as pages let them.


def compose(world: World, peer: str, phone: Phone) -> None:
    world.post(
        "compose", to=peer, text="Hello", phone=phone.pk, when="now", submission=uuid.uuid4()
    )


def answer(world: World, peer: str, phone: Phone) -> None:
    talk = world.talk(peer, phone)
    world.post("conversation", talk.pk, text="Hi", phone=phone.pk, submission=uuid.uuid4())


def resend(world: World, peer: str, phone: Phone) -> None:
    world.post("message_resend", world.message(peer, phone, Status.UNKNOWN).pk)


def hurry(world: World, peer: str, phone: Phone) -> None:
    later = world.message(peer, phone, Status.QUEUED)
    Message.objects.filter(pk=later.pk).update(send_at=timezone.now() + timedelta(hours=3))
    world.post("message_now", later.pk)


def move(world: World, peer: str, phone: Phone) -> None:
    elsewhere = world.other if phone == world.line else world.line
    there = world.message(peer, elsewhere, Status.UNKNOWN)
    world.post("message_move", there.pk, phone=phone.pk)


def test_of(world: World, peer: str, phone: Phone) -> None:
    draft = world.campaign(INSIDE, phone)
    world.post(
        "campaign_write", draft.pk, submission=draft.submission, seen=version(draft), test="1",
        test_number=peer, test_submission=uuid.uuid4(), to=INSIDE, text="Come", through=phone.pk,
        when="now",
    )  # fmt: skip


def start(world: World, peer: str, phone: Phone) -> None:
    draft = world.campaign(peer, phone)
    world.browser.get(reverse("campaign_check", args=[draft.pk]))
    rehearsing.run(draft.pk)
    draft.refresh_from_db()
    world.post("campaign_start", draft.pk, version=version(draft))
    expand(draft)


def retry(world: World, peer: str, phone: Phone) -> None:
    done = started(world, peer, phone)
    Message.objects.filter(campaign=done).update(
        status=Status.FAILED, held=False, reason=Reason.EXPIRED, ended_at=timezone.now()
    )
    Campaign.objects.filter(pk=done.pk).update(state=State.DONE)
    world.post("campaign_retry", done.pk, reason=[Reason.EXPIRED])
    steering.go_on(done.pk)


def resume(world: World, peer: str, phone: Phone) -> None:
    running = started(world, peer, phone)
    Message.objects.filter(campaign=running).delete()
    Campaign.objects.filter(pk=running.pk).update(
        state=State.PAUSED, expanded_at=None, step=0, after=0
    )
    world.post("campaign_resume", running.pk)
    expand(running)


def begin(world: World, peer: str, phone: Phone) -> None:
    recurrence = daily(world, peer, phone)
    world.post("recurrence_begin", recurrence.pk)
    let_it_run(recurrence)


def go_on(world: World, peer: str, phone: Phone) -> None:
    recurrence = daily(world, peer, phone)
    recurring.begin(recurrence, world.alice)
    recurring.pause(recurrence)
    world.post("recurrence_resume", recurrence.pk)
    let_it_run(recurrence)


DOORS: dict[str, Callable[[World, str, Phone], None]] = {
    "compose": compose,
    "conversation": answer,
    "message_resend": resend,
    "message_now": hurry,
    "message_move": move,
    "campaign_write": test_of,
    "campaign_start": start,
    "campaign_retry": retry,
    "campaign_resume": resume,
    "recurrence_begin": begin,
    "recurrence_resume": go_on,
}
test_of.__test__ = False  # type: ignore[attr-defined]
# They let go on what somebody else let leave: only within the same limits.
OTHERS = {"campaign_retry", "campaign_resume", "recurrence_resume"}


def expand(campaign: Campaign) -> None:
    expanding.run(campaign.pk)
    feeding.feed(campaign.pk)


def started(world: World, peer: str, phone: Phone) -> Campaign:
    """Give a campaign that alice has started."""
    campaign = world.campaign(peer, phone)
    steering.start(campaign, world.alice)
    expand(campaign)
    return campaign


def daily(world: World, peer: str, phone: Phone) -> Recurrence:
    pattern = world.campaign(peer, phone)
    at = timezone.localtime(timezone=PARIS) + timedelta(minutes=30)
    starts = at.replace(tzinfo=None, second=0, microsecond=0)
    recurrence = recurring.arrange(pattern, Rhythm(starts, str(PARIS)), by=world.alice)
    assert recurrence
    return recurrence


def let_it_run(recurrence: Recurrence) -> None:
    in_an_hour()
    for run in recurrence.runs.all():
        with later():
            expand(run)


def in_an_hour() -> None:
    """Do what the tick does then."""
    with later():
        recurring.make_due()
        scheduling.start_due()


def later() -> time_machine.travel:
    return time_machine.travel(timezone.now() + timedelta(hours=1), tick=False)


def queued(world: World) -> list[tuple[str, str]]:
    """Give to whom messages are to leave now, and by which phone."""
    rows = world.workspace.messages.filter(status=Status.QUEUED)
    rows = rows.exclude(campaign=None, send_at__gt=timezone.now() + timedelta(hours=1))
    return sorted(rows.values_list("peer", "phone__name"))


# ---- The doors ----------------------------------------------------------------------------------


@pytest.mark.parametrize("door", sorted(DOORS))
def test_without_limits_each_door_is_open(door: str, world: World) -> None:
    DOORS[door](world, OUTSIDE, world.other)

    assert queued(world) == [(OUTSIDE, "Other")]


@pytest.mark.parametrize("door", sorted(DOORS))
def test_nothing_leaves_by_a_phone_that_is_not_theirs(door: str, world: World) -> None:
    world.limit(phones=[str(world.line.pk)])

    DOORS[door](world, INSIDE, world.other)

    assert queued(world) == []


@pytest.mark.parametrize("door", sorted(DOORS))
def test_nothing_goes_to_people_of_other_groups(door: str, world: World) -> None:
    world.limit(people=[f"g{world.group.pk}"])

    DOORS[door](world, OUTSIDE, world.line)

    assert queued(world) == []


@pytest.mark.parametrize("door", sorted(DOORS))
def test_nothing_leaves_unapproved(door: str, world: World) -> None:
    world.limit(approval=True)

    DOORS[door](world, INSIDE, world.line)

    assert queued(world) == []


@pytest.mark.parametrize("door", sorted(set(DOORS) - OTHERS))
def test_what_is_theirs_leaves(door: str, world: World) -> None:
    world.limit(phones=[str(world.line.pk)], people=[f"g{world.group.pk}"])

    DOORS[door](world, INSIDE, world.line)

    assert queued(world) == [(INSIDE, "Line")]


@pytest.mark.parametrize("name", sorted(KEEPERS))
def test_who_may_write_to_some_does_not_say_who_belongs_there(name: str, world: World) -> None:
    world.limit(people=[f"g{world.group.pk}"])
    places = [1] if name.endswith(("edit", "undo")) else []

    answers = [world.browser.get(reverse(name, args=places)), world.post(name, *places)]

    assert {answer.status_code for answer in answers} <= {403, 405}


# ---- What they see ------------------------------------------------------------------------------


def test_refusals_say_what_to_do(world: World) -> None:
    world.limit(phones=[str(world.line.pk)], people=[f"g{world.group.pk}"])
    said = {"text": "Hi", "when": "now", "submission": uuid.uuid4(), "phone": world.line.pk}

    page = world.post("compose", to=OUTSIDE, **said).content.decode()

    assert "You may write to Choir only, and Omar does not belong there" in page
    assert f'name="phone" value="{world.line.pk}"' in page
    assert f'name="phone" value="{world.other.pk}"' not in page


def test_only_what_is_allowed_is_suggested(world: World) -> None:
    Group.objects.create(workspace=world.workspace, name="Chess", folded="chess")
    world.limit(people=[f"g{world.group.pk}"])

    def found(q: str) -> str:
        return world.browser.get(reverse("compose_recipients"), {"q": q}).content.decode()

    assert "Choir" in found("ch")
    assert "Chess" not in found("ch")
    assert "Nadia" in found("nad")
    assert "Omar" not in found("oma")


def test_any_phone_is_one_of_theirs(world: World) -> None:
    third = Phone.objects.create(
        workspace=world.workspace, type="scripted", name="Third", settings={}
    )
    world.limit(phones=[str(world.line.pk), str(third.pk)])

    for index in range(8):
        world.post(
            "compose", to=number(index), text="Hello", phone="any", when="now", submission=uuid.uuid4()
        )  # fmt: skip

    assert len(queued(world)) == 8
    assert {name for _peer, name in queued(world)} == {"Line", "Third"}


def test_a_group_of_phones_stands_for_those_in_it(world: World) -> None:
    pool = world.workspace.pools.create(name="Desk", folded="desk")
    pool.places.create(phone=world.line)
    world.limit(phones=[f"g{pool.pk}"])

    compose(world, INSIDE, world.other)
    compose(world, INSIDE, world.line)

    assert queued(world) == [(INSIDE, "Line")]


def test_where_all_that_was_allowed_is_gone_nothing_may_be_sent(world: World) -> None:
    world.limit(phones=["999999"])
    compose(world, INSIDE, world.line)
    world.limit(people=["g999999"])
    compose(world, INSIDE, world.line)

    assert queued(world) == []
    assert world.browser.get(reverse("compose")).status_code == 200


def test_who_is_left_out_of_a_campaign_is_told_before_and_skipped_with_the_reason(
    world: World,
) -> None:
    world.limit(people=[f"g{world.group.pk}"])
    draft = world.campaign("", world.line, numbers=[INSIDE, OUTSIDE])
    check = reverse("campaign_check", args=[draft.pk])
    world.browser.get(check)
    rehearsing.run(draft.pk)

    page = world.browser.get(check).content.decode()
    draft.refresh_from_db()
    world.post("campaign_start", draft.pk, version=version(draft))
    expand(draft)

    assert "Not among the people that the sender may write to" in page
    assert draft.plan["out"] == {"not_permitted": 1}
    assert [(m.peer, m.status, m.reason) for m in messages(draft)] == [
        (INSIDE, Status.QUEUED, ""),
        (OUTSIDE, Status.SKIPPED, Reason.NOT_PERMITTED),
    ]


def test_what_waits_is_judged_by_the_limits_of_its_start(world: World) -> None:
    draft = world.campaign(
        "", world.line, numbers=[INSIDE, OUTSIDE], send_at=timezone.now() + timedelta(minutes=5)
    )
    steering.start(draft, world.bob)
    world.limit(people=[f"g{world.group.pk}"])

    in_an_hour()
    with later():
        expand(draft)

    assert queued(world) == [(INSIDE, "Line")]


def test_what_somebody_scheduled_who_left_keeps_the_limits_of_then(world: World) -> None:
    world.limit(people=[f"g{world.group.pk}"])
    draft = world.campaign(
        "", world.line, numbers=[INSIDE, OUTSIDE], send_at=timezone.now() + timedelta(minutes=5)
    )
    steering.start(draft, world.bob)
    Membership.objects.filter(user=world.bob).delete()

    in_an_hour()
    with later():
        expand(draft)

    assert queued(world) == [(INSIDE, "Line")]


def test_a_check_by_other_limits_is_no_check(world: World, as_alice: Client) -> None:
    draft = world.campaign("", world.line, numbers=[INSIDE, OUTSIDE])
    as_alice.get(reverse("campaign_check", args=[draft.pk]))
    rehearsing.run(draft.pk)
    draft.refresh_from_db()
    world.limit(people=[f"g{world.group.pk}"])

    world.post("campaign_start", draft.pk, version=version(draft))

    draft.refresh_from_db()
    assert draft.state == State.DRAFT


def test_what_they_sent_themselves_goes_on_and_is_tried_again(world: World) -> None:
    world.limit(people=[f"g{world.group.pk}"])
    mine = world.campaign(INSIDE, world.line)
    steering.start(mine, world.bob)
    steering.pause(mine)

    world.post("campaign_resume", mine.pk)
    expand(mine)
    assert queued(world) == [(INSIDE, "Line")]
    Message.objects.update(status=Status.FAILED, reason=Reason.EXPIRED, ended_at=timezone.now())
    Campaign.objects.filter(pk=mine.pk).update(state=State.DONE)
    world.post("campaign_retry", mine.pk, reason=[Reason.EXPIRED])
    steering.go_on(mine.pk)

    assert queued(world) == [(INSIDE, "Line")]


def test_what_moves_by_itself_moves_to_their_phones_only(world: World) -> None:
    third = Phone.objects.create(
        workspace=world.workspace, type="scripted", name="Third", settings={}
    )
    world.limit(phones=[str(world.line.pk), str(third.pk)])
    for phone in (world.other, third):
        Phone.objects.filter(pk=phone.pk).update(paused_at=timezone.now(), pause_reason="person")
    world.post("compose", to=INSIDE, text="Hello", phone="any", when="now", submission=uuid.uuid4())
    assert queued(world) == [(INSIDE, "Line")]
    Phone.objects.update(paused_at=None, pause_reason="")
    Phone.objects.filter(pk=world.line.pk).update(paused_at=timezone.now(), pause_reason="person")
    # Without limits it would be the heaviest.
    Phone.objects.filter(pk=world.other.pk).update(priority=9)

    failing_over.move_stuck()

    assert queued(world) == [(INSIDE, "Third")]


def test_limits_of_senders_hold_for_no_other_role(world: World) -> None:
    world.limit(approval=True, phones=["999999"])
    Membership.objects.filter(user=world.bob).update(role="admin")

    compose(world, OUTSIDE, world.other)

    assert queued(world) == [(OUTSIDE, "Other")]


def test_what_recurs_reaches_only_who_is_within_the_limits(world: World) -> None:
    world.limit(people=[f"g{world.group.pk}"])
    recurrence = daily(world, OUTSIDE, world.line)
    Campaign.objects.filter(pk=recurrence.pattern_id).update(numbers=[INSIDE, OUTSIDE])
    recurrence.refresh_from_db()
    recurring.begin(recurrence, world.bob)

    let_it_run(recurrence)

    assert queued(world) == [(INSIDE, "Line")]


def test_what_leaves_now_chooses_among_their_phones(world: World) -> None:
    world.limit(phones=[str(world.line.pk)])
    Phone.objects.filter(pk=world.other.pk).update(priority=1)
    campaign = world.campaign(INSIDE, None)  # type: ignore[arg-type]
    steering.start(campaign, world.alice)
    expanding.run(campaign.pk)
    (message,) = messages(campaign)

    assert actions.send_now(message, by=world.bob)

    message.refresh_from_db()
    assert message.phone == world.line
