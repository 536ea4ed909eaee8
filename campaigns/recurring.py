"""Campaigns again and again: one campaign for each occurrence, whatever dies when.

1. An occurrence is taken by moving `next_at` to the one behind it, in the transaction that also stores
   what becomes of it: a campaign that waits for its time (see scheduling), or why there is none.
2. A run that was prepared by hand, or skipped, has its row already, and the occurrence passes by.
3. After the site was away each occurrence that was missed is looked at. Older than the pattern's `late`
   hours it is skipped; of several that may still leave only the last does, for nobody wants to read the
   same twice in a minute. Birthdays are everybody's own: all of them are made up for.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.activity import record
from accounts.features import Feature, is_on
from accounts.models import User
from campaigns import rhythms, steering, when
from campaigns.models import Approval, Campaign, Recurrence, SkippedRun, State
from campaigns.rhythms import Rhythm
from contacts.models import Field, FieldType
from contacts.rules import compiling, tree
from contacts.rules.tree import Question
from messaging import permitting

logger = logging.getLogger(__name__)

# Occurrences of one recurrence that one look settles, after the site was away.
_MOST_AT_ONCE = 100
_Why = SkippedRun.Why


@dataclass(frozen=True, slots=True)
class Run:
    """An occurrence, and what became of it or will: a campaign of its own, or why it is left out."""

    at: datetime
    campaign: Campaign | None = None
    skip: SkippedRun | None = None

    @property
    def mark(self) -> int:
        """Give it as forms and addresses name it: seconds since 1970."""
        return int(self.at.timestamp())


def rhythm_of(recurrence: Recurrence) -> Rhythm:
    starts = datetime.combine(recurrence.starts_on, recurrence.at)
    return rhythms.read(recurrence.rule, starts, recurrence.zone)


# ---- Writing and steering -----------------------------------------------------------------------


def arrange(
    campaign: Campaign,
    rhythm: Rhythm | None,
    birthday: str = "",
    by: User | None = None,
    **fields: Any,
) -> Recurrence | None:
    """Let a draft recur as `rhythm` says, or not at all (None) while it has not begun to.

    One that runs already goes on with the new rhythm from now on, and with these fields of its pattern.
    What was skipped stays so; a run that waits for its time and has no place in the new rhythm is cancelled,
    or the same people would get that one and the new one.
    """
    with transaction.atomic():
        mine = Recurrence.objects.select_for_update().filter(pattern=campaign)
        recurrence = mine.first()
        if birthday != (recurrence.birthday if recurrence else ""):
            steering.forget_plan(campaign)
        if rhythm is None:
            mine.filter(started_at=None).delete()
            campaign._state.fields_cache.pop("repeats", None)
            return None
        if fields:
            Campaign.objects.filter(pk=campaign.pk, state=State.DRAFT).update(**fields)
        said = {
            "rule": rhythm.rule,
            "starts_on": rhythm.starts.date(),
            "at": rhythm.starts.time(),
            "zone": rhythm.zone,
            "birthday": birthday,
        }
        if recurrence is None:
            return Recurrence.objects.create(
                workspace=campaign.workspace, pattern=campaign, created_by=by, **said
            )
        if (
            recurrence.phase == Recurrence.Phase.ACTIVE
            and steering.may_go_on(campaign, by).must_ask
        ):
            words = _("Its runs were approved as they are. Pause it, change it, then ask again.")
            raise steering.Refused(words)
        if any(getattr(recurrence, name) != value for name, value in said.items()):
            _as_new(campaign)
        for name, value in said.items():
            setattr(recurrence, name, value)
        if recurrence.phase == Recurrence.Phase.ACTIVE:
            _vouch(recurrence, by)
            _aim(recurrence, timezone.now())
        recurrence.save(update_fields=[*said, "next_at", "make_at", "ended_at"])
        _cancel([run for run in _waiting(recurrence) if not _fits(rhythm, run.occurrence)], by)
    return recurrence


def _as_new(campaign: Campaign) -> None:
    """Let a pattern be another version: what was checked and approved went by other days."""
    campaign.updated_at = steering.version_after(campaign)
    Campaign.objects.filter(pk=campaign.pk).update(updated_at=campaign.updated_at)


def _settled(recurrence: Recurrence) -> Campaign:
    """Give the pattern. Raises Refused while it waits for approval."""
    if recurrence.pattern.state == State.ASKED:
        raise steering.Refused(_("It waits for approval: answer the request, or take it back."))
    return recurrence.pattern


def _vouch(recurrence: Recurrence, by: User | None) -> None:
    """See that what has to be approved is: who may approve it does so by letting it run. Raises Refused."""
    pattern, sender = recurrence.pattern, recurrence.created_by
    permit = permitting.of(recurrence.workspace, sender, kept=pattern.limits)
    if not permit.must_ask or steering.is_approved(pattern):
        return
    membership = recurrence.workspace.memberships.filter(user=by).first() if by else None
    if by is None or membership is None or not membership.may_manage or by == sender:
        raise steering.NeedsApproval(permitting.must_ask_words())
    Approval.objects.create(
        campaign=pattern,
        asked_by=sender,
        version=pattern.updated_at,
        answer=Approval.Answer.APPROVED,
        answered_by=by,
        answered_at=timezone.now(),
    )
    record("campaign.approved", subject=pattern, workspace=recurrence.workspace, actor=by)


def _waiting(recurrence: Recurrence) -> QuerySet[Campaign]:
    """Give the runs that were made and wait for their time."""
    return recurrence.runs.filter(state=State.SCHEDULED)


def _fits(rhythm: Rhythm, occurrence: datetime | None) -> bool:
    before = occurrence and occurrence - timedelta(microseconds=1)
    return before is not None and rhythm.following(before) == occurrence


def _cancel(runs: Iterable[Campaign], by: User | None) -> None:
    for campaign in runs:
        try:
            steering.cancel(campaign, by)
        except steering.Refused:
            logger.info("Campaign %s had begun when its recurrence was changed", campaign.pk)


def begin(recurrence: Recurrence, by: User | None) -> None:
    """Let it run from now on, within the limits of `by`. Raises Refused."""
    pattern = _settled(recurrence)
    permit = permitting.of(recurrence.workspace, by, kept=pattern.limits)
    if permit.must_ask and not steering.is_approved(pattern):
        raise steering.NeedsApproval(permitting.must_ask_words())
    pattern.limits = permit.limits.dump()
    if problems := steering.obstacles(recurrence.pattern):
        raise steering.Refused(problems[0])
    now = timezone.now()
    _aim(recurrence, now)
    if recurrence.next_at is None:
        recurrence.refresh_from_db()
        raise steering.Refused(_("All of its runs have passed. Choose a later end."))
    mine = Recurrence.objects.filter(pk=recurrence.pk, started_at=None)
    if not mine.update(
        started_at=now, created_by=by, next_at=recurrence.next_at, make_at=recurrence.make_at
    ):
        recurrence.refresh_from_db()
        raise steering.Refused(_("It runs already."))
    Campaign.objects.filter(pk=pattern.pk).update(limits=pattern.limits)
    recurrence.refresh_from_db()


def pause(recurrence: Recurrence, problem: str = "") -> None:
    """Make and start no runs until somebody resumes it; those under way go on. Raises Refused."""
    running = Recurrence.objects.running().filter(pk=recurrence.pk)
    if not running.update(
        paused_at=timezone.now(), problem=problem[:500], next_at=None, make_at=None
    ):
        raise steering.Refused(_("It does not run, so there is nothing to pause."))
    recurrence.refresh_from_db()


def resume(recurrence: Recurrence, by: User | None) -> None:
    """Go on with the next run; those that fell into the pause are left out. Raises Refused.

    It goes on within the limits of who let it run, whoever resumes it.
    """
    pattern = _settled(recurrence)
    if by is None or by != recurrence.created_by:
        steering.may_go_on(pattern, by)
    else:
        permit = permitting.of(recurrence.workspace, by, kept=pattern.limits)
        pattern.limits = permit.limits.dump()
        Campaign.objects.filter(pk=pattern.pk).update(limits=pattern.limits)
    _vouch(recurrence, by)
    if problems := steering.obstacles(recurrence.pattern):
        raise steering.Refused(problems[0])
    _aim(recurrence, timezone.now())
    paused = Recurrence.objects.filter(pk=recurrence.pk, paused_at__isnull=False, ended_at=None)
    if not paused.update(
        paused_at=None,
        problem="",
        next_at=recurrence.next_at,
        make_at=recurrence.make_at,
        ended_at=recurrence.ended_at,
    ):
        recurrence.refresh_from_db()
        raise steering.Refused(_("It is not paused."))
    recurrence.refresh_from_db()


def end(recurrence: Recurrence, by: User | None) -> None:
    """Make no more runs, and cancel those that wait for their time. Raises Refused."""
    now = timezone.now()
    live = Recurrence.objects.filter(pk=recurrence.pk, ended_at=None)
    if not live.update(ended_at=now, next_at=None, make_at=None, problem=""):
        raise steering.Refused(_("It has ended already."))
    _cancel(_waiting(recurrence), by)
    recurrence.refresh_from_db()


def _aim(recurrence: Recurrence, after: datetime) -> None:
    """Set what comes next; where nothing does it has ended."""
    recurrence.next_at = rhythm_of(recurrence).following(after)
    recurrence.make_at = _made_at(recurrence, recurrence.next_at)
    recurrence.ended_at = None if recurrence.next_at else timezone.now()


def _made_at(recurrence: Recurrence, occurrence: datetime | None) -> datetime | None:
    """Give when the campaign of an occurrence must be there."""
    pattern = recurrence.pattern
    like = Campaign(send_at=occurrence, time_zone=recurrence.zone, own_zone=pattern.own_zone)
    return when.starts_at(like)


# ---- One run ------------------------------------------------------------------------------------


def skip(recurrence: Recurrence, occurrence: datetime, by: User | None) -> None:
    """Leave one coming run out. Raises Refused."""
    with _settling(recurrence, occurrence):
        if recurrence.runs.filter(occurrence=occurrence).exists():
            words = _("This run has a campaign of its own already. Cancel that one instead.")
            raise steering.Refused(words)
        recurrence.skips.get_or_create(
            occurrence=occurrence, defaults={"why": _Why.PERSON, "by": by}
        )


def unskip(recurrence: Recurrence, occurrence: datetime) -> None:
    """Let a run take place after all. Raises Refused."""
    with _settling(recurrence, occurrence):
        recurrence.skips.filter(occurrence=occurrence, why=_Why.PERSON).delete()


def prepare(recurrence: Recurrence, occurrence: datetime, by: User | None) -> Campaign:
    """Give the campaign of one coming run, made now, so that it can be changed. Raises Refused.

    It leaves at its time by itself, as it is then.
    """
    with _settling(recurrence, occurrence):
        made = recurrence.runs.filter(occurrence=occurrence).first()
        if made:
            return made
        if recurrence.skips.filter(occurrence=occurrence).exists():
            raise steering.Refused(_("This run is skipped. Undo that first."))
        return _copy(recurrence, occurrence, by)


@contextmanager
def _settling(recurrence: Recurrence, occurrence: datetime) -> Iterator[None]:
    """Let nobody else make, skip or prepare a run meanwhile. Raises Refused where it is none to come."""
    with transaction.atomic():
        living = Recurrence.objects.filter(pk=recurrence.pk, ended_at=None)
        # The row is locked by being written.
        if not living.update(ended_at=None):
            raise steering.Refused(_("It has ended, so nothing is to come."))
        just_before = occurrence - timedelta(seconds=1)
        is_one = rhythm_of(recurrence).following(just_before) == occurrence
        if occurrence <= timezone.now() or not is_one:
            raise steering.Refused(_("This is no run to come. Look at the list again."))
        yield


def _copy(recurrence: Recurrence, occurrence: datetime, by: User | None) -> Campaign:
    """Make the campaign of an occurrence, waiting for its time."""
    return steering.duplicate(
        recurrence.pattern,
        by,
        state=State.SCHEDULED,
        recurrence=recurrence,
        occurrence=occurrence,
        send_at=occurrence,
        time_zone=recurrence.zone,
        only=_only(recurrence, occurrence),
        limits=recurrence.pattern.limits,
    )


def _only(recurrence: Recurrence, occurrence: datetime) -> dict[str, Any]:
    """Give the rule that people must fulfil besides: that it is their day."""
    if not recurrence.birthday:
        return {}
    day = when.wall_of(occurrence, recurrence.zone).date()
    return tree.dump(Question(recurrence.birthday, tree.EQUAL, day, tree.BIRTHDAY))


# ---- The tick -----------------------------------------------------------------------------------


def make_due(now: datetime | None = None) -> int:
    """Settle the occurrences whose time has come; give how many campaigns were made. A duty of the tick."""
    if not is_on(Feature.CAMPAIGNS):
        return 0
    now = now or timezone.now()
    due = Recurrence.objects.filter(
        make_at__lte=now, paused_at=None, ended_at=None, workspace__archived_at=None
    )
    made = 0
    for recurrence in due.select_related("pattern", "workspace", "created_by").order_by("make_at"):
        person = recurrence.created_by
        language = (person.language if person else "") or settings.LANGUAGE_CODE
        try:
            with translation.override(language):
                made += _catch_up(recurrence, now)
        except Exception:  # what is wrong with one keeps no other from running
            logger.exception("Recurrence %s could not make its run", recurrence.pk)
    return made


def _catch_up(recurrence: Recurrence, now: datetime) -> int:
    if problem := _broken(recurrence):
        pause(recurrence, problem)
        return 0
    made = 0
    for _time in range(_MOST_AT_ONCE):
        if recurrence.make_at is None or recurrence.make_at > now:
            break
        made += _settle(recurrence, now)
    return made


def _broken(recurrence: Recurrence) -> str:
    """Say why it cannot go on until somebody changes something; "" for a sound one."""
    try:
        rhythm_of(recurrence)
    except rhythms.BadRule:
        return _("When it runs cannot be read any more. Choose it again.")
    if not recurrence.birthday:
        return ""
    fields = Field.objects.filter(
        workspace=recurrence.workspace_id, key=recurrence.birthday, type=FieldType.DATE
    )
    if fields.filter(deleted_at=None).exists():
        return ""
    return _("The date that it goes by was deleted from your contacts. Choose another one.")


def _settle(recurrence: Recurrence, now: datetime) -> bool:
    """Take the next occurrence and store what becomes of it; say whether it has a new campaign."""
    occurrence = recurrence.next_at
    if occurrence is None:
        return False
    with transaction.atomic():
        mine = Recurrence.objects.filter(
            pk=recurrence.pk, next_at=occurrence, paused_at=None, ended_at=None
        )
        _aim(recurrence, occurrence)
        fields = ("next_at", "make_at", "ended_at")
        if not mine.update(**{name: getattr(recurrence, name) for name in fields}):
            recurrence.refresh_from_db(fields=["next_at", "make_at"])
            return False
        if recurrence.runs.filter(occurrence=occurrence).exists():
            return False
        if recurrence.skips.filter(occurrence=occurrence).exists():
            return False
        if why := _why_not(recurrence, occurrence, now):
            recurrence.skips.create(occurrence=occurrence, why=why)
            return False
        _copy(recurrence, occurrence, recurrence.created_by)
    return True


def _why_not(recurrence: Recurrence, occurrence: datetime, now: datetime) -> str:
    """Say why an occurrence gets no campaign, "" where it does."""
    if when.is_too_late(occurrence, recurrence.pattern.late, now):
        return _Why.LATE
    if recurrence.birthday:
        rule = tree.load(_only(recurrence, occurrence))
        whose = compiling.people(recurrence.workspace, rule, now)
        return "" if whose.exists() else _Why.NOBODY
    return _Why.LATER if recurrence.next_at and recurrence.next_at <= now else ""


# ---- What pages show ----------------------------------------------------------------------------


def without_patterns(campaigns: QuerySet[Campaign]) -> QuerySet[Campaign]:
    """Leave out what is never sent itself: the patterns of what recurs, once that has begun."""
    return campaigns.exclude(repeats__started_at__isnull=False)


def coming(recurrence: Recurrence, amount: int, now: datetime | None = None) -> list[Run]:
    """Give the next runs, `amount` of them and whatever else was prepared, in order."""
    now = now or timezone.now()
    moments = rhythm_of(recurrence).next_runs(amount, now) if not recurrence.ended_at else []
    campaigns = {run.occurrence: run for run in recurrence.runs.filter(occurrence__gt=now)}
    skips = {skip.occurrence: skip for skip in recurrence.skips.filter(occurrence__in=moments)}
    at_all = sorted({*moments, *(at for at in campaigns if at)})
    return [Run(at, campaigns.get(at), skips.get(at)) for at in at_all]


def past(recurrence: Recurrence, amount: int, before: datetime) -> list[Run]:
    """Give the runs earlier than a moment, the last one first; without the days that were nobody's."""
    campaigns = recurrence.runs.filter(occurrence__lt=before).order_by("-occurrence")[:amount]
    skips = recurrence.skips.filter(occurrence__lt=before).exclude(why=_Why.NOBODY)
    runs = [Run(run.occurrence, run) for run in campaigns if run.occurrence]
    runs += [
        Run(skip.occurrence, skip=skip)
        for skip in skips.select_related("by").order_by("-occurrence")[:amount]
    ]
    return sorted(runs, key=lambda run: run.at, reverse=True)[:amount]
