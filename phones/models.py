"""Through what: phones, when their addresses were called, and what was said to their providers."""

from __future__ import annotations

import secrets
from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import User, Workspace
from lib.vault import Confidential, EncryptedJSONField
from phones import registry
from phones.base import Addresses, Kind


def new_token() -> str:
    """Give a secret for callback addresses: 32 characters, 190 bits."""
    return secrets.token_urlsafe(24)


class PauseReason(models.TextChoices):
    PERSON = "person", _("Paused by hand")
    MISCONFIGURED = "misconfigured", _("The provider refuses the account")
    NO_CREDIT = "no_credit", _("The account is empty")
    UNRELIABLE = "unreliable", _("Too many messages failed")


class PhoneQuerySet(models.QuerySet["Phone"]):
    def living(self) -> PhoneQuerySet:
        return self.filter(deleted_at=None)

    def ready(self) -> PhoneQuerySet:
        return self.living().filter(paused_at=None)


class Phone(models.Model):
    """Something that messages leave and arrive through: an account, a number, a line.

    `type` is a slug of the registry; `settings` (encrypted) are what its form cleaned; `address` is the
    number or name people see. `rate` is in segments per second. `token` is the secret part of its
    callback addresses. A deleted phone keeps its row, so that its messages still say where they went,
    but loses its settings and its token.

    Where any phone may be taken, the highest `priority` goes first and equals share by `weight`. `allowed`
    and `denied` are countries (FR) and prefixes (3361) of the numbers it may write to (see reaching).
    `metered` = what leaves by it is counted, because it has limits or is watched (see quotas).
    """

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="phones")
    type = models.CharField(_("type"), max_length=40)
    name = models.CharField(_("name"), max_length=60)
    settings = EncryptedJSONField()
    address = models.CharField(max_length=40, blank=True)
    token = models.CharField(max_length=40, unique=True, default=new_token)
    rate = models.FloatField(_("segments per second"), default=1)
    # Who is asked, for money, which carrier a number belongs to (`wants_carrier`); None = nobody.
    look_up_by = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="+")
    resend_unknown = models.BooleanField(_("send again when the outcome is unknown"), default=False)
    priority = models.SmallIntegerField(_("priority"), default=0)
    weight = models.PositiveSmallIntegerField(_("weight"), default=1)
    allowed = models.JSONField(_("only to"), default=list, blank=True)
    denied = models.JSONField(_("never to"), default=list, blank=True)
    metered = models.BooleanField(default=False)
    paused_at = models.DateTimeField(null=True, blank=True)
    pause_reason = models.CharField(max_length=20, blank=True, choices=PauseReason.choices)
    pause_words = models.CharField(max_length=500, blank=True)
    paused_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    # Where asking the provider goes on, when it was asked last, and what went wrong then.
    poll_cursor = models.TextField(blank=True)
    polled_at = models.DateTimeField(null=True, blank=True)
    poll_problem = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = PhoneQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "name"],
                condition=models.Q(deleted_at=None),
                name="one_phone_per_name",
                violation_error_message=_("Another phone has this name."),
            ),
            models.CheckConstraint(condition=models.Q(rate__gt=0), name="rate_above_zero"),
            models.CheckConstraint(
                condition=models.Q(weight__gt=0), name="phone_weight_above_zero"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_paused(self) -> bool:
        return self.paused_at is not None

    @property
    def is_deleted(self) -> bool:
        return self.deleted_at is not None

    @property
    def kind(self) -> Kind:
        """Give the class of its type. Raises KeyError when the type's file is gone."""
        return registry.get(self.type)

    @property
    def addresses(self) -> Addresses:
        """Give its callback addresses, built from PUBLIC_URL, never from a request."""
        return Addresses(f"{settings.PUBLIC_URL}/callbacks/{self.token}/")

    @property
    def full_settings(self) -> Confidential:
        """Give its decrypted settings, with what the operator sets for every phone of this type."""
        return Confidential({**self.settings, **settings.PHONE_SETTINGS.get(self.type, {})})


class Pool(models.Model):
    """Phones that stand in for each other: a message to the pool leaves by one of them."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="pools")
    name = models.CharField(_("name"), max_length=60)
    folded = models.CharField(max_length=60)
    phones = models.ManyToManyField(Phone, through="PoolPhone", related_name="pools")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "folded"],
                name="one_pool_per_name",
                violation_error_message=_("Another group of phones has this name."),
            )
        ]
        ordering = ["folded"]

    def __str__(self) -> str:
        return self.name


class PoolPhone(models.Model):
    """A phone in a pool: the highest `priority` that is able goes first, equals share by `weight`."""

    pool = models.ForeignKey(Pool, models.CASCADE, related_name="places")
    phone = models.ForeignKey(Phone, models.CASCADE, related_name="places")
    priority = models.SmallIntegerField(default=0)
    weight = models.PositiveSmallIntegerField(default=1)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["pool", "phone"], name="one_place_per_phone"),
            models.CheckConstraint(condition=models.Q(weight__gt=0), name="weight_above_zero"),
        ]

    def __str__(self) -> str:
        return f"{self.pool_id} {self.phone_id}"


class Period(models.TextChoices):
    """How long a limit counts: calendar ones in the workspace's time zone, sliding ones at any moment."""

    DAY = "day", _("a day")
    HOURS_24 = "24h", _("24 hours")
    WEEK = "week", _("a week, from Monday")
    DAYS_7 = "7d", _("7 days")
    MONTH = "month", _("a month")
    DAYS_28 = "28d", _("28 days")
    DAYS_30 = "30d", _("30 days")
    DAYS_31 = "31d", _("31 days")


class Unit(models.TextChoices):
    MESSAGES = "messages", _("messages")
    SEGMENTS = "segments", _("segments")
    PEOPLE = "people", _("different people")


class Limit(models.Model):
    """At most `amount` of a unit leave by a phone within a period; different people only in a month.

    When it is reached messages wait; with `spill`, those that may leave by another phone do so. What left
    before `since` was not counted.
    """

    phone = models.ForeignKey(Phone, models.CASCADE, related_name="limits")
    period = models.CharField(max_length=5, choices=Period.choices)
    unit = models.CharField(max_length=8, choices=Unit.choices)
    amount = models.PositiveIntegerField()
    spill = models.BooleanField(default=False)
    since = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["phone", "period", "unit"], name="one_limit_per_kind"),
            models.CheckConstraint(
                condition=~models.Q(unit="people") | models.Q(period="month"),
                name="people_are_counted_by_month",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.unit} {self.period}"


