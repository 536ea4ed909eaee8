"""To many at once: campaigns, the files they read, what they count, texts that are kept."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import User, Workspace
from messaging.models import Media, Priority, text_removed
from phones.base import Reason
from phones.models import Phone, Pool


class State(models.TextChoices):
    """Where a campaign is. A draft becomes scheduled or runs, perhaps once it was approved; a pause ends in
    one of the others."""

    DRAFT = "draft", _("Draft")
    ASKED = "asked", pgettext_lazy("campaign", "To approve")
    SCHEDULED = "scheduled", _("Scheduled")
    RUNNING = "running", _("Running")
    PAUSED = "paused", _("Paused")
    DONE = "done", pgettext_lazy("campaign", "Done")
    CANCELLED = "cancelled", pgettext_lazy("campaign", "Cancelled")


# Nobody has been written to yet, and everything may still be changed.
EDITABLE = (State.DRAFT, State.ASKED, State.SCHEDULED)
# Something may still leave.
LIVE = (State.RUNNING, State.PAUSED)
ENDED = (State.DONE, State.CANCELLED)


class Tag(models.Model):
    """A word that campaigns share, to see together what they sent. `folded` makes Flu and flu one."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="campaign_tags")
    name = models.CharField(_("name"), max_length=60)
    folded = models.CharField(max_length=60)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "folded"], name="one_campaign_tag_per_name"
            )
        ]
        ordering = ["folded"]

    def __str__(self) -> str:
        return self.name


