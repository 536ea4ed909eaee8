"""Quotas, the periods they are told apart by, their ledger, and what messages take of them."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import User, Workspace


class Quota(models.Model):
    """How much a workspace, or in it a `person`, may send (see quota).

    Of each period `amount` messages or segments (`unit`) are granted; "" as `period` = once, for as long
    as it lasts. One that `renews` not ends with its period. With `carries` what is left goes on into the
    next, `carries_most` of it at most. `over` is what becomes of messages for which nothing is left.
    `levels` are the percents at which owners and administrators get a mail, and `webhook` a call. A quota
    that was removed stays: its ledger is what was.
    """

    class Unit(models.TextChoices):
        MESSAGES = "messages", _("messages")
        SEGMENTS = "segments", _("segments")

    class Every(models.TextChoices):
        DAY = "day", _("a day")
        WEEK = "week", _("a week, from Monday")
        MONTH = "month", _("a month")
        QUARTER = "quarter", _("a quarter of a year")
        YEAR = "year", _("a year")
        ONCE = "once", _("once, until it is used up")

    class Over(models.TextChoices):
        WAIT = "wait", _("They wait until there is room")
        SKIP = "skip", _("They are left out, with the reason")

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="quotas")
    person = models.ForeignKey(
        User, models.CASCADE, null=True, blank=True, related_name="+", db_index=False
    )
    unit = models.CharField(max_length=8, choices=Unit.choices)
    every = models.CharField(max_length=7, choices=Every.choices)
    amount = models.PositiveBigIntegerField()
    renews = models.BooleanField(default=True)
    carries = models.BooleanField(default=False)
    carries_most = models.PositiveBigIntegerField(null=True, blank=True)
    over = models.CharField(max_length=4, choices=Over.choices, default=Over.WAIT)
    levels = models.JSONField(default=list, blank=True)
    webhook = models.CharField(max_length=500, blank=True)
    webhook_problem = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace"],
                condition=models.Q(person=None, removed_at=None),
                name="one_quota_per_workspace",
            ),
            models.UniqueConstraint(
                fields=["workspace", "person"],
                condition=models.Q(removed_at=None),
                name="one_quota_per_person",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.unit} {self.every}"


class QuotaPeriod(models.Model):
    """A stretch of a quota, which messages are charged to. Without `ends_at` it lasts until the next begins.

    `told` is the highest level that people were told of. `short_since` = when the first message did not fit.
    """

    quota = models.ForeignKey(Quota, models.CASCADE, related_name="periods", db_index=False)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    told = models.PositiveSmallIntegerField(default=0)
    short_since = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["quota", "starts_at"], name="one_period_at_a_time")
        ]

    def __str__(self) -> str:
        return f"{self.starts_at:%Y-%m-%d}"


class QuotaEntry(models.Model):
    """A line of a quota's ledger: `amount` more, or less, of its unit. Lines are added, never changed."""

    class Kind(models.TextChoices):
        GRANTED = "granted", _("Granted")
        CARRIED = "carried", _("Carried over")
        CREDIT = "credit", _("Credit")
        CHANGED = "changed", _("Quota changed")
        EXPIRED = "expired", _("Expired unused")
        RESENT = "resent", _("Sent again: the first time counts too")

    period = models.ForeignKey(QuotaPeriod, models.CASCADE, related_name="entries")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    amount = models.BigIntegerField()
    words = models.CharField(max_length=200, blank=True)
    by = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.kind} {self.amount:+}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add the line. Raises TypeError when it is there already."""
        if not self._state.adding:
            raise TypeError("A ledger only grows.")
        super().save(*args, **kwargs)


class QuotaUse(models.Model):
    """A change of what messages take of a period; their sum is the truth (see quota.counting)."""

    # Messages keep the name of a period when it is gone, and count for nobody then.
    period = models.ForeignKey(
        QuotaPeriod, models.CASCADE, related_name="uses", db_index=False, db_constraint=False
    )
    at = models.DateTimeField()
    removed = models.BooleanField(default=False, db_default=False)
    status = models.CharField(max_length=10)
    amount = models.BigIntegerField()
    segments = models.BigIntegerField()
    fresh = models.BooleanField(default=True)

    class Meta:
        indexes = [
            models.Index(fields=["period"], name="quota_use_of_period"),
            models.Index(
                fields=["period"], condition=models.Q(fresh=True), name="quota_use_to_be_melted"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.period_id} {self.status} {self.amount:+}"