class Usage(models.Model):
    """What left by a metered phone in one quarter of an hour, as it was claimed.

    Quarters, and not hours: so the days of every time zone begin with one. `people` are those whom this
    phone had not written to before in their month (see Reached).
    """

    phone = models.ForeignKey(Phone, models.CASCADE, related_name="usage", db_index=False)
    at = models.DateTimeField()
    messages = models.IntegerField(default=0)
    segments = models.IntegerField(default=0)
    people = models.IntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["phone", "at"], name="one_usage_per_quarter")
        ]

    def __str__(self) -> str:
        return f"{self.phone_id} {self.at:%F %H:%M}"


class Reached(models.Model):
    """A number (E.164) that a phone with a limit of people wrote to in a month (202611), `times` times."""

    phone = models.ForeignKey(Phone, models.CASCADE, related_name="reached", db_index=False)
    month = models.PositiveIntegerField()
    number = models.CharField(max_length=40)
    times = models.IntegerField(default=1)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["phone", "month", "number"], name="one_row_per_person_and_month"
            )
        ]

    def __str__(self) -> str:
        return f"{self.month} {self.number}"


class Watch(models.Model):
    """How a phone's failures are watched, and what follows from too many.

    Of the messages that left within `window` minutes, the last `margin` minutes apart, and at least `least`
    of them: too many are `failed` percent that failed, or `unknown` percent of which nothing is known (None =
    not looked at). Then a mail is written, or the phone rests until a few messages have shown that it is well
    (a circuit breaker), or it is paused.

    `webhook` is an address that is told of it too, `webhook_problem` why it could not be, the last time.
    `rests_until` is when such trials begin, `tried_at` and `tried` when the last was claimed and how many;
    all that happened before `counts_from` is forgiven. `troubled_at` is since when it is too much.
    """

    class Action(models.TextChoices):
        ALERT = "alert", _("only write a mail")
        REST = "rest", _("rest, then try a few messages")
        PAUSE = "pause", _("pause the phone")

    phone = models.OneToOneField(Phone, models.CASCADE, related_name="watch")
    failed = models.PositiveSmallIntegerField(null=True, blank=True)
    unknown = models.PositiveSmallIntegerField(null=True, blank=True)
    window = models.PositiveSmallIntegerField(default=60)
    margin = models.PositiveSmallIntegerField(default=0)
    least = models.PositiveIntegerField(default=20)
    action = models.CharField(max_length=5, choices=Action.choices, default=Action.ALERT)
    webhook = models.CharField(max_length=500, blank=True)
    webhook_problem = models.CharField(max_length=300, blank=True)
    counts_from = models.DateTimeField(default=timezone.now)
    troubled_at = models.DateTimeField(null=True, blank=True)
    words = models.CharField(max_length=200, blank=True)
    rests = models.PositiveSmallIntegerField(default=0)
    rests_until = models.DateTimeField(null=True, blank=True)
    tried = models.PositiveSmallIntegerField(default=0)
    tried_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.phone_id} {self.action}"

    @property
    def is_trying(self) -> bool:
        """Say whether a few messages may try the phone now (the circuit is half open)."""
        return self.rests_until is not None and self.rests_until <= timezone.now()


