"""What: messages, what happened to them, conversations, calls, pictures."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models.expressions import RawSQL
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.models import User, Workspace
from lib import masks
from messaging.quota import models as _quotas  # noqa: F401  Django looks for models here
from phones.base import Reason
from phones.health import kind_of
from phones.models import Phone, Pool

# Digits at the end of a number that tell whose it is.
_TELLING = 7


class Direction(models.TextChoices):
    OUT = "out", _("Sent")
    IN = "in", _("Received")


class Status(models.TextChoices):
    """Where a message is. The order is that of its life; `received` is for incoming ones."""

    QUEUED = "queued", _("Queued")
    SENDING = "sending", _("Sending")
    SENT = "sent", _("Sent")
    DELIVERED = "delivered", _("Delivered")
    FAILED = "failed", _("Failed")
    UNKNOWN = "unknown", _("Unknown")
    CANCELLED = "cancelled", _("Cancelled")
    SKIPPED = "skipped", _("Skipped")
    RECEIVED = "received", _("Received")


# What never left in one of these states costs nothing, whatever was estimated.
NOT_SPENT = (Status.FAILED, Status.CANCELLED, Status.SKIPPED)


class Priority(models.IntegerChoices):
    """Lower goes first."""

    URGENT = 0, _("Urgent")
    NORMAL = 5, _("Normal")
    BULK = 9, _("Bulk")


# Those of messages that wait and may leave by another phone, and of those that went wrong.
IS_ROUTED = models.Q(status="queued", held=False) & (
    models.Q(any_phone=True) | models.Q(pool__isnull=False)
)
HAS_FAILED = RawSQL("status IN ('failed', 'unknown')", [], models.BooleanField())
# That of messages which wait for room in a quota (see quota.charging).
AWAITS_QUOTA = RawSQL("reason IN ('quota', 'own_quota')", [], models.BooleanField())
# That of messages which wait in their campaign for their turn.
IS_HELD = models.Q(held=True, status="queued") & ~models.Q(AWAITS_QUOTA)
# Why a message of a workspace or a person waits for its quota, or is skipped.
OVER_QUOTA = (Reason.QUOTA, Reason.OWN_QUOTA)


class Message(models.Model):
    """One message between us and one number, in one direction.

    `peer` is theirs (E.164, or a short code or name for incoming ones), `own` ours at that time.
    `send_at` is when it is wanted; `not_before` when it may be tried next. `claim` names the sending
    run that holds it, until `lease_until`. `submission` + `peer` make a double click harmless.
    `cost` is in millionths of `currency`: what the provider says, and until it does an estimate by the
    phone's price table when it was written. Times are null until the state was reached. `partial` = it
    came in parts, and not all of them have come; `perhaps_repeated` = it may be the one with the same words
    before it, which the provider told again. It may leave by any phone of `pool`, or, with `any_phone`, of
    the workspace; `phone` is the one chosen last (see routing). `campaign` is what it belongs to; one that
    is `held` waits there for its turn, or for a quota (`reason`), and is no phone's business yet. `country`
    (ISO 3166 alpha-2) is that of the number. `quota_period` and `person_quota_period` are the ids of the
    periods that it is charged to. Once its text was removed, `redacted_after` says after how many days
    (see retention).
    """

    # Every index costs each change of a message: those below begin with the workspace, and who asks for
    # one person's messages has a workspace.
    workspace = models.ForeignKey(
        Workspace, models.CASCADE, related_name="messages", db_index=False
    )
    direction = models.CharField(max_length=3, choices=Direction.choices)
    status = models.CharField(max_length=10, choices=Status.choices)
    phone = models.ForeignKey(Phone, models.PROTECT, related_name="messages")
    peer = models.CharField(max_length=40)
    own = models.CharField(max_length=40, blank=True)
    text = models.TextField(blank=True)
    encoding = models.CharField(max_length=5, default="gsm7")
    segments = models.PositiveSmallIntegerField(default=1)
    flash = models.BooleanField(default=False)
    partial = models.BooleanField(default=False)
    perhaps_repeated = models.BooleanField(default=False)
    priority = models.PositiveSmallIntegerField(default=Priority.NORMAL, choices=Priority.choices)
    submission = models.UUIDField(default=uuid.uuid4)
    campaign = models.ForeignKey(
        "campaigns.Campaign",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="messages",
        db_index=False,
    )
    held = models.BooleanField(default=False)
    pool = models.ForeignKey(
        Pool, models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    any_phone = models.BooleanField(default=False)
    country = models.CharField(max_length=2, blank=True)
    created_by = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )

    created_at = models.DateTimeField(default=timezone.now)
    send_at = models.DateTimeField(default=timezone.now)
    not_before = models.DateTimeField(default=timezone.now)
    claimed_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    claim = models.UUIDField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)

    provider_id = models.CharField(max_length=100, blank=True)
    cost = models.BigIntegerField(null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    cost_is_estimate = models.BooleanField(default=False)
    reason = models.CharField(max_length=20, blank=True, choices=Reason.choices)
    code = models.CharField(max_length=40, blank=True)
    words = models.CharField(max_length=500, blank=True)
    quota_period = models.BigIntegerField(null=True, blank=True)
    person_quota_period = models.BigIntegerField(null=True, blank=True)

    sent_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    read_at = models.DateTimeField(null=True, blank=True)
    redacted_after = models.SmallIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "submission", "peer"],
                condition=models.Q(direction="out"),
                name="one_message_per_submission",
            ),
            # The provider repeats an incoming message until it is answered; it is stored once.
            models.UniqueConstraint(
                fields=["phone", "provider_id"],
                condition=models.Q(direction="in") & ~models.Q(provider_id=""),
                name="one_incoming_per_provider_id",
            ),
            models.CheckConstraint(
                condition=models.Q(direction="in", status="received")
                | models.Q(direction="out") & ~models.Q(status="received"),
                name="status_fits_direction",
            ),
            models.CheckConstraint(
                condition=~models.Q(status="sending") | models.Q(lease_until__isnull=False),
                name="sending_has_a_lease",
            ),
            models.CheckConstraint(
                condition=models.Q(held=False)
                | models.Q(campaign__isnull=False)
                | models.Q(reason__in=OVER_QUOTA)
                | ~models.Q(status="queued"),
                name="only_campaigns_and_quotas_hold",
            ),
        ]
        indexes = [
            models.Index(fields=["workspace", "-id"], name="message_list"),
            models.Index(fields=["workspace", "status", "-id"], name="message_status"),
            models.Index(fields=["workspace", "peer", "-id"], name="message_peer"),
            models.Index(
                fields=["workspace", "send_at", "id"],
                condition=models.Q(status="queued"),
                name="message_planned",
            ),
            models.Index(
                fields=["phone", "priority", "not_before", "id"],
                condition=models.Q(status="queued", held=False),
                name="message_due",
            ),
            models.Index(
                fields=["phone", "peer", "id"],
                condition=models.Q(status__in=["queued", "sending"], held=False),
                name="message_order",
            ),
            models.Index(
                fields=["phone", "attempts"],
                condition=IS_ROUTED,
                name="message_routed",
            ),
            models.Index(
                fields=["phone", "claimed_at"],
                condition=models.Q(status__in=["failed", "unknown"]),
                name="message_failures",
            ),
            models.Index(
                fields=["campaign", "send_at", "id"],
                condition=IS_HELD,
                name="message_held",
            ),
            # The condition says the state, too; named here, SQLite prefers this to the index of states.
            models.Index(
                fields=["workspace", "status", "priority", "id"],
                condition=models.Q(AWAITS_QUOTA, status="queued"),
                name="message_awaits_quota",
            ),
            models.Index(
                fields=["campaign", "-id"],
                condition=models.Q(campaign__isnull=False),
                name="message_campaign",
            ),
            models.Index(
                fields=["campaign", "status", "-id"],
                condition=models.Q(campaign__isnull=False),
                name="message_campaign_state",
            ),
            models.Index(
                fields=["campaign", "reason", "-id"],
                condition=models.Q(campaign__isnull=False) & ~models.Q(reason=""),
                name="message_campaign_reason",
            ),
            models.Index(
                fields=["lease_until"],
                condition=models.Q(status="sending"),
                name="message_lease",
            ),
            models.Index(
                fields=["phone", "provider_id"],
                condition=~models.Q(provider_id=""),
                name="message_provider_id",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk} {self.status}"

    @property
    def is_incoming(self) -> bool:
        return self.direction == Direction.IN

    @property
    def provider_name(self) -> str:
        """Give what the provider calls it; "" where it has no name for it, and `provider_id` is ours.

        What is made of the number is hidden with it: else the name is what one asks the provider by.
        """
        kind = kind_of(self.phone) if self.is_incoming else None
        name = "" if kind and kind.connected else self.provider_id
        return masks.said(name) if self.peer[-_TELLING:] in name else name

    @property
    def is_scheduled(self) -> bool:
        return self.status == Status.QUEUED and self.send_at > timezone.now()

    @property
    def will_cost(self) -> bool:
        """Say whether its cost is known and was, or may still be, spent."""
        never_left = self.sent_at is None and self.status in NOT_SPENT
        return self.cost is not None and not (self.cost_is_estimate and never_left)

    @property
    def can_cancel(self) -> bool:
        return self.status == Status.QUEUED

    @property
    def can_hurry(self) -> bool:
        """Say whether it waits in its campaign or for a later time, and somebody may let it leave now."""
        return (
            self.status == Status.QUEUED
            and self.reason not in OVER_QUOTA
            and (self.held or self.send_at > timezone.now())
        )

    @property
    def can_resend(self) -> bool:
        return self.status == Status.UNKNOWN and self.redacted_after is None

    @property
    def removed(self) -> str:
        """Say that its text is kept no more, and why; "" while it is."""
        return text_removed(self.redacted_after)

    @property
    def can_settle(self) -> bool:
        return self.status == Status.UNKNOWN


def text_removed(days: int | None) -> str:
    """Say that a text was removed after so many days, "" where it was not."""
    if days is None:
        return ""
    words = ngettext("Text removed after %(count)s day", "Text removed after %(count)s days", days)
    return words % {"count": days}


class Activity(models.Model):
    """A change of what a workspace sent and received; their sum is the truth (see activity).

    `at` is the quarter of an hour in which the messages were wanted, `person` who wrote them (0 = nobody);
    `cost` (told) and `estimate` are in millionths of `currency`. Messages that are `removed` count on.
    """

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+", db_index=False)
    at = models.DateTimeField()
    removed = models.BooleanField(default=False, db_default=False)
    status = models.CharField(max_length=10)
    phone = models.BigIntegerField()
    person = models.BigIntegerField()
    currency = models.CharField(max_length=3, blank=True)
    amount = models.BigIntegerField()
    segments = models.BigIntegerField()
    cost = models.BigIntegerField()
    estimate = models.BigIntegerField()
    fresh = models.BooleanField(default=True)

    class Meta:
        indexes = [
            models.Index(fields=["workspace", "at"], name="activity_of_workspace"),
            models.Index(
                fields=["workspace"], condition=models.Q(fresh=True), name="activity_to_be_melted"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.workspace_id} {self.status} {self.amount:+}"


class Sweep(models.Model):
    """How far a workspace was looked through for what is kept no more (see retention): `kind` is `texts` or
    `messages`.

    `after` is the id of the message that is done last; it begins anew a day after `begun_at`, for what had
    not ended when it was passed. Nothing is to be done before `again_at`.
    """

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10)
    after = models.BigIntegerField(default=0)
    begun_at = models.DateTimeField(default=timezone.now)
    again_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "kind"], name="one_sweep_per_kind")
        ]

    def __str__(self) -> str:
        return f"{self.workspace_id} {self.kind}"


class PartSet(models.Model):
    """The parts of one long incoming message. `message` is what they became, whole or partial."""

    phone = models.ForeignKey(Phone, models.CASCADE, related_name="part_sets")
    sender = models.CharField(max_length=40)
    to = models.CharField(max_length=40, blank=True)
    reference = models.CharField(max_length=100)
    total = models.PositiveSmallIntegerField()
    message = models.OneToOneField(
        Message, models.CASCADE, null=True, blank=True, related_name="part_set"
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["phone", "sender", "reference"], name="part_set_key"),
            models.Index(
                fields=["created_at"], condition=models.Q(message=None), name="part_set_waiting"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sender} {self.reference}"


class IncomingPart(models.Model):
    """One part. `text` is UTF-16 (big-endian), so that halves of one character find each other."""

    set = models.ForeignKey(PartSet, models.CASCADE, related_name="parts")
    number = models.PositiveSmallIntegerField()
    text = models.BinaryField()
    provider_id = models.CharField(max_length=100, blank=True)
    at = models.DateTimeField(null=True, blank=True)
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["set", "number"], name="one_part_per_number")
        ]

    def __str__(self) -> str:
        return f"{self.set_id} {self.number}"


class Attempt(models.Model):
    """What happened besides the happy path: a retry, a throttle, a pause, a person's decision."""

    class Kind(models.TextChoices):
        TEMPORARY = "temporary", _("Could not be handed over yet")
        THROTTLED = "throttled", _("Asked to slow down")
        PAUSED = "paused", _("The phone was paused")
        UNKNOWN = "unknown", _("Outcome unknown")
        FAILED = "failed", _("Refused")
        RESENT = "resent", _("Sent again")
        CANCELLED = "cancelled", _("Cancelled")
        MOVED = "moved", _("Moved to another phone")
        FAILED_OVER = "over", _("Moved to another phone by itself")
        ARRIVED = "arrived", _("Settled: it arrived")
        LOST = "lost", _("Settled: it did not arrive")
        LOOKED_UP = "looked_up", _("Its carrier was looked up")
        NO_CARRIER = "no_carrier", _("Its carrier could not be looked up")
        QUIET = "quiet", _("Held until quiet hours end")
        HURRIED = "hurried", _("Sent before its time")
        QUOTA = "quota", _("Held until the quota has room")

    message = models.ForeignKey(Message, models.CASCADE, related_name="trail")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    phone = models.ForeignKey(Phone, models.SET_NULL, null=True, related_name="+")
    code = models.CharField(max_length=40, blank=True)
    words = models.CharField(max_length=500, blank=True)
    next_at = models.DateTimeField(null=True, blank=True)
    by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.kind