class Text(models.Model):
    """A text that is kept to be used again, with its merge fields: `source` is Liquid (see texts)."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="texts")
    name = models.CharField(_("name"), max_length=100)
    folded = models.CharField(max_length=100)
    source = models.TextField(_("text"))
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "folded"], name="one_text_per_name")
        ]
        ordering = ["folded"]

    def __str__(self) -> str:
        return self.name


class Sheet(models.Model):
    """A file of recipients with columns of its own, kept in DATA_DIR/sheets under `token`.

    `shape` says how it is read (contacts.importing.reading.Shape); `number` is the column with the
    numbers, `keys` the name of each column in a text: {{ row.<key> }}. `rows` counts its data rows.
    """

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="sheets")
    token = models.UUIDField(default=uuid.uuid4, unique=True)
    name = models.CharField(max_length=200)
    size = models.PositiveBigIntegerField(default=0)
    shape = models.JSONField(default=dict)
    number = models.PositiveSmallIntegerField(default=0)
    keys = models.JSONField(default=list)
    rows = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class Campaign(models.Model):
    """One text to many people, each reached once.

    Whom: `who` are recipients as in contacts.recipients (c12, g3, s4), `numbers` what was pasted (E.164
    or as it was written, where it is no number), `sheet` a file; `without` and `without_numbers` are left
    out. Through what: `phone`, else a phone of `pool`, else any. When: `send_at` (None = at once); with
    `own_zone` the wall clock that `send_at` shows in `time_zone` counts in each recipient's own; evenly
    over `spread` seconds; `late` hours after its time at most. `urgent` ones overtake, quiet hours or not.
    `only` is a rule (contacts.rules.tree) that whoever it reaches must fulfil besides: people without a
    contact fulfil none. A run of something recurring knows its `recurrence` and for which `occurrence`
    it was made; what all runs are copied from is a campaign too, and stays a draft (see is_pattern).
    `limits` are those of who checks or sends it (accounts.limits), as they were then: they hold to the end.

    Expansion makes a message of each recipient; `step` is the place in the list of sources and `after`
    the last id, line or number of it that is done, in the same transaction as its messages. `expected` is
    how many there should be, `seen` how many were looked at, `repeated` how many of them were there
    before, `excluded` how many were to be left out. Messages that wait for their turn are `held`; `fed_at`
    is when they were last given any, and what was to leave before `missed_before` has missed its time.
    """

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="campaigns")
    name = models.CharField(_("name"), max_length=100)
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    text = models.TextField(_("text"), blank=True)
    flash = models.BooleanField(default=False)
    urgent = models.BooleanField(default=False)
    media = models.ManyToManyField(Media, related_name="+", blank=True)
    tags = models.ManyToManyField(Tag, related_name="campaigns", blank=True)

    who = models.JSONField(default=list, blank=True)
    numbers = models.JSONField(default=list, blank=True)
    sheet = models.ForeignKey(Sheet, models.SET_NULL, null=True, blank=True, related_name="+")
    without = models.JSONField(default=list, blank=True)
    without_numbers = models.JSONField(default=list, blank=True)
    only = models.JSONField(default=dict, blank=True)

    phone = models.ForeignKey(Phone, models.SET_NULL, null=True, blank=True, related_name="+")
    pool = models.ForeignKey(Pool, models.SET_NULL, null=True, blank=True, related_name="+")

    send_at = models.DateTimeField(null=True, blank=True)
    time_zone = models.CharField(max_length=64, blank=True)
    own_zone = models.BooleanField(default=False)
    spread = models.PositiveIntegerField(default=0)
    late = models.PositiveSmallIntegerField(default=24)
    recurrence = models.ForeignKey(
        "Recurrence", models.SET_NULL, null=True, blank=True, related_name="runs", db_index=False
    )
    occurrence = models.DateTimeField(null=True, blank=True)

    submission = models.UUIDField(default=uuid.uuid4, unique=True)
    step = models.PositiveSmallIntegerField(default=0)
    after = models.BigIntegerField(default=0)
    expected = models.PositiveIntegerField(default=0)
    seen = models.PositiveIntegerField(default=0)
    repeated = models.PositiveIntegerField(default=0)
    excluded = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    # What the last rehearsal found (see rehearsing), and when it ended; older than `updated_at`, it is void.
    plan = models.JSONField(default=dict, blank=True)
    planned_at = models.DateTimeField(null=True, blank=True)
    # Which failures are being tried again: {"before": time of asking, "reasons": [...]} (see steering).
    again = models.JSONField(default=dict, blank=True)
    # Why it is paused or was cancelled, where nobody did it by hand.
    problem = models.CharField(max_length=500, blank=True)

    created_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    started_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    limits = models.JSONField(default=dict, blank=True)
    expanded_at = models.DateTimeField(null=True, blank=True)
    fed_at = models.DateTimeField(null=True, blank=True)
    missed_before = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    # Days after which its text, pictures and file were removed, null while it has them.
    redacted_after = models.SmallIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=State.values), name="known_campaign_state"
            ),
            models.UniqueConstraint(
                fields=["recurrence", "occurrence"],
                condition=models.Q(recurrence__isnull=False),
                name="one_campaign_per_occurrence",
            ),
        ]
        indexes = [
            models.Index(fields=["workspace", "-id"], name="campaign_list"),
            models.Index(
                fields=["send_at"],
                condition=models.Q(state="scheduled"),
                name="campaign_due",
            ),
            models.Index(
                fields=["id"],
                condition=models.Q(state__in=["running", "paused"]),
                name="campaign_live",
            ),
            models.Index(
                fields=["workspace", "id"],
                condition=models.Q(state="asked"),
                name="campaign_asked",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_editable(self) -> bool:
        return self.state in EDITABLE

    @property
    def is_live(self) -> bool:
        return self.state in LIVE

    @property
    def removed(self) -> str:
        """Say that its text is kept no more, and why; "" while it is."""
        return text_removed(self.redacted_after)

    @property
    def is_expanding(self) -> bool:
        return self.state in LIVE and self.expanded_at is None

    @cached_property
    def has_picture(self) -> bool:
        return self.media.exists()

    @property
    def is_pattern(self) -> bool:
        """Say whether runs are copied from it, so that it is never sent itself. A query, once."""
        return hasattr(self, "repeats")

    @property
    def was_scheduled(self) -> bool:
        """Say whether it waited for its time before somebody made a draft of it, to change it."""
        return self.state == State.DRAFT and bool(self.started_by_id and self.send_at)

    @property
    def priority(self) -> Priority:
        """Say what its messages overtake: nothing, unless it is urgent."""
        return Priority.URGENT if self.urgent else Priority.BULK


class Approval(models.Model):
    """A request to let a campaign leave, and what somebody answered. `version` is its `updated_at` then.

    One that is open has no `answer`; its campaign is ASKED meanwhile. The pattern of something that recurs is
    approved for all of its runs.
    """

    class Answer(models.TextChoices):
        OPEN = "", pgettext_lazy("request", "Open")
        APPROVED = "approved", pgettext_lazy("request", "Approved")
        RETURNED = "returned", pgettext_lazy("request", "Sent back")
        TAKEN_BACK = "taken_back", pgettext_lazy("request", "Taken back")

    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="approvals")
    asked_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)
    version = models.DateTimeField()
    answer = models.CharField(max_length=10, choices=Answer.choices, blank=True)
    answered_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    answered_at = models.DateTimeField(null=True, blank=True)
    remark = models.CharField(max_length=1000, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["campaign"], condition=models.Q(answer=""), name="one_open_request"
            )
        ]
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.campaign_id} {self.answer or 'open'}"


class RecurrenceQuerySet(models.QuerySet["Recurrence"]):
    def running(self) -> RecurrenceQuerySet:
        """Leave out what has not begun, was paused or has ended."""
        return self.filter(started_at__isnull=False, paused_at=None, ended_at=None)


class Recurrence(models.Model):
    """A campaign again and again. `pattern` says what, to whom and through what.

    `rule` is an RRULE (campaigns.rhythms), counted from the day `starts_on` at `at` o'clock in `zone` (an
    IANA name). With `birthday`, the key of a date field, each run reaches those of the pattern's
    recipients whose day and month it is. Nothing runs before `started_at`. `next_at` is the occurrence
    that is made next, and `make_at` when: earlier where each recipient's own zone counts. `problem` says
    why it was paused by itself.
    """

    class Phase(models.TextChoices):
        DRAFT = "draft", _("Draft")
        ACTIVE = "active", _("Active")
        PAUSED = "paused", _("Paused")
        ENDED = "ended", _("Ended")

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="recurrences")
    pattern = models.OneToOneField(Campaign, models.CASCADE, related_name="repeats")
    rule = models.CharField(max_length=200)
    starts_on = models.DateField()
    at = models.TimeField()
    zone = models.CharField(max_length=64)
    birthday = models.CharField(max_length=40, blank=True)
    next_at = models.DateTimeField(null=True, blank=True)
    make_at = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=500, blank=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = RecurrenceQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["workspace", "-id"], name="recurrence_list"),
            models.Index(
                fields=["make_at"],
                condition=models.Q(make_at__isnull=False),
                name="recurrence_due",
            ),
        ]

    def __str__(self) -> str:
        return self.pattern.name

    @property
    def phase(self) -> Phase:
        if self.ended_at:
            return self.Phase.ENDED
        if self.started_at is None:
            return self.Phase.DRAFT
        return self.Phase.PAUSED if self.paused_at else self.Phase.ACTIVE


class SkippedRun(models.Model):
    """An occurrence that has no campaign, and why."""

    class Why(models.TextChoices):
        PERSON = "person", _("Skipped by hand")
        LATE = "late", _("Too late: the site was not running then")
        LATER = "later", _("Too late: a later run left in its place")
        NOBODY = "nobody", _("It was nobody's day")

    recurrence = models.ForeignKey(Recurrence, models.CASCADE, related_name="skips", db_index=False)
    occurrence = models.DateTimeField()
    why = models.CharField(max_length=10, choices=Why.choices)
    by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["recurrence", "occurrence"], name="one_skip_per_occurrence"
            )
        ]

    def __str__(self) -> str:
        return f"{self.recurrence_id} {self.why}"


class Tally(models.Model):
    """A change of what a campaign counts; their sum is the truth at any moment.

    The database itself writes them (see tallying), in the transaction that changes a message. `amount` counts
    messages and may be negative; `cost` (told) and `estimate` are in millionths of `currency`. `at` is
    the minute of the change. The tick melts `fresh` rows that say the same of the same time into one.
    Messages that are `removed` count on.
    """

    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="tallies")
    at = models.DateTimeField()
    status = models.CharField(max_length=10)
    removed = models.BooleanField(default=False, db_default=False)
    reason = models.CharField(max_length=20, blank=True, choices=Reason.choices)
    phone = models.BigIntegerField()
    country = models.CharField(max_length=2, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    amount = models.BigIntegerField()
    segments = models.BigIntegerField()
    cost = models.BigIntegerField()
    estimate = models.BigIntegerField()
    fresh = models.BooleanField(default=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["campaign"], condition=models.Q(fresh=True), name="tally_to_be_melted"
            )
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id} {self.status} {self.amount:+}"