class Lease(models.Model):
    """Who holds the session of a connected phone, and until when unless it is renewed.

    `epoch` rises with each new holder: who holds an older one may neither claim nor send. The provider knows
    that we have what came in before `heard_at`; what came later it may tell again. `process` is the holder's
    name by lib.processes.
    """

    phone = models.OneToOneField(Phone, models.CASCADE, related_name="lease")
    epoch = models.PositiveBigIntegerField(default=0)
    owner = models.UUIDField(null=True, blank=True)
    host = models.CharField(max_length=100, blank=True)
    process = models.CharField(max_length=120, blank=True)
    until = models.DateTimeField()
    heard_at = models.DateTimeField(default=timezone.now)
    # `heard_at` and `until` of the holder before this one; not stored.
    before: tuple[datetime, datetime]

    def __str__(self) -> str:
        return f"{self.phone_id} {self.epoch}"


class Price(models.Model):
    """What a segment to numbers with `prefix` costs: millionths of `currency` (ISO 4217).

    `prefix` are digits without +, the country code first; "" is everything else. The longest wins.
    """

    phone = models.ForeignKey(Phone, models.CASCADE, related_name="prices")
    prefix = models.CharField(max_length=15, blank=True)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["phone", "prefix"], name="one_price_per_prefix"),
            models.CheckConstraint(condition=models.Q(amount__gte=0), name="price_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.prefix}: {self.amount} {self.currency}"


class EndpointCall(models.Model):
    """When a callback address was last called, and how often."""

    phone = models.ForeignKey(Phone, models.CASCADE, related_name="endpoint_calls")
    endpoint = models.CharField(max_length=20)
    last_at = models.DateTimeField()
    refused_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["phone", "endpoint"], name="one_row_per_endpoint")
        ]

    def __str__(self) -> str:
        return self.endpoint


class Exchange(models.Model):
    """One redacted request and answer: ours to the provider (`out`) or a callback (`in`).

    `message` is the id of the message it was about, 0 if none: an id and not a relation, since phones
    know nothing of messages. `status` is HTTP's, 0 = no answer. Pruned after KEEP_EXCHANGES_DAYS.
    """

    class Direction(models.TextChoices):
        OUT = "out", _("to the provider")
        IN = "in", _("from the provider")

    phone = models.ForeignKey(Phone, models.CASCADE, related_name="exchanges")
    message = models.BigIntegerField(default=0)
    direction = models.CharField(max_length=3, choices=Direction.choices)
    method = models.CharField(max_length=10)
    url = models.TextField()
    sent = models.TextField(blank=True)
    received = models.TextField(blank=True)
    status = models.PositiveSmallIntegerField(default=0)
    ms = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["phone", "-id"], name="exchange_phone"),
            models.Index(
                fields=["message"], name="exchange_message", condition=models.Q(message__gt=0)
            ),
            models.Index(fields=["created_at"], name="exchange_age"),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.status}"