class QuietHours(models.Model):
    """Hours in which nobody in a country is written to, by the clock there (see quiet).

    `country` is ISO 3166 alpha-2, "" for all that have no row of their own; `is_off` = at any hour there.
    From `begins` to `ends`, the next morning where that is earlier, on the `days` on which they begin
    (0 = Monday); all day on `whole_days`.
    """

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="quiet_hours")
    country = models.CharField(_("country"), max_length=2, blank=True)
    is_off = models.BooleanField(default=False)
    begins = models.TimeField(null=True, blank=True)
    ends = models.TimeField(null=True, blank=True)
    days = models.JSONField(default=list, blank=True)
    whole_days = models.JSONField(default=list, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "country"], name="one_quiet_hours_per_country"
            )
        ]

    def __str__(self) -> str:
        return self.country or "*"


class Segment(models.Model):
    """One segment of a longer message, where the provider reports on each.

    `state` is a `phones.base.Delivery`. `phone` is the one it left by.
    """

    message = models.ForeignKey(Message, models.CASCADE, related_name="pieces")
    phone = models.ForeignKey(Phone, models.CASCADE, related_name="+")
    number = models.PositiveSmallIntegerField()
    provider_id = models.CharField(max_length=100, blank=True)
    state = models.CharField(max_length=10, default="sent")
    reason = models.CharField(max_length=20, blank=True, choices=Reason.choices)
    code = models.CharField(max_length=40, blank=True)
    words = models.CharField(max_length=500, blank=True)
    reported_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["phone", "provider_id"],
                condition=~models.Q(provider_id=""),
                name="segment_provider_id",
            )
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.state}"


