"""What people do with campaigns: write them, start, pause, resume, cancel, try again, copy, test.

Each change of state is one conditional UPDATE, so that two people who press two buttons at once never get
both. What touches many messages goes on in the background, and the tick takes it up again.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import OperationalError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from accounts.limits import Limits
from accounts.models import User, Workspace
from campaigns import expanding, rehearsing, sources, texts, when
from campaigns.fields import offered
from campaigns.judging import Judge, permit_of
from campaigns.models import EDITABLE, ENDED, LIVE, Approval, Campaign, Recurrence, State
from campaigns.sources import Place, Recipient
from contacts.models import Contact
from lib import bulk
from lib.e164 import describe
from lib.jobs import DEFAULT, awake, wake
from messaging import composing, permitting, routing
from messaging.composing import Composed
from messaging.media import without_links
from messaging.models import IS_HELD, OVER_QUOTA, Attempt, Media, Message, Segment, Status
from messaging.permitting import NotPermitted, Permit
from messaging.quota import charging
from phones.base import Reason

# Messages of one transaction; seconds of one run; tries of a change that met another.
_BATCH, _RUN, _TRIES = 1000, 5.0, 3
# Failures that may go better next time; of the others the answer will be the same.
RETRIABLE = (
    Reason.NONE, Reason.UNREACHABLE, Reason.EXPIRED, Reason.GAVE_UP, Reason.REJECTED,
    Reason.BLOCKED, Reason.NOT_KNOWN,
)  # fmt: skip
_NUMBERED = re.compile(r" \(\d+\)$")
_PHONE_IS_GONE = Q(phone__deleted_at__isnull=False)
# What is to be known of messages that are charged once more.
_CHARGED = (
    "workspace", "created_by", "priority", "segments", "status", "sent_at", "claimed_at",
    "quota_period", "person_quota_period", "phone",
)  # fmt: skip
# What a copy takes over.
_COPIED = (
    "name", "text", "flash", "urgent", "who", "numbers", "sheet", "without", "without_numbers",
    "only", "phone", "pool", "time_zone", "own_zone", "spread", "late",
)  # fmt: skip


class Refused(Exception):
    """It cannot be done now; the text says why, and what to do."""


class NeedsApproval(Refused):
    """Who sends it must have it approved first."""


# ---- Writing ------------------------------------------------------------------------------------


def create(workspace: Workspace, by: User | None, **fields: Any) -> Campaign:
    """Begin a draft."""
    return Campaign.objects.create(
        workspace=workspace, created_by=by, time_zone=workspace.time_zone, **fields
    )


def save(campaign: Campaign, **fields: Any) -> None:
    """Change a draft, or a campaign that waits for its time; what was rehearsed of it is void then.

    Raises Refused once it has begun.
    """
    changed = [name for name, value in fields.items() if getattr(campaign, name) != value]
    if not changed:
        return
    if campaign.pk and Recurrence.objects.running().filter(pattern=campaign).exists():
        raise Refused(_("Its runs are copied from this: pause it before you change it."))
    void = _void(campaign)
    if changed == ["name"]:
        void = {"updated_at": void["updated_at"]} if not campaign.lease_until else {}
    if campaign.pk and campaign.state == State.ASKED:
        raise Refused(_("It waits for approval: take the request back before you change it."))
    still = Campaign.objects.filter(pk=campaign.pk, state__in=[State.DRAFT, State.SCHEDULED])
    if not still.update(**(fields | void)):
        raise Refused(
            _("This campaign has begun, and cannot be changed any more. Copy it instead.")
        )
    for name, value in (fields | void).items():
        setattr(campaign, name, value)


def forget_plan(campaign: Campaign) -> None:
    """Let a draft be rehearsed anew: what decides whom it reaches was changed beside it."""
    void = _void(campaign)
    if Campaign.objects.filter(pk=campaign.pk, state__in=EDITABLE).update(**void):
        for name, value in void.items():
            setattr(campaign, name, value)


def _void(campaign: Campaign) -> dict[str, Any]:
    """Give the fields of a new version: nothing is rehearsed, and nothing approved, of it."""
    return {
        "updated_at": version_after(campaign),
        "plan": {},
        "planned_at": None,
        "lease_until": None,
    }


def version_after(campaign: Campaign) -> datetime:
    """Give the time of a change. A clock may step back: two changes must never look like one."""
    return max(timezone.now(), campaign.updated_at + timedelta(microseconds=1))


def hold_to(campaign: Campaign, limits: Limits) -> None:
    """Let a campaign that has not begun keep the limits of who is to send it.

    What was rehearsed under other limits is void.
    """
    kept = limits.dump()
    if campaign.limits == kept:
        return
    fields = {"limits": kept, **_void(campaign)}
    if Campaign.objects.filter(pk=campaign.pk, state__in=EDITABLE).update(**fields):
        for name, value in fields.items():
            setattr(campaign, name, value)


def set_media(campaign: Campaign, media: Sequence[Media]) -> None:
    """Change the pictures of a draft. Raises Refused."""
    with transaction.atomic():
        save(campaign, updated_at=timezone.now())
        campaign.media.set(media)
    campaign.__dict__.pop("has_picture", None)


def check(campaign: Campaign) -> None:
    """Rehearse a draft, unless that was done since it was changed or is being done."""
    if campaign.planned_at is None and campaign.plan.get("state") != "running":
        rehearsing.begin(campaign)


def discard(campaign: Campaign) -> None:
    """Delete a draft. Raises Refused."""
    with transaction.atomic():
        mine = Campaign.objects.select_for_update().filter(pk=campaign.pk, state=State.DRAFT)
        recurs = Recurrence.objects.filter(pattern=campaign, started_at__isnull=False)
        if recurs.exists() or not mine.exists():
            raise Refused(_("Only drafts can be deleted. Cancel it instead."))
        campaign.delete()


# ---- Starting -----------------------------------------------------------------------------------


def obstacles(campaign: Campaign) -> list[str]:
    """Say what keeps a campaign from being started, in sentences; nothing for a sound one."""
    found = []
    if not (campaign.who or campaign.numbers or campaign.sheet_id):
        found.append(_("Nobody is chosen yet. Add people, groups, numbers or a file."))
    if not campaign.text.strip() and not campaign.has_picture:
        found.append(_("The text is empty. Write something first."))
    known = [field.name for field in offered(campaign.workspace, campaign.sheet)]
    problems = texts.problems(campaign.text, known)
    found += [_said(problem) for problem in problems if problem.is_error]
    found += sources.broken(campaign)
    phone = campaign.phone
    if phone and not permit_of(campaign).may_use(phone):
        words = _("Its sender may not send through %(phone)s. Choose another phone.")
        found.append(words % {"phone": phone})
    elif not has_phone(campaign):
        found.append(_("There is no phone that could send this. Add one, or choose another one."))
    return found


def _said(problem: texts.Problem) -> str:
    place = {"line": problem.line, "column": problem.column, "problem": problem.words}
    return _("Line %(line)s, column %(column)s: %(problem)s") % place


def has_phone(campaign: Campaign) -> bool:
    """Say whether there is any phone that could ever send it."""
    found = routing.candidates(campaign.workspace, Judge.route_of(campaign))
    return any(not item.phone.is_deleted for item in found)


def start(campaign: Campaign, by: User | None) -> None:
    """Let a campaign begin, now or at its time, within the limits of who sends it. Raises Refused.

    Those are the limits as they are at this moment: of `by`, or, where it begins by itself, of who scheduled
    it or let it recur. They stay with it from then on.
    """
    if campaign.is_pattern:
        raise Refused(_("This one recurs: its runs leave by themselves."))
    sender = by or sender_of(campaign)
    permit = permitting.of(campaign.workspace, sender, kept=campaign.limits)
    campaign.limits = permit.limits.dump()
    if (permit.must_ask or campaign.state == State.ASKED) and not is_approved(campaign):
        raise NeedsApproval(permitting.must_ask_words())
    if problems := obstacles(campaign):
        raise Refused(problems[0])
    at = when.starts_at(campaign)
    now = timezone.now()
    changes: dict[str, Any] = {
        "started_by": by,
        "limits": campaign.limits,
        "problem": "",
        "lease_until": None,
    }
    if at and at > now:
        changes["state"] = State.SCHEDULED
    else:
        expected = campaign.plan.get("expected") or sources.expected(campaign)
        changes |= {"state": State.RUNNING, "started_at": now, "fed_at": now}
        changes["expected"] = expected
    ready = Campaign.objects.filter(pk=campaign.pk, state__in=EDITABLE)
    if not ready.filter(updated_at=campaign.updated_at).update(**changes):
        raise Refused(_("Somebody has changed or started this campaign meanwhile. Look again."))
    campaign.refresh_from_db()
    if campaign.state == State.RUNNING:
        wake(expanding.run, campaign.pk, queue=DEFAULT)


def sender_of(campaign: Campaign) -> User | None:
    """Give who answers for what leaves by itself: who scheduled it, or let it recur."""
    run_of = campaign.recurrence
    return campaign.started_by or (run_of.created_by if run_of else None)


def is_approved(campaign: Campaign) -> bool:
    """Say whether somebody approved this very version, or what this is a run of."""
    approved = Approval.objects.filter(answer=Approval.Answer.APPROVED)
    if approved.filter(campaign=campaign, version=campaign.updated_at).exists():
        return True
    run_of = campaign.recurrence
    # One that was taken out of its row, to be changed, is something of its own.
    if run_of is None or campaign.state != State.SCHEDULED:
        return False
    return approved.filter(campaign=run_of.pattern_id, version=run_of.pattern.updated_at).exists()


def may_go_on(campaign: Campaign, by: User | None) -> Permit:
    """Give what `by` may send, where that holds all that a campaign may. Raises Refused."""
    try:
        permit = permitting.of(campaign.workspace, by)
    except NotPermitted as refusal:
        raise Refused(str(refusal)) from refusal
    if permit.limits and campaign.limits != permit.limits.dump():
        words = _("This goes beyond what you may send. Ask an administrator to do it.")
        raise Refused(words)
    return permit


def unschedule(campaign: Campaign, by: User | None = None) -> None:
    """Make a draft of a campaign that waits for its time, or to be approved. Raises Refused."""
    with transaction.atomic():
        _change(campaign, [State.SCHEDULED, State.ASKED], State.DRAFT)
        Approval.objects.filter(campaign=campaign, answer=Approval.Answer.OPEN).update(
            answer=Approval.Answer.TAKEN_BACK, answered_by=by, answered_at=timezone.now()
        )


# ---- Holding ------------------------------------------------------------------------------------


def pause(campaign: Campaign, problem: str = "") -> None:
    """Hold what has not left. What is just leaving does. Raises Refused."""
    _stop(campaign, [State.RUNNING], State.PAUSED, problem=problem)


def resume(campaign: Campaign, by: User | None) -> None:
    """Go on after a pause. Raises Refused."""
    may_go_on(campaign, by)
    _change(
        campaign, [State.PAUSED], State.RUNNING, problem="", lease_until=None, fed_at=timezone.now()
    )
    wake(expanding.run, campaign.pk, queue=DEFAULT)
    wake(go_on, campaign.pk, queue=DEFAULT)


def cancel(campaign: Campaign, by: User | None) -> None:
    """Send nothing more of it. At once; that each message says so may take a while. Raises Refused."""
    states = [State.SCHEDULED, State.RUNNING, State.PAUSED]
    _stop(campaign, states, State.CANCELLED, ended_at=timezone.now(), again={})
    wake(go_on, campaign.pk, queue=DEFAULT)


def _stop(campaign: Campaign, states: Sequence[State], to: State, **fields: Any) -> None:
    """Let nothing that waits leave after this. Raises Refused."""
    for left in reversed(range(_TRIES)):
        try:
            with transaction.atomic():
                _change(campaign, states, to, lease_until=None, **fields)
                _hold(campaign)
            return
        # A deadlock with results, which are recorded in an order of their own.
        except OperationalError:
            if not left:
                raise


def _hold(campaign: Campaign) -> None:
    """Hold what was let through to phones; what is just leaving, in case that it comes back."""
    waiting = Message.objects.filter(
        campaign=campaign, status__in=[Status.QUEUED, Status.SENDING], held=False
    )
    # Mostly the order in which results are recorded, so that the two seldom deadlock.
    list(waiting.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))
    waiting.update(held=True)


def _change(campaign: Campaign, states: Sequence[State], to: State, **fields: Any) -> None:
    mine = Campaign.objects.filter(pk=campaign.pk, state__in=states)
    if not mine.update(state=to, **fields):
        campaign.refresh_from_db(fields=["state"])
        state = campaign.get_state_display()
        raise Refused(_("This cannot be done now: the campaign is “%(state)s”.") % {"state": state})
    campaign.refresh_from_db()


# ---- Again --------------------------------------------------------------------------------------


def failures(campaign: Campaign, reasons: Sequence[str] = RETRIABLE) -> QuerySet[Message]:
    """Give the messages that can be tried again, of some reasons."""
    wanted = [reason for reason in reasons if reason in RETRIABLE]
    failed = Message.objects.filter(campaign=campaign, status=Status.FAILED, reason__in=wanted)
    return failed.filter(redacted_after=None)  # of the others there is no text left


def retry(campaign: Campaign, reasons: Sequence[str], by: User | None) -> None:
    """Send once more what failed for one of these reasons. Raises Refused."""
    may_go_on(campaign, by)
    wanted = [str(reason) for reason in reasons if reason in RETRIABLE]
    if not failures(campaign, wanted).exists():
        raise Refused(_("There is nothing left that could be tried again."))
    if (
        Judge.route_of(campaign).is_any
        and failures(campaign, wanted).exclude(any_phone=True).exists()
    ):
        words = _(
            "The group of phones that it left by was deleted. Copy it, and choose another one."
        )
        raise Refused(words)
    if not has_phone(campaign):
        raise Refused(_("There is no phone that could send this. Copy it, and choose another one."))
    again = {
        "before": timezone.now().isoformat(),
        "reasons": wanted,
        "by": by.pk if by else None,
    }
    states = [State.RUNNING, State.PAUSED, State.DONE]
    with transaction.atomic():
        Campaign.objects.select_for_update(no_key=True).filter(pk=campaign.pk).first()
        campaign.refresh_from_db(fields=["state"])
        to = State.PAUSED if campaign.state == State.PAUSED else State.RUNNING
        _change(campaign, states, to, again=again, ended_at=None, fed_at=timezone.now())
    wake(go_on, campaign.pk, queue=DEFAULT)


def go_on_all() -> int:
    """Wake what touches many messages and is not done. A duty of the tick."""
    held = Message.objects.filter(campaign=OuterRef("pk"), held=True, status=Status.QUEUED)
    cancelled = Campaign.objects.filter(Exists(held), state=State.CANCELLED)
    live = Campaign.objects.filter(state__in=LIVE)
    found = (cancelled, live.exclude(again={}), live.filter(_PHONE_IS_GONE & Exists(held)))
    left = {pk for some in found for pk in some.values_list("pk", flat=True)}
    for pk in left:
        wake(go_on, pk, queue=DEFAULT)
    return len(left)


def go_on(pk: int) -> None:
    """Cancel what a campaign or its phone leaves behind, or try again, for some seconds. A job."""
    awake(go_on, pk)
    begun = time.monotonic()
    while time.monotonic() - begun < _RUN:
        campaign = Campaign.objects.filter(pk=pk).first()
        if campaign is None:
            return
        if campaign.state == State.CANCELLED:
            done = _cancel_some(campaign)
        elif campaign.is_live and Campaign.objects.filter(_PHONE_IS_GONE, pk=pk).exists():
            Campaign.objects.filter(pk=pk).exclude(again={}).update(again={})
            done = _cancel_some(campaign, Reason.PHONE_GONE)
        elif campaign.again and campaign.state not in ENDED:
            done = _retry_some(campaign)
        else:
            return
        if not done:
            return
    wake(go_on, pk, queue=DEFAULT)


def _cancel_some(campaign: Campaign, reason: Reason = Reason.NONE) -> int:
    now = timezone.now()
    with transaction.atomic():
        held = Message.objects.select_for_update().filter(IS_HELD, campaign=campaign)
        pks = list(held.order_by("send_at", "pk").values_list("pk", flat=True)[:_BATCH])
        if not pks:
            rest = awaiting(campaign.pk).select_for_update().order_by("-pk")
            pks = list(rest.values_list("pk", flat=True)[:_BATCH])
        return Message.objects.filter(pk__in=pks, status=Status.QUEUED).update(
            status=Status.CANCELLED, reason=reason, held=False, ended_at=now
        )


def awaiting(campaign: int) -> QuerySet[Message]:
    """Give the messages of a campaign that wait for a quota."""
    return Message.objects.filter(campaign=campaign, reason__in=OVER_QUOTA, status=Status.QUEUED)


def _retry_some(campaign: Campaign) -> int:
    before = parse_datetime(str(campaign.again.get("before", ""))) or timezone.now()
    by = campaign.again.get("by")
    now = timezone.now()
    with transaction.atomic():
        # Cancelled or asked for anew meanwhile, it is somebody else's.
        mine = Campaign.objects.exclude(state__in=ENDED).filter(
            pk=campaign.pk, again=campaign.again
        )
        if not mine.select_for_update(no_key=True).exists():
            return 0
        failed = failures(campaign, campaign.again.get("reasons", ())).filter(ended_at__lte=before)
        chosen = failed.select_for_update().order_by("pk").only(*_CHARGED)[:_BATCH]
        rows, is_over = _charge_again(list(chosen))
        Message.objects.filter(pk__in=rows, status=Status.FAILED).update(
            status=Status.QUEUED,
            held=True,
            send_at=now,
            not_before=now,
            claim=None,
            lease_until=None,
            attempts=0,
            ended_at=None,
            code="",
            words="",
        )
        # It keeps its provider's name for it: what turns out to have arrived is not sent again. Of
        # several segments each had its own, and what became of those says nothing of the next ones.
        pieces = Segment.objects.filter(message__in=rows)
        parted = list(pieces.values_list("message", flat=True).distinct())
        Message.objects.filter(pk__in=parted).update(provider_id="")
        pieces.delete()
        person = User.objects.filter(pk=by).first() if by else None
        Attempt.objects.bulk_create(
            [
                Attempt(message_id=pk, kind=Attempt.Kind.RESENT, phone_id=phone, by=person)
                for pk, phone in rows.items()
            ],
            batch_size=500,
        )
        if is_over:
            mine.update(again={})
    return len(rows)


def _charge_again(failed: Sequence[Message]) -> tuple[dict[int, int], bool]:
    """Charge what is tried again: ({message's id: its phone's}, whether there is no more of it).

    What no quota has room for, and would be left out, stays as it failed; so does what comes after it.
    """
    charged = [
        (message, one)
        for message, one in zip(failed, charging.charge_again(failed), strict=True)
        if not one.is_skipped
    ]
    charging.book(message for message, _one in charged)
    bulk.update(
        Message,
        ("id", "reason", "quota_period", "person_quota_period"),
        [(message.pk, one.reason, one.period, one.person_period) for message, one in charged],
        assign="""
            reason = v.reason, quota_period = v.quota_period,
            person_quota_period = v.person_quota_period
        """,
        where="m.status = 'failed'",
    )
    rows = {message.pk: message.phone_id for message, _one in charged}
    return rows, not failed or len(rows) < len(failed)


# ---- Copies and tests ---------------------------------------------------------------------------


def copy(campaign: Campaign, by: User) -> Campaign:
    """Make a draft that says the same to the same, by a name of its own: Flu (2)."""
    base = _NUMBERED.sub("", campaign.name)[:90]
    mine = Campaign.objects.filter(workspace=campaign.workspace_id, name__startswith=base)
    taken, number = set(mine.values_list("name", flat=True)), 2
    while f"{base} ({number})" in taken:
        number += 1
    return duplicate(campaign, by, name=f"{base} ({number})" if base else "")


def duplicate(campaign: Campaign, by: User | None, **changes: Any) -> Campaign:
    """Make a draft that says the same to the same."""
    fields = {name: getattr(campaign, name) for name in _COPIED} | changes
    with transaction.atomic():
        copy = Campaign.objects.create(workspace=campaign.workspace, created_by=by, **fields)
        copy.media.set(campaign.media.all())
        copy.tags.set(campaign.tags.all())
    return copy


def send_test(
    campaign: Campaign, number: str, place: Place | None, by: User, submission: uuid.UUID
) -> Composed:
    """Send what one recipient would read to `number` (E.164), at once. Raises Refused, AlreadySent."""
    try:
        judge = Judge(campaign, for_eyes=True)
    except texts.Bad as error:
        raise Refused(str(error)) from error
    recipient = sources.at(campaign, place) if place else None
    judged = judge.one(recipient or _themself(campaign.workspace, number))
    if judged.reason == Reason.BAD_TEXT:
        raise Refused(judged.words)
    if not judged.text.strip() and not campaign.has_picture:
        raise Refused(_("The text is empty. Write something first."))
    try:
        return composing.create(
            workspace=campaign.workspace,
            route=judge.route,
            numbers=[number],
            text=without_links(judged.text),
            by=by,
            submission=submission,
            media=campaign.media.all(),
            flash=campaign.flash,
            at_any_hour=True,
        )
    except composing.CannotSend as error:
        raise Refused(str(error)) from error


def _themself(workspace: Workspace, number: str) -> Recipient:
    """Give who owns a number as the recipient of a test."""
    kind, country = describe(number)
    living = Contact.objects.living().filter(workspace=workspace, number=number)
    return Recipient(Place(0, 0), number, number, kind, country, living.first())