class LookUp(models.Model):
    """A number (E.164) whose carrier is being looked up through `phone`, or is to be again.

    The row comes before the request and goes with the transaction that stores the answer, so that
    nobody pays twice. While `asked_at` is set a request is under way; `problem` is what the provider
    said when it could not answer, `again_at` when it is asked again.
    """

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="look_ups")
    number = models.CharField(max_length=20)
    phone = models.ForeignKey(Phone, models.CASCADE, related_name="+")
    asked_at = models.DateTimeField(null=True, blank=True)
    again_at = models.DateTimeField(default=timezone.now)
    tries = models.PositiveSmallIntegerField(default=0)
    problem = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "number"], name="one_look_up_per_number")
        ]

    def __str__(self) -> str:
        return self.number


class Report(models.Model):
    """A status report: parked until its message is known, kept for the timeline once it is.

    `state` is a `phones.base.Delivery`; `aliases` and `peer` are as in a StatusReport. Reports that
    never match are listed on the phone's page.
    """

    phone = models.ForeignKey(Phone, models.CASCADE, related_name="reports")
    message = models.ForeignKey(
        Message, models.CASCADE, null=True, blank=True, related_name="reports"
    )
    state = models.CharField(max_length=10)
    provider_id = models.CharField(max_length=100, blank=True)
    aliases = models.JSONField(default=list, blank=True)
    peer = models.CharField(max_length=40, blank=True)
    reason = models.CharField(max_length=20, blank=True)
    code = models.CharField(max_length=40, blank=True)
    words = models.CharField(max_length=500, blank=True)
    segments = models.PositiveSmallIntegerField(null=True, blank=True)
    cost = models.BigIntegerField(null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    reported_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(
                fields=["phone", "provider_id"],
                condition=models.Q(message=None),
                name="report_parked",
            ),
            models.Index(
                fields=["phone", "created_at"],
                condition=models.Q(message=None),
                name="report_lately",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider_id} {self.state}"


class Conversation(models.Model):
    """Everything between a workspace and one number, once that number has written to us."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="conversations")
    peer = models.CharField(max_length=40)
    # The phone they last wrote to: replies leave by it.
    phone = models.ForeignKey(Phone, models.PROTECT, related_name="+")
    last = models.ForeignKey(Message, models.SET_NULL, null=True, related_name="+")
    last_at = models.DateTimeField()
    unread = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "peer"], name="one_conversation_per_peer")
        ]
        indexes = [
            models.Index(fields=["workspace", "-last_at", "-id"], name="conversation_list"),
            models.Index(
                fields=["workspace"],
                condition=models.Q(unread__gt=0),
                name="conversation_unread",
            ),
        ]

    def __str__(self) -> str:
        return self.peer


class Call(models.Model):
    """A call that reached one of our numbers. `seconds` is its length once it has ended."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="calls")
    phone = models.ForeignKey(Phone, models.PROTECT, related_name="calls")
    peer = models.CharField(max_length=40)
    provider_id = models.CharField(max_length=100)
    outcome = models.CharField(max_length=20, blank=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    seconds = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["phone", "provider_id"], name="one_call_per_provider_id"
            )
        ]
        indexes = [models.Index(fields=["workspace", "-id"], name="call_list")]

    def __str__(self) -> str:
        return self.peer


class Media(models.Model):
    """A picture or file of a message. `source` is where an incoming one waits to be fetched from."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="media")
    messages = models.ManyToManyField(Message, related_name="media")
    file = models.FileField(upload_to="%Y/%m/", blank=True)
    content_type = models.CharField(max_length=100, blank=True)
    size = models.PositiveIntegerField(default=0)
    source = models.TextField(blank=True)
    problem = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.content_type
